//! A preallocated slab of orders behind one array of buckets, in which each port has its own place to begin.
//!
//! Runs on: any agent that keeps orders: RISK, ORDER, the simulated exchange, ports.
//! Owns: the arithmetic from an [`OrderId`] to a slot, and how long finished orders stay findable.
//! Never: allocates after construction, hashes, or moves a slot.
//!
//! A sequence picks a bucket by its low bits, so ids of one port never meet but for a long-lived order and one many
//! sequences later. Ports begin at equal distances, so two of them meet only while one has used many more sequences
//! than the other; there are two buckets a slot. Ids that meet in a bucket chain through their slots. Finished
//! orders are *retired*: they stay findable, so that a late fill meets its order, until their slot is needed, oldest
//! first.

use super::{OrderId, touched};

const NONE: u32 = u32::MAX;

/// Place of an order in a slab; valid until the order is removed or its retired slot is taken again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SlotIndex(u32);

impl SlotIndex {
    /// As an index below [`OrderSlab::capacity`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Every slot holds an order that is not retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {capacity} slots hold working orders")]
pub struct SlabFull {
    /// Number of slots.
    pub capacity: usize,
}

#[derive(Clone, Copy)]
struct Links {
    /// 0 when the slot is free.
    id: OrderId,
    /// Next slot of the same bucket, or next free slot.
    next: u32,
    /// Neighbours in the queue of retired slots.
    older: u32,
    newer: u32,
    retired: bool,
}

/// See the module.
pub struct OrderSlab<T> {
    links: Box<[Links]>,
    values: Box<[T]>,
    buckets: Box<[u32]>,
    bucket_mask: u64,
    /// Buckets between the beginnings of two ports.
    stride: u64,
    ports: usize,
    free: u32,
    oldest: u32,
    newest: u32,
    live: usize,
    retired: usize,
}

impl<T: Copy + Default> OrderSlab<T> {
    /// Room for `capacity` orders of ports `0..ports`; every page is touched here.
    ///
    /// # Panics
    /// When `capacity` is 0 or above 2^24, or `ports` is 0 or above 256.
    #[must_use]
    pub fn new(capacity: usize, ports: usize) -> Self {
        assert!(
            (1..=1 << 24).contains(&capacity),
            "slab capacity of 1 to 2^24"
        );
        assert!((1..=256).contains(&ports), "1 to 256 ports");
        let buckets = (capacity * 2).next_power_of_two();
        let links = (0..capacity as u32)
            .map(|slot| Links {
                id: OrderId::default(),
                next: if slot + 1 == capacity as u32 {
                    NONE
                } else {
                    slot + 1
                },
                older: NONE,
                newer: NONE,
                retired: false,
            })
            .collect();
        Self {
            links,
            values: touched(T::default(), capacity),
            buckets: vec![NONE; buckets].into_boxed_slice(),
            bucket_mask: buckets as u64 - 1,
            stride: (buckets / ports.next_power_of_two()).max(1) as u64,
            ports,
            free: 0,
            oldest: NONE,
            newest: NONE,
            live: 0,
            retired: 0,
        }
    }

    /// Number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.links.len()
    }

