//! The opening handshake (RFC 6455, section 4.1).
//!
//! Runs on: any thread.
//! Owns: the request, the key it carries, and the judgement of the answer.
//! Never: makes a key, takes a byte behind the answer's head, or follows a redirect.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::net::error::{HttpError, HttpRule};
use crate::net::http::Head;
use crate::net::http::octets;
use crate::net::limits::HttpLimits;

/// What the key is hashed with (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Fields that the handshake writes itself, or that a request without a body must not have.
const OWN_FIELDS: [&str; 9] = [
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
];

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The rules of a handshake, by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum HandshakeRule {
    /// See [`HandshakeError::Http`].
    Http,
    /// See [`HandshakeError::Status`].
    Status,
    /// See [`HandshakeError::Version`].
    Version,
    /// See [`HandshakeError::Upgrade`].
    Upgrade,
    /// See [`HandshakeError::Connection`].
    Connection,
    /// See [`HandshakeError::AcceptKey`].
    AcceptKey,
    /// See [`HandshakeError::UnrequestedExtension`].
    UnrequestedExtension,
    /// See [`HandshakeError::UnrequestedProtocol`].
    UnrequestedProtocol,
    /// See [`HandshakeError::Host`].
    Host,
    /// See [`HandshakeError::Target`].
    Target,
    /// See [`HandshakeError::FieldName`].
    FieldName,
    /// See [`HandshakeError::FieldValue`].
    FieldValue,
    /// See [`HandshakeError::OwnField`].
    OwnField,
}

impl HandshakeRule {
    /// A stable name, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Status => "status",
            Self::Version => "version",
            Self::Upgrade => "upgrade",
            Self::Connection => "connection",
            Self::AcceptKey => "accept_key",
            Self::UnrequestedExtension => "unrequested_extension",
            Self::UnrequestedProtocol => "unrequested_protocol",
            Self::Host => "host",
            Self::Target => "target",
            Self::FieldName => "field_name",
            Self::FieldValue => "field_value",
            Self::OwnField => "own_field",
        }
    }
}

impl fmt::Display for HandshakeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no WebSocket connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The answer is not HTTP/1.1, or over a limit.
    #[error("handshake: {0}")]
    Http(#[from] HttpError),
    /// The server answered with another status than 101. [`Handshake::head`] has the rest of it.
    #[error("handshake answered with status {0}")]
    Status(u16),
    /// 101 in HTTP/1.0.
    #[error("handshake answered in HTTP/1.0")]
    Version,
    /// `Upgrade` does not have `websocket`.
    #[error("handshake answered without upgrade to websocket")]
    Upgrade,
    /// `Connection` does not have `upgrade`.
    #[error("handshake answered without connection upgrade")]
    Connection,
    /// `Sec-WebSocket-Accept` is missing, there twice, or not the answer to our key.
    #[error("handshake answered with a wrong or missing accept key")]
    AcceptKey,
    /// `Sec-WebSocket-Extensions`, where no extension was asked for.
    #[error("handshake answered with an extension that was not requested")]
    UnrequestedExtension,
    /// A `Sec-WebSocket-Protocol` that was not asked for, or more than one.
    #[error("handshake answered with a protocol that was not requested")]
    UnrequestedProtocol,
    /// The caller's host is empty or has an octet that no authority has.
    #[error("handshake refused: the host is not one")]
    Host,
    /// The caller's target does not begin with `/`, or has a space, a `#`, or an octet outside of visible ASCII.
    #[error("handshake refused: the target is not one")]
    Target,
    /// The name of a field of the caller's is not a token.
    #[error("handshake refused: the name of field {0} is not a token")]
    FieldName(usize),
    /// The value of a field of the caller's has a control character or is not ASCII; or it is a list of protocols with
    /// something else than distinct tokens.
    #[error("handshake refused: the value of field {0} has an octet that it must not have")]
    FieldValue(usize),
    /// A field of the caller's is one that the handshake writes itself.
    #[error("handshake refused: field {0} is the handshake's own")]
    OwnField(usize),
}

