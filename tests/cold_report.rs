//! The session report: what the records say is what the files say, exactly.
//!
//! Runs on: the test runner.
//! Owns: the equations of the report, the text of its files, and the profit that they explain.
//! Never: takes the report's word for it: files are read back and added up anew.

mod cold_support;

use std::collections::BTreeMap;
use std::path::Path;

use cold_support::*;
use proptest::prelude::*;
use serde_json::Value;
use shrike::cold::{
    JournalFigures, Marks, Names, Session, SessionInfo, Stage, StageLatency, summary,
};
use shrike::journal::Record;
use shrike::ring::RingReading;
use shrike::types::{
    AccountStatement, BrokerId, BrokerReject, InstrumentId, Money, Order, OrderId, OrderState,
    OrderType, Position, Price, Quantity, RecoveredAccount, RecoveredOrder, RecoveredPosition,
    RecoveredState, RefusalCode, ReportKind, Side, StageStamps, StrategyId,
};

fn info(marks: Marks) -> SessionInfo {
    SessionInfo {
        layout: "invoker".to_owned(),
        started_at: "2013-10-07T13:30:00Z".to_owned(),
        ended_at: "2013-10-07T20:00:00Z".to_owned(),
        seed: 42,
        names: Names {
            instruments: table(),
            brokers: vec!["paper".to_owned()],
            strategies: ["external", "engine", "demo"].map(str::to_owned).to_vec(),
        },
        marks,
        events: 7,
        journal: JournalFigures {
            records: 9,
            bytes: 1_000,
            durable_sequence: 9,
        },
        ..SessionInfo::default()
    }
}

fn session(records: &[Record], marks: Marks) -> Session {
    let recovered = RecoveredState::default();
    Session::new(
        info(marks),
        &recovered,
        StageLatency::new(),
        journal(records),
    )
}

fn text(bytes: std::io::Result<Vec<u8>>) -> String {
    String::from_utf8(bytes.expect("csv")).expect("UTF-8")
}

fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = reader.headers().expect("a header").clone();
    reader
        .records()
        .map(|record| {
            let record = record.expect("a row");
            names
                .iter()
                .map(str::to_owned)
                .zip(record.iter().map(str::to_owned))
                .collect()
        })
        .collect()
}

fn limit(side: Side, quantity: i64, at: &str) -> Order {
    Order::limit(InstrumentId(0), side, shares(quantity), price(at))
}

/// A session with one order of each kind of end.
fn every_end() -> Vec<Record> {
    let market = Order::market(InstrumentId(1), Side::Sell, shares(30));
    let stop = Order::stop_limit(
        InstrumentId(2),
        Side::Buy,
        shares(5),
        price("101"),
        price("101.5"),
    );
    vec![
        account(0, 100_000, 1),
        intent(request(1, limit(Side::Buy, 100, "182.5"), price("182")), 0),
        sent(1),
        said(ReportKind::Accepted, 1),
        fill(1, 0xa1, Side::Buy, 0, shares(40), price("182.4")),
        fill(1, 0xa1, Side::Buy, 0, shares(40), price("182.4")),
        fill(1, 0xa2, Side::Buy, 0, shares(60), price("182.5")),
        intent(request(2, market, price("50")), 0),
        fill(2, 0xa3, Side::Sell, 1, shares(10), price("49.9")),
        said(ReportKind::Canceled, 2),
        fill(2, 0xa4, Side::Sell, 1, shares(5), price("49.8")),
        refused(request(3, stop, Price::ZERO), RefusalCode::PriceCollar),
        intent(request(4, stop, Price::ZERO), 0),
        rejected(4, BrokerReject::InsufficientBuyingPower),
        intent(request(5, limit(Side::Buy, 7, "180"), Price::ZERO), 0),
        said(ReportKind::Accepted, 5),
        replace_intent(
            5,
            shares(9),
            OrderType::Limit {
                limit: price("181.25"),
            },
        ),
        replaced(
            5,
            shares(9),
            OrderType::Limit {
                limit: price("181.25"),
            },
        ),
        intent(request(6, limit(Side::Buy, 1, "1"), Price::ZERO), 0),
        said(ReportKind::InDoubt, 6),
        intent(request(7, limit(Side::Buy, 1, "1"), Price::ZERO), 0),
        said(ReportKind::InDoubt, 7),
        said(ReportKind::NotFound, 7),
        intent(request(8, limit(Side::Buy, 1, "1"), Price::ZERO), 0),
        said(ReportKind::Expired, 8),
        refused(request(1, stop, Price::ZERO), RefusalCode::DuplicateOrderId),
        fill(0, 0xa5, Side::Sell, 2, shares(3), price("101")),
    ]
}

