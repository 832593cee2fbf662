//! What RISK decided: journaled, then acted on.
//!
//! Runs on: ORDER.
//! Owns: the way of orders, cancels and replaces to a broker's ring, and ORDER's own refusals.
//! Never: sends what is not on record; reroutes an approved order; takes an id twice.

use super::fast_path::FastExecutionPath;
use super::manager::{Held, OrderEntry, OrderManager, PendingTerms};
use crate::journal::{Pen, Record};
use crate::types::{
    ApprovedOrder, ApprovedReplace, BrokerCommand, BrokerId, CancelRequest, Event, Exposure, Money,
    Nanos, OrderEvent, OrderFlags, OrderId, OrderInput, OrderReport, OrderState, OrderStatus,
    Quantity, Refusal, RefusalCode, RefusedOrder, ReportKind, RiskDecision, RiskRecord, SlotIndex,
    StageStamps,
};

/// Why a cancel is refused, and whether that is worth a record.
enum CancelRefusal {
    OnRecord(RefusalCode),
    /// The cancel under way is on record already.
    Repeated,
}

impl<P: Pen> FastExecutionPath<P> {
    /// Takes decisions while there is room for what they may write; returns how many.
    pub(super) fn take_decisions(&mut self, now: Nanos) -> usize {
        let waiting = self.decisions.available().min(self.work_per_cycle);
        for taken in 0..waiting {
            if !self.has_room_for_decision() {
                return taken;
            }
            if self.walks.is_full()
                && matches!(self.decisions.peek(), Some(RiskDecision::CancelAll(_)))
            {
                return taken;
            }
            let Some(decision) = self.decisions.pop() else {
                return taken;
            };
            self.decide(&decision, now);
        }
        waiting
    }

    fn decide(&mut self, decision: &RiskDecision, now: Nanos) {
        if !matches!(decision, RiskDecision::Approved(_)) {
            // What follows may change an order that was only just submitted.
            self.tell_submitted();
        }
        match *decision {
            RiskDecision::Approved(ref approved) => self.approve(approved, now),
            RiskDecision::Refused(ref refused) => self.refuse(refused, None, now),
            RiskDecision::Cancel(request) => self.cancel(request.order_id, now),
            RiskDecision::CancelRefused { order_id, refusal } => {
                self.refuse_cancel(order_id, refusal, now);
            }
            RiskDecision::Replace(ref approved) => self.replace(approved, now),
            RiskDecision::ReplaceRefused { order_id, refusal } => {
                self.refuse_replace(order_id, refusal, now);
            }
            RiskDecision::CancelAll(ref request) => {
                self.walks.start(request, self.orders.last_serial());
            }
            RiskDecision::Record(ref record) => self.record(record, now),
        }
    }

    fn approve(&mut self, approved: &ApprovedOrder, now: Nanos) {
        let id = approved.request.order_id;
        if let Err(refusal) = self.admit(approved) {
            self.turn_away(approved, refusal, now);
            return;
        }
        let mut stamps = StageStamps::at(approved.request.signal_stamp);
        stamps.risk = approved.risk_offset;
        let Some(slot) = self.orders.insert(id, OrderEntry::new(approved, stamps)) else {
            debug_assert!(false, "invariant: room in the table was seen");
            let refusal = Refusal::plain(RefusalCode::OrderTableFull);
            self.turn_away(approved, refusal, now);
            return;
        };
        let sequence = self.pen.append(&Record::Intent(*approved), now);
        let offset = stamps.offset(self.clock.stamp());
        let entry = self.orders.entry_mut(slot);
        entry.stamps.order = offset;
        if self.durable_default || entry.order.flags.contains(OrderFlags::DURABLE) {
            entry.held = Held::Order(sequence);
            self.held[approved.broker.index()].push(id, sequence);
        } else {
            let command = entry.new_order_command(id);
            self.command(approved.broker, BrokerCommand::New(command));
        }
        // Told in the next cycle: until then the gateway has the order.
        self.submitted.push(slot, id, now);
    }

    /// Tells of the orders that were taken since the last time; returns how many.
    pub(super) fn tell_submitted(&mut self) -> usize {
        let waiting = self.submitted.len();
        for index in 0..waiting {
            let (slot, id, at) = self.submitted.at(index);
            self.tell(slot, id, OrderEvent::Submitted, at);
        }
        self.submitted.clear();
        waiting
    }

