//! What the simulated broker takes, refuses, books and answers, and how it comes back after a restart.
//!
//! Runs on: the test runner.
//! Owns: the sentences of the account, of cancels, replaces and look-ups, each as a test.
//! Never: depends on time of day or a seed.

mod sim_support;

use shrike::sim::{Exchange, ExchangeSettings, FeeSchedule, Latency};
use shrike::types::{
    AccountKind, ApprovedOrder, BootEpoch, BrokerId, BrokerReject, ExecutionId, InstrumentId,
    Money, Nanos, Order, OrderFlags, OrderInput, OrderRequest, OrderState, OrderType, PortId,
    Position, Price, Quantity, Ratio, RecoveredAccount, RecoveredOrder, RecoveredPosition,
    RecoveredState, ReportKind, StageStamps, StrategyId, TimeInForce,
};
use sim_support::*;

fn small(kind: AccountKind) -> Desk {
    let mut desk = Desk::with(ExchangeSettings {
        kind,
        cash: Money::from_whole(1_000),
        multiplier: Ratio::from_whole(2).expect("small"),
        max_open_orders: 16,
        ..rich()
    });
    desk.both(1000, 10_000, 1010, 10_000);
    desk
}

#[test]
fn fees_are_a_share_a_minimum_and_basis_points_and_leave_the_cash_exactly() {
    let mut desk = Desk::with(ExchangeSettings {
        fees: FeeSchedule {
            per_share: "0.005".parse().expect("a price"),
            minimum: dollars("0.35"),
            rate: Ratio::from_basis_points(1),
        },
        ..rich()
    });
    desk.both(1000, 100, 1010, 100);
    desk.order(Buy, 10, OrderType::Market);
    desk.order(Buy, 100, OrderType::Market);
    let fees: Vec<_> = desk
        .reports()
        .iter()
        .filter(|report| report.kind == ReportKind::Fill)
        .map(|report| report.fee)
        .collect();
    assert_eq!(fees, [dollars("0.35"), dollars("0.5409")]);
    let start = Money::from_whole(1_000_000_000);
    let spent = dollars("1010") + dollars("0.8909");
    assert_eq!(desk.exchange.cash(), start - spent);
    assert_eq!(desk.exchange.position(IBM).fees, dollars("0.8909"));
    assert_eq!(
        desk.exchange.equity(),
        start - spent + dollars("1005"),
        "marked at the middle"
    );
}

#[test]
fn a_cash_account_buys_for_its_cash_with_open_orders_counted_and_never_sells_short() {
    let mut desk = small(AccountKind::Cash);
    desk.order(Buy, 60, limit(1000));
    desk.order(Buy, 41, limit(1000));
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::InsufficientBuyingPower
    );
    desk.order(Sell, 1, limit(1010));
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::ShortNotAllowed
    );
    let rest = desk.order(Buy, 40, limit(1000));
    desk.reports();
    desk.cancel(rest);
    desk.order(Buy, 39, OrderType::Market);
    assert_eq!(desk.fills().len(), 1);
    desk.order(Sell, 39, limit(1020));
    assert_eq!(desk.kinds(), []);
    desk.order(Sell, 1, limit(1020));
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::ShortNotAllowed,
        "the open sell has spoken for the position"
    );
}

#[test]
fn a_margin_account_reaches_its_multiple_and_sells_shortable_instruments_short() {
    let mut desk = small(AccountKind::Margin);
    desk.order(Sell, 201, limit(1000));
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::InsufficientBuyingPower
    );
    let short = desk.order(Sell, 190, limit(1000));
    assert_eq!(desk.fills(), [(short, 190, 1000)]);
    desk.both(1040, 500, 1050, 500);
    desk.order(Sell, 1, OrderType::Market);
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::InsufficientBuyingPower,
        "the short has eaten the equity"
    );
    let close = desk.order(Buy, 190, OrderType::Market);
    assert_eq!(desk.fills(), [(close, 190, 1050)], "closing always passes");
    assert_eq!(desk.exchange.cash(), Money::from_whole(1_000 - 95));
    let mut hard = desk.command(Sell, 1, limit(1000));
    hard.instrument = InstrumentId(2);
    desk.send(&hard);
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::ShortNotAllowed
    );
}

