//! Quotes of any number of symbols from one decimal file.
//!
//! Runs on: the thread that polls the feed.
//! Owns: the columns `time_ns,symbol,bid,bid_size,ask,ask_size`, with or without such a header.
//! Never: rounds a number, or goes on when the columns may be in another order.
//!
//! `time_ns` is UNIX time in nanoseconds and never goes back. Each row states both sides; one that
//! is empty or 0 is not there, and a row without either says that the book is empty. There are no
//! quotation marks and no comments.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::rows::{
    BadRowReason, Column, FileAudit, MAX_PRICE, MAX_SIZE_SHARES, RowCounts, columns, whole,
};
use super::{MarketError, MarketSource};
use crate::types::decimal::ONE;
use crate::types::{
    BookSide, DecimalError, InstrumentId, MarketUpdate, Nanos, Price, Quantity, Quote, QuoteUpdate,
    Symbol,
};

/// The header, when there is one.
pub const HEADER: &str = "time_ns,symbol,bid,bid_size,ask,ask_size";
/// Most bytes of a line.
pub const MAX_LINE_BYTES: usize = 1_024;
/// 2200-01-01: later times are absurd.
const LATEST: Nanos = Nanos(7_258_118_400 * ONE as u64);

const BUFFER_BYTES: usize = 256 << 10;

/// What to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsvSettings {
    /// The file.
    pub path: PathBuf,
    /// Symbols and their rows in the instrument table; rows of other symbols are skipped and
    /// counted.
    pub symbols: Vec<(Symbol, InstrumentId)>,
}

/// A source over one file. Finite.
#[derive(Debug)]
pub struct CsvSource {
    lines: Lines<BufReader<File>>,
    /// In order of symbol.
    symbols: Vec<(Symbol, InstrumentId)>,
    audit: FileAudit,
    counts: RowCounts,
    last: Nanos,
    /// The next row, read ahead.
    head: Option<MarketUpdate>,
    start: Option<Nanos>,
    /// Found while reading ahead: returned after the row before it.
    error: Option<MarketError>,
    ended: bool,
}

impl CsvSource {
    /// Opens the file, looks for every symbol in it (as far as needed) and reads up to the first
    /// good row.
    ///
    /// # Errors
    /// [`MarketError`]: settings without a symbol or with one twice, a file that cannot be read or
    /// has no rows, another header, a symbol without a row, too many bad rows at once.
    pub fn open(settings: &CsvSettings) -> Result<Self, MarketError> {
        let mut symbols = settings.symbols.clone();
        symbols.sort_unstable();
        if symbols.is_empty() {
            return Err(MarketError::Settings("no symbols to read".to_owned()));
        }
        if let Some(pair) = symbols.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let symbol = pair[0].0;
            return Err(MarketError::Settings(format!("symbol '{symbol}' twice")));
        }
        find_symbols(&settings.path, &symbols)?;
        let mut source = Self {
            lines: Lines::open(&settings.path)?,
            symbols,
            audit: FileAudit::new(&settings.path),
            counts: RowCounts::default(),
            last: Nanos::ZERO,
            head: None,
            start: None,
            error: None,
            ended: false,
        };
        source.head = source.advance()?;
        source.start = source.head.map(|update| update.time());
        Ok(source)
    }

    /// Reads on to the next good row of one of the symbols.
    fn advance(&mut self) -> Result<Option<MarketUpdate>, MarketError> {
        while let Some((line, text)) = self
            .lines
            .next()
            .map_err(|error| MarketError::io(self.audit.path(), &error))?
        {
            self.audit.read(&mut self.counts)?;
            match read_row(text, &self.symbols, self.last) {
                Ok(Row::Ours(update)) => {
                    self.last = update.time();
                    return Ok(Some(update));
                }
                Ok(Row::Other(time)) => {
                    self.last = time;
                    self.counts.other_symbols += 1;
                }
                Err(reason) => self.audit.bad(&mut self.counts, line, reason, text)?,
            }
        }
        self.audit.judge()?;
        Ok(None)
    }
}

impl MarketSource for CsvSource {
    fn next(&mut self) -> Result<Option<MarketUpdate>, MarketError> {
        if let Some(error) = self.error.take() {
            self.ended = true;
            return Err(error);
        }
        if self.ended {
            return Ok(None);
        }
        let update = self.head.take();
        match self.advance() {
            Ok(head) => {
                self.head = head;
                self.ended = update.is_none();
            }
            Err(error) if update.is_some() => self.error = Some(error),
            Err(error) => {
                self.ended = true;
                return Err(error);
            }
        }
        Ok(update)
    }

