"""Starts a venue of its own for every test, and drives it through Alpaca's own client.

SHRIKE names the binary; `scripts/alpaca_py` sets it. A test ends the process that it started and no other.
"""

import asyncio
import os
import subprocess
import threading
import time

import pytest
import requests
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.live import StockDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.stream import TradingStream

KEY, SECRET = "PKTEST", "SECRET"


class Venue:
    """One running venue, its clients and its hooks."""

    def __init__(self, *arguments):
        binary = os.environ["SHRIKE"]
        command = [binary, "venue", "alpaca", "--listen", "127.0.0.1:0", "--key", KEY]
        command += ["--secret", SECRET, "--admin", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.address = line.split()[-1]
        self.url = f"http://{self.address}"
        self.client = TradingClient(KEY, SECRET, url_override=self.url)
        self.raw = TradingClient(KEY, SECRET, url_override=self.url, raw_data=True)
        self.data = StockHistoricalDataClient(KEY, SECRET, url_override=self.url)
        self.headers = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def quote(self, symbol, bid, ask, bid_size="1000", ask_size="1000"):
        body = {"symbol": symbol, "bid": bid, "ask": ask, "bid_size": bid_size, "ask_size": ask_size}
        answer = requests.post(f"{self.url}/_venue/quote", json=body, timeout=10)
        assert answer.ok, answer.text

    def fault(self, kind, **fields):
        answer = requests.post(f"{self.url}/_venue/fault", json={"kind": kind, **fields}, timeout=10)
        assert answer.ok, answer.text

    def ledger(self):
        return requests.get(f"{self.url}/_venue/ledger", timeout=10).json()

    def http(self, method, path, **more):
        return requests.request(method, self.url + path, headers=self.headers, timeout=10, **more)


class Listener:
    """Runs one of the client's streams on a thread and keeps what arrives."""

    def __init__(self, venue, stream):
        self.venue = venue
        self.stream = stream
        self.seen = []
        self.thread = threading.Thread(target=self._run, daemon=True)

    async def hear(self, message):
        self.seen.append(message)

    def _run(self):
        asyncio.run(self.stream._run_forever())

    def start(self):
        self.thread.start()
        until(lambda: self.stream._running)
        # The acknowledgement follows the subscription; what comes after this moment is heard.
        time.sleep(0.1)
        return self

    def stop(self):
        self.stream.stop()
        # The client looks at its stop flag every five seconds, or when the connection ends.
        self.venue.fault("close_streams")
        self.thread.join(15)

    def events(self):
        return [str(getattr(m.event, "value", m.event)) for m in self.seen]


def until(condition, seconds=10):
    """Polls a condition: the streams run on threads of the client's own."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def venue():
    venue = Venue("--rate-limit", "off")
    yield venue
    venue.stop()


@pytest.fixture
def start():
    running = []

    def start_one(*arguments):
        running.append(Venue(*arguments))
        return running[-1]

    yield start_one
    for venue in running:
        venue.stop()


@pytest.fixture
def client(venue):
    return venue.client


@pytest.fixture
def updates(venue):
    stream = TradingStream(KEY, SECRET, url_override=f"ws://{venue.address}/stream")
    listener = Listener(venue, stream)
    stream.subscribe_trade_updates(listener.hear)
    yield listener.start()
    listener.stop()


@pytest.fixture
def market(venue):
    stream = StockDataStream(KEY, SECRET, url_override=f"ws://{venue.address}/v2/iex")
    listener = Listener(venue, stream)
    yield listener
    if listener.thread.is_alive():
        listener.stop()
