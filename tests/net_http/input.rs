//! Inputs that property tests share: limits that are soon reached, splits and mutations.
//!
//! Runs on: tests.
//! Owns: how bytes are cut into pieces and damaged.
//! Never: knows what the bytes mean.

use proptest::prelude::*;
use shrike::net::{HttpError, HttpLimits, HttpRule};

/// Limits that generated inputs reach.
pub const SMALL: HttpLimits = HttpLimits {
    head_bytes: 160,
    fields: 4,
    interim_responses: 2,
    chunk_extension_bytes: 12,
    body_extension_bytes: 20,
    trailer_bytes: 40,
    body_bytes: 48,
};

pub fn error(rule: HttpRule, offset: usize) -> HttpError {
    HttpError {
        rule,
        offset: offset as u64,
    }
}

/// Lengths of pieces, used in turn.
pub fn splits() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        prop::collection::vec(1_usize..5, 1..6),
        prop::collection::vec(1_usize..60, 1..6),
    ]
}

/// The pieces of `bytes`.
pub fn pieces<'a>(bytes: &'a [u8], splits: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    splits.iter().cycle().map_while(move |&length| {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A change at a place, taken modulo the length.
#[derive(Clone, Debug)]
pub enum Mutation {
    Replace(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Double(usize, usize),
    Cut(usize),
}

/// Octets at which readers of HTTP differ, and any other.
fn octet() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(&b"\r\n\0 \t;=:,\"\\+-.x05fFgz\x0b\x7f\x80\xff"[..]),
        1 => any::<u8>(),
    ]
}

pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let place = any::<usize>;
    let one = prop_oneof![
        (place(), octet()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (place(), octet()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        place().prop_map(Mutation::Remove),
        (place(), 1_usize..12).prop_map(|(at, length)| Mutation::Double(at, length)),
        place().prop_map(Mutation::Cut),
    ];
    prop::collection::vec(one, 0..4)
}

pub fn mutate(bytes: &mut Vec<u8>, mutations: &[Mutation]) {
    for mutation in mutations {
        let end = bytes.len().max(1);
        match *mutation {
            Mutation::Insert(at, byte) => bytes.insert(at % (bytes.len() + 1), byte),
            _ if bytes.is_empty() => {}
            Mutation::Replace(at, byte) => bytes[at % end] = byte,
            Mutation::Remove(at) => {
                bytes.remove(at % end);
            }
            Mutation::Double(at, length) => {
                let from = at % end;
                let part = bytes[from..(from + length).min(end)].to_vec();
                bytes.splice(from..from, part);
            }
            Mutation::Cut(at) => bytes.truncate(at % end),
        }
    }
}
