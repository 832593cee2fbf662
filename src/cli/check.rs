//! `shrike check`: every configuration error at once.
//!
//! Runs on: the main thread.
//! Owns: the verb's output.
//! Never: starts anything.

use super::{CheckArguments, USAGE, complain, load, say};
use crate::engine::{AlgorithmRegistry, EngineError, check_algorithms, check_machine};

pub(super) fn check(arguments: &CheckArguments, registry: &AlgorithmRegistry) -> u8 {
    let name = arguments.config.as_ref().map_or_else(
        || "the built-in configuration".to_owned(),
        |path| path.display().to_string(),
    );
    let config = match load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(errors) => {
            if arguments.json {
                say(&errors.to_json().to_string());
            } else {
                complain(&errors);
            }
            return USAGE;
        }
    };
    let mut problems = check_algorithms(&config, registry);
    problems.extend(check_machine(&config).err());
    if arguments.json {
        let object = serde_json::json!({
            "ok": problems.is_empty(),
            "errors": problems.iter().flat_map(to_json).collect::<Vec<_>>(),
            "notes": config.notes(),
        });
        say(&object.to_string());
    } else {
        for problem in &problems {
            complain(problem);
        }
        for note in config.notes() {
            say(&format!("note: {note}"));
        }
        if problems.is_empty() {
            say(&format!("{name}: no errors"));
        }
    }
    if problems.is_empty() { 0 } else { USAGE }
}

/// One shape for every error: that of [`ConfigErrors::to_json`](crate::config::ConfigErrors::to_json).
fn to_json(problem: &EngineError) -> Vec<serde_json::Value> {
    match problem {
        EngineError::Config(errors) => match &errors.to_json()["errors"] {
            serde_json::Value::Array(errors) => errors.clone(),
            _ => Vec::new(),
        },
        other => vec![serde_json::json!({ "message": other.to_string() })],
    }
}
