"""Short forms of the requests that many tests send."""

from alpaca.common.exceptions import APIError
from alpaca.trading import enums as e
from alpaca.trading import requests as r

import json
import pytest

DAY, GTC = e.TimeInForce.DAY, e.TimeInForce.GTC


def side_of(side):
    return e.OrderSide(side)


def market(symbol="AAPL", qty=10, side="buy", tif=DAY, **more):
    return r.MarketOrderRequest(symbol=symbol, qty=qty, side=side_of(side), time_in_force=tif, **more)


def limit(price, symbol="AAPL", qty=10, side="buy", tif=DAY, **more):
    return r.LimitOrderRequest(
        symbol=symbol, qty=qty, side=side_of(side), time_in_force=tif, limit_price=price, **more
    )


def stop(price, symbol="AAPL", qty=10, side="sell", tif=DAY, **more):
    return r.StopOrderRequest(
        symbol=symbol, qty=qty, side=side_of(side), time_in_force=tif, stop_price=price, **more
    )


def stop_limit(price, cap, symbol="AAPL", qty=10, side="sell", tif=DAY, **more):
    return r.StopLimitOrderRequest(
        symbol=symbol, qty=qty, side=side_of(side), time_in_force=tif,
        stop_price=price, limit_price=cap, **more
    )


def trailing(symbol="AAPL", qty=10, side="sell", tif=GTC, **more):
    return r.TrailingStopOrderRequest(
        symbol=symbol, qty=qty, side=side_of(side), time_in_force=tif, **more
    )


def bracket(entry, profit, loss, cap=None, order_class="bracket"):
    more = {"order_class": e.OrderClass(order_class)}
    if profit is not None:
        more["take_profit"] = r.TakeProfitRequest(limit_price=profit)
    if loss is not None:
        more["stop_loss"] = r.StopLossRequest(stop_price=loss, limit_price=cap)
    return market(tif=GTC, **more) if entry is None else limit(entry, tif=GTC, **more)


def now(client, order):
    """The order as it stands."""
    return client.get_order_by_id(order.id)


def refused(call, status, code, words):
    """The call is refused in this way; hands the body back."""
    with pytest.raises(APIError) as caught:
        call()
    body = json.loads(str(caught.value))
    assert caught.value.status_code == status, body
    assert body.get("code") == code, body
    assert words in body["message"], body
    return body
