//! The chunked coding is read strictly, to the byte of every limit, however it is split.
//!
//! Runs on: tests.
//! Owns: tables of sound and malformed codings, and the comparison with the naive twin.
//! Never: looks at heads.

use proptest::prelude::*;
use shrike::net::http::ChunkDecoder;
use shrike::net::{HttpError, HttpLimits, HttpRule};

use crate::chunk_twin::{Ended, decode};
use crate::input::{SMALL, error, mutate, mutations, pieces, splits};

/// The decoder, fed piece by piece; pieces behind the end are not fed.
fn run<'a>(limits: &HttpLimits, pieces: impl Iterator<Item = &'a [u8]>) -> (Ended, Vec<u8>) {
    let mut decoder = ChunkDecoder::new(limits);
    let mut body = Vec::new();
    let mut consumed = 0;
    for piece in pieces {
        match decoder.feed(piece, &mut body) {
            Ok((taken, is_done)) => {
                consumed += taken;
                if is_done {
                    return (Ended::Complete(consumed), body);
                }
                assert_eq!(taken, piece.len(), "all is taken until the end");
            }
            Err(error) => {
                assert_eq!(decoder.feed(b"0", &mut body), Err(error), "an error stays");
                return (Ended::Broken(error), body);
            }
        }
    }
    (Ended::Partial, body)
}

fn whole(text: &[u8]) -> (Ended, Vec<u8>) {
    run(&HttpLimits::DEFAULT, std::iter::once(text))
}

fn broken(text: &str) -> Option<HttpError> {
    match whole(text.as_bytes()).0 {
        Ended::Broken(error) => Some(error),
        _ => None,
    }
}

#[test]
fn sound_codings_give_their_data_and_leave_what_follows() {
    for (text, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        (
            "000000000000005\r\nhello\r\n000000000000000\r\n\r\n",
            "hello",
        ),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("3;a\r\nabc\r\n0;b\r\n\r\n", "abc"),
        (
            "3;a=b;c=\"d e\\\"\\\\;\t\u{e9}\";f\r\nabc\r\n0\r\n\r\n",
            "abc",
        ),
        ("3;a=\"\"\r\nabc\r\n0\r\n\r\n", "abc"),
        ("0\r\nA: b\r\nC:\r\nd:\t e f \r\n\r\n", ""),
        ("0\r\nServer-Timing: x\r\nHosts: y\r\n\r\n", ""),
    ] {
        let with_more = format!("{text}HTTP/1.1 200 OK\r\n");
        let expected = (Ended::Complete(text.len()), body.as_bytes().to_vec());
        assert_eq!(whole(with_more.as_bytes()), expected, "{text:?}");
        let single = run(&HttpLimits::DEFAULT, with_more.as_bytes().chunks(1));
        assert_eq!(single, expected, "{text:?}");
    }
}

#[test]
fn sizes_are_hexadecimal_digits_only() {
    for (text, at) in [
        ("\r\n", 0),
        ("\n", 0),
        (";a\r\n", 0),
        ("+5\r\nhello\r\n", 0),
        ("-5\r\n", 0),
        (" 5\r\n", 0),
        ("\t5\r\n", 0),
        ("g\r\n", 0),
        ("\u{ff15}\r\n", 0),
        ("5 \r\n", 1),
        ("5\t\r\n", 1),
        ("5 ;a\r\n", 1),
        ("0x5\r\nhello\r\n", 1),
        ("5.0\r\nhello\r\n", 1),
        ("5_0\r\n", 1),
        ("5h\r\n", 1),
        ("5\0\r\n", 1),
        ("0000000000000005\r\nhello\r\n", 15),
        ("fffffffffffffffff\r\n", 15),
        ("2\r\nab\r\n+0\r\n\r\n", 7),
        ("2\r\nab\r\n\r\n", 7),
    ] {
        assert_eq!(
            broken(text),
            Some(error(HttpRule::ChunkSize, at)),
            "{text:?}"
        );
    }
}

