//! Putting an engine together.
//!
//! Runs on: the caller's thread.
//! Owns: the choice of algorithms, handlers, state and report before anything is opened.
//! Never: opens a file or starts a thread.

use std::path::Path;

use super::algorithm::{Algorithm, AlgorithmParameters, AlgorithmRegistry, FactoryError};
use super::boot::StateChoice;
use super::error::EngineError;
use super::execution_engine::{Blueprint, ExecutionEngine};
use super::settings;
use super::wiring::Recruit;
use crate::cold::{EngineEvent, EventBus, Handler};
use crate::config::{AlgorithmConfig, Config, ConfigError, ConfigErrors, Parameters};
use crate::types::{BrokerId, InstrumentTable, Symbol};

/// Events that may wait for the handlers.
const BUS_CAPACITY: usize = 16_384;

/// An algorithm handed over as a value.
struct Own {
    name: String,
    symbols: Vec<String>,
    algorithm: Box<dyn Algorithm>,
}

/// See the module; made by [`ExecutionEngine::builder`].
pub struct EngineBuilder {
    config: Config,
    registry: AlgorithmRegistry,
    own: Vec<Own>,
    handlers: Vec<Handler>,
    choice: StateChoice,
    report_dir: Option<std::path::PathBuf>,
}

impl EngineBuilder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            report_dir: config.report.dir.clone(),
            config,
            registry: AlgorithmRegistry::builtin(),
            own: Vec::new(),
            handlers: Vec::new(),
            choice: StateChoice {
                fresh: true,
                resume: false,
            },
        }
    }

    /// The algorithms that the configuration may name; the built-in ones unless set.
    #[must_use]
    pub fn registry(mut self, registry: AlgorithmRegistry) -> Self {
        self.registry = registry;
        self
    }

    /// Adds an algorithm beside the configured ones. `symbols` are among the market's; empty: all of them.
    #[must_use]
    pub fn algorithm(
        mut self,
        name: &str,
        symbols: &[&str],
        algorithm: Box<dyn Algorithm>,
    ) -> Self {
        let symbols = symbols.iter().map(|&symbol| symbol.to_owned()).collect();
        self.own.push(Own {
            name: name.to_owned(),
            symbols,
            algorithm,
        });
        self
    }

    /// Calls `handler` for every event, on the DELIVERY thread.
    #[must_use]
    pub fn event_handler(mut self, handler: impl FnMut(&EngineEvent) + Send + 'static) -> Self {
        self.handlers.push(Box::new(handler));
        self
    }

    /// Whether a run for which the configuration names no state directory begins afresh in a temporary one (the
    /// default) or continues the user's.
    #[must_use]
    pub const fn fresh_state(mut self, fresh: bool) -> Self {
        self.choice.fresh = fresh;
        self
    }

    /// Continues the user's state directory in any case.
    #[must_use]
    pub const fn resume(mut self, resume: bool) -> Self {
        self.choice.resume = resume;
        self
    }

    /// Where the session report is written.
    #[must_use]
    pub fn report_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.report_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Checks everything that needs no file, and makes the algorithms.
    ///
    /// # Errors
    /// [`EngineError`] for a configuration that does not hold together, an unknown algorithm or symbol, or an
    /// algorithm that refuses its parameters.
    pub fn build(self) -> Result<ExecutionEngine, EngineError> {
        self.config.validate()?;
        let table = settings::instruments(&self.config, &[]);
        let mut recruits = Vec::new();
        for configured in self.config.enabled_algorithms() {
            recruits.push(recruit(&self.config, &self.registry, &table, configured)?);
        }
        for own in self.own {
            recruits.push(enlist(&table, own)?);
        }
        let labels: Vec<String> = recruits
            .iter()
            .map(|recruit| recruit.label.clone())
            .collect();
        settings::Roster::new(&labels, self.config.threads.max_ports)?;
        let (bus, publisher, delivery) = EventBus::new(BUS_CAPACITY);
        for handler in self.handlers {
            bus.add_handler(handler);
        }
        let blueprint = Blueprint {
            config: self.config,
            recruits,
            choice: self.choice,
            report_dir: self.report_dir,
            publisher,
            delivery,
        };
        Ok(ExecutionEngine::new(blueprint, bus))
    }
}

/// Every algorithm of the configuration that this registry cannot make, with the reason.
#[must_use]
pub fn check_algorithms(config: &Config, registry: &AlgorithmRegistry) -> Vec<EngineError> {
    let table = settings::instruments(config, &[]);
    config
        .enabled_algorithms()
        .filter_map(|configured| recruit(config, registry, &table, configured).err())
        .collect()
}

/// Whether this machine can carry the layout that a configuration asks for.
///
/// # Errors
/// The reason why not, with the numbers compared.
pub fn check_machine(config: &Config) -> Result<(), EngineError> {
    let algorithms = config.enabled_algorithms().count();
    super::wiring::plan(config, algorithms).map(drop)
}

fn recruit(
    config: &Config,
    registry: &AlgorithmRegistry,
    table: &InstrumentTable,
    configured: &AlgorithmConfig,
) -> Result<Recruit, EngineError> {
    let factory = registry.get(&configured.name).ok_or_else(|| {
        let unknown: ConfigError = configured.unknown_kind(registry.names());
        EngineError::Config(unknown.into())
    })?;
    let parameters = AlgorithmParameters {
        name: configured.id.clone(),
        symbols: subscribe(table, config, &configured.symbols),
        values: configured.parameters.clone(),
        preferred_broker: configured.broker.as_deref().and_then(|name| {
            let mut brokers = config.enabled_brokers();
            brokers
                .position(|broker| broker.name == name)
                .map(|at| BrokerId(at as u8))
        }),
    };
    let algorithm = factory(&parameters).map_err(|error| refused(configured, error))?;
    Ok(Recruit {
        label: configured.id.clone(),
        parameters,
        algorithm,
    })
}

/// An error that knows its place in the file shows it.
fn refused(configured: &AlgorithmConfig, error: FactoryError) -> EngineError {
    let error = match error.downcast::<ConfigError>() {
        Ok(placed) => return EngineError::Config((*placed).into()),
        Err(error) => error,
    };
    match error.downcast::<ConfigErrors>() {
        Ok(placed) => EngineError::Config(*placed),
        Err(error) => EngineError::Algorithm {
            name: configured.id.clone(),
            message: error.to_string(),
        },
    }
}

fn subscribe(
    table: &InstrumentTable,
    config: &Config,
    symbols: &[Symbol],
) -> Vec<crate::types::InstrumentId> {
    settings::subscriptions(
        table,
        if symbols.is_empty() {
            &config.market.symbols
        } else {
            symbols
        },
    )
}

fn enlist(table: &InstrumentTable, own: Own) -> Result<Recruit, EngineError> {
    let mut symbols = Vec::new();
    for symbol in &own.symbols {
        symbols.push(
            table
                .find(symbol)
                .ok_or_else(|| EngineError::UnknownSymbol {
                    name: own.name.clone(),
                    symbol: symbol.clone(),
                })?,
        );
    }
    if symbols.is_empty() {
        symbols = settings::subscriptions(table, &[]);
    }
    let parameters = AlgorithmParameters {
        name: own.name.clone(),
        symbols,
        values: Parameters::default(),
        preferred_broker: None,
    };
    Ok(Recruit {
        label: own.name,
        parameters,
        algorithm: own.algorithm,
    })
}
