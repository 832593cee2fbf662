//! Ordered maps from a price key to a level, many of them out of one pool of nodes.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: the nodes of B+ trees with 16 entries a node: a hundred thousand prices are five short hops apart.
//! Never: allocates after construction; nodes but the root hold at least four entries, so a tree of `n` keys has at
//! most `1 + n / 3` of them.

/// No node, no level, no order.
pub(super) const NONE: u32 = u32::MAX;

const CAPACITY: usize = 16;
const HALF: usize = CAPACITY / 2;
/// A node with fewer entries is merged or filled up.
const LEAST: usize = 4;
/// More than the height of any tree: 4^16 keys.
const HEIGHT: usize = 16;

/// A leaf maps keys to values. An inner node maps the lower bounds of its children to them; the first bound is not
/// looked at.
#[derive(Clone, Copy, Debug)]
struct Node {
    keys: [i64; CAPACITY],
    slots: [u32; CAPACITY],
    length: u32,
    leaf: bool,
}

impl Node {
    /// The child whose subtree a key belongs to.
    #[inline]
    fn child(&self, key: i64) -> usize {
        let bounds = &self.keys[1..(self.length as usize).max(1)];
        bounds.iter().map(|bound| usize::from(*bound <= key)).sum()
    }

    /// How many keys come before `key`.
    #[inline]
    fn position(&self, key: i64) -> usize {
        let keys = &self.keys[..self.length as usize];
        keys.iter().map(|other| usize::from(*other < key)).sum()
    }

    fn insert(&mut self, position: usize, key: i64, slot: u32) {
        let length = self.length as usize;
        self.keys.copy_within(position..length, position + 1);
        self.slots.copy_within(position..length, position + 1);
        self.keys[position] = key;
        self.slots[position] = slot;
        self.length += 1;
    }

    fn remove(&mut self, position: usize) {
        let length = self.length as usize;
        self.keys.copy_within(position + 1..length, position);
        self.slots.copy_within(position + 1..length, position);
        self.length -= 1;
    }

    /// Takes entries `range` of another node to its end.
    fn append(&mut self, other: &Self, range: std::ops::Range<usize>) {
        let (from, count) = (self.length as usize, range.len());
        self.keys[from..from + count].copy_from_slice(&other.keys[range.clone()]);
        self.slots[from..from + count].copy_from_slice(&other.slots[range]);
        self.length += count as u32;
    }
}

/// The way from the root to a leaf: nodes and the entries taken in them.
struct Path {
    steps: [(u32, u32); HEIGHT],
    length: usize,
}

impl Path {
    const fn new() -> Self {
        Self {
            steps: [(NONE, 0); HEIGHT],
            length: 0,
        }
    }

    fn push(&mut self, node: u32, entry: usize) {
        self.steps[self.length] = (node, entry as u32);
        self.length += 1;
    }

    fn pop(&mut self) -> Option<(u32, usize)> {
        self.length = self.length.checked_sub(1)?;
        let (node, entry) = self.steps[self.length];
        Some((node, entry as usize))
    }
}

/// The pool. A tree is the index of its root, [`NONE`] when empty.
#[derive(Debug)]
pub(super) struct TreePool {
    nodes: Box<[Node]>,
    free: u32,
}

impl TreePool {
    /// For `trees` trees with `keys` keys in all; every page is touched here.
    pub(super) fn new(trees: usize, keys: usize) -> Self {
        // A node more for each tree that is being split, which is one at a time.
        let nodes = keys.min(trees + keys / 3) + 1;
        let node = |index: usize| Node {
            keys: [0; CAPACITY],
            slots: [if index + 1 == nodes {
                NONE
            } else {
                index as u32 + 1
            }; CAPACITY],
            length: 0,
            leaf: true,
        };
        Self {
            nodes: (0..nodes).map(node).collect(),
            free: 0,
        }
    }

    fn allocate(&mut self, leaf: bool) -> u32 {
        let index = self.free;
        debug_assert!(index != NONE, "invariant: no more nodes than the bound");
        let node = &mut self.nodes[index as usize];
        self.free = node.slots[0];
        node.length = 0;
        node.leaf = leaf;
        index
    }

