"""Faults on request, and the rate limit: what a client must survive."""

import json
import socket
import time

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading import enums as e

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from conftest import KEY, SECRET, until
from helpers import limit, market, now, refused

POST = {"method": "POST", "path": "/v2/orders"}
BODY = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}


def test_an_accepted_order_may_lose_its_reply(venue, client):
    venue.fault("drop_reply", **POST)
    with pytest.raises(requests.exceptions.ConnectionError):
        venue.http("POST", "/v2/orders", json={**BODY, "client_order_id": "lost"})
    assert client.get_order_by_client_id("lost").status == e.OrderStatus.FILLED


def test_a_reset_in_the_middle_of_the_reply(venue, client):
    venue.fault("reset", bytes=40, **POST)
    with pytest.raises(requests.exceptions.RequestException):
        venue.http("POST", "/v2/orders", json={**BODY, "client_order_id": "cut"})
    assert client.get_order_by_client_id("cut").status == e.OrderStatus.FILLED


def test_a_reset_is_a_reset(venue):
    venue.fault("reset", bytes=17, method="GET")
    host, port = venue.address.split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in venue.headers.items())
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(f"GET /v2/clock HTTP/1.1\r\nHost: venue\r\n{head}\r\n".encode())
        heard = b""
        with pytest.raises(ConnectionResetError):
            while piece := raw.recv(100):
                heard += piece
    assert heard == b"HTTP/1.1 200 OK\r\n"


def test_an_error_although_the_order_was_accepted(venue, client):
    venue.fault("status", status=500, **POST)
    refused(lambda: client.submit_order(market(client_order_id="kept")), 500, 50010000, "internal")
    assert client.get_order_by_client_id("kept").status == e.OrderStatus.FILLED


def test_an_error_page_instead_of_json(venue):
    venue.fault("status", status=503, html=True, accepted=False, **POST)
    answer = venue.http("POST", "/v2/orders", json=BODY)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html")
    assert answer.text.startswith("<html>")
    assert venue.ledger()["orders"] == []


def test_the_clients_own_retries_of_504_make_two_orders(venue, client):
    venue.fault("status", status=504, **POST)
    client._retry_wait = 0
    client.submit_order(market())
    assert len(venue.ledger()["orders"]) == 2


def test_a_storm_of_429(venue):
    venue.fault("storm_429", count=3)
    statuses = [venue.http("GET", "/v2/account").status_code for _ in range(4)]
    assert statuses == [429, 429, 429, 200]


def test_an_event_before_the_reply(venue, updates):
    venue.fault("delay_reply", ms=500, **POST)
    began = time.monotonic()
    venue.client.submit_order(limit(180))
    assert time.monotonic() - began >= 0.5
    assert "new" in updates.events()


def test_a_missing_fill_event(venue, client, updates):
    venue.fault("drop_event", event="fill")
    order = client.submit_order(market())
    other = client.submit_order(limit(180))
    until(lambda: updates.events().count("new") == 2)
    assert "fill" not in updates.events()
    assert now(client, order).status == e.OrderStatus.FILLED
    client.cancel_order_by_id(other.id)


def test_duplicate_events_keep_their_execution_id(venue, client, updates):
    venue.fault("duplicate_event", event="fill", times=2)
    client.submit_order(market())
    until(lambda: updates.events().count("fill") == 3)
    assert len({message.execution_id for message in updates.seen if message.price}) == 1


def test_replayed_events(venue, client, updates):
    client.submit_order(market())
    until(lambda: "fill" in updates.events())
    venue.fault("replay_events", last=2)
    until(lambda: updates.events()[-2:] == ["new", "fill"] and len(updates.seen) == 5)


def test_partial_fills_out_of_order(venue, client, updates):
    venue.fault("swap_events", event="partial_fill")
    venue.quote("AAPL", "187", "188", ask_size="4")
    client.submit_order(limit(188))
    venue.quote("AAPL", "187", "188", ask_size="100")
    until(lambda: len(updates.seen) == 4)
    assert updates.events()[-2:] == ["fill", "partial_fill"]


def test_a_late_event(venue, client, updates):
    venue.fault("delay_event", event="fill", ms=300)
    client.submit_order(market())
    client.submit_order(limit(180))
    until(lambda: updates.events()[-1:] == ["fill"])
    assert updates.events().count("new") == 2


