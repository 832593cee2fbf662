//! Frames that Autobahn|Testsuite does not send, through a socket: hostile lengths, masks, floods, ends in every state.
//!
//! Runs on: the test runner; the server is on the loopback.
//! Owns: which rule and close code each ends in, and that memory stays bounded.
//! Never: takes the client's word for what it sent: the server reads the frames by itself.

mod net_support;

use std::time::{Duration, Instant};

use net_support::frames::{self, Frame, close, frame, text};
use net_support::socket::Socket;
use net_support::{Server, Step};
use shrike::net::websocket::WebSocketTiming;

fn upgrade() -> Step {
    let answer = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                  Sec-WebSocket-Accept: {accept}\r\n\r\n";
    Step::Upgrade(answer.to_owned(), Vec::new())
}

/// The frames that the client of a connection sent.
fn sent(server: &Server) -> Vec<Frame> {
    server.log(|log| {
        assert_eq!(log.malformed, [""; 0]);
        let octets = log.upgraded.iter().flat_map(|(_, octets)| octets.clone());
        frames::read(&octets.collect::<Vec<_>>()).expect("sound frames")
    })
}

/// How a connection ends on which these octets come, what was heard, and the code that the server was told.
fn run(octets: &[u8], size: usize) -> (String, Vec<String>, Option<u16>) {
    let pieces = Step::Pieces(octets.to_vec(), size, Duration::ZERO);
    // The server hangs up when it is told goodbye: 6 to 8 octets are a close frame with its code, or without.
    let steps = vec![upgrade(), pieces, Step::Octets(6), Step::Close];
    let server = Server::always(steps);
    let mut socket = Socket::new(&server.url("ws", "/"));
    let end = socket.run();
    drop(socket.client);
    server.wait_for_ends(1);
    let sent = sent(&server);
    assert!(
        sent.iter().rev().skip(1).all(|frame| frame.opcode != 8),
        "two close frames"
    );
    let code = sent.last().and_then(Frame::close_code);
    (end, socket.heard, code)
}

/// Header with a 64-bit length.
fn long(first: u8, length: u64) -> Vec<u8> {
    [&[first, 127][..], &length.to_be_bytes()].concat()
}

fn of_16_bits(first: u8, length: u16) -> Vec<u8> {
    [&[first, 126][..], &length.to_be_bytes()].concat()
}

fn masked(first: u8) -> Vec<u8> {
    vec![first, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]
}

