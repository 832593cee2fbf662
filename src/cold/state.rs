//! The live state of the cold side, and how others read it.
//!
//! Runs on: COLD changes it; any thread but a hot one reads it.
//! Owns: orders, books, counts and latency since the start, behind one lock that only cold threads
//! take.
//! Never: is a source of truth: after dropped events it is rebuilt from the journal.
//!
//! Finished orders are kept until [`retired_orders`](super::ColdSettings::retired_orders) newer
//! ones have finished, so that memory is bounded; a fill that comes later still than that is
//! booked, but no longer moves its order's count.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ColdSettings;
use super::bus::Publisher;
use super::events::EventKind;
use super::latency::{LatencySummary, Stage, StageLatency};
use super::ledger::{LedgerOrder, note_trading_state};
use super::marks::Marks;
use super::metrics::{OrderCounts, QuantitySum, SessionMetrics, Tally};
use super::portfolio::{PortfolioManager, PortfolioTotals, PositionView, StrategyTotals};
use super::positions::PositionFill;
use crate::types::{
    AccountSnapshot, BrokerId, Event, ExecutionId, Fill, InstrumentId, Nanos, OrderEvent, OrderId,
    OrderReport, RecoveredState, RecoveredTradingState, RefusalCode, Side, StrategyId,
};

/// How the live state stands to the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GapStatus {
    /// Events that the ring dropped.
    pub dropped: u64,
    /// Of them, those that users were told of by a gap event.
    pub told: u64,
    /// Events were dropped and the rebuild is not done yet: positions and cash are those of before.
    pub rebuilding: bool,
    /// Rebuilds that were done.
    pub rebuilds: u64,
    /// Rebuilds that failed and are tried again.
    pub failed_rebuilds: u64,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// Everything that a status shows, taken at one instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// The figures.
    pub metrics: SessionMetrics,
    /// The books of all brokers.
    pub totals: PortfolioTotals,
    /// The books of each broker.
    pub brokers: BTreeMap<BrokerId, PortfolioTotals>,
    /// Each strategy's share.
    pub strategies: BTreeMap<StrategyId, StrategyTotals>,
    /// Positions that are not flat.
    pub positions: Vec<PositionView>,
    /// Each broker's link, as far as it was said.
    pub links: BTreeMap<BrokerId, bool>,
    /// Trading states other than ACTIVE.
    pub trading_states: Vec<RecoveredTradingState>,
    /// Refusals of orders by code.
    pub refusals: BTreeMap<RefusalCode, u64>,
    /// Latency by stage.
    pub latency: [(Stage, LatencySummary); 7],
    /// How this stands to the journal.
    pub gap: GapStatus,
}

/// What makes an execution the same as another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum FillKey {
    /// The broker's id.
    Execution(BrokerId, ExecutionId),
    /// Without one: the order and what it had filled after it.
    Cumulative(OrderId, i64),
}

impl FillKey {
    /// `None` when nothing tells it from another.
    pub(crate) fn new(
        broker: BrokerId,
        execution_id: ExecutionId,
        order: Option<&OrderReport>,
    ) -> Option<Self> {
        if execution_id != ExecutionId::NONE {
            return Some(Self::Execution(broker, execution_id));
        }
        order.map(|report| Self::Cumulative(report.order_id, report.filled.units()))
    }
}

/// Which refusal: of which order, when, and why. An order's id may be refused more than once.
type RefusalKey = (OrderId, Nanos, RefusalCode);

/// Refusals that the journal holds and whose events may still be told.
#[derive(Debug, Default)]
pub(crate) struct RefusalsOnRecord(BTreeMap<RefusalKey, u32>);

impl RefusalsOnRecord {
    pub(crate) fn note(&mut self, key: RefusalKey) {
        *self.0.entry(key).or_default() += 1;
    }

