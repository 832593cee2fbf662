//! The market data source that a configuration asks for, and the clock that fits it.
//!
//! Runs on: start-up.
//! Owns: which source is opened with what, and which time axis the engine runs on.
//! Never: reads a row beyond the first.

use super::error::EngineError;
use super::settings::is_recorded;
use crate::config::{Config, MarketSource as Source, Speed};
use crate::market::{
    CsvSettings, CsvSource, DateRange, LeanSettings, LeanSource, MarketSource, SyntheticSettings,
    SyntheticSource, SyntheticSymbol, TradeFiles,
};
use crate::runtime::layout::Layout;
use crate::runtime::{Clock, ManualTime};
use crate::types::{InstrumentId, InstrumentTable, Nanos, Symbol};

/// Where a synthetic market begins that must be the same in every run: 2024-01-02 09:30 in New York.
const SYNTHETIC_START: Nanos = Nanos(1_704_205_800_000_000_000);

/// A source and the time axis of the run.
pub(super) struct Opened {
    pub source: Box<dyn MarketSource>,
    pub clock: Clock,
    /// Set where the caller moves time.
    pub time: Option<ManualTime>,
}

/// Opens the source. `table` is the instruments of the market, `after` the time of the journal's last record: a
/// synthetic market in virtual time goes on from there.
pub(super) fn open(
    config: &Config,
    table: &InstrumentTable,
    layout: Layout,
    after: Nanos,
) -> Result<Opened, EngineError> {
    let wall = Clock::real();
    let start = match (config.market.speed, layout) {
        (Speed::Max, _) | (_, Layout::Invoker) => SYNTHETIC_START.max(after),
        _ => wall.now(),
    };
    let source = source(config, table, start)?;
    let first = if is_recorded(config.market.source) {
        source.start_time().unwrap_or(start)
    } else {
        start
    };
    if layout == Layout::Invoker {
        let time = ManualTime::new(first);
        return Ok(Opened {
            source,
            clock: Clock::manual(time.clone()),
            time: Some(time),
        });
    }
    let clock = match config.market.speed {
        Speed::PerMille(1_000) | Speed::Max if !is_recorded(config.market.source) => wall,
        Speed::PerMille(per_mille) => Clock::scaled(first, per_mille),
        Speed::Max => Clock::scaled(first, 1_000),
    };
    Ok(Opened {
        source,
        clock,
        time: None,
    })
}

fn symbols(config: &Config, table: &InstrumentTable) -> Vec<(Symbol, InstrumentId)> {
    let rows = config.market.symbols.iter();
    rows.filter_map(|&symbol| Some((symbol, table.find(symbol.as_str())?)))
        .collect()
}

fn source(
    config: &Config,
    table: &InstrumentTable,
    start: Nanos,
) -> Result<Box<dyn MarketSource>, EngineError> {
    let market = &config.market;
    let path = market.path.clone().unwrap_or_default();
    Ok(match market.source {
        Source::Lean => {
            let (first, last) = market
                .date
                .map_or((jiff::civil::Date::MIN, jiff::civil::Date::MIN), |range| {
                    (range.first, range.last)
                });
            Box::new(LeanSource::open(&LeanSettings {
                root: path,
                symbols: symbols(config, table),
                dates: DateRange::new(first, last)?,
                trades: TradeFiles::IfPresent,
            })?)
        }
        Source::Csv => Box::new(CsvSource::open(&CsvSettings {
            path,
            symbols: symbols(config, table),
        })?),
        Source::Synthetic | Source::Alpaca | Source::Ibkr => {
            Box::new(SyntheticSource::new(&synthetic(config, table, start))?)
        }
    })
}

fn synthetic(config: &Config, table: &InstrumentTable, start: Nanos) -> SyntheticSettings {
    let own = &config.market.synthetic;
    let rows = symbols(config, table)
        .into_iter()
        .map(|(symbol, instrument)| SyntheticSymbol {
            instrument,
            start_price: own.start_of(symbol),
            tick: table
                .get(instrument)
                .map_or(InstrumentTable::DEFAULT_TICK, |row| row.tick),
        })
        .collect();
    SyntheticSettings {
        rows_per_second: own.rows_per_second,
        volatility_ticks: own.volatility_ticks,
        max_spread_ticks: own.spread_ticks,
        burst_per_million: own.burst_per_million,
        gap_per_million: own.gap_per_million,
        ..SyntheticSettings::lively(rows, config.seed, start)
    }
}
