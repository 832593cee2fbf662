//! Histograms in the HdrHistogram percentile text format (`.hgrm`).
//!
//! Runs on: whoever writes a report.
//! Owns: the format, as `AbstractHistogram.outputPercentileDistribution` of HdrHistogram 2 writes
//! it.
//! Never: rounds a count.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Steps in each halving of what is left to 100 %, as HdrHistogram's own tools have it.
const TICKS_PER_HALF_DISTANCE: u32 = 5;

/// The percentile distribution of a histogram: columns Value, Percentile, TotalCount and
/// 1/(1-Percentile), then mean, standard deviation, maximum, count and the shape of the histogram.
#[must_use]
pub fn percentile_distribution(histogram: &Histogram<u64>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0u64;
    if !histogram.is_empty() {
        for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
            total += step.count_since_last_iteration();
            let value = step.value_iterated_to() as f64;
            let quantile = step.quantile_iterated_to();
            let _ = if quantile < 1.0 {
                let inverse = 1.0 / (1.0 - quantile);
                writeln!(
                    text,
                    "{value:12.3} {quantile:2.12} {total:10} {inverse:14.2}"
                )
            } else {
                writeln!(text, "{value:12.3} {quantile:2.12} {total:10}")
            };
        }
    }
    let (mean, deviation) = if histogram.is_empty() {
        (0.0, 0.0)
    } else {
        (histogram.mean(), histogram.stdev())
    };
    let sub_buckets = (2 * 10u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let _ = writeln!(
        text,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]\n\
         #[Max     = {:12.3}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]",
        histogram.max() as f64,
        histogram.len(),
        histogram.buckets(),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_histogram_is_a_header_and_a_footer() {
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("bounds");
        let text = percentile_distribution(&histogram);
        assert_eq!(
            text,
            "       Value     Percentile TotalCount 1/(1-Percentile)\n\n\
             #[Mean    =        0.000, StdDeviation   =        0.000]\n\
             #[Max     =        0.000, Total count    =            0]\n\
             #[Buckets =           32, SubBuckets     =         2048]\n"
        );
    }

    #[test]
    fn the_last_line_holds_every_sample_and_the_maximum() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 3).expect("bounds");
        for value in [1, 2, 3, 1_000, 900_000] {
            histogram.record(value).expect("in bounds");
        }
        let text = percentile_distribution(&histogram);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let numbers = line.split_whitespace();
                numbers.map(|n| n.parse().expect("a number")).collect()
            })
            .collect();
        let last = rows.last().expect("rows");
        assert_eq!(last.len(), 3, "no 1/(1-p) at 100 %");
        assert_eq!((last[1], last[2]), (1.0, 5.0));
        assert!(histogram.equivalent(last[0] as u64, 900_000));
        assert!(
            rows.windows(2)
                .all(|w| w[0][0] <= w[1][0] && w[0][2] <= w[1][2])
        );
        let half = rows.iter().find(|row| row[1] >= 0.5).expect("a half");
        assert_eq!((half[0], half[3]), (3.0, 2.0));
    }
}
