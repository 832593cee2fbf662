//! From TOML tables to the settings of algorithms, brokers and limits.
//!
//! Runs on: start-up.
//! Owns: which key of `[[algorithm]]`, `[brokers]`, `[execution]` and `[risk_management]` sets
//! which field.
//! Never: checks ranges; shows what a secret's key holds.

use std::path::Path;

use rust_decimal::Decimal;
use toml::de::DeValue;

use super::error::ConfigErrorKind;
use super::load::{free_table, input_path};
use super::reader::{Reader, Section};
use super::secret::{self, SecretSource};
use super::values::{self, Item, Problem};
use super::{
    AlgorithmConfig, BrokerConfig, BrokerKind, Config, FeedSilence, ParameterValue, Shortable,
};
use crate::types::{AccountKind, Ratio};

pub(super) fn algorithms(reader: &mut Reader, root: &Section<'_>, config: &mut Config) {
    let Some(item) = reader.item(root, "algorithm") else {
        return;
    };
    let DeValue::Array(array) = item.value else {
        let message = format!("must be an array of tables, found {}", values::found(&item));
        let problem = Problem::of_type(message).hint("write [[algorithm]], once for each");
        reader.fail("algorithm", item.span, problem);
        return;
    };
    for (index, element) in array.iter().enumerate() {
        let path = format!("algorithm[{index}]");
        reader.mark(path.clone(), element.span());
        let DeValue::Table(table) = element.get_ref() else {
            let problem = Problem::of_type("must be a table").hint("[[algorithm]]");
            reader.fail(&path, element.span(), problem);
            continue;
        };
        let section = Section {
            table,
            path,
            schema: "algorithm",
        };
        reader.check_keys(&section);
        let algorithm = read_algorithm(reader, &section);
        config.algorithms.push(algorithm);
    }
}

fn read_algorithm(reader: &mut Reader, from: &Section<'_>) -> AlgorithmConfig {
    let mut to = AlgorithmConfig::new("");
    reader.set(from, "name", &mut to.name, values::name);
    to.id.clone_from(&to.name);
    reader.set(from, "id", &mut to.id, values::name);
    reader.set(from, "enabled", &mut to.enabled, values::boolean);
    reader.set_list(from, "symbols", &mut to.symbols, values::symbol);
    reader.set_some(from, "broker", &mut to.broker, values::text);
    reader.set_some(
        from,
        "max_order_size",
        &mut to.max_order_size,
        values::decimal,
    );
    reader.set_some(
        from,
        "max_position_size",
        &mut to.max_position_size,
        values::decimal,
    );
    to.location = reader.location(&from.key("name"));
    if let Some(parameters) = free_table(reader, from, "parameters") {
        for (name, value) in parameters.table.iter() {
            let item = Item {
                value: value.get_ref(),
                span: value.span(),
            };
            let name = name.get_ref().to_string();
            match parameter(&item) {
                Ok(value) => {
                    let at = Some(reader.at(item.span));
                    to.parameters.insert(name, value, at);
                }
                Err(problem) => {
                    let key = parameters.key(&values::shown(&name));
                    reader.fail(&key, item.span, problem);
                }
            }
        }
    }
    to
}

fn parameter(item: &Item<'_>) -> Result<ParameterValue, Problem> {
    let wrong =
        |wanted: &str| Problem::of_type(format!("must be {wanted}, found {}", values::found(item)));
    match item.value {
        DeValue::String(text) => Ok(ParameterValue::Text(text.to_string())),
        DeValue::Boolean(value) => Ok(ParameterValue::Boolean(*value)),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(ParameterValue::Integer)
            .map_err(|_| wrong("an integer of 64 bits")),
        DeValue::Float(number) => Decimal::from_str_exact(number.as_str())
            .map(ParameterValue::Decimal)
            .map_err(|_| wrong("a decimal number of at most 28 digits without exponent")),
        _ => Err(wrong("a string, a number, true or false")),
    }
}

