//! ORDER between real rings, with a pen in memory.
//!
//! Runs on: the integration tests of ORDER.
//! Owns: the far ends of every ring, and the words to build decisions and reports.
//! Never: decides anything for the agent.
#![allow(dead_code)]

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use shrike::journal::{Pen, Record};
use shrike::order::{FastExecutionPath, OrderRings, OrderSettings, PortHealth};
use shrike::ring::{Consumer, Producer, RingGauge, channel};
use shrike::runtime::{Agent, Clock, ManualTime};
use shrike::types::*;

/// What the test sees of the pen.
#[derive(Default)]
pub struct Paper {
    pub records: Mutex<Vec<Record>>,
    /// Records that still fit.
    pub room: AtomicUsize,
    pub durable: AtomicU64,
    pub failed: AtomicBool,
}

/// Called with each record before it is written.
pub type Probe = Box<dyn FnMut(&Record) + Send>;

pub struct MemoryPen {
    pub paper: Arc<Paper>,
    pub probe: Option<Probe>,
}

impl Pen for MemoryPen {
    fn has_room(&self, records: usize) -> bool {
        self.paper.room.load(Ordering::Relaxed) >= records
    }

    fn append(&mut self, record: &Record, _now: Nanos) -> u64 {
        let room = self.paper.room.load(Ordering::Relaxed);
        assert!(room > 0, "the pen is asked for room first");
        self.paper.room.store(room - 1, Ordering::Relaxed);
        if let Some(probe) = &mut self.probe {
            probe(record);
        }
        let mut records = self.paper.records.lock().expect("one thread");
        records.push(*record);
        records.len() as u64
    }

    fn durable_sequence(&self) -> u64 {
        self.paper.durable.load(Ordering::Relaxed)
    }

    fn has_failed(&self) -> bool {
        self.paper.failed.load(Ordering::Relaxed)
    }
}

pub type Commands = Arc<Mutex<Consumer<BrokerCommand>>>;

/// Ring lengths and the rest that a test may choose.
pub struct Plan {
    pub capacity: usize,
    pub brokers: u8,
    pub ports: usize,
    pub decision_ring: usize,
    pub exposure_ring: usize,
    pub command_ring: usize,
    pub report_ring: usize,
    pub port_ring: usize,
    pub event_ring: usize,
    pub work_per_cycle: usize,
    pub durable_default: bool,
    pub links_up: bool,
    pub recovered: RecoveredState,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            capacity: 64,
            brokers: 2,
            ports: 2,
            decision_ring: 256,
            exposure_ring: 1024,
            command_ring: 256,
            report_ring: 256,
            port_ring: 1024,
            event_ring: 4096,
            work_per_cycle: 32,
            durable_default: false,
            links_up: true,
            recovered: RecoveredState::default(),
        }
    }
}

pub struct Rig {
    pub path: FastExecutionPath<MemoryPen>,
    pub decisions: Producer<RiskDecision>,
    pub exposure: Consumer<Exposure>,
    pub commands: Vec<Commands>,
    pub reports: Vec<Producer<BrokerReport>>,
    pub ports: Vec<Consumer<OrderReport>>,
    pub port_gauges: Vec<Arc<RingGauge>>,
    pub events: Consumer<Event>,
    pub paper: Arc<Paper>,
    pub kill: Arc<KillWord>,
    pub health: Arc<PortHealth>,
    pub now: Nanos,
}

pub const IBM: InstrumentId = InstrumentId(0);
pub const GE: InstrumentId = InstrumentId(1);
pub const A: BrokerId = BrokerId(0);
pub const B: BrokerId = BrokerId(1);

impl Rig {
    pub fn new() -> Self {
        Self::planned(Plan::default())
    }

    pub fn planned(plan: Plan) -> Self {
        Self::probed(plan, |_| None)
    }

    /// With a probe that may look at the command rings.
    pub fn probed(plan: Plan, probe: impl FnOnce(&[Commands]) -> Option<Probe>) -> Self {
        let links_up = plan.links_up;
        let mut rig = Self::start(plan, probe).expect("the plan fits");
        if links_up {
            for broker in 0..rig.reports.len() {
                rig.link(BrokerId(broker as u8), true);
            }
            rig.forget();
        }
        rig
    }

