//! The percentile plot of all stages as one SVG.
//!
//! Runs on: whoever writes a report.
//! Owns: a picture that needs no script, no font of its own and no other file; black on white.
//! Never: draws beyond the last sample of a stage.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::latency::{Stage, StageLatency};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 540.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 744.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 476.0;
/// The right end: 1/(1-p) of 99.99 %, as a power of ten.
const LAST_DECADE: f64 = 4.0;
const STEPS: u32 = 400;
const TICKS: [(f64, &str); 6] = [
    (0.0, "0 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
];

/// A colour a stage, told apart on white and by most colour-blind readers.
const fn colour(stage: Stage) -> &'static str {
    match stage {
        Stage::Risk => "#0072b2",
        Stage::Order => "#d55e00",
        Stage::Encode => "#009e73",
        Stage::Wire => "#cc79a7",
        Stage::Internal => "#111111",
        Stage::Ack => "#7a5195",
        Stage::Fill => "#a6761d",
    }
}

/// Logarithmic nanoseconds, from a power of ten to a power of ten.
struct Axis {
    first: i32,
    last: i32,
}

impl Axis {
    fn over(latency: &StageLatency) -> Self {
        let filled = || {
            Stage::ALL
                .into_iter()
                .map(|stage| latency.histogram(stage))
                .filter(|histogram| !histogram.is_empty())
        };
        let least = filled().map(Histogram::min).min().unwrap_or(1).max(1);
        let most = filled()
            .map(|histogram| histogram.value_at_quantile(0.9999))
            .max()
            .unwrap_or(1_000)
            .max(10);
        let first = (least as f64).log10().floor() as i32;
        let last = (most as f64).log10().ceil() as i32;
        Self {
            first,
            last: last.max(first + 1),
        }
    }

    fn y(&self, value_ns: u64) -> f64 {
        let decades = f64::from(self.last - self.first);
        let share = ((value_ns.max(1) as f64).log10() - f64::from(self.first)) / decades;
        BOTTOM - share.clamp(0.0, 1.0) * (BOTTOM - TOP)
    }
}

/// Nanoseconds in the unit that keeps the figure short.
#[must_use]
pub fn duration_text(value_ns: u64) -> String {
    let scaled = |unit_ns: f64, unit: &str| {
        let value = value_ns as f64 / unit_ns;
        let digits = if value < 10.0 {
            2
        } else if value < 100.0 {
            1
        } else {
            0
        };
        let text = format!("{value:.digits$}");
        let text = if digits == 0 {
            &text
        } else {
            text.trim_end_matches('0').trim_end_matches('.')
        };
        format!("{text} {unit}")
    };
    match value_ns {
        0..1_000 => format!("{value_ns} ns"),
        1_000..1_000_000 => scaled(1e3, "us"),
        1_000_000..1_000_000_000 => scaled(1e6, "ms"),
        _ => scaled(1e9, "s"),
    }
}

fn x(quantile: f64) -> f64 {
    let decades = -(1.0 - quantile).log10();
    LEFT + decades.min(LAST_DECADE) / LAST_DECADE * (RIGHT - LEFT)
}

/// The plot: x is 1/(1-percentile), logarithmic, to 99.99 %; y is nanoseconds, logarithmic; a line
/// a stage.
#[must_use]
pub fn percentile_plot(latency: &StageLatency, title: &str) -> String {
    let axis = Axis::over(latency);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"30\" font-size=\"18\" fill=\"#111111\">{}</text>\n",
        escaped(title)
    );
    grid(&mut svg, &axis);
    for (row, stage) in (0u32..).zip(Stage::ALL) {
        let histogram = latency.histogram(stage);
        if !histogram.is_empty() {
            line(&mut svg, &axis, stage, histogram);
        }
        legend(&mut svg, row, stage, histogram);
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, axis: &Axis) {
    for (quantile, label) in TICKS {
        let x = x(quantile);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{BOTTOM}\" stroke=\"#cccccc\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#333333\">{label}</text>",
            BOTTOM + 20.0,
        );
    }
    for decade in axis.first..=axis.last {
        let value_ns = 10u64.pow(decade.unsigned_abs());
        let y = axis.y(value_ns);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" stroke=\"#cccccc\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#333333\">{}</text>",
            LEFT - 8.0,
            y + 4.5,
            duration_text(value_ns),
        );
        if decade == axis.last {
            break;
        }
        for minor in 2..10 {
            let y = axis.y(minor * value_ns);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" \
                 stroke=\"#eeeeee\"/>"
            );
        }
    }
    let _ = writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\" fill=\"none\" \
         stroke=\"#888888\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#333333\">percentile of orders\
         </text>",
        RIGHT - LEFT,
        BOTTOM - TOP,
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 46.0,
    );
}

