//! Prices and ratios as 64-bit fixed-point numbers.
//!
//! Runs on: any thread.
//! Owns: [`Price`] (currency units an item, 10^-9) and [`Ratio`] (a plain fraction, 10^-9).
//! Never: goes through `f64`.

use super::decimal::{ONE, div_away_from_zero, fixed_point};
use super::{Money, Quantity};

/// A price in units of 10^-9 of the account's currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(i64);

fixed_point!(Price);

impl Price {
    /// Exact value of `quantity` at this price. Cannot overflow: |i64| x |i64| < 2^127.
    #[must_use]
    pub const fn notional(self, quantity: Quantity) -> Money {
        Money::from_units(self.0 as i128 * quantity.units() as i128)
    }

    /// This price moved up by `ratio` of itself, rounded up; `None` on overflow.
    #[must_use]
    pub fn raised_by(self, ratio: Ratio) -> Option<Self> {
        self.moved(ratio).and_then(|delta| self.checked_add(delta))
    }

    /// This price moved down by `ratio` of itself, rounded down; `None` on overflow.
    #[must_use]
    pub fn lowered_by(self, ratio: Ratio) -> Option<Self> {
        self.moved(ratio).and_then(|delta| self.checked_sub(delta))
    }

    fn moved(self, ratio: Ratio) -> Option<Self> {
        let product = i128::from(self.0) * i128::from(ratio.units());
        i64::try_from(div_away_from_zero(product, i128::from(ONE)))
            .ok()
            .map(Self)
    }

    /// The middle of two prices, rounded toward negative infinity.
    #[must_use]
    pub const fn midpoint(self, other: Self) -> Self {
        Self(((self.0 as i128 + other.0 as i128) >> 1) as i64)
    }
}

/// A plain fraction in units of 10^-9: 0.05 is five per cent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio(i64);

fixed_point!(Ratio);

impl Ratio {
    /// One: a hundred per cent.
    pub const ONE: Self = Self(ONE);

    /// From basis points (1/10,000).
    #[must_use]
    pub const fn from_basis_points(basis_points: u32) -> Self {
        Self(basis_points as i64 * (ONE / 10_000))
    }

    /// From per cent in units of 10^-9 (Alpaca's `trail_percent` is such a number); `None` when it is not exact.
    #[must_use]
    pub const fn from_percent_units(units: i64) -> Option<Self> {
        if units % 100 == 0 {
            Some(Self(units / 100))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collar_rounds_away_from_the_price() {
        let price: Price = "0.000000003".parse().expect("a price");
        let half = Ratio::from_basis_points(5_000);
        assert_eq!(price.raised_by(half), Some(Price::from_units(5)));
        assert_eq!(price.lowered_by(half), Some(Price::from_units(1)));
        assert_eq!(Price::MAX.raised_by(half), None);
    }

    #[test]
    fn the_largest_notional_is_exact() {
        let most = Price::MAX.notional(Quantity::MAX);
        assert_eq!(most.units(), i128::from(i64::MAX) * i128::from(i64::MAX));
    }
}
