//! A port: where orders enter the engine and their reports come back.
//!
//! Runs on: the thread that holds it: an algorithm's, a user's own, or (behind a mutex) a caller of the engine handle.
//! Owns: the minting of order ids, the two rings of one port, and its view of its own orders and positions.
//! Never: blocks or sleeps; an `Err` means that nothing was and nothing will be sent.

use std::sync::Arc;

use super::shared::EngineShared;
use crate::ring::{BoardReader, Consumer, Producer};
use crate::runtime::Clock;
use crate::types::{
    BootEpoch, BrokerId, CancelAllRequest, CancelRequest, ControlRequest, InstrumentId, Nanos,
    Order, OrderEvent, OrderId, OrderReport, OrderRequest, OrderShapeError, OrderSlab, OrderStatus,
    OrderType, PortCommand, PortId, Position, Price, Quantity, QuoteCondition, Refusal,
    RefusalCode, ReplaceRequest, Scope, Side, SlotIndex, StrategyId, TimeInForce, TradingState,
};

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The port's ring is full: the engine is behind. Try again later.
    #[error("the engine is busy: the request ring of port {} is full", port.0)]
    Busy {
        /// Which port.
        port: PortId,
    },
    /// The port keeps as many working orders as it can.
    #[error("the port holds {limit} working orders already")]
    TooManyOrders {
        /// How many.
        limit: usize,
    },
    /// Trading has not started.
    #[error("trading has not started")]
    NotStarted,
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// The port missed reports and is being brought up to date. Its strategy's kill bit stays set for the rest of the
    /// run: what it missed may have been fills, and the port's own positions would not show them.
    #[error("port {} missed reports and is being brought up to date", port.0)]
    Lagged {
        /// Which port.
        port: PortId,
    },
    /// The order's shape.
    #[error("invalid order: {0}")]
    Invalid(#[from] OrderShapeError),
    /// Not in the instrument table.
    #[error("instrument {} is not known", instrument.0)]
    UnknownInstrument {
        /// Which.
        instrument: InstrumentId,
    },
    /// Not one of the engine's brokers.
    #[error("broker {} is not known", broker.0)]
    UnknownBroker {
        /// Which.
        broker: BrokerId,
    },
    /// Not an order of this port, or one that is done.
    #[error("order {order_id} is not a working order of this port")]
    NotWorking {
        /// Which.
        order_id: OrderId,
    },
    /// The port has used every sequence number of this boot.
    #[error("port {} has no order ids left in this boot", port.0)]
    IdsExhausted {
        /// Which port.
        port: PortId,
    },
}

/// An order as its port sees it: from the moment it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderView {
    /// Its id.
    pub order_id: OrderId,
    /// What.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Type and prices, as last acknowledged.
    pub order_type: OrderType,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// Where it went, once known.
    pub broker: Option<BrokerId>,
    /// Where it stands.
    pub status: OrderStatus,
    /// Total quantity.
    pub quantity: Quantity,
    /// Filled so far.
    pub filled: Quantity,
    /// When it was submitted.
    pub submitted_at: Nanos,
    /// Average price of its fills.
    pub average_price: Option<Price>,
    /// Why this engine refused it, if it did.
    pub refusal: Option<Refusal>,
    /// Whether the broker has answered.
    pub acknowledged: bool,
    /// The last event.
    pub last_event: Option<OrderEvent>,
}

impl OrderView {
    /// Still to fill; 0 when it is done.
    #[must_use]
    pub fn leaves_quantity(&self) -> Quantity {
        if self.status.is_terminal() {
            Quantity::ZERO
        } else {
            self.quantity.saturating_sub_to_zero(self.filled)
        }
    }
}

impl Default for OrderView {
    fn default() -> Self {
        Self {
            order_id: OrderId::default(),
            instrument: InstrumentId::default(),
            side: Side::Buy,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Day,
            broker: None,
            status: OrderStatus::PendingNew,
            quantity: Quantity::ZERO,
            filled: Quantity::ZERO,
            submitted_at: Nanos::ZERO,
            average_price: None,
            refusal: None,
            acknowledged: false,
            last_event: None,
        }
    }
}

