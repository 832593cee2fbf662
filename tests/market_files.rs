//! Files that are missing, damaged or not what they should be give errors that say so.
//!
//! Runs on: tests.
//! Owns: every way in which an archive or a decimal file can be wrong as a whole.
//! Never: touches anything outside a temporary directory.

mod market_common;

use std::io;
use std::path::Path;

use market_common::{failure, lean, numbered, recorded, zip};
use shrike::market::{CsvSettings, CsvSource, FileKind, LeanSource, MarketError, TradeFiles};

const ROWS: &str = "5,10000,1,0,0,P,1,0\n6,0,0,10100,1,P,1,0\n";

/// An archive of IBM's quotes on two days and BAC's on one, in both layouts.
fn archive() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for name in [
        "ibm_20131007_quote.zip",
        "ibm_20131008_quote.zip",
        "bac/20131007_quote.zip",
    ] {
        zip(&root.path().join(name), &[("rows.csv", ROWS)]);
    }
    std::fs::write(root.path().join("notes.txt"), "no data").expect("a file");
    root
}

#[test]
fn an_unknown_symbol_is_named_with_the_symbols_there_are() {
    let root = archive();
    let error = failure(&lean(root.path(), &["IBM", "MSFT"], "2013-10-07"));
    let MarketError::UnknownSymbol {
        symbol,
        path,
        looked_for,
        available,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((symbol.as_str(), path.as_path()), ("MSFT", root.path()));
    assert_eq!(*available, ["BAC", "IBM"]);
    assert_eq!(looked_for[0], root.path().join("msft_20131007_quote.zip"));
    assert_eq!(looked_for[1], root.path().join("msft/20131007_quote.zip"));
    let message = error.to_string();
    assert!(
        message.contains("'MSFT'") && message.ends_with("symbols there: BAC, IBM"),
        "{message}"
    );
}

#[test]
fn a_date_without_data_is_named_with_the_dates_there_are() {
    let root = archive();
    // A Wednesday; a weekend alone; a range that ends beyond the data.
    for dates in [
        "2013-10-09",
        "2013-10-05..2013-10-06",
        "2013-10-07..2013-10-09",
    ] {
        let error = failure(&lean(root.path(), &["IBM"], dates));
        let MarketError::NoDataForDate {
            available,
            kind: FileKind::Quote,
            ..
        } = &error
        else {
            panic!("{dates}: {error}");
        };
        assert_eq!(*available, ["2013-10-07", "2013-10-08"], "{dates}");
    }
    // One symbol of two lacks the second day.
    let error = failure(&lean(
        root.path(),
        &["IBM", "BAC"],
        "2013-10-07..2013-10-08",
    ));
    let message = error.to_string();
    assert!(message.contains("'BAC' on 2013-10-08"), "{message}");
    assert!(message.ends_with("dates there: 2013-10-07"), "{message}");

    let mut settings = lean(root.path(), &["IBM"], "2013-10-07");
    LeanSource::open(&settings).expect("trades may be missing");
    settings.trades = TradeFiles::Required;
    let error = failure(&settings);
    assert!(
        matches!(
            error,
            MarketError::NoDataForDate {
                kind: FileKind::Trade,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_wrong_member_several_or_none_are_refused_by_name() {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("ibm_20131007_quote.zip");
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[("a.csv", ROWS), ("b.csv", ROWS)],
        &[("readme.txt", ROWS)],
        &[("20131007_ibm_Trade_Tick.csv", ROWS)],
        &[("20131008_ibm_Quote_Tick.csv", ROWS)],
        &[("20131007_bac_Quote_Tick.csv", ROWS)],
        &[("ibm/", ""), ("ibm/a.csv", ROWS)],
    ];
    for members in cases {
        zip(&path, members);
        let error = failure(&lean(root.path(), &["IBM"], "2013-10-07"));
        let MarketError::Member {
            path: named, found, ..
        } = &error
        else {
            panic!("{members:?}: {error}");
        };
        assert_eq!(named, &path);
        assert_eq!(found.len(), members.len());
        assert!(
            members
                .iter()
                .all(|(name, _)| error.to_string().contains(name)),
            "{error}"
        );
    }
    assert!(error_text(&path, root.path()).contains("the quotes of 'IBM' on 2013-10-07"));
}

fn error_text(path: &Path, root: &Path) -> String {
    zip(path, &[]);
    failure(&lean(root, &["IBM"], "2013-10-07")).to_string()
}

#[test]
fn a_truncated_or_damaged_archive_is_refused_before_its_first_row() {
    let root = tempfile::tempdir().expect("a directory");
    let name = "ibm_20131007_quote.zip";
    let path = root.path().join(name);
    let whole = std::fs::read(recorded().join(name)).expect("the recorded day");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    let cases = [
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
        &whole[..100],
        &whole[..0],
        &flipped[..],
        b"time,bid\n1,2\n",
    ];
    for (at, bytes) in cases.into_iter().enumerate() {
        std::fs::write(&path, bytes).expect("a file");
        let error =
            LeanSource::open(&lean(root.path(), &["IBM"], "2013-10-07")).expect_err("damaged");
        let MarketError::Archive {
            path: named,
            detail,
        } = &error
        else {
            panic!("case {at}: {error}");
        };
        assert_eq!(named, &path);
        assert!(
            !detail.is_empty() && error.to_string().contains(name),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_second_day_is_noticed_at_the_start() {
    let root = archive();
    let path = root.path().join("ibm_20131008_quote.zip");
    std::fs::write(&path, b"PK").expect("a file");
    let error = LeanSource::open(&lean(root.path(), &["IBM"], "2013-10-07..2013-10-08"))
        .expect_err("damaged");
    assert_eq!(error.path(), Some(path.as_path()));
}

#[test]
fn an_archive_without_rows_or_a_directory_in_its_place_is_refused() {
    let root = tempfile::tempdir().expect("a directory");
    let settings = lean(root.path(), &["IBM"], "2013-10-07");
    let path = root.path().join("ibm_20131007_quote.zip");
    zip(&path, &[("a.csv", "\n")]);
    assert_eq!(
        failure(&settings),
        MarketError::NoRows { path: path.clone() }
    );

    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a directory");
    let error = failure(&settings);
    assert!(
        matches!(error, MarketError::Io { .. } | MarketError::Archive { .. }),
        "{error}"
    );
    assert_eq!(error.path(), Some(path.as_path()));

    let missing = root.path().join("nowhere");
    let error = failure(&lean(&missing, &["IBM"], "2013-10-07"));
    let MarketError::Io {
        path,
        kind: io::ErrorKind::NotFound,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(path, &missing);
}

#[test]
fn settings_without_symbols_or_with_impossible_ones_are_refused() {
    let root = archive();
    for symbols in [&[][..], &["IBM", "IBM"], &["../X"], &["A/B"]] {
        let error = failure(&lean(root.path(), symbols, "2013-10-07"));
        assert!(
            matches!(error, MarketError::Settings(_)),
            "{symbols:?}: {error}"
        );
    }
}

fn csv_failure(path: &Path, symbols: &[&str]) -> MarketError {
    let settings = CsvSettings {
        path: path.to_path_buf(),
        symbols: numbered(symbols),
    };
    CsvSource::open(&settings).expect_err("a bad file")
}

#[test]
fn a_decimal_file_that_cannot_be_read_says_why() {
    let root = tempfile::tempdir().expect("a directory");
    let path = root.path().join("quotes.csv");
    let error = csv_failure(&path, &["IBM"]);
    assert!(
        matches!(
            error,
            MarketError::Io {
                kind: io::ErrorKind::NotFound,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(csv_failure(root.path(), &["IBM"]).path(), Some(root.path()));

    for text in ["", "time_ns,symbol,bid,bid_size,ask,ask_size\n"] {
        std::fs::write(&path, text).expect("a file");
        assert_eq!(
            csv_failure(&path, &["IBM"]),
            MarketError::NoRows { path: path.clone() }
        );
    }
    for text in [
        "time_ns,symbol,ask,ask_size,bid,bid_size\n1,IBM,2,1,1,1\n",
        "PK\u{3}\u{4}binary",
    ] {
        std::fs::write(&path, text).expect("a file");
        let error = csv_failure(&path, &["IBM"]);
        assert!(matches!(error, MarketError::Header { .. }), "{error}");
        assert!(
            error.to_string().contains("time_ns,symbol,bid,bid_size"),
            "{error}"
        );
    }
    std::fs::write(&path, "1,IBM,1,1,2,1\n2,BAC,1,1,2,1\n").expect("a file");
    let error = csv_failure(&path, &["IBM", "MSFT"]);
    let MarketError::UnknownSymbol {
        symbol, available, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((symbol.as_str(), available.len()), ("MSFT", 2));
    for symbols in [&[][..], &["IBM", "IBM"]] {
        let error = csv_failure(&path, symbols);
        assert!(matches!(error, MarketError::Settings(_)), "{error}");
    }
    std::fs::write(&path, [0u8, 159, 146, 150].repeat(10_000)).expect("a file");
    let error = csv_failure(&path, &["IBM"]);
    let MarketError::TooManyBadRows { first, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(first[0].text.chars().count(), 80);
}
