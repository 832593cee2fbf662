//! Why there is no connection.
//!
//! Runs on: RESOLVER makes them, anybody reads them.
//! Owns: the reasons, with host, address and cause.
//! Never: says "failed" where it knows more.

use std::net::SocketAddr;

use crate::net::stream::StreamError;

/// What was wrong with the peer's TLS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotValidYet,
    /// The certificate is another host's.
    WrongHost,
    /// Nobody who is trusted has signed it: self-signed, or by an unknown authority.
    UnknownIssuer,
    /// Another fault of the certificate.
    Certificate,
    /// The peer sent an alert.
    Alert,
    /// The peer does not speak TLS as this client does.
    Protocol,
}

impl TlsProblem {
    pub(super) fn of(error: &rustls::Error) -> Self {
        use rustls::CertificateError as C;
        match error {
            rustls::Error::InvalidCertificate(problem) => match problem {
                C::Expired | C::ExpiredContext { .. } => Self::Expired,
                C::NotValidYet | C::NotValidYetContext { .. } => Self::NotValidYet,
                C::NotValidForName | C::NotValidForNameContext { .. } => Self::WrongHost,
                C::UnknownIssuer => Self::UnknownIssuer,
                // A certificate that signed itself and is an authority's, presented as a server's.
                C::Other(_) if format!("{problem:?}").contains("CaUsedAsEndEntity") => {
                    Self::UnknownIssuer
                }
                _ => Self::Certificate,
            },
            rustls::Error::AlertReceived(_) => Self::Alert,
            _ => Self::Protocol,
        }
    }
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address, or nobody could be asked.
    #[error("{host}: the name cannot be resolved: {why}")]
    Resolve {
        /// Which name.
        host: String,
        /// What the system says.
        why: String,
    },
    /// The address says that nobody listens.
    #[error("{address}: connection refused")]
    Refused {
        /// The last one tried.
        address: SocketAddr,
    },
    /// Another failure to connect.
    #[error("{address}: cannot connect: {why}")]
    Connect {
        /// The last one tried.
        address: SocketAddr,
        /// What the system says.
        why: String,
    },
    /// No connection in time.
    #[error("{host}:{port}: no connection within {ms} ms")]
    TimedOut {
        /// The host asked for.
        host: String,
        /// Its port.
        port: u16,
        /// The time that was given.
        ms: u64,
    },
    /// The handshake failed: who is there is not who is trusted, or no TLS.
    #[error("{host}: TLS handshake failed ({problem:?}): {why}")]
    Tls {
        /// The host asked for.
        host: String,
        /// What it was.
        problem: TlsProblem,
        /// In more words.
        why: String,
    },
    /// The connection ended within the handshake.
    #[error("{host}: TLS handshake: {cause}")]
    TlsStream {
        /// The host asked for.
        host: String,
        /// How it ended.
        cause: StreamError,
    },
    /// No handshake in time.
    #[error("{host}: no TLS handshake within {ms} ms")]
    TlsTimedOut {
        /// The host asked for.
        host: String,
        /// The time that was given.
        ms: u64,
    },
    /// RESOLVER has ended.
    #[error("nobody dials any more")]
    Gone,
}