impl HandshakeError {
    /// The rule, without the values.
    #[must_use]
    pub const fn rule(&self) -> HandshakeRule {
        match self {
            Self::Http(_) => HandshakeRule::Http,
            Self::Status(_) => HandshakeRule::Status,
            Self::Version => HandshakeRule::Version,
            Self::Upgrade => HandshakeRule::Upgrade,
            Self::Connection => HandshakeRule::Connection,
            Self::AcceptKey => HandshakeRule::AcceptKey,
            Self::UnrequestedExtension => HandshakeRule::UnrequestedExtension,
            Self::UnrequestedProtocol => HandshakeRule::UnrequestedProtocol,
            Self::Host => HandshakeRule::Host,
            Self::Target => HandshakeRule::Target,
            Self::FieldName(_) => HandshakeRule::FieldName,
            Self::FieldValue(_) => HandshakeRule::FieldValue,
            Self::OwnField(_) => HandshakeRule::OwnField,
        }
    }
}

/// One opening handshake.
pub struct Handshake {
    request: Vec<u8>,
    accept: [u8; 28],
    protocols: Vec<String>,
    limits: HttpLimits,
    head: Head,
    /// Octets of the interim responses before this head.
    interim_bytes: u64,
    interim_responses: usize,
    outcome: Option<Result<(), HandshakeError>>,
}

impl Handshake {
    /// A request for `target` (path and query) of `host` (with the port, unless that is the scheme's own), with the
    /// caller's `fields` behind its own. `key` is 16 octets from a cryptographically strong source, new for each
    /// handshake. Protocols are asked for by a field `Sec-WebSocket-Protocol`.
    ///
    /// # Errors
    /// `Host`, `Target`, `FieldName`, `FieldValue` or `OwnField`, the latter with the field's index.
    pub fn new(
        host: &str,
        target: &str,
        fields: &[(&str, &str)],
        key: [u8; 16],
    ) -> Result<Self, HandshakeError> {
        if !is_all(host, octets::is_host) {
            return Err(HandshakeError::Host);
        }
        if !(target.starts_with('/') && is_all(target, octets::is_target)) {
            return Err(HandshakeError::Target);
        }
        let mut protocols = Vec::new();
        for (index, (name, value)) in fields.iter().enumerate() {
            check_field(index, name, value, &mut protocols)?;
        }
        let key = STANDARD.encode(key);
        let mut request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        );
        for (name, value) in fields {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        Ok(Self {
            request: request.into_bytes(),
            accept: accept_key(key.as_bytes()),
            protocols,
            limits: HttpLimits::DEFAULT,
            head: Head::new(HttpLimits::DEFAULT),
            interim_bytes: 0,
            interim_responses: 0,
            outcome: None,
        })
    }