    fn release(&mut self, index: u32) {
        self.nodes[index as usize].slots[0] = self.free;
        self.free = index;
    }

    /// The entry with the smallest key.
    pub(super) fn first(&self, root: u32) -> Option<(i64, u32)> {
        self.edge(root, |_| 0)
    }

    /// The entry with the largest key.
    pub(super) fn last(&self, root: u32) -> Option<(i64, u32)> {
        self.edge(root, |node| node.length as usize - 1)
    }

    fn edge(&self, root: u32, pick: impl Fn(&Node) -> usize) -> Option<(i64, u32)> {
        if root == NONE {
            return None;
        }
        let mut node = &self.nodes[root as usize];
        while !node.leaf {
            node = &self.nodes[node.slots[pick(node)] as usize];
        }
        let entry = pick(node);
        Some((node.keys[entry], node.slots[entry]))
    }

    fn descend(&self, root: u32, key: i64) -> (Path, u32) {
        let mut path = Path::new();
        let mut at = root;
        loop {
            let node = &self.nodes[at as usize];
            if node.leaf {
                return (path, at);
            }
            let entry = node.child(key);
            path.push(at, entry);
            at = node.slots[entry];
        }
    }

    /// The value at `key`; `fresh` is put there if there is none.
    pub(super) fn entry(&mut self, root: &mut u32, key: i64, fresh: u32) -> u32 {
        if *root == NONE {
            *root = self.allocate(true);
            self.nodes[*root as usize].insert(0, key, fresh);
            return fresh;
        }
        let (path, leaf) = self.descend(*root, key);
        let node = &self.nodes[leaf as usize];
        let position = node.position(key);
        if position < node.length as usize && node.keys[position] == key {
            return node.slots[position];
        }
        self.insert(root, path, leaf, position, key, fresh);
        fresh
    }

    fn insert(
        &mut self,
        root: &mut u32,
        mut path: Path,
        mut at: u32,
        mut position: usize,
        mut key: i64,
        mut slot: u32,
    ) {
        loop {
            if (self.nodes[at as usize].length as usize) < CAPACITY {
                return self.nodes[at as usize].insert(position, key, slot);
            }
            let right = self.split(at);
            if position <= HALF {
                self.nodes[at as usize].insert(position, key, slot);
            } else {
                self.nodes[right as usize].insert(position - HALF, key, slot);
            }
            key = self.nodes[right as usize].keys[0];
            slot = right;
            let Some((parent, entry)) = path.pop() else {
                let new_root = self.allocate(false);
                let bound = self.nodes[at as usize].keys[0];
                self.nodes[new_root as usize].insert(0, bound, at);
                self.nodes[new_root as usize].insert(1, key, slot);
                *root = new_root;
                return;
            };
            at = parent;
            position = entry + 1;
        }
    }

    /// Moves the upper half of a full node into a new one.
    fn split(&mut self, index: u32) -> u32 {
        let full = self.nodes[index as usize];
        let right = self.allocate(full.leaf);
        self.nodes[right as usize].append(&full, HALF..CAPACITY);
        self.nodes[index as usize].length = HALF as u32;
        right
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, root: &mut u32, key: i64) {
        if *root == NONE {
            return;
        }
        let (mut path, mut at) = self.descend(*root, key);
        let leaf = &mut self.nodes[at as usize];
        let position = leaf.position(key);
        debug_assert!(
            position < leaf.length as usize && leaf.keys[position] == key,
            "invariant: the key is there"
        );
        leaf.remove(position);
        loop {
            let length = self.nodes[at as usize].length as usize;
            let Some((parent, entry)) = path.pop() else {
                return self.shrink_root(root);
            };
            if length >= LEAST || !self.merge_or_fill(parent, entry) {
                return;
            }
            at = parent;
        }
    }

    fn shrink_root(&mut self, root: &mut u32) {
        let node = &self.nodes[*root as usize];
        let next = match (node.leaf, node.length) {
            (true, 0) => NONE,
            (false, 1) => node.slots[0],
            _ => return,
        };
        self.release(*root);
        *root = next;
    }

