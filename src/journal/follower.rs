//! JOURNAL's work: copies hot segments to disk, syncs in groups, prepares segments for the pen.
//!
//! Runs on: JOURNAL, a cold thread; closed by shutdown.
//! Owns: the segment files on disk of this boot, and the hot directory.
//! Never: calls a record durable that the disk did not confirm; tries again after the disk failed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::error::{JournalError, io_error};
use super::hot::{HotCopier, pool};
use super::segment::{HeaderCheck, SegmentHeader, files, first_bytes};
use super::state_dir::{
    ensure_identity, forget_hot_dir, lock, make_hot_dir, record_hot_dir, sync_directory,
};
use super::writer::{JournalStatus, JournalWriter, Shared};
use crate::types::{BootEpoch, Nanos};

/// Bytes that wait for a sync at most.
const GROUP_BYTES: usize = 64 * 1024;

/// Where a journal ends: what the next boot continues. The default is an empty journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalTail {
    /// The last record's sequence.
    pub sequence: u64,
    /// The last frame's checksum.
    pub crc: u32,
    /// The last segment's number.
    pub segment: u64,
}

/// What a journal is made with.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// The state directory; this process holds its lock.
    pub dir: PathBuf,
    /// The directory of hot segments, this journal's alone.
    pub hot_dir: PathBuf,
    /// Bytes of a segment: whole pages of 4096, 8 KiB to 1 GiB.
    pub segment_bytes: usize,
    /// Hot segments, the current one included: 2 to 64.
    pub hot_segments: usize,
    /// This boot.
    pub epoch: BootEpoch,
    /// What it continues: [`Recovered::tail`](super::Recovered).
    pub after: JournalTail,
    /// The longest that a record waits for a sync, in nanoseconds.
    pub group_commit_ns: u64,
    /// Whether to sync at all. Without, a record counts as durable once it is written to the file.
    pub fsync: bool,
    /// Now, by the engine's clock.
    pub started_at: Nanos,
}

impl JournalSettings {
    /// The defaults: four hot segments of 8 MiB, a sync every 2 ms or 64 KiB.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, hot_dir: impl Into<PathBuf>, epoch: BootEpoch) -> Self {
        Self {
            dir: dir.into(),
            hot_dir: hot_dir.into(),
            segment_bytes: 8 << 20,
            hot_segments: 4,
            epoch,
            after: JournalTail::default(),
            group_commit_ns: 2_000_000,
            fsync: true,
            started_at: Nanos::ZERO,
        }
    }

    fn validate(&self) -> Result<(), JournalError> {
        if !self.segment_bytes.is_multiple_of(4096)
            || !(8192..=1 << 30).contains(&self.segment_bytes)
        {
            return Err(JournalError::Settings(
                "a segment has whole pages of 4096 bytes, 8 KiB to 1 GiB",
            ));
        }
        if !(2..=64).contains(&self.hot_segments) {
            return Err(JournalError::Settings("2 to 64 hot segments"));
        }
        Ok(())
    }
}

/// The cold side of a journal. Made by [`create`].
pub struct JournalFollower {
    hot: HotCopier,
    shared: Arc<Shared>,
    dir: PathBuf,
    hot_dir: PathBuf,
    group_commit_ns: u64,
    fsync: bool,
    file: Option<(PathBuf, File)>,
    /// Bytes of the present segment that are in its file.
    copied: usize,
    /// The last sequence seen in the hot segments.
    seen: u64,
    /// When bytes began to wait for a sync.
    waiting_since: Option<Nanos>,
    error: Option<JournalError>,
    closed: bool,
    _hot_lock: File,
}

/// Begins this boot's part of a journal: makes and pre-faults the hot segments.
///
/// # Errors
/// [`JournalError::HotTail`] when records of an earlier run were not recovered,
/// [`JournalError::Full`] when the hot directory has no room, [`JournalError::Locked`] when another
/// journal uses it, and those of the file system.
pub fn create(settings: JournalSettings) -> Result<(JournalWriter, JournalFollower), JournalError> {
    settings.validate()?;
    let identity = ensure_identity(&settings.dir)?;
    make_hot_dir(&settings.hot_dir)?;
    let hot_lock = lock(&settings.hot_dir)?;
    clear_hot_dir(&settings.hot_dir, identity)?;
    record_hot_dir(&settings.dir, &settings.hot_dir)?;
    let after = settings.after;
    let (writer, hot) = pool(
        &settings.hot_dir,
        settings.hot_segments,
        settings.segment_bytes,
        after.segment + 1,
    )?;
    let shared = Arc::new(Shared::default());
    shared.durable.store(after.sequence, Ordering::Release);
    let writer = JournalWriter::new(
        writer,
        Arc::clone(&shared),
        settings.epoch,
        identity,
        (after.sequence + 1, after.crc),
        settings.started_at,
    );
    let follower = JournalFollower {
        hot,
        shared,
        dir: settings.dir,
        hot_dir: settings.hot_dir,
        group_commit_ns: settings.group_commit_ns,
        fsync: settings.fsync,
        file: None,
        copied: 0,
        seen: after.sequence,
        waiting_since: None,
        error: None,
        closed: false,
        _hot_lock: hot_lock,
    };
    Ok((writer, follower))
}

