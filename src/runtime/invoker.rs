//! All agents on the caller's thread, with virtual time: replay, simulation, tests.
//!
//! Runs on: the thread that calls it.
//! Owns: the agents of one engine, the order in which they are polled, and the movement of their clock.
//! Never: reads real time, so that the same input gives the same run; lets the source go on before every agent has
//! dealt with what the source last gave.

use super::agent::Agent;
use super::clock::ManualTime;
use super::composite::{Agents, Composite, Guard, Member};
use crate::types::{KillScope, Nanos};

/// Polls after one row of the source after which agents that still report work are taken to be going in circles.
pub const DEFAULT_MAX_POLLS: u64 = 10_000_000;

/// Why virtual time cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokerError {
    /// The agents never come to rest.
    #[error("agents still report work after {polls} polls at {now}: {agent} was the last")]
    Livelock {
        /// The last that reported work.
        agent: &'static str,
        /// When.
        now: Nanos,
        /// How many polls.
        polls: u64,
    },
    /// An agent says that it is due and does nothing when polled.
    #[error("{agent} has been due since {deadline} and does nothing at {now}")]
    StuckDeadline {
        /// Which.
        agent: &'static str,
        /// What it waits for.
        deadline: Nanos,
        /// When.
        now: Nanos,
    },
    /// An agent panicked. It is written down, the kill word is set, the agent is not polled again; the others may
    /// be polled on, so that they can cancel.
    #[error("{agent} panicked at {now}")]
    Panicked {
        /// Which.
        agent: &'static str,
        /// When.
        now: Nanos,
    },
}

/// Agents in flow order, polled by the caller.
#[derive(Debug)]
pub struct Invoker {
    agents: Composite,
    source: Option<Composite>,
    time: ManualTime,
    max_polls: u64,
    guard: Guard,
}

/// An invoker being put together.
#[derive(Debug, Default)]
pub struct InvokerBuilder {
    members: Vec<Member>,
    source: Vec<Member>,
    max_polls: Option<u64>,
}

impl InvokerBuilder {
    /// Adds an agent behind those before it; a panic of it stops the firm.
    #[must_use]
    pub fn agent(self, agent: Box<dyn Agent>) -> Self {
        self.agent_of(agent, KillScope::Firm)
    }

    /// Adds an agent whose panic stops `scope` only.
    #[must_use]
    pub fn agent_of(mut self, agent: Box<dyn Agent>, scope: KillScope) -> Self {
        self.members.push(Member { agent, scope });
        self
    }

    /// The market data source: polled only while every other agent is idle, so that each row is fully dealt with
    /// before the next is read.
    #[must_use]
    pub fn source(mut self, agent: Box<dyn Agent>) -> Self {
        self.source = vec![Member {
            agent,
            scope: KillScope::Firm,
        }];
        self
    }

    /// Another bound than [`DEFAULT_MAX_POLLS`] on the polls after one row of the source.
    #[must_use]
    pub fn max_polls(mut self, polls: u64) -> Self {
        self.max_polls = Some(polls);
        self
    }

    /// Polls them on `time`.
    #[must_use]
    pub fn build(self, time: ManualTime, guard: Guard) -> Invoker {
        let source = (!self.source.is_empty())
            .then(|| Composite::new("invoker", self.source, guard.clone()));
        Invoker {
            agents: Composite::new("invoker", self.members, guard.clone()),
            source,
            time,
            max_polls: self.max_polls.unwrap_or(DEFAULT_MAX_POLLS),
            guard,
        }
    }
}

impl Invoker {
    /// An invoker without agents yet.
    #[must_use]
    pub fn builder() -> InvokerBuilder {
        InvokerBuilder::default()
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.time.now()
    }

    /// What this engine's threads share.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Calls every agent's start hook, the source's last.
    ///
    /// # Errors
    /// [`InvokerError::Panicked`] of the first that panicked; the others were started.
    pub fn start(&mut self) -> Result<(), InvokerError> {
        let now = self.time.now();
        self.each(|agents| agents.start(now))
    }

    /// Calls the close hook of every agent that did not panic.
    ///
    /// # Errors
    /// [`InvokerError::Panicked`] of the first that panicked; the others were closed.
    pub fn close(&mut self) -> Result<(), InvokerError> {
        let now = self.time.now();
        self.each(|agents| agents.close(now))
    }

    fn each(&mut self, call: impl Fn(&mut Composite)) -> Result<(), InvokerError> {
        let before = self.guard.faults.count();
        call(&mut self.agents);
        if let Some(source) = &mut self.source {
            call(source);
        }
        if self.guard.faults.count() == before {
            return Ok(());
        }
        let agent = self.guard.faults.faults().get(before).map(|f| f.agent);
        Err(InvokerError::Panicked {
            agent: agent.unwrap_or("an agent"),
            now: self.time.now(),
        })
    }

