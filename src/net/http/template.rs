//! Requests of one kind: a head rendered once, completed and written as one piece for each request.
//!
//! Runs on: any thread; built at start-up.
//! Owns: the rendered head, secrets in it included, and the checks that keep a caller's text from becoming framing.
//! Never: shows a field's value or the target in `Debug`; allocates while `out` has room.

use std::fmt;

use crate::net::http::octets::{is_host, is_target, is_token, is_visible};
use crate::net::http::request::Method;

/// Columns of a Content-Length. The number stands right-aligned behind spaces, which are legal before a field's value
/// (RFC 9110, section 5.5): leading zeros would be legal too, but some servers dislike them.
const LENGTH_COLUMNS: usize = 9;

/// The longest body that [`LENGTH_COLUMNS`] can tell, with a space before it.
const MAX_BODY: usize = 99_999_999;

/// Fields that are this client's to decide.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why there is no [`Template`]. `at` counts octets, `field` counts fields, both from 0. No text is carried: it may be
/// a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The host is empty.
    #[error("the host is empty")]
    NoHost,
    /// The host has an octet that neither a host nor a port has.
    #[error("the host has an octet at {at} that no host has")]
    Host {
        /// Where.
        at: usize,
    },
    /// The target does not begin with `/`.
    #[error("the target does not begin with a slash")]
    NoSlash,
    /// The target has an octet that is not visible ASCII, or `#`.
    #[error("the target has an octet at {at} that is not visible ASCII, or is '#'")]
    Target {
        /// Where.
        at: usize,
    },
    /// A field's name is empty or has an octet that is no token character.
    #[error("the name of field {field} is not a token, at {at}")]
    FieldName {
        /// Which field.
        field: usize,
        /// Where.
        at: usize,
    },
    /// A field's value has a control character (CR, LF and NUL among them) or one beyond ASCII.
    #[error(
        "the value of field {field} has an octet at {at} that is neither visible ASCII nor space nor tab"
    )]
    FieldValue {
        /// Which field.
        field: usize,
        /// Where.
        at: usize,
    },
    /// A field that this client writes itself (Host, Content-Length) or never (Connection, Expect, TE, Trailer,
    /// Transfer-Encoding, Upgrade and their kin).
    #[error("field {field} is the client's to decide")]
    ReservedField {
        /// Which field.
        field: usize,
    },
}

/// Why a request was not rendered; nothing was appended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A suffix for a template without [`TemplateBuilder::with_suffix`].
    #[error("the template's target takes no suffix")]
    SuffixNotTaken,
    /// The suffix has an octet that is not visible ASCII, or `#`.
    #[error("the suffix has an octet at {at} that is not visible ASCII, or is '#'")]
    Suffix {
        /// Where, in octets from 0.
        at: usize,
    },
    /// A body for a template without [`TemplateBuilder::with_body`].
    #[error("the template takes no body")]
    BodyNotTaken,
    /// A body beyond what the head's Content-Length can tell.
    #[error("a body of {bytes} bytes, at most 99999999")]
    BodyTooLong {
        /// Its bytes.
        bytes: usize,
    },
}

/// Collects what [`Template`] renders.
#[derive(Clone)]
pub struct TemplateBuilder {
    method: Method,
    host: String,
    target: String,
    fields: Vec<(String, String)>,
    takes_body: bool,
    takes_suffix: bool,
}

impl TemplateBuilder {
    /// One more field, in the order of the calls. A cookie is such a field: this client keeps none of its own.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Each request has a body, which may be empty, and says its length.
    #[must_use]
    pub const fn with_body(mut self) -> Self {
        self.takes_body = true;
        self
    }

    /// Each request may say more of the target: `/v2/orders/` and an id.
    #[must_use]
    pub const fn with_suffix(mut self) -> Self {
        self.takes_suffix = true;
        self
    }

    /// Checks everything and renders the head.
    ///
    /// # Errors
    /// The first rule broken: host, then target, then the fields in order.
    pub fn build(self) -> Result<Template, TemplateError> {
        self.check()?;
        let mut head = Vec::with_capacity(256);
        let mut add = |parts: &[&str]| {
            for part in parts {
                head.extend_from_slice(part.as_bytes());
            }
            head.len()
        };
        let target_end = add(&[self.method.as_str(), " ", &self.target]);
        add(&[" HTTP/1.1\r\nHost: ", &self.host, "\r\n"]);
        for (name, value) in &self.fields {
            add(&[name, ": ", value, "\r\n"]);
        }
        let length_end = if self.takes_body {
            let blank = [" "; LENGTH_COLUMNS].concat();
            let end = add(&["Content-Length:", &blank]);
            add(&["\r\n"]);
            Some(end)
        } else {
            if self.method.anticipates_content() {
                add(&["Content-Length: 0\r\n"]);
            }
            None
        };
        add(&["\r\n"]);
        Ok(Template {
            method: self.method,
            host: self.host,
            names: self.fields.into_iter().map(|(name, _)| name).collect(),
            head,
            target_end,
            length_end,
            takes_suffix: self.takes_suffix,
        })
    }

