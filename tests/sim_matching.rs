//! What the simulated book does with market and limit orders, clause by clause.
//!
//! Runs on: the test runner.
//! Owns: the sentences of the matching rules, each as a test.
//! Never: depends on time of day or a seed.

mod sim_support;

use shrike::sim::ExchangeSettings;
use shrike::types::{Liquidity, OrderType, ReportKind, TimeInForce};
use sim_support::*;

#[test]
fn market_and_marketable_orders_fill_at_the_displayed_quote() {
    let mut desk = Desk::quoted();
    let market = desk.order(Buy, 50, OrderType::Market);
    let above = desk.order(Buy, 50, limit(1020));
    let sell = desk.order(Sell, 70, limit(990));
    let reports = desk.reports();
    assert!(
        reports
            .iter()
            .filter(|report| report.kind == ReportKind::Fill)
            .all(|report| report.liquidity == Liquidity::Taker)
    );
    let fills: Vec<_> = reports
        .iter()
        .filter(|report| report.kind == ReportKind::Fill)
        .map(fill_of)
        .collect();
    assert_eq!(
        fills,
        [(market, 50, 1010), (above, 50, 1010), (sell, 70, 1000)]
    );
}

#[test]
fn at_most_the_displayed_size_fills_and_the_rest_waits_for_that_side_to_be_renewed() {
    let mut desk = Desk::quoted();
    let first = desk.order(Buy, 500, OrderType::Market);
    let second = desk.order(Buy, 10, OrderType::Market);
    assert_eq!(desk.fills(), [(first, 200, 1010)]);
    desk.row(Bid, 1001, 999);
    assert_eq!(desk.fills(), [], "a row of the bid renews no ask");
    desk.row(Ask, 1010, 250);
    assert_eq!(desk.fills(), [(first, 250, 1010)]);
    desk.row(Ask, 1011, 100);
    assert_eq!(desk.fills(), [(first, 50, 1011), (second, 10, 1011)]);
}

#[test]
fn a_resting_limit_fills_after_the_queue_displayed_when_it_came() {
    let mut desk = Desk::quoted();
    let order = desk.order(Buy, 100, limit(1000));
    desk.row(Bid, 1000, 50);
    desk.trade(1000, 299);
    assert_eq!(
        desk.fills(),
        [],
        "300 are ahead, whatever is displayed later"
    );
    desk.trade(1000, 41);
    assert_eq!(desk.fills(), [(order, 40, 1000)]);
    desk.trade(1000, 500);
    assert_eq!(desk.fills(), [(order, 60, 1000)]);
}

#[test]
fn a_limit_at_a_price_that_is_not_displayed_has_no_queue_ahead() {
    let mut desk = Desk::quoted();
    let between = desk.order(Buy, 10, limit(1005));
    let below = desk.order(Buy, 10, limit(995));
    desk.trade(1005, 4);
    assert_eq!(desk.fills(), [(between, 4, 1005)]);
    desk.trade(995, 12);
    assert_eq!(desk.fills(), [(between, 6, 1005), (below, 6, 995)]);
}

#[test]
fn later_orders_at_a_price_profit_from_what_trades_have_already_eaten() {
    let mut desk = Desk::quoted();
    let first = desk.order(Sell, 100, limit(1010));
    desk.trade(1010, 150);
    let second = desk.order(Sell, 100, limit(1010));
    // Ahead of the first are 50, ahead of the second the 200 that are displayed now: those 50 are among them.
    desk.trade(1010, 150);
    assert_eq!(desk.fills(), [(first, 100, 1010)]);
    desk.trade(1010, 150);
    assert_eq!(desk.fills(), []);
    desk.trade(1010, 10);
    assert_eq!(desk.fills(), [(second, 10, 1010)]);
}

#[test]
fn a_trade_through_a_limit_fills_it_at_its_limit_whatever_the_queue() {
    let mut desk = Desk::quoted();
    let buy = desk.order(Buy, 100, limit(1000));
    desk.trade(999, 30);
    assert_eq!(desk.fills(), [(buy, 30, 1000)]);
    let sell = desk.order(Sell, 100, limit(1010));
    desk.trade(1012, 30);
    assert_eq!(desk.fills(), [(sell, 30, 1010)]);
}

