//! Decimals, instants and ids as Alpaca writes and reads them.
//!
//! Runs on: any thread.
//! Owns: the text of numbers (exact, no trailing zeros), of RFC 3339 instants and of UUIDs.
//! Never: goes through a float for a price, a quantity or money.

use std::fmt::Display;

use jiff::Timestamp;
use serde_json::{Number, Value};

use crate::types::{Money, Nanos, Price, Quantity, Ratio};

/// A decimal as a JSON string.
#[must_use]
pub fn text(value: impl Display) -> Value {
    Value::String(value.to_string())
}

/// A decimal as a JSON string, or null.
#[must_use]
pub fn maybe(value: Option<impl Display>) -> Value {
    value.map_or(Value::Null, text)
}

/// A decimal as a JSON number (market data has numbers).
#[must_use]
pub fn number(value: impl Display) -> Value {
    value
        .to_string()
        .parse::<Number>()
        .map_or(Value::Null, Value::Number)
}

/// Money rounded to cents, half to even, as text.
#[must_use]
pub fn cents(value: Money) -> Value {
    const CENT: i128 = 10_000_000_000_000_000;
    let rounded = crate::types::decimal::div_half_even(value.units(), CENT);
    text(Money::from_units(rounded * CENT))
}

/// An instant as RFC 3339 with nanoseconds, in UTC.
#[must_use]
pub fn instant(at: Nanos) -> String {
    timestamp(at).map_or_else(String::new, |at| at.to_string())
}

/// An instant or null.
#[must_use]
pub fn maybe_instant(at: Option<Nanos>) -> Value {
    at.map_or(Value::Null, |at| Value::String(instant(at)))
}

/// An instant as the calendar library has it.
#[must_use]
pub fn timestamp(at: Nanos) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(at.0)).ok()
}

/// Reads RFC 3339, or a date (its midnight in UTC).
#[must_use]
pub fn parse_instant(value: &str) -> Option<Nanos> {
    let at: Timestamp = value.parse().ok().or_else(|| {
        let date: jiff::civil::Date = value.parse().ok()?;
        date.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })?;
    u64::try_from(at.as_nanosecond()).ok().map(Nanos)
}

/// A UUID's text.
#[must_use]
pub fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Reads a UUID.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 36
        && [8, 13, 18, 23]
            .into_iter()
            .all(|place| bytes[place] == b'-');
    if !shaped {
        return None;
    }
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&hex, 16).ok()
}

/// The plain decimal text of a JSON string or number: `1e-9` becomes `0.000000001`. `None` for what is neither.
#[must_use]
pub fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Some(text);
    };
    let exponent: i32 = exponent.parse().ok()?;
    if exponent.abs() > 40 {
        return None;
    }
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let digits = format!("{whole}{fraction}");
    let length = i32::try_from(digits.len()).ok()?;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let placed = if point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else if point >= length {
        format!("{digits}{}", zeros(point - length))
    } else {
        let (before, after) = digits.split_at(usize::try_from(point).ok()?);
        format!("{before}.{after}")
    };
    Some(format!("{sign}{placed}"))
}

/// A ratio of two amounts, 10^-9, zero for a zero divisor.
#[must_use]
pub fn ratio(part: Money, whole: Money) -> Ratio {
    let whole = whole.units() / 1_000_000_000;
    if whole == 0 {
        return Ratio::ZERO;
    }
    let units = crate::types::decimal::div_half_even(part.units(), whole);
    Ratio::from_units(i64::try_from(units).unwrap_or(0))
}

/// The quantity that `amount` buys at `price`, rounded down.
#[must_use]
pub fn bought_for(amount: Money, price: Price) -> Quantity {
    if price.is_zero() {
        return Quantity::ZERO;
    }
    Quantity::from_units(i64::try_from(amount.units() / i128::from(price.units())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_strings_read_the_same() {
        for (value, expected) in [
            (serde_json::json!("187.50"), "187.50"),
            (serde_json::json!(187.5), "187.5"),
            (serde_json::json!(10.0), "10.0"),
            (serde_json::json!(7), "7"),
            (serde_json::json!(1e-9), "0.000000001"),
            (serde_json::json!(-2.5e-7), "-0.00000025"),
            (serde_json::json!("1e3"), "1000"),
            (serde_json::json!("1.25e1"), "12.5"),
        ] {
            assert_eq!(plain(&value).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(plain(&serde_json::json!(true)), None);
        assert_eq!(plain(&serde_json::json!("1e999999999")), None);
    }

    #[test]
    fn instants_keep_their_nanoseconds() {
        let at = Nanos(1_763_652_245_123_456_789);
        assert_eq!(instant(at), "2025-11-20T15:24:05.123456789Z");
        assert_eq!(parse_instant(&instant(at)), Some(at));
        assert_eq!(
            parse_instant("2025-11-20T10:24:05.123456789-05:00"),
            Some(at)
        );
        assert_eq!(parse_instant("yesterday"), None);
    }

    proptest! {
        #[test]
        fn ids_read_back(id in any::<u128>()) {
            prop_assert_eq!(parse_uuid(&uuid(id)), Some(id));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse_uuid(&text);
            let _ = parse_instant(&text);
            let _ = plain(&Value::String(text));
        }
    }
}