fn broken() -> Vec<(&'static str, u16, Vec<u8>)> {
    let mut cases = vec![
        ("masked_frame", 1002, masked(0x81)),
        ("masked_frame", 1002, masked(0x82)),
        ("masked_frame", 1002, masked(0x88)),
        ("masked_frame", 1002, masked(0x89)),
        ("masked_frame", 1002, vec![0x81, 0x80, 0, 0, 0, 0]),
        ("masked_frame", 1002, vec![0x81, 0xff]),
        ("non_minimal_length", 1002, of_16_bits(0x82, 0)),
        ("non_minimal_length", 1002, of_16_bits(0x82, 125)),
        ("non_minimal_length", 1002, long(0x82, 0)),
        ("non_minimal_length", 1002, long(0x82, 126)),
        ("non_minimal_length", 1002, long(0x82, 0xffff)),
        ("negative_length", 1002, long(0x82, 1 << 63)),
        ("negative_length", 1002, long(0x82, u64::MAX)),
        ("message_too_long", 1009, long(0x82, (1 << 63) - 1)),
        ("message_too_long", 1009, long(0x81, 1 << 40)),
        ("message_too_long", 1009, long(0x82, (1 << 20) + 1)),
        ("control_too_long", 1002, of_16_bits(0x89, 126)),
        ("control_too_long", 1002, of_16_bits(0x88, 126)),
        ("control_too_long", 1002, long(0x8a, 1 << 62)),
        ("control_fragmented", 1002, frame(0x09, b"x")),
        ("control_fragmented", 1002, frame(0x08, b"")),
        ("control_fragmented", 1002, frame(0x0a, b"")),
        ("unexpected_continuation", 1002, frame(0x80, b"x")),
        ("unexpected_continuation", 1002, frame(0x00, b"x")),
        (
            "expected_continuation",
            1002,
            [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
        ),
        (
            "expected_continuation",
            1002,
            [frame(0x02, b"a"), frame(0x02, b"b")].concat(),
        ),
        ("close_length", 1002, frame(0x88, b"\x03")),
        ("close_reason_utf8", 1007, close(1000, b"\xff")),
        ("close_reason_utf8", 1007, close(1000, b"\xe2\x82")),
        ("utf8", 1007, frame(0x81, b"a\xff")),
        ("utf8", 1007, frame(0x81, b"\xed\xa0\x80")),
        ("utf8", 1007, frame(0x81, b"\xe2\x82")),
        (
            "utf8",
            1007,
            [frame(0x01, b"\xe2"), frame(0x80, b"\x28\xa1")].concat(),
        ),
        // Told at the octet that is wrong: the rest of the frame, and of the message, never comes.
        (
            "utf8",
            1007,
            [long(0x81, 1 << 20), vec![b'a', 0xc0]].concat(),
        ),
        (
            "utf8",
            1007,
            [frame(0x01, b"a"), long(0x00, 1 << 19), vec![0xf5]].concat(),
        ),
        (
            "message_too_long",
            1009,
            [frame(0x02, &[0; 1 << 20]), frame(0x80, b"x")].concat(),
        ),
        (
            "too_many_fragments",
            1009,
            [frame(0x02, b""), frame(0x00, b"").repeat(1_024)].concat(),
        ),
    ];
    for bits in [0x10, 0x20, 0x40, 0x70] {
        cases.push(("reserved_bits", 1002, frame(0x81 | bits, b"hi")));
        cases.push(("reserved_bits", 1002, frame(0x89 | bits, b"")));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push(("reserved_opcode", 1002, frame(0x80 | opcode, b"")));
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
    ] {
        cases.push(("close_code", 1002, close(code, b"")));
    }
    cases
}

#[test]
fn broken_frames_end_in_their_rule_and_its_code() {
    for (rule, code, octets) in broken() {
        for size in [usize::MAX, 1] {
            if size == 1 && octets.len() > 5_000 {
                continue;
            }
            let start = octets[..octets.len().min(20)].escape_ascii().to_string();
            // A message before it is heard: what is behind it does not undo it.
            let (end, heard, told) = run(&[text("before"), octets.clone()].concat(), size);
            assert_eq!((end.as_str(), told), (rule, Some(code)), "{start}");
            assert_eq!(heard, ["opened", "text before"], "{start}");
        }
    }
}

#[test]
fn good_frames_are_heard() {
    let whole = "x".repeat(1 << 20);
    let cases: Vec<(Vec<u8>, Vec<String>)> = vec![
        (frame(0x81, b""), vec!["text ".into()]),
        (frame(0x82, &[0; 125]), vec!["binary 125".into()]),
        (frame(0x82, &[0; 126]), vec!["binary 126".into()]),
        (frame(0x82, &[0; 65535]), vec!["binary 65535".into()]),
        (frame(0x82, &[0; 65536]), vec!["binary 65536".into()]),
        (frame(0x82, whole.as_bytes()), vec!["binary 1048576".into()]),
        (
            [frame(0x02, &[0; 1 << 19]), frame(0x80, &[0; 1 << 19])].concat(),
            vec!["binary 1048576".into()],
        ),
        (
            [
                frame(0x01, b"a"),
                frame(0x00, b"").repeat(1_022),
                frame(0x80, b"b"),
            ]
            .concat(),
            vec!["text ab".into()],
        ),
        (
            [
                frame(0x01, b"\xe2"),
                frame(0x8a, b"p"),
                frame(0x80, b"\x82\xac"),
            ]
            .concat(),
            vec!["pong p".into(), "text \u{20ac}".into()],
        ),
        (frame(0x8a, b""), vec!["pong ".into()]),
        (frame(0x89, &[b'p'; 125]), vec![]),
    ];
    for (octets, mut expected) in cases {
        let start = octets[..octets.len().min(20)].escape_ascii().to_string();
        let size = if octets.len() < 5_000 { 1 } else { 4_099 };
        for size in [usize::MAX, size] {
            let octets = [octets.clone(), close(1000, b"bye")].concat();
            let (end, mut heard, _) = run(&octets, size);
            assert_eq!(end, "closed", "{start}");
            assert_eq!(heard.remove(0), "opened");
            assert_eq!(heard.pop().as_deref(), Some("closing 1000 bye"));
            assert_eq!(heard, expected, "{start}");
        }
        expected.clear();
    }
}

#[test]
fn every_close_code_that_may_be_sent_is_answered_by_itself() {
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999,
    ] {
        let (end, heard, told) = run(&close(code, "\u{20ac}".as_bytes()), 1);
        assert_eq!((end.as_str(), told), ("closed", Some(code)));
        assert_eq!(heard[1], format!("closing {code} \u{20ac}"));
    }
    let (end, heard, told) = run(&frame(0x88, b""), 1);
    assert_eq!(
        (end.as_str(), heard[1].as_str(), told),
        ("closed", "closing", None)
    );
}

