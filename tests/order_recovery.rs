//! ORDER after a restart, in doubt, and with a port that does not listen.
//!
//! Runs on: the test runner.
//! Owns: the behaviour of look-ups, recovered orders, absent ones that appear, and lagged ports.
//! Never: takes an unknown outcome for a failure.

mod order_rig;

use order_rig::*;
use shrike::journal::Record;
use shrike::order::OrderStartError;
use shrike::runtime::Agent;
use shrike::types::*;

fn query(id: OrderId) -> BrokerCommand {
    BrokerCommand::Query { order_id: id }
}

fn in_doubt(rig: &mut Rig, id: OrderId) {
    rig.approve(approved(id));
    rig.say_kind(ReportKind::Sent, id);
    rig.say_kind(ReportKind::InDoubt, id);
    rig.forget();
}

#[test]
fn an_order_in_doubt_keeps_its_exposure_and_is_asked_for_until_it_is_known() {
    let mut rig = Rig::new();
    in_doubt(&mut rig, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::InDoubt);
    let mut gaps = Vec::new();
    let mut last = rig.now;
    for _ in 0..9 {
        let due = rig.path.next_deadline().expect("a look-up");
        rig.now = Nanos(due.0 - 1);
        rig.run();
        assert!(rig.commands(A).is_empty(), "not before its time");
        rig.now = due;
        rig.run();
        assert_eq!(
            rig.commands(A),
            [query(id(1))],
            "asked for, never sent again"
        );
        gaps.push(due.since(last) / 1_000_000);
        last = due;
    }
    assert_eq!(gaps, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    assert!(rig.exposures().is_empty());
    assert_eq!(rig.path.gauges().read().waiting_for_answer, 1);
    rig.say_kind(ReportKind::Status, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::New);
    assert_eq!(rig.told_events(), [OrderEvent::Restored]);
    assert_eq!(rig.path.next_deadline(), None);
    rig.wait_ms(60_000);
    assert!(rig.commands(A).is_empty() && rig.exposures().is_empty());
}

#[test]
fn an_order_that_is_definitely_not_there_is_absent_and_released() {
    let mut rig = Rig::new();
    in_doubt(&mut rig, id(1));
    rig.wait_ms(300);
    rig.say_kind(ReportKind::NotFound, id(1));
    rig.say_kind(ReportKind::NotFound, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::Absent);
    assert_eq!(rig.exposures(), [closed(id(1))]);
    assert_eq!(rig.told_events(), [OrderEvent::Absent]);
    assert_eq!(rig.anomalies(), 0, "the second answer says nothing new");
}

#[test]
fn an_acknowledged_order_is_not_absent_whatever_a_look_up_says() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.say_kind(ReportKind::InDoubt, id(1));
    rig.forget();
    rig.say_kind(ReportKind::NotFound, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::InDoubt);
    assert_eq!(rig.anomalies(), 1);
    assert!(rig.exposures().is_empty());
    rig.wait_ms(6_000);
    assert_eq!(rig.commands(A), [query(id(1))]);
}

#[test]
fn an_absent_order_that_appears_is_canceled_at_once() {
    for evidence in [
        report(ReportKind::Accepted, id(1)),
        report(ReportKind::Status, id(1)),
        fill(id(1), 1, 40, 40),
    ] {
        let mut rig = Rig::new();
        in_doubt(&mut rig, id(1));
        rig.say_kind(ReportKind::NotFound, id(1));
        rig.forget();
        rig.say(evidence);
        assert_eq!(rig.commands(A), [cancel_command(id(1))]);
        assert_eq!(rig.status(id(1)), OrderStatus::PendingCancel);
        assert_eq!(rig.anomalies(), 1);
        let released = |exposure: &Exposure| {
            matches!(
                exposure,
                Exposure::Closed { .. } | Exposure::Fill { done: true, .. }
            )
        };
        assert!(!rig.exposures().iter().any(released), "released before");
        rig.say_kind(ReportKind::Canceled, id(1));
        assert!(rig.exposures().is_empty());
        assert_eq!(rig.path.orders().working(), 0);
    }
}

