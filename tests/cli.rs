//! What the command line says and how it ends: good runs, and every kind of bad input.
//!
//! Runs on: tests; the binary as a user runs it.
//! Owns: exit codes (0 done, 1 failed, 2 usage or configuration) and the words that a user needs: file, line, value.
//! Never: checks a whole text where a part of it is what matters.

mod common;

use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use common::{Place, Table, expect_code, lean_data, session};
use rustix::process::Signal;

/// Runs `config` and expects an exit code and words.
fn fails(place: &Place, config: &str, code: i32, words: &[&str]) -> String {
    let file = place.file("config.toml", config);
    let printed = expect_code(place.run(&file, &["--for", "5s"]), code);
    contains(&printed, words);
    assert!(!printed.contains("panicked"), "{printed}");
    printed
}

fn contains(printed: &str, words: &[&str]) {
    for word in words {
        assert!(printed.contains(word), "no {word:?} in:\n{printed}");
    }
}

/// A configuration of a quick start, with more lines.
fn quick(state: &Path, rest: &str) -> String {
    format!(
        "[state]\ndir = {:?}\n[journal]\nsegment_size = \"256KiB\"\n{rest}\n",
        state.to_str().expect("text")
    )
}

const DEMO: &str = r#"
[market]
source = "synthetic"
symbols = ["AAPL", "MSFT"]
[risk_management]
order_rate = 100000
[[algorithm]]
name = "demo"
parameters = { interval = "2ms", quantity = 10 }
"#;

#[test]
fn a_run_without_a_file_trades_both_sides_and_reconciles() {
    let place = Place::new();
    let report = place.at("report");
    let report_text = report.to_str().expect("text");
    let printed = expect_code(
        place.shrike(&["run", "--for", "10s", "--report", report_text]),
        0,
    );
    contains(
        &printed,
        &["paper: reconciled", "boot epoch 1", "    1s  orders "],
    );
    let lines = printed
        .lines()
        .filter(|line| line.contains("s  orders "))
        .count();
    assert!((5..=10).contains(&lines), "a line a second: {printed}");
    let session = session(&report);
    assert!(session["fills"]["buys"].as_u64() > Some(0), "{printed}");
    assert!(session["fills"]["sells"].as_u64() > Some(0), "{printed}");
    for stage in ["risk", "order", "encode", "wire", "internal", "ack", "fill"] {
        let figures = &session["latency_ns"][stage];
        assert!(figures["count"].as_u64() > Some(0), "{stage}: {printed}");
        assert!(
            figures["p50"].as_u64() <= figures["max"].as_u64(),
            "{stage}"
        );
        let curve = std::fs::read_to_string(report.join(format!("latency-{stage}.hgrm")));
        contains(&curve.expect("written"), &["Value", "Percentile", "#[Mean"]);
    }
    let orders = Table::read(&report.join("orders.csv"));
    assert_eq!(session["orders"]["submitted"], orders.rows().len());
    let fills = Table::read(&report.join("fills.csv"));
    assert_eq!(session["fills"]["count"], fills.rows().len());
    assert_eq!(session["market"]["bad_rows"], 0);
    assert!(session["market"]["rows"].as_u64() > Some(0));
    let plot = std::fs::read_to_string(report.join("latency.svg")).expect("written");
    assert!(
        plot.starts_with("<svg") || plot.starts_with("<?xml"),
        "a plot"
    );
}

#[test]
fn json_is_exactly_one_object() {
    let place = Place::new();
    let output = place
        .shrike(&["run", "--for", "300ms", "--json"])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", common::printed(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(report["trading_mode"], "paper");
    assert_eq!(report["reconciliation"][0]["equal"], true);
    let bad = place.file("bad.toml", "sede = 1\n");
    let bad = bad.to_str().expect("text");
    for (file, ok) in [(bad, false), ("config/paper.toml", true)] {
        let output = place
            .shrike(&["check", "-c", file, "--json"])
            .output()
            .expect("it runs");
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!(output.status.success(), ok, "{found}");
        assert!(found.is_object() || found.is_array(), "{found}");
    }
}

