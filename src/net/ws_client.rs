//! A WebSocket connection that comes back: dialled, shaken hands with, read, kept alive, and dialled again.
//!
//! Runs on: a gateway's duty cycle, busy-polled, or any thread that sleeps in a mio poller between polls.
//! Owns: the stream, the protocol's state on it, and when the next dial may be made.
//! Never: blocks; hides a gap: whoever hears [`SocketEvent::Opened`] again has missed what was sent meanwhile.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use mio::{Registry, Token, Waker};

use super::backoff::{Backoff, BackoffSettings};
use super::dial::{DialDeadlines, DialError, DialRequest, Dialled, Dialler};
use super::endpoint::Endpoint;
use super::limits::WebSocketLimits;
use super::stream::{Got, Stream, StreamError};
use super::tls::TlsConfig;
use super::websocket::{
    Event, Handshake, HandshakeError, MASK_BLOCK_BYTES, WebSocket, WebSocketError, WebSocketTiming,
};
use crate::types::Nanos;

/// Octets taken from the connection at a time.
const READ_BYTES: usize = 64 << 10;
/// Reads of one poll: a flood does not hold up the duty cycle.
const READS_PER_POLL: usize = 16;
/// Seconds that a peer's Retry-After counts for at most: one odd answer does not end the reconnecting.
const MOST_RETRY_AFTER_S: u64 = 3_600;

/// What a WebSocket client is told.
#[derive(Clone, Debug)]
pub struct WebSocketClientSettings {
    /// Where to.
    pub endpoint: Endpoint,
    /// TLS, where the endpoint is secure.
    pub tls: Option<TlsConfig>,
    /// Fields of the handshake's request beside its own.
    pub fields: Vec<(String, String)>,
    /// What the peer may cost.
    pub limits: WebSocketLimits,
    /// Pings and the closing handshake.
    pub timing: WebSocketTiming,
    /// Deadlines of dialling.
    pub dial: DialDeadlines,
    /// The handshake, in nanoseconds. Default 3 s.
    pub handshake_ns: u64,
    /// Waits between failed dials.
    pub backoff: BackoffSettings,
    /// Whether it dials again when the connection ends. Default true.
    pub comes_back: bool,
}

impl WebSocketClientSettings {
    /// The defaults for an address.
    #[must_use]
    pub fn new(endpoint: Endpoint, tls: Option<TlsConfig>) -> Self {
        Self {
            endpoint,
            tls,
            fields: Vec::new(),
            limits: WebSocketLimits::DEFAULT,
            timing: WebSocketTiming::DEFAULT,
            dial: DialDeadlines::default(),
            handshake_ns: 3_000_000_000,
            backoff: BackoffSettings::default(),
            comes_back: true,
        }
    }
}

/// Why a connection ended, or did not come up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownCause {
    /// It was not dialled.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The peer does not shake hands.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The peer ended the connection before it had answered.
    #[error("the peer ended the connection within the WebSocket handshake")]
    EndedInHandshake,
    /// No handshake in time.
    #[error("no WebSocket handshake in time")]
    HandshakeTimedOut,
    /// The stream broke.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The peer broke a rule, or said nothing for too long.
    #[error(transparent)]
    Protocol(#[from] WebSocketError),
    /// Closed in order, by either side.
    #[error("closed")]
    Closed,
    /// Ended before the closing handshake was complete and our side of it written.
    #[error("ended before the closing handshake was complete")]
    Unclean,
    /// The operating system gives no randomness for masks.
    #[error("no randomness: {0}")]
    Randomness(String),
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum SocketEvent<'a> {
    /// The handshake is done. Every time but the first, messages were missed: a gap.
    Opened {
        /// Whether it was open before.
        is_gap: bool,
    },
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The peer's close frame; the answer is on its way.
    Closing {
        /// Its code.
        code: Option<u16>,
        /// Its reason.
        reason: &'a str,
    },
    /// The connection ended, or did not come up.
    Down(DownCause),
}

/// Why a message was not taken. Nothing of it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The connection is not open.
    #[error("the connection is not open")]
    NotOpen,
    /// The connection cannot take it now, or never, as the rule says.
    #[error(transparent)]
    Refused(#[from] WebSocketError),
    /// No mask is left until the next poll.
    #[error("no mask is left until the next poll")]
    NoMask,
}

#[derive(Debug)]
enum State {
    Down,
    Dialling(Receiver<Dialled>),
    Shaking(Box<Shaking>),
    Open(Stream),
    /// Refused for good, or closed and not to come back.
    Stopped,
}

