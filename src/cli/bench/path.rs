//! The whole path: signal to encoded, and submit to the fill's report, beside the bare twin.
//!
//! Runs on: the caller's thread, and the pinned threads of the layout that is measured.
//! Owns: the alternation of order and bare message on the same threads, and the settling between them.
//! Never: lets one order meet the work of another: an order is sent when the one before is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use super::report::{Figure, Goal};
use super::rig::{Desk, Failure, Hot, Pace, RigSettings, START, rig};
use super::trials::{Best, Trial, best, median};
use super::twin::{self, Caller, Stage};
use crate::cold::StageLatency;
use crate::runtime::layout::{Plan, PlanRequest, plan};
use crate::runtime::{
    Agent, Clock, Invoker, Layout, LayoutChoice, ManualTime, Placement, Profile, Role, Runner,
    RunnerHandle, RunnerSettings, affinity, spawn_all, usable_cores,
};
use crate::types::Nanos;

/// Orders a trial: with as many bare messages below 4 ms.
const ORDERS: usize = 500;
const INSTRUMENTS: u32 = 100;
const HOT_SEGMENTS: usize = 4;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a layout's measurement gave.
pub(super) struct Measured {
    pub best: Best,
    pub latency: StageLatency,
    /// Records of the journal that was checked.
    pub records: u64,
}

