//! What the rest of the engine may see of RISK.
//!
//! Runs on: written by the RISK agent at most once a cycle, read by any thread.
//! Owns: a sequence lock over plain words: equity, baselines, states, counts.
//! Never: blocks the writer.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

use crate::types::{BrokerId, Money, RefusalCode, StrategyId, TradingState};

/// One consistent reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RiskStatusReading {
    /// The firm's trading state, a latch included.
    pub trading_state: TradingState,
    /// The latched control, if one is.
    pub latch: Option<RefusalCode>,
    /// Equity over all brokers at adverse marks; `None` until every broker's cash and every held
    /// position's price are known.
    pub equity: Option<Money>,
    /// The baseline of control 8.
    pub high_water_mark: Option<Money>,
    /// Trading date (20131007) and baseline of control 7.
    pub start_of_day: Option<(u32, Money)>,
    /// Working orders, those in doubt included.
    pub open_orders: u64,
    /// Orders and replaces refused since start.
    pub refusals: u64,
    /// Orders approved since start.
    pub approvals: u64,
}

/// Shared words; RISK holds the only writer.
#[derive(Debug)]
pub struct RiskStatus {
    sequence: AtomicU64,
    /// Trading state (bits 0 to 7), latch code (8 to 23), which amounts are known (24 to 26).
    flags: AtomicU64,
    date: AtomicU64,
    open_orders: AtomicU64,
    refusals: AtomicU64,
    approvals: AtomicU64,
    amounts: [[AtomicU64; 2]; 3],
    brokers: [AtomicU8; BrokerId::MAX_COUNT],
    strategies: [AtomicU8; StrategyId::MAX_COUNT],
}

impl Default for RiskStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl RiskStatus {
    /// Nothing known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sequence: AtomicU64::new(0),
            flags: AtomicU64::new(0),
            date: AtomicU64::new(0),
            open_orders: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            approvals: AtomicU64::new(0),
            amounts: [const { [const { AtomicU64::new(0) }; 2] }; 3],
            brokers: [const { AtomicU8::new(0) }; BrokerId::MAX_COUNT],
            strategies: [const { AtomicU8::new(0) }; StrategyId::MAX_COUNT],
        }
    }

    /// The latest.
    #[must_use]
    pub fn read(&self) -> RiskStatusReading {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let flags = self.flags.load(Ordering::Relaxed);
            let amount = |index: usize| {
                let [high, low] = &self.amounts[index];
                let high = high.load(Ordering::Relaxed) as i64;
                let low = low.load(Ordering::Relaxed);
                let money = Money::from_units(i128::from(high) << 64 | i128::from(low));
                (flags >> (24 + index) & 1 == 1).then_some(money)
            };
            let date = self.date.load(Ordering::Relaxed) as u32;
            let reading = RiskStatusReading {
                trading_state: TradingState::from_u8(flags as u8).unwrap_or(TradingState::Halted),
                latch: RefusalCode::from_u16((flags >> 8) as u16),
                equity: amount(0),
                high_water_mark: amount(1),
                start_of_day: amount(2).map(|equity| (date, equity)),
                open_orders: self.open_orders.load(Ordering::Relaxed),
                refusals: self.refusals.load(Ordering::Relaxed),
                approvals: self.approvals.load(Ordering::Relaxed),
            };
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && before == self.sequence.load(Ordering::Relaxed) {
                return reading;
            }
            std::hint::spin_loop();
        }
    }

    /// A broker's own trading state.
    #[must_use]
    pub fn broker_state(&self, broker: BrokerId) -> TradingState {
        state_of(self.brokers.get(broker.index()))
    }

    /// A strategy's own trading state.
    #[must_use]
    pub fn strategy_state(&self, strategy: StrategyId) -> TradingState {
        state_of(self.strategies.get(strategy.index()))
    }

    pub(super) fn set_broker_state(&self, broker: BrokerId, state: TradingState) {
        if let Some(word) = self.brokers.get(broker.index()) {
            word.store(state as u8, Ordering::Release);
        }
    }

    pub(super) fn set_strategy_state(&self, strategy: StrategyId, state: TradingState) {
        if let Some(word) = self.strategies.get(strategy.index()) {
            word.store(state as u8, Ordering::Release);
        }
    }

    /// RISK's own: the one writer.
    pub(super) fn publish(&self, reading: &RiskStatusReading) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        // Readers that see a new word also see the odd sequence.
        fence(Ordering::Release);
        let (date, start_of_day) = match reading.start_of_day {
            Some((date, equity)) => (date, Some(equity)),
            None => (0, None),
        };
        let mut flags = reading.trading_state as u64;
        flags |= reading.latch.map_or(0, |code| code as u64) << 8;
        let amounts = [reading.equity, reading.high_water_mark, start_of_day];
        for (index, amount) in amounts.into_iter().enumerate() {
            let units = amount.unwrap_or_default().units();
            flags |= u64::from(amount.is_some()) << (24 + index);
            let [high, low] = &self.amounts[index];
            high.store((units >> 64) as u64, Ordering::Relaxed);
            low.store(units as u64, Ordering::Relaxed);
        }
        self.flags.store(flags, Ordering::Relaxed);
        self.date.store(u64::from(date), Ordering::Relaxed);
        self.open_orders
            .store(reading.open_orders, Ordering::Relaxed);
        self.refusals.store(reading.refusals, Ordering::Relaxed);
        self.approvals.store(reading.approvals, Ordering::Relaxed);
        self.sequence.store(sequence + 2, Ordering::Release);
    }
}

fn state_of(word: Option<&AtomicU8>) -> TradingState {
    word.map_or(TradingState::Active, |word| {
        TradingState::from_u8(word.load(Ordering::Acquire)).unwrap_or(TradingState::Halted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_what_was_published_and_never_half_of_it() {
        let status = std::sync::Arc::new(RiskStatus::new());
        assert_eq!(status.read(), RiskStatusReading::default());
        let reading = |n: i64| RiskStatusReading {
            trading_state: TradingState::Halted,
            latch: Some(RefusalCode::Drawdown),
            equity: Some(Money::from_units(-i128::from(n) << 70)),
            high_water_mark: None,
            start_of_day: Some((20_131_007, Money::from_units(i128::from(n)))),
            open_orders: n as u64,
            refusals: n as u64,
            approvals: 3,
        };
        status.publish(&reading(1));
        let watcher = {
            let status = std::sync::Arc::clone(&status);
            std::thread::spawn(move || {
                loop {
                    let seen = status.read();
                    assert_eq!(seen, reading(seen.open_orders as i64));
                    if seen.open_orders == 20_000 {
                        return;
                    }
                }
            })
        };
        for n in 2..=20_000 {
            status.publish(&reading(n));
        }
        watcher.join().expect("no torn reading");
    }
}
