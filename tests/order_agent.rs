//! The ORDER agent: what is on record when, what goes to whom, and every kind of report.
//!
//! Runs on: the test runner.
//! Owns: the behaviour of approval, refusal, cancel, replace, cancel-all, the durable path and full
//! rings.
//! Never: looks inside the agent beyond its table.

mod order_rig;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use order_rig::*;
use shrike::journal::Record;
use shrike::order::FastExecutionPath;
use shrike::runtime::Agent;
use shrike::types::*;

fn closed(id: OrderId) -> Exposure {
    Exposure::Closed { order_id: id }
}

fn replace_done(id: OrderId, accepted: bool) -> Exposure {
    Exposure::ReplaceDone {
        order_id: id,
        accepted,
    }
}

fn cancel_command(id: OrderId) -> BrokerCommand {
    BrokerCommand::Cancel { order_id: id }
}

/// (quantity, done) of each fill that RISK was told.
fn exposed_fills(exposures: &[Exposure]) -> Vec<(Quantity, bool)> {
    let fill = |exposure: &Exposure| match *exposure {
        Exposure::Fill { quantity, done, .. } => Some((quantity, done)),
        _ => None,
    };
    exposures.iter().filter_map(fill).collect()
}

fn working_order(rig: &mut Rig, id: OrderId) {
    rig.approve(approved(id));
    rig.say_kind(ReportKind::Sent, id);
    rig.say_kind(ReportKind::Accepted, id);
    rig.forget();
}

#[test]
fn the_agent_can_be_handed_to_a_thread() {
    fn is_agent<T: Agent + 'static>() {}
    is_agent::<FastExecutionPath<MemoryPen>>();
    assert_eq!(Rig::new().path.name(), "order");
}

#[test]
fn an_approved_order_is_journaled_sent_and_told() {
    let mut rig = Rig::new();
    let order = approved(id(1));
    rig.approve(order);
    assert_eq!(rig.records(), [Record::Intent(order)]);
    let commands = rig.commands(A);
    let [BrokerCommand::New(new)] = commands[..] else {
        panic!("one new order, not {commands:?}");
    };
    assert_eq!(
        (new.order_id, new.quantity, new.order_type),
        (id(1), shares(100), limit(50))
    );
    assert_eq!((new.stamps.signal, new.stamps.risk), (1_000, 70));
    assert!(new.stamps.order > 0);
    let told = rig.told(0);
    assert_eq!(
        (told[0].event, told[0].status, told[0].broker),
        (OrderEvent::Submitted, OrderStatus::PendingNew, Some(A))
    );
    assert!(matches!(rig.events()[..], [Event::Order(report)] if report == told[0]));
    assert!(rig.exposures().is_empty() && rig.told(1).is_empty());
}

#[test]
fn a_record_is_in_the_journal_before_its_command_is_in_the_ring() {
    let looked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&looked);
    let mut rig = Rig::probed(Plan::default(), |commands| {
        let ring = Arc::clone(&commands[0]);
        Some(Box::new(move |record| {
            let waiting = ring.lock().expect("one thread").available();
            seen.lock().expect("one thread").push((*record, waiting));
        }))
    });
    looked.lock().expect("one thread").clear();
    rig.approve(approved(id(1)));
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.decide(replace(id(1), 200, 51));
    rig.say(terms(ReportKind::Replaced, id(1), 200, 51));
    rig.cancel(id(1));
    let commands_before: Vec<_> = looked
        .lock()
        .expect("one thread")
        .iter()
        .filter_map(|(record, waiting)| match record {
            Record::Intent(_) => Some(("intent", *waiting)),
            Record::ReplaceIntent(_) => Some(("replace", *waiting)),
            Record::CancelIntent(_) => Some(("cancel", *waiting)),
            _ => None,
        })
        .collect();
    assert_eq!(
        commands_before,
        [("intent", 0), ("replace", 1), ("cancel", 2)]
    );
    assert_eq!(rig.commands(A).len(), 3);
}

