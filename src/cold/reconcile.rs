//! The engine's books against a broker's own statement.
//!
//! Runs on: whoever makes a report.
//! Owns: the comparison, exact to the last unit.
//! Never: changes either side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ledger::Ledger;
use super::report::{Names, as_text};
use crate::types::{AccountStatement, InstrumentId, Money, OrderId, Quantity};

/// Cash on both sides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CashComparison {
    /// By the engine's books.
    #[serde(serialize_with = "as_text")]
    pub engine: Money,
    /// By the broker's.
    #[serde(serialize_with = "as_text")]
    pub broker: Money,
    /// Whether they are the same.
    pub equal: bool,
}

/// A position that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PositionDifference {
    /// What.
    pub symbol: String,
    /// By the engine's books.
    #[serde(serialize_with = "as_text")]
    pub engine: Quantity,
    /// By the broker's.
    #[serde(serialize_with = "as_text")]
    pub broker: Quantity,
}

/// Positions on both sides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PositionComparison {
    /// Positions that are not flat by the engine's books.
    pub engine: usize,
    /// By the broker's.
    pub broker: usize,
    /// Whether all are the same.
    pub equal: bool,
    /// Those that are not.
    pub differences: Vec<PositionDifference>,
}

/// Working orders on both sides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OpenOrderComparison {
    /// Orders that are not finished by the engine's books, those in doubt included.
    pub engine: usize,
    /// Working orders by the broker's.
    pub broker: usize,
    /// Whether they are the same orders.
    pub equal: bool,
    /// Orders that only the engine has.
    pub only_engine: Vec<String>,
    /// Orders that only the broker has.
    pub only_broker: Vec<String>,
}

/// One broker's reconciliation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reconciliation {
    /// Which broker.
    pub broker: String,
    /// Whether everything is the same.
    pub equal: bool,
    /// Cash.
    pub cash: CashComparison,
    /// Positions.
    pub positions: PositionComparison,
    /// Working orders.
    pub open_orders: OpenOrderComparison,
}

impl Reconciliation {
    /// Compares a ledger with a statement of the same instant.
    #[must_use]
    pub fn new(ledger: &Ledger, statement: &AccountStatement, names: &Names) -> Self {
        let cash = cash(ledger, statement);
        let positions = positions(ledger, statement, names);
        let open_orders = open_orders(ledger, statement);
        Self {
            broker: names.broker(statement.broker),
            equal: cash.equal && positions.equal && open_orders.equal,
            cash,
            positions,
            open_orders,
        }
    }
}

fn cash(ledger: &Ledger, statement: &AccountStatement) -> CashComparison {
    let engine = ledger.portfolio().broker_totals(statement.broker).cash;
    CashComparison {
        engine,
        broker: statement.cash,
        equal: engine == statement.cash,
    }
}

fn positions(ledger: &Ledger, statement: &AccountStatement, names: &Names) -> PositionComparison {
    let mut both: BTreeMap<InstrumentId, (Quantity, Quantity)> = BTreeMap::new();
    for view in ledger.portfolio().views() {
        if view.broker == statement.broker {
            both.entry(view.instrument).or_default().0 = view.position.quantity;
        }
    }
    for &(instrument, quantity) in &statement.positions {
        both.entry(instrument).or_default().1 = quantity;
    }
    let differences: Vec<_> = both
        .iter()
        .filter(|(_, (engine, broker))| engine != broker)
        .map(|(&instrument, &(engine, broker))| PositionDifference {
            symbol: names.symbol(instrument),
            engine,
            broker,
        })
        .collect();
    PositionComparison {
        engine: both.values().filter(|(q, _)| !q.is_zero()).count(),
        broker: both.values().filter(|(_, q)| !q.is_zero()).count(),
        equal: differences.is_empty(),
        differences,
    }
}

fn open_orders(ledger: &Ledger, statement: &AccountStatement) -> OpenOrderComparison {
    let engine: BTreeSet<OrderId> = ledger
        .orders()
        .values()
        .filter(|order| order.refusal.is_none() && order.broker == Some(statement.broker))
        .filter(|order| !order.state.status().is_terminal())
        .map(|order| order.request.order_id)
        .collect();
    let broker: BTreeSet<OrderId> = statement.open_orders.iter().copied().collect();
    let only = |here: &BTreeSet<OrderId>, there: &BTreeSet<OrderId>| -> Vec<String> {
        here.difference(there).map(OrderId::to_string).collect()
    };
    OpenOrderComparison {
        engine: engine.len(),
        broker: broker.len(),
        equal: engine == broker,
        only_engine: only(&engine, &broker),
        only_broker: only(&broker, &engine),
    }
}
