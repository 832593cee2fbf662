//! One day of a New York wall clock as plain offsets, and ranges of dates.
//!
//! Runs on: start-up and each change of day; the conversion itself is two comparisons.
//! Owns: time since midnight to UNIX time, also on the days when the clock is put forward or back.
//! Never: gives an instant for a time that does not exist.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};

use super::calendar::{CalendarError, instant, nanos, new_york};
use crate::types::Nanos;

/// Nanoseconds that a wall clock shows in a day, at most.
pub const DAY_NS: u64 = 86_400_000_000_000;

/// Most days in one range.
const MAX_RANGE_DAYS: usize = 3_700;

/// Wall clock to instants on one date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DayClock {
    /// Added to times before the change of the clock.
    before_ns: u64,
    /// Wall clock at the change.
    change_ns: u64,
    /// First wall clock after it; later than `change_ns` when the clock is put forward.
    resume_ns: u64,
    /// Added to times from `resume_ns` on.
    after_ns: u64,
}

impl DayClock {
    pub(super) fn new_york(date: Date) -> Result<Self, CalendarError> {
        let zone = new_york()?;
        let midnight = instant(&zone, date, Time::midnight())?;
        let plain = Self {
            before_ns: midnight.0,
            change_ns: u64::MAX,
            resume_ns: u64::MAX,
            after_ns: midnight.0,
        };
        let timestamp = jiff::Timestamp::from_nanosecond(i128::from(midnight.0))
            .map_err(|error| CalendarError::Range(error.to_string()))?;
        let offset = zone.to_offset(timestamp).seconds();
        let Some(change) = zone.following(timestamp).next() else {
            return Ok(plain);
        };
        let change_ns = nanos(change.timestamp())?.since(midnight);
        let forward_ns = i64::from(change.offset().seconds() - offset) * 1_000_000_000;
        if change_ns >= DAY_NS || forward_ns == 0 {
            return Ok(plain);
        }
        Ok(Self {
            change_ns,
            resume_ns: change_ns.saturating_add_signed(forward_ns.max(0)),
            after_ns: midnight.0.saturating_add_signed(-forward_ns),
            ..plain
        })
    }

    /// The instant of a wall clock time below [`DAY_NS`]; `None` when the clock skips it. A time
    /// that comes twice is taken as the first of the two.
    #[inline]
    pub(super) fn instant(&self, wall_ns: u64) -> Option<Nanos> {
        debug_assert!(wall_ns < DAY_NS, "invariant: a time within the day");
        if wall_ns < self.change_ns {
            Some(Nanos(self.before_ns + wall_ns))
        } else if wall_ns >= self.resume_ns {
            Some(Nanos(self.after_ns + wall_ns))
        } else {
            None
        }
    }
}

/// One date, or the dates from one to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DateRange {
    first: Date,
    last: Date,
}

/// Why a text is no range of dates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DateRangeError {
    /// Not a date.
    #[error("'{0}' is no date: 2013-10-07, or 2013-10-07..2013-10-08 for several days, expected")]
    Date(String),
    /// Backwards.
    #[error("the range of dates ends ({last}) before it begins ({first})")]
    Backwards {
        /// Its begin.
        first: Date,
        /// Its end.
        last: Date,
    },
    /// More days than can be meant.
    #[error("the range of dates has more than {MAX_RANGE_DAYS} days")]
    TooLong,
}

impl DateRange {
    /// From `first` to `last`, both included.
    ///
    /// # Errors
    /// [`DateRangeError`] when it is backwards or longer than ten years.
    pub fn new(first: Date, last: Date) -> Result<Self, DateRangeError> {
        if last < first {
            return Err(DateRangeError::Backwards { first, last });
        }
        let range = Self { first, last };
        if range.days().nth(MAX_RANGE_DAYS).is_some() {
            return Err(DateRangeError::TooLong);
        }
        Ok(range)
    }

