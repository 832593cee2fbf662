//! The journal: what must be on record before it counts.
//!
//! Runs on: ORDER holds the pen; JOURNAL copies and syncs; recovery and the offline verbs read.
//! Owns: records, frames, segments, the boot epoch and the lock of a state directory.
//! Never: loses a record that was appended, short of losing the machine's memory before the group sync.

pub mod record;

pub use record::Record;

use crate::types::Nanos;

/// The one writer of a journal, as ORDER sees it.
pub trait Pen: Send {
    /// Whether `records` more records of any kind fit before JOURNAL has to prepare another segment.
    fn has_room(&self, records: usize) -> bool;

    /// Writes a record; returns its sequence. Only called after [`has_room`](Self::has_room) said so.
    fn append(&mut self, record: &Record, now: Nanos) -> u64;

    /// The last sequence that is on disk.
    fn durable_sequence(&self) -> u64;

    /// Whether the disk failed: nothing becomes durable any more and no new order may be taken.
    fn has_failed(&self) -> bool;
}
