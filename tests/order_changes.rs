//! ORDER's changes of orders: cancel, replace, cancel-all, and what waits for the disk.
//!
//! Runs on: the test runner.
//! Owns: the behaviour of changes, of the durable path, and of orders that are canceled in bulk.
//! Never: looks inside the agent beyond its table.

mod order_rig;

use std::sync::atomic::Ordering;

use order_rig::*;
use shrike::journal::Record;
use shrike::types::*;

#[test]
fn an_order_that_had_left_is_not_ended_by_a_cancel_that_had_not() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.say_kind(ReportKind::Sent, id(1));
    rig.cancel(id(1));
    rig.forget();
    rig.say_kind(ReportKind::NotSent, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::PendingNew);
    assert!(rig.exposures().is_empty(), "the order may be at the broker");
    let records = rig.records();
    assert!(
        matches!(records[..], [Record::Execution(r)] if r.kind == ReportKind::CancelRejected),
        "a replay must not end it either: {records:?}"
    );
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.decide(replace(id(1), 200, 51));
    rig.forget();
    rig.say_kind(ReportKind::NotSent, id(1));
    assert_eq!(rig.exposures(), [replace_done(id(1), false)]);
    assert_eq!(rig.status(id(1)), OrderStatus::New);
}

#[test]
fn a_cancel_goes_out_once_and_is_answered() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.cancel(id(1));
    rig.cancel(id(1));
    assert_eq!(rig.commands(A), [cancel_command(id(1))]);
    assert_eq!(rig.records().len(), 1, "a repeated cancel is no new record");
    let refusal = Refusal::plain(RefusalCode::ChangePending);
    assert_eq!(
        rig.told_events(),
        [
            OrderEvent::CancelPending,
            OrderEvent::CancelRefused(refusal)
        ]
    );
    rig.say_kind(ReportKind::CancelRejected, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::New);
    assert!(rig.exposures().is_empty());
    rig.cancel(id(1));
    rig.say_kind(ReportKind::Canceled, id(1));
    assert_eq!(rig.exposures(), [closed(id(1))]);
}

#[test]
fn what_cannot_be_canceled_is_refused_with_the_reason() {
    let mut rig = Rig::new();
    rig.cancel(id(9));
    working_order(&mut rig, id(1));
    rig.say_kind(ReportKind::Expired, id(1));
    rig.forget();
    rig.cancel(id(9));
    rig.cancel(id(1));
    let codes: Vec<_> = rig
        .told_events()
        .iter()
        .map(|event| match event {
            OrderEvent::CancelRefused(refusal) => refusal.code,
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(codes, [RefusalCode::UnknownOrder, RefusalCode::OrderDone]);
    assert_eq!(rig.records().len(), 2);
    assert!(rig.commands(A).is_empty() && rig.exposures().is_empty());
}

#[test]
fn a_replace_is_sent_and_each_outcome_reaches_risk() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.decide(replace(id(1), 150, 51));
    let commands = rig.commands(A);
    assert!(
        matches!(commands[..], [BrokerCommand::Replace(c)]
            if c.quantity == shares(150) && c.order_type == limit(51)),
        "{commands:?}"
    );
    rig.say_kind(ReportKind::ReplaceRejected, id(1));
    assert_eq!(rig.exposures(), [replace_done(id(1), false)]);
    let entry = rig.path.orders().get(id(1)).expect("working");
    assert_eq!(
        (entry.order_type, entry.risk_price, entry.pending),
        (limit(50), dollars(50), None)
    );
    rig.decide(replace(id(1), 150, 51));
    rig.say(terms(ReportKind::Replaced, id(1), 150, 51));
    assert_eq!(rig.exposures(), [replace_done(id(1), true)]);
    let entry = rig.path.orders().get(id(1)).expect("working");
    assert_eq!(
        (entry.order_type, entry.risk_price),
        (limit(51), dollars(51))
    );
    assert_eq!(entry.state.quantity(), shares(150));
    assert_eq!(
        rig.told_events(),
        [
            OrderEvent::ReplacePending,
            OrderEvent::ReplaceRejected(BrokerReject::None),
            OrderEvent::ReplacePending,
            OrderEvent::Replaced(limit(51)),
        ]
    );
}

#[test]
fn a_replace_that_cannot_be_is_refused_and_its_reservation_ends() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    let code = |rig: &mut Rig, decision| {
        rig.forget();
        rig.decide(decision);
        assert!(rig.commands(A).is_empty());
        assert!(matches!(
            rig.exposures()[..],
            [Exposure::ReplaceDone {
                accepted: false,
                ..
            }]
        ));
        match rig.told_events()[..] {
            [OrderEvent::ReplaceRefused(refusal)] => refusal.code,
            ref events => panic!("{events:?}"),
        }
    };
    use RefusalCode as C;
    assert_eq!(code(&mut rig, replace(id(9), 5, 50)), C::UnknownOrder);
    assert_eq!(code(&mut rig, replace(id(1), 200, 50)), C::ChangePending);
    rig.say(fill(id(1), 1, 40, 40));
    assert_eq!(
        code(&mut rig, replace(id(1), 40, 50)),
        C::ReplaceBelowFilled
    );
    rig.link(A, false);
    assert_eq!(code(&mut rig, replace(id(1), 200, 50)), C::BrokerDown);
    rig.link(A, true);
    rig.paper.failed.store(true, Ordering::Relaxed);
    assert_eq!(code(&mut rig, replace(id(1), 200, 50)), C::Halted);
    rig.paper.failed.store(false, Ordering::Relaxed);
    rig.cancel(id(1));
    assert_eq!(code(&mut rig, replace(id(1), 200, 50)), C::ChangePending);
    rig.say_kind(ReportKind::Canceled, id(1));
    assert_eq!(code(&mut rig, replace(id(1), 200, 50)), C::OrderDone);
}

