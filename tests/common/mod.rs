//! What the tests of the binary share: running it, reading its reports, exact numbers.
//!
//! Runs on: tests.
//! Owns: a temporary directory a test, and helpers that know the reports' columns.
//! Never: knows how the engine works inside.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary with a home and a state of its own.
pub fn shrike(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shrike"));
    command
        .env("HOME", home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env_remove("SHRIKE_LOG");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Runs to the end; panics with everything that was printed unless the exit code is `code`.
pub fn expect_code(mut command: Command, code: i32) -> String {
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(code), "{}", printed(&output));
    printed(&output)
}

/// Both outputs as text.
pub fn printed(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The real market data that the tests read in place.
pub fn lean_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/lean")
}

/// Decimal text as an integer of 10^-18.
pub fn exact(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 18, "{text} has too many digits");
    let padded = format!("{fraction:0<18}");
    let whole: i128 = whole
        .parse()
        .unwrap_or_else(|_| panic!("{text:?} is no decimal"));
    sign * (whole * 10i128.pow(18) + padded.parse::<i128>().expect("digits"))
}

/// A CSV report by column name.
pub struct Table {
    rows: Vec<HashMap<String, String>>,
}

impl Table {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().expect("a header").clone();
        let rows = reader
            .records()
            .map(|row| {
                let row = row.expect("a row");
                names
                    .iter()
                    .map(str::to_owned)
                    .zip(row.iter().map(str::to_owned))
                    .collect()
            })
            .collect();
        Self { rows }
    }

    pub fn rows(&self) -> &[HashMap<String, String>] {
        &self.rows
    }

    pub fn count(&self, column: &str, value: &str) -> usize {
        self.rows.iter().filter(|row| row[column] == value).count()
    }
}

/// `session.json` of a report directory.
pub fn session(dir: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(dir.join("session.json")).expect("session.json");
    serde_json::from_str(&text).expect("JSON")
}
