//! Responses end where their framing says, and break every rule by name and place.
//!
//! Runs on: tests.
//! Owns: sound responses, malformed ones with the rule and the octet, limits, and what outlives a response.
//! Never: splits (see the property tests).

use shrike::net::http::{Expect, Method, ResponseReader};
use shrike::net::{HttpError, HttpLimits, HttpRule};

use crate::input::{SMALL, error};

const OK: &str = "HTTP/1.1 200 OK\r\n";

fn reader(method: Method) -> ResponseReader {
    let mut reader = ResponseReader::new(HttpLimits::DEFAULT);
    reader.begin(Expect::framed(method));
    reader
}

/// Status, body and whether the connection may be kept, of a response behind which another begins.
fn read(method: Method, text: &str) -> (u16, String, bool) {
    let mut reader = reader(method);
    let with_more = format!("{text}HTTP/1.1 500 Next\r\n\r\n");
    let fed = reader.feed(with_more.as_bytes());
    assert_eq!(fed, Ok((text.len(), true)), "{text:?}");
    assert!(reader.is_complete() && reader.has_begun());
    assert_eq!(reader.bytes_taken(), text.len() as u64);
    assert_eq!(
        reader.feed(b"HTTP"),
        Ok((0, true)),
        "nothing behind the end"
    );
    assert_eq!(reader.end_of_stream(), Ok(()), "complete already");
    let body = String::from_utf8(reader.body().to_vec()).expect("text");
    (reader.status(), body, reader.may_keep_alive())
}

fn broken(method: Method, text: &str) -> Option<HttpError> {
    let mut reader = reader(method);
    let error = reader.feed(text.as_bytes()).err()?;
    assert_eq!(reader.feed(b""), Err(error), "an error stays");
    assert_eq!(reader.feed(OK.as_bytes()), Err(error), "an error stays");
    assert_eq!(reader.end_of_stream(), Err(error), "an error stays");
    assert!(reader.has_begun() && !reader.is_complete() && !reader.may_keep_alive());
    Some(error)
}

fn body(text: &str) -> (u16, String, bool) {
    (200, text.to_owned(), true)
}

#[test]
fn bodies_end_by_length_or_by_chunks() {
    let get = |rest: &str| read(Method::Get, &format!("{OK}{rest}"));
    assert_eq!(get("Content-Length: 5\r\n\r\nhello"), body("hello"));
    assert_eq!(get("Content-Length: 0\r\n\r\n"), body(""));
    assert_eq!(
        get("Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello"),
        body("hello")
    );
    let chunks = "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nA: b\r\n\r\n";
    assert_eq!(
        get(&format!("Transfer-Encoding: Chunked\r\n\r\n{chunks}")),
        body("hello!")
    );
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    for fields in [
        "",
        "Content-Length: 5\r\n",
        "Content-Length: 99999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let ok = format!("{OK}{fields}\r\n");
        assert_eq!(
            read(Method::Head, &ok),
            (200, String::new(), true),
            "{fields:?}"
        );
        for (status, method) in [
            (204, Method::Delete),
            (304, Method::Get),
            (204, Method::Post),
        ] {
            let text = format!("HTTP/1.1 {status} X\r\n{fields}\r\n");
            assert_eq!(
                read(method, &text),
                (status, String::new(), true),
                "{text:?}"
            );
        }
    }
}

#[test]
fn interim_responses_are_skipped_sixteen_at_most() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\
        Content-Length: 7\r\n\r\nHTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n";
    let last = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok";
    let text = format!("{interim}{last}");
    assert_eq!(read(Method::Post, &text), (201, "ok".to_owned(), true));

    let one = "HTTP/1.1 199 X\r\n\r\n";
    let text = format!("{}{last}", one.repeat(16));
    assert_eq!(read(Method::Post, &text), (201, "ok".to_owned(), true));
    let text = format!("{}{last}", one.repeat(17));
    let expected = Some(error(HttpRule::TooManyInterim, one.len() * 17));
    assert_eq!(broken(Method::Post, &text), expected);
}