#[test]
fn every_report_is_on_record_before_risk_hears_of_it() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.set_room(1);
    rig.say(fill(id(1), 1, 100, 100));
    assert!(rig.exposures().is_empty(), "no room for the record");
    assert_eq!(rig.status(id(1)), OrderStatus::PendingNew);
    rig.set_room(100);
    rig.run();
    assert_eq!(exposed_fills(&rig.exposures()), [(shares(100), true)]);
    assert!(matches!(
        rig.records().last(),
        Some(Record::Execution(report)) if report.kind == ReportKind::Fill
    ));
}

#[test]
fn an_order_lives_from_submission_to_its_last_fill() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.say_kind(ReportKind::Sent, id(1));
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.say(fill(id(1), 1, 40, 40));
    rig.say(fill(id(1), 2, 60, 100));
    let told = rig.told(0);
    let statuses: Vec<_> = told.iter().map(|report| report.status).collect();
    use OrderStatus as S;
    assert_eq!(
        statuses,
        [
            S::PendingNew,
            S::PendingNew,
            S::New,
            S::PartiallyFilled,
            S::Filled
        ]
    );
    assert_eq!((told[4].stamps.encode, told[4].stamps.wire), (200, 300));
    assert_eq!(told[4].average_price(), Some(dollars(50)));
    assert!(matches!(told[4].event, OrderEvent::Filled(fill) if !fill.unexpected));
    assert_eq!(
        exposed_fills(&rig.exposures()),
        [(shares(40), false), (shares(60), true)]
    );
    assert_eq!(rig.path.orders().working(), 0);
    assert_eq!(rig.path.gauges().read().working, 0);
    assert_eq!(rig.anomalies(), 0);
}

#[test]
fn a_fill_before_the_acknowledgement_counts_and_the_late_one_is_silent() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.say(fill(id(1), 1, 100, 100));
    rig.forget();
    rig.say_kind(ReportKind::Accepted, id(1));
    rig.say_kind(ReportKind::Sent, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::Filled);
    assert_eq!(rig.told_events(), [OrderEvent::Sent]);
    assert!(rig.exposures().is_empty());
    assert_eq!(rig.anomalies(), 0);
}

#[test]
fn a_fill_after_the_cancel_moves_the_position_and_is_unexpected() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.cancel(id(1));
    rig.say_kind(ReportKind::Canceled, id(1));
    assert_eq!(rig.exposures(), [closed(id(1))]);
    rig.forget();
    rig.say(fill(id(1), 1, 30, 30));
    assert_eq!(exposed_fills(&rig.exposures()), [(shares(30), false)]);
    let told = rig.told(0);
    assert!(matches!(told[0].event, OrderEvent::Filled(fill) if fill.unexpected));
    assert_eq!(
        (told[0].status, told[0].filled),
        (OrderStatus::Canceled, shares(30))
    );
    assert_eq!(rig.path.gauges().read().unexpected_fills, 1);
}

#[test]
fn a_cancel_that_reports_more_than_was_seen_is_an_anomaly_until_the_fill_comes() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    let mut canceled = report(ReportKind::Canceled, id(1));
    canceled.cumulative_quantity = shares(40);
    rig.say(canceled);
    assert_eq!(rig.status(id(1)), OrderStatus::Canceled);
    assert_eq!(rig.anomalies(), 1);
}

#[test]
fn a_repeated_execution_is_neither_journaled_nor_counted_twice() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.say(fill(id(1), 7, 40, 40));
    rig.say(fill(id(1), 7, 40, 40));
    assert_eq!(rig.filled(id(1)), shares(40));
    assert_eq!(rig.records().len(), 1);
    assert_eq!(exposed_fills(&rig.exposures()).len(), 1);
    assert_eq!(rig.path.gauges().read().repeated_executions, 1);
    rig.say(fill(id(1), 8, 40, 80));
    assert_eq!(rig.filled(id(1)), shares(80));
}

