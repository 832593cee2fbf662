//! A fixed number of checks of the risk gate, for an instruction counter, and their median time.
//!
//! Runs on: `cargo bench --bench gate_count -- INSTRUMENTS OPEN_ORDERS CHECKS`, or under callgrind:
//! the difference between runs of N and 2N checks is N checks with their closes, without start-up.
//! Owns: nothing.
//! Never: spends instructions that depend on the clock's resolution: times are kept, not printed
//! one by one.

mod gate_workload;

use std::hint::black_box;
use std::time::Instant;

use gate_workload::Workload;

const WARM_UP: usize = 140_000;
const BATCH: usize = 16;
/// Batches in one trial: shorter than a scheduler's slice.
const TRIAL: usize = 200;

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let [instruments, open_orders, checks] = numbers[..] else {
        // Without numbers (as `cargo test --benches` starts it) one short run shows that it works.
        return run(100, 100, 1_600);
    };
    run(instruments as u32, open_orders, checks);
}

fn run(instruments: u32, open_orders: usize, checks: usize) {
    let mut workload = Workload::new(instruments, open_orders);
    // Every table has been round once before the first trial.
    for _ in 0..WARM_UP {
        let (request, open) = (workload.request(), workload.open_orders());
        workload.approve(&request);
        if workload.open_orders() > open {
            workload.close_one();
        }
    }
    let mut times = Vec::with_capacity(checks / BATCH);
    let mut requests = Vec::with_capacity(BATCH);
    for _ in 0..checks / BATCH {
        requests.clear();
        requests.extend((0..BATCH).map(|_| workload.request()));
        let open = workload.open_orders();
        let start = Instant::now();
        for request in &requests {
            workload.approve(black_box(request));
        }
        times.push(start.elapsed().as_nanos());
        while workload.open_orders() > open {
            workload.close_one();
        }
    }
    let median = |times: &mut [u128]| {
        times.sort_unstable();
        times[times.len() / 2] as f64 / BATCH as f64
    };
    let best = times.chunks_mut(TRIAL).map(median).reduce(f64::min);
    let all = median(&mut times);
    let reading = workload.gate.reading();
    println!(
        "instruments {instruments} open {} checks {checks} refused {} \
         p50 {all:.1} ns, best trial {:.1} ns",
        reading.open_orders,
        reading.refusals,
        best.unwrap_or(all)
    );
}