    /// Orders that are not retired.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether every order is retired or there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether an [`insert`](Self::insert) would succeed.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.live < self.links.len()
    }

    fn bucket(&self, id: OrderId) -> Option<usize> {
        let port = id.port().index();
        let place = (port as u64 * self.stride).wrapping_add(id.sequence());
        (port < self.ports).then_some((place & self.bucket_mask) as usize)
    }

    /// Finds an order, retired ones included.
    #[must_use]
    pub fn find(&self, id: OrderId) -> Option<SlotIndex> {
        let mut slot = *self.buckets.get(self.bucket(id)?)?;
        while slot != NONE {
            let links = &self.links[slot as usize];
            if links.id == id {
                return Some(SlotIndex(slot));
            }
            slot = links.next;
        }
        None
    }

    /// The order of that id, retired ones included.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<&T> {
        self.find(id).map(|slot| &self.values[slot.index()])
    }

    /// The order of that id, to be changed; retired ones included.
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut T> {
        let slot = self.find(id)?;
        Some(&mut self.values[slot.index()])
    }

    /// The value in a slot.
    #[must_use]
    pub fn value(&self, slot: SlotIndex) -> &T {
        &self.values[slot.index()]
    }

    /// The value in a slot, to be changed.
    pub fn value_mut(&mut self, slot: SlotIndex) -> &mut T {
        &mut self.values[slot.index()]
    }

    /// The id in slot number `index` and whether it is retired; `None` for a free slot or beyond the end. For walks
    /// over all orders in bounded steps.
    #[must_use]
    pub fn slot_at(&self, index: usize) -> Option<(OrderId, SlotIndex, bool)> {
        let links = self.links.get(index)?;
        (links.id != OrderId::default()).then_some((
            links.id,
            SlotIndex(index as u32),
            links.retired,
        ))
    }

    /// Adds an order. When no slot is free, the longest retired order is forgotten for it.
    ///
    /// # Errors
    /// [`SlabFull`] when every slot holds an order that is not retired, or the id's port is not one of the slab's.
    pub fn insert(&mut self, id: OrderId, value: T) -> Result<SlotIndex, SlabFull> {
        let full = SlabFull {
            capacity: self.links.len(),
        };
        let bucket = self.bucket(id).ok_or(full)?;
        debug_assert!(
            self.find(id).is_none(),
            "invariant: an order id is inserted once"
        );
        if self.free == NONE {
            if self.oldest == NONE {
                return Err(full);
            }
            let oldest = SlotIndex(self.oldest);
            self.remove_slot(oldest);
        }
        let slot = self.free;
        let links = &mut self.links[slot as usize];
        self.free = links.next;
        *links = Links {
            id,
            next: self.buckets[bucket],
            older: NONE,
            newer: NONE,
            retired: false,
        };
        self.buckets[bucket] = slot;
        self.values[slot as usize] = value;
        self.live += 1;
        Ok(SlotIndex(slot))
    }

    /// Marks an order as finished: findable until its slot is needed.
    pub fn retire(&mut self, slot: SlotIndex) {
        let links = &mut self.links[slot.index()];
        if links.retired || links.id == OrderId::default() {
            return;
        }
        links.retired = true;
        links.older = self.newest;
        links.newer = NONE;
        if self.newest == NONE {
            self.oldest = slot.0;
        } else {
            self.links[self.newest as usize].newer = slot.0;
        }
        self.newest = slot.0;
        self.live -= 1;
        self.retired += 1;
    }

    /// Takes a retired order back among the working ones (one that was absent and appeared).
    pub fn revive(&mut self, slot: SlotIndex) {
        if self.links[slot.index()].retired {
            self.unlink_retired(slot);
            self.live += 1;
        }
    }

    /// Removes an order at once, retired or not.
    pub fn remove(&mut self, id: OrderId) -> Option<T> {
        let slot = self.find(id)?;
        let value = self.values[slot.index()];
        self.remove_slot(slot);
        Some(value)
    }

    fn unlink_retired(&mut self, slot: SlotIndex) {
        let Links { older, newer, .. } = self.links[slot.index()];
        if older == NONE {
            self.oldest = newer;
        } else {
            self.links[older as usize].newer = newer;
        }
        if newer == NONE {
            self.newest = older;
        } else {
            self.links[newer as usize].older = older;
        }
        self.links[slot.index()].retired = false;
        self.retired -= 1;
    }

    fn remove_slot(&mut self, slot: SlotIndex) {
        let Links {
            id, next, retired, ..
        } = self.links[slot.index()];
        if retired {
            self.unlink_retired(slot);
        } else {
            self.live -= 1;
        }
        if let Some(bucket) = self.bucket(id) {
            if self.buckets[bucket] == slot.0 {
                self.buckets[bucket] = next;
            } else {
                let mut at = self.buckets[bucket];
                while at != NONE && self.links[at as usize].next != slot.0 {
                    at = self.links[at as usize].next;
                }
                if at != NONE {
                    self.links[at as usize].next = next;
                }
            }
        }
        let links = &mut self.links[slot.index()];
        links.id = OrderId::default();
        links.next = self.free;
        self.free = slot.0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;
    use crate::types::{BootEpoch, PortId};

    fn id(port: u8, sequence: u64) -> OrderId {
        OrderId::new(BootEpoch::FIRST, PortId(port), sequence).expect("an id")
    }

    #[test]
    fn retired_orders_are_found_until_their_slot_is_needed() {
        let mut slab = OrderSlab::new(2, 1);
        let first = slab.insert(id(0, 1), 1).expect("room");
        slab.insert(id(0, 2), 2).expect("room");
        assert_eq!(slab.insert(id(0, 3), 3), Err(SlabFull { capacity: 2 }));
        slab.retire(first);
        assert_eq!(slab.get(id(0, 1)), Some(&1));
        slab.insert(id(0, 3), 3).expect("the retired slot");
        assert_eq!(slab.get(id(0, 1)), None);
        assert_eq!(
            (slab.get(id(0, 2)), slab.get(id(0, 3))),
            (Some(&2), Some(&3))
        );
        assert_eq!(
            slab.insert(id(1, 9), 3),
            Err(SlabFull { capacity: 2 }),
            "unknown port"
        );
    }

    proptest! {
        /// Against a map and a queue: the same orders are found after any sequence of operations.
        #[test]
        fn behaves_as_its_naive_twin(
            steps in prop::collection::vec((0u8..4, 0u8..2, 1u64..40), 1..400),
        ) {
            let mut slab = OrderSlab::<u64>::new(8, 2);
            let mut live = BTreeMap::new();
            let mut retired = VecDeque::new();
            for (action, port, sequence) in steps {
                let order = id(port, sequence);
                let known = live.contains_key(&order) || retired.iter().any(|(o, _)| *o == order);
                match action {
                    0 if !known => {
                        if live.len() + retired.len() == 8 && !retired.is_empty() {
                            retired.pop_front();
                        }
                        let expected = live.len() + retired.len() < 8;
                        prop_assert_eq!(slab.insert(order, sequence).is_ok(), expected);
                        if expected {
                            live.insert(order, sequence);
                        }
                    }
                    1 => if let Some(slot) = slab.find(order) {
                        slab.retire(slot);
                        if let Some(value) = live.remove(&order) {
                            retired.push_back((order, value));
                        }
                    },
                    2 => {
                        slab.remove(order);
                        live.remove(&order);
                        retired.retain(|(o, _)| *o != order);
                    }
                    3 => if let Some(slot) = slab.find(order) {
                        slab.revive(slot);
                        if let Some(at) = retired.iter().position(|(o, _)| *o == order) {
                            let (o, value) = retired.remove(at).expect("there");
                            live.insert(o, value);
                        }
                    },
                    _ => {}
                }
                prop_assert_eq!(slab.len(), live.len());
                for port in 0..2 {
                    for sequence in 1..40 {
                        let order = id(port, sequence);
                        let expected = live.get(&order).or_else(|| {
                            retired.iter().find(|(o, _)| *o == order).map(|(_, v)| v)
                        });
                        prop_assert_eq!(slab.get(order), expected);
                    }
                }
            }
        }
    }
}
