//! A restart finds orders, positions, cash and latches as they were, however the last run ended.
//!
//! Runs on: the test runner.
//! Owns: small stories written as records.
//! Never: needs privileges or leaves files behind.

use std::fs;
use std::path::Path;

use shrike::journal::{
    Dump, Journal, JournalError, JournalFollower, JournalSettings, JournalWriter, Name, Pen,
    Record, Recovered, Replayer, StateDir, create, inspect, recover, to_line,
};
use shrike::types::*;

const PAPER: BrokerId = BrokerId(0);
const IBM: InstrumentId = InstrumentId(0);

/// One boot of an engine on a state directory.
struct Boot {
    state: StateDir,
    epoch: BootEpoch,
    pen: JournalWriter,
    follower: JournalFollower,
    recovered: Recovered,
}

impl Boot {
    /// Recovers, begins an epoch and writes this boot's tables: symbols and brokers by id.
    fn new(dir: &Path, symbols: &[&str], brokers: &[&str]) -> Self {
        let state = StateDir::open(dir).expect("free");
        let hot = dir.join("hot");
        let recovered = recover(state.path(), Some(&hot)).expect("sound");
        let epoch = state.bump_epoch().expect("writable");
        let mut settings = JournalSettings::new(dir, hot, epoch);
        settings.segment_bytes = 16 * 1024;
        settings.after = recovered.tail;
        let (pen, follower) = create(settings).expect("room");
        let mut boot = Self {
            state,
            epoch,
            pen,
            follower,
            recovered,
        };
        boot.write(Record::Boot { epoch, seed: 1 });
        for (id, symbol) in (0..).zip(symbols) {
            boot.write(Record::Instrument {
                id: InstrumentId(id),
                symbol: symbol.parse().expect("a symbol"),
            });
        }
        for (id, name) in (0..).zip(brokers) {
            boot.write(Record::Broker {
                id: BrokerId(id),
                name: Name::new(name),
            });
        }
        boot.write(Record::Strategy {
            id: StrategyId(2),
            name: Name::new("demo"),
        });
        boot
    }

    fn write(&mut self, record: Record) -> u64 {
        while !self.pen.has_room(1) {
            self.follower.poll(Nanos(0));
        }
        let sequence = self.pen.next_sequence();
        self.pen.append(&record, Nanos(sequence))
    }

    fn id(&self, sequence: u64) -> OrderId {
        OrderId::new(self.epoch, PortId(1), sequence).expect("an id")
    }

    /// The process ends: nothing is copied, synced or removed any more.
    fn crash(self) {
        drop(self);
    }

    fn shut_down(mut self) {
        self.write(Record::Shutdown);
        self.follower.close(Nanos(0)).expect("writable");
    }
}

fn shares(n: i64) -> Quantity {
    Quantity::from_whole(n).expect("small")
}

fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

fn money(text: &str) -> Money {
    text.parse().expect("money")
}

fn limit(limit: &str) -> OrderType {
    OrderType::Limit {
        limit: price(limit),
    }
}

fn intent(order_id: OrderId, side: Side, quantity: i64, order_type: OrderType) -> Record {
    intent_at(PAPER, IBM, order_id, side, quantity, order_type)
}

fn intent_at(
    broker: BrokerId,
    instrument: InstrumentId,
    order_id: OrderId,
    side: Side,
    quantity: i64,
    order_type: OrderType,
) -> Record {
    Record::Intent(ApprovedOrder {
        request: OrderRequest {
            order_id,
            strategy: StrategyId(2),
            preferred_broker: Some(broker),
            order: Order::new(instrument, side, shares(quantity), order_type),
            submitted_at: Nanos(5),
            decision_price: price("99"),
            signal_stamp: 1_000,
        },
        collar: None,
        risk_price: price("100"),
        risk_offset: 70,
        broker,
    })
}

fn report(kind: ReportKind, order_id: OrderId) -> ExecutionReport {
    ExecutionReport::new(kind, order_id, PAPER, IBM, Side::Buy)
}

fn fill(order_id: OrderId, execution: u128, quantity: i64, at: &str) -> ExecutionReport {
    ExecutionReport {
        execution_id: ExecutionId(execution),
        last_quantity: shares(quantity),
        last_price: price(at),
        fee: money("0.35"),
        ..report(ReportKind::Fill, order_id)
    }
}

