//! Requests as a server reads them that trusts nobody: RFC 9112 without mercy, and not by the client's own code.
//!
//! Runs on: tests.
//! Owns: the octets of one connection until they are whole requests.
//! Never: guesses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A whole request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// On which connection it came, counted from 0.
    pub connection: usize,
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a field, which must be there at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self
            .fields
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "two fields {name}");
        value
    }

    /// What Sec-WebSocket-Accept has to be.
    pub fn accept_key(&self) -> String {
        let key = self.field("sec-websocket-key").unwrap_or_default();
        let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        STANDARD.encode(sha1_smol::Sha1::from(text).digest().bytes())
    }
}

/// What came on one connection.
#[derive(Default, Debug)]
pub struct Reader {
    octets: Vec<u8>,
    is_broken: bool,
}

impl Reader {
    /// Takes octets; gives the requests that they made whole.
    pub fn read(&mut self, connection: usize, octets: &[u8]) -> Result<Vec<Request>, String> {
        self.octets.extend_from_slice(octets);
        let mut found = Vec::new();
        while !self.is_broken {
            match parse(connection, &self.octets) {
                Ok(Some((request, length))) => {
                    self.octets.drain(..length);
                    found.push(request);
                }
                Ok(None) => break,
                Err(why) => {
                    self.is_broken = true;
                    return Err(format!("{why} in {}", self.octets.escape_ascii()));
                }
            }
        }
        Ok(found)
    }

    /// What is no whole request.
    pub fn rest(&self) -> &[u8] {
        &self.octets
    }
}

fn parse(connection: usize, octets: &[u8]) -> Result<Option<(Request, usize)>, String> {
    let Some(head_end) = octets.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&octets[..head_end]).map_err(|_| "no ASCII".to_owned())?;
    if head
        .bytes()
        .any(|b| b.is_ascii_control() && b != b'\r' && b != b'\n')
    {
        return Err("a control character".to_owned());
    }
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = start.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("no request line: {start:?}"));
    };
    if method.is_empty()
        || !method.bytes().all(|b| b.is_ascii_uppercase())
        || !target.starts_with('/')
    {
        return Err(format!("no request line: {start:?}"));
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or(format!("no field: {line:?}"))?;
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(is_token) || line.contains(['\r', '\n']) {
            return Err(format!("no field: {line:?}"));
        }
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request {
        connection,
        method: method.to_owned(),
        target: target.to_owned(),
        fields,
        body: Vec::new(),
    };
    if request.field("host").is_none() {
        return Err("no Host".to_owned());
    }
    if request.field("transfer-encoding").is_some() {
        return Err("a Transfer-Encoding, which the client never makes".to_owned());
    }
    let length = match request.field("content-length") {
        Some(text) if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(format!("Content-Length {text:?}"));
        }
        Some(text) => text.parse::<usize>().map_err(|why| why.to_string())?,
        None if matches!(method, "POST" | "PATCH") => return Err("no Content-Length".to_owned()),
        None => 0,
    };
    let body = head_end + 4;
    if octets.len() < body + length {
        return Ok(None);
    }
    request.body = octets[body..body + length].to_vec();
    Ok(Some((request, body + length)))
}
