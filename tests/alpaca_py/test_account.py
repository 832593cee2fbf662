"""Account, positions, reference data, activities, watchlists, market data."""

from datetime import date

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.data import requests as d
from alpaca.trading import enums as e
from alpaca.trading import requests as r
from alpaca.trading.client import TradingClient

from helpers import limit, market, now, refused


def test_the_account_starts_with_100000(client):
    account = client.get_account()
    assert (account.cash, account.equity, account.buying_power) == ("100000", "100000", "200000")
    assert (account.status, account.multiplier, account.currency) == (e.AccountStatus.ACTIVE, "2", "USD")


def test_cash_and_positions_make_the_equity(venue, client):
    client.submit_order(market())
    venue.quote("AAPL", "189", "191")
    account = client.get_account()
    assert (account.cash, account.long_market_value, account.equity) == ("98125", "1900", "100025")


def test_open_orders_hold_buying_power_until_canceled(client):
    order = client.submit_order(limit(100, qty=100))
    assert client.get_account().buying_power == "190000"
    client.cancel_order_by_id(order.id)
    assert client.get_account().buying_power == "200000"


def test_wrong_credentials_are_refused_without_a_code(venue):
    stranger = TradingClient("PKTEST", "WRONG", url_override=venue.url)
    with pytest.raises(APIError) as caught:
        stranger.get_account()
    assert caught.value.status_code == 401
    assert caught.value._error == '{"message":"unauthorized."}\n'
    assert requests.get(venue.url + "/v2/account", timeout=10).status_code == 401


def test_configurations_are_read_and_set(client):
    configurations = client.get_account_configurations()
    assert configurations.suspend_trade is False
    configurations.suspend_trade = True
    assert client.set_account_configurations(configurations).suspend_trade is True
    refused(lambda: client.submit_order(market()), 403, 40310000, "new orders are rejected")


def test_shorting_can_be_switched_off(client):
    configurations = client.get_account_configurations()
    configurations.no_shorting = True
    client.set_account_configurations(configurations)
    refused(lambda: client.submit_order(market(side="sell")), 403, 40310000, "not allowed to short")


def test_a_position_has_every_number(venue, client):
    client.submit_order(market())
    venue.quote("AAPL", "189", "191")
    position, = client.get_all_positions()
    assert position == client.get_open_position("AAPL") == client.get_open_position(position.asset_id)
    assert (position.qty, position.avg_entry_price, position.cost_basis) == ("10", "187.5", "1875")
    assert (position.market_value, position.unrealized_pl, position.current_price) == ("1900", "25", "190")
    assert position.unrealized_plpc.startswith("0.01333333")


def test_no_position_is_not_found(client):
    refused(lambda: client.get_open_position("AAPL"), 404, 40410000, "position does not exist")
    refused(lambda: client.close_position("AAPL"), 404, 40410000, "position does not exist")


def test_a_position_is_closed(client):
    client.submit_order(market())
    order = client.close_position("AAPL")
    assert (order.side, order.order_type) == (e.OrderSide.SELL, e.OrderType.MARKET)
    assert client.get_all_positions() == []


def test_a_position_is_closed_by_quantity_and_percentage(client):
    client.submit_order(market())
    client.close_position("AAPL", r.ClosePositionRequest(qty="3"))
    assert client.get_open_position("AAPL").qty == "7"
    client.close_position("AAPL", r.ClosePositionRequest(percentage="50"))
    assert client.get_open_position("AAPL").qty == "3.5"


def test_shares_held_by_orders_cannot_be_closed(client):
    client.submit_order(market())
    client.submit_order(limit(200, side="sell"))
    refused(lambda: client.close_position("AAPL"), 403, 40310000, "insufficient qty available")


def test_all_positions_are_closed_with_a_result_each(client):
    client.submit_order(market())
    client.submit_order(market(symbol="MSFT"))
    client.submit_order(limit(200, side="sell"))
    results = {result.symbol: result for result in client.close_all_positions(cancel_orders=False)}
    assert (results["AAPL"].status, results["MSFT"].status) == (403, 200)
    assert results["AAPL"].body.held_for_orders == 10
    results = client.close_all_positions(cancel_orders=True)
    assert [result.status for result in results] == [200]
    assert client.get_all_positions() == []


def test_a_short_is_closed_by_buying(client):
    client.submit_order(market(side="sell"))
    assert client.close_position("AAPL").side == e.OrderSide.BUY
    assert client.get_all_positions() == []


