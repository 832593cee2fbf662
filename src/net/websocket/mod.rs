//! WebSocket as a client speaks it (RFC 6455), without a socket.
//!
//! Runs on: any thread; nothing here does I/O.
//! Owns: the handshake, frames, messages and the closing handshake.
//! Never: reads a clock or makes randomness: instants and masks are arguments.
