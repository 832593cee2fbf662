//! The rules of the house that a compiler does not check.
//!
//! Runs on: the test runner; it reads this repository's files and nothing else.
//! Owns: the rules, each a function from a file to its offences, with a planted offence to show that it bites.
//! Never: changes a file.

#[path = "common/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use source::{code_only, functions, line_of, without_tests, words};

/// Lines of a source file without its tests, and of a function.
const MAX_FILE_LINES: usize = 800;
const MAX_FUNCTION_LINES: usize = 70;
/// Columns of a line of code, and of one with a comment or a text in it (rustfmt does not break those).
const MAX_CODE_COLUMNS: usize = 100;
const MAX_TEXT_COLUMNS: usize = 120;

/// The only files that may say `unsafe`.
const UNSAFE_FILES: &[&str] = &[
    "src/journal/hot.rs",
    "src/types/touched.rs",
    "tests/common/allocations.rs",
];

/// What runs while orders flow: a folder, or a file.
const HOT: &[&str] = &[
    "src/engine/execution_manager.rs",
    "src/engine/port.rs",
    "src/gateway/",
    "src/journal/codec.rs",
    "src/journal/frame.rs",
    "src/journal/hot.rs",
    "src/journal/wire.rs",
    "src/journal/writer.rs",
    "src/order/",
    "src/ring/board.rs",
    "src/ring/spsc.rs",
    "src/risk/",
    "src/runtime/agent.rs",
    "src/runtime/clock.rs",
    "src/runtime/composite.rs",
    "src/runtime/idle.rs",
    "src/runtime/invoker.rs",
    "src/runtime/runner.rs",
    "src/runtime/stall.rs",
    "src/sim/",
    "src/types/kill.rs",
    "src/types/lifecycle.rs",
    "src/types/position.rs",
    "src/types/slab.rs",
];

/// What no hot module says: it would block, call the kernel, read a clock, or write where nobody looks.
const NOT_HOT: &[&str] = &[
    "Condvar",
    "Instant",
    "Mutex",
    "RwLock",
    "SystemTime",
    "dbg!",
    "eprint!",
    "eprintln!",
    "print!",
    "println!",
    "std::env",
    "std::fs",
    "thread::sleep",
    "tracing",
];

/// The clock's own file reads the clock.
const MAY_READ_TIME: &str = "src/runtime/clock.rs";

/// The journal's segments are files, made at start and removed at the end; the pen's side only writes memory.
const MAY_OPEN_FILES: &str = "src/journal/hot.rs";

/// What allocates. Hot modules say it in constructors, in `fmt`, and in functions marked `#[cold]` only. (What this
/// list misses, a growing `push` say, the tests that count allocations find.)
const ALLOCATES: &[&str] = &[
    ".collect",
    ".to_owned(",
    ".to_string(",
    ".to_vec(",
    "Arc::new(",
    "Box::new(",
    "String::from(",
    "String::new(",
    "Vec::new(",
    "Vec::with_capacity(",
    "format!",
    "vec!",
];

/// One finding: file, line, what is wrong.
fn offence(path: &str, line: usize, what: &str) -> String {
    format!("{path}:{line}: {what}")
}

// ---- the rules -----------------------------------------------------------------------------------------------

/// A file begins with its purpose and says where it runs, what it owns and what it never does.
fn header(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    let mut found = Vec::new();
    let purpose = lines
        .first()
        .copied()
        .unwrap_or("")
        .trim_start_matches("//!");
    if purpose.trim().is_empty() {
        found.push(offence(
            path,
            1,
            "does not begin with `//!` and its purpose",
        ));
    }
    let mut last = 0;
    for label in ["Runs on:", "Owns:", "Never:"] {
        let words = |line: &&str| {
            let said = line.strip_prefix("//! ")?.strip_prefix(label)?.trim();
            Some(said.to_owned())
        };
        let place = lines.iter().position(|line| words(line).is_some());
        match place.and_then(|at| Some((at, words(&lines[at])?))) {
            None => found.push(offence(
                path,
                1,
                &format!("its header has no `{label}` line"),
            )),
            Some((at, said)) => {
                if said.is_empty() || said == "to be filled in." {
                    found.push(offence(path, at + 1, &format!("`{label}` says nothing")));
                }
                if at < last {
                    found.push(offence(path, at + 1, &format!("`{label}` is out of order")));
                }
                last = at;
            }
        }
    }
    found
}

