//! Each limit of the gate: passed at the limit, refused one unit over, not to be got around.
//!
//! Runs on: tests.
//! Owns: controls 1, 2, 3, 4, 6, 10, 13, 18, 19, 20 and 34.
//! Never: sleeps.

mod risk_support;

use risk_support::*;
use shrike::risk::{Access, RateLimit, StrategyLimits};
use shrike::types::{
    AccountKind, Exposure, InstrumentId, Money, Order, OrderFlags, OrderId, OrderShapeError, Price,
    Quantity, Ratio, RefusalCode as Code, Side, StrategyId, TimeInForce, TrailingOffset,
};

const UNIT: Quantity = Quantity::from_units(1);

fn more(quantity: Quantity) -> Quantity {
    quantity.checked_add(UNIT).expect("fits")
}

/// Settings in which single units can be ordered.
fn fine() -> shrike::risk::RiskSettings {
    let mut settings = settings();
    for rule in &mut settings.instruments {
        rule.lot = UNIT;
    }
    settings
}

#[test]
fn an_order_of_the_largest_quantity_passes_and_one_unit_more_is_refused() {
    let mut settings = fine();
    settings.max_order_quantity = shares(500);
    let mut desk = Desk::new(&settings);
    desk.pass(buy(500, "100"));
    let refusal = desk
        .send(Order::limit(A, Side::Buy, more(shares(500)), price("100")))
        .expect_err("too large");
    assert_eq!(refusal.code, Code::MaxOrderQuantity);
    assert_eq!(refusal.observed, shares(500).units() + 1);
    assert_eq!(refusal.limit, shares(500).units());
}

#[test]
fn a_strategys_own_order_limit_holds_for_it_alone_and_cannot_widen_the_accounts() {
    let mut settings = settings();
    settings.max_order_quantity = shares(500);
    let own = |n| StrategyLimits {
        max_order_quantity: Some(shares(n)),
        max_position: None,
    };
    settings.strategy_limits = vec![(MINE, own(10)), (StrategyId(1), own(9_999))];
    let mut desk = Desk::new(&settings);
    desk.pass(buy(10, "100"));
    assert_eq!(desk.refusal(buy(11, "100")), Code::MaxOrderQuantity);
    desk.strategy = StrategyId(1);
    desk.pass(buy(500, "100"));
    assert_eq!(desk.refusal(buy(501, "100")), Code::MaxOrderQuantity);
}

#[test]
fn a_replace_cannot_grow_an_order_past_the_largest_quantity() {
    let mut settings = fine();
    settings.max_order_quantity = shares(500);
    let mut desk = Desk::new(&settings);
    let id = desk.pass(buy(100, "100"));
    let mut change = NO_CHANGE;
    change.quantity = Some(more(shares(500)));
    let refusal = desk.replace(id, change).expect_err("too large");
    assert_eq!(refusal.code, Code::MaxOrderQuantity);
    change.quantity = Some(shares(500));
    desk.replace(id, change).expect("at the limit");
}

#[test]
fn an_order_of_the_largest_notional_passes_and_one_unit_more_is_refused() {
    let mut settings = fine();
    settings.max_order_notional = Some(dollars(10_200));
    let mut desk = Desk::new(&settings);
    desk.pass(buy(100, "102"));
    let refusal = desk
        .send(Order::limit(A, Side::Buy, more(shares(100)), price("102")))
        .expect_err("too much");
    assert_eq!(refusal.code, Code::MaxOrderNotional);
    assert_eq!(refusal.limit, 10_200_000_000);
    assert!(refusal.observed >= refusal.limit);
}

