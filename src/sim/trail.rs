//! Trailing stops: orders that follow the market's best price, moved together instead of one by one.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: each trailing order's best price so far and the heap of distances behind it.
//! Never: allocates after construction, or looks at an order that a quote neither moves nor triggers.
//!
//! Prices are turned so that higher is better for the follower: the bid for sells, the negated ask for buys. Orders
//! with the same best price form a group. Groups are a stack: a newer group has a lower best price, since an older
//! order has seen all that a newer one saw. A new extreme swallows every group below it, so each group dies once and
//! a quote costs the same whatever the number of orders. Within a group the smallest distance triggers first: the
//! group is a heap of distances that melds in logarithmic time.

use super::tree::NONE;

/// The best price of an order that has not seen a tradable quote yet.
pub(super) const NO_MARK: i64 = i64::MIN;

/// The groups of one side and kind of distance in one book.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrailStack {
    oldest: u32,
    newest: u32,
    /// Where the search for triggered orders goes on.
    cursor: u32,
    percent: bool,
    /// No order triggers above this; exact or too high, never too low.
    nearest: i64,
}

impl TrailStack {
    /// An empty stack; distances are fractions when `percent`, else amounts.
    pub(super) const fn new(percent: bool) -> Self {
        Self {
            oldest: NONE,
            newest: NONE,
            cursor: NONE,
            percent,
            nearest: NO_MARK,
        }
    }

    /// Whether no order follows here.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.newest == NONE
    }

    /// Where an order at `distance` behind `mark` triggers. Fractions are rounded away from the mark.
    fn trigger(&self, mark: i64, distance: i64) -> i64 {
        if mark == NO_MARK {
            return NO_MARK;
        }
        if !self.percent {
            return mark.saturating_sub(distance);
        }
        let product = i128::from(mark.unsigned_abs()) * i128::from(distance);
        let one = i128::from(crate::types::decimal::ONE);
        let behind = (product + one - 1) / one;
        i64::try_from(i128::from(mark) - behind).unwrap_or(NO_MARK)
    }
}

#[derive(Clone, Copy, Debug)]
struct Group {
    mark: i64,
    root: u32,
    older: u32,
    /// Or the next free group.
    newer: u32,
}

#[derive(Clone, Copy, Debug)]
struct HeapNode {
    distance: i64,
    sequence: u64,
    left: u32,
    right: u32,
    parent: u32,
    /// Of a root only.
    group: u32,
}

/// The pool behind every [`TrailStack`] of an exchange.
#[derive(Debug)]
pub(super) struct TrailPool {
    groups: Box<[Group]>,
    heap: Box<[HeapNode]>,
    free: u32,
    coin: u64,
}

