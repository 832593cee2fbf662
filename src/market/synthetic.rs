//! A made-up market from a seed: random walks with spreads, sizes, trades, bursts and gaps.
//!
//! Runs on: the thread that polls the feed.
//! Owns: the state of each symbol's book and one xoshiro256++ generator.
//! Never: ends, uses floating point, or gives other rows for the same settings on another machine.
//!
//! Prices stay between a quarter of the start price and four times it, with a slight pull back to
//! it. Most rows state both sides; some come as half-updated pairs (bid, then ask, at one time, as
//! consolidated feeds do it, which may lock or cross the book for a row), some renew one side's
//! size, and now and then a side goes missing until the symbol's next row. Trades print at the bid
//! or the ask and take what they traded from the displayed size.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::rows::RowCounts;
use super::{MarketError, MarketSource};
use crate::types::decimal::ONE;
use crate::types::{
    BookSide, InstrumentId, MarketUpdate, Nanos, Price, Quantity, Quote, QuoteUpdate, TradeUpdate,
};

/// Mean rows that one round of events makes, in thousandths: pairs and trades make two.
const ROWS_PER_EVENT_PER_MILLE: u64 = 1_320;
/// Events of a burst: from this many ...
const BURST_LEAST: u64 = 8;
/// ... to this many, and
const BURST_MOST: u64 = 64;
/// this many times as fast.
const BURST_SPEED: u64 = 50;
/// A gap lasts from this many mean intervals ...
const GAP_LEAST: u64 = 20;
/// ... to this many.
const GAP_MOST: u64 = 200;
/// Shares of a round lot.
const LOT_SHARES: i64 = 100;
const MILLION: u64 = 1_000_000;

/// One symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyntheticSymbol {
    /// Its row in the instrument table.
    pub instrument: InstrumentId,
    /// First bid, rounded to the tick; from 4 ticks to 200,000.
    pub start_price: Price,
    /// Smallest price step.
    pub tick: Price,
}

/// What the market is like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntheticSettings {
    /// The symbols; each is as busy as the others.
    pub symbols: Vec<SyntheticSymbol>,
    /// Mean rows a second, all symbols together: 1 to 10,000,000.
    pub rows_per_second: u32,
    /// Largest ordinary move in ticks: 1 to 1,000.
    pub volatility_ticks: u32,
    /// Widest spread in ticks: 1 to 1,000. One tick is the most frequent.
    pub max_spread_ticks: u32,
    /// How often an event starts a burst of fast rows, in millionths: 0 to 100,000.
    pub burst_per_million: u32,
    /// How often an event starts a pause that ends with a jump of the price, in millionths: 0 to
    /// 4,000.
    pub gap_per_million: u32,
    /// Same seed, same rows.
    pub seed: u64,
    /// Time of the first row.
    pub start: Nanos,
}

impl SyntheticSettings {
    /// A lively market: 2,000 rows a second, ordinary moves of up to 2 ticks, spreads of 1 to 4.
    #[must_use]
    pub const fn lively(symbols: Vec<SyntheticSymbol>, seed: u64, start: Nanos) -> Self {
        Self {
            symbols,
            rows_per_second: 2_000,
            volatility_ticks: 2,
            max_spread_ticks: 4,
            burst_per_million: 2_000,
            gap_per_million: 200,
            seed,
            start,
        }
    }
}

/// A symbol's book in ticks and lots.
#[derive(Clone, Copy, Debug)]
struct Walk {
    instrument: InstrumentId,
    tick_units: i64,
    start: i64,
    low: i64,
    high: i64,
    bid: i64,
    spread: i64,
    bid_lots: i64,
    ask_lots: i64,
    bid_gone: bool,
    ask_gone: bool,
}

