"""Orders: types, times in force, look-ups, lists, cancels."""

from datetime import timedelta

import pytest
from alpaca.trading import enums as e
from alpaca.trading import requests as r

from helpers import DAY, GTC, limit, market, now, refused, stop, stop_limit, trailing


def test_a_market_order_fills_at_the_ask(client):
    order = client.submit_order(market())
    assert order.status in (e.OrderStatus.PENDING_NEW, e.OrderStatus.NEW, e.OrderStatus.ACCEPTED)
    done = now(client, order)
    assert (done.status, done.filled_qty, done.filled_avg_price) == (e.OrderStatus.FILLED, "10", "187.5")
    assert done.filled_at is not None


def test_a_market_order_to_sell_fills_at_the_bid(client):
    client.submit_order(market())
    done = now(client, client.submit_order(market(side="sell")))
    assert done.filled_avg_price == "187.48"


def test_a_resting_limit_fills_at_the_quote_that_crosses_it(venue, client):
    order = client.submit_order(limit(180))
    assert now(client, order).status == e.OrderStatus.NEW
    venue.quote("AAPL", "179.5", "179.9")
    done = now(client, order)
    assert (done.status, done.filled_avg_price) == (e.OrderStatus.FILLED, "179.9")


def test_a_posted_size_bounds_what_fills_once(venue, client):
    venue.quote("AAPL", "187", "188", ask_size="4")
    order = client.submit_order(limit(188))
    part = now(client, order)
    assert (part.status, part.filled_qty) == (e.OrderStatus.PARTIALLY_FILLED, "4")
    venue.quote("AAPL", "187", "188", ask_size="100")
    assert now(client, order).status == e.OrderStatus.FILLED


def test_a_sell_stop_triggers_when_the_bid_falls_to_it(venue, client):
    client.submit_order(market())
    order = client.submit_order(stop(180))
    assert now(client, order).status == e.OrderStatus.NEW
    venue.quote("AAPL", "180", "180.1")
    done = now(client, order)
    assert (done.status, done.filled_avg_price) == (e.OrderStatus.FILLED, "180")


def test_a_buy_stop_triggers_when_the_ask_rises_to_it(venue, client):
    order = client.submit_order(stop(190, side="buy"))
    venue.quote("AAPL", "189.9", "190")
    assert now(client, order).filled_avg_price == "190"


def test_a_stop_limit_rests_at_its_limit_after_the_trigger(venue, client):
    client.submit_order(market())
    order = client.submit_order(stop_limit(180, 179.5))
    venue.quote("AAPL", "179", "179.2")
    assert now(client, order).status == e.OrderStatus.NEW
    venue.quote("AAPL", "179.6", "179.8")
    assert now(client, order).filled_avg_price == "179.6"


def test_a_trailing_stop_follows_the_bid(venue, client):
    client.submit_order(market())
    order = client.submit_order(trailing(trail_price=2))
    venue.quote("AAPL", "195", "195.1")
    moved = now(client, order)
    assert (moved.hwm, moved.stop_price, moved.trail_price) == ("195", "193", "2")
    venue.quote("AAPL", "193", "193.1")
    assert now(client, order).filled_avg_price == "193"


def test_a_trailing_stop_by_per_cent(venue, client):
    client.submit_order(market())
    order = client.submit_order(trailing(trail_percent=1))
    venue.quote("AAPL", "200", "200.1")
    moved = now(client, order)
    assert (moved.trail_percent, moved.stop_price) == ("1", "198")


def test_an_immediate_order_fills_what_there_is_and_cancels_the_rest(venue, client):
    venue.quote("AAPL", "187", "188", ask_size="4")
    done = now(client, client.submit_order(limit(188, tif=e.TimeInForce.IOC)))
    assert (done.status, done.filled_qty) == (e.OrderStatus.CANCELED, "4")


