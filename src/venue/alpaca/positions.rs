//! Positions, and closing them.
//!
//! Runs on: whoever owns the core.
//! Owns: the position routes.
//! Never: closes more than is free of other orders.

use serde_json::{Value, json};

use super::assets::{ASSETS, find};
use super::core::Core;
use super::error::ApiError;
use super::json::{maybe, number, ratio, text, uuid};
use super::record::Class;
use super::request::{Answer, Reply, Request};
use super::validate::Ticket;
use crate::types::{InstrumentId, Money, OrderType, Price, Quantity, Side, TimeInForce};

impl Core {
    fn position_json(&self, row: usize) -> Option<Value> {
        let instrument = InstrumentId(row as u32);
        let position = self.exchange.position(instrument);
        let quantity = position.quantity;
        if quantity.is_zero() {
            return None;
        }
        let asset = &ASSETS[row];
        let long = quantity.is_positive();
        let price = self.mark(instrument);
        let value = price.notional(quantity);
        let gain = value - position.cost;
        let gain_ratio = ratio(gain, position.cost.abs());
        let side = if long { Side::Sell } else { Side::Buy };
        let held = self.held_for_orders(instrument, side);
        let free = quantity.abs().saturating_sub_to_zero(held);
        let free = if long { free } else { free.negated() };
        let last = asset.quote.map(|text| text.parse().unwrap_or(Price::ZERO));
        let last = last[0].midpoint(last[1]);
        let moved = Price::from_units(price.units() - last.units());
        let one = Quantity::from_units(1_000_000_000);
        Some(json!({
            "asset_id": uuid(asset.id),
            "symbol": asset.symbol,
            "exchange": asset.exchange,
            "asset_class": "us_equity",
            "asset_marginable": true,
            "qty": text(quantity),
            "qty_available": text(free),
            "side": if long { "long" } else { "short" },
            "avg_entry_price": maybe(position.average_price()),
            "market_value": text(value),
            "cost_basis": text(position.cost),
            "unrealized_pl": text(gain),
            "unrealized_plpc": text(gain_ratio),
            "unrealized_intraday_pl": text(gain),
            "unrealized_intraday_plpc": text(gain_ratio),
            "current_price": text(price),
            "lastday_price": text(last),
            "change_today": text(ratio(moved.notional(one), last.notional(one))),
        }))
    }

    /// `GET /v2/positions`.
    ///
    /// # Errors
    /// None.
    pub fn positions(&self) -> Answer {
        let rows = (0..ASSETS.len()).filter_map(|row| self.position_json(row));
        Ok(Reply::ok(Value::Array(rows.collect())))
    }

    /// `GET /v2/positions/{symbol or id}`.
    ///
    /// # Errors
    /// 404.
    pub fn position(&self, name: &str) -> Answer {
        let row =
            find(name).ok_or_else(|| ApiError::not_found(format!("symbol not found: {name}")))?;
        self.position_json(row)
            .map(Reply::ok)
            .ok_or_else(|| ApiError::not_found("position does not exist"))
    }

    /// `DELETE /v2/positions/{symbol or id}`: all, `qty` or `percentage`.
    ///
    /// # Errors
    /// 403, 404, 422.
    pub fn close_position(&mut self, name: &str, request: &Request) -> Answer {
        let row =
            find(name).ok_or_else(|| ApiError::not_found(format!("symbol not found: {name}")))?;
        let instrument = InstrumentId(row as u32);
        let held = self.exchange.position(instrument).quantity.abs();
        if held.is_zero() {
            return Err(ApiError::not_found("position does not exist"));
        }
        let quantity = match (request.field("qty"), request.field("percentage")) {
            (None, None) => held,
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid(
                    "only one of qty or percentage is accepted",
                ));
            }
            (Some(text), None) => text
                .parse()
                .ok()
                .filter(|quantity: &Quantity| quantity.is_positive())
                .ok_or_else(|| ApiError::invalid("qty must be > 0"))?,
            (None, Some(text)) => percentage_of(held, text)
                .ok_or_else(|| ApiError::invalid("percentage must be between 0 and 100"))?,
        };
        self.close(instrument, quantity).map(Reply::ok)
    }

    fn close(&mut self, instrument: InstrumentId, quantity: Quantity) -> Result<Value, ApiError> {
        let long = self.exchange.position(instrument).quantity.is_positive();
        self.place(Ticket {
            instrument,
            quantity,
            notional: None,
            side: if long { Side::Sell } else { Side::Buy },
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Day,
            extended_hours: false,
            client_order_id: None,
            class: Class::Simple,
            legs: Vec::new(),
            intent: None,
        })
    }

    /// `DELETE /v2/positions`.
    ///
    /// # Errors
    /// 422 for a `cancel_orders` that cannot be read; each position has its own result.
    pub fn close_positions(&mut self, request: &Request) -> Answer {
        if request.flag("cancel_orders")? {
            self.cancel_all(None);
        }
        let mut results = Vec::new();
        for (row, asset) in ASSETS.iter().enumerate() {
            let instrument = InstrumentId(row as u32);
            let held = self.exchange.position(instrument).quantity.abs();
            if held.is_zero() {
                continue;
            }
            results.push(match self.close(instrument, held) {
                Ok(order) => json!({
                    "symbol": asset.symbol,
                    "order_id": order["id"],
                    "status": 200,
                    "body": order,
                }),
                Err(error) => {
                    let mut body = error.body();
                    for name in ["available", "existing_qty", "held_for_orders"] {
                        if let Some(text) = body[name].as_str() {
                            body[name] = number(text);
                        }
                    }
                    json!({"symbol": asset.symbol, "status": error.status, "body": body})
                }
            });
        }
        Ok(Reply::many(results))
    }

    /// Sum of everything that positions cost.
    #[must_use]
    pub fn cost(&self) -> Money {
        (0..ASSETS.len())
            .map(|row| self.exchange.position(InstrumentId(row as u32)).cost)
            .sum()
    }
}

/// A percentage of a quantity, toward zero.
fn percentage_of(held: Quantity, text: &str) -> Option<Quantity> {
    let percent: Quantity = text.parse().ok()?;
    if !percent.is_positive() || percent.units() > 100_000_000_000 {
        return None;
    }
    let units = i128::from(held.units()) * i128::from(percent.units()) / 100_000_000_000;
    i64::try_from(units)
        .ok()
        .map(Quantity::from_units)
        .filter(|quantity| quantity.is_positive())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact_and_never_above_the_whole() {
        let held: Quantity = "10".parse().expect("a quantity");
        assert_eq!(percentage_of(held, "50"), "5".parse().ok());
        assert_eq!(percentage_of(held, "12.5"), "1.25".parse().ok());
        assert_eq!(percentage_of(held, "100"), Some(held));
        assert_eq!(percentage_of(held, "100.000000001"), None);
        assert_eq!(percentage_of(held, "0"), None);
        assert_eq!(percentage_of(held, "x"), None);
    }
}