fn account(broker: BrokerId, cash: &str) -> Record {
    Record::Account(AccountSnapshot {
        broker,
        kind: AccountKind::Margin,
        cash: money(cash),
        multiplier: Ratio::ONE,
        at: Nanos(9),
    })
}

/// With the ids of a run that has IBM as 3, everything else as 9, brokers by the list and `demo` as
/// strategy 7.
fn remapped(recovered: Recovered, brokers: &[&str]) -> Result<RecoveredState, JournalError> {
    recovered.remap(
        |symbol| InstrumentId(if symbol.as_str() == "IBM" { 3 } else { 9 }),
        |name| {
            let at = brokers.iter().position(|known| *known == name)?;
            Some(BrokerId(at as u8))
        },
        |name| StrategyId(if name == "demo" { 7 } else { 1 }),
    )
}

#[test]
fn a_first_start_recovers_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let recovered = recover(dir.path(), None).expect("empty");
    let nothing = Recovered {
        strategies: vec!["external".to_owned(), "engine".to_owned()],
        ..Recovered::default()
    };
    assert_eq!(recovered, nothing);
    let state = remapped(recovered, &[]).expect("nothing to map");
    assert_eq!(state, RecoveredState::default());
}

#[test]
fn an_order_position_and_cash_come_back_after_a_crash_in_the_new_runs_ids() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM", "AAPL"], &["paper"]);
    boot.write(account(PAPER, "10000"));
    let id = boot.id(1);
    boot.write(intent(id, Side::Buy, 100, limit("99.5")));
    boot.write(Record::Execution(ExecutionReport {
        encode_offset: 300,
        wire_offset: 400,
        ..report(ReportKind::Sent, id)
    }));
    boot.write(Record::Execution(report(ReportKind::Accepted, id)));
    boot.write(Record::Execution(fill(id, 11, 40, "99.5")));
    // The same execution, told again after a reconnect.
    boot.write(Record::Execution(fill(id, 11, 40, "99.5")));
    boot.crash();

    let boot = Boot::new(dir.path(), &["AAPL", "IBM"], &["other", "paper"]);
    assert_eq!(boot.epoch.get(), 2);
    assert!(!boot.recovered.shut_down);
    assert_eq!(boot.recovered.torn_bytes, 0);
    let state = remapped(boot.recovered.clone(), &["other", "paper"]).expect("all known");
    let [order] = &state.orders[..] else {
        panic!("{:?}", state.orders)
    };
    assert_eq!(order.order_id(), id);
    assert_eq!(order.state.status(), OrderStatus::PartiallyFilled);
    assert_eq!(order.state.filled(), shares(40));
    assert_eq!(order.order_type, limit("99.5"));
    assert_eq!(order.approved.broker, BrokerId(1));
    assert_eq!(order.approved.request.order.instrument, InstrumentId(3));
    assert_eq!(order.approved.request.strategy, StrategyId(7));
    assert_eq!(order.approved.request.preferred_broker, Some(BrokerId(1)));
    let stamps = order.stamps;
    assert_eq!(
        (stamps.signal, stamps.risk, stamps.encode, stamps.wire),
        (1_000, 70, 300, 400)
    );
    assert_eq!(state.execution_ids, [ExecutionId(11)]);
    assert_eq!(
        state.accounts[0].cash,
        money("6019.65"),
        "10000 - 3980 - 0.35"
    );
    let [held] = &state.positions[..] else {
        panic!("{:?}", state.positions)
    };
    assert_eq!(
        (held.broker, held.instrument),
        (BrokerId(1), InstrumentId(3))
    );
    assert_eq!(held.position.quantity, shares(40));
    assert_eq!(held.position.cost, money("3980"));
    assert_eq!(held.position.fees, money("0.35"));
}

