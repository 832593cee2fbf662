//! What became of a source's rows: counts, the first bad ones, and when a file is given up.
//!
//! Runs on: the thread that reads the source.
//! Owns: the limits on plausible values and the one per cent rule.
//! Never: lets a bad row pass, or drops one without counting it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::MarketError;
use crate::types::Price;
use crate::types::decimal::ONE;

/// Prices above this are absurd: 1,000,000.
pub const MAX_PRICE: Price = Price::from_units(1_000_000 * ONE);
/// Sizes above this are absurd: 10^9 shares.
pub const MAX_SIZE_SHARES: u64 = 1_000_000_000;
/// Bad rows that are kept with their text.
pub const KEPT_BAD_ROWS: usize = 10;
/// Rows of a file before the share of bad ones is judged (at its end it always is).
pub const JUDGED_FROM_ROWS: u64 = 100;
/// A file is given up when more than one row in this many is bad.
pub const BAD_ROW_SHARE: u64 = 100;
/// Characters of a bad row's text that are kept.
pub const KEPT_TEXT_CHARS: usize = 80;

/// A column of a row, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Column {
    /// Time of the row.
    Time,
    /// Symbol.
    Symbol,
    /// Bid price.
    Bid,
    /// Size at the bid.
    BidSize,
    /// Ask price.
    Ask,
    /// Size at the ask.
    AskSize,
    /// Price of a trade.
    Price,
    /// Size of a trade.
    Size,
    /// The mark of a suspicious row.
    Suspicious,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Time => "time",
            Self::Symbol => "symbol",
            Self::Bid => "bid",
            Self::BidSize => "bid size",
            Self::Ask => "ask",
            Self::AskSize => "ask size",
            Self::Price => "price",
            Self::Size => "size",
            Self::Suspicious => "suspicious",
        })
    }
}

/// Why a row is bad.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadRowReason {
    /// Too short or too long.
    #[error("{found} columns where {expected} were expected")]
    Columns {
        /// Columns found.
        found: usize,
        /// Columns of this kind of file.
        expected: usize,
    },
    /// Longer than a line may be.
    #[error("line longer than {limit} bytes")]
    LineTooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// Not a number of the kind expected there.
    #[error("{0} is not a number")]
    NotANumber(Column),
    /// Below zero.
    #[error("{0} is negative")]
    Negative(Column),
    /// More digits after the point than can be kept exactly.
    #[error("{0} has more than 9 digits after the point")]
    TooPrecise(Column),
    /// Beyond every plausible value.
    #[error("{0} is absurdly large")]
    TooLarge(Column),
    /// A size at a side whose price is missing.
    #[error("{0} without a price")]
    SizeWithoutPrice(Column),
    /// A quote row that renews neither side.
    #[error("neither bid nor ask")]
    NoSide,
    /// A trade of nothing, or for nothing.
    #[error("{0} is zero")]
    Zero(Column),
    /// A mark other than 0 and 1.
    #[error("suspicious mark is neither 0 nor 1")]
    SuspiciousMark,
    /// At or after the end of the day.
    #[error("time beyond the day")]
    TimeBeyondDay,
    /// In the hour that the change to summer time leaves out.
    #[error("time does not exist on that day")]
    NoSuchTime,
    /// Earlier than the row before it.
    #[error("earlier than the row before it")]
    OutOfOrder,
    /// Text that is no ticker symbol.
    #[error("not a symbol")]
    NotASymbol,
}

/// One bad row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadRow {
    /// Which file.
    pub path: Arc<Path>,
    /// Line number from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: BadRowReason,
    /// Its first 80 characters.
    pub text: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            reason,
            text,
        } = self;
        write!(f, "{}:{line}: {reason}: '{text}'", path.display())
    }
}

/// What became of the rows so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowCounts {
    /// Rows read, headers not counted.
    pub read: u64,
    /// Rows skipped because something was wrong with them.
    pub bad: u64,
    /// Rows skipped because the exchange marked them as suspicious.
    pub suspicious: u64,
    /// Rows skipped because nobody asked for their symbol.
    pub other_symbols: u64,
    /// The first bad rows, at most ten.
    pub first_bad: Vec<BadRow>,
}

impl RowCounts {
    /// Rows read and not skipped.
    #[must_use]
    pub const fn good(&self) -> u64 {
        self.read - self.bad - self.suspicious - self.other_symbols
    }
}

/// The rows of one file, counted for the one per cent rule.
#[derive(Debug)]
pub(super) struct FileAudit {
    path: Arc<Path>,
    read: u64,
    bad: u64,
    first_bad: Vec<BadRow>,
}

impl FileAudit {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            read: 0,
            bad: 0,
            first_bad: Vec::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Counts a row, whatever becomes of it.
    #[inline]
    pub(super) fn read(&mut self, counts: &mut RowCounts) -> Result<(), MarketError> {
        counts.read += 1;
        self.read += 1;
        if self.read == JUDGED_FROM_ROWS {
            self.judge()?;
        }
        Ok(())
    }

