//! The feed delivers each row in order, at its time, to everybody who needs it.
//!
//! Runs on: tests.
//! Owns: deadlines, bounds, back pressure, filters, the board, and the end of the data.
//! Never: waits.

mod market_common;

use std::collections::VecDeque;

use market_common::{drain, lean, price, recorded, size};
use shrike::market::{
    AlgorithmRing, FeedOutputs, FeedState, LeanSource, MarketError, MarketFeed, MarketSource,
    RowCounts,
};
use shrike::ring::{BoardReader, Consumer, board, channel};
use shrike::runtime::Agent;
use shrike::types::{BookSide, InstrumentId, MarketUpdate, Nanos, Quote, QuoteUpdate, TradeUpdate};

/// Rows made by hand, and perhaps an error behind them.
struct Made {
    rows: VecDeque<MarketUpdate>,
    error: Option<MarketError>,
    counts: RowCounts,
}

impl MarketSource for Made {
    fn next(&mut self) -> Result<Option<MarketUpdate>, MarketError> {
        let row = self.rows.pop_front();
        self.counts.read += u64::from(row.is_some());
        match (row, self.error.take()) {
            (None, Some(error)) => Err(error),
            (row, error) => {
                self.error = error;
                Ok(row)
            }
        }
    }

    fn start_time(&self) -> Option<Nanos> {
        self.rows.front().map(MarketUpdate::time)
    }

    fn rows(&self) -> &RowCounts {
        &self.counts
    }
}

fn made(rows: &[MarketUpdate]) -> Box<Made> {
    Box::new(Made {
        rows: rows.iter().copied().collect(),
        error: None,
        counts: RowCounts::default(),
    })
}

fn quote(instrument: u32, time: u64) -> MarketUpdate {
    MarketUpdate::Quote(QuoteUpdate {
        instrument: InstrumentId(instrument),
        side: BookSide::Bid,
        quote: Quote {
            bid: price("10"),
            bid_size: size("100"),
            time: Nanos(time),
            ..Quote::default()
        },
    })
}

fn trade(instrument: u32, time: u64) -> MarketUpdate {
    MarketUpdate::Trade(TradeUpdate {
        instrument: InstrumentId(instrument),
        price: price("9.99"),
        size: size("5"),
        time: Nanos(time),
    })
}

/// The other ends of a feed with two paper gateways and two algorithms, the second of which wants
/// instrument 1 only.
struct Ends {
    board: BoardReader,
    paper: [Consumer<MarketUpdate>; 2],
    dirty: Consumer<InstrumentId>,
    algorithms: [Consumer<MarketUpdate>; 2],
}

fn wire(
    source: Box<dyn MarketSource>,
    capacity: usize,
    rows_per_poll: usize,
) -> (Result<MarketFeed, MarketError>, Ends) {
    let (writer, reader) = board(4);
    let (paper_a, paper_a_end, _) = channel("paper", capacity);
    let (paper_b, paper_b_end, _) = channel("paper", capacity);
    let (dirty, dirty_end, _) = channel("dirty", capacity);
    let (all, all_end, _) = channel("algorithm", capacity);
    let (one, one_end, _) = channel("algorithm", capacity);
    let outputs = FeedOutputs {
        board: writer,
        paper: vec![paper_a, paper_b],
        dirty,
        algorithms: vec![
            AlgorithmRing::all(all),
            AlgorithmRing::only(one, &[InstrumentId(1)]),
        ],
    };
    let ends = Ends {
        board: reader,
        paper: [paper_a_end, paper_b_end],
        dirty: dirty_end,
        algorithms: [all_end, one_end],
    };
    (MarketFeed::new(source, outputs, rows_per_poll), ends)
}

fn taken<T: Copy>(ring: &mut Consumer<T>) -> Vec<T> {
    std::iter::from_fn(|| ring.pop()).collect()
}

#[test]
fn rows_are_delivered_when_their_time_has_come_and_to_all_who_want_them() {
    let rows = [quote(0, 10), quote(1, 10), trade(1, 15), quote(2, 20)];
    let (feed, mut ends) = wire(made(&rows), 16, 100);
    let mut feed = feed.expect("a first row");
    let status = feed.status();
    assert_eq!(
        (feed.next_deadline(), feed.next_time()),
        (Some(Nanos(10)), Some(Nanos(10)))
    );
    assert_eq!(feed.poll(Nanos(9)), 0);
    assert_eq!(taken(&mut ends.paper[0]), []);
    assert_eq!(feed.poll(Nanos(15)), 3);
    assert_eq!(feed.next_deadline(), Some(Nanos(20)));
    assert_eq!(
        (status.delivered(), status.last(), status.state()),
        (3, Nanos(15), FeedState::Running)
    );

    for paper in &mut ends.paper {
        assert_eq!(taken(paper), rows[..3]);
    }
    assert_eq!(
        taken(&mut ends.dirty),
        [InstrumentId(0), InstrumentId(1), InstrumentId(1)]
    );
    assert_eq!(taken(&mut ends.algorithms[0]), rows[..3]);
    assert_eq!(taken(&mut ends.algorithms[1]), rows[1..3]);
    let snapshot = ends.board.read(InstrumentId(1));
    assert_eq!(
        (snapshot.quote.bid, snapshot.quote.time),
        (price("10"), Nanos(10))
    );
    assert_eq!(
        (snapshot.last, snapshot.last_time),
        (price("9.99"), Nanos(15))
    );
    assert_eq!(ends.board.read(InstrumentId(2)).quote, Quote::default());

    assert_eq!(feed.poll(Nanos(1_000)), 1);
    assert_eq!(
        (feed.next_deadline(), status.state()),
        (None, FeedState::Finished)
    );
    assert_eq!((status.delivered(), status.error()), (4, None));
    assert_eq!(feed.poll(Nanos(2_000)), 0);
}

