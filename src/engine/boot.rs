//! The state directory, the boot epoch, and what an earlier run left.
//!
//! Runs on: start-up.
//! Owns: where state lives, the order of opening: lock, recover, epoch, journal.
//! Never: lets an order exist before the boot epoch is on disk.

use std::path::{Path, PathBuf};

use super::error::EngineError;
use super::settings::nanos;
use crate::config::{Config, Speed};
use crate::journal::record::Name;
use crate::journal::{
    self, Journal, JournalFollower, JournalSettings, JournalWriter, Pen, Record, Recovered,
    StateDir,
};
use crate::types::{BootEpoch, InstrumentTable, Nanos};

/// An opened state directory with what was found in it.
pub(super) struct Boot {
    pub state: StateDir,
    pub epoch: BootEpoch,
    pub recovered: Recovered,
    /// Why the last run ended in a fault, if it did.
    pub halted: Option<String>,
    pub hot_dir: PathBuf,
    /// Removed when the engine is dropped, where the run is a fresh one.
    pub temporary: Option<tempfile::TempDir>,
}

/// How a run finds its state.
#[derive(Debug, Clone, Copy)]
pub(super) struct StateChoice {
    /// A run that begins afresh where the configuration names no directory.
    pub fresh: bool,
    /// The user asked to continue.
    pub resume: bool,
}

/// Opens state: takes the lock, reads the journal, raises the boot epoch.
pub(super) fn open(config: &Config, choice: StateChoice) -> Result<Boot, EngineError> {
    let (path, temporary) = place(config, choice)?;
    let state = StateDir::open(&path)?;
    let hot_bytes = config.journal.segment_size * u64::from(config.journal.segments);
    let hot_dir = state.hot_dir_below(&config.journal.hot, hot_bytes);
    let recovered = journal::recover(state.path(), Some(&hot_dir))?;
    let halted = state.read_halt()?;
    let epoch = state.bump_epoch()?;
    Ok(Boot {
        state,
        epoch,
        recovered,
        halted,
        hot_dir,
        temporary,
    })
}

/// The directory, and the guard of a temporary one.
fn place(
    config: &Config,
    choice: StateChoice,
) -> Result<(PathBuf, Option<tempfile::TempDir>), EngineError> {
    if let Some(dir) = &config.state.dir {
        return Ok((dir.clone(), None));
    }
    let replay = config.market.speed == Speed::Max;
    if (choice.fresh || replay) && !choice.resume {
        let parent = std::env::temp_dir();
        let made = tempfile::Builder::new()
            .prefix("shrike-")
            .tempdir_in(&parent);
        let made = made.map_err(|source| EngineError::TemporaryState {
            dir: parent,
            source,
        })?;
        return Ok((made.path().to_owned(), Some(made)));
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/state")))
        .ok_or(EngineError::NoStateDir)?;
    Ok((base.join("shrike").join(config.trading_mode.as_str()), None))
}

/// Names that this boot's records refer to by number.
pub(super) struct Tables<'a> {
    pub instruments: &'a InstrumentTable,
    pub brokers: Vec<&'a str>,
    pub strategies: &'a [String],
}

/// Begins this boot's journal and writes its tables.
pub(super) fn begin_journal(
    config: &Config,
    boot: &Boot,
    tables: &Tables<'_>,
    now: Nanos,
) -> Result<(JournalWriter, JournalFollower), EngineError> {
    let settings = JournalSettings {
        segment_bytes: config.journal.segment_size as usize,
        hot_segments: config.journal.segments as usize,
        after: boot.recovered.tail,
        group_commit_ns: nanos(config.journal.group_commit),
        // A replay can be run again: its journal need not survive a power cut, in a directory of its own or not. With
        // its time virtual and all agents on one thread, a sync for every group would be a sync for every row.
        fsync: config.market.speed != Speed::Max,
        started_at: now,
        ..JournalSettings::new(boot.state.path(), &boot.hot_dir, boot.epoch)
    };
    let (mut writer, mut follower) = journal::create(settings)?;
    let mut write = |record: Record| -> Result<(), EngineError> {
        while !writer.has_room(1) {
            flush(&mut follower, now)?;
        }
        writer.append(&record, now);
        Ok(())
    };
    write(Record::Boot {
        epoch: boot.epoch,
        seed: config.seed,
    })?;
    for (id, name) in (0u8..).zip(&tables.brokers) {
        write(Record::Broker {
            id: crate::types::BrokerId(id),
            name: Name::new(name),
        })?;
    }
    for (id, name) in (0u8..).zip(tables.strategies) {
        write(Record::Strategy {
            id: crate::types::StrategyId(id),
            name: Name::new(name),
        })?;
    }
    for row in tables.instruments.rows() {
        write(Record::Instrument {
            id: row.id,
            symbol: row.symbol,
        })?;
    }
    flush(&mut follower, now)?;
    Ok((writer, follower))
}

fn flush(follower: &mut JournalFollower, now: Nanos) -> Result<(), EngineError> {
    follower
        .flush(now)
        .map_err(|error| EngineError::JournalStart(error.to_string()))
}

/// Where one boot's records are read from, while it runs and at its end.
#[derive(Debug, Clone)]
pub(super) struct OwnRecords {
    dir: PathBuf,
    hot_dir: PathBuf,
    first: u64,
}

impl OwnRecords {
    pub fn of(boot: &Boot) -> Self {
        Self {
            dir: boot.state.path().to_owned(),
            hot_dir: boot.hot_dir.clone(),
            first: boot.recovered.tail.sequence + 1,
        }
    }

    /// Visits every record of the boot up to the last one committed.
    pub fn visit(
        &self,
        visit: &mut dyn FnMut(u64, Nanos, &Record),
    ) -> Result<(), journal::JournalError> {
        let mut reader = Journal::follow(&self.dir, Some(&self.hot_dir), self.first)?;
        while let Some(entry) = reader.read()? {
            visit(entry.sequence, entry.time, &entry.record);
        }
        Ok(())
    }
}
