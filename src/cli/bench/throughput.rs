//! Orders a second through RISK, ORDER and the paper broker on one composite thread.
//!
//! Runs on: the caller's thread, the pinned composite's, and for the sustained figure one that copies the journal.
//! Owns: batches (the composite's own cost), bursts of 100,000 on the hot journal, and the sustained rate on the disk.
//! Never: leaves out what a port and the cold side do: reports and events are taken while orders are sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::gate::bare_trip;
use super::machine;
use super::path::{layout_plan, place_caller, start_hot};
use super::report::{Figure, Goal};
use super::rig::{Desk, Failure, Pace, RigSettings, START, Tally, rig};
use super::trials::{FEWEST_LEFT, Trial, best, median};
use super::twin;
use crate::journal::JournalFollower;
use crate::runtime::{Clock, Invoker, Layout, ManualTime, RunnerHandle};

const INSTRUMENTS: u32 = 100;
/// Orders of a burst.
const BURST: u64 = 100_000;
/// Orders a second that are asked for.
const GOAL: f64 = 1e6;
/// Times that the kernel may take a processor away during a burst that counts.
const PREEMPTIONS: u64 = 2;
/// Hot segments of 8 MiB that hold a burst.
const BURST_SEGMENTS: usize = 8;
/// Orders given to the composite at a time.
const BATCH: u64 = 256;
/// Batches a trial: below 4 ms.
const BATCHES: usize = 8;
/// Virtual time of a batch: a million orders a second.
const BATCH_NS: u64 = BATCH * Pace::Storm.step_ns();
/// Reports and events taken between two looks at the port's ring.
const TAKEN: usize = 64;
/// Reports that the port's ring holds: a port whose thread sleeps through more of them is stopped, and on a shared
/// machine a thread may sleep for several milliseconds.
const PORT_REPORTS: usize = 32_768;
/// A burst that takes longer has stopped.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines of the report, and what was not decided.
pub(super) struct Rates {
    pub figures: Vec<Figure>,
    pub notes: Vec<String>,
}

/// The composite's cost of an order when it has more to do than one: everything on the caller's thread, and only the
/// agents' polls timed.
pub(super) fn batches(trials: usize) -> Result<Figure, Failure> {
    let time = ManualTime::new(START);
    let clock = Clock::manual(time.clone());
    let (hot, mut desk) = rig(&RigSettings {
        clock: clock.clone(),
        instruments: INSTRUMENTS,
        pace: Pace::Storm,
        port_reports: None,
        hot_segments: BURST_SEGMENTS,
    })?;
    let mut builder = Invoker::builder();
    for agent in hot {
        builder = builder.agent(agent);
    }
    let mut invoker = builder.build(time.clone(), desk.guard.clone());
    let failed = |error: crate::runtime::InvokerError| error.to_string();
    invoker.start().map_err(failed)?;
    let (mut caller, mut stages) = twin::twin();
    let mut found = Vec::new();
    for round in 0..=trials {
        desk.quote_all(|| {});
        invoker.run_until_idle(time.now()).map_err(failed)?;
        let twin_ns = bare_trip(&clock, &mut caller, &mut stages);
        let mut rates = Vec::with_capacity(BATCHES);
        for _ in 0..BATCHES {
            for _ in 0..BATCH {
                let order = desk.source.marketable();
                desk.submit(order);
            }
            let now = time.now().plus(BATCH_NS);
            let begin = clock.stamp();
            invoker.run_until_idle(now).map_err(failed)?;
            rates.push((clock.stamp() - begin) as f64 / BATCH as f64);
            desk.take_reports(usize::MAX);
            desk.take_events(usize::MAX);
        }
        desk.copy_journal()?;
        if round > 0 {
            let figures_ns = vec![median(&mut rates)];
            found.push(Trial {
                twin_ns,
                figures_ns,
            });
        }
    }
    invoker.close().map_err(failed)?;
    desk.check()?;
    let name = "composite: cost of an order in batches of 256, three reports each";
    Ok(Figure::new(name, "ns", &best(&found), 0).goal(Goal::AtMost(1_000.0)))
}

/// The pinned composite with its caller on another core.
struct Running {
    desk: Desk,
    handles: Vec<RunnerHandle>,
}

impl Running {
    fn start(hot_segments: usize) -> Result<Self, Failure> {
        let plan = layout_plan(Layout::SharedHot)?;
        let (hot, mut desk) = rig(&RigSettings {
            clock: Clock::real(),
            instruments: INSTRUMENTS,
            pace: Pace::Storm,
            port_reports: Some(PORT_REPORTS),
            hot_segments,
        })?;
        let handles = start_hot(&plan, &desk, hot, |_, agents| agents)?;
        place_caller(&plan)?;
        let deadline = Instant::now() + PATIENCE;
        while !desk.is_ready() {
            if Instant::now() > deadline {
                return Err("the broker did not greet".to_owned());
            }
            std::thread::yield_now();
        }
        desk.quote_all(std::thread::yield_now);
        Ok(Self { desk, handles })
    }

