//! Cash, equity, profit and fees: per broker, per strategy and in total.
//!
//! Runs on: COLD, and whoever replays a journal.
//! Owns: the books. Cash follows fills and fees exactly; an account snapshot sets it.
//! Never: values a position that was never marked at anything but its cost, and says so then.
//!
//! At every moment, for a broker and in total:
//! `equity = start_cash + adjustments + carried_cost + realized + unrealized - fees`, to the last
//! unit. The start is the first cash on record; a later snapshot that differs from the books is an
//! adjustment (a deposit, a dividend).

use std::collections::BTreeMap;

use super::marks::Marks;
use super::positions::{PositionEvent, PositionFill, PositionManager, PositionOverflow};
use crate::types::{
    AccountSnapshot, BrokerId, InstrumentId, Money, Position, Price, RecoveredState, Side,
    StrategyId,
};

/// Cash at one broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Account {
    /// Cash by the books; only the flow of this session while the account is not known.
    cash: Money,
    /// Whether a journal or a broker ever said how much there is.
    known: bool,
    /// Cash before this session's first fill.
    start: Money,
    /// What snapshots added or took.
    adjustments: Money,
    /// Cost of the positions that were carried in.
    carried_cost: Money,
}

/// What changed hands in this session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turnover {
    /// Fills that bought.
    pub buys: u64,
    /// Fills that sold.
    pub sells: u64,
    /// Sum of quantities, 10^-9.
    pub quantity_units: i128,
    /// Sum of prices times quantities.
    pub notional: Money,
}

/// The books of one broker, or of all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortfolioTotals {
    /// Cash now.
    pub cash: Money,
    /// Cash and the value of what is held.
    pub equity: Money,
    /// Profit of what was closed in this session, fees not counted.
    pub realized: Money,
    /// Profit of what is open: value at the mark less cost.
    pub unrealized: Money,
    /// Fees paid in this session.
    pub fees: Money,
    /// Cash at the session's start.
    pub start_cash: Money,
    /// What account snapshots added or took after that.
    pub adjustments: Money,
    /// Cost of the positions that were carried in.
    pub carried_cost: Money,
    /// Positions that are not flat.
    pub active_positions: usize,
    /// Those of them that were never marked and are valued at cost.
    pub unmarked_positions: usize,
    /// Brokers with fills or positions whose cash nobody has said yet: their cash is this session's
    /// flow only.
    pub unknown_accounts: usize,
}

/// A strategy's share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StrategyTotals {
    /// Profit of what it closed, fees not counted.
    pub realized: Money,
    /// Profit of what it holds open.
    pub unrealized: Money,
    /// Fees that it paid.
    pub fees: Money,
    /// Positions of its own that are not flat.
    pub active_positions: usize,
}

/// A position as people see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionView {
    /// Where.
    pub broker: BrokerId,
    /// What.
    pub instrument: InstrumentId,
    /// Quantity, exact cost, realised profit and fees.
    pub position: Position,
    /// The last good mark; `None` when there never was one.
    pub mark: Option<Price>,
    /// Value at the mark less cost; 0 when there is no mark.
    pub unrealized: Money,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct PortfolioManager {
    accounts: BTreeMap<BrokerId, Account>,
    positions: PositionManager,
    marks: Marks,
    turnover: Turnover,
}

impl PortfolioManager {
    /// The books at a start: what the journal recovered, and where marks come from.
    #[must_use]
    pub fn new(recovered: &RecoveredState, marks: Marks) -> Self {
        let mut accounts: BTreeMap<BrokerId, Account> = BTreeMap::new();
        for account in &recovered.accounts {
            let entry = accounts.entry(account.broker).or_default();
            (entry.cash, entry.start, entry.known) = (account.cash, account.cash, true);
        }
        for carried in &recovered.positions {
            let entry = accounts.entry(carried.broker).or_default();
            entry.carried_cost = sum(entry.carried_cost, carried.position.cost);
        }
        Self {
            accounts,
            positions: PositionManager::new(recovered),
            marks,
            turnover: Turnover::default(),
        }
    }

    /// Books a fill: position, share of the strategy, cash.
    ///
    /// # Errors
    /// [`PositionOverflow`] when a sum does not fit; nothing was changed then.
    pub fn fill(&mut self, cause: &PositionFill) -> Result<PositionEvent, PositionOverflow> {
        let overflow = PositionOverflow {
            broker: cause.broker,
            instrument: cause.instrument,
        };
        let fill = &cause.fill;
        let notional = fill.price.notional(fill.quantity);
        let flow = match cause.side {
            Side::Buy => Money::ZERO.checked_sub(notional),
            Side::Sell => Some(notional),
        };
        let account = self
            .accounts
            .get(&cause.broker)
            .copied()
            .unwrap_or_default();
        let cash = flow
            .and_then(|flow| account.cash.checked_add(flow))
            .and_then(|cash| cash.checked_sub(fill.fee))
            .ok_or(overflow)?;
        let event = self.positions.apply(cause)?;
        self.accounts
            .insert(cause.broker, Account { cash, ..account });
        match cause.side {
            Side::Buy => self.turnover.buys += 1,
            Side::Sell => self.turnover.sells += 1,
        }
        self.turnover.quantity_units += i128::from(fill.quantity.units());
        self.turnover.notional = sum(self.turnover.notional, notional);
        Ok(event)
    }

