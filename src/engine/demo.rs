//! The demonstration algorithm: every order type on both sides, with cancels and replaces.
//!
//! Runs on: its algorithm thread.
//! Owns: a cycle of twelve steps an instrument, one step each interval of the engine's time.
//! Never: is meant to make money.

use std::time::Duration;

use super::algorithm::{Algorithm, AlgorithmParameters, Context, FactoryError, TimerId};
use crate::types::{
    InstrumentId, Nanos, Order, OrderId, OrderType, Price, Quantity, Quote, QuoteCondition,
    ReplaceRequest, SessionPhase, Side, Signal, Sizing, TimeInForce, TrailingOffset,
};

/// Orders of one instrument that later steps come back to.
#[derive(Debug, Clone, Copy, Default)]
struct Desk {
    step: u32,
    passive: Option<OrderId>,
    stop: Option<OrderId>,
    trail: Option<OrderId>,
}

/// See the module. Parameters: `quantity` (shares an order, default 20), `interval` (default "250ms").
#[derive(Debug)]
pub struct Demo {
    instruments: Vec<InstrumentId>,
    desks: Vec<Desk>,
    quantity: Quantity,
    interval_ns: u64,
}

impl Demo {
    /// From the configuration.
    ///
    /// # Errors
    /// A text that names the parameter and its place.
    pub fn new(parameters: &AlgorithmParameters) -> Result<Self, FactoryError> {
        let values = &parameters.values;
        values.check_known(&["quantity", "interval"])?;
        let shares = values.integer("quantity")?.unwrap_or(20);
        let quantity = Quantity::from_whole(shares)
            .filter(|quantity| quantity.is_positive())
            .ok_or_else(|| values.error("quantity", "must be a number of shares above 0"))?;
        let interval = values
            .duration("interval")?
            .unwrap_or(Duration::from_millis(250));
        if interval < Duration::from_millis(1) {
            return Err(values.error("interval", "must be at least 1ms").into());
        }
        Ok(Self {
            instruments: parameters.symbols.clone(),
            desks: vec![Desk::default(); parameters.symbols.len()],
            quantity,
            interval_ns: u64::try_from(interval.as_nanos())?,
        })
    }

    fn act(&mut self, index: usize, context: &mut Context<'_>) {
        let instrument = self.instruments[index];
        let quote = context.market(instrument).quote;
        if quote.condition() != QuoteCondition::Normal {
            return;
        }
        let tick = context
            .instruments()
            .get(instrument)
            .map_or(Price::from_units(10_000_000), |row| row.tick_at(quote.bid));
        let quantity = self.quantity;
        let desk = &mut self.desks[index];
        let step = desk.step;
        desk.step = (step + 1) % 12;
        let desk_order = Desk::order_for(step, instrument, quantity, &quote, tick);
        // A refusal comes back as a report and a full ring is tried again in the next cycle.
        let sent = desk_order.and_then(|order| context.submit(order).ok());
        match step {
            1 | 5 => desk.passive = sent,
            2 => improve(desk.passive, context, quote.bid),
            6 => cancel(desk.passive.take(), context),
            3 => desk.stop = sent,
            7 => desk.trail = sent,
            8 => trail_closer(desk.trail, context, tick),
            9 => cancel(desk.stop.take(), context),
            11 => {
                cancel(desk.trail.take(), context);
                cancel(desk.passive.take(), context);
                flatten(instrument, context);
            }
            _ => {}
        }
    }
}

impl Desk {
    /// The order that a step sends, if it sends one.
    fn order_for(
        step: u32,
        instrument: InstrumentId,
        quantity: Quantity,
        quote: &Quote,
        tick: Price,
    ) -> Option<Order> {
        let ticks =
            |price: Price, count: i64| Price::from_units(price.units() + tick.units() * count);
        let (bid, ask) = (quote.bid, quote.ask);
        match step {
            // The cycle before may have ended with the same order a moment ago.
            0 => Some(Order::market(instrument, Side::Buy, quantity).allow_duplicate()),
            // At the ask: waits its turn in the queue there.
            1 => Some(Order::limit(instrument, Side::Sell, quantity, ask)),
            3 => Some(Order::stop(
                instrument,
                Side::Sell,
                quantity,
                ticks(bid, -6),
            )),
            4 => Some(
                Order::limit(instrument, Side::Sell, quantity, bid).time_in_force(TimeInForce::Ioc),
            ),
            // Well below the market: there to be canceled.
            5 => Some(
                Order::limit(instrument, Side::Buy, quantity, ticks(bid, -8))
                    .time_in_force(TimeInForce::Gtc),
            ),
            7 => {
                let offset = TrailingOffset::Amount(ticks(Price::ZERO, 8));
                Some(Order::trailing_stop(
                    instrument,
                    Side::Buy,
                    quantity,
                    offset,
                ))
            }
            10 => Some(Order::stop_limit(
                instrument,
                Side::Buy,
                quantity,
                ticks(ask, 1),
                ticks(ask, 3),
            )),
            _ => None,
        }
    }
}

/// Moves a waiting sale down to the bid, where it trades.
fn improve(order: Option<OrderId>, context: &mut Context<'_>, bid: Price) {
    if let Some(order_id) = order {
        let _ = context.replace(ReplaceRequest {
            order_id,
            quantity: None,
            limit: Some(bid),
            stop: None,
            trail: None,
            requested_at: Nanos::ZERO,
        });
    }
}

fn trail_closer(order: Option<OrderId>, context: &mut Context<'_>, tick: Price) {
    if let Some(order_id) = order {
        let _ = context.replace(ReplaceRequest {
            order_id,
            quantity: None,
            limit: None,
            stop: None,
            trail: Some(TrailingOffset::Amount(Price::from_units(tick.units() * 2))),
            requested_at: Nanos::ZERO,
        });
    }
}

fn cancel(order: Option<OrderId>, context: &mut Context<'_>) {
    if let Some(order_id) = order {
        // It may have filled since: then there is nothing to cancel.
        let _ = context.cancel(order_id);
    }
}

/// Back to no position at the market.
fn flatten(instrument: InstrumentId, context: &mut Context<'_>) {
    let _ = context.cancel_all(Some(instrument));
    let position = context.position(instrument).quantity;
    let side = if position.is_positive() {
        Side::Sell
    } else {
        Side::Buy
    };
    if !position.is_zero() {
        let _ = context.process_signal(Signal {
            instrument,
            side,
            sizing: Sizing::Quantity(position.abs()),
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Day,
            preferred_broker: None,
        });
    }
}

impl Algorithm for Demo {
    fn on_start(&mut self, context: &mut Context<'_>) {
        context.set_timer(self.interval_ns);
    }

    fn on_timer(&mut self, context: &mut Context<'_>, _timer: TimerId) {
        context.set_timer(self.interval_ns);
        if context.session_phase() == SessionPhase::Regular {
            for index in 0..self.instruments.len() {
                self.act(index, context);
            }
        }
    }
}
