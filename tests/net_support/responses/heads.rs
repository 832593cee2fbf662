//! Status lines and fields: RFC 9112, sections 4 and 5.
//!
//! Runs on: tests.
//! Owns: the rules and limits of a head.
//! Never: asks the client what is right.

use super::Expected::Breaks;
use super::{Case, Table, case, ends, hi};

pub(super) fn all() -> Vec<Case> {
    [status_lines(), fields(), limits()].concat()
}

/// The status line is all before `\r\nContent-Length: 2`.
fn status_lines() -> Vec<Case> {
    let table = Table {
        good: &[
            b"HTTP/1.1 200 OK",
            b"HTTP/1.1 200 ",
            b"HTTP/1.1 200 a reason\tof many words",
            b"HTTP/1.1 200 beyond ASCII \xc3\xa9\xff",
        ],
        bad: &[
            (
                "status_line",
                &[
                    b"HTTP/1.1 200",
                    b"HTTP/1.1  200 OK",
                    b"HTTP/1.1 200\tOK",
                    b"HTTP/1.1 20 OK",
                    b"HTTP/1.1 2000 OK",
                    b"HTTP/1.1 2x0 OK",
                    b"HTTP/1.1 +20 OK",
                    b"HTTP/1.1 -20 OK",
                    b"HTTP/1.1 OK",
                    b"HTTP/1.1 ",
                    b"HTTP/1.1 200 O\0K",
                    b"HTTP/1.1 200 O\x1bK",
                    b"HTTP/1.1 200 O\x7fK",
                ],
            ),
            (
                "status",
                &[
                    b"HTTP/1.1 000 x",
                    b"HTTP/1.1 099 x",
                    b"HTTP/1.1 600 x",
                    b"HTTP/1.1 999 x",
                ],
            ),
            (
                "version",
                &[
                    b"HTTP/1.2 200 OK",
                    b"HTTP/1.10 200 OK",
                    b"HTTP/1.x 200 OK",
                    b"HTTP/1. 200 OK",
                    b"HTTP/1.1\t200 OK",
                    b"HTTP/1.1",
                ],
            ),
            (
                "not_http",
                &[
                    b"HTTP/2.0 200 OK",
                    b"HTTP/2 200 OK",
                    b"HTTP/0.9 200 OK",
                    b"HTTP/11 200 OK",
                    b"http/1.1 200 OK",
                    b" HTTP/1.1 200 OK",
                    b"\r\nHTTP/1.1 200 OK",
                    b"\nHTTP/1.1 200 OK",
                    b"\0HTTP/1.1 200 OK",
                    b"\xef\xbb\xbfHTTP/1.1 200 OK",
                    b"ICY 200 OK",
                    b"220 mail ESMTP",
                    b"SSH-2.0-x",
                    b"\x15\x03\x01\x00\x02\x02\x46",
                    b"<html>",
                ],
            ),
            (
                "bare_carriage_return",
                &[
                    b"HTTP/1.1 200 O\rK",
                    b"HTTP/1.1 200 OK\r",
                    b"HTTP/1.1 200 OK\rA: b",
                ],
            ),
            (
                "bare_line_feed",
                &[b"HTTP/1.1 200 OK\nA: b", b"HTTP/1.1 200 OK\n"],
            ),
        ],
    };
    let response = |line: &[u8]| [line, b"\r\nContent-Length: 2\r\n\r\nhi"].concat();
    let mut cases = table.cases("status line", &hi(), response);
    for (line, expected) in [
        ("HTTP/1.1 201 Created", super::keeps(201, "hi")),
        ("HTTP/1.1 429 Too Many Requests", super::keeps(429, "hi")),
        ("HTTP/1.1 599 x", super::keeps(599, "hi")),
        ("HTTP/1.0 200 OK", ends(200, "hi")),
    ] {
        let name = format!("status line \"{line}\"");
        cases.push(case(name, response(line.as_bytes()), expected));
    }
    cases
}

/// One field or more before a Content-Length.
fn fields() -> Vec<Case> {
    let table = Table {
        good: &[
            b"A:",
            b"A:  \t ",
            b"A:b",
            b"A: b:c: d",
            b"A: b\tc",
            b"A: \x80\xc3\xa9\xff",
            b"!#$%&'*+-.^_`|~09azAZ: b",
        ],
        bad: &[
            (
                "field_name",
                &[
                    b"A",
                    b"A : b",
                    b"A\t: b",
                    b"A b: c",
                    b": b",
                    b":",
                    b"A\xc3\xa9: b",
                    b"A\0: b",
                    b"A\x7f: b",
                    b"A\": b",
                    b"A/b: c",
                    b"A(b): c",
                    b"A@b: c",
                    b"A[0]: c",
                    b"{A}: c",
                    b"A,B: c",
                    b"A;B: c",
                    b"A=B",
                ],
            ),
            (
                "field_value",
                &[
                    b"A: b\0c",
                    b"A: \0",
                    b"A: b\x07c",
                    b"A: \x1b[31m",
                    b"A: \x0bb",
                    b"A: b\x7f",
                ],
            ),
            (
                "obs_fold",
                &[
                    b"A: b\r\n c",
                    b"A: b\r\n\tc",
                    b"A: b\r\n ",
                    b" A: b",
                    b"\tA: b",
                ],
            ),
            (
                "bare_line_feed",
                &[
                    b"A: b\nC: d",
                    b"A: b\n C: d",
                    b"A: b\n\nhi",
                    b"A: b\n",
                    b"\n",
                ],
            ),
            (
                "bare_carriage_return",
                &[b"A: b\rC: d", b"A: b\r", b"\r", b"A:\r\r"],
            ),
        ],
    };
    let mut cases = table.cases("field", &hi(), |field| {
        [
            b"HTTP/1.1 200 OK\r\n",
            field,
            b"\r\nContent-Length: 2\r\n\r\nhi",
        ]
        .concat()
    });
    let blank = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nhi";
    cases.push(case(
        "field: blank line by LF",
        blank,
        Breaks("bare_line_feed"),
    ));
    cases
}

fn limits() -> Vec<Case> {
    let fields = |count: usize| {
        let others = "a: b\r\n".repeat(count - 1);
        format!("HTTP/1.1 200 OK\r\n{others}Content-Length: 2\r\n\r\nhi")
    };
    let head = |octets: usize| {
        let rest = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\na: \r\n\r\n".len();
        let long = "x".repeat(octets - rest);
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\na: {long}\r\n\r\nhi")
    };
    let line = "HTTP/1.1 200 ".to_owned() + &"O".repeat(40 << 10);
    let name = "HTTP/1.1 200 OK\r\n".to_owned() + &"a".repeat(40 << 10);
    let value = format!(
        "HTTP/1.1 200 OK\r\n{}a: {}",
        "b:\r\n".repeat(99),
        "x".repeat(40 << 10)
    );
    let many = "HTTP/1.1 200 OK\r\n".to_owned() + &"a:\r\n".repeat(8_000);
    vec![
        case("limit: 100 fields", fields(100), hi()),
        case("limit: 101 fields", fields(101), Breaks("too_many_fields")),
        case("limit: 8,000 fields", many, Breaks("too_many_fields")),
        case("limit: head of 32 KiB", head(32 << 10), hi()),
        case(
            "limit: head of 32 KiB + 1",
            head((32 << 10) + 1),
            Breaks("head_too_long"),
        ),
        case("limit: endless status line", line, Breaks("head_too_long")),
        case("limit: endless name", name, Breaks("head_too_long")),
        case("limit: endless value", value, Breaks("head_too_long")),
    ]
}
