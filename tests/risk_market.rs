//! Quotes, hours, links and routes: what the world outside must look like before an order adds
//! risk.
//!
//! Runs on: tests.
//! Owns: controls 16 and 17, routing, and the exemptions of orders that provably reduce.
//! Never: sleeps.

mod risk_support;

use risk_support::*;
use shrike::types::{
    BrokerId, Exposure, KillScope, Nanos, Order, Quantity, RefusalCode as Code, Side, TimeInForce,
};

#[test]
fn a_quote_as_old_as_the_limit_passes_and_a_nanosecond_older_is_refused() {
    let mut settings = settings();
    settings.max_quote_age_ns = Some(SECOND);
    let mut desk = Desk::new(&settings);
    desk.now = NOON.plus(SECOND);
    desk.pass(buy(1, "100"));
    desk.now = NOON.plus(SECOND + 1);
    // Without a last trade a stale quote is no reference either.
    assert_eq!(desk.refusal(buy(1, "100")), Code::NoReferencePrice);
    desk.board.write_trade(A, price("100"), desk.now);
    let refusal = desk.send(buy(1, "100")).expect_err("stale");
    assert_eq!(refusal.code, Code::StaleQuote);
    assert_eq!(
        (refusal.observed, refusal.limit),
        (SECOND as i64 + 1, SECOND as i64)
    );
    desk.quote(A, "99.99", "100.01");
    desk.pass(buy(1, "100"));
}

#[test]
fn a_quiet_symbol_stays_tradable_on_a_live_feed_and_no_symbol_on_a_silent_one() {
    let mut settings = settings();
    settings.max_feed_silence_ns = Some(SECOND);
    let mut desk = Desk::new(&settings);
    desk.now = NOON.plus(300 * SECOND);
    desk.quote(B, "99.99", "100.01");
    desk.pass(buy(1, "100"));
    desk.now = desk.now.plus(SECOND);
    desk.pass(buy(1, "100"));
    desk.now = desk.now.plus(1);
    desk.board.write_trade(A, price("100"), NOON);
    let refusal = desk.send(buy(1, "100")).expect_err("silent");
    assert_eq!(refusal.code, Code::StaleQuote);
    assert_eq!(refusal.observed, SECOND as i64 + 1);
    // A trade is a sign of life too.
    desk.board.write_trade(B, price("100"), desk.now);
    desk.gate.on_quote(B);
    desk.pass(buy(1, "100"));
}

#[test]
fn locked_crossed_and_one_sided_quotes_refuse_what_adds_risk_only() {
    for (bid, ask, code) in [
        ("100", "100", Code::LockedQuote),
        ("100.01", "100", Code::CrossedQuote),
        ("0", "100", Code::MissingQuote),
        ("100", "0", Code::MissingQuote),
        ("0", "0", Code::MissingQuote),
    ] {
        let mut desk = Desk::new(&settings());
        desk.hold(10);
        desk.quote(A, bid, ask);
        desk.board.write_trade(A, price("100"), desk.now);
        let refusal = desk.send(buy(1, "100")).expect_err("no market");
        assert_eq!(refusal.code, code, "{bid} to {ask}");
        if code != Code::MissingQuote {
            assert_eq!(refusal.observed, price(bid).units());
            assert_eq!(refusal.limit, price(ask).units());
        }
        assert_eq!(
            desk.refusal(sell(11, "100")),
            code,
            "the whole is not reducing"
        );
        desk.pass(sell(4, "100"));
        let closing = Order::market(A, Side::Sell, shares(6));
        let approved = desk.send(closing).expect("reduces");
        assert_eq!(approved.collar, None, "no touch says where a collar is");
    }
}

#[test]
fn a_reducing_market_order_goes_at_the_touch_where_the_spread_is_wider_than_the_collar() {
    let mut desk = Desk::new(&settings());
    desk.hold(10);
    desk.quote(A, "80.005", "120");
    let approved = desk
        .send(Order::market(A, Side::Sell, shares(10)))
        .expect("reduces");
    assert_eq!(approved.collar, Some(price("80")));
    // Nothing is left to close: the same order would open a short position, and is refused as any
    // other.
    let refusal = desk.refusal(Order::market(A, Side::Sell, shares(10)));
    assert_eq!(refusal, Code::PriceCollar);
}

