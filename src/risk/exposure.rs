//! Worst-case exposure: positions, what open orders may still add, and the money they hold.
//!
//! Runs on: the RISK agent.
//! Owns: one cell per instrument and broker, the holds, the order table; every claim is released
//! exactly as taken.
//! Never: lets a fill pass by: an unknown or finished order's fill moves the position all the same.

use crate::types::{
    BrokerId, Exposure, InstrumentId, Money, OrderId, OrderSlab, Price, Quantity, RecoveredOrder,
    RecoveredState, Side, StrategyId,
};

use super::equity::{EquityBook, cash_of_fill};
use super::limits::{InstrumentRule, RiskSettings};
use super::orders::{Claim, RiskOrder, Terms};
use crate::types::{prefetch, touched};

/// One broker's position of one instrument and what its open orders may make of it; one cache line.
#[repr(align(64))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Cell {
    /// Signed, 10^-9. Sums of open orders are wider, so that they cannot overflow.
    pub(super) position: i64,
    pub(super) open_orders: u32,
    /// Which of the instruments' rules holds here. Instruments are many, different rules are few: they stay at hand.
    rule: u32,
    /// What open buys and open sells may still trade.
    pub(super) open: [i128; 2],
}

impl Cell {
    /// The worst case in the direction of `side`: the position, counted that way round, if every
    /// open order of that side fills and no other does.
    ///
    /// It is all that the controls of exposure need of a cell. After an order of the same side it
    /// must not exceed the position limit; above zero on the selling side it is a short position;
    /// and at zero or below the order provably reduces, because then the position lies on the other
    /// side of flat and even all open orders of this side together cannot turn it around.
    #[inline(always)]
    pub(super) fn toward(&self, side: Side) -> i128 {
        i128::from(self.position) * sign(side) + self.open[side as usize]
    }

    /// How much more of `side` could trade and still only shrink the position; 0 where there is
    /// nothing to close.
    pub(super) fn closable(&self, side: Side) -> Quantity {
        let closable = (-self.toward(side)).clamp(0, i128::from(i64::MAX));
        Quantity::from_units(closable as i64)
    }
}

/// 1 for a buy, -1 for a sell.
#[inline(always)]
pub(super) const fn sign(side: Side) -> i128 {
    1 - 2 * (side as i128)
}

/// See the module.
pub(super) struct ExposureBook {
    cells: Box<[Cell]>,
    /// Each different rule once.
    rules: Box<[InstrumentRule]>,
    brokers: usize,
    holds: Box<[i128]>,
    open_by_strategy: Box<[u32]>,
    pub(super) orders: OrderSlab<RiskOrder>,
    /// The terms of a replace under way, by slot of the order.
    changes: Box<[Terms]>,
    pub(super) equity: EquityBook,
}

impl ExposureBook {
    /// Positions, cash and open orders as recovered.
    pub(super) fn new(settings: &RiskSettings, recovered: &RecoveredState) -> Self {
        let instruments = settings.instruments.len();
        let brokers = usize::from(settings.brokers);
        let mut cells = touched(Cell::default(), instruments * brokers);
        let mut rules: Vec<InstrumentRule> = Vec::new();
        for (rule, cells) in settings.instruments.iter().zip(cells.chunks_mut(brokers)) {
            let known = rules.iter().position(|known| known == rule);
            let number = known.unwrap_or(rules.len());
            if number == rules.len() {
                rules.push(*rule);
            }
            for cell in cells {
                cell.rule = number as u32;
            }
        }
        let mut book = Self {
            cells,
            rules: rules.into_boxed_slice(),
            brokers,
            holds: vec![0; brokers].into_boxed_slice(),
            open_by_strategy: vec![0; StrategyId::MAX_COUNT].into_boxed_slice(),
            orders: OrderSlab::new(settings.capacity, settings.ports),
            changes: touched(Terms::NONE, settings.capacity),
            equity: EquityBook::new(settings.brokers, instruments, settings.haircut),
        };
        for account in &recovered.accounts {
            if account.broker.index() < brokers {
                book.equity.set_cash(account.broker, account.cash);
            }
        }
        for entry in &recovered.positions {
            let (quantity, index) = (entry.position.quantity, entry.instrument.index());
            if quantity.is_zero() || index >= instruments || entry.broker.index() >= brokers {
                continue;
            }
            let cost = entry.position.average_price().unwrap_or_default();
            book.equity.mark_provisionally(index, cost);
            book.cell_mut(entry.broker, entry.instrument).position = quantity.units();
            let moved = (0, quantity.units());
            book.equity
                .move_position(entry.broker, index, moved, cost, 0);
        }
        for order in &recovered.orders {
            book.restore(order);
        }
        book
    }

