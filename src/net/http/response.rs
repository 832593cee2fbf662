//! One response after the other from the bytes of a connection.
//!
//! Runs on: any thread.
//! Owns: the final head, the body, and where the response ends.
//! Never: takes a byte behind the response's end; hands out an interim response.

use crate::net::error::{HttpError, HttpRule};
use crate::net::http::chunk::ChunkDecoder;
use crate::net::http::framing::{Framing, Survey};
use crate::net::http::head::Head;
use crate::net::http::request::{Expect, Method};
use crate::net::limits::HttpLimits;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing was asked.
    Idle,
    Head,
    /// So many bytes of body are still to come.
    Length(usize),
    Chunked,
    Close,
    Complete,
    Failed(HttpError),
}

/// Reads responses; [`begin`](Self::begin) once for each.
#[derive(Clone, Debug)]
pub struct ResponseReader {
    limits: HttpLimits,
    expect: Expect,
    phase: Phase,
    head: Head,
    chunks: ChunkDecoder,
    body: Vec<u8>,
    /// Octets of this response, interim ones included.
    taken: u64,
    /// Where the part under way (a head, or the body) begins.
    part: u64,
    interim_responses: usize,
    has_begun: bool,
    keeps_alive: bool,
}

impl ResponseReader {
    /// A reader that expects nothing yet.
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        Self {
            limits,
            expect: Expect::framed(Method::Get),
            phase: Phase::Idle,
            head: Head::new(limits),
            chunks: ChunkDecoder::new(&limits),
            body: Vec::new(),
            taken: 0,
            part: 0,
            interim_responses: 0,
            has_begun: false,
            keeps_alive: false,
        }
    }

    /// Forgets the response before and expects one to `request`; the memory stays.
    pub fn begin(&mut self, request: Expect) {
        self.expect = request;
        self.phase = Phase::Head;
        self.head.clear();
        self.body.clear();
        self.taken = 0;
        self.part = 0;
        self.interim_responses = 0;
        self.has_begun = false;
        self.keeps_alive = true;
    }

    /// Takes bytes of the response; says how many, and whether it is complete. What is left of `bytes` then is not
    /// this response's.
    ///
    /// # Errors
    /// The rule broken, `offset` counted from the response's first byte, interim responses included;
    /// [`HttpRule::Unsolicited`] before the first [`begin`](Self::begin). Every later call until the next `begin`
    /// gives the same error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), HttpError> {
        if let Phase::Failed(error) = self.phase {
            return Err(error);
        }
        self.has_begun |= !bytes.is_empty() && self.phase != Phase::Idle;
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let taken = match self.phase {
                Phase::Head => self.feed_head(rest),
                Phase::Length(remaining) => Ok(self.feed_length(rest, remaining)),
                Phase::Chunked => self.feed_chunks(rest),
                Phase::Close => self.feed_close(rest),
                Phase::Complete => break,
                Phase::Idle => Err(HttpError::new(HttpRule::Unsolicited, 0)),
                Phase::Failed(error) => Err(error),
            };
            match taken {
                Ok(taken) => at += taken,
                Err(error) => {
                    self.phase = Phase::Failed(error);
                    return Err(error);
                }
            }
        }
        Ok((at, self.phase == Phase::Complete))
    }

    fn feed_head(&mut self, bytes: &[u8]) -> Result<usize, HttpError> {
        let (taken, is_complete) = self.head.feed(bytes).map_err(|error| self.within(error))?;
        self.taken += taken as u64;
        if is_complete {
            self.end_head()
                .map_err(|rule| HttpError::new(rule, self.taken))?;
            self.part = self.taken;
        }
        Ok(taken)
    }

    fn feed_length(&mut self, bytes: &[u8], remaining: usize) -> usize {
        let data = &bytes[..remaining.min(bytes.len())];
        self.body.extend_from_slice(data);
        self.taken += data.len() as u64;
        self.phase = if data.len() == remaining {
            Phase::Complete
        } else {
            Phase::Length(remaining - data.len())
        };
        data.len()
    }

    fn feed_chunks(&mut self, bytes: &[u8]) -> Result<usize, HttpError> {
        let fed = self.chunks.feed(bytes, &mut self.body);
        let (taken, is_complete) = fed.map_err(|error| self.within(error))?;
        self.taken += taken as u64;
        if is_complete {
            self.phase = Phase::Complete;
        }
        Ok(taken)
    }

    fn feed_close(&mut self, bytes: &[u8]) -> Result<usize, HttpError> {
        let room = self.limits.body_bytes - self.body.len();
        let data = &bytes[..room.min(bytes.len())];
        self.body.extend_from_slice(data);
        self.taken += data.len() as u64;
        if data.len() < bytes.len() {
            return Err(HttpError::new(HttpRule::BodyTooLong, self.taken));
        }
        Ok(data.len())
    }

    /// An error of a part, told from the response's first byte.
    const fn within(&self, error: HttpError) -> HttpError {
        HttpError::new(error.rule, self.part + error.offset)
    }

    fn end_head(&mut self) -> Result<(), HttpRule> {
        let survey = Survey::of(&self.head);
        // An interim response that announces the connection's end, or is of a server that cannot keep it, counts too.
        self.keeps_alive &= !survey.closes && self.head.minor_version() == 1;
        match self.head.status() {
            101 => return Err(HttpRule::UnsolicitedUpgrade),
            // No interim response has a body, whatever its fields say (RFC 9112, section 6.3).
            100..=199 => {
                if self.interim_responses == self.limits.interim_responses {
                    return Err(HttpRule::TooManyInterim);
                }
                self.interim_responses += 1;
                self.head.clear();
                return Ok(());
            }
            _ => {}
        }
        self.phase = match survey.framing(&self.head, self.expect, self.limits.body_bytes)? {
            Framing::None | Framing::Length(0) => Phase::Complete,
            Framing::Length(length) => {
                self.body.reserve(length);
                Phase::Length(length)
            }
            Framing::Chunked => {
                self.chunks.reset();
                Phase::Chunked
            }
            Framing::Close => {
                self.keeps_alive = false;
                Phase::Close
            }
        };
        Ok(())
    }

    /// The peer sends no more: a body whose end is the connection's is complete now. (Over TLS only a close_notify
    /// says so; a bare end of the stream is not to be told here.)
    ///
    /// # Errors
    /// [`HttpRule::Truncated`] when the response is not complete, an error that came before otherwise.
    pub fn end_of_stream(&mut self) -> Result<(), HttpError> {
        match self.phase {
            Phase::Complete => Ok(()),
            Phase::Close => {
                self.phase = Phase::Complete;
                Ok(())
            }
            Phase::Failed(error) => Err(error),
            Phase::Idle | Phase::Head | Phase::Length(_) | Phase::Chunked => {
                let error = HttpError::new(HttpRule::Truncated, self.taken);
                self.phase = Phase::Failed(error);
                Err(error)
            }
        }
    }

    /// The final response's status, 200 to 599; 0 before its head is complete.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.head.status() {
            100..=199 => 0,
            status => status,
        }
    }

    /// The final response's head, once that is complete.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What there is of the body, decoded.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Octets of the response taken so far, interim responses included. After an error it does not count the octets
    /// of the part that broke the rule.
    #[must_use]
    pub const fn bytes_taken(&self) -> u64 {
        self.taken
    }

    /// Whether any byte came since [`begin`](Self::begin), be it one that broke a rule.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the response is complete and sound.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// Whether the response leaves the connection fit for another request: framing completed, HTTP/1.1, no `close`
    /// in Connection, not delimited by the connection's end.
    #[must_use]
    pub fn may_keep_alive(&self) -> bool {
        self.keeps_alive && self.is_complete()
    }
}
