//! Dialling and slow peers: refused, unknown, full, half-open, slow to read and slow to write.
//!
//! Runs on: the test runner; servers are on the loopback.
//! Owns: the reasons why there is no connection, and that none of them lasts longer than its deadline.
//! Never: asks the network beyond the loopback, but for a name that no network has.

mod net_support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use net_support::client::{Client, End};
use net_support::socket::Socket;
use net_support::{Server, Step};
use shrike::net::{BackoffSettings, DialError, HttpClientSettings, SendOptions};

const HI: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn hi() -> Step {
    Step::Send(HI.to_vec())
}

fn quick(settings: &mut HttpClientSettings) {
    settings.dial.dial_ns = 300_000_000;
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    format!("http://{}/", listener.local_addr().expect("its address"))
}

#[test]
fn a_port_without_a_listener_is_refused() {
    let url = nobody();
    let mut client = Client::new(&url);
    let error = client.warm(1).expect_err("nobody there");
    assert!(matches!(error, DialError::Refused { .. }), "{error}");
    assert!(matches!(client.post(b"order"), End::NotDialled(_)));
    let mut socket = Socket::new(&url.replace("http", "ws"));
    assert!(socket.run().starts_with("Dial(Refused"));
}

/// `.invalid` is no domain (RFC 6761, section 6.4). Without a name server the deadline ends it.
#[test]
fn a_name_that_nobody_has_is_an_error_in_time() {
    let since = Instant::now();
    let mut client = Client::new("http://no-such-host.invalid/");
    let error = client.warm(1).expect_err("no such name");
    let text = error.to_string();
    match error {
        DialError::Resolve { host, .. } | DialError::TimedOut { host, .. } => {
            assert_eq!(host, "no-such-host.invalid");
        }
        _ => panic!("{text}"),
    }
    assert!(since.elapsed() < Duration::from_secs(4));
}

/// `localhost` has an address of each family; where the first refuses, the other is tried.
#[test]
fn every_address_of_a_name_is_tried() {
    let server = Server::always(vec![Step::Request, hi(), Step::Stall]);
    let url = format!("http://localhost:{}/", server.address.port());
    let mut client = Client::new(&url);
    assert_eq!(client.get(), End::hi());
    server.log(|log| {
        let host = log.requests[0].field("host").map(str::to_owned);
        assert_eq!(host, Some(format!("localhost:{}", server.address.port())));
    });
}

/// A listener that accepts nobody and whose queue is full: SYNs go unanswered.
#[test]
fn a_listener_that_does_not_accept_is_given_up_in_time() {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("one");
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).expect("a port");
    socket.listen(0).expect("listens");
    let address = socket.local_addr().expect("bound").as_socket().expect("IP");
    let fill = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50));
    let queue: Vec<_> = (0..8).map(|_| fill()).collect();
    assert!(
        queue.last().is_some_and(Result::is_err),
        "the queue is not full"
    );
    let since = Instant::now();
    let mut client = Client::with(&format!("http://{address}/"), None, quick);
    let error = client.warm(1).expect_err("not accepted");
    assert!(
        matches!(error, DialError::TimedOut { ms: 300, .. }),
        "{error}"
    );
    assert!(since.elapsed() < Duration::from_secs(1));
}

/// A peer that takes connections and drops them is not dialled in a tight loop.
#[test]
fn a_peer_that_drops_every_connection_is_dialled_less_and_less() {
    let server = Server::always(vec![Step::Reset]);
    let mut client = Client::with(&server.url("http", "/"), None, |settings| {
        settings.backoff = BackoffSettings::default();
        settings.idle_look_ns = 1_000_000;
    });
    client.poll_for(Duration::from_millis(500));
    let dials = server.connections();
    assert!((1..=20).contains(&dials), "{dials} dials in half a second");
}

/// The peer's host is gone, say: nothing comes any more, not even FIN.
#[test]
fn a_half_open_connection_ends_at_the_deadline_and_not_later() {
    let server = Server::always(vec![Step::Request, hi(), Step::Freeze]);
    let mut client = Client::new(&server.url("http", "/"));
    assert_eq!(client.get(), End::hi());
    let options = SendOptions {
        within_ns: Some(100_000_000),
        ..SendOptions::default()
    };
    let since = Instant::now();
    assert_eq!(
        client.exchange("POST", b"order", options),
        End::unknown("timed_out")
    );
    let took = since.elapsed();
    assert!((100..600).contains(&took.as_millis()), "{took:?}");
    assert_eq!(client.http.warm(), 0);
}

#[test]
fn idle_connections_rotate_before_the_servers_limit() {
    let server = Server::always(vec![Step::Request, hi(), Step::Request, hi(), Step::Stall]);
    let mut client = Client::with(&server.url("http", "/"), None, |settings| {
        settings.idle_limit_ns = 50_000_000;
        settings.idle_look_ns = 5_000_000;
    });
    assert_eq!(client.get(), End::hi());
    client.poll_for(Duration::from_millis(70));
    assert_eq!(client.get(), End::hi());
    assert!(server.connections() >= 2);
    server.log(|log| {
        let by: Vec<_> = log
            .requests
            .iter()
            .map(|request| request.connection)
            .collect();
        assert_ne!(by[0], by[1]);
    });
}

#[test]
fn a_slow_reader_gets_the_whole_request() {
    let pause = Duration::from_millis(1);
    let server =
        Server::start(move |_| vec![Step::SlowRequest(64 << 10, pause), hi(), Step::Stall]);
    let mut client = Client::new(&server.url("http", "/"));
    let body: Vec<u8> = (0..8 << 20).map(|at: u32| (at % 251) as u8).collect();
    assert_eq!(client.post(&body), End::hi());
    server.log(|log| assert!(log.requests[0].body == body));
    assert_eq!(client.http.warm(), 1, "all of it was written");
}

#[test]
fn a_slow_writer_is_read_to_the_end() {
    let body = "x".repeat(100_000);
    let octets = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let slowly = Step::Pieces(octets.into_bytes(), 1_000, Duration::from_millis(1));
    let server = Server::always(vec![Step::Request, slowly, Step::Stall]);
    let mut client = Client::new(&server.url("http", "/"));
    assert_eq!(client.get(), End::Response(200, body.into_bytes()));
    assert_eq!(client.http.warm(), 1);
}
