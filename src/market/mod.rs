//! Market data: sources behind one trait, the feed that delivers them, and the trading calendar.
//!
//! Runs on: start-up (opening files, building schedules) and the thread that polls the feed.
//! Owns: what a row means, which rows are fit to trade on, and when the market is open.
//! Never: guesses: bad rows are counted and skipped, missing sides stay missing, broken files fail.
//!
//! Sources: [`SyntheticSource`] (seeded, endless), [`CsvSource`] (one decimal file), [`LeanSource`]
//! (archives of exchange ticks). [`MarketFeed`] polls one of them and writes the quote board and
//! the rings.

pub mod calendar;
pub mod csv;
pub mod day;
pub mod error;
pub mod feed;
pub mod lean;
pub mod rows;
pub mod status;
pub mod synthetic;

pub use calendar::{CalendarError, DEFAULT_DAY_ROLL, TradingDay};
pub use csv::{CsvSettings, CsvSource};
pub use day::{DateRange, DateRangeError};
pub use error::MarketError;
pub use feed::{AlgorithmRing, FeedOutputs, MarketFeed};
pub use lean::{FileKind, LeanSettings, LeanSource, TradeFiles};
pub use rows::{BadRow, BadRowReason, Column, RowCounts};
pub use status::{FeedState, FeedStatus};
pub use synthetic::{SyntheticSettings, SyntheticSource, SyntheticSymbol};

use crate::types::{MarketUpdate, Nanos};

/// Quotes and trades in ascending order of time.
pub trait MarketSource: Send {
    /// The next row; `None` at the end. May read files, so it is no call for a hot agent.
    ///
    /// # Errors
    /// [`MarketError`] when the data cannot be trusted any further. Every call after the first
    /// error or the end returns `Ok(None)`.
    fn next(&mut self) -> Result<Option<MarketUpdate>, MarketError>;

    /// Time of the first row, as far as it is known; `None` for a source without rows.
    fn start_time(&self) -> Option<Nanos>;

    /// What became of the rows so far.
    fn rows(&self) -> &RowCounts;
}
