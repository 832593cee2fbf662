//! An engine with 10,000 instruments and 100,000 open orders fits into 256 MiB, the files of the hot journal included.
//!
//! Runs on: the test runner; alone in its binary, since memory is the whole process's.
//! Owns: an engine with the paper broker and every table raised to these sizes.
//! Never: leaves out a part: every ring, every port and every cold table count, at their default sizes.

use std::time::{Duration, Instant};

use shrike::config::{Config, Layout};
use shrike::engine::{ExecutionEngine, SubmitError};
use shrike::types::{InstrumentId, Money, Order, Price, Quantity, Side, Symbol};

const INSTRUMENTS: u32 = 10_000;
const OPEN_ORDERS: u32 = 100_000;
const LIMIT_KIB: u64 = 256 << 10;
/// Far more than any machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A figure of `/proc/self/status`, in KiB.
fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|n| n.parse().ok()).expect("a number")
}

fn symbols() -> Vec<Symbol> {
    let letter = |n: u32| char::from(b'A' + (n % 26) as u8);
    (0..INSTRUMENTS)
        .map(|n| {
            let text: String = [n, n / 26, n / 676, n / 17_576]
                .map(letter)
                .iter()
                .collect();
            text.parse().expect("a symbol")
        })
        .collect()
}

fn config() -> Config {
    let mut config = Config::default();
    config.algorithms.clear();
    config.threads.layout = Layout::Shared;
    config.market.symbols = symbols();
    config.market.synthetic.rows_per_second = 20_000;
    config.brokers[0].cash = Money::from_whole(1_000_000_000);
    config.execution.max_open_orders = OPEN_ORDERS;
    config.risk.order_rate = 50_000;
    config
}

/// Orders that rest: far below the market, no two of an instrument at one price.
fn order(number: u32) -> Order {
    let cents = 8_500 + i64::from(number / INSTRUMENTS);
    Order::limit(
        InstrumentId(number % INSTRUMENTS),
        Side::Buy,
        Quantity::from_whole(1).expect("small"),
        Price::from_units(cents * 10_000_000),
    )
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_hundred_thousand_open_orders_in_ten_thousand_instruments_fit_into_256_mib() {
    let empty = status_kib("VmRSS:");
    let engine = ExecutionEngine::builder(config()).build().expect("builds");
    engine.initialize().expect("starts");
    engine.start_trading().expect("trades");
    wait_until("a quote of every instrument", || {
        let status = engine.get_comprehensive_status().expect("it runs");
        status.market_rows >= u64::from(INSTRUMENTS)
    });
    let started = status_kib("VmRSS:");
    let mut sent = 0;
    wait_until("every order to be open", || {
        let orders = engine.session_metrics().orders;
        // A symbol may lack one side of its quote for a moment: its order is refused, another takes its place.
        // Forty a millisecond: an order rate of 50,000 a second lets them through.
        std::thread::sleep(Duration::from_millis(1));
        let portion = sent + 40;
        while sent < portion && u64::from(sent) < u64::from(OPEN_ORDERS) + orders.refused {
            match engine.submit_cross_system_order(order(sent), None) {
                Ok(_) => sent += 1,
                Err(SubmitError::Busy { .. }) => break,
                Err(error) => panic!("order {sent}: {error}"),
            }
        }
        orders.open >= u64::from(OPEN_ORDERS)
    });
    let (peak, full) = (status_kib("VmHWM:"), status_kib("VmRSS:"));
    let files = config().journal;
    let journal = (files.segment_size * u64::from(files.segments)) >> 10;
    println!(
        "KiB: before {empty}, started {started}, full {full}, peak {peak}, of it hot journal {journal}, \
         locked {}",
        status_kib("VmLck:")
    );
    let session = engine.shutdown().expect("ends");
    drop(session);
    assert!(peak <= LIMIT_KIB, "{peak} KiB, {LIMIT_KIB} at most");
}
