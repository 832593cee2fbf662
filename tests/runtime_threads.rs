//! Runners as the engine uses them: threads, cores, stopping, panics, wake-ups.
//!
//! Runs on: the test runner and the threads that it starts.
//! Owns: the proof that agents run where the plan says, and that a panic of one leaves the others running.
//! Never: sleeps to wait for a thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shrike::ring::{Consumer, channel};
use shrike::runtime::memory::prefault_stack;
use shrike::runtime::{
    Agent, Backoff, Clock, Guard, IdleStrategy, LayoutChoice, Placement, PlanRequest, Profile,
    Runner, RunnerError, RunnerSettings, plan, spawn_all, usable_cores,
};
use shrike::types::{KillScope, Nanos, StrategyId};

fn settings(name: &str, idle: IdleStrategy) -> RunnerSettings {
    RunnerSettings {
        name: name.to_owned(),
        placement: Placement::Anywhere,
        idle,
        stall_threshold_ns: 1_000_000,
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::yield_now();
    }
}

/// Counts its polls and writes down what it sees of its thread.
struct Probe {
    name: &'static str,
    polls: Arc<AtomicU64>,
    log: Arc<Mutex<Vec<String>>>,
    panics_at: u64,
}

impl Probe {
    fn new(name: &'static str, log: &Arc<Mutex<Vec<String>>>) -> (Self, Arc<AtomicU64>) {
        let polls = Arc::new(AtomicU64::new(0));
        let probe = Self {
            name,
            polls: Arc::clone(&polls),
            log: Arc::clone(log),
            panics_at: u64::MAX,
        };
        (probe, polls)
    }

    fn note(&self, what: &str) {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let line = format!("{} {what} on {thread}", self.name);
        self.log.lock().expect("log").push(line);
    }
}

impl Agent for Probe {
    fn name(&self) -> &'static str {
        self.name
    }
    fn on_start(&mut self, _now: Nanos) {
        self.note("starts");
    }
    fn poll(&mut self, now: Nanos) -> usize {
        assert!(now > Nanos::ZERO);
        let polls = self.polls.fetch_add(1, Ordering::Relaxed) + 1;
        assert_ne!(polls, self.panics_at, "planted");
        1
    }
    fn on_close(&mut self, _now: Nanos) {
        self.note("closes");
    }
}

#[test]
fn agents_start_poll_and_close_in_flow_order_on_their_own_thread() {
    let log = Arc::default();
    let (risk, risk_polls) = Probe::new("RISK", &log);
    let (order, order_polls) = Probe::new("ORDER", &log);
    let runner = Runner::new(settings("shrike-hot", IdleStrategy::Yield))
        .expect("name")
        .agent(Box::new(risk))
        .agent(Box::new(order));
    let mut handles = spawn_all(vec![runner], &Clock::real(), &Guard::default()).expect("starts");
    let handle = handles.remove(0);
    wait_until("ten cycles", || order_polls.load(Ordering::Relaxed) >= 10);
    let outcome = handle.join().expect("ends in order");
    assert_eq!(outcome.agents.alive.len(), 2);
    let polls = risk_polls.load(Ordering::Relaxed);
    assert_eq!(polls, order_polls.load(Ordering::Relaxed), "whole cycles");
    assert_eq!(outcome.cycles.cycles, polls);
    assert_eq!(outcome.cycles.work, 2 * polls);
    assert_eq!(
        *log.lock().expect("log"),
        [
            "RISK starts on shrike-hot",
            "ORDER starts on shrike-hot",
            "RISK closes on shrike-hot",
            "ORDER closes on shrike-hot"
        ]
    );
}

#[test]
fn no_agent_is_called_when_one_thread_cannot_have_its_core() {
    let log = Arc::default();
    let (good, polls) = Probe::new("GOOD", &log);
    let (bad, _) = Probe::new("BAD", &log);
    let placed = Runner::new(settings("shrike-good", IdleStrategy::Yield)).expect("name");
    let nowhere = RunnerSettings {
        placement: Placement::Pinned(100_000),
        ..settings("shrike-bad", IdleStrategy::Yield)
    };
    let runners = vec![
        placed.agent(Box::new(good)),
        Runner::new(nowhere).expect("name").agent(Box::new(bad)),
    ];
    let error = spawn_all(runners, &Clock::real(), &Guard::default()).expect_err("no such core");
    let usable = usable_cores().expect("mask").usable;
    assert_eq!(
        error.to_string(),
        format!(
            "thread shrike-bad: core 100000 does not exist or is not allowed here; usable: {usable}"
        )
    );
    assert_eq!(polls.load(Ordering::Relaxed), 0);
    assert!(log.lock().expect("log").is_empty());
}

