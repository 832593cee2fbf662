//! Shrike: a low-latency trading execution engine.
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod cold;
pub mod config;
pub mod engine;
pub mod gateway;
pub mod journal;
pub mod market;
pub mod order;
pub mod ring;
pub mod risk;
pub mod runtime;
pub mod sim;
pub mod types;
