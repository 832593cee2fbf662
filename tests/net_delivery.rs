//! A POST reaches the server at most once, and its end says no more than is known: races on kept connections.
//!
//! Runs on: the test runner; the server is on the loopback and counts whole requests itself.
//! Owns: the outcomes `NotSent` and `Unknown`, and the one retry of a GET.
//! Never: believes the client's count.

mod net_support;

use std::time::Duration;

use net_support::client::{Client, End};
use net_support::{Server, Step};
use proptest::prelude::*;
use shrike::net::SendOptions;

const HI: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn hi() -> Step {
    Step::Send(HI.to_vec())
}

/// One exchange served, then these steps.
fn after_one(steps: &[Step]) -> Vec<Step> {
    [&[Step::Request, hi()], steps].concat()
}

/// Serves for ever.
fn good() -> Vec<Step> {
    let mut steps = vec![[Step::Request, hi()]; 20].concat();
    steps.push(Step::Stall);
    steps
}

fn retried() -> SendOptions {
    SendOptions {
        may_retry: true,
        ..SendOptions::default()
    }
}

/// How a server may fail a request on a connection that has served before, and what its sender then knows.
fn failures() -> Vec<(&'static str, Vec<Step>, End)> {
    let half = || Step::Send(HI[..30].to_vec());
    vec![
        (
            "FIN once it was read",
            vec![Step::Request, Step::Close],
            End::unknown("closed"),
        ),
        (
            "RST once it was read",
            vec![Step::Request, Step::Reset],
            End::unknown("died"),
        ),
        (
            "RST within it",
            vec![Step::Octets(5), Step::Reset],
            End::unknown("died"),
        ),
        (
            "FIN behind half of the answer",
            vec![Step::Request, half(), Step::Close],
            End::unknown("truncated"),
        ),
        (
            "RST behind half of the answer",
            vec![Step::Request, half(), Step::Reset],
            End::unknown("died"),
        ),
        (
            "a broken answer",
            vec![Step::Request, Step::Send(b"?".to_vec())],
            End::unknown("not_http"),
        ),
        (
            "an interim answer, then FIN",
            vec![
                Step::Request,
                Step::Send(b"HTTP/1.1 100 x\r\n\r\n".to_vec()),
                Step::Close,
            ],
            End::unknown("truncated"),
        ),
    ]
}

#[test]
fn a_changing_request_is_never_sent_twice() {
    for method in ["POST", "PATCH", "DELETE"] {
        for (name, steps, expected) in failures() {
            // On a used connection as on a new one; asking for a retry is of no effect.
            for first in [after_one(&steps), steps.clone()] {
                let is_used = first.len() > steps.len();
                let server = Server::start(move |at| if at == 0 { first.clone() } else { good() });
                let mut client = Client::new(&server.url("http", "/"));
                if is_used {
                    assert_eq!(client.get(), End::hi(), "{name}");
                }
                let end = client.exchange(method, b"order", retried());
                assert_eq!(end, expected, "{method}: {name}");
                // Time for a second one to arrive, were there one.
                client.poll_for(Duration::from_millis(10));
                drop(client);
                assert!(server.count(method) <= 1, "{method}: {name}");
                if !name.contains("within") {
                    assert_eq!(server.count(method), 1, "{method}: {name}");
                }
            }
        }
    }
}

/// FIN and RST that were there before the send are seen in time: nothing is lost, nothing is sent twice.
#[test]
fn an_ended_connection_is_not_sent_on() {
    for end in [Step::HalfClose, Step::Reset] {
        let name = format!("{end:?}");
        let ended = after_one(&[
            Step::Pause(Duration::from_millis(1)),
            end,
            Step::Mark,
            Step::Stall,
        ]);
        let server = Server::start(move |at| if at == 0 { ended.clone() } else { good() });
        let mut client = Client::new(&server.url("http", "/"));
        assert_eq!(client.get(), End::hi(), "{name}");
        if name == "Reset" {
            std::thread::sleep(Duration::from_millis(30));
        } else {
            server.wait_for_marks(1);
        }
        assert_eq!(client.post(b"order"), End::hi(), "{name}");
        assert_eq!(
            (server.count("POST"), server.connections()),
            (1, 2),
            "{name}"
        );
    }
}

/// What never left is said so: there is no doubt and nothing to look up.
#[test]
fn without_a_connection_nothing_was_sent() {
    let server = Server::always(vec![Step::Reset]);
    let mut client = Client::new(&server.url("http", "/"));
    let sent = client.send("POST", b"order", SendOptions::default());
    assert_eq!(sent, Err(shrike::net::SendError::NotConnected));
}