#[test]
fn an_order_lives_on_over_several_boots_with_different_tables() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    boot.write(account(PAPER, "10000"));
    let id = boot.id(1);
    boot.write(intent(id, Side::Sell, 10, limit("50")));
    boot.write(Record::Execution(report(ReportKind::Accepted, id)));
    boot.crash();

    let mut boot = Boot::new(dir.path(), &["MSFT", "IBM"], &["ibkr", "paper"]);
    let partial = ExecutionReport {
        broker: BrokerId(1),
        instrument: InstrumentId(1),
        ..fill(id, 1, 4, "50")
    };
    boot.write(Record::Execution(partial));
    boot.shut_down();
    assert!(!dir.path().join("hot").exists());

    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    assert!(boot.recovered.shut_down);
    assert_eq!(boot.epoch.get(), 3);
    let rest = ExecutionReport {
        // The simulator counts from 1 again; another order's execution 1 is another execution.
        ..fill(id, 2, 6, "50")
    };
    boot.write(Record::Execution(rest));
    let other = boot.id(1);
    boot.write(intent(other, Side::Buy, 1, OrderType::Market));
    boot.write(Record::Execution(fill(other, 1, 1, "49")));
    boot.crash();

    let recovered = recover(dir.path(), None).expect("sound");
    assert_eq!(recovered.brokers, ["paper", "ibkr"]);
    let state = remapped(recovered, &["paper"]).expect("ibkr has nothing");
    assert_eq!(state.orders, []);
    assert_eq!(state.execution_ids, []);
    let [held] = &state.positions[..] else {
        panic!("{:?}", state.positions)
    };
    assert_eq!(held.position.quantity, shares(-9));
    assert_eq!(held.position.realized, money("1"));
    assert_eq!(
        state.accounts[0].cash,
        money("10449.95"),
        "+500 - 49 - 3 x 0.35"
    );
}

#[test]
fn terms_are_those_that_the_broker_last_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    let (id, collared) = (boot.id(1), boot.id(2));
    let replace = |order_id, quantity, at: &str, risk: &str| {
        Record::ReplaceIntent(ApprovedReplace {
            order_id,
            quantity: shares(quantity),
            order_type: limit(at),
            risk_price: price(risk),
            requested_at: Nanos(1),
        })
    };
    let replaced = |order_id, quantity, at: &str| {
        Record::Execution(ExecutionReport {
            quantity: shares(quantity),
            order_type: limit(at),
            ..report(ReportKind::Replaced, order_id)
        })
    };
    boot.write(intent(id, Side::Buy, 10, limit("50")));
    boot.write(Record::Execution(report(ReportKind::Accepted, id)));
    boot.write(replace(id, 20, "51", "101"));
    boot.write(replaced(id, 20, "51"));
    boot.write(replace(id, 30, "52", "102"));
    let mut market = intent(collared, Side::Buy, 5, OrderType::Market);
    if let Record::Intent(approved) = &mut market {
        approved.collar = Some(price("60"));
    }
    boot.write(market);
    boot.write(Record::Execution(report(ReportKind::Accepted, collared)));
    boot.write(replace(collared, 6, "61", "61"));
    boot.write(replaced(collared, 6, "61"));
    let state = |boot: &Boot| {
        let recovered = inspect(boot.state.path(), None).expect("sound");
        remapped(recovered, &["paper"]).expect("all known")
    };
    let open = state(&boot);
    let [order, market] = &open.orders[..] else {
        panic!("{:?}", open.orders)
    };
    assert_eq!(order.state.status(), OrderStatus::PendingReplace);
    assert_eq!(order.state.pending_quantity(), shares(30));
    assert_eq!(order.state.quantity(), shares(20));
    assert_eq!(order.approved.request.order.quantity, shares(20));
    assert_eq!(order.order_type, limit("51"));
    assert_eq!(order.approved.wire_type(), limit("51"));
    assert_eq!(
        order.approved.risk_price,
        price("102"),
        "covers both outcomes"
    );
    assert_eq!(market.approved.request.order.order_type, OrderType::Market);
    assert_eq!(market.approved.wire_type(), limit("61"));
    assert_eq!(market.approved.risk_price, price("61"));

    boot.write(Record::Execution(report(ReportKind::ReplaceRejected, id)));
    let kept = state(&boot);
    assert_eq!(kept.orders[0].approved.risk_price, price("101"));
    assert_eq!(kept.orders[0].order_type, limit("51"));
    assert_eq!(kept.orders[0].state.status(), OrderStatus::Replaced);
}