#[test]
fn a_low_limit_price_does_not_get_an_order_past_the_notional_limit() {
    // The reference (100) counts where it is above the limit; a market order counts at the collar
    // (105).
    let mut settings = settings();
    settings.max_order_notional = Some(dollars(10_000));
    let mut desk = Desk::new(&settings);
    assert_eq!(desk.refusal(buy(101, "60")), Code::MaxOrderNotional);
    desk.pass(buy(100, "60"));
    let market = |n| Order::market(A, Side::Buy, shares(n));
    assert_eq!(desk.refusal(market(96)), Code::MaxOrderNotional);
    desk.pass(market(95));
    let stop = |n| Order::stop(A, Side::Buy, shares(n), price("110"));
    assert_eq!(desk.refusal(stop(87)), Code::MaxOrderNotional);
    desk.pass(stop(86));
}

#[test]
fn a_limit_price_at_the_collar_passes_and_one_tick_beyond_is_refused_on_the_aggressive_side() {
    let mut desk = Desk::new(&settings());
    desk.pass(buy(1, "105"));
    let refusal = desk.send(buy(1, "105.01")).expect_err("beyond");
    assert_eq!(refusal.code, Code::PriceCollar);
    assert_eq!(refusal.observed, price("105.01").units());
    assert_eq!(refusal.limit, price("105").units());
    desk.pass(sell(1, "95"));
    let refusal = desk.send(sell(1, "94.99")).expect_err("beyond");
    assert_eq!(refusal.code, Code::PriceCollar);
    assert_eq!(refusal.limit, price("95").units());
}

#[test]
fn the_passive_side_has_the_outer_band() {
    let mut desk = Desk::new(&settings());
    desk.pass(buy(1, "50"));
    assert_eq!(desk.refusal(buy(1, "49.99")), Code::PriceCollar);
    desk.pass(sell(1, "150"));
    assert_eq!(desk.refusal(sell(1, "150.01")), Code::PriceCollar);
}

#[test]
fn a_replace_cannot_move_a_price_past_the_collar() {
    let mut desk = Desk::new(&settings());
    let id = desk.pass(buy(10, "100"));
    let mut change = NO_CHANGE;
    change.limit = Some(price("105.01"));
    assert_eq!(
        desk.replace(id, change).expect_err("beyond").code,
        Code::PriceCollar
    );
    let id = desk.pass(sell(10, "100"));
    change.limit = Some(price("94.99"));
    assert_eq!(
        desk.replace(id, change).expect_err("beyond").code,
        Code::PriceCollar
    );
}

#[test]
fn a_market_order_is_sent_as_a_limit_at_the_last_tick_inside_the_collar() {
    let mut desk = Desk::new(&settings());
    desk.quote(A, "99.97", "100.00");
    // The middle is 99.985; five per cent up is 104.98425, down 94.98575.
    for (side, limit) in [(Side::Buy, "104.98"), (Side::Sell, "94.99")] {
        for time in [
            TimeInForce::Day,
            TimeInForce::Gtc,
            TimeInForce::Ioc,
            TimeInForce::Fok,
        ] {
            let order = Order::market(A, side, shares(1)).time_in_force(time);
            let approved = desk.send(order).expect("passes");
            assert_eq!(approved.collar, Some(price(limit)));
            assert_eq!(approved.risk_price, price("104.98425"));
        }
    }
}

#[test]
fn auction_orders_go_unconverted_at_the_collared_risk_price() {
    let mut desk = Desk::new(&settings());
    let close = Order::market(A, Side::Buy, shares(1)).time_in_force(TimeInForce::Cls);
    let approved = desk.send(close).expect("before the close");
    assert_eq!(approved.collar, None);
    assert_eq!(approved.risk_price, price("105"));
}

#[test]
fn a_market_order_whose_touch_lies_beyond_the_collar_is_refused() {
    let mut desk = Desk::new(&settings());
    desk.quote(A, "90", "110");
    for side in [Side::Buy, Side::Sell] {
        let market = Order::market(A, side, shares(1));
        assert_eq!(desk.refusal(market), Code::PriceCollar);
    }
    desk.quote(A, "95", "105");
    for side in [Side::Buy, Side::Sell] {
        desk.pass(Order::market(A, side, shares(1)));
    }
}