#[test]
fn orders_csv_has_one_row_an_order_with_its_last_acknowledged_terms() {
    let csv = text(session(&every_end(), Marks::default()).orders_csv());
    let expected = "\
time_ns,order_id,client_order_id,broker,strategy,symbol,side,type,time_in_force,quantity,\
limit_price,stop_price,status,filled_quantity,average_price,refusal
1381152600000000001,1-0-1,*,paper,demo,IBM,buy,limit,day,100,182.5,,filled,100,182.46,
1381152600000000002,1-0-2,*,paper,demo,SPY,sell,market,day,30,,,canceled,15,49.866666667,
1381152600000000003,1-0-3,*,,demo,BRK.B,buy,stop_limit,day,5,101.5,101,refused,0,,PriceCollar
1381152600000000004,1-0-4,*,paper,demo,BRK.B,buy,stop_limit,day,5,101.5,101,rejected,0,,\
insufficient buying power
1381152600000000005,1-0-5,*,paper,demo,IBM,buy,limit,day,9,181.25,,replaced,0,,
1381152600000000006,1-0-6,*,paper,demo,IBM,buy,limit,day,1,1,,in_doubt,0,,
1381152600000000007,1-0-7,*,paper,demo,IBM,buy,limit,day,1,1,,absent,0,,
1381152600000000008,1-0-8,*,paper,demo,IBM,buy,limit,day,1,1,,expired,0,,
";
    let mut shown = csv.clone();
    for row in rows(&csv) {
        let id: OrderId = row["order_id"].parse().expect("an id");
        let client: shrike::types::ClientOrderId =
            row["client_order_id"].parse().expect("a client id");
        assert_eq!(client.order_id(), id);
        shown = shown.replace(client.as_str(), "*");
    }
    assert_eq!(shown, expected);
}

#[test]
fn fills_csv_has_each_execution_once_in_journal_order() {
    let csv = text(session(&every_end(), Marks::default()).fills_csv());
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "time_ns,order_id,client_order_id,execution_id,broker,symbol,side,quantity,price,fee,\
         liquidity"
    );
    let executions: Vec<_> = rows(&csv)
        .iter()
        .map(|row| row["execution_id"].clone())
        .collect();
    let expected: Vec<_> = [0xa1, 0xa2, 0xa3, 0xa4, 0xa5u128]
        .map(|id| format!("{id:032x}"))
        .to_vec();
    assert_eq!(executions, expected);
    assert!(
        lines[1].starts_with("1381152600000000500,1-0-1,SHRK"),
        "{}",
        lines[1]
    );
    assert!(
        lines[1].ends_with(",paper,IBM,buy,40,182.4,0.35,taker"),
        "{}",
        lines[1]
    );
    assert!(
        lines[5].starts_with("1381152600000000500,,,"),
        "nobody's order: {}",
        lines[5]
    );
}