/// Files and functions stay small enough to be read at once.
fn sizes(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let own = without_tests(&code);
    let test_lines = text.lines().count() - lines_kept(text, &code, &own);
    let lines = text.lines().count() - test_lines;
    let mut found = Vec::new();
    if lines > MAX_FILE_LINES {
        let what = format!("{lines} lines without tests, {MAX_FILE_LINES} at most");
        found.push(offence(path, 1, &what));
    }
    for function in functions(&code) {
        let (name, lines) = (function.name, function.lines());
        if lines > MAX_FUNCTION_LINES {
            let what = format!("fn {name} has {lines} lines, {MAX_FUNCTION_LINES} at most");
            found.push(offence(path, function.line, &what));
        }
    }
    found
}

/// Lines of `text` that are not code of a test.
fn lines_kept(text: &str, code: &str, own: &str) -> usize {
    let pairs = text.lines().zip(code.lines().zip(own.lines()));
    pairs.filter(|(_, (code, own))| code == own).count()
}

/// Lines fit side by side on a screen.
fn columns(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut found = Vec::new();
    for (index, (line, code)) in text.lines().zip(code.lines()).enumerate() {
        let most = if line != code {
            MAX_TEXT_COLUMNS
        } else {
            MAX_CODE_COLUMNS
        };
        let columns = line.chars().count();
        if columns > most {
            let what = format!("{columns} columns, {most} at most");
            found.push(offence(path, index + 1, &what));
        }
    }
    found
}

/// `unsafe` is said in listed files only, and every block and impl says why it is sound.
fn unsafe_code(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for at in words(&code, "unsafe") {
        let line = line_of(&code, at);
        if !UNSAFE_FILES.contains(&path) {
            found.push(offence(path, line, "`unsafe` outside the listed files"));
        }
        let rest = code[at + "unsafe".len()..].trim_start();
        let needs_reason = rest.starts_with('{') || rest.starts_with("impl");
        if needs_reason && !has_safety_note(&lines, line) {
            found.push(offence(
                path,
                line,
                "`unsafe` without a `// SAFETY:` comment above it",
            ));
        }
    }
    found
}

/// Whether the comment that ends right above `line` (from 1), or the line itself, says `SAFETY:`.
fn has_safety_note(lines: &[&str], line: usize) -> bool {
    if lines[line - 1].contains("// SAFETY:") {
        return true;
    }
    let above = lines[..line - 1].iter().rev();
    above
        .map(|line| line.trim())
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line.starts_with("// SAFETY:"))
}

fn is_hot(path: &str) -> bool {
    let named = |hot: &str| path == hot || (hot.ends_with('/') && path.starts_with(hot));
    HOT.iter().any(|hot| named(hot)) && !is_test_file(path)
}

/// A module of tests in a file of its own.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/")
}

