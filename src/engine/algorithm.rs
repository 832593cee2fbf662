//! Trading algorithms: the trait, its context, and the agent that runs one.
//!
//! Runs on: each algorithm on a thread of its own (`shrike-algo-N`); in the `invoker` layout on the caller's.
//! Owns: the callbacks' order (own reports, timers, market), timers, and the fence around an algorithm's panic.
//! Never: lets a panic or a slow callback of one algorithm reach another or a hot thread.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::execution_manager::{ExecutionManager, SignalError};
use super::port::{OrderView, SubmitError};
use super::shared::{AccountView, EngineShared};
use crate::config::Parameters;
use crate::ring::{Consumer, MarketSnapshot};
use crate::runtime::Agent;
use crate::types::{
    BrokerId, InstrumentId, InstrumentTable, KillScope, MarketUpdate, Nanos, Order, OrderId,
    OrderReport, Position, QuoteUpdate, ReplaceRequest, SessionPhase, SessionSchedule, Signal,
    TradeUpdate,
};

/// A trading algorithm.
///
/// Every callback runs on the algorithm's own thread (in the `invoker` layout: on the thread that polls the engine),
/// one at a time, and gets a [`Context`]. Own reports come first, then timers, then market data. Market data may be
/// dropped when a callback is slow (counted; the context's [`market`](Context::market) always has the latest); own
/// reports are not.
pub trait Algorithm: Send {
    /// Called once before the first callback.
    fn on_start(&mut self, _context: &mut Context<'_>) {}
    /// A quote row of one of the algorithm's symbols.
    fn on_quote(&mut self, _context: &mut Context<'_>, _quote: &QuoteUpdate) {}
    /// A trade of one of the algorithm's symbols.
    fn on_trade(&mut self, _context: &mut Context<'_>, _trade: &TradeUpdate) {}
    /// Something happened to an own order; the context shows the state after it.
    fn on_event(&mut self, _context: &mut Context<'_>, _report: &OrderReport) {}
    /// A timer set by [`Context::set_timer`] is due.
    fn on_timer(&mut self, _context: &mut Context<'_>, _timer: TimerId) {}
    /// Called once after the last callback; orders submitted here are refused.
    fn on_stop(&mut self, _context: &mut Context<'_>) {}
}

/// Names a timer of one algorithm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerId(u64);

/// What an algorithm is made with.
#[derive(Debug, Clone)]
pub struct AlgorithmParameters {
    /// The instance's name in the configuration.
    pub name: String,
    /// The instruments that it gets market data of.
    pub symbols: Vec<InstrumentId>,
    /// Its own parameters.
    pub values: Parameters,
    /// Where its orders should go.
    pub preferred_broker: Option<BrokerId>,
}

/// Why an algorithm could not be made; its text is shown beside the algorithm's name.
pub type FactoryError = Box<dyn std::error::Error + Send + Sync>;

/// Makes an algorithm.
pub type AlgorithmFactory =
    Arc<dyn Fn(&AlgorithmParameters) -> Result<Box<dyn Algorithm>, FactoryError> + Send + Sync>;

/// Algorithms by the name that a configuration calls them.
#[derive(Clone, Default)]
pub struct AlgorithmRegistry {
    factories: BTreeMap<String, AlgorithmFactory>,
}

impl AlgorithmRegistry {
    /// Nothing but what is added.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The built-in algorithms (`demo`).
    #[must_use]
    pub fn builtin() -> Self {
        Self::empty().with("demo", |parameters| {
            super::demo::Demo::new(parameters).map(|demo| Box::new(demo) as Box<dyn Algorithm>)
        })
    }

    /// With one more; a later one of the same name takes its place.
    #[must_use]
    pub fn with<F>(mut self, name: &str, factory: F) -> Self
    where
        F: Fn(&AlgorithmParameters) -> Result<Box<dyn Algorithm>, FactoryError>
            + Send
            + Sync
            + 'static,
    {
        self.factories.insert(name.to_owned(), Arc::new(factory));
        self
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.factories.keys().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<&AlgorithmFactory> {
        self.factories.get(name)
    }
}

#[derive(Debug, Default)]
struct Timers {
    due: BTreeMap<(Nanos, TimerId), ()>,
    last: u64,
}

/// What an algorithm sees and can do. Nothing here blocks.
pub struct Context<'a> {
    manager: &'a mut ExecutionManager,
    timers: &'a mut Timers,
    schedule: &'a mut SessionSchedule,
    parameters: &'a AlgorithmParameters,
    now: Nanos,
}

impl Context<'_> {
    /// The engine's time; in a replay the market's.
    #[must_use]
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// What the algorithm was configured with.
    #[must_use]
    pub const fn parameters(&self) -> &AlgorithmParameters {
        self.parameters
    }

    /// Every instrument of the engine.
    #[must_use]
    pub fn instruments(&self) -> &InstrumentTable {
        &self.manager.port().shared().instruments
    }

    /// The row of a symbol.
    #[must_use]
    pub fn instrument(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments().find(symbol)
    }

    /// The latest quote and trade of an instrument.
    #[must_use]
    pub fn market(&self, instrument: InstrumentId) -> MarketSnapshot {
        self.manager.port().board().read(instrument)
    }

    /// Which part of the trading day it is.
    pub fn session_phase(&mut self) -> SessionPhase {
        self.schedule.phase(self.now)
    }

    /// The algorithm's own position.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.manager.port().position(instrument)
    }

    /// The accounts taken together, as RISK last published them.
    #[must_use]
    pub fn account(&self) -> AccountView {
        self.manager.port().shared().account()
    }

    /// An own order by id, finished ones for a while included.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<OrderView> {
        self.manager.port().order(order_id)
    }

    /// Own working orders, those just sent included.
    pub fn open_orders(&self) -> impl Iterator<Item = OrderView> + '_ {
        self.manager.port().open_orders()
    }

    /// Sends an order to the algorithm's configured broker, or as the routing says.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn submit(&mut self, order: Order) -> Result<OrderId, SubmitError> {
        self.manager
            .port_mut()
            .submit(order, self.parameters.preferred_broker)
    }

    /// Asks to cancel an own working order.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn cancel(&mut self, order_id: OrderId) -> Result<(), SubmitError> {
        self.manager.port_mut().cancel(order_id)
    }

