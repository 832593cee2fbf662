//! What was measured, as a table with its goals, and as `.hgrm` files.
//!
//! Runs on: the client's thread, after a run.
//! Owns: the goals.
//! Never: rounds a figure into its goal.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use super::hgrm::percentile_distribution;
use super::trials::{Figure, Outcome, Run};
use super::{FLOOR, HYPER, OURS, Scenario};

/// What a figure should be.
enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Only said.
    None,
}

/// Prints the machine: ratios travel, absolutes do not.
pub fn head() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find(|line| line.starts_with("model name"));
    let cpu = cpu.and_then(|line| line.split_once(": "));
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let governor = match governor.trim() {
        "" => "unknown",
        governor => governor,
    };
    format!(
        "machine   {}, {} cores\nkernel    {}\ngovernor  {governor}\nload      {}",
        cpu.map_or("unknown", |(_, model)| model),
        std::thread::available_parallelism().map_or(1, usize::from),
        read("/proc/sys/kernel/osrelease").trim(),
        load(),
    )
}

/// Load averages of 1, 5 and 15 minutes.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    words.join(" ")
}

/// The table of a run.
pub fn table(scenario: &Scenario, field: &str, run: &Run) -> String {
    let mut text = format!(
        "\n{}, {field}: {} of {} trials count\n{:26} {:>9} {:>6} {:>9} {:>9} {:>9}   {:>9} {:>6} {:>9} {:>7}\n",
        scenario.name,
        run.kept,
        run.trials,
        "",
        "best p50",
        "floor",
        "p50",
        "p99",
        "p99.9",
        "one-way",
        "floor",
        "p99",
        "heap"
    );
    for outcome in &run.outcomes {
        let (trip, way) = (&outcome.round_trip, &outcome.one_way);
        let at = |all: &hdrhistogram::Histogram<u64>, quantile| us(all.value_at_quantile(quantile));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:26} {:>9} {:>6.2} {:>9} {:>9} {:>9}   {:>9} {:>6.2} {:>9} {:>7.2}",
            outcome.name,
            us(u64::from(trip.best_p50)),
            round_trip_ratio(run, outcome),
            at(&trip.all, 0.5),
            at(&trip.all, 0.99),
            at(&trip.all, 0.999),
            us(u64::from(way.best_p50)),
            one_way_ratio(run, outcome),
            at(&way.all, 0.99),
            outcome.heap_calls,
        );
    }
    text
}

fn us(ns: u64) -> String {
    format!("{:.2} us", ns as f64 / 1e3)
}

fn ratio(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole)
}

fn round_trip_ratio(run: &Run, outcome: &Outcome) -> f64 {
    let floor = run.of(FLOOR).map_or(0, |floor| floor.round_trip.best_p50);
    ratio(outcome.round_trip.best_p50, floor)
}

fn one_way_ratio(run: &Run, outcome: &Outcome) -> f64 {
    let floor = run.of(FLOOR).map_or(0, |floor| floor.one_way.best_p50);
    ratio(outcome.one_way.best_p50, floor)
}

/// The goals of a run, a line each; none where Shrike's client did not run. They are about the best p50s; the ratio of
/// the p50s of all exchanges stands behind, where it is another: in that, a client that sleeps has its usual wake-up.
pub fn goals(scenario: &Scenario, run: &Run) -> String {
    let (Some(ours), Some(floor)) = (run.of(OURS), run.of(FLOOR)) else {
        return String::new();
    };
    let p50 = |figure: &Figure| figure.all.value_at_quantile(0.5) as f64;
    let heap_calls = ours.heap_calls - floor.heap_calls;
    let mut all = vec![(
        "heap calls above the floor's",
        heap_calls,
        None,
        Goal::AtMost(0.0),
    )];
    if scenario.is_busy {
        let most = if scenario.tls { 1.3 } else { 1.15 };
        all.push((
            "round trip to the floor",
            round_trip_ratio(run, ours),
            Some(p50(&ours.round_trip) / p50(&floor.round_trip)),
            Goal::AtMost(most),
        ));
        all.push((
            "one way to the floor",
            one_way_ratio(run, ours),
            Some(p50(&ours.one_way) / p50(&floor.one_way)),
            Goal::AtMost(1.2),
        ));
        if let Some(hyper) = run.of(HYPER) {
            all.push((
                "times faster than hyper",
                ratio(hyper.round_trip.best_p50, ours.round_trip.best_p50),
                Some(p50(&hyper.round_trip) / p50(&ours.round_trip)),
                Goal::AtLeast(3.0),
            ));
            all.push((
                "  the floor itself is",
                ratio(hyper.round_trip.best_p50, floor.round_trip.best_p50),
                Some(p50(&hyper.round_trip) / p50(&floor.round_trip)),
                Goal::None,
            ));
        }
    }
    let mut text = String::new();
    for (name, value, of_all, goal) in all {
        let of_all = of_all.map_or_else(String::new, |value| format!("  (of all: {value:.3})"));
        let (sign, limit, met) = match goal {
            Goal::AtMost(limit) => ("<=", limit, value <= limit),
            Goal::AtLeast(limit) => (">=", limit, value >= limit),
            Goal::None => {
                let _ = writeln!(text, "  {name:30} {value:6.3}{of_all}");
                continue;
            }
        };
        let verdict = match (run.is_conclusive(), met) {
            (false, _) => "inconclusive",
            (true, true) => "met",
            (true, false) => "MISSED",
        };
        let _ = writeln!(
            text,
            "  {name:30} {value:6.3}  goal {sign} {limit:4}  {verdict}{of_all}"
        );
    }
    text
}

/// Writes two histograms for each client of a run into `dir`.
pub fn write(dir: &Path, scenario: &Scenario, field: &str, run: &Run) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for outcome in &run.outcomes {
        let field = field.replace(' ', "-");
        let client = outcome.name.replace(' ', "-");
        for (what, figure) in [
            ("round-trip", &outcome.round_trip),
            ("one-way", &outcome.one_way),
        ] {
            let file = dir.join(format!("{}.{field}.{client}.{what}.hgrm", scenario.name));
            fs::write(file, percentile_distribution(&figure.all))?;
        }
    }
    Ok(())
}
