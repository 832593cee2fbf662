//! The simulated exchange alone: submit to fill report.
//!
//! Runs on: the caller's thread.
//! Owns: an exchange without and with many open orders.
//! Never: counts an order whose fill did not come.

use super::gate::bare_trip;
use super::orders::{OrderSource, STRATEGY, quote};
use super::report::{Figure, Goal};
use super::rig::{Failure, START, always_open, exchange_settings, instruments};
use super::trials::{Best, Trial, best, median};
use super::twin;
use crate::runtime::Clock;
use crate::sim::Exchange;
use crate::types::{
    BookSide, BootEpoch, InstrumentId, Nanos, NewOrderCommand, Order, OrderFlags, QuoteUpdate,
    ReportKind, StageStamps,
};

const INSTRUMENTS: u32 = 100;
/// Orders timed together.
const BATCH: usize = 32;
/// Batches a trial: below 2 ms.
const BATCHES: usize = 50;
const STEP_NS: u64 = 1_000;

struct Case {
    exchange: Exchange,
    source: OrderSource,
    now: Nanos,
}

impl Case {
    fn new(open: usize) -> Result<Self, Failure> {
        let mut case = Self {
            exchange: Exchange::new(
                exchange_settings(BootEpoch::FIRST),
                &instruments(INSTRUMENTS),
                always_open(START),
                START,
            ),
            source: OrderSource::new(BootEpoch::FIRST, INSTRUMENTS),
            now: START,
        };
        for number in 0..INSTRUMENTS {
            let update = QuoteUpdate {
                instrument: InstrumentId(number),
                side: BookSide::Both,
                quote: quote(START),
            };
            let taken = case.exchange.on_quote(START, &update);
            taken.map_err(|busy| busy.to_string())?;
        }
        for _ in 0..open {
            let order = case.source.resting();
            let command = case.command(order);
            if case.fills(&command)? != 0 {
                return Err("a resting order was filled".to_owned());
            }
        }
        Ok(case)
    }

    fn command(&mut self, order: Order) -> NewOrderCommand {
        self.now = self.now.plus(STEP_NS);
        NewOrderCommand {
            order_id: self.source.request(order, self.now).order_id,
            instrument: order.instrument,
            strategy: STRATEGY,
            side: order.side,
            time_in_force: order.time_in_force,
            flags: OrderFlags::default(),
            asked_type: order.order_type.name(),
            order_type: order.order_type,
            quantity: order.quantity,
            stamps: StageStamps::at(0),
        }
    }

    /// Submits and takes every report; returns the fills.
    fn fills(&mut self, command: &NewOrderCommand) -> Result<usize, Failure> {
        self.exchange
            .submit(self.now, command)
            .map_err(|busy| busy.to_string())?;
        let mut fills = 0;
        while let Some(report) = self.exchange.next_report(self.now) {
            fills += usize::from(report.kind == ReportKind::Fill);
        }
        Ok(fills)
    }

    fn trial(&mut self, clock: &Clock) -> Result<f64, Failure> {
        let mut times = Vec::with_capacity(BATCHES);
        for _ in 0..BATCHES {
            let commands: [NewOrderCommand; BATCH] = std::array::from_fn(|_| {
                let order = self.source.marketable();
                self.command(order)
            });
            let begin = clock.stamp();
            let mut fills = 0;
            for command in &commands {
                fills += self.fills(command)?;
            }
            let end = clock.stamp();
            if fills != BATCH {
                return Err(format!("{fills} fills of {BATCH} orders"));
            }
            times.push((end - begin) as f64 / BATCH as f64);
        }
        Ok(median(&mut times))
    }

    fn check(&self) -> Result<(), Failure> {
        let exchange = &self.exchange;
        if exchange.cash() != self.source.cash {
            return Err(format!("simulator: cash is {}", exchange.cash()));
        }
        if exchange.open_orders() as u64 != self.source.resting {
            return Err(format!("simulator: {} open orders", exchange.open_orders()));
        }
        for (number, &expected) in self.source.positions.iter().enumerate() {
            let held = exchange.position(InstrumentId(number as u32)).quantity;
            if held.units() != expected {
                return Err(format!("simulator: position {number} is {held}"));
            }
        }
        Ok(())
    }
}

/// Measures both cases in turns.
pub(super) fn measure(trials: usize) -> Result<Vec<Figure>, Failure> {
    let clock = Clock::real();
    let (mut caller, mut stages) = twin::twin();
    let mut cases = [(0, Case::new(0)?), (100_000, Case::new(100_000)?)];
    let mut results: [Vec<Trial>; 2] = Default::default();
    for round in 0..=trials {
        for ((_, case), found) in cases.iter_mut().zip(&mut results) {
            let twin_ns = bare_trip(&clock, &mut caller, &mut stages);
            let figures_ns = vec![case.trial(&clock)?];
            if round > 0 {
                found.push(Trial {
                    twin_ns,
                    figures_ns,
                });
            }
        }
    }
    let mut figures = Vec::new();
    let bests: Vec<Best> = results.iter().map(|trials| best(trials)).collect();
    for ((open, case), found) in cases.iter().zip(&bests) {
        case.check()?;
        let name = format!("simulator alone: submit to fill, {open} open orders");
        figures.push(Figure::new(name, "ns", found, 0).goal(Goal::AtMost(1_000.0)));
    }
    Ok(figures)
}
