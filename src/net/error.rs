//! Which rule a peer's bytes broke, and where.
//!
//! Runs on: any thread.
//! Owns: the rules of HTTP/1.1 framing as a list, and the error that names one of them with its place.
//! Never: carries the peer's text.

use std::fmt;

/// A rule of a response's framing (RFC 9112 unless said otherwise), or a limit of this client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum HttpRule {
    /// The first bytes are not `HTTP/1.`.
    NotHttp,
    /// A version other than 1.0 and 1.1.
    Version,
    /// The status line is not version, space, three digits, space, reason.
    StatusLine,
    /// A status below 100 or above 599.
    Status,
    /// A line feed without the carriage return before it.
    BareLineFeed,
    /// A carriage return without the line feed behind it.
    BareCarriageReturn,
    /// A field that continues the line before (obs-fold).
    ObsFold,
    /// A field's name has an octet that is no token character, or a space before the colon.
    FieldName,
    /// A field's value has a control character, NUL among them.
    FieldValue,
    /// More head than [`HttpLimits::head_bytes`](super::HttpLimits::head_bytes).
    HeadTooLong,
    /// More fields than [`HttpLimits::fields`](super::HttpLimits::fields).
    TooManyFields,
    /// More interim responses than [`HttpLimits::interim_responses`](super::HttpLimits::interim_responses).
    TooManyInterim,
    /// 101 that nobody asked for.
    UnsolicitedUpgrade,
    /// Transfer-Encoding and Content-Length together.
    BothFramings,
    /// A Transfer-Encoding that is not exactly one `chunked`.
    TransferEncoding,
    /// Transfer-Encoding in an answer of HTTP/1.0.
    TransferEncodingVersion,
    /// A Content-Length that is not digits only, or too large for 63 bits.
    ContentLength,
    /// Content-Lengths that differ.
    ContentLengthsDiffer,
    /// A body whose end is the connection's, where the caller did not allow it.
    CloseDelimited,
    /// A content coding that nobody asked for.
    ContentCoding,
    /// A chunk's size is not hexadecimal digits, or has too many of them.
    ChunkSize,
    /// A chunk's extensions have an octet that they must not have.
    ChunkExtension,
    /// More extensions than
    /// [`HttpLimits::chunk_extension_bytes`](super::HttpLimits::chunk_extension_bytes) or
    /// [`HttpLimits::body_extension_bytes`](super::HttpLimits::body_extension_bytes).
    ChunkExtensionsTooLong,
    /// No CRLF behind a chunk's data.
    ChunkEnd,
    /// A trailer field that is no field, or one that must not stand there.
    Trailer,
    /// More trailers than [`HttpLimits::trailer_bytes`](super::HttpLimits::trailer_bytes).
    TrailersTooLong,
    /// More body than [`HttpLimits::body_bytes`](super::HttpLimits::body_bytes).
    BodyTooLong,
    /// The connection ended before the response did.
    Truncated,
    /// Bytes while nothing was asked.
    Unsolicited,
}

impl HttpRule {
    /// A stable name, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotHttp => "not_http",
            Self::Version => "version",
            Self::StatusLine => "status_line",
            Self::Status => "status",
            Self::BareLineFeed => "bare_line_feed",
            Self::BareCarriageReturn => "bare_carriage_return",
            Self::ObsFold => "obs_fold",
            Self::FieldName => "field_name",
            Self::FieldValue => "field_value",
            Self::HeadTooLong => "head_too_long",
            Self::TooManyFields => "too_many_fields",
            Self::TooManyInterim => "too_many_interim",
            Self::UnsolicitedUpgrade => "unsolicited_upgrade",
            Self::BothFramings => "both_framings",
            Self::TransferEncoding => "transfer_encoding",
            Self::TransferEncodingVersion => "transfer_encoding_version",
            Self::ContentLength => "content_length",
            Self::ContentLengthsDiffer => "content_lengths_differ",
            Self::CloseDelimited => "close_delimited",
            Self::ContentCoding => "content_coding",
            Self::ChunkSize => "chunk_size",
            Self::ChunkExtension => "chunk_extension",
            Self::ChunkExtensionsTooLong => "chunk_extensions_too_long",
            Self::ChunkEnd => "chunk_end",
            Self::Trailer => "trailer",
            Self::TrailersTooLong => "trailers_too_long",
            Self::BodyTooLong => "body_too_long",
            Self::Truncated => "truncated",
            Self::Unsolicited => "unsolicited",
        }
    }
}

impl fmt::Display for HttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A response that broke a rule; the connection it came on is not used again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("response breaks the rule {rule} at byte {offset}")]
pub struct HttpError {
    /// Which rule.
    pub rule: HttpRule,
    /// Octets of the response before the one that broke it (of a field: before the end of the line or head that it
    /// was noticed at), interim responses included.
    pub offset: u64,
}

impl HttpError {
    pub(super) const fn new(rule: HttpRule, offset: u64) -> Self {
        Self { rule, offset }
    }
}