/// The made-up market. Endless.
#[derive(Debug)]
pub struct SyntheticSource {
    random: Xoshiro256PlusPlus,
    walks: Vec<Walk>,
    volatility: u64,
    max_spread: u64,
    burst_per_million: u64,
    gap_per_million: u64,
    /// Mean interval of events over all, outside bursts, and inside.
    event_ns: u64,
    calm_ns: u64,
    fast_ns: u64,
    start: Nanos,
    now: Nanos,
    /// Symbols whose first quote is out.
    opened: usize,
    burst_left: u64,
    /// The second row of an event.
    second: Option<MarketUpdate>,
    counts: RowCounts,
}

impl SyntheticSource {
    /// A market that begins with a two-sided quote of each symbol at `settings.start`.
    ///
    /// # Errors
    /// [`MarketError::Settings`]: no symbols, or a value out of its range.
    pub fn new(settings: &SyntheticSettings) -> Result<Self, MarketError> {
        check(settings)?;
        let burst = u64::from(settings.burst_per_million);
        let gap = u64::from(settings.gap_per_million);
        let event_ns =
            ONE as u64 * ROWS_PER_EVENT_PER_MILLE / 1_000 / u64::from(settings.rows_per_second);
        // Bursts save time and gaps cost it; calm events make up for both, so that the mean is as
        // configured.
        let saved = burst * ((BURST_LEAST + BURST_MOST) / 2) * (BURST_SPEED - 1) / BURST_SPEED;
        let spent = gap * ((GAP_LEAST + GAP_MOST) / 2);
        let calm_ns = (u128::from(event_ns) * u128::from(MILLION + saved - spent)
            / u128::from(MILLION)) as u64;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(settings.seed);
        let walks = settings
            .symbols
            .iter()
            .map(|symbol| Walk::new(symbol, u64::from(settings.max_spread_ticks), &mut random))
            .collect();
        Ok(Self {
            random,
            walks,
            volatility: u64::from(settings.volatility_ticks),
            max_spread: u64::from(settings.max_spread_ticks),
            burst_per_million: burst,
            gap_per_million: gap,
            event_ns: event_ns.max(1),
            calm_ns: calm_ns.max(1),
            fast_ns: (event_ns / BURST_SPEED).max(1),
            start: settings.start,
            now: settings.start,
            opened: 0,
            burst_left: 0,
            second: None,
            counts: RowCounts::default(),
        })
    }

    fn event(&mut self) -> MarketUpdate {
        let at = below(&mut self.random, self.walks.len() as u64) as usize;
        let jump = self.pass_time();
        let (random, now) = (&mut self.random, self.now);
        let walk = &mut self.walks[at];
        if jump {
            let size = self.volatility * (5 + below(random, 46));
            walk.step(random, size as i64);
            return walk.quote(BookSide::Both, now);
        }
        if walk.bid_gone || walk.ask_gone {
            (walk.bid_gone, walk.ask_gone) = (false, false);
            walk.renew_sizes(random);
            return walk.quote(BookSide::Both, now);
        }
        match below(random, 1_000) {
            0..300 => {
                let side = coin(random);
                *walk.lots(side) = lots(random);
                walk.quote(side, now)
            }
            300..620 => {
                walk.move_price(random, self.volatility);
                walk.quote(BookSide::Both, now)
            }
            620..780 => {
                let old = *walk;
                walk.move_price(random, self.volatility);
                self.second = Some(walk.quote(BookSide::Ask, now));
                walk.half_updated(&old, now)
            }
            780..940 => {
                let (trade, after) = walk.trade(random, self.max_spread as i64, now);
                self.second = Some(after);
                trade
            }
            940..995 => {
                walk.spread = spread(random, self.max_spread);
                walk.renew_sizes(random);
                walk.quote(BookSide::Both, now)
            }
            _ => {
                let side = coin(random);
                walk.bid_gone = side == BookSide::Bid;
                walk.ask_gone = side == BookSide::Ask;
                walk.quote(side, now)
            }
        }
    }

