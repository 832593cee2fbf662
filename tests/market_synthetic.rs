//! The made-up market is the same for the same seed, and looks like a market.
//!
//! Runs on: tests.
//! Owns: determinism, rates, prices, spreads, bursts and gaps of the synthetic source.
//! Never: depends on the machine.

mod market_common;

use std::collections::HashMap;

use market_common::price;
use shrike::market::{
    MarketError, MarketSource, SyntheticSettings, SyntheticSource, SyntheticSymbol,
};
use shrike::types::{BookSide, InstrumentId, MarketUpdate, Nanos, Price, QuoteCondition};

const START: Nanos = Nanos(1_700_000_000_000_000_000);

fn settings(seed: u64) -> SyntheticSettings {
    let symbol = |id, start_price| SyntheticSymbol {
        instrument: InstrumentId(id),
        start_price: price(start_price),
        tick: price("0.01"),
    };
    SyntheticSettings::lively(vec![symbol(3, "100"), symbol(5, "25.5")], seed, START)
}

fn rows(settings: &SyntheticSettings, count: usize) -> Vec<MarketUpdate> {
    let mut source = SyntheticSource::new(settings).expect("sound settings");
    assert_eq!(source.start_time(), Some(START));
    let rows = (0..count)
        .map(|_| source.next().expect("no file to fail").expect("endless"))
        .collect();
    assert_eq!(source.rows().good(), count as u64);
    rows
}

