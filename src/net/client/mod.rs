//! The HTTP client of one origin: a few warm connections, polled.
//!
//! Runs on: a gateway's duty cycle, busy-polled, or any thread that sleeps in a mio poller between polls.
//! Owns: the connections, which request is on which, and when the next dial may be made.
//! Never: blocks, dials itself, puts two requests on a connection at once, or sends a POST, PATCH or DELETE twice.

mod settings;
mod slot;

use std::sync::Arc;

use mio::{Registry, Token, Waker};

pub use settings::{HttpClientSettings, SendError, SendOptions};

use self::slot::{Link, Slot};
use super::backoff::Backoff;
use super::dial::{DialError, DialRequest, Dialler};
use super::http::{Outcome, ResponseReader, Template};
use crate::types::Nanos;

/// Octets taken from a connection at a time: a TLS record and more.
const READ_BYTES: usize = 32 << 10;
/// A connection that the peer ends within so many nanoseconds was not meant to serve.
const SHORT_LIFE_NS: u64 = 1_000_000_000;

/// Which exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExchangeId {
    slot: u16,
    generation: u32,
}

/// Where readiness is told to, for a caller that sleeps.
#[derive(Debug)]
struct Readiness {
    registry: Registry,
    first: usize,
    waker: Arc<Waker>,
}

/// See the module. A request goes out with [`send`](Self::send), its end is seen by [`outcome`](Self::outcome) after
/// a [`poll`](Self::poll), and [`release`](Self::release) gives the connection back.
#[derive(Debug)]
pub struct HttpClient {
    settings: HttpClientSettings,
    dialler: Dialler,
    request: DialRequest,
    slots: Vec<Slot>,
    backoff: Backoff,
    /// State of the generator behind the jitter.
    dice: u64,
    last_error: Option<DialError>,
    failed_dials: u64,
    readiness: Option<Readiness>,
    buffer: Box<[u8]>,
    /// Connections that were opened so far.
    opened: u64,
}

impl HttpClient {
    /// A client without a connection: [`poll`](Self::poll) begins to dial. `seed` is for the jitter of its backoff.
    ///
    /// # Panics
    /// When the settings want no connection, or more than 64, or TLS does not go with the endpoint.
    #[must_use]
    pub fn new(settings: HttpClientSettings, dialler: Dialler, seed: u64) -> Self {
        assert!(
            (1..=64).contains(&settings.connections),
            "1 to 64 connections"
        );
        let request = DialRequest::to(&settings.endpoint, settings.tls.as_ref(), settings.dial);
        let slots = (0..settings.connections)
            .map(|_| Slot::new(settings.limits))
            .collect();
        Self {
            backoff: Backoff::new(settings.backoff),
            settings,
            dialler,
            request,
            slots,
            dice: seed,
            last_error: None,
            failed_dials: 0,
            readiness: None,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            opened: 0,
        }
    }

    /// Has the poller of `registry` told of connections, by tokens from `first` on, and `waker` woken when one was
    /// dialled: for a caller that sleeps in that poller between polls.
    pub fn attach(&mut self, registry: Registry, first: Token, waker: Arc<Waker>) {
        self.readiness = Some(Readiness {
            registry,
            first: first.0,
            waker,
        });
    }

    /// Goes on with everything; returns how much was done.
    pub fn poll(&mut self, now: Nanos) -> usize {
        let mut work = 0;
        for index in 0..self.slots.len() {
            work += match self.slots[index].link {
                // A request that has ended keeps its slot until it is released.
                Link::Down if self.slots[index].is_taken() && !self.slots[index].is_retrying() => 0,
                Link::Down => usize::from(self.dial(index, now)),
                Link::Dialling(_) => usize::from(self.answered(index, now)),
                Link::Up(_) => self.work(index, now),
            };
        }
        work
    }

