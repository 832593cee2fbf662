//! Reading a journal that nobody writes: the segments on disk, then the hot tail.
//!
//! Runs on: start-up and the offline verbs.
//! Owns: the order of segments, and the difference between a torn end and damage.
//! Never: gives out a record behind a bad frame; changes a file (`repair` does).
//!
//! The end of the journal is *torn* when nothing valid follows the first bad frame: the run ended
//! while that frame was being written, nothing was promised of it, and it is left out and counted.
//! When anything valid follows, a whole later frame or another segment, bytes are gone that had
//! been on record: that is damage, and an error.

use std::path::{Path, PathBuf};

use super::codec::{CodecError, decode};
use super::error::{Damage, JournalError};
use super::follower::JournalTail;
use super::frame::Frame;
use super::record::Record;
use super::segment::{Catalog, SegmentHeader};
use super::source::{Cursor, Origin, Rest, Source};
use super::state_dir::{identity, recorded_hot_dir};
use crate::types::Nanos;

/// One record of a journal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Entry {
    /// Its number: 1 for the first record of the journal, then one more each.
    pub sequence: u64,
    /// When it was appended, by the engine's clock.
    pub time: Nanos,
    /// What it says.
    pub record: Record,
}

/// A journal that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// Their bytes, segment headers included.
    pub bytes: u64,
    /// The first record's sequence, 0 when there is none.
    pub first_sequence: u64,
    /// The last record's sequence, 0 when there is none.
    pub last_sequence: u64,
    /// Bytes behind the last record that were never a whole one.
    pub torn_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Where the journal ends.
    pub tail: JournalTail,
}

/// What a segment turned out to hold.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub header: SegmentHeader,
    pub disk: Option<PathBuf>,
    /// Good bytes of the file on disk, and all of its bytes.
    pub disk_end: u64,
    pub disk_length: u64,
    pub hot: Option<PathBuf>,
    /// Good bytes of both together.
    pub end: u64,
}

/// Reading a journal.
#[derive(Debug, Clone, Copy)]
pub struct Journal;

impl Journal {
    /// Reads the journal of state directory `dir` with its hot tail: in `hot_dir` if given, and
    /// where the last run left word that it keeps one.
    ///
    /// # Errors
    /// Those of the file system, and [`JournalError::Damaged`] for a bad header.
    pub fn read(dir: &Path, hot_dir: Option<&Path>) -> Result<Reader, JournalError> {
        let hot_dirs = hot_dirs(dir, hot_dir)?;
        let catalog = Catalog::scan(dir, &hot_dirs, identity(dir)?)?.sound()?;
        Ok(Reader::new(catalog))
    }

    /// Reads every record and says what there was.
    ///
    /// # Errors
    /// The first damage, with file and offset; a record that this build cannot read.
    pub fn verify(dir: &Path, hot_dir: Option<&Path>) -> Result<Verified, JournalError> {
        let mut reader = Self::read(dir, hot_dir)?;
        for entry in &mut reader {
            entry?;
        }
        Ok(reader.verified())
    }
}

/// The hot directories that may hold this journal's tail.
pub(super) fn hot_dirs(dir: &Path, hot_dir: Option<&Path>) -> Result<Vec<PathBuf>, JournalError> {
    let mut dirs: Vec<PathBuf> = hot_dir.map(Path::to_owned).into_iter().collect();
    if let Some(recorded) = recorded_hot_dir(dir)? {
        let same = |known: &PathBuf| match (known.canonicalize(), recorded.canonicalize()) {
            (Ok(known), Ok(recorded)) => known == recorded,
            _ => *known == recorded,
        };
        if !dirs.iter().any(same) {
            dirs.push(recorded);
        }
    }
    Ok(dirs)
}

/// Reads a frame's record.
pub(super) fn entry(frame: &Frame<'_>) -> Result<Entry, CodecError> {
    if frame.flags != 0 {
        return Err(CodecError::Flags(frame.flags));
    }
    let record = decode(frame.kind, frame.version, frame.payload)?;
    Ok(Entry {
        sequence: frame.sequence,
        time: frame.time,
        record,
    })
}

/// Iterates over the records of a journal in order. After an error there is no further one.
pub struct Reader {
    catalog: Catalog,
    source: Option<Source>,
    cursor: Cursor,
    /// Where the good frames of the present file on disk end, once that was seen.
    disk_end: Option<(u64, Rest)>,
    verified: Verified,
    spans: Vec<Span>,
    done: bool,
}

impl Reader {
    pub(super) fn new(catalog: Catalog) -> Self {
        let torn_bytes = catalog.headless.iter().map(|(_, bytes)| bytes).sum();
        Self {
            catalog,
            source: None,
            cursor: Cursor {
                position: 0,
                sequence: 0,
                crc: 0,
            },
            disk_end: None,
            verified: Verified {
                torn_bytes,
                ..Verified::default()
            },
            spans: Vec::new(),
            done: false,
        }
    }

    /// What was read so far; complete once the iteration ended without an error.
    #[must_use]
    pub const fn verified(&self) -> Verified {
        self.verified
    }

