//! The duty cycle of a spinning thread allocates nothing and calls no kernel.
//!
//! Runs on: the test runner, and strace around a second run of this binary.
//! Owns: the proof for the runtime itself, with agents that do nothing but pass a message on.
//! Never: passes because it could not look, where CI is set.

#[path = "common/allocations.rs"]
mod allocations;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shrike::ring::{Consumer, Producer, channel};
use shrike::runtime::{
    Agent, Clock, Guard, IdleStrategy, Placement, Runner, RunnerSettings, WakeHandle, spawn_all,
};
use shrike::types::Nanos;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const WARM_POLLS: u64 = 1_000;
const MEASURED_POLLS: u64 = 200_000;

/// Passes a number round and counts its own thread's allocations between two polls.
struct Passer {
    input: Consumer<u64>,
    output: Producer<u64>,
    wake: Option<WakeHandle>,
    polls: u64,
    at_start: u64,
    /// Allocations plus one, once measured.
    result: Arc<AtomicU64>,
}

/// A system call that nothing else in this program makes.
fn marker() {
    let _ = rustix::process::getppid();
}

impl Agent for Passer {
    fn name(&self) -> &'static str {
        "PASSER"
    }

    fn poll(&mut self, _now: Nanos) -> usize {
        self.polls += 1;
        if self.polls == WARM_POLLS {
            self.at_start = allocations::of_this_thread();
            marker();
        } else if self.polls == WARM_POLLS + MEASURED_POLLS {
            marker();
            let count = allocations::of_this_thread() - self.at_start;
            self.result.store(count + 1, Ordering::Release);
        }
        // Two of three cycles are idle; every full ring is refused once more.
        if !self.polls.is_multiple_of(3) {
            return 0;
        }
        if self.output.push(self.polls).is_err() {
            self.input.available();
            while self.input.pop().is_some() {}
        }
        if let Some(wake) = &self.wake {
            wake.wake();
        }
        1
    }
}

fn allocations_of_a_spinning_thread() -> u64 {
    let (output, input, _gauge) = channel("loop", 4);
    let result = Arc::new(AtomicU64::new(0));
    let settings = |name: &str, idle| RunnerSettings {
        name: name.to_owned(),
        placement: Placement::Anywhere,
        idle,
        stall_threshold_ns: 1_000,
    };
    let spinner = Runner::new(settings("shrike-quiet", IdleStrategy::Spin)).expect("name");
    let passer = Passer {
        input,
        output,
        wake: Some(spinner.wake_handle()),
        polls: 0,
        at_start: 0,
        result: Arc::clone(&result),
    };
    let spinner = spinner.agent(Box::new(passer));
    let handles = spawn_all(vec![spinner], &Clock::real(), &Guard::default()).expect("starts");
    let count = loop {
        match result.load(Ordering::Acquire) {
            0 => std::thread::yield_now(),
            measured => break measured - 1,
        }
    };
    let reading = handles[0].reading().cycles;
    assert!(reading.busy_cycles > MEASURED_POLLS / 4, "{reading:?}");
    for handle in handles {
        assert!(handle.join().is_some());
    }
    count
}

#[test]
fn a_spinning_thread_allocates_nothing() {
    let before = allocations::of_this_thread();
    drop(Box::new(7_u64));
    assert_eq!(allocations::of_this_thread() - before, 2, "the count works");
    assert_eq!(allocations_of_a_spinning_thread(), 0);
}

/// System calls of the thread that made the markers, between its first two.
fn calls_between_markers(trace: &str) -> Option<Vec<&str>> {
    let tid = trace.lines().find(|line| line.contains("getppid("))?;
    let tid = tid.split_whitespace().next()?;
    let mut own = trace
        .lines()
        .filter(|line| line.split_whitespace().next() == Some(tid))
        .skip_while(|line| !line.contains("getppid("))
        .skip(1);
    let mut calls = Vec::new();
    loop {
        let line = own.next()?;
        if line.contains("getppid(") {
            return Some(calls);
        }
        // The end of the first marker, which strace shows apart when another thread got in between.
        if !line.contains("getppid resumed") {
            calls.push(line);
        }
    }
}

#[test]
fn a_spinning_thread_calls_no_kernel() {
    if std::env::var_os("SHRIKE_UNDER_STRACE").is_some() {
        return;
    }
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("trace");
    match traced(&file) {
        Ok(trace) => {
            let calls = calls_between_markers(&trace).expect("both markers are in the trace");
            assert!(calls.is_empty(), "{calls:#?}");
        }
        Err(why) => {
            let must = std::env::var_os("CI").is_some();
            assert!(!must, "strace is needed where CI is set: {why}");
            eprintln!("not looked at: {why}");
        }
    }
}

/// Runs the allocation test under strace.
fn traced(file: &Path) -> Result<String, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("strace")
        .args(["-f", "-o"])
        .arg(file)
        .arg(this)
        .args(["--exact", "a_spinning_thread_allocates_nothing"])
        .env("SHRIKE_UNDER_STRACE", "1")
        .output()
        .map_err(|error| format!("strace does not run: {error}"))?;
    let trace = std::fs::read_to_string(file).unwrap_or_default();
    if !output.status.success() && !trace.contains("getppid(") {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    assert!(output.status.success(), "the traced test failed");
    Ok(trace)
}

#[test]
fn the_trace_reader_sees_a_call_between_the_markers() {
    let trace = "7 getppid( <unfinished ...>\n8 futex(1) = 0\n7 <... getppid resumed>) = 1\n\
                 7 write(1) = 1\n7 getppid() = 1\n7 exit(0)";
    assert_eq!(calls_between_markers(trace), Some(vec!["7 write(1) = 1"]));
    assert_eq!(calls_between_markers("7 getppid() = 1"), None);
}
