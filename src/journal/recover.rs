//! What a restart begins from: the journal read, made whole and replayed.
//!
//! Runs on: start-up, under the state directory's lock.
//! Owns: the way from records to [`RecoveredState`] in the new run's ids.
//! Never: begins from a damaged journal, or from one whose beginning is missing.

use std::path::Path;

use super::error::JournalError;
use super::follower::JournalTail;
use super::reader::Journal;
use super::repair::settle;
use super::replay::Replayer;
use crate::types::{
    BrokerId, InstrumentId, Nanos, RecoveredAccount, RecoveredOrder, RecoveredPosition,
    RecoveredShare, RecoveredState, RecoveredTradingState, Scope, StrategyId, Symbol,
};

/// A journal's state. The ids in `state` are places in `symbols`, `brokers` and `strategies`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Every symbol of every boot.
    pub symbols: Vec<Symbol>,
    /// Every broker's name; names are cut at 23 bytes, as [`Name`](super::record::Name) does.
    pub brokers: Vec<String>,
    /// Every strategy's name, cut likewise.
    pub strategies: Vec<String>,
    /// The last boot on record, 0 for a first start.
    pub last_epoch: u32,
    /// Bytes of a torn end that were left out.
    pub torn_bytes: u64,
    /// Records read.
    pub records: u64,
    /// Records that did not fit their order's life cycle.
    pub anomalies: u64,
    /// Time of the last record.
    pub last_time: Nanos,
    /// Whether the last run ended in order.
    pub shut_down: bool,
    /// What [`create`](super::create) continues.
    pub tail: JournalTail,
    /// Orders, positions, cash, trading states.
    pub state: RecoveredState,
}

/// Reads the journal of `dir` with its hot tail, makes it whole on disk, removes the hot segments,
/// and replays it.
///
/// # Errors
/// [`JournalError::Damaged`] with file and offset, [`JournalError::Decode`],
/// [`JournalError::Beginning`], [`JournalError::Undefined`], and those of the file system. The
/// journal is unchanged then.
pub fn recover(dir: &Path, hot_dir: Option<&Path>) -> Result<Recovered, JournalError> {
    replay(dir, hot_dir, true)
}

/// As [`recover`], but changes nothing: for reports and the offline verbs.
///
/// # Errors
/// As [`recover`].
pub fn inspect(dir: &Path, hot_dir: Option<&Path>) -> Result<Recovered, JournalError> {
    replay(dir, hot_dir, false)
}

fn replay(dir: &Path, hot_dir: Option<&Path>, make_whole: bool) -> Result<Recovered, JournalError> {
    let mut reader = Journal::read(dir, hot_dir)?;
    let mut replayer = Replayer::new();
    for entry in &mut reader {
        let entry = entry?;
        if replayer.records() == 0 && entry.sequence != 1 {
            return Err(JournalError::Beginning {
                first: entry.sequence,
            });
        }
        replayer.apply(entry.sequence, entry.time, &entry.record)?;
    }
    if make_whole {
        settle(dir, &reader)?;
    }
    let verified = reader.verified();
    let names = replayer.names();
    Ok(Recovered {
        symbols: names.symbols().to_vec(),
        brokers: names.brokers().to_vec(),
        strategies: names.strategies().to_vec(),
        last_epoch: replayer.last_epoch(),
        torn_bytes: verified.torn_bytes,
        records: verified.records,
        anomalies: replayer.anomalies(),
        last_time: replayer.last_time(),
        shut_down: replayer.shut_down(),
        tail: verified.tail,
        state: replayer.state(),
    })
}

