//! The only wiring: rings, agents and threads of one engine.
//!
//! Runs on: start-up.
//! Owns: which agent holds which end of which ring, and which runner polls which agent.
//! Never: holds trading logic.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::algorithm::{Algorithm, AlgorithmAgent, AlgorithmParameters};
use super::boot::{self, Boot, Tables};
use super::cold_agents::{EnginePortAgent, JournalAgent, journal_source};
use super::error::EngineError;
use super::execution_manager::ExecutionManager;
use super::machine::{Machine, Threads, Waking};
use super::port::{OrderView, Port, PortParts};
use super::settings::{self, Roster, nanos};
use super::shared::{BrokerInfo, EngineShared};
use super::source::{self, Opened};
use crate::cold::{ColdAgent, ColdSettings, ColdShared, Delivery, Publisher};
use crate::config::{Config, Speed};
use crate::gateway::GatewayRings;
use crate::gateway::paper::{self, PaperParts};
use crate::journal::record::Name;
use crate::journal::{JournalFollower, JournalStatus, JournalWriter};
use crate::market::feed::DEFAULT_ROWS_PER_POLL;
use crate::market::{AlgorithmRing, FeedOutputs, FeedStatus, MarketFeed, MarketSource};
use crate::order::{FastExecutionPath, OrderGauges, OrderRings, PortHealth};
use crate::ring::{BoardReader, BoardWriter, Consumer, Producer, RingKind, Topology, board};
use crate::risk::{RiskAgent, RiskRings, RiskStatus};
use crate::runtime::layout::{Plan, PlanRequest, Role};
use crate::runtime::{
    AGENT_STACK_BYTES, Agent, Clock, Guard, Invoker, ManualTime, Runner, RunnerSettings,
    WakeHandle, memory, spawn_all, usable_cores,
};
use crate::types::{
    AccountStatement, BrokerId, InstrumentId, InstrumentTable, KillScope, KillWord, MarketUpdate,
    OrderReport, PortCommand, PortId, RecoveredState, RecoveredTradingState, RoutingTable, Scope,
    SessionSchedule, StrategyId, TradingState,
};

/// An algorithm that is to run.
pub(super) struct Recruit {
    pub label: String,
    pub parameters: AlgorithmParameters,
    pub algorithm: Box<dyn Algorithm>,
}

/// What an engine consists of once it is wired; agents already run (the feed waits).
pub(super) struct Wired {
    pub machine: Machine,
    pub shared: Arc<EngineShared>,
    pub manager: Arc<Mutex<ExecutionManager>>,
    pub spare_ports: Vec<PortParts>,
    pub topology: Topology,
    pub cold: ColdShared,
    pub feed: Arc<FeedStatus>,
    pub journal: JournalStatus,
    pub order_gauges: Arc<OrderGauges>,
    pub statements: Vec<Arc<OnceLock<AccountStatement>>>,
    pub guard: Guard,
    pub clock: Clock,
    pub schedule: SessionSchedule,
    pub plan: Plan,
    pub recovered: RecoveredState,
    pub roster: Roster,
    pub boot: Boot,
    pub memory: String,
}

/// Everything that the agents are built from.
struct Parts<'a> {
    config: &'a Config,
    boot: &'a Boot,
    recovered: RecoveredState,
    table: Arc<InstrumentTable>,
    brokers: Vec<BrokerInfo>,
    roster: Roster,
    clock: Clock,
    schedule: SessionSchedule,
    routing: RoutingTable,
    shared: Arc<EngineShared>,
    kill: Arc<KillWord>,
    board: BoardReader,
}

/// Orders beyond the limit of open ones that a port may have on their way.
const PORT_SLACK: usize = 1_024;

/// Agents by the role that the plan gives them.
type Cast = HashMap<Role, Box<dyn Agent>>;

/// The ports' ends of their rings.
#[derive(Default)]
struct PortRings {
    requests: Vec<Producer<PortCommand>>,
    reports: Vec<Consumer<OrderReport>>,
}

