//! What is asked of a server, as far as the reader of its answer must know.
//!
//! Runs on: any thread.
//! Owns: the methods that this client speaks, and what an answer may look like.
//! Never: decides whether to ask again.

use std::fmt;

/// A request's method.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the head only.
    Head,
    /// Places.
    Post,
    /// Changes.
    Patch,
    /// Cancels.
    Delete,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Get, Self::Head, Self::Post, Self::Patch, Self::Delete];

    /// As on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method of that name, in capitals as on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Whether the method only reads, so that asking twice is the same as asking once: GET and HEAD. DELETE is
    /// idempotent to RFC 9110 but cancels an order here, and is not among them.
    #[must_use]
    pub const fn is_idempotent_get(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    /// Whether servers look for content, so that none is said as `Content-Length: 0` (RFC 9110, section 8.6).
    pub(super) const fn anticipates_content(self) -> bool {
        matches!(self, Self::Post | Self::Patch)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the response's framing depends on beside its head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expect {
    /// The request's method: an answer to HEAD has no body.
    pub method: Method,
    /// Whether a body may end where the connection does. Such a body cannot be told from one that was cut off on a
    /// plain connection.
    pub close_delimited: bool,
}

impl Expect {
    /// An answer that says where it ends.
    #[must_use]
    pub const fn framed(method: Method) -> Self {
        Self {
            method,
            close_delimited: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_as_they_are_written() {
        for method in Method::ALL {
            assert_eq!(Method::from_name(method.as_str()), Some(method));
            assert_eq!(method.to_string(), method.as_str());
        }
        assert_eq!(Method::from_name("get"), None);
        assert_eq!(Method::from_name("PUT"), None);
    }

    #[test]
    fn only_reading_methods_may_be_asked_twice() {
        let twice: Vec<_> = Method::ALL
            .into_iter()
            .filter(|method| method.is_idempotent_get())
            .collect();
        assert_eq!(twice, [Method::Get, Method::Head]);
    }
}
