//! The NYSE trading calendar by its rules, and markets that never close, as plain instants.
//!
//! Runs on: start-up.
//! Owns: holidays, half days, session times and the roll of the trading date, all in New York.
//! Never: decides an order: agents only see the [`SessionSchedule`] that is built here.
//!
//! Sources: NYSE Rule 7.2 (the holidays, and that one on a Saturday closes the Friday before and
//! one on a Sunday the Monday after, unless the Friday ends a monthly or yearly accounting period,
//! which is New Year's Day on a Saturday); "NYSE Group Announces ... Holiday and Early Closings
//! Calendar", published each December (half days close at 13:00, late trading at 17:00). Exact from
//! 2012 on. Unplanned closures cannot follow from rules: those up to 2025 are listed, and a
//! broker's own calendar overrides this one.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday, date, time};
use jiff::tz::TimeZone;

use crate::types::{Nanos, SessionSchedule, SessionWindow};

/// Where the trading date rolls unless the configuration says otherwise.
pub const DEFAULT_DAY_ROLL: Time = time(3, 30, 0, 0);

/// Most calendar days in one schedule.
pub const MAX_DAYS: u32 = 36_600;

const PRE_OPEN: Time = time(4, 0, 0, 0);
const OPEN: Time = time(9, 30, 0, 0);
const CLOSE: Time = time(16, 0, 0, 0);
const POST_CLOSE: Time = time(20, 0, 0, 0);
const HALF_DAY_CLOSE: Time = time(13, 0, 0, 0);
const HALF_DAY_POST_CLOSE: Time = time(17, 0, 0, 0);

/// Closures that no rule gives: Hurricane Sandy, the mournings for Presidents Bush and Carter.
const SPECIAL_CLOSURES: [Date; 4] = [
    date(2012, 10, 29),
    date(2012, 10, 30),
    date(2018, 12, 5),
    date(2025, 1, 9),
];

/// First year in which Juneteenth closes the exchange.
const JUNETEENTH_FROM: i16 = 2022;

/// What kind of day a date is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TradingDay {
    /// Weekend, holiday or special closure.
    Closed,
    /// 09:30 to 16:00.
    Full,
    /// 09:30 to 13:00.
    Half,
}

/// Why there is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// Not a time of day.
    #[error("'{0}' is no time of day: HH:MM expected")]
    Time(String),
    /// The date would roll in the middle of a session.
    #[error("day roll {0} is after 04:00, the begin of NYSE pre-market trading")]
    DayRoll(Time),
    /// None or too many days.
    #[error("a schedule of {0} days: 1 to {MAX_DAYS} expected")]
    Days(u32),
    /// Before 1970 or beyond the calendar's end.
    #[error("date out of range: {0}")]
    Range(String),
    /// The time zone data lacks New York.
    #[error("time zone America/New_York: {0}")]
    Zone(String),
}

impl CalendarError {
    fn range(error: &jiff::Error) -> Self {
        Self::Range(error.to_string())
    }
}

/// Reads a time of day as the configuration has it: `03:30` or `03:30:00`.
///
/// # Errors
/// [`CalendarError::Time`] with the text.
pub fn parse_day_roll(text: &str) -> Result<Time, CalendarError> {
    text.parse()
        .map_err(|_| CalendarError::Time(text.chars().take(40).collect()))
}

/// The zone of every session time and of the trading date.
///
/// # Errors
/// [`CalendarError::Zone`]: only with broken time zone data.
pub fn new_york() -> Result<TimeZone, CalendarError> {
    TimeZone::get("America/New_York").map_err(|error| CalendarError::Zone(error.to_string()))
}

/// The instant of a wall clock time in `zone`; one that does not exist is moved on by the size of
/// the gap.
///
/// # Errors
/// [`CalendarError::Range`] before 1970 or beyond the calendar's end.
pub fn instant(zone: &TimeZone, date: Date, time: Time) -> Result<Nanos, CalendarError> {
    let zoned = date
        .to_datetime(time)
        .to_zoned(zone.clone())
        .map_err(|error| CalendarError::range(&error))?;
    nanos(zoned.timestamp())
}

pub(super) fn nanos(timestamp: Timestamp) -> Result<Nanos, CalendarError> {
    u64::try_from(timestamp.as_nanosecond())
        .map(Nanos)
        .map_err(|_| CalendarError::Range(timestamp.to_string()))
}

/// The trading date that `now` belongs to: New York's date, or the one before until `day_roll`.
///
/// # Errors
/// [`CalendarError::Range`] beyond the calendar's end.
pub fn trading_date(now: Nanos, day_roll: Time) -> Result<Date, CalendarError> {
    let zone = new_york()?;
    let timestamp = Timestamp::from_nanosecond(i128::from(now.0))
        .map_err(|error| CalendarError::range(&error))?;
    let today = timestamp.to_zoned(zone.clone()).date();
    if now < instant(&zone, today, day_roll)? {
        today
            .yesterday()
            .map_err(|error| CalendarError::range(&error))
    } else {
        Ok(today)
    }
}

/// What kind of day `date` is at the NYSE.
#[must_use]
pub fn nyse_day(date: Date) -> TradingDay {
    if matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
        || is_holiday(date)
        || SPECIAL_CLOSURES.contains(&date)
    {
        TradingDay::Closed
    } else if is_half_day(date) {
        TradingDay::Half
    } else {
        TradingDay::Full
    }
}

