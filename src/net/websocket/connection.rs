//! A client's side of a WebSocket connection, from the first frame to the last.
//!
//! Runs on: any thread.
//! Owns: the state of the connection, the message that is open, and the frames that wait to be written.
//! Never: reads a clock, makes a mask, sends data behind a close frame, or reads on after an error.

use std::fmt;

use super::error::{WebSocketError, WebSocketRule};
use super::frame::{CONTROL_BYTES, FrameDecoder, FrameHeader, Opcode};
use super::masks::{MASK_BLOCK_BYTES, Masks};
use super::message::{Kind, Message};
use super::output::Output;
use super::timing::{Silence, Timers, WebSocketTiming};
use super::utf8::Utf8Validator;
use crate::net::limits::WebSocketLimits;
use crate::types::Nanos;

/// Masks that only a close frame may use.
const RESERVED_MASKS: usize = 1;
/// The longest reason of a close frame: its code is in the payload too.
const REASON_BYTES: usize = CONTROL_BYTES - 2;
/// What a peer may send between our close frame and its own: nothing of it is kept.
const DROPPED: WebSocketLimits = WebSocketLimits {
    message_bytes: usize::MAX,
    fragments: usize::MAX,
    out_bytes: 0,
};

/// What the peer sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A pong's payload, asked for or not; at most 125 octets.
    Pong(&'a [u8]),
    /// The peer's close frame. The answer waits in the output; nothing else will come.
    Closed {
        /// Why, where the peer said it.
        code: Option<u16>,
        /// At most 123 octets, for a human.
        reason: &'a str,
    },
}

/// What [`WebSocket::receive`] made of the bytes it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received<'a> {
    /// Bytes that are dealt with; the caller gives the rest again. At least 1, unless there were none.
    pub consumed: usize,
    /// What they brought. It borrows them, or the connection.
    pub event: Option<Event<'a>>,
}

/// Whether an endpoint may send a close frame with this code (RFC 6455, section 7.4, and the codes registered since).
#[must_use]
pub const fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Where the octets of an event lie.
#[derive(Clone, Copy)]
enum Place {
    /// In the bytes just given, as a whole frame.
    Input,
    /// In the buffer for what comes in pieces.
    Kept,
}

/// An event that borrows nothing yet.
#[derive(Clone, Copy)]
enum Outcome {
    Text(Place),
    Binary(Place),
    Pong(Place),
    Closed(Option<u16>, Place),
}

/// The payload of a control frame.
#[derive(Clone, Copy)]
struct ControlPayload {
    bytes: [u8; CONTROL_BYTES],
    length: usize,
}

impl ControlPayload {
    const EMPTY: Self = Self {
        bytes: [0; CONTROL_BYTES],
        length: 0,
    };

