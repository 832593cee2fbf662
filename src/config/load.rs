//! From TOML text to settings.
//!
//! Runs on: start-up.
//! Owns: which key sets which field, and how relative paths of inputs are found.
//! Never: checks ranges: that is validation's, which programs use too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrorKind, ConfigErrors, SourceText};
use super::reader::{Reader, Section};
use super::values::{self, Item, Problem};
use super::{
    Config, CoresConfig, Layout, MarketConfig, MarketSource, Profile, SessionRule, trading,
    validate,
};
use crate::types::{ExecutionMode, TradingMode};

/// The largest configuration file, in bytes.
const MOST_BYTES: u64 = 1 << 20;

pub(super) fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let name = path.display().to_string();
    let failed = |cause: String| {
        let message = format!("cannot read {name}: {cause}");
        ConfigErrors::from(ConfigError::new(ConfigErrorKind::File, "", message))
    };
    let about = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !about.is_file() || about.len() > MOST_BYTES {
        return Err(failed(format!(
            "a file of at most {MOST_BYTES} bytes is expected"
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        failed(format!("line {line} is not UTF-8 text"))
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    parse(&text, &name, Some(directory))
}

/// `directory` is where the file lies; without one, no file is looked for.
pub(super) fn parse(
    text: &str,
    name: &str,
    directory: Option<&Path>,
) -> Result<Config, ConfigErrors> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Arc::new(SourceText::new(name, text));
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(Arc::clone(&source));
    let mut config = Config::empty();
    let root = Section {
        table: document.get_ref(),
        path: String::new(),
        schema: "",
    };
    read_root(&mut reader, &root, &mut config, directory);
    if syntax.is_empty() {
        let found = validate::problems(&config);
        let found = found.into_iter().filter(|problem| {
            let mut keys = problem.rests_on.iter().chain([&problem.error.key]);
            !keys.any(|key| reader.has_failed(key))
        });
        let placed: Vec<ConfigError> = found
            .map(|problem| {
                let at = reader.location(&problem.error.key);
                problem.error.at(at)
            })
            .collect();
        reader.errors.extend(placed);
    } else {
        keep_what_syntax_allows(&mut reader, &syntax);
    }
    ConfigErrors::check(reader.errors)?;
    Ok(config)
}

/// Broken TOML: its own errors, and those of other lines as far as the tables they stand in are
/// sure.
fn keep_what_syntax_allows(reader: &mut Reader, syntax: &[toml::de::Error]) {
    let source = Arc::clone(&reader.source);
    let line = |span: Option<std::ops::Range<usize>>| source.line_of(span.map_or(0, |s| s.start));
    let broken: Vec<usize> = syntax.iter().map(|error| line(error.span())).collect();
    let header_broken = broken.iter().any(|&line| source.is_header(line));
    reader.errors.retain(|error| {
        let at = error.line().unwrap_or(0);
        !header_broken && !broken.contains(&at.saturating_sub(1))
    });
    for error in syntax {
        let message = format!("not TOML: {}", error.message());
        let placed = ConfigError::new(ConfigErrorKind::Syntax, "", message);
        let span = error.span().unwrap_or(0..0);
        let placed = placed.at(Some(reader.at(span)));
        reader.errors.push(placed);
    }
}

/// An input's path: as written when absolute, else beside the configuration file when it exists
/// there, else from the working directory.
pub(super) fn input_path(directory: Option<&Path>, path: PathBuf) -> PathBuf {
    let beside = directory.map(|directory| directory.join(&path));
    match beside.filter(|beside| beside.exists()) {
        Some(beside) => beside,
        None => path,
    }
}

fn read_root(
    reader: &mut Reader,
    root: &Section<'_>,
    config: &mut Config,
    directory: Option<&Path>,
) {
    reader.check_keys(root);
    let modes = [("paper", TradingMode::Paper), ("live", TradingMode::Live)];
    reader.set(root, "trading_mode", &mut config.trading_mode, |item| {
        values::word(item, &modes)
    });
    let modes = [
        ExecutionMode::FullAuto,
        ExecutionMode::SemiAuto,
        ExecutionMode::Manual,
        ExecutionMode::Research,
    ]
    .map(|mode| (mode.as_str(), mode));
    reader.set(root, "execution_mode", &mut config.execution_mode, |item| {
        values::word(item, &modes)
    });
    reader.set(root, "seed", &mut config.seed, values::unsigned);
    if let Some(state) = reader.section(root, "state", "state") {
        reader.set_some(&state, "dir", &mut config.state.dir, values::path);
    }
    if let Some(report) = reader.section(root, "report", "report") {
        reader.set_some(&report, "dir", &mut config.report.dir, values::path);
    }
    if let Some(journal) = reader.section(root, "journal", "journal") {
        let to = &mut config.journal;
        reader.set(&journal, "hot", &mut to.hot, values::path);
        reader.set(
            &journal,
            "segment_size",
            &mut to.segment_size,
            values::bytes,
        );
        reader.set(&journal, "segments", &mut to.segments, values::unsigned);
        reader.set(
            &journal,
            "group_commit",
            &mut to.group_commit,
            values::duration,
        );
    }
    if let Some(threads) = reader.section(root, "threads", "threads") {
        read_threads(reader, &threads, config);
    }
    if let Some(market) = reader.section(root, "market", "market") {
        read_market(reader, &market, &mut config.market, directory);
    }
    trading::algorithms(reader, root, config);
    trading::brokers(reader, root, config, directory);
    if let Some(execution) = reader.section(root, "execution", "execution") {
        trading::execution(reader, &execution, config);
    }
    if let Some(risk) = reader.section(root, "risk_management", "risk_management") {
        trading::risk(reader, &risk, config);
    }
}

fn read_threads(reader: &mut Reader, threads: &Section<'_>, config: &mut Config) {
    let to = &mut config.threads;
    let profiles = [
        ("latency", Profile::Latency),
        ("balanced", Profile::Balanced),
    ];
    reader.set(threads, "profile", &mut to.profile, |item| {
        values::word(item, &profiles)
    });
    let layouts = [
        ("auto", Layout::Auto),
        ("dedicated", Layout::Dedicated),
        ("paired", Layout::Paired),
        ("shared_hot", Layout::SharedHot),
        ("shared", Layout::Shared),
        ("invoker", Layout::Invoker),
    ];
    reader.set(threads, "layout", &mut to.layout, |item| {
        values::word(item, &layouts)
    });
    reader.set(threads, "max_ports", &mut to.max_ports, values::unsigned);
    reader.set(threads, "lock_memory", &mut to.lock_memory, values::boolean);
    reader.set(
        threads,
        "stall_threshold",
        &mut to.stall_threshold,
        values::duration,
    );
    if let Some(cores) = reader.section(threads, "cores", "threads.cores") {
        read_cores(reader, &cores, &mut to.cores);
    }
}

fn read_cores(reader: &mut Reader, cores: &Section<'_>, to: &mut CoresConfig) {
    reader.set_some(cores, "risk", &mut to.risk, values::unsigned);
    reader.set_some(cores, "order", &mut to.order, values::unsigned);
    reader.set_some(cores, "cold", &mut to.cold, values::unsigned);
    match cores.table.get("gateway").map(|value| value.get_ref()) {
        Some(DeValue::Integer(_)) => {
            reader.set(cores, "gateway", &mut to.gateway, |item| {
                values::unsigned(item).map(|core| vec![core])
            });
        }
        _ => reader.set_list(cores, "gateway", &mut to.gateway, values::unsigned),
    }
}

fn read_market(
    reader: &mut Reader,
    market: &Section<'_>,
    to: &mut MarketConfig,
    directory: Option<&Path>,
) {
    let sources = [
        MarketSource::Synthetic,
        MarketSource::Csv,
        MarketSource::Lean,
        MarketSource::Alpaca,
        MarketSource::Ibkr,
    ]
    .map(|source| (source.as_str(), source));
    reader.set(market, "source", &mut to.source, |item| {
        values::word(item, &sources)
    });
    if to.source != MarketSource::Synthetic {
        to.symbols.clear();
    }
    reader.set_list(market, "symbols", &mut to.symbols, values::symbol);
    reader.set_some(market, "path", &mut to.path, |item| {
        let path = input_path(directory, values::path(item)?);
        if directory.is_some() && !path.exists() {
            let hint = "looked for beside the configuration file and in the working directory";
            let message = format!("not found: {}", values::shown(&path.display().to_string()));
            let mut problem = Problem::of_type(message).hint(hint);
            problem.kind = ConfigErrorKind::File;
            return Err(problem);
        }
        Ok(path)
    });
    reader.set_some(market, "date", &mut to.date, values::dates);
    reader.set(market, "speed", &mut to.speed, values::speed);
    let rules = [("nyse", SessionRule::Nyse), ("always", SessionRule::Always)];
    reader.set_some(market, "session", &mut to.session, |item| {
        values::word(item, &rules)
    });
    reader.set(market, "day_roll", &mut to.day_roll, values::time_of_day);
    if let Some(synthetic) = reader.section(market, "synthetic", "market.synthetic") {
        read_synthetic(reader, &synthetic, to);
    }
}

fn read_synthetic(reader: &mut Reader, from: &Section<'_>, market: &mut MarketConfig) {
    let to = &mut market.synthetic;
    let counts = [
        ("rows_per_second", &mut to.rows_per_second),
        ("volatility_ticks", &mut to.volatility_ticks),
        ("spread_ticks", &mut to.spread_ticks),
        ("burst_per_million", &mut to.burst_per_million),
        ("gap_per_million", &mut to.gap_per_million),
    ];
    for (name, target) in counts {
        reader.set(from, name, target, values::unsigned);
    }
    reader.set(from, "start_price", &mut to.start_price, values::decimal);
    let Some(prices) = free_table(reader, from, "start_prices") else {
        return;
    };
    for (name, value) in prices.table.iter() {
        let key = prices.key(&values::shown(name.get_ref()));
        let item = Item {
            value: value.get_ref(),
            span: value.span(),
        };
        reader.mark(key.clone(), item.span.clone());
        let Ok(symbol) = name.get_ref().parse() else {
            let problem = Problem::of_type("is no symbol, of which these are the start prices");
            reader.fail(&key, name.span(), problem);
            continue;
        };
        match values::decimal(&item) {
            Ok(price) => {
                to.start_prices.insert(symbol, price);
            }
            Err(problem) => reader.fail(&key, item.span, problem),
        }
    }
}

/// A table whose keys are the user's own.
pub(super) fn free_table<'a>(
    reader: &mut Reader,
    parent: &Section<'a>,
    name: &str,
) -> Option<Section<'a>> {
    let item = reader.item(parent, name)?;
    match item.value {
        DeValue::Table(table) => Some(Section {
            table,
            path: parent.key(name),
            schema: "",
        }),
        _ => {
            let message = format!("must be a table, found {}", values::found(&item));
            reader.fail(&parent.key(name), item.span, Problem::of_type(message));
            None
        }
    }
}
