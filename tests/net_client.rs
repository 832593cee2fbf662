//! The pool of warm connections: what idles, what is dropped, how often is dialled, who is woken.
//!
//! Runs on: the test runner; servers on the loopback interface.
//! Owns: servers that close idle connections, say half a record, reset, or say nothing.
//! Never: waits without a bound.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use shrike::net::http::{Method, NotSentCause, Outcome, Template, UnknownCause};
use shrike::net::{
    DownCause, Endpoint, HttpClient, HttpClientSettings, Resolver, Roots, SendError, SendOptions,
    SocketEvent, TlsConfig, WebSocketClient, WebSocketClientSettings,
};
use shrike::types::Nanos;

const SECOND: u64 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// Wall-clock time for clients.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(&self) -> Nanos {
        assert!(self.0.elapsed() < PATIENCE, "no end in {PATIENCE:?}");
        Nanos(1 + self.0.elapsed().as_nanos() as u64)
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("loopback")
}

fn endpoint(scheme: &str, host: &str, listener: &TcpListener) -> Endpoint {
    let port = listener.local_addr().expect("bound").port();
    Endpoint::parse(&format!("{scheme}://{host}:{port}/")).expect("an address")
}

struct Rig {
    client: HttpClient,
    template: Template,
    _resolver: Resolver,
}

fn rig(endpoint: Endpoint, tls: Option<TlsConfig>, method: Method, connections: usize) -> Rig {
    let resolver = Resolver::spawn().expect("a thread");
    let mut builder = Template::builder(method, &endpoint.authority(), "/");
    if method == Method::Post {
        builder = builder.with_body();
    }
    let mut settings = HttpClientSettings::new(endpoint, tls);
    settings.connections = connections;
    Rig {
        client: HttpClient::new(settings, resolver.dialler(), 7),
        template: builder.build().expect("sound"),
        _resolver: resolver,
    }
}

impl Rig {
    fn send(&mut self, body: &[u8], options: SendOptions, now: Nanos) -> shrike::net::ExchangeId {
        self.client
            .send(&self.template, "", body, options, now)
            .expect("warm")
    }

    fn warm_up(&mut self, clock: &Clock) {
        while self.client.warm() == 0 {
            self.client.poll(clock.now());
        }
    }
}

