//! Configuration errors: where they are, what is wrong, what would help.
//!
//! Runs on: start-up.
//! Owns: the source text, the rendering with line and caret, and the masking of secrets in it.
//! Never: shows the value of a key that looks like a secret.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::secret;

/// Errors that are rendered in full; further ones are counted.
const MOST_SHOWN: usize = 100;
/// Parts of key names whose values are never shown.
const SECRET_WORDS: [&str; 6] = [
    "key",
    "secret",
    "token",
    "password",
    "passphrase",
    "credential",
];

/// A configuration text with its name and lines.
#[derive(PartialEq, Eq)]
pub(super) struct SourceText {
    name: String,
    text: String,
    /// Byte offset of each line's begin.
    lines: Vec<usize>,
}

impl SourceText {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let begins = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            lines: std::iter::once(0).chain(begins).collect(),
        }
    }

    /// Zero-based line of a byte offset.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|&begin| begin <= offset) - 1
    }

    /// The line without its end.
    fn line(&self, line: usize) -> &str {
        let begin = self.lines[line];
        let end = self
            .lines
            .get(line + 1)
            .map_or(self.text.len(), |next| next - 1);
        let text = &self.text[begin..end];
        text.strip_suffix('\r').unwrap_or(text)
    }

    /// `offset` moved back to where a character begins.
    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// Whether the line opens a table: `[name]`.
    pub(super) fn is_header(&self, line: usize) -> bool {
        self.line(line).trim_start().starts_with('[')
    }
}

/// The debug form leaves the text out: it may hold a secret.
impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceText({})", self.name)
    }
}

/// A place in a configuration file; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    source: Arc<SourceText>,
    span: Range<usize>,
    /// Whether the line's value may be a secret by a name that is not known.
    guarded: bool,
}

impl Location {
    pub(super) fn new(source: &Arc<SourceText>, span: Range<usize>) -> Self {
        let start = source.boundary(span.start);
        let end = source.boundary(span.end).max(start);
        Self {
            source: Arc::clone(source),
            span: start..end,
            guarded: false,
        }
    }

    /// The same place, shown without the line's value.
    pub(super) fn guarded(self) -> Self {
        Self {
            guarded: true,
            ..self
        }
    }

    /// The file, as it was named to the loader.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// One-based line.
    #[must_use]
    pub fn line(&self) -> usize {
        self.source.line_of(self.span.start) + 1
    }

    /// One-based column, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        let begin = self.source.lines[self.source.line_of(self.span.start)];
        self.source.text[begin..self.span.start].chars().count() + 1
    }

    /// The line as it may be shown, and the caret's bytes in it (its first line's part).
    fn shown(&self) -> (Cow<'_, str>, Range<usize>) {
        let line = self.source.line_of(self.span.start);
        let (begin, text) = (self.source.lines[line], self.source.line(line));
        let start = (self.span.start - begin).min(text.len());
        let mut end = (self.span.end - begin).clamp(start, text.len());
        if end == start {
            end += text[start..].chars().next().map_or(0, char::len_utf8);
        }
        let shown = match self.guarded {
            true => masked_whole(text),
            false => masked(text),
        };
        (shown, start..end)
    }
}

/// `line` with what follows the `=` of a secret's key overwritten, byte for byte, so that carets
/// stay in place.
fn masked(line: &str) -> Cow<'_, str> {
    let lower = line.to_ascii_lowercase();
    let secret_at = lower
        .match_indices('=')
        .map(|(at, _)| at)
        .find(|&at| is_secret_key(key_before(&lower[..at])));
    let Some(at) = secret_at else {
        return Cow::Borrowed(line);
    };
    let (shown, hidden) = line.split_at(at + 1);
    let quoted = hidden.trim().strip_prefix('"');
    let inner = quoted.and_then(|value| value.strip_suffix('"'));
    if inner.is_some_and(|value| secret::variable(value).is_some()) {
        return Cow::Borrowed(line);
    }
    let stars = hidden
        .bytes()
        .map(|byte| if byte == b' ' { ' ' } else { '*' });
    Cow::Owned(shown.chars().chain(stars).collect())
}

/// `line` with everything after its first `=` overwritten.
fn masked_whole(line: &str) -> Cow<'_, str> {
    match line.split_once('=') {
        Some((shown, hidden)) => Cow::Owned(format!("{shown}={}", "*".repeat(hidden.len()))),
        None => Cow::Borrowed(line),
    }
}

/// The last word before an equals sign.
fn key_before(text: &str) -> &str {
    let text = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    let begin = text
        .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .map_or(0, |at| at + 1);
    text.get(begin..).unwrap_or_default()
}

/// Whether a key's value is to be hidden: by its name, or because it may be a misspelt secret's.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let near = |name: &&str| strsim::damerau_levenshtein(name, &key) <= 2;
    !key.ends_with("_file")
        && (SECRET_WORDS.iter().any(|word| key.contains(word))
            || ["api_key", "api_secret"].iter().any(near))
}