#[test]
fn session_json_counts_every_end_and_says_what_was_odd() {
    let session = session(&every_end(), Marks::default());
    let json = serde_json::to_value(&session.report).expect("json");
    let orders = |name: &str| json["orders"][name].as_u64().expect("a count");
    let counts = [
        ("submitted", 8),
        ("approved", 7),
        ("refused", 1),
        ("held", 0),
        ("filled", 1),
        ("partially_filled", 0),
        ("canceled", 1),
        ("rejected", 1),
        ("expired", 1),
        ("absent", 1),
        ("open", 1),
        ("in_doubt", 1),
    ];
    for (name, count) in counts {
        assert_eq!(orders(name), count, "{name}");
    }
    assert_eq!(json["fill_rate"], 0.125);
    assert_eq!(json["refusals"]["PriceCollar"], 1);
    assert_eq!(json["refusals"]["DuplicateOrderId"], 1);
    let odd = &json["irregularities"];
    assert_eq!(odd["duplicate_executions"], 1);
    assert_eq!(odd["unexpected_fills"], 1, "one after the cancel");
    assert_eq!(odd["foreign_fills"], 1);
    assert_eq!(odd["repeated_ids"], 1);
    assert_eq!(odd["anomalies"], 0);
    // 182.46 against 182 bought: 25.2747 bps; 49.866666667 against 50 sold: 26.6667.
    assert_eq!(json["slippage_bps"]["p50"], 25.2747);
    assert_eq!(json["slippage_bps"]["p99"], 26.6667);
    assert_eq!(json["slippage_bps"]["mean"], 25.9707);
    assert_eq!(json["latency_ns"]["fill"]["count"], 0);
    assert_eq!(json["latency_ns"]["fill"]["p50"], Value::Null);
    assert_eq!(json["positions"][0]["market_price"], Value::Null);
    assert_eq!(json["positions"][0]["unrealized"], "0");
    assert_eq!(json["seed"], 42);
}

#[test]
fn an_empty_session_has_a_report_too() {
    let session = session(&[], Marks::default());
    let json = serde_json::to_value(&session.report).expect("json");
    assert_eq!(json["fill_rate"], Value::Null);
    assert_eq!(json["slippage_bps"]["mean"], Value::Null);
    assert_eq!(json["orders"]["submitted"], 0);
    assert_eq!(json["pnl"]["equity"], "0");
    assert!(summary(&session.report).contains("0 submitted"));
}

#[test]
fn not_sent_ends_the_order_before_it_left_and_only_the_change_after() {
    let order = limit(Side::Buy, 5, "10");
    let not_sent = said(ReportKind::NotSent, 1);
    let mut records = vec![intent(request(1, order, Price::ZERO), 0), not_sent];
    assert_eq!(
        session(&records, Marks::default()).report.orders.rejected,
        1
    );
    records = vec![
        intent(request(1, order, Price::ZERO), 0),
        sent(1),
        cancel_intent(1),
        not_sent,
    ];
    let report = session(&records, Marks::default()).report;
    assert_eq!((report.orders.rejected, report.orders.open), (0, 1));
}

fn recovered() -> RecoveredState {
    let request = request(9, limit(Side::Sell, 50, "20"), Price::ZERO);
    let Record::Intent(approved) = intent(request, 0) else {
        unreachable!("an intent");
    };
    let mut state = OrderState::new(shares(50));
    state
        .apply(shrike::types::OrderInput::Fill {
            quantity: shares(20),
            price: price("20"),
            cumulative: Quantity::ZERO,
        })
        .expect("a fill");
    RecoveredState {
        orders: vec![RecoveredOrder {
            approved,
            state,
            order_type: request.order.order_type,
            stamps: StageStamps::default(),
        }],
        accounts: vec![RecoveredAccount {
            broker: BrokerId(0),
            cash: Money::from_whole(500),
        }],
        positions: vec![RecoveredPosition {
            broker: BrokerId(0),
            instrument: InstrumentId(0),
            position: Position {
                quantity: shares(30),
                cost: Money::from_whole(300),
                realized: Money::from_whole(77),
                fees: Money::from_whole(7),
            },
        }],
        execution_ids: vec![shrike::types::ExecutionId(0xb1)],
        ..RecoveredState::default()
    }
}

