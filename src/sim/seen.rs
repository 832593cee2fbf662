//! Which order ids the exchange has accepted before, also long after their records are gone.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: one window of sequence bits a port.
//! Never: lets an id of the present epoch in twice: below its window everything counts as seen.

use crate::types::OrderId;

const WINDOW: u64 = 1 << 20;
const WORDS: usize = (WINDOW / 64) as usize;

#[derive(Clone, Copy, Debug, Default)]
struct PortWindow {
    epoch: u32,
    highest: u64,
}

/// A sliding window of the last 2^20 sequences of each port, in the newest epoch that the port has shown. Ids of an
/// older epoch are not kept here: their records decide.
#[derive(Debug)]
pub(super) struct SeenIds {
    ports: Box<[PortWindow]>,
    bits: Box<[u64]>,
}

impl SeenIds {
    /// For ports `0..ports`; every page is touched here.
    pub(super) fn new(ports: usize) -> Self {
        let mut bits = vec![1u64; ports * WORDS].into_boxed_slice();
        bits.fill(0);
        Self {
            ports: vec![PortWindow::default(); ports].into_boxed_slice(),
            bits,
        }
    }

    /// Whether ids of this port are kept.
    pub(super) fn knows_port(&self, id: OrderId) -> bool {
        id.port().index() < self.ports.len()
    }

    fn place(id: OrderId) -> (usize, u64) {
        let slot = id.sequence() % WINDOW;
        let word = id.port().index() * WORDS + (slot / 64) as usize;
        (word, 1 << (slot % 64))
    }

    /// Whether the id was noted before.
    #[inline]
    pub(super) fn contains(&self, id: OrderId) -> bool {
        let Some(port) = self.ports.get(id.port().index()) else {
            return false;
        };
        if id.epoch() != port.epoch || id.sequence() > port.highest {
            return false;
        }
        let (word, bit) = Self::place(id);
        port.highest - id.sequence() >= WINDOW || self.bits[word] & bit != 0
    }

    /// Notes an id.
    #[inline]
    pub(super) fn insert(&mut self, id: OrderId) {
        let Some(port) = self.ports.get_mut(id.port().index()) else {
            return;
        };
        if id.epoch() < port.epoch {
            return;
        }
        let first = id.port().index() * WORDS;
        if id.epoch() > port.epoch {
            *port = PortWindow {
                epoch: id.epoch(),
                highest: id.sequence(),
            };
            self.bits[first..first + WORDS].fill(0);
        } else if id.sequence() > port.highest {
            let gap = id.sequence() - port.highest;
            let from = port.highest;
            port.highest = id.sequence();
            if gap >= WINDOW {
                self.bits[first..first + WORDS].fill(0);
            } else {
                for sequence in from + 1..id.sequence() {
                    let slot = sequence % WINDOW;
                    self.bits[first + (slot / 64) as usize] &= !(1 << (slot % 64));
                }
            }
        } else if port.highest - id.sequence() >= WINDOW {
            return;
        }
        let (word, bit) = Self::place(id);
        self.bits[word] |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BootEpoch, PortId};

    fn id(epoch: u32, port: u8, sequence: u64) -> OrderId {
        OrderId::new(
            BootEpoch::new(epoch).expect("epoch"),
            PortId(port),
            sequence,
        )
        .expect("id")
    }

    #[test]
    fn an_id_is_seen_once_for_ever_whatever_the_order_of_arrival() {
        let mut seen = SeenIds::new(2);
        for sequence in [5, 3, 9] {
            assert!(!seen.contains(id(1, 1, sequence)));
            seen.insert(id(1, 1, sequence));
            assert!(seen.contains(id(1, 1, sequence)));
        }
        assert!(!seen.contains(id(1, 1, 4)) && !seen.contains(id(1, 0, 5)));
        seen.insert(id(1, 1, 9 + WINDOW));
        assert!(seen.contains(id(1, 1, 5)), "below the window");
        assert!(!seen.contains(id(1, 1, 10)), "the bit was cleared");
        assert!(!seen.contains(id(1, 1, 9 + WINDOW - 1)));
        seen.insert(id(2, 1, 1));
        assert!(seen.contains(id(2, 1, 1)) && !seen.contains(id(2, 1, 5)));
        assert!(!seen.knows_port(id(1, 2, 1)));
    }
}
