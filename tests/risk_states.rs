//! Trading states, loss breakers and their latches, and what a restart remembers of them.
//!
//! Runs on: tests, through the agent and its rings.
//! Owns: controls 7 and 8, ACTIVE, REDUCING and HALTED, records and status.
//! Never: sleeps.

mod risk_support;

use std::sync::Arc;

use risk_support::*;
use shrike::ring::{BoardWriter, Consumer, Producer, board, channel};
use shrike::risk::{RiskAgent, RiskRings, RiskSettings, RiskStatus, RiskStatusReading};
use shrike::runtime::{Agent, Clock, ManualTime};
use shrike::types::{
    AccountKind, BootEpoch, CancelRequest, ControlRequest, Exposure, InstrumentId, KillWord, Money,
    Nanos, Order, OrderId, OrderRequest, PortCommand, PortId, Position, Price, Ratio,
    RecoveredAccount, RecoveredPosition, RecoveredState, RecoveredTradingState,
    RefusalCode as Code, RiskDecision, RiskRecord, RoutingTable, Scope, Side, StrategyId,
    TradingState,
};

struct Floor {
    agent: RiskAgent,
    ports: Vec<Producer<PortCommand>>,
    decisions: Consumer<RiskDecision>,
    exposure: Producer<Exposure>,
    dirty: Producer<InstrumentId>,
    board: BoardWriter,
    status: Arc<RiskStatus>,
    now: Nanos,
    next: u64,
}

impl Floor {
    fn bare(settings: &RiskSettings, recovered: &RecoveredState, room: usize) -> Self {
        let (writer, reader) = board(settings.instruments.len());
        let (decisions, decisions_out, _) = channel("decisions", room);
        let (exposure_in, exposure, _) = channel("exposure", 64);
        let (dirty_in, dirty, _) = channel("dirty", 1);
        let (port_ins, ports) = (0..2)
            .map(|_| {
                let (producer, consumer, _) = channel("port", 64);
                (producer, consumer)
            })
            .unzip();
        let rings = RiskRings {
            ports,
            decisions,
            exposure,
            dirty,
        };
        let status = Arc::new(RiskStatus::new());
        let agent = RiskAgent::new(
            settings,
            rings,
            reader,
            Clock::manual(ManualTime::new(NOON)),
            Arc::new(KillWord::new()),
            schedule(),
            RoutingTable::new(1, MARGIN, Vec::new()),
            Arc::clone(&status),
            recovered,
        );
        Self {
            agent,
            ports: port_ins,
            decisions: decisions_out,
            exposure: exposure_in,
            dirty: dirty_in,
            board: writer,
            status,
            now: NOON,
            next: 1,
        }
    }

    /// Link up, a million in a margin account, both symbols at 99 to 101, the start recorded.
    fn new(settings: &RiskSettings) -> Self {
        let mut floor = Self::bare(settings, &RecoveredState::default(), 64);
        floor.quote("99", "101");
        floor.open();
        floor.decisions();
        floor
    }

    /// What a reader sees once RISK has time.
    fn status(&mut self) -> RiskStatusReading {
        self.agent.poll(self.now);
        self.status.read()
    }

    fn open(&mut self) {
        let link = Exposure::Link {
            broker: MARGIN,
            up: true,
        };
        self.exposure.push(link).expect("room");
        self.account(1_000_000);
    }

    fn account(&mut self, cash: i64) {
        let account = snapshot(MARGIN, AccountKind::Margin, dollars(cash), 2);
        self.exposure.push(account).expect("room");
        self.agent.poll(self.now);
    }

    fn quote(&mut self, bid: &str, ask: &str) {
        for id in [A, B] {
            self.board.write_quote(id, &quote(bid, ask, self.now));
            // A full ring means a rescan.
            let _ = self.dirty.push(id);
        }
        self.agent.poll(self.now);
    }

    fn trade(&mut self, side: Side, n: i64, at: &str) {
        let fill = Exposure::Fill {
            order_id: OrderId::default(),
            broker: MARGIN,
            instrument: A,
            side,
            done: true,
            quantity: shares(n),
            price: price(at),
            fee: Money::ZERO,
        };
        self.exposure.push(fill).expect("room");
        self.agent.poll(self.now);
    }

    fn decisions(&mut self) -> Vec<RiskDecision> {
        std::iter::from_fn(|| self.decisions.pop()).collect()
    }

    fn records(&mut self) -> Vec<RiskRecord> {
        let records = self.decisions().into_iter().filter_map(|decision| {
            if let RiskDecision::Record(record) = decision {
                Some(record)
            } else {
                None
            }
        });
        records.collect()
    }

