//! Ranges, and what settings demand of each other.
//!
//! Runs on: start-up.
//! Owns: every check that does not depend on how the settings were written down.
//! Never: corrects a setting; looks at the machine (the runtime's preflight does).

use std::collections::HashSet;
use std::time::Duration;

use super::check::{Checks, Found};
use super::error::{ConfigError, ConfigErrorKind, nearest};
use super::limits;
use super::secret::SecretSource;
use super::values::{is_name, listed, shown};
use super::{BrokerConfig, BrokerKind, Config, Layout, MarketSource, Shortable, Speed};
use crate::types::{BrokerId, ExecutionMode, Money, Price, Ratio, StrategyId, Symbol, TradingMode};

/// The most symbols in one engine.
const MOST_SYMBOLS: usize = 100_000;

const SECOND: Duration = Duration::from_secs(1);

/// Everything that is wrong with `config`.
pub(super) fn problems(config: &Config) -> Vec<Found> {
    let mut checks = Checks::default();
    modes(&mut checks, config);
    threads_and_journal(&mut checks, config);
    market(&mut checks, config);
    synthetic(&mut checks, config);
    let symbols: HashSet<Symbol> = config.market.symbols.iter().copied().collect();
    algorithms(&mut checks, config, &symbols);
    brokers(&mut checks, config, &symbols);
    limits::execution(&mut checks, config);
    limits::risk(&mut checks, config, &symbols);
    checks.found
}

fn modes(checks: &mut Checks, config: &Config) {
    if config.trading_mode == TradingMode::Live {
        let hint = "trading_mode = \"paper\"";
        checks.not_built("trading_mode", "live", "a broker for live trading", hint);
    }
    let what = match config.execution_mode {
        ExecutionMode::FullAuto => return,
        ExecutionMode::Manual | ExecutionMode::SemiAuto => "control 31 (approval gate)",
        ExecutionMode::Research | ExecutionMode::Emergency => "control 32 (mode gate)",
    };
    let value = config.execution_mode.as_str();
    checks.not_built(
        "execution_mode",
        value,
        what,
        "execution_mode = \"full_auto\"",
    );
}

fn threads_and_journal(checks: &mut Checks, config: &Config) {
    let journal = &config.journal;
    let size = journal.segment_size;
    let bad = !(64 << 10..=1 << 30).contains(&size) || !size.is_multiple_of(4096);
    let message = format!("must be from 64KiB to 1GiB and a multiple of 4KiB, found {size} bytes");
    checks.refuse(bad, "journal.segment_size", message, &[]);
    checks.range("journal.segments", journal.segments, 2, 64);
    let (least, most) = (Duration::from_micros(100), SECOND);
    checks.time("journal.group_commit", journal.group_commit, least, most);

    let threads = &config.threads;
    checks.range("threads.max_ports", threads.max_ports, 2, 64);
    let (least, most) = (Duration::from_micros(1), 60 * SECOND);
    checks.time(
        "threads.stall_threshold",
        threads.stall_threshold,
        least,
        most,
    );
    let cores = &threads.cores;
    let gateways = cores.gateway.iter().enumerate();
    let hot: Vec<(String, usize)> = [("risk", cores.risk), ("order", cores.order)]
        .into_iter()
        .filter_map(|(name, core)| core.map(|core| (name.to_owned(), core)))
        .chain(gateways.map(|(index, core)| (format!("gateway[{index}]"), *core)))
        .collect();
    let cold = cores.cold.map(|core| ("cold".to_owned(), core));
    for (index, (name, core)) in hot.iter().chain(&cold).enumerate() {
        let key = format!("threads.cores.{name}");
        checks.range(&key, *core, 0, 1023);
        let twin = hot[..index.min(hot.len())]
            .iter()
            .find(|(_, other)| other == core);
        if let (Layout::Dedicated, Some((other, _))) = (threads.layout, twin) {
            let message =
                format!("is core {core}, which layout dedicated gives to `{other}` alone");
            checks.refuse(true, &key, message, &["threads.layout"]);
        }
    }
}

