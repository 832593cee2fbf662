//! The gateway agent: commands out, reports back, and the kill word in between.
//!
//! Runs on: GATEWAY, one agent a broker instance.
//! Owns: ORDER's ring of commands, the ring of reports back, and the broker's session.
//! Never: takes a command without room for its reports, or starts a write of a new order after the kill word
//! forbids it.

use std::sync::Arc;

use super::session::{BrokerSession, SendOutcome};
use crate::ring::{Consumer, Producer};
use crate::runtime::{Agent, Clock};
use crate::types::{
    BrokerCommand, BrokerId, BrokerReject, BrokerReport, CommandClass, ExecutionReport,
    InstrumentId, KillScope, KillWord, Nanos, NewOrderCommand, OrderId, ReportKind, Side,
    StrategyId,
};

/// Commands taken in one poll at most.
const COMMANDS_PER_POLL: usize = 64;
/// Reports passed on at a time at most.
const REPORTS_PER_DRAIN: usize = 256;

/// The two rings between ORDER and one gateway.
#[derive(Debug)]
pub struct GatewayRings {
    /// What ORDER wants.
    pub commands: Consumer<BrokerCommand>,
    /// What the broker says.
    pub reports: Producer<BrokerReport>,
}

/// An order whose bytes left.
#[derive(Clone, Copy, Debug)]
struct Left {
    order_id: OrderId,
    instrument: InstrumentId,
    side: Side,
    at: Nanos,
    written: u64,
    encode_offset: u32,
    wire_offset: u32,
}

/// Whether a report can tell that the order left. One that denies it cannot: both are told then.
fn answers(report: &ExecutionReport, order_id: OrderId) -> bool {
    report.order_id == order_id && report.kind != ReportKind::NotSent
}

/// See the module.
#[derive(Debug)]
pub struct GatewayAgent<S> {
    broker: BrokerId,
    rings: GatewayRings,
    clock: Clock,
    kill: Arc<KillWord>,
    killed: bool,
    /// An order whose bytes just left and whose report does not say so yet.
    left: Option<Left>,
    session: S,
}

impl<S: BrokerSession> GatewayAgent<S> {
    /// An agent for `broker` over its session.
    #[must_use]
    pub fn new(
        broker: BrokerId,
        rings: GatewayRings,
        clock: Clock,
        kill: Arc<KillWord>,
        session: S,
    ) -> Self {
        Self {
            broker,
            rings,
            clock,
            kill,
            killed: false,
            left: None,
            session,
        }
    }

    /// The broker's session.
    #[must_use]
    pub const fn session(&self) -> &S {
        &self.session
    }

    /// Passes reports on while the ring has room; whether none is left behind.
    fn drain(&mut self, now: Nanos, work: &mut usize) -> bool {
        // All of them are at hand now.
        let mut received = None;
        for _ in 0..REPORTS_PER_DRAIN {
            if !self.session.has_report(now) {
                self.tell_sent();
                return true;
            }
            if !self.rings.reports.has_room(2) {
                // A place for this one was seen before the command was taken.
                self.tell_sent();
                if !self.rings.reports.has_room(1) {
                    return false;
                }
            }
            let Some(mut report) = self.session.next_report(now) else {
                self.tell_sent();
                return true;
            };
            match &mut report {
                BrokerReport::Execution(execution) => {
                    execution.received_stamp = *received.get_or_insert_with(|| self.clock.stamp());
                    match self.left {
                        Some(left) if answers(execution, left.order_id) => {
                            execution.encode_offset = left.encode_offset;
                            execution.wire_offset = left.wire_offset;
                            self.left = None;
                        }
                        _ => self.tell_sent(),
                    }
                }
                _ => self.tell_sent(),
            }
            self.push(report);
            *work += 1;
        }
        !self.session.has_report(now)
    }

    /// Tells that an order left, unless an answer told it already.
    fn tell_sent(&mut self) {
        if let Some(left) = self.left.take() {
            let (id, kind) = (left.order_id, ReportKind::Sent);
            let mut report =
                ExecutionReport::new(kind, id, self.broker, left.instrument, left.side);
            report.broker_time = left.at;
            report.received_stamp = left.written;
            report.encode_offset = left.encode_offset;
            report.wire_offset = left.wire_offset;
            self.push(BrokerReport::Execution(report));
        }
    }

