//! `shrike bench`: what the hot path costs on this machine.
//!
//! Runs on: the main thread; each measurement says which threads it uses.
//! Owns: the order of measurements, the exit code, and the words about what could not be measured.
//! Never: gives a figure of a run whose final state was wrong, or calls noise a result.
//!
//! Every latency is taken in trials shorter than a scheduler's slice, beside a bare twin in the same trial: rings of
//! the same messages between the same threads that carry no work. The best median of the trials whose twin was not
//! slow holds. Every run ends with a look at orders, positions, cash and journal: a fast wrong answer is a failure.

mod gate;
mod machine;
mod orders;
mod path;
mod replay;
mod report;
mod rig;
mod simulator;
mod throughput;
mod trials;
mod twin;

use std::path::PathBuf;
use std::time::Duration;

use self::machine::Machine;
use self::path::Measured;
use self::report::{Figure, Report};
use self::rig::Failure;
use self::trials::TRIALS;
use super::{FAILED, USAGE, say};
use crate::cold::StageLatency;
use crate::runtime::{Layout, usable_cores};

/// Exit code: the machine was too busy to decide.
const INCONCLUSIVE: u8 = 5;
/// Cores that the layout with a thread an agent needs.
const DEDICATED_CORES: usize = 4;

/// Arguments of `shrike bench`.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArguments {
    /// Write bench.json, .hgrm files and a percentile plot to this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Fewer trials: a look, not a measurement to quote.
    #[arg(long)]
    quick: bool,
    /// Measure this only; may be given several times.
    #[arg(long, value_name = "PART", value_enum)]
    only: Vec<Part>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Part {
    Gate,
    Invoker,
    SharedHot,
    Dedicated,
    Simulator,
    Batches,
    Bursts,
    Sustained,
    Replay,
}

impl Part {
    const ALL: [Self; 9] = [
        Self::Gate,
        Self::Invoker,
        Self::SharedHot,
        Self::Dedicated,
        Self::Simulator,
        Self::Batches,
        Self::Bursts,
        Self::Sustained,
        Self::Replay,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Gate => "risk gate",
            Self::Invoker => "invoker",
            Self::SharedHot => "shared_hot",
            Self::Dedicated => "dedicated",
            Self::Simulator => "simulator",
            Self::Batches => "batches",
            Self::Bursts => "bursts",
            Self::Sustained => "sustained throughput",
            Self::Replay => "replay",
        }
    }
}

pub(super) fn bench(arguments: &BenchArguments) -> u8 {
    let machine = Machine::here();
    let layout = if machine.usable_cores >= 2 {
        "shared_hot"
    } else {
        "invoker"
    };
    if !arguments.json {
        say(&Report::head(&machine, layout));
    }
    let mut report = Report {
        machine,
        load_at_end: String::new(),
        layout: layout.to_owned(),
        figures: Vec::new(),
        notes: Vec::new(),
        failures: Vec::new(),
        latency: StageLatency::new(),
    };
    let wanted = |part: &Part| arguments.only.is_empty() || arguments.only.contains(part);
    for part in Part::ALL.into_iter().filter(wanted) {
        if let Err(failure) = measure(part, arguments.quick, &mut report) {
            report.failures.push(format!("{}: {failure}", part.name()));
        }
    }
    report.load_at_end = machine::load();
    finish(arguments, &report)
}

fn finish(arguments: &BenchArguments, report: &Report) -> u8 {
    if arguments.json {
        match serde_json::to_string(report) {
            Ok(text) => say(&text),
            Err(error) => eprintln!("error: {error}"),
        }
    } else {
        say(&report.table());
        say(&format!("load      {} at the end", report.load_at_end));
    }
    for failure in &report.failures {
        eprintln!("error: {failure}");
    }
    if let Some(dir) = &arguments.out
        && let Err(error) = report.write(dir)
    {
        eprintln!("error: {error}");
        return USAGE;
    }
    if !report.failures.is_empty() {
        FAILED
    } else if report.is_conclusive() {
        0
    } else {
        eprintln!("inconclusive: the machine is too busy; too few trials are left");
        INCONCLUSIVE
    }
}

fn measure(part: Part, quick: bool, report: &mut Report) -> Result<(), Failure> {
    let trials = if quick { TRIALS } else { 5 * TRIALS };
    let cores = usable_cores().map_or(1, |cores| cores.count());
    let needed = match part {
        Part::SharedHot | Part::Bursts | Part::Sustained => 2,
        Part::Dedicated => DEDICATED_CORES,
        _ => 1,
    };
    if cores < needed {
        let name = part.name();
        let note = format!("{name}: not measured: {cores} cores, {needed} needed");
        report.notes.push(note);
        return Ok(());
    }
    match part {
        Part::Gate => report.figures.extend(gate::measure(trials)?),
        Part::Invoker => {
            let measured = path::invoker(trials)?;
            take(report, &measured, "invoker", 0);
        }
        Part::SharedHot => {
            for open in [0, 100_000] {
                let measured = path::threads(Layout::SharedHot, trials, open)?;
                take(report, &measured, "shared_hot", open);
            }
        }
        Part::Dedicated => {
            let measured = path::threads(Layout::Dedicated, trials, 0)?;
            take(report, &measured, "dedicated", 0);
        }
        Part::Simulator => report.figures.extend(simulator::measure(trials)?),
        Part::Batches => report.figures.push(throughput::batches(trials)?),
        Part::Bursts => {
            let rates = throughput::bursts(if quick { 3 } else { TRIALS })?;
            report.figures.extend(rates.figures);
            report.notes.extend(rates.notes);
        }
        Part::Sustained => {
            let seconds = if quick { 1 } else { 4 };
            let rates = throughput::sustained(Duration::from_secs(seconds))?;
            report.figures.extend(rates.figures);
            report.notes.extend(rates.notes);
        }
        Part::Replay => report.figures.push(replay::measure(quick)?),
    }
    Ok(())
}

/// Takes the lines of a layout; the plot shows the layout that this machine would run.
fn take(report: &mut Report, measured: &Measured, layout: &str, open: usize) {
    let figures: Vec<Figure> = measured.figures(layout, open);
    report.figures.extend(figures);
    report.notes.push(format!(
        "{layout}, {open} open orders: final state right, {} journal records",
        measured.records
    ));
    if layout == report.layout && open == 0 {
        report.latency = measured.latency.clone();
    }
}
