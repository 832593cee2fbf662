//! The running engine: agents on threads, or all of them on the caller's.
//!
//! Runs on: the thread that drives the engine (the engine handle's callers, one at a time).
//! Owns: the runners, or the invoker and its virtual clock; the order in which they start and end.
//! Never: looks into an agent.

use std::time::{Duration, Instant};

use super::error::EngineError;
use crate::ring::Topology;
use crate::runtime::{
    Agent, Clock, Guard, Invoker, ManualTime, Runner, RunnerHandle, RunnerReading, WakeHandle,
    spawn_all,
};
use crate::types::Nanos;

/// Threads by the time of their end.
pub(super) struct Threads {
    /// RISK, ORDER, gateways.
    pub hot: Vec<RunnerHandle>,
    /// COLD and DELIVERY.
    pub cold: Vec<RunnerHandle>,
    /// JOURNAL, the last to end.
    pub journal: Vec<RunnerHandle>,
    /// MARKET and algorithms, the last to start and the first to end.
    pub feed: Vec<RunnerHandle>,
    /// MARKET and algorithms before [`Machine::start_feed`].
    pub waiting: Vec<Runner>,
    pub clock: Clock,
    pub guard: Guard,
}

/// See the module.
pub(super) enum Machine {
    /// Agents on threads.
    Threads(Threads),
    /// All agents polled by the caller; `pace` is how many thousandths of real time virtual time runs at, `None` for
    /// as fast as can be.
    Invoker {
        invoker: Box<Invoker>,
        time: ManualTime,
        pace: Option<u64>,
        started: bool,
    },
}

/// An agent that wakes parked hot threads after it has done something: what it wrote may be for them.
pub(super) struct Waking {
    agent: Box<dyn Agent>,
    wakes: Vec<WakeHandle>,
}

impl Waking {
    /// The agent itself where nobody parks.
    pub fn around(agent: Box<dyn Agent>, wakes: &[WakeHandle]) -> Box<dyn Agent> {
        if wakes.is_empty() {
            return agent;
        }
        Box::new(Self {
            agent,
            wakes: wakes.to_vec(),
        })
    }
}

impl Agent for Waking {
    fn name(&self) -> &'static str {
        self.agent.name()
    }

    fn on_start(&mut self, now: Nanos) {
        self.agent.on_start(now);
    }

    fn poll(&mut self, now: Nanos) -> usize {
        let work = self.agent.poll(now);
        if work > 0 {
            for wake in &self.wakes {
                wake.wake();
            }
        }
        work
    }

    fn next_deadline(&self) -> Option<Nanos> {
        self.agent.next_deadline()
    }

    fn on_close(&mut self, now: Nanos) {
        self.agent.on_close(now);
    }
}

/// How long an orderly end waits for what is under way.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// Looks at which every ring was empty before the engine counts as drained.
const QUIET_LOOKS: u32 = 5;

impl Machine {
    /// Starts MARKET and the algorithms.
    pub fn start_feed(&mut self) -> Result<(), EngineError> {
        match self {
            Self::Threads(threads) => {
                let waiting = std::mem::take(&mut threads.waiting);
                threads.feed = spawn_all(waiting, &threads.clock, &threads.guard)?;
                Ok(())
            }
            Self::Invoker {
                invoker,
                time,
                started,
                ..
            } => {
                invoker.start()?;
                invoker.run_until_idle(time.now())?;
                *started = true;
                Ok(())
            }
        }
    }

    /// Lets the engine run for `duration` of wall time. With an invoker this is where the work is done: `more` is
    /// asked between steps and ends the run early.
    pub fn run_for(
        &mut self,
        duration: Duration,
        mut more: impl FnMut() -> bool,
    ) -> Result<(), EngineError> {
        let started = Instant::now();
        match self {
            Self::Threads(_) => {
                // Cold: the caller waits for the engine's threads.
                std::thread::sleep(duration);
                Ok(())
            }
            Self::Invoker {
                invoker,
                time,
                pace,
                ..
            } => {
                let limit = pace.map(|per_mille| {
                    let ns = duration.as_nanos() * u128::from(per_mille) / 1_000;
                    time.now().plus(u64::try_from(ns).unwrap_or(u64::MAX))
                });
                let reached = step_to(invoker, limit, || {
                    more() && (limit.is_some() || started.elapsed() < duration)
                })?;
                if let (Some(limit), true) = (limit, reached) {
                    invoker.run_until_idle(limit)?;
                    std::thread::sleep(duration.saturating_sub(started.elapsed()));
                }
                Ok(())
            }
        }
    }

