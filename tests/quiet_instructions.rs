//! Instructions that an order costs: flat in instruments and open orders, and no more than on record.
//!
//! Runs on: the test runner in release builds, and valgrind around further runs of this binary.
//! Owns: the workloads, the count of their instructions by callgrind, and the comparison with
//! `benches/instructions.toml`.
//! Never: counts start-up: callgrind collects inside [`measured_orders`] only; passes because it could not look, where
//! CI is set.
//!
//! `SHRIKE_RECORD=1 cargo test --release --test quiet_instructions` puts the counts of this build on record.

#[path = "quiet_instructions/callgrind.rs"]
mod callgrind;
mod hot_rig;
#[path = "quiet_instructions/workloads.rs"]
mod workloads;

use std::collections::BTreeMap;

use callgrind::{Baseline, Counts, count, may_skip};
use workloads::{Kind, Size, measured_orders};

/// Orders that are counted in a run.
const ORDERS: usize = 2_000;
const DRIVER: &str = "the_driver_runs_one_workload";

/// The workload that the environment names; nothing when the test is run as such.
#[test]
fn the_driver_runs_one_workload() {
    let Some(arguments) = std::env::var_os("SHRIKE_WORKLOAD") else {
        return;
    };
    let text = arguments.to_string_lossy();
    let mut words = text.split(' ');
    let kind: Kind = words.next().and_then(Kind::named).expect("a workload");
    let mut number = || {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number")
    };
    let size = Size {
        instruments: number(),
        open_orders: number(),
    };
    let mut workload = kind.prepare(size, ORDERS);
    measured_orders(workload.as_mut());
    workload.verify();
}

fn counts(kind: Kind, sizes: &[(u32, u32)]) -> Option<Vec<Counts>> {
    let mut found = Vec::new();
    for &(instruments, open_orders) in sizes {
        let workload = format!("{} {instruments} {open_orders}", kind.name());
        match count(DRIVER, &workload, ORDERS) {
            Ok(counts) => {
                println!("{workload}: {counts:?}");
                found.push(counts);
            }
            Err(why) => {
                may_skip(&why);
                return None;
            }
        }
    }
    Some(found)
}

/// The largest count over the smallest.
fn spread(counts: impl Iterator<Item = f64> + Clone) -> f64 {
    counts.clone().fold(0.0, f64::max) / counts.fold(f64::INFINITY, f64::min)
}

fn of_all(counts: &[Counts]) -> impl Iterator<Item = f64> + Clone + '_ {
    counts.iter().map(|counts| counts.total)
}

fn is_released() -> bool {
    if cfg!(debug_assertions) {
        println!("not looked at: instructions are counted in release builds");
    }
    !cfg!(debug_assertions)
}

#[test]
fn an_order_costs_the_same_whatever_the_size_and_no_more_than_on_record() {
    if !is_released() {
        return;
    }
    let gate_sizes = [
        (1, 0),
        (100, 0),
        (10_000, 0),
        (1, 100_000),
        (10_000, 100_000),
    ];
    let Some(gate) = counts(Kind::Gate, &gate_sizes) else {
        return;
    };
    let by_open_orders = [(100, 0), (100, 100_000)];
    let Some(fill) = counts(Kind::SimFill, &by_open_orders) else {
        return;
    };
    let Some(cancel) = counts(Kind::SimCancel, &by_open_orders) else {
        return;
    };
    let Some(path) = counts(Kind::Path, &by_open_orders) else {
        return;
    };
    let mut now = BTreeMap::from([
        ("gate", gate[4].total),
        ("sim_fill", fill[1].total),
        ("sim_cancel", cancel[1].total),
        ("path", path[1].total),
    ]);
    for (name, agent) in [("risk", 0), ("order", 1), ("gateway", 2)] {
        now.insert(name, path[1].agents[agent]);
    }
    let spreads = [
        ("gate", spread(of_all(&gate)), 1.02),
        ("sim_fill", spread(of_all(&fill)), 1.02),
        // A price level of a book is found in a tree: a thousand orders an instrument make it ten levels deep.
        ("sim_cancel", spread(of_all(&cancel)), 1.25),
        ("path", spread(of_all(&path)), 1.02),
        (
            "order",
            spread(path.iter().map(|counts| counts.agents[1])),
            1.02,
        ),
    ];
    println!("largest over smallest: {spreads:?}");
    for (name, spread, most) in spreads {
        assert!(spread <= most, "{name}: {spread:.4}, {most} at most");
    }
    Baseline::open().check(&now);
}
