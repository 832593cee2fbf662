//! The engine as its user holds it.
//!
//! Runs on: any thread; every call is synchronous and takes a lock that no hot agent knows.
//! Owns: the engine's life from builder to session report, and the reserved port behind a mutex.
//! Never: installs a signal handler, a panic hook, a log subscriber or an allocator; two engines fit in one process.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use super::boot::{self, StateChoice};
use super::builder::EngineBuilder;
use super::cold_agents::locked;
use super::error::EngineError;
use super::execution_manager::{ExecutionManager, SignalError};
use super::port::{OrderView, SubmitError};
use super::session;
use super::shared::{BrokerInfo, EnginePhase, EngineShared};
use super::status::{ComprehensiveStatus, Progress};
use super::trading_system::TradingSystem;
use super::wiring::{self, Recruit, Wired};
use crate::cold::{
    Delivery, EngineEvent, EventBus, Publisher, Session, SessionMetrics, Subscription,
};
use crate::config::Config;
use crate::journal::JournalStatus;
use crate::types::{
    BrokerId, BrokerReject, InstrumentId, Order, OrderEvent, OrderId, OrderStatus, Refusal,
    ReplaceRequest, Scope, Signal, TradingState,
};

/// What a run has come to.
#[derive(Debug)]
pub enum RunState {
    /// It goes on.
    Running,
    /// A finite market source has ended and everything that it moved is done.
    Finished,
    /// It cannot go on: an agent panicked, the journal's disk failed, or the market data cannot be trusted. Call
    /// [`ExecutionEngine::shutdown`].
    Faulted(EngineError),
}

/// What became of an order within the time that the caller waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The broker works it, or has filled it.
    Accepted(OrderId),
    /// It will not be worked: refused by this engine or rejected by the broker.
    Refused(OrderId, RefusalReason),
    /// It waits for a person's approval.
    Held(OrderId),
    /// Nobody knows yet whether the broker has it; it counts in full until that is known.
    InDoubt(OrderId),
    /// No answer yet. The order lives on: ask for it by its id, or cancel it.
    TimedOut(OrderId),
}

/// Who refused an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// This engine: nothing was sent.
    Engine(Refusal),
    /// The broker.
    Broker(BrokerReject),
}

/// The engine before it is initialized.
pub(super) struct Blueprint {
    pub config: Config,
    pub recruits: Vec<Recruit>,
    pub choice: StateChoice,
    pub report_dir: Option<PathBuf>,
    pub publisher: Publisher,
    pub delivery: Delivery,
}

pub(super) enum Stage {
    Created(Box<Blueprint>),
    Wired(Box<Wired>),
    Over,
}

/// A trading execution engine: see the [module](super) for its life, and `examples/execution_engine.rs`.
pub struct ExecutionEngine {
    pub(super) stage: Mutex<Stage>,
    live: OnceLock<Live>,
    bus: EventBus,
    config: Config,
    report_dir: Option<PathBuf>,
}

/// What calls need once the engine is wired, without taking the stage's lock.
struct Live {
    shared: std::sync::Arc<EngineShared>,
    manager: std::sync::Arc<Mutex<ExecutionManager>>,
    cold: crate::cold::ColdShared,
    journal: JournalStatus,
    started: Instant,
    is_invoker: bool,
}

impl ExecutionEngine {
    /// Begins to build an engine.
    #[must_use]
    pub fn builder(config: Config) -> EngineBuilder {
        EngineBuilder::new(config)
    }

    pub(super) fn new(blueprint: Blueprint, bus: EventBus) -> Self {
        Self {
            bus,
            config: blueprint.config.clone(),
            report_dir: blueprint.report_dir.clone(),
            stage: Mutex::new(Stage::Created(Box::new(blueprint))),
            live: OnceLock::new(),
        }
    }

