//! One segment being read: its file on disk and, where that ends, its hot twin.
//!
//! Runs on: cold threads and the offline verbs.
//! Owns: buffered reading of frames from either file at one position.
//! Never: gives out a frame that does not follow the one before; reads a hot slot that was recycled
//! meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::{Damage, JournalError, io_error};
use super::frame::{Check, Frame, check, valid_frame_behind};
use super::segment::{HeaderCheck, SEGMENT_HEADER, SegmentHeader};

const CHUNK: usize = 256 * 1024;

/// Where a reader is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    /// Offset in the segment.
    pub position: u64,
    /// Of the next record.
    pub sequence: u64,
    /// Of the last frame.
    pub crc: u32,
}

impl Cursor {
    pub const fn at_start(header: &SegmentHeader) -> Self {
        Self {
            position: SEGMENT_HEADER as u64,
            sequence: header.base_sequence,
            crc: header.previous_crc,
        }
    }

    pub const fn behind(self, frame: &Frame<'_>) -> Self {
        Self {
            position: self.position + frame.size as u64,
            sequence: frame.sequence.saturating_add(1),
            crc: frame.crc,
        }
    }
}

/// What is behind the last frame of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// No byte that was ever written.
    Clean,
    /// So many bytes that were never a whole frame.
    Torn(u64),
    /// Bytes that had been on record.
    Damaged(Damage),
}

/// Which file the buffered bytes are from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    Disk,
    Hot,
}

pub(super) struct Source {
    pub header: SegmentHeader,
    pub disk: Option<(PathBuf, File)>,
    pub hot: Option<(PathBuf, File)>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are filled.
    filled: usize,
    /// Position of the buffer's first byte.
    start: u64,
    origin: Origin,
}

fn open(path: &Path) -> Result<(PathBuf, File), JournalError> {
    File::open(path)
        .map(|file| (path.to_owned(), file))
        .map_err(|error| io_error("open", path, error))
}

/// A slot that goes away meanwhile belongs to a run that ends: its records are on disk.
fn open_hot(path: &Path) -> Result<Option<(PathBuf, File)>, JournalError> {
    match File::open(path) {
        Ok(file) => Ok(Some((path.to_owned(), file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("open", path, error)),
    }
}

impl Source {
    pub fn open(
        header: SegmentHeader,
        disk: Option<&Path>,
        hot: Option<&Path>,
    ) -> Result<Self, JournalError> {
        Ok(Self {
            header,
            disk: disk.map(open).transpose()?,
            hot: hot.map(open_hot).transpose()?.flatten(),
            buffer: vec![0; CHUNK],
            filled: 0,
            start: 0,
            origin: Origin::Disk,
        })
    }

    /// The next frame with the file that it came from: from what is buffered, else from disk, else
    /// from memory.
    pub fn frame(&mut self, cursor: Cursor) -> Result<Option<(Frame<'_>, Origin)>, JournalError> {
        // Twice over the same bytes, because a frame that is returned keeps the buffer borrowed.
        if !self.buffered(cursor) {
            self.fill(Origin::Disk, cursor.position)?;
            if !self.buffered(cursor) {
                self.fill(Origin::Hot, cursor.position)?;
            }
        }
        let origin = self.origin;
        Ok(
            match check(self.window(cursor.position), cursor.crc, cursor.sequence) {
                Check::Good(frame) => Some((frame, origin)),
                _ => None,
            },
        )
    }

    /// The file that a position's frame came from, for errors.
    pub fn path(&self, origin: Origin) -> PathBuf {
        let file = match origin {
            Origin::Disk => &self.disk,
            Origin::Hot => &self.hot,
        };
        file.as_ref()
            .map_or_else(PathBuf::new, |(path, _)| path.clone())
    }

    fn window(&self, position: u64) -> &[u8] {
        position
            .checked_sub(self.start)
            .and_then(|offset| self.buffer[..self.filled].get(usize::try_from(offset).ok()?..))
            .unwrap_or_default()
    }

    fn buffered(&self, cursor: Cursor) -> bool {
        let window = self.window(cursor.position);
        matches!(check(window, cursor.crc, cursor.sequence), Check::Good(_))
    }

    fn fill(&mut self, origin: Origin, position: u64) -> Result<(), JournalError> {
        let file = match origin {
            Origin::Disk => &self.disk,
            Origin::Hot => &self.hot,
        };
        self.filled = 0;
        self.start = position;
        self.origin = origin;
        let Some((path, file)) = file else {
            return Ok(());
        };
        let read = read_at(file, &mut self.buffer, position)
            .map_err(|error| io_error("read", path, error))?;
        // A slot given to another segment while it was read: nothing was read.
        if origin == Origin::Disk || self.is_still_hot()? {
            self.filled = read;
        }
        Ok(())
    }

    fn is_still_hot(&self) -> Result<bool, JournalError> {
        let Some((path, file)) = &self.hot else {
            return Ok(false);
        };
        let mut bytes = [0; SEGMENT_HEADER];
        read_at(file, &mut bytes, 0).map_err(|error| io_error("read", path, error))?;
        Ok(SegmentHeader::read(&bytes) == HeaderCheck::Good(self.header))
    }

    /// What is behind the last good frame of a file.
    pub fn rest(&self, origin: Origin, cursor: Cursor) -> Result<Rest, JournalError> {
        let file = match origin {
            Origin::Disk => &self.disk,
            Origin::Hot => &self.hot,
        };
        let Some((path, file)) = file else {
            return Ok(Rest::Clean);
        };
        let bytes =
            read_to_end(file, cursor.position).map_err(|error| io_error("read", path, error))?;
        if matches!(check(&bytes, cursor.crc, cursor.sequence), Check::Good(_)) {
            // Written since: somebody appends while this is read.
            return Ok(Rest::Clean);
        }
        if valid_frame_behind(&bytes, cursor.crc, cursor.sequence) {
            let damage = match check(&bytes, cursor.crc, cursor.sequence) {
                Check::Bad(damage) => damage,
                _ => Damage::Missing,
            };
            return Ok(Rest::Damaged(damage));
        }
        // A hot file is zeroed behind its frames; a file on disk has no byte there.
        let torn = match origin {
            Origin::Disk => bytes.len(),
            Origin::Hot => bytes
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |last| last + 1),
        };
        Ok(if torn == 0 {
            Rest::Clean
        } else {
            Rest::Torn(torn as u64)
        })
    }
}

/// Reads as much as there is, up to the buffer's length.
pub(super) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], position + read as u64) {
            Ok(0) => break,
            Ok(bytes) => read += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Everything from `position` on.
pub(super) fn read_to_end(file: &File, position: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().saturating_sub(position);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let read = read_at(file, &mut bytes, position)?;
    bytes.truncate(read);
    Ok(bytes)
}
