//! One instrument's book: the displayed touch, what is left of it, and the orders that wait.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: prices, displayed and remaining sizes of both sides, and the ladders of waiting orders.
//! Never: trades more of a side than a row displayed.

use super::ladder::Ladder;
use super::trail::TrailStack;
use crate::types::{Nanos, Price, Quantity, QuoteCondition, QuoteUpdate, Side};

/// The best bid and offer with what is left of the displayed sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Touch {
    /// Bid and ask.
    pub(super) price: [Price; 2],
    /// Sizes as displayed.
    pub(super) displayed: [Quantity; 2],
    /// Of which this much has not traded yet.
    pub(super) left: [Quantity; 2],
    /// When the last row came.
    pub(super) time: Nanos,
}

/// Index of the side of the touch that an order of `side` shows itself on.
#[inline]
pub(super) const fn own(side: Side) -> usize {
    side as usize
}

/// Index of the side of the touch that an order of `side` trades against.
#[inline]
pub(super) const fn opposite(side: Side) -> usize {
    1 - side as usize
}

impl Touch {
    /// Two sides, not crossed.
    #[inline]
    pub(super) fn is_tradable(&self) -> bool {
        let [bid, ask] = self.price;
        bid.is_positive() && bid <= ask
    }

    /// An order of `side` is marketable when its limit key is at or before this.
    #[inline]
    pub(super) const fn bound(&self, side: Side) -> i64 {
        match side {
            Side::Buy => -self.price[1].units(),
            Side::Sell => self.price[0].units(),
        }
    }

    /// A stop of `side` triggers when its key is at or before this.
    #[inline]
    pub(super) const fn stop_bound(&self, side: Side) -> i64 {
        match side {
            Side::Buy => self.price[1].units(),
            Side::Sell => -self.price[0].units(),
        }
    }

    /// What a trailing stop of `side` follows: the bid, or the negated ask.
    #[inline]
    pub(super) const fn followed(&self, side: Side) -> i64 {
        match side {
            Side::Buy => -self.price[1].units(),
            Side::Sell => self.price[0].units(),
        }
    }

    /// The middle of the two prices.
    #[inline]
    pub(super) const fn midpoint(&self) -> Price {
        self.price[0].midpoint(self.price[1])
    }

    /// Takes a row in. A side is renewed when the row says so, or shows another price than is known: then an earlier
    /// row was not for this exchange (it came before the exchange did).
    #[inline]
    pub(super) fn apply(&mut self, update: &QuoteUpdate, time: Nanos) {
        let quote = &update.quote;
        let sides = [
            (quote.bid, quote.bid_size, update.side.renews_bid()),
            (quote.ask, quote.ask_size, update.side.renews_ask()),
        ];
        for (index, (price, size, renews)) in sides.into_iter().enumerate() {
            if renews || price != self.price[index] {
                let size = size.max(Quantity::ZERO);
                self.price[index] = price;
                self.displayed[index] = size;
                self.left[index] = size;
            }
        }
        self.time = time;
        debug_assert_eq!(
            self.is_tradable(),
            matches!(
                quote.condition(),
                QuoteCondition::Normal | QuoteCondition::Locked
            ),
            "invariant: the book shows what the row said"
        );
    }
}

/// Ladders in one book.
pub(super) const LADDERS_PER_BOOK: usize = 10;

/// One side's waiting orders.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SideBook {
    /// Marketable at every tradable quote since they came; by limit.
    pub(super) aggressive: Ladder,
    /// Behind a queue; by limit.
    pub(super) resting: Ladder,
    /// By stop price.
    pub(super) stops: Ladder,
    /// For the opening; by limit.
    pub(super) opening: Ladder,
    /// For the close; by limit.
    pub(super) closing: Ladder,
}

/// One instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Book {
    pub(super) touch: Touch,
    /// The touch before the row that made it untradable.
    pub(super) last_good: Touch,
    pub(super) sides: [SideBook; 2],
    /// By side, then amounts before fractions.
    pub(super) trails: [[TrailStack; 2]; 2],
}

impl Default for Book {
    fn default() -> Self {
        let stacks = [TrailStack::new(false), TrailStack::new(true)];
        Self {
            touch: Touch::default(),
            last_good: Touch::default(),
            sides: [SideBook::default(); 2],
            trails: [stacks; 2],
        }
    }
}
