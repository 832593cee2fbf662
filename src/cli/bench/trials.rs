//! Which trials count on a machine that other people use too.
//!
//! Runs on: the bench's threads.
//! Owns: the rule: short trials, each beside a bare twin; those whose twin was slow are dropped; the best p50 of the
//! others holds; fewer than five of them prove nothing.
//! Never: calls a figure measured that fewer trials carry.

/// Fewest trials of a measurement.
pub(super) const TRIALS: usize = 9;
/// Fewest trials that must be left.
pub(super) const FEWEST_LEFT: usize = 5;
/// A trial whose twin took this much more than the best twin of the run is dropped, in tenths.
const SLOW_TWIN_TENTHS: f64 = 15.0;

/// One trial: medians in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub twin_ns: f64,
    /// One figure for each thing measured in the trial.
    pub figures_ns: Vec<f64>,
}

/// What the trials that count say.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Best {
    pub twin_ns: f64,
    pub figures_ns: Vec<f64>,
    pub kept: usize,
    pub trials: usize,
}

impl Best {
    pub fn is_conclusive(&self) -> bool {
        self.kept >= FEWEST_LEFT
    }
}

/// The best of the trials whose twin was not slow.
pub(super) fn best(trials: &[Trial]) -> Best {
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let twin_ns = least(&mut trials.iter().map(|trial| trial.twin_ns));
    let limit = twin_ns * SLOW_TWIN_TENTHS / 10.0;
    let kept: Vec<&Trial> = trials
        .iter()
        .filter(|trial| trial.twin_ns <= limit)
        .collect();
    let width = trials.first().map_or(0, |trial| trial.figures_ns.len());
    let figures_ns = (0..width)
        .map(|index| least(&mut kept.iter().map(|trial| trial.figures_ns[index])))
        .collect();
    Best {
        twin_ns,
        figures_ns,
        kept: kept.len(),
        trials: trials.len(),
    }
}

/// The value that half of the samples do not exceed; sorts them.
pub(super) fn median(samples: &mut [f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The value that this part of the samples does not exceed; sorts them.
pub(super) fn quantile(samples: &mut [f64], part: f64) -> f64 {
    if samples.is_empty() {
        return f64::NAN;
    }
    samples.sort_unstable_by(f64::total_cmp);
    let rank = (samples.len() as f64 * part).ceil() as usize;
    samples[rank.clamp(1, samples.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(twin_ns: f64, figure_ns: f64) -> Trial {
        Trial {
            twin_ns,
            figures_ns: vec![figure_ns],
        }
    }

    #[test]
    fn a_trial_whose_twin_was_slow_does_not_count_however_good_its_figure() {
        let mut trials = vec![trial(100.0, 500.0); 5];
        trials.push(trial(151.0, 1.0));
        trials.push(trial(150.0, 450.0));
        let best = best(&trials);
        assert_eq!((best.twin_ns, best.kept, best.trials), (100.0, 6, 7));
        assert_eq!(best.figures_ns, [450.0]);
        assert!(best.is_conclusive());
    }

    #[test]
    fn fewer_than_five_trials_left_prove_nothing() {
        let mut trials = vec![trial(100.0, 500.0); 4];
        trials.extend(vec![trial(400.0, 900.0); 20]);
        assert!(!best(&trials).is_conclusive());
    }

    #[test]
    fn the_median_of_an_even_number_is_the_lower_middle() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.0);
        assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 1.0), 4.0);
        assert!(median(&mut []).is_nan());
    }
}
