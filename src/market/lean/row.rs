//! One row of a LEAN tick file.
//!
//! Runs on: the thread that reads the source.
//! Owns: the meaning of each column: integers to prices, sizes and time of day.
//! Never: allocates, or accepts a row that says something it cannot mean.
//!
//! Quote columns: time, bid price, bid size, ask price, ask size, exchange, condition, suspicious.
//! Trade columns: time, price, size, exchange, condition, suspicious. Time is in milliseconds since
//! midnight, prices in 1/10,000 dollar.

use crate::market::day::DAY_NS;
use crate::market::rows::{BadRowReason, Column, MAX_PRICE, MAX_SIZE_SHARES, columns, whole};
use crate::types::decimal::ONE;
use crate::types::{Price, Quantity};

/// Units of a [`Price`] in 1/10,000 dollar.
const PRICE_STEP: i64 = ONE / 10_000;
const MAX_RAW_PRICE: u64 = (MAX_PRICE.units() / PRICE_STEP) as u64;
const NS_PER_MS: u64 = 1_000_000;

/// Price and size of a side, absent when the price is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Level {
    pub(super) price: Price,
    pub(super) size: Quantity,
}

/// A quote row that is not suspicious.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct QuoteRow {
    /// New York wall clock.
    pub(super) wall_ns: u64,
    pub(super) bid: Option<Level>,
    pub(super) ask: Option<Level>,
}

/// A trade row that is not suspicious.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TradeRow {
    /// New York wall clock.
    pub(super) wall_ns: u64,
    pub(super) price: Price,
    pub(super) size: Quantity,
}

/// Reads a quote row; `None` for one that is marked as suspicious.
#[inline]
pub(super) fn quote(line: &[u8]) -> Result<Option<QuoteRow>, BadRowReason> {
    let [time, bid, bid_size, ask, ask_size, _, _, mark] = columns::<8>(line)?;
    let wall_ns = time_of_day(time)?;
    let bid = level(bid, bid_size, Column::Bid, Column::BidSize)?;
    let ask = level(ask, ask_size, Column::Ask, Column::AskSize)?;
    if is_suspicious(mark)? {
        return Ok(None);
    }
    if bid.is_none() && ask.is_none() {
        return Err(BadRowReason::NoSide);
    }
    Ok(Some(QuoteRow { wall_ns, bid, ask }))
}

/// Reads a trade row; `None` for one that is marked as suspicious.
#[inline]
pub(super) fn trade(line: &[u8]) -> Result<Option<TradeRow>, BadRowReason> {
    let [time, price, size, _, _, mark] = columns::<6>(line)?;
    let wall_ns = time_of_day(time)?;
    let price = read_price(price, Column::Price)?;
    let size = read_size(size, Column::Size)?;
    if is_suspicious(mark)? {
        return Ok(None);
    }
    if price.is_zero() {
        return Err(BadRowReason::Zero(Column::Price));
    }
    if size.is_zero() {
        return Err(BadRowReason::Zero(Column::Size));
    }
    Ok(Some(TradeRow {
        wall_ns,
        price,
        size,
    }))
}

#[inline]
fn level(
    price: &[u8],
    size: &[u8],
    price_column: Column,
    size_column: Column,
) -> Result<Option<Level>, BadRowReason> {
    let price = read_price(price, price_column)?;
    let size = read_size(size, size_column)?;
    match (price.is_zero(), size.is_zero()) {
        (true, true) => Ok(None),
        (true, false) => Err(BadRowReason::SizeWithoutPrice(size_column)),
        (false, _) => Ok(Some(Level { price, size })),
    }
}

#[inline]
fn read_price(text: &[u8], column: Column) -> Result<Price, BadRowReason> {
    let raw = whole(text, column)?;
    if raw > MAX_RAW_PRICE {
        return Err(BadRowReason::TooLarge(column));
    }
    Ok(Price::from_units(raw as i64 * PRICE_STEP))
}

#[inline]
fn read_size(text: &[u8], column: Column) -> Result<Quantity, BadRowReason> {
    let shares = whole(text, column)?;
    if shares > MAX_SIZE_SHARES {
        return Err(BadRowReason::TooLarge(column));
    }
    Ok(Quantity::from_units(shares as i64 * ONE))
}

/// Milliseconds, with or without a fraction, to nanoseconds; what is finer than a nanosecond is cut
/// off.
#[inline]
fn time_of_day(text: &[u8]) -> Result<u64, BadRowReason> {
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole_text, fraction_text) = match point {
        None => (text, None),
        Some(at) => (&text[..at], Some(&text[at + 1..])),
    };
    let ms = whole(whole_text, Column::Time)?;
    let fraction_ns = fraction_text.map_or(Ok(0), fraction_ns)?;
    if ms >= DAY_NS / NS_PER_MS {
        return Err(BadRowReason::TimeBeyondDay);
    }
    Ok(ms * NS_PER_MS + fraction_ns)
}

fn fraction_ns(digits: &[u8]) -> Result<u64, BadRowReason> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadRowReason::NotANumber(Column::Time));
    }
    let kept = digits.len().min(6);
    let value = digits[..kept]
        .iter()
        .fold(0u64, |value, byte| value * 10 + u64::from(byte - b'0'));
    Ok(value * 10u64.pow(6 - kept as u32))
}