    /// Whether it is one of them; it is not the next time.
    fn take(&mut self, key: RefusalKey) -> bool {
        let Some(count) = self.0.get_mut(&key) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.0.remove(&key);
        }
        true
    }
}

/// The last fills that were booked: more than can be on their way in the ring while the journal is
/// replayed.
#[derive(Debug)]
pub(crate) struct RecentFills {
    order: VecDeque<FillKey>,
    known: HashSet<FillKey>,
    capacity: usize,
}

impl RecentFills {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            order: VecDeque::new(),
            known: HashSet::new(),
            capacity: capacity.max(1),
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = FillKey> {
        self.order.iter().copied()
    }

    /// Whether the fill is new.
    pub(crate) fn insert(&mut self, key: FillKey) -> bool {
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// An order as its last event showed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveOrder {
    pub(crate) report: OrderReport,
    pub(crate) refused: bool,
    /// Comes from a rebuild; events up to `report.at` may be told twice.
    pub(crate) rebuilt: bool,
    latency: LatencySeen,
}

/// Which stages of an order are recorded; nothing of an order of an earlier boot, whose stamps are
/// another clock's.
#[derive(Clone, Copy, Debug, Default)]
struct LatencySeen {
    sent: bool,
    acked: bool,
    filled: bool,
}

impl LiveOrder {
    fn new(report: OrderReport) -> Self {
        Self {
            report,
            refused: matches!(report.event, OrderEvent::Refused(_)),
            rebuilt: false,
            latency: LatencySeen::default(),
        }
    }

    fn is_done(&self) -> bool {
        self.refused || self.report.status.is_terminal()
    }

    /// From the journal; what only the live order knew is kept.
    pub(crate) fn rebuilt(order: &LedgerOrder, live: Option<&Self>) -> Self {
        let mut report = order.report();
        if let Some(live) = live
            && live.report.stamps.order != 0
        {
            report.stamps.order = live.report.stamps.order;
        }
        let latency = match live {
            Some(live) => live.latency,
            None if order.carried => LatencySeen::ALL,
            None => LatencySeen::default(),
        };
        Self {
            report,
            refused: order.refusal.is_some(),
            rebuilt: true,
            latency,
        }
    }
}

impl LatencySeen {
    const ALL: Self = Self {
        sent: true,
        acked: true,
        filled: true,
    };
}

/// Counts of what did not go by the book.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Oddities {
    pub(crate) anomalies: u64,
    pub(crate) foreign_fills: u64,
    pub(crate) unexpected_fills: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ColdState {
    pub(crate) portfolio: PortfolioManager,
    pub(crate) orders: HashMap<OrderId, LiveOrder>,
    pub(crate) recent: RecentFills,
    /// Accounts that a rebuild took and whose events may still come.
    pub(crate) rebuilt_accounts: Vec<AccountSnapshot>,
    pub(crate) tally: Tally,
    pub(crate) refusals: BTreeMap<RefusalCode, u64>,
    /// Refusals that a rebuild counted and whose events may still come.
    pub(crate) on_record: RefusalsOnRecord,
    pub(crate) links: BTreeMap<BrokerId, bool>,
    pub(crate) trading_states: Vec<RecoveredTradingState>,
    pub(crate) oddities: Oddities,
    pub(crate) gap: GapStatus,
    pub(crate) started: Nanos,
    pub(crate) now: Nanos,
    retired: VecDeque<OrderId>,
    retired_capacity: usize,
    latency: StageLatency,
    processed: u64,
}

impl ColdState {
    pub(crate) fn new(recovered: &RecoveredState, marks: Marks, settings: &ColdSettings) -> Self {
        let mut state = Self {
            portfolio: PortfolioManager::new(recovered, marks),
            orders: HashMap::with_capacity(settings.working_orders),
            recent: RecentFills::new(settings.recent_fills),
            rebuilt_accounts: Vec::new(),
            tally: Tally::default(),
            refusals: BTreeMap::new(),
            on_record: RefusalsOnRecord::default(),
            links: BTreeMap::new(),
            trading_states: recovered.trading_states.clone(),
            oddities: Oddities::default(),
            gap: GapStatus::default(),
            started: Nanos::ZERO,
            now: Nanos::ZERO,
            retired: VecDeque::new(),
            retired_capacity: settings.retired_orders.max(1),
            latency: StageLatency::new(),
            processed: 0,
        };
        for order in &recovered.orders {
            let live = LiveOrder {
                rebuilt: false,
                ..LiveOrder::rebuilt(&LedgerOrder::carried(order), None)
            };
            state.insert(live);
        }
        state
    }