    fn request(&mut self, order: Order) -> OrderRequest {
        let epoch = BootEpoch::new(7).expect("an epoch");
        let order_id = OrderId::new(epoch, PortId(0), self.next).expect("an id");
        self.next += 1;
        OrderRequest {
            order_id,
            strategy: MINE,
            preferred_broker: None,
            order,
            submitted_at: self.now,
            decision_price: Price::ZERO,
            signal_stamp: 1,
        }
    }

    /// `None` when the order passed.
    fn refusal(&mut self, order: Order) -> Option<Code> {
        let request = self.request(order);
        let refused = self.tell(PortCommand::New(request));
        match refused.last() {
            Some(RiskDecision::Approved(approved)) => {
                assert_eq!(approved.request, request);
                assert!(approved.risk_offset > 0, "stamped");
                None
            }
            Some(RiskDecision::Refused(refused)) => Some(refused.code),
            other => panic!("no decision: {other:?}"),
        }
    }

    fn tell(&mut self, command: PortCommand) -> Vec<RiskDecision> {
        self.ports[0].push(command).expect("room");
        self.agent.poll(self.now);
        self.decisions()
    }

    fn set(&mut self, scope: Scope, state: TradingState) -> Vec<RiskDecision> {
        self.tell(PortCommand::Control(ControlRequest::SetTradingState {
            scope,
            state,
            requested_at: self.now,
        }))
    }

    fn reset(&mut self) -> Vec<RiskDecision> {
        let requested_at = self.now;
        self.tell(PortCommand::Control(ControlRequest::ResetLatches {
            requested_at,
        }))
    }
}

fn daily(percent: u32) -> RiskSettings {
    let mut settings = settings();
    settings.brokers = 1;
    settings.max_daily_loss = Some(Ratio::from_basis_points(percent * 100));
    settings
}

fn drawdown(percent: u32) -> RiskSettings {
    let mut settings = settings();
    settings.brokers = 1;
    settings.max_drawdown = Some(Ratio::from_basis_points(percent * 100));
    settings
}

#[test]
fn the_first_complete_equity_is_recorded_as_both_baselines() {
    let mut floor = Floor::bare(&daily(5), &RecoveredState::default(), 64);
    floor.agent.poll(NOON);
    assert_eq!(floor.records(), []);
    floor.open();
    let equity = dollars(1_000_000);
    let (date, at) = (20_131_007, NOON);
    assert_eq!(
        floor.records(),
        [
            RiskRecord::StartOfDay { date, equity, at },
            RiskRecord::HighWaterMark { equity, at }
        ]
    );
    let status = floor.status();
    assert_eq!(status.start_of_day, Some((date, equity)));
    assert_eq!(status.equity, Some(equity));
}

#[test]
fn a_daily_loss_one_unit_under_the_limit_trades_on_and_at_the_limit_halts() {
    let mut floor = Floor::new(&daily(5));
    floor.trade(Side::Buy, 5_000, "101");
    // Bought at 101, marked at the bid: five per cent of a million is 50,000, ten a share.
    floor.quote("91.000000001", "101");
    assert_eq!(floor.refusal(buy(1, "96")), None);
    floor.quote("91", "101");
    assert_eq!(floor.status().latch, Some(Code::DailyLoss));
    let records = floor.records();
    assert_eq!(
        records,
        [RiskRecord::TradingState {
            scope: Scope::Firm,
            state: TradingState::Halted,
            cause: Some(Code::DailyLoss),
            observed: 50_000_000_000,
            limit: 50_000_000_000,
            at: NOON,
        }]
    );
    assert_eq!(floor.refusal(buy(1, "96")), Some(Code::DailyLoss));
    assert_eq!(
        floor.refusal(sell(5_000, "96")),
        Some(Code::DailyLoss),
        "halted: no reducing order either"
    );
}

#[test]
fn a_latch_does_not_lift_by_itself_and_is_recorded_once() {
    let mut floor = Floor::new(&daily(5));
    floor.trade(Side::Buy, 5_000, "101");
    floor.quote("80", "101");
    assert_eq!(floor.records().len(), 1);
    floor.quote("79", "101");
    assert_eq!(floor.records(), []);
    floor.quote("140", "141");
    assert_eq!(floor.status().trading_state, TradingState::Halted);
    // Nor on the next date.
    floor.now = Nanos(NOON.0 + 24 * HOUR);
    floor.quote("140", "141");
    assert_eq!(floor.status().latch, Some(Code::DailyLoss));
}