/// FIN and RST within a header, a payload, a message, and between messages.
#[test]
fn an_end_without_goodbye_is_told_in_every_state() {
    let states: &[(&str, Vec<u8>)] = &[
        ("between messages", text("hi")),
        ("nothing came", vec![]),
        ("half of a header", vec![0x81]),
        ("half of a length", vec![0x82, 127, 0, 0]),
        ("a payload to come", frame(0x81, b"hi")[..2].to_vec()),
        ("half of a payload", frame(0x81, b"hi")[..3].to_vec()),
        ("half of a message", frame(0x01, b"hi")),
        ("half of a close frame", close(1000, b"bye")[..4].to_vec()),
    ];
    for (name, octets) in states {
        for then in [Step::Close, Step::Cut, Step::Reset] {
            let is_reset = matches!(then, Step::Reset);
            let server = Server::always(vec![upgrade(), Step::Send(octets.clone()), then]);
            let mut socket = Socket::new(&server.url("ws", "/"));
            let end = socket.run();
            let expected = if is_reset {
                "Stream(Reset)"
            } else {
                "truncated"
            };
            assert_eq!(end, expected, "{name}");
            assert!(
                !socket
                    .heard
                    .iter()
                    .any(|heard| heard.starts_with("closing")),
                "{name}"
            );
        }
    }
}

fn timing(ping_ms: u64, close_ms: u64) -> WebSocketTiming {
    WebSocketTiming {
        ping_ns: ping_ms * 1_000_000,
        misses: 2,
        close_ns: close_ms * 1_000_000,
    }
}

#[test]
fn a_peer_that_does_not_answer_the_goodbye_is_left() {
    for then in [Step::Stall, Step::Freeze, Step::Flood(text("still here"))] {
        let name = format!("{then:?}");
        let server = Server::always(vec![upgrade(), then]);
        let mut socket = Socket::with(&server.url("ws", "/"), None, |settings| {
            settings.timing = timing(10_000, 100);
        });
        socket.open();
        socket.client.close(1000, "bye").expect("open");
        let since = Instant::now();
        assert_eq!(socket.run(), "close_timeout", "{name}");
        assert!(since.elapsed() < Duration::from_millis(800), "{name}");
    }
}

#[test]
fn a_goodbye_that_is_answered_ends_clean() {
    let server = Server::always(vec![
        upgrade(),
        Step::Octets(8),
        Step::Send(close(1000, b"")),
        Step::Close,
    ]);
    let mut socket = Socket::new(&server.url("ws", "/"));
    socket.open();
    socket.client.close(1000, "").expect("open");
    assert!(socket.send_text("behind the goodbye").is_err());
    assert_eq!(socket.run(), "closed");
    drop(socket.client);
    server.wait_for_ends(1);
    let sent = sent(&server);
    assert_eq!(
        sent.iter().map(|frame| frame.opcode).collect::<Vec<_>>(),
        [8]
    );
}