#[test]
fn a_trade_never_fills_more_than_its_size_over_all_orders() {
    let mut desk = Desk::quoted();
    let best = desk.order(Buy, 60, limit(1005));
    let next = desk.order(Buy, 60, limit(1004));
    let last = desk.order(Buy, 60, limit(1003));
    desk.trade(1003, 130);
    assert_eq!(
        desk.fills(),
        [(best, 60, 1005), (next, 60, 1004), (last, 10, 1003)]
    );
}

#[test]
fn a_trade_between_orders_of_both_sides_fills_the_side_whose_quote_is_nearer() {
    let mut desk = Desk::quoted();
    let buy = desk.order(Buy, 10, limit(1008));
    let sell = desk.order(Sell, 10, limit(1003));
    desk.trade(1006, 1);
    assert_eq!(desk.fills(), [(sell, 1, 1003)]);
    desk.trade(1004, 1);
    assert_eq!(desk.fills(), [(buy, 1, 1008)]);
    desk.trade(1005, 1);
    assert_eq!(desk.fills(), [(buy, 1, 1008)], "the middle is the buys'");
}

#[test]
fn a_quote_that_crosses_a_resting_limit_fills_it_at_its_limit() {
    let mut desk = Desk::quoted();
    let order = desk.order(Buy, 100, limit(1005));
    desk.both(990, 10, 1004, 40);
    let reports = desk.reports();
    let fill = reports.last().expect("a fill");
    assert_eq!(fill_of(fill), (order, 40, 1005));
    assert_eq!(fill.liquidity, Liquidity::Maker);
    desk.row(Ask, 1005, 1_000);
    assert_eq!(desk.fills(), [(order, 60, 1005)]);
}

#[test]
fn the_switch_gives_the_quotes_price_to_a_crossed_limit() {
    let mut desk = Desk::with(ExchangeSettings {
        fill_at_quote: true,
        ..rich()
    });
    desk.both(1000, 300, 1010, 200);
    let order = desk.order(Buy, 100, limit(1005));
    desk.both(990, 10, 1003, 40);
    assert_eq!(desk.fills(), [(order, 40, 1003)]);
}

#[test]
fn nothing_trades_on_a_crossed_or_one_sided_book_and_matching_resumes_with_what_is_left() {
    let mut desk = Desk::quoted();
    let resting = desk.order(Sell, 30, limit(1010));
    let taker = desk.order(Buy, 150, OrderType::Market);
    assert_eq!(desk.fills(), [(taker, 150, 1010)]);
    desk.row(Bid, 1020, 100);
    let waiting = desk.order(Buy, 80, OrderType::Market);
    desk.trade(1020, 1_000);
    let ioc = desk.order_for(Buy, 5, OrderType::Market, TimeInForce::Ioc);
    assert_eq!(desk.kinds(), [(ioc, ReportKind::Canceled)], "crossed");
    desk.row(Bid, 0, 0);
    desk.trade(1020, 1_000);
    assert_eq!(desk.fills(), [], "one-sided");
    desk.row(Bid, 1000, 100);
    assert_eq!(
        desk.fills(),
        [(waiting, 50, 1010)],
        "50 of the ask were left"
    );
    desk.trade(1011, 10);
    assert_eq!(desk.fills(), [(resting, 10, 1010)]);
}

#[test]
fn a_locked_book_trades_at_the_locked_price() {
    let mut desk = Desk::new();
    desk.both(1005, 100, 1005, 100);
    let buy = desk.order(Buy, 10, limit(1005));
    let sell = desk.order(Sell, 10, limit(1005));
    assert_eq!(desk.fills(), [(buy, 10, 1005), (sell, 10, 1005)]);
}

#[test]
fn an_order_that_came_before_any_quote_meets_the_first_one() {
    let mut desk = Desk::new();
    let far = desk.order(Buy, 10, limit(1000));
    let near = desk.order(Buy, 10, limit(1012));
    desk.row(Bid, 1000, 70);
    assert_eq!(desk.fills(), []);
    desk.row(Ask, 1010, 100);
    assert_eq!(desk.fills(), [(near, 10, 1010)], "aggressive: at the quote");
    desk.trade(1000, 75);
    assert_eq!(
        desk.fills(),
        [(far, 5, 1000)],
        "behind what is displayed when it rests"
    );
}