pub(super) fn plan(config: &Config, algorithms: usize) -> Result<Plan, EngineError> {
    let cores = usable_cores()?;
    let request = PlanRequest {
        choice: settings::layout_choice(config),
        profile: settings::profile(config),
        cores: &cores,
        brokers: config.enabled_brokers().count(),
        algorithms,
        explicit_cores: &settings::explicit_cores(config),
    };
    Ok(crate::runtime::layout::plan(&request)?)
}

/// What is known before the first agent is built.
struct Ground<'a> {
    parts: Parts<'a>,
    guard: Guard,
    opened: Opened,
    board: BoardWriter,
}

fn lay_ground<'a>(
    config: &'a Config,
    boot: &'a Boot,
    plan: &Plan,
    recruits: &[Recruit],
) -> Result<Ground<'a>, EngineError> {
    let labels: Vec<String> = recruits
        .iter()
        .map(|recruit| recruit.label.clone())
        .collect();
    let roster = Roster::new(&labels, config.threads.max_ports)?;
    let brokers = settings::brokers(config);
    let table = Arc::new(settings::instruments(config, &boot.recovered.symbols));
    let mut recovered = remap(boot, &table, &brokers, &roster)?;
    if boot.halted.is_some() {
        // Before the first order can be: RISK begins halted.
        recovered.trading_states.push(RecoveredTradingState {
            scope: Scope::Firm,
            state: TradingState::Halted,
            cause: None,
        });
    }
    let opened = source::open(config, &table, plan.layout, boot.recovered.last_time)?;
    let schedule = settings::schedule(config, opened.clock.now())?;
    let routing = settings::routing(config, &brokers, &table)?;
    let guard = Guard::default();
    let (board_writer, board_reader) = board(table.len());
    let shared = Arc::new(EngineShared::new(
        Arc::clone(&table),
        brokers.clone(),
        Arc::clone(&guard.kill),
        Arc::new(PortHealth::new(roster.ports)),
        Arc::new(RiskStatus::new()),
        Arc::clone(&guard.faults),
    ));
    let parts = Parts {
        config,
        boot,
        recovered,
        table,
        brokers,
        roster,
        clock: opened.clock.clone(),
        schedule,
        routing,
        shared,
        kill: Arc::clone(&guard.kill),
        board: board_reader,
    };
    Ok(Ground {
        parts,
        guard,
        opened,
        board: board_writer,
    })
}

/// Agents and rings of an engine before they are put on threads.
struct Assembly {
    cast: Cast,
    topology: Topology,
    manager: Arc<Mutex<ExecutionManager>>,
    spare_ports: Vec<PortParts>,
    hot: HotGauges,
    feed: Arc<FeedStatus>,
    cold: ColdShared,
    journal: JournalStatus,
}

/// Builds every agent, joins them by rings, and starts them (MARKET and algorithms wait).
pub(super) fn wire(
    config: &Config,
    boot: Boot,
    plan: Plan,
    recruits: Vec<Recruit>,
    events: (Publisher, Delivery),
) -> Result<Wired, EngineError> {
    let memory = lock_memory(config);
    let ground = lay_ground(config, &boot, &plan, &recruits)?;
    let Ground {
        parts,
        guard,
        opened,
        board,
    } = ground;
    let Opened { source, time, .. } = opened;
    // In virtual time each row is dealt with by all agents before the next is read.
    let rows = if time.is_some() {
        1
    } else {
        DEFAULT_ROWS_PER_POLL
    };
    let built = assemble(&parts, (source, rows), board, recruits, events)?;
    let ends = (&parts.clock, &guard);
    let machine = cast_machine(config, &plan, built.cast, &parts.shared, ends, time)?;
    let Parts {
        shared,
        clock,
        schedule,
        recovered,
        roster,
        ..
    } = parts;
    Ok(Wired {
        machine,
        shared,
        manager: built.manager,
        spare_ports: built.spare_ports,
        topology: built.topology,
        cold: built.cold,
        feed: built.feed,
        journal: built.journal,
        order_gauges: built.hot.gauges,
        statements: built.hot.statements,
        guard,
        clock,
        schedule,
        plan,
        recovered,
        roster,
        boot,
        memory,
    })
}

