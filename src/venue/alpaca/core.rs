//! The broker behind the API: one simulated exchange and everything that Alpaca adds to it.
//!
//! Runs on: whoever holds it; one request at a time.
//! Owns: the exchange, the orders with their ids, activities, the ledger, and the events on their way out.
//! Never: reads a clock or a socket: `now` and typed requests are arguments.

use std::collections::HashMap;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};

use super::account::Configurations;
use super::activities::Activity;
use super::assets::{ASSETS, version_4};
use super::error::ApiError;
use super::json::{instant, text, uuid};
use super::record::{Class, Record, Role, Status};
use super::watchlists::Watchlist;
use crate::sim::{Exchange, ExchangeSettings};
use crate::types::{
    AccountKind, BookSide, BootEpoch, BrokerReject, ExecutionReport, Instrument, InstrumentId,
    InstrumentTable, Money, Nanos, NewOrderCommand, OrderFlags, OrderId, OrderType, PortId, Price,
    Quantity, Quote, QuoteUpdate, Ratio, ReportKind, SessionPhase, SessionSchedule, Side,
    StageStamps, StrategyId,
};

/// Size of a quote that never runs out: renewed before every order.
const ENDLESS: i64 = 1_000_000;

/// What the venue tells its streams.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// A message of `trade_updates`: the event's name and its data.
    Trade(&'static str, Value),
    /// A market-data message with its symbol.
    Data(&'static str, Value),
}

/// One execution, for the ledger.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its id.
    pub id: u128,
    /// The row of its order.
    pub order: usize,
    /// How much.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
    /// When.
    pub at: Nanos,
}

/// The last trade of an instrument.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastTrade {
    /// Price.
    pub price: Price,
    /// Size.
    pub size: Quantity,
    /// When.
    pub at: Nanos,
    /// Its number.
    pub number: u64,
}

/// What has to be done once the exchange is at rest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Todo {
    /// Cancel an order.
    Cancel(usize),
    /// Send a leg to the exchange.
    Activate(usize),
    /// Reduce a leg's quantity by what its sibling filled.
    Shrink(usize, Quantity),
}

/// See the module.
#[derive(Debug)]
pub struct Core {
    pub(super) exchange: Exchange,
    pub(super) schedule: SessionSchedule,
    pub(super) now: Nanos,
    pub(super) account_id: u128,
    pub(super) started: Nanos,
    pub(super) cash_at_start: Money,
    pub(super) configurations: Configurations,
    pub(super) quotes: Vec<Quote>,
    pub(super) endless: Vec<bool>,
    pub(super) trades: Vec<LastTrade>,
    pub(super) orders: Vec<Record>,
    pub(super) by_id: HashMap<u128, usize>,
    pub(super) by_client: HashMap<String, usize>,
    pub(super) at_exchange: HashMap<OrderId, usize>,
    /// Rows of orders that may still trade, ascending.
    pub(super) open: Vec<usize>,
    /// How many of them by instrument and side.
    pub(super) working: Vec<[usize; 2]>,
    /// Rows of trailing stops that may still trade, and perhaps some that ended.
    pub(super) trailing: Vec<usize>,
    /// Rows that wait for the market to open.
    pub(super) queue: Vec<usize>,
    pub(super) executions: Vec<Execution>,
    pub(super) activities: Vec<Activity>,
    pub(super) watchlists: Vec<Watchlist>,
    pub(super) todo: Vec<Todo>,
    /// What the exchange said of the request at hand.
    pub(super) verdict: Option<BrokerReject>,
    /// The rows of a replace under way: old and new.
    pub(super) replacing: Option<(usize, usize)>,
    /// A row whose cancel at the exchange is not the client's.
    pub(super) silent: Option<usize>,
    /// The next cancels hang (an injected fault).
    pub(super) stuck_cancels: u32,
    pub(super) events: Vec<Outgoing>,
    random: Xoshiro256PlusPlus,
    sequence: u64,
    phase: SessionPhase,
}

