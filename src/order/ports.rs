//! What ports are told, and what happens when one does not listen fast enough.
//!
//! Runs on: ORDER writes; ports and the engine read [`PortHealth`].
//! Owns: the writing ends towards ports, RISK and the cold side, and each port's gap.
//! Never: waits for a port: a full one is marked, its strategy killed, and told again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::OrderGauges;
use super::manager::OrderManager;
use crate::ring::Producer;
use crate::types::{
    Event, Exposure, KillScope, KillWord, Nanos, OrderEvent, OrderId, OrderReport, PortId,
    SlotIndex, StrategyId,
};

#[derive(Debug, Default)]
struct Flags {
    lagged: AtomicBool,
    generation: AtomicU64,
    snapshot_from: AtomicU64,
    snapshot_to: AtomicU64,
}

/// Which ports missed reports. ORDER writes, anybody reads.
///
/// A port whose ring is full has its strategy killed by the first report that finds no room; of new
/// orders that is told a cycle after they were handed on, so those of that cycle still go.
///
/// When a port's ring is full, its generation rises and it is lagged: reports are missing. Once
/// half of the ring is free, ORDER tells it every order of the port that is not done, and those
/// that were done meanwhile, as [`OrderEvent::Restored`]; then the flag falls. A port that counts
/// the reports it took knows from [`snapshot`](Self::snapshot) which of them are that full telling.
/// An order that it holds as working and that the telling does not name was refused, or is so long
/// done that ORDER forgot it: the journal has its end. Orders of an earlier run are told in the
/// same way at start (generation 1).
#[derive(Debug)]
pub struct PortHealth {
    ports: Box<[CachePadded<Flags>]>,
}

impl PortHealth {
    /// For ports `0..ports`, none lagged.
    #[must_use]
    pub fn new(ports: usize) -> Self {
        Self {
            ports: (0..ports).map(|_| CachePadded::default()).collect(),
        }
    }

    fn flags(&self, port: PortId) -> Option<&Flags> {
        self.ports.get(port.index()).map(|flags| &**flags)
    }

    /// Whether the port misses reports that were not told again yet.
    #[must_use]
    pub fn is_lagged(&self, port: PortId) -> bool {
        self.flags(port)
            .is_some_and(|flags| flags.lagged.load(Ordering::Acquire))
    }

    /// How many gaps there were.
    #[must_use]
    pub fn generation(&self, port: PortId) -> u64 {
        self.flags(port)
            .map_or(0, |flags| flags.generation.load(Ordering::Acquire))
    }

    /// The numbers of the first report of the last full telling and of the first one after it,
    /// counted from 0 at start. Whole when the port [is not lagged](Self::is_lagged).
    #[must_use]
    pub fn snapshot(&self, port: PortId) -> std::ops::Range<u64> {
        self.flags(port).map_or(0..0, |flags| {
            flags.snapshot_from.load(Ordering::Acquire)..flags.snapshot_to.load(Ordering::Acquire)
        })
    }
}

/// How far the telling of a lagged port is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gap {
    /// None.
    Closed,
    /// The ring is still too full to begin.
    Waiting,
    /// At this slot; `whole` on the first round, afterwards only what was missed meanwhile.
    Telling { slot: usize, whole: bool },
}

struct PortOutlet {
    ring: Producer<OrderReport>,
    /// Free places that a telling waits for.
    enough: usize,
    /// Reports that ever went into the ring.
    told: u64,
    gap: Gap,
    /// A report was missed since the present round began.
    missed: bool,
    /// The gap is the restart's: nobody was too slow.
    restoring: bool,
}

/// Orders on their way to a gateway of which nobody was told yet: telling costs as much as sending, and nobody
/// waits for it.
pub(super) struct Submitted {
    orders: Box<[(SlotIndex, OrderId, Nanos)]>,
    count: usize,
}