#[test]
fn places_in_errors_count_interim_responses_and_heads() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (rest, rule, at) in [
        ("+5\r\n".to_owned(), HttpRule::ChunkSize, 0),
        ("2\r\nabc".to_owned(), HttpRule::ChunkEnd, 5),
        ("0\r\nHost: a\r\n".to_owned(), HttpRule::Trailer, 7),
    ] {
        let before = interim.len() + head.len();
        let text = format!("{interim}{head}{rest}");
        assert_eq!(
            broken(Method::Get, &text),
            Some(error(rule, before + at)),
            "{rest:?}"
        );
    }
    let text = format!("{interim}HTTP/2 200\r\n");
    let expected = error(HttpRule::NotHttp, interim.len() + 5);
    assert_eq!(broken(Method::Get, &text), Some(expected));
    let text = format!("{interim}{OK}A: b\n\r\n");
    let at = text.len() - 3;
    assert_eq!(
        broken(Method::Get, &text),
        Some(error(HttpRule::BareLineFeed, at))
    );
}

#[test]
fn malformed_responses_name_the_rule() {
    for (text, rule) in [
        (
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            HttpRule::UnsolicitedUpgrade,
        ),
        (
            "HTTP/1.1 100 X\r\n\r\nHTTP/1.1 101 X\r\n\r\n",
            HttpRule::UnsolicitedUpgrade,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            HttpRule::BothFramings,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            HttpRule::TransferEncodingVersion,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            HttpRule::TransferEncoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
            HttpRule::ContentLength,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
            HttpRule::ContentLength,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            HttpRule::ContentLengthsDiffer,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
            HttpRule::BodyTooLong,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", HttpRule::CloseDelimited),
        (
            "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n",
            HttpRule::CloseDelimited,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n",
            HttpRule::ContentCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: br\r\n\r\n",
            HttpRule::ContentCoding,
        ),
        (
            "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
            HttpRule::BareLineFeed,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
            HttpRule::FieldName,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n A: b\r\n\r\n",
            HttpRule::ObsFold,
        ),
        (
            "HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\n",
            HttpRule::ObsFold,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\0\r\n\r\n",
            HttpRule::FieldValue,
        ),
        (
            "HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\n",
            HttpRule::StatusLine,
        ),
        ("hello", HttpRule::NotHttp),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", HttpRule::NotHttp),
        ("\u{16}\u{3}\u{1}", HttpRule::NotHttp),
    ] {
        let found = broken(Method::Get, text).map(|error| error.rule);
        assert_eq!(found, Some(rule), "{text:?}");
    }
    // A second head in the place of chunks, and a body that the head did not announce.
    let text = format!("{OK}Transfer-Encoding: chunked\r\n\r\n{OK}");
    assert_eq!(
        broken(Method::Get, &text).map(|e| e.rule),
        Some(HttpRule::ChunkSize)
    );
}

#[test]
fn the_body_is_limited_at_the_byte() {
    let limits = |body_bytes| HttpLimits {
        body_bytes,
        ..HttpLimits::DEFAULT
    };
    let length = format!("{OK}Content-Length: 8\r\n\r\n");
    let chunked = format!("{OK}Transfer-Encoding: chunked\r\n\r\n8\r\n");
    let close = format!("{OK}\r\n");
    for (head, end, at) in [
        (&length, "", 0),
        (&chunked, "\r\n0\r\n\r\n", -2),
        (&close, "", 7),
    ] {
        let text = format!("{head}01234567{end}");
        for body_bytes in [8, 7] {
            let mut reader = ResponseReader::new(limits(body_bytes));
            reader.begin(Expect {
                method: Method::Get,
                close_delimited: true,
            });
            let fed = reader.feed(text.as_bytes());
            if body_bytes == 8 {
                assert_eq!(fed.map(|(taken, _)| taken), Ok(text.len()), "{head:?}");
                assert_eq!((reader.end_of_stream(), reader.body().len()), (Ok(()), 8));
            } else {
                let at = head.len().strict_add_signed(at);
                assert_eq!(fed, Err(error(HttpRule::BodyTooLong, at)), "{head:?}");
                assert!(reader.body().len() <= 7);
            }
        }
    }
}

#[test]
fn a_body_may_end_with_the_connection_where_the_caller_says_so() {
    for text in [
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nhello",
    ] {
        let mut reader = reader(Method::Get);
        reader.begin(Expect {
            method: Method::Get,
            close_delimited: true,
        });
        assert_eq!(reader.feed(text.as_bytes()), Ok((text.len(), false)));
        assert!(!reader.is_complete());
        assert_eq!(reader.end_of_stream(), Ok(()));
        assert_eq!((reader.is_complete(), reader.body()), (true, &b"hello"[..]));
        assert!(!reader.may_keep_alive());
        assert_eq!(reader.feed(b"more"), Ok((0, true)));
    }
}

#[test]
fn a_response_that_is_cut_off_is_not_one() {
    for text in [
        "",
        "HTT",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        for close_delimited in [false, true] {
            let mut reader = reader(Method::Get);
            reader.begin(Expect {
                method: Method::Get,
                close_delimited,
            });
            assert_eq!(
                reader.feed(text.as_bytes()),
                Ok((text.len(), false)),
                "{text:?}"
            );
            assert_eq!(reader.has_begun(), !text.is_empty());
            let expected = Err(error(HttpRule::Truncated, text.len()));
            assert_eq!(reader.end_of_stream(), expected, "{text:?}");
            assert_eq!(
                reader.feed(b"HTTP"),
                expected.map(|()| (0, false)),
                "it stays so"
            );
        }
    }
}

#[test]
fn the_connection_is_kept_by_sound_answers_of_http_1_1_only() {
    let keeps = |text: &str| read(Method::Get, text).2;
    let end = "Content-Length: 0\r\n\r\n";
    assert!(keeps(&format!("{OK}{end}")));
    assert!(keeps(&format!(
        "{OK}Connection: keep-alive, Upgrade\r\n{end}"
    )));
    assert!(keeps(&format!("{OK}Connection: x-close\r\n{end}")));
    assert!(!keeps(&format!("{OK}Connection: close\r\n{end}")));
    assert!(!keeps(&format!(
        "{OK}Connection: keep-alive\r\nConnection: a, Close\r\n{end}"
    )));
    assert!(!keeps(&format!("HTTP/1.0 200 OK\r\n{end}")));
    assert!(!keeps(&format!(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n{end}"
    )));
    assert!(!keeps(&format!(
        "HTTP/1.1 100 X\r\nConnection: close\r\n\r\n{OK}{end}"
    )));
    assert!(!keeps(&format!("HTTP/1.0 100 X\r\n\r\n{OK}{end}")));
    let mut reader = reader(Method::Get);
    reader
        .feed(format!("{OK}Content-Length: 1\r\n\r\n").as_bytes())
        .expect("sound");
    assert!(!reader.may_keep_alive(), "not complete");
}

#[test]
fn nothing_outlives_a_response() {
    let mut reader = ResponseReader::new(SMALL);
    assert_eq!(
        reader.feed(b"H"),
        Err(error(HttpRule::Unsolicited, 0)),
        "not asked yet"
    );
    assert!(!reader.has_begun());
    let interim = "HTTP/1.1 100 X\r\nConnection: close\r\n\r\n".repeat(2);
    let chunked = format!(
        "{interim}{OK}Transfer-Encoding: chunked\r\n\r\n1;abcdefghijk\r\na\r\n0;abc\r\n\r\n"
    );
    let length = format!("{OK}A: b\r\nContent-Length: 2\r\n\r\nok");
    for _ in 0..2 {
        reader.begin(Expect::framed(Method::Get));
        assert!(!reader.has_begun() && !reader.is_complete());
        assert_eq!(
            (reader.status(), reader.bytes_taken(), reader.body()),
            (0, 0, &b""[..])
        );
        assert_eq!(reader.feed(chunked.as_bytes()), Ok((chunked.len(), true)));
        assert_eq!((reader.body(), reader.may_keep_alive()), (&b"a"[..], false));
        reader.begin(Expect::framed(Method::Get));
        assert_eq!(reader.feed(length.as_bytes()), Ok((length.len(), true)));
        assert_eq!((reader.body(), reader.may_keep_alive()), (&b"ok"[..], true));
        assert_eq!(reader.head().value("a"), Some(&b"b"[..]));
        reader.begin(Expect::framed(Method::Get));
        assert!(reader.feed(b"ICY").is_err());
        reader.begin(Expect::framed(Method::Get));
        reader
            .feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a")
            .expect("sound");
    }
}
