//! Hot segments: files in memory that ORDER writes and JOURNAL copies, handed over by two counters.
//!
//! Runs on: ORDER holds the [`HotWriter`], JOURNAL the [`HotCopier`].
//! Owns: the mappings, and who may touch which one: segment `n` lives in slot `n % slots`; the
//! writer owns the slot of the current segment and of every prepared one, the copier that of every
//! one before; frames of the current segment are the copier's to read once their length is stored.
//! Never: grows a file, faults a page or calls the system on the writer's side after construction.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crossbeam_utils::CachePadded;
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::FallocateFlags;

use super::error::{Damage, JournalError, io_error};
use super::frame::{HEADER, LENGTH_LIMIT, padded};
use super::segment::{SEGMENT_HEADER, SegmentHeader};

struct Pool {
    slots: Box<[Slot]>,
    /// Bytes of each slot.
    bytes: usize,
    /// The highest segment whose slot is zeroed and ready; written by the copier.
    prepared: CachePadded<AtomicU64>,
    /// The segment being written; written by the writer.
    current: CachePadded<AtomicU64>,
}

struct Slot {
    map: MmapRaw,
    path: PathBuf,
}

/// The writing side.
pub(super) struct HotWriter {
    pool: Arc<Pool>,
    number: u64,
    /// Of the current segment: a division that no append has to make.
    slot: usize,
    position: usize,
    prepared: u64,
}

/// The copying side.
pub(super) struct HotCopier {
    pool: Arc<Pool>,
    /// The segment being copied.
    number: u64,
    /// End of the whole frames seen in it.
    end: usize,
}

/// Makes and pre-faults `slots` files of `bytes` bytes in `dir`; the first segment will have number
/// `first`.
pub(super) fn pool(
    dir: &Path,
    slots: usize,
    bytes: usize,
    first: u64,
) -> Result<(HotWriter, HotCopier), JournalError> {
    assert!(
        slots >= 2 && first >= 1,
        "two slots and numbers from 1 at least"
    );
    assert!(
        bytes.is_multiple_of(4096) && bytes >= 2 * LENGTH_LIMIT,
        "whole pages"
    );
    let mut made: Vec<Slot> = Vec::with_capacity(slots);
    for index in 0..slots {
        let path = dir.join(format!("slot-{index:02}.hot"));
        match slot(&path, bytes) {
            Ok(slot) => made.push(slot),
            Err(error) => {
                // The memory goes back: this run does not begin.
                let _ = fs::remove_file(&path);
                for slot in &made {
                    let _ = fs::remove_file(&slot.path);
                }
                return Err(error);
            }
        }
    }
    let pool = Arc::new(Pool {
        slots: made.into_boxed_slice(),
        bytes,
        prepared: CachePadded::new(AtomicU64::new(first + slots as u64 - 1)),
        current: CachePadded::new(AtomicU64::new(first - 1)),
    });
    let prepared = pool.prepared.load(Ordering::Relaxed);
    let writer = HotWriter {
        pool: Arc::clone(&pool),
        number: first - 1,
        slot: 0,
        position: bytes,
        prepared,
    };
    let copier = HotCopier {
        pool,
        number: first,
        end: SEGMENT_HEADER,
    };
    Ok((writer, copier))
}

/// One file, its blocks taken now (a sparse mapping on a full file system ends in SIGBUS) and every
/// page written once.
fn slot(path: &Path, bytes: usize) -> Result<Slot, JournalError> {
    let file: File = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| io_error("create", path, error))?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes as u64)
        .map_err(|error| io_error("allocate", path, error.into()))?;
    let map = MmapOptions::new()
        .len(bytes)
        .map_raw(&file)
        .map_err(|error| io_error("map", path, error))?;
    let slot = Slot {
        map,
        path: path.to_owned(),
    };
    slot.zero(bytes);
    Ok(slot)
}

