//! A limit on everything that a peer can make longer.
//!
//! Runs on: start-up.
//! Owns: the limits and their defaults.
//! Never: is changed while a connection lives.

/// What a response may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpLimits {
    /// Bytes of a status line with its fields and the blank line. Default 32 KiB.
    pub head_bytes: usize,
    /// Fields of a head. Default 100.
    pub fields: usize,
    /// Interim (1xx) responses before the final one. Default 16.
    pub interim_responses: usize,
    /// Bytes of one chunk's extensions. Default 256.
    pub chunk_extension_bytes: usize,
    /// Bytes of all chunk extensions of a body. Default 4 KiB.
    pub body_extension_bytes: usize,
    /// Bytes of the trailer section. Default 8 KiB.
    pub trailer_bytes: usize,
    /// Bytes of a body, decoded. Default 1 MiB.
    pub body_bytes: usize,
}

impl HttpLimits {
    /// For answers to single requests.
    pub const DEFAULT: Self = Self {
        head_bytes: 32 << 10,
        fields: 100,
        interim_responses: 16,
        chunk_extension_bytes: 256,
        body_extension_bytes: 4 << 10,
        trailer_bytes: 8 << 10,
        body_bytes: 1 << 20,
    };
    /// For lists such as assets: a body of 8 MiB.
    pub const BULK: Self = Self {
        body_bytes: 8 << 20,
        ..Self::DEFAULT
    };
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a WebSocket peer may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WebSocketLimits {
    /// Bytes of a message, of one frame as of many. Default 1 MiB.
    pub message_bytes: usize,
    /// Frames of a message. Default 1,024.
    pub fragments: usize,
    /// Bytes that wait to be written. Default 64 KiB.
    pub out_bytes: usize,
}

impl WebSocketLimits {
    /// For order events.
    pub const DEFAULT: Self = Self {
        message_bytes: 1 << 20,
        fragments: 1_024,
        out_bytes: 64 << 10,
    };
    /// For market data: messages of 16 MiB.
    pub const MARKET_DATA: Self = Self {
        message_bytes: 16 << 20,
        ..Self::DEFAULT
    };
}

impl Default for WebSocketLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