/// Hot modules block on nothing, call no kernel, read no clock and write no log.
fn hot_words(path: &str, text: &str) -> Vec<String> {
    if !is_hot(path) {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut found = Vec::new();
    for word in NOT_HOT {
        let exempt = (path == MAY_READ_TIME && *word == "SystemTime")
            || (path == MAY_OPEN_FILES && *word == "std::fs");
        if exempt {
            continue;
        }
        for at in words(&code, word) {
            let what = format!("`{word}` in a hot module");
            found.push(offence(path, line_of(&code, at), &what));
        }
    }
    found
}

/// Hot modules allocate while they are built, when they are shown, and in functions marked as cold.
fn hot_allocation(path: &str, text: &str) -> Vec<String> {
    if !is_hot(path) {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut found = Vec::new();
    for function in functions(&code) {
        let returns = function.signature.rsplit_once("->").map_or("", |(_, r)| r);
        let builds = words(returns, "Self").next().is_some() || !lasts(function.signature);
        if builds || function.name == "fmt" || function.before.contains("#[cold]") {
            continue;
        }
        for word in ALLOCATES {
            for at in words(function.body, word) {
                let line = function.line + line_of(function.body, at) - 1;
                let line = line + function.signature.matches('\n').count();
                let what = format!("`{word}` in fn {} of a hot module", function.name);
                found.push(offence(path, line, &what));
            }
        }
    }
    found
}

/// Whether a function works on something that lives on, by `&self` or any `&mut`. One that does not takes its parts
/// by value to build or to take apart.
fn lasts(signature: &str) -> bool {
    signature.split('&').skip(1).any(|after| {
        let lifetime = after.starts_with('\'');
        let after = match after.split_once(' ') {
            Some((_, rest)) if lifetime => rest,
            _ => after,
        };
        ["self", "mut"]
            .iter()
            .any(|word| words(after, word).next() == Some(0))
    })
}

/// Hot modules have no `unwrap` and no `expect`: a panic there stops the firm.
fn hot_unwrap(path: &str, text: &str) -> Vec<String> {
    if !is_hot(path) {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut found = Vec::new();
    for word in [".unwrap()", ".expect("] {
        for at in words(&code, word) {
            let what = format!("`{word}` in a hot module");
            found.push(offence(path, line_of(&code, at), &what));
        }
    }
    found
}

/// Nothing is left for later, and no test is switched off.
fn unfinished(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut found = Vec::new();
    for word in ["#[ignore", "todo!", "unimplemented!", "dbg!"] {
        for at in words(&code, word) {
            found.push(offence(path, line_of(&code, at), &format!("`{word}`")));
        }
    }
    for (index, line) in text.lines().enumerate() {
        for mark in [
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("XX", "X"),
        ] {
            if words(line, mark).next().is_some() {
                found.push(offence(path, index + 1, &format!("`{mark}`")));
            }
        }
    }
    found
}

/// Texts name no machine on which they were written.
fn foreign_words(path: &str, text: &str) -> Vec<String> {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("iss", "ue #"),
        concat!("Iss", "ue #"),
    ];
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in words {
            if line.contains(word) {
                found.push(offence(path, index + 1, &format!("`{word}`")));
            }
        }
    }
    found
}

/// Dependencies come from the default registry.
fn registries(path: &str, text: &str) -> Vec<String> {
    let default = "registry+https://github.com/rust-lang/crates.io-index";
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let compact = line.replace(' ', "");
        let elsewhere = if path.ends_with("Cargo.lock") {
            let source = compact.strip_prefix("source=\"");
            source.is_some_and(|source| source.trim_end_matches('"') != default)
        } else {
            [
                "registry=",
                "registry-index=",
                "git=",
                "[source",
                "[registries",
                "[patch",
            ]
            .iter()
            .any(|word| compact.contains(word))
        };
        if elsewhere {
            found.push(offence(
                path,
                index + 1,
                "a source other than the default registry",
            ));
        }
    }
    found
}

// ---- the module table ----------------------------------------------------------------------------------------

/// What each module may use, with the files to which that is limited: `sim (paper only)`.
type Table = BTreeMap<String, Vec<(String, Option<String>)>>;

/// Reads the table `| module | may use |` from the documentation of `lib.rs`.
fn module_table(lib: &str) -> Result<Table, String> {
    let mut rows = lib
        .lines()
        .map(|line| line.trim_start_matches("//!").trim())
        .skip_while(|line| *line != "| module | may use |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .peekable();
    if rows.peek().is_none() {
        return Err("lib.rs has no table `| module | may use |`".to_owned());
    }
    let mut table = Table::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [module, uses] = cells[..] else {
            return Err(format!("no row of two cells: {row}"));
        };
        let mut all = Vec::new();
        for used in uses
            .split(',')
            .map(str::trim)
            .filter(|used| *used != "nothing")
        {
            let (name, limit) = match used.split_once(" (") {
                None => (used, None),
                Some((name, limit)) => (name, limit.strip_suffix(" only)").map(str::to_owned)),
            };
            all.push((name.to_owned(), limit));
        }
        let name = module.trim_matches('`').to_owned();
        if table.insert(name, all).is_some() {
            return Err(format!("two rows for {module}"));
        }
    }
    Ok(table)
}

