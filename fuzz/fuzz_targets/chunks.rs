//! The chunk decoder against its naive twin: the same body, the same end, the same rule at the same octet.
#![no_main]

#[path = "../../tests/net_http/chunk_twin.rs"]
mod chunk_twin;

use chunk_twin::{Ended, decode};
use libfuzzer_sys::fuzz_target;
use shrike::net::HttpLimits;
use shrike::net::http::ChunkDecoder;
use shrike::{SMALL, pieces, split};

fuzz_target!(|input: &[u8]| {
    let Some((choices, seed, octets)) = split(input) else {
        return;
    };
    let limits = if choices & 1 == 0 {
        SMALL
    } else {
        HttpLimits::DEFAULT
    };
    let twin = decode(&limits, octets);
    for seed in [0, seed, seed ^ 0xff] {
        assert_eq!(read(&limits, octets, seed), twin);
    }
});

fn read(limits: &HttpLimits, octets: &[u8], seed: u8) -> (Ended, Vec<u8>) {
    let mut decoder = ChunkDecoder::new(limits);
    let (mut body, mut at) = (Vec::new(), 0);
    for piece in pieces(seed, octets) {
        match decoder.feed(piece, &mut body) {
            Ok((taken, true)) => return (Ended::Complete(at + taken), body),
            Ok((taken, false)) => {
                assert_eq!(taken, piece.len());
                at += taken;
            }
            Err(error) => {
                assert_eq!(decoder.feed(b"0\r\n\r\n", &mut body), Err(error));
                return (Ended::Broken(error), body);
            }
        }
        assert!(body.len() <= limits.body_bytes);
    }
    (Ended::Partial, body)
}
