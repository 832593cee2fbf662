//! The exchange's day at work: opening, close, expiry, parking overnight, and the return from a restart.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: what each session boundary does to the orders that wait for it, in bounded steps.
//! Never: lets an input in before a boundary is crossed completely.

use super::book::own;
use super::exchange::{Exchange, Work};
use super::order::{Group, Place, SimOrder, Standing};
use crate::types::{
    Nanos, OrderFlags, Price, RecoveredOrder, RecoveredState, SessionPhase, TimeInForce,
};

/// Slots looked at in one step of cancelling everything.
const SLOTS_PER_STEP: usize = 64;

impl Exchange {
    /// Whether orders end or trade at a boundary.
    pub(super) fn waits_for_boundary(&self) -> bool {
        [
            Group::Day,
            Group::DayExtended,
            Group::Opening,
            Group::Closing,
        ]
        .into_iter()
        .any(|group| self.groups.first(group).is_some())
    }

    /// One step over the present boundary; the phase changes with the last.
    pub(super) fn step_boundary(&mut self) {
        if self.session.closes() {
            if let Some(order) = self.groups.first(Group::Closing) {
                return self.step_closing(order);
            }
            if let Some(order) = self.groups.first(Group::Opening) {
                return self.finish(order, Standing::Canceled);
            }
            if let Some(order) = self.groups.first(Group::Day) {
                return self.finish(order, Standing::Expired);
            }
            if let Some(order) = self.groups.first(Group::Gtc) {
                return self.park(order);
            }
        }
        if self.session.ends()
            && let Some(order) = self.groups.first(Group::DayExtended)
        {
            return self.finish(order, Standing::Expired);
        }
        self.session.enter(self.session.next());
        self.work = if self.session.phase() == SessionPhase::Regular {
            Work::Unpark
        } else {
            Work::Idle
        };
    }

    /// The first order for the close, in price-time priority, of the instrument and side that came first.
    fn step_closing(&mut self, first: u32) {
        let SimOrder {
            instrument, side, ..
        } = self.orders[first as usize];
        let book = &self.books[instrument.index()];
        let order = self
            .ladders
            .first(&book.sides[own(side)].closing)
            .unwrap_or(first);
        let (mut touch, mut last_good) = (book.touch, book.last_good);
        if self.is_good(&touch) {
            self.auction(order, &mut touch);
        } else if self.is_good(&last_good) {
            self.auction(order, &mut last_good);
        } else {
            self.finish(order, Standing::Canceled);
        }
        let book = &mut self.books[instrument.index()];
        book.touch = touch;
        book.last_good = last_good;
    }

    fn park(&mut self, order: u32) {
        self.remove_from_place(order);
        self.groups.remove(Group::Gtc, order);
        self.groups.push(Group::Parked, order);
        let record = &mut self.orders[order as usize];
        record.group = Group::Parked;
        record.place = Place::Parked;
    }

    /// One parked order comes back; it meets the market at the first row.
    pub(super) fn step_unpark(&mut self) {
        let Some(order) = self.groups.first(Group::Parked) else {
            self.work = Work::Idle;
            return;
        };
        self.groups.remove(Group::Parked, order);
        self.groups.push(Group::Gtc, order);
        self.orders[order as usize].group = Group::Gtc;
        self.wait(order);
    }

    /// One order that ended while nobody was there.
    pub(super) fn step_overdue(&mut self) {
        let Some(order) = self.groups.first(Group::Overdue) else {
            self.work = Work::Idle;
            return;
        };
        let standing = match self.orders[order as usize].time_in_force {
            TimeInForce::Day | TimeInForce::Gtc => Standing::Expired,
            TimeInForce::Ioc | TimeInForce::Fok | TimeInForce::Opg | TimeInForce::Cls => {
                Standing::Canceled
            }
        };
        self.finish(order, standing);
    }

