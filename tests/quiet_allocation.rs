//! The hot agents together allocate nothing after they have started, whatever happens to orders, rings and journal.
//!
//! Runs on: the test runner, with an allocator that counts on the test's own thread.
//! Owns: a trading day in which everything happens, and the count while the agents are polled.
//! Never: counts what the test allocates between polls, or passes because nothing happened.

#[path = "common/allocations.rs"]
mod allocations;
mod hot_rig;

use hot_rig::*;
use shrike::risk::{RateLimit, RiskSettings};
use shrike::sim::Latency;
use shrike::types::*;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const A: InstrumentId = InstrumentId(0);
const B: InstrumentId = InstrumentId(1);
/// Not lent by the broker.
const HARD: InstrumentId = InstrumentId(2);
/// Never quoted.
const DARK: InstrumentId = InstrumentId(3);
const MS: u64 = 1_000_000;

/// A rig whose polls are counted.
struct Quiet {
    rig: HotRig,
    allocated: u64,
    polls: u64,
    /// Whether ports and the cold side take what they are told.
    listening: bool,
}

impl Quiet {
    fn new(plan: &Plan) -> Self {
        let mut quiet = Self {
            rig: HotRig::new(plan),
            allocated: 0,
            polls: 0,
            listening: true,
        };
        quiet.run();
        quiet
    }

    /// Cycles until the agents are idle or wait for somebody.
    fn run(&mut self) {
        for _ in 0..200 {
            let before = allocations::of_this_thread();
            let work = self.rig.poll_hot();
            self.allocated += allocations::of_this_thread() - before;
            self.polls += 1;
            self.rig.copy_journal();
            if self.listening {
                self.rig.drain();
            }
            if work == 0 {
                return;
            }
        }
    }

    fn after(&mut self, ns: u64) {
        self.rig.advance(ns);
        self.run();
    }

    /// Long enough for an answer of a slow broker, and for the disk.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.after(2 * MS);
        }
    }

    fn order(&mut self, order: Order) -> OrderId {
        let id = self.rig.submit(order).unwrap_or_default();
        self.run();
        id
    }

    fn quote(&mut self, instrument: InstrumentId, bid: i64, ask: i64) {
        self.rig.quote(instrument, bid, ask);
        self.run();
    }

    fn assert_quiet(&self) {
        let (allocated, polls) = (self.allocated, self.polls);
        assert_eq!(allocated, 0, "in {polls} polls: {:?}", self.rig.tally);
    }

    fn assert_seen(&self, events: &[&str]) {
        for event in events {
            assert!(self.rig.count(event) > 0, "{event}: {:?}", self.rig.tally);
        }
    }
}

fn trail(side: Side, amount: i64) -> Order {
    let offset = TrailingOffset::Amount(cents(amount));
    Order {
        order_type: OrderType::TrailingStop { offset },
        ..Order::market(A, side, shares(3))
    }
}

/// Orders that fill, rest, are changed and canceled, stops that trigger; leaves some open.
fn trade(quiet: &mut Quiet, round: i64) {
    let market = 10_000 + round % 9;
    quiet.quote(A, market, market + 2);
    quiet.quote(B, market, market + 2);
    quiet.order(Order::market(A, Side::Buy, shares(5)));
    quiet.order(Order::market(A, Side::Sell, shares(5)));
    quiet.order(Order::limit(B, Side::Buy, shares(2), cents(market + 2)));
    let resting = quiet.order(Order::limit(B, Side::Buy, shares(7), cents(9_900)));
    quiet.settle();
    quiet.rig.replace(resting, 9, Some(cents(9_901)));
    quiet.settle();
    let other = quiet.order(Order::limit(B, Side::Sell, shares(7), cents(10_100)));
    quiet.rig.cancel(other);
    quiet.run();
    quiet.order(Order::stop(A, Side::Buy, shares(3), cents(market + 20)));
    quiet.order(trail(Side::Sell, 6));
    quiet.quote(A, market + 10, market + 12);
    quiet.quote(A, market + 20, market + 22);
    quiet.rig.trade(A, market + 20, 50);
    quiet.quote(A, market + 4, market + 6);
    quiet.quote(A, market, market + 2);
    if round % 16 == 0 {
        quiet.rig.cancel(resting);
        let scope = Scope::Strategy(MINE);
        quiet.rig.send(PortCommand::CancelAll(CancelAllRequest {
            scope,
            instrument: None,
            requested_at: quiet.rig.now,
        }));
    }
    quiet.after(100 * MS);
}

