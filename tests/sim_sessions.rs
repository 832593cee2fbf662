//! What the day does to orders: opening, close, expiry, extended hours, and the nights between.
//!
//! Runs on: the test runner.
//! Owns: the sentences of the session rules, each as a test.
//! Never: reads a clock: every instant is a number.

mod sim_support;

use shrike::sim::ExchangeSettings;
use shrike::types::{BrokerReject, Nanos, OrderType, ReportKind, TimeInForce};
use sim_support::*;

fn before_the_open() -> Desk {
    Desk::at(rich(), DAY + PRE_OPEN + 1)
}

#[test]
fn outside_regular_hours_only_extended_hours_orders_are_taken_and_trade() {
    for at in [DAY + PRE_OPEN, DAY + CLOSE] {
        let mut desk = Desk::at(rich(), at);
        desk.both(1000, 300, 1010, 200);
        for time_in_force in [TimeInForce::Day, TimeInForce::Gtc, TimeInForce::Ioc] {
            desk.order_for(Buy, 1, limit(1010), time_in_force);
            assert_eq!(
                desk.rejection(ReportKind::Rejected),
                BrokerReject::MarketClosed
            );
        }
        let order = desk.extended(Buy, 10, 1010, TimeInForce::Day);
        assert_eq!(desk.fills(), [(order, 10, 1010)]);
    }
    let mut closed = Desk::at(rich(), DAY + POST_CLOSE);
    closed.extended(Buy, 10, 1010, TimeInForce::Day);
    assert_eq!(
        closed.rejection(ReportKind::Rejected),
        BrokerReject::MarketClosed
    );
}

#[test]
fn day_orders_expire_at_the_close_and_extended_ones_at_the_end_of_the_post_market() {
    let mut desk = Desk::quoted();
    let day = desk.order(Buy, 10, limit(990));
    let stopped = desk.order(Sell, 10, stop(900));
    let long = desk.extended(Buy, 10, 990, TimeInForce::Day);
    let gtc = desk.order_for(Buy, 10, limit(990), TimeInForce::Gtc);
    assert_eq!(
        desk.exchange.next_deadline(),
        Some(Nanos(DAY + OPEN + 3)),
        "reports wait"
    );
    desk.reports();
    assert_eq!(desk.exchange.next_deadline(), Some(Nanos(DAY + CLOSE)));
    desk.go_to(DAY + CLOSE - 1);
    assert_eq!(desk.kinds(), []);
    desk.go_to(DAY + CLOSE + 5);
    let reports = desk.reports();
    assert!(
        reports
            .iter()
            .all(|report| report.broker_time == Nanos(DAY + CLOSE))
    );
    let kinds: Vec<_> = reports.iter().map(|r| (r.order_id, r.kind)).collect();
    assert_eq!(
        kinds,
        [(day, ReportKind::Expired), (stopped, ReportKind::Expired)]
    );
    desk.go_to(DAY + POST_CLOSE);
    assert_eq!(desk.kinds(), [(long, ReportKind::Expired)]);
    assert_eq!(desk.exchange.statement().open_orders, [gtc]);
    assert_eq!(desk.exchange.buying_power(), desk_power(&desk));
}

/// Buying power with one order of 10 at 9.90 reserved.
fn desk_power(desk: &Desk) -> shrike::types::Money {
    let cash = desk.exchange.cash();
    cash + cash + cash + cash - dollars("99")
}

#[test]
fn good_till_canceled_orders_wait_out_the_night_and_come_back_at_the_open() {
    let mut desk = Desk::quoted();
    let buy = desk.order_for(Buy, 10, limit(1000), TimeInForce::Gtc);
    let trailing = desk.order_for(Sell, 10, trail(10), TimeInForce::Gtc);
    desk.both(1020, 10, 1030, 10);
    desk.go_to(DAY + CLOSE);
    desk.both(900, 500, 910, 500);
    desk.trade(900, 10_000);
    desk.go_to(2 * DAY + PRE_OPEN);
    desk.both(900, 500, 910, 500);
    desk.trade(900, 10_000);
    assert_eq!(desk.fills(), [], "neither fills nor triggers outside hours");
    desk.go_to(2 * DAY + OPEN);
    assert_eq!(
        desk.fills(),
        [],
        "the quote of the pre-market is not the open's"
    );
    desk.both(1011, 70, 1015, 500);
    assert_eq!(desk.fills(), []);
    desk.both(1010, 70, 1015, 500);
    assert_eq!(
        desk.fills(),
        [(trailing, 10, 1010)],
        "it remembers the 1020"
    );
    desk.both(1000, 70, 1001, 1);
    desk.trade(1000, 5);
    assert_eq!(desk.fills(), [(buy, 5, 1000)]);
}

