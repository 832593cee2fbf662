//! A run that is killed at any moment comes back with the same orders, positions and cash.
//!
//! Runs on: tests; the binary as a user runs it, on a state directory of its own.
//! Owns: the moments of the kills (seeded), and the comparison with a model that shares no code with the engine.
//! Never: trusts what the engine says of itself without the journal's word.

mod common;
mod crash_model;

use std::path::Path;
use std::time::Duration;

use common::{Place, expect_code, session};
use crash_model::Model;
use rustix::process::Signal;

/// Small hot segments: they are recycled under load, and a start is quick.
const TRADING: &str = r#"
[journal]
segment_size = "256KiB"
[market]
source = "synthetic"
symbols = ["AAPL", "MSFT", "SPY", "IBM", "QQQ"]
[market.synthetic]
rows_per_second = 5000
[risk_management]
order_rate = 100000
cancel_reserve = 100000
duplicate_window = "0s"
max_feed_silence = "off"
[brokers.paper]
cash = "1000000"
fee_per_share = "0.005"
fee_minimum = "0.01"
#latency
[[algorithm]]
name = "demo"
"#;

/// A configuration for the state directory `state` of `place`; `own` goes to the demo's table. A state directory
/// whose name begins with `far` has a broker far away.
fn config(place: &Place, state: &str, own: &str) -> std::path::PathBuf {
    let dir = place.at(state);
    let latency = if state.starts_with("far") { FAR } else { "" };
    let text = format!(
        "[state]\ndir = {:?}\n{}{own}\n",
        dir.to_str().expect("text"),
        TRADING.replace("#latency", latency),
    );
    place.file(&format!("{state}-{}.toml", own.len()), text)
}

const BUSY: &str = r#"parameters = { interval = "2ms", quantity = 10 }"#;
const IDLE: &str = "enabled = false";
/// A broker that takes its time: kills meet orders, cancels and replaces that are on their way.
const FAR: &str = r#"order_latency = "20ms"
report_latency = "20ms"
latency_jitter = "15ms""#;

