//! Quotes from a file, played back from the venue's start.
//!
//! Runs on: start-up reads; the venue's thread plays.
//! Owns: the file's form: `milliseconds,symbol,bid,ask,bid_size,ask_size` a line, a heading allowed.
//! Never: skips a line that it cannot read.

use std::path::Path;

use super::assets::find;
use super::core::Core;
use crate::types::{InstrumentId, Price, Quantity};
use crate::venue::VenueError;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    at_ms: u64,
    instrument: InstrumentId,
    prices: [Price; 2],
    sizes: [Quantity; 2],
}

/// The rows that are still to come.
#[derive(Clone, Debug, Default)]
pub struct Playback {
    rows: Vec<Row>,
    next: usize,
}

impl Playback {
    /// Reads a file.
    ///
    /// # Errors
    /// [`VenueError::File`] with the line that cannot be read.
    pub fn read(path: &Path) -> Result<Self, VenueError> {
        let text = std::fs::read_to_string(path).map_err(|error| VenueError::File {
            path: path.to_owned(),
            line: 0,
            cause: error.to_string(),
        })?;
        Self::parse(&text).map_err(|(line, cause)| VenueError::File {
            path: path.to_owned(),
            line,
            cause: cause.to_owned(),
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut rows: Vec<Row> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let heading = at == 0 && line.starts_with(|c: char| c.is_ascii_alphabetic());
            if heading || line.trim().is_empty() {
                continue;
            }
            let row = row(line).map_err(|cause| (at + 1, cause))?;
            if rows.last().is_some_and(|last| last.at_ms > row.at_ms) {
                return Err((at + 1, "time goes back"));
            }
            rows.push(row);
        }
        Ok(Self { rows, next: 0 })
    }

    /// Posts what is due `elapsed_ms` after the start.
    pub fn play(&mut self, elapsed_ms: u64, core: &mut Core) {
        while let Some(row) = self
            .rows
            .get(self.next)
            .filter(|row| row.at_ms <= elapsed_ms)
        {
            let ([bid, ask], [bid_size, ask_size]) = (row.prices, row.sizes);
            core.show(row.instrument, bid, ask, bid_size, ask_size);
            self.next += 1;
        }
    }
}

fn row(line: &str) -> Result<Row, &'static str> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [at, symbol, bid, ask, bid_size, ask_size] = fields.as_slice() else {
        return Err("six fields expected: milliseconds,symbol,bid,ask,bid_size,ask_size");
    };
    let price = |text: &str| text.parse::<Price>().map_err(|_| "not a price");
    let size = |text: &str| text.parse::<Quantity>().map_err(|_| "not a size");
    let row = find(symbol).ok_or("unknown symbol")?;
    Ok(Row {
        at_ms: at.parse().map_err(|_| "not a time in milliseconds")?,
        instrument: InstrumentId(row as u32),
        prices: [price(bid)?, price(ask)?],
        sizes: [size(bid_size)?, size(ask_size)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named() {
        let text = "ms,symbol,bid,ask,bid_size,ask_size\n0,AAPL,1,2,3,4\n5,NOPE,1,2,3,4\n";
        assert_eq!(Playback::parse(text).err(), Some((3, "unknown symbol")));
        let text = "5,AAPL,1,2,3,4\n4,AAPL,1,2,3,4\n";
        assert_eq!(Playback::parse(text).err(), Some((2, "time goes back")));
        let good = Playback::parse("0,AAPL,1,2,3,4\n\n7,MSFT,1.5,2,3,4\n").expect("two rows");
        assert_eq!(good.rows.len(), 2);
    }
}
