//! The COLD agent: live figures equal the report's, and a rebuild after dropped events equals never
//! having dropped any.
//!
//! Runs on: the test runner, every agent polled by hand.
//! Owns: the proof that the quick way and the exact way agree.
//! Never: waits for a thread.

mod cold_support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use cold_support::*;
use proptest::prelude::*;
use shrike::cold::{
    ColdAgent, ColdSettings, ColdShared, EngineEvent, EventBus, EventKind, Ledger, Marks,
    ReplayError, Session, SessionInfo, Snapshot, Stage, StageLatency, Subscription,
};
use shrike::journal::Record;
use shrike::ring::{BoardWriter, Producer, board, channel};
use shrike::runtime::Agent;
use shrike::types::RefusalCode;
use shrike::types::{
    BrokerId, Event, ExecutionId, Fill, InstrumentId, Money, Nanos, Order, OrderEvent, Price,
    Quantity, Quote, RecoveredState, ReportKind, Side,
};

type SharedJournal = Arc<Mutex<Vec<(u64, Nanos, Record)>>>;

struct World {
    agent: ColdAgent,
    shared: ColdShared,
    ring: Producer<Event>,
    journal: SharedJournal,
    failing: Arc<Mutex<bool>>,
    narrator: Narrator,
    /// Journaled, not told yet.
    untold: VecDeque<Event>,
    subscription: Subscription,
    board: BoardWriter,
    sequence: u64,
}

impl World {
    fn new(ring: usize) -> Self {
        let (producer, consumer, _) = channel("order_events", ring);
        let (writer, reader) = board(3);
        let (bus, publisher, _delivery) = EventBus::new(16);
        let subscription = bus.subscribe(100_000);
        let journal: SharedJournal = Arc::default();
        let failing: Arc<Mutex<bool>> = Arc::default();
        let (source, fails) = (Arc::clone(&journal), Arc::clone(&failing));
        let replay = move |visit: &mut dyn FnMut(u64, Nanos, &Record)| {
            if *fails.lock().expect("lock") {
                return Err(ReplayError("the disk is gone".to_owned()));
            }
            for (sequence, time, record) in source.lock().expect("lock").iter() {
                visit(*sequence, *time, record);
            }
            Ok(())
        };
        let recovered = RecoveredState::default();
        let settings = ColdSettings::default();
        let (agent, shared) = ColdAgent::new(
            settings,
            recovered.clone(),
            consumer,
            reader,
            publisher,
            Box::new(replay),
        );
        Self {
            agent,
            shared,
            ring: producer,
            journal,
            failing,
            narrator: Narrator::new(&recovered),
            untold: VecDeque::new(),
            subscription,
            board: writer,
            sequence: 0,
        }
    }

    /// Three records share an instant, as they do in a duty cycle.
    fn now(&self) -> Nanos {
        Nanos(START_NS + self.sequence / 3 * 1_000)
    }

    /// ORDER appends; its event waits in ORDER's hand.
    fn append(&mut self, record: Record) {
        self.sequence += 1;
        let (sequence, now) = (self.sequence, self.now());
        let entry = (sequence, now, record);
        self.journal.lock().expect("lock").push(entry);
        self.untold
            .extend(self.narrator.tell(sequence, now, &record));
    }

    /// ORDER tells up to `count` events; a full ring drops them.
    fn tell(&mut self, count: usize) {
        for _ in 0..count.min(self.untold.len()) {
            let event = self.untold.pop_front().expect("counted");
            let _ = self.ring.push(event);
        }
    }

    fn poll(&mut self) -> usize {
        self.agent.poll(self.now())
    }

    fn settle(&mut self) {
        while self.poll() > 0 {}
    }

    fn run(&mut self, records: &[Record]) {
        for record in records {
            self.append(*record);
            self.tell(usize::MAX);
            self.poll();
        }
        self.settle();
    }

    fn told(&mut self) -> Vec<EngineEvent> {
        std::iter::from_fn(|| self.subscription.try_recv().ok()).collect()
    }
}

