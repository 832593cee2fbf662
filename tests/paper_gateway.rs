//! The paper gateway: rings in, rings out, the kill word, and time.
//!
//! Runs on: the test runner.
//! Owns: the sentences of the gateway's contract, each as a test.
//! Never: sleeps; virtual time is moved by hand.

mod sim_support;

use shrike::gateway::paper::PaperSettings;
use shrike::runtime::Agent;
use shrike::sim::{ExchangeSettings, Latency};
use shrike::types::{
    BrokerCommand, BrokerId, BrokerReject, BrokerReport, KillScope, Money, Nanos, OrderType,
    RecoveredAccount, RecoveredState, ReplaceCommand, ReportKind, StrategyId,
};
use sim_support::paper::{Paper, settings};
use sim_support::*;

#[test]
fn the_account_comes_first_then_the_link_then_orders() {
    let recovered = RecoveredState {
        accounts: vec![RecoveredAccount {
            broker: BrokerId(0),
            cash: dollars("1234.5"),
        }],
        ..RecoveredState::default()
    };
    let mut paper = Paper::with(settings(), 64, &recovered);
    let order = paper.order(Buy, 1, limit(900));
    paper.poll();
    let reports = paper.raw();
    let BrokerReport::Account(account) = reports[0] else {
        panic!("the account first: {reports:?}");
    };
    assert_eq!(
        (account.cash, account.at),
        (dollars("1234.5"), Nanos(paper.now))
    );
    assert_eq!(
        reports[1],
        BrokerReport::Link {
            broker: BrokerId(0),
            up: true
        }
    );
    assert!(matches!(
        reports[2],
        BrokerReport::Execution(report)
            if report.order_id == order && report.tells_sent()
    ));
}

#[test]
fn an_order_is_accepted_and_filled_in_this_order_and_the_first_answer_has_the_stamps() {
    let mut paper = Paper::new();
    paper.quote(paper.now, 1000, 300, 1010, 200);
    paper.poll();
    paper.raw();
    let order = paper.order(Buy, 10, OrderType::Market);
    paper.poll();
    let reports = paper.executions();
    let kinds: Vec<_> = reports.iter().map(|r| (r.order_id, r.kind)).collect();
    assert_eq!(
        kinds,
        [(order, ReportKind::Accepted), (order, ReportKind::Fill)]
    );
    let first = &reports[0];
    assert!(first.encode_offset >= 1 && first.wire_offset >= first.encode_offset);
    assert_eq!((reports[1].encode_offset, reports[1].wire_offset), (0, 0));
    assert!(reports.iter().all(|report| report.received_stamp > 0));
    assert_eq!(reports[1].broker_time, Nanos(paper.now));
}

#[test]
fn cancels_replaces_and_look_ups_reach_the_exchange() {
    let mut paper = Paper::new();
    let order = paper.order(Buy, 10, limit(1000));
    paper.push(BrokerCommand::Replace(ReplaceCommand {
        order_id: order,
        strategy: StrategyId::ENGINE,
        quantity: shares(20),
        order_type: limit(1001),
    }));
    paper.push(BrokerCommand::Query { order_id: order });
    paper.push(BrokerCommand::Cancel { order_id: order });
    paper.push(BrokerCommand::Query { order_id: id(77) });
    paper.poll();
    assert_eq!(
        paper.kinds(),
        [
            (order, ReportKind::Accepted),
            (order, ReportKind::Replaced),
            (order, ReportKind::Status),
            (order, ReportKind::Canceled),
            (id(77), ReportKind::NotFound),
        ]
    );
}