    /// Sets a broker's cash to what it says.
    pub fn account(&mut self, snapshot: &AccountSnapshot) {
        let account = self.accounts.entry(snapshot.broker).or_default();
        let difference = less(snapshot.cash, account.cash);
        if account.known {
            account.adjustments = sum(account.adjustments, difference);
        } else {
            // What was booked so far is the flow from a start that is known only now.
            account.start = difference;
            account.known = true;
        }
        account.cash = snapshot.cash;
    }

    /// Looks at the quotes of at most `limit` held instruments.
    pub fn refresh_marks(&mut self, limit: usize) {
        self.marks.refresh(self.positions.held_instruments(), limit);
    }

    /// The marks, to be taken over by a rebuilt portfolio or a report.
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Takes marks over.
    pub fn set_marks(&mut self, marks: Marks) {
        self.marks = marks;
    }

    /// The positions.
    #[must_use]
    pub const fn positions(&self) -> &PositionManager {
        &self.positions
    }

    /// What changed hands.
    #[must_use]
    pub const fn turnover(&self) -> &Turnover {
        &self.turnover
    }

    /// Every broker that has an account, a fill or a position, ascending.
    pub fn brokers(&self) -> impl Iterator<Item = BrokerId> {
        self.accounts.keys().copied()
    }

    /// The books of all brokers.
    #[must_use]
    pub fn totals(&self) -> PortfolioTotals {
        self.totals_where(|_| true)
    }

    /// The books of one broker.
    #[must_use]
    pub fn broker_totals(&self, broker: BrokerId) -> PortfolioTotals {
        self.totals_where(|other| other == broker)
    }

    fn totals_where(&self, wanted: impl Fn(BrokerId) -> bool) -> PortfolioTotals {
        let mut totals = PortfolioTotals::default();
        for (_, account) in self.accounts.iter().filter(|(broker, _)| wanted(**broker)) {
            totals.cash = sum(totals.cash, account.cash);
            totals.start_cash = sum(totals.start_cash, account.start);
            totals.adjustments = sum(totals.adjustments, account.adjustments);
            totals.carried_cost = sum(totals.carried_cost, account.carried_cost);
            totals.unknown_accounts += usize::from(!account.known);
        }
        totals.equity = totals.cash;
        for (broker, instrument, held) in self.positions.all() {
            if !wanted(broker) {
                continue;
            }
            let position = &held.position;
            let (mark, unrealized) = self.valued(instrument, position);
            totals.realized = sum(totals.realized, position.realized);
            totals.fees = sum(totals.fees, position.fees);
            totals.unrealized = sum(totals.unrealized, unrealized);
            totals.equity = sum(sum(totals.equity, position.cost), unrealized);
            if !position.quantity.is_zero() {
                totals.active_positions += 1;
                totals.unmarked_positions += usize::from(mark.is_none());
            }
        }
        totals
    }

    /// The share of each strategy that ever had a fill, ascending; carried-in positions are
    /// [`StrategyId::EXTERNAL`]'s.
    #[must_use]
    pub fn strategies(&self) -> BTreeMap<StrategyId, StrategyTotals> {
        let mut strategies: BTreeMap<StrategyId, StrategyTotals> = BTreeMap::new();
        for (strategy, _, instrument, share) in self.positions.shares() {
            let totals = strategies.entry(strategy).or_default();
            totals.realized = sum(totals.realized, share.realized);
            totals.fees = sum(totals.fees, share.fees);
            totals.unrealized = sum(totals.unrealized, self.valued(instrument, share).1);
            totals.active_positions += usize::from(!share.quantity.is_zero());
        }
        strategies
    }

    /// Every position that is not flat, by broker and instrument.
    #[must_use]
    pub fn views(&self) -> Vec<PositionView> {
        self.positions
            .all()
            .filter(|(_, _, held)| !held.position.quantity.is_zero())
            .map(|(broker, instrument, held)| {
                let (mark, unrealized) = self.valued(instrument, &held.position);
                PositionView {
                    broker,
                    instrument,
                    position: held.position,
                    mark,
                    unrealized,
                }
            })
            .collect()
    }

    fn valued(&self, instrument: InstrumentId, position: &Position) -> (Option<Price>, Money) {
        let mark = self.marks.get(instrument);
        let unrealized = mark.map_or(Money::ZERO, |mark| {
            less(mark.notional(position.quantity), position.cost)
        });
        (mark, unrealized)
    }
}

/// A sum that stops at the end of the range, which is 170 million million million: a broken price
/// must not take the books down with it.
fn sum(a: Money, b: Money) -> Money {
    Money::from_units(a.units().saturating_add(b.units()))
}

