//! RISK's settings: every limit as an integer.
//!
//! Runs on: start-up; the engine's builder makes them from the configuration.
//! Owns: the meaning, the unit and the default of each limit.
//! Never: is changed after start.

use crate::types::{
    BootEpoch, BrokerId, Instrument, Money, Price, Quantity, Ratio, StrategyId, decimal,
};

/// What the allowed list says of an instrument (control 18).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Access {
    /// Orders that provably reduce a position only, as for anything not on the list.
    #[default]
    NotAllowed = 0,
    /// On the list, for closing only.
    CloseOnly = 1,
    /// On the list.
    Allowed = 2,
}

/// What RISK knows of an instrument; never across two cache lines.
#[repr(align(32))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstrumentRule {
    /// Price step at or above one currency unit.
    pub tick: Price,
    /// Price step below one currency unit.
    pub fine_tick: Price,
    /// Quantity step.
    pub lot: Quantity,
    /// The allowed list's word.
    pub access: Access,
    /// Whether it may be sold short.
    pub shortable: bool,
}

impl InstrumentRule {
    /// Of a row of the instrument table.
    #[must_use]
    pub const fn of(instrument: &Instrument, access: Access) -> Self {
        Self {
            tick: instrument.tick,
            fine_tick: instrument.tick_at(Price::ZERO),
            lot: instrument.lot,
            access,
            shortable: instrument.shortable,
        }
    }

    /// The price step for an order at `price`.
    pub(super) const fn tick_at(&self, price: Price) -> Price {
        if price.units() < decimal::ONE {
            self.fine_tick
        } else {
            self.tick
        }
    }
}

/// Messages in a sliding window (control 10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// New orders and replaces that may add risk, in any window; at most 2^20.
    pub count: u32,
    /// Length of the window in nanoseconds.
    pub window_ns: u64,
    /// Cancels and reducing orders that fit into the window beside `count`. They are never refused;
    /// those beyond the reserve take room from new orders, never the other way round.
    pub cancel_reserve: u32,
}

impl RateLimit {
    /// The longest window count: each slot is eight bytes.
    pub const MAX_COUNT: u32 = 1 << 20;

    /// `count` orders in `window_ns`, and a quarter of it (at least one) beside it for cancels: a
    /// fifth of all.
    #[must_use]
    pub const fn new(count: u32, window_ns: u64) -> Self {
        Self {
            count,
            window_ns,
            cancel_reserve: if count < 4 { 1 } else { count / 4 },
        }
    }
}

/// A strategy's own limits, beside the account's: the stricter holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StrategyLimits {
    /// Largest order.
    pub max_order_quantity: Option<Quantity>,
    /// Worst-case position per broker and symbol that an order of this strategy may build up to.
    /// The position counts whole, whoever built it, so that a restart (which does not know who did)
    /// changes nothing.
    pub max_position: Option<Quantity>,
}

/// Everything that RISK is told at start.
#[derive(Clone, Debug)]
pub struct RiskSettings {
    /// This boot: order ids of another one are refused.
    pub epoch: BootEpoch,
    /// Every known instrument, by id.
    pub instruments: Vec<InstrumentRule>,
    /// Broker instances `0..brokers`.
    pub brokers: u8,
    /// Strategies `0..strategies`.
    pub strategies: u8,
    /// Ports `0..ports` mint order ids.
    pub ports: usize,
    /// Working orders that fit; at least `max_open_orders`.
    pub capacity: usize,
    /// Control 1.
    pub max_order_quantity: Quantity,
    /// Control 2.
    pub max_order_notional: Option<Money>,
    /// Control 3, in basis points (1 to 9,999): how far beyond the reference a limit order may be
    /// on its aggressive side, and where the limit of a market order is put.
    pub collar_bps: u32,
    /// Control 3, in basis points: how far from the reference a limit order may be on either side.
    pub outer_collar_bps: u32,
    /// Control 4: worst-case position per broker and symbol, long or short.
    pub max_position: Quantity,
    /// Control 20: working orders in all.
    pub max_open_orders: u32,
    /// Control 20: working orders per broker and symbol.
    pub max_open_orders_per_symbol: Option<u32>,
    /// Control 20: working orders per strategy.
    pub max_open_orders_per_strategy: Option<u32>,
    /// Control 7, a fraction of the equity at the start of the trading date.
    pub max_daily_loss: Option<Ratio>,
    /// Control 8, a fraction of the highest equity.
    pub max_drawdown: Option<Ratio>,
    /// Control 10 for each strategy.
    pub strategy_order_rate: Option<RateLimit>,
    /// Control 10 for all strategies together.
    pub account_order_rate: Option<RateLimit>,
    /// Control 13: how long an equal order counts as a duplicate; 0 switches the check off.
    pub duplicate_window_ns: u64,
    /// Control 13: orders that the check remembers at most; more in one window are refused. The account's
    /// order rate may bound it further.
    pub duplicate_capacity: usize,
    /// Control 16: oldest usable quote of a symbol.
    pub max_quote_age_ns: Option<u64>,
    /// Control 16: longest silence of the whole feed while in session.
    pub max_feed_silence_ns: Option<u64>,
    /// Control 19: whether short positions may be opened at all.
    pub allow_short: bool,
    /// Control 6: the share of buying power that may be used.
    pub haircut: Ratio,
    /// Limits of single strategies.
    pub strategy_limits: Vec<(StrategyId, StrategyLimits)>,
}