fn dump(place: &Place, state: &Path) -> Model {
    let state = state.to_str().expect("text");
    let output = place
        .shrike(&["journal", "dump", state, "--json"])
        .output()
        .expect("the binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Model::of(std::str::from_utf8(&output.stdout).expect("UTF-8"))
}

fn verify(place: &Place, state: &Path) {
    let state = state.to_str().expect("text");
    expect_code(place.shrike(&["journal", "verify", state]), 0);
}

fn epoch(state: &Path) -> u64 {
    // Nothing is there before the first start comes that far.
    let text = std::fs::read_to_string(state.join("EPOCH")).unwrap_or_else(|_| "0".to_owned());
    text.trim().parse().expect("a number")
}

/// SplitMix64: the same moments in every run.
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The banner's word on what was recovered, where the run lived long enough to say it.
fn assert_banner(printed: &str, before: &Model) {
    let Some(line) = printed.lines().find(|line| line.starts_with("recovered ")) else {
        return;
    };
    let open = format!(" {} working orders,", before.open().count());
    let held = format!(" {} open positions", before.held().len());
    assert!(
        line.contains(&open) && line.contains(&held),
        "{line}: {open}{held}"
    );
    for (broker, cash) in &before.cash {
        let said = line.split(&format!("{broker} cash ")).nth(1);
        let said = said.and_then(|rest| rest.split([';', ',', '\n']).next());
        let said = common::exact(said.expect("the broker's cash").trim());
        assert_eq!(said, *cash, "{line}");
    }
}

/// Kills a busy run after `moment_ms` and looks at what is left.
fn kill_at(place: &Place, state: &str, moment_ms: u64, before: &Model) -> Model {
    let dir = place.at(state);
    let epoch_before = epoch(&dir);
    let busy = place.run(&config(place, state, BUSY), &[]);
    let running = place.start(busy, "printed");
    std::thread::sleep(Duration::from_millis(moment_ms));
    let printed = running.kill();
    assert_banner(&printed, before);
    let grown = epoch(&dir) - epoch_before;
    assert!(grown <= 1, "the epoch grew by {grown} in one start");
    if !dir.join("IDENTITY").exists() {
        // It did not come as far as a journal.
        return Model::default();
    }
    verify(place, &dir);
    let after = dump(place, &dir);
    let journaled = after.epochs.last().copied().unwrap_or(0);
    assert!(
        journaled <= epoch(&dir),
        "an epoch is on disk before it is on record"
    );
    for (id, order) in &before.orders {
        let now = after
            .orders
            .get(id)
            .unwrap_or_else(|| panic!("{id} is gone"));
        assert!(now.filled >= order.filled, "{id} lost a fill");
    }
    after
}

/// A run without an algorithm: what was recovered is told exactly, what was pending is cleared up.
fn come_back(place: &Place, state: &str, before: &Model) -> Model {
    let dir = place.at(state);
    let epoch_before = epoch(&dir);
    let report = place.at("report");
    let report_text = report.to_str().expect("text");
    let quiet = config(place, state, IDLE);
    let printed = expect_code(
        place.run(&quiet, &["--for", "150ms", "--report", report_text]),
        0,
    );
    let session = session(&report);
    before.assert_recovered(&session);
    assert_eq!(session["epoch"], epoch_before + 1, "{printed}");
    for account in session["reconciliation"].as_array().expect("accounts") {
        assert_eq!(account["equal"], true, "{printed}");
    }
    for (what, count) in session["irregularities"].as_object().expect("figures") {
        assert!(
            *count == 0 || what == "unmarked_positions",
            "{what}: {printed}"
        );
    }
    assert_eq!(session["orders"]["in_doubt"], 0, "{printed}");
    let after = dump(place, &dir);
    after.assert_final(&session);
    assert!(after.in_order, "an orderly end is the last record");
    for (id, order) in before.open() {
        let now = &after.orders[id];
        if order.is_pending() {
            assert!(now.records > order.records, "{id} was never cleared up");
        }
        assert!(!now.is_pending(), "{id} is still {}", now.status());
    }
    assert_eq!(
        after.orders.len(),
        before.orders.len(),
        "nothing was sent without an algorithm"
    );
    after
}

/// What the kills of one state directory met.
#[derive(Default)]
struct Met {
    orders: usize,
    fills: u64,
    open: usize,
    pending: usize,
    absent: usize,
}

fn series(seed: u64, kills: u64, latest_ms: u64) -> Met {
    let place = Place::new();
    let state = if seed.is_multiple_of(2) {
        "near"
    } else {
        "far"
    };
    let mut moments = Moments(seed);
    let mut model = Model::default();
    let mut met = Met::default();
    for kill in 1..=kills {
        // Every third restart is killed almost at once.
        let limit = if kill % 3 == 2 { 60 } else { latest_ms };
        model = kill_at(&place, state, moments.below(limit), &model);
        met.open += model.open().count();
        met.pending += model.open().filter(|(_, order)| order.is_pending()).count();
        if kill % 3 == 0 {
            model = come_back(&place, state, &model);
        }
    }
    met.orders = model.orders.len();
    met.fills = model.fills;
    let absent = model
        .orders
        .values()
        .filter(|order| order.status() == "absent");
    met.absent = absent.count();
    met
}

#[test]
fn thirty_kills_at_random_moments_lose_and_repeat_nothing() {
    let mut total = Met::default();
    for seed in 1..=5 {
        let met = series(seed, 6, 900);
        total.orders += met.orders;
        total.fills += met.fills;
        total.open += met.open;
        total.pending += met.pending;
        total.absent += met.absent;
    }
    println!(
        "{} orders, {} fills; at the kills {} were working, {} of them pending; {} ended absent",
        total.orders, total.fills, total.open, total.pending, total.absent
    );
    assert!(total.orders > 500 && total.fills > 200, "the load was real");
    assert!(total.open > 10, "orders were working at the kills");
    assert!(total.pending > 10, "orders were on their way at the kills");
}

#[test]
fn sigterm_and_sigint_end_in_order_with_a_report() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let report = place.at("report");
        let arguments = ["--report", report.to_str().expect("text")];
        let run = place.run(&config(&place, "state", BUSY), &arguments);
        let mut running = place.start(run, "printed");
        running.await_text("    1s  orders ");
        running.signal(signal);
        let printed = running.expect_end(0);
        assert!(printed.contains("paper: reconciled"), "{printed}");
        let model = dump(&place, &place.at("state"));
        assert!(model.in_order, "an orderly end is the last record");
        model.assert_final(&session(&report));
        assert!(model.fills > 0, "{printed}");
    }
}

