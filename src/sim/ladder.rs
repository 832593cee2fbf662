//! Price ladders: ordered price levels, each a queue of orders, for every book out of one pool.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: treap nodes, levels and the links of the orders that wait in them.
//! Never: allocates after construction; a level is one node, so a pool of as many nodes as orders cannot run out.
//!
//! A treap whose priorities are a hash of the price: the same levels always form the same tree, whatever the order of
//! their arrival. Keys are normalised so that the smallest is the first to trade.

/// No node, no order.
pub(super) const NONE: u32 = u32::MAX;

/// One side's levels of one kind in one book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    root: u32,
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
struct Node {
    key: i64,
    left: u32,
    /// Or the next free node.
    right: u32,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    head: u32,
    tail: u32,
    /// What trades at this price have taken of the displayed queue since the level came to be.
    taken: i64,
}

#[derive(Clone, Copy, Debug)]
struct Links {
    previous: u32,
    next: u32,
    node: u32,
}

/// A place where a subtree hangs.
#[derive(Clone, Copy)]
enum Hole {
    Root,
    Left(u32),
    Right(u32),
}

/// The pool behind every [`Ladder`] of an exchange.
#[derive(Debug)]
pub(super) struct LadderPool {
    nodes: Box<[Node]>,
    levels: Box<[Level]>,
    links: Box<[Links]>,
    free: u32,
}

