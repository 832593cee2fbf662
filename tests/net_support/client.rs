//! The one place where the tests call the client: an exchange and its end, as text.
//!
//! Runs on: tests.
//! Owns: a client, the thread that dials for it, and a clock that runs forward.
//! Never: lets an exchange outlive its deadline unseen.

use std::thread;
use std::time::{Duration, Instant};

use shrike::net::http::{Method, NotSentCause, Outcome, Template, UnknownCause};
use shrike::net::{
    BackoffSettings, DialError, Endpoint, ExchangeId, HttpClient, HttpClientSettings, Resolver,
    SendError, SendOptions, TlsConfig,
};
use shrike::types::Nanos;

/// How an exchange ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    Response(u16, Vec<u8>),
    /// Not an octet of it can have been acted on; why.
    NotSent(String),
    /// The server may have it; why, or which rule its answer broke.
    Unknown(String),
    /// There was no connection to send it on; why.
    NotDialled(String),
}

impl End {
    pub fn hi() -> Self {
        Self::Response(200, b"hi".to_vec())
    }

    pub fn unknown(why: &str) -> Self {
        Self::Unknown(why.to_owned())
    }
}

/// Time that an exchange may take beyond its deadline until its end is seen here.
const GRACE: Duration = Duration::from_millis(700);

pub struct Client {
    pub http: HttpClient,
    authority: String,
    begun: Instant,
    _resolver: Resolver,
}

impl Client {
    /// A client with one connection.
    pub fn new(url: &str) -> Self {
        Self::with(url, None, |_| {})
    }

    pub fn with(
        url: &str,
        tls: Option<&TlsConfig>,
        tune: impl FnOnce(&mut HttpClientSettings),
    ) -> Self {
        let endpoint = Endpoint::parse(url).expect("an address");
        let authority = endpoint.authority();
        let mut settings = HttpClientSettings::new(endpoint, tls.cloned());
        settings.connections = 1;
        settings.backoff = BackoffSettings {
            base_ns: 1_000_000,
            cap_ns: 5_000_000,
            ..BackoffSettings::default()
        };
        tune(&mut settings);
        let resolver = Resolver::spawn().expect("a thread");
        Self {
            http: HttpClient::new(settings, resolver.dialler(), 1),
            authority,
            begun: Instant::now(),
            _resolver: resolver,
        }
    }

    pub fn now(&self) -> Nanos {
        Nanos(1 + self.begun.elapsed().as_nanos() as u64)
    }

    pub fn poll(&mut self) {
        let now = self.now();
        self.http.poll(now);
    }

    /// Polls until so many connections are up and idle.
    pub fn warm(&mut self, count: usize) -> Result<(), DialError> {
        let since = Instant::now();
        loop {
            self.poll();
            if self.http.warm() >= count {
                return Ok(());
            }
            if let Some(error) = self.http.last_error() {
                return Err(error.clone());
            }
            assert!(since.elapsed() < super::PATIENCE, "neither up nor refused");
            thread::sleep(Duration::from_micros(50));
        }
    }

    pub fn poll_for(&mut self, duration: Duration) {
        let since = Instant::now();
        while since.elapsed() < duration {
            self.poll();
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Sends at once, on a connection that is up.
    pub fn send(
        &mut self,
        method: &str,
        body: &[u8],
        options: SendOptions,
    ) -> Result<ExchangeId, SendError> {
        let method = Method::from_name(method).expect("a method");
        let mut builder = Template::builder(method, &self.authority, "/a/b?c=d");
        if !body.is_empty() {
            builder = builder.with_body();
        }
        let template = builder.build().expect("a request");
        let now = self.now();
        self.http.send(&template, "", body, options, now)
    }

    /// Waits for the end of an exchange, which has to come by its deadline.
    pub fn end(&mut self, id: ExchangeId, within_ns: u64) -> End {
        let until = Instant::now() + Duration::from_nanos(within_ns) + GRACE;
        let outcome = loop {
            self.poll();
            if let Some(outcome) = self.http.outcome(id) {
                break outcome;
            }
            assert!(Instant::now() < until, "it hangs past its deadline");
            thread::sleep(Duration::from_micros(20));
        };
        let end = match outcome {
            Outcome::Response => {
                let response = self.http.response(id).expect("a response");
                End::Response(response.status(), response.body().to_vec())
            }
            Outcome::NotSent(cause) => End::NotSent(match cause {
                NotSentCause::Unusable => "unusable".to_owned(),
                NotSentCause::ConnectionDied => "died".to_owned(),
                NotSentCause::ConnectionClosed => "closed".to_owned(),
                NotSentCause::TimedOut => "timed_out".to_owned(),
                NotSentCause::Http(error) => error.rule.to_string(),
                other => other.to_string(),
            }),
            Outcome::Unknown(cause) => End::Unknown(match cause {
                UnknownCause::ConnectionDied => "died".to_owned(),
                UnknownCause::ConnectionClosed => "closed".to_owned(),
                UnknownCause::TimedOut => "timed_out".to_owned(),
                UnknownCause::Http(error) => error.rule.to_string(),
                other => other.to_string(),
            }),
        };
        let now = self.now();
        self.http.release(id, now);
        end
    }

    /// Dials where that is needed, sends and waits for the end.
    pub fn exchange(&mut self, method: &str, body: &[u8], options: SendOptions) -> End {
        let within_ns = options.within_ns.unwrap_or(5_000_000_000);
        loop {
            match self.send(method, body, options) {
                Ok(id) => return self.end(id, within_ns),
                Err(SendError::NotConnected) => {}
                Err(error) => panic!("{error}"),
            }
            if let Err(error) = self.warm(1) {
                return End::NotDialled(error.to_string());
            }
        }
    }

    pub fn get(&mut self) -> End {
        self.exchange("GET", b"", SendOptions::default())
    }

    pub fn post(&mut self, body: &[u8]) -> End {
        self.exchange("POST", body, SendOptions::default())
    }
}
