//! Dialling: names, addresses, TCP and TLS handshakes, off the hot threads.
//!
//! Runs on: RESOLVER and its DNS thread; the [`Dialler`] is anybody's.
//! Owns: the request for a connection, the reasons why there is none, and the thread that makes them.
//! Never: waits on the caller's thread; hands over a connection that is not ready to be written to.

mod attempt;
mod dns;
mod error;
mod resolver;

pub use error::{DialError, TlsProblem};
pub use resolver::{Connected, Dialled, Dialler, Resolver};

use super::endpoint::Endpoint;
use super::tls::TlsConfig;

/// How long the parts of dialling may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DialDeadlines {
    /// Name and TCP together, in nanoseconds. Default 3 s.
    pub dial_ns: u64,
    /// The TLS handshake, in nanoseconds. Default 2 s.
    pub tls_ns: u64,
    /// Octets that the peer does not acknowledge for so long end the connection (TCP_USER_TIMEOUT), in nanoseconds.
    /// Default 10 s.
    pub unacknowledged_ns: u64,
}

impl Default for DialDeadlines {
    fn default() -> Self {
        Self {
            dial_ns: 3_000_000_000,
            tls_ns: 2_000_000_000,
            unacknowledged_ns: 10_000_000_000,
        }
    }
}

/// What to connect to.
#[derive(Clone, Debug)]
pub struct DialRequest {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS, where it is wanted.
    pub tls: Option<TlsConfig>,
    /// Its deadlines.
    pub deadlines: DialDeadlines,
}

impl DialRequest {
    /// To an endpoint.
    ///
    /// # Panics
    /// When TLS does not go with the endpoint: credentials would leave in the clear.
    #[must_use]
    pub fn to(endpoint: &Endpoint, tls: Option<&TlsConfig>, deadlines: DialDeadlines) -> Self {
        assert_eq!(
            endpoint.is_secure,
            tls.is_some(),
            "TLS for a secure endpoint, and for no other"
        );
        Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            tls: tls.cloned(),
            deadlines,
        }
    }
}
