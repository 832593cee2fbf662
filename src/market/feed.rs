//! The MARKET agent: takes rows from a source when their time has come and delivers them.
//!
//! Runs on: a cold or market thread, or the `invoker`'s caller; no hot thread: sources read files.
//! Owns: the source, the quote board's pen, and the rings to paper, RISK and the algorithms.
//! Never: delivers a row before its time or out of order, or a row that paper has no room for.
//!
//! The next row is read ahead, so that its time is known as the next deadline. A row goes to the
//! board first, then to the paper gateways (lossless: without room in all of them the row waits),
//! to RISK as a dirty instrument (a full ring makes RISK rescan) and to the algorithms (what does
//! not fit is dropped and counted by the ring).

use std::sync::Arc;

use super::{FeedStatus, MarketError, MarketSource};
use crate::ring::{BoardWriter, Producer};
use crate::runtime::Agent;
use crate::types::{InstrumentId, MarketUpdate, Nanos};

/// Rows that one poll delivers unless told otherwise.
pub const DEFAULT_ROWS_PER_POLL: usize = 256;

/// A ring to one algorithm.
#[derive(Debug)]
pub struct AlgorithmRing {
    ring: Producer<MarketUpdate>,
    /// By instrument; `None` for all of them.
    wanted: Option<Box<[bool]>>,
}

impl AlgorithmRing {
    /// Every instrument.
    #[must_use]
    pub const fn all(ring: Producer<MarketUpdate>) -> Self {
        Self { ring, wanted: None }
    }

    /// These instruments only.
    #[must_use]
    pub fn only(ring: Producer<MarketUpdate>, instruments: &[InstrumentId]) -> Self {
        let length = instruments.iter().map(|id| id.index() + 1).max();
        let mut wanted = vec![false; length.unwrap_or(0)].into_boxed_slice();
        for id in instruments {
            wanted[id.index()] = true;
        }
        Self {
            ring,
            wanted: Some(wanted),
        }
    }

    #[inline]
    fn wants(&self, instrument: InstrumentId) -> bool {
        self.wanted
            .as_ref()
            .is_none_or(|wanted| wanted.get(instrument.index()).is_some_and(|wanted| *wanted))
    }
}

/// Where rows go.
#[derive(Debug)]
pub struct FeedOutputs {
    /// The board of this source.
    pub board: BoardWriter,
    /// One ring a paper gateway.
    pub paper: Vec<Producer<MarketUpdate>>,
    /// Instruments whose quote or last trade changed, to RISK.
    pub dirty: Producer<InstrumentId>,
    /// One ring an algorithm.
    pub algorithms: Vec<AlgorithmRing>,
}

/// The MARKET agent.
pub struct MarketFeed {
    source: Box<dyn MarketSource>,
    outputs: FeedOutputs,
    head: Option<MarketUpdate>,
    rows_per_poll: usize,
    delivered: u64,
    last: Nanos,
    status: Arc<FeedStatus>,
}

impl MarketFeed {
    /// A feed that delivers at most `rows_per_poll` rows a poll (1 where each row is to be fully
    /// processed by all agents before the next). Reads the first row.
    ///
    /// # Errors
    /// What the source says of its first row.
    ///
    /// # Panics
    /// When `rows_per_poll` is 0.
    pub fn new(
        mut source: Box<dyn MarketSource>,
        outputs: FeedOutputs,
        rows_per_poll: usize,
    ) -> Result<Self, MarketError> {
        assert!(rows_per_poll > 0, "a poll delivers at least one row");
        let head = source.next()?;
        let feed = Self {
            source,
            outputs,
            head,
            rows_per_poll,
            delivered: 0,
            last: Nanos::ZERO,
            status: Arc::new(FeedStatus::default()),
        };
        feed.publish();
        if feed.head.is_none() {
            feed.status.end(None);
        }
        Ok(feed)
    }

    /// What has been delivered, for other threads.
    #[must_use]
    pub fn status(&self) -> Arc<FeedStatus> {
        Arc::clone(&self.status)
    }

    /// Time of the next row; `None` at the end. Before the first poll: of the first row.
    #[must_use]
    pub fn next_time(&self) -> Option<Nanos> {
        self.head.as_ref().map(MarketUpdate::time)
    }

    /// Whether every paper gateway can take a row. One that is gone holds up nobody.
    #[inline]
    fn has_room(&self) -> bool {
        let paper = &self.outputs.paper;
        paper
            .iter()
            .all(|ring| ring.has_room(1) || ring.is_abandoned())
    }

    #[inline]
    fn deliver(&mut self, update: MarketUpdate) {
        debug_assert!(update.time() >= self.last, "invariant: rows ascend in time");
        let outputs = &mut self.outputs;
        let instrument = update.instrument();
        match &update {
            MarketUpdate::Quote(row) => outputs.board.write_quote(instrument, &row.quote),
            MarketUpdate::Trade(row) => {
                outputs.board.write_trade(instrument, row.price, row.time);
            }
        }
        for ring in &mut outputs.paper {
            let pushed = ring.push(update).is_ok();
            debug_assert!(
                pushed || ring.is_abandoned(),
                "invariant: room was checked before"
            );
        }
        // Refusals of these two are counted by the rings and dealt with by their readers.
        let _ = outputs.dirty.push(instrument);
        for algorithm in &mut outputs.algorithms {
            if algorithm.wants(instrument) {
                let _ = algorithm.ring.push(update);
            }
        }
        self.delivered += 1;
        self.last = update.time();
    }

    fn publish(&self) {
        self.status
            .publish(self.delivered, self.last, self.source.as_ref());
    }
}

impl Agent for MarketFeed {
    fn name(&self) -> &'static str {
        "market"
    }

    fn poll(&mut self, now: Nanos) -> usize {
        let mut delivered = 0;
        let mut end = None;
        while delivered < self.rows_per_poll
            && let Some(update) = self.head
            && update.time() <= now
            && self.has_room()
        {
            self.deliver(update);
            delivered += 1;
            match self.source.next() {
                Ok(Some(next)) => self.head = Some(next),
                Ok(None) => {
                    self.head = None;
                    end = Some(None);
                }
                Err(error) => {
                    self.head = None;
                    end = Some(Some(error));
                }
            }
        }
        if delivered > 0 {
            self.publish();
        }
        if let Some(error) = end {
            self.status.end(error);
        }
        delivered
    }

    fn next_deadline(&self) -> Option<Nanos> {
        self.next_time()
    }
}

impl std::fmt::Debug for MarketFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MarketFeed")
            .field("next", &self.head)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}
