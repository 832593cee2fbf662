//! What a connection tells its caller.
//!
//! Runs on: any thread.
//! Owns: nothing: an event borrows the bytes that were read, or the connection.
//! Never: copies a message.

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

/// What [`WebSocket::receive`](super::WebSocket::receive) made of the bytes it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received<'a> {
    /// Bytes that are dealt with; the caller gives the rest again. At least 1, unless there were none.
    pub consumed: usize,
    /// What they brought. It borrows them, or the connection.
    pub event: Option<Event<'a>>,
}
