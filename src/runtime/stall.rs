//! How a runner's cycles went, readable from any thread.
//!
//! Runs on: the runner writes once a cycle; anybody reads.
//! Owns: the cycle counters, the longest cycle, and the heartbeat by which a supervisor sees a thread alive.
//! Never: counts time in which the thread had given its core away on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// The counters of one runner; each has one writer, so they cost plain stores.
#[derive(Debug, Default)]
pub struct CycleGauge {
    cycles: AtomicU64,
    busy_cycles: AtomicU64,
    work: AtomicU64,
    longest_ns: AtomicU64,
    stalls: AtomicU64,
    heartbeat: AtomicU64,
}

/// A reading of a [`CycleGauge`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CycleReading {
    /// Cycles begun.
    pub cycles: u64,
    /// Of these, ended with work done.
    pub busy_cycles: u64,
    /// Items of work done.
    pub work: u64,
    /// The longest cycle in nanoseconds. In a spinning thread it contains what the kernel or the host took away.
    pub longest_ns: u64,
    /// Cycles longer than the threshold.
    pub stalls: u64,
    /// When the last cycle began, in nanoseconds of the stage clock; 0 before the first.
    pub heartbeat: u64,
}

impl CycleGauge {
    /// The counters now.
    #[must_use]
    pub fn read(&self) -> CycleReading {
        CycleReading {
            cycles: self.cycles.load(Ordering::Relaxed),
            busy_cycles: self.busy_cycles.load(Ordering::Relaxed),
            work: self.work.load(Ordering::Relaxed),
            longest_ns: self.longest_ns.load(Ordering::Relaxed),
            stalls: self.stalls.load(Ordering::Relaxed),
            heartbeat: self.heartbeat.load(Ordering::Relaxed),
        }
    }
}

/// The writing side: measures from the start of one cycle to the start of the next.
#[derive(Debug)]
pub struct StallTracker {
    gauge: Arc<CachePadded<CycleGauge>>,
    threshold_ns: u64,
    reading: CycleReading,
    /// Whether the core was given away since the last cycle, so that the time since then is no cycle's.
    gave_way: bool,
}

impl StallTracker {
    /// Counts cycles longer than `threshold_ns` as stalls.
    #[must_use]
    pub fn new(threshold_ns: u64) -> Self {
        Self {
            gauge: Arc::default(),
            threshold_ns,
            reading: CycleReading::default(),
            gave_way: true,
        }
    }

    /// The reading side.
    #[must_use]
    pub fn gauge(&self) -> Arc<CachePadded<CycleGauge>> {
        Arc::clone(&self.gauge)
    }

    /// A cycle begins at `stamp` of the stage clock; the one before ended here.
    #[inline]
    pub fn begin(&mut self, stamp: u64) {
        if !self.gave_way {
            let took_ns = stamp.saturating_sub(self.reading.heartbeat);
            if took_ns > self.reading.longest_ns {
                self.reading.longest_ns = took_ns;
                self.gauge.longest_ns.store(took_ns, Ordering::Relaxed);
            }
            if took_ns > self.threshold_ns {
                self.reading.stalls += 1;
                let stalls = self.reading.stalls;
                self.gauge.stalls.store(stalls, Ordering::Relaxed);
            }
        }
        self.reading.heartbeat = stamp;
        self.reading.cycles += 1;
        self.gauge.heartbeat.store(stamp, Ordering::Relaxed);
        let cycles = self.reading.cycles;
        self.gauge.cycles.store(cycles, Ordering::Relaxed);
    }

    /// The cycle did `work` items.
    #[inline]
    pub fn worked(&mut self, work: usize) {
        if work > 0 {
            self.reading.busy_cycles += 1;
            self.reading.work += work as u64;
            let CycleReading {
                busy_cycles, work, ..
            } = self.reading;
            self.gauge.busy_cycles.store(busy_cycles, Ordering::Relaxed);
            self.gauge.work.store(work, Ordering::Relaxed);
        }
    }

    /// The cycle is over; `gave_way` tells whether the core was offered to others after it.
    #[inline]
    pub fn end(&mut self, gave_way: bool) {
        self.gave_way = gave_way;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cycles_are_counted_and_parked_time_is_not() {
        let mut tracker = StallTracker::new(100);
        let gauge = tracker.gauge();
        let mut cycle = |start: u64, work: usize, gave_way: bool| {
            tracker.begin(start);
            tracker.worked(work);
            tracker.end(gave_way);
        };
        cycle(1_000, 2, false);
        cycle(1_100, 0, false); // the first took 100: at the threshold, no stall
        cycle(1_350, 3, true); // the second took 250
        cycle(9_000, 0, false); // parked since the third
        cycle(9_010, 0, false);
        assert_eq!(
            gauge.read(),
            CycleReading {
                cycles: 5,
                busy_cycles: 2,
                work: 5,
                longest_ns: 250,
                stalls: 1,
                heartbeat: 9_010,
            }
        );
    }
}