    /// Adds an order that was not known; counts it.
    pub(crate) fn insert(&mut self, order: LiveOrder) {
        let report = &order.report;
        if order.refused {
            self.tally.refused += 1;
        } else {
            self.tally.add(report.status, report.filled.is_positive());
        }
        let (id, done) = (report.order_id, order.is_done());
        self.orders.insert(id, order);
        if done {
            self.retire(id);
        }
    }

    fn retire(&mut self, id: OrderId) {
        self.retired.push_back(id);
        if self.retired.len() > self.retired_capacity
            && let Some(oldest) = self.retired.pop_front()
            // One that came back to life stays; it is queued again when it ends.
            && self.orders.get(&oldest).is_some_and(LiveOrder::is_done)
        {
            self.orders.remove(&oldest);
        }
    }

    /// Forgets every order, to be told anew by a rebuild.
    pub(crate) fn clear_orders(&mut self) -> HashMap<OrderId, LiveOrder> {
        self.retired.clear();
        self.tally = Tally::default();
        std::mem::take(&mut self.orders)
    }

    /// Takes an event and tells it.
    pub(crate) fn take(&mut self, event: &Event, publisher: &mut Publisher) {
        self.processed += 1;
        match event {
            Event::Order(report) => self.order(report, publisher),
            Event::Risk(record) => {
                note_trading_state(&mut self.trading_states, record);
                publisher.publish(EventKind::Risk(*record), self.now, false);
            }
            Event::Link { broker, up, at } => {
                self.links.insert(*broker, *up);
                let (broker, up) = (*broker, *up);
                publisher.publish(EventKind::Link { broker, up }, *at, false);
            }
            Event::Account(snapshot) => self.account(snapshot, publisher),
            Event::ForeignFill {
                broker,
                instrument,
                side,
                fill,
                at,
            } => self.foreign_fill((*broker, *instrument, *side), fill, *at, publisher),
            Event::Anomaly {
                order_id,
                status,
                report,
                at,
            } => {
                self.oddities.anomalies += 1;
                let kind = EventKind::Anomaly {
                    order_id: *order_id,
                    status: *status,
                    report: *report,
                };
                publisher.publish(kind, *at, false);
            }
        }
    }

    fn order(&mut self, report: &OrderReport, publisher: &mut Publisher) {
        let known = self.orders.get(&report.order_id);
        let told = known.is_some_and(|order| order.rebuilt && report.at <= order.report.at);
        self.note(report);
        self.measure(report);
        let OrderEvent::Filled(fill) = &report.event else {
            publisher.publish(EventKind::Order(*report), report.at, told);
            return;
        };
        // While a rebuild is due, the journal tells of fills: this one is on record already.
        let Some(broker) = report.broker.filter(|_| !self.gap.rebuilding) else {
            return;
        };
        let key = FillKey::new(broker, fill.execution_id, Some(report));
        if key.is_some_and(|key| !self.recent.insert(key)) {
            return;
        }
        self.oddities.unexpected_fills += u64::from(fill.unexpected);
        let cause = PositionFill {
            broker,
            instrument: report.instrument,
            strategy: report.strategy,
            order_id: report.order_id,
            side: report.side,
            fill: *fill,
            at: report.at,
        };
        publisher.publish(EventKind::Order(*report), report.at, false);
        self.book(&cause, publisher);
    }