    /// Sends a request on a warm connection, at once. `suffix` extends the template's target.
    ///
    /// # Errors
    /// [`SendError`]: nothing was sent, and nothing will be.
    pub fn send(
        &mut self,
        template: &Template,
        suffix: &str,
        body: &[u8],
        options: SendOptions,
        now: Nanos,
    ) -> Result<ExchangeId, SendError> {
        let within_ns = options.within_ns.unwrap_or(self.settings.exchange_ns);
        let (mut is_busy, mut index) = (false, 0);
        while index < self.slots.len() {
            let slot = &mut self.slots[index];
            index += 1;
            if slot.is_taken() {
                is_busy = true;
                continue;
            }
            if !matches!(slot.link, Link::Up(_)) {
                continue;
            }
            if slot.is_stale(&mut self.buffer) {
                self.drop_link(index - 1, now);
                continue;
            }
            let slot = &mut self.slots[index - 1];
            if slot.is_mid_record() {
                continue;
            }
            slot.begin(template, suffix, body, options, now.plus(within_ns))?;
            slot.push();
            if slot.has_provably_not_left() {
                // Another connection may have it.
                slot.free();
                self.drop_link(index - 1, now);
                continue;
            }
            return Ok(ExchangeId {
                slot: (index - 1) as u16,
                generation: slot.generation,
            });
        }
        Err(if is_busy {
            SendError::Busy
        } else {
            SendError::NotConnected
        })
    }

    fn slot(&self, id: ExchangeId) -> Option<&Slot> {
        let slot = self.slots.get(usize::from(id.slot))?;
        (slot.is_taken() && slot.generation == id.generation).then_some(slot)
    }

    /// An exchange that has ended and was not released.
    #[must_use]
    pub fn finished(&self) -> Option<ExchangeId> {
        let index = self
            .slots
            .iter()
            .position(|slot| slot.outcome().is_some())?;
        Some(ExchangeId {
            slot: index as u16,
            generation: self.slots[index].generation,
        })
    }

    /// How an exchange ended; `None` while it is under way, and after its release.
    #[must_use]
    pub fn outcome(&self, id: ExchangeId) -> Option<Outcome> {
        self.slot(id).and_then(Slot::outcome)
    }

    /// The response of an exchange whose outcome it is.
    #[must_use]
    pub fn response(&self, id: ExchangeId) -> Option<&ResponseReader> {
        let slot = self.slot(id)?;
        (slot.outcome() == Some(Outcome::Response)).then(|| slot.exchange.response())
    }

    /// Gives an exchange up: its connection is closed at once. Its outcome then says whether anything of it may have
    /// left. Of one that has ended nothing changes.
    pub fn abort(&mut self, id: ExchangeId) {
        let index = usize::from(id.slot);
        let Some(slot) = self.slot(id) else {
            return;
        };
        if slot.is_retrying() {
            self.slots[index].stop_retry();
            self.slots[index].close();
        } else if slot.is_under_way() {
            self.slots[index].exchange.connection_died();
            self.slots[index].close();
        }
    }

    /// Forgets an exchange. The connection of one that has ended serves the next one if it may, else it is closed. One
    /// under way goes on to its end, which nobody is told: nothing is unsent.
    pub fn release(&mut self, id: ExchangeId, now: Nanos) {
        let index = usize::from(id.slot);
        if self.slot(id).is_none() {
            return;
        }
        if self.slots[index].outcome().is_none() {
            self.slots[index].orphan();
            return;
        }
        self.give_back(index, now);
    }

    fn give_back(&mut self, index: usize, now: Nanos) {
        let may_reuse = self.slots[index].exchange.may_reuse();
        self.slots[index].free();
        self.slots[index].idle_since = now;
        if !may_reuse {
            self.drop_link(index, now);
        }
    }

    /// Connections that are up and carry nothing.
    #[must_use]
    pub fn warm(&self) -> usize {
        let is_warm = |slot: &&Slot| matches!(slot.link, Link::Up(_)) && !slot.is_taken();
        self.slots.iter().filter(is_warm).count()
    }

    /// Connections opened so far.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Why the last dial failed, if no connection was opened since.
    #[must_use]
    pub const fn last_error(&self) -> Option<&DialError> {
        self.last_error.as_ref()
    }