#[inline]
fn is_suspicious(mark: &[u8]) -> Result<bool, BadRowReason> {
    match mark {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(BadRowReason::SuspiciousMark),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by splitting and the standard library's parsers, one rule after the other.
    fn naive_quote(line: &str) -> Result<Option<QuoteRow>, BadRowReason> {
        let parts: Vec<&str> = line.split(',').collect();
        if parts.len() != 8 {
            return Err(BadRowReason::Columns {
                found: parts.len(),
                expected: 8,
            });
        }
        let wall_ns = naive_time(parts[0])?;
        let side = |at: usize, price_column, size_column| {
            let price = naive_number(parts[at], price_column, 10_000_000_000)?;
            let size = naive_number(parts[at + 1], size_column, 1_000_000_000)?;
            if price == 0 && size > 0 {
                return Err(BadRowReason::SizeWithoutPrice(size_column));
            }
            Ok((price > 0).then(|| Level {
                price: Price::from_units(price as i64 * 100_000),
                size: Quantity::from_whole(size as i64).expect("fits"),
            }))
        };
        let bid = side(1, Column::Bid, Column::BidSize)?;
        let ask = side(3, Column::Ask, Column::AskSize)?;
        match parts[7] {
            "0" if bid.is_none() && ask.is_none() => Err(BadRowReason::NoSide),
            "0" => Ok(Some(QuoteRow { wall_ns, bid, ask })),
            "1" => Ok(None),
            _ => Err(BadRowReason::SuspiciousMark),
        }
    }

    fn naive_number(text: &str, column: Column, most: u128) -> Result<u128, BadRowReason> {
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        if text.strip_prefix('-').is_some_and(plain) {
            return Err(BadRowReason::Negative(column));
        }
        if !plain(text) {
            return Err(BadRowReason::NotANumber(column));
        }
        // A zero before the number is fine while it is short; longer texts are refused whatever
        // they say.
        match text.parse::<u128>() {
            Ok(value) if value <= most && text.len() <= 18 => Ok(value),
            _ => Err(BadRowReason::TooLarge(column)),
        }
    }

    fn naive_time(text: &str) -> Result<u64, BadRowReason> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let ms = naive_number(whole, Column::Time, u128::MAX)?;
        if fraction.is_empty() || !fraction.chars().all(|c| c.is_ascii_digit()) {
            return Err(BadRowReason::NotANumber(Column::Time));
        }
        if ms >= 86_400_000 {
            return Err(BadRowReason::TimeBeyondDay);
        }
        let padded: String = fraction.chars().chain("000000".chars()).take(6).collect();
        Ok(ms as u64 * 1_000_000 + padded.parse::<u64>().expect("six digits"))
    }

    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => Just("0".to_owned()),
            8 => (0u64..3_000_000).prop_map(|n| n.to_string()),
            1 => (0u64..u64::MAX).prop_map(|n| n.to_string()),
            1 => (9_999_999_990u64..10_000_000_010).prop_map(|n| n.to_string()),
            1 => (999_999_990u64..1_000_000_010).prop_map(|n| n.to_string()),
            1 => (-5i64..0).prop_map(|n| n.to_string()),
            1 => "[0-9]{0,22}",
            1 => "[-+0-9.eE xé]{0,6}",
        ]
    }

    fn time() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => (0u64..86_400_000).prop_map(|n| n.to_string()),
            4 => (0u64..86_400_000, "[0-9]{0,12}").prop_map(|(n, f)| format!("{n}.{f}")),
            1 => (86_399_990u64..86_400_010).prop_map(|n| n.to_string()),
            1 => number(),
        ]
    }

    fn row() -> impl Strategy<Value = String> {
        let mark = prop_oneof![8 => Just("0"), 2 => Just("1"), 1 => Just(""), 1 => Just("2")];
        let columns = (time(), number(), number(), number(), number(), mark);
        let regular = columns.prop_map(|(time, bid, bid_size, ask, ask_size, mark)| {
            format!("{time},{bid},{bid_size},{ask},{ask_size},P,1,{mark}")
        });
        let half = (time(), 1u64..20_000_000, 1u64..100_000, any::<bool>()).prop_map(
            |(time, price, size, bid)| {
                if bid {
                    format!("{time},{price},{size},0,0,Q,,0")
                } else {
                    format!("{time},0,0,{price},{size},,1,0")
                }
            },
        );
        prop_oneof![6 => regular, 6 => half, 1 => ".{0,60}", 1 => "[0-9,.-]{0,60}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn quote_rows_are_read_as_by_a_naive_parser(line in row()) {
            prop_assert_eq!(quote(line.as_bytes()), naive_quote(&line));
        }
    }

    #[test]
    fn trade_rows_are_read_or_refused_with_the_reason() {
        let good = trade(b"34200000.25,1836300,150,P,20002020,0");
        assert_eq!(
            good,
            Ok(Some(TradeRow {
                wall_ns: 34_200_000_250_000,
                price: "183.63".parse().expect("a price"),
                size: "150".parse().expect("a size"),
            }))
        );
        assert_eq!(trade(b"1,1836300,150,P,0,1"), Ok(None));
        for (line, reason) in [
            (
                "1,1836300,150,P,0",
                BadRowReason::Columns {
                    found: 5,
                    expected: 6,
                },
            ),
            ("1,0,150,P,0,0", BadRowReason::Zero(Column::Price)),
            ("1,5,0,P,0,0", BadRowReason::Zero(Column::Size)),
            ("1,-5,1,P,0,0", BadRowReason::Negative(Column::Price)),
            ("1,5,1000000001,P,0,0", BadRowReason::TooLarge(Column::Size)),
            (
                "1,10000000001,1,P,0,0",
                BadRowReason::TooLarge(Column::Price),
            ),
            ("86400000,5,1,P,0,0", BadRowReason::TimeBeyondDay),
            ("x,5,1,P,0,0", BadRowReason::NotANumber(Column::Time)),
            ("1,5,1,P,0,x", BadRowReason::SuspiciousMark),
        ] {
            assert_eq!(trade(line.as_bytes()), Err(reason), "{line}");
        }
    }
}
