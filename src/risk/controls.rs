//! The single comparisons of the gate: quantity, notional, quote, open orders, shorts, position,
//! buying power.
//!
//! Runs on: the RISK agent.
//! Owns: what each control compares, and the two numbers that its refusal carries.
//! Never: changes anything.

use crate::ring::MarketSnapshot;
use crate::types::{
    AccountKind, Nanos, Order, OrderShapeError, OrderType, Price, Quantity, QuoteCondition,
    Refusal, RefusalCode, SessionPhase, Side, StrategyId,
};

use super::exposure::sign;
use super::gate::{ARITHMETIC, Case, Limits, RiskGate, invalid};
use super::limits::{InstrumentRule, RiskSettings};
use super::orders::Claim;
use super::session::Session;

impl Limits {
    pub(super) fn of(settings: &RiskSettings) -> Self {
        let account = (settings.max_order_quantity, settings.max_position);
        let mut by_strategy = vec![account; usize::from(settings.strategies)].into_boxed_slice();
        for (strategy, own) in &settings.strategy_limits {
            let (order, position) = &mut by_strategy[strategy.index()];
            *order = own.max_order_quantity.unwrap_or(*order).min(*order);
            *position = own.max_position.unwrap_or(*position).min(*position);
        }
        Self {
            max_order_notional: settings.max_order_notional,
            max_open_orders: settings.max_open_orders as usize,
            max_open_per_symbol: settings.max_open_orders_per_symbol.unwrap_or(u32::MAX),
            max_open_per_strategy: settings.max_open_orders_per_strategy.unwrap_or(u32::MAX),
            max_quote_age_ns: settings.max_quote_age_ns.unwrap_or(u64::MAX),
            max_feed_silence_ns: settings.max_feed_silence_ns.unwrap_or(u64::MAX),
            allow_short: settings.allow_short,
            by_strategy,
        }
    }
}

impl InstrumentRule {
    /// Prices on the tick, the quantity on the lot.
    #[inline(always)]
    pub(super) fn admit_steps(&self, order: &Order) -> Result<(), Refusal> {
        let steps = |price: Price| price.units() % self.tick_at(price).units() == 0;
        let on_tick = match order.order_type {
            OrderType::Market | OrderType::TrailingStop { .. } => true,
            OrderType::Limit { limit: price } | OrderType::Stop { stop: price } => steps(price),
            OrderType::StopLimit { stop, limit } => steps(stop) && steps(limit),
        };
        if !on_tick {
            return Err(invalid(OrderShapeError::Tick));
        }
        if order.quantity.units() % self.lot.units() != 0 {
            return Err(invalid(OrderShapeError::Lot));
        }
        Ok(())
    }
}

impl Case<'_> {
    /// Whether the quote is two-sided, the right way round and recent.
    pub(super) fn has_fresh_touch(&self) -> bool {
        self.look.freshness.is_ok() && self.look.market.quote.condition() == QuoteCondition::Normal
    }

    /// Control 16.
    #[inline(always)]
    pub(super) fn admit_quote(&self) -> Result<(), Refusal> {
        let quote = &self.look.market.quote;
        match quote.condition() {
            QuoteCondition::Normal => self.look.freshness,
            QuoteCondition::OneSided => Err(Refusal::plain(RefusalCode::MissingQuote)),
            QuoteCondition::Locked => {
                let code = RefusalCode::LockedQuote;
                Err(Refusal::prices(code, quote.bid, quote.ask))
            }
            QuoteCondition::Crossed => {
                let code = RefusalCode::CrossedQuote;
                Err(Refusal::prices(code, quote.bid, quote.ask))
            }
        }
    }
}

impl RiskGate {
    /// Control 16's ages: the symbol's own, and the silence of the feed while in session.
    #[inline(always)]
    pub(super) fn freshness(
        &self,
        now: Nanos,
        session: Session,
        market: &MarketSnapshot,
    ) -> Result<(), Refusal> {
        let newest = self
            .newest_data
            .max(market.quote.time)
            .max(market.last_time);
        let age = now.since(market.quote.time);
        let silence = now.since(newest);
        if age > self.limits.max_quote_age_ns {
            let code = RefusalCode::StaleQuote;
            return Err(Refusal::counts(code, age, self.limits.max_quote_age_ns));
        }
        if silence > self.limits.max_feed_silence_ns && session.phase != SessionPhase::Closed {
            let code = RefusalCode::StaleQuote;
            return Err(Refusal::counts(
                code,
                silence,
                self.limits.max_feed_silence_ns,
            ));
        }
        Ok(())
    }