#[test]
fn a_fill_of_the_old_total_waits_for_the_outcome_of_a_larger_one() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.decide(replace(id(1), 150, 50));
    rig.say(fill(id(1), 1, 100, 100));
    assert_eq!(rig.status(id(1)), OrderStatus::PendingReplace);
    assert_eq!(exposed_fills(&rig.exposures()), [(shares(100), false)]);
    rig.say_kind(ReportKind::ReplaceRejected, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::Filled);
    assert_eq!(rig.exposures(), [closed(id(1))]);
    assert_eq!(rig.path.orders().working(), 0);
}

#[test]
fn a_fill_that_ends_an_order_with_a_replace_pending_ends_its_reservation() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.decide(replace(id(1), 150, 50));
    rig.say(fill(id(1), 1, 150, 150));
    assert_eq!(exposed_fills(&rig.exposures()), [(shares(150), true)]);
    rig.say(terms(ReportKind::Replaced, id(1), 150, 50));
    assert!(rig.exposures().is_empty(), "it is over");
    working_order(&mut rig, id(2));
    rig.decide(replace(id(2), 150, 50));
    rig.say_kind(ReportKind::Canceled, id(2));
    assert_eq!(rig.exposures(), [closed(id(2))]);
}

#[test]
fn a_durable_order_leaves_when_its_intent_is_on_disk() {
    let mut rig = Rig::new();
    rig.approve(durable(id(1)));
    rig.approve(durable(id(2)));
    rig.approve(approved(id(3)));
    let sent = |rig: &mut Rig| -> Vec<OrderId> {
        let id = |command: &BrokerCommand| match command {
            BrokerCommand::New(new) => new.order_id,
            command => panic!("{command:?}"),
        };
        rig.commands(A).iter().map(id).collect()
    };
    assert_eq!(sent(&mut rig), [id(3)]);
    rig.set_durable(1);
    rig.run();
    assert_eq!(sent(&mut rig), [id(1)]);
    rig.set_durable(2);
    rig.run();
    assert_eq!(sent(&mut rig), [id(2)]);
    let mut all = Rig::planned(Plan {
        durable_default: true,
        ..Plan::default()
    });
    all.approve(approved(id(1)));
    assert!(all.commands(A).is_empty());
}