    /// Sends until `enough` says so and every order has its fill; the time from the first push to the last fill's
    /// report.
    fn send(&mut self, mut enough: impl FnMut(u64) -> bool) -> Result<Duration, Failure> {
        let desk = &mut self.desk;
        let begin = Instant::now();
        let before = desk.source.made();
        let mut waits = false;
        while !enough(desk.source.made() - before) {
            for _ in 0..TAKEN / 4 {
                // One refusal counts once, however often the caller looks before there is room.
                let busy = desk.tally.busy;
                if !desk.has_room() {
                    desk.tally.busy = busy + u64::from(!waits);
                    waits = true;
                    break;
                }
                waits = false;
                let order = desk.source.marketable();
                desk.submit(order);
            }
            desk.take_reports(TAKEN);
            desk.take_events(TAKEN);
        }
        let made = desk.source.made();
        let deadline = Instant::now() + PATIENCE;
        while desk.tally.filled + desk.tally.other < made {
            desk.take_reports(TAKEN);
            desk.take_events(TAKEN);
            if Instant::now() > deadline {
                return Err(format!("only {} of {made} orders done", desk.tally.filled));
            }
        }
        Ok(begin.elapsed())
    }

    fn end(self) -> Result<(Tally, u64), Failure> {
        for handle in self.handles {
            handle.join().ok_or("a hot thread did not end in order")?;
        }
        let tally = self.desk.tally;
        Ok((tally, self.desk.check()?))
    }
}

fn on_a_thread<T: Send>(body: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let ended = scope.spawn(body).join();
        ended.unwrap_or_else(|_| Err("the measuring thread panicked".to_owned()))
    })
}

/// Bursts of 100,000 orders into the hot journal. A burst is longer than a scheduler's slice: it counts when the kernel
/// let both threads run through.
pub(super) fn bursts(count: usize) -> Result<Rates, Failure> {
    on_a_thread(|| {
        let mut running = Running::start(BURST_SEGMENTS)?;
        let on_tmpfs = running.desk.on_tmpfs;
        let (mut rates, mut undisturbed) = (Vec::with_capacity(count), 0);
        for round in 0..=count {
            running.desk.copy_journal()?;
            running.desk.quote_all(std::thread::yield_now);
            let before = machine::preemptions();
            let took = running.send(|made| made >= BURST)?;
            if round > 0 {
                rates.push(BURST as f64 / took.as_secs_f64());
                let after = machine::preemptions();
                let taken = after.zip(before).map(|(after, before)| after - before);
                undisturbed += usize::from(taken.is_none_or(|taken| taken <= PREEMPTIONS));
            }
        }
        let (tally, records) = running.end()?;
        let most = rates.iter().copied().fold(0.0, f64::max);
        let middle = median(&mut rates);
        let name = format!("shared_hot: burst of {BURST} orders, best of {count}");
        let reached = most >= GOAL;
        let conclusive = reached || undisturbed >= FEWEST_LEFT;
        let mut figure = Figure::derived(name, "orders/s", most, conclusive);
        (figure.trials_kept, figure.trials) = (undisturbed, count);
        let place = if on_tmpfs { "tmpfs" } else { "no tmpfs" };
        Ok(Rates {
            figures: vec![figure.goal(Goal::AtLeast(GOAL))],
            notes: vec![format!(
                "bursts: median {middle:.0} orders/s; {} orders, {} fills, Busy {} times, \
                 {records} journal records; hot journal on {place}",
                tally.accepted, tally.filled, tally.busy
            )],
        })
    })
}

/// Copies the journal until told to stop.
fn follow(follower: &mut JournalFollower, clock: &Clock, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        if follower.poll(clock.now()) == 0 {
            std::thread::yield_now();
        }
    }
}

/// As fast as the disk lets it go, for so long.
pub(super) fn sustained(duration: Duration) -> Result<Rates, Failure> {
    on_a_thread(|| {
        let mut running = Running::start(4)?;
        let clock = running.desk.clock.clone();
        let stop = AtomicBool::new(false);
        let (took, status) = std::thread::scope(|scope| {
            let (stop, clock) = (&stop, &clock);
            // The follower is the desk's again when the thread has ended.
            let mut follower = running.desk.lend_follower().ok_or("no journal")?;
            let status = follower.status();
            let thread = scope.spawn(move || {
                follow(&mut follower, clock, stop);
                follower
            });
            let end = Instant::now() + duration;
            let took = running.send(|_| Instant::now() >= end);
            stop.store(true, Ordering::Release);
            let follower = thread.join().map_err(|_| "the journal's thread panicked");
            running.desk.take_follower_back(follower?);
            Ok::<_, Failure>((took?, status))
        })?;
        let (bytes, syncs) = (status.disk_bytes(), status.syncs());
        let (tally, records) = running.end()?;
        let rate = tally.accepted as f64 / took.as_secs_f64();
        let name = format!(
            "shared_hot: sustained, disk behind it, {:.0} s",
            took.as_secs_f64()
        );
        Ok(Rates {
            figures: vec![Figure::derived(name, "orders/s", rate, true)],
            notes: vec![format!(
                "sustained: {} orders, {} fills, Busy {} times, {records} journal records, \
                 {} MB and {syncs} syncs",
                tally.accepted,
                tally.filled,
                tally.busy,
                bytes / 1_000_000
            )],
        })
    })
}