    /// Cancels the next working order from slot `slot` on.
    pub(super) fn step_cancel_all(&mut self, slot: usize) {
        for at in slot..slot + SLOTS_PER_STEP {
            if at >= self.index.capacity() {
                self.work = Work::Idle;
                return;
            }
            self.work = Work::CancelAll { slot: at + 1 };
            if let Some((_, found, false)) = self.index.slot_at(at) {
                self.finish(found.index() as u32, Standing::Canceled);
                return;
            }
        }
    }

    /// Takes up a journal's state for this broker: cash, positions, and the working orders that it had
    /// acknowledged, at their last acknowledged terms. Intents without an acknowledgement are not there: a look-up
    /// says `NotFound`. Orders whose end passed in between, and immediate orders, are closed by the next
    /// [`advance`](Exchange::advance). Queue places, touched stops and best prices of trailing stops begin anew.
    /// For a fresh exchange only, before its first input; sessions before `now` are history.
    ///
    /// # Panics
    /// When the working orders exceed the exchange's tables: a start with too small a capacity.
    pub fn restore(&mut self, now: Nanos, recovered: &RecoveredState) {
        self.time = self.time.max(now);
        self.session.enter(self.time);
        let broker = self.settings.broker;
        for account in recovered.accounts.iter().filter(|a| a.broker == broker) {
            self.account.restore_cash(account.cash);
        }
        for held in recovered.positions.iter().filter(|p| p.broker == broker) {
            self.account
                .restore_position(held.instrument, held.position);
        }
        for order in &recovered.orders {
            let there = order.approved.broker == broker
                && order.state.is_acknowledged()
                && order.approved.request.order.instrument.index() < self.books.len();
            if there && order.state.leaves_quantity().is_positive() {
                self.restore_one(order);
            } else if there {
                // It filled while a larger total was asked for: a look-up finds it so.
                self.restore_filled(order);
            }
        }
        if self.groups.first(Group::Overdue).is_some() {
            self.work = Work::Overdue;
        }
    }

    fn restore_one(&mut self, recovered: &RecoveredOrder) {
        let request = &recovered.approved.request;
        let order = request.order;
        assert!(
            self.seen.knows_port(request.order_id),
            "recovered order {} is of a port that the exchange does not know",
            request.order_id
        );
        let end = self
            .session
            .end_of(request.submitted_at, order.time_in_force, order.flags);
        let immediate = matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let own_group = Group::of(order.time_in_force, order.flags);
        let regular = self.session.phase() == SessionPhase::Regular;
        // An order for regular hours cannot work outside them, whatever the schedule said when it came.
        let misplaced = own_group == Group::Day && !regular;
        let group = if immediate || misplaced || end.is_some_and(|end| end <= self.time) {
            Group::Overdue
        } else if own_group == Group::Gtc && !regular {
            Group::Parked
        } else {
            own_group
        };
        debug_assert!(
            !order.flags.contains(OrderFlags::EXTENDED_HOURS) || group != Group::Parked,
            "invariant: extended orders are not parked"
        );
        let reserved = self
            .reservation(order.instrument, order.side, recovered.order_type)
            .unwrap_or(Price::ZERO);
        let record = SimOrder {
            id: request.order_id,
            instrument: order.instrument,
            side: order.side,
            time_in_force: order.time_in_force,
            order_type: recovered.order_type,
            quantity: recovered.state.quantity(),
            filled: recovered.state.filled(),
            reserved,
            ..SimOrder::default()
        };
        self.restore_order(record, group, group == Group::Parked);
    }

    fn restore_filled(&mut self, recovered: &RecoveredOrder) {
        let request = &recovered.approved.request;
        let order = request.order;
        self.restore_done(SimOrder {
            id: request.order_id,
            instrument: order.instrument,
            side: order.side,
            time_in_force: order.time_in_force,
            order_type: recovered.order_type,
            quantity: recovered.state.quantity(),
            filled: recovered.state.filled(),
            standing: Standing::Filled,
            ..SimOrder::default()
        });
    }
}