    fn start_time(&self) -> Option<Nanos> {
        self.start
    }

    fn rows(&self) -> &RowCounts {
        &self.counts
    }
}

/// Reads as much of the file as it takes to meet every symbol.
fn find_symbols(path: &Path, symbols: &[(Symbol, InstrumentId)]) -> Result<(), MarketError> {
    let mut lines = Lines::open(path)?;
    let mut rows = 0u64;
    let mut missing: BTreeSet<Symbol> = symbols.iter().map(|(symbol, _)| *symbol).collect();
    let mut there: BTreeSet<Symbol> = BTreeSet::new();
    while !missing.is_empty()
        && let Some((_, text)) = lines
            .next()
            .map_err(|error| MarketError::io(path, &error))?
    {
        rows += 1;
        if let Ok([_, symbol, ..]) = columns::<6>(text)
            && let Ok(symbol) = read_symbol(symbol)
        {
            missing.remove(&symbol);
            there.insert(symbol);
        }
    }
    match missing.pop_first() {
        None => Ok(()),
        Some(_) if rows == 0 => Err(MarketError::NoRows {
            path: path.to_path_buf(),
        }),
        // A file of garbage has other troubles than its symbols; reading it says which.
        Some(_) if there.is_empty() => Ok(()),
        Some(symbol) => Err(MarketError::UnknownSymbol {
            symbol,
            path: path.to_path_buf(),
            looked_for: Vec::new(),
            available: there.iter().map(Symbol::to_string).collect(),
        }),
    }
}

enum Row {
    Ours(MarketUpdate),
    Other(Nanos),
}

fn read_row(
    text: &[u8],
    symbols: &[(Symbol, InstrumentId)],
    last: Nanos,
) -> Result<Row, BadRowReason> {
    if text.len() > MAX_LINE_BYTES {
        return Err(BadRowReason::LineTooLong {
            limit: MAX_LINE_BYTES,
        });
    }
    let [time, symbol, bid, bid_size, ask, ask_size] = columns::<6>(text)?;
    let time = read_time(time)?;
    let symbol = read_symbol(symbol)?;
    let (bid, bid_size) = side(bid, bid_size, Column::Bid, Column::BidSize)?;
    let (ask, ask_size) = side(ask, ask_size, Column::Ask, Column::AskSize)?;
    if time < last {
        return Err(BadRowReason::OutOfOrder);
    }
    let Ok(at) = symbols.binary_search_by_key(&symbol, |(symbol, _)| *symbol) else {
        return Ok(Row::Other(time));
    };
    Ok(Row::Ours(MarketUpdate::Quote(QuoteUpdate {
        instrument: symbols[at].1,
        side: BookSide::Both,
        quote: Quote {
            bid,
            bid_size,
            ask,
            ask_size,
            time,
        },
    })))
}

fn read_time(text: &[u8]) -> Result<Nanos, BadRowReason> {
    // A time has 19 digits, one more than other integers may have.
    let (head, tail) = text.split_at(text.len().min(18));
    let head_value = whole(head, Column::Time)?;
    let time = match tail {
        [] => head_value,
        [digit] if digit.is_ascii_digit() => head_value * 10 + u64::from(digit - b'0'),
        _ => {
            return Err(whole(text, Column::Time)
                .map_or_else(|reason| reason, |_| BadRowReason::NotANumber(Column::Time)));
        }
    };
    if Nanos(time) >= LATEST {
        return Err(BadRowReason::TooLarge(Column::Time));
    }
    Ok(Nanos(time))
}

fn read_symbol(text: &[u8]) -> Result<Symbol, BadRowReason> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(BadRowReason::NotASymbol)
}

/// Price and size of a side; zeros for one that is not there.
fn side(
    price: &[u8],
    size: &[u8],
    price_column: Column,
    size_column: Column,
) -> Result<(Price, Quantity), BadRowReason> {
    let most_size = MAX_SIZE_SHARES as i64 * ONE;
    let price = decimal(price, price_column, MAX_PRICE.units(), Price::from_ascii)?;
    let Some(price) = price.filter(|price| !price.is_zero()) else {
        return match decimal(size, size_column, most_size, Quantity::from_ascii)? {
            Some(size) if !size.is_zero() => Err(BadRowReason::SizeWithoutPrice(size_column)),
            _ => Ok((Price::ZERO, Quantity::ZERO)),
        };
    };
    let size = decimal(size, size_column, most_size, Quantity::from_ascii)?;
    Ok((price, size.ok_or(BadRowReason::NotANumber(size_column))?))
}