#[test]
fn what_provably_did_not_leave_is_undone_and_nothing_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    let [never, working, unanswered, doubt] = [1, 2, 3, 4].map(|n| boot.id(n));
    for id in [never, working, unanswered, doubt] {
        boot.write(intent(id, Side::Buy, 10, limit("50")));
    }
    for id in [working, unanswered, doubt] {
        boot.write(Record::Execution(report(ReportKind::Sent, id)));
    }
    boot.write(Record::Execution(report(ReportKind::Accepted, working)));
    boot.write(Record::Execution(report(ReportKind::NotSent, never)));
    for id in [working, unanswered] {
        boot.write(Record::CancelIntent(CancelRequest {
            order_id: id,
            requested_at: Nanos(1),
        }));
        // It is the cancel that did not leave: the order is out there.
        boot.write(Record::Execution(report(ReportKind::NotSent, id)));
    }
    boot.write(Record::Execution(report(ReportKind::InDoubt, doubt)));
    boot.crash();
    let recovered = recover(dir.path(), None).expect("sound");
    assert_eq!(recovered.anomalies, 0);
    let known: Vec<_> = recovered
        .state
        .orders
        .iter()
        .map(|order| (order.order_id(), order.state.status()))
        .collect();
    assert_eq!(
        known,
        [
            (working, OrderStatus::New),
            (unanswered, OrderStatus::PendingNew),
            (doubt, OrderStatus::InDoubt)
        ]
    );
}

#[test]
fn a_late_or_foreign_fill_moves_position_and_cash() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    boot.write(account(PAPER, "1000"));
    let id = boot.id(1);
    boot.write(intent(id, Side::Buy, 10, limit("50")));
    boot.write(Record::Execution(report(ReportKind::Canceled, id)));
    boot.write(Record::Execution(fill(id, 5, 2, "50")));
    boot.write(Record::Execution(fill(id, 5, 2, "50")));
    let foreign = ExecutionReport {
        side: Side::Sell,
        ..fill(OrderId::default(), 5, 3, "60")
    };
    boot.write(Record::Execution(foreign));
    boot.crash();
    let state = recover(dir.path(), None).expect("sound").state;
    assert_eq!(state.orders, []);
    assert_eq!(state.positions[0].position.quantity, shares(-1));
    assert_eq!(
        state.accounts[0].cash,
        money("1079.3"),
        "1000 - 100 + 180 - 0.70"
    );
}

#[test]
fn latches_and_baselines_come_back_until_they_are_lifted() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["ibkr", "paper"]);
    let at = Nanos(1);
    let set = |scope, state, cause| {
        Record::Risk(RiskRecord::TradingState {
            scope,
            state,
            cause,
            observed: -5,
            limit: 4,
            at,
        })
    };
    let loss = Some(RefusalCode::DailyLoss);
    boot.write(set(Scope::Firm, TradingState::Halted, loss));
    boot.write(set(
        Scope::Broker(BrokerId(1)),
        TradingState::Reducing,
        None,
    ));
    boot.write(set(
        Scope::Strategy(StrategyId(2)),
        TradingState::Halted,
        None,
    ));
    boot.write(set(
        Scope::Strategy(StrategyId(2)),
        TradingState::Active,
        None,
    ));
    boot.write(Record::Risk(RiskRecord::StartOfDay {
        date: 20_131_007,
        equity: money("1000000.25"),
        at,
    }));
    boot.write(Record::Risk(RiskRecord::HighWaterMark {
        equity: money("1000300"),
        at,
    }));
    boot.crash();
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    let state = remapped(boot.recovered.clone(), &["paper"]).expect("all known");
    let states: Vec<_> = state
        .trading_states
        .iter()
        .map(|known| (known.scope, known.state, known.cause))
        .collect();
    assert_eq!(
        states,
        [
            (Scope::Firm, TradingState::Halted, loss),
            (Scope::Broker(PAPER), TradingState::Reducing, None)
        ]
    );
    assert_eq!(state.start_of_day, Some((20_131_007, money("1000000.25"))));
    assert_eq!(state.high_water_mark, Some(money("1000300")));
    boot.write(Record::Risk(RiskRecord::LatchesReset { at }));
    boot.crash();
    let state = recover(dir.path(), None).expect("sound").state;
    assert_eq!(state.trading_states.len(), 1, "the operator's own stays");
}

