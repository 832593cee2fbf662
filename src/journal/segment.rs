//! Segments: the files of a journal, their headers and their names.
//!
//! Runs on: JOURNAL and start-up; ORDER writes a header when it rolls to a prepared segment.
//! Owns: the layout of a segment's header, and finding the segments of a directory by their
//! headers.
//! Never: trusts a file's name or a directory's order.
//!
//! ```text
//! 0 magic u64 | 8 format u32 | 12 epoch u32 | 16 number u64 | 24 base sequence u64
//! 32 identity u64 | 40 previous crc u32 | 44 reserved u32 | 48 time u64 | 56 reserved u32
//! 60 header crc u32
//! ```
//!
//! A segment on disk is the same bytes as its hot twin, cut after the last frame.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{Damage, JournalError, io_error};
use crate::types::Nanos;

/// Bytes of a segment's header.
pub const SEGMENT_HEADER: usize = 64;
/// `SHRKJRNL`.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"SHRKJRNL");
/// The format of this build.
pub const FORMAT: u32 = 1;

/// What a segment says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// The boot that wrote it.
    pub epoch: u32,
    /// Its place among all segments of the journal; only grows.
    pub number: u64,
    /// The sequence of its first record.
    pub base_sequence: u64,
    /// The journal that it belongs to.
    pub identity: u64,
    /// Checksum of the last frame before it, 0 for the first.
    pub previous_crc: u32,
    /// When it was begun.
    pub time: Nanos,
}

/// What stands where a header should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeaderCheck {
    Good(SegmentHeader),
    /// Too short, zeros, or bytes that do not fit their checksum.
    Bad,
    /// Whole, but of another format.
    Format(u32),
}

impl SegmentHeader {
    pub(super) fn to_bytes(self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.base_sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.identity.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.previous_crc.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.time.0.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> HeaderCheck {
        let Some(bytes) = bytes.first_chunk::<SEGMENT_HEADER>() else {
            return HeaderCheck::Bad;
        };
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if u64_at(0) != MAGIC || crc32c::crc32c(&bytes[..60]) != u32_at(60) {
            return HeaderCheck::Bad;
        }
        if u32_at(8) != FORMAT {
            return HeaderCheck::Format(u32_at(8));
        }
        HeaderCheck::Good(Self {
            epoch: u32_at(12),
            number: u64_at(16),
            base_sequence: u64_at(24),
            identity: u64_at(32),
            previous_crc: u32_at(40),
            time: Nanos(u64_at(48)),
        })
    }

    /// The name of its file on disk: sorts like the journal.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("journal-{:07}-{:012}.seg", self.epoch, self.number)
    }
}

/// A segment file and its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    pub header: SegmentHeader,
}

/// Every segment of a journal.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// On disk, by number.
    pub disk: BTreeMap<u64, Segment>,
    /// In hot directories, by number.
    pub hot: BTreeMap<u64, Segment>,
    /// Newest segments on disk whose header never became whole, with their bytes.
    pub headless: Vec<(PathBuf, u64)>,
    /// Every file of the hot directories.
    pub hot_files: Vec<PathBuf>,
    /// What is wrong with headers.
    pub problems: Vec<JournalError>,
}

