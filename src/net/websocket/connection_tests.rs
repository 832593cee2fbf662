//! A connection's rules one by one, at the octet.
//!
//! Runs on: the test runner.
//! Owns: the frames of a server, and a reader of the client's.
//! Never: splits the input at random: the property tests do.

use super::*;
use crate::net::limits::WebSocketLimits;
use crate::types::Nanos;

const S: u64 = 1_000_000_000;
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

const SMALL: WebSocketLimits = WebSocketLimits {
    message_bytes: 1_000,
    fragments: 4,
    out_bytes: 1_000,
};

/// A block of masks of which each is different.
const BLOCK: [u8; MASK_BLOCK_BYTES] = {
    let mut block = [0; MASK_BLOCK_BYTES];
    let mut at = 0;
    while at < MASK_BLOCK_BYTES {
        block[at] = at as u8 ^ 0xA5;
        at += 1;
    }
    block
};

fn connection(limits: WebSocketLimits) -> WebSocket {
    let mut socket = WebSocket::new(limits);
    socket.refill_masks(&BLOCK);
    socket
}

/// A server's frame; `first` is FIN, the reserved bits and the opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length @ 126..=0xFFFF => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

fn close_frame(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}

/// The client's frames that wait, unmasked: first octet and payload.
fn sent(socket: &mut WebSocket) -> Vec<(u8, Vec<u8>)> {
    let bytes = socket.output().to_vec();
    socket.consume_output(bytes.len());
    let mut rest = &bytes[..];
    let mut frames = vec![];
    while !rest.is_empty() {
        assert_eq!(rest[1] & 0x80, 0x80, "a client's frame is masked");
        let mut plain = rest.to_vec();
        plain[1] &= 0x7F;
        let header = decode_header(&plain).expect("minimal").expect("complete");
        let (begin, length) = (header.header_bytes as usize, header.length as usize);
        let mask = rest[begin..begin + 4].try_into().expect("four octets");
        let mut payload = rest[begin + 4..begin + 4 + length].to_vec();
        apply_mask(&mut payload, mask);
        frames.push((rest[0], payload));
        rest = &rest[begin + 4 + length..];
    }
    frames
}

/// Gives all the bytes; the events as text.
fn events(socket: &mut WebSocket, bytes: &[u8]) -> Result<Vec<String>, WebSocketError> {
    let mut events = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let received = socket.receive(&bytes[at..], Nanos(0))?;
        assert!(received.consumed > 0, "no progress");
        at += received.consumed;
        events.extend(received.event.map(|event| format!("{event:?}")));
    }
    Ok(events)
}

fn rule_at(rule: WebSocketRule, offset: usize) -> WebSocketError {
    WebSocketError::new(rule, offset as u64)
}

/// That the bytes end the connection with this error and its close frame, whole and in single octets, and that what
/// follows is dropped.
fn fails_with(bytes: &[u8], rule: WebSocketRule, offset: usize) {
    let error = rule_at(rule, offset);
    for size in [1, bytes.len()] {
        let mut socket = connection(SMALL);
        let mut failures = 0;
        for piece in bytes.chunks(size) {
            failures += usize::from(events(&mut socket, piece).is_err());
        }
        assert_eq!(failures, 1, "{bytes:x?}");
        assert_eq!(socket.failure(), Some(error), "{bytes:x?}");
        assert!(socket.is_failed() && !socket.is_open() && !socket.is_closed_cleanly());
        let code = error.close_code().to_be_bytes().to_vec();
        assert_eq!(sent(&mut socket).last(), Some(&(0x88, code)), "{bytes:x?}");
        let more = [frame(0x81, b"more"), frame(0x89, b"ping")].concat();
        assert_eq!(events(&mut socket, &more), Ok(vec![]));
        assert!(socket.output().is_empty());
        assert_eq!(socket.end_of_stream(Nanos(0)), Ok(()), "told once");
        assert!(socket.is_finished() && !socket.is_closed_cleanly());
    }
}

// ---- messages ------------------------------------------------------------------------------------------------

