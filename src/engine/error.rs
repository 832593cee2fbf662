//! Why an engine could not start, run or end.
//!
//! Runs on: the caller's thread.
//! Owns: one enum for the library's face; each cause keeps its own words.
//! Never: stands for an order's outcome; that is [`SubmitError`](super::SubmitError) and the reports.

use std::path::PathBuf;

use crate::market::{CalendarError, MarketError};
use crate::runtime::Fault;

/// See the module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The configuration does not hold together.
    #[error("{0}")]
    Config(#[from] crate::config::ConfigErrors),
    /// No broker is enabled.
    #[error("no broker is enabled")]
    NoBroker,
    /// More algorithms than ports.
    #[error("{algorithms} algorithms need {needed} ports, threads.max_ports gives {ports}", needed = algorithms + 1)]
    TooManyAlgorithms {
        /// How many algorithms.
        algorithms: usize,
        /// How many ports.
        ports: usize,
    },
    /// An algorithm's name is not in the registry.
    #[error("no algorithm is called '{name}'; known: {known}")]
    UnknownAlgorithm {
        /// The name.
        name: String,
        /// What is there.
        known: String,
    },
    /// An algorithm refused its parameters.
    #[error("algorithm '{name}': {message}")]
    Algorithm {
        /// Its name.
        name: String,
        /// What it said.
        message: String,
    },
    /// A symbol that no instrument has.
    #[error("algorithm '{name}': symbol {symbol} is not among the market's")]
    UnknownSymbol {
        /// The algorithm.
        name: String,
        /// The symbol.
        symbol: String,
    },
    /// The machine cannot carry the layout.
    #[error(transparent)]
    Preflight(#[from] crate::runtime::PreflightError),
    /// The process's cores could not be read or set.
    #[error(transparent)]
    Affinity(#[from] crate::runtime::AffinityError),
    /// A thread did not start.
    #[error(transparent)]
    Runner(#[from] crate::runtime::RunnerError),
    /// The state directory or the journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// The journal could not take this boot's tables.
    #[error("the journal cannot be begun: {0}")]
    JournalStart(String),
    /// The journal's disk failed while the engine ran: what was committed before is safe in the hot segments.
    #[error("the journal failed: {0}; trading stopped")]
    JournalFailed(String),
    /// What the journal holds does not fit this configuration.
    #[error(transparent)]
    Order(#[from] crate::order::OrderStartError),
    /// The dates of the market data.
    #[error(transparent)]
    Dates(#[from] crate::market::DateRangeError),
    /// A figure could not be written as JSON.
    #[error("the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A temporary state directory could not be made.
    #[error("temporary state directory below {}: {source}", dir.display())]
    TemporaryState {
        /// Where it was tried.
        dir: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Neither `state.dir` nor `XDG_STATE_HOME` nor `HOME` is set.
    #[error("no state directory: set state.dir, XDG_STATE_HOME or HOME")]
    NoStateDir,
    /// The market data.
    #[error("market data: {0}")]
    Market(#[from] MarketError),
    /// The market's sessions.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// An agent panicked: trading stopped; the next start comes up halted.
    #[error("{0}; trading stopped, the next start comes up halted")]
    Fault(Fault),
    /// The single-threaded layout came to a stop.
    #[error(transparent)]
    Invoker(#[from] crate::runtime::InvokerError),
    /// The session report could not be written.
    #[error(transparent)]
    Report(#[from] crate::cold::ReportError),
    /// Called too early or too late.
    #[error("{call} is not possible while the engine is {phase}")]
    Phase {
        /// What was called.
        call: &'static str,
        /// How far the engine is.
        phase: &'static str,
    },
    /// Two strategies would be one in the journal, which keeps the first 23 bytes of a name.
    #[error(
        "algorithm name `{name}` is taken: names differ in their first 23 bytes, \
         and are not `external`, `engine` or `port_N`"
    )]
    AlgorithmName {
        /// The later of the two.
        name: String,
    },
    /// No free port is left.
    #[error("all {ports} ports are taken (threads.max_ports)")]
    NoPort {
        /// How many there are.
        ports: usize,
    },
    /// The order was not taken.
    #[error(transparent)]
    Submit(#[from] super::SubmitError),
}

impl EngineError {
    /// Whether the command line or the configuration is to blame, rather than the machine or the run.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Config(_)
                | Self::NoBroker
                | Self::TooManyAlgorithms { .. }
                | Self::AlgorithmName { .. }
                | Self::UnknownAlgorithm { .. }
                | Self::Algorithm { .. }
                | Self::UnknownSymbol { .. }
                | Self::Preflight(_)
        )
    }
}