#[test]
fn a_held_order_that_is_canceled_never_leaves() {
    let mut rig = Rig::new();
    rig.approve(durable(id(1)));
    rig.cancel(id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::Canceled);
    assert_eq!(rig.exposures(), [closed(id(1))]);
    let records = rig.records();
    assert!(matches!(
        records[..],
        [Record::Intent(_), Record::CancelIntent(_), Record::Execution(report)]
            if report.kind == ReportKind::Canceled
    ));
    rig.set_durable(10);
    rig.run();
    assert!(rig.commands(A).is_empty());
}

#[test]
fn a_held_order_does_not_leave_after_the_disk_failed_or_the_link_went_down() {
    let mut rig = Rig::new();
    rig.approve(durable(id(1)));
    rig.paper.failed.store(true, Ordering::Relaxed);
    rig.run();
    assert_eq!(rig.status(id(1)), OrderStatus::Rejected);
    assert_eq!(rig.exposures(), [closed(id(1))]);
    rig.paper.failed.store(false, Ordering::Relaxed);
    rig.approve(durable(id(2)));
    rig.link(A, false);
    rig.set_durable(100);
    rig.run();
    assert_eq!(rig.status(id(2)), OrderStatus::Rejected);
    assert!(rig.commands(A).is_empty());
    assert!(
        rig.told_events()
            .contains(&OrderEvent::NotSent(BrokerReject::Other))
    );
}

#[test]
fn a_held_replace_waits_for_the_disk_and_a_cancel_goes_before_it() {
    let mut rig = Rig::new();
    rig.approve(durable(id(1)));
    rig.set_durable(1);
    rig.run();
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.commands(A);
    rig.decide(replace(id(1), 150, 51));
    assert!(rig.commands(A).is_empty());
    rig.cancel(id(1));
    assert_eq!(rig.commands(A), [cancel_command(id(1))]);
    assert_eq!(rig.exposures(), [replace_done(id(1), false)]);
    rig.say_kind(ReportKind::CancelRejected, id(1));
    rig.decide(replace(id(1), 160, 51));
    rig.set_durable(4);
    rig.run();
    assert!(
        rig.commands(A).is_empty(),
        "not for the sequence of the first replace"
    );
    rig.set_durable(100);
    rig.run();
    let commands = rig.commands(A);
    assert!(
        matches!(commands[..], [BrokerCommand::Replace(c)] if c.quantity == shares(160)),
        "{commands:?}"
    );
}

#[test]
fn an_order_is_not_sent_again_when_its_held_replace_is_settled_by_a_look_up() {
    let mut rig = Rig::new();
    rig.approve(durable(id(1)));
    rig.set_durable(1);
    rig.run();
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.decide(replace(id(1), 150, 51));
    rig.commands(A);
    rig.say_kind(ReportKind::InDoubt, id(1));
    rig.say_kind(ReportKind::Status, id(1));
    assert_eq!(rig.exposures(), [replace_done(id(1), false)]);
    rig.set_durable(100);
    rig.run();
    assert!(rig.commands(A).is_empty());
    assert_eq!(rig.status(id(1)), OrderStatus::New);
}

#[test]
fn what_is_held_does_not_leave_once_the_broker_said_something_else() {
    for kind in [ReportKind::Canceled, ReportKind::Accepted] {
        let mut rig = Rig::new();
        rig.approve(durable(id(1)));
        rig.say_kind(kind, id(1));
        rig.set_durable(100);
        rig.run();
        assert!(rig.commands(A).is_empty(), "{kind:?}");
    }
    let mut rig = Rig::new();
    rig.approve(durable(id(2)));
    rig.set_durable(1);
    rig.run();
    rig.say_kind(ReportKind::Accepted, id(2));
    rig.decide(replace(id(2), 150, 51));
    rig.commands(A);
    rig.say_kind(ReportKind::InDoubt, id(2));
    rig.set_durable(100);
    rig.run();
    assert!(rig.commands(A).is_empty(), "the look-up comes first");
}

