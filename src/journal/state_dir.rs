//! The state directory: its lock, its boot epoch, its halt marker and its small files.
//!
//! Runs on: start-up and shutdown; never a hot agent.
//! Owns: `LOCK`, `EPOCH`, `HALTED`, `IDENTITY` and `HOT` in the directory.
//! Never: lets two engines in; gives out an epoch twice; leaves a small file half-written.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::{JournalError, io_error};
use super::segment::Catalog;
use crate::types::BootEpoch;

const LOCK: &str = "LOCK";
const EPOCH: &str = "EPOCH";
const HALTED: &str = "HALTED";
const IDENTITY: &str = "IDENTITY";
const HOT: &str = "HOT";
const PROBE: &str = ".probe";
/// Shared memory on every Linux.
/// `TMPFS_MAGIC` of statfs(2).
const TMPFS: i64 = 0x0102_1994;

/// An open state directory. Its lock is held until this is dropped, or the process ends in any way.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Opens the directory, made when it is not there (mode 0700), and locks it.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another engine has it, [`JournalError::NotADirectory`],
    /// [`JournalError::NotWritable`], [`JournalError::Full`], [`JournalError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => JournalError::NotADirectory {
                    path: path.to_owned(),
                },
                _ => io_error("create", path, error),
            })?;
        let path = path
            .canonicalize()
            .map_err(|error| io_error("find", path, error))?;
        let lock = lock(&path)?;
        probe(&path)?;
        ensure_identity(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Whether an engine holds the directory now, for verbs that only read: what it writes is read
    /// with [`Journal::follow`](super::Journal::follow).
    ///
    /// # Errors
    /// Those of the file system.
    pub fn is_in_use(path: impl AsRef<Path>) -> Result<bool, JournalError> {
        let path = path.as_ref().join(LOCK);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io_error("open", &path, error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path, error)),
        }
    }

    /// Its canonical path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where this directory's hot segments go: see [`hot_dir_below`].
    #[must_use]
    pub fn hot_dir_below(&self, base: &Path, bytes: u64) -> PathBuf {
        hot_dir_below(base, &self.path, bytes)
    }

    /// Begins a boot: the epoch after every one on record, on disk before this returns.
    ///
    /// # Errors
    /// [`JournalError::EpochsUsed`] after 2^20 boots, [`JournalError::StateFile`] for a
    /// damaged `EPOCH`, and those of the file system.
    pub fn bump_epoch(&self) -> Result<BootEpoch, JournalError> {
        let file = self.path.join(EPOCH);
        let recorded = match read_small(&file)? {
            None => 0,
            Some(text) => text
                .trim_ascii()
                .parse_ascii()
                .filter(|&epoch| epoch <= BootEpoch::MAX)
                .ok_or(JournalError::StateFile {
                    path: file,
                    expected: "the number of the last boot",
                })?,
        };
        // The segments know better than a file that was deleted or put back from an old copy.
        let identity = ensure_identity(&self.path)?;
        let hot: Vec<PathBuf> = recorded_hot_dir(&self.path)?.into_iter().collect();
        let journaled = Catalog::scan(&self.path, &hot, identity)?
            .sound()?
            .last_epoch();
        let epoch = BootEpoch::new(recorded.max(journaled) + 1).ok_or_else(|| {
            JournalError::EpochsUsed {
                path: self.path.clone(),
            }
        })?;
        write_small(&self.path, EPOCH, format!("{}\n", epoch.get()).as_bytes())?;
        Ok(epoch)
    }

    /// Leaves the word that this run ended in a panic or a latch: the next one comes back halted.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_halt(&self, reason: &str) -> Result<(), JournalError> {
        write_small(&self.path, HALTED, reason.as_bytes())
    }

    /// Why the last run halted, if it did. A marker that cannot be read as text halts all the same.
    ///
    /// # Errors
    /// Those of the file system: a marker that cannot be read is no "not halted".
    pub fn read_halt(&self) -> Result<Option<String>, JournalError> {
        let bytes = read_small(&self.path.join(HALTED))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Removes the marker; nothing happens when there is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clear_halt(&self) -> Result<(), JournalError> {
        remove_small(&self.path, HALTED)
    }
}

