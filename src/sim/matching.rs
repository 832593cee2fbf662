//! What quotes and trades do to the orders that wait.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: price-time priority, the queue ahead of a resting order, and the triggers of stops.
//! Never: trades on a crossed or one-sided book, more than a row displayed, or more than a trade printed.

use super::book::{Touch, opposite, own};
use super::exchange::{Exchange, Work};
use super::ladder::Ladder;
use super::order::{Place, SimOrder, Standing};
use super::trail::NO_MARK;
use crate::types::{
    InstrumentId, Liquidity, OrderType, Price, Quantity, SessionPhase, Side, TimeInForce,
    TrailingOffset,
};

const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

impl Exchange {
    /// Trailing stops follow the touch.
    #[inline]
    pub(super) fn follow(&mut self, instrument: InstrumentId, touch: &Touch) {
        for side in SIDES {
            for stack in &mut self.books[instrument.index()].trails[own(side)] {
                if !stack.is_empty() {
                    self.trail_pool.follow(stack, touch.followed(side));
                }
            }
        }
    }

    /// One step of what a tradable row does: the opening first, then orders that are no longer marketable come to
    /// rest, then the book trades, then stops trigger.
    pub(super) fn step_book(&mut self, instrument: InstrumentId) {
        let touch = self.books[instrument.index()].touch;
        for side in SIDES {
            if self.step_opening(instrument, side)
                || self.step_rest(instrument, side, &touch)
                || self.step_match(instrument, side, &touch)
            {
                return;
            }
        }
        for side in SIDES {
            if self.step_stops(instrument, side, &touch)
                || self.step_trails(instrument, side, &touch)
            {
                return;
            }
        }
        self.work = Work::Idle;
    }

    fn step_opening(&mut self, instrument: InstrumentId, side: Side) -> bool {
        let book = &self.books[instrument.index()];
        let Some(order) = self.ladders.first(&book.sides[own(side)].opening) else {
            return false;
        };
        // Before the open these orders wait whatever the book does.
        if self.session.phase() != SessionPhase::Regular {
            return false;
        }
        let mut touch = book.touch;
        self.auction(order, &mut touch);
        self.books[instrument.index()].touch = touch;
        true
    }

    /// Fills an auction order against a touch, its limit respected, and cancels the rest.
    pub(super) fn auction(&mut self, order: u32, touch: &mut Touch) {
        let record = &self.orders[order as usize];
        let against = opposite(record.side);
        let quantity = record.leaves().min(touch.left[against]);
        if record.limit_key() <= touch.bound(record.side)
            && quantity.is_positive()
            && self.fill(order, quantity, touch.price[against], Liquidity::Taker)
        {
            touch.left[against] = touch.left[against].saturating_sub_to_zero(quantity);
        }
        if self.orders[order as usize].standing == Standing::Working {
            self.finish(order, Standing::Canceled);
        }
    }

    fn step_rest(&mut self, instrument: InstrumentId, side: Side, touch: &Touch) -> bool {
        let ladder = &self.books[instrument.index()].sides[own(side)].aggressive;
        if ladder.is_empty() {
            return false;
        }
        match self.ladders.last(ladder) {
            Some((key, order)) if key > touch.bound(side) => {
                self.remove_from_place(order);
                self.rest(order, touch);
                true
            }
            _ => false,
        }
    }

    /// Puts an order behind the queue that its price displays.
    pub(super) fn rest(&mut self, order: u32, touch: &Touch) {
        let record = &mut self.orders[order as usize];
        record.place = Place::Resting;
        let (side, key) = (record.side, record.limit_key());
        let shown = match side {
            Side::Buy => -touch.price[own(side)].units(),
            Side::Sell => touch.price[own(side)].units(),
        };
        let ahead = if key == shown {
            touch.displayed[own(side)].units()
        } else {
            0
        };
        let ladder = &mut self.books[record.instrument.index()].sides[own(side)].resting;
        self.ladders.push(ladder, key, order);
        record.queue_end = self.ladders.taken(order).saturating_add(ahead);
    }

    fn step_match(&mut self, instrument: InstrumentId, side: Side, touch: &Touch) -> bool {
        let against = opposite(side);
        let left = touch.left[against];
        let bound = touch.bound(side);
        let waiting = &self.books[instrument.index()].sides[own(side)];
        let (aggressive, resting) = (&waiting.aggressive, &waiting.resting);
        if !left.is_positive() || !(aggressive.reaches(bound) || resting.reaches(bound)) {
            return false;
        }
        // At one price the resting orders came first: an aggressive one would have come to rest with them.
        let resting_first = resting.first_key() <= aggressive.first_key();
        let ladder = if resting_first { resting } else { aggressive };
        let Some(order) = self.ladders.first(ladder) else {
            return false;
        };
        let record = &self.orders[order as usize];
        let quantity = record.leaves().min(left);
        let quote = touch.price[against];
        let (price, liquidity) = match record.order_type.limit_price() {
            Some(_) if resting_first && self.settings.fill_at_quote => (quote, Liquidity::Maker),
            Some(limit) if resting_first => (limit, Liquidity::Maker),
            _ => (quote, Liquidity::Taker),
        };
        if self.fill(order, quantity, price, liquidity) {
            let left = &mut self.books[instrument.index()].touch.left[against];
            *left = left.saturating_sub_to_zero(quantity);
        }
        true
    }

