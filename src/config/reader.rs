//! The walk over a TOML document that collects every error.
//!
//! Runs on: start-up.
//! Owns: where each key stood, the errors so far, and the check for unknown keys.
//! Never: stops at an error: a value that does not do leaves its default and a record that it
//! failed.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrorKind, Location, SourceText, is_secret_key, nearest};
use super::schema::{self, KeyStatus};
use super::values::{self, Item, Problem};

/// Keys of a table that an error lists.
const MOST_LISTED: usize = 12;

/// A table and where it belongs.
pub(super) struct Section<'a> {
    pub table: &'a DeTable<'a>,
    /// As errors show it: `brokers.paper`.
    pub path: String,
    /// As the schema lists it: `brokers`.
    pub schema: &'static str,
}

impl Section<'_> {
    pub fn key(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}

/// Where each key's value stands.
#[derive(Default)]
pub(super) struct Places(HashMap<String, Range<usize>>);

impl Places {
    /// The key's own place, else its table's.
    fn find(&self, key: &str) -> Option<Range<usize>> {
        let mut key = key;
        loop {
            if let Some(span) = self.0.get(key) {
                return Some(span.clone());
            }
            key = key.rsplit_once('.')?.0;
        }
    }
}

pub(super) struct Reader {
    pub source: Arc<SourceText>,
    places: Places,
    pub errors: Vec<ConfigError>,
    /// Keys whose value did not do.
    failed: Vec<String>,
}

impl Reader {
    pub fn new(source: Arc<SourceText>) -> Self {
        Self {
            source,
            places: Places::default(),
            errors: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// The place of a key, or of the table around it.
    pub fn location(&self, key: &str) -> Option<Location> {
        self.places.find(key).map(|span| self.at(span))
    }

    pub fn at(&self, span: Range<usize>) -> Location {
        Location::new(&self.source, span)
    }

    pub fn mark(&mut self, key: String, span: Range<usize>) {
        self.places.0.insert(key, span);
    }

    /// Whether the key, something in it, or a table around it failed: what rests on it is not worth
    /// checking.
    pub fn has_failed(&self, key: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
            })
        };
        self.failed
            .iter()
            .any(|failed| within(failed, key) || within(key, failed))
    }

    pub fn fail(&mut self, key: &str, span: Range<usize>, problem: Problem) {
        let at = self.at(span);
        self.fail_at(key, Some(at), problem);
    }

    pub fn fail_at(&mut self, key: &str, at: Option<Location>, problem: Problem) {
        let message = format!("`{key}` {}", problem.message);
        let mut error = ConfigError::new(problem.kind, key, message);
        error.hint = problem.hint;
        self.errors.push(error.at(at));
        self.failed.push(key.to_owned());
    }

    /// The value of a key, with its place noted.
    pub fn item<'a>(&mut self, section: &Section<'a>, name: &str) -> Option<Item<'a>> {
        debug_assert!(
            schema::find(section.schema, name).is_some(),
            "invariant: {name} of [{}] is in the schema",
            section.schema
        );
        let (key, value) = section.table.get_key_value(name)?;
        // A table that is only implied by a longer header has no place but its word there.
        let span = match value.span() {
            span if span.is_empty() => key.span(),
            span => span,
        };
        let item = Item {
            value: value.get_ref(),
            span,
        };
        self.mark(section.key(name), item.span.clone());
        Some(item)
    }

    /// Sets `target` when the key is there and its value does.
    pub fn set<T>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        target: &mut T,
        parse: impl FnOnce(&Item<'_>) -> Result<T, Problem>,
    ) {
        if let Some(item) = self.item(section, name) {
            match parse(&item) {
                Ok(value) => *target = value,
                Err(problem) => self.fail(&section.key(name), item.span, problem),
            }
        }
    }

    /// [`set`](Self::set) for what may be absent.
    pub fn set_some<T>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        target: &mut Option<T>,
        parse: impl FnOnce(&Item<'_>) -> Result<T, Problem>,
    ) {
        self.set(section, name, target, |item| parse(item).map(Some));
    }

    /// Sets `target` to an array's elements; each that does not do is an error of its own.
    pub fn set_list<T>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        target: &mut Vec<T>,
        parse: impl Fn(&Item<'_>) -> Result<T, Problem>,
    ) {
        let Some(item) = self.item(section, name) else {
            return;
        };
        let key = section.key(name);
        let DeValue::Array(array) = item.value else {
            let message = format!("must be an array, found {}", values::found(&item));
            let problem = match item.value {
                DeValue::String(text) => {
                    Problem::of_type(message).hint(format!("[\"{}\"]", values::shown(text)))
                }
                _ => Problem::of_type(message),
            };
            self.fail(&key, item.span, problem);
            return;
        };
        target.clear();
        for (index, element) in array.iter().enumerate() {
            let element = Item {
                value: element.get_ref(),
                span: element.span(),
            };
            let key = format!("{key}[{index}]");
            self.mark(key.clone(), element.span.clone());
            match parse(&element) {
                Ok(value) => target.push(value),
                Err(problem) => self.fail(&key, element.span, problem),
            }
        }
    }

    /// A table under a key, its keys checked.
    pub fn section<'a>(
        &mut self,
        parent: &Section<'a>,
        name: &str,
        schema: &'static str,
    ) -> Option<Section<'a>> {
        let item = self.item(parent, name)?;
        let path = parent.key(name);
        let DeValue::Table(table) = item.value else {
            let found = values::found(&item);
            let problem = Problem::of_type(format!("must be a table, found {found}"));
            self.fail(&path, item.span, problem.hint(format!("[{path}]")));
            return None;
        };
        let section = Section {
            table,
            path,
            schema,
        };
        self.check_keys(&section);
        Some(section)
    }

    /// Reports every key that is unknown or not built.
    pub fn check_keys(&mut self, section: &Section<'_>) {
        for (key, value) in section.table.iter() {
            let name: &str = key.get_ref();
            let error = match schema::find(section.schema, name).map(|known| known.status) {
                Some(KeyStatus::Built) => continue,
                Some(KeyStatus::NotBuilt(what)) => {
                    let message = format!("`{}`: {}", section.key(name), not_built(what));
                    ConfigError::new(ConfigErrorKind::NotBuilt, section.key(name), message)
                        .with_hint("remove it: what is not enforced is refused rather than ignored")
                }
                None => unknown(section, name),
            };
            // A table's own place is its header, which says more than one word of it.
            let span = match value.get_ref() {
                DeValue::Table(table) if !table.is_empty() && !value.span().is_empty() => {
                    value.span()
                }
                _ => key.span(),
            };
            let mut at = self.at(span);
            if section.schema == "brokers" && error.kind == ConfigErrorKind::UnknownKey {
                at = at.guarded();
            }
            self.errors.push(error.at(Some(at)));
        }
    }
}