    fn account(&mut self, snapshot: &AccountSnapshot, publisher: &mut Publisher) {
        // While a rebuild is due, the journal tells of accounts too.
        if self.gap.rebuilding {
            return;
        }
        // One that the rebuild took must not undo the fills that came after it.
        let taken = self.rebuilt_accounts.iter().position(|a| a == snapshot);
        if let Some(place) = taken {
            self.rebuilt_accounts.swap_remove(place);
            return;
        }
        self.portfolio.account(snapshot);
        publisher.publish(EventKind::Account(*snapshot), self.now, false);
    }

    fn foreign_fill(
        &mut self,
        (broker, instrument, side): (BrokerId, InstrumentId, Side),
        fill: &Fill,
        at: Nanos,
        publisher: &mut Publisher,
    ) {
        if self.gap.rebuilding {
            return;
        }
        let key = FillKey::new(broker, fill.execution_id, None);
        if key.is_some_and(|key| !self.recent.insert(key)) {
            return;
        }
        self.oddities.foreign_fills += 1;
        let kind = EventKind::ForeignFill {
            broker,
            instrument,
            side,
            fill: *fill,
        };
        publisher.publish(kind, at, false);
        let cause = PositionFill {
            broker,
            instrument,
            strategy: StrategyId::EXTERNAL,
            order_id: OrderId::default(),
            side,
            fill: *fill,
            at,
        };
        self.book(&cause, publisher);
    }

    fn book(&mut self, cause: &PositionFill, publisher: &mut Publisher) {
        match self.portfolio.fill(cause) {
            Ok(event) => publisher.publish(EventKind::Position(event), cause.at, false),
            Err(_) => self.oddities.anomalies += 1,
        }
    }