/// A staircase has as many points as it has steps: the line ends where the last sample stands
/// alone.
fn line(svg: &mut String, axis: &Axis, stage: Stage, histogram: &Histogram<u64>) {
    let end = (histogram.len() as f64).log10().min(LAST_DECADE);
    let width = if stage == Stage::Internal { 3.0 } else { 2.0 };
    let mut points = String::new();
    let mut last = (0.0, 0.0);
    for step in 0..=STEPS {
        let decades = end * f64::from(step) / f64::from(STEPS);
        let quantile = 1.0 - 10f64.powf(-decades);
        last = (x(quantile), axis.y(histogram.value_at_quantile(quantile)));
        let _ = write!(points, "{:.1},{:.1} ", last.0, last.1);
        if end == 0.0 {
            break;
        }
    }
    let colour = colour(stage);
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" \
         stroke-linejoin=\"round\" points=\"{}\"/>\
         <circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>",
        points.trim_end(),
        last.0,
        last.1,
    );
}

fn legend(svg: &mut String, row: u32, stage: Stage, histogram: &Histogram<u64>) {
    let top = TOP + 8.0 + 58.0 * f64::from(row);
    let left = RIGHT + 20.0;
    let figures = if histogram.is_empty() {
        ["no samples".to_owned(), String::new()]
    } else {
        let at = |quantile| duration_text(histogram.value_at_quantile(quantile));
        [
            format!("p50 {}, p99 {}", at(0.5), at(0.99)),
            format!(
                "max {}, n {}",
                duration_text(histogram.max()),
                histogram.len()
            ),
        ]
    };
    let _ = writeln!(
        svg,
        "<line x1=\"{left}\" y1=\"{top}\" x2=\"{}\" y2=\"{top}\" stroke=\"{}\" \
         stroke-width=\"3\"/>\
         <text x=\"{}\" y=\"{}\" fill=\"#111111\">{}</text>\
         <text x=\"{left}\" y=\"{}\" font-size=\"11\" fill=\"#444444\">{}</text>\
         <text x=\"{left}\" y=\"{}\" font-size=\"11\" fill=\"#444444\">{}</text>",
        left + 24.0,
        colour(stage),
        left + 32.0,
        top + 4.5,
        stage.as_str(),
        top + 20.0,
        figures[0],
        top + 34.0,
        figures[1],
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_in_their_own_unit() {
        for (value, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1 us"),
            (1_234, "1.23 us"),
            (10_000, "10 us"),
            (100_000, "100 us"),
            (2_500_000, "2.5 ms"),
            (1_000_000_000, "1 s"),
        ] {
            assert_eq!(duration_text(value), text);
        }
    }

    #[test]
    fn every_stage_with_samples_has_a_line_inside_the_frame() {
        let mut latency = StageLatency::new();
        for n in 0..20_000u64 {
            latency.record(Stage::Internal, 300 + n % 977);
            latency.record(Stage::Ack, 40_000 + n * n / 100);
        }
        latency.record(Stage::Fill, 77);
        let svg = percentile_plot(&latency, "a < b & c");
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert_eq!(svg.matches("no samples").count(), 4);
        assert!(svg.contains("a &lt; b &amp; c"));
        for points in svg.split("points=\"").skip(1) {
            let points = points.split('"').next().expect("an end");
            let mut before = (0.0, HEIGHT);
            for point in points.split(' ') {
                let (x, y) = point.split_once(',').expect("a pair");
                let (x, y): (f64, f64) = (x.parse().expect("x"), y.parse().expect("y"));
                assert!((LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y));
                assert!(x >= before.0 && y <= before.1, "percentiles rise");
                before = (x, y);
            }
        }
    }
}
