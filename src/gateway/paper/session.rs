//! The session with the simulated exchange: commands in, market rows in time order, reports out.
//!
//! Runs on: GATEWAY.
//! Owns: the exchange, the commands on their way to it, and the end of the lossless ring of market rows.
//! Never: lets a market row or a command jump ahead of time, or drops either.

use std::sync::{Arc, OnceLock};

use super::PaperSettings;
use crate::gateway::session::{BrokerSession, SendOutcome};
use crate::ring::Consumer;
use crate::sim::{Busy, DelayLine, Exchange};
use crate::types::{
    AccountSnapshot, AccountStatement, BrokerCommand, BrokerReject, BrokerReport, InstrumentTable,
    MarketUpdate, Nanos, OrderId, RecoveredState, SessionSchedule,
};

/// Market rows and arriving commands taken in one poll at most.
const INPUTS_PER_POLL: usize = 256;

/// What is on its way to the exchange.
#[derive(Clone, Copy, Debug)]
enum Inbound {
    Command(BrokerCommand),
    CancelAll,
}

/// What the session says before the exchange does.
#[derive(Clone, Copy, Debug)]
enum Greeting {
    Nothing,
    Account(AccountSnapshot),
    Link,
}

/// See the module.
#[derive(Debug)]
pub struct PaperSession {
    exchange: Exchange,
    market: Consumer<MarketUpdate>,
    inbound: DelayLine<Inbound>,
    /// Commands reach the exchange at once.
    direct: bool,
    ready: Option<BrokerCommand>,
    /// A cancel of everything that found no room yet.
    cancel_all: bool,
    greeting: Greeting,
    recovered: Option<RecoveredState>,
    statement: Arc<OnceLock<AccountStatement>>,
}

impl PaperSession {
    pub(super) fn new(
        settings: PaperSettings,
        market: Consumer<MarketUpdate>,
        schedule: SessionSchedule,
        instruments: &InstrumentTable,
        recovered: RecoveredState,
        statement: Arc<OnceLock<AccountStatement>>,
        now: Nanos,
    ) -> Self {
        let filler = Inbound::Command(BrokerCommand::Query {
            order_id: OrderId::default(),
        });
        let direct = settings.order_latency.is_zero();
        let queue = if direct { 1 } else { settings.command_queue };
        let seed = settings.exchange.seed ^ 0x636f_6d6d_616e_6473;
        Self {
            exchange: Exchange::new(settings.exchange, instruments, schedule, now),
            market,
            inbound: DelayLine::new(queue, settings.order_latency, seed, filler),
            direct,
            ready: None,
            cancel_all: false,
            greeting: Greeting::Nothing,
            recovered: Some(recovered),
            statement,
        }
    }

    /// The exchange, for a look at its books.
    #[must_use]
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    fn deliver(&mut self, now: Nanos, inbound: &Inbound) -> Result<(), Busy> {
        match inbound {
            Inbound::Command(BrokerCommand::New(new)) => self.exchange.submit(now, new),
            Inbound::Command(BrokerCommand::Cancel { order_id }) => {
                self.exchange.cancel(now, *order_id)
            }
            Inbound::Command(BrokerCommand::Replace(replace)) => {
                self.exchange.replace(now, replace)
            }
            Inbound::Command(BrokerCommand::Query { order_id }) => {
                self.exchange.query(now, *order_id)
            }
            Inbound::CancelAll => self.exchange.cancel_all(now),
        }
    }

