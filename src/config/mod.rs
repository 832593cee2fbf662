//! Configuration: from a TOML file, or a program, to checked settings.
//!
//! Runs on: start-up, once.
//! Owns: every key, its default, its range, and the errors, all of them at once with line and
//! caret.
//! Never: lets through a key that nothing enforces, a number through `f64`, or a secret in plain
//! text.
//!
//! A file is read by [`Config::load`]; a program may as well start from [`Config::default`], set
//! fields, and call [`Config::validate`]. Every key is documented in `config/reference.toml`.
//!
//! Paths of inputs (`market.path`, `*_file`) that are relative are looked for beside the
//! configuration file first, then in the working directory. Paths of outputs (`state.dir`,
//! `report.dir`) are relative to the working directory.
//!
//! ```
//! use shrike::config::Config;
//!
//! let errors = Config::parse("[execution]\nmax_order_sze = 100\n", "mine.toml").unwrap_err();
//! let error = errors.iter().next().unwrap();
//! assert_eq!((error.line(), error.column()), (Some(2), Some(1)));
//! assert_eq!(error.hint.as_deref(), Some("did you mean `max_order_size`?"));
//! ```

mod algorithm;
mod broker;
mod check;
mod error;
mod limits;
mod load;
mod market;
mod model;
mod reader;
mod risk;
pub mod schema;
pub mod secret;
mod trading;
mod validate;
mod values;

use std::path::Path;

pub use algorithm::{AlgorithmConfig, Parameter, ParameterValue, Parameters};
pub use broker::{BrokerConfig, BrokerKind, FeeConfig, LatencyConfig, Shortable};
pub use error::{ConfigError, ConfigErrorKind, ConfigErrors, Location, nearest};
pub use market::{DateRange, MarketConfig, MarketSource, SessionRule, Speed, SyntheticConfig};
pub use model::{
    Config, CoresConfig, ExecutionConfig, JournalConfig, Layout, Profile, ReportConfig,
    StateConfig, ThreadsConfig,
};
pub use risk::{FeedSilence, RiskConfig};
pub use secret::{Secret, SecretSource};
pub use values::parse_duration;

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        load::load(path.as_ref())
    }

    /// Reads and checks a text; `name` stands for the file in errors. Paths stay as they are
    /// written, and whether the market's data exist is not looked at.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigErrors> {
        load::parse(text, name, None)
    }

    /// Checks settings that a program made: the same checks that a file goes through.
    ///
    /// # Errors
    /// Everything that is wrong, without places.
    pub fn validate(&self) -> Result<(), ConfigErrors> {
        let problems = validate::problems(self);
        ConfigErrors::check(problems.into_iter().map(|problem| problem.error).collect())
    }

    /// What is right but worth a line at start.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        validate::notes(self)
    }
}
