//! A desk for tests of the risk gate: two symbols, two brokers, three strategies, an open market.
//!
//! Runs on: tests.
//! Owns: the gate, the board's writer, the kill word and the time.
//! Never: sleeps.
#![allow(dead_code, reason = "each test file uses its own part of the desk")]

use std::sync::Arc;

use shrike::ring::{BoardWriter, board};
use shrike::risk::{Access, InstrumentRule, RiskGate, RiskSettings};
use shrike::types::{
    AccountKind, AccountSnapshot, ApprovedOrder, BootEpoch, BrokerId, Exposure, InstrumentId,
    KillWord, Money, Nanos, Order, OrderId, OrderRequest, PortId, Price, Quantity, Quote, Ratio,
    RecoveredState, Refusal, RefusalCode, ReplaceRequest, RoutingTable, SessionSchedule,
    SessionWindow, Side, StrategyId,
};

/// The first symbol.
pub const A: InstrumentId = InstrumentId(0);
/// The second symbol.
pub const B: InstrumentId = InstrumentId(1);
/// A broker with a margin account.
pub const MARGIN: BrokerId = BrokerId(0);
/// A broker with a cash account.
pub const CASH: BrokerId = BrokerId(1);
/// The strategy of most orders.
pub const MINE: StrategyId = StrategyId(2);

pub const SECOND: u64 = 1_000_000_000;
pub const HOUR: u64 = 3_600 * SECOND;
/// Noon of the first trading date of [`schedule`].
pub const NOON: Nanos = Nanos(24 * HOUR + 12 * HOUR);

/// Two trading dates: roll at 3, pre-market at 4, open at 10, close at 16, post-market until 20
/// o'clock.
pub fn schedule() -> SessionSchedule {
    let window = |date: u32, day: u64| {
        let at = |hour: u64| Nanos((day * 24 + hour) * HOUR);
        SessionWindow {
            date,
            roll: at(3),
            pre_open: at(4),
            open: at(10),
            close: at(16),
            post_close: at(20),
        }
    };
    SessionSchedule::new(vec![window(20_131_007, 1), window(20_131_008, 2)])
}

pub fn shares(n: i64) -> Quantity {
    Quantity::from_whole(n).expect("small")
}

pub fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

pub fn dollars(n: i64) -> Money {
    Money::from_whole(n)
}

pub fn rule() -> InstrumentRule {
    InstrumentRule {
        tick: price("0.01"),
        fine_tick: price("0.0001"),
        lot: shares(1),
        access: Access::Allowed,
        shortable: true,
    }
}

pub fn settings() -> RiskSettings {
    let epoch = BootEpoch::new(7).expect("an epoch");
    let mut settings = RiskSettings::new(epoch, vec![rule(); 2], 2, 3, 2);
    settings.capacity = 256;
    settings.max_open_orders = 256;
    settings.duplicate_window_ns = 0;
    settings
}

pub fn quote(bid: &str, ask: &str, time: Nanos) -> Quote {
    Quote {
        bid: price(bid),
        bid_size: shares(100),
        ask: price(ask),
        ask_size: shares(100),
        time,
    }
}

pub fn snapshot(broker: BrokerId, kind: AccountKind, cash: Money, multiplier: i64) -> Exposure {
    Exposure::Account(AccountSnapshot {
        broker,
        kind,
        cash,
        multiplier: Ratio::from_units(multiplier * 1_000_000_000),
        at: NOON,
    })
}

pub struct Desk {
    pub gate: RiskGate,
    pub board: BoardWriter,
    pub kill: Arc<KillWord>,
    pub now: Nanos,
    next: u64,
    pub strategy: StrategyId,
    pub broker: BrokerId,
}

impl Desk {
    /// A million at each broker, both links up, both symbols at 99.99 to 100.01.
    pub fn new(settings: &RiskSettings) -> Self {
        let mut desk = Self::recovered(settings, &RecoveredState::default());
        for broker in [MARGIN, CASH] {
            desk.gate.apply(&Exposure::Link { broker, up: true });
        }
        desk.gate.apply(&snapshot(
            MARGIN,
            AccountKind::Margin,
            dollars(1_000_000),
            2,
        ));
        desk.gate
            .apply(&snapshot(CASH, AccountKind::Cash, dollars(1_000_000), 1));
        desk.settle();
        desk
    }