/// What must not depend on how the state was come by.
fn essence(snapshot: &Snapshot) -> Snapshot {
    let mut essence = snapshot.clone();
    let metrics = &mut essence.metrics;
    metrics.events_processed = 0;
    metrics.events_dropped = 0;
    metrics.rebuilds = 0;
    metrics.uptime_ns = 0;
    metrics.anomalies = 0;
    metrics.latency_internal_p50_ns = None;
    metrics.latency_internal_p99_ns = None;
    metrics.latency_internal_p99_9_ns = None;
    metrics.latency_internal_max_ns = None;
    metrics.latency_ack_p50_ns = None;
    metrics.latency_ack_p99_ns = None;
    essence.latency = Stage::ALL.map(|stage| (stage, StageLatency::new().summary(stage)));
    essence.gap = shrike::cold::GapStatus::default();
    essence
}

fn simple_order(sequence: u64, quantity: i64) -> Vec<Record> {
    let order = Order::limit(InstrumentId(0), Side::Buy, shares(quantity), price("10"));
    vec![
        intent(request(sequence, order, price("10")), 0),
        sent(sequence),
        said(ReportKind::Accepted, sequence),
        fill(
            sequence,
            u128::from(sequence) + 1,
            Side::Buy,
            0,
            shares(quantity),
            price("10"),
        ),
    ]
}

#[test]
fn the_figures_follow_the_events() {
    let mut world = World::new(64);
    world.agent.on_start(Nanos(START_NS));
    world.run(&[account(0, 1_000, 1)]);
    world.run(&simple_order(1, 5));
    let quote = Quote {
        bid: price("11"),
        bid_size: shares(1),
        ask: price("13"),
        ask_size: shares(1),
        time: Nanos(1),
    };
    world.board.write_quote(InstrumentId(0), &quote);
    assert_eq!(
        world.poll(),
        0,
        "marks are no work that keeps a clock from moving"
    );
    let snapshot = world.shared.snapshot();
    assert_eq!(snapshot.totals.unrealized, Money::from_whole(10));
    assert_eq!(snapshot.totals.equity.to_string(), "1009.65");
    assert_eq!(snapshot.metrics.orders.filled, 1);
    assert_eq!(snapshot.metrics.total_fills, 1);
    assert_eq!(snapshot.metrics.uptime_ns, 1_000);
    let map = snapshot.metrics.to_map();
    assert_eq!(map["total_notional_traded"], "50");
    assert_eq!(map["equity"], "1009.65");
    // signal 1000, encode +400, wire +3400; both reports were at hand at 9000.
    let latency = world.shared.latency();
    for (stage, expected) in [
        (Stage::Internal, 400),
        (Stage::Wire, 3_000),
        (Stage::Ack, 9_000 - 4_400),
    ] {
        let max = latency.summary(stage).max.expect("a sample");
        assert!(latency.histogram(stage).equivalent(max, expected), "{max}");
    }
    assert_eq!(latency.summary(Stage::Fill).count, 1);
    assert_eq!(
        latency.summary(Stage::Order).count,
        0,
        "the narrator stamps no routing"
    );
    assert!(world.shared.open_orders().is_empty());
    assert_eq!(world.shared.order(id(1)).map(|o| o.filled), Some(shares(5)));
}

#[test]
fn a_second_fill_is_no_second_sample() {
    let mut world = World::new(64);
    let mut records = simple_order(1, 5);
    records.truncate(3);
    for execution in [7, 8, 9] {
        records.push(fill(1, execution, Side::Buy, 0, shares(1), price("10")));
    }
    world.run(&records);
    assert_eq!(world.shared.latency().summary(Stage::Fill).count, 1);
    assert_eq!(world.shared.metrics().total_fills, 3);
    assert_eq!(world.shared.metrics().orders.partially_filled, 1);
    assert_eq!(world.shared.open_orders().len(), 1);
}

