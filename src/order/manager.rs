//! The order table: what is known of each order, in preallocated slots.
//!
//! Runs on: ORDER.
//! Owns: an entry for each order, finished ones until their slot is needed.
//! Never: allocates after construction; holds two entries of one id.

use super::doubts;
use crate::types::{
    ApprovedOrder, BrokerId, ExecutionReport, InstrumentId, Money, Nanos, NewOrderCommand, Order,
    OrderEvent, OrderId, OrderReport, OrderSlab, OrderState, OrderStatus, OrderType, Price,
    Quantity, RecoveredOrder, ReplaceCommand, ReportKind, Side, SlotIndex, StageStamps, StrategyId,
};

/// The terms of a replace whose outcome is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingTerms {
    /// The new total, what has filled included.
    pub quantity: Quantity,
    /// The new type and prices on the wire.
    pub order_type: OrderType,
    /// The price that exposure is reserved at if the broker accepts.
    pub risk_price: Price,
}

/// What waits until its intent, of that sequence, is on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    Nothing,
    Order(u64),
    Replace(u64),
}

/// One order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderEntry {
    /// Status and quantities.
    pub state: OrderState,
    /// As its author stated it.
    pub order: Order,
    /// Type and prices on the wire that the broker last acknowledged, or was sent.
    pub order_type: OrderType,
    /// The terms of a replace on its way.
    pub pending: Option<PendingTerms>,
    /// The price that exposure is reserved at.
    pub risk_price: Price,
    /// The mid price when its author decided, 0 when there was none.
    pub decision_price: Price,
    /// When its author submitted it.
    pub submitted_at: Nanos,
    /// Stages passed.
    pub stamps: StageStamps,
    /// Where it is.
    pub broker: BrokerId,
    /// Where its author wanted it.
    pub preferred_broker: Option<BrokerId>,
    /// Whose it is.
    pub strategy: StrategyId,
    /// Place in the order of insertion: tells a cancel-all which orders came after it.
    pub(super) serial: u64,
    /// What waits for the disk.
    pub(super) held: Held,
    /// RISK holds exposure for it.
    pub(super) reserved: bool,
    /// Its bytes left, or may have left.
    pub(super) sent: bool,
    /// A cancel was asked for and nobody knows whether the broker has it.
    pub(super) cancel_wanted: bool,
    /// Its port missed a report.
    pub(super) port_missed: bool,
    /// It comes from an earlier run.
    pub(super) recovered: bool,
}

impl Default for OrderEntry {
    fn default() -> Self {
        let nothing = Order::market(InstrumentId(0), Side::Buy, Quantity::ZERO);
        Self {
            state: OrderState::default(),
            order: nothing,
            order_type: OrderType::Market,
            pending: None,
            risk_price: Price::ZERO,
            decision_price: Price::ZERO,
            submitted_at: Nanos::ZERO,
            stamps: StageStamps::at(0),
            broker: BrokerId(0),
            preferred_broker: None,
            strategy: StrategyId::EXTERNAL,
            serial: 0,
            held: Held::Nothing,
            reserved: false,
            sent: false,
            cancel_wanted: false,
            port_missed: false,
            recovered: false,
        }
    }
}

/// What has to be asked or repeated so that an order's fate becomes known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FollowUp {
    Nothing,
    LookUp,
    CancelAgain,
}

impl OrderEntry {
    /// A fresh order.
    pub(super) fn new(approved: &ApprovedOrder, stamps: StageStamps) -> Self {
        let request = &approved.request;
        Self {
            state: OrderState::new(request.order.quantity),
            order: request.order,
            order_type: approved.wire_type(),
            risk_price: approved.risk_price,
            decision_price: request.decision_price,
            submitted_at: request.submitted_at,
            stamps,
            broker: approved.broker,
            preferred_broker: request.preferred_broker,
            strategy: request.strategy,
            reserved: true,
            ..Self::default()
        }
    }

    /// An order of an earlier run. Nothing tells whether its last message left, so it counts as
    /// sent.
    pub(super) fn recovered(recovered: &RecoveredOrder) -> Self {
        let pending = recovered.state.pending_quantity();
        Self {
            state: recovered.state,
            order_type: recovered.order_type,
            pending: pending.is_positive().then_some(PendingTerms {
                quantity: pending,
                order_type: recovered.order_type,
                risk_price: recovered.approved.risk_price,
            }),
            sent: true,
            recovered: true,
            cancel_wanted: recovered.state.status() == OrderStatus::PendingCancel,
            ..Self::new(&recovered.approved, recovered.stamps)
        }
    }

    /// The order as its port and the cold side are told of it.
    pub(super) fn report(
        &self,
        order_id: OrderId,
        event: OrderEvent,
        at: Nanos,
        received_stamp: u64,
    ) -> OrderReport {
        OrderReport {
            order_id,
            instrument: self.order.instrument,
            broker: Some(self.broker),
            strategy: self.strategy,
            side: self.order.side,
            status: self.state.status(),
            event,
            at,
            quantity: self.state.quantity(),
            filled: self.state.filled(),
            value: self.state.value(),
            stamps: self.stamps,
            received_stamp,
        }
    }

    /// A report of this engine's own making, in the words of a gateway.
    pub(super) fn own_report(&self, order_id: OrderId, kind: ReportKind) -> ExecutionReport {
        ExecutionReport::new(
            kind,
            order_id,
            self.broker,
            self.order.instrument,
            self.order.side,
        )
    }

