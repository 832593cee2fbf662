//! A paper gateway with both ends of its rings in the test's hands.
//!
//! Runs on: tests.
//! Owns: the gateway agent, its rings, the kill word, and virtual time.
//! Never: sleeps; the clock is moved by hand.

use std::sync::{Arc, OnceLock};

use shrike::gateway::paper::{PaperParts, PaperSession, PaperSettings, gateway};
use shrike::gateway::{GatewayAgent, GatewayRings};
use shrike::ring::{Consumer, Producer, channel};
use shrike::runtime::{Agent, Clock, ManualTime};
use shrike::types::{
    AccountStatement, BookSide, BrokerCommand, BrokerReport, ExecutionReport, KillWord,
    MarketUpdate, Nanos, NewOrderCommand, OrderFlags, OrderId, OrderType, Quote, QuoteUpdate,
    RecoveredState, ReportKind, Side, StageStamps, StrategyId, TimeInForce, TradeUpdate,
};

use super::{DAY, IBM, OPEN, cents, id, rich, schedule, shares, table};

pub struct Paper {
    pub agent: GatewayAgent<PaperSession>,
    pub commands: Producer<BrokerCommand>,
    pub market: Producer<MarketUpdate>,
    pub reports: Consumer<BrokerReport>,
    pub kill: Arc<KillWord>,
    pub statement: Arc<OnceLock<AccountStatement>>,
    pub clock: Clock,
    pub now: u64,
    next_id: u64,
}

pub fn settings() -> PaperSettings {
    PaperSettings {
        exchange: rich(),
        ..PaperSettings::default()
    }
}

impl Paper {
    pub fn new() -> Self {
        Self::with(settings(), 1_024, &RecoveredState::default())
    }

    /// With a report ring of `capacity`; started just after the open.
    pub fn with(settings: PaperSettings, capacity: usize, recovered: &RecoveredState) -> Self {
        let (commands, command_end, _) = channel("commands", 1_024);
        let (report_end, reports, _) = channel("reports", capacity);
        let (market, market_end, _) = channel("market", 1_024);
        let now = DAY + OPEN + 1;
        let clock = Clock::manual(ManualTime::new(Nanos(now)));
        let kill = Arc::new(KillWord::new());
        let statement = Arc::new(OnceLock::new());
        let mut agent = gateway(PaperParts {
            settings,
            rings: GatewayRings {
                commands: command_end,
                reports: report_end,
            },
            market: market_end,
            clock: clock.clone(),
            kill: Arc::clone(&kill),
            schedule: schedule(5),
            instruments: &table(),
            recovered,
            statement: Arc::clone(&statement),
        });
        agent.on_start(Nanos(now));
        Self {
            agent,
            commands,
            market,
            reports,
            kill,
            statement,
            clock,
            now,
            next_id: 1,
        }
    }

    pub fn poll(&mut self) -> usize {
        self.agent.poll(Nanos(self.now))
    }

    pub fn poll_at(&mut self, now: u64) -> usize {
        assert!(now >= self.now, "time goes forward");
        self.now = now;
        self.poll()
    }

    pub fn command(&mut self, side: Side, quantity: i64, order_type: OrderType) -> NewOrderCommand {
        let sequence = self.next_id;
        self.next_id += 1;
        NewOrderCommand {
            order_id: id(sequence),
            instrument: IBM,
            strategy: StrategyId::ENGINE,
            side,
            time_in_force: TimeInForce::Day,
            flags: OrderFlags(0),
            asked_type: order_type.name(),
            order_type,
            quantity: shares(quantity),
            stamps: StageStamps::at(self.clock.stamp()),
        }
    }

    /// Puts an order into the ring.
    pub fn order(&mut self, side: Side, quantity: i64, order_type: OrderType) -> OrderId {
        let command = self.command(side, quantity, order_type);
        self.push(BrokerCommand::New(command));
        command.order_id
    }

    pub fn push(&mut self, command: BrokerCommand) {
        self.commands.push(command).expect("room");
    }

    /// Puts a row of both sides into the market's ring, at `time`.
    pub fn quote(&mut self, time: u64, bid: i64, bid_size: i64, ask: i64, ask_size: i64) {
        let update = QuoteUpdate {
            instrument: IBM,
            side: BookSide::Both,
            quote: Quote {
                bid: cents(bid),
                bid_size: shares(bid_size),
                ask: cents(ask),
                ask_size: shares(ask_size),
                time: Nanos(time),
            },
        };
        self.market.push(MarketUpdate::Quote(update)).expect("room");
    }

    pub fn trade(&mut self, time: u64, price: i64, size: i64) {
        let update = TradeUpdate {
            instrument: IBM,
            price: cents(price),
            size: shares(size),
            time: Nanos(time),
        };
        self.market.push(MarketUpdate::Trade(update)).expect("room");
    }

    /// What came out of the report ring.
    pub fn raw(&mut self) -> Vec<BrokerReport> {
        std::iter::from_fn(|| self.reports.pop()).collect()
    }

    pub fn executions(&mut self) -> Vec<ExecutionReport> {
        self.raw()
            .into_iter()
            .filter_map(|report| match report {
                BrokerReport::Execution(report) => Some(report),
                _ => None,
            })
            .collect()
    }

    pub fn kinds(&mut self) -> Vec<(OrderId, ReportKind)> {
        self.executions()
            .iter()
            .map(|report| (report.order_id, report.kind))
            .collect()
    }
}
