//! What triggers stops and how trailing stops follow the market.
//!
//! Runs on: the test runner.
//! Owns: the sentences of the stop rules, each as a test.
//! Never: depends on time of day or a seed.

mod sim_support;

use shrike::types::{OrderType, Ratio, ReportKind, TrailingOffset};
use sim_support::*;

#[test]
fn a_buy_stop_triggers_on_the_ask_and_a_sell_stop_on_the_bid() {
    let mut desk = Desk::quoted();
    let buy = desk.order(Buy, 10, stop(1015));
    let sell = desk.order(Sell, 10, stop(995));
    desk.both(1014, 50, 1014, 50);
    desk.trade(1020, 100);
    assert_eq!(desk.fills(), [], "a trade triggers nothing");
    desk.both(1000, 50, 1015, 50);
    assert_eq!(desk.fills(), [(buy, 10, 1015)]);
    desk.both(995, 50, 1015, 50);
    assert_eq!(desk.fills(), [(sell, 10, 995)]);
}

#[test]
fn no_stop_triggers_on_a_crossed_or_one_sided_book() {
    let mut desk = Desk::quoted();
    let sell = desk.order(Sell, 10, stop(995));
    desk.row(Ask, 990, 50);
    desk.row(Bid, 0, 0);
    desk.row(Ask, 1010, 50);
    assert_eq!(desk.fills(), []);
    desk.row(Bid, 994, 50);
    assert_eq!(desk.fills(), [(sell, 10, 994)]);
}

#[test]
fn a_stop_that_the_market_has_passed_triggers_on_arrival() {
    let mut desk = Desk::quoted();
    let buy = desk.order(Buy, 10, stop(1005));
    assert_eq!(desk.fills(), [(buy, 10, 1010)]);
}

#[test]
fn a_stop_limit_becomes_a_limit_order_that_arrives_when_triggered() {
    let mut desk = Desk::quoted();
    let order_type = OrderType::StopLimit {
        stop: cents(995),
        limit: cents(994),
    };
    let order = desk.order(Sell, 30, order_type);
    desk.both(993, 10, 994, 80);
    assert_eq!(
        desk.fills(),
        [],
        "triggered, but the bid is below its limit"
    );
    desk.trade(994, 100);
    assert_eq!(
        desk.fills(),
        [(order, 20, 994)],
        "it rests behind the 80 displayed"
    );
}

#[test]
fn a_triggered_stop_comes_behind_what_the_same_row_fills() {
    let mut desk = Desk::quoted();
    let stopped = desk.order(Buy, 30, stop(1004));
    assert_eq!(desk.fills(), [(stopped, 30, 1010)]);
    let resting = desk.order(Sell, 50, limit(1010));
    let sell_stop = desk.order(Sell, 50, stop(990));
    let first = desk.order(Buy, 40, limit(1000));
    desk.both(989, 20, 1001, 60);
    assert_eq!(desk.fills(), [(sell_stop, 20, 989)]);
    desk.both(989, 20, 1000, 60);
    assert_eq!(desk.fills(), [(first, 40, 1000), (sell_stop, 20, 989)]);
    desk.cancel(resting);
    assert_eq!(desk.kinds(), [(resting, ReportKind::Canceled)]);
}

#[test]
fn a_trailing_sell_follows_the_best_bid_and_never_goes_back() {
    let mut desk = Desk::quoted();
    let order = desk.order(Sell, 10, trail(10));
    for bid in [1005, 1012, 1004] {
        desk.both(bid, 50, 1020, 50);
        assert_eq!(desk.fills(), []);
    }
    desk.both(1002, 50, 1020, 50);
    assert_eq!(desk.fills(), [(order, 10, 1002)], "1012 less 10");
}

#[test]
fn a_trailing_buy_follows_the_lowest_ask() {
    let mut desk = Desk::quoted();
    let order = desk.order(Buy, 10, trail(10));
    for ask in [1005, 1001, 1010] {
        desk.both(900, 50, ask, 50);
        assert_eq!(desk.fills(), []);
    }
    desk.both(900, 50, 1011, 50);
    assert_eq!(desk.fills(), [(order, 10, 1011)], "1001 and 10");
}

#[test]
fn a_trailing_fraction_is_rounded_away_from_the_market() {
    let mut desk = Desk::quoted();
    let offset = TrailingOffset::Percent(Ratio::from_basis_points(33));
    let order = desk.order(Sell, 10, OrderType::TrailingStop { offset });
    // 0.33 % of 10.00 is 3.3 cents: the stop is 9.967.
    desk.both(997, 50, 1010, 50);
    assert_eq!(desk.fills(), []);
    desk.both(996, 50, 1010, 50);
    assert_eq!(desk.fills(), [(order, 10, 996)]);
}

#[test]
fn a_trailing_order_starts_at_the_first_tradable_quote_after_it_came() {
    let mut desk = Desk::quoted();
    desk.row(Bid, 1030, 10);
    let order = desk.order(Sell, 10, {
        // Crossed: 1030 to 1010.
        trail(10)
    });
    desk.row(Bid, 1000, 10);
    desk.row(Bid, 991, 10);
    assert_eq!(desk.fills(), []);
    desk.row(Bid, 990, 10);
    assert_eq!(desk.fills(), [(order, 10, 990)]);
}

#[test]
fn a_replaced_trailing_distance_keeps_the_best_price_so_far() {
    let mut desk = Desk::quoted();
    let order = desk.order(Sell, 10, trail(10));
    desk.both(1008, 50, 1020, 50);
    desk.replace(order, 10, trail(20));
    desk.both(995, 50, 1020, 50);
    assert_eq!(desk.fills(), []);
    desk.both(988, 50, 1020, 50);
    assert_eq!(desk.fills(), [(order, 10, 988)]);
}

#[test]
fn trailing_orders_of_one_row_trigger_by_best_price_then_distance_then_time() {
    let mut desk = Desk::quoted();
    let old_far = desk.order(Sell, 1, trail(12));
    let old_near = desk.order(Sell, 1, trail(11));
    desk.both(1005, 50, 1020, 50);
    desk.both(1001, 50, 1020, 50);
    let new = desk.order(Sell, 1, trail(5));
    let plain = desk.order(Sell, 1, stop(992));
    desk.both(990, 50, 1020, 50);
    let order: Vec<_> = desk.fills().iter().map(|fill| fill.0).collect();
    assert_eq!(order, [plain, old_near, old_far, new]);
}

#[test]
fn canceled_stops_and_trailing_stops_never_trigger() {
    let mut desk = Desk::quoted();
    let stopped = desk.order(Sell, 1, stop(995));
    let first = desk.order(Sell, 1, trail(5));
    let second = desk.order(Sell, 1, trail(5));
    for order in [stopped, first] {
        desk.cancel(order);
        assert_eq!(desk.kinds(), [(order, ReportKind::Canceled)]);
    }
    desk.both(990, 50, 1020, 50);
    assert_eq!(desk.fills(), [(second, 1, 990)]);
}
