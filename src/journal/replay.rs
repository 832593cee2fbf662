//! Replaying records into state: orders, positions, cash, trading states and baselines.
//!
//! Runs on: start-up (recovery), COLD (its rebuild after a gap), the offline verbs.
//! Owns: what each record means for the state. Orders and positions go through the types that the
//! hot agents use.
//! Never: counts an execution twice; guesses an id that its boot did not define.

use std::collections::{HashMap, HashSet};

use super::error::JournalError;
use super::names::Names;
use super::record::Record;
use crate::types::{
    ApprovedOrder, ApprovedReplace, BrokerId, ExecutionId, ExecutionReport, InstrumentId, Money,
    Nanos, OrderId, OrderInput, OrderState, OrderStatus, OrderType, Position, RecoveredAccount,
    RecoveredOrder, RecoveredPosition, RecoveredShare, RecoveredState, RecoveredTradingState,
    RefusalCode, ReportKind, RiskRecord, Scope, StageStamps, StrategyId, TradingState,
};

/// An order during a replay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplayedOrder {
    /// As approved; terms are those of the last accepted replace. Ids are the replay's own.
    pub approved: ApprovedOrder,
    /// Status and quantities.
    pub state: OrderState,
    /// Type and prices that the broker last acknowledged.
    pub order_type: OrderType,
    /// A replace whose outcome is open.
    pub pending: Option<ApprovedReplace>,
    /// Stages passed.
    pub stamps: StageStamps,
    /// Whether its first request left.
    pub sent: bool,
}

/// State rebuilt from records. Ids of different boots are brought together by symbol and name: its
/// own ids index [`names`](Self::names).
#[derive(Debug, Default)]
pub struct Replayer {
    names: Names,
    /// Orders that are not done, and absent ones (they may appear after all).
    orders: HashMap<OrderId, ReplayedOrder>,
    executions: HashSet<(OrderId, BrokerId, ExecutionId)>,
    cash: Vec<(BrokerId, Money)>,
    positions: HashMap<(BrokerId, InstrumentId), Position>,
    shares: HashMap<(StrategyId, InstrumentId), Position>,
    trading_states: Vec<RecoveredTradingState>,
    start_of_day: Option<(u32, Money)>,
    high_water_mark: Option<Money>,
    last_sequence: u64,
    last_time: Nanos,
    last_epoch: u32,
    records: u64,
    anomalies: u64,
    shut_down: bool,
}

