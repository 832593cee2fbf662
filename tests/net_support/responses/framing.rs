//! Where a response ends, and what of the connection then: RFC 9112, sections 6 and 9.
//!
//! Runs on: tests.
//! Owns: the rules of framing, of answers without a body, of interim ones, and of a connection's further use.
//! Never: asks the client what is right.

use super::Expected::Breaks;
use super::Then::{Close, Open, Reset};
use super::chunks::chunked;
use super::{Case, Table, case, ends, hi, keeps};

pub(super) fn all() -> Vec<Case> {
    [
        content_lengths(),
        transfer_encodings(),
        no_body(),
        interim(),
        bodies(),
        until_close(),
        cut_off(),
        connections(),
    ]
    .concat()
}

/// `HTTP/1.1 200 OK`, these fields, and `hi`.
fn with(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhi")
}

fn content_lengths() -> Vec<Case> {
    let table = Table {
        good: &[
            b"Content-Length: 2",
            b"cOnTeNt-LeNgTh:2",
            b"Content-Length: \t2 \t",
            b"Content-Length: 02",
            b"Content-Length: 0000000000000000000000000000002",
            b"Content-Length: 2, 2",
            b"Content-Length: 2\r\nContent-Length: 2",
            b"Content-Length: 2\r\nA: b\r\ncontent-length: 02",
            b"Content-Length: 2\r\nContent-Encoding: identity",
            b"Content-Length: 2\r\nContent-Encoding:",
        ],
        bad: &[
            (
                "content_length",
                &[
                    b"Content-Length: +2",
                    b"Content-Length: -2",
                    b"Content-Length: 0x2",
                    b"Content-Length: 2.0",
                    b"Content-Length: 2e0",
                    b"Content-Length: 2 2",
                    b"Content-Length: 2;",
                    b"Content-Length: 2,",
                    b"Content-Length: ,2",
                    b"Content-Length: 2,,2",
                    b"Content-Length: \"2\"",
                    b"Content-Length: two",
                    b"Content-Length:",
                    b"Content-Length: \xef\xbc\x92",
                    b"Content-Length: 9223372036854775808",
                    b"Content-Length: 18446744073709551618",
                    b"Content-Length: 340282366920938463463374607431768211458",
                    b"Content-Length: 2\r\nContent-Length: +2",
                    b"Content-Length: 2\r\nContent-Length:",
                ],
            ),
            (
                "content_lengths_differ",
                &[
                    b"Content-Length: 2, 3",
                    b"Content-Length: 2\r\nContent-Length: 3",
                    b"Content-Length: 2\r\nContent-Length: 3\r\nContent-Length: 2",
                ],
            ),
            (
                "body_too_long",
                &[
                    b"Content-Length: 1048577",
                    b"Content-Length: 9223372036854775807",
                ],
            ),
            ("close_delimited", &[b"Content-Lengths: 2", b"A: b"]),
            ("field_name", &[b"Content-Length : 2"]),
            (
                "content_coding",
                &[
                    b"Content-Length: 2\r\nContent-Encoding: gzip",
                    b"Content-Length: 2\r\nContent-Encoding: identity, br",
                    b"Content-Encoding: deflate\r\nContent-Length: 2",
                ],
            ),
        ],
    };
    table.cases("length", &hi(), |fields| {
        with(&String::from_utf8_lossy(fields)).into_bytes()
    })
}

