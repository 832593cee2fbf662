//! Reading a journal while its engine runs: from a given record to the last one committed.
//!
//! Runs on: COLD, after a gap in its ring and for the session report; any cold thread.
//! Owns: following a segment from memory to disk when its slot is recycled meanwhile.
//! Never: waits for a record, gives out half of one, or skips one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{Damage, JournalError};
use super::reader::{Entry, Journal, entry, hot_dirs};
use super::segment::{Catalog, HeaderCheck, Segment, SegmentHeader, files, first_bytes};
use super::source::{Cursor, Source};
use super::state_dir::identity;

/// How often a reader looks again when segments move under it. Each time, the copier has finished a
/// segment.
const ATTEMPTS: usize = 1_000;

/// Reads a journal that is being written.
pub struct LiveReader {
    dir: PathBuf,
    hot_dirs: Vec<PathBuf>,
    identity: u64,
    /// Segments on disk when reading began; later ones are found by their names.
    disk: BTreeMap<u64, Segment>,
    source: Option<Source>,
    cursor: Cursor,
    from: u64,
}

impl Journal {
    /// Reads from record `from` on, while the engine runs or not: [`LiveReader::read`] gives the
    /// next record, or `None` at the last one committed, and may be called again later.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn follow(
        dir: &Path,
        hot_dir: Option<&Path>,
        from: u64,
    ) -> Result<LiveReader, JournalError> {
        Ok(LiveReader {
            dir: dir.to_owned(),
            hot_dirs: hot_dirs(dir, hot_dir)?,
            identity: identity(dir)?,
            disk: BTreeMap::new(),
            source: None,
            cursor: Cursor {
                position: 0,
                sequence: 0,
                crc: 0,
            },
            from,
        })
    }
}

impl LiveReader {
    /// The next record; `None` when there is none yet.
    ///
    /// # Errors
    /// A record that this build cannot read; [`JournalError::Damaged`] when the journal
    /// has a gap; those of the file system.
    pub fn read(&mut self) -> Result<Option<Entry>, JournalError> {
        let mut refreshed = false;
        for _ in 0..ATTEMPTS {
            if self.source.is_none() && !self.begin()? {
                return Ok(None);
            }
            if let Some(entry) = self.step()? {
                return Ok(Some(entry));
            }
            match self.successor()? {
                Some(next) if self.is_continued_by(&next) => {
                    self.cursor = Cursor::at_start(&next);
                    self.open(next)?;
                    refreshed = false;
                }
                // The pen is further on: this segment has more, on disk by now if not in memory.
                Some(_) => self.reopen()?,
                None if refreshed => return Ok(None),
                None => {
                    self.reopen()?;
                    refreshed = true;
                }
            }
        }
        Err(JournalError::Damaged {
            file: self.dir.clone(),
            offset: self.cursor.position,
            damage: Damage::Chain,
        })
    }

    /// The next record of the present segment at or after the first one wanted.
    fn step(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            let cursor = self.cursor;
            let Some(source) = &mut self.source else {
                return Ok(None);
            };
            let Some((frame, origin)) = source.frame(cursor)? else {
                return Ok(None);
            };
            self.cursor = cursor.behind(&frame);
            if frame.sequence < self.from {
                continue;
            }
            return match entry(&frame) {
                Ok(entry) => Ok(Some(entry)),
                Err(error) => Err(JournalError::Decode {
                    sequence: cursor.sequence,
                    file: source.path(origin),
                    offset: cursor.position,
                    error,
                }),
            };
        }
    }

    /// Opens the segment that holds the first record wanted, or will.
    fn begin(&mut self) -> Result<bool, JournalError> {
        let catalog = Catalog::scan(&self.dir, &self.hot_dirs, self.identity)?.sound()?;
        let first = catalog.at_or_after(0).map(|(_, header)| header);
        let header = catalog
            .disk
            .values()
            .chain(catalog.hot.values())
            .map(|segment| segment.header)
            .filter(|header| header.base_sequence <= self.from)
            .max_by_key(|header| header.number)
            .or(first);
        self.disk = catalog.disk;
        let Some(header) = header else {
            return Ok(false);
        };
        self.cursor = Cursor::at_start(&header);
        self.open(header)?;
        Ok(true)
    }

    fn is_continued_by(&self, next: &SegmentHeader) -> bool {
        (next.base_sequence, next.previous_crc) == (self.cursor.sequence, self.cursor.crc)
    }

    fn open(&mut self, header: SegmentHeader) -> Result<(), JournalError> {
        let hot = self.hot()?.remove(&header.number);
        let disk = self.on_disk(&header, header.number)?;
        self.source = Some(Source::open(
            header,
            disk.as_ref().map(|segment| segment.path.as_path()),
            hot.as_ref().map(|segment| segment.path.as_path()),
        )?);
        Ok(())
    }

    /// Looks for the present segment's files again.
    fn reopen(&mut self) -> Result<(), JournalError> {
        match self.source.as_ref().map(|source| source.header) {
            Some(header) => self.open(header),
            None => Ok(()),
        }
    }

    /// The segment after the present one, if it was begun.
    fn successor(&self) -> Result<Option<SegmentHeader>, JournalError> {
        let Some(header) = self.source.as_ref().map(|source| source.header) else {
            return Ok(None);
        };
        let after = header.number + 1;
        let hot = self.hot()?;
        let hot = hot.range(after..).next().map(|(_, segment)| segment.header);
        let disk = self.on_disk(&header, after)?.map(|segment| segment.header);
        let known = self
            .disk
            .range(after..)
            .next()
            .map(|(_, segment)| segment.header);
        let found = [hot, disk, known].into_iter().flatten();
        Ok(found.min_by_key(|header| header.number))
    }

    /// Segment `number` on disk: one that was there at first, or a later one of the same boot, by
    /// its name.
    fn on_disk(
        &self,
        header: &SegmentHeader,
        number: u64,
    ) -> Result<Option<Segment>, JournalError> {
        if let Some(segment) = self.disk.get(&number) {
            return Ok(Some(segment.clone()));
        }
        let name = SegmentHeader { number, ..*header }.file_name();
        let path = self.dir.join(name);
        if !path.exists() {
            return Ok(None);
        }
        Ok(match SegmentHeader::read(&first_bytes(&path)?) {
            HeaderCheck::Good(header) if header.number == number => Some(Segment { path, header }),
            // Its header is being written.
            _ => None,
        })
    }

    fn hot(&self) -> Result<BTreeMap<u64, Segment>, JournalError> {
        let mut found = BTreeMap::new();
        for dir in &self.hot_dirs {
            for path in files(dir, "hot")? {
                // A slot may go to another segment, or away, at any moment.
                if let Ok(bytes) = first_bytes(&path)
                    && let HeaderCheck::Good(header) = SegmentHeader::read(&bytes)
                    && header.identity == self.identity
                {
                    found.insert(header.number, Segment { path, header });
                }
            }
        }
        Ok(found)
    }
}
