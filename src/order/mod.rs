//! The ORDER agent: the order table, the journal's pen, and the way to the brokers.
//!
//! Runs on: ORDER's thread; [`PortHealth`] and [`OrderGauges`] are read from any.
//! Owns: every order from its approval to its end, and what follows from each event.
//! Never: acts on what is not in the journal yet; sends an order twice or elsewhere.

mod cancel_all;
mod decisions;
mod doubts;
mod durable;
mod executions;
mod fast_path;
mod manager;
mod ports;
mod reports;

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

pub use fast_path::FastExecutionPath;
pub use manager::{OrderEntry, OrderManager, PendingTerms};
pub use ports::PortHealth;

use crate::ring::{Consumer, Producer};
use crate::types::{
    BrokerCommand, BrokerId, BrokerReport, Event, Exposure, OrderId, OrderReport, PortId,
    RiskDecision, RoutingTable,
};

/// What ORDER is built with.
#[derive(Debug, Clone)]
pub struct OrderSettings {
    /// Orders that the table holds; finished ones stay findable until their place is needed.
    pub capacity: usize,
    /// Ports that orders come from.
    pub ports: usize,
    /// Brokers.
    pub brokers: u8,
    /// Strategies, for the kill word.
    pub strategies: u8,
    /// The links as ORDER knows them.
    pub routing: RoutingTable,
    /// Whether every order waits until its intent is on disk, not only those that ask for it.
    pub durable_default: bool,
    /// Execution ids that are remembered against repetition.
    pub execution_ids: usize,
    /// The most messages taken from each ring in one cycle.
    pub work_per_cycle: usize,
}

impl OrderSettings {
    /// The default table (131,072 orders, four execution ids each) for this many ports, brokers and
    /// strategies.
    #[must_use]
    pub const fn new(ports: usize, brokers: u8, strategies: u8, routing: RoutingTable) -> Self {
        Self {
            capacity: 131_072,
            ports,
            brokers,
            strategies,
            routing,
            durable_default: false,
            execution_ids: 4 * 131_072,
            work_per_cycle: 256,
        }
    }
}

/// ORDER's ends of its rings.
#[derive(Debug)]
pub struct OrderRings {
    /// From RISK.
    pub decisions: Consumer<RiskDecision>,
    /// To RISK; waits.
    pub exposure: Producer<Exposure>,
    /// To the gateways, by broker; wait.
    pub commands: Vec<Producer<BrokerCommand>>,
    /// From the gateways, by broker.
    pub reports: Vec<Consumer<BrokerReport>>,
    /// To the ports; a full one is marked as lagged.
    pub port_reports: Vec<Producer<OrderReport>>,
    /// To the cold side; drops are counted by the ring.
    pub events: Producer<Event>,
}

/// Why the agent cannot begin with what the journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderStartError {
    /// More working orders than places.
    #[error("{orders} recovered orders do not fit into a table of {capacity}")]
    TableTooSmall {
        /// Working orders in the journal.
        orders: usize,
        /// Places.
        capacity: usize,
    },
    /// An order of a port that this run does not have.
    #[error("recovered order {order} belongs to port {}, of {ports} ports", port.0)]
    UnknownPort {
        /// Which order.
        order: OrderId,
        /// Its port.
        port: PortId,
        /// Ports of this run.
        ports: usize,
    },
    /// An order at a broker that this run does not have.
    #[error("recovered order {order} is at broker {}, of {brokers} brokers", broker.0)]
    UnknownBroker {
        /// Which order.
        order: OrderId,
        /// Its broker.
        broker: BrokerId,
        /// Brokers of this run.
        brokers: u8,
    },
    /// The same order twice.
    #[error("recovered order {order} is there twice")]
    Repeated {
        /// Which order.
        order: OrderId,
    },
}

/// ORDER's counters; one writer, readable from any thread.
#[derive(Debug, Default)]
pub struct OrderGauges(CachePadded<GaugeCells>);

#[derive(Debug, Default)]
struct GaugeCells {
    working: AtomicU64,
    waiting_for_answer: AtomicU64,
    anomalies: AtomicU64,
    repeated_executions: AtomicU64,
    foreign_fills: AtomicU64,
    unexpected_fills: AtomicU64,
    lags: AtomicU64,
}

/// A reading of [`OrderGauges`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderReading {
    /// Orders that are not done, those in doubt included.
    pub working: u64,
    /// Orders that wait for a look-up's answer.
    pub waiting_for_answer: u64,
    /// Reports that did not fit their order.
    pub anomalies: u64,
    /// Fills that were reported more than once and counted once.
    pub repeated_executions: u64,
    /// Fills of orders that the table does not know.
    pub foreign_fills: u64,
    /// Fills of finished orders or beyond their quantity.
    pub unexpected_fills: u64,
    /// Times that a port was marked as lagged.
    pub lags: u64,
}

impl OrderGauges {
    /// The counters now.
    #[must_use]
    pub fn read(&self) -> OrderReading {
        let load = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        OrderReading {
            working: load(&self.0.working),
            waiting_for_answer: load(&self.0.waiting_for_answer),
            anomalies: load(&self.0.anomalies),
            repeated_executions: load(&self.0.repeated_executions),
            foreign_fills: load(&self.0.foreign_fills),
            unexpected_fills: load(&self.0.unexpected_fills),
            lags: load(&self.0.lags),
        }
    }

    /// One writer: a plain addition is enough.
    fn add(cell: &AtomicU64) {
        cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn add_anomaly(&self) {
        Self::add(&self.0.anomalies);
    }

    fn add_repeated_execution(&self) {
        Self::add(&self.0.repeated_executions);
    }

    fn add_foreign_fill(&self) {
        Self::add(&self.0.foreign_fills);
    }

    fn add_unexpected_fill(&self) {
        Self::add(&self.0.unexpected_fills);
    }

    fn add_lag(&self) {
        Self::add(&self.0.lags);
    }

    fn set_table(&self, working: usize, waiting_for_answer: usize) {
        self.0.working.store(working as u64, Ordering::Relaxed);
        self.0
            .waiting_for_answer
            .store(waiting_for_answer as u64, Ordering::Relaxed);
    }
}
