//! Several agents polled in flow order as one, with a wall around each.
//!
//! Runs on: the thread that polls its agents, a runner's or the invoker's caller.
//! Owns: agents, and what follows when one of them panics: the kill word is set, the agent is not polled again,
//! the others go on, so that a gateway can still cancel.
//! Never: drops an agent that panicked while the engine runs: its rings stay open to their other ends.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::agent::Agent;
use super::fault::{Fault, FaultBoard, panic_message};
use crate::types::{KillScope, KillWord, Nanos};

/// What every thread of one engine shares.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Set when an agent panics.
    pub kill: Arc<KillWord>,
    /// Where panics are written down.
    pub faults: Arc<FaultBoard>,
}

/// An agent and what is stopped when it panics.
pub struct Member {
    pub(super) agent: Box<dyn Agent>,
    pub(super) scope: KillScope,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.agent.name(), self.scope)
    }
}

/// Agents in flow order.
#[derive(Debug)]
pub struct Composite {
    members: Vec<Member>,
    /// Agents that panicked.
    fallen: Vec<Member>,
    /// The one being called.
    current: usize,
    now: Nanos,
    thread: String,
    guard: Guard,
}

/// Agents handed back after a run, each list in flow order.
#[derive(Default)]
pub struct Agents {
    /// Those that ended in order.
    pub alive: Vec<Box<dyn Agent>>,
    /// Those that panicked; what they hold is not to be trusted.
    pub fallen: Vec<Box<dyn Agent>>,
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |agents: &[Box<dyn Agent>]| -> Vec<&'static str> {
            agents.iter().map(|agent| agent.name()).collect()
        };
        f.debug_struct("Agents")
            .field("alive", &names(&self.alive))
            .field("fallen", &names(&self.fallen))
            .finish()
    }
}

/// An agent panicked, was written down and taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fallen {
    /// Its name.
    pub agent: &'static str,
}

impl Composite {
    /// Agents of the thread named `thread`, in flow order.
    #[must_use]
    pub fn new(thread: impl Into<String>, members: Vec<Member>, guard: Guard) -> Self {
        let fallen = Vec::with_capacity(members.len());
        Self {
            members,
            fallen,
            current: 0,
            now: Nanos::ZERO,
            thread: thread.into(),
            guard,
        }
    }

    /// Agents still alive.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether no agent is alive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The thread's name, as faults show it.
    #[must_use]
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// The agent at `index`.
    pub(super) fn agent(&self, index: usize) -> &dyn Agent {
        self.members[index].agent.as_ref()
    }

