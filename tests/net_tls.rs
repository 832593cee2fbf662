//! TLS through a socket: whom the client trusts, how it notices a connection that was cut off, and what it resumes.
//!
//! Runs on: the test runner; the server is on the loopback, with certificates made for the test.
//! Owns: the reasons for which a handshake fails, and that nothing was sent then.
//! Never: switches verification off: there is no such switch.

mod net_support;

use std::time::{Duration, Instant};

use net_support::certificates::{Authority, Fault};
use net_support::client::{Client, End};
use net_support::frames::{close, text};
use net_support::socket::Socket;
use net_support::{Server, Step};
use shrike::net::{DialError, Roots, SendOptions, TlsConfig, TlsProblem};

const HI: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn hi() -> Step {
    Step::Send(HI.to_vec())
}

fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig::new(&Roots::File(authority.file())).expect("roots")
}

fn serving(authority: &Authority, fault: Fault, steps: Vec<Step>) -> Server {
    Server::with_tls(Some(authority.server(fault)), move |_| steps.clone())
}

#[test]
fn a_good_certificate_is_trusted_by_name_and_by_address() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let server = serving(
        &authority,
        Fault::None,
        vec![Step::Request, hi(), Step::Stall],
    );
    let by_name = format!("https://localhost:{}/", server.address.port());
    for url in [server.url("https", "/"), by_name] {
        let mut client = Client::with(&url, Some(&config), |_| {});
        assert_eq!(client.post(b"order"), End::hi(), "{url}");
    }
    assert_eq!(server.count("POST"), 2);
}

#[test]
fn a_certificate_with_a_fault_is_refused_by_name_and_nothing_is_sent() {
    let authority = Authority::new();
    let config = trusting(&authority);
    for (fault, expected) in [
        (Fault::Expired, TlsProblem::Expired),
        (Fault::NotYetValid, TlsProblem::NotValidYet),
        (Fault::WrongHost, TlsProblem::WrongHost),
        (Fault::SelfSigned, TlsProblem::UnknownIssuer),
        (Fault::UnknownAuthority, TlsProblem::UnknownIssuer),
    ] {
        let server = serving(&authority, fault, vec![Step::Request, hi(), Step::Stall]);
        let mut client = Client::with(&server.url("https", "/"), Some(&config), |_| {});
        let error = client.warm(1).expect_err("not to be trusted");
        let DialError::Tls { problem, .. } = &error else {
            panic!("{fault:?}: {error}");
        };
        assert_eq!(*problem, expected, "{fault:?}");
        assert!(
            matches!(client.post(b"order"), End::NotDialled(_)),
            "{fault:?}"
        );
        drop(client);
        assert_eq!(server.count("POST"), 0, "{fault:?}");
        let mut socket = Socket::with(&server.url("wss", "/"), Some(&config), |_| {});
        assert!(socket.run().starts_with("Dial(Tls"), "{fault:?}");
    }
}

#[test]
fn the_built_in_roots_do_not_trust_the_tests_authority() {
    let authority = Authority::new();
    let config = TlsConfig::new(&Roots::WebPki).expect("roots");
    let server = serving(&authority, Fault::None, vec![Step::Stall]);
    let mut client = Client::with(&server.url("https", "/"), Some(&config), |_| {});
    let error = client.warm(1).expect_err("not to be trusted");
    let is_unknown =
        matches!(&error, DialError::Tls { problem, .. } if *problem == TlsProblem::UnknownIssuer);
    assert!(is_unknown, "{error}");
}

