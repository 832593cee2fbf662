//! The chunked coding: RFC 9112, section 7.1.
//!
//! Runs on: tests.
//! Owns: the rules and limits of chunks, their extensions, and trailers.
//! Never: asks the client what is right.

use super::Expected::Breaks;
use super::Then::{Close, Reset};
use super::{Case, Table, case, hi, keeps};

pub(super) fn all() -> Vec<Case> {
    [sizes(), extensions(), ends(), cut_off(), trailers()].concat()
}

/// A response with this coding.
pub(super) fn chunked(coding: impl AsRef<[u8]>) -> Vec<u8> {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    [&head[..], coding.as_ref()].concat()
}

fn sizes() -> Vec<Case> {
    let table = Table {
        good: &[b"5", b"05", b"000000000000005"],
        bad: &[
            (
                "chunk_size",
                &[
                    b"",
                    b"+5",
                    b"-5",
                    b"0x5",
                    b"5h",
                    b"x",
                    b" 5",
                    b"5 ",
                    b"5\t",
                    b"5 5",
                    b"5.0",
                    b"5,5",
                    b"5\0",
                    b"\xef\xbc\x95",
                    b"FFFFFFFFFFFFFFFF",
                    b"10000000000000005",
                    b"0000000000000000000000000000005",
                ],
            ),
            ("body_too_long", &[b"100001", b"fffffffffffffff"]),
            ("bare_line_feed", &[b"5\n"]),
            ("bare_carriage_return", &[b"5\r", b"5\rx"]),
        ],
    };
    let mut cases = table.cases("chunk size", &keeps(200, "hello"), |size| {
        chunked([size, b"\r\nhello\r\n0\r\n\r\n"].concat())
    });
    let hexadecimal = chunked("A\r\n0123456789\r\nb\r\n0123456789a\r\n00\r\n\r\n");
    let expected = keeps(200, "01234567890123456789a");
    cases.push(case("chunk sizes in hexadecimal", hexadecimal, expected));
    cases
}

fn extensions() -> Vec<Case> {
    let table = Table {
        good: &[b";a", b";a=b", b";a=\"b c\"", b";a=\"\\\"\\\\\";b;c=d"],
        bad: &[
            (
                "chunk_extension",
                &[
                    b";",
                    b";;",
                    b";=b",
                    b";a=",
                    b";a==b",
                    b";a=b c",
                    b";a=\"b",
                    b";a=\"b\"c",
                    b";a\0",
                    b";a=\0",
                    b";a=\"\0\"",
                    b";a=\"\x7f\"",
                    b";a=\"\\\0\"",
                    b";\xff",
                ],
            ),
            ("bare_line_feed", &[b";a\n", b";a=\"b\n\""]),
            ("bare_carriage_return", &[b";a\rb"]),
        ],
    };
    let mut cases = table.cases("chunk extension", &hi(), |extension| {
        chunked([b"2", extension, b"\r\nhi\r\n0\r\n\r\n"].concat())
    });
    let of = |octets: usize| match octets {
        0 => String::new(),
        _ => format!(";{}", "e".repeat(octets - 1)),
    };
    let one = |octets: usize| chunked(format!("2{}\r\nhi\r\n0\r\n\r\n", of(octets)));
    let many = |count: usize, last: usize| {
        let chunks = format!("1{}\r\nx\r\n", of(256)).repeat(count);
        chunked(format!("{chunks}0{}\r\n\r\n", of(last)))
    };
    let too_long = || Breaks("chunk_extensions_too_long");
    let sixteen = keeps(200, &"x".repeat(16));
    cases.extend([
        case("chunk extension of 256 octets", one(256), hi()),
        case("chunk extension of 257 octets", one(257), too_long()),
        case("chunk extension without end", one(100_000), too_long()),
        case("chunk extensions of 4 KiB", many(16, 0), sixteen),
        case("chunk extensions of 4 KiB + 2", many(16, 2), too_long()),
        case("chunk extensions, a flood", many(5_000, 0), too_long()),
        case(
            "last chunk's extension of 256 octets",
            many(0, 256),
            keeps(200, ""),
        ),
        case(
            "last chunk's extension of 257 octets",
            many(0, 257),
            too_long(),
        ),
    ]);
    cases
}