/// Removes files of a journal that is gone, and prepared ones that were never used; refuses records
/// of this one.
fn clear_hot_dir(hot_dir: &std::path::Path, identity: u64) -> Result<(), JournalError> {
    let found = files(hot_dir, "hot")?;
    for path in &found {
        if let HeaderCheck::Good(header) = SegmentHeader::read(&first_bytes(path)?)
            && header.identity == identity
        {
            return Err(JournalError::HotTail {
                path: hot_dir.to_owned(),
            });
        }
    }
    for path in &found {
        fs::remove_file(path).map_err(|error| io_error("remove", path, error))?;
    }
    Ok(())
}

impl JournalFollower {
    /// Copies what is new; syncs when a group is full or old enough. Returns how many segments had
    /// something new.
    pub fn poll(&mut self, now: Nanos) -> usize {
        if self.error.is_some() || self.closed {
            return 0;
        }
        match self.copy(now) {
            Ok(work) => work,
            Err(error) => {
                self.fail(error);
                0
            }
        }
    }

    /// Makes everything durable that was appended before this call.
    ///
    /// # Errors
    /// The failure of the disk, this time only; [`JournalStatus::error`] keeps its text.
    pub fn flush(&mut self, now: Nanos) -> Result<(), &JournalError> {
        self.poll(now);
        if self.error.is_none()
            && !self.closed
            && let Err(error) = self.commit()
        {
            self.fail(error);
        }
        self.error.as_ref().map_or(Ok(()), Err)
    }