    /// Polls once round in the invoker layout, so that what was just submitted is dealt with.
    pub fn settle(&mut self) -> Result<(), EngineError> {
        if let Self::Invoker { invoker, time, .. } = self {
            invoker.run_until_idle(time.now())?;
        }
        Ok(())
    }

    /// Moves virtual time on to `until`, so that orders which end by then have ended; nothing to do with threads.
    pub fn run_out(&mut self, until: Nanos, open: impl Fn() -> bool) -> Result<(), EngineError> {
        if let Self::Invoker { invoker, .. } = self {
            step_to(invoker, Some(until), open)?;
        }
        Ok(())
    }

    /// Ends MARKET and the algorithms, then waits until what is under way has arrived.
    /// `settle` is how long something may be under way where nobody sees it: a simulated broker's latency.
    pub fn drain(&mut self, topology: &Topology, settle: Duration) -> Result<(), EngineError> {
        match self {
            Self::Threads(threads) => {
                threads.waiting.clear();
                stop(&mut threads.feed);
                std::thread::sleep(settle);
                let deadline = Instant::now() + DRAIN_LIMIT;
                let mut quiet = 0;
                while quiet < QUIET_LOOKS && Instant::now() < deadline {
                    // Reports to ports whose holders are gone stay where they are.
                    let busy = topology
                        .readings()
                        .iter()
                        .any(|ring| ring.depth > 0 && !ring.name.starts_with("port_reports"));
                    quiet = if busy { 0 } else { quiet + 1 };
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(())
            }
            Self::Invoker { started: false, .. } => Ok(()),
            Self::Invoker { invoker, time, .. } => {
                let settle_ns = u64::try_from(settle.as_nanos()).unwrap_or(u64::MAX);
                step_to(invoker, Some(time.now().plus(settle_ns)), || true)?;
                invoker.run_until_idle(time.now())?;
                Ok(())
            }
        }
    }

    /// Ends every agent: hot ones first, then COLD and DELIVERY, JOURNAL last.
    pub fn close(&mut self) -> Result<(), EngineError> {
        match self {
            Self::Threads(threads) => {
                stop(&mut threads.feed);
                stop(&mut threads.hot);
                stop(&mut threads.cold);
                stop(&mut threads.journal);
                Ok(())
            }
            Self::Invoker {
                invoker, started, ..
            } => {
                if std::mem::take(started) {
                    invoker.close()?;
                }
                Ok(())
            }
        }
    }

    /// Whether the caller's thread is the engine's.
    pub const fn is_invoker(&self) -> bool {
        matches!(self, Self::Invoker { .. })
    }

    /// Counters of every thread.
    pub fn readings(&self) -> Vec<RunnerReading> {
        match self {
            Self::Threads(threads) => threads
                .hot
                .iter()
                .chain(&threads.cold)
                .chain(&threads.journal)
                .chain(&threads.feed)
                .map(RunnerHandle::reading)
                .collect(),
            Self::Invoker { .. } => Vec::new(),
        }
    }
}

/// Steps from deadline to deadline while `more` says so; whether `limit` or the end of all deadlines was reached.
fn step_to(
    invoker: &mut Invoker,
    limit: Option<Nanos>,
    mut more: impl FnMut() -> bool,
) -> Result<bool, EngineError> {
    /// Steps between two questions: a question may read the wall clock.
    const STEPS: u32 = 64;
    loop {
        for _ in 0..STEPS {
            match invoker.next_deadline() {
                None => return Ok(true),
                Some(deadline) if limit.is_some_and(|limit| deadline > limit) => return Ok(true),
                Some(_) => invoker.advance()?,
            };
        }
        if !more() {
            return Ok(false);
        }
    }
}

fn stop(handles: &mut Vec<RunnerHandle>) {
    for handle in handles.iter() {
        handle.request_stop();
    }
    for handle in handles.drain(..) {
        // Panics of agents are on the fault board; the thread itself ends in order.
        drop(handle.join());
    }
}
