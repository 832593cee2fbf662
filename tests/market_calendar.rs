//! The trading calendar agrees with the holidays and early closings that the NYSE published.
//!
//! Runs on: tests.
//! Owns: the published dates of 2012 to 2027 that are checked, session times, the roll of the date.
//! Never: derives an expected date by the rules under test.

use jiff::Timestamp;
use jiff::civil::{Date, date, time};
use shrike::market::calendar::{
    CalendarError, DEFAULT_DAY_ROLL, TradingDay, always_open, number, nyse, nyse_day,
    parse_day_roll, trading_date,
};
use shrike::types::{Nanos, SessionPhase};

fn at(text: &str) -> Nanos {
    let timestamp: Timestamp = text.parse().expect("an instant");
    Nanos(timestamp.as_nanosecond() as u64)
}

/// Weekdays of `year` on which the exchange was, or will be, closed.
fn closed(year: i16) -> Vec<(i8, i8)> {
    weekdays(year, TradingDay::Closed)
}

fn weekdays(year: i16, kind: TradingDay) -> Vec<(i8, i8)> {
    let mut day = date(year, 1, 1);
    let mut found = Vec::new();
    while day.year() == year {
        if day.weekday().to_monday_zero_offset() < 5 && nyse_day(day) == kind {
            found.push((day.month(), day.day()));
        }
        day = day.tomorrow().expect("in range");
    }
    found
}

#[test]
fn weekday_closures_are_those_that_were_published() {
    let published: [(i16, &[(i8, i8)]); 9] = [
        (
            2012,
            &[
                (1, 2),
                (1, 16),
                (2, 20),
                (4, 6),
                (5, 28),
                (7, 4),
                (9, 3),
                (10, 29),
                (10, 30),
                (11, 22),
                (12, 25),
            ],
        ),
        (
            2013,
            &[
                (1, 1),
                (1, 21),
                (2, 18),
                (3, 29),
                (5, 27),
                (7, 4),
                (9, 2),
                (11, 28),
                (12, 25),
            ],
        ),
        (
            2015,
            &[
                (1, 1),
                (1, 19),
                (2, 16),
                (4, 3),
                (5, 25),
                (7, 3),
                (9, 7),
                (11, 26),
                (12, 25),
            ],
        ),
        (
            2018,
            &[
                (1, 1),
                (1, 15),
                (2, 19),
                (3, 30),
                (5, 28),
                (7, 4),
                (9, 3),
                (11, 22),
                (12, 5),
                (12, 25),
            ],
        ),
        (
            2021,
            &[
                (1, 1),
                (1, 18),
                (2, 15),
                (4, 2),
                (5, 31),
                (7, 5),
                (9, 6),
                (11, 25),
                (12, 24),
            ],
        ),
        (
            2022,
            &[
                (1, 17),
                (2, 21),
                (4, 15),
                (5, 30),
                (6, 20),
                (7, 4),
                (9, 5),
                (11, 24),
                (12, 26),
            ],
        ),
        (
            2023,
            &[
                (1, 2),
                (1, 16),
                (2, 20),
                (4, 7),
                (5, 29),
                (6, 19),
                (7, 4),
                (9, 4),
                (11, 23),
                (12, 25),
            ],
        ),
        (
            2024,
            &[
                (1, 1),
                (1, 15),
                (2, 19),
                (3, 29),
                (5, 27),
                (6, 19),
                (7, 4),
                (9, 2),
                (11, 28),
                (12, 25),
            ],
        ),
        (
            2025,
            &[
                (1, 1),
                (1, 9),
                (1, 20),
                (2, 17),
                (4, 18),
                (5, 26),
                (6, 19),
                (7, 4),
                (9, 1),
                (11, 27),
                (12, 25),
            ],
        ),
    ];
    for (year, dates) in published {
        assert_eq!(closed(year), dates, "{year}");
    }
    // New Year's Day on a Saturday closes nothing: the Friday ends an accounting period.
    assert_eq!(nyse_day(date(2021, 12, 31)), TradingDay::Full);
    assert_eq!(nyse_day(date(2010, 12, 31)), TradingDay::Full);
    // Juneteenth on a Saturday does.
    assert_eq!(nyse_day(date(2027, 6, 18)), TradingDay::Closed);
    assert_eq!(nyse_day(date(2021, 6, 18)), TradingDay::Full);
}

#[test]
fn early_closings_are_those_that_were_published() {
    let published: [(i16, &[(i8, i8)]); 8] = [
        (2012, &[(7, 3), (11, 23), (12, 24)]),
        (2013, &[(7, 3), (11, 29), (12, 24)]),
        (2015, &[(11, 27), (12, 24)]),
        (2018, &[(7, 3), (11, 23), (12, 24)]),
        (2020, &[(11, 27), (12, 24)]),
        (2021, &[(11, 26)]),
        (2022, &[(11, 25)]),
        (2025, &[(7, 3), (11, 28), (12, 24)]),
    ];
    for (year, dates) in published {
        assert_eq!(weekdays(year, TradingDay::Half), dates, "{year}");
    }
}