    fn step_stops(&mut self, instrument: InstrumentId, side: Side, touch: &Touch) -> bool {
        let ladder = &self.books[instrument.index()].sides[own(side)].stops;
        if !ladder.reaches(touch.stop_bound(side)) {
            return false;
        }
        let Some(order) = self.ladders.first(ladder) else {
            return false;
        };
        self.trigger(order);
        true
    }

    fn step_trails(&mut self, instrument: InstrumentId, side: Side, touch: &Touch) -> bool {
        for kind in 0..2 {
            let stack = &mut self.books[instrument.index()].trails[own(side)][kind];
            if stack.is_empty() {
                continue;
            }
            if let Some(order) = self.trail_pool.triggered(stack, touch.followed(side)) {
                self.trigger(order);
                return true;
            }
        }
        false
    }

    /// A stop becomes the order behind it and arrives now.
    fn trigger(&mut self, order: u32) {
        self.remove_from_place(order);
        self.orders[order as usize].triggered = true;
        self.arrive(order);
    }

    /// An order meets the market: an accepted, replaced or triggered one.
    pub(super) fn arrive(&mut self, order: u32) {
        let record = &self.orders[order as usize];
        let (instrument, side) = (record.instrument, record.side);
        let touch = self.books[instrument.index()].touch;
        let good = self.is_good(&touch);
        if record.is_dormant() {
            let triggers = record
                .order_type
                .stop_price()
                .is_some_and(|stop| stop_key(side, stop) <= touch.stop_bound(side));
            if !(good && triggers) {
                return self.wait(order);
            }
            self.orders[order as usize].triggered = true;
        }
        let record = &self.orders[order as usize];
        let immediate = matches!(record.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let auction = matches!(record.time_in_force, TimeInForce::Opg | TimeInForce::Cls);
        if auction || (!good && !immediate) {
            return self.wait(order);
        }
        let marketable = good && record.limit_key() <= touch.bound(side);
        if marketable {
            self.take(order, &touch);
        } else if !immediate {
            return self.rest(order, &touch);
        }
        if self.orders[order as usize].standing == Standing::Working {
            if immediate {
                self.finish(order, Standing::Canceled);
            } else {
                self.wait(order);
            }
        }
    }

    /// Takes what the quote has left. A fill-or-kill order takes all or nothing.
    fn take(&mut self, order: u32, touch: &Touch) {
        let record = &self.orders[order as usize];
        let (instrument, against) = (record.instrument, opposite(record.side));
        let left = touch.left[against];
        let leaves = record.leaves();
        if record.time_in_force == TimeInForce::Fok && left < leaves {
            return;
        }
        let quantity = leaves.min(left);
        if quantity.is_positive()
            && self.fill(order, quantity, touch.price[against], Liquidity::Taker)
        {
            let left = &mut self.books[instrument.index()].touch.left[against];
            *left = left.saturating_sub_to_zero(quantity);
        }
    }

    /// Puts an order where it waits without meeting the market: behind its trigger, for its auction, or in the book as
    /// one that every tradable quote so far would have filled.
    pub(super) fn wait(&mut self, order: u32) {
        let SimOrder {
            instrument,
            side,
            time_in_force,
            order_type,
            triggered,
            ..
        } = self.orders[order as usize];
        let place = match (time_in_force, order_type) {
            (TimeInForce::Opg, _) => Place::Opening,
            (TimeInForce::Cls, _) => Place::Closing,
            (_, OrderType::Stop { .. } | OrderType::StopLimit { .. }) if !triggered => Place::Stop,
            (_, OrderType::TrailingStop { .. }) if !triggered => Place::Trailing,
            _ => Place::Aggressive,
        };
        self.orders[order as usize].place = place;
        if place == Place::Trailing {
            return self.wait_trailing(order);
        }
        let key = match order_type.stop_price() {
            Some(stop) if place == Place::Stop => stop_key(side, stop),
            _ => self.orders[order as usize].limit_key(),
        };
        let sides = &mut self.books[instrument.index()].sides[own(side)];
        let ladder = match place {
            Place::Opening => &mut sides.opening,
            Place::Closing => &mut sides.closing,
            Place::Stop => &mut sides.stops,
            _ => &mut sides.aggressive,
        };
        self.ladders.push(ladder, key, order);
    }

    fn wait_trailing(&mut self, order: u32) {
        let SimOrder {
            instrument,
            side,
            order_type,
            mark,
            ..
        } = self.orders[order as usize];
        let Some(offset) = order_type.trailing_offset() else {
            debug_assert!(false, "invariant: a trailing stop has an offset");
            return;
        };
        let touch = self.books[instrument.index()].touch;
        let now = if self.is_good(&touch) {
            touch.followed(side)
        } else {
            NO_MARK
        };
        let (kind, distance) = trail_kind(offset);
        self.arrivals += 1;
        let stack = &mut self.books[instrument.index()].trails[own(side)][kind];
        self.trail_pool
            .insert(stack, order, mark.max(now), distance, self.arrivals);
    }

    /// Takes an order out of where it waits.
    pub(super) fn remove_from_place(&mut self, order: u32) {
        let record = &mut self.orders[order as usize];
        let place = std::mem::take(&mut record.place);
        let book = &mut self.books[record.instrument.index()];
        let sides = &mut book.sides[own(record.side)];
        let ladder: &mut Ladder = match place {
            Place::Nowhere | Place::Parked => return,
            Place::Trailing => {
                if let Some(offset) = record.order_type.trailing_offset() {
                    let (kind, _) = trail_kind(offset);
                    let stack = &mut book.trails[own(record.side)][kind];
                    record.mark = self.trail_pool.remove(stack, order);
                }
                return;
            }
            Place::Aggressive => &mut sides.aggressive,
            Place::Resting => &mut sides.resting,
            Place::Stop => &mut sides.stops,
            Place::Opening => &mut sides.opening,
            Place::Closing => &mut sides.closing,
        };
        self.ladders.remove(ladder, order);
    }

    /// The side whose resting orders a trade fills: the one that rests at its price or better; where both do, the one
    /// whose quote is nearer, the buys when it is the middle.
    pub(super) fn print_side(&self, instrument: InstrumentId, price: Price) -> Option<Side> {
        let book = &self.books[instrument.index()];
        if !self.is_good(&book.touch) {
            return None;
        }
        let [buys, sells] = SIDES.map(|side| {
            let bound = print_bound(side, price);
            book.sides[own(side)].resting.reaches(bound)
        });
        let [bid, ask] = book.touch.price.map(Price::units);
        match (buys, sells) {
            (false, false) => None,
            (true, false) => Some(Side::Buy),
            (false, true) => Some(Side::Sell),
            (true, true) if price.units().abs_diff(bid) <= price.units().abs_diff(ask) => {
                Some(Side::Buy)
            }
            (true, true) => Some(Side::Sell),
        }
    }

    /// One step of what a trade does: better-priced orders first, which it would have met on its way; then the queue
    /// at its price and the orders behind that.
    pub(super) fn step_print(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        left: i64,
    ) {
        let bound = print_bound(side, price);
        let ladder = &self.books[instrument.index()].sides[own(side)].resting;
        let first = if left > 0 && ladder.reaches(bound) {
            self.ladders.first(ladder)
        } else {
            None
        };
        let Some(order) = first else {
            self.work = Work::Idle;
            return;
        };
        let mut left = left;
        if self.ladders.key_of(order) == bound {
            let ahead = self.orders[order as usize].queue_end - self.ladders.taken(order);
            if ahead > 0 {
                let eaten = ahead.min(left);
                self.ladders.take(order, eaten);
                left -= eaten;
            }
        }
        let record = &self.orders[order as usize];
        let quantity = record.leaves().min(Quantity::from_units(left));
        if let Some(limit) = record.order_type.limit_price()
            && quantity.is_positive()
            && self.fill(order, quantity, limit, Liquidity::Maker)
        {
            left -= quantity.units();
        }
        self.work = Work::Print {
            instrument,
            side,
            price,
            left,
        };
    }
}

/// The ladder key of a stop price: the smallest is the first to trigger.
const fn stop_key(side: Side, stop: Price) -> i64 {
    match side {
        Side::Buy => stop.units(),
        Side::Sell => -stop.units(),
    }
}

/// Resting orders with keys at or before this can fill from a trade at `price`.
const fn print_bound(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => -price.units(),
        Side::Sell => price.units(),
    }
}

/// Which stack an offset belongs to, and its distance there.
const fn trail_kind(offset: TrailingOffset) -> (usize, i64) {
    match offset {
        TrailingOffset::Amount(amount) => (0, amount.units()),
        TrailingOffset::Percent(ratio) => (1, ratio.units()),
    }
}