    pub(super) fn new_order_command(&self, order_id: OrderId) -> NewOrderCommand {
        NewOrderCommand {
            order_id,
            instrument: self.order.instrument,
            strategy: self.strategy,
            side: self.order.side,
            time_in_force: self.order.time_in_force,
            flags: self.order.flags,
            asked_type: self.order.order_type.name(),
            order_type: self.order_type,
            quantity: self.state.quantity(),
            stamps: self.stamps,
        }
    }

    pub(super) fn replace_command(&self, order_id: OrderId, terms: PendingTerms) -> ReplaceCommand {
        ReplaceCommand {
            order_id,
            strategy: self.strategy,
            quantity: terms.quantity,
            order_type: terms.order_type,
        }
    }

    /// Whether what is held may still leave: nothing was said of the order that overtook it.
    pub(super) fn holds_good(&self) -> bool {
        match self.held {
            Held::Nothing => true,
            Held::Order(_) => {
                self.state.status() == OrderStatus::PendingNew
                    && !self.state.is_acknowledged()
                    && !self.sent
            }
            Held::Replace(_) => {
                self.state.status() == OrderStatus::PendingReplace && self.pending.is_some()
            }
        }
    }

    /// What is to be done so that the order's fate becomes known. A change on its way is the
    /// gateway's to answer.
    pub(super) fn follow_up(&self) -> FollowUp {
        use OrderStatus as S;
        match self.state.status() {
            status if status.is_terminal() => FollowUp::Nothing,
            S::InDoubt => FollowUp::LookUp,
            S::Held | S::PendingCancel => FollowUp::Nothing,
            _ if self.cancel_wanted => FollowUp::CancelAgain,
            S::PendingReplace => FollowUp::Nothing,
            _ if self.state.pending_quantity().is_positive() => FollowUp::LookUp,
            _ => FollowUp::Nothing,
        }
    }

    /// Whether a cancel of it is on its way or will be repeated.
    pub(super) fn is_being_canceled(&self) -> bool {
        self.cancel_wanted || self.state.status() == OrderStatus::PendingCancel
    }
}

/// The table.
pub struct OrderManager {
    slab: OrderSlab<OrderEntry>,
    serial: u64,
    used_slots: usize,
}

impl OrderManager {
    /// Room for `capacity` orders of ports `0..ports`.
    ///
    /// # Panics
    /// As [`OrderSlab::new`].
    #[must_use]
    pub fn new(capacity: usize, ports: usize) -> Self {
        Self {
            slab: OrderSlab::new(capacity, ports),
            serial: 0,
            used_slots: 0,
        }
    }

    /// Number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slab.capacity()
    }

    /// Orders that are not done.
    #[must_use]
    pub const fn working(&self) -> usize {
        self.slab.len()
    }

    /// Whether another order can be taken.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.slab.has_room()
    }

    /// The order of that id, finished ones included as long as their slot was not needed.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&OrderEntry> {
        self.slab.get(id)
    }

    pub(super) fn find(&self, id: OrderId) -> Option<SlotIndex> {
        self.slab.find(id)
    }

    pub(super) fn entry(&self, slot: SlotIndex) -> &OrderEntry {
        self.slab.value(slot)
    }

    pub(super) fn entry_mut(&mut self, slot: SlotIndex) -> &mut OrderEntry {
        self.slab.value_mut(slot)
    }

    pub(super) fn slot_at(&self, index: usize) -> Option<(OrderId, SlotIndex, bool)> {
        self.slab.slot_at(index)
    }

    /// Every order is in a slot below this number.
    pub(super) const fn used_slots(&self) -> usize {
        self.used_slots
    }

    /// Serial of the order inserted last.
    pub(super) const fn last_serial(&self) -> u64 {
        self.serial
    }

    /// Adds an order that was not found; `None` when the table is full or the port unknown.
    pub(super) fn insert(&mut self, id: OrderId, mut entry: OrderEntry) -> Option<SlotIndex> {
        entry.serial = self.serial + 1;
        let slot = self.slab.insert(id, entry).ok()?;
        self.serial += 1;
        self.used_slots = self.used_slots.max(slot.index() + 1);
        Some(slot)
    }

    /// Marks an order as finished, or takes it back when it turned out not to be.
    pub(super) fn settle(&mut self, slot: SlotIndex) {
        if self.slab.value(slot).state.status().is_terminal() {
            self.slab.retire(slot);
        } else {
            self.slab.revive(slot);
        }
    }

    /// Puts an order in or out of the list of those to be asked for, as its state wants it.
    pub(super) fn follow(&self, slot: SlotIndex, doubts: &mut doubts::Doubts, now: Nanos) {
        let entry = self.slab.value(slot);
        match (entry.follow_up(), doubts.step(slot)) {
            (FollowUp::Nothing, None) | (FollowUp::LookUp, Some(_)) => {}
            (FollowUp::Nothing, Some(_)) => doubts.cancel(slot),
            (FollowUp::LookUp, None) => {
                doubts.schedule(slot, entry.broker, doubts::FIRST_STEP, now);
            }
            (FollowUp::CancelAgain, _) => {
                doubts.schedule(slot, entry.broker, doubts::AT_ONCE, now);
            }
        }
    }

    /// A report of an order that the table does not know: nothing but its id and the event means
    /// anything.
    pub(super) fn unknown_report(order_id: OrderId, event: OrderEvent, at: Nanos) -> OrderReport {
        OrderReport {
            order_id,
            instrument: InstrumentId(0),
            broker: None,
            strategy: StrategyId::EXTERNAL,
            side: Side::Buy,
            status: OrderStatus::Absent,
            event,
            at,
            quantity: Quantity::ZERO,
            filled: Quantity::ZERO,
            value: Money::ZERO,
            stamps: StageStamps::at(0),
            received_stamp: 0,
        }
    }
}
