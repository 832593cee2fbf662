//! A session's orders, fills and books, replayed from the journal's records.
//!
//! Runs on: COLD after dropped events, and whoever makes the session report.
//! Owns: what a record does to an order; the same life cycle, portfolio and duplicate rules as the
//! live path.
//! Never: books an execution twice, forgets a fill of an order that it does not know, or reads a
//! clock.
//!
//! A session's records are those of one boot, in journal order, upon the state that was recovered
//! before it. A sequence that does not go forward was seen before and is skipped.
//!
//! An execution is the same as another when broker and execution id are; executions of carried-in
//! orders are also compared with the recovered ids. One without an id cannot be compared and is
//! always booked.
//!
//! `NotSent` does not say of what: until an order's own bytes were handed over it means the order
//! itself, which then is rejected; later it means the pending cancel or replace.

use std::collections::{BTreeMap, HashSet};

use super::marks::Marks;
use super::metrics::Tally;
use super::portfolio::PortfolioManager;
use super::positions::{PositionEvent, PositionFill};
use crate::journal::Record;
use crate::types::{
    Applied, ApprovedOrder, BrokerId, BrokerReject, ExecutionId, ExecutionReport, Fill,
    InstrumentId, LifecycleError, Liquidity, Money, Nanos, OrderEvent, OrderId, OrderInput,
    OrderReport, OrderRequest, OrderState, OrderStatus, OrderType, Price, Quantity, RecoveredOrder,
    RecoveredState, RecoveredTradingState, Refusal, RefusalCode, RefusedOrder, ReportKind,
    RiskRecord, Side, StageStamps, StrategyId, TradingState,
};

/// One order of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LedgerOrder {
    /// As asked.
    pub request: OrderRequest,
    /// Where it went; of a refused order, where it was wanted, if anywhere.
    pub broker: Option<BrokerId>,
    /// Status and quantities.
    pub state: OrderState,
    /// The asked type with the prices that the broker last acknowledged.
    pub order_type: OrderType,
    /// Why this engine refused it; `None` for an order that went on.
    pub refusal: Option<Refusal>,
    /// Why the broker did not take it, or why it did not leave.
    pub reject: BrokerReject,
    /// Whether a restart carried it in.
    pub carried: bool,
    /// Stages passed, as far as the journal knows them.
    pub stamps: StageStamps,
    /// What happened to it last.
    pub event: OrderEvent,
    /// When, by the engine's clock.
    pub at: Nanos,
    received_stamp: u64,
    /// Its own bytes were handed over.
    sent: bool,
}

impl LedgerOrder {
    fn approved(approved: &ApprovedOrder, at: Nanos) -> Self {
        let request = approved.request;
        Self {
            request,
            broker: Some(approved.broker),
            state: OrderState::new(request.order.quantity),
            order_type: request.order.order_type,
            refusal: None,
            reject: BrokerReject::None,
            carried: false,
            stamps: StageStamps {
                risk: approved.risk_offset,
                ..StageStamps::at(request.signal_stamp)
            },
            event: OrderEvent::Submitted,
            at,
            received_stamp: 0,
            sent: false,
        }
    }

    fn refused(refused: &RefusedOrder, at: Nanos) -> Self {
        let request = refused.request;
        let mut state = OrderState::new(request.order.quantity);
        // A fresh order can always be rejected.
        let _ = state.apply(OrderInput::Rejected);
        Self {
            request,
            broker: request.preferred_broker,
            state,
            order_type: request.order.order_type,
            refusal: Some(refused.refusal()),
            reject: BrokerReject::None,
            carried: false,
            stamps: StageStamps::at(request.signal_stamp),
            event: OrderEvent::Refused(refused.refusal()),
            at,
            received_stamp: 0,
            sent: false,
        }
    }

    pub(crate) fn carried(order: &RecoveredOrder) -> Self {
        Self {
            state: order.state,
            carried: true,
            stamps: order.stamps,
            sent: order.stamps.wire != 0 || order.state.is_acknowledged(),
            ..Self::approved(&order.approved, order.approved.request.submitted_at)
        }
    }

