//! Replaces: checked by the difference, reserved at the larger of old and new until the outcome is
//! known.
//!
//! Runs on: tests.
//! Owns: the exposure of an order whose terms are open.
//! Never: sleeps.

mod risk_support;

use risk_support::*;
use shrike::types::{
    AccountKind, Exposure, Money, Order, OrderId, OrderShapeError, OrderType, RecoveredOrder,
    RecoveredState, RefusalCode as Code, ReplaceRequest, Side, StageStamps,
};

fn quantity(n: i64) -> ReplaceRequest {
    ReplaceRequest {
        quantity: Some(shares(n)),
        ..NO_CHANGE
    }
}

fn limit(text: &str) -> ReplaceRequest {
    ReplaceRequest {
        limit: Some(price(text)),
        ..NO_CHANGE
    }
}

fn open_buys(desk: &Desk) -> i128 {
    let exposure = desk.gate.exposure(desk.broker, A).expect("known");
    exposure.open_buys
}

fn units(n: i64) -> i128 {
    i128::from(shares(n).units())
}

fn code(outcome: Result<(), shrike::types::Refusal>) -> Code {
    outcome.expect_err("must be refused").code
}

fn done(order_id: OrderId, accepted: bool) -> Exposure {
    Exposure::ReplaceDone { order_id, accepted }
}

#[test]
fn the_larger_quantity_and_price_are_held_until_the_outcome() {
    for accepted in [true, false] {
        let mut desk = Desk::new(&settings());
        let id = desk.pass(buy(100, "101"));
        let mut change = quantity(150);
        change.limit = Some(price("100"));
        desk.replace(id, change).expect("passes");
        assert_eq!(open_buys(&desk), units(150));
        assert_eq!(desk.gate.held(MARGIN), Some(dollars(150 * 101)));
        desk.fill(id, Side::Buy, 20, "100", false);
        assert_eq!(open_buys(&desk), units(130));
        assert_eq!(desk.gate.held(MARGIN), Some(dollars(130 * 101)));
        desk.gate.apply(&done(id, accepted));
        let (left, held) = if accepted {
            (130, 130 * 100)
        } else {
            (80, 80 * 101)
        };
        assert_eq!(open_buys(&desk), units(left));
        assert_eq!(desk.gate.held(MARGIN), Some(dollars(held)));
        desk.close(id);
        assert_eq!(open_buys(&desk), 0);
        assert_eq!(desk.gate.held(MARGIN), Some(Money::ZERO));
    }
}

#[test]
fn a_smaller_order_keeps_its_old_exposure_until_the_broker_agrees() {
    let mut settings = settings();
    settings.max_position = shares(100);
    let mut desk = Desk::new(&settings);
    let id = desk.pass(buy(100, "100"));
    desk.replace(id, quantity(60)).expect("shrinks");
    assert_eq!(desk.refusal(buy(1, "100")), Code::MaxPosition);
    desk.gate.apply(&done(id, true));
    desk.pass(buy(40, "100"));
    assert_eq!(desk.refusal(buy(1, "100")), Code::MaxPosition);
}

#[test]
fn a_replace_is_checked_by_the_difference_it_makes() {
    let mut settings = settings();
    settings.max_position = shares(100);
    let mut desk = Desk::new(&settings);
    desk.gate
        .apply(&snapshot(MARGIN, AccountKind::Margin, dollars(5_000), 2));
    let id = desk.pass(buy(90, "100"));
    assert_eq!(code(desk.replace(id, quantity(101))), Code::MaxPosition);
    let mut dear = quantity(99);
    dear.limit = Some(price("105"));
    assert_eq!(code(desk.replace(id, dear)), Code::BuyingPower);
    desk.replace(id, quantity(100)).expect("all of the power");
    assert_eq!(desk.gate.held(MARGIN), Some(dollars(10_000)));
    desk.gate.apply(&done(id, false));
    desk.replace(id, quantity(100)).expect("once more");
}

#[test]
fn a_change_under_way_a_finished_order_and_an_unknown_one_each_have_their_code() {
    let mut desk = Desk::new(&settings());
    let id = desk.pass(buy(10, "100"));
    desk.replace(id, quantity(11)).expect("passes");
    assert_eq!(code(desk.replace(id, quantity(12))), Code::ChangePending);
    desk.gate.apply(&done(id, true));
    desk.replace(id, quantity(12)).expect("the outcome came");
    desk.close(id);
    assert_eq!(code(desk.replace(id, quantity(13))), Code::OrderDone);
    desk.gate.apply(&done(id, true));
    assert_eq!(open_buys(&desk), 0, "a late outcome brings nothing back");
    let never = desk.request(buy(1, "100")).order_id;
    assert_eq!(code(desk.replace(never, quantity(1))), Code::UnknownOrder);
    let other_port = OrderId::from_raw(7 << 44 | 1 << 36 | 5);
    let outcome = desk.replace(other_port, quantity(1));
    assert_eq!(code(outcome), Code::UnknownOrder);
}

#[test]
fn a_new_total_must_exceed_what_has_filled() {
    let mut desk = Desk::new(&settings());
    let id = desk.pass(buy(10, "100"));
    desk.fill(id, Side::Buy, 4, "100", false);
    let refusal = desk.replace(id, quantity(4)).expect_err("all of it filled");
    assert_eq!(refusal.code, Code::ReplaceBelowFilled);
    assert_eq!(
        (refusal.observed, refusal.limit),
        (shares(4).units(), shares(4).units())
    );
    desk.replace(id, quantity(5)).expect("one more");
}

