//! Control 13: the same order again within a window, exactly.
//!
//! Runs on: the RISK agent.
//! Owns: the orders of the last window, in order of time, each chained to the one before in its
//! bucket.
//! Never: refuses by a hash alone, or passes an order that it could not compare: a full table
//! refuses.
//!
//! Time moves forward, so entries expire in the order of their arrival: the table is a circle of
//! entries in which a chain walk ends at the first one that is not live. Nothing is ever unlinked,
//! and no walk is longer than the live entries of one bucket.

use crate::types::{
    InstrumentId, Nanos, Order, OrderType, Quantity, Refusal, RefusalCode, Side, StrategyId,
    TrailingOffset,
};
use crate::types::{prefetch, touched};

/// What makes two orders the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct DuplicateKey {
    instrument: InstrumentId,
    quantity: Quantity,
    order_type: OrderType,
    strategy: StrategyId,
    side: Side,
}

const BLANK: DuplicateKey = DuplicateKey {
    instrument: InstrumentId(0),
    quantity: Quantity::ZERO,
    order_type: OrderType::Market,
    strategy: StrategyId(0),
    side: Side::Buy,
};

impl DuplicateKey {
    pub(super) const fn of(order: &Order, strategy: StrategyId) -> Self {
        Self {
            instrument: order.instrument,
            quantity: order.quantity,
            order_type: order.order_type,
            strategy,
            side: order.side,
        }
    }

    /// Mixes every part; multiplication by odd constants (of splitmix64) and a final fold.
    #[inline(always)]
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

/// An entry's place in its chain: eight bytes, so that a walk stays within the cache.
#[derive(Clone, Copy, Default)]
struct Node {
    /// The hash's upper half: keys are compared only where it agrees.
    tag: u32,
    /// Number of the entry before it in its bucket, or one that is not live.
    before: u32,
}

/// See the module. Entries are numbered as they come; numbers wrap, and are told apart by their
/// distance from the next one.
pub(super) struct DuplicateTable {
    window_ns: u64,
    capacity: u32,
    slot_mask: u32,
    /// Number of the next entry.
    next: u32,
    /// Entries before the next one that may still lie in the window; older ones do not.
    live: u32,
    /// Newest entry of each bucket, or one that is not live.
    heads: Box<[u32]>,
    nodes: Box<[Node]>,
    times: Box<[Nanos]>,
    keys: Box<[DuplicateKey]>,
}

/// Where an order that passed will be recorded.
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    index: u32,
    tag: u32,
}

/// Expired entries given up in one check; one check adds at most one.
const EXPIRED_AT_ONCE: usize = 4;

impl DuplicateTable {
    /// Remembers `capacity` orders (at most 2^24) of the last `window_ns`.
    pub(super) fn new(window_ns: u64, capacity: usize) -> Self {
        let slots = capacity.next_power_of_two();
        Self {
            window_ns,
            capacity: capacity as u32,
            slot_mask: slots as u32 - 1,
            // Far from 0, which the heads begin with.
            next: 1 << 31,
            live: 0,
            heads: touched(0, slots),
            nodes: touched(Node::default(), slots),
            times: touched(Nanos::ZERO, slots),
            keys: touched(BLANK, slots),
        }
    }

    /// How many entries ago `number` was, 1 for the newest.
    #[inline(always)]
    fn distance(&self, number: u32) -> u32 {
        self.next.wrapping_sub(number)
    }

    #[inline(always)]
    fn slot(&self, number: u32) -> usize {
        (number & self.slot_mask) as usize
    }

    #[inline(always)]
    fn is_live(&self, distance: u32) -> bool {
        distance.wrapping_sub(1) < self.live
    }

    /// Gives up entries that left the window, a few at a time.
    #[inline(always)]
    pub(super) fn expire(&mut self, now: Nanos) {
        for _ in 0..EXPIRED_AT_ONCE {
            let oldest = self.slot(self.next.wrapping_sub(self.live));
            if self.live == 0 || now.since(self.times[oldest]) < self.window_ns {
                return;
            }
            self.live -= 1;
        }
    }