    fn push(&mut self, report: BrokerReport) {
        let pushed = self.rings.reports.push(report);
        debug_assert!(pushed.is_ok(), "invariant: room was seen");
    }

    /// Cancels everything once when the firm's or this broker's bit comes up.
    fn watch_kill_word(&mut self, now: Nanos) {
        let killed =
            self.kill.is_set(KillScope::Firm) || self.kill.is_set(KillScope::Broker(self.broker));
        if killed && !self.killed {
            self.session.cancel_all(now);
        }
        self.killed = killed;
    }

    fn take_commands(&mut self, now: Nanos, work: &mut usize) {
        let waiting = self.rings.commands.available().min(COMMANDS_PER_POLL);
        for _ in 0..waiting {
            // Room for the agent's own report of the command, and nothing of the session held back.
            if !self.rings.reports.has_room(1) || !self.session.can_take(now) {
                return;
            }
            let Some(command) = self.rings.commands.pop() else {
                return;
            };
            *work += 1;
            self.handle(&command, now);
            if !self.drain(now, work) {
                return;
            }
        }
    }

    fn handle(&mut self, command: &BrokerCommand, now: Nanos) {
        if let Err(reason) = self.session.prepare(command, now) {
            return self.not_sent(command, reason);
        }
        let encoded = match command {
            BrokerCommand::New(_) => self.clock.stamp(),
            _ => 0,
        };
        let (class, strategy) = match command {
            BrokerCommand::New(new) => (CommandClass::New, new.strategy),
            BrokerCommand::Replace(replace) => (CommandClass::New, replace.strategy),
            BrokerCommand::Cancel { .. } | BrokerCommand::Query { .. } => {
                (CommandClass::Cancel, StrategyId::ENGINE)
            }
        };
        // The last thing read before the write.
        if !self.kill.permits(class, self.broker, strategy) {
            self.session.discard();
            return self.not_sent(command, BrokerReject::Killed);
        }
        match (self.session.send(now), command) {
            (SendOutcome::NotSent(reason), _) => self.not_sent(command, reason),
            (SendOutcome::Sent, BrokerCommand::New(new)) => self.sent(new, encoded, now),
            (SendOutcome::Sent | SendOutcome::Underway, _) => {}
        }
    }

    fn sent(&mut self, new: &NewOrderCommand, encoded: u64, now: Nanos) {
        let written = self.clock.stamp();
        self.left = Some(Left {
            order_id: new.order_id,
            instrument: new.instrument,
            side: new.side,
            at: now,
            written,
            encode_offset: new.stamps.offset(encoded),
            wire_offset: new.stamps.offset(written),
        });
    }

    /// Says that a command provably did not leave. A look-up that did not leave leaves the doubt.
    fn not_sent(&mut self, command: &BrokerCommand, reason: BrokerReject) {
        let (kind, order_id) = match command {
            BrokerCommand::New(new) => (ReportKind::NotSent, new.order_id),
            BrokerCommand::Replace(replace) => (ReportKind::ReplaceRejected, replace.order_id),
            BrokerCommand::Cancel { order_id } => (ReportKind::CancelRejected, *order_id),
            BrokerCommand::Query { order_id } => (ReportKind::InDoubt, *order_id),
        };
        let mut report = self.bare(kind, order_id);
        if let BrokerCommand::New(new) = command {
            report.instrument = new.instrument;
            report.side = new.side;
        }
        report.reason = reason;
        self.push(BrokerReport::Execution(report));
    }

    fn bare(&self, kind: ReportKind, order_id: OrderId) -> ExecutionReport {
        let mut report = ExecutionReport::new(
            kind,
            order_id,
            self.broker,
            InstrumentId::default(),
            Side::Buy,
        );
        report.received_stamp = self.clock.stamp();
        report
    }
}

impl<S: BrokerSession> Agent for GatewayAgent<S> {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn on_start(&mut self, now: Nanos) {
        self.session.start(now);
        self.drain(now, &mut 0);
    }

    fn poll(&mut self, now: Nanos) -> usize {
        let mut work = 0;
        self.watch_kill_word(now);
        if self.drain(now, &mut work) {
            self.take_commands(now, &mut work);
        }
        work += self.session.poll(now);
        self.drain(now, &mut work);
        work
    }

    fn next_deadline(&self) -> Option<Nanos> {
        self.session.next_deadline()
    }

    fn on_close(&mut self, now: Nanos) {
        self.drain(now, &mut 0);
        self.session.close(now);
    }
}
