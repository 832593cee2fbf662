//! Faults that a review found, one test each, so that none comes back.
//!
//! Runs on: tests; whole engines in this process, or the binary as a user runs it.
//! Owns: the scenario of each fault.
//! Never: repeats what another file tests.

mod common;

use std::path::Path;
use std::time::Duration;

use common::{expect_code, shrike};
use shrike::config::Config;
use shrike::engine::{Algorithm, Context, EngineError, ExecutionEngine};
use shrike::journal::StateDir;
use shrike::types::{Order, Quantity, QuoteUpdate, Scope, Side, TradingState};

fn text(dir: &Path, broker: &str, more: &str) -> String {
    let dir = dir.display();
    format!(
        "trading_mode = \"paper\"\n[state]\ndir = \"{dir}\"\n[market]\nsource = \"synthetic\"\nsymbols = [\"IBM\"]\n\
         [brokers.{broker}]\nkind = \"paper\"\n{more}\n"
    )
}

fn config(dir: &Path) -> Config {
    Config::parse(&text(dir, "paper", ""), "test.toml").expect("valid")
}

/// Buys a share with every callback, the first before any market data.
struct Eager;

impl Eager {
    fn buy(context: &mut Context<'_>) {
        let ibm = context.instrument("IBM").expect("listed");
        let one = Quantity::from_whole(1).expect("small");
        // An error means that nothing was sent.
        let _ = context.submit(Order::market(ibm, Side::Buy, one).allow_duplicate());
    }
}

impl Algorithm for Eager {
    fn on_start(&mut self, context: &mut Context<'_>) {
        Self::buy(context);
    }

    fn on_quote(&mut self, context: &mut Context<'_>, _quote: &QuoteUpdate) {
        Self::buy(context);
    }
}

/// Runs for a while; approved orders. `active` is an operator's word.
fn approved(dir: &Path, active: bool) -> u64 {
    let engine = ExecutionEngine::builder(config(dir))
        .algorithm("eager", &[], Box::new(Eager))
        .build()
        .expect("built");
    engine.initialize().expect("initialized");
    engine.start_trading().expect("started");
    engine.run_for(Duration::from_millis(200)).expect("runs");
    let metrics = engine.session_metrics();
    assert!(metrics.orders.submitted > 0, "it tried");
    if active {
        let state = TradingState::Active;
        engine.set_trading_state(Scope::Firm, state).expect("taken");
        engine.run_for(Duration::from_millis(50)).expect("runs");
    }
    engine.shutdown().expect("ended");
    metrics.orders.submitted - metrics.orders.refused
}

#[test]
fn a_start_after_a_fault_is_halted_before_the_first_order_until_an_operator_says_otherwise() {
    let dir = tempfile::tempdir().expect("a directory");
    let marker = || StateDir::open(dir.path()).expect("free").read_halt();
    let state = StateDir::open(dir.path()).expect("free");
    state.write_halt("a test").expect("written");
    drop(state);
    assert_eq!(approved(dir.path(), false), 0, "halted by the marker");
    assert!(marker().expect("readable").is_some(), "nobody lifted it");
    assert_eq!(
        approved(dir.path(), true),
        0,
        "halted until the operator's word"
    );
    assert_eq!(marker().expect("readable"), None, "lifted");
    assert!(approved(dir.path(), false) > 0, "an operator lifted it");
}

#[test]
fn an_engine_dropped_without_a_shutdown_has_ended_before_its_state_is_free() {
    let dir = tempfile::tempdir().expect("a directory");
    for _ in 0..3 {
        let engine = ExecutionEngine::builder(config(dir.path()))
            .algorithm("eager", &[], Box::new(Eager))
            .build()
            .expect("built");
        engine.initialize().expect("nobody else is there");
        engine.start_trading().expect("started");
        engine.run_for(Duration::from_millis(30)).expect("runs");
    }
}

#[test]
fn what_is_on_its_way_arrives_before_a_shutdown_ends_the_session() {
    let dir = tempfile::tempdir().expect("a directory");
    let more = "order_latency = \"80ms\"\nreport_latency = \"80ms\"\nlatency_jitter = \"20ms\"";
    let demo = "\n[[algorithm]]\nname = \"demo\"";
    let file = dir.path().join("c.toml");
    let state = dir.path().join("s");
    std::fs::write(&file, text(&state, "paper", &format!("{more}{demo}"))).expect("written");
    let mut command = shrike(dir.path());
    command.args(["run", "--for", "2s", "--config"]).arg(&file);
    let printed = expect_code(command, 0);
    assert!(printed.contains("reconciled"), "{printed}");
    assert!(!printed.contains("NOT RECONCILED"), "{printed}");
}

#[test]
fn names_longer_than_the_journal_keeps_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = "a_paper_broker_of_long";
    let demo = "[[algorithm]]\nname = \"demo\"\nid = \"an_algorithm_with_a_long_name\"";
    let file = dir.path().join("c.toml");
    std::fs::write(&file, text(&dir.path().join("s"), broker, demo)).expect("written");
    for _ in 0..2 {
        let mut command = shrike(dir.path());
        command.args(["run", "--for", "1s", "--config"]).arg(&file);
        expect_code(command, 0);
    }
}

#[test]
fn two_names_that_the_journal_could_not_tell_apart_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    for (first, second) in [
        ("a_name_of_twenty_three_b_1", "a_name_of_twenty_three_b_2"),
        ("one", "engine"),
    ] {
        let built = ExecutionEngine::builder(config(dir.path()))
            .algorithm(first, &[], Box::new(Eager))
            .algorithm(second, &[], Box::new(Eager))
            .build();
        assert!(matches!(
            built.err(),
            Some(EngineError::AlgorithmName { .. })
        ));
    }
}
