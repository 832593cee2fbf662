//! Every response of the table, through a socket: whole, octet by octet, and in pieces.
//!
//! Runs on: the test runner; the server is on the loopback.
//! Owns: what the client makes of good, broken and hostile responses, and what becomes of its connection then.
//! Never: sleeps to wait for something.

mod net_support;

use std::time::{Duration, Instant};

use net_support::client::{Client, End};
use net_support::responses::{self, Case, Expected, Then};
use net_support::{Server, Step};
use shrike::net::SendOptions;

const HI: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const WITHIN_NS: u64 = 3_000_000_000;

/// How the octets are cut into segments.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Pieces(usize),
    At(usize),
}

fn steps(case: &Case, cut: Cut) -> Vec<Step> {
    let octets = case.octets.clone();
    let pause = Duration::from_micros(30);
    let mut steps = vec![Step::Request];
    match cut {
        Cut::Whole => steps.push(Step::Send(octets)),
        Cut::Pieces(size) => steps.push(Step::Pieces(octets, size, Duration::ZERO)),
        Cut::At(at) => {
            let (start, end) = octets.split_at(at.min(octets.len()));
            steps.push(Step::Pieces(start.to_vec(), usize::MAX, pause));
            steps.push(Step::Send(end.to_vec()));
        }
    }
    steps.push(match case.then {
        Then::Open => Step::Stall,
        Then::Close => Step::Close,
        Then::Reset => Step::Reset,
    });
    steps
}

fn options(case: &Case) -> SendOptions {
    SendOptions {
        within_ns: Some(WITHIN_NS),
        may_retry: false,
        may_be_close_delimited: case.close_delimited,
    }
}

/// What is wrong with how the case ended, if anything. The client is left without a connection.
fn run(client: &mut Client, server: &Server, case: &Case, cut: Cut) -> Option<String> {
    let before = server.connections();
    let end = client.exchange(case.method, b"", options(case));
    let is_right = match &case.expected {
        Expected::Keeps(status, body) | Expected::Ends(status, body) => {
            end == End::Response(*status, body.clone())
        }
        Expected::Breaks(rule) => end == End::unknown(rule),
    };
    let mut wrong = None;
    if !is_right {
        let text = format!("{end:?}");
        wrong = Some(format!(
            "{} ({cut:?}): {:.200} where {:.200} should be",
            case.name,
            text,
            format!("{:?}", case.expected)
        ));
    } else if server.connections() != before + 1 {
        wrong = Some(format!(
            "{} ({cut:?}): another connection was dialled",
            case.name
        ));
    }
    let keeps = matches!(case.expected, Expected::Keeps(..));
    // Octets too many, FIN and RST may come later than the answer, and are seen before the next request then.
    let is_certain = keeps || matches!(case.expected, Expected::Breaks(_));
    if wrong.is_none() && is_certain && (client.http.warm() == 1) != keeps {
        wrong = Some(format!(
            "{} ({cut:?}): the connection is {}",
            case.name,
            if keeps { "dropped" } else { "kept" }
        ));
    }
    wrong
}

