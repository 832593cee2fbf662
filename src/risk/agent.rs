//! The RISK agent's duty cycle.
//!
//! Runs on: the RISK thread, or a composite that polls it.
//! Owns: the rings around the gate and the order in which they are served: exposure, quotes,
//! breakers, ports.
//! Never: takes a command for whose answer there is no room.

use std::sync::Arc;

use crate::ring::{BoardReader, Consumer, Producer};
use crate::runtime::{Agent, Clock};
use crate::types::{
    BrokerId, ControlRequest, Exposure, InstrumentId, KillWord, Nanos, OrderRequest, PortCommand,
    RecoveredState, RefusedOrder, RiskDecision, RoutingTable, Scope, SessionSchedule, StageStamps,
    StrategyId,
};

use super::gate::RiskGate;
use super::limits::RiskSettings;
use super::status::{RiskStatus, RiskStatusReading};

/// The rings that RISK reads and writes.
pub struct RiskRings {
    /// Requests, one ring a port.
    pub ports: Vec<Consumer<PortCommand>>,
    /// To ORDER.
    pub decisions: Producer<RiskDecision>,
    /// From ORDER.
    pub exposure: Consumer<Exposure>,
    /// Instruments whose quote changed; an overflow means that every quote is read again.
    pub dirty: Consumer<InstrumentId>,
}

/// See the module.
pub struct RiskAgent {
    gate: RiskGate,
    rings: RiskRings,
    clock: Clock,
    status: Arc<RiskStatus>,
    published: RiskStatusReading,
    /// The port that is served first in the next cycle.
    turn: usize,
    /// Refusals of the dirty ring that have been answered by a rescan.
    overflows: u64,
    /// Cycles with work since the reading was last renewed.
    unpublished: u32,
    /// Next instrument of a rescan; at the end when none runs.
    rescan: usize,
}

/// Exposure messages a cycle.
const EXPOSURES: usize = 1_024;
/// Quotes a cycle, and again as many while rescanning.
const QUOTES: usize = 512;
/// Commands of one port a cycle.
const COMMANDS: usize = 16;
/// Cycles with orders in a row after which the reading is renewed all the same.
const CYCLES_UNPUBLISHED: u32 = 16;

