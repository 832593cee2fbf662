//! The change of a working order: a new order takes its place.
//!
//! Runs on: whoever owns the core.
//! Owns: `PATCH /v2/orders/{id}` and the chain of orders that follow one another.
//! Never: loses what the old order filled: the new quantity is the total of the chain.

use serde_json::{Map, Value};

use super::core::Core;
use super::error::ApiError;
use super::json::uuid;
use super::record::{Record, Status};
use super::request::{Answer, Reply, Request};
use super::validate::{decimal, percent_of, price, quantity, time_in_force};
use crate::types::{
    BrokerReject, OrderType, Price, Quantity, ReplaceCommand, StrategyId, TrailingOffset,
};

impl Core {
    /// `PATCH /v2/orders/{id}`.
    ///
    /// # Errors
    /// 403, 404 or 422 with what is wrong.
    pub fn replace_order(&mut self, id: &str, request: &Request) -> Answer {
        let row = self.row_of(id)?;
        let fields = request.object()?;
        self.check_replaceable(row)?;
        let client = fields
            .get("client_order_id")
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
        if client
            .as_ref()
            .is_some_and(|id| self.by_client.contains_key(id))
        {
            return Err(ApiError::invalid("client_order_id must be unique"));
        }
        let old = self.orders[row].clone();
        let new = self.changed(&old, &fields)?;
        let id = self.mint();
        let client_order_id = client.unwrap_or_else(|| uuid(self.mint()));
        let moved_time = new.time_in_force != old.time_in_force;
        let to = self.orders.len();
        self.orders.push(Record {
            id,
            client_order_id,
            created_at: self.now,
            updated_at: self.now,
            replaces: Some(old.id),
            status: Status::PendingNew,
            expires_at: self.expiry(new.time_in_force, new.extended_hours),
            ..new
        });
        let shown = self.order_json(to, true);
        self.replacing = Some((row, to));
        let result = if moved_time {
            self.resubmit(row, to)
        } else {
            self.send_replace(row, to)
        };
        self.replacing = None;
        if let Err(error) = result {
            // Nobody knows the new order: it is in no index.
            self.orders[to].status = Status::Rejected;
            return Err(error);
        }
        Ok(Reply::ok(shown))
    }

    fn check_replaceable(&self, row: usize) -> Result<(), ApiError> {
        let record = &self.orders[row];
        if record.notional.is_some() {
            return Err(ApiError::unprocessable(
                "notional orders cannot be replaced",
            ));
        }
        match record.status {
            Status::New | Status::PartiallyFilled => Ok(()),
            Status::Replaced => Err(ApiError::unprocessable("order already replaced")),
            status if status.is_open() => Err(ApiError::unprocessable(format!(
                "cannot replace order in {} status",
                status.as_str()
            ))),
            status => Err(ApiError::unprocessable(format!(
                "order is already in \"{}\" state",
                status.as_str()
            ))),
        }
    }

    /// The order with the changes that the body asks for.
    fn changed(&self, old: &Record, fields: &Map<String, Value>) -> Result<Record, ApiError> {
        let mut new = old.clone();
        if let Some(quantity) = quantity(fields, "qty")? {
            new.quantity = quantity;
        }
        if let Some(text) = fields.get("time_in_force").and_then(Value::as_str) {
            new.time_in_force = time_in_force(text)?;
        }
        new.order_type = repriced(
            old.order_type,
            price(fields, "limit_price")?,
            price(fields, "stop_price")?,
            decimal(fields, "trail")?,
        )?;
        let same = new.quantity == old.quantity
            && new.order_type == old.order_type
            && new.time_in_force == old.time_in_force;
        if same {
            return Err(ApiError::unprocessable("order parameters are not changed"));
        }
        if new.quantity <= old.filled {
            return Err(ApiError::unprocessable("qty must be > filled_qty"));
        }
        let fraction = new.quantity.units() % 1_000_000_000 != 0;
        if fraction && new.quantity != old.quantity {
            return Err(ApiError::unprocessable(
                "fractional orders cannot be replaced by quantity",
            ));
        }
        self.check_grown(old, new.quantity)?;
        Ok(new)
    }

    /// A larger close needs the shares.
    fn check_grown(&self, old: &Record, quantity: Quantity) -> Result<(), ApiError> {
        let position = self.exchange.position(old.instrument).quantity;
        let closes = old.side.signed(position).units() < 0;
        let more = quantity.saturating_sub_to_zero(old.quantity);
        if !closes || more.is_zero() {
            return Ok(());
        }
        let held = self.held_for_orders(old.instrument, old.side);
        let available = position.abs().saturating_sub_to_zero(held);
        if more <= available {
            return Ok(());
        }
        Err(ApiError::forbidden(format!(
            "insufficient qty available for order (requested: {more}, available: {available})"
        ))
        .with("available", available.to_string()))
    }