#[test]
fn sessions_stand_at_new_york_times_on_both_sides_of_daylight_saving() {
    let mut schedule = nyse(date(2013, 10, 5), 70, DEFAULT_DAY_ROLL).expect("a schedule");
    let first = schedule.windows()[0];
    assert_eq!(first.date, 20_131_007);
    assert_eq!(first.roll, at("2013-10-07T07:30:00Z"));
    assert_eq!(first.pre_open, at("2013-10-07T08:00:00Z"));
    assert_eq!(first.open, at("2013-10-07T13:30:00Z"));
    assert_eq!(first.close, at("2013-10-07T20:00:00Z"));
    assert_eq!(first.post_close, at("2013-10-08T00:00:00Z"));
    for (now, phase) in [
        ("2013-10-06T15:00:00Z", SessionPhase::Closed),
        ("2013-10-07T07:45:00Z", SessionPhase::Closed),
        ("2013-10-07T08:00:00Z", SessionPhase::PreMarket),
        ("2013-10-07T19:59:59.999999999Z", SessionPhase::Regular),
        ("2013-10-07T20:00:00Z", SessionPhase::PostMarket),
        // Standard time: an hour later.
        ("2013-11-04T14:29:59Z", SessionPhase::PreMarket),
        ("2013-11-04T14:30:00Z", SessionPhase::Regular),
        // Thanksgiving, and the half day after it.
        ("2013-11-28T15:00:00Z", SessionPhase::Closed),
        ("2013-11-29T17:59:59Z", SessionPhase::Regular),
        ("2013-11-29T18:00:00Z", SessionPhase::PostMarket),
        ("2013-11-29T22:00:00Z", SessionPhase::Closed),
    ] {
        assert_eq!(schedule.phase(at(now)), phase, "{now}");
    }
}

#[test]
fn a_market_that_never_closes_rolls_once_a_day_without_a_gap() {
    let schedule = always_open(date(2013, 11, 1), 5, DEFAULT_DAY_ROLL).expect("a schedule");
    let windows = schedule.windows();
    assert_eq!(windows.len(), 5);
    assert!(
        windows
            .windows(2)
            .all(|pair| pair[0].post_close == pair[1].roll)
    );
    assert!(
        windows
            .iter()
            .all(|w| w.roll == w.open && w.close == w.post_close)
    );
    assert_eq!(windows[0].roll, at("2013-11-01T07:30:00Z"));
    // The clock is put back on the 3rd: that date begins at summer time and lasts an hour more.
    let hours = |at: usize| windows[at].close.since(windows[at].open) / 3_600_000_000_000;
    assert_eq!((hours(0), hours(1), hours(2)), (24, 25, 24));
    let mut schedule = schedule.clone();
    assert_eq!(
        schedule.phase(at("2013-11-02T03:00:00Z")),
        SessionPhase::Regular
    );
    assert_eq!(
        schedule.phase(at("2013-11-01T07:29:59Z")),
        SessionPhase::Closed
    );
}

#[test]
fn the_trading_date_rolls_at_half_past_three_in_new_york() {
    let date_at = |text: &str| trading_date(at(text), DEFAULT_DAY_ROLL).expect("a date");
    assert_eq!(date_at("2013-10-07T07:29:59.999999999Z"), date(2013, 10, 6));
    assert_eq!(date_at("2013-10-07T07:30:00Z"), date(2013, 10, 7));
    assert_eq!(date_at("2013-10-08T03:59:59Z"), date(2013, 10, 7));
    assert_eq!(date_at("2013-12-10T08:29:59Z"), date(2013, 12, 9));
    let later = trading_date(at("2013-10-07T21:59:00Z"), time(18, 0, 0, 0));
    assert_eq!(later, Ok(date(2013, 10, 6)));
}

#[test]
fn impossible_schedules_are_refused() {
    let from: Date = date(2013, 10, 7);
    assert_eq!(
        nyse(from, 1, time(4, 0, 0, 1)).err(),
        Some(CalendarError::DayRoll(time(4, 0, 0, 1)))
    );
    nyse(from, 1, time(4, 0, 0, 0)).expect("no session is cut");
    assert_eq!(
        nyse(from, 0, DEFAULT_DAY_ROLL).err(),
        Some(CalendarError::Days(0))
    );
    assert_eq!(
        always_open(from, 40_000, DEFAULT_DAY_ROLL).err(),
        Some(CalendarError::Days(40_000))
    );
    assert!(matches!(
        always_open(date(1960, 1, 1), 1, DEFAULT_DAY_ROLL),
        Err(CalendarError::Range(_))
    ));
    assert!(matches!(
        always_open(Date::MAX, 2, DEFAULT_DAY_ROLL),
        Err(CalendarError::Range(_))
    ));
    assert_eq!(parse_day_roll("03:30"), Ok(DEFAULT_DAY_ROLL));
    assert_eq!(
        parse_day_roll("half past").err(),
        Some(CalendarError::Time("half past".into()))
    );
    assert_eq!(number(from), 20_131_007);
}