#[test]
fn names_that_the_kernel_would_cut_and_threads_without_agents_are_refused() {
    let long = Runner::new(settings("shrike-very-long", IdleStrategy::Yield));
    assert!(matches!(long, Err(RunnerError::NameTooLong(_))));
    let empty = Runner::new(settings("shrike-empty", IdleStrategy::Yield)).expect("name");
    let refused = empty.spawn(Clock::real(), Guard::default());
    assert!(matches!(refused, Err(RunnerError::NoAgent(_))));
}

#[test]
fn the_plan_of_this_machine_puts_its_threads_where_it_says() {
    let cores = usable_cores().expect("mask");
    let plan = plan(&PlanRequest {
        choice: LayoutChoice::Auto,
        profile: Profile::Balanced,
        cores: &cores,
        brokers: 1,
        algorithms: 0,
        explicit_cores: &[],
    })
    .expect("balanced always fits");
    let mut runners = Vec::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for thread in &plan.threads {
        let settings = RunnerSettings {
            name: thread.name.clone(),
            placement: thread.placement.clone(),
            idle: thread.idle,
            stall_threshold_ns: 1_000_000,
        };
        let looks = Looks(Arc::clone(&seen));
        let runner = Runner::new(settings).expect("name");
        runners.push(runner.agent(Box::new(looks)));
    }
    let handles = spawn_all(runners, &Clock::real(), &Guard::default()).expect("starts");
    let all = plan.threads.len();
    wait_until("all started", || seen.lock().expect("seen").len() == all);
    for thread in &plan.threads {
        let mask = match &thread.placement {
            Placement::Pinned(core) => core.to_string(),
            Placement::Confined(list) => list.to_string(),
            Placement::Anywhere => cores.usable.to_string(),
        };
        let expected = (thread.name.clone(), mask);
        assert!(
            seen.lock().expect("seen").contains(&expected),
            "{expected:?}"
        );
    }
    assert!(handles.into_iter().all(|handle| handle.join().is_some()));
}

/// Writes down its thread's name and cores.
struct Looks(Arc<Mutex<Vec<(String, String)>>>);

impl Agent for Looks {
    fn name(&self) -> &'static str {
        "LOOKS"
    }
    fn on_start(&mut self, _now: Nanos) {
        let name = std::fs::read_to_string("/proc/thread-self/comm").expect("name");
        let cores = usable_cores().expect("mask").usable.to_string();
        let seen = (name.trim().to_owned(), cores);
        self.0.lock().expect("seen").push(seen);
    }
    fn poll(&mut self, _now: Nanos) -> usize {
        0
    }
}

#[test]
fn a_panic_sets_the_kill_word_and_the_gateway_beside_it_goes_on() {
    let log = Arc::default();
    let (mut order, _) = Probe::new("ORDER", &log);
    order.panics_at = 5;
    let (gateway, gateway_polls) = Probe::new("GATEWAY", &log);
    let guard = Guard::default();
    let runner = Runner::new(settings("shrike-hot", IdleStrategy::Yield))
        .expect("name")
        .agent(Box::new(order))
        .agent(Box::new(gateway));
    let mut handles = spawn_all(vec![runner], &Clock::real(), &guard).expect("starts");
    let handle = handles.remove(0);
    wait_until("the fault", || guard.faults.is_fatal());
    assert!(guard.kill.is_set(KillScope::Firm), "before it is on record");
    let then = gateway_polls.load(Ordering::Relaxed);
    wait_until("the gateway's next polls", || {
        gateway_polls.load(Ordering::Relaxed) > then + 10
    });
    assert!(!handle.is_finished());
    let fault = &guard.faults.faults()[0];
    assert_eq!(
        (fault.agent, fault.thread.as_str()),
        ("ORDER", "shrike-hot")
    );
    let outcome = handle.join().expect("ends in order");
    assert_eq!(
        (outcome.agents.alive.len(), outcome.agents.fallen.len()),
        (1, 1)
    );
    let log = log.lock().expect("log");
    assert!(log.contains(&"GATEWAY closes on shrike-hot".to_owned()));
    assert!(!log.contains(&"ORDER closes on shrike-hot".to_owned()));
}

