"""Both streams."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import requests
from websockets.sync.client import connect

from conftest import KEY, SECRET, until
from helpers import bracket, limit, market

from alpaca.trading import requests as r


def test_a_fill_is_told_with_its_numbers(client, updates):
    order = client.submit_order(market())
    until(lambda: "fill" in updates.events())
    assert updates.events() == ["pending_new", "new", "fill"]
    fill = updates.seen[-1]
    assert (fill.order.id, fill.price, fill.qty, fill.position_qty) == (order.id, 187.5, 10, 10)
    assert fill.execution_id is not None and fill.order.filled_qty == "10"


def test_partial_fills_are_told_apart(venue, client, updates):
    venue.quote("AAPL", "187", "188", ask_size="4")
    client.submit_order(limit(188))
    venue.quote("AAPL", "187", "188", ask_size="100")
    until(lambda: "fill" in updates.events())
    assert updates.events()[-2:] == ["partial_fill", "fill"]
    assert [message.qty for message in updates.seen[-2:]] == [4, 6]


def test_a_cancel_is_told(client, updates):
    order = client.submit_order(limit(180))
    client.cancel_order_by_id(order.id)
    until(lambda: updates.events()[-1:] == ["canceled"])


def test_a_replace_is_told_for_the_old_and_the_new(client, updates):
    old = client.submit_order(limit(180))
    new = client.replace_order_by_id(old.id, r.ReplaceOrderRequest(limit_price=181))
    until(lambda: updates.events()[-2:] == ["replaced", "new"])
    assert [message.order.id for message in updates.seen[-2:]] == [old.id, new.id]


def test_a_bracket_is_told_leg_by_leg(venue, client, updates):
    client.submit_order(bracket(None, 190, 170))
    venue.quote("AAPL", "190.5", "190.6")
    until(lambda: "canceled" in updates.events())
    assert updates.events() == ["pending_new", "new", "fill", "new", "fill", "canceled"]


def socket(venue, path, **more):
    return connect(f"ws://{venue.address}{path}", **more)


def say(ws, message):
    ws.send(json.dumps(message))
    return json.loads(ws.recv(10))


def test_several_clients_hear_the_same(venue, client, updates):
    with socket(venue, "/stream") as ws:
        assert say(ws, {"action": "auth", "key": KEY, "secret": SECRET})["data"]["status"] == "authorized"
        answer = say(ws, {"action": "listen", "data": {"streams": ["trade_updates", "nothing"]}})
        assert answer == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        client.submit_order(limit(180))
        frame = ws.recv(10)
        assert isinstance(frame, bytes)
        assert json.loads(frame)["data"]["event"] == "pending_new"
    until(lambda: "new" in updates.events())


def test_a_stranger_hears_nothing(venue):
    with socket(venue, "/stream") as ws:
        answer = say(ws, {"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert answer["data"] == {"status": "unauthorized", "action": "listen"}
        wrong = {"action": "authenticate", "data": {"key_id": KEY, "secret_key": "WRONG"}}
        assert say(ws, wrong)["data"]["status"] == "unauthorized"


def test_quotes_and_trades_stream_as_message_pack(venue, client, market):
    market.stream.subscribe_quotes(market.hear, "AAPL")
    market.stream.subscribe_trades(market.hear, "*")
    market.start()
    venue.quote("MSFT", "400", "401")
    venue.quote("AAPL", "189", "190.5", "3", "4")
    until(lambda: len(market.seen) >= 1)
    quote = market.seen[0]
    assert (quote.symbol, quote.bid_price, quote.ask_price, quote.ask_size) == ("AAPL", 189, 190.5, 4)
    assert quote.timestamp.year >= 2025
    client.submit_order(limit(401, symbol="MSFT", qty=2))
    until(lambda: len(market.seen) >= 2)
    assert (market.seen[1].symbol, market.seen[1].price, market.seen[1].size) == ("MSFT", 401, 2)


def test_the_data_stream_speaks_json_too(venue):
    headers = {"Content-Type": "application/json"}
    with socket(venue, "/v2/test", additional_headers=headers) as ws:
        assert json.loads(ws.recv(10)) == [{"T": "success", "msg": "connected"}]
        assert say(ws, {"action": "subscribe", "quotes": ["AAPL"]})[0]["code"] == 401
        assert say(ws, {"action": "auth", "key": KEY, "secret": "WRONG"})[0]["code"] == 402
        assert say(ws, {"action": "auth", "key": KEY, "secret": SECRET})[0]["msg"] == "authenticated"
        assert say(ws, {"action": "auth", "key": KEY, "secret": SECRET})[0]["code"] == 403
        ws.send("nonsense")
        assert json.loads(ws.recv(10))[0]["code"] == 400
        answer = say(ws, {"action": "subscribe", "quotes": ["FAKEPACA"]})[0]
        assert (answer["T"], answer["quotes"], answer["trades"]) == ("subscription", ["FAKEPACA"], [])
        venue.quote("FAKEPACA", "1", "2")
        quote, = json.loads(ws.recv(10))
        assert (quote["T"], quote["S"], quote["bp"], quote["ap"]) == ("q", "FAKEPACA", 1, 2)
        answer = say(ws, {"action": "unsubscribe", "quotes": ["FAKEPACA"]})[0]
        assert answer["quotes"] == []


def test_a_subscription_in_fragments_is_read(venue):
    headers = {"Content-Type": "application/json"}
    with socket(venue, "/v2/iex", additional_headers=headers) as ws:
        ws.recv(10)
        say(ws, {"action": "auth", "key": KEY, "secret": SECRET})
        text = json.dumps({"action": "subscribe", "trades": ["AAPL"]})
        ws.send([text[:7], text[7:], ""])
        assert json.loads(ws.recv(10))[0]["corrections"] == ["AAPL"]


def test_a_synthetic_market_moves_by_itself(start):
    venue = start("--market", "synthetic", "--seed", "7")
    path = f"{venue.url}/v2/stocks/quotes/latest?symbols=AAPL"
    first = requests.get(path, headers=venue.headers, timeout=10).json()
    until(lambda: requests.get(path, headers=venue.headers, timeout=10).json() != first)


def test_a_file_of_quotes_is_played_back(start, tmp_path):
    file = tmp_path / "quotes.csv"
    file.write_text("ms,symbol,bid,ask,bid_size,ask_size\n0,AAPL,150,151,5,6\n200,AAPL,140,141,5,6\n")
    venue = start("--market", str(file))
    order = venue.client.submit_order(limit(141, qty=2))
    until(lambda: venue.client.get_order_by_id(order.id).filled_avg_price == "141")


def test_a_broken_file_of_quotes_ends_the_start(tmp_path):
    file = tmp_path / "quotes.csv"
    file.write_text("0,AAPL,150,nonsense,5,6\n")
    command = [os.environ["SHRIKE"], "venue", "alpaca", "--listen", "127.0.0.1:0", "--key", KEY]
    command += ["--secret", SECRET, "--market", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and "line 1: not a price" in done.stderr


def test_parallel_clients_get_an_order_each(venue):
    def submit(number):
        return venue.http("POST", "/v2/orders", json={
            "symbol": "F", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day",
            "client_order_id": f"order-{number}"}).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(submit, range(200)))
    ledger = venue.ledger()
    assert len(set(ids)) == len(ledger["orders"]) == len(ledger["executions"]) == 200
    assert ledger["positions"] == {"F": "200"}
