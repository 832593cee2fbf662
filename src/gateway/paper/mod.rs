//! The paper broker: the simulated exchange behind the gateway's contract.
//!
//! Runs on: GATEWAY.
//! Owns: the wiring of one paper broker from its settings and rings.
//! Never: reads configuration, or touches the network.

mod session;

use std::sync::{Arc, OnceLock};

pub use session::PaperSession;

use super::agent::{GatewayAgent, GatewayRings};
use crate::ring::Consumer;
use crate::runtime::Clock;
use crate::sim::{ExchangeSettings, Latency};
use crate::types::{
    AccountStatement, InstrumentTable, KillWord, MarketUpdate, RecoveredState, SessionSchedule,
};

/// Settings of one paper broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PaperSettings {
    /// The exchange: broker, account, fees, delay of reports, switches, seed, epoch and capacities.
    pub exchange: ExchangeSettings,
    /// How long a command is on its way in.
    pub order_latency: Latency,
    /// Commands that may be on their way in at once; used only when they take a while.
    pub command_queue: usize,
}

impl Default for PaperSettings {
    fn default() -> Self {
        Self {
            exchange: ExchangeSettings::default(),
            order_latency: Latency::default(),
            command_queue: 4_096,
        }
    }
}

/// What a paper broker is wired from.
#[derive(Debug)]
pub struct PaperParts<'a> {
    /// Its settings.
    pub settings: PaperSettings,
    /// To and from ORDER.
    pub rings: GatewayRings,
    /// Every quote and trade of its source, lossless.
    pub market: Consumer<MarketUpdate>,
    /// For stage stamps.
    pub clock: Clock,
    /// The kill word of the engine.
    pub kill: Arc<KillWord>,
    /// Trading sessions.
    pub schedule: SessionSchedule,
    /// What it trades.
    pub instruments: &'a InstrumentTable,
    /// What the journal says of it.
    pub recovered: &'a RecoveredState,
    /// Where its own books go when it closes.
    pub statement: Arc<OnceLock<AccountStatement>>,
}

/// A gateway to a paper broker. Everything that it will ever need is allocated here; the recovered state is taken up
/// when the agent starts, at the instant that it is started with.
///
/// # Panics
/// As [`Exchange::new`](crate::sim::Exchange::new): settings out of range.
#[must_use]
pub fn gateway(parts: PaperParts<'_>) -> GatewayAgent<PaperSession> {
    let broker = parts.settings.exchange.broker;
    let session = PaperSession::new(
        parts.settings,
        parts.market,
        parts.schedule,
        parts.instruments,
        parts.recovered.clone(),
        parts.statement,
        parts.clock.now(),
    );
    GatewayAgent::new(broker, parts.rings, parts.clock, parts.kill, session)
}
