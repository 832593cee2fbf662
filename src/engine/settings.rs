//! From the configuration to each module's own settings.
//!
//! Runs on: start-up.
//! Owns: the one place where configuration keys meet the modules that they set.
//! Never: is read by an agent: agents have their settings only.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::error::EngineError;
use super::shared::BrokerInfo;
use crate::config::{BrokerConfig, Config, MarketSource as Source, SessionRule, Shortable, Speed};
use crate::gateway::paper::PaperSettings;
use crate::journal::record::Name;
use crate::market::calendar;
use crate::order::OrderSettings;
use crate::risk::{Access, InstrumentRule, RateLimit, RiskSettings, StrategyLimits};
use crate::runtime::layout;
use crate::sim::{ExchangeSettings, FeeSchedule, Latency};
use crate::types::{
    BootEpoch, BrokerId, Instrument, InstrumentId, InstrumentTable, Nanos, RoutingTable,
    SessionSchedule, StrategyId, Symbol,
};

/// Execution ids that are remembered against repetition at least.
const EXECUTION_IDS: usize = 131_072;
/// Days for which sessions are laid out at start: a run that lasts longer finds the market closed after them.
const SCHEDULE_DAYS: u32 = 400;

/// Who trades: strategies and ports by number. 0 is external, 1 the engine's own handle, then the algorithms, then
/// the spare ports.
#[derive(Debug, Clone)]
pub(super) struct Roster {
    /// Names by strategy number.
    pub names: Vec<String>,
    /// How many ports there are; port `p` trades for strategy `p + 1`.
    pub ports: usize,
}

impl Roster {
    pub fn new(algorithms: &[String], max_ports: u8) -> Result<Self, EngineError> {
        let ports = usize::from(max_ports).min(StrategyId::MAX_COUNT - 1);
        if algorithms.len() + 1 > ports {
            return Err(EngineError::TooManyAlgorithms {
                algorithms: algorithms.len(),
                ports,
            });
        }
        let mut names = vec!["external".to_owned(), "engine".to_owned()];
        names.extend(algorithms.iter().cloned());
        let spare = ports + 1 - names.len();
        names.extend((0..spare).map(|number| format!("port_{number}")));
        let mut known = HashSet::new();
        if let Some(twin) = names.iter().find(|name| !known.insert(Name::new(name))) {
            return Err(EngineError::AlgorithmName { name: twin.clone() });
        }
        Ok(Self { names, ports })
    }

    pub fn strategies(&self) -> u8 {
        self.names.len() as u8
    }

