//! The hot agents of `shared_hot` with every far end in the test's hands: RISK, ORDER with the real journal, and the
//! paper gateway.
//!
//! Runs on: tests and benches, on one thread, in virtual time.
//! Owns: the three agents in flow order, their rings, the journal's follower, and a count of what came back.
//! Never: does anything within [`HotRig::poll_hot`] but poll the agents.
#![allow(dead_code, reason = "each test file uses its own part of the rig")]

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use shrike::gateway::GatewayRings;
use shrike::gateway::paper::{PaperParts, PaperSettings, gateway};
use shrike::journal::{JournalFollower, JournalSettings, JournalStatus, create};
use shrike::order::{FastExecutionPath, OrderGauges, OrderRings, OrderSettings, PortHealth};
use shrike::ring::{BoardWriter, Consumer, Producer, RingGauge, board, channel};
use shrike::risk::{
    Access, InstrumentRule, RateLimit, RiskAgent, RiskRings, RiskSettings, RiskStatus,
};
use shrike::runtime::{Agent, Clock, ManualTime};
use shrike::sim::{ExchangeSettings, Latency};
use shrike::types::*;

pub const CENT: i64 = 10_000_000;
pub const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
pub const PAPER: BrokerId = BrokerId(0);
/// The strategy of port 0.
pub const MINE: StrategyId = StrategyId(1);
/// Ten on the first of [`DAYS`] trading dates.
pub const TEN: Nanos = Nanos(24 * HOUR + 10 * HOUR);
const DAYS: u64 = 400;
/// Polls in which the agents must come to rest.
const PATIENCE: usize = 1_000_000;

/// Slots of each ring; the defaults are the engine's own.
#[derive(Clone, Copy)]
pub struct Lengths {
    pub requests: usize,
    pub decisions: usize,
    pub exposure: usize,
    pub commands: usize,
    pub reports: usize,
    pub port_reports: usize,
    pub market: usize,
    pub dirty: usize,
    pub events: usize,
}

impl Default for Lengths {
    fn default() -> Self {
        use shrike::ring::RingKind as K;
        let of = |kind: K| kind.spec().capacity;
        Self {
            requests: of(K::PortRequests),
            decisions: of(K::Decisions),
            exposure: of(K::Exposure),
            commands: of(K::BrokerCommands),
            reports: of(K::BrokerReports),
            port_reports: of(K::PortReports),
            market: of(K::MarketToPaper),
            dirty: of(K::DirtyInstruments),
            events: of(K::OrderEvents),
        }
    }
}

/// What a rig is made from.
pub struct Plan {
    pub instruments: u32,
    pub max_open_orders: u32,
    pub ports: usize,
    pub lengths: Lengths,
    pub latency: Latency,
    pub segment_bytes: usize,
    pub hot_segments: usize,
    pub durable_default: bool,
    /// Changes RISK's settings.
    pub risk: fn(&mut RiskSettings),
    pub recovered: RecoveredState,
    /// Instruments that the paper broker does not lend.
    pub hard_to_borrow: Vec<InstrumentId>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            instruments: 4,
            max_open_orders: 10_000,
            ports: 2,
            lengths: Lengths::default(),
            latency: Latency::default(),
            segment_bytes: 1 << 20,
            hot_segments: 4,
            durable_default: false,
            risk: |_| {},
            recovered: RecoveredState::default(),
            hard_to_borrow: Vec::new(),
        }
    }
}

/// What came back, by name.
#[derive(Default, Debug)]
pub struct Tally {
    pub events: BTreeMap<&'static str, u64>,
    pub refusals: BTreeMap<RefusalCode, u64>,
    /// Messages on the way to the cold side.
    pub cold: u64,
}

/// See the module.
pub struct HotRig {
    agents: [Box<dyn Agent>; 3],
    pub requests: Vec<Producer<PortCommand>>,
    pub port_reports: Vec<Consumer<OrderReport>>,
    pub events: Consumer<Event>,
    pub market: Producer<MarketUpdate>,
    pub dirty: Producer<InstrumentId>,
    pub board: BoardWriter,
    pub kill: Arc<KillWord>,
    pub health: Arc<PortHealth>,
    pub order_gauges: Arc<OrderGauges>,
    pub gauges: BTreeMap<&'static str, Arc<RingGauge>>,
    pub journal: JournalStatus,
    pub status: Arc<RiskStatus>,
    pub tally: Tally,
    pub now: Nanos,
    time: ManualTime,
    follower: JournalFollower,
    sequence: u64,
    _state: tempfile::TempDir,
}

