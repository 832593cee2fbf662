//! Counting by callgrind, and what was counted before.
//!
//! Runs on: the test runner.
//! Owns: the command line of valgrind, the reading of what it wrote, and the file of recorded counts.
//! Never: compares counts of different compilers or build flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much more than on record is too much.
const GROWTH: f64 = 1.02;
/// How much less is worth a new record.
const SHRINKAGE: f64 = 0.95;

/// Instructions an order.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// All of them.
    pub total: f64,
    /// Within the polls of RISK, ORDER and GATEWAY, where they are polled.
    pub agents: [f64; 3],
}

/// What in a function's name tells the polls of the agents.
const POLLS: [&str; 3] = ["RiskAgent", "FastExecutionPath", "GatewayAgent"];

/// Says that nothing was looked at; a failure where CI is set.
pub fn may_skip(why: &str) {
    let must = std::env::var_os("CI").is_some();
    assert!(!must, "valgrind is needed where CI is set: {why}");
    eprintln!("not looked at: {why}");
}

/// Runs this binary's test `driver` under callgrind.
pub fn count(driver: &str, workload: &str, orders: usize) -> Result<Counts, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = dir.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured_orders*"])
        .arg("--compress-strings=no")
        .arg("--compress-pos=no")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(this)
        .args(["--exact", driver, "--test-threads=1"])
        .env("SHRIKE_WORKLOAD", workload)
        .output()
        .map_err(|error| format!("valgrind does not run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{workload}: {said}{printed}");
    let text = std::fs::read_to_string(&out).map_err(|error| error.to_string())?;
    let per_order = |count: u64| count as f64 / orders as f64;
    let total = total(&text).ok_or("callgrind wrote no total")?;
    assert!(total > 0, "nothing was collected: {said}");
    Ok(Counts {
        total: per_order(total),
        agents: POLLS.map(|poll| per_order(inclusive(&text, poll))),
    })
}

fn total(text: &str) -> Option<u64> {
    let lines = text.lines();
    let mut totals = lines.filter_map(|line| line.strip_prefix("totals: "));
    totals.next()?.trim().parse().ok()
}

/// Instructions of every call to the `poll` of the agent whose type is called `part`, calls from there included.
fn inclusive(text: &str, part: &str) -> u64 {
    let (mut is_wanted, mut is_cost, mut sum) = (false, false, 0);
    for line in text.lines() {
        if let Some(callee) = line.strip_prefix("cfn=") {
            is_wanted = [part, "::Agent", "poll"]
                .iter()
                .all(|word| callee.contains(word));
        } else if line.starts_with("calls=") {
            is_cost = is_wanted;
        } else if std::mem::take(&mut is_cost) {
            // Position and inclusive cost of the call.
            let cost = line
                .split(' ')
                .nth(1)
                .and_then(|cost| cost.parse::<u64>().ok());
            sum += cost.unwrap_or_default();
        }
    }
    sum
}

fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned));
    line.unwrap_or_else(|| format!("unknown {program}"))
}

/// What counts depend on beside the code: the compiler, its flags, and the C library, which copies memory.
fn build() -> String {
    format!(
        "{}, {}, lto {}, {} units, {}",
        first_line("rustc", "--version"),
        first_line("getconf", "GNU_LIBC_VERSION"),
        option_env!("CARGO_PROFILE_RELEASE_LTO").unwrap_or("of the profile"),
        option_env!("CARGO_PROFILE_RELEASE_CODEGEN_UNITS").unwrap_or("profile's"),
        std::env::consts::ARCH,
    )
}

type Table = BTreeMap<String, BTreeMap<String, i64>>;

/// Instructions an order by build and name.
pub struct Baseline {
    file: PathBuf,
    table: Table,
}

impl Baseline {
    pub fn open() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let table = toml::from_str(&text).expect("benches/instructions.toml");
        Self { file, table }
    }

    /// Fails where a count is more than 2 % above the recorded one of the same build.
    pub fn check(mut self, now: &BTreeMap<&str, f64>) {
        let build = build();
        if std::env::var_os("SHRIKE_RECORD").is_some() {
            let rounded = now
                .iter()
                .map(|(name, count)| ((*name).to_owned(), count.round() as i64));
            self.table.insert(build, rounded.collect());
            return self.save();
        }
        let Some(recorded) = self.table.get(&build) else {
            println!("no counts on record for {build}: {now:?}");
            return;
        };
        let mut grown = Vec::new();
        for (name, count) in now {
            let Some(&before) = recorded.get(*name) else {
                grown.push(format!("{name}: {count:.0}, not on record"));
                continue;
            };
            let ratio = count / before as f64;
            println!("{name}: {count:.0} instructions an order, {before} on record ({ratio:.3})");
            if ratio > GROWTH {
                grown.push(format!("{name}: {count:.0}, {before} on record"));
            } else if ratio < SHRINKAGE {
                println!("{name} became cheaper: put it on record");
            }
        }
        assert!(grown.is_empty(), "more than 2 % above record: {grown:#?}");
    }

    fn save(&self) {
        let mut text = String::from(
            "# Instructions an order by compiler, build flags and part, as tests/quiet_instructions.rs counts \
                    them.\n# To record anew: SHRIKE_RECORD=1 and that test, built as scripts/test builds it.\n",
        );
        for (build, counts) in &self.table {
            text += &format!("\n[\"{build}\"]\n");
            for (name, count) in counts {
                text += &format!("{name} = {count}\n");
            }
        }
        std::fs::write(&self.file, text).expect("the record is written");
    }
}

#[test]
fn a_callgrind_file_is_read() {
    let text = "fn=a\n1 5\ncfn=<x::RiskAgent as y::Agent>::poll\ncalls=3 0\n2 70\n3 1\n\
                cfn=other\ncalls=1 0\n4 9\ntotals: 85\n";
    assert_eq!(total(text), Some(85));
    assert_eq!(inclusive(text, POLLS[0]), 70);
    assert_eq!(inclusive(text, POLLS[1]), 0);
}