fn assemble(
    parts: &Parts<'_>,
    (source, rows): (Box<dyn MarketSource>, usize),
    board: BoardWriter,
    recruits: Vec<Recruit>,
    (publisher, delivery): (Publisher, Delivery),
) -> Result<Assembly, EngineError> {
    let (writer, follower) = journal(parts)?;
    let journal = writer.status();
    let (mut topology, mut cast) = (Topology::new(), Cast::new());
    let (dirty, dirty_out) = topology.ring(RingKind::DirtyInstruments, None, None);
    let (paper, algorithm_rings) = (Vec::new(), Vec::new());
    let mut outputs = FeedOutputs {
        board,
        paper,
        dirty,
        algorithms: algorithm_rings,
    };
    let ends = hot_agents(
        parts,
        &mut topology,
        &mut cast,
        &mut outputs,
        dirty_out,
        writer,
    )?;
    let mut ports = ports(parts, ends.ports);
    algorithms(
        parts,
        &mut topology,
        &mut cast,
        &mut outputs,
        &mut ports,
        recruits,
    );
    let own = manager(ports.remove(0), &parts.recovered);
    let manager = Arc::new(Mutex::new(own));
    let feed = MarketFeed::new(source, outputs, rows)?;
    let feed_status = feed.status();
    let (cold, cold_shared) = ColdAgent::new(
        ColdSettings {
            working_orders: parts.config.execution.max_open_orders as usize,
            ..ColdSettings::default()
        },
        parts.recovered.clone(),
        ends.events,
        parts.board.clone(),
        publisher,
        journal_source(parts.boot),
    );
    let cold = EnginePortAgent::new(Box::new(cold), Arc::clone(&manager));
    cast.insert(Role::Market, Box::new(feed));
    cast.insert(Role::Cold, Box::new(cold));
    cast.insert(Role::Journal, Box::new(JournalAgent::new(follower)));
    cast.insert(Role::Delivery, Box::new(delivery));
    Ok(Assembly {
        cast,
        topology,
        manager,
        spare_ports: ports,
        hot: ends.gauges,
        feed: feed_status,
        cold: cold_shared,
        journal,
    })
}

fn journal(parts: &Parts<'_>) -> Result<(JournalWriter, JournalFollower), EngineError> {
    let brokers = parts.brokers.iter().map(|broker| broker.name.as_str());
    let tables = Tables {
        instruments: &parts.table,
        brokers: brokers.collect(),
        strategies: &parts.roster.names,
    };
    boot::begin_journal(parts.config, parts.boot, &tables, parts.clock.now())
}

fn remap(
    boot: &Boot,
    table: &InstrumentTable,
    brokers: &[BrokerInfo],
    roster: &Roster,
) -> Result<RecoveredState, EngineError> {
    let state = boot.recovered.clone().remap(
        |symbol| table.find(symbol.as_str()).unwrap_or_default(),
        |name| {
            brokers
                .iter()
                .find(|broker| Name::new(&broker.name).as_str() == name)
                .map(|broker| broker.id)
        },
        |name| roster.find(name),
    )?;
    Ok(state)
}

fn lock_memory(config: &Config) -> String {
    if config.threads.lock_memory {
        memory::lock_process_memory().to_string()
    } else {
        "not asked for".to_owned()
    }
}

/// What the hot agents leave for others to hold.
struct HotEnds {
    ports: PortRings,
    events: Consumer<crate::types::Event>,
    gauges: HotGauges,
}

/// What may be read of the hot agents from outside.
struct HotGauges {
    gauges: Arc<OrderGauges>,
    statements: Vec<Arc<OnceLock<AccountStatement>>>,
}

