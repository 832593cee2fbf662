//! Frames of a server: no panic, bounded memory, sound close codes, and the same events however the octets are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shrike::net::WebSocketLimits;
use shrike::net::websocket::{Event, MASK_BLOCK_BYTES, WebSocket, WebSocketError, is_close_code};
use shrike::types::Nanos;
use shrike::{pieces, split};

const LIMITS: WebSocketLimits = WebSocketLimits {
    message_bytes: 1_000,
    fragments: 8,
    out_bytes: 1_000,
};

fuzz_target!(|input: &[u8]| {
    let Some((choices, seed, octets)) = split(input) else {
        return;
    };
    let whole = read(choices, octets, 0);
    assert_eq!(read(choices, octets, seed), whole);
    assert_eq!(read(choices, octets, seed ^ 0xff), whole);
});

#[derive(PartialEq, Debug)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Closed(Option<u16>, String),
}

fn read(choices: u8, octets: &[u8], seed: u8) -> (Vec<Heard>, Option<WebSocketError>) {
    let now = Nanos(1);
    let mut socket = WebSocket::new(LIMITS);
    socket.refill_masks(&[7; MASK_BLOCK_BYTES]);
    if choices & 1 != 0 {
        // Behind our goodbye only the peer's is heard.
        socket.close(1000, "", [1; 4]).expect("open");
    }
    let mut heard = Vec::new();
    'octets: for mut piece in pieces(seed, octets) {
        while !piece.is_empty() {
            let Ok(received) = socket.receive(piece, now) else {
                break 'octets;
            };
            assert!((1..=piece.len()).contains(&received.consumed));
            piece = &piece[received.consumed..];
            if let Some(event) = received.event {
                heard.push(own(event));
            }
            if socket.needs_masks() {
                socket.refill_masks(&[7; MASK_BLOCK_BYTES]);
            }
            assert!(socket.output().len() <= LIMITS.out_bytes);
            assert!(socket.buffer_bytes() <= 3 * (LIMITS.message_bytes + LIMITS.out_bytes));
            socket.consume_output(socket.output().len() / 2);
        }
    }
    let _ = socket.end_of_stream(now);
    assert!(socket.is_finished());
    (heard, socket.failure())
}

fn own(event: Event<'_>) -> Heard {
    match event {
        Event::Text(text) => {
            assert!(text.len() <= LIMITS.message_bytes);
            Heard::Text(text.to_owned())
        }
        Event::Binary(octets) => {
            assert!(octets.len() <= LIMITS.message_bytes);
            Heard::Binary(octets.to_vec())
        }
        Event::Pong(octets) => {
            assert!(octets.len() <= 125);
            Heard::Pong(octets.to_vec())
        }
        Event::Closed { code, reason } => {
            assert!(code.is_none_or(is_close_code));
            Heard::Closed(code, reason.to_owned())
        }
    }
}
