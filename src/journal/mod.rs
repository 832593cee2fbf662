//! The journal: what must be on record before it counts.
//!
//! Runs on: ORDER holds the pen; JOURNAL copies and syncs; recovery and the offline verbs read.
//! Owns: records, frames, segments, the boot epoch and the lock of a state directory.
//! Never: loses an appended record, short of losing the machine's memory before the group sync.

mod codec;
#[cfg(test)]
mod codec_tests;
mod error;
mod follower;
mod frame;
mod hot;
mod live;
mod names;
mod reader;
pub mod record;
mod recover;
mod repair;
mod replay;
mod segment;
mod source;
mod state_dir;
mod text;
mod wire;
mod writer;

pub use codec::CodecError;
pub use error::{Damage, JournalError};
pub use follower::{JournalFollower, JournalSettings, JournalTail, create};
pub use live::LiveReader;
pub use names::Names;
pub use reader::{Entry, Journal, Reader, Verified};
pub use record::{Name, Record};
pub use recover::{Recovered, inspect, recover};
pub use repair::{Repaired, repair};
pub use replay::{ReplayedOrder, Replayer};
pub use state_dir::{StateDir, hot_dir_below};
pub use text::{Dump, to_line, type_name};
pub use writer::{JournalStatus, JournalWriter};

use crate::types::Nanos;

/// The one writer of a journal, as ORDER sees it.
pub trait Pen: Send {
    /// Whether `records` more records of any kind fit before JOURNAL has to prepare another
    /// segment.
    fn has_room(&self, records: usize) -> bool;

    /// Writes a record; returns its sequence. Only called after [`has_room`](Self::has_room) said
    /// so.
    fn append(&mut self, record: &Record, now: Nanos) -> u64;

    /// The last sequence that is on disk.
    fn durable_sequence(&self) -> u64;

    /// Whether the disk failed: nothing becomes durable any more and no new order may be taken.
    fn has_failed(&self) -> bool;
}
