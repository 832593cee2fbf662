//! Other people's HTTP clients: hyper, reqwest, ureq.
//!
//! Runs on: the client's thread; hyper and reqwest on a tokio runtime of that one thread.
//! Owns: the clients, each with a connection that it keeps alive.
//! Never: is timed while it tidies up after a reply (`rest`).

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;
use tokio::task::yield_now;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::stream::{self, Connected};
use super::wire::{self, BODY_BYTES};
use super::{Client, Fault, Target};

fn fields() -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        (wire::KEY_NAME, wire::KEY),
        (wire::SECRET_NAME, wire::SECRET),
    ] {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            fields.insert(name, HeaderValue::from_static(value));
        }
    }
    fields
}

fn url(target: &Target) -> String {
    let scheme = if target.tls.is_some() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}{}", target.address, wire::PATH)
}

/// hyper 1, one connection.
pub struct Hyper {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
    fields: HeaderMap,
}

impl Hyper {
    pub fn connect(target: &Target) -> Result<Self, Fault> {
        let runtime = stream::runtime(target)?;
        let sender = match stream::connect(&runtime, target)? {
            Connected::Plain(socket) => Self::shake(&runtime, socket)?,
            Connected::Tls(session) => Self::shake(&runtime, session)?,
        };
        let mut fields = fields();
        let host = HeaderValue::from_str(&target.address.to_string())?;
        fields.insert(HOST, host);
        Ok(Self {
            runtime,
            sender,
            fields,
        })
    }

    fn shake<S: stream::Duplex>(
        runtime: &Runtime,
        stream: S,
    ) -> Result<SendRequest<Full<Bytes>>, Fault> {
        runtime.block_on(async {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Ok(sender)
        })
    }
}

impl Client for Hyper {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = hyper::Uri::from_static(wire::PATH);
        *request.headers_mut() = self.fields.clone();
        let sender = &mut self.sender;
        self.runtime.block_on(async {
            let reply = sender.send_request(request).await?;
            let body = reply.into_body().collect().await?.to_bytes();
            Ok(wire::number(&body))
        })
    }

    fn rest(&mut self) -> Result<(), Fault> {
        Ok(self.runtime.block_on(self.sender.ready())?)
    }
}

/// reqwest with its pool.
pub struct Reqwest {
    runtime: Runtime,
    client: reqwest::Client,
    url: reqwest::Url,
}

impl Reqwest {
    pub fn new(target: &Target) -> Result<Self, Fault> {
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .default_headers(fields());
        if let Some(tls) = &target.tls {
            client = client.tls_backend_preconfigured((*tls.client).clone());
        }
        Ok(Self {
            runtime: stream::runtime(target)?,
            client: client.build()?,
            url: reqwest::Url::parse(&url(target))?,
        })
    }
}

impl Client for Reqwest {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        let request = self.client.post(self.url.clone()).body(body.to_vec());
        self.runtime.block_on(async {
            let body = request.send().await?.bytes().await?;
            Ok(wire::number(&body))
        })
    }

    /// Lets the pool have its connection back.
    fn rest(&mut self) -> Result<(), Fault> {
        self.runtime.block_on(async {
            for _ in 0..4 {
                yield_now().await;
            }
        });
        Ok(())
    }
}

/// ureq 3 with its pool; it always sleeps in the kernel.
pub struct Ureq {
    agent: Agent,
    url: String,
}

impl Ureq {
    pub fn new(target: &Target) -> Self {
        let mut config = Agent::config_builder().proxy(None);
        if let Some(tls) = &target.tls {
            let root = Certificate::from_der(&tls.certificate).to_owned();
            let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root]));
            config = config.tls_config(tls.build());
        }
        Self {
            agent: config.build().new_agent(),
            url: url(target),
        }
    }
}

impl Client for Ureq {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        let request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header(wire::KEY_NAME, wire::KEY)
            .header(wire::SECRET_NAME, wire::SECRET);
        let body = request.send(&body[..])?.body_mut().read_to_vec()?;
        Ok(wire::number(&body))
    }
}