#[test]
fn a_stop_is_never_refused_for_its_distance() {
    let mut desk = Desk::new(&settings());
    let far = Order::stop(A, Side::Buy, shares(1), price("400"));
    let approved = desk.send(far).expect("any distance");
    assert_eq!(approved.risk_price, price("420"));
    let low = Order::stop(A, Side::Sell, shares(1), price("1"));
    let approved = desk.send(low).expect("any distance");
    assert_eq!(approved.risk_price, price("105"), "the market counts");
    let far = Order::stop_limit(A, Side::Buy, shares(1), price("300"), price("301"));
    let approved = desk.send(far).expect("any distance");
    assert_eq!(approved.risk_price, price("316.05"));
    let offset = TrailingOffset::Amount(price("10"));
    let trailing = Order::trailing_stop(A, Side::Buy, shares(1), offset);
    let approved = desk.send(trailing).expect("any distance");
    assert_eq!(approved.risk_price, price("115.5"));
}

#[test]
fn without_a_reference_price_an_order_that_adds_risk_is_refused() {
    let mut desk = Desk::new(&settings());
    desk.quote(A, "0", "100");
    assert_eq!(desk.refusal(buy(1, "100")), Code::NoReferencePrice);
    desk.board.write_trade(A, price("100"), desk.now);
    assert_eq!(desk.refusal(buy(1, "105.01")), Code::PriceCollar);
    assert_eq!(desk.refusal(buy(1, "100")), Code::MissingQuote);
}

#[test]
fn the_worst_case_position_counts_open_orders_of_the_same_side_only() {
    let mut settings = fine();
    settings.max_position = shares(100);
    let mut desk = Desk::new(&settings);
    desk.hold(40);
    let working = desk.pass(buy(30, "100"));
    desk.pass(sell(50, "101"));
    let refusal = desk
        .send(Order::limit(A, Side::Buy, more(shares(30)), price("100")))
        .expect_err("over");
    assert_eq!(refusal.code, Code::MaxPosition);
    assert_eq!(
        (refusal.observed, refusal.limit),
        (shares(100).units() + 1, shares(100).units())
    );
    desk.pass(buy(30, "100"));
    assert_eq!(
        desk.refusal(Order::limit(A, Side::Buy, UNIT, price("100"))),
        Code::MaxPosition
    );
    desk.close(working);
    desk.pass(buy(30, "100"));
}

#[test]
fn the_short_side_has_the_same_limit() {
    let mut settings = fine();
    settings.max_position = shares(100);
    let mut desk = Desk::new(&settings);
    desk.hold(-40);
    desk.pass(sell(60, "100"));
    let refusal = desk
        .send(Order::limit(A, Side::Sell, UNIT, price("100")))
        .expect_err("over");
    assert_eq!(refusal.code, Code::MaxPosition);
    assert_eq!(refusal.observed, -shares(100).units() - 1);
}

#[test]
fn a_partial_fill_moves_exposure_and_frees_none_of_the_position_limit() {
    let mut settings = settings();
    settings.max_position = shares(100);
    let mut desk = Desk::new(&settings);
    let id = desk.pass(buy(100, "100"));
    desk.fill(id, Side::Buy, 60, "100", false);
    assert_eq!(desk.refusal(buy(1, "100")), Code::MaxPosition);
    // The order's rest is given up: exactly that becomes free.
    desk.close(id);
    desk.pass(buy(40, "100"));
    assert_eq!(desk.refusal(buy(1, "100")), Code::MaxPosition);
}

#[test]
fn a_strategys_position_limit_holds_for_its_orders() {
    let mut settings = settings();
    settings.strategy_limits = vec![(
        MINE,
        StrategyLimits {
            max_order_quantity: None,
            max_position: Some(shares(10)),
        },
    )];
    let mut desk = Desk::new(&settings);
    desk.pass(buy(10, "100"));
    assert_eq!(desk.refusal(buy(1, "100")), Code::MaxPosition);
    desk.strategy = StrategyId(1);
    desk.pass(buy(1, "100"));
}