    fn check(&self) -> Result<(), TemplateError> {
        if self.host.is_empty() {
            return Err(TemplateError::NoHost);
        }
        if let Some(at) = self.host.bytes().position(|byte| !is_host(byte)) {
            return Err(TemplateError::Host { at });
        }
        if !self.target.starts_with('/') {
            return Err(TemplateError::NoSlash);
        }
        if let Some(at) = outside_target(&self.target) {
            return Err(TemplateError::Target { at });
        }
        for (field, (name, value)) in self.fields.iter().enumerate() {
            if name.is_empty() {
                return Err(TemplateError::FieldName { field, at: 0 });
            }
            if let Some(at) = name.bytes().position(|byte| !is_token(byte)) {
                return Err(TemplateError::FieldName { field, at });
            }
            let is_plain = |byte| is_visible(byte) || matches!(byte, b' ' | b'\t');
            if let Some(at) = value.bytes().position(|byte| !is_plain(byte)) {
                return Err(TemplateError::FieldValue { field, at });
            }
            if RESERVED
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
            {
                return Err(TemplateError::ReservedField { field });
            }
        }
        Ok(())
    }
}

/// The first octet that a target must not have.
fn outside_target(text: &str) -> Option<usize> {
    text.bytes().position(|byte| !is_target(byte))
}

/// A head that is rendered already, but for the length of the body and the end of the target.
#[derive(Clone)]
pub struct Template {
    method: Method,
    host: String,
    names: Vec<String>,
    head: Vec<u8>,
    /// Where a suffix goes.
    target_end: usize,
    /// Behind the last column of the Content-Length.
    length_end: Option<usize>,
    takes_suffix: bool,
}

impl Template {
    /// Begins a template: the Host field's value (with a port where it is not the scheme's) and the target in origin
    /// form, from `/`.
    #[must_use]
    pub fn builder(method: Method, host: &str, target: &str) -> TemplateBuilder {
        TemplateBuilder {
            method,
            host: host.to_owned(),
            target: target.to_owned(),
            fields: Vec::new(),
            takes_body: false,
            takes_suffix: false,
        }
    }

    /// Appends one request, head and body, to `out`. Nothing is allocated where `out` has the room.
    ///
    /// # Errors
    /// The suffix or the body is not what the template takes; nothing was appended then.
    pub fn encode(&self, suffix: &str, body: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if !suffix.is_empty() {
            if !self.takes_suffix {
                return Err(EncodeError::SuffixNotTaken);
            }
            if let Some(at) = outside_target(suffix) {
                return Err(EncodeError::Suffix { at });
            }
        }
        if self.length_end.is_none() && !body.is_empty() {
            return Err(EncodeError::BodyNotTaken);
        }
        if body.len() > MAX_BODY {
            return Err(EncodeError::BodyTooLong { bytes: body.len() });
        }
        let start = out.len();
        out.reserve(self.head.len() + suffix.len() + body.len());
        if suffix.is_empty() {
            out.extend_from_slice(&self.head);
        } else {
            let (before, after) = self.head.split_at(self.target_end);
            out.extend_from_slice(before);
            out.extend_from_slice(suffix.as_bytes());
            out.extend_from_slice(after);
        }
        if let Some(length_end) = self.length_end {
            let end = start + length_end + suffix.len();
            write_right_aligned(body.len(), &mut out[end - LENGTH_COLUMNS..end]);
            out.extend_from_slice(body);
        }
        Ok(())
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Bytes of the head without a suffix: with the longest suffix and body, the room that `out` needs.
    #[must_use]
    pub fn head_bytes(&self) -> usize {
        self.head.len()
    }
}

/// Writes a number's digits from the right; what is left of them stays blank.
fn write_right_aligned(mut number: usize, columns: &mut [u8]) {
    for column in columns.iter_mut().rev() {
        *column = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return;
        }
    }
}

fn show(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    (method, host): (Method, &str),
    names: &[&str],
) -> fmt::Result {
    f.debug_struct(kind)
        .field("method", &method)
        .field("host", &host)
        .field("fields", &names)
        .finish_non_exhaustive()
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        show(f, "Template", (self.method, &self.host), &names)
    }
}

impl fmt::Debug for TemplateBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        show(f, "TemplateBuilder", (self.method, &self.host), &names)
    }
}
