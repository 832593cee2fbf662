//! TLS by rustls, behind this one file.
//!
//! Runs on: a gateway's duty cycle; handshakes on RESOLVER.
//! Owns: the certificates that are trusted, the cache of sessions, and one connection's state.
//! Never: switches verification off, or sends early data.

use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::stream::{Got, StreamError};

/// Whose certificates are trusted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Roots {
    /// Mozilla's list, built in.
    #[default]
    WebPki,
    /// The operating system's list.
    Native,
    /// Those of a PEM file and no others: for tests and private networks.
    File(PathBuf),
}

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// The file cannot be read, or holds something else.
    #[error("{}: no certificates to trust: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The operating system's list is empty or cannot be read.
    #[error("the operating system trusts no certificates: {0}")]
    Native(String),
    /// rustls refuses its own defaults.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// What every connection of a client shares: trust, and the sessions that can be resumed.
#[derive(Clone, Debug)]
pub struct TlsConfig(Arc<ClientConfig>);

impl TlsConfig {
    /// TLS 1.2 and 1.3, HTTP/1.1 by ALPN, ring's cryptography.
    ///
    /// # Errors
    /// [`TlsConfigError`] when there is nobody to trust.
    pub fn new(roots: &Roots) -> Result<Self, TlsConfigError> {
        let mut store = RootCertStore::empty();
        match roots {
            Roots::WebPki => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Roots::Native => {
                let found = rustls_native_certs::load_native_certs();
                let (added, _) = store.add_parsable_certificates(found.certs);
                if added == 0 {
                    let why = found.errors.first().map(ToString::to_string);
                    return Err(TlsConfigError::Native(why.unwrap_or_default()));
                }
            }
            Roots::File(path) => {
                let failed = |why: String| TlsConfigError::File {
                    path: path.clone(),
                    why,
                };
                let found =
                    CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
                for certificate in found {
                    let certificate = certificate.map_err(|e| failed(e.to_string()))?;
                    store.add(certificate).map_err(|e| failed(e.to_string()))?;
                }
                if store.is_empty() {
                    return Err(failed("the file holds none".to_owned()));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Reads from the kernel in one call.
const READS_AT_ONCE: usize = 64;
/// Octets that a record's header has: type, version, length.
const RECORD_HEADER: usize = 5;

/// Where in TLS's records the octets read so far end. rustls keeps a record that is not whole without a word: whoever
/// asks whether something came must know of it.
#[derive(Debug, Default)]
struct Records {
    header: [u8; RECORD_HEADER],
    known: usize,
    remaining: usize,
}

impl Records {
    fn take(&mut self, mut octets: &[u8]) {
        while let Some(&first) = octets.first() {
            if self.remaining > 0 {
                let count = self.remaining.min(octets.len());
                self.remaining -= count;
                octets = &octets[count..];
                continue;
            }
            self.header[self.known] = first;
            self.known += 1;
            octets = &octets[1..];
            if self.known == RECORD_HEADER {
                self.known = 0;
                self.remaining = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            }
        }
    }

    const fn are_whole(&self) -> bool {
        self.known == 0 && self.remaining == 0
    }
}

/// Reads for rustls and watches the records.
struct Watched<'a, R> {
    tcp: &'a mut R,
    records: &'a mut Records,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.tcp.read(buffer)?;
        self.records.take(&buffer[..count]);
        Ok(count)
    }
}

/// One connection's TLS.
#[derive(Debug)]
pub(super) struct Tls {
    session: ClientConnection,
    records: Records,
}

impl Tls {
    /// A session that has not spoken yet.
    pub(super) fn new(config: &TlsConfig, host: &str) -> Result<Self, rustls::Error> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| rustls::Error::General(format!("{host:?} is no server name")))?;
        let mut session = ClientConnection::new(Arc::clone(&config.0), name)?;
        // A request is bounded by its own limits.
        session.set_buffer_limit(None);
        Ok(Self {
            session,
            records: Records::default(),
        })
    }

    /// Goes on with the handshake; whether it is complete. `Ok(None)` for TCP that ended.
    pub(super) fn shake_hands(
        &mut self,
        tcp: &mut (impl Read + Write),
    ) -> Result<Handshake, HandshakeFailure> {
        loop {
            if self.session.wants_write() {
                match self.session.write_tls(tcp) {
                    Ok(_) => continue,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(HandshakeFailure::Stream(StreamError::of(&error))),
                }
            }
            if !self.session.is_handshaking() {
                // The last flight has to leave before the first request.
                return Ok(match self.session.wants_write() {
                    true => Handshake::Underway,
                    false => Handshake::Complete,
                });
            }
            let mut watched = Watched {
                tcp: &mut *tcp,
                records: &mut self.records,
            };
            match self.session.read_tls(&mut watched) {
                Ok(0) => return Err(HandshakeFailure::Stream(StreamError::Truncated)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Handshake::Underway);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(HandshakeFailure::Stream(StreamError::of(&error))),
            }
            if let Err(error) = self.session.process_new_packets() {
                // The alert that says why, if it still gets through.
                let _ = self.session.write_tls(tcp);
                return Err(HandshakeFailure::Tls(error));
            }
        }
    }

    pub(super) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    /// Whether the session was resumed, once the handshake is complete.
    pub(super) fn is_resumed(&self) -> bool {
        self.session.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Whether part of a record has come and its rest has not.
    pub(super) const fn is_mid_record(&self) -> bool {
        !self.records.are_whole()
    }

    /// Encrypts octets into the session's buffer.
    pub(super) fn encrypt(&mut self, octets: &[u8]) -> Result<(), StreamError> {
        let written = self.session.writer().write_all(octets);
        written.map_err(|error| StreamError::of(&error))
    }

    /// Gives the kernel what it takes; adds how much to `count`.
    pub(super) fn flush(
        &mut self,
        tcp: &mut impl Write,
        count: &mut u64,
    ) -> Result<(), StreamError> {
        while self.session.wants_write() {
            match self.session.write_tls(tcp) {
                Ok(0) => return Err(StreamError::BrokenPipe),
                Ok(taken) => *count += taken as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(StreamError::of(&error)),
            }
        }
        Ok(())
    }

    /// Reads what is there, decrypted. Of a flood that brings no plaintext (session tickets) no more than so many reads
    /// are taken at once: the caller's cycle goes on.
    pub(super) fn read(
        &mut self,
        tcp: &mut impl Read,
        buffer: &mut [u8],
    ) -> Result<Got, StreamError> {
        for _ in 0..READS_AT_ONCE {
            match self.session.reader().read(buffer) {
                Ok(0) => return Ok(Got::End),
                Ok(count) => return Ok(Got::Bytes(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(StreamError::of(&error)),
            }
            let mut watched = Watched {
                tcp: &mut *tcp,
                records: &mut self.records,
            };
            match self.session.read_tls(&mut watched) {
                // `reader` tells close_notify from a connection that was cut off.
                Ok(0) => match self.session.reader().read(buffer) {
                    Ok(0) => return Ok(Got::End),
                    Ok(count) => return Ok(Got::Bytes(count)),
                    Err(_) => return Err(StreamError::Truncated),
                },
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Got::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(StreamError::of(&error)),
            }
            if self.session.process_new_packets().is_err() {
                return Err(StreamError::Tls);
            }
        }
        Ok(Got::Nothing)
    }

    /// Says close_notify if the kernel takes it, and nothing else: what waits to be written is a request that was given
    /// up, of which it may have been said that it did not leave.
    pub(super) fn close(&mut self, tcp: &mut impl Write) {
        if self.session.wants_write() {
            return;
        }
        self.session.send_close_notify();
        let _ = self.flush(tcp, &mut 0);
    }
}

/// How far a handshake is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Handshake {
    Underway,
    Complete,
}

/// Why a handshake failed.
#[derive(Debug)]
pub(super) enum HandshakeFailure {
    Stream(StreamError),
    Tls(rustls::Error),
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A connection in memory: what the peer wrote, and what was written to it.
    #[derive(Default)]
    struct Wire {
        inbound: VecDeque<u8>,
        outbound: Vec<u8>,
        is_full: bool,
    }

    impl Read for Wire {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.inbound.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.inbound.read(buffer)
        }
    }

    impl Write for Wire {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            if self.is_full {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.outbound.write(octets)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A session that has shaken hands, with its peer and the wire between them.
    fn session() -> (Tls, rustls::ServerConnection, Wire) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a key");
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("defaults")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a pair");
        let mut peer = rustls::ServerConnection::new(Arc::new(server)).expect("a session");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(made.cert.pem().as_bytes())
            .expect("writable");
        let config = TlsConfig::new(&Roots::File(file.path().to_owned())).expect("a root");
        let mut tls = Tls::new(&config, "localhost").expect("a name");
        let mut wire = Wire::default();
        for _ in 0..8 {
            let _ = tls.shake_hands(&mut wire).expect("sound");
            let said = std::mem::take(&mut wire.outbound);
            peer.read_tls(&mut said.as_slice()).expect("in memory");
            peer.process_new_packets().expect("sound");
            while peer.wants_write() {
                peer.write_tls(&mut wire.inbound).expect("in memory");
            }
        }
        assert_eq!(
            tls.shake_hands(&mut wire).expect("sound"),
            Handshake::Complete
        );
        assert_eq!(
            tls.read(&mut wire, &mut [0; 64]),
            Ok(Got::Nothing),
            "tickets"
        );
        (tls, peer, wire)
    }

    #[test]
    fn a_request_that_was_given_up_does_not_leave_with_the_end_of_its_connection() {
        let (mut tls, _peer, mut wire) = session();
        wire.is_full = true;
        tls.encrypt(b"an order").expect("room");
        let mut taken = 0;
        tls.flush(&mut wire, &mut taken).expect("sound");
        assert_eq!((taken, tls.wants_write()), (0, true), "not sent");
        wire.is_full = false;
        tls.close(&mut wire);
        assert_eq!(wire.outbound, b"", "nor will it be");
        let (mut idle, _peer, mut wire) = session();
        idle.close(&mut wire);
        assert!(!wire.outbound.is_empty(), "close_notify");
    }

    #[test]
    fn part_of_a_record_is_noticed() {
        let (mut tls, mut peer, mut wire) = session();
        peer.writer().write_all(b"hello").expect("room");
        let mut record = Vec::new();
        peer.write_tls(&mut record).expect("in memory");
        for at in 1..record.len() {
            wire.inbound.extend(&record[at - 1..at]);
            assert_eq!(tls.read(&mut wire, &mut [0; 64]), Ok(Got::Nothing));
            assert!(tls.is_mid_record(), "{at} of {} octets", record.len());
        }
        wire.inbound.extend(&record[record.len() - 1..]);
        assert_eq!(tls.read(&mut wire, &mut [0; 64]), Ok(Got::Bytes(5)));
        assert!(!tls.is_mid_record());
    }
}
