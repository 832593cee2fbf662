//! A broker's account as risk and the portfolio see it.
//!
//! Runs on: any thread.
//! Owns: the snapshot's meaning.
//! Never: counts open orders into cash.

use super::{BrokerId, InstrumentId, Money, Nanos, OrderId, Quantity, Ratio};

/// What a purchase may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum AccountKind {
    /// Cash at hand; no short sales.
    Cash = 0,
    /// A multiple of equity.
    #[default]
    Margin = 1,
}

/// An account at an instant. Cash follows fills and fees from there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountSnapshot {
    /// Where.
    pub broker: BrokerId,
    /// Cash or margin.
    pub kind: AccountKind,
    /// Cash, negative when borrowed.
    pub cash: Money,
    /// Gross position value allowed as a multiple of equity (margin accounts; Regulation T: 2).
    pub multiplier: Ratio,
    /// When.
    pub at: Nanos,
}

/// What a broker itself holds at an instant, for reconciliation. Made on cold paths only: it allocates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountStatement {
    /// Where.
    pub broker: BrokerId,
    /// Cash by the broker's books.
    pub cash: Money,
    /// Positions that are not flat, by instrument.
    pub positions: Vec<(InstrumentId, Quantity)>,
    /// Working orders, by id.
    pub open_orders: Vec<OrderId>,
}