#[test]
fn orders_are_refused_in_the_brokers_manner() {
    let mut desk = small(AccountKind::Margin);
    let mut expect = |change: &dyn Fn(&mut shrike::types::NewOrderCommand), reason| {
        let mut command = desk.command(Buy, 1, limit(900));
        change(&mut command);
        desk.send(&command);
        assert_eq!(desk.rejection(ReportKind::Rejected), reason);
    };
    use BrokerReject as R;
    expect(&|c| c.instrument = InstrumentId(3), R::UnknownSymbol);
    expect(&|c| c.quantity = Quantity::ZERO, R::InvalidOrder);
    expect(&|c| c.quantity = Quantity::from_units(1), R::InvalidOrder);
    let off_tick = OrderType::Limit {
        limit: Price::from_units(9_005_000_000),
    };
    expect(&|c| c.order_type = off_tick, R::InvalidOrder);
    expect(&|c| c.order_type = limit(0), R::InvalidOrder);
    expect(
        &|c| {
            c.order_type = stop(1100);
            c.time_in_force = TimeInForce::Ioc;
        },
        R::InvalidOrder,
    );
    expect(
        &|c| {
            c.order_type = OrderType::Market;
            c.flags = OrderFlags::EXTENDED_HOURS;
        },
        R::InvalidOrder,
    );
    expect(&|c| c.quantity = Quantity::MAX, R::InvalidOrder);
    let foreign = shrike::types::OrderId::new(BootEpoch::FIRST, PortId(2), 1).expect("an id");
    expect(&|c| c.order_id = foreign, R::InvalidOrder);
}

#[test]
fn an_order_id_is_taken_once_for_ever() {
    let mut desk = small(AccountKind::Margin);
    let command = desk.command(Buy, 1, OrderType::Market);
    desk.send(&command);
    desk.send(&command);
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::DuplicateClientOrderId
    );
    // Long after its record is gone.
    for _ in 0..6_000 {
        let other = desk.order(Buy, 1, limit(900));
        desk.cancel(other);
        desk.reports();
    }
    desk.send(&command);
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::DuplicateClientOrderId
    );
    desk.query(command.order_id);
    let answer = desk.reports().pop().expect("an answer");
    assert_eq!(
        answer.kind,
        ReportKind::InDoubt,
        "it was here, and nobody knows how it ended"
    );
}

#[test]
fn one_order_more_than_the_table_holds_is_refused_and_a_canceled_one_makes_room() {
    let mut desk = small(AccountKind::Margin);
    let first = desk.order(Buy, 1, limit(900));
    for _ in 1..16 {
        desk.order(Buy, 1, limit(900));
    }
    assert_eq!(desk.kinds(), []);
    desk.order(Buy, 1, limit(900));
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::TooManyOrders
    );
    desk.cancel(first);
    desk.order(Buy, 1, limit(900));
    assert_eq!(desk.kinds(), [(first, ReportKind::Canceled)]);
}

#[test]
fn cancels_of_done_and_of_unknown_orders_are_refused_with_the_reason() {
    let mut desk = Desk::quoted();
    let filled = desk.order(Buy, 1, OrderType::Market);
    desk.cancel(filled);
    assert_eq!(
        desk.rejection(ReportKind::CancelRejected),
        BrokerReject::TooLateToChange
    );
    desk.cancel(id(999));
    assert_eq!(
        desk.rejection(ReportKind::CancelRejected),
        BrokerReject::UnknownOrder
    );
    desk.replace(filled, 2, OrderType::Market);
    assert_eq!(
        desk.rejection(ReportKind::ReplaceRejected),
        BrokerReject::TooLateToChange
    );
    desk.replace(id(999), 2, OrderType::Market);
    assert_eq!(
        desk.rejection(ReportKind::ReplaceRejected),
        BrokerReject::UnknownOrder
    );
}

#[test]
fn a_replace_to_less_keeps_its_place_and_any_other_change_loses_it() {
    let mut desk = Desk::quoted();
    let first = desk.order(Buy, 10, limit(1005));
    let second = desk.order(Buy, 10, limit(1005));
    desk.replace(first, 5, limit(1005));
    desk.trade(1005, 8);
    assert_eq!(desk.fills(), [(first, 5, 1005), (second, 3, 1005)]);
    let third = desk.order(Buy, 10, limit(1005));
    desk.replace(second, 11, limit(1005));
    desk.trade(1005, 12);
    assert_eq!(desk.fills(), [(third, 10, 1005), (second, 2, 1005)]);
    desk.replace(second, 11, limit(1010));
    assert_eq!(
        desk.fills(),
        [(second, 6, 1010)],
        "it meets the market on arrival; 5 had filled"
    );
}