    /// The order as its last report would show it.
    #[must_use]
    pub fn report(&self) -> OrderReport {
        OrderReport {
            order_id: self.request.order_id,
            instrument: self.request.order.instrument,
            broker: self.broker.filter(|_| self.refusal.is_none()),
            strategy: self.request.strategy,
            side: self.request.order.side,
            status: self.state.status(),
            event: self.event,
            at: self.at,
            quantity: self.state.quantity(),
            filled: self.state.filled(),
            value: self.state.value(),
            stamps: self.stamps,
            received_stamp: self.received_stamp,
        }
    }
}

/// One execution of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FillRow {
    /// When it traded by the broker's clock; when it was journaled, if the broker did not say.
    pub time: Nanos,
    /// When it was journaled, by the engine's clock.
    pub journaled_at: Nanos,
    /// Of which order; 0 when that is not known.
    pub order_id: OrderId,
    /// Whose.
    pub strategy: StrategyId,
    /// The broker's id of it.
    pub execution_id: ExecutionId,
    /// Where.
    pub broker: BrokerId,
    /// What.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// How much.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
    /// Fee, positive when paid.
    pub fee: Money,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// Of a finished order or beyond its quantity.
    pub unexpected: bool,
    /// Of an order that this engine does not know, or that it had refused.
    pub foreign: bool,
}

/// What a record did.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Outcome {
    /// The order that it changed.
    pub order: Option<OrderId>,
    /// The execution that it is, if it is a new one.
    pub fill: Option<FillRow>,
    /// What that did to a position.
    pub position: Option<PositionEvent>,
}

/// What did not go by the book.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Irregularities {
    /// Executions that came again.
    pub duplicate_executions: u64,
    /// Reports that did not fit their order's life cycle.
    pub anomalies: u64,
    /// Reports other than fills for orders that this engine does not know.
    pub foreign_reports: u64,
    /// Fills for orders that this engine does not know.
    pub foreign_fills: u64,
    /// Fills of finished orders or beyond an order's quantity.
    pub unexpected_fills: u64,
    /// Fills whose numbers did not fit the books: reported, not booked.
    pub overflows: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    orders: BTreeMap<OrderId, LedgerOrder>,
    portfolio: PortfolioManager,
    seen: HashSet<(BrokerId, ExecutionId)>,
    carried_executions: HashSet<ExecutionId>,
    refusals: BTreeMap<RefusalCode, u64>,
    change_refusals: BTreeMap<RefusalCode, u64>,
    links: BTreeMap<BrokerId, bool>,
    trading_states: Vec<RecoveredTradingState>,
    irregularities: Irregularities,
    records: u64,
    last_sequence: u64,
}

impl Ledger {
    /// The state before the session's first record.
    #[must_use]
    pub fn new(recovered: &RecoveredState, marks: Marks) -> Self {
        Self {
            orders: recovered
                .orders
                .iter()
                .map(|order| (order.order_id(), LedgerOrder::carried(order)))
                .collect(),
            portfolio: PortfolioManager::new(recovered, marks),
            carried_executions: recovered.execution_ids.iter().copied().collect(),
            trading_states: recovered.trading_states.clone(),
            ..Self::default()
        }
    }

    /// Takes the next record.
    pub fn apply(&mut self, sequence: u64, time: Nanos, record: &Record) -> Outcome {
        if sequence <= self.last_sequence {
            return Outcome::default();
        }
        self.last_sequence = sequence;
        self.records += 1;
        match record {
            Record::Intent(approved) => self.approved(approved, time),
            Record::Refused(refused) => self.refused(refused, time),
            Record::CancelIntent(cancel) => {
                let event = OrderEvent::CancelPending;
                self.input(cancel.order_id, OrderInput::CancelRequested, event, time)
            }
            Record::ReplaceIntent(replace) => {
                let quantity = replace.quantity;
                let input = OrderInput::ReplaceRequested { quantity };
                let event = OrderEvent::ReplacePending;
                self.input(replace.order_id, input, event, time)
            }
            Record::CancelRefused { order_id, refusal } => self.change_refused(
                *order_id,
                refusal,
                OrderEvent::CancelRefused(*refusal),
                time,
            ),
            Record::ReplaceRefused { order_id, refusal } => self.change_refused(
                *order_id,
                refusal,
                OrderEvent::ReplaceRefused(*refusal),
                time,
            ),
            Record::Execution(report) if report.kind == ReportKind::Fill => {
                self.filled(report, time)
            }
            Record::Execution(report) => self.reported(report, time),
            Record::Account(snapshot) => {
                self.portfolio.account(snapshot);
                Outcome::default()
            }
            Record::Link { broker, up } => {
                self.links.insert(*broker, *up);
                Outcome::default()
            }
            Record::Risk(record) => {
                note_trading_state(&mut self.trading_states, record);
                Outcome::default()
            }
            Record::Boot { .. }
            | Record::Instrument { .. }
            | Record::Broker { .. }
            | Record::Strategy { .. }
            | Record::Shutdown => Outcome::default(),
        }
    }

