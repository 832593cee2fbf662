//! A naive twin of the chunk decoder: the whole input at once, by recursive descent.
//!
//! Runs on: tests.
//! Owns: the grammar of RFC 9112, section 7.1, written a second time.
//! Never: is fast.

use shrike::net::{HttpError, HttpLimits, HttpRule};

/// What became of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The body is complete, after so many octets.
    Complete(usize),
    /// The input ended first.
    Partial,
    Broken(HttpError),
}

enum Stop {
    End,
    Rule(HttpRule),
}

type Step<T> = Result<T, Stop>;

struct Twin<'a> {
    limits: &'a HttpLimits,
    bytes: &'a [u8],
    at: usize,
    body: Vec<u8>,
    chunk_extension: usize,
    body_extension: usize,
    trailer: usize,
}

/// Decodes `bytes`; the body is what there is of it.
pub fn decode(limits: &HttpLimits, bytes: &[u8]) -> (Ended, Vec<u8>) {
    let mut twin = Twin {
        limits,
        bytes,
        at: 0,
        body: Vec::new(),
        chunk_extension: 0,
        body_extension: 0,
        trailer: 0,
    };
    let ended = match twin.coding() {
        Ok(()) => Ended::Complete(twin.at),
        Err(Stop::End) => Ended::Partial,
        Err(Stop::Rule(rule)) => Ended::Broken(HttpError {
            rule,
            offset: twin.at as u64,
        }),
    };
    (ended, twin.body)
}

fn broken<T>(rule: HttpRule) -> Step<T> {
    Err(Stop::Rule(rule))
}

impl Twin<'_> {
    fn peek(&self) -> Step<u8> {
        self.bytes.get(self.at).copied().ok_or(Stop::End)
    }

    fn exactly(&mut self, byte: u8, rule: HttpRule) -> Step<()> {
        if self.peek()? != byte {
            return broken(rule);
        }
        self.at += 1;
        Ok(())
    }

    fn coding(&mut self) -> Step<()> {
        loop {
            let size = self.size_line()?;
            if size == 0 {
                break;
            }
            for _ in 0..size {
                let byte = self.peek()?;
                self.body.push(byte);
                self.at += 1;
            }
            self.exactly(b'\r', HttpRule::ChunkEnd)?;
            self.exactly(b'\n', HttpRule::ChunkEnd)?;
        }
        let mut fields = 0;
        while self.peek()? != b'\r' {
            self.trailer_field(fields)?;
            fields += 1;
        }
        self.at += 1;
        self.exactly(b'\n', HttpRule::BareCarriageReturn)
    }

    fn size_line(&mut self) -> Step<usize> {
        let mut digits = String::new();
        while self.peek()?.is_ascii_hexdigit() {
            if digits.len() == 15 {
                return broken(HttpRule::ChunkSize);
            }
            digits.push(char::from(self.peek()?));
            self.at += 1;
        }
        match (digits.is_empty(), self.peek()?) {
            (false, b'\r' | b';') => {}
            (false, b'\n') => return broken(HttpRule::BareLineFeed),
            _ => return broken(HttpRule::ChunkSize),
        }
        let size = usize::from_str_radix(&digits, 16).expect("hexadecimal digits");
        if self.body.len() + size > self.limits.body_bytes {
            return broken(HttpRule::BodyTooLong);
        }
        self.chunk_extension = 0;
        while self.extension_octet()? == b';' {
            self.extension()?;
        }
        if self.peek()? != b'\r' {
            return broken(HttpRule::ChunkExtension);
        }
        self.at += 1;
        self.exactly(b'\n', HttpRule::BareCarriageReturn)?;
        Ok(size)
    }

    /// The octet here, counted; CR is not part of an extension and is never counted.
    fn extension_octet(&mut self) -> Step<u8> {
        let byte = self.peek()?;
        if byte == b'\n' {
            return broken(HttpRule::BareLineFeed);
        }
        if byte != b'\r'
            && (self.chunk_extension == self.limits.chunk_extension_bytes
                || self.body_extension == self.limits.body_extension_bytes)
        {
            return broken(HttpRule::ChunkExtensionsTooLong);
        }
        Ok(byte)
    }

    fn extension_take(&mut self, count: usize) {
        self.at += count;
        self.chunk_extension += count;
        self.body_extension += count;
    }

    fn extension(&mut self) -> Step<()> {
        self.extension_take(1);
        self.extension_token()?;
        if self.extension_octet()? != b'=' {
            return Ok(());
        }
        self.extension_take(1);
        if self.extension_octet()? != b'"' {
            return self.extension_token();
        }
        self.extension_take(1);
        loop {
            match self.extension_octet()? {
                b'"' => break,
                b'\\' => {
                    self.extension_take(1);
                    if !may_be_quoted(self.extension_octet()?) {
                        return broken(HttpRule::ChunkExtension);
                    }
                }
                byte if may_be_quoted(byte) => {}
                _ => return broken(HttpRule::ChunkExtension),
            }
            self.extension_take(1);
        }
        self.extension_take(1);
        Ok(())
    }

    fn extension_token(&mut self) -> Step<()> {
        if !is_token(self.extension_octet()?) {
            return broken(HttpRule::ChunkExtension);
        }
        while is_token(self.extension_octet()?) {
            self.extension_take(1);
        }
        Ok(())
    }

    fn trailer_octet(&mut self) -> Step<u8> {
        let byte = self.peek()?;
        if self.trailer == self.limits.trailer_bytes {
            return broken(HttpRule::TrailersTooLong);
        }
        Ok(byte)
    }

    fn trailer_take(&mut self) {
        self.at += 1;
        self.trailer += 1;
    }

    fn trailer_field(&mut self, before: usize) -> Step<()> {
        match self.trailer_octet()? {
            b' ' | b'\t' => return broken(HttpRule::ObsFold),
            b'\n' => return broken(HttpRule::BareLineFeed),
            _ if before == self.limits.fields => return broken(HttpRule::TooManyFields),
            _ => {}
        }
        let mut name = String::new();
        while is_token(self.trailer_octet()?) {
            name.push(char::from(self.peek()?).to_ascii_lowercase());
            self.trailer_take();
        }
        match self.trailer_octet()? {
            b'\n' => return broken(HttpRule::BareLineFeed),
            b':' if !name.is_empty() && !FORBIDDEN.contains(&name.as_str()) => self.trailer_take(),
            _ => return broken(HttpRule::Trailer),
        }
        loop {
            match self.trailer_octet()? {
                b'\r' => break,
                b'\n' => return broken(HttpRule::BareLineFeed),
                byte if may_be_quoted(byte) => self.trailer_take(),
                _ => return broken(HttpRule::Trailer),
            }
        }
        self.trailer_take();
        if self.trailer_octet()? != b'\n' {
            return broken(HttpRule::BareCarriageReturn);
        }
        self.trailer_take();
        Ok(())
    }
}

/// Those of the forbidden fields that the generated inputs have.
const FORBIDDEN: &[&str] = &["host", "te", "content-length", "trailer"];

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn may_be_quoted(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