struct Shaking {
    stream: Stream,
    handshake: Handshake,
    written: usize,
    deadline: Nanos,
}

impl std::fmt::Debug for Shaking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The request carries credentials.
        f.debug_struct("Shaking")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Readiness {
    registry: Registry,
    token: Token,
    waker: Arc<Waker>,
}

/// See the module.
pub struct WebSocketClient {
    settings: WebSocketClientSettings,
    dialler: Dialler,
    request: DialRequest,
    state: State,
    socket: WebSocket,
    backoff: Backoff,
    was_open: bool,
    /// It was closed before it was open, and nobody was told.
    was_called_off: bool,
    readiness: Option<Readiness>,
    buffer: Box<[u8]>,
    /// Octets of the buffer that the protocol was not given yet.
    unread: Range<usize>,
}

impl std::fmt::Debug for WebSocketClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocketClient")
            .field("endpoint", &self.settings.endpoint)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

fn random_block() -> Result<[u8; MASK_BLOCK_BYTES], DownCause> {
    let mut block = [0; MASK_BLOCK_BYTES];
    getrandom::fill(&mut block).map_err(|error| DownCause::Randomness(error.to_string()))?;
    Ok(block)
}

impl WebSocketClient {
    /// A client without a connection: [`poll`](Self::poll) begins to dial.
    ///
    /// # Panics
    /// When TLS does not go with the endpoint.
    #[must_use]
    pub fn new(settings: WebSocketClientSettings, dialler: Dialler) -> Self {
        let request = DialRequest::to(&settings.endpoint, settings.tls.as_ref(), settings.dial);
        Self {
            backoff: Backoff::new(settings.backoff),
            socket: WebSocket::with_timing(settings.limits, settings.timing),
            settings,
            dialler,
            request,
            state: State::Down,
            was_open: false,
            was_called_off: false,
            readiness: None,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            unread: 0..0,
        }
    }

    /// Has the poller of `registry` told of the connection by `token`, and `waker` woken when it was dialled: for a
    /// caller that sleeps in that poller between polls.
    pub fn attach(&mut self, registry: Registry, token: Token, waker: Arc<Waker>) {
        self.readiness = Some(Readiness {
            registry,
            token,
            waker,
        });
    }

