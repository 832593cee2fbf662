//! Amounts of money as exact 128-bit products.
//!
//! Runs on: any thread.
//! Owns: [`Money`], in units of 10^-18: a price times a quantity with nothing lost.
//! Never: rounds, but where a caller asks for it by name.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use super::decimal::{DecimalError, ONE, div_half_even, format_scaled, parse_scaled};
use super::{Price, Quantity, Ratio};

/// Digits after the point.
const MONEY_SCALE: u32 = 18;

/// An amount in units of 10^-18 of the account's currency: exact for every price times quantity.
///
/// The plain operators are for ledgers, whose sums are bounded by configuration; they panic on overflow (release
/// builds keep overflow checks). Hot checks use [`checked_add`](Money::checked_add).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From a count of 10^-18 units.
    #[must_use]
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The count of 10^-18 units.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// From a whole number of currency units.
    #[must_use]
    pub const fn from_whole(whole: i64) -> Self {
        Self(whole as i128 * ONE as i128 * ONE as i128)
    }

    /// Sum, `None` on overflow.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Difference, `None` on overflow.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Whether the amount is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The magnitude.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// This share of the amount, rounded toward zero; `None` on overflow.
    #[must_use]
    pub fn fraction(self, ratio: Ratio) -> Option<Self> {
        self.0
            .checked_mul(i128::from(ratio.units()))
            .map(|p| Self(p / i128::from(ONE)))
    }

    /// Rounded half-even to 10^-9: the ledger's one rounding, used for fees.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self(div_half_even(self.0, i128::from(ONE)) * i128::from(ONE))
    }

    /// The price a unit, rounded half-even to 10^-9; `None` for a zero quantity or beyond the range.
    #[must_use]
    pub fn per_unit(self, quantity: Quantity) -> Option<Price> {
        if quantity.is_zero() {
            return None;
        }
        let units = div_half_even(self.0, i128::from(quantity.units()));
        i64::try_from(units).ok().map(Price::from_units)
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, amount| sum + amount)
    }
}

impl FromStr for Money {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_scaled(text, MONEY_SCALE).map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_scaled(f, self.0, MONEY_SCALE)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}