    /// Opens the state directory, recovers what an earlier run left, starts every agent but the market and the
    /// algorithms, and lets the brokers' links come up. Orders are refused until
    /// [`start_trading`](Self::start_trading).
    ///
    /// # Errors
    /// [`EngineError`]; nothing runs then.
    pub fn initialize(&self) -> Result<(), EngineError> {
        let mut stage = locked(&self.stage);
        let blueprint = match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Created(blueprint) => blueprint,
            other => {
                *stage = other;
                return Err(self.wrong_phase("initialize"));
            }
        };
        let Blueprint {
            config,
            recruits,
            choice,
            publisher,
            delivery,
            ..
        } = *blueprint;
        let plan = wiring::plan(&config, recruits.len())?;
        if let Some(dir) = &self.report_dir {
            // Better known now than at the end of the day.
            crate::cold::files::prepare(dir)?;
        }
        let boot = boot::open(&config, choice)?;
        let wired = wiring::wire(&config, boot, plan, recruits, (publisher, delivery))?;
        let _ = self.live.set(Live {
            shared: std::sync::Arc::clone(&wired.shared),
            manager: std::sync::Arc::clone(&wired.manager),
            cold: wired.cold.clone(),
            journal: wired.journal.clone(),
            started: Instant::now(),
            is_invoker: wired.machine.is_invoker(),
        });
        wired.shared.set_phase(EnginePhase::Initialized);
        *stage = Stage::Wired(Box::new(wired));
        Ok(())
    }

    /// Takes orders from now on, and starts the market and the algorithms.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn start_trading(&self) -> Result<(), EngineError> {
        let mut stage = locked(&self.stage);
        let Stage::Wired(wired) = &mut *stage else {
            return Err(self.wrong_phase("start_trading"));
        };
        if wired.shared.phase() != EnginePhase::Initialized {
            return Err(self.wrong_phase("start_trading"));
        }
        wired.shared.set_phase(EnginePhase::Trading);
        wired.machine.start_feed()?;
        Ok(())
    }

    /// Lets the engine run for this much wall time, or less when the run ends. In the `invoker` layout the work is
    /// done inside this call.
    ///
    /// # Errors
    /// [`EngineError`]; what the engine itself stumbled over is [`RunState::Faulted`].
    pub fn run_for(&self, duration: Duration) -> Result<RunState, EngineError> {
        let mut stage = locked(&self.stage);
        let Stage::Wired(wired) = &mut *stage else {
            return Err(self.wrong_phase("run_for"));
        };
        if !wired.machine.is_invoker() {
            // Other calls must not wait for this one.
            drop(stage);
            std::thread::sleep(duration);
            stage = locked(&self.stage);
        } else {
            let feed = std::sync::Arc::clone(&wired.feed);
            wired.machine.run_for(duration, || !feed.is_over())?;
        }
        match &mut *stage {
            Stage::Wired(wired) => session::run_state(wired),
            _ => Err(self.wrong_phase("run_for")),
        }
    }

    /// Ends the session: no new orders, what is on its way is drained, everything is synced, and the report is made
    /// (and written, when a directory was given). Working orders stay as they are.
    ///
    /// # Errors
    /// [`EngineError`]; the agents have ended all the same.
    pub fn shutdown(&self) -> Result<Session, EngineError> {
        let mut stage = locked(&self.stage);
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Wired(wired) => session::end(*wired, &self.config, self.report_dir.as_deref()),
            other => {
                *stage = other;
                Err(self.wrong_phase("shutdown"))
            }
        }
    }

    /// Sends an order to `preferred_broker` if that one is up, else to the symbol's broker, else to the default.
    /// The order's id is given as soon as it is queued; what becomes of it comes as events.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was and nothing will be sent.
    pub fn submit_cross_system_order(
        &self,
        order: Order,
        preferred_broker: Option<BrokerId>,
    ) -> Result<OrderId, SubmitError> {
        self.with_manager(|manager| manager.port_mut().submit(order, preferred_broker))
    }

    /// Sends an order and waits until the broker or this engine has answered.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was and nothing will be sent. A time-out is no error: the order lives.
    pub fn submit_and_wait(
        &self,
        order: Order,
        preferred_broker: Option<BrokerId>,
        timeout: Duration,
    ) -> Result<SubmitOutcome, SubmitError> {
        let order_id = self.submit_cross_system_order(order, preferred_broker)?;
        let deadline = Instant::now() + timeout;
        loop {
            self.step_invoker();
            let view = self.with_manager(|manager| {
                while manager.port_mut().poll_report().is_some() {}
                Ok(manager.port().order(order_id))
            })?;
            if let Some(outcome) = view.as_ref().and_then(outcome) {
                return Ok(outcome);
            }
            if Instant::now() >= deadline {
                return Ok(SubmitOutcome::TimedOut(order_id));
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    /// Turns a signal into an order and sends it; the order's id is given at once.
    ///
    /// # Errors
    /// [`SignalError`]: nothing was and nothing will be sent.
    pub fn process_signal(&self, signal: Signal) -> Result<OrderId, SignalError> {
        let live = self.live.get().ok_or(SubmitError::NotStarted)?;
        locked(&live.manager).process_signal(signal)
    }

    /// Asks to cancel a working order that was submitted through this handle.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was sent.
    pub fn cancel(&self, order_id: OrderId) -> Result<(), SubmitError> {
        self.with_manager(|manager| manager.port_mut().cancel(order_id))
    }

    /// Asks to change a working order that was submitted through this handle.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was sent.
    pub fn replace(&self, request: ReplaceRequest) -> Result<(), SubmitError> {
        self.with_manager(|manager| manager.port_mut().replace(request))
    }

    /// Asks to cancel every working order in a scope, whoever sent it.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was sent.
    pub fn cancel_all(
        &self,
        scope: Scope,
        instrument: Option<InstrumentId>,
    ) -> Result<(), SubmitError> {
        self.with_manager(|manager| manager.port_mut().cancel_scope(scope, instrument))
    }

    /// Sets a scope's trading state. Loosening what a latched control has set is refused by RISK until
    /// [`reset_latches`](Self::reset_latches).
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was changed.
    pub fn set_trading_state(&self, scope: Scope, state: TradingState) -> Result<(), SubmitError> {
        self.with_manager(|manager| manager.port_mut().set_trading_state(scope, state))?;
        let latched = self
            .live
            .get()
            .is_some_and(|live| live.shared.risk.read().latch.is_some());
        // RISK refuses to loosen what a latch holds: then the halt of an earlier fault stays on record too.
        if scope == Scope::Firm && state == TradingState::Active && !latched {
            self.forget_fault();
        }
        Ok(())
    }

    /// Lifts the latches of the daily loss and drawdown limits: the present equity is their new baseline. After a
    /// fault of the run before, the firm stays halted until [`set_trading_state`](Self::set_trading_state) says
    /// otherwise, but the next start does not halt it again.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was changed.
    pub fn reset_latches(&self) -> Result<(), SubmitError> {
        self.with_manager(|manager| manager.port_mut().reset_latches())?;
        self.forget_fault();
        Ok(())
    }

    /// Why the journal's disk failed, if it did; before [`initialize`](Self::initialize) it did not.
    #[must_use]
    pub fn journal_error(&self) -> Option<String> {
        let live = self.live.get()?;
        live.journal.error().map(str::to_owned)
    }

    /// An order that was submitted through this handle.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<OrderView> {
        let live = self.live.get()?;
        let mut manager = locked(&live.manager);
        while manager.port_mut().poll_report().is_some() {}
        manager.port().order(order_id)
    }

    /// Hands out a port for an algorithm on a thread of your own.
    ///
    /// # Errors
    /// [`EngineError::NoPort`] when all are taken, [`EngineError::Phase`] before [`initialize`](Self::initialize).
    pub fn open_port(&self) -> Result<ExecutionManager, EngineError> {
        match &mut *locked(&self.stage) {
            Stage::Wired(wired) => {
                let ports = wired.roster.ports;
                let parts = wired.spare_ports.pop();
                let parts = parts.ok_or(EngineError::NoPort { ports })?;
                Ok(wiring::manager(parts, &wired.recovered))
            }
            _ => Err(self.wrong_phase("open_port")),
        }
    }

    /// Calls `handler` for every event from now on, on the DELIVERY thread.
    ///
    /// # Errors
    /// [`EngineError::Phase`] after [`shutdown`](Self::shutdown).
    pub fn add_event_handler(
        &self,
        handler: impl FnMut(&EngineEvent) + Send + 'static,
    ) -> Result<(), EngineError> {
        if matches!(*locked(&self.stage), Stage::Over) {
            return Err(self.wrong_phase("add_event_handler"));
        }
        self.bus.add_handler(Box::new(handler));
        Ok(())
    }

    /// A channel of `capacity` events, to be read on a thread of your own.
    #[must_use]
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        self.bus.subscribe(capacity)
    }

    /// Everything that the engine knows of itself.
    ///
    /// # Errors
    /// [`EngineError::Phase`] before [`initialize`](Self::initialize) and after [`shutdown`](Self::shutdown).
    pub fn get_comprehensive_status(&self) -> Result<ComprehensiveStatus, EngineError> {
        match (&*locked(&self.stage), self.live.get()) {
            (Stage::Wired(wired), Some(live)) => Ok(ComprehensiveStatus::read(
                wired,
                &self.config,
                live.started.elapsed(),
            )),
            _ => Err(self.wrong_phase("get_comprehensive_status")),
        }
    }

    /// The session's figures; all zero before [`initialize`](Self::initialize).
    #[must_use]
    pub fn session_metrics(&self) -> SessionMetrics {
        self.live
            .get()
            .map(|live| live.cold.metrics())
            .unwrap_or_default()
    }

    /// A few figures for a line of progress.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let metrics = self.session_metrics();
        Progress {
            orders: metrics.orders.submitted,
            fills: metrics.total_fills,
            open_orders: metrics.orders.open,
            pnl: metrics.realized_pnl + metrics.unrealized_pnl - metrics.total_fees,
            internal_p99_ns: metrics.latency_internal_p99_ns,
        }
    }

    /// One broker's share of the engine.
    #[must_use]
    pub fn trading_system(&self, broker: &str) -> Option<TradingSystem> {
        let live = self.live.get()?;
        let info = live
            .shared
            .brokers
            .iter()
            .find(|info| info.name == broker)?
            .clone();
        Some(TradingSystem::new(
            info,
            std::sync::Arc::clone(&live.shared),
            live.cold.clone(),
        ))
    }

    /// Every broker's share.
    #[must_use]
    pub fn trading_systems(&self) -> Vec<TradingSystem> {
        let names: Vec<String> = self
            .brokers()
            .iter()
            .map(|broker| broker.name.clone())
            .collect();
        names
            .iter()
            .filter_map(|name| self.trading_system(name))
            .collect()
    }

    /// The brokers.
    #[must_use]
    pub fn brokers(&self) -> &[BrokerInfo] {
        self.live
            .get()
            .map_or(&[], |live| live.shared.brokers.as_slice())
    }

    /// The number of a broker.
    #[must_use]
    pub fn broker(&self, name: &str) -> Option<BrokerId> {
        self.brokers()
            .iter()
            .find(|broker| broker.name == name)
            .map(|broker| broker.id)
    }

    /// The row of a symbol.
    #[must_use]
    pub fn instrument(&self, symbol: &str) -> Option<InstrumentId> {
        self.live.get()?.shared.instruments.find(symbol)
    }

    /// How far the engine is.
    #[must_use]
    pub fn phase(&self) -> EnginePhase {
        self.live
            .get()
            .map_or(EnginePhase::Created, |live| live.shared.phase())
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What a user should read at the start: layout, state, what was recovered.
    #[must_use]
    pub fn banner(&self) -> String {
        match &*locked(&self.stage) {
            Stage::Wired(wired) => session::banner(wired, &self.config),
            _ => String::new(),
        }
    }

    fn with_manager<R>(
        &self,
        call: impl FnOnce(&mut ExecutionManager) -> Result<R, SubmitError>,
    ) -> Result<R, SubmitError> {
        let live = self.live.get().ok_or(SubmitError::NotStarted)?;
        let mut manager: MutexGuard<'_, ExecutionManager> = locked(&live.manager);
        // A caller that sends fast must not wait for COLD to take the reports: the port would count as lagged.
        while manager.port_mut().poll_report().is_some() {}
        call(&mut manager)
    }

    /// An operator has dealt with the fault of an earlier run: the next start need not come up halted.
    fn forget_fault(&self) {
        if let Stage::Wired(wired) = &*locked(&self.stage)
            && wired.boot.halted.is_some()
            && let Err(error) = wired.boot.state.clear_halt()
        {
            tracing::error!(%error, "the next start comes up halted again");
        }
    }

    /// In the invoker layout nobody else moves the order along.
    fn step_invoker(&self) {
        if self.live.get().is_some_and(|live| live.is_invoker)
            && let Stage::Wired(wired) = &mut *locked(&self.stage)
        {
            // A fault shows in the next run_for; the order's view stays as it is.
            let _ = wired.machine.settle();
        }
    }

    fn wrong_phase(&self, call: &'static str) -> EngineError {
        EngineError::Phase {
            call,
            phase: self.phase().as_str(),
        }
    }
}

