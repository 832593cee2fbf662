//! The simulated book against a naive twin that looks at every order every time.
//!
//! Runs on: the test runner.
//! Owns: the twin: a list of orders, sorted anew for every row.
//! Never: shares code with the exchange.

mod sim_support;

use proptest::prelude::*;
use shrike::sim::ExchangeSettings;
use shrike::types::{
    BookSide, ExecutionReport, Money, OrderId, OrderType, Ratio, ReportKind, Side, TimeInForce,
    TrailingOffset,
};
use sim_support::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Dormant,
    Aggressive,
    Resting { ahead: i64 },
    Done,
}

#[derive(Clone, Copy, Debug)]
struct TwinOrder {
    id: OrderId,
    side: Side,
    order_type: OrderType,
    tif: TimeInForce,
    quantity: i64,
    filled: i64,
    stage: Stage,
    triggered: bool,
    since: u64,
    /// Best bid for sells, lowest ask for buys.
    best: Option<i64>,
}

impl TwinOrder {
    fn limit(&self) -> Option<i64> {
        self.order_type
            .limit_price()
            .map(|p| p.units() / 10_000_000)
    }

    fn stop(&self) -> Option<i64> {
        self.order_type.stop_price().map(|p| p.units() / 10_000_000)
    }

    fn leaves(&self) -> i64 {
        self.quantity - self.filled
    }

    /// Better first, then earlier.
    fn rank(&self) -> (i64, u64) {
        let price = match (self.limit(), self.side) {
            (None, _) => i64::MIN,
            (Some(limit), Buy) => -limit,
            (Some(limit), Sell) => limit,
        };
        (price, self.since)
    }

    fn is_trailing(&self) -> bool {
        matches!(self.order_type, OrderType::TrailingStop { .. })
    }

    /// Distance from the best price in 10^-9.
    fn distance(&self) -> (bool, i64) {
        match self.order_type {
            OrderType::TrailingStop {
                offset: TrailingOffset::Amount(amount),
            } => (false, amount.units()),
            OrderType::TrailingStop {
                offset: TrailingOffset::Percent(ratio),
            } => (true, ratio.units()),
            _ => (false, 0),
        }
    }

