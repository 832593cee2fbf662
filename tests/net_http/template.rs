//! Requests are rendered as one piece, and no caller's text becomes framing.
//!
//! Runs on: tests.
//! Owns: what is rendered, every refusal, and the silence about secrets.
//! Never: reads a response.

use proptest::prelude::*;
use shrike::net::http::{EncodeError, Method, Template, TemplateBuilder, TemplateError};

fn builder() -> TemplateBuilder {
    Template::builder(Method::Post, "api.example.com", "/v2/orders")
}

fn encode(template: &Template, suffix: &str, body: &[u8]) -> Result<String, EncodeError> {
    let mut out = b"before".to_vec();
    let result = template.encode(suffix, body, &mut out);
    let text = String::from_utf8(out).expect("text");
    let text = text.strip_prefix("before").expect("what was there stays");
    match result {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => {
            assert_eq!(text, "", "nothing is appended with an error");
            Err(error)
        }
    }
}

#[test]
fn head_and_body_are_rendered_as_one_piece() {
    let template = builder()
        .field("APCA-API-KEY-ID", "key")
        .field("Cookie", "a=b; c=d")
        .field("X-Empty", "")
        .with_body()
        .build()
        .expect("sound");
    let head = "POST /v2/orders HTTP/1.1\r\nHost: api.example.com\r\nAPCA-API-KEY-ID: key\r\n\
        Cookie: a=b; c=d\r\nX-Empty: \r\nContent-Length:";
    let text = encode(&template, "", b"{\"qty\":\"1\"}").expect("sound");
    assert_eq!(text, format!("{head}       11\r\n\r\n{{\"qty\":\"1\"}}"));
    let text = encode(&template, "", b"").expect("sound");
    assert_eq!(text, format!("{head}        0\r\n\r\n"));
    assert_eq!(text.len(), template.head_bytes());
    let text = encode(&template, "", &[b'x'; 1_234_567]).expect("sound");
    assert!(text.starts_with(&format!("{head}  1234567\r\n\r\nxxx")));
}

#[test]
fn a_suffix_continues_the_target() {
    let template = Template::builder(Method::Delete, "[::1]:8080", "/v2/orders/")
        .with_suffix()
        .build()
        .expect("sound");
    let rest = " HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n";
    for suffix in ["", "abc-1", "?status=open&limit=5", "a/b%20c?d"] {
        let expected = Ok(format!("DELETE /v2/orders/{suffix}{rest}"));
        assert_eq!(encode(&template, suffix, b""), expected);
    }
    let both = Template::builder(Method::Patch, "h", "/o/")
        .with_suffix()
        .with_body()
        .build()
        .expect("sound");
    assert_eq!(
        encode(&both, "17", b"abc").as_deref(),
        Ok("PATCH /o/17 HTTP/1.1\r\nHost: h\r\nContent-Length:        3\r\n\r\nabc")
    );
    assert_eq!(
        (both.method(), template.method()),
        (Method::Patch, Method::Delete)
    );
}

#[test]
fn a_method_that_anticipates_content_says_that_there_is_none() {
    for (method, length) in [
        (Method::Get, ""),
        (Method::Head, ""),
        (Method::Delete, ""),
        (Method::Post, "Content-Length: 0\r\n"),
        (Method::Patch, "Content-Length: 0\r\n"),
    ] {
        let template = Template::builder(method, "h", "/").build().expect("sound");
        let expected = format!("{method} / HTTP/1.1\r\nHost: h\r\n{length}\r\n");
        assert_eq!(encode(&template, "", b""), Ok(expected));
    }
}

#[test]
fn what_a_template_does_not_take_is_refused() {
    let plain = builder().build().expect("sound");
    assert_eq!(encode(&plain, "", b"x"), Err(EncodeError::BodyNotTaken));
    assert_eq!(encode(&plain, "x", b""), Err(EncodeError::SuffixNotTaken));
    let open = builder().with_suffix().with_body().build().expect("sound");
    for (suffix, at) in [
        ("a b", 1),
        (" ", 0),
        ("a\r\nHost: evil", 1),
        ("ab\n", 2),
        ("\0", 0),
        ("a#b", 1),
        ("a\tb", 1),
        ("a\u{7f}", 1),
        ("caf\u{e9}", 3),
    ] {
        assert_eq!(
            encode(&open, suffix, b""),
            Err(EncodeError::Suffix { at }),
            "{suffix:?}"
        );
    }
    let most = 99_999_999;
    let bytes = vec![b'x'; most + 1];
    assert_eq!(
        encode(&open, "", &bytes),
        Err(EncodeError::BodyTooLong { bytes: most + 1 })
    );
    let text = encode(&open, "", &bytes[..most]).expect("at the limit");
    assert!(text.contains("\r\nContent-Length: 99999999\r\n\r\nx"));
}