fn market(checks: &mut Checks, config: &Config) {
    let market = &config.market;
    let source = market.source;
    let only = "source = \"synthetic\", \"csv\" or \"lean\"";
    match source {
        MarketSource::Synthetic => {
            let bad = market.path.is_some();
            checks.refuse(
                bad,
                "market.path",
                "is not used by source synthetic",
                &["market.source"],
            );
        }
        MarketSource::Csv | MarketSource::Lean => {
            let why = format!("source {} reads recorded data", source.as_str());
            if market.path.is_none() {
                checks.missing("market.path", &why, "path = \"DATA\"");
            }
            if market.symbols.is_empty() {
                checks.missing("market.symbols", &why, "symbols = [\"IBM\"]");
            }
            if source == MarketSource::Lean && market.date.is_none() {
                let hint = "date = \"2013-10-07\", or a range \"2013-10-07..2013-10-08\"";
                checks.missing("market.date", "source lean keeps a file a day", hint);
            }
        }
        MarketSource::Alpaca => checks.not_built("market.source", "alpaca", "Alpaca's feed", only),
        MarketSource::Ibkr => {
            checks.not_built("market.source", "ibkr", "Interactive Brokers' feed", only);
        }
    }
    if source == MarketSource::Synthetic && market.symbols.is_empty() {
        let hint = "leave the key out for AAPL, MSFT, SPY and IBM";
        checks.missing("market.symbols", "there is nothing to trade", hint);
    }
    if let Some(dates) = market.date {
        let unused = source != MarketSource::Lean;
        let message = format!(
            "is not used by source {}: it picks days of a lean archive",
            source.as_str()
        );
        checks.refuse(unused, "market.date", message, &["market.source"]);
        let message = format!("ends before it begins: {} to {}", dates.first, dates.last);
        checks.refuse(dates.last < dates.first, "market.date", message, &[]);
    }
    if let Speed::PerMille(per_mille) = market.speed {
        checks.refuse(per_mille == 0, "market.speed", "must be above 0", &[]);
    }
    let paper = |broker: &&BrokerConfig| broker.kind != BrokerKind::Paper;
    if let (Speed::Max, Some(broker)) = (market.speed, config.enabled_brokers().find(paper)) {
        let message = format!(
            "is \"max\", which only paper brokers can follow; `brokers.{}` is none",
            broker.name
        );
        checks.refuse(true, "market.speed", message, &["brokers"]);
    }
    let count = market.symbols.len();
    let message = format!("has {count} symbols; at most {MOST_SYMBOLS} fit");
    checks.refuse(count > MOST_SYMBOLS, "market.symbols", message, &[]);
    let all: HashSet<Symbol> = market.symbols.iter().copied().collect();
    checks.symbols("market.symbols", &market.symbols, &all);
}

fn synthetic(checks: &mut Checks, config: &Config) {
    let walk = &config.market.synthetic;
    let key = |name: &str| format!("market.synthetic.{name}");
    checks.range(&key("rows_per_second"), walk.rows_per_second, 1, 10_000_000);
    checks.range(&key("volatility_ticks"), walk.volatility_ticks, 1, 1_000);
    checks.range(&key("spread_ticks"), walk.spread_ticks, 1, 1_000);
    checks.range(
        &key("burst_per_million"),
        walk.burst_per_million,
        0,
        100_000,
    );
    checks.range(&key("gap_per_million"), walk.gap_per_million, 0, 4_000);
    let (least, most) = (super::values::price(1), super::values::price(200_000));
    checks.range(&key("start_price"), walk.start_price, least, most);
    for (symbol, price) in &walk.start_prices {
        let at = key(&format!("start_prices.{symbol}"));
        checks.range(&at, *price, least, most);
        let unknown = !config.market.symbols.contains(symbol);
        let message = "is for a symbol that `market.symbols` does not have";
        checks.refuse(unknown, &at, message, &["market.symbols"]);
    }
}