    /// Takes a working order back. Whether it provably reduces is decided anew, in the order of the
    /// list.
    fn restore(&mut self, recovered: &RecoveredOrder) {
        let approved = &recovered.approved;
        let state = &recovered.state;
        let mut order = approved.request.order;
        order.quantity = state.quantity();
        let exposed = state.exposed_quantity();
        let known = order.instrument.index() < self.instruments()
            && approved.broker.index() < self.brokers
            && approved.request.strategy.index() < StrategyId::MAX_COUNT;
        if !known || state.status().is_terminal() {
            return;
        }
        let cell = self.cell(approved.broker, order.instrument);
        let needs_power = cell.toward(order.side) + i128::from(exposed.units()) > 0;
        let kept = RiskOrder {
            order,
            risk_price: approved.risk_price,
            filled: state.filled(),
            strategy: approved.request.strategy,
            broker: approved.broker,
            needs_power,
            is_changing: false,
            is_collared: approved.collar.is_some(),
        };
        let id = recovered.order_id();
        assert!(
            self.reserve(id, &kept),
            "room for every recovered order, of known ports"
        );
        if state.pending_quantity().is_positive() {
            // The journal keeps the new total; the price of the reservation stays as it was.
            let terms = Terms {
                quantity: state.pending_quantity(),
                order_type: order.order_type,
                risk_price: kept.risk_price,
                needs_power,
            };
            self.begin_change(id, &terms);
        }
    }

    pub(super) const fn brokers(&self) -> usize {
        self.brokers
    }

    pub(super) fn instruments(&self) -> usize {
        self.cells.len() / self.brokers
    }

    /// The rule of a cell's instrument.
    #[inline(always)]
    pub(super) fn rule(&self, cell: &Cell) -> &InstrumentRule {
        &self.rules[cell.rule as usize]
    }

    /// One broker's cell of one instrument; both ids are known ones.
    #[inline(always)]
    pub(super) fn cell(&self, broker: BrokerId, instrument: InstrumentId) -> &Cell {
        &self.cells[instrument.index() * self.brokers + broker.index()]
    }

    /// Asks for the cache line of an instrument's first cell; the id may be unknown.
    #[inline(always)]
    pub(super) fn touch(&self, instrument: InstrumentId) {
        if let Some(first) = self.cells.get(instrument.index() * self.brokers) {
            prefetch(first);
        }
    }

    #[inline(always)]
    fn cell_mut(&mut self, broker: BrokerId, instrument: InstrumentId) -> &mut Cell {
        &mut self.cells[instrument.index() * self.brokers + broker.index()]
    }

    /// Every broker's cell of one instrument.
    pub(super) fn cells_of(&self, instrument: InstrumentId) -> &[Cell] {
        let first = instrument.index() * self.brokers;
        &self.cells[first..first + self.brokers]
    }

    /// Takes the latest quote of an instrument.
    pub(super) fn mark(&mut self, instrument: InstrumentId, quote: &crate::types::Quote) {
        let first = instrument.index() * self.brokers;
        let cells = &self.cells[first..first + self.brokers];
        self.equity.mark(instrument.index(), quote, cells.iter());
    }

    /// Money held by open orders at a broker.
    pub(super) fn holds(&self, broker: BrokerId) -> Money {
        Money::from_units(self.holds[broker.index()])
    }

    /// Working orders of a strategy.
    pub(super) fn open_of(&self, strategy: StrategyId) -> u32 {
        self.open_by_strategy[strategy.index()]
    }

