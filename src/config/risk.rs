//! Limits on risk.
//!
//! Runs on: start-up.
//! Owns: [`RiskConfig`] and its defaults.
//! Never: names a limit that the build does not enforce.

use std::time::Duration;

use super::MarketSource;
use crate::types::{Ratio, Symbol};

/// How long the feed may be silent within a session before risk-increasing orders are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FeedSilence {
    /// 5 s for a synthetic market and real feeds; not checked for csv and lean, whose recordings
    /// have quiet spells.
    #[default]
    BySource,
    /// Not checked.
    Off,
    /// This long.
    After(Duration),
}

impl FeedSilence {
    /// The silence that is taken; `None`: any.
    #[must_use]
    pub const fn resolve(self, source: MarketSource) -> Option<Duration> {
        match (self, source) {
            (Self::After(silence), _) => Some(silence),
            (Self::Off, _) | (Self::BySource, MarketSource::Csv | MarketSource::Lean) => None,
            (Self::BySource, _) => Some(Duration::from_secs(5)),
        }
    }
}

/// `[risk_management]`. The limits on size are in [`ExecutionConfig`](super::ExecutionConfig).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskConfig {
    /// Control 7: loss since the start of the day as a fraction of that equity; between 0 and 1.
    /// Default 0.05.
    pub max_daily_loss: Ratio,
    /// Control 8: loss from the high-water mark as a fraction of it; between 0 and 1. Default 0.10.
    pub max_drawdown: Ratio,
    /// Control 3: how far an aggressive price may be from the reference, basis points: 1 to 9,999.
    /// Default 500.
    pub price_collar_bps: u32,
    /// Control 3: how far any price may be from it, basis points; from the collar to 9,999. Default
    /// 2,000.
    pub outer_collar_bps: u32,
    /// Control 10: new orders and replaces of all strategies within the window: 1 to 2^20. Default
    /// 1,000.
    pub order_rate: u32,
    /// Control 10: the same for each strategy; not above `order_rate`. Default: no limit of its
    /// own.
    pub strategy_order_rate: Option<u32>,
    /// Control 10: the window: 1 ms to 1 h. Default 1 s.
    pub order_rate_window: Duration,
    /// Control 10: cancels and reducing orders within the window that take nothing from the rate: 1
    /// to 2^20. Those beyond it still pass, and take room from new orders. Default 250.
    pub cancel_reserve: u32,
    /// Control 13: the same order again within this time is refused; zero: taken. Default 500 ms.
    pub duplicate_window: Duration,
    /// Control 16: the oldest quote of a symbol that a risk-increasing order may rest on. Default:
    /// any age, while the feed is alive.
    pub max_quote_age: Option<Duration>,
    /// Control 16: the longest silence of the whole feed.
    pub max_feed_silence: FeedSilence,
    /// Control 19: whether a short position may be opened at all. Default true.
    pub allow_short: bool,
    /// Control 18: what may be traded; empty: the market's symbols.
    pub allowed_symbols: Vec<Symbol>,
    /// Control 18: what may only be closed.
    pub restricted_symbols: Vec<Symbol>,
    /// Control 6: the share of a broker's buying power that is used; above 0, at most 1. Default 1.
    pub buying_power_haircut: Ratio,
    /// Control 20: working orders of one symbol. Default: no limit of its own.
    pub max_open_orders_per_symbol: Option<u32>,
    /// Control 20: working orders of one strategy. Default: no limit of its own.
    pub max_open_orders_per_strategy: Option<u32>,
}

impl Default for RiskConfig {
    fn default() -> Self {
        Self {
            max_daily_loss: Ratio::from_basis_points(500),
            max_drawdown: Ratio::from_basis_points(1_000),
            price_collar_bps: 500,
            outer_collar_bps: 2_000,
            order_rate: 1_000,
            strategy_order_rate: None,
            order_rate_window: Duration::from_secs(1),
            cancel_reserve: 250,
            duplicate_window: Duration::from_millis(500),
            max_quote_age: None,
            max_feed_silence: FeedSilence::BySource,
            allow_short: true,
            allowed_symbols: Vec::new(),
            restricted_symbols: Vec::new(),
            buying_power_haircut: Ratio::ONE,
            max_open_orders_per_symbol: None,
            max_open_orders_per_strategy: None,
        }
    }
}