/// A server that answers and closes what was idle for so long, in virtual time; how often the pool was cold, and how
/// many sends it refused.
fn pool_beside_a_server_that_closes(idle_s: u64, send_every_s: u64) -> (usize, usize) {
    let listener = listener();
    listener.set_nonblocking(true).expect("a socket");
    let mut rig = rig(
        endpoint("http", "127.0.0.1", &listener),
        None,
        Method::Get,
        2,
    );
    let mut connections: Vec<(TcpStream, u64)> = Vec::new();
    let (mut now, mut next_send) = (SECOND, 3 * SECOND);
    let (mut cold, mut refused) = (0, 0);
    while now < 120 * SECOND {
        rig.client.poll(Nanos(now));
        while let Ok((tcp, _)) = listener.accept() {
            tcp.set_nonblocking(true).expect("a socket");
            connections.push((tcp, now));
        }
        connections.retain_mut(|(tcp, heard)| {
            match tcp.read(&mut [0; 4_096]) {
                Ok(0) => return false,
                Ok(_) => {
                    *heard = now;
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    tcp.write_all(answer).expect("a reader");
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            now - *heard < idle_s * SECOND
        });
        if let Some(id) = rig.client.finished() {
            rig.client.release(id, Nanos(now));
        }
        if now >= next_send {
            let options = SendOptions::default();
            let sent = rig.client.send(&rig.template, "", b"", options, Nanos(now));
            refused += usize::from(sent.is_err());
            next_send += send_every_s * SECOND;
        }
        cold += usize::from(now > 2 * SECOND && rig.client.warm() == 0);
        std::thread::sleep(Duration::from_micros(150));
        now += 10_000_000;
    }
    (cold, refused)
}

#[test]
fn spares_that_the_server_closes_are_replaced_at_once_and_are_no_failure() {
    let (cold, refused) = pool_beside_a_server_that_closes(10, 15);
    assert_eq!(refused, 0);
    // Both may be closed between two looks; the next dials take a few polls.
    assert!(
        cold < 400,
        "{cold} of 11,800 polls without a warm connection"
    );
}

#[test]
fn old_connections_are_replaced_one_by_one() {
    let listener = listener();
    let mut rig = rig(
        endpoint("http", "127.0.0.1", &listener),
        None,
        Method::Get,
        2,
    );
    let mut now = SECOND;
    let begun = Instant::now();
    while rig.client.warm() < 2 {
        assert!(begun.elapsed() < PATIENCE);
        rig.client.poll(Nanos(now));
        now += 1_000_000;
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..1_200 {
        now += 100_000_000;
        rig.client.poll(Nanos(now));
        assert!(rig.client.warm() > 0, "at {now}");
        std::thread::sleep(Duration::from_micros(500));
    }
    assert!(rig.client.opened() >= 4, "{} opened", rig.client.opened());
}

#[test]
fn an_aborted_exchange_leaves_no_failure_behind() {
    let listener = listener();
    let mut rig = rig(
        endpoint("http", "127.0.0.1", &listener),
        None,
        Method::Get,
        1,
    );
    let clock = Clock::start();
    rig.warm_up(&clock);
    let id = rig.send(b"", SendOptions::default(), clock.now());
    rig.client.abort(id);
    let died = Outcome::Unknown(UnknownCause::ConnectionDied);
    assert_eq!(rig.client.outcome(id), Some(died));
    rig.client.poll(clock.now());
    assert_eq!(
        rig.client.opened(),
        1,
        "the slot is the exchange's until its release"
    );
    rig.client.release(id, clock.now());
    rig.warm_up(&clock);
    // One that nobody waits for is freed at its end.
    let orphan = rig.send(b"", SendOptions::default(), clock.now());
    rig.client.release(orphan, clock.now());
    assert_eq!(rig.client.outcome(orphan), None);
    assert_eq!(rig.client.warm(), 0);
    let later = Nanos(clock.now().0 + 6 * SECOND);
    rig.client.poll(later);
    rig.client.poll(later);
    assert_eq!(rig.client.outcome(orphan), None);
    rig.warm_up(&Clock(Instant::now() - Duration::from_secs(8)));
}

/// A certificate for `localhost`, and who trusts it.
fn tls() -> (Arc<rustls::ServerConfig>, TlsConfig) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a key");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("defaults")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a pair");
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(made.cert.pem().as_bytes())
        .expect("writable");
    let roots = Roots::File(file.path().to_owned());
    (Arc::new(server), TlsConfig::new(&roots).expect("a root"))
}

fn shake_hands(tcp: &mut TcpStream, config: Arc<rustls::ServerConfig>) -> rustls::ServerConnection {
    let mut session = rustls::ServerConnection::new(config).expect("a session");
    while session.is_handshaking() || session.wants_write() {
        session.complete_io(tcp).expect("a client");
    }
    session
}

#[test]
fn half_a_record_on_an_idle_connection_keeps_requests_off_it() {
    let (server, client) = tls();
    let listener = listener();
    let endpoint = endpoint("https", "localhost", &listener);
    let serving = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().expect("a client");
        let mut session = shake_hands(&mut tcp, server);
        let poison = b"HTTP/1.1 201 Created\r\nContent-Length: 6\r\n\r\nPOISON";
        session.writer().write_all(poison).expect("a buffer");
        let mut record = Vec::new();
        session.write_tls(&mut record).expect("a buffer");
        tcp.write_all(&record[..20]).expect("a reader");
        // Until the client gives it up.
        while tcp.read(&mut [0; 512]).is_ok_and(|count| count > 0) {}
        listener
    });
    let mut rig = rig(endpoint, Some(client), Method::Post, 1);
    let clock = Clock::start();
    rig.warm_up(&clock);
    // The half record is read by a look at the latest.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(150) {
        rig.client.poll(clock.now());
    }
    let options = SendOptions::default();
    let sent = rig
        .client
        .send(&rig.template, "", b"order", options, clock.now());
    assert_eq!(sent, Err(SendError::NotConnected));
    while !serving.is_finished() {
        rig.client.poll(clock.now());
    }
    serving.join().expect("served");
}

