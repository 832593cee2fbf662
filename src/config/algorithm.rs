//! Settings of an algorithm, and the parameters that only it understands.
//!
//! Runs on: start-up.
//! Owns: [`AlgorithmConfig`], and [`Parameters`] with their places, for the algorithm's own errors.
//! Never: knows which algorithms exist: the binary's registry does.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;

use super::error::{ConfigError, ConfigErrorKind, ConfigErrors, Location, nearest};
use super::values;
use crate::types::{Quantity, Symbol};

/// `[[algorithm]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlgorithmConfig {
    /// The kind, as the binary's registry knows it; "demo" is built in.
    pub name: String,
    /// The instance's name in reports; unique. Default: the kind.
    pub id: String,
    /// Whether it runs. Default true.
    pub enabled: bool,
    /// What it sees and trades; empty: all of the market's symbols.
    pub symbols: Vec<Symbol>,
    /// The broker that its orders prefer.
    pub broker: Option<String>,
    /// Its own largest order, shares; not above `execution.max_order_size`.
    pub max_order_size: Option<Quantity>,
    /// Its own largest worst-case position, shares; not above `execution.max_position_size`.
    pub max_position_size: Option<Quantity>,
    /// What only it understands.
    pub parameters: Parameters,
    /// Where its name stands in the file, for the registry's error about an unknown kind.
    pub location: Option<Location>,
}

impl AlgorithmConfig {
    /// An enabled algorithm of this kind without parameters.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            id: name.clone(),
            name,
            enabled: true,
            symbols: Vec::new(),
            broker: None,
            max_order_size: None,
            max_position_size: None,
            parameters: Parameters::default(),
            location: None,
        }
    }

    /// The error for a kind that no registry entry has.
    #[must_use]
    pub fn unknown_kind<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> ConfigError {
        let known: Vec<&str> = known.into_iter().collect();
        let message = format!(
            "no algorithm `{}` in this program",
            values::shown(&self.name)
        );
        let hint = match nearest(&self.name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", values::listed(&known)),
        };
        ConfigError::new(ConfigErrorKind::Value, "algorithm.name", message)
            .with_hint(hint)
            .at(self.location.clone())
    }
}

/// A parameter's value. Numbers with a point are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A decimal number.
    Decimal(Decimal),
    /// True or false.
    Boolean(bool),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
        }
    }
}

/// A parameter and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// What it is set to.
    pub value: ParameterValue,
    /// Where.
    pub location: Option<Location>,
}

/// An algorithm's own settings by name. Every reader gives `None` for an absent one, and an error
/// with file, line and caret for a value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(BTreeMap<String, Parameter>);

impl Parameters {
    /// Sets one.
    pub fn set(&mut self, name: impl Into<String>, value: ParameterValue) {
        self.insert(name.into(), value, None);
    }

    pub(super) fn insert(&mut self, name: String, value: ParameterValue, at: Option<Location>) {
        let location = at;
        self.0.insert(name, Parameter { value, location });
    }

    /// Each by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Parameter)> {
        self.0
            .iter()
            .map(|(name, parameter)| (name.as_str(), parameter))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.0.get(name)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An error about one of them, at its place.
    #[must_use]
    pub fn error(&self, name: &str, message: impl fmt::Display) -> ConfigError {
        let key = format!("parameters.{name}");
        let at = self.get(name).and_then(|found| found.location.clone());
        ConfigError::new(ConfigErrorKind::Value, &*key, format!("`{key}` {message}")).at(at)
    }