    /// Merges child `entry` of `parent` with a neighbour, or evens them out. Whether the parent lost an entry.
    fn merge_or_fill(&mut self, parent: u32, entry: usize) -> bool {
        let above = &self.nodes[parent as usize];
        let left_entry = if entry + 1 < above.length as usize {
            entry
        } else {
            entry - 1
        };
        let (left, right) = (above.slots[left_entry], above.slots[left_entry + 1]);
        let bound = above.keys[left_entry + 1];
        let mut second = self.nodes[right as usize];
        if !second.leaf {
            // The first bound of an inner node is not kept up; among others it counts.
            second.keys[0] = bound;
        }
        let first = &mut self.nodes[left as usize];
        let (mine, others) = (first.length as usize, second.length as usize);
        let total = mine + others;
        if total <= CAPACITY {
            first.append(&second, 0..others);
            self.nodes[parent as usize].remove(left_entry + 1);
            self.release(right);
            return true;
        }
        let keep = total / 2;
        let mut rest = Node {
            length: 0,
            ..second
        };
        if mine < keep {
            let moved = keep - mine;
            first.append(&second, 0..moved);
            rest.append(&second, moved..others);
        } else {
            let before = *first;
            rest.append(&before, keep..mine);
            rest.append(&second, 0..others);
            first.length = keep as u32;
        }
        self.nodes[parent as usize].keys[left_entry + 1] = rest.keys[0];
        self.nodes[right as usize] = rest;
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn nodes_in_use(pool: &TreePool) -> usize {
        let mut free = 0;
        let mut at = pool.free;
        while at != NONE {
            free += 1;
            at = pool.nodes[at as usize].slots[0];
        }
        pool.nodes.len() - free
    }

    /// Keys in order, with every invariant of the shape checked on the way.
    fn keys(pool: &TreePool, at: u32, is_root: bool, found: &mut Vec<i64>) -> usize {
        let node = &pool.nodes[at as usize];
        let length = node.length as usize;
        assert!(is_root || length >= LEAST);
        if node.leaf {
            found.extend(&node.keys[..length]);
            return 1;
        }
        assert!(length >= 2);
        let mut heights = Vec::new();
        for entry in 0..length {
            let before = found.len();
            heights.push(keys(pool, node.slots[entry], false, found));
            assert!(entry == 0 || node.keys[entry] <= found[before]);
            assert!(entry == 0 || before == 0 || found[before - 1] < node.keys[entry]);
        }
        assert!(heights.windows(2).all(|pair| pair[0] == pair[1]));
        heights[0] + 1
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against the standard map: after any insertions and removals the same keys lead to the same values.
        #[test]
        fn behaves_as_the_standard_map(
            steps in prop::collection::vec((any::<bool>(), 0i64..700), 1..3_000),
        ) {
            let mut pool = TreePool::new(1, 700);
            let mut root = NONE;
            let mut twin = BTreeMap::new();
            for (add, key) in steps {
                if add {
                    let expected = *twin.entry(key).or_insert(key as u32);
                    prop_assert_eq!(pool.entry(&mut root, key, key as u32), expected);
                } else if twin.remove(&key).is_some() {
                    pool.remove(&mut root, key);
                }
                let entry = |(key, value): (&i64, &u32)| (*key, *value);
                prop_assert_eq!(pool.first(root), twin.first_key_value().map(entry));
                prop_assert_eq!(pool.last(root), twin.last_key_value().map(entry));
                prop_assert!(nodes_in_use(&pool) <= 1 + twin.len() / 3);
            }
            let mut found = Vec::new();
            if root != NONE {
                keys(&pool, root, true, &mut found);
            }
            prop_assert_eq!(found, twin.keys().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_hundred_thousand_keys_are_a_few_hops_deep_and_give_every_node_back() {
        for stride in [1i64, -1, 7_919] {
            let mut pool = TreePool::new(1, 100_000);
            let mut root = NONE;
            let key = |n: i64| (n * stride).rem_euclid(100_003);
            for n in 0..100_000 {
                pool.entry(&mut root, key(n), n as u32);
            }
            let height = keys(&pool, root, true, &mut Vec::new());
            assert!(height <= 6, "{height}");
            for n in 0..100_000 {
                pool.remove(&mut root, key(n));
            }
            assert_eq!((root, nodes_in_use(&pool)), (NONE, 0));
        }
    }
}