/// The module of a source file: `src/risk/gate.rs` is of `risk`.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split('/').next()?.trim_end_matches(".rs");
    (name != "lib" && name != "main").then_some(name)
}

/// Modules named behind `crate::` in `code`, with their places.
fn used_modules(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let name_of = |text: &str| {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    for at in words(code, "crate::") {
        let rest = code[at + "crate::".len()..].trim_start();
        let Some(group) = rest.strip_prefix('{') else {
            found.push((at, name_of(rest)));
            continue;
        };
        let (mut depth, mut start) = (0_i32, 0);
        for (index, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    found.push((at, name_of(&group[start..index])));
                    start = index + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

/// Modules use what the table says, by paths that begin with `crate`.
fn module_uses(path: &str, text: &str, table: &Table) -> Vec<String> {
    let Some(module) = module_of(path).filter(|_| !is_test_file(path)) else {
        return Vec::new();
    };
    let Some(allowed) = table.get(module) else {
        return vec![offence(path, 1, "its module is not in the table of lib.rs")];
    };
    let code = without_tests(&code_only(text));
    let inside = path.strip_prefix(&format!("src/{module}/")).unwrap_or("");
    let may_use = |name: &str| {
        name == module
            || !table.contains_key(name)
            || allowed.iter().any(|(used, limit)| {
                let here = limit.as_ref().is_none_or(|limit| inside.starts_with(limit));
                used == "all" || (used == name && here)
            })
    };
    let mut found = Vec::new();
    for (at, name) in used_modules(&code) {
        if !may_use(&name) {
            let what = format!("{module} may not use {name} (table of lib.rs)");
            found.push(offence(path, line_of(&code, at), &what));
        }
    }
    let mut depth = inside.matches('/').count() + 1;
    depth += usize::from(!inside.is_empty() && !inside.ends_with("mod.rs"));
    let escape = "super::".repeat(depth);
    for at in words(&code, &escape) {
        found.push(offence(
            path,
            line_of(&code, at),
            "another module by `super`",
        ));
    }
    found
}

// ---- the files -----------------------------------------------------------------------------------------------

fn root() -> PathBuf {
    let root = std::env::var_os("CARGO_MANIFEST_DIR");
    root.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// Every text file of the repository with its path from the root, build products left out.
fn texts() -> Vec<(String, String)> {
    let (root, mut found) = (root(), Vec::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("the repository can be read");
        for entry in entries {
            let entry = entry.expect("an entry");
            let kind = entry.file_type().expect("its kind");
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let product = name == ".git" || name.starts_with("target") || name == ".ci-target";
            if kind.is_dir() && !product && !is_build_folder(&entry.path()) {
                folders.push(entry.path());
            } else if kind.is_file()
                && !product
                && let Ok(text) = std::fs::read_to_string(entry.path())
            {
                let path = entry.path();
                let inside = path.strip_prefix(&root).expect("below the root");
                found.push((inside.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    found
}

/// Cargo marks the folders that it builds in.
fn is_build_folder(path: &Path) -> bool {
    path.join("CACHEDIR.TAG").exists()
}

fn rust_files(under: &[&str]) -> Vec<(String, String)> {
    let mut files = texts();
    let inside = |path: &str| under.iter().any(|folder| path.starts_with(folder));
    files.retain(|(path, _)| path.ends_with(".rs") && inside(path));
    assert!(!files.is_empty(), "no Rust file under {under:?}");
    files
}

fn assert_none(found: impl IntoIterator<Item = String>) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(
        found.is_empty(),
        "{} offence(s):\n{}",
        found.len(),
        found.join("\n")
    );
}

fn check(under: &[&str], rule: fn(&str, &str) -> Vec<String>) {
    let files = rust_files(under);
    assert_none(files.iter().flat_map(|(path, text)| rule(path, text)));
}

const SOURCE: &[&str] = &["src/"];
const ALL_RUST: &[&str] = &["src/", "tests/", "benches/", "examples/"];

#[test]
fn every_source_file_says_what_it_is() {
    check(SOURCE, header);
}

#[test]
fn files_and_functions_are_small() {
    check(SOURCE, sizes);
}

#[test]
fn lines_are_short() {
    check(ALL_RUST, columns);
}

#[test]
fn unsafe_code_is_listed_and_reasoned() {
    check(ALL_RUST, unsafe_code);
}

#[test]
fn hot_modules_never_wait() {
    check(SOURCE, hot_words);
}

#[test]
fn hot_modules_allocate_only_while_they_are_built() {
    check(SOURCE, hot_allocation);
}

#[test]
fn hot_modules_do_not_unwrap() {
    check(SOURCE, hot_unwrap);
}

#[test]
fn nothing_is_left_for_later() {
    check(ALL_RUST, unfinished);
}

#[test]
fn texts_name_no_machine() {
    let files = texts();
    assert_none(
        files
            .iter()
            .flat_map(|(path, text)| foreign_words(path, text)),
    );
}

#[test]
fn dependencies_come_from_the_default_registry() {
    let mut files = texts();
    let wanted = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name == "Cargo.toml" || name == "Cargo.lock" || path.contains(".cargo/")
    };
    files.retain(|(path, _)| wanted(path));
    assert!(files.len() >= 2, "Cargo.toml and Cargo.lock");
    assert_none(files.iter().flat_map(|(path, text)| registries(path, text)));
}

#[test]
fn modules_use_what_the_table_of_lib_rs_says() {
    let files = rust_files(SOURCE);
    let lib = files.iter().find(|(path, _)| path == "src/lib.rs");
    let table = module_table(&lib.expect("src/lib.rs").1).expect("the table");
    for name in table.keys() {
        let is_there = files.iter().any(|(path, _)| module_of(path) == Some(name));
        assert!(is_there, "the table of lib.rs has {name}, src has not");
    }
    assert_none(
        files
            .iter()
            .flat_map(|(path, text)| module_uses(path, text, &table)),
    );
}

// ---- that the rules bite -------------------------------------------------------------------------------------

const GOOD: &str = "//! Says what it is.\n//!\n//! Runs on: any thread.\n//! Owns: a thing.\n\
                    //! Never: waits.\n\nfn a() {}\n";

#[test]
fn the_header_rule_bites() {
    assert!(header("src/a.rs", GOOD).is_empty());
    for (from, to) in [
        ("//! Says what it is.\n", ""),
        ("//! Says what it is.", "//!"),
        ("//! Runs on: any thread.\n", ""),
        ("Owns: a thing.", "Owns: to be filled in."),
        ("Never: waits.", "Never:"),
        (
            "//! Runs on: any thread.\n//! Owns",
            "//! Owns: x.\n//! Runs on",
        ),
    ] {
        assert!(
            !header("src/a.rs", &GOOD.replace(from, to)).is_empty(),
            "{from}"
        );
    }
}

#[test]
fn the_size_rule_bites() {
    let function = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    assert!(sizes("a.rs", &function(MAX_FUNCTION_LINES)).is_empty());
    let long = sizes("a.rs", &function(MAX_FUNCTION_LINES + 1));
    assert_eq!(long, ["a.rs:1: fn a has 71 lines, 70 at most"]);
    let file = |lines: usize| "const A: u8 = 1;\n".repeat(lines);
    assert!(sizes("a.rs", &file(MAX_FILE_LINES)).is_empty());
    assert_eq!(sizes("a.rs", &file(MAX_FILE_LINES + 1)).len(), 1);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", file(100));
    assert!(sizes("a.rs", &(file(MAX_FILE_LINES) + &tests)).is_empty());
}

#[test]
fn the_column_rule_bites() {
    let line =
        |start: &str, columns: usize| format!("{start}{}\n", "é".repeat(columns - start.len()));
    assert!(columns("a.rs", &line("let ", MAX_CODE_COLUMNS)).is_empty());
    assert_eq!(
        columns("a.rs", &line("let ", MAX_CODE_COLUMNS + 1)).len(),
        1
    );
    assert!(columns("a.rs", &line("// ", MAX_TEXT_COLUMNS)).is_empty());
    assert_eq!(columns("a.rs", &line("// ", MAX_TEXT_COLUMNS + 1)).len(), 1);
}

#[test]
fn the_unsafe_rule_bites() {
    let block = "fn a() {\n    // SAFETY: it is.\n    // Really.\n    unsafe { b() }\n}\n";
    assert!(unsafe_code(UNSAFE_FILES[0], block).is_empty());
    assert_eq!(unsafe_code("src/risk/gate.rs", block).len(), 1);
    let bare = block.replace("SAFETY", "WHY");
    assert_eq!(unsafe_code(UNSAFE_FILES[0], &bare).len(), 1);
    let apart = block.replace("    // Really.\n", "\n");
    assert_eq!(
        unsafe_code(UNSAFE_FILES[0], &apart).len(),
        1,
        "not above it"
    );
    let words = "#![deny(unsafe_code)]\n// unsafe { }\nconst A: &str = \"unsafe {\";\n";
    assert!(unsafe_code("src/lib.rs", words).is_empty());
}

#[test]
fn the_hot_rules_bite_in_hot_modules_only_and_spare_their_tests() {
    for (rule, bad) in [
        (
            hot_words as fn(&str, &str) -> Vec<String>,
            "fn a() { std::fs::read(p); }",
        ),
        (hot_words, "use std::sync::Mutex;"),
        (
            hot_words,
            "fn a() -> u8 { let t = std::time::Instant::now(); 1 }",
        ),
        (hot_words, "fn a() { println!(\"{}\", 1); }"),
        (hot_words, "fn a() { tracing::info!(\"a\"); }"),
        (
            hot_allocation,
            "fn poll(&mut self) { let s = format!(\"{}\", 1); }",
        ),
        (
            hot_allocation,
            "fn poll(&mut self,\n now: u8) {\n let v: Vec<u8> = i.collect(); }",
        ),
        (
            hot_allocation,
            "fn poll(a: &'a mut A) -> u8 { Box::new(1); 1 }",
        ),
        (hot_unwrap, "fn a() { b().unwrap(); }"),
        (hot_unwrap, "fn a() { b().expect(\"c\"); }"),
    ] {
        for hot in [
            "src/risk/gate.rs",
            "src/runtime/idle.rs",
            "src/sim/book/side.rs",
        ] {
            assert_eq!(rule(hot, bad).len(), 1, "{bad}");
        }
        assert!(rule("src/cold/metrics.rs", bad).is_empty());
        assert!(rule("src/runtime/preflight.rs", bad).is_empty());
        let tested = format!("#[cfg(test)]\nmod tests {{\n{bad}\n}}\n");
        assert!(rule("src/risk/gate.rs", &tested).is_empty(), "{tested}");
        let said = format!("// {bad}\n").replace('\n', " ");
        assert!(rule("src/risk/gate.rs", &said).is_empty(), "{said}");
    }
    for good in [
        "fn channel(length: usize, name: &str) -> Ends { ends(vec![0; length]) }",
        "fn into_parts(mut self, limit: &Limit) -> Vec<A> { self.0.into_iter().collect() }",
        "fn with_room(n: usize) -> Self { Self(Vec::with_capacity(n)) }",
        "#[cold]\nfn names(&self) -> Vec<String> { self.0.iter().collect() }",
        "fn fmt(&self, f: &mut F) -> R { f.pad(&format!(\"a\")) }",
    ] {
        assert!(
            hot_allocation("src/risk/gate.rs", good).is_empty(),
            "{good}"
        );
    }
    assert!(hot_words(MAY_READ_TIME, "use std::time::SystemTime;").is_empty());
    assert!(!hot_words(MAY_READ_TIME, "use std::time::Instant;").is_empty());
    assert!(hot_words(MAY_OPEN_FILES, "use std::fs::File;").is_empty());
    assert!(!hot_words(MAY_OPEN_FILES, "use std::sync::Mutex;").is_empty());
}

#[test]
fn the_rule_of_unfinished_work_bites() {
    for bad in [
        "#[ignore]\nfn a() {}",
        "#[ignore = \"slow\"]\nfn a() {}",
        "fn a() { todo!() }",
        "fn a() { unimplemented!(\"b\") }",
        "fn a() { dbg!(1); }",
        concat!("// TO", "DO: more"),
    ] {
        assert_eq!(unfinished("a.rs", bad).len(), 1, "{bad}");
    }
    assert!(unfinished("a.rs", "// ignore and todo, as words\n").is_empty());
}

#[test]
fn the_rule_of_foreign_words_bites() {
    for bad in [
        concat!("built in /wo", "rk/main"),
        concat!("cargo in /ro", "ot/.cargo"),
        concat!("see iss", "ue #2"),
    ] {
        assert_eq!(foreign_words("README.md", bad).len(), 1, "{bad}");
    }
    assert!(foreign_words("README.md", "the network/ folder, an issue").is_empty());
}

#[test]
fn the_registry_rule_bites() {
    let lock = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    assert!(registries("Cargo.lock", lock).is_empty());
    let mirror = lock.replace("github.com/rust-lang", "mirror.example");
    assert_eq!(registries("Cargo.lock", &mirror).len(), 1);
    assert_eq!(
        registries("Cargo.lock", "source = \"git+https://a.b/c\"\n").len(),
        1
    );
    assert!(registries("Cargo.toml", "rtrb = \"0.4\"\n").is_empty());
    for bad in [
        "a = { git = \"https://a.b/c\" }",
        "a = { registry = \"b\" }",
        "[patch.crates-io]",
    ] {
        assert_eq!(registries("Cargo.toml", bad).len(), 1, "{bad}");
    }
}

#[test]
fn the_module_rule_bites() {
    let lib = "//! # Modules\n//!\n//! | module | may use |\n//! |---|---|\n//! | `types` | nothing |\n\
               //! | `ring` | types |\n//! | `sim` | types |\n//! | `cli` | all |\n\
               //! | `gateway` | types, ring, sim (paper only) |\n//!\n//! More.\n";
    let table = module_table(lib).expect("a table");
    assert_eq!(table.len(), 5);
    let bites = |path: &str, text: &str| module_uses(path, text, &table).len();
    assert_eq!(bites("src/ring/spsc.rs", "use crate::types::Nanos;"), 0);
    assert_eq!(
        bites("src/ring/spsc.rs", "use crate::{ring::a, types::{B, C}};"),
        0
    );
    assert_eq!(bites("src/ring/spsc.rs", "use crate::sim::Book;"), 1);
    assert_eq!(
        bites(
            "src/ring/spsc.rs",
            "use crate::{types::A, sim::{B, C}, cli};"
        ),
        2
    );
    assert_eq!(bites("src/types/id.rs", "fn a() { crate::ring::b() }"), 1);
    assert_eq!(bites("src/cli/run.rs", "use crate::sim::Book;"), 0);
    assert_eq!(
        bites("src/gateway/paper/mod.rs", "use crate::sim::Book;"),
        0
    );
    assert_eq!(bites("src/gateway/paper.rs", "use crate::sim::Book;"), 0);
    assert_eq!(bites("src/gateway/alpaca.rs", "use crate::sim::Book;"), 1);
    assert_eq!(bites("src/new/mod.rs", "fn a() {}"), 1, "not in the table");
    assert_eq!(bites("src/ring/spsc.rs", "use super::super::sim::Book;"), 1);
    assert_eq!(bites("src/ring/mod.rs", "use super::sim::Book;"), 1);
    assert_eq!(bites("src/ring/spsc.rs", "use super::board::Slot;"), 0);
    let tested = "#[cfg(test)]\nmod tests {\n use crate::sim::Book;\n}\n";
    assert_eq!(bites("src/ring/spsc.rs", tested), 0);
    assert!(module_table("//! no table").is_err());
    assert!(module_table(&lib.replace("| `cli` | all |", "| `ring` | all |")).is_err());
}
