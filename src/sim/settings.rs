//! What a simulated exchange is made from.
//!
//! Runs on: start-up.
//! Owns: the account's kind, fees, latency, capacities and switches.
//! Never: reads configuration: the engine turns that into these settings.

use super::latency::Latency;
use crate::types::{AccountKind, BootEpoch, BrokerId, Money, Price, Quantity, Ratio};

/// What a fill costs: an amount a share plus a part of its value, at least a minimum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FeeSchedule {
    /// A share.
    pub per_share: Price,
    /// The least that a fill costs.
    pub minimum: Money,
    /// Of the fill's value ([`Ratio::from_basis_points`]).
    pub rate: Ratio,
}

impl FeeSchedule {
    /// Fee of one fill, rounded half-even to 10^-9 once.
    #[must_use]
    pub fn fee(&self, quantity: Quantity, price: Price) -> Money {
        let by_share = self.per_share.notional(quantity);
        let by_value = share_of(price.notional(quantity), self.rate);
        (by_share + by_value).max(self.minimum).rounded()
    }
}

/// `ratio` of an amount, toward zero; amounts too large for the exact product lose digits below 10^-9.
pub(super) fn share_of(amount: Money, ratio: Ratio) -> Money {
    if ratio.is_zero() {
        // Most brokers charge nothing by value: no division for it.
        return Money::ZERO;
    }
    amount.fraction(ratio).unwrap_or_else(|| {
        let whole = amount.units() / i128::from(crate::types::decimal::ONE);
        Money::from_units(whole.saturating_mul(i128::from(ratio.units())))
    })
}

/// Settings of one exchange with one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExchangeSettings {
    /// Which broker's name the reports carry.
    pub broker: BrokerId,
    /// Cash or margin.
    pub kind: AccountKind,
    /// Cash at the first start; a recovered account has its own.
    pub cash: Money,
    /// Gross position value allowed as a multiple of equity (margin accounts).
    pub multiplier: Ratio,
    /// What fills cost.
    pub fees: FeeSchedule,
    /// A quote that crosses a resting limit fills it at the quote's price instead of its limit.
    pub fill_at_quote: bool,
    /// How long a report is on its way out.
    pub report_latency: Latency,
    /// Of everything random.
    pub seed: u64,
    /// Of this start: execution ids carry it.
    pub epoch: BootEpoch,
    /// Working orders at most; one more is rejected with `TooManyOrders`. Tables grow in powers of two of this and the
    /// [`history`](Self::history) together: the default fills one.
    pub max_open_orders: usize,
    /// Order ids come from ports `0..ports`.
    pub ports: usize,
    /// Reports that may wait to be taken; at least [`REPORT_ROOM`](super::REPORT_ROOM).
    pub report_queue: usize,
}

impl ExchangeSettings {
    /// Done orders that stay findable, at least.
    #[must_use]
    pub fn history(&self) -> usize {
        self.max_open_orders.clamp(1_024, 16_384)
    }
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self {
            broker: BrokerId(0),
            kind: AccountKind::Margin,
            cash: Money::from_whole(1_000_000),
            multiplier: Ratio::from_units(2_000_000_000),
            fees: FeeSchedule::default(),
            fill_at_quote: false,
            report_latency: Latency::default(),
            seed: 0,
            epoch: BootEpoch::FIRST,
            max_open_orders: 114_688,
            ports: 32,
            report_queue: 4_096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_add_up_have_a_floor_and_round_half_even_once() {
        let fees = FeeSchedule {
            per_share: "0.005".parse().expect("a price"),
            minimum: "1".parse().expect("money"),
            rate: Ratio::from_basis_points(1),
        };
        let shares = |n| Quantity::from_whole(n).expect("small");
        let price: Price = "10".parse().expect("a price");
        assert_eq!(fees.fee(shares(10), price), Money::from_whole(1));
        let fee: Money = "6".parse().expect("money");
        assert_eq!(fees.fee(shares(1_000), price), fee);
        let odd = FeeSchedule {
            per_share: Price::from_units(5),
            ..FeeSchedule::default()
        };
        let half = Quantity::from_units(500_000_000);
        assert_eq!(
            odd.fee(half, price),
            "0.000000002".parse().expect("half to even")
        );
        let most = share_of(Money::from_units(i128::MAX), Ratio::ONE);
        assert!(most > Money::from_whole(1_000_000_000));
    }
}
