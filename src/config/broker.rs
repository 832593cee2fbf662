//! Settings of a broker instance.
//!
//! Runs on: start-up.
//! Owns: [`BrokerConfig`] and the paper broker's defaults.
//! Never: holds a secret, only where it is found.

use std::time::Duration;

use super::secret::SecretSource;
use crate::types::{AccountKind, Money, Price, Ratio, Symbol};

/// What a broker instance talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BrokerKind {
    /// The simulated exchange of this process.
    #[default]
    Paper,
    /// Alpaca; not built in this version.
    Alpaca,
    /// Interactive Brokers; not built in this version.
    Ibkr,
}

impl BrokerKind {
    /// Every kind's name.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("paper", Self::Paper),
        ("alpaca", Self::Alpaca),
        ("ibkr", Self::Ibkr),
    ];

    /// The name in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Alpaca => "alpaca",
            Self::Ibkr => "ibkr",
        }
    }
}

/// What may be sold short at a broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shortable {
    /// Everything.
    #[default]
    All,
    /// Nothing.
    None,
    /// These.
    Only(Vec<Symbol>),
}

impl Shortable {
    /// Whether `symbol` may be sold short.
    #[must_use]
    pub fn allows(&self, symbol: Symbol) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(symbols) => symbols.contains(&symbol),
        }
    }
}

/// What the simulated broker charges for a fill: per share plus by value, at least the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeeConfig {
    /// Money a share.
    pub per_share: Price,
    /// The least that a fill costs.
    pub minimum: Money,
    /// Fraction of the value: `fee_basis_points` / 10,000.
    pub rate: Ratio,
}

/// The simulated way to the exchange and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LatencyConfig {
    /// Order in.
    pub order: Duration,
    /// Report out.
    pub report: Duration,
    /// The most that the seeded jitter adds to either.
    pub jitter: Duration,
}

/// `[brokers.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The instance's name: 1 to 23 of `[a-z0-9_-]`.
    pub name: String,
    /// What it talks to. Default: the kind of that name.
    pub kind: BrokerKind,
    /// Whether it is used. Default true.
    pub enabled: bool,
    /// Whether it takes what nothing else routes. Default false; see
    /// [`Config::default_broker`](super::Config).
    pub default: bool,
    /// Symbols whose orders come here unless an order prefers another broker.
    pub symbols: Vec<Symbol>,
    /// Paper: cash at the start. Default 1,000,000.
    pub cash: Money,
    /// Paper: cash or margin. Default margin.
    pub account: AccountKind,
    /// Paper: gross position value that a margin account may hold, as a multiple of equity: 1 to
    /// 10. Default 2.
    pub margin_multiplier: Ratio,
    /// Paper: what may be sold short. Default all.
    pub shortable: Shortable,
    /// Paper: what a fill costs. Default nothing.
    pub fees: FeeConfig,
    /// Paper: how long the way takes. Default no time.
    pub latency: LatencyConfig,
    /// Paper: a quote that crosses a resting limit fills it at the quote's price instead of the
    /// limit. Default false.
    pub fill_at_quote: bool,
    /// Network brokers: where the key is.
    pub api_key: Option<SecretSource>,
    /// Network brokers: where the secret is.
    pub api_secret: Option<SecretSource>,
}

impl BrokerConfig {
    /// A paper broker with the defaults.
    #[must_use]
    pub fn paper(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: BrokerKind::Paper,
            enabled: true,
            default: false,
            symbols: Vec::new(),
            cash: Money::from_whole(1_000_000),
            account: AccountKind::Margin,
            margin_multiplier: Ratio::from_units(2 * Ratio::ONE.units()),
            shortable: Shortable::All,
            fees: FeeConfig::default(),
            latency: LatencyConfig::default(),
            fill_at_quote: false,
            api_key: None,
            api_secret: None,
        }
    }
}