#[test]
fn each_broker_has_a_position_limit_of_its_own() {
    let mut settings = settings();
    settings.max_position = shares(100);
    let mut desk = Desk::new(&settings);
    desk.pass(buy(100, "100"));
    desk.broker = CASH;
    desk.pass(buy(100, "100"));
    assert_eq!(desk.refusal(buy(1, "100")), Code::MaxPosition);
}

#[test]
fn a_cash_account_pays_for_what_it_buys_to_the_last_unit() {
    let mut desk = Desk::new(&fine());
    desk.broker = CASH;
    desk.gate
        .apply(&snapshot(CASH, AccountKind::Cash, dollars(30_000), 1));
    let first = desk.pass(buy(100, "101"));
    desk.pass(buy(198, "100"));
    // 30,000 less 10,100 less 19,800 leaves 100: one share at 100 and no unit more.
    let refusal = desk
        .send(Order::limit(A, Side::Buy, more(shares(1)), price("100")))
        .expect_err("too little");
    assert_eq!(refusal.code, Code::BuyingPower);
    assert_eq!(refusal.limit, 100_000_000);
    desk.pass(buy(1, "100"));
    assert_eq!(
        desk.refusal(Order::limit(A, Side::Buy, UNIT, price("100"))),
        Code::BuyingPower
    );
    desk.close(first);
    desk.pass(buy(101, "100"));
    assert_eq!(
        desk.refusal(Order::limit(A, Side::Buy, UNIT, price("100"))),
        Code::BuyingPower
    );
}

#[test]
fn a_fill_below_the_reserved_price_frees_the_difference_and_fees_take_from_it() {
    let mut desk = Desk::new(&settings());
    desk.broker = CASH;
    desk.gate
        .apply(&snapshot(CASH, AccountKind::Cash, dollars(10_100), 1));
    let id = desk.pass(buy(100, "101"));
    assert_eq!(desk.gate.held(CASH), Some(dollars(10_100)));
    let fill = Exposure::Fill {
        order_id: id,
        broker: CASH,
        instrument: A,
        side: Side::Buy,
        done: false,
        quantity: shares(40),
        price: price("100"),
        fee: dollars(5),
    };
    desk.gate.apply(&fill);
    assert_eq!(desk.gate.held(CASH), Some(dollars(60 * 101)));
    assert_eq!(
        desk.gate.buying_power(CASH),
        Some(dollars(10_100 - 4_000 - 5))
    );
}

#[test]
fn a_margin_account_may_use_the_multiple_of_its_equity_that_positions_leave() {
    let mut desk = Desk::new(&fine());
    desk.gate
        .apply(&snapshot(MARGIN, AccountKind::Margin, dollars(50_000), 2));
    desk.hold(100);
    // Cash 40,000 and 100 shares at the bid 99.99: twice 49,999 less 9,999.
    assert_eq!(desk.gate.buying_power(MARGIN), Some(dollars(89_999)));
    desk.pass(buy(899, "100"));
    let last = Order::limit(
        A,
        Side::Buy,
        "0.990000001".parse().expect("q"),
        price("100"),
    );
    assert_eq!(desk.refusal(last), Code::BuyingPower);
    let last = Order::limit(A, Side::Buy, "0.99".parse().expect("q"), price("100"));
    desk.pass(last);
}

#[test]
fn a_short_sale_holds_margin_at_the_higher_of_limit_and_reference() {
    let mut desk = Desk::new(&settings());
    desk.gate
        .apply(&snapshot(MARGIN, AccountKind::Margin, dollars(10_000), 2));
    desk.pass(sell(100, "96"));
    assert_eq!(desk.gate.held(MARGIN), Some(dollars(10_000)));
    desk.pass(sell(90, "110"));
    assert_eq!(desk.gate.held(MARGIN), Some(dollars(19_900)));
    assert_eq!(desk.refusal(sell(2, "100")), Code::BuyingPower);
    desk.pass(sell(1, "100"));
}

