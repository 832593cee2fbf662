//! Every mistake in the writing of a configuration: its line, its caret, its words and its hint.
//!
//! Runs on: the test runner.
//! Owns: one case for each form of a wrong value, and the whole text of a file with ten mistakes.
//! Never: looks at data outside the crate.

mod config_case;

use config_case::{each_line_shows, errors, shows};
use shrike::config::{Config, ConfigErrorKind, Speed};
use shrike::types::Quantity;

use ConfigErrorKind::{NotBuilt, Syntax, Type, UnknownKey};

#[test]
fn unknown_keys_name_the_nearest_or_where_they_belong() {
    shows(
        UnknownKey,
        "«sede» = 1",
        "unknown key `sede`",
        "did you mean `seed`?",
    );
    shows(
        UnknownKey,
        "«[risk]»\nx = 1",
        "unknown key `risk`",
        "did you mean `risk_management`?",
    );
    shows(
        UnknownKey,
        "[market]\n«max_order_size» = 1",
        "unknown key `market.max_order_size`",
        "`max_order_size` stands in [[algorithm]] and in [execution]",
    );
    shows(
        UnknownKey,
        "[state]\n«foo» = 1",
        "state.foo",
        "known here: `dir`",
    );
    shows(
        UnknownKey,
        "[[algorithm]]\nname = \"demo\"\n«symbol» = []",
        "unknown key `algorithm[0].symbol`",
        "did you mean `symbols`?",
    );
    shows(
        UnknownKey,
        "threads.cores = { «rsk» = 1 }",
        "unknown key `threads.cores.rsk`",
        "did you mean `risk`?",
    );
    shows(
        UnknownKey,
        "[market]\nsynthetic.«volatility» = 1",
        "unknown key `market.synthetic.volatility`",
        "`volatility_ticks`",
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    shows(Syntax, "seed = «»", "not TOML: ", "");
    shows(Syntax, "seed = 1\n«seed» = 2", "duplicate key", "");
    shows(Syntax, "[market«»\nx = 1", "unclosed table", "");
    shows(
        Syntax,
        "seed = 1\n[state]\ndir = «abc»",
        "must be quoted",
        "",
    );

    // Other lines are still read; what only follows from the broken one is not reported.
    let found = errors("[market]\nsource = lean\nsymbols = [\"IBM\"]\n[threads]\nprofile = 3\n");
    let places: Vec<_> = found
        .iter()
        .map(|error| (error.kind, error.line()))
        .collect();
    assert_eq!(places, [(Syntax, Some(2)), (Type, Some(5))], "{found}");
}

#[test]
fn values_of_the_wrong_type_say_what_was_found() {
    each_line_shows(
        Type,
        r#"
        seed = «"42"» => found the string "42"
        seed = «-1» => a whole number of at least 0, found the integer -1
        journal.segments = «4294967296» => a whole number from 0 to 4294967295
        market = «3» => must be a table, found the integer 3 => [market]
        market.symbols = «"IBM"» => must be an array => ["IBM"]
        market.symbols = ["IBM", «3»] => `market.symbols[1]`
        market.symbols = [«"ibm"»] => must be a symbol => did you mean "IBM"?
        market.symbols = [«"I M"»] => must be a symbol => 1 to 15
        market.date = «"2013-13-01"» => must be a date => 2013-10-07..
        market.day_roll = «"3:30"» => a time of day => "03:30"
        market.day_roll = «"24:00"» => a time of day => hours and minutes
        state.dir = «""» => must be a path
        market.synthetic.start_prices = { «ibm» = 1 } => is no symbol
        "#,
    );
    shows(
        Type,
        "«[algorithm]»\nname = \"demo\"",
        "array of tables",
        "[[algorithm]]",
    );
    shows(
        Type,
        "[brokers]\npaper = «1»",
        "`brokers.paper` must be a table",
        "[brokers.NAME]",
    );
    shows(
        Type,
        "[execution]\nfast_path_enabled = «1»",
        "true or false",
        "",
    );
    shows(
        Type,
        "[[algorithm]]\nname = \"demo\"\nparameters = { a = «[1]» }",
        "`algorithm[0].parameters.a` must be a string, a number, true or false",
        "",
    );
    shows(
        Type,
        "«[brokers.sim]»\ncash = 1",
        "has no `kind`",
        "kind = \"paper\"",
    );
}

#[test]
fn words_name_all_that_is_known_and_the_nearest() {
    shows(
        Type,
        "threads.layout = «\"sharedhot\"»",
        "one of `auto`, `dedicated`, `paired`, `shared_hot`, `shared`, `invoker`",
        "did you mean \"shared_hot\"?",
    );
    shows(
        Type,
        "trading_mode = «\"demo\"»",
        "one of `paper`, `live`",
        "",
    );
    shows(
        Type,
        "market.source = «\"leen\"»",
        "`lean`",
        "did you mean \"lean\"?",
    );
    shows(
        Type,
        "[brokers.a]\nkind = «\"papr\"»",
        "one of `paper`, `alpaca`, `ibkr`",
        "did you mean \"paper\"?",
    );
    shows(
        Type,
        "brokers.paper.shortable = «\"some\"»",
        "one of `all`, `none`",
        "an array of symbols",
    );
}

#[test]
fn numbers_are_exact_or_refused() {
    each_line_shows(
        Type,
        r#"
        brokers.paper.cash = «1e6» => found the number 1e6 => no exponent
        brokers.paper.cash = «nan» => a decimal number => no exponent
        brokers.paper.cash = «"1,000"» => a decimal number => separators
        risk_management.max_drawdown = «0.1000000001» => a decimal number => more than 9 digits
        execution.max_order_size = «99999999999» => a decimal number => out of range
        brokers.paper.fee_basis_points = «0.000001» => more than 5 digits
        journal.group_commit = «5» => must be a duration => "5ms" or "5s"?
        journal.group_commit = «"5 sec"» => must be a duration => "500ms"
        journal.group_commit = «0.5» => must be a duration => "500ms"
        journal.segment_size = «"16MB"» => must be a size => "16MiB"
        market.speed = «0» => "max" or a number above 0 => 1.0 is real time
        market.speed = «0.0001» => above 0 => steps of 0.001
        market.speed = «"fast"» => "max" => 1.0 is real time
        "#,
    );
    let config = Config::parse(
        "risk_management.max_drawdown = 0.10\nbrokers.paper.cash = 0.000000000000000001\n\
         execution.max_order_size = \"0.5\"\nmarket.speed = 2.5\n\
         execution.max_position_size = 0x10",
        "t",
    )
    .expect("exact");
    assert_eq!(config.risk.max_drawdown.units(), 100_000_000);
    assert_eq!(config.brokers[0].cash.units(), 1);
    assert_eq!(config.execution.max_order_size.units(), 500_000_000);
    assert_eq!(
        config.execution.max_position_size,
        Quantity::from_whole(16).expect("small")
    );
    assert_eq!(config.market.speed, Speed::PerMille(2_500));
}

#[test]
fn what_is_known_but_not_built_is_told_from_what_is_unknown() {
    shows(
        NotBuilt,
        "trading_mode = «\"live\"»",
        "live trading is not built",
        "paper",
    );
    shows(
        NotBuilt,
        "execution_mode = «\"semi_auto\"»",
        "control 31 (approval gate) is not built in this version",
        "full_auto",
    );
    shows(
        NotBuilt,
        "execution_mode = «\"research\"»",
        "control 32 (mode gate) is not built in this version",
        "full_auto",
    );
    shows(
        NotBuilt,
        "market.source = «\"alpaca\"»",
        "Alpaca's feed is not built",
        "synthetic",
    );
    shows(
        NotBuilt,
        "«[brokers.ibkr]»\nenabled = true",
        "kind ibkr is not built",
        "paper",
    );
    shows(
        NotBuilt,
        "«[risk_management.circuit_breaker]»\nenabled = true\nwindow = \"5m\"",
        "control 9 (loss-velocity circuit breaker) is not built in this version",
        "refused rather than ignored",
    );
    shows(
        NotBuilt,
        "risk_management.«max_gross_exposure» = 1",
        "control 5 (gross, net and concentration exposure) is not built",
        "refused rather than ignored",
    );
    shows(
        NotBuilt,
        "«[control]»\nlisten = \"x\"",
        "the operator API is not built",
        "remove",
    );
}

#[test]
fn ten_mistakes_are_shown_at_once() {
    let found = Config::parse(include_str!("fixtures/ten_mistakes.toml"), "ten.toml");
    let found = found.expect_err("ten mistakes");
    assert_eq!(found.len(), 10);
    let expected = include_str!("fixtures/ten_mistakes.txt");
    assert_eq!(found.to_string(), expected.trim_end(), "\n{found}");
    assert!(!found.to_string().contains('\u{1b}'));
    assert!(found.render(true).contains('\u{1b}'));
}

#[test]
fn an_error_that_follows_from_another_is_not_reported() {
    let found = errors(
        "[market]\nsymbols = [\"ibm\"]\n[[algorithm]]\nname = \"demo\"\nsymbols = [\"IBM\"]",
    );
    assert_eq!(found.len(), 1, "{found}");
    let found = errors("[brokers.paper]\nenabled = 1\n[[algorithm]]\nname = 3\nbroker = \"paper\"");
    assert_eq!(found.len(), 2, "{found}");
}

#[test]
fn a_flood_of_errors_is_counted_not_printed() {
    let text: String = (0..500).map(|index| format!("x{index} = 1\n")).collect();
    let found = errors(&text);
    assert_eq!(found.len(), 500);
    assert!(found.to_string().contains("... and 400 more"));
    assert!(found.to_string().ends_with("500 configuration errors"));
}
