//! A simulated Alpaca: what Alpaca adds to an exchange, and its wire.
//!
//! Runs on: the venue's threads; the core itself on whoever holds it.
//! Owns: the trading API, the market-data API, both streams, and faults on request.
//! Never: leaves loopback by itself: it listens where it is told.

pub mod account;
pub mod activities;
mod admin;
pub mod assets;
mod classes;
pub mod core;
pub mod data;
mod data_stream;
pub mod error;
pub mod fault;
mod http;
mod hub;
pub mod json;
pub mod limiter;
pub mod msgpack;
mod orders;
mod playback;
mod positions;
pub mod record;
mod replace;
pub mod request;
mod route;
mod server;
mod shared;
mod state;
mod stream;
mod tap;
pub mod validate;
pub mod watchlists;

pub use server::{Handle, serve};
