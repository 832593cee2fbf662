//! Shrike's own client, as a gateway drives it: polled without a pause, or asleep in a mio poller between polls.
//!
//! Runs on: the client's thread; dialling on RESOLVER.
//! Owns: the client, its poller and its file of trusted certificates.
//! Never: does what a gateway could not do.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use quanta::Clock;
use shrike::net::http::{Method, Outcome, Template};
use shrike::net::{
    Endpoint, HttpClient, HttpClientSettings, Resolver, Roots, SendError, SendOptions, SocketEvent,
    TlsConfig, WebSocketClient, WebSocketClientSettings,
};
use shrike::types::Nanos;

use super::wire::{self, BODY_BYTES};
use super::{Client, Fault, Target, Waiting};

/// How long a connection may take to come up.
const PATIENCE: Duration = Duration::from_secs(5);
const WAKER: Token = Token(0);
const CONNECTIONS: Token = Token(1);

/// Time, and how to wait.
struct Wait {
    clock: Clock,
    poller: Option<(Poll, Events)>,
}

impl Wait {
    /// With a waker for what happens on other threads, where it sleeps.
    fn new(waiting: Waiting) -> Result<(Self, Option<Arc<Waker>>), Fault> {
        let clock = Clock::new();
        if waiting == Waiting::Spinning {
            let poller = None;
            return Ok((Self { clock, poller }, None));
        }
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let poller = Some((poll, Events::with_capacity(16)));
        Ok((Self { clock, poller }, Some(waker)))
    }

    fn now(&self) -> Nanos {
        Nanos(self.clock.delta_as_nanos(0, self.clock.raw()))
    }

    /// After a poll that found nothing.
    fn idle(&mut self) -> Result<(), Fault> {
        match &mut self.poller {
            None => std::hint::spin_loop(),
            Some((poll, events)) => poll.poll(events, Some(Duration::from_millis(20)))?,
        }
        Ok(())
    }
}

fn endpoint(target: &Target, scheme: &str, path: &str) -> Result<Endpoint, Fault> {
    let secure = if target.tls.is_some() { "s" } else { "" };
    let url = format!("{scheme}{secure}://{}{path}", target.address);
    Ok(Endpoint::parse(&url)?)
}

/// Trust in the bench's certificate.
fn trust(target: &Target) -> Result<Option<TlsConfig>, Fault> {
    let Some(tls) = &target.tls else {
        return Ok(None);
    };
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(tls.certificate_pem.as_bytes())?;
    file.flush()?;
    Ok(Some(TlsConfig::new(&Roots::File(file.path().to_owned()))?))
}

/// Orders by HTTP.
pub struct OursHttp {
    client: HttpClient,
    template: Template,
    wait: Wait,
    // It dials for the client as long as it lives.
    _resolver: Resolver,
}

impl OursHttp {
    pub fn connect(target: &Target) -> Result<Self, Fault> {
        let endpoint = endpoint(target, "http", wire::PATH)?;
        let template = Template::builder(Method::Post, &endpoint.authority(), wire::PATH)
            .field("Content-Type", "application/json")
            .field(wire::KEY_NAME, wire::KEY)
            .field(wire::SECRET_NAME, wire::SECRET)
            .with_body()
            .build()?;
        let mut settings = HttpClientSettings::new(endpoint, trust(target)?);
        settings.connections = 1;
        let resolver = Resolver::spawn()?;
        let mut client = HttpClient::new(settings, resolver.dialler(), 1);
        let (mut wait, waker) = Wait::new(target.waiting)?;
        if let (Some((poll, _)), Some(waker)) = (&wait.poller, waker) {
            client.attach(poll.registry().try_clone()?, CONNECTIONS, waker);
        }
        let began = std::time::Instant::now();
        while client.warm() == 0 {
            if client.poll(wait.now()) == 0 {
                wait.idle()?;
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("no connection: {:?}", client.last_error()).into());
            }
        }
        Ok(Self {
            client,
            template,
            wait,
            _resolver: resolver,
        })
    }
}

impl Client for OursHttp {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        let (client, wait) = (&mut self.client, &mut self.wait);
        let now = wait.now();
        let sent = client.send(&self.template, "", body, SendOptions::default(), now);
        let id = sent.map_err(|error: SendError| error.to_string())?;
        let outcome = loop {
            if client.poll(wait.now()) == 0 {
                wait.idle()?;
            }
            if let Some(outcome) = client.outcome(id) {
                break outcome;
            }
        };
        let number = match client.response(id) {
            Some(response) if response.status() == 200 => wire::number(response.body()),
            _ => return Err(format!("{outcome:?}").into()),
        };
        debug_assert_eq!(outcome, Outcome::Response);
        client.release(id, wait.now());
        Ok(number)
    }
}

/// Messages by WebSocket.
pub struct OursEcho {
    client: WebSocketClient,
    wait: Wait,
    _resolver: Resolver,
}

impl OursEcho {
    pub fn connect(target: &Target) -> Result<Self, Fault> {
        let endpoint = endpoint(target, "ws", "/stream")?;
        let settings = WebSocketClientSettings::new(endpoint, trust(target)?);
        let resolver = Resolver::spawn()?;
        let mut client = WebSocketClient::new(settings, resolver.dialler());
        let (mut wait, waker) = Wait::new(target.waiting)?;
        if let (Some((poll, _)), Some(waker)) = (&wait.poller, waker) {
            client.attach(poll.registry().try_clone()?, CONNECTIONS, waker);
        }
        let began = std::time::Instant::now();
        let mut cause = None;
        while !client.is_open() {
            let work = client.poll(wait.now(), &mut |event| {
                if let SocketEvent::Down(down) = event {
                    cause = Some(down);
                }
            });
            if work == 0 {
                wait.idle()?;
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("no connection: {cause:?}").into());
            }
        }
        Ok(Self {
            client,
            wait,
            _resolver: resolver,
        })
    }
}

impl Client for OursEcho {
    fn exchange(&mut self, body: &[u8; BODY_BYTES]) -> Result<Option<u64>, Fault> {
        let (client, wait) = (&mut self.client, &mut self.wait);
        client.send_text(std::str::from_utf8(body)?)?;
        let mut answer: Option<Result<Option<u64>, Fault>> = None;
        loop {
            let work = client.poll(wait.now(), &mut |event| match event {
                SocketEvent::Text(text) => answer = Some(Ok(wire::number(text.as_bytes()))),
                SocketEvent::Down(cause) => answer = Some(Err(cause.into())),
                _ => {}
            });
            if let Some(answer) = answer {
                return answer;
            }
            if work == 0 {
                wait.idle()?;
            }
        }
    }
}
