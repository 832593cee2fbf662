//! The session report, made from the journal's records of one boot.
//!
//! Runs on: whoever makes a report, after the engine has stopped or on a cold thread.
//! Owns: `session.json`'s shape and the meaning of each of its figures.
//! Never: counts from events, which may have been dropped, or shows a figure that was not measured.
//!
//! - An order is counted once, by its id. A refused repetition of an id is in `refusals` but is no
//!   order of its own, so that `refusals` may exceed `orders.refused` by
//!   `irregularities.repeated_ids`.
//! - Working orders that a restart carried in are rows of `orders.csv` and count as submitted and
//!   approved; `recovered.orders` says how many.
//! - `pnl` is this session's: realised profit and fees begin at 0 and carried-in positions keep
//!   their cost, so that equity is the sum of `start_cash`, `adjustments`, `carried_cost`,
//!   `realized` and `unrealized`, less `fees`. In a session that carried nothing in, `fills.csv`
//!   and the marks in `positions` give every figure of profit.
//! - Slippage is a figure an order that filled and had a decision price, its average price against
//!   that, in basis points, positive when it cost; mean and percentiles (nearest rank) are over
//!   orders, unweighted.
//! - An execution of an order that the engine does not know is in `fills.csv` and in the books,
//!   under nobody's strategy, with an empty order id if there was none.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::latency::{LatencySummary, Stage, StageLatency};
use super::ledger::{FillRow, Ledger, LedgerOrder};
use super::marks::Marks;
use super::metrics::{OrderCounts, QuantitySum};
use super::reconcile::Reconciliation;
use crate::journal::Record;
use crate::ring::RingReading;
use crate::types::{
    AccountStatement, BrokerId, ExecutionMode, InstrumentId, InstrumentTable, Money, Nanos, Price,
    Quantity, RecoveredState, Side, StrategyId, TradingMode,
};

/// The journal's own figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct JournalFigures {
    /// Records of this boot.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The last sequence that is on disk.
    pub durable_sequence: u64,
}

/// Names of the ids in a session's records.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By row.
    pub instruments: InstrumentTable,
    /// By [`BrokerId`].
    pub brokers: Vec<String>,
    /// By [`StrategyId`]; the first is [`StrategyId::EXTERNAL`].
    pub strategies: Vec<String>,
}

impl Names {
    /// A broker's name; its number when it has none.
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> String {
        named(&self.brokers, id.index(), "broker")
    }

    /// A strategy's name; its number when it has none.
    #[must_use]
    pub fn strategy(&self, id: StrategyId) -> String {
        named(&self.strategies, id.index(), "strategy")
    }

    /// An instrument's symbol; its number when it has none.
    #[must_use]
    pub fn symbol(&self, id: InstrumentId) -> String {
        self.instruments.get(id).map_or_else(
            || format!("instrument-{}", id.0),
            |row| row.symbol.to_string(),
        )
    }
}

fn named(names: &[String], index: usize, kind: &str) -> String {
    names
        .get(index)
        .filter(|name| !name.is_empty())
        .cloned()
        .unwrap_or_else(|| format!("{kind}-{index}"))
}

/// What a report says besides what the records say.
#[derive(Clone, Debug, Default)]
pub struct SessionInfo {
    /// Paper or live.
    pub trading_mode: TradingMode,
    /// Who released orders.
    pub execution_mode: ExecutionMode,
    /// How agents were composed.
    pub layout: String,
    /// When the session began, as text (RFC 3339).
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// The configuration's seed.
    pub seed: u64,
    /// Names of ids.
    pub names: Names,
    /// The last good marks.
    pub marks: Marks,
    /// Events that the cold side took.
    pub events: u64,
    /// Events that its ring dropped.
    pub events_dropped: u64,
    /// The journal's figures.
    pub journal: JournalFigures,
    /// What brokers say that they hold, at the end.
    pub statements: Vec<AccountStatement>,
    /// Every ring's counters.
    pub rings: Vec<RingReading>,
}

/// Basis points; null when no order filled that had a decision price.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Slippage {
    /// Over orders, unweighted.
    pub mean: Option<f64>,
    /// The middle order.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
}

