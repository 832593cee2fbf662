//! What a connection makes of the bytes that its peer sends.
//!
//! Runs on: any thread.
//! Owns: the way from bytes over frames to events, whole or in pieces.
//! Never: keeps a message that lies whole in the input, or reads on after an error.

use super::connection::WebSocket;
use super::control::{ControlPayload, is_close_code};
use super::error::{WebSocketError, WebSocketRule};
use super::event::{Event, Received};
use super::frame::{FrameHeader, Opcode};
use super::message::Kind;
use super::utf8::Utf8Validator;
use crate::net::limits::WebSocketLimits;
use crate::types::Nanos;

/// What a peer may send between our close frame and its own: nothing of it is kept.
const DROPPED: WebSocketLimits = WebSocketLimits {
    message_bytes: usize::MAX,
    fragments: usize::MAX,
    out_bytes: 0,
};

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

impl WebSocket {
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
            if let Some(outcome) = self.take_payload(&header, piece)? {
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
            self.control.clear();
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
    ) -> Result<Option<Outcome>, WebSocketError> {
        let piece_at = self.received;
        let is_whole = piece.len() as u64 == header.length;
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