#[test]
fn an_aggressive_order_comes_to_rest_when_the_quote_leaves_it_behind() {
    let mut desk = Desk::quoted();
    let order = desk.order(Buy, 300, limit(1010));
    assert_eq!(desk.fills(), [(order, 200, 1010)]);
    desk.row(Ask, 1012, 100);
    desk.row(Bid, 1010, 500);
    desk.trade(1010, 30);
    assert_eq!(
        desk.fills(),
        [(order, 30, 1010)],
        "its price was not displayed when it came to rest"
    );
    desk.row(Bid, 1000, 1);
    desk.row(Ask, 1009, 40);
    assert_eq!(
        desk.fills(),
        [(order, 40, 1010)],
        "resting now: filled at its limit"
    );
}

#[test]
fn price_comes_before_time_and_a_market_order_before_every_limit() {
    let mut desk = Desk::new();
    desk.both(1000, 10, 1010, 0);
    let low = desk.order(Buy, 10, limit(1010));
    let high_first = desk.order(Buy, 10, limit(1011));
    let high_second = desk.order(Buy, 10, limit(1011));
    let market = desk.order(Buy, 10, OrderType::Market);
    desk.both(1000, 10, 1010, 35);
    assert_eq!(
        desk.fills(),
        [
            (market, 10, 1010),
            (high_first, 10, 1010),
            (high_second, 10, 1010),
            (low, 5, 1010)
        ]
    );
}

#[test]
fn ioc_fills_what_it_can_and_cancels_the_rest() {
    let mut desk = Desk::quoted();
    let order = desk.order_for(Buy, 250, limit(1010), TimeInForce::Ioc);
    let reports = desk.reports();
    let kinds: Vec<_> = reports.iter().map(|report| report.kind).collect();
    assert_eq!(
        kinds,
        [ReportKind::Accepted, ReportKind::Fill, ReportKind::Canceled]
    );
    assert_eq!(fill_of(&reports[1]), (order, 200, 1010));
    assert_eq!(reports[2].cumulative_quantity, shares(200));
    let away = desk.order_for(Buy, 5, limit(1009), TimeInForce::Ioc);
    assert_eq!(desk.kinds(), [(away, ReportKind::Canceled)]);
    assert_eq!(desk.exchange.open_orders(), 0);
}

#[test]
fn fok_fills_whole_at_once_or_is_canceled_untouched() {
    let mut desk = Desk::quoted();
    let big = desk.order_for(Buy, 201, limit(1010), TimeInForce::Fok);
    assert_eq!(desk.kinds(), [(big, ReportKind::Canceled)]);
    let fits = desk.order_for(Buy, 200, limit(1010), TimeInForce::Fok);
    assert_eq!(desk.kinds(), [(fits, ReportKind::Fill)]);
    let late = desk.order_for(Buy, 1, limit(1010), TimeInForce::Fok);
    assert_eq!(
        desk.kinds(),
        [(late, ReportKind::Canceled)],
        "nothing is left"
    );
}

#[test]
fn a_sweep_of_more_orders_than_the_report_queue_holds_goes_on_as_reports_are_taken() {
    let mut desk = Desk::with(ExchangeSettings {
        report_queue: 16,
        ..rich()
    });
    desk.both(1000, 300, 1010, 200);
    let mut orders = Vec::new();
    for _ in 0..500 {
        orders.push(desk.order(Buy, 1, limit(1005)));
        desk.reports();
    }
    desk.both(990, 100, 1004, 450);
    assert!(desk.exchange.is_working());
    let refused = desk
        .exchange
        .cancel(shrike::types::Nanos(desk.now), orders[499]);
    assert!(refused.is_err(), "no input gets between");
    let filled: Vec<_> = desk.fills().iter().map(|fill| fill.0).collect();
    assert_eq!(filled, orders[..450]);
    assert_eq!(desk.exchange.open_orders(), 50);
}

#[test]
fn instruments_have_books_of_their_own() {
    let mut desk = Desk::quoted();
    let mut other = desk.command(Buy, 10, OrderType::Market);
    other.instrument = BAC;
    // Nobody knows a price of BAC: closing orders only.
    desk.send(&other);
    assert_eq!(
        desk.rejection(ReportKind::Rejected),
        shrike::types::BrokerReject::Other
    );
    let mut resting = desk.command(Buy, 10, limit(1020));
    resting.instrument = BAC;
    desk.send(&resting);
    desk.row(Ask, 1010, 500);
    assert_eq!(desk.fills(), []);
}
