//! The whole engine through the library, the same scenarios in every layout.
//!
//! Runs on: tests; the engine's own threads, or the test's in layout invoker.
//! Owns: the scenarios, and what must hold at the end of each session.
//! Never: depends on the number of cores or on how fast the machine is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shrike::cold::{EventKind, Session, SubscriptionError};
use shrike::config::Config;
use shrike::engine::{
    Algorithm, Context, EnginePhase, ExecutionEngine, RefusalReason, RunState, SignalError,
    SubmitError, SubmitOutcome,
};
use shrike::ring::topology::{TOPOLOGY, WhenFull};
use shrike::types::{
    InstrumentId, Money, Nanos, Order, OrderEvent, OrderReport, OrderStatus, Quantity, QuoteUpdate,
    RefusalCode, ReplaceRequest, Scope, Side, Signal, Sizing, StrategyId, TradingState,
};

const LAYOUTS: [&str; 5] = ["dedicated", "paired", "shared_hot", "shared", "invoker"];
/// How long anything may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// The demo trades IBM, and only IBM, unless `demo` is false.
fn config(layout: &str, seed: u64, demo: bool) -> Config {
    let text = format!(
        r#"
        seed = {seed}
        [threads]
        layout = "{layout}"
        profile = "balanced"
        [journal]
        segment_size = "1MiB"
        [market]
        source = "synthetic"
        symbols = ["AAPL", "MSFT", "SPY", "IBM"]
        [market.synthetic]
        gap_per_million = 0
        [risk_management]
        order_rate = 100000
        duplicate_window = "0s"
        max_feed_silence = "off"
        [brokers.paper]
        cash = "1000000"
        fee_per_share = "0.01"
        [[algorithm]]
        name = "demo"
        enabled = {demo}
        symbols = ["IBM"]
        parameters = {{ interval = "5ms", quantity = 10 }}
        "#
    );
    Config::parse(&text, "layouts.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// A started engine with what the scenarios do to it.
struct Rig {
    engine: ExecutionEngine,
    layout: &'static str,
}

impl Rig {
    fn start(engine: ExecutionEngine, layout: &'static str) -> Self {
        engine
            .initialize()
            .unwrap_or_else(|error| panic!("{layout}: {error}"));
        engine
            .start_trading()
            .unwrap_or_else(|error| panic!("{layout}: {error}"));
        let rig = Self { engine, layout };
        rig.until("a quote of every symbol", |rig| {
            let rows = rig
                .engine
                .get_comprehensive_status()
                .expect("a status")
                .market_rows;
            rows > 500
        });
        rig
    }

    /// Lets the engine run until `done`.
    fn until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            let state = self
                .engine
                .run_for(Duration::from_millis(2))
                .expect("it runs");
            assert!(
                matches!(state, RunState::Running),
                "{}: {state:?}",
                self.layout
            );
            assert!(
                Instant::now() < deadline,
                "{}: no {what}: {}",
                self.layout,
                self.engine
                    .get_comprehensive_status()
                    .expect("a status")
                    .to_json()
            );
        }
    }

    fn instrument(&self, symbol: &str) -> InstrumentId {
        self.engine
            .instrument(symbol)
            .expect("a symbol of the market")
    }

    fn status(&self, order_id: shrike::types::OrderId) -> OrderStatus {
        self.engine.order(order_id).expect("an own order").status
    }

    fn until_status(&self, order_id: shrike::types::OrderId, wanted: OrderStatus) {
        self.until(wanted.as_str(), |rig| rig.status(order_id) == wanted);
    }

    fn submit(&self, order: Order) -> SubmitOutcome {
        let paper = self.engine.broker("paper");
        self.engine
            .submit_and_wait(order, paper, PATIENCE)
            .expect("queued")
    }

    fn held(&self, symbol: &str) -> Quantity {
        let instrument = self.instrument(symbol);
        let system = self.engine.trading_system("paper").expect("the broker");
        let positions = system.positions();
        let held = positions.iter().find(|held| held.instrument == instrument);
        held.map_or(Quantity::ZERO, |held| held.position.quantity)
    }

    /// Far below the market, and within the outer collar.
    fn resting(&self, symbol: &str, quantity: i64) -> Order {
        Order::limit(
            self.instrument(symbol),
            Side::Buy,
            shares(quantity),
            price("85"),
        )
    }

    /// Ends the session; what must hold then, whatever was done in it.
    fn end(self) -> Session {
        let session = self.engine.shutdown().expect("an orderly end");
        assert_eq!(self.engine.phase(), EnginePhase::Stopped);
        assert_sound(&session, self.layout);
        session
    }
}

