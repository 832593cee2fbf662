//! HTTP/1.1 as a client speaks it, without a socket.
//!
//! Runs on: any thread; nothing here does I/O.
//! Owns: the bytes of requests and the strict reading of responses.
//! Never: reads a clock; allocates once its buffers have grown to what the connection needs.
//!
//! A request is rendered by a [`Template`], its life on a connection is an [`Exchange`], and what comes back is read
//! by a [`ResponseReader`] (inside the exchange) with a [`Head`] and a [`ChunkDecoder`].

mod chunk;
mod exchange;
mod framing;
mod head;
mod octets;
mod request;
mod response;
mod template;

pub use chunk::ChunkDecoder;
pub use exchange::{Exchange, ExchangeState, NotSentCause, Outcome, UnknownCause};
pub use head::Head;
pub use request::{Expect, Method};
pub use response::ResponseReader;
pub use template::{EncodeError, Template, TemplateBuilder, TemplateError};
