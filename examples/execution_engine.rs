//! An algorithm from start to report: `cargo run --release --example execution_engine`.
//!
//! Runs on: the main thread; the algorithm's callbacks on its own thread.
//! Owns: a mean-reversion toy on a synthetic market, traded at the paper broker.
//! Never: is advice.

use std::collections::HashMap;
use std::time::Duration;

use shrike::config::Config;
use shrike::engine::{Algorithm, Context, ExecutionEngine};
use shrike::types::{
    InstrumentId, Order, OrderReport, QuoteCondition, QuoteUpdate, Side, Signal, Sizing,
};

/// Buys below a slow average of the mid price and sells above it.
#[derive(Default)]
struct Reversion {
    average: HashMap<InstrumentId, i64>,
    fills: u64,
}

impl Algorithm for Reversion {
    fn on_quote(&mut self, context: &mut Context<'_>, update: &QuoteUpdate) {
        if update.quote.condition() != QuoteCondition::Normal {
            return;
        }
        let mid = update.quote.midpoint().units();
        let average = self.average.entry(update.instrument).or_insert(mid);
        *average += (mid - *average) / 64;
        let busy = context
            .open_orders()
            .any(|order| order.instrument == update.instrument);
        let held = context.position(update.instrument).quantity;
        let signal = match mid.cmp(average) {
            std::cmp::Ordering::Less if !held.is_positive() => Side::Buy,
            std::cmp::Ordering::Greater if held.is_positive() => Side::Sell,
            _ => return,
        };
        if !busy {
            // A percent of equity to buy; everything to sell.
            let sizing = match signal {
                Side::Buy => Sizing::PercentOfEquity("0.01".parse().expect("a ratio")),
                Side::Sell => Sizing::Quantity(held),
            };
            let signal = Signal::market(update.instrument, signal, sizing);
            // An error means that nothing was sent; the next quote tries again.
            let _ = context.process_signal(signal);
        }
    }

    fn on_event(&mut self, _context: &mut Context<'_>, report: &OrderReport) {
        self.fills += u64::from(matches!(report.event, shrike::types::OrderEvent::Filled(_)));
    }

    fn on_stop(&mut self, _context: &mut Context<'_>) {
        println!("the algorithm saw {} fills", self.fills);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    config.algorithms.clear();
    let engine = ExecutionEngine::builder(config)
        .algorithm(
            "reversion",
            &["AAPL", "MSFT"],
            Box::new(Reversion::default()),
        )
        .build()?;
    engine.add_event_handler(|event| tracing::debug!(?event, "event"))?;
    engine.initialize()?;
    engine.start_trading()?;

    // An order from outside any algorithm, at a broker of choice.
    let spy = engine
        .instrument("SPY")
        .ok_or("SPY is one of the default symbols")?;
    let paper = engine.broker("paper").ok_or("the default broker")?;
    engine.run_for(Duration::from_millis(500))?;
    let order = Order::market(spy, Side::Buy, "10".parse()?);
    let outcome = engine.submit_and_wait(order, Some(paper), Duration::from_secs(2))?;
    println!("outside order: {outcome:?}");

    engine.run_for(Duration::from_secs(3))?;
    println!("{}", engine.get_comprehensive_status()?.to_json());
    let session = engine.shutdown()?;
    println!("{session}");
    Ok(())
}
