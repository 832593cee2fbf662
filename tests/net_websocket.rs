//! A WebSocket connection gives the same wherever its input is split, and its memory stays bounded.
//!
//! Runs on: the test runner, in a process of its own: the allocator is counted.
//! Owns: streams of frames, valid and broken, and a transcript of all that a connection does with one.
//! Never: opens a socket.

#[path = "common/allocations.rs"]
mod allocations;

use proptest::prelude::*;
use proptest::sample::Index;
use shrike::net::WebSocketLimits;
use shrike::net::websocket::{
    Event, MASK_BLOCK_BYTES, Utf8Validator, WebSocket, WebSocketError, WebSocketRule,
};
use shrike::types::Nanos;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const NOW: Nanos = Nanos(1);

const SMALL: WebSocketLimits = WebSocketLimits {
    message_bytes: 300,
    fragments: 6,
    out_bytes: 400,
};

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

/// All that can be seen of a connection.
#[derive(PartialEq, Eq, Debug)]
struct Transcript {
    events: Vec<String>,
    failure: Option<WebSocketError>,
    output: Vec<u8>,
    end: Result<(), WebSocketError>,
    is_closed_cleanly: bool,
}

/// A connection whose masks are refilled whenever they are low, with a different block each time.
struct Driver {
    socket: WebSocket,
    blocks: u8,
    events: Vec<String>,
}

impl Driver {
    fn new(limits: WebSocketLimits) -> Self {
        let mut driver = Self {
            socket: WebSocket::new(limits),
            blocks: 0,
            events: vec![],
        };
        driver.refill();
        driver
    }

    fn refill(&mut self) {
        if self.socket.needs_masks() {
            self.blocks = self.blocks.wrapping_add(1);
            let first = self.blocks.wrapping_mul(37);
            let block = std::array::from_fn::<u8, MASK_BLOCK_BYTES, _>(|at| first ^ at as u8);
            self.socket.refill_masks(&block);
        }
    }

    fn give(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let Ok(received) = self.socket.receive(&bytes[at..], NOW) else {
                break;
            };
            assert!(received.consumed > 0, "no progress");
            at += received.consumed;
            self.events
                .extend(received.event.map(|event| format!("{event:?}")));
            self.refill();
        }
    }

    fn transcript(mut self) -> Transcript {
        let failure = self.socket.failure();
        let end = self.socket.end_of_stream(NOW);
        let output = self.socket.output().to_vec();
        self.socket.consume_output(output.len());
        Transcript {
            events: self.events,
            failure,
            output: [&output, self.socket.output()].concat(),
            end,
            is_closed_cleanly: self.socket.is_closed_cleanly(),
        }
    }
}

fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, closes_first: bool) -> Transcript {
    let mut driver = Driver::new(SMALL);
    if closes_first {
        driver
            .socket
            .close(1000, "done", [1, 2, 3, 4])
            .expect("open");
    }
    for piece in pieces {
        driver.give(piece);
    }
    driver.transcript()
}

// ---- any split equals the whole ------------------------------------------------------------------------------

fn payload(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-zé€😀]{0,40}".prop_map(String::into_bytes),
        2 => proptest::collection::vec(any::<u8>(), 0..=most),
        1 => (0..=most).prop_map(|length| vec![b'x'; length]),
    ]
}

/// A message in one frame or several, with control frames between them and its text cut anywhere.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let cuts = proptest::collection::vec((any::<Index>(), any::<Option<u8>>()), 0..5);
    (any::<bool>(), payload(200), cuts).prop_map(|(is_text, bytes, cuts)| {
        let mut cuts: Vec<_> = cuts
            .iter()
            .map(|(index, ping)| (index.index(bytes.len() + 1), *ping))
            .collect();
        cuts.push((bytes.len(), None));
        cuts.sort_unstable_by_key(|cut| cut.0);
        let (mut stream, mut from) = (vec![], 0);
        for (index, &(to, ping)) in cuts.iter().enumerate() {
            let opcode = match index {
                0 => 2 - u8::from(is_text),
                _ => 0,
            };
            let fin = if index + 1 == cuts.len() { 0x80 } else { 0 };
            stream.extend(frame(fin | opcode, &bytes[from..to]));
            if let Some(octet) = ping.filter(|_| fin == 0) {
                stream.extend(frame(0x89 + octet % 2, &[octet; 3]));
            }
            from = to;
        }
        stream
    })
}