/// Profit, fees and equity; see the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ProfitAndLoss {
    /// Of what was closed, fees not counted.
    #[serde(serialize_with = "as_text")]
    pub realized: Money,
    /// Of what is open.
    #[serde(serialize_with = "as_text")]
    pub unrealized: Money,
    /// Paid.
    #[serde(serialize_with = "as_text")]
    pub fees: Money,
    /// Cash and the value of what is held.
    #[serde(serialize_with = "as_text")]
    pub equity: Money,
    /// Cash.
    #[serde(serialize_with = "as_text")]
    pub cash: Money,
    /// Cash at the start.
    #[serde(serialize_with = "as_text")]
    pub start_cash: Money,
    /// What account snapshots added or took.
    #[serde(serialize_with = "as_text")]
    pub adjustments: Money,
    /// Cost of the positions that were carried in.
    #[serde(serialize_with = "as_text")]
    pub carried_cost: Money,
}

/// A position at the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PositionRow {
    /// Where.
    pub broker: String,
    /// What.
    pub symbol: String,
    /// Signed.
    #[serde(serialize_with = "as_text")]
    pub quantity: Quantity,
    /// Cost a unit.
    #[serde(serialize_with = "maybe_text")]
    pub average_price: Option<Price>,
    /// The last good mark; null when there never was one, and then it is valued at cost.
    #[serde(serialize_with = "maybe_text")]
    pub market_price: Option<Price>,
    /// Profit of it.
    #[serde(serialize_with = "as_text")]
    pub unrealized: Money,
}

/// Executions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FillFigures {
    /// All.
    pub count: u64,
    /// That bought.
    pub buys: u64,
    /// That sold.
    pub sells: u64,
    /// Sum of quantities.
    #[serde(serialize_with = "as_text")]
    pub quantity: QuantitySum,
    /// Sum of prices times quantities.
    #[serde(serialize_with = "as_text")]
    pub notional: Money,
}

/// What came from the session before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RecoveredFigures {
    /// Working orders.
    pub orders: u64,
    /// Positions that were not flat.
    pub positions: u64,
    /// Profit that was closed before.
    #[serde(serialize_with = "as_text")]
    pub realized: Money,
    /// Fees that were paid before.
    #[serde(serialize_with = "as_text")]
    pub fees: Money,
}

/// What did not go by the book.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct IrregularFigures {
    /// Executions that came again and were not counted again.
    pub duplicate_executions: u64,
    /// Fills of finished orders or beyond an order's quantity.
    pub unexpected_fills: u64,
    /// Fills of orders that this engine does not know.
    pub foreign_fills: u64,
    /// Other reports of orders that this engine does not know.
    pub foreign_reports: u64,
    /// Records that did not fit their order's life cycle.
    pub anomalies: u64,
    /// Fills that do not fit the books: listed, not booked.
    pub overflows: u64,
    /// Refused repetitions of an order id.
    pub repeated_ids: u64,
    /// Positions that were never marked and are valued at cost.
    pub unmarked_positions: u64,
    /// Brokers whose cash was never said.
    pub unknown_accounts: u64,
    /// Events that the cold side's ring dropped; this report does not depend on them.
    pub events_dropped: u64,
}

/// A strategy's share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StrategyRow {
    /// Name.
    pub strategy: String,
    /// Of what it closed, fees not counted.
    #[serde(serialize_with = "as_text")]
    pub realized: Money,
    /// Of what it holds.
    #[serde(serialize_with = "as_text")]
    pub unrealized: Money,
    /// Paid.
    #[serde(serialize_with = "as_text")]
    pub fees: Money,
    /// Positions that are not flat.
    pub positions: usize,
}

/// A broker's share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BrokerRow {
    /// Name.
    pub broker: String,
    /// Its books.
    #[serde(flatten)]
    pub pnl: ProfitAndLoss,
}

/// A ring's counters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RingRow {
    /// Name in the topology.
    pub name: String,
    /// Slots.
    pub capacity: usize,
    /// The most that ever waited.
    pub high_water_mark: u64,
    /// Messages handed back because it was full.
    pub refused: u64,
}