    #[inline(always)]
    fn move_claim(&mut self, order: &RiskOrder, before: Claim, after: Claim) {
        let (broker, instrument) = (order.broker, order.order.instrument);
        let open = &mut self.cell_mut(broker, instrument).open[order.order.side as usize];
        *open += i128::from(after.remaining) - i128::from(before.remaining);
        let hold = &mut self.holds[broker.index()];
        let moved = after
            .hold
            .units()
            .checked_sub(before.hold.units())
            .and_then(|difference| hold.checked_add(difference));
        match moved {
            Some(moved) => *hold = moved,
            None => self.equity.is_broken = true,
        }
    }

    /// Adds an approved order with all that it claims; `false` when the table has no room for it.
    #[inline(always)]
    pub(super) fn reserve(&mut self, id: OrderId, order: &RiskOrder) -> bool {
        if self.orders.insert(id, *order).is_err() {
            return false;
        }
        self.move_claim(order, Claim::default(), order.claim(&Terms::NONE));
        self.cell_mut(order.broker, order.order.instrument)
            .open_orders += 1;
        self.open_by_strategy[order.strategy.index()] += 1;
        true
    }

    /// Changes a working order and moves what it claims by the difference; unknown ones have
    /// nothing to change.
    fn update(&mut self, id: OrderId, change: impl FnOnce(&mut RiskOrder, &mut Terms)) {
        let Some(slot) = self.orders.find(id) else {
            return;
        };
        let terms = &mut self.changes[slot.index()];
        let order = self.orders.value_mut(slot);
        let before = order.claim(terms);
        change(order, terms);
        let (order, after) = (*order, order.claim(terms));
        self.move_claim(&order, before, after);
    }

    /// A replace is under way: from now on the larger of old and new terms counts.
    pub(super) fn begin_change(&mut self, id: OrderId, new: &Terms) {
        self.update(id, |order, terms| {
            *terms = *new;
            order.is_changing = true;
        });
    }

    fn end_change(&mut self, id: OrderId, accepted: bool) {
        self.update(id, |order, terms| {
            if order.is_changing && accepted {
                order.adopt(terms);
            }
            order.is_changing = false;
        });
    }

    /// Takes what ORDER says. Links are the gate's own.
    pub(super) fn apply(&mut self, exposure: &Exposure) {
        match *exposure {
            Exposure::Fill {
                order_id,
                broker,
                instrument,
                side,
                done,
                quantity,
                price,
                fee,
            } => {
                self.fill(broker, instrument, side.signed(quantity), price, fee);
                if done {
                    self.close(order_id);
                } else {
                    self.update(order_id, |order, _| {
                        order.filled = order.filled.checked_add(quantity).unwrap_or(Quantity::MAX);
                    });
                }
            }
            Exposure::Closed { order_id } => self.close(order_id),
            Exposure::ReplaceDone { order_id, accepted } => self.end_change(order_id, accepted),
            Exposure::Account(snapshot) => {
                if snapshot.broker.index() < self.brokers {
                    self.equity.set_account(&snapshot);
                }
            }
            Exposure::Link { .. } | Exposure::Durable { .. } => {}
        }
    }

    fn fill(
        &mut self,
        broker: BrokerId,
        instrument: InstrumentId,
        signed: Quantity,
        price: Price,
        fee: Money,
    ) {
        let index = instrument.index();
        if index >= self.instruments() || broker.index() >= self.brokers {
            // A fill that cannot be placed: what is held is not known any more.
            self.equity.is_broken = true;
            return;
        }
        let cell = self.cell_mut(broker, instrument);
        let before = cell.position;
        let after = before.checked_add(signed.units());
        let (Some(after), Some(cash)) = (after, cash_of_fill(signed, price, fee)) else {
            self.equity.is_broken = true;
            return;
        };
        cell.position = after;
        self.equity
            .move_position(broker, index, (before, after), price, cash);
        if after == 0 && self.cells_of(instrument).iter().all(|c| c.position == 0) {
            self.equity.forget_provisional(index);
        }
    }

    /// Releases all that an order claims; unknown and finished ones claim nothing.
    fn close(&mut self, id: OrderId) {
        let Some(slot) = self.orders.find(id) else {
            return;
        };
        let order = *self.orders.value(slot);
        let claim = order.claim(&self.changes[slot.index()]);
        self.orders.remove(id);
        self.move_claim(&order, claim, Claim::default());
        self.cell_mut(order.broker, order.order.instrument)
            .open_orders -= 1;
        self.open_by_strategy[order.strategy.index()] -= 1;
    }
}
