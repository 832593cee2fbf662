//! Ranges, and what settings demand of each other.
//!
//! Runs on: the test runner.
//! Owns: one case for each check, from a file and from a program.
//! Never: looks at data outside the crate.

mod config_case;

use config_case::{each_line_shows, errors, shows};
use shrike::config::{Config, ConfigErrorKind, Layout, MarketSource};
use shrike::types::{ExecutionMode, Money, TradingMode};

use ConfigErrorKind::{Missing, Value};

#[test]
fn values_out_of_range_say_the_range() {
    each_line_shows(
        Value,
        r#"
        threads.max_ports = «65» => from 2 to 64, found 65
        threads.stall_threshold = «"2m"» => from 1us to 1m, found 2m
        threads.cores.risk = «1024» => from 0 to 1023
        journal.segment_size = «65537» => a multiple of 4KiB
        journal.segment_size = «"2GiB"» => 64KiB to 1GiB
        journal.segments = «1» => from 2 to 64
        journal.group_commit = «"0s"» => from 100us to 1s, found 0s
        market.synthetic.rows_per_second = «0» => from 1 to 10000000
        market.synthetic.volatility_ticks = «1001» => from 1 to 1000
        market.synthetic.spread_ticks = «0» => from 1 to 1000
        market.synthetic.burst_per_million = «100001» => from 0 to 100000
        market.synthetic.gap_per_million = «4001» => from 0 to 4000
        market.synthetic.start_price = «0.99» => from 1 to 200000
        brokers.paper.cash = «0» => must be above 0
        brokers.paper.margin_multiplier = «0.5» => from 1 to 10
        brokers.paper.fee_minimum = «-1» => must not be below 0
        brokers.paper.fee_per_share = «-0.01» => must not be below 0
        brokers.paper.fee_basis_points = «1001» => from 0 to 1000, found 1001
        brokers.paper.order_latency = «"61s"» => from 0s to 1m, found 61s
        execution.max_order_size = «0» => must be above 0
        execution.max_order_notional = «-5» => must be above 0
        execution.max_open_orders = «0» => from 1 to 1000000
        risk_management.max_drawdown = «1.0» => below 1, found 1 => 0.05 is five
        risk_management.max_daily_loss = «0» => above 0 => 0.05 is five
        risk_management.buying_power_haircut = «1.1» => at most 1 => 1.0 uses all
        risk_management.price_collar_bps = «0» => from 1 to 9999
        risk_management.order_rate = «1048577» => from 1 to 1048576
        risk_management.cancel_reserve = «0» => from 1 to 1048576
        risk_management.order_rate_window = «"2h"» => from 1ms to 1h, found 2h
        risk_management.duplicate_window = «"61s"» => from 0s to 1m, found 61s
        risk_management.max_quote_age = «"0s"» => from 1ms
        risk_management.max_feed_silence = «"0s"» => from 1ms
        "#,
    );
}

#[test]
fn settings_that_contradict_each_other_are_errors() {
    shows(
        Value,
        "[execution]\nmax_order_size = «60000»",
        "is 60000, above `execution.max_position_size` (50000)",
        "",
    );
    shows(
        Value,
        "risk_management.outer_collar_bps = «400»",
        "is 400, inside `risk_management.price_collar_bps` (500)",
        "",
    );
    shows(
        Value,
        "risk_management.strategy_order_rate = «2000»",
        "above `order_rate` (1000)",
        "",
    );
    shows(
        Value,
        "risk_management.max_open_orders_per_symbol = «20000»",
        "above `execution.max_open_orders` (10000)",
        "",
    );
    shows(
        Value,
        "execution.max_open_orders = «1000000»",
        "1000000 orders of 10000 shares at any price could add up to more than 128-bit sums",
        "set `max_order_notional`",
    );
}

