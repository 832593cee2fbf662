//! What a runner does between cycles: idle strategies, and the one way to wake a parked thread.
//!
//! Runs on: each runner's own thread; a [`WakeHandle`] on any thread.
//! Owns: the step from spinning to yielding to parking, and the `parked` flag.
//! Never: parks without a limit, or makes a system call to wake a thread that is not parked.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_utils::CachePadded;

/// How a thread waits for work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdleStrategy {
    /// Never gives the core away: one pause instruction a cycle, no system call.
    Spin,
    /// Offers the core to other threads each idle cycle.
    Yield,
    /// Spins, then yields, then parks; another thread may wake it through its [`WakeHandle`].
    Backoff(Backoff),
    /// Sleeps `period_ns` whenever there is nothing to do: the cold threads' timed poll. Nobody wakes it for work,
    /// so that no hot thread pays for it.
    Sleep {
        /// Nanoseconds between polls.
        period_ns: u64,
    },
}

/// The bounds of [`IdleStrategy::Backoff`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Idle cycles that spin.
    pub spins: u32,
    /// Idle cycles after those that yield.
    pub yields: u32,
    /// The first park, in nanoseconds; each next one is twice as long.
    pub park_min_ns: u64,
    /// The longest park, in nanoseconds: also the longest that a lost wake-up could cost.
    pub park_max_ns: u64,
}

impl IdleStrategy {
    /// Hot agents that must not burn a laptop: 20 spins, 50 yields, then parks of 50 us to 1 ms.
    pub const BALANCED: Self = Self::Backoff(Backoff {
        spins: 20,
        yields: 50,
        park_min_ns: 50_000,
        park_max_ns: 1_000_000,
    });

    /// Whether it keeps a core to itself.
    #[must_use]
    pub const fn spins_forever(self) -> bool {
        matches!(self, Self::Spin)
    }

    /// Its name in tables and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Backoff(_) => "backoff",
            Self::Sleep { .. } => "sleep",
        }
    }
}

/// Shared between one idler and its wakers.
#[derive(Debug)]
struct ParkFlag {
    /// Set while the thread is parked or about to be.
    parked: CachePadded<AtomicBool>,
    /// The thread, once it runs.
    thread: OnceLock<Thread>,
    /// Whether the strategy ever parks for work.
    wakes_for_work: bool,
}

/// Wakes one runner's thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WakeHandle(Arc<ParkFlag>);

impl WakeHandle {
    /// Called after a message was written to one of the thread's rings: wakes the thread if it is parked or about to
    /// park, and does nothing else. Returns whether it did. Costs one comparison where the thread never parks for
    /// work, a fence and a load where it may.
    #[inline]
    pub fn wake(&self) -> bool {
        if !self.0.wakes_for_work {
            return false;
        }
        // Orders the caller's message before the look at the flag. The other half is in `Idler::park`: either this
        // sees the flag, or the thread's poll after it raised the flag sees the message.
        fence(Ordering::SeqCst);
        if !self.0.parked.load(Ordering::Relaxed) || !self.0.parked.swap(false, Ordering::AcqRel) {
            return false;
        }
        self.unpark();
        true
    }

    /// Wakes the thread whatever its strategy, for stopping it. A system call: not for the order path.
    pub fn wake_to_stop(&self) {
        self.0.parked.store(false, Ordering::Release);
        self.unpark();
    }

    /// Whether the thread is parked or about to park.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.0.parked.load(Ordering::Acquire)
    }

    fn unpark(&self) {
        if let Some(thread) = self.0.thread.get() {
            thread.unpark();
        }
    }
}

/// One thread's idle strategy at work.
#[derive(Debug)]
pub struct Idler {
    strategy: IdleStrategy,
    flag: Arc<ParkFlag>,
    idle_cycles: u32,
    park_ns: u64,
    /// This side's copy of the flag, so that a busy cycle costs no atomic.
    raised: bool,
}

impl Idler {
    /// At work for no thread yet: see [`attach`](Self::attach).
    ///
    /// # Panics
    /// When a back-off's shortest park is 0 or longer than its longest, or a sleep is 0.
    #[must_use]
    pub fn new(strategy: IdleStrategy) -> Self {
        let park_ns = match strategy {
            IdleStrategy::Spin | IdleStrategy::Yield => 0,
            IdleStrategy::Backoff(backoff) => {
                assert!(
                    0 < backoff.park_min_ns && backoff.park_min_ns <= backoff.park_max_ns,
                    "parks grow from a shortest above 0 to a longest"
                );
                backoff.park_min_ns
            }
            IdleStrategy::Sleep { period_ns } => {
                assert!(period_ns > 0, "a sleep takes time");
                period_ns
            }
        };
        Self {
            strategy,
            flag: Arc::new(ParkFlag {
                parked: CachePadded::new(AtomicBool::new(false)),
                thread: OnceLock::new(),
                wakes_for_work: matches!(strategy, IdleStrategy::Backoff(_)),
            }),
            idle_cycles: 0,
            park_ns,
            raised: false,
        }
    }

    /// A handle that wakes the thread this idler is attached to; it may be made, and used in vain, before.
    #[must_use]
    pub fn wake_handle(&self) -> WakeHandle {
        WakeHandle(Arc::clone(&self.flag))
    }

    /// The calling thread is the one that will idle.
    pub fn attach(&self) {
        let _ = self.flag.thread.set(std::thread::current());
    }

