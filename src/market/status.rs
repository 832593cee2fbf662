//! What the feed has delivered, for threads that watch it.
//!
//! Runs on: the feed writes; any cold thread reads.
//! Owns: counters, the feed's state, the first bad rows and the error that ended it.
//! Never: is read by a hot agent (the details are behind a mutex).

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rows::{BadRow, RowCounts};
use super::{MarketError, MarketSource};
use crate::types::Nanos;

/// Where a feed stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum FeedState {
    /// There may be more rows.
    Running = 0,
    /// All rows were delivered.
    Finished = 1,
    /// The data could not be trusted any further: see [`FeedStatus::error`].
    Failed = 2,
}

/// Shared by the feed and those who watch it.
#[derive(Debug, Default)]
pub struct FeedStatus {
    delivered: AtomicU64,
    last: AtomicU64,
    read: AtomicU64,
    bad: AtomicU64,
    suspicious: AtomicU64,
    other_symbols: AtomicU64,
    state: AtomicU8,
    details: Mutex<Details>,
}

#[derive(Debug, Default)]
struct Details {
    first_bad: Vec<BadRow>,
    error: Option<MarketError>,
}

impl FeedStatus {
    /// Rows on the board and in the rings.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Time of the last row delivered, 0 before the first.
    #[must_use]
    pub fn last(&self) -> Nanos {
        Nanos(self.last.load(Ordering::Relaxed))
    }

    /// Running, finished or failed. Once it is not running, every count is final.
    #[must_use]
    pub fn state(&self) -> FeedState {
        match self.state.load(Ordering::Acquire) {
            0 => FeedState::Running,
            1 => FeedState::Finished,
            _ => FeedState::Failed,
        }
    }

    /// Whether no row will come any more, for either reason.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state() != FeedState::Running
    }

    /// Why it failed.
    #[must_use]
    pub fn error(&self) -> Option<MarketError> {
        self.details().error.clone()
    }

    /// What became of the rows read so far, up to one more than was delivered.
    #[must_use]
    pub fn rows(&self) -> RowCounts {
        RowCounts {
            read: self.read.load(Ordering::Relaxed),
            bad: self.bad.load(Ordering::Relaxed),
            suspicious: self.suspicious.load(Ordering::Relaxed),
            other_symbols: self.other_symbols.load(Ordering::Relaxed),
            first_bad: self.details().first_bad.clone(),
        }
    }

    /// Rows skipped because something was wrong with them.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }

    pub(super) fn publish(&self, delivered: u64, last: Nanos, source: &dyn MarketSource) {
        let rows = source.rows();
        if rows.bad != self.bad() {
            self.details().first_bad.clone_from(&rows.first_bad);
        }
        self.read.store(rows.read, Ordering::Relaxed);
        self.bad.store(rows.bad, Ordering::Relaxed);
        self.suspicious.store(rows.suspicious, Ordering::Relaxed);
        self.other_symbols
            .store(rows.other_symbols, Ordering::Relaxed);
        self.last.store(last.0, Ordering::Relaxed);
        self.delivered.store(delivered, Ordering::Relaxed);
    }

    /// The end, after the last [`publish`](Self::publish).
    pub(super) fn end(&self, error: Option<MarketError>) {
        let state = match error {
            None => FeedState::Finished,
            Some(_) => FeedState::Failed,
        };
        self.details().error = error;
        self.state.store(state as u8, Ordering::Release);
    }

    fn details(&self) -> MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
