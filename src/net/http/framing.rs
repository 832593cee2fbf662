//! Where a response ends: its framing, read from its head (RFC 9112, section 6.3).
//!
//! Runs on: any thread.
//! Owns: the rules of Transfer-Encoding, Content-Length, Content-Encoding and Connection, and their order.
//! Never: guesses: two readings of a head are an error.

use crate::net::error::HttpRule;
use crate::net::http::head::Head;
use crate::net::http::request::{Expect, Method};

/// How a body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// There is none.
    None,
    /// After so many bytes.
    Length(usize),
    /// By the chunked coding.
    Chunked,
    /// With the connection.
    Close,
}

/// What a head says about framing, from one pass over its fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Survey {
    transfer_encodings: usize,
    is_chunked: bool,
    content_length: Option<Result<u64, HttpRule>>,
    is_coded: bool,
    /// A `close` token in Connection.
    pub closes: bool,
}

impl Survey {
    pub(super) fn of(head: &Head) -> Self {
        let mut survey = Self {
            transfer_encodings: 0,
            is_chunked: false,
            content_length: None,
            is_coded: false,
            closes: false,
        };
        for (name, value) in head.octets() {
            // The length tells most names apart before a byte is compared.
            match name.len() {
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    survey.closes |= members(value).any(|option| is(option, b"close"));
                }
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    survey.content_length = Some(agree(survey.content_length, value));
                }
                16 if name.eq_ignore_ascii_case(b"content-encoding") => {
                    let is_other = |coding: &[u8]| !coding.is_empty() && !is(coding, b"identity");
                    survey.is_coded |= members(value).any(is_other);
                }
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    survey.transfer_encodings += 1;
                    survey.is_chunked = is(value, b"chunked");
                }
                _ => {}
            }
        }
        survey
    }

    /// The framing of a final response. A response without a body has its framing fields checked all the same, but
    /// not against limits: they tell of the body that a GET would have had.
    ///
    /// # Errors
    /// The rule broken.
    pub(super) fn framing(
        &self,
        head: &Head,
        expect: Expect,
        body_limit: usize,
    ) -> Result<Framing, HttpRule> {
        let has_body = expect.method != Method::Head && !matches!(head.status(), 204 | 304);
        let framing = if self.transfer_encodings > 0 {
            self.transfer_encoding(head)?
        } else {
            match self.content_length.transpose()? {
                _ if !has_body => Framing::None,
                Some(length) if length > body_limit as u64 => return Err(HttpRule::BodyTooLong),
                Some(length) => Framing::Length(length as usize),
                None if expect.close_delimited => Framing::Close,
                None => return Err(HttpRule::CloseDelimited),
            }
        };
        if !has_body {
            return Ok(Framing::None);
        }
        if self.is_coded {
            return Err(HttpRule::ContentCoding);
        }
        Ok(framing)
    }

    fn transfer_encoding(&self, head: &Head) -> Result<Framing, HttpRule> {
        if self.content_length.is_some() {
            Err(HttpRule::BothFramings)
        } else if head.minor_version() == 0 {
            Err(HttpRule::TransferEncodingVersion)
        } else if self.transfer_encodings == 1 && self.is_chunked {
            Ok(Framing::Chunked)
        } else {
            Err(HttpRule::TransferEncoding)
        }
    }
}

fn is(member: &[u8], name: &[u8]) -> bool {
    member.eq_ignore_ascii_case(name)
}

/// Members of a comma-separated list, empty ones too, without the optional white space around them. (What is trimmed
/// beside space and tab is in no value that the head let pass.)
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// One more Content-Length field; it must say what those before it said.
fn agree(before: Option<Result<u64, HttpRule>>, value: &[u8]) -> Result<u64, HttpRule> {
    let mut agreed = before.transpose()?;
    for member in members(value) {
        let length = digits(member).ok_or(HttpRule::ContentLength)?;
        if agreed.is_some_and(|agreed| agreed != length) {
            return Err(HttpRule::ContentLengthsDiffer);
        }
        agreed = Some(length);
    }
    // `split` gives at least one member.
    agreed.ok_or(HttpRule::ContentLength)
}

