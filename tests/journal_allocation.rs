//! The pen allocates nothing after construction.
//!
//! Runs on: the test runner, alone in its process: the counting allocator sees every thread.
//! Owns: the counting allocator.
//! Never: counts what another test allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use shrike::journal::{JournalSettings, Pen, Record, create};
use shrike::types::{
    BootEpoch, BrokerId, ExecutionReport, InstrumentId, Nanos, OrderId, ReportKind, Side,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code)]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's own.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn appending_allocates_nothing_rolls_and_refusals_included() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut settings = JournalSettings::new(dir.path(), dir.path().join("hot"), BootEpoch::FIRST);
    settings.segment_bytes = 8192;
    settings.hot_segments = 64;
    let (mut pen, _follower) = create(settings).expect("room");
    let record = Record::Execution(ExecutionReport::new(
        ReportKind::Sent,
        OrderId::default(),
        BrokerId(0),
        InstrumentId(0),
        Side::Buy,
    ));
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut appended = 0;
    while pen.has_room(1) {
        pen.append(&record, Nanos(1));
        appended += 1;
    }
    let refused = (0..100).filter(|_| !pen.has_room(1)).count();
    let after = ALLOCATIONS.load(Ordering::Relaxed);
    assert_eq!(after - before, 0);
    assert_eq!((appended, refused), (64 * 50, 100));
    // The counter counts.
    let boxed = std::hint::black_box(Box::new(appended));
    assert!(ALLOCATIONS.load(Ordering::Relaxed) > after, "{boxed}");
}
