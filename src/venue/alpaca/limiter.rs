//! Requests a minute, as Alpaca counts and reports them.
//!
//! Runs on: whoever holds it.
//! Owns: the count of the present minute.
//! Never: counts what needs no credentials.

use crate::types::Nanos;

const MINUTE_NS: u64 = 60_000_000_000;

/// A budget that is whole again with every minute.
#[derive(Clone, Copy, Debug)]
pub struct Limiter {
    limit: Option<u32>,
    minute: u64,
    used: u32,
}

/// What the three headers say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Requests a minute.
    pub limit: u32,
    /// What is left of them.
    pub remaining: u32,
    /// When they are whole again, UNIX seconds.
    pub reset_s: u64,
    /// Whether this request is within them.
    pub within: bool,
}

impl Limiter {
    /// `None` never refuses.
    #[must_use]
    pub const fn new(limit: Option<u32>) -> Self {
        Self {
            limit,
            minute: 0,
            used: 0,
        }
    }

    /// Counts a request.
    pub fn take(&mut self, now: Nanos) -> Budget {
        let minute = now.0 / MINUTE_NS;
        if minute != self.minute {
            self.minute = minute;
            self.used = 0;
        }
        let limit = self.limit.unwrap_or(1_000_000);
        let within = self.limit.is_none() || self.used < limit;
        self.used = self.used.saturating_add(1);
        Budget {
            limit,
            remaining: limit.saturating_sub(self.used),
            reset_s: (minute + 1) * 60,
            within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_ends_and_comes_back_with_the_minute() {
        let mut limiter = Limiter::new(Some(2));
        let at = |second: u64| Nanos(second * 1_000_000_000);
        assert_eq!(limiter.take(at(0)).remaining, 1);
        assert!(limiter.take(at(1)).within);
        let third = limiter.take(at(59));
        assert_eq!(
            (third.within, third.remaining, third.reset_s),
            (false, 0, 60)
        );
        assert!(limiter.take(at(60)).within);
        let mut free = Limiter::new(None);
        assert!((0..1_000).all(|_| free.take(at(0)).within));
    }
}
