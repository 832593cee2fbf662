//! Cancel-all as a bounded walk over the order table.
//!
//! Runs on: ORDER.
//! Owns: the walks under way: scope, place, and the last order that each may touch.
//! Never: touches an order approved after the request; does more than a cycle's share.

use super::fast_path::FastExecutionPath;
use super::manager::OrderEntry;
use crate::journal::Pen;
use crate::types::{CancelAllRequest, InstrumentId, Nanos, OrderStatus, Scope};

/// Requests under way at once; another one waits in its ring.
const WALKS: usize = 16;
/// Slots looked at for each unit of a cycle's work: looking costs far less than a message.
const SLOTS_PER_WORK: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Walk {
    scope: Scope,
    instrument: Option<InstrumentId>,
    /// Orders inserted later are not meant.
    last_serial: u64,
    slot: usize,
}

impl Walk {
    fn covers(&self, entry: &OrderEntry) -> bool {
        let in_scope = match self.scope {
            Scope::Firm => true,
            Scope::Broker(broker) => entry.broker == broker,
            Scope::Strategy(strategy) => entry.strategy == strategy,
        };
        let status = entry.state.status();
        in_scope
            && entry.serial <= self.last_serial
            && self
                .instrument
                .is_none_or(|instrument| entry.order.instrument == instrument)
            && !status.is_terminal()
            && status != OrderStatus::Held
            && !entry.is_being_canceled()
    }
}

/// The walks, oldest first.
#[derive(Default)]
pub(super) struct CancelWalks {
    walks: [Option<Walk>; WALKS],
    len: usize,
}

impl CancelWalks {
    pub(super) const fn is_full(&self) -> bool {
        self.len == WALKS
    }

    /// Begins a walk, or widens one of the same scope that has not begun.
    pub(super) fn start(&mut self, request: &CancelAllRequest, last_serial: u64) {
        let (scope, instrument) = (request.scope, request.instrument);
        let same =
            self.walks.iter_mut().flatten().find(|walk| {
                walk.slot == 0 && walk.scope == scope && walk.instrument == instrument
            });
        if let Some(walk) = same {
            walk.last_serial = last_serial;
            return;
        }
        debug_assert!(!self.is_full(), "invariant: room for a walk was seen");
        if let Some(place) = self.walks.get_mut(self.len) {
            *place = Some(Walk {
                scope,
                instrument,
                last_serial,
                slot: 0,
            });
            self.len += 1;
        }
    }

    fn finish_first(&mut self) {
        self.walks[0] = None;
        self.walks.rotate_left(1);
        self.len -= 1;
    }
}

impl<P: Pen> FastExecutionPath<P> {
    /// Goes on with the oldest walk; returns the slots passed.
    pub(super) fn walk_cancel_all(&mut self, now: Nanos) -> usize {
        let Some(mut walk) = self.walks.walks[0] else {
            return 0;
        };
        let begin = walk.slot;
        let end = self.orders.used_slots();
        let stop = end.min(begin + self.work_per_cycle * SLOTS_PER_WORK);
        let mut canceled = 0;
        while walk.slot < stop && canceled < self.work_per_cycle {
            if let Some((order_id, slot, retired)) = self.orders.slot_at(walk.slot)
                && !retired
                && walk.covers(self.orders.entry(slot))
            {
                if !self.has_room_for_decision() {
                    break;
                }
                self.cancel(order_id, now);
                canceled += 1;
            }
            walk.slot += 1;
        }
        let passed = walk.slot - begin;
        if walk.slot >= end {
            self.walks.finish_first();
            return passed.max(1);
        }
        self.walks.walks[0] = Some(walk);
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::StrategyId;

    fn request(strategy: u8) -> CancelAllRequest {
        CancelAllRequest {
            scope: Scope::Strategy(StrategyId(strategy)),
            instrument: None,
            requested_at: Nanos(1),
        }
    }

    #[test]
    fn a_repeated_request_widens_the_one_that_has_not_begun() {
        let mut walks = CancelWalks::default();
        walks.start(&request(1), 5);
        walks.start(&request(1), 9);
        assert_eq!(walks.len, 1);
        assert_eq!(walks.walks[0].map(|walk| walk.last_serial), Some(9));
        for strategy in 2..=WALKS as u8 {
            walks.start(&request(strategy), 9);
        }
        assert!(walks.is_full());
        walks.finish_first();
        assert_eq!(
            walks.walks[0].map(|walk| walk.scope),
            Some(request(2).scope)
        );
        assert!(!walks.is_full() && walks.walks[WALKS - 1].is_none());
    }
}
