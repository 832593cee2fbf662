//! A request and a reply without the wire.
//!
//! Runs on: any thread.
//! Owns: method, path and query in parts, and what an answer consists of.
//! Never: reads a socket.

use std::collections::HashMap;

use serde_json::Value;

use super::error::ApiError;

/// What a handler gives back.
pub type Answer = Result<Reply, ApiError>;

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, ...
    pub method: String,
    /// The path's parts, decoded.
    pub path: Vec<String>,
    /// The query's fields, decoded.
    pub query: HashMap<String, String>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Request {
    /// From the request line and the body.
    #[must_use]
    pub fn new(method: &str, path: &str, query: &str, body: Vec<u8>) -> Self {
        let fields = query.split('&').filter(|pair| !pair.is_empty());
        Self {
            method: method.to_owned(),
            path: path
                .split('/')
                .filter(|part| !part.is_empty())
                .map(|part| decode(part, false))
                .collect(),
            query: fields
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key, true), decode(value, true))
                })
                .collect(),
            body,
        }
    }

    /// A field of the query; empty counts as absent.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A yes-or-no field: Python writes `True`.
    ///
    /// # Errors
    /// 422 for anything else.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.field(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ApiError::invalid(format!("invalid {name}"))),
        }
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn object(&self) -> Result<serde_json::Map<String, Value>, ApiError> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(ApiError::unreadable("request body format is invalid")),
            Err(error) => Err(ApiError::unreadable(format!(
                "request body format is invalid: {error}"
            ))),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body; `None` is an empty one.
    pub body: Option<Value>,
}

impl Reply {
    /// 200 with a body.
    #[must_use]
    pub const fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
        }
    }

    /// 204 without one.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            status: 204,
            body: None,
        }
    }

    /// 207 with a list of results.
    #[must_use]
    pub const fn many(body: Vec<Value>) -> Self {
        Self {
            status: 207,
            body: Some(Value::Array(body)),
        }
    }
}

fn decode(text: &str, form: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(value) => {
                bytes.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if form && byte == b'+' { b' ' } else { byte });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_come_apart_and_are_decoded() {
        let request = Request::new(
            "GET",
            "/v2/orders:by_client_order_id",
            "client_order_id=a+b%2Fc&nested=True&after=2020-01-01T00%3A00%3A00%2B00%3A00&x=%zz",
            Vec::new(),
        );
        assert_eq!(request.path, ["v2", "orders:by_client_order_id"]);
        assert_eq!(request.field("client_order_id"), Some("a b/c"));
        assert_eq!(request.field("after"), Some("2020-01-01T00:00:00+00:00"));
        assert_eq!(request.field("x"), Some("%zz"));
        assert_eq!(request.flag("nested"), Ok(true));
        assert!(request.flag("x").is_err());
    }
}