/// The words for something known that this build does not have.
pub(super) fn not_built(what: &str) -> String {
    format!("{what} is not built in this version")
}

fn unknown(section: &Section<'_>, name: &str) -> ConfigError {
    let key = section.key(&values::shown(name));
    let siblings: Vec<&str> = schema::section(section.schema)
        .filter(|known| known.status == KeyStatus::Built)
        .map(|known| known.name)
        .collect();
    let elsewhere = schema::KEYS
        .iter()
        .filter(|known| known.name == name && known.status == KeyStatus::Built)
        .map(|known| match known.section {
            "" => "at the top of the file".to_owned(),
            "algorithm" => "in [[algorithm]]".to_owned(),
            "brokers" => "in [brokers.NAME]".to_owned(),
            section => format!("in [{section}]"),
        });
    let elsewhere: Vec<String> = elsewhere.collect();
    let all = schema::section(section.schema).map(|known| known.name);
    let begun = |known: &&str| name.len() >= 3 && known.starts_with(name);
    let near = nearest(name, all).or_else(|| siblings.iter().copied().find(begun));
    let hint = if let Some(near) = near {
        format!("did you mean `{near}`?")
    } else if !elsewhere.is_empty() {
        format!("`{name}` stands {}", elsewhere.join(" and "))
    } else if is_secret_key(name) {
        "secrets are taken as \"${NAME}\" from the environment, or by a `*_file` key".to_owned()
    } else if siblings.len() <= MOST_LISTED {
        format!("known here: {}", values::listed(&siblings))
    } else {
        "every key is documented in config/reference.toml".to_owned()
    };
    let message = format!("unknown key `{key}`");
    ConfigError::new(ConfigErrorKind::UnknownKey, key, message).with_hint(hint)
}
