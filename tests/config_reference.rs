//! The shipped configuration files against the code.
//!
//! Runs on: the test runner.
//! Owns: that `reference.toml` has every key and the true defaults, and that the examples load.
//! Never: looks at data outside the crate.

use std::collections::BTreeSet;
use std::path::Path;

use shrike::config::schema::{KEYS, KeyStatus, find};
use shrike::config::{Config, ConfigErrorKind, MarketSource, Profile, Speed};
use shrike::types::{Money, Ratio};

const REFERENCE: &str = include_str!("../config/reference.toml");
const REPLAY: &str = include_str!("../config/replay.toml");

/// `(section, key, commented value)` of a line that sets a key, commented or not.
fn keys_of(text: &str) -> Vec<(String, String, Option<String>)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            let name = line.trim_matches(|c| c == '[' || c == ']');
            section = if name.starts_with("brokers.") {
                "brokers".to_owned()
            } else {
                name.to_owned()
            };
            continue;
        }
        let code = line.strip_prefix('#').unwrap_or(line);
        if code.starts_with([' ', '!']) || code.is_empty() {
            continue;
        }
        let (key, value) = code.split_once(" = ").expect("a key and a value");
        let commented = (code != line).then(|| value.to_owned());
        keys.push((section.clone(), key.to_owned(), commented));
    }
    keys
}

#[test]
fn the_reference_is_the_default_configuration() {
    let mut parsed = Config::parse(REFERENCE, "reference.toml").expect("parses");
    assert!(parsed.algorithms[0].location.take().is_some());
    assert_eq!(parsed, Config::default());
    Config::default().validate().expect("the defaults hold");
    assert_eq!(parsed.notes(), Vec::<String>::new());
}

#[test]
fn the_reference_has_every_known_key_and_no_other() {
    let mut seen = BTreeSet::new();
    for (section, key, _) in keys_of(REFERENCE) {
        let known = find(&section, &key).unwrap_or_else(|| panic!("[{section}] {key} is known"));
        assert_eq!(known.status, KeyStatus::Built, "[{section}] {key}");
        assert!(seen.insert((section, key)), "each key once");
    }
    let tables = KEYS.iter().map(|key| key.section);
    let tables: BTreeSet<&str> = tables.collect();
    let missing: BTreeSet<&str> = REFERENCE
        .lines()
        .filter_map(|line| line.strip_prefix("#!"))
        .collect();
    for key in KEYS {
        let path = match key.section {
            "" => key.name.to_owned(),
            section => format!("{section}.{}", key.name),
        };
        match key.status {
            KeyStatus::NotBuilt(_) => assert!(missing.contains(&*path), "{path} is listed"),
            KeyStatus::Built if tables.contains(&*path) => {}
            KeyStatus::Built => {
                let pair = (key.section.to_owned(), key.name.to_owned());
                assert!(seen.contains(&pair), "{path} is documented");
            }
        }
    }
    let built = |key: &&shrike::config::schema::KnownKey| key.status == KeyStatus::Built;
    assert_eq!(
        missing.len(),
        KEYS.len() - KEYS.iter().filter(built).count()
    );
}

#[test]
fn each_commented_example_of_the_reference_is_of_the_right_form() {
    let mut examples = 0;
    for (section, key, value) in keys_of(REFERENCE) {
        let Some(value) = value else { continue };
        examples += 1;
        let header = match section.as_str() {
            "algorithm" => "[[algorithm]]\nname = \"demo\"".to_owned(),
            "brokers" => "[brokers.paper]".to_owned(),
            section => format!("[{section}]"),
        };
        let text = format!("{header}\n{key} = {value}\n");
        if let Err(errors) = Config::parse(&text, "example") {
            for error in &errors {
                let wrong_here =
                    matches!(error.kind, ConfigErrorKind::Value | ConfigErrorKind::Secret);
                assert!(wrong_here, "{text}\n{errors}");
            }
        }
    }
    assert!(examples >= 15, "{examples}");
}

#[test]
fn every_key_is_read_and_refuses_a_value_of_the_wrong_type() {
    for key in KEYS {
        let (header, path) = match key.section {
            "" => (String::new(), key.name.to_owned()),
            "algorithm" => (
                "[[algorithm]]\n".to_owned(),
                format!("algorithm[0].{}", key.name),
            ),
            "brokers" => (
                "[brokers.paper]\n".to_owned(),
                format!("brokers.paper.{}", key.name),
            ),
            section => (format!("[{section}]\n"), format!("{section}.{}", key.name)),
        };
        let text = format!("{header}{} = 1979-05-27T07:32:00Z\n", key.name);
        let errors = Config::parse(&text, "typed").expect_err(&text);
        let kinds: Vec<_> = errors
            .iter()
            .filter(|error| error.key == path)
            .map(|error| error.kind)
            .collect();
        let expected = match key.status {
            KeyStatus::NotBuilt(_) => ConfigErrorKind::NotBuilt,
            KeyStatus::Built if matches!(key.name, "api_key" | "api_secret") => {
                ConfigErrorKind::Secret
            }
            KeyStatus::Built => ConfigErrorKind::Type,
        };
        assert_eq!(kinds, [expected], "{text}\n{errors}");
    }
}

#[test]
fn the_paper_example_loads() {
    let config = Config::load("config/paper.toml").expect("loads");
    assert_eq!(config.seed, 2013);
    assert_eq!(config.brokers[0].cash, Money::from_whole(250_000));
    assert_eq!(config.brokers[0].fees.per_share.units(), 5_000_000);
    let ibm = "IBM".parse().expect("a symbol");
    let start = config.market.synthetic.start_of(ibm);
    assert_eq!(start.to_string(), "181.25");
    assert_eq!(config.notes(), Vec::<String>::new());
}

#[test]
fn the_replay_example_says_what_it_says() {
    let config = Config::parse(REPLAY, "replay.toml").expect("parses");
    assert_eq!(config.market.source, MarketSource::Lean);
    let path = config.market.path.as_deref();
    assert_eq!(path, Some(Path::new("../shared/data/lean")));
    let date = config.market.date.expect("a date");
    assert_eq!(date.first, jiff::civil::date(2013, 10, 7));
    assert_eq!(date.dates().count(), 1);
    assert_eq!(config.market.speed, Speed::Max);
    assert_eq!(config.market.symbols.len(), 1);
    assert_eq!(config.threads.profile, Profile::Latency);
    assert_eq!(config.risk.max_drawdown, Ratio::from_basis_points(1_000));
    assert_eq!(config.risk.max_daily_loss, Ratio::from_basis_points(500));
    assert_eq!(config.max_feed_silence(), None);
    assert_eq!(config.algorithms.len(), 1);
    assert_eq!(config.notes(), Vec::<String>::new());
}