    /// One date.
    #[must_use]
    pub const fn single(date: Date) -> Self {
        Self {
            first: date,
            last: date,
        }
    }

    /// Its first date.
    #[must_use]
    pub const fn first(&self) -> Date {
        self.first
    }

    /// Its last date.
    #[must_use]
    pub const fn last(&self) -> Date {
        self.last
    }

    /// Every date in it.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.last;
        std::iter::successors(Some(self.first), |date| date.tomorrow().ok())
            .take_while(move |date| *date <= last)
    }
}

impl FromStr for DateRange {
    type Err = DateRangeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let date = |text: &str| {
            // jiff also reads a date out of a longer text, such as one with a time.
            let plain = text.len() == 10;
            text.parse::<Date>()
                .ok()
                .filter(|_| plain)
                .ok_or_else(|| DateRangeError::Date(text.chars().take(40).collect()))
        };
        match text.split_once("..") {
            Some((first, last)) => Self::new(date(first.trim())?, date(last.trim())?),
            None => Ok(Self::single(date(text.trim())?)),
        }
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return f.pad(&self.first.to_string());
        }
        f.pad(&format!("{}..{}", self.first, self.last))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    fn at(date: Date, wall_ns: u64) -> Option<String> {
        let clock = DayClock::new_york(date).expect("New York");
        clock.instant(wall_ns).map(|now| {
            let timestamp = jiff::Timestamp::from_nanosecond(i128::from(now.0)).expect("in range");
            timestamp.to_string()
        })
    }

    #[test]
    fn wall_clock_times_follow_daylight_saving() {
        let open = 9 * HOUR + HOUR / 2;
        for (date, wall, expected) in [
            (date(2013, 10, 7), open, Some("2013-10-07T13:30:00Z")),
            (date(2013, 12, 9), open, Some("2013-12-09T14:30:00Z")),
            // Forward at 02:00: an hour is missing.
            (
                date(2013, 3, 10),
                2 * HOUR - 1,
                Some("2013-03-10T06:59:59.999999999Z"),
            ),
            (date(2013, 3, 10), 2 * HOUR, None),
            (date(2013, 3, 10), 3 * HOUR - 1, None),
            (date(2013, 3, 10), 3 * HOUR, Some("2013-03-10T07:00:00Z")),
            (date(2013, 3, 10), open, Some("2013-03-10T13:30:00Z")),
            // Back at 02:00: an hour comes twice, the first is taken.
            (date(2013, 11, 3), HOUR, Some("2013-11-03T05:00:00Z")),
            (date(2013, 11, 3), 2 * HOUR, Some("2013-11-03T07:00:00Z")),
            (
                date(2013, 11, 3),
                DAY_NS - 1,
                Some("2013-11-04T04:59:59.999999999Z"),
            ),
        ] {
            assert_eq!(at(date, wall).as_deref(), expected, "{date} {wall}");
        }
    }

    #[test]
    fn ranges_are_read_or_refused() {
        let range: DateRange = "2013-10-07..2013-10-09".parse().expect("a range");
        assert_eq!(range.days().count(), 3);
        assert_eq!(range.to_string(), "2013-10-07..2013-10-09");
        let single: DateRange = "2013-10-07".parse().expect("a date");
        assert_eq!(single.days().collect::<Vec<_>>(), [date(2013, 10, 7)]);
        for bad in [
            "",
            "yesterday",
            "2013-13-01",
            "2013-10-07T10:00",
            "2013-10-07..",
        ] {
            assert!(
                matches!(bad.parse::<DateRange>(), Err(DateRangeError::Date(_))),
                "{bad}"
            );
        }
        assert!(matches!(
            "2013-10-09..2013-10-07".parse::<DateRange>(),
            Err(DateRangeError::Backwards { .. })
        ));
        assert_eq!(
            "1990-01-01..2013-10-07".parse::<DateRange>(),
            Err(DateRangeError::TooLong)
        );
    }
}