fn cancel_all(scope: Scope, instrument: Option<InstrumentId>) -> RiskDecision {
    RiskDecision::CancelAll(CancelAllRequest {
        scope,
        instrument,
        requested_at: Nanos(30),
    })
}

/// Orders 1 to 4: (broker, strategy, instrument) = (A, 1, IBM), (B, 1, GE), (A, 2, GE), (B, 2,
/// IBM).
fn four_orders(rig: &mut Rig) {
    let orders = [(A, 1, IBM), (B, 1, GE), (A, 2, GE), (B, 2, IBM)];
    for (sequence, (broker, strategy, instrument)) in (1..).zip(orders) {
        let mut order = approved(id(sequence));
        order.broker = broker;
        order.request.strategy = StrategyId(strategy);
        order.request.order.instrument = instrument;
        rig.approve(order);
    }
    rig.forget();
}

#[test]
fn cancel_all_takes_its_scope_and_nothing_else() {
    let cases = [
        (Scope::Firm, None, vec![1, 2, 3, 4]),
        (Scope::Firm, Some(GE), vec![2, 3]),
        (Scope::Broker(A), None, vec![1, 3]),
        (Scope::Strategy(StrategyId(2)), None, vec![3, 4]),
        (Scope::Strategy(StrategyId(2)), Some(IBM), vec![4]),
    ];
    for (scope, instrument, expected) in cases {
        let mut rig = Rig::new();
        four_orders(&mut rig);
        rig.decide(cancel_all(scope, instrument));
        let pending: Vec<u64> = (1..=4)
            .filter(|&n| rig.status(id(n)) == OrderStatus::PendingCancel)
            .collect();
        assert_eq!(pending, expected, "{scope:?} {instrument:?}");
        let commands = rig.commands(A).len() + rig.commands(B).len();
        assert_eq!(commands, expected.len());
        assert_eq!(rig.records().len(), expected.len());
    }
}

#[test]
fn cancel_all_spares_orders_that_came_after_it_and_goes_on_when_there_is_room() {
    let mut rig = Rig::planned(Plan {
        command_ring: 2,
        work_per_cycle: 1,
        ..Plan::default()
    });
    for n in 1..=10 {
        rig.approve(approved(id(n)));
        rig.commands(A);
    }
    rig.say_kind(ReportKind::Canceled, id(3));
    rig.forget();
    rig.decisions
        .push(cancel_all(Scope::Firm, None))
        .expect("room");
    for n in 11..=13 {
        rig.decisions
            .push(RiskDecision::Approved(approved(id(n))))
            .expect("room");
    }
    let mut canceled = Vec::new();
    let mut fresh = Vec::new();
    for _ in 0..100 {
        rig.run();
        for command in rig.commands(A) {
            match command {
                BrokerCommand::Cancel { order_id } => canceled.push(order_id.sequence()),
                BrokerCommand::New(new) => fresh.push(new.order_id.sequence()),
                command => panic!("{command:?}"),
            }
        }
    }
    canceled.sort_unstable();
    assert_eq!(canceled, [1, 2, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(fresh, [11, 12, 13]);
}

#[test]
fn more_cancel_alls_than_can_walk_at_once_wait_and_none_is_lost() {
    let mut rig = Rig::planned(Plan {
        command_ring: 1,
        capacity: 200,
        ..Plan::default()
    });
    for n in 1..=30 {
        let mut order = approved(id(n));
        order.request.order.instrument = InstrumentId(n as u32);
        rig.approve(order);
        rig.commands(A);
    }
    for n in 1..=30 {
        rig.decisions
            .push(cancel_all(Scope::Firm, Some(InstrumentId(n))))
            .expect("room");
    }
    let mut canceled = 0;
    for _ in 0..200 {
        rig.run();
        canceled += rig.commands(A).len();
    }
    assert_eq!(canceled, 30);
}
