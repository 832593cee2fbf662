//! The ORDER agent's duty cycle, and how it begins after a restart.
//!
//! Runs on: ORDER.
//! Owns: the order of work in a cycle: what came back, was held, is in doubt, is new.
//! Never: takes an input without room for everything that it may write.

use std::sync::Arc;

use super::cancel_all::CancelWalks;
use super::doubts::{self, Doubts};
use super::durable::HeldQueue;
use super::executions::{ExecutionIds, Source};
use super::manager::{FollowUp, OrderEntry, OrderManager};
use super::ports::{Outlets, Submitted};
use super::{OrderGauges, OrderRings, OrderSettings, OrderStartError, PortHealth};
use crate::journal::{Pen, Record};
use crate::ring::{Consumer, Producer};
use crate::runtime::{Agent, Clock};
use crate::types::{
    BrokerCommand, BrokerId, BrokerReport, CancelRequest, Event, Exposure, KillWord, Nanos,
    OrderEvent, OrderId, OrderInput, OrderStatus, RecoveredState, ReportKind, RiskDecision,
    RoutingTable, SlotIndex, StrategyId,
};

/// Records that one decision may write (a held replace ends, then a cancel leaves).
const RECORDS_PER_DECISION: usize = 3;
/// Records that one report may write.
const RECORDS_PER_REPORT: usize = 2;
/// Messages to RISK that one input may write.
const EXPOSURES_PER_INPUT: usize = 2;

/// The ORDER agent: approved orders in, broker commands out, everything on record first.
///
/// A cycle begins with telling of the orders that the last one handed on. Then the order is that of
/// importance: reports of brokers, orders whose intent is on disk by now, look-ups of orders in
/// doubt, cancel-alls, decisions of RISK, and ports that missed something. Reports need no room
/// towards the brokers, so a gateway that waits for ORDER is never waited for by it.
pub struct FastExecutionPath<P: Pen> {
    pub(super) decisions: Consumer<RiskDecision>,
    pub(super) reports: Box<[Consumer<BrokerReport>]>,
    pub(super) commands: Box<[Producer<BrokerCommand>]>,
    pub(super) out: Outlets,
    pub(super) pen: P,
    pub(super) clock: Clock,
    pub(super) orders: OrderManager,
    pub(super) executions: ExecutionIds,
    pub(super) held: Box<[HeldQueue]>,
    pub(super) doubts: Doubts,
    pub(super) walks: CancelWalks,
    pub(super) routing: RoutingTable,
    pub(super) gauges: Arc<OrderGauges>,
    pub(super) durable_default: bool,
    pub(super) work_per_cycle: usize,
    /// Orders taken in this cycle, whose ports are told in the next.
    pub(super) submitted: Submitted,
    /// The next slot of the orders of an earlier run, while they are looked through.
    recovery: Option<usize>,
    /// Sequences of RISK's first and last record that RISK does not know to be on disk.
    pub(super) risk_records: Option<(u64, u64)>,
}

impl<P: Pen> FastExecutionPath<P> {
    /// The agent, with the orders of an earlier run in its table. Everything it will ever need is
    /// allocated here.
    ///
    /// # Errors
    /// [`OrderStartError`] when the recovered orders do not fit these settings.
    ///
    /// # Panics
    /// When the rings are not those of the settings' brokers and ports, or a setting is 0 or out of
    /// range.
    pub fn new(
        settings: OrderSettings,
        rings: OrderRings,
        pen: P,
        clock: Clock,
        kill: Arc<KillWord>,
        port_health: Arc<PortHealth>,
        recovered: &RecoveredState,
    ) -> Result<Self, OrderStartError> {
        let brokers = usize::from(settings.brokers);
        assert!(
            (1..=BrokerId::MAX_COUNT).contains(&brokers),
            "1 to 16 brokers"
        );
        assert!(
            usize::from(settings.strategies) <= StrategyId::MAX_COUNT,
            "the kill word has a bit for each strategy"
        );
        assert!(settings.work_per_cycle > 0, "some work in each cycle");
        assert_eq!(rings.commands.len(), brokers, "commands for each broker");
        assert_eq!(rings.reports.len(), brokers, "reports of each broker");
        assert_eq!(
            rings.port_reports.len(),
            settings.ports,
            "reports for each port"
        );
        let mut path = Self {
            decisions: rings.decisions,
            reports: rings.reports.into_boxed_slice(),
            commands: rings.commands.into_boxed_slice(),
            out: Outlets::new(
                rings.exposure,
                rings.events,
                rings.port_reports,
                port_health,
                kill,
                settings.strategies,
            ),
            pen,
            clock,
            orders: OrderManager::new(settings.capacity, settings.ports),
            // Those of an earlier run take nothing from the room of this one.
            executions: ExecutionIds::new(settings.execution_ids + recovered.execution_ids.len()),
            held: (0..brokers)
                .map(|_| HeldQueue::new(settings.capacity))
                .collect(),
            doubts: Doubts::new(settings.capacity, brokers),
            walks: CancelWalks::default(),
            routing: settings.routing,
            gauges: Arc::new(OrderGauges::default()),
            durable_default: settings.durable_default,
            work_per_cycle: settings.work_per_cycle,
            submitted: Submitted::new(settings.work_per_cycle),
            recovery: (!recovered.orders.is_empty()).then_some(0),
            risk_records: None,
        };
        path.restore(recovered, settings.ports, settings.brokers)?;
        Ok(path)
    }