    /// Moves time to `now` (an earlier instant leaves it where it is) and polls until every agent, the source
    /// included, has been idle since the last work was done. Returns the work done.
    ///
    /// # Errors
    /// [`InvokerError::Livelock`] or [`InvokerError::Panicked`].
    pub fn run_until_idle(&mut self, now: Nanos) -> Result<usize, InvokerError> {
        self.time.advance_to(now);
        let now = self.time.now();
        let mut total = 0;
        loop {
            let max_polls = self.max_polls;
            let settled = self.agents.guarded(|agents| settle(agents, now, max_polls));
            total += match settled {
                Ok(settled) => settled?,
                Err(fallen) => {
                    let agent = fallen.agent;
                    return Err(InvokerError::Panicked { agent, now });
                }
            };
            let Some(source) = &mut self.source else {
                return Ok(total);
            };
            match source.guarded(|source| source.poll(now)) {
                Ok(0) => return Ok(total),
                Ok(work) => total += work,
                Err(fallen) => {
                    let agent = fallen.agent;
                    return Err(InvokerError::Panicked { agent, now });
                }
            }
        }
    }

    /// The earliest instant at which an agent has something to do although nothing arrives.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        self.deadlines().map(|(deadline, _)| deadline).min()
    }

    /// Moves time to the next deadline and runs until idle. `None`: nobody waits for anything, the run is over.
    ///
    /// # Errors
    /// [`InvokerError`]; [`InvokerError::StuckDeadline`] when time would have to stand still. Call it only after
    /// [`run_until_idle`](Self::run_until_idle).
    pub fn advance(&mut self) -> Result<Option<Nanos>, InvokerError> {
        let Some((deadline, agent)) = self.deadlines().min_by_key(|(deadline, _)| *deadline) else {
            return Ok(None);
        };
        let now = self.time.now();
        if deadline <= now {
            return Err(InvokerError::StuckDeadline {
                agent,
                deadline,
                now,
            });
        }
        self.run_until_idle(deadline)?;
        Ok(Some(deadline))
    }

    fn deadlines(&self) -> impl Iterator<Item = (Nanos, &'static str)> {
        std::iter::once(&self.agents)
            .chain(&self.source)
            .flat_map(Composite::deadlines)
    }

    /// The agents again, the source last.
    #[must_use]
    pub fn into_agents(self) -> Agents {
        let mut agents = self.agents.into_agents();
        if let Some(source) = self.source {
            let Agents { alive, fallen } = source.into_agents();
            agents.alive.extend(alive);
            agents.fallen.extend(fallen);
        }
        agents
    }
}

