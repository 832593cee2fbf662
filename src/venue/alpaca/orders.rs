//! Placing, finding, listing and cancelling orders.
//!
//! Runs on: whoever owns the core.
//! Owns: the order routes but the change of an order.
//! Never: takes a client's id twice.

use serde_json::{Value, json};

use super::assets::ASSETS;
use super::core::Core;
use super::error::ApiError;
use super::json::{bought_for, cents, parse_instant, parse_uuid, text, uuid};
use super::record::{Class, Record, Role, Status};
use super::request::{Answer, Reply, Request};
use super::validate::{Ticket, ticket};
use crate::types::{BrokerReject, Money, Nanos, OrderType, Price, Quantity, Side, TimeInForce};

impl Core {
    /// `POST /v2/orders`.
    ///
    /// # Errors
    /// 400, 403 or 422 with what is wrong.
    pub fn post_order(&mut self, request: &Request) -> Answer {
        let ticket = ticket(&request.object()?)?;
        self.place(ticket).map(Reply::ok)
    }

    /// Takes an order whose shape is checked; the answer shows it before the market has seen it.
    ///
    /// # Errors
    /// 403 or 422 with what is wrong.
    pub(super) fn place(&mut self, mut ticket: Ticket) -> Result<Value, ApiError> {
        if self.configurations.suspend_trade {
            return Err(ApiError::forbidden(
                "new orders are rejected by user request",
            ));
        }
        let client_order_id = match ticket.client_order_id.take() {
            None => uuid(self.mint()),
            Some(id) if self.by_client.contains_key(&id) => {
                return Err(ApiError::invalid("client_order_id must be unique"));
            }
            Some(id) => id,
        };
        self.settle_amount(&mut ticket)?;
        self.check_market(&ticket)?;
        self.check_position(&ticket)?;
        self.check_wash(&ticket)?;
        let row = self.book(&ticket, client_order_id);
        if !self.is_open() && !self.orders[row].extended_hours {
            self.orders[row].status = Status::Accepted;
        }
        let shown = self.order_json(row, true);
        let told = self.events.len();
        if self.orders[row].status == Status::Accepted {
            self.emit(row, "accepted", &[]);
        } else {
            let execution = uuid(self.mint());
            self.emit(row, "pending_new", &[("execution_id", execution.into())]);
        }
        if let Err(error) = self.enter(row) {
            self.unbook(row);
            self.events.remove(told);
            return Err(error);
        }
        if ticket.class == Class::Oco {
            for leg in self.orders[row].legs.clone() {
                // The take-profit may have filled at once: then its stop-loss has ended already.
                if self.orders[leg].status != Status::Held {
                    continue;
                }
                if let Err(error) = self.enter(leg) {
                    self.cancel_now(row);
                    self.settle();
                    return Err(error);
                }
            }
        }
        Ok(shown)
    }

    /// Turns an amount of money into a quantity at the price of the far side.
    fn settle_amount(&self, ticket: &mut Ticket) -> Result<(), ApiError> {
        if let Some(amount) = ticket.notional {
            let quote = self.quotes[ticket.instrument.index()];
            let price = match ticket.side {
                Side::Buy => quote.ask,
                Side::Sell => quote.bid,
            };
            ticket.quantity = bought_for(amount, price);
            if !ticket.quantity.is_positive() {
                return Err(ApiError::unprocessable("no quote to price the order with"));
            }
        }
        Ok(())
    }

    /// Prices against the market: a stop must not have been passed, an exit must lie beyond the entry.
    fn check_market(&self, ticket: &Ticket) -> Result<(), ApiError> {
        let quote = self.quotes[ticket.instrument.index()];
        let base = match (ticket.order_type.limit_price(), ticket.side) {
            (Some(limit), _) => limit,
            (None, Side::Buy) => quote.ask,
            (None, Side::Sell) => quote.bid,
        };
        for leg in &ticket.legs {
            let Some(stop) = leg.order_type.stop_price() else {
                continue;
            };
            let cent = Price::from_units(10_000_000);
            let (bound, word) = match ticket.side {
                _ if ticket.class == Class::Oco => continue,
                Side::Buy => (base.checked_sub(cent), "<= base_price - 0.01"),
                Side::Sell => (base.checked_add(cent), ">= base_price + 0.01"),
            };
            let beyond = bound.is_none_or(|bound| match ticket.side {
                Side::Buy => stop <= bound,
                Side::Sell => stop >= bound,
            });
            if !beyond {
                return Err(ApiError::unprocessable(format!(
                    "stop_loss.stop_price must be {word}"
                ))
                .with("base_price", text(base)));
            }
        }
        self.check_stop(ticket.order_type, ticket.side, base)
    }

