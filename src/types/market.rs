//! Quotes and trades.
//!
//! Runs on: any thread.
//! Owns: the best bid and offer, what a row changed, and when a quote may be used.
//! Never: guesses a missing side: an absent price and size are 0.

use super::{InstrumentId, Nanos, Price, Quantity};

/// The best bid and offer. A side that is not there has price 0 and size 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quote {
    /// Best price bid.
    pub bid: Price,
    /// Size at the bid.
    pub bid_size: Quantity,
    /// Best price asked.
    pub ask: Price,
    /// Size at the ask.
    pub ask_size: Quantity,
    /// When it was last changed.
    pub time: Nanos,
}

/// Whether a quote has two sides the right way round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QuoteCondition {
    /// Bid below ask.
    Normal,
    /// Bid equals ask.
    Locked,
    /// Bid above ask.
    Crossed,
    /// A side is missing.
    OneSided,
}

impl Quote {
    /// Normal, locked, crossed or one-sided.
    #[must_use]
    pub fn condition(&self) -> QuoteCondition {
        if !self.bid.is_positive() || !self.ask.is_positive() {
            return QuoteCondition::OneSided;
        }
        match self.bid.cmp(&self.ask) {
            std::cmp::Ordering::Less => QuoteCondition::Normal,
            std::cmp::Ordering::Equal => QuoteCondition::Locked,
            std::cmp::Ordering::Greater => QuoteCondition::Crossed,
        }
    }

    /// The middle of bid and ask.
    #[must_use]
    pub const fn midpoint(&self) -> Price {
        self.bid.midpoint(self.ask)
    }
}

/// Which side of the book a row renewed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum BookSide {
    /// The bid.
    Bid = 0,
    /// The ask.
    Ask = 1,
    /// Both in one row.
    Both = 2,
}

impl BookSide {
    /// Whether the bid's size is new.
    #[must_use]
    pub const fn renews_bid(self) -> bool {
        matches!(self, Self::Bid | Self::Both)
    }

    /// Whether the ask's size is new.
    #[must_use]
    pub const fn renews_ask(self) -> bool {
        matches!(self, Self::Ask | Self::Both)
    }
}

/// One quote row: the whole best bid and offer after it, and the side that it renewed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuoteUpdate {
    /// What.
    pub instrument: InstrumentId,
    /// Which side is new.
    pub side: BookSide,
    /// The book after the row; `quote.time` is the row's time.
    pub quote: Quote,
}

/// One trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TradeUpdate {
    /// What.
    pub instrument: InstrumentId,
    /// At what price.
    pub price: Price,
    /// How much.
    pub size: Quantity,
    /// When.
    pub time: Nanos,
}

/// What a market data source delivers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarketUpdate {
    /// A quote row.
    Quote(QuoteUpdate),
    /// A trade.
    Trade(TradeUpdate),
}

impl MarketUpdate {
    /// When.
    #[must_use]
    pub const fn time(&self) -> Nanos {
        match self {
            Self::Quote(update) => update.quote.time,
            Self::Trade(update) => update.time,
        }
    }

    /// What.
    #[must_use]
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Quote(update) => update.instrument,
            Self::Trade(update) => update.instrument,
        }
    }
}

const _: () = assert!(
    size_of::<MarketUpdate>() <= 64,
    "one cache line a market update"
);
