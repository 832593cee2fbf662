//! Trading states by scope, and the latch of the loss breakers.
//!
//! Runs on: the RISK agent.
//! Owns: ACTIVE, REDUCING or HALTED of the firm, each broker and each strategy.
//! Never: loosens by itself; a latch outlives restarts and is lifted by a reset only.

use crate::types::{BrokerId, Refusal, RefusalCode, RiskRecord, Scope, StrategyId, TradingState};
use crate::types::{Nanos, RecoveredTradingState};

/// A latched control: the firm is halted until the latch is reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Latch {
    pub(super) cause: RefusalCode,
    /// What was found, 10^-6 of money; 0 after a restart.
    pub(super) observed: i64,
    /// The limit, 10^-6 of money; 0 after a restart.
    pub(super) limit: i64,
}

impl Latch {
    const fn refusal(self) -> Refusal {
        Refusal {
            code: self.cause,
            observed: self.observed,
            limit: self.limit,
        }
    }
}

/// See the module.
pub(super) struct TradingStates {
    /// As operators set it; the latch lies over it.
    firm: TradingState,
    brokers: [TradingState; BrokerId::MAX_COUNT],
    strategies: [TradingState; StrategyId::MAX_COUNT],
    latch: Option<Latch>,
}

impl TradingStates {
    pub(super) fn new(recovered: &[RecoveredTradingState]) -> Self {
        let mut states = Self {
            firm: TradingState::Active,
            brokers: [TradingState::Active; BrokerId::MAX_COUNT],
            strategies: [TradingState::Active; StrategyId::MAX_COUNT],
            latch: None,
        };
        for entry in recovered {
            match (entry.scope, entry.cause) {
                (Scope::Firm, Some(cause)) => {
                    states.latch = Some(Latch {
                        cause,
                        observed: 0,
                        limit: 0,
                    });
                }
                (scope, _) => {
                    if let Some(state) = states.slot(scope) {
                        *state = entry.state;
                    }
                }
            }
        }
        states
    }

    fn slot(&mut self, scope: Scope) -> Option<&mut TradingState> {
        match scope {
            Scope::Firm => Some(&mut self.firm),
            Scope::Broker(broker) => self.brokers.get_mut(broker.index()),
            Scope::Strategy(strategy) => self.strategies.get_mut(strategy.index()),
        }
    }

    /// The state of a scope itself, the latch included; `None` for an unknown scope.
    pub(super) fn of(&self, scope: Scope) -> Option<TradingState> {
        match scope {
            Scope::Firm if self.latch.is_some() => Some(TradingState::Halted),
            Scope::Firm => Some(self.firm),
            Scope::Broker(broker) => self.brokers.get(broker.index()).copied(),
            Scope::Strategy(strategy) => self.strategies.get(strategy.index()).copied(),
        }
    }

    pub(super) const fn latch(&self) -> Option<Latch> {
        self.latch
    }

    /// Refuses every new order and replace of a strategy that is halted, or of a halted firm.
    #[inline(always)]
    pub(super) fn admit_strategy(&self, strategy: StrategyId) -> Result<(), Refusal> {
        if let Some(latch) = self.latch {
            return Err(latch.refusal());
        }
        if self.firm == TradingState::Halted
            || self.strategies[strategy.index()] == TradingState::Halted
        {
            return Err(Refusal::plain(RefusalCode::Halted));
        }
        Ok(())
    }

    /// Refuses every new order and replace at a halted broker.
    #[inline(always)]
    pub(super) fn admit_broker(&self, broker: BrokerId) -> Result<(), Refusal> {
        if self.brokers[broker.index()] == TradingState::Halted {
            return Err(Refusal::plain(RefusalCode::Halted));
        }
        Ok(())
    }

    /// Whether any scope of this order takes reducing orders only.
    #[inline(always)]
    pub(super) fn is_reducing(&self, broker: BrokerId, strategy: StrategyId) -> bool {
        self.firm
            .max(self.brokers[broker.index()])
            .max(self.strategies[strategy.index()])
            >= TradingState::Reducing
    }

    /// Halts the firm for a loss; a second cause changes nothing. Returns whether it latched now.
    pub(super) fn latch_firm(&mut self, latch: Latch) -> bool {
        if self.latch.is_some() {
            return false;
        }
        self.latch = Some(latch);
        true
    }

    /// Lifts the latch; the firm is then in the state that operators set.
    pub(super) fn reset_latch(&mut self) {
        self.latch = None;
    }

    /// An operator's word. Returns whether it holds now: a latched firm is loosened by a reset
    /// only, and an unknown scope has no state.
    pub(super) fn set(&mut self, scope: Scope, state: TradingState) -> bool {
        if scope == Scope::Firm && self.latch.is_some() && state < TradingState::Halted {
            return false;
        }
        match self.slot(scope) {
            Some(slot) => {
                *slot = state;
                true
            }
            None => false,
        }
    }

    /// The record of a scope's state as it stands.
    pub(super) fn record(&self, scope: Scope, at: Nanos) -> RiskRecord {
        let latch = if scope == Scope::Firm {
            self.latch
        } else {
            None
        };
        RiskRecord::TradingState {
            scope,
            state: self.of(scope).unwrap_or_default(),
            cause: latch.map(|latch| latch.cause),
            observed: latch.map_or(0, |latch| latch.observed),
            limit: latch.map_or(0, |latch| latch.limit),
            at,
        }
    }
}