pub(super) fn brokers(
    reader: &mut Reader,
    root: &Section<'_>,
    config: &mut Config,
    directory: Option<&Path>,
) {
    let Some(brokers) = free_table(reader, root, "brokers") else {
        if root.table.get("brokers").is_none() {
            config.brokers.push(BrokerConfig::paper("paper"));
        }
        return;
    };
    // The table is sorted by name; a broker's place is that of its first key or header in the file.
    let mut named: Vec<_> = brokers.table.iter().collect();
    named.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in named {
        let path = brokers.key(&values::shown(name.get_ref()));
        let span = match value.span() {
            span if span.is_empty() => name.span(),
            span => span,
        };
        reader.mark(path.clone(), span.clone());
        let DeValue::Table(table) = value.get_ref() else {
            let problem = Problem::of_type("must be a table").hint("[brokers.NAME]");
            reader.fail(&path, span, problem);
            continue;
        };
        let section = Section {
            table,
            path,
            schema: "brokers",
        };
        reader.check_keys(&section);
        let broker = read_broker(reader, &section, name.get_ref(), directory);
        config.brokers.push(broker);
    }
}

fn read_broker(
    reader: &mut Reader,
    from: &Section<'_>,
    name: &str,
    directory: Option<&Path>,
) -> BrokerConfig {
    let mut to = BrokerConfig::paper(name);
    if let Some(kind) = kind_by_name(reader, from, name) {
        to.kind = kind;
    }
    reader.set(from, "kind", &mut to.kind, |item| {
        values::word(item, &BrokerKind::NAMES)
    });
    reader.set(from, "enabled", &mut to.enabled, values::boolean);
    reader.set(from, "default", &mut to.default, values::boolean);
    reader.set(
        from,
        "fill_at_quote",
        &mut to.fill_at_quote,
        values::boolean,
    );
    reader.set_list(from, "symbols", &mut to.symbols, values::symbol);
    reader.set(from, "cash", &mut to.cash, values::decimal);
    let accounts = [("margin", AccountKind::Margin), ("cash", AccountKind::Cash)];
    reader.set(from, "account", &mut to.account, |item| {
        values::word(item, &accounts)
    });
    reader.set(
        from,
        "margin_multiplier",
        &mut to.margin_multiplier,
        values::decimal,
    );
    read_shortable(reader, from, &mut to.shortable);
    reader.set(
        from,
        "fee_per_share",
        &mut to.fees.per_share,
        values::decimal,
    );
    reader.set(from, "fee_minimum", &mut to.fees.minimum, values::decimal);
    reader.set(from, "fee_basis_points", &mut to.fees.rate, basis_points);
    let durations = [
        ("order_latency", &mut to.latency.order),
        ("report_latency", &mut to.latency.report),
        ("latency_jitter", &mut to.latency.jitter),
    ];
    for (name, target) in durations {
        reader.set(from, name, target, values::duration);
    }
    read_secret(
        reader,
        from,
        ("api_key", "api_key_file"),
        &mut to.api_key,
        directory,
    );
    let names = ("api_secret", "api_secret_file");
    read_secret(reader, from, names, &mut to.api_secret, directory);
    to
}

/// The kind that an instance's name says, unless it has a `kind`.
fn kind_by_name(reader: &mut Reader, from: &Section<'_>, name: &str) -> Option<BrokerKind> {
    let known = BrokerKind::NAMES.iter().find(|(kind, _)| *kind == name);
    if known.is_none() && from.table.get("kind").is_none() {
        let names = values::listed(&BrokerKind::NAMES.map(|(name, _)| name));
        let message = format!("has no `kind`, and its name is none of {names}");
        let place = reader.location(&from.path);
        let problem = Problem::of_type(message).hint("add kind = \"paper\"");
        reader.fail_at(&from.path, place, problem);
    }
    known.map(|(_, kind)| *kind)
}

fn read_shortable(reader: &mut Reader, from: &Section<'_>, to: &mut Shortable) {
    match from.table.get("shortable").map(|value| value.get_ref()) {
        Some(DeValue::Array(_)) => {
            let mut symbols = Vec::new();
            reader.set_list(from, "shortable", &mut symbols, values::symbol);
            *to = Shortable::Only(symbols);
        }
        _ => reader.set(from, "shortable", to, |item| {
            let words = [("all", true), ("none", false)];
            let problem =
                |problem: Problem| problem.hint("\"all\", \"none\", or an array of symbols");
            Ok(match values::word(item, &words).map_err(problem)? {
                true => Shortable::All,
                false => Shortable::None,
            })
        }),
    }
}

