//! What the journal costs: appending an intent and an execution report, and reading a journal back.
//!
//! Runs on: `cargo bench --bench journal`.
//! Owns: journals in temporary directories, their hot segments where the engine's would be.
//! Never: counts the copier's work in the pen's time; it polls between batches.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shrike::journal::{
    Journal, JournalFollower, JournalSettings, JournalWriter, Pen, Record, create, hot_dir_below,
};
use shrike::types::*;

fn journal(dir: &std::path::Path) -> (JournalWriter, JournalFollower) {
    let mut settings = JournalSettings::new(
        dir,
        hot_dir_below(std::path::Path::new("/dev/shm"), dir, 64 << 20),
        BootEpoch::FIRST,
    );
    settings.fsync = false;
    create(settings).expect("room")
}

fn intent(n: u64) -> Record {
    let quantity = Quantity::from_units(n as i64);
    let limit = Price::from_units(n as i64);
    Record::Intent(ApprovedOrder {
        request: OrderRequest {
            order_id: OrderId::from_raw(n),
            strategy: StrategyId::ENGINE,
            preferred_broker: None,
            order: Order::limit(InstrumentId(3), Side::Buy, quantity, limit),
            submitted_at: Nanos(n),
            decision_price: limit,
            signal_stamp: n,
        },
        collar: None,
        risk_price: limit,
        risk_offset: 80,
        broker: BrokerId(0),
    })
}

fn execution(n: u64) -> Record {
    Record::Execution(ExecutionReport {
        execution_id: ExecutionId(u128::from(n)),
        last_quantity: Quantity::from_units(n as i64),
        ..ExecutionReport::new(
            ReportKind::Fill,
            OrderId::from_raw(n),
            BrokerId(0),
            InstrumentId(3),
            Side::Buy,
        )
    })
}

/// A kind of record by name.
type Maker = (&'static str, fn(u64) -> Record);

/// Time of `count` appends, in batches of at most 10,000 with the copier between them.
fn append(
    pen: &mut JournalWriter,
    follower: &mut JournalFollower,
    make: fn(u64) -> Record,
    count: u64,
) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = count;
    while left > 0 {
        let batch = left.min(10_000);
        while !pen.has_room(batch as usize) {
            follower.poll(Nanos(0));
        }
        let began = Instant::now();
        for n in 0..batch {
            if pen.has_room(1) {
                black_box(pen.append(black_box(&make(n)), Nanos(n)));
            }
        }
        spent += began.elapsed();
        left -= batch;
        follower.poll(Nanos(u64::MAX));
    }
    spent
}

fn appending(c: &mut Criterion) {
    let makers: [Maker; 2] = [("intent", intent), ("execution", execution)];
    for (name, make) in makers {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut pen, mut follower) = journal(dir.path());
        c.bench_function(&format!("append {name}"), |b| {
            b.iter_custom(|count| append(&mut pen, &mut follower, make, count));
        });
        follower.close(Nanos(0)).expect("writable");
    }
}

fn reading(c: &mut Criterion) {
    const RECORDS: u64 = 1_000_000;
    let dir = tempfile::tempdir().expect("a directory");
    let (mut pen, mut follower) = journal(dir.path());
    append(&mut pen, &mut follower, execution, RECORDS);
    follower.close(Nanos(0)).expect("writable");
    let mut group = c.benchmark_group("read");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(RECORDS));
    group.bench_function("verify a million records", |b| {
        b.iter(|| Journal::verify(dir.path(), None).expect("sound").records);
    });
    group.finish();
}

criterion_group!(benches, appending, reading);
criterion_main!(benches);