fn algorithms(checks: &mut Checks, config: &Config, symbols: &HashSet<Symbol>) {
    let mut seen: HashSet<&str> = HashSet::new();
    for (index, algorithm) in config.algorithms.iter().enumerate() {
        let at = format!("algorithm[{index}]");
        if algorithm.name.is_empty() {
            let hint = "name = \"demo\", or a kind that this program registers";
            let message = format!("`{at}.name` is missing");
            let error = ConfigError::new(ConfigErrorKind::Missing, format!("{at}.name"), message);
            checks.add(error.with_hint(hint), &[]);
        } else if !seen.insert(&algorithm.id) {
            let key = format!("{at}.name");
            let message = format!(
                "`{key}`: there is a second algorithm `{}`",
                shown(&algorithm.id)
            );
            let error = ConfigError::new(ConfigErrorKind::Value, key, message)
                .with_hint("give each an `id` of its own");
            checks.add(error, &["algorithm"]);
        }
        limits::of_algorithm(checks, config, algorithm, &at);
        checks.symbols(&format!("{at}.symbols"), &algorithm.symbols, symbols);
        if let Some(broker) = &algorithm.broker {
            known_broker(checks, config, &format!("{at}.broker"), broker);
        }
    }
    let count = config.enabled_algorithms().count();
    let most = StrategyId::MAX_COUNT - 2;
    let message = format!("has {count} enabled entries; at most {most} fit");
    checks.refuse(count > most, "algorithm", message, &[]);
    // One port is the engine's own.
    let ports = usize::from(config.threads.max_ports).saturating_sub(1);
    let message =
        format!("leaves {ports} for {count} enabled algorithms: each has a port, the engine one");
    let few = count > ports && count <= most;
    checks.refuse(few, "threads.max_ports", message, &["algorithm"]);
}

fn known_broker(checks: &mut Checks, config: &Config, key: &str, name: &str) {
    if config.enabled_brokers().any(|broker| broker.name == name) {
        return;
    }
    let off = config.brokers.iter().any(|broker| broker.name == name);
    let message = match off {
        true => format!("`{key}` names `{name}`, which is not enabled"),
        false => format!("`{key}` names `{}`, which is no broker", shown(name)),
    };
    let known: Vec<&str> = config.enabled_brokers().map(|b| b.name.as_str()).collect();
    let mut error = ConfigError::new(ConfigErrorKind::Value, key, message);
    match nearest(name, known.iter().copied()) {
        Some(near) if !off => error = error.with_hint(format!("did you mean \"{near}\"?")),
        _ if known.is_empty() => {}
        _ => error = error.with_hint(format!("enabled: {}", listed(&known))),
    }
    checks.add(error, &["brokers"]);
}

fn brokers(checks: &mut Checks, config: &Config, symbols: &HashSet<Symbol>) {
    let enabled = config.enabled_brokers().count();
    if enabled == 0 {
        let error = ConfigError::new(ConfigErrorKind::Missing, "brokers", "no broker is enabled")
            .with_hint("[brokers.paper] with enabled = true");
        checks.add(error, &["brokers"]);
    }
    let most = BrokerId::MAX_COUNT;
    let message = format!("has {enabled} enabled entries; at most {most} fit");
    checks.refuse(enabled > most, "brokers", message, &[]);
    let mut names: HashSet<&str> = HashSet::new();
    let mut routed: HashSet<Symbol> = HashSet::new();
    let mut default: Option<&str> = config.execution.default_broker.as_deref();
    for broker in &config.brokers {
        let at = format!("brokers.{}", shown(&broker.name));
        let good = is_name(&broker.name, 23)
            && !broker
                .name
                .bytes()
                .any(|b| b == b'.' || b.is_ascii_uppercase());
        let message = "must be named with 1 to 23 of a-z, 0-9, `_` and `-`";
        checks.refuse(!good, &at, message, &[]);
        let again = !names.insert(&broker.name);
        checks.refuse(again, &at, "is there a second time", &[]);
        checks.symbols(&format!("{at}.symbols"), &broker.symbols, symbols);
        if let Shortable::Only(list) = &broker.shortable {
            checks.symbols(&format!("{at}.shortable"), list, symbols);
        }
        if !broker.enabled {
            continue;
        }
        for (index, symbol) in broker.symbols.iter().enumerate() {
            let twice = !routed.insert(*symbol) && !broker.symbols[..index].contains(symbol);
            let message = format!("is {symbol}, which another enabled broker has too");
            checks.refuse(
                twice,
                &format!("{at}.symbols[{index}]"),
                message,
                &["brokers"],
            );
        }
        if broker.default {
            let key = format!("{at}.default");
            let other = default.filter(|name| *name != broker.name);
            let message = format!(
                "is true, but `{}` is the default already",
                shown(other.unwrap_or(""))
            );
            checks.refuse(
                other.is_some(),
                &key,
                message,
                &["execution.default_broker"],
            );
            default = default.or(Some(&broker.name));
        }
        credentials(checks, broker, &at);
        if broker.kind == BrokerKind::Paper {
            paper(checks, broker, &at);
        }
    }
    if let Some(name) = &config.execution.default_broker {
        known_broker(checks, config, "execution.default_broker", name);
    }
}

