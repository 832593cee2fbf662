//! One request on one connection, and the answer to "did any of it leave?".
//!
//! Runs on: any thread.
//! Owns: how much of the request the kernel took, the response, and whether the connection may be used again.
//! Never: says `NotSent` where a server could hold the whole request; writes, reads or looks at a clock.

use crate::net::error::{HttpError, HttpRule};
use crate::net::http::request::Expect;
use crate::net::http::response::ResponseReader;
use crate::net::limits::HttpLimits;
use crate::types::Nanos;

/// Where an exchange is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExchangeState {
    /// No request was begun on this connection.
    Idle,
    /// The kernel has not taken all of the request.
    Sending,
    /// The kernel has all of the request; the response is not complete.
    Awaiting,
    /// There is an [`Outcome`].
    Done,
}

/// How an exchange ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A complete response came; see [`Exchange::response`].
    Response,
    /// No server can have the request, provided that nothing more of it is written.
    NotSent(NotSentCause),
    /// A server may have the request and may have acted on it.
    Unknown(UnknownCause),
}

/// Why a request did not leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSentCause {
    /// The exchange before left the connection unfit, or it ended since.
    #[error("the connection was not fit for another request")]
    Unusable,
    /// The connection broke.
    #[error("the connection died before the request was written")]
    ConnectionDied,
    /// The peer ended the connection.
    #[error("the connection was closed before the request was written")]
    ConnectionClosed,
    /// The deadline passed.
    #[error("the deadline passed before the request was written")]
    TimedOut,
    /// Bytes came before one byte of the request had left.
    #[error("not asked yet: {0}")]
    Http(HttpError),
}

/// Why it is not known what became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownCause {
    /// The connection broke.
    #[error("the connection died before the response was complete")]
    ConnectionDied,
    /// The peer ended the connection before the response's first byte.
    #[error("the connection was closed without a response")]
    ConnectionClosed,
    /// The deadline passed.
    #[error("the deadline passed before the response was complete")]
    TimedOut,
    /// The response broke a rule, or was cut off ([`HttpRule::Truncated`]).
    #[error("{0}")]
    Http(HttpError),
    /// Bytes of the request were written after the exchange had ended as not sent.
    #[error("bytes of the request were written after it had been given up")]
    WrittenLate,
}

/// An end whose meaning depends on what had left.
#[derive(Clone, Copy)]
enum End {
    Died,
    Closed,
    TimedOut,
    Broken(HttpError),
}

/// The life of requests on one connection, one at a time.
#[derive(Clone, Debug)]
pub struct Exchange {
    response: ResponseReader,
    state: ExchangeState,
    outcome: Option<Outcome>,
    deadline: Nanos,
    /// Bytes of the request; 0 when not known.
    total: usize,
    /// Bytes that the kernel took; ciphertext is not counted here.
    written: usize,
    /// Whether the kernel took a byte, of plain text or ciphertext.
    any_left: bool,
    /// Whether ciphertext left, of which nobody can say what part of the request it holds.
    is_opaque: bool,
    is_written: bool,
    /// Whether the connection broke, ended, or gave bytes that no request accounts for.
    is_unfit: bool,
}

