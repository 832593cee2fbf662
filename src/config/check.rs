//! The collector of everything that is wrong with settings.
//!
//! Runs on: start-up.
//! Owns: the wording of ranges and of what is missing, unknown or not built.
//! Never: stops at an error, or knows where a key stands.

use std::collections::HashSet;
use std::fmt::Display;
use std::time::Duration;

use super::error::{ConfigError, ConfigErrorKind, nearest};
use super::reader::not_built;
use super::values::duration_text;
use crate::types::{Ratio, Symbol};

/// An error, and the other keys that it rests on.
pub(super) struct Found {
    pub error: ConfigError,
    pub rests_on: Vec<String>,
}

#[derive(Default)]
pub(super) struct Checks {
    pub found: Vec<Found>,
}

impl Checks {
    pub fn add(&mut self, error: ConfigError, rests_on: &[&str]) {
        self.found.push(Found {
            error,
            rests_on: rests_on.iter().map(|key| (*key).to_owned()).collect(),
        });
    }

    /// `key` followed by `message`, when `bad`.
    pub fn refuse(&mut self, bad: bool, key: &str, message: impl Display, rests_on: &[&str]) {
        if bad {
            let message = format!("`{key}` {message}");
            self.add(
                ConfigError::new(ConfigErrorKind::Value, key, message),
                rests_on,
            );
        }
    }

    pub fn range<T: PartialOrd + Display>(&mut self, key: &str, value: T, least: T, most: T) {
        let bad = value < least || value > most;
        let message = format!("must be from {least} to {most}, found {value}");
        self.refuse(bad, key, message, &[]);
    }

    pub fn time(&mut self, key: &str, value: Duration, least: Duration, most: Duration) {
        let bad = value < least || value > most;
        let [least, most, value] = [least, most, value].map(duration_text);
        let message = format!("must be from {least} to {most}, found {value}");
        self.refuse(bad, key, message, &[]);
    }

    /// A fraction above 0 and below 1.
    pub fn fraction(&mut self, key: &str, value: Ratio) {
        let bad = value <= Ratio::ZERO || value >= Ratio::ONE;
        let message = format!("must be a fraction above 0 and below 1, found {value}");
        self.add_hinted(bad, key, message, "0.05 is five per cent");
    }

    pub fn add_hinted(&mut self, bad: bool, key: &str, message: String, hint: &str) {
        if bad {
            let message = format!("`{key}` {message}");
            let error = ConfigError::new(ConfigErrorKind::Value, key, message).with_hint(hint);
            self.add(error, &[]);
        }
    }

    pub fn positive<T: PartialOrd + Display + Default>(&mut self, key: &str, value: T) {
        let bad = value <= T::default();
        self.refuse(bad, key, format!("must be above 0, found {value}"), &[]);
    }

    pub fn not_negative<T: PartialOrd + Display + Default>(&mut self, key: &str, value: T) {
        let bad = value < T::default();
        self.refuse(bad, key, format!("must not be below 0, found {value}"), &[]);
    }

    pub fn missing(&mut self, key: &str, why: &str, hint: &str) {
        let message = format!("`{key}` is missing: {why}");
        self.add(
            ConfigError::new(ConfigErrorKind::Missing, key, message).with_hint(hint),
            &["market.source"],
        );
    }

    pub fn not_built(&mut self, key: &str, value: &str, what: &str, hint: &str) {
        let message = format!("`{key} = \"{value}\"`: {}", not_built(what));
        self.add(
            ConfigError::new(ConfigErrorKind::NotBuilt, key, message).with_hint(hint),
            &[],
        );
    }

    /// Symbols without repetition, all of them the market's.
    pub fn symbols(&mut self, key: &str, symbols: &[Symbol], market: &HashSet<Symbol>) {
        let mut seen = HashSet::new();
        for (index, symbol) in symbols.iter().enumerate() {
            let at = format!("{key}[{index}]");
            let again = !seen.insert(symbol);
            self.refuse(again, &at, format!("names {symbol} a second time"), &[]);
            if !market.contains(symbol) {
                let message = format!("`{at}` is {symbol}, which `market.symbols` does not have");
                let known: Vec<&str> = market.iter().map(Symbol::as_str).collect();
                let mut error = ConfigError::new(ConfigErrorKind::Value, &*at, message);
                // Symbols are upper case, the search is not.
                let lower: Vec<String> = known.iter().map(|s| s.to_ascii_lowercase()).collect();
                if let Some(near) = nearest(symbol.as_str(), lower.iter().map(String::as_str)) {
                    error = error.with_hint(format!("did you mean \"{}\"?", near.to_uppercase()));
                }
                self.add(error, &["market.symbols", "market.source"]);
            }
        }
    }
}
