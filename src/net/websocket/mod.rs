//! WebSocket as a client speaks it (RFC 6455), without a socket.
//!
//! Runs on: any thread; nothing here does I/O.
//! Owns: the handshake, frames, messages and the closing handshake.
//! Never: reads a clock or makes randomness: instants and masks are arguments.
//!
//! A [`Handshake`] makes the request and judges the answer; the bytes behind the answer are the first that
//! [`WebSocket::receive`] is given. No extension is spoken, so none of the reserved bits has a meaning.

mod connection;
#[cfg(test)]
mod connection_tests;
mod control;
mod error;
mod event;
mod frame;
mod handshake;
mod masks;
mod message;
mod output;
mod receive;
mod timing;
mod utf8;

pub use connection::WebSocket;
pub use control::is_close_code;
pub use error::{WebSocketError, WebSocketRule};
pub use event::{Event, Received};
pub use frame::{
    CONTROL_BYTES, FrameDecoder, FrameError, FrameHeader, Opcode, apply_mask, decode_header,
    encode_frame, encoded_bytes,
};
pub use handshake::{Handshake, HandshakeError, HandshakeRule};
pub use masks::{MASK_BLOCK_BYTES, Masks};
pub use timing::WebSocketTiming;
pub use utf8::Utf8Validator;