#[test]
fn both_versions_are_spoken_and_no_other_application() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let h1: &[&[u8]] = &[b"http/1.1"];
    let (v12, v13) = (&rustls::version::TLS12, &rustls::version::TLS13);
    for (protocols, version, is_good) in [
        (h1, v12, true),
        (h1, v13, true),
        (&[][..], v13, true),
        (&[&b"h2"[..], b"http/1.1"][..], v13, true),
        (&[&b"h2"[..]][..], v13, false),
        (&[&b"h2"[..]][..], v12, false),
    ] {
        let tls = authority.server_with(Fault::None, protocols, &[version]);
        let steps = vec![Step::Request, hi(), Step::Stall];
        let server = Server::with_tls(Some(tls), move |_| steps.clone());
        let mut client = Client::with(&server.url("https", "/"), Some(&config), |_| {});
        let end = client.post(b"order");
        if is_good {
            assert_eq!(end, End::hi(), "{protocols:?} {version:?}");
        } else {
            assert!(
                matches!(end, End::NotDialled(_)),
                "{protocols:?} {version:?}"
            );
        }
    }
}

/// An end without close_notify is no end of a body: an attacker can make one.
#[test]
fn a_response_cut_off_without_close_notify_is_not_complete() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let unframed = b"HTTP/1.1 200 OK\r\n\r\nhi".to_vec();
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n".to_vec();
    for (name, octets, then, expected) in [
        (
            "unframed, close_notify",
            unframed.clone(),
            Step::Close,
            End::hi(),
        ),
        (
            "unframed, FIN alone",
            unframed.clone(),
            Step::Cut,
            End::unknown("died"),
        ),
        ("unframed, RST", unframed, Step::Reset, End::unknown("died")),
        (
            "length, close_notify",
            short.clone(),
            Step::Close,
            End::unknown("truncated"),
        ),
        ("length, FIN alone", short, Step::Cut, End::unknown("died")),
        (
            "chunked, close_notify",
            chunked.clone(),
            Step::Close,
            End::unknown("truncated"),
        ),
        (
            "chunked, FIN alone",
            chunked,
            Step::Cut,
            End::unknown("died"),
        ),
        (
            "nothing, close_notify",
            vec![],
            Step::Close,
            End::unknown("closed"),
        ),
        (
            "nothing, FIN alone",
            vec![],
            Step::Cut,
            End::unknown("died"),
        ),
        ("whole, FIN alone", HI.to_vec(), Step::Cut, End::hi()),
    ] {
        let server = serving(
            &authority,
            Fault::None,
            vec![Step::Request, Step::Send(octets), then],
        );
        let mut client = Client::with(&server.url("https", "/"), Some(&config), |_| {});
        let options = SendOptions {
            may_be_close_delimited: true,
            ..SendOptions::default()
        };
        assert_eq!(
            client.exchange("POST", b"order", options),
            expected,
            "{name}"
        );
        drop(client);
        assert_eq!(server.count("POST"), 1, "{name}");
    }
}

#[test]
fn an_order_is_delivered_at_most_once_under_tls_too() {
    let authority = Authority::new();
    let config = trusting(&authority);
    for then in [Step::Close, Step::Cut, Step::Reset] {
        let name = format!("{then:?}");
        let first = vec![Step::Request, hi(), Step::Request, then];
        let good = vec![Step::Request, hi(), Step::Stall];
        let server = Server::with_tls(Some(authority.server(Fault::None)), move |at| {
            if at == 0 { first.clone() } else { good.clone() }
        });
        let mut client = Client::with(&server.url("https", "/"), Some(&config), |_| {});
        assert_eq!(client.get(), End::hi(), "{name}");
        let end = client.post(b"order");
        assert!(matches!(end, End::Unknown(_)), "{name}: {end:?}");
        client.poll_for(Duration::from_millis(10));
        drop(client);
        assert_eq!(server.count("POST"), 1, "{name}");
    }
}

