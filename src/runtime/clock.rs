//! The engine's clock and the stage clock.
//!
//! Runs on: runners (time, once a cycle) and the places that stamp stages.
//! Owns: UNIX time anchored once and then monotonic; virtual time for replay and tests.
//! Never: goes backwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::types::Nanos;

/// Virtual time that somebody moves.
#[derive(Debug, Clone, Default)]
pub struct ManualTime(Arc<AtomicU64>);

impl ManualTime {
    /// Starts at `now`.
    #[must_use]
    pub fn new(now: Nanos) -> Self {
        Self(Arc::new(AtomicU64::new(now.0)))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }

    /// Moves to `now`; an earlier instant changes nothing.
    pub fn advance_to(&self, now: Nanos) {
        self.0.fetch_max(now.0, Ordering::Relaxed);
    }
}

/// Where time comes from; cheap to clone.
///
/// [`now`](Self::now) is what decisions are made on and records carry. [`stamp`](Self::stamp) measures stages only.
#[derive(Debug, Clone)]
pub struct Clock {
    counter: quanta::Clock,
    anchor_raw: u64,
    anchor_ns: u64,
    mode: Mode,
}

#[derive(Debug, Clone)]
enum Mode {
    /// Wall time.
    Real,
    /// Another time axis: `start_ns` at the anchor, then `per_mille` thousandths as fast as real time.
    Scaled { start_ns: u64, per_mille: u64 },
    /// Somebody moves it.
    Manual(ManualTime),
}

impl Clock {
    /// Real time: the wall clock read once, then the processor's own counter.
    #[must_use]
    pub fn real() -> Self {
        let counter = quanta::Clock::new();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let anchor_raw = counter.raw();
        Self {
            counter,
            anchor_raw,
            anchor_ns: wall.as_nanos() as u64,
            mode: Mode::Real,
        }
    }

    /// Virtual time for decisions and records; stages are still stamped with real nanoseconds.
    #[must_use]
    pub fn manual(time: ManualTime) -> Self {
        Self {
            mode: Mode::Manual(time),
            ..Self::real()
        }
    }

    /// Real time moved to begin at `start` and run `per_mille` thousandths as fast: recorded data at its own pace or
    /// a multiple of it.
    #[must_use]
    pub fn scaled(start: Nanos, per_mille: u64) -> Self {
        Self {
            mode: Mode::Scaled {
                start_ns: start.0,
                per_mille,
            },
            ..Self::real()
        }
    }

    /// The engine's time.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Nanos {
        match &self.mode {
            Mode::Real => Nanos(self.stamp()),
            Mode::Scaled {
                start_ns,
                per_mille,
            } => {
                let elapsed = self
                    .counter
                    .delta_as_nanos(self.anchor_raw, self.counter.raw());
                scaled(*start_ns, *per_mille, elapsed)
            }
            Mode::Manual(time) => time.now(),
        }
    }

    /// The stage clock: real nanoseconds, about 10 ns a reading.
    #[inline]
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.anchor_ns
            + self
                .counter
                .delta_as_nanos(self.anchor_raw, self.counter.raw())
    }

    /// The engine's time and the stage clock in one reading of the counter: once a cycle, for a runner.
    #[inline]
    #[must_use]
    pub fn read(&self) -> (Nanos, u64) {
        let elapsed = self
            .counter
            .delta_as_nanos(self.anchor_raw, self.counter.raw());
        let stamp = self.anchor_ns + elapsed;
        let now = match &self.mode {
            Mode::Real => Nanos(stamp),
            Mode::Scaled {
                start_ns,
                per_mille,
            } => scaled(*start_ns, *per_mille, elapsed),
            Mode::Manual(time) => time.now(),
        };
        (now, stamp)
    }

    /// Whether time is virtual.
    #[must_use]
    pub const fn is_manual(&self) -> bool {
        matches!(self.mode, Mode::Manual(_))
    }
}

#[inline]
fn scaled(start_ns: u64, per_mille: u64, elapsed_ns: u64) -> Nanos {
    let scaled = u128::from(elapsed_ns) * u128::from(per_mille) / 1_000;
    Nanos(start_ns.saturating_add(scaled as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_time_is_near_the_wall_clock_and_never_goes_back() {
        let clock = Clock::real();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_nanos();
        assert!((clock.now().0 as i128 - wall as i128).abs() < 1_000_000_000);
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn scaled_time_begins_where_it_is_told_and_runs_at_its_own_speed() {
        let (fast, slow) = (
            Clock::scaled(Nanos(1_000), 100_000),
            Clock::scaled(Nanos(1_000), 1_000),
        );
        let started = fast.stamp();
        while fast.stamp() - started < 2_000_000 {
            std::hint::spin_loop();
        }
        let (fast, slow) = (fast.now().0 - 1_000, slow.now().0 - 1_000);
        assert!(fast > 50 * slow, "{fast} against {slow}");
    }

    #[test]
    fn one_reading_gives_both_clocks() {
        let real = Clock::real();
        let (now, stamp) = real.read();
        assert_eq!(now.0, stamp);
        let scaled = Clock::scaled(Nanos(1_000), 2_000);
        let before = scaled.now();
        let (now, stamp) = scaled.read();
        assert!(now >= before && now <= scaled.now());
        assert!(stamp > 1_000_000_000 && stamp <= scaled.stamp());
        let time = ManualTime::new(Nanos(5));
        assert_eq!(Clock::manual(time).read().0, Nanos(5));
    }

    #[test]
    fn virtual_time_moves_forward_only_and_stamps_stay_real() {
        let time = ManualTime::new(Nanos(5));
        let clock = Clock::manual(time.clone());
        time.advance_to(Nanos(9));
        time.advance_to(Nanos(7));
        assert_eq!(clock.now(), Nanos(9));
        assert!(clock.stamp() > 1_000_000_000);
    }
}