impl Core {
    /// A venue at `now` with this cash, margin 2 and the opening quotes.
    #[must_use]
    pub fn new(seed: u64, cash: Money, schedule: SessionSchedule, now: Nanos) -> Self {
        let mut instruments = InstrumentTable::new();
        for asset in ASSETS {
            let Ok(symbol) = asset.symbol.parse() else {
                continue;
            };
            let id = instruments.add(symbol);
            instruments.update(Instrument {
                id,
                symbol,
                tick: InstrumentTable::DEFAULT_TICK,
                lot: Quantity::from_units(1),
                shortable: asset.shortable,
            });
        }
        let settings = ExchangeSettings {
            kind: AccountKind::Margin,
            cash,
            multiplier: Ratio::from_units(2_000_000_000),
            fill_at_quote: true,
            seed,
            max_open_orders: 49_152,
            ports: 1,
            ..ExchangeSettings::default()
        };
        let exchange = Exchange::new(settings, &instruments, schedule.clone(), now);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let account_id = mint(&mut random);
        let mut core = Self {
            exchange,
            schedule,
            now,
            account_id,
            started: now,
            cash_at_start: cash,
            configurations: Configurations::default(),
            quotes: vec![Quote::default(); ASSETS.len()],
            endless: vec![true; ASSETS.len()],
            trades: vec![LastTrade::default(); ASSETS.len()],
            orders: Vec::new(),
            by_id: HashMap::new(),
            by_client: HashMap::new(),
            at_exchange: HashMap::new(),
            open: Vec::new(),
            working: vec![[0; 2]; ASSETS.len()],
            trailing: Vec::new(),
            queue: Vec::new(),
            executions: Vec::new(),
            activities: Vec::new(),
            watchlists: Vec::new(),
            todo: Vec::new(),
            verdict: None,
            replacing: None,
            silent: None,
            stuck_cancels: 0,
            events: Vec::new(),
            random,
            sequence: 0,
            phase: SessionPhase::Closed,
        };
        core.phase = core.schedule.phase(now);
        core.open_market();
        core.events.clear();
        core
    }

    /// The quotes that the market opens with.
    fn open_market(&mut self) {
        for (row, asset) in ASSETS.iter().enumerate() {
            let [bid, ask] = asset.quote.map(|text| text.parse().unwrap_or(Price::ZERO));
            let size = Quantity::from_whole(ENDLESS).unwrap_or(Quantity::MAX);
            self.trades[row] = LastTrade {
                price: ask,
                size: Quantity::from_whole(100).unwrap_or(Quantity::ZERO),
                at: self.now,
                number: 1,
            };
            self.quote(InstrumentId(row as u32), bid, ask, size, size);
        }
    }

    /// A new id.
    pub(super) fn mint(&mut self) -> u128 {
        mint(&mut self.random)
    }

