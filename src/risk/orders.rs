//! What RISK keeps of a working order: what it may still trade, at what price, and whether that
//! needs money.
//!
//! Runs on: the RISK agent.
//! Owns: the larger of old and new terms while a replace is under way.
//! Never: forgets a remainder before the order is known to be done.

use crate::types::{
    BrokerId, InstrumentId, Money, Order, OrderType, Price, Quantity, Side, StrategyId,
};

/// Terms that a replace would change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Terms {
    /// Total, what has filled included.
    pub(super) quantity: Quantity,
    pub(super) order_type: OrderType,
    /// The price that exposure is reserved at.
    pub(super) risk_price: Price,
    /// Whether the remainder needs buying power: not when it provably reduced on approval.
    pub(super) needs_power: bool,
}

impl Terms {
    /// No terms: what the table of changes begins with.
    pub(super) const NONE: Self = Self {
        quantity: Quantity::ZERO,
        order_type: OrderType::Market,
        risk_price: Price::ZERO,
        needs_power: false,
    };
}

/// See the module. One cache line; the terms of a replace under way lie in a table beside.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
pub(super) struct RiskOrder {
    /// With the quantity and the type in force.
    pub(super) order: Order,
    pub(super) risk_price: Price,
    pub(super) filled: Quantity,
    pub(super) strategy: StrategyId,
    pub(super) broker: BrokerId,
    pub(super) needs_power: bool,
    /// A replace is under way.
    pub(super) is_changing: bool,
    /// Sent as a limit order although a market order was asked for.
    pub(super) is_collared: bool,
}

impl Default for RiskOrder {
    fn default() -> Self {
        Self {
            order: Order::market(InstrumentId(0), Side::Buy, Quantity::ZERO),
            risk_price: Price::ZERO,
            filled: Quantity::ZERO,
            strategy: StrategyId(0),
            broker: BrokerId(0),
            needs_power: false,
            is_changing: false,
            is_collared: false,
        }
    }
}

/// What an order holds of its broker's and symbol's limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Claim {
    /// Quantity that may still trade, in 10^-9.
    pub(super) remaining: i64,
    /// Buying power for it.
    pub(super) hold: Money,
}

impl RiskOrder {
    /// What it holds: of two sets of terms the larger quantity, the larger price, and money if
    /// either needs it. `change` counts while a replace is under way only.
    #[inline(always)]
    pub(super) fn claim(&self, change: &Terms) -> Claim {
        let (mut total, mut price) = (self.order.quantity, self.risk_price);
        let mut needs_power = self.needs_power;
        if self.is_changing {
            total = total.max(change.quantity);
            price = price.max(change.risk_price);
            needs_power |= change.needs_power;
        }
        let remaining = total.saturating_sub_to_zero(self.filled);
        Claim {
            remaining: remaining.units(),
            hold: if needs_power {
                price.notional(remaining)
            } else {
                Money::ZERO
            },
        }
    }

    /// Takes new terms in the place of those in force.
    pub(super) const fn adopt(&mut self, terms: &Terms) {
        self.order.quantity = terms.quantity;
        self.order.order_type = terms.order_type;
        self.risk_price = terms.risk_price;
        self.needs_power = terms.needs_power;
    }
}

const _: () = assert!(size_of::<RiskOrder>() == 64, "one cache line an order");