impl TrailPool {
    /// For orders `0..orders`; every page is touched here.
    pub(super) fn new(orders: usize) -> Self {
        let group = |index: usize| Group {
            mark: NO_MARK,
            root: NONE,
            older: NONE,
            newer: if index + 1 == orders {
                NONE
            } else {
                index as u32 + 1
            },
        };
        let node = HeapNode {
            distance: 0,
            sequence: 0,
            left: NONE,
            right: NONE,
            parent: NONE,
            group: NONE,
        };
        Self {
            groups: (0..orders).map(group).collect(),
            heap: vec![node; orders].into_boxed_slice(),
            free: 0,
            coin: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Adds an order that has seen `mark` as its best price.
    pub(super) fn insert(
        &mut self,
        stack: &mut TrailStack,
        order: u32,
        mark: i64,
        distance: i64,
        sequence: u64,
    ) {
        self.heap[order as usize] = HeapNode {
            distance,
            sequence,
            left: NONE,
            right: NONE,
            parent: NONE,
            group: NONE,
        };
        let (mut newer, mut older) = (NONE, stack.newest);
        while older != NONE && self.groups[older as usize].mark < mark {
            newer = older;
            older = self.groups[older as usize].older;
        }
        let group = if older != NONE && self.groups[older as usize].mark == mark {
            older
        } else {
            self.add_group(stack, mark, older, newer)
        };
        let root = self.meld(self.groups[group as usize].root, order);
        self.set_root(group, root);
        stack.nearest = stack.nearest.max(self.group_trigger(stack, group));
    }

    /// Takes an order out; returns its best price so far.
    pub(super) fn remove(&mut self, stack: &mut TrailStack, order: u32) -> i64 {
        let group = self.group_of(order);
        let mark = self.groups[group as usize].mark;
        let HeapNode {
            left,
            right,
            parent,
            ..
        } = self.heap[order as usize];
        let rest = self.meld(left, right);
        if parent == NONE {
            if rest == NONE {
                self.remove_group(stack, group);
            } else {
                self.set_root(group, rest);
            }
        } else {
            let above = &mut self.heap[parent as usize];
            if above.left == order {
                above.left = rest;
            } else {
                above.right = rest;
            }
            if rest != NONE {
                self.heap[rest as usize].parent = parent;
            }
        }
        mark
    }

    /// The market stands at `price`: groups below follow it.
    #[inline]
    pub(super) fn follow(&mut self, stack: &mut TrailStack, price: i64) {
        stack.cursor = NONE;
        let newest = stack.newest;
        if newest == NONE || self.groups[newest as usize].mark >= price {
            return;
        }
        loop {
            let Group { root, older, .. } = self.groups[newest as usize];
            if older == NONE || self.groups[older as usize].mark > price {
                break;
            }
            let swallowed = self.groups[older as usize].root;
            self.remove_group(stack, older);
            let root = self.meld(root, swallowed);
            self.set_root(newest, root);
        }
        self.groups[newest as usize].mark = price;
        stack.nearest = stack.nearest.max(self.group_trigger(stack, newest));
    }

    /// The next order that triggers with the market at `price`: the highest best price first, then the smallest
    /// distance, then time. The caller removes it before it asks again.
    pub(super) fn triggered(&mut self, stack: &mut TrailStack, price: i64) -> Option<u32> {
        if price > stack.nearest || stack.newest == NONE {
            return None;
        }
        let mut at = if stack.cursor == NONE {
            stack.oldest
        } else {
            stack.cursor
        };
        while at != NONE {
            if self.group_trigger(stack, at) >= price {
                stack.cursor = at;
                return Some(self.groups[at as usize].root);
            }
            at = self.groups[at as usize].newer;
        }
        stack.cursor = NONE;
        stack.nearest = NO_MARK;
        let mut at = stack.oldest;
        while at != NONE {
            stack.nearest = stack.nearest.max(self.group_trigger(stack, at));
            at = self.groups[at as usize].newer;
        }
        None
    }

    fn group_trigger(&self, stack: &TrailStack, group: u32) -> i64 {
        let Group { mark, root, .. } = self.groups[group as usize];
        stack.trigger(mark, self.heap[root as usize].distance)
    }

    fn group_of(&self, order: u32) -> u32 {
        let mut at = order;
        while self.heap[at as usize].parent != NONE {
            at = self.heap[at as usize].parent;
        }
        self.heap[at as usize].group
    }

    fn set_root(&mut self, group: u32, root: u32) {
        self.groups[group as usize].root = root;
        let top = &mut self.heap[root as usize];
        top.parent = NONE;
        top.group = group;
    }

    fn add_group(&mut self, stack: &mut TrailStack, mark: i64, older: u32, newer: u32) -> u32 {
        let group = self.free;
        debug_assert!(group != NONE, "invariant: no more groups than orders");
        self.free = self.groups[group as usize].newer;
        self.groups[group as usize] = Group {
            mark,
            root: NONE,
            older,
            newer,
        };
        self.link(stack, older, group);
        self.link(stack, group, newer);
        group
    }

    fn remove_group(&mut self, stack: &mut TrailStack, group: u32) {
        let Group { older, newer, .. } = self.groups[group as usize];
        if stack.cursor == group {
            stack.cursor = newer;
        }
        self.link(stack, older, newer);
        self.groups[group as usize].newer = self.free;
        self.free = group;
        if stack.newest == NONE {
            stack.nearest = NO_MARK;
        }
    }

    fn link(&mut self, stack: &mut TrailStack, older: u32, newer: u32) {
        if older == NONE {
            stack.oldest = newer;
        } else {
            self.groups[older as usize].newer = newer;
        }
        if newer == NONE {
            stack.newest = older;
        } else {
            self.groups[newer as usize].older = older;
        }
    }

    fn before(&self, a: u32, b: u32) -> bool {
        let (a, b) = (&self.heap[a as usize], &self.heap[b as usize]);
        (a.distance, a.sequence) < (b.distance, b.sequence)
    }

    fn toss(&mut self) -> bool {
        self.coin ^= self.coin << 13;
        self.coin ^= self.coin >> 7;
        self.coin ^= self.coin << 17;
        self.coin & 1 == 0
    }

    /// Two heaps into one. A coin picks the child to go down, which keeps paths short whatever the history; the order
    /// in which orders come out does not depend on it.
    fn meld(&mut self, a: u32, b: u32) -> u32 {
        if a == NONE || b == NONE {
            return if a == NONE { b } else { a };
        }
        let (root, mut loose) = if self.before(b, a) { (b, a) } else { (a, b) };
        let mut at = root;
        loop {
            let left = self.toss();
            let node = &self.heap[at as usize];
            let child = if left { node.left } else { node.right };
            let (top, rest) = if child == NONE || self.before(loose, child) {
                (loose, child)
            } else {
                (child, loose)
            };
            let node = &mut self.heap[at as usize];
            if left {
                node.left = top;
            } else {
                node.right = top;
            }
            self.heap[top as usize].parent = at;
            if rest == NONE {
                return root;
            }
            (at, loose) = (top, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy)]
    struct Twin {
        order: u32,
        mark: i64,
        distance: i64,
        sequence: u64,
    }

    fn twin_trigger(twin: &Twin, percent: bool) -> i64 {
        match (twin.mark, percent) {
            (NO_MARK, _) => NO_MARK,
            (mark, false) => mark - twin.distance,
            (mark, true) => {
                let one = 1_000_000_000i128;
                let product = i128::from(mark.abs()) * i128::from(twin.distance);
                let behind = product / one + i128::from(product % one != 0);
                mark - behind as i64
            }
        }
    }

    proptest! {
        /// Against a list of orders that are all looked at on every quote.
        #[test]
        fn behaves_as_following_every_order_by_itself(
            percent in any::<bool>(),
            buy_side in any::<bool>(),
            steps in prop::collection::vec((0u8..5, 0u32..16, 90i64..110, 1i64..12), 1..300),
        ) {
            let mut pool = TrailPool::new(16);
            let mut stack = TrailStack::new(percent);
            let mut twins: Vec<Twin> = Vec::new();
            let mut market = NO_MARK;
            for (sequence, (action, order, price, distance)) in steps.into_iter().enumerate() {
                let distance = if percent { distance * 10_000_000 } else { distance };
                let sequence = sequence as u64;
                match action {
                    0 | 1 if twins.iter().all(|t| t.order != order) => {
                        pool.insert(&mut stack, order, market, distance, sequence);
                        twins.push(Twin { order, mark: market, distance, sequence });
                    }
                    2 => if let Some(at) = twins.iter().position(|t| t.order == order) {
                        let twin = twins.remove(at);
                        prop_assert_eq!(pool.remove(&mut stack, order), twin.mark);
                    },
                    _ => {
                        market = if buy_side { -price } else { price };
                        pool.follow(&mut stack, market);
                        for twin in &mut twins {
                            twin.mark = twin.mark.max(market);
                        }
                        let mut expected: Vec<Twin> = twins
                            .iter()
                            .copied()
                            .filter(|twin| twin_trigger(twin, percent) >= market)
                            .collect();
                        expected.sort_by_key(|t| (-t.mark, t.distance, t.sequence));
                        for twin in expected {
                            prop_assert_eq!(pool.triggered(&mut stack, market), Some(twin.order));
                            pool.remove(&mut stack, twin.order);
                            twins.retain(|other| other.order != twin.order);
                        }
                        prop_assert_eq!(pool.triggered(&mut stack, market), None);
                    }
                }
                prop_assert_eq!(stack.is_empty(), twins.is_empty());
            }
        }
    }
}