#[test]
fn lines_end_with_both_carriage_return_and_line_feed() {
    for (text, rule, at) in [
        ("5\nhello\r\n", HttpRule::BareLineFeed, 1),
        ("5;a\nhello\r\n", HttpRule::BareLineFeed, 3),
        ("5;\nhello\r\n", HttpRule::BareLineFeed, 2),
        ("5;a=\"\n\"\r\n", HttpRule::BareLineFeed, 5),
        ("5\rhello\r\n", HttpRule::BareCarriageReturn, 2),
        ("5\r\r\nhello\r\n", HttpRule::BareCarriageReturn, 2),
        ("5;a\rb\r\nhello\r\n", HttpRule::BareCarriageReturn, 4),
        ("0\r\n\n", HttpRule::BareLineFeed, 3),
        ("0\r\n\r\r", HttpRule::BareCarriageReturn, 4),
        ("0\r\n\rHTTP", HttpRule::BareCarriageReturn, 4),
        ("0\r\nA: b\n\r\n", HttpRule::BareLineFeed, 7),
        ("0\r\nA\n\r\n", HttpRule::BareLineFeed, 4),
        ("0\r\nA: b\rC: d\r\n", HttpRule::BareCarriageReturn, 8),
    ] {
        assert_eq!(broken(text), Some(error(rule, at)), "{text:?}");
    }
}

#[test]
fn data_ends_with_exactly_one_line_end() {
    for (text, at) in [
        ("5\r\nhello0\r\n\r\n", 8),
        ("5\r\nhello\n0\r\n\r\n", 8),
        ("5\r\nhello!\r\n0\r\n\r\n", 8),
        ("5\r\nhello\r0\r\n\r\n", 9),
        ("5\r\nhello\r\r\n0\r\n\r\n", 9),
    ] {
        assert_eq!(
            broken(text),
            Some(error(HttpRule::ChunkEnd, at)),
            "{text:?}"
        );
    }
}

#[test]
fn extensions_follow_their_grammar_at_every_octet() {
    for (text, at) in [
        ("5;\r\n", 2),
        ("5;;a\r\n", 2),
        ("5; a\r\n", 2),
        ("5;a \r\n", 3),
        ("5;a =b\r\n", 3),
        ("5;a= b\r\n", 4),
        ("5;a=\r\n", 4),
        ("5;a=;b\r\n", 4),
        ("5;=b\r\n", 2),
        ("5;a=b=c\r\n", 5),
        ("5;a=b\"c\"\r\n", 5),
        ("5;a\"b\"\r\n", 3),
        ("5;\"a\"\r\n", 2),
        ("5;a=\"b\"c\r\n", 7),
        ("5;a=\"b\r\n", 6),
        ("5;a=\"b\\\r\n", 7),
        ("5;a=\"\0\"\r\n", 5),
        ("5;a=\"\\\0\"\r\n", 6),
        ("5;a=\"\u{7f}\"\r\n", 5),
        ("5;a\0\r\n", 3),
        ("5;a=\0\r\n", 4),
        ("5;a=b\0\r\n", 5),
        ("5;\u{e9}\r\n", 2),
        ("5;a=\u{e9}\r\n", 4),
        ("5;a,b\r\n", 3),
        ("5;a\u{b}\r\n", 3),
    ] {
        let expected = Some(error(HttpRule::ChunkExtension, at));
        assert_eq!(broken(text), expected, "{text:?}");
    }
}

#[test]
fn extensions_are_limited_by_chunk_and_by_body_to_the_byte() {
    // `;` and the name are 256 bytes.
    let chunk = |bytes: usize| format!("1;{}\r\nx\r\n", "a".repeat(bytes - 1));
    let end = "0\r\n\r\n";
    let at_limit = format!("{}{end}", chunk(256));
    assert_eq!(
        whole(at_limit.as_bytes()).0,
        Ended::Complete(at_limit.len())
    );
    let beyond = Some(error(HttpRule::ChunkExtensionsTooLong, 1 + 256));
    assert_eq!(broken(&chunk(257)), beyond);
    // The line end may be missing: the limit needs no whole line.
    assert_eq!(broken(&format!("1;{}", "a".repeat(256))), beyond);

    let full = chunk(256).repeat(16);
    let at_limit = format!("{full}{end}");
    assert_eq!(
        whole(at_limit.as_bytes()).0,
        Ended::Complete(at_limit.len())
    );
    let beyond = Some(error(HttpRule::ChunkExtensionsTooLong, full.len() + 1));
    assert_eq!(broken(&format!("{full}0;")), beyond);
}