#[test]
fn prices_that_the_type_does_not_have_and_collared_market_orders_are_refused() {
    let mut desk = Desk::new(&settings());
    let stop = desk.pass(Order::stop(A, Side::Buy, shares(1), price("101")));
    let market = desk.pass(Order::market(A, Side::Buy, shares(2)));
    for (id, change) in [
        (stop, limit("100")),
        (market, limit("100")),
        (market, quantity(1)),
    ] {
        let refusal = desk.replace(id, change).expect_err("no such price");
        assert_eq!(refusal.code, Code::InvalidOrder);
        assert_eq!(refusal.observed, OrderShapeError::ReplacePrice as i64);
    }
    let moved = ReplaceRequest {
        stop: Some(price("102")),
        ..NO_CHANGE
    };
    desk.replace(stop, moved).expect("a stop has a stop price");
}

#[test]
fn a_replaced_order_keeps_tick_and_shape() {
    let mut desk = Desk::new(&settings());
    let id = desk.pass(buy(10, "100"));
    assert_eq!(code(desk.replace(id, limit("100.001"))), Code::InvalidOrder);
    assert_eq!(code(desk.replace(id, limit("0"))), Code::InvalidOrder);
    assert_eq!(code(desk.replace(id, quantity(-1))), Code::InvalidOrder);
}

#[test]
fn a_change_that_only_shrinks_passes_where_no_new_order_would() {
    let mut desk = Desk::new(&settings());
    let id = desk.pass(buy(10, "100"));
    desk.quote(A, "100", "100");
    assert_eq!(code(desk.replace(id, quantity(11))), Code::NoReferencePrice);
    desk.replace(id, quantity(5)).expect("shrinks");
    desk.gate.apply(&done(id, true));
    desk.replace(id, limit("90")).expect("shrinks");
    assert_eq!(desk.gate.held(MARGIN), Some(dollars(500)));
}

#[test]
fn a_sell_cannot_be_moved_past_the_collar_as_if_it_shrank() {
    let mut desk = Desk::new(&settings());
    let id = desk.pass(sell(10, "100"));
    assert_eq!(code(desk.replace(id, limit("90"))), Code::PriceCollar);
}

#[test]
fn a_reducing_order_cannot_be_grown_past_the_position_for_free() {
    let mut settings = settings();
    settings.allow_short = false;
    let mut desk = Desk::new(&settings);
    desk.hold(10);
    let id = desk.pass(sell(4, "100").reduce_only());
    desk.replace(id, quantity(10)).expect("still reduces");
    desk.gate.apply(&done(id, true));
    assert_eq!(code(desk.replace(id, quantity(11))), Code::NotReducing);
    let mut desk = Desk::new(&settings);
    desk.hold(10);
    let id = desk.pass(sell(4, "100"));
    assert_eq!(code(desk.replace(id, quantity(11))), Code::ShortNotAllowed);
}

#[test]
fn a_reducing_order_grown_into_a_short_sale_holds_margin_for_it() {
    let mut desk = Desk::new(&settings());
    desk.hold(10);
    let id = desk.pass(sell(10, "100"));
    assert_eq!(desk.gate.held(MARGIN), Some(Money::ZERO));
    desk.replace(id, quantity(15)).expect("shorts");
    assert_eq!(desk.gate.held(MARGIN), Some(dollars(1_500)));
    desk.gate.apply(&done(id, false));
    assert_eq!(desk.gate.held(MARGIN), Some(Money::ZERO));
}

#[test]
fn late_fills_overfills_and_fills_after_the_end_move_the_position() {
    let mut desk = Desk::new(&settings());
    let id = desk.pass(buy(10, "100"));
    desk.fill(id, Side::Buy, 14, "100", false);
    assert_eq!(desk.position(), shares(14));
    assert_eq!(open_buys(&desk), 0, "an overfill leaves nothing open");
    assert_eq!(desk.gate.held(MARGIN), Some(Money::ZERO));
    desk.close(id);
    desk.fill(id, Side::Buy, 1, "100", true);
    assert_eq!(desk.position(), shares(15));
    let exposure = desk.gate.exposure(MARGIN, A).expect("known");
    assert_eq!((exposure.open_orders, exposure.open_buys), (0, 0));
}

#[test]
fn recovered_orders_hold_what_they_held() {
    let mut desk = Desk::new(&settings());
    let request = desk.request(buy(10, "101"));
    let approved = desk.gate.check(desk.now, &request).expect("passes");
    let mut state = shrike::types::OrderState::new(shares(10));
    use shrike::types::OrderInput as Input;
    state.apply(Input::Accepted).expect("legal");
    let fill = Input::Fill {
        quantity: shares(3),
        price: price("101"),
        cumulative: shares(3),
    };
    state.apply(fill).expect("legal");
    let replaced = Input::ReplaceRequested {
        quantity: shares(20),
    };
    state.apply(replaced).expect("legal");
    let recovered = RecoveredState {
        orders: vec![RecoveredOrder {
            approved,
            state,
            order_type: OrderType::Limit {
                limit: price("101"),
            },
            stamps: StageStamps::default(),
        }],
        ..RecoveredState::default()
    };
    let mut desk = Desk::recovered(&settings(), &recovered);
    assert_eq!(open_buys(&desk), units(17));
    assert_eq!(desk.gate.held(MARGIN), Some(dollars(17 * 101)));
    let id = approved.request.order_id;
    let again = desk.gate.check(desk.now, &request).expect_err("used");
    assert_eq!(again.code, Code::DuplicateOrderId);
    desk.gate.apply(&done(id, false));
    assert_eq!(open_buys(&desk), units(7));
    desk.fill(id, Side::Buy, 7, "101", true);
    assert_eq!(open_buys(&desk), 0);
    assert_eq!(desk.gate.held(MARGIN), Some(Money::ZERO));
}