#[test]
fn an_answer_that_ends_with_a_reset_connection_is_no_answer() {
    let listener = listener();
    let mut rig = rig(
        endpoint("http", "127.0.0.1", &listener),
        None,
        Method::Post,
        1,
    );
    let serving = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().expect("a client");
        std::thread::sleep(Duration::from_millis(100));
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\ncut of")
            .expect("a reader");
        std::thread::sleep(Duration::from_millis(50));
        // Closed with octets unread: the kernel resets.
    });
    let clock = Clock::start();
    rig.warm_up(&clock);
    let options = SendOptions {
        may_be_close_delimited: true,
        ..SendOptions::default()
    };
    let id = rig.send(&vec![b'x'; 20_000_000], options, clock.now());
    serving.join().expect("served");
    while rig.client.outcome(id).is_none() {
        rig.client.poll(clock.now());
    }
    assert!(
        matches!(rig.client.outcome(id), Some(Outcome::Unknown(_))),
        "{:?}",
        rig.client.outcome(id)
    );
}

/// A client that sleeps, and the poller that it sleeps in.
fn sleeping(client: &mut HttpClient) -> (Poll, Events) {
    let poll = Poll::new().expect("epoll");
    let waker = Arc::new(Waker::new(poll.registry(), Token(99)).expect("a waker"));
    let registry = poll.registry().try_clone().expect("epoll");
    client.attach(registry, Token(0), waker);
    (poll, Events::with_capacity(8))
}

#[test]
fn a_sleeper_is_woken_when_nobody_dials_any_more() {
    let (_, config) = tls();
    let listener = listener();
    let resolver = Resolver::spawn().expect("a thread");
    let settings = HttpClientSettings::new(endpoint("https", "localhost", &listener), Some(config));
    let mut client = HttpClient::new(settings, resolver.dialler(), 1);
    let (mut poll, mut events) = sleeping(&mut client);
    let clock = Clock::start();
    // The handshake with a server that says nothing is under way.
    client.poll(clock.now());
    std::thread::sleep(Duration::from_millis(100));
    drop(resolver);
    poll.poll(&mut events, Some(PATIENCE)).expect("epoll");
    assert!(!events.is_empty(), "nobody woke the sleeper");
    while client.last_error().is_none() {
        client.poll(clock.now());
    }
    assert!(client.failed_dials() > 0);
}

#[test]
fn a_repeated_get_keeps_to_its_deadline_while_it_waits_for_a_connection() {
    let (server, config) = tls();
    let listener = listener();
    let endpoint = endpoint("https", "localhost", &listener);
    std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().expect("a client");
        let mut session = shake_hands(&mut tcp, server);
        for number in 0..2 {
            let mut request = [0; 512];
            while session.reader().read(&mut request).is_err() {
                session.read_tls(&mut tcp).expect("a client");
                session.process_new_packets().expect("TLS");
            }
            if number == 0 {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                session.writer().write_all(answer).expect("a buffer");
                session.write_tls(&mut tcp).expect("a client");
            }
        }
        // The used connection ends; whoever comes next is not spoken to.
        drop(tcp);
        std::thread::sleep(PATIENCE);
        drop(listener);
    });
    let mut rig = rig(endpoint, Some(config), Method::Get, 1);
    let (mut poll, mut events) = sleeping(&mut rig.client);
    let clock = Clock::start();
    rig.warm_up(&clock);
    let options = SendOptions {
        within_ns: Some(300_000_000),
        may_retry: true,
        ..SendOptions::default()
    };
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        let id = rig.send(b"", options, clock.now());
        loop {
            if rig.client.poll(clock.now()) > 0 {
                continue;
            }
            if let Some(outcome) = rig.client.outcome(id) {
                outcomes.push(outcome);
                break;
            }
            let next = rig.client.next_deadline();
            let wait = next.map(|at| Duration::from_nanos(at.since(clock.now())));
            poll.poll(&mut events, wait).expect("epoll");
        }
        assert!(
            begun.elapsed() < Duration::from_millis(1_500),
            "{:?}",
            begun.elapsed()
        );
        rig.client.release(id, clock.now());
    }
    assert_eq!(outcomes[0], Outcome::Response);
    assert!(matches!(outcomes[1], Outcome::Unknown(_)), "{outcomes:?}");
}

