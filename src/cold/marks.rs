//! The last good mark of every instrument that is held.
//!
//! Runs on: COLD, and whoever makes a report.
//! Owns: the mid of the last quote with two sides the right way round.
//! Never: marks at a locked, crossed or one-sided quote, or forgets a mark because the market went
//! away.

use std::collections::BTreeMap;

use crate::ring::BoardReader;
use crate::types::{InstrumentId, Price, QuoteCondition};

/// Marks by instrument, read off the quote board.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    board: Option<BoardReader>,
    last: BTreeMap<InstrumentId, Price>,
    cursor: usize,
}

impl Marks {
    /// Marks off a board; none yet.
    #[must_use]
    pub fn new(board: BoardReader) -> Self {
        Self {
            board: Some(board),
            ..Self::default()
        }
    }

    /// Marks that nothing moves.
    #[must_use]
    pub fn fixed(marks: impl IntoIterator<Item = (InstrumentId, Price)>) -> Self {
        Self {
            last: marks.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Looks at the quotes of at most `limit` of the `held` instruments, in turn.
    pub fn refresh(&mut self, held: &[InstrumentId], limit: usize) {
        let Some(board) = &self.board else {
            return;
        };
        for _ in 0..limit.min(held.len()) {
            self.cursor = (self.cursor + 1) % held.len();
            let instrument = held[self.cursor];
            let quote = board.quote(instrument);
            if quote.condition() == QuoteCondition::Normal {
                self.last.insert(instrument, quote.midpoint());
            }
        }
    }

    /// The last good mark; `None` when there never was one.
    #[must_use]
    pub fn get(&self, instrument: InstrumentId) -> Option<Price> {
        self.last.get(&instrument).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::board;
    use crate::types::{Nanos, Quantity, Quote};

    #[test]
    fn a_bad_quote_leaves_the_last_good_mark() {
        let (mut writer, reader) = board(2);
        let mut marks = Marks::new(reader);
        let held = [InstrumentId(0), InstrumentId(1)];
        let quote = |bid, ask| Quote {
            bid: Price::from_units(bid),
            bid_size: Quantity::from_units(1),
            ask: Price::from_units(ask),
            ask_size: Quantity::from_units(1),
            time: Nanos(1),
        };
        marks.refresh(&held, 2);
        assert_eq!(marks.get(held[0]), None);
        writer.write_quote(held[0], &quote(10, 20));
        marks.refresh(&held, 2);
        for (bid, ask) in [(0, 30), (30, 0), (30, 30), (40, 30)] {
            writer.write_quote(held[0], &quote(bid, ask));
            marks.refresh(&held, 2);
            assert_eq!(marks.get(held[0]), Some(Price::from_units(15)));
        }
        assert_eq!(marks.get(held[1]), None);
        marks.refresh(&[], 5);
    }

    #[test]
    fn a_small_limit_gets_round_to_everything() {
        let (mut writer, reader) = board(3);
        let held: Vec<_> = (0..3).map(InstrumentId).collect();
        for &instrument in &held {
            let quote = Quote {
                bid: Price::from_units(2),
                ask: Price::from_units(4),
                ..Quote::default()
            };
            writer.write_quote(instrument, &quote);
        }
        let mut marks = Marks::new(reader);
        for _ in 0..3 {
            marks.refresh(&held, 1);
        }
        assert!(held.iter().all(|&id| marks.get(id).is_some()));
    }
}