    fn check_stop(&self, order_type: OrderType, side: Side, base: Price) -> Result<(), ApiError> {
        let OrderType::Stop { stop } = order_type else {
            return Ok(());
        };
        let (passed, word) = match side {
            Side::Sell => (stop >= base, "less"),
            Side::Buy => (stop <= base, "greater"),
        };
        if !passed || base.is_zero() {
            return Ok(());
        }
        let message = format!("stop price must be {word} than current price");
        Err(ApiError::unprocessable(message)
            .with("market_price", text(base))
            .with("stop_price", text(stop)))
    }

    /// What is held must cover what would close it; a short sale needs whole shares, an asset and an account that
    /// allow it.
    fn check_position(&mut self, ticket: &Ticket) -> Result<(), ApiError> {
        let position = self.exchange.position(ticket.instrument).quantity;
        let asset = &ASSETS[ticket.instrument.index()];
        self.check_intent(ticket, position)?;
        let closes = match ticket.side {
            Side::Sell => position.is_positive(),
            Side::Buy => position.units() < 0,
        };
        if closes {
            let held = self.held_for_orders(ticket.instrument, ticket.side);
            let available = position.abs().saturating_sub_to_zero(held);
            if ticket.quantity > available {
                return Err(self.short_of(ticket, position, held));
            }
            return Ok(());
        }
        if ticket.class == Class::Oco {
            return Err(ApiError::unprocessable("oco orders must be exit orders"));
        }
        let other = ticket.side.opposite();
        let any = self.working[ticket.instrument.index()][other as usize] > 0;
        let opposite = any
            && self.open.iter().map(|row| &self.orders[*row]).any(|order| {
                order.instrument == ticket.instrument
                    && order.side != ticket.side
                    && order.parent.is_none()
                    && order.class == Class::Simple
            });
        if ticket.side == Side::Buy {
            if opposite && position.is_zero() {
                return Err(ApiError::forbidden(
                    "cannot open a long buy while a short sell order is open",
                ));
            }
            return Ok(());
        }
        if opposite && position.is_zero() {
            return Err(ApiError::forbidden(
                "cannot open a short sell while a long buy order is open",
            ));
        }
        if !asset.shortable {
            let message = format!("asset \"{}\" cannot be sold short", asset.symbol);
            return Err(ApiError::unprocessable(message));
        }
        if self.configurations.no_shorting {
            return Err(ApiError::forbidden("account is not allowed to short"));
        }
        if ticket.quantity.units() % 1_000_000_000 != 0 || ticket.notional.is_some() {
            return Err(ApiError::unprocessable(
                "fractional orders cannot be sold short",
            ));
        }
        Ok(())
    }

    fn check_intent(&self, ticket: &Ticket, position: Quantity) -> Result<(), ApiError> {
        let Some(intent) = ticket.intent.as_deref() else {
            return Ok(());
        };
        let fits = match intent {
            "buy_to_open" => ticket.side == Side::Buy && position.units() >= 0,
            "buy_to_close" => ticket.side == Side::Buy && position.units() < 0,
            "sell_to_open" => ticket.side == Side::Sell && position.units() <= 0,
            "sell_to_close" => ticket.side == Side::Sell && position.is_positive(),
            _ => return Err(ApiError::invalid("invalid position_intent")),
        };
        if fits {
            Ok(())
        } else {
            Err(ApiError::unprocessable("position intent mismatch").with("intent", intent))
        }
    }

    fn short_of(&self, ticket: &Ticket, position: Quantity, held: Quantity) -> ApiError {
        let available = position.abs().saturating_sub_to_zero(held);
        let related: Vec<String> = self
            .open
            .iter()
            .map(|row| &self.orders[*row])
            .filter(|order| order.instrument == ticket.instrument && order.side == ticket.side)
            .map(|order| uuid(order.id))
            .collect();
        ApiError::forbidden(format!(
            "insufficient qty available for order (requested: {}, available: {available})",
            ticket.quantity
        ))
        .with("available", text(available))
        .with("existing_qty", text(position.abs()))
        .with("held_for_orders", text(held))
        .with("symbol", ASSETS[ticket.instrument.index()].symbol)
        .with("related_orders", json!(related))
    }