/// A holiday, for a date from Monday to Friday.
fn is_holiday(date: Date) -> bool {
    let year = date.year();
    let nth = |month, nth, weekday| {
        date.month() == month && date.nth_weekday_of_month(nth, weekday).ok() == Some(date)
    };
    // On the day itself, on Monday for a Sunday, and on Friday for a Saturday.
    let fixed = |month, day| match (Date::new(year, month, day), date.weekday()) {
        (Ok(holiday), _) if holiday == date => true,
        (Ok(holiday), Weekday::Monday) => date.yesterday().ok() == Some(holiday),
        (Ok(holiday), Weekday::Friday) => date.tomorrow().ok() == Some(holiday),
        _ => false,
    };
    // The Friday before belongs to the year before, where this never looks: it ends an accounting
    // period.
    fixed(1, 1)
        || nth(1, 3, Weekday::Monday)
        || nth(2, 3, Weekday::Monday)
        || is_good_friday(date)
        || nth(5, -1, Weekday::Monday)
        || (year >= JUNETEENTH_FROM && fixed(6, 19))
        || fixed(7, 4)
        || nth(9, 1, Weekday::Monday)
        || nth(11, 4, Weekday::Thursday)
        || fixed(12, 25)
}

/// A half day, for a date that is no holiday: the day after Thanksgiving, and July 3 and December
/// 24 when they and the holiday after them are weekdays.
fn is_half_day(date: Date) -> bool {
    let eve = (date.month() == 7 && date.day() == 3) || (date.month() == 12 && date.day() == 24);
    let after_thanksgiving = || {
        date.weekday() == Weekday::Friday
            && date.month() == 11
            && date.yesterday().is_ok_and(|thursday| {
                thursday.nth_weekday_of_month(4, Weekday::Thursday).ok() == Some(thursday)
            })
    };
    // On a Friday the eve itself is the holiday as observed.
    eve || after_thanksgiving()
}

/// Two days before Easter Sunday (the Gregorian computus of Meeus, Jones and Butcher).
fn is_good_friday(date: Date) -> bool {
    let year = i32::from(date.year());
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    Date::new(date.year(), month as i8, day as i8)
        .and_then(|easter| easter.checked_sub(jiff::Span::new().days(2)))
        .is_ok_and(|friday| friday == date)
}

/// The NYSE's sessions on the `days` calendar days from `from`: pre-market 04:00, open 09:30, close
/// 16:00 (13:00 on half days), post-market until 20:00 (17:00).
///
/// # Errors
/// [`CalendarError`]: `day_roll` after 04:00, no or too many days, a date out of range.
pub fn nyse(from: Date, days: u32, day_roll: Time) -> Result<SessionSchedule, CalendarError> {
    if day_roll > PRE_OPEN {
        return Err(CalendarError::DayRoll(day_roll));
    }
    let zone = new_york()?;
    let mut windows = Vec::new();
    for date in dates(from, days)? {
        let (close, post_close) = match nyse_day(date) {
            TradingDay::Closed => continue,
            TradingDay::Full => (CLOSE, POST_CLOSE),
            TradingDay::Half => (HALF_DAY_CLOSE, HALF_DAY_POST_CLOSE),
        };
        windows.push(SessionWindow {
            date: number(date),
            roll: instant(&zone, date, day_roll)?,
            pre_open: instant(&zone, date, PRE_OPEN)?,
            open: instant(&zone, date, OPEN)?,
            close: instant(&zone, date, close)?,
            post_close: instant(&zone, date, post_close)?,
        });
    }
    Ok(SessionSchedule::new(windows))
}

/// A market that never closes, on the `days` calendar days from `from`: regular hours run from roll
/// to roll.
///
/// # Errors
/// [`CalendarError`]: no or too many days, a date out of range.
pub fn always_open(
    from: Date,
    days: u32,
    day_roll: Time,
) -> Result<SessionSchedule, CalendarError> {
    let zone = new_york()?;
    let mut windows = Vec::new();
    for date in dates(from, days)? {
        let tomorrow = date
            .tomorrow()
            .map_err(|error| CalendarError::range(&error))?;
        let roll = instant(&zone, date, day_roll)?;
        let end = instant(&zone, tomorrow, day_roll)?;
        windows.push(SessionWindow {
            date: number(date),
            roll,
            pre_open: roll,
            open: roll,
            close: end,
            post_close: end,
        });
    }
    Ok(SessionSchedule::new(windows))
}

fn dates(from: Date, days: u32) -> Result<Vec<Date>, CalendarError> {
    if days == 0 || days > MAX_DAYS {
        return Err(CalendarError::Days(days));
    }
    let mut dates = Vec::with_capacity(days as usize);
    let mut date = from;
    for day in 0..days {
        if day > 0 {
            date = date
                .tomorrow()
                .map_err(|error| CalendarError::range(&error))?;
        }
        dates.push(date);
    }
    Ok(dates)
}

/// A date as [`SessionWindow::date`] has it: 20131007. Dates before year 0 give 0.
#[must_use]
pub fn number(date: Date) -> u32 {
    let year = u32::try_from(date.year()).unwrap_or(0);
    year * 10_000 + date.month().unsigned_abs() as u32 * 100 + date.day().unsigned_abs() as u32
}