pub fn shares(n: i64) -> Quantity {
    Quantity::from_whole(n).expect("small")
}

pub fn cents(n: i64) -> Price {
    Price::from_units(n * CENT)
}

pub fn id(port: u8, sequence: u64) -> OrderId {
    OrderId::new(BootEpoch::FIRST, PortId(port), sequence).expect("an id")
}

/// Roll at 3, pre-market at 4, open at 9, close at 16, post-market until 20 o'clock.
fn schedule() -> SessionSchedule {
    let window = |day: u64| {
        let at = |hour: u64| Nanos((day * 24 + hour) * HOUR);
        SessionWindow {
            date: 20_130_000 + day as u32,
            roll: at(3),
            pre_open: at(4),
            open: at(9),
            close: at(16),
            post_close: at(20),
        }
    };
    SessionSchedule::new((1..=DAYS).map(window).collect())
}

fn table(instruments: u32, hard: &[InstrumentId]) -> InstrumentTable {
    let mut table = InstrumentTable::new();
    for n in 0..instruments {
        let id = table.add(format!("S{n}").parse().expect("a symbol"));
        let row = *table.get(id).expect("just added");
        let shortable = !hard.contains(&id);
        table.update(Instrument { shortable, ..row });
    }
    table
}

fn risk_settings(plan: &Plan) -> RiskSettings {
    let rule = InstrumentRule {
        tick: InstrumentTable::DEFAULT_TICK,
        fine_tick: Price::from_units(CENT / 100),
        lot: InstrumentTable::DEFAULT_LOT,
        access: Access::Allowed,
        shortable: true,
    };
    let rules = vec![rule; plan.instruments as usize];
    let mut settings = RiskSettings::new(BootEpoch::FIRST, rules, 1, 3, plan.ports);
    settings.capacity = capacity(plan);
    settings.max_open_orders = plan.max_open_orders;
    settings.max_position = Quantity::MAX;
    settings.max_order_notional = Some(Money::from_whole(10_000_000));
    settings.max_daily_loss = Some(Ratio::from_basis_points(5_000));
    settings.max_drawdown = Some(Ratio::from_basis_points(5_000));
    settings.strategy_order_rate = Some(RateLimit::new(200_000, SECOND));
    settings.account_order_rate = Some(RateLimit::new(200_000, SECOND));
    settings.max_quote_age_ns = Some(30 * SECOND);
    settings.duplicate_window_ns = 0;
    (plan.risk)(&mut settings);
    settings
}

fn capacity(plan: &Plan) -> usize {
    let working = plan.max_open_orders as usize;
    working + working.clamp(1_024, 16_384)
}

impl HotRig {
    pub fn new(plan: &Plan) -> Self {
        let state = tempfile::tempdir().expect("a state directory");
        let hot = state.path().join("hot");
        Self::with_hot_dir(plan, state, &hot)
    }

    /// With the hot segments where the engine puts them: on tmpfs.
    pub fn on_tmpfs(plan: &Plan) -> Self {
        let state = tempfile::tempdir_in("/dev/shm").expect("a directory on tmpfs");
        let hot = state.path().join("hot");
        Self::with_hot_dir(plan, state, &hot)
    }