/// An engine that was never shut down ends without a report; its threads are gone before its files are.
impl Drop for ExecutionEngine {
    fn drop(&mut self) {
        let stage = self.stage.get_mut();
        let stage = stage.unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Stage::Wired(wired) = stage {
            session::abandon(wired);
        }
    }
}

/// What a view says of an order's first answer; `None` while there is none.
fn outcome(view: &OrderView) -> Option<SubmitOutcome> {
    let id = view.order_id;
    match (view.status, view.last_event) {
        (OrderStatus::Held, _) => Some(SubmitOutcome::Held(id)),
        (OrderStatus::InDoubt, _) => Some(SubmitOutcome::InDoubt(id)),
        (_, Some(OrderEvent::Refused(refusal))) => {
            Some(SubmitOutcome::Refused(id, RefusalReason::Engine(refusal)))
        }
        (_, Some(OrderEvent::Rejected(reason) | OrderEvent::NotSent(reason))) => {
            Some(SubmitOutcome::Refused(id, RefusalReason::Broker(reason)))
        }
        (OrderStatus::Absent, _) => Some(SubmitOutcome::Refused(
            id,
            RefusalReason::Broker(BrokerReject::UnknownOrder),
        )),
        _ if view.acknowledged => Some(SubmitOutcome::Accepted(id)),
        _ => None,
    }
}
