//! The cold side: what happened, added up, told to people and written down.
//!
//! Runs on: COLD (portfolio, positions, metrics, latency), DELIVERY (user handlers), and whoever
//! writes a report.
//! Owns: every figure that a person reads; it may allocate and lock, since no order waits for it.
//! Never: runs user code on COLD, decides about an order, or invents a number that it does not
//! have.
//!
//! Two ways lead here. The ring of events from ORDER is quick and may drop: [`ColdAgent`] lives on
//! it, and rebuilds itself from the journal when something was dropped. The journal drops nothing:
//! [`Session`], the session report, is made from it alone. Both use one arithmetic,
//! [`PortfolioManager`], and one order book of facts, [`Ledger`].

pub mod agent;
pub mod bus;
pub mod events;
pub mod files;
pub mod hgrm;
pub mod latency;
pub mod ledger;
pub mod marks;
pub mod metrics;
pub mod portfolio;
pub mod positions;
pub mod reconcile;
pub mod report;
pub mod state;
pub mod svg;
pub mod text;

pub use agent::{ColdAgent, ColdSettings, JournalSource, ReplayError};
pub use bus::{
    BusReading, Delivery, EventBus, Handler, Publisher, Subscription, SubscriptionError,
};
pub use events::{EngineEvent, EventKind, GapCause};
pub use files::{ReportError, write_atomically};
pub use latency::{LatencySummary, Stage, StageLatency};
pub use ledger::{FillRow, Ledger, LedgerOrder};
pub use marks::Marks;
pub use metrics::{OrderCounts, SessionMetrics};
pub use portfolio::{PortfolioManager, PortfolioTotals, PositionView, StrategyTotals};
pub use positions::{PositionEvent, PositionFill, PositionManager};
pub use reconcile::Reconciliation;
pub use report::{JournalFigures, Names, Session, SessionInfo, SessionReport};
pub use state::{ColdShared, GapStatus, Snapshot};
pub use text::summary;