impl Measured {
    /// Lines of the report.
    pub fn figures(&self, layout: &str, open: usize) -> Vec<Figure> {
        let best = &self.best;
        let open = match open {
            0 => String::new(),
            open => format!(", {open} open orders"),
        };
        let internal = format!("{layout}: signal to encoded, journaled{open}");
        let fill = format!("{layout}: submit to fill report{open}");
        let (above, ratio) = (
            best.figures_ns[0] - best.twin_ns,
            best.figures_ns[0] / best.twin_ns,
        );
        let derived = |what: &str, unit, value| {
            let name = format!("{layout}: {what} the bare twin{open}");
            Figure::derived(name, unit, value, best.is_conclusive())
        };
        vec![
            Figure::new(internal, "ns", best, 0),
            if layout == "dedicated" {
                derived("the same by", "x", ratio).goal(Goal::AtMost(2.5))
            } else {
                derived("the same above", "ns", above).goal(Goal::AtMost(400.0))
            },
            Figure::new(fill, "ns", best, 1).goal(Goal::AtMost(2_000.0)),
        ]
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) -> Result<(), Failure> {
    let mut looks = 0u32;
    let mut deadline = None;
    while !done() {
        std::hint::spin_loop();
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(65_536) {
            let end = *deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
            if Instant::now() > end {
                return Err(format!("no answer in {PATIENCE:?}: {what}"));
            }
        }
    }
    Ok(())
}

/// All on one thread, with virtual time.
pub(super) fn invoker(trials: usize) -> Result<Measured, Failure> {
    let time = ManualTime::new(START);
    let clock = Clock::manual(time.clone());
    let (hot, mut desk) = rig(&RigSettings {
        clock: clock.clone(),
        instruments: INSTRUMENTS,
        pace: Pace::Calm,
        port_reports: None,
        hot_segments: HOT_SEGMENTS,
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
        let mut twins = Vec::with_capacity(ORDERS);
        let (mut internal, mut fills) = (Vec::with_capacity(ORDERS), Vec::with_capacity(ORDERS));
        for _ in 0..ORDERS {
            twins.push(bare_here(&clock, &mut caller, &mut stages));
            let order = desk.source.marketable();
            let signal = desk.submit(order);
            let now = time.now().plus(Pace::Calm.step_ns());
            invoker.run_until_idle(now).map_err(failed)?;
            desk.take_reports(usize::MAX);
            let end = clock.stamp();
            desk.take_events(usize::MAX);
            internal.push(desk.tally.last_internal_ns as f64);
            fills.push((end - signal) as f64);
        }
        desk.copy_journal()?;
        if round > 0 {
            found.push(Trial {
                twin_ns: median(&mut twins),
                figures_ns: vec![median(&mut internal), median(&mut fills)],
            });
        }
    }
    invoker.close().map_err(failed)?;
    Ok(Measured {
        best: best(&found),
        latency: desk.latency.clone(),
        records: desk.check()?,
    })
}

fn bare_here(clock: &Clock, caller: &mut Caller, stages: &mut [Stage; 3]) -> f64 {
    let begin = clock.stamp();
    let pushed = caller.to_risk.push([begin; _]);
    debug_assert!(pushed.is_ok(), "invariant: the ring is empty");
    for stage in stages {
        stage.poll(|| clock.stamp());
    }
    caller
        .arrived
        .pop()
        .map_or(f64::NAN, |end| (end - begin) as f64)
}

/// Whose turn it is on one hot thread.
#[derive(Default)]
struct Turn {
    bare: CachePadded<AtomicBool>,
    /// What the thread last saw.
    seen: CachePadded<AtomicBool>,
}

/// The agents of one thread, and the twin's stages, in turns.
struct Alternating {
    agents: Hot,
    stages: Vec<Stage>,
    turn: Arc<Turn>,
    clock: Clock,
}

impl Agent for Alternating {
    fn name(&self) -> &'static str {
        "alternating"
    }

    fn on_start(&mut self, now: Nanos) {
        for agent in &mut self.agents {
            agent.on_start(now);
        }
    }

    fn poll(&mut self, now: Nanos) -> usize {
        if self.turn.bare.load(Ordering::Acquire) {
            self.turn.seen.store(true, Ordering::Release);
            let Self { stages, clock, .. } = self;
            while self.turn.bare.load(Ordering::Relaxed) {
                for stage in &mut *stages {
                    stage.poll(|| clock.stamp());
                }
            }
            self.turn.seen.store(false, Ordering::Release);
            return 1;
        }
        self.agents.iter_mut().map(|agent| agent.poll(now)).sum()
    }

    fn on_close(&mut self, now: Nanos) {
        for agent in &mut self.agents {
            agent.on_close(now);
        }
    }
}

/// The hot threads of a plan, and where the caller may run.
pub(super) fn layout_plan(layout: Layout) -> Result<Plan, Failure> {
    let cores = usable_cores().map_err(|error| error.to_string())?;
    plan(&PlanRequest {
        choice: LayoutChoice::Fixed(layout),
        profile: Profile::Latency,
        cores: &cores,
        brokers: 1,
        algorithms: 1,
        explicit_cores: &[],
    })
    .map_err(|error| error.to_string())
}

/// Places the calling thread where an algorithm's thread would be.
pub(super) fn place_caller(plan: &Plan) -> Result<(), Failure> {
    let placement = plan
        .thread_of(Role::Algorithm(0))
        .map_or(Placement::Anywhere, |thread| thread.placement.clone());
    affinity::place_current_thread(&placement).map_err(|error| error.to_string())
}

/// Starts the hot threads of a plan; `dress` makes one agent of a thread's agents.
pub(super) fn start_hot(
    plan: &Plan,
    desk: &Desk,
    hot: Hot,
    mut dress: impl FnMut(Vec<Role>, Hot) -> Hot,
) -> Result<Vec<RunnerHandle>, Failure> {
    let roles = [Role::Risk, Role::Order, Role::Gateway(0)];
    let mut waiting: Vec<_> = roles.into_iter().zip(hot).collect();
    let mut runners = Vec::new();
    for thread in plan.threads.iter().filter(|thread| thread.hot) {
        let (mine, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(role, _)| thread.roles.contains(role));
        waiting = rest;
        let (roles, agents) = mine.into_iter().unzip();
        let mut runner = Runner::new(RunnerSettings {
            name: thread.name.clone(),
            placement: thread.placement.clone(),
            idle: thread.idle,
            stall_threshold_ns: 1_000_000,
        })
        .map_err(|error| error.to_string())?;
        for agent in dress(roles, agents) {
            runner = runner.agent(agent);
        }
        runners.push(runner);
    }
    spawn_all(runners, &desk.clock, &desk.guard).map_err(|error| error.to_string())
}

/// On the threads of a layout, the caller on another core.
pub(super) fn threads(layout: Layout, trials: usize, open: usize) -> Result<Measured, Failure> {
    let plan = layout_plan(layout)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| Threaded::start(&plan)?.measure(trials, open));
        let ended = thread.join();
        ended.unwrap_or_else(|_| Err("the measuring thread panicked".to_owned()))
    })
}

struct Threaded {
    desk: Desk,
    handles: Vec<RunnerHandle>,
    caller: Caller,
    turns: Vec<Arc<Turn>>,
}

