//! The one list of every key.
//!
//! Runs on: start-up.
//! Owns: which keys exist, where, and which are known but not built in this version.
//! Never: holds a default or a range: those are in the settings and their validation.

/// Whether a key does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// It does.
    Built,
    /// It is known, and refused: this is what it belongs to.
    NotBuilt(&'static str),
}

/// A key of the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownKey {
    /// The table that it stands in: "" for the top, `brokers` for every `[brokers.NAME]`.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Whether it does something.
    pub status: KeyStatus,
}

impl KnownKey {
    const fn new(section: &'static str, name: &'static str, status: KeyStatus) -> Self {
        Self {
            section,
            name,
            status,
        }
    }
}

macro_rules! keys {
    ($($section:literal: [$($name:literal),* $(,)?]
        $({ $($missing:literal => $what:literal),* $(,)? })?;)*) => {
        /// Every key that any version knows.
        pub const KEYS: &[KnownKey] = &[$(
            $(KnownKey::new($section, $name, KeyStatus::Built),)*
            $($(KnownKey::new($section, $missing, KeyStatus::NotBuilt($what)),)*)?
        )*];
    };
}

keys! {
    "": ["trading_mode", "execution_mode", "seed", "state", "journal", "threads", "market",
         "algorithm", "brokers", "execution", "risk_management", "report"] {
        "control" => "the operator API",
        "approval" => "control 31 (approval gate)",
        "liquidation" => "emergency liquidation",
        "watchdog" => "control 28 (external watchdog)",
        "position_sync" => "control 25 (position mismatch)",
        "webhooks" => "webhook delivery",
    };
    "state": ["dir"];
    "journal": ["hot", "segment_size", "segments", "group_commit"];
    "threads": ["profile", "layout", "cores", "max_ports", "lock_memory", "stall_threshold"];
    "threads.cores": ["risk", "order", "gateway", "cold"];
    "market": ["source", "path", "symbols", "date", "speed", "session", "day_roll", "synthetic"];
    "market.synthetic": ["rows_per_second", "volatility_ticks", "spread_ticks", "start_price",
        "start_prices", "burst_per_million", "gap_per_million"];
    "algorithm": ["name", "id", "enabled", "symbols", "broker", "max_order_size",
        "max_position_size", "parameters"] {
        "max_daily_loss" => "control 7 for one strategy",
        "heartbeat" => "control 27 (strategy heartbeat)",
    };
    "brokers": ["kind", "enabled", "default", "symbols", "cash", "account", "margin_multiplier",
        "shortable", "fee_per_share", "fee_minimum", "fee_basis_points", "order_latency",
        "report_latency", "latency_jitter", "fill_at_quote", "api_key", "api_key_file",
        "api_secret", "api_secret_file"] {
        "base_url" => "a network broker's connection",
        "data_url" => "a network broker's connection",
        "host" => "a network broker's connection",
        "port" => "a network broker's connection",
        "client_id" => "a network broker's connection",
        "account_id" => "a network broker's connection",
        "max_message_rate" => "control 11 (message rate per broker session)",
        "cancel_on_disconnect" => "control 29 (cancel on disconnect)",
    };
    "execution": ["fast_path_enabled", "max_order_size", "max_position_size",
        "max_order_notional", "max_open_orders", "default_broker"] {
        "approval_notional" => "control 31 (approval gate)",
        "approval_quantity" => "control 31 (approval gate)",
        "approval_timeout" => "control 31 (approval gate)",
    };
    "risk_management": ["max_daily_loss", "max_drawdown", "price_collar_bps", "outer_collar_bps",
        "order_rate", "strategy_order_rate", "order_rate_window", "cancel_reserve",
        "duplicate_window", "max_quote_age",
        "max_feed_silence", "allow_short", "allowed_symbols", "restricted_symbols",
        "buying_power_haircut", "max_open_orders_per_symbol", "max_open_orders_per_strategy"] {
        "max_gross_exposure" => "control 5 (gross, net and concentration exposure)",
        "max_net_exposure" => "control 5 (gross, net and concentration exposure)",
        "max_concentration" => "control 5 (gross, net and concentration exposure)",
        "warn_level" => "the warning level of controls 7 and 8",
        "circuit_breaker" => "control 9 (loss-velocity circuit breaker)",
        "max_message_rate" => "control 11 (message rate per broker session)",
        "repeated_execution_limit" => "control 12 (repeated automated execution throttle)",
        "parent_child_tie" => "control 14 (parent/child tie)",
        "self_trade_prevention" => "control 15 (self-trade prevention)",
        "max_cancel_rate" => "control 21 (cancels and order-to-trade ratio)",
        "max_order_to_trade_ratio" => "control 21 (cancels and order-to-trade ratio)",
        "reject_breaker" => "control 22 (consecutive rejects breaker)",
        "in_doubt_breaker" => "control 23 (in-doubt breaker)",
        "unexplained_fill" => "control 24 (unexplained fill)",
        "position_mismatch" => "control 25 (position mismatch)",
        "cash_mismatch" => "control 26 (cash mismatch)",
        "strategy_heartbeat" => "control 27 (strategy heartbeat)",
        "watchdog" => "control 28 (external watchdog)",
        "cancel_on_disconnect" => "control 29 (cancel on disconnect)",
        "kill_on_daily_loss" => "control 30 (kill switch) as the action of a breach",
        "kill_on_drawdown" => "control 30 (kill switch) as the action of a breach",
        "liquidation" => "emergency liquidation",
        "approval" => "control 31 (approval gate)",
        "approval_notional" => "control 31 (approval gate)",
        "limit_ceilings" => "control 33 (limit-change governance)",
        "clock_sanity" => "control 35 (clock sanity)",
        "resource_guard" => "control 36 (resource guard)",
        "adv_participation" => "control 37 (ADV participation)",
    };
    "report": ["dir"];
}

/// The keys of one table.
pub fn section(section: &str) -> impl Iterator<Item = &'static KnownKey> + '_ {
    KEYS.iter().filter(move |key| key.section == section)
}

/// A key of a table.
#[must_use]
pub fn find(in_section: &str, name: &str) -> Option<&'static KnownKey> {
    section(in_section).find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_listed_once_and_its_table_exists() {
        for (index, key) in KEYS.iter().enumerate() {
            let twin = |other: &&KnownKey| (other.section, other.name) == (key.section, key.name);
            assert!(
                !KEYS[index + 1..].iter().any(|other| twin(&other)),
                "{key:?}"
            );
            let (parent, name) = key.section.rsplit_once('.').unwrap_or(("", key.section));
            assert!(
                key.section.is_empty() || find(parent, name).is_some(),
                "{key:?}"
            );
        }
    }
}