#[test]
fn a_replace_says_its_terms_and_is_refused_below_what_has_filled_or_beyond_the_buying_power() {
    let mut desk = small(AccountKind::Cash);
    let order = desk.order(Buy, 50, limit(1005));
    desk.trade(1005, 20);
    desk.reports();
    for (quantity, order_type, reason) in [
        (20, limit(1005), BrokerReject::InvalidOrder),
        (50, stop(1005), BrokerReject::InvalidOrder),
        (120, limit(1005), BrokerReject::InsufficientBuyingPower),
    ] {
        desk.replace(order, quantity, order_type);
        assert_eq!(desk.rejection(ReportKind::ReplaceRejected), reason);
    }
    desk.replace(order, 90, limit(1000));
    let report = desk.reports().pop().expect("a report");
    assert_eq!(report.kind, ReportKind::Replaced);
    assert_eq!(
        (report.quantity, report.cumulative_quantity),
        (shares(90), shares(20))
    );
    assert_eq!(report.order_type, limit(1000));
    assert_eq!(
        desk.exchange.buying_power(),
        dollars("1000") - dollars("201") - dollars("700")
    );
}

#[test]
fn a_look_up_tells_works_from_done_from_never_seen() {
    let mut desk = Desk::quoted();
    let working = desk.order(Buy, 300, limit(1010));
    let canceled = desk.order(Buy, 1, limit(900));
    desk.cancel(canceled);
    desk.reports();
    for order in [working, canceled, id(999)] {
        desk.query(order);
    }
    let answers = desk.reports();
    let kinds: Vec<_> = answers.iter().map(|answer| answer.kind).collect();
    assert_eq!(
        kinds,
        [
            ReportKind::Status,
            ReportKind::Canceled,
            ReportKind::NotFound
        ]
    );
    assert_eq!(
        (
            answers[0].quantity,
            answers[0].cumulative_quantity,
            answers[0].order_type
        ),
        (shares(300), shares(200), limit(1010))
    );
}

#[test]
fn cancelling_everything_leaves_no_order_in_any_place() {
    let mut desk = Desk::quoted();
    let mut orders = vec![
        desk.order(Buy, 10, limit(1000)),
        desk.order(Buy, 300, limit(1010)),
        desk.order(Sell, 10, stop(900)),
        desk.order(Sell, 10, trail(10)),
        desk.order_for(Buy, 10, limit(1000), TimeInForce::Cls),
        desk.extended(Buy, 10, 1000, TimeInForce::Gtc),
    ];
    desk.reports();
    let now = desk.tick();
    desk.exchange.cancel_all(now).expect("not busy");
    let mut canceled: Vec<_> = desk.kinds();
    canceled.sort_unstable_by_key(|(order, _)| *order);
    orders.sort_unstable();
    let expected: Vec<_> = orders
        .into_iter()
        .map(|order| (order, ReportKind::Canceled))
        .collect();
    assert_eq!(canceled, expected);
    assert_eq!(desk.exchange.open_orders(), 0);
    desk.both(800, 500, 801, 500);
    assert_eq!(desk.fills(), []);
}

#[test]
fn execution_ids_are_unique_across_starts() {
    let ids = |epoch| {
        let mut desk = Desk::with(ExchangeSettings {
            epoch: BootEpoch::new(epoch).expect("an epoch"),
            ..rich()
        });
        desk.both(1000, 300, 1010, 200);
        for _ in 0..3 {
            desk.order(Buy, 1, OrderType::Market);
        }
        let fills = desk.reports();
        fills
            .iter()
            .filter(|report| report.kind == ReportKind::Fill)
            .map(|report| report.execution_id)
            .collect::<Vec<_>>()
    };
    let expect = |epoch: u128| [1, 2, 3].map(|n: u128| ExecutionId((epoch << 64) | n));
    assert_eq!(ids(1), expect(1));
    assert_eq!(ids(2), expect(2));
}