def test_a_fill_or_kill_order_fills_whole_or_not_at_all(venue, client):
    venue.quote("AAPL", "187", "188", ask_size="4")
    done = now(client, client.submit_order(limit(188, tif=e.TimeInForce.FOK)))
    assert (done.status, done.filled_qty) == (e.OrderStatus.CANCELED, "0")
    done = now(client, client.submit_order(limit(188, qty=4, tif=e.TimeInForce.FOK)))
    assert done.status == e.OrderStatus.FILLED


@pytest.mark.parametrize("tif", [e.TimeInForce.OPG, e.TimeInForce.CLS])
def test_auction_orders_wait(client, tif):
    order = now(client, client.submit_order(market(tif=tif)))
    assert order.status in (e.OrderStatus.ACCEPTED, e.OrderStatus.NEW)
    client.cancel_order_by_id(order.id)
    assert now(client, order).status == e.OrderStatus.CANCELED


def test_an_order_by_amount_buys_parts_of_shares(client):
    order = client.submit_order(
        r.MarketOrderRequest(symbol="MSFT", notional=100, side=e.OrderSide.BUY, time_in_force=DAY)
    )
    assert (order.notional, order.qty) == ("100", None)
    assert now(client, order).filled_qty == "0.232558139"


def test_parts_of_shares(client):
    done = now(client, client.submit_order(market(qty=0.5)))
    assert (done.qty, done.status) == ("0.5", e.OrderStatus.FILLED)


def test_an_extended_hours_limit_is_taken(client):
    order = client.submit_order(limit(180, extended_hours=True))
    assert now(client, order).extended_hours is True


def test_a_short_sale_opens_a_short_position(client):
    done = now(client, client.submit_order(market(side="sell")))
    assert done.position_intent == e.PositionIntent.SELL_TO_OPEN
    position = client.get_open_position("AAPL")
    assert (position.qty, position.side) == ("-10", e.PositionSide.SHORT)


def test_an_order_is_found_by_its_client_id(client):
    order = client.submit_order(limit(180, client_order_id="a b/c+d"))
    assert client.get_order_by_client_id("a b/c+d").id == order.id
    refused(lambda: client.get_order_by_client_id("other"), 404, 40410000, "order not found for other")


def test_an_id_is_never_taken_twice_even_after_a_cancel(client):
    order = client.submit_order(limit(180, client_order_id="once"))
    client.cancel_order_by_id(order.id)
    refused(lambda: client.submit_order(limit(180, client_order_id="once")), 422, 40010001,
            "client_order_id must be unique")


def test_an_unknown_order_is_not_found(client):
    refused(lambda: client.get_order_by_id("7c1c5a7e-0b8a-4f0e-9c55-0d4a3b6f2a11"), 404, 40410000,
            "order not found for")


def test_a_malformed_id_is_refused(venue):
    answer = venue.http("GET", "/v2/orders/nonsense")
    assert (answer.status_code, answer.json()["code"]) == (422, 40010001)


