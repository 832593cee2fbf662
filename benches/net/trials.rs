//! Exchanges of several clients in turn, in trials shorter than a scheduler's slice.
//!
//! Runs on: the client's thread.
//! Owns: the samples, and the rule of which trials count: those whose floor is at most 1.5 times the run's best floor.
//! Never: calls something measured that fewer than five trials carry, or counts an exchange with a wrong answer.

use std::time::Duration;

use hdrhistogram::Histogram;
use quanta::Clock;

use super::server::Server;
use super::wire::{self, BODY_BYTES};
use super::{Client, Fault, allocations};

/// Fewest trials of which a figure is made.
pub const FEWEST_LEFT: usize = 5;
/// A trial whose floor is this many tenths of the best floor is dropped.
const SLOW_FLOOR_TENTHS: u32 = 15;
/// How long a trial lasts; a scheduler's slice is 4 ms.
const TRIAL: Duration = Duration::from_micros(3_600);
/// Between two trials: the scheduler gives this thread and the server's a fresh slice.
const REST: Duration = Duration::from_micros(1_000);
/// Exchanges of each client before anything is measured.
const WARM_UP: usize = 200;
/// The most that a histogram takes, in nanoseconds.
const MOST_NS: u64 = 10_000_000_000;

/// A client with its name and what happened to it.
pub struct Entrant {
    pub name: &'static str,
    client: Box<dyn Client>,
    trial: Vec<Sample>,
    medians: Vec<Sample>,
    samples: Vec<Vec<Sample>>,
    heap_calls: u64,
    exchanges: u64,
}

/// One exchange, or a median of several; in nanoseconds.
#[derive(Clone, Copy)]
struct Sample {
    round_trip: u32,
    one_way: u32,
}

/// What is known of one client after a run.
pub struct Outcome {
    pub name: &'static str,
    /// From the start of building a request to its parsed reply.
    pub round_trip: Figure,
    /// From the same start to the server's having read all of the request.
    pub one_way: Figure,
    /// Calls to the allocator on the client's thread (alloc, realloc, free) in each exchange.
    pub heap_calls: f64,
}

/// One thing measured, in nanoseconds.
pub struct Figure {
    /// The best of the kept trials' medians.
    pub best_p50: u32,
    /// All exchanges of the kept trials.
    pub all: Histogram<u64>,
}

/// A whole run.
pub struct Run {
    pub outcomes: Vec<Outcome>,
    pub kept: usize,
    pub trials: usize,
}

impl Run {
    pub fn is_conclusive(&self) -> bool {
        self.kept >= FEWEST_LEFT
    }

    pub fn of(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.name == name)
    }
}

/// Who measures.
pub struct Bench<'s> {
    server: &'s Server,
    clock: Clock,
    body: [u8; BODY_BYTES],
    number: u64,
    shuffle: u64,
}

impl Entrant {
    pub fn new(name: &'static str, client: Box<dyn Client>) -> Self {
        Self {
            name,
            client,
            trial: Vec::with_capacity(4_096),
            medians: Vec::new(),
            samples: Vec::new(),
            heap_calls: 0,
            exchanges: 0,
        }
    }
}

