//! Instruments and their table.
//!
//! Runs on: any thread; the table is built at start and then only read.
//! Owns: symbol text, tick and lot.
//! Never: is searched by text on a hot path: messages carry [`InstrumentId`].

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use super::{InstrumentId, Price, Quantity};

/// A ticker symbol: 1 to 15 characters of `[A-Z0-9./-]`, stored inline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    length: u8,
    bytes: [u8; 15],
}

/// Why a text is no symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no symbol: 1 to 15 characters of A-Z, 0-9, '.', '/' and '-' expected")]
pub struct SymbolError(pub String);

impl Symbol {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length as usize]).unwrap_or_default()
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"./-".contains(&b);
        if text.is_empty() || text.len() > 15 || !text.bytes().all(good) {
            return Err(SymbolError(text.chars().take(40).collect()));
        }
        let mut bytes = [0; 15];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self {
            length: text.len() as u8,
            bytes,
        })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_str())
    }
}

/// What the engine knows of one tradable thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instrument {
    /// Its row.
    pub id: InstrumentId,
    /// Its ticker.
    pub symbol: Symbol,
    /// Smallest price step at or above one currency unit (US equities: 0.01, SEC Rule 612).
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Quantity,
    /// Whether it may be sold short.
    pub shortable: bool,
}

impl Instrument {
    /// The price step for an order at `price`: US equities below one dollar step by a hundredth of the tick
    /// (17 CFR 242.612).
    #[must_use]
    pub const fn tick_at(&self, price: Price) -> Price {
        if price.units() < super::decimal::ONE && self.tick.units() % 100 == 0 {
            Price::from_units(self.tick.units() / 100)
        } else {
            self.tick
        }
    }
}

/// Every instrument of the engine, by row and by symbol. Built at start with spare rows for later ones.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InstrumentTable {
    rows: Vec<Instrument>,
    by_symbol: HashMap<Symbol, InstrumentId>,
}

impl InstrumentTable {
    /// Tick of US equities.
    pub const DEFAULT_TICK: Price = Price::from_units(10_000_000);
    /// Whole shares.
    pub const DEFAULT_LOT: Quantity = Quantity::from_units(super::decimal::ONE);

    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a US equity, or finds it.
    pub fn add(&mut self, symbol: Symbol) -> InstrumentId {
        if let Some(&id) = self.by_symbol.get(&symbol) {
            return id;
        }
        let id = InstrumentId(self.rows.len() as u32);
        self.rows.push(Instrument {
            id,
            symbol,
            tick: Self::DEFAULT_TICK,
            lot: Self::DEFAULT_LOT,
            shortable: true,
        });
        self.by_symbol.insert(symbol, id);
        id
    }

    /// Changes a row in place (tick, lot, shortable); id and symbol stay.
    pub fn update(&mut self, instrument: Instrument) {
        if let Some(row) = self.rows.get_mut(instrument.id.index()) {
            let (id, symbol) = (row.id, row.symbol);
            *row = Instrument {
                id,
                symbol,
                ..instrument
            };
        }
    }

    /// By row.
    #[must_use]
    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.rows.get(id.index())
    }

    /// By symbol; for edges, not for hot paths.
    #[must_use]
    pub fn find(&self, symbol: &str) -> Option<InstrumentId> {
        symbol
            .parse()
            .ok()
            .and_then(|symbol: Symbol| self.by_symbol.get(&symbol).copied())
    }

    /// The symbol of a row, "?" for an unknown one.
    #[must_use]
    pub fn symbol(&self, id: InstrumentId) -> &str {
        self.get(id)
            .map_or("?", |instrument| instrument.symbol.as_str())
    }

    /// All rows in order of id.
    #[must_use]
    pub fn rows(&self) -> &[Instrument] {
        &self.rows
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
