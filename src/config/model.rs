//! The settings of a run, checked and typed.
//!
//! Runs on: start-up; agents get their own small settings made from these.
//! Owns: [`Config`], its general sections and their defaults.
//! Never: holds a file's form: no position, no text, no TOML value, but where an algorithm's
//! parameter stood.

use std::path::PathBuf;
use std::time::Duration;

use super::{AlgorithmConfig, BrokerConfig, MarketConfig, RiskConfig};
use crate::types::{ExecutionMode, Money, Price, Quantity, TradingMode};

/// Everything that a run is told. [`Config::default`] is the run without a file: the paper broker,
/// a synthetic market that is always open, the demo algorithm, profile `balanced`.
///
/// A program may start from the default, set fields, and call [`Config::validate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Paper or live.
    pub trading_mode: TradingMode,
    /// Who releases an order.
    pub execution_mode: ExecutionMode,
    /// Seed of everything random: the synthetic market and the simulator's jitter. Default 42.
    pub seed: u64,
    /// Where state lives.
    pub state: StateConfig,
    /// The journal's hot part.
    pub journal: JournalConfig,
    /// Threads, cores and idling.
    pub threads: ThreadsConfig,
    /// Where quotes come from.
    pub market: MarketConfig,
    /// What trades, in the file's order. May be empty: an embedding program submits its own orders.
    pub algorithms: Vec<AlgorithmConfig>,
    /// Broker instances in the file's order, disabled ones included.
    pub brokers: Vec<BrokerConfig>,
    /// Order sizes and routing.
    pub execution: ExecutionConfig,
    /// Limits on risk.
    pub risk: RiskConfig,
    /// The session report.
    pub report: ReportConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithms: vec![AlgorithmConfig::new("demo")],
            brokers: vec![BrokerConfig::paper("paper")],
            ..Self::empty()
        }
    }
}

impl Config {
    /// The default without an algorithm and without a broker.
    pub(super) fn empty() -> Self {
        Self {
            trading_mode: TradingMode::default(),
            execution_mode: ExecutionMode::default(),
            seed: 42,
            state: StateConfig::default(),
            journal: JournalConfig::default(),
            threads: ThreadsConfig::default(),
            market: MarketConfig::default(),
            algorithms: Vec::new(),
            brokers: Vec::new(),
            execution: ExecutionConfig::default(),
            risk: RiskConfig::default(),
            report: ReportConfig::default(),
        }
    }

    /// The enabled brokers in order: a broker's place here is its `BrokerId`.
    pub fn enabled_brokers(&self) -> impl Iterator<Item = &BrokerConfig> {
        self.brokers.iter().filter(|broker| broker.enabled)
    }

    /// The enabled algorithms in order.
    pub fn enabled_algorithms(&self) -> impl Iterator<Item = &AlgorithmConfig> {
        self.algorithms.iter().filter(|algorithm| algorithm.enabled)
    }

    /// Where an order goes that nothing else routes: `execution.default_broker`, else the enabled
    /// broker with `default = true`, else the first enabled one. `None` without an enabled broker.
    #[must_use]
    pub fn default_broker(&self) -> Option<&BrokerConfig> {
        let named = self.execution.default_broker.as_deref();
        self.enabled_brokers()
            .find(|broker| named == Some(broker.name.as_str()))
            .or_else(|| self.enabled_brokers().find(|broker| broker.default))
            .or_else(|| self.enabled_brokers().next())
    }

    /// The longest silence of the feed that control 16 takes within a session; `None`: not checked.
    #[must_use]
    pub fn max_feed_silence(&self) -> Option<Duration> {
        self.risk.max_feed_silence.resolve(self.market.source)
    }
}

/// `[state]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StateConfig {
    /// The state directory, relative to the working directory. `None`: the engine chooses
    /// (`$XDG_STATE_HOME/shrike/<trading_mode>`, or a fresh one).
    pub dir: Option<PathBuf>,
}

