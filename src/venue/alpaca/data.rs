//! Market data as REST gives it: latest quotes, trades, bars, and snapshots.
//!
//! Runs on: whoever owns the core.
//! Owns: the shapes of market-data messages.
//! Never: makes up a history: the venue knows the latest only.

use serde_json::{Map, Value, json};

use super::assets::{ASSETS, find};
use super::core::Core;
use super::error::ApiError;
use super::json::{instant, number};
use super::request::{Answer, Reply, Request};
use crate::types::InstrumentId;

impl Core {
    fn quote_json(&self, instrument: InstrumentId) -> Value {
        let quote = self.quotes[instrument.index()];
        json!({
            "t": instant(quote.time),
            "bp": number(quote.bid), "bs": number(quote.bid_size), "bx": "V",
            "ap": number(quote.ask), "as": number(quote.ask_size), "ax": "V",
            "c": ["R"], "z": "C",
        })
    }

    fn trade_json(&self, instrument: InstrumentId) -> Value {
        let trade = self.trades[instrument.index()];
        json!({
            "t": instant(trade.at), "x": "V", "p": number(trade.price),
            "s": number(trade.size), "c": ["@"], "i": trade.number, "z": "C",
        })
    }

    fn bar_json(&self, instrument: InstrumentId) -> Value {
        let trade = self.trades[instrument.index()];
        let minute = crate::types::Nanos(trade.at.0 / 60_000_000_000 * 60_000_000_000);
        let price = number(trade.price);
        json!({
            "t": instant(minute), "o": price, "h": price, "l": price, "c": price,
            "v": number(trade.size), "n": 1, "vw": price,
        })
    }

    /// A quote as the stream has it.
    pub(super) fn quote_message(&self, instrument: InstrumentId) -> Value {
        let mut message = self.quote_json(instrument);
        message["T"] = "q".into();
        message["S"] = ASSETS[instrument.index()].symbol.into();
        message
    }

    /// A trade as the stream has it.
    pub(super) fn trade_message(&self, instrument: InstrumentId) -> Value {
        let mut message = self.trade_json(instrument);
        message["T"] = "t".into();
        message["S"] = ASSETS[instrument.index()].symbol.into();
        message
    }

    fn snapshot_json(&self, instrument: InstrumentId) -> Value {
        let bar = self.bar_json(instrument);
        json!({
            "latestTrade": self.trade_json(instrument),
            "latestQuote": self.quote_json(instrument),
            "minuteBar": bar,
            "dailyBar": bar,
            "prevDailyBar": bar,
        })
    }

    /// The routes below `/v2/stocks`; `path` is what follows.
    ///
    /// # Errors
    /// 400 for unknown symbols, 404 for unknown routes.
    pub fn stocks(&self, path: &[&str], request: &Request) -> Answer {
        match path {
            ["quotes", "latest"] => self.latest(request, "quotes", Self::quote_json),
            ["trades", "latest"] => self.latest(request, "trades", Self::trade_json),
            ["bars", "latest"] => self.latest(request, "bars", Self::bar_json),
            ["snapshots"] => {
                let mut rows = Map::new();
                for (symbol, instrument) in symbols(request)? {
                    rows.insert(symbol, self.snapshot_json(instrument));
                }
                Ok(Reply::ok(Value::Object(rows)))
            }
            ["quotes" | "trades" | "bars"] => {
                let mut body = json!({"next_page_token": null});
                let rows: Map<String, Value> = symbols(request)?
                    .into_iter()
                    .map(|(symbol, _)| (symbol, json!([])))
                    .collect();
                body[path[0]] = Value::Object(rows);
                Ok(Reply::ok(body))
            }
            [symbol, kind @ ("quotes" | "trades" | "bars"), "latest"] => {
                let instrument = known(symbol)?;
                let (name, value) = match *kind {
                    "quotes" => ("quote", self.quote_json(instrument)),
                    "trades" => ("trade", self.trade_json(instrument)),
                    _ => ("bar", self.bar_json(instrument)),
                };
                let mut body = json!({"symbol": symbol});
                body[name] = value;
                Ok(Reply::ok(body))
            }
            [symbol, "snapshot"] => {
                let mut body = self.snapshot_json(known(symbol)?);
                body["symbol"] = json!(symbol);
                Ok(Reply::ok(body))
            }
            _ => Err(ApiError::not_found("endpoint not found")),
        }
    }

    fn latest(
        &self,
        request: &Request,
        name: &str,
        show: fn(&Self, InstrumentId) -> Value,
    ) -> Answer {
        let rows: Map<String, Value> = symbols(request)?
            .into_iter()
            .map(|(symbol, instrument)| (symbol, show(self, instrument)))
            .collect();
        let mut body = Map::new();
        body.insert(name.to_owned(), Value::Object(rows));
        Ok(Reply::ok(Value::Object(body)))
    }
}

fn known(symbol: &str) -> Result<InstrumentId, ApiError> {
    find(symbol)
        .map(|row| InstrumentId(row as u32))
        .ok_or_else(|| ApiError::unreadable(format!("invalid symbol: {symbol}")))
}

fn symbols(request: &Request) -> Result<Vec<(String, InstrumentId)>, ApiError> {
    let list = request
        .field("symbols")
        .ok_or_else(|| ApiError::unreadable("symbols is required"))?;
    list.split(',')
        .map(|symbol| known(symbol).map(|instrument| (symbol.to_owned(), instrument)))
        .collect()
}
