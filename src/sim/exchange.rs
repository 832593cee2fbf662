//! The exchange: construction, the inputs from the market, the work in progress, and the reports on their way out.
//!
//! Runs on: whatever agent drives it; it has no thread, clock or socket of its own.
//! Owns: every book, the account, the order records and the report queue.
//! Never: takes an input while the work of an earlier one is unfinished, or allocates after construction.

use super::account::Account;
use super::book::{Book, LADDERS_PER_BOOK, Touch};
use super::ladder::LadderPool;
use super::latency::DelayLine;
use super::order::{Groups, SimOrder, Standing};
use super::seen::SeenIds;
use super::session::Session;
use super::settings::ExchangeSettings;
use super::trail::TrailPool;
use crate::types::{
    AccountSnapshot, AccountStatement, BrokerId, ExecutionReport, Instrument, InstrumentId,
    InstrumentTable, Liquidity, Money, Nanos, OrderId, OrderSlab, Position, Price, Quantity,
    QuoteUpdate, ReportKind, SessionPhase, SessionSchedule, Side, TradeUpdate,
};

/// The most reports that one step makes: an input is taken only while this many fit.
pub const REPORT_ROOM: usize = 4;
/// Steps of work in one call at most.
const STEPS_PER_CALL: usize = 256;

/// The exchange is still busy with an earlier input, or its reports were not taken. Nothing was done; advance it,
/// take its reports and try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the exchange is busy with an earlier input or its reports wait to be taken")]
pub struct Busy;

/// What is being worked on, step by step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Idle,
    /// A quote moved a book.
    Book(InstrumentId),
    /// A trade has this much left to give.
    Print {
        instrument: InstrumentId,
        side: Side,
        price: Price,
        left: i64,
    },
    /// A session boundary is being crossed.
    Boundary,
    /// Parked orders come back.
    Unpark,
    /// Restored orders whose end passed while nobody was there.
    Overdue,
    /// Everything is being canceled, from this slot on.
    CancelAll {
        slot: usize,
    },
}

/// See [`super`].
pub struct Exchange {
    pub(super) settings: ExchangeSettings,
    pub(super) instruments: Box<[Instrument]>,
    pub(super) index: OrderSlab<()>,
    pub(super) seen: SeenIds,
    pub(super) orders: Box<[SimOrder]>,
    pub(super) groups: Groups,
    pub(super) ladders: LadderPool,
    pub(super) trail_pool: TrailPool,
    pub(super) books: Box<[Book]>,
    pub(super) account: Account,
    pub(super) session: Session,
    pub(super) work: Work,
    pub(super) time: Nanos,
    /// Counts arrivals: time priority where a list does not keep it.
    pub(super) arrivals: u64,
    executions: u64,
    reports: DelayLine<ExecutionReport>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("broker", &self.settings.broker)
            .field("time", &self.time)
            .field("phase", &self.session.phase())
            .field("cash", &self.account.cash())
            .field("open_orders", &self.index.len())
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// An exchange that trades `instruments` by `schedule`, at `now`. Everything that it will ever need is allocated
    /// and touched here.
    ///
    /// # Panics
    /// When `max_open_orders` or `ports` is 0 or beyond the limits of [`OrderSlab`], or `report_queue` is below
    /// [`REPORT_ROOM`].
    #[must_use]
    pub fn new(
        settings: ExchangeSettings,
        instruments: &InstrumentTable,
        schedule: SessionSchedule,
        now: Nanos,
    ) -> Self {
        assert!(
            settings.report_queue >= REPORT_ROOM,
            "the report queue holds at least the reports of one step"
        );
        let slots = settings.max_open_orders + settings.history();
        let filler = ExecutionReport::new(
            ReportKind::Status,
            OrderId::default(),
            settings.broker,
            InstrumentId(0),
            Side::Buy,
        );
        Self {
            index: OrderSlab::new(slots, settings.ports),
            seen: SeenIds::new(settings.ports),
            orders: vec![SimOrder::default(); slots].into_boxed_slice(),
            groups: Groups::new(slots),
            ladders: LadderPool::new(instruments.len() * LADDERS_PER_BOOK, slots),
            trail_pool: TrailPool::new(slots),
            books: crate::types::touched(Book::default(), instruments.len()),
            account: Account::new(&settings, instruments.len()),
            session: Session::new(schedule, now),
            work: Work::Idle,
            time: now,
            arrivals: 0,
            executions: 0,
            reports: DelayLine::new(
                settings.report_queue,
                settings.report_latency,
                settings.seed ^ 0x7265_706f_7274_7321,
                filler,
            ),
            instruments: instruments.rows().into(),
            settings,
        }
    }