    /// Moves on to the next event; whether a gap with a jump came before it.
    fn pass_time(&mut self) -> bool {
        let random = &mut self.random;
        if self.burst_left > 0 {
            self.burst_left -= 1;
            self.now = self.now.plus(interval(random, self.fast_ns));
            return false;
        }
        self.now = self.now.plus(interval(random, self.calm_ns));
        if below(random, MILLION) < self.burst_per_million {
            self.burst_left = BURST_LEAST + below(random, BURST_MOST - BURST_LEAST + 1);
        }
        let gap = below(random, MILLION) < self.gap_per_million;
        if gap {
            let intervals = GAP_LEAST + below(random, GAP_MOST - GAP_LEAST + 1);
            self.now = self.now.plus(intervals * self.event_ns);
        }
        gap
    }
}

impl MarketSource for SyntheticSource {
    fn next(&mut self) -> Result<Option<MarketUpdate>, MarketError> {
        self.counts.read += 1;
        if let Some(walk) = self.walks.get(self.opened) {
            self.opened += 1;
            return Ok(Some(walk.quote(BookSide::Both, self.start)));
        }
        Ok(Some(match self.second.take() {
            Some(second) => second,
            None => self.event(),
        }))
    }

    fn start_time(&self) -> Option<Nanos> {
        Some(self.start)
    }

    fn rows(&self) -> &RowCounts {
        &self.counts
    }
}

impl Walk {
    fn new(symbol: &SyntheticSymbol, max_spread: u64, random: &mut Xoshiro256PlusPlus) -> Self {
        let start = symbol.start_price.units() / symbol.tick.units();
        Self {
            instrument: symbol.instrument,
            tick_units: symbol.tick.units(),
            start,
            low: (start / 4).max(1),
            high: start * 4,
            bid: start,
            spread: spread(random, max_spread),
            bid_lots: lots(random),
            ask_lots: lots(random),
            bid_gone: false,
            ask_gone: false,
        }
    }

    /// An ordinary move of one to `volatility` ticks.
    fn move_price(&mut self, random: &mut Xoshiro256PlusPlus, volatility: u64) {
        let size = 1 + below(random, volatility) as i64;
        self.step(random, size);
    }

    /// Moves both sides by `ticks` and renews the sizes. One move in 32 goes toward the start
    /// price, the others either way.
    fn step(&mut self, random: &mut Xoshiro256PlusPlus, ticks: i64) {
        let up = if below(random, 32) == 0 {
            self.bid < self.start
        } else {
            below(random, 2) == 0
        };
        let moved = self.bid + if up { ticks } else { -ticks };
        self.bid = moved.clamp(self.low, self.high);
        self.renew_sizes(random);
    }

    fn renew_sizes(&mut self, random: &mut Xoshiro256PlusPlus) {
        self.bid_lots = lots(random);
        self.ask_lots = lots(random);
    }

    fn lots(&mut self, side: BookSide) -> &mut i64 {
        match side {
            BookSide::Ask => &mut self.ask_lots,
            _ => &mut self.bid_lots,
        }
    }

    fn price(&self, ticks: i64) -> Price {
        Price::from_units(ticks * self.tick_units)
    }

    fn book(&self, time: Nanos) -> Quote {
        let mut quote = Quote {
            bid: self.price(self.bid),
            bid_size: shares(self.bid_lots),
            ask: self.price(self.bid + self.spread),
            ask_size: shares(self.ask_lots),
            time,
        };
        if self.bid_gone {
            (quote.bid, quote.bid_size) = (Price::ZERO, Quantity::ZERO);
        }
        if self.ask_gone {
            (quote.ask, quote.ask_size) = (Price::ZERO, Quantity::ZERO);
        }
        quote
    }

    fn quote(&self, side: BookSide, time: Nanos) -> MarketUpdate {
        MarketUpdate::Quote(QuoteUpdate {
            instrument: self.instrument,
            side,
            quote: self.book(time),
        })
    }

    /// The new bid beside the old ask.
    fn half_updated(&self, old: &Self, time: Nanos) -> MarketUpdate {
        let before = old.book(time);
        MarketUpdate::Quote(QuoteUpdate {
            instrument: self.instrument,
            side: BookSide::Bid,
            quote: Quote {
                ask: before.ask,
                ask_size: before.ask_size,
                ..self.book(time)
            },
        })
    }