impl Replayer {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`JournalError::Undefined`] for an id that the record's boot did not define,
    /// [`JournalError::Overflow`] when an amount does not fit, [`JournalError::Names`].
    pub fn apply(
        &mut self,
        sequence: u64,
        time: Nanos,
        record: &Record,
    ) -> Result<(), JournalError> {
        self.names.apply(record)?;
        self.shut_down = matches!(record, Record::Shutdown);
        match record {
            Record::Boot { epoch, .. } => self.last_epoch = epoch.get(),
            Record::Intent(approved) => self.intent(sequence, *approved)?,
            Record::CancelIntent(cancel) => {
                self.input(cancel.order_id, OrderInput::CancelRequested)
            }
            Record::ReplaceIntent(replace) => self.replace(*replace),
            Record::Execution(report) => self.execution(sequence, report)?,
            Record::Account(account) => {
                let broker = self.names.broker(sequence, account.broker)?;
                match self.cash.iter_mut().find(|(known, _)| *known == broker) {
                    Some((_, cash)) => *cash = account.cash,
                    None => self.cash.push((broker, account.cash)),
                }
            }
            Record::Risk(risk) => self.risk(sequence, risk)?,
            Record::Instrument { .. }
            | Record::Broker { .. }
            | Record::Strategy { .. }
            | Record::Refused(_)
            | Record::CancelRefused { .. }
            | Record::ReplaceRefused { .. }
            | Record::Link { .. }
            | Record::Shutdown => {}
        }
        self.last_sequence = sequence;
        self.last_time = time;
        self.records += 1;
        Ok(())
    }

    fn intent(&mut self, sequence: u64, mut approved: ApprovedOrder) -> Result<(), JournalError> {
        let request = &mut approved.request;
        request.order.instrument = self.names.instrument(sequence, request.order.instrument)?;
        request.strategy = self.names.strategy(sequence, request.strategy)?;
        if let Some(broker) = request.preferred_broker {
            request.preferred_broker = Some(self.names.broker(sequence, broker)?);
        }
        approved.broker = self.names.broker(sequence, approved.broker)?;
        let stamps = StageStamps {
            risk: approved.risk_offset,
            ..StageStamps::at(approved.request.signal_stamp)
        };
        let order = ReplayedOrder {
            approved,
            state: OrderState::new(approved.request.order.quantity),
            order_type: approved.wire_type(),
            pending: None,
            stamps,
            sent: false,
        };
        self.orders.insert(approved.request.order_id, order);
        Ok(())
    }

    /// Moves an order; what its state does not allow changes nothing and is counted.
    fn input(&mut self, order_id: OrderId, input: OrderInput) {
        let Some(order) = self.orders.get_mut(&order_id) else {
            self.anomalies += 1;
            return;
        };
        if order.state.apply(input).is_err() {
            self.anomalies += 1;
        }
        let status = order.state.status();
        if status.is_terminal() && status != OrderStatus::Absent {
            self.orders.remove(&order_id);
        }
    }

    fn replace(&mut self, replace: ApprovedReplace) {
        let quantity = replace.quantity;
        self.input(replace.order_id, OrderInput::ReplaceRequested { quantity });
        if let Some(order) = self.orders.get_mut(&replace.order_id)
            && order.state.status() == OrderStatus::PendingReplace
        {
            order.pending = Some(replace);
        }
    }

    fn execution(&mut self, sequence: u64, report: &ExecutionReport) -> Result<(), JournalError> {
        let id = report.order_id;
        if report.tells_sent()
            && let Some(order) = self.orders.get_mut(&id)
            && !order.sent
        {
            order.sent = true;
            order.stamps.encode = report.encode_offset;
            order.stamps.wire = report.wire_offset;
        }
        let input = match report.kind {
            ReportKind::Fill => return self.fill(sequence, report),
            ReportKind::Sent => return Ok(()),
            ReportKind::NotSent => self.not_sent(id),
            ReportKind::Accepted => OrderInput::Accepted,
            ReportKind::Canceled => OrderInput::Canceled,
            ReportKind::Expired => OrderInput::Expired,
            ReportKind::Rejected => OrderInput::Rejected,
            ReportKind::CancelRejected => OrderInput::CancelRejected,
            ReportKind::ReplaceRejected => OrderInput::ReplaceRejected,
            ReportKind::InDoubt => OrderInput::InDoubt,
            ReportKind::NotFound => OrderInput::Absent,
            ReportKind::Replaced => OrderInput::Replaced {
                quantity: report.quantity,
            },
            ReportKind::Status => OrderInput::Found {
                quantity: report.quantity,
                cumulative: report.cumulative_quantity,
            },
        };
        self.terms(report);
        self.input(id, input);
        Ok(())
    }

    /// What provably did not leave: the order itself when nothing of it left before, else the
    /// change of it.
    fn not_sent(&self, id: OrderId) -> OrderInput {
        match self.orders.get(&id) {
            Some(order) if order.sent || order.state.is_acknowledged() => {
                match order.state.status() {
                    OrderStatus::PendingReplace => OrderInput::ReplaceRejected,
                    _ => OrderInput::CancelRejected,
                }
            }
            _ => OrderInput::Rejected,
        }
    }

    /// New terms that a broker acknowledged.
    fn terms(&mut self, report: &ExecutionReport) {
        let Some(order) = self.orders.get_mut(&report.order_id) else {
            return;
        };
        match report.kind {
            ReportKind::Replaced | ReportKind::Status if report.quantity.is_positive() => {
                let accepted = order.pending.take().filter(|pending| {
                    report.kind == ReportKind::Replaced
                        || (pending.quantity, pending.order_type)
                            == (report.quantity, report.order_type)
                });
                if let Some(accepted) = accepted {
                    order.approved.risk_price = accepted.risk_price;
                }
                order.order_type = report.order_type;
                let approved = &mut order.approved;
                approved.request.order.quantity = report.quantity;
                match (approved.collar, report.order_type) {
                    // A collared market order stays what its author asked for.
                    (Some(_), OrderType::Limit { limit }) => approved.collar = Some(limit),
                    _ if report.order_type == approved.wire_type() => {}
                    _ => {
                        approved.collar = None;
                        approved.request.order.order_type = report.order_type;
                    }
                }
            }
            ReportKind::ReplaceRejected => order.pending = None,
            ReportKind::NotSent if order.state.status() == OrderStatus::PendingReplace => {
                order.pending = None;
            }
            _ => {}
        }
    }

    /// A fill moves position and cash, whatever is known of its order.
    fn fill(&mut self, sequence: u64, report: &ExecutionReport) -> Result<(), JournalError> {
        let overflow = JournalError::Overflow { sequence };
        let mut broker = self.names.broker(sequence, report.broker)?;
        if report.execution_id != ExecutionId::NONE
            && !self
                .executions
                .insert((report.order_id, broker, report.execution_id))
        {
            return Ok(());
        }
        let (quantity, price) = (report.last_quantity, report.last_price);
        if !quantity.is_positive() || !price.is_positive() {
            self.anomalies += 1;
            return Ok(());
        }
        let (mut instrument, mut side) = (None, report.side);
        let mut strategy = StrategyId::EXTERNAL;
        if let Some(order) = self.orders.get(&report.order_id) {
            // The order knows what it is; the report only says so.
            instrument = Some(order.approved.request.order.instrument);
            side = order.approved.request.order.side;
            strategy = order.approved.request.strategy;
            broker = order.approved.broker;
            let cumulative = report.cumulative_quantity;
            self.input(
                report.order_id,
                OrderInput::Fill {
                    quantity,
                    price,
                    cumulative,
                },
            );
        }
        let instrument = match instrument {
            Some(instrument) => instrument,
            None => self.names.instrument(sequence, report.instrument)?,
        };
        let position = self.positions.entry((broker, instrument)).or_default();
        let Some(_) = position.apply(side, quantity, price, report.fee) else {
            return Err(overflow);
        };
        let share = self.shares.entry((strategy, instrument)).or_default();
        if share.apply(side, quantity, price, report.fee).is_none() {
            return Err(overflow);
        }
        if let Some((_, cash)) = self.cash.iter_mut().find(|(known, _)| *known == broker) {
            let paid = price.notional(side.signed(quantity));
            *cash = cash
                .checked_sub(paid)
                .and_then(|cash| cash.checked_sub(report.fee))
                .ok_or(overflow)?;
        }
        Ok(())
    }

    fn risk(&mut self, sequence: u64, risk: &RiskRecord) -> Result<(), JournalError> {
        match *risk {
            RiskRecord::TradingState {
                scope,
                state,
                cause,
                ..
            } => {
                let scope = match scope {
                    Scope::Firm => Scope::Firm,
                    Scope::Broker(id) => Scope::Broker(self.names.broker(sequence, id)?),
                    Scope::Strategy(id) => Scope::Strategy(self.names.strategy(sequence, id)?),
                };
                // What operators set lies beneath a latch and holds again after its reset.
                self.trading_states.retain(|known| {
                    known.scope != scope || (cause.is_some() && known.cause.is_none())
                });
                if state != TradingState::Active {
                    self.trading_states.push(RecoveredTradingState {
                        scope,
                        state,
                        cause,
                    });
                }
            }
            RiskRecord::LatchesReset { .. } => self.trading_states.retain(|known| {
                !matches!(
                    known.cause,
                    Some(RefusalCode::DailyLoss | RefusalCode::Drawdown)
                )
            }),
            RiskRecord::StartOfDay { date, equity, .. } => {
                self.start_of_day = Some((date, equity));
            }
            RiskRecord::HighWaterMark { equity, .. } => self.high_water_mark = Some(equity),
        }
        Ok(())
    }
}

