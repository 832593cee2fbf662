//! Small cold agents that tie modules together.
//!
//! Runs on: the cold threads.
//! Owns: JOURNAL's agent around the follower, the draining of the engine's own port, COLD's way to the journal.
//! Never: runs on a hot thread.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::boot::{Boot, OwnRecords};
use super::execution_manager::ExecutionManager;
use crate::cold::{JournalSource, ReplayError};
use crate::journal::{JournalFollower, Record};
use crate::runtime::Agent;
use crate::types::Nanos;

/// JOURNAL: copies and syncs.
pub(super) struct JournalAgent {
    follower: JournalFollower,
}

impl JournalAgent {
    pub const fn new(follower: JournalFollower) -> Self {
        Self { follower }
    }
}

impl Agent for JournalAgent {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn poll(&mut self, now: Nanos) -> usize {
        self.follower.poll(now)
    }

    fn on_close(&mut self, now: Nanos) {
        if let Err(error) = self.follower.close(now) {
            tracing::error!(%error, "the journal could not be closed; its hot part stays");
        }
    }
}

/// COLD, and behind it the reports of the engine's own port, which has no thread of its own.
pub(super) struct EnginePortAgent {
    cold: Box<dyn Agent>,
    manager: Arc<Mutex<ExecutionManager>>,
}

/// Reports taken in one poll.
const REPORTS_PER_POLL: usize = 1_024;

impl EnginePortAgent {
    pub const fn new(cold: Box<dyn Agent>, manager: Arc<Mutex<ExecutionManager>>) -> Self {
        Self { cold, manager }
    }
}

impl Agent for EnginePortAgent {
    fn name(&self) -> &'static str {
        self.cold.name()
    }

    fn on_start(&mut self, now: Nanos) {
        self.cold.on_start(now);
    }

    fn poll(&mut self, now: Nanos) -> usize {
        let mut work = self.cold.poll(now);
        // A caller that holds the port drains it itself.
        let manager = match self.manager.try_lock() {
            Ok(manager) => Some(manager),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut manager) = manager {
            for _ in 0..REPORTS_PER_POLL {
                if manager.port_mut().poll_report().is_none() {
                    break;
                }
                work += 1;
            }
        }
        work
    }

    fn next_deadline(&self) -> Option<Nanos> {
        self.cold.next_deadline()
    }

    fn on_close(&mut self, now: Nanos) {
        self.cold.on_close(now);
    }
}

/// This boot's records, for COLD after a gap.
pub(super) fn journal_source(boot: &Boot) -> Box<dyn JournalSource> {
    let records = OwnRecords::of(boot);
    Box::new(move |visit: &mut dyn FnMut(u64, Nanos, &Record)| {
        records
            .visit(visit)
            .map_err(|error| ReplayError(error.to_string()))
    })
}

/// Takes a lock that a panic of another thread may have poisoned: what it guards is whole after every call.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
