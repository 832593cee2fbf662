//! The head of a response: status line and fields, strictly.
//!
//! Runs on: any thread.
//! Owns: the bytes of one head, the places of its fields, and the reading of lists.
//! Never: looks for the end twice in the same bytes, or keeps more than the limit.

use std::mem::MaybeUninit;
use std::ops::Range;

use memchr::memchr;

use crate::net::error::{HttpError, HttpRule};
use crate::net::limits::HttpLimits;

/// How a head begins.
const BEGINNING: &[u8] = b"HTTP/1.";

/// Fields that there is room for, whatever the limit.
const MAX_FIELDS: usize = 128;

/// A response's head, filled by [`feed`](Self::feed).
#[derive(Clone, Debug)]
pub struct Head {
    limits: HttpLimits,
    bytes: Vec<u8>,
    fields: Vec<Field>,
    /// Where the line that is not complete yet begins.
    line: usize,
    lines: usize,
    status: u16,
    minor_version: u8,
    is_complete: bool,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: (u32, u32),
    value: (u32, u32),
}

const fn range((from, to): (u32, u32)) -> Range<usize> {
    from as usize..to as usize
}

/// What a status line says, and where the head ends.
#[derive(Clone, Copy)]
struct Start {
    end: usize,
    status: u16,
    minor_version: u8,
}

/// Reads a head by httparse and checks what that lets pass; its places go to `fields`, which is empty.
///
/// # Errors
/// The rule broken; none where the head is not complete.
fn read(
    bytes: &[u8],
    limits: &HttpLimits,
    fields: &mut Vec<Field>,
) -> Result<Start, Option<HttpRule>> {
    // Not initialised: filling them would cost more than reading the head does.
    let mut parsed = [MaybeUninit::uninit(); MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let end = match parser.parse_response_with_uninit_headers(&mut response, bytes, &mut parsed) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Err(None),
        Err(problem) => {
            return Err(Some(match problem {
                httparse::Error::HeaderName => HttpRule::FieldName,
                httparse::Error::HeaderValue | httparse::Error::NewLine => HttpRule::FieldValue,
                httparse::Error::TooManyHeaders => HttpRule::TooManyFields,
                httparse::Error::Version => HttpRule::Version,
                _ => HttpRule::StatusLine,
            }));
        }
    };
    let status = response.code.unwrap_or_default();
    if !(100..=599).contains(&status) {
        return Err(Some(HttpRule::Status));
    }
    // `HTTP/1.1 200\r\n` without the space behind the code is not a status line (RFC 9112, section 4).
    if bytes.get(12) != Some(&b' ') {
        return Err(Some(HttpRule::StatusLine));
    }
    if end > limits.head_bytes {
        return Err(Some(HttpRule::HeadTooLong));
    }
    if response.headers.len() > limits.fields {
        return Err(Some(HttpRule::TooManyFields));
    }
    let base = bytes.as_ptr() as usize;
    // httparse lets a line end without its CR. Every line is the last or has a field behind it.
    let follows_line = |name: &str| bytes[..name.as_ptr() as usize - base].ends_with(b"\r\n");
    let lines_end = response
        .headers
        .iter()
        .all(|field| follows_line(field.name));
    if !lines_end || !bytes[..end].ends_with(b"\r\n\r\n") {
        return Err(Some(HttpRule::BareLineFeed));
    }
    let place = |part: &[u8]| {
        let from = part.as_ptr() as usize - base;
        (from as u32, (from + part.len()) as u32)
    };
    fields.extend(response.headers.iter().map(|field| Field {
        name: place(field.name.as_bytes()),
        value: if field.value.is_empty() {
            (0, 0)
        } else {
            place(field.value)
        },
    }));
    Ok(Start {
        end,
        status,
        minor_version: response.version.unwrap_or(1),
    })
}