#[test]
fn the_kill_word_stops_new_orders_and_replaces_but_no_cancel() {
    let mut paper = Paper::new();
    let (old, other) = (
        paper.order(Buy, 10, limit(1000)),
        paper.order(Buy, 10, limit(1000)),
    );
    paper.poll();
    paper.raw();
    paper.kill.set(KillScope::Strategy(StrategyId::ENGINE));
    let new = paper.order(Buy, 10, limit(1000));
    paper.push(BrokerCommand::Replace(ReplaceCommand {
        order_id: old,
        strategy: StrategyId::ENGINE,
        quantity: shares(20),
        order_type: limit(1000),
    }));
    paper.push(BrokerCommand::Cancel { order_id: old });
    let mut elsewhere = paper.command(Buy, 10, limit(1000));
    elsewhere.strategy = StrategyId(2);
    paper.push(BrokerCommand::New(elsewhere));
    paper.poll();
    let reports = paper.executions();
    let kinds: Vec<_> = reports.iter().map(|r| (r.order_id, r.kind)).collect();
    assert_eq!(
        kinds,
        [
            (new, ReportKind::NotSent),
            (old, ReportKind::ReplaceRejected),
            (old, ReportKind::Canceled),
            (elsewhere.order_id, ReportKind::Accepted),
        ]
    );
    assert_eq!(
        (reports[0].reason, reports[1].reason),
        (BrokerReject::Killed, BrokerReject::Killed)
    );
    let open = paper.agent.session().exchange().statement().open_orders;
    assert_eq!(
        open,
        [other, elsewhere.order_id],
        "a strategy's bit cancels nothing"
    );
}

#[test]
fn a_kill_of_the_firm_or_the_broker_cancels_everything_once() {
    for scope in [KillScope::Firm, KillScope::Broker(BrokerId(0))] {
        let mut paper = Paper::new();
        let mut orders: Vec<_> = (0..40).map(|_| paper.order(Buy, 1, limit(1000))).collect();
        paper.poll();
        paper.raw();
        paper.kill.set(KillScope::Broker(BrokerId(1)));
        paper.poll();
        assert_eq!(paper.kinds(), [], "another broker's");
        paper.kill.set(scope);
        let late = paper.order(Buy, 1, limit(1000));
        for _ in 0..4 {
            paper.poll();
        }
        let kinds = paper.kinds();
        let canceled: Vec<_> = kinds
            .iter()
            .filter(|(_, kind)| *kind == ReportKind::Canceled)
            .map(|(order, _)| *order)
            .collect();
        assert_eq!(canceled, orders);
        assert!(kinds.contains(&(late, ReportKind::NotSent)));
        assert_eq!(kinds.len(), 41);
        paper.kill.clear(scope);
        orders = vec![paper.order(Buy, 1, limit(1000))];
        paper.poll();
        paper.kill.set(scope);
        paper.poll();
        assert!(
            paper.kinds().contains(&(orders[0], ReportKind::Canceled)),
            "newly set again"
        );
    }
}

#[test]
fn a_full_report_ring_holds_commands_back_and_loses_nothing() {
    let small = PaperSettings {
        exchange: ExchangeSettings {
            report_queue: 8,
            ..rich()
        },
        ..settings()
    };
    let mut paper = Paper::with(small, 4, &RecoveredState::default());
    paper.quote(paper.now, 1000, 300, 1010, 1_000);
    let orders: Vec<_> = (0..100)
        .map(|_| paper.order(Buy, 1, OrderType::Market))
        .collect();
    let (mut kinds, mut left) = (Vec::new(), Vec::new());
    for _ in 0..1_000 {
        paper.poll();
        assert!(paper.reports.available() <= 4);
        if let Some(BrokerReport::Execution(report)) = paper.reports.pop() {
            kinds.push((report.order_id, report.kind));
            left.extend(report.tells_sent().then_some(report.order_id));
        }
    }
    // Without a price the first ones are refused; the quote came behind the commands of that poll.
    let ended = |order| {
        kinds
            .iter()
            .filter(|(id, kind)| {
                *id == order && matches!(kind, ReportKind::Fill | ReportKind::Rejected)
            })
            .count()
    };
    assert!(orders.iter().all(|order| ended(*order) == 1));
    assert_eq!(left, orders, "each one's leaving is told once, in order");
    let fills = kinds.iter().filter(|(_, k)| *k == ReportKind::Fill).count();
    assert!(fills > 50, "{fills} fills");
}

