//! What RISK keeps of a working order: what it may still trade, at what price, and whether that needs money.
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

/// See the module. `order.quantity` and `order.order_type` are the terms in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct RiskOrder {
    pub(super) order: Order,
    pub(super) risk_price: Price,
    pub(super) filled: Quantity,
    /// The terms of a replace under way; meaningful while `is_changing`.
    new_quantity: Quantity,
    new_risk_price: Price,
    new_type: OrderType,
    pub(super) strategy: StrategyId,
    pub(super) broker: BrokerId,
    pub(super) is_changing: bool,
    /// Sent as a limit order although a market order was asked for.
    pub(super) is_collared: bool,
    needs_power: bool,
    new_needs_power: bool,
}

impl Default for RiskOrder {
    fn default() -> Self {
        let blank = Order::market(InstrumentId(0), Side::Buy, Quantity::ZERO);
        Self::new(blank, Price::ZERO, StrategyId(0), BrokerId(0), false)
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
    pub(super) const fn new(
        order: Order,
        risk_price: Price,
        strategy: StrategyId,
        broker: BrokerId,
        needs_power: bool,
    ) -> Self {
        Self {
            order,
            risk_price,
            filled: Quantity::ZERO,
            new_quantity: Quantity::ZERO,
            new_risk_price: Price::ZERO,
            new_type: OrderType::Market,
            strategy,
            broker,
            is_changing: false,
            is_collared: false,
            needs_power,
            new_needs_power: false,
        }
    }

    /// The terms in force.
    pub(super) const fn terms(&self) -> Terms {
        Terms {
            quantity: self.order.quantity,
            order_type: self.order.order_type,
            risk_price: self.risk_price,
            needs_power: self.needs_power,
        }
    }

    /// What it holds: of two sets of terms the larger quantity, the larger price, and money if either needs it.
    #[inline(always)]
    pub(super) fn claim(&self) -> Claim {
        if !self.is_changing {
            return claim_of(
                self.order.quantity,
                self.filled,
                self.risk_price,
                self.needs_power,
            );
        }
        claim_of(
            self.order.quantity.max(self.new_quantity),
            self.filled,
            self.risk_price.max(self.new_risk_price),
            self.needs_power || self.new_needs_power,
        )
    }

    /// The same order with a replace to `terms` under way.
    pub(super) const fn changing_to(mut self, terms: &Terms) -> Self {
        self.is_changing = true;
        self.new_quantity = terms.quantity;
        self.new_type = terms.order_type;
        self.new_risk_price = terms.risk_price;
        self.new_needs_power = terms.needs_power;
        self
    }

    /// The same order after the replace's outcome.
    pub(super) const fn changed(mut self, accepted: bool) -> Self {
        if self.is_changing && accepted {
            self.order.quantity = self.new_quantity;
            self.order.order_type = self.new_type;
            self.risk_price = self.new_risk_price;
            self.needs_power = self.new_needs_power;
        }
        self.is_changing = false;
        self
    }
}

#[inline(always)]
fn claim_of(total: Quantity, filled: Quantity, price: Price, needs_power: bool) -> Claim {
    let remaining = total.saturating_sub_to_zero(filled);
    Claim {
        remaining: remaining.units(),
        hold: if needs_power {
            price.notional(remaining)
        } else {
            Money::ZERO
        },
    }
}

const _: () = assert!(size_of::<RiskOrder>() <= 128, "two cache lines an order");
