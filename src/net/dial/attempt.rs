//! One connection in the making: TCP to several addresses, the first that answers, then TLS.
//!
//! Runs on: RESOLVER.
//! Owns: the sockets of one dial and its deadlines.
//! Never: blocks; keeps a second connection once one is up.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::dns::{self, interleaved};
use super::error::{DialError, TlsProblem};
use super::{DialDeadlines, DialRequest};
use crate::net::stream::Stream;
use crate::net::tls::{Handshake, HandshakeFailure, Tls};

/// Head start of an address before the next one is tried beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// See the module.
pub(super) struct Attempt {
    pub(super) request: DialRequest,
    begun: Instant,
    state: State,
}

enum State {
    Resolving,
    Connecting(Race),
    Shaking {
        tcp: TcpStream,
        tls: Box<Tls>,
        peer: SocketAddr,
        until: Instant,
    },
    Over,
}

/// Addresses that are tried beside each other.
struct Race {
    waiting: VecDeque<SocketAddr>,
    running: Vec<(TcpStream, SocketAddr)>,
    next_at: Instant,
    last_error: Option<DialError>,
}

/// A connection that is up.
pub(super) struct Made {
    pub(super) stream: Stream,
    pub(super) peer: SocketAddr,
    pub(super) is_resumed: bool,
}

fn after(begun: Instant, ns: u64) -> Instant {
    begun + Duration::from_nanos(ns)
}

impl Attempt {
    pub(super) const fn new(request: DialRequest, begun: Instant) -> Self {
        Self {
            request,
            begun,
            state: State::Resolving,
        }
    }

    /// Whether it waits for the addresses of that name.
    pub(super) fn waits_for(&self, host: &str, port: u16) -> bool {
        matches!(self.state, State::Resolving)
            && self.request.port == port
            && self.request.host == host
    }

    /// Whether its name has taken too long for one whose last answer is known.
    pub(super) fn is_out_of_patience(&self, now: Instant) -> bool {
        matches!(self.state, State::Resolving) && now >= self.begun + dns::PATIENCE
    }

    pub(super) fn resolved(&mut self, addresses: Vec<SocketAddr>, now: Instant) {
        self.state = State::Connecting(Race {
            waiting: interleaved(addresses).into(),
            running: Vec::new(),
            next_at: now,
            last_error: None,
        });
    }

    pub(super) fn not_resolved(&self, why: String) -> DialError {
        DialError::Resolve {
            host: self.request.host.clone(),
            why,
        }
    }

    /// When it wants to be polled again at the latest.
    pub(super) fn wakes_at(&self, now: Instant) -> Instant {
        let dial = after(self.begun, self.request.deadlines.dial_ns);
        match &self.state {
            State::Resolving if self.is_out_of_patience(now) => dial,
            State::Resolving => dial.min(self.begun + dns::PATIENCE),
            State::Connecting(race) if race.waiting.is_empty() => dial,
            State::Connecting(race) => dial.min(race.next_at),
            State::Shaking { until, .. } => *until,
            State::Over => self.begun,
        }
    }