#[test]
fn trailers_are_fields_and_are_dropped() {
    for (text, rule, at) in [
        ("0\r\n: b\r\n\r\n", HttpRule::Trailer, 3),
        ("0\r\nA : b\r\n\r\n", HttpRule::Trailer, 4),
        ("0\r\nA\r\n\r\n", HttpRule::Trailer, 4),
        ("0\r\n\u{e9}: b\r\n\r\n", HttpRule::Trailer, 3),
        ("0\r\nA(: b\r\n\r\n", HttpRule::Trailer, 4),
        ("0\r\n\0: b\r\n\r\n", HttpRule::Trailer, 3),
        ("0\r\nA: \0\r\n\r\n", HttpRule::Trailer, 6),
        ("0\r\nA: \u{7f}\r\n\r\n", HttpRule::Trailer, 6),
        ("0\r\nA: \u{1b}\r\n\r\n", HttpRule::Trailer, 6),
        ("0\r\nA: b\r\n c\r\n\r\n", HttpRule::ObsFold, 9),
        ("0\r\nA: b\r\n\tc\r\n\r\n", HttpRule::ObsFold, 9),
        ("0\r\n A: b\r\n\r\n", HttpRule::ObsFold, 3),
        ("0\r\n5\r\nhello\r\n", HttpRule::Trailer, 4),
    ] {
        assert_eq!(broken(text), Some(error(rule, at)), "{text:?}");
    }
}

#[test]
fn fields_that_would_change_what_was_acted_on_are_refused_as_trailers() {
    for name in [
        "Transfer-Encoding",
        "Content-Length",
        "Host",
        "Trailer",
        "Content-Encoding",
        "Content-Type",
        "Content-Range",
        "Authorization",
        "Proxy-Authorization",
        "WWW-Authenticate",
        "Set-Cookie",
        "Cookie",
        "Connection",
        "Keep-Alive",
        "Upgrade",
        "TE",
        "Cache-Control",
        "Expect",
        "Retry-After",
        "Location",
        "If-Unmodified-Since",
        "Proxy-Authenticate",
    ] {
        for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            let expected = Some(error(HttpRule::Trailer, 3 + name.len()));
            assert_eq!(
                broken(&format!("0\r\n{name}: x\r\n\r\n")),
                expected,
                "{name}"
            );
            // The name as a beginning of another is another.
            for other in [
                format!("{name}s"),
                format!("x{name}"),
                format!("{name}-more-of-it"),
            ] {
                let text = format!("0\r\n{other}: x\r\n\r\n");
                assert_eq!(
                    whole(text.as_bytes()).0,
                    Ended::Complete(text.len()),
                    "{other}"
                );
            }
        }
    }
}

#[test]
fn trailers_are_limited_in_bytes_and_in_fields() {
    // Name, colon, value and line end are 8 KiB together; the last line end is not counted.
    let trailer = |bytes: usize| format!("0\r\na:{}\r\n\r\n", "x".repeat(bytes - 4));
    let at_limit = trailer(8 << 10);
    assert_eq!(
        whole(at_limit.as_bytes()).0,
        Ended::Complete(at_limit.len())
    );
    let beyond = Some(error(HttpRule::TrailersTooLong, 3 + (8 << 10)));
    assert_eq!(broken(&trailer((8 << 10) + 1)), beyond);
    assert_eq!(broken(&format!("0\r\n{}", "x".repeat(9_000))), beyond);
    let two = format!("0\r\n{}\r\n", "a:x\r\n".repeat(100));
    assert_eq!(whole(two.as_bytes()).0, Ended::Complete(two.len()));
    let beyond = Some(error(HttpRule::TooManyFields, 3 + 500));
    assert_eq!(
        broken(&format!("0\r\n{}\r\n", "a:x\r\n".repeat(101))),
        beyond
    );
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_its_data() {
    let limits = HttpLimits {
        body_bytes: 8,
        ..HttpLimits::DEFAULT
    };
    let run = |text: &str| run(&limits, std::iter::once(text.as_bytes()));
    let text = "5\r\nhello\r\n3\r\n123\r\n0\r\n\r\n";
    assert_eq!(
        run(text),
        (Ended::Complete(text.len()), b"hello123".to_vec())
    );
    let beyond = |at| Ended::Broken(error(HttpRule::BodyTooLong, at));
    assert_eq!(run("5\r\nhello\r\n4\r"), (beyond(11), b"hello".to_vec()));
    assert_eq!(run("5\r\nhello\r\n4;"), (beyond(11), b"hello".to_vec()));
    assert_eq!(run("9\r\n"), (beyond(1), Vec::new()));
    assert_eq!(run("fffffffffffffff\r\n"), (beyond(15), Vec::new()));
    let full = "8\r\n01234567\r\n";
    assert_eq!(run(&format!("{full}1\r\n")).0, beyond(full.len() + 1));
    assert_eq!(
        run(&format!("{full}fffffffffffffff\r\n")).0,
        beyond(full.len() + 15)
    );
}

#[test]
fn a_coding_without_its_last_line_end_is_not_complete() {
    let text = "5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(whole(&text.as_bytes()[..end]).0, Ended::Partial, "{end}");
    }
    assert_eq!(whole(text.as_bytes()).0, Ended::Complete(text.len()));
}

