//! Single values: from what TOML has to what the settings hold.
//!
//! Runs on: start-up.
//! Owns: the forms of decimals, durations, sizes, dates and words.
//! Never: goes through `f64`: a number with a point is read from its own text.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, Time};
use toml::de::DeValue;

use super::error::{ConfigErrorKind, nearest};
use super::market::{DateRange, Speed};
use crate::types::decimal::parse_scaled;
use crate::types::{DecimalError, Price, Quantity, Symbol};

/// Characters of a found value that an error shows.
const MOST_SHOWN: usize = 40;

/// Why a value does not do: words that follow the key's name.
pub(super) struct Problem {
    pub kind: ConfigErrorKind,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    pub fn of_type(message: impl Into<String>) -> Self {
        Self {
            kind: ConfigErrorKind::Type,
            message: message.into(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A value where it stands.
pub(super) struct Item<'a> {
    pub value: &'a DeValue<'a>,
    pub span: Range<usize>,
}

type Parsed<T> = Result<T, Problem>;

/// A whole number of shares; configuration's own defaults only.
pub(super) const fn shares(whole: i64) -> Quantity {
    match Quantity::from_whole(whole) {
        Some(quantity) => quantity,
        None => Quantity::MAX,
    }
}

/// A whole price; configuration's own defaults only.
pub(super) const fn price(whole: i64) -> Price {
    match Price::from_whole(whole) {
        Some(price) => price,
        None => Price::MAX,
    }
}

/// Text from a file, safe to show: cut, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(MOST_SHOWN).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short.escape_debug().to_string().replace("\\'", "'")
}

/// Names as "`a`, `b`, `c`".
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// What was found, with its type.
pub(super) fn found(item: &Item<'_>) -> String {
    match item.value {
        DeValue::String(text) => format!("the string \"{}\"", shown(text)),
        DeValue::Integer(number) => format!("the integer {}", shown(&number.to_string())),
        DeValue::Float(number) => format!("the number {}", shown(number.as_str())),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(when) => format!("the date {when}"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn wrong(item: &Item<'_>, wanted: &str) -> Problem {
    Problem::of_type(format!("must be {wanted}, found {}", found(item)))
}

pub(super) fn boolean(item: &Item<'_>) -> Parsed<bool> {
    item.value
        .as_bool()
        .ok_or_else(|| wrong(item, "true or false"))
}

fn str_of<'a>(item: &Item<'a>, wanted: &str) -> Parsed<&'a str> {
    item.value.as_str().ok_or_else(|| wrong(item, wanted))
}

pub(super) fn text(item: &Item<'_>) -> Parsed<String> {
    str_of(item, "a string").map(str::to_owned)
}

pub(super) fn path(item: &Item<'_>) -> Parsed<PathBuf> {
    match str_of(item, "a path as a string")? {
        "" => Err(Problem::of_type("must be a path, found an empty string")),
        text if text.contains('\0') => Err(wrong(item, "a path")),
        text => Ok(PathBuf::from(text)),
    }
}

/// A name of 1 to 64 of `[A-Za-z0-9_.-]`.
pub(super) fn name(item: &Item<'_>) -> Parsed<String> {
    let text = str_of(item, "a name as a string")?;
    if is_name(text, 64) {
        return Ok(text.to_owned());
    }
    Err(wrong(
        item,
        "a name of 1 to 64 letters, digits, `_`, `-` and `.`",
    ))
}

pub(super) fn is_name(text: &str, most: usize) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=most).contains(&text.len()) && text.bytes().all(good)
}

/// One of the words given.
pub(super) fn word<T: Copy>(item: &Item<'_>, words: &[(&str, T)]) -> Parsed<T> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let wanted = format!("one of {}", listed(&names));
    let text = str_of(item, &wanted)?;
    if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let problem = wrong(item, &wanted);
    Err(match nearest(text, names) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem,
    })
}