fn less(a: Money, b: Money) -> Money {
    Money::from_units(a.units().saturating_sub(b.units()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{
        AccountKind, ExecutionId, Fill, Liquidity, Nanos, OrderId, Quantity, Ratio,
        RecoveredAccount, RecoveredPosition,
    };

    fn account(broker: u8, cash: i64) -> AccountSnapshot {
        AccountSnapshot {
            broker: BrokerId(broker),
            kind: AccountKind::Cash,
            cash: Money::from_whole(cash),
            multiplier: Ratio::ONE,
            at: Nanos::ZERO,
        }
    }

    fn bought(broker: u8, instrument: u32, quantity: i64, price: i64) -> PositionFill {
        PositionFill {
            broker: BrokerId(broker),
            instrument: InstrumentId(instrument),
            strategy: StrategyId(u8::from(quantity % 2 == 0) + 1),
            order_id: OrderId::default(),
            side: if quantity > 0 { Side::Buy } else { Side::Sell },
            fill: Fill {
                execution_id: ExecutionId::NONE,
                fee: Money::from_units(i128::from(price)),
                quantity: Quantity::from_units(quantity.abs()),
                price: Price::from_units(price),
                liquidity: Liquidity::Unknown,
                unexpected: false,
            },
            at: Nanos::ZERO,
        }
    }

    #[test]
    fn a_position_without_a_mark_is_valued_at_cost_and_says_so() {
        let mut portfolio = PortfolioManager::default();
        portfolio.account(&account(0, 1_000));
        portfolio
            .fill(&bought(0, 1, 2_000_000_000, 7_000_000_000))
            .expect("fits");
        let totals = portfolio.totals();
        assert_eq!((totals.active_positions, totals.unmarked_positions), (1, 1));
        assert_eq!(totals.unrealized, Money::ZERO);
        assert_eq!(totals.equity, Money::from_whole(1_000) - totals.fees);
        assert_eq!(portfolio.views()[0].mark, None);
    }

    #[test]
    fn a_late_account_makes_the_flow_so_far_count_from_its_start() {
        let mut portfolio = PortfolioManager::default();
        portfolio
            .fill(&bought(0, 1, 1_000_000_000, 100_000_000_000))
            .expect("fits");
        assert_eq!(portfolio.totals().unknown_accounts, 1);
        portfolio.account(&account(0, 900));
        let totals = portfolio.totals();
        assert_eq!(totals.unknown_accounts, 0);
        assert_eq!(totals.start_cash, Money::from_whole(1_000) + totals.fees);
        portfolio.account(&account(0, 950));
        assert_eq!(portfolio.totals().adjustments, Money::from_whole(50));
        assert_eq!(portfolio.totals().start_cash, totals.start_cash);
    }

    const MOST: i64 = 9_000_000_000_000;

    proptest! {
        /// Equity is explained by start, adjustments, carried cost, profit and fees, whatever
        /// happens; brokers add up to the total and strategies to the profit.
        #[test]
        fn equity_is_explained_to_the_last_unit(
            steps in prop::collection::vec(
                (0u8..3, 0u32..3, -MOST..MOST, 1i64..MOST),
                1..60,
            ),
            carried in -5_000_000_000i64..5_000_000_000,
            mark in 1i64..MOST,
        ) {
            let recovered = RecoveredState {
                accounts: vec![RecoveredAccount {
                    broker: BrokerId(1),
                    cash: Money::from_whole(77),
                }],
                positions: vec![RecoveredPosition {
                    broker: BrokerId(1),
                    instrument: InstrumentId(2),
                    position: Position {
                        quantity: Quantity::from_units(carried),
                        cost: Price::from_units(3).notional(Quantity::from_units(carried)),
                        ..Position::default()
                    },
                }],
                ..RecoveredState::default()
            };
            let marks = [(0, mark), (2, 5)]
                .map(|(row, mark)| (InstrumentId(row), Price::from_units(mark)));
            let marks = Marks::fixed(marks);
            let mut portfolio = PortfolioManager::new(&recovered, marks);
            for (broker, instrument, quantity, price) in steps {
                if quantity == 0 {
                    portfolio.account(&account(broker, price));
                } else {
                    portfolio.fill(&bought(broker, instrument, quantity, price)).expect("fits");
                }
                if price % 7 == 0 {
                    portfolio.account(&account(broker, price % 1_000));
                }
            }
            let total = portfolio.totals();
            let mut equity = Money::ZERO;
            for broker in portfolio.brokers() {
                let t = portfolio.broker_totals(broker);
                let before = t.start_cash + t.adjustments + t.carried_cost;
                let explained = before + t.realized + t.unrealized - t.fees;
                prop_assert_eq!(t.equity, explained);
                equity += t.equity;
            }
            prop_assert_eq!(total.equity, equity);
            let fees: Money = portfolio.strategies().values().map(|s| s.fees).sum();
            prop_assert_eq!(fees, total.fees);
        }
    }
}