    /// Goes on with unfinished work and crosses the session boundaries up to `now`, a bounded number of steps at a
    /// time. Returns whether an input would be taken now.
    #[inline]
    pub fn advance(&mut self, now: Nanos) -> bool {
        if matches!(self.work, Work::Idle) && now < self.session.next() {
            self.time = self.time.max(now);
            return self.reports.room() >= REPORT_ROOM;
        }
        self.advance_work(now)
    }

    fn advance_work(&mut self, now: Nanos) -> bool {
        let mut budget = STEPS_PER_CALL;
        loop {
            while !matches!(self.work, Work::Idle) {
                if budget == 0 || self.reports.room() < REPORT_ROOM {
                    return false;
                }
                budget -= 1;
                self.step();
            }
            if now < self.session.next() {
                break;
            }
            self.time = self.time.max(self.session.next());
            self.work = Work::Boundary;
        }
        self.time = self.time.max(now);
        self.reports.room() >= REPORT_ROOM
    }

    fn step(&mut self) {
        match self.work {
            Work::Idle => {}
            Work::Book(instrument) => self.step_book(instrument),
            Work::Print {
                instrument,
                side,
                price,
                left,
            } => self.step_print(instrument, side, price, left),
            Work::Boundary => self.step_boundary(),
            Work::Unpark => self.step_unpark(),
            Work::Overdue => self.step_overdue(),
            Work::CancelAll { slot } => self.step_cancel_all(slot),
        }
    }

    /// A quote row. Rows of instruments that the exchange does not know are ignored.
    ///
    /// # Errors
    /// [`Busy`]; the row was not taken.
    pub fn on_quote(&mut self, now: Nanos, update: &QuoteUpdate) -> Result<(), Busy> {
        if !self.advance(now) {
            return Err(Busy);
        }
        let instrument = update.instrument;
        let Some(before) = self.books.get(instrument.index()).map(|book| book.touch) else {
            return Ok(());
        };
        let was_good = self.is_good(&before);
        let book = &mut self.books[instrument.index()];
        if was_good {
            book.last_good = before;
        }
        book.touch.apply(update, self.time);
        let touch = book.touch;
        if !self.is_good(&touch) {
            return Ok(());
        }
        self.account.mark(instrument, touch.midpoint());
        self.follow(instrument, &touch);
        self.work = Work::Book(instrument);
        self.advance(now);
        Ok(())
    }

    /// A trade. Ignored for an unknown instrument, a price or size that is not positive, and while the book is
    /// crossed, one-sided or closed.
    ///
    /// # Errors
    /// [`Busy`]; the trade was not taken.
    pub fn on_trade(&mut self, now: Nanos, update: &TradeUpdate) -> Result<(), Busy> {
        if !self.advance(now) {
            return Err(Busy);
        }
        let instrument = update.instrument;
        if instrument.index() >= self.books.len()
            || !update.price.is_positive()
            || !update.size.is_positive()
        {
            return Ok(());
        }
        if self.account.mark_of(instrument).is_zero() {
            self.account.mark(instrument, update.price);
        }
        if let Some(side) = self.print_side(instrument, update.price) {
            self.work = Work::Print {
                instrument,
                side,
                price: update.price,
                left: update.size.units(),
            };
            self.advance(now);
        }
        Ok(())
    }

    /// Time passes: session boundaries up to `now` are crossed. Returns whether that is finished.
    pub fn on_time(&mut self, now: Nanos) -> bool {
        self.advance(now)
    }