    fn approved(&mut self, approved: &ApprovedOrder, time: Nanos) -> Outcome {
        let id = approved.request.order_id;
        // An id that was refused and then passes is an order: what left counts.
        let known = self.orders.get(&id);
        if known.is_some_and(|order| order.refusal.is_none()) {
            self.irregularities.anomalies += 1;
            return Outcome::default();
        }
        self.orders
            .insert(id, LedgerOrder::approved(approved, time));
        Outcome {
            order: Some(id),
            ..Outcome::default()
        }
    }

    fn refused(&mut self, refused: &RefusedOrder, time: Nanos) -> Outcome {
        let id = refused.request.order_id;
        *self.refusals.entry(refused.code).or_default() += 1;
        // A refused repetition of an id (control 13) leaves the first order's row alone.
        if self.orders.contains_key(&id) {
            return Outcome::default();
        }
        self.orders.insert(id, LedgerOrder::refused(refused, time));
        Outcome {
            order: Some(id),
            ..Outcome::default()
        }
    }

    fn change_refused(
        &mut self,
        id: OrderId,
        refusal: &Refusal,
        event: OrderEvent,
        time: Nanos,
    ) -> Outcome {
        *self.change_refusals.entry(refusal.code).or_default() += 1;
        match self.orders.get_mut(&id) {
            Some(order) if order.refusal.is_none() => {
                order.happened(event, time);
                Outcome {
                    order: Some(id),
                    ..Outcome::default()
                }
            }
            _ => Outcome::default(),
        }
    }

    fn input(&mut self, id: OrderId, input: OrderInput, event: OrderEvent, time: Nanos) -> Outcome {
        let Some(order) = self.orders.get_mut(&id).filter(|o| o.refusal.is_none()) else {
            self.irregularities.anomalies += 1;
            return Outcome::default();
        };
        match order.take(input, event, time) {
            Ok(_) => Outcome {
                order: Some(id),
                ..Outcome::default()
            },
            Err(_) => {
                self.irregularities.anomalies += 1;
                Outcome::default()
            }
        }
    }

    fn reported(&mut self, report: &ExecutionReport, time: Nanos) -> Outcome {
        let id = report.order_id;
        let Some(order) = self.orders.get_mut(&id).filter(|o| o.refusal.is_none()) else {
            self.irregularities.foreign_reports += 1;
            return Outcome::default();
        };
        if order.reported(report, time).is_err() {
            self.irregularities.anomalies += 1;
            return Outcome::default();
        }
        Outcome {
            order: Some(id),
            ..Outcome::default()
        }
    }

    fn is_repeated(&self, report: &ExecutionReport, carried: bool) -> bool {
        let id = report.execution_id;
        id != ExecutionId::NONE
            && (self.seen.contains(&(report.broker, id))
                || (carried && self.carried_executions.contains(&id)))
    }

    fn filled(&mut self, report: &ExecutionReport, time: Nanos) -> Outcome {
        let known = self.orders.get(&report.order_id);
        if self.is_repeated(report, known.is_some_and(|order| order.carried)) {
            self.irregularities.duplicate_executions += 1;
            return Outcome::default();
        }
        let order = self
            .orders
            .get_mut(&report.order_id)
            .filter(|order| order.refusal.is_none());
        let foreign = order.is_none();
        let said = PositionFill {
            broker: report.broker,
            instrument: report.instrument,
            strategy: StrategyId::EXTERNAL,
            order_id: report.order_id,
            side: report.side,
            fill: fill_of(report, true),
            at: time,
        };
        let applied = match order {
            Some(order) => order.filled(report, time),
            None => numbers_of_a_fill(report).then_some(said),
        };
        let Some(cause) = applied else {
            self.irregularities.anomalies += 1;
            return Outcome::default();
        };
        let place = |fill: &PositionFill| (fill.broker, fill.instrument, fill.side);
        self.irregularities.anomalies += u64::from(place(&said) != place(&cause));
        if report.execution_id != ExecutionId::NONE {
            self.seen.insert((report.broker, report.execution_id));
        }
        self.irregularities.foreign_fills += u64::from(foreign);
        let unexpected = cause.fill.unexpected && !foreign;
        self.irregularities.unexpected_fills += u64::from(unexpected);
        let position = self.portfolio.fill(&cause).ok();
        self.irregularities.overflows += u64::from(position.is_none());
        Outcome {
            order: (!foreign).then_some(report.order_id),
            fill: Some(FillRow::new(report, &cause, foreign)),
            position,
        }
    }

