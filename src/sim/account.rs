//! The broker's books: cash, positions, what open orders reserve, and buying power.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: every number of the account, kept up to date in constant time a quote, order or fill.
//! Never: rounds cash, or books a fill whose numbers do not fit.
//!
//! Margin: the gross value of all positions, each at the worst that its open orders could make of it, may not exceed
//! `multiplier` times equity. The worst of one instrument with position value `v` (at the mark), open buys worth `b`
//! and open sells worth `s` is `max(|v|, v + b, s - v)`. An order that does not raise that sum always passes. Cash:
//! buys may reserve what cash there is, and sells must be covered by the position. Fees are not reserved.

use super::settings::{ExchangeSettings, FeeSchedule, share_of};
use crate::types::{
    AccountKind, BrokerReject, InstrumentId, Money, Position, Price, Quantity, Ratio, Side,
};

/// No order and no fill is worth more: sums of a full order table stay far inside 128 bits.
pub(super) const MAX_NOTIONAL: Money = Money::from_whole(100_000_000_000_000);
/// A position counts at most this much in equity and exposure.
const MAX_VALUE: i128 = 10_000_000_000_000_000 * 1_000_000_000_000_000_000;
/// Positions with everything open stay inside this many units.
const MAX_QUANTITY: i128 = (i64::MAX / 2) as i128;

#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    position: Position,
    mark: Price,
    /// Units of open orders by side.
    open: [i64; 2],
    /// Reserved value of open orders by side.
    reserved: [Money; 2],
    value: Money,
    exposure: Money,
}

impl Holding {
    fn is_idle(&self) -> bool {
        self.position.quantity.is_zero() && self.open == [0, 0]
    }

    fn exposure_with(&self, extra: [Money; 2]) -> Money {
        let [buys, sells] = [0, 1].map(|side| self.reserved[side] + extra[side]);
        let value = self.value;
        value.abs().max(value + buys).max(sells - value)
    }
}

/// One account.
#[derive(Debug)]
pub(super) struct Account {
    kind: AccountKind,
    multiplier: Ratio,
    fees: FeeSchedule,
    cash: Money,
    holdings: Box<[Holding]>,
    value: Money,
    exposure: Money,
    reserved_buys: Money,
}

impl Account {
    pub(super) fn new(settings: &ExchangeSettings, instruments: usize) -> Self {
        Self {
            kind: settings.kind,
            multiplier: settings.multiplier,
            fees: settings.fees,
            cash: settings.cash,
            holdings: crate::types::touched(Holding::default(), instruments),
            value: Money::ZERO,
            exposure: Money::ZERO,
            reserved_buys: Money::ZERO,
        }
    }

    pub(super) fn restore_cash(&mut self, cash: Money) {
        self.cash = cash;
    }

    /// Takes a recovered position, marked at its cost until the market says otherwise.
    pub(super) fn restore_position(&mut self, instrument: InstrumentId, position: Position) {
        if let Some(holding) = self.holdings.get_mut(instrument.index()) {
            holding.position = position;
            holding.mark = position.average_price().unwrap_or_default();
            self.recompute(instrument);
        }
    }

    pub(super) const fn cash(&self) -> Money {
        self.cash
    }

    /// Cash plus positions at their marks.
    pub(super) fn equity(&self) -> Money {
        self.cash + self.value
    }

    /// What may still be bought or sold short, 0 when overdrawn.
    pub(super) fn buying_power(&self) -> Money {
        let left = match self.kind {
            AccountKind::Cash => self.cash - self.reserved_buys,
            AccountKind::Margin => share_of(self.equity(), self.multiplier) - self.exposure,
        };
        left.max(Money::ZERO)
    }

    pub(super) fn position(&self, instrument: InstrumentId) -> Position {
        self.holdings
            .get(instrument.index())
            .map_or_else(Position::default, |holding| holding.position)
    }

    /// The last mark, 0 before the first.
    pub(super) fn mark_of(&self, instrument: InstrumentId) -> Price {
        self.holdings[instrument.index()].mark
    }

    /// The market values an instrument at `mark`.
    #[inline]
    pub(super) fn mark(&mut self, instrument: InstrumentId, mark: Price) {
        let holding = &mut self.holdings[instrument.index()];
        if holding.mark == mark {
            return;
        }
        holding.mark = mark;
        if !holding.is_idle() {
            self.recompute(instrument);
        }
    }

    fn recompute(&mut self, instrument: InstrumentId) {
        let holding = &mut self.holdings[instrument.index()];
        let value = holding.mark.notional(holding.position.quantity).units();
        let value = Money::from_units(value.clamp(-MAX_VALUE, MAX_VALUE));
        self.value += value - holding.value;
        holding.value = value;
        let exposure = holding.exposure_with([Money::ZERO; 2]);
        self.exposure += exposure - holding.exposure;
        holding.exposure = exposure;
    }