#[test]
fn commands_take_their_time_and_meet_the_market_of_their_arrival() {
    let slow = PaperSettings {
        order_latency: Latency {
            fixed_ns: 1_000,
            jitter_ns: 0,
        },
        ..settings()
    };
    let mut paper = Paper::with(slow, 64, &RecoveredState::default());
    let sent = paper.now;
    paper.quote(sent, 1000, 300, 1010, 200);
    let order = paper.order(Buy, 10, limit(1010));
    paper.poll();
    assert_eq!(paper.kinds(), [(order, ReportKind::Sent)]);
    assert_eq!(paper.agent.next_deadline(), Some(Nanos(sent + 1_000)));
    // One row before it arrives, one after, all seen in one poll.
    paper.quote(sent + 999, 1000, 300, 1008, 200);
    paper.quote(sent + 1_001, 1000, 300, 1005, 200);
    paper.poll_at(sent + 2_000);
    let reports = paper.executions();
    assert_eq!(fill_of(&reports[1]), (order, 10, 1008));
    assert_eq!(reports[1].broker_time, Nanos(sent + 1_000));
}

#[test]
fn a_kill_catches_the_orders_that_are_still_on_their_way() {
    let slow = PaperSettings {
        order_latency: Latency {
            fixed_ns: 1_000,
            jitter_ns: 0,
        },
        ..settings()
    };
    let mut paper = Paper::with(slow, 64, &RecoveredState::default());
    let order = paper.order(Buy, 10, limit(1000));
    paper.poll();
    paper.kill.set(KillScope::Firm);
    paper.poll();
    paper.poll_at(paper.now + 1_000);
    assert_eq!(
        paper.kinds(),
        [
            (order, ReportKind::Sent),
            (order, ReportKind::Accepted),
            (order, ReportKind::Canceled)
        ]
    );
}

#[test]
fn market_rows_are_taken_in_bounded_portions_and_none_is_lost() {
    let mut paper = Paper::new();
    paper.quote(paper.now, 1000, 300, 1010, 200);
    paper.poll();
    let order = paper.order(Buy, 1_000, limit(1005));
    paper.poll();
    paper.raw();
    for n in 0..1_000 {
        paper.trade(paper.now + n, 1005, 1);
    }
    let now = paper.now + 2_000;
    let mut portions = Vec::new();
    while paper.poll_at(now) > 0 {
        portions.push(paper.executions().len());
    }
    assert!(portions.iter().all(|portion| *portion <= 256));
    assert_eq!(portions.iter().sum::<usize>(), 1_000);
    let open = paper.agent.session().exchange().open_orders();
    assert_eq!(open, 0, "{order} is filled");
}

#[test]
fn the_end_of_the_session_comes_with_time_alone() {
    let mut paper = Paper::new();
    let order = paper.order(Buy, 1, limit(900));
    paper.poll();
    paper.raw();
    assert_eq!(paper.agent.next_deadline(), Some(Nanos(DAY + CLOSE)));
    paper.poll_at(DAY + CLOSE);
    assert_eq!(paper.kinds(), [(order, ReportKind::Expired)]);
    assert_eq!(paper.agent.next_deadline(), None);
}

#[test]
fn the_books_are_handed_over_at_the_close() {
    let mut paper = Paper::new();
    paper.quote(paper.now, 1000, 300, 1010, 200);
    paper.poll();
    paper.order(Buy, 10, OrderType::Market);
    let open = paper.order(Buy, 10, limit(900));
    paper.poll();
    paper.agent.on_close(Nanos(paper.now));
    let statement = paper.statement.get().expect("filled at the close");
    assert_eq!(
        statement.cash,
        Money::from_whole(1_000_000_000) - dollars("101")
    );
    assert_eq!(statement.positions, [(IBM, shares(10))]);
    assert_eq!(statement.open_orders, [open]);
}
