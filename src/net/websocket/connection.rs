//! A client's side of a WebSocket connection, from the first frame to the last.
//!
//! Runs on: any thread.
//! Owns: the state of the connection, the message that is open, and the frames that wait to be written.
//! Never: reads a clock, makes a mask, sends data behind a close frame, or reads on after an error.

use std::fmt;

use super::control::{ControlPayload, is_close_code};
use super::error::{WebSocketError, WebSocketRule};
use super::frame::{CONTROL_BYTES, FrameDecoder, FrameHeader, Opcode};
use super::masks::{MASK_BLOCK_BYTES, Masks};
use super::message::Message;
use super::output::Output;
use super::timing::{Silence, Timers, WebSocketTiming};
use crate::net::limits::WebSocketLimits;
use crate::types::Nanos;

/// Masks that only a close frame may use.
const RESERVED_MASKS: usize = 1;
/// The longest reason of a close frame: its code is in the payload too.
const REASON_BYTES: usize = CONTROL_BYTES - 2;

/// A WebSocket connection behind its handshake, without the socket.
///
/// The caller gives what it read to [`receive`](Self::receive) until all of it is consumed, writes
/// [`output`](Self::output), asks [`next_deadline`](Self::next_deadline) when to call
/// [`handle_timeout`](Self::handle_timeout), and keeps the masks filled ([`needs_masks`](Self::needs_masks)). It drops
/// the socket when [`is_finished`](Self::is_finished), having tried once to write what waits.
pub struct WebSocket {
    pub(super) limits: WebSocketLimits,
    pub(super) timers: Timers,
    pub(super) decoder: FrameDecoder,
    /// The frame whose payload is not complete.
    pub(super) frame: Option<FrameHeader>,
    /// Octets that its payload lacks.
    pub(super) remaining: u64,
    /// Octets received before the header that is being read, or was read last.
    pub(super) frame_at: u64,
    pub(super) received: u64,
    pub(super) message: Message,
    pub(super) control: ControlPayload,
    output: Output,
    pub(super) masks: Masks,
    /// The latest ping that had no room, or no mask, for its pong.
    pub(super) unsent_pong: Option<ControlPayload>,
    /// A close frame that had no mask.
    unsent_close: Option<ControlPayload>,
    pub(super) close_sent: bool,
    pub(super) close_received: bool,
    pub(super) is_finished: bool,
    pub(super) failure: Option<WebSocketError>,
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
    pub(super) fn flush(&mut self) {
        if let Some(close) = self.unsent_close
            && let Some(mask) = self.masks.take()
        {
            self.output.push(Opcode::Close, close.as_slice(), mask);
            self.unsent_close = None;
        }
        if let Some(pong) = self.unsent_pong
            && self.is_open()
            && !self.output.is_half_full()
            && let Some(mask) = self.take_mask()
        {
            self.output.push(Opcode::Pong, pong.as_slice(), mask);
            self.unsent_pong = None;
        }
    }

    /// Queues our close frame where none was sent.
    pub(super) fn queue_close(&mut self, code: Option<u16>) {
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
                        && let Some(mask) = self.take_mask()
                    {
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
    pub(super) fn fail(&mut self, rule: WebSocketRule, offset: u64) -> WebSocketError {
        let error = WebSocketError::new(rule, offset);
        self.failure = Some(error);
        self.queue_close(Some(rule.close_code()));
        error
    }

    /// The peer is gone: there is nobody to be told.
    #[cold]
    pub(super) fn lose(&mut self, rule: WebSocketRule) -> WebSocketError {
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
