//! What an algorithm wants, before it is an order.
//!
//! Runs on: the algorithm's thread.
//! Owns: the ways to say how much.
//! Never: holds a price that the sizing took; the engine's `ExecutionManager` does that.

use super::{BrokerId, InstrumentId, Money, OrderType, Quantity, Ratio, Side, TimeInForce};

/// How much to trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sizing {
    /// This many shares.
    Quantity(Quantity),
    /// As many whole lots as this amount buys at the reference price.
    Notional(Money),
    /// As many whole lots as this fraction of equity buys at the reference price.
    PercentOfEquity(Ratio),
    /// Whatever brings the position, open orders included, to this signed size; the signal's side is not used.
    TargetPosition(Quantity),
}

/// A wish to trade, turned into an order by `ExecutionManager::process_signal`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal {
    /// What.
    pub instrument: InstrumentId,
    /// Buy or sell; a target position decides by itself.
    pub side: Side,
    /// How much.
    pub sizing: Sizing,
    /// At what price.
    pub order_type: OrderType,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// Where, if it matters.
    pub preferred_broker: Option<BrokerId>,
}

impl Signal {
    /// A market order for the day, sized by `sizing`.
    #[must_use]
    pub const fn market(instrument: InstrumentId, side: Side, sizing: Sizing) -> Self {
        Self {
            instrument,
            side,
            sizing,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Day,
            preferred_broker: None,
        }
    }
}