/// Numbers in small files.
trait ParseAscii {
    fn parse_ascii(&self) -> Option<u32>;
}

impl ParseAscii for [u8] {
    fn parse_ascii(&self) -> Option<u32> {
        std::str::from_utf8(self).ok()?.parse().ok()
    }
}

pub(super) fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| io_error("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = Vec::new();
            let _ = (&mut file).take(20).read_to_end(&mut text);
            return Err(JournalError::Locked {
                path: dir.to_owned(),
                pid: text.trim_ascii().parse_ascii(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(io_error("lock", &path, error)),
    }
    file.set_len(0)
        .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()))
        .map_err(|error| io_error("write", &path, error))?;
    Ok(file)
}

/// Writes and syncs a little, so that a full or read-only disk is known at start.
fn probe(dir: &Path) -> Result<(), JournalError> {
    let path = dir.join(PROBE);
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(&[0x55; 65_536])?;
        file.sync_all()
    };
    let written = write().map_err(|error| io_error("write", &path, error));
    let removed = fs::remove_file(&path).map_err(|error| io_error("remove", &path, error));
    written.and(removed)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(dir: &Path) -> Result<(), JournalError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| io_error("sync", dir, error))
}

/// Replaces a small file as a whole, durably.
fn write_small(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
    let (path, temporary) = (dir.join(name), dir.join(format!("{name}.tmp")));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(|error| io_error("write", &path, error))?;
    sync_directory(dir)
}

fn read_small(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", path, error)),
    }
}

