//! The kill word: the last thing a gateway reads before it writes.
//!
//! Runs on: any thread; one atomic word.
//! Owns: the meaning of its bits.
//! Never: is cleared by a hot agent.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{BrokerId, StrategyId};

/// What is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KillScope {
    /// Everything.
    Firm,
    /// One broker.
    Broker(BrokerId),
    /// One strategy.
    Strategy(StrategyId),
}

impl KillScope {
    const fn bit(self) -> u64 {
        match self {
            Self::Firm => 1,
            Self::Broker(broker) => 1 << (1 + broker.0),
            Self::Strategy(strategy) => 1 << (1 + BrokerId::MAX_COUNT + strategy.0 as usize),
        }
    }
}

/// What a command would do, for the kill word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CommandClass {
    /// Could add risk: a new order or a replace.
    New,
    /// Takes risk away: a cancel or a look-up.
    Cancel,
    /// An order minted by the liquidator.
    Liquidate,
}

/// One bit for the firm, one a broker, one a strategy. A set bit stops new orders of that scope at the gateways.
#[derive(Debug, Default)]
pub struct KillWord(AtomicU64);

impl KillWord {
    /// Nothing killed.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Sets the bit of `scope`: visible to every gateway before its next write of a new order.
    pub fn set(&self, scope: KillScope) {
        self.0.fetch_or(scope.bit(), Ordering::SeqCst);
    }

    /// Clears the bit of `scope`.
    pub fn clear(&self, scope: KillScope) {
        self.0.fetch_and(!scope.bit(), Ordering::SeqCst);
    }

    /// Whether the bit of `scope` itself is set.
    #[must_use]
    pub fn is_set(&self, scope: KillScope) -> bool {
        self.0.load(Ordering::Acquire) & scope.bit() != 0
    }

    /// Whether a command of `class` may leave now.
    #[must_use]
    pub fn permits(&self, class: CommandClass, broker: BrokerId, strategy: StrategyId) -> bool {
        let word = self.0.load(Ordering::Acquire);
        word == 0 || !matches!(class, CommandClass::New) || {
            let mask = KillScope::Firm.bit()
                | KillScope::Broker(broker).bit()
                | KillScope::Strategy(strategy).bit();
            word & mask == 0
        }
    }
}

const _: () = assert!(
    1 + BrokerId::MAX_COUNT + StrategyId::MAX_COUNT <= 64,
    "one bit each"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_stops_its_own_new_orders_and_no_cancels() {
        let word = KillWord::new();
        let (a, b) = (BrokerId(0), BrokerId(15));
        let last = StrategyId(StrategyId::MAX_COUNT as u8 - 1);
        word.set(KillScope::Broker(b));
        assert!(word.permits(CommandClass::New, a, last));
        assert!(!word.permits(CommandClass::New, b, last));
        assert!(word.permits(CommandClass::Cancel, b, last));
        word.clear(KillScope::Broker(b));
        word.set(KillScope::Strategy(last));
        assert!(!word.permits(CommandClass::New, a, last));
        assert!(word.permits(CommandClass::New, a, StrategyId(0)));
        word.set(KillScope::Firm);
        assert!(!word.permits(CommandClass::New, a, StrategyId(0)));
        assert!(word.permits(CommandClass::Liquidate, a, StrategyId(0)));
    }
}
