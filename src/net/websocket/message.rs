//! A message that arrives in pieces.
//!
//! Runs on: any thread.
//! Owns: the payload so far, of one frame or of many, and the check of its text.
//! Never: makes room for octets that are announced but not there.

use super::error::WebSocketRule;
use super::frame::{FrameHeader, Opcode};
use super::utf8::Utf8Validator;
use crate::net::limits::WebSocketLimits;

/// The first growth of the buffer; every other one doubles it.
const FIRST_BYTES: usize = 4 << 10;

/// What a message is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Binary,
}

/// The message that is open, if one is.
pub(super) struct Message {
    kind: Option<Kind>,
    /// Octets that the frames so far announced.
    announced: u64,
    fragments: usize,
    bytes: Vec<u8>,
    utf8: Utf8Validator,
}

impl Message {
    pub(super) const fn new() -> Self {
        Self {
            kind: None,
            announced: 0,
            fragments: 0,
            bytes: Vec::new(),
            utf8: Utf8Validator::new(),
        }
    }

    /// Takes the header of a data frame.
    pub(super) fn begin_frame(
        &mut self,
        header: &FrameHeader,
        limits: &WebSocketLimits,
    ) -> Result<Kind, WebSocketRule> {
        let kind = match (header.opcode, self.kind) {
            (Opcode::Continuation, None) => return Err(WebSocketRule::UnexpectedContinuation),
            (Opcode::Continuation, Some(kind)) => kind,
            (_, Some(_)) => return Err(WebSocketRule::ExpectedContinuation),
            (opcode, None) => {
                self.announced = 0;
                self.fragments = 0;
                self.bytes.clear();
                self.utf8 = Utf8Validator::new();
                if opcode == Opcode::Text {
                    Kind::Text
                } else {
                    Kind::Binary
                }
            }
        };
        if self.fragments >= limits.fragments {
            return Err(WebSocketRule::TooManyFragments);
        }
        let announced = self.announced.saturating_add(header.length);
        if announced > limits.message_bytes as u64 {
            return Err(WebSocketRule::MessageTooLong);
        }
        self.kind = Some(kind);
        self.fragments += 1;
        self.announced = announced;
        Ok(kind)
    }

    /// What the open message is made of.
    pub(super) const fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Takes octets of a payload. The error is the index of the octet that makes a text invalid.
    pub(super) fn append(&mut self, bytes: &[u8], limit: usize) -> Result<(), usize> {
        if self.kind == Some(Kind::Text) {
            self.utf8.feed(bytes)?;
        }
        self.make_room(bytes.len(), limit);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Doubles the buffer where it must grow, but not beyond the limit.
    fn make_room(&mut self, more: usize, limit: usize) {
        let length = self.bytes.len() + more;
        if length > self.bytes.capacity() {
            let doubled = (self.bytes.capacity() * 2).max(FIRST_BYTES);
            let wanted = length.max(doubled.min(limit));
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
    }

    /// Whether every octet of the message was in the frame that just began, so that nothing was kept.
    pub(super) const fn is_only(&self, header: &FrameHeader) -> bool {
        header.fin && self.fragments == 1
    }

    /// Ends the message; false if its text ends within a character.
    pub(super) const fn end(&mut self) -> bool {
        self.kind = None;
        self.utf8.is_complete()
    }

    /// The payload kept, whole once the message has ended.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The payload of an ended text message, every octet of which was found valid when it was taken.
    pub(super) fn text(&self) -> &str {
        let text = simdutf8::basic::from_utf8(&self.bytes);
        debug_assert!(text.is_ok(), "invariant: kept text is valid");
        text.unwrap_or_default()
    }

    /// Octets of memory held.
    pub(super) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fin: bool, opcode: Opcode, length: u64) -> FrameHeader {
        FrameHeader {
            fin,
            opcode,
            length,
            header_bytes: 2,
        }
    }

    #[test]
    fn announced_octets_take_no_memory_and_those_that_arrive_at_most_the_limit() {
        let limits = WebSocketLimits {
            message_bytes: 100_000,
            ..WebSocketLimits::DEFAULT
        };
        let mut message = Message::new();
        let first = header(true, Opcode::Binary, 100_000);
        assert_eq!(message.begin_frame(&first, &limits), Ok(Kind::Binary));
        assert_eq!(message.capacity(), 0);
        for _ in 0..100_000 {
            assert_eq!(message.append(b"x", limits.message_bytes), Ok(()));
            assert!(message.capacity() <= (2 * message.bytes().len()).max(FIRST_BYTES));
        }
        assert_eq!(message.capacity(), 100_000);
    }

    #[test]
    fn limits_are_kept_at_the_octet_and_at_the_frame() {
        let limits = WebSocketLimits {
            message_bytes: 10,
            fragments: 3,
            ..WebSocketLimits::DEFAULT
        };
        let more = |length| header(false, Opcode::Continuation, length);
        let mut message = Message::new();
        let begin = header(false, Opcode::Text, 4);
        assert_eq!(message.begin_frame(&begin, &limits), Ok(Kind::Text));
        assert_eq!(message.begin_frame(&more(6), &limits), Ok(Kind::Text));
        let too_long = Err(WebSocketRule::MessageTooLong);
        assert_eq!(message.begin_frame(&more(1), &limits), too_long);
        assert_eq!(message.begin_frame(&more(u64::MAX >> 1), &limits), too_long);
        assert_eq!(message.begin_frame(&more(0), &limits), Ok(Kind::Text));
        let too_many = Err(WebSocketRule::TooManyFragments);
        assert_eq!(message.begin_frame(&more(0), &limits), too_many);
        let again = message.begin_frame(&begin, &limits);
        assert_eq!(again, Err(WebSocketRule::ExpectedContinuation));
        message.end();
        let stray = message.begin_frame(&more(0), &limits);
        assert_eq!(stray, Err(WebSocketRule::UnexpectedContinuation));
    }
}