    /// Every order, by id.
    #[must_use]
    pub const fn orders(&self) -> &BTreeMap<OrderId, LedgerOrder> {
        &self.orders
    }

    /// The books.
    #[must_use]
    pub const fn portfolio(&self) -> &PortfolioManager {
        &self.portfolio
    }

    /// The books, to be taken over.
    #[must_use]
    pub(crate) fn into_portfolio(self) -> PortfolioManager {
        self.portfolio
    }

    /// Each broker's link, as far as it was said.
    #[must_use]
    pub const fn links(&self) -> &BTreeMap<BrokerId, bool> {
        &self.links
    }

    /// Trading states other than ACTIVE.
    #[must_use]
    pub fn trading_states(&self) -> &[RecoveredTradingState] {
        &self.trading_states
    }

    /// Refusals of orders by code, repeated ids included.
    #[must_use]
    pub const fn refusals(&self) -> &BTreeMap<RefusalCode, u64> {
        &self.refusals
    }

    /// Refusals of cancels and replaces by code.
    #[must_use]
    pub const fn change_refusals(&self) -> &BTreeMap<RefusalCode, u64> {
        &self.change_refusals
    }

    /// What did not go by the book.
    #[must_use]
    pub const fn irregularities(&self) -> &Irregularities {
        &self.irregularities
    }

    /// Records taken.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Orders by where they stand.
    #[must_use]
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for order in self.orders.values() {
            if order.refusal.is_some() {
                tally.refused += 1;
            } else {
                tally.add(order.state.status(), order.state.filled().is_positive());
            }
        }
        tally
    }
}

impl FillRow {
    fn new(report: &ExecutionReport, cause: &PositionFill, foreign: bool) -> Self {
        Self {
            time: if report.broker_time == Nanos::ZERO {
                cause.at
            } else {
                report.broker_time
            },
            journaled_at: cause.at,
            order_id: report.order_id,
            strategy: cause.strategy,
            execution_id: report.execution_id,
            broker: cause.broker,
            instrument: cause.instrument,
            side: cause.side,
            quantity: report.last_quantity,
            price: report.last_price,
            fee: report.fee,
            liquidity: report.liquidity,
            unexpected: cause.fill.unexpected,
            foreign,
        }
    }
}

impl LedgerOrder {
    fn happened(&mut self, event: OrderEvent, at: Nanos) {
        self.event = event;
        self.at = at;
        self.received_stamp = 0;
    }

    fn take(
        &mut self,
        input: OrderInput,
        event: OrderEvent,
        at: Nanos,
    ) -> Result<Applied, LifecycleError> {
        let applied = self.state.apply(input)?;
        self.happened(event, at);
        Ok(applied)
    }