#[test]
fn the_same_execution_id_at_another_broker_is_another_fill() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    let mut other = approved(id(2));
    other.broker = B;
    rig.approve(other);
    rig.say(fill(id(1), 7, 40, 40));
    let mut at_b = fill(id(2), 7, 40, 40);
    at_b.broker = B;
    rig.say(at_b);
    assert_eq!(
        (rig.filled(id(1)), rig.filled(id(2))),
        (shares(40), shares(40))
    );
}

#[test]
fn fills_in_the_wrong_order_and_beyond_the_quantity_add_up() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.say(fill(id(1), 2, 20, 60));
    rig.say(fill(id(1), 1, 40, 40));
    assert_eq!(rig.filled(id(1)), shares(60));
    rig.say(fill(id(1), 3, 50, 110));
    assert_eq!(rig.status(id(1)), OrderStatus::Filled);
    let exposures = rig.exposures();
    assert_eq!(
        exposed_fills(&exposures),
        [(shares(20), false), (shares(40), false), (shares(50), true)]
    );
    assert_eq!(rig.path.gauges().read().unexpected_fills, 1, "the overfill");
}

#[test]
fn a_fill_of_an_order_nobody_knows_moves_the_position() {
    let mut rig = Rig::new();
    rig.say(fill(OrderId::default(), 5, 10, 10));
    let records = rig.records();
    assert!(matches!(records[..], [Record::Execution(_)]));
    assert_eq!(exposed_fills(&rig.exposures()), [(shares(10), false)]);
    assert!(matches!(rig.events()[..], [Event::ForeignFill { fill, .. }] if fill.unexpected));
    rig.say(fill(OrderId::default(), 5, 10, 10));
    assert!(rig.exposures().is_empty(), "the same execution again");
    for kind in (0..=12).filter_map(ReportKind::from_u8) {
        if kind != ReportKind::Fill {
            rig.say_kind(kind, id(99));
        }
    }
    assert_eq!(rig.anomalies(), 12);
    assert!(rig.exposures().is_empty() && rig.told(0).is_empty());
}

#[test]
fn a_fill_reported_by_another_broker_than_the_orders_is_foreign() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    let mut stray = fill(id(1), 5, 10, 10);
    stray.broker = B;
    rig.say(stray);
    assert_eq!(rig.filled(id(1)), Quantity::ZERO);
    assert!(matches!(
        rig.exposures()[..],
        [Exposure::Fill { broker: B, .. }]
    ));
    assert_eq!(rig.path.gauges().read().foreign_fills, 1);
}

#[test]
fn each_end_without_a_fill_releases_the_reservation_once() {
    let ends = [
        (ReportKind::NotSent, OrderStatus::Rejected),
        (ReportKind::Rejected, OrderStatus::Rejected),
        (ReportKind::Canceled, OrderStatus::Canceled),
        (ReportKind::Expired, OrderStatus::Expired),
    ];
    for (kind, status) in ends {
        let mut rig = Rig::new();
        rig.approve(approved(id(1)));
        rig.forget();
        rig.say_kind(kind, id(1));
        rig.say_kind(kind, id(1));
        assert_eq!(rig.status(id(1)), status);
        assert_eq!(rig.exposures(), [closed(id(1))], "{kind:?}");
        assert_eq!(rig.told(0).len(), 1, "{kind:?}");
        assert_eq!(rig.anomalies(), 0, "{kind:?}");
    }
}