/// `1*DIGIT` below 2^63.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        let number = number.checked_mul(10)?.checked_add(digit)?;
        (number <= i64::MAX as u64).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::limits::HttpLimits;

    fn framing(method: Method, start: &str, fields: &str) -> Result<Framing, HttpRule> {
        let text = format!("HTTP/{start}\r\n{fields}\r\n");
        let mut head = Head::new(HttpLimits::DEFAULT);
        assert_eq!(
            head.feed(text.as_bytes()),
            Ok((text.len(), true)),
            "{text:?}"
        );
        Survey::of(&head).framing(&head, Expect::framed(method), 1_000)
    }

    fn of_get(fields: &str) -> Result<Framing, HttpRule> {
        framing(Method::Get, "1.1 200 OK", fields)
    }

    #[test]
    fn lengths_are_digits_that_agree() {
        for (fields, length) in [
            ("Content-Length: 5\r\n", 5),
            ("content-length:5\r\n", 5),
            ("CONTENT-LENGTH: \t 5 \t \r\n", 5),
            ("Content-Length: 0\r\n", 0),
            ("Content-Length: 005\r\n", 5),
            ("Content-Length: 5, 5\r\n", 5),
            ("Content-Length: 5,5 ,\t5\r\n", 5),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", 5),
            ("Content-Length: 5\r\nA: b\r\nContent-Length: 5, 5\r\n", 5),
            ("Content-Length: 1000\r\n", 1_000),
            ("Content-Length: 0000000000000000000000000000001\r\n", 1),
        ] {
            assert_eq!(of_get(fields), Ok(Framing::Length(length)), "{fields:?}");
        }
        for value in [
            "+5",
            "-5",
            "",
            " ",
            "5.0",
            "0x5",
            "5a",
            "5 5",
            "5;",
            "\"5\"",
            "5,",
            ",5",
            "5,,5",
            "5,x",
            "x,5",
            "9223372036854775808",
            "18446744073709551621",
            "\u{0665}",
        ] {
            let fields = format!("Content-Length: {value}\r\n");
            assert_eq!(of_get(&fields), Err(HttpRule::ContentLength), "{value:?}");
            let twice = format!("Content-Length: 5\r\n{fields}");
            assert_eq!(of_get(&twice), Err(HttpRule::ContentLength), "{value:?}");
        }
        for fields in [
            "Content-Length: 5, 6\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nContent-Length: 5, 6\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\nContent-Length: 5\r\n",
        ] {
            assert_eq!(
                of_get(fields),
                Err(HttpRule::ContentLengthsDiffer),
                "{fields:?}"
            );
        }
        for value in ["1001", "9223372036854775807"] {
            let fields = format!("Content-Length: {value}\r\n");
            assert_eq!(of_get(&fields), Err(HttpRule::BodyTooLong), "{value}");
        }
    }

    #[test]
    fn transfer_encoding_is_exactly_one_chunked() {
        for value in ["chunked", "Chunked", "CHUNKED", " chunked\t"] {
            let fields = format!("Transfer-Encoding: {value}\r\n");
            assert_eq!(of_get(&fields), Ok(Framing::Chunked), "{value:?}");
        }
        for fields in [
            "Transfer-Encoding:\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked,\r\n",
            "Transfer-Encoding: ,chunked\r\n",
            "Transfer-Encoding: chunked;a=b\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: \r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: \r\n",
        ] {
            assert_eq!(
                of_get(fields),
                Err(HttpRule::TransferEncoding),
                "{fields:?}"
            );
        }
    }

    #[test]
    fn the_first_rule_broken_is_the_one_that_is_named() {
        for fields in [
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: x\r\nTransfer-Encoding: gzip\r\nContent-Encoding: gzip\r\n",
        ] {
            assert_eq!(of_get(fields), Err(HttpRule::BothFramings), "{fields:?}");
            let old = framing(Method::Get, "1.0 200 OK", fields);
            assert_eq!(old, Err(HttpRule::BothFramings), "{fields:?}");
        }
        for value in ["chunked", "gzip"] {
            let fields = format!("Transfer-Encoding: {value}\r\n");
            let old = framing(Method::Get, "1.0 200 OK", &fields);
            assert_eq!(old, Err(HttpRule::TransferEncodingVersion), "{value}");
        }
    }

    #[test]
    fn answers_without_a_body_are_checked_but_have_none() {
        for (method, start) in [
            (Method::Head, "1.1 200 OK"),
            (Method::Get, "1.1 204 No Content"),
            (Method::Delete, "1.1 204 No Content"),
            (Method::Get, "1.1 304 Not Modified"),
        ] {
            for (fields, expected) in [
                ("", Ok(Framing::None)),
                ("Content-Length: 5\r\n", Ok(Framing::None)),
                ("Content-Length: 9223372036854775807\r\n", Ok(Framing::None)),
                ("Transfer-Encoding: chunked\r\n", Ok(Framing::None)),
                ("Content-Encoding: gzip\r\n", Ok(Framing::None)),
                ("Content-Length: +5\r\n", Err(HttpRule::ContentLength)),
                (
                    "Content-Length: 5, 6\r\n",
                    Err(HttpRule::ContentLengthsDiffer),
                ),
                (
                    "Transfer-Encoding: gzip\r\n",
                    Err(HttpRule::TransferEncoding),
                ),
                (
                    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                    Err(HttpRule::BothFramings),
                ),
            ] {
                assert_eq!(
                    framing(method, start, fields),
                    expected,
                    "{start} {fields:?}"
                );
            }
        }
    }

    #[test]
    fn an_answer_that_does_not_say_where_it_ends_needs_leave() {
        assert_eq!(of_get("A: b\r\n"), Err(HttpRule::CloseDelimited));
        let mut head = Head::new(HttpLimits::DEFAULT);
        head.feed(b"HTTP/1.0 200 OK\r\n\r\n").expect("sound");
        let expect = Expect {
            method: Method::Get,
            close_delimited: true,
        };
        let framing = Survey::of(&head).framing(&head, expect, 1_000);
        assert_eq!(framing, Ok(Framing::Close));
    }

    #[test]
    fn content_codings_other_than_none_are_refused() {
        let with = |fields: &str| of_get(&format!("Content-Length: 5\r\n{fields}"));
        for fields in [
            "Content-Encoding: identity\r\n",
            "Content-Encoding: Identity, identity\r\n",
            "Content-Encoding:\r\n",
            "Content-Encoding: ,\r\n",
            "Content-Encodings: gzip\r\n",
        ] {
            assert_eq!(with(fields), Ok(Framing::Length(5)), "{fields:?}");
        }
        for fields in [
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: identity, br\r\n",
            "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
            "Content-Encoding: gzip\r\nContent-Encoding: identity\r\n",
        ] {
            assert_eq!(with(fields), Err(HttpRule::ContentCoding), "{fields:?}");
        }
    }

    #[test]
    fn a_close_token_is_found_in_every_list() {
        let closes = |fields: &str| {
            let mut head = Head::new(HttpLimits::DEFAULT);
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            head.feed(text.as_bytes()).expect("sound");
            Survey::of(&head).closes
        };
        for fields in [
            "Connection: close\r\n",
            "connection: Close\r\n",
            "Connection: keep-alive,\tCLOSE \r\n",
            "Connection: keep-alive\r\nConnection: close\r\n",
            "Connection: close\r\nConnection: keep-alive\r\n",
        ] {
            assert!(closes(fields), "{fields:?}");
        }
        for fields in [
            "",
            "Connection: keep-alive\r\n",
            "Connection: closed\r\n",
            "Connecting: close\r\n",
        ] {
            assert!(!closes(fields), "{fields:?}");
        }
    }
}
