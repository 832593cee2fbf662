//! After an agent's panic: the run fails, the next start is halted, and stays so until somebody lifts it.
//!
//! Runs on: tests.
//! Owns: a fault on the board, as a runner leaves it there; the runners' own tests plant real panics.
//! Never: is built into the library.

use std::path::Path;
use std::time::{Duration, Instant};

use super::execution_engine::Stage;
use super::{EngineError, ExecutionEngine, RefusalReason, RunState, SubmitOutcome};
use crate::config::{AlgorithmConfig, Config};
use crate::runtime::Fault;
use crate::types::{KillScope, Nanos, Order, Quantity, RefusalCode, Scope, Side, TradingState};

const PATIENCE: Duration = Duration::from_secs(30);

fn engine(dir: &Path) -> ExecutionEngine {
    let mut config = Config::default();
    config.state.dir = Some(dir.to_owned());
    config.journal.segment_size = 1 << 20;
    config.algorithms = vec![AlgorithmConfig::new("demo")];
    config.market.symbols = vec!["IBM".parse().expect("a symbol")];
    let engine = ExecutionEngine::builder(config).build().expect("it fits");
    engine.initialize().expect("a free directory");
    engine
}

fn buy(engine: &ExecutionEngine) -> SubmitOutcome {
    let ibm = engine.instrument("IBM").expect("a symbol");
    let order = Order::market(ibm, Side::Buy, Quantity::from_whole(1).expect("one"));
    let outcome = engine.submit_and_wait(order, None, PATIENCE);
    outcome.expect("queued")
}

fn is_halted(outcome: SubmitOutcome) -> bool {
    matches!(outcome, SubmitOutcome::Refused(_, RefusalReason::Engine(refusal))
        if refusal.code == RefusalCode::Halted)
}

#[test]
fn a_fault_fails_the_run_and_halts_every_start_until_it_is_lifted() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = engine(dir.path());
    first.start_trading().expect("it starts");
    match &*super::cold_agents::locked(&first.stage) {
        Stage::Wired(wired) => wired.guard.faults.record(Fault {
            thread: "shrike-hot".to_owned(),
            agent: "order",
            scope: KillScope::Firm,
            time: Nanos(1),
            message: "planted".to_owned(),
        }),
        _ => panic!("it was started"),
    }
    let state = first.run_for(Duration::from_millis(1)).expect("it ran");
    let RunState::Faulted(error @ EngineError::Fault(_)) = state else {
        panic!("{state:?}");
    };
    assert!(error.to_string().contains("planted"), "{error}");
    assert!(!error.is_usage());
    first.shutdown().expect("a report all the same");

    // Halted from the first order on, the demo's included, at every start.
    for _ in 0..2 {
        let next = engine(dir.path());
        assert!(
            next.banner()
                .contains("trading is halted since the last run")
        );
        assert!(next.banner().contains("planted"));
        next.start_trading().expect("it starts");
        assert!(is_halted(buy(&next)));
        let deadline = Instant::now() + PATIENCE;
        while next.session_metrics().orders.refused < 3 {
            assert!(Instant::now() < deadline, "the demo goes on trying");
            next.run_for(Duration::from_millis(5)).expect("it runs");
        }
        let session = next.shutdown().expect("an orderly end");
        assert_eq!(session.report.orders.approved, 0, "{session}");
    }

    let lifting = engine(dir.path());
    lifting.start_trading().expect("it starts");
    lifting.reset_latches().expect("lifted");
    assert!(is_halted(buy(&lifting)), "this run is still halted");
    lifting
        .set_trading_state(Scope::Firm, TradingState::Active)
        .expect("queued");
    assert!(!is_halted(buy(&lifting)));
    lifting.shutdown().expect("an orderly end");

    let last = engine(dir.path());
    last.start_trading().expect("it starts");
    assert!(!last.banner().contains("halted"), "{}", last.banner());
    assert!(!is_halted(buy(&last)));
}