    pub fn start(
        plan: Plan,
        probe: impl FnOnce(&[Commands]) -> Option<Probe>,
    ) -> Result<Self, shrike::order::OrderStartError> {
        let (decisions, decisions_in, _) = channel("decisions", plan.decision_ring);
        let (exposure_out, exposure, _) = channel("exposure", plan.exposure_ring);
        let (events_out, events, _) = channel("events", plan.event_ring);
        let brokers = usize::from(plan.brokers);
        let (mut commands_out, mut commands) = (Vec::new(), Vec::new());
        let (mut reports, mut reports_in) = (Vec::new(), Vec::new());
        for _ in 0..brokers {
            let (writer, reader, _) = channel("commands", plan.command_ring);
            commands_out.push(writer);
            commands.push(Arc::new(Mutex::new(reader)));
            let (writer, reader, _) = channel("reports", plan.report_ring);
            reports.push(writer);
            reports_in.push(reader);
        }
        let (mut ports_out, mut ports, mut port_gauges) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.ports {
            let (writer, reader, gauge) = channel("port", plan.port_ring);
            ports_out.push(writer);
            ports.push(reader);
            port_gauges.push(gauge);
        }
        let routing = RoutingTable::new(plan.brokers, A, vec![]);
        let mut settings = OrderSettings::new(plan.ports, plan.brokers, 8, routing);
        settings.capacity = plan.capacity;
        settings.execution_ids = plan.capacity * 4;
        settings.work_per_cycle = plan.work_per_cycle;
        settings.durable_default = plan.durable_default;
        let paper = Arc::new(Paper::default());
        paper.room.store(usize::MAX, Ordering::Relaxed);
        let kill = Arc::new(KillWord::new());
        let health = Arc::new(PortHealth::new(plan.ports));
        let pen = MemoryPen {
            paper: Arc::clone(&paper),
            probe: probe(&commands),
        };
        let path = FastExecutionPath::new(
            settings,
            OrderRings {
                decisions: decisions_in,
                exposure: exposure_out,
                commands: commands_out,
                reports: reports_in,
                port_reports: ports_out,
                events: events_out,
            },
            pen,
            Clock::manual(ManualTime::new(Nanos(1))),
            Arc::clone(&kill),
            Arc::clone(&health),
            &plan.recovered,
        )?;
        Ok(Self {
            path,
            decisions,
            exposure,
            commands,
            reports,
            ports,
            port_gauges,
            events,
            paper,
            kill,
            health,
            now: Nanos(1_000_000_000),
        })
    }

    /// Polls until nothing is left to do; a bound shows a livelock.
    pub fn run(&mut self) {
        for _ in 0..10_000 {
            if self.path.poll(self.now) == 0 {
                return;
            }
        }
        panic!("the agent never comes to rest");
    }

    pub fn wait_ms(&mut self, ms: u64) {
        self.now = self.now.plus(ms * 1_000_000);
        self.run();
    }

    pub fn decide(&mut self, decision: RiskDecision) {
        self.decisions.push(decision).expect("room for a decision");
        self.run();
    }

    pub fn approve(&mut self, approved: ApprovedOrder) {
        self.decide(RiskDecision::Approved(approved));
    }

    pub fn cancel(&mut self, id: OrderId) {
        let requested_at = self.now;
        self.decide(RiskDecision::Cancel(CancelRequest {
            order_id: id,
            requested_at,
        }));
    }

    pub fn say(&mut self, report: ExecutionReport) {
        self.reports[report.broker.index()]
            .push(BrokerReport::Execution(report))
            .expect("room for a report");
        self.run();
    }

    /// Says something of an order on broker A.
    pub fn say_kind(&mut self, kind: ReportKind, id: OrderId) {
        self.say(report(kind, id));
    }

    pub fn link(&mut self, broker: BrokerId, up: bool) {
        self.reports[broker.index()]
            .push(BrokerReport::Link { broker, up })
            .expect("room for a report");
        self.run();
    }

    pub fn status(&self, id: OrderId) -> OrderStatus {
        let entry = self.path.orders().get(id);
        entry.expect("an order in the table").state.status()
    }

    pub fn filled(&self, id: OrderId) -> Quantity {
        let entry = self.path.orders().get(id);
        entry.expect("an order in the table").state.filled()
    }

    pub fn commands(&mut self, broker: BrokerId) -> Vec<BrokerCommand> {
        let mut ring = self.commands[broker.index()].lock().expect("one thread");
        std::iter::from_fn(|| ring.pop()).collect()
    }

    pub fn exposures(&mut self) -> Vec<Exposure> {
        std::iter::from_fn(|| self.exposure.pop()).collect()
    }

    pub fn told(&mut self, port: usize) -> Vec<OrderReport> {
        let ring = &mut self.ports[port];
        std::iter::from_fn(|| ring.pop()).collect()
    }

    /// The names of the events that port 0 was told.
    pub fn told_events(&mut self) -> Vec<OrderEvent> {
        self.told(0).iter().map(|report| report.event).collect()
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.pop()).collect()
    }

    pub fn anomalies(&mut self) -> usize {
        let is_anomaly = |event: &Event| matches!(event, Event::Anomaly { .. });
        self.events()
            .iter()
            .filter(|event| is_anomaly(event))
            .count()
    }

    pub fn records(&self) -> Vec<Record> {
        self.paper.records.lock().expect("one thread").clone()
    }

    pub fn set_room(&self, records: usize) {
        self.paper.room.store(records, Ordering::Relaxed);
    }

    pub fn set_durable(&self, sequence: u64) {
        self.paper.durable.store(sequence, Ordering::Relaxed);
    }

    /// Empties every ring and the list of records; sequences go on from 0.
    pub fn forget(&mut self) {
        for broker in 0..self.commands.len() {
            self.commands(BrokerId(broker as u8));
        }
        self.exposures();
        for port in 0..self.ports.len() {
            self.told(port);
        }
        self.events();
        self.paper.records.lock().expect("one thread").clear();
    }
}