#[test]
fn help_version_check_and_wrong_words() {
    let place = Place::new();
    let help = expect_code(place.shrike(&["--help"]), 0);
    contains(&help, &["run", "check", "journal", "Usage"]);
    contains(
        &expect_code(place.shrike(&["run", "--help"]), 0),
        &["--resume", "--live", "--for"],
    );
    let version = expect_code(place.shrike(&["--version"]), 0);
    assert_eq!(
        version.trim(),
        format!("shrike {}", env!("CARGO_PKG_VERSION"))
    );
    contains(
        &expect_code(place.shrike(&["frobnicate"]), 2),
        &["frobnicate", "Usage"],
    );
    contains(
        &expect_code(place.shrike(&["run", "--for", "5x"]), 2),
        &["5x", "500ms"],
    );
    for file in ["config/paper.toml", "config/reference.toml"] {
        let printed = expect_code(place.shrike(&["check", "-c", file]), 0);
        contains(&printed, &[file, "no errors"]);
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let place = Place::new();
    let missing = place.at("missing.toml");
    let missing_text = missing.to_str().expect("text");
    for verb in ["run", "check"] {
        let printed = expect_code(place.shrike(&[verb, "-c", missing_text]), 2);
        contains(&printed, &[missing_text, "No such file"]);
    }
    let printed = expect_code(place.run(place.path(), &[]), 2);
    contains(&printed, &[place.path().to_str().expect("text")]);
    fails(
        &place,
        "[market\nsource = ",
        2,
        &["config.toml:1:8", "unclosed table", "^"],
    );
    let file = place.file("config.toml", b"seed = \xff\xfe\n");
    contains(
        &expect_code(place.run(&file, &[]), 2),
        &["config.toml", "UTF-8"],
    );
    let file = place.file("config.toml", "");
    std::fs::remove_file(&file).expect("written");
    std::os::unix::fs::symlink("/dev/full", &file).expect("writable");
    expect_code(place.run(&file, &["--for", "1s"]), 2);
}

#[test]
fn every_wrong_key_is_shown_with_line_caret_and_help() {
    let place = Place::new();
    let printed = fails(
        &place,
        "sede = 1\nseed = \"x\"\n[brokers.alpaca]\nenabled = true\n[market]\nsource = \"csv\"\n",
        2,
        &[
            "config.toml:1:1",
            "unknown key `sede`",
            "did you mean `seed`?",
            "^^^^",
            "config.toml:2:8",
            "found the string \"x\"",
            "config.toml:3:1",
            "kind alpaca is not built in this version",
            "`market.path` is missing",
            "configuration errors",
        ],
    );
    assert!(!printed.contains("error: error"), "{printed}");
    fails(
        &place,
        "execution_mode = \"manual\"\n",
        2,
        &["config.toml:1:18", "not built"],
    );
    fails(
        &place,
        "[risk_management]\nmax_gross_exposure = 1\n",
        2,
        &[
            "config.toml:2:1",
            "not built",
            "refused rather than ignored",
        ],
    );
    fails(
        &place,
        "[[algorithm]]\nname = \"demmo\"\n",
        2,
        &[
            "no algorithm `demmo`",
            "config.toml:2:8",
            "did you mean `demo`?",
            "^^^^^^^",
        ],
    );
    let printed = fails(
        &place,
        "[[algorithm]]\nname = \"demo\"\nparameters = { intervall = \"5ms\" }\n",
        2,
        &[
            "parameters.intervall",
            "config.toml:3:28",
            "did you mean `interval`?",
        ],
    );
    assert_eq!(printed.matches("error: ").count(), 1, "{printed}");
    fails(
        &place,
        "[[algorithm]]\nname = \"demo\"\nparameters = { quantity = -1 }\n",
        2,
        &["parameters.quantity", "config.toml:3", "above 0"],
    );
}

#[test]
fn live_trading_is_refused() {
    let place = Place::new();
    fails(
        &place,
        "trading_mode = \"live\"\n",
        2,
        &["config.toml:1:16", "live", "not built"],
    );
    let both = ["run", "--live"];
    contains(
        &expect_code(place.shrike(&both), 2),
        &["trading_mode = \"live\"", "--live"],
    );
    let paper = place.file("paper.toml", "trading_mode = \"paper\"\n");
    contains(
        &expect_code(place.run(&paper, &["--live"]), 2),
        &["only one of them is given"],
    );
}

#[test]
fn cores_and_layouts_that_the_machine_does_not_have_are_refused() {
    let place = Place::new();
    fails(
        &place,
        "[threads.cores]\nrisk = 999\n",
        2,
        &["core 999 does not exist", "usable: "],
    );
    // However many cores there are: one for each spinning thread is given, and one is there.
    let dedicated = "[threads]\nlayout = \"dedicated\"\nprofile = \"latency\"\n";
    let file = place.file("config.toml", dedicated);
    let mut one_core = std::process::Command::new("taskset");
    one_core.args([
        "-c",
        "0",
        env!("CARGO_BIN_EXE_shrike"),
        "run",
        "--for",
        "1s",
        "-c",
    ]);
    one_core.arg(file).env("XDG_STATE_HOME", place.at("state"));
    let printed = expect_code(one_core, 2);
    contains(
        &printed,
        &[
            "layout dedicated",
            "spinning threads",
            "only 1 core(s)",
            "balanced",
        ],
    );
}

fn lean(path: &Path, rest: &str) -> String {
    format!(
        "[market]\nsource = \"lean\"\nspeed = \"max\"\npath = {:?}\n{rest}\n[[algorithm]]\nname = \"demo\"\n",
        path.to_str().expect("text")
    )
}

#[test]
fn missing_and_broken_market_files_are_named() {
    let place = Place::new();
    let ibm = "symbols = [\"IBM\"]\ndate = \"2013-10-07\"";
    fails(
        &place,
        &lean(&place.at("nowhere"), ibm),
        2,
        &["nowhere", "config.toml:4:8"],
    );
    let day_off = ibm.replace("07", "12");
    let words = [
        "no quote data for 'IBM' on 2013-10-12",
        "2013-10-07, 2013-10-08",
    ];
    fails(&place, &lean(&lean_data(), &day_off), 1, &words);
    let unknown = ibm.replace("IBM", "IBMX");
    fails(
        &place,
        &lean(&lean_data(), &unknown),
        1,
        &["'IBMX'", "symbols there: BAC, IBM"],
    );

    let data = place.at("data");
    std::fs::create_dir(&data).expect("writable");
    let whole = std::fs::read(lean_data().join("ibm_20131007_quote.zip")).expect("data");
    let target = data.join("ibm_20131007_quote.zip");
    std::fs::write(&target, &whole[..whole.len() / 2]).expect("writable");
    fails(&place, &lean(&data, ibm), 1, &["ibm_20131007_quote.zip"]);
    std::fs::write(&target, b"").expect("writable");
    fails(&place, &lean(&data, ibm), 1, &["ibm_20131007_quote.zip"]);

    let file = std::fs::File::create(&target).expect("writable");
    let mut zip = zip::ZipWriter::new(file);
    let options = zip::write::SimpleFileOptions::default();
    for name in ["readme.txt", "other.txt"] {
        zip.start_file(name, options).expect("writable");
        zip.write_all(b"not quotes").expect("writable");
    }
    zip.finish().expect("writable");
    fails(
        &place,
        &lean(&data, ibm),
        1,
        &["ibm_20131007_quote.zip", "member"],
    );
}

/// Quotes of one symbol, `count` of them, a millisecond apart, every `bad`th without a number.
fn quotes(count: u64, bad: u64) -> String {
    let mut text = String::from("time_ns,symbol,bid,bid_size,ask,ask_size\n");
    for row in 1..=count {
        let time = 1_700_000_000_000_000_000 + row * 1_000_000;
        let bid = match row.is_multiple_of(bad) {
            true => "x".to_owned(),
            false => format!("{}.{:02}", 100 + row % 3, row % 100),
        };
        text.push_str(&format!("{time},ACME,{bid},100,{}.05,200\n", 104 + row % 3));
    }
    text
}

fn csv(path: &str, speed: &str) -> String {
    format!(
        "[market]\nsource = \"csv\"\npath = {path:?}\nsymbols = [\"ACME\"]\nspeed = {speed}\n\
         [[algorithm]]\nname = \"demo\"\nparameters = {{ interval = \"20ms\", quantity = 10 }}\n"
    )
}

#[test]
fn bad_rows_are_counted_and_shown_and_too_many_stop_the_run() {
    let place = Place::new();
    place.file("few.csv", quotes(5_000, 200));
    let config = place.file("few.toml", csv("few.csv", "\"max\""));
    let report = place.at("few");
    let printed = expect_code(
        place.run(&config, &["--report", report.to_str().expect("text")]),
        0,
    );
    contains(
        &printed,
        &[
            "5000 rows, 25 of them bad",
            "few.csv:201: ",
            "few.csv:2001: ",
            "bid is not a number",
        ],
    );
    assert!(
        !printed.contains("few.csv:2201: "),
        "the first ten only: {printed}"
    );
    let found = session(&report);
    assert_eq!(found["market"]["rows"], 5_000);
    assert_eq!(found["market"]["bad_rows"], 25);
    assert_eq!(
        found["market"]["first_bad_rows"].as_array().map(Vec::len),
        Some(10)
    );
    assert!(found["fills"]["count"].as_u64() > Some(0), "{printed}");

    place.file("many.csv", quotes(5_000, 50));
    let many = csv("many.csv", "\"max\"");
    let report = place.at("many");
    let config = place.file("many.toml", many);
    let printed = expect_code(
        place.run(&config, &["--report", report.to_str().expect("text")]),
        1,
    );
    contains(
        &printed,
        &["many.csv", "more than 1 %", "line 51", "paper: reconciled"],
    );
    assert!(
        session(&report)["market"]["bad_rows"].as_u64() > Some(1),
        "a report all the same"
    );

    place.file("other.csv", quotes(100, 1_000).replace("ACME", "OTHER"));
    fails(
        &place,
        &csv("other.csv", "\"max\""),
        1,
        &["ACME", "other.csv"],
    );
}

#[test]
fn a_recording_on_real_threads_ends_with_its_data() {
    let place = Place::new();
    // Forty seconds of quotes in less than half a second.
    place.file("short.csv", quotes(40_000, 1_000_000));
    let config = place.file("config.toml", csv("short.csv", "100.0"));
    let report = place.at("report");
    let run = place.run(&config, &["--report", report.to_str().expect("text")]);
    let printed = place.start(run, "printed").expect_end(0);
    contains(&printed, &["paper: reconciled"]);
    let found = session(&report);
    assert_ne!(found["layout"], "invoker", "{printed}");
    assert_eq!(found["market"]["delivered"], 40_000, "{printed}");
    assert!(found["fills"]["count"].as_u64() > Some(0), "{printed}");
}

#[test]
fn a_second_engine_on_a_state_directory_is_refused_and_the_first_unharmed() {
    let place = Place::new();
    let config = place.file("config.toml", quick(&place.at("state"), DEMO));
    let mut first = place.start(place.run(&config, &[]), "first");
    first.await_text("    1s  orders ");
    let printed = expect_code(place.run(&config, &["--for", "1s"]), 1);
    contains(
        &printed,
        &["is in use by another engine (process ", "state"],
    );
    first.signal(Signal::TERM);
    contains(&first.expect_end(0), &["paper: reconciled", "boot epoch 1"]);
    let state = place.at("state");
    expect_code(
        place.shrike(&["journal", "verify", state.to_str().expect("text")]),
        0,
    );
    let printed = expect_code(place.run(&config, &["--for", "100ms"]), 0);
    contains(&printed, &["boot epoch 2"]);
}

#[test]
fn state_and_report_directories_that_cannot_be_used_are_named() {
    let place = Place::new();
    let file = place.file("file", "");
    fails(
        &place,
        &quick(&file.join("below"), ""),
        1,
        &["file/below", "is not a directory"],
    );
    fails(
        &place,
        &quick(&file, ""),
        1,
        &["file", "is not a directory"],
    );
    // Nobody, root included, makes directories there.
    fails(
        &place,
        &quick(Path::new("/proc/shrike-state"), ""),
        1,
        &["/proc/shrike-state"],
    );
    let config = place.file("config.toml", quick(&place.at("state"), DEMO));
    let report = file.join("report");
    let report = report.to_str().expect("text");
    let printed = expect_code(place.run(&config, &["--for", "1s", "--report", report]), 1);
    contains(&printed, &["report directory", report]);
    assert!(
        !printed.contains("boot epoch"),
        "known before anything starts: {printed}"
    );
}

/// Runs a script with the binary as `$SHRIKE`; `None` where this system does not let us.
fn in_own_mounts(place: &Place, script: &str) -> Option<String> {
    let mut probe = std::process::Command::new("unshare");
    probe
        .args(["-rm", "mount", "-t", "tmpfs", "tmpfs"])
        .arg(place.path());
    if !probe.output().is_ok_and(|output| output.status.success()) {
        assert!(
            std::env::var_os("CI").is_none(),
            "unshare -rm with a tmpfs is needed where CI is set"
        );
        println!("not looked at: this system allows no mounts in a namespace of one's own");
        return None;
    }
    let mut shell = std::process::Command::new("unshare");
    shell
        .args(["-rm", "sh", "-c", script])
        .current_dir(place.path())
        .env("SHRIKE", env!("CARGO_BIN_EXE_shrike"));
    let output = shell.output().expect("unshare runs");
    Some(common::printed(&output))
}

#[test]
fn a_disk_that_fills_up_stops_the_run_and_loses_nothing() {
    let place = Place::new();
    let disk = place.at("disk");
    std::fs::create_dir(&disk).expect("writable");
    // Hot segments on the same small disk.
    let config = quick(&disk.join("state"), DEMO).replace(
        "segment_size = \"256KiB\"",
        "segment_size = \"64KiB\"\nsegments = 2\nhot = \"/nonexistent\"",
    );
    place.file("config.toml", config);
    place.file("idle.toml", quick(&disk.join("state"), ""));
    let script = r#"
        mount -t tmpfs -o size=600k tmpfs disk || exit 9
        timeout 60 "$SHRIKE" run -c config.toml > first; echo "first ended with $?"
        cat first
        "$SHRIKE" run -c config.toml --for 1s; echo "second ended with $?"
        mount -o remount,size=32m disk
        "$SHRIKE" run -c idle.toml --for 200ms --report report > third; echo "third ended with $?"
        "$SHRIKE" journal verify disk/state; echo "verify ended with $?"
    "#;
    let Some(printed) = in_own_mounts(&place, script) else {
        return;
    };
    contains(
        &printed,
        &[
            "no space left at",
            "trading stopped",
            "first ended with 1",
            "second ended with 1",
            "third ended with 0",
            "verify ended with 0",
        ],
    );
    // What the failed run said that it had is what the next one found.
    let first = std::fs::read_to_string(place.at("first")).expect("printed");
    let said = first
        .split("· cash ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let recovered = session(&place.at("report"));
    assert_eq!(
        recovered["recovered"]["cash"][0]["cash"].as_str(),
        said,
        "{printed}"
    );
    assert_eq!(recovered["reconciliation"][0]["equal"], true, "{printed}");
}

#[test]
fn a_read_only_disk_and_a_limit_on_files_are_refused_at_start() {
    let place = Place::new();
    let config = place.file("config.toml", quick(&place.at("disk/state"), DEMO));
    let limited = format!(
        "trap '' XFSZ; ulimit -f 8; exec {:?} run -c {:?} --for 1s",
        env!("CARGO_BIN_EXE_shrike"),
        config
    );
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &limited])
        .env("XDG_STATE_HOME", place.at("xdg"));
    contains(&expect_code(shell, 1), &["disk/state", "File too large"]);

    let script = r#"
        mount -t tmpfs -o ro,size=600k tmpfs disk || exit 9
        "$SHRIKE" run -c config.toml --for 1s; echo "it ended with $?"
    "#;
    if let Some(printed) = in_own_mounts(&place, script) {
        contains(
            &printed,
            &["it ended with 1", "Read-only file system", "disk/state"],
        );
    }
}

