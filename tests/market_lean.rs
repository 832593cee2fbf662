//! Archives of exchange ticks are read as they are recorded.
//!
//! Runs on: tests.
//! Owns: row counts, books, order and times of the recorded days; merging; days; bad rows.
//! Never: changes the recorded data.

mod market_common;

use std::collections::HashMap;

use market_common::{drain, failure, lean, numbered, price, recorded, size, zip};
use shrike::market::calendar::{DEFAULT_DAY_ROLL, nyse};
use shrike::market::{
    BadRowReason, Column, LeanSource, MarketError, MarketSource, RowCounts, TradeFiles,
};
use shrike::types::{
    BookSide, InstrumentId, MarketUpdate, Nanos, QuoteCondition, QuoteUpdate, SessionPhase,
};

/// 2013-10-07T00:00 in New York.
const MIDNIGHT: u64 = 1_381_118_400_000_000_000;
const MS: u64 = 1_000_000;

fn quotes(rows: &[MarketUpdate]) -> Vec<QuoteUpdate> {
    rows.iter()
        .filter_map(|row| match row {
            MarketUpdate::Quote(quote) => Some(*quote),
            MarketUpdate::Trade(_) => None,
        })
        .collect()
}

#[test]
fn the_recorded_day_of_ibm_has_every_row_and_its_crossed_instants() {
    let mut settings = lean(&recorded(), &["IBM"], "2013-10-07");
    settings.trades = TradeFiles::Ignored;
    let mut source = LeanSource::open(&settings).expect("the recorded day");
    assert_eq!(source.start_time(), Some(Nanos(MIDNIGHT + 14_400_054 * MS)));
    let rows = drain(&mut source).expect("good rows");
    // The last line of the file, which has no line end, is marked as suspicious.
    assert_eq!(rows.len(), 109_066);
    let expected = RowCounts {
        read: 109_067,
        suspicious: 1,
        ..RowCounts::default()
    };
    assert_eq!(source.rows(), &expected);

    let mut schedule = nyse(settings.dates.first(), 1, DEFAULT_DAY_ROLL).expect("a schedule");
    let mut regular: HashMap<QuoteCondition, usize> = HashMap::new();
    for quote in quotes(&rows) {
        if schedule.phase(quote.quote.time) == SessionPhase::Regular {
            *regular.entry(quote.quote.condition()).or_default() += 1;
        }
    }
    assert_eq!(regular[&QuoteCondition::Crossed], 86);
    assert_eq!(regular[&QuoteCondition::Locked], 648);
    assert_eq!(regular[&QuoteCondition::Normal], 107_998 - 86 - 648);
    assert_eq!(regular.get(&QuoteCondition::OneSided), None);
}

#[test]
fn a_row_renews_one_side_and_keeps_the_other() {
    let mut settings = lean(&recorded(), &["IBM"], "2013-10-07");
    settings.trades = TradeFiles::Ignored;
    let rows = drain(&mut LeanSource::open(&settings).expect("the recorded day")).expect("rows");
    let quotes = quotes(&rows);
    let (first, second, third) = (quotes[0], quotes[1], quotes[2]);
    assert_eq!(
        (first.side, first.quote.condition()),
        (BookSide::Ask, QuoteCondition::OneSided)
    );
    assert_eq!(
        (first.quote.ask, first.quote.ask_size),
        (price("183.63"), size("100"))
    );
    assert!(first.quote.bid.is_zero() && first.quote.bid_size.is_zero());
    assert_eq!(second.side, BookSide::Bid);
    assert_eq!(
        (second.quote.bid, second.quote.bid_size),
        (price("180.01"), size("300"))
    );
    assert_eq!(second.quote.ask, price("183.63"));
    assert_eq!(third.side, BookSide::Ask);
    assert_eq!(
        (third.quote.bid, third.quote.ask),
        (price("180.01"), price("181.8"))
    );
    assert_eq!(third.quote.time, second.quote.time);
}

#[test]
fn recorded_files_are_merged_by_time_quotes_first_then_by_symbol() {
    let settings = lean(&recorded(), &["IBM", "BAC"], "2013-10-07");
    let mut source = LeanSource::open(&settings).expect("the recorded day");
    assert_eq!(source.paths().len(), 4);
    let rows = drain(&mut source).expect("rows");
    assert_eq!(source.rows().read, 109_067 + 476_855 + 24_293 + 88_172);
    assert_eq!(rows.len() as u64, source.rows().good());
    let key = |row: &MarketUpdate| {
        let is_trade = matches!(row, MarketUpdate::Trade(_));
        (row.time(), is_trade, row.instrument())
    };
    assert!(rows.windows(2).all(|pair| key(&pair[0]) <= key(&pair[1])));

    // Each file's own order is kept: alone, it gives the same rows.
    for (at, name) in ["IBM", "BAC"].iter().enumerate() {
        let alone = lean(&recorded(), &[name], "2013-10-07");
        let alone = drain(&mut LeanSource::open(&alone).expect("one symbol")).expect("rows");
        let id = InstrumentId(at as u32);
        let merged = rows.iter().filter(|row| row.instrument() == id);
        let times = |row: &MarketUpdate| match row {
            MarketUpdate::Quote(row) => (row.quote, Some(row.side), None),
            MarketUpdate::Trade(row) => (Default::default(), None, Some((row.price, row.size))),
        };
        assert!(merged.map(times).eq(alone.iter().map(times)), "{name}");
    }
}

