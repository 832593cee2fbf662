//! Price ladders: ordered price levels, each a queue of orders, for every book out of one pool.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: levels and the links of the orders that wait in them.
//! Never: allocates after construction: there are no more levels than orders.
//!
//! Keys are normalised so that the smallest is the first to trade.

use super::tree::{NONE, TreePool};

/// One side's levels of one kind in one book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    root: u32,
    /// The first level.
    first: u32,
    first_key: i64,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            root: NONE,
            first: NONE,
            first_key: i64::MAX,
        }
    }
}

impl Ladder {
    /// Whether nobody waits here.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.root == NONE
    }

    /// Whether the first level's key is at or before `bound`.
    #[inline]
    pub(super) const fn reaches(&self, bound: i64) -> bool {
        self.first_key <= bound && self.root != NONE
    }

    /// Key of the first level, `i64::MAX` when empty.
    #[inline]
    pub(super) const fn first_key(&self) -> i64 {
        self.first_key
    }
}

#[derive(Clone, Copy, Debug)]
struct Level {
    key: i64,
    head: u32,
    /// Or the next free level.
    tail: u32,
    /// What trades at this price have taken of the displayed queue since the level came to be.
    taken: i64,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    previous: u32,
    next: u32,
    level: u32,
}

/// The pool behind every [`Ladder`] of an exchange.
#[derive(Debug)]
pub(super) struct LadderPool {
    tree: TreePool,
    levels: Box<[Level]>,
    links: Box<[Links]>,
    free: u32,
}

impl LadderPool {
    /// For orders `0..orders` in `ladders` ladders; every page is touched here.
    pub(super) fn new(ladders: usize, orders: usize) -> Self {
        let level = |index: usize| Level {
            key: 0,
            head: NONE,
            tail: if index + 1 == orders {
                NONE
            } else {
                index as u32 + 1
            },
            taken: 0,
        };
        let links = Links {
            previous: NONE,
            next: NONE,
            level: NONE,
        };
        Self {
            tree: TreePool::new(ladders, orders),
            levels: (0..orders).map(level).collect(),
            links: vec![links; orders].into_boxed_slice(),
            free: 0,
        }
    }

    /// The first order of the first level.
    #[inline]
    pub(super) fn first(&self, ladder: &Ladder) -> Option<u32> {
        (ladder.first != NONE).then(|| self.levels[ladder.first as usize].head)
    }

    /// Key and first order of the last level.
    pub(super) fn last(&self, ladder: &Ladder) -> Option<(i64, u32)> {
        let (key, level) = self.tree.last(ladder.root)?;
        Some((key, self.levels[level as usize].head))
    }

    /// Key of the level in which an order waits.
    #[inline]
    pub(super) fn key_of(&self, order: u32) -> i64 {
        self.levels[self.links[order as usize].level as usize].key
    }

    /// What trades have taken of the displayed queue at the order's level.
    #[inline]
    pub(super) fn taken(&self, order: u32) -> i64 {
        self.levels[self.links[order as usize].level as usize].taken
    }

    /// Adds to [`taken`](Self::taken).
    #[inline]
    pub(super) fn take(&mut self, order: u32, size: i64) {
        let level = &mut self.levels[self.links[order as usize].level as usize];
        level.taken = level.taken.saturating_add(size);
    }

    /// Puts an order at the end of the queue at `key`.
    pub(super) fn push(&mut self, ladder: &mut Ladder, key: i64, order: u32) {
        let index = self.level_at(ladder, key);
        let level = &mut self.levels[index as usize];
        let previous = level.tail;
        level.tail = order;
        if previous == NONE {
            level.head = order;
        } else {
            self.links[previous as usize].next = order;
        }
        self.links[order as usize] = Links {
            previous,
            next: NONE,
            level: index,
        };
    }

    fn level_at(&mut self, ladder: &mut Ladder, key: i64) -> u32 {
        let fresh = self.free;
        debug_assert!(
            fresh != NONE || ladder.root != NONE,
            "invariant: no more levels than orders"
        );
        let index = self.tree.entry(&mut ladder.root, key, fresh);
        if index == fresh {
            let level = &mut self.levels[fresh as usize];
            self.free = level.tail;
            *level = Level {
                key,
                head: NONE,
                tail: NONE,
                taken: 0,
            };
            if key < ladder.first_key || ladder.first == NONE {
                ladder.first = fresh;
                ladder.first_key = key;
            }
        }
        index
    }

    /// Takes an order out; its level goes with the last one.
    pub(super) fn remove(&mut self, ladder: &mut Ladder, order: u32) {
        let Links {
            previous,
            next,
            level: index,
        } = self.links[order as usize];
        debug_assert!(index != NONE, "invariant: the order waits in this ladder");
        let level = &mut self.levels[index as usize];
        if previous == NONE {
            level.head = next;
        }
        if next == NONE {
            level.tail = previous;
        }
        let emptied = (level.head == NONE).then_some(level.key);
        if previous != NONE {
            self.links[previous as usize].next = next;
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
        self.links[order as usize].level = NONE;
        if let Some(key) = emptied {
            self.tree.remove(&mut ladder.root, key);
            self.levels[index as usize].tail = self.free;
            self.free = index;
            if ladder.first == index {
                let first = self.tree.first(ladder.root);
                (ladder.first_key, ladder.first) = first.unwrap_or((i64::MAX, NONE));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

    const ORDERS: u32 = 24;

    proptest! {
        /// Against a map of queues: first and last agree after any pushes and removals in two ladders.
        #[test]
        fn behaves_as_a_map_of_queues(
            steps in prop::collection::vec((0..ORDERS, 0usize..2, -6i64..6), 1..600),
        ) {
            let mut pool = LadderPool::new(2, ORDERS as usize);
            let mut ladders = [Ladder::default(); 2];
            let mut twins: [BTreeMap<i64, VecDeque<u32>>; 2] = Default::default();
            let mut places: [Option<(usize, i64)>; ORDERS as usize] = [None; ORDERS as usize];
            for (order, which, key) in steps {
                if let Some((which, key)) = places[order as usize].take() {
                    prop_assert_eq!(pool.key_of(order), key);
                    pool.remove(&mut ladders[which], order);
                    let queue = twins[which].get_mut(&key).expect("level");
                    queue.retain(|other| *other != order);
                    if queue.is_empty() {
                        twins[which].remove(&key);
                    }
                } else {
                    pool.push(&mut ladders[which], key, order);
                    twins[which].entry(key).or_default().push_back(order);
                    places[order as usize] = Some((which, key));
                }
                for (ladder, twin) in ladders.iter().zip(&twins) {
                    let first = twin.first_key_value();
                    prop_assert_eq!(pool.first(ladder), first.map(|(_, queue)| queue[0]));
                    prop_assert_eq!(ladder.first_key(), first.map_or(i64::MAX, |(key, _)| *key));
                    let last = twin.last_key_value().map(|(key, queue)| (*key, queue[0]));
                    prop_assert_eq!(pool.last(ladder), last);
                }
            }
        }
    }
}