/// A state directory with a journal of some orders, ended in order.
fn journaled(place: &Place) -> (std::path::PathBuf, std::path::PathBuf, String) {
    let state = place.at("state");
    let config = place.file("config.toml", quick(&state, DEMO));
    expect_code(place.run(&config, &["--for", "700ms"]), 0);
    let mut segments: Vec<_> = std::fs::read_dir(&state)
        .expect("made")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "seg"))
        .collect();
    segments.sort();
    let text = state.to_str().expect("text").to_owned();
    (config, segments.pop().expect("a segment"), text)
}

#[test]
fn a_torn_journal_is_cut_and_said_so() {
    let place = Place::new();
    let (config, segment, state) = journaled(&place);
    let whole = std::fs::metadata(&segment).expect("there").len();
    let file = std::fs::OpenOptions::new()
        .append(true)
        .open(&segment)
        .expect("writable");
    file.set_len(whole - 5).expect("writable");
    let printed = expect_code(place.shrike(&["journal", "verify", &state]), 0);
    contains(&printed, &["torn at the end: ", "sound"]);
    let printed = expect_code(place.run(&config, &["--for", "200ms"]), 0);
    contains(
        &printed,
        &["torn bytes at the end", "boot epoch 2", "paper: reconciled"],
    );
    let printed = expect_code(place.shrike(&["journal", "verify", &state]), 0);
    assert!(!printed.contains("torn"), "it was made whole: {printed}");
}