/// Mixes a key into a treap priority (the finaliser of splitmix64: a bijection, so no two keys tie).
#[inline]
fn priority(key: i64) -> u64 {
    let mut x = key as u64;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl LadderPool {
    /// For orders `0..orders`; every page is touched here.
    pub(super) fn new(orders: usize) -> Self {
        let node = |index: usize| Node {
            key: 0,
            left: NONE,
            right: if index + 1 == orders {
                NONE
            } else {
                index as u32 + 1
            },
        };
        let level = Level {
            head: NONE,
            tail: NONE,
            taken: 0,
        };
        let links = Links {
            previous: NONE,
            next: NONE,
            node: NONE,
        };
        Self {
            nodes: (0..orders).map(node).collect(),
            levels: vec![level; orders].into_boxed_slice(),
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
        let mut at = ladder.root;
        if at == NONE {
            return None;
        }
        while self.nodes[at as usize].right != NONE {
            at = self.nodes[at as usize].right;
        }
        Some((self.nodes[at as usize].key, self.levels[at as usize].head))
    }

    /// Key of the level in which an order waits.
    #[inline]
    pub(super) fn key_of(&self, order: u32) -> i64 {
        self.nodes[self.links[order as usize].node as usize].key
    }

    /// What trades have taken of the displayed queue at the order's level.
    #[inline]
    pub(super) fn taken(&self, order: u32) -> i64 {
        self.levels[self.links[order as usize].node as usize].taken
    }

    /// Adds to [`taken`](Self::taken).
    #[inline]
    pub(super) fn take(&mut self, order: u32, size: i64) {
        let level = &mut self.levels[self.links[order as usize].node as usize];
        level.taken = level.taken.saturating_add(size);
    }

    /// Puts an order at the end of the queue at `key`.
    pub(super) fn push(&mut self, ladder: &mut Ladder, key: i64, order: u32) {
        let node = self.find_or_insert(ladder, key);
        let level = &mut self.levels[node as usize];
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
            node,
        };
    }

    /// Takes an order out; its level goes with the last one.
    pub(super) fn remove(&mut self, ladder: &mut Ladder, order: u32) {
        let Links {
            previous,
            next,
            node,
        } = self.links[order as usize];
        debug_assert!(node != NONE, "invariant: the order waits in this ladder");
        let level = &mut self.levels[node as usize];
        if previous == NONE {
            level.head = next;
        }
        if next == NONE {
            level.tail = previous;
        }
        let empty = level.head == NONE;
        if previous != NONE {
            self.links[previous as usize].next = next;
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
        self.links[order as usize].node = NONE;
        if empty {
            self.remove_node(ladder, node);
        }
    }

    fn child(&self, ladder: &Ladder, hole: Hole) -> u32 {
        match hole {
            Hole::Root => ladder.root,
            Hole::Left(node) => self.nodes[node as usize].left,
            Hole::Right(node) => self.nodes[node as usize].right,
        }
    }

    fn hang(&mut self, ladder: &mut Ladder, hole: Hole, child: u32) {
        match hole {
            Hole::Root => ladder.root = child,
            Hole::Left(node) => self.nodes[node as usize].left = child,
            Hole::Right(node) => self.nodes[node as usize].right = child,
        }
    }

    fn find_or_insert(&mut self, ladder: &mut Ladder, key: i64) -> u32 {
        let mine = priority(key);
        let mut hole = Hole::Root;
        let mut at = ladder.root;
        while at != NONE {
            let found = self.nodes[at as usize].key;
            if found == key {
                return at;
            }
            // Priorities fall on the way down: below a smaller one the key cannot be.
            if priority(found) < mine {
                break;
            }
            hole = if key < found {
                Hole::Left(at)
            } else {
                Hole::Right(at)
            };
            at = self.child(ladder, hole);
        }
        let new = self.free;
        debug_assert!(new != NONE, "invariant: no more levels than orders");
        self.free = self.nodes[new as usize].right;
        self.nodes[new as usize].key = key;
        self.levels[new as usize] = Level {
            head: NONE,
            tail: NONE,
            taken: 0,
        };
        self.hang(ladder, hole, new);
        self.split_under(ladder, new, key, at);
        if key < ladder.first_key || ladder.first == NONE {
            ladder.first = new;
            ladder.first_key = key;
        }
        new
    }

    /// Hangs the subtree `at` under `new`, smaller keys left and larger ones right.
    fn split_under(&mut self, ladder: &mut Ladder, new: u32, key: i64, mut at: u32) {
        let (mut left, mut right) = (Hole::Left(new), Hole::Right(new));
        while at != NONE {
            if self.nodes[at as usize].key < key {
                self.hang(ladder, left, at);
                left = Hole::Right(at);
                at = self.nodes[at as usize].right;
            } else {
                self.hang(ladder, right, at);
                right = Hole::Left(at);
                at = self.nodes[at as usize].left;
            }
        }
        self.hang(ladder, left, NONE);
        self.hang(ladder, right, NONE);
    }

    fn remove_node(&mut self, ladder: &mut Ladder, node: u32) {
        let key = self.nodes[node as usize].key;
        let mut hole = Hole::Root;
        let mut at = ladder.root;
        while at != node {
            hole = if key < self.nodes[at as usize].key {
                Hole::Left(at)
            } else {
                Hole::Right(at)
            };
            at = self.child(ladder, hole);
        }
        let Node {
            mut left,
            mut right,
            ..
        } = self.nodes[node as usize];
        while left != NONE && right != NONE {
            let (l, r) = (self.nodes[left as usize], self.nodes[right as usize]);
            if priority(l.key) > priority(r.key) {
                self.hang(ladder, hole, left);
                hole = Hole::Right(left);
                left = l.right;
            } else {
                self.hang(ladder, hole, right);
                hole = Hole::Left(right);
                right = r.left;
            }
        }
        self.hang(ladder, hole, if left == NONE { right } else { left });
        self.nodes[node as usize].right = self.free;
        self.free = node;
        if ladder.first == node {
            self.find_first(ladder);
        }
    }

    fn find_first(&mut self, ladder: &mut Ladder) {
        let mut at = ladder.root;
        if at == NONE {
            *ladder = Ladder::default();
            return;
        }
        while self.nodes[at as usize].left != NONE {
            at = self.nodes[at as usize].left;
        }
        ladder.first = at;
        ladder.first_key = self.nodes[at as usize].key;
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
            let mut pool = LadderPool::new(ORDERS as usize);
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

    #[test]
    fn a_hundred_thousand_levels_in_ascending_order_stay_shallow() {
        let mut pool = LadderPool::new(100_000);
        let mut ladder = Ladder::default();
        for order in 0..100_000u32 {
            pool.push(&mut ladder, i64::from(order) * 10_000_000, order);
        }
        let (mut at, mut depth) = (ladder.root, 0);
        while at != NONE {
            at = pool.nodes[at as usize].right;
            depth += 1;
        }
        assert!(depth < 64, "right spine of {depth} nodes");
        for order in 0..100_000u32 {
            assert_eq!(pool.first(&ladder), Some(order));
            pool.remove(&mut ladder, order);
        }
        assert!(ladder.is_empty());
    }
}