#[test]
fn opening_orders_fill_on_the_first_tradable_row_of_the_session_and_the_rest_is_canceled() {
    let mut desk = before_the_open();
    desk.both(1000, 300, 1010, 300);
    let cheap = desk.order_for(Buy, 50, limit(1005), TimeInForce::Opg);
    let late = desk.order_for(Buy, 100, limit(1020), TimeInForce::Opg);
    let market = desk.order_for(Buy, 100, OrderType::Market, TimeInForce::Opg);
    let sell = desk.order_for(Sell, 30, OrderType::Market, TimeInForce::Opg);
    desk.both(1000, 300, 1010, 300);
    desk.go_to(DAY + OPEN);
    assert_eq!(desk.kinds(), []);
    desk.row(Bid, 1016, 70);
    assert_eq!(desk.kinds(), [], "crossed: not the opening yet");
    desk.row(Ask, 1016, 150);
    assert_eq!(
        desk.kinds(),
        [
            (market, ReportKind::Fill),
            (late, ReportKind::Fill),
            (late, ReportKind::Canceled),
            (cheap, ReportKind::Canceled),
            (sell, ReportKind::Fill),
        ]
    );
    assert_eq!(desk.exchange.position(IBM).quantity, shares(120));
    let after = desk.order_for(Buy, 1, OrderType::Market, TimeInForce::Opg);
    assert_eq!(
        desk.kinds(),
        [(after, ReportKind::Rejected)],
        "the open is over"
    );
}

#[test]
fn opening_orders_of_a_day_without_quotes_are_canceled_at_the_close() {
    let mut desk = before_the_open();
    let order = desk.order_for(Buy, 50, limit(1005), TimeInForce::Opg);
    desk.go_to(DAY + CLOSE);
    assert_eq!(desk.kinds(), [(order, ReportKind::Canceled)]);
}

#[test]
fn closing_orders_fill_at_the_close_against_the_last_tradable_quote() {
    let mut desk = Desk::quoted();
    let low = desk.order_for(Buy, 50, limit(1005), TimeInForce::Cls);
    let high = desk.order_for(Buy, 150, limit(1010), TimeInForce::Cls);
    let market = desk.order_for(Buy, 100, OrderType::Market, TimeInForce::Cls);
    let sell = desk.order_for(Sell, 30, limit(1000), TimeInForce::Cls);
    assert_eq!(desk.kinds(), [], "they take no part before");
    desk.row(Bid, 1015, 999);
    desk.trade(1000, 1_000);
    desk.go_to(DAY + CLOSE + 1);
    assert_eq!(
        desk.kinds(),
        [
            (market, ReportKind::Fill),
            (high, ReportKind::Fill),
            (high, ReportKind::Canceled),
            (low, ReportKind::Canceled),
            (sell, ReportKind::Fill),
        ],
        "against 1000 to 1010, before the book was crossed"
    );
    assert_eq!(desk.exchange.position(IBM).quantity, shares(170));
    let tomorrow = desk.order_for(Buy, 10, OrderType::Market, TimeInForce::Cls);
    assert_eq!(desk.kinds(), []);
    desk.go_to(2 * DAY + OPEN);
    desk.both(1000, 10, 1001, 10);
    desk.go_to(2 * DAY + CLOSE);
    assert_eq!(desk.kinds(), [(tomorrow, ReportKind::Fill)]);
}

#[test]
fn closing_orders_without_a_quote_in_the_session_are_canceled() {
    let mut desk = before_the_open();
    desk.both(1000, 300, 1010, 300);
    let order = desk.order_for(Buy, 50, limit(1020), TimeInForce::Cls);
    desk.go_to(DAY + CLOSE);
    assert_eq!(desk.kinds(), [(order, ReportKind::Canceled)]);
}

#[test]
fn after_the_last_session_nothing_is_taken() {
    let mut desk = Desk::at(rich(), 5 * DAY + POST_CLOSE);
    for time_in_force in [TimeInForce::Opg, TimeInForce::Cls, TimeInForce::Day] {
        desk.order_for(Buy, 1, limit(1000), time_in_force);
        assert_eq!(
            desk.rejection(ReportKind::Rejected),
            BrokerReject::MarketClosed
        );
    }
    assert_eq!(desk.exchange.next_deadline(), None);
}

#[test]
fn a_hundred_thousand_orders_expire_in_bounded_steps() {
    let mut desk = Desk::with(ExchangeSettings {
        max_open_orders: 100_000,
        report_queue: 1_024,
        ..rich()
    });
    desk.both(1000, 300, 1010, 300);
    for n in 0..100_000 {
        let order = desk.order(Buy, 1, limit(900 - n % 500));
        assert_eq!(order, id(n as u64 + 1));
        if n % 512 == 0 {
            desk.reports();
        }
    }
    desk.order(Buy, 1, limit(900));
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        BrokerReject::TooManyOrders
    );
    desk.now = DAY + CLOSE;
    let mut expired = 0;
    let mut calls = 0;
    loop {
        let done = desk.exchange.advance(Nanos(desk.now));
        calls += 1;
        let mut taken = 0;
        while let Some(report) = desk.exchange.next_report(Nanos(desk.now)) {
            assert_eq!(report.kind, ReportKind::Expired);
            expired += 1;
            taken += 1;
            assert_eq!(
                report.order_id,
                id(expired),
                "in the order of their arrival"
            );
        }
        assert!(taken <= 1_024);
        if done {
            break;
        }
    }
    assert_eq!(expired, 100_000);
    assert!(calls > 90, "{calls} calls");
    assert_eq!(desk.exchange.open_orders(), 0);
}