    /// The bytes to write.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Takes bytes of the answer up to the end of its head; says how many, and whether the connection is a WebSocket
    /// connection now. The bytes behind those taken are its first frames. Interim (1xx) responses are skipped.
    ///
    /// # Errors
    /// What is wrong with the answer; the same again from then on.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), HandshakeError> {
        let mut taken = 0;
        while self.outcome.is_none() && taken < bytes.len() {
            let (length, is_complete) = match self.head.feed(&bytes[taken..]) {
                Ok(fed) => fed,
                Err(error) => {
                    let offset = self.interim_bytes + error.offset;
                    let error = HttpError::new(error.rule, offset);
                    return self.end(taken, Err(HandshakeError::Http(error)));
                }
            };
            taken += length;
            if !is_complete {
                break;
            }
            match self.head.status() {
                101 => {
                    let judgement = self.judge();
                    return self.end(taken, judgement);
                }
                100..=199 => {
                    if self.interim_responses == self.limits.interim_responses {
                        let error = HttpError::new(HttpRule::TooManyInterim, self.interim_bytes);
                        return self.end(taken, Err(HandshakeError::Http(error)));
                    }
                    self.interim_responses += 1;
                    self.interim_bytes += self.head.len() as u64;
                    self.head.clear();
                }
                status => return self.end(taken, Err(HandshakeError::Status(status))),
            }
        }
        match self.outcome {
            None => Ok((taken, false)),
            Some(outcome) => outcome.map(|()| (taken, true)),
        }
    }

    fn end(
        &mut self,
        taken: usize,
        outcome: Result<(), HandshakeError>,
    ) -> Result<(usize, bool), HandshakeError> {
        self.outcome = Some(outcome);
        outcome.map(|()| (taken, true))
    }

    /// Judges a head of status 101.
    fn judge(&self) -> Result<(), HandshakeError> {
        let head = &self.head;
        let has = |name, token: &[u8]| {
            let mut list = head.list(name);
            list.any(|member| member.eq_ignore_ascii_case(token))
        };
        if head.minor_version() == 0 {
            return Err(HandshakeError::Version);
        }
        if !has("Upgrade", b"websocket") {
            return Err(HandshakeError::Upgrade);
        }
        if !has("Connection", b"upgrade") {
            return Err(HandshakeError::Connection);
        }
        let mut accepts = head.values("Sec-WebSocket-Accept");
        if accepts.next() != Some(&self.accept) || accepts.next().is_some() {
            return Err(HandshakeError::AcceptKey);
        }
        // Even an empty list: its grammar wants a member.
        if head.value("Sec-WebSocket-Extensions").is_some() {
            return Err(HandshakeError::UnrequestedExtension);
        }
        let mut chosen = head.values(PROTOCOL);
        if let Some(first) = chosen.next() {
            let mut known = self.protocols.iter();
            if !known.any(|protocol| protocol.as_bytes() == first) || chosen.next().is_some() {
                return Err(HandshakeError::UnrequestedProtocol);
            }
        }
        Ok(())
    }

    /// Whether the handshake succeeded.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.outcome, Some(Ok(())))
    }

    /// The final answer's head: complete once [`feed`](Self::feed) said "done", or failed for what the head says.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The status that the server gave instead of 101. 401 and 403 are reasons not to try again.
    #[must_use]
    pub const fn failure_status(&self) -> Option<u16> {
        match self.outcome {
            Some(Err(HandshakeError::Status(status))) => Some(status),
            _ => None,
        }
    }

    /// Seconds to wait before another try, where a server that refused said so in digits (RFC 9110, section 10.2.3; a
    /// date needs a clock). More than 32 bits hold is as much as they hold.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        self.failure_status()?;
        let digits = self.head.value("Retry-After")?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let add = |sum: u32, digit: &u8| {
            let tens = sum.saturating_mul(10);
            tens.saturating_add(u32::from(digit - b'0'))
        };
        Some(digits.iter().fold(0, add))
    }

    /// The protocol that the server chose among those asked for.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        if !self.is_done() {
            return None;
        }
        let chosen = self.head.value(PROTOCOL)?;
        std::str::from_utf8(chosen).ok()
    }
}

/// Shows no field: some of them are credentials.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// What a server answers to a key in base64: base64 of SHA-1 of the key and the GUID.
fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(GUID);
    let mut accept = [0; 28];
    // 20 octets make exactly 28 characters.
    let written = STANDARD.encode_slice(hash.digest().bytes(), &mut accept);
    debug_assert_eq!(written, Ok(28), "invariant: a SHA-1 fits in base64");
    accept
}

fn check_field(
    index: usize,
    name: &str,
    value: &str,
    protocols: &mut Vec<String>,
) -> Result<(), HandshakeError> {
    if !is_all(name, octets::is_token) {
        return Err(HandshakeError::FieldName(index));
    }
    if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(HandshakeError::OwnField(index));
    }
    let is_text = |&octet: &u8| matches!(octet, b'\t' | b' '..=b'~');
    if !value.as_bytes().iter().all(is_text) {
        return Err(HandshakeError::FieldValue(index));
    }
    if name.eq_ignore_ascii_case(PROTOCOL) {
        for protocol in value.split(',').map(str::trim_ascii) {
            if !is_all(protocol, octets::is_token)
                || protocols.iter().any(|known| known == protocol)
            {
                return Err(HandshakeError::FieldValue(index));
            }
            protocols.push(protocol.to_owned());
        }
    }
    Ok(())
}

