//! Any split of any response gives what the whole gives.
//!
//! Runs on: tests.
//! Owns: generated responses, sound and damaged, fed whole and in pieces.
//! Never: says what the right reading is (see the tables).

use proptest::prelude::*;
use shrike::net::http::{Exchange, Expect, Method, Outcome, ResponseReader};
use shrike::net::{HttpError, HttpLimits};
use shrike::types::Nanos;

use crate::input::{SMALL, mutate, mutations, pieces, splits};

/// Everything that a reader tells.
#[derive(PartialEq, Debug)]
struct Seen {
    end: Result<(u64, bool), HttpError>,
    at_close: Result<(), HttpError>,
    body: Vec<u8>,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    has_begun: bool,
    keeps_alive: bool,
}

fn seen<'a>(reader: &mut ResponseReader, pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
    let mut end = Ok((0, false));
    for piece in pieces {
        match reader.feed(piece) {
            Ok((taken, is_complete)) => {
                end = Ok((reader.bytes_taken(), is_complete));
                if is_complete {
                    break;
                }
                assert_eq!(taken, piece.len(), "all is taken until the end");
            }
            Err(error) => {
                end = Err(error);
                break;
            }
        }
    }
    let keeps_alive = reader.may_keep_alive();
    let fields = reader.head().fields();
    let fields = fields
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect();
    Seen {
        end,
        body: reader.body().to_vec(),
        status: reader.status(),
        fields,
        has_begun: reader.has_begun(),
        keeps_alive,
        at_close: reader.end_of_stream(),
    }
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let interim = prop::sample::select(vec![
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "HTTP/1.1 102 X\r\nConnection: close\r\n\r\n",
    ]);
    let start = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 \r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 X\r\n",
        "HTTP/1.1 422 X\r\n",
        "HTTP/1.1 101 X\r\n",
    ]);
    let field = prop::sample::select(vec![
        "A: b\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "Date:\r\n",
        "Content-Length: 5\r\n",
        "Content-Encoding: gzip\r\n",
    ]);
    let body = prop::sample::select(vec![
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 12\r\n\r\nhello\r\nworld",
        "Content-Length: 49\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1;a=\"b\"\r\nx\r\n10;c\r\n0123456789012345\r\n0\r\nA: b\r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\n",
        "\r\nuntil the end of the stream",
        "\r\nlonger than the limit of the body: 0123456789012345678901234567890123456789",
    ]);
    let fields = prop::collection::vec(field, 0..3);
    let left_over = prop::sample::select(vec!["", "", "HTTP/1.1 200 OK\r\n"]);
    (
        prop::collection::vec(interim, 0..4),
        start,
        fields,
        body,
        left_over,
    )
        .prop_map(|(interim, start, fields, body, left_over)| {
            let text = [&interim.concat(), start, &fields.concat(), body, left_over].concat();
            text.into_bytes()
        })
}

fn expect() -> impl Strategy<Value = Expect> {
    let method = prop::sample::select(vec![Method::Get, Method::Get, Method::Post, Method::Head]);
    (method, any::<bool>()).prop_map(|(method, close_delimited)| Expect {
        method,
        close_delimited,
    })
}

/// How an exchange ends that is fed these pieces until its outcome, and then sees the end of the stream.
fn ended<'a>(expect: Expect, pieces: impl Iterator<Item = &'a [u8]>) -> (Option<Outcome>, bool) {
    let mut exchange = Exchange::new(SMALL);
    exchange.begin(expect, 10, Nanos::MAX);
    exchange.wrote(10);
    let mut may_reuse = false;
    for piece in pieces {
        // Bytes behind the outcome are errors, or left over in one piece with it.
        let _ = exchange.received(piece);
        may_reuse = exchange.may_reuse();
    }
    exchange.end_of_stream();
    assert!(!exchange.may_reuse());
    (exchange.outcome(), may_reuse)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_split_of_any_response_gives_what_the_whole_gives(
        mut text in response(),
        damage in mutations(),
        cuts in splits(),
        expect in expect(),
        is_small in any::<bool>(),
    ) {
        mutate(&mut text, &damage);
        let limits = if is_small { SMALL } else { HttpLimits::DEFAULT };
        let mut reader = ResponseReader::new(limits);
        reader.begin(expect);
        let whole = seen(&mut reader, std::iter::once(&text[..]));
        reader.begin(expect);
        let in_pieces = seen(&mut reader, pieces(&text, &cuts));
        prop_assert_eq!(&in_pieces, &whole);
        if let Err(error) = whole.end {
            prop_assert!(error.offset <= text.len() as u64);
            prop_assert_eq!(whole.at_close, Err(error));
        }
        prop_assert!(whole.body.len() <= limits.body_bytes);
    }

    #[test]
    fn any_split_of_any_response_ends_an_exchange_as_the_whole_does(
        mut text in response(),
        damage in mutations(),
        cuts in splits(),
        expect in expect(),
    ) {
        mutate(&mut text, &damage);
        let whole = ended(expect, std::iter::once(&text[..]));
        prop_assert_eq!(ended(expect, pieces(&text, &cuts)), whole);
    }
}