    fn with_hot_dir(plan: &Plan, state: tempfile::TempDir, hot: &std::path::Path) -> Self {
        let mut journal = JournalSettings::new(state.path(), hot, BootEpoch::FIRST);
        journal.segment_bytes = plan.segment_bytes;
        journal.hot_segments = plan.hot_segments;
        journal.fsync = false;
        let (pen, follower) = create(journal).expect("a journal");
        let l = &plan.lengths;
        let mut gauges = BTreeMap::new();
        macro_rules! ring {
            ($name:literal, $length:expr) => {{
                let (writer, reader, gauge) = channel($name, $length);
                // Of several ports, the first one's.
                gauges.entry($name).or_insert(gauge);
                (writer, reader)
            }};
        }
        let (decisions_in, decisions) = ring!("decisions", l.decisions);
        let (exposure_in, exposure) = ring!("exposure", l.exposure);
        let (commands_in, commands) = ring!("commands", l.commands);
        let (reports_in, reports) = ring!("reports", l.reports);
        let (market, market_out) = ring!("market", l.market);
        let (dirty, dirty_out) = ring!("dirty", l.dirty);
        let (events_in, events) = ring!("events", l.events);
        let (mut requests, mut requests_out) = (Vec::new(), Vec::new());
        let (mut port_reports, mut port_reports_in) = (Vec::new(), Vec::new());
        for _ in 0..plan.ports {
            let (writer, reader) = ring!("requests", l.requests);
            requests.push(writer);
            requests_out.push(reader);
            let (writer, reader) = ring!("port_reports", l.port_reports);
            port_reports_in.push(writer);
            port_reports.push(reader);
        }
        let (board, board_reader) = board(plan.instruments as usize);
        let time = ManualTime::new(TEN);
        let clock = Clock::manual(time.clone());
        let kill = Arc::new(KillWord::new());
        let status = Arc::new(RiskStatus::new());
        let routing = RoutingTable::new(1, PAPER, Vec::new());
        let risk = RiskAgent::new(
            &risk_settings(plan),
            RiskRings {
                ports: requests_out,
                decisions: decisions_in,
                exposure,
                dirty: dirty_out,
            },
            board_reader,
            clock.clone(),
            Arc::clone(&kill),
            schedule(),
            routing.clone(),
            Arc::clone(&status),
            &plan.recovered,
        );
        let health = Arc::new(PortHealth::new(plan.ports));
        let mut settings = OrderSettings::new(plan.ports, 1, 3, routing);
        settings.capacity = capacity(plan);
        settings.durable_default = plan.durable_default;
        let journal = pen.status();
        let order = FastExecutionPath::new(
            settings,
            OrderRings {
                decisions,
                exposure: exposure_in,
                commands: vec![commands_in],
                reports: vec![reports],
                port_reports: port_reports_in,
                events: events_in,
            },
            pen,
            clock.clone(),
            Arc::clone(&kill),
            Arc::clone(&health),
            &plan.recovered,
        )
        .expect("what was recovered fits");
        let order_gauges = Arc::clone(order.gauges());
        let paper = gateway(PaperParts {
            settings: paper_settings(plan),
            rings: GatewayRings {
                commands,
                reports: reports_in,
            },
            market: market_out,
            clock,
            kill: Arc::clone(&kill),
            schedule: schedule(),
            instruments: &table(plan.instruments, &plan.hard_to_borrow),
            recovered: &plan.recovered,
            statement: Arc::new(OnceLock::new()),
        });
        let mut rig = Self {
            agents: [Box::new(risk), Box::new(order), Box::new(paper)],
            requests,
            port_reports,
            events,
            market,
            dirty,
            board,
            kill,
            health,
            order_gauges,
            gauges,
            journal,
            status,
            tally: Tally::default(),
            now: TEN,
            time,
            follower,
            sequence: 0,
            _state: state,
        };
        for agent in &mut rig.agents {
            agent.on_start(TEN);
        }
        rig
    }

    /// One cycle of the composite.
    #[inline]
    pub fn poll_hot(&mut self) -> usize {
        let now = self.now;
        self.agents.iter_mut().map(|agent| agent.poll(now)).sum()
    }

    /// Cycles until the agents are idle.
    #[inline]
    pub fn run_hot(&mut self) {
        for _ in 0..PATIENCE {
            if self.poll_hot() == 0 {
                return;
            }
        }
        panic!("the agents never come to rest");
    }

    pub fn advance(&mut self, ns: u64) {
        self.now = self.now.plus(ns);
        self.time.advance_to(self.now);
    }

    pub fn jump_to(&mut self, now: Nanos) {
        self.advance(now.0.saturating_sub(self.now.0));
    }

    /// JOURNAL's part: copies, and prepares segments.
    pub fn copy_journal(&mut self) {
        self.follower.poll(self.now);
    }

    /// Takes everything that was told to ports and to the cold side.
    pub fn drain(&mut self) {
        for port in &mut self.port_reports {
            port.available();
            while let Some(report) = port.pop() {
                *self.tally.events.entry(name(&report.event)).or_default() += 1;
                if let OrderEvent::Refused(refusal)
                | OrderEvent::CancelRefused(refusal)
                | OrderEvent::ReplaceRefused(refusal) = report.event
                {
                    *self.tally.refusals.entry(refusal.code).or_default() += 1;
                }
            }
        }
        self.events.available();
        while self.events.pop().is_some() {
            self.tally.cold += 1;
        }
    }

    pub fn count(&self, event: &str) -> u64 {
        self.tally.events.get(event).copied().unwrap_or_default()
    }

    pub fn refused(&self, code: RefusalCode) -> u64 {
        self.tally.refusals.get(&code).copied().unwrap_or_default()
    }

