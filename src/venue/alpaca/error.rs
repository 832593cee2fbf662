//! What the venue answers when it refuses: Alpaca's status, code and message.
//!
//! Runs on: any thread.
//! Owns: the table of refusals.
//! Never: decides whether to refuse.

use serde_json::{Map, Value};

/// Code of a body that cannot be read.
pub const UNREADABLE: u32 = 40_010_000;
/// Code of a field that is missing or wrong.
pub const INVALID: u32 = 40_010_001;
/// Code of what the account may not do.
pub const FORBIDDEN: u32 = 40_310_000;
/// Code of what is not there.
pub const NOT_FOUND: u32 = 40_410_000;
/// Code of what cannot be done with this order or asset.
pub const UNPROCESSABLE: u32 = 42_210_000;
/// Code of too many requests.
pub const RATE_LIMITED: u32 = 42_910_000;

/// A refusal: HTTP status, code and message, with whatever else Alpaca puts into the body.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{status} {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Alpaca's number; a 401 has none.
    pub code: Option<u32>,
    /// The text.
    pub message: String,
    /// More fields of the body.
    pub extra: Map<String, Value>,
}

impl ApiError {
    fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code: Some(code),
            message: message.into(),
            extra: Map::new(),
        }
    }

    /// 400: the body cannot be read.
    #[must_use]
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(400, UNREADABLE, message)
    }

    /// 422 with the code of a wrong field.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(422, INVALID, message)
    }

    /// 422 with the code of something that cannot be done.
    #[must_use]
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, UNPROCESSABLE, message)
    }

    /// 403.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, FORBIDDEN, message)
    }

    /// 404.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, NOT_FOUND, message)
    }

    /// 401; the body has no code.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self {
            status: 401,
            code: None,
            message: "unauthorized.".to_owned(),
            extra: Map::new(),
        }
    }

    /// 429.
    #[must_use]
    pub fn rate_limited() -> Self {
        Self::new(429, RATE_LIMITED, "rate limit exceeded")
    }

    /// 500.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, 50_010_000, message)
    }

    /// With one more field in the body.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = self.extra.clone();
        if let Some(code) = self.code {
            body.insert("code".to_owned(), code.into());
        }
        body.insert("message".to_owned(), self.message.clone().into());
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_its_code_and_what_explains_it() {
        let error = ApiError::forbidden("no").with("available", "3");
        assert_eq!(
            error.body(),
            serde_json::json!({"code": 40_310_000, "message": "no", "available": "3"})
        );
        assert_eq!(ApiError::unauthorized().body().get("code"), None);
    }
}
