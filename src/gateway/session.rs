//! What a gateway needs of a broker.
//!
//! Runs on: GATEWAY.
//! Owns: the contract between the agent and one broker's session.
//! Never: reads a clock or blocks: bytes, time and market rows are brought to a session.

use crate::types::{BrokerCommand, BrokerReject, BrokerReport, Nanos};

/// What became of a command that was ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendOutcome {
    /// Every byte was handed over. The outcome is open until a report says it.
    Sent,
    /// Some bytes are still to be handed over: the session itself reports `Sent`, `NotSent` or `InDoubt` later.
    Underway,
    /// Provably not one whole request left.
    NotSent(BrokerReject),
}

/// One broker's session, without I/O of its own.
///
/// A command goes in two halves: [`prepare`](Self::prepare) makes it ready to be written, and [`send`](Self::send)
/// writes it. Between the two the agent reads the kill word and, if that forbids the command, calls
/// [`discard`](Self::discard) instead.
pub trait BrokerSession: Send {
    /// Called once before the first poll. The session reports its account, then its link as up, once it is
    /// reconciled.
    fn start(&mut self, now: Nanos);

    /// Whether a command could be prepared and sent now. A session that cannot take one is not asked to.
    fn can_take(&mut self, now: Nanos) -> bool;

    /// Makes a command ready to be written.
    ///
    /// # Errors
    /// Why it cannot be: nothing was or will be sent.
    fn prepare(&mut self, command: &BrokerCommand, now: Nanos) -> Result<(), BrokerReject>;

    /// Forgets the command that is ready.
    fn discard(&mut self);

    /// Writes the command that is ready.
    fn send(&mut self, now: Nanos) -> SendOutcome;

    /// Cancels every working order at the broker, as soon as it can; asked for once when the kill word's bit of the
    /// firm or this broker comes up.
    fn cancel_all(&mut self, now: Nanos);

    /// Does what there is to do at `now` besides commands, within bounds; returns the items of work done.
    fn poll(&mut self, now: Nanos) -> usize;

    /// The oldest report that is at hand, left in place.
    fn has_report(&self, now: Nanos) -> bool;

    /// Takes the oldest report that is at hand. The agent stamps it.
    fn next_report(&mut self, now: Nanos) -> Option<BrokerReport>;

    /// The next instant at which the session has something to do although nothing arrives.
    fn next_deadline(&self) -> Option<Nanos>;

    /// Called once after the last poll.
    fn close(&mut self, now: Nanos);
}