    /// The checks that only ORDER can make.
    fn admit(&self, approved: &ApprovedOrder) -> Result<(), Refusal> {
        let refuse = |code| Err(Refusal::plain(code));
        let id = approved.request.order_id;
        if self.orders.find(id).is_some() {
            return refuse(RefusalCode::DuplicateOrderId);
        }
        if !self.out.has_port(id.port()) || !approved.request.order.quantity.is_positive() {
            return refuse(RefusalCode::InvalidOrder);
        }
        if self.pen.has_failed() {
            return refuse(RefusalCode::Halted);
        }
        if !self.routing.is_up(approved.broker) {
            return refuse(RefusalCode::BrokerDown);
        }
        if !self.orders.has_room() {
            return Err(Refusal::counts(
                RefusalCode::OrderTableFull,
                self.orders.working() as u64,
                self.orders.capacity() as u64,
            ));
        }
        if self.is_held_back(approved.broker) {
            return refuse(RefusalCode::Busy);
        }
        Ok(())
    }

    /// Whether no more intents of a broker can wait for the disk.
    fn is_held_back(&self, broker: BrokerId) -> bool {
        self.held
            .get(broker.index())
            .is_none_or(super::durable::HeldQueue::is_full)
    }

    /// Refuses an approved order and gives its exposure back.
    fn turn_away(&mut self, approved: &ApprovedOrder, refusal: Refusal, now: Nanos) {
        self.tell_submitted();
        let refused = RefusedOrder::new(approved.request, refusal);
        let id = approved.request.order_id;
        // A repeated id names the first order's reservation as well: while that one works, nothing
        // is released.
        let shared = self.orders.get(id).is_some_and(|entry| entry.reserved);
        self.refuse(&refused, Some(approved.broker), now);
        if !shared {
            self.out.expose(Exposure::Closed { order_id: id });
        }
    }

    fn refuse(&mut self, refused: &RefusedOrder, broker: Option<BrokerId>, now: Nanos) {
        self.pen.append(&Record::Refused(*refused), now);
        let id = refused.request.order_id;
        let event = OrderEvent::Refused(refused.refusal());
        if let Some(slot) = self.orders.find(id) {
            self.tell(slot, id, event, now);
            return;
        }
        let order = &refused.request.order;
        let report = OrderReport {
            order_id: id,
            instrument: order.instrument,
            broker,
            strategy: refused.request.strategy,
            side: order.side,
            status: OrderStatus::Rejected,
            event,
            at: now,
            quantity: order.quantity,
            filled: Quantity::ZERO,
            value: Money::ZERO,
            stamps: StageStamps::at(refused.request.signal_stamp),
            received_stamp: 0,
        };
        let _ = self.out.tell(&report, &self.gauges);
    }

    /// Tells of a refused change; the order itself, if there is one, is as it was.
    fn tell_refused(&mut self, id: OrderId, event: OrderEvent, now: Nanos) {
        match self.orders.find(id) {
            Some(slot) => self.tell(slot, id, event, now),
            None => {
                let report = OrderManager::unknown_report(id, event, now);
                let _ = self.out.tell(&report, &self.gauges);
            }
        }
    }

    fn refuse_cancel(&mut self, order_id: OrderId, refusal: Refusal, now: Nanos) {
        self.pen
            .append(&Record::CancelRefused { order_id, refusal }, now);
        self.tell_refused(order_id, OrderEvent::CancelRefused(refusal), now);
    }

    fn refuse_replace(&mut self, order_id: OrderId, refusal: Refusal, now: Nanos) {
        self.pen
            .append(&Record::ReplaceRefused { order_id, refusal }, now);
        self.tell_refused(order_id, OrderEvent::ReplaceRefused(refusal), now);
    }

    /// Cancels one order, at the broker or, if it never left, here.
    pub(super) fn cancel(&mut self, order_id: OrderId, now: Nanos) {
        let (slot, state) = match self.cancelable(order_id) {
            Ok(found) => found,
            Err(CancelRefusal::OnRecord(code)) => {
                self.refuse_cancel(order_id, Refusal::plain(code), now);
                return;
            }
            Err(CancelRefusal::Repeated) => {
                let refusal = Refusal::plain(RefusalCode::ChangePending);
                self.tell_refused(order_id, OrderEvent::CancelRefused(refusal), now);
                return;
            }
        };
        let held = std::mem::replace(&mut self.orders.entry_mut(slot).held, Held::Nothing);
        let never_left = matches!(held, Held::Order(_));
        let mut state = state;
        if matches!(held, Held::Replace(_)) {
            // The cancel goes ahead of a replace that waits for the disk: the old terms are what is
            // canceled.
            let entry = self.orders.entry(slot);
            let report = entry.own_report(order_id, ReportKind::ReplaceRejected);
            self.apply_execution(slot, &report, now);
            state = self.orders.entry(slot).state;
            let _ = state.apply(OrderInput::CancelRequested);
            if state.status().is_terminal() {
                // All of the old terms had traded already.
                let refusal = Refusal::plain(RefusalCode::OrderDone);
                self.refuse_cancel(order_id, refusal, now);
                return;
            }
        }
        let request = CancelRequest {
            order_id,
            requested_at: now,
        };
        self.pen.append(&Record::CancelIntent(request), now);
        let entry = self.orders.entry_mut(slot);
        entry.state = state;
        let broker = entry.broker;
        // In doubt the order's status does not say that a cancel is wanted.
        entry.cancel_wanted = state.status() == OrderStatus::InDoubt;
        if never_left {
            let report = entry.own_report(order_id, ReportKind::Canceled);
            self.apply_execution(slot, &report, now);
            return;
        }
        self.command(broker, BrokerCommand::Cancel { order_id });
        self.tell(slot, order_id, OrderEvent::CancelPending, now);
    }