/// One order for each control that this rig can be made to refuse by.
fn be_refused(quiet: &mut Quiet) {
    quiet.quote(A, 10_000, 10_002);
    let buy = |n, price| Order::limit(A, Side::Buy, shares(n), cents(price));
    quiet.order(buy(20_000, 10_000));
    quiet.order(buy(9_999, 1_000_000));
    quiet.order(buy(1, 12_000));
    quiet.order(buy(9_000, 10_002));
    quiet.order(Order::limit(DARK, Side::Buy, shares(1), cents(100)));
    quiet.order(Order::market(InstrumentId(99), Side::Buy, shares(1)));
    let fine = Price::from_units(CENT / 2);
    quiet.order(Order::limit(A, Side::Buy, shares(1), fine));
    let mut reduce = Order::market(B, Side::Buy, shares(1));
    reduce.flags = OrderFlags::REDUCE_ONLY;
    quiet.order(reduce);
    // The same order twice, the same id twice, an id of nobody, and more than the window takes.
    quiet.order(buy(3, 9_990));
    quiet.order(buy(3, 9_990));
    let request = quiet.rig.request(buy(1, 9_991));
    for _ in 0..2 {
        quiet.rig.send(PortCommand::New(request));
        quiet.run();
    }
    quiet.rig.cancel(id(1, 77));
    quiet.rig.replace(id(1, 77), 5, None);
    quiet.run();
    for n in 0..60 {
        quiet.order(buy(1, 9_900 + n));
    }
    // Quotes that say nothing, and one that is too old.
    quiet.after(SECOND);
    for (bid, ask) in [(10_003, 10_001), (10_001, 10_001), (0, 10_001)] {
        quiet.quote(A, bid, ask);
        quiet.order(buy(1, 9_995));
    }
    quiet.quote(A, 10_000, 10_002);
    quiet.after(31 * SECOND);
    quiet.order(buy(1, 9_996));
    quiet.quote(A, 10_000, 10_002);
    quiet.quote(HARD, 10_000, 10_002);
    quiet.order(Order::market(HARD, Side::Sell, shares(1)));
    quiet.after(SECOND);
}

/// Trading states, the kill word, and a change of an order that cannot be.
fn be_stopped(quiet: &mut Quiet) {
    let buy = |price| Order::limit(A, Side::Buy, shares(1), cents(price));
    let resting = quiet.order(buy(9_950));
    quiet.rig.replace(resting, 0, Some(cents(99_000)));
    quiet.run();
    for state in [
        TradingState::Halted,
        TradingState::Reducing,
        TradingState::Active,
    ] {
        let requested_at = quiet.rig.now;
        let request = ControlRequest::SetTradingState {
            scope: Scope::Firm,
            state,
            requested_at,
        };
        quiet.rig.send(PortCommand::Control(request));
        quiet.run();
        quiet.order(buy(9_951));
    }
    quiet.rig.kill.set(KillScope::Firm);
    quiet.order(buy(9_952));
    quiet.rig.kill.clear(KillScope::Firm);
    quiet.after(SECOND);
}

/// Orders for the day, for the opening and the close, over the end of the session and the next roll.
fn end_the_day(quiet: &mut Quiet) {
    quiet.quote(A, 10_000, 10_002);
    for n in 0..40 {
        let mut order = Order::limit(A, Side::Buy, shares(1), cents(9_800 + n));
        order.time_in_force = match n % 4 {
            0 => TimeInForce::Gtc,
            1 => TimeInForce::Cls,
            _ => TimeInForce::Day,
        };
        quiet.order(order);
        quiet.after(25 * MS);
    }
    quiet.order(trail(Side::Sell, 50));
    let hours = 3_600 * SECOND;
    let midnight = quiet.rig.now.0 / (24 * hours) * 24 * hours;
    for hour in [16, 20, 27, 33] {
        quiet.rig.jump_to(Nanos(midnight + hour * hours + 1));
        quiet.run();
        quiet.order(Order::limit(A, Side::Buy, shares(1), cents(9_700)));
        quiet.quote(A, 10_000, 10_002);
        quiet.rig.trade(A, 10_001, 100);
        quiet.run();
    }
    quiet.rig.jump_to(Nanos(midnight + 34 * hours));
    quiet.run();
}

