//! Control 17: which orders the session takes now.
//!
//! Runs on: the RISK agent.
//! Owns: the phase of the present instant, looked up again only when a bound is crossed.
//! Never: guesses: an instant outside every window is closed.

use crate::types::{
    Nanos, Order, OrderFlags, OrderType, Refusal, RefusalCode, SessionPhase, SessionSchedule,
    TimeInForce,
};

/// What the schedule says of an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Session {
    pub(super) phase: SessionPhase,
    /// Trading date as a number, 0 before the first.
    pub(super) date: u32,
    /// Whether this trading date's regular hours are not over yet.
    pub(super) before_close: bool,
}

/// The schedule with the present phase at hand.
pub(super) struct SessionView {
    schedule: SessionSchedule,
    present: Session,
    from: Nanos,
    until: Nanos,
}

impl SessionView {
    pub(super) fn new(schedule: SessionSchedule) -> Self {
        Self {
            schedule,
            present: Session {
                phase: SessionPhase::Closed,
                date: 0,
                before_close: false,
            },
            from: Nanos::MAX,
            until: Nanos::ZERO,
        }
    }

    /// The session at `now`.
    #[inline(always)]
    pub(super) fn at(&mut self, now: Nanos) -> Session {
        if now < self.from || now >= self.until {
            self.look_up(now);
        }
        self.present
    }

    #[cold]
    fn look_up(&mut self, now: Nanos) {
        let phase = self.schedule.phase(now);
        let window = self.schedule.current(now).copied();
        self.present = Session {
            phase,
            date: window.map_or(0, |window| window.date),
            before_close: window.is_some_and(|window| now < window.close),
        };
        let bounds = window
            .map(|w| [w.roll, w.pre_open, w.open, w.close, w.post_close])
            .unwrap_or_default();
        let before = |bound: &&Nanos| **bound <= now;
        self.from = bounds.iter().filter(before).max().copied().unwrap_or(now);
        let after = bounds.iter().filter(|bound| **bound > now).min().copied();
        self.until = after.or_else(|| self.next_roll(now)).unwrap_or(Nanos::MAX);
    }

    /// Where the next trading date begins.
    pub(super) fn next_roll(&self, now: Nanos) -> Option<Nanos> {
        let windows = self.schedule.windows();
        let at = windows.partition_point(|window| window.roll <= now);
        windows.get(at).map(|window| window.roll)
    }
}

impl Session {
    /// Whether the session takes `order`.
    ///
    /// Auction orders: opg while the market is closed or in pre-market, cls until the close of its
    /// date. All others in regular hours; day and gtc limit orders marked for extended hours in
    /// pre- and post-market too.
    #[inline(always)]
    pub(super) fn admit(self, order: &Order) -> Result<(), Refusal> {
        let open = match order.time_in_force {
            TimeInForce::Opg => {
                matches!(self.phase, SessionPhase::Closed | SessionPhase::PreMarket)
            }
            TimeInForce::Cls => self.before_close,
            _ => match self.phase {
                SessionPhase::Regular => true,
                SessionPhase::PreMarket | SessionPhase::PostMarket => {
                    order.flags.contains(OrderFlags::EXTENDED_HOURS)
                        && matches!(order.order_type, OrderType::Limit { .. })
                }
                SessionPhase::Closed => false,
            },
        };
        if open {
            Ok(())
        } else {
            Err(Refusal::plain(RefusalCode::SessionClosed))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::SessionWindow;

    proptest! {
        /// The kept phase is the looked-up one, whichever way time moves.
        #[test]
        fn the_kept_phase_is_the_schedules(instants in prop::collection::vec(0u64..400, 1..200)) {
            let window = |date, base: u64| SessionWindow {
                date,
                roll: Nanos(base),
                pre_open: Nanos(base),
                open: Nanos(base + 20),
                close: Nanos(base + 50),
                post_close: Nanos(base + 70),
            };
            let mut schedule = SessionSchedule::new(vec![window(1, 100), window(2, 200)]);
            let mut view = SessionView::new(schedule.clone());
            for now in instants.into_iter().map(Nanos) {
                let session = view.at(now);
                prop_assert_eq!(session.phase, schedule.phase(now));
                let current = schedule.current(now);
                prop_assert_eq!(session.date, current.map_or(0, |w| w.date));
                prop_assert_eq!(session.before_close, current.is_some_and(|w| now < w.close));
            }
        }
    }
}