#[test]
fn a_rejection_of_a_filled_order_is_an_anomaly_and_changes_nothing() {
    let mut rig = Rig::new();
    working_order(&mut rig, id(1));
    rig.say(fill(id(1), 1, 40, 40));
    rig.forget();
    rig.say_kind(ReportKind::Rejected, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::PartiallyFilled);
    assert_eq!(rig.anomalies(), 1);
    assert!(rig.exposures().is_empty() && rig.told(0).is_empty());
    assert_eq!(rig.path.gauges().read().anomalies, 1);
}

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
fn refusals_of_risk_are_journaled_and_told() {
    let mut rig = Rig::new();
    let refusal = Refusal::plain(RefusalCode::StaleQuote);
    let refused = RefusedOrder::new(approved(id(1)).request, refusal);
    rig.decide(RiskDecision::Refused(refused));
    rig.decide(RiskDecision::CancelRefused {
        order_id: id(2),
        refusal,
    });
    rig.decide(RiskDecision::ReplaceRefused {
        order_id: id(3),
        refusal,
    });
    assert_eq!(
        rig.records(),
        [
            Record::Refused(refused),
            Record::CancelRefused {
                order_id: id(2),
                refusal
            },
            Record::ReplaceRefused {
                order_id: id(3),
                refusal
            },
        ]
    );
    let told = rig.told(0);
    assert_eq!(
        (told[0].event, told[0].status, told[0].broker),
        (OrderEvent::Refused(refusal), OrderStatus::Rejected, None)
    );
    assert_eq!(told[1].event, OrderEvent::CancelRefused(refusal));
    assert_eq!(told[2].event, OrderEvent::ReplaceRefused(refusal));
    assert!(rig.exposures().is_empty() && rig.commands(A).is_empty());
    assert_eq!(rig.path.orders().working(), 0);
}

/// Expects that an approved order is refused, its exposure given back, and nothing sent.
fn refused_by_order(rig: &mut Rig, order: ApprovedOrder) -> RefusalCode {
    rig.forget();
    rig.approve(order);
    assert!(rig.commands(A).is_empty() && rig.commands(B).is_empty());
    assert_eq!(rig.exposures(), [closed(order.request.order_id)]);
    assert!(matches!(rig.records()[..], [Record::Refused(_)]));
    let cold = rig.events();
    let [Event::Order(report)] = cold[..] else {
        panic!("{cold:?}");
    };
    match report.event {
        OrderEvent::Refused(refusal) => refusal.code,
        event => panic!("{event:?}"),
    }
}

#[test]
fn an_order_approved_for_a_broker_that_went_down_is_refused_and_not_rerouted() {
    let mut rig = Rig::new();
    rig.link(A, false);
    let code = refused_by_order(&mut rig, approved(id(1)));
    assert_eq!(code, RefusalCode::BrokerDown);
    rig.link(A, true);
    rig.approve(approved(id(2)));
    assert_eq!(rig.commands(A).len(), 1);
}

#[test]
fn orders_that_the_table_or_the_journal_cannot_take_are_refused() {
    let mut rig = Rig::planned(Plan {
        capacity: 2,
        ..Plan::default()
    });
    rig.approve(approved(id(1)));
    rig.approve(approved(id(2)));
    let full = refused_by_order(&mut rig, approved(id(3)));
    assert_eq!(full, RefusalCode::OrderTableFull);
    let no_port = refused_by_order(&mut rig, approved(port_id(7, 1)));
    assert_eq!(no_port, RefusalCode::InvalidOrder);
    rig.say_kind(ReportKind::Canceled, id(1));
    rig.paper.failed.store(true, Ordering::Relaxed);
    let failed = refused_by_order(&mut rig, approved(id(4)));
    assert_eq!(failed, RefusalCode::Halted);
    rig.cancel(id(2));
    assert_eq!(rig.commands(A), [cancel_command(id(2))], "cancels go on");
}