fn ends() -> Vec<Case> {
    let mut cases = Vec::new();
    for (coding, expected) in [
        ("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", keeps(200, "hello")),
        ("0\r\n\r\n", keeps(200, "")),
        ("2\r\nhi\r\n00000\r\n\r\n", hi()),
        ("2\r\n\r\n\r\n0\r\n\r\n", keeps(200, "\r\n")),
        ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", keeps(200, "0\r\n\r\n")),
        ("2\r\nhello\r\n0\r\n\r\n", Breaks("chunk_end")),
        ("6\r\nhi\r\n0\r\n\r\n", Breaks("chunk_end")),
        ("2\r\nhi0\r\n\r\n", Breaks("chunk_end")),
        ("2\r\nhi\n0\r\n\r\n", Breaks("chunk_end")),
        ("2\r\nhi\r0\r\n\r\n", Breaks("chunk_end")),
        ("2\r\nhi\r\r\n0\r\n\r\n", Breaks("chunk_end")),
        ("2\r\nhi\0\r\n0\r\n\r\n", Breaks("chunk_end")),
        ("2\r\nhi\r\n\r\n0\r\n\r\n", Breaks("chunk_size")),
        ("2\r\nhi\r\n0\r\n\n", Breaks("bare_line_feed")),
        ("2\r\nhi\r\n0\n\r\n", Breaks("bare_line_feed")),
        ("2\r\nhi\r\n0\r\n\rx", Breaks("bare_carriage_return")),
        // The next response where the final CRLF must be.
        ("2\r\nhi\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n", Breaks("trailer")),
    ] {
        let name = format!("chunks \"{}\"", coding.escape_debug());
        cases.push(case(name, chunked(coding), expected));
    }
    cases
}

/// Without the final CRLF the body is not whole, though all of its data came.
fn cut_off() -> Vec<Case> {
    let mut cases = Vec::new();
    for coding in [
        "2\r\nhi\r\n0\r\n",
        "2\r\nhi\r\n0\r\n\r",
        "2\r\nhi\r\n0",
        "2\r\nhi\r\n",
        "2\r\nhi",
        "2\r\nh",
        "2",
        "",
        "0\r\nA: b",
        "0\r\nA: b\r\n",
        "0;a=",
    ] {
        for then in [Close, Reset] {
            let name = format!("chunks cut off by {then:?}: \"{}\"", coding.escape_debug());
            let case = case(name, chunked(coding), Breaks(then.rule()));
            cases.push(case.then(then));
        }
    }
    cases
}

fn trailers() -> Vec<Case> {
    let table = Table {
        good: &[b"X-Sum: 5\r\n", b"A:\r\nB: c \r\n", b"A: \xc3\xa9\xff\r\n"],
        bad: &[
            (
                "trailer",
                &[
                    b"Content-Length: 5\r\n",
                    b"transfer-encoding: chunked\r\n",
                    b"Host: x\r\n",
                    b"Connection: close\r\n",
                    b"Set-Cookie: a=b\r\n",
                    b"Content-Encoding: gzip\r\n",
                    b"A\r\n",
                    b": b\r\n",
                    b"A : b\r\n",
                    b"A: \0\r\n",
                    b"A: \x7f\r\n",
                    b"A\0: b\r\n",
                    b"\0",
                ],
            ),
            (
                "obs_fold",
                &[b"A: b\r\n c\r\n", b" A: b\r\n", b"\tA: b\r\n"],
            ),
            ("bare_line_feed", &[b"A: b\nC: d\r\n", b"A\n"]),
            ("bare_carriage_return", &[b"A: b\rC: d\r\n", b"A: b\r\r\n"]),
        ],
    };
    let mut cases = table.cases("trailer", &hi(), |section| {
        chunked([b"2\r\nhi\r\n0\r\n", section, b"\r\n"].concat())
    });
    let one = |octets: usize| {
        let value = "x".repeat(octets - "A: \r\n".len());
        chunked(format!("2\r\nhi\r\n0\r\nA: {value}\r\n\r\n"))
    };
    let many = |count: usize| chunked(format!("2\r\nhi\r\n0\r\n{}\r\n", "A: b\r\n".repeat(count)));
    let too_long = || Breaks("trailers_too_long");
    cases.extend([
        case("trailers of 8 KiB", one(8 << 10), hi()),
        case("trailers of 8 KiB + 1", one((8 << 10) + 1), too_long()),
        case("trailers without end", one(100_000), too_long()),
        case("100 trailers", many(100), hi()),
        case("101 trailers", many(101), Breaks("too_many_fields")),
    ]);
    cases
}