/// Polls in flow order, round and round, until each agent has been idle once since the last work.
fn settle(agents: &mut Composite, now: Nanos, max_polls: u64) -> Result<usize, InvokerError> {
    let count = agents.len();
    let (mut idle_in_a_row, mut index, mut total, mut polls) = (0, 0, 0, 0);
    while idle_in_a_row < count {
        let work = agents.poll_one(index, now);
        total += work;
        idle_in_a_row = if work == 0 { idle_in_a_row + 1 } else { 0 };
        polls += 1;
        if polls > max_polls && work > 0 {
            return Err(InvokerError::Livelock {
                agent: agents.agent(index).name(),
                now,
                polls,
            });
        }
        index = if index + 1 == count { 0 } else { index + 1 };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Consumer, Producer, channel};
    use std::sync::{Arc, Mutex};

    type Log = Arc<Mutex<Vec<(u64, &'static str, u64)>>>;

    /// Moves numbers from one ring to the next and logs them.
    struct Stage {
        name: &'static str,
        from: Consumer<u64>,
        to: Option<Producer<u64>>,
        log: Log,
    }

    impl Agent for Stage {
        fn name(&self) -> &'static str {
            self.name
        }
        fn poll(&mut self, now: Nanos) -> usize {
            if self.to.as_ref().is_some_and(|to| !to.has_room(1)) {
                return 0;
            }
            let Some(n) = self.from.pop() else { return 0 };
            assert_ne!(n, 13, "planted");
            self.log.lock().expect("log").push((now.0, self.name, n));
            if let Some(to) = &mut self.to {
                to.push(n).expect("room");
            }
            1
        }
    }

    /// One row at each of its instants.
    struct Rows {
        rows: Vec<(u64, u64)>,
        to: Producer<u64>,
        log: Log,
    }

    impl Agent for Rows {
        fn name(&self) -> &'static str {
            "MARKET"
        }
        fn poll(&mut self, now: Nanos) -> usize {
            match self.rows.first() {
                Some(&(time, n)) if time <= now.0 => {
                    self.rows.remove(0);
                    self.log.lock().expect("log").push((now.0, "MARKET", n));
                    self.to.push(n).expect("room");
                    1
                }
                _ => 0,
            }
        }
        fn next_deadline(&self) -> Option<Nanos> {
            self.rows.first().map(|&(time, _)| Nanos(time))
        }
    }

    fn pipeline(rows: Vec<(u64, u64)>) -> (Invoker, Log) {
        let log = Log::default();
        let (market, first, _) = channel("first", 4);
        let (to_second, second, _) = channel("second", 4);
        let stage = |name, from, to| {
            Box::new(Stage {
                name,
                from,
                to,
                log: Arc::clone(&log),
            })
        };
        let source = Rows {
            rows,
            to: market,
            log: Arc::clone(&log),
        };
        let invoker = Invoker::builder()
            .agent(stage("RISK", first, Some(to_second)))
            .agent(stage("ORDER", second, None))
            .source(Box::new(source))
            .build(ManualTime::new(Nanos(1)), Guard::default());
        (invoker, log)
    }

    #[test]
    fn each_row_is_fully_dealt_with_before_the_next_is_read() {
        let (mut invoker, log) = pipeline(vec![(5, 1), (5, 2), (9, 3)]);
        invoker.start().expect("starts");
        assert_eq!(invoker.run_until_idle(Nanos(1)), Ok(0));
        assert_eq!(invoker.next_deadline(), Some(Nanos(5)));
        assert_eq!(invoker.advance(), Ok(Some(Nanos(5))));
        assert_eq!(invoker.advance(), Ok(Some(Nanos(9))));
        assert_eq!(invoker.advance(), Ok(None));
        invoker.close().expect("closes");
        let expected: Vec<_> = [(5, 1), (5, 2), (9, 3)]
            .into_iter()
            .flat_map(|(t, n)| [(t, "MARKET", n), (t, "RISK", n), (t, "ORDER", n)])
            .collect();
        assert_eq!(*log.lock().expect("log"), expected);
        assert_eq!(invoker.now(), Nanos(9));
        assert_eq!(invoker.into_agents().alive.len(), 3);
    }

    #[test]
    fn virtual_time_does_not_go_back() {
        let (mut invoker, log) = pipeline(vec![(5, 1)]);
        assert_eq!(invoker.run_until_idle(Nanos(7)), Ok(3));
        assert_eq!(invoker.run_until_idle(Nanos(6)), Ok(0));
        assert_eq!(invoker.now(), Nanos(7));
        assert!(log.lock().expect("log").iter().all(|&(time, ..)| time == 7));
    }

    struct Restless;
    impl Agent for Restless {
        fn name(&self) -> &'static str {
            "RESTLESS"
        }
        fn poll(&mut self, _now: Nanos) -> usize {
            1
        }
    }

    struct Overdue;
    impl Agent for Overdue {
        fn name(&self) -> &'static str {
            "OVERDUE"
        }
        fn poll(&mut self, _now: Nanos) -> usize {
            0
        }
        fn next_deadline(&self) -> Option<Nanos> {
            Some(Nanos(3))
        }
    }

    #[test]
    fn agents_that_never_rest_are_an_error_and_no_endless_loop() {
        let mut invoker = Invoker::builder()
            .agent(Box::new(Restless))
            .max_polls(1_000)
            .build(ManualTime::new(Nanos(1)), Guard::default());
        assert_eq!(
            invoker.run_until_idle(Nanos(1)),
            Err(InvokerError::Livelock {
                agent: "RESTLESS",
                now: Nanos(1),
                polls: 1_001
            })
        );
    }

    #[test]
    fn a_deadline_that_passes_without_work_is_an_error_and_no_endless_loop() {
        let mut invoker = Invoker::builder()
            .agent(Box::new(Overdue))
            .build(ManualTime::new(Nanos(1)), Guard::default());
        assert_eq!(invoker.advance(), Ok(Some(Nanos(3))));
        assert_eq!(
            invoker.advance(),
            Err(InvokerError::StuckDeadline {
                agent: "OVERDUE",
                deadline: Nanos(3),
                now: Nanos(3)
            })
        );
    }

    #[test]
    fn a_panic_stops_the_firm_and_leaves_the_others_to_be_polled() {
        let (mut invoker, log) = pipeline(vec![(5, 1), (5, 13), (5, 2)]);
        let now = Nanos(5);
        let agent = "RISK";
        assert_eq!(
            invoker.run_until_idle(now),
            Err(InvokerError::Panicked { agent, now })
        );
        let guard = invoker.guard().clone();
        assert!(guard.kill.is_set(KillScope::Firm) && guard.faults.is_fatal());
        assert_eq!(invoker.run_until_idle(now), Ok(1), "the source goes on");
        assert!(log.lock().expect("log").ends_with(&[(5, "MARKET", 2)]));
        assert_eq!(invoker.into_agents().fallen.len(), 1);
    }
}
