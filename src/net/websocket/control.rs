//! Payloads of control frames, and the codes that close frames carry.
//!
//! Runs on: any thread.
//! Owns: up to 125 octets in place.
//! Never: allocates.

use super::frame::CONTROL_BYTES;

/// Whether an endpoint may send a close frame with this code (RFC 6455, section 7.4, and the codes registered since).
#[must_use]
pub const fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The payload of a control frame.
#[derive(Clone, Copy)]
pub(super) struct ControlPayload {
    bytes: [u8; CONTROL_BYTES],
    length: usize,
}

impl ControlPayload {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; CONTROL_BYTES],
        length: 0,
    };

    /// Forgets everything.
    pub(super) const fn clear(&mut self) {
        self.length = 0;
    }

    /// Appends; the frame decoder has seen to the length.
    pub(super) fn extend(&mut self, piece: &[u8]) {
        let end = self.length + piece.len();
        self.bytes[self.length..end].copy_from_slice(piece);
        self.length = end;
    }

    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut payload = Self::EMPTY;
        for part in parts {
            payload.extend(part);
        }
        payload
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
