//! A thread that polls agents: named, pinned, with one clock reading a cycle.
//!
//! Runs on: its own thread; the handle on the engine's.
//! Owns: the duty cycle, from the first agent's start hook to the last one's close hook.
//! Never: allocates, locks or calls the kernel in the cycle of a spinning thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crossbeam_utils::CachePadded;

use super::affinity::{AffinityError, Placement, place_current_thread};
use super::agent::Agent;
use super::clock::Clock;
use super::composite::{Agents, Composite, Guard, Member};
use super::idle::{IdleStrategy, Idler, WakeHandle};
use super::memory::prefault_stack;
use super::stall::{CycleGauge, CycleReading, StallTracker};
use crate::types::KillScope;

/// Characters of a thread's name that the kernel keeps.
pub const MAX_THREAD_NAME: usize = 15;

/// Bytes of a runner's stack, enough for anybody's code.
const STACK_BYTES: usize = 2 << 20;
/// Bytes of a stack that only this crate's agents use. Where memory is locked every page of a stack is resident,
/// used or not.
pub(crate) const AGENT_STACK_BYTES: usize = 512 << 10;

/// How a runner runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunnerSettings {
    /// The thread's name, at most [`MAX_THREAD_NAME`] bytes, as debuggers and `top -H` show it.
    pub name: String,
    /// Where it may run.
    pub placement: Placement,
    /// How it waits.
    pub idle: IdleStrategy,
    /// A cycle longer than this, in nanoseconds, is counted as a stall.
    pub stall_threshold_ns: u64,
}

/// Why a runner did not start. No agent of it was called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The kernel would cut the name off.
    #[error("thread name {0:?} has {len} bytes, at most 15 are possible", len = .0.len())]
    NameTooLong(String),
    /// A thread that polls nothing.
    #[error("thread {0} has no agent")]
    NoAgent(String),
    /// The operating system gave no thread.
    #[error("thread {name} could not be started: {source}")]
    Spawn {
        /// Its name.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The thread did not get its core.
    #[error("thread {name}: {source}")]
    Place {
        /// Its name.
        name: String,
        /// Why.
        source: AffinityError,
    },
    /// The thread ended before it said that it was ready.
    #[error("thread {0} ended before it was ready")]
    Died(String),
}

/// A runner being put together.
#[derive(Debug)]
pub struct Runner {
    settings: RunnerSettings,
    members: Vec<Member>,
    idler: Idler,
    stack_bytes: usize,
}

/// What is left of a runner that ended.
#[derive(Debug)]
pub struct RunnerOutcome {
    /// Its name.
    pub name: String,
    /// Its agents.
    pub agents: Agents,
    /// Its last counters.
    pub cycles: CycleReading,
}

/// Counters of a runner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunnerReading {
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub placement: Placement,
    /// How it waits.
    pub idle: IdleStrategy,
    /// Its cycles.
    pub cycles: CycleReading,
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const STOPPING: u8 = 2;

/// A running runner. Dropping it asks the thread to stop and does not wait for it.
#[derive(Debug)]
pub struct RunnerHandle {
    settings: RunnerSettings,
    phase: Arc<CachePadded<AtomicU8>>,
    wake: WakeHandle,
    gauge: Arc<CachePadded<CycleGauge>>,
    thread: Option<JoinHandle<RunnerOutcome>>,
}

impl Runner {
    /// Without agents yet.
    ///
    /// # Errors
    /// [`RunnerError::NameTooLong`].
    pub fn new(settings: RunnerSettings) -> Result<Self, RunnerError> {
        if settings.name.len() > MAX_THREAD_NAME {
            return Err(RunnerError::NameTooLong(settings.name));
        }
        let idler = Idler::new(settings.idle);
        Ok(Self {
            settings,
            members: Vec::new(),
            idler,
            stack_bytes: STACK_BYTES,
        })
    }

    /// Another size of stack.
    #[must_use]
    pub(crate) const fn with_stack(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }

    /// Adds an agent behind those before it; a panic of it stops the firm.
    #[must_use]
    pub fn agent(self, agent: Box<dyn Agent>) -> Self {
        self.agent_of(agent, KillScope::Firm)
    }

    /// Adds an agent whose panic stops `scope` only, as an algorithm's does.
    #[must_use]
    pub fn agent_of(mut self, agent: Box<dyn Agent>, scope: KillScope) -> Self {
        self.members.push(Member { agent, scope });
        self
    }

    /// Wakes this runner's thread when it is parked: for those who write to its rings.
    #[must_use]
    pub fn wake_handle(&self) -> WakeHandle {
        self.idler.wake_handle()
    }