#[test]
fn a_broker_that_is_gone_is_named_when_it_has_something_to_lose() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["old", "older"]);
    boot.write(account(BrokerId(1), "5"));
    let id = boot.id(1);
    let old = |report| ExecutionReport {
        broker: PAPER,
        ..report
    };
    boot.write(intent_at(PAPER, IBM, id, Side::Buy, 10, limit("50")));
    boot.shut_down();
    let gone = |what: &str| {
        let recovered = inspect(dir.path(), None).expect("sound");
        match remapped(recovered, &["new"]) {
            Err(error @ JournalError::BrokerGone { .. }) => {
                let text = error.to_string();
                assert!(text.contains("'old'") && text.contains(what), "{text}");
            }
            other => panic!("{other:?}"),
        }
    };
    gone("a working order");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["old"]);
    boot.write(Record::Execution(old(fill(id, 1, 10, "50"))));
    boot.shut_down();
    gone("an open position");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["old"]);
    let close = boot.id(1);
    boot.write(intent(close, Side::Sell, 10, OrderType::Market));
    boot.write(Record::Execution(fill(close, 2, 10, "51")));
    boot.shut_down();
    let recovered = inspect(dir.path(), None).expect("sound");
    let state = remapped(recovered, &["new"]).expect("nothing is left there");
    assert_eq!((state.positions, state.accounts), (vec![], vec![]));
}

#[test]
fn a_recovery_that_is_interrupted_is_done_by_the_next_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    for n in 1..=400 {
        let id = boot.id(n);
        boot.write(intent(id, Side::Buy, 1, limit("50")));
        if n == 300 {
            boot.follower.flush(Nanos(0)).expect("writable");
        }
    }
    boot.crash();
    let hot: Vec<(std::path::PathBuf, Vec<u8>)> = fs::read_dir(dir.path().join("hot"))
        .expect("left by the crash")
        .map(|entry| entry.expect("readable").path())
        .map(|path| (path.clone(), fs::read(path).expect("readable")))
        .collect();
    let first = recover(dir.path(), None).expect("sound");
    assert_eq!(first.state.orders.len(), 400);
    // Power went after the copy and before the removal; or in the middle of the copy.
    for cut in [0, 1, 5_000] {
        fs::create_dir_all(dir.path().join("hot")).expect("writable");
        for (path, bytes) in &hot {
            fs::write(path, bytes).expect("writable");
        }
        fs::write(
            dir.path().join("HOT"),
            dir.path().join("hot").to_str().expect("text"),
        )
        .expect("writable");
        let newest = newest_segment(dir.path());
        let bytes = fs::read(&newest).expect("readable");
        fs::write(&newest, &bytes[..bytes.len() - cut]).expect("writable");
        let again = recover(dir.path(), None).expect("sound");
        assert_eq!(again, first, "cut by {cut}");
        assert!(!dir.path().join("hot").exists());
        assert_eq!(inspect(dir.path(), None).expect("sound"), first);
    }
    let boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    assert_eq!(boot.recovered, first);
}

fn newest_segment(dir: &Path) -> std::path::PathBuf {
    fs::read_dir(dir)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "seg"))
        .max()
        .expect("a segment")
}

#[test]
fn a_torn_end_is_cut_off_counted_once_and_written_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    let id = boot.id(1);
    boot.write(intent(id, Side::Buy, 1, limit("50")));
    boot.shut_down();
    let newest = newest_segment(dir.path());
    let bytes = fs::read(&newest).expect("readable");
    fs::write(&newest, &bytes[..bytes.len() - 5]).expect("writable");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    assert_eq!(boot.recovered.torn_bytes, 27, "a shutdown record has 32");
    assert_eq!(boot.recovered.state.orders.len(), 1);
    boot.write(Record::Execution(report(ReportKind::Accepted, id)));
    boot.crash();
    let recovered = recover(dir.path(), None).expect("sound");
    assert_eq!(recovered.torn_bytes, 0);
    assert_eq!(recovered.state.orders[0].state.status(), OrderStatus::New);
}