/// Limits that [`be_refused`] meets and [`trade`] does not.
fn tight(settings: &mut RiskSettings) {
    settings.max_order_notional = Some(Money::from_whole(5_000_000));
    settings.max_position = shares(8_000);
    settings.max_open_orders_per_symbol = Some(40);
    settings.account_order_rate = Some(RateLimit::new(50, SECOND / 4));
    settings.strategy_order_rate = Some(RateLimit::new(40, SECOND / 4));
    settings.duplicate_window_ns = 10;
    settings.duplicate_capacity = 1_024;
}

fn plan() -> Plan {
    Plan {
        hard_to_borrow: vec![HARD],
        max_open_orders: 512,
        ..Plan::default()
    }
}

#[test]
fn the_count_counts() {
    let before = allocations::of_this_thread();
    drop(std::hint::black_box(Box::new(7_u64)));
    assert_eq!(allocations::of_this_thread() - before, 2);
}

#[test]
fn orders_are_filled_changed_refused_triggered_and_expired_without_an_allocation() {
    let mut quiet = Quiet::new(&Plan {
        risk: tight,
        ..plan()
    });
    for round in 0..200 {
        trade(&mut quiet, round);
        if round % 50 == 0 {
            be_refused(&mut quiet);
            be_stopped(&mut quiet);
            end_the_day(&mut quiet);
        }
    }
    quiet.assert_quiet();
    quiet.assert_seen(&[
        "submitted",
        "accepted",
        "filled",
        "refused",
        "canceled",
        "replaced",
        "expired",
        "rejected",
        "cancel pending",
        "cancel refused",
        "replace refused",
    ]);
    assert!(quiet.rig.count("filled") > 800, "{:?}", quiet.rig.tally);
    let expected = {
        use RefusalCode as R;
        [
            R::MaxOrderQuantity,
            R::MaxOrderNotional,
            R::PriceCollar,
            R::MaxPosition,
            R::MissingQuote,
            R::LockedQuote,
            R::CrossedQuote,
            R::StaleQuote,
            R::UnknownInstrument,
            R::InvalidOrder,
            R::NotReducing,
            R::DuplicateOrder,
            R::DuplicateOrderId,
            R::UnknownOrder,
            R::OrderRate,
            R::MaxOpenOrders,
            R::SessionClosed,
            R::Halted,
            R::Reducing,
            R::Killed,
        ]
    };
    for code in expected {
        assert!(
            quiet.rig.refused(code) > 0,
            "{code:?}: {:?}",
            quiet.rig.tally
        );
    }
}

#[test]
fn a_broker_that_takes_its_time_costs_no_allocation() {
    let mut quiet = Quiet::new(&Plan {
        latency: Latency {
            fixed_ns: 200_000,
            jitter_ns: 300_000,
        },
        ..plan()
    });
    quiet.after(MS);
    for round in 0..200 {
        trade(&mut quiet, round);
    }
    quiet.after(SECOND);
    quiet.assert_quiet();
    quiet.assert_seen(&["sent", "filled", "canceled", "replaced"]);
}

