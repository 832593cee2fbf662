//! The chunked transfer coding (RFC 9112, section 7.1), strictly and as bytes arrive.
//!
//! Runs on: any thread.
//! Owns: the place within the coding, and the counts that its limits need.
//! Never: forgives: what two readers could read differently is an error; buffers what a limit forbids.

use crate::net::error::{HttpError, HttpRule};
use crate::net::http::octets::{is_field_value, is_token};
use crate::net::limits::HttpLimits;

/// Digits of a chunk's size; 15 of them are 60 bits.
const MAX_SIZE_DIGITS: u8 = 15;

/// Room for the longest name in [`NOT_IN_TRAILERS`].
const NAME_ROOM: usize = 20;

/// Fields that must not stand in trailers (RFC 9110, section 6.5.1): framing, routing, request modifiers,
/// authentication, response control and content format. Merged, they would change what was already acted on.
const NOT_IN_TRAILERS: &[&str] = &[
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "warning",
    "www-authenticate",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Size,
    Extension(Extension),
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extension {
    /// Behind `;`.
    NameStart,
    Name,
    /// Behind `=`.
    ValueStart,
    Token,
    Quoted,
    /// Behind a backslash within quotes.
    Escaped,
    /// Behind the closing quote.
    Closed,
}

/// Decodes one chunked body after the other.
#[derive(Clone, Debug)]
pub struct ChunkDecoder {
    limits: HttpLimits,
    state: State,
    failure: Option<HttpError>,
    /// Octets of the coding taken by earlier calls.
    taken: u64,
    /// Octets of data announced so far.
    announced: u64,
    size: u64,
    size_digits: u8,
    /// Octets of this chunk's data that are still to come.
    remaining: usize,
    chunk_extension_bytes: usize,
    body_extension_bytes: usize,
    trailer_bytes: usize,
    trailer_fields: usize,
    name: [u8; NAME_ROOM],
    name_len: usize,
}

impl ChunkDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub const fn new(limits: &HttpLimits) -> Self {
        Self {
            limits: *limits,
            state: State::Size,
            failure: None,
            taken: 0,
            announced: 0,
            size: 0,
            size_digits: 0,
            remaining: 0,
            chunk_extension_bytes: 0,
            body_extension_bytes: 0,
            trailer_bytes: 0,
            trailer_fields: 0,
            name: [0; NAME_ROOM],
            name_len: 0,
        }
    }

    /// Back to the start of a body.
    pub const fn reset(&mut self) {
        *self = Self::new(&self.limits);
    }

    /// Takes bytes of the coding and appends the data to `body`; says how many were taken and whether the body is
    /// complete, the last CRLF of the trailer section included. Nothing behind that is taken. Trailers are checked
    /// and dropped.
    ///
    /// # Errors
    /// The rule broken, `offset` counted from the coding's first byte. Every later call until
    /// [`reset`](Self::reset) gives the same error.
    pub fn feed(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<(usize, bool), HttpError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                let rest = &bytes[at..];
                let data = &rest[..self.remaining.min(rest.len())];
                body.extend_from_slice(data);
                at += data.len();
                self.remaining -= data.len();
                if self.remaining == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            match self.step(bytes[at]) {
                Ok(next) => self.state = next,
                Err(rule) => {
                    let error = HttpError::new(rule, self.taken + at as u64);
                    self.failure = Some(error);
                    return Err(error);
                }
            }
            at += 1;
        }
        self.taken += at as u64;
        Ok((at, self.state == State::Done))
    }

    fn step(&mut self, byte: u8) -> Result<State, HttpRule> {
        match self.state {
            State::Size => self.size(byte),
            State::Extension(within) => self.extension(within, byte),
            State::SizeLineFeed => {
                line_feed(byte)?;
                Ok(self.begin_chunk())
            }
            State::DataReturn if byte == b'\r' => Ok(State::DataLineFeed),
            State::DataLineFeed if byte == b'\n' => {
                self.size = 0;
                self.size_digits = 0;
                self.chunk_extension_bytes = 0;
                Ok(State::Size)
            }
            State::DataReturn | State::DataLineFeed => Err(HttpRule::ChunkEnd),
            State::TrailerStart => self.trailer_start(byte),
            State::TrailerName => self.trailer_name(byte),
            State::TrailerValue => self.trailer_value(byte),
            State::TrailerLineFeed => {
                self.count_trailer()?;
                line_feed(byte)?;
                Ok(State::TrailerStart)
            }
            State::LastLineFeed => {
                line_feed(byte)?;
                Ok(State::Done)
            }
            State::Data | State::Done => Ok(self.state),
        }
    }

    fn size(&mut self, byte: u8) -> Result<State, HttpRule> {
        if let Some(digit) = (byte as char).to_digit(16) {
            if self.size_digits == MAX_SIZE_DIGITS {
                return Err(HttpRule::ChunkSize);
            }
            self.size_digits += 1;
            self.size = self.size << 4 | u64::from(digit);
            return Ok(State::Size);
        }
        if self.size_digits == 0 {
            return Err(HttpRule::ChunkSize);
        }
        let next = match byte {
            b'\r' => State::SizeLineFeed,
            b';' => State::Extension(Extension::NameStart),
            b'\n' => return Err(HttpRule::BareLineFeed),
            _ => return Err(HttpRule::ChunkSize),
        };
        // Checked on the announcement, so that not a byte beyond the limit is ever kept.
        if self.size > self.limits.body_bytes as u64 - self.announced {
            return Err(HttpRule::BodyTooLong);
        }
        if byte == b';' {
            self.count_extension()?;
        }
        Ok(next)
    }

    fn begin_chunk(&mut self) -> State {
        if self.size == 0 {
            return State::TrailerStart;
        }
        self.announced += self.size;
        // No larger than `body_bytes`, which is a usize.
        self.remaining = self.size as usize;
        State::Data
    }

    const fn count_extension(&mut self) -> Result<(), HttpRule> {
        self.chunk_extension_bytes += 1;
        self.body_extension_bytes += 1;
        if self.chunk_extension_bytes > self.limits.chunk_extension_bytes
            || self.body_extension_bytes > self.limits.body_extension_bytes
        {
            return Err(HttpRule::ChunkExtensionsTooLong);
        }
        Ok(())
    }

    /// No white space but within quotes: the grammar's is for senders of another age ("bad white space").
    fn extension(&mut self, within: Extension, byte: u8) -> Result<State, HttpRule> {
        if byte == b'\n' {
            return Err(HttpRule::BareLineFeed);
        }
        if byte == b'\r' {
            return match within {
                Extension::Name | Extension::Token | Extension::Closed => Ok(State::SizeLineFeed),
                _ => Err(HttpRule::ChunkExtension),
            };
        }
        self.count_extension()?;
        let next = match (within, byte) {
            (Extension::Name | Extension::Token | Extension::Closed, b';') => Extension::NameStart,
            (Extension::Name, b'=') => Extension::ValueStart,
            (Extension::ValueStart, b'"') => Extension::Quoted,
            (Extension::Quoted, b'"') => Extension::Closed,
            (Extension::Quoted, b'\\') => Extension::Escaped,
            (Extension::Quoted | Extension::Escaped, _) if is_field_value(byte) => {
                Extension::Quoted
            }
            (Extension::NameStart | Extension::Name, _) if is_token(byte) => Extension::Name,
            (Extension::ValueStart | Extension::Token, _) if is_token(byte) => Extension::Token,
            _ => return Err(HttpRule::ChunkExtension),
        };
        Ok(State::Extension(next))
    }

    const fn count_trailer(&mut self) -> Result<(), HttpRule> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > self.limits.trailer_bytes {
            return Err(HttpRule::TrailersTooLong);
        }
        Ok(())
    }

    fn trailer_start(&mut self, byte: u8) -> Result<State, HttpRule> {
        if byte == b'\r' {
            return Ok(State::LastLineFeed);
        }
        self.count_trailer()?;
        if matches!(byte, b' ' | b'\t') {
            return Err(HttpRule::ObsFold);
        }
        if byte == b'\n' {
            return Err(HttpRule::BareLineFeed);
        }
        if self.trailer_fields == self.limits.fields {
            return Err(HttpRule::TooManyFields);
        }
        self.trailer_fields += 1;
        self.name_len = 0;
        self.keep_name(byte)
    }

    fn trailer_name(&mut self, byte: u8) -> Result<State, HttpRule> {
        self.count_trailer()?;
        match byte {
            b':' if self.is_forbidden() => Err(HttpRule::Trailer),
            b':' => Ok(State::TrailerValue),
            b'\n' => Err(HttpRule::BareLineFeed),
            _ => self.keep_name(byte),
        }
    }

    /// Longer names are counted only: none that is forbidden is as long.
    fn keep_name(&mut self, byte: u8) -> Result<State, HttpRule> {
        if !is_token(byte) {
            return Err(HttpRule::Trailer);
        }
        if let Some(place) = self.name.get_mut(self.name_len) {
            *place = byte;
        }
        self.name_len += 1;
        Ok(State::TrailerName)
    }

    fn is_forbidden(&self) -> bool {
        let Some(name) = self.name.get(..self.name_len) else {
            return false;
        };
        let is_name = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
        NOT_IN_TRAILERS.iter().any(is_name)
    }

    fn trailer_value(&mut self, byte: u8) -> Result<State, HttpRule> {
        self.count_trailer()?;
        match byte {
            b'\r' => Ok(State::TrailerLineFeed),
            b'\n' => Err(HttpRule::BareLineFeed),
            _ if is_field_value(byte) => Ok(State::TrailerValue),
            _ => Err(HttpRule::Trailer),
        }
    }
}

const fn line_feed(byte: u8) -> Result<(), HttpRule> {
    if byte == b'\n' {
        Ok(())
    } else {
        Err(HttpRule::BareCarriageReturn)
    }
}
