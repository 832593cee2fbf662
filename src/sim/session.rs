//! The exchange's day: which phase it is in, and what happens at the next boundary.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: the present phase, its beginning, and the instant of the next one.
//! Never: skips a boundary, however far time jumps.

use crate::types::{BrokerReject, Nanos, OrderFlags, SessionPhase, SessionSchedule, TimeInForce};

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    schedule: SessionSchedule,
    phase: SessionPhase,
    phase_start: Nanos,
    next: Nanos,
    closes: bool,
    ends: bool,
}

impl Session {
    /// As the schedule says for `now`.
    pub(super) fn new(schedule: SessionSchedule, now: Nanos) -> Self {
        let mut session = Self {
            schedule,
            phase: SessionPhase::Closed,
            phase_start: now,
            next: now,
            closes: false,
            ends: false,
        };
        session.enter(now);
        session
    }

    /// The present phase.
    #[inline]
    pub(super) const fn phase(&self) -> SessionPhase {
        self.phase
    }

    /// When it began (or the exchange did).
    #[inline]
    pub(super) const fn phase_start(&self) -> Nanos {
        self.phase_start
    }

    /// The next boundary, [`Nanos::MAX`] after the last.
    #[inline]
    pub(super) const fn next(&self) -> Nanos {
        self.next
    }

    /// Whether regular hours end at the next boundary.
    pub(super) const fn closes(&self) -> bool {
        self.closes
    }

    /// Whether extended hours end at the next boundary.
    pub(super) const fn ends(&self) -> bool {
        self.ends
    }

    /// Moves over the boundary at `boundary`.
    pub(super) fn enter(&mut self, boundary: Nanos) {
        self.phase = self.schedule.phase(boundary);
        self.phase_start = boundary;
        let window = self.schedule.current(boundary).copied();
        let inside = window.and_then(|window| {
            [
                window.pre_open,
                window.open,
                window.close,
                window.post_close,
            ]
            .into_iter()
            .find(|instant| *instant > boundary)
        });
        self.next = inside.unwrap_or_else(|| {
            let windows = self.schedule.windows();
            let at = windows.partition_point(|window| window.pre_open <= boundary);
            windows.get(at).map_or(Nanos::MAX, |window| window.pre_open)
        });
        self.closes = window.is_some_and(|window| window.close == self.next);
        self.ends = window.is_some_and(|window| window.post_close == self.next);
    }

    /// Whether an order may arrive at `now`.
    #[inline]
    pub(super) fn admit(
        &self,
        now: Nanos,
        time_in_force: TimeInForce,
        flags: OrderFlags,
    ) -> Result<(), BrokerReject> {
        let open = match time_in_force {
            TimeInForce::Opg => {
                self.phase != SessionPhase::Regular && self.schedule.next_open(now).is_some()
            }
            TimeInForce::Cls => {
                matches!(self.phase, SessionPhase::PreMarket | SessionPhase::Regular)
                    || self.schedule.next_open(now).is_some()
            }
            TimeInForce::Day | TimeInForce::Gtc if flags.contains(OrderFlags::EXTENDED_HOURS) => {
                self.phase != SessionPhase::Closed
            }
            _ => self.phase == SessionPhase::Regular,
        };
        if open {
            Ok(())
        } else {
            Err(BrokerReject::MarketClosed)
        }
    }

    /// When an order that arrived at `since` ends by itself: `None` for one that stays until canceled, or whose end the
    /// schedule does not know.
    pub(super) fn end_of(
        &self,
        since: Nanos,
        time_in_force: TimeInForce,
        flags: OrderFlags,
    ) -> Option<Nanos> {
        let windows = self.schedule.windows();
        let extended = flags.contains(OrderFlags::EXTENDED_HOURS);
        let end = |window: &crate::types::SessionWindow| match time_in_force {
            TimeInForce::Gtc => None,
            TimeInForce::Opg => Some(window.open),
            TimeInForce::Day if extended => Some(window.post_close),
            _ => Some(window.close),
        };
        windows
            .iter()
            .filter_map(end)
            .find(|instant| *instant > since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SessionWindow;

    fn window(date: u32, at: [u64; 5]) -> SessionWindow {
        let [roll, pre_open, open, close, post_close] = at.map(Nanos);
        SessionWindow {
            date,
            roll,
            pre_open,
            open,
            close,
            post_close,
        }
    }

    #[test]
    fn every_boundary_comes_once_and_in_order() {
        let schedule = SessionSchedule::new(vec![
            window(1, [100, 110, 120, 130, 140]),
            window(2, [200, 210, 220, 230, 240]),
        ]);
        let mut session = Session::new(schedule, Nanos(50));
        let mut seen = Vec::new();
        while session.next() != Nanos::MAX {
            let boundary = session.next();
            let marks = (session.closes(), session.ends());
            session.enter(boundary);
            seen.push((boundary.0, marks, session.phase()));
        }
        use SessionPhase::{Closed, PostMarket, PreMarket, Regular};
        let day = |base: u64| {
            [
                (base + 10, (false, false), PreMarket),
                (base + 20, (false, false), Regular),
                (base + 30, (true, false), PostMarket),
                (base + 40, (false, true), Closed),
            ]
        };
        assert_eq!(seen, [day(100), day(200)].concat());
    }

    #[test]
    fn a_market_that_never_closes_goes_from_session_to_session() {
        let schedule = SessionSchedule::new(vec![
            window(1, [100, 100, 100, 200, 200]),
            window(2, [200, 200, 200, 300, 300]),
        ]);
        let mut session = Session::new(schedule, Nanos(150));
        assert_eq!(session.phase(), SessionPhase::Regular);
        assert_eq!(
            (session.next(), session.closes(), session.ends()),
            (Nanos(200), true, true)
        );
        session.enter(Nanos(200));
        assert_eq!(session.phase(), SessionPhase::Regular);
        assert_eq!(session.next(), Nanos(300));
        session.enter(Nanos(300));
        assert_eq!(
            (session.phase(), session.next()),
            (SessionPhase::Closed, Nanos::MAX)
        );
    }
}