    /// Shares that open orders would close; a group holds them once.
    pub(super) fn held_for_orders(
        &self,
        instrument: crate::types::InstrumentId,
        side: Side,
    ) -> Quantity {
        let mut groups: Vec<(usize, Quantity)> = Vec::new();
        for &row in &self.open {
            let order = &self.orders[row];
            let waits = order.status == Status::Held && order.exchange_id.is_none();
            if order.instrument != instrument || order.side != side || waits {
                continue;
            }
            let root = order.parent.unwrap_or(row);
            match groups.iter_mut().find(|(group, _)| *group == root) {
                Some((_, held)) => *held = (*held).max(order.leaves()),
                None => groups.push((root, order.leaves())),
            }
        }
        let units = groups.iter().map(|(_, held)| held.units()).sum();
        Quantity::from_units(units)
    }

    /// An order of one's own on the other side that it could trade with.
    fn check_wash(&self, ticket: &Ticket) -> Result<(), ApiError> {
        let exempt = ticket.class != Class::Simple
            || matches!(ticket.order_type, OrderType::TrailingStop { .. });
        let other = ticket.side.opposite();
        if exempt || self.working[ticket.instrument.index()][other as usize] == 0 {
            return Ok(());
        }
        let mine = ticket.order_type;
        let meets = |order: &&Record| {
            if order.instrument != ticket.instrument
                || order.side == ticket.side
                || order.class != Class::Simple
            {
                return false;
            }
            match (mine, order.order_type) {
                (OrderType::Limit { limit }, OrderType::Limit { limit: other }) => {
                    match ticket.side {
                        Side::Buy => limit >= other,
                        Side::Sell => limit <= other,
                    }
                }
                _ => true,
            }
        };
        let mut open = self.open.iter().map(|row| &self.orders[*row]);
        let Some(order) = open.find(meets) else {
            return Ok(());
        };
        let kind = match order.order_type {
            OrderType::Limit { .. } => "limit",
            _ => "market/stop",
        };
        Err(
            ApiError::forbidden("potential wash trade detected. use complex orders")
                .with("existing_order_id", uuid(order.id))
                .with(
                    "reject_reason",
                    format!("opposite side {kind} order exists"),
                ),
        )
    }

    /// Writes an order and its legs into the books.
    fn book(&mut self, ticket: &Ticket, client_order_id: String) -> usize {
        let parent_role = if ticket.class == Class::Oco {
            Role::TakeProfit
        } else {
            Role::Entry
        };
        let id = self.mint();
        let blank = self.blank(ticket, id, client_order_id);
        let row = self.add(Record {
            class: ticket.class,
            role: parent_role,
            ..blank
        });
        for leg in &ticket.legs {
            let id = self.mint();
            let client = uuid(self.mint());
            let blank = self.blank(ticket, id, client);
            let side = if ticket.class == Class::Oco {
                ticket.side
            } else {
                ticket.side.opposite()
            };
            let at = self.add(Record {
                class: ticket.class,
                role: leg.role,
                order_type: leg.order_type,
                side,
                status: Status::Held,
                parent: Some(row),
                notional: None,
                intent: match side {
                    Side::Buy => "buy_to_close",
                    Side::Sell => "sell_to_close",
                },
                ..blank
            });
            self.orders[row].legs.push(at);
        }
        row
    }

    fn blank(&mut self, ticket: &Ticket, id: u128, client_order_id: String) -> Record {
        let position = self.exchange.position(ticket.instrument).quantity;
        let intent = match ticket.side {
            Side::Buy if position.units() < 0 => "buy_to_close",
            Side::Buy => "buy_to_open",
            Side::Sell if position.is_positive() => "sell_to_close",
            Side::Sell => "sell_to_open",
        };
        Record {
            id,
            client_order_id,
            created_at: self.now,
            updated_at: self.now,
            filled_at: None,
            expired_at: None,
            expires_at: self.expiry(ticket.time_in_force, ticket.extended_hours),
            canceled_at: None,
            failed_at: None,
            replaced_at: None,
            replaced_by: None,
            replaces: None,
            instrument: ticket.instrument,
            notional: ticket.notional,
            quantity: ticket.quantity,
            filled: Quantity::ZERO,
            value: Money::ZERO,
            class: Class::Simple,
            role: Role::Entry,
            order_type: ticket.order_type,
            side: ticket.side,
            time_in_force: ticket.time_in_force,
            extended_hours: ticket.extended_hours,
            status: Status::PendingNew,
            high_water_mark: None,
            intent,
            legs: Vec::new(),
            parent: None,
            exchange_id: None,
            entered_filled: Quantity::ZERO,
            hidden_until: None,
        }
    }