fn remove_small(dir: &Path, name: &str) -> Result<(), JournalError> {
    let path = dir.join(name);
    match fs::remove_file(&path) {
        Ok(()) => sync_directory(dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", &path, error)),
    }
}

/// The number that tells this directory's journal from every other, 0 when it has none yet.
pub(super) fn identity(dir: &Path) -> Result<u64, JournalError> {
    let path = dir.join(IDENTITY);
    let Some(bytes) = read_small(&path)? else {
        return Ok(0);
    };
    std::str::from_utf8(bytes.trim_ascii())
        .ok()
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or(JournalError::StateFile {
            path,
            expected: "the journal's identity in hexadecimal",
        })
}

/// The identity, chosen and written when there is none yet.
pub(super) fn ensure_identity(dir: &Path) -> Result<u64, JournalError> {
    let known = identity(dir)?;
    if known != 0 {
        return Ok(known);
    }
    // The standard library seeds its hashers with the system's random numbers.
    let chosen = RandomState::new().hash_one(std::process::id()) | 1;
    write_identity(dir, chosen)?;
    Ok(chosen)
}

pub(super) fn write_identity(dir: &Path, identity: u64) -> Result<(), JournalError> {
    write_small(dir, IDENTITY, format!("{identity:016x}\n").as_bytes())
}

/// Where the last run of this directory kept its hot segments, unless it ended in order.
pub(super) fn recorded_hot_dir(dir: &Path) -> Result<Option<PathBuf>, JournalError> {
    let bytes = read_small(&dir.join(HOT))?;
    Ok(bytes.map(|bytes| PathBuf::from(std::ffi::OsString::from_vec(bytes))))
}

/// Leaves the way to the hot segments, so that a restart finds them whatever its configuration
/// says.
pub(super) fn record_hot_dir(dir: &Path, hot_dir: &Path) -> Result<(), JournalError> {
    write_small(dir, HOT, hot_dir.as_os_str().as_bytes())
}

/// The hot segments are gone, their records on disk.
pub(super) fn forget_hot_dir(dir: &Path) -> Result<(), JournalError> {
    remove_small(dir, HOT)
}

/// Where hot segments of a state directory go: a directory of their own below `base` (`/dev/shm` by default), named
/// after the state directory's path, when that is a tmpfs with room for `bytes`; else `hot` inside the state
/// directory, where stalls of about 0.1 ms are to be expected.
#[must_use]
pub fn hot_dir_below(base: &Path, state_dir: &Path, bytes: u64) -> PathBuf {
    let roomy = rustix::fs::statfs(base).is_ok_and(|stat| {
        let free = stat.f_bavail.saturating_mul(stat.f_bsize.max(0) as u64);
        stat.f_type == TMPFS && free >= bytes
    });
    if !roomy {
        return state_dir.join("hot");
    }
    let canonical = state_dir
        .canonicalize()
        .unwrap_or_else(|_| state_dir.to_owned());
    // FNV-1a: the same name in every run and build.
    let hash = canonical
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    base.join(format!("shrike-{hash:016x}"))
}

/// Makes a hot directory for this user alone.
pub(super) fn make_hot_dir(path: &Path) -> Result<(), JournalError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error("create", path, error)),
    }
    // Anybody may make names in /dev/shm: a link or another user's directory is not taken.
    let metadata = fs::symlink_metadata(path).map_err(|error| io_error("look at", path, error))?;
    if metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(JournalError::HotDirectory {
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_refused_with_the_first_ones_process() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = StateDir::open(dir.path()).expect("free");
        match StateDir::open(dir.path()) {
            Err(JournalError::Locked { path, pid }) => {
                assert_eq!(path, first.path());
                assert_eq!(pid, Some(std::process::id()));
            }
            other => panic!("{other:?}"),
        }
        assert!(StateDir::is_in_use(dir.path()).expect("readable"));
        drop(first);
        assert!(!StateDir::is_in_use(dir.path()).expect("readable"));
        StateDir::open(dir.path()).expect("free again");
    }

    #[test]
    fn epochs_only_grow_even_when_their_file_is_lost_between_boots_of_the_process() {
        let dir = tempfile::tempdir().expect("a directory");
        for expected in 1..4 {
            let state = StateDir::open(dir.path()).expect("free");
            assert_eq!(state.bump_epoch().expect("writable").get(), expected);
        }
        let state = StateDir::open(dir.path()).expect("free");
        fs::write(dir.path().join(EPOCH), "x").expect("writable");
        assert!(matches!(
            state.bump_epoch(),
            Err(JournalError::StateFile { .. })
        ));
        fs::write(dir.path().join(EPOCH), BootEpoch::MAX.to_string()).expect("writable");
        assert!(matches!(
            state.bump_epoch(),
            Err(JournalError::EpochsUsed { .. })
        ));
    }

    #[test]
    fn a_halt_is_remembered_until_it_is_cleared() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(dir.path()).expect("free");
        assert_eq!(state.read_halt().expect("readable"), None);
        state.clear_halt().expect("nothing to clear");
        state.write_halt("panic in ORDER").expect("writable");
        drop(state);
        let state = StateDir::open(dir.path()).expect("free");
        let halt = state.read_halt().expect("readable");
        assert_eq!(halt.as_deref(), Some("panic in ORDER"));
        state.clear_halt().expect("writable");
        assert_eq!(state.read_halt().expect("readable"), None);
    }

    #[test]
    fn a_file_a_full_disk_and_an_unwritable_place_are_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("writable");
        for path in [file.clone(), file.join("below")] {
            assert!(matches!(
                StateDir::open(&path),
                Err(JournalError::NotADirectory { .. })
            ));
        }
        // Writing to /dev/full fails as on a full disk.
        let full = dir.path().join("full");
        fs::create_dir(&full).expect("writable");
        std::os::unix::fs::symlink("/dev/full", full.join(PROBE)).expect("writable");
        assert!(matches!(
            StateDir::open(&full),
            Err(JournalError::Full { .. })
        ));
        // Nobody, root included, makes directories there.
        let refused = StateDir::open("/proc/shrike-state").expect_err("not writable");
        assert!(
            refused.to_string().contains("/proc/shrike-state"),
            "{refused}"
        );
    }

    #[test]
    fn a_hot_directory_that_is_a_link_is_not_taken() {
        let dir = tempfile::tempdir().expect("a directory");
        let link = dir.path().join("hot");
        std::os::unix::fs::symlink(dir.path(), &link).expect("writable");
        assert!(matches!(
            make_hot_dir(&link),
            Err(JournalError::HotDirectory { .. })
        ));
        let fallback = hot_dir_below(Path::new("/dev/shm"), dir.path(), u64::MAX);
        assert_eq!(
            fallback,
            dir.path().join("hot"),
            "no file system has that room"
        );
    }
}