def test_a_cancel_is_empty_and_final(venue, client):
    order = client.submit_order(limit(180))
    answer = venue.http("DELETE", f"/v2/orders/{order.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    done = now(client, order)
    assert done.status == e.OrderStatus.CANCELED and done.canceled_at is not None


def test_a_filled_order_cannot_be_canceled(client):
    order = client.submit_order(market())
    refused(lambda: client.cancel_order_by_id(order.id), 422, 42210000, 'already in "filled" state')


def test_all_orders_are_canceled_with_a_result_each(client):
    orders = [client.submit_order(limit(170 + n)) for n in range(3)]
    results = client.cancel_orders()
    assert {result.id for result in results} == {order.id for order in orders}
    assert {result.status for result in results} == {200}
    assert client.cancel_orders() == []


def test_lists_filter_by_status_symbol_side_and_limit(client):
    first = client.submit_order(limit(180))
    second = client.submit_order(limit(400, symbol="MSFT"))
    client.submit_order(market(symbol="SPY"))
    listed = lambda **fields: [o.id for o in client.get_orders(r.GetOrdersRequest(**fields))]
    assert listed() == [second.id, first.id]
    assert listed(direction="asc") == [first.id, second.id]
    assert listed(symbols=["MSFT", "SPY"]) == [second.id]
    assert len(listed(status=e.QueryOrderStatus.CLOSED)) == 1
    assert len(listed(status=e.QueryOrderStatus.ALL)) == 3
    assert len(listed(status=e.QueryOrderStatus.ALL, limit=2)) == 2
    assert listed(side=e.OrderSide.SELL) == []


def test_lists_page_by_exclusive_moments(client):
    orders = [client.submit_order(limit(170 + n)) for n in range(3)]
    middle = orders[1].submitted_at
    after = client.get_orders(r.GetOrdersRequest(after=middle + timedelta(microseconds=1)))
    assert [o.id for o in after] == [orders[2].id]
    until = client.get_orders(r.GetOrdersRequest(until=middle))
    assert [o.id for o in until] == [orders[0].id]


def test_numbers_and_strings_and_nulls_are_taken(venue):
    for quantity in (10.0, "10", 10):
        body = {"symbol": "AAPL", "qty": quantity, "side": "buy", "type": "limit", "time_in_force": "day",
                "limit_price": 187.5, "stop_price": None, "notional": None}
        answer = venue.http("POST", "/v2/orders", json=body)
        assert (answer.status_code, answer.json()["qty"]) == (200, "10")


@pytest.mark.parametrize("order, status, code, words", [
    (lambda: market(symbol="NOPE"), 422, 42210000, 'asset "NOPE" not found'),
    (lambda: market(symbol="TWTR"), 422, 40010001, "is not active"),
    (lambda: market(qty=0), 422, 40010001, "qty must be > 0"),
    (lambda: market(qty=-5), 422, 40010001, "qty must be > 0"),
    (lambda: limit(290.123), 422, 42210000, "sub-penny increment"),
    (lambda: limit(0.12345, symbol="PENY"), 422, 42210000, "sub-penny increment"),
    (lambda: market(qty=100000), 403, 40310000, "insufficient buying power"),
    (lambda: market(symbol="NOSHORT", side="sell"), 422, 42210000, "cannot be sold short"),
    (lambda: market(qty=0.5, tif=GTC), 422, 42210000, "fractional orders must be DAY"),
    (lambda: market(qty=0.5, side="sell"), 422, 42210000, "cannot be sold short"),
    (lambda: market(symbol="BRK.A", qty=0.5), 422, 42210000, "not fractionable"),
    (lambda: market(client_order_id="x" * 129), 422, 40010001, "no more than 128"),
    (lambda: stop(190, side="buy", tif=e.TimeInForce.IOC), 422, 42210000, "time_in_force"),
    (lambda: stop(180, side="buy"), 422, 42210000, "greater than current price"),
])
def test_what_alpaca_refuses_is_refused_with_its_code(client, order, status, code, words):
    refused(lambda: client.submit_order(order()), status, code, words)


def test_a_refused_order_leaves_nothing_behind(venue, client):
    refused(lambda: client.submit_order(market(qty=100000, client_order_id="again")), 403, 40310000, "power")
    assert client.get_orders(r.GetOrdersRequest(status=e.QueryOrderStatus.ALL)) == []
    assert venue.ledger()["orders"] == []
    client.submit_order(market(client_order_id="again"))


def test_more_than_is_held_cannot_be_sold(client):
    client.submit_order(market())
    resting = client.submit_order(limit(200, qty=6, side="sell"))
    body = refused(lambda: client.submit_order(limit(201, side="sell")), 403, 40310000, "insufficient qty")
    assert (body["available"], body["existing_qty"], body["held_for_orders"]) == ("4", "10", "6")
    assert body["related_orders"] == [str(resting.id)]


def test_a_wash_trade_is_refused(client):
    client.submit_order(market())
    resting = client.submit_order(limit(200, side="sell"))
    body = refused(lambda: client.submit_order(limit(201)), 403, 40310000, "potential wash trade")
    assert body["existing_order_id"] == str(resting.id)


def test_garbage_bodies_are_refused(venue):
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'"order"'):
        answer = venue.http("POST", "/v2/orders", data=body)
        assert (answer.status_code, answer.json()["code"]) == (400, 40010000)