    pub(super) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The segments read, with the one at which an error stopped the reading, up to its last good
    /// frame.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = self.spans.clone();
        if let Some(source) = &self.source {
            spans.push(self.span(source));
        }
        spans
    }

    fn read(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            let Some(source) = &mut self.source else {
                let Some((number, header)) = self.catalog.at_or_after(0) else {
                    return Ok(None);
                };
                self.verified.first_sequence = header.base_sequence;
                self.enter(number, header)?;
                continue;
            };
            let Some((frame, origin)) = source.frame(self.cursor)? else {
                if self.leave()? {
                    continue;
                }
                return Ok(None);
            };
            let (size, next, read) = (frame.size, self.cursor.behind(&frame), entry(&frame));
            if origin == Origin::Hot {
                self.see_disk_end()?;
            }
            let entry = read.map_err(|error| JournalError::Decode {
                sequence: self.cursor.sequence,
                file: self.path(origin),
                offset: self.cursor.position,
                error,
            })?;
            self.cursor = next;
            self.verified.records += 1;
            self.verified.bytes += size as u64;
            self.verified.last_sequence = entry.sequence;
            self.verified.tail.sequence = entry.sequence;
            self.verified.tail.crc = next.crc;
            return Ok(Some(entry));
        }
    }

    fn enter(&mut self, number: u64, header: SegmentHeader) -> Result<(), JournalError> {
        let path = |segment: Option<&super::segment::Segment>| segment.map(|s| s.path.clone());
        let (disk, hot) = (
            path(self.catalog.disk.get(&number)),
            path(self.catalog.hot.get(&number)),
        );
        self.source = Some(Source::open(header, disk.as_deref(), hot.as_deref())?);
        self.cursor = Cursor::at_start(&header);
        self.disk_end = None;
        self.verified.segments += 1;
        self.verified.bytes += self.cursor.position;
        self.verified.tail = JournalTail {
            sequence: header.base_sequence.saturating_sub(1),
            crc: header.previous_crc,
            segment: number,
        };
        Ok(())
    }

    /// The file on disk has no good frame at the cursor: whether that is its end or damage is seen
    /// now.
    fn see_disk_end(&mut self) -> Result<Rest, JournalError> {
        if let Some((_, rest)) = self.disk_end {
            return Ok(rest);
        }
        let Some(source) = &self.source else {
            return Ok(Rest::Clean);
        };
        let rest = source.rest(Origin::Disk, self.cursor)?;
        if let Rest::Damaged(damage) = rest {
            return Err(self.damaged(Origin::Disk, damage));
        }
        let end = if source.disk.is_some() {
            self.cursor.position
        } else {
            0
        };
        self.disk_end = Some((end, rest));
        Ok(rest)
    }

    /// Leaves a segment that has no further frame; `false` when it was the last.
    fn leave(&mut self) -> Result<bool, JournalError> {
        let disk = self.see_disk_end()?;
        let Some(source) = &self.source else {
            return Ok(false);
        };
        let hot = source.rest(Origin::Hot, self.cursor)?;
        if let Rest::Damaged(damage) = hot {
            return Err(self.damaged(Origin::Hot, damage));
        }
        let torn = |rest| match rest {
            Rest::Torn(bytes) => bytes,
            _ => 0,
        };
        let last_origin = if source.hot.is_some() {
            Origin::Hot
        } else {
            Origin::Disk
        };
        // What the hot twin has instead is not lost.
        let healed = self
            .disk_end
            .is_some_and(|(end, _)| end < self.cursor.position);
        let disk_torn = if healed { 0 } else { torn(disk) };
        let number = source.header.number;
        let span = self.span(source);
        let Some((next, header)) = self.catalog.at_or_after(number + 1) else {
            self.verified.torn_bytes += disk_torn + torn(hot);
            self.spans.push(span);
            self.source = None;
            self.done = true;
            return Ok(false);
        };
        let expected = (self.cursor.sequence, self.cursor.crc);
        if (header.base_sequence, header.previous_crc) != expected {
            return Err(if header.base_sequence > self.cursor.sequence {
                self.damaged(last_origin, Damage::Missing)
            } else {
                JournalError::Damaged {
                    file: self.segment_path(next),
                    offset: 0,
                    damage: Damage::Chain,
                }
            });
        }
        if disk_torn + torn(hot) > 0 {
            return Err(self.damaged(last_origin, Damage::Trailing));
        }
        self.spans.push(span);
        self.enter(next, header)?;
        Ok(true)
    }

    fn span(&self, source: &Source) -> Span {
        let path =
            |file: &Option<(PathBuf, std::fs::File)>| file.as_ref().map(|(path, _)| path.clone());
        let (disk_end, rest) = self.disk_end.unwrap_or((self.cursor.position, Rest::Clean));
        let torn = match rest {
            Rest::Torn(bytes) => bytes,
            _ => 0,
        };
        Span {
            header: source.header,
            disk: path(&source.disk),
            disk_end,
            disk_length: disk_end + torn,
            hot: path(&source.hot),
            end: self.cursor.position,
        }
    }

    fn path(&self, origin: Origin) -> PathBuf {
        self.source
            .as_ref()
            .map_or_else(PathBuf::new, |source| source.path(origin))
    }

    fn segment_path(&self, number: u64) -> PathBuf {
        let (disk, hot) = (
            self.catalog.disk.get(&number),
            self.catalog.hot.get(&number),
        );
        disk.or(hot)
            .map_or_else(PathBuf::new, |segment| segment.path.clone())
    }

    fn damaged(&self, origin: Origin, damage: Damage) -> JournalError {
        JournalError::Damaged {
            file: self.path(origin),
            offset: self.cursor.position,
            damage,
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let read = self.read().transpose();
        if !matches!(read, Some(Ok(_))) {
            self.done = true;
        }
        read
    }
}