    /// Whether messages may be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_)) && self.socket.is_open()
    }

    /// Whether it dials no more: the peer refused the handshake for good (401, 403), or it was closed and does not
    /// come back.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Octets that wait to be written.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.socket.output().len()
    }

    /// Queues a text message and writes what the kernel takes.
    ///
    /// # Errors
    /// [`MessageError`]: nothing was and nothing will be sent.
    pub fn send_text(&mut self, text: &str) -> Result<(), MessageError> {
        let mask = self.mask()?;
        self.socket.send_text(text, mask)?;
        self.write_out();
        Ok(())
    }

    /// Queues a binary message and writes what the kernel takes.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, octets: &[u8]) -> Result<(), MessageError> {
        let mask = self.mask()?;
        self.socket.send_binary(octets, mask)?;
        self.write_out();
        Ok(())
    }

    /// Begins the closing handshake; the connection does not come back. One that is not open is dropped.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn close(&mut self, code: u16, reason: &str) -> Result<(), MessageError> {
        self.settings.comes_back = false;
        if !matches!(self.state, State::Open(_) | State::Stopped) {
            if let State::Shaking(shaking) = std::mem::replace(&mut self.state, State::Stopped) {
                shaking.stream.close();
            }
            self.was_called_off = true;
            return Ok(());
        }
        let mask = self.mask()?;
        self.socket.close(code, reason, mask)?;
        self.write_out();
        Ok(())
    }

    fn mask(&mut self) -> Result<[u8; 4], MessageError> {
        if !self.is_open() {
            return Err(MessageError::NotOpen);
        }
        self.socket.take_mask().ok_or(MessageError::NoMask)
    }

    /// An error is found again by the next poll's read.
    fn write_out(&mut self) {
        if let State::Open(stream) = &mut self.state
            && let Ok(taken) = stream.write(self.socket.output())
        {
            self.socket.consume_output(taken);
        }
    }

    /// When [`poll`](Self::poll) has something to do at the latest, whatever the peer says.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        match &self.state {
            State::Down => Some(self.backoff.next_attempt()),
            State::Dialling(_) | State::Stopped => None,
            State::Shaking(shaking) => Some(shaking.deadline),
            State::Open(_) => self.socket.next_deadline(),
        }
    }

    /// Goes on with everything and tells what happened; returns how much was done. It stops at each message, so that
    /// an answer can be sent before what came behind it is looked at: a caller sleeps after a poll that did nothing.
    pub fn poll(&mut self, now: Nanos, tell: &mut impl FnMut(SocketEvent<'_>)) -> usize {
        match &self.state {
            State::Stopped if std::mem::take(&mut self.was_called_off) => {
                tell(SocketEvent::Down(DownCause::Closed));
                1
            }
            State::Stopped => 0,
            State::Down => usize::from(self.dial(now)),
            State::Dialling(_) => self.answered(now, tell),
            State::Shaking(_) => self.shake(now, tell),
            State::Open(_) => self.work(now, tell),
        }
    }

    fn dial(&mut self, now: Nanos) -> bool {
        if !self.backoff.is_due(now) {
            return false;
        }
        let request = self.request.clone();
        let wakes = self.readiness.as_ref().map(|to| Arc::clone(&to.waker));
        self.state = State::Dialling(self.dialler.dial(request, wakes));
        true
    }

    fn answered(&mut self, now: Nanos, tell: &mut impl FnMut(SocketEvent<'_>)) -> usize {
        let State::Dialling(answer) = &self.state else {
            return 0;
        };
        let dialled = match answer.try_recv() {
            Ok(dialled) => dialled,
            Err(TryRecvError::Empty) => return 0,
            Err(TryRecvError::Disconnected) => Err(DialError::Gone),
        };
        let begun = dialled.map_err(DownCause::Dial).and_then(|connected| {
            let mut stream = connected.stream;
            if let Some(to) = &self.readiness {
                // A poller that does not tell only makes the caller look later.
                let _ = stream.register(&to.registry, to.token);
            }
            self.begin(stream, now)
        });
        match begun {
            Ok(shaking) => {
                self.state = State::Shaking(Box::new(shaking));
                self.shake(now, tell) + 1
            }
            Err(cause) => self.down(cause, now, tell),
        }
    }

    fn begin(&self, stream: Stream, now: Nanos) -> Result<Shaking, DownCause> {
        let block = random_block()?;
        let key = *block.first_chunk::<16>().unwrap_or(&[0; 16]);
        let fields: Vec<(&str, &str)> = self
            .settings
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let endpoint = &self.settings.endpoint;
        let handshake = Handshake::new(&endpoint.authority(), &endpoint.target, &fields, key)?;
        Ok(Shaking {
            stream,
            handshake,
            written: 0,
            deadline: now.plus(self.settings.handshake_ns),
        })
    }

    fn shake(&mut self, now: Nanos, tell: &mut impl FnMut(SocketEvent<'_>)) -> usize {
        let State::Shaking(shaking) = &mut self.state else {
            return 0;
        };
        match shaking.go_on(&mut self.buffer, now) {
            Ok(None) => 0,
            Ok(Some(behind)) => match self.open(now, tell) {
                Ok(()) => {
                    self.unread = behind;
                    1
                }
                Err(cause) => self.down(cause, now, tell),
            },
            Err(cause) => self.down(cause, now, tell),
        }
    }

    fn open(
        &mut self,
        now: Nanos,
        tell: &mut impl FnMut(SocketEvent<'_>),
    ) -> Result<(), DownCause> {
        let block = random_block()?;
        let State::Shaking(shaking) = std::mem::replace(&mut self.state, State::Down) else {
            return Ok(());
        };
        self.state = State::Open(shaking.stream);
        self.socket = WebSocket::with_timing(self.settings.limits, self.settings.timing);
        self.socket.refill_masks(&block);
        let _ = self.socket.handle_timeout(now);
        self.backoff.succeed(now);
        let is_gap = std::mem::replace(&mut self.was_open, true);
        tell(SocketEvent::Opened { is_gap });
        Ok(())
    }

    /// Reads, tells, writes, and looks at the clock.
    fn work(&mut self, now: Nanos, tell: &mut impl FnMut(SocketEvent<'_>)) -> usize {
        self.write_out();
        let mut work = 0;
        for _ in 0..READS_PER_POLL {
            if self.take(now, tell) {
                return work + 1;
            }
            let State::Open(stream) = &mut self.state else {
                return work;
            };
            match stream.read(&mut self.buffer) {
                Ok(Got::Nothing) => break,
                Ok(Got::Bytes(count)) => {
                    self.unread = 0..count;
                    work += 1;
                }
                Ok(Got::End) => {
                    let _ = self.socket.end_of_stream(now);
                    break;
                }
                Err(error) => {
                    let cause = self.lost(error, now);
                    return work + self.down(cause, now, tell);
                }
            }
        }
        if let Err(cause) = self.refill() {
            return work + self.down(cause, now, tell);
        }
        let _ = self.socket.handle_timeout(now);
        self.write_out();
        if self.socket.is_finished() {
            let is_written = matches!(&self.state, State::Open(stream) if !stream.has_unwritten());
            let cause = match self.socket.failure() {
                Some(failure) => DownCause::Protocol(failure),
                None if self.socket.is_closed_cleanly() && is_written => DownCause::Closed,
                None => DownCause::Unclean,
            };
            work += self.down(cause, now, tell);
        }
        work
    }

    /// What a stream that broke means: behind a closing handshake it is the end of it.
    fn lost(&mut self, error: StreamError, now: Nanos) -> DownCause {
        if let Some(failure) = self.socket.failure() {
            return DownCause::Protocol(failure);
        }
        if self.socket.is_open() {
            return error.into();
        }
        let _ = self.socket.end_of_stream(now);
        match self.socket.is_closed_cleanly() {
            true => DownCause::Closed,
            false => error.into(),
        }
    }

    fn refill(&mut self) -> Result<(), DownCause> {
        if self.socket.needs_masks() {
            self.socket.refill_masks(&random_block()?);
        }
        Ok(())
    }

    /// Gives unread octets to the protocol, up to the first event, and tells it; whether there was one.
    fn take(&mut self, now: Nanos, tell: &mut impl FnMut(SocketEvent<'_>)) -> bool {
        while !self.unread.is_empty() {
            let Ok(received) = self.socket.receive(&self.buffer[self.unread.clone()], now) else {
                // The close frame that says why is in the output; what else came is dropped.
                self.unread = 0..0;
                self.write_out();
                return false;
            };
            self.unread.start += received.consumed;
            let event = received.event.map(|event| match event {
                Event::Text(text) => SocketEvent::Text(text),
                Event::Binary(octets) => SocketEvent::Binary(octets),
                Event::Pong(octets) => SocketEvent::Pong(octets),
                Event::Closed { code, reason } => SocketEvent::Closing { code, reason },
            });
            let has_event = event.is_some();
            if let Some(event) = event {
                tell(event);
            }
            // Pongs leave at once. Without randomness the next poll ends the connection.
            let _ = self.refill();
            self.write_out();
            if has_event {
                return true;
            }
        }
        false
    }

    fn down(
        &mut self,
        cause: DownCause,
        now: Nanos,
        tell: &mut impl FnMut(SocketEvent<'_>),
    ) -> usize {
        let mut retry_after_ns = None;
        let mut is_refused = false;
        match std::mem::replace(&mut self.state, State::Down) {
            State::Open(stream) => {
                self.unread = 0..0;
                stream.close();
            }
            State::Shaking(shaking) => {
                let status = shaking.handshake.failure_status();
                is_refused = matches!(status, Some(401 | 403));
                let seconds = shaking.handshake.retry_after_s();
                let seconds = seconds.map(|seconds| u64::from(seconds).min(MOST_RETRY_AFTER_S));
                retry_after_ns = seconds.map(|seconds| seconds * 1_000_000_000);
                shaking.stream.close();
            }
            _ => {}
        }
        if is_refused || !self.settings.comes_back {
            self.state = State::Stopped;
        } else {
            let random = random_block().ok();
            let random = random.and_then(|block| block.first_chunk().copied());
            let random = random.map_or(u64::MAX, u64::from_le_bytes);
            self.backoff.fail(now, random, retry_after_ns);
        }
        tell(SocketEvent::Down(cause));
        1
    }
}

impl Shaking {
    /// Writes the request and reads the answer; the octets of the buffer behind the answer once it is good.
    fn go_on(&mut self, buffer: &mut [u8], now: Nanos) -> Result<Option<Range<usize>>, DownCause> {
        let request = self.handshake.request();
        if self.written < request.len() || self.stream.has_unwritten() {
            self.written += self.stream.write(&request[self.written..])?;
        }
        loop {
            match self.stream.read(buffer)? {
                Got::Bytes(count) => {
                    let (taken, is_done) = self.handshake.feed(&buffer[..count])?;
                    if is_done {
                        return Ok(Some(taken..count));
                    }
                }
                Got::End => return Err(DownCause::EndedInHandshake),
                Got::Nothing if now >= self.deadline => return Err(DownCause::HandshakeTimedOut),
                Got::Nothing => return Ok(None),
            }
        }
    }
}