fn hot_agents(
    parts: &Parts<'_>,
    topology: &mut Topology,
    cast: &mut Cast,
    outputs: &mut FeedOutputs,
    dirty: Consumer<InstrumentId>,
    writer: JournalWriter,
) -> Result<HotEnds, EngineError> {
    let (decisions_in, decisions_out) = topology.ring(RingKind::Decisions, None, None);
    let (exposure_in, exposure_out) = topology.ring(RingKind::Exposure, None, None);
    let (events_in, events_out) = topology.ring(RingKind::OrderEvents, None, None);
    let (mut ports, mut risk_ports, mut port_reports) =
        (PortRings::default(), Vec::new(), Vec::new());
    for port in 0..parts.roster.ports {
        let (writer, reader) = topology.ring(RingKind::PortRequests, Some(port), None);
        ports.requests.push(writer);
        risk_ports.push(reader);
        let (writer, reader) = topology.ring(RingKind::PortReports, Some(port), None);
        port_reports.push(writer);
        ports.reports.push(reader);
    }
    let risk_rings = RiskRings {
        ports: risk_ports,
        decisions: decisions_in,
        exposure: exposure_out,
        dirty,
    };
    cast.insert(Role::Risk, risk(parts, risk_rings));
    let (mut commands, mut reports, mut statements) = (Vec::new(), Vec::new(), Vec::new());
    for (index, broker) in parts.config.enabled_brokers().enumerate() {
        let (command_in, command_out) = topology.ring(RingKind::BrokerCommands, Some(index), None);
        let (report_in, report_out) = topology.ring(RingKind::BrokerReports, Some(index), None);
        let (market_in, market_out) = topology.ring(RingKind::MarketToPaper, Some(index), None);
        outputs.paper.push(market_in);
        let rings = GatewayRings {
            commands: command_out,
            reports: report_in,
        };
        let statement = Arc::new(OnceLock::new());
        let id = BrokerId(index as u8);
        let agent = gateway(parts, id, broker, rings, market_out, &statement);
        cast.insert(Role::Gateway(index), agent);
        commands.push(command_in);
        reports.push(report_out);
        statements.push(statement);
    }
    let rings = OrderRings {
        decisions: decisions_out,
        exposure: exposure_in,
        commands,
        reports,
        port_reports,
        events: events_in,
    };
    let order = order(parts, rings, writer)?;
    let gauges = Arc::clone(order.gauges());
    cast.insert(Role::Order, Box::new(order));
    let gauges = HotGauges { gauges, statements };
    Ok(HotEnds {
        ports,
        events: events_out,
        gauges,
    })
}

fn risk(parts: &Parts<'_>, rings: RiskRings) -> Box<dyn Agent> {
    let (epoch, brokers) = (parts.boot.epoch, parts.brokers.len());
    let settings = settings::risk(parts.config, epoch, &parts.table, brokers, &parts.roster);
    Box::new(RiskAgent::new(
        &settings,
        rings,
        parts.board.clone(),
        parts.clock.clone(),
        Arc::clone(&parts.kill),
        parts.schedule.clone(),
        parts.routing.clone(),
        Arc::clone(&parts.shared.risk),
        &parts.recovered,
    ))
}

fn order(
    parts: &Parts<'_>,
    rings: OrderRings,
    writer: JournalWriter,
) -> Result<FastExecutionPath<JournalWriter>, EngineError> {
    let routing = parts.routing.clone();
    let path = FastExecutionPath::new(
        settings::order(parts.config, routing, parts.brokers.len(), &parts.roster),
        rings,
        writer,
        parts.clock.clone(),
        Arc::clone(&parts.kill),
        Arc::clone(&parts.shared.port_health),
        &parts.recovered,
    )?;
    Ok(path)
}

fn gateway(
    parts: &Parts<'_>,
    id: BrokerId,
    broker: &crate::config::BrokerConfig,
    rings: GatewayRings,
    market: Consumer<MarketUpdate>,
    statement: &Arc<OnceLock<AccountStatement>>,
) -> Box<dyn Agent> {
    let own = settings::instruments_of(&parts.table, &broker.shortable);
    Box::new(paper::gateway(PaperParts {
        settings: settings::paper(
            parts.config,
            broker,
            id,
            parts.boot.epoch,
            parts.roster.ports,
        ),
        rings,
        market,
        clock: parts.clock.clone(),
        kill: Arc::clone(&parts.kill),
        schedule: parts.schedule.clone(),
        instruments: &own,
        recovered: &parts.recovered,
        statement: Arc::clone(statement),
    }))
}

