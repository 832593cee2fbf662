//! Everything that the engine knows of itself, at one instant.
//!
//! Runs on: the caller's thread.
//! Owns: the shape of the comprehensive status, as values and as JSON.
//! Never: stops an agent to look at it.

use std::time::Duration;

use serde_json::{Value, json};

use super::shared::{AccountView, BrokerInfo, EnginePhase};
use super::wiring::Wired;
use crate::cold::{PortfolioTotals, PositionView, SessionMetrics, Snapshot};
use crate::config::Config;
use crate::market::FeedState;
use crate::order::OrderReading;
use crate::ring::RingReading;
use crate::runtime::{Fault, RunnerReading};
use crate::types::{BootEpoch, ExecutionMode, InstrumentTable, Money, TradingMode};

/// A few figures for a line of progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Orders submitted.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Working orders.
    pub open_orders: u64,
    /// Realised and unrealised profit less fees.
    pub pnl: Money,
    /// 99th percentile of signal to encoded, nanoseconds.
    pub internal_p99_ns: Option<u64>,
}

/// One broker in a status.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerStatus {
    /// Which.
    pub info: BrokerInfo,
    /// Whether its link is up.
    pub up: bool,
    /// Cash, equity and profit there.
    pub books: PortfolioTotals,
}

/// See the module.
#[derive(Clone, PartialEq, Debug)]
pub struct ComprehensiveStatus {
    /// How far the engine is.
    pub phase: EnginePhase,
    /// Paper or live.
    pub trading_mode: TradingMode,
    /// Who releases orders.
    pub execution_mode: ExecutionMode,
    /// Which agents share a thread.
    pub layout: &'static str,
    /// This boot.
    pub epoch: BootEpoch,
    /// Since [`initialize`](super::ExecutionEngine::initialize).
    pub uptime: Duration,
    /// Equity, baselines and trading state by RISK.
    pub account: AccountView,
    /// Brokers.
    pub brokers: Vec<BrokerStatus>,
    /// Positions that are not flat.
    pub positions: Vec<PositionView>,
    /// The session's figures.
    pub metrics: SessionMetrics,
    /// Portfolio, latency and more from the cold side.
    pub cold: Snapshot,
    /// ORDER's counters.
    pub orders: OrderReading,
    /// Whether more market data may come.
    pub market: FeedState,
    /// Rows delivered.
    pub market_rows: u64,
    /// Rows skipped because something was wrong with them.
    pub bad_rows: u64,
    /// Rings.
    pub rings: Vec<RingReading>,
    /// Threads.
    pub threads: Vec<RunnerReading>,
    /// Agents that panicked.
    pub faults: Vec<Fault>,
    /// The last journal sequence that is on disk.
    pub durable_sequence: u64,
    /// Why the journal failed, if it did.
    pub journal_error: Option<String>,
    symbols: std::sync::Arc<InstrumentTable>,
}

impl ComprehensiveStatus {
    pub(super) fn read(wired: &Wired, config: &Config, uptime: Duration) -> Self {
        let cold = wired.cold.snapshot();
        let brokers = wired.shared.brokers.iter().map(|info| BrokerStatus {
            info: info.clone(),
            up: cold.links.get(&info.id).copied().unwrap_or(false),
            books: wired.cold.broker_totals(info.id),
        });
        Self {
            phase: wired.shared.phase(),
            trading_mode: config.trading_mode,
            execution_mode: config.execution_mode,
            layout: wired.plan.layout.name(),
            epoch: wired.boot.epoch,
            uptime,
            account: wired.shared.account(),
            brokers: brokers.collect(),
            positions: cold.positions.clone(),
            metrics: cold.metrics,
            orders: wired.order_gauges.read(),
            market: wired.feed.state(),
            market_rows: wired.feed.delivered(),
            bad_rows: wired.feed.bad(),
            rings: wired.topology.readings(),
            threads: wired.machine.readings(),
            faults: wired.guard.faults.faults(),
            durable_sequence: wired.journal.durable_sequence(),
            journal_error: wired.journal.error().map(str::to_owned),
            symbols: std::sync::Arc::clone(&wired.shared.instruments),
            cold,
        }
    }

    /// As one JSON object; money, prices and quantities are decimal text.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let money = |amount: Option<Money>| amount.map(|amount| amount.to_string());
        json!({
            "phase": self.phase.as_str(),
            "trading_mode": self.trading_mode.as_str(),
            "execution_mode": self.execution_mode.as_str(),
            "trading_state": self.account.trading_state.as_str(),
            "layout": self.layout,
            "epoch": self.epoch.get(),
            "uptime_seconds": self.uptime.as_secs_f64(),
            "account": {
                "equity": money(self.account.equity),
                "start_of_day_equity": money(self.account.start_of_day_equity),
                "high_water_mark": money(self.account.high_water_mark),
            },
            "brokers": self.brokers.iter().map(broker_json).collect::<Vec<_>>(),
            "positions": self.positions.iter().map(|held| json!({
                "broker": self.broker_name(held.broker),
                "symbol": self.symbols.symbol(held.instrument),
                "quantity": held.position.quantity.to_string(),
                "average_price": held.position.average_price().map(|price| price.to_string()),
                "market_price": held.mark.map(|price| price.to_string()),
                "unrealized": held.unrealized.to_string(),
            })).collect::<Vec<_>>(),
            "metrics": self.metrics.to_map(),
            "latency_ns": self.cold.latency.iter().map(|(stage, summary)| {
                (stage.as_str().to_owned(), json!(summary))
            }).collect::<serde_json::Map<_, _>>(),
            "market": {
                "rows": self.market_rows,
                "bad_rows": self.bad_rows,
                "finished": self.market == FeedState::Finished,
            },
            "rings": self.rings.iter().map(|ring| json!({
                "name": ring.name,
                "capacity": ring.capacity,
                "depth": ring.depth,
                "high_water_mark": ring.high_water_mark,
                "refused": ring.refused,
            })).collect::<Vec<_>>(),
            "threads": self.threads.iter().map(|thread| json!({
                "name": thread.name,
                "core": thread.placement.to_string(),
                "idle": thread.idle.name(),
                "cycles": thread.cycles.cycles,
                "longest_cycle_ns": thread.cycles.longest_ns,
                "stalls": thread.cycles.stalls,
            })).collect::<Vec<_>>(),
            "faults": self.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "journal": {
                "durable_sequence": self.durable_sequence,
                "error": self.journal_error,
            },
        })
    }

    fn broker_name(&self, id: crate::types::BrokerId) -> &str {
        self.brokers
            .iter()
            .find(|broker| broker.info.id == id)
            .map_or("?", |broker| broker.info.name.as_str())
    }
}

fn broker_json(broker: &BrokerStatus) -> Value {
    json!({
        "name": broker.info.name,
        "kind": broker.info.kind,
        "up": broker.up,
        "cash": broker.books.cash.to_string(),
        "equity": broker.books.equity.to_string(),
        "realized": broker.books.realized.to_string(),
        "unrealized": broker.books.unrealized.to_string(),
        "fees": broker.books.fees.to_string(),
    })
}
