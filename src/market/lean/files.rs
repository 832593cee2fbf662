//! Where the files of a LEAN archive are, and what is in them.
//!
//! Runs on: start-up, and each change of day.
//! Owns: the two layouts of names, the check of each zip, what there is instead of what is missing.
//! Never: takes a file for what its name does not say.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use zip::ZipArchive;

use crate::market::MarketError;
use crate::market::calendar::number;
use crate::types::Symbol;

/// Most bytes that one day's file of one symbol may unpack to.
pub const MAX_MEMBER_BYTES: u64 = 2 << 30;

/// Quotes or trades. Quotes come first where a quote and a trade share an instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FileKind {
    /// Changes of the best bid and offer.
    Quote,
    /// Trades.
    Trade,
}

impl FileKind {
    /// As file names have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Trade => "trade",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Quote => Self::Trade,
            Self::Trade => Self::Quote,
        }
    }
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// The files that would hold a symbol's day, the flat layout first.
pub(super) fn candidates(root: &Path, symbol: Symbol, date: Date, kind: FileKind) -> [PathBuf; 2] {
    let symbol = symbol.as_str().to_ascii_lowercase();
    let (date, kind) = (number(date), kind.name());
    [
        root.join(format!("{symbol}_{date:08}_{kind}.zip")),
        root.join(&symbol).join(format!("{date:08}_{kind}.zip")),
    ]
}

/// The first of the candidates that exists.
pub(super) fn locate(
    root: &Path,
    symbol: Symbol,
    date: Date,
    kind: FileKind,
) -> Result<Option<PathBuf>, MarketError> {
    for path in candidates(root, symbol, date, kind) {
        match fs::metadata(&path) {
            Ok(_) => return Ok(Some(path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(MarketError::io(&path, &error)),
        }
    }
    Ok(None)
}

/// What is missing, with what there is instead.
pub(super) fn missing(root: &Path, symbol: Symbol, date: Date, kind: FileKind) -> MarketError {
    let there = match catalog(root) {
        Ok(there) => there,
        Err(error) => return error,
    };
    let name = symbol.as_str().to_ascii_lowercase();
    let looked_for = candidates(root, symbol, date, kind).to_vec();
    let dates: Vec<String> = there
        .iter()
        .filter(|entry| entry.symbol == name && entry.kind == kind)
        .map(|entry| {
            let (year, rest) = entry.date.split_at(4);
            format!("{year}-{}-{}", &rest[..2], &rest[2..])
        })
        .collect();
    if there.iter().any(|entry| entry.symbol == name) {
        return MarketError::NoDataForDate {
            symbol,
            kind,
            date,
            path: root.to_path_buf(),
            looked_for,
            available: dates,
        };
    }
    let symbols: BTreeSet<String> = there
        .into_iter()
        .map(|entry| entry.symbol.to_ascii_uppercase())
        .collect();
    MarketError::UnknownSymbol {
        symbol,
        path: root.to_path_buf(),
        looked_for,
        available: symbols.into_iter().collect(),
    }
}

/// One file of the archive, by its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    symbol: String,
    date: String,
    kind: FileKind,
}

/// Every file whose name says that it is one of ours, in order.
fn catalog(root: &Path) -> Result<BTreeSet<Entry>, MarketError> {
    let mut entries = BTreeSet::new();
    for (name, is_directory) in listing(root)? {
        if is_directory {
            for (inner, is_directory) in listing(&root.join(&name))? {
                if let Some((date, kind)) = date_and_kind(&inner).filter(|_| !is_directory) {
                    entries.insert(Entry {
                        symbol: name.clone(),
                        date,
                        kind,
                    });
                }
            }
        } else if let Some((symbol, rest)) = name.split_once('_')
            && let Some((date, kind)) = date_and_kind(rest)
        {
            entries.insert(Entry {
                symbol: symbol.to_owned(),
                date,
                kind,
            });
        }
    }
    Ok(entries)
}

fn listing(path: &Path) -> Result<Vec<(String, bool)>, MarketError> {
    let entries = fs::read_dir(path).map_err(|error| MarketError::io(path, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| MarketError::io(path, &error))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push((name, entry.path().is_dir()));
        }
    }
    Ok(names)
}

