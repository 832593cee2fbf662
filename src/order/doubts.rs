//! Orders whose fate has to be asked for, and when.
//!
//! Runs on: ORDER.
//! Owns: the times of look-ups: after 100 ms, doubling to 5 s, and whenever a link comes up.
//! Never: asks a broker whose link is down; loses an order that is still in doubt.
//!
//! One list for each broker and waiting time, linked through the table's slots. Time only runs
//! forward, so each
//! list is in the order of its due times and only heads are looked at.

use crate::types::{BrokerId, Nanos, SlotIndex};

const NONE: u32 = u32::MAX;
const NO_LIST: u16 = u16::MAX;

/// Waiting times in nanoseconds, one list each.
const WAITS_NS: [u64; 8] = [
    0,
    100_000_000,
    200_000_000,
    400_000_000,
    800_000_000,
    1_600_000_000,
    3_200_000_000,
    5_000_000_000,
];

/// The step at which a fresh doubt begins: the answer may be on its way.
pub(super) const FIRST_STEP: usize = 1;
/// The step that is due at once.
pub(super) const AT_ONCE: usize = 0;

#[derive(Clone, Copy)]
struct Node {
    next: u32,
    previous: u32,
    list: u16,
    due: Nanos,
    /// Number of the scheduling: tells what was scheduled before a link came up from what came
    /// after.
    ticket: u64,
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

/// See the module.
pub(super) struct Doubts {
    nodes: Box<[Node]>,
    lists: Box<[List]>,
    /// Everything scheduled up to this ticket is due at once, by broker.
    due_tickets: Box<[u64]>,
    ticket: u64,
    waiting: usize,
}

impl Doubts {
    /// For a table of `slots` and brokers `0..brokers`.
    pub(super) fn new(slots: usize, brokers: usize) -> Self {
        let node = Node {
            next: NONE,
            previous: NONE,
            list: NO_LIST,
            due: Nanos::ZERO,
            ticket: 0,
        };
        let list = List {
            head: NONE,
            tail: NONE,
        };
        Self {
            nodes: vec![node; slots].into_boxed_slice(),
            lists: vec![list; brokers * WAITS_NS.len()].into_boxed_slice(),
            due_tickets: vec![0; brokers].into_boxed_slice(),
            ticket: 0,
            waiting: 0,
        }
    }

    /// Orders that wait for a look-up.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    /// The step at which an order waits.
    pub(super) fn step(&self, slot: SlotIndex) -> Option<usize> {
        let list = self.nodes[slot.index()].list;
        (list != NO_LIST).then(|| usize::from(list) % WAITS_NS.len())
    }

    /// Has an order looked at after the waiting time of `step`; steps beyond the last are the last.
    pub(super) fn schedule(&mut self, slot: SlotIndex, broker: BrokerId, step: usize, now: Nanos) {
        self.cancel(slot);
        let step = step.min(WAITS_NS.len() - 1);
        let number = broker.index() * WAITS_NS.len() + step;
        let list = &mut self.lists[number];
        self.ticket += 1;
        self.nodes[slot.index()] = Node {
            next: NONE,
            previous: list.tail,
            list: number as u16,
            due: now.plus(WAITS_NS[step]),
            ticket: self.ticket,
        };
        let index = slot.index() as u32;
        if list.tail == NONE {
            list.head = index;
        } else {
            self.nodes[list.tail as usize].next = index;
        }
        list.tail = index;
        self.waiting += 1;
    }

    /// Forgets an order; nothing happens when it does not wait.
    pub(super) fn cancel(&mut self, slot: SlotIndex) {
        let Node {
            next,
            previous,
            list,
            ..
        } = self.nodes[slot.index()];
        if list == NO_LIST {
            return;
        }
        if previous == NONE {
            self.lists[usize::from(list)].head = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next == NONE {
            self.lists[usize::from(list)].tail = previous;
        } else {
            self.nodes[next as usize].previous = previous;
        }
        self.nodes[slot.index()].list = NO_LIST;
        self.waiting -= 1;
    }

    /// A link came up: whatever waits for that broker is due.
    pub(super) fn link_up(&mut self, broker: BrokerId) {
        if let Some(ticket) = self.due_tickets.get_mut(broker.index()) {
            *ticket = self.ticket;
        }
    }

    fn heads(&self, broker: usize) -> impl Iterator<Item = (u32, Node)> + '_ {
        let first = broker * WAITS_NS.len();
        self.lists[first..first + WAITS_NS.len()]
            .iter()
            .filter(|list| list.head != NONE)
            .map(|list| (list.head, self.nodes[list.head as usize]))
    }

