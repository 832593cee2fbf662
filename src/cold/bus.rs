//! Delivery of events to handlers and subscribers.
//!
//! Runs on: COLD publishes; DELIVERY runs the handlers; a subscriber reads on a thread of its own.
//! Owns: the queue to DELIVERY, one bounded channel a subscriber, and the count of what each
//! missed.
//! Never: waits for a reader, runs a handler on COLD, or lets one reader's trouble reach another.
//!
//! A handler that panics is caught, counted and removed. A subscriber whose channel is full is
//! dropped: it reads what it has, then [`SubscriptionError::Lagged`] with the count of what it
//! missed, and has to subscribe anew after catching up from the engine's status. Handlers that fall
//! behind as a whole find an [`EventKind::Gap`] in the place of what was lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::events::{EngineEvent, EventKind, GapCause};
use crate::runtime::Agent;
use crate::types::Nanos;

/// A user's function for events; it runs on the DELIVERY thread.
pub type Handler = Box<dyn FnMut(&EngineEvent) + Send>;

/// Events that DELIVERY hands to the handlers in one duty cycle at most.
const EVENTS_A_CYCLE: usize = 256;

#[derive(Default)]
struct Shared {
    incoming: Mutex<Vec<Handler>>,
    subscribers: Mutex<Vec<Slot>>,
    /// Readers of each kind, so that publishing to nobody costs two loads.
    handlers: AtomicUsize,
    subscriptions: AtomicUsize,
    sequence: AtomicU64,
    delivered: AtomicU64,
    panicked: AtomicU64,
    lagged: AtomicU64,
    missed: AtomicU64,
}

struct Slot {
    channel: SyncSender<EngineEvent>,
    /// Number of the first event that did not fit, 0 while all did.
    first_missed: Arc<AtomicU64>,
}

/// The bus as the engine and its user hold it; clone freely.
#[derive(Clone)]
pub struct EventBus {
    shared: Arc<Shared>,
}

/// Counters of a bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BusReading {
    /// Handlers that are registered.
    pub handlers: usize,
    /// Subscribers that keep up.
    pub subscribers: usize,
    /// Events published.
    pub published: u64,
    /// Events that DELIVERY handed to the handlers.
    pub delivered: u64,
    /// Handlers that panicked and were removed.
    pub panicked_handlers: u64,
    /// Subscribers that fell behind and were dropped.
    pub lagged_subscribers: u64,
    /// Events that never reached the handlers because their queue was full.
    pub missed_by_handlers: u64,
}

impl EventBus {
    /// A bus whose queue to DELIVERY holds `capacity` events (at least 1), all allocated here.
    #[must_use]
    pub fn new(capacity: usize) -> (Self, Publisher, Delivery) {
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = sync_channel(capacity.max(1));
        let publisher = Publisher {
            shared: Arc::clone(&shared),
            queue: sender,
            sequence: 0,
            missed: 0,
        };
        let delivery = Delivery {
            shared: Arc::clone(&shared),
            queue: receiver,
            handlers: Vec::new(),
        };
        (Self { shared }, publisher, delivery)
    }

    /// Adds a handler: it gets the events that are published from now on, on the DELIVERY thread,
    /// one at a time.
    pub fn add_handler(&self, handler: Handler) {
        let mut incoming = locked(&self.shared.incoming);
        incoming.push(handler);
        self.shared.handlers.fetch_add(1, Ordering::Release);
    }

    /// Adds a subscriber whose channel holds `capacity` events (at least 1).
    #[must_use]
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        let (sender, receiver) = sync_channel(capacity.max(1));
        let first_missed = Arc::new(AtomicU64::new(0));
        let mut subscribers = locked(&self.shared.subscribers);
        subscribers.push(Slot {
            channel: sender,
            first_missed: Arc::clone(&first_missed),
        });
        let count = subscribers.len();
        self.shared.subscriptions.store(count, Ordering::Release);
        Subscription {
            shared: Arc::clone(&self.shared),
            channel: receiver,
            first_missed,
            told: false,
        }
    }

    /// The counters now.
    #[must_use]
    pub fn read(&self) -> BusReading {
        let shared = &self.shared;
        BusReading {
            handlers: shared.handlers.load(Ordering::Relaxed),
            subscribers: shared.subscriptions.load(Ordering::Relaxed),
            published: shared.sequence.load(Ordering::Relaxed),
            delivered: shared.delivered.load(Ordering::Relaxed),
            panicked_handlers: shared.panicked.load(Ordering::Relaxed),
            lagged_subscribers: shared.lagged.load(Ordering::Relaxed),
            missed_by_handlers: shared.missed.load(Ordering::Relaxed),
        }
    }
}

/// The writing end, COLD's.
pub struct Publisher {
    shared: Arc<Shared>,
    queue: SyncSender<EngineEvent>,
    sequence: u64,
    /// Events that the handlers missed and were not told of yet.
    missed: u64,
}

impl Publisher {
    /// Numbers an event and gives it to every reader that has room.
    pub fn publish(&mut self, kind: EventKind, at: Nanos, replayed: bool) {
        self.sequence += 1;
        let event = EngineEvent {
            sequence: self.sequence,
            at,
            replayed,
            kind,
        };
        self.shared.sequence.store(self.sequence, Ordering::Release);
        if self.shared.handlers.load(Ordering::Acquire) > 0 {
            self.queue_for_handlers(event);
        }
        if self.shared.subscriptions.load(Ordering::Acquire) > 0 {
            self.send_to_subscribers(&event);
        }
    }

