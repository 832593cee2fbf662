//! What every connection of the venue shares.
//!
//! Runs on: the venue's thread.
//! Owns: the one lock around core, hub, faults and limiter; the clock at the edge.
//! Never: holds the lock across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::core::Core;
use super::fault::Faults;
use super::hub::Hub;
use super::limiter::Limiter;
use super::state::State;
use crate::types::Nanos;

/// What the lock guards.
#[derive(Debug)]
pub struct Inner {
    /// The broker.
    pub core: Core,
    /// Who listens.
    pub hub: Hub,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// Requests a minute.
    pub limiter: Limiter,
    /// Where it is written down.
    pub state: Option<State>,
}

impl Inner {
    /// The next cancels stay pending.
    pub fn hang_cancels(&mut self, now: Nanos, count: u32) {
        if let Some(state) = &mut self.state {
            state.hang(now, count);
        }
        self.core.hang_cancels(count);
    }

    /// Passes on what the core has to tell.
    pub fn flush(&mut self, now: Nanos) {
        let events = self.core.take_events();
        if !events.is_empty() {
            self.hub.tell(now, events, &mut self.faults);
        }
        self.hub.advance(now);
    }
}

/// See the module.
#[derive(Debug)]
pub struct Shared {
    inner: Mutex<Inner>,
    /// The key that clients must show.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// Whether `/_venue` answers.
    pub admin: bool,
}

impl Shared {
    /// With these credentials.
    #[must_use]
    pub const fn new(inner: Inner, key: String, secret: String, admin: bool) -> Self {
        Self {
            inner: Mutex::new(inner),
            key,
            secret,
            admin,
        }
    }

    /// The lock. A panic of another holder leaves nothing half done that matters to a simulation.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these are the credentials.
    #[must_use]
    pub fn knows(&self, key: &str, secret: &str) -> bool {
        key == self.key && secret == self.secret
    }
}

/// Wall-clock time.
#[must_use]
pub fn wall_clock() -> Nanos {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
