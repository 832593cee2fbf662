//! The COLD agent: adds up what ORDER tells, and starts again from the journal when something was
//! dropped.
//!
//! Runs on: COLD.
//! Owns: the reading end of ORDER's events, the live state, the publishing end of the event bus.
//! Never: waits for a reader of events, or books an execution twice.
//!
//! # When the ring dropped events
//!
//! The ring's gauge counts what it refused; the count is read before and after the events of a
//! cycle are taken, so a drop is noticed before the first event behind it is booked. From then on
//! order reports are still shown and told, but fills and accounts are left alone. Once the ring is
//! empty (or after a second without a pause) the journal of this session is replayed from its
//! beginning into a fresh [`Ledger`], which takes the state's place.
//!
//! ORDER appends to the journal before it tells, so all that was told or dropped up to then is in
//! that replay. What ORDER appended before the replay and tells after it is told twice, and that
//! does no harm: a fill is recognised by its execution id (or, without one, by its order and what
//! that had filled), and an order's report is its whole state, the last of which holds. To users,
//! the missed fills and the changed orders are told from the journal with the `replayed` flag,
//! behind a [`EventKind::Gap`].
//!
//! Latency is recorded from live events only, each once: samples of dropped events are missing from
//! the histograms, unless a later event of the order brings the same stamps.

use std::collections::{HashMap, HashSet, VecDeque};

use super::bus::Publisher;
use super::events::{EventKind, GapCause};
use super::ledger::{Ledger, Outcome};
use super::marks::Marks;
use super::positions::PositionEvent;
use super::state::{
    ColdShared, ColdState, FillKey, LiveOrder, Oddities, RecentFills, RefusalsOnRecord,
};
use crate::journal::Record;
use crate::ring::{BoardReader, Consumer};
use crate::runtime::Agent;
use crate::types::{
    AccountSnapshot, BrokerId, Event, Nanos, OrderEvent, OrderId, OrderReport, RecoveredState,
    RiskRecord,
};

/// The journal could not be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot replay the journal: {0}")]
pub struct ReplayError(pub String);

/// Where COLD reads this session's records from when events were dropped.
pub trait JournalSource: Send {
    /// Visits every record of this boot with its sequence and time, in order, from the boot's first
    /// to the last that is appended when the call begins, or a later one.
    ///
    /// # Errors
    /// [`ReplayError`]; the attempt is repeated a second later.
    fn replay(&mut self, visit: &mut dyn FnMut(u64, Nanos, &Record)) -> Result<(), ReplayError>;
}

impl<F> JournalSource for F
where
    F: FnMut(&mut dyn FnMut(u64, Nanos, &Record)) -> Result<(), ReplayError> + Send,
{
    fn replay(&mut self, visit: &mut dyn FnMut(u64, Nanos, &Record)) -> Result<(), ReplayError> {
        self(visit)
    }
}

/// Bounds of the cold side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ColdSettings {
    /// Events taken in one duty cycle at most.
    pub events_a_cycle: usize,
    /// Positions marked in one duty cycle at most.
    pub marks_a_cycle: usize,
    /// Working orders that room is made for at start.
    pub working_orders: usize,
    /// Finished orders that are still shown.
    pub retired_orders: usize,
    /// Fills remembered to tell a repeated one; more than the event ring holds.
    pub recent_fills: usize,
    /// How long a full ring may put off a rebuild, and the pause after a failed one.
    pub rebuild_pause_ns: u64,
}

impl Default for ColdSettings {
    fn default() -> Self {
        Self {
            events_a_cycle: 4_096,
            marks_a_cycle: 32,
            working_orders: 1_024,
            retired_orders: 65_536,
            recent_fills: 32_768,
            rebuild_pause_ns: 1_000_000_000,
        }
    }
}

/// What was missed and has to be told from the journal.
enum Missed {
    Fill(Box<(Option<OrderReport>, PositionEvent)>),
    Risk(RiskRecord),
    Link(BrokerId, bool),
    Account(AccountSnapshot),
}

/// A replay's result.
struct Rebuilt {
    ledger: Ledger,
    recent: RecentFills,
    accounts: VecDeque<AccountSnapshot>,
    refused: RefusalsOnRecord,
    missed: Vec<(Nanos, Missed)>,
}

/// Accounts remembered of a replay: far more than can be on their way in the ring at once.
const RECENT_ACCOUNTS: usize = 1_024;

#[derive(Clone, Copy)]
struct Gap {
    since: Nanos,
    not_before: Nanos,
}

/// See the module.
pub struct ColdAgent {
    settings: ColdSettings,
    recovered: RecoveredState,
    events: Consumer<Event>,
    publisher: Publisher,
    journal: Box<dyn JournalSource>,
    shared: ColdShared,
    gap: Option<Gap>,
    refused_seen: u64,
    /// Time of the last order event before which nothing was dropped.
    told_until: Nanos,
    /// Time of the last order event.
    last_at: Nanos,
}