#[test]
fn a_gap_is_told_and_the_missed_fills_come_marked_as_replayed() {
    let mut world = World::new(2);
    world.run(&[account(0, 1_000, 1)]);
    world.run(&simple_order(1, 5));
    assert_eq!(world.shared.snapshot().gap.dropped, 0);
    let before = world.told();
    for record in simple_order(2, 7) {
        world.append(record);
    }
    world.tell(usize::MAX);
    world.settle();
    let snapshot = world.shared.snapshot();
    assert_eq!((snapshot.gap.dropped, snapshot.gap.rebuilds), (2, 1));
    assert!(!snapshot.gap.rebuilding);
    assert_eq!(snapshot.positions[0].position.quantity, shares(12));
    let told = world.told();
    let gap = told.iter().find_map(|event| match event.kind {
        EventKind::Gap { missed, .. } => Some(missed),
        _ => None,
    });
    assert_eq!(gap, Some(2));
    let replayed: Vec<_> = told.iter().filter(|event| event.replayed).collect();
    let fills = |events: &[&EngineEvent]| {
        let is = |e: &&&EngineEvent| matches!(e.kind, EventKind::Order(r) if is_fill(&r.event));
        events.iter().filter(is).count()
    };
    assert_eq!(fills(&replayed), 1, "the missed fill, once: {replayed:#?}");
    let replayed_of = |is: fn(&EventKind) -> bool| replayed.iter().filter(|e| is(&e.kind)).count();
    assert_eq!(
        replayed_of(|kind| matches!(kind, EventKind::Position(_))),
        1
    );
    let accounts = replayed_of(|kind| matches!(kind, EventKind::Account(_)));
    assert_eq!(accounts, 0, "what was told long before is not told again");
    let all: Vec<_> = before.iter().chain(&told).map(|e| e.sequence).collect();
    assert!(
        all.windows(2).all(|w| w[1] == w[0] + 1),
        "numbers have no hole"
    );
}

#[test]
fn a_failed_replay_is_said_and_tried_again() {
    let mut world = World::new(2);
    *world.failing.lock().expect("lock") = true;
    for record in simple_order(1, 5) {
        world.append(record);
    }
    world.tell(usize::MAX);
    world.settle();
    let gap = world.shared.snapshot().gap;
    assert!(gap.rebuilding && gap.failed_rebuilds >= 1);
    assert!(
        gap.last_error
            .expect("a reason")
            .contains("the disk is gone")
    );
    for record in simple_order(2, 7) {
        world.append(record);
        world.tell(1);
        world.settle();
    }
    assert!(
        world.shared.positions().is_empty(),
        "no guess while fills are missing"
    );
    assert_eq!(
        world.shared.metrics().orders.filled,
        1,
        "orders are shown all the same"
    );
    *world.failing.lock().expect("lock") = false;
    let later = world.now().plus(2_000_000_000);
    world.agent.poll(later);
    let snapshot = world.shared.snapshot();
    assert!(!snapshot.gap.rebuilding);
    assert_eq!(snapshot.positions[0].position.quantity, shares(12));
}

#[test]
fn closing_takes_what_is_left_and_mends_a_gap() {
    let mut world = World::new(2);
    for record in simple_order(1, 5) {
        world.append(record);
    }
    world.tell(usize::MAX);
    let now = world.now();
    world.agent.on_close(now);
    let snapshot = world.shared.snapshot();
    assert_eq!(
        (snapshot.gap.rebuilds, snapshot.metrics.orders.filled),
        (1, 1)
    );
}