/// Whether `path` ends in `.extension`.
pub(super) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// The files of a directory with an extension, in order of name; none when the directory is not
/// there.
pub(super) fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, JournalError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("list", dir, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| io_error("list", dir, error))?.path();
        if has_extension(&path, extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The first bytes of a file, at most a header's.
pub(super) fn first_bytes(path: &Path) -> Result<Vec<u8>, JournalError> {
    let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
    File::open(path)
        .and_then(|file| {
            file.take(SEGMENT_HEADER as u64)
                .read_to_end(&mut bytes)
                .map(drop)
        })
        .map_err(|error| io_error("read", path, error))?;
    Ok(bytes)
}

impl Catalog {
    /// Reads the headers of `dir` and of the hot directories. Hot segments of another journal are
    /// left out: they are what remained of a deleted one. Bad headers are noted as problems.
    pub fn scan(dir: &Path, hot_dirs: &[PathBuf], identity: u64) -> Result<Self, JournalError> {
        let mut catalog = Self::default();
        let mut bad = Vec::new();
        for path in files(dir, "seg")? {
            match SegmentHeader::read(&first_bytes(&path)?) {
                HeaderCheck::Good(header) if header.identity != identity => {
                    catalog.problem(&path, Damage::Foreign);
                }
                HeaderCheck::Good(header) if catalog.disk.contains_key(&header.number) => {
                    catalog.problem(&path, Damage::Twice);
                }
                HeaderCheck::Good(header) => {
                    catalog.disk.insert(header.number, Segment { path, header });
                }
                HeaderCheck::Format(found) => catalog.problems.push(JournalError::Format {
                    file: path,
                    found,
                    known: FORMAT,
                }),
                HeaderCheck::Bad => bad.push(path),
            }
        }
        catalog.sort_out_headless(bad)?;
        for hot_dir in hot_dirs {
            catalog.add_hot(hot_dir, identity)?;
        }
        Ok(catalog)
    }

    /// Itself when every header is as it should be.
    pub fn sound(mut self) -> Result<Self, JournalError> {
        match self.problems.pop() {
            None => Ok(self),
            Some(problem) => Err(problem),
        }
    }

    fn problem(&mut self, path: &Path, damage: Damage) {
        self.problems.push(JournalError::Damaged {
            file: path.to_owned(),
            offset: 0,
            damage,
        });
    }

    /// Only the newest segment may lack its header: the run ended while it was being made, and it
    /// holds no record.
    fn sort_out_headless(&mut self, bad: Vec<PathBuf>) -> Result<(), JournalError> {
        let newest = self.disk.values().map(|s| s.header.file_name()).max();
        for path in bad {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_newest = newest.as_ref().is_none_or(|newest| *name > **newest);
            let bytes = fs::read(&path).map_err(|error| io_error("read", &path, error))?;
            let body = bytes.get(SEGMENT_HEADER..).unwrap_or_default();
            if is_newest && body.iter().all(|&byte| byte == 0) {
                self.headless.push((path, bytes.len() as u64));
            } else {
                self.problem(&path, Damage::Header);
            }
        }
        Ok(())
    }

    fn add_hot(&mut self, hot_dir: &Path, identity: u64) -> Result<(), JournalError> {
        for path in files(hot_dir, "hot")? {
            // A slot that goes away meanwhile belongs to a run that ends: its records are on disk.
            let bytes = match first_bytes(&path) {
                Err(JournalError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    continue;
                }
                bytes => bytes?,
            };
            self.hot_files.push(path.clone());
            match SegmentHeader::read(&bytes) {
                HeaderCheck::Good(header) if header.identity != identity => {}
                HeaderCheck::Good(header) if self.hot.contains_key(&header.number) => {
                    self.problem(&path, Damage::Twice);
                }
                // One number, one segment: a state directory that was put back from a copy, say.
                HeaderCheck::Good(header)
                    if self
                        .disk
                        .get(&header.number)
                        .is_some_and(|disk| disk.header != header) =>
                {
                    self.problem(&path, Damage::Chain);
                }
                HeaderCheck::Good(header) => {
                    self.hot.insert(header.number, Segment { path, header });
                }
                // Prepared and never used, or being recycled.
                _ => {}
            }
        }
        Ok(())
    }

    /// The lowest segment number at or above `number`.
    pub fn at_or_after(&self, number: u64) -> Option<(u64, SegmentHeader)> {
        let first = |map: &BTreeMap<u64, Segment>| {
            map.range(number..)
                .next()
                .map(|(&number, segment)| (number, segment.header))
        };
        match (first(&self.disk), first(&self.hot)) {
            (Some(disk), Some(hot)) => Some(if disk.0 <= hot.0 { disk } else { hot }),
            (disk, hot) => disk.or(hot),
        }
    }

    /// The highest boot epoch of any segment, 0 when there is none.
    pub fn last_epoch(&self) -> u32 {
        self.disk
            .values()
            .chain(self.hot.values())
            .map(|segment| segment.header.epoch)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_noticed() {
        let header = SegmentHeader {
            epoch: 7,
            number: 12,
            base_sequence: 99,
            identity: u64::MAX - 3,
            previous_crc: 0xDEAD_BEEF,
            time: Nanos(5),
        };
        let bytes = header.to_bytes();
        assert_eq!(SegmentHeader::read(&bytes), HeaderCheck::Good(header));
        assert_eq!(SegmentHeader::read(&bytes[..63]), HeaderCheck::Bad);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::read(&bad), HeaderCheck::Bad, "bit {bit}");
        }
        assert_eq!(header.file_name(), "journal-0000007-000000000012.seg");
    }
}