#[test]
fn an_id_is_taken_once_and_a_repetition_releases_nothing_of_the_first() {
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.forget();
    rig.approve(approved(id(1)));
    assert!(rig.commands(A).is_empty());
    assert!(rig.exposures().is_empty(), "the first one still works");
    let told = rig.told(0);
    let refusal = Refusal::plain(RefusalCode::DuplicateOrderId);
    assert_eq!(
        (told[0].event, told[0].status),
        (OrderEvent::Refused(refusal), OrderStatus::PendingNew)
    );
    rig.say_kind(ReportKind::Canceled, id(1));
    rig.forget();
    let done = refused_by_order(&mut rig, approved(id(1)));
    assert_eq!(done, RefusalCode::DuplicateOrderId);
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

#[test]
fn risk_records_are_journaled_told_and_confirmed_when_on_disk() {
    let mut rig = Rig::new();
    let record = RiskRecord::LatchesReset { at: Nanos(3) };
    rig.decide(RiskDecision::Record(record));
    assert_eq!(rig.records(), [Record::Risk(record)]);
    assert_eq!(rig.events(), [Event::Risk(record)]);
    assert!(rig.exposures().is_empty());
    rig.set_durable(1);
    rig.run();
    assert_eq!(rig.exposures(), [Exposure::Durable { sequence: 1 }]);
    rig.run();
    assert!(rig.exposures().is_empty(), "said once");
}

#[test]
fn links_and_accounts_are_journaled_and_reach_risk_and_the_cold_side() {
    let mut rig = Rig::new();
    rig.link(B, false);
    let account = AccountSnapshot {
        broker: A,
        kind: AccountKind::Margin,
        cash: Money::from_whole(1_000),
        multiplier: Ratio::from_units(2_000_000_000),
        at: Nanos(5),
    };
    rig.reports[0]
        .push(BrokerReport::Account(account))
        .expect("room");
    rig.run();
    let down = Exposure::Link {
        broker: B,
        up: false,
    };
    assert_eq!(rig.exposures(), [down, Exposure::Account(account)]);
    assert_eq!(
        rig.records(),
        [
            Record::Link {
                broker: B,
                up: false
            },
            Record::Account(account)
        ]
    );
    let events = rig.events();
    assert!(matches!(
        events[..],
        [
            Event::Link {
                broker: B,
                up: false,
                ..
            },
            Event::Account(_)
        ]
    ));
}

#[test]
fn full_rings_hold_inputs_back_and_lose_nothing() {
    let mut rig = Rig::planned(Plan {
        exposure_ring: 4,
        command_ring: 3,
        event_ring: 2,
        capacity: 256,
        ..Plan::default()
    });
    let mut sent = 0;
    for n in 1..=100 {
        rig.decisions
            .push(RiskDecision::Approved(approved(id(n))))
            .expect("room");
    }
    rig.run();
    assert_eq!(
        rig.path.orders().working(),
        3,
        "as many as the gateway can take"
    );
    while sent < 100 {
        let commands = rig.commands(A);
        assert!(!commands.is_empty(), "progress");
        sent += commands.len();
        rig.run();
    }
    for n in 1..=100 {
        rig.reports[0]
            .push(BrokerReport::Execution(fill(
                id(n),
                u128::from(n),
                100,
                100,
            )))
            .expect("room");
    }
    let mut fills = 0;
    while fills < 100 {
        rig.run();
        let exposures = rig.exposures();
        assert!(!exposures.is_empty() && exposures.len() <= 4, "progress");
        fills += exposures.len();
    }
    assert_eq!(rig.path.orders().working(), 0);
    assert_eq!(rig.told(0).len(), 200, "submitted and filled");
    assert_eq!(rig.exposure.gauge().refused(), 0);
    assert!(
        rig.events.gauge().refused() > 0,
        "the cold side's loss is counted"
    );
}

#[test]
fn broker_reports_are_taken_while_a_gateway_takes_no_commands() {
    let mut rig = Rig::planned(Plan {
        command_ring: 1,
        ..Plan::default()
    });
    rig.approve(approved(id(1)));
    rig.approve(approved(id(2)));
    rig.say(fill(id(1), 1, 100, 100));
    assert_eq!(rig.status(id(1)), OrderStatus::Filled);
    assert!(
        rig.path.orders().get(id(2)).is_none(),
        "it waits in its ring"
    );
}

#[test]
fn a_close_in_order_is_on_record() {
    let mut rig = Rig::new();
    rig.path.on_close(rig.now);
    assert_eq!(rig.records(), [Record::Shutdown]);
}
