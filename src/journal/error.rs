//! Why a journal or a state directory cannot be used.
//!
//! Runs on: cold threads and start-up.
//! Owns: one error type for the module, and how the system's errors map to it.
//! Never: hides the file, the offset or the cause.

use std::io;
use std::path::{Path, PathBuf};

use super::codec::CodecError;

/// What is wrong with the bytes at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A length that no frame has.
    #[error("a frame length of {0}")]
    Length(u32),
    /// The checksum, seeded with the frame before, does not fit.
    #[error("a checksum that does not fit")]
    Checksum,
    /// A frame that is not the next one.
    #[error("record {found} where record {expected} was expected")]
    Sequence {
        /// The next one.
        expected: u64,
        /// The one there.
        found: u64,
    },
    /// Zeros, or fewer bytes than a frame has, before valid frames or another segment.
    #[error("missing bytes")]
    Missing,
    /// Bytes behind the last frame of a segment that another one continues.
    #[error("bytes that are no record")]
    Trailing,
    /// The segment's header.
    #[error("a bad segment header")]
    Header,
    /// The segment does not continue the one before.
    #[error("a segment that does not continue the one before")]
    Chain,
    /// Two segments of one number.
    #[error("a segment number that another segment has")]
    Twice,
    /// Another journal's segment.
    #[error("a segment of another journal")]
    Foreign,
}

/// Why a journal or a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process holds the directory.
    #[error("state directory {} is in use by another engine{}", path.display(), by(*pid))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that wrote its number there.
        pid: Option<u32>,
    },
    /// The disk, or the quota, is full.
    #[error("no space left at {} ({action})", path.display())]
    Full {
        /// Where.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
    },
    /// Not writable by this process.
    #[error("{} is not writable ({action}): {source}", path.display())]
    NotWritable {
        /// Where.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// A part of the path is no directory.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Any other failure of a file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Bytes that were on record are not as they were. Nothing after them is used.
    #[error("journal damaged: {} at byte {offset}: {damage}", file.display())]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Offset of the first bad byte's frame.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// A whole frame that this build cannot read.
    #[error("cannot read record {sequence} ({} at byte {offset}): {error}", file.display())]
    Decode {
        /// The record.
        sequence: u64,
        /// The segment.
        file: PathBuf,
        /// Offset of its frame.
        offset: u64,
        /// Why.
        error: CodecError,
    },
    /// A segment format that this build does not know.
    #[error("{} has journal format {found}; this build reads format {known}", file.display())]
    Format {
        /// The segment.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The one that is known.
        known: u32,
    },
    /// The journal's beginning is not there, so the state cannot be rebuilt.
    #[error("the journal begins at record {first}: earlier segments are missing")]
    Beginning {
        /// The first record that is there.
        first: u64,
    },
    /// Settings that no journal can have.
    #[error("journal settings: {0}")]
    Settings(&'static str),
    /// The hot directory holds records of an earlier run: they are recovered before another begins.
    #[error("hot directory {} holds records that were not recovered", path.display())]
    HotTail {
        /// The hot directory.
        path: PathBuf,
    },
    /// The hot directory is somebody else's, or no directory.
    #[error("hot directory {} is not a directory of this user", path.display())]
    HotDirectory {
        /// The hot directory.
        path: PathBuf,
    },
    /// A small file of the state directory does not hold what it should.
    #[error("{} is damaged: {expected} expected", path.display())]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// All 2^20 boots of this state directory are used.
    #[error("state directory {} has used all boot epochs: begin a new one", path.display())]
    EpochsUsed {
        /// The directory.
        path: PathBuf,
    },
    /// A record names an id that its boot did not define.
    #[error("record {sequence} names {what} {id}, which its boot did not define")]
    Undefined {
        /// The record.
        sequence: u64,
        /// `instrument`, `broker` or `strategy`.
        what: &'static str,
        /// The id.
        id: u32,
    },
    /// More names than ids.
    #[error("the journal has more than 256 different {what} names")]
    Names {
        /// `broker` or `strategy`.
        what: &'static str,
    },
    /// An amount that does not fit.
    #[error("record {sequence}: amounts are out of range")]
    Overflow {
        /// The record.
        sequence: u64,
    },
    /// Orders or a position of a broker that is no longer configured.
    #[error("broker '{broker}' is not configured, but the journal has {what} there")]
    BrokerGone {
        /// Its name.
        broker: String,
        /// `a working order` or `an open position`.
        what: &'static str,
    },
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// Sorts a failure of the system into its kind.
pub(super) fn io_error(action: &'static str, path: &Path, source: io::Error) -> JournalError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            JournalError::Full { path, action }
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            JournalError::NotWritable {
                path,
                action,
                source,
            }
        }
        io::ErrorKind::NotADirectory => JournalError::NotADirectory { path },
        _ => JournalError::Io {
            action,
            path,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_read_only_one_are_told_apart() {
        let path = Path::new("/state");
        // ENOSPC, EDQUOT, EROFS, EACCES, ENOTDIR, EIO
        for (number, text) in [
            (28, "no space left"),
            (122, "no space left"),
            (30, "not writable"),
            (13, "not writable"),
            (20, "not a directory"),
            (5, "cannot sync"),
        ] {
            let error = io_error("sync", path, io::Error::from_raw_os_error(number));
            assert!(error.to_string().contains(text), "{number}: {error}");
            assert!(error.to_string().contains("/state"), "{error}");
        }
    }
}
