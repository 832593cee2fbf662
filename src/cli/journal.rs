//! `shrike journal verify` and `dump`: a journal read offline.
//!
//! Runs on: the main thread.
//! Owns: the verbs' output.
//! Never: changes a journal; a repair writes a copy.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::{FAILED, say};
use crate::journal::{self, Dump, Journal, Verified};

/// A journal has at least the records of its first boot: without any, the path is not the one that was meant.
fn verified(dir: &Path) -> Result<Verified, String> {
    let entries = std::fs::read_dir(dir);
    entries.map_err(|error| format!("cannot read {}: {error}", dir.display()))?;
    let verified = Journal::verify(dir, None).map_err(|error| error.to_string())?;
    if verified.segments == 0 {
        return Err(format!("{} holds no journal", dir.display()));
    }
    Ok(verified)
}

pub(super) fn verify(dir: &Path, repair: Option<&Path>, json: bool) -> u8 {
    let verified = verified(dir);
    let code = match &verified {
        Ok(verified) if json => {
            let object = serde_json::json!({
                "ok": true,
                "records": verified.records,
                "bytes": verified.bytes,
                "segments": verified.segments,
                "first_sequence": verified.first_sequence,
                "last_sequence": verified.last_sequence,
                "torn_bytes": verified.torn_bytes,
            });
            say(&object.to_string());
            0
        }
        Ok(verified) => {
            say(&format!(
                "{} records in {} segments, {} bytes, sequences {} to {}",
                verified.records,
                verified.segments,
                verified.bytes,
                verified.first_sequence,
                verified.last_sequence
            ));
            if verified.torn_bytes > 0 {
                say(&format!(
                    "torn at the end: {} bytes are no record",
                    verified.torn_bytes
                ));
            }
            say("the journal is sound");
            0
        }
        Err(error) => {
            if json {
                say(&serde_json::json!({"ok": false, "error": error}).to_string());
            }
            eprintln!("error: {error}");
            FAILED
        }
    };
    match repair {
        None => code,
        Some(out) => match journal::repair(dir, None, out) {
            Ok(repaired) => {
                let kept = repaired.kept.records;
                say(&format!(
                    "{kept} sound records written to {}",
                    out.display()
                ));
                code
            }
            Err(error) => {
                eprintln!("error: {error}");
                FAILED
            }
        },
    }
}

pub(super) fn dump(dir: &Path, json: bool) -> u8 {
    if let Err(error) = std::fs::read_dir(dir) {
        eprintln!("error: cannot read {}: {error}", dir.display());
        return FAILED;
    }
    let reader = match Journal::read(dir, None) {
        Ok(reader) => reader,
        Err(error) => {
            eprintln!("error: {error}");
            return FAILED;
        }
    };
    let mut names = Dump::new();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for entry in reader {
        let value = match entry.and_then(|entry| names.to_json(&entry)) {
            Ok(value) => value,
            Err(error) => {
                // What was sound comes first.
                let _ = out.flush();
                eprintln!("error: {error}");
                return FAILED;
            }
        };
        let line = if json {
            value.to_string()
        } else {
            journal::to_line(&value)
        };
        if writeln!(out, "{line}").is_err() {
            // The reader of the pipe has enough.
            return 0;
        }
    }
    if out.flush().is_err() { FAILED } else { 0 }
}
