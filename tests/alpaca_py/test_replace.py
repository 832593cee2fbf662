"""The change of an order."""

from alpaca.trading import enums as e
from alpaca.trading import requests as r

from helpers import GTC, limit, market, now, refused, trailing


def change(client, order, **fields):
    return client.replace_order_by_id(order.id, r.ReplaceOrderRequest(**fields))


def test_a_new_order_takes_the_old_ones_place(client):
    old = client.submit_order(limit(180))
    new = change(client, old, limit_price=181, client_order_id="second")
    assert (new.replaces, new.limit_price, new.client_order_id) == (old.id, "181", "second")
    gone = now(client, old)
    assert (gone.status, gone.replaced_by) == (e.OrderStatus.REPLACED, new.id)
    assert now(client, new).status == e.OrderStatus.NEW


def test_the_quantity_is_the_total_of_the_chain(venue, client):
    venue.quote("AAPL", "187", "188", ask_size="4")
    old = client.submit_order(limit(188))
    refused(lambda: change(client, old, qty=4), 422, 42210000, "qty must be > filled_qty")
    new = change(client, old, qty=6)
    assert (new.qty, new.filled_qty) == ("6", "4")
    venue.quote("AAPL", "187", "188", ask_size="100")
    assert now(client, new).filled_qty == "6"
    assert client.get_open_position("AAPL").qty == "6"


def test_a_change_that_crosses_fills(client):
    old = client.submit_order(limit(180))
    new = change(client, old, limit_price=188)
    assert now(client, new).filled_avg_price == "187.5"


def test_a_change_of_nothing_is_refused(client):
    old = client.submit_order(limit(180))
    refused(lambda: change(client, old, limit_price=180), 422, 42210000, "not changed")


def test_a_done_order_cannot_be_changed(client):
    old = client.submit_order(market())
    refused(lambda: change(client, old, qty=20), 422, 42210000, 'already in "filled" state')


def test_an_order_is_replaced_once(client):
    old = client.submit_order(limit(180))
    change(client, old, limit_price=181)
    refused(lambda: change(client, old, limit_price=182), 422, 42210000, "order already replaced")


def test_the_time_in_force_changes(client):
    old = client.submit_order(limit(180))
    new = change(client, old, time_in_force=GTC)
    assert now(client, new).time_in_force == GTC
    assert now(client, old).status == e.OrderStatus.REPLACED


def test_a_trail_changes(client):
    client.submit_order(market())
    old = client.submit_order(trailing(trail_price=2))
    assert change(client, old, trail=3).trail_price == "3"


def test_a_change_beyond_the_buying_power_is_refused_and_the_old_stays(client):
    old = client.submit_order(limit(180))
    refused(lambda: change(client, old, qty=100000), 403, 40310000, "insufficient buying power")
    assert now(client, old).status == e.OrderStatus.NEW