fn credentials(checks: &mut Checks, broker: &BrokerConfig, at: &str) {
    let secrets = [
        ("api_key", &broker.api_key),
        ("api_secret", &broker.api_secret),
    ];
    if broker.kind != BrokerKind::Paper {
        let kind = broker.kind.as_str();
        let what = format!("a broker of kind {kind}");
        let hint = "kind = \"paper\", or enabled = false";
        checks.not_built(&format!("{at}.kind"), kind, &what, hint);
    }
    for (name, source) in secrets {
        let Some(source) = source else { continue };
        let key = match source {
            SecretSource::Environment(_) => format!("{at}.{name}"),
            SecretSource::File(_) => format!("{at}.{name}_file"),
        };
        if broker.kind == BrokerKind::Paper {
            let message = "is not used by a broker of kind paper: it has no account elsewhere";
            checks.refuse(true, &key, message, &[&format!("{at}.kind")]);
        } else if let Err(error) = source.read() {
            let message = format!("`{key}`: {error}");
            checks.add(ConfigError::new(ConfigErrorKind::Secret, key, message), &[]);
        }
    }
}

fn paper(checks: &mut Checks, broker: &BrokerConfig, at: &str) {
    let key = |name: &str| format!("{at}.{name}");
    let most = Money::from_whole(1_000_000_000_000_000);
    let cash = key("cash");
    let bad = broker.cash <= Money::ZERO || broker.cash > most;
    let message = format!("must be above 0 and at most {most}, found {}", broker.cash);
    checks.refuse(bad, &cash, message, &[]);
    let ten = Ratio::from_units(10 * Ratio::ONE.units());
    checks.range(
        &key("margin_multiplier"),
        broker.margin_multiplier,
        Ratio::ONE,
        ten,
    );
    checks.not_negative(&key("fee_per_share"), broker.fees.per_share);
    checks.not_negative(&key("fee_minimum"), broker.fees.minimum);
    let rate = broker.fees.rate;
    let bad = rate < Ratio::ZERO || rate > Ratio::from_basis_points(1_000);
    let points = Price::from_units(rate.units().saturating_mul(10_000));
    let message = format!("must be from 0 to 1000, found {points}");
    checks.refuse(bad, &key("fee_basis_points"), message, &[]);
    for (name, latency) in [
        ("order_latency", broker.latency.order),
        ("report_latency", broker.latency.report),
        ("latency_jitter", broker.latency.jitter),
    ] {
        checks.time(&key(name), latency, Duration::ZERO, 60 * SECOND);
    }
}

/// What is right but worth a line at start.
pub(super) fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let layout = config.threads.layout;
    if config.market.speed == Speed::Max {
        if !matches!(layout, Layout::Auto | Layout::Invoker) {
            notes.push(
                "market.speed = \"max\" always runs in layout invoker: threads.layout is not used"
                    .to_owned(),
            );
        }
        if config.market.source == MarketSource::Synthetic {
            notes.push("the synthetic market has no end: end the run yourself".to_owned());
        }
    }
    for broker in config.brokers.iter().filter(|broker| !broker.enabled) {
        notes.push(format!("broker {} is not enabled", broker.name));
    }
    for algorithm in config
        .algorithms
        .iter()
        .filter(|algorithm| !algorithm.enabled)
    {
        notes.push(format!("algorithm {} is not enabled", algorithm.id));
    }
    if config.risk.duplicate_window.is_zero() {
        notes.push(
            "risk_management.duplicate_window is 0: control 13 does not look for repeated orders"
                .to_owned(),
        );
    }
    notes
}
