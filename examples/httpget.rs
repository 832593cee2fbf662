//! One client with keep-alive that works through its arguments: an address is fetched, `sleep:MS` waits.
//!
//! `httpget [--method M] [--data N] [--timeout-ms T] [--max-body N] [--ca FILE] (URL|sleep:MS)...` prints one line of
//! JSON for each address: `{"status","body_len","body_sha256"}` or `{"error"}`. `--data N` sends N octets of `x`; the
//! timeout is for one whole exchange, dialling included. It busy-polls nothing: it sleeps in a mio poller.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use serde_json::json;
use sha2::{Digest, Sha256};
use shrike::net::http::{Method, Outcome, Template};
use shrike::net::{
    Dialler, Endpoint, HttpClient, HttpClientSettings, HttpLimits, Resolver, Roots, SendError,
    SendOptions, TlsConfig,
};
use shrike::types::Nanos;

type Failure = Box<dyn std::error::Error>;

struct Options {
    method: Method,
    data: Option<usize>,
    timeout: Duration,
    max_body: usize,
    roots: Roots,
    steps: Vec<String>,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        method: Method::Get,
        data: None,
        timeout: Duration::from_secs(5),
        max_body: HttpLimits::DEFAULT.body_bytes,
        roots: Roots::WebPki,
        steps: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--method" => {
                let name = value()?;
                options.method = Method::from_name(&name).ok_or(format!("no method {name:?}"))?;
            }
            "--data" => options.data = Some(value()?.parse()?),
            "--timeout-ms" => options.timeout = Duration::from_millis(value()?.parse()?),
            "--max-body" => options.max_body = value()?.parse()?,
            "--ca" => options.roots = Roots::File(value()?.into()),
            _ if word.starts_with("--") => return Err(format!("unknown option {word}").into()),
            _ => options.steps.push(word),
        }
    }
    if options.steps.is_empty() {
        return Err("usage: httpget [options] (URL|sleep:MS)...".into());
    }
    Ok(options)
}

/// The clients by origin, and what they sleep in.
struct Fetcher {
    options: Options,
    tls: Option<TlsConfig>,
    dialler: Dialler,
    clients: HashMap<(bool, String, u16), HttpClient>,
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    begun: Instant,
}

impl Fetcher {
    fn new(options: Options, dialler: Dialler) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(usize::MAX))?);
        Ok(Self {
            options,
            tls: None,
            dialler,
            clients: HashMap::new(),
            poll,
            events: Events::with_capacity(64),
            waker,
            begun: Instant::now(),
        })
    }

    fn now(&self) -> Nanos {
        // Any clock that runs forward will do.
        Nanos(1 + self.begun.elapsed().as_nanos() as u64)
    }

    fn tls(&mut self) -> Result<TlsConfig, Failure> {
        if let Some(config) = &self.tls {
            return Ok(config.clone());
        }
        let config = TlsConfig::new(&self.options.roots)?;
        self.tls = Some(config.clone());
        Ok(config)
    }

    fn make_client(&mut self, endpoint: &Endpoint) -> Result<HttpClient, Failure> {
        let tls = match endpoint.is_secure {
            true => Some(self.tls()?),
            false => None,
        };
        let mut settings = HttpClientSettings::new(endpoint.clone(), tls);
        settings.connections = 1;
        settings.limits.body_bytes = self.options.max_body;
        let mut client = HttpClient::new(
            settings,
            self.dialler.clone(),
            self.begun.elapsed().as_nanos() as u64,
        );
        let first = Token(self.clients.len() * 64);
        client.attach(
            self.poll.registry().try_clone()?,
            first,
            Arc::clone(&self.waker),
        );
        Ok(client)
    }

    /// Sleeps until a connection, a dial or a deadline wants something.
    fn sleep(&mut self, until: Nanos) -> Result<(), Failure> {
        let timeout = Duration::from_nanos(until.since(self.now()));
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// One exchange; the line to print.
    fn fetch(&mut self, address: &str) -> Result<serde_json::Value, Failure> {
        let endpoint = Endpoint::parse(address)?;
        if endpoint.is_websocket {
            return Err("an address of a WebSocket".into());
        }
        let key = (endpoint.is_secure, endpoint.host.clone(), endpoint.port);
        let mut client = match self.clients.remove(&key) {
            Some(client) => client,
            None => self.make_client(&endpoint)?,
        };
        let line = self.exchange(&mut client, &endpoint);
        self.clients.insert(key, client);
        line
    }

    fn exchange(
        &mut self,
        client: &mut HttpClient,
        endpoint: &Endpoint,
    ) -> Result<serde_json::Value, Failure> {
        let deadline = self.now().plus(self.options.timeout.as_nanos() as u64);
        let mut builder =
            Template::builder(self.options.method, &endpoint.authority(), &endpoint.target);
        builder = builder.field("Accept", "*/*");
        if self.options.data.is_some() {
            builder = builder.with_body();
        }
        let template = builder.build()?;
        let body = vec![b'x'; self.options.data.unwrap_or(0)];
        let failed_before = client.failed_dials();
        let id = loop {
            let now = self.now();
            if now >= deadline {
                return Err("no connection in time".into());
            }
            client.poll(now);
            let options = SendOptions {
                within_ns: Some(deadline.since(now)),
                may_retry: true,
                may_be_close_delimited: true,
            };
            match client.send(&template, "", &body, options, now) {
                Ok(id) => break id,
                Err(SendError::NotConnected) => {}
                Err(error) => return Err(error.into()),
            }
            if client.failed_dials() > failed_before
                && let Some(error) = client.last_error()
            {
                return Err(error.clone().into());
            }
            let next = client.next_deadline().unwrap_or(deadline).min(deadline);
            self.sleep(next)?;
        };
        loop {
            let now = self.now();
            client.poll(now);
            if let Some(outcome) = client.outcome(id) {
                let line = match (outcome, client.response(id)) {
                    (Outcome::Response, Some(response)) => Ok(json!({
                        "status": response.status(),
                        "body_len": response.body().len(),
                        "body_sha256": hex(&Sha256::digest(response.body())),
                    })),
                    (Outcome::NotSent(cause), _) => Err(format!("not sent: {cause}").into()),
                    (Outcome::Unknown(cause), _) => Err(format!("unknown: {cause}").into()),
                    (Outcome::Response, None) => Err("no response".into()),
                };
                client.release(id, now);
                return line;
            }
            let next = client.next_deadline().unwrap_or(deadline).min(deadline);
            self.sleep(next)?;
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn run() -> Result<(), Failure> {
    let options = options()?;
    let steps = options.steps.clone();
    let resolver = Resolver::spawn()?;
    let mut fetcher = Fetcher::new(options, resolver.dialler())?;
    let mut out = std::io::stdout().lock();
    for step in &steps {
        if let Some(ms) = step.strip_prefix("sleep:") {
            std::thread::sleep(Duration::from_millis(ms.parse()?));
            continue;
        }
        let line = fetcher
            .fetch(step)
            .unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("httpget: {error}");
            ExitCode::from(2)
        }
    }
}
