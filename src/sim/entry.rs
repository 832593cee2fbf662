//! Orders, cancels, replaces and look-ups as they come in.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: what a broker checks before it takes an order, and its answers.
//! Never: takes an id twice, or says that an order is not there when it cannot know.

use super::book::opposite;
use super::exchange::{Busy, Exchange};
use super::order::{Group, Place, SimOrder, Standing};
use super::trail::NO_MARK;
use crate::types::{
    BrokerReject, ExecutionReport, Instrument, InstrumentId, NewOrderCommand, Order, OrderId,
    OrderType, Price, Quantity, ReplaceCommand, ReportKind, Side, TrailingOffset,
};
use crate::types::{Nanos, SlotIndex};

impl Exchange {
    /// A new order: `Accepted` or `Rejected` follows, and what the market makes of it at once.
    ///
    /// # Errors
    /// [`Busy`]; the order was not taken.
    pub fn submit(&mut self, now: Nanos, command: &NewOrderCommand) -> Result<(), Busy> {
        if !self.advance(now) {
            return Err(Busy);
        }
        match self.admit(command) {
            Ok((slot, reserved)) => {
                let order = self.enter(command, slot, reserved);
                self.send(self.report_of(ReportKind::Accepted, order));
                self.arrive(order);
            }
            Err(reason) => {
                let mut report = ExecutionReport::new(
                    ReportKind::Rejected,
                    command.order_id,
                    self.settings.broker,
                    command.instrument,
                    command.side,
                );
                report.reason = reason;
                self.send(report);
            }
        }
        Ok(())
    }

    /// Every check, cheapest first; nothing is changed but the slot that an order which passes gets.
    fn admit(&mut self, command: &NewOrderCommand) -> Result<(SlotIndex, Price), BrokerReject> {
        let id = command.order_id;
        if self.seen.contains(id) || self.index.find(id).is_some() {
            return Err(BrokerReject::DuplicateClientOrderId);
        }
        let instrument = *self
            .instruments
            .get(command.instrument.index())
            .ok_or(BrokerReject::UnknownSymbol)?;
        let order = Order {
            instrument: command.instrument,
            quantity: command.quantity,
            order_type: command.order_type,
            side: command.side,
            time_in_force: command.time_in_force,
            flags: command.flags,
        };
        if !self.seen.knows_port(id) || !is_well_formed(&order, &instrument) {
            return Err(BrokerReject::InvalidOrder);
        }
        self.session
            .admit(self.time, command.time_in_force, command.flags)?;
        let price = self.reservation(command.instrument, command.side, command.order_type);
        let reserved = self.account.check(
            command.instrument,
            instrument.shortable,
            command.side,
            command.quantity,
            price,
        )?;
        if self.index.len() >= self.settings.max_open_orders {
            return Err(BrokerReject::TooManyOrders);
        }
        let slot = self
            .index
            .insert(id, ())
            .map_err(|_| BrokerReject::TooManyOrders)?;
        Ok((slot, reserved))
    }

    fn enter(&mut self, command: &NewOrderCommand, slot: SlotIndex, reserved: Price) -> u32 {
        let order = slot.index() as u32;
        let group = Group::of(command.time_in_force, command.flags);
        self.orders[slot.index()] = SimOrder {
            id: command.order_id,
            slot: Some(slot),
            instrument: command.instrument,
            side: command.side,
            time_in_force: command.time_in_force,
            group,
            order_type: command.order_type,
            quantity: command.quantity,
            reserved,
            ..SimOrder::default()
        };
        self.seen.insert(command.order_id);
        self.groups.push(group, order);
        self.account
            .reserve(command.instrument, command.side, command.quantity, reserved);
        order
    }

    /// The price that an order is reserved at: its own where it has one, else what the market shows. `None` when
    /// nobody knows.
    pub(super) fn reservation(
        &self,
        instrument: InstrumentId,
        side: Side,
        order_type: OrderType,
    ) -> Option<Price> {
        let touch = &self.books[instrument.index()].touch;
        let mark = self.account.mark_of(instrument);
        let market = touch.price[opposite(side)];
        let market = if market.is_positive() { market } else { mark };
        let seller = side == Side::Sell;
        match order_type {
            OrderType::Limit { limit } if seller => Some(limit.max(market)),
            OrderType::Limit { limit } => Some(limit),
            OrderType::StopLimit { stop, limit } if seller => Some(limit.max(stop)),
            OrderType::StopLimit { limit, .. } => Some(limit),
            OrderType::Stop { stop } => Some(stop),
            OrderType::Market => market.is_positive().then_some(market),
            OrderType::TrailingStop { offset } if market.is_positive() => match (side, offset) {
                (Side::Sell, _) => Some(market),
                (Side::Buy, TrailingOffset::Amount(amount)) => market.checked_add(amount),
                (Side::Buy, TrailingOffset::Percent(ratio)) => market.raised_by(ratio),
            },
            OrderType::TrailingStop { .. } => None,
        }
    }