def test_a_stuck_cancel(venue, client):
    venue.fault("stuck_cancel")
    order = client.submit_order(limit(180))
    client.cancel_order_by_id(order.id)
    assert now(client, order).status == e.OrderStatus.PENDING_CANCEL
    venue.quote("AAPL", "179", "179.5")
    assert now(client, order).status == e.OrderStatus.FILLED


def test_a_mute_stream(venue, client, updates):
    venue.fault("mute_stream", ms=60000)
    order = client.submit_order(market())
    assert now(client, order).status == e.OrderStatus.FILLED
    requests.delete(f"{venue.url}/_venue/fault", timeout=10)
    client.submit_order(limit(180))
    until(lambda: updates.events() == ["pending_new", "new"])


def test_streams_that_close_are_opened_again_by_the_client(venue, client, updates):
    venue.fault("close_streams")
    until(lambda: not updates.stream._running)
    until(lambda: updates.stream._running)
    time.sleep(0.1)
    client.submit_order(limit(180))
    until(lambda: "new" in updates.events())


def test_an_order_that_appears_late(venue, client):
    venue.fault("hide", ms=300, **POST)
    order = client.submit_order(limit(180, client_order_id="late"))
    with pytest.raises(APIError):
        client.get_order_by_client_id("late")
    until(lambda: venue.http("GET", f"/v2/orders/{order.id}").status_code == 200)


def test_every_reply_tells_the_budget_and_the_last_request_ends_it(start):
    venue = start("--rate-limit", "3")
    # A minute that ends in between would give a new budget.
    if time.time() % 60 > 55:
        time.sleep(60 - time.time() % 60)
    answers = [venue.http("GET", "/v2/clock") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert [a.headers["X-Ratelimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
    assert {a.headers["X-Ratelimit-Limit"] for a in answers} == {"3"}
    assert int(answers[0].headers["X-Ratelimit-Reset"]) > time.time() - 1
    assert answers[3].json()["message"] == "rate limit exceeded"
    assert venue.ledger()["orders"] == []


def test_an_unknown_fault_is_refused(venue):
    answer = requests.post(f"{venue.url}/_venue/fault", json={"kind": "gremlin"}, timeout=10)
    assert answer.status_code == 422


def test_a_refusal_although_the_order_was_accepted(venue, client):
    venue.fault("status", status=422, **POST)
    refused(lambda: client.submit_order(market(client_order_id="taken")), 422, 42210000, "not accepted")
    assert client.get_order_by_client_id("taken").status == e.OrderStatus.FILLED


def test_a_refused_upgrade(venue):
    venue.fault("refuse_streams")
    url = f"ws://{venue.address}/stream"
    with pytest.raises(InvalidStatus) as caught, connect(url):
        pass
    assert caught.value.response.status_code == 429
    with connect(url) as ws:
        ws.ping()


def test_garbage_on_the_stream_is_what_it_is(venue):
    with connect(f"ws://{venue.address}/stream") as ws:
        ws.send(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
        ws.recv(10)
        ws.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        ws.recv(10)
        venue.fault("garbage", text='{"stream":')
        assert ws.recv(10) == b'{"stream":'


def test_streams_in_text_frames(venue, client):
    venue.fault("text_frames")
    with connect(f"ws://{venue.address}/stream") as ws:
        ws.send(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
        assert isinstance(ws.recv(10), str)


def test_a_venue_that_was_killed_comes_back_as_it_was(start, tmp_path):
    state = str(tmp_path / "venue.state")
    first = start("--state", state)
    bought = first.client.submit_order(market(client_order_id="bought"))
    rests = first.client.submit_order(limit(180, client_order_id="rests"))
    first.fault("stuck_cancel")
    first.client.cancel_order_by_id(rests.id)
    first.quote("MSFT", "400", "401")
    before = first.ledger()
    first.process.kill()
    first.process.wait(10)
    again = start("--state", state)
    assert again.ledger() == before
    assert again.client.get_order_by_client_id("bought").id == bought.id
    assert now(again.client, rests).status == e.OrderStatus.PENDING_CANCEL
    assert again.http("GET", "/v2/stocks/MSFT/quotes/latest").json()["quote"]["ap"] == 401
    again.quote("AAPL", "179", "179.5")
    assert now(again.client, rests).status == e.OrderStatus.FILLED