#[test]
fn a_resumed_run_begins_where_the_one_before_ended() {
    let place = Place::new();
    let reports = ["one", "two"].map(|name| place.at(name));
    for report in &reports {
        let report = report.to_str().expect("text");
        let run = place.shrike(&["run", "--resume", "--for", "1500ms", "--report", report]);
        expect_code(run, 0);
    }
    let [one, two] = reports.each_ref().map(|report| session(report));
    assert_eq!((&one["epoch"], &two["epoch"]), (&1.into(), &2.into()));
    assert!(one["fills"]["count"].as_u64() > Some(0));
    assert_eq!(two["recovered"]["cash"][0]["cash"], one["pnl"]["cash"]);
    let held = |session: &serde_json::Value, at: &str| -> Vec<_> {
        let rows = if at.is_empty() {
            &session["positions"]
        } else {
            &session[at]["positions"]
        };
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| (row["symbol"].clone(), row["quantity"].clone()))
            .collect()
    };
    assert_eq!(held(&two, "recovered"), held(&one, ""));
    // Without the word, a run without a file begins afresh.
    let fresh = place.at("fresh");
    let fresh_text = fresh.to_str().expect("text");
    expect_code(
        place.shrike(&["run", "--for", "100ms", "--report", fresh_text]),
        0,
    );
    assert_eq!(session(&fresh)["epoch"], 1);
    assert_eq!(session(&fresh)["recovered"]["cash"], serde_json::json!([]));
}

#[test]
fn a_daily_loss_halt_outlives_a_kill_and_a_restart() {
    let place = Place::new();
    let tiny = |own: &str| {
        let path = config(&place, "state", own);
        let text = std::fs::read_to_string(&path).expect("written before");
        let limit = "[risk_management]\nmax_daily_loss = 0.000002\n";
        place.file("tiny.toml", text.replace("[risk_management]\n", limit))
    };
    let first = place.at("first");
    let first_text = first.to_str().expect("text");
    let mut running = place.start(place.run(&tiny(BUSY), &[]), "printed");
    // Two dollars are gone within moments; then everything is refused.
    running.await_text("    2s  orders ");
    let before = {
        running.kill();
        dump(&place, &place.at("state"))
    };
    assert!(before.refused > 0, "the limit was met");
    let again = ["--for", "1s", "--report", first_text];
    let printed = expect_code(place.run(&tiny(BUSY), &again), 0);
    let session = session(&first);
    before.assert_recovered(&session);
    let state = &session["recovered"]["trading_states"][0];
    assert_eq!(state["scope"], "firm", "{session}");
    assert_eq!(state["state"], "halted");
    assert_eq!(state["cause"], "DailyLoss");
    assert_eq!(
        session["orders"]["approved"],
        session["recovered"]["orders"]
            .as_array()
            .expect("rows")
            .len(),
        "no new order passed: {printed}"
    );
    let refused = session["refusals"]["DailyLoss"].as_u64();
    assert!(refused > Some(0), "{printed}");
    assert_eq!(refused, session["orders"]["refused"].as_u64(), "{printed}");
}