    /// Ends a cycle that did `work_count` items of work; returns whether the core may have been given away.
    #[inline]
    pub fn idle(&mut self, work_count: usize) -> bool {
        if work_count > 0 {
            self.reset();
            return false;
        }
        match self.strategy {
            IdleStrategy::Spin => {
                std::hint::spin_loop();
                false
            }
            IdleStrategy::Yield => {
                std::thread::yield_now();
                true
            }
            IdleStrategy::Backoff(backoff) => self.back_off(backoff),
            IdleStrategy::Sleep { period_ns } => {
                std::thread::park_timeout(Duration::from_nanos(period_ns));
                true
            }
        }
    }

    /// There was work: the next idle cycle begins from the start.
    #[inline]
    pub fn reset(&mut self) {
        self.idle_cycles = 0;
        if self.raised {
            self.raised = false;
            self.flag.parked.store(false, Ordering::Release);
        }
        if let IdleStrategy::Backoff(backoff) = self.strategy {
            self.park_ns = backoff.park_min_ns;
        }
    }

    #[cold]
    fn back_off(&mut self, backoff: Backoff) -> bool {
        if self.idle_cycles < backoff.spins {
            self.idle_cycles += 1;
            std::hint::spin_loop();
            return false;
        }
        if self.idle_cycles - backoff.spins < backoff.yields {
            self.idle_cycles += 1;
            std::thread::yield_now();
            return true;
        }
        self.park(backoff)
    }

    /// Raises the flag in one cycle and parks in the next: the poll between the two finds whatever was written
    /// before its writer could see the flag.
    fn park(&mut self, backoff: Backoff) -> bool {
        if !self.raised || !self.flag.parked.load(Ordering::Acquire) {
            self.raised = true;
            self.flag.parked.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            return false;
        }
        std::thread::park_timeout(Duration::from_nanos(self.park_ns));
        self.park_ns = self.park_ns.saturating_mul(2).min(backoff.park_max_ns);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const PARKS_AT_ONCE: IdleStrategy = IdleStrategy::Backoff(Backoff {
        spins: 0,
        yields: 0,
        park_min_ns: 20_000_000_000,
        park_max_ns: 20_000_000_000,
    });

    #[test]
    fn backing_off_spins_then_yields_then_raises_the_flag_then_parks_ever_longer() {
        let mut idler = Idler::new(IdleStrategy::Backoff(Backoff {
            spins: 2,
            yields: 1,
            park_min_ns: 1_000,
            park_max_ns: 3_000,
        }));
        idler.attach();
        let wake = idler.wake_handle();
        assert!(!idler.idle(0) && !idler.idle(0), "two spins");
        assert!(idler.idle(0), "one yield");
        assert!(!wake.is_parked());
        assert!(!idler.idle(0), "raises the flag, polls once more");
        assert!(wake.is_parked());
        let mut parks = Vec::new();
        for _ in 0..3 {
            parks.push(idler.park_ns);
            assert!(idler.idle(0), "parks");
        }
        assert_eq!(parks, [1_000, 2_000, 3_000]);
        assert!(!idler.idle(1));
        assert!(!wake.is_parked(), "work takes the flag down");
        assert!(!idler.idle(0), "and begins with spinning again");
        assert_eq!(idler.park_ns, 1_000);
    }

    #[test]
    fn nobody_is_woken_who_is_not_parked() {
        for strategy in [
            IdleStrategy::Spin,
            IdleStrategy::Yield,
            IdleStrategy::Sleep { period_ns: 1 },
        ] {
            let mut idler = Idler::new(strategy);
            idler.attach();
            idler.idle(0);
            assert!(!idler.wake_handle().wake(), "{strategy:?}");
        }
        let mut idler = Idler::new(PARKS_AT_ONCE);
        idler.attach();
        let wake = idler.wake_handle();
        assert!(!wake.wake(), "polling");
        idler.idle(0);
        assert!(wake.wake(), "about to park");
        assert!(!wake.wake(), "woken once");
    }

    #[test]
    fn a_wake_before_the_park_ends_the_park_at_once() {
        let mut idler = Idler::new(PARKS_AT_ONCE);
        idler.attach();
        let wake = idler.wake_handle();
        idler.idle(0);
        wake.wake();
        let started = Instant::now();
        // The flag is down: raised again, then a park that the earlier wake-up ends.
        assert!(!idler.idle(0));
        assert!(idler.idle(0));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn no_wake_up_is_lost_between_the_last_poll_and_the_park() {
        const ROUNDS: u64 = 50_000;
        let (mut there, mut here, _) = crate::ring::channel::<u64>("there", 1);
        let (mut back, mut answer, _) = crate::ring::channel::<u64>("back", 1);
        let mut idler = Idler::new(PARKS_AT_ONCE);
        let wake = idler.wake_handle();
        let sleeper = std::thread::spawn(move || {
            idler.attach();
            let mut seen = 0;
            while seen < ROUNDS {
                let mut work = 0;
                if let Some(n) = here.pop() {
                    seen = n;
                    work = 1;
                    back.push(n).expect("one at a time");
                    // The next message falls before, into and behind the last look before the park.
                    for _ in 0..n % 64 {
                        std::hint::spin_loop();
                    }
                }
                idler.idle(work);
            }
        });
        for n in 1..=ROUNDS {
            let started = Instant::now();
            there.push(n).expect("one at a time");
            wake.wake();
            // A lost wake-up would cost 20 s here.
            let mut looks = 0_u32;
            while answer.pop().is_none() {
                looks += 1;
                if looks.is_multiple_of(1_000) {
                    std::thread::yield_now();
                    assert!(started.elapsed() < Duration::from_secs(15), "lost at {n}");
                }
            }
        }
        sleeper.join().expect("sleeper");
    }
}