impl RiskSettings {
    /// The defaults, for these instruments, brokers, strategies and ports: orders of 10,000 and
    /// positions of 50,000 shares, a collar of 500 and an outer band of 5,000 basis points, 10,000
    /// open orders, duplicates within 500 ms, a feed silence of 15 s, all of the buying power,
    /// short sales allowed; no notional limit, loss limit, rate or quote age.
    #[must_use]
    pub fn new(
        epoch: BootEpoch,
        instruments: Vec<InstrumentRule>,
        brokers: u8,
        strategies: u8,
        ports: usize,
    ) -> Self {
        Self {
            epoch,
            instruments,
            brokers,
            strategies,
            ports,
            capacity: 16_384,
            max_order_quantity: Quantity::from_units(10_000 * decimal::ONE),
            max_order_notional: None,
            collar_bps: 500,
            outer_collar_bps: 5_000,
            max_position: Quantity::from_units(50_000 * decimal::ONE),
            max_open_orders: 10_000,
            max_open_orders_per_symbol: None,
            max_open_orders_per_strategy: None,
            max_daily_loss: None,
            max_drawdown: None,
            strategy_order_rate: None,
            account_order_rate: None,
            duplicate_window_ns: 500_000_000,
            duplicate_capacity: 131_072,
            max_quote_age_ns: None,
            max_feed_silence_ns: Some(15_000_000_000),
            allow_short: true,
            haircut: Ratio::ONE,
            strategy_limits: Vec::new(),
        }
    }

    /// How many orders the duplicate check has to remember: no more than the order rate lets through in its window.
    /// A table that fits the rate stays in the core's cache.
    pub(super) fn orders_to_compare(&self) -> usize {
        /// What has left the window goes a few at a time.
        const SLACK: u64 = 16;
        let through = |rate: RateLimit| {
            let windows = self.duplicate_window_ns.div_ceil(rate.window_ns);
            let orders = windows.saturating_mul(u64::from(rate.count));
            orders.saturating_add(SLACK)
        };
        let bound = self.account_order_rate.map_or(u64::MAX, through);
        usize::try_from(bound).map_or(self.duplicate_capacity, |bound| {
            bound.min(self.duplicate_capacity)
        })
    }

    /// Panics where a value would switch a control off by accident.
    pub(super) fn assert_sound(&self) {
        assert!(
            self.brokers >= 1 && usize::from(self.brokers) <= BrokerId::MAX_COUNT,
            "1 to 16 brokers"
        );
        assert!(
            usize::from(self.strategies) <= StrategyId::MAX_COUNT,
            "at most 46 strategies"
        );
        assert!(
            (1..10_000).contains(&self.collar_bps),
            "a collar of 1 to 9,999 basis points"
        );
        assert!(
            self.outer_collar_bps >= self.collar_bps && self.outer_collar_bps <= 1_000_000,
            "an outer band of the collar's width to 1,000,000 basis points"
        );
        assert!(
            self.max_order_quantity.is_positive() && self.max_position.is_positive(),
            "limits of quantity and position above zero"
        );
        assert!(
            self.max_open_orders as usize <= self.capacity,
            "room for every open order"
        );
        assert!(
            self.haircut.is_positive() && self.haircut <= Ratio::ONE,
            "a haircut above 0, at most 1"
        );
        for ratio in [self.max_daily_loss, self.max_drawdown]
            .into_iter()
            .flatten()
        {
            assert!(
                ratio.is_positive() && ratio <= Ratio::ONE,
                "loss limits above 0, at most 1"
            );
        }
        for rate in [self.strategy_order_rate, self.account_order_rate]
            .into_iter()
            .flatten()
        {
            assert!(
                (1..=RateLimit::MAX_COUNT).contains(&rate.count)
                    && rate.cancel_reserve <= RateLimit::MAX_COUNT
                    && rate.window_ns > 0,
                "a rate of 1 to 2^20 orders in a window above 0"
            );
        }
        assert!(
            self.duplicate_window_ns == 0 || (1..=1usize << 24).contains(&self.duplicate_capacity),
            "room for 1 to 2^24 orders in the duplicate check"
        );
        for rule in &self.instruments {
            assert!(
                rule.tick.is_positive() && rule.fine_tick.is_positive() && rule.lot.is_positive(),
                "ticks and lots above zero"
            );
        }
        for (strategy, limits) in &self.strategy_limits {
            assert!(
                strategy.0 < self.strategies
                    && limits.max_order_quantity.is_none_or(Quantity::is_positive)
                    && limits.max_position.is_none_or(Quantity::is_positive),
                "limits above zero of a known strategy"
            );
        }
    }
}
