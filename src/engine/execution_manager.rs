//! What an algorithm holds: a port, and the sizing of signals into orders.
//!
//! Runs on: the thread that holds it.
//! Owns: the arithmetic from a wish (notional, share of equity, target position) to whole lots.
//! Never: guesses: without a price or an equity there is no order.

use super::port::{Port, SubmitError};
use crate::types::{
    InstrumentId, Money, Order, OrderId, OrderType, Price, Quantity, QuoteCondition, Side, Signal,
    Sizing,
};

/// Why a signal became no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// There is no price to size by.
    #[error("instrument {} has no price to size by", instrument.0)]
    NoPrice {
        /// Which.
        instrument: InstrumentId,
    },
    /// The account's equity is not known.
    #[error("the account's equity is not known")]
    NoEquity,
    /// Less than one lot.
    #[error("the signal comes to less than one lot")]
    LessThanOneLot,
    /// The position, open orders included, is at the target.
    #[error("the position is at its target already")]
    AtTarget,
    /// A number does not fit.
    #[error("the signal's size is out of range")]
    OutOfRange,
    /// The port did not take the order.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// A port with sizing. `Send`, not `Sync`.
pub struct ExecutionManager {
    port: Port,
}

impl ExecutionManager {
    pub(super) const fn new(port: Port) -> Self {
        Self { port }
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> &Port {
        &self.port
    }

    /// The port, to submit, cancel, replace and read reports.
    pub const fn port_mut(&mut self) -> &mut Port {
        &mut self.port
    }

    /// Turns a signal into an order and sends it; the order's id is given at once.
    ///
    /// # Errors
    /// [`SignalError`]; nothing was sent then.
    pub fn process_signal(&mut self, signal: Signal) -> Result<OrderId, SignalError> {
        let (side, quantity) = self.size(&signal)?;
        let order = Order::new(signal.instrument, side, quantity, signal.order_type)
            .time_in_force(signal.time_in_force);
        Ok(self.port.submit(order, signal.preferred_broker)?)
    }

    fn size(&self, signal: &Signal) -> Result<(Side, Quantity), SignalError> {
        match signal.sizing {
            Sizing::Quantity(quantity) => Ok((signal.side, quantity)),
            Sizing::Notional(amount) => Ok((signal.side, self.lots_for(signal, amount)?)),
            Sizing::PercentOfEquity(ratio) => {
                let equity = self.port.shared().equity().ok_or(SignalError::NoEquity)?;
                let amount = equity.fraction(ratio).ok_or(SignalError::OutOfRange)?;
                Ok((signal.side, self.lots_for(signal, amount)?))
            }
            Sizing::TargetPosition(target) => {
                let expected = self
                    .expected_position(signal.instrument)
                    .ok_or(SignalError::OutOfRange)?;
                let missing = target
                    .checked_sub(expected)
                    .ok_or(SignalError::OutOfRange)?;
                match missing.units() {
                    0 => Err(SignalError::AtTarget),
                    units if units > 0 => Ok((Side::Buy, missing)),
                    _ => Ok((Side::Sell, missing.abs())),
                }
            }
        }
    }

    /// The position once every open order has filled.
    fn expected_position(&self, instrument: InstrumentId) -> Option<Quantity> {
        let mut expected = self.port.position(instrument).quantity;
        for order in self
            .port
            .open_orders()
            .filter(|order| order.instrument == instrument)
        {
            expected = expected.checked_add(order.side.signed(order.leaves_quantity()))?;
        }
        Some(expected)
    }

    /// Whole lots that `amount` pays for.
    fn lots_for(&self, signal: &Signal, amount: Money) -> Result<Quantity, SignalError> {
        let no_price = SignalError::NoPrice {
            instrument: signal.instrument,
        };
        let price = self.sizing_price(signal).ok_or(no_price)?;
        let instrument = self
            .port
            .shared()
            .instruments
            .get(signal.instrument)
            .ok_or(SubmitError::UnknownInstrument {
                instrument: signal.instrument,
            })?;
        let lot = instrument.lot;
        let lot_value = price.notional(lot).units();
        if lot_value <= 0 {
            return Err(no_price);
        }
        let lots = amount.units() / lot_value;
        if lots < 1 {
            return Err(SignalError::LessThanOneLot);
        }
        i64::try_from(lots)
            .ok()
            .and_then(|lots| lots.checked_mul(lot.units()))
            .map(Quantity::from_units)
            .ok_or(SignalError::OutOfRange)
    }

    /// The limit price if there is one, else the side of the quote that would be paid, else the last trade.
    fn sizing_price(&self, signal: &Signal) -> Option<Price> {
        if let OrderType::Limit { limit } | OrderType::StopLimit { limit, .. } = signal.order_type {
            return Some(limit);
        }
        let market = self.port.board().read(signal.instrument);
        let price = match (market.quote.condition(), signal.side) {
            (QuoteCondition::Normal | QuoteCondition::Locked, Side::Buy) => market.quote.ask,
            (QuoteCondition::Normal | QuoteCondition::Locked, Side::Sell) => market.quote.bid,
            _ => market.last,
        };
        price.is_positive().then_some(price)
    }
}