#[test]
fn the_frames_of_the_rfc_are_read() {
    let hello = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F];
    let ping = [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    let mut socket = connection(WebSocketLimits::DEFAULT);
    let expected = Ok(vec!["Text(\"Hello\")".to_owned()]);
    assert_eq!(events(&mut socket, &hello), expected);
    assert_eq!(events(&mut socket, &fragments), expected);
    assert_eq!(events(&mut socket, &ping), Ok(vec![]));
    assert_eq!(sent(&mut socket), [(0x8A, b"Hello".to_vec())]);
    for (header, length) in [
        (&[0x82, 0x7E, 0x01, 0x00][..], 256),
        (
            &[0x82, 0x7F, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00],
            65_536,
        ),
    ] {
        let bytes = [header, &vec![7; length]].concat();
        let received = socket.receive(&bytes, Nanos(0)).expect("sound");
        assert_eq!(received.consumed, bytes.len());
        assert_eq!(received.event, Some(Event::Binary(&vec![7; length])));
    }
}

#[test]
fn the_pong_of_the_rfc_is_written_octet_for_octet() {
    let mut socket = WebSocket::new(WebSocketLimits::DEFAULT);
    let mut block = [0; MASK_BLOCK_BYTES];
    block[..4].copy_from_slice(&MASK);
    socket.refill_masks(&block);
    assert_eq!(events(&mut socket, &frame(0x89, b"Hello")), Ok(vec![]));
    let expected = [
        0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
    ];
    assert_eq!(socket.output(), expected);
}

#[test]
fn whole_messages_are_lent_from_the_input_and_others_kept() {
    let mut socket = connection(SMALL);
    let bytes = [frame(0x81, b"text"), frame(0x82, b"octets")].concat();
    let first = socket.receive(&bytes, Nanos(0)).expect("sound");
    let Some(Event::Text(text)) = first.event else {
        panic!("{first:?}");
    };
    assert_eq!(text.as_ptr(), bytes[2..].as_ptr());
    let at = first.consumed;
    let second = socket.receive(&bytes[at..], Nanos(0)).expect("sound");
    let Some(Event::Binary(octets)) = second.event else {
        panic!("{second:?}");
    };
    assert_eq!(octets.as_ptr(), bytes[at + 2..].as_ptr());
    assert_eq!(socket.buffer_bytes(), connection(SMALL).buffer_bytes());
    assert_eq!(events(&mut socket, &bytes[..4]), Ok(vec![]));
    let rest = events(&mut socket, &bytes[4..]).expect("sound");
    assert_eq!(
        rest,
        ["Text(\"text\")", "Binary([111, 99, 116, 101, 116, 115])"]
    );
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let bytes = [
        frame(0x01, b"a\xE2"),
        frame(0x89, b"1"),
        frame(0x00, b"\x82"),
        frame(0x8A, b"2"),
        frame(0x00, b""),
        frame(0x80, b"\xAC"),
    ]
    .concat();
    let mut socket = connection(SMALL);
    let expected = ["Pong([50])", "Text(\"a€\")"];
    assert_eq!(events(&mut socket, &bytes).expect("sound"), expected);
    assert_eq!(sent(&mut socket), [(0x8A, b"1".to_vec())]);
}

#[test]
fn empty_messages_are_messages() {
    let bytes = [
        frame(0x81, b""),
        frame(0x02, b""),
        frame(0x00, b""),
        frame(0x80, b""),
        frame(0x8A, b""),
    ]
    .concat();
    let mut socket = connection(SMALL);
    let expected = ["Text(\"\")", "Binary([])", "Pong([])"];
    assert_eq!(events(&mut socket, &bytes).expect("sound"), expected);
}

