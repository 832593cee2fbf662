//! The engine's `net` as far as it needs no socket.
//!
//! Runs on: fuzzers.
//! Owns: nothing; the sources are the engine's.
//! Never: differs from them.

#[path = "../../src/net/error.rs"]
pub mod error;
#[path = "../../src/net/http/mod.rs"]
pub mod http;
#[path = "../../src/net/limits.rs"]
pub mod limits;
#[path = "../../src/net/websocket/mod.rs"]
pub mod websocket;

pub use error::{HttpError, HttpRule};
pub use limits::{HttpLimits, WebSocketLimits};
