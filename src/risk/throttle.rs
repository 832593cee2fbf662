//! Control 10: order rates in strict sliding windows, with a reserve for cancels.
//!
//! Runs on: the RISK agent.
//! Owns: the times of the last messages, exactly as many as the limit.
//! Never: refuses a cancel or a reducing order.

use crate::types::{Nanos, Refusal, RefusalCode};

use super::limits::RateLimit;
use crate::types::touched;

/// The times of the last `count` messages: the oldest one says whether another fits.
struct SlidingWindow {
    /// Time of each message plus one, 0 for a slot never used.
    times: Box<[u64]>,
    next: usize,
}

impl SlidingWindow {
    fn new(count: u32) -> Self {
        Self {
            times: touched(0, count as usize),
            next: 0,
        }
    }

    /// Whether fewer messages than slots lie in the window that ends now. One that is exactly as
    /// old as the window is long lies outside.
    #[inline(always)]
    fn has_room(&self, now: Nanos, window_ns: u64) -> bool {
        let oldest = self.times[self.next];
        oldest == 0 || now.0.saturating_sub(oldest - 1) >= window_ns
    }

    #[inline(always)]
    fn push(&mut self, now: Nanos) {
        self.times[self.next] = now.0.saturating_add(1);
        self.next += 1;
        if self.next == self.times.len() {
            self.next = 0;
        }
    }

    fn in_window(&self, now: Nanos, window_ns: u64) -> u64 {
        let inside = |time: &&u64| **time > 0 && now.0.saturating_sub(**time - 1) < window_ns;
        self.times.iter().filter(inside).count() as u64
    }
}

/// One scope's rate.
pub(super) struct Throttle {
    window_ns: u64,
    /// Orders that may add risk.
    orders: SlidingWindow,
    /// Those, cancels and reducing orders.
    messages: SlidingWindow,
}

impl Throttle {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            window_ns: limit.window_ns,
            orders: SlidingWindow::new(limit.count),
            messages: SlidingWindow::new(limit.count + limit.cancel_reserve),
        }
    }

    /// Whether another order that may add risk fits now; changes nothing.
    #[inline(always)]
    pub(super) fn check(&self, now: Nanos) -> Result<(), Refusal> {
        for window in [&self.orders, &self.messages] {
            if !window.has_room(now, self.window_ns) {
                return Err(self.refusal(window, now));
            }
        }
        Ok(())
    }

    #[cold]
    fn refusal(&self, window: &SlidingWindow, now: Nanos) -> Refusal {
        let limit = window.times.len() as u64;
        let seen = window.in_window(now, self.window_ns);
        Refusal::counts(RefusalCode::OrderRate, seen + 1, limit)
    }

    /// Counts an order that may add risk.
    #[inline(always)]
    pub(super) fn count_order(&mut self, now: Nanos) {
        self.orders.push(now);
        self.messages.push(now);
    }

    /// Counts a cancel or a reducing order.
    pub(super) fn count_exempt(&mut self, now: Nanos) {
        self.messages.push(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against all times kept: never more than the limit in any window, and no refusal without
        /// need.
        #[test]
        fn no_window_holds_more_than_the_limit_and_no_order_is_refused_without_need(
            steps in prop::collection::vec((0u64..40, any::<bool>()), 1..300),
        ) {
            let limit = RateLimit { count: 3, window_ns: 50, cancel_reserve: 2 };
            let mut throttle = Throttle::new(limit);
            let (mut orders, mut messages) = (Vec::new(), Vec::new());
            let mut now = Nanos(1_000);
            for (step, cancel) in steps {
                now = now.plus(step);
                let recent = |times: &[Nanos]| times.iter().filter(|t| now.since(**t) < 50).count();
                if cancel {
                    throttle.count_exempt(now);
                    messages.push(now);
                } else {
                    let fits = recent(&orders) < 3 && recent(&messages) < 5;
                    prop_assert_eq!(throttle.check(now).is_ok(), fits);
                    if fits {
                        throttle.count_order(now);
                        orders.push(now);
                        messages.push(now);
                    }
                }
            }
        }
    }
}