/// Fewer octets than the request has cannot be acted on, once the connection is dead.
#[test]
fn a_request_cut_off_by_the_connections_death_was_not_sent() {
    for end in [Step::Reset, Step::Cut] {
        let name = format!("{end:?}");
        let cut = vec![Step::Octets(1_000), end, Step::Freeze];
        let server = Server::start(move |at| if at == 0 { cut.clone() } else { good() });
        let mut client = Client::new(&server.url("http", "/"));
        let big = vec![b'x'; 64 << 20];
        let result = client.exchange("POST", &big, retried());
        assert!(matches!(result, End::NotSent(_)), "{name}: {result:?}");
        assert_eq!(server.count("POST"), 0, "{name}");
    }
}

/// A server that reads nothing: at the deadline some of it has left, and more is not known.
#[test]
fn a_request_that_is_not_read_is_unknown_at_its_deadline() {
    let server = Server::always(vec![Step::Freeze]);
    let mut client = Client::new(&server.url("http", "/"));
    let options = SendOptions {
        within_ns: Some(100_000_000),
        ..SendOptions::default()
    };
    let big = vec![b'x'; 64 << 20];
    assert_eq!(
        client.exchange("POST", &big, options),
        End::unknown("timed_out")
    );
}

#[test]
fn a_get_is_retried_once_on_a_used_connection_when_asked() {
    for (name, steps, expected) in failures() {
        let first = after_one(&steps);
        let server = Server::start(move |at| if at == 0 { first.clone() } else { good() });
        let mut client = Client::new(&server.url("http", "/"));
        assert_eq!(client.get(), End::hi(), "{name}");
        let end = client.exchange("GET", b"", retried());
        let has_begun = name.contains("answer");
        assert_eq!(end, if has_begun { expected } else { End::hi() }, "{name}");
        let gets = if name.contains("within") || has_begun {
            2
        } else {
            3
        };
        assert_eq!(server.count("GET"), gets, "{name}");
    }
}

#[test]
fn a_get_is_not_retried_unasked_nor_on_a_new_connection_nor_twice() {
    let dies = [Step::Request, Step::Close];
    let used = after_one(&dies);
    let server = Server::start(move |at| if at == 0 { used.clone() } else { good() });
    let mut client = Client::new(&server.url("http", "/"));
    assert_eq!(client.get(), End::hi());
    assert_eq!(client.get(), End::unknown("closed"));
    assert_eq!(server.count("GET"), 2, "unasked");

    let server = Server::always(dies.to_vec());
    let mut client = Client::new(&server.url("http", "/"));
    let end = client.exchange("GET", b"", retried());
    assert_eq!(end, End::unknown("closed"));
    assert_eq!(server.count("GET"), 1, "on a new connection");

    let used = after_one(&dies);
    let server = Server::start(move |at| if at == 0 { used.clone() } else { dies.to_vec() });
    let mut client = Client::new(&server.url("http", "/"));
    assert_eq!(client.get(), End::hi());
    let end = client.exchange("GET", b"", retried());
    assert_eq!(end, End::unknown("closed"));
    assert_eq!(server.count("GET"), 3, "twice");
}

/// Where no new connection serves the retry, the first end stands: the server has read the request once, so that
/// `NotSent` would not be true, though nothing of the second one may have left.
#[test]
fn a_retry_without_a_connection_ends_in_time_and_in_doubt() {
    for _ in 0..30 {
        let server = Server::in_turn(vec![after_one(&[Step::Request, Step::Close])]);
        let mut client = Client::new(&server.url("http", "/"));
        assert_eq!(client.get(), End::hi());
        let options = SendOptions {
            within_ns: Some(300_000_000),
            ..retried()
        };
        let end = client.exchange("GET", b"", options);
        assert!(matches!(end, End::Unknown(_)), "{end:?}");
        assert_eq!(server.count("GET"), 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// FIN or RST some microseconds around the send: whatever wins, the server's count bears out the client's word.
    #[test]
    fn the_server_bears_out_the_client_in_every_race(
        wait_us in 0u64..400, send_us in 0u64..400, resets in any::<bool>(), warm in 1usize..3,
    ) {
        let end = if resets { Step::Reset } else { Step::Close };
        let race = after_one(&[Step::Pause(Duration::from_micros(wait_us)), end]);
        let server = Server::start(move |at| if at == 0 { race.clone() } else { good() });
        let mut client = Client::with(&server.url("http", "/"), None, |s| s.connections = warm);
        let first = client.get();
        prop_assert_eq!(first, End::hi());
        let until = std::time::Instant::now() + Duration::from_micros(send_us);
        while std::time::Instant::now() < until {}
        let end = client.post(b"order");
        drop(client);
        server.wait_for_ends(1);
        let count = server.count("POST");
        match end {
            End::Response(200, _) => prop_assert_eq!(count, 1),
            End::NotSent(_) | End::NotDialled(_) => prop_assert_eq!(count, 0),
            End::Unknown(_) => prop_assert!(count <= 1),
            other => prop_assert!(false, "{:?}", other),
        }
        server.log(|log| assert_eq!(log.malformed, [""; 0]));
    }
}