#[test]
fn a_decoder_is_new_after_a_reset() {
    let mut decoder = ChunkDecoder::new(&SMALL);
    let mut body = Vec::new();
    let text = b"3;abcdefgh\r\nabc\r\n2f\r\n";
    let first = decoder.feed(text, &mut body);
    assert_eq!(first, Err(error(HttpRule::BodyTooLong, 19)));
    decoder.reset();
    body.clear();
    let text = b"3;abcdefgh=\r\n";
    let second = decoder.feed(text, &mut body);
    assert_eq!(second, Err(error(HttpRule::ChunkExtension, 11)));
    decoder.reset();
    let text = b"3;abcdefg\r\nabc\r\n3;abcdefg\r\nabc\r\n0\r\na: b\r\n\r\n";
    for _ in 0..3 {
        assert_eq!(decoder.feed(text, &mut body), Ok((text.len(), true)));
        assert_eq!(
            decoder.feed(text, &mut body),
            Ok((0, true)),
            "nothing behind the end"
        );
        decoder.reset();
    }
    assert_eq!(body, b"abcabc".repeat(3));
}

/// A coding that is sound but for its limits.
fn coding() -> impl Strategy<Value = Vec<u8>> {
    let extension =
        prop::sample::select(vec!["", "", "", ";a", ";a=b", ";a=\"b \\\"\"", ";a;bc=d"]);
    let chunk = (prop::collection::vec(any::<u8>(), 1..20), extension.clone());
    let trailer = prop::sample::select(vec![
        "A: b\r\n",
        "ETag: \"x\"\r\n",
        "c:\r\n",
        "Host: d\r\n",
        "TE:\r\n",
        "content-length: 5\r\n",
    ]);
    let chunks = prop::collection::vec(chunk, 0..5);
    let trailers = prop::collection::vec(trailer, 0..4);
    (chunks, extension, trailers, any::<bool>()).prop_map(|(chunks, last, trailers, is_upper)| {
        let mut text = Vec::new();
        for (data, extension) in chunks {
            let size = if is_upper {
                format!("{:X}{extension}\r\n", data.len())
            } else {
                format!("{:03x}{extension}\r\n", data.len())
            };
            text.extend_from_slice(size.as_bytes());
            text.extend_from_slice(&data);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(format!("0{last}\r\n{}\r\n", trailers.concat()).as_bytes());
        text
    })
}

/// Nothing but the marks of the coding.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "0", "1", "2", "a", "\r\n", "\r\n", "\r", "\n", ";", "=", "\"", "\\", ":", " ", "Host",
        "x", "\0",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_split_of_any_coding_gives_what_the_naive_twin_gives(
        mut text in prop_oneof![3 => coding(), 1 => soup()],
        damage in mutations(),
        cuts in splits(),
        is_small in any::<bool>(),
    ) {
        mutate(&mut text, &damage);
        let limits = if is_small { SMALL } else { HttpLimits::DEFAULT };
        let expected = decode(&limits, &text);
        prop_assert_eq!(&run(&limits, std::iter::once(&text[..])), &expected);
        prop_assert_eq!(&run(&limits, pieces(&text, &cuts)), &expected);
    }
}
