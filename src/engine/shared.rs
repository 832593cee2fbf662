//! What every port and handle of one engine shares.
//!
//! Runs on: any thread.
//! Owns: the engine's phase, its read-only tables, and the list of faults.
//! Never: is locked on an order's way: the phase is one atomic load, the tables do not change.

use std::any::Any;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use super::port::SubmitError;
use crate::order::PortHealth;
use crate::risk::RiskStatus;
use crate::runtime::{Fault, FaultBoard, WakeHandle, panic_message};
use crate::types::{
    BrokerId, InstrumentTable, KillScope, KillWord, Money, Nanos, StrategyId, TradingState,
};

/// How far an engine is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum EnginePhase {
    /// Built; nothing opened.
    Created = 0,
    /// State recovered, agents running, links coming up; orders are refused.
    Initialized = 1,
    /// Orders are taken.
    Trading = 2,
    /// No new orders; what is on its way is drained.
    ShuttingDown = 3,
    /// Over.
    Stopped = 4,
}

impl EnginePhase {
    /// The name in status output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Initialized => "initialized",
            Self::Trading => "trading",
            Self::ShuttingDown => "shutting_down",
            Self::Stopped => "stopped",
        }
    }

    const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Created,
            1 => Self::Initialized,
            2 => Self::Trading,
            3 => Self::ShuttingDown,
            _ => Self::Stopped,
        }
    }
}

/// A broker instance of this engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerInfo {
    /// Its number.
    pub id: BrokerId,
    /// Its name in the configuration.
    pub name: String,
    /// What it is.
    pub kind: String,
}

/// All accounts taken together, as RISK last published them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountView {
    /// Cash plus positions at adverse marks; `None` until every account is known.
    pub equity: Option<Money>,
    /// Baseline of the daily loss limit.
    pub start_of_day_equity: Option<Money>,
    /// Baseline of the drawdown limit.
    pub high_water_mark: Option<Money>,
    /// The firm's trading state.
    pub trading_state: TradingState,
}

/// See the module.
pub(super) struct EngineShared {
    pub instruments: Arc<InstrumentTable>,
    pub brokers: Vec<BrokerInfo>,
    pub kill: Arc<KillWord>,
    pub port_health: Arc<PortHealth>,
    pub risk: Arc<RiskStatus>,
    phase: AtomicU8,
    wakes: OnceLock<Vec<WakeHandle>>,
    faults: Arc<FaultBoard>,
}

impl EngineShared {
    pub fn new(
        instruments: Arc<InstrumentTable>,
        brokers: Vec<BrokerInfo>,
        kill: Arc<KillWord>,
        port_health: Arc<PortHealth>,
        risk: Arc<RiskStatus>,
        faults: Arc<FaultBoard>,
    ) -> Self {
        Self {
            instruments,
            brokers,
            kill,
            port_health,
            risk,
            phase: AtomicU8::new(EnginePhase::Created as u8),
            wakes: OnceLock::new(),
            faults,
        }
    }

    /// Whom ports wake: hot threads that may park. Set once, before trading starts.
    pub fn set_wakes(&self, wakes: Vec<WakeHandle>) {
        let _ = self.wakes.set(wakes);
    }

    /// Wakes hot threads that are parked; one load where none ever parks.
    pub fn wake_hot(&self) {
        for wake in self.wakes.get().into_iter().flatten() {
            wake.wake();
        }
    }

    pub fn phase(&self) -> EnginePhase {
        EnginePhase::from_u8(self.phase.load(Ordering::Acquire))
    }

    pub fn set_phase(&self, phase: EnginePhase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    pub fn check_accepting(&self) -> Result<(), SubmitError> {
        match self.phase() {
            EnginePhase::Trading => Ok(()),
            EnginePhase::Created | EnginePhase::Initialized => Err(SubmitError::NotStarted),
            EnginePhase::ShuttingDown | EnginePhase::Stopped => Err(SubmitError::ShuttingDown),
        }
    }

    pub fn account(&self) -> AccountView {
        let reading = self.risk.read();
        AccountView {
            equity: reading.equity,
            start_of_day_equity: reading.start_of_day.map(|(_, equity)| equity),
            high_water_mark: reading.high_water_mark,
            trading_state: reading.trading_state,
        }
    }

    pub fn equity(&self) -> Option<Money> {
        self.risk.read().equity
    }

    /// Writes down that an algorithm panicked; its strategy's kill bit is set already.
    pub fn record_algorithm_fault(
        &self,
        algorithm: &str,
        strategy: StrategyId,
        now: Nanos,
        panic: &(dyn Any + Send),
    ) {
        let message = format!("{algorithm}: {}", panic_message(panic));
        tracing::error!(message, "an algorithm panicked: its strategy is halted");
        self.faults.record(Fault {
            thread: std::thread::current().name().unwrap_or("caller").to_owned(),
            agent: "algorithm",
            scope: KillScope::Strategy(strategy),
            time: now,
            message,
        });
    }
}