    /// Refuses names that are not among `known`.
    ///
    /// # Errors
    /// Every unknown one, with the nearest known name.
    pub fn check_known(&self, known: &[&str]) -> Result<(), ConfigErrors> {
        let unknown = self.0.keys().filter(|name| !known.contains(&name.as_str()));
        let errors = unknown.map(|name| {
            let mut error = self.error(name, "is no parameter of this algorithm");
            error.kind = ConfigErrorKind::UnknownKey;
            error.with_hint(match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it takes {}", values::listed(known)),
            })
        });
        ConfigErrors::check(errors.collect())
    }

    fn read<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl Fn(&ParameterValue) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(parameter) = self.get(name) else {
            return Ok(None);
        };
        read(&parameter.value).map(Some).ok_or_else(|| {
            let found = values::shown(&parameter.value.to_string());
            let message = format!("must be {wanted}, found `{found}`");
            let mut error = self.error(name, message);
            error.kind = ConfigErrorKind::Type;
            error
        })
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, ConfigError> {
        self.read(name, "a whole number", |value| match value {
            ParameterValue::Integer(value) => Some(*value),
            _ => None,
        })
    }

    /// True or false.
    ///
    /// # Errors
    /// When it is something else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        self.read(name, "true or false", |value| match value {
            ParameterValue::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    /// Text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ConfigError> {
        match self.get(name).map(|parameter| &parameter.value) {
            Some(ParameterValue::Text(text)) => Ok(Some(text)),
            _ => self.read(name, "a string", |_| None),
        }
    }

    /// A duration, as "500ms".
    ///
    /// # Errors
    /// When it is something else.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, ConfigError> {
        self.read(name, "a duration as \"500ms\"", |value| match value {
            ParameterValue::Text(text) => values::parse_duration(text).ok(),
            _ => None,
        })
    }

    /// An exact decimal number of any fixed-point type ([`Price`](crate::types::Price),
    /// [`Quantity`], [`Ratio`](crate::types::Ratio), [`Money`](crate::types::Money)), written as a
    /// number or as a string.
    ///
    /// # Errors
    /// When it is something else, too precise or too large.
    pub fn decimal<T: FromStr>(&self, name: &str) -> Result<Option<T>, ConfigError> {
        self.read(name, "a decimal number in range", |value| match value {
            ParameterValue::Boolean(_) => None,
            number => number.to_string().parse().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Price;

    fn parameters() -> Parameters {
        let mut parameters = Parameters::default();
        parameters.set("lot", ParameterValue::Integer(100));
        parameters.set("edge", ParameterValue::Decimal(Decimal::new(10, 2)));
        parameters.set("every", ParameterValue::Text("250us".to_owned()));
        parameters.set("both", ParameterValue::Boolean(true));
        parameters
    }

    #[test]
    fn parameters_are_read_exactly_by_their_type() {
        let parameters = parameters();
        assert_eq!(parameters.integer("lot").expect("fits"), Some(100));
        let edge: Option<Price> = parameters.decimal("edge").expect("fits");
        assert_eq!(edge, Some(Price::from_units(100_000_000)));
        let every = parameters.duration("every").expect("fits");
        assert_eq!(every, Some(Duration::from_micros(250)));
        assert_eq!(parameters.boolean("both").expect("fits"), Some(true));
        assert_eq!(parameters.text("every").expect("fits"), Some("250us"));
        assert_eq!(parameters.integer("absent").expect("absent"), None);
        assert_eq!(parameters.text("absent").expect("absent"), None);
    }

    #[test]
    fn a_parameter_of_another_type_or_name_is_an_error() {
        let parameters = parameters();
        let error = parameters.integer("edge").expect_err("no whole number");
        assert_eq!(
            error.message,
            "`parameters.edge` must be a whole number, found `0.10`"
        );
        assert!(parameters.text("lot").is_err());
        assert!(parameters.decimal::<Price>("both").is_err());
        assert!(parameters.duration("lot").is_err());
        let errors = parameters
            .check_known(&["lot", "edges", "every"])
            .expect_err("two unknown");
        assert_eq!(errors.len(), 2);
        let hints: Vec<_> = errors.iter().filter_map(|e| e.hint.as_deref()).collect();
        assert!(hints.contains(&"did you mean `edges`?"), "{hints:?}");
    }

    #[test]
    fn an_unknown_kind_names_the_nearest() {
        let error = AlgorithmConfig::new("dmeo").unknown_kind(["demo", "grid"]);
        assert_eq!(error.hint.as_deref(), Some("did you mean `demo`?"));
    }
}