#[test]
fn frames_out_of_place_and_broken_headers_end_the_connection() {
    use WebSocketRule as Rule;
    let ok = frame(0x81, b"ok");
    let open = frame(0x01, b"open");
    let with = |before: &[u8], bytes: &[u8]| [before, bytes].concat();
    for (before, bytes, rule, index) in [
        (&ok, &[0x80, 0][..], Rule::UnexpectedContinuation, 0),
        (&ok, &[0x00, 5], Rule::UnexpectedContinuation, 0),
        (&open, &[0x81, 0], Rule::ExpectedContinuation, 0),
        (&open, &[0x02, 5], Rule::ExpectedContinuation, 0),
        (&ok, &[0xC1, 0], Rule::ReservedBits, 0),
        (&open, &[0xB0, 0], Rule::ReservedBits, 0),
        (&ok, &[0x83, 0], Rule::ReservedOpcode, 0),
        (&open, &[0x8B, 0], Rule::ReservedOpcode, 0),
        (&ok, &[0x09, 0], Rule::ControlFragmented, 0),
        (&ok, &[0x81, 0x85], Rule::MaskedFrame, 1),
        (&ok, &[0x89, 0x7E], Rule::ControlTooLong, 1),
        (&ok, &[0x88, 0x01], Rule::CloseLength, 1),
        (&ok, &[0x82, 0x7E, 0, 125], Rule::NonMinimalLength, 3),
        (&ok, &[0x82, 0x7F, 0xFF], Rule::NegativeLength, 2),
        (
            &ok,
            &[0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
            Rule::NonMinimalLength,
            7,
        ),
    ] {
        fails_with(&with(before, bytes), rule, before.len() + index);
    }
}

#[test]
fn text_is_refused_at_the_octet_that_makes_it_invalid_before_the_frame_is_complete() {
    let valid = "κόσμε".as_bytes();
    let whole = frame(0x81, &[valid, b"\xF4\x90\x80\x80", b"edited"].concat());
    let at = 2 + valid.len() + 1;
    fails_with(&whole, WebSocketRule::Utf8, at);
    fails_with(&whole[..=at], WebSocketRule::Utf8, at);
    let first = frame(0x01, valid);
    let second = frame(0x00, b"\xED\xA0\x80");
    let fragments = [&first[..], &second[..4], b"never seen"].concat();
    fails_with(&fragments, WebSocketRule::Utf8, first.len() + 3);
    let mut socket = connection(SMALL);
    assert_eq!(events(&mut socket, &whole[..at]), Ok(vec![]), "still open");
}

#[test]
fn text_that_ends_within_a_character_is_refused_with_its_last_frame() {
    let bytes = frame(0x81, b"a\xE2\x82");
    fails_with(&bytes, WebSocketRule::Utf8, bytes.len());
    let bytes = [frame(0x01, b"a\xE2\x82"), frame(0x80, b"")].concat();
    fails_with(&bytes, WebSocketRule::Utf8, bytes.len());
    let mut socket = connection(SMALL);
    let binary = events(&mut socket, &frame(0x82, b"a\xE2\x82"));
    assert!(binary.is_ok(), "octets are octets");
}

#[test]
fn limits_hold_at_the_octet_and_at_the_frame() {
    let mut socket = connection(SMALL);
    let whole = frame(0x82, &[0; 1_000]);
    assert_eq!(events(&mut socket, &whole).map(|all| all.len()), Ok(1));
    let parts = [frame(0x02, &[0; 600]), frame(0x80, &[0; 400])].concat();
    assert_eq!(events(&mut socket, &parts).map(|all| all.len()), Ok(1));
    fails_with(
        &frame(0x82, &[0; 1_001])[..4],
        WebSocketRule::MessageTooLong,
        3,
    );
    let parts = [
        frame(0x02, &[0; 600]),
        vec![0x80, 126, 401u16.to_be_bytes()[0], 0x91],
    ]
    .concat();
    fails_with(&parts, WebSocketRule::MessageTooLong, 4 + 600 + 3);
    let huge = [0x82, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    fails_with(&huge, WebSocketRule::MessageTooLong, 9);
    let open = [frame(0x01, b""), frame(0x00, b"").repeat(2)].concat();
    let four = [open.clone(), frame(0x80, b"")].concat();
    assert_eq!(events(&mut socket, &four).map(|all| all.len()), Ok(1));
    let five = [open, frame(0x00, b""), frame(0x80, b"")].concat();
    fails_with(&five, WebSocketRule::TooManyFragments, 8);
}

// ---- pings and masks -----------------------------------------------------------------------------------------

#[test]
fn every_ping_is_answered_in_order_while_there_is_room() {
    let mut socket = connection(SMALL);
    let pings: Vec<u8> = (0..10u8).flat_map(|n| frame(0x89, &[n])).collect();
    assert_eq!(events(&mut socket, &pings), Ok(vec![]));
    let expected: Vec<_> = (0..10u8).map(|n| (0x8A, vec![n])).collect();
    assert_eq!(sent(&mut socket), expected);
}

#[test]
fn over_half_full_only_the_latest_ping_is_answered() {
    let mut socket = connection(SMALL);
    assert_eq!(socket.send_binary(&[0; 493], MASK), Ok(()));
    assert_eq!(socket.output().len(), 501);
    for n in 0..50u8 {
        assert_eq!(events(&mut socket, &frame(0x89, &[n; 125])), Ok(vec![]));
        assert_eq!(socket.output().len(), 501);
    }
    socket.consume_output(1);
    assert_eq!(socket.output().len(), 500 + 131, "half full: answered");
    socket.consume_output(500);
    assert_eq!(sent(&mut socket), [(0x8A, vec![49; 125])]);
}

#[test]
fn every_frame_of_the_connections_own_has_its_own_mask() {
    let mut socket = connection(WebSocketLimits::DEFAULT);
    let pings = frame(0x89, b"").repeat(20);
    assert_eq!(events(&mut socket, &pings), Ok(vec![]));
    let masks: Vec<u8> = socket
        .output()
        .chunks(6)
        .flat_map(|f| f[2..].to_vec())
        .collect();
    assert_eq!(masks, BLOCK[..80]);
    assert_eq!(socket.take_mask(), BLOCK[80..84].try_into().ok());
}

#[test]
fn without_masks_the_latest_ping_and_the_close_frame_wait() {
    let mut socket = WebSocket::new(SMALL);
    assert!(socket.needs_masks());
    assert_eq!(socket.take_mask(), None);
    let pings = [frame(0x89, b"1"), frame(0x89, b"2")].concat();
    assert_eq!(events(&mut socket, &pings), Ok(vec![]));
    assert!(socket.output().is_empty());
    socket.refill_masks(&BLOCK);
    assert!(!socket.needs_masks());
    assert_eq!(sent(&mut socket), [(0x8A, b"2".to_vec())]);

    let mut socket = WebSocket::new(SMALL);
    assert!(events(&mut socket, &close_frame(1000, b"")).is_ok());
    assert_eq!(socket.end_of_stream(Nanos(0)), Ok(()));
    assert!(!socket.is_closed_cleanly(), "our close frame has not left");
    socket.refill_masks(&BLOCK);
    assert_eq!(sent(&mut socket), [(0x88, vec![3, 232])]);
    assert!(socket.is_closed_cleanly());
}

#[test]
fn the_last_mask_is_the_close_frames() {
    let mut socket = connection(SMALL);
    while socket.take_mask().is_some() {}
    let bytes = [frame(0x89, b"1"), close_frame(1000, b"")].concat();
    assert!(events(&mut socket, &bytes).is_ok());
    assert_eq!(socket.output()[2..6], BLOCK[252..]);
    assert_eq!(sent(&mut socket), [(0x88, vec![3, 232])]);
}

#[test]
fn a_diligent_caller_gets_every_ping_of_a_long_read_answered() {
    let mut socket = connection(WebSocketLimits::DEFAULT);
    let pings: Vec<u8> = (0..1_000u16)
        .flat_map(|n| frame(0x89, &n.to_be_bytes()))
        .collect();
    let mut at = 0;
    while at < pings.len() {
        at += socket
            .receive(&pings[at..], Nanos(0))
            .expect("sound")
            .consumed;
        if socket.needs_masks() {
            socket.refill_masks(&BLOCK);
        }
    }
    let expected: Vec<_> = (0..1_000u16)
        .map(|n| (0x8A, n.to_be_bytes().to_vec()))
        .collect();
    assert_eq!(sent(&mut socket), expected);
}

// ---- closing -------------------------------------------------------------------------------------------------

#[test]
fn the_peers_close_is_echoed_and_clean_once_written_and_ended() {
    for (bytes, code, answer) in [
        (frame(0x88, b""), "None", vec![]),
        (close_frame(1000, b""), "Some(1000)", vec![3, 232]),
        (close_frame(4999, b"bye"), "Some(4999)", vec![0x13, 0x87]),
    ] {
        for size in [1, bytes.len()] {
            let mut socket = connection(SMALL);
            let mut told = vec![];
            for piece in bytes.chunks(size) {
                told.extend(events(&mut socket, piece).expect("sound"));
            }
            let reason = if bytes.len() > 4 { "bye" } else { "" };
            let expected = format!("Closed {{ code: {code}, reason: \"{reason}\" }}");
            assert_eq!(told, [expected]);
            assert!(!socket.is_open() && !socket.is_finished());
            let more = frame(0x81, b"\xFF");
            assert_eq!(events(&mut socket, &more), Ok(vec![]), "dropped");
            assert_eq!(socket.end_of_stream(Nanos(0)), Ok(()));
            assert!(socket.is_finished() && !socket.is_closed_cleanly());
            assert_eq!(sent(&mut socket), [(0x88, answer.clone())]);
            assert!(socket.is_closed_cleanly() && !socket.is_failed());
        }
    }
}

#[test]
fn close_codes_are_those_that_may_be_sent() {
    for code in [1000, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        let mut socket = connection(SMALL);
        assert!(events(&mut socket, &close_frame(code, b"why")).is_ok());
        assert_eq!(connection(SMALL).close(code, "why", MASK), Ok(()));
    }
    assert_eq!(
        (0..=u16::MAX).filter(|&code| is_close_code(code)).count(),
        2_012
    );
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        fails_with(&close_frame(code, b"why"), WebSocketRule::CloseCode, 3);
        let mut socket = connection(SMALL);
        let refused = Err(rule_at(WebSocketRule::CloseCode, 0));
        assert_eq!(socket.close(code, "", MASK), refused);
        assert!(socket.is_open());
    }
}

#[test]
fn close_reasons_are_utf8() {
    fails_with(
        &close_frame(1000, b"ab\xFF"),
        WebSocketRule::CloseReasonUtf8,
        6,
    );
    fails_with(
        &close_frame(1000, b"ab\xE2\x82"),
        WebSocketRule::CloseReasonUtf8,
        8,
    );
    let mut socket = connection(SMALL);
    let longest = [b'x'; 123];
    assert!(events(&mut socket, &close_frame(1000, &longest)).is_ok());
}

#[test]
fn our_close_is_the_last_frame_and_what_comes_before_the_peers_is_dropped() {
    let mut socket = connection(SMALL);
    assert_eq!(events(&mut socket, &frame(0x01, b"open")), Ok(vec![]));
    assert_eq!(socket.close(1001, "bye", MASK), Ok(()));
    assert!(!socket.is_open());
    let queued = socket.output().len();
    let refused = Err(rule_at(WebSocketRule::NotOpen, queued));
    assert_eq!(socket.send_text("x", MASK), refused);
    assert_eq!(socket.send_binary(b"x", MASK), refused);
    assert_eq!(socket.send_ping(b"x", MASK), refused);
    assert_eq!(socket.close(1000, "again", MASK), Ok(()));
    let bytes = [
        frame(0x80, b"\xFF"),
        frame(0x89, b"ping"),
        frame(0x8A, b"pong"),
        frame(0x82, &[0; 2_000]),
        frame(0x01, b""),
        frame(0x00, b"\xFF").repeat(10),
    ]
    .concat();
    assert_eq!(events(&mut socket, &bytes), Ok(vec![]));
    let expected = ["Closed { code: Some(1001), reason: \"\" }"];
    let told = events(&mut socket, &close_frame(1001, b""));
    assert_eq!(told.expect("sound"), expected);
    assert_eq!(sent(&mut socket), [(0x88, b"\x03\xE9bye".to_vec())]);
    assert_eq!(socket.end_of_stream(Nanos(0)), Ok(()));
    assert!(socket.is_closed_cleanly());
}

#[test]
fn a_rule_broken_behind_our_close_is_an_error_without_a_second_close_frame() {
    let mut socket = connection(SMALL);
    assert_eq!(socket.close(1000, "", MASK), Ok(()));
    assert_eq!(sent(&mut socket).len(), 1);
    let error = Err(rule_at(WebSocketRule::ReservedBits, 0));
    assert_eq!(events(&mut socket, &[0xC1]), error);
    assert!(socket.output().is_empty());
    assert_eq!(socket.end_of_stream(Nanos(0)), Ok(()));
    assert!(!socket.is_closed_cleanly());
}

#[test]
fn the_end_of_the_stream_before_the_closing_handshake_is_an_error() {
    let mut socket = connection(SMALL);
    assert_eq!(events(&mut socket, &frame(0x01, b"open")), Ok(vec![]));
    let error = rule_at(WebSocketRule::Truncated, 6);
    assert_eq!(socket.end_of_stream(Nanos(0)), Err(error));
    assert_eq!((error.close_code(), socket.failure()), (1006, Some(error)));
    assert!(socket.is_finished() && socket.output().is_empty());
    assert_eq!(socket.end_of_stream(Nanos(0)), Ok(()), "told once");
    let refused = Err(rule_at(WebSocketRule::NotOpen, 0));
    assert_eq!(socket.send_text("x", MASK), refused);

    let mut socket = connection(SMALL);
    assert_eq!(socket.close(1000, "", MASK), Ok(()));
    assert!(
        socket.end_of_stream(Nanos(0)).is_err(),
        "the peer's is missing"
    );
}

// ---- sending -------------------------------------------------------------------------------------------------

#[test]
fn messages_are_sent_in_one_frame_each() {
    let mut socket = connection(SMALL);
    assert_eq!(socket.send_text("Hello", MASK), Ok(()));
    let hello = [
        0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
    ];
    assert_eq!(socket.output(), hello);
    assert_eq!(socket.send_binary(&[9; 300], MASK), Ok(()));
    assert_eq!(socket.send_ping(b"p", MASK), Ok(()));
    let expected = [
        (0x81, b"Hello".to_vec()),
        (0x82, vec![9; 300]),
        (0x89, b"p".to_vec()),
    ];
    assert_eq!(sent(&mut socket), expected);
}

#[test]
fn what_has_no_room_is_refused_and_leaves_everything_as_it_was() {
    let mut socket = connection(SMALL);
    let full = Err(rule_at(WebSocketRule::OutputFull, 0));
    assert_eq!(socket.send_binary(&[0; 993], MASK), full);
    assert_eq!(socket.send_binary(&[0; 992], MASK), Ok(()));
    assert_eq!(socket.output().len(), 1_000);
    let full = Err(rule_at(WebSocketRule::OutputFull, 1_000));
    assert_eq!(socket.send_text("", MASK), full);
    let long = Err(rule_at(WebSocketRule::ControlTooLong, 1_000));
    assert_eq!(socket.send_ping(&[0; 126], MASK), long);
    assert_eq!(socket.close(1000, &"x".repeat(124), MASK), long);
    assert!(socket.is_open() && !socket.is_failed());
    assert_eq!(socket.close(1000, &"x".repeat(123), MASK), Ok(()));
    assert_eq!(sent(&mut socket).len(), 2);
}

// ---- time ----------------------------------------------------------------------------------------------------

#[test]
fn a_silent_peer_is_asked_twice_and_then_dead() {
    let mut socket = connection(SMALL);
    assert_eq!(socket.next_deadline(), Some(Nanos::ZERO));
    assert_eq!(socket.handle_timeout(Nanos(S)), Ok(()));
    assert_eq!(socket.next_deadline(), Some(Nanos(11 * S)));
    assert_eq!(socket.handle_timeout(Nanos(11 * S - 1)), Ok(()));
    assert!(socket.output().is_empty());
    for (at, next) in [(11, 21), (21, 31)] {
        assert_eq!(socket.handle_timeout(Nanos(at * S)), Ok(()));
        assert_eq!(sent(&mut socket), [(0x89, vec![])]);
        assert_eq!(socket.next_deadline(), Some(Nanos(next * S)));
    }
    let error = Err(rule_at(WebSocketRule::PongTimeout, 0));
    assert_eq!(socket.handle_timeout(Nanos(31 * S)), error);
    assert!(socket.is_finished() && socket.is_failed() && socket.output().is_empty());
    assert_eq!(socket.next_deadline(), None);
    assert_eq!(socket.handle_timeout(Nanos(99 * S)), Ok(()), "told once");
}

#[test]
fn a_single_octet_ends_the_silence() {
    let mut socket = connection(SMALL);
    assert!(socket.receive(&[0x81], Nanos(0)).is_ok());
    assert_eq!(socket.handle_timeout(Nanos(10 * S)), Ok(()));
    assert!(socket.receive(&[], Nanos(11 * S)).is_ok(), "no octet");
    assert_eq!(socket.next_deadline(), Some(Nanos(20 * S)));
    assert!(socket.receive(&[0x01], Nanos(12 * S)).is_ok());
    assert_eq!(socket.next_deadline(), Some(Nanos(22 * S)));
}

#[test]
fn a_silent_peer_dies_even_if_no_ping_can_be_sent() {
    let mut socket = WebSocket::new(SMALL);
    assert_eq!(socket.handle_timeout(Nanos(0)), Ok(()));
    assert_eq!(socket.handle_timeout(Nanos(10 * S)), Ok(()));
    assert_eq!(socket.handle_timeout(Nanos(20 * S)), Ok(()));
    assert!(socket.output().is_empty());
    assert!(socket.handle_timeout(Nanos(30 * S)).is_err());
}

#[test]
fn an_unanswered_close_is_given_a_second() {
    let mut socket = connection(SMALL);
    assert!(events(&mut socket, &frame(0x8A, b"")).is_ok());
    assert_eq!(socket.close(1000, "", MASK), Ok(()));
    assert_eq!(
        socket.next_deadline(),
        Some(Nanos::ZERO),
        "its clock begins"
    );
    assert_eq!(socket.handle_timeout(Nanos(5 * S)), Ok(()));
    assert_eq!(socket.next_deadline(), Some(Nanos(6 * S)));
    assert!(socket.receive(&frame(0x89, b""), Nanos(6 * S - 1)).is_ok());
    assert_eq!(socket.handle_timeout(Nanos(6 * S - 1)), Ok(()));
    let error = Err(rule_at(WebSocketRule::CloseTimeout, 4));
    assert_eq!(socket.handle_timeout(Nanos(6 * S)), error);
    assert!(socket.is_finished() && socket.is_failed());
}

#[test]
fn a_peer_that_leaves_the_stream_open_behind_the_closing_handshake_is_left() {
    let mut socket = connection(SMALL);
    assert!(events(&mut socket, &close_frame(1000, b"")).is_ok());
    assert_eq!(sent(&mut socket).len(), 1);
    assert_eq!(socket.handle_timeout(Nanos(S)), Ok(()));
    assert!(!socket.is_finished() && !socket.is_closed_cleanly());
    assert_eq!(socket.handle_timeout(Nanos(2 * S)), Ok(()));
    assert!(socket.is_finished() && socket.is_closed_cleanly());
}

#[test]
fn a_failed_connection_is_finished_after_a_second() {
    let mut socket = connection(SMALL);
    assert!(events(&mut socket, &[0xFF]).is_err());
    assert_eq!(socket.handle_timeout(Nanos(S)), Ok(()));
    assert!(!socket.is_finished());
    assert_eq!(socket.handle_timeout(Nanos(2 * S)), Ok(()), "told before");
    assert!(socket.is_finished());
}
