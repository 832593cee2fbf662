//! ORDER allocates nothing once it is built, whatever happens.
//!
//! Runs on: the test runner, alone in its process.
//! Owns: a counting allocator.
//! Never: counts what the test itself allocates between polls.

#[path = "common/allocations.rs"]
mod allocations;
mod order_rig;

use order_rig::*;
use shrike::journal::{Pen, Record};
use shrike::order::{FastExecutionPath, OrderRings, OrderSettings, PortHealth};
use shrike::ring::{Consumer, Producer, channel};
use shrike::runtime::{Agent, Clock, ManualTime};
use shrike::types::*;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Counts records; what they hold is of no interest here.
#[derive(Default)]
struct CountingPen {
    records: u64,
}

impl Pen for CountingPen {
    fn has_room(&self, _records: usize) -> bool {
        true
    }

    fn append(&mut self, _record: &Record, _now: Nanos) -> u64 {
        self.records += 1;
        self.records
    }

    fn durable_sequence(&self) -> u64 {
        self.records.saturating_sub(3)
    }

    fn has_failed(&self) -> bool {
        false
    }
}

struct Bench {
    path: FastExecutionPath<CountingPen>,
    decisions: Producer<RiskDecision>,
    exposure: Consumer<Exposure>,
    commands: Consumer<BrokerCommand>,
    reports: Producer<BrokerReport>,
    port: Consumer<OrderReport>,
    events: Consumer<Event>,
    now: Nanos,
    listening: bool,
}

impl Bench {
    fn new() -> Self {
        let (decisions, decisions_in, _) = channel("decisions", 64);
        let (exposure_out, exposure, _) = channel("exposure", 64);
        let (commands_out, commands, _) = channel("commands", 16);
        let (reports, reports_in, _) = channel("reports", 64);
        let (port_out, port, _) = channel("port", 16);
        let (events_out, events, _) = channel("events", 16);
        let mut settings = OrderSettings::new(1, 1, 4, RoutingTable::new(1, A, vec![]));
        settings.capacity = 32;
        settings.execution_ids = 64;
        let rings = OrderRings {
            decisions: decisions_in,
            exposure: exposure_out,
            commands: vec![commands_out],
            reports: vec![reports_in],
            port_reports: vec![port_out],
            events: events_out,
        };
        let recovered = RecoveredState {
            orders: vec![recovered(id(100_001), &[])],
            ..RecoveredState::default()
        };
        let path = FastExecutionPath::new(
            settings,
            rings,
            CountingPen::default(),
            Clock::manual(ManualTime::new(Nanos(1))),
            KillWord::new().into(),
            PortHealth::new(1).into(),
            &recovered,
        );
        Self {
            path: path.expect("it fits"),
            decisions,
            exposure,
            commands,
            reports,
            port,
            events,
            now: Nanos(1_000),
            listening: true,
        }
    }

    fn poll(&mut self) {
        self.now = self.now.plus(50_000_000);
        for _ in 0..8 {
            self.path.poll(self.now);
        }
        let _ = self.path.next_deadline();
        while self.exposure.pop().is_some() {}
        while self.commands.pop().is_some() {}
        if self.listening {
            while self.port.pop().is_some() {}
            while self.events.pop().is_some() {}
        }
    }

    fn decide(&mut self, decision: RiskDecision) {
        let _ = self.decisions.push(decision);
        self.poll();
    }

    fn say(&mut self, report: ExecutionReport) {
        let _ = self.reports.push(BrokerReport::Execution(report));
        self.poll();
    }
}

/// Every decision and every kind of report, on a table that is too small, with ports that do not
/// listen at times.
fn everything(bench: &mut Bench, round: u64) {
    let first = 1 + round * 100;
    bench.listening = round % 3 != 1;
    let _ = bench.reports.push(BrokerReport::Link {
        broker: A,
        up: round % 5 != 4,
    });
    for n in first..first + 40 {
        let order = if n % 4 == 0 {
            durable(id(n))
        } else {
            approved(id(n))
        };
        bench.decide(RiskDecision::Approved(order));
        bench.decide(RiskDecision::Approved(order));
        let kinds = (0..=12).filter_map(ReportKind::from_u8);
        for kind in kinds.filter(|&kind| kind as u64 != n % 13) {
            bench.say(report(kind, id(n)));
            if kind == ReportKind::Accepted {
                bench.decide(order_rig::replace(id(n), 150, 51));
                bench.decide(order_rig::replace(id(n), 150, 51));
            }
        }
        bench.say(fill(id(n), u128::from(n), 10, 10));
        bench.say(fill(id(n), u128::from(n), 10, 10));
        bench.say(fill(OrderId::default(), u128::from(n) << 64, 10, 10));
        let request = CancelRequest {
            order_id: id(n),
            requested_at: bench.now,
        };
        bench.decide(RiskDecision::Cancel(request));
        bench.decide(RiskDecision::Cancel(request));
    }
    let refusal = Refusal::plain(RefusalCode::StaleQuote);
    let refused = RefusedOrder::new(approved(id(first + 90)).request, refusal);
    bench.decide(RiskDecision::Refused(refused));
    bench.decide(RiskDecision::Record(RiskRecord::LatchesReset {
        at: Nanos(1),
    }));
    bench.decide(RiskDecision::CancelAll(CancelAllRequest {
        scope: Scope::Firm,
        instrument: None,
        requested_at: bench.now,
    }));
}

/// A number that the compiler does not know.
fn round_trip() -> u64 {
    std::hint::black_box(30)
}

#[test]
fn nothing_is_allocated_after_construction() {
    let mut bench = Bench::new();
    let before = allocations::of_this_thread();
    for round in 0..30 {
        everything(&mut bench, round);
    }
    let allocated = allocations::of_this_thread() - before;
    assert_eq!(allocated, 0);
    let reading = bench.path.gauges().read();
    assert!(reading.anomalies > 0 && reading.foreign_fills > 0 && reading.lags > 0);
    assert!(reading.repeated_executions > 0 && reading.unexpected_fills > 0);
    let probe = Box::new(round_trip());
    assert!(
        allocations::of_this_thread() > before && *probe == 30,
        "the counter counts"
    );
}
