//! Cash, adverse marks and equity, kept up to date by differences.
//!
//! Runs on: the RISK agent.
//! Owns: each broker's cash, what its positions are worth at adverse marks (bid for longs, ask for
//! shorts), and the buying power that follows (control 6).
//! Never: walks positions on a hot path: a fill costs one difference, a quote one per broker that
//! holds the symbol.

use crate::types::{
    AccountKind, AccountSnapshot, BrokerId, Money, Price, Quantity, Quote, QuoteCondition, Ratio,
    decimal,
};

use crate::types::touched;

/// A ratio in lowest terms: whole multiples cost no division.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fraction {
    numerator: i64,
    denominator: i64,
}

impl Fraction {
    fn of(ratio: Ratio) -> Self {
        let (mut a, mut b) = (ratio.units().unsigned_abs(), decimal::ONE.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = a.max(1) as i64;
        Self {
            numerator: ratio.units() / divisor,
            denominator: decimal::ONE / divisor,
        }
    }

    /// This share of `units`, rounded down; `None` on overflow.
    #[inline(always)]
    fn apply(self, units: i128) -> Option<i128> {
        if self.numerator == self.denominator {
            return Some(units);
        }
        let numerator = i128::from(self.numerator);
        // Below 2^95 times at most 2^31 fits; the checked product of any two is several times
        // dearer.
        let product = if units.unsigned_abs() >> 95 == 0 && self.numerator >> 31 == 0 {
            units.wrapping_mul(numerator)
        } else {
            units.checked_mul(numerator)?
        };
        if self.denominator == 1 {
            Some(product)
        } else {
            Some(product.div_euclid(i128::from(self.denominator)))
        }
    }
}

/// One broker's money.
#[derive(Clone, Copy, Debug)]
struct Account {
    /// Followed fill by fill between snapshots.
    cash: i128,
    /// Sum of position times adverse mark.
    value: i128,
    /// Sum of |position| times adverse mark.
    gross: i128,
    kind: AccountKind,
    multiplier: Fraction,
    /// Cash came from a snapshot or from the journal.
    has_cash: bool,
    /// Kind and multiplier came from a snapshot.
    has_terms: bool,
}

/// The last good adverse marks of an instrument, 0 before the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Mark {
    bid: Price,
    ask: Price,
    /// Held since before this start, and no good quote came yet: marked at cost, which is no price.
    pub(super) is_provisional: bool,
}

impl Mark {
    /// The adverse price of a position.
    pub(super) fn of(&self, position: i64) -> Price {
        if position >= 0 { self.bid } else { self.ask }
    }

    const fn at(price: Price) -> Self {
        Self {
            bid: price,
            ask: price,
            is_provisional: false,
        }
    }
}

/// See the module.
pub(super) struct EquityBook {
    accounts: Box<[Account]>,
    marks: Box<[Mark]>,
    haircut: Fraction,
    /// Sum of cash and value over all brokers.
    total: i128,
    without_cash: usize,
    provisional: usize,
    /// Changed since the breakers last looked.
    pub(super) has_moved: bool,
    /// A number did not fit: nothing derived from this book may be used any more.
    pub(super) is_broken: bool,
}

fn product(position: i64, price: Price) -> i128 {
    i128::from(position) * i128::from(price.units())
}

impl EquityBook {
    pub(super) fn new(brokers: u8, instruments: usize, haircut: Ratio) -> Self {
        let account = Account {
            cash: 0,
            value: 0,
            gross: 0,
            kind: AccountKind::Cash,
            multiplier: Fraction::of(Ratio::ONE),
            has_cash: false,
            has_terms: false,
        };
        Self {
            accounts: vec![account; usize::from(brokers)].into_boxed_slice(),
            marks: touched(Mark::default(), instruments),
            haircut: Fraction::of(haircut),
            total: 0,
            without_cash: usize::from(brokers),
            provisional: 0,
            has_moved: true,
            is_broken: false,
        }
    }

    /// Adds differences to one account and the total.
    fn shift(&mut self, broker: BrokerId, cash: i128, value: i128, gross: i128) {
        let sum = |a: i128, b: i128| a.checked_add(b);
        let account = &mut self.accounts[broker.index()];
        let shifted = (|| {
            let total = sum(self.total, sum(cash, value)?)?;
            Some((
                sum(account.cash, cash)?,
                sum(account.value, value)?,
                sum(account.gross, gross)?,
                total,
            ))
        })();
        match shifted {
            Some((cash, value, gross, total)) => {
                account.cash = cash;
                account.value = value;
                account.gross = gross;
                self.total = total;
            }
            None => self.is_broken = true,
        }
        self.has_moved = true;
    }

    /// Sets a broker's cash (from the journal or a snapshot).
    pub(super) fn set_cash(&mut self, broker: BrokerId, cash: Money) {
        let account = &mut self.accounts[broker.index()];
        if !account.has_cash {
            account.has_cash = true;
            self.without_cash -= 1;
        }
        match cash.units().checked_sub(account.cash) {
            Some(difference) => self.shift(broker, difference, 0, 0),
            None => self.is_broken = true,
        }
    }