fn check(cases: &[Case], cuts: impl Fn(&Case) -> Vec<Cut>) {
    let mut wrong = Vec::new();
    for case in cases {
        let cuts = cuts(case);
        let scripts: Vec<_> = cuts.iter().map(|cut| steps(case, *cut)).collect();
        let server = Server::in_turn(scripts);
        for cut in cuts {
            let mut client = Client::new(&server.url("http", "/"));
            wrong.extend(run(&mut client, &server, case, cut));
        }
        server.log(|log| assert_eq!(log.malformed, [""; 0]));
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_response_comes_to_what_the_table_says() {
    check(&responses::all(), |_| vec![Cut::Whole]);
}

#[test]
fn octet_by_octet_it_is_the_same() {
    let mut cases = responses::all();
    // RST takes away what the server's kernel has not sent yet: many small segments may be that.
    cases.retain(|case| case.then != Then::Reset || matches!(case.expected, Expected::Breaks(_)));
    check(&cases, |case| {
        let is_short = case.octets.len() < 4_096;
        vec![Cut::Pieces(if is_short { 1 } else { 997 })]
    });
}

#[test]
fn cut_in_two_it_is_the_same() {
    check(&responses::all(), |case| {
        let length = case.octets.len();
        [length / 3, length / 2, length.saturating_sub(1)]
            .map(Cut::At)
            .to_vec()
    });
}

/// A kept connection serves the same again, and says the same.
#[test]
fn a_kept_connection_serves_again() {
    for case in responses::all() {
        let Expected::Keeps(status, body) = &case.expected else {
            continue;
        };
        let once = [Step::Request, Step::Send(case.octets.clone())];
        let server = Server::in_turn(vec![[once.clone(), once.clone(), once].concat()]);
        let mut client = Client::new(&server.url("http", "/"));
        for _ in 0..3 {
            let end = client.exchange(case.method, b"", options(&case));
            assert_eq!(end, End::Response(*status, body.clone()), "{}", case.name);
        }
        assert_eq!(server.connections(), 1, "{}", case.name);
    }
}

/// Whatever comes behind a response, or in place of one, does not answer the next request.
#[test]
fn no_answer_is_taken_from_before_the_question() {
    let poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison".to_vec();
    let late: &[(&str, Vec<Step>)] = &[
        ("a response", vec![Step::Send(poison.clone())]),
        ("an octet", vec![Step::Send(b"\n".to_vec())]),
        (
            "an interim response",
            vec![Step::Send(b"HTTP/1.1 100 x\r\n\r\n".to_vec())],
        ),
        (
            "408, as servers do",
            vec![
                Step::Send(b"HTTP/1.1 408 x\r\n\r\n".to_vec()),
                Step::HalfClose,
            ],
        ),
        ("FIN", vec![Step::HalfClose]),
    ];
    for (name, behind) in late {
        let first = [
            vec![Step::Request, Step::Send(HI.to_vec())],
            behind.clone(),
            vec![Step::Mark, Step::Stall],
        ]
        .concat();
        let second = vec![Step::Request, Step::Send(HI.to_vec()), Step::Stall];
        let server = Server::in_turn(vec![first, second]);
        let mut client = Client::new(&server.url("http", "/"));
        assert_eq!(client.get(), End::hi(), "{name}");
        server.wait_for_marks(1);
        // Not polled in between: the look just before the send has to find it.
        assert_eq!(client.post(b"x"), End::hi(), "{name}");
        assert_eq!(
            (server.connections(), server.count("POST")),
            (2, 1),
            "{name}"
        );
        server.log(|log| assert_eq!(log.requests[1].connection, 1, "{name}"));
    }
}

#[test]
fn what_comes_before_any_request_ends_the_connection() {
    let hello = [
        Step::Send(b"220 mail ESMTP\r\n".to_vec()),
        Step::Mark,
        Step::Stall,
    ];
    let server = Server::in_turn(vec![
        hello.to_vec(),
        vec![Step::Request, Step::Send(HI.to_vec()), Step::Stall],
    ]);
    let mut client = Client::new(&server.url("http", "/"));
    client.warm(1).expect("up");
    server.wait_for_marks(1);
    assert_eq!(client.post(b"x"), End::hi());
    assert_eq!((server.connections(), server.count("POST")), (2, 1));
}

/// An answer that comes before the request is written whole counts; its connection does not serve again.
#[test]
fn an_early_answer_counts_and_ends_the_connection() {
    let early = vec![
        Step::Octets(10),
        Step::Send(b"HTTP/1.1 413 x\r\nContent-Length: 2\r\n\r\nno".to_vec()),
        Step::Freeze,
    ];
    let good = vec![Step::Request, Step::Send(HI.to_vec()), Step::Stall];
    let server = Server::in_turn(vec![early, good]);
    let mut client = Client::new(&server.url("http", "/"));
    let big = vec![b'x'; 32 << 20];
    assert_eq!(client.post(&big), End::Response(413, b"no".to_vec()));
    assert_eq!(client.http.warm(), 0);
    assert_eq!(client.get(), End::hi());
    assert_eq!(server.connections(), 2);
}

/// Endless streams end in the rule that they break, long before the deadline.
#[test]
fn floods_are_cut_off() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, start, flood, rule) in [
        (
            "interim responses",
            "",
            "HTTP/1.1 102 x\r\n\r\n",
            "too_many_interim",
        ),
        (
            "a status line",
            "HTTP/1.1 200 ",
            "xxxxxxxx",
            "head_too_long",
        ),
        (
            "fields",
            "HTTP/1.1 200 OK\r\n",
            "a: b\r\n",
            "too_many_fields",
        ),
        ("a name", "HTTP/1.1 200 OK\r\n", "aaaaaaaa", "head_too_long"),
        (
            "a value",
            "HTTP/1.1 200 OK\r\na: ",
            "bbbbbbbb",
            "head_too_long",
        ),
        ("chunks", chunked, "8\r\nxxxxxxxx\r\n", "body_too_long"),
        ("a chunk's size", chunked, "00000000", "chunk_size"),
        (
            "an extension",
            &format!("{chunked}1;a=\""),
            "bbbbbbbb",
            "chunk_extensions_too_long",
        ),
        (
            "extensions",
            chunked,
            "1;aaaaaaaa\r\nx\r\n",
            "chunk_extensions_too_long",
        ),
        (
            "trailers",
            &format!("{chunked}0\r\n"),
            "a: bbbbbbbbb\r\n",
            "too_many_fields",
        ),
        (
            "a trailer",
            &format!("{chunked}0\r\na: "),
            "bbbbbbbb",
            "trailers_too_long",
        ),
        (
            "a body without end",
            "HTTP/1.1 200 OK\r\n\r\n",
            "bbbbbbbb",
            "body_too_long",
        ),
    ] {
        let server = Server::always(vec![
            Step::Request,
            Step::Send(start.into()),
            Step::Flood(flood.repeat(1_000).into()),
        ]);
        let mut client = Client::new(&server.url("http", "/"));
        let options = SendOptions {
            may_be_close_delimited: true,
            ..SendOptions::default()
        };
        let end = client.exchange("GET", b"", options);
        assert_eq!(end, End::unknown(rule), "{name}");
        assert_eq!(client.http.warm(), 0, "{name}");
    }
}