#[test]
fn the_haircut_leaves_its_share_of_buying_power() {
    let mut settings = settings();
    settings.haircut = Ratio::from_basis_points(9_500);
    let mut desk = Desk::new(&settings);
    desk.broker = CASH;
    desk.gate
        .apply(&snapshot(CASH, AccountKind::Cash, dollars(10_000), 1));
    assert_eq!(desk.refusal(buy(96, "100")), Code::BuyingPower);
    desk.pass(buy(95, "100"));
}

#[test]
fn an_unknown_account_refuses_what_adds_risk_and_passes_what_reduces() {
    let mut desk = Desk::recovered(&settings(), &Default::default());
    let up = Exposure::Link {
        broker: MARGIN,
        up: true,
    };
    desk.gate.apply(&up);
    assert_eq!(desk.refusal(buy(1, "100")), Code::NoAccount);
    desk.hold(10);
    assert_eq!(desk.refusal(buy(1, "100")), Code::NoAccount);
    desk.pass(sell(10, "100"));
}

#[test]
fn an_order_rate_lets_its_count_through_in_any_window() {
    let mut settings = settings();
    settings.strategy_order_rate = Some(RateLimit::new(3, SECOND));
    let mut desk = Desk::new(&settings);
    for _ in 0..3 {
        desk.pass(buy(1, "100"));
    }
    let refusal = desk.send(buy(1, "100")).expect_err("the fourth");
    assert_eq!(refusal.code, Code::OrderRate);
    assert_eq!((refusal.observed, refusal.limit), (4, 3));
    desk.now = desk.now.plus(SECOND - 1);
    assert_eq!(desk.refusal(buy(1, "100")), Code::OrderRate);
    // Another strategy has a rate of its own.
    desk.strategy = StrategyId(1);
    desk.pass(buy(1, "100"));
    desk.strategy = MINE;
    desk.now = desk.now.plus(1);
    desk.pass(buy(1, "100"));
}

#[test]
fn the_account_rate_counts_all_strategies_and_replaces() {
    let mut settings = settings();
    settings.account_order_rate = Some(RateLimit::new(3, SECOND));
    let mut desk = Desk::new(&settings);
    let id = desk.pass(buy(1, "100"));
    desk.strategy = StrategyId(1);
    desk.pass(buy(1, "100"));
    let mut change = NO_CHANGE;
    change.quantity = Some(shares(2));
    desk.replace(id, change).expect("the third message");
    assert_eq!(desk.refusal(buy(1, "100")), Code::OrderRate);
}

#[test]
fn a_refused_order_takes_no_token_and_a_reducing_one_needs_none() {
    let mut settings = settings();
    settings.account_order_rate = Some(RateLimit::new(2, SECOND));
    settings.max_position = shares(50);
    let mut desk = Desk::new(&settings);
    desk.hold(40);
    for _ in 0..5 {
        assert_eq!(desk.refusal(buy(11, "100")), Code::MaxPosition);
    }
    desk.pass(buy(1, "100"));
    desk.pass(buy(1, "100"));
    assert_eq!(desk.refusal(buy(1, "100")), Code::OrderRate);
    for _ in 0..20 {
        desk.pass(sell(2, "100"));
    }
}

#[test]
fn the_same_order_within_the_window_is_refused_and_at_its_end_passes() {
    let mut settings = settings();
    settings.duplicate_window_ns = 500;
    let mut desk = Desk::new(&settings);
    desk.pass(buy(10, "100"));
    desk.now = desk.now.plus(499);
    let refusal = desk.send(buy(10, "100")).expect_err("the same");
    assert_eq!(refusal.code, Code::DuplicateOrder);
    assert_eq!((refusal.observed, refusal.limit), (499, 500));
    desk.now = desk.now.plus(1);
    desk.pass(buy(10, "100"));
}