    fn restore(
        &mut self,
        recovered: &RecoveredState,
        ports: usize,
        brokers: u8,
    ) -> Result<(), OrderStartError> {
        for order in &recovered.orders {
            let (id, broker) = (order.order_id(), order.approved.broker);
            if id.port().index() >= ports {
                return Err(OrderStartError::UnknownPort {
                    order: id,
                    port: id.port(),
                    ports,
                });
            }
            if broker.0 >= brokers {
                return Err(OrderStartError::UnknownBroker {
                    order: id,
                    broker,
                    brokers,
                });
            }
            if self.orders.find(id).is_some() {
                return Err(OrderStartError::Repeated { order: id });
            }
            self.orders.insert(id, OrderEntry::recovered(order)).ok_or(
                OrderStartError::TableTooSmall {
                    orders: recovered.orders.len(),
                    capacity: self.orders.capacity(),
                },
            )?;
        }
        for &id in &recovered.execution_ids {
            self.executions.insert(Source::Recovered, id);
        }
        self.note_table();
        Ok(())
    }

    /// The order table.
    #[must_use]
    pub const fn orders(&self) -> &OrderManager {
        &self.orders
    }

    /// The agent's counters.
    #[must_use]
    pub const fn gauges(&self) -> &Arc<OrderGauges> {
        &self.gauges
    }

    /// The journal's pen.
    #[must_use]
    pub const fn pen(&self) -> &P {
        &self.pen
    }

    pub(super) fn has_room_for_report(&self) -> bool {
        self.out.has_room(EXPOSURES_PER_INPUT) && self.pen.has_room(RECORDS_PER_REPORT)
    }

    pub(super) fn has_room_for_decision(&self) -> bool {
        self.commands.iter().all(|ring| ring.has_room(1))
            && self.out.has_room(EXPOSURES_PER_INPUT)
            && self.pen.has_room(RECORDS_PER_DECISION)
    }

    /// Tells a gateway; room was seen before the input was taken.
    pub(super) fn command(&mut self, broker: BrokerId, command: BrokerCommand) {
        let pushed = match self.commands.get_mut(broker.index()) {
            Some(ring) => ring.push(command).is_ok(),
            None => false,
        };
        debug_assert!(pushed, "invariant: room for a command was seen");
    }

    /// Tells an order's port and the cold side what happened to it.
    pub(super) fn tell(&mut self, slot: SlotIndex, id: OrderId, event: OrderEvent, now: Nanos) {
        self.tell_stamped(slot, id, event, now, 0);
    }

    pub(super) fn tell_stamped(
        &mut self,
        slot: SlotIndex,
        id: OrderId,
        event: OrderEvent,
        now: Nanos,
        received_stamp: u64,
    ) {
        let report = self
            .orders
            .entry(slot)
            .report(id, event, now, received_stamp);
        let missed = self.out.tell(&report, &self.gauges);
        self.orders.entry_mut(slot).port_missed = missed;
    }

    pub(super) fn anomaly(
        &mut self,
        id: OrderId,
        status: OrderStatus,
        kind: ReportKind,
        now: Nanos,
    ) {
        self.gauges.add_anomaly();
        self.out.event(Event::Anomaly {
            order_id: id,
            status,
            report: kind as u8,
            at: now,
        });
    }

    fn note_table(&self) {
        self.gauges
            .set_table(self.orders.working(), self.doubts.len());
    }

    /// Looks through the orders of an earlier run: whatever was under way is in doubt now, on
    /// record, and looked up as soon as its broker's link is up. Returns the slots passed.
    fn recover(&mut self, now: Nanos) -> usize {
        let Some(first) = self.recovery else {
            return 0;
        };
        let end = self.orders.used_slots();
        let stop = end.min(first + self.work_per_cycle);
        let mut slot = first;
        while slot < stop && self.has_room_for_report() {
            if let Some((id, index, _)) = self.orders.slot_at(slot) {
                self.recover_order(id, index, now);
            }
            slot += 1;
        }
        self.recovery = (slot < end).then_some(slot);
        slot - first
    }

