//! The pen allocates nothing after construction.
//!
//! Runs on: the test runner, alone in its process.
//! Owns: a counting allocator.
//! Never: counts what another test allocates.

#[path = "common/allocations.rs"]
mod allocations;

use shrike::journal::{JournalSettings, Pen, Record, create};
use shrike::types::{
    BootEpoch, BrokerId, ExecutionId, ExecutionReport, InstrumentId, Nanos, OrderId, Quantity,
    ReportKind, Side,
};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

#[test]
fn appending_allocates_nothing_rolls_and_refusals_included() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut settings = JournalSettings::new(dir.path(), dir.path().join("hot"), BootEpoch::FIRST);
    settings.segment_bytes = 8192;
    settings.hot_segments = 64;
    let (mut pen, _follower) = create(settings).expect("room");
    let (id, kind) = (OrderId::default(), ReportKind::Status);
    // Of the longest kind.
    let record = Record::Execution(ExecutionReport {
        execution_id: ExecutionId(1),
        quantity: Quantity::from_units(1),
        ..ExecutionReport::new(kind, id, BrokerId(0), InstrumentId(0), Side::Buy)
    });
    let before = allocations::of_this_thread();
    let mut appended = 0;
    while pen.has_room(1) {
        pen.append(&record, Nanos(1));
        appended += 1;
    }
    let refused = (0..100).filter(|_| !pen.has_room(1)).count();
    let after = allocations::of_this_thread();
    assert_eq!(after - before, 0);
    assert_eq!((appended, refused), (64 * 50, 100));
    // The counter counts.
    let boxed = std::hint::black_box(Box::new(appended));
    assert!(allocations::of_this_thread() > after, "{boxed}");
}