#[test]
fn one_row_a_poll_when_told_so() {
    let rows = [quote(0, 1), quote(0, 1), trade(0, 1)];
    let (feed, mut ends) = wire(made(&rows), 16, 1);
    let mut feed = feed.expect("a first row");
    for row in rows {
        assert_eq!(feed.poll(Nanos(5)), 1);
        assert_eq!(taken(&mut ends.paper[0]), [row]);
    }
    assert_eq!(feed.poll(Nanos(5)), 0);
}

#[test]
fn paper_loses_no_row_while_others_drop_and_count() {
    let rows: Vec<MarketUpdate> = (0..10).map(|time| quote(1, time)).collect();
    let (feed, mut ends) = wire(made(&rows), 4, 100);
    let mut feed = feed.expect("a first row");
    let now = Nanos(100);
    assert_eq!(feed.poll(now), 4, "as many as fit");
    assert_eq!(feed.poll(now), 0, "the fifth waits");
    assert_eq!(feed.next_deadline(), Some(Nanos(4)));
    let mut got = taken(&mut ends.paper[0]);
    assert_eq!(feed.poll(now), 0, "the second gateway has no room yet");
    let mut second = taken(&mut ends.paper[1]);
    assert_eq!(
        ends.dirty.gauge().refused(),
        0,
        "nothing was refused while nothing was sent"
    );
    assert_eq!(feed.poll(now), 4);
    got.extend(taken(&mut ends.paper[0]));
    second.extend(taken(&mut ends.paper[1]));
    assert_eq!(feed.poll(now), 2);
    got.extend(taken(&mut ends.paper[0]));
    second.extend(taken(&mut ends.paper[1]));
    assert_eq!((&got, &second), (&rows, &rows));
    assert_eq!(ends.algorithms[1].gauge().refused(), 6);
    assert_eq!(taken(&mut ends.algorithms[1]), rows[..4]);
    assert_eq!(ends.dirty.gauge().refused(), 6, "RISK rescans");
    assert!(feed.status().is_over());
}

#[test]
fn a_gateway_that_is_gone_holds_up_nobody() {
    let rows: Vec<MarketUpdate> = (0..10).map(|time| quote(1, time)).collect();
    let (feed, ends) = wire(made(&rows), 4, 100);
    let mut feed = feed.expect("a first row");
    let Ends {
        paper: [gone, mut alive],
        ..
    } = ends;
    drop(gone);
    let mut got = Vec::new();
    while feed.poll(Nanos(100)) > 0 {
        got.extend(taken(&mut alive));
    }
    assert_eq!(got, rows);
}

#[test]
fn an_error_ends_the_feed_after_the_rows_before_it_and_is_kept() {
    let error = MarketError::Settings("made to fail".into());
    let mut source = made(&[quote(0, 1), quote(0, 2)]);
    source.error = Some(error.clone());
    let (feed, mut ends) = wire(source, 16, 100);
    let mut feed = feed.expect("a first row");
    let status = feed.status();
    assert_eq!(feed.poll(Nanos(5)), 2);
    assert_eq!(taken(&mut ends.paper[1]).len(), 2);
    assert_eq!(
        (status.state(), status.error()),
        (FeedState::Failed, Some(error.clone()))
    );
    assert_eq!((status.delivered(), status.rows().read), (2, 2));
    assert_eq!((feed.next_deadline(), feed.poll(Nanos(9))), (None, 0));

    let mut source = made(&[]);
    source.error = Some(error.clone());
    let (feed, _ends) = wire(source, 16, 100);
    assert_eq!(feed.expect_err("no first row"), error);
    let (feed, _ends) = wire(made(&[]), 16, 100);
    assert_eq!(
        feed.expect("an empty source").status().state(),
        FeedState::Finished
    );
}

#[test]
fn a_recorded_day_passes_through_whole_by_its_own_deadlines() {
    let settings = lean(&recorded(), &["IBM"], "2013-10-07");
    let rows = drain(&mut LeanSource::open(&settings).expect("the recorded day")).expect("rows");
    let source = LeanSource::open(&settings).expect("the recorded day");
    let (feed, mut ends) = wire(Box::new(source), 64, 1);
    let mut feed = feed.expect("a first row");
    let mut got = Vec::new();
    while let Some(now) = feed.next_deadline() {
        assert_eq!(feed.poll(Nanos(now.0 - 1)), 0);
        assert_eq!(feed.poll(now), 1);
        for end in &mut ends.paper {
            got = if got.is_empty() {
                Vec::with_capacity(rows.len())
            } else {
                got
            };
            if let Some(row) = end.pop() {
                got.push(row);
            }
        }
        taken(&mut ends.dirty);
        taken(&mut ends.algorithms[0]);
    }
    let doubled: Vec<MarketUpdate> = rows.iter().flat_map(|row| [*row, *row]).collect();
    assert!(got == doubled, "each gateway got each row once, in order");
    let status = feed.status();
    assert_eq!((status.delivered(), status.bad()), (rows.len() as u64, 0));
    assert_eq!(
        (status.state(), status.rows().suspicious),
        (FeedState::Finished, 1)
    );
    assert_eq!(ends.algorithms[0].gauge().refused(), 0);
}