/// What kind of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// The file cannot be read.
    File,
    /// It is no TOML.
    Syntax,
    /// No such key.
    UnknownKey,
    /// A value of the wrong type or form.
    Type,
    /// A value out of range, or at odds with another.
    Value,
    /// Something needed is absent.
    Missing,
    /// Known, but not built in this version.
    NotBuilt,
    /// A secret in plain text, absent, or readable by others.
    Secret,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// What kind.
    pub kind: ConfigErrorKind,
    /// The key's whole path, as `risk_management.max_drawdown` or `algorithm[0].name`; empty for
    /// the whole file.
    pub key: String,
    /// What is wrong, with the value found.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
    /// Where; `None` for settings made by a program.
    pub location: Option<Location>,
}

impl ConfigError {
    /// An error about `key`, placed nowhere yet.
    #[must_use]
    pub fn new(kind: ConfigErrorKind, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            key: key.into(),
            message: message.into(),
            hint: None,
            location: None,
        }
    }

    /// With a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// At a place.
    #[must_use]
    pub fn at(mut self, location: Option<Location>) -> Self {
        self.location = location;
        self
    }

    /// One-based line.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.location.as_ref().map(Location::line)
    }

    /// One-based column, in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.location.as_ref().map(Location::column)
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(&self.message);
        let mut group = match &self.location {
            Some(location) => {
                let (line, span) = location.shown();
                title.element(
                    Snippet::source(line)
                        .line_start(location.line())
                        .path(location.file())
                        .annotation(AnnotationKind::Primary.span(span)),
                )
            }
            None => Group::with_title(title),
        };
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl std::error::Error for ConfigError {}

/// Every mistake of a configuration, in order of place. Never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// `Ok` for no errors, else all of them sorted by place; those without one come last.
    ///
    /// # Errors
    /// The errors given.
    pub fn check(mut errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by_key(|error| {
            error
                .location
                .as_ref()
                .map_or(usize::MAX, |location| location.span.start)
        });
        Err(Self { errors })
    }

    /// How many; at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }

    /// As a JSON object: `ok` is false, `errors` has one object a mistake.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let errors: Vec<_> = self
            .errors
            .iter()
            .map(|error| {
                serde_json::json!({
                    "file": error.location.as_ref().map(Location::file),
                    "line": error.line(),
                    "column": error.column(),
                    "key": error.key,
                    "message": error.message,
                    "hint": error.hint,
                })
            })
            .collect();
        serde_json::json!({ "ok": false, "errors": errors })
    }

    /// All of them as text, with ANSI colours if asked for.
    #[must_use]
    pub fn render(&self, colored: bool) -> String {
        let renderer = if colored {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for error in self.errors.iter().take(MOST_SHOWN) {
            text.push_str(&error.render(&renderer));
            text.push_str("\n\n");
        }
        if self.len() > MOST_SHOWN {
            text.push_str(&format!("... and {} more\n\n", self.len() - MOST_SHOWN));
        }
        let plural = if self.len() == 1 { "" } else { "s" };
        text.push_str(&format!("{} configuration error{plural}", self.len()));
        text
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self {
            errors: vec![error],
        }
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// As shown: what `main` prints when it returns the error.
impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

/// The candidate most like `name`, when one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(64).collect::<String>().to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= (candidate.len().max(name.len()) / 3).max(1))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_secret_is_masked_with_carets_in_place() {
        for (line, shown) in [
            ("api_key = \"AK123\"", "api_key = *******"),
            (
                "x = { api_key = \"AK\", y = 1 }",
                "x = { api_key = ***** * * * *",
            ),
            ("\"api_secret\" = \"é\"", "\"api_secret\" = ****"),
            ("api_key = \"${NAME}\"", "api_key = \"${NAME}\""),
            (
                "api_key = \"${A}\" # AK1 \"${B}\"",
                "api_key = ****** * *** ******",
            ),
            ("api_key_file = \"/run/key\"", "api_key_file = \"/run/key\""),
            ("# api_key = \"AK123\"", "# api_key = *******"),
            ("api_kye = \"AK123\"", "api_kye = *******"),
            ("  pasword = 1", "  pasword = 1"),
            ("symbols = [\"IBM\"]", "symbols = [\"IBM\"]"),
        ] {
            assert_eq!(masked(line), shown, "{line}");
        }
        assert_eq!(masked_whole("pasword = 1é"), "pasword =****");
    }

    #[test]
    fn places_are_counted_in_characters_from_one() {
        let source = Arc::new(SourceText::new("f", "a = 1\r\né = 2\nlast"));
        let at = |offset: usize| {
            let place = Location::new(&source, offset..offset + 1);
            (place.line(), place.column())
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(7), (2, 1));
        assert_eq!(at(8), (2, 1), "inside a character: its begin");
        assert_eq!(at(9), (2, 2));
        assert_eq!(at(14), (3, 1));
        assert_eq!(at(99), (3, 5));
    }

    #[test]
    fn only_a_near_name_is_proposed() {
        let known = ["max_order_size", "seed", "cash"];
        assert_eq!(nearest("max_order_sze", known), Some("max_order_size"));
        assert_eq!(nearest("SEED", known), Some("seed"));
        assert_eq!(nearest("volatility", known), None);
    }
}
