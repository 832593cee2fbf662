//! Certificates for the test servers: a good one, and one for each way to be bad.
//!
//! Runs on: tests.
//! Owns: an authority made for the test, and the PEM file that a client is told to trust.
//! Never: uses a clock: what has expired did so long ago.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    None,
    Expired,
    NotYetValid,
    WrongHost,
    SelfSigned,
    UnknownAuthority,
}

/// An authority, and the file with its certificate.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    other: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

impl Authority {
    pub fn new() -> Self {
        let (issuer, other) = (authority("the one"), authority("another"));
        let directory = tempfile::tempdir().expect("a folder");
        std::fs::write(directory.path().join("roots.pem"), issuer.pem()).expect("a file");
        Self {
            issuer,
            other,
            directory,
        }
    }

    /// What the client is to trust.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("roots.pem")
    }

    /// A server for `localhost` and 127.0.0.1 with this fault, which keeps sessions to be resumed.
    pub fn server(&self, fault: Fault) -> Arc<ServerConfig> {
        self.server_with(fault, &[b"http/1.1"], rustls::DEFAULT_VERSIONS)
    }

    pub fn server_with(
        &self,
        fault: Fault,
        protocols: &[&[u8]],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let names = match fault {
            Fault::WrongHost => vec!["elsewhere.example".to_owned(), "127.0.0.9".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("names");
        match fault {
            Fault::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Fault::NotYetValid => params.not_before = date_time_ymd(2200, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = match fault {
            Fault::SelfSigned => params.self_signed(&key),
            Fault::UnknownAuthority => params.signed_by(&key, &self.other),
            _ => params.signed_by(&key, &self.issuer),
        };
        let chain = vec![CertificateDer::from(
            certificate.expect("signed").der().to_vec(),
        )];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).expect("versions");
        let mut config = builder
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate with its key");
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}