/// The account is the broker's, the counts add up, nothing odd happened, and no ring was full that must not be.
fn assert_sound(session: &Session, layout: &str) {
    let report = &session.report;
    let text = session.to_string();
    assert_eq!(report.layout, layout);
    assert!(!report.reconciliation.is_empty());
    assert!(
        report.reconciliation.iter().all(|found| found.equal),
        "{text}"
    );
    let orders = &report.orders;
    assert_eq!(
        orders.submitted,
        orders.approved + orders.refused + orders.held,
        "{text}"
    );
    let ended = orders.filled + orders.canceled + orders.rejected + orders.expired + orders.absent;
    assert_eq!(
        orders.approved,
        ended + orders.open + orders.in_doubt,
        "{text}"
    );
    assert_eq!(orders.in_doubt, 0, "{text}");
    assert_eq!(orders.submitted, session.orders.len() as u64);
    assert_eq!(report.fills.count, session.fills.len() as u64);
    let odd = serde_json::to_value(report.irregularities).expect("JSON");
    for (what, count) in odd.as_object().expect("figures") {
        assert_eq!(*count, 0, "{what}: {text}");
    }
    for ring in &report.rings {
        let kind = ring.name.split('[').next();
        let spec = TOPOLOGY
            .iter()
            .find(|spec| Some(spec.name) == kind)
            .expect("listed");
        let may = matches!(
            spec.when_full,
            WhenFull::Rescan | WhenFull::DropCounted | WhenFull::Wait
        );
        assert!(
            may || ring.refused == 0,
            "{} refused {}",
            ring.name,
            ring.refused
        );
    }
}

fn shares(count: i64) -> Quantity {
    Quantity::from_whole(count).expect("a quantity")
}

fn price(text: &str) -> shrike::types::Price {
    text.parse().expect("a price")
}

