//! What was measured, as text, as JSON and as files.
//!
//! Runs on: the main thread.
//! Owns: figures with their goals, and the words for a goal that is met, missed or not decided.
//! Never: rounds a figure into its goal.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::machine::Machine;
use super::trials::Best;
use crate::cold::{StageLatency, files};

/// What a figure should be.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub value: f64,
    /// The bare twin's figure in the same trials.
    pub twin: Option<f64>,
    pub p99: Option<f64>,
    pub goal: Option<Goal>,
    /// Absent without a goal, or while the trials do not decide.
    pub met: Option<bool>,
    pub conclusive: bool,
    pub trials_kept: usize,
    pub trials: usize,
}

impl Figure {
    /// The figure of that index of the trials that count.
    pub fn new(name: impl Into<String>, unit: &'static str, best: &Best, index: usize) -> Self {
        Self {
            trials_kept: best.kept,
            trials: best.trials,
            twin: Some(best.twin_ns),
            ..Self::derived(name, unit, best.figures_ns[index], best.is_conclusive())
        }
    }

    /// One that follows from others.
    pub fn derived(
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        conclusive: bool,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            value,
            twin: None,
            p99: None,
            goal: None,
            met: None,
            conclusive,
            trials_kept: 0,
            trials: 0,
        }
    }

    #[must_use]
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self.met = self.conclusive.then(|| goal.is_met(self.value));
        self
    }

    fn verdict(&self) -> &'static str {
        match (self.conclusive, self.met) {
            (false, _) => "inconclusive",
            (true, None) => "",
            (true, Some(true)) => "met",
            (true, Some(false)) => "MISSED",
        }
    }
}

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub machine: Machine,
    pub load_at_end: String,
    pub layout: String,
    pub figures: Vec<Figure>,
    /// What was not measured, and why.
    pub notes: Vec<String>,
    /// Wrong answers: the run failed.
    pub failures: Vec<String>,
    /// Stages of the orders that were measured.
    #[serde(skip)]
    pub latency: StageLatency,
}

fn shown(value: f64, unit: &str) -> String {
    match unit {
        "ns" if value >= 10_000.0 => format!("{:.1} us", value / 1e3),
        "ns" => format!("{value:.0} ns"),
        "orders/s" | "rows/s" | "bytes/s" if value >= 1e6 => format!("{:.2} M{unit}", value / 1e6),
        "orders/s" | "rows/s" | "bytes/s" if value >= 1e3 => format!("{:.0} k{unit}", value / 1e3),
        "x" | "%" => format!("{value:.2} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

impl Report {
    /// The head: printed before anything is measured.
    pub fn head(machine: &Machine, layout: &str) -> String {
        format!(
            "machine   {}, {} usable cores\nkernel    {}\ngovernor  {}\nload      {}\nlayout    {layout}",
            machine.processor, machine.usable_cores, machine.kernel, machine.governor, machine.load
        )
    }

    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["measured", "p50", "p99", "bare twin", "goal", "", "trials"]);
        for figure in &self.figures {
            let part = |value: Option<f64>| value.map(|v| shown(v, "ns")).unwrap_or_default();
            let goal = match figure.goal {
                Some(Goal::AtMost(limit)) => format!("<= {}", shown(limit, figure.unit)),
                Some(Goal::AtLeast(limit)) => format!(">= {}", shown(limit, figure.unit)),
                None => String::new(),
            };
            let trials = match figure.trials {
                0 => String::new(),
                trials => format!("{}/{trials}", figure.trials_kept),
            };
            table.add_row([
                figure.name.clone(),
                shown(figure.value, figure.unit),
                part(figure.p99),
                part(figure.twin),
                goal,
                figure.verdict().to_owned(),
                trials,
            ]);
        }
        for column in [1, 2, 3, 4] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = table.to_string();
        for note in &self.notes {
            text.push_str(&format!("\nnote: {note}"));
        }
        text
    }

    pub fn is_conclusive(&self) -> bool {
        self.figures.iter().all(|figure| figure.conclusive)
    }

    /// `bench.json`, the `.hgrm` files and the plot.
    pub fn write(&self, dir: &Path) -> Result<(), String> {
        let title = format!("Shrike latency by stage, layout {}", self.layout);
        files::write_latency(dir, &self.latency, &title).map_err(|error| error.to_string())?;
        let mut json = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        json.push(b'\n');
        files::write_atomically(&dir.join("bench.json"), &json).map_err(|error| error.to_string())
    }
}