/// close_notify or FIN while idle: the look before the send finds it.
#[test]
fn an_ended_connection_is_not_sent_on_under_tls_either() {
    let authority = Authority::new();
    let config = trusting(&authority);
    for then in [Step::HalfClose, Step::Cut, Step::Send(HI.to_vec())] {
        let name = format!("{then:?}");
        let first = vec![Step::Request, hi(), then, Step::Mark, Step::Stall];
        let good = vec![Step::Request, hi(), Step::Stall];
        let server = Server::with_tls(Some(authority.server(Fault::None)), move |at| {
            if at == 0 { first.clone() } else { good.clone() }
        });
        let mut client = Client::with(&server.url("https", "/"), Some(&config), |_| {});
        assert_eq!(client.get(), End::hi(), "{name}");
        server.wait_for_marks(1);
        assert_eq!(client.post(b"order"), End::hi(), "{name}");
        assert_eq!(
            (server.count("POST"), server.connections()),
            (1, 2),
            "{name}"
        );
    }
}

#[test]
fn later_connections_resume_the_session() {
    let authority = Authority::new();
    let config = trusting(&authority);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let tls = authority.server_with(Fault::None, &[b"http/1.1"], &[version]);
        let closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
        let steps = vec![Step::Request, Step::Send(closing.to_vec()), Step::Close];
        let server = Server::with_tls(Some(tls), move |_| steps.clone());
        // Two clients of one origin share the cache by sharing the configuration.
        for _ in 0..2 {
            let mut client = Client::with(&server.url("https", "/"), Some(&config), |_| {});
            for _ in 0..2 {
                assert_eq!(client.get(), End::hi());
            }
        }
        let handshakes = server.log(|log| log.handshakes.clone());
        assert_eq!(handshakes[..4], [false, true, true, true], "{version:?}");
    }
}

#[test]
fn who_does_not_speak_tls_is_told_so_in_time() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let quick = |settings: &mut shrike::net::HttpClientSettings| settings.dial.tls_ns = 200_000_000;
    for (name, steps, expected) in [
        (
            "plain HTTP",
            vec![Step::Send(HI.to_vec()), Step::Stall],
            "Protocol",
        ),
        ("silence", vec![Step::Freeze], "within 200 ms"),
        ("FIN", vec![Step::Close], "TLS handshake"),
        ("RST", vec![Step::Octets(1), Step::Reset], "reset"),
        (
            "one octet at a time",
            vec![
                Step::Pieces(vec![22, 3, 3, 64, 0, 2], 1, Duration::from_millis(100)),
                Step::Freeze,
            ],
            "within 200 ms",
        ),
    ] {
        let server = Server::always(steps);
        let since = Instant::now();
        let mut client = Client::with(&server.url("https", "/"), Some(&config), quick);
        let error = client.warm(1).expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(since.elapsed() < Duration::from_secs(1), "{name}");
    }
}

#[test]
fn websockets_speak_tls_and_notice_the_cut() {
    let authority = Authority::new();
    let config = trusting(&authority);
    let answer = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: {accept}\r\n\r\n";
    for (octets, then, expected) in [
        (
            [text("hi"), close(1000, b"")].concat(),
            Step::Close,
            "closed",
        ),
        (text("hi"), Step::Close, "truncated"),
        (text("hi"), Step::Cut, "Stream(Truncated)"),
        (text("hi"), Step::Reset, "Stream(Reset)"),
    ] {
        let name = format!("{then:?}");
        let steps = vec![Step::Upgrade(answer.to_owned(), octets), then];
        let server = serving(&authority, Fault::None, steps);
        let mut socket = Socket::with(&server.url("wss", "/"), Some(&config), |_| {});
        assert_eq!(socket.run(), expected, "{name}");
        assert_eq!(socket.heard[..2], ["opened", "text hi"], "{name}");
    }
}

#[test]
fn a_file_without_certificates_is_an_error() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("roots.pem");
    assert!(
        TlsConfig::new(&Roots::File(file.clone())).is_err(),
        "no file"
    );
    for content in [
        "",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&file, content).expect("a file");
        assert!(
            TlsConfig::new(&Roots::File(file.clone())).is_err(),
            "{content:?}"
        );
    }
}
