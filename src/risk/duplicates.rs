//! Control 13: the same order again within a window, exactly.
//!
//! Runs on: the RISK agent.
//! Owns: the orders of the last window, in order of time, each chained to the one before in its bucket.
//! Never: refuses by a hash alone, or passes an order that it could not compare: a full table refuses.
//!
//! Time moves forward, so entries expire in the order of their arrival: the table is a circle of entries in which a
//! chain walk ends at the first expired one. Nothing is ever removed, and no walk is longer than the live entries of
//! one bucket.

use crate::types::{
    InstrumentId, Nanos, OrderType, Quantity, Refusal, RefusalCode, Side, StrategyId,
    TrailingOffset,
};

/// What makes two orders the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct DuplicateKey {
    pub(super) instrument: InstrumentId,
    pub(super) quantity: Quantity,
    pub(super) order_type: OrderType,
    pub(super) strategy: StrategyId,
    pub(super) side: Side,
}

const BLANK: DuplicateKey = DuplicateKey {
    instrument: InstrumentId(0),
    quantity: Quantity::ZERO,
    order_type: OrderType::Market,
    strategy: StrategyId(0),
    side: Side::Buy,
};

impl DuplicateKey {
    /// Mixes every part; multiplication by odd constants (of splitmix64) and a final fold.
    fn hash(&self) -> u64 {
        let (kind, a, b) = match self.order_type {
            OrderType::Market => (0, 0, 0),
            OrderType::Limit { limit } => (1, limit.units(), 0),
            OrderType::Stop { stop } => (2, stop.units(), 0),
            OrderType::StopLimit { stop, limit } => (3, stop.units(), limit.units()),
            OrderType::TrailingStop { offset } => match offset {
                TrailingOffset::Amount(amount) => (4, amount.units(), 0),
                TrailingOffset::Percent(ratio) => (5, ratio.units(), 0),
            },
        };
        let ids = u64::from(self.instrument.0) << 32
            | u64::from(self.strategy.0) << 16
            | (self.side as u64) << 8
            | kind;
        let mut hash = ids.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for word in [self.quantity.units() as u64, a as u64, b as u64] {
            hash = (hash ^ hash >> 29 ^ word).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        }
        hash ^ hash >> 32
    }
}

#[derive(Clone, Copy)]
struct Entry {
    key: DuplicateKey,
    time: Nanos,
    /// Number of the entry before it in its bucket plus one, 0 for none.
    before: u64,
}

/// The check, with everything that recording the order needs.
#[derive(Clone, Copy)]
pub(super) struct DuplicateProbe {
    key: DuplicateKey,
    bucket: usize,
}

/// See the module.
pub(super) struct DuplicateTable {
    window_ns: u64,
    entries: Box<[Entry]>,
    slot_mask: u64,
    /// Number of the newest entry of each bucket plus one, 0 for none.
    heads: Box<[u64]>,
    bucket_mask: u64,
    /// Entries written so far.
    written: u64,
    capacity: u64,
}

impl DuplicateTable {
    /// Remembers `capacity` orders of the last `window_ns`.
    pub(super) fn new(window_ns: u64, capacity: usize) -> Self {
        let slots = capacity.next_power_of_two();
        let blank = Entry {
            key: BLANK,
            time: Nanos::ZERO,
            before: 0,
        };
        Self {
            window_ns,
            entries: crate::types::touched(blank, slots),
            slot_mask: slots as u64 - 1,
            heads: crate::types::touched(0, slots),
            bucket_mask: slots as u64 - 1,
            written: 0,
            capacity: capacity as u64,
        }
    }

    fn entry(&self, number: u64) -> &Entry {
        &self.entries[(number & self.slot_mask) as usize]
    }

    fn age(&self, number: u64, now: Nanos) -> Option<u64> {
        // Older ones than the circle is long are overwritten.
        if self.written - number > self.capacity {
            return None;
        }
        let age = now.since(self.entry(number).time);
        (age < self.window_ns).then_some(age)
    }

    /// Whether `key` may pass now; changes nothing.
    pub(super) fn check(&self, key: DuplicateKey, now: Nanos) -> Result<DuplicateProbe, Refusal> {
        let bucket = (key.hash() & self.bucket_mask) as usize;
        let mut link = self.heads[bucket];
        while link != 0 {
            let Some(age) = self.age(link - 1, now) else {
                break;
            };
            let entry = self.entry(link - 1);
            if entry.key == key {
                let code = RefusalCode::DuplicateOrder;
                return Err(Refusal::counts(code, age, self.window_ns));
            }
            link = entry.before;
        }
        if self.written >= self.capacity && self.age(self.written - self.capacity, now).is_some() {
            let code = RefusalCode::DuplicateCheckFull;
            return Err(Refusal::counts(code, self.capacity + 1, self.capacity));
        }
        Ok(DuplicateProbe { key, bucket })
    }

    /// Remembers an order that passed.
    pub(super) fn record(&mut self, probe: DuplicateProbe, now: Nanos) {
        let number = self.written;
        self.entries[(number & self.slot_mask) as usize] = Entry {
            key: probe.key,
            time: now,
            before: self.heads[probe.bucket],
        };
        self.heads[probe.bucket] = number + 1;
        self.written += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: i64) -> DuplicateKey {
        DuplicateKey {
            quantity: Quantity::from_units(n),
            ..BLANK
        }
    }

    proptest! {
        /// Against a list of everything: no duplicate passes, nothing else is refused unless the window is full.
        #[test]
        fn agrees_with_a_list_of_everything(
            steps in prop::collection::vec((0u64..12, 0i64..9), 1..400),
            capacity in 1usize..20,
        ) {
            let mut table = DuplicateTable::new(40, capacity);
            let mut all: Vec<(Nanos, i64)> = Vec::new();
            let mut now = Nanos(100);
            for (step, n) in steps {
                now = now.plus(step);
                let live: Vec<_> = all.iter().filter(|(at, _)| now.since(*at) < 40).collect();
                let expected = if live.iter().any(|(_, m)| *m == n) {
                    Some(RefusalCode::DuplicateOrder)
                } else if live.len() >= capacity {
                    Some(RefusalCode::DuplicateCheckFull)
                } else {
                    None
                };
                match table.check(key(n), now) {
                    Ok(probe) => {
                        prop_assert_eq!(expected, None);
                        table.record(probe, now);
                        all.push((now, n));
                    }
                    Err(refusal) => prop_assert_eq!(Some(refusal.code), expected),
                }
            }
        }
    }
}
