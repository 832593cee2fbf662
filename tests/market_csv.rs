//! Decimal files of quotes are read exactly or row by row refused.
//!
//! Runs on: tests.
//! Owns: columns, sides, symbols and bad rows of the format.
//! Never: touches anything outside a temporary directory.

mod market_common;

use market_common::{drain, numbered, price, size};
use shrike::market::{BadRowReason, Column, CsvSettings, CsvSource, MarketError, MarketSource};
use shrike::types::{BookSide, InstrumentId, MarketUpdate, Nanos, Quote, QuoteUpdate};

const HEADER: &str = "time_ns,symbol,bid,bid_size,ask,ask_size\n";

fn open(text: &str, symbols: &[&str]) -> Result<CsvSource, MarketError> {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("quotes.csv");
    std::fs::write(&path, text).expect("a file");
    CsvSource::open(&CsvSettings {
        path,
        symbols: numbered(symbols),
    })
}

fn update(instrument: u32, time: u64, bid: &str, ask: &str) -> MarketUpdate {
    let side = |text: &str| match text.split_once('x') {
        Some((a, b)) => (price(a), size(b)),
        None => Default::default(),
    };
    let ((bid, bid_size), (ask, ask_size)) = (side(bid), side(ask));
    MarketUpdate::Quote(QuoteUpdate {
        instrument: InstrumentId(instrument),
        side: BookSide::Both,
        quote: Quote {
            bid,
            bid_size,
            ask,
            ask_size,
            time: Nanos(time),
        },
    })
}

#[test]
fn rows_of_several_symbols_are_read_exactly_with_and_without_a_header() {
    let rows = "1381152600000000000,IBM,181.84,300,181.86,1.5\n\
                1381152600000000000,BAC,13.851234567,1,13.86,2\r\n\
                1381152600000000005,GM,1,1,2,1\n\
                1381152600000000009,IBM,181.85,0,,\n\
                1381152600000000010,BAC,0,0,13.9,7\n\
                1381152600000000011,BAC,,,0,";
    let at = |offset: u64| 1_381_152_600_000_000_000 + offset;
    let expected = [
        update(1, at(0), "181.84x300", "181.86x1.5"),
        update(0, at(0), "13.851234567x1", "13.86x2"),
        update(1, at(9), "181.85x0", ""),
        update(0, at(10), "", "13.9x7"),
        update(0, at(11), "", ""),
    ];
    for before in [
        "",
        HEADER,
        "\u{feff}time_ns,symbol,bid,bid_size,ask,ask_size\r\n",
    ] {
        let mut source = open(&format!("{before}{rows}"), &["BAC", "IBM"]).expect("good rows");
        assert_eq!(source.start_time(), Some(Nanos(at(0))));
        assert_eq!(drain(&mut source).expect("good rows"), expected);
        let counts = source.rows();
        assert_eq!((counts.read, counts.bad, counts.other_symbols), (6, 0, 1));
        assert_eq!(source.next(), Ok(None));
    }
}

#[test]
fn bad_rows_are_counted_skipped_and_kept_with_their_line() {
    let bad = [
        (
            "5,IBM,1,1,2",
            BadRowReason::Columns {
                found: 5,
                expected: 6,
            },
        ),
        (
            "5,IBM,1,1,2,1,1",
            BadRowReason::Columns {
                found: 7,
                expected: 6,
            },
        ),
        ("five,IBM,1,1,2,1", BadRowReason::NotANumber(Column::Time)),
        ("5,ibm,1,1,2,1", BadRowReason::NotASymbol),
        ("5,IBM,-1,1,2,1", BadRowReason::Negative(Column::Bid)),
        ("5,IBM,1,1,1e3,1", BadRowReason::NotANumber(Column::Ask)),
        (
            "5,IBM,1,1,1000000.01,1",
            BadRowReason::TooLarge(Column::Ask),
        ),
        (
            "5,IBM,1,1000000001,2,1",
            BadRowReason::TooLarge(Column::BidSize),
        ),
        ("4,IBM,1,1,2,1", BadRowReason::OutOfOrder),
        (
            "5,IBM,1.0000000001,1,2,1",
            BadRowReason::TooPrecise(Column::Bid),
        ),
        (
            "5,IBM,,1,2,1",
            BadRowReason::SizeWithoutPrice(Column::BidSize),
        ),
        ("5,IBM,1,1,2,", BadRowReason::NotANumber(Column::AskSize)),
    ];
    let good = "5,IBM,1,1,2,1\n".repeat(100);
    for (row, reason) in bad {
        let text = format!("{HEADER}{good}{row}\n{good}");
        let mut source = open(&text, &["IBM"]).expect("one bad row in 201");
        assert_eq!(drain(&mut source).expect("one bad row in 201").len(), 200);
        let kept = &source.rows().first_bad[0];
        assert_eq!(
            (kept.line, kept.reason, kept.text.as_str()),
            (102, reason, row)
        );
    }
    // A long line is one bad row, and the next one is read as if nothing had been.
    let text = format!("{good}5,IBM,{},1,2,1\n{good}", "1".repeat(1_000_000));
    let mut source = open(&text, &["IBM"]).expect("one bad row in 201");
    assert_eq!(drain(&mut source).expect("one bad row in 201").len(), 200);
    assert_eq!(
        source.rows().first_bad[0].reason,
        BadRowReason::LineTooLong { limit: 1_024 }
    );
    assert_eq!(source.rows().first_bad[0].text.len(), 80);
}

#[test]
fn too_many_bad_rows_end_the_source_after_the_good_rows_before_them() {
    let good = "5,IBM,1,1,2,1\n";
    let text = format!("{}x\ny\n{}", good.repeat(150), good.repeat(50));
    let mut source = open(&text, &["IBM"]).expect("good at first");
    for _ in 0..150 {
        assert!(matches!(source.next(), Ok(Some(_))));
    }
    let error = source.next().expect_err("two of 152");
    assert!(
        matches!(
            error,
            MarketError::TooManyBadRows {
                bad: 2,
                read: 152,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(source.next(), Ok(None));

    // A file cut short in its last row is judged at its end.
    let mut source = open("5,IBM,1,1,2,1\n6,IBM,1,1", &["IBM"]).expect("good at first");
    assert!(matches!(source.next(), Ok(Some(_))));
    let error = source.next().expect_err("one of two");
    assert!(
        matches!(
            error,
            MarketError::TooManyBadRows {
                bad: 1,
                read: 2,
                ..
            }
        ),
        "{error}"
    );
}