    /// Slot number of an order at `broker` that is due; it stays in its list.
    pub(super) fn due(&self, broker: usize, now: Nanos) -> Option<usize> {
        if self.waiting == 0 {
            return None;
        }
        let limit = self.due_tickets[broker];
        self.heads(broker)
            .find(|(_, node)| node.due <= now || node.ticket <= limit)
            .map(|(index, _)| index as usize)
    }

    /// When the next order at `broker` is due.
    pub(super) fn next_due(&self, broker: usize) -> Option<Nanos> {
        let limit = self.due_tickets[broker];
        self.heads(broker)
            .map(|(_, node)| {
                if node.ticket <= limit {
                    Nanos::ZERO
                } else {
                    node.due
                }
            })
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BootEpoch, OrderId, OrderSlab, PortId};

    const BROKER: BrokerId = BrokerId(0);

    fn slots(count: u64) -> Vec<SlotIndex> {
        let mut slab = OrderSlab::<u8>::new(count as usize, 1);
        (1..=count)
            .map(|n| {
                let id = OrderId::new(BootEpoch::FIRST, PortId(0), n).expect("an id");
                slab.insert(id, 0).expect("room")
            })
            .collect()
    }

    #[test]
    fn look_ups_come_after_doubling_times_up_to_five_seconds() {
        let slot = slots(1)[0];
        let mut doubts = Doubts::new(1, 1);
        let mut now = Nanos(1_000);
        let mut waits = Vec::new();
        doubts.schedule(slot, BROKER, AT_ONCE, now);
        for _ in 0..10 {
            let due = doubts.next_due(0).expect("it waits");
            if due > now {
                assert_eq!(doubts.due(0, Nanos(due.0 - 1)), None, "not before its time");
            }
            waits.push(due.since(now) / 1_000_000);
            now = due;
            assert_eq!(doubts.due(0, now), Some(0));
            let step = doubts.step(slot).expect("it waits");
            doubts.schedule(slot, BROKER, step + 1, now);
        }
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    }

    #[test]
    fn a_link_that_comes_up_makes_everything_due_once() {
        let slots = slots(3);
        let mut doubts = Doubts::new(3, 2);
        let now = Nanos(5);
        doubts.schedule(slots[0], BROKER, 7, now);
        doubts.schedule(slots[1], BROKER, 3, now);
        doubts.schedule(slots[2], BrokerId(1), 3, now);
        doubts.link_up(BROKER);
        let mut asked = Vec::new();
        while let Some(index) = doubts.due(0, now) {
            asked.push(index);
            doubts.schedule(slots[index], BROKER, 7, now);
        }
        asked.sort_unstable();
        assert_eq!(asked, [0, 1]);
        assert_eq!(doubts.due(1, now), None, "the other link did not move");
    }

    #[test]
    fn an_order_taken_from_the_middle_leaves_its_neighbours_in_line() {
        let slots = slots(4);
        let mut doubts = Doubts::new(4, 1);
        for &slot in &slots {
            doubts.schedule(slot, BROKER, AT_ONCE, Nanos(1));
        }
        doubts.cancel(slots[1]);
        doubts.cancel(slots[1]);
        doubts.cancel(slots[3]);
        assert_eq!(doubts.len(), 2);
        let mut left = Vec::new();
        while let Some(index) = doubts.due(0, Nanos(1)) {
            left.push(index);
            doubts.cancel(slots[index]);
        }
        assert_eq!(left, [0, 2]);
        doubts.schedule(slots[3], BROKER, AT_ONCE, Nanos(1));
        assert_eq!(doubts.due(0, Nanos(1)), Some(3));
    }
}
