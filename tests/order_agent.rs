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
fn an_answer_with_offsets_tells_that_the_order_left_unless_it_denies_it() {
    let answered = |kind, id| ExecutionReport {
        encode_offset: 200,
        wire_offset: 300,
        ..report(kind, id)
    };
    let mut rig = Rig::new();
    rig.approve(approved(id(1)));
    rig.say(answered(ReportKind::Accepted, id(1)));
    rig.say(fill(id(1), 1, 40, 40));
    let told = rig.told(0);
    let events: Vec<_> = told.iter().map(|report| report.event).collect();
    assert_eq!(events[..2], [OrderEvent::Submitted, OrderEvent::Accepted]);
    let stamps = told[1].stamps;
    assert_eq!((stamps.encode, stamps.wire), (200, 300));
    assert_eq!(told[2].stamps, stamps);
    // Of a sent order "not sent" can only mean the change of it.
    rig.say_kind(ReportKind::NotSent, id(1));
    assert_eq!(rig.status(id(1)), OrderStatus::PartiallyFilled);
    rig.approve(approved(id(2)));
    rig.say(answered(ReportKind::NotSent, id(2)));
    assert_eq!(rig.status(id(2)), OrderStatus::Rejected);
    assert_eq!(rig.anomalies(), 1, "nobody had asked for a change");
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