#[test]
fn finished_orders_are_forgotten_and_late_fills_still_move_the_position() {
    let (mut ring, consumer, _) = channel("order_events", 64);
    let (_, reader) = board(1);
    let (_bus, publisher, _delivery) = EventBus::new(1);
    let settings = ColdSettings {
        retired_orders: 1,
        ..ColdSettings::default()
    };
    let recovered = RecoveredState::default();
    let source = |_: &mut dyn FnMut(u64, Nanos, &Record)| Ok(());
    let (mut agent, shared) = ColdAgent::new(
        settings,
        recovered.clone(),
        consumer,
        reader,
        publisher,
        Box::new(source),
    );
    let mut narrator = Narrator::new(&recovered);
    let mut records = simple_order(1, 5);
    records.extend(simple_order(2, 5));
    records.push(fill(1, 99, Side::Buy, 0, shares(1), price("10")));
    for (sequence, at, record) in journal(&records) {
        if let Some(event) = narrator.tell(sequence, at, &record) {
            ring.push(event).expect("room");
        }
        agent.poll(at);
    }
    assert_eq!(shared.order(id(1)), None);
    assert!(shared.order(id(2)).is_some());
    let metrics = shared.metrics();
    assert_eq!((metrics.orders.submitted, metrics.orders.filled), (2, 2));
    assert_eq!(metrics.unexpected_fills, 1);
    assert_eq!(shared.positions()[0].position.quantity, shares(11));
}

#[test]
fn a_fill_without_an_execution_id_is_known_by_its_order() {
    let mut world = World::new(4);
    let mut records = simple_order(1, 9);
    records.truncate(2);
    records.push(fill(1, 0, Side::Buy, 0, shares(2), price("10")));
    records.push(fill(1, 0, Side::Buy, 0, shares(2), price("10")));
    for record in &records {
        world.append(*record);
    }
    // The journal is ahead: a gap is mended from it, then the fills come by the ring as well.
    let late: Vec<Event> = world.untold.drain(2..).collect();
    for _ in 0..6 {
        let intent = Event::Order(world.narrated(&records[0]));
        let _ = world.ring.push(intent);
    }
    world.settle();
    assert_eq!(world.shared.snapshot().gap.rebuilds, 1);
    for event in late {
        world.ring.push(event).expect("room");
        world.settle();
    }
    assert_eq!(world.shared.positions()[0].position.quantity, shares(4));
    assert_eq!(ExecutionId::NONE, ExecutionId(0));
}

#[test]
fn an_account_that_a_rebuild_took_does_not_undo_the_fills_after_it() {
    let mut world = World::new(2);
    world.run(&[account(0, 500, 1)]);
    // A burst overflows the ring; the journal is already further than what ORDER has told.
    for _ in 0..3 {
        world.append(Record::Link {
            broker: BrokerId(0),
            up: true,
        });
    }
    world.append(account(0, 1_000, 2));
    for record in simple_order(1, 5) {
        world.append(record);
    }
    world.tell(3);
    world.settle();
    assert_eq!(world.shared.snapshot().gap.rebuilds, 1);
    while !world.untold.is_empty() {
        world.tell(1);
        world.settle();
    }
    let totals = world.shared.snapshot().totals;
    assert_eq!(totals.cash.to_string(), "949.65");
    assert_eq!(totals.adjustments, Money::from_whole(500));
}

#[test]
fn a_refused_repetition_that_a_rebuild_counted_is_not_counted_again() {
    let mut world = World::new(2);
    world.run(&simple_order(1, 5)[..1]);
    for _ in 0..3 {
        world.append(Record::Link {
            broker: BrokerId(0),
            up: true,
        });
    }
    let order = Order::limit(InstrumentId(0), Side::Buy, shares(5), price("10"));
    let repeated = request(1, order, price("10"));
    world.append(refused(repeated, RefusalCode::DuplicateOrderId));
    // The ring overflows; the rebuild reads the refusal before ORDER has told it.
    world.tell(3);
    world.settle();
    assert_eq!(world.shared.snapshot().gap.rebuilds, 1);
    while !world.untold.is_empty() {
        world.tell(1);
        world.settle();
    }
    let refusals = world.shared.snapshot().refusals;
    assert_eq!(
        refusals,
        BTreeMap::from([(RefusalCode::DuplicateOrderId, 1)])
    );
}

impl World {
    fn narrated(&self, record: &Record) -> shrike::types::OrderReport {
        let mut ledger = Ledger::new(&RecoveredState::default(), Marks::default());
        ledger.apply(1, self.now(), record);
        let order = ledger.orders().values().next().expect("an order");
        order.report()
    }
}