    /// Keeps a bad row that was counted as read.
    #[cold]
    pub(super) fn bad(
        &mut self,
        counts: &mut RowCounts,
        line: u64,
        reason: BadRowReason,
        text: &[u8],
    ) -> Result<(), MarketError> {
        counts.bad += 1;
        self.bad += 1;
        if self.first_bad.len() < KEPT_BAD_ROWS {
            let row = BadRow {
                path: Arc::clone(&self.path),
                line,
                reason,
                text: cut(text),
            };
            if counts.first_bad.len() < KEPT_BAD_ROWS {
                counts.first_bad.push(row.clone());
            }
            self.first_bad.push(row);
        }
        if self.read >= JUDGED_FROM_ROWS {
            self.judge()?;
        }
        Ok(())
    }

    /// Judges the share of bad rows; also at the end of a file, however short.
    pub(super) fn judge(&self) -> Result<(), MarketError> {
        if self.bad * BAD_ROW_SHARE <= self.read {
            return Ok(());
        }
        Err(MarketError::TooManyBadRows {
            path: self.path.to_path_buf(),
            bad: self.bad,
            read: self.read,
            first: self.first_bad.clone(),
        })
    }
}

/// The first characters of a row, fit for a terminal.
pub(super) fn cut(text: &[u8]) -> String {
    // A character takes at most four bytes.
    let head = &text[..text.len().min(4 * KEPT_TEXT_CHARS)];
    String::from_utf8_lossy(head)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(KEPT_TEXT_CHARS)
        .collect()
}

/// A plain non-negative integer of at most 18 digits.
#[inline]
pub(super) fn whole(text: &[u8], column: Column) -> Result<u64, BadRowReason> {
    let mut value: u64 = 0;
    let mut nondigit = 0u8;
    // 18 digits fit; of a longer text only the kind of its badness matters.
    for &byte in text.iter().take(18) {
        let digit = byte.wrapping_sub(b'0');
        nondigit |= u8::from(digit > 9);
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    if nondigit != 0 || text.is_empty() || text.len() > 18 {
        return Err(why_not_whole(text, column));
    }
    Ok(value)
}

#[cold]
fn why_not_whole(text: &[u8], column: Column) -> BadRowReason {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match text {
        [b'-', rest @ ..] if digits(rest) => BadRowReason::Negative(column),
        text if digits(text) => BadRowReason::TooLarge(column),
        _ => BadRowReason::NotANumber(column),
    }
}

/// Splits a line into exactly `N` comma-separated columns.
#[inline]
pub(super) fn columns<const N: usize>(line: &[u8]) -> Result<[&[u8]; N], BadRowReason> {
    let mut columns: [&[u8]; N] = [&[]; N];
    let mut found = 0;
    let mut start = 0;
    for (at, &byte) in line.iter().enumerate() {
        if byte == b',' {
            if found < N {
                columns[found] = &line[start..at];
            }
            found += 1;
            start = at + 1;
        }
    }
    if found < N {
        columns[found] = &line[start..];
    }
    found += 1;
    if found != N {
        return Err(BadRowReason::Columns { found, expected: N });
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_or_refused_with_their_kind() {
        let read = |text: &str| whole(text.as_bytes(), Column::Bid);
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("999999999999999999"), Ok(999_999_999_999_999_999));
        for (text, reason) in [
            ("1000000000000000000", BadRowReason::TooLarge(Column::Bid)),
            ("-5", BadRowReason::Negative(Column::Bid)),
            ("-", BadRowReason::NotANumber(Column::Bid)),
            ("", BadRowReason::NotANumber(Column::Bid)),
            ("1.5", BadRowReason::NotANumber(Column::Bid)),
            ("+5", BadRowReason::NotANumber(Column::Bid)),
            (
                "99999999999999999999x",
                BadRowReason::NotANumber(Column::Bid),
            ),
        ] {
            assert_eq!(read(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn the_text_of_a_bad_row_is_cut_and_safe_to_print() {
        let long = "é\u{1b}".repeat(200);
        let text = cut(long.as_bytes());
        assert_eq!(text.chars().count(), KEPT_TEXT_CHARS);
        assert!(!text.chars().any(char::is_control));
        assert_eq!(cut(b"1,2\xff"), "1,2\u{fffd}");
    }

    #[test]
    fn one_bad_row_in_a_hundred_passes_and_two_do_not() {
        let mut counts = RowCounts::default();
        let mut audit = FileAudit::new(Path::new("x.csv"));
        for line in 1..=100 {
            audit.read(&mut counts).expect("one bad row");
            if line == 50 {
                audit
                    .bad(&mut counts, line, BadRowReason::NoSide, b"x")
                    .expect("not judged yet");
            }
        }
        audit.judge().expect("exactly one per cent");
        audit.read(&mut counts).expect("a row");
        let error = audit
            .bad(&mut counts, 101, BadRowReason::NoSide, b"y")
            .expect_err("two of 101");
        assert!(matches!(
            error,
            MarketError::TooManyBadRows {
                bad: 2,
                read: 101,
                ..
            }
        ));
        assert_eq!(counts.good(), 99);
    }
}
