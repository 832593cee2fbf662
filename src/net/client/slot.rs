//! One place for a connection and the exchange on it.
//!
//! Runs on: the client's thread.
//! Owns: the octets of a request until the kernel has them, and what is known of the connection.
//! Never: allocates once its buffers have grown to what requests need.

use std::sync::mpsc::Receiver;

use super::settings::{HttpClientSettings, SendOptions};
use crate::net::dial::Dialled;
use crate::net::http::{
    EncodeError, Exchange, Expect, NotSentCause, Outcome, Template, UnknownCause,
};
use crate::net::limits::HttpLimits;
use crate::net::stream::{Got, Sending, Stream};
use crate::types::Nanos;

/// What stands in a slot.
#[derive(Debug)]
pub(super) enum Link {
    /// Nothing.
    Down,
    /// A dial.
    Dialling(Receiver<Dialled>),
    /// A connection.
    Up(Stream),
}

/// The request that has the slot.
#[derive(Clone, Copy, Debug)]
struct Job {
    expect: Expect,
    deadline: Nanos,
    /// It may still be sent a second time.
    may_retry: bool,
    /// It waits for a new connection to be sent again.
    is_retrying: bool,
    /// A server may have the first of two attempts, whatever becomes of the second.
    had_left: bool,
    /// Nobody waits for its end.
    is_orphan: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) link: Link,
    pub(super) exchange: Exchange,
    pub(super) generation: u32,
    /// Exchanges that the connection has served.
    pub(super) served: u32,
    pub(super) idle_since: Nanos,
    pub(super) looked_at: Nanos,
    pub(super) opened_at: Nanos,
    /// At the last look a TLS record had begun and not ended.
    was_mid_record: bool,
    /// Writing failed; what was answered before may still be read.
    write_failed: bool,
    out: Vec<u8>,
    sending: Sending,
    job: Option<Job>,
}

impl Slot {
    pub(super) fn new(limits: HttpLimits) -> Self {
        Self {
            link: Link::Down,
            exchange: Exchange::new(limits),
            generation: 0,
            served: 0,
            idle_since: Nanos::ZERO,
            looked_at: Nanos::ZERO,
            opened_at: Nanos::ZERO,
            was_mid_record: false,
            write_failed: false,
            out: Vec::with_capacity(4 << 10),
            sending: Sending::default(),
            job: None,
        }
    }

    /// Whether a request has it.
    pub(super) const fn is_taken(&self) -> bool {
        self.job.is_some()
    }