    fn queue_for_handlers(&mut self, event: EngineEvent) {
        if self.missed > 0 {
            let gap = EngineEvent {
                // It stands for the last event that was lost.
                sequence: event.sequence - 1,
                replayed: false,
                at: event.at,
                kind: EventKind::Gap {
                    missed: self.missed,
                    cause: GapCause::DeliveryQueue,
                },
            };
            if self.queue.try_send(gap).is_ok() {
                self.missed = 0;
            }
        }
        if self.missed > 0 || self.queue.try_send(event).is_err() {
            self.missed += 1;
            self.shared.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send_to_subscribers(&self, event: &EngineEvent) {
        let mut subscribers = locked(&self.shared.subscribers);
        subscribers.retain(|slot| match slot.channel.try_send(*event) {
            Ok(()) => true,
            Err(TrySendError::Full(lost)) => {
                slot.first_missed.store(lost.sequence, Ordering::Release);
                self.shared.lagged.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
        let count = subscribers.len();
        self.shared.subscriptions.store(count, Ordering::Release);
    }
}

impl Drop for Publisher {
    /// No further event comes: subscribers read what they have, then [`SubscriptionError::Closed`].
    fn drop(&mut self) {
        locked(&self.shared.subscribers).clear();
        self.shared.subscriptions.store(0, Ordering::Release);
    }
}

/// The DELIVERY agent: it runs user code, on its own thread (in the `invoker` layout on the
/// caller's).
pub struct Delivery {
    shared: Arc<Shared>,
    queue: Receiver<EngineEvent>,
    handlers: Vec<Handler>,
}

impl Delivery {
    fn adopt_new_handlers(&mut self) {
        if self.handlers.len() < self.shared.handlers.load(Ordering::Acquire) {
            self.handlers.append(&mut locked(&self.shared.incoming));
        }
    }

    /// Hands at most `limit` events to every handler; returns how many events.
    fn deliver(&mut self, limit: usize) -> usize {
        self.adopt_new_handlers();
        for done in 0..limit {
            let Ok(event) = self.queue.try_recv() else {
                return done;
            };
            self.shared.delivered.fetch_add(1, Ordering::Relaxed);
            let mut index = 0;
            while index < self.handlers.len() {
                let handler = &mut self.handlers[index];
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| handler(&event))) {
                    // The payload is the user's too: dropping it could panic out of here.
                    std::mem::forget(payload);
                    let handler = self.handlers.remove(index);
                    // What it owns may panic once more as it goes.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(handler)));
                    self.shared.panicked.fetch_add(1, Ordering::Relaxed);
                    self.shared.handlers.fetch_sub(1, Ordering::AcqRel);
                } else {
                    index += 1;
                }
            }
            // A handler may have added another.
            self.adopt_new_handlers();
        }
        limit
    }
}

impl Agent for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn poll(&mut self, _now: Nanos) -> usize {
        self.deliver(EVENTS_A_CYCLE)
    }

    fn on_close(&mut self, _now: Nanos) {
        while self.deliver(EVENTS_A_CYCLE) > 0 {}
    }
}

/// Why a subscription has no event to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// Nothing yet.
    #[error("no event yet")]
    Empty,
    /// It fell behind and was dropped; said once, then it is closed.
    #[error(
        "the subscriber fell behind and was dropped: {missed} events missed from {first_missed} on"
    )]
    Lagged {
        /// Events published since, so far.
        missed: u64,
        /// Number of the first one.
        first_missed: u64,
    },
    /// No further event comes.
    #[error("the subscription is closed")]
    Closed,
}

/// A subscriber's reading end.
pub struct Subscription {
    shared: Arc<Shared>,
    channel: Receiver<EngineEvent>,
    first_missed: Arc<AtomicU64>,
    told: bool,
}

impl Subscription {
    /// The next event, if there is one.
    ///
    /// # Errors
    /// [`SubscriptionError`].
    pub fn try_recv(&mut self) -> Result<EngineEvent, SubscriptionError> {
        self.channel.try_recv().map_err(|error| match error {
            TryRecvError::Empty => SubscriptionError::Empty,
            TryRecvError::Disconnected => self.end(),
        })
    }

    /// The next event, waiting up to `timeout` for it.
    ///
    /// # Errors
    /// [`SubscriptionError`]; `Empty` after the timeout.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<EngineEvent, SubscriptionError> {
        self.channel
            .recv_timeout(timeout)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => SubscriptionError::Empty,
                RecvTimeoutError::Disconnected => self.end(),
            })
    }

    fn end(&mut self) -> SubscriptionError {
        let first_missed = self.first_missed.load(Ordering::Acquire);
        if first_missed == 0 || self.told {
            return SubscriptionError::Closed;
        }
        self.told = true;
        let last = self.shared.sequence.load(Ordering::Acquire);
        SubscriptionError::Lagged {
            missed: (last + 1).saturating_sub(first_missed),
            first_missed,
        }
    }
}

/// Nothing that is done under these locks can leave half a change behind, so a panic elsewhere does
/// not spoil them.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
