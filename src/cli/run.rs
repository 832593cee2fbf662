//! `shrike run`: the engine from start to session report.
//!
//! Runs on: the main thread.
//! Owns: the banner, a line of progress a second, signals, and the way the run ends.
//! Never: decides anything about an order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{FAILED, RunArguments, USAGE, complain, load, say};
use crate::cold::ReportError;
use crate::config::Config;
use crate::engine::{AlgorithmRegistry, EngineError, ExecutionEngine, RunState};
use crate::types::TradingMode;

pub(super) fn run(arguments: &RunArguments, registry: AlgorithmRegistry) -> u8 {
    let config = match load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(errors) => {
            complain(&errors);
            return USAGE;
        }
    };
    if (config.trading_mode == TradingMode::Live) != arguments.live {
        complain(
            &"live trading needs trading_mode = \"live\" in the file and --live; only one of them is given",
        );
        return USAGE;
    }
    match session(arguments, config, registry) {
        Ok(()) => 0,
        Err(error) => {
            complain(&error);
            if error.is_usage() { USAGE } else { FAILED }
        }
    }
}

fn session(
    arguments: &RunArguments,
    config: Config,
    registry: AlgorithmRegistry,
) -> Result<(), EngineError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without a handler the signal still ends the process; the journal survives that too.
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    let quiet = arguments.json;
    for note in config.notes().iter().filter(|_| !quiet) {
        say(&format!("note: {note}"));
    }
    if let Some(dir) = arguments.report.as_ref().or(config.report.dir.as_ref()) {
        // Found out now rather than at the end, when the session has no other place to go to.
        std::fs::create_dir_all(dir).map_err(|source| ReportError::Directory {
            path: dir.clone(),
            source,
        })?;
    }
    let mut builder = ExecutionEngine::builder(config)
        .registry(registry)
        .fresh_state(arguments.config.is_none())
        .resume(arguments.resume);
    if let Some(dir) = &arguments.report {
        builder = builder.report_dir(dir);
    }
    let engine = builder.build()?;
    engine.initialize()?;
    if !quiet {
        say(&engine.banner());
    }
    engine.start_trading()?;
    let ended = watch(&engine, arguments.run_for, &stop, quiet);
    // Whatever ended it, the session has its report.
    let session = engine.shutdown()?;
    if quiet {
        say(&serde_json::to_string(&session.report)?);
    } else {
        say("");
        say(&session.to_string());
    }
    match (ended?, engine.journal_error()) {
        (Some(fault), _) => Err(fault),
        (None, Some(error)) => Err(EngineError::JournalFailed(error)),
        (None, None) => Ok(()),
    }
}

/// Runs until the market ends, the time is up, a signal comes or a fault stops the engine.
fn watch(
    engine: &ExecutionEngine,
    run_for: Option<Duration>,
    stop: &AtomicBool,
    quiet: bool,
) -> Result<Option<EngineError>, EngineError> {
    let started = Instant::now();
    let mut next_line = started + Duration::from_secs(1);
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let now = Instant::now();
        let left = run_for.map(|limit| limit.saturating_sub(now - started));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        let slice = next_line
            .saturating_duration_since(now)
            .min(Duration::from_millis(50));
        match engine.run_for(slice.min(left.unwrap_or(slice)))? {
            RunState::Running => {}
            RunState::Finished => return Ok(None),
            RunState::Faulted(fault) => return Ok(Some(fault)),
        }
        if Instant::now() >= next_line {
            next_line += Duration::from_secs(1);
            if !quiet {
                say(&progress(engine, started.elapsed()));
            }
        }
    }
}

fn progress(engine: &ExecutionEngine, elapsed: Duration) -> String {
    let snapshot = engine.progress();
    let p99 = snapshot
        .internal_p99_ns
        .map_or_else(|| "-".to_owned(), |ns| format!("{ns} ns"));
    format!(
        "{:>5}s  orders {:>8}  fills {:>8}  open {:>6}  p&l {:>12}  p99 {p99}",
        elapsed.as_secs(),
        snapshot.orders,
        snapshot.fills,
        snapshot.open_orders,
        money(snapshot.pnl),
    )
}

/// Money to the cent, for a line that people glance at.
fn money(amount: crate::types::Money) -> String {
    let cent = 10i128.pow(16);
    let cents = crate::types::decimal::div_half_even(amount.units(), cent);
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}