/// FNV-1a over every number of every row.
fn digest(rows: &[MarketUpdate]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut eat = |number: u64| {
        for byte in number.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for row in rows {
        eat(row.time().0);
        eat(u64::from(row.instrument().0));
        match row {
            MarketUpdate::Quote(row) => {
                eat(row.side as u64);
                for units in [row.quote.bid.units(), row.quote.ask.units()] {
                    eat(units as u64);
                }
                for units in [row.quote.bid_size.units(), row.quote.ask_size.units()] {
                    eat(units as u64);
                }
            }
            MarketUpdate::Trade(row) => {
                eat(row.price.units() as u64);
                eat(row.size.units() as u64);
            }
        }
    }
    hash
}

#[test]
fn the_same_seed_gives_the_same_rows_on_every_machine() {
    let (once, again) = (rows(&settings(7), 50_000), rows(&settings(7), 50_000));
    assert_eq!(once, again);
    assert_ne!(digest(&once), digest(&rows(&settings(8), 50_000)));
    // Recorded once: another number here means that old seeds give other markets.
    assert_eq!(digest(&once), DIGEST);
}

#[test]
fn rows_come_in_order_at_the_mean_rate_asked_for() {
    for (rate, burst, gap) in [(2_000, 2_000, 200), (100_000, 20_000, 2_000), (50, 0, 0)] {
        let mut settings = settings(11);
        (
            settings.rows_per_second,
            settings.burst_per_million,
            settings.gap_per_million,
        ) = (rate, burst, gap);
        let rows = rows(&settings, 400_000);
        assert!(rows.windows(2).all(|pair| pair[0].time() <= pair[1].time()));
        assert_eq!(rows[0].time(), START);
        let seconds = rows[399_999].time().since(START) as f64 / 1e9;
        let measured = 400_000.0 / seconds / f64::from(rate);
        assert!((0.93..1.07).contains(&measured), "{rate}: {measured}");
    }
}

#[test]
fn prices_stay_positive_bounded_and_on_the_tick() {
    let mut settings = settings(13);
    settings.volatility_ticks = 50;
    settings.gap_per_million = 4_000;
    settings.symbols[1].start_price = price("0.04");
    let starts: HashMap<u32, i64> = [(3, price("100").units()), (5, price("0.04").units())].into();
    let tick = price("0.01").units();
    let mut seen: HashMap<u32, (i64, i64)> = HashMap::new();
    for row in rows(&settings, 500_000) {
        let start = starts[&row.instrument().0];
        let prices: Vec<Price> = match row {
            MarketUpdate::Quote(row) => {
                for (price, size) in [
                    (row.quote.bid, row.quote.bid_size),
                    (row.quote.ask, row.quote.ask_size),
                ] {
                    assert_eq!(price.is_zero(), size.is_zero(), "a side has both or none");
                }
                [row.quote.bid, row.quote.ask]
                    .into_iter()
                    .filter(|p| !p.is_zero())
                    .collect()
            }
            MarketUpdate::Trade(row) => {
                assert!(row.size.is_positive());
                vec![row.price]
            }
        };
        let most = start * 4 + i64::from(settings.max_spread_ticks) * tick;
        for price in prices {
            let units = price.units();
            assert!(units >= (start / 4).max(tick) && units <= most, "{price}");
            assert_eq!(units % tick, 0);
            let range = seen.entry(row.instrument().0).or_insert((units, units));
            *range = (range.0.min(units), range.1.max(units));
        }
    }
    let (low, high) = seen[&3];
    assert!(high > low + 1_000 * tick, "prices move: {low} to {high}");
}

#[test]
fn books_are_mostly_normal_with_every_irregularity_now_and_then() {
    let rows = rows(&settings(17), 200_000);
    let mut conditions: HashMap<QuoteCondition, usize> = HashMap::new();
    let mut sides: HashMap<BookSide, usize> = HashMap::new();
    let mut spreads: HashMap<i64, usize> = HashMap::new();
    let mut last = HashMap::new();
    let (mut trades, mut at_bid, mut at_ask) = (0, 0, 0);
    for row in &rows {
        match row {
            MarketUpdate::Quote(row) => {
                *conditions.entry(row.quote.condition()).or_default() += 1;
                *sides.entry(row.side).or_default() += 1;
                if row.quote.condition() == QuoteCondition::Normal && row.side == BookSide::Both {
                    let ticks = (row.quote.ask.units() - row.quote.bid.units()) / 10_000_000;
                    *spreads.entry(ticks).or_default() += 1;
                }
                last.insert(row.instrument, row.quote);
            }
            MarketUpdate::Trade(row) => {
                let quote = last[&row.instrument];
                trades += 1;
                at_bid += usize::from(row.price == quote.bid && row.size <= quote.bid_size);
                at_ask += usize::from(row.price == quote.ask && row.size <= quote.ask_size);
            }
        }
    }
    let quotes: usize = conditions.values().sum();
    let share = |condition| conditions.get(&condition).copied().unwrap_or(0) * 1_000 / quotes;
    assert!(share(QuoteCondition::Normal) > 900, "{conditions:?}");
    for rare in [
        QuoteCondition::Locked,
        QuoteCondition::Crossed,
        QuoteCondition::OneSided,
    ] {
        assert!(
            conditions[&rare] > 100 && share(rare) < 60,
            "{conditions:?}"
        );
    }
    assert!(
        sides.len() == 3 && sides.values().all(|count| *count > 10_000),
        "{sides:?}"
    );
    assert!((1..=4).all(|ticks| spreads[&ticks] > 1_000), "{spreads:?}");
    assert!(
        spreads[&1] > spreads[&2] && spreads.len() == 4,
        "{spreads:?}"
    );
    assert!(
        trades > 15_000 && at_bid > 7_000 && at_ask > 7_000,
        "{trades} {at_bid} {at_ask}"
    );
    assert_eq!(
        at_bid + at_ask,
        trades,
        "every trade is within a displayed side"
    );
}

#[test]
fn a_row_of_one_side_leaves_the_other_as_it_was() {
    let mut last = HashMap::new();
    for row in rows(&settings(19), 100_000) {
        let MarketUpdate::Quote(row) = row else {
            continue;
        };
        if let Some(before) = last.insert(row.instrument, row.quote) {
            let same_bid = (before.bid, before.bid_size) == (row.quote.bid, row.quote.bid_size);
            let same_ask = (before.ask, before.ask_size) == (row.quote.ask, row.quote.ask_size);
            assert!(row.side.renews_bid() || same_bid, "{before:?} {row:?}");
            assert!(row.side.renews_ask() || same_ask, "{before:?} {row:?}");
        }
    }
}

#[test]
fn bursts_are_fast_and_gaps_end_with_a_jump() {
    let mean = 500_000u64;
    let intervals = |settings: &SyntheticSettings| -> Vec<u64> {
        let rows = rows(settings, 200_000);
        let times = rows
            .windows(2)
            .map(|pair| pair[1].time().since(pair[0].time()));
        times.filter(|interval| *interval > 0).collect()
    };
    // A burst: twelve rows in less than the time of two.
    let bursts = |intervals: &[u64]| {
        intervals
            .windows(12)
            .filter(|w| w.iter().sum::<u64>() < 2 * mean)
            .count()
    };
    let mut plain = settings(23);
    (plain.burst_per_million, plain.gap_per_million) = (0, 0);
    let mut lively = plain.clone();
    (lively.burst_per_million, lively.gap_per_million) = (2_000, 200);
    let (plain, lively_intervals) = (intervals(&plain), intervals(&lively));
    assert!(bursts(&lively_intervals) > 1_000 && bursts(&plain) < 20);
    let pauses = |intervals: &[u64]| intervals.iter().filter(|i| **i > 20 * mean).count();
    assert!(pauses(&lively_intervals) > 10 && pauses(&plain) == 0);

    let mut last: HashMap<InstrumentId, Price> = HashMap::new();
    let mut before = START;
    let mut jumps = 0;
    for row in rows(&lively, 200_000) {
        let paused = row.time().since(before) > 30 * mean;
        before = row.time();
        let MarketUpdate::Quote(row) = row else {
            continue;
        };
        if row.quote.bid.is_zero() {
            continue;
        }
        let old = last.insert(row.instrument, row.quote.bid);
        if let Some(old) = old.filter(|_| paused) {
            let moved = (row.quote.bid.units() - old.units()).abs();
            assert!(moved >= 9 * 10_000_000, "a jump of several ticks: {moved}");
            jumps += 1;
        }
    }
    assert!(jumps > 10, "{jumps}");
}

#[test]
fn settings_out_of_range_are_refused_with_the_range() {
    let refuse = |change: &dyn Fn(&mut SyntheticSettings)| {
        let mut settings = settings(1);
        change(&mut settings);
        match SyntheticSource::new(&settings) {
            Err(MarketError::Settings(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    assert!(refuse(&|s| s.rows_per_second = 0).contains("1 to 10000000"));
    assert!(refuse(&|s| s.volatility_ticks = 0).contains("volatility"));
    assert!(refuse(&|s| s.max_spread_ticks = 1_001).contains("spread"));
    assert!(refuse(&|s| s.burst_per_million = 100_001).contains("bursts"));
    assert!(refuse(&|s| s.gap_per_million = 4_001).contains("gaps"));
    assert!(refuse(&|s| s.symbols.clear()).contains("no symbols"));
    assert!(refuse(&|s| s.symbols[0].tick = Price::ZERO).contains("tick"));
    assert!(refuse(&|s| s.symbols[0].start_price = price("0.03")).contains("4 ticks"));
}

const DIGEST: u64 = 17_111_227_995_874_466_104;
