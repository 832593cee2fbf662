//! What the engine tells its user.
//!
//! Runs on: made on COLD; read by handlers on DELIVERY and by subscribers on their own threads.
//! Owns: the shape of an event and its number.
//! Never: borrows from the engine: an event may be kept.

use super::positions::PositionEvent;
use crate::types::{
    AccountSnapshot, BrokerId, Fill, InstrumentId, Nanos, OrderId, OrderReport, OrderStatus,
    RiskRecord, Side,
};

/// Why events are missing before this point.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GapCause {
    /// The ring from ORDER was full. What matters of the lost events follows, marked as replayed:
    /// every missed fill, and each order that changed, once, as it stands.
    EventRing,
    /// The handlers fell behind and the queue to them was full. The lost events do not come again:
    /// read the engine's status to catch up.
    DeliveryQueue,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// Something happened to an order.
    Order(OrderReport),
    /// A fill moved a position.
    Position(PositionEvent),
    /// Something happened to trading states, latches or baselines.
    Risk(RiskRecord),
    /// A broker's link came up or went down.
    Link {
        /// Which broker.
        broker: BrokerId,
        /// Whether orders may go there.
        up: bool,
    },
    /// A broker's account.
    Account(AccountSnapshot),
    /// A report that does not fit its order's life cycle.
    Anomaly {
        /// Which order.
        order_id: OrderId,
        /// Its state.
        status: OrderStatus,
        /// What was said of it, by number of the report's kind.
        report: u8,
    },
    /// A fill of an order that this engine does not know.
    ForeignFill {
        /// Where.
        broker: BrokerId,
        /// What.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// The fill.
        fill: Fill,
    },
    /// Events are missing before this one.
    Gap {
        /// How many, as far as that can be counted.
        missed: u64,
        /// Where they were lost.
        cause: GapCause,
    },
}

/// An event, numbered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineEvent {
    /// Grows by one with each event of a session, from 1. A reader that sees a number left out
    /// missed that event.
    pub sequence: u64,
    /// When, by the engine's clock.
    pub at: Nanos,
    /// Told from the journal after a gap, so it may have been told before.
    pub replayed: bool,
    /// What.
    pub kind: EventKind,
}
