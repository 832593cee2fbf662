//! What the tests of the binary share: running it, reading its reports, exact numbers.
//!
//! Runs on: tests.
//! Owns: a temporary directory a test, and helpers that know the reports' columns.
//! Never: knows how the engine works inside.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

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

/// A directory of one test: configurations, states and reports; hot segments are cleaned up with it.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("hot")).expect("a directory");
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{name}: {error}"));
        path
    }

    /// The binary with its home here.
    pub fn shrike(&self, arguments: &[&str]) -> Command {
        let mut command = shrike(self.path());
        command.args(arguments);
        command
    }

    /// `shrike run -c FILE` with more arguments.
    pub fn run(&self, config: &Path, arguments: &[&str]) -> Command {
        let mut command = shrike(self.path());
        command.arg("run").arg("-c").arg(config).args(arguments);
        command
    }

    /// Starts it with both outputs in a file, so that it never waits for a reader.
    pub fn start(&self, mut command: Command, output: &str) -> Running {
        let output = self.at(output);
        let file = std::fs::File::create(&output).expect("writable");
        let same = file.try_clone().expect("a handle");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::from(file))
            .stderr(Stdio::from(same));
        let child = command.spawn().expect("the binary runs");
        Running { child, output }
    }
}

/// How long anything may take on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A started binary; killed when the test is over, whatever came of it.
pub struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    /// What it has printed so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).expect("its output")).into_owned()
    }

    /// Waits until it has printed `text`.
    pub fn await_text(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.printed().contains(text) {
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "no {text:?} ({ended:?}) in:\n{}",
                self.printed()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Ends it without a chance to say anything.
    pub fn kill(mut self) -> String {
        // It may have ended by itself: then there is nothing to kill.
        let _ = self.child.kill();
        self.child.wait().expect("a child");
        self.printed()
    }

    /// Waits for its end; panics with everything printed unless its exit code is `code`.
    pub fn expect_end(mut self, code: i32) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                let printed = self.printed();
                assert_eq!(status.code(), Some(code), "{printed}");
                return printed;
            }
            assert!(Instant::now() < deadline, "no end:\n{}", self.printed());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