/// Finished orders that stay findable at most.
const HISTORY: usize = 16_384;

#[derive(Clone, Copy, Default)]
struct PortOrder {
    view: OrderView,
    /// Place in the list of open orders.
    open_at: u32,
}

/// What a port is made of.
pub(super) struct PortParts {
    pub id: PortId,
    pub strategy: StrategyId,
    pub epoch: BootEpoch,
    pub used_sequence: u64,
    pub requests: Producer<PortCommand>,
    pub reports: Consumer<OrderReport>,
    pub clock: Clock,
    pub board: BoardReader,
    pub shared: Arc<EngineShared>,
    pub capacity: usize,
}

/// See the module. `Send`, not `Sync`: one thread at a time.
pub struct Port {
    id: PortId,
    strategy: StrategyId,
    epoch: BootEpoch,
    sequence: u64,
    requests: Producer<PortCommand>,
    reports: Consumer<OrderReport>,
    clock: Clock,
    board: BoardReader,
    shared: Arc<EngineShared>,
    orders: OrderSlab<PortOrder>,
    open: Vec<OrderId>,
    positions: Vec<Position>,
    capacity: usize,
}

impl Port {
    pub(super) fn new(parts: PortParts) -> Self {
        let instruments = parts.shared.instruments.len();
        Self {
            id: parts.id,
            strategy: parts.strategy,
            epoch: parts.epoch,
            sequence: parts.used_sequence,
            requests: parts.requests,
            reports: parts.reports,
            clock: parts.clock,
            board: parts.board,
            shared: parts.shared,
            // More than may be open, so that finished orders stay findable for a while.
            orders: OrderSlab::new(
                parts.capacity + parts.capacity.min(HISTORY),
                usize::from(parts.id.0) + 1,
            ),
            open: Vec::with_capacity(parts.capacity),
            positions: vec![Position::default(); instruments],
            capacity: parts.capacity,
        }
    }

    /// Which port this is.
    #[must_use]
    pub const fn id(&self) -> PortId {
        self.id
    }

    /// Whose orders these are.
    #[must_use]
    pub const fn strategy(&self) -> StrategyId {
        self.strategy
    }

    /// The engine's time.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// The quote board.
    #[must_use]
    pub const fn board(&self) -> &BoardReader {
        &self.board
    }

    pub(super) const fn shared(&self) -> &Arc<EngineShared> {
        &self.shared
    }

