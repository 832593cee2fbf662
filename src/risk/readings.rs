//! What the gate can be asked: states, equity, exposure.
//!
//! Runs on: the RISK agent; tests and status.
//! Owns: nothing.
//! Never: changes anything.

use crate::types::{BrokerId, InstrumentId, Money, Quantity, RefusalCode, Scope, TradingState};

use super::gate::RiskGate;
use super::status::RiskStatusReading;

/// One broker's exposure to one instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExposureReading {
    /// Signed.
    pub position: Quantity,
    /// What open buys may still trade, 10^-9.
    pub open_buys: i128,
    /// What open sells may still trade, 10^-9.
    pub open_sells: i128,
    /// Working orders.
    pub open_orders: u32,
}

impl RiskGate {
    /// The state of a scope itself, a latch of the firm included.
    #[must_use]
    pub fn trading_state(&self, scope: Scope) -> TradingState {
        self.states.of(scope).unwrap_or(TradingState::Halted)
    }

    /// The latched control, if one is.
    #[must_use]
    pub fn latch(&self) -> Option<RefusalCode> {
        self.states.latch().map(|latch| latch.cause)
    }

    /// Equity, baselines, states and counts as they are now.
    #[must_use]
    pub fn reading(&self) -> RiskStatusReading {
        RiskStatusReading {
            trading_state: self.trading_state(Scope::Firm),
            latch: self.latch(),
            equity: self.book.equity.total(),
            high_water_mark: self.breakers.high_water_mark(),
            start_of_day: self.breakers.start_of_day(),
            open_orders: self.book.orders.len() as u64,
            refusals: self.refusals,
            approvals: self.approvals,
        }
    }

    /// Exposure of a broker to an instrument; `None` when either is not known.
    #[must_use]
    pub fn exposure(&self, broker: BrokerId, instrument: InstrumentId) -> Option<ExposureReading> {
        if instrument.index() >= self.book.instruments() || broker.index() >= self.book.brokers() {
            return None;
        }
        let cell = self.book.cell(broker, instrument);
        Some(ExposureReading {
            position: Quantity::from_units(cell.position),
            open_buys: cell.open[0],
            open_sells: cell.open[1],
            open_orders: cell.open_orders,
        })
    }

    /// Money that open orders hold at a broker; `None` when it is not known.
    #[must_use]
    pub fn held(&self, broker: BrokerId) -> Option<Money> {
        (broker.index() < self.book.brokers()).then(|| self.book.holds(broker))
    }

    /// What open orders may hold at a broker in all (control 6); `None` before its first snapshot
    /// or on overflow.
    #[must_use]
    pub fn buying_power(&self, broker: BrokerId) -> Option<Money> {
        if broker.index() >= self.book.brokers() {
            return None;
        }
        self.book.equity.kind(broker)?;
        self.book.equity.buying_power(broker)
    }
}
