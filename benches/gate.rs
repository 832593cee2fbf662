//! Time of one check of the risk gate, all controls on, by number of instruments and open orders.
//!
//! Runs on: `cargo bench --bench gate`.
//! Owns: nothing.
//! Never: times the making of orders, their closing or the quotes: batches of 32 checks are timed
//! alone.

mod gate_workload;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gate_workload::Workload;

const BATCH: u64 = 32;

fn checks(workload: &mut Workload, iterations: u64) -> Duration {
    let mut timed = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let count = left.min(BATCH);
        let requests: Vec<_> = (0..count).map(|_| workload.request()).collect();
        let open = workload.open_orders();
        let start = Instant::now();
        for request in &requests {
            workload.approve(black_box(request));
        }
        timed += start.elapsed();
        while workload.open_orders() > open {
            workload.close_one();
        }
        left -= count;
    }
    timed
}

fn gate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("risk_gate_check");
    for instruments in [1, 10_000] {
        for open_orders in [0, 100_000] {
            let mut workload = Workload::new(instruments, open_orders);
            let name = format!("{instruments}_instruments");
            group.bench_function(BenchmarkId::new(name, open_orders), |bencher| {
                bencher.iter_custom(|iterations| checks(&mut workload, iterations));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, gate);
criterion_main!(benches);