#[test]
fn symbols_dates_and_cores_must_fit_the_market_and_the_layout() {
    shows(
        Value,
        "market.symbols = [\"IBM\", \"BAC\", «\"IBM\"»]",
        "names IBM a second time",
        "",
    );
    shows(
        Value,
        "risk_management.restricted_symbols = [«\"MSFF\"»]",
        "is MSFF, which `market.symbols` does not have",
        "did you mean \"MSFT\"?",
    );
    shows(
        Value,
        "market.synthetic.start_prices = { BAC = «1» }",
        "for a symbol that `market.symbols` does not have",
        "",
    );
    shows(
        Value,
        "market.path = «\"x\"»",
        "is not used by source synthetic",
        "",
    );
    shows(
        Value,
        "market.date = «2013-10-07»",
        "is not used by source synthetic",
        "",
    );
    shows(
        Value,
        "[market]\nsource = \"lean\"\npath = \"x\"\nsymbols = [\"IBM\"]\n\
         date = «\"2013-10-08..2013-10-07\"»",
        "ends before it begins",
        "",
    );
    shows(
        Value,
        "threads = { layout = \"dedicated\", cores = { risk = 1, order = «1» } }",
        "is core 1, which layout dedicated gives to `risk` alone",
        "",
    );
}

#[test]
fn algorithms_and_brokers_must_fit_together() {
    shows(
        Value,
        "[[algorithm]]\nname = \"demo\"\n[[algorithm]]\nname = «\"demo\"»",
        "there is a second algorithm `demo`",
        "an `id` of its own",
    );
    shows(
        Missing,
        "«[[algorithm]]»\nsymbols = []",
        "`algorithm[0].name` is missing",
        "demo",
    );
    shows(
        Value,
        "[[algorithm]]\nname = \"demo\"\nsymbols = [«\"BAC\"»]",
        "is BAC, which `market.symbols` does not have",
        "",
    );
    shows(
        Value,
        "[[algorithm]]\nname = \"demo\"\nbroker = «\"papr\"»",
        "names `papr`, which is no broker",
        "did you mean \"paper\"?",
    );
    shows(
        Value,
        "[[algorithm]]\nname = \"demo\"\nmax_order_size = «10001»",
        "above `execution.max_order_size` (10000)",
        "",
    );
    shows(
        Missing,
        "[«brokers».paper]\nenabled = false",
        "no broker is enabled",
        "[brokers.paper]",
    );
}

#[test]
fn brokers_must_fit_each_other_and_the_run() {
    shows(
        Value,
        "execution.default_broker = «\"b\"»\n[brokers.paper]\n\
         [brokers.b]\nkind = \"paper\"\nenabled = false",
        "names `b`, which is not enabled",
        "enabled: `paper`",
    );
    shows(
        Value,
        "[brokers.paper]\ndefault = true\n[brokers.b]\nkind = \"paper\"\ndefault = «true»",
        "`paper` is the default already",
        "",
    );
    shows(
        Value,
        "[brokers.paper]\nsymbols = [\"IBM\"]\n\
         [brokers.b]\nkind = \"paper\"\nsymbols = [«\"IBM\"»]",
        "is IBM, which another enabled broker has too",
        "",
    );
    shows(
        Value,
        "«[brokers.Paper]»\nkind = \"paper\"",
        "must be named with",
        "",
    );

    let found = errors("market.speed = \"max\"\nbrokers.alpaca.enabled = true");
    let words = "which only paper brokers can follow; `brokers.alpaca` is none";
    assert!(found.to_string().contains(words), "{found}");
    let many: String = (0..17)
        .map(|index| format!("[brokers.b{index}]\nkind = \"paper\"\n"))
        .collect();
    let found = errors(&many);
    assert!(
        found
            .to_string()
            .contains("17 enabled entries; at most 16 fit"),
        "{found}"
    );
}

#[test]
fn every_enabled_algorithm_needs_a_port_and_an_identity() {
    let mut many = String::from("threads.max_ports = 2\n");
    for index in 0..2 {
        many += &format!("[[algorithm]]\nname = \"demo\"\nid = \"demo-{index}\"\n");
    }
    let found = errors(&many);
    assert!(
        found
            .to_string()
            .contains("leaves 1 for 2 enabled algorithms"),
        "{found}"
    );
    for index in 2..45 {
        many += &format!("[[algorithm]]\nname = \"demo\"\nid = \"demo-{index}\"\n");
    }
    let found = errors(&many);
    assert!(
        found
            .to_string()
            .contains("45 enabled entries; at most 44 fit"),
        "{found}"
    );
}

