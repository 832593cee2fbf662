//! Gateways: the one place where orders leave the engine, one agent a broker.
//!
//! Runs on: GATEWAY, one agent a broker instance.
//! Owns: the last test of the kill word, the rings to and from ORDER, and each broker's session behind one trait.
//! Never: sends an order twice, calls an unknown outcome a failure, or drops a report.
//!
//! [`GatewayAgent`] is the same for every broker: it takes commands from ORDER's ring, has the session make them ready,
//! reads the kill word as the last thing before the session writes, and passes on what the broker says. A
//! [`BrokerSession`] speaks one broker's language; [`paper`] is the simulated exchange of [`crate::sim`].

pub mod agent;
pub mod paper;
pub mod session;

pub use agent::{GatewayAgent, GatewayRings};
pub use session::{BrokerSession, SendOutcome};
