//! The RISK agent: every order passes its controls before anything else sees it.
//!
//! Runs on: the RISK agent's thread; [`RiskGate`] alone is usable by tests and benches.
//! Owns: limits, worst-case exposure, throttles, breakers, trading states and their latches.
//! Never: lets a missing price, account or instrument pass an order that could add risk; blocks a
//! cancel.
//!
//! The order of evaluation: id, kill word and trading state, shape, instrument, route, list, hours,
//! tick and lot, order limits (controls 1 and 2), collar (3), quote (16), duplicates (13), rates
//! (10), open orders (20), short sales (19), worst-case position (4), buying power (6), and only
//! then the reservation. Everything before the reservation changes nothing but the port's last id,
//! which is spent by being seen.
//!
//! An order that provably reduces (`|position|` shrinks whatever fills) is exempt from limits,
//! collar, quotes, duplicates and rates while its scope is ACTIVE or REDUCING; id, kill word,
//! halts, shape, known instrument, hours, tick, lot and a link that is up hold for it too.

mod agent;
mod breakers;
mod collar;
mod control;
mod controls;
mod duplicates;
mod equity;
mod exposure;
mod gate;
mod limits;
mod orders;
mod readings;
mod replace;
mod session;
mod state;
mod status;
mod throttle;

pub use agent::{RiskAgent, RiskRings};
pub use gate::RiskGate;
pub use limits::{Access, InstrumentRule, RateLimit, RiskSettings, StrategyLimits};
pub use readings::ExposureReading;
pub use status::{RiskStatus, RiskStatusReading};
