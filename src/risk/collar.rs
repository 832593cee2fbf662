//! Control 3: the reference price, the collar around it, and the price that exposure is reserved
//! at.
//!
//! Runs on: the RISK agent.
//! Owns: the rounding: limits of market orders never beyond the collar, risk prices upward.
//! Never: divides to compare: bands are cross-multiplied.

use crate::ring::MarketSnapshot;
use crate::types::{
    Order, OrderType, Price, QuoteCondition, Refusal, RefusalCode, Side, TimeInForce,
    TrailingOffset,
};

use super::exposure::sign;
use super::limits::InstrumentRule;

/// What an order's price is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reference {
    pub(super) price: Price,
    /// The touch that a market order would meet, where the reference is its middle.
    touch: Option<(Price, Price)>,
}

impl Reference {
    /// The middle of a fresh two-sided quote, else the last trade, else none.
    #[inline(always)]
    pub(super) fn of(market: &MarketSnapshot, fresh: bool) -> Option<Self> {
        let quote = &market.quote;
        if fresh && quote.condition() == QuoteCondition::Normal {
            Some(Self {
                price: quote.midpoint(),
                touch: Some((quote.bid, quote.ask)),
            })
        } else if market.last.is_positive() {
            Some(Self {
                price: market.last,
                touch: None,
            })
        } else {
            None
        }
    }
}

/// The collar's widths.
#[derive(Clone, Copy)]
pub(super) struct Collar {
    pub(super) bps: u32,
    pub(super) outer_bps: u32,
}

const ARITHMETIC: Refusal = Refusal::plain(RefusalCode::Arithmetic);
const BASIS: u64 = 10_000;

/// `bps` basis points of `price`: whole units, and whether something was cut off. `None` on
/// overflow.
fn share(price: Price, bps: u32) -> Option<(i64, bool)> {
    let units = u64::try_from(price.units()).ok()?;
    let rest = (units % BASIS) * u64::from(bps);
    let whole = (units / BASIS).checked_mul(u64::from(bps))?;
    let whole = whole.checked_add(rest / BASIS)?;
    Some((i64::try_from(whole).ok()?, !rest.is_multiple_of(BASIS)))
}

/// `price` raised by `bps`, rounded up.
pub(super) fn raised(price: Price, bps: u32) -> Option<Price> {
    let (whole, cut) = share(price, bps)?;
    price.checked_add(Price::from_units(whole.checked_add(i64::from(cut))?))
}

/// The limit at `bps` from `reference` on the aggressive side, on the tick and never beyond the
/// band. `None` when no positive tick lies there.
fn collar_limit(reference: Price, side: Side, bps: u32, rule: &InstrumentRule) -> Option<Price> {
    // Cutting the share off keeps both bounds inside the band.
    let (whole, _) = share(reference, bps)?;
    let limit = match side {
        Side::Buy => {
            let bound = reference.units().checked_add(whole)?;
            bound - bound % rule.tick_at(Price::from_units(bound)).units()
        }
        Side::Sell => {
            let bound = reference.units() - whole;
            round_up(Price::from_units(bound), rule)?.units()
        }
    };
    (limit > 0).then_some(Price::from_units(limit))
}

fn round_up(price: Price, rule: &InstrumentRule) -> Option<Price> {
    let tick = rule.tick_at(price).units();
    let below = price.units() % tick;
    if below == 0 {
        return Some(price);
    }
    price.checked_add(Price::from_units(tick - below))
}

fn round_down(price: Price, rule: &InstrumentRule) -> Price {
    Price::from_units(price.units() - price.units() % rule.tick_at(price).units())
}

impl Collar {
    /// Whether `limit` is within the aggressive collar and the outer band around `reference`.
    #[inline(always)]
    pub(super) fn admit_limit(
        self,
        side: Side,
        limit: Price,
        reference: Price,
    ) -> Result<(), Refusal> {
        let distance = i128::from(limit.units()) - i128::from(reference.units());
        let is_aggressive = distance * sign(side) > 0;
        let bps = if is_aggressive {
            self.bps
        } else {
            self.outer_bps
        };
        if distance.unsigned_abs() * u128::from(BASIS)
            <= reference.units().unsigned_abs() as u128 * u128::from(bps)
        {
            return Ok(());
        }
        let bound = share(reference, bps).map_or(reference, |(whole, _)| {
            let signed = if distance > 0 { whole } else { -whole };
            Price::from_units(reference.units().saturating_add(signed))
        });
        Err(Refusal::prices(RefusalCode::PriceCollar, limit, bound))
    }