    /// Keeps an order's last report and the counts.
    fn note(&mut self, report: &OrderReport) {
        let refusal = match report.event {
            OrderEvent::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let known = self.orders.get_mut(&report.order_id);
        if let Some(refusal) = refusal
            && !self
                .on_record
                .take((report.order_id, report.at, refusal.code))
        {
            *self.refusals.entry(refusal.code).or_default() += 1;
        }
        match known {
            // A refused repetition of an id leaves the first order alone.
            Some(_) if refusal.is_some() => {}
            Some(order) => {
                let before = order.report;
                let was_refused = std::mem::take(&mut order.refused);
                order.rebuilt &= report.at <= before.at;
                order.report = *report;
                if was_refused {
                    self.tally.refused = self.tally.refused.saturating_sub(1);
                } else {
                    self.tally
                        .remove(before.status, before.filled.is_positive());
                }
                self.tally.add(report.status, report.filled.is_positive());
                if report.status.is_terminal() && !before.status.is_terminal() {
                    self.retire(report.order_id);
                }
            }
            // A report of a finished order that is not known is of one forgotten long ago: it was
            // counted.
            None if report.status.is_terminal()
                && refusal.is_none()
                && report.event != OrderEvent::Submitted => {}
            None => self.insert(LiveOrder::new(*report)),
        }
    }

    fn measure(&mut self, report: &OrderReport) {
        let Some(order) = self.orders.get_mut(&report.order_id) else {
            return;
        };
        let (seen, stamps) = (&mut order.latency, &report.stamps);
        if stamps.wire > 0 && !seen.sent {
            seen.sent = true;
            self.latency.record_sent(stamps);
        }
        match report.event {
            OrderEvent::Accepted if !seen.acked => {
                seen.acked = true;
                self.latency.record_ack(stamps, report.received_stamp);
            }
            OrderEvent::Filled(_) if !seen.filled => {
                seen.filled = true;
                self.latency.record_fill(stamps, report.received_stamp);
            }
            _ => {}
        }
    }

    fn metrics(&self) -> SessionMetrics {
        let totals = self.portfolio.totals();
        let turnover = self.portfolio.turnover();
        let internal = self.latency.summary(Stage::Internal);
        let ack = self.latency.summary(Stage::Ack);
        SessionMetrics {
            orders: self.tally.counts(),
            total_fills: turnover.buys + turnover.sells,
            total_quantity_filled: QuantitySum(turnover.quantity_units),
            total_notional_traded: turnover.notional,
            total_fees: totals.fees,
            active_positions: totals.active_positions,
            unmarked_positions: totals.unmarked_positions,
            realized_pnl: totals.realized,
            unrealized_pnl: totals.unrealized,
            equity: totals.equity,
            cash: totals.cash,
            events_processed: self.processed,
            events_dropped: self.gap.dropped,
            rebuilds: self.gap.rebuilds,
            anomalies: self.oddities.anomalies,
            foreign_fills: self.oddities.foreign_fills,
            unexpected_fills: self.oddities.unexpected_fills,
            uptime_ns: self.now.since(self.started),
            latency_internal_p50_ns: internal.p50,
            latency_internal_p99_ns: internal.p99,
            latency_internal_p99_9_ns: internal.p99_9,
            latency_internal_max_ns: internal.max,
            latency_ack_p50_ns: ack.p50,
            latency_ack_p99_ns: ack.p99,
        }
    }

    fn snapshot(&self) -> Snapshot {
        let portfolio = &self.portfolio;
        Snapshot {
            metrics: self.metrics(),
            totals: portfolio.totals(),
            brokers: portfolio
                .brokers()
                .map(|broker| (broker, portfolio.broker_totals(broker)))
                .collect(),
            strategies: portfolio.strategies(),
            positions: portfolio.views(),
            links: self.links.clone(),
            trading_states: self.trading_states.clone(),
            refusals: self.refusals.clone(),
            latency: Stage::ALL.map(|stage| (stage, self.latency.summary(stage))),
            gap: self.gap.clone(),
        }
    }
}

/// The cold side's state as the engine reads it; clone freely. A read holds COLD up while it
/// copies, and nothing else.
#[derive(Clone, Debug)]
pub struct ColdShared(Arc<Mutex<ColdState>>);

impl ColdShared {
    pub(crate) fn new(state: ColdState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// A panic of COLD sets the kill word and ends the process; until then readers see what there
    /// is.
    pub(crate) fn lock(&self) -> MutexGuard<'_, ColdState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that a status shows.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.lock().snapshot()
    }

    /// The figures.
    #[must_use]
    pub fn metrics(&self) -> SessionMetrics {
        self.lock().metrics()
    }

    /// Orders by where they stand.
    #[must_use]
    pub fn order_counts(&self) -> OrderCounts {
        self.lock().tally.counts()
    }

    /// Positions that are not flat.
    #[must_use]
    pub fn positions(&self) -> Vec<PositionView> {
        self.lock().portfolio.views()
    }

    /// The books of one broker.
    #[must_use]
    pub fn broker_totals(&self, broker: BrokerId) -> PortfolioTotals {
        self.lock().portfolio.broker_totals(broker)
    }

    /// An order as its last report showed it; `None` for one that is not known or finished long
    /// ago.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<OrderReport> {
        self.lock().orders.get(&id).map(|order| order.report)
    }

    /// Orders that are not finished, by id.
    #[must_use]
    pub fn open_orders(&self) -> Vec<OrderReport> {
        let mut open: Vec<_> = self
            .lock()
            .orders
            .values()
            .filter(|order| !order.is_done())
            .map(|order| order.report)
            .collect();
        open.sort_unstable_by_key(|report| report.order_id);
        open
    }

    /// A copy of the histograms, for a report.
    #[must_use]
    pub fn latency(&self) -> StageLatency {
        self.lock().latency.clone()
    }

    /// A copy of the marks, for a report.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.lock().portfolio.marks().clone()
    }
}
