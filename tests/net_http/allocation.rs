//! Warm buffers: a request and its response allocate nothing.
//!
//! Runs on: tests.
//! Owns: the count over rendering, sending and reading, for every kind of framing.
//! Never: counts the first round, in which buffers grow.

use shrike::net::HttpLimits;
use shrike::net::http::{Exchange, Expect, Method, Outcome, Template};
use shrike::types::Nanos;

use crate::allocations::of_this_thread;

/// An answer as a broker gives it: 600 bytes of body.
fn answer() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\n\
        Content-Length: 600\r\nConnection: keep-alive\r\nX-Request-ID: 0123456789abcdef0123456789abcdef\r\n\
        X-Ratelimit-Limit: 200\r\nX-Ratelimit-Remaining: 199\r\nVary: Origin\r\n\r\n";
    [head.as_bytes(), &[b'x'; 600]].concat()
}

#[test]
fn a_warm_exchange_allocates_nothing() {
    let place = Template::builder(Method::Post, "h", "/v2/orders")
        .field("Authorization", "secret")
        .with_body()
        .build()
        .expect("sound");
    let change = Template::builder(Method::Patch, "h", "/v2/orders/")
        .with_suffix()
        .with_body()
        .build()
        .expect("sound");
    let chunked = b"HTTP/1.1 100 X\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        4;a=b\r\nabcd\r\n3\r\nefg\r\n0\r\nA: b\r\n\r\n";
    let answers = [
        answer(),
        chunked.to_vec(),
        b"HTTP/1.1 204 X\r\n\r\n".to_vec(),
    ];
    let mut exchange = Exchange::new(HttpLimits::DEFAULT);
    let mut out = Vec::new();
    for round in 0..3 {
        let before = of_this_thread();
        for answer in &answers {
            for template in [&place, &change] {
                let suffix = if template.method() == Method::Patch {
                    "abc?d"
                } else {
                    ""
                };
                out.clear();
                template
                    .encode(suffix, b"{\"qty\":\"1\"}", &mut out)
                    .expect("sound");
                exchange.begin(Expect::framed(template.method()), out.len(), Nanos::MAX);
                exchange.wrote(out.len());
                for piece in answer.chunks(100) {
                    exchange.received(piece).expect("sound");
                }
                assert_eq!(exchange.outcome(), Some(Outcome::Response));
                assert!(exchange.may_reuse());
            }
        }
        if round > 0 {
            assert_eq!(of_this_thread(), before, "round {round}");
        } else {
            assert!(of_this_thread() > before, "the count counts");
        }
    }
}