    /// Takes the next command that has arrived or the next market row, whichever is earlier; at the same time the
    /// command, since it was sent before the row was seen. `None` when there is neither, `Some(false)` when the
    /// exchange is busy.
    fn take_next(&mut self, now: Nanos) -> Option<bool> {
        let arrival = self.inbound.next_arrival().filter(|at| *at <= now);
        let row = self.market.peek().copied();
        let command_first = match (arrival, row) {
            (None, None) => return None,
            (Some(arrival), Some(row)) => arrival <= row.time(),
            (arrival, None) => arrival.is_some(),
            (None, Some(_)) => false,
        };
        let at = match (arrival, row) {
            (Some(arrival), _) if command_first => arrival,
            // A row is never later than now, whatever its source says.
            (_, row) => row.map_or(now, |row| row.time().min(now)),
        };
        if !self.exchange.advance(at) {
            return Some(false);
        }
        let taken = if command_first {
            match self.inbound.pop(now) {
                Some((_, inbound)) => self.deliver(at, &inbound),
                None => Ok(()),
            }
        } else {
            match self.market.pop() {
                Some(MarketUpdate::Quote(update)) => self.exchange.on_quote(at, &update),
                Some(MarketUpdate::Trade(update)) => self.exchange.on_trade(at, &update),
                None => Ok(()),
            }
        };
        debug_assert!(taken.is_ok(), "invariant: the exchange was ready");
        Some(true)
    }

    fn try_cancel_all(&mut self, now: Nanos) {
        let taken = if self.direct {
            self.exchange.cancel_all(now).is_ok()
        } else {
            self.inbound.push(now, Inbound::CancelAll).is_ok()
        };
        self.cancel_all = !taken;
    }
}

impl BrokerSession for PaperSession {
    fn start(&mut self, now: Nanos) {
        if let Some(recovered) = self.recovered.take() {
            self.exchange.restore(now, &recovered);
        }
        self.greeting = Greeting::Account(self.exchange.account_snapshot(now));
    }

    fn can_take(&mut self, now: Nanos) -> bool {
        if self.cancel_all {
            return false;
        }
        if self.direct {
            self.exchange.advance(now)
        } else {
            self.inbound.room() > 0
        }
    }

    fn prepare(&mut self, command: &BrokerCommand, _now: Nanos) -> Result<(), BrokerReject> {
        self.ready = Some(*command);
        Ok(())
    }

    fn discard(&mut self) {
        self.ready = None;
    }

    fn send(&mut self, now: Nanos) -> SendOutcome {
        let Some(command) = self.ready.take() else {
            return SendOutcome::NotSent(BrokerReject::Other);
        };
        let inbound = Inbound::Command(command);
        let taken = if self.direct {
            self.deliver(now, &inbound).is_ok()
        } else {
            self.inbound.push(now, inbound).is_ok()
        };
        if taken {
            SendOutcome::Sent
        } else {
            SendOutcome::NotSent(BrokerReject::RateLimited)
        }
    }

    fn cancel_all(&mut self, now: Nanos) {
        self.try_cancel_all(now);
    }

    fn poll(&mut self, now: Nanos) -> usize {
        if self.cancel_all {
            self.try_cancel_all(now);
        }
        // Feeds the ring's gauge.
        self.market.available();
        let mut work = usize::from(self.exchange.is_working());
        for _ in 0..INPUTS_PER_POLL {
            match self.take_next(now) {
                Some(true) => work += 1,
                Some(false) => return work,
                None => {
                    self.exchange.advance(now);
                    break;
                }
            }
        }
        work
    }

    fn has_report(&self, now: Nanos) -> bool {
        !matches!(self.greeting, Greeting::Nothing) || self.exchange.has_report(now)
    }

    fn next_report(&mut self, now: Nanos) -> Option<BrokerReport> {
        match self.greeting {
            Greeting::Account(account) => {
                self.greeting = Greeting::Link;
                Some(BrokerReport::Account(account))
            }
            Greeting::Link => {
                self.greeting = Greeting::Nothing;
                Some(BrokerReport::Link {
                    broker: self.exchange.broker(),
                    up: true,
                })
            }
            Greeting::Nothing => self.exchange.next_report(now).map(BrokerReport::Execution),
        }
    }

    fn next_deadline(&self) -> Option<Nanos> {
        let arrival = self.inbound.next_arrival();
        match (arrival, self.exchange.next_deadline()) {
            (Some(arrival), Some(deadline)) => Some(arrival.min(deadline)),
            (arrival, deadline) => arrival.or(deadline),
        }
    }

    fn close(&mut self, _now: Nanos) {
        // A second close changes nothing: the books were closed with the first.
        let _ = self.statement.set(self.exchange.statement());
    }
}