#[test]
fn a_journal_damaged_in_the_middle_is_refused_with_file_and_offset() {
    let place = Place::new();
    let (config, segment, state) = journaled(&place);
    let mut bytes = std::fs::read(&segment).expect("there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, &bytes).expect("writable");
    let name = segment.file_name().expect("a name").to_str().expect("text");
    for arguments in [["journal", "verify"], ["journal", "dump"]] {
        let mut command = place.shrike(&arguments);
        command.arg(&state);
        contains(
            &expect_code(command, 1),
            &["journal damaged", name, "at byte "],
        );
    }
    let printed = expect_code(place.run(&config, &["--for", "1s"]), 1);
    contains(&printed, &["journal damaged", name, "at byte "]);
    assert_eq!(
        std::fs::read(&segment).expect("there"),
        bytes,
        "nothing was changed"
    );
    let copy = place.at("copy");
    let copy = copy.to_str().expect("text");
    expect_code(
        place.shrike(&["journal", "verify", &state, "--repair", copy]),
        1,
    );
    contains(
        &expect_code(place.shrike(&["journal", "verify", copy]), 0),
        &["sound"],
    );
}

#[test]
fn journal_verbs_name_a_directory_without_a_journal() {
    let place = Place::new();
    let empty = place.at("empty");
    std::fs::create_dir(&empty).expect("writable");
    let missing = place.at("missing");
    for (dir, words) in [(&empty, "holds no journal"), (&missing, "No such file")] {
        let dir = dir.to_str().expect("text");
        for verb in ["verify", "dump"] {
            let printed = expect_code(place.shrike(&["journal", verb, dir]), 1);
            contains(&printed, &[dir, words]);
        }
    }
    let (_, _, state) = journaled(&place);
    let text = expect_code(place.shrike(&["journal", "dump", &state]), 0);
    contains(
        &text,
        &[" boot epoch=1 ", " intent ", " execution ", " shutdown"],
    );
    let verified = place
        .shrike(&["journal", "verify", &state, "--json"])
        .output();
    let verified = verified.expect("it runs").stdout;
    let verified: serde_json::Value = serde_json::from_slice(&verified).expect("one object");
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["records"], text.lines().count());
}

