//! The pen: appends records to the current hot segment.
//!
//! Runs on: ORDER.
//! Owns: sequence, checksum chain and place of the next frame.
//! Never: allocates, calls the system or takes a lock to append.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::Pen;
use super::codec::{VERSION, encode};
use super::frame::{HEADER, MAX_FRAME, seal};
use super::hot::HotWriter;
use super::record::Record;
use super::segment::SegmentHeader;
use super::wire::MAX_PAYLOAD;
use crate::types::{BootEpoch, Nanos};

/// What JOURNAL tells everybody else.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub durable: CachePadded<AtomicU64>,
    pub failed: AtomicBool,
    pub bytes: AtomicU64,
    pub syncs: AtomicU64,
    pub error: OnceLock<String>,
}

/// A journal's progress, readable from any thread.
#[derive(Debug, Clone)]
pub struct JournalStatus(pub(super) Arc<Shared>);

impl JournalStatus {
    /// The last sequence that is on disk.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.0.durable.load(Ordering::Acquire)
    }

    /// Whether the disk failed; it stays so.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    /// Why it failed.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.0.error.get().map(String::as_str)
    }

    /// Bytes written to disk in this run.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Syncs of the disk in this run.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::Relaxed)
    }
}

/// The one writer of a journal. Made by [`create`](super::create).
pub struct JournalWriter {
    hot: HotWriter,
    shared: Arc<Shared>,
    epoch: BootEpoch,
    identity: u64,
    /// Of the next record.
    sequence: u64,
    /// Of the last frame.
    crc: u32,
}

impl JournalWriter {
    /// Continues a journal after a frame with `crc`, where the next record is number `sequence`.
    pub(super) fn new(
        mut hot: HotWriter,
        shared: Arc<Shared>,
        epoch: BootEpoch,
        identity: u64,
        (sequence, crc): (u64, u32),
        now: Nanos,
    ) -> Self {
        let header = header(epoch, identity, (sequence, crc), now);
        assert!(hot.roll(header), "a new pool has prepared segments");
        Self {
            hot,
            shared,
            epoch,
            identity,
            sequence,
            crc,
        }
    }

    /// The sequence that the next record will have.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.sequence
    }

    /// Progress of the copy on disk.
    #[must_use]
    pub fn status(&self) -> JournalStatus {
        JournalStatus(Arc::clone(&self.shared))
    }

    #[cold]
    fn roll(&mut self, now: Nanos) {
        let header = header(self.epoch, self.identity, (self.sequence, self.crc), now);
        let rolled = self.hot.roll(header);
        // To go on would lose a record: the caller did not ask `has_room`.
        assert!(rolled, "the journal has no room: append without has_room");
    }
}

/// `number` is given by the pool.
const fn header(
    epoch: BootEpoch,
    identity: u64,
    (base_sequence, previous_crc): (u64, u32),
    time: Nanos,
) -> SegmentHeader {
    SegmentHeader {
        epoch: epoch.get(),
        number: 0,
        base_sequence,
        identity,
        previous_crc,
        time,
    }
}

impl Pen for JournalWriter {
    #[inline]
    fn has_room(&self, records: usize) -> bool {
        let here = self.hot.remaining() / MAX_FRAME;
        if here >= records {
            return true;
        }
        let ahead = self.hot.segments_ahead() as usize;
        here + ahead * (self.hot.segment_room() / MAX_FRAME) >= records
    }

    #[inline]
    fn append(&mut self, record: &Record, now: Nanos) -> u64 {
        let mut frame = [0; MAX_FRAME];
        let Some(payload) = frame[HEADER..].first_chunk_mut::<MAX_PAYLOAD>() else {
            unreachable!("a frame has room for the longest payload")
        };
        let (kind, length) = encode(record, payload);
        let sequence = self.sequence;
        let at = (sequence, now);
        // A segment's first frame continues the chain of the one before: rolling changes neither
        // sequence nor checksum.
        let (size, crc) = seal(&mut frame, (kind, VERSION), length, at, self.crc);
        if size > self.hot.remaining() {
            self.roll(now);
        }
        self.hot.put(&frame[..size]);
        self.crc = crc;
        self.sequence = sequence + 1;
        sequence
    }

    #[inline]
    fn durable_sequence(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    #[inline]
    fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }
}