#[test]
fn the_hot_tail_of_a_deleted_journal_is_not_brought_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (state, hot) = (dir.path().join("state"), dir.path().join("hot"));
    let fresh = || {
        let opened = StateDir::open(&state).expect("free");
        let epoch = opened.bump_epoch().expect("writable");
        let mut settings = JournalSettings::new(&state, &hot, epoch);
        settings.segment_bytes = 8192;
        create(settings).expect("room")
    };
    let (mut pen, follower) = fresh();
    pen.append(&Record::Shutdown, Nanos(1));
    drop((pen, follower));
    fs::remove_dir_all(&state).expect("ours");
    StateDir::open(&state).expect("anew");
    let recovered = recover(&state, Some(&hot)).expect("empty");
    assert_eq!(recovered.records, 0);
    let (pen, _follower) = fresh();
    assert_eq!(pen.next_sequence(), 1);
}

#[test]
fn an_epoch_is_never_given_out_twice_even_without_its_file() {
    let dir = tempfile::tempdir().expect("a directory");
    for expected in 1..=3 {
        let boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
        assert_eq!(boot.epoch.get(), expected);
        assert_eq!(boot.recovered.last_epoch, expected - 1);
        boot.crash();
        fs::remove_file(dir.path().join("EPOCH")).expect("there");
    }
    // A boot that ended before it wrote anything counts all the same.
    let state = StateDir::open(dir.path()).expect("free");
    assert_eq!(state.bump_epoch().expect("writable").get(), 4);
    assert_eq!(state.bump_epoch().expect("writable").get(), 5);
}

#[test]
fn a_replay_of_a_running_journal_gives_the_state_of_a_recovery() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    boot.write(account(PAPER, "100000"));
    let mut reader = Journal::follow(dir.path(), None, 1).expect("readable");
    let mut replayer = Replayer::new();
    for n in 1..=500 {
        let id = boot.id(n);
        boot.write(intent(id, Side::Buy, 2, limit("50")));
        boot.write(Record::Execution(fill(
            id,
            u128::from(n),
            1 + n as i64 % 2,
            "50",
        )));
        boot.follower.poll(Nanos(n * 1_000_000));
        if n % 7 == 0 {
            while let Some(entry) = reader.read().expect("sound") {
                replayer
                    .apply(entry.sequence, entry.time, &entry.record)
                    .expect("defined");
            }
            assert_eq!(replayer.last_sequence(), boot.pen.next_sequence() - 1);
        }
    }
    while let Some(entry) = reader.read().expect("sound") {
        replayer
            .apply(entry.sequence, entry.time, &entry.record)
            .expect("defined");
    }
    boot.crash();
    let recovered = recover(dir.path(), None).expect("sound");
    assert_eq!(replayer.state(), recovered.state);
    assert_eq!(recovered.state.orders.len(), 250);
    assert_eq!(recovered.state.execution_ids.len(), 250);
}

#[test]
fn a_dump_says_names_and_decimal_text() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut boot = Boot::new(dir.path(), &["IBM"], &["paper"]);
    let id = boot.id(1);
    boot.write(intent(id, Side::Buy, 100, limit("99.5")));
    boot.write(Record::Execution(fill(id, 11, 40, "99.25")));
    boot.shut_down();
    let mut dump = Dump::new();
    let lines: Vec<_> = Journal::read(dir.path(), None)
        .expect("sound")
        .map(|entry| dump.to_json(&entry.expect("sound")).expect("few names"))
        .collect();
    let intent = &lines[4];
    assert_eq!(intent["type"], "intent");
    assert_eq!(intent["sequence"], 5);
    assert_eq!(intent["symbol"], "IBM");
    assert_eq!(intent["strategy"], "demo");
    assert_eq!(intent["limit_price"], "99.5");
    assert_eq!(intent["client_order_id"], ClientOrderId::from(id).as_str());
    let fill = to_line(&lines[5]);
    assert!(fill.starts_with("6 6 execution "), "{fill}");
    for part in ["kind=fill", "last_price=99.25", "fee=0.35", "broker=paper"] {
        assert!(fill.contains(part), "{part} in {fill}");
    }
    assert_eq!(to_line(&lines[6]), "7 7 shutdown");
}
