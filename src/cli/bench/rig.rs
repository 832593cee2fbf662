//! One hot path for measurements: RISK, ORDER and a paper gateway with the engine's own rings, controls and journal.
//!
//! Runs on: start-up; the caller keeps its ends, the agents go to a thread or stay.
//! Owns: which agent holds which end, every control's setting, and the check of the final state.
//! Never: leaves a control out: orders of the bench pass all that orders of an engine pass.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::orders::{CASH, OrderSource, quote};
use crate::cold::StageLatency;
use crate::gateway::GatewayRings;
use crate::gateway::paper::{self, PaperParts, PaperSettings};
use crate::journal::{
    self, Journal, JournalFollower, JournalSettings, JournalWriter, Record, StateDir,
};
use crate::order::{FastExecutionPath, OrderGauges, OrderRings, OrderSettings, PortHealth};
use crate::ring::{BoardReader, BoardWriter, Consumer, Producer, RingKind, Topology, board};
use crate::risk::{Access, InstrumentRule, RateLimit, RiskAgent, RiskRings, RiskSettings};
use crate::risk::{RiskStatus, RiskStatusReading};
use crate::runtime::{Agent, Clock, Guard};
use crate::sim::ExchangeSettings;
use crate::types::{
    AccountStatement, BookSide, BootEpoch, BrokerId, Event, InstrumentId, InstrumentTable,
    MarketUpdate, Money, Nanos, Order, OrderEvent, OrderReport, OrderStatus, PortCommand, Quantity,
    QuoteUpdate, Ratio, RecoveredState, ReportKind, RoutingTable, SessionSchedule, SessionWindow,
};

/// Working orders that fit into every table.
pub(super) const CAPACITY: usize = 131_072;
const HOUR_NS: u64 = 3_600_000_000_000;
/// Where virtual time begins.
pub(super) const START: Nanos = Nanos(1_700_000_000_000_000_000);

/// Why there is no figure, or why the figures do not count.
pub(super) type Failure = String;

/// How a rig is made.
#[derive(Clone, Debug)]
pub(super) struct RigSettings {
    pub clock: Clock,
    pub instruments: u32,
    pub pace: Pace,
    /// Reports that the port's ring holds, unless the engine's own size.
    pub port_reports: Option<usize>,
    /// Hot segments of 8 MiB.
    pub hot_segments: usize,
}

/// The hot agents in flow order.
pub(super) type Hot = Vec<Box<dyn Agent>>;

/// What the caller keeps.
pub(super) struct Desk {
    pub source: OrderSource,
    pub clock: Clock,
    pub guard: Guard,
    pub latency: StageLatency,
    pub tally: Tally,
    pub on_tmpfs: bool,
    requests: Producer<PortCommand>,
    reports: Consumer<OrderReport>,
    events: Consumer<Event>,
    board: BoardWriter,
    market: Producer<MarketUpdate>,
    dirty: Producer<InstrumentId>,
    statement: Arc<OnceLock<AccountStatement>>,
    risk: Arc<RiskStatus>,
    gauges: Arc<OrderGauges>,
    /// Lent to another thread while that one copies.
    follower: Option<JournalFollower>,
    state: StateDir,
    _dir: TempDir,
}

/// What the port was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub accepted: u64,
    pub filled: u64,
    /// Refused, rejected, canceled, in doubt: nothing of the kind should happen.
    pub other: u64,
    /// Requests that found the port's ring full.
    pub busy: u64,
    pub events: u64,
    pub last_internal_ns: u64,
    pub last_report_stamp: u64,
}

/// How fast orders come: what the rate limit and the duplicate check have to remember.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    /// A thousand orders a second of the engine's time; an equal order within 500 ms is a duplicate.
    Calm,
    /// Up to two million orders a second; an equal order within 50 ms is a duplicate.
    Storm,
}

impl Pace {
    /// Virtual time between two orders.
    pub const fn step_ns(self) -> u64 {
        match self {
            Self::Calm => 1_000_000,
            Self::Storm => 1_000,
        }
    }
}

