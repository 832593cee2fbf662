//! What the ids of records stand for, across boots.
//!
//! Runs on: start-up, COLD, the offline verbs.
//! Owns: symbols and names in order of first appearance, and the present boot's ids as places among
//! them.
//! Never: lets an id of one boot stand for another boot's.

use std::collections::HashMap;

use super::error::JournalError;
use super::record::Record;
use crate::types::{BrokerId, InstrumentId, StrategyId, Symbol};

/// Names of strategies that exist without a record.
const EXTERNAL: &str = "external";
const ENGINE: &str = "engine";

/// Symbols and names of every boot, and the present boot's tables.
#[derive(Debug, Clone)]
pub struct Names {
    symbols: Vec<Symbol>,
    brokers: Vec<String>,
    strategies: Vec<String>,
    by_symbol: HashMap<Symbol, InstrumentId>,
    instrument_places: HashMap<InstrumentId, InstrumentId>,
    broker_places: HashMap<BrokerId, BrokerId>,
    strategy_places: HashMap<StrategyId, StrategyId>,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self {
            symbols: Vec::new(),
            brokers: Vec::new(),
            strategies: vec![EXTERNAL.to_owned(), ENGINE.to_owned()],
            by_symbol: HashMap::new(),
            instrument_places: HashMap::new(),
            broker_places: HashMap::new(),
            strategy_places: HashMap::new(),
        };
        names.begin_boot();
        names
    }
}

/// The place of a name in a list, added when it is new; `None` when the list is full.
fn place(list: &mut Vec<String>, name: &str) -> Option<u8> {
    let place = list.iter().position(|known| known == name);
    let place = u8::try_from(place.unwrap_or(list.len())).ok()?;
    if usize::from(place) == list.len() {
        list.push(name.to_owned());
    }
    Some(place)
}

impl Names {
    fn begin_boot(&mut self) {
        self.instrument_places.clear();
        self.broker_places.clear();
        self.strategy_places.clear();
        for id in [StrategyId::EXTERNAL, StrategyId::ENGINE] {
            self.strategy_places.insert(id, id);
        }
    }

    /// Takes a record that defines names; others change nothing.
    ///
    /// # Errors
    /// [`JournalError::Names`] after 256 different names.
    pub fn apply(&mut self, record: &Record) -> Result<(), JournalError> {
        let full = |what| JournalError::Names { what };
        match *record {
            Record::Boot { .. } => self.begin_boot(),
            Record::Instrument { id, symbol } => {
                let next = InstrumentId(self.symbols.len() as u32);
                let place = *self.by_symbol.entry(symbol).or_insert(next);
                if place == next {
                    self.symbols.push(symbol);
                }
                self.instrument_places.insert(id, place);
            }
            Record::Broker { id, name } => {
                let place = place(&mut self.brokers, name.as_str()).ok_or(full("broker"))?;
                self.broker_places.insert(id, BrokerId(place));
            }
            Record::Strategy { id, name } => {
                let place = place(&mut self.strategies, name.as_str()).ok_or(full("strategy"))?;
                self.strategy_places.insert(id, StrategyId(place));
            }
            _ => {}
        }
        Ok(())
    }

    /// Every symbol, by place.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// Every broker, by place.
    #[must_use]
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }

    /// Every strategy, by place.
    #[must_use]
    pub fn strategies(&self) -> &[String] {
        &self.strategies
    }

    /// The present boot's instrument as a place among [`symbols`](Self::symbols).
    ///
    /// # Errors
    /// [`JournalError::Undefined`].
    pub fn instrument(
        &self,
        sequence: u64,
        id: InstrumentId,
    ) -> Result<InstrumentId, JournalError> {
        self.instrument_places
            .get(&id)
            .copied()
            .ok_or(JournalError::Undefined {
                sequence,
                what: "instrument",
                id: id.0,
            })
    }

    /// The present boot's broker as a place among [`brokers`](Self::brokers).
    ///
    /// # Errors
    /// [`JournalError::Undefined`].
    pub fn broker(&self, sequence: u64, id: BrokerId) -> Result<BrokerId, JournalError> {
        self.broker_places
            .get(&id)
            .copied()
            .ok_or(JournalError::Undefined {
                sequence,
                what: "broker",
                id: u32::from(id.0),
            })
    }

    /// The present boot's strategy as a place among [`strategies`](Self::strategies).
    ///
    /// # Errors
    /// [`JournalError::Undefined`].
    pub fn strategy(&self, sequence: u64, id: StrategyId) -> Result<StrategyId, JournalError> {
        self.strategy_places
            .get(&id)
            .copied()
            .ok_or(JournalError::Undefined {
                sequence,
                what: "strategy",
                id: u32::from(id.0),
            })
    }

    /// Symbol of the present boot's instrument.
    #[must_use]
    pub fn symbol_of(&self, id: InstrumentId) -> Option<Symbol> {
        let place = self.instrument_places.get(&id)?;
        self.symbols.get(place.index()).copied()
    }

    /// Name of the present boot's broker.
    #[must_use]
    pub fn broker_of(&self, id: BrokerId) -> Option<&str> {
        let place = self.broker_places.get(&id)?;
        self.brokers.get(place.index()).map(String::as_str)
    }

    /// Name of the present boot's strategy.
    #[must_use]
    pub fn strategy_of(&self, id: StrategyId) -> Option<&str> {
        let place = self.strategy_places.get(&id)?;
        self.strategies.get(place.index()).map(String::as_str)
    }
}
