//! What an order costs: at the gate, at the simulated exchange, and on its whole way.
//!
//! Runs on: a run of the test binary under valgrind.
//! Owns: each part in a steady state, with random instruments and a constant number of open orders.
//! Never: draws a random number, allocates or grows a list while it is counted.

use std::hint::black_box;
use std::sync::Arc;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use shrike::ring::{BoardWriter, board};
use shrike::risk::{Access, InstrumentRule, RateLimit, RiskGate, RiskSettings};
use shrike::sim::{Exchange, ExchangeSettings};
use shrike::types::*;

use super::hot_rig::{CENT, HotRig, MINE, PAPER, Plan, SECOND, cents, id, shares};

/// How large the engine is.
#[derive(Clone, Copy)]
pub struct Size {
    pub instruments: u32,
    pub open_orders: u32,
}

/// Orders before the counted ones: more than the check for duplicates remembers in its window.
const WARM_UP: usize = 60_000;
/// The same where an order costs thousands of instructions and nothing is remembered.
const SHORT_WARM_UP: usize = 2_000;
const MAX_OPEN: u32 = 131_072;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Gate,
    SimFill,
    SimCancel,
    Path,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Gate, Self::SimFill, Self::SimCancel, Self::Path];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::SimFill => "sim_fill",
            Self::SimCancel => "sim_cancel",
            Self::Path => "path",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Everything up to the counted part.
    pub fn prepare(self, size: Size, orders: usize) -> Box<dyn Workload> {
        match self {
            Self::Gate => Box::new(Gate::new(size, orders)),
            Self::SimFill => Box::new(Sim::new(size, orders, true)),
            Self::SimCancel => Box::new(Sim::new(size, orders, false)),
            Self::Path => Box::new(Path::new(size, orders)),
        }
    }
}

/// Orders that are ready to go.
pub trait Workload {
    fn go(&mut self);
    /// Whether all of it happened.
    fn verify(&self);
}

/// The only part that is counted: callgrind knows it by its name.
#[inline(never)]
pub fn measured_orders(workload: &mut dyn Workload) {
    black_box(workload).go();
}

struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn new() -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(7))
    }

    fn below(&mut self, end: u32) -> u32 {
        (((self.0.next_u64() >> 32) * u64::from(end)) >> 32) as u32
    }
}

/// A limit order at one of a thousand prices below or above the market; no two alike within a window.
fn order(dice: &mut Dice, instruments: u32, number: usize) -> Order {
    let instrument = InstrumentId(dice.below(instruments));
    let (side, price) = match dice.below(2) {
        0 => (Side::Buy, 9_000 + dice.below(900)),
        _ => (Side::Sell, 10_100 + dice.below(900)),
    };
    let quantity = shares(1 + (number % 65_000) as i64);
    Order::limit(instrument, side, quantity, cents(i64::from(price)))
}

fn quote(time: Nanos) -> Quote {
    Quote {
        bid: cents(10_000),
        bid_size: shares(1_000_000),
        ask: cents(10_002),
        ask_size: shares(1_000_000),
        time,
    }
}

/// RISK's gate with all controls; each order is checked and an older one closed.
struct Gate {
    gate: RiskGate,
    _board: BoardWriter,
    dice: Dice,
    now: Nanos,
    instruments: u32,
    sequence: u64,
    open: Vec<OrderId>,
    requests: Vec<OrderRequest>,
    /// Which open order is closed after each check.
    closed: Vec<usize>,
    approved: usize,
}

fn gate_settings(instruments: u32) -> RiskSettings {
    let rule = InstrumentRule {
        tick: InstrumentTable::DEFAULT_TICK,
        fine_tick: Price::from_units(CENT / 100),
        lot: InstrumentTable::DEFAULT_LOT,
        access: Access::Allowed,
        shortable: true,
    };
    let rules = vec![rule; instruments as usize];
    let mut settings = RiskSettings::new(BootEpoch::FIRST, rules, 1, 2, 1);
    settings.capacity = MAX_OPEN as usize;
    settings.max_open_orders = MAX_OPEN;
    settings.max_open_orders_per_symbol = Some(MAX_OPEN);
    settings.max_open_orders_per_strategy = Some(MAX_OPEN);
    settings.max_position = Quantity::MAX;
    settings.max_order_quantity = shares(100_000);
    settings.max_order_notional = Some(Money::from_whole(10_000_000));
    settings.max_daily_loss = Some(Ratio::from_basis_points(500));
    settings.max_drawdown = Some(Ratio::from_basis_points(1_000));
    settings.strategy_order_rate = Some(RateLimit::new(200_000, SECOND));
    settings.account_order_rate = Some(RateLimit::new(200_000, SECOND));
    settings.max_quote_age_ns = Some(3_600 * SECOND);
    settings.max_feed_silence_ns = None;
    settings.outer_collar_bps = 2_000;
    settings
}

