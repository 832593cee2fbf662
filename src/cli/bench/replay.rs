//! Recorded quotes through board, RISK's marks and the simulator, in virtual time: rows a second.
//!
//! Runs on: the caller's thread, as a replay does.
//! Owns: an archive in LEAN's format, made for the run: a random walk, two rows a change as in recorded data.
//! Never: counts the unpacking of the archive; reading its rows is part of the figure.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::gate::bare_trip;
use super::report::{Figure, Goal};
use super::rig::{Failure, Pace, exchange_settings, instruments, risk_settings};
use super::trials::{Trial, best, median};
use super::twin;
use crate::gateway::GatewayRings;
use crate::gateway::paper::{self, PaperParts, PaperSettings};
use crate::market::{FeedOutputs, LeanSettings, LeanSource, MarketFeed, MarketSource, TradeFiles};
use crate::market::{FeedStatus, calendar};
use crate::ring::{RingKind, Topology, board};
use crate::risk::{RiskAgent, RiskRings, RiskStatus};
use crate::runtime::{Clock, Guard, Invoker, InvokerError, ManualTime};
use crate::types::{
    BootEpoch, BrokerId, Exposure, InstrumentId, InstrumentTable, RecoveredState, RiskDecision,
    RoutingTable,
};

/// Rows of the archive.
const ROWS: u64 = 1_000_000;
/// Rows timed together: below 4 ms.
const SLICE: u64 = 1_000;
/// Slices a trial.
const SLICES: usize = 3;
const SYMBOL: &str = "S0";
const DATE: &str = "2013-10-07";

/// Writes the archive: a day from 09:30 on, milliseconds since midnight, prices in 1/10,000.
fn archive(root: &Path, rows: u64) -> Result<(), std::io::Error> {
    let mut text = String::with_capacity(rows as usize * 40);
    let (mut middle, mut random) = (1_835_000i64, 42u64);
    for change in 0..rows / 2 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        middle += [-100, 0, 0, 100][(random >> 62) as usize];
        let size = 1 + (random >> 40) % 20;
        let ms = 34_200_000 + change * 23_000_000 / (rows / 2);
        let (bid, ask) = (middle - 100, middle + 100);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{ms},{bid},{}00,0,0,P,1,0", size);
        let _ = writeln!(text, "{ms},0,0,{ask},{}00,P,1,0", 21 - size);
    }
    let file = std::fs::File::create(root.join("s0_20131007_quote.zip"))?;
    let mut zip = zip::ZipWriter::new(file);
    zip.start_file("quotes.csv", zip::write::SimpleFileOptions::default())?;
    zip.write_all(text.as_bytes())?;
    zip.finish()?;
    Ok(())
}

fn text(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}

/// A replay without orders: MARKET, RISK and the paper gateway; ORDER would be idle.
struct Replay {
    invoker: Invoker,
    status: Arc<FeedStatus>,
    clock: Clock,
    /// Ends that ORDER would hold.
    _decisions: crate::ring::Consumer<RiskDecision>,
    _exposure: crate::ring::Producer<Exposure>,
    reports: crate::ring::Consumer<crate::types::BrokerReport>,
}

