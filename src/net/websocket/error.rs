//! Which rule of RFC 6455 was broken, and where.
//!
//! Runs on: any thread.
//! Owns: the rules of a WebSocket connection as a list, the close code that each calls for, the error that names one.
//! Never: carries the peer's text.

use std::fmt;

/// A rule of RFC 6455, or a limit of this client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum WebSocketRule {
    /// A frame of the server has a mask (section 5.1).
    MaskedFrame,
    /// RSV1, RSV2 or RSV3 without an extension that gives it a meaning (5.2).
    ReservedBits,
    /// Opcode 3 to 7 or 11 to 15 (5.2).
    ReservedOpcode,
    /// A length in more octets than it needs (5.2).
    NonMinimalLength,
    /// A length of 64 bits with the highest set (5.2).
    NegativeLength,
    /// A control frame's payload, received or to be sent, is over 125 octets (5.5).
    ControlTooLong,
    /// A control frame without FIN (5.4).
    ControlFragmented,
    /// A continuation while no message is open (5.4).
    UnexpectedContinuation,
    /// A new message while another is open (5.4).
    ExpectedContinuation,
    /// A close frame with a payload of one octet (5.5.1).
    CloseLength,
    /// A close code that no endpoint may send (7.4).
    CloseCode,
    /// A close reason that is not UTF-8 (5.5.1).
    CloseReasonUtf8,
    /// A text message that is not UTF-8 (8.1).
    Utf8,
    /// More message than [`WebSocketLimits::message_bytes`](crate::net::WebSocketLimits::message_bytes).
    MessageTooLong,
    /// More frames of a message than [`WebSocketLimits::fragments`](crate::net::WebSocketLimits::fragments).
    TooManyFragments,
    /// The peer was silent, pings notwithstanding.
    PongTimeout,
    /// The peer did not answer our close frame in time.
    CloseTimeout,
    /// The stream ended before the closing handshake did.
    Truncated,
    /// A frame to be sent has no room in [`WebSocketLimits::out_bytes`](crate::net::WebSocketLimits::out_bytes).
    OutputFull,
    /// A frame to be sent after a close frame, or after the connection failed.
    NotOpen,
}

impl WebSocketRule {
    /// A stable name, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaskedFrame => "masked_frame",
            Self::ReservedBits => "reserved_bits",
            Self::ReservedOpcode => "reserved_opcode",
            Self::NonMinimalLength => "non_minimal_length",
            Self::NegativeLength => "negative_length",
            Self::ControlTooLong => "control_too_long",
            Self::ControlFragmented => "control_fragmented",
            Self::UnexpectedContinuation => "unexpected_continuation",
            Self::ExpectedContinuation => "expected_continuation",
            Self::CloseLength => "close_length",
            Self::CloseCode => "close_code",
            Self::CloseReasonUtf8 => "close_reason_utf8",
            Self::Utf8 => "utf8",
            Self::MessageTooLong => "message_too_long",
            Self::TooManyFragments => "too_many_fragments",
            Self::PongTimeout => "pong_timeout",
            Self::CloseTimeout => "close_timeout",
            Self::Truncated => "truncated",
            Self::OutputFull => "output_full",
            Self::NotOpen => "not_open",
        }
    }

    /// The code that tells a peer of this: 1002 (protocol), 1007 (not UTF-8) or 1009 (too big). 1006, which no frame
    /// carries, for a connection that is gone and for what only concerns this side.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::CloseReasonUtf8 | Self::Utf8 => 1007,
            Self::MessageTooLong | Self::TooManyFragments => 1009,
            Self::PongTimeout
            | Self::CloseTimeout
            | Self::Truncated
            | Self::OutputFull
            | Self::NotOpen => 1006,
            _ => 1002,
        }
    }
}

impl fmt::Display for WebSocketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connection that broke a rule, or a frame that may not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("websocket breaks the rule {rule} at byte {offset}")]
pub struct WebSocketError {
    /// Which rule.
    pub rule: WebSocketRule,
    /// Octets received behind the handshake before the one that broke the rule. Where a whole frame is out of place
    /// (continuations), its first octet; where a length is over a limit, the length's last one; where an octet is
    /// missing (text that ends within a character, silence, the stream's end), all that were received. Of a frame that
    /// may not be sent: octets that wait to be written.
    pub offset: u64,
}

impl WebSocketError {
    pub(super) const fn new(rule: WebSocketRule, offset: u64) -> Self {
        Self { rule, offset }
    }

    /// See [`WebSocketRule::close_code`].
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        self.rule.close_code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_follow_the_rule() {
        let code = |rule| WebSocketError::new(rule, 0).close_code();
        assert_eq!(code(WebSocketRule::MaskedFrame), 1002);
        assert_eq!(code(WebSocketRule::CloseCode), 1002);
        assert_eq!(code(WebSocketRule::Utf8), 1007);
        assert_eq!(code(WebSocketRule::CloseReasonUtf8), 1007);
        assert_eq!(code(WebSocketRule::TooManyFragments), 1009);
        assert_eq!(code(WebSocketRule::MessageTooLong), 1009);
        assert_eq!(code(WebSocketRule::Truncated), 1006);
    }

    #[test]
    fn errors_say_rule_and_place() {
        let error = WebSocketError::new(WebSocketRule::ReservedBits, 7);
        let text = "websocket breaks the rule reserved_bits at byte 7";
        assert_eq!(error.to_string(), text);
    }
}