    /// The events since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.events)
    }

    /// Time passes.
    pub fn advance(&mut self, now: Nanos) {
        self.now = self.now.max(now);
        let phase = self.schedule.phase(self.now);
        self.exchange.on_time(self.now);
        self.settle();
        if phase != self.phase {
            self.phase = phase;
            self.reopen();
        }
    }

    /// After a session boundary the exchange wants fresh quotes, and what waited for the open goes in.
    fn reopen(&mut self) {
        for row in 0..self.quotes.len() {
            self.renew(InstrumentId(row as u32));
        }
        if self.phase == SessionPhase::Regular {
            for row in std::mem::take(&mut self.queue) {
                if self.orders[row].status == Status::Accepted {
                    let _ = self.enter(row);
                }
            }
        }
    }

    /// Puts the last quote again: its size is whole.
    fn renew(&mut self, instrument: InstrumentId) {
        let Quote {
            bid,
            ask,
            bid_size,
            ask_size,
            ..
        } = self.quotes[instrument.index()];
        self.post(instrument, bid, ask, bid_size, ask_size);
    }

    /// Whether regular trading is on.
    pub(super) fn is_open(&mut self) -> bool {
        self.schedule.phase(self.now) == SessionPhase::Regular
    }

    /// A quote from outside: its size is used up by what trades. Matching is done when this returns.
    pub fn show(
        &mut self,
        instrument: InstrumentId,
        bid: Price,
        ask: Price,
        bid_size: Quantity,
        ask_size: Quantity,
    ) {
        self.endless[instrument.index()] = false;
        self.quote(instrument, bid, ask, bid_size, ask_size);
    }

    /// Posts a quote and tells the data streams.
    fn quote(
        &mut self,
        instrument: InstrumentId,
        bid: Price,
        ask: Price,
        bid_size: Quantity,
        ask_size: Quantity,
    ) {
        self.post(instrument, bid, ask, bid_size, ask_size);
        let message = self.quote_message(instrument);
        self.events
            .push(Outgoing::Data(ASSETS[instrument.index()].symbol, message));
    }

    /// Moves every quote by up to two ticks.
    pub fn wander(&mut self) {
        for row in 0..self.quotes.len() {
            let quote = self.quotes[row];
            let ticks = i64::try_from(self.random.next_u64() % 5).unwrap_or(2) - 2;
            let step = ticks
                * if quote.bid.units() < 1_000_000_000 {
                    100_000
                } else {
                    10_000_000
                };
            let bid = Price::from_units(quote.bid.units() + step);
            let ask = Price::from_units(quote.ask.units() + step);
            if ticks != 0 && bid.is_positive() {
                let instrument = InstrumentId(row as u32);
                self.quote(instrument, bid, ask, quote.bid_size, quote.ask_size);
            }
        }
    }

    fn post(
        &mut self,
        instrument: InstrumentId,
        bid: Price,
        ask: Price,
        bid_size: Quantity,
        ask_size: Quantity,
    ) {
        let quote = Quote {
            bid,
            bid_size,
            ask,
            ask_size,
            time: self.now,
        };
        self.quotes[instrument.index()] = quote;
        if bid.is_positive() && ask.is_positive() && bid <= ask {
            self.follow(instrument, &quote);
        }
        let update = QuoteUpdate {
            instrument,
            side: BookSide::Both,
            quote,
        };
        self.settle();
        let taken = self.exchange.on_quote(self.now, &update);
        debug_assert!(taken.is_ok(), "invariant: a settled exchange takes input");
        self.settle();
    }

    /// Trailing stops remember the best price.
    fn follow(&mut self, instrument: InstrumentId, quote: &Quote) {
        let orders = &mut self.orders;
        self.trailing.retain(|row| orders[*row].status.is_open());
        for &row in &self.trailing {
            let record = &mut orders[row];
            if record.instrument == instrument
                && let Some(mark) = record.high_water_mark
            {
                record.high_water_mark = Some(match record.side {
                    Side::Sell => mark.max(quote.bid),
                    Side::Buy => mark.min(quote.ask),
                });
            }
        }
    }

    /// Sends a row to the exchange and lets everything happen that follows.
    ///
    /// # Errors
    /// What Alpaca answers when its risk check refuses.
    pub(super) fn enter(&mut self, row: usize) -> Result<(), ApiError> {
        let record = &self.orders[row];
        let instrument = record.instrument;
        if self.endless[instrument.index()] {
            self.renew(instrument);
        }
        self.sequence += 1;
        let Some(order_id) = OrderId::new(BootEpoch::FIRST, PortId(0), self.sequence) else {
            return Err(ApiError::internal("out of order numbers"));
        };
        let record = &mut self.orders[row];
        record.exchange_id = Some(order_id);
        let flags = if record.extended_hours {
            OrderFlags::EXTENDED_HOURS
        } else {
            OrderFlags::default()
        };
        let command = NewOrderCommand {
            order_id,
            instrument,
            strategy: StrategyId::ENGINE,
            side: record.side,
            time_in_force: record.time_in_force,
            flags,
            asked_type: record.order_type.name(),
            order_type: record.order_type,
            quantity: record.leaves(),
            stamps: StageStamps::default(),
        };
        self.at_exchange.insert(order_id, row);
        self.verdict = None;
        if self.exchange.submit(self.now, &command).is_err() {
            return Err(ApiError::internal("the exchange is busy"));
        }
        self.settle();
        match self.verdict.take() {
            None => Ok(()),
            Some(BrokerReject::MarketClosed) => {
                self.wait_for_open(row);
                Ok(())
            }
            Some(reason) => Err(self.refusal(row, reason)),
        }
    }

    fn wait_for_open(&mut self, row: usize) {
        self.queue.push(row);
        if self.orders[row].status != Status::Accepted {
            self.orders[row].status = Status::Accepted;
            self.emit(row, "accepted", &[]);
        }
    }

    /// Takes the exchange's reports and does what follows from them until it rests.
    pub(super) fn settle(&mut self) {
        loop {
            while let Some(report) = self.exchange.next_report(self.now) {
                self.apply(&report);
            }
            if !self.exchange.advance(self.now) || self.exchange.has_report(self.now) {
                continue;
            }
            if self.todo.is_empty() {
                return;
            }
            let todo = self.todo.remove(0);
            self.carry_out(todo);
        }
    }

    fn apply(&mut self, report: &ExecutionReport) {
        let Some(&row) = self.at_exchange.get(&report.order_id) else {
            return;
        };
        match report.kind {
            ReportKind::Accepted => self.on_accepted(row),
            ReportKind::Fill => self.on_fill(row, report),
            ReportKind::Canceled => self.on_done(row, Status::Canceled),
            ReportKind::Expired => self.on_done(row, Status::Expired),
            ReportKind::Replaced => self.on_replaced(),
            ReportKind::Rejected | ReportKind::CancelRejected | ReportKind::ReplaceRejected => {
                self.verdict = Some(report.reason);
            }
            _ => {}
        }
    }

    fn on_accepted(&mut self, row: usize) {
        let quote = self.quotes[self.orders[row].instrument.index()];
        let now = self.now;
        let record = &mut self.orders[row];
        record.updated_at = now;
        if matches!(record.order_type, OrderType::TrailingStop { .. }) {
            record.high_water_mark = Some(match record.side {
                Side::Sell => quote.bid,
                Side::Buy => quote.ask,
            });
            self.trailing.push(row);
        }
        if record.status == Status::PartiallyFilled {
            return;
        }
        // The stop-loss of a live group shows as held until it trades.
        let rests_hidden = record.role == Role::StopLoss && record.class != Class::Oto;
        if record.status == Status::Held && rests_hidden {
            return;
        }
        record.status = Status::New;
        let execution = uuid(self.mint());
        self.emit(row, "new", &[("execution_id", execution.into())]);
    }

    fn on_fill(&mut self, row: usize, report: &ExecutionReport) {
        let id = self.mint();
        let now = self.now;
        if self.orders[row].status == Status::Held {
            self.orders[row].status = Status::New;
            let execution = uuid(self.mint());
            self.emit(row, "new", &[("execution_id", execution.into())]);
        }
        let record = &mut self.orders[row];
        let (quantity, price) = (report.last_quantity, report.last_price);
        record.filled = record.filled.checked_add(quantity).unwrap_or(record.filled);
        record.value += price.notional(quantity);
        record.updated_at = now;
        let done = record.leaves().is_zero();
        if done {
            record.status = Status::Filled;
            record.filled_at = Some(now);
        } else if record.status != Status::PendingCancel {
            record.status = Status::PartiallyFilled;
        }
        let instrument = record.instrument;
        self.executions.push(Execution {
            id,
            order: row,
            quantity,
            price,
            at: now,
        });
        self.record_fill(row, quantity, price, done);
        if done {
            self.shut(row);
        }
        self.print(instrument, price, quantity);
        let position = self.exchange.position(instrument).quantity;
        let extra = [
            ("execution_id", uuid(id).into()),
            ("price", text(price)),
            ("qty", text(quantity)),
            ("position_qty", text(position)),
        ];
        self.emit(row, if done { "fill" } else { "partial_fill" }, &extra);
        self.after_fill(row, quantity, done);
    }

    /// The fill shows as a trade in the market data.
    fn print(&mut self, instrument: InstrumentId, price: Price, size: Quantity) {
        let trade = &mut self.trades[instrument.index()];
        *trade = LastTrade {
            price,
            size,
            at: self.now,
            number: trade.number + 1,
        };
        let message = self.trade_message(instrument);
        self.events
            .push(Outgoing::Data(ASSETS[instrument.index()].symbol, message));
    }

    pub(super) fn on_done(&mut self, row: usize, status: Status) {
        if self.silent == Some(row) {
            return;
        }
        let now = self.now;
        let record = &mut self.orders[row];
        if !record.status.is_open() {
            return;
        }
        record.status = status;
        record.updated_at = now;
        let event = match status {
            Status::Expired => {
                record.expired_at = Some(now);
                "expired"
            }
            Status::Rejected => {
                record.failed_at = Some(now);
                "rejected"
            }
            _ => {
                record.canceled_at = Some(now);
                "canceled"
            }
        };
        self.shut(row);
        self.queue.retain(|queued| *queued != row);
        self.emit(row, event, &[]);
        self.after_done(row);
    }

    /// A row may trade from now on. Rows come in ascending order.
    pub(super) fn opened(&mut self, row: usize) {
        debug_assert!(
            self.open.last().is_none_or(|last| *last < row),
            "invariant: open rows ascend"
        );
        let record = &self.orders[row];
        self.working[record.instrument.index()][record.side as usize] += 1;
        self.open.push(row);
    }

    /// A row trades no more.
    pub(super) fn shut(&mut self, row: usize) {
        if let Ok(at) = self.open.binary_search(&row) {
            self.open.remove(at);
            let record = &self.orders[row];
            self.working[record.instrument.index()][record.side as usize] -= 1;
        }
    }

    /// Tells the streams.
    pub(super) fn emit(&mut self, row: usize, event: &'static str, extra: &[(&str, Value)]) {
        let mut data = json!({
            "event": event,
            "timestamp": instant(self.now),
            "at": instant(self.now),
            "order": self.order_json(row, true),
        });
        for (key, value) in extra {
            data[*key] = value.clone();
        }
        self.events.push(Outgoing::Trade(event, data));
    }

    /// The order of a row as JSON, with its legs where it has some and they are wanted.
    #[must_use]
    pub(super) fn order_json(&self, row: usize, nested: bool) -> Value {
        let record = &self.orders[row];
        let asset = &ASSETS[record.instrument.index()];
        let legs = if nested && !record.legs.is_empty() {
            let legs = record.legs.iter().map(|leg| self.order_json(*leg, false));
            Value::Array(legs.collect())
        } else {
            Value::Null
        };
        record.to_json(asset.symbol, asset.id, legs)
    }
}

fn mint(random: &mut Xoshiro256PlusPlus) -> u128 {
    version_4((u128::from(random.next_u64()) << 64) | u128::from(random.next_u64()))
}