    /// Goes on; gives the connection or the reason why there is none.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        registry: &Registry,
        token: Token,
    ) -> Option<Result<Made, DialError>> {
        let DialDeadlines { dial_ns, .. } = self.request.deadlines;
        let is_late = now >= after(self.begun, dial_ns);
        match &mut self.state {
            State::Resolving | State::Connecting(_) if is_late => Some(Err(self.timed_out())),
            State::Resolving | State::Over => None,
            State::Connecting(race) => match race.poll(now, registry, token, &self.request) {
                Some(Ok((tcp, peer))) => self.connected(tcp, peer, now, registry),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            },
            State::Shaking { .. } => self.shake(now, registry),
        }
    }

    fn timed_out(&self) -> DialError {
        if let State::Connecting(Race {
            last_error: Some(error),
            ..
        }) = &self.state
        {
            return error.clone();
        }
        let ms = self.request.deadlines.dial_ns / 1_000_000;
        if matches!(self.state, State::Resolving) {
            return self.not_resolved(format!("no answer within {ms} ms"));
        }
        DialError::TimedOut {
            host: self.request.host.clone(),
            port: self.request.port,
            ms,
        }
    }

    fn connected(
        &mut self,
        mut tcp: TcpStream,
        peer: SocketAddr,
        now: Instant,
        registry: &Registry,
    ) -> Option<Result<Made, DialError>> {
        let Some(config) = &self.request.tls else {
            let _ = registry.deregister(&mut tcp);
            self.state = State::Over;
            return Some(Ok(Made {
                stream: Stream::new(tcp, None),
                peer,
                is_resumed: false,
            }));
        };
        match Tls::new(config, &self.request.host) {
            Ok(tls) => {
                self.state = State::Shaking {
                    tcp,
                    tls: Box::new(tls),
                    peer,
                    until: after(now, self.request.deadlines.tls_ns),
                };
                self.shake(now, registry)
            }
            Err(error) => Some(Err(self.tls_failed(&error))),
        }
    }

    fn tls_failed(&self, error: &rustls::Error) -> DialError {
        DialError::Tls {
            host: self.request.host.clone(),
            problem: TlsProblem::of(error),
            why: error.to_string(),
        }
    }

    fn shake(&mut self, now: Instant, registry: &Registry) -> Option<Result<Made, DialError>> {
        let State::Shaking {
            tcp, tls, until, ..
        } = &mut self.state
        else {
            return None;
        };
        let host = || self.request.host.clone();
        match tls.shake_hands(tcp) {
            Ok(Handshake::Underway) if now >= *until => Some(Err(DialError::TlsTimedOut {
                host: host(),
                ms: self.request.deadlines.tls_ns / 1_000_000,
            })),
            Ok(Handshake::Underway) => None,
            Err(HandshakeFailure::Tls(error)) => Some(Err(self.tls_failed(&error))),
            Err(HandshakeFailure::Stream(cause)) => Some(Err(DialError::TlsStream {
                host: host(),
                cause,
            })),
            Ok(Handshake::Complete) => match std::mem::replace(&mut self.state, State::Over) {
                State::Shaking {
                    mut tcp, tls, peer, ..
                } => {
                    let _ = registry.deregister(&mut tcp);
                    Some(Ok(Made {
                        is_resumed: tls.is_resumed(),
                        stream: Stream::new(tcp, Some(tls)),
                        peer,
                    }))
                }
                _ => None,
            },
        }
    }
}

impl Race {
    fn poll(
        &mut self,
        now: Instant,
        registry: &Registry,
        token: Token,
        request: &DialRequest,
    ) -> Option<Result<(TcpStream, SocketAddr), DialError>> {
        let mut at = 0;
        while at < self.running.len() {
            match is_connected(&self.running[at].0) {
                Ok(true) => return Some(Ok(self.running.swap_remove(at))),
                Ok(false) => at += 1,
                Err(error) => {
                    let (_, address) = self.running.swap_remove(at);
                    self.failed(address, &error);
                    self.next_at = now;
                }
            }
        }
        while now >= self.next_at
            && let Some(address) = self.waiting.pop_front()
        {
            match begin(address, registry, token, request) {
                Ok(tcp) => {
                    self.running.push((tcp, address));
                    self.next_at = now + STAGGER;
                }
                Err(error) => self.failed(address, &error),
            }
        }
        if self.running.is_empty() && self.waiting.is_empty() {
            let nobody = || DialError::Resolve {
                host: request.host.clone(),
                why: "it has no address".to_owned(),
            };
            return Some(Err(self.last_error.take().unwrap_or_else(nobody)));
        }
        None
    }

    fn failed(&mut self, address: SocketAddr, error: &io::Error) {
        self.last_error = Some(match error.kind() {
            io::ErrorKind::ConnectionRefused => DialError::Refused { address },
            _ => DialError::Connect {
                address,
                why: error.to_string(),
            },
        });
    }
}

fn begin(
    address: SocketAddr,
    registry: &Registry,
    token: Token,
    request: &DialRequest,
) -> io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    let unacknowledged = Duration::from_nanos(request.deadlines.unacknowledged_ns);
    SockRef::from(&tcp).set_tcp_user_timeout(Some(unacknowledged))?;
    registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(tcp)
}

fn is_connected(tcp: &TcpStream) -> io::Result<bool> {
    if let Some(error) = tcp.take_error()? {
        return Err(error);
    }
    match tcp.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