    /// By name, as the journal cuts it; 0 (external) for a name that is gone.
    pub fn find(&self, name: &str) -> StrategyId {
        let name = Name::new(name);
        let at = self.names.iter().position(|known| Name::new(known) == name);
        StrategyId(at.unwrap_or(0) as u8)
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn brokers(config: &Config) -> Vec<BrokerInfo> {
    config
        .enabled_brokers()
        .enumerate()
        .map(|(index, broker)| BrokerInfo {
            id: BrokerId(index as u8),
            name: broker.name.clone(),
            kind: broker.kind.as_str().to_owned(),
        })
        .collect()
}

/// Symbols of the market, of the lists, and of what a journal still holds.
pub(super) fn instruments(config: &Config, held: &[Symbol]) -> InstrumentTable {
    let mut table = InstrumentTable::new();
    let listed = config
        .market
        .symbols
        .iter()
        .chain(&config.risk.allowed_symbols);
    let listed = listed.chain(&config.risk.restricted_symbols).chain(held);
    for &symbol in listed {
        let id = table.add(symbol);
        // RISK refuses what no broker lends; each broker has its own say on top.
        let shortable = config
            .enabled_brokers()
            .any(|broker| broker.shortable.allows(symbol));
        if let Some(row) = table.get(id).copied() {
            table.update(Instrument { shortable, ..row });
        }
    }
    table
}

/// The rows as one broker sees them: what it lends.
pub(super) fn instruments_of(table: &InstrumentTable, shortable: &Shortable) -> InstrumentTable {
    let mut own = table.clone();
    for row in table.rows() {
        own.update(Instrument {
            shortable: shortable.allows(row.symbol),
            ..*row
        });
    }
    own
}

pub(super) fn routing(
    config: &Config,
    brokers: &[BrokerInfo],
    table: &InstrumentTable,
) -> Result<RoutingTable, EngineError> {
    let by_name: BTreeMap<&str, BrokerId> = brokers
        .iter()
        .map(|broker| (broker.name.as_str(), broker.id))
        .collect();
    let mut by_instrument = vec![None; table.len()];
    for broker in config.enabled_brokers() {
        for symbol in &broker.symbols {
            if let Some(id) = table.find(symbol.as_str()) {
                by_instrument[id.index()] = by_name.get(broker.name.as_str()).copied();
            }
        }
    }
    let default = config
        .default_broker()
        .and_then(|broker| by_name.get(broker.name.as_str()).copied())
        .ok_or(EngineError::NoBroker)?;
    Ok(RoutingTable::new(
        brokers.len() as u8,
        default,
        by_instrument,
    ))
}

/// The sessions from a little before `start`.
pub(super) fn schedule(config: &Config, start: Nanos) -> Result<SessionSchedule, EngineError> {
    let roll = config.market.day_roll;
    let today = calendar::trading_date(start, roll)?;
    let from = today.saturating_sub(jiff::Span::new().days(7));
    Ok(match config.market.session_rule() {
        SessionRule::Nyse => calendar::nyse(from, SCHEDULE_DAYS, roll)?,
        SessionRule::Always => calendar::always_open(from, SCHEDULE_DAYS, roll)?,
    })
}

fn access(config: &Config, symbol: Symbol) -> Access {
    let risk = &config.risk;
    if risk.restricted_symbols.contains(&symbol) {
        Access::CloseOnly
    } else if risk.allowed_symbols.contains(&symbol)
        || (risk.allowed_symbols.is_empty() && config.market.symbols.contains(&symbol))
    {
        Access::Allowed
    } else {
        Access::NotAllowed
    }
}

pub(super) fn risk(
    config: &Config,
    epoch: BootEpoch,
    table: &InstrumentTable,
    brokers: usize,
    roster: &Roster,
) -> RiskSettings {
    let rules = table
        .rows()
        .iter()
        .map(|row| InstrumentRule::of(row, access(config, row.symbol)))
        .collect();
    let base = RiskSettings::new(
        epoch,
        rules,
        brokers as u8,
        roster.strategies(),
        roster.ports,
    );
    let limits = &config.risk;
    let rate = |count| RateLimit {
        count,
        window_ns: nanos(limits.order_rate_window),
        cancel_reserve: limits.cancel_reserve,
    };
    RiskSettings {
        capacity: config.execution.order_capacity(),
        max_order_quantity: config.execution.max_order_size,
        max_order_notional: config.execution.max_order_notional,
        collar_bps: limits.price_collar_bps,
        outer_collar_bps: limits.outer_collar_bps,
        max_position: config.execution.max_position_size,
        max_open_orders: config.execution.max_open_orders,
        max_open_orders_per_symbol: limits.max_open_orders_per_symbol,
        max_open_orders_per_strategy: limits.max_open_orders_per_strategy,
        max_daily_loss: Some(limits.max_daily_loss),
        max_drawdown: Some(limits.max_drawdown),
        account_order_rate: Some(rate(limits.order_rate)),
        strategy_order_rate: limits.strategy_order_rate.map(rate),
        duplicate_window_ns: nanos(limits.duplicate_window),
        max_quote_age_ns: limits.max_quote_age.map(nanos),
        max_feed_silence_ns: config.max_feed_silence().map(nanos),
        allow_short: limits.allow_short,
        haircut: limits.buying_power_haircut,
        strategy_limits: strategy_limits(config, roster),
        ..base
    }
}

fn strategy_limits(config: &Config, roster: &Roster) -> Vec<(StrategyId, StrategyLimits)> {
    config
        .enabled_algorithms()
        .filter(|own| own.max_order_size.is_some() || own.max_position_size.is_some())
        .map(|own| {
            let limits = StrategyLimits {
                max_order_quantity: own.max_order_size,
                max_position: own.max_position_size,
            };
            (roster.find(&own.id), limits)
        })
        .collect()
}

pub(super) fn order(
    config: &Config,
    routing: RoutingTable,
    brokers: usize,
    roster: &Roster,
) -> OrderSettings {
    let defaults = OrderSettings::new(roster.ports, brokers as u8, roster.strategies(), routing);
    let capacity = config.execution.order_capacity();
    OrderSettings {
        capacity,
        durable_default: !config.execution.fast_path_enabled,
        execution_ids: (4 * capacity).clamp(EXECUTION_IDS, defaults.execution_ids),
        ..defaults
    }
}

/// The simulated exchange of one paper broker.
pub(super) fn paper(
    config: &Config,
    broker: &BrokerConfig,
    id: BrokerId,
    epoch: BootEpoch,
    ports: usize,
) -> PaperSettings {
    let latency = |fixed: Duration| Latency {
        fixed_ns: nanos(fixed),
        jitter_ns: nanos(broker.latency.jitter),
    };
    PaperSettings {
        exchange: ExchangeSettings {
            broker: id,
            kind: broker.account,
            cash: broker.cash,
            multiplier: broker.margin_multiplier,
            fees: FeeSchedule {
                per_share: broker.fees.per_share,
                minimum: broker.fees.minimum,
                rate: broker.fees.rate,
            },
            fill_at_quote: broker.fill_at_quote,
            report_latency: latency(broker.latency.report),
            // Two paper brokers of one run have jitters of their own.
            seed: config.seed.wrapping_add(u64::from(id.0)),
            epoch,
            max_open_orders: config.execution.max_open_orders as usize,
            ports,
            ..ExchangeSettings::default()
        },
        order_latency: latency(broker.latency.order),
        ..PaperSettings::default()
    }
}

/// The longest that an order and its report may be under way at a simulated broker, ten seconds at most.
pub(super) fn longest_way(config: &Config) -> Duration {
    config
        .enabled_brokers()
        .map(|broker| broker.latency.order + broker.latency.report + 2 * broker.latency.jitter)
        .max()
        .unwrap_or_default()
        .min(Duration::from_secs(10))
}

/// The runtime's words for the configuration's.
pub(super) fn layout_choice(config: &Config) -> layout::LayoutChoice {
    use crate::config::Layout as Configured;
    use layout::{Layout, LayoutChoice};
    if config.market.speed == Speed::Max {
        return LayoutChoice::Fixed(Layout::Invoker);
    }
    match config.threads.layout {
        Configured::Auto => LayoutChoice::Auto,
        Configured::Dedicated => LayoutChoice::Fixed(Layout::Dedicated),
        Configured::Paired => LayoutChoice::Fixed(Layout::Paired),
        Configured::SharedHot => LayoutChoice::Fixed(Layout::SharedHot),
        Configured::Shared => LayoutChoice::Fixed(Layout::Shared),
        Configured::Invoker => LayoutChoice::Fixed(Layout::Invoker),
    }
}

pub(super) fn profile(config: &Config) -> layout::Profile {
    match config.threads.profile {
        crate::config::Profile::Latency => layout::Profile::Latency,
        crate::config::Profile::Balanced => layout::Profile::Balanced,
    }
}

/// The hot threads' cores by configuration, in flow order; empty: the engine chooses.
pub(super) fn explicit_cores(config: &Config) -> Vec<usize> {
    let cores = &config.threads.cores;
    cores
        .risk
        .into_iter()
        .chain(cores.order)
        .chain(cores.gateway.iter().copied())
        .collect()
}

/// Instruments that an algorithm gets market data of: its own list, or all.
pub(super) fn subscriptions(table: &InstrumentTable, symbols: &[Symbol]) -> Vec<InstrumentId> {
    if symbols.is_empty() {
        return table.rows().iter().map(|row| row.id).collect();
    }
    symbols
        .iter()
        .filter_map(|symbol| table.find(symbol.as_str()))
        .collect()
}

/// Whether the source says when its data was recorded (synthetic data begins when the run does).
pub(super) const fn is_recorded(source: Source) -> bool {
    matches!(source, Source::Csv | Source::Lean)
}
