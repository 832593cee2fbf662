//! Orders for the gate's benches: a random instrument each, all controls on, a constant number of
//! open orders.
//!
//! Runs on: benches.
//! Owns: the gate, its market and the open orders.
//! Never: reads a clock: time is virtual, ten microseconds an order.

use std::sync::Arc;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use shrike::ring::{BoardWriter, board};
use shrike::risk::{Access, InstrumentRule, RateLimit, RiskGate, RiskSettings};
use shrike::types::{
    AccountKind, AccountSnapshot, BootEpoch, BrokerId, Exposure, InstrumentId, InstrumentTable,
    KillWord, Money, Nanos, Order, OrderId, OrderRequest, PortId, Price, Quantity, Quote, Ratio,
    RecoveredState, RoutingTable, SessionSchedule, SessionWindow, Side, StrategyId,
};

const SECOND: u64 = 1_000_000_000;
const CENT: i64 = 10_000_000;

pub struct Workload {
    pub gate: RiskGate,
    board: BoardWriter,
    random: Xoshiro256PlusPlus,
    now: Nanos,
    sequence: u64,
    instruments: u32,
    open: Vec<OrderId>,
}

fn whole(n: i64) -> Quantity {
    Quantity::from_whole(n).unwrap_or(Quantity::MAX)
}

fn settings(instruments: u32) -> RiskSettings {
    let rule = InstrumentRule {
        tick: InstrumentTable::DEFAULT_TICK,
        fine_tick: Price::from_units(CENT / 100),
        lot: InstrumentTable::DEFAULT_LOT,
        access: Access::Allowed,
        shortable: true,
    };
    let rules = vec![rule; instruments as usize];
    let mut settings = RiskSettings::new(BootEpoch::FIRST, rules, 1, 2, 1);
    settings.capacity = 131_072;
    settings.max_open_orders = 131_072;
    settings.max_open_orders_per_symbol = Some(131_072);
    settings.max_open_orders_per_strategy = Some(131_072);
    settings.max_position = Quantity::MAX;
    settings.max_order_quantity = whole(65_536);
    settings.max_order_notional = Some(Money::from_whole(10_000_000));
    settings.max_daily_loss = Some(Ratio::from_basis_points(500));
    settings.max_drawdown = Some(Ratio::from_basis_points(1_000));
    settings.strategy_order_rate = Some(RateLimit::new(200_000, SECOND));
    settings.account_order_rate = Some(RateLimit::new(200_000, SECOND));
    settings.max_quote_age_ns = Some(3_600 * SECOND);
    settings
}

impl Workload {
    pub fn new(instruments: u32, open_orders: usize) -> Self {
        let now = Nanos(50_000 * SECOND);
        let (mut writer, reader) = board(instruments as usize);
        for id in 0..instruments {
            write(&mut writer, InstrumentId(id), now);
        }
        let day = SessionWindow {
            date: 20_131_007,
            roll: Nanos::ZERO,
            pre_open: Nanos::ZERO,
            open: Nanos::ZERO,
            close: Nanos(90_000 * SECOND),
            post_close: Nanos(90_000 * SECOND),
        };
        let broker = BrokerId(0);
        let mut gate = RiskGate::new(
            &settings(instruments),
            reader,
            Arc::new(KillWord::new()),
            SessionSchedule::new(vec![day]),
            RoutingTable::new(1, broker, Vec::new()),
            &RecoveredState::default(),
        );
        gate.apply(&Exposure::Link { broker, up: true });
        gate.apply(&Exposure::Account(AccountSnapshot {
            broker,
            kind: AccountKind::Margin,
            cash: Money::from_whole(35_000_000_000),
            multiplier: Ratio::from_units(2_000_000_000),
            at: now,
        }));
        gate.roll(now);
        gate.watch(now);
        let mut workload = Self {
            gate,
            board: writer,
            random: Xoshiro256PlusPlus::seed_from_u64(7),
            now,
            sequence: 0,
            instruments,
            open: Vec::with_capacity(open_orders + 64),
        };
        for _ in 0..open_orders {
            let request = workload.request();
            workload.approve(&request);
        }
        workload
    }

    /// The next order: any instrument, side, quantity and limit near the market.
    pub fn request(&mut self) -> OrderRequest {
        let random = self.random.next_u64();
        let pick = ((random & 0xFFFF_FFFF) * u64::from(self.instruments)) >> 32;
        let side = if random >> 63 == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let quantity = whole((random >> 32 & 8_191) as i64 + 1);
        let limit = Price::from_units((9_600 + (random >> 48 & 1_023) as i64 * 7 / 10) * CENT);
        self.sequence += 1;
        self.now = self.now.plus(10_000);
        OrderRequest {
            order_id: OrderId::new(BootEpoch::FIRST, PortId(0), self.sequence)
                .expect("a sequence in range"),
            strategy: StrategyId(1),
            preferred_broker: None,
            order: Order::limit(InstrumentId(pick as u32), side, quantity, limit),
            submitted_at: self.now,
            decision_price: Price::ZERO,
            signal_stamp: 0,
        }
    }

    /// Checks an order; a duplicate by chance is the one refusal that there may be.
    pub fn approve(&mut self, request: &OrderRequest) {
        if self.gate.check(request.submitted_at, request).is_ok() {
            self.open.push(request.order_id);
        }
    }

    /// Closes any order and refreshes a quote, so that the open orders stay as many and the feed
    /// alive.
    pub fn close_one(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let random = self.random.next_u64();
        let pick = ((random & 0xFFFF_FFFF) * self.open.len() as u64) >> 32;
        let order_id = self.open.swap_remove(pick as usize);
        self.gate.apply(&Exposure::Closed { order_id });
        let id = InstrumentId((random >> 32) as u32 % self.instruments);
        write(&mut self.board, id, self.now);
    }

    pub fn open_orders(&self) -> usize {
        self.open.len()
    }
}

fn write(board: &mut BoardWriter, id: InstrumentId, now: Nanos) {
    let quote = Quote {
        bid: Price::from_units(9_999 * CENT),
        bid_size: whole(100),
        ask: Price::from_units(10_001 * CENT),
        ask_size: whole(100),
        time: now,
    };
    board.write_quote(id, &quote);
}
