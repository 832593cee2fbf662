//! The wire without its sockets, from the engine's own sources, for the fuzz targets.
//!
//! Runs on: fuzzers.
//! Owns: the way from an input to what is tried with it: choices first, then octets.
//! Never: holds a copy of a source.

pub mod net;
#[path = "../../src/types/time.rs"]
pub mod time;

/// Words that the wire uses.
pub mod types {
    pub use super::time::Nanos;
}

/// An input: an octet of choices, one of cuts, and the octets that a peer sends.
#[must_use]
pub fn split(input: &[u8]) -> Option<(u8, u8, &[u8])> {
    let (&[choices, seed], octets) = input.split_first_chunk()?;
    Some((choices, seed, octets))
}

/// The octets in pieces of 1 to 16, as the seed says; of one piece where it is 0.
pub fn pieces(seed: u8, mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = if seed == 0 {
            octets.len()
        } else {
            1 + (state >> 28) as usize
        };
        let (piece, rest) = octets.split_at(size.min(octets.len()));
        octets = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Limits that a short input can reach.
pub const SMALL: net::HttpLimits = net::HttpLimits {
    head_bytes: 256,
    fields: 4,
    interim_responses: 2,
    chunk_extension_bytes: 8,
    body_extension_bytes: 16,
    trailer_bytes: 32,
    body_bytes: 64,
};
