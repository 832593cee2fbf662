//! The library's face, and the only wiring.
//!
//! Runs on: callers' threads; it starts and ends every other one.
//! Owns: [`ExecutionEngine`], [`TradingSystem`], [`ExecutionManager`], ports, algorithms, shutdown.
//! Never: decides about an order: RISK, ORDER and the gateways do.
//!
//! An engine's life: [`ExecutionEngine::builder`], [`build`](EngineBuilder::build),
//! [`initialize`](ExecutionEngine::initialize), [`start_trading`](ExecutionEngine::start_trading), any number of
//! calls from any thread, [`shutdown`](ExecutionEngine::shutdown) with the session report.
//!
//! | who runs your code | on which thread |
//! |---|---|
//! | [`Algorithm`] callbacks | its own (`shrike-algo-N`); in the `invoker` layout the one that calls `run_for` |
//! | event handlers | DELIVERY (`shrike-deliver`) |
//! | a [`Subscription`](crate::cold::Subscription), a [`Port`] from `open_port` | yours |

mod algorithm;
mod boot;
mod builder;
mod cold_agents;
mod demo;
mod error;
mod execution_engine;
mod execution_manager;
#[cfg(test)]
mod fault_tests;
mod machine;
mod port;
mod session;
mod settings;
mod shared;
mod source;
mod status;
mod trading_system;
mod wiring;

pub use algorithm::{
    Algorithm, AlgorithmFactory, AlgorithmParameters, AlgorithmRegistry, Context, FactoryError,
    TimerId,
};
pub use builder::{EngineBuilder, check_algorithms, check_machine};
pub use demo::Demo;
pub use error::EngineError;
pub use execution_engine::{ExecutionEngine, RefusalReason, RunState, SubmitOutcome};
pub use execution_manager::{ExecutionManager, SignalError};
pub use port::{OrderView, Port, SubmitError};
pub use shared::{AccountView, BrokerInfo, EnginePhase};
pub use status::{BrokerStatus, ComprehensiveStatus, Progress};
pub use trading_system::{Health, TradingSystem};