def test_assets_are_listed_and_found(client):
    assets = client.get_all_assets(r.GetAssetsRequest(status=e.AssetStatus.ACTIVE))
    assert {"AAPL", "MSFT", "SPY", "IBM"} <= {asset.symbol for asset in assets}
    apple = client.get_asset("AAPL")
    assert client.get_asset(apple.id) == apple
    assert apple.tradable and apple.shortable and apple.fractionable
    refused(lambda: client.get_asset("NOPE"), 404, 40410000, "asset not found for NOPE")


def test_the_clock_says_open(client):
    clock = client.get_clock()
    assert clock.is_open and clock.next_close > clock.timestamp


def test_the_calendar_knows_thanksgiving(client):
    days = client.get_calendar(r.GetCalendarRequest(start=date(2026, 11, 25), end=date(2026, 11, 30)))
    assert [(day.date.day, day.close.hour) for day in days] == [(25, 16), (27, 13), (30, 16)]


def test_the_equity_has_a_history(client):
    client.submit_order(market())
    history = client.get_portfolio_history(r.GetPortfolioHistoryRequest(period="1D", timeframe="1Min"))
    assert (history.base_value, history.timeframe) == (100000, "1Min")
    assert len(history.timestamp) == len(history.equity) == len(history.profit_loss)


def test_fills_are_activities_page_by_page(client):
    for _ in range(5):
        client.submit_order(market(qty=1))
    path = "/account/activities/FILL"
    everything = client.get(path, {"direction": "asc"})
    assert [row["cum_qty"] for row in everything] == ["1"] * 5
    assert everything[0]["id"] < everything[4]["id"]
    seen, token = [], None
    while True:
        page = client.get(path, {"direction": "asc", "page_size": 2, "page_token": token})
        if not page:
            break
        seen += page
        token = page[-1]["id"]
    assert seen == everything
    assert client.get("/account/activities", {"activity_types": "FILL"}) == everything[::-1]
    assert client.get("/account/activities", {"activity_types": "DIV"}) == []


def test_watchlists_are_made_changed_and_removed(client):
    made = client.create_watchlist(r.CreateWatchlistRequest(name="mine", symbols=["AAPL"]))
    assert [asset.symbol for asset in made.assets] == ["AAPL"]
    client.add_asset_to_watchlist_by_id(made.id, "MSFT")
    client.update_watchlist_by_id(made.id, r.UpdateWatchlistRequest(name="ours"))
    client.remove_asset_from_watchlist_by_id(made.id, "AAPL")
    found = client.get_watchlist_by_id(made.id)
    assert (found.name, [asset.symbol for asset in found.assets]) == ("ours", ["MSFT"])
    assert len(client.get_watchlists()) == 1
    client.delete_watchlist_by_id(made.id)
    assert client.get_watchlists() == []


def test_options_and_announcements_are_empty(client):
    contracts = client.get_option_contracts(r.GetOptionContractsRequest(underlying_symbols=["AAPL"]))
    assert contracts.option_contracts == []
    found = client.get_corporate_announcements(r.GetCorporateAnnouncementsRequest(
        ca_types=[e.CorporateActionType.SPLIT], since=date(2026, 11, 1), until=date(2026, 11, 20)))
    assert found == []


def test_an_unknown_route_is_not_found(venue):
    answer = venue.http("GET", "/v2/nothing")
    assert (answer.status_code, answer.json()) == (404, {"code": 40410000, "message": "endpoint not found"})


def test_latest_quotes_and_trades_and_snapshots(venue):
    venue.quote("AAPL", "189", "191", "7", "8")
    both = ["AAPL", "MSFT"]
    quotes = venue.data.get_stock_latest_quote(d.StockLatestQuoteRequest(symbol_or_symbols=both))
    assert (quotes["AAPL"].bid_price, quotes["AAPL"].ask_size, quotes["MSFT"].ask_price) == (189, 8, 430)
    venue.client.submit_order(market(qty=2))
    trades = venue.data.get_stock_latest_trade(d.StockLatestTradeRequest(symbol_or_symbols="AAPL"))
    assert (trades["AAPL"].price, trades["AAPL"].size) == (191, 2)
    snapshots = venue.data.get_stock_snapshot(d.StockSnapshotRequest(symbol_or_symbols=both))
    assert snapshots["AAPL"].latest_quote.bid_size == 7
    bars = venue.data.get_stock_latest_bar(d.StockLatestBarRequest(symbol_or_symbols="AAPL"))
    assert bars["AAPL"].close == 191


def test_the_ledger_is_what_the_client_was_told(venue, client):
    order = client.submit_order(market())
    ledger = venue.ledger()
    execution, = ledger["executions"]
    assert (execution["order_id"], execution["qty"], execution["price"]) == (str(order.id), "10", "187.5")
    assert (ledger["positions"], ledger["cash"]) == ({"AAPL": "10"}, "98125")
    assert now(client, order).filled_qty == "10"