    /// Asks to cancel all own working orders, or those of one instrument.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn cancel_all(&mut self, instrument: Option<InstrumentId>) -> Result<(), SubmitError> {
        self.manager.port_mut().cancel_all(instrument)
    }

    /// Asks to change an own working order.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn replace(&mut self, request: ReplaceRequest) -> Result<(), SubmitError> {
        self.manager.port_mut().replace(request)
    }

    /// Sizes a signal into an order and sends it.
    ///
    /// # Errors
    /// [`SignalError`]; nothing was sent then.
    pub fn process_signal(&mut self, mut signal: Signal) -> Result<OrderId, SignalError> {
        signal.preferred_broker = signal.preferred_broker.or(self.parameters.preferred_broker);
        self.manager.process_signal(signal)
    }

    /// Asks for an [`Algorithm::on_timer`] in `after_ns` nanoseconds of the engine's time.
    pub fn set_timer(&mut self, after_ns: u64) -> TimerId {
        self.timers.last += 1;
        let timer = TimerId(self.timers.last);
        self.timers.due.insert((self.now.plus(after_ns), timer), ());
        timer
    }

    /// Takes a timer back.
    pub fn cancel_timer(&mut self, timer: TimerId) {
        self.timers.due.retain(|(_, known), ()| *known != timer);
    }
}

/// Items of each kind that one poll delivers.
const REPORTS_PER_POLL: usize = 64;
const UPDATES_PER_POLL: usize = 256;

/// The agent that runs one algorithm.
pub(super) struct AlgorithmAgent {
    algorithm: Box<dyn Algorithm>,
    parameters: AlgorithmParameters,
    manager: ExecutionManager,
    market: Consumer<MarketUpdate>,
    timers: Timers,
    schedule: SessionSchedule,
    shared: Arc<EngineShared>,
    faulted: bool,
}