/// A server that stops, or goes on too slowly, is left at the deadline of the whole exchange.
#[test]
fn the_deadline_is_for_the_whole_exchange() {
    let slowly = |text: &str| {
        let pause = Duration::from_millis(3);
        vec![
            Step::Request,
            Step::Pieces(text.into(), 1, pause),
            Step::Stall,
        ]
    };
    let stops = |text: &str| vec![Step::Request, Step::Send(text.into()), Step::Stall];
    let long = "x".repeat(10_000);
    for (name, steps) in [
        ("nothing", stops("")),
        ("half of a status line", stops("HTTP/1.1 2")),
        ("half of a field", stops("HTTP/1.1 200 OK\r\nA")),
        (
            "no blank line",
            stops("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
        ),
        ("interim only", stops("HTTP/1.1 100 x\r\n\r\n")),
        (
            "half of a body",
            stops("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"),
        ),
        (
            "half of a chunk",
            stops("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"),
        ),
        (
            "no last chunk",
            stops("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n"),
        ),
        (
            "no final CRLF",
            stops("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
        ),
        (
            "a slow head",
            slowly(&format!("HTTP/1.1 200 OK\r\nA: {long}")),
        ),
        (
            "a slow body",
            slowly(&format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{long}"
            )),
        ),
    ] {
        let server = Server::always(steps);
        let mut client = Client::new(&server.url("http", "/"));
        client.warm(1).expect("up");
        let options = SendOptions {
            within_ns: Some(150_000_000),
            ..SendOptions::default()
        };
        let since = Instant::now();
        let end = client.exchange("POST", b"x", options);
        assert_eq!(end, End::unknown("timed_out"), "{name}");
        assert!(since.elapsed() >= Duration::from_millis(150), "{name}");
        assert_eq!(client.http.warm(), 0, "{name}: the connection is dropped");
        assert_eq!(server.count("POST"), 1, "{name}");
    }
}
