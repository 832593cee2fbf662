//! Where a connection goes: scheme, host, port, and the target asked for.
//!
//! Runs on: start-up.
//! Owns: the reading of `http`, `https`, `ws` and `wss` addresses.
//! Never: guesses: what is not plainly an address is an error with its place.

use std::fmt;

use super::http::octets::is_target;

/// An address in parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Whether TLS is spoken: `https` and `wss`.
    pub is_secure: bool,
    /// Whether it is a WebSocket's: `ws` and `wss`.
    pub is_websocket: bool,
    /// A name or an address, without the brackets of IPv6.
    pub host: String,
    /// 443 or 80 unless said otherwise.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub target: String,
}

/// Why a text is no address of an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Another scheme, or none.
    #[error("an address begins with http://, https://, ws:// or wss://")]
    Scheme,
    /// No host, or one with characters that no host has.
    #[error("no host at character {0}")]
    Host(usize),
    /// A name and password in the address.
    #[error("an address with a user name (character {0}): give credentials by fields")]
    Credentials(usize),
    /// Not 1 to 65535.
    #[error("no port number at character {0}")]
    Port(usize),
    /// White space, control characters, a fragment, or what is not ASCII.
    #[error("character {0} cannot stand in a path or query")]
    Target(usize),
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// [`EndpointError`], with the character it was noticed at, counted from 0.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let schemes = [
            ("http://", false, false),
            ("https://", true, false),
            ("ws://", false, true),
            ("wss://", true, true),
        ];
        let found = schemes.into_iter().find(|(scheme, ..)| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let (scheme, is_secure, is_websocket) = found.ok_or(EndpointError::Scheme)?;
        let rest = &text[scheme.len()..];
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if let Some(at) = authority.find('@') {
            return Err(EndpointError::Credentials(scheme.len() + at));
        }
        let default = if is_secure { 443 } else { 80 };
        let (host, port) = host_and_port(authority, scheme.len(), default)?;
        if let Some(at) = target.bytes().position(|byte| !is_target(byte)) {
            return Err(EndpointError::Target(scheme.len() + end + at));
        }
        let target = match target.as_bytes().first() {
            Some(b'/') => target.to_owned(),
            _ => format!("/{target}"),
        };
        Ok(Self {
            is_secure,
            is_websocket,
            host: host.to_ascii_lowercase(),
            port,
            target,
        })
    }

    /// The same host, another target.
    #[must_use]
    pub fn with_target(&self, target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..self.clone()
        }
    }

    /// The Host field's value: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let default = if self.is_secure { 443 } else { 80 };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        if self.port == default {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Whether connections to the one serve the other.
    #[must_use]
    pub fn has_same_origin(&self, other: &Self) -> bool {
        (self.is_secure, self.port, &self.host) == (other.is_secure, other.port, &other.host)
    }
}

fn host_and_port(
    authority: &str,
    offset: usize,
    default: u16,
) -> Result<(&str, u16), EndpointError> {
    let (host, port, port_at) = if let Some(inner) = authority.strip_prefix('[') {
        let end = inner.find(']').ok_or(EndpointError::Host(offset))?;
        let behind = &inner[end + 1..];
        let is_address = inner[..end].parse::<std::net::Ipv6Addr>().is_ok();
        if !is_address || !(behind.is_empty() || behind.starts_with(':')) {
            return Err(EndpointError::Host(offset));
        }
        (&inner[..end], behind.strip_prefix(':'), offset + end + 3)
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if let Some(at) = host.bytes().position(|byte| !is_host(byte)) {
            return Err(EndpointError::Host(offset + at));
        }
        if host.is_empty() {
            return Err(EndpointError::Host(offset));
        }
        (host, port, offset + host.len() + 1)
    };
    let Some(port) = port else {
        return Ok((host, default));
    };
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if is_number && port > 0 => Ok((host, port)),
        _ => Err(EndpointError::Port(port_at)),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.is_websocket, self.is_secure) {
            (false, false) => "http",
            (false, true) => "https",
            (true, false) => "ws",
            (true, true) => "wss",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were() {
        for text in [
            "http://localhost/",
            "https://paper-api.alpaca.markets/v2/orders?status=open",
            "ws://127.0.0.1:9001/runCase?case=1",
            "wss://[::1]:8443/stream",
        ] {
            assert_eq!(Endpoint::parse(text).expect(text).to_string(), text);
        }
        let bare = Endpoint::parse("HTTPS://Example.COM:443?a=b").expect("an address");
        assert_eq!(bare.to_string(), "https://example.com/?a=b");
        assert!(bare.has_same_origin(&Endpoint::parse("https://example.com").expect("too")));
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_place() {
        use EndpointError as E;
        for (text, error) in [
            ("", E::Scheme),
            ("ftp://a/", E::Scheme),
            ("http:/a", E::Scheme),
            ("http://", E::Host(7)),
            ("http:///x", E::Host(7)),
            ("http://a b/", E::Host(8)),
            ("http://ex\u{e4}mple/", E::Host(9)),
            ("http://u:p@a/", E::Credentials(10)),
            ("http://a:/", E::Port(9)),
            ("http://a:0/", E::Port(9)),
            ("http://a:+80/", E::Port(9)),
            ("http://a:65536/", E::Port(9)),
            ("http://[::1/", E::Host(7)),
            ("http://[::g]/", E::Host(7)),
            ("http://[::1]80/", E::Host(7)),
            ("http://[::1]:x/", E::Port(13)),
            ("http://a/ b", E::Target(9)),
            ("http://a/x#y", E::Target(10)),
            ("http://a/x\r\nHost: b", E::Target(10)),
        ] {
            assert_eq!(Endpoint::parse(text), Err(error), "{text:?}");
        }
    }
}