    /// The order's slot and its state with the cancel requested.
    fn cancelable(&self, id: OrderId) -> Result<(SlotIndex, OrderState), CancelRefusal> {
        let refused = |code| Err(CancelRefusal::OnRecord(code));
        let Some(slot) = self.orders.find(id) else {
            return refused(RefusalCode::UnknownOrder);
        };
        let entry = self.orders.entry(slot);
        if entry.state.status().is_terminal() {
            return refused(RefusalCode::OrderDone);
        }
        if entry.is_being_canceled() {
            return Err(CancelRefusal::Repeated);
        }
        let mut state = entry.state;
        match state.apply(OrderInput::CancelRequested) {
            Ok(_) => Ok((slot, state)),
            Err(_) => refused(RefusalCode::ChangePending),
        }
    }

    fn replace(&mut self, approved: &ApprovedReplace, now: Nanos) {
        let order_id = approved.order_id;
        let (slot, state) = match self.replaceable(approved) {
            Ok(found) => found,
            Err(refusal) => {
                self.refuse_replace(order_id, refusal, now);
                self.out.expose(Exposure::ReplaceDone {
                    order_id,
                    accepted: false,
                });
                return;
            }
        };
        let sequence = self.pen.append(&Record::ReplaceIntent(*approved), now);
        let terms = PendingTerms {
            quantity: approved.quantity,
            order_type: approved.order_type,
            risk_price: approved.risk_price,
        };
        let entry = self.orders.entry_mut(slot);
        entry.state = state;
        entry.pending = Some(terms);
        let broker = entry.broker;
        if self.durable_default || entry.order.flags.contains(OrderFlags::DURABLE) {
            entry.held = Held::Replace(sequence);
            self.held[broker.index()].push(order_id, sequence);
        } else {
            let command = entry.replace_command(order_id, terms);
            self.command(broker, BrokerCommand::Replace(command));
        }
        self.tell(slot, order_id, OrderEvent::ReplacePending, now);
    }

    /// The order's slot and its state with the replace requested.
    fn replaceable(&self, approved: &ApprovedReplace) -> Result<(SlotIndex, OrderState), Refusal> {
        let refuse = |code| Err(Refusal::plain(code));
        let Some(slot) = self.orders.find(approved.order_id) else {
            return refuse(RefusalCode::UnknownOrder);
        };
        let entry = self.orders.entry(slot);
        if entry.state.status().is_terminal() {
            return refuse(RefusalCode::OrderDone);
        }
        if entry.is_being_canceled() || entry.pending.is_some() {
            return refuse(RefusalCode::ChangePending);
        }
        let (filled, total) = (entry.state.filled(), approved.quantity);
        if total <= filled {
            let code = RefusalCode::ReplaceBelowFilled;
            return Err(Refusal::quantities(code, total, filled));
        }
        if self.pen.has_failed() {
            return refuse(RefusalCode::Halted);
        }
        if !self.routing.is_up(entry.broker) {
            return refuse(RefusalCode::BrokerDown);
        }
        if self.is_held_back(entry.broker) {
            return refuse(RefusalCode::Busy);
        }
        let mut state = entry.state;
        let input = OrderInput::ReplaceRequested { quantity: total };
        match state.apply(input) {
            Ok(_) => Ok((slot, state)),
            Err(_) => refuse(RefusalCode::ChangePending),
        }
    }

    fn record(&mut self, record: &RiskRecord, now: Nanos) {
        let sequence = self.pen.append(&Record::Risk(*record), now);
        let first = self.risk_records.map_or(sequence, |(first, _)| first);
        self.risk_records = Some((first, sequence));
        self.out.event(Event::Risk(*record));
    }
}
