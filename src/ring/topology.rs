//! The one list of every ring: who writes it, who reads it, how long it is, and what happens when it is full.
//!
//! Runs on: start-up.
//! Owns: [`TOPOLOGY`]; the engine's builder makes every ring through it and keeps its gauge.
//! Never: is bypassed: there is no other ring between threads.

use std::sync::Arc;

use super::spsc::{Consumer, Producer, RingGauge, RingReading, channel};

/// What a writer does when its ring is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// A typed refusal goes back to the caller; nothing was or will be sent.
    Refuse,
    /// The writer takes no further input until there is room.
    Wait,
    /// The message is dropped and counted; the reader rebuilds from the journal.
    DropCounted,
    /// The reader re-reads everything the messages stand for.
    Rescan,
    /// The port is marked as lagged, its strategy halted; it resyncs.
    MarkLagged,
}

/// The rings of the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingKind {
    /// Requests of one port.
    PortRequests,
    /// Decisions.
    Decisions,
    /// Exposure back to RISK.
    Exposure,
    /// Commands to one gateway.
    BrokerCommands,
    /// Reports of one gateway.
    BrokerReports,
    /// Own reports back to one port.
    PortReports,
    /// Every quote and trade, lossless, to one paper gateway.
    MarketToPaper,
    /// Instruments whose quote changed, to RISK.
    DirtyInstruments,
    /// Quotes and trades to one algorithm.
    MarketToAlgorithm,
    /// Events of ORDER for the cold side.
    OrderEvents,
}

/// One line of the list.
#[derive(Clone, Copy, Debug)]
pub struct RingSpec {
    /// Which.
    pub kind: RingKind,
    /// Its name in metrics.
    pub name: &'static str,
    /// The agent or thread that writes.
    pub writer: &'static str,
    /// The agent or thread that reads.
    pub reader: &'static str,
    /// The message.
    pub message: &'static str,
    /// Messages that fit, unless the configuration says otherwise.
    pub capacity: usize,
    /// What the writer does when it is full.
    pub when_full: WhenFull,
}

macro_rules! topology {
    ($(
        $kind:ident $name:literal: $writer:literal -> $reader:literal,
        $message:literal, $capacity:literal, $full:ident;
    )*) => {
        /// Every ring of the engine.
        pub const TOPOLOGY: &[RingSpec] = &[$(RingSpec {
            kind: RingKind::$kind,
            name: $name,
            writer: $writer,
            reader: $reader,
            message: $message,
            capacity: $capacity,
            when_full: WhenFull::$full,
        },)*];
    };
}

// Rings whose writer waits are as short as a few cycles' work: what passes through them stays in a core's cache, and
// a longer queue would only hide that its reader is behind.
topology! {
    PortRequests "port_requests": "port" -> "RISK", "PortCommand", 1024, Refuse;
    Decisions "decisions": "RISK" -> "ORDER", "RiskDecision", 128, Wait;
    Exposure "exposure": "ORDER" -> "RISK", "Exposure", 256, Wait;
    BrokerCommands "broker_commands": "ORDER" -> "GATEWAY", "BrokerCommand", 512, Wait;
    BrokerReports "broker_reports": "GATEWAY" -> "ORDER", "BrokerReport", 256, Wait;
    PortReports "port_reports": "ORDER" -> "port", "OrderReport", 4096, MarkLagged;
    MarketToPaper "market_to_paper": "MARKET" -> "GATEWAY", "MarketUpdate", 16384, Wait;
    DirtyInstruments "dirty_instruments": "MARKET" -> "RISK", "InstrumentId", 4096, Rescan;
    MarketToAlgorithm "market_to_algorithm": "MARKET" -> "ALGORITHM", "MarketUpdate", 16384, DropCounted;
    OrderEvents "order_events": "ORDER" -> "COLD", "Event", 16384, DropCounted;
}

impl RingKind {
    /// Its line in the list.
    #[must_use]
    pub fn spec(self) -> &'static RingSpec {
        TOPOLOGY
            .iter()
            .find(|spec| spec.kind == self)
            .unwrap_or(&TOPOLOGY[0])
    }
}

/// The rings of one engine: makes them and keeps their gauges.
#[derive(Debug, Default, Clone)]
pub struct Topology {
    gauges: Vec<Arc<RingGauge>>,
}

impl Topology {
    /// No ring yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a ring of the list's capacity, or another.
    #[must_use]
    pub fn ring<T: Copy>(
        &mut self,
        kind: RingKind,
        index: Option<usize>,
        capacity: Option<usize>,
    ) -> (Producer<T>, Consumer<T>) {
        let spec = kind.spec();
        let name = match index {
            Some(index) => format!("{}[{index}]", spec.name),
            None => spec.name.to_owned(),
        };
        let (producer, consumer, gauge) = channel(name, capacity.unwrap_or(spec.capacity));
        self.gauges.push(gauge);
        (producer, consumer)
    }

    /// Every ring's counters now.
    #[must_use]
    pub fn readings(&self) -> Vec<RingReading> {
        self.gauges.iter().map(|gauge| gauge.read()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ring_is_listed_once() {
        for (index, spec) in TOPOLOGY.iter().enumerate() {
            assert_eq!(spec.kind.spec().name, spec.name);
            assert!(
                TOPOLOGY[index + 1..]
                    .iter()
                    .all(|other| other.name != spec.name)
            );
        }
        let mut topology = Topology::new();
        let (mut writer, _reader) = topology.ring::<u64>(RingKind::Decisions, Some(3), Some(1));
        writer.push(1).expect("room");
        assert!(writer.push(2).is_err());
        let reading = &topology.readings()[0];
        assert_eq!(
            (reading.name.as_str(), reading.refused),
            ("decisions[3]", 1)
        );
    }
}