    fn reported(&mut self, report: &ExecutionReport, at: Nanos) -> Result<(), LifecycleError> {
        let reason = report.reason;
        self.note_sent(report);
        match report.kind {
            ReportKind::Sent => self.happened(OrderEvent::Sent, at),
            ReportKind::NotSent => self.not_sent(reason, at)?,
            ReportKind::Accepted => {
                self.take(OrderInput::Accepted, OrderEvent::Accepted, at)?;
            }
            ReportKind::Canceled => {
                self.take(OrderInput::Canceled, OrderEvent::Canceled, at)?;
            }
            ReportKind::Expired => {
                self.take(OrderInput::Expired, OrderEvent::Expired, at)?;
            }
            ReportKind::Rejected => {
                self.take(OrderInput::Rejected, OrderEvent::Rejected(reason), at)?;
                self.reject = reason;
            }
            ReportKind::CancelRejected => {
                let event = OrderEvent::CancelRejected(reason);
                self.take(OrderInput::CancelRejected, event, at)?;
            }
            ReportKind::Replaced => {
                let quantity = report.quantity;
                let terms = self.terms(report.order_type);
                let event = OrderEvent::Replaced(terms);
                self.take(OrderInput::Replaced { quantity }, event, at)?;
                self.order_type = terms;
            }
            ReportKind::ReplaceRejected => {
                let event = OrderEvent::ReplaceRejected(reason);
                self.take(OrderInput::ReplaceRejected, event, at)?;
            }
            ReportKind::InDoubt => {
                self.take(OrderInput::InDoubt, OrderEvent::InDoubt, at)?;
            }
            ReportKind::Status => {
                let input = OrderInput::Found {
                    quantity: report.quantity,
                    cumulative: report.cumulative_quantity,
                };
                self.take(input, OrderEvent::Restored, at)?;
                self.order_type = self.terms(report.order_type);
            }
            ReportKind::NotFound => {
                self.take(OrderInput::Absent, OrderEvent::Absent, at)?;
            }
            // Fills have a way of their own.
            ReportKind::Fill => {}
        }
        self.received_stamp = report.received_stamp;
        Ok(())
    }

    /// Takes the stamps of an order that left.
    fn note_sent(&mut self, report: &ExecutionReport) {
        if report.tells_sent() && !self.sent {
            self.sent = true;
            self.stamps.encode = report.encode_offset;
            self.stamps.wire = report.wire_offset;
        }
    }

    fn not_sent(&mut self, reason: BrokerReject, at: Nanos) -> Result<(), LifecycleError> {
        let event = OrderEvent::NotSent(reason);
        let first = !self.sent && !self.state.is_acknowledged();
        let input = match self.state.status() {
            _ if first => OrderInput::Rejected,
            OrderStatus::PendingReplace => OrderInput::ReplaceRejected,
            _ => OrderInput::CancelRejected,
        };
        self.take(input, event, at)?;
        if first {
            self.reject = reason;
        }
        Ok(())
    }

    /// The asked type with the wire's prices; a collared market order stays a market order.
    fn terms(&self, wire: OrderType) -> OrderType {
        if wire.name() == self.order_type.name() {
            wire
        } else {
            self.order_type
        }
    }

    /// The order knows best where it is, of what, and which way; the report says how much and at
    /// what price.
    fn filled(&mut self, report: &ExecutionReport, at: Nanos) -> Option<PositionFill> {
        let input = OrderInput::Fill {
            quantity: report.last_quantity,
            price: report.last_price,
            cumulative: report.cumulative_quantity,
        };
        self.note_sent(report);
        let applied = self.state.apply(input).ok()?;
        let fill = fill_of(report, applied.unexpected);
        self.happened(OrderEvent::Filled(fill), at);
        self.received_stamp = report.received_stamp;
        Some(PositionFill {
            broker: self.broker.unwrap_or(report.broker),
            instrument: self.request.order.instrument,
            strategy: self.request.strategy,
            order_id: self.request.order_id,
            side: self.request.order.side,
            fill,
            at,
        })
    }
}

/// Keeps the list of trading states other than ACTIVE.
pub(crate) fn note_trading_state(states: &mut Vec<RecoveredTradingState>, record: &RiskRecord) {
    match *record {
        RiskRecord::TradingState {
            scope,
            state,
            cause,
            ..
        } => {
            states.retain(|known| known.scope != scope);
            if state != TradingState::Active {
                states.push(RecoveredTradingState {
                    scope,
                    state,
                    cause,
                });
            }
        }
        RiskRecord::LatchesReset { .. } => {
            for state in states {
                state.cause = None;
            }
        }
        RiskRecord::StartOfDay { .. } | RiskRecord::HighWaterMark { .. } => {}
    }
}

fn fill_of(report: &ExecutionReport, unexpected: bool) -> Fill {
    Fill {
        execution_id: report.execution_id,
        fee: report.fee,
        quantity: report.last_quantity,
        price: report.last_price,
        liquidity: report.liquidity,
        unexpected,
    }
}

fn numbers_of_a_fill(report: &ExecutionReport) -> bool {
    report.last_quantity.is_positive() && report.last_price.is_positive()
}