#[test]
fn a_cancel_of_an_order_in_doubt_is_repeated_once_the_order_is_found() {
    let mut rig = Rig::new();
    in_doubt(&mut rig, id(1));
    rig.cancel(id(1));
    assert_eq!(rig.commands(A), [cancel_command(id(1))]);
    assert_eq!(rig.status(id(1)), OrderStatus::InDoubt);
    rig.say_kind(ReportKind::CancelRejected, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::InDoubt, "the doubt stays");
    rig.say_kind(ReportKind::Status, id(1));
    assert_eq!(rig.commands(A), [cancel_command(id(1))]);
    assert_eq!(rig.status(id(1)), OrderStatus::PendingCancel);
    rig.say_kind(ReportKind::InDoubt, id(1));
    rig.say_kind(ReportKind::Status, id(1));
    assert_eq!(
        rig.commands(A),
        [cancel_command(id(1))],
        "the cancel was lost"
    );
    rig.say_kind(ReportKind::Canceled, id(1));
    assert_eq!(rig.exposures(), [closed(id(1))]);
}

#[test]
fn a_replace_in_doubt_holds_the_larger_terms_until_the_broker_says_which_hold() {
    for (quantity, price, accepted) in [(150, 51, true), (100, 50, false)] {
        let mut rig = Rig::new();
        rig.approve(approved(id(1)));
        rig.say_kind(ReportKind::Accepted, id(1));
        let change = ApprovedReplace {
            order_id: id(1),
            quantity: shares(150),
            order_type: limit(51),
            risk_price: dollars(51),
            requested_at: Nanos(1),
        };
        rig.decide(RiskDecision::Replace(change));
        rig.say_kind(ReportKind::InDoubt, id(1));
        rig.say_kind(ReportKind::ReplaceRejected, id(1));
        assert!(rig.exposures().is_empty(), "a look-up decides");
        rig.say(terms(ReportKind::Status, id(1), quantity, price));
        let done = Exposure::ReplaceDone {
            order_id: id(1),
            accepted,
        };
        assert_eq!(rig.exposures(), [done]);
        let entry = rig.path.orders().get(id(1)).expect("working");
        assert_eq!(entry.risk_price, dollars(price));
        assert_eq!(entry.order_type, limit(price));
        assert_eq!(rig.anomalies(), 0);
    }
}

#[test]
fn a_fill_ends_the_doubt_of_an_order_but_not_of_its_replace() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.decide(RiskDecision::Replace(ApprovedReplace {
        order_id: id(1),
        quantity: shares(150),
        order_type: limit(50),
        risk_price: dollars(50),
        requested_at: Nanos(1),
    }));
    rig.say_kind(ReportKind::InDoubt, id(1));
    rig.say(fill(id(1), 1, 10, 10));
    rig.forget();
    assert_eq!(rig.status(id(1)), OrderStatus::PartiallyFilled);
    rig.wait_ms(100);
    assert_eq!(rig.commands(A), [query(id(1))]);
    rig.say(terms(ReportKind::Status, id(1), 150, 50));
    let done = Exposure::ReplaceDone {
        order_id: id(1),
        accepted: true,
    };
    assert_eq!(rig.exposures(), [done]);
    rig.wait_ms(10_000);
    assert!(rig.commands(A).is_empty());
}

#[test]
fn an_old_answer_does_not_decide_a_change_under_way() {
    let mut rig = Rig::new();
    in_doubt(&mut rig, id(1));
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.decide(RiskDecision::Replace(ApprovedReplace {
        order_id: id(1),
        quantity: shares(150),
        order_type: limit(50),
        risk_price: dollars(50),
        requested_at: Nanos(1),
    }));
    rig.say_kind(ReportKind::Status, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::PendingReplace);
    assert!(rig.exposures().is_empty());
    rig.say(terms(ReportKind::Replaced, id(1), 150, 50));
    assert_eq!(rig.exposures().len(), 1);
}

#[test]
fn a_rejection_because_the_id_exists_is_a_doubt_and_no_end() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.forget();
    let mut rejected = report(ReportKind::Rejected, id(1));
    rejected.reason = BrokerReject::DuplicateClientOrderId;
    rig.say(rejected);
    assert_eq!(rig.status(id(1)), OrderStatus::InDoubt);
    assert!(rig.exposures().is_empty());
    rig.wait_ms(100);
    assert_eq!(rig.commands(A), [query(id(1))]);
}

