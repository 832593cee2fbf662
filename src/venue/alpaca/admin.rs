//! The hooks of a test: quotes, faults, the ledger.
//!
//! Runs on: the venue's thread.
//! Owns: `/_venue/*`.
//! Never: asks for credentials, or answers when it was not enabled.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Method, Response};
use serde_json::{Map, Value, json};

use super::assets::{ASSETS, find};
use super::core::Core;
use super::error::ApiError;
use super::fault::Immediate;
use super::http::render;
use super::json::{instant, parse_uuid, plain, text, uuid};
use super::request::{Answer, Reply, Request};
use super::shared::{Inner, Shared, wall_clock};
use crate::types::{InstrumentId, Nanos, Price, Quantity};

/// The handler.
pub async fn handle(
    State(shared): State<Arc<Shared>>,
    Path(what): Path<String>,
    method: Method,
    body: Bytes,
) -> Response<Body> {
    if !shared.admin {
        return render(Err(ApiError::not_found("endpoint not found")), None);
    }
    let request = Request {
        method: method.as_str().to_owned(),
        body: body.to_vec(),
        ..Request::default()
    };
    let now = wall_clock();
    let mut inner = shared.lock();
    let answer = answer(&mut inner, now, &what, &request);
    inner.flush(now);
    drop(inner);
    render(answer, None)
}

fn answer(inner: &mut Inner, now: Nanos, what: &str, request: &Request) -> Answer {
    match (request.method.as_str(), what) {
        ("POST", "quote") => {
            let fields = request.object()?;
            if let Some(state) = &mut inner.state {
                state.quote(now, &fields);
            }
            inner.core.advance(now);
            inner.core.post_quote(&fields)
        }
        ("POST", "fault") => {
            let fields = request.object()?;
            let done = inner.faults.arm(&fields).map_err(ApiError::invalid)?;
            match done {
                Immediate::Nothing => {}
                Immediate::Replay(last) => inner.hub.replay(now, last),
                Immediate::Mute(ms) => inner.hub.mute(now.plus(ms.saturating_mul(1_000_000))),
                Immediate::CloseStreams => inner.hub.close(),
                Immediate::StuckCancels(count) => inner.hang_cancels(now, count),
                Immediate::RefuseStreams(count) => inner.hub.refuse(count),
                Immediate::TextFrames(on) => inner.hub.text_frames = on,
                Immediate::Garbage(text) => inner.hub.say(now, &text),
            }
            Ok(Reply::ok(inner.faults.armed()))
        }
        ("GET", "fault") => Ok(Reply::ok(inner.faults.armed())),
        ("DELETE", "fault") => {
            inner.faults.clear();
            inner.hang_cancels(now, 0);
            inner.hub.mute(Nanos::ZERO);
            inner.hub.refuse(0);
            Ok(Reply::empty())
        }
        ("GET", "ledger") => Ok(Reply::ok(inner.core.ledger())),
        _ => Err(ApiError::not_found("endpoint not found")),
    }
}

impl Core {
    /// `POST /_venue/quote`: the symbol's quote from now on; its size is used up by what trades.
    ///
    /// # Errors
    /// 404 for an unknown symbol, 422 for numbers that cannot be read.
    pub fn post_quote(&mut self, fields: &Map<String, Value>) -> Answer {
        let symbol = fields.get("symbol").and_then(Value::as_str).unwrap_or("");
        let row = find(symbol)
            .ok_or_else(|| ApiError::not_found(format!("symbol not found: {symbol}")))?;
        let word = |name: &str| {
            fields
                .get(name)
                .and_then(plain)
                .ok_or_else(|| ApiError::invalid(format!("invalid {name}")))
        };
        let price = |name: &str| {
            let price = word(name)?.parse::<Price>();
            price
                .ok()
                .filter(|price| price.units() >= 0)
                .ok_or_else(|| ApiError::invalid(format!("invalid {name}")))
        };
        let size = |name: &str| {
            let size = word(name)?.parse::<Quantity>();
            size.ok()
                .filter(|size| size.units() >= 0)
                .ok_or_else(|| ApiError::invalid(format!("invalid {name}")))
        };
        let (bid, ask) = (price("bid")?, price("ask")?);
        let (bid_size, ask_size) = (size("bid_size")?, size("ask_size")?);
        self.show(InstrumentId(row as u32), bid, ask, bid_size, ask_size);
        Ok(Reply::ok(
            json!({"symbol": symbol, "orders_open": self.open.len()}),
        ))
    }

    /// The next cancels stay pending.
    pub const fn hang_cancels(&mut self, count: u32) {
        self.stuck_cancels = count;
    }

    /// Look-ups do not find this order until then.
    pub fn hide(&mut self, id: &str, until: Nanos) {
        if let Some(&row) = parse_uuid(id).and_then(|id| self.by_id.get(&id)) {
            self.orders[row].hidden_until = Some(until);
        }
    }

    /// `GET /_venue/ledger`: every accepted order, every execution, cash and positions.
    #[must_use]
    pub fn ledger(&self) -> Value {
        let known = |row: &usize| self.by_id.contains_key(&self.orders[*row].id);
        let orders: Vec<Value> = (0..self.orders.len())
            .filter(known)
            .map(|row| self.order_json(row, false))
            .collect();
        let executions: Vec<Value> = self
            .executions
            .iter()
            .map(|execution| {
                let order = &self.orders[execution.order];
                json!({
                    "id": uuid(execution.id),
                    "order_id": uuid(order.id),
                    "client_order_id": order.client_order_id,
                    "symbol": ASSETS[order.instrument.index()].symbol,
                    "side": order.side.as_str(),
                    "qty": text(execution.quantity),
                    "price": text(execution.price),
                    "at": instant(execution.at),
                })
            })
            .collect();
        let positions: Map<String, Value> = ASSETS
            .iter()
            .enumerate()
            .map(|(row, asset)| (asset, self.exchange.position(InstrumentId(row as u32))))
            .filter(|(_, position)| !position.quantity.is_zero())
            .map(|(asset, position)| (asset.symbol.to_owned(), text(position.quantity)))
            .collect();
        json!({
            "orders": orders,
            "executions": executions,
            "positions": positions,
            "cash": text(self.exchange.cash()),
        })
    }
}
