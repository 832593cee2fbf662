//! Why a market data source cannot be opened, or cannot be trusted any further.
//!
//! Runs on: any thread.
//! Owns: [`MarketError`].
//! Never: leaves out which file it is about and what was looked for.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::calendar::CalendarError;
use super::lean::FileKind;
use super::rows::BadRow;
use crate::types::Symbol;

/// Most names that a message lists.
const LISTED: usize = 20;

/// Why a source cannot deliver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// The operating system refused.
    #[error("cannot read '{}': {detail}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// The kind of error.
        kind: io::ErrorKind,
        /// The system's own words.
        detail: String,
    },
    /// No zip archive, or a truncated or damaged one.
    #[error("'{}' is no readable zip archive (truncated or damaged?): {detail}", path.display())]
    Archive {
        /// Which file.
        path: PathBuf,
        /// What the zip reader says.
        detail: String,
    },
    /// The archive does not hold exactly the one CSV member that its name promises.
    #[error(
        "'{}' must hold one CSV member with {expected}; found {}",
        path.display(), Listed(found)
    )]
    Member {
        /// Which file.
        path: PathBuf,
        /// What the member must hold.
        expected: String,
        /// Names of the members found.
        found: Vec<String>,
    },
    /// The unpacked data would not fit.
    #[error("'{}' unpacks to more than {limit} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Bytes allowed.
        limit: u64,
    },
    /// A file without a row.
    #[error("'{}' has no rows", path.display())]
    NoRows {
        /// Which file.
        path: PathBuf,
    },
    /// The first line of a decimal file is neither data nor the header that it must have.
    #[error(
        "'{}' begins with '{found}': either data or the header '{expected}' was expected",
        path.display()
    )]
    Header {
        /// Which file.
        path: PathBuf,
        /// Its first line, cut.
        found: String,
        /// The one header that is understood.
        expected: &'static str,
    },
    /// No data at all for a symbol.
    #[error(
        "no data for symbol '{symbol}' in '{}'{}; symbols there: {}",
        path.display(), Looked(looked_for), Listed(available)
    )]
    UnknownSymbol {
        /// What was asked for.
        symbol: Symbol,
        /// Where.
        path: PathBuf,
        /// Files that would have done.
        looked_for: Vec<PathBuf>,
        /// Symbols with data.
        available: Vec<String>,
    },
    /// Data for the symbol, but not for the date.
    #[error(
        "no {kind} data for '{symbol}' on {date} in '{}'{}; dates there: {}",
        path.display(), Looked(looked_for), Listed(available)
    )]
    NoDataForDate {
        /// What was asked for.
        symbol: Symbol,
        /// Quotes or trades.
        kind: FileKind,
        /// The date.
        date: Date,
        /// Where.
        path: PathBuf,
        /// Files that would have done.
        looked_for: Vec<PathBuf>,
        /// Dates with data.
        available: Vec<String>,
    },
    /// More than one per cent of a file's rows are bad.
    #[error(
        "{bad} of {read} rows of '{}' are bad, more than 1 %; first: {}",
        path.display(), First(first)
    )]
    TooManyBadRows {
        /// Which file.
        path: PathBuf,
        /// Bad rows.
        bad: u64,
        /// Rows read.
        read: u64,
        /// The first of them, at most ten.
        first: Vec<BadRow>,
    },
    /// Settings that make no sense.
    #[error("market data settings: {0}")]
    Settings(String),
    /// The calendar.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

impl MarketError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            kind: error.kind(),
            detail: error.to_string(),
        }
    }

    /// The file or directory that it is about.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. }
            | Self::Archive { path, .. }
            | Self::Member { path, .. }
            | Self::TooLarge { path, .. }
            | Self::NoRows { path }
            | Self::Header { path, .. }
            | Self::UnknownSymbol { path, .. }
            | Self::NoDataForDate { path, .. }
            | Self::TooManyBadRows { path, .. } => Some(path),
            Self::Settings(_) | Self::Calendar(_) => None,
        }
    }
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let shown = self.0.len().min(LISTED);
        f.write_str(&self.0[..shown].join(", "))?;
        match self.0.len() - shown {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

struct Looked<'a>(&'a [PathBuf]);

impl fmt::Display for Looked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, path) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { ": looked for " } else { " and " })?;
            write!(f, "'{}'", path.display())?;
        }
        Ok(())
    }
}

struct First<'a>(&'a [BadRow]);

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.first() {
            Some(row) => write!(f, "line {}: {}: '{}'", row.line, row.reason, row.text),
            None => f.write_str("none kept"),
        }
    }
}