#[test]
fn nothing_is_asked_of_a_broker_that_is_down_and_everything_once_it_is_up() {
    let mut rig = Rig::new();
    in_doubt(&mut rig, id(1));
    in_doubt(&mut rig, id(2));
    rig.link(A, false);
    rig.wait_ms(20_000);
    assert!(rig.commands(A).is_empty());
    assert_eq!(rig.path.next_deadline(), None);
    rig.link(A, true);
    assert_eq!(rig.commands(A), [query(id(1)), query(id(2))]);
    rig.link(A, true);
    assert_eq!(
        rig.commands(A),
        [query(id(1)), query(id(2))],
        "once a link-up"
    );
}

fn three_recovered() -> RecoveredState {
    let accepted = OrderInput::Accepted;
    RecoveredState {
        orders: vec![
            recovered(id(1), &[]),
            recovered(id(2), &[accepted]),
            recovered(id(3), &[accepted, OrderInput::CancelRequested]),
        ],
        execution_ids: vec![ExecutionId(77)],
        ..RecoveredState::default()
    }
}

#[test]
fn recovered_orders_are_looked_up_when_their_link_comes_up_and_never_sent_again() {
    let mut rig = Rig::planned(Plan {
        links_up: false,
        recovered: three_recovered(),
        ..Plan::default()
    });
    rig.run();
    use OrderStatus as S;
    let statuses = [1, 2, 3].map(|n| rig.status(id(n)));
    assert_eq!(statuses, [S::InDoubt, S::New, S::InDoubt]);
    let records = rig.records();
    assert_eq!(records.len(), 2, "each doubt is on record: {records:?}");
    assert!(rig.commands(A).is_empty() && rig.exposures().is_empty());
    rig.link(A, true);
    assert_eq!(rig.commands(A), [query(id(1)), query(id(3))]);
    rig.exposures();
    rig.say_kind(ReportKind::NotFound, id(1));
    assert_eq!(rig.exposures(), [closed(id(1))]);
    rig.say_kind(ReportKind::Status, id(3));
    assert_eq!(
        rig.commands(A),
        [cancel_command(id(3))],
        "the cancel stands"
    );
    rig.say(fill(id(2), 77, 40, 40));
    assert_eq!(
        rig.filled(id(2)),
        Quantity::ZERO,
        "counted before the restart"
    );
    rig.say(fill(id(2), 78, 40, 40));
    assert_eq!(rig.filled(id(2)), shares(40));
    rig.approve(approved(id(9)));
    rig.say(fill(id(9), 77, 40, 40));
    assert_eq!(rig.filled(id(9)), shares(40), "a new order's own execution");
}

#[test]
fn recovered_orders_are_told_to_their_ports_without_blame() {
    let mut rig = Rig::planned(Plan {
        links_up: false,
        port_ring: 2,
        recovered: three_recovered(),
        ..Plan::default()
    });
    rig.run();
    assert!(rig.health.is_lagged(PortId(0)));
    let mut told = Vec::new();
    while rig.health.is_lagged(PortId(0)) {
        let some = rig.told(0);
        assert!(!some.is_empty(), "progress");
        told.extend(some);
        rig.run();
    }
    told.extend(rig.told(0));
    assert!(
        told.iter()
            .all(|report| report.event == OrderEvent::Restored)
    );
    let mut known: Vec<_> = told
        .iter()
        .map(|report| (report.order_id.sequence(), report.status))
        .collect();
    known.sort_unstable();
    use OrderStatus as S;
    assert_eq!(known, [(1, S::InDoubt), (2, S::New), (3, S::InDoubt)]);
    assert!(!rig.kill.is_set(KillScope::Strategy(StrategyId(1))));
    assert_eq!(rig.path.gauges().read().lags, 0);
}

#[test]
fn recovered_orders_that_do_not_fit_are_refused_at_start() {
    let start = |plan: Plan| Rig::start(plan, |_| None).err();
    let plan = |recovered| Plan {
        recovered,
        ..Plan::default()
    };
    let small = Plan {
        capacity: 2,
        ..plan(three_recovered())
    };
    assert_eq!(
        start(small),
        Some(OrderStartError::TableTooSmall {
            orders: 3,
            capacity: 2
        })
    );
    let mut state = three_recovered();
    state.orders[1] = recovered(port_id(5, 1), &[]);
    assert!(matches!(
        start(plan(state)),
        Some(OrderStartError::UnknownPort { ports: 2, .. })
    ));
    let mut state = three_recovered();
    state.orders[1].approved.broker = BrokerId(9);
    assert!(matches!(
        start(plan(state)),
        Some(OrderStartError::UnknownBroker { brokers: 2, .. })
    ));
    let mut state = three_recovered();
    state.orders[1] = state.orders[0];
    assert_eq!(
        start(plan(state)),
        Some(OrderStartError::Repeated { order: id(1) })
    );
}