impl AlgorithmAgent {
    pub fn new(
        algorithm: Box<dyn Algorithm>,
        parameters: AlgorithmParameters,
        manager: ExecutionManager,
        market: Consumer<MarketUpdate>,
        schedule: SessionSchedule,
    ) -> Self {
        let shared = Arc::clone(manager.port().shared());
        Self {
            algorithm,
            parameters,
            manager,
            market,
            timers: Timers::default(),
            schedule,
            shared,
            faulted: false,
        }
    }

    /// Runs user code behind a fence: a panic halts this strategy, cancels its orders, and nothing else.
    fn fenced(
        &mut self,
        now: Nanos,
        work: impl FnOnce(&mut dyn Algorithm, &mut Context<'_>) -> usize,
    ) -> usize {
        let mut context = Context {
            manager: &mut self.manager,
            timers: &mut self.timers,
            schedule: &mut self.schedule,
            parameters: &self.parameters,
            now,
        };
        let algorithm = self.algorithm.as_mut();
        match catch_unwind(AssertUnwindSafe(|| work(algorithm, &mut context))) {
            Ok(done) => done,
            Err(panic) => {
                self.faulted = true;
                let strategy = self.manager.port().strategy();
                self.shared.kill.set(KillScope::Strategy(strategy));
                // A full ring leaves the orders to the operator; the strategy is halted either way.
                let _ = self.manager.port_mut().cancel_all(None);
                self.shared.record_algorithm_fault(
                    &self.parameters.name,
                    strategy,
                    now,
                    panic.as_ref(),
                );
                // The payload is the user's too: dropping it could panic out of the fence.
                std::mem::forget(panic);
                1
            }
        }
    }

    fn deliver_reports(&mut self, now: Nanos) -> usize {
        let waiting = self
            .manager
            .port_mut()
            .reports_waiting()
            .min(REPORTS_PER_POLL);
        let mut done = 0;
        for _ in 0..waiting {
            let Some(report) = self.manager.port_mut().poll_report() else {
                break;
            };
            done += 1;
            if !self.faulted {
                self.fenced(now, |algorithm, context| {
                    algorithm.on_event(context, &report);
                    1
                });
            }
        }
        done
    }

    fn fire_timers(&mut self, now: Nanos) -> usize {
        let mut done = 0;
        while let Some((&(due, timer), ())) = self.timers.due.first_key_value() {
            if due > now || self.faulted {
                break;
            }
            self.timers.due.remove(&(due, timer));
            done += self.fenced(now, |algorithm, context| {
                algorithm.on_timer(context, timer);
                1
            });
        }
        done
    }

    fn deliver_market(&mut self, now: Nanos) -> usize {
        let waiting = self.market.available().min(UPDATES_PER_POLL);
        let mut done = 0;
        for _ in 0..waiting {
            let Some(update) = self.market.pop() else {
                break;
            };
            done += 1;
            if !self.faulted {
                self.fenced(now, |algorithm, context| {
                    match &update {
                        MarketUpdate::Quote(quote) => algorithm.on_quote(context, quote),
                        MarketUpdate::Trade(trade) => algorithm.on_trade(context, trade),
                    }
                    1
                });
            }
        }
        done
    }
}

impl Agent for AlgorithmAgent {
    fn name(&self) -> &'static str {
        "algorithm"
    }

    fn on_start(&mut self, now: Nanos) {
        self.fenced(now, |algorithm, context| {
            algorithm.on_start(context);
            1
        });
    }

    fn poll(&mut self, now: Nanos) -> usize {
        self.deliver_reports(now) + self.fire_timers(now) + self.deliver_market(now)
    }

    fn next_deadline(&self) -> Option<Nanos> {
        if self.faulted {
            return None;
        }
        self.timers.due.first_key_value().map(|(&(due, _), ())| due)
    }

    fn on_close(&mut self, now: Nanos) {
        self.deliver_reports(now);
        if !self.faulted {
            self.fenced(now, |algorithm, context| {
                algorithm.on_stop(context);
                1
            });
        }
    }
}