/// Something a server may send, or a frame that may stand nowhere.
fn item() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![1000..1016u16, any::<u16>()];
    prop_oneof![
        8 => message(),
        3 => payload(125).prop_map(|bytes| frame(0x89, &bytes[..bytes.len().min(125)])),
        1 => payload(125).prop_map(|bytes| frame(0x8A, &bytes[..bytes.len().min(125)])),
        1 => (code, payload(100)).prop_map(|(code, reason)| {
            let reason = &reason[..reason.len().min(123)];
            frame(0x88, &[&code.to_be_bytes(), reason].concat())
        }),
        1 => (any::<u8>(), payload(350)).prop_map(|(first, bytes)| frame(first, &bytes)),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..3);
    let mutated = prop_oneof![3 => Just(vec![]), 1 => noise];
    (proptest::collection::vec(item(), 0..8), mutated).prop_map(|(items, noise)| {
        let mut bytes = items.concat();
        for (place, octet) in noise {
            if !bytes.is_empty() {
                let at = place.index(bytes.len());
                bytes[at] = octet;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_split_of_any_stream_gives_the_same_events_errors_and_answers(
        bytes in stream(),
        cuts in proptest::collection::vec(any::<Index>(), 0..10),
        closes_first in prop::bool::weighted(0.2),
    ) {
        let whole = in_pieces([&bytes[..]], closes_first);
        let singly = in_pieces(bytes.chunks(1), closes_first);
        prop_assert_eq!(&singly, &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        let split = in_pieces(pieces, closes_first);
        prop_assert_eq!(&split, &whole);
    }

    #[test]
    fn sound_messages_all_arrive(messages in proptest::collection::vec(payload(200), 0..8)) {
        let mut driver = Driver::new(SMALL);
        let mut expected = vec![];
        for bytes in &messages {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    driver.give(&frame(0x81, bytes));
                    expected.push(format!("{:?}", Event::Text(text)));
                }
                Err(_) => {
                    driver.give(&frame(0x82, bytes));
                    expected.push(format!("{:?}", Event::Binary(bytes)));
                }
            }
        }
        prop_assert_eq!(driver.transcript().events, expected);
    }

    #[test]
    fn text_is_refused_exactly_if_it_is_not_utf8(
        bytes in payload(200),
        cut in any::<Index>(),
    ) {
        let at = cut.index(bytes.len() + 1);
        let stream = [frame(0x01, &bytes[..at]), frame(0x80, &bytes[at..])].concat();
        let transcript = in_pieces([&stream[..]], false);
        let rule = transcript.failure.map(|error| error.rule);
        match std::str::from_utf8(&bytes) {
            Ok(text) => prop_assert_eq!(transcript.events, [format!("{:?}", Event::Text(text))]),
            Err(_) => prop_assert_eq!(rule, Some(WebSocketRule::Utf8)),
        }
        let mut check = Utf8Validator::new();
        let is_valid = check.feed(&bytes).is_ok() && check.is_complete();
        prop_assert_eq!(is_valid, rule.is_none());
    }
}

#[test]
fn every_prefix_and_every_split_of_a_busy_stream_agree() {
    let stream = [
        frame(0x01, "a€".as_bytes()),
        frame(0x89, b"ping"),
        frame(0x00, b"\xF0\x9F"),
        frame(0x80, b"\x98\x80"),
        frame(0x82, &[0; 130]),
        frame(0x8A, b""),
        frame(0x88, b"\x03\xE8bye"),
        frame(0x81, b"dropped"),
    ]
    .concat();
    for end in 0..=stream.len() {
        let whole = in_pieces([&stream[..end]], false);
        for split in 0..=end {
            let pieces = [&stream[..split], &stream[split..end]];
            assert_eq!(in_pieces(pieces, false), whole, "{end} {split}");
        }
    }
}

// ---- floods --------------------------------------------------------------------------------------------------

/// What a connection may hold: a message, twice the output, and the first growth of each.
fn bound(limits: WebSocketLimits) -> usize {
    limits.message_bytes.max(4 << 10) + 2 * limits.out_bytes + (1 << 10)
}

#[test]
fn a_flood_of_fragments_ends_at_the_limit_in_bounded_memory() {
    let limits = WebSocketLimits::DEFAULT;
    let mut driver = Driver::new(limits);
    driver.give(&frame(0x02, &[0; 1_000]));
    for _ in 0..100_000 {
        driver.give(&frame(0x00, b"x"));
    }
    assert!(driver.socket.buffer_bytes() <= bound(limits));
    let error = driver.socket.failure().expect("too many");
    let at = 4 + 1_000 + 1_023 * 3;
    assert_eq!(
        (error.rule, error.offset),
        (WebSocketRule::TooManyFragments, at)
    );
    assert_eq!(error.close_code(), 1009);
}

#[test]
fn a_flood_of_octets_ends_at_the_limit_in_bounded_memory() {
    let limits = WebSocketLimits::DEFAULT;
    let mut driver = Driver::new(limits);
    driver.give(&[0x01, 127, 0, 0, 0, 0, 0, 0x10, 0, 0]);
    assert!(driver.socket.buffer_bytes() < 100 << 10, "announced only");
    for _ in 0..16 {
        driver.give(&[b'x'; 64 << 10]);
        assert!(driver.socket.buffer_bytes() <= bound(limits));
    }
    assert_eq!(driver.socket.failure(), None);
    driver.give(&[0x80, 1]);
    let error = driver.socket.failure().expect("too long");
    let at = 10 + (1 << 20) + 1;
    assert_eq!(
        (error.rule, error.offset),
        (WebSocketRule::MessageTooLong, at)
    );
}

#[test]
fn a_flood_of_pings_without_a_reader_is_answered_in_bounded_memory_and_lastly() {
    let limits = WebSocketLimits::DEFAULT;
    let mut driver = Driver::new(limits);
    for n in 0..200_000u32 {
        driver.give(&frame(0x89, &n.to_be_bytes().repeat(31)));
    }
    assert!(driver.socket.output().len() <= limits.out_bytes / 2 + 131);
    assert!(driver.socket.buffer_bytes() <= bound(limits));
    driver.socket.consume_output(driver.socket.output().len());
    let mut last = driver.socket.output().to_vec();
    assert_eq!(last.len(), 6 + 124);
    for (index, octet) in last.split_off(6).iter().enumerate() {
        let plain = octet ^ last[2 + index % 4];
        assert_eq!(plain, 199_999u32.to_be_bytes()[index % 4]);
    }
}

#[test]
fn a_flood_of_empty_messages_and_pongs_costs_nothing() {
    let limits = WebSocketLimits::DEFAULT;
    let mut socket = WebSocket::new(limits);
    let flood = [frame(0x82, b""), frame(0x8A, b""), frame(0x81, b"")]
        .concat()
        .repeat(10_000);
    let before = allocations::of_this_thread();
    let (mut at, mut events) = (0, 0);
    while at < flood.len() {
        let received = socket.receive(&flood[at..], NOW).expect("sound");
        at += received.consumed;
        events += usize::from(received.event.is_some());
    }
    assert_eq!(allocations::of_this_thread(), before);
    assert_eq!(events, 30_000);
}

// ---- steady state --------------------------------------------------------------------------------------------

#[test]
fn a_busy_connection_allocates_nothing_once_its_buffers_have_grown() {
    let mut socket = WebSocket::new(WebSocketLimits::DEFAULT);
    let stream = [
        frame(0x81, "an order event in UTF-8: é".as_bytes()),
        frame(0x01, &[b'x'; 3_000]),
        frame(0x89, b"ping"),
        frame(0x80, &[b'y'; 20_000]),
        frame(0x82, &[0; 5_000]),
        frame(0x8A, b"pong"),
    ]
    .concat();
    let block = [7; MASK_BLOCK_BYTES];
    let mut round = |size: usize| {
        let mut events = 0;
        for piece in stream.chunks(size) {
            let mut at = 0;
            while at < piece.len() {
                let received = socket.receive(&piece[at..], NOW).expect("sound");
                at += received.consumed;
                events += usize::from(received.event.is_some());
            }
            if socket.needs_masks() {
                socket.refill_masks(&block);
            }
            socket.send_text("an order", [1, 2, 3, 4]).expect("room");
            socket
                .send_binary(&[5; 30_000], [1, 2, 3, 4])
                .expect("room");
            let waiting = socket.output().len();
            socket.consume_output(waiting / 3);
            socket.consume_output(waiting - waiting / 3);
            assert!(socket.output().is_empty());
            assert_eq!(socket.handle_timeout(NOW), Ok(()));
        }
        assert_eq!(events, 4);
    };
    round(1_000);
    let before = allocations::of_this_thread();
    for size in [1, 7, 100, 1_460, 1 << 20] {
        round(size);
    }
    assert_eq!(allocations::of_this_thread(), before);
}