#[test]
fn several_days_follow_each_other_and_each_begins_with_an_empty_book() {
    // The 5th and 6th are a weekend.
    let settings = lean(&recorded(), &["IBM"], "2013-10-05..2013-10-08");
    let mut source = LeanSource::open(&settings).expect("two days");
    let rows = drain(&mut source).expect("rows");
    assert!(rows.windows(2).all(|pair| pair[0].time() <= pair[1].time()));
    let second_day = Nanos(MIDNIGHT + 86_400_000 * MS);
    let first_of_second = quotes(&rows)
        .into_iter()
        .find(|row| row.quote.time > second_day)
        .expect("the second day");
    assert_eq!(first_of_second.quote.condition(), QuoteCondition::OneSided);
    assert_eq!(first_of_second.quote.bid, price("180.01"));
    assert_eq!(source.rows().read, 109_067 + 24_293 + 125_750 + 33_381);
    assert_eq!(source.next(), Ok(None), "the end stays the end");
}

#[test]
fn both_layouts_of_names_are_read_and_equal_times_keep_their_order() {
    let root = tempfile::tempdir().expect("a directory");
    let at = |name: &str| root.path().join(name);
    zip(
        &at("aaa_20131007_quote.zip"),
        &[(
            "20131007_aaa_quote.csv",
            "1000,10000,1,0,0,,,0\r\n1000,10100,2,0,0,,,0\r\n",
        )],
    );
    zip(
        &at("aaa_20131007_trade.zip"),
        &[(
            "20131007_aaa_Trade_Tick.csv",
            "999.5,10000,7,,,0\n1000,10000,8,,,0",
        )],
    );
    zip(
        &at("bbb/20131007_quote.zip"),
        &[(
            "20131007_bbb_quote.csv",
            "1000,20000,1,20100,1,,,0\n1000.5,0,0,20200,5,,,0\n",
        )],
    );
    let settings = lean(root.path(), &["BBB", "AAA"], "2013-10-07");
    let rows = drain(&mut LeanSource::open(&settings).expect("three files")).expect("rows");
    let told: Vec<(u64, u32, String)> = rows
        .iter()
        .map(|row| {
            let what = match row {
                MarketUpdate::Quote(row) => {
                    format!("{:?} {} {}", row.side, row.quote.bid, row.quote.ask)
                }
                MarketUpdate::Trade(row) => format!("trade {} at {}", row.size, row.price),
            };
            (row.time().0 - MIDNIGHT, row.instrument().0, what)
        })
        .collect();
    let expected = [
        (999_500_000, 1, "trade 7 at 1"),
        (1_000_000_000, 0, "Both 2 2.01"),
        (1_000_000_000, 1, "Bid 1 0"),
        (1_000_000_000, 1, "Bid 1.01 0"),
        (1_000_000_000, 1, "trade 8 at 1"),
        (1_000_500_000, 0, "Ask 2 2.02"),
    ];
    let expected = expected.map(|(time, id, what)| (time, id, what.to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn bad_rows_are_counted_skipped_and_the_first_ten_kept() {
    let mut text = String::new();
    let bad = [
        (
            "5,10000,1,0,0,P,1",
            BadRowReason::Columns {
                found: 7,
                expected: 8,
            },
        ),
        (
            "5,10000,1,0,0,P,1,0,9",
            BadRowReason::Columns {
                found: 9,
                expected: 8,
            },
        ),
        ("5,ten,1,0,0,P,1,0", BadRowReason::NotANumber(Column::Bid)),
        ("5,-10000,1,0,0,P,1,0", BadRowReason::Negative(Column::Bid)),
        ("4,10000,1,0,0,P,1,0", BadRowReason::OutOfOrder),
        (
            "5,10000000001,1,0,0,P,1,0",
            BadRowReason::TooLarge(Column::Bid),
        ),
        (
            "5,0,0,10000,1000000001,P,1,0",
            BadRowReason::TooLarge(Column::AskSize),
        ),
        ("86400000,10000,1,0,0,P,1,0", BadRowReason::TimeBeyondDay),
        ("5,0,0,0,0,P,1,0", BadRowReason::NoSide),
        (
            "5,0,3,10000,1,P,1,0",
            BadRowReason::SizeWithoutPrice(Column::BidSize),
        ),
        (
            "",
            BadRowReason::Columns {
                found: 1,
                expected: 8,
            },
        ),
        ("5,10000,1,0,0,P,1,yes", BadRowReason::SuspiciousMark),
    ];
    for (at, (row, _)) in bad.iter().enumerate() {
        for _ in 0..100 {
            text.push_str("5,10000,1,0,0,P,1,0\n");
        }
        text.push_str(row);
        text.push('\n');
        assert_eq!(text.lines().count(), 101 * (at + 1));
    }
    // A suspicious row with a wild time moves nothing.
    text.push_str("70000000,10000,1,0,0,P,1,1\n5,10000,1,0,0,P,1,0\n");
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("ibm_20131007_quote.zip");
    zip(&path, &[("ibm.csv", &text)]);
    let settings = lean(root.path(), &["IBM"], "2013-10-07");
    let mut source = LeanSource::open(&settings).expect("one per cent is fine");
    let rows = drain(&mut source).expect("one per cent is fine");
    assert_eq!(rows.len(), 1_201);
    let counts = source.rows();
    assert_eq!((counts.read, counts.bad, counts.suspicious), (1_214, 12, 1));
    assert_eq!(counts.first_bad.len(), 10);
    for (at, (kept, (text, reason))) in counts.first_bad.iter().zip(&bad).enumerate() {
        assert_eq!(
            (kept.line, kept.reason),
            (101 * (at as u64 + 1), *reason),
            "{text}"
        );
        assert_eq!((kept.text.as_str(), &*kept.path), (*text, path.as_path()));
    }
    let message = counts.first_bad[3].to_string();
    assert!(
        message.ends_with("quote.zip:404: bid is negative: '5,-10000,1,0,0,P,1,0'"),
        "{message}"
    );
}

#[test]
fn more_than_one_per_cent_bad_rows_stop_the_source_after_its_good_rows() {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("ibm_20131007_quote.zip");
    let good = "5,10000,1,0,0,P,1,0\n";
    let text = format!(
        "{}{}x\ny\n{}",
        good.repeat(60),
        good.repeat(90),
        good.repeat(500)
    );
    zip(&path, &[("ibm.csv", &text)]);
    let mut source =
        LeanSource::open(&lean(root.path(), &["IBM"], "2013-10-07")).expect("good at first");
    for _ in 0..150 {
        assert!(matches!(source.next(), Ok(Some(_))));
    }
    let error = source.next().expect_err("two of 152");
    let MarketError::TooManyBadRows {
        bad: 2,
        read: 152,
        first,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        first.iter().map(|row| row.line).collect::<Vec<_>>(),
        [151, 152]
    );
    assert!(error.to_string().contains("2 of 152 rows"), "{error}");
    assert_eq!(source.next(), Ok(None), "an error ends it");

    // A shorter file is judged at its end; at its hundredth row all that came before it counts.
    for (text, read) in [
        (format!("{}x\n{}", good.repeat(20), good.repeat(20)), 41),
        (format!("x\ny\n{}", good.repeat(900)), 100),
        ("garbage".to_owned(), 1),
    ] {
        zip(&path, &[("ibm.csv", &text)]);
        let error = failure(&lean(root.path(), &["IBM"], "2013-10-07"));
        assert!(
            matches!(&error, MarketError::TooManyBadRows { read: r, .. } if *r == read),
            "{error}"
        );
    }
}

#[test]
fn a_time_that_daylight_saving_skips_is_a_bad_row() {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("ibm_20130310_quote.zip");
    let hour = 3_600_000;
    let mut text = format!("{},10000,1,0,0,P,1,0\n", 2 * hour - 1);
    text.push_str(&format!("{},10000,1,0,0,P,1,0\n", 2 * hour + 5));
    text.push_str(&format!("{},10000,1,0,0,P,1,0\n", 3 * hour).repeat(200));
    zip(&path, &[("ibm.csv", &text)]);
    let settings = lean(root.path(), &["IBM"], "2013-03-10");
    let mut source = LeanSource::open(&settings).expect("a Sunday with data");
    let rows = drain(&mut source).expect("rows");
    assert_eq!(rows[1].time().since(rows[0].time()), MS);
    assert_eq!(source.rows().first_bad[0].reason, BadRowReason::NoSuchTime);
}

#[test]
fn symbols_keep_the_ids_that_they_are_given() {
    let mut settings = lean(&recorded(), &["BAC"], "2013-10-07");
    settings.symbols = vec![(numbered(&["BAC"])[0].0, InstrumentId(77))];
    let mut source = LeanSource::open(&settings).expect("the recorded day");
    let first = source.next().expect("a row").expect("a row");
    assert_eq!(first.instrument(), InstrumentId(77));
}