/// `session.json`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SessionReport {
    /// `paper` or `live`.
    pub trading_mode: String,
    /// Who released orders.
    pub execution_mode: String,
    /// How agents were composed.
    pub layout: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// The configuration's seed.
    pub seed: u64,
    /// Orders by where they stand.
    pub orders: OrderCounts,
    /// Filled of submitted; null at 0.
    pub fill_rate: Option<f64>,
    /// Against the decision price.
    pub slippage_bps: Slippage,
    /// Profit, fees, equity.
    pub pnl: ProfitAndLoss,
    /// Positions that are not flat.
    pub positions: Vec<PositionRow>,
    /// By stage.
    pub latency_ns: BTreeMap<&'static str, LatencySummary>,
    /// Of orders, by code.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Of cancels and replaces, by code.
    pub change_refusals: BTreeMap<&'static str, u64>,
    /// Events that the cold side took.
    pub events: u64,
    /// The journal's figures.
    pub journal: JournalFigures,
    /// Executions.
    pub fills: FillFigures,
    /// What came from the session before.
    pub recovered: RecoveredFigures,
    /// Engine against broker, a broker each.
    pub reconciliation: Vec<Reconciliation>,
    /// What did not go by the book.
    pub irregularities: IrregularFigures,
    /// A broker each.
    pub brokers: Vec<BrokerRow>,
    /// A strategy each.
    pub strategies: Vec<StrategyRow>,
    /// A ring each.
    pub rings: Vec<RingRow>,
}

/// A session's report with everything that its files hold.
#[derive(Clone, Debug)]
pub struct Session {
    /// `session.json`.
    pub report: SessionReport,
    /// Rows of `orders.csv`, by order id.
    pub orders: Vec<LedgerOrder>,
    /// Rows of `fills.csv`, in journal order.
    pub fills: Vec<FillRow>,
    /// The histograms.
    pub latency: StageLatency,
    /// Names of ids.
    pub names: Names,
}

impl Session {
    /// Makes the report of the session whose `records` (sequence, time, record; this boot's, in
    /// order) follow upon `recovered`.
    #[must_use]
    pub fn new(
        info: SessionInfo,
        recovered: &RecoveredState,
        latency: StageLatency,
        records: impl IntoIterator<Item = (u64, Nanos, Record)>,
    ) -> Self {
        let mut ledger = Ledger::new(recovered, info.marks.clone());
        let mut fills = Vec::new();
        for (sequence, time, record) in records {
            fills.extend(ledger.apply(sequence, time, &record).fill);
        }
        let report = SessionReport::new(&info, recovered, &latency, &ledger);
        Self {
            report,
            orders: ledger.orders().values().copied().collect(),
            fills,
            latency,
            names: info.names,
        }
    }
}

impl SessionReport {
    fn new(
        info: &SessionInfo,
        recovered: &RecoveredState,
        latency: &StageLatency,
        ledger: &Ledger,
    ) -> Self {
        let orders = ledger.tally().counts();
        let portfolio = ledger.portfolio();
        let names = &info.names;
        let by_name = |codes: &BTreeMap<crate::types::RefusalCode, u64>| {
            codes.iter().map(|(c, &n)| (c.as_str(), n)).collect()
        };
        Self {
            trading_mode: info.trading_mode.as_str().to_owned(),
            execution_mode: info.execution_mode.as_str().to_owned(),
            layout: info.layout.clone(),
            started_at: info.started_at.clone(),
            ended_at: info.ended_at.clone(),
            seed: info.seed,
            orders,
            fill_rate: orders.fill_rate(),
            slippage_bps: slippage(ledger),
            pnl: pnl(&portfolio.totals()),
            positions: positions(ledger, names),
            latency_ns: Stage::ALL
                .into_iter()
                .map(|stage| (stage.as_str(), latency.summary(stage)))
                .collect(),
            refusals: by_name(ledger.refusals()),
            change_refusals: by_name(ledger.change_refusals()),
            events: info.events,
            journal: info.journal,
            fills: fill_figures(ledger),
            recovered: recovered_figures(recovered),
            reconciliation: info
                .statements
                .iter()
                .map(|statement| Reconciliation::new(ledger, statement, names))
                .collect(),
            irregularities: irregularities(info, ledger, orders.refused),
            brokers: portfolio
                .brokers()
                .map(|broker| BrokerRow {
                    broker: names.broker(broker),
                    pnl: pnl(&portfolio.broker_totals(broker)),
                })
                .collect(),
            strategies: strategies(ledger, names),
            rings: rings(&info.rings),
        }
    }
}

fn pnl(totals: &super::portfolio::PortfolioTotals) -> ProfitAndLoss {
    ProfitAndLoss {
        realized: totals.realized,
        unrealized: totals.unrealized,
        fees: totals.fees,
        equity: totals.equity,
        cash: totals.cash,
        start_cash: totals.start_cash,
        adjustments: totals.adjustments,
        carried_cost: totals.carried_cost,
    }
}

