//! How long to wait before the next attempt: full jitter.
//!
//! Runs on: any thread.
//! Owns: the number of failures in a row and the instant of the next attempt.
//! Never: draws randomness or reads a clock: both are arguments.

use crate::types::Nanos;

/// The bounds of the waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackoffSettings {
    /// The first wait is at most this long, in nanoseconds. Default 100 ms.
    pub base_ns: u64,
    /// No wait is longer, in nanoseconds. Default 10 s.
    pub cap_ns: u64,
    /// After this much health, in nanoseconds, the waits begin anew. Default 30 s.
    pub reset_ns: u64,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self {
            base_ns: 100_000_000,
            cap_ns: 10_000_000_000,
            reset_ns: 30_000_000_000,
        }
    }
}

/// See the module. Each wait is uniform between nothing and a bound that doubles with every failure, so that many
/// clients of a server that came back do not come all at once.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    settings: BackoffSettings,
    failures: u32,
    healthy_since: Option<Nanos>,
    next: Nanos,
}

impl Backoff {
    /// Nothing failed yet: the first attempt may be made at once.
    #[must_use]
    pub const fn new(settings: BackoffSettings) -> Self {
        Self {
            settings,
            failures: 0,
            healthy_since: None,
            next: Nanos::ZERO,
        }
    }

    /// Failures in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When the next attempt may be made.
    #[must_use]
    pub const fn next_attempt(&self) -> Nanos {
        self.next
    }

    /// Whether an attempt may be made.
    #[must_use]
    pub fn is_due(&self, now: Nanos) -> bool {
        now >= self.next
    }

    /// An attempt failed, or what it gave broke. `random` is uniform over all of `u64`; the peer's Retry-After, if
    /// it gave one, is a lower bound. Returns the wait in nanoseconds.
    pub fn fail(&mut self, now: Nanos, random: u64, retry_after_ns: Option<u64>) -> u64 {
        if let Some(since) = self.healthy_since.take()
            && now.since(since) >= self.settings.reset_ns
        {
            self.failures = 0;
        }
        let doubled = 1u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let bound = self.settings.base_ns.saturating_mul(doubled);
        let bound = bound.min(self.settings.cap_ns);
        // The high half of the product is uniform over 0..=bound.
        let jitter = (u128::from(random) * (u128::from(bound) + 1)) >> 64;
        let wait_ns = (jitter as u64).max(retry_after_ns.unwrap_or(0));
        self.failures = self.failures.saturating_add(1);
        self.next = now.plus(wait_ns);
        wait_ns
    }

    /// An attempt succeeded. Failures are forgotten only when its health has lasted; a wait that another attempt's
    /// failure began goes on.
    pub const fn succeed(&mut self, now: Nanos) {
        self.healthy_since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn bounds_double_up_to_the_cap() {
        let mut backoff = Backoff::new(BackoffSettings::default());
        let mut waits = Vec::new();
        for _ in 0..70 {
            waits.push(backoff.fail(Nanos::ZERO, u64::MAX, None) / MS);
        }
        assert_eq!(
            waits[..8],
            [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000]
        );
        assert!(waits[8..].iter().all(|&wait| wait == 10_000));
        assert_eq!(
            backoff.fail(Nanos::ZERO, 0, None),
            0,
            "nothing is a wait too"
        );
        let half = backoff.fail(Nanos::ZERO, 1 << 63, None) / MS;
        assert_eq!(half, 5_000);
    }

    #[test]
    fn health_that_lasts_begins_the_waits_anew_and_short_health_does_not() {
        let mut backoff = Backoff::new(BackoffSettings::default());
        for _ in 0..5 {
            backoff.fail(Nanos::ZERO, 0, None);
        }
        backoff.succeed(Nanos(0));
        assert_eq!(backoff.fail(Nanos(29_999 * MS), u64::MAX, None), 3_200 * MS);
        backoff.succeed(Nanos(33_500 * MS));
        assert!(backoff.is_due(Nanos(33_500 * MS)));
        assert_eq!(backoff.fail(Nanos(63_500 * MS), u64::MAX, None), 100 * MS);
        assert_eq!(backoff.next_attempt(), Nanos(63_600 * MS));
        backoff.succeed(Nanos(63_550 * MS));
        assert!(!backoff.is_due(Nanos(63_599 * MS)), "the wait goes on");
    }

    #[test]
    fn the_peers_retry_after_is_a_lower_bound() {
        let mut backoff = Backoff::new(BackoffSettings::default());
        assert_eq!(backoff.fail(Nanos::ZERO, 0, Some(7_000 * MS)), 7_000 * MS);
        assert!(!backoff.is_due(Nanos(6_999 * MS)) && backoff.is_due(Nanos(7_000 * MS)));
    }
}