    /// When an order that comes now ends by itself.
    pub(super) fn expiry(&self, time_in_force: TimeInForce, extended: bool) -> Option<Nanos> {
        let windows = self.schedule.windows();
        let mut ends = windows.iter().map(|window| match time_in_force {
            TimeInForce::Opg => window.open,
            _ if extended => window.post_close,
            _ => window.close,
        });
        match time_in_force {
            TimeInForce::Gtc => Some(self.now.plus(90 * 86_400_000_000_000)),
            _ => ends.find(|end| *end > self.now),
        }
    }

    /// Adds a record to the books.
    pub(super) fn add(&mut self, record: Record) -> usize {
        let row = self.orders.len();
        self.by_id.insert(record.id, row);
        self.by_client.insert(record.client_order_id.clone(), row);
        self.orders.push(record);
        self.opened(row);
        row
    }

    /// Takes an order that was refused out of the books again, its legs with it.
    pub(super) fn unbook(&mut self, row: usize) {
        let legs = self.orders[row].legs.clone();
        for at in legs.into_iter().chain([row]) {
            let record = &mut self.orders[at];
            record.status = Status::Rejected;
            let (id, client) = (record.id, record.client_order_id.clone());
            let exchange_id = record.exchange_id;
            self.by_id.remove(&id);
            self.by_client.remove(&client);
            self.shut(at);
            if let Some(id) = exchange_id {
                self.at_exchange.remove(&id);
            }
        }
    }

    /// The exchange's reason in Alpaca's words.
    pub(super) fn refusal(&self, row: usize, reason: BrokerReject) -> ApiError {
        let record = &self.orders[row];
        let quote = self.quotes[record.instrument.index()];
        match reason {
            BrokerReject::InsufficientBuyingPower => {
                let price = record.order_type.limit_price().unwrap_or(quote.ask);
                ApiError::forbidden("insufficient buying power")
                    .with("buying_power", cents(self.exchange.buying_power()))
                    .with("cost_basis", cents(price.notional(record.leaves())))
            }
            BrokerReject::ShortNotAllowed => ApiError::forbidden("account is not allowed to short"),
            BrokerReject::TooManyOrders => ApiError::forbidden("too many open orders"),
            BrokerReject::InvalidOrder => ApiError::unprocessable("invalid order"),
            _ => ApiError::unprocessable("order was not accepted"),
        }
    }

    /// The row of an id in a path.
    ///
    /// # Errors
    /// 422 for what is no id, 404 for an unknown one.
    pub(super) fn row_of(&self, id: &str) -> Result<usize, ApiError> {
        let number = parse_uuid(id).ok_or_else(|| ApiError::invalid("order_id is missing"))?;
        self.by_id
            .get(&number)
            .copied()
            .filter(|row| self.is_visible(*row))
            .ok_or_else(|| ApiError::not_found(format!("order not found for {id}")))
    }

    fn is_visible(&self, row: usize) -> bool {
        self.orders[row]
            .hidden_until
            .is_none_or(|until| until <= self.now)
    }

    /// `GET /v2/orders/{id}`.
    ///
    /// # Errors
    /// 404, 422.
    pub fn get_order(&self, id: &str, request: &Request) -> Answer {
        let row = self.row_of(id)?;
        let nested = request.field("nested").is_none() || request.flag("nested")?;
        Ok(Reply::ok(self.order_json(row, nested)))
    }

    /// `GET /v2/orders:by_client_order_id`.
    ///
    /// # Errors
    /// 404, 422.
    pub fn get_order_by_client_id(&self, request: &Request) -> Answer {
        let id = request
            .field("client_order_id")
            .ok_or_else(|| ApiError::invalid("client_order_id is missing"))?;
        self.by_client
            .get(id)
            .filter(|row| self.is_visible(**row))
            .map(|row| Reply::ok(self.order_json(*row, true)))
            .ok_or_else(|| ApiError::not_found(format!("order not found for {id}")))
    }

