//! What an HTTP client is told, and why it does not send.
//!
//! Runs on: start-up; errors anywhere.
//! Owns: the defaults of net's deadlines for exchanges.
//! Never: has a switch that weakens a promise.

use crate::net::backoff::BackoffSettings;
use crate::net::dial::DialDeadlines;
use crate::net::endpoint::Endpoint;
use crate::net::http::EncodeError;
use crate::net::limits::HttpLimits;
use crate::net::tls::TlsConfig;

/// See the module.
#[derive(Clone, Debug)]
pub struct HttpClientSettings {
    /// The origin.
    pub endpoint: Endpoint,
    /// TLS, where the endpoint is secure.
    pub tls: Option<TlsConfig>,
    /// Connections kept warm. Default 2.
    pub connections: usize,
    /// What a response may cost.
    pub limits: HttpLimits,
    /// Deadlines of dialling.
    pub dial: DialDeadlines,
    /// A whole exchange, in nanoseconds, unless a request says otherwise. Default 5 s.
    pub exchange_ns: u64,
    /// An idle connection is replaced after so many nanoseconds: before the server drops it. Default 45 s.
    pub idle_limit_ns: u64,
    /// Time between two looks at an idle connection, in nanoseconds. Default 100 ms.
    pub idle_look_ns: u64,
    /// Waits between failed dials.
    pub backoff: BackoffSettings,
}

impl HttpClientSettings {
    /// The defaults for an origin.
    #[must_use]
    pub fn new(endpoint: Endpoint, tls: Option<TlsConfig>) -> Self {
        Self {
            endpoint,
            tls,
            connections: 2,
            limits: HttpLimits::DEFAULT,
            dial: DialDeadlines::default(),
            exchange_ns: 5_000_000_000,
            idle_limit_ns: 45_000_000_000,
            idle_look_ns: 100_000_000,
            backoff: BackoffSettings::default(),
        }
    }
}

/// How one request goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SendOptions {
    /// Nanoseconds for the whole exchange, instead of the client's.
    pub within_ns: Option<u64>,
    /// A GET or HEAD may be sent once more, on a new connection, when a used one died before the first octet of the
    /// response. Of no effect on other methods.
    pub may_retry: bool,
    /// The response may end with the connection.
    pub may_be_close_delimited: bool,
}

/// Why nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No connection is up.
    #[error("no connection is up")]
    NotConnected,
    /// Every connection carries a request.
    #[error("every connection carries a request")]
    Busy,
    /// The template does not take what was given.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
