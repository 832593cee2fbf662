//! The executions that were counted already, so that no fill is counted twice.
//!
//! Runs on: ORDER.
//! Owns: a fixed number of execution ids, the newest ones, behind an open-addressing table.
//! Never: allocates after construction; forgets an id before as many newer ones came.

use crate::types::{BrokerId, ExecutionId};

const EMPTY: u32 = u32::MAX;
/// 2^64 divided by the golden ratio: multiplication by it spreads counted and hashed ids alike.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Ids in a row whose places are in a row: a cache line of `u32`.
const NEIGHBOURS: u64 = 16;

/// Whose execution ids a recovered one is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Seen in this run, at this broker.
    Broker(BrokerId),
    /// Seen before the restart.
    Recovered,
}

/// See the module. Ids of different brokers are different.
pub(super) struct ExecutionIds {
    /// In the order of arrival, as a ring.
    keys: Box<[u128]>,
    /// Index into `keys`, at most half full.
    table: Box<[u32]>,
    shift: u32,
    next: usize,
    len: usize,
}

fn key(source: Source, id: ExecutionId) -> u128 {
    let tag = match source {
        Source::Broker(broker) => broker.0,
        Source::Recovered => u8::MAX,
    };
    id.0 ^ (u128::from(tag) << 120)
}

impl ExecutionIds {
    /// Room for the newest `capacity` ids.
    ///
    /// # Panics
    /// When `capacity` is 0 or above 2^30.
    pub(super) fn new(capacity: usize) -> Self {
        assert!((1..=1 << 30).contains(&capacity), "1 to 2^30 execution ids");
        let slots = (capacity * 2)
            .next_power_of_two()
            .max(2 * NEIGHBOURS as usize);
        Self {
            keys: crate::types::touched(0, capacity),
            table: vec![EMPTY; slots].into_boxed_slice(),
            shift: 64 - (slots as u64 / NEIGHBOURS).trailing_zeros(),
            next: 0,
            len: 0,
        }
    }

    /// Counted ids come one after the other: their places are neighbours, so that one cache line
    /// serves several fills.
    fn home(&self, key: u128) -> usize {
        let folded = (key as u64) ^ ((key >> 64) as u64).rotate_left(32);
        let group = (folded / NEIGHBOURS).wrapping_mul(SPREAD) >> self.shift;
        (group * NEIGHBOURS + folded % NEIGHBOURS) as usize
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.table.len() - 1)
    }

    /// The place of `key`, or the empty place where it would go.
    fn seek(&self, key: u128) -> usize {
        let mut at = self.home(key);
        while self.table[at] != EMPTY && self.keys[self.table[at] as usize] != key {
            at = self.after(at);
        }
        at
    }

    /// Whether the id is among the newest ones.
    pub(super) fn contains(&self, source: Source, id: ExecutionId) -> bool {
        self.table[self.seek(key(source, id))] != EMPTY
    }

    /// Adds an id; the oldest is forgotten when there is no room. `false` when it was there.
    pub(super) fn insert(&mut self, source: Source, id: ExecutionId) -> bool {
        let key = key(source, id);
        let mut at = self.seek(key);
        if self.table[at] != EMPTY {
            return false;
        }
        if self.len == self.keys.len() {
            self.forget(self.keys[self.next]);
            at = self.seek(key);
        } else {
            self.len += 1;
        }
        self.keys[self.next] = key;
        self.table[at] = self.next as u32;
        self.next = if self.next + 1 == self.keys.len() {
            0
        } else {
            self.next + 1
        };
        true
    }

    /// Takes a key out of the table and closes the gap, so that a search never meets a tombstone.
    fn forget(&mut self, key: u128) {
        let mut gap = self.seek(key);
        debug_assert!(
            self.table[gap] != EMPTY,
            "invariant: every key is in the table"
        );
        let mask = self.table.len() - 1;
        let mut at = self.after(gap);
        while self.table[at] != EMPTY {
            let home = self.home(self.keys[self.table[at] as usize]);
            // Whether the gap lies between the entry's home and its place, around the end.
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.table[gap] = self.table[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.table[gap] = EMPTY;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_id_at_two_brokers_is_two_executions() {
        let mut ids = ExecutionIds::new(4);
        let (a, b) = (Source::Broker(BrokerId(0)), Source::Broker(BrokerId(1)));
        assert!(ids.insert(a, ExecutionId(7)));
        assert!(!ids.insert(a, ExecutionId(7)));
        assert!(!ids.contains(b, ExecutionId(7)));
        assert!(!ids.contains(Source::Recovered, ExecutionId(7)));
        assert!(ids.insert(b, ExecutionId(7)));
    }

    proptest! {
        /// Against a queue: an id is known as long as it is among the newest ones.
        #[test]
        fn remembers_what_its_naive_twin_remembers(
            capacity in 1usize..20,
            ids in prop::collection::vec((0u8..2, 0u128..40), 1..400),
        ) {
            let mut set = ExecutionIds::new(capacity);
            let mut twin = VecDeque::new();
            for (broker, number) in ids {
                let source = Source::Broker(BrokerId(broker));
                let id = ExecutionId(number << (broker * 60));
                let known = twin.contains(&(broker, id));
                prop_assert_eq!(set.contains(source, id), known);
                prop_assert_eq!(set.insert(source, id), !known);
                if !known {
                    if twin.len() == capacity {
                        twin.pop_front();
                    }
                    twin.push_back((broker, id));
                }
                for (broker, id) in &twin {
                    prop_assert!(set.contains(Source::Broker(BrokerId(*broker)), *id));
                }
            }
        }
    }
}