impl Submitted {
    pub(super) fn new(capacity: usize) -> Self {
        let nothing = (SlotIndex::default(), OrderId::default(), Nanos::ZERO);
        Self {
            orders: vec![nothing; capacity].into_boxed_slice(),
            count: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// There is room for every decision of a cycle.
    pub(super) fn push(&mut self, slot: SlotIndex, id: OrderId, at: Nanos) {
        self.orders[self.count] = (slot, id, at);
        self.count += 1;
    }

    pub(super) fn at(&self, index: usize) -> (SlotIndex, OrderId, Nanos) {
        self.orders[index]
    }

    pub(super) const fn clear(&mut self) {
        self.count = 0;
    }
}

/// The writing ends.
pub(super) struct Outlets {
    exposure: Producer<Exposure>,
    events: Producer<Event>,
    ports: Box<[PortOutlet]>,
    health: Arc<PortHealth>,
    kill: Arc<KillWord>,
    strategies: u8,
    lagged: usize,
}

impl Outlets {
    pub(super) fn new(
        exposure: Producer<Exposure>,
        events: Producer<Event>,
        ports: Vec<Producer<OrderReport>>,
        health: Arc<PortHealth>,
        kill: Arc<KillWord>,
        strategies: u8,
    ) -> Self {
        assert_eq!(
            ports.len(),
            health.ports.len(),
            "a health flag for each port"
        );
        let outlet = |ring: Producer<OrderReport>| PortOutlet {
            enough: ring.gauge().read().capacity.div_ceil(2),
            ring,
            told: 0,
            gap: Gap::Closed,
            missed: false,
            restoring: false,
        };
        Self {
            exposure,
            events,
            ports: ports.into_iter().map(outlet).collect(),
            health,
            kill,
            strategies,
            lagged: 0,
        }
    }

    /// Whether RISK can take `count` messages.
    pub(super) fn has_room(&self, count: usize) -> bool {
        self.exposure.has_room(count)
    }

    /// Whether there is such a port.
    pub(super) fn has_port(&self, port: PortId) -> bool {
        port.index() < self.ports.len()
    }

    /// Tells RISK. Room was seen before the input was taken.
    pub(super) fn expose(&mut self, exposure: Exposure) {
        let pushed = self.exposure.push(exposure);
        debug_assert!(pushed.is_ok(), "invariant: room for exposure was seen");
    }

    /// Tells the cold side; a full ring counts the loss and the cold side rebuilds from the
    /// journal.
    #[inline]
    pub(super) fn event(&mut self, event: Event) {
        let _ = self.events.push(event);
    }

    /// Tells the order's port and the cold side; returns whether the port missed it.
    #[inline]
    pub(super) fn tell(&mut self, report: &OrderReport, gauges: &OrderGauges) -> bool {
        self.event(Event::Order(*report));
        let port = report.order_id.port();
        let Some(outlet) = self.ports.get_mut(port.index()) else {
            return false;
        };
        if outlet.gap != Gap::Waiting && outlet.ring.has_room(1) {
            outlet.told += 1;
            return outlet.ring.push(*report).is_err();
        }
        self.miss(report, gauges)
    }

    /// The port's ring has no room: it misses this report, and its strategy stops.
    #[cold]
    fn miss(&mut self, report: &OrderReport, gauges: &OrderGauges) -> bool {
        let port = report.order_id.port();
        let outlet = &mut self.ports[port.index()];
        outlet.missed = true;
        if outlet.gap == Gap::Closed {
            outlet.gap = Gap::Waiting;
            self.open_gap(port);
            gauges.add_lag();
        }
        if !self.ports[port.index()].restoring {
            self.stop(report.strategy);
        }
        true
    }

    fn stop(&self, strategy: StrategyId) {
        let scope = KillScope::Strategy(strategy);
        if strategy.0 < self.strategies && !self.kill.is_set(scope) {
            self.kill.set(scope);
        }
    }

    fn open_gap(&mut self, port: PortId) {
        self.lagged += 1;
        if let Some(flags) = self.health.flags(port) {
            let generation = flags.generation.load(Ordering::Relaxed) + 1;
            flags.generation.store(generation, Ordering::Release);
            flags.lagged.store(true, Ordering::Release);
        }
    }

    /// Has a port told of the orders of an earlier run: no fault of its reader.
    pub(super) fn restore(&mut self, port: PortId) {
        let Some(outlet) = self.ports.get_mut(port.index()) else {
            return;
        };
        if outlet.gap == Gap::Closed {
            outlet.gap = Gap::Waiting;
            outlet.restoring = true;
            self.open_gap(port);
        }
    }

    /// Whether a port waits for a full telling.
    #[inline(always)]
    pub(super) const fn is_lagging(&self) -> bool {
        self.lagged > 0
    }

    /// Goes on with the telling of lagged ports, at most `steps` slots of the table each; returns
    /// the slots passed.
    pub(super) fn resync(&mut self, orders: &mut OrderManager, now: Nanos, steps: usize) -> usize {
        let mut work = 0;
        for port in 0..self.ports.len() {
            let outlet = &mut self.ports[port];
            let id = PortId(port as u8);
            match outlet.gap {
                Gap::Closed => {}
                Gap::Waiting => {
                    if outlet.ring.has_room(outlet.enough) {
                        if let Some(flags) = self.health.flags(id) {
                            flags.snapshot_from.store(outlet.told, Ordering::Release);
                        }
                        outlet.missed = false;
                        outlet.gap = Gap::Telling {
                            slot: 0,
                            whole: true,
                        };
                        work += 1;
                    }
                }
                Gap::Telling { slot, whole } => {
                    work += outlet.tell_slots(id, orders, now, (slot, whole), steps);
                    if outlet.gap == Gap::Closed {
                        outlet.restoring = false;
                        self.lagged -= 1;
                        if let Some(flags) = self.health.flags(id) {
                            flags.snapshot_to.store(outlet.told, Ordering::Release);
                            flags.lagged.store(false, Ordering::Release);
                        }
                    }
                }
            }
        }
        work
    }
}

impl PortOutlet {
    /// Tells the orders from `slot` on; returns the slots passed, 0 when the ring is full.
    fn tell_slots(
        &mut self,
        port: PortId,
        orders: &mut OrderManager,
        now: Nanos,
        (first, whole): (usize, bool),
        steps: usize,
    ) -> usize {
        let end = orders.used_slots();
        for slot in first..end.min(first + steps) {
            let Some((id, index, retired)) = orders.slot_at(slot) else {
                continue;
            };
            let entry = orders.entry_mut(index);
            let due = entry.port_missed || (whole && !retired);
            if id.port() != port || !due {
                continue;
            }
            let report = entry.report(id, OrderEvent::Restored, now, 0);
            if !self.ring.has_room(1) || self.ring.push(report).is_err() {
                self.gap = Gap::Telling { slot, whole };
                return slot - first;
            }
            self.told += 1;
            entry.port_missed = false;
        }
        let passed = end.min(first + steps).saturating_sub(first);
        self.gap = if first + steps < end {
            Gap::Telling {
                slot: first + steps,
                whole,
            }
        } else if std::mem::take(&mut self.missed) {
            Gap::Telling {
                slot: 0,
                whole: false,
            }
        } else {
            Gap::Closed
        };
        passed.max(1)
    }
}
