//! Quantities as 64-bit fixed-point numbers.
//!
//! Runs on: any thread.
//! Owns: [`Quantity`] (shares or contracts, 10^-9; signed in positions, positive in orders).
//! Never: goes through `f64`.

use super::decimal::fixed_point;

/// A number of shares or contracts in units of 10^-9. Positions are signed, order quantities positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

fixed_point!(Quantity);

impl Quantity {
    /// The magnitude; saturates at the type's end.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// The smaller of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if self.0 <= other.0 { self } else { other }
    }

    /// `self - other`, never below zero.
    #[must_use]
    pub const fn saturating_sub_to_zero(self, other: Self) -> Self {
        let left = self.0.saturating_sub(other.0);
        if left < 0 { Self(0) } else { Self(left) }
    }

    /// With the other sign; saturates at the type's end.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }
}
