//! The latency model: messages that take a while, in order.
//!
//! Runs on: whatever agent drives the exchange or the session in front of it.
//! Owns: the delay of one direction and the messages on their way.
//! Never: lets a later message overtake an earlier one, or allocates after construction.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::types::Nanos;

/// Delay of one direction: a fixed part and a uniform random part on top.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Latency {
    /// Every message takes at least this, ns.
    pub fixed_ns: u64,
    /// And up to this much more, ns.
    pub jitter_ns: u64,
}

impl Latency {
    /// Whether messages arrive at once.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.fixed_ns == 0 && self.jitter_ns == 0
    }
}

/// Messages on their way, first in first out, in a ring that is made once.
#[derive(Debug)]
pub struct DelayLine<T> {
    slots: Box<[(Nanos, T)]>,
    mask: usize,
    head: usize,
    length: usize,
    latency: Latency,
    random: Xoshiro256PlusPlus,
    last: Nanos,
}

impl<T: Copy> DelayLine<T> {
    /// Room for at least `capacity` messages; `filler` is what unused slots hold.
    ///
    /// # Panics
    /// When `capacity` is 0.
    #[must_use]
    pub fn new(capacity: usize, latency: Latency, seed: u64, filler: T) -> Self {
        assert!(capacity > 0, "a delay line holds at least one message");
        let capacity = capacity.next_power_of_two();
        Self {
            slots: vec![(Nanos::MAX, filler); capacity].into_boxed_slice(),
            mask: capacity - 1,
            head: 0,
            length: 0,
            latency,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            last: Nanos::ZERO,
        }
    }

    /// Messages that still fit.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        self.slots.len() - self.length
    }

    /// Whether nothing is on its way.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Sends a message at `now`; hands it back when the line is full.
    ///
    /// # Errors
    /// The message.
    #[inline]
    pub fn push(&mut self, now: Nanos, message: T) -> Result<(), T> {
        if self.room() == 0 {
            return Err(message);
        }
        let arrival = self.arrival(now);
        self.slots[(self.head + self.length) & self.mask] = (arrival, message);
        self.length += 1;
        Ok(())
    }

    #[inline]
    fn arrival(&mut self, now: Nanos) -> Nanos {
        let mut delay = self.latency.fixed_ns;
        if self.latency.jitter_ns > 0 {
            // The upper half of a 128-bit product: uniform, without a division.
            let range = u128::from(self.latency.jitter_ns) + 1;
            let drawn = (u128::from(self.random.next_u64()) * range) >> 64;
            delay = delay.saturating_add(drawn as u64);
        }
        self.last = self.last.max(now.plus(delay));
        self.last
    }

    /// When the oldest message arrives.
    #[inline]
    #[must_use]
    pub fn next_arrival(&self) -> Option<Nanos> {
        (self.length > 0).then(|| self.slots[self.head].0)
    }

    /// Takes the oldest message with its arrival if that is not after `now`.
    #[inline]
    pub fn pop(&mut self, now: Nanos) -> Option<(Nanos, T)> {
        if self.length == 0 || self.slots[self.head].0 > now {
            return None;
        }
        let message = self.slots[self.head];
        self.length -= 1;
        // An empty line starts over in the same, warm slots.
        self.head = if self.length == 0 {
            0
        } else {
            (self.head + 1) & self.mask
        };
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_never_reorders_and_the_seed_repeats_it() {
        let latency = Latency {
            fixed_ns: 100,
            jitter_ns: 50,
        };
        let run = |seed| {
            let mut line = DelayLine::new(1_000, latency, seed, 0u32);
            for n in 0..1_000u32 {
                line.push(Nanos(u64::from(n)), n).expect("room");
            }
            assert!(line.pop(Nanos(99)).is_none());
            let mut arrivals = Vec::new();
            while let Some((at, n)) = line.pop(Nanos::MAX) {
                assert_eq!(n as usize, arrivals.len());
                let delay = at.0 - u64::from(n);
                assert!((100..=150).contains(&delay), "{delay}");
                arrivals.push(at);
            }
            assert!(arrivals.is_sorted());
            arrivals
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn a_full_line_hands_the_message_back() {
        let mut line = DelayLine::new(2, Latency::default(), 0, 0);
        assert_eq!(line.push(Nanos(1), 1), Ok(()));
        assert_eq!(line.push(Nanos(1), 2), Ok(()));
        assert_eq!(line.push(Nanos(1), 3), Err(3));
        assert_eq!(line.pop(Nanos(1)), Some((Nanos(1), 1)));
        assert_eq!(line.push(Nanos(1), 3), Ok(()));
        assert_eq!(line.pop(Nanos(1)), Some((Nanos(1), 2)));
        assert_eq!(line.pop(Nanos(1)), Some((Nanos(1), 3)));
        assert_eq!((line.pop(Nanos(1)), line.is_empty()), (None, true));
    }
}