#[test]
fn shorts_are_marked_at_the_ask() {
    let mut floor = Floor::new(&daily(5));
    floor.trade(Side::Sell, 5_000, "99");
    floor.quote("99", "108.999999999");
    assert_eq!(floor.status().latch, None);
    floor.quote("99", "109");
    assert_eq!(floor.status().latch, Some(Code::DailyLoss));
}

#[test]
fn fees_count_as_losses() {
    let mut floor = Floor::new(&daily(5));
    let fill = |fee| Exposure::Fill {
        order_id: OrderId::default(),
        broker: MARGIN,
        instrument: A,
        side: Side::Buy,
        done: true,
        quantity: shares(1),
        price: price("99"),
        fee,
    };
    floor.exposure.push(fill(dollars(49_999))).expect("room");
    floor.agent.poll(NOON);
    assert_eq!(floor.status().latch, None);
    floor.exposure.push(fill(dollars(1))).expect("room");
    floor.agent.poll(NOON);
    assert_eq!(floor.status().latch, Some(Code::DailyLoss));
}

#[test]
fn a_quote_without_its_adverse_side_leaves_the_last_good_mark() {
    let mut floor = Floor::new(&daily(5));
    floor.trade(Side::Buy, 5_000, "101");
    for (bid, ask) in [("0", "101"), ("50", "0"), ("50", "50"), ("50", "49")] {
        floor.quote(bid, ask);
        assert_eq!(floor.status().equity, Some(dollars(990_000)));
    }
    assert_eq!(floor.status().latch, None);
}

#[test]
fn the_drawdown_is_measured_from_the_highest_equity() {
    let mut floor = Floor::new(&drawdown(10));
    floor.trade(Side::Buy, 5_000, "99");
    floor.quote("119", "121");
    // The mark is 1,100,000 now: ten per cent below is 990,000, two under the start.
    assert_eq!(floor.status().high_water_mark, Some(dollars(1_100_000)));
    floor.quote("97.000000001", "121");
    assert_eq!(floor.status().latch, None);
    floor.quote("97", "121");
    assert_eq!(floor.status().latch, Some(Code::Drawdown));
    assert_eq!(
        floor.status().high_water_mark,
        Some(dollars(1_100_000)),
        "it never falls"
    );
}

#[test]
fn the_high_water_mark_is_recorded_by_whole_basis_points() {
    let mut floor = Floor::new(&drawdown(10));
    floor.trade(Side::Buy, 1_000, "99");
    assert_eq!(floor.records(), []);
    floor.quote("99.099999999", "101");
    assert_eq!(floor.records(), [], "less than a hundred of a million");
    floor.quote("99.1", "101");
    let equity = dollars(1_000_100);
    assert_eq!(
        floor.records(),
        [RiskRecord::HighWaterMark { equity, at: NOON }]
    );
}

#[test]
fn each_trading_date_begins_with_the_equity_that_the_last_one_ended_with() {
    let mut floor = Floor::new(&daily(5));
    floor.trade(Side::Buy, 5_000, "101");
    floor.quote("92", "93");
    assert_eq!(floor.status().latch, None, "4.5 per cent");
    floor.records();
    floor.now = Nanos((48 + 3) * HOUR);
    floor.quote("91", "93");
    // The marks of the evening before are the baseline; the morning's quote counts against it.
    assert_eq!(
        floor.records(),
        [RiskRecord::StartOfDay {
            date: 20_131_008,
            equity: dollars(955_000),
            at: floor.now,
        }]
    );
    assert_eq!(floor.status().latch, None);
    floor.quote("82.45", "93");
    assert_eq!(floor.status().latch, Some(Code::DailyLoss));
}

#[test]
fn a_restart_on_the_same_date_keeps_the_baselines_and_takes_no_new_ones() {
    let recovered = RecoveredState {
        start_of_day: Some((20_131_007, dollars(1_050_000))),
        high_water_mark: Some(dollars(1_200_000)),
        ..RecoveredState::default()
    };
    let mut floor = Floor::bare(&daily(5), &recovered, 64);
    floor.quote("99", "101");
    floor.open();
    assert_eq!(floor.records(), []);
    let status = floor.status();
    assert_eq!(status.start_of_day, recovered.start_of_day);
    assert_eq!(status.high_water_mark, recovered.high_water_mark);
    floor.account(997_500);
    assert_eq!(floor.status().latch, Some(Code::DailyLoss));
}