impl RiskAgent {
    /// An agent over what was recovered. The clock only stamps decisions.
    ///
    /// # Panics
    /// As [`RiskGate::new`].
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "start-up wiring, named at its one caller"
    )]
    pub fn new(
        settings: &RiskSettings,
        rings: RiskRings,
        board: BoardReader,
        clock: Clock,
        kill: Arc<KillWord>,
        schedule: SessionSchedule,
        routing: RoutingTable,
        status: Arc<RiskStatus>,
        recovered: &RecoveredState,
    ) -> Self {
        let gate = RiskGate::new(settings, board, kill, schedule, routing, recovered);
        assert!(
            rings.decisions.has_room(RiskGate::RECORDS_AT_ONCE),
            "a decision ring of at least four messages"
        );
        for broker in (0..BrokerId::MAX_COUNT as u8).map(BrokerId) {
            status.set_broker_state(broker, gate.trading_state(Scope::Broker(broker)));
        }
        for strategy in (0..StrategyId::MAX_COUNT as u8).map(StrategyId) {
            status.set_strategy_state(strategy, gate.trading_state(Scope::Strategy(strategy)));
        }
        let published = gate.reading();
        status.publish(&published);
        Self {
            rescan: settings.instruments.len(),
            gate,
            rings,
            clock,
            status,
            published,
            turn: 0,
            unpublished: 0,
            overflows: 0,
        }
    }

    /// The gate, for readings.
    #[must_use]
    pub const fn gate(&self) -> &RiskGate {
        &self.gate
    }

    fn drain_exposure(&mut self) -> usize {
        let waiting = self.rings.exposure.available().min(EXPOSURES);
        for _ in 0..waiting {
            if let Some(exposure) = self.rings.exposure.pop() {
                self.gate.apply(&exposure);
            }
        }
        waiting
    }

    fn take_quotes(&mut self) -> usize {
        let waiting = self.rings.dirty.available().min(QUOTES);
        for _ in 0..waiting {
            if let Some(instrument) = self.rings.dirty.pop() {
                self.gate.on_quote(instrument);
            }
        }
        let overflows = self.rings.dirty.gauge().refused();
        if overflows != self.overflows {
            self.overflows = overflows;
            self.rescan = 0;
        }
        let end = self.gate.book.instruments().min(self.rescan + QUOTES);
        let scanned = end.saturating_sub(self.rescan);
        for index in self.rescan..end {
            self.gate.on_quote(InstrumentId(index as u32));
        }
        self.rescan = end;
        waiting + scanned
    }

    fn write_records(&mut self, now: Nanos) -> usize {
        let mut written = 0;
        while self.rings.decisions.has_room(1)
            && let Some(record) = self.gate.unrecorded(now)
        {
            write(&mut self.rings.decisions, RiskDecision::Record(record));
            self.gate.recorded(&record);
            written += 1;
        }
        written
    }

    fn serve_ports(&mut self, now: Nanos) -> usize {
        let ports = self.rings.ports.len();
        let mut served = 0;
        let turns = (self.turn..ports).chain(0..self.turn);
        for port in turns {
            let waiting = self.rings.ports[port].available().min(COMMANDS);
            for taken in 0..waiting {
                if !self.rings.decisions.has_room(RiskGate::RECORDS_AT_ONCE) {
                    // A port that had its turn goes to the end of the line, one that had none is
                    // next.
                    self.turn = if taken > 0 { (port + 1) % ports } else { port };
                    return served;
                }
                if let Some(command) = self.rings.ports[port].pop() {
                    if let Some(PortCommand::New(next)) = self.rings.ports[port].peek() {
                        self.gate.prefetch(next);
                    }
                    self.serve(now, &command);
                    served += 1;
                }
            }
        }
        self.turn = if self.turn + 1 < ports {
            self.turn + 1
        } else {
            0
        };
        served
    }

    fn serve(&mut self, now: Nanos, command: &PortCommand) {
        let decision = match command {
            PortCommand::New(request) => self.decide(now, request),
            PortCommand::Cancel(request) => {
                self.gate.count_cancel(now, request.order_id);
                RiskDecision::Cancel(*request)
            }
            PortCommand::Replace(request) => match self.gate.check_replace(now, request) {
                Ok(approved) => RiskDecision::Replace(approved),
                Err(refusal) => RiskDecision::ReplaceRefused {
                    order_id: request.order_id,
                    refusal,
                },
            },
            PortCommand::CancelAll(request) => RiskDecision::CancelAll(*request),
            PortCommand::Control(request) => {
                self.follow(now, request);
                return;
            }
        };
        write(&mut self.rings.decisions, decision);
    }

    fn decide(&mut self, now: Nanos, request: &OrderRequest) -> RiskDecision {
        match self.gate.check(now, request) {
            Ok(mut approved) => {
                let stamps = StageStamps::at(request.signal_stamp);
                approved.risk_offset = stamps.offset(self.clock.stamp());
                RiskDecision::Approved(approved)
            }
            Err(refusal) => RiskDecision::Refused(RefusedOrder::new(*request, refusal)),
        }
    }

    fn follow(&mut self, now: Nanos, request: &ControlRequest) {
        let decisions = &mut self.rings.decisions;
        self.gate.control(now, request, |record| {
            write(decisions, RiskDecision::Record(record));
        });
        if let ControlRequest::SetTradingState { scope, .. } = *request {
            let state = self.gate.trading_state(scope);
            match scope {
                Scope::Firm => {}
                Scope::Broker(broker) => self.status.set_broker_state(broker, state),
                Scope::Strategy(strategy) => self.status.set_strategy_state(strategy, state),
            }
        }
    }

    fn publish(&mut self) {
        let reading = self.gate.reading();
        if reading != self.published {
            self.published = reading;
            self.status.publish(&reading);
        }
    }
}

/// Only called after room was seen.
fn write(decisions: &mut Producer<RiskDecision>, decision: RiskDecision) {
    let pushed = decisions.push(decision);
    debug_assert!(pushed.is_ok(), "invariant: room was seen before");
}

impl Agent for RiskAgent {
    fn name(&self) -> &'static str {
        "risk"
    }

    fn poll(&mut self, now: Nanos) -> usize {
        let mut work = self.drain_exposure();
        self.gate.roll(now);
        work += self.take_quotes();
        self.gate.watch(now);
        work += self.write_records(now);
        let served = self.serve_ports(now);
        work += served;
        // An order does not wait for the readers of the reading, nor they for more than a few orders.
        self.unpublished += u32::from(work > 0);
        let is_due = served == 0 || self.unpublished >= CYCLES_UNPUBLISHED;
        if self.unpublished > 0 && is_due {
            self.unpublished = 0;
            self.publish();
        }
        work
    }
}