impl Head {
    /// An empty head; room for every field is made now.
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        Self {
            limits,
            bytes: Vec::with_capacity(limits.head_bytes.min(4 << 10)),
            fields: Vec::with_capacity(limits.fields),
            line: 0,
            lines: 0,
            status: 0,
            minor_version: 1,
            is_complete: false,
        }
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.line = 0;
        self.lines = 0;
        self.status = 0;
        self.is_complete = false;
    }

    /// Takes bytes up to and including the blank line; says how many, and whether that line was among them.
    ///
    /// # Errors
    /// The rule broken, `offset` counted from the head's first byte. The head is of no use then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), HttpError> {
        if self.bytes.is_empty()
            && let Some(end) = self.take_whole(bytes)
        {
            return Ok((end, true));
        }
        let mut taken = 0;
        while !self.is_complete && taken < bytes.len() {
            let rest = &bytes[taken..];
            let (part, ends_line) = match memchr(b'\n', rest) {
                Some(at) => (&rest[..=at], true),
                None => (rest, false),
            };
            self.take(part)?;
            taken += part.len();
            if ends_line {
                self.end_line()?;
            }
        }
        Ok((taken, self.is_complete))
    }

    fn take(&mut self, part: &[u8]) -> Result<(), HttpError> {
        let seen = self.bytes.len();
        let room = self.limits.head_bytes - seen;
        if seen < BEGINNING.len() {
            let pairs = part.iter().take(room).zip(&BEGINNING[seen..]);
            if let Some(at) = pairs.into_iter().position(|(is, must)| is != must) {
                return Err(HttpError::new(HttpRule::NotHttp, (seen + at) as u64));
            }
        }
        if part.len() > room {
            let limit = self.limits.head_bytes as u64;
            return Err(HttpError::new(HttpRule::HeadTooLong, limit));
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), HttpError> {
        let end = self.bytes.len();
        let line = &self.bytes[self.line..end];
        let error = |rule| Err(HttpError::new(rule, end as u64 - 1));
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return error(HttpRule::BareLineFeed);
        };
        if memchr(b'\r', line).is_some() {
            return error(HttpRule::BareCarriageReturn);
        }
        let is_status_line = self.lines == 0;
        if line.is_empty() && !is_status_line {
            return self.complete();
        }
        if !is_status_line {
            if matches!(line[0], b' ' | b'\t') {
                return error(HttpRule::ObsFold);
            }
            if self.lines > self.limits.fields {
                return error(HttpRule::TooManyFields);
            }
        }
        self.lines += 1;
        self.line = end;
        Ok(())
    }

    /// The blank line is there.
    fn complete(&mut self) -> Result<(), HttpError> {
        let end = self.bytes.len() as u64;
        match read(&self.bytes, &self.limits, &mut self.fields) {
            Ok(start) => {
                self.begin_with(start);
                Ok(())
            }
            Err(rule) => Err(HttpError::new(rule.unwrap_or(HttpRule::StatusLine), end)),
        }
    }

    /// Takes a head that is there as a whole, as most are: one pass finds its end and its fields, and no line is
    /// looked for. A head that is not whole, or not sound, is left for the lines to find out what is wrong with it.
    fn take_whole(&mut self, bytes: &[u8]) -> Option<usize> {
        if !bytes.starts_with(BEGINNING) {
            return None;
        }
        let start = read(bytes, &self.limits, &mut self.fields).ok()?;
        self.bytes.extend_from_slice(&bytes[..start.end]);
        self.begin_with(start);
        Some(start.end)
    }

    const fn begin_with(&mut self, start: Start) {
        self.status = start.status;
        self.minor_version = start.minor_version;
        self.is_complete = true;
    }

    /// Whether the blank line was taken.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was taken yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The status, 100 to 599; 0 before the head is complete.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The x of `HTTP/1.x`.
    #[must_use]
    pub const fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// Names and values in their order; values without the white space around them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|field| {
            let name = std::str::from_utf8(&self.bytes[range(field.name)]).unwrap_or_default();
            (name, &self.bytes[range(field.value)])
        })
    }

    /// As [`fields`](Self::fields), names as octets.
    pub(super) fn octets(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let part = |place| &self.bytes[range(place)];
        self.fields
            .iter()
            .map(move |field| (part(field.name), part(field.value)))
    }

    /// Every value of a field, in order; names are compared without case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The first value of a field.
    #[must_use]
    pub fn value<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The members of a comma-separated list that may be spread over several fields (RFC 9110, section 5.6.1), empty
    /// ones left out. Quoted strings are not looked into: no list that this client reads has any.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|member| !member.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Head, HttpRule> {
        let mut head = Head::new(HttpLimits::DEFAULT);
        match head.feed(text.as_bytes()) {
            Ok((taken, true)) => {
                assert_eq!(taken, text.len());
                Ok(head)
            }
            Ok(_) => panic!("not complete: {text:?}"),
            Err(error) => Err(error.rule),
        }
    }

    #[test]
    fn status_version_and_fields_are_read() {
        let head = parse("HTTP/1.1 200 OK\r\nA: 1\r\nList:  a ,, b\r\nlist: c\r\nE:\r\n\r\n")
            .expect("sound");
        assert_eq!((head.status(), head.minor_version()), (200, 1));
        assert_eq!(head.value("a"), Some(&b"1"[..]));
        assert_eq!(head.value("e"), Some(&b""[..]));
        assert_eq!(head.value("b"), None);
        let list: Vec<_> = head.list("LIST").collect();
        assert_eq!(list, [b"a", b"b", b"c"]);
        assert_eq!(
            parse("HTTP/1.0 404 \r\n\r\n")
                .expect("sound")
                .minor_version(),
            0
        );
    }

    #[test]
    fn broken_heads_name_the_rule() {
        for (text, rule) in [
            ("ICY 200 OK\r\n\r\n", HttpRule::NotHttp),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", HttpRule::NotHttp),
            ("HTTP/1.2 200 OK\r\n\r\n", HttpRule::Version),
            ("HTTP/1.1 2000 OK\r\n\r\n", HttpRule::StatusLine),
            ("HTTP/1.1 20 OK\r\n\r\n", HttpRule::StatusLine),
            ("HTTP/1.1 200\r\n\r\n", HttpRule::StatusLine),
            ("HTTP/1.1  200 OK\r\n\r\n", HttpRule::StatusLine),
            ("HTTP/1.1 099 OK\r\n\r\n", HttpRule::Status),
            ("HTTP/1.1 600 OK\r\n\r\n", HttpRule::Status),
            ("HTTP/1.1 200 OK\n\r\n", HttpRule::BareLineFeed),
            ("HTTP/1.1 200 OK\r\nA: 1\n\r\n", HttpRule::BareLineFeed),
            (
                "HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n\r\n",
                HttpRule::BareCarriageReturn,
            ),
            ("HTTP/1.1 200 OK\r\nA: 1\r\n b\r\n\r\n", HttpRule::ObsFold),
            ("HTTP/1.1 200 OK\r\nA : 1\r\n\r\n", HttpRule::FieldName),
            ("HTTP/1.1 200 OK\r\n: 1\r\n\r\n", HttpRule::FieldName),
            ("HTTP/1.1 200 OK\r\nA\r\n\r\n", HttpRule::FieldName),
            ("HTTP/1.1 200 OK\r\nA: 1\0\r\n\r\n", HttpRule::FieldValue),
        ] {
            assert_eq!(parse(text).map(|_| ()), Err(rule), "{text:?}");
        }
    }

    #[test]
    fn limits_hold_at_the_byte() {
        let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert!(parse(&fields(100)).is_ok());
        assert_eq!(
            parse(&fields(101)).map(|_| ()),
            Err(HttpRule::TooManyFields)
        );
        let long = |bytes: usize| {
            let rest = "HTTP/1.1 200 OK\r\na: \r\n\r\n".len();
            format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(bytes - rest))
        };
        assert!(parse(&long(32 << 10)).is_ok());
        assert_eq!(
            parse(&long((32 << 10) + 1)).map(|_| ()),
            Err(HttpRule::HeadTooLong)
        );
    }

    #[test]
    fn a_head_in_single_bytes_is_the_same_head() {
        let text = b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\nbody";
        let mut head = Head::new(HttpLimits::DEFAULT);
        let mut taken = 0;
        for byte in text.chunks(1) {
            taken += head.feed(byte).expect("sound").0;
        }
        assert_eq!((taken, head.status()), (text.len() - 4, 200));
        assert_eq!(head.fields().count(), 2);
    }
}