impl ColdAgent {
    /// The agent and what others read of it.
    #[must_use]
    pub fn new(
        settings: ColdSettings,
        recovered: RecoveredState,
        events: Consumer<Event>,
        board: BoardReader,
        publisher: Publisher,
        journal: Box<dyn JournalSource>,
    ) -> (Self, ColdShared) {
        let state = ColdState::new(&recovered, Marks::new(board), &settings);
        let shared = ColdShared::new(state);
        let agent = Self {
            settings,
            recovered,
            events,
            publisher,
            journal,
            shared: shared.clone(),
            gap: None,
            refused_seen: 0,
            told_until: Nanos::ZERO,
            last_at: Nanos::ZERO,
        };
        (agent, shared)
    }

    /// Takes at most `limit` events; returns how many.
    fn drain(&mut self, now: Nanos, limit: usize) -> usize {
        let waiting = self.events.available().min(limit);
        let shared = self.shared.clone();
        let mut state = shared.lock();
        state.now = state.now.max(now);
        self.notice_drops(&mut state, now);
        for _ in 0..waiting {
            let Some(event) = self.events.pop() else {
                break;
            };
            if let Event::Order(report) = &event {
                self.last_at = self.last_at.max(report.at);
            }
            state.take(&event, &mut self.publisher);
        }
        self.notice_drops(&mut state, now);
        if self.gap.is_none() {
            self.told_until = self.last_at;
        }
        state.portfolio.refresh_marks(self.settings.marks_a_cycle);
        waiting
    }

    /// Called before and after events are taken, so that no event behind a drop is booked as if
    /// nothing were missing.
    fn notice_drops(&mut self, state: &mut ColdState, now: Nanos) {
        let refused = self.events.gauge().refused();
        if refused == self.refused_seen {
            return;
        }
        state.gap.dropped += refused - self.refused_seen;
        state.gap.rebuilding = true;
        self.refused_seen = refused;
        self.gap.get_or_insert(Gap {
            since: now,
            not_before: now,
        });
    }

    fn is_rebuild_due(&mut self, now: Nanos) -> bool {
        let pause = self.settings.rebuild_pause_ns;
        let quiet = self.events.available() == 0;
        self.gap
            .is_some_and(|gap| now >= gap.not_before && (quiet || now.since(gap.since) >= pause))
    }

    fn rebuild(&mut self, now: Nanos) {
        match self.replayed() {
            Ok(rebuilt) => {
                self.install(rebuilt, now);
                self.gap = None;
                self.told_until = self.last_at;
            }
            Err(error) => {
                let mut state = self.shared.lock();
                state.gap.failed_rebuilds += 1;
                state.gap.last_error = Some(error.to_string());
                if let Some(gap) = &mut self.gap {
                    gap.not_before = now.plus(self.settings.rebuild_pause_ns);
                }
            }
        }
    }

    /// Replays the session without holding the state's lock: readers see the old state meanwhile.
    fn replayed(&mut self) -> Result<Rebuilt, ReplayError> {
        let told: HashSet<FillKey> = self.shared.lock().recent.keys().collect();
        let mut rebuilt = Rebuilt {
            ledger: Ledger::new(&self.recovered, Marks::default()),
            recent: RecentFills::new(self.settings.recent_fills),
            accounts: VecDeque::new(),
            refused: RefusalsOnRecord::default(),
            missed: Vec::new(),
        };
        let told_until = self.told_until;
        self.journal.replay(&mut |sequence, time, record| {
            let outcome = rebuilt.ledger.apply(sequence, time, record);
            let missed = rebuilt.missed(&outcome, record, &told);
            // Every refusal told from now on that is among these was counted by the replay.
            if time >= told_until
                && let Record::Refused(refused) = record
            {
                let key = (refused.request.order_id, time, refused.code);
                rebuilt.refused.note(key);
            }
            if time >= told_until
                && let Some(missed) = missed
            {
                rebuilt.missed.push((time, missed));
            }
        })?;
        Ok(rebuilt)
    }

