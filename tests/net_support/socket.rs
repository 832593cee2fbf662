//! The one place where the tests call the WebSocket client: what it heard and how it ended, as text.
//!
//! Runs on: tests.
//! Owns: a client, the thread that dials for it, and a clock that runs forward.
//! Never: dials again: a connection that ended has ended.

use std::thread;
use std::time::{Duration, Instant};

use shrike::net::websocket::HandshakeError;
use shrike::net::{
    DownCause, Endpoint, MessageError, Resolver, SocketEvent, TlsConfig, WebSocketClient,
    WebSocketClientSettings,
};
use shrike::types::Nanos;

use super::PATIENCE;

pub struct Socket {
    pub client: WebSocketClient,
    /// Events, as `text hi`, `binary 3`, `pong x`, `closing 1000 bye`, `opened`.
    pub heard: Vec<String>,
    /// How it ended: the rule that was broken, `closed`, or what else.
    pub end: Option<String>,
    begun: Instant,
    _resolver: Resolver,
}

impl Socket {
    pub fn new(url: &str) -> Self {
        Self::with(url, None, |_| {})
    }

    pub fn with(
        url: &str,
        tls: Option<&TlsConfig>,
        tune: impl FnOnce(&mut WebSocketClientSettings),
    ) -> Self {
        let endpoint = Endpoint::parse(url).expect("an address");
        let mut settings = WebSocketClientSettings::new(endpoint, tls.cloned());
        settings.comes_back = false;
        tune(&mut settings);
        let resolver = Resolver::spawn().expect("a thread");
        Self {
            client: WebSocketClient::new(settings, resolver.dialler()),
            heard: Vec::new(),
            end: None,
            begun: Instant::now(),
            _resolver: resolver,
        }
    }

    pub fn poll(&mut self) -> usize {
        let now = Nanos(1 + self.begun.elapsed().as_nanos() as u64);
        let (heard, end) = (&mut self.heard, &mut self.end);
        self.client.poll(now, &mut |event| {
            heard.push(match event {
                SocketEvent::Opened { .. } => "opened".to_owned(),
                SocketEvent::Text(text) => format!("text {:.40}", text),
                SocketEvent::Binary(octets) => format!("binary {}", octets.len()),
                SocketEvent::Pong(octets) => format!("pong {}", octets.escape_ascii()),
                SocketEvent::Closing { code, reason } => match code {
                    Some(code) => format!("closing {code} {reason}"),
                    None => "closing".to_owned(),
                },
                SocketEvent::Down(cause) => {
                    *end = Some(name(&cause));
                    return;
                }
            });
        })
    }

    /// Polls until something is so, or the connection has ended.
    pub fn poll_until(&mut self, mut is_so: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while self.end.is_none() && !is_so(self) {
            assert!(since.elapsed() < PATIENCE, "it hangs: {:?}", self.heard);
            if self.poll() == 0 {
                thread::sleep(Duration::from_micros(20));
            }
        }
    }

    pub fn open(&mut self) {
        self.poll_until(|socket| socket.client.is_open());
        assert_eq!(self.end, None);
    }

    /// Polls to the end; what it was.
    pub fn run(&mut self) -> String {
        self.poll_until(|_| false);
        self.end.clone().expect("it has ended")
    }

    pub fn send_text(&mut self, text: &str) -> Result<(), MessageError> {
        self.client.send_text(text)
    }
}

fn name(cause: &DownCause) -> String {
    match cause {
        DownCause::Protocol(error) => error.rule.to_string(),
        DownCause::Handshake(HandshakeError::Http(error)) => error.rule.to_string(),
        DownCause::Handshake(HandshakeError::Status(status)) => format!("status {status}"),
        DownCause::Handshake(error) => error.rule().to_string(),
        DownCause::Closed => "closed".to_owned(),
        DownCause::HandshakeTimedOut => "handshake_timed_out".to_owned(),
        other => format!("{other:?}"),
    }
}