    fn send_replace(&mut self, row: usize, to: usize) -> Result<(), ApiError> {
        let Some(order_id) = self.orders[row].exchange_id else {
            return Err(ApiError::unprocessable(
                "unable to replace order, order isn't sent to exchange yet",
            ));
        };
        let new = &self.orders[to];
        // The exchange counts what it filled of this entry of the chain; a re-entered order began at zero there.
        let command = ReplaceCommand {
            order_id,
            strategy: StrategyId::ENGINE,
            quantity: new.quantity.saturating_sub_to_zero(new.entered_filled),
            order_type: new.order_type,
        };
        self.verdict = None;
        if self.exchange.replace(self.now, &command).is_err() {
            return Err(ApiError::internal("the exchange is busy"));
        }
        self.settle();
        match self.verdict.take() {
            None => Ok(()),
            Some(BrokerReject::InvalidOrder) => Err(ApiError::unprocessable("invalid order")),
            Some(BrokerReject::TooLateToChange) => Err(ApiError::unprocessable(
                "order is already in \"filled\" state",
            )),
            Some(reason) => Err(self.refusal(to, reason)),
        }
    }

    /// A new time in force is a new order at the exchange.
    fn resubmit(&mut self, row: usize, to: usize) -> Result<(), ApiError> {
        self.silent = Some(row);
        if let Some(id) = self.orders[row].exchange_id {
            let taken = self.exchange.cancel(self.now, id);
            debug_assert!(taken.is_ok(), "invariant: a settled exchange takes input");
        }
        self.settle();
        self.silent = None;
        self.on_replaced();
        self.orders[to].entered_filled = self.orders[to].filled;
        if let Err(error) = self.enter(to) {
            self.on_done(to, Status::Rejected);
            return Err(error);
        }
        Ok(())
    }

    /// The exchange works the new terms: the new order takes the old one's place.
    pub(super) fn on_replaced(&mut self) {
        let Some((row, to)) = self.replacing.take() else {
            return;
        };
        let now = self.now;
        let id = self.orders[to].id;
        let old = &mut self.orders[row];
        old.status = Status::Replaced;
        old.replaced_at = Some(now);
        old.updated_at = now;
        old.replaced_by = Some(id);
        let (exchange_id, parent, legs) = (old.exchange_id, old.parent, old.legs.clone());
        self.by_id.insert(id, to);
        let client = self.orders[to].client_order_id.clone();
        self.by_client.insert(client, to);
        self.shut(row);
        self.opened(to);
        if let Some(exchange_id) = exchange_id {
            self.at_exchange.insert(exchange_id, to);
        }
        if let Some(parent) = parent {
            for leg in &mut self.orders[parent].legs {
                if *leg == row {
                    *leg = to;
                }
            }
        }
        let quantity = self.orders[to].quantity;
        for leg in legs {
            let leg = &mut self.orders[leg];
            leg.parent = Some(to);
            if leg.status == Status::Held && leg.exchange_id.is_none() {
                leg.quantity = quantity;
            }
        }
        if self.orders[to].high_water_mark.is_some() {
            self.trailing.push(to);
        }
        let partly = self.orders[to].filled.is_positive();
        self.orders[to].status = if partly {
            Status::PartiallyFilled
        } else {
            Status::New
        };
        self.emit(row, "replaced", &[]);
        let execution = uuid(self.mint());
        self.emit(to, "new", &[("execution_id", execution.into())]);
    }
}

/// The type with the prices that were given.
fn repriced(
    order_type: OrderType,
    limit: Option<Price>,
    stop: Option<Price>,
    trail: Option<String>,
) -> Result<OrderType, ApiError> {
    let unfit = |name: &str| ApiError::invalid(format!("{name} does not fit the order's type"));
    let changed = match order_type {
        OrderType::Market => OrderType::Market,
        OrderType::Limit { limit: old } => OrderType::Limit {
            limit: limit.unwrap_or(old),
        },
        OrderType::Stop { stop: old } => OrderType::Stop {
            stop: stop.unwrap_or(old),
        },
        OrderType::StopLimit {
            stop: old,
            limit: cap,
        } => OrderType::StopLimit {
            stop: stop.unwrap_or(old),
            limit: limit.unwrap_or(cap),
        },
        OrderType::TrailingStop { offset } => OrderType::TrailingStop {
            offset: match (trail.as_deref(), offset) {
                (None, offset) => offset,
                (Some(text), TrailingOffset::Percent(_)) => {
                    percent_of(text).ok_or_else(|| ApiError::invalid("invalid trail"))?
                }
                (Some(text), TrailingOffset::Amount(_)) => text
                    .parse()
                    .ok()
                    .filter(|amount: &Price| amount.is_positive())
                    .map(TrailingOffset::Amount)
                    .ok_or_else(|| ApiError::invalid("invalid trail"))?,
            },
        },
    };
    if limit.is_some() && changed.limit_price().is_none() {
        return Err(unfit("limit_price"));
    }
    if stop.is_some() && changed.stop_price().is_none() {
        return Err(unfit("stop_price"));
    }
    if trail.is_some() && changed.trailing_offset().is_none() {
        return Err(unfit("trail"));
    }
    Ok(changed)
}
