//! Agents and what runs them.
//!
//! Runs on: each agent on the thread that its layout gives it.
//! Owns: the duty cycle, idle strategies, layouts, clocks, pinning, memory locking, stall tracking.
//! Never: knows what an agent does.

pub mod agent;
pub mod clock;

pub use agent::Agent;
pub use clock::{Clock, ManualTime};
