//! Faults on request: what goes wrong between a broker and its clients, on purpose.
//!
//! Runs on: whoever holds it.
//! Owns: which faults are armed, for which requests and events, and how often.
//! Never: changes what the core holds to be true: the ledger stays right.
//!
//! `POST /_venue/fault` with `{"kind": ...}` arms one; `count` (1) says for how many requests or events, `method` and
//! `path` (a prefix) or `event` for which. `DELETE /_venue/fault` disarms all.
//!
//! | kind | fields | what happens |
//! |---|---|---|
//! | `delay_reply` | `ms` | the work is done, the reply waits: events come first |
//! | `delay_work` | `ms` | the work itself waits |
//! | `drop_reply` | | the work is done, the connection closes without a reply |
//! | `reset` | `bytes` | the work is done, the connection is reset after so many bytes of the reply |
//! | `status` | `status`, `accepted`, `html` | this status, after the work or instead of it, as JSON or an HTML page |
//! | `storm_429` | `count` | so many requests are refused with 429 |
//! | `hide` | `ms` | the order is taken, but look-ups do not find it for so long |
//! | `drop_event`, `duplicate_event`, `delay_event` | `event`, `times`, `ms` | an event is lost, repeated, late |
//! | `swap_events` | `event` | an event comes after the one that follows it |
//! | `replay_events` | `last` | the last events come again |
//! | `mute_stream` | `ms` | streams stay open and silent |
//! | `close_streams`, `refuse_streams` | `count` | streams end; upgrades are refused with 429 |
//! | `text_frames` | `on` | trading streams that open from now on get text frames, as live accounts have had |
//! | `garbage` | `text` | this text on the trading streams |
//! | `stuck_cancel` | `count` | cancels are answered and stay `pending_cancel` |

use serde_json::{Map, Value, json};

use super::request::Request;

/// What happens to a matching request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestFault {
    /// The reply waits this long after the work is done: events come before it.
    DelayReply(u64),
    /// The work itself waits this long.
    DelayWork(u64),
    /// The work is done and the connection closed without a reply.
    DropReply,
    /// The work is done, this many bytes of the reply leave, then the connection is reset.
    Reset(u64),
    /// This status instead of the reply, after the work or instead of it, as JSON or HTML.
    Status {
        /// HTTP status.
        status: u16,
        /// Whether the work is done.
        accepted: bool,
        /// An HTML page instead of JSON.
        html: bool,
    },
    /// The order is taken, but look-ups do not find it for this long, ms.
    Hide(u64),
}

/// What happens to a matching event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventFault {
    /// It is never sent.
    Drop,
    /// It is sent this many times more.
    Duplicate(u32),
    /// It is sent this much later, ms.
    Delay(u64),
    /// It is sent after the next one.
    Swap,
}

#[derive(Clone, Debug)]
enum Armed {
    Request {
        method: Option<String>,
        path: Option<String>,
        fault: RequestFault,
    },
    Event {
        event: Option<String>,
        fault: EventFault,
    },
}

/// What is to be done at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Immediate {
    /// Nothing: a fault was armed.
    Nothing,
    /// The last so many events again.
    Replay(usize),
    /// The streams stay open and say nothing for this long, ms.
    Mute(u64),
    /// The streams are closed.
    CloseStreams,
    /// The next so many cancels hang.
    StuckCancels(u32),
    /// The next so many streams are refused at the upgrade, with 429.
    RefuseStreams(u32),
    /// Streams that open from now on get text frames (or binary ones again).
    TextFrames(bool),
    /// This text goes to every trading stream as it is.
    Garbage(String),
}

/// The armed faults.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Vec<(u32, Armed)>,
}

