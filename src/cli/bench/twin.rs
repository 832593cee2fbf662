//! The bare twin of the order path: the same rings, message sizes and threads, and nothing else.
//!
//! Runs on: the threads of the hot agents, and the caller's.
//! Owns: three rings from the caller to the last stage, and one back with the instant of arrival.
//! Never: works on a message or stamps it on its way; the one stamp is where the way ends.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::ring::RingKind;
use crate::types::{BrokerCommand, PortCommand, RiskDecision};

type Ask = [u64; size_of::<PortCommand>() / 8];
type Decision = [u64; size_of::<RiskDecision>() / 8];
type Command = [u64; size_of::<BrokerCommand>() / 8];

fn next<const A: usize, const B: usize>(message: [u64; A]) -> [u64; B] {
    std::array::from_fn(|word| message[word % A])
}

pub(super) struct Caller {
    pub to_risk: Producer<Ask>,
    pub arrived: Consumer<u64>,
}

pub(super) enum Stage {
    Risk(Consumer<Ask>, Producer<Decision>),
    Order(Consumer<Decision>, Producer<Command>),
    Gateway(Consumer<Command>, Producer<u64>),
}

pub(super) fn twin() -> (Caller, [Stage; 3]) {
    let (to_risk, risk) = RingBuffer::new(RingKind::PortRequests.spec().capacity);
    let (to_order, order) = RingBuffer::new(RingKind::Decisions.spec().capacity);
    let (to_gateway, gateway) = RingBuffer::new(RingKind::BrokerCommands.spec().capacity);
    let (back, arrived) = RingBuffer::new(8);
    let stages = [
        Stage::Risk(risk, to_order),
        Stage::Order(order, to_gateway),
        Stage::Gateway(gateway, back),
    ];
    (Caller { to_risk, arrived }, stages)
}

impl Stage {
    pub(super) fn poll(&mut self, stamp: impl Fn() -> u64) {
        let refused = match self {
            Self::Risk(from, to) => from.pop().is_ok_and(|m| to.push(next(m)).is_err()),
            Self::Order(from, to) => from.pop().is_ok_and(|m| to.push(next(m)).is_err()),
            Self::Gateway(from, to) => from.pop().is_ok_and(|_| to.push(stamp()).is_err()),
        };
        debug_assert!(!refused, "invariant: one message is under way at a time");
    }
}