#[test]
fn orders_pass_in_their_own_phases_of_the_session_only() {
    let limit = buy(1, "100");
    let extended = buy(1, "100").extended_hours();
    let market = Order::market(A, Side::Buy, shares(1));
    let stop = Order::stop(A, Side::Buy, shares(1), price("101"));
    let opening = limit.time_in_force(TimeInForce::Opg);
    let closing = limit.time_in_force(TimeInForce::Cls);
    let at = |hour: u64| Nanos((24 + hour) * HOUR);
    // Hours: 2 is before the first date, 3 rolled, 4 pre-market, 10 open, 16 post-market, 20
    // closed.
    let table = [
        (2, "......"),
        (3, "....oc"),
        (4, ".e..oc"),
        (9, ".e..oc"),
        (10, "lems.c"),
        (15, "lems.c"),
        (16, ".e...."),
        (19, ".e...."),
        (20, "....o."),
    ];
    for (hour, expected) in table {
        for instant in [at(hour), at(hour).plus(HOUR - 1)] {
            let mut desk = Desk::new(&settings());
            desk.now = instant;
            desk.quote(A, "99.99", "100.01");
            let orders = [limit, extended, market, stop, opening, closing];
            for (order, expected) in orders.into_iter().zip(expected.chars()) {
                let outcome = desk.send(order).map_err(|refusal| refusal.code);
                if hour == 2 && order == opening {
                    // Before the first window everything is closed: an opening order may wait.
                    assert!(outcome.is_ok());
                } else if expected == '.' {
                    assert_eq!(outcome.expect_err("closed"), Code::SessionClosed, "{hour}");
                } else {
                    assert!(outcome.is_ok(), "{hour} {expected} {outcome:?}");
                }
            }
        }
    }
}

#[test]
fn what_reduces_keeps_to_the_hours_too() {
    let mut desk = Desk::new(&settings());
    desk.hold(10);
    desk.now = Nanos((24 + 17) * HOUR);
    assert_eq!(desk.refusal(sell(10, "100")), Code::SessionClosed);
    desk.pass(sell(10, "100").extended_hours());
}

#[test]
fn an_order_goes_to_a_broker_that_is_up_or_nowhere() {
    let mut desk = Desk::new(&settings());
    let down = |broker| Exposure::Link { broker, up: false };
    desk.broker = CASH;
    let approved = desk.send(buy(1, "100")).expect("up");
    assert_eq!(approved.broker, CASH);
    desk.gate.apply(&down(CASH));
    let approved = desk.send(buy(1, "100")).expect("the default is up");
    assert_eq!(approved.broker, MARGIN);
    desk.gate.apply(&down(MARGIN));
    assert_eq!(desk.refusal(buy(1, "100")), Code::BrokerDown);
    desk.broker = BrokerId(9);
    assert_eq!(desk.refusal(buy(1, "100")), Code::UnknownBroker);
}

#[test]
fn the_kill_word_stops_new_orders_of_its_scope_reducing_ones_included() {
    for scope in [
        KillScope::Firm,
        KillScope::Broker(MARGIN),
        KillScope::Strategy(MINE),
    ] {
        let mut desk = Desk::new(&settings());
        desk.hold(10);
        let id = desk.pass(buy(5, "100"));
        desk.kill.set(scope);
        assert_eq!(desk.refusal(buy(1, "100")), Code::Killed);
        assert_eq!(desk.refusal(sell(10, "100")), Code::Killed);
        let mut change = NO_CHANGE;
        change.quantity = Some(shares(1));
        assert_eq!(
            desk.replace(id, change).expect_err("killed").code,
            Code::Killed
        );
        desk.kill.clear(scope);
        desk.pass(sell(10, "100"));
    }
}

#[test]
fn what_reduces_is_exempt_from_every_limit() {
    let mut settings = settings();
    settings.max_order_quantity = shares(1);
    settings.max_order_notional = Some(dollars(1));
    settings.max_position = shares(1);
    settings.max_open_orders = 1;
    settings.duplicate_window_ns = SECOND;
    settings.account_order_rate = Some(shrike::risk::RateLimit::new(1, SECOND));
    let mut desk = Desk::new(&settings);
    desk.hold(100);
    for _ in 0..4 {
        desk.pass(sell(20, "60"));
    }
    // Only twenty are left to close.
    assert_eq!(desk.refusal(sell(21, "100")), Code::MaxOrderQuantity);
    desk.pass(sell(20, "60"));
    assert_eq!(desk.gate.held(MARGIN), Some(dollars(0)));
    assert_eq!(desk.position(), Quantity::from_whole(100).expect("small"));
}