    /// When bytes that wait are due, `None` when none wait.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        self.waiting_since
            .map(|since| since.plus(self.group_commit_ns))
    }

    /// Why the disk failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&JournalError> {
        self.error.as_ref()
    }

    /// Progress, readable from any thread.
    #[must_use]
    pub fn status(&self) -> JournalStatus {
        JournalStatus(Arc::clone(&self.shared))
    }

    /// Makes everything durable and removes the hot directory. The pen writes nothing after that.
    /// When the disk failed, the hot segments stay for the next start to recover.
    ///
    /// # Errors
    /// The failure of the disk.
    pub fn close(&mut self, now: Nanos) -> Result<(), &JournalError> {
        if !self.closed && self.flush(now).is_ok() {
            self.closed = true;
            if let Err(error) = self.remove_hot() {
                self.fail(error);
            }
        }
        self.error.as_ref().map_or(Ok(()), Err)
    }

    fn remove_hot(&self) -> Result<(), JournalError> {
        self.hot.remove_files()?;
        // Last the directory: what else somebody put there stays, and it with it.
        let _ = fs::remove_file(self.hot_dir.join("LOCK"));
        let _ = fs::remove_dir(&self.hot_dir);
        forget_hot_dir(&self.dir)
    }

    fn copy(&mut self, now: Nanos) -> Result<usize, JournalError> {
        let mut work = 0;
        loop {
            let (begun, left) = self.hot.progress();
            if !begun {
                return Ok(work);
            }
            let (end, last) = self.hot.advance()?;
            if let Some(last) = last {
                self.seen = last;
                work += 1;
            }
            let waiting = end - self.copied;
            if waiting > 0 && self.waiting_since.is_none() {
                self.waiting_since = Some(now);
            }
            if left {
                // The pen is in the next segment: this one is complete.
                self.commit()?;
                self.file = None;
                self.copied = 0;
                self.hot.recycle();
                continue;
            }
            let due = self
                .waiting_since
                .is_some_and(|since| now.since(since) >= self.group_commit_ns);
            if waiting >= GROUP_BYTES || due {
                self.commit()?;
            }
            return Ok(work);
        }
    }

    /// Writes what was seen, syncs it, and says so.
    fn commit(&mut self) -> Result<(), JournalError> {
        let bytes = self.hot.bytes(self.copied);
        if !bytes.is_empty() && self.hot.progress().0 {
            if self.file.is_none() {
                self.file = Some(self.create_file()?);
            }
            if let Some((path, file)) = &mut self.file {
                file.write_all(bytes)
                    .map_err(|error| io_error("write", path, error))?;
                if self.fsync {
                    file.sync_data()
                        .map_err(|error| io_error("sync", path, error))?;
                    self.shared.syncs.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.copied += bytes.len();
            self.shared
                .bytes
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        self.waiting_since = None;
        self.shared.durable.store(self.seen, Ordering::Release);
        Ok(())
    }

    fn create_file(&self) -> Result<(PathBuf, File), JournalError> {
        let HeaderCheck::Good(header) = SegmentHeader::read(self.hot.bytes(0)) else {
            unreachable!("the pen wrote the header before it said that the segment was begun")
        };
        let path = self.dir.join(header.file_name());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| io_error("create", &path, error))?;
        if self.fsync {
            sync_directory(&self.dir)?;
        }
        Ok((path, file))
    }

    /// For good: after a failed sync nobody knows what the disk holds.
    fn fail(&mut self, error: JournalError) {
        let _ = self.shared.error.set(error.to_string());
        self.shared.failed.store(true, Ordering::Release);
        self.waiting_since = None;
        self.error = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Pen, Record};

    fn settings(dir: &std::path::Path) -> JournalSettings {
        let mut settings = JournalSettings::new(dir, dir.join("hot"), BootEpoch::FIRST);
        settings.segment_bytes = 8192;
        settings.hot_segments = 2;
        settings
    }

    #[test]
    fn a_full_disk_fails_the_journal_for_good_and_keeps_the_hot_segments() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut pen, mut follower) = create(settings(dir.path())).expect("room");
        pen.append(&Record::Shutdown, Nanos(1));
        follower.flush(Nanos(1)).expect("writable");
        assert_eq!(pen.durable_sequence(), 1);
        // Every write to /dev/full fails as on a full disk.
        let full = OpenOptions::new().write(true).open("/dev/full");
        follower.file = Some((PathBuf::from("/dev/full"), full.expect("Linux has it")));
        pen.append(&Record::Shutdown, Nanos(2));
        assert!(matches!(
            follower.flush(Nanos(2)),
            Err(JournalError::Full { .. })
        ));
        assert!(pen.has_failed());
        assert_eq!(pen.durable_sequence(), 1);
        follower.file = None;
        assert_eq!(follower.poll(Nanos(3_000_000)), 0, "no second try");
        assert!(follower.close(Nanos(3_000_001)).is_err());
        assert_eq!(pen.durable_sequence(), 1);
        assert!(
            follower
                .status()
                .error()
                .expect("kept")
                .contains("no space")
        );
        assert!(dir.path().join("hot/slot-01.hot").exists());
    }

    #[test]
    fn records_are_synced_in_groups_by_age() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut pen, mut follower) = create(settings(dir.path())).expect("room");
        follower.flush(Nanos(0)).expect("writable");
        for n in 1..=3 {
            pen.append(&Record::Shutdown, Nanos(n));
            follower.poll(Nanos(n));
            assert_eq!(pen.durable_sequence(), 0);
        }
        assert_eq!(follower.next_deadline(), Some(Nanos(2_000_001)));
        let before = follower.status().syncs();
        follower.poll(Nanos(2_000_000));
        assert_eq!(pen.durable_sequence(), 0, "one nanosecond early");
        follower.poll(Nanos(2_000_001));
        assert_eq!(pen.durable_sequence(), 3);
        assert_eq!(follower.status().syncs(), before + 1);
        assert_eq!(follower.next_deadline(), None);
    }

    #[test]
    fn the_pen_runs_out_of_room_only_when_nobody_prepares_segments() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut pen, mut follower) = create(settings(dir.path())).expect("room");
        let mut written = 0;
        while pen.has_room(1) {
            pen.append(&Record::Shutdown, Nanos(1));
            written += 1;
        }
        // Two segments of 8128 bytes for frames; room is counted in the longest frames, of 160
        // bytes.
        assert!((410..=508).contains(&written), "{written}");
        follower.poll(Nanos(1));
        assert!(pen.has_room(50) && !pen.has_room(60));
    }

    #[test]
    fn unrecovered_records_and_a_shared_hot_directory_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let (pen, follower) = create(settings(dir.path())).expect("room");
        assert!(matches!(
            create(settings(dir.path())),
            Err(JournalError::Locked { .. })
        ));
        drop((pen, follower));
        assert!(matches!(
            create(settings(dir.path())),
            Err(JournalError::HotTail { .. })
        ));
        // What a deleted journal left is no obstacle.
        fs::remove_file(dir.path().join("IDENTITY")).expect("there");
        create(settings(dir.path())).expect("another journal");
    }
}
