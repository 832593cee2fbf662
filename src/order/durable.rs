//! Orders and replaces that wait until their intent is on disk.
//!
//! Runs on: ORDER.
//! Owns: one queue a broker, in the order of the journal.
//! Never: lets an order leave before its intent is on disk, or after the disk failed it.

use super::fast_path::FastExecutionPath;
use super::manager::Held;
use crate::journal::Pen;
use crate::types::{BrokerCommand, BrokerReject, Nanos, OrderId, ReportKind};

/// An intent that has to be on disk first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct HeldIntent {
    order_id: OrderId,
    sequence: u64,
}

/// A preallocated queue of held intents of one broker.
pub(super) struct HeldQueue {
    intents: Box<[HeldIntent]>,
    first: usize,
    len: usize,
}

impl HeldQueue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            intents: crate::types::touched(HeldIntent::default(), capacity),
            first: 0,
            len: 0,
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len == self.intents.len()
    }

    fn wrapped(&self, index: usize) -> usize {
        if index >= self.intents.len() {
            index - self.intents.len()
        } else {
            index
        }
    }

    /// Adds an intent; there is room.
    pub(super) fn push(&mut self, order_id: OrderId, sequence: u64) {
        debug_assert!(
            !self.is_full(),
            "invariant: room in the held queue was seen"
        );
        let at = self.wrapped(self.first + self.len);
        self.intents[at] = HeldIntent { order_id, sequence };
        self.len += 1;
    }

    fn front(&self) -> Option<HeldIntent> {
        (self.len > 0).then(|| self.intents[self.first])
    }

    fn pop(&mut self) {
        self.first = self.wrapped(self.first + 1);
        self.len -= 1;
    }
}

impl<P: Pen> FastExecutionPath<P> {
    /// Sends what is on disk by now; ends what never will be. Returns how many left their queue.
    pub(super) fn release_held(&mut self, now: Nanos) -> usize {
        let mut work = 0;
        for broker in 0..self.held.len() {
            for _ in 0..self.work_per_cycle {
                let Some(intent) = self.held[broker].front() else {
                    break;
                };
                if !self.release(broker, intent, now) {
                    break;
                }
                self.held[broker].pop();
                work += 1;
            }
        }
        work
    }

    /// Whether the intent is done with.
    fn release(&mut self, broker: usize, intent: HeldIntent, now: Nanos) -> bool {
        let HeldIntent { order_id, sequence } = intent;
        let Some(slot) = self.orders.find(order_id) else {
            return true;
        };
        let entry = *self.orders.entry(slot);
        let replace = match entry.held {
            Held::Order(held) if held == sequence => None,
            Held::Replace(held) if held == sequence && entry.pending.is_some() => entry.pending,
            // Canceled or overtaken meanwhile.
            _ => return true,
        };
        let on_disk = self.pen.durable_sequence() >= sequence;
        if !on_disk && !self.pen.has_failed() {
            return false;
        }
        if on_disk && self.routing.is_up(entry.broker) {
            if !self.commands[broker].has_room(1) {
                return false;
            }
            self.orders.entry_mut(slot).held = Held::Nothing;
            let command = match replace {
                Some(terms) => BrokerCommand::Replace(entry.replace_command(order_id, terms)),
                None => BrokerCommand::New(entry.new_order_command(order_id)),
            };
            self.command(entry.broker, command);
            return true;
        }
        if !self.has_room_for_report() {
            return false;
        }
        self.orders.entry_mut(slot).held = Held::Nothing;
        let kind = match replace {
            Some(_) => ReportKind::ReplaceRejected,
            None => ReportKind::NotSent,
        };
        let mut report = entry.own_report(order_id, kind);
        report.reason = BrokerReject::Other;
        self.apply_execution(slot, &report, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_queue_is_first_in_first_out_around_its_end() {
        let mut queue = HeldQueue::new(3);
        let mut expected = 0;
        for sequence in 0..20 {
            if queue.is_full() {
                assert_eq!(queue.front().map(|intent| intent.sequence), Some(expected));
                queue.pop();
                expected += 1;
            }
            queue.push(OrderId::from_raw(sequence), sequence);
        }
        for sequence in expected..20 {
            assert_eq!(queue.front().map(|intent| intent.sequence), Some(sequence));
            queue.pop();
        }
        assert_eq!(queue.front(), None);
    }
}
