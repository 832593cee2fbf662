//! The replay of a real day: every fill against the quotes of its time, and the accounts from the fills alone.
//!
//! Runs on: tests; the binary as a user runs it.
//! Owns: a reading of the data that shares nothing with the engine's.
//! Never: trusts the engine's own figures.

mod common;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use common::{Table, exact, expect_code, lean_data, session, shrike};

/// Midnight of 2013-10-07 in New York (daylight saving time, UTC-4).
const MIDNIGHT_NS: u64 = 1_381_118_400_000_000_000;

/// The book after each row, and what it was made of.
#[derive(Clone, Copy)]
struct Book {
    time_ns: u64,
    bid: i128,
    bid_size: i128,
    ask: i128,
    ask_size: i128,
}

impl Book {
    fn is_tradable(&self) -> bool {
        self.bid > 0 && self.ask > 0 && self.bid <= self.ask
    }
}

fn member(path: &Path) -> String {
    let file = std::fs::File::open(path).expect("data");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    let mut text = String::new();
    zip.by_index(0)
        .expect("a member")
        .read_to_string(&mut text)
        .expect("text");
    text
}

const UNIT: i128 = 1_000_000_000_000_000_000;

fn books() -> Vec<Book> {
    let mut book = Book {
        time_ns: 0,
        bid: 0,
        bid_size: 0,
        ask: 0,
        ask_size: 0,
    };
    let mut books = Vec::new();
    for line in member(&lean_data().join("ibm_20131007_quote.zip")).lines() {
        let field: Vec<&str> = line.split(',').collect();
        if field[7] == "1" {
            continue;
        }
        let number = |at: usize| field[at].parse::<f64>().expect("a number") as i128;
        book.time_ns = MIDNIGHT_NS + (field[0].parse::<f64>().expect("ms") * 1e6) as u64;
        if number(1) > 0 {
            (book.bid, book.bid_size) = (number(1) * UNIT / 10_000, number(2) * UNIT);
        }
        if number(3) > 0 {
            (book.ask, book.ask_size) = (number(3) * UNIT / 10_000, number(4) * UNIT);
        }
        books.push(book);
    }
    books
}

fn trades() -> HashMap<u64, Vec<(i128, i128)>> {
    let mut trades: HashMap<u64, Vec<(i128, i128)>> = HashMap::new();
    for line in member(&lean_data().join("ibm_20131007_trade.zip")).lines() {
        let field: Vec<&str> = line.split(',').collect();
        let time_ns = MIDNIGHT_NS + (field[0].parse::<f64>().expect("ms") * 1e6) as u64;
        let price = field[1].parse::<i128>().expect("a price") * UNIT / 10_000;
        let size = field[2].parse::<i128>().expect("a size") * UNIT;
        trades.entry(time_ns).or_default().push((price, size));
    }
    trades
}

/// Runs config/replay.toml's session with a report.
fn replay(home: &Path, report: &Path) -> String {
    let mut command = shrike(home);
    command
        .args(["run", "-c", "config/replay.toml", "--report"])
        .arg(report);
    expect_code(command, 0)
}

#[test]
fn every_fill_of_the_ibm_day_stands_against_the_quotes_of_its_time() {
    let home = tempfile::tempdir().expect("a directory");
    let report = home.path().join("report");
    replay(home.path(), &report);
    let fills = Table::read(&report.join("fills.csv"));
    let orders: HashMap<String, HashMap<String, String>> = Table::read(&report.join("orders.csv"))
        .rows()
        .iter()
        .map(|row| (row["order_id"].clone(), row.clone()))
        .collect();
    assert!(
        fills.count("side", "buy") >= 50,
        "{} buys",
        fills.count("side", "buy")
    );
    assert!(
        fills.count("side", "sell") >= 50,
        "{} sells",
        fills.count("side", "sell")
    );
    assert!(
        fills.count("liquidity", "maker") > 0,
        "resting orders fill too"
    );
    let (books, trades) = (books(), trades());
    let mut taken: HashMap<(usize, bool), i128> = HashMap::new();
    for fill in fills.rows() {
        let time_ns: u64 = fill["time_ns"].parse().expect("a time");
        let (price, quantity) = (exact(&fill["price"]), exact(&fill["quantity"]));
        let buy = fill["side"] == "buy";
        let end = books.partition_point(|book| book.time_ns <= time_ns);
        let begin = books
            .partition_point(|book| book.time_ns < time_ns)
            .saturating_sub(1);
        let seen = &books[begin..end];
        let order = &orders[&fill["order_id"]];
        if let Some(limit) = Some(order["limit_price"].as_str()).filter(|text| !text.is_empty()) {
            let limit = exact(limit);
            assert!(
                if buy { price <= limit } else { price >= limit },
                "beyond its limit: {fill:?}"
            );
        }
        if fill["liquidity"] == "taker" {
            let at = seen.iter().rposition(|book| {
                let (quote, size) = if buy {
                    (book.ask, book.ask_size)
                } else {
                    (book.bid, book.bid_size)
                };
                book.is_tradable() && quote == price && quantity <= size
            });
            let at = at.unwrap_or_else(|| panic!("no such quote at its time: {fill:?}"));
            *taken.entry((begin + at, buy)).or_default() += quantity;
        } else {
            let crossed = seen.iter().any(|book| {
                book.is_tradable()
                    && if buy {
                        book.ask <= price
                    } else {
                        book.bid >= price
                    }
            });
            let traded = trades.get(&time_ns).is_some_and(|trades| {
                trades.iter().any(|&(at, size)| {
                    size >= quantity && if buy { at <= price } else { at >= price }
                })
            });
            assert!(
                crossed || traded,
                "neither a quote nor a trade reached it: {fill:?}"
            );
        }
    }
    for ((at, buy), quantity) in taken {
        let displayed = if buy {
            books[at].ask_size
        } else {
            books[at].bid_size
        };
        // Rows of one time that show the same quote again renew it: only a lone row bounds what was taken.
        let alone = books
            .iter()
            .filter(|book| book.time_ns == books[at].time_ns)
            .count()
            == 1;
        assert!(
            !alone || quantity <= displayed,
            "more than was displayed at row {at}"
        );
    }
}