    /// Appends; the frame decoder has seen to the length.
    fn extend(&mut self, piece: &[u8]) {
        let end = self.length + piece.len();
        self.bytes[self.length..end].copy_from_slice(piece);
        self.length = end;
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut payload = Self::EMPTY;
        for part in parts {
            payload.extend(part);
        }
        payload
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A WebSocket connection behind its handshake, without the socket.
///
/// The caller gives what it read to [`receive`](Self::receive) until all of it is consumed, writes
/// [`output`](Self::output), asks [`next_deadline`](Self::next_deadline) when to call
/// [`handle_timeout`](Self::handle_timeout), and keeps the masks filled ([`needs_masks`](Self::needs_masks)). It drops
/// the socket when [`is_finished`](Self::is_finished), having tried once to write what waits.
pub struct WebSocket {
    limits: WebSocketLimits,
    timers: Timers,
    decoder: FrameDecoder,
    /// The frame whose payload is not complete.
    frame: Option<FrameHeader>,
    /// Octets that its payload lacks.
    remaining: u64,
    /// Octets received before the header that is being read, or was read last.
    frame_at: u64,
    received: u64,
    message: Message,
    control: ControlPayload,
    output: Output,
    masks: Masks,
    /// The latest ping that had no room, or no mask, for its pong.
    unsent_pong: Option<ControlPayload>,
    /// A close frame that had no mask.
    unsent_close: Option<ControlPayload>,
    close_sent: bool,
    close_received: bool,
    is_finished: bool,
    failure: Option<WebSocketError>,
}

impl WebSocket {
    /// A connection whose handshake is done, with the default [`WebSocketTiming`].
    #[must_use]
    pub fn new(limits: WebSocketLimits) -> Self {
        Self::with_timing(limits, WebSocketTiming::DEFAULT)
    }

    /// A connection whose handshake is done.
    #[must_use]
    pub fn with_timing(limits: WebSocketLimits, timing: WebSocketTiming) -> Self {
        Self {
            limits,
            timers: Timers::new(timing),
            decoder: FrameDecoder::new(),
            frame: None,
            remaining: 0,
            frame_at: 0,
            received: 0,
            message: Message::new(),
            control: ControlPayload::EMPTY,
            output: Output::new(limits.out_bytes),
            masks: Masks::new(),
            unsent_pong: None,
            unsent_close: None,
            close_sent: false,
            close_received: false,
            is_finished: false,
            failure: None,
        }
    }

    // ---- from the peer ---------------------------------------------------------------------------------------

    /// Takes bytes up to the end of the first event, or all of them. Pings are answered inside; where that leaves
    /// [few masks](Self::needs_masks), it stops for the caller to refill them. Once the peer has closed, or the
    /// connection failed, everything is dropped.
    ///
    /// # Errors
    /// The rule that the peer broke. A close frame with its code waits in the output then; the caller writes it and
    /// reads on until the stream ends or [`is_finished`](Self::is_finished).
    pub fn receive<'a>(
        &'a mut self,
        bytes: &'a [u8],
        now: Nanos,
    ) -> Result<Received<'a>, WebSocketError> {
        if !bytes.is_empty() {
            self.timers.heard(now);
        }
        let mut at = 0;
        while at < bytes.len() {
            if self.close_received || self.failure.is_some() || self.is_finished {
                at = bytes.len();
                break;
            }
            let is_new = self.frame.is_none();
            let header = match self.frame {
                Some(header) => header,
                None => match self.read_header(&bytes[at..])? {
                    (taken, Some(header)) => {
                        at += taken;
                        header
                    }
                    (taken, None) => {
                        at += taken;
                        break;
                    }
                },
            };
            let rest = &bytes[at..];
            let length = usize::try_from(self.remaining).map_or(rest.len(), |n| n.min(rest.len()));
            let piece = &rest[..length];
            at += length;
            let is_whole = is_new && length as u64 == header.length;
            if let Some(outcome) = self.take_payload(&header, piece, is_whole)? {
                return Ok(Received {
                    consumed: at,
                    event: Some(self.event(outcome, piece)?),
                });
            }
            if header.opcode == Opcode::Ping && self.masks.is_low() {
                break;
            }
        }
        Ok(Received {
            consumed: at,
            event: None,
        })
    }

    fn read_header(
        &mut self,
        bytes: &[u8],
    ) -> Result<(usize, Option<FrameHeader>), WebSocketError> {
        let (taken, header) = match self.decoder.feed(bytes) {
            Ok(read) => read,
            Err(error) => {
                return Err(self.fail(error.rule, self.frame_at + u64::from(error.index)));
            }
        };
        self.received += taken as u64;
        if let Some(header) = header {
            if !header.opcode.is_control() {
                self.begin_data(&header)?;
            }
            self.frame = Some(header);
            self.remaining = header.length;
            self.control = ControlPayload::EMPTY;
        }
        Ok((taken, header))
    }

    fn begin_data(&mut self, header: &FrameHeader) -> Result<(), WebSocketError> {
        let limits = if self.close_sent {
            &DROPPED
        } else {
            &self.limits
        };
        if let Err(rule) = self.message.begin_frame(header, limits) {
            let offset = match rule {
                WebSocketRule::MessageTooLong => self.received - 1,
                _ => self.frame_at,
            };
            return Err(self.fail(rule, offset));
        }
        Ok(())
    }