#[test]
fn carried_in_orders_and_positions_go_on_where_they_were() {
    let records = [
        fill(9, 0xb1, Side::Sell, 0, shares(20), price("20")),
        fill(9, 0xb2, Side::Sell, 0, shares(30), price("21")),
    ];
    let marks = Marks::default();
    let session = Session::new(
        info(marks),
        &recovered(),
        StageLatency::new(),
        journal(&records),
    );
    let report = &session.report;
    assert_eq!(
        report.irregularities.duplicate_executions, 1,
        "told before the restart"
    );
    assert_eq!(report.recovered.orders, 1);
    assert_eq!((report.orders.submitted, report.orders.filled), (1, 1));
    assert_eq!(
        report.pnl.realized,
        Money::from_whole(330),
        "30 x (21 - 10)"
    );
    assert_eq!(report.recovered.realized, Money::from_whole(77));
    assert_eq!(report.pnl.fees.to_string(), "0.35", "fees of this session");
    assert_eq!(report.pnl.carried_cost, Money::from_whole(300));
    assert_eq!(report.pnl.equity.to_string(), "1129.65");
    let rows = rows(&text(session.orders_csv()));
    assert_eq!(rows[0]["average_price"], "20.6");
    assert_eq!(rows[0]["status"], "filled");
}

#[test]
fn an_execution_id_of_before_is_compared_for_carried_in_orders_only() {
    let records = [
        intent(request(10, limit(Side::Buy, 5, "10"), Price::ZERO), 0),
        fill(10, 0xb1, Side::Buy, 0, shares(5), price("10")),
    ];
    let marks = Marks::default();
    let session = Session::new(
        info(marks),
        &recovered(),
        StageLatency::new(),
        journal(&records),
    );
    assert_eq!(
        session.fills.len(),
        1,
        "another order's execution is never dropped"
    );
}

#[test]
fn the_reconciliation_finds_each_difference() {
    let records = every_end();
    let ledger = session(&records, Marks::default());
    let cash = ledger.report.pnl.cash;
    let truth = AccountStatement {
        broker: BrokerId(0),
        cash,
        positions: vec![
            (InstrumentId(0), shares(100)),
            (InstrumentId(1), shares(-15)),
            (InstrumentId(2), shares(-3)),
        ],
        open_orders: vec![id(6), id(5)],
    };
    let with = |statement: AccountStatement| {
        let info = SessionInfo {
            statements: vec![statement],
            ..info(Marks::default())
        };
        let recovered = RecoveredState::default();
        Session::new(info, &recovered, StageLatency::new(), journal(&records)).report
    };
    let report = with(truth.clone());
    assert!(
        report.reconciliation[0].equal,
        "{:?}",
        report.reconciliation
    );
    assert!(summary(&report).contains("paper: reconciled"));

    let one_unit = Money::from_units(cash.units() + 1);
    let report = with(AccountStatement {
        cash: one_unit,
        ..truth.clone()
    });
    assert!(!report.reconciliation[0].cash.equal);
    assert!(summary(&report).contains("NOT RECONCILED: cash"));

    let report = with(AccountStatement {
        positions: vec![],
        ..truth.clone()
    });
    assert_eq!(report.reconciliation[0].positions.differences.len(), 3);

    let report = with(AccountStatement {
        open_orders: vec![id(5), id(8)],
        ..truth
    });
    let open = &report.reconciliation[0].open_orders;
    assert_eq!(open.only_engine, ["1-0-6"]);
    assert_eq!(open.only_broker, ["1-0-8"]);
    assert!(!report.reconciliation[0].equal);
}

fn hgrm_rows(path: &Path) -> (Vec<[f64; 3]>, f64) {
    let text = std::fs::read_to_string(path).expect("a file");
    let rows = text
        .lines()
        .skip(2)
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut numbers = line
                .split_whitespace()
                .map(|n| n.parse().expect("a number"));
            std::array::from_fn(|_| numbers.next().expect("three columns"))
        })
        .collect();
    let total = text
        .lines()
        .find_map(|line| line.split_once("Total count    ="))
        .map(|(_, rest)| rest.trim().trim_end_matches(']'))
        .and_then(|count| count.parse().ok())
        .expect("a footer");
    (rows, total)
}