    /// Starts the thread, which places itself, touches its stack and then waits for
    /// [`begin`](RunnerHandle::begin): no agent is called before every thread of the engine has got its core.
    ///
    /// # Errors
    /// [`RunnerError`]; the thread is gone and its agents are dropped uncalled.
    pub fn spawn(self, clock: Clock, guard: Guard) -> Result<RunnerHandle, RunnerError> {
        let name = self.settings.name.clone();
        if self.members.is_empty() {
            return Err(RunnerError::NoAgent(name));
        }
        let tracker = StallTracker::new(self.settings.stall_threshold_ns);
        let (ready, placed) = sync_channel(1);
        let phase = Arc::new(CachePadded::new(AtomicU8::new(WAITING)));
        let mut handle = RunnerHandle {
            settings: self.settings.clone(),
            phase: Arc::clone(&phase),
            wake: self.idler.wake_handle(),
            gauge: tracker.gauge(),
            thread: None,
        };
        let body = Body {
            agents: Composite::new(name.clone(), self.members, guard),
            idler: self.idler,
            tracker,
            clock,
            phase,
        };
        let placement = self.settings.placement;
        let thread = Builder::new()
            .name(name.clone())
            .stack_size(self.stack_bytes)
            .spawn(move || body.run(&placement, &ready))
            .map_err(|source| RunnerError::Spawn {
                name: name.clone(),
                source,
            })?;
        match placed.recv() {
            Ok(Ok(())) => {
                handle.thread = Some(thread);
                Ok(handle)
            }
            Ok(Err(source)) => Err(RunnerError::Place { name, source }),
            Err(_) => Err(RunnerError::Died(name)),
        }
    }
}

/// Starts every runner, or none: agents are called only after all threads have got their cores.
///
/// # Errors
/// The first [`RunnerError`]; the runners before it are gone, their agents dropped uncalled.
pub fn spawn_all(
    runners: Vec<Runner>,
    clock: &Clock,
    guard: &Guard,
) -> Result<Vec<RunnerHandle>, RunnerError> {
    let mut handles: Vec<RunnerHandle> = Vec::with_capacity(runners.len());
    for runner in runners {
        match runner.spawn(clock.clone(), guard.clone()) {
            Ok(handle) => handles.push(handle),
            Err(error) => {
                for handle in handles {
                    drop(handle.join());
                }
                return Err(error);
            }
        }
    }
    for handle in &handles {
        handle.begin();
    }
    Ok(handles)
}

impl RunnerHandle {
    /// Lets the agents run.
    pub fn begin(&self) {
        let _ = self
            .phase
            .compare_exchange(WAITING, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        self.wake.wake_to_stop();
    }

    /// Asks the thread to end after the cycle in progress. What is still in its rings is the engine's to drain first.
    pub fn request_stop(&self) {
        self.phase.store(STOPPING, Ordering::Release);
        self.wake.wake_to_stop();
    }

    /// Whether the thread has ended, by itself only when all its agents panicked.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its counters now.
    #[must_use]
    pub fn reading(&self) -> RunnerReading {
        RunnerReading {
            name: self.settings.name.clone(),
            placement: self.settings.placement.clone(),
            idle: self.settings.idle,
            cycles: self.gauge.read(),
        }
    }

    /// Stops the thread and waits until it has ended; `None` when it did not end in order, which no panic of an
    /// agent can cause.
    #[must_use]
    pub fn join(mut self) -> Option<RunnerOutcome> {
        self.request_stop();
        let thread = self.thread.take()?;
        // A handler on the thread itself may hold the last reference to the engine.
        if thread.thread().id() == std::thread::current().id() {
            return None;
        }
        thread.join().ok()
    }
}

impl Drop for RunnerHandle {
    fn drop(&mut self) {
        self.request_stop();
    }
}

/// What the thread itself holds.
struct Body {
    agents: Composite,
    idler: Idler,
    tracker: StallTracker,
    clock: Clock,
    phase: Arc<CachePadded<AtomicU8>>,
}

impl Body {
    fn run(
        mut self,
        placement: &Placement,
        ready: &SyncSender<Result<(), AffinityError>>,
    ) -> RunnerOutcome {
        self.idler.attach();
        let placed = place_current_thread(placement);
        let runs = placed.is_ok();
        prefault_stack();
        if ready.send(placed).is_ok() && runs && self.wait_for_begin() {
            self.agents.start(self.clock.now());
            self.poll_until_stopped();
            self.agents.close(self.clock.now());
        }
        let name = self.agents.thread().to_owned();
        RunnerOutcome {
            name,
            agents: self.agents.into_agents(),
            cycles: self.tracker.gauge().read(),
        }
    }

    fn wait_for_begin(&self) -> bool {
        loop {
            match self.phase.load(Ordering::Acquire) {
                WAITING => std::thread::park(),
                phase => return phase == RUNNING,
            }
        }
    }

    /// The duty cycle, begun again without the agent that panicked.
    fn poll_until_stopped(&mut self) {
        let Self {
            agents,
            idler,
            tracker,
            clock,
            phase,
        } = self;
        while !agents.is_empty() {
            let ended = agents.guarded(|agents| {
                while phase.load(Ordering::Acquire) == RUNNING {
                    let (now, stamp) = clock.read();
                    tracker.begin(stamp);
                    let work = agents.poll(now);
                    tracker.worked(work);
                    tracker.end(idler.idle(work));
                }
            });
            if ended.is_ok() {
                return;
            }
            idler.reset();
        }
    }
}