    fn trail_hit(&self, market: i64) -> bool {
        let Some(best) = self.best else {
            return false;
        };
        let best = best * 10_000_000;
        let away = match self.distance() {
            (false, amount) => amount,
            (true, ratio) => {
                let product = i128::from(best) * i128::from(ratio);
                ((product + 999_999_999) / 1_000_000_000) as i64
            }
        };
        match self.side {
            Sell => market * 10_000_000 <= best - away,
            Buy => market * 10_000_000 >= best + away,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    price: i64,
    shown: i64,
    left: i64,
}

#[derive(Default)]
struct Twin {
    orders: Vec<TwinOrder>,
    bid: Level,
    ask: Level,
    clock: u64,
    fill_at_quote: bool,
    fills: Vec<(OrderId, i64, i64)>,
    cash_cents: i64,
    position: i64,
}

impl Twin {
    fn tradable(&self) -> bool {
        self.bid.price > 0 && self.ask.price > 0 && self.bid.price <= self.ask.price
    }

    fn against(&mut self, side: Side) -> &mut Level {
        match side {
            Buy => &mut self.ask,
            Sell => &mut self.bid,
        }
    }

    fn marketable(&self, order: &TwinOrder) -> bool {
        match (order.limit(), order.side) {
            (None, _) => true,
            (Some(limit), Buy) => limit >= self.ask.price,
            (Some(limit), Sell) => limit <= self.bid.price,
        }
    }

    fn fill(&mut self, at: usize, quantity: i64, price: i64) {
        let order = &mut self.orders[at];
        order.filled += quantity;
        if order.leaves() == 0 {
            order.stage = Stage::Done;
        }
        let sign = if order.side == Buy { 1 } else { -1 };
        self.position += sign * quantity;
        self.cash_cents -= sign * quantity * price;
        self.fills.push((order.id, quantity, price));
    }

    fn rest(&mut self, at: usize) {
        let order = &self.orders[at];
        let own = match order.side {
            Buy => self.bid,
            Sell => self.ask,
        };
        let ahead = if order.limit() == Some(own.price) {
            own.shown
        } else {
            0
        };
        self.orders[at].stage = Stage::Resting { ahead };
    }

    fn arrive(&mut self, at: usize) {
        self.clock += 1;
        let tradable = self.tradable();
        let (bid, ask) = (self.bid.price, self.ask.price);
        let order = &mut self.orders[at];
        order.since = self.clock;
        order.stage = Stage::Dormant;
        if order.is_trailing() && !order.triggered {
            if tradable {
                let seen = if order.side == Buy { ask } else { bid };
                let best = order.best.unwrap_or(seen);
                order.best = Some(if order.side == Buy {
                    best.min(seen)
                } else {
                    best.max(seen)
                });
            }
            return;
        }
        if let (Some(stop), false) = (order.stop(), order.triggered) {
            let hit = match order.side {
                Buy => ask >= stop,
                Sell => bid <= stop,
            };
            if !(tradable && hit) {
                return;
            }
            order.triggered = true;
        }
        let order = *order;
        let immediate = matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok);
        if tradable && self.marketable(&order) {
            let level = self.against(order.side);
            let quantity = level.left.min(order.leaves());
            let price = level.price;
            let whole = order.tif != TimeInForce::Fok || quantity == order.leaves();
            if quantity > 0 && whole {
                level.left -= quantity;
                self.fill(at, quantity, price);
            }
            if self.orders[at].stage != Stage::Done {
                self.orders[at].stage = Stage::Aggressive;
            }
        } else if tradable {
            self.rest(at);
        } else {
            self.orders[at].stage = Stage::Aggressive;
        }
        if immediate {
            self.orders[at].stage = Stage::Done;
        }
    }

    fn ranked(&self, side: Side, pick: impl Fn(&TwinOrder) -> bool) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.orders.len())
            .filter(|&at| self.orders[at].side == side && pick(&self.orders[at]))
            .collect();
        found.sort_by_key(|&at| self.orders[at].rank());
        found
    }

    fn row(&mut self) {
        if !self.tradable() {
            return;
        }
        let (bid, ask) = (self.bid.price, self.ask.price);
        for order in &mut self.orders {
            if order.stage == Stage::Dormant && order.is_trailing() {
                order.best = Some(match order.side {
                    Buy => order.best.unwrap_or(ask).min(ask),
                    Sell => order.best.unwrap_or(bid).max(bid),
                });
            }
        }
        for side in [Buy, Sell] {
            for at in self.ranked(side, |o| o.stage == Stage::Aggressive) {
                if !self.marketable(&self.orders[at].clone()) {
                    self.rest(at);
                }
            }
            let working =
                |o: &TwinOrder| matches!(o.stage, Stage::Aggressive | Stage::Resting { .. });
            for at in self.ranked(side, working) {
                let order = self.orders[at];
                let level = *self.against(side);
                let quantity = level.left.min(order.leaves());
                if quantity > 0 && self.marketable(&order) {
                    let resting = matches!(order.stage, Stage::Resting { .. });
                    let price = match order.limit() {
                        Some(limit) if resting && !self.fill_at_quote => limit,
                        _ => level.price,
                    };
                    self.against(side).left -= quantity;
                    self.fill(at, quantity, price);
                }
            }
        }
        for side in [Buy, Sell] {
            self.trigger_stops(side);
        }
    }

    fn trigger_stops(&mut self, side: Side) {
        let (bid, ask) = (self.bid.price, self.ask.price);
        let mut plain: Vec<usize> = (0..self.orders.len())
            .filter(|&at| {
                let o = &self.orders[at];
                o.side == side
                    && o.stage == Stage::Dormant
                    && o.stop().is_some_and(|stop| match side {
                        Buy => ask >= stop,
                        Sell => bid <= stop,
                    })
            })
            .collect();
        plain.sort_by_key(|&at| {
            let o = &self.orders[at];
            let stop = o.stop().expect("a stop");
            (if side == Buy { stop } else { -stop }, o.since)
        });
        let market = if side == Buy { ask } else { bid };
        let mut trailing: Vec<usize> = (0..self.orders.len())
            .filter(|&at| {
                let o = &self.orders[at];
                o.side == side
                    && o.stage == Stage::Dormant
                    && o.is_trailing()
                    && o.trail_hit(market)
            })
            .collect();
        trailing.sort_by_key(|&at| {
            let o = &self.orders[at];
            let best = o.best.expect("hit");
            let (percent, distance) = o.distance();
            let best = if side == Buy { best } else { -best };
            (percent, best, distance, o.since)
        });
        for at in plain.into_iter().chain(trailing) {
            self.orders[at].triggered = true;
            self.arrive(at);
        }
    }

    fn trade(&mut self, price: i64, size: i64) {
        if !self.tradable() {
            return;
        }
        let resting = |o: &TwinOrder| matches!(o.stage, Stage::Resting { .. });
        let buys = self.ranked(Buy, |o| resting(o) && o.limit() >= Some(price));
        let sells = self.ranked(Sell, |o| resting(o) && o.limit() <= Some(price));
        let nearer_bid = (price - self.bid.price).abs() <= (price - self.ask.price).abs();
        let chosen = match (buys.is_empty(), sells.is_empty()) {
            (true, _) => sells,
            (false, true) => buys,
            (false, false) if nearer_bid => buys,
            _ => sells,
        };
        let mut left = size;
        for at in chosen {
            let order = self.orders[at];
            let limit = order.limit().expect("a limit");
            if let Stage::Resting { ahead } = order.stage
                && limit == price
                && ahead > 0
            {
                let eaten = ahead.min(left);
                left -= eaten;
                for other in &mut self.orders {
                    if let Stage::Resting { ahead } = &mut other.stage
                        && other.side == order.side
                        && other.order_type.limit_price() == order.order_type.limit_price()
                    {
                        *ahead -= eaten;
                    }
                }
            }
            let quantity = left.min(order.leaves());
            if quantity > 0 {
                left -= quantity;
                self.fill(at, quantity, limit);
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Row(BookSide, i64, i64),
    Both(i64, i64, i64, i64),
    Trade(i64, i64),
    Order(Side, i64, OrderType, TimeInForce),
    Cancel(usize),
    Replace(usize, i64, i64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Buy), Just(Sell)]
}

fn order_type() -> impl Strategy<Value = OrderType> {
    let price = 97i64..104;
    prop_oneof![
        8 => price.clone().prop_map(limit),
        2 => Just(OrderType::Market),
        2 => price.clone().prop_map(stop),
        2 => (price.clone(), price).prop_map(|(stop, limit)| OrderType::StopLimit {
            stop: cents(stop),
            limit: cents(limit),
        }),
        2 => (1i64..5).prop_map(trail),
        1 => (50u32..400).prop_map(|bps| OrderType::TrailingStop {
            offset: TrailingOffset::Percent(Ratio::from_basis_points(bps)),
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let price = || 97i64..104;
    let size = || 0i64..12;
    prop_oneof![
        4 => (any::<bool>(), price(), size()).prop_map(|(bid, price, size)| {
            Step::Row(if bid { Bid } else { Ask }, price, size)
        }),
        1 => any::<bool>().prop_map(|bid| Step::Row(if bid { Bid } else { Ask }, 0, 0)),
        5 => (price(), size(), 0i64..5, size()).prop_map(|(bid, bid_size, spread, ask_size)| {
            Step::Both(bid, bid_size, bid + spread, ask_size)
        }),
        4 => (price(), 1i64..20).prop_map(|(price, size)| Step::Trade(price, size)),
        9 => (side(), 1i64..15, order_type(), 0u8..6).prop_map(|(side, quantity, kind, tif)| {
            let plain = matches!(kind, OrderType::Market | OrderType::Limit { .. });
            let tif = match tif {
                0 if plain => TimeInForce::Ioc,
                1 if plain => TimeInForce::Fok,
                2 => TimeInForce::Gtc,
                _ => TimeInForce::Day,
            };
            Step::Order(side, quantity, kind, tif)
        }),
        2 => (0usize..40).prop_map(Step::Cancel),
        3 => (0usize..40, 1i64..20, price()).prop_map(|(at, quantity, price)| {
            Step::Replace(at, quantity, price)
        }),
    ]
}

/// A market that stands still: orders queue at the touch, and sizes and trades come and go.
fn calm_step() -> impl Strategy<Value = Step> {
    let touch = || prop_oneof![Just(100i64), Just(102)];
    prop_oneof![
        2 => (any::<bool>(), 1i64..12).prop_map(|(bid, size)| {
            if bid {
                Step::Row(Bid, 100, size)
            } else {
                Step::Row(Ask, 102, size)
            }
        }),
        4 => (touch(), 1i64..12).prop_map(|(price, size)| Step::Trade(price, size)),
        5 => (any::<bool>(), 1i64..8).prop_map(|(buy, quantity)| {
            let (side, price) = if buy { (Buy, 100) } else { (Sell, 102) };
            Step::Order(side, quantity, limit(price), TimeInForce::Day)
        }),
        1 => (0usize..20).prop_map(Step::Cancel),
        1 => (0usize..20, 1i64..8, touch()).prop_map(|(at, quantity, price)| {
            Step::Replace(at, quantity, price)
        }),
    ]
}

/// The order's own type with `price` in the place of its limit or stop, or as its distance.
fn repriced(order_type: OrderType, price: i64) -> OrderType {
    match order_type {
        OrderType::Market => OrderType::Market,
        OrderType::Limit { .. } => limit(price),
        OrderType::Stop { .. } => stop(price),
        OrderType::StopLimit { stop, .. } => OrderType::StopLimit {
            stop,
            limit: cents(price),
        },
        OrderType::TrailingStop { .. } => trail(price - 96),
    }
}

struct Pair {
    desk: Desk,
    twin: Twin,
}

impl Pair {
    fn run(&mut self, step: Step) {
        match step {
            Step::Row(side, price, size) => {
                self.desk.row(side, price, size);
                let level = match side {
                    Bid => &mut self.twin.bid,
                    _ => &mut self.twin.ask,
                };
                *level = Level {
                    price,
                    shown: size,
                    left: size,
                };
                self.twin.row();
            }
            Step::Both(bid, bid_size, ask, ask_size) => {
                self.desk.both(bid, bid_size, ask, ask_size);
                let level = |price, size| Level {
                    price,
                    shown: size,
                    left: size,
                };
                (self.twin.bid, self.twin.ask) = (level(bid, bid_size), level(ask, ask_size));
                self.twin.row();
            }
            Step::Trade(price, size) => {
                self.desk.trade(price, size);
                self.twin.trade(price, size);
            }
            Step::Order(side, quantity, order_type, tif) => {
                let id = self.desk.order_for(side, quantity, order_type, tif);
                self.twin.orders.push(TwinOrder {
                    id,
                    side,
                    order_type,
                    tif,
                    quantity,
                    filled: 0,
                    stage: Stage::Dormant,
                    triggered: false,
                    since: 0,
                    best: None,
                });
                self.twin.arrive(self.twin.orders.len() - 1);
            }
            Step::Cancel(at) => {
                if let Some(order) = self.twin.orders.get_mut(at) {
                    order.stage = Stage::Done;
                    self.desk.cancel(order.id);
                }
            }
            Step::Replace(at, quantity, price) => self.replace(at, quantity, price),
        }
    }

    fn replace(&mut self, at: usize, quantity: i64, price: i64) {
        let Some(order) = self.twin.orders.get_mut(at) else {
            return;
        };
        let order_type = repriced(order.order_type, price);
        self.desk.replace(order.id, quantity, order_type);
        if order.stage == Stage::Done || quantity <= order.filled {
            return;
        }
        let keeps = order_type == order.order_type && quantity <= order.quantity;
        order.order_type = order_type;
        order.quantity = quantity;
        if !keeps {
            self.twin.arrive(at);
        }
    }
}

fn check(steps: &[Step], fill_at_quote: bool) -> Result<Vec<ExecutionReport>, TestCaseError> {
    let mut desk = Desk::with(ExchangeSettings {
        fill_at_quote,
        ..rich()
    });
    // So that even a market order before the first row has a price to be reserved at; the book is one-sided then.
    desk.trade(100, 1);
    let start = desk.exchange.cash();
    let twin = Twin {
        fill_at_quote,
        ..Twin::default()
    };
    let mut pair = Pair { desk, twin };
    let mut all = Vec::new();
    for &step in steps {
        let (bid, ask) = (pair.twin.bid, pair.twin.ask);
        pair.run(step);
        let reports = pair.desk.reports();
        let fills: Vec<_> = reports
            .iter()
            .filter(|report| report.kind == ReportKind::Fill)
            .map(fill_of)
            .collect();
        let expected = std::mem::take(&mut pair.twin.fills);
        prop_assert_eq!(&fills, &expected, "{:?} with {:?} to {:?}", step, bid, ask);
        all.extend(reports);
        let mut working: Vec<_> = pair
            .twin
            .orders
            .iter()
            .filter(|order| order.stage != Stage::Done)
            .map(|order| order.id)
            .collect();
        working.sort_unstable();
        prop_assert_eq!(pair.desk.exchange.statement().open_orders, working);
    }
    for order in &pair.twin.orders {
        let filled: i64 = all
            .iter()
            .filter(|r| r.kind == ReportKind::Fill && r.order_id == order.id)
            .map(|r| fill_of(r).1)
            .sum();
        prop_assert_eq!(filled, order.filled);
        prop_assert!(order.filled <= order.quantity);
    }
    let exchange = &pair.desk.exchange;
    prop_assert_eq!(
        exchange.position(IBM).quantity,
        shares_signed(pair.twin.position)
    );
    let moved = Money::from_units(i128::from(pair.twin.cash_cents) * 10_000_000_000_000_000);
    prop_assert_eq!(exchange.cash(), start + moved);
    Ok(all)
}

fn shares_signed(n: i64) -> shrike::types::Quantity {
    shrike::types::Quantity::from_whole(n).expect("small")
}

/// Between two rows that renew a side, the takers and crossed limits of that side trade at most what it displayed.
fn never_over_the_displayed_size(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut desk = Desk::new();
    desk.trade(100, 1);
    let (mut asked, mut bid) = (0, 0);
    let mut orders = Vec::new();
    for &step in steps {
        let prints = matches!(step, Step::Trade(..));
        match step {
            Step::Row(side, price, size) => {
                match side {
                    Bid => bid = size,
                    _ => asked = size,
                }
                desk.row(side, price, size);
            }
            Step::Both(b, bid_size, a, ask_size) => {
                (bid, asked) = (bid_size, ask_size);
                desk.both(b, bid_size, a, ask_size);
            }
            Step::Trade(price, size) => desk.trade(price, size),
            Step::Order(side, quantity, kind, tif) => {
                orders.push(desk.order_for(side, quantity, kind, tif));
            }
            Step::Cancel(at) if at < orders.len() => desk.cancel(orders[at]),
            Step::Cancel(_) | Step::Replace(..) => {}
        }
        for report in desk.reports() {
            if report.kind == ReportKind::Fill && !prints {
                let quantity = fill_of(&report).1;
                match report.side {
                    Buy => asked -= quantity,
                    Sell => bid -= quantity,
                }
                prop_assert!(asked >= 0 && bid >= 0, "{:?}", step);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_book_does_what_its_naive_twin_does(
        steps in prop::collection::vec(step(), 1..90),
        fill_at_quote in any::<bool>(),
    ) {
        check(&steps, fill_at_quote)?;
    }

    #[test]
    fn queues_at_a_standing_touch_move_as_the_naive_twins_do(
        steps in prop::collection::vec(calm_step(), 1..60),
    ) {
        let mut all = vec![Step::Both(100, 10, 102, 10)];
        all.extend(steps);
        check(&all, false)?;
    }

    #[test]
    fn the_same_inputs_give_the_same_reports(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        prop_assert_eq!(check(&steps, false)?, check(&steps, false)?);
    }

    #[test]
    fn no_side_ever_trades_more_than_it_displayed(
        steps in prop::collection::vec(step(), 1..90),
    ) {
        never_over_the_displayed_size(&steps)?;
    }
}