#[test]
fn recovery_waits_for_room_and_takes_nothing_new_before_it_is_through() {
    let orders = (1..=50).map(|n| recovered(id(n), &[])).collect();
    let mut rig = Rig::planned(Plan {
        links_up: false,
        work_per_cycle: 4,
        recovered: RecoveredState {
            orders,
            ..RecoveredState::default()
        },
        ..Plan::default()
    });
    rig.set_room(10);
    rig.reports[0]
        .push(BrokerReport::Link {
            broker: A,
            up: true,
        })
        .expect("room");
    rig.run();
    assert!(
        rig.records()
            .iter()
            .all(|r| matches!(r, Record::Execution(_)))
    );
    assert!(rig.records().len() < 11, "as far as there was room");
    rig.set_room(1_000);
    rig.run();
    assert_eq!(rig.records().len(), 51);
    assert_eq!(rig.commands(A).len(), 50);
}

#[test]
fn a_full_port_is_marked_its_strategy_killed_and_it_is_told_again() {
    let mut rig = Rig::planned(Plan {
        port_ring: 8,
        ..Plan::default()
    });
    let port = PortId(0);
    for n in 1..=6 {
        rig.approve(approved(id(n)));
        rig.say_kind(ReportKind::Accepted, id(n));
    }
    let mut other = approved(port_id(1, 1));
    other.request.strategy = StrategyId(2);
    rig.approve(other);
    assert!(rig.health.is_lagged(port));
    assert_eq!(rig.health.generation(port), 1);
    assert!(!rig.health.is_lagged(PortId(1)));
    assert!(rig.kill.is_set(KillScope::Strategy(StrategyId(1))));
    assert!(!rig.kill.is_set(KillScope::Strategy(StrategyId(2))));
    rig.say(fill(id(2), 1, 100, 100));
    rig.say_kind(ReportKind::Canceled, id(3));
    let before = rig.told(0);
    assert_eq!(before.len(), 8, "nothing enters a ring that has a gap");
    rig.run();
    assert!(!rig.health.is_lagged(port));
    assert_eq!(rig.health.snapshot(port), 8..14);
    let told = rig.told(0);
    assert!(
        told.iter()
            .all(|report| report.event == OrderEvent::Restored)
    );
    let mut statuses: Vec<_> = told
        .iter()
        .map(|report| (report.order_id.sequence(), report.status))
        .collect();
    statuses.sort_unstable();
    use OrderStatus as S;
    assert_eq!(
        statuses,
        [
            (1, S::New),
            (2, S::Filled),
            (3, S::Canceled),
            (4, S::New),
            (5, S::New),
            (6, S::New)
        ],
        "the ends that were missed as well"
    );
    rig.cancel(id(1));
    assert_eq!(rig.told_events(), [OrderEvent::CancelPending]);
}

#[test]
fn what_changes_while_a_port_is_told_again_reaches_it_too() {
    let mut rig = Rig::planned(Plan {
        port_ring: 4,
        work_per_cycle: 2,
        capacity: 128,
        ..Plan::default()
    });
    for n in 1..=20 {
        rig.approve(approved(id(n)));
    }
    let mut last = std::collections::BTreeMap::new();
    let note = |rig: &mut Rig, last: &mut std::collections::BTreeMap<OrderId, OrderStatus>| {
        for report in rig.told(0) {
            last.insert(report.order_id, report.status);
        }
    };
    for n in 1..=20 {
        note(&mut rig, &mut last);
        rig.say_kind(ReportKind::Accepted, id(n));
        rig.say(fill(id(n), u128::from(n), 50, 50));
        if n % 3 == 0 {
            rig.say_kind(ReportKind::Canceled, id(n));
        }
    }
    for _ in 0..200 {
        rig.run();
        note(&mut rig, &mut last);
    }
    assert!(!rig.health.is_lagged(PortId(0)));
    for n in 1..=20 {
        assert_eq!(last.get(&id(n)), Some(&rig.status(id(n))), "order {n}");
    }
    assert_eq!(rig.port_gauges[0].refused(), 0);
}
