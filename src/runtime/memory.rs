//! Memory that is there before it is needed: locked pages, touched stacks.
//!
//! Runs on: start-up, and each runner's thread before its first agent is called.
//! Owns: the decision how much may be locked safely.
//! Never: fails a start: what the system refuses is reported with its limit.

use std::fmt;
use std::hint::black_box;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// Bytes of stack that a runner touches before its first cycle.
pub const PREFAULTED_STACK_BYTES: usize = 256 << 10;

/// Whether the process's pages stay in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryLock {
    /// All present and future pages are locked.
    Locked,
    /// The limit is finite: locking future pages too would make later allocations fail, so nothing was locked.
    Limited {
        /// RLIMIT_MEMLOCK, in bytes.
        limit_bytes: u64,
    },
    /// The kernel refused although the limit allows it.
    Refused(rustix::io::Errno),
}

impl fmt::Display for MemoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("locked"),
            Self::Limited { limit_bytes } => {
                write!(f, "not locked: RLIMIT_MEMLOCK is {} KiB", limit_bytes >> 10)
            }
            Self::Refused(errno) => write!(f, "not locked: {errno}"),
        }
    }
}

/// What may be locked: `None` is without limit.
#[must_use]
pub fn lock_limit_bytes() -> Option<u64> {
    let exempt =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if exempt {
        None
    } else {
        getrlimit(Resource::Memlock).current
    }
}

/// Locks every page of the process, present and future, where nothing can fail because of it later. Called once by
/// a program that owns its process: two engines in one process share the effect.
#[must_use]
pub fn lock_process_memory() -> MemoryLock {
    if let Some(limit_bytes) = lock_limit_bytes() {
        return MemoryLock::Limited { limit_bytes };
    }
    match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        Ok(()) => MemoryLock::Locked,
        Err(errno) => MemoryLock::Refused(errno),
    }
}

/// Touches [`PREFAULTED_STACK_BYTES`] of the calling thread's stack, so that no cycle takes those page faults.
#[inline(never)]
pub fn prefault_stack() {
    let mut pages = [0_u8; PREFAULTED_STACK_BYTES];
    for page in black_box(&mut pages).chunks_mut(4_096) {
        page[0] = 1;
    }
    black_box(&pages);
}