    /// A cancel: `Canceled` or `CancelRejected` follows.
    ///
    /// # Errors
    /// [`Busy`]; the cancel was not taken.
    pub fn cancel(&mut self, now: Nanos, order_id: OrderId) -> Result<(), Busy> {
        if !self.advance(now) {
            return Err(Busy);
        }
        match self.working(order_id) {
            Ok(order) => self.finish(order, Standing::Canceled),
            Err(reason) => self.refuse(ReportKind::CancelRejected, order_id, reason),
        }
        Ok(())
    }

    /// Cancels every working order, step by step: a `Canceled` follows for each.
    ///
    /// # Errors
    /// [`Busy`]; nothing was canceled.
    pub fn cancel_all(&mut self, now: Nanos) -> Result<(), Busy> {
        if !self.advance(now) {
            return Err(Busy);
        }
        self.work = super::exchange::Work::CancelAll { slot: 0 };
        self.advance(now);
        Ok(())
    }

    /// A look-up: `Status` for an order that works or filled, `Canceled` or `Expired` again for one that ended so,
    /// `NotFound` for one that was never accepted. One that was accepted but whose record is gone is `InDoubt`.
    ///
    /// # Errors
    /// [`Busy`]; the look-up was not taken.
    pub fn query(&mut self, now: Nanos, order_id: OrderId) -> Result<(), Busy> {
        if !self.advance(now) {
            return Err(Busy);
        }
        let Some(slot) = self.index.find(order_id) else {
            let kind = if self.seen.contains(order_id) {
                ReportKind::InDoubt
            } else {
                ReportKind::NotFound
            };
            self.refuse(kind, order_id, BrokerReject::None);
            return Ok(());
        };
        let order = slot.index() as u32;
        let record = &self.orders[slot.index()];
        let kind = match record.standing {
            Standing::Working | Standing::Filled => ReportKind::Status,
            Standing::Canceled => ReportKind::Canceled,
            Standing::Expired => ReportKind::Expired,
        };
        let (quantity, order_type) = (record.quantity, record.order_type);
        let mut report = self.report_of(kind, order);
        if kind == ReportKind::Status {
            report.quantity = quantity;
            report.order_type = order_type;
        }
        self.send(report);
        Ok(())
    }

    /// A replace of price or total quantity: `Replaced` or `ReplaceRejected` follows. A smaller total at the same
    /// prices keeps the place in the queue; everything else arrives anew.
    ///
    /// # Errors
    /// [`Busy`]; the replace was not taken.
    pub fn replace(&mut self, now: Nanos, command: &ReplaceCommand) -> Result<(), Busy> {
        if !self.advance(now) {
            return Err(Busy);
        }
        match self.working(command.order_id) {
            Ok(order) => match self.admit_replace(order, command) {
                Ok(reserved) => self.apply_replace(order, command, reserved),
                Err(reason) => {
                    let mut report = self.report_of(ReportKind::ReplaceRejected, order);
                    report.reason = reason;
                    self.send(report);
                }
            },
            Err(reason) => self.refuse(ReportKind::ReplaceRejected, command.order_id, reason),
        }
        Ok(())
    }

    /// Checks the new terms as if the old ones were gone; the old reservation stays.
    fn admit_replace(
        &mut self,
        order: u32,
        command: &ReplaceCommand,
    ) -> Result<Price, BrokerReject> {
        let record = self.orders[order as usize];
        let instrument = self.instruments[record.instrument.index()];
        let terms = Order::new(
            record.instrument,
            record.side,
            command.quantity,
            command.order_type,
        );
        if command.quantity <= record.filled
            || command.order_type.name() != record.order_type.name()
            || !is_well_formed(&terms, &instrument)
        {
            return Err(BrokerReject::InvalidOrder);
        }
        let leaves = command.quantity.saturating_sub_to_zero(record.filled);
        if command.order_type == record.order_type && command.quantity <= record.quantity {
            return Ok(record.reserved);
        }
        let (what, side) = (record.instrument, record.side);
        self.account
            .release(what, side, record.leaves(), record.reserved);
        let price = self.reservation(what, side, command.order_type);
        let checked = self
            .account
            .check(what, instrument.shortable, side, leaves, price);
        self.account
            .reserve(what, side, record.leaves(), record.reserved);
        checked
    }