#[test]
fn profit_and_account_follow_from_the_fills_alone() {
    let home = tempfile::tempdir().expect("a directory");
    let report = home.path().join("report");
    replay(home.path(), &report);
    let session = session(&report);
    let text = |value: &serde_json::Value| exact(value.as_str().expect("decimal text"));
    let (mut cash, mut fees, mut held) = (0i128, 0i128, 0i128);
    for fill in Table::read(&report.join("fills.csv")).rows() {
        let quantity = exact(&fill["quantity"]) * if fill["side"] == "buy" { 1 } else { -1 };
        // 10^-18 times 10^-18, brought back: prices have four digits, quantities are whole.
        cash -=
            (exact(&fill["price"]) / 10_000_000_000_000) * (quantity / UNIT) * 10_000_000_000_000;
        fees += exact(&fill["fee"]);
        held += quantity / UNIT;
    }
    let positions = session["positions"].as_array().expect("positions");
    let mut value = 0;
    for position in positions {
        let quantity = text(&position["quantity"]) / UNIT;
        assert_eq!(
            quantity, held,
            "the only symbol's position is the sum of its fills"
        );
        value += quantity * text(&position["market_price"]);
    }
    assert!(!positions.is_empty() || held == 0);
    let pnl = &session["pnl"];
    assert_eq!(text(&pnl["fees"]), fees);
    assert_eq!(text(&pnl["equity"]), 1_000_000 * UNIT + cash - fees + value);
    assert_eq!(
        text(&pnl["realized"]) + text(&pnl["unrealized"]),
        cash + value
    );
}

#[test]
fn two_replays_are_the_same_byte_for_byte() {
    let home = tempfile::tempdir().expect("a directory");
    let reports = ["one", "two"].map(|name| home.path().join(name));
    for report in &reports {
        replay(home.path(), report);
    }
    for name in ["orders.csv", "fills.csv"] {
        let [one, two] = reports
            .each_ref()
            .map(|dir| std::fs::read(dir.join(name)).expect(name));
        assert!(one.len() > 1_000, "{name} has rows");
        assert!(one == two, "{name} differs between two replays");
    }
}

#[test]
fn the_reports_counts_add_up() {
    let home = tempfile::tempdir().expect("a directory");
    let report = home.path().join("report");
    replay(home.path(), &report);
    let session = session(&report);
    let count = |name: &str| {
        session["orders"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!(
        count("submitted"),
        count("approved") + count("refused") + count("held")
    );
    assert_eq!(
        count("approved"),
        [
            "filled", "canceled", "rejected", "expired", "absent", "open", "in_doubt"
        ]
        .map(count)
        .iter()
        .sum::<u64>()
    );
    let orders = Table::read(&report.join("orders.csv"));
    assert_eq!(count("submitted"), orders.rows().len() as u64);
    for kind in ["market", "limit", "stop", "stop_limit", "trailing_stop"] {
        assert!(orders.count("type", kind) > 0, "no {kind} order was sent");
    }
    for stage in ["risk", "order", "encode", "wire", "internal", "ack", "fill"] {
        assert!(
            session["latency_ns"][stage]["count"].as_u64() > Some(0),
            "no {stage} was measured"
        );
        assert!(report.join(format!("latency-{stage}.hgrm")).exists());
    }
    assert_eq!(session["orders"]["in_doubt"], 0);
}
