//! The simulated exchange alone: an order to its fill, an order and its cancel, and a quote row, with 0 to 100,000
//! resting orders, each at a price of its own.
//!
//! Runs on: criterion.
//! Owns: the figures behind "simulator alone: at most 1 us an order, flat in open orders".
//! Never: measures construction.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use shrike::sim::{Exchange, ExchangeSettings};
use shrike::types::{
    BookSide, BootEpoch, InstrumentId, InstrumentTable, Money, Nanos, NewOrderCommand, OrderFlags,
    OrderId, OrderType, PortId, Price, Quantity, Quote, QuoteUpdate, Ratio, SessionSchedule,
    SessionWindow, Side, StageStamps, StrategyId, TimeInForce, TrailingOffset,
};

const BID: i64 = 200_000;
const ASK: i64 = 200_001;

fn cents(n: i64) -> Price {
    Price::from_units(n * 10_000_000)
}

fn shares(n: i64) -> Quantity {
    Quantity::from_units(n * 1_000_000_000)
}

struct Bench {
    exchange: Exchange,
    now: u64,
    next: u64,
}

impl Bench {
    fn new() -> Self {
        let mut table = InstrumentTable::new();
        table.add("IBM".parse().expect("a symbol"));
        let window = SessionWindow {
            date: 20_131_007,
            roll: Nanos(0),
            pre_open: Nanos(0),
            open: Nanos(0),
            close: Nanos(u64::MAX - 1),
            post_close: Nanos(u64::MAX - 1),
        };
        let settings = ExchangeSettings {
            cash: Money::from_whole(1_000_000_000_000),
            multiplier: Ratio::from_whole(4).expect("small"),
            ..ExchangeSettings::default()
        };
        let schedule = SessionSchedule::new(vec![window]);
        let mut bench = Self {
            exchange: Exchange::new(settings, &table, schedule, Nanos(1)),
            now: 1,
            next: 0,
        };
        bench.quote(BookSide::Both, BID, ASK);
        bench
    }

    fn quote(&mut self, side: BookSide, bid: i64, ask: i64) {
        self.now += 1;
        let update = QuoteUpdate {
            instrument: InstrumentId(0),
            side,
            quote: Quote {
                bid: cents(bid),
                bid_size: shares(1_000_000),
                ask: cents(ask),
                ask_size: shares(1_000_000),
                time: Nanos(self.now),
            },
        };
        let _ = black_box(self.exchange.on_quote(Nanos(self.now), &update));
    }

    fn submit(&mut self, side: Side, quantity: i64, order_type: OrderType) -> OrderId {
        self.now += 1;
        self.next += 1;
        let order_id = OrderId::new(BootEpoch::FIRST, PortId(0), self.next).expect("an id");
        let command = NewOrderCommand {
            order_id,
            instrument: InstrumentId(0),
            strategy: StrategyId::ENGINE,
            side,
            time_in_force: TimeInForce::Gtc,
            flags: OrderFlags(0),
            asked_type: order_type.name(),
            order_type,
            quantity: shares(quantity),
            stamps: StageStamps::default(),
        };
        let _ = black_box(self.exchange.submit(Nanos(self.now), &command));
        order_id
    }

    fn drain(&mut self) {
        while let Some(report) = self.exchange.next_report(Nanos(self.now)) {
            black_box(report);
        }
    }

    /// Every second price from the bid down, so that the ones between are free.
    fn with_resting(orders: usize) -> Self {
        let mut bench = Self::new();
        for n in 0..orders as i64 {
            let limit = cents(BID - 2 * (n % 99_999));
            bench.submit(Side::Buy, 1, OrderType::Limit { limit });
            bench.drain();
        }
        assert_eq!(bench.exchange.open_orders(), orders);
        bench
    }
}

fn orders(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sim");
    for resting in [0, 1_000, 100_000] {
        let mut bench = Bench::with_resting(resting);
        let mut flip = false;
        group.bench_function(BenchmarkId::new("submit_to_fill", resting), |b| {
            b.iter(|| {
                // Of both sides in turn, so that the position stays small; the quote is renewed each time.
                flip = !flip;
                bench.quote(BookSide::Both, BID, ASK);
                let side = if flip { Side::Buy } else { Side::Sell };
                bench.submit(side, 1, OrderType::Market);
                bench.drain();
            });
        });
        assert_eq!(bench.exchange.open_orders(), resting);
        let mut step = 0i64;
        group.bench_function(BenchmarkId::new("submit_and_cancel", resting), |b| {
            b.iter(|| {
                step = (step + 7_919) % 99_999;
                let limit = cents(BID - 1 - 2 * step);
                let order = bench.submit(Side::Buy, 1, OrderType::Limit { limit });
                bench.now += 1;
                let _ = black_box(bench.exchange.cancel(Nanos(bench.now), order));
                bench.drain();
            });
        });
        assert_eq!(bench.exchange.open_orders(), resting);
        let mut up = false;
        group.bench_function(BenchmarkId::new("quote_row", resting), |b| {
            b.iter(|| {
                up = !up;
                bench.quote(BookSide::Bid, BID + i64::from(up), ASK + 1);
            });
        });
    }
    group.finish();
}

fn trailing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sim");
    for following in [0, 1_000, 100_000] {
        let mut bench = Bench::new();
        for n in 0..following {
            let offset = TrailingOffset::Amount(cents(50_000 + n));
            bench.submit(Side::Sell, 1, OrderType::TrailingStop { offset });
            bench.drain();
        }
        let mut bid = BID;
        group.bench_function(BenchmarkId::new("quote_row_trailing", following), |b| {
            b.iter(|| {
                // Two up, one down: two rows of three bring a new extreme in the end.
                bid += if bench.now.is_multiple_of(3) { -1 } else { 1 };
                bench.quote(BookSide::Both, bid, bid + 1);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, orders, trailing);
criterion_main!(benches);
