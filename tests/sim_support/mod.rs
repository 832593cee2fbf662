//! A desk in front of a simulated exchange: short words for orders and quotes, in cents and whole shares.
//!
//! Runs on: tests.
//! Owns: an exchange with one session a day, its clock, and the reports that it made.
//! Never: sleeps; time is a number.
#![allow(dead_code, unused_imports)]

pub mod paper;

use shrike::sim::{Exchange, ExchangeSettings};
use shrike::types::{
    BookSide, BootEpoch, BrokerReject, ExecutionReport, Instrument, InstrumentId, InstrumentTable,
    Money, Nanos, NewOrderCommand, OrderFlags, OrderId, OrderType, PortId, Price, Quantity, Quote,
    QuoteUpdate, Ratio, ReplaceCommand, ReportKind, SessionSchedule, SessionWindow, Side,
    StageStamps, StrategyId, TimeInForce, TradeUpdate, TrailingOffset,
};

pub use shrike::types::BookSide::{Ask, Bid, Both};
pub use shrike::types::Side::{Buy, Sell};

pub const IBM: InstrumentId = InstrumentId(0);
pub const BAC: InstrumentId = InstrumentId(1);

/// Of every day: roll, pre-open, open, close, post-close.
pub const DAY: u64 = 1_000_000;
pub const PRE_OPEN: u64 = 100_000;
pub const OPEN: u64 = 200_000;
pub const CLOSE: u64 = 500_000;
pub const POST_CLOSE: u64 = 700_000;

pub fn cents(n: i64) -> Price {
    Price::from_units(n * 10_000_000)
}

pub fn shares(n: i64) -> Quantity {
    Quantity::from_whole(n).expect("small")
}

pub fn dollars(text: &str) -> Money {
    text.parse().expect("money")
}

pub fn id(sequence: u64) -> OrderId {
    OrderId::new(BootEpoch::FIRST, PortId(0), sequence).expect("an id")
}

pub fn limit(price: i64) -> OrderType {
    OrderType::Limit {
        limit: cents(price),
    }
}

pub fn stop(price: i64) -> OrderType {
    OrderType::Stop { stop: cents(price) }
}

pub fn trail(amount: i64) -> OrderType {
    OrderType::TrailingStop {
        offset: TrailingOffset::Amount(cents(amount)),
    }
}

pub fn table() -> InstrumentTable {
    let mut table = InstrumentTable::new();
    table.add("IBM".parse().expect("a symbol"));
    table.add("BAC".parse().expect("a symbol"));
    let hard = table.add("HARD".parse().expect("a symbol"));
    let row = *table.get(hard).expect("just added");
    table.update(Instrument {
        shortable: false,
        ..row
    });
    table
}

pub fn schedule(days: u64) -> SessionSchedule {
    let windows = (0..days)
        .map(|day| {
            let at = |offset: u64| Nanos((day + 1) * DAY + offset);
            SessionWindow {
                date: 20_131_000 + day as u32,
                roll: at(0),
                pre_open: at(PRE_OPEN),
                open: at(OPEN),
                close: at(CLOSE),
                post_close: at(POST_CLOSE),
            }
        })
        .collect();
    SessionSchedule::new(windows)
}

/// An account that never says no.
pub fn rich() -> ExchangeSettings {
    ExchangeSettings {
        cash: Money::from_whole(1_000_000_000),
        multiplier: Ratio::from_whole(4).expect("small"),
        max_open_orders: 4_096,
        ports: 2,
        ..ExchangeSettings::default()
    }
}

pub struct Desk {
    pub exchange: Exchange,
    pub now: u64,
    pub touch: Quote,
    pub next_id: u64,
}

impl Desk {
    /// Just after the open of the first day.
    pub fn new() -> Self {
        Self::with(rich())
    }

    pub fn with(settings: ExchangeSettings) -> Self {
        Self::at(settings, DAY + OPEN + 1)
    }

    pub fn at(settings: ExchangeSettings, now: u64) -> Self {
        Self {
            exchange: Exchange::new(settings, &table(), schedule(5), Nanos(now)),
            now,
            touch: Quote::default(),
            next_id: 1,
        }
    }

    /// With a two-sided IBM quote of 10.00 x 300 to 10.10 x 200.
    pub fn quoted() -> Self {
        let mut desk = Self::new();
        desk.both(1000, 300, 1010, 200);
        desk
    }

    pub fn tick(&mut self) -> Nanos {
        self.now += 1;
        Nanos(self.now)
    }

    pub fn go_to(&mut self, now: u64) {
        assert!(now >= self.now, "time goes forward");
        self.now = now;
        while !self.exchange.on_time(Nanos(now)) {}
    }

    /// An IBM row; a size of 0 with a price of 0 takes the side away.
    pub fn row(&mut self, side: BookSide, price: i64, size: i64) {
        let now = self.tick();
        match side {
            Bid => (self.touch.bid, self.touch.bid_size) = (cents(price), shares(size)),
            _ => (self.touch.ask, self.touch.ask_size) = (cents(price), shares(size)),
        }
        self.touch.time = now;
        self.send_row(side);
    }