/// Every control of RISK, at limits that the bench's orders meet.
pub(super) fn risk_settings(epoch: BootEpoch, instruments: u32, pace: Pace) -> RiskSettings {
    let rows = InstrumentRule {
        tick: InstrumentTable::DEFAULT_TICK,
        fine_tick: InstrumentTable::DEFAULT_TICK,
        lot: InstrumentTable::DEFAULT_LOT,
        access: Access::Allowed,
        shortable: true,
    };
    let base = RiskSettings::new(epoch, vec![rows; instruments as usize], 1, 2, 1);
    let (rate, duplicate_window_ns) = match pace {
        Pace::Calm => (RateLimit::new(4_096, 1_000_000_000), 500_000_000),
        Pace::Storm => (RateLimit::new(16_384, 8_000_000), 50_000_000),
    };
    let many = Quantity::from_units(8_000_000_000_000_000_000);
    RiskSettings {
        capacity: CAPACITY,
        max_order_notional: Some(Money::from_whole(1_000_000)),
        max_position: many,
        max_open_orders: CAPACITY as u32,
        max_open_orders_per_symbol: Some(CAPACITY as u32),
        max_open_orders_per_strategy: Some(CAPACITY as u32),
        max_daily_loss: Some(Ratio::from_units(500_000_000)),
        max_drawdown: Some(Ratio::from_units(500_000_000)),
        strategy_order_rate: Some(rate),
        account_order_rate: Some(rate),
        duplicate_window_ns,
        max_quote_age_ns: Some(60_000_000_000),
        ..base
    }
}

/// One session that is open throughout.
pub(super) fn always_open(start: Nanos) -> SessionSchedule {
    let from = Nanos(start.0 - HOUR_NS);
    let to = start.plus(24 * HOUR_NS);
    SessionSchedule::new(vec![SessionWindow {
        date: 20_200_102,
        roll: from,
        pre_open: from,
        open: from,
        close: to,
        post_close: to,
    }])
}

/// A table of this many shortable symbols.
pub(super) fn instruments(count: u32) -> InstrumentTable {
    let mut table = InstrumentTable::new();
    for number in 0..count {
        if let Ok(symbol) = format!("S{number}").parse() {
            table.add(symbol);
        }
    }
    table
}

fn text(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}

/// Rings from and to the hot agents.
struct Joints {
    topology: Topology,
    kill: Arc<crate::types::KillWord>,
    board: BoardReader,
    schedule: SessionSchedule,
    routing: RoutingTable,
    risk: Arc<RiskStatus>,
    statement: Arc<OnceLock<AccountStatement>>,
    recovered: RecoveredState,
}

/// Builds the path with its journal in a directory of its own, greets, and quotes every instrument.
pub(super) fn rig(settings: &RigSettings) -> Result<(Hot, Desk), Failure> {
    let clock = settings.clock.clone();
    let now = clock.now();
    let guard = Guard::default();
    let dir = tempfile::Builder::new()
        .prefix("shrike-bench-")
        .tempdir()
        .map_err(text)?;
    let state = StateDir::open(dir.path()).map_err(text)?;
    let epoch = state.bump_epoch().map_err(text)?;
    let hot_bytes = (settings.hot_segments as u64) << 23;
    let hot_dir = state.hot_dir_below(Path::new("/dev/shm"), hot_bytes);
    let on_tmpfs = !hot_dir.starts_with(state.path());
    let (writer, follower) = journal::create(JournalSettings {
        hot_segments: settings.hot_segments,
        started_at: now,
        ..JournalSettings::new(state.path(), &hot_dir, epoch)
    })
    .map_err(text)?;
    let (board, reader) = board(settings.instruments as usize);
    let mut joints = Joints {
        topology: Topology::new(),
        kill: Arc::clone(&guard.kill),
        board: reader,
        schedule: always_open(now),
        routing: RoutingTable::new(1, BrokerId(0), Vec::new()),
        risk: Arc::new(RiskStatus::new()),
        statement: Arc::new(OnceLock::new()),
        recovered: RecoveredState::default(),
    };
    let (hot, ends) = agents(settings, epoch, &mut joints, writer)?;
    let desk = Desk {
        source: OrderSource::new(epoch, settings.instruments),
        clock,
        guard,
        latency: StageLatency::new(),
        tally: Tally::default(),
        on_tmpfs,
        requests: ends.requests,
        reports: ends.reports,
        events: ends.events,
        board,
        market: ends.market,
        dirty: ends.dirty,
        statement: joints.statement,
        risk: joints.risk,
        gauges: ends.gauges,
        follower: Some(follower),
        state,
        _dir: dir,
    };
    Ok((hot, desk))
}

struct Ends {
    requests: Producer<PortCommand>,
    reports: Consumer<OrderReport>,
    events: Consumer<Event>,
    market: Producer<MarketUpdate>,
    dirty: Producer<InstrumentId>,
    gauges: Arc<OrderGauges>,
}