impl Replayer {
    /// What its ids stand for.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Orders that are not done, and absent ones, in no order.
    pub fn orders(&self) -> impl Iterator<Item = &ReplayedOrder> {
        self.orders.values()
    }

    /// An order that is not done, or absent.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&ReplayedOrder> {
        self.orders.get(&id)
    }

    /// Positions, flat ones with a history included, in no order.
    pub fn positions(&self) -> impl Iterator<Item = (BrokerId, InstrumentId, &Position)> {
        self.positions
            .iter()
            .map(|(&(broker, instrument), position)| (broker, instrument, position))
    }

    /// Cash of each broker that has an account on record.
    #[must_use]
    pub fn cash(&self) -> &[(BrokerId, Money)] {
        &self.cash
    }

    /// Sequence of the last record.
    #[must_use]
    pub const fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Time of the last record.
    #[must_use]
    pub const fn last_time(&self) -> Nanos {
        self.last_time
    }

    /// The last boot on record, 0 before the first.
    #[must_use]
    pub const fn last_epoch(&self) -> u32 {
        self.last_epoch
    }

    /// Records taken.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Records that did not fit their order's life cycle, or named an order that is done or
    /// unknown.
    #[must_use]
    pub const fn anomalies(&self) -> u64 {
        self.anomalies
    }

    /// Whether the last record says that the run ended in order.
    #[must_use]
    pub const fn shut_down(&self) -> bool {
        self.shut_down
    }

    /// The state, in the replay's own ids, every list in order.
    #[must_use]
    pub fn state(&self) -> RecoveredState {
        let mut orders: Vec<RecoveredOrder> = self
            .orders
            .values()
            .filter(|order| !order.state.status().is_terminal())
            .map(ReplayedOrder::recovered)
            .collect();
        orders.sort_by_key(RecoveredOrder::order_id);
        let mut execution_ids: Vec<ExecutionId> = self
            .executions
            .iter()
            .filter(|(order, _, _)| self.is_working(*order))
            .map(|&(_, _, execution)| execution)
            .collect();
        execution_ids.sort();
        execution_ids.dedup();
        let mut accounts: Vec<RecoveredAccount> = self
            .cash
            .iter()
            .map(|&(broker, cash)| RecoveredAccount { broker, cash })
            .collect();
        accounts.sort_by_key(|account| account.broker);
        let mut positions: Vec<RecoveredPosition> = self
            .positions()
            .map(|(broker, instrument, &position)| RecoveredPosition {
                broker,
                instrument,
                position,
            })
            .collect();
        positions.sort_by_key(|position| (position.broker, position.instrument));
        let mut shares: Vec<RecoveredShare> = self
            .shares
            .iter()
            .map(|(&(strategy, instrument), &position)| RecoveredShare {
                strategy,
                instrument,
                position,
            })
            .collect();
        shares.sort_by_key(|share| (share.strategy, share.instrument));
        RecoveredState {
            orders,
            accounts,
            positions,
            shares,
            trading_states: self.trading_states.clone(),
            start_of_day: self.start_of_day,
            high_water_mark: self.high_water_mark,
            used_sequences: Vec::new(),
            last_sequence: self.last_sequence,
            execution_ids,
        }
    }

    fn is_working(&self, id: OrderId) -> bool {
        self.orders
            .get(&id)
            .is_some_and(|order| !order.state.status().is_terminal())
    }
}

impl ReplayedOrder {
    /// As a restart takes it. While a replace is open the higher of both prices keeps its exposure
    /// covered.
    #[must_use]
    pub fn recovered(&self) -> RecoveredOrder {
        let mut approved = self.approved;
        if let Some(pending) = self.pending {
            approved.risk_price = approved.risk_price.max(pending.risk_price);
        }
        RecoveredOrder {
            approved,
            state: self.state,
            order_type: self.order_type,
            stamps: self.stamps,
        }
    }
}