fn step() -> impl Strategy<Value = Step> {
    let number = -5_000_000_000_000i64..5_000_000_000_000;
    (0u8..20, 0u64..40, number, 0i64..5_000_000_000_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Live figures are the report's.
    #[test]
    fn live_figures_equal_the_reports(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new(1_024);
        world.run(&wild_session(&steps));
        let records = world.journal.lock().expect("lock").clone();
        let recovered = RecoveredState::default();
        let info = SessionInfo::default();
        let session = Session::new(info, &recovered, StageLatency::new(), records);
        let snapshot = world.shared.snapshot();
        let report = &session.report;
        prop_assert_eq!(snapshot.gap.dropped, 0);
        prop_assert_eq!(snapshot.metrics.orders, report.orders);
        prop_assert_eq!(snapshot.totals.realized, report.pnl.realized);
        prop_assert_eq!(snapshot.totals.equity, report.pnl.equity);
        prop_assert_eq!(snapshot.totals.fees, report.pnl.fees);
        prop_assert_eq!(snapshot.metrics.total_fills, report.fills.count);
        prop_assert_eq!(snapshot.positions.len(), report.positions.len());
        let refusals = snapshot.refusals.iter();
        let by_name: BTreeMap<_, _> = refusals.map(|(c, n)| (c.as_str(), *n)).collect();
        prop_assert_eq!(&by_name, &report.refusals);
        let open: BTreeSet<_> = world.shared.open_orders().iter().map(|o| o.order_id).collect();
        let expected: BTreeSet<_> = session.orders.iter()
            .filter(|o| o.refusal.is_none() && !o.state.status().is_terminal())
            .map(|o| o.request.order_id)
            .collect();
        prop_assert_eq!(open, expected);
    }

    /// However the ring drops, however far the journal is ahead of what is told, and whenever COLD
    /// looks: in the end the state is that of a run without a gap, and users were told of every
    /// fill.
    #[test]
    fn a_rebuilt_state_equals_one_that_missed_nothing(
        steps in prop::collection::vec((step(), 0usize..6, prop::bool::weighted(0.3)), 1..120),
        ring in 1usize..12,
    ) {
        let records = wild_session(&steps.iter().map(|(step, _, _)| *step).collect::<Vec<_>>());
        let mut whole = World::new(4_096);
        whole.run(&records);
        let mut holed = World::new(ring);
        for (index, record) in records.iter().enumerate() {
            let (_, tell, poll) = steps[index % steps.len()];
            holed.append(*record);
            holed.tell(tell);
            if poll {
                holed.poll();
            }
        }
        // What is still in ORDER's hand comes one by one.
        while !holed.untold.is_empty() {
            holed.tell(1);
            holed.settle();
        }
        holed.settle();
        let (whole_now, holed_now) = (whole.shared.snapshot(), holed.shared.snapshot());
        prop_assert!(!holed_now.gap.rebuilding);
        prop_assert_eq!(essence(&holed_now), essence(&whole_now));
        let (whole_told, holed_told) = (whole.told(), holed.told());
        let moves = |told: &[EngineEvent]| -> Vec<(ExecutionId, Quantity)> {
            told.iter().filter_map(|event| match event.kind {
                EventKind::Position(p) => Some((p.cause.fill.execution_id, p.position.quantity)),
                _ => None,
            }).collect()
        };
        // Each move once, with what it led to.
        prop_assert_eq!(moves(&holed_told), moves(&whole_told));
        let key = |fill: Fill| (fill.execution_id, fill.quantity, fill.price);
        let fills = |told: &[EngineEvent]| -> BTreeSet<(ExecutionId, Quantity, Price)> {
            told.iter().filter_map(|event| match event.kind {
                EventKind::Order(report) => match report.event {
                    OrderEvent::Filled(fill) => Some(key(fill)),
                    _ => None,
                },
                EventKind::ForeignFill { fill, .. } => Some(key(fill)),
                _ => None,
            }).collect()
        };
        prop_assert_eq!(fills(&holed_told), fills(&whole_told));
    }
}