    /// Whether an order of `quantity` may be taken, reserved at `price` (`None`: nobody knows a price). Returns what
    /// it is reserved at.
    pub(super) fn check(
        &self,
        instrument: InstrumentId,
        shortable: bool,
        side: Side,
        quantity: Quantity,
        price: Option<Price>,
    ) -> Result<Price, BrokerReject> {
        let holding = &self.holdings[instrument.index()];
        let position = i128::from(holding.position.quantity.units());
        let units = i128::from(quantity.units());
        let open = holding.open.map(i128::from);
        if position.abs() + open[0] + open[1] + units > MAX_QUANTITY {
            return Err(BrokerReject::InvalidOrder);
        }
        let (covered, shorts) = match side {
            Side::Buy => (position + open[0] + units <= 0, false),
            Side::Sell => {
                let covered = position - open[1] - units >= 0;
                (covered, !covered)
            }
        };
        if shorts && (self.kind == AccountKind::Cash || !shortable) {
            return Err(BrokerReject::ShortNotAllowed);
        }
        let Some(price) = price else {
            // Without a price nothing can be said of buying power: only an order that closes passes.
            return if covered {
                Ok(Price::ZERO)
            } else {
                Err(BrokerReject::Other)
            };
        };
        let notional = price.notional(quantity);
        if notional > MAX_NOTIONAL {
            return Err(BrokerReject::InvalidOrder);
        }
        let enough = match self.kind {
            AccountKind::Cash => side == Side::Sell || self.reserved_buys + notional <= self.cash,
            AccountKind::Margin => {
                let mut extra = [Money::ZERO; 2];
                extra[side as usize] = notional;
                let more = holding.exposure_with(extra) - holding.exposure;
                more <= Money::ZERO
                    || self.exposure + more <= share_of(self.equity(), self.multiplier)
            }
        };
        if enough {
            Ok(price)
        } else {
            Err(BrokerReject::InsufficientBuyingPower)
        }
    }

    /// Reserves `quantity` at `price`.
    pub(super) fn reserve(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        price: Price,
    ) {
        self.change_reserved(instrument, side, quantity.units(), price);
        self.recompute(instrument);
    }

    /// Gives back what [`reserve`](Self::reserve) took.
    pub(super) fn release(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        price: Price,
    ) {
        self.change_reserved(instrument, side, -quantity.units(), price);
        self.recompute(instrument);
    }

    fn change_reserved(&mut self, instrument: InstrumentId, side: Side, units: i64, price: Price) {
        let holding = &mut self.holdings[instrument.index()];
        let value = price.notional(Quantity::from_units(units));
        holding.open[side as usize] += units;
        holding.reserved[side as usize] += value;
        if side == Side::Buy {
            self.reserved_buys += value;
        }
        debug_assert!(
            holding.open[side as usize] >= 0,
            "invariant: no more is released than was reserved"
        );
    }

    /// Books a fill of an order reserved at `reserved`; returns its fee. `None`, and nothing changed, when the
    /// numbers do not fit.
    pub(super) fn fill(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        price: Price,
        reserved: Price,
    ) -> Option<Money> {
        let notional = price.notional(quantity);
        if notional > MAX_NOTIONAL {
            return None;
        }
        let fee = self.fees.fee(quantity, price);
        let paid = match side {
            Side::Buy => notional,
            Side::Sell => -notional,
        };
        let cash = self.cash.checked_sub(paid)?.checked_sub(fee)?;
        let mut position = self.holdings[instrument.index()].position;
        position.apply(side, quantity, price, fee)?;
        self.holdings[instrument.index()].position = position;
        self.cash = cash;
        if self.holdings[instrument.index()].mark.is_zero() {
            self.holdings[instrument.index()].mark = price;
        }
        self.change_reserved(instrument, side, -quantity.units(), reserved);
        self.recompute(instrument);
        Some(fee)
    }

    /// Positions that are not flat.
    pub(super) fn positions(&self) -> impl Iterator<Item = (InstrumentId, Quantity)> + '_ {
        self.holdings
            .iter()
            .enumerate()
            .filter(|(_, holding)| !holding.position.quantity.is_zero())
            .map(|(row, holding)| (InstrumentId(row as u32), holding.position.quantity))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IBM: InstrumentId = InstrumentId(0);

    fn shares(n: i64) -> Quantity {
        Quantity::from_whole(n).expect("small")
    }

    fn price(n: i64) -> Price {
        Price::from_whole(n).expect("small")
    }

    fn account(kind: AccountKind) -> Account {
        let settings = ExchangeSettings {
            kind,
            cash: Money::from_whole(1_000),
            ..ExchangeSettings::default()
        };
        Account::new(&settings, 2)
    }