#[test]
fn an_outage_counts_once_for_all_connections() {
    let closed = listener();
    let endpoint = endpoint("http", "127.0.0.1", &closed);
    drop(closed);
    let mut rig = rig(endpoint, None, Method::Get, 4);
    let (mut now, mut waits, mut last) = (SECOND, Vec::new(), 0);
    let begun = Instant::now();
    while waits.len() < 4 {
        assert!(begun.elapsed() < PATIENCE);
        rig.client.poll(Nanos(now));
        if let Some(next) = rig.client.next_deadline()
            && next.0 > now
            && next.0 != last
        {
            last = next.0;
            waits.push((next.0 - now) / 1_000_000);
        }
        std::thread::sleep(Duration::from_micros(300));
        now += 10_000_000;
    }
    for (number, wait) in waits.iter().enumerate() {
        assert!(*wait <= 100 << number, "waits {waits:?} ms");
    }
}

#[test]
#[should_panic(expected = "TLS for a secure endpoint")]
fn a_secure_endpoint_without_tls_is_refused() {
    let resolver = Resolver::spawn().expect("a thread");
    let endpoint = Endpoint::parse("https://127.0.0.1:1/").expect("an address");
    let _ = HttpClient::new(
        HttpClientSettings::new(endpoint, None),
        resolver.dialler(),
        1,
    );
}

#[test]
fn a_websocket_that_is_closed_before_it_is_open_stays_closed() {
    let listener = listener();
    listener.set_nonblocking(true).expect("a socket");
    let resolver = Resolver::spawn().expect("a thread");
    let settings = WebSocketClientSettings::new(endpoint("ws", "127.0.0.1", &listener), None);
    let mut client = WebSocketClient::new(settings, resolver.dialler());
    client.close(1000, "").expect("nothing to send");
    let clock = Clock::start();
    let mut causes = Vec::new();
    for _ in 0..50 {
        client.poll(clock.now(), &mut |event| {
            if let SocketEvent::Down(cause) = event {
                causes.push(cause);
            }
        });
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(causes, [DownCause::Closed]);
    assert!(client.is_stopped());
    assert!(listener.accept().is_err(), "nobody dialled");
}

#[test]
fn nothing_is_sent_behind_a_deadline() {
    let listener = listener();
    let mut rig = rig(
        endpoint("http", "127.0.0.1", &listener),
        None,
        Method::Post,
        1,
    );
    let clock = Clock::start();
    rig.warm_up(&clock);
    let body = vec![b'x'; 20_000_000];
    let options = SendOptions {
        within_ns: Some(50_000_000),
        ..SendOptions::default()
    };
    let id = rig.send(&body, options, clock.now());
    let (mut tcp, _) = listener.accept().expect("the client");
    rig.client.poll(Nanos(clock.now().0 + SECOND));
    let timed_out = Outcome::Unknown(UnknownCause::TimedOut);
    assert_eq!(rig.client.outcome(id), Some(timed_out));
    rig.client.release(id, clock.now());
    let mut taken = Vec::new();
    tcp.read_to_end(&mut taken).expect("the end");
    assert!(taken.len() < body.len(), "{} octets", taken.len());
    let unsent = Outcome::NotSent(NotSentCause::TimedOut);
    assert_ne!(rig.client.outcome(id), Some(unsent));
}
