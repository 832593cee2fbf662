//! Session metrics: counts of orders by state, and the figures with the names that dashboards know.
//!
//! Runs on: COLD, and whoever makes a report.
//! Owns: where an order counts, so that `submitted` is the sum of `approved`, `refused` and `held`,
//! and `approved` that of `filled`, `canceled`, `rejected`, `expired`, `absent`, `open` and
//! `in_doubt`, by construction.
//! Never: counts an order twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::types::decimal::{SCALE, format_scaled};
use crate::types::{Money, OrderStatus};

/// Orders of a session by where they stand. Working orders that a restart carried in count as
/// submitted and approved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct OrderCounts {
    /// Orders asked for: approved, refused and held.
    pub submitted: u64,
    /// Orders that passed every check.
    pub approved: u64,
    /// Orders that this engine refused.
    pub refused: u64,
    /// Orders that wait for a person.
    pub held: u64,
    /// Whole quantity traded.
    pub filled: u64,
    /// Open orders of which some traded.
    pub partially_filled: u64,
    /// Canceled, whatever traded before.
    pub canceled: u64,
    /// Not taken by the broker, or provably never sent.
    pub rejected: u64,
    /// Time ran out.
    pub expired: u64,
    /// Looked up and definitely not there.
    pub absent: u64,
    /// On their way or working.
    pub open: u64,
    /// Outcome unknown.
    pub in_doubt: u64,
}

impl OrderCounts {
    /// Filled orders of all submitted; `None` at 0.
    #[must_use]
    pub fn fill_rate(&self) -> Option<f64> {
        (self.submitted > 0).then(|| self.filled as f64 / self.submitted as f64)
    }
}

/// Counts orders as they come and change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    by_status: [u64; OrderStatus::ALL.len()],
    partially_filled: u64,
    /// Refused by this engine.
    pub(crate) refused: u64,
}

impl Tally {
    /// An approved order stands here now.
    pub(crate) fn add(&mut self, status: OrderStatus, has_fills: bool) {
        self.by_status[status as usize] += 1;
        self.partially_filled += u64::from(is_partial(status, has_fills));
    }

    /// An approved order stands here no more.
    pub(crate) fn remove(&mut self, status: OrderStatus, has_fills: bool) {
        debug_assert!(
            self.by_status[status as usize] > 0,
            "invariant: what is removed was added"
        );
        self.by_status[status as usize] = self.by_status[status as usize].saturating_sub(1);
        let partial = u64::from(is_partial(status, has_fills));
        self.partially_filled = self.partially_filled.saturating_sub(partial);
    }

    pub(crate) fn counts(&self) -> OrderCounts {
        use OrderStatus as S;
        let of = |status: OrderStatus| self.by_status[status as usize];
        let open = [
            S::PendingNew,
            S::New,
            S::PartiallyFilled,
            S::PendingCancel,
            S::PendingReplace,
            S::Replaced,
        ]
        .map(of)
        .iter()
        .sum();
        let held = of(S::Held);
        let approved = self.by_status.iter().sum::<u64>() - held;
        OrderCounts {
            submitted: approved + self.refused + held,
            approved,
            refused: self.refused,
            held,
            filled: of(S::Filled),
            partially_filled: self.partially_filled,
            canceled: of(S::Canceled),
            rejected: of(S::Rejected),
            expired: of(S::Expired),
            absent: of(S::Absent),
            open,
            in_doubt: of(S::InDoubt),
        }
    }
}

const fn is_partial(status: OrderStatus, has_fills: bool) -> bool {
    has_fills
        && !status.is_terminal()
        && !matches!(status, OrderStatus::InDoubt | OrderStatus::Held)
}

/// A sum of quantities, which may exceed what one quantity holds; prints as decimal text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct QuantitySum(pub i128);

impl fmt::Display for QuantitySum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_scaled(f, self.0, SCALE)
    }
}

/// The figures of a session at an instant. Money is exact; times are in nanoseconds unless the name
/// says otherwise.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct SessionMetrics {
    /// Orders by where they stand.
    pub orders: OrderCounts,
    /// Fills booked.
    pub total_fills: u64,
    /// Sum of their quantities.
    pub total_quantity_filled: QuantitySum,
    /// Sum of their prices times quantities.
    pub total_notional_traded: Money,
    /// Fees paid in this session.
    pub total_fees: Money,
    /// Positions that are not flat, by broker and instrument.
    pub active_positions: usize,
    /// Of them, never marked and valued at cost.
    pub unmarked_positions: usize,
    /// Profit closed in this session, fees not counted.
    pub realized_pnl: Money,
    /// Profit open.
    pub unrealized_pnl: Money,
    /// Cash and the value of what is held.
    pub equity: Money,
    /// Cash.
    pub cash: Money,
    /// Events taken from ORDER's ring.
    pub events_processed: u64,
    /// Events that the ring dropped because it was full; the journal has them.
    pub events_dropped: u64,
    /// Rebuilds from the journal after dropped events.
    pub rebuilds: u64,
    /// Reports that did not fit their order's life cycle.
    pub anomalies: u64,
    /// Fills for orders that this engine does not know.
    pub foreign_fills: u64,
    /// Fills of finished orders or beyond an order's quantity.
    pub unexpected_fills: u64,
    /// Time since the start, by the engine's clock.
    pub uptime_ns: u64,
    /// Request built to bytes ready: half took at most this; `None` before the first.
    pub latency_internal_p50_ns: Option<u64>,
    /// 99 %.
    pub latency_internal_p99_ns: Option<u64>,
    /// 99.9 %.
    pub latency_internal_p99_9_ns: Option<u64>,
    /// The longest.
    pub latency_internal_max_ns: Option<u64>,
    /// Write returned to acknowledgement received, half.
    pub latency_ack_p50_ns: Option<u64>,
    /// 99 %.
    pub latency_ack_p99_ns: Option<u64>,
}