/// Closes standard output after its first line, standard error at once, and waits for the end.
fn with_closed_pipes(mut command: std::process::Command) -> std::process::ExitStatus {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    drop(child.stderr.take());
    let mut first = [0];
    let mut output = child.stdout.take().expect("piped");
    // A verb that only has errors to tell ends without a byte.
    let _ = output.read(&mut first);
    drop(output);
    child.wait().expect("a child")
}

#[test]
fn closed_pipes_panic_nothing() {
    let place = Place::new();
    let (config, _, state) = journaled(&place);
    let mut run = place.run(&config, &["--for", "1500ms"]);
    // Whatever has something to log meets a closed pipe too.
    run.env("SHRIKE_LOG", "trace");
    assert_eq!(with_closed_pipes(run).code(), Some(0));
    let dump = place.shrike(&["journal", "dump", &state, "--json"]);
    assert_eq!(with_closed_pipes(dump).code(), Some(0));
    let missing = place.shrike(&["run", "-c", "missing.toml"]);
    assert_eq!(with_closed_pipes(missing).code(), Some(2));
    let help = place.shrike(&["--help"]);
    assert_eq!(with_closed_pipes(help).code(), Some(0));
    let printed = expect_code(place.run(&config, &["--for", "100ms"]), 0);
    contains(&printed, &["boot epoch 3", "paper: reconciled"]);
}
