//! One broker's share of the engine.
//!
//! Runs on: any thread.
//! Owns: a view of that broker's link, books and orders, and the switch that stops new orders to it.
//! Never: holds state of its own.

use std::sync::Arc;

use super::shared::{BrokerInfo, EngineShared};
use crate::cold::{ColdShared, PortfolioTotals, PositionView};
use crate::types::{KillScope, OrderReport, TradingState};

/// How a broker is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Health {
    /// Whether its link is up and reconciled.
    pub up: bool,
    /// Whether new orders are let through to it.
    pub enabled: bool,
    /// Its own trading state.
    pub trading_state: TradingState,
}

/// See the module; made by [`ExecutionEngine::trading_system`](super::ExecutionEngine::trading_system).
#[derive(Clone)]
pub struct TradingSystem {
    info: BrokerInfo,
    shared: Arc<EngineShared>,
    cold: ColdShared,
}

impl TradingSystem {
    pub(super) const fn new(info: BrokerInfo, shared: Arc<EngineShared>, cold: ColdShared) -> Self {
        Self { info, shared, cold }
    }

    /// Which broker.
    #[must_use]
    pub const fn info(&self) -> &BrokerInfo {
        &self.info
    }

    /// Link, switch and trading state.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            up: self
                .cold
                .snapshot()
                .links
                .get(&self.info.id)
                .copied()
                .unwrap_or(false),
            enabled: !self.shared.kill.is_set(KillScope::Broker(self.info.id)),
            trading_state: self.shared.risk.broker_state(self.info.id),
        }
    }

    /// Cash, equity and profit at this broker.
    #[must_use]
    pub fn books(&self) -> PortfolioTotals {
        self.cold.broker_totals(self.info.id)
    }

    /// Positions at this broker that are not flat.
    #[must_use]
    pub fn positions(&self) -> Vec<PositionView> {
        let mut positions = self.cold.positions();
        positions.retain(|position| position.broker == self.info.id);
        positions
    }

    /// Working orders at this broker.
    #[must_use]
    pub fn orders(&self) -> Vec<OrderReport> {
        let mut orders = self.cold.open_orders();
        orders.retain(|order| order.broker == Some(self.info.id));
        orders
    }

    /// Lets new orders through to this broker again.
    pub fn enable(&self) {
        self.shared.kill.clear(KillScope::Broker(self.info.id));
    }

    /// Stops new orders to this broker at its gateway, from the next one on. Its working orders are canceled.
    pub fn disable(&self) {
        self.shared.kill.set(KillScope::Broker(self.info.id));
    }
}