/// A decimal from 0 to `most` units; `None` when there is no text.
fn decimal<T: crate::types::Fixed>(
    text: &[u8],
    column: Column,
    most: i64,
    read: fn(&[u8]) -> Result<T, DecimalError>,
) -> Result<Option<T>, BadRowReason> {
    if text.is_empty() {
        return Ok(None);
    }
    let value = read(text).map_err(|error| match error {
        DecimalError::OutOfRange if text.starts_with(b"-") => BadRowReason::Negative(column),
        DecimalError::OutOfRange => BadRowReason::TooLarge(column),
        DecimalError::TooPrecise { .. } => BadRowReason::TooPrecise(column),
        _ => BadRowReason::NotANumber(column),
    })?;
    match value.units() {
        units if units < 0 => Err(BadRowReason::Negative(column)),
        units if units > most => Err(BadRowReason::TooLarge(column)),
        _ => Ok(Some(value)),
    }
}

/// Lines without their ends, each cut one byte after [`MAX_LINE_BYTES`], and without a header.
#[derive(Debug)]
struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

impl Lines<BufReader<File>> {
    /// Opens a file and steps over its header.
    fn open(path: &Path) -> Result<Self, MarketError> {
        let io = |error| MarketError::io(path, &error);
        let file = File::open(path).map_err(io)?;
        let mut lines = Self {
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            buffer: Vec::with_capacity(MAX_LINE_BYTES + 2),
            number: 0,
        };
        // Some programs begin every text with a byte order mark.
        if lines
            .reader
            .fill_buf()
            .map_err(io)?
            .starts_with(b"\xef\xbb\xbf")
        {
            lines.reader.consume(3);
        }
        let first = lines.reader.fill_buf().map_err(io)?;
        if !first.first().is_some_and(u8::is_ascii_alphabetic) {
            return Ok(lines);
        }
        match lines.next().map_err(io)? {
            Some((_, text)) if text == HEADER.as_bytes() => Ok(lines),
            // Columns in another order would be read as the wrong numbers.
            other => Err(MarketError::Header {
                path: path.to_path_buf(),
                found: super::rows::cut(other.map_or(&[][..], |(_, text)| text)),
                expected: HEADER,
            }),
        }
    }
}

impl<R: BufRead> Lines<R> {
    /// The next line and its number from 1.
    fn next(&mut self) -> std::io::Result<Option<(u64, &[u8])>> {
        self.buffer.clear();
        // Room for the line's end behind the longest line.
        let limit = MAX_LINE_BYTES + 2;
        let read = (&mut self.reader)
            .take(limit as u64)
            .read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            if self.buffer.last() == Some(&b'\r') {
                self.buffer.pop();
            }
        } else if read == limit {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some((self.number, &self.buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_any_length_are_told_apart() {
        let long = "x".repeat(5_000);
        let text = format!("a\r\n{long}\n\nlast");
        let mut lines = Lines {
            reader: text.as_bytes(),
            buffer: Vec::new(),
            number: 0,
        };
        let mut read = Vec::new();
        while let Some((number, text)) = lines.next().expect("memory") {
            read.push((number, text.len()));
        }
        assert_eq!(read, [(1, 1), (2, MAX_LINE_BYTES + 2), (3, 0), (4, 4)]);
    }

    #[test]
    fn times_have_up_to_nineteen_digits() {
        assert_eq!(
            read_time(b"1381152600000000001"),
            Ok(Nanos(1_381_152_600_000_000_001))
        );
        assert_eq!(read_time(b"7"), Ok(Nanos(7)));
        for (text, reason) in [
            ("9999999999999999999", BadRowReason::TooLarge(Column::Time)),
            ("13811526000000000010", BadRowReason::TooLarge(Column::Time)),
            (
                "138115260000000000x",
                BadRowReason::NotANumber(Column::Time),
            ),
            ("1.5", BadRowReason::NotANumber(Column::Time)),
            ("-1", BadRowReason::Negative(Column::Time)),
            (
                "-138115260000000000123",
                BadRowReason::Negative(Column::Time),
            ),
            ("", BadRowReason::NotANumber(Column::Time)),
        ] {
            assert_eq!(read_time(text.as_bytes()), Err(reason), "{text}");
        }
    }
}