    pub fn both(&mut self, bid: i64, bid_size: i64, ask: i64, ask_size: i64) {
        let now = self.tick();
        self.touch = Quote {
            bid: cents(bid),
            bid_size: shares(bid_size),
            ask: cents(ask),
            ask_size: shares(ask_size),
            time: now,
        };
        self.send_row(Both);
    }

    fn send_row(&mut self, side: BookSide) {
        let update = QuoteUpdate {
            instrument: IBM,
            side,
            quote: self.touch,
        };
        self.exchange
            .on_quote(Nanos(self.now), &update)
            .expect("not busy");
    }

    pub fn trade(&mut self, price: i64, size: i64) {
        let now = self.tick();
        let update = TradeUpdate {
            instrument: IBM,
            price: cents(price),
            size: shares(size),
            time: now,
        };
        self.exchange.on_trade(now, &update).expect("not busy");
    }

    pub fn command(&mut self, side: Side, quantity: i64, order_type: OrderType) -> NewOrderCommand {
        let sequence = self.next_id;
        self.next_id += 1;
        NewOrderCommand {
            order_id: id(sequence),
            instrument: IBM,
            strategy: StrategyId::ENGINE,
            side,
            time_in_force: TimeInForce::Day,
            flags: OrderFlags(0),
            asked_type: order_type.name(),
            order_type,
            quantity: shares(quantity),
            stamps: StageStamps::default(),
        }
    }

    pub fn send(&mut self, command: &NewOrderCommand) -> OrderId {
        let now = self.tick();
        self.exchange.submit(now, command).expect("not busy");
        command.order_id
    }

    pub fn order(&mut self, side: Side, quantity: i64, order_type: OrderType) -> OrderId {
        let command = self.command(side, quantity, order_type);
        self.send(&command)
    }

    pub fn order_for(
        &mut self,
        side: Side,
        quantity: i64,
        order_type: OrderType,
        time_in_force: TimeInForce,
    ) -> OrderId {
        let mut command = self.command(side, quantity, order_type);
        command.time_in_force = time_in_force;
        self.send(&command)
    }

    pub fn extended(
        &mut self,
        side: Side,
        quantity: i64,
        price: i64,
        time_in_force: TimeInForce,
    ) -> OrderId {
        let mut command = self.command(side, quantity, limit(price));
        command.time_in_force = time_in_force;
        command.flags = OrderFlags::EXTENDED_HOURS;
        self.send(&command)
    }

    pub fn cancel(&mut self, order_id: OrderId) {
        let now = self.tick();
        self.exchange.cancel(now, order_id).expect("not busy");
    }

    pub fn query(&mut self, order_id: OrderId) {
        let now = self.tick();
        self.exchange.query(now, order_id).expect("not busy");
    }

    pub fn replace(&mut self, order_id: OrderId, quantity: i64, order_type: OrderType) {
        let command = ReplaceCommand {
            order_id,
            strategy: StrategyId::ENGINE,
            quantity: shares(quantity),
            order_type,
        };
        let now = self.tick();
        self.exchange.replace(now, &command).expect("not busy");
    }

    /// All reports since the last look.
    pub fn reports(&mut self) -> Vec<ExecutionReport> {
        let mut reports = Vec::new();
        loop {
            while let Some(report) = self.exchange.next_report(Nanos(self.now)) {
                reports.push(report);
            }
            if self.exchange.on_time(Nanos(self.now)) {
                break;
            }
        }
        while let Some(report) = self.exchange.next_report(Nanos(self.now)) {
            reports.push(report);
        }
        reports
    }

    /// The fills since the last look: order, shares, price in cents.
    pub fn fills(&mut self) -> Vec<(OrderId, i64, i64)> {
        self.reports()
            .iter()
            .filter(|report| report.kind == ReportKind::Fill)
            .map(fill_of)
            .collect()
    }

    /// Kinds of reports with their order, the acceptances left out.
    pub fn kinds(&mut self) -> Vec<(OrderId, ReportKind)> {
        self.reports()
            .iter()
            .filter(|report| report.kind != ReportKind::Accepted)
            .map(|report| (report.order_id, report.kind))
            .collect()
    }

    /// The reason of the last report, which has to be a rejection of `kind`.
    pub fn rejection(&mut self, kind: ReportKind) -> BrokerReject {
        let last = self.reports().pop().expect("a report");
        assert_eq!(last.kind, kind, "{last:?}");
        last.reason
    }
}

pub fn fill_of(report: &ExecutionReport) -> (OrderId, i64, i64) {
    assert_eq!(report.last_quantity.units() % 1_000_000_000, 0);
    assert_eq!(report.last_price.units() % 10_000_000, 0);
    (
        report.order_id,
        report.last_quantity.units() / 1_000_000_000,
        report.last_price.units() / 10_000_000,
    )
}
