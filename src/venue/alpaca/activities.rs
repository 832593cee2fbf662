//! Account activities: the fills, page by page.
//!
//! Runs on: whoever owns the core.
//! Owns: the activity rows, their ids that sort by time, and the paging.
//! Never: changes a row.

use serde_json::{Value, json};

use super::assets::ASSETS;
use super::core::Core;
use super::error::ApiError;
use super::json::{instant, parse_instant, text, timestamp, uuid};
use super::request::{Answer, Reply, Request};
use crate::types::{Nanos, Price, Quantity, Side};

/// One row.
#[derive(Clone, Debug)]
pub struct Activity {
    /// `YYYYMMDDHHMMSSmmm::uuid`.
    pub id: String,
    /// When.
    pub at: Nanos,
    /// As JSON.
    pub body: Value,
}

impl Core {
    /// Writes a fill down.
    pub(super) fn record_fill(&mut self, row: usize, quantity: Quantity, price: Price, done: bool) {
        let id = self.mint();
        let stamp = timestamp(self.now)
            .map_or_else(String::new, |at| at.strftime("%Y%m%d%H%M%S%3f").to_string());
        // Rows of one millisecond sort by when they came.
        let number = self.activities.len() as u128;
        let id = (id & (u128::MAX >> 48)) | (number << 80);
        let order = &self.orders[row];
        let short = order.side == Side::Sell && order.intent == "sell_to_open";
        let id = format!("{stamp}::{}", uuid(id));
        let body = json!({
            "activity_type": "FILL",
            "id": id,
            "account_id": uuid(self.account_id),
            "transaction_time": instant(self.now),
            "type": if done { "fill" } else { "partial_fill" },
            "price": text(price),
            "qty": text(quantity),
            "side": if short { "sell_short" } else { order.side.as_str() },
            "symbol": ASSETS[order.instrument.index()].symbol,
            "leaves_qty": text(order.leaves()),
            "cum_qty": text(order.filled),
            "order_id": uuid(order.id),
            "order_status": order.status.as_str(),
        });
        self.activities.push(Activity {
            id,
            at: self.now,
            body,
        });
    }

    /// `GET /v2/account/activities` and `/v2/account/activities/{type}`.
    ///
    /// # Errors
    /// 422 for parameters that cannot be read.
    pub fn list_activities(&self, kind: Option<&str>, request: &Request) -> Answer {
        let types = kind.or_else(|| request.field("activity_types"));
        let fills = types.is_none_or(|types| types.split(',').any(|name| name == "FILL"));
        if !fills {
            return Ok(Reply::ok(json!([])));
        }
        let moment = |name: &str| {
            request
                .field(name)
                .map(|text| {
                    parse_instant(text).ok_or_else(|| ApiError::invalid(format!("invalid {name}")))
                })
                .transpose()
        };
        let (after, until, day) = (moment("after")?, moment("until")?, moment("date")?);
        let size = match request.field("page_size") {
            None => 100,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|size| (1..=100).contains(size))
                .ok_or_else(|| ApiError::invalid("page_size must be between 1 and 100"))?,
        };
        let size = if day.is_some() && request.field("page_size").is_none() {
            usize::MAX
        } else {
            size
        };
        let ascending = match request.field("direction").unwrap_or("desc") {
            "asc" => true,
            "desc" => false,
            _ => return Err(ApiError::invalid("invalid direction")),
        };
        let token = request.field("page_token");
        let takes = |row: &&Activity| {
            after.is_none_or(|after| row.at > after)
                && until.is_none_or(|until| row.at < until)
                && day.is_none_or(|day| row.at.since(day) < 86_400_000_000_000 && row.at >= day)
                && token.is_none_or(|token| {
                    if ascending {
                        row.id.as_str() > token
                    } else {
                        row.id.as_str() < token
                    }
                })
        };
        let bodies = |row: &Activity| row.body.clone();
        let rows = self.activities.iter();
        let page: Vec<Value> = if ascending {
            rows.filter(takes).take(size).map(bodies).collect()
        } else {
            rows.rev().filter(takes).take(size).map(bodies).collect()
        };
        Ok(Reply::ok(Value::Array(page)))
    }
}