    /// When the exchange next does something by itself: a report arrives, or a session boundary ends or starts
    /// orders that wait for it.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        let report = self.reports.next_arrival();
        let boundary = self
            .waits_for_boundary()
            .then(|| self.session.next())
            .filter(|next| *next != Nanos::MAX);
        match (report, boundary) {
            (Some(report), Some(boundary)) => Some(report.min(boundary)),
            (report, boundary) => report.or(boundary),
        }
    }

    /// Takes the oldest report that has arrived by `now`.
    #[inline]
    pub fn next_report(&mut self, now: Nanos) -> Option<ExecutionReport> {
        self.reports.pop(now).map(|(_, report)| report)
    }

    /// Whether a report has arrived by `now`.
    #[inline]
    #[must_use]
    pub fn has_report(&self, now: Nanos) -> bool {
        self.reports.next_arrival().is_some_and(|at| at <= now)
    }

    /// Whether an earlier input is still being worked on.
    #[must_use]
    pub const fn is_working(&self) -> bool {
        !matches!(self.work, Work::Idle)
    }

    /// Two sides, not crossed, from the present phase, and the phase trades.
    #[inline]
    pub(super) fn is_good(&self, touch: &Touch) -> bool {
        touch.is_tradable()
            && touch.time >= self.session.phase_start()
            && self.session.phase() != SessionPhase::Closed
    }

    /// A report with what every kind carries.
    pub(super) fn report_of(&self, kind: ReportKind, order: u32) -> ExecutionReport {
        let order = &self.orders[order as usize];
        let mut report = ExecutionReport::new(
            kind,
            order.id,
            self.settings.broker,
            order.instrument,
            order.side,
        );
        report.cumulative_quantity = order.filled;
        report
    }

    /// Sends a report.
    #[inline]
    pub(super) fn send(&mut self, mut report: ExecutionReport) {
        report.broker_time = self.time;
        let sent = self.reports.push(self.time, report);
        debug_assert!(sent.is_ok(), "invariant: room was checked before the step");
    }

    /// Trades `quantity` of an order. An order whose numbers the books cannot hold is canceled instead; returns
    /// whether it traded.
    pub(super) fn fill(
        &mut self,
        order: u32,
        quantity: Quantity,
        price: Price,
        liquidity: Liquidity,
    ) -> bool {
        let SimOrder {
            instrument,
            side,
            reserved,
            ..
        } = self.orders[order as usize];
        let Some(fee) = self
            .account
            .fill(instrument, side, quantity, price, reserved)
        else {
            self.finish(order, Standing::Canceled);
            return false;
        };
        let record = &mut self.orders[order as usize];
        record.filled = Quantity::from_units(record.filled.units() + quantity.units());
        debug_assert!(
            record.filled <= record.quantity,
            "invariant: never over its quantity"
        );
        let done = record.filled == record.quantity;
        self.executions += 1;
        let mut report = self.report_of(ReportKind::Fill, order);
        report.execution_id = crate::types::ExecutionId(
            // Unlike those of every other boot and every other simulated broker of this one.
            (u128::from(self.settings.epoch.get()) << 64)
                | (u128::from(self.settings.broker.0) << 56)
                | u128::from(self.executions),
        );
        report.fee = fee;
        report.last_quantity = quantity;
        report.last_price = price;
        report.liquidity = liquidity;
        self.send(report);
        if done {
            self.finish(order, Standing::Filled);
        }
        true
    }

    /// Ends an order: out of its place and list, its reservation given back, and reported unless it filled.
    pub(super) fn finish(&mut self, order: u32, standing: Standing) {
        self.remove_from_place(order);
        let record = &mut self.orders[order as usize];
        record.standing = standing;
        let SimOrder {
            instrument,
            side,
            reserved,
            group,
            slot,
            ..
        } = *record;
        let leaves = record.leaves();
        self.groups.remove(group, order);
        if leaves.is_positive() {
            self.account.release(instrument, side, leaves, reserved);
        }
        if let Some(slot) = slot {
            self.index.retire(slot);
        }
        match standing {
            Standing::Canceled => self.send(self.report_of(ReportKind::Canceled, order)),
            Standing::Expired => self.send(self.report_of(ReportKind::Expired, order)),
            Standing::Working | Standing::Filled => {}
        }
    }

    /// The broker's name.
    #[must_use]
    pub const fn broker(&self) -> BrokerId {
        self.settings.broker
    }

    /// Cash.
    #[must_use]
    pub const fn cash(&self) -> Money {
        self.account.cash()
    }

    /// Cash plus positions at their marks.
    #[must_use]
    pub fn equity(&self) -> Money {
        self.account.equity()
    }

    /// What may still be bought or sold short.
    #[must_use]
    pub fn buying_power(&self) -> Money {
        self.account.buying_power()
    }

    /// A position, flat for an unknown instrument.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.account.position(instrument)
    }

    /// Working orders.
    #[must_use]
    pub const fn open_orders(&self) -> usize {
        self.index.len()
    }

    /// The account at `now`.
    #[must_use]
    pub fn account_snapshot(&self, now: Nanos) -> AccountSnapshot {
        AccountSnapshot {
            broker: self.settings.broker,
            kind: self.settings.kind,
            cash: self.account.cash(),
            multiplier: self.settings.multiplier,
            at: now,
        }
    }

    /// The broker's own books, for reconciliation. Allocates: not for the hot path.
    #[cold]
    #[must_use]
    pub fn statement(&self) -> AccountStatement {
        let mut open_orders: Vec<OrderId> = (0..self.index.capacity())
            .filter_map(|slot| self.index.slot_at(slot))
            .filter(|(_, _, retired)| !retired)
            .map(|(id, _, _)| id)
            .collect();
        open_orders.sort_unstable();
        AccountStatement {
            broker: self.settings.broker,
            cash: self.account.cash(),
            positions: self.account.positions().collect(),
            open_orders,
        }
    }
}