    /// Where `key` belongs. Its place in the table is read at once, so that the cache line, which no
    /// two orders share, is under way while other controls are checked.
    #[inline(always)]
    pub(super) fn bucket(&self, key: &DuplicateKey) -> Bucket {
        let hash = key.hash();
        let bucket = Bucket {
            index: hash as u32 & self.slot_mask,
            tag: (hash >> 32) as u32,
        };
        prefetch(&self.heads[bucket.index as usize]);
        bucket
    }

    /// Whether `key`, which belongs into `bucket`, may pass now; changes nothing.
    #[inline(always)]
    pub(super) fn check(
        &self,
        key: &DuplicateKey,
        bucket: Bucket,
        now: Nanos,
    ) -> Result<(), Refusal> {
        let mut number = self.heads[bucket.index as usize];
        let mut distance = self.distance(number);
        while self.is_live(distance) {
            let slot = self.slot(number);
            let node = self.nodes[slot];
            if node.tag == bucket.tag && self.keys[slot] == *key {
                let age = now.since(self.times[slot]);
                if age < self.window_ns {
                    let code = RefusalCode::DuplicateOrder;
                    return Err(Refusal::counts(code, age, self.window_ns));
                }
            }
            number = node.before;
            // The chain leads to ever older entries; a number that wrapped does not.
            let before = self.distance(number);
            if before <= distance {
                break;
            }
            distance = before;
        }
        if self.live >= self.capacity {
            let code = RefusalCode::DuplicateCheckFull;
            let (live, capacity) = (u64::from(self.live), u64::from(self.capacity));
            return Err(Refusal::counts(code, live + 1, capacity));
        }
        Ok(())
    }

    /// Remembers an order that passed, in the bucket where it belongs.
    #[inline(always)]
    pub(super) fn record(&mut self, key: DuplicateKey, bucket: Bucket, now: Nanos) {
        let slot = self.slot(self.next);
        let head = &mut self.heads[bucket.index as usize];
        self.nodes[slot] = Node {
            tag: bucket.tag,
            before: *head,
        };
        *head = self.next;
        self.times[slot] = now;
        self.keys[slot] = key;
        self.next = self.next.wrapping_add(1);
        self.live += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bursts, and pauses about as long as the window.
    fn step() -> impl Strategy<Value = u64> {
        prop_oneof![8 => 0u64..4, 1 => 38u64..43]
    }

    fn key(n: i64) -> DuplicateKey {
        DuplicateKey {
            quantity: Quantity::from_units(n),
            ..BLANK
        }
    }

    #[test]
    fn numbers_may_wrap() {
        let mut table = DuplicateTable::new(40, 4);
        table.next = u32::MAX - 1;
        let mut now = Nanos(100);
        for n in 0..8 {
            now = now.plus(20);
            table.expire(now);
            let looked = |table: &DuplicateTable, n: i64| {
                let bucket = table.bucket(&key(n));
                table.check(&key(n), bucket, now).map(|()| bucket)
            };
            let bucket = looked(&table, n).expect("new");
            table.record(key(n), bucket, now);
            assert!(looked(&table, n).is_err(), "the newest");
            assert!(n == 0 || looked(&table, n - 1).is_err(), "20 ns ago");
            assert!(n < 2 || looked(&table, n - 2).is_ok(), "40 ns ago");
        }
    }

    proptest! {
        /// Against a list of everything: no duplicate passes, nothing else is refused unless the
        /// window is full.
        #[test]
        fn agrees_with_a_list_of_everything(
            steps in prop::collection::vec((step(), 0i64..12), 1..400),
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
                table.expire(now);
                let bucket = table.bucket(&key(n));
                match table.check(&key(n), bucket, now) {
                    Ok(()) => {
                        prop_assert_eq!(expected, None);
                        table.record(key(n), bucket, now);
                        all.push((now, n));
                    }
                    Err(refusal) => prop_assert_eq!(Some(refusal.code), expected),
                }
            }
        }
    }
}