    /// Links down, accounts not known; the quotes are there.
    pub fn recovered(settings: &RiskSettings, recovered: &RecoveredState) -> Self {
        let (mut writer, reader) = board(settings.instruments.len());
        for id in 0..settings.instruments.len() as u32 {
            writer.write_quote(InstrumentId(id), &quote("99.99", "100.01", NOON));
        }
        Self::on_board(settings, recovered, writer, reader)
    }

    pub fn on_board(
        settings: &RiskSettings,
        recovered: &RecoveredState,
        board: BoardWriter,
        reader: shrike::ring::BoardReader,
    ) -> Self {
        let kill = Arc::new(KillWord::new());
        let routing = RoutingTable::new(2, MARGIN, Vec::new());
        let gate = RiskGate::new(
            settings,
            reader,
            Arc::clone(&kill),
            schedule(),
            routing,
            recovered,
        );
        Self {
            gate,
            board,
            kill,
            now: NOON,
            next: 1,
            strategy: MINE,
            broker: MARGIN,
        }
    }

    /// What the agent does between exposure and orders.
    pub fn settle(&mut self) {
        self.gate.roll(self.now);
        self.gate.watch(self.now);
    }

    pub fn request(&mut self, order: Order) -> OrderRequest {
        let epoch = BootEpoch::new(7).expect("an epoch");
        let order_id = OrderId::new(epoch, PortId(0), self.next).expect("an id");
        self.next += 1;
        OrderRequest {
            order_id,
            strategy: self.strategy,
            preferred_broker: Some(self.broker),
            order,
            submitted_at: self.now,
            decision_price: Price::ZERO,
            signal_stamp: 0,
        }
    }

    pub fn send(&mut self, order: Order) -> Result<ApprovedOrder, Refusal> {
        let request = self.request(order);
        self.gate.check(self.now, &request)
    }

    /// The id of an order that must pass.
    pub fn pass(&mut self, order: Order) -> OrderId {
        match self.send(order) {
            Ok(approved) => approved.request.order_id,
            Err(refusal) => panic!("refused: {refusal}"),
        }
    }

    /// The code of an order that must not pass.
    pub fn refusal(&mut self, order: Order) -> RefusalCode {
        self.send(order).expect_err("must be refused").code
    }

    pub fn replace(&mut self, order_id: OrderId, change: ReplaceRequest) -> Result<(), Refusal> {
        let change = ReplaceRequest { order_id, ..change };
        self.gate.check_replace(self.now, &change).map(|_| ())
    }

    pub fn quote(&mut self, instrument: InstrumentId, bid: &str, ask: &str) {
        let quote = quote(bid, ask, self.now);
        self.board.write_quote(instrument, &quote);
        self.gate.on_quote(instrument);
    }

    /// A fill of an order; `id` 0 is nobody's.
    pub fn fill(&mut self, order_id: OrderId, side: Side, n: i64, at: &str, done: bool) {
        let fill = Exposure::Fill {
            order_id,
            broker: self.broker,
            instrument: A,
            side,
            done,
            quantity: shares(n),
            price: price(at),
            fee: Money::ZERO,
        };
        self.gate.apply(&fill);
    }

    /// Holds `n` shares of the first symbol, bought or sold by somebody else at 100.
    pub fn hold(&mut self, n: i64) {
        let side = if n > 0 { Side::Buy } else { Side::Sell };
        self.fill(OrderId::default(), side, n.abs(), "100", true);
        self.settle();
    }

    pub fn close(&mut self, order_id: OrderId) {
        self.gate.apply(&Exposure::Closed { order_id });
    }

    pub fn position(&self) -> Quantity {
        let exposure = self.gate.exposure(self.broker, A).expect("known");
        exposure.position
    }
}

/// A replace that changes nothing yet.
pub const NO_CHANGE: ReplaceRequest = ReplaceRequest {
    order_id: OrderId::from_raw(0),
    quantity: None,
    limit: None,
    stop: None,
    trail: None,
    requested_at: NOON,
};

pub fn buy(n: i64, limit: &str) -> Order {
    Order::limit(A, Side::Buy, shares(n), price(limit))
}

pub fn sell(n: i64, limit: &str) -> Order {
    Order::limit(A, Side::Sell, shares(n), price(limit))
}
