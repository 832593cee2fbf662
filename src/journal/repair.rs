//! Making a journal whole: the hot tail goes to disk, a damaged journal is copied up to its damage.
//!
//! Runs on: start-up, under the state directory's lock; the offline verbs.
//! Owns: every change of a segment file that is not the copier's own.
//! Never: removes a hot segment before its records are synced; changes a journal that is damaged.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::error::{JournalError, io_error};
use super::reader::{Reader, Span, Verified, hot_dirs};
use super::segment::{Catalog, SEGMENT_HEADER};
use super::source::read_at;
use super::state_dir::{forget_hot_dir, identity, sync_directory, write_identity};

/// Brings the files on disk to what `reader` found: torn ends are cut off, the hot tail is
/// appended, all of it synced, and the hot segments removed. Interrupted at any point, the next
/// start does the rest.
pub(super) fn settle(dir: &Path, reader: &Reader) -> Result<(), JournalError> {
    for (path, _) in &reader.catalog().headless {
        fs::remove_file(path).map_err(|error| io_error("remove", path, error))?;
    }
    for span in reader.spans() {
        settle_segment(dir, &span)?;
    }
    sync_directory(dir)?;
    let mut hot_dirs = Vec::new();
    for path in &reader.catalog().hot_files {
        fs::remove_file(path).map_err(|error| io_error("remove", path, error))?;
        let hot_dir = path.parent().unwrap_or(dir);
        if !hot_dirs.contains(&hot_dir) {
            hot_dirs.push(hot_dir);
        }
    }
    for hot_dir in hot_dirs {
        let _ = fs::remove_file(hot_dir.join("LOCK"));
        // What else somebody put there stays, and the directory with it.
        let _ = fs::remove_dir(hot_dir);
    }
    forget_hot_dir(dir)
}

fn settle_segment(dir: &Path, span: &Span) -> Result<(), JournalError> {
    let on_disk = if span.disk.is_some() {
        span.disk_end
    } else {
        0
    };
    let only_header = span.disk.is_none() && span.end <= SEGMENT_HEADER as u64;
    if only_header || (on_disk == span.end && span.disk_length <= span.end) {
        return Ok(());
    }
    let path = span
        .disk
        .clone()
        .unwrap_or_else(|| dir.join(span.header.file_name()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| io_error("open", &path, error))?;
    file.set_len(on_disk)
        .map_err(|error| io_error("truncate", &path, error))?;
    if let Some(hot) = span.hot.as_ref().filter(|_| span.end > on_disk) {
        copy_range(hot, on_disk, span.end, &path, &file)?;
    }
    file.sync_all()
        .map_err(|error| io_error("sync", &path, error))
}

/// Copies bytes `from..to` of `source` to the same place in `file`.
fn copy_range(
    source: &Path,
    from: u64,
    to: u64,
    path: &Path,
    file: &File,
) -> Result<(), JournalError> {
    use std::os::unix::fs::FileExt;
    let reading = |error| io_error("read", source, error);
    let open = File::open(source).map_err(reading)?;
    let length = usize::try_from(to - from).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    let read = read_at(&open, &mut bytes, from).map_err(reading)?;
    if read < length {
        return Err(reading(std::io::ErrorKind::UnexpectedEof.into()));
    }
    file.write_all_at(&bytes, from)
        .map_err(|error| io_error("write", path, error))
}

/// What a repair copied, and what stopped it.
#[derive(Debug)]
pub struct Repaired {
    /// What the copy holds.
    pub kept: Verified,
    /// The damage at which it ends; `None` for a sound journal.
    pub damage: Option<JournalError>,
}

/// Copies the journal of `dir`, hot tail included, to the new state directory `out`, up to the
/// first damage. `dir` is not changed.
///
/// # Errors
/// Those of the file system, `out` existing among them. A damaged segment header is no
/// reason to stop: the copy ends before it.
pub fn repair(dir: &Path, hot_dir: Option<&Path>, out: &Path) -> Result<Repaired, JournalError> {
    let mut catalog = Catalog::scan(dir, &hot_dirs(dir, hot_dir)?, identity(dir)?)?;
    // A segment without its header is not read; what comes before it is.
    let mut damage = catalog.problems.pop();
    let mut reader = Reader::new(catalog);
    for entry in &mut reader {
        if let Err(error) = entry {
            damage = Some(error);
        }
    }
    DirBuilder::new()
        .mode(0o700)
        .create(out)
        .map_err(|error| io_error("create", out, error))?;
    write_identity(out, identity(dir)?)?;
    for span in reader.spans() {
        copy_segment(&span, out)?;
    }
    for name in ["EPOCH", "HALTED"] {
        let (from, to) = (dir.join(name), out.join(name));
        if from.exists() {
            fs::copy(&from, &to).map_err(|error| io_error("copy", &from, error))?;
        }
    }
    sync_directory(out)?;
    Ok(Repaired {
        kept: reader.verified(),
        damage,
    })
}

fn copy_segment(span: &Span, out: &Path) -> Result<(), JournalError> {
    let path = out.join(span.header.file_name());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| io_error("create", &path, error))?;
    file.write_all(&span.header.to_bytes())
        .map_err(|error| io_error("write", &path, error))?;
    let header = SEGMENT_HEADER as u64;
    let disk_end = if span.disk.is_some() {
        span.disk_end
    } else {
        header
    };
    if let Some(disk) = &span.disk {
        copy_range(disk, header, disk_end.min(span.end), &path, &file)?;
    }
    if let Some(hot) = span.hot.as_ref().filter(|_| span.end > disk_end) {
        copy_range(hot, disk_end, span.end, &path, &file)?;
    }
    file.sync_all()
        .map_err(|error| io_error("sync", &path, error))
}