    /// A trade at the bid or the ask, and the quote after it.
    fn trade(
        &mut self,
        random: &mut Xoshiro256PlusPlus,
        most_spread: i64,
        time: Nanos,
    ) -> (MarketUpdate, MarketUpdate) {
        let side = coin(random);
        let before = self.book(time);
        let price = match side {
            BookSide::Ask => before.ask,
            _ => before.bid,
        };
        let traded = (1 + below(random, 5) as i64).min(*self.lots(side));
        *self.lots(side) -= traded;
        if *self.lots(side) == 0 {
            // The level is gone: the next one shows itself, while the spread may widen.
            if self.spread < most_spread {
                match side {
                    BookSide::Ask => self.spread += 1,
                    _ if self.bid > self.low => {
                        self.bid -= 1;
                        self.spread += 1;
                    }
                    _ => {}
                }
            }
            *self.lots(side) = lots(random);
        }
        let trade = MarketUpdate::Trade(TradeUpdate {
            instrument: self.instrument,
            price,
            size: shares(traded),
            time,
        });
        (trade, self.quote(side, time))
    }
}

/// Uniform from 0 to `bound - 1`: the high half of a 128-bit product.
fn below(random: &mut Xoshiro256PlusPlus, bound: u64) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(bound)) >> 64) as u64
}

fn coin(random: &mut Xoshiro256PlusPlus) -> BookSide {
    if below(random, 2) == 0 {
        BookSide::Bid
    } else {
        BookSide::Ask
    }
}

/// One tick half of the time, two a quarter of it, and so on.
fn spread(random: &mut Xoshiro256PlusPlus, most: u64) -> i64 {
    (1 + u64::from(random.next_u64().trailing_zeros())).min(most) as i64
}

/// Mostly one to ten round lots, sometimes many times as much.
fn lots(random: &mut Xoshiro256PlusPlus) -> i64 {
    let many = 1 + u64::from(random.next_u64().trailing_zeros().min(7));
    ((1 + below(random, 10)) * many) as i64
}

fn shares(lots: i64) -> Quantity {
    Quantity::from_units(lots * LOT_SHARES * ONE)
}

/// Roughly exponential with this mean, in integers: each step of two thirds of the mean is half as
/// likely as the one before, and within a step all are alike.
fn interval(random: &mut Xoshiro256PlusPlus, mean_ns: u64) -> u64 {
    let steps = u64::from(random.next_u64().trailing_zeros().min(40));
    let within = random.next_u64() >> 48;
    let units = u128::from((steps << 16) + within);
    (units * u128::from(mean_ns) * 2 / (3 << 16)) as u64
}

fn check(settings: &SyntheticSettings) -> Result<(), MarketError> {
    let range = |name: &str, value: u32, least: u32, most: u32| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(MarketError::Settings(format!(
            "{name} is {value}: {least} to {most} expected"
        )))
    };
    range("rows per second", settings.rows_per_second, 1, 10_000_000)?;
    range("volatility", settings.volatility_ticks, 1, 1_000)?;
    range("spread", settings.max_spread_ticks, 1, 1_000)?;
    range("bursts per million", settings.burst_per_million, 0, 100_000)?;
    range("gaps per million", settings.gap_per_million, 0, 4_000)?;
    if settings.symbols.is_empty() {
        return Err(MarketError::Settings("no symbols".to_owned()));
    }
    for symbol in &settings.symbols {
        let (tick, start) = (symbol.tick.units(), symbol.start_price.units());
        if !(1..=ONE).contains(&tick) || start / tick < 4 || start > 200_000 * ONE {
            return Err(MarketError::Settings(format!(
                "start price {} with tick {}: a tick of at most 1, a price of 4 ticks to 200000",
                Price::from_units(start),
                Price::from_units(tick)
            )));
        }
    }
    Ok(())
}