    fn recover_order(&mut self, id: OrderId, slot: SlotIndex, now: Nanos) {
        use OrderStatus as S;
        // Before anything is told: the port hears of old orders when it has room, and is not
        // blamed.
        self.out.restore(id.port());
        let entry = *self.orders.entry(slot);
        match entry.state.status() {
            S::PendingNew | S::PendingCancel | S::PendingReplace => {
                let report = entry.own_report(id, ReportKind::InDoubt);
                self.apply_execution(slot, &report, now);
            }
            _ => {
                self.orders.settle(slot);
                let event = match entry.state.status() {
                    S::InDoubt => OrderEvent::InDoubt,
                    _ => OrderEvent::Restored,
                };
                let report = self.orders.entry(slot).report(id, event, now, 0);
                self.out.event(Event::Order(report));
            }
        }
        if self.orders.entry(slot).follow_up() != FollowUp::Nothing {
            self.doubts
                .schedule(slot, entry.broker, doubts::AT_ONCE, now);
        }
    }

    /// Asks for orders in doubt, and repeats cancels that may not have arrived. Returns how many.
    fn resolve_doubts(&mut self, now: Nanos) -> usize {
        let mut work = 0;
        for broker in 0..self.commands.len() {
            if !self.routing.is_up(BrokerId(broker as u8)) {
                continue;
            }
            for _ in 0..self.work_per_cycle {
                let Some(index) = self.doubts.due(broker, now) else {
                    break;
                };
                if !self.commands[broker].has_room(1) || !self.has_room_for_report() {
                    break;
                }
                self.resolve(index, now);
                work += 1;
            }
        }
        work
    }

    fn resolve(&mut self, index: usize, now: Nanos) {
        let Some((order_id, slot, _)) = self.orders.slot_at(index) else {
            debug_assert!(false, "invariant: an order in doubt keeps its slot");
            return;
        };
        let broker = self.orders.entry(slot).broker;
        match self.orders.entry(slot).follow_up() {
            FollowUp::LookUp => {
                let step = self.doubts.step(slot).map_or(0, |step| step + 1);
                self.doubts.schedule(slot, broker, step, now);
                self.command(broker, BrokerCommand::Query { order_id });
            }
            FollowUp::CancelAgain => {
                self.doubts.cancel(slot);
                let request = CancelRequest {
                    order_id,
                    requested_at: now,
                };
                let mut state = self.orders.entry(slot).state;
                let legal = state.apply(OrderInput::CancelRequested).is_ok();
                debug_assert!(legal, "invariant: a working order can be canceled");
                self.pen.append(&Record::CancelIntent(request), now);
                let entry = self.orders.entry_mut(slot);
                entry.state = state;
                entry.cancel_wanted = false;
                self.command(broker, BrokerCommand::Cancel { order_id });
                self.tell(slot, order_id, OrderEvent::CancelPending, now);
            }
            FollowUp::Nothing => self.doubts.cancel(slot),
        }
    }

    /// Tells RISK that its records are on disk.
    fn tell_durable(&mut self) -> usize {
        let Some((first, last)) = self.risk_records else {
            return 0;
        };
        let durable = self.pen.durable_sequence();
        if durable < first || !self.out.has_room(1) {
            return 0;
        }
        self.out.expose(Exposure::Durable { sequence: durable });
        self.risk_records = (durable < last).then_some((durable + 1, last));
        1
    }
}

impl<P: Pen> Agent for FastExecutionPath<P> {
    fn name(&self) -> &'static str {
        "order"
    }

    fn poll(&mut self, now: Nanos) -> usize {
        let mut work = self.recover(now);
        if self.recovery.is_some() {
            return work;
        }
        work += self.tell_submitted();
        work += self.take_reports(now);
        work += self.release_held(now);
        work += self.resolve_doubts(now);
        work += self.walk_cancel_all(now);
        work += self.take_decisions(now);
        if self.out.is_lagging() {
            work += self.tell_submitted();
            work += self.out.resync(&mut self.orders, now, self.work_per_cycle);
        }
        work += self.tell_durable();
        if work > 0 {
            self.note_table();
        }
        work
    }

    fn next_deadline(&self) -> Option<Nanos> {
        (0..self.commands.len())
            .filter(|&broker| self.routing.is_up(BrokerId(broker as u8)))
            .filter_map(|broker| self.doubts.next_due(broker))
            .min()
    }

    /// Writes that the boot ended in order; what is still under way is found by the next one.
    fn on_close(&mut self, now: Nanos) {
        self.tell_submitted();
        if !self.pen.has_failed() && self.pen.has_room(1) {
            self.pen.append(&Record::Shutdown, now);
        }
    }
}
