//! Checks of the limits: sizes, losses, collars, rates.
//!
//! Runs on: start-up.
//! Owns: the range of each limit, and that none of them can never apply.
//! Never: lets sums of worst cases outgrow 128 bits.

use std::collections::HashSet;
use std::time::Duration;

use super::check::Checks;
use super::error::{ConfigError, ConfigErrorKind};
use super::{AlgorithmConfig, Config, FeedSilence};
use crate::types::{Quantity, Ratio, Symbol};

/// Sums of worst cases stay below this many 10^-18 units, so that two of them never overflow 128
/// bits.
const SUM_BOUND: i128 = 1 << 125;
/// The most messages in a window of control 10.
const MOST_RATE: u32 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

/// An algorithm's own limits.
pub(super) fn of_algorithm(
    checks: &mut Checks,
    config: &Config,
    algorithm: &AlgorithmConfig,
    at: &str,
) {
    let limits = [
        (
            "max_order_size",
            algorithm.max_order_size,
            config.execution.max_order_size,
        ),
        (
            "max_position_size",
            algorithm.max_position_size,
            config.execution.max_position_size,
        ),
    ];
    for (name, own, whole) in limits {
        let Some(own) = own else { continue };
        let key = format!("{at}.{name}");
        let rests_on = format!("execution.{name}");
        checks.positive(&key, own);
        let message = format!("is {own}, above `{rests_on}` ({whole}): it could never apply");
        checks.refuse(own > whole, &key, message, &[&rests_on]);
    }
    if let (Some(order), Some(position)) = (algorithm.max_order_size, algorithm.max_position_size) {
        order_within_position(checks, at, order, position);
    }
}

fn order_within_position(checks: &mut Checks, at: &str, order: Quantity, position: Quantity) {
    let key = format!("{at}.max_order_size");
    let other = format!("{at}.max_position_size");
    let message = format!("is {order}, above `{other}` ({position})");
    checks.refuse(order > position, &key, message, &[&other]);
}

/// `[execution]`.
pub(super) fn execution(checks: &mut Checks, config: &Config) {
    let execution = &config.execution;
    checks.positive("execution.max_order_size", execution.max_order_size);
    checks.positive("execution.max_position_size", execution.max_position_size);
    let (order, position) = (execution.max_order_size, execution.max_position_size);
    order_within_position(checks, "execution", order, position);
    if let Some(notional) = execution.max_order_notional {
        checks.positive("execution.max_order_notional", notional);
    }
    let orders = execution.max_open_orders;
    checks.range("execution.max_open_orders", orders, 1, 1_000_000);
    let bound = execution.order_notional_bound().units();
    let sum = bound.checked_mul(i128::from(orders));
    if sum.is_none_or(|sum| sum >= SUM_BOUND) {
        let one = match execution.max_order_notional {
            Some(notional) => format!("`execution.max_order_notional` {notional}"),
            None => format!("{order} shares at any price"),
        };
        let message = format!(
            "`execution.max_open_orders`: {orders} orders of {one} could add up \
             to more than 128-bit sums hold"
        );
        let hint = "set `max_order_notional`, or lower it, `max_order_size` or `max_open_orders`";
        let error = ConfigError::new(ConfigErrorKind::Value, "execution.max_open_orders", message);
        checks.add(error.with_hint(hint), &["execution"]);
    }
}

/// `[risk_management]`.
pub(super) fn risk(checks: &mut Checks, config: &Config, symbols: &HashSet<Symbol>) {
    let risk = &config.risk;
    let key = |name: &str| format!("risk_management.{name}");
    checks.fraction(&key("max_daily_loss"), risk.max_daily_loss);
    checks.fraction(&key("max_drawdown"), risk.max_drawdown);
    let haircut = risk.buying_power_haircut;
    let bad = haircut <= Ratio::ZERO || haircut > Ratio::ONE;
    let message = format!("must be above 0 and at most 1, found {haircut}");
    checks.add_hinted(
        bad,
        &key("buying_power_haircut"),
        message,
        "1.0 uses all of it",
    );
    let (collar, outer) = (risk.price_collar_bps, risk.outer_collar_bps);
    checks.range(&key("price_collar_bps"), collar, 1, 9_999);
    checks.range(&key("outer_collar_bps"), outer, 1, 1_000_000);
    let message = format!(
        "is {outer}, inside `{}` ({collar})",
        key("price_collar_bps")
    );
    let collar_key = key("price_collar_bps");
    checks.refuse(
        outer < collar,
        &key("outer_collar_bps"),
        message,
        &[&collar_key],
    );
    rates(checks, config);
    checks.symbols(&key("allowed_symbols"), &risk.allowed_symbols, symbols);
    checks.symbols(
        &key("restricted_symbols"),
        &risk.restricted_symbols,
        symbols,
    );
    let orders = config.execution.max_open_orders;
    for (name, limit) in [
        (
            "max_open_orders_per_symbol",
            risk.max_open_orders_per_symbol,
        ),
        (
            "max_open_orders_per_strategy",
            risk.max_open_orders_per_strategy,
        ),
    ] {
        let Some(limit) = limit else { continue };
        checks.positive(&key(name), limit);
        let message = format!(
            "is {limit}, above `execution.max_open_orders` ({orders}): it could never apply"
        );
        let rests_on = ["execution.max_open_orders"];
        checks.refuse(limit > orders, &key(name), message, &rests_on);
    }
}

/// Rates and spans of time.
fn rates(checks: &mut Checks, config: &Config) {
    let risk = &config.risk;
    let key = |name: &str| format!("risk_management.{name}");
    checks.range(&key("order_rate"), risk.order_rate, 1, MOST_RATE);
    checks.range(&key("cancel_reserve"), risk.cancel_reserve, 1, MOST_RATE);
    let (least, most) = (Duration::from_millis(1), 3_600 * SECOND);
    checks.time(
        &key("order_rate_window"),
        risk.order_rate_window,
        least,
        most,
    );
    let window = risk.duplicate_window;
    checks.time(
        &key("duplicate_window"),
        window,
        Duration::ZERO,
        60 * SECOND,
    );
    if let Some(age) = risk.max_quote_age {
        checks.time(&key("max_quote_age"), age, least, most);
    }
    if let FeedSilence::After(silence) = risk.max_feed_silence {
        checks.time(&key("max_feed_silence"), silence, least, most);
    }
    if let Some(rate) = risk.strategy_order_rate {
        let whole = risk.order_rate;
        checks.positive(&key("strategy_order_rate"), rate);
        let message = format!("is {rate}, above `order_rate` ({whole}): it could never apply");
        let rests_on = key("order_rate");
        checks.refuse(
            rate > whole,
            &key("strategy_order_rate"),
            message,
            &[&rests_on],
        );
    }
}