    /// A quote of both sides, 10,000 shares each, for everybody.
    pub fn quote(&mut self, instrument: InstrumentId, bid: i64, ask: i64) -> bool {
        let quote = Quote {
            bid: cents(bid),
            bid_size: shares(if bid > 0 { 10_000 } else { 0 }),
            ask: cents(ask),
            ask_size: shares(if ask > 0 { 10_000 } else { 0 }),
            time: self.now,
        };
        self.board.write_quote(instrument, &quote);
        let _ = self.dirty.push(instrument);
        let side = BookSide::Both;
        let update = QuoteUpdate {
            instrument,
            side,
            quote,
        };
        self.market.push(MarketUpdate::Quote(update)).is_ok()
    }

    pub fn trade(&mut self, instrument: InstrumentId, price: i64, size: i64) {
        let update = TradeUpdate {
            instrument,
            price: cents(price),
            size: shares(size),
            time: self.now,
        };
        self.board.write_trade(instrument, update.price, self.now);
        let _ = self.market.push(MarketUpdate::Trade(update));
    }

    /// A request of port 0 with the next id.
    pub fn request(&mut self, order: Order) -> OrderRequest {
        self.sequence += 1;
        OrderRequest {
            order_id: id(0, self.sequence),
            strategy: MINE,
            preferred_broker: None,
            order,
            submitted_at: self.now,
            decision_price: Price::ZERO,
            signal_stamp: 0,
        }
    }

    /// Sends an order through port 0; its id, or `None` where the ring is full.
    pub fn submit(&mut self, order: Order) -> Option<OrderId> {
        let request = self.request(order);
        let pushed = self.requests[0].push(PortCommand::New(request)).is_ok();
        pushed.then_some(request.order_id)
    }

    pub fn send(&mut self, command: PortCommand) -> bool {
        self.requests[0].push(command).is_ok()
    }

    pub fn cancel(&mut self, order_id: OrderId) -> bool {
        let requested_at = self.now;
        self.send(PortCommand::Cancel(CancelRequest {
            order_id,
            requested_at,
        }))
    }

    pub fn replace(&mut self, order_id: OrderId, quantity: i64, limit: Option<Price>) -> bool {
        self.send(PortCommand::Replace(ReplaceRequest {
            order_id,
            quantity: Some(shares(quantity)),
            limit,
            stop: None,
            trail: None,
            requested_at: self.now,
        }))
    }
}

fn paper_settings(plan: &Plan) -> PaperSettings {
    PaperSettings {
        exchange: ExchangeSettings {
            cash: Money::from_whole(35_000_000_000),
            max_open_orders: plan.max_open_orders as usize,
            ports: plan.ports,
            report_latency: plan.latency,
            ..ExchangeSettings::default()
        },
        order_latency: plan.latency,
        ..PaperSettings::default()
    }
}

fn name(event: &OrderEvent) -> &'static str {
    match event {
        OrderEvent::Submitted => "submitted",
        OrderEvent::Sent => "sent",
        OrderEvent::Accepted => "accepted",
        OrderEvent::Filled(_) => "filled",
        OrderEvent::Refused(_) => "refused",
        OrderEvent::Rejected(_) => "rejected",
        OrderEvent::NotSent(_) => "not sent",
        OrderEvent::CancelPending => "cancel pending",
        OrderEvent::Canceled => "canceled",
        OrderEvent::CancelRefused(_) => "cancel refused",
        OrderEvent::CancelRejected(_) => "cancel rejected",
        OrderEvent::Replaced(_) => "replaced",
        OrderEvent::ReplaceRefused(_) => "replace refused",
        OrderEvent::ReplaceRejected(_) => "replace rejected",
        OrderEvent::Expired => "expired",
        OrderEvent::InDoubt => "in doubt",
        OrderEvent::Restored => "restored",
        OrderEvent::Absent => "absent",
        _ => "other",
    }
}

/// An order of an earlier run that rests at 50.00, with what happened to it.
pub fn recovered(id: OrderId, inputs: &[OrderInput]) -> RecoveredOrder {
    let request = OrderRequest {
        order_id: id,
        strategy: MINE,
        preferred_broker: None,
        order: Order::limit(InstrumentId(0), Side::Buy, shares(10), cents(9_000)),
        submitted_at: TEN,
        decision_price: Price::ZERO,
        signal_stamp: 0,
    };
    let approved = ApprovedOrder {
        request,
        collar: None,
        risk_price: cents(9_000),
        risk_offset: 0,
        broker: PAPER,
    };
    let mut state = OrderState::new(request.order.quantity);
    for &input in inputs {
        state.apply(input).expect("a legal history");
    }
    RecoveredOrder {
        approved,
        state,
        order_type: approved.wire_type(),
        stamps: StageStamps::at(0),
    }
}