    #[test]
    fn cash_buys_up_to_the_cash_and_never_sells_short() {
        let mut account = account(AccountKind::Cash);
        let buy = |a: &Account, n| a.check(IBM, true, Side::Buy, shares(n), Some(price(10)));
        assert_eq!(buy(&account, 100), Ok(price(10)));
        assert_eq!(
            buy(&account, 101),
            Err(BrokerReject::InsufficientBuyingPower)
        );
        account.reserve(IBM, Side::Buy, shares(60), price(10));
        assert_eq!(buy(&account, 40), Ok(price(10)));
        assert_eq!(
            buy(&account, 41),
            Err(BrokerReject::InsufficientBuyingPower)
        );
        account
            .fill(IBM, Side::Buy, shares(60), price(9), price(10))
            .expect("fits");
        assert_eq!(account.cash(), Money::from_whole(460));
        assert_eq!(account.buying_power(), Money::from_whole(460));
        let sell = |a: &Account, n| a.check(IBM, true, Side::Sell, shares(n), None);
        assert_eq!(sell(&account, 60), Ok(Price::ZERO));
        assert_eq!(sell(&account, 61), Err(BrokerReject::ShortNotAllowed));
        account.reserve(IBM, Side::Sell, shares(1), Price::ZERO);
        assert_eq!(sell(&account, 60), Err(BrokerReject::ShortNotAllowed));
    }

    #[test]
    fn margin_allows_the_multiple_and_closing_always() {
        let mut account = account(AccountKind::Margin);
        let check = |a: &Account, side, n, p| a.check(IBM, true, side, shares(n), Some(price(p)));
        assert_eq!(check(&account, Side::Buy, 200, 10), Ok(price(10)));
        assert_eq!(
            check(&account, Side::Sell, 201, 10),
            Err(BrokerReject::InsufficientBuyingPower)
        );
        account.reserve(IBM, Side::Sell, shares(150), price(10));
        account
            .fill(IBM, Side::Sell, shares(150), price(10), price(10))
            .expect("fits");
        account.mark(IBM, price(15));
        assert_eq!(account.equity(), Money::from_whole(1_000 - 150 * 5));
        assert_eq!(account.buying_power(), Money::ZERO);
        assert_eq!(check(&account, Side::Buy, 150, 15), Ok(price(15)));
        assert_eq!(
            check(&account, Side::Sell, 1, 15),
            Err(BrokerReject::InsufficientBuyingPower)
        );
        assert_eq!(
            account.check(IBM, false, Side::Sell, shares(1), Some(price(15))),
            Err(BrokerReject::ShortNotAllowed)
        );
    }

    #[test]
    fn numbers_that_do_not_fit_change_nothing() {
        let mut account = account(AccountKind::Margin);
        let before = account.cash();
        assert_eq!(
            account.check(IBM, true, Side::Buy, Quantity::MAX, Some(price(1))),
            Err(BrokerReject::InvalidOrder)
        );
        assert_eq!(
            account.check(
                IBM,
                true,
                Side::Buy,
                shares(1_000_000_000),
                Some(Price::MAX)
            ),
            Err(BrokerReject::InvalidOrder)
        );
        let huge = shares(1_000_000_000);
        account.reserve(IBM, Side::Buy, huge, Price::ZERO);
        assert_eq!(
            account.fill(IBM, Side::Buy, huge, Price::MAX, Price::ZERO),
            None
        );
        assert_eq!(account.cash(), before);
        assert_eq!(account.position(IBM), Position::default());
    }

    proptest! {
        /// The running sums equal those recomputed from all holdings after any sequence of events.
        #[test]
        fn running_sums_equal_recomputed_ones(
            steps in prop::collection::vec(
                (0u8..4, 0u32..2, any::<bool>(), 1i64..50, 1i64..100),
                1..200,
            ),
        ) {
            let mut account = account(AccountKind::Margin);
            let mut open: Vec<(InstrumentId, Side, Quantity, Price)> = Vec::new();
            for (action, instrument, buy, n, p) in steps {
                let side = if buy { Side::Buy } else { Side::Sell };
                let instrument = InstrumentId(instrument);
                match action {
                    0 => account.mark(instrument, price(p)),
                    1 => {
                        account.reserve(instrument, side, shares(n), price(p));
                        open.push((instrument, side, shares(n), price(p)));
                    }
                    2 => if let Some((i, s, q, r)) = open.pop() {
                        account.fill(i, s, q, price(p), r).expect("fits");
                    },
                    _ => if let Some((i, s, q, r)) = open.pop() {
                        account.release(i, s, q, r);
                    },
                }
                let value: Money = account.holdings.iter()
                    .map(|h| h.mark.notional(h.position.quantity))
                    .sum();
                let exposure: Money = account.holdings.iter().map(|h| {
                    let v = h.mark.notional(h.position.quantity);
                    v.abs().max(v + h.reserved[0]).max(h.reserved[1] - v)
                }).sum();
                prop_assert_eq!(account.value, value);
                prop_assert_eq!(account.exposure, exposure);
                let buys: Money = open.iter()
                    .filter(|(_, s, _, _)| *s == Side::Buy)
                    .map(|(_, _, q, r)| r.notional(*q))
                    .sum();
                prop_assert_eq!(account.reserved_buys, buys);
            }
        }
    }
}
