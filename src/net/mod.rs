//! Shrike's own non-blocking HTTP/1.1 and WebSocket client on mio.
//!
//! Runs on: a gateway's duty cycle, or any thread of a library user; dialling and DNS on a RESOLVER thread.
//! Owns: the bytes between a broker session and the kernel, and the answer to "did any of it leave?".
//! Never: sends a request twice, calls an unknown outcome a failure, or lets a peer grow its memory.
//!
//! # Shape
//!
//! Sans-I/O inside: [`http`] and [`websocket`] take bytes and instants and give bytes and events; they hold no socket,
//! clock or randomness, and the same input gives the same output wherever it is split. Around them lies thin I/O over
//! mio, with TLS by rustls.

pub mod backoff;
pub mod client;
pub mod dial;
pub mod endpoint;
pub mod error;
pub mod http;
pub mod limits;
mod stream;
mod tls;
pub mod websocket;
pub mod ws_client;

pub use backoff::{Backoff, BackoffSettings};
pub use client::{ExchangeId, HttpClient, HttpClientSettings, SendError, SendOptions};
pub use dial::{
    Connected, DialDeadlines, DialError, DialRequest, Dialled, Dialler, Resolver, TlsProblem,
};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{HttpError, HttpRule};
pub use limits::{HttpLimits, WebSocketLimits};
pub use stream::{Got, Sending, Stream, StreamError};
pub use tls::{Roots, TlsConfig, TlsConfigError};
pub use ws_client::{
    DownCause, MessageError, SocketEvent, WebSocketClient, WebSocketClientSettings,
};