/// A whole number of at least 0.
pub(super) fn unsigned<T: TryFrom<u64>>(item: &Item<'_>) -> Parsed<T> {
    let number = match item.value {
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            let most = u64::MAX >> (64 - 8 * size_of::<T>().clamp(1, 8));
            match size_of::<T>() {
                8.. => wrong(item, "a whole number of at least 0"),
                _ => wrong(item, &format!("a whole number from 0 to {most}")),
            }
        })
}

/// An exact decimal number, written as string, integer or number with a point.
pub(super) fn decimal<T: FromStr<Err = DecimalError>>(item: &Item<'_>) -> Parsed<T> {
    let read = match item.value {
        DeValue::String(text) => text.parse(),
        DeValue::Float(number) => number.as_str().parse(),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| DecimalError::OutOfRange)
            .and_then(|whole| whole.to_string().parse()),
        _ => return Err(wrong(item, "a decimal number")),
    };
    read.map_err(|error| {
        let problem = wrong(item, "a decimal number");
        let hint = match error {
            DecimalError::Character { .. } | DecimalError::Empty => {
                "digits with an optional point, as 0.05 or \"0.05\"; no exponent, no separators"
                    .to_owned()
            }
            error => error.to_string(),
        };
        problem.hint(hint)
    })
}

/// Nanoseconds of each unit.
const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Reads "500ms", "1.5s", "5m"; at most 366 days, exact to the nanosecond. The error is a hint.
///
/// # Errors
/// A text that shows the form.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const MOST: i128 = 366 * 86_400_000_000_000;
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim_start();
    let form = || "a number and a unit: \"500ms\", \"2s\", \"5m\", \"250us\", \"10ns\"".to_owned();
    let Some((_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(form());
    };
    let billionths = parse_scaled(number, 9).map_err(|_| form())?;
    let scaled = billionths
        .checked_mul(i128::from(*unit_ns))
        .filter(|scaled| *scaled / 1_000_000_000 <= MOST)
        .ok_or_else(|| "the longest duration is \"366d\"".to_owned())?;
    if scaled % 1_000_000_000 != 0 {
        return Err("a duration is a whole number of nanoseconds".to_owned());
    }
    u64::try_from(scaled / 1_000_000_000)
        .map(Duration::from_nanos)
        .map_err(|_| form())
}

/// A duration as configuration writes it: "250us".
pub(super) fn duration_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fits = |(_, unit_ns): &&(&str, u64)| nanos.is_multiple_of(u128::from(*unit_ns));
    match UNITS.iter().take(6).rev().find(fits) {
        Some((unit, unit_ns)) if nanos > 0 => format!("{}{unit}", nanos / u128::from(*unit_ns)),
        _ => "0s".to_owned(),
    }
}

pub(super) fn duration(item: &Item<'_>) -> Parsed<Duration> {
    let wanted = "a duration as a string";
    let read = match item.value {
        DeValue::String(text) => parse_duration(text),
        DeValue::Integer(number) => Err(format!(
            "a duration has a unit: \"{number}ms\" or \"{number}s\"?"
        )),
        _ => Err("write it as \"500ms\", \"2s\" or \"5m\"".to_owned()),
    };
    read.map_err(|hint| wrong(item, wanted).hint(hint))
}

/// A duration or "off".
pub(super) fn duration_or_off(item: &Item<'_>) -> Parsed<Option<Duration>> {
    if item.value.as_str() == Some("off") {
        return Ok(None);
    }
    duration(item).map(Some)
}

/// Bytes: an integer, or "64KiB", "16MiB", "1GiB".
pub(super) fn bytes(item: &Item<'_>) -> Parsed<u64> {
    if item.value.is_integer() {
        return unsigned(item);
    }
    let problem = || wrong(item, "a size").hint("bytes, or \"64KiB\", \"16MiB\", \"1GiB\"");
    let text = item.value.as_str().ok_or_else(problem)?;
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(problem()),
    };
    let number: u64 = number.parse().map_err(|_| problem())?;
    number.checked_mul(1 << shift).ok_or_else(problem)
}