    /// Takes a broker's own word: cash, kind and multiplier.
    pub(super) fn set_account(&mut self, snapshot: &AccountSnapshot) {
        self.set_cash(snapshot.broker, snapshot.cash);
        let account = &mut self.accounts[snapshot.broker.index()];
        account.kind = snapshot.kind;
        account.multiplier = Fraction::of(snapshot.multiplier);
        account.has_terms = true;
    }

    /// The kind of a broker's account; `None` before its first snapshot.
    #[inline(always)]
    pub(super) fn kind(&self, broker: BrokerId) -> Option<AccountKind> {
        let account = &self.accounts[broker.index()];
        account.has_terms.then_some(account.kind)
    }

    /// A position changed and money moved. A symbol without any mark is marked at the fill's own
    /// price.
    pub(super) fn move_position(
        &mut self,
        broker: BrokerId,
        instrument: usize,
        (before, after): (i64, i64),
        price: Price,
        cash: i128,
    ) {
        let mark = &mut self.marks[instrument];
        if mark.bid.is_zero() || mark.ask.is_zero() {
            *mark = Mark {
                is_provisional: mark.is_provisional,
                ..Mark::at(price)
            };
        }
        let (old, new) = (mark.of(before), mark.of(after));
        let value = product(after, new).checked_sub(product(before, old));
        let gross = product(after, new)
            .abs()
            .checked_sub(product(before, old).abs());
        match (value, gross) {
            (Some(value), Some(gross)) => self.shift(broker, cash, value, gross),
            _ => self.is_broken = true,
        }
    }

    /// A recovered position that no quote has priced yet: marked at cost until one does.
    pub(super) fn mark_provisionally(&mut self, instrument: usize, cost: Price) {
        let mark = &mut self.marks[instrument];
        if mark.bid.is_zero() && !mark.is_provisional {
            *mark = Mark {
                is_provisional: true,
                ..Mark::at(cost)
            };
            self.provisional += 1;
        }
    }

    /// The instrument is flat everywhere: an unknown price of it matters no more.
    pub(super) fn forget_provisional(&mut self, instrument: usize) {
        if self.marks[instrument].is_provisional {
            self.marks[instrument].is_provisional = false;
            self.provisional -= 1;
            self.has_moved = true;
        }
    }

    /// Takes a quote: `positions` are the brokers' positions of the instrument. A quote that is
    /// locked, crossed or one-sided leaves the last good marks.
    pub(super) fn mark<'a>(
        &mut self,
        instrument: usize,
        quote: &Quote,
        positions: impl Iterator<Item = &'a super::exposure::Cell>,
    ) {
        let old = self.marks[instrument];
        if quote.condition() != QuoteCondition::Normal
            || (old.bid == quote.bid && old.ask == quote.ask && !old.is_provisional)
        {
            return;
        }
        let new = Mark {
            bid: quote.bid,
            ask: quote.ask,
            is_provisional: false,
        };
        self.forget_provisional(instrument);
        self.marks[instrument] = new;
        for (broker, cell) in (0u8..).zip(positions) {
            let position = cell.position;
            if position == 0 {
                continue;
            }
            let step = i128::from(new.of(position).units()) - i128::from(old.of(position).units());
            if step == 0 {
                continue;
            }
            let value = step.checked_mul(i128::from(position));
            let gross = step.checked_mul(i128::from(position.unsigned_abs()));
            match (value, gross) {
                (Some(value), Some(gross)) => self.shift(BrokerId(broker), 0, value, gross),
                _ => self.is_broken = true,
            }
        }
    }

    /// An instrument's last good marks.
    pub(super) fn marks(&self, instrument: usize) -> Mark {
        self.marks[instrument]
    }

    /// Whether a held position has no price yet.
    pub(super) const fn has_unpriced(&self) -> bool {
        self.provisional > 0
    }

    /// Equity over all brokers; `None` until every broker's cash and every held position's price
    /// are known.
    pub(super) fn total(&self) -> Option<Money> {
        let known = self.without_cash == 0 && self.provisional == 0 && !self.is_broken;
        known.then_some(Money::from_units(self.total))
    }

    /// What a broker's account lets its open orders hold in all: cash, or on margin the multiple of
    /// equity that positions have not used; of it the share that the haircut leaves. `None` on
    /// overflow.
    #[inline(always)]
    pub(super) fn buying_power(&self, broker: BrokerId) -> Option<Money> {
        let account = &self.accounts[broker.index()];
        let free = match account.kind {
            AccountKind::Cash => account.cash,
            AccountKind::Margin => {
                let equity = account.cash.checked_add(account.value)?;
                account
                    .multiplier
                    .apply(equity)?
                    .checked_sub(account.gross)?
            }
        };
        self.haircut.apply(free).map(Money::from_units)
    }
}

/// Cash that a fill moves: what was sold less what was bought, less the fee; `None` on overflow.
pub(super) fn cash_of_fill(signed: Quantity, price: Price, fee: Money) -> Option<i128> {
    price
        .notional(signed)
        .units()
        .checked_neg()?
        .checked_sub(fee.units())
}
