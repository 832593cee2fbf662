//! HTTP/1.1 as a client speaks it, without a socket.
//!
//! Runs on: any thread; nothing here does I/O.
//! Owns: the bytes of requests and the strict reading of responses.
//! Never: reads a clock; allocates once its buffers have grown to what the connection needs.
//!
//! A request is rendered by a [`Template`], its life on a connection is an [`Exchange`], and what comes back is read
//! by a [`ResponseReader`] (inside the exchange) with a [`Head`] and a [`ChunkDecoder`].
//!
//! ```
//! use shrike::net::HttpLimits;
//! use shrike::net::http::{Exchange, Expect, Method, Outcome, Template};
//! use shrike::types::Nanos;
//!
//! let template = Template::builder(Method::Post, "api.example.com", "/v2/orders")
//!     .field("Authorization", "Bearer secret")
//!     .with_body()
//!     .build()?;
//! let mut out = Vec::new();
//! template.encode("", b"{}", &mut out)?;
//!
//! let mut exchange = Exchange::new(HttpLimits::DEFAULT);
//! exchange.begin(Expect::framed(template.method()), out.len(), Nanos(5_000_000_000));
//! exchange.wrote(out.len()); // what the socket said
//! exchange.received(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")?;
//! assert_eq!(exchange.outcome(), Some(Outcome::Response));
//! assert_eq!(exchange.response().body(), b"ok");
//! assert!(exchange.may_reuse());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunk;
mod exchange;
mod framing;
mod head;
pub(super) mod octets;
mod request;
mod response;
mod template;

pub use chunk::ChunkDecoder;
pub use exchange::{Exchange, ExchangeState, NotSentCause, Outcome, UnknownCause};
pub use head::Head;
pub use request::{Expect, Method};
pub use response::ResponseReader;
pub use template::{EncodeError, Template, TemplateBuilder, TemplateError};
