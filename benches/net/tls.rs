//! One certificate for 127.0.0.1, made at start, and the configurations of both sides with it.
//!
//! Runs on: start-up.
//! Owns: the certificate.
//! Never: differs between the clients: who can take a rustls configuration takes this one.

use std::error::Error;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// See the module.
pub struct Tls {
    pub certificate: CertificateDer<'static>,
    pub certificate_pem: String,
    pub client: Arc<ClientConfig>,
    pub server: Arc<ServerConfig>,
}

impl Tls {
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone())?;
        let provider = Arc::new(ring::default_provider());
        // reqwest asks for one even where it is given a configuration. A second time changes nothing.
        let _ = ring::default_provider().install_default();
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            certificate,
            certificate_pem: made.cert.pem(),
            client: Arc::new(client),
            server: Arc::new(server),
        })
    }
}