fn positions(ledger: &Ledger, names: &Names) -> Vec<PositionRow> {
    let views = ledger.portfolio().views();
    let rows = views.iter().map(|view| PositionRow {
        broker: names.broker(view.broker),
        symbol: names.symbol(view.instrument),
        quantity: view.position.quantity,
        average_price: view.position.average_price(),
        market_price: view.mark,
        unrealized: view.unrealized,
    });
    rows.collect()
}

fn strategies(ledger: &Ledger, names: &Names) -> Vec<StrategyRow> {
    let strategies = ledger.portfolio().strategies();
    let rows = strategies.iter().map(|(&strategy, totals)| StrategyRow {
        strategy: names.strategy(strategy),
        realized: totals.realized,
        unrealized: totals.unrealized,
        fees: totals.fees,
        positions: totals.active_positions,
    });
    rows.collect()
}

fn rings(readings: &[RingReading]) -> Vec<RingRow> {
    let rows = readings.iter().map(|reading| RingRow {
        name: reading.name.clone(),
        capacity: reading.capacity,
        high_water_mark: reading.high_water_mark,
        refused: reading.refused,
    });
    rows.collect()
}

fn fill_figures(ledger: &Ledger) -> FillFigures {
    let turnover = ledger.portfolio().turnover();
    FillFigures {
        count: turnover.buys + turnover.sells,
        buys: turnover.buys,
        sells: turnover.sells,
        quantity: QuantitySum(turnover.quantity_units),
        notional: turnover.notional,
    }
}

fn recovered_figures(recovered: &RecoveredState) -> RecoveredFigures {
    let positions = &recovered.positions;
    let held = positions.iter().filter(|p| !p.position.quantity.is_zero());
    RecoveredFigures {
        orders: recovered.orders.len() as u64,
        positions: held.count() as u64,
        realized: positions.iter().map(|p| p.position.realized).sum(),
        fees: positions.iter().map(|p| p.position.fees).sum(),
    }
}

fn irregularities(info: &SessionInfo, ledger: &Ledger, refused: u64) -> IrregularFigures {
    let found = ledger.irregularities();
    let totals = ledger.portfolio().totals();
    let refusals: u64 = ledger.refusals().values().sum();
    IrregularFigures {
        duplicate_executions: found.duplicate_executions,
        unexpected_fills: found.unexpected_fills,
        foreign_fills: found.foreign_fills,
        foreign_reports: found.foreign_reports,
        anomalies: found.anomalies,
        overflows: found.overflows,
        repeated_ids: refusals.saturating_sub(refused),
        unmarked_positions: totals.unmarked_positions as u64,
        unknown_accounts: totals.unknown_accounts as u64,
        events_dropped: info.events_dropped,
    }
}

/// See the module. Ratios of exact numbers; only the statistics are floating point, rounded to
/// 10^-4 basis points.
fn slippage(ledger: &Ledger) -> Slippage {
    let orders = ledger.orders().values();
    let mut values: Vec<f64> = orders.filter_map(slippage_of).collect();
    if values.is_empty() {
        return Slippage::default();
    }
    let rounded = |value: f64| Some((value * 1e4).round() / 1e4 + 0.0);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.sort_by(f64::total_cmp);
    let rank = |quantile: f64| {
        let rank = (quantile * values.len() as f64).ceil() as usize;
        rounded(values[rank.clamp(1, values.len()) - 1])
    };
    Slippage {
        mean: rounded(mean),
        p50: rank(0.5),
        p90: rank(0.9),
        p99: rank(0.99),
    }
}

fn slippage_of(order: &LedgerOrder) -> Option<f64> {
    let decision = order.request.decision_price;
    let average = order.state.value().per_unit(order.state.filled())?;
    if !decision.is_positive() {
        return None;
    }
    let moved = average.units() as f64 - decision.units() as f64;
    let cost = match order.request.order.side {
        Side::Buy => moved,
        Side::Sell => -moved,
    };
    Some(cost / decision.units() as f64 * 1e4)
}

/// Exact decimal text.
pub(crate) fn as_text<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: std::fmt::Display,
    S: Serializer,
{
    serializer.collect_str(value)
}

fn maybe_text<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: std::fmt::Display,
    S: Serializer,
{
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::text::summary(&self.report))
    }
}
