//! Operators' words, baselines by date, and the breakers' turn once a cycle.
//!
//! Runs on: the RISK agent.
//! Owns: the order of effect and record: a tightening acts first, a loosening is on its way to the
//! journal first.
//! Never: lifts a latch while equity is not known: there would be no baseline to go on from.

use crate::types::{ControlRequest, Nanos, RiskRecord, Scope};

use super::gate::RiskGate;

impl RiskGate {
    /// The most records that one operator's word writes.
    pub(super) const RECORDS_AT_ONCE: usize = 4;

    /// Takes the baselines of a new trading date; before the cycle's quotes, so that the day begins
    /// with the marks that the last one ended with.
    pub fn roll(&mut self, now: Nanos) {
        let date = self.session.at(now).date;
        if self
            .breakers
            .start_of_day()
            .is_none_or(|(last, _)| last != date)
            && let Some(equity) = self.book.equity.total()
        {
            self.breakers.take_baselines(date, equity);
        }
    }

    /// Compares equity with the loss limits if it moved, and halts the firm at once where one is
    /// reached.
    pub fn watch(&mut self, now: Nanos) {
        if !self.book.equity.has_moved {
            return;
        }
        self.book.equity.has_moved = false;
        let Some(equity) = self.book.equity.total() else {
            return;
        };
        let date = self.session.at(now).date;
        self.breakers.take_baselines(date, equity);
        if let Some(latch) = self.breakers.evaluate(equity) {
            self.is_latch_unrecorded |= self.states.latch_firm(latch);
        }
    }

    /// The next fact that the journal lacks, if any: to be handed back to
    /// [`recorded`](Self::recorded).
    pub(super) fn unrecorded(&self, now: Nanos) -> Option<RiskRecord> {
        if self.is_latch_unrecorded {
            return Some(self.states.record(Scope::Firm, now));
        }
        self.breakers.unrecorded(now)
    }

    /// A fact is on its way to the journal.
    pub(super) fn recorded(&mut self, record: &RiskRecord) {
        if matches!(record, RiskRecord::TradingState { .. }) {
            self.is_latch_unrecorded = false;
        }
        self.breakers.recorded(record);
    }

    /// Does what an operator says. `write` takes the records, at most [`Self::RECORDS_AT_ONCE`]. A
    /// word that cannot be followed (loosening a latched firm, a reset without equity) changes
    /// nothing, and the record says what still holds.
    pub(super) fn control(
        &mut self,
        now: Nanos,
        request: &ControlRequest,
        mut write: impl FnMut(RiskRecord),
    ) {
        match *request {
            ControlRequest::SetTradingState { scope, state, .. } => {
                self.states.set(scope, state);
                if self.states.of(scope).is_some() {
                    write(self.states.record(scope, now));
                    self.is_latch_unrecorded &= scope != Scope::Firm;
                }
            }
            ControlRequest::ResetLatches { .. } => match self.book.equity.total() {
                Some(equity) => {
                    write(RiskRecord::LatchesReset { at: now });
                    self.states.reset_latch();
                    write(self.states.record(Scope::Firm, now));
                    self.is_latch_unrecorded = false;
                    self.breakers.reset(self.session.at(now).date, equity);
                    while let Some(record) = self.breakers.unrecorded(now) {
                        write(record);
                        self.breakers.recorded(&record);
                    }
                }
                None => write(self.states.record(Scope::Firm, now)),
            },
        }
    }
}
