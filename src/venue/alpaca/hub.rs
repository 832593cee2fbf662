//! Who listens to the streams, and what reaches them.
//!
//! Runs on: whoever holds it, under the venue's lock.
//! Owns: the listeners' queues, the events told so far, and the faults of delivery.
//! Never: waits for a slow listener: one whose queue is full is let go.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::core::Outgoing;
use super::fault::{EventFault, Faults};
use crate::types::Nanos;

/// Messages that may wait for a slow listener.
const QUEUE: usize = 65_536;
/// Events that can be replayed.
const HISTORY: usize = 10_000;

/// What a listener gets.
#[derive(Clone, Debug)]
pub enum Message {
    /// A message of `trade_updates`, as JSON text.
    Trade(Arc<str>),
    /// A market-data message with its symbol.
    Data(&'static str, Arc<Value>),
    /// The stream ends.
    Close,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Hub {
    listeners: Vec<Sender<Message>>,
    told: Vec<Arc<str>>,
    held_back: Option<Arc<str>>,
    late: Vec<(Nanos, Arc<str>)>,
    muted_until: Nanos,
    refuses: u32,
    /// Trading streams that open get text frames instead of binary ones.
    pub text_frames: bool,
}

impl Hub {
    /// A new listener.
    pub fn listen(&mut self) -> Receiver<Message> {
        let (sender, receiver) = channel(QUEUE);
        self.listeners.push(sender);
        receiver
    }

    /// Tells what happened, faults included.
    pub fn tell(&mut self, now: Nanos, events: Vec<Outgoing>, faults: &mut Faults) {
        for event in events {
            match event {
                Outgoing::Data(symbol, value) => {
                    self.send(now, &Message::Data(symbol, Arc::new(value)));
                }
                Outgoing::Trade(name, data) => {
                    let text = json!({"stream": "trade_updates", "data": data}).to_string();
                    self.tell_trade(now, name, text.into(), faults);
                }
            }
        }
    }

    fn tell_trade(&mut self, now: Nanos, name: &str, text: Arc<str>, faults: &mut Faults) {
        if self.told.len() >= HISTORY {
            self.told.drain(..HISTORY / 2);
        }
        self.told.push(Arc::clone(&text));
        let times = match faults.for_event(name) {
            None => 1,
            Some(EventFault::Drop) => 0,
            Some(EventFault::Duplicate(more)) => more.saturating_add(1),
            Some(EventFault::Delay(ms)) => {
                self.late
                    .push((now.plus(ms * 1_000_000), Arc::clone(&text)));
                0
            }
            Some(EventFault::Swap) => {
                self.held_back = Some(text);
                return;
            }
        };
        for _ in 0..times {
            self.send(now, &Message::Trade(Arc::clone(&text)));
        }
        if let Some(held) = self.held_back.take() {
            self.send(now, &Message::Trade(held));
        }
    }

    /// Sends what was delayed until now.
    pub fn advance(&mut self, now: Nanos) {
        let (due, rest) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.late = rest;
        let due: Vec<(Nanos, Arc<str>)> = due;
        for (_, text) in due {
            self.send(now, &Message::Trade(text));
        }
    }

    /// The last events again.
    pub fn replay(&mut self, now: Nanos, last: usize) {
        let from = self.told.len().saturating_sub(last);
        let last = self.told[from..].to_vec();
        for text in last {
            self.send(now, &Message::Trade(text));
        }
    }

    /// Nothing is sent until then.
    pub const fn mute(&mut self, until: Nanos) {
        self.muted_until = until;
    }

    /// The next so many streams are refused.
    pub const fn refuse(&mut self, count: u32) {
        self.refuses = count;
    }

    /// Whether the next stream is refused; counts.
    pub const fn refuses(&mut self) -> bool {
        let refuses = self.refuses > 0;
        self.refuses = self.refuses.saturating_sub(1);
        refuses
    }

    /// Any text, as it is.
    pub fn say(&mut self, now: Nanos, text: &str) {
        self.send(now, &Message::Trade(text.into()));
    }

    /// Every stream ends.
    pub fn close(&mut self) {
        for listener in self.listeners.drain(..) {
            let _ = listener.try_send(Message::Close);
        }
    }

    fn send(&mut self, now: Nanos, message: &Message) {
        if now >= self.muted_until {
            self.listeners
                .retain(|listener| listener.try_send(message.clone()).is_ok());
        }
    }
}