/// A peer that is gone without FIN: two pings, then the end.
#[test]
fn a_silent_peer_is_found_dead() {
    let server = Server::always(vec![upgrade(), Step::Stall]);
    let mut socket = Socket::with(&server.url("ws", "/"), None, |settings| {
        settings.timing = timing(50, 100);
    });
    let since = Instant::now();
    assert_eq!(socket.run(), "pong_timeout");
    assert!(since.elapsed() >= Duration::from_millis(150));
    drop(socket.client);
    server.wait_for_ends(1);
    let pings = sent(&server)
        .iter()
        .filter(|frame| frame.opcode == 9)
        .count();
    assert_eq!(pings, 2);
}

/// Pongs are for the latest ping where there are more than can be written.
#[test]
fn a_flood_of_pings_that_reads_no_pong_is_bounded() {
    let ping = frame(0x89, &[b'p'; 125]);
    let server = Server::always(vec![upgrade(), Step::Flood(ping.repeat(100))]);
    let mut socket = Socket::new(&server.url("ws", "/"));
    socket.open();
    let until = Instant::now() + Duration::from_millis(500);
    let mut most = 0;
    while Instant::now() < until && socket.end.is_none() {
        socket.poll();
        most = most.max(socket.client.unwritten());
    }
    assert_eq!(socket.end, None);
    assert!(most <= 64 << 10, "{most} octets wait");
}

#[test]
fn pings_are_answered_in_order_by_what_they_said() {
    let pings: Vec<u8> = (0..50)
        .flat_map(|at| frame(0x89, format!("{at}").as_bytes()))
        .collect();
    let octets = [pings, close(1000, b"")].concat();
    let server = Server::always(vec![upgrade(), Step::Send(octets), Step::Close]);
    let mut socket = Socket::new(&server.url("ws", "/"));
    assert_eq!(socket.run(), "closed");
    drop(socket.client);
    server.wait_for_ends(1);
    let pongs: Vec<_> = sent(&server)
        .into_iter()
        .filter(|frame| frame.opcode == 10)
        .collect();
    let numbers: Vec<u32> = pongs
        .iter()
        .map(|frame| {
            String::from_utf8_lossy(&frame.payload)
                .parse()
                .expect("a number")
        })
        .collect();
    assert!(!numbers.is_empty() && numbers.is_sorted(), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&49));
}

/// Each flood ends in its rule, long before it has cost anything.
#[test]
fn floods_are_cut_off() {
    for (name, start, flood, rule) in [
        (
            "fragments",
            frame(0x02, b"x"),
            frame(0x00, b"x"),
            "too_many_fragments",
        ),
        (
            "empty fragments",
            frame(0x01, b""),
            frame(0x00, b""),
            "too_many_fragments",
        ),
        (
            "long fragments",
            frame(0x02, b"x"),
            frame(0x00, &[0; 60_000]),
            "message_too_long",
        ),
    ] {
        let server = Server::always(vec![
            upgrade(),
            Step::Send(start),
            Step::Flood(flood.repeat(100_000 / flood.len())),
        ]);
        let mut socket = Socket::with(&server.url("ws", "/"), None, |settings| {
            settings.timing = timing(10_000, 100);
        });
        assert_eq!(socket.run(), rule, "{name}");
        assert_eq!(socket.heard, ["opened"], "{name}");
    }
}

/// A server that does not read: what may wait is bounded, and what is refused was not sent in part.
#[test]
fn a_peer_that_does_not_read_is_told_no_more_than_fits() {
    let server = Server::always(vec![upgrade(), Step::Freeze]);
    let mut socket = Socket::new(&server.url("ws", "/"));
    socket.open();
    let message = "x".repeat(10_000);
    let mut refused = None;
    for _ in 0..10_000 {
        match socket.send_text(&message) {
            Ok(()) => {}
            Err(shrike::net::MessageError::NoMask) => {
                socket.poll();
            }
            Err(error) => {
                refused = Some(error.to_string());
                break;
            }
        }
        assert!(socket.client.unwritten() <= 64 << 10);
    }
    assert!(refused.is_some_and(|why| why.contains("output_full")));
}