#[test]
fn what_a_source_needs_is_asked_for() {
    let found = errors("[market]\nsource = \"lean\"");
    let missing: Vec<_> = found.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(
        missing,
        ["market.path", "market.symbols", "market.date"],
        "{found}"
    );
    assert!(
        found
            .iter()
            .all(|error| error.kind == Missing && error.line() == Some(1))
    );
    let found = errors("[market]\nsource = \"csv\"\npath = \"x.csv\"");
    let missing: Vec<_> = found.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(missing, ["market.symbols"], "{found}");
}

#[test]
fn a_program_s_settings_go_through_the_same_checks() {
    let mut config = Config {
        trading_mode: TradingMode::Live,
        execution_mode: ExecutionMode::Emergency,
        ..Config::default()
    };
    config.execution.max_order_notional = Some(Money::from_units(i128::MAX));
    config.market.source = MarketSource::Lean;
    config.brokers[0].enabled = false;
    let found = config.validate().expect_err("five mistakes");
    let keys: Vec<_> = found.iter().map(|error| error.key.as_str()).collect();
    let expected = [
        "trading_mode",
        "execution_mode",
        "market.path",
        "market.date",
        "brokers",
        "execution.max_open_orders",
    ];
    assert_eq!(keys, expected, "{found}");
    assert!(found.iter().all(|error| error.location.is_none()));
    assert!(
        found
            .to_string()
            .contains("error: `market.path` is missing"),
        "{found}"
    );
}

#[test]
fn notes_say_what_a_run_will_not_do_as_written() {
    let text = "market.speed = \"max\"\nthreads.layout = \"dedicated\"\n\
                risk_management.duplicate_window = \"0s\"\n\
                [[algorithm]]\nname = \"demo\"\nenabled = false\n[brokers.paper]\n\
                [brokers.alpaca]\nenabled = false\napi_key = \"${ABSENT}\"";
    let config = Config::parse(text, "t").expect("right");
    assert_eq!(config.threads.layout, Layout::Dedicated);
    assert_eq!(config.enabled_brokers().count(), 1);
    assert_eq!(config.default_broker().expect("one").name, "paper");
    let notes = config.notes().join("\n");
    for words in [
        "layout invoker",
        "no end",
        "alpaca is not",
        "demo is not",
        "control 13",
    ] {
        assert!(notes.contains(words), "{words}\n{notes}");
    }
}

#[test]
fn brokers_keep_the_order_of_the_file() {
    let text =
        "[brokers.zeta]\nkind = \"paper\"\n[brokers.alpha]\nkind = \"paper\"\ndefault = true\n";
    let config = Config::parse(text, "t").expect("right");
    let names: Vec<_> = config.enabled_brokers().map(|b| b.name.as_str()).collect();
    assert_eq!(names, ["zeta", "alpha"]);
    assert_eq!(config.default_broker().expect("one").name, "alpha");
    let text = format!("execution.default_broker = \"alpha\"\n{text}");
    let config = Config::parse(&text, "t").expect("they agree");
    assert_eq!(config.default_broker().expect("one").name, "alpha");
    let none = Config::parse("", "t").expect("an empty file is right");
    assert_eq!(none.default_broker().expect("one").name, "paper");
    assert!(none.algorithms.is_empty());
}

#[test]
fn parameters_keep_their_place_for_the_algorithm_s_own_errors() {
    let text = "[[algorithm]]\nname = \"grid\"\n[algorithm.parameters]\nlevels = 5\nedge = 0.10\n";
    let config = Config::parse(text, "t.toml").expect("right");
    let grid = &config.algorithms[0];
    assert_eq!(grid.parameters.integer("levels").expect("fits"), Some(5));
    let error = grid
        .parameters
        .integer("edge")
        .expect_err("no whole number");
    assert_eq!((error.line(), error.column()), (Some(5), Some(8)));
    assert!(
        error
            .to_string()
            .contains("5 | edge = 0.10\n  |        ^^^^"),
        "{error}"
    );
    let error = grid.unknown_kind(["demo"]);
    assert!(
        error
            .to_string()
            .contains("2 | name = \"grid\"\n  |        ^^^^^^"),
        "{error}"
    );
}
