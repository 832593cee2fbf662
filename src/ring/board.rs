//! The quote board: the latest quote and trade of every instrument, behind one sequence lock each.
//!
//! Runs on: one writer (the market data source), any number of readers.
//! Owns: a cache line an instrument.
//! Never: blocks a writer; a reader that meets a write in progress tries again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use crate::types::{InstrumentId, Nanos, Price, Quantity, Quote, prefetch};

/// What the board holds of one instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MarketSnapshot {
    /// The best bid and offer; `time` is the last change of either.
    pub quote: Quote,
    /// Price of the last trade, 0 before the first.
    pub last: Price,
    /// Time of the last trade.
    pub last_time: Nanos,
}

/// One cache line: sequence and seven words.
#[repr(align(64))]
#[derive(Debug, Default)]
struct Slot {
    sequence: AtomicU64,
    bid: AtomicI64,
    bid_size: AtomicI64,
    ask: AtomicI64,
    ask_size: AtomicI64,
    time: AtomicU64,
    last: AtomicI64,
    last_time: AtomicU64,
}

const _: () = assert!(size_of::<Slot>() == 64, "one cache line an instrument");

/// The one writer.
#[derive(Debug)]
pub struct BoardWriter {
    slots: Arc<[Slot]>,
}

/// A reader; clone freely.
#[derive(Debug, Clone)]
pub struct BoardReader {
    slots: Arc<[Slot]>,
}

/// A board for instruments `0..instruments`.
#[must_use]
pub fn board(instruments: usize) -> (BoardWriter, BoardReader) {
    let slots: Arc<[Slot]> = (0..instruments).map(|_| Slot::default()).collect();
    (
        BoardWriter {
            slots: Arc::clone(&slots),
        },
        BoardReader { slots },
    )
}

impl BoardWriter {
    /// Puts a quote on the board; ignored beyond the board's end.
    #[inline]
    pub fn write_quote(&mut self, instrument: InstrumentId, quote: &Quote) {
        let Some(slot) = self.slots.get(instrument.index()) else {
            return;
        };
        let sequence = slot.begin();
        slot.bid.store(quote.bid.units(), Ordering::Relaxed);
        slot.bid_size
            .store(quote.bid_size.units(), Ordering::Relaxed);
        slot.ask.store(quote.ask.units(), Ordering::Relaxed);
        slot.ask_size
            .store(quote.ask_size.units(), Ordering::Relaxed);
        slot.time.store(quote.time.0, Ordering::Relaxed);
        slot.sequence.store(sequence + 2, Ordering::Release);
    }

    /// Puts a trade on the board; ignored beyond the board's end.
    #[inline]
    pub fn write_trade(&mut self, instrument: InstrumentId, price: Price, time: Nanos) {
        let Some(slot) = self.slots.get(instrument.index()) else {
            return;
        };
        let sequence = slot.begin();
        slot.last.store(price.units(), Ordering::Relaxed);
        slot.last_time.store(time.0, Ordering::Relaxed);
        slot.sequence.store(sequence + 2, Ordering::Release);
    }

    /// Another reader.
    #[must_use]
    pub fn reader(&self) -> BoardReader {
        BoardReader {
            slots: Arc::clone(&self.slots),
        }
    }
}

impl Slot {
    /// Marks the slot as being written; returns the even sequence before.
    fn begin(&self) -> u64 {
        let sequence = self.sequence.load(Ordering::Relaxed);
        debug_assert!(sequence.is_multiple_of(2), "invariant: one writer");
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        // Readers that see a new word also see the odd sequence.
        fence(Ordering::Release);
        sequence
    }
}

impl BoardReader {
    /// Instruments on the board.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the board has no instruments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Has an instrument's place fetched: it will be read soon.
    #[inline(always)]
    pub fn prefetch(&self, instrument: InstrumentId) {
        if let Some(slot) = self.slots.get(instrument.index()) {
            prefetch(slot);
        }
    }

    /// The latest of an instrument; all zero before the first row and beyond the board's end.
    #[inline]
    #[must_use]
    pub fn read(&self, instrument: InstrumentId) -> MarketSnapshot {
        let Some(slot) = self.slots.get(instrument.index()) else {
            return MarketSnapshot::default();
        };
        loop {
            let before = slot.sequence.load(Ordering::Acquire);
            let snapshot = MarketSnapshot {
                quote: Quote {
                    bid: Price::from_units(slot.bid.load(Ordering::Relaxed)),
                    bid_size: Quantity::from_units(slot.bid_size.load(Ordering::Relaxed)),
                    ask: Price::from_units(slot.ask.load(Ordering::Relaxed)),
                    ask_size: Quantity::from_units(slot.ask_size.load(Ordering::Relaxed)),
                    time: Nanos(slot.time.load(Ordering::Relaxed)),
                },
                last: Price::from_units(slot.last.load(Ordering::Relaxed)),
                last_time: Nanos(slot.last_time.load(Ordering::Relaxed)),
            };
            fence(Ordering::Acquire);
            let after = slot.sequence.load(Ordering::Relaxed);
            if before == after && before.is_multiple_of(2) {
                return snapshot;
            }
            std::hint::spin_loop();
        }
    }

    /// The latest quote of an instrument.
    #[inline]
    #[must_use]
    pub fn quote(&self, instrument: InstrumentId) -> Quote {
        self.read(instrument).quote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_never_see_half_a_quote() {
        let (mut writer, reader) = board(1);
        let id = InstrumentId(0);
        let watcher = std::thread::spawn(move || {
            let mut last = 0;
            while last < 20_000 {
                let quote = reader.quote(id);
                assert_eq!(quote.bid.units(), quote.ask.units());
                assert_eq!(quote.bid.units(), quote.time.0 as i64);
                assert!(quote.bid.units() >= last, "the board does not go back");
                last = quote.bid.units();
            }
        });
        for n in 1..=20_000i64 {
            let quote = Quote {
                bid: Price::from_units(n),
                bid_size: Quantity::from_units(n),
                ask: Price::from_units(n),
                ask_size: Quantity::from_units(n),
                time: Nanos(n as u64),
            };
            writer.write_quote(id, &quote);
        }
        watcher.join().expect("no torn quote");
        assert_eq!(writer.reader().quote(InstrumentId(7)), Quote::default());
    }
}