#[test]
fn orders_in_doubt_are_looked_up_without_an_allocation() {
    let inputs: [&[OrderInput]; 4] = [
        &[],
        &[OrderInput::Accepted],
        &[OrderInput::Accepted, OrderInput::CancelRequested],
        &[OrderInput::InDoubt],
    ];
    let orders = (0..200).map(|n| {
        let epoch = BootEpoch::FIRST;
        let id = OrderId::new(epoch, PortId(1), n + 1).expect("an id");
        recovered(id, inputs[n as usize % inputs.len()])
    });
    let mut quiet = Quiet::new(&Plan {
        recovered: RecoveredState {
            orders: orders.collect(),
            ..RecoveredState::default()
        },
        ..plan()
    });
    for _ in 0..100 {
        quiet.after(100 * MS);
    }
    trade(&mut quiet, 1);
    quiet.assert_quiet();
    quiet.assert_seen(&["restored", "canceled", "filled"]);
    assert_eq!(quiet.rig.order_gauges.read().waiting_for_answer, 0);
}

#[test]
fn orders_that_wait_for_the_disk_cost_no_allocation() {
    let mut quiet = Quiet::new(&Plan {
        durable_default: true,
        ..plan()
    });
    for round in 0..50 {
        trade(&mut quiet, round);
        quiet.after(10 * MS);
    }
    quiet.assert_quiet();
    quiet.assert_seen(&["filled", "canceled", "replaced"]);
}

#[test]
fn segments_roll_and_run_out_without_an_allocation() {
    let mut quiet = Quiet::new(&Plan {
        segment_bytes: 8_192,
        hot_segments: 2,
        ..plan()
    });
    for round in 0..200 {
        trade(&mut quiet, round);
        // JOURNAL is late: the pen finds no room, and everything waits where it is.
        quiet.rig.quote(A, 10_000, 10_002);
        for _ in 0..60 {
            quiet.rig.submit(Order::market(A, Side::Buy, shares(1)));
            quiet.rig.submit(Order::market(A, Side::Sell, shares(1)));
        }
        let before = allocations::of_this_thread();
        for _ in 0..50 {
            quiet.rig.poll_hot();
        }
        quiet.allocated += allocations::of_this_thread() - before;
        quiet.after(MS);
        quiet.after(MS);
    }
    quiet.assert_quiet();
    let written = quiet.rig.journal.disk_bytes();
    assert!(written > 100 * 8_192, "{written} bytes of segments");
    assert!(quiet.rig.gauges["decisions"].read().high_water_mark > 60);
}

/// Each ring in turn so short that it is full again and again, with far ends that do not always listen.
#[test]
fn each_ring_may_be_full_without_an_allocation() {
    type Shorten = fn(&mut Lengths);
    // With the depth at which the ring's writer stops: RISK writes up to four messages at a time, ORDER two.
    let rings: [(&str, u64, Shorten); 9] = [
        ("requests", 2, |l| l.requests = 2),
        ("decisions", 1, |l| l.decisions = 4),
        ("exposure", 1, |l| l.exposure = 2),
        ("commands", 1, |l| l.commands = 1),
        ("reports", 2, |l| l.reports = 2),
        ("port_reports", 4, |l| l.port_reports = 4),
        ("market", 2, |l| l.market = 2),
        ("dirty", 1, |l| l.dirty = 1),
        ("events", 2, |l| l.events = 2),
    ];
    for (name, full, shorten) in rings {
        let mut plan = plan();
        shorten(&mut plan.lengths);
        let mut quiet = Quiet::new(&plan);
        for round in 0..60 {
            quiet.listening = round % 3 != 1;
            // A port that missed reports was halted; its holder goes on once it has been told all.
            quiet.rig.kill.clear(KillScope::Strategy(MINE));
            trade(&mut quiet, round);
            for n in 0..8 {
                quiet.rig.quote(A, 10_000 + n, 10_002 + n);
                quiet.rig.submit(Order::market(A, Side::Buy, shares(1)));
                quiet.rig.submit(Order::market(A, Side::Sell, shares(1)));
            }
            quiet.after(100 * MS);
        }
        quiet.listening = true;
        quiet.after(SECOND);
        let ring = quiet.rig.gauges[name].read();
        assert!(
            ring.refused > 0 || ring.high_water_mark >= full,
            "{name}: {ring:?}"
        );
        assert!(
            quiet.rig.count("filled") > 100,
            "{name}: {:?}",
            quiet.rig.tally
        );
        assert_eq!(quiet.allocated, 0, "{name}: {:?}", quiet.rig.tally);
    }
}