impl Recovered {
    /// The state in a new run's ids. What a broker that is gone had, but neither working orders nor
    /// an open position, is left out; a preference for it is dropped.
    ///
    /// # Errors
    /// [`JournalError::BrokerGone`] when a broker with a working order or an open position
    /// is not configured any more.
    pub fn remap(
        self,
        instrument: impl Fn(Symbol) -> InstrumentId,
        broker: impl Fn(&str) -> Option<BrokerId>,
        strategy: impl Fn(&str) -> StrategyId,
    ) -> Result<RecoveredState, JournalError> {
        // An id of the state is always a place in its list.
        let instruments: Vec<InstrumentId> = self.symbols.iter().copied().map(instrument).collect();
        let brokers: Vec<Option<BrokerId>> = self.brokers.iter().map(|name| broker(name)).collect();
        let strategies: Vec<StrategyId> = self
            .strategies
            .iter()
            .enumerate()
            .map(|(place, name)| match place {
                // The same in every run, with or without a record.
                0 => StrategyId::EXTERNAL,
                1 => StrategyId::ENGINE,
                _ => strategy(name),
            })
            .collect();
        let mapping = Mapping {
            names: &self.brokers,
            instruments,
            brokers,
            strategies,
        };
        let state = &self.state;
        let orders = state.orders.iter().map(|order| mapping.order(*order));
        let positions = state.positions.iter().map(|held| mapping.position(held));
        let mut positions: Vec<RecoveredPosition> = positions
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        positions.sort_by_key(|held| (held.broker, held.instrument));
        let shares = state.shares.iter().map(|share| RecoveredShare {
            strategy: mapping.strategies[share.strategy.index()],
            instrument: mapping.instruments[share.instrument.index()],
            position: share.position,
        });
        let accounts = state.accounts.iter().filter_map(|account| {
            let broker = mapping.configured(account.broker)?;
            Some(RecoveredAccount { broker, ..*account })
        });
        let states = state.trading_states.iter();
        Ok(RecoveredState {
            orders: orders.collect::<Result<_, _>>()?,
            accounts: accounts.collect(),
            positions,
            shares: shares.collect(),
            trading_states: states.filter_map(|known| mapping.state(known)).collect(),
            ..state.clone()
        })
    }
}

/// The new run's id of each place. An id of the recovered state is always a place in its list.
struct Mapping<'a> {
    names: &'a [String],
    instruments: Vec<InstrumentId>,
    brokers: Vec<Option<BrokerId>>,
    strategies: Vec<StrategyId>,
}

impl Mapping<'_> {
    fn configured(&self, place: BrokerId) -> Option<BrokerId> {
        self.brokers[place.index()]
    }

    fn needed(&self, place: BrokerId, what: &'static str) -> Result<BrokerId, JournalError> {
        self.configured(place)
            .ok_or_else(|| JournalError::BrokerGone {
                broker: self.names[place.index()].clone(),
                what,
            })
    }

    fn order(&self, mut order: RecoveredOrder) -> Result<RecoveredOrder, JournalError> {
        let request = &mut order.approved.request;
        request.order.instrument = self.instruments[request.order.instrument.index()];
        request.strategy = self.strategies[request.strategy.index()];
        request.preferred_broker = request
            .preferred_broker
            .and_then(|place| self.configured(place));
        order.approved.broker = self.needed(order.approved.broker, "a working order")?;
        Ok(order)
    }

    fn position(
        &self,
        held: &RecoveredPosition,
    ) -> Result<Option<RecoveredPosition>, JournalError> {
        let broker = match self.configured(held.broker) {
            Some(broker) => broker,
            None if held.position.quantity.is_zero() => return Ok(None),
            None => self.needed(held.broker, "an open position")?,
        };
        Ok(Some(RecoveredPosition {
            broker,
            instrument: self.instruments[held.instrument.index()],
            position: held.position,
        }))
    }

    fn state(&self, known: &RecoveredTradingState) -> Option<RecoveredTradingState> {
        let scope = match known.scope {
            Scope::Firm => Scope::Firm,
            Scope::Broker(place) => Scope::Broker(self.configured(place)?),
            Scope::Strategy(place) => Scope::Strategy(self.strategies[place.index()]),
        };
        Some(RecoveredTradingState { scope, ..*known })
    }
}
