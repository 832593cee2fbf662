//! What changed the venue, line by line, so that a venue that was killed comes back as it was.
//!
//! Runs on: start-up reads; whoever holds the lock appends.
//! Owns: the file's form: one JSON object a line, the first with the start's time and seed.
//! Never: forgets an answered order of a killed process: a line is written before the work. (A power cut may.)
//!
//! The core does the same with the same inputs, so the inputs are all that is kept. Only a manual market can be kept:
//! other quotes come by themselves.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::core::Core;
use super::request::Request;
use crate::types::Nanos;
use crate::venue::VenueError;

/// The open file.
#[derive(Debug)]
pub struct State {
    file: File,
}

/// Lines of an earlier run.
#[derive(Debug, Default)]
pub struct Past {
    lines: Vec<Value>,
}

impl State {
    /// Opens or makes the file and reads what is there; a torn last line is cut off.
    ///
    /// # Errors
    /// [`VenueError::File`].
    pub fn open(path: &Path) -> Result<(Self, Past), VenueError> {
        let wrong = |line: usize, cause: String| VenueError::File {
            path: path.to_owned(),
            line,
            cause,
        };
        let io = |error: std::io::Error| wrong(0, error.to_string());
        let file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(io)?;
        let mut reader = BufReader::new(&file);
        let (mut lines, mut sound) = (Vec::new(), 0u64);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = reader.read_until(b'\n', &mut text).map_err(io)?;
            if length == 0 || text.last() != Some(&b'\n') {
                break;
            }
            let line = serde_json::from_slice(&text)
                .map_err(|error| wrong(lines.len() + 1, error.to_string()))?;
            lines.push(line);
            sound += length as u64;
        }
        file.set_len(sound).map_err(io)?;
        Ok((Self { file }, Past { lines }))
    }

    fn write(&mut self, line: &Value) {
        // A full disk loses the state, not the venue: the next start will show it.
        let _ = self.file.write_all(format!("{line}\n").as_bytes());
    }

    /// Writes the first line.
    pub fn begin(&mut self, now: Nanos, seed: u64) {
        self.write(&json!({"start": now.0, "seed": seed}));
    }

    /// Writes a request that may change something.
    pub fn request(&mut self, now: Nanos, request: &Request) {
        if request.method != "GET" {
            self.write(&json!({
                "now": now.0,
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "body": String::from_utf8_lossy(&request.body),
            }));
        }
    }

    /// Writes a posted quote.
    pub fn quote(&mut self, now: Nanos, fields: &Map<String, Value>) {
        self.write(&json!({"now": now.0, "quote": fields}));
    }

    /// Writes that cancels hang.
    pub fn hang(&mut self, now: Nanos, count: u32) {
        self.write(&json!({"now": now.0, "hang": count}));
    }
}

impl Past {
    /// Time and seed of the first start.
    #[must_use]
    pub fn start(&self) -> Option<(Nanos, u64)> {
        let first = self.lines.first()?;
        Some((Nanos(first["start"].as_u64()?), first["seed"].as_u64()?))
    }

    /// Does it all again.
    pub fn repeat(&self, core: &mut Core) {
        for line in self.lines.iter().skip(1) {
            let now = Nanos(line["now"].as_u64().unwrap_or_default());
            if let Some(fields) = line["quote"].as_object() {
                core.advance(now);
                let _ = core.post_quote(fields);
            } else if let Some(count) = line["hang"].as_u64() {
                core.hang_cancels(u32::try_from(count).unwrap_or(u32::MAX));
            } else {
                let _ = core.handle(now, &request(line));
            }
        }
        core.take_events();
    }
}

fn request(line: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let path = line["path"].as_array().into_iter().flatten();
    let query = line["query"].as_object().into_iter().flatten();
    Request {
        method: text(&line["method"]),
        path: path.map(text).collect(),
        query: query
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        body: text(&line["body"]).into_bytes(),
    }
}