#[test]
fn a_restart_keeps_the_latch_and_the_states_of_every_scope() {
    let state = |scope, state, cause| RecoveredTradingState {
        scope,
        state,
        cause,
    };
    let recovered = RecoveredState {
        trading_states: vec![
            state(Scope::Firm, TradingState::Halted, Some(Code::Drawdown)),
            state(Scope::Strategy(MINE), TradingState::Reducing, None),
        ],
        ..RecoveredState::default()
    };
    let mut floor = Floor::bare(&daily(5), &recovered, 64);
    floor.quote("99", "101");
    floor.open();
    assert_eq!(floor.status().latch, Some(Code::Drawdown));
    assert_eq!(floor.refusal(buy(1, "100")), Some(Code::Drawdown));
    floor.reset();
    assert_eq!(floor.refusal(buy(1, "100")), Some(Code::Reducing));
    assert_eq!(floor.status.strategy_state(MINE), TradingState::Reducing);
}

#[test]
fn a_reset_lifts_the_latch_and_takes_the_present_equity_as_baselines() {
    let mut floor = Floor::new(&daily(5));
    floor.trade(Side::Buy, 5_000, "101");
    floor.quote("90", "101");
    floor.records();
    let decisions = floor.reset();
    let at = NOON;
    let equity = dollars(945_000);
    let expected = [
        RiskRecord::LatchesReset { at },
        RiskRecord::TradingState {
            scope: Scope::Firm,
            state: TradingState::Active,
            cause: None,
            observed: 0,
            limit: 0,
            at,
        },
        RiskRecord::StartOfDay {
            date: 20_131_007,
            equity,
            at,
        },
        RiskRecord::HighWaterMark { equity, at },
    ];
    assert_eq!(decisions, expected.map(RiskDecision::Record));
    floor.quote("90", "101");
    assert_eq!(floor.refusal(buy(1, "95")), None);
    // And trips again from there.
    floor.quote("80.55", "101");
    assert_eq!(floor.status().latch, Some(Code::DailyLoss));
}

#[test]
fn a_latched_firm_cannot_be_loosened_but_by_a_reset() {
    let mut floor = Floor::new(&daily(5));
    floor.trade(Side::Buy, 5_000, "101");
    floor.quote("80", "101");
    floor.records();
    for state in [TradingState::Active, TradingState::Reducing] {
        let decisions = floor.set(Scope::Firm, state);
        assert!(
            matches!(
                decisions[..],
                [RiskDecision::Record(RiskRecord::TradingState {
                    state: TradingState::Halted,
                    cause: Some(Code::DailyLoss),
                    ..
                })]
            ),
            "the record says what still holds: {decisions:?}"
        );
        assert_eq!(floor.refusal(buy(1, "95")), Some(Code::DailyLoss));
    }
    floor.reset();
    let state = floor.status().trading_state;
    assert_eq!(
        state,
        TradingState::Active,
        "the refused words left nothing"
    );
}

#[test]
fn cancels_pass_in_every_state_and_are_never_throttled() {
    let mut settings = daily(5);
    let mut rate = shrike::risk::RateLimit::new(1, SECOND);
    rate.cancel_reserve = 2;
    settings.account_order_rate = Some(rate);
    let mut floor = Floor::new(&settings);
    floor.trade(Side::Buy, 5_000, "101");
    floor.quote("80", "101");
    floor.records();
    for sequence in 1..=40 {
        let epoch = BootEpoch::new(7).expect("an epoch");
        let cancel = CancelRequest {
            order_id: OrderId::new(epoch, PortId(0), sequence).expect("an id"),
            requested_at: NOON,
        };
        let decisions = floor.tell(PortCommand::Cancel(cancel));
        assert_eq!(decisions, [RiskDecision::Cancel(cancel)]);
    }
}

#[test]
fn a_reducing_scope_passes_what_provably_reduces_and_nothing_else() {
    for scope in [Scope::Firm, Scope::Broker(MARGIN), Scope::Strategy(MINE)] {
        let mut floor = Floor::new(&daily(5));
        floor.trade(Side::Buy, 10, "100");
        let decisions = floor.set(scope, TradingState::Reducing);
        assert!(matches!(
            decisions[..],
            [RiskDecision::Record(RiskRecord::TradingState {
                state: TradingState::Reducing,
                cause: None,
                ..
            })]
        ));
        assert_eq!(floor.refusal(buy(1, "100")), Some(Code::Reducing));
        assert_eq!(floor.refusal(sell(11, "100")), Some(Code::Reducing));
        assert_eq!(floor.refusal(sell(6, "100")), None);
        assert_eq!(floor.refusal(sell(5, "100")), Some(Code::Reducing));
        assert_eq!(floor.refusal(sell(4, "100")), None);
        floor.set(scope, TradingState::Halted);
        assert_eq!(floor.refusal(sell(1, "100")), Some(Code::Halted));
        floor.set(scope, TradingState::Active);
        assert_eq!(floor.refusal(buy(1, "100")), None);
    }
}

