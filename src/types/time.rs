//! Instants and the stage stamps of an order.
//!
//! Runs on: any thread.
//! Owns: [`Nanos`] (UNIX time in nanoseconds) and [`StageStamps`].
//! Never: reads a clock (`runtime::clock` does).

use std::fmt;

/// UNIX time in nanoseconds. The engine's clock is anchored once at start and then only runs forward, so differences
/// are durations; in a replay it is the market's time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The beginning.
    pub const ZERO: Self = Self(0);
    /// Later than every other instant.
    pub const MAX: Self = Self(u64::MAX);

    /// This much later, saturating.
    #[must_use]
    pub const fn plus(self, duration_ns: u64) -> Self {
        Self(self.0.saturating_add(duration_ns))
    }

    /// Nanoseconds since `earlier`, 0 when that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Debug for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ns", self.0)
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// When an order passed each stage: one base and offsets from it, all in nanoseconds of the stamping clock
/// (`runtime::clock::Clock::stamp`), which measures and decides nothing. An offset of 0 means "not reached".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct StageStamps {
    /// The request was built.
    pub signal: u64,
    /// Offset of the risk decision.
    pub risk: u32,
    /// Offset of journaled and routed.
    pub order: u32,
    /// Offset of bytes ready.
    pub encode: u32,
    /// Offset of the write's return.
    pub wire: u32,
}

impl StageStamps {
    /// Stamps of a request built at `signal`.
    #[must_use]
    pub const fn at(signal: u64) -> Self {
        Self {
            signal,
            risk: 0,
            order: 0,
            encode: 0,
            wire: 0,
        }
    }

    /// Offset of `stamp` from the base: at least 1, saturating at 4.29 s.
    #[must_use]
    pub const fn offset(&self, stamp: u64) -> u32 {
        let offset = stamp.saturating_sub(self.signal);
        if offset > u32::MAX as u64 {
            u32::MAX
        } else if offset == 0 {
            1
        } else {
            offset as u32
        }
    }
}