pub fn id(sequence: u64) -> OrderId {
    OrderId::new(BootEpoch::FIRST, PortId(0), sequence).expect("an id")
}

pub fn port_id(port: u8, sequence: u64) -> OrderId {
    OrderId::new(BootEpoch::FIRST, PortId(port), sequence).expect("an id")
}

pub fn shares(n: i64) -> Quantity {
    Quantity::from_whole(n).expect("small")
}

pub fn dollars(n: i64) -> Price {
    Price::from_whole(n).expect("small")
}

pub fn limit(n: i64) -> OrderType {
    OrderType::Limit { limit: dollars(n) }
}

/// Buy 100 IBM at 50, limit, at broker A, of strategy 1.
pub fn approved(id: OrderId) -> ApprovedOrder {
    ApprovedOrder {
        request: OrderRequest {
            order_id: id,
            strategy: StrategyId(1),
            preferred_broker: None,
            order: Order::limit(IBM, Side::Buy, shares(100), dollars(50)),
            submitted_at: Nanos(10),
            decision_price: dollars(50),
            signal_stamp: 1_000,
        },
        collar: None,
        risk_price: dollars(50),
        risk_offset: 70,
        broker: A,
    }
}

pub fn durable(id: OrderId) -> ApprovedOrder {
    let mut order = approved(id);
    order.request.order.flags = OrderFlags::DURABLE;
    order
}

pub fn replace(id: OrderId, quantity: i64, price: i64) -> RiskDecision {
    RiskDecision::Replace(ApprovedReplace {
        order_id: id,
        quantity: shares(quantity),
        order_type: limit(price),
        risk_price: dollars(price),
        requested_at: Nanos(20),
    })
}

pub fn report(kind: ReportKind, id: OrderId) -> ExecutionReport {
    let mut report = ExecutionReport::new(kind, id, A, IBM, Side::Buy);
    match kind {
        ReportKind::Sent => (report.encode_offset, report.wire_offset) = (200, 300),
        ReportKind::Status | ReportKind::Replaced => {
            report.quantity = shares(100);
            report.order_type = limit(50);
        }
        ReportKind::Rejected | ReportKind::NotSent => report.reason = BrokerReject::Other,
        _ => {}
    }
    report
}

pub fn fill(id: OrderId, execution: u128, quantity: i64, cumulative: i64) -> ExecutionReport {
    let mut report = report(ReportKind::Fill, id);
    report.execution_id = ExecutionId(execution);
    report.last_quantity = shares(quantity);
    report.last_price = dollars(50);
    report.cumulative_quantity = shares(cumulative);
    report.fee = Money::from_whole(1);
    report
}

pub fn terms(kind: ReportKind, id: OrderId, quantity: i64, price: i64) -> ExecutionReport {
    let mut report = report(kind, id);
    report.quantity = shares(quantity);
    report.order_type = limit(price);
    report
}

/// A working order of an earlier run, after `inputs`.
pub fn recovered(id: OrderId, inputs: &[OrderInput]) -> RecoveredOrder {
    let approved = approved(id);
    let mut state = OrderState::new(approved.request.order.quantity);
    for &input in inputs {
        state.apply(input).expect("a legal history");
    }
    RecoveredOrder {
        approved,
        state,
        order_type: approved.wire_type(),
        stamps: StageStamps::at(1_000),
    }
}

pub fn closed(id: OrderId) -> Exposure {
    Exposure::Closed { order_id: id }
}

pub fn replace_done(id: OrderId, accepted: bool) -> Exposure {
    Exposure::ReplaceDone {
        order_id: id,
        accepted,
    }
}

pub fn cancel_command(id: OrderId) -> BrokerCommand {
    BrokerCommand::Cancel { order_id: id }
}

/// (quantity, done) of each fill that RISK was told.
pub fn exposed_fills(exposures: &[Exposure]) -> Vec<(Quantity, bool)> {
    let fill = |exposure: &Exposure| match *exposure {
        Exposure::Fill { quantity, done, .. } => Some((quantity, done)),
        _ => None,
    };
    exposures.iter().filter_map(fill).collect()
}

pub fn working_order(rig: &mut Rig, id: OrderId) {
    rig.approve(approved(id));
    rig.say_kind(ReportKind::Sent, id);
    rig.say_kind(ReportKind::Accepted, id);
    rig.forget();
}