impl Faults {
    /// Arms what a body asks for.
    ///
    /// # Errors
    /// The sentence that says what is wrong with the body.
    pub fn arm(&mut self, fields: &Map<String, Value>) -> Result<Immediate, String> {
        let number = |name: &str, default: u64| match fields.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_u64()
                .ok_or_else(|| format!("{name} must be a whole number")),
        };
        let word = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name: &str, default: bool| {
            fields.get(name).and_then(Value::as_bool).unwrap_or(default)
        };
        let kind = word("kind").ok_or("kind is missing")?;
        let ms = number("ms", 1_000)?;
        let count = u32::try_from(number("count", 1)?).map_err(|_| "count is too large")?;
        let status = u16::try_from(number("status", 503)?)
            .ok()
            .filter(|status| (400..600).contains(status))
            .ok_or("status must be 400 to 599")?;
        let request = match kind.as_str() {
            "delay_reply" => Some(RequestFault::DelayReply(ms)),
            "delay_work" => Some(RequestFault::DelayWork(ms)),
            "drop_reply" => Some(RequestFault::DropReply),
            "reset" => Some(RequestFault::Reset(number("bytes", 0)?)),
            "hide" => Some(RequestFault::Hide(ms)),
            "status" => Some(RequestFault::Status {
                status,
                accepted: flag("accepted", true),
                html: flag("html", false),
            }),
            "storm_429" => Some(RequestFault::Status {
                status: 429,
                accepted: false,
                html: flag("html", false),
            }),
            _ => None,
        };
        if let Some(fault) = request {
            let (method, path) = (word("method"), word("path"));
            let armed = Armed::Request {
                method,
                path,
                fault,
            };
            self.armed.push((count, armed));
            return Ok(Immediate::Nothing);
        }
        let fault = match kind.as_str() {
            "drop_event" => EventFault::Drop,
            "duplicate_event" => {
                EventFault::Duplicate(u32::try_from(number("times", 1)?).unwrap_or(1).min(100))
            }
            "delay_event" => EventFault::Delay(ms),
            "swap_events" => EventFault::Swap,
            "replay_events" => {
                return Ok(Immediate::Replay(
                    usize::try_from(number("last", 10)?).unwrap_or(10),
                ));
            }
            "mute_stream" => return Ok(Immediate::Mute(ms)),
            "close_streams" => return Ok(Immediate::CloseStreams),
            "refuse_streams" => return Ok(Immediate::RefuseStreams(count)),
            "text_frames" => return Ok(Immediate::TextFrames(flag("on", true))),
            "garbage" => return Ok(Immediate::Garbage(word("text").unwrap_or_default())),
            "stuck_cancel" => return Ok(Immediate::StuckCancels(count)),
            _ => return Err(format!("unknown kind '{kind}'")),
        };
        let event = word("event");
        self.armed.push((count, Armed::Event { event, fault }));
        Ok(Immediate::Nothing)
    }

    /// Disarms everything.
    pub fn clear(&mut self) {
        self.armed.clear();
    }

    /// How many faults are armed.
    #[must_use]
    pub fn armed(&self) -> Value {
        json!({"armed": self.armed.len()})
    }

    /// The fault for a request, used up once more.
    pub fn for_request(&mut self, request: &Request) -> Option<RequestFault> {
        let path = format!("/{}", request.path.join("/"));
        self.first(|armed| match armed {
            Armed::Request {
                method,
                path: prefix,
                fault,
            } if method.as_ref().is_none_or(|name| *name == request.method)
                && prefix
                    .as_ref()
                    .is_none_or(|prefix| path.starts_with(prefix)) =>
            {
                Some(fault.clone())
            }
            _ => None,
        })
    }

    /// The fault for an event, used up once more.
    pub fn for_event(&mut self, name: &str) -> Option<EventFault> {
        self.first(|armed| match armed {
            Armed::Event { event, fault } if event.as_ref().is_none_or(|event| event == name) => {
                Some(*fault)
            }
            _ => None,
        })
    }

    fn first<T>(&mut self, take: impl Fn(&Armed) -> Option<T>) -> Option<T> {
        let (at, found) = self
            .armed
            .iter()
            .enumerate()
            .find_map(|(at, (_, armed))| take(armed).map(|found| (at, found)))?;
        if let Some((count, _)) = self.armed.get_mut(at) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.armed.remove(at);
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(faults: &mut Faults, body: Value) -> Result<Immediate, String> {
        faults.arm(body.as_object().expect("an object"))
    }

    #[test]
    fn a_fault_meets_what_it_was_armed_for_and_is_used_up() {
        let mut faults = Faults::default();
        let body =
            json!({"kind": "drop_reply", "method": "POST", "path": "/v2/orders", "count": 2});
        assert_eq!(arm(&mut faults, body), Ok(Immediate::Nothing));
        let get = Request::new("GET", "/v2/orders", "", Vec::new());
        let post = Request::new("POST", "/v2/orders", "", Vec::new());
        assert_eq!(faults.for_request(&get), None);
        assert_eq!(faults.for_request(&post), Some(RequestFault::DropReply));
        assert_eq!(faults.for_request(&post), Some(RequestFault::DropReply));
        assert_eq!(faults.for_request(&post), None);
        assert!(arm(&mut faults, json!({"kind": "gremlin"})).is_err());
        assert!(arm(&mut faults, json!({"kind": "status", "status": 200})).is_err());
    }
}
