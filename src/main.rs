//! The `shrike` binary: hands the command line to the library with the built-in algorithms.
//!
//! Runs on: the main thread.
//! Owns: nothing.
//! Never: holds logic; a user's own binary does the same with a registry of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    shrike::cli::main(shrike::engine::AlgorithmRegistry::builtin())
}
