//! Responses: no panic, no more than the limits, and the same however the octets are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shrike::net::HttpLimits;
use shrike::net::http::{Exchange, Expect, Method, Outcome};
use shrike::types::Nanos;
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
    let whole = read(limits, choices, octets, 0);
    assert_eq!(read(limits, choices, octets, seed), whole);
    assert_eq!(read(limits, choices, octets, seed ^ 0xff), whole);
});

/// Outcome, status, body, fitness for reuse.
type Seen = (Option<Outcome>, u16, Vec<u8>, bool);

fn read(limits: HttpLimits, choices: u8, octets: &[u8], seed: u8) -> Seen {
    let mut exchange = Exchange::new(limits);
    let expect = Expect {
        method: if choices & 2 == 0 {
            Method::Get
        } else {
            Method::Head
        },
        close_delimited: choices & 4 != 0,
    };
    exchange.begin(expect, 10, Nanos::MAX);
    exchange.wrote(if choices & 8 == 0 { 10 } else { 9 });
    for piece in pieces(seed, octets) {
        let had_ended = exchange.outcome();
        match exchange.received(piece) {
            Ok(taken) => assert!(taken <= piece.len()),
            Err(error) => assert!(error.offset <= octets.len() as u64),
        }
        assert!(exchange.response().body().len() <= limits.body_bytes);
        // An end stands, whatever comes behind it.
        assert!(had_ended.is_none() || had_ended == exchange.outcome());
    }
    if choices & 16 == 0 {
        exchange.end_of_stream();
    } else {
        exchange.connection_died();
    }
    assert!(exchange.outcome().is_some());
    let response = exchange.response();
    let body = match exchange.outcome() {
        Some(Outcome::Response) => response.body().to_vec(),
        _ => Vec::new(),
    };
    (
        exchange.outcome(),
        response.status(),
        body,
        exchange.may_reuse(),
    )
}