pub(super) fn symbol(item: &Item<'_>) -> Parsed<Symbol> {
    let text = str_of(item, "a symbol as a string")?;
    text.parse().map_err(|_| {
        let problem = wrong(item, "a symbol");
        let upper = text.to_ascii_uppercase();
        match upper.parse::<Symbol>() {
            Ok(symbol) => problem.hint(format!("did you mean \"{symbol}\"?")),
            Err(_) => problem.hint("1 to 15 characters of A-Z, 0-9, `.`, `/` and `-`"),
        }
    })
}

/// "max", or a multiple of real time with at most three digits after the point.
pub(super) fn speed(item: &Item<'_>) -> Parsed<Speed> {
    let problem = || {
        wrong(item, "\"max\" or a number above 0")
            .hint("1.0 is real time, 10.0 ten times as fast; at most 1000000, in steps of 0.001")
    };
    let number = match item.value {
        DeValue::String(text) if text == "max" => return Ok(Speed::Max),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return Err(problem()),
    };
    parse_scaled(number, 3)
        .ok()
        .and_then(|per_mille| u64::try_from(per_mille).ok())
        .filter(|per_mille| (1..=1_000_000_000).contains(per_mille))
        .map(Speed::PerMille)
        .ok_or_else(problem)
}

/// A date as eight digits with dashes, exactly.
fn date_of(text: &str) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

/// "2013-10-07", or "2013-10-07..2013-10-08" with both ends; TOML's own date will do.
pub(super) fn dates(item: &Item<'_>) -> Parsed<DateRange> {
    let problem = || {
        wrong(item, "a date or a range of dates")
            .hint("\"2013-10-07\", or \"2013-10-07..2013-10-08\" with both ends included")
    };
    let text = match item.value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(when) => when.to_string(),
        _ => return Err(problem()),
    };
    let (first, last) = text.split_once("..").unwrap_or((&text, &text));
    let (first, last) = (date_of(first), date_of(last));
    let (first, last) = (first.ok_or_else(problem)?, last.ok_or_else(problem)?);
    Ok(DateRange { first, last })
}

/// "03:30"; TOML's own time will do.
pub(super) fn time_of_day(item: &Item<'_>) -> Parsed<Time> {
    let problem = || wrong(item, "a time of day").hint("hours and minutes: \"03:30\"");
    let text = match item.value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(when) if when.date.is_none() => when.to_string(),
        _ => return Err(problem()),
    };
    let mut parts = text.splitn(3, ':').map(|part| match part.len() {
        2 if part.bytes().all(|byte| byte.is_ascii_digit()) => part.parse::<i8>().ok(),
        _ => None,
    });
    let (hour, minute) = (parts.next().flatten(), parts.next().flatten());
    let second = parts.next().unwrap_or(Some(0));
    match (hour, minute, second) {
        (Some(hour), Some(minute), Some(second)) => {
            Time::new(hour, minute, second, 0).map_err(|_| problem())
        }
        _ => Err(problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_and_need_a_unit() {
        for (text, nanos) in [
            ("10ns", 10),
            ("250us", 250_000),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            ("5m", 300_000_000_000),
            ("2 h", 7_200_000_000_000),
            ("0s", 0),
            ("366d", 366 * 86_400_000_000_000),
            ("0.000000001s", 1),
        ] {
            let parsed = parse_duration(text).expect(text);
            assert_eq!(parsed.as_nanos(), nanos, "{text}");
            assert_eq!(parse_duration(&duration_text(parsed)), Ok(parsed));
        }
        for text in [
            "",
            "5",
            "ms",
            "-5s",
            "5 sec",
            "1e3s",
            "0.5ns",
            "367d",
            ".5s",
            "5.s",
            "+5s",
            "5S",
            "999999999999999999999999999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["0s", "10ns", "1500us", "2s", "90s", "2m", "36h"] {
            let parsed = parse_duration(text).expect(text);
            assert_eq!(duration_text(parsed), text);
        }
    }

    #[test]
    fn shown_text_is_short_and_without_control_characters() {
        assert_eq!(shown("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(shown(&"x".repeat(100)).len(), 43);
        assert_eq!(shown("it's"), "it's");
    }
}