impl Replay {
    fn open(root: &Path) -> Result<Self, Failure> {
        let symbol = SYMBOL.parse().map_err(text)?;
        let source = LeanSource::open(&LeanSettings {
            root: root.to_owned(),
            symbols: vec![(symbol, InstrumentId(0))],
            dates: DATE.parse().map_err(text)?,
            trades: TradeFiles::Ignored,
        })
        .map_err(text)?;
        let start = source.start_time().ok_or("the archive is empty")?;
        let time = ManualTime::new(start);
        let clock = Clock::manual(time.clone());
        let date = calendar::trading_date(start, calendar::DEFAULT_DAY_ROLL).map_err(text)?;
        let schedule = calendar::nyse(date, 2, calendar::DEFAULT_DAY_ROLL).map_err(text)?;
        let guard = Guard::default();
        let mut topology = Topology::new();
        let (writer, reader) = board(1);
        let (decisions_in, decisions) = topology.ring(RingKind::Decisions, None, None);
        let (exposure, exposure_out) = topology.ring(RingKind::Exposure, None, None);
        let (dirty, dirty_out) = topology.ring(RingKind::DirtyInstruments, None, None);
        let (_commands, command_out) = topology.ring(RingKind::BrokerCommands, Some(0), None);
        let (report_in, reports) = topology.ring(RingKind::BrokerReports, Some(0), None);
        let (market, market_out) = topology.ring(RingKind::MarketToPaper, Some(0), None);
        let (_requests, port) = topology.ring(RingKind::PortRequests, Some(0), None);
        let recovered = RecoveredState::default();
        let routing = RoutingTable::new(1, BrokerId(0), Vec::new());
        let risk = RiskAgent::new(
            &risk_settings(BootEpoch::FIRST, 1, Pace::Calm),
            RiskRings {
                ports: vec![port],
                decisions: decisions_in,
                exposure: exposure_out,
                dirty: dirty_out,
            },
            reader,
            clock.clone(),
            Arc::clone(&guard.kill),
            schedule.clone(),
            routing,
            Arc::new(RiskStatus::new()),
            &recovered,
        );
        let table: InstrumentTable = instruments(1);
        let gateway = paper::gateway(PaperParts {
            settings: PaperSettings {
                exchange: exchange_settings(BootEpoch::FIRST),
                ..PaperSettings::default()
            },
            rings: GatewayRings {
                commands: command_out,
                reports: report_in,
            },
            market: market_out,
            clock: clock.clone(),
            kill: Arc::clone(&guard.kill),
            schedule,
            instruments: &table,
            recovered: &recovered,
            statement: Arc::default(),
        });
        let outputs = FeedOutputs {
            board: writer,
            paper: vec![market],
            dirty,
            algorithms: Vec::new(),
        };
        let feed = MarketFeed::new(Box::new(source), outputs, 1).map_err(text)?;
        let status = feed.status();
        let invoker = Invoker::builder()
            .agent(Box::new(risk))
            .agent(Box::new(gateway))
            .source(Box::new(feed))
            .build(time, guard);
        Ok(Self {
            invoker,
            status,
            clock,
            _decisions: decisions,
            _exposure: exposure,
            reports,
        })
    }

    /// Goes on by this many rows; whether there were as many, and the nanoseconds a row.
    fn rows(&mut self, count: u64) -> Result<(bool, f64), InvokerError> {
        let until = self.status.delivered() + count;
        let begin = self.clock.stamp();
        let mut more = true;
        while more && self.status.delivered() < until {
            more = self.invoker.advance()?.is_some();
        }
        let took = self.clock.stamp() - begin;
        Ok((more, took as f64 / count as f64))
    }
}

/// Measures in slices through the whole archive.
pub(super) fn measure(quick: bool) -> Result<Figure, Failure> {
    let rows = if quick { ROWS / 10 } else { ROWS };
    let root = tempfile::tempdir().map_err(text)?;
    archive(root.path(), rows).map_err(text)?;
    let mut replay = Replay::open(root.path())?;
    replay.invoker.start().map_err(text)?;
    replay
        .invoker
        .run_until_idle(replay.clock.now())
        .map_err(text)?;
    let (mut caller, mut stages) = twin::twin();
    let clock = Clock::real();
    let mut found = Vec::new();
    // The first rows warm the caches.
    let mut more = replay.rows(SLICE).map_err(text)?.0;
    while more {
        let twin_ns = bare_trip(&clock, &mut caller, &mut stages);
        let mut times = Vec::with_capacity(SLICES);
        while more && times.len() < SLICES {
            let (went_on, time) = replay.rows(SLICE).map_err(text)?;
            more = went_on;
            if went_on {
                times.push(time);
            }
        }
        if times.len() == SLICES {
            let figures_ns = vec![median(&mut times)];
            found.push(Trial {
                twin_ns,
                figures_ns,
            });
        }
    }
    let delivered = replay.status.delivered();
    if delivered != rows || replay.status.error().is_some() || replay.status.bad() != 0 {
        return Err(format!(
            "replay: {delivered} rows of {rows}, {:?}",
            replay.status.error()
        ));
    }
    while replay.reports.pop().is_some() {}
    let best = best(&found);
    let rate = 1e9 / best.figures_ns[0];
    let name = "replay: LEAN quote rows through board, risk marks, simulator";
    let mut figure = Figure::derived(name, "rows/s", rate, best.is_conclusive());
    (figure.trials_kept, figure.trials) = (best.kept, best.trials);
    Ok(figure.goal(Goal::AtLeast(1e6)))
}
