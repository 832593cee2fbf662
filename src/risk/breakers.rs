//! Controls 7 and 8: daily loss from the start of the trading date, drawdown from the highest
//! equity.
//!
//! Runs on: the RISK agent, once a cycle in which equity moved.
//! Owns: both baselines, the equity at which each breaker trips, and the records that the journal
//! still lacks.
//! Never: takes a baseline from an incomplete equity, or a second one on the same trading date.

use crate::types::{Money, Nanos, Ratio, Refusal, RefusalCode, RiskRecord, decimal};

use super::limits::RiskSettings;
use super::state::Latch;

/// See the module.
pub(super) struct Breakers {
    max_daily_loss: Option<Ratio>,
    max_drawdown: Option<Ratio>,
    start_of_day: Option<(u32, Money)>,
    high_water_mark: Option<Money>,
    /// At this equity or below the breaker trips.
    daily_floor: Option<Money>,
    drawdown_floor: Option<Money>,
    /// The high-water mark is recorded again when it reaches this.
    next_record: Option<Money>,
    is_start_unrecorded: bool,
    is_mark_unrecorded: bool,
}

/// `baseline` less `ratio` of it, the loss rounded up, so that a loss of exactly the limit trips.
/// Beyond the range of numbers every equity is at the floor.
fn floor_of(baseline: Money, ratio: Ratio) -> Money {
    checked_floor(baseline, ratio).unwrap_or(Money::from_units(i128::MAX))
}

fn checked_floor(baseline: Money, ratio: Ratio) -> Option<Money> {
    let one = i128::from(decimal::ONE);
    let (whole, rest) = (
        baseline.units().div_euclid(one),
        baseline.units().rem_euclid(one),
    );
    let ratio = i128::from(ratio.units());
    let part = rest * ratio;
    let loss = whole
        .checked_mul(ratio)?
        .checked_add(part.div_euclid(one) + i128::from(part.rem_euclid(one) != 0))?;
    baseline.units().checked_sub(loss).map(Money::from_units)
}

impl Breakers {
    /// With the baselines of the journal: a restart takes no new ones.
    pub(super) fn new(
        settings: &RiskSettings,
        start_of_day: Option<(u32, Money)>,
        high_water_mark: Option<Money>,
    ) -> Self {
        let mut breakers = Self {
            max_daily_loss: settings.max_daily_loss,
            max_drawdown: settings.max_drawdown,
            start_of_day: None,
            high_water_mark: None,
            daily_floor: None,
            drawdown_floor: None,
            next_record: None,
            is_start_unrecorded: false,
            is_mark_unrecorded: false,
        };
        if let Some((date, equity)) = start_of_day {
            breakers.set_start(date, equity);
        }
        if let Some(equity) = high_water_mark {
            breakers.set_mark(equity);
            breakers.mark_recorded();
        }
        breakers
    }

    fn set_start(&mut self, date: u32, equity: Money) {
        self.start_of_day = Some((date, equity));
        self.daily_floor = self.max_daily_loss.map(|ratio| floor_of(equity, ratio));
    }

    fn set_mark(&mut self, equity: Money) {
        self.high_water_mark = Some(equity);
        self.drawdown_floor = self.max_drawdown.map(|ratio| floor_of(equity, ratio));
    }

    /// A basis point higher than the mark as recorded.
    fn mark_recorded(&mut self) {
        self.is_mark_unrecorded = false;
        self.next_record = self.high_water_mark.and_then(|mark| {
            let step = Money::from_units((mark.units().abs() / 10_000).max(1));
            mark.checked_add(step)
        });
    }

    /// Whether a loss limit is configured: then no order that adds risk passes on an unknown
    /// equity.
    pub(super) const fn is_armed(&self) -> bool {
        self.max_daily_loss.is_some() || self.max_drawdown.is_some()
    }

    pub(super) const fn start_of_day(&self) -> Option<(u32, Money)> {
        self.start_of_day
    }

    pub(super) const fn high_water_mark(&self) -> Option<Money> {
        self.high_water_mark
    }

    /// Takes the baseline of a new trading date, and the first mark, once equity is complete.
    pub(super) fn take_baselines(&mut self, date: u32, equity: Money) {
        if self.start_of_day.is_none_or(|(last, _)| last != date) {
            self.set_start(date, equity);
            self.is_start_unrecorded = true;
        }
        if self.high_water_mark.is_none() {
            self.set_mark(equity);
            self.is_mark_unrecorded = true;
        }
    }

    /// Compares a complete equity with both limits and raises the mark. Returns the first limit
    /// that it reached.
    pub(super) fn evaluate(&mut self, equity: Money) -> Option<Latch> {
        if self.high_water_mark.is_some_and(|mark| equity > mark) {
            self.set_mark(equity);
            self.is_mark_unrecorded |= self.next_record.is_some_and(|next| equity >= next);
        }
        let reached = |floor: Option<Money>| floor.is_some_and(|floor| equity <= floor);
        let code = if reached(self.daily_floor) {
            RefusalCode::DailyLoss
        } else if reached(self.drawdown_floor) {
            RefusalCode::Drawdown
        } else {
            return None;
        };
        let (baseline, floor) = match code {
            RefusalCode::DailyLoss => (self.start_of_day.map(|(_, e)| e), self.daily_floor),
            _ => (self.high_water_mark, self.drawdown_floor),
        };
        let baseline = baseline.unwrap_or_default();
        let loss = |to: Money| baseline.checked_sub(to).unwrap_or_default();
        let refusal = Refusal::amounts(code, loss(equity), loss(floor.unwrap_or_default()));
        Some(Latch {
            cause: code,
            observed: refusal.observed,
            limit: refusal.limit,
        })
    }

    /// Takes the present equity as both baselines.
    pub(super) fn reset(&mut self, date: u32, equity: Money) {
        self.set_start(date, equity);
        self.set_mark(equity);
        self.is_start_unrecorded = true;
        self.is_mark_unrecorded = true;
    }

    /// The next baseline that the journal lacks.
    pub(super) fn unrecorded(&self, at: Nanos) -> Option<RiskRecord> {
        match (self.start_of_day, self.high_water_mark) {
            (Some((date, equity)), _) if self.is_start_unrecorded => {
                Some(RiskRecord::StartOfDay { date, equity, at })
            }
            (_, Some(equity)) if self.is_mark_unrecorded => {
                Some(RiskRecord::HighWaterMark { equity, at })
            }
            _ => None,
        }
    }

    /// What [`unrecorded`](Self::unrecorded) gave is on its way to the journal.
    pub(super) fn recorded(&mut self, record: &RiskRecord) {
        match record {
            RiskRecord::StartOfDay { .. } => self.is_start_unrecorded = false,
            RiskRecord::HighWaterMark { .. } => self.mark_recorded(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_the_first_amount_that_is_a_loss_of_the_whole_limit() {
        let ratio = Ratio::from_basis_points(500);
        assert_eq!(
            floor_of(Money::from_whole(1_000), ratio),
            Money::from_whole(950)
        );
        // 5 % of 10 units is half a unit: a loss of none is too little, a loss of one trips.
        assert_eq!(floor_of(Money::from_units(10), ratio), Money::from_units(9));
        let huge = Money::from_units(i128::MAX / 4);
        assert_eq!(floor_of(huge, Ratio::ONE), Money::ZERO);
    }
}