    /// Takes a piece of the open frame's payload, or all of it.
    fn take_payload(
        &mut self,
        header: &FrameHeader,
        piece: &[u8],
        is_whole: bool,
    ) -> Result<Option<Outcome>, WebSocketError> {
        let piece_at = self.received;
        self.received += piece.len() as u64;
        self.remaining -= piece.len() as u64;
        let is_end = self.remaining == 0;
        if is_end {
            self.frame = None;
            self.frame_at = self.received;
        }
        match self.message.kind() {
            _ if header.opcode.is_control() => {
                if is_whole {
                    return self.take_control(header.opcode, piece, Place::Input);
                }
                self.control.extend(piece);
                if !is_end {
                    return Ok(None);
                }
                let control = self.control;
                self.take_control(header.opcode, control.as_slice(), Place::Kept)
            }
            Some(kind) if !self.close_sent => {
                let place = if is_whole && self.message.is_only(header) {
                    // Handed out from where it lies: it is checked there.
                    Place::Input
                } else {
                    let limit = self.limits.message_bytes;
                    if let Err(index) = self.message.append(piece, limit) {
                        return Err(self.fail(WebSocketRule::Utf8, piece_at + index as u64));
                    }
                    Place::Kept
                };
                if !(is_end && header.fin) {
                    return Ok(None);
                }
                if !self.message.end() {
                    return Err(self.fail(WebSocketRule::Utf8, self.received));
                }
                Ok(Some(match kind {
                    Kind::Text => Outcome::Text(place),
                    Kind::Binary => Outcome::Binary(place),
                }))
            }
            _ => {
                if is_end && header.fin {
                    self.message.end();
                }
                Ok(None)
            }
        }
    }

