//! The WebSocket handshake through a socket: which answers make a connection, and what stands behind them.
//!
//! Runs on: the test runner; the server is on the loopback.
//! Owns: the answers that Autobahn|Testsuite, whose handshake is always good, does not give.
//! Never: takes the client's word for the accept key: the server makes it by itself.

mod net_support;

use std::time::Duration;

use net_support::frames::{self, close, text};
use net_support::socket::Socket;
use net_support::{Server, Step};

/// An answer with the fields that it must have, and these.
fn answer(fields: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {{accept}}\r\n{fields}\r\n"
    )
}

/// A good answer but for one line.
fn with(from: &str, to: &str) -> String {
    let good = answer("");
    assert!(good.contains(from));
    good.replace(from, to)
}

const UPGRADE: &str = "Upgrade: websocket\r\n";
const CONNECTION: &str = "Connection: Upgrade\r\n";
const ACCEPT: &str = "Sec-WebSocket-Accept: {accept}\r\n";

fn good_answers() -> Vec<String> {
    vec![
        answer(""),
        with("Switching Protocols", ""),
        with(CONNECTION, "Connection: keep-alive, Upgrade\r\n"),
        with(
            CONNECTION,
            "Connection: keep-alive\r\nConnection:,upgrade ,\r\n",
        ),
        with(CONNECTION, "connection:UPGRADE\r\n"),
        with(UPGRADE, "upgrade: WebSocket\r\n"),
        with(UPGRADE, "Upgrade: h2c , websocket\r\n"),
        with(UPGRADE, "Upgrade: h2c\r\nUpgrade: websocket\r\n"),
        with(ACCEPT, "SEC-WEBSOCKET-ACCEPT:{accept} \t\r\n"),
        answer("Server: x\r\nSet-Cookie: a=b\r\n"),
        answer("Sec-WebSocket-Version: 13\r\n"),
        format!("HTTP/1.1 100 x\r\n\r\n{}", answer("")),
    ]
}