#[test]
fn an_order_that_differs_in_any_part_is_no_duplicate() {
    let mut settings = settings();
    settings.duplicate_window_ns = SECOND;
    let mut desk = Desk::new(&settings);
    desk.pass(buy(10, "100"));
    desk.pass(buy(11, "100"));
    desk.pass(buy(10, "100.01"));
    desk.pass(sell(10, "100"));
    desk.pass(Order::limit(B, Side::Buy, shares(10), price("100")));
    desk.pass(Order::market(A, Side::Buy, shares(10)));
    desk.pass(Order::stop(A, Side::Buy, shares(10), price("100")));
    desk.strategy = StrategyId(1);
    desk.pass(buy(10, "100"));
    assert_eq!(desk.refusal(buy(10, "100")), Code::DuplicateOrder);
    desk.pass(buy(10, "100").allow_duplicate());
}

#[test]
fn a_refused_order_is_not_remembered_as_a_duplicate() {
    let mut settings = settings();
    settings.duplicate_window_ns = SECOND;
    settings.max_position = shares(10);
    let mut desk = Desk::new(&settings);
    let first = desk.pass(buy(10, "100"));
    assert_eq!(desk.refusal(buy(5, "100")), Code::MaxPosition);
    desk.close(first);
    desk.pass(buy(5, "100"));
}

#[test]
fn a_full_duplicate_table_refuses_rather_than_forgets() {
    let mut settings = settings();
    settings.duplicate_window_ns = SECOND;
    settings.duplicate_capacity = 4;
    let mut desk = Desk::new(&settings);
    for n in 1..=4 {
        desk.pass(buy(n, "100"));
    }
    assert_eq!(desk.refusal(buy(5, "100")), Code::DuplicateCheckFull);
    assert_eq!(desk.refusal(buy(1, "100")), Code::DuplicateOrder);
    desk.now = desk.now.plus(SECOND);
    desk.pass(buy(5, "100"));
}

#[test]
fn an_order_id_passes_once_even_if_it_was_refused() {
    let mut desk = Desk::new(&settings());
    let request = desk.request(buy(1, "100"));
    desk.gate.check(desk.now, &request).expect("the first time");
    let again = desk.gate.check(desk.now, &request).expect_err("again");
    assert_eq!(again.code, Code::DuplicateOrderId);
    let mut refused = desk.request(buy(1, "200"));
    desk.gate.check(desk.now, &refused).expect_err("collar");
    refused.order = buy(1, "100");
    let again = desk.gate.check(desk.now, &refused).expect_err("spent");
    assert_eq!(again.code, Code::DuplicateOrderId);
}

#[test]
fn ids_that_go_back_or_come_from_another_boot_or_port_are_refused() {
    let mut desk = Desk::new(&settings());
    let early = desk.request(buy(1, "100"));
    desk.pass(buy(1, "100"));
    let code = desk
        .gate
        .check(desk.now, &early)
        .expect_err("goes back")
        .code;
    assert_eq!(code, Code::DuplicateOrderId);
    let mut request = desk.request(buy(1, "100"));
    request.order_id = OrderId::from_raw(6 << 44 | 99);
    let code = desk
        .gate
        .check(desk.now, &request)
        .expect_err("old boot")
        .code;
    assert_eq!(code, Code::DuplicateOrderId);
    request.order_id = OrderId::from_raw(7 << 44 | 2 << 36 | 1);
    let code = desk
        .gate
        .check(desk.now, &request)
        .expect_err("port 2")
        .code;
    assert_eq!(code, Code::InvalidOrder);
}