#[test]
fn every_call_of_the_engine_works_in_every_layout() {
    for layout in LAYOUTS {
        let events = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&events);
        let engine = ExecutionEngine::builder(config(layout, 7, true))
            .event_handler(move |_| {
                seen.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .expect("a configuration");
        assert_eq!(engine.phase(), EnginePhase::Created);
        let mut subscription = engine.subscribe(65_536);
        let early = Order::market(InstrumentId(0), Side::Buy, shares(1));
        assert_eq!(
            engine.submit_cross_system_order(early, None),
            Err(SubmitError::NotStarted)
        );
        let rig = Rig::start(engine, layout);
        orders_live_and_die(&rig);
        signals_become_orders(&rig);
        a_port_works_from_its_own_thread(&rig);
        a_broker_is_switched_off_and_on(&rig);
        trading_states_hold(&rig);
        rig.until("fills of the demo", |rig| {
            !rig.held("IBM").is_zero() || rig.engine.progress().fills > 20
        });
        the_figures_agree(&rig);
        let session = rig.end();
        assert!(session.report.fills.count > 5, "{session}");
        assert!(
            events.load(Ordering::Relaxed) > 20,
            "{layout}: the handler was called"
        );
        events_come_without_a_gap(&mut subscription);
    }
}

fn orders_live_and_die(rig: &Rig) {
    let SubmitOutcome::Accepted(resting) = rig.submit(rig.resting("SPY", 10)) else {
        panic!("{}: a resting order is accepted", rig.layout);
    };
    let mut change = ReplaceRequest {
        order_id: resting,
        quantity: Some(shares(20)),
        limit: Some(price("86")),
        stop: None,
        trail: None,
        requested_at: Nanos::ZERO,
    };
    rig.engine.replace(change).expect("queued");
    rig.until_status(resting, OrderStatus::Replaced);
    let view = rig.engine.order(resting).expect("an own order");
    assert_eq!(view.quantity, shares(20));
    assert_eq!(view.order_type.limit_price(), Some(price("86")));
    change.limit = None;
    change.stop = Some(price("86"));
    assert!(matches!(
        rig.engine.replace(change),
        Err(SubmitError::Invalid(_))
    ));
    rig.engine.cancel(resting).expect("queued");
    rig.until_status(resting, OrderStatus::Canceled);
    assert_eq!(
        rig.engine.cancel(resting),
        Err(SubmitError::NotWorking { order_id: resting })
    );
    let huge = Order::market(rig.instrument("SPY"), Side::Buy, shares(10_001));
    let refused = rig.submit(huge);
    assert!(
        matches!(
            refused,
            SubmitOutcome::Refused(_, RefusalReason::Engine(refusal))
                if refusal.code == RefusalCode::MaxOrderQuantity
        ),
        "{refused:?}"
    );
    let bought = Order::market(rig.instrument("SPY"), Side::Buy, shares(10));
    let order_id = rig
        .engine
        .submit_cross_system_order(bought, None)
        .expect("queued");
    rig.until_status(order_id, OrderStatus::Filled);
    rig.until("its position", |rig| rig.held("SPY") == shares(10));
}

fn signals_become_orders(rig: &Rig) {
    let msft = rig.instrument("MSFT");
    let mut expected = Quantity::ZERO;
    let sizings = [
        (Side::Buy, Sizing::Quantity(shares(5))),
        (Side::Buy, Sizing::Notional(Money::from_whole(1_000))),
        (
            Side::Buy,
            Sizing::PercentOfEquity("0.001".parse().expect("a ratio")),
        ),
        (Side::Sell, Sizing::TargetPosition(shares(50))),
        (Side::Buy, Sizing::TargetPosition(shares(-7))),
    ];
    for (side, sizing) in sizings {
        let before = expected;
        let signal = Signal::market(msft, side, sizing);
        let order_id = rig.engine.process_signal(signal).expect("queued");
        rig.until_status(order_id, OrderStatus::Filled);
        let view = rig.engine.order(order_id).expect("an own order");
        expected = before
            .checked_add(view.side.signed(view.filled))
            .expect("in range");
        match sizing {
            Sizing::Quantity(quantity) => assert_eq!(view.quantity, quantity),
            Sizing::TargetPosition(target) => assert_eq!(expected, target),
            // A thousand dollars at about a hundred each.
            _ => assert!(
                (shares(7)..=shares(14)).contains(&view.quantity),
                "{view:?}"
            ),
        }
        rig.until("its position", |rig| rig.held("MSFT") == expected);
    }
    let again = Signal::market(msft, Side::Buy, Sizing::TargetPosition(shares(-7)));
    assert_eq!(rig.engine.process_signal(again), Err(SignalError::AtTarget));
    let crumbs = Signal::market(msft, Side::Buy, Sizing::Notional(Money::from_whole(1)));
    assert_eq!(
        rig.engine.process_signal(crumbs),
        Err(SignalError::LessThanOneLot)
    );
}

fn a_port_works_from_its_own_thread(rig: &Rig) {
    let mut manager = rig.engine.open_port().expect("a free port");
    let order = rig.resting("AAPL", 3);
    let user = std::thread::spawn(move || {
        let deadline = Instant::now() + PATIENCE;
        let port = manager.port_mut();
        for _ in 0..20 {
            port.submit(order, None).expect("queued");
        }
        let (mut accepted, mut canceled) = (0, 0);
        while canceled < 20 {
            assert!(
                Instant::now() < deadline,
                "{accepted} accepted, {canceled} canceled"
            );
            let Some(report) = port.poll_report() else {
                std::thread::yield_now();
                continue;
            };
            match report.event {
                OrderEvent::Accepted => accepted += 1,
                OrderEvent::Canceled => canceled += 1,
                _ => {}
            }
            if accepted == 20 && report.event == OrderEvent::Accepted {
                port.cancel_all(None).expect("queued");
            }
        }
        assert_eq!(port.open_order_count(), 0);
    });
    rig.until("the end of the port's thread", |_| user.is_finished());
    user.join().expect("the port's thread");
}

fn a_broker_is_switched_off_and_on(rig: &Rig) {
    let system = rig.engine.trading_system("paper").expect("the broker");
    let health = system.health();
    assert!(health.up && health.enabled, "{health:?}");
    assert_eq!(health.trading_state, TradingState::Active);
    let SubmitOutcome::Accepted(resting) = rig.submit(rig.resting("SPY", 1)) else {
        panic!("{}: a resting order is accepted", rig.layout);
    };
    system.disable();
    assert!(!system.health().enabled);
    rig.until_status(resting, OrderStatus::Canceled);
    let refused = rig.submit(rig.resting("SPY", 2));
    assert!(
        matches!(refused, SubmitOutcome::Refused(..)),
        "{}: {refused:?}",
        rig.layout
    );
    system.enable();
    let accepted = rig.submit(rig.resting("SPY", 3));
    assert!(
        matches!(accepted, SubmitOutcome::Accepted(_)),
        "{}: {accepted:?}",
        rig.layout
    );
    rig.until("its order", |_| {
        system
            .orders()
            .iter()
            .any(|order| order.quantity == shares(3))
    });
}

fn trading_states_hold(rig: &Rig) {
    let code = |outcome: SubmitOutcome| match outcome {
        SubmitOutcome::Refused(_, RefusalReason::Engine(refusal)) => Some(refusal.code),
        _ => None,
    };
    for (state, expected) in [
        (TradingState::Reducing, Some(RefusalCode::Reducing)),
        (TradingState::Halted, Some(RefusalCode::Halted)),
        (TradingState::Active, None),
    ] {
        rig.engine
            .set_trading_state(Scope::Firm, state)
            .expect("queued");
        let outcome = rig.submit(rig.resting("SPY", 4));
        assert_eq!(
            code(outcome),
            expected,
            "{}: {state:?} {outcome:?}",
            rig.layout
        );
    }
    // Ten shares of SPY are held: to sell them reduces.
    rig.engine
        .set_trading_state(Scope::Firm, TradingState::Reducing)
        .expect("queued");
    let sale = Order::market(rig.instrument("SPY"), Side::Sell, shares(10));
    let outcome = rig.submit(sale);
    assert!(
        matches!(outcome, SubmitOutcome::Accepted(_)),
        "{}: {outcome:?}",
        rig.layout
    );
    rig.engine
        .set_trading_state(Scope::Firm, TradingState::Active)
        .expect("queued");
    rig.engine
        .cancel_all(Scope::Firm, Some(rig.instrument("SPY")))
        .expect("queued");
    rig.until("the end of every order of SPY", |rig| {
        let spy = rig.instrument("SPY");
        let system = rig.engine.trading_system("paper").expect("the broker");
        system.orders().iter().all(|order| order.instrument != spy)
    });
}

fn the_figures_agree(rig: &Rig) {
    let metrics = rig.engine.session_metrics().to_map();
    for name in [
        "total_orders_submitted",
        "total_orders_filled",
        "total_orders_canceled",
        "total_orders_refused",
        "total_fills",
        "active_positions",
        "events_processed",
    ] {
        assert!(
            metrics[name].as_u64() > Some(0),
            "{}: {name} is {}",
            rig.layout,
            metrics[name]
        );
    }
    assert_eq!(metrics["anomalies"], 0);
    let status = rig
        .engine
        .get_comprehensive_status()
        .expect("a status")
        .to_json();
    assert_eq!(status["phase"], "trading");
    assert_eq!(status["layout"], rig.layout);
    assert_eq!(status["brokers"][0]["name"], "paper");
    assert_eq!(status["brokers"][0]["up"], true);
    assert_eq!(status["faults"], serde_json::json!([]));
    assert_eq!(status["journal"]["error"], serde_json::Value::Null);
    assert!(status["market"]["rows"].as_u64() > Some(0));
    assert!(status["account"]["equity"].is_string(), "{status}");
    assert!(
        status["latency_ns"]["internal"]["count"].as_u64() > Some(0),
        "{status}"
    );
    assert_eq!(status["rings"].as_array().map(Vec::is_empty), Some(false));
    for name in metrics.keys() {
        assert!(
            !status["metrics"][name].is_null() || metrics[name].is_null(),
            "{name}"
        );
    }
}

fn events_come_without_a_gap(subscription: &mut shrike::cold::Subscription) {
    let (mut last, mut fills) = (0, 0);
    loop {
        match subscription.try_recv() {
            Ok(event) => {
                assert_eq!(event.sequence, last + 1);
                last = event.sequence;
                assert!(!matches!(event.kind, EventKind::Gap { .. }), "{event:?}");
                fills += u64::from(matches!(event.kind, EventKind::Position(_)));
            }
            Err(SubscriptionError::Closed) => break,
            Err(error) => panic!("after {last} events: {error}"),
        }
    }
    assert!(fills > 5, "{fills} of {last} events are of positions");
}

#[test]
fn two_engines_run_in_one_process() {
    let start = |seed| {
        let engine = ExecutionEngine::builder(config("shared", seed, true));
        Rig::start(engine.build().expect("a configuration"), "shared")
    };
    let rigs = [start(1), start(2)];
    for rig in &rigs {
        rig.until("fills", |rig| rig.engine.progress().fills > 10);
    }
    let sessions = rigs.map(Rig::end);
    let [one, two] = sessions
        .each_ref()
        .map(|session| session.report.fills.notional);
    assert_ne!(one, two, "each has a market of its own");
}

/// Rests three orders, then panics; or buys and sells without end.
struct Nervous {
    panics: bool,
    sent: u64,
}

impl Algorithm for Nervous {
    fn on_quote(&mut self, context: &mut Context<'_>, update: &QuoteUpdate) {
        let (side, order) = match self.panics {
            true => (Side::Buy, price("85")),
            false if self.sent.is_multiple_of(2) => (Side::Buy, update.quote.ask),
            false => (Side::Sell, update.quote.bid),
        };
        if context.open_orders().count() < 3 {
            let order = Order::limit(update.instrument, side, shares(1), order);
            self.sent += u64::from(context.submit(order).is_ok());
        }
    }

    fn on_event(&mut self, context: &mut Context<'_>, report: &OrderReport) {
        let accepted = report.event == OrderEvent::Accepted;
        let all = context
            .open_orders()
            .filter(|order| order.acknowledged)
            .count()
            == 3;
        assert!(!(self.panics && accepted && all), "planted");
    }
}

#[test]
fn an_algorithm_that_panics_halts_only_its_strategy() {
    for layout in LAYOUTS {
        let nervous = |panics| Box::new(Nervous { panics, sent: 0 });
        let engine = ExecutionEngine::builder(config(layout, 3, false))
            .algorithm("calm", &["AAPL"], nervous(false))
            .algorithm("nervous", &["MSFT"], nervous(true))
            .build()
            .expect("a configuration");
        let rig = Rig::start(engine, layout);
        let faults = |rig: &Rig| {
            rig.engine
                .get_comprehensive_status()
                .expect("a status")
                .faults
        };
        rig.until("a fault", |rig| faults(rig).len() == 1);
        let fault = faults(&rig).remove(0);
        assert!(fault.message.contains("nervous: planted"), "{fault}");
        assert_eq!(
            fault.scope,
            shrike::types::KillScope::Strategy(StrategyId(3)),
            "{fault}"
        );
        // Its orders are canceled, those of the others go on.
        let msft = rig.instrument("MSFT");
        let system = rig.engine.trading_system("paper").expect("the broker");
        rig.until("the end of its orders", |_| {
            system.orders().iter().all(|order| order.instrument != msft)
        });
        let fills = rig.engine.progress().fills;
        rig.until("more fills of the other", |rig| {
            rig.engine.progress().fills > fills + 10
        });
        let session = rig.end();
        let sent = session
            .orders
            .iter()
            .filter(|order| order.refusal.is_none());
        let nervous = sent.filter(|order| order.request.order.instrument == msft);
        let ends: Vec<_> = nervous.map(|order| order.state.status()).collect();
        assert_eq!(ends, [OrderStatus::Canceled; 3], "{layout}: {session}");
    }
}
