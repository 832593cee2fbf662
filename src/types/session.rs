//! Trading sessions as plain instants.
//!
//! Runs on: any thread; built once at start by `market::calendar`.
//! Owns: which phase an instant is in, and the trading date that it belongs to.
//! Never: knows a time zone or a holiday.

use std::sync::Arc;

use super::Nanos;

/// What kind of trading an instant allows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SessionPhase {
    /// Nothing trades.
    Closed = 0,
    /// Before the open: extended-hours orders only.
    PreMarket = 1,
    /// Regular hours.
    Regular = 2,
    /// After the close: extended-hours orders only.
    PostMarket = 3,
}

/// One trading date. Instants ascend: `roll <= pre_open <= open < close <= post_close`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionWindow {
    /// The date as a number, 20131007.
    pub date: u32,
    /// Where this trading date begins (`day_roll` in New York).
    pub roll: Nanos,
    /// Begin of extended trading.
    pub pre_open: Nanos,
    /// Begin of regular hours.
    pub open: Nanos,
    /// End of regular hours.
    pub close: Nanos,
    /// End of extended trading.
    pub post_close: Nanos,
}

/// Trading dates in ascending order, shared by every agent that needs them.
///
/// Dates without a session (holidays, weekends) have no window: their instants are [`SessionPhase::Closed`].
/// A market that never closes has windows whose regular hours run from roll to roll.
#[derive(Clone, Debug)]
pub struct SessionSchedule {
    windows: Arc<[SessionWindow]>,
    /// Index of the last window whose roll is not after the last instant asked for.
    cursor: usize,
}

impl SessionSchedule {
    /// Of windows in ascending order.
    ///
    /// # Panics
    /// When a window's instants, or the windows, do not ascend: the calendar is broken.
    #[must_use]
    pub fn new(windows: Vec<SessionWindow>) -> Self {
        for window in &windows {
            assert!(
                window.roll <= window.pre_open
                    && window.pre_open <= window.open
                    && window.open < window.close
                    && window.close <= window.post_close,
                "session instants ascend: {window:?}"
            );
        }
        assert!(
            windows
                .windows(2)
                .all(|pair| pair[0].post_close <= pair[1].roll),
            "session windows ascend"
        );
        Self {
            windows: windows.into(),
            cursor: 0,
        }
    }

    /// All windows.
    #[must_use]
    pub fn windows(&self) -> &[SessionWindow] {
        &self.windows
    }

    /// The window whose trading date `now` falls in or follows; `None` before the first. Cheap for instants that
    /// move forward.
    pub fn current(&mut self, now: Nanos) -> Option<&SessionWindow> {
        if self
            .windows
            .get(self.cursor)
            .is_none_or(|window| now < window.roll)
        {
            self.cursor = 0;
        }
        while self
            .windows
            .get(self.cursor + 1)
            .is_some_and(|next| next.roll <= now)
        {
            self.cursor += 1;
        }
        self.windows
            .get(self.cursor)
            .filter(|window| window.roll <= now)
    }

    /// The phase at `now`.
    pub fn phase(&mut self, now: Nanos) -> SessionPhase {
        match self.current(now) {
            None => SessionPhase::Closed,
            Some(window) if now < window.pre_open || now >= window.post_close => {
                SessionPhase::Closed
            }
            Some(window) if now < window.open => SessionPhase::PreMarket,
            Some(window) if now < window.close => SessionPhase::Regular,
            Some(_) => SessionPhase::PostMarket,
        }
    }

    /// The first window that opens at or after `now`.
    #[must_use]
    pub fn next_open(&self, now: Nanos) -> Option<&SessionWindow> {
        let at = self.windows.partition_point(|window| window.open < now);
        self.windows.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(date: u32, base: u64) -> SessionWindow {
        SessionWindow {
            date,
            roll: Nanos(base),
            pre_open: Nanos(base + 10),
            open: Nanos(base + 20),
            close: Nanos(base + 30),
            post_close: Nanos(base + 40),
        }
    }

    #[test]
    fn phases_follow_the_windows_whichever_way_time_is_asked() {
        let mut schedule = SessionSchedule::new(vec![window(1, 100), window(2, 200)]);
        for (now, phase) in [
            (99, SessionPhase::Closed),
            (110, SessionPhase::PreMarket),
            (120, SessionPhase::Regular),
            (129, SessionPhase::Regular),
            (130, SessionPhase::PostMarket),
            (140, SessionPhase::Closed),
            (225, SessionPhase::Regular),
            (125, SessionPhase::Regular),
        ] {
            assert_eq!(schedule.phase(Nanos(now)), phase, "{now}");
        }
        assert_eq!(schedule.current(Nanos(260)).map(|w| w.date), Some(2));
        assert_eq!(schedule.next_open(Nanos(121)).map(|w| w.date), Some(2));
    }
}