    /// Puts the rebuilt state in place and tells what was missed.
    fn install(&mut self, rebuilt: Rebuilt, now: Nanos) {
        let shared = self.shared.clone();
        let mut guard = shared.lock();
        let state = &mut *guard;
        let publisher = &mut self.publisher;
        let kind = EventKind::Gap {
            missed: state.gap.dropped - state.gap.told,
            cause: GapCause::EventRing,
        };
        state.gap.told = state.gap.dropped;
        publisher.publish(kind, now, false);
        let mut told = HashMap::new();
        for (at, missed) in rebuilt.missed {
            missed.publish(at, publisher, &mut told);
        }
        let before = state.clear_orders();
        // By last event, so that the orders which finished last are the ones kept.
        let mut orders: Vec<_> = rebuilt.ledger.orders().values().collect();
        orders.sort_by_key(|order| order.at);
        for order in orders {
            let live = before.get(&order.request.order_id);
            let rebuilt = LiveOrder::rebuilt(order, live);
            let known = told
                .get(&rebuilt.report.order_id)
                .or(live.map(|live| &live.report));
            if order.at >= self.told_until && !known.is_some_and(|k| same(k, &rebuilt.report)) {
                publisher.publish(EventKind::Order(rebuilt.report), order.at, true);
            }
            state.insert(rebuilt);
        }
        state.refusals.clone_from(rebuilt.ledger.refusals());
        state.on_record = rebuilt.refused;
        state.links.clone_from(rebuilt.ledger.links());
        state.trading_states = rebuilt.ledger.trading_states().to_vec();
        let irregularities = rebuilt.ledger.irregularities();
        state.oddities = Oddities {
            anomalies: irregularities.anomalies + irregularities.overflows,
            foreign_fills: irregularities.foreign_fills,
            unexpected_fills: irregularities.unexpected_fills,
        };
        let marks = state.portfolio.marks().clone();
        state.portfolio = rebuilt.ledger.into_portfolio();
        state.portfolio.set_marks(marks);
        state.portfolio.refresh_marks(usize::MAX);
        state.recent = rebuilt.recent;
        state.rebuilt_accounts = rebuilt.accounts.into();
        state.gap.rebuilding = false;
        state.gap.rebuilds += 1;
        state.gap.last_error = None;
    }
}

/// Whether two reports show an order in the same state.
fn same(a: &OrderReport, b: &OrderReport) -> bool {
    (a.status, a.quantity, a.filled) == (b.status, b.quantity, b.filled)
}

impl Rebuilt {
    /// Notes a replayed fill; returns what users have not been told, as far as that is known.
    fn missed(
        &mut self,
        outcome: &Outcome,
        record: &Record,
        told: &HashSet<FillKey>,
    ) -> Option<Missed> {
        match record {
            Record::Risk(record) => return Some(Missed::Risk(*record)),
            Record::Link { broker, up } => return Some(Missed::Link(*broker, *up)),
            Record::Account(snapshot) => {
                if self.accounts.len() == RECENT_ACCOUNTS {
                    self.accounts.pop_front();
                }
                self.accounts.push_back(*snapshot);
                return Some(Missed::Account(*snapshot));
            }
            _ => {}
        }
        let row = outcome.fill?;
        let order = self.ledger.orders().get(&row.order_id);
        let report = order.filter(|_| !row.foreign).map(|order| order.report());
        let key = FillKey::new(row.broker, row.execution_id, report.as_ref());
        if let Some(key) = key {
            self.recent.insert(key);
        }
        let new = key.is_none_or(|key| !told.contains(&key));
        let position = outcome.position.filter(|_| new)?;
        Some(Missed::Fill(Box::new((report, position))))
    }
}

impl Missed {
    fn publish(
        self,
        at: Nanos,
        publisher: &mut Publisher,
        told: &mut HashMap<OrderId, OrderReport>,
    ) {
        match self {
            Self::Fill(fill) => {
                let (report, position) = *fill;
                if let Some(report) = report {
                    debug_assert!(
                        matches!(report.event, OrderEvent::Filled(_)),
                        "invariant: the order's last event is this fill"
                    );
                    publisher.publish(EventKind::Order(report), at, true);
                    told.insert(report.order_id, report);
                } else {
                    let kind = EventKind::ForeignFill {
                        broker: position.cause.broker,
                        instrument: position.cause.instrument,
                        side: position.cause.side,
                        fill: position.cause.fill,
                    };
                    publisher.publish(kind, at, true);
                }
                publisher.publish(EventKind::Position(position), at, true);
            }
            Self::Risk(record) => publisher.publish(EventKind::Risk(record), at, true),
            Self::Link(broker, up) => publisher.publish(EventKind::Link { broker, up }, at, true),
            Self::Account(snapshot) => {
                publisher.publish(EventKind::Account(snapshot), at, true);
            }
        }
    }
}

impl Agent for ColdAgent {
    fn name(&self) -> &'static str {
        "cold"
    }

    fn on_start(&mut self, now: Nanos) {
        let mut state = self.shared.lock();
        (state.started, state.now) = (now, now);
    }

    fn poll(&mut self, now: Nanos) -> usize {
        let taken = self.drain(now, self.settings.events_a_cycle);
        if self.gap.is_some() && self.is_rebuild_due(now) {
            self.rebuild(now);
            return taken + 1;
        }
        taken
    }

    /// Takes what is left; ORDER has closed before, so its journal is whole.
    fn on_close(&mut self, now: Nanos) {
        while self.drain(now, usize::MAX) > 0 {}
        if self.gap.is_some() {
            self.rebuild(now);
        }
        self.shared.lock().portfolio.refresh_marks(usize::MAX);
    }
}