#[test]
fn a_scope_that_does_not_exist_is_ignored() {
    let mut floor = Floor::new(&daily(5));
    let decisions = floor.set(Scope::Strategy(StrategyId(200)), TradingState::Active);
    assert_eq!(decisions, []);
}

#[test]
fn a_held_position_without_a_price_suspends_new_risk_until_its_first_quote() {
    let mut position = Position::default();
    position
        .apply(Side::Buy, shares(100), price("50"), Money::ZERO)
        .expect("fits");
    let recovered = RecoveredState {
        accounts: vec![RecoveredAccount {
            broker: MARGIN,
            cash: dollars(900_000),
        }],
        positions: vec![RecoveredPosition {
            broker: MARGIN,
            instrument: B,
            position,
        }],
        ..RecoveredState::default()
    };
    let mut floor = Floor::bare(&daily(5), &recovered, 64);
    floor.board.write_quote(A, &quote("99", "101", NOON));
    floor.dirty.push(A).expect("room");
    floor.open();
    assert_eq!(floor.status().equity, None, "B has no price");
    assert_eq!(floor.refusal(buy(1, "100")), Some(Code::EquityUnknown));
    floor.board.write_quote(B, &quote("60", "61", NOON));
    floor.dirty.push(B).expect("room");
    assert_eq!(floor.refusal(buy(1, "100")), None);
    let status = floor.status();
    assert_eq!(status.equity, Some(dollars(1_006_000)));
    // The first order already had a baseline to fall from.
    let baseline = (20_131_007, dollars(1_006_000));
    assert_eq!(status.start_of_day, Some(baseline));
}

#[test]
fn a_full_decision_ring_holds_commands_back_and_loses_none() {
    let mut floor = Floor::bare(&daily(5), &RecoveredState::default(), 8);
    floor.quote("99", "101");
    floor.open();
    let requests: Vec<_> = (0..40).map(|n| floor.request(buy(n + 1, "100"))).collect();
    for request in &requests {
        floor.ports[0]
            .push(PortCommand::New(*request))
            .expect("room");
    }
    let mut seen = Vec::new();
    for _ in 0..40 {
        floor.agent.poll(NOON);
        for decision in floor.decisions() {
            if let RiskDecision::Approved(approved) = decision {
                seen.push(approved.request);
            }
        }
    }
    assert_eq!(seen, requests);
}

#[test]
fn ports_take_turns() {
    let mut floor = Floor::bare(&daily(5), &RecoveredState::default(), 5);
    floor.quote("99", "101");
    floor.open();
    floor.decisions();
    for port in 0..2 {
        for sequence in 1..=32 {
            let epoch = BootEpoch::new(7).expect("an epoch");
            let cancel = CancelRequest {
                order_id: OrderId::new(epoch, PortId(port), sequence).expect("an id"),
                requested_at: NOON,
            };
            floor.ports[usize::from(port)]
                .push(PortCommand::Cancel(cancel))
                .expect("room");
        }
    }
    let mut served = [0i32; 2];
    for _ in 0..40 {
        floor.agent.poll(NOON);
        for decision in floor.decisions() {
            if let RiskDecision::Cancel(cancel) = decision {
                served[cancel.order_id.port().index()] += 1;
            }
        }
        let apart: i32 = served[0] - served[1];
        assert!(apart.abs() <= 16, "{served:?}");
    }
    assert_eq!(served, [32, 32]);
}

#[test]
fn a_dirty_ring_that_overflowed_makes_every_quote_be_read() {
    let mut settings = daily(5);
    settings.instruments = vec![rule(); 3_000];
    let mut floor = Floor::bare(&settings, &RecoveredState::default(), 64);
    floor.open();
    let last = InstrumentId(2_999);
    floor.board.write_quote(last, &quote("99", "101", NOON));
    let fill = Exposure::Fill {
        order_id: OrderId::default(),
        broker: MARGIN,
        instrument: last,
        side: Side::Buy,
        done: true,
        quantity: shares(5_000),
        price: price("101"),
        fee: Money::ZERO,
    };
    floor.exposure.push(fill).expect("room");
    floor.agent.poll(NOON);
    floor.board.write_quote(last, &quote("80", "101", NOON));
    // The ring holds one message: the second is lost.
    floor.dirty.push(A).expect("room");
    floor.dirty.push(last).expect_err("full");
    let mut polls = 0;
    while floor.status().latch.is_none() {
        floor.agent.poll(NOON);
        polls += 1;
        assert!(polls < 20, "a bounded number of bounded steps");
    }
    assert!(polls > 1, "a rescan is spread over cycles");
}