/// What each port is made of: the engine's own first, then the algorithms', then the spare ones.
fn ports(parts: &Parts<'_>, rings: PortRings) -> Vec<PortParts> {
    // More than RISK lets work, so that control 20 is RISK's word and not the port's.
    let capacity = parts.config.execution.max_open_orders as usize + PORT_SLACK;
    let rings = rings.requests.into_iter().zip(rings.reports);
    rings
        .enumerate()
        .map(|(number, (requests, reports))| PortParts {
            id: PortId(number as u8),
            strategy: StrategyId(number as u8 + 1),
            epoch: parts.boot.epoch,
            used_sequence: 0,
            requests,
            reports,
            clock: parts.clock.clone(),
            board: parts.board.clone(),
            shared: Arc::clone(&parts.shared),
            capacity,
        })
        .collect()
}

/// A port with what its strategy had before a restart. Made when somebody takes the port: its table is as large as the
/// engine's limit of open orders.
pub(super) fn manager(parts: PortParts, recovered: &RecoveredState) -> ExecutionManager {
    let strategy = parts.strategy;
    let mut port = Port::new(parts);
    adopt_recovered(&mut port, strategy, recovered);
    ExecutionManager::new(port)
}

/// Gives a port back what its strategy had before a restart.
fn adopt_recovered(port: &mut Port, strategy: StrategyId, recovered: &RecoveredState) {
    for held in recovered
        .shares
        .iter()
        .filter(|held| held.strategy == strategy)
    {
        port.set_position(held.instrument, held.position);
    }
    for order in &recovered.orders {
        let request = &order.approved.request;
        if request.strategy == strategy && request.order_id.port() == port.id() {
            let asked = request.order.order_type;
            let same = asked.name() == order.order_type.name();
            port.adopt(OrderView {
                order_id: request.order_id,
                instrument: request.order.instrument,
                side: request.order.side,
                order_type: if same { order.order_type } else { asked },
                time_in_force: request.order.time_in_force,
                broker: Some(order.approved.broker),
                status: order.state.status(),
                quantity: order.state.quantity(),
                filled: order.state.filled(),
                submitted_at: request.submitted_at,
                average_price: order.state.value().per_unit(order.state.filled()),
                acknowledged: order.state.is_acknowledged(),
                ..OrderView::default()
            });
        }
    }
}

fn algorithms(
    parts: &Parts<'_>,
    topology: &mut Topology,
    cast: &mut Cast,
    outputs: &mut FeedOutputs,
    ports: &mut Vec<PortParts>,
    recruits: Vec<Recruit>,
) {
    for (index, recruit) in recruits.into_iter().enumerate() {
        let (writer, reader) = topology.ring(RingKind::MarketToAlgorithm, Some(index), None);
        outputs
            .algorithms
            .push(AlgorithmRing::only(writer, &recruit.parameters.symbols));
        // Port 0 is the engine's; each algorithm takes the next.
        let manager = manager(ports.remove(1), &parts.recovered);
        let agent = AlgorithmAgent::new(
            recruit.algorithm,
            recruit.parameters,
            manager,
            reader,
            parts.schedule.clone(),
        );
        cast.insert(Role::Algorithm(index), Box::new(agent));
    }
}

fn cast_machine(
    config: &Config,
    plan: &Plan,
    cast: Cast,
    shared: &EngineShared,
    (clock, guard): (&Clock, &Guard),
    time: Option<ManualTime>,
) -> Result<Machine, EngineError> {
    match time {
        Some(time) => Ok(cast_invoker(config, plan, cast, guard, time)),
        None => cast_threads(config, plan, cast, shared, (clock, guard)),
    }
}

