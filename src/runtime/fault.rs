//! What is known of agents that panicked.
//!
//! Runs on: the thread of an agent that panicked, once; whoever looks, the engine's supervisor first.
//! Owns: the list of faults, and the order of things after a panic: the kill word before anything else.
//! Never: on the way of an order; the list is behind a lock that only a panic takes.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::types::{KillScope, Nanos};

/// One agent that panicked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Name of the thread.
    pub thread: String,
    /// Name of the agent.
    pub agent: &'static str,
    /// What was stopped for it.
    pub scope: KillScope,
    /// When, by the engine's clock.
    pub time: Nanos,
    /// What the panic said.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} panicked on thread {}: {}",
            self.agent, self.thread, self.message
        )
    }
}

/// Every fault of one engine.
#[derive(Debug, Default)]
pub struct FaultBoard {
    faults: Mutex<Vec<Fault>>,
    total: AtomicUsize,
    firm: AtomicUsize,
}

impl FaultBoard {
    /// Faults kept in words; later ones are only counted.
    pub const MAX_KEPT: usize = 64;

    /// No fault.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn record(&self, fault: Fault) {
        let firm = fault.scope == KillScope::Firm;
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < Self::MAX_KEPT {
            faults.push(fault);
        }
        drop(faults);
        self.firm.fetch_add(usize::from(firm), Ordering::Release);
        self.total.fetch_add(1, Ordering::Release);
    }

    /// How many agents panicked. One load: fit for a supervisor's every turn.
    #[must_use]
    pub fn count(&self) -> usize {
        self.total.load(Ordering::Acquire)
    }

    /// Whether an agent panicked that the engine cannot do without: it must shut down and exit non-zero.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.firm.load(Ordering::Acquire) > 0
    }

    /// The faults so far, oldest first.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The words of a panic.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::StrategyId;

    fn fault(scope: KillScope) -> Fault {
        Fault {
            thread: "shrike-hot".to_owned(),
            agent: "RISK",
            scope,
            time: Nanos(7),
            message: "limit table is empty".to_owned(),
        }
    }

    #[test]
    fn only_a_fault_of_the_whole_firm_is_fatal() {
        let board = FaultBoard::new();
        assert!(board.count() == 0 && !board.is_fatal());
        board.record(fault(KillScope::Strategy(StrategyId(2))));
        assert!(board.count() == 1 && !board.is_fatal());
        board.record(fault(KillScope::Firm));
        assert!(board.count() == 2 && board.is_fatal());
        assert_eq!(
            board.faults()[1].to_string(),
            "RISK panicked on thread shrike-hot: limit table is empty"
        );
    }

    #[test]
    fn a_storm_of_faults_is_counted_and_bounded() {
        let board = FaultBoard::new();
        for _ in 0..FaultBoard::MAX_KEPT + 5 {
            board.record(fault(KillScope::Firm));
        }
        assert_eq!(board.count(), FaultBoard::MAX_KEPT + 5);
        assert_eq!(board.faults().len(), FaultBoard::MAX_KEPT);
    }

    #[test]
    fn a_panics_words_are_kept_whatever_their_type() {
        assert_eq!(panic_message(&"static"), "static");
        assert_eq!(panic_message(&String::from("made")), "made");
        assert_eq!(panic_message(&7_u8), "no message");
    }
}
