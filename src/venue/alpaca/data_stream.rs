//! The market-data stream, in JSON or MessagePack.
//!
//! Runs on: the venue's thread.
//! Owns: one client's dialogue: welcome, authentication, subscriptions, messages.
//! Never: sends what was not subscribed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Response, header};
use serde_json::{Value, json};

use super::error::ApiError;
use super::http::render;
use super::hub::Message;
use super::msgpack;
use super::shared::Shared;

/// A client that says nothing is sent away.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(10);
/// What may be subscribed.
const CHANNELS: [&str; 7] = [
    "trades",
    "quotes",
    "bars",
    "updatedBars",
    "dailyBars",
    "statuses",
    "lulds",
];

/// The handler.
pub async fn upgrade(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    let value = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let session = Session {
        packed: value(header::CONTENT_TYPE.as_str()).contains("msgpack"),
        authorized: shared.knows(value("apca-api-key-id"), value("apca-api-secret-key")),
        subscribed: Default::default(),
    };
    if shared.lock().hub.refuses() {
        return render(Err(ApiError::rate_limited()), None);
    }
    upgrade.on_upgrade(move |socket| talk(shared, socket, session))
}

struct Session {
    packed: bool,
    authorized: bool,
    subscribed: [BTreeSet<String>; CHANNELS.len()],
}

async fn talk(shared: Arc<Shared>, mut socket: WebSocket, mut session: Session) {
    let mut updates = shared.lock().hub.listen();
    let welcome = session.frame(&json!([{"T": "success", "msg": "connected"}]));
    if socket.send(welcome).await.is_err() {
        return;
    }
    if session.authorized {
        let welcome = session.frame(&json!([{"T": "success", "msg": "authenticated"}]));
        if socket.send(welcome).await.is_err() {
            return;
        }
    }
    let deadline = tokio::time::sleep(AUTHENTICATION_TIMEOUT);
    tokio::pin!(deadline);
    loop {
        let answer = tokio::select! {
            frame = socket.recv() => {
                let Some(Ok(frame)) = frame else { return };
                match &frame {
                    Frame::Text(text) => session.hear(&shared, serde_json::from_str(text).ok()),
                    Frame::Binary(bytes) => session.hear(&shared, session.read(bytes)),
                    Frame::Close(_) => return,
                    _ => continue,
                }
            }
            update = updates.recv() => match update {
                Some(Message::Data(symbol, value)) if session.wants(symbol, &value) => {
                    json!([*value])
                }
                Some(Message::Close) | None => return,
                Some(_) => continue,
            },
            () = &mut deadline, if !session.authorized => {
                let _ = socket.send(session.frame(&error(404, "auth timeout"))).await;
                return;
            }
        };
        if socket.send(session.frame(&answer)).await.is_err() {
            return;
        }
    }
}

fn error(code: u32, text: &str) -> Value {
    json!([{"T": "error", "code": code, "msg": text}])
}

impl Session {
    fn frame(&self, value: &Value) -> Frame {
        if self.packed {
            let mut bytes = Vec::new();
            msgpack::encode(value, &mut bytes);
            Frame::Binary(bytes.into())
        } else {
            Frame::Text(value.to_string().into())
        }
    }

    fn read(&self, bytes: &[u8]) -> Option<Value> {
        if self.packed {
            msgpack::decode(bytes)
        } else {
            serde_json::from_slice(bytes).ok()
        }
    }

    fn hear(&mut self, shared: &Shared, message: Option<Value>) -> Value {
        let Some(message) = message.filter(Value::is_object) else {
            return error(400, "invalid syntax");
        };
        let word = |name: &str| message[name].as_str().unwrap_or_default();
        match word("action") {
            "auth" if self.authorized => error(403, "already authenticated"),
            "auth" => {
                self.authorized = shared.knows(word("key"), word("secret"));
                if self.authorized {
                    json!([{"T": "success", "msg": "authenticated"}])
                } else {
                    error(402, "auth failed")
                }
            }
            "subscribe" | "unsubscribe" if !self.authorized => error(401, "not authenticated"),
            "subscribe" => self.subscribe(&message, true),
            "unsubscribe" => self.subscribe(&message, false),
            _ => error(400, "invalid syntax"),
        }
    }

    fn subscribe(&mut self, message: &Value, adds: bool) -> Value {
        for (channel, symbols) in CHANNELS.iter().zip(&mut self.subscribed) {
            for symbol in message[*channel].as_array().into_iter().flatten() {
                let Some(symbol) = symbol.as_str() else {
                    return error(400, "invalid syntax");
                };
                if adds {
                    symbols.insert(symbol.to_owned());
                } else {
                    symbols.remove(symbol);
                }
            }
        }
        let mut answer = json!({"T": "subscription"});
        for (channel, symbols) in CHANNELS.iter().zip(&self.subscribed) {
            answer[*channel] = json!(symbols);
        }
        // Corrections and cancellations follow the trades.
        answer["corrections"] = json!(self.subscribed[0]);
        answer["cancelErrors"] = json!(self.subscribed[0]);
        json!([answer])
    }

    fn wants(&self, symbol: &str, message: &Value) -> bool {
        let channel = match message["T"].as_str() {
            Some("t") => 0,
            Some("q") => 1,
            _ => return false,
        };
        let symbols = &self.subscribed[channel];
        symbols.contains(symbol) || symbols.contains("*")
    }
}