impl<'s> Bench<'s> {
    pub fn new(server: &'s Server, clock: Clock) -> Self {
        Self {
            server,
            clock,
            body: wire::order(),
            number: 0,
            shuffle: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Runs trials; the first entrant is the floor.
    pub fn run(&mut self, entrants: Vec<Entrant>, trials: usize) -> Result<Run, Fault> {
        let mut entrants = entrants;
        let answered = self.server.answered();
        for (turn, entrant) in entrants.iter_mut().enumerate() {
            for _ in 0..WARM_UP {
                self.exchange(turn, entrant)?;
            }
            entrant.heap_calls = 0;
            entrant.exchanges = 0;
        }
        for _ in 0..trials {
            self.server.pause();
            std::thread::sleep(REST);
            self.trial(&mut entrants)?;
        }
        self.server.pause();
        let done = self.server.answered() - answered;
        let sent: u64 = entrants.iter().map(|entrant| entrant.exchanges).sum();
        let warm = (entrants.len() * WARM_UP) as u64;
        if done != sent + warm {
            let what = format!("{done} requests answered, {} sent", sent + warm);
            return Err(what.into());
        }
        Ok(outcome(entrants, trials))
    }

    /// One trial: a round that is not counted, then as many as fit.
    fn trial(&mut self, entrants: &mut [Entrant]) -> Result<(), Fault> {
        let mut order: Vec<usize> = (0..entrants.len()).collect();
        for turn in &order {
            self.exchange(*turn, &mut entrants[*turn])?;
        }
        for entrant in entrants.iter_mut() {
            entrant.trial.clear();
        }
        let began = self.clock.now();
        while began.elapsed() < TRIAL {
            // Nobody always comes after the same one.
            for at in (1..order.len()).rev() {
                order.swap(at, self.random() % (at + 1));
            }
            for turn in &order {
                let sample = self.exchange(*turn, &mut entrants[*turn])?;
                entrants[*turn].trial.push(sample);
            }
        }
        for entrant in entrants.iter_mut() {
            let median = Sample {
                round_trip: median(entrant.trial.iter().map(|sample| sample.round_trip)),
                one_way: median(entrant.trial.iter().map(|sample| sample.one_way)),
            };
            entrant.medians.push(median);
            entrant.samples.push(entrant.trial.clone());
        }
        Ok(())
    }

    fn exchange(&mut self, turn: usize, entrant: &mut Entrant) -> Result<Sample, Fault> {
        self.number += 1;
        self.server.turn(turn);
        let heap_calls = allocations::of_this_thread();
        let began = self.clock.raw();
        wire::set_number(&mut self.body, self.number);
        let answer = entrant.client.exchange(&self.body);
        let ended = self.clock.raw();
        entrant.heap_calls += allocations::of_this_thread() - heap_calls;
        entrant.exchanges += 1;
        let name = entrant.name;
        let answer = answer.map_err(|error| format!("{name}: {error}"))?;
        if answer != Some(self.number) {
            let number = self.number;
            return Err(format!("{name}: order {number} was answered with {answer:?}").into());
        }
        entrant.client.rest()?;
        let since = |stamp| self.clock.delta_as_nanos(began, stamp) as u32;
        Ok(Sample {
            round_trip: since(ended),
            one_way: since(self.server.read_at()),
        })
    }

    fn random(&mut self) -> usize {
        self.shuffle ^= self.shuffle << 13;
        self.shuffle ^= self.shuffle >> 7;
        self.shuffle ^= self.shuffle << 17;
        (self.shuffle >> 33) as usize
    }
}

fn median(values: impl Iterator<Item = u32>) -> u32 {
    let mut values: Vec<u32> = values.collect();
    let middle = values.len().saturating_sub(1) / 2;
    if values.is_empty() {
        return u32::MAX;
    }
    *values.select_nth_unstable(middle).1
}

fn outcome(entrants: Vec<Entrant>, trials: usize) -> Run {
    let floors: Vec<u32> = match entrants.first() {
        Some(floor) => floor
            .medians
            .iter()
            .map(|sample| sample.round_trip)
            .collect(),
        None => Vec::new(),
    };
    let best = floors.iter().copied().min().unwrap_or(0);
    let counts = |trial: usize| {
        u64::from(floors[trial]) * 10 <= u64::from(best) * u64::from(SLOW_FLOOR_TENTHS)
    };
    let kept: Vec<usize> = (0..floors.len()).filter(|trial| counts(*trial)).collect();
    let outcomes = entrants
        .iter()
        .map(|entrant| Outcome {
            name: entrant.name,
            round_trip: figure(entrant, &kept, |sample| sample.round_trip),
            one_way: figure(entrant, &kept, |sample| sample.one_way),
            heap_calls: entrant.heap_calls as f64 / entrant.exchanges.max(1) as f64,
        })
        .collect();
    Run {
        outcomes,
        kept: kept.len(),
        trials,
    }
}

fn figure(entrant: &Entrant, kept: &[usize], of: fn(&Sample) -> u32) -> Figure {
    let mut all = Histogram::new_with_bounds(1, MOST_NS, 3).expect("the bounds are sound");
    let mut best_p50 = u32::MAX;
    for trial in kept {
        best_p50 = best_p50.min(of(&entrant.medians[*trial]));
        for sample in &entrant.samples[*trial] {
            all.saturating_record(u64::from(of(sample)));
        }
    }
    Figure { best_p50, all }
}