/// `[journal]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// Directory of the hot segments, on tmpfs. Default `/dev/shm`.
    pub hot: PathBuf,
    /// Bytes of a hot segment: 64 KiB to 1 GiB, a multiple of 4 KiB. Default 8 MiB.
    pub segment_size: u64,
    /// Hot segments that are kept ready: 2 to 64. Default 4.
    pub segments: u32,
    /// Time between group syncs: 100 us to 1 s. Default 2 ms.
    pub group_commit: Duration,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            hot: PathBuf::from("/dev/shm"),
            segment_size: 8 << 20,
            segments: 4,
            group_commit: Duration::from_millis(2),
        }
    }
}

/// How hot agents idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// They spin.
    Latency,
    /// They yield, then park.
    #[default]
    Balanced,
}

/// How agents are put on threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// By the cores that the process may use.
    #[default]
    Auto,
    /// RISK, ORDER and each gateway on a core of its own.
    Dedicated,
    /// RISK and ORDER on one core, the gateways on another.
    Paired,
    /// RISK, ORDER and the gateways on one core.
    SharedHot,
    /// As [`Self::SharedHot`], unpinned.
    Shared,
    /// No thread: the caller polls, in virtual time.
    Invoker,
}

/// Cores that threads are pinned to, as the system numbers them. Whether they exist is checked at
/// start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoresConfig {
    /// RISK, or the composite that it is in.
    pub risk: Option<usize>,
    /// ORDER.
    pub order: Option<usize>,
    /// The gateways in the order of their brokers; the last serves all further ones.
    pub gateway: Vec<usize>,
    /// All cold threads.
    pub cold: Option<usize>,
}

/// `[threads]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadsConfig {
    /// How hot agents idle. Default balanced.
    pub profile: Profile,
    /// Which agents share a thread. Default auto.
    pub layout: Layout,
    /// Pinning; what is absent is chosen at start.
    pub cores: CoresConfig,
    /// Request and report ring pairs made at start: 2 to 64. Default 16.
    pub max_ports: u8,
    /// Whether locking the process's memory is tried. Default true.
    pub lock_memory: bool,
    /// A duty cycle longer than this counts as a stall. Default 1 ms.
    pub stall_threshold: Duration,
}

impl Default for ThreadsConfig {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            layout: Layout::default(),
            cores: CoresConfig::default(),
            max_ports: 16,
            lock_memory: true,
            stall_threshold: Duration::from_millis(1),
        }
    }
}

/// `[execution]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionConfig {
    /// Whether an order may leave once its intent is in the hot journal; false: only once that is
    /// synced to disk. Default true.
    pub fast_path_enabled: bool,
    /// Control 1: the largest order, shares. Default 10,000.
    pub max_order_size: Quantity,
    /// Control 4: the largest worst-case position of a symbol at a broker, shares either way.
    /// Default 50,000.
    pub max_position_size: Quantity,
    /// Control 2: the largest order, money. Default none.
    pub max_order_notional: Option<Money>,
    /// Control 20: working orders of the whole engine: 1 to 1,000,000. Default 10,000.
    pub max_open_orders: u32,
    /// Name of the broker that takes what nothing else routes. Default: the one marked so, else the
    /// first.
    pub default_broker: Option<String>,
}

impl ExecutionConfig {
    /// Orders that tables have room for: the working ones, and as many finished ones for late
    /// reports, 1,024 to 16,384. Even the largest configuration fits the slab's 2^24.
    #[must_use]
    pub fn order_capacity(&self) -> usize {
        let working = self.max_open_orders as usize;
        working + working.clamp(1_024, 16_384)
    }

    /// The most that one order can be worth: the limit on notional, else the largest size at the
    /// largest price.
    #[must_use]
    pub fn order_notional_bound(&self) -> Money {
        self.max_order_notional
            .unwrap_or_else(|| Price::MAX.notional(self.max_order_size))
    }
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        Self {
            fast_path_enabled: true,
            max_order_size: super::values::shares(10_000),
            max_position_size: super::values::shares(50_000),
            max_order_notional: None,
            max_open_orders: 10_000,
            default_broker: None,
        }
    }
}

/// `[report]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportConfig {
    /// Where the session report is written, relative to the working directory. `None`: nowhere.
    pub dir: Option<PathBuf>,
}
