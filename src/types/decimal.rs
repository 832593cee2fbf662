//! Exact decimal text for fixed-point integers: parsing, printing, and the bridge to `rust_decimal`.
//!
//! Runs on: any thread, at the edges (configuration, files, reports).
//! Owns: the one decimal grammar of the crate: optional sign, digits, optional point and digits.
//! Never: rounds on input, accepts an exponent, goes through `f64`.

use std::fmt;

/// Digits after the point of a [`Price`](crate::types::Price) and a [`Quantity`](crate::types::Quantity).
pub const SCALE: u32 = 9;
/// Units in one: 10^9.
pub const ONE: i64 = 1_000_000_000;

/// Why a text is no number of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// Nothing to read.
    #[error("empty text where a decimal number was expected")]
    Empty,
    /// A character that is neither sign, digit nor point, or one in the wrong place.
    #[error("not a decimal number: unexpected character at position {position}")]
    Character {
        /// Zero-based byte offset.
        position: usize,
    },
    /// More digits after the point than can be kept exactly.
    #[error("more than {scale} digits after the decimal point")]
    TooPrecise {
        /// Digits that the type keeps.
        scale: u32,
    },
    /// The value does not fit.
    #[error("number out of range")]
    OutOfRange,
}

/// Parses `text` into units of 10^-`scale`, exactly.
///
/// # Errors
/// [`DecimalError`], with the position of the first bad character.
pub fn parse_scaled(text: &str, scale: u32) -> Result<i128, DecimalError> {
    parse_scaled_bytes(text.as_bytes(), scale)
}

/// [`parse_scaled`] for bytes straight from a file.
///
/// # Errors
/// As [`parse_scaled`].
pub fn parse_scaled_bytes(text: &[u8], scale: u32) -> Result<i128, DecimalError> {
    let (negative, start) = match text.first() {
        None => return Err(DecimalError::Empty),
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        Some(_) => (false, 0),
    };
    let mut value: i128 = 0;
    let mut digits = 0usize;
    let mut fraction: Option<u32> = None;
    for (position, &byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if let Some(seen) = fraction.as_mut() {
                    if *seen == scale {
                        if byte == b'0' {
                            continue;
                        }
                        return Err(DecimalError::TooPrecise { scale });
                    }
                    *seen += 1;
                }
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i128::from(byte - b'0')))
                    .ok_or(DecimalError::OutOfRange)?;
            }
            b'.' if fraction.is_none() && digits > 0 => fraction = Some(0),
            _ => return Err(DecimalError::Character { position }),
        }
    }
    if digits == 0 || text.last() == Some(&b'.') {
        return Err(DecimalError::Character {
            position: text.len().saturating_sub(1),
        });
    }
    let missing = scale - fraction.unwrap_or(0);
    let value = value
        .checked_mul(10i128.pow(missing))
        .ok_or(DecimalError::OutOfRange)?;
    Ok(if negative { -value } else { value })
}

/// Writes `value` units of 10^-`scale` as plain decimal text without trailing zeros.
///
/// # Errors
/// Only those of the formatter.
pub fn format_scaled(f: &mut fmt::Formatter<'_>, value: i128, scale: u32) -> fmt::Result {
    let one = 10u128.pow(scale);
    let magnitude = value.unsigned_abs();
    let (whole, mut fraction) = (magnitude / one, magnitude % one);
    let sign = if value < 0 { "-" } else { "" };
    if fraction == 0 {
        return f.pad(&format!("{sign}{whole}"));
    }
    let mut width = scale as usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    f.pad(&format!("{sign}{whole}.{fraction:0width$}"))
}

/// Divides with the quotient rounded half to even.
///
/// # Panics
/// When `divisor` is zero.
#[must_use]
pub fn div_half_even(dividend: i128, divisor: i128) -> i128 {
    assert!(divisor != 0, "division by zero");
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    let away = match (remainder.unsigned_abs() * 2).cmp(&divisor.unsigned_abs()) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Less => false,
    };
    match (away, (dividend < 0) == (divisor < 0)) {
        (false, _) => quotient,
        (true, true) => quotient + 1,
        (true, false) => quotient - 1,
    }
}

/// Divides with the quotient rounded away from zero (exposures).
///
/// # Panics
/// When `divisor` is zero.
#[must_use]
pub fn div_away_from_zero(dividend: i128, divisor: i128) -> i128 {
    assert!(divisor != 0, "division by zero");
    let quotient = dividend / divisor;
    match (dividend % divisor == 0, (dividend < 0) == (divisor < 0)) {
        (true, _) => quotient,
        (false, true) => quotient + 1,
        (false, false) => quotient - 1,
    }
}

