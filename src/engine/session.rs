//! The begin and the end of a session, as its user sees them.
//!
//! Runs on: the caller's thread.
//! Owns: the banner, the question whether a run is over, the orderly end, and the report.
//! Never: counts anything itself: the report is made from the journal.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::boot::OwnRecords;
use super::error::EngineError;
use super::execution_engine::RunState;
use super::settings;
use super::shared::EnginePhase;
use super::wiring::Wired;
use crate::cold::{JournalFigures, MarketFigures, Names, Session, SessionInfo};
use crate::config::Config;
use crate::journal::Record;
use crate::types::{AccountStatement, KillScope, Nanos};

/// Whether the run goes on, has come to its end, or has failed.
pub(super) fn run_state(wired: &mut Wired) -> Result<RunState, EngineError> {
    if let Some(fault) = wired
        .guard
        .faults
        .faults()
        .into_iter()
        .find(|fault| fault.scope == KillScope::Firm)
    {
        // At once: whoever sees the fault may end the process without an orderly shutdown.
        wired.boot.state.write_halt(&fault.to_string())?;
        return Ok(RunState::Faulted(EngineError::Fault(fault)));
    }
    if let Some(error) = wired.journal.error() {
        let error = EngineError::JournalFailed(error.to_owned());
        return Ok(RunState::Faulted(error));
    }
    if let Some(error) = wired.feed.error() {
        return Ok(RunState::Faulted(EngineError::Market(error)));
    }
    if !wired.feed.is_over() {
        return Ok(RunState::Running);
    }
    // The data has ended: no new orders, and what it moved comes to its end.
    if wired.shared.phase() == EnginePhase::Trading {
        wired.shared.set_phase(EnginePhase::ShuttingDown);
    }
    run_out(wired)?;
    Ok(RunState::Finished)
}

/// In virtual time, day orders live to see the end of their session.
fn run_out(wired: &mut Wired) -> Result<(), EngineError> {
    let last = wired.feed.last();
    let end = wired.schedule.current(last).map(|window| window.post_close);
    let gauges = Arc::clone(&wired.order_gauges);
    let until = end.unwrap_or(last).max(last).plus(1);
    wired.machine.run_out(until, || gauges.read().working > 0)
}

/// Ends every agent in order, without a report: the engine was dropped.
pub(super) fn abandon(wired: &mut Wired) {
    wired.shared.set_phase(EnginePhase::ShuttingDown);
    // Nobody is there to be told; the journal has what happened.
    let _ = wired.machine.close();
    let faults = wired.guard.faults.faults();
    if let Some(fault) = faults.iter().find(|fault| fault.scope == KillScope::Firm) {
        let _ = wired.boot.state.write_halt(&fault.to_string());
    }
    wired.shared.set_phase(EnginePhase::Stopped);
}

/// Ends everything in order and makes the report.
pub(super) fn end(
    mut wired: Wired,
    config: &Config,
    report_dir: Option<&Path>,
) -> Result<Session, EngineError> {
    wired.shared.set_phase(EnginePhase::ShuttingDown);
    let ended_at = wired.clock.now();
    let drained = wired
        .machine
        .drain(&wired.topology, settings::longest_way(config));
    let closed = wired.machine.close();
    wired.shared.set_phase(EnginePhase::Stopped);
    if let Some(fault) = wired
        .guard
        .faults
        .faults()
        .into_iter()
        .find(|fault| fault.scope == KillScope::Firm)
    {
        wired.boot.state.write_halt(&fault.to_string())?;
    }
    let session = report(&wired, config, ended_at)?;
    if let Some(dir) = report_dir {
        session.write(dir)?;
    }
    drained.and(closed)?;
    Ok(session)
}

fn report(wired: &Wired, config: &Config, ended_at: Nanos) -> Result<Session, EngineError> {
    let cold = wired.cold.snapshot();
    let mut records: Vec<(u64, Nanos, Record)> = Vec::new();
    OwnRecords::of(&wired.boot)
        .visit(&mut |sequence, time, record| records.push((sequence, time, *record)))?;
    let started_at = records.first().map_or(ended_at, |(_, time, _)| *time);
    let statements: Vec<AccountStatement> = wired
        .statements
        .iter()
        .filter_map(|cell| OnceLock::get(cell))
        .cloned()
        .collect();
    let info = SessionInfo {
        trading_mode: config.trading_mode,
        execution_mode: config.execution_mode,
        layout: wired.plan.layout.name().to_owned(),
        started_at: instant_text(started_at),
        ended_at: instant_text(ended_at),
        seed: config.seed,
        epoch: wired.boot.epoch.get(),
        market: market(wired),
        names: Names {
            instruments: wired.shared.instruments.as_ref().clone(),
            brokers: wired
                .shared
                .brokers
                .iter()
                .map(|broker| broker.name.clone())
                .collect(),
            strategies: wired.roster.names.clone(),
        },
        marks: wired.cold.marks(),
        events: cold.metrics.events_processed,
        events_dropped: cold.metrics.events_dropped,
        journal: JournalFigures {
            records: records.len() as u64,
            bytes: wired.journal.disk_bytes(),
            durable_sequence: wired.journal.durable_sequence(),
        },
        statements,
        rings: wired.topology.readings(),
    };
    Ok(Session::new(
        info,
        &wired.recovered,
        wired.cold.latency(),
        records,
    ))
}

fn market(wired: &Wired) -> MarketFigures {
    let rows = wired.feed.rows();
    MarketFigures {
        rows: rows.read,
        delivered: wired.feed.delivered(),
        bad_rows: rows.bad,
        suspicious_rows: rows.suspicious,
        other_symbols: rows.other_symbols,
        first_bad_rows: rows.first_bad.iter().map(ToString::to_string).collect(),
    }
}

/// RFC 3339 in UTC.
fn instant_text(at: Nanos) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .map_or_else(|_| at.to_string(), |instant| instant.to_string())
}

/// Layout, state and what was recovered.
pub(super) fn banner(wired: &Wired, config: &Config) -> String {
    let mut text = format!(
        "shrike {}  {} trading, {}\n",
        env!("CARGO_PKG_VERSION"),
        config.trading_mode.as_str(),
        config.execution_mode.as_str()
    );
    text.push_str(&wired.plan.describe());
    let temporary = if wired.boot.temporary.is_some() {
        " (temporary)"
    } else {
        ""
    };
    text.push_str(&format!(
        "state {}{temporary}, boot epoch {}\n",
        wired.boot.state.path().display(),
        wired.boot.epoch.get()
    ));
    text.push_str(&format!("memory lock: {}\n", wired.memory));
    text.push_str(&recovery(wired));
    text.trim_end().to_owned()
}

fn recovery(wired: &Wired) -> String {
    let found = &wired.boot.recovered;
    if found.records == 0 {
        return String::new();
    }
    let state = &wired.recovered;
    let open = state
        .positions
        .iter()
        .filter(|held| !held.position.quantity.is_zero())
        .count();
    let mut text = format!(
        "recovered {} records: {} working orders, {open} open positions",
        found.records,
        state.orders.len()
    );
    for account in &state.accounts {
        let name = wired.shared.brokers.get(account.broker.index());
        let name = name.map_or("?", |broker| broker.name.as_str());
        text.push_str(&format!(", {name} cash {}", account.cash));
    }
    if found.torn_bytes > 0 {
        text.push_str(&format!(
            "; {} torn bytes at the end left out",
            found.torn_bytes
        ));
    }
    text.push('\n');
    if let Some(reason) = &wired.boot.halted {
        text.push_str(&format!("trading is halted since the last run: {reason}\n"));
    }
    text
}
