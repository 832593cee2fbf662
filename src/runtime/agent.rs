//! The duty-cycle agent, as Aeron and Agrona have it.
//!
//! Runs on: whatever runner polls it.
//! Owns: the contract.
//! Never: waits.

use crate::types::Nanos;

/// A state machine that does a bounded amount of work each time it is polled.
///
/// In `poll` an agent reads no clock but the stage clock (whose stamps it copies into messages and never decides on),
/// takes no lock, allocates nothing, logs nothing and waits for nothing. Before it takes input it checks that every
/// ring which that input may write has room; back rings are drained first.
pub trait Agent: Send {
    /// Its name, as threads and metrics show it.
    fn name(&self) -> &'static str;

    /// Called once on the agent's own thread before the first poll.
    fn on_start(&mut self, _now: Nanos) {}

    /// Does what there is to do at `now`, within bounds; returns how many items of work were done, 0 when idle.
    fn poll(&mut self, now: Nanos) -> usize;

    /// The next instant at which this agent has something to do although nothing arrives. A virtual clock moves to
    /// the earliest of these when every agent is idle.
    fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    /// Called once on the agent's own thread after the last poll.
    fn on_close(&mut self, _now: Nanos) {}
}