#[test]
fn all_files_are_written_and_read_back() {
    let mut latency = StageLatency::new();
    for n in 1..=10_000 {
        latency.record(Stage::Internal, n);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let target = dir.path().join("made/on/the/way");
    let readings = vec![RingReading {
        name: "decisions".to_owned(),
        capacity: 4_096,
        depth: 0,
        high_water_mark: 12,
        refused: 1,
    }];
    let info = SessionInfo {
        rings: readings,
        ..info(Marks::default())
    };
    let recovered = RecoveredState::default();
    let session = Session::new(info, &recovered, latency, journal(&every_end()));
    session.write(&target).expect("writes");
    session.write(&target).expect("writes again over it");
    for stage in Stage::ALL {
        let name = format!("latency-{}.hgrm", stage.as_str());
        let (rows, total) = hgrm_rows(&target.join(name));
        if stage != Stage::Internal {
            assert_eq!((rows.len(), total), (0, 0.0));
            continue;
        }
        assert_eq!(total, 10_000.0);
        assert_eq!(rows.last().expect("rows")[2], 10_000.0);
        for [value, percentile, count] in rows {
            let histogram = session.latency.histogram(stage);
            let expected = histogram.value_at_quantile(percentile);
            // The library's walk may stand one step beyond a boundary that is met exactly.
            let beyond = histogram.next_non_equivalent(expected);
            assert!(
                [expected, beyond]
                    .iter()
                    .any(|&near| histogram.equivalent(value as u64, near)),
                "{percentile}: {value} against {expected}"
            );
            assert!(count / total >= percentile - 1e-9);
            assert_eq!(count as u64, histogram.count_between(0, value as u64));
        }
    }
    let json = std::fs::read(target.join("session.json")).expect("a file");
    let json: Value = serde_json::from_slice(&json).expect("json");
    assert_eq!(json["latency_ns"]["internal"]["count"], 10_000);
    assert_eq!(json["journal"]["durable_sequence"], 9);
    let svg = std::fs::read_to_string(target.join("latency.svg")).expect("a file");
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    let files = std::fs::read_dir(&target).expect("lists").count();
    assert_eq!(files, 3 + 7 + 1, "and nothing else");
    let text = summary(&session.report);
    assert!(text.contains("decisions 12/4096 (1 refused)"), "{text}");
    assert!(text.contains("internal"), "{text}");
    assert!(text.contains("5 = 2 buys + 3 sells"), "{text}");
}

/// What `fills.csv` says, added up by broker and symbol with no help of the engine's books.
fn add_up(csv: &str) -> (BTreeMap<(String, String), Position>, Money, Money) {
    let mut positions: BTreeMap<(String, String), Position> = BTreeMap::new();
    let (mut flow, mut fees) = (Money::ZERO, Money::ZERO);
    for row in rows(csv) {
        let side = match row["side"].as_str() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => panic!("side {other}"),
        };
        let quantity: Quantity = row["quantity"].parse().expect("a quantity");
        let at: Price = row["price"].parse().expect("a price");
        let fee: Money = row["fee"].parse().expect("a fee");
        let key = (row["broker"].clone(), row["symbol"].clone());
        let position = positions.entry(key).or_default();
        position.apply(side, quantity, at, fee).expect("fits");
        flow -= at.notional(side.signed(quantity));
        fees += fee;
    }
    (positions, flow, fees)
}

fn money(value: &Value) -> Money {
    value.as_str().expect("text").parse().expect("money")
}

