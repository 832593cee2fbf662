//! The hot thread of a running engine calls no kernel between the start of trading and its end.
//!
//! Runs on: the test runner, and strace around a second run of this binary.
//! Owns: an engine in the `shared_hot` layout with the `latency` profile, whose paper broker fills orders.
//! Never: passes because it could not look, where CI is set.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use shrike::config::{Config, Layout, Profile};
use shrike::engine::{ExecutionEngine, SubmitError};
use shrike::types::{InstrumentId, Money, Order, Quantity, Side};

const ORDERS: u64 = 2_000;
const PATIENCE: Duration = Duration::from_secs(120);
const TRACED: &str = "an_engine_fills_orders_between_two_marks";

/// A system call that nothing else in this program makes.
fn mark() {
    let _ = rustix::process::getppid();
}

fn config() -> Config {
    let mut config = Config::default();
    config.algorithms.clear();
    config.threads.layout = Layout::SharedHot;
    config.threads.profile = Profile::Latency;
    config.risk.order_rate = 1 << 17;
    config.brokers[0].cash = Money::from_whole(1_000_000_000);
    config.execution.max_position_size = Quantity::from_whole(1_000_000).expect("small");
    config
}

/// Buys and sells by turns, no two alike within the window of the check for duplicates.
fn order(number: u64) -> Order {
    let side = if number.is_multiple_of(2) {
        Side::Buy
    } else {
        Side::Sell
    };
    let quantity = Quantity::from_whole(1 + (number / 2 % 500) as i64).expect("small");
    Order::market(InstrumentId((number / 1_000 % 4) as u32), side, quantity)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

fn can_spin() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

#[test]
fn an_engine_fills_orders_between_two_marks() {
    if !can_spin() {
        return;
    }
    let engine = ExecutionEngine::builder(config()).build().expect("builds");
    engine.initialize().expect("starts");
    engine.start_trading().expect("trades");
    mark();
    wait_until("a quote of every instrument", || {
        let status = engine.get_comprehensive_status().expect("it runs");
        status.market_rows >= 100
    });
    let mut sent = 0;
    while sent < ORDERS {
        match engine.submit_cross_system_order(order(sent), None) {
            Ok(_) => sent += 1,
            Err(SubmitError::Busy { .. }) => std::thread::yield_now(),
            Err(error) => panic!("order {sent}: {error}"),
        }
    }
    let done = || {
        let orders = engine.session_metrics().orders;
        orders.filled + orders.refused + orders.canceled + orders.rejected
    };
    wait_until("every order to be done", || done() >= ORDERS);
    let orders = engine.session_metrics().orders;
    mark();
    assert!(orders.filled > ORDERS / 2, "{orders:?}");
    engine.shutdown().expect("ends");
}

/// The hot thread's lines of a trace between the two marks, and whether there were both.
fn hot_calls(trace: &str) -> Option<Vec<&str>> {
    let named = trace.lines().find(|line| line.contains("\"shrike-hot\""))?;
    let hot = named.split_whitespace().next()?;
    let mut marks = 0;
    let mut calls = Vec::new();
    for line in trace.lines() {
        if line.contains("getppid(") {
            marks += 1;
        } else if marks == 1 && line.split_whitespace().next() == Some(hot) {
            calls.push(line);
        }
    }
    (marks == 2).then_some(calls)
}

/// Runs the engine under strace.
fn traced(file: &Path) -> Result<String, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("strace")
        .args(["-f", "-e", "trace=all", "-o"])
        .arg(file)
        .arg(this)
        .args(["--exact", TRACED, "--nocapture"])
        .output()
        .map_err(|error| format!("strace does not run: {error}"))?;
    let trace = std::fs::read_to_string(file).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !trace.contains("getppid(") {
        return Err(format!("strace saw nothing: {said}"));
    }
    assert!(output.status.success(), "the traced engine failed: {said}");
    Ok(trace)
}

#[test]
fn the_hot_thread_calls_no_kernel_while_orders_fill() {
    let looked = if can_spin() {
        let directory = tempfile::tempdir().expect("a directory");
        traced(&directory.path().join("trace"))
    } else {
        Err("a hot thread that spins needs a second core beside it".to_owned())
    };
    match looked {
        Ok(trace) => {
            let calls = hot_calls(&trace).expect("the hot thread and both marks are in the trace");
            assert!(calls.is_empty(), "{calls:#?}");
        }
        Err(why) => {
            let must = std::env::var_os("CI").is_some();
            assert!(!must, "this must be looked at where CI is set: {why}");
            eprintln!("not looked at: {why}");
        }
    }
}

#[test]
fn the_trace_reader_sees_the_hot_threads_calls_only() {
    let trace = "7 prctl(PR_SET_NAME, \"shrike-hot\") = 0\n7 write(1) = 1\n8 getppid() = 1\n8 futex(1) = 0\n\
                 7 futex(1) = 0\n8 getppid() = 1\n7 exit(0)";
    assert_eq!(hot_calls(trace), Some(vec!["7 futex(1) = 0"]));
    assert_eq!(hot_calls("8 getppid() = 1"), None);
}