    /// Dials that failed so far.
    #[must_use]
    pub const fn failed_dials(&self) -> u64 {
        self.failed_dials
    }

    /// When [`poll`](Self::poll) has something to do at the latest, whatever the peers say.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        let deadline = |slot: &Slot| match slot.link {
            Link::Down if slot.is_taken() && !slot.is_retrying() => None,
            Link::Down => {
                let next = self.backoff.next_attempt();
                Some(slot.retry_deadline().map_or(next, |until| until.min(next)))
            }
            Link::Dialling(_) => slot.retry_deadline(),
            Link::Up(_) => slot.deadline(&self.settings),
        };
        self.slots.iter().filter_map(deadline).min()
    }

    fn dial(&mut self, index: usize, now: Nanos) -> bool {
        if !self.backoff.is_due(now) {
            return self.slots[index].give_up_retry(now);
        }
        let request = self.request.clone();
        let wakes = self.readiness.as_ref().map(|to| Arc::clone(&to.waker));
        self.slots[index].link = Link::Dialling(self.dialler.dial(request, wakes));
        true
    }

    /// Looks whether a dial has ended.
    fn answered(&mut self, index: usize, now: Nanos) -> bool {
        let slot = &mut self.slots[index];
        let Link::Dialling(answer) = &slot.link else {
            return false;
        };
        let dialled = match answer.try_recv() {
            Ok(dialled) => dialled,
            Err(std::sync::mpsc::TryRecvError::Empty) => return slot.give_up_retry(now),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => Err(DialError::Gone),
        };
        match dialled {
            Ok(mut connected) => {
                if let Some(to) = &self.readiness {
                    // A poller that does not tell only makes the caller look later.
                    let _ = connected
                        .stream
                        .register(&to.registry, Token(to.first + index));
                }
                slot.open(connected.stream, now);
                self.opened += 1;
                self.last_error = None;
                self.backoff.succeed(now);
            }
            Err(error) => {
                slot.link = Link::Down;
                slot.stop_retry();
                self.last_error = Some(error);
                self.failed_dials += 1;
                self.fail(now);
            }
        }
        true
    }

    fn work(&mut self, index: usize, now: Nanos) -> usize {
        let slot = &mut self.slots[index];
        if slot.is_under_way() {
            let work = slot.poll(&mut self.buffer, now);
            if slot.wants_retry() {
                slot.link = Link::Down;
                return work + 1;
            }
            if slot.is_over_and_orphaned() {
                self.give_back(index, now);
            }
            return work;
        }
        if slot.is_taken() {
            return 0;
        }
        let is_old = now.since(slot.idle_since) >= self.settings.idle_limit_ns;
        if now.since(slot.looked_at) >= self.settings.idle_look_ns {
            slot.looked_at = now;
            if slot.is_stale(&mut self.buffer) || slot.is_stuck_mid_record() {
                self.drop_link(index, now);
                return 1;
            }
        }
        // Connections that were opened together grow old together: while one is replaced another stays warm.
        if is_old && (self.slots.len() == 1 || self.warm() > 1) {
            self.drop_link(index, now);
            return 1;
        }
        0
    }

    /// Closes a connection. One that ended at once without having served is a failure, so that a peer which takes
    /// connections and drops them is not dialled in a tight loop.
    fn drop_link(&mut self, index: usize, now: Nanos) {
        let slot = &mut self.slots[index];
        let is_failure = slot.served == 0 && now.since(slot.opened_at) < SHORT_LIFE_NS;
        slot.close();
        if is_failure {
            self.fail(now);
        }
    }

    /// An outage that several connections meet together is one failure.
    fn fail(&mut self, now: Nanos) {
        if !self.backoff.is_due(now) {
            return;
        }
        // SplitMix64: jitter needs no more.
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut random = self.dice;
        random = (random ^ (random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.backoff.fail(now, random ^ (random >> 31), None);
    }
}