    /// Control 1.
    #[inline(always)]
    pub(super) fn check_quantity(
        &self,
        strategy: StrategyId,
        quantity: Quantity,
    ) -> Result<(), Refusal> {
        let (limit, _) = self.limits.by_strategy[strategy.index()];
        if quantity > limit {
            let code = RefusalCode::MaxOrderQuantity;
            return Err(Refusal::quantities(code, quantity, limit));
        }
        Ok(())
    }

    /// Control 2.
    #[inline(always)]
    pub(super) fn check_notional(&self, price: Price, quantity: Quantity) -> Result<(), Refusal> {
        let notional = price.notional(quantity);
        match self.limits.max_order_notional {
            Some(limit) if notional > limit => {
                let code = RefusalCode::MaxOrderNotional;
                Err(Refusal::amounts(code, notional, limit))
            }
            _ => Ok(()),
        }
    }

    /// Control 20.
    #[inline(always)]
    pub(super) fn check_open_orders(&self, case: &Case<'_>) -> Result<(), Refusal> {
        let by_strategy = self.book.open_of(case.strategy);
        let counts = [
            (
                self.book.orders.len() as u64,
                self.limits.max_open_orders as u64,
            ),
            (
                u64::from(case.cell.open_orders),
                u64::from(self.limits.max_open_per_symbol),
            ),
            (
                u64::from(by_strategy),
                u64::from(self.limits.max_open_per_strategy),
            ),
        ];
        for (open, limit) in counts {
            if open >= limit {
                let code = RefusalCode::MaxOpenOrders;
                return Err(Refusal::counts(code, open + 1, limit));
            }
        }
        Ok(())
    }

    /// Controls 19, 4 and 6, for a claim that takes the place of another (none for a new order).
    #[inline(always)]
    pub(super) fn check_exposure(
        &self,
        case: &Case<'_>,
        before: Claim,
        after: Claim,
        rule: &InstrumentRule,
    ) -> Result<(), Refusal> {
        if self.breakers.is_armed() && self.book.equity.has_unpriced() {
            return Err(Refusal::plain(RefusalCode::EquityUnknown));
        }
        let side = case.order.side;
        let more = i128::from(after.remaining) - i128::from(before.remaining);
        let worst = case.cell.toward(side) + more;
        let signed = || clamped(worst * sign(side));
        let kind = self
            .book
            .equity
            .kind(case.broker)
            .ok_or(Refusal::plain(RefusalCode::NoAccount))?;
        // Another broker's account that is not known yet leaves the loss limits blind.
        if self.breakers.is_armed() && self.book.equity.total().is_none() {
            return Err(Refusal::plain(RefusalCode::EquityUnknown));
        }
        let may_short = self.limits.allow_short && kind == AccountKind::Margin && rule.shortable;
        if side == Side::Sell && worst > 0 && !may_short {
            let code = RefusalCode::ShortNotAllowed;
            return Err(Refusal::quantities(code, signed(), Quantity::ZERO));
        }
        let (_, limit) = self.limits.by_strategy[case.strategy.index()];
        if worst > i128::from(limit.units()) {
            let code = RefusalCode::MaxPosition;
            return Err(Refusal::quantities(code, signed(), limit));
        }
        self.check_power(case, before, after)
    }

    /// Control 6.
    #[inline(always)]
    fn check_power(&self, case: &Case<'_>, before: Claim, after: Claim) -> Result<(), Refusal> {
        let power = self.book.equity.buying_power(case.broker);
        let holds = self.book.holds(case.broker).checked_sub(before.hold);
        let (Some(power), Some(holds)) = (power, holds) else {
            return Err(ARITHMETIC);
        };
        let (Some(needed), Some(free)) = (holds.checked_add(after.hold), power.checked_sub(holds))
        else {
            return Err(ARITHMETIC);
        };
        if needed > power {
            let code = RefusalCode::BuyingPower;
            return Err(Refusal::amounts(code, after.hold, free));
        }
        Ok(())
    }
}

/// A worst-case quantity as a refusal shows it: at the ends of the range it stays there.
fn clamped(quantity: i128) -> Quantity {
    let units = quantity.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Quantity::from_units(units as i64)
}