fn cast_invoker(
    config: &Config,
    plan: &Plan,
    mut cast: Cast,
    guard: &Guard,
    time: ManualTime,
) -> Machine {
    let mut builder = Invoker::builder();
    for role in plan.threads.iter().flat_map(|thread| &thread.roles) {
        let Some(agent) = cast.remove(role) else {
            continue;
        };
        builder = match role {
            Role::Market => builder.source(agent),
            _ => builder.agent_of(agent, scope_of(*role)),
        };
    }
    let pace = match config.market.speed {
        Speed::Max => None,
        Speed::PerMille(per_mille) => Some(per_mille),
    };
    let invoker = Box::new(builder.build(time.clone(), guard.clone()));
    Machine::Invoker {
        invoker,
        time,
        pace,
        started: false,
    }
}

fn cast_threads(
    config: &Config,
    plan: &Plan,
    mut cast: Cast,
    shared: &EngineShared,
    (clock, guard): (&Clock, &Guard),
) -> Result<Machine, EngineError> {
    let mut threads = Threads {
        hot: Vec::new(),
        cold: Vec::new(),
        journal: Vec::new(),
        feed: Vec::new(),
        waiting: Vec::new(),
        clock: clock.clone(),
        guard: guard.clone(),
    };
    let mut runners = Vec::new();
    for thread in &plan.threads {
        let runner = Runner::new(RunnerSettings {
            name: thread.name.clone(),
            placement: thread.placement.clone(),
            idle: thread.idle,
            stall_threshold_ns: nanos(config.threads.stall_threshold),
        })?;
        let is_users = |role: &Role| matches!(role, Role::Algorithm(_) | Role::Delivery);
        runners.push(if thread.roles.iter().any(is_users) {
            runner
        } else {
            runner.with_stack(AGENT_STACK_BYTES)
        });
    }
    let wakes = sleepers(plan, &runners);
    let (mut hot, mut cold, mut journal) = (Vec::new(), Vec::new(), Vec::new());
    for (thread, mut runner) in plan.threads.iter().zip(runners) {
        let others: Vec<WakeHandle> = wakes
            .iter()
            .filter(|(name, _)| *name != thread.name)
            .map(|(_, wake)| wake.clone())
            .collect();
        for role in &thread.roles {
            let Some(agent) = cast.remove(role) else {
                continue;
            };
            // COLD and JOURNAL give the hot threads nothing to do.
            let agent = match role {
                Role::Cold | Role::Journal | Role::Delivery => agent,
                _ => Waking::around(agent, &others),
            };
            runner = runner.agent_of(agent, scope_of(*role));
        }
        match thread.roles.first() {
            Some(Role::Journal) => journal.push(runner),
            Some(Role::Market | Role::Algorithm(_)) => threads.waiting.push(runner),
            Some(Role::Cold | Role::Delivery) => cold.push(runner),
            _ => hot.push(runner),
        }
    }
    shared.set_wakes(wakes.into_iter().map(|(_, wake)| wake).collect());
    // JOURNAL first: ORDER must never wait for a segment that nobody prepares.
    threads.journal = spawn_all(journal, clock, guard)?;
    threads.cold = spawn_all(cold, clock, guard)?;
    threads.hot = spawn_all(hot, clock, guard)?;
    Ok(Machine::Threads(threads))
}

/// Hot threads that park when there is nothing to do (`balanced`), by name.
fn sleepers(plan: &Plan, runners: &[Runner]) -> Vec<(String, WakeHandle)> {
    plan.threads
        .iter()
        .zip(runners)
        .filter(|(thread, _)| thread.hot && !thread.idle.spins_forever())
        .map(|(thread, runner)| (thread.name.clone(), runner.wake_handle()))
        .collect()
}

/// What a panic of an agent stops.
const fn scope_of(role: Role) -> KillScope {
    match role {
        // An algorithm has its own fence; this one is for what the fence itself would let through.
        Role::Algorithm(number) => KillScope::Strategy(StrategyId(number as u8 + 2)),
        _ => KillScope::Firm,
    }
}