    /// `GET /v2/orders`.
    ///
    /// # Errors
    /// 422 for filters that cannot be read.
    pub fn list_orders(&self, request: &Request) -> Answer {
        let filter = Filter::read(request)?;
        let nested = request.flag("nested")?;
        let takes = |row: &usize| {
            let order = &self.orders[*row];
            let known = self.by_id.contains_key(&order.id) && self.is_visible(*row);
            let rolled = nested && order.parent.is_some();
            known && !rolled && filter.takes(order)
        };
        let rows = 0..self.orders.len();
        let rows: Vec<usize> = if filter.ascending {
            rows.filter(takes).take(filter.limit).collect()
        } else {
            rows.rev().filter(takes).take(filter.limit).collect()
        };
        let list = rows.into_iter().map(|row| self.order_json(row, nested));
        Ok(Reply::ok(Value::Array(list.collect())))
    }

    /// `DELETE /v2/orders/{id}`.
    ///
    /// # Errors
    /// 404, 422 when it is done.
    pub fn cancel_order(&mut self, id: &str) -> Answer {
        let row = self.row_of(id)?;
        self.cancel(row)?;
        Ok(Reply::empty())
    }

    /// Cancels a row for the client.
    ///
    /// # Errors
    /// 422 when it is done.
    fn cancel(&mut self, row: usize) -> Result<(), ApiError> {
        let status = self.orders[row].status;
        if status == Status::PendingCancel {
            return Ok(());
        }
        if !status.is_open() {
            let message = format!("order is already in \"{}\" state", status.as_str());
            return Err(ApiError::unprocessable(message));
        }
        if self.stuck_cancels > 0 {
            self.stuck_cancels -= 1;
            self.orders[row].status = Status::PendingCancel;
            self.orders[row].updated_at = self.now;
            self.emit(row, "pending_cancel", &[]);
            return Ok(());
        }
        self.cancel_now(row);
        self.settle();
        Ok(())
    }

    /// `DELETE /v2/orders`.
    ///
    /// # Errors
    /// None: each order has its own result.
    pub fn cancel_orders(&mut self) -> Answer {
        Ok(Reply::many(self.cancel_all(None)))
    }

    /// Cancels everything that is open, or everything of one instrument.
    pub(super) fn cancel_all(
        &mut self,
        instrument: Option<crate::types::InstrumentId>,
    ) -> Vec<Value> {
        let mut rows = self.open.clone();
        rows.retain(|row| instrument.is_none_or(|only| self.orders[*row].instrument == only));
        rows.into_iter()
            .map(|row| {
                let id = uuid(self.orders[row].id);
                // A leg may have ended with its group a moment ago: that is what was asked for.
                let result = match self.orders[row].status {
                    Status::Canceled => Ok(()),
                    _ => self.cancel(row),
                };
                match result {
                    Ok(()) => json!({"id": id, "status": 200}),
                    Err(error) => json!({"id": id, "status": 500, "body": error.body()}),
                }
            })
            .collect()
    }
}

/// What a list of orders asks for.
struct Filter {
    open: Option<bool>,
    limit: usize,
    after: Option<Nanos>,
    until: Option<Nanos>,
    ascending: bool,
    symbols: Vec<String>,
    side: Option<String>,
}

impl Filter {
    fn read(request: &Request) -> Result<Self, ApiError> {
        let moment = |name: &str| {
            request
                .field(name)
                .map(|text| {
                    parse_instant(text).ok_or_else(|| ApiError::invalid(format!("invalid {name}")))
                })
                .transpose()
        };
        let open = match request.field("status").unwrap_or("open") {
            "open" => Some(true),
            "closed" => Some(false),
            "all" => None,
            _ => return Err(ApiError::invalid("invalid status")),
        };
        let limit = match request.field("limit") {
            None => 50,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|limit| (1..=500).contains(limit))
                .ok_or_else(|| ApiError::invalid("limit must be between 1 and 500"))?,
        };
        let ascending = match request.field("direction").unwrap_or("desc") {
            "asc" => true,
            "desc" => false,
            _ => return Err(ApiError::invalid("invalid direction")),
        };
        Ok(Self {
            open,
            limit,
            after: moment("after")?,
            until: moment("until")?,
            ascending,
            symbols: request
                .field("symbols")
                .map(|text| text.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            side: request.field("side").map(str::to_owned),
        })
    }

    fn takes(&self, order: &Record) -> bool {
        let symbol = ASSETS[order.instrument.index()].symbol;
        self.open.is_none_or(|open| order.status.is_open() == open)
            && self.after.is_none_or(|after| order.created_at > after)
            && self.until.is_none_or(|until| order.created_at < until)
            && (self.symbols.is_empty() || self.symbols.iter().any(|name| name == symbol))
            && self
                .side
                .as_deref()
                .is_none_or(|side| side == order.side.as_str())
    }
}
