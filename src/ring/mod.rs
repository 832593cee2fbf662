//! The only ways between threads: rings, quote boards, and the one list of every ring.
//!
//! Runs on: any agent; each end of a ring belongs to one of them.
//! Owns: single-producer single-consumer rings with gauges, the seqlock quote board, the topology.
//! Never: blocks, allocates after construction, or drops a message without counting it.

pub mod board;
pub mod spsc;
pub mod topology;

pub use board::{BoardReader, BoardWriter, MarketSnapshot, board};
pub use spsc::{Consumer, Full, Producer, RingGauge, RingReading, channel};
pub use topology::{RingKind, RingSpec, TOPOLOGY, Topology, WhenFull};
