//! What a gateway passes on of an order whose bytes left: that they did, once, in the first word of it.
//!
//! Runs on: the test runner.
//! Owns: a session whose answers a test writes.
//! Never: needs a broker.

use std::collections::VecDeque;
use std::sync::Arc;

use shrike::gateway::{BrokerSession, GatewayAgent, GatewayRings, SendOutcome};
use shrike::ring::{Consumer, Producer, channel};
use shrike::runtime::{Agent, Clock, ManualTime};
use shrike::types::*;

const BROKER: BrokerId = BrokerId(0);

fn id(sequence: u64) -> OrderId {
    OrderId::new(BootEpoch::FIRST, PortId(0), sequence).expect("an id")
}

fn report(kind: ReportKind, id: OrderId) -> ExecutionReport {
    ExecutionReport::new(kind, id, BROKER, InstrumentId(0), Side::Buy)
}

/// Says what the test has written as soon as an order was sent.
#[derive(Default)]
struct Scripted {
    answers: VecDeque<ExecutionReport>,
    is_sent: bool,
}

impl BrokerSession for Scripted {
    fn start(&mut self, _now: Nanos) {}

    fn can_take(&mut self, _now: Nanos) -> bool {
        true
    }

    fn prepare(&mut self, _command: &BrokerCommand, _now: Nanos) -> Result<(), BrokerReject> {
        Ok(())
    }

    fn discard(&mut self) {}

    fn send(&mut self, _now: Nanos) -> SendOutcome {
        self.is_sent = true;
        SendOutcome::Sent
    }

    fn cancel_all(&mut self, _now: Nanos) {}

    fn poll(&mut self, _now: Nanos) -> usize {
        0
    }

    fn has_report(&self, _now: Nanos) -> bool {
        self.is_sent && !self.answers.is_empty()
    }

    fn next_report(&mut self, _now: Nanos) -> Option<BrokerReport> {
        self.answers.pop_front().map(BrokerReport::Execution)
    }

    fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    fn close(&mut self, _now: Nanos) {}
}

struct Rig {
    agent: GatewayAgent<Scripted>,
    commands: Producer<BrokerCommand>,
    reports: Consumer<BrokerReport>,
}

impl Rig {
    fn new(answers: &[ExecutionReport], places: usize) -> Self {
        let (commands, command_out, _) = channel("commands", 8);
        let (report_in, reports, _) = channel("reports", places);
        let session = Scripted {
            answers: answers.iter().copied().collect(),
            is_sent: false,
        };
        let rings = GatewayRings {
            commands: command_out,
            reports: report_in,
        };
        let clock = Clock::manual(ManualTime::new(Nanos(1)));
        let kill = Arc::new(KillWord::new());
        Self {
            agent: GatewayAgent::new(BROKER, rings, clock, kill, session),
            commands,
            reports,
        }
    }

    fn send(&mut self, id: OrderId) {
        let command = NewOrderCommand {
            order_id: id,
            instrument: InstrumentId(0),
            strategy: StrategyId::ENGINE,
            side: Side::Buy,
            time_in_force: TimeInForce::Day,
            flags: OrderFlags::default(),
            asked_type: OrderType::Market.name(),
            order_type: OrderType::Market,
            quantity: Quantity::from_units(1),
            stamps: StageStamps::at(1),
        };
        self.commands
            .push(BrokerCommand::New(command))
            .expect("room");
    }

    /// Kinds and whether each tells that its order left, with the ring emptied whenever the agent was polled.
    fn told(&mut self) -> Vec<(OrderId, ReportKind, bool)> {
        let mut told = Vec::new();
        for _ in 0..8 {
            self.agent.poll(Nanos(2));
            while let Some(BrokerReport::Execution(report)) = self.reports.pop() {
                told.push((report.order_id, report.kind, report.tells_sent()));
            }
        }
        told
    }
}

#[test]
fn the_first_word_of_an_order_tells_that_it_left_whatever_the_room() {
    use ReportKind::{Accepted, Fill, NotSent, Sent};
    let (a, b) = (id(1), id(2));
    type Said = (ReportKind, OrderId);
    type Told = (OrderId, ReportKind, bool);
    type Case<'a> = (&'a [Said], &'a [Told]);
    let cases: [Case<'_>; 4] = [
        (&[], &[(a, Sent, true)]),
        (
            &[(Accepted, a), (Fill, a)],
            &[(a, Accepted, true), (a, Fill, false)],
        ),
        (
            &[(Fill, b), (Accepted, a)],
            &[(a, Sent, true), (b, Fill, false), (a, Accepted, false)],
        ),
        // A session that contradicts itself is taken at its first word.
        (&[(NotSent, a)], &[(a, Sent, true), (a, NotSent, false)]),
    ];
    for (answers, expected) in cases {
        let answers: Vec<_> = answers
            .iter()
            .map(|(kind, id)| report(*kind, *id))
            .collect();
        let mut rig = Rig::new(&answers, 8);
        rig.send(a);
        assert_eq!(rig.told(), expected);
        // With a single place it may be a report of its own, and none is lost.
        let mut narrow = Rig::new(&answers, 1);
        narrow.send(a);
        let told = narrow.told();
        assert_eq!(
            told.iter()
                .filter(|(id, _, left)| *id == a && *left)
                .count(),
            1
        );
        let rest = |told: &[Told]| -> Vec<_> {
            let kinds = told.iter().map(|(id, kind, _)| (*id, *kind));
            kinds.filter(|(_, kind)| *kind != Sent).collect()
        };
        assert_eq!(rest(&told), rest(expected));
    }
}