#[test]
fn reports_take_their_time_and_keep_their_order() {
    let mut desk = Desk::with(ExchangeSettings {
        report_latency: Latency {
            fixed_ns: 1_000,
            jitter_ns: 500,
        },
        ..rich()
    });
    desk.both(1000, 300, 1010, 200);
    let order = desk.order(Buy, 10, OrderType::Market);
    let sent = desk.now;
    assert_eq!(desk.reports().len(), 0);
    let arrival = desk
        .exchange
        .next_deadline()
        .expect("a report is on its way")
        .0;
    assert!((sent + 1_000..=sent + 1_500).contains(&arrival));
    desk.go_to(sent + 1_500);
    let reports = desk.reports();
    let kinds: Vec<_> = reports.iter().map(|report| report.kind).collect();
    assert_eq!(kinds, [ReportKind::Accepted, ReportKind::Fill]);
    assert!(reports.iter().all(|r| r.broker_time == Nanos(sent)));
    assert_eq!(reports[1].order_id, order);
}

fn recovered(
    sequence: u64,
    order: Order,
    submitted_at: u64,
    inputs: &[OrderInput],
) -> RecoveredOrder {
    let mut state = OrderState::new(order.quantity);
    for &input in inputs {
        state.apply(input).expect("legal");
    }
    RecoveredOrder {
        approved: ApprovedOrder {
            request: OrderRequest {
                order_id: id(sequence),
                strategy: StrategyId::ENGINE,
                preferred_broker: None,
                order,
                submitted_at: Nanos(submitted_at),
                decision_price: Price::ZERO,
                signal_stamp: 0,
            },
            collar: None,
            risk_price: Price::ZERO,
            risk_offset: 0,
            broker: BrokerId(0),
        },
        state,
        order_type: order.order_type,
        stamps: StageStamps::default(),
    }
}

#[test]
fn a_restart_brings_back_cash_positions_and_acknowledged_orders_at_their_remaining_quantity() {
    let buy = Order::limit(IBM, Buy, shares(100), cents(1000));
    let gtc = buy.time_in_force(TimeInForce::Gtc);
    let today = 2 * DAY + OPEN + 10;
    let filled = OrderInput::Fill {
        quantity: shares(40),
        price: cents(1000),
        cumulative: shares(40),
    };
    // All of the old total, while the answer to a replace was open.
    let all_filled = OrderInput::Fill {
        quantity: shares(100),
        price: cents(1000),
        cumulative: shares(100),
    };
    let mut position = Position::default();
    position.apply(Buy, shares(40), cents(1000), Money::ZERO);
    let state = RecoveredState {
        orders: vec![
            recovered(1, gtc, DAY + OPEN, &[OrderInput::Accepted, filled]),
            recovered(2, buy, DAY + OPEN, &[OrderInput::Accepted]),
            recovered(3, buy, today, &[OrderInput::Accepted]),
            recovered(4, buy, today, &[]),
            recovered(
                5,
                buy.time_in_force(TimeInForce::Ioc),
                today,
                &[OrderInput::Accepted],
            ),
            recovered(
                6,
                gtc,
                today,
                &[
                    OrderInput::Accepted,
                    OrderInput::ReplaceRequested {
                        quantity: shares(150),
                    },
                    all_filled,
                ],
            ),
        ],
        accounts: vec![RecoveredAccount {
            broker: BrokerId(0),
            cash: dollars("5000"),
        }],
        positions: vec![RecoveredPosition {
            broker: BrokerId(0),
            instrument: IBM,
            position,
        }],
        ..RecoveredState::default()
    };
    // Made early, started later: what lies between is history.
    let mut exchange = Exchange::new(rich(), &table(), schedule(5), Nanos(0));
    exchange.restore(Nanos(today + 5), &state);
    let mut desk = Desk::new();
    desk.exchange = exchange;
    desk.now = today + 5;
    assert_eq!(desk.exchange.cash(), dollars("5000"));
    assert_eq!(desk.exchange.position(IBM), position);
    assert_eq!(
        desk.kinds(),
        [(id(2), ReportKind::Expired), (id(5), ReportKind::Canceled)],
        "yesterday's day order and the immediate one"
    );
    assert_eq!(desk.exchange.statement().open_orders, [id(1), id(3)]);
    desk.query(id(4));
    assert_eq!(desk.kinds(), [(id(4), ReportKind::NotFound)]);
    desk.query(id(6));
    assert_eq!(desk.kinds(), [(id(6), ReportKind::Status)], "it filled");
    desk.both(990, 10, 1000, 90);
    assert_eq!(
        desk.fills(),
        [(id(1), 60, 1000), (id(3), 30, 1000)],
        "the rest of 100 after 40"
    );
    let again = desk.command(Buy, 1, limit(900));
    desk.send(&again);
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::DuplicateClientOrderId,
        "id 1 is taken"
    );
}
