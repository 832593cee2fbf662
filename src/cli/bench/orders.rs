//! The orders that the bench sends, and what must have become of them.
//!
//! Runs on: the bench's threads.
//! Owns: the quote of every instrument, order ids, and the cash and positions that the fills must add up to.
//! Never: asks the engine what it thinks: the sums are made from the orders.

use crate::types::{
    BootEpoch, InstrumentId, Money, Nanos, Order, OrderId, OrderRequest, PortId, Price, Quantity,
    Quote, Side, StrategyId, decimal::ONE,
};

/// The tick of every instrument.
const TICK: i64 = ONE / 100;
pub(super) const BID: Price = Price::from_units(9_999 * TICK);
pub(super) const ASK: Price = Price::from_units(10_001 * TICK);
/// Displayed on both sides: more than any run takes.
const SIZE: Quantity = Quantity::from_units(5_000_000_000 * ONE);
/// The strategy of every order.
pub(super) const STRATEGY: StrategyId = StrategyId(1);
/// The port of every order.
pub(super) const PORT: PortId = PortId(0);
/// Cash at the start: no order may fail for want of it.
pub(super) const CASH: i64 = 1_000_000_000_000_000;

/// The quote of every instrument at `time`.
pub(super) const fn quote(time: Nanos) -> Quote {
    Quote {
        bid: BID,
        bid_size: SIZE,
        ask: ASK,
        ask_size: SIZE,
        time,
    }
}

/// Where orders come from: instruments with even numbers are bought, the others sold short, so that no order reduces
/// a position and every order passes every control.
#[derive(Clone, Debug)]
pub(super) struct OrderSource {
    epoch: BootEpoch,
    instruments: u32,
    next: u64,
    random: u64,
    /// What the fills of all marketable orders come to.
    pub cash: Money,
    pub positions: Vec<i64>,
    pub resting: u64,
}

impl OrderSource {
    pub fn new(epoch: BootEpoch, instruments: u32) -> Self {
        Self {
            epoch,
            instruments,
            next: 0,
            random: 42,
            cash: Money::from_whole(CASH),
            positions: vec![0; instruments as usize],
            resting: 0,
        }
    }

    /// Orders made so far.
    pub const fn made(&self) -> u64 {
        self.next
    }

    /// SplitMix64: as good as any here, and two lines.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 31)
    }

    fn side(instrument: InstrumentId) -> Side {
        if instrument.0.is_multiple_of(2) {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// A limit order that fills at once, at the quote. No two of 80,000 in a row are duplicates of each other.
    pub fn marketable(&mut self) -> Order {
        let number = self.next as i64;
        let instrument = InstrumentId((self.draw() % u64::from(self.instruments)) as u32);
        let shares = 1 + number % 200;
        let away = (number / 200 % 400) * TICK;
        let side = Self::side(instrument);
        let (limit, paid) = match side {
            Side::Buy => (ASK.units() + away, ASK),
            Side::Sell => (BID.units() - away, BID),
        };
        let quantity = Quantity::from_units(shares * ONE);
        let signed = side.signed(quantity).units();
        self.positions[instrument.index()] += signed;
        self.cash -= paid.notional(Quantity::from_units(signed));
        Order::limit(instrument, side, quantity, Price::from_units(limit))
    }

    /// A limit order that rests in the book.
    pub fn resting(&mut self) -> Order {
        let number = self.next as i64;
        let instrument = InstrumentId((self.draw() % u64::from(self.instruments)) as u32);
        let shares = 1 + number % 200;
        let away = (100 + number / 200 % 2_000) * TICK;
        let side = Self::side(instrument);
        let limit = match side {
            Side::Buy => BID.units() - away,
            Side::Sell => ASK.units() + away,
        };
        self.resting += 1;
        let quantity = Quantity::from_units(shares * ONE);
        Order::limit(instrument, side, quantity, Price::from_units(limit))
    }

    /// The request around an order, with the next id.
    pub fn request(&mut self, order: Order, now: Nanos) -> OrderRequest {
        self.next += 1;
        let order_id = OrderId::new(self.epoch, PORT, self.next).unwrap_or_default();
        OrderRequest {
            order_id,
            strategy: STRATEGY,
            preferred_broker: None,
            order,
            submitted_at: now,
            decision_price: BID.midpoint(ASK),
            signal_stamp: 0,
        }
    }
}