#[test]
fn the_allowed_list_is_closed_by_default_and_close_only_closes() {
    let mut settings = settings();
    settings.instruments[0].access = Access::CloseOnly;
    settings.instruments[1].access = Access::NotAllowed;
    let mut desk = Desk::new(&settings);
    assert_eq!(desk.refusal(buy(1, "100")), Code::Restricted);
    let other = Order::limit(B, Side::Buy, shares(1), price("100"));
    assert_eq!(desk.refusal(other), Code::NotAllowed);
    let unknown = Order::limit(InstrumentId(2), Side::Buy, shares(1), price("100"));
    assert_eq!(desk.refusal(unknown), Code::UnknownInstrument);
    desk.hold(10);
    assert_eq!(desk.refusal(sell(11, "100")), Code::Restricted);
    desk.pass(sell(10, "100"));
    desk.strategy = StrategyId(3);
    assert_eq!(desk.refusal(sell(1, "100")), Code::NotAllowed);
}

#[test]
fn a_short_sale_needs_permission_a_margin_account_and_a_shortable_symbol() {
    let mut short = settings();
    short.allow_short = false;
    let mut desk = Desk::new(&short);
    desk.hold(10);
    assert_eq!(desk.refusal(sell(11, "100")), Code::ShortNotAllowed);
    desk.pass(sell(6, "100"));
    // The open sale counts: only four are left.
    assert_eq!(desk.refusal(sell(5, "100")), Code::ShortNotAllowed);
    desk.pass(sell(4, "100"));

    let mut unit = fine();
    unit.allow_short = false;
    let mut desk = Desk::new(&unit);
    desk.hold(10);
    let beyond = Order::limit(A, Side::Sell, more(shares(10)), price("100"));
    assert_eq!(desk.refusal(beyond), Code::ShortNotAllowed);
    desk.pass(sell(10, "100"));

    let mut symbol = settings();
    symbol.instruments[0].shortable = false;
    let mut desk = Desk::new(&symbol);
    let refusal = desk.send(sell(1, "100")).expect_err("not shortable");
    assert_eq!(refusal.code, Code::ShortNotAllowed);
    assert_eq!(refusal.observed, -shares(1).units());
    desk.pass(Order::limit(B, Side::Sell, shares(1), price("100")));
    desk.broker = CASH;
    let other = Order::limit(B, Side::Sell, shares(1), price("100"));
    assert_eq!(desk.refusal(other), Code::ShortNotAllowed);
}

#[test]
fn the_last_open_order_passes_and_one_more_is_refused_in_every_scope() {
    let mut all = settings();
    all.max_open_orders = 3;
    let mut symbol = settings();
    symbol.max_open_orders_per_symbol = Some(3);
    let mut strategy = settings();
    strategy.max_open_orders_per_strategy = Some(3);
    for (settings, elsewhere) in [(all, false), (symbol, true), (strategy, false)] {
        let mut desk = Desk::new(&settings);
        let first = desk.pass(buy(1, "100"));
        desk.pass(buy(1, "100"));
        desk.pass(buy(1, "100"));
        let refusal = desk.send(buy(1, "100")).expect_err("the fourth");
        assert_eq!(refusal.code, Code::MaxOpenOrders);
        assert_eq!((refusal.observed, refusal.limit), (4, 3));
        let other = Order::limit(B, Side::Buy, shares(1), price("100"));
        assert_eq!(desk.send(other).is_ok(), elsewhere);
        desk.close(first);
        // A second word of its end frees nothing more.
        desk.close(first);
        desk.pass(buy(1, "100"));
        assert_eq!(desk.refusal(buy(1, "100")), Code::MaxOpenOrders);
    }
}

#[test]
fn a_full_table_refuses_even_what_reduces() {
    let mut settings = settings();
    settings.capacity = 2;
    settings.max_open_orders = 2;
    let mut desk = Desk::new(&settings);
    desk.hold(10);
    desk.pass(sell(1, "100"));
    desk.pass(sell(1, "100"));
    assert_eq!(desk.refusal(sell(1, "100")), Code::OrderTableFull);
}

