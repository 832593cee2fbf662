//! Responses that a server may send, and what each must come to: the rules of RFC 9110 and 9112 as tables.
//!
//! Runs on: tests.
//! Owns: the cases; every rule of a response's framing, and every limit at its last good octet and at the next one.
//! Never: asks the client what is right.

mod chunks;
mod framing;
mod heads;

use Expected::{Breaks, Ends, Keeps};

/// What the client must make of a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// This status and body; the connection serves the next request too.
    Keeps(u16, Vec<u8>),
    /// This status and body; the connection is not used again.
    Ends(u16, Vec<u8>),
    /// An error that names this rule.
    Breaks(&'static str),
}

/// What the server does behind the octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// Nothing: the client has to decide by the octets alone.
    Open,
    /// FIN.
    Close,
    /// RST.
    Reset,
}

impl Then {
    /// What cutting a response off that way is called.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Open => "timed_out",
            Self::Close => "truncated",
            Self::Reset => "died",
        }
    }
}

/// One response.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// GET, but for answers to HEAD.
    pub method: &'static str,
    /// Whether the caller allows a body that ends with the connection.
    pub close_delimited: bool,
    pub octets: Vec<u8>,
    pub then: Then,
    pub expected: Expected,
}

impl Case {
    fn to(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    fn delimited_by_close(self) -> Self {
        Self {
            close_delimited: true,
            ..self
        }
    }
}

fn keeps(status: u16, body: &str) -> Expected {
    Keeps(status, body.into())
}

fn ends(status: u16, body: &str) -> Expected {
    Ends(status, body.into())
}

/// The answer of most cases.
fn hi() -> Expected {
    keeps(200, "hi")
}

fn case(name: impl Into<String>, octets: impl AsRef<[u8]>, expected: Expected) -> Case {
    Case {
        name: name.into(),
        method: "GET",
        close_delimited: false,
        octets: octets.as_ref().to_vec(),
        then: Then::Open,
        expected,
    }
}

/// Parts that make good responses, and parts that break one rule: a case for each, made whole by `response`.
struct Table<'a> {
    good: &'a [&'a [u8]],
    bad: &'a [(&'static str, &'a [&'a [u8]])],
}

impl Table<'_> {
    fn cases(
        &self,
        what: &str,
        expected: &Expected,
        response: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Vec<Case> {
        let name = |part: &[u8]| format!("{what} \"{}\"", part.escape_ascii());
        let good = self.good.iter().map(|part| (*part, expected.clone()));
        let bad = self.bad.iter().flat_map(|(rule, parts)| {
            let rule = *rule;
            parts.iter().map(move |part| (*part, Breaks(rule)))
        });
        good.chain(bad)
            .map(|(part, expected)| case(name(part), response(part), expected))
            .collect()
    }
}

/// Every case.
pub fn all() -> Vec<Case> {
    [heads::all(), framing::all(), chunks::all()].concat()
}
