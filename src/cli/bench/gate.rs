//! The risk gate alone: time of one check, by instruments and open orders.
//!
//! Runs on: the caller's thread.
//! Owns: the cases, and batches long enough for a counter that moves in steps of 10 ns.
//! Never: lets the number of open orders drift: what a batch adds is closed after it, untimed.

use std::hint::black_box;
use std::sync::Arc;

use super::orders::{CASH, OrderSource, quote};
use super::report::{Figure, Goal};
use super::rig::{Failure, Pace, START, always_open, risk_settings};
use super::trials::{Best, Trial, best, median, quantile};
use super::twin::{self, Caller, Stage};
use crate::ring::{BoardWriter, board};
use crate::risk::RiskGate;
use crate::runtime::Clock;
use crate::types::{
    AccountKind, AccountSnapshot, BootEpoch, BrokerId, Exposure, InstrumentId, KillWord, Money,
    Nanos, OrderId, OrderRequest, Ratio, RecoveredState, RoutingTable,
};

/// Checks timed together.
const BATCH: usize = 64;
/// Batches a trial: about 1 ms.
const BATCHES: usize = 50;

/// A gate with a market, an account and open orders.
struct Case {
    gate: RiskGate,
    board: BoardWriter,
    source: OrderSource,
    now: Nanos,
    instruments: u32,
}

impl Case {
    fn new(instruments: u32, open_orders: usize) -> Result<Self, Failure> {
        let settings = risk_settings(BootEpoch::FIRST, instruments, Pace::Calm);
        let (board, reader) = board(instruments as usize);
        let gate = RiskGate::new(
            &settings,
            reader,
            Arc::new(KillWord::new()),
            always_open(START),
            RoutingTable::new(1, BrokerId(0), Vec::new()),
            &RecoveredState::default(),
        );
        let mut case = Self {
            gate,
            board,
            source: OrderSource::new(BootEpoch::FIRST, instruments),
            now: START,
            instruments,
        };
        let broker = BrokerId(0);
        case.gate.apply(&Exposure::Link { broker, up: true });
        case.gate.apply(&Exposure::Account(AccountSnapshot {
            broker,
            kind: AccountKind::Margin,
            cash: Money::from_whole(CASH),
            multiplier: Ratio::from_units(2_000_000_000),
            at: START,
        }));
        case.quote_all();
        case.gate.roll(START);
        for number in 0..open_orders {
            if number.is_multiple_of(10_000) {
                case.quote_all();
            }
            let order = case.source.resting();
            let request = case.request(order);
            case.check(&request)?;
        }
        Ok(case)
    }

    fn quote_all(&mut self) {
        for number in 0..self.instruments {
            let instrument = InstrumentId(number);
            self.board.write_quote(instrument, &quote(self.now));
            self.gate.on_quote(instrument);
        }
    }

    fn request(&mut self, order: crate::types::Order) -> OrderRequest {
        self.now = self.now.plus(Pace::Calm.step_ns());
        self.source.request(order, self.now)
    }

    fn check(&mut self, request: &OrderRequest) -> Result<OrderId, Failure> {
        self.gate
            .check(self.now, request)
            .map(|approved| approved.request.order_id)
            .map_err(|refusal| format!("the gate refused an order: {refusal:?}"))
    }

    /// Nanoseconds of one check in each of the batches.
    fn trial(&mut self, clock: &Clock, batches: usize) -> Result<Vec<f64>, Failure> {
        self.quote_all();
        let mut times = Vec::with_capacity(batches);
        for _ in 0..batches {
            let requests: [OrderRequest; BATCH] = std::array::from_fn(|_| {
                let order = self.source.marketable();
                self.request(order)
            });
            let refused = self.gate_refusals();
            let begin = clock.stamp();
            for request in &requests {
                let _ = black_box(self.gate.check(self.now, black_box(request)));
            }
            let end = clock.stamp();
            if self.gate_refusals() != refused {
                return Err("the gate refused an order".to_owned());
            }
            for request in &requests {
                let order_id = request.order_id;
                self.gate.apply(&Exposure::Closed { order_id });
            }
            times.push((end - begin) as f64 / BATCH as f64);
        }
        Ok(times)
    }

    fn gate_refusals(&self) -> u64 {
        self.gate.reading().refusals
    }
}

/// Median of a bare trip through three rings on this thread, in nanoseconds.
pub(super) fn bare_trip(clock: &Clock, caller: &mut Caller, stages: &mut [Stage; 3]) -> f64 {
    let mut times = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let begin = clock.stamp();
        for number in 0..BATCH as u64 {
            let pushed = caller.to_risk.push([number; _]);
            debug_assert!(pushed.is_ok(), "invariant: the ring is empty");
            for stage in &mut *stages {
                stage.poll(|| number);
            }
            black_box(caller.arrived.pop().ok());
        }
        times.push((clock.stamp() - begin) as f64 / BATCH as f64);
    }
    median(&mut times)
}

/// Measures every case; the first is the goal's.
pub(super) fn measure(trials: usize) -> Result<Vec<Figure>, Failure> {
    let clock = Clock::real();
    let shapes = [(1, 0), (1, 100_000), (10_000, 0), (10_000, 100_000)];
    let mut figures: Vec<Figure> = Vec::new();
    let mut cases = Vec::new();
    for (instruments, open) in shapes {
        cases.push((instruments, open, Case::new(instruments, open)?));
    }
    let (mut caller, mut stages) = twin::twin();
    // One round warms caches and branch predictors, and does not count.
    let mut results: Vec<Vec<Trial>> = vec![Vec::new(); cases.len()];
    for round in 0..=trials {
        for (index, (_, _, case)) in cases.iter_mut().enumerate() {
            let twin_ns = bare_trip(&clock, &mut caller, &mut stages);
            let mut times = case.trial(&clock, BATCHES)?;
            if round > 0 {
                let figures_ns = vec![median(&mut times), quantile(&mut times, 0.99)];
                results[index].push(Trial {
                    twin_ns,
                    figures_ns,
                });
            }
        }
    }
    let bests: Vec<Best> = results.iter().map(|trials| best(trials)).collect();
    for ((instruments, open, _), found) in cases.iter().zip(&bests) {
        let name = format!("risk gate, {instruments} instruments, {open} open orders");
        let mut figure = Figure::new(name, "ns", found, 0).goal(Goal::AtMost(120.0));
        figure.p99 = Some(found.figures_ns[1]);
        figures.push(figure);
    }
    let medians = bests.iter().map(|found| found.figures_ns[0]);
    let most = medians.clone().fold(0.0, f64::max);
    let least = medians.fold(f64::INFINITY, f64::min);
    let conclusive = bests.iter().all(Best::is_conclusive);
    figures.push(
        Figure::derived(
            "risk gate, slowest case by the fastest",
            "x",
            most / least,
            conclusive,
        )
        .goal(Goal::AtMost(1.5)),
    );
    Ok(figures)
}
