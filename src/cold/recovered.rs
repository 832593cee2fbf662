//! What a session began with and what its market data were worth, as the report shows them.
//!
//! Runs on: whoever makes a report.
//! Owns: the `recovered` and `market` objects of `session.json`.
//! Never: counts: both are copied from those who know.

use serde::Serialize;

use super::report::{Names, as_text};
use crate::types::{Money, Quantity, RecoveredState, Scope};

/// A working order that the journal held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecoveredOrderRow {
    /// Which.
    #[serde(serialize_with = "as_text")]
    pub order_id: crate::types::OrderId,
    /// Where.
    pub broker: String,
    /// What.
    pub symbol: String,
    /// Where it stood at the last record.
    pub status: &'static str,
    /// Total quantity.
    #[serde(serialize_with = "as_text")]
    pub quantity: Quantity,
    /// Filled of it.
    #[serde(serialize_with = "as_text")]
    pub filled: Quantity,
}

/// A position that the journal held, flat ones left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecoveredPositionRow {
    /// Where.
    pub broker: String,
    /// What.
    pub symbol: String,
    /// Signed.
    #[serde(serialize_with = "as_text")]
    pub quantity: Quantity,
    /// What it cost, signed.
    #[serde(serialize_with = "as_text")]
    pub cost: Money,
}

/// A broker's cash at the last record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecoveredCashRow {
    /// Where.
    pub broker: String,
    /// How much.
    #[serde(serialize_with = "as_text")]
    pub cash: Money,
}

/// A trading state that was not ACTIVE at the last record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecoveredTradingRow {
    /// `firm`, `broker NAME` or `strategy NAME`.
    pub scope: String,
    /// `REDUCING` or `HALTED`.
    pub state: &'static str,
    /// The latched control that set it; null where an operator did.
    pub cause: Option<&'static str>,
}

/// What came from the sessions before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RecoveredFigures {
    /// Working orders, by id.
    pub orders: Vec<RecoveredOrderRow>,
    /// Positions that were not flat.
    pub positions: Vec<RecoveredPositionRow>,
    /// Cash of each broker that had an account on record.
    pub cash: Vec<RecoveredCashRow>,
    /// Trading states other than ACTIVE.
    pub trading_states: Vec<RecoveredTradingRow>,
    /// Profit that was closed before.
    #[serde(serialize_with = "as_text")]
    pub realized: Money,
    /// Fees that were paid before.
    #[serde(serialize_with = "as_text")]
    pub fees: Money,
}

impl RecoveredFigures {
    pub(super) fn new(recovered: &RecoveredState, names: &Names) -> Self {
        let orders = recovered.orders.iter().map(|order| RecoveredOrderRow {
            order_id: order.order_id(),
            broker: names.broker(order.approved.broker),
            symbol: names.symbol(order.approved.request.order.instrument),
            status: order.state.status().as_str(),
            quantity: order.state.quantity(),
            filled: order.state.filled(),
        });
        let positions = recovered.positions.iter();
        let held = positions
            .clone()
            .filter(|held| !held.position.quantity.is_zero());
        let states = recovered.trading_states.iter();
        let states = states.map(|known| RecoveredTradingRow {
            scope: match known.scope {
                Scope::Firm => "firm".to_owned(),
                Scope::Broker(broker) => format!("broker {}", names.broker(broker)),
                Scope::Strategy(strategy) => format!("strategy {}", names.strategy(strategy)),
            },
            state: known.state.as_str(),
            cause: known.cause.map(|cause| cause.as_str()),
        });
        Self {
            orders: orders.collect(),
            positions: held
                .map(|held| RecoveredPositionRow {
                    broker: names.broker(held.broker),
                    symbol: names.symbol(held.instrument),
                    quantity: held.position.quantity,
                    cost: held.position.cost,
                })
                .collect(),
            cash: recovered
                .accounts
                .iter()
                .map(|account| RecoveredCashRow {
                    broker: names.broker(account.broker),
                    cash: account.cash,
                })
                .collect(),
            trading_states: states.collect(),
            realized: positions.clone().map(|held| held.position.realized).sum(),
            fees: positions.map(|held| held.position.fees).sum(),
        }
    }
}

/// The session's market data.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct MarketFigures {
    /// Rows read.
    pub rows: u64,
    /// Rows delivered.
    pub delivered: u64,
    /// Rows skipped because something was wrong with them.
    pub bad_rows: u64,
    /// Rows skipped because the exchange marked them as suspicious.
    pub suspicious_rows: u64,
    /// Rows skipped because nobody asked for their symbol.
    pub other_symbols: u64,
    /// The first bad rows, at most ten, with file and line.
    pub first_bad_rows: Vec<String>,
}
