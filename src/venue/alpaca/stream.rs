//! The `trade_updates` stream.
//!
//! Runs on: the venue's thread.
//! Owns: one client's dialogue: authenticate, listen, updates.
//! Never: speaks first, or replays what a client missed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::http::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::error::ApiError;
use super::http::render;
use super::hub::Message;
use super::shared::Shared;

/// The handler.
pub async fn upgrade(
    State(shared): State<Arc<Shared>>,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    if shared.lock().hub.refuses() {
        return render(Err(ApiError::rate_limited()), None);
    }
    upgrade.on_upgrade(move |socket| talk(shared, socket))
}

/// What one client has said so far.
struct Session {
    authorized: bool,
    listening: bool,
    /// Answers in the kind of frame that paper accounts use: binary.
    binary: bool,
}

async fn talk(shared: Arc<Shared>, mut socket: WebSocket) {
    let (mut updates, text) = {
        let hub = &mut shared.lock().hub;
        (hub.listen(), hub.text_frames)
    };
    let mut session = Session {
        authorized: false,
        listening: false,
        binary: !text,
    };
    loop {
        tokio::select! {
            frame = socket.recv() => {
                let Some(Ok(frame)) = frame else { return };
                let bytes = match &frame {
                    Frame::Text(text) => text.as_bytes(),
                    Frame::Binary(bytes) => bytes.as_ref(),
                    Frame::Close(_) => return,
                    _ => continue,
                };
                let answer = session.hear(&shared, bytes);
                if socket.send(session.frame(&answer.to_string())).await.is_err() {
                    return;
                }
            }
            update = next_update(&mut updates) => match update {
                Some(text) if session.listening => {
                    if socket.send(session.frame(&text)).await.is_err() {
                        return;
                    }
                }
                Some(_) => {}
                None => {
                    let _ = socket.send(Frame::Close(None)).await;
                    return;
                }
            }
        }
    }
}

async fn next_update(updates: &mut Receiver<Message>) -> Option<Arc<str>> {
    loop {
        match updates.recv().await? {
            Message::Trade(text) => return Some(text),
            Message::Data(..) => {}
            Message::Close => return None,
        }
    }
}

impl Session {
    fn frame(&self, text: &str) -> Frame {
        if self.binary {
            Frame::Binary(text.to_owned().into())
        } else {
            Frame::Text(text.to_owned().into())
        }
    }

    fn hear(&mut self, shared: &Shared, bytes: &[u8]) -> Value {
        let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let action = word(&message["action"]);
        match action.as_str() {
            "authenticate" | "auth" => {
                let data = &message["data"];
                let (key, secret) = if action == "auth" {
                    (word(&message["key"]), word(&message["secret"]))
                } else {
                    (word(&data["key_id"]), word(&data["secret_key"]))
                };
                self.authorized = shared.knows(&key, &secret);
                self.authorization("authenticate")
            }
            "listen" if self.authorized => {
                let wanted = message["data"]["streams"].as_array();
                self.listening = wanted.is_some_and(|streams| {
                    streams
                        .iter()
                        .any(|name| name.as_str() == Some("trade_updates"))
                });
                let streams: &[&str] = if self.listening {
                    &["trade_updates"]
                } else {
                    &[]
                };
                json!({"stream": "listening", "data": {"streams": streams}})
            }
            "listen" => self.authorization("listen"),
            _ => json!({"stream": "error", "data": {"error": "invalid message"}}),
        }
    }

    fn authorization(&self, action: &str) -> Value {
        let status = if self.authorized {
            "authorized"
        } else {
            "unauthorized"
        };
        json!({"stream": "authorization", "data": {"status": status, "action": action}})
    }
}