    /// Sends an order: to `preferred` if it is up, else to the symbol's broker, else to the default.
    ///
    /// The id is given at once; whether RISK approves and the broker accepts comes back as reports.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn submit(
        &mut self,
        order: Order,
        preferred: Option<BrokerId>,
    ) -> Result<OrderId, SubmitError> {
        let signal_stamp = self.clock.stamp();
        self.check_open()?;
        order.validate()?;
        if self.shared.instruments.get(order.instrument).is_none() {
            return Err(SubmitError::UnknownInstrument {
                instrument: order.instrument,
            });
        }
        if let Some(broker) = preferred
            && broker.index() >= self.shared.brokers.len()
        {
            return Err(SubmitError::UnknownBroker { broker });
        }
        if self.open.len() >= self.capacity {
            return Err(SubmitError::TooManyOrders {
                limit: self.capacity,
            });
        }
        let order_id = OrderId::new(self.epoch, self.id, self.sequence + 1)
            .ok_or(SubmitError::IdsExhausted { port: self.id })?;
        let quote = self.board.quote(order.instrument);
        let decision_price = match quote.condition() {
            QuoteCondition::OneSided => Price::ZERO,
            _ => quote.midpoint(),
        };
        let request = OrderRequest {
            order_id,
            strategy: self.strategy,
            preferred_broker: preferred,
            order,
            submitted_at: self.clock.now(),
            decision_price,
            signal_stamp,
        };
        self.push(PortCommand::New(request))?;
        self.sequence += 1;
        self.track(&request);
        Ok(order_id)
    }

    /// Asks to cancel a working order of this port.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn cancel(&mut self, order_id: OrderId) -> Result<(), SubmitError> {
        self.working(order_id)?;
        self.push(PortCommand::Cancel(CancelRequest {
            order_id,
            requested_at: self.clock.now(),
        }))
    }

    /// Asks to change a working order of this port. The quantity is the new total, what has filled included.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn replace(&mut self, mut request: ReplaceRequest) -> Result<(), SubmitError> {
        self.check_open()?;
        let view = self.working(request.order_id)?;
        if request.applied_to(view.order_type).is_none() {
            return Err(SubmitError::Invalid(OrderShapeError::ReplacePrice));
        }
        if request
            .quantity
            .is_some_and(|quantity| !quantity.is_positive())
        {
            return Err(SubmitError::Invalid(OrderShapeError::Quantity));
        }
        request.requested_at = self.clock.now();
        self.push(PortCommand::Replace(request))
    }

    /// Asks to cancel every working order of this port's strategy, or of one instrument.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn cancel_all(&mut self, instrument: Option<InstrumentId>) -> Result<(), SubmitError> {
        self.cancel_scope(Scope::Strategy(self.strategy), instrument)
    }

    pub(super) fn cancel_scope(
        &mut self,
        scope: Scope,
        instrument: Option<InstrumentId>,
    ) -> Result<(), SubmitError> {
        let requested_at = self.clock.now();
        self.push(PortCommand::CancelAll(CancelAllRequest {
            scope,
            instrument,
            requested_at,
        }))
    }

    pub(super) fn set_trading_state(
        &mut self,
        scope: Scope,
        state: TradingState,
    ) -> Result<(), SubmitError> {
        let requested_at = self.clock.now();
        let control = ControlRequest::SetTradingState {
            scope,
            state,
            requested_at,
        };
        self.push(PortCommand::Control(control))
    }

    pub(super) fn reset_latches(&mut self) -> Result<(), SubmitError> {
        let requested_at = self.clock.now();
        self.push(PortCommand::Control(ControlRequest::ResetLatches {
            requested_at,
        }))
    }

    /// The next report of an own order, applied to this port's view; `None` when there is none now.
    pub fn poll_report(&mut self) -> Option<OrderReport> {
        let report = self.reports.pop()?;
        self.apply(&report);
        Some(report)
    }

    /// Reports waiting.
    pub fn reports_waiting(&mut self) -> usize {
        self.reports.available()
    }

    /// An own order by id, finished ones for a while included.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<OrderView> {
        self.orders.get(order_id).map(|order| order.view)
    }

    /// Own working orders, those just sent included.
    pub fn open_orders(&self) -> impl Iterator<Item = OrderView> + '_ {
        self.open
            .iter()
            .filter_map(|&order_id| self.order(order_id))
    }

    /// How many own orders work, those just sent included.
    #[must_use]
    pub fn open_order_count(&self) -> usize {
        self.open.len()
    }

    /// The strategy's own position, from the fills of this port's orders (and those recovered at start).
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.positions
            .get(instrument.index())
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn set_position(&mut self, instrument: InstrumentId, position: Position) {
        if let Some(slot) = self.positions.get_mut(instrument.index()) {
            *slot = position;
        }
    }

    /// Takes up an order that was working before a restart.
    pub(super) fn adopt(&mut self, view: OrderView) {
        self.insert(PortOrder { view, open_at: 0 });
    }

    fn check_open(&self) -> Result<(), SubmitError> {
        self.shared.check_accepting()?;
        if self.shared.port_health.is_lagged(self.id) {
            return Err(SubmitError::Lagged { port: self.id });
        }
        Ok(())
    }

    fn working(&self, order_id: OrderId) -> Result<OrderView, SubmitError> {
        self.order(order_id)
            .filter(|view| !view.status.is_terminal())
            .ok_or(SubmitError::NotWorking { order_id })
    }

    fn push(&mut self, command: PortCommand) -> Result<(), SubmitError> {
        self.requests
            .push(command)
            .map_err(|_| SubmitError::Busy { port: self.id })?;
        self.shared.wake_hot();
        Ok(())
    }

    fn track(&mut self, request: &OrderRequest) {
        let order = &request.order;
        self.insert(PortOrder {
            view: OrderView {
                order_id: request.order_id,
                instrument: order.instrument,
                side: order.side,
                order_type: order.order_type,
                time_in_force: order.time_in_force,
                quantity: order.quantity,
                submitted_at: request.submitted_at,
                ..OrderView::default()
            },
            open_at: 0,
        });
    }

    fn insert(&mut self, mut order: PortOrder) {
        order.open_at = self.open.len() as u32;
        let order_id = order.view.order_id;
        // The slab holds more than may be open: a retired slot is always to be had.
        if self.orders.find(order_id).is_none() && self.orders.insert(order_id, order).is_ok() {
            self.open.push(order_id);
        }
    }

    fn apply(&mut self, report: &OrderReport) {
        // Order ids outlive a change of the algorithms' order: what an earlier run's holder of this port sent is its
        // strategy's, not this one's.
        if let OrderEvent::Filled(fill) = report.event
            && report.strategy == self.strategy
            && let Some(position) = self.positions.get_mut(report.instrument.index())
        {
            // An overflow would leave the position as it was; RISK refuses far earlier.
            let _ = position.apply(report.side, fill.quantity, fill.price, fill.fee);
        }
        let Some(slot) = self.orders.find(report.order_id) else {
            return;
        };
        let view = &mut self.orders.value_mut(slot).view;
        if let OrderEvent::CancelRefused(refusal) | OrderEvent::ReplaceRefused(refusal) =
            report.event
            && refusal.code == RefusalCode::UnknownOrder
        {
            // ORDER has forgotten it: such a report says nothing of where the order stands.
            view.last_event = Some(report.event);
            return;
        }
        let was_open = !view.status.is_terminal();
        view.status = report.status;
        view.quantity = report.quantity;
        view.filled = report.filled;
        view.broker = report.broker.or(view.broker);
        view.average_price = report.average_price();
        view.last_event = Some(report.event);
        match report.event {
            OrderEvent::Refused(refusal) => view.refusal = Some(refusal),
            OrderEvent::Replaced(order_type) => {
                view.acknowledged = true;
                // A market order that was sent as a limit keeps its author's type.
                if view.order_type.name() == order_type.name() {
                    view.order_type = order_type;
                }
            }
            OrderEvent::Accepted
            | OrderEvent::Filled(_)
            | OrderEvent::Canceled
            | OrderEvent::Expired
            | OrderEvent::Rejected(_)
            | OrderEvent::Restored => view.acknowledged = true,
            _ => {}
        }
        let is_open = !report.status.is_terminal();
        match (was_open, is_open) {
            (true, false) => self.close(slot),
            (false, true) => self.reopen(slot, report.order_id),
            _ => {}
        }
    }

    fn close(&mut self, slot: SlotIndex) {
        let at = self.orders.value(slot).open_at as usize;
        if at < self.open.len() {
            self.open.swap_remove(at);
            if let Some(&moved) = self.open.get(at)
                && let Some(order) = self.orders.get_mut(moved)
            {
                order.open_at = at as u32;
            }
        }
        self.orders.retire(slot);
    }

    fn reopen(&mut self, slot: SlotIndex, order_id: OrderId) {
        self.orders.revive(slot);
        self.orders.value_mut(slot).open_at = self.open.len() as u32;
        self.open.push(order_id);
    }
}