/// Whether a text is of octets of one class, and not empty.
fn is_all(text: &str, class: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "the sample nonce", as in section 1.3.
    const KEY: [u8; 16] = *b"the sample nonce";
    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    fn handshake() -> Handshake {
        Handshake::new("server.example.com", "/chat?a=b", &[], KEY).expect("sound")
    }

    /// Judges an answer whole, in single octets and at every split, which must agree.
    fn answer(make: impl Fn() -> Handshake, text: &str) -> Result<(), HandshakeError> {
        let bytes = text.as_bytes();
        let whole = make().feed(bytes);
        for split in 1..bytes.len() {
            let mut handshake = make();
            let fed = match handshake.feed(&bytes[..split]) {
                Ok((taken, false)) => {
                    assert_eq!(taken, split);
                    let rest = handshake.feed(&bytes[split..]);
                    rest.map(|(taken, is_done)| (split + taken, is_done))
                }
                other => other,
            };
            assert_eq!(fed, whole, "{text:?} split at {split}");
        }
        let mut handshake = make();
        let mut taken = 0;
        for octet in bytes.chunks(1) {
            match handshake.feed(octet) {
                Ok((length, _)) => taken += length,
                Err(error) => {
                    assert_eq!(Err(error), whole);
                    assert_eq!(handshake.feed(b"x"), Err(error), "told again");
                    break;
                }
            }
        }
        let (length, is_done) = whole?;
        assert_eq!((taken, handshake.is_done()), (length, is_done));
        assert!(is_done, "{text:?} is not complete");
        Ok(())
    }

    #[test]
    fn the_request_is_that_of_the_rfc() {
        let fields = [
            ("Origin", "http://example.com"),
            ("sec-websocket-protocol", "chat, superchat"),
        ];
        let handshake = Handshake::new("server.example.com", "/chat", &fields, KEY).expect("sound");
        let expected = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
                        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                        Sec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\
                        sec-websocket-protocol: chat, superchat\r\n\r\n";
        assert_eq!(std::str::from_utf8(handshake.request()), Ok(expected));
        assert_eq!(handshake.protocols, ["chat", "superchat"]);
    }

    #[test]
    fn requests_that_could_be_read_as_something_else_are_refused() {
        let new = |host, target, fields: &[(&str, &str)]| {
            Handshake::new(host, target, fields, KEY).map(|_| ())
        };
        for host in ["", "a b", "a\r\nX: y", "a/b", "u@a", "ä"] {
            assert_eq!(new(host, "/", &[]), Err(HandshakeError::Host), "{host:?}");
        }
        for target in [
            "",
            "a",
            "/ HTTP/1.1",
            "/\r\n",
            "/#a",
            "/ä",
            "http://a/",
            "/\u{7f}",
        ] {
            let error = Err(HandshakeError::Target);
            assert_eq!(new("a", target, &[]), error, "{target:?}");
        }
        let ok = ("Authorization", "Basic \t!~");
        assert_eq!(new("[::1]:80", "/?a=%20", &[ok, ("X", "")]), Ok(()));
        for name in ["", "a b", "a:", "a\r\n", "ä"] {
            let error = Err(HandshakeError::FieldName(1));
            assert_eq!(new("a", "/", &[ok, (name, "x")]), error, "{name:?}");
        }
        for value in ["a\r", "a\nb", "\0", "\u{7f}", "ä"] {
            let error = Err(HandshakeError::FieldValue(0));
            assert_eq!(new("a", "/", &[("X", value), ok]), error, "{value:?}");
        }
        for value in ["", "a,", "a b", "a,a"] {
            let error = Err(HandshakeError::FieldValue(0));
            assert_eq!(new("a", "/", &[(PROTOCOL, value)]), error, "{value:?}");
        }
        for own in OWN_FIELDS {
            let lower = own.to_ascii_lowercase();
            let error = Err(HandshakeError::OwnField(0));
            assert_eq!(new("a", "/", &[(&lower, "x")]), error, "{own}");
        }
    }

    #[test]
    fn good_answers_are_accepted() {
        for (from, to) in [
            ("", ""),
            ("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
            (
                "Connection: Upgrade",
                "connection: keep-alive\r\nCONNECTION: UPGRADE",
            ),
            ("Upgrade: websocket", "Upgrade: h2c ,  WebSocket"),
            ("Accept: ", "Accept: \t"),
            ("Switching Protocols", ""),
            ("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
            (
                "HTTP/1.1 101",
                "HTTP/1.1 100 \r\nA: b\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 101",
            ),
        ] {
            assert_eq!(answer(handshake, &GOOD.replace(from, to)), Ok(()), "{to}");
        }
    }

    #[test]
    fn bad_answers_name_what_is_wrong_with_them() {
        let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        let extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        for (from, to, error) in [
            ("HTTP/1.1", "HTTP/1.0", HandshakeError::Version),
            ("101", "200", HandshakeError::Status(200)),
            ("101", "301", HandshakeError::Status(301)),
            ("101", "401", HandshakeError::Status(401)),
            ("Upgrade: websocket\r\n", "", HandshakeError::Upgrade),
            (": websocket", ": websockets", HandshakeError::Upgrade),
            (": websocket", ": web, socket", HandshakeError::Upgrade),
            ("Connection: Upgrade\r\n", "", HandshakeError::Connection),
            (": Upgrade\r\n", ": close\r\n", HandshakeError::Connection),
            (
                ": Upgrade\r\n",
                ": Upgraded\r\n",
                HandshakeError::Connection,
            ),
            (accept, "", HandshakeError::AcceptKey),
            ("s3pP", "S3pP", HandshakeError::AcceptKey),
            ("xOo=", "xOo", HandshakeError::AcceptKey),
            ("xOo=", "xOo= x", HandshakeError::AcceptKey),
            (accept, &accept.repeat(2), HandshakeError::AcceptKey),
            (
                "\r\n\r\n",
                &format!("\r\n{extension}"),
                HandshakeError::UnrequestedExtension,
            ),
            (
                "\r\n\r\n",
                "\r\nsec-websocket-extensions:\r\n\r\n",
                HandshakeError::UnrequestedExtension,
            ),
            (
                "\r\n\r\n",
                "\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
                HandshakeError::UnrequestedProtocol,
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD);
            assert_eq!(answer(handshake, &text), Err(error), "{from:?} {to:?}");
        }
        let offset = "HTTP/1.1 100 \r\n\r\nHTTP/1.1 101 ".len() as u64;
        let rule = HttpRule::BareLineFeed;
        assert_eq!(
            answer(handshake, "HTTP/1.1 100 \r\n\r\nHTTP/1.1 101 \n"),
            Err(HandshakeError::Http(HttpError::new(rule, offset)))
        );
    }

    #[test]
    fn one_of_the_requested_protocols_may_be_chosen_or_none() {
        let make = || {
            let fields = [(PROTOCOL, "v1, v2"), (PROTOCOL, "v3")];
            Handshake::new("a", "/", &fields, KEY).expect("sound")
        };
        let with = |line: &str| GOOD.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"));
        assert_eq!(answer(make, GOOD), Ok(()));
        for protocol in ["v1", "v2", "v3"] {
            let text = with(&format!("Sec-WebSocket-Protocol: {protocol}"));
            assert_eq!(answer(make, &text), Ok(()));
            let mut handshake = make();
            assert_eq!(handshake.protocol(), None);
            assert_eq!(handshake.feed(text.as_bytes()), Ok((text.len(), true)));
            assert_eq!(handshake.protocol(), Some(protocol));
        }
        for line in [
            "Sec-WebSocket-Protocol: v4",
            "Sec-WebSocket-Protocol: V1",
            "Sec-WebSocket-Protocol: v1, v2",
            "Sec-WebSocket-Protocol:",
            "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: v1",
        ] {
            let error = Err(HandshakeError::UnrequestedProtocol);
            assert_eq!(answer(make, &with(line)), error, "{line}");
        }
    }

    #[test]
    fn bytes_behind_the_answer_are_left() {
        let mut handshake = handshake();
        let text = format!("{GOOD}\u{1}\u{2}HTTP/1.1 101");
        assert_eq!(handshake.feed(text.as_bytes()), Ok((GOOD.len(), true)));
        assert_eq!(handshake.feed(b"more"), Ok((0, true)));
        assert!(handshake.is_done());
    }

    #[test]
    fn sixteen_interim_responses_are_skipped_and_the_next_is_refused() {
        let interim = "HTTP/1.1 102 \r\n\r\n";
        let with = |count: usize| interim.repeat(count) + GOOD;
        assert_eq!(answer(handshake, &with(16)), Ok(()));
        let offset = 16 * interim.len() as u64;
        let error = HttpError::new(HttpRule::TooManyInterim, offset);
        let error = Err(HandshakeError::Http(error));
        assert_eq!(answer(handshake, &with(17)), error);
    }

    #[test]
    fn a_refusal_tells_its_status_and_when_to_try_again() {
        for (value, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("99999999999", Some(u32::MAX)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            let mut handshake = handshake();
            assert_eq!(handshake.retry_after_s(), None);
            let text = format!("HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\n\r\nbody");
            let refused = handshake.feed(text.as_bytes());
            assert_eq!(refused, Err(HandshakeError::Status(503)));
            assert_eq!(handshake.failure_status(), Some(503));
            assert_eq!(handshake.retry_after_s(), seconds, "{value:?}");
        }
    }
}