fn bad_answers() -> Vec<(&'static str, String)> {
    let refusal = |status: &str| format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\nno");
    vec![
        ("status 200", refusal("200")),
        ("status 301", refusal("301")),
        ("status 401", refusal("401")),
        ("status 403", refusal("403")),
        ("status 426", refusal("426")),
        ("status 503", refusal("503")),
        ("status 200", with("101", "200")),
        ("version", with("HTTP/1.1", "HTTP/1.0")),
        ("upgrade", with(UPGRADE, "")),
        ("upgrade", with(UPGRADE, "Upgrade: h2c\r\n")),
        ("upgrade", with(UPGRADE, "Upgrade: websockets\r\n")),
        ("upgrade", with(UPGRADE, "Upgrade: web socket\r\n")),
        ("upgrade", with(UPGRADE, "Upgrade: \"websocket\"\r\n")),
        ("connection", with(CONNECTION, "")),
        ("connection", with(CONNECTION, "Connection: keep-alive\r\n")),
        ("connection", with(CONNECTION, "Connection: upgraded\r\n")),
        ("connection", with(CONNECTION, "Connection: up, grade\r\n")),
        ("accept_key", with(ACCEPT, "")),
        ("accept_key", with("{accept}", "")),
        ("accept_key", with("{accept}", "{accept}=")),
        ("accept_key", with("{accept}", "x{accept}")),
        ("accept_key", with("{accept}", "{accept}, {accept}")),
        (
            "accept_key",
            with("{accept}", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
        ("accept_key", answer(ACCEPT)),
        (
            "unrequested_extension",
            answer("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        ),
        (
            "unrequested_extension",
            answer("Sec-WebSocket-Extensions: x\r\n"),
        ),
        (
            "unrequested_extension",
            answer("sec-websocket-extensions:\r\n"),
        ),
        (
            "unrequested_protocol",
            answer("Sec-WebSocket-Protocol: chat\r\n"),
        ),
        (
            "unrequested_protocol",
            answer("Sec-WebSocket-Protocol:\r\n"),
        ),
        ("not_http", "ICY 101 x\r\n\r\n".to_owned()),
        (
            "not_http",
            text("a frame in its place")
                .iter()
                .map(|&o| o as char)
                .collect(),
        ),
        ("status_line", with("101 Switching Protocols", "101")),
        ("bare_line_feed", with(UPGRADE, "Upgrade: websocket\n")),
        (
            "bare_carriage_return",
            with(UPGRADE, "Upgrade: websocket\rX: y\r\n"),
        ),
        ("obs_fold", with(UPGRADE, "Upgrade:\r\n websocket\r\n")),
        ("field_name", with(UPGRADE, "Upgrade : websocket\r\n")),
        ("field_value", with(UPGRADE, "Upgrade: websocket\0\r\n")),
        ("too_many_fields", answer(&"a: b\r\n".repeat(98))),
        (
            "head_too_long",
            answer(&format!("a: {}\r\n", "b".repeat(40 << 10))),
        ),
        (
            "too_many_interim",
            "HTTP/1.1 100 x\r\n\r\n".repeat(17) + &answer(""),
        ),
    ]
}

/// Runs to the end behind an answer; the server says goodbye behind a good one.
fn run(step: Step) -> (String, Vec<String>, Vec<frames::Frame>) {
    let server = Server::always(vec![step, Step::Send(close(1000, b"")), Step::Close]);
    let mut socket = Socket::new(&server.url("ws", "/stream?a=b"));
    let end = socket.run();
    drop(socket.client);
    server.wait_for_ends(1);
    let sent = server.log(|log| {
        assert_eq!(log.malformed, [""; 0]);
        let request = &log.requests[0];
        assert_eq!(request.field("upgrade"), Some("websocket"));
        assert_eq!(request.field("sec-websocket-version"), Some("13"));
        assert_eq!(request.field("sec-websocket-key").map(str::len), Some(24));
        assert_eq!(request.field("sec-websocket-extensions"), None);
        log.upgraded
            .iter()
            .flat_map(|(_, octets)| octets.clone())
            .collect::<Vec<_>>()
    });
    (
        end,
        socket.heard,
        frames::read(&sent).expect("sound frames"),
    )
}

#[test]
fn good_answers_make_a_connection() {
    for answer in good_answers() {
        for step in [
            Step::Upgrade(answer.clone(), Vec::new()),
            Step::UpgradeSlowly(answer.clone()),
        ] {
            let (end, heard, sent) = run(step);
            assert_eq!(end, "closed", "{answer:?}");
            assert_eq!(heard, ["opened", "closing 1000 "], "{answer:?}");
            assert_eq!(sent.len(), 1, "{answer:?}");
            assert_eq!(sent[0].close_code(), Some(1000), "{answer:?}");
        }
    }
}

#[test]
fn bad_answers_are_refused_by_name_and_nothing_is_sent_on_them() {
    for (rule, answer) in bad_answers() {
        let (end, heard, sent) = run(Step::Upgrade(answer.clone(), text("not to be heard")));
        assert_eq!(end, rule, "{answer:.300?}");
        assert!(
            heard.is_empty() && sent.is_empty(),
            "{answer:.300?}: {heard:?} {sent:?}"
        );
    }
}

#[test]
fn a_protocol_that_was_asked_for_is_taken_and_no_other() {
    for (fields, end) in [
        ("Sec-WebSocket-Protocol: v2\r\n", "closed"),
        ("", "closed"),
        ("Sec-WebSocket-Protocol: v3\r\n", "unrequested_protocol"),
        ("Sec-WebSocket-Protocol: V2\r\n", "unrequested_protocol"),
        ("Sec-WebSocket-Protocol: v1, v2\r\n", "unrequested_protocol"),
        (
            "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: v2\r\n",
            "unrequested_protocol",
        ),
    ] {
        let step = Step::Upgrade(answer(fields), close(1000, b""));
        let server = Server::always(vec![step, Step::Close]);
        let mut socket = Socket::with(&server.url("ws", "/"), None, |settings| {
            settings.fields = vec![("Sec-WebSocket-Protocol".into(), "v1, v2".into())];
        });
        assert_eq!(socket.run(), end, "{fields:?}");
    }
}

#[test]
fn octets_behind_the_answer_are_the_first_frames() {
    let many: Vec<u8> = (0..100).flat_map(|at| text(&format!("{at}"))).collect();
    let all = [many, close(1000, b"bye")].concat();
    for at in [0, 1, 2, 3, 7, all.len() / 2, all.len()] {
        let (now, later) = all.split_at(at);
        let server = Server::always(vec![
            Step::Upgrade(answer(""), now.to_vec()),
            Step::Send(later.to_vec()),
            Step::Close,
        ]);
        let mut socket = Socket::new(&server.url("ws", "/"));
        assert_eq!(socket.run(), "closed", "{at}");
        let mut expected = vec!["opened".to_owned()];
        expected.extend((0..100).map(|at| format!("text {at}")));
        expected.push("closing 1000 bye".to_owned());
        assert_eq!(socket.heard, expected, "{at}");
    }
}

/// The connection ends at every place of the answer.
#[test]
fn an_answer_that_is_cut_off_is_no_connection() {
    let good = answer("");
    for at in (0..good.len()).step_by(7) {
        for then in [Step::Close, Step::Cut, Step::Reset] {
            let name = format!("{then:?} at {at}");
            let server =
                Server::always(vec![Step::Upgrade(good[..at].to_owned(), Vec::new()), then]);
            let mut socket = Socket::new(&server.url("ws", "/"));
            let end = socket.run();
            // A FIN that meets octets of the request becomes a reset.
            let is_end = end == "EndedInHandshake" || end.starts_with("Stream(");
            assert!(is_end, "{name}: {end}");
            assert!(socket.heard.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_handshake_has_a_deadline() {
    let slow = Step::Pieces(answer("").into_bytes(), 1, Duration::from_millis(5));
    let interim = Step::Send(b"HTTP/1.1 100 x\r\n\r\n".to_vec());
    for steps in [
        vec![Step::Stall],
        vec![Step::Request, interim, Step::Stall],
        vec![Step::Request, slow, Step::Stall],
    ] {
        let server = Server::always(steps.clone());
        let mut socket = Socket::with(&server.url("ws", "/"), None, |settings| {
            settings.handshake_ns = 100_000_000;
        });
        let since = std::time::Instant::now();
        assert_eq!(socket.run(), "handshake_timed_out", "{steps:?}");
        assert!(since.elapsed() < Duration::from_secs(2), "{steps:?}");
    }
}

/// Two clients, and one that comes back, have keys of their own.
#[test]
fn each_handshake_has_a_new_key_and_each_frame_a_new_mask() {
    let server = Server::always(vec![Step::Upgrade(answer(""), Vec::new()), Step::Stall]);
    for _ in 0..3 {
        let mut socket = Socket::new(&server.url("ws", "/"));
        socket.open();
        for _ in 0..200 {
            while socket.send_text("x").is_err() {
                socket.poll();
            }
        }
        socket
            .client
            .close(1000, "")
            .or_else(|_| {
                socket.poll();
                socket.client.close(1000, "")
            })
            .expect("closes");
        socket.poll();
    }
    server.wait("every frame comes", |server| {
        server.log(|log| {
            log.upgraded
                .iter()
                .map(|(_, octets)| octets.len())
                .sum::<usize>()
                >= 3 * 200 * 7
        })
    });
    server.log(|log| {
        let mut keys: Vec<_> = log
            .requests
            .iter()
            .map(|r| r.field("sec-websocket-key").map(str::to_owned))
            .collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 3);
        let mut masks = Vec::new();
        for number in 0..3 {
            let of = log.upgraded.iter().filter(|(at, _)| *at == number);
            let octets: Vec<u8> = of.flat_map(|(_, octets)| octets.clone()).collect();
            masks.extend(
                frames::read(&octets)
                    .expect("sound")
                    .into_iter()
                    .map(|frame| frame.mask),
            );
        }
        let count = masks.len();
        assert!(count >= 600, "{count}");
        masks.sort_unstable();
        masks.dedup();
        assert!(masks.len() > count - 3, "masks come again");
    });
}