impl Threaded {
    fn start(plan: &Plan) -> Result<Self, Failure> {
        let (hot, desk) = rig(&RigSettings {
            clock: Clock::real(),
            instruments: INSTRUMENTS,
            pace: Pace::Storm,
            port_reports: None,
            hot_segments: HOT_SEGMENTS,
        })?;
        let (caller, stages) = twin::twin();
        let mut stages = Vec::from(stages).into_iter();
        let mut turns = Vec::new();
        let clock = desk.clock.clone();
        let handles = start_hot(plan, &desk, hot, |roles, agents| {
            let turn = Arc::new(Turn::default());
            turns.push(Arc::clone(&turn));
            let stages = stages.by_ref().take(roles.len()).collect();
            let clock = clock.clone();
            vec![Box::new(Alternating {
                agents,
                stages,
                turn,
                clock,
            })]
        })?;
        // After the hot threads: a thread inherits the cores of the one that starts it.
        place_caller(plan)?;
        let started = Self {
            desk,
            handles,
            caller,
            turns,
        };
        wait("the broker's greeting", || started.desk.is_ready())?;
        Ok(started)
    }

    fn give_turn(&self, bare: bool) -> Result<(), Failure> {
        for turn in &self.turns {
            turn.bare.store(bare, Ordering::Release);
        }
        wait("the hot threads take turns", || {
            let seen = |turn: &Arc<Turn>| turn.seen.load(Ordering::Acquire) == bare;
            self.turns.iter().all(seen)
        })
    }

    /// A bare message: from the stamp before the push to the stamp where it arrives.
    fn bare(&mut self) -> Result<f64, Failure> {
        self.give_turn(true)?;
        let begin = self.desk.clock.stamp();
        let pushed = self.caller.to_risk.push([begin; _]);
        debug_assert!(pushed.is_ok(), "invariant: the ring is empty");
        let mut end = 0;
        let arrived = &mut self.caller.arrived;
        wait("a bare message", || {
            arrived.pop().is_ok_and(|stamp| {
                end = stamp;
                true
            })
        })?;
        self.give_turn(false)?;
        Ok((end - begin) as f64)
    }

    /// An order, until its fill is reported; returns the time until then.
    fn order(&mut self) -> Result<f64, Failure> {
        let order = self.desk.source.marketable();
        let filled = self.desk.tally.filled;
        let signal = self.desk.submit(order);
        let desk = &mut self.desk;
        let mut end = 0;
        wait("an order's fill", || {
            desk.take_reports_timed();
            end = desk.clock.stamp();
            desk.tally.filled > filled || desk.tally.other > 0
        })?;
        if desk.tally.other > 0 {
            return Err("an order was not filled".to_owned());
        }
        desk.take_events(usize::MAX);
        Ok((end - signal) as f64)
    }

    fn open_orders(&mut self, count: usize) -> Result<(), Failure> {
        for number in 0..count {
            let desk = &mut self.desk;
            let order = desk.source.resting();
            wait("room for an order", || {
                desk.take_reports(64);
                desk.take_events(64);
                desk.has_room()
            })?;
            desk.submit(order);
            if number.is_multiple_of(4_096) {
                desk.copy_journal()?;
            }
        }
        let made = self.desk.source.made();
        let desk = &mut self.desk;
        wait("resting orders", || {
            desk.take_reports(64);
            desk.take_events(64);
            desk.tally.accepted == made || desk.tally.other > 0
        })
    }

    fn measure(mut self, trials: usize, open: usize) -> Result<Measured, Failure> {
        self.desk.quote_all(std::thread::yield_now);
        self.open_orders(open)?;
        let mut found = Vec::new();
        for round in 0..=trials {
            self.desk.quote_all(std::thread::yield_now);
            self.desk.copy_journal()?;
            let mut twins = Vec::with_capacity(ORDERS);
            let mut internal = Vec::with_capacity(ORDERS);
            let mut fills = Vec::with_capacity(ORDERS);
            for _ in 0..ORDERS {
                twins.push(self.bare()?);
                fills.push(self.order()?);
                internal.push(self.desk.tally.last_internal_ns as f64);
            }
            if round == 0 {
                // Warming up leaves no trace.
                self.desk.latency = StageLatency::new();
                continue;
            }
            found.push(Trial {
                twin_ns: median(&mut twins),
                figures_ns: vec![median(&mut internal), median(&mut fills)],
            });
        }
        for handle in self.handles {
            handle.join().ok_or("a hot thread did not end in order")?;
        }
        Ok(Measured {
            best: best(&found),
            latency: self.desk.latency.clone(),
            records: self.desk.check()?,
        })
    }
}