impl SessionMetrics {
    /// Every figure by name. Counts are numbers, money and quantities decimal text, absent figures
    /// null.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, Value> {
        let orders = &self.orders;
        let figures: [(&str, Value); 36] = [
            ("total_orders_submitted", orders.submitted.into()),
            ("total_orders_approved", orders.approved.into()),
            ("total_orders_filled", orders.filled.into()),
            ("total_orders_canceled", orders.canceled.into()),
            ("total_orders_rejected", orders.rejected.into()),
            ("total_orders_refused", orders.refused.into()),
            ("total_orders_expired", orders.expired.into()),
            ("total_orders_absent", orders.absent.into()),
            ("open_orders", orders.open.into()),
            ("partially_filled_orders", orders.partially_filled.into()),
            ("in_doubt_orders", orders.in_doubt.into()),
            ("held_orders", orders.held.into()),
            ("total_fills", self.total_fills.into()),
            ("total_quantity_filled", text(&self.total_quantity_filled)),
            ("total_notional_traded", text(&self.total_notional_traded)),
            ("total_fees", text(&self.total_fees)),
            ("active_positions", self.active_positions.into()),
            ("unmarked_positions", self.unmarked_positions.into()),
            ("realized_pnl", text(&self.realized_pnl)),
            ("unrealized_pnl", text(&self.unrealized_pnl)),
            ("equity", text(&self.equity)),
            ("cash", text(&self.cash)),
            ("fill_rate", orders.fill_rate().into()),
            ("events_processed", self.events_processed.into()),
            ("events_dropped", self.events_dropped.into()),
            ("rebuilds", self.rebuilds.into()),
            ("anomalies", self.anomalies.into()),
            ("foreign_fills", self.foreign_fills.into()),
            ("unexpected_fills", self.unexpected_fills.into()),
            ("uptime_seconds", (self.uptime_ns as f64 / 1e9).into()),
            ("latency_p50_ns", self.latency_internal_p50_ns.into()),
            ("latency_p99_ns", self.latency_internal_p99_ns.into()),
            ("latency_p99_9_ns", self.latency_internal_p99_9_ns.into()),
            ("latency_max_ns", self.latency_internal_max_ns.into()),
            ("latency_ack_p50_ns", self.latency_ack_p50_ns.into()),
            ("latency_ack_p99_ns", self.latency_ack_p99_ns.into()),
        ];
        figures
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn text(value: &impl fmt::Display) -> Value {
    Value::String(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_counts_where_it_stands() {
        let mut tally = Tally::default();
        for status in OrderStatus::ALL {
            tally.add(status, true);
        }
        tally.refused = 3;
        let counts = tally.counts();
        assert_eq!((counts.open, counts.partially_filled), (6, 6));
        assert_eq!(counts.submitted, 13 + 3);
        assert_eq!(
            counts.approved,
            counts.filled
                + counts.canceled
                + counts.rejected
                + counts.expired
                + counts.absent
                + counts.open
                + counts.in_doubt
        );
        for status in OrderStatus::ALL {
            tally.remove(status, true);
        }
        let empty = tally.counts();
        assert_eq!((empty.approved, empty.partially_filled), (0, 0));
        assert_eq!(empty.submitted, 3);
        assert_eq!(empty.fill_rate(), Some(0.0));
        assert_eq!(OrderCounts::default().fill_rate(), None);
    }

    #[test]
    fn the_map_has_the_names_that_programs_read() {
        let metrics = SessionMetrics {
            total_quantity_filled: QuantitySum(12_500_000_000),
            uptime_ns: 1_500_000_000,
            ..SessionMetrics::default()
        };
        let map = metrics.to_map();
        for name in [
            "total_orders_submitted",
            "total_orders_filled",
            "total_orders_canceled",
            "total_orders_rejected",
            "total_orders_refused",
            "total_orders_expired",
            "open_orders",
            "total_fills",
            "total_notional_traded",
            "total_fees",
            "active_positions",
            "realized_pnl",
            "unrealized_pnl",
            "equity",
            "cash",
            "events_processed",
            "events_dropped",
            "latency_p50_ns",
            "latency_p99_ns",
        ] {
            assert!(map.contains_key(name), "{name}");
        }
        assert_eq!(map["total_quantity_filled"], "12.5");
        assert_eq!(map["uptime_seconds"], 1.5);
        assert_eq!(map["fill_rate"], Value::Null);
        assert_eq!(map.len(), 36, "every name is there once");
    }
}
