//! One position: quantity, exact cost, realised profit and fees.
//!
//! Runs on: the cold side, recovery, the simulated account and ports: one arithmetic for all.
//! Owns: average cost. Cost is kept as an exact sum; a partial close takes its share rounded half-even to 10^-18
//! and leaves the remainder in the position, so that realised and unrealised always add up to the cash that moved.
//! Never: stores an average price; it is derived when somebody asks.

use super::decimal::div_half_even;
use super::{Money, Price, Quantity, Side};

/// What a fill did to a position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PositionChange {
    /// From flat.
    Opened,
    /// Further from flat.
    Increased,
    /// Nearer to flat.
    Reduced,
    /// Through flat to the other side.
    Flipped,
    /// To flat.
    Closed,
}

impl PositionChange {
    /// The name in events and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Increased => "increased",
            Self::Reduced => "reduced",
            Self::Flipped => "flipped",
            Self::Closed => "closed",
        }
    }
}

/// A position at average cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Signed: negative is short.
    pub quantity: Quantity,
    /// Sum of signed quantity times price of what is open: negative for a short.
    pub cost: Money,
    /// Profit of what was closed, fees not counted.
    pub realized: Money,
    /// Fees paid.
    pub fees: Money,
}

impl Position {
    /// Takes a fill of `quantity` (positive) at `price`; `None` when a number overflows (nothing changed then).
    pub fn apply(
        &mut self,
        side: Side,
        quantity: Quantity,
        price: Price,
        fee: Money,
    ) -> Option<PositionChange> {
        let signed = side.signed(quantity);
        let before = self.quantity;
        let after = before.checked_add(signed)?;
        let fees = self.fees.checked_add(fee)?;
        let value = price.notional(signed);
        let same_side = before.is_zero() || (before.is_positive() == signed.is_positive());
        let change = if same_side {
            self.cost = self.cost.checked_add(value)?;
            if before.is_zero() {
                PositionChange::Opened
            } else {
                PositionChange::Increased
            }
        } else if after.is_zero() || (after.is_positive() == before.is_positive()) {
            // The closed share of the cost: cost * closed / open.
            let closed_cost = self.share_of_cost(quantity)?;
            self.realized = self.realized.checked_sub(value)?.checked_sub(closed_cost)?;
            self.cost = self.cost.checked_sub(closed_cost)?;
            if after.is_zero() {
                PositionChange::Closed
            } else {
                PositionChange::Reduced
            }
        } else {
            let closing = price.notional(before.negated());
            let opening = price.notional(after);
            self.realized = self.realized.checked_sub(closing)?.checked_sub(self.cost)?;
            self.cost = opening;
            PositionChange::Flipped
        };
        self.quantity = after;
        self.fees = fees;
        Some(change)
    }

    fn share_of_cost(&self, closed: Quantity) -> Option<Money> {
        let open = i128::from(self.quantity.units().unsigned_abs());
        if i128::from(closed.units()) == open {
            return Some(self.cost);
        }
        let (cost, closed) = (self.cost.units(), i128::from(closed.units()));
        // Split so that the product fits: cost = whole * open + rest, |rest| < open <= 2^63.
        let (whole, rest) = (cost / open, cost % open);
        let share = whole
            .checked_mul(closed)?
            .checked_add(div_half_even(rest * closed, open))?;
        Some(Money::from_units(share))
    }

    /// Value of the open quantity at `mark` less its cost.
    #[must_use]
    pub fn unrealized(&self, mark: Price) -> Money {
        mark.notional(self.quantity) - self.cost
    }

    /// Cost a unit, rounded half-even to 10^-9; `None` when flat.
    #[must_use]
    pub fn average_price(&self) -> Option<Price> {
        self.cost.per_unit(self.quantity)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(n: i64) -> Quantity {
        Quantity::from_whole(n).expect("small")
    }

    #[test]
    fn thirds_lose_nothing() {
        let mut position = Position::default();
        let ten = "3.333333333".parse().expect("a price");
        position
            .apply(Side::Buy, shares(3), ten, Money::ZERO)
            .expect("fits");
        for _ in 0..3 {
            position.apply(
                Side::Sell,
                shares(1),
                Price::from_whole(4).expect("4"),
                Money::ZERO,
            );
        }
        assert_eq!(position.quantity, Quantity::ZERO);
        assert_eq!(position.cost, Money::ZERO);
        assert_eq!(
            position.realized,
            Money::from_whole(12) - ten.notional(shares(3))
        );
    }

    #[test]
    fn a_flip_closes_at_cost_and_opens_at_the_price() {
        let mut position = Position::default();
        let price = |n| Price::from_whole(n).expect("small");
        let mut go = |side, n, p| position.apply(side, shares(n), price(p), Money::ZERO);
        assert_eq!(go(Side::Buy, 10, 5), Some(PositionChange::Opened));
        assert_eq!(go(Side::Buy, 10, 7), Some(PositionChange::Increased));
        assert_eq!(go(Side::Sell, 5, 8), Some(PositionChange::Reduced));
        assert_eq!(go(Side::Sell, 25, 9), Some(PositionChange::Flipped));
        assert_eq!(position.average_price(), Some(price(9)));
        assert_eq!(position.quantity, shares(-10));
        assert_eq!(position.realized, Money::from_whole(5 * 2 + 15 * 3));
    }

    proptest! {
        /// Profit is the cash that moved plus what is still held, to the last unit, after any fills.
        #[test]
        fn realized_and_unrealized_add_up_to_the_cash(
            fills in prop::collection::vec(
                (any::<bool>(), 1i64..5_000_000_000_000, 1i64..9_000_000_000_000),
                1..60,
            ),
            mark in 1i64..9_000_000_000_000,
        ) {
            let mut position = Position::default();
            let mut cash = Money::ZERO;
            for (buy, quantity, price) in fills {
                let side = if buy { Side::Buy } else { Side::Sell };
                let (quantity, price) = (Quantity::from_units(quantity), Price::from_units(price));
                position.apply(side, quantity, price, Money::ZERO).expect("fits");
                cash -= price.notional(side.signed(quantity));
            }
            let mark = Price::from_units(mark);
            prop_assert_eq!(
                position.realized + position.unrealized(mark),
                cash + mark.notional(position.quantity)
            );
        }
    }
}
