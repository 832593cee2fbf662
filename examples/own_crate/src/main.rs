//! A binary of your own: your algorithm, every verb of `shrike`.
//!
//! Runs on: the main thread; the algorithm's callbacks on its own thread.
//! Owns: one algorithm that keeps one lot bid for.
//! Never: needs more than this file.

use std::process::ExitCode;

use shrike::cli;
use shrike::engine::{Algorithm, AlgorithmRegistry, Context};
use shrike::types::{Order, QuoteCondition, QuoteUpdate, SessionPhase, Side};

/// Bids for one lot at the best bid, one order at a time.
struct OneLot;

impl Algorithm for OneLot {
    fn on_quote(&mut self, context: &mut Context<'_>, update: &QuoteUpdate) {
        let quiet = context.open_orders().next().is_none();
        let normal = update.quote.condition() == QuoteCondition::Normal;
        if quiet && normal && context.session_phase() == SessionPhase::Regular {
            let Some(lot) = context.instruments().get(update.instrument).map(|row| row.lot) else {
                return;
            };
            let bid = Order::limit(update.instrument, Side::Buy, lot, update.quote.bid);
            if let Err(error) = context.submit(bid) {
                eprintln!("not sent: {error}");
            }
        }
    }
}

fn main() -> ExitCode {
    let registry = AlgorithmRegistry::builtin().with("one_lot", |_| Ok(Box::new(OneLot)));
    cli::main(registry)
}