fn transfer_encodings() -> Vec<Case> {
    let table = Table {
        good: &[
            b"1.1 200 OK\r\nTransfer-Encoding: chunked",
            b"1.1 200 OK\r\ntransfer-encoding:CHUNKED\t",
        ],
        bad: &[
            (
                "transfer_encoding",
                &[
                    b"1.1 200 OK\r\nTransfer-Encoding:",
                    b"1.1 200 OK\r\nTransfer-Encoding: identity",
                    b"1.1 200 OK\r\nTransfer-Encoding: gzip",
                    b"1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked, gzip",
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked, chunked",
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked, identity",
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked;q=1",
                    b"1.1 200 OK\r\nTransfer-Encoding: \"chunked\"",
                    b"1.1 200 OK\r\nTransfer-Encoding: xchunked",
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked x",
                    b"1.1 200 OK\r\nTransfer-Encoding: \xa0chunked",
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                    b"1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked",
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:",
                ],
            ),
            (
                "both_framings",
                &[
                    b"1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2",
                    b"1.1 200 OK\r\nContent-Length: 12\r\nTransfer-Encoding: chunked",
                    b"1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: identity",
                ],
            ),
            (
                "transfer_encoding_version",
                &[
                    b"1.0 200 OK\r\nTransfer-Encoding: chunked",
                    b"1.0 200 OK\r\nTransfer-Encoding: identity",
                ],
            ),
            (
                "field_value",
                &[b"1.1 200 OK\r\nTransfer-Encoding: \x0bchunked"],
            ),
            (
                "field_name",
                &[b"1.1 200 OK\r\nTransfer-Encoding : chunked"],
            ),
            (
                "obs_fold",
                &[b"1.1 200 OK\r\nTransfer-Encoding:\r\n chunked"],
            ),
            (
                "content_coding",
                &[b"1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip"],
            ),
        ],
    };
    table.cases("coding", &hi(), |head| {
        [b"HTTP/", head, b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n"].concat()
    })
}

/// Answers that have no body, whatever their fields say.
fn no_body() -> Vec<Case> {
    let mut cases = Vec::new();
    for (method, start, expected) in [
        ("GET", "204 No Content\r\n", keeps(204, "")),
        ("GET", "204 x\r\nContent-Length: 9\r\n", keeps(204, "")),
        ("GET", "304 x\r\nETag: \"x\"\r\n", keeps(304, "")),
        ("GET", "304 x\r\nContent-Length: 9\r\n", keeps(304, "")),
        (
            "GET",
            "304 x\r\nTransfer-Encoding: chunked\r\n",
            keeps(304, ""),
        ),
        ("GET", "200 x\r\nContent-Length: 0\r\n", keeps(200, "")),
        ("GET", "205 x\r\nContent-Length: 0\r\n", keeps(205, "")),
        ("HEAD", "200 x\r\n", keeps(200, "")),
        ("HEAD", "200 x\r\nContent-Length: 9\r\n", keeps(200, "")),
        (
            "HEAD",
            "200 x\r\nContent-Length: 99999999\r\n",
            keeps(200, ""),
        ),
        (
            "HEAD",
            "200 x\r\nTransfer-Encoding: chunked\r\n",
            keeps(200, ""),
        ),
        (
            "GET",
            "204 x\r\nContent-Length: 2, 3\r\n",
            Breaks("content_lengths_differ"),
        ),
        (
            "HEAD",
            "200 x\r\nContent-Length: +2\r\n",
            Breaks("content_length"),
        ),
        (
            "HEAD",
            "200 x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n",
            Breaks("both_framings"),
        ),
    ] {
        let name = format!("no body: {method} \"{}\"", start.escape_debug());
        let case = case(name, format!("HTTP/1.1 {start}\r\n"), expected);
        cases.push(case.to(method));
    }
    let body = "no body, and there is one";
    cases.push(case(
        body,
        "HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nhi",
        ends(204, ""),
    ));
    cases.push(case(body, with("Content-Length: 2"), ends(200, "")).to("HEAD"));
    cases
}

fn interim() -> Vec<Case> {
    let last = with("Content-Length: 2");
    let many = |count: usize| format!("{}{last}", "HTTP/1.1 102 x\r\n\r\n".repeat(count));
    let mut cases = vec![
        case("1xx: 16 of them", many(16), hi()),
        case("1xx: 17 of them", many(17), Breaks("too_many_interim")),
        case("1xx: a flood", many(5_000), Breaks("too_many_interim")),
    ];
    let upgrade = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    for (before, expected) in [
        ("HTTP/1.1 100 Continue\r\n\r\n", hi()),
        ("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", hi()),
        ("HTTP/1.1 199 x\r\n\r\n", hi()),
        ("HTTP/1.1 100 x\r\nContent-Length: 5\r\n\r\n", hi()),
        ("HTTP/1.1 100 x\r\nTransfer-Encoding: chunked\r\n\r\n", hi()),
        (
            "HTTP/1.1 100 x\r\nConnection: close\r\n\r\n",
            ends(200, "hi"),
        ),
        (
            "HTTP/1.1 100 x\r\nContent-Length: 2\r\n\r\nhi",
            Breaks("not_http"),
        ),
        ("HTTP/1.1 100 x\n\r\n", Breaks("bare_line_feed")),
        (upgrade, Breaks("unsolicited_upgrade")),
        (
            "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 101 x\r\n\r\n",
            Breaks("unsolicited_upgrade"),
        ),
    ] {
        let name = format!("1xx: \"{}\"", before.escape_debug());
        cases.push(case(name, format!("{before}{last}"), expected));
    }
    cases
}

fn bodies() -> Vec<Case> {
    let limit = 1 << 20;
    let body = "x".repeat(limit);
    let sized = format!("HTTP/1.1 200 OK\r\nContent-Length: {limit}\r\n\r\n{body}");
    let chunks = |sizes: &[usize]| {
        let chunk = |size: &usize| format!("{size:x}\r\n{}\r\n", "x".repeat(*size));
        chunked(sizes.iter().map(chunk).collect::<String>() + "0\r\n\r\n")
    };
    vec![
        case("body of 1 MiB", sized, keeps(200, &body)),
        case(
            "body of 1 MiB in a chunk",
            chunks(&[limit]),
            keeps(200, &body),
        ),
        case(
            "body of 1 MiB in chunks",
            chunks(&[limit / 4; 4]),
            keeps(200, &body),
        ),
        case(
            "body of 1 MiB + 1 in chunks",
            chunks(&[limit, 1]),
            Breaks("body_too_long"),
        ),
        case(
            "body in 4,096 chunks",
            chunks(&[1; 4_096]),
            keeps(200, &body[..4_096]),
        ),
    ]
}

/// Bodies without a length.
fn until_close() -> Vec<Case> {
    let name = |what: &str| format!("body until the connection ends: {what}");
    let unframed = |body: &str| format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    let body = "x".repeat(1 << 20);
    let mut cases = vec![
        case(
            name("not allowed"),
            unframed("hi"),
            Breaks("close_delimited"),
        )
        .then(Close),
        case(
            name("not allowed, open"),
            unframed(""),
            Breaks("close_delimited"),
        ),
    ];
    let old = "HTTP/1.0 200 OK\r\n\r\nhi".to_owned();
    let framed = with("Content-Length: 2");
    let short = with("Content-Length: 5");
    for (what, octets, then, expected) in [
        ("of two octets", unframed("hi"), Close, ends(200, "hi")),
        ("empty", unframed(""), Close, ends(200, "")),
        ("reset", unframed("hi"), Reset, Breaks("died")),
        ("of 1 MiB", unframed(&body), Close, ends(200, &body)),
        (
            "of 1 MiB + 1",
            unframed(&body) + "x",
            Open,
            Breaks("body_too_long"),
        ),
        ("of HTTP/1.0", old, Close, ends(200, "hi")),
        ("with a length all the same", framed, Open, hi()),
        (
            "with a length that is not reached",
            short,
            Close,
            Breaks("truncated"),
        ),
    ] {
        let case = case(name(what), octets, expected);
        cases.push(case.then(then).delimited_by_close());
    }
    cases
}

/// The connection ends at every place of a response that matters.
fn cut_off() -> Vec<Case> {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let mut cases = Vec::new();
    for length in [1, 7, 9, 15, 17, 20, 36, 38, 40, 42] {
        for then in [Close, Reset] {
            let octets = &whole[..length];
            let name = format!("cut off by {then:?}: \"{}\"", octets.escape_debug());
            cases.push(case(name, octets, Breaks(then.rule())).then(then));
        }
    }
    let interim = "HTTP/1.1 100 x\r\n\r\n";
    cases.push(case("cut off behind 1xx", interim, Breaks("truncated")).then(Close));
    cases
}

/// What a sound response says about the connection's next use.
fn connections() -> Vec<Case> {
    let whole = with("Content-Length: 2");
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi";
    let mut cases = vec![
        case("HTTP/1.0 that would be kept", old, ends(200, "hi")),
        case("an octet too many", whole.clone() + "!", ends(200, "hi")),
        case("CRLF too many", whole.clone() + "\r\n", ends(200, "hi")),
        case("a second response", whole.clone() + &whole, ends(200, "hi")),
        case(
            "chunks and an octet too many",
            chunked("0\r\n\r\n!"),
            ends(200, ""),
        ),
        case("a whole response, then FIN", &whole, ends(200, "hi")).then(Close),
        case("a whole response, then RST", &whole, ends(200, "hi")).then(Reset),
    ];
    for (fields, expected) in [
        ("Connection: keep-alive", hi()),
        ("Connection: closed", hi()),
        ("Connection: close", ends(200, "hi")),
        ("connection:CLOSE", ends(200, "hi")),
        ("Connection: keep-alive ,\tClose", ends(200, "hi")),
        ("Connection: x\r\nConnection: close", ends(200, "hi")),
    ] {
        let octets = with(&format!("Content-Length: 2\r\n{fields}"));
        cases.push(case(
            format!("\"{}\"", fields.escape_debug()),
            octets,
            expected,
        ));
    }
    cases
}