impl Gate {
    fn new(size: Size, orders: usize) -> Self {
        let now = Nanos(50_000 * SECOND);
        let (mut writer, reader) = board(size.instruments as usize);
        for id in 0..size.instruments {
            writer.write_quote(InstrumentId(id), &quote(now));
        }
        let at = |hours: u64| Nanos(hours * 3_600 * SECOND);
        let day = SessionWindow {
            date: 20_131_007,
            roll: at(0),
            pre_open: at(0),
            open: at(0),
            close: at(25),
            post_close: at(25),
        };
        let mut gate = RiskGate::new(
            &gate_settings(size.instruments),
            reader,
            Arc::new(KillWord::new()),
            SessionSchedule::new(vec![day]),
            RoutingTable::new(1, PAPER, Vec::new()),
            &RecoveredState::default(),
        );
        gate.apply(&Exposure::Link {
            broker: PAPER,
            up: true,
        });
        gate.apply(&Exposure::Account(AccountSnapshot {
            broker: PAPER,
            kind: AccountKind::Margin,
            cash: Money::from_whole(35_000_000_000_000),
            multiplier: Ratio::from_units(2_000_000_000),
            at: now,
        }));
        gate.roll(now);
        gate.watch(now);
        let mut this = Self {
            gate,
            _board: writer,
            dice: Dice::new(),
            now,
            instruments: size.instruments,
            sequence: 0,
            open: Vec::with_capacity(size.open_orders as usize + 1),
            requests: Vec::new(),
            closed: Vec::new(),
            approved: 0,
        };
        this.plan(size.open_orders as usize, false);
        this.go();
        this.plan(WARM_UP, true);
        this.go();
        this.plan(orders, true);
        this
    }

    /// The next `orders`, with or without the closing of as many.
    fn plan(&mut self, orders: usize, closes: bool) {
        self.approved = 0;
        self.requests.clear();
        self.closed.clear();
        let open = self.open.len() as u32 + 1;
        for _ in 0..orders {
            self.sequence += 1;
            self.now = self.now.plus(10_000);
            self.requests.push(OrderRequest {
                order_id: id(0, self.sequence),
                strategy: MINE,
                preferred_broker: None,
                order: order(&mut self.dice, self.instruments, self.sequence as usize),
                submitted_at: self.now,
                decision_price: Price::ZERO,
                signal_stamp: 0,
            });
            if closes {
                self.closed.push(self.dice.below(open) as usize);
            }
        }
    }
}

impl Workload for Gate {
    fn go(&mut self) {
        for (number, request) in self.requests.iter().enumerate() {
            let checked = self.gate.check(request.submitted_at, request);
            self.approved += usize::from(checked.is_ok());
            self.open.push(request.order_id);
            if let Some(&index) = self.closed.get(number) {
                let order_id = self.open.swap_remove(index);
                self.gate.apply(&Exposure::Closed { order_id });
            }
        }
    }

    fn verify(&self) {
        assert_eq!(
            self.approved,
            self.requests.len(),
            "{:?}",
            self.gate.reading()
        );
    }
}

/// The exchange alone: an order fills at once, or rests and is canceled.
struct Sim {
    exchange: Exchange,
    now: Nanos,
    commands: Vec<NewOrderCommand>,
    fills: bool,
    reports: [usize; 2],
}

/// One trading date that does not end.
fn endless() -> SessionSchedule {
    let hours = |n: u64| Nanos(n * 3_600 * SECOND);
    SessionSchedule::new(vec![SessionWindow {
        date: 20_131_007,
        roll: hours(0),
        pre_open: hours(0),
        open: hours(0),
        close: hours(1_000),
        post_close: hours(1_000),
    }])
}

impl Sim {
    fn new(size: Size, orders: usize, fills: bool) -> Self {
        let mut table = InstrumentTable::new();
        for n in 0..size.instruments {
            table.add(format!("S{n}").parse().expect("a symbol"));
        }
        let settings = ExchangeSettings {
            cash: Money::from_whole(35_000_000_000_000),
            max_open_orders: MAX_OPEN as usize,
            ports: 2,
            ..ExchangeSettings::default()
        };
        let now = Nanos(3_600 * SECOND);
        let mut this = Self {
            exchange: Exchange::new(settings, &table, endless(), now),
            now,
            commands: Vec::new(),
            fills,
            reports: [0; 2],
        };
        for n in 0..size.instruments {
            let update = QuoteUpdate {
                instrument: InstrumentId(n),
                side: BookSide::Both,
                quote: quote(now),
            };
            this.exchange.on_quote(now, &update).expect("idle");
        }
        let mut dice = Dice::new();
        for n in 0..size.open_orders as usize {
            let order = order(&mut dice, size.instruments, n);
            let command = command(id(1, n as u64 + 1), &order);
            this.exchange.submit(now, &command).expect("idle");
            this.drain();
        }
        assert_eq!(this.exchange.open_orders(), size.open_orders as usize);
        let mut first = 1;
        for (counted, is_warm_up) in [(SHORT_WARM_UP, true), (orders, false)] {
            this.plan(&mut dice, size.instruments, first..first + counted as u64);
            first += counted as u64;
            if is_warm_up {
                this.go();
            }
        }
        this.reports = [0; 2];
        this
    }

