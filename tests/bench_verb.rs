//! `shrike bench`: what it prints and writes, and that its runs end in the right state.
//!
//! Runs on: the test runner; the binary as a user calls it.
//! Owns: the exit codes, the JSON object and the files of a quick run.
//! Never: judges a figure: that is the bench's own business, on a quiet machine.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shrike"))
        .arg("bench")
        .args(arguments)
        .output()
        .expect("the binary runs")
}

/// Done, or too busy to decide; never a wrong final state.
fn assert_ran(output: &Output) {
    let code = output.status.code();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(code, Some(0 | 5)), "{code:?}: {said}");
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_quick_run_prints_one_object_and_writes_its_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("out");
    let path = out.to_str().expect("text");
    let output = bench(&[
        "--quick",
        "--json",
        "--only",
        "simulator",
        "--only",
        "invoker",
        "--out",
        path,
    ]);
    assert_ran(&output);
    let printed: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let written: Value = serde_json::from_str(&read(&out, "bench.json")).expect("the same");
    assert_eq!(printed, written);
    assert_eq!(printed["failures"], Value::Array(Vec::new()));
    for key in ["processor", "kernel", "governor", "load"] {
        assert!(printed["machine"][key].is_string(), "{key}");
    }
    let figures = printed["figures"].as_array().expect("figures");
    let names: Vec<&str> = figures
        .iter()
        .filter_map(|figure| figure["name"].as_str())
        .collect();
    for wanted in [
        "invoker: signal to encoded, journaled",
        "invoker: submit to fill report",
        "simulator alone: submit to fill, 100000 open orders",
    ] {
        assert!(names.contains(&wanted), "{wanted} in {names:?}");
    }
    for figure in figures {
        assert!(
            figure["value"].as_f64().is_some_and(f64::is_finite),
            "{figure}"
        );
        let is_decided = figure["met"].is_boolean();
        let is_asked = figure["conclusive"] == true && !figure["goal"].is_null();
        assert_eq!(is_decided, is_asked, "{figure}");
    }
    let inconclusive = figures.iter().any(|figure| figure["conclusive"] == false);
    assert_eq!(output.status.code() == Some(5), inconclusive);
    assert!(read(&out, "latency.svg").starts_with("<svg"));
    assert!(read(&out, "latency-internal.hgrm").contains("#[Max"));
}

#[test]
fn an_order_of_the_layout_with_a_hot_thread_is_right_at_the_end() {
    let output = bench(&["--quick", "--json", "--only", "shared-hot"]);
    assert_ran(&output);
    let printed: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let notes = printed["notes"].to_string();
    let measured = notes.contains("final state right");
    assert!(
        measured || notes.contains("not measured: 1 cores"),
        "{notes}"
    );
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let path = file.join("below");
    let output = bench(&[
        "--quick",
        "--only",
        "replay",
        "--out",
        path.to_str().expect("text"),
    ]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("file"), "{said}");
}