/// Basis points as a ratio, exactly.
fn basis_points(item: &Item<'_>) -> Result<Ratio, Problem> {
    let points: Ratio = values::decimal(item)?;
    if points.units() % 10_000 != 0 {
        let message = format!(
            "has more than 5 digits after the point: {}",
            values::found(item)
        );
        return Err(Problem::of_type(message));
    }
    Ok(Ratio::from_units(points.units() / 10_000))
}

/// No message here shows the value, whatever it is.
fn read_secret(
    reader: &mut Reader,
    from: &Section<'_>,
    (name, file): (&str, &str),
    to: &mut Option<SecretSource>,
    directory: Option<&Path>,
) {
    let problem = |message: &str| Problem {
        kind: ConfigErrorKind::Secret,
        message: message.to_owned(),
        hint: Some(format!(
            "{name} = \"${{NAME}}\" takes it from the environment, \
             {file} = \"PATH\" from a file of mode 0600"
        )),
    };
    reader.set_some(from, name, to, |item| {
        let variable = item.value.as_str().and_then(secret::variable);
        let missing = || problem("must not be written into the configuration");
        variable
            .map(|variable| SecretSource::Environment(variable.to_owned()))
            .ok_or_else(missing)
    });
    let taken = from.table.get(name).is_some();
    reader.set_some(from, file, to, |item| {
        if taken {
            return Err(problem("is given twice: by its value and by a file"));
        }
        let path = input_path(directory, values::path(item)?);
        Ok(SecretSource::File(path))
    });
}

pub(super) fn execution(reader: &mut Reader, from: &Section<'_>, config: &mut Config) {
    let to = &mut config.execution;
    reader.set(
        from,
        "fast_path_enabled",
        &mut to.fast_path_enabled,
        values::boolean,
    );
    reader.set(
        from,
        "max_order_size",
        &mut to.max_order_size,
        values::decimal,
    );
    reader.set(
        from,
        "max_position_size",
        &mut to.max_position_size,
        values::decimal,
    );
    reader.set_some(
        from,
        "max_order_notional",
        &mut to.max_order_notional,
        values::decimal,
    );
    reader.set(
        from,
        "max_open_orders",
        &mut to.max_open_orders,
        values::unsigned,
    );
    reader.set_some(from, "default_broker", &mut to.default_broker, values::text);
}

pub(super) fn risk(reader: &mut Reader, from: &Section<'_>, config: &mut Config) {
    let to = &mut config.risk;
    let ratios = [
        ("max_daily_loss", &mut to.max_daily_loss),
        ("max_drawdown", &mut to.max_drawdown),
        ("buying_power_haircut", &mut to.buying_power_haircut),
    ];
    for (name, target) in ratios {
        reader.set(from, name, target, values::decimal);
    }
    let counts = [
        ("price_collar_bps", &mut to.price_collar_bps),
        ("outer_collar_bps", &mut to.outer_collar_bps),
        ("order_rate", &mut to.order_rate),
        ("cancel_reserve", &mut to.cancel_reserve),
    ];
    for (name, target) in counts {
        reader.set(from, name, target, values::unsigned);
    }
    let durations = [
        ("order_rate_window", &mut to.order_rate_window),
        ("duplicate_window", &mut to.duplicate_window),
    ];
    for (name, target) in durations {
        reader.set(from, name, target, values::duration);
    }
    reader.set(
        from,
        "max_quote_age",
        &mut to.max_quote_age,
        values::duration_or_off,
    );
    reader.set(from, "max_feed_silence", &mut to.max_feed_silence, |item| {
        Ok(match item.value.as_str() {
            Some("auto") => FeedSilence::BySource,
            _ => values::duration_or_off(item)?.map_or(FeedSilence::Off, FeedSilence::After),
        })
    });
    reader.set(from, "allow_short", &mut to.allow_short, values::boolean);
    reader.set_list(
        from,
        "allowed_symbols",
        &mut to.allowed_symbols,
        values::symbol,
    );
    let restricted = &mut to.restricted_symbols;
    reader.set_list(from, "restricted_symbols", restricted, values::symbol);
    let limits = [
        ("strategy_order_rate", &mut to.strategy_order_rate),
        (
            "max_open_orders_per_symbol",
            &mut to.max_open_orders_per_symbol,
        ),
        (
            "max_open_orders_per_strategy",
            &mut to.max_open_orders_per_strategy,
        ),
    ];
    for (name, target) in limits {
        reader.set_some(from, name, target, values::unsigned);
    }
}
