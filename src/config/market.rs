//! Settings of the market data source.
//!
//! Runs on: start-up.
//! Owns: [`MarketConfig`] and its defaults by source.
//! Never: opens a data file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::{Date, Time};

use super::values::price;
use crate::types::{Price, Symbol};

/// Where quotes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MarketSource {
    /// A seeded random walk.
    #[default]
    Synthetic,
    /// `time_ns,symbol,bid,bid_size,ask,ask_size`.
    Csv,
    /// LEAN's zip files.
    Lean,
    /// Alpaca's stream; not built in this version.
    Alpaca,
    /// Interactive Brokers; not built in this version.
    Ibkr,
}

impl MarketSource {
    /// The name in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synthetic => "synthetic",
            Self::Csv => "csv",
            Self::Lean => "lean",
            Self::Alpaca => "alpaca",
            Self::Ibkr => "ibkr",
        }
    }
}

/// How fast recorded or made data runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speed {
    /// As fast as it can be worked off, in the market's own time.
    Max,
    /// In thousandths of real time; above 0.
    PerMille(u64),
}

impl Speed {
    /// Its own pace.
    pub const REAL: Self = Self::PerMille(1_000);
}

/// When the market is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionRule {
    /// The calendar of the New York Stock Exchange.
    Nyse,
    /// Always.
    Always,
}

/// Trading dates, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateRange {
    /// The first.
    pub first: Date,
    /// The last; not before the first.
    pub last: Date,
}

impl DateRange {
    /// Just one date.
    #[must_use]
    pub const fn single(date: Date) -> Self {
        Self {
            first: date,
            last: date,
        }
    }

    /// Each date in order.
    pub fn dates(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.last;
        std::iter::successors(Some(self.first), |date| date.tomorrow().ok())
            .take_while(move |date| *date <= last)
    }
}

/// `[market]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketConfig {
    /// Where quotes come from. Default synthetic.
    pub source: MarketSource,
    /// The file (csv) or directory (lean). A relative path in a file is looked for beside that file
    /// first, then in the working directory.
    pub path: Option<PathBuf>,
    /// What is traded and quoted. Default for synthetic: AAPL, MSFT, SPY, IBM; csv and lean must
    /// name theirs.
    pub symbols: Vec<Symbol>,
    /// Which dates of a lean archive.
    pub date: Option<DateRange>,
    /// How fast. Default 1.0.
    pub speed: Speed,
    /// When the market is open; `None`: as the source has it, see
    /// [`session_rule`](Self::session_rule).
    pub session: Option<SessionRule>,
    /// When a trading date begins, New York time. Default 03:30.
    pub day_roll: Time,
    /// The random walk.
    pub synthetic: SyntheticConfig,
}

impl MarketConfig {
    /// The symbols of a synthetic market that names none.
    #[must_use]
    pub fn default_symbols() -> Vec<Symbol> {
        ["AAPL", "MSFT", "SPY", "IBM"]
            .iter()
            .filter_map(|symbol| symbol.parse().ok())
            .collect()
    }

    /// When the market is open: as configured, else `nyse` for lean and real feeds, `always` for
    /// synthetic and csv.
    #[must_use]
    pub fn session_rule(&self) -> SessionRule {
        self.session.unwrap_or(match self.source {
            MarketSource::Synthetic | MarketSource::Csv => SessionRule::Always,
            MarketSource::Lean | MarketSource::Alpaca | MarketSource::Ibkr => SessionRule::Nyse,
        })
    }
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            source: MarketSource::default(),
            path: None,
            symbols: Self::default_symbols(),
            date: None,
            speed: Speed::REAL,
            session: None,
            day_roll: Time::constant(3, 30, 0, 0),
            synthetic: SyntheticConfig::default(),
        }
    }
}

/// `[market.synthetic]`: a seeded random walk without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticConfig {
    /// Mean quote and trade rows a second, all symbols together: 1 to 10,000,000. Default 2,000.
    pub rows_per_second: u32,
    /// The largest ordinary move, ticks: 1 to 1,000. Default 2.
    pub volatility_ticks: u32,
    /// The widest spread, ticks: 1 to 1,000. Default 4.
    pub spread_ticks: u32,
    /// Where every symbol begins: 1 to 200,000. Default 100.
    pub start_price: Price,
    /// Where single symbols begin instead.
    pub start_prices: BTreeMap<Symbol, Price>,
    /// How often an event starts a burst of fast rows, in millionths: 0 to 100,000. Default 2,000.
    pub burst_per_million: u32,
    /// How often an event starts a pause that ends with a jump of the price, in millionths: 0 to
    /// 4,000. Default 200.
    pub gap_per_million: u32,
}

impl SyntheticConfig {
    /// Where a symbol begins.
    #[must_use]
    pub fn start_of(&self, symbol: Symbol) -> Price {
        self.start_prices
            .get(&symbol)
            .copied()
            .unwrap_or(self.start_price)
    }
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        Self {
            rows_per_second: 2_000,
            volatility_ticks: 2,
            spread_ticks: 4,
            start_price: price(100),
            start_prices: BTreeMap::new(),
            burst_per_million: 2_000,
            gap_per_million: 200,
        }
    }
}
