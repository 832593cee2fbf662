"""Groups of orders."""

from alpaca.trading import enums as e
from alpaca.trading import requests as r

from helpers import GTC, bracket, limit, market, now, refused


def legs(client, order):
    return client.get_order_by_id(order.id, r.GetOrderByIdRequest(nested=True)).legs


def test_a_bracket_holds_its_legs_until_the_entry_fills(venue, client):
    order = client.submit_order(bracket(180, 190, 170))
    assert [leg.status for leg in order.legs] == [e.OrderStatus.HELD] * 2
    venue.quote("AAPL", "179", "179.5")
    profit, loss = legs(client, order)
    assert (profit.status, loss.status) == (e.OrderStatus.NEW, e.OrderStatus.HELD)
    assert (profit.limit_price, loss.stop_price) == ("190", "170")


def test_the_profit_cancels_the_loss(venue, client):
    order = client.submit_order(bracket(None, 190, 170))
    venue.quote("AAPL", "190.5", "190.6")
    profit, loss = legs(client, order)
    assert (profit.status, loss.status) == (e.OrderStatus.FILLED, e.OrderStatus.CANCELED)
    assert client.get_all_positions() == []


def test_the_loss_cancels_the_profit(venue, client):
    order = client.submit_order(bracket(None, 190, 170))
    venue.quote("AAPL", "169", "169.1")
    profit, loss = legs(client, order)
    assert (profit.status, loss.status) == (e.OrderStatus.CANCELED, e.OrderStatus.FILLED)
    assert loss.filled_avg_price == "169"


def test_a_stop_loss_with_a_limit(venue, client):
    order = client.submit_order(bracket(None, 190, 170, cap=169.5))
    loss = legs(client, order)[1]
    assert (loss.order_type, loss.limit_price) == (e.OrderType.STOP_LIMIT, "169.5")


def test_a_partly_filled_profit_shrinks_the_loss(venue, client):
    order = client.submit_order(bracket(None, 190, 170))
    venue.quote("AAPL", "190.5", "190.6", bid_size="4")
    profit, loss = legs(client, order)
    assert (profit.filled_qty, loss.qty) == ("4", "6")
    venue.quote("AAPL", "169", "169.1")
    assert client.get_all_positions() == []


def test_canceling_the_entry_cancels_the_legs(client):
    order = client.submit_order(bracket(180, 190, 170))
    client.cancel_order_by_id(order.id)
    assert {leg.status for leg in legs(client, order)} == {e.OrderStatus.CANCELED}


def test_canceling_a_leg_cancels_the_other(client):
    order = client.submit_order(bracket(None, 190, 170))
    client.cancel_order_by_id(legs(client, order)[0].id)
    assert {leg.status for leg in legs(client, order)} == {e.OrderStatus.CANCELED}
    assert client.get_open_position("AAPL").qty_available == "10"


def test_one_cancels_the_other(venue, client):
    client.submit_order(market())
    order = client.submit_order(r.LimitOrderRequest(
        symbol="AAPL", qty=10, side=e.OrderSide.SELL, time_in_force=GTC, order_class=e.OrderClass.OCO,
        take_profit=r.TakeProfitRequest(limit_price=200), stop_loss=r.StopLossRequest(stop_price=170)))
    assert (order.limit_price, len(order.legs)) == ("200", 1)
    venue.quote("AAPL", "169", "169.1")
    assert now(client, order).status == e.OrderStatus.CANCELED
    assert legs(client, order)[0].status == e.OrderStatus.FILLED


def test_one_triggers_the_other(venue, client):
    order = client.submit_order(bracket(None, None, 170, order_class="oto"))
    loss, = legs(client, order)
    assert loss.status == e.OrderStatus.NEW
    venue.quote("AAPL", "169", "169.1")
    assert legs(client, order)[0].status == e.OrderStatus.FILLED