#[test]
fn hosts_targets_and_fields_are_checked_when_built() {
    let refusal = |builder: TemplateBuilder| builder.build().map(|_| ()).expect_err("refused");
    let host = |host| refusal(Template::builder(Method::Get, host, "/"));
    assert_eq!(host(""), TemplateError::NoHost);
    for (text, at) in [
        ("a b", 1),
        ("a\r\nb", 1),
        ("user@h", 4),
        ("h/", 1),
        ("h\0", 1),
        ("\u{e9}", 0),
    ] {
        assert_eq!(host(text), TemplateError::Host { at }, "{text:?}");
    }
    let target = |target| refusal(Template::builder(Method::Get, "h", target));
    for text in ["", "v2/orders", "http://h/", "*", " /"] {
        assert_eq!(target(text), TemplateError::NoSlash, "{text:?}");
    }
    for (text, at) in [
        ("/a b", 2),
        ("/\r\n", 1),
        ("/#", 1),
        ("/a\0", 2),
        ("/\u{e9}", 1),
        ("/\t", 1),
    ] {
        assert_eq!(target(text), TemplateError::Target { at }, "{text:?}");
    }
    let field = |name, value| refusal(builder().field("A", "b").field(name, value));
    for (name, at) in [
        ("", 0),
        ("a b", 1),
        ("a:", 1),
        ("a\r\nb", 1),
        ("\u{e9}", 0),
        (" a", 0),
    ] {
        let expected = TemplateError::FieldName { field: 1, at };
        assert_eq!(field(name, "x"), expected, "{name:?}");
    }
    for (value, at) in [
        ("a\r\nb", 1),
        ("a\n", 1),
        ("\r", 0),
        ("ab\0", 2),
        ("\u{7f}", 0),
        ("\u{a0}", 0),
    ] {
        let expected = TemplateError::FieldValue { field: 1, at };
        assert_eq!(field("x", value), expected, "{value:?}");
    }
    for name in [
        "Content-Length",
        "transfer-encoding",
        "CONNECTION",
        "Host",
        "Expect",
        "te",
        "Upgrade",
        "Trailer",
        "Keep-Alive",
        "Proxy-Connection",
    ] {
        assert_eq!(
            field(name, "x"),
            TemplateError::ReservedField { field: 1 },
            "{name}"
        );
    }
    assert!(builder().field("A\u{7e}", "b\t c").build().is_ok());
}

#[test]
fn secrets_do_not_show() {
    let builder = Template::builder(Method::Get, "api.example.com", "/v2?token=hidden-target")
        .field("Authorization", "Bearer hidden-value")
        .field("Cookie", "hidden-cookie");
    let template = builder.clone().build().expect("sound");
    for text in [
        format!("{builder:?}"),
        format!("{builder:#?}"),
        format!("{template:?}"),
        format!("{template:#?}"),
    ] {
        assert!(!text.contains("hidden"), "{text}");
        for part in ["Get", "api.example.com", "Authorization", "Cookie"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_accepted_has_one_request_line_its_fields_and_the_body(
        target in "/[ -~\r\n]{0,8}",
        suffix in "[!-~ \r\n]{0,8}",
        values in prop::collection::vec("[ -~\t\r\n\u{e9}]{0,8}", 0..4),
        body in prop::collection::vec(any::<u8>(), 0..1_200),
    ) {
        let mut builder = Template::builder(Method::Post, "h:1", &target)
            .with_suffix()
            .with_body();
        for value in &values {
            builder = builder.field("x", value);
        }
        let Ok(template) = builder.build() else { return Ok(()); };
        let mut out = Vec::new();
        if template.encode(&suffix, &body, &mut out).is_err() {
            return Ok(());
        }
        prop_assert!(out.ends_with(&body));
        let head = String::from_utf8(out[..out.len() - body.len()].to_vec()).expect("ASCII");
        let lines: Vec<&str> = head.split("\r\n").collect();
        prop_assert_eq!(lines.len(), 1 + 1 + values.len() + 1 + 2);
        let line: Vec<&str> = lines[0].split(' ').collect();
        let whole_target = format!("{target}{suffix}");
        prop_assert_eq!(line, ["POST", &whole_target, "HTTP/1.1"]);
        let length = lines[lines.len() - 3].strip_prefix("Content-Length:").expect("last");
        prop_assert_eq!(length.trim_start().parse::<usize>(), Ok(body.len()));
    }
}
