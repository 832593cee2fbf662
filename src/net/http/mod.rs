//! HTTP/1.1 as a client speaks it, without a socket.
//!
//! Runs on: any thread; nothing here does I/O.
//! Owns: the bytes of requests and the strict reading of responses.
//! Never: reads a clock; allocates once its buffers have grown to what the connection needs.

mod head;

pub use head::Head;