#[allow(unsafe_code)]
impl Slot {
    /// The eight-byte word at `at`, which every mapping has.
    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.map.len(), "in range");
        // SAFETY: in range and aligned (the mapping begins at a page), valid for as long as the
        // mapping, which `self` owns. Concurrent accesses of this word are atomic, or ordered by
        // `Pool`'s counters.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(at).cast()) }
    }

    /// The length field of the frame at `at`.
    #[inline(always)]
    fn length(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(8) && at + 4 <= self.map.len(), "in range");
        // SAFETY: as `word`; a frame's length is only ever accessed through here and, while nobody
        // else may touch the slot, by `zero`.
        unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(at).cast()) }
    }

    /// Copies bytes in. Only for a range that no other thread reads or writes.
    #[inline(always)]
    fn copy_in(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.map.len(), "in range");
        // SAFETY: in range; `bytes` is no part of the mapping, which is handed out as a slice by
        // `committed` only, to the copier, who does not write frames. That nobody reads the range
        // yet is the callers' protocol: see `HotWriter::put` and `HotWriter::roll`.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                self.map.as_mut_ptr().add(at),
                bytes.len(),
            );
        }
    }

    /// Bytes that were committed: nobody writes them until the copier recycles the slot.
    fn committed(&self, from: usize, to: usize) -> &[u8] {
        assert!(from <= to && to <= self.map.len(), "in range");
        // SAFETY: in range. Everything below the copier's `end` was written before the length of
        // its last frame was stored with Release, which the copier loaded with Acquire; the writer
        // never goes back, and the copier's `recycle` takes `&mut self`, so no such slice lives on
        // when the slot is zeroed.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(from), to - from) }
    }

    /// Zeroes the first `bytes`. Only for a slot that no other thread writes.
    fn zero(&self, bytes: usize) {
        assert!(bytes <= self.map.len(), "in range");
        // SAFETY: in range; called before the pool exists, or by the copier on a slot that the
        // writer has left and does not enter before `prepared` says so.
        unsafe { std::ptr::write_bytes(self.map.as_mut_ptr(), 0, bytes) }
    }
}

impl Pool {
    #[inline(always)]
    fn slot(&self, number: u64) -> &Slot {
        &self.slots[(number % self.slots.len() as u64) as usize]
    }
}

impl HotWriter {
    /// Bytes left in the current segment.
    #[inline(always)]
    pub fn remaining(&self) -> usize {
        self.pool.bytes - self.position
    }

    /// Bytes that a segment has for frames.
    pub fn segment_room(&self) -> usize {
        self.pool.bytes - SEGMENT_HEADER
    }

    /// Where the next frame goes: segment and offset.
    #[cfg(test)]
    pub fn place(&self) -> (u64, usize) {
        (self.number, self.position)
    }

    /// Prepared segments after the current one.
    pub fn segments_ahead(&self) -> u64 {
        self.pool.prepared.load(Ordering::Acquire) - self.number
    }

    /// Appends a sealed frame; its length becomes visible last.
    #[inline(always)]
    pub fn put(&mut self, frame: &[u8]) {
        let (at, size) = (self.position, frame.len());
        assert!(
            size >= HEADER && size <= self.remaining(),
            "the frame fits the segment"
        );
        let slot = &self.pool.slots[self.slot];
        // Nobody reads behind the last length, and this is the only writer (`&mut self`).
        slot.copy_in(at + 4, &frame[4..]);
        let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
        slot.length(at).store(length, Ordering::Release);
        self.position = at + size;
    }

    /// Begins the next segment; `false` when it is not prepared. `header.number` is set here.
    pub fn roll(&mut self, mut header: SegmentHeader) -> bool {
        let next = self.number + 1;
        if next > self.prepared {
            self.prepared = self.pool.prepared.load(Ordering::Acquire);
            if next > self.prepared {
                return false;
            }
        }
        header.number = next;
        let bytes = header.to_bytes();
        let slot = self.pool.slot(next);
        // The copier looks at this slot only after `current` says so; another process knows by the
        // magic, stored last.
        slot.copy_in(8, &bytes[8..]);
        let magic = bytes
            .first_chunk()
            .map_or(0, |magic| u64::from_le_bytes(*magic));
        slot.word(0).store(magic.to_le(), Ordering::Release);
        self.number = next;
        self.slot = (next % self.pool.slots.len() as u64) as usize;
        self.position = SEGMENT_HEADER;
        self.pool.current.store(next, Ordering::Release);
        true
    }
}

impl HotCopier {
    /// The segment being copied.
    #[cfg(test)]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whether the writer has begun this segment, and whether it has left it: then what a later
    /// [`advance`](Self::advance) sees is all of it.
    pub fn progress(&self) -> (bool, bool) {
        let current = self.pool.current.load(Ordering::Acquire);
        (current >= self.number, current > self.number)
    }

