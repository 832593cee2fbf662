//! What the tests of market data share: archives and files made on the spot.
//!
//! Runs on: tests.
//! Owns: small helpers.
//! Never: touches anything outside a temporary directory.
#![allow(dead_code, reason = "each test binary uses its own share")]

use std::io::Write;
use std::path::{Path, PathBuf};

use shrike::market::{LeanSettings, LeanSource, MarketError, MarketSource, TradeFiles};
use shrike::types::{InstrumentId, MarketUpdate, Price, Quantity, Symbol};

/// The recorded ticks that come with the project's data.
pub fn recorded() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/lean"))
}

pub fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

pub fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

pub fn size(text: &str) -> Quantity {
    text.parse().expect("a quantity")
}

/// Symbols numbered from 0 in their order.
pub fn numbered(symbols: &[&str]) -> Vec<(Symbol, InstrumentId)> {
    let ids = (0..).map(InstrumentId);
    symbols.iter().map(|text| symbol(text)).zip(ids).collect()
}

pub fn lean(root: &Path, symbols: &[&str], dates: &str) -> LeanSettings {
    LeanSettings {
        root: root.to_path_buf(),
        symbols: numbered(symbols),
        dates: dates.parse().expect("dates"),
        trades: TradeFiles::IfPresent,
    }
}

/// A zip of these members.
pub fn zip(path: &Path, members: &[(&str, &str)]) {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).expect("a directory");
    }
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    for (name, text) in members {
        archive
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .expect("a member");
        archive.write_all(text.as_bytes()).expect("its bytes");
    }
    archive.finish().expect("an archive");
}

/// Every row to the end, or the error.
pub fn drain(source: &mut dyn MarketSource) -> Result<Vec<MarketUpdate>, MarketError> {
    let mut rows = Vec::new();
    while let Some(update) = source.next()? {
        rows.push(update);
    }
    Ok(rows)
}

/// The error of opening or of reading to the end.
pub fn failure(settings: &LeanSettings) -> MarketError {
    match LeanSource::open(settings) {
        Err(error) => error,
        Ok(mut source) => drain(&mut source).expect_err("bad data"),
    }
}