    /// Whether its request has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        self.job.is_some() && self.exchange.outcome().is_none()
    }

    /// How its request ended.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let job = self.job.filter(|job| !job.is_retrying)?;
        match self.exchange.outcome()? {
            Outcome::NotSent(cause) if job.had_left => Some(Outcome::Unknown(match cause {
                NotSentCause::TimedOut => UnknownCause::TimedOut,
                _ => UnknownCause::ConnectionDied,
            })),
            outcome => Some(outcome),
        }
    }

    /// Whether its request waits for a new connection.
    pub(super) fn is_retrying(&self) -> bool {
        self.job.is_some_and(|job| job.is_retrying)
    }

    /// Until when a request that waits for a new connection may wait.
    pub(super) fn retry_deadline(&self) -> Option<Nanos> {
        let job = self.job.filter(|job| job.is_retrying)?;
        Some(job.deadline)
    }

    /// Nobody waits for its request any more: it is freed at its end.
    pub(super) fn orphan(&mut self) {
        if let Some(job) = &mut self.job {
            job.is_orphan = true;
        }
    }

    /// Whether its request has ended and nobody waits for it.
    pub(super) fn is_over_and_orphaned(&self) -> bool {
        self.outcome().is_some() && self.job.is_some_and(|job| job.is_orphan)
    }

    pub(super) fn deadline(&self, settings: &HttpClientSettings) -> Option<Nanos> {
        match self.job {
            Some(_) => self.exchange.deadline(),
            None => {
                let look = self.looked_at.plus(settings.idle_look_ns);
                Some(look.min(self.idle_since.plus(settings.idle_limit_ns)))
            }
        }
    }

    /// A connection was dialled. A request that waits to be sent again is sent.
    pub(super) fn open(&mut self, stream: Stream, now: Nanos) {
        self.link = Link::Up(stream);
        self.served = 0;
        self.idle_since = now;
        self.looked_at = now;
        self.opened_at = now;
        self.was_mid_record = false;
        let retried = match &mut self.job {
            Some(job) if job.is_retrying && now < job.deadline => {
                job.is_retrying = false;
                Some(*job)
            }
            Some(_) => return,
            None => None,
        };
        self.exchange.reset();
        if let Some(job) = retried {
            self.start(job);
            self.push();
        }
    }

    pub(super) fn close(&mut self) {
        // A dial that is dropped is closed by whoever dials.
        if let Link::Up(stream) = std::mem::replace(&mut self.link, Link::Down) {
            stream.close();
        }
    }

    /// The request is forgotten.
    pub(super) fn free(&mut self) {
        let has_served = self.exchange.outcome() == Some(Outcome::Response);
        self.job = None;
        self.served = self.served.saturating_add(u32::from(has_served));
    }

    /// A look at an idle connection: whatever comes while nothing was asked ends it. A FIN or a late octet that
    /// stands here unread would otherwise be found only after the next request has left.
    pub(super) fn is_stale(&mut self, buffer: &mut [u8]) -> bool {
        match &mut self.link {
            Link::Up(stream) => stream.read(buffer) != Ok(Got::Nothing),
            _ => true,
        }
    }

    /// Whether something began to come that cannot be read yet: no request goes out meanwhile.
    pub(super) fn is_mid_record(&self) -> bool {
        matches!(&self.link, Link::Up(stream) if stream.is_mid_record())
    }

    /// Whether it was so at the last look too: no session ticket takes that long.
    pub(super) fn is_stuck_mid_record(&mut self) -> bool {
        let is_now = self.is_mid_record();
        std::mem::replace(&mut self.was_mid_record, is_now) && is_now
    }

    /// Takes a request; nothing is written yet.
    pub(super) fn begin(
        &mut self,
        template: &Template,
        suffix: &str,
        body: &[u8],
        options: SendOptions,
        deadline: Nanos,
    ) -> Result<(), EncodeError> {
        self.out.clear();
        template.encode(suffix, body, &mut self.out)?;
        let method = template.method();
        self.generation = self.generation.wrapping_add(1);
        self.start(Job {
            expect: Expect {
                method,
                close_delimited: options.may_be_close_delimited,
            },
            deadline,
            may_retry: options.may_retry && method.is_idempotent_get() && self.served > 0,
            is_retrying: false,
            had_left: false,
            is_orphan: false,
        });
        Ok(())
    }

    fn start(&mut self, job: Job) {
        let total = match &self.link {
            Link::Up(stream) if stream.is_secure() => 0,
            _ => self.out.len(),
        };
        self.sending = Sending::default();
        self.write_failed = false;
        self.exchange.begin(job.expect, total, job.deadline);
        self.job = Some(job);
    }

    /// Gives the kernel what it takes of the request.
    pub(super) fn push(&mut self) {
        let Link::Up(stream) = &mut self.link else {
            return;
        };
        let before = self.sending;
        let sent = stream.send(&self.out, &mut self.sending);
        let sending = &self.sending;
        if sending.plain > before.plain {
            self.exchange.wrote(sending.plain - before.plain);
        }
        if sending.ciphertext > before.ciphertext {
            self.exchange.wrote_some();
        }
        if sending.is_done && stream.is_secure() {
            self.exchange.wrote_all();
        }
        if sent.is_err() {
            self.write_failed = true;
            if !sending.has_left() {
                self.exchange.connection_died();
            }
        }
        // What had left may have been answered before the connection broke: reading tells.
    }

    /// Whether the request is over because nothing of it left.
    pub(super) fn has_provably_not_left(&self) -> bool {
        matches!(self.exchange.outcome(), Some(Outcome::NotSent(_)))
    }

    /// Writes, reads and looks at the deadline; returns how much was done.
    pub(super) fn poll(&mut self, buffer: &mut [u8], now: Nanos) -> usize {
        // Behind the deadline nothing more of a request leaves.
        let is_in_time = self.job.is_some_and(|job| now < job.deadline);
        if !self.sending.is_done && !self.write_failed && is_in_time {
            self.push();
        }
        let mut work = 0;
        while self.exchange.outcome().is_none() {
            let Link::Up(stream) = &mut self.link else {
                break;
            };
            match stream.read(buffer) {
                Ok(Got::Nothing) => break,
                Ok(Got::Bytes(count)) => {
                    work += 1;
                    // An error is the exchange's outcome.
                    let _ = self.exchange.received(&buffer[..count]);
                }
                // A broken connection may end like one that was closed: what it gave may have been cut off.
                Ok(Got::End) if self.write_failed => self.exchange.connection_died(),
                Ok(Got::End) => self.exchange.end_of_stream(),
                Err(_) => self.exchange.connection_died(),
            }
        }
        self.exchange.handle_timeout(now);
        work + usize::from(self.exchange.outcome().is_some())
    }

    /// Whether the request died on a used connection before its answer began, and may be sent once more.
    pub(super) fn wants_retry(&mut self) -> bool {
        let is_dead = matches!(
            self.exchange.outcome(),
            Some(
                Outcome::NotSent(NotSentCause::ConnectionDied | NotSentCause::ConnectionClosed)
                    | Outcome::Unknown(
                        UnknownCause::ConnectionDied | UnknownCause::ConnectionClosed
                    )
            )
        );
        let is_dead = is_dead && !self.exchange.response().has_begun();
        let has_left = matches!(self.exchange.outcome(), Some(Outcome::Unknown(_)));
        match &mut self.job {
            Some(job) if is_dead && job.may_retry => {
                job.may_retry = false;
                job.had_left = has_left;
                job.is_retrying = true;
                true
            }
            _ => false,
        }
    }

    /// No new connection for a request that waits for one: how it ended first stands.
    pub(super) fn stop_retry(&mut self) {
        if let Some(job) = &mut self.job {
            job.is_retrying = false;
        }
    }

    /// As [`stop_retry`](Self::stop_retry), once its deadline has passed; whether it has.
    pub(super) fn give_up_retry(&mut self, now: Nanos) -> bool {
        match self.job {
            Some(job) if job.is_retrying && now >= job.deadline => {
                self.stop_retry();
                true
            }
            _ => false,
        }
    }
}