/// A number kept as an integer count of 10^-[`SCALE`] units.
pub trait Fixed: Copy {
    /// From the raw integer.
    fn from_units(units: i64) -> Self;
    /// To the raw integer.
    fn units(self) -> i64;
}

/// Gives a fixed-point newtype over `i64` its text, its `rust_decimal` bridge and checked arithmetic.
macro_rules! fixed_point {
    ($name:ident) => {
        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);
            /// The largest value.
            pub const MAX: Self = Self(i64::MAX);

            /// From a count of 10^-9 units.
            #[must_use]
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// The count of 10^-9 units.
            #[must_use]
            pub const fn units(self) -> i64 {
                self.0
            }

            /// From a whole number; `None` when it does not fit.
            #[must_use]
            pub const fn from_whole(whole: i64) -> Option<Self> {
                match whole.checked_mul($crate::types::decimal::ONE) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
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

            /// Whether the value is above zero.
            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// Whether the value is zero.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Reads decimal text given as bytes, exactly.
            ///
            /// # Errors
            /// [`DecimalError`](crate::types::DecimalError) with the cause.
            pub fn from_ascii(text: &[u8]) -> Result<Self, $crate::types::DecimalError> {
                let units = $crate::types::decimal::parse_scaled_bytes(
                    text,
                    $crate::types::decimal::SCALE,
                )?;
                i64::try_from(units)
                    .map(Self)
                    .map_err(|_| $crate::types::DecimalError::OutOfRange)
            }
        }

        impl $crate::types::decimal::Fixed for $name {
            fn from_units(units: i64) -> Self {
                Self(units)
            }
            fn units(self) -> i64 {
                self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::types::DecimalError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_ascii(text.as_bytes())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::types::decimal::format_scaled(
                    f,
                    i128::from(self.0),
                    $crate::types::decimal::SCALE,
                )
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl From<$name> for rust_decimal::Decimal {
            fn from(value: $name) -> Self {
                rust_decimal::Decimal::new(value.0, $crate::types::decimal::SCALE).normalize()
            }
        }

        impl TryFrom<rust_decimal::Decimal> for $name {
            type Error = $crate::types::DecimalError;
            fn try_from(value: rust_decimal::Decimal) -> Result<Self, Self::Error> {
                let value = value.normalize();
                let scale = $crate::types::decimal::SCALE;
                if value.scale() > scale {
                    return Err($crate::types::DecimalError::TooPrecise { scale });
                }
                let factor = 10i128.pow(scale - value.scale());
                value
                    .mantissa()
                    .checked_mul(factor)
                    .and_then(|units| i64::try_from(units).ok())
                    .map(Self)
                    .ok_or($crate::types::DecimalError::OutOfRange)
            }
        }
    };
}
pub(crate) use fixed_point;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_exactly_or_refused_with_its_place() {
        assert_eq!(parse_scaled("12.5", 9), Ok(12_500_000_000));
        assert_eq!(parse_scaled("-0.000000001", 9), Ok(-1));
        assert_eq!(parse_scaled("1.0000000000", 9), Ok(1_000_000_000));
        assert_eq!(
            parse_scaled("1.0000000001", 9),
            Err(DecimalError::TooPrecise { scale: 9 })
        );
        assert_eq!(
            parse_scaled("1e5", 9),
            Err(DecimalError::Character { position: 1 })
        );
        assert_eq!(
            parse_scaled(".5", 9),
            Err(DecimalError::Character { position: 0 })
        );
        assert_eq!(
            parse_scaled("5.", 9),
            Err(DecimalError::Character { position: 1 })
        );
        assert_eq!(parse_scaled("", 9), Err(DecimalError::Empty));
        assert_eq!(
            parse_scaled("-", 9),
            Err(DecimalError::Character { position: 0 })
        );
    }

    #[test]
    fn quotients_round_half_to_even_on_both_sides_of_zero() {
        for (dividend, divisor, expected) in [
            (5, 2, 2),
            (7, 2, 4),
            (-5, 2, -2),
            (-7, 2, -4),
            (5, -2, -2),
            (8, 3, 3),
            (-8, 3, -3),
        ] {
            assert_eq!(
                div_half_even(dividend, divisor),
                expected,
                "{dividend}/{divisor}"
            );
        }
        assert_eq!(div_away_from_zero(7, 3), 3);
        assert_eq!(div_away_from_zero(-7, 3), -3);
        assert_eq!(div_away_from_zero(6, 3), 2);
    }
}