    /// Moves over the frames that are whole now; returns the end and, when there were any, the last
    /// sequence.
    ///
    /// Only in a segment that was begun.
    pub fn advance(&mut self) -> Result<(usize, Option<u64>), JournalError> {
        let slot = self.pool.slot(self.number);
        let (mut at, mut last) = (self.end, None);
        while at + HEADER <= self.pool.bytes {
            let length = slot.length(at).load(Ordering::Acquire) as usize;
            if length == 0 {
                break;
            }
            let size = padded(length);
            if !(HEADER..=LENGTH_LIMIT).contains(&length) || at + size > self.pool.bytes {
                return Err(JournalError::Damaged {
                    file: slot.path.clone(),
                    offset: at as u64,
                    damage: Damage::Length(length as u32),
                });
            }
            last = Some(at);
            at += size;
        }
        self.end = at;
        let sequence = last.and_then(|at| {
            let field = slot.committed(at + 16, at + 24).first_chunk()?;
            Some(u64::from_le_bytes(*field))
        });
        Ok((at, sequence))
    }

    /// Whole frames (and the header) from `from` to where [`advance`](Self::advance) came.
    pub fn bytes(&self, from: usize) -> &[u8] {
        self.pool.slot(self.number).committed(from, self.end)
    }

    /// Gives the slot of a segment that the writer has left to a later segment, and moves to the
    /// next.
    pub fn recycle(&mut self) {
        assert!(self.progress().1, "the writer has left the segment");
        let slot = self.pool.slot(self.number);
        slot.word(0).store(0, Ordering::Relaxed);
        // Another process that still finds the header finds the frames too.
        fence(Ordering::SeqCst);
        slot.zero(self.pool.bytes);
        let ready = self.number + self.pool.slots.len() as u64;
        self.pool.prepared.store(ready, Ordering::Release);
        self.number += 1;
        self.end = SEGMENT_HEADER;
    }

    /// Removes the files; the mappings live on until both sides are gone.
    pub fn remove_files(&self) -> Result<(), JournalError> {
        for slot in &self.pool.slots {
            fs::remove_file(&slot.path).map_err(|error| io_error("remove", &slot.path, error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Nanos;

    fn header() -> SegmentHeader {
        SegmentHeader {
            epoch: 1,
            number: 0,
            base_sequence: 1,
            identity: 2,
            previous_crc: 3,
            time: Nanos(4),
        }
    }

    fn frame(sequence: u64) -> [u8; 40] {
        let mut frame = [7; 40];
        frame[..4].copy_from_slice(&40u32.to_le_bytes());
        frame[16..24].copy_from_slice(&sequence.to_le_bytes());
        frame
    }

    #[test]
    fn a_slot_comes_back_to_the_writer_only_when_the_copier_gave_it_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut writer, mut copier) = pool(dir.path(), 2, 8192, 5).expect("two slots");
        assert_eq!(copier.progress(), (false, false));
        assert!(writer.roll(header()) && writer.roll(header()));
        assert_eq!((writer.place(), writer.segments_ahead()), ((6, 64), 0));
        assert!(!writer.roll(header()), "the third is not prepared");
        assert_eq!(copier.progress(), (true, true));
        copier.recycle();
        assert_eq!(copier.number(), 6);
        assert!(writer.roll(header()));
        assert_eq!(copier.progress(), (true, true));
    }

    #[test]
    fn the_copier_sees_whole_frames_and_a_recycled_slot_is_empty() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut writer, mut copier) = pool(dir.path(), 2, 8192, 2).expect("two slots");
        assert!(writer.roll(header()));
        assert_eq!(copier.advance().expect("sound"), (64, None));
        writer.put(&frame(8));
        writer.put(&frame(9));
        assert_eq!(copier.advance().expect("sound"), (144, Some(9)));
        assert_eq!(copier.bytes(104), frame(9));
        assert!(writer.roll(header()));
        copier.recycle();
        let bytes = fs::read(dir.path().join("slot-00.hot")).expect("slot 2 % 2");
        assert!(bytes.iter().all(|&byte| byte == 0));
        copier.remove_files().expect("both are there");
        assert_eq!(fs::read_dir(dir.path()).expect("empty").count(), 0);
    }
}