fn agents(
    settings: &RigSettings,
    epoch: BootEpoch,
    joints: &mut Joints,
    writer: JournalWriter,
) -> Result<(Hot, Ends), Failure> {
    let topology = &mut joints.topology;
    let (decisions_in, decisions_out) = topology.ring(RingKind::Decisions, None, None);
    let (exposure_in, exposure_out) = topology.ring(RingKind::Exposure, None, None);
    let (events_in, events) = topology.ring(RingKind::OrderEvents, None, None);
    let (requests, risk_port) = topology.ring(RingKind::PortRequests, Some(0), None);
    let (port_reports, reports) =
        topology.ring(RingKind::PortReports, Some(0), settings.port_reports);
    let (dirty, dirty_out) = topology.ring(RingKind::DirtyInstruments, None, None);
    let (command_in, command_out) = topology.ring(RingKind::BrokerCommands, Some(0), None);
    let (report_in, report_out) = topology.ring(RingKind::BrokerReports, Some(0), None);
    let (market, market_out) = topology.ring(RingKind::MarketToPaper, Some(0), None);
    let risk = RiskAgent::new(
        &risk_settings(epoch, settings.instruments, settings.pace),
        RiskRings {
            ports: vec![risk_port],
            decisions: decisions_in,
            exposure: exposure_out,
            dirty: dirty_out,
        },
        joints.board.clone(),
        settings.clock.clone(),
        Arc::clone(&joints.kill),
        joints.schedule.clone(),
        joints.routing.clone(),
        Arc::clone(&joints.risk),
        &joints.recovered,
    );
    let order = FastExecutionPath::new(
        OrderSettings::new(1, 1, 2, joints.routing.clone()),
        OrderRings {
            decisions: decisions_out,
            exposure: exposure_in,
            commands: vec![command_in],
            reports: vec![report_out],
            port_reports: vec![port_reports],
            events: events_in,
        },
        writer,
        settings.clock.clone(),
        Arc::clone(&joints.kill),
        Arc::new(PortHealth::new(1)),
        &joints.recovered,
    )
    .map_err(text)?;
    let gauges = Arc::clone(order.gauges());
    let rings = GatewayRings {
        commands: command_out,
        reports: report_in,
    };
    let gateway = paper_broker(settings, epoch, joints, rings, market_out);
    let ends = Ends {
        requests,
        reports,
        events,
        market,
        dirty,
        gauges,
    };
    Ok((vec![Box::new(risk), Box::new(order), gateway], ends))
}

fn paper_broker(
    settings: &RigSettings,
    epoch: BootEpoch,
    joints: &Joints,
    rings: GatewayRings,
    market: Consumer<MarketUpdate>,
) -> Box<dyn Agent> {
    Box::new(paper::gateway(PaperParts {
        settings: PaperSettings {
            exchange: exchange_settings(epoch),
            ..PaperSettings::default()
        },
        rings,
        market,
        clock: settings.clock.clone(),
        kill: Arc::clone(&joints.kill),
        schedule: joints.schedule.clone(),
        instruments: &instruments(settings.instruments),
        recovered: &joints.recovered,
        statement: Arc::clone(&joints.statement),
    }))
}

/// The exchange that every measurement uses.
pub(super) fn exchange_settings(epoch: BootEpoch) -> ExchangeSettings {
    ExchangeSettings {
        cash: Money::from_whole(CASH),
        epoch,
        max_open_orders: CAPACITY,
        ports: 1,
        ..ExchangeSettings::default()
    }
}

impl Desk {
    /// Renews every quote: the board, RISK's marks, the exchange's books. The agents have to be polled meanwhile.
    pub fn quote_all(&mut self, mut between: impl FnMut()) {
        let now = self.clock.now();
        let quote = quote(now);
        for number in 0..self.source.positions.len() as u32 {
            let instrument = InstrumentId(number);
            self.board.write_quote(instrument, &quote);
            // A full ring makes RISK read every quote again.
            let _ = self.dirty.push(instrument);
            let update = MarketUpdate::Quote(QuoteUpdate {
                instrument,
                side: BookSide::Both,
                quote,
            });
            while !self.market.has_room(1) {
                between();
            }
            let pushed = self.market.push(update);
            debug_assert!(pushed.is_ok(), "invariant: room was seen");
        }
    }

    /// Whether the port's ring has room; counted as busy where not.
    pub fn has_room(&mut self) -> bool {
        let room = self.requests.has_room(1);
        self.tally.busy += u64::from(!room);
        room
    }

    /// Sends an order: the stamp is read just before the push. Returns the stamp.
    pub fn submit(&mut self, order: Order) -> u64 {
        let mut request = self.source.request(order, self.clock.now());
        request.signal_stamp = self.clock.stamp();
        let pushed = self.requests.push(PortCommand::New(request));
        debug_assert!(pushed.is_ok(), "invariant: room was seen");
        request.signal_stamp
    }