def test_a_nested_list_rolls_legs_up_and_a_flat_one_does_not(client):
    client.submit_order(bracket(180, 190, 170))
    nested = client.get_orders(r.GetOrdersRequest(nested=True))
    flat = client.get_orders(r.GetOrdersRequest(nested=False))
    assert [len(order.legs) for order in nested] == [2]
    assert [order.legs for order in flat] == [None] * 3


def test_an_exit_group_without_a_position_is_refused(client):
    call = lambda: client.submit_order(r.LimitOrderRequest(
        symbol="AAPL", qty=10, side=e.OrderSide.SELL, time_in_force=GTC, order_class=e.OrderClass.OCO,
        take_profit=r.TakeProfitRequest(limit_price=200), stop_loss=r.StopLossRequest(stop_price=170)))
    refused(call, 422, 42210000, "must be exit orders")


def test_a_bracket_on_the_wrong_side_is_refused(client):
    refused(lambda: client.submit_order(bracket(180, 170, 190)), 422, 42210000, "take_profit.limit_price must be >")


def test_a_group_without_its_legs_is_refused(venue):
    body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day",
            "order_class": "bracket"}
    answer = venue.http("POST", "/v2/orders", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, 40010001)


def test_a_held_leg_cannot_be_replaced(client):
    order = client.submit_order(bracket(180, 190, 170))
    leg = order.legs[0]
    call = lambda: client.replace_order_by_id(leg.id, r.ReplaceOrderRequest(limit_price=195))
    refused(call, 422, 42210000, "cannot replace order in held status")


def test_a_live_profit_can_be_replaced_and_still_cancels_the_loss(venue, client):
    order = client.submit_order(bracket(None, 190, 170))
    profit = legs(client, order)[0]
    new = client.replace_order_by_id(profit.id, r.ReplaceOrderRequest(limit_price=195))
    venue.quote("AAPL", "196", "196.1")
    profit, loss = legs(client, order)
    assert (profit.id, profit.status, loss.status) == (new.id, e.OrderStatus.FILLED, e.OrderStatus.CANCELED)


def test_a_pair_of_exits_that_fills_at_once_leaves_nothing_open(venue, client):
    client.submit_order(market())
    order = client.submit_order(r.LimitOrderRequest(
        symbol="AAPL", qty=10, side=e.OrderSide.SELL, time_in_force=GTC, order_class=e.OrderClass.OCO,
        take_profit=r.TakeProfitRequest(limit_price=180), stop_loss=r.StopLossRequest(stop_price=170)))
    assert now(client, order).status == e.OrderStatus.FILLED
    assert legs(client, order)[0].status == e.OrderStatus.CANCELED
    venue.quote("AAPL", "169", "169.1")
    assert client.get_all_positions() == client.get_orders() == []


def test_the_legs_follow_the_entrys_new_quantity(venue, client):
    old = client.submit_order(bracket(180, 190, 170))
    new = client.replace_order_by_id(old.id, r.ReplaceOrderRequest(qty=4))
    assert [leg.qty for leg in legs(client, new)] == ["4", "4"]
    venue.quote("AAPL", "179", "179.5")
    venue.quote("AAPL", "169", "169.1")
    assert client.get_all_positions() == client.get_orders() == []


def test_a_short_bracket_takes_its_profit_below(venue, client):
    order = client.submit_order(r.MarketOrderRequest(
        symbol="AAPL", qty=10, side=e.OrderSide.SELL, time_in_force=GTC, order_class=e.OrderClass.BRACKET,
        take_profit=r.TakeProfitRequest(limit_price=180), stop_loss=r.StopLossRequest(stop_price=195)))
    venue.quote("AAPL", "179", "179.5")
    profit, loss = legs(client, order)
    assert (profit.status, loss.status) == (e.OrderStatus.FILLED, e.OrderStatus.CANCELED)
    assert profit.side == e.OrderSide.BUY and client.get_all_positions() == []