#[test]
fn a_thread_whose_only_agent_panicked_ends() {
    let log = Arc::default();
    let (mut algorithm, _) = Probe::new("ALGORITHM", &log);
    algorithm.panics_at = 1;
    let scope = KillScope::Strategy(StrategyId(2));
    let guard = Guard::default();
    let runner = Runner::new(settings("shrike-algo-0", IdleStrategy::Yield))
        .expect("name")
        .agent_of(Box::new(algorithm), scope);
    let mut handles = spawn_all(vec![runner], &Clock::real(), &guard).expect("starts");
    let handle = handles.remove(0);
    wait_until("its end", || handle.is_finished());
    assert!(guard.kill.is_set(scope) && !guard.kill.is_set(KillScope::Firm));
    assert!(!guard.faults.is_fatal() && guard.faults.count() == 1);
    assert_eq!(handle.join().expect("in order").agents.fallen.len(), 1);
}

/// Takes numbers and shows the last.
struct Reader {
    input: Consumer<u64>,
    last: Arc<AtomicU64>,
}

impl Agent for Reader {
    fn name(&self) -> &'static str {
        "READER"
    }
    fn poll(&mut self, _now: Nanos) -> usize {
        let Some(n) = self.input.pop() else { return 0 };
        self.last.store(n, Ordering::Release);
        1
    }
}

#[test]
fn a_parked_runner_is_woken_by_its_writer_and_by_its_stop() {
    let minute = 60_000_000_000;
    let idle = IdleStrategy::Backoff(Backoff {
        spins: 1,
        yields: 1,
        park_min_ns: minute,
        park_max_ns: minute,
    });
    let (mut writer, input, _) = channel("numbers", 4);
    let last = Arc::new(AtomicU64::new(0));
    let agent = Reader {
        input,
        last: Arc::clone(&last),
    };
    let runner = Runner::new(settings("shrike-parked", idle)).expect("name");
    let runner = runner.agent(Box::new(agent));
    let wake = runner.wake_handle();
    let mut handles = spawn_all(vec![runner], &Clock::real(), &Guard::default()).expect("starts");
    let handle = handles.remove(0);
    for n in 1..=100 {
        if n % 2 == 0 {
            wait_until("parked", || wake.is_parked());
        }
        writer.push(n).expect("room");
        wake.wake();
        wait_until("read", || last.load(Ordering::Acquire) == n);
    }
    wait_until("parked", || wake.is_parked());
    let started = Instant::now();
    assert!(handle.join().is_some());
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_cold_thread_polls_by_itself_and_stops_at_once() {
    let idle = IdleStrategy::Sleep { period_ns: 100_000 };
    let (mut writer, input, _) = channel("numbers", 4);
    let last = Arc::new(AtomicU64::new(0));
    let agent = Reader {
        input,
        last: Arc::clone(&last),
    };
    let runner = Runner::new(settings("shrike-cold", idle)).expect("name");
    let runner = runner.agent(Box::new(agent));
    let wake = runner.wake_handle();
    let mut handles = spawn_all(vec![runner], &Clock::real(), &Guard::default()).expect("starts");
    let handle = handles.remove(0);
    writer.push(7).expect("room");
    assert!(!wake.wake(), "nobody pays for waking it");
    wait_until("read", || last.load(Ordering::Acquire) == 7);
    assert!(handle.join().is_some());
}

#[test]
fn a_stalled_cycle_is_seen_from_outside() {
    /// Takes its time once.
    struct Slow(bool);
    impl Agent for Slow {
        fn name(&self) -> &'static str {
            "SLOW"
        }
        fn poll(&mut self, _now: Nanos) -> usize {
            if !std::mem::replace(&mut self.0, true) {
                let started = Instant::now();
                while started.elapsed() < Duration::from_millis(5) {
                    std::hint::spin_loop();
                }
            }
            1
        }
    }
    let runner = Runner::new(settings("shrike-slow", IdleStrategy::Spin)).expect("name");
    let runner = runner.agent(Box::new(Slow(false)));
    let mut handles = spawn_all(vec![runner], &Clock::real(), &Guard::default()).expect("starts");
    let handle = handles.remove(0);
    wait_until("the stall", || handle.reading().cycles.stalls >= 1);
    let cycles = handle.reading().cycles;
    assert!(cycles.longest_ns >= 5_000_000, "{cycles:?}");
    assert!(cycles.heartbeat > 0 && cycles.cycles >= 2);
    drop(handle);
}

#[test]
fn a_touched_stack_takes_no_page_fault() {
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("stat");
        let after_name = stat.rsplit(')').next().expect("fields");
        let minor = after_name.split_whitespace().nth(7);
        minor.and_then(|n| n.parse().ok()).expect("minor faults")
    }
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(|| {
            prefault_stack();
            let before = faults();
            prefault_stack();
            let after = faults();
            // Reading the count itself allocates; the stack's 64 pages would show.
            assert!(after - before < 16, "{before} then {after}");
        })
        .expect("thread")
        .join()
        .expect("no fault");
}
