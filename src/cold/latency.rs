//! HDR histograms of an order's stages.
//!
//! Runs on: COLD.
//! Owns: one histogram a stage, in nanoseconds, three significant digits, 1 ns to one hour,
//! saturating.
//! Never: drops a sample that it was given, or records one that was not measured.
//!
//! | stage | from | to | recorded on |
//! |---|---|---|---|
//! | `risk` | request built | risk decision | `Sent` |
//! | `order` | risk decision | journaled and routed | `Sent` |
//! | `encode` | journaled and routed | bytes ready | `Sent` |
//! | `wire` | bytes ready | write returned | `Sent` |
//! | `internal` | request built | bytes ready | `Sent` |
//! | `ack` | write returned | acknowledgement received | first `Accepted` |
//! | `fill` | write returned | first fill received | first `Filled` |
//!
//! An offset of 0 means that a stage was not reached: it is not recorded. Offsets saturate at 4.29
//! s; a stage that begins at a saturated offset is recorded as 4.29 s, so that counts stay exact
//! and no stall looks short.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::types::StageStamps;

/// A stage of an order's way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// Request built to risk decision.
    Risk = 0,
    /// Risk decision to journaled and routed.
    Order = 1,
    /// Journaled and routed to bytes ready.
    Encode = 2,
    /// Bytes ready to write returned.
    Wire = 3,
    /// Request built to bytes ready.
    Internal = 4,
    /// Write returned to acknowledgement received.
    Ack = 5,
    /// Write returned to first fill received.
    Fill = 6,
}

impl Stage {
    /// Every stage, in the order of an order's way.
    pub const ALL: [Self; 7] = [
        Self::Risk,
        Self::Order,
        Self::Encode,
        Self::Wire,
        Self::Internal,
        Self::Ack,
        Self::Fill,
    ];

    /// The name in reports and file names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Risk => "risk",
            Self::Order => "order",
            Self::Encode => "encode",
            Self::Wire => "wire",
            Self::Internal => "internal",
            Self::Ack => "ack",
            Self::Fill => "fill",
        }
    }
}

/// A stage's figures in nanoseconds; absent while nothing was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LatencySummary {
    /// Samples.
    pub count: u64,
    /// Half of the samples took at most this.
    pub p50: Option<u64>,
    /// 90 %.
    pub p90: Option<u64>,
    /// 99 %.
    pub p99: Option<u64>,
    /// 99.9 %.
    pub p99_9: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
}

const HIGHEST_NS: u64 = 3_600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// The histograms of all stages.
#[derive(Clone, Debug)]
pub struct StageLatency {
    histograms: [Histogram<u64>; 7],
}

impl Default for StageLatency {
    fn default() -> Self {
        Self::new()
    }
}

impl StageLatency {
    /// Empty histograms, about 2 MB.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram takes.
    #[must_use]
    pub fn new() -> Self {
        let empty = Histogram::new_with_bounds(1, HIGHEST_NS, SIGNIFICANT_DIGITS)
            .unwrap_or_else(|error| panic!("constant histogram bounds: {error}"));
        Self {
            histograms: std::array::from_fn(|_| empty.clone()),
        }
    }

    /// Records what is known once an order's bytes were handed over.
    pub fn record_sent(&mut self, stamps: &StageStamps) {
        let spans = [
            (Stage::Risk, reached(stamps.risk)),
            (Stage::Order, span(stamps.risk, stamps.order)),
            (Stage::Encode, span(stamps.order, stamps.encode)),
            (Stage::Wire, span(stamps.encode, stamps.wire)),
            (Stage::Internal, reached(stamps.encode)),
        ];
        for (stage, value) in spans {
            if let Some(value) = value {
                self.record(stage, value);
            }
        }
    }

    /// Records the acknowledgement that was at hand at `received`; nothing when either end was not
    /// stamped.
    pub fn record_ack(&mut self, stamps: &StageStamps, received: u64) {
        self.record_received(Stage::Ack, stamps, received);
    }

    /// Records the first fill that was at hand at `received`; nothing when either end was not
    /// stamped.
    pub fn record_fill(&mut self, stamps: &StageStamps, received: u64) {
        self.record_received(Stage::Fill, stamps, received);
    }

    fn record_received(&mut self, stage: Stage, stamps: &StageStamps, received: u64) {
        if stamps.signal != 0 && stamps.wire != 0 && received != 0 {
            let sent = stamps.signal.saturating_add(u64::from(stamps.wire));
            self.record(stage, received.saturating_sub(sent));
        }
    }

    /// Records one value of a stage, in nanoseconds.
    pub fn record(&mut self, stage: Stage, value_ns: u64) {
        self.histograms[stage as usize].saturating_record(value_ns);
    }

    /// The histogram of a stage.
    #[must_use]
    pub const fn histogram(&self, stage: Stage) -> &Histogram<u64> {
        &self.histograms[stage as usize]
    }

    /// A stage's figures.
    #[must_use]
    pub fn summary(&self, stage: Stage) -> LatencySummary {
        let histogram = self.histogram(stage);
        if histogram.is_empty() {
            return LatencySummary::default();
        }
        let at = |quantile| Some(histogram.value_at_quantile(quantile));
        LatencySummary {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: Some(histogram.max()),
        }
    }
}

fn reached(offset: u32) -> Option<u64> {
    (offset != 0).then_some(u64::from(offset))
}

fn span(from: u32, to: u32) -> Option<u64> {
    match (from, to) {
        (0, _) | (_, 0) => None,
        (u32::MAX, _) => Some(u64::from(u32::MAX)),
        (from, to) => Some(u64::from(to.saturating_sub(from))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(risk: u32, order: u32, encode: u32, wire: u32) -> StageStamps {
        StageStamps {
            signal: 1_000,
            risk,
            order,
            encode,
            wire,
        }
    }

    #[test]
    fn each_stage_is_the_difference_of_its_two_stamps() {
        let mut latency = StageLatency::new();
        let stamps = stamps(100, 150, 240, 1_240);
        latency.record_sent(&stamps);
        latency.record_ack(&stamps, 1_000 + 1_240 + 700);
        latency.record_fill(&stamps, 1_000 + 1_240 + 900);
        let expected = [100, 50, 90, 1_000, 240, 700, 900];
        for (stage, expected) in Stage::ALL.into_iter().zip(expected) {
            let summary = latency.summary(stage);
            assert_eq!((summary.count, summary.max), (1, Some(expected)));
        }
    }

    #[test]
    fn a_stage_that_was_not_reached_is_not_recorded() {
        let mut latency = StageLatency::new();
        let never_written = stamps(100, 150, 0, 0);
        latency.record_sent(&never_written);
        latency.record_ack(&never_written, 5_000);
        latency.record_fill(&stamps(1, 2, 3, 4), 0);
        let counts = Stage::ALL.map(|stage| latency.summary(stage).count);
        assert_eq!(counts, [1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(
            latency.summary(Stage::Fill),
            LatencySummary::default(),
            "no figures of nothing"
        );
    }

    #[test]
    fn a_saturated_stamp_never_looks_fast() {
        let mut latency = StageLatency::new();
        latency.record_sent(&stamps(5, u32::MAX, u32::MAX, u32::MAX));
        for stage in [Stage::Order, Stage::Encode, Stage::Wire, Stage::Internal] {
            assert!(
                latency.summary(stage).max > Some(4_200_000_000),
                "{stage:?}"
            );
        }
        latency.record(Stage::Ack, u64::MAX);
        assert_eq!(latency.summary(Stage::Ack).count, 1, "saturates");
    }
}
