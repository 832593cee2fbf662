//! The command line: one file a verb.
//!
//! Runs on: the main thread of a binary.
//! Owns: arguments, exit codes, signals, log output; [`main`] gives a user's own binary every verb.
//! Never: holds trading logic.
//!
//! A crate of your own with your own algorithms needs three lines:
//!
//! ```no_run
//! use shrike::engine::{Algorithm, AlgorithmRegistry};
//!
//! struct Mine;
//! impl Algorithm for Mine {}
//!
//! fn main() -> std::process::ExitCode {
//!     shrike::cli::main(AlgorithmRegistry::builtin().with("mine", |_| Ok(Box::new(Mine))))
//! }
//! ```

mod bench;
mod check;
mod journal;
mod run;
#[cfg(feature = "venue")]
mod venue;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigErrors};
use crate::engine::AlgorithmRegistry;

/// Exit code: something failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code: the command line or the configuration is wrong.
pub(crate) const USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(
    name = "shrike",
    version,
    about = "A low-latency trading execution engine"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start the engine; without a file: paper broker, synthetic market, demo algorithm.
    Run(RunArguments),
    /// Show every configuration error at once.
    Check(CheckArguments),
    /// Measure the hot path on this machine.
    Bench(bench::BenchArguments),
    /// Read a journal offline.
    #[command(subcommand)]
    Journal(JournalVerb),
    /// Start a simulated broker on a socket.
    #[cfg(feature = "venue")]
    #[command(subcommand)]
    Venue(venue::VenueVerb),
}

/// Arguments of `shrike run`.
#[derive(Debug, clap::Args)]
struct RunArguments {
    /// Configuration file (TOML).
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop after this much wall time, as 30s or 5m.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    run_for: Option<Duration>,
    /// Confirm that real money may be traded; the file must say trading_mode = "live" too.
    #[arg(long)]
    live: bool,
    /// Write the session report to this directory.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Continue the state directory where a replay or a run without a file would begin afresh.
    #[arg(long)]
    resume: bool,
    /// Print the session report as one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Arguments of `shrike check`.
#[derive(Debug, clap::Args)]
struct CheckArguments {
    /// Configuration file (TOML).
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum JournalVerb {
    /// Check every frame: exit 0 when clean or torn only at the end, 1 when damaged.
    Verify {
        /// State directory, or the directory with the segments.
        dir: PathBuf,
        /// Write what is sound to a new directory.
        #[arg(long, value_name = "OUT")]
        repair: Option<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print every record.
    Dump {
        /// State directory, or the directory with the segments.
        dir: PathBuf,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command line with the given algorithms; the exit code is the process's.
///
/// Codes: 0 done, 1 failed, 2 usage or configuration, 5 inconclusive measurements.
#[must_use]
pub fn main(registry: AlgorithmRegistry) -> ExitCode {
    let arguments = Arguments::parse();
    init_log();
    let code = match arguments.verb {
        Verb::Run(arguments) => run::run(&arguments, registry),
        Verb::Check(arguments) => check::check(&arguments, &registry),
        Verb::Bench(arguments) => bench::bench(&arguments),
        Verb::Journal(JournalVerb::Verify { dir, repair, json }) => {
            journal::verify(&dir, repair.as_deref(), json)
        }
        Verb::Journal(JournalVerb::Dump { dir, json }) => journal::dump(&dir, json),
        #[cfg(feature = "venue")]
        Verb::Venue(verb) => venue::venue(verb),
    };
    ExitCode::from(code)
}

/// Cold-side log lines go to standard error; `SHRIKE_LOG` sets the filter.
fn init_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("SHRIKE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // A binary that embeds this may have set its own subscriber: then that one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A closed pipe must not panic in the thread that has something to say.
        .log_internal_errors(false)
        .without_time()
        .try_init();
}

/// The file's configuration, or the one of a run without a file.
fn load(file: Option<&std::path::Path>) -> Result<Config, ConfigErrors> {
    file.map_or_else(|| Ok(Config::default()), Config::load)
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::config::parse_duration(text)
}

/// Writes to standard output; a closed pipe ends the output, not the engine.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes an error to standard error, with its word in front unless it has one.
fn complain(error: &impl std::fmt::Display) {
    use std::io::Write;
    let text = error.to_string();
    let word = if text.starts_with("error") {
        ""
    } else {
        "error: "
    };
    let _ = writeln!(std::io::stderr().lock(), "{word}{text}");
}