    /// The limit price that a market order is sent with.
    ///
    /// It lies at the collar. Where the spread is so wide that the touch lies beyond, the order is
    /// refused, but a reducing one goes at the touch: an order that closes must stay marketable.
    pub(super) fn market_limit(
        self,
        side: Side,
        reference: Reference,
        rule: &InstrumentRule,
        reducing: bool,
    ) -> Result<Price, Refusal> {
        let limit = collar_limit(reference.price, side, self.bps, rule);
        let Some((bid, ask)) = reference.touch else {
            return limit.ok_or(ARITHMETIC);
        };
        let (touch, marketable) = match side {
            Side::Buy => (ask, limit.is_some_and(|limit| limit >= ask)),
            Side::Sell => (bid, limit.is_some_and(|limit| limit <= bid)),
        };
        match limit {
            Some(limit) if marketable => Ok(limit),
            _ if reducing => match side {
                Side::Buy => round_up(touch, rule).ok_or(ARITHMETIC),
                Side::Sell => Some(round_down(touch, rule))
                    .filter(|price| price.is_positive())
                    .ok_or(ARITHMETIC),
            },
            limit => Err(Refusal::prices(
                RefusalCode::PriceCollar,
                touch,
                limit.unwrap_or_default(),
            )),
        }
    }

    /// The price that exposure is reserved at: nothing that the order can trade at while the market
    /// stays within the collar costs more.
    #[inline(always)]
    pub(super) fn risk_price(self, order: &Order, reference: Price) -> Result<Price, Refusal> {
        let raise = |price| raised(price, self.bps).ok_or(ARITHMETIC);
        match order.order_type {
            OrderType::Limit { limit } => Ok(limit.max(reference)),
            OrderType::Market => raise(reference),
            OrderType::Stop { stop } => raise(stop.max(reference)),
            OrderType::StopLimit { stop, limit } => raise(stop.max(limit).max(reference)),
            OrderType::TrailingStop { offset } => {
                let start = match (order.side, offset) {
                    (Side::Sell, _) => Some(reference),
                    (Side::Buy, TrailingOffset::Amount(amount)) => reference.checked_add(amount),
                    (Side::Buy, TrailingOffset::Percent(ratio)) => reference.raised_by(ratio),
                };
                raise(start.ok_or(ARITHMETIC)?)
            }
        }
    }
}

/// Whether a market order goes out as a limit order at the collar: not in auctions, which have no
/// touch to cross.
pub(super) const fn is_collared(order: &Order) -> bool {
    matches!(order.order_type, OrderType::Market)
        && !matches!(order.time_in_force, TimeInForce::Opg | TimeInForce::Cls)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{Quantity, Ratio};

    fn rule(tick: i64) -> InstrumentRule {
        InstrumentRule {
            tick: Price::from_units(tick),
            fine_tick: Price::from_units(tick),
            lot: Quantity::from_units(1),
            access: super::super::limits::Access::Allowed,
            shortable: true,
        }
    }

    proptest! {
        #[test]
        fn raising_by_basis_points_is_the_exact_product_rounded_up(
            units in 1i64..i64::MAX / 4,
            bps in 1u32..10_000,
        ) {
            let price = Price::from_units(units);
            prop_assert_eq!(raised(price, bps), price.raised_by(Ratio::from_basis_points(bps)));
        }

        /// On the tick, inside the band, and the next tick outward is outside of it.
        #[test]
        fn a_collar_limit_is_the_last_tick_inside_the_band(
            units in 1_000_000i64..1_000_000_000_000,
            bps in 1u32..10_000,
            tick in 1i64..1_000,
            buy in any::<bool>(),
        ) {
            let side = if buy { Side::Buy } else { Side::Sell };
            let reference = Price::from_units(units);
            let collar = Collar { bps, outer_bps: bps };
            let limit = collar_limit(reference, side, bps, &rule(tick)).expect("a tick");
            prop_assert_eq!(limit.units() % tick, 0);
            prop_assert!(collar.admit_limit(side, limit, reference).is_ok());
            let next = Price::from_units(limit.units() + if buy { tick } else { -tick });
            prop_assert!(collar.admit_limit(side, next, reference).is_err());
        }
    }
}