    /// What each agent waits for, with its name.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (Nanos, &'static str)> {
        self.members.iter().filter_map(|member| {
            let deadline = member.agent.next_deadline()?;
            Some((deadline, member.agent.name()))
        })
    }

    /// Polls every agent once; returns the work done.
    #[inline]
    pub fn poll(&mut self, now: Nanos) -> usize {
        self.now = now;
        let mut work = 0;
        for index in 0..self.members.len() {
            self.current = index;
            work += self.members[index].agent.poll(now);
        }
        work
    }

    /// Polls the agent at `index`.
    #[inline]
    pub(super) fn poll_one(&mut self, index: usize, now: Nanos) -> usize {
        self.now = now;
        self.current = index;
        self.members[index].agent.poll(now)
    }

    /// Runs `body`, which calls this composite's agents; a panic of one of them ends in [`Fallen`]. Costs nothing
    /// as long as nothing panics, so a runner's whole loop goes in.
    ///
    /// # Errors
    /// [`Fallen`] when an agent panicked; the caller goes on with the others.
    pub fn guarded<R>(&mut self, body: impl FnOnce(&mut Self) -> R) -> Result<R, Fallen> {
        catch_unwind(AssertUnwindSafe(|| body(self))).map_err(|payload| self.bury(&*payload))
    }

    /// Calls `on_start` of every agent; panics are dealt with as in a poll.
    pub fn start(&mut self, now: Nanos) {
        self.each(now, |agent| agent.on_start(now));
    }

    /// Calls `on_close` of every agent that is alive.
    pub fn close(&mut self, now: Nanos) {
        self.each(now, |agent| agent.on_close(now));
    }

    fn each(&mut self, now: Nanos, mut call: impl FnMut(&mut dyn Agent)) {
        self.now = now;
        let mut index = 0;
        while index < self.members.len() {
            self.current = index;
            let called = self.guarded(|all| call(all.members[index].agent.as_mut()));
            // A fallen agent is gone and its successor has its place.
            index += usize::from(called.is_ok());
        }
    }

    /// The agents again.
    #[must_use]
    pub fn into_agents(self) -> Agents {
        let agents = |members: Vec<Member>| members.into_iter().map(|member| member.agent);
        Agents {
            alive: agents(self.members).collect(),
            fallen: agents(self.fallen).collect(),
        }
    }

    #[cold]
    fn bury(&mut self, payload: &(dyn Any + Send)) -> Fallen {
        let scope = self
            .members
            .get(self.current)
            .map_or(KillScope::Firm, |member| member.scope);
        // Before anything that could take time or fail.
        self.guard.kill.set(scope);
        let agent = if self.current < self.members.len() {
            let member = self.members.remove(self.current);
            let name = member.agent.name();
            self.fallen.push(member);
            name
        } else {
            "runner"
        };
        self.guard.faults.record(Fault {
            thread: self.thread.clone(),
            agent,
            scope,
            time: self.now,
            message: panic_message(payload),
        });
        Fallen { agent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::StrategyId;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Counts {
        name: &'static str,
        polls: Arc<AtomicU32>,
        panics_at: Option<u32>,
        panics_at_start: bool,
    }

    impl Agent for Counts {
        fn name(&self) -> &'static str {
            self.name
        }
        fn on_start(&mut self, _now: Nanos) {
            assert!(!self.panics_at_start, "planted at start");
        }
        fn poll(&mut self, _now: Nanos) -> usize {
            let polls = self.polls.fetch_add(1, Ordering::Relaxed) + 1;
            assert_ne!(Some(polls), self.panics_at, "planted");
            1
        }
    }

    fn member(
        name: &'static str,
        panics_at: Option<u32>,
        scope: KillScope,
    ) -> (Member, Arc<AtomicU32>) {
        let polls = Arc::new(AtomicU32::new(0));
        let agent = Box::new(Counts {
            name,
            polls: Arc::clone(&polls),
            panics_at,
            panics_at_start: panics_at == Some(0),
        });
        (Member { agent, scope }, polls)
    }

    #[test]
    fn a_panic_kills_the_firm_and_the_other_agents_are_still_polled() {
        let guard = Guard::default();
        let (risk, _) = member("RISK", None, KillScope::Firm);
        let (order, order_polls) = member("ORDER", Some(2), KillScope::Firm);
        let (gateway, gateway_polls) = member("GATEWAY", None, KillScope::Firm);
        let mut all = Composite::new("shrike-hot", vec![risk, order, gateway], guard.clone());
        assert_eq!(all.guarded(|all| all.poll(Nanos(1))), Ok(3));
        assert!(!guard.kill.is_set(KillScope::Firm));
        assert_eq!(
            all.guarded(|all| all.poll(Nanos(2))),
            Err(Fallen { agent: "ORDER" })
        );
        assert!(guard.kill.is_set(KillScope::Firm) && guard.faults.is_fatal());
        assert_eq!(all.guarded(|all| all.poll(Nanos(3))), Ok(2));
        assert_eq!(order_polls.load(Ordering::Relaxed), 2);
        assert_eq!(gateway_polls.load(Ordering::Relaxed), 2);
        let fault = &guard.faults.faults()[0];
        assert_eq!((fault.agent, fault.time), ("ORDER", Nanos(2)));
        assert!(fault.message.contains("planted"));
        let agents = all.into_agents();
        assert_eq!(
            format!("{agents:?}"),
            r#"Agents { alive: ["RISK", "GATEWAY"], fallen: ["ORDER"] }"#
        );
    }

    #[test]
    fn a_strategys_panic_stops_that_strategy_only() {
        let guard = Guard::default();
        let scope = KillScope::Strategy(StrategyId(3));
        let (algorithm, _) = member("ALGORITHM", Some(1), scope);
        let mut all = Composite::new("shrike-algo-0", vec![algorithm], guard.clone());
        assert!(all.guarded(|all| all.poll(Nanos(1))).is_err());
        assert!(guard.kill.is_set(scope) && !guard.kill.is_set(KillScope::Firm));
        assert!(!guard.faults.is_fatal() && all.is_empty());
    }

    #[test]
    fn a_panic_at_start_takes_out_one_agent_and_starts_the_others() {
        let guard = Guard::default();
        let (first, polls) = member("FIRST", Some(0), KillScope::Firm);
        let (second, second_polls) = member("SECOND", None, KillScope::Firm);
        let mut all = Composite::new("shrike-hot", vec![first, second], guard.clone());
        all.start(Nanos(1));
        assert_eq!(all.len(), 1);
        assert_eq!(all.guarded(|all| all.poll(Nanos(2))), Ok(1));
        assert_eq!(polls.load(Ordering::Relaxed), 0);
        assert_eq!(second_polls.load(Ordering::Relaxed), 1);
        assert_eq!(guard.faults.faults()[0].agent, "FIRST");
        all.close(Nanos(3));
        assert_eq!(guard.faults.count(), 1);
    }
}