    fn plan(&mut self, dice: &mut Dice, instruments: u32, ids: std::ops::Range<u64>) {
        let fills = self.fills;
        let next = |n: u64| {
            let mut order = order(dice, instruments, n as usize);
            if fills {
                order.order_type = OrderType::Market;
                order.quantity = shares(1);
            }
            command(id(0, n), &order)
        };
        self.commands = ids.map(next).collect();
    }

    fn drain(&mut self) {
        while let Some(report) = self.exchange.next_report(self.now) {
            match report.kind {
                ReportKind::Fill => self.reports[0] += 1,
                ReportKind::Canceled => self.reports[1] += 1,
                _ => {}
            }
        }
    }
}

fn command(order_id: OrderId, order: &Order) -> NewOrderCommand {
    NewOrderCommand {
        order_id,
        instrument: order.instrument,
        strategy: MINE,
        side: order.side,
        time_in_force: TimeInForce::Day,
        flags: OrderFlags(0),
        asked_type: order.order_type.name(),
        order_type: order.order_type,
        quantity: order.quantity,
        stamps: StageStamps::at(0),
    }
}

impl Workload for Sim {
    fn go(&mut self) {
        let commands = std::mem::take(&mut self.commands);
        for command in &commands {
            self.now = self.now.plus(1_000);
            let mut taken = self.exchange.submit(self.now, command);
            if !self.fills {
                taken = taken.and_then(|()| self.exchange.cancel(self.now, command.order_id));
            }
            debug_assert!(taken.is_ok(), "the exchange is idle");
            self.drain();
        }
        self.commands = commands;
    }

    fn verify(&self) {
        let happened = self.reports[usize::from(!self.fills)];
        assert_eq!(happened, self.commands.len());
    }
}

/// RISK, ORDER with the journal, and the paper gateway, polled until idle after every order, which fills at once.
struct Path {
    rig: HotRig,
    orders: Vec<Order>,
    filled: usize,
}

impl Path {
    fn new(size: Size, orders: usize) -> Self {
        let mut rig = HotRig::new(&Plan {
            instruments: size.instruments,
            max_open_orders: MAX_OPEN,
            segment_bytes: 16 << 20,
            hot_segments: 8,
            risk: |settings| {
                settings.max_order_quantity = shares(100_000);
                settings.account_order_rate = Some(RateLimit::new(1 << 20, SECOND));
                settings.strategy_order_rate = None;
            },
            ..Plan::default()
        });
        for n in 0..size.instruments {
            rig.quote(InstrumentId(n), 10_000, 10_002);
            rig.run_hot();
        }
        let mut dice = Dice::new();
        for n in 0..size.open_orders as usize {
            let mut order = order(&mut dice, size.instruments, n);
            order.quantity = shares(1 + (n % 100) as i64);
            rig.submit(order).expect("room");
            if n % 100 == 99 {
                rig.run_hot();
                rig.copy_journal();
                rig.drain();
            }
        }
        rig.run_hot();
        rig.drain();
        assert_eq!(rig.count("accepted"), u64::from(size.open_orders));
        let mut this = Self {
            rig,
            orders: Vec::new(),
            filled: 0,
        };
        for (counted, is_warm_up) in [(SHORT_WARM_UP, true), (orders, false)] {
            let next = |n: usize| {
                let mut order = order(&mut dice, size.instruments, n);
                order.order_type = OrderType::Market;
                order.quantity = shares(1);
                order
            };
            this.orders = (0..counted).map(next).collect();
            if is_warm_up {
                this.go();
                this.rig.drain();
            }
        }
        this.filled = 0;
        this
    }
}

impl Workload for Path {
    fn go(&mut self) {
        for &order in &self.orders {
            let sent = self.rig.submit(order);
            debug_assert!(sent.is_some(), "the ring is empty");
            self.rig.run_hot();
            self.rig.advance(1_000);
            while let Some(report) = self.rig.port_reports[0].pop() {
                self.filled += usize::from(matches!(report.event, OrderEvent::Filled(_)));
            }
        }
    }

    fn verify(&self) {
        assert_eq!(self.filled, self.orders.len());
        assert_eq!(self.rig.order_gauges.read().anomalies, 0);
    }
}