impl Exchange {
    /// No request yet, on a new connection.
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        Self {
            response: ResponseReader::new(limits),
            state: ExchangeState::Idle,
            outcome: None,
            deadline: Nanos::MAX,
            total: 0,
            written: 0,
            any_left: false,
            is_opaque: false,
            is_written: false,
            is_unfit: false,
        }
    }

    /// A new connection takes the place of the old one; the memory stays.
    pub const fn reset(&mut self) {
        self.state = ExchangeState::Idle;
        self.outcome = None;
        self.is_unfit = false;
    }

    /// Begins a request of `total_bytes` bytes (0: not known, as under TLS) that must be answered before `deadline`.
    ///
    /// Where the connection is not fit for one ([`may_reuse`](Self::may_reuse) is false) the exchange is over at once
    /// with [`NotSentCause::Unusable`], and nothing must be written. So is one that is begun while another is under
    /// way, whose outcome would be lost: wait for that first.
    pub fn begin(&mut self, expect: Expect, total_bytes: usize, deadline: Nanos) {
        debug_assert!(
            !self.is_under_way(),
            "invariant: one request at a time on a connection"
        );
        let is_fit = self.may_reuse();
        self.response.begin(expect);
        self.deadline = deadline;
        self.total = total_bytes;
        self.written = 0;
        self.any_left = false;
        self.is_opaque = false;
        self.is_written = false;
        self.outcome = None;
        self.state = ExchangeState::Sending;
        if !is_fit {
            self.is_unfit = true;
            self.finish(Outcome::NotSent(NotSentCause::Unusable));
        }
    }

    /// The kernel took so many further bytes of the request as it is, without TLS.
    pub fn wrote(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.written = self.written.saturating_add(bytes);
        self.left();
        if self.total > 0 && self.written >= self.total {
            self.wrote_all();
        }
    }

    /// The kernel took some ciphertext of the request: from here on a server may have all of it.
    pub fn wrote_some(&mut self) {
        self.is_opaque = true;
        self.left();
    }

    /// The kernel took all that was left of the request.
    pub fn wrote_all(&mut self) {
        self.left();
        if self.state == ExchangeState::Sending {
            self.is_written = true;
            self.state = ExchangeState::Awaiting;
        }
    }

    fn left(&mut self) {
        self.any_left = true;
        if matches!(self.outcome, Some(Outcome::NotSent(_))) {
            // The caller broke the promise on which `NotSent` rested.
            self.outcome = Some(Outcome::Unknown(UnknownCause::WrittenLate));
        }
    }

    /// Takes bytes that came on the connection; says how many were the response's. With bytes left over the response
    /// still counts, but the connection is not used again.
    ///
    /// # Errors
    /// The rule broken; the exchange is over then, and the connection is to be dropped. [`HttpRule::Unsolicited`] for
    /// any byte while no response is awaited: before the request's first byte left, before
    /// [`begin`](Self::begin) and after the outcome.
    pub fn received(&mut self, bytes: &[u8]) -> Result<usize, HttpError> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if !self.is_under_way() || !self.any_left {
            let error = HttpError::new(HttpRule::Unsolicited, 0);
            self.end(End::Broken(error));
            return Err(error);
        }
        match self.response.feed(bytes) {
            Ok((taken, is_complete)) => {
                if is_complete {
                    self.is_unfit |= taken < bytes.len();
                    self.finish(Outcome::Response);
                }
                Ok(taken)
            }
            Err(error) => {
                self.end(End::Broken(error));
                Err(error)
            }
        }
    }

    /// The peer sends no more (FIN, or close_notify under TLS).
    pub fn end_of_stream(&mut self) {
        if !self.is_under_way() || !self.response.has_begun() {
            self.end(End::Closed);
            return;
        }
        match self.response.end_of_stream() {
            Ok(()) => {
                self.is_unfit = true;
                self.finish(Outcome::Response);
            }
            Err(error) => self.end(End::Broken(error)),
        }
    }

    /// The connection broke: reset, timed out, failed to write, or ended without the close_notify that TLS needs.
    pub fn connection_died(&mut self) {
        self.end(End::Died);
    }

    /// Ends the exchange when `now` is not before its deadline; the connection is to be dropped then.
    pub fn handle_timeout(&mut self, now: Nanos) {
        if self.is_under_way() && now >= self.deadline {
            self.end(End::TimedOut);
        }
    }

    /// The connection is of no use any more; what that means for a request under way depends on what had left.
    fn end(&mut self, end: End) {
        self.is_unfit = true;
        if !self.is_under_way() {
            return;
        }
        let has_died = matches!(end, End::Died | End::Closed);
        let outcome = if !self.any_left || (has_died && self.is_short()) {
            Outcome::NotSent(match end {
                End::Died => NotSentCause::ConnectionDied,
                End::Closed => NotSentCause::ConnectionClosed,
                End::TimedOut => NotSentCause::TimedOut,
                End::Broken(error) => NotSentCause::Http(error),
            })
        } else {
            Outcome::Unknown(match end {
                End::Died => UnknownCause::ConnectionDied,
                End::Closed => UnknownCause::ConnectionClosed,
                End::TimedOut => UnknownCause::TimedOut,
                End::Broken(error) => UnknownCause::Http(error),
            })
        };
        self.finish(outcome);
    }

    /// Whether the kernel provably has fewer bytes than the request has, and the server did not begin to answer what
    /// it had of it (one that does may have acted on the head alone).
    const fn is_short(&self) -> bool {
        !self.is_opaque
            && !self.is_written
            && self.written < self.total
            && !self.response.has_begun()
    }

    const fn finish(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
        self.state = ExchangeState::Done;
    }

    /// Where the exchange is.
    #[must_use]
    pub const fn state(&self) -> ExchangeState {
        self.state
    }

    /// Whether a request was begun and has no outcome yet.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self.state, ExchangeState::Sending | ExchangeState::Awaiting)
    }

    /// When the exchange must be over; nothing unless one is under way.
    #[must_use]
    pub fn deadline(&self) -> Option<Nanos> {
        self.is_under_way().then_some(self.deadline)
    }

    /// How the exchange ended; nothing before it did.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// The response as far as it came; complete with [`Outcome::Response`] only.
    #[must_use]
    pub const fn response(&self) -> &ResponseReader {
        &self.response
    }

    /// Whether the connection is fit for another request: new, or the last response is complete, keeps it alive and
    /// left nothing over, the request was written whole, and nothing came or ended since.
    #[must_use]
    pub fn may_reuse(&self) -> bool {
        if self.is_unfit {
            return false;
        }
        match self.state {
            ExchangeState::Idle => true,
            ExchangeState::Sending | ExchangeState::Awaiting => false,
            ExchangeState::Done => {
                self.outcome == Some(Outcome::Response)
                    && self.is_written
                    && self.response.may_keep_alive()
            }
        }
    }
}