#[test]
fn shapes_ticks_and_lots_are_checked_and_named() {
    let mut desk = Desk::new(&settings());
    desk.hold(10);
    let cases = [
        (buy(0, "100"), OrderShapeError::Quantity),
        (buy(-5, "100"), OrderShapeError::Quantity),
        (buy(1, "0"), OrderShapeError::Price),
        (buy(1, "100.001"), OrderShapeError::Tick),
        (
            Order::stop(A, Side::Buy, shares(1), price("100.005")),
            OrderShapeError::Tick,
        ),
        // What reduces must have a shape too.
        (sell(1, "100.001"), OrderShapeError::Tick),
        (
            Order::limit(A, Side::Sell, UNIT, price("100")),
            OrderShapeError::Lot,
        ),
    ];
    for (order, error) in cases {
        let refusal = desk.send(order).expect_err("a bad shape");
        assert_eq!(refusal.code, Code::InvalidOrder, "{order:?}");
        assert_eq!(refusal.observed, error as i64, "{order:?}");
    }
    desk.quote(A, "0.5001", "0.5003");
    desk.pass(buy(1, "0.5003"));
    assert_eq!(desk.refusal(buy(1, "0.50035")), Code::InvalidOrder);
}

#[test]
fn numbers_out_of_range_are_refused_not_wrapped() {
    let mut settings = fine();
    settings.max_order_quantity = Quantity::MAX;
    settings.max_position = Quantity::MAX;
    settings.outer_collar_bps = 1_000_000;
    let mut desk = Desk::new(&settings);
    let huge = Order::limit(A, Side::Buy, Quantity::MAX, price("100"));
    assert_eq!(desk.refusal(huge), Code::BuyingPower);
    let top = Price::from_units(i64::MAX - i64::MAX % 10_000_000);
    let far = Order::stop(A, Side::Buy, shares(1), top);
    assert_eq!(desk.refusal(far), Code::Arithmetic);
    let trail = TrailingOffset::Amount(Price::MAX);
    let far = Order::trailing_stop(A, Side::Buy, shares(1), trail);
    assert_eq!(desk.refusal(far), Code::Arithmetic);
    // The books still stand: an ordinary order passes.
    desk.pass(buy(1, "100"));
}

#[test]
fn a_position_that_overflows_stops_every_new_order() {
    let mut desk = Desk::new(&fine());
    for _ in 0..2 {
        let fill = Exposure::Fill {
            order_id: OrderId::default(),
            broker: MARGIN,
            instrument: A,
            side: Side::Buy,
            done: true,
            quantity: Quantity::MAX,
            price: Price::from_units(1),
            fee: Money::ZERO,
        };
        desk.gate.apply(&fill);
    }
    assert_eq!(desk.refusal(buy(1, "100")), Code::Arithmetic);
    assert_eq!(desk.refusal(sell(1, "100")), Code::Arithmetic);
}

#[test]
fn a_fill_of_an_unknown_symbol_stops_every_new_order() {
    let mut desk = Desk::new(&settings());
    let fill = Exposure::Fill {
        order_id: OrderId::default(),
        broker: MARGIN,
        instrument: InstrumentId(77),
        side: Side::Buy,
        done: true,
        quantity: shares(1),
        price: price("1"),
        fee: Money::ZERO,
    };
    desk.gate.apply(&fill);
    assert_eq!(desk.refusal(buy(1, "100")), Code::Arithmetic);
}

#[test]
fn a_reduce_only_flag_never_lets_an_order_through_that_could_turn_the_position() {
    let mut desk = Desk::new(&fine());
    desk.hold(10);
    let flagged = |quantity| Order {
        flags: OrderFlags::REDUCE_ONLY,
        ..Order::limit(A, Side::Sell, quantity, price("100"))
    };
    let refusal = desk.send(flagged(more(shares(10)))).expect_err("flips");
    assert_eq!(refusal.code, Code::NotReducing);
    assert_eq!(refusal.limit, shares(10).units());
    assert_eq!(desk.refusal(buy(1, "100").reduce_only()), Code::NotReducing);
    desk.pass(flagged(shares(6)));
    assert_eq!(desk.refusal(flagged(more(shares(4)))), Code::NotReducing);
    desk.pass(flagged(shares(4)));
}
