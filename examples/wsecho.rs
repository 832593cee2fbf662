//! Echoes every data message until the connection closes.
//!
//! `wsecho [--ca FILE] URL` ends with status 0 only after a clean closing handshake. It sleeps in a mio poller.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use shrike::net::{
    DownCause, Endpoint, MessageError, Resolver, Roots, SocketEvent, TlsConfig, WebSocketClient,
    WebSocketClientSettings, WebSocketLimits,
};
use shrike::types::Nanos;

type Failure = Box<dyn std::error::Error>;

/// Whoever echoes must hold what it is sent: these are the limits of a test's peer, not of a broker's.
const LIMITS: WebSocketLimits = WebSocketLimits {
    message_bytes: 16 << 20,
    fragments: 1 << 20,
    out_bytes: 17 << 20,
};

enum Message {
    Text(String),
    Binary(Vec<u8>),
}

fn settings() -> Result<WebSocketClientSettings, Failure> {
    let (mut roots, mut address) = (Roots::WebPki, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--ca" => roots = Roots::File(words.next().ok_or("--ca wants a file")?.into()),
            _ => address = Some(word),
        }
    }
    let address = address.ok_or("usage: wsecho [--ca FILE] URL")?;
    let endpoint = Endpoint::parse(&address)?;
    if !endpoint.is_websocket {
        return Err(format!("{address} is no WebSocket's address").into());
    }
    let tls = match endpoint.is_secure {
        true => Some(TlsConfig::new(&roots)?),
        false => None,
    };
    Ok(WebSocketClientSettings {
        limits: LIMITS,
        comes_back: false,
        ..WebSocketClientSettings::new(endpoint, tls)
    })
}

fn echo() -> Result<(), Failure> {
    let settings = settings()?;
    let resolver = Resolver::spawn()?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let waker = Arc::new(Waker::new(poll.registry(), Token(1))?);
    let mut client = WebSocketClient::new(settings, resolver.dialler());
    client.attach(poll.registry().try_clone()?, Token(0), waker);
    let begun = Instant::now();
    let (mut heard, mut ended) = (Vec::new(), None);
    loop {
        let now = Nanos(1 + begun.elapsed().as_nanos() as u64);
        let work = client.poll(now, &mut |event| match event {
            SocketEvent::Text(text) => heard.push(Message::Text(text.to_owned())),
            SocketEvent::Binary(octets) => heard.push(Message::Binary(octets.to_vec())),
            SocketEvent::Down(cause) => ended = Some(cause),
            _ => {}
        });
        for message in heard.drain(..) {
            let sent = match message {
                Message::Text(text) => client.send_text(&text),
                Message::Binary(octets) => client.send_binary(&octets),
            };
            match sent {
                // The peer may have closed since: what it does not read it did not want.
                Ok(()) | Err(MessageError::NotOpen) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match ended.take() {
            Some(DownCause::Closed) => return Ok(()),
            Some(cause) => return Err(cause.into()),
            None => {}
        }
        if work == 0 {
            let now = Nanos(1 + begun.elapsed().as_nanos() as u64);
            let wait = client
                .next_deadline()
                .map(|at| Duration::from_nanos(at.since(now)));
            match poll.poll(&mut events, wait) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
    }
}

fn main() -> ExitCode {
    match echo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wsecho: {error}");
            ExitCode::FAILURE
        }
    }
}