fn check(records: &[Record], mark: Price) -> Result<(), TestCaseError> {
    let marks = Marks::fixed((0..2).map(|n| (InstrumentId(n), mark)));
    let session = session(records, marks);
    let json = serde_json::to_value(&session.report).expect("json");
    let orders = |name: &str| json["orders"][name].as_u64().expect("a count");
    prop_assert_eq!(
        orders("submitted"),
        orders("approved") + orders("refused") + orders("held")
    );
    let ends = [
        "filled", "canceled", "rejected", "expired", "absent", "open", "in_doubt",
    ];
    prop_assert_eq!(orders("approved"), ends.map(orders).iter().sum::<u64>());

    let order_rows = rows(&text(session.orders_csv()));
    prop_assert_eq!(order_rows.len() as u64, orders("submitted"));
    let with = |status: &str| order_rows.iter().filter(|r| r["status"] == status).count() as u64;
    for status in [
        "filled", "canceled", "rejected", "expired", "absent", "refused", "in_doubt",
    ] {
        prop_assert_eq!(with(status), orders(status), "{}", status);
    }
    let ids: Vec<OrderId> = order_rows
        .iter()
        .map(|row| row["order_id"].parse().expect("an id"))
        .collect();
    prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));

    let csv = text(session.fills_csv());
    let (positions, flow, fees) = add_up(&csv);
    let mut executions: Vec<_> = rows(&csv)
        .iter()
        .map(|r| r["execution_id"].clone())
        .collect();
    let fills = executions.len();
    executions.sort();
    executions.dedup();
    prop_assert_eq!(executions.len(), fills, "no execution twice");
    let pnl = &json["pnl"];
    let realized: Money = positions.values().map(|p| p.realized).sum();
    prop_assert_eq!(money(&pnl["realized"]), realized);
    prop_assert_eq!(money(&pnl["fees"]), fees);
    let mut value = Money::ZERO;
    for row in json["positions"].as_array().expect("positions") {
        let key = |name: &str| row[name].as_str().expect("text").to_owned();
        let mine = positions[&(key("broker"), key("symbol"))];
        let quantity = mine.quantity.to_string();
        prop_assert_eq!(&row["quantity"], &quantity);
        value += match row["market_price"].as_str() {
            Some(at) => at
                .parse::<Price>()
                .expect("a price")
                .notional(mine.quantity),
            None => mine.cost,
        };
    }
    let profit = money(&pnl["realized"]) + money(&pnl["unrealized"]);
    prop_assert_eq!(
        profit,
        flow + value,
        "profit is cash that moved and what is held"
    );
    let equity = money(&pnl["start_cash"]) + money(&pnl["adjustments"]) + profit - fees;
    prop_assert_eq!(money(&pnl["equity"]), equity);
    prop_assert_eq!(money(&pnl["equity"]), money(&pnl["cash"]) + value);

    Ok(())
}

/// Made again from the same records, the tables are the same byte for byte.
fn check_repeatable(records: &[Record]) -> Result<(), TestCaseError> {
    let made = || session(records, Marks::default());
    prop_assert_eq!(text(made().fills_csv()), text(made().fills_csv()));
    prop_assert_eq!(text(made().orders_csv()), text(made().orders_csv()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever a journal holds: the equations hold, rows and counts agree, and the profit follows
    /// from fills.csv.
    #[test]
    fn the_report_adds_up_whatever_happened(
        steps in prop::collection::vec(
            (0u8..20, 0u64..40, -5_000_000_000_000i64..5_000_000_000_000, 0i64..5_000_000_000_000),
            0..120,
        ),
        mark in 1i64..5_000_000_000_000,
    ) {
        let records = wild_session(&steps);
        check(&records, Price::from_units(mark))?;
        check_repeatable(&records)?;
    }
}

#[test]
fn strategies_own_what_they_traded() {
    let session = session(&every_end(), Marks::default());
    let names: Vec<_> = session
        .report
        .strategies
        .iter()
        .map(|s| s.strategy.as_str())
        .collect();
    assert_eq!(names, ["external", "demo"], "nobody's fill is external");
    assert_eq!(session.report.strategies[1].positions, 2);
    assert_eq!(session.fills[0].strategy, StrategyId(2));
}