    fn take_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        place: Place,
    ) -> Result<Option<Outcome>, WebSocketError> {
        match opcode {
            Opcode::Close => self
                .take_close(payload)
                .map(|code| Some(Outcome::Closed(code, place))),
            // Nothing is answered or told between our close frame and the peer's.
            _ if self.close_sent => Ok(None),
            Opcode::Ping => {
                self.unsent_pong = Some(ControlPayload::of(&[payload]));
                self.flush();
                Ok(None)
            }
            _ => Ok(Some(Outcome::Pong(place))),
        }
    }

    /// The peer's close frame; its payload is never a single octet.
    fn take_close(&mut self, payload: &[u8]) -> Result<Option<u16>, WebSocketError> {
        let payload_at = self.received - payload.len() as u64;
        let code = match payload.split_first_chunk() {
            None => None,
            Some((code, reason)) => {
                let code = u16::from_be_bytes(*code);
                if !is_close_code(code) {
                    return Err(self.fail(WebSocketRule::CloseCode, payload_at + 1));
                }
                if let Some(index) = first_invalid(reason) {
                    let offset = payload_at + 2 + index as u64;
                    return Err(self.fail(WebSocketRule::CloseReasonUtf8, offset));
                }
                Some(code)
            }
        };
        self.close_received = true;
        self.queue_close(code);
        Ok(code)
    }

    /// Lends what an outcome speaks of; `piece` is the payload where that was whole in the input.
    fn event<'a>(
        &'a mut self,
        outcome: Outcome,
        piece: &'a [u8],
    ) -> Result<Event<'a>, WebSocketError> {
        Ok(match outcome {
            Outcome::Text(Place::Input) => match simdutf8::basic::from_utf8(piece) {
                Ok(text) => Event::Text(text),
                Err(_) => {
                    let index = first_invalid(piece).unwrap_or(piece.len());
                    let offset = self.received - piece.len() as u64 + index as u64;
                    return Err(self.fail(WebSocketRule::Utf8, offset));
                }
            },
            Outcome::Text(Place::Kept) => Event::Text(self.message.text()),
            Outcome::Binary(Place::Input) => Event::Binary(piece),
            Outcome::Binary(Place::Kept) => Event::Binary(self.message.bytes()),
            Outcome::Pong(Place::Input) => Event::Pong(piece),
            Outcome::Pong(Place::Kept) => Event::Pong(self.control.as_slice()),
            Outcome::Closed(code, place) => {
                let payload = match place {
                    Place::Input => piece,
                    Place::Kept => self.control.as_slice(),
                };
                // The reason was checked with the code.
                let reason = payload.get(2..).unwrap_or_default();
                let reason = std::str::from_utf8(reason).unwrap_or_default();
                Event::Closed { code, reason }
            }
        })
    }

    /// The peer has ended the stream.
    ///
    /// # Errors
    /// `truncated` if the closing handshake was not done and no other error was told before. What the caller lost is
    /// unknown then: the code that describes it is 1006.
    pub fn end_of_stream(&mut self, now: Nanos) -> Result<(), WebSocketError> {
        self.timers.heard(now);
        let was_finished = std::mem::replace(&mut self.is_finished, true);
        if was_finished || self.close_received || self.failure.is_some() {
            return Ok(());
        }
        Err(self.lose(WebSocketRule::Truncated))
    }

    // ---- to the peer -----------------------------------------------------------------------------------------

    /// Queues a text message in one frame.
    ///
    /// # Errors
    /// `not_open` behind a close frame or a failure; `output_full` if it has no room, now or ever. The connection is
    /// as it was.
    pub fn send_text(&mut self, text: &str, mask: [u8; 4]) -> Result<(), WebSocketError> {
        self.send(Opcode::Text, text.as_bytes(), mask)
    }

    /// Queues a binary message in one frame.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, bytes: &[u8], mask: [u8; 4]) -> Result<(), WebSocketError> {
        self.send(Opcode::Binary, bytes, mask)
    }

    /// Queues a ping of at most 125 octets.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text); `control_too_long`.
    pub fn send_ping(&mut self, payload: &[u8], mask: [u8; 4]) -> Result<(), WebSocketError> {
        if payload.len() > CONTROL_BYTES {
            return Err(self.refuse(WebSocketRule::ControlTooLong));
        }
        self.send(Opcode::Ping, payload, mask)
    }

    /// Queues a close frame, which there is always room for; nothing else is sent behind it. Does nothing where the
    /// connection is not open any more.
    ///
    /// # Errors
    /// `close_code` unless [`is_close_code`]; `control_too_long` for a reason over 123 octets.
    pub fn close(&mut self, code: u16, reason: &str, mask: [u8; 4]) -> Result<(), WebSocketError> {
        if !is_close_code(code) {
            return Err(self.refuse(WebSocketRule::CloseCode));
        }
        if reason.len() > REASON_BYTES {
            return Err(self.refuse(WebSocketRule::ControlTooLong));
        }
        if self.is_open() {
            let payload = ControlPayload::of(&[&code.to_be_bytes(), reason.as_bytes()]);
            self.output.push(Opcode::Close, payload.as_slice(), mask);
            self.close_sent = true;
            self.unsent_pong = None;
        }
        Ok(())
    }

    fn send(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        mask: [u8; 4],
    ) -> Result<(), WebSocketError> {
        if !self.is_open() {
            return Err(self.refuse(WebSocketRule::NotOpen));
        }
        if !self.output.has_room(payload.len()) {
            return Err(self.refuse(WebSocketRule::OutputFull));
        }
        self.output.push(opcode, payload, mask);
        Ok(())
    }

    /// Bytes to be written, in order; empty when there are none.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// Says that the first `count` bytes of [`output`](Self::output) were written. A pong that had no room may be
    /// queued by it.
    pub fn consume_output(&mut self, count: usize) {
        self.output.consume(count);
        self.flush();
    }

    /// Whether [`refill_masks`](Self::refill_masks) is due. Without masks a connection answers no ping and ends
    /// without a close frame.
    #[must_use]
    pub const fn needs_masks(&self) -> bool {
        self.masks.is_low()
    }

    /// Gives 256 octets from a cryptographically strong source for the frames that this connection sends by itself.
    pub fn refill_masks(&mut self, block: &[u8; MASK_BLOCK_BYTES]) {
        self.masks.refill(block);
        self.flush();
    }

    /// A mask for one frame of the caller's, from the same block; `None` when there are too few.
    pub fn take_mask(&mut self) -> Option<[u8; 4]> {
        if self.masks.left() > RESERVED_MASKS {
            self.masks.take()
        } else {
            None
        }
    }

    /// Queues what had no room or no mask before, if it has now.
    fn flush(&mut self) {
        if let Some(close) = self.unsent_close
            && let Some(mask) = self.masks.take() {
                self.output.push(Opcode::Close, close.as_slice(), mask);
                self.unsent_close = None;
            }
        if let Some(pong) = self.unsent_pong
            && self.is_open() && !self.output.is_half_full()
                && let Some(mask) = self.take_mask() {
                    self.output.push(Opcode::Pong, pong.as_slice(), mask);
                    self.unsent_pong = None;
                }
    }

    /// Queues our close frame where none was sent.
    fn queue_close(&mut self, code: Option<u16>) {
        if self.close_sent {
            return;
        }
        self.close_sent = true;
        self.unsent_pong = None;
        self.unsent_close = Some(match code {
            None => ControlPayload::EMPTY,
            Some(code) => ControlPayload::of(&[&code.to_be_bytes()]),
        });
        self.flush();
    }

    // ---- time and state --------------------------------------------------------------------------------------

    /// Does what is due: a ping into a silence, or the end of a connection that is dead or done.
    ///
    /// # Errors
    /// `pong_timeout` when the peer is dead; `close_timeout` when it did not answer our close frame. The connection is
    /// finished then.
    pub fn handle_timeout(&mut self, now: Nanos) -> Result<(), WebSocketError> {
        if self.is_finished {
            return Ok(());
        }
        if self.is_open() {
            return match self.timers.silence(now) {
                Silence::Short => Ok(()),
                Silence::Dead => Err(self.lose(WebSocketRule::PongTimeout)),
                Silence::Ping => {
                    // Without room or a mask no ping is sent: the silence counts all the same.
                    if self.output.has_room(0)
                        && let Some(mask) = self.take_mask() {
                            self.output.push(Opcode::Ping, &[], mask);
                        }
                    Ok(())
                }
            };
        }
        if self.timers.is_close_over(now) {
            self.is_finished = true;
            if !self.close_received && self.failure.is_none() {
                return Err(self.lose(WebSocketRule::CloseTimeout));
            }
        }
        Ok(())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): [`Nanos::ZERO`] for "at once", which it is for a new
    /// connection and for one that began to close, since their clocks begin with that call. `None` once finished.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        (!self.is_finished).then(|| self.timers.due(self.is_open()))
    }

    /// Whether messages may be sent: no close frame was, none came, nothing failed.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.close_sent && !self.close_received && self.failure.is_none() && !self.is_finished
    }

    /// Whether the peer broke a rule, or was lost.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The error that ended the connection, if one did.
    #[must_use]
    pub const fn failure(&self) -> Option<WebSocketError> {
        self.failure
    }

    /// Whether there is nothing more to wait for: the stream ended, the time of the closing handshake is over, or the
    /// peer is dead.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Whether both close frames went their ways, ours to the last byte, and the connection
    /// [is finished](Self::is_finished).
    #[must_use]
    pub const fn is_closed_cleanly(&self) -> bool {
        self.is_finished
            && self.close_received
            && self.close_sent
            && self.unsent_close.is_none()
            && self.output.len() == 0
            && self.failure.is_none()
    }

    /// Octets of memory that the buffers hold.
    #[must_use]
    pub const fn buffer_bytes(&self) -> usize {
        self.message.capacity() + self.output.capacity()
    }

    /// The peer broke a rule: it is told so, and not listened to any more.
    #[cold]
    fn fail(&mut self, rule: WebSocketRule, offset: u64) -> WebSocketError {
        let error = WebSocketError::new(rule, offset);
        self.failure = Some(error);
        self.queue_close(Some(rule.close_code()));
        error
    }

    /// The peer is gone: there is nobody to be told.
    #[cold]
    fn lose(&mut self, rule: WebSocketRule) -> WebSocketError {
        let error = WebSocketError::new(rule, self.received);
        self.failure = Some(error);
        self.is_finished = true;
        error
    }

    /// A frame of the caller's that is not sent; the connection lives on.
    #[cold]
    const fn refuse(&self, rule: WebSocketRule) -> WebSocketError {
        WebSocketError::new(rule, self.output.len() as u64)
    }
}

/// The octet that makes a whole text invalid; the text's length where that ends within a character.
fn first_invalid(text: &[u8]) -> Option<usize> {
    let mut check = Utf8Validator::new();
    match check.feed(text) {
        Err(index) => Some(index),
        Ok(()) if check.is_complete() => None,
        Ok(()) => Some(text.len()),
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("received", &self.received)
            .field("waiting", &self.output.len())
            .field("close_sent", &self.close_sent)
            .field("close_received", &self.close_received)
            .field("is_finished", &self.is_finished)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