    /// Takes at most `limit` reports of the port.
    pub fn take_reports(&mut self, limit: usize) {
        for _ in 0..limit {
            let Some(report) = self.reports.pop() else {
                return;
            };
            self.note(&report);
        }
    }

    fn note(&mut self, report: &OrderReport) {
        match report.event {
            OrderEvent::Submitted | OrderEvent::Sent => {}
            // The exchange answers at once: its answer brings the stamps of the write.
            OrderEvent::Accepted => {
                self.tally.accepted += 1;
                self.tally.last_internal_ns = u64::from(report.stamps.encode);
            }
            OrderEvent::Filled(_) if report.status == OrderStatus::Filled => {
                self.tally.filled += 1;
                self.tally.last_report_stamp = report.received_stamp;
            }
            _ => self.tally.other += 1,
        }
    }

    /// Takes the same reports, and every stage into the histograms.
    pub fn take_reports_timed(&mut self) {
        while let Some(report) = self.reports.pop() {
            self.note(&report);
            match report.event {
                OrderEvent::Accepted => {
                    self.latency.record_sent(&report.stamps);
                    self.latency
                        .record_ack(&report.stamps, report.received_stamp);
                }
                OrderEvent::Filled(_) => {
                    self.latency
                        .record_fill(&report.stamps, report.received_stamp);
                }
                _ => {}
            }
        }
    }

    /// Takes at most `limit` events, as the cold side would.
    pub fn take_events(&mut self, limit: usize) {
        for _ in 0..limit {
            if self.events.pop().is_none() {
                return;
            }
            self.tally.events += 1;
        }
    }

    /// Whether the broker's link is up and RISK knows the account.
    pub fn is_ready(&self) -> bool {
        let reading: RiskStatusReading = self.risk.read();
        reading.equity.is_some()
    }

    /// Copies what the pen wrote to disk.
    pub fn copy_journal(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        match &mut self.follower {
            Some(follower) => follower.flush(now).map_err(text),
            None => Ok(()),
        }
    }

    /// Lets another thread copy the journal.
    pub fn lend_follower(&mut self) -> Option<JournalFollower> {
        self.follower.take()
    }

    pub fn take_follower_back(&mut self, follower: JournalFollower) {
        self.follower = Some(follower);
    }

    /// Checks orders, positions, cash and journal once the agents are closed.
    pub fn check(mut self) -> Result<u64, Failure> {
        let now = self.clock.now();
        self.take_reports(usize::MAX);
        let mut follower = self.follower.take().ok_or("the journal is lent")?;
        follower.close(now).map_err(text)?;
        let (made, resting) = (self.source.made(), self.source.resting);
        let tally = self.tally;
        let expect = |what: &str, found: u64, expected: u64| {
            if found == expected {
                Ok(())
            } else {
                Err(format!("{what}: {found} instead of {expected}"))
            }
        };
        expect("orders accepted", tally.accepted, made)?;
        expect("orders filled", tally.filled, made - resting)?;
        expect("unexpected reports", tally.other, 0)?;
        let order = self.gauges.read();
        expect("working orders", order.working, resting)?;
        expect("anomalies", order.anomalies, 0)?;
        expect("repeated executions", order.repeated_executions, 0)?;
        let statement = self.statement.get().ok_or("the exchange did not close")?;
        if statement.cash != self.source.cash {
            let (found, expected) = (statement.cash, self.source.cash);
            return Err(format!("cash: {found} instead of {expected}"));
        }
        for (number, &expected) in self.source.positions.iter().enumerate() {
            let id = InstrumentId(number as u32);
            let found = statement.positions.iter().find(|held| held.0 == id);
            let found = found.map_or(0, |held| held.1.units());
            if found != expected {
                return Err(format!("position {number}: {found} instead of {expected}"));
            }
        }
        self.check_journal(made, made - resting)
    }

    /// Counts the records: an intent and an `Accepted` an order, and its fill.
    fn check_journal(&self, orders: u64, fills: u64) -> Result<u64, Failure> {
        let (mut counts, mut records) = ([0u64; 3], 0);
        for entry in Journal::read(self.state.path(), None).map_err(text)? {
            records += 1;
            match entry.map_err(text)?.record {
                Record::Intent(_) => counts[0] += 1,
                Record::Execution(report) => match report.kind {
                    ReportKind::Sent => {}
                    ReportKind::Accepted => counts[1] += 1,
                    ReportKind::Fill => counts[2] += 1,
                    kind => return Err(format!("a record of {kind:?}")),
                },
                _ => {}
            }
        }
        let expected = [orders, orders, fills];
        if counts == expected {
            Ok(records)
        } else {
            Err(format!("journal: {counts:?} instead of {expected:?}"))
        }
    }
}