    fn apply_replace(&mut self, order: u32, command: &ReplaceCommand, reserved: Price) {
        let old = self.orders[order as usize];
        let keeps_place = command.order_type == old.order_type && command.quantity <= old.quantity;
        let parked = old.place == Place::Parked;
        if !keeps_place {
            self.remove_from_place(order);
        }
        self.account
            .release(old.instrument, old.side, old.leaves(), old.reserved);
        let record = &mut self.orders[order as usize];
        record.quantity = command.quantity;
        record.order_type = command.order_type;
        record.reserved = reserved;
        let leaves = record.leaves();
        self.account
            .reserve(old.instrument, old.side, leaves, reserved);
        let mut report = self.report_of(ReportKind::Replaced, order);
        report.quantity = command.quantity;
        report.order_type = command.order_type;
        self.send(report);
        if parked {
            self.orders[order as usize].place = Place::Parked;
        } else if !keeps_place {
            self.arrive(order);
        }
    }

    /// The working order of an id.
    fn working(&self, order_id: OrderId) -> Result<u32, BrokerReject> {
        let slot = self.index.find(order_id);
        match slot.map(|slot| (slot.index(), self.orders[slot.index()].standing)) {
            Some((order, Standing::Working)) => Ok(order as u32),
            Some(_) => Err(BrokerReject::TooLateToChange),
            None if self.seen.contains(order_id) => Err(BrokerReject::TooLateToChange),
            None => Err(BrokerReject::UnknownOrder),
        }
    }

    /// A report of an order of which nothing but the id is known.
    fn refuse(&mut self, kind: ReportKind, order_id: OrderId, reason: BrokerReject) {
        let found = self.index.find(order_id).map(|slot| {
            let record = &self.orders[slot.index()];
            (record.instrument, record.side)
        });
        let (instrument, side) = found.unwrap_or((InstrumentId::default(), Side::Buy));
        let mut report =
            ExecutionReport::new(kind, order_id, self.settings.broker, instrument, side);
        report.reason = reason;
        self.send(report);
    }

    /// A recovered order that had filled: only a look-up meets it.
    pub(super) fn restore_done(&mut self, record: SimOrder) {
        let inserted = self.index.insert(record.id, ());
        let Ok(slot) = inserted else {
            panic!("recovered working orders exceed the exchange's tables");
        };
        self.orders[slot.index()] = SimOrder {
            slot: Some(slot),
            mark: NO_MARK,
            ..record
        };
        self.seen.insert(record.id);
        self.index.retire(slot);
    }

    /// A recovered order takes its place again without meeting the market.
    pub(super) fn restore_order(&mut self, record: SimOrder, group: Group, parks: bool) {
        let inserted = self.index.insert(record.id, ());
        let Ok(slot) = inserted else {
            panic!("recovered working orders exceed the exchange's tables");
        };
        let order = slot.index() as u32;
        self.orders[slot.index()] = SimOrder {
            slot: Some(slot),
            group,
            mark: NO_MARK,
            ..record
        };
        self.seen.insert(record.id);
        self.groups.push(group, order);
        self.account.reserve(
            record.instrument,
            record.side,
            record.leaves(),
            record.reserved,
        );
        if parks {
            self.orders[slot.index()].place = Place::Parked;
        } else if group != Group::Overdue {
            self.wait(order);
        }
    }
}

/// Shape, tick and lot.
fn is_well_formed(order: &Order, instrument: &Instrument) -> bool {
    let on_tick = |price: Option<Price>| {
        price.is_none_or(|price| {
            let tick = instrument.tick_at(price).units();
            tick <= 0 || price.units() % tick == 0
        })
    };
    let on_lot = |quantity: Quantity| {
        let lot = instrument.lot.units();
        lot <= 0 || quantity.units() % lot == 0
    };
    order.validate().is_ok()
        && on_tick(order.order_type.limit_price())
        && on_tick(order.order_type.stop_price())
        && on_lot(order.quantity)
}