/// `20131007_quote.zip` taken apart.
fn date_and_kind(name: &str) -> Option<(String, FileKind)> {
    let (date, kind) = name.strip_suffix(".zip")?.split_once('_')?;
    let kind = [FileKind::Quote, FileKind::Trade]
        .into_iter()
        .find(|candidate| candidate.name() == kind)?;
    let plain = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| (date.to_owned(), kind))
}

/// A zip whose directory was read and whose one member is what the file's name says.
pub(super) fn open(
    path: &Path,
    symbol: Symbol,
    date: Date,
    kind: FileKind,
) -> Result<ZipArchive<BufReader<File>>, MarketError> {
    let file = File::open(path).map_err(|error| MarketError::io(path, &error))?;
    let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(path, &error))?;
    let names = archive
        .file_names()
        .map(|name| name.map(|name| name.into_owned()))
        .collect::<Result<Vec<String>, _>>()
        .map_err(|error| broken(path, &error))?;
    let fits = match names.as_slice() {
        [name] => member_fits(name, symbol, date, kind),
        _ => false,
    };
    if !fits {
        return Err(MarketError::Member {
            path: path.to_path_buf(),
            expected: format!("the {}s of '{symbol}' on {date}", kind.name()),
            found: names,
        });
    }
    Ok(archive)
}

/// Whether a member may hold what the file's name says. LEAN's own names are
/// `20131007_ibm_Quote_Tick.csv` and the like; a shorter one is fine unless it names another date,
/// kind or symbol.
fn member_fits(name: &str, symbol: Symbol, date: Date, kind: FileKind) -> bool {
    let name = name.to_ascii_lowercase();
    let Some(stem) = name.strip_suffix(".csv") else {
        return false;
    };
    let date = format!("{:08}", number(date));
    let is_date = |word: &str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit());
    let words: Vec<&str> = stem.split('_').collect();
    let other_symbol = match words.as_slice() {
        [first, second, _, ..] if is_date(first) => *second != symbol.as_str().to_ascii_lowercase(),
        _ => false,
    };
    !other_symbol
        && words
            .iter()
            .all(|word| *word != kind.other().name() && (!is_date(word) || *word == date))
}

/// Unpacks the one member into `bytes`, whose old content goes. Its checksum is verified before a
/// row is looked at.
pub(super) fn unpack(
    path: &Path,
    archive: &mut ZipArchive<BufReader<File>>,
    bytes: &mut Vec<u8>,
) -> Result<(), MarketError> {
    bytes.clear();
    let member = archive.by_index(0).map_err(|error| broken(path, &error))?;
    let too_large = || MarketError::TooLarge {
        path: path.to_path_buf(),
        limit: MAX_MEMBER_BYTES,
    };
    if member.size() > MAX_MEMBER_BYTES {
        return Err(too_large());
    }
    // The size is the zip's own word: believed for 64 MiB, and no further than the limit.
    bytes.reserve(member.size().min(64 << 20) as usize);
    member
        .take(MAX_MEMBER_BYTES + 1)
        .read_to_end(bytes)
        .map_err(|error| broken(path, &error))?;
    if bytes.len() as u64 > MAX_MEMBER_BYTES {
        return Err(too_large());
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(MarketError::NoRows {
            path: path.to_path_buf(),
        });
    }
    Ok(())
}

fn broken(path: &Path, error: &dyn std::error::Error) -> MarketError {
    MarketError::Archive {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn members_of_another_symbol_date_or_kind_do_not_fit() {
        let fits = |name: &str| {
            let symbol = "IBM".parse().expect("a symbol");
            member_fits(name, symbol, date(2013, 10, 7), FileKind::Quote)
        };
        for good in [
            "20131007_ibm_Quote_Tick.csv",
            "20131007_IBM_tick_quote.csv",
            "20131007_quote.csv",
            "ibm.csv",
        ] {
            assert!(fits(good), "{good}");
        }
        for bad in [
            "20131008_ibm_Quote_Tick.csv",
            "20131007_bac_Quote_Tick.csv",
            "20131007_ibm_Trade_Tick.csv",
            "20131007_ibm_Quote_Tick.txt",
            "readme",
        ] {
            assert!(!fits(bad), "{bad}");
        }
    }
}
