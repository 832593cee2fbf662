//! ORDER against naive twins: whatever is decided and reported, records, states and exposure agree.
//!
//! Runs on: the test runner.
//! Owns: a random walk over decisions and reports, and the twins that it is compared with.
//! Never: uses the agent's own table to predict what it holds.

mod order_rig;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use order_rig::*;
use proptest::prelude::*;
use shrike::journal::Record;
use shrike::types::*;

/// One random step: what to do, to which order, and two choices.
type Step = (u8, u8, u8, u8);

/// RISK, as far as reservations go: it would double-release or leak without noticing, the twin
/// does.
#[derive(Clone, Copy, Debug)]
struct Reservation {
    quantity: Quantity,
    pending: Option<Quantity>,
    filled: Quantity,
}

impl Reservation {
    fn exposed(&self) -> Quantity {
        let pending = self.pending.unwrap_or(Quantity::ZERO);
        self.quantity
            .max(pending)
            .saturating_sub_to_zero(self.filled)
    }
}

#[derive(Default)]
struct Twin {
    reservations: HashMap<OrderId, Reservation>,
    /// What each order was released by: once at most.
    released: HashMap<OrderId, u32>,
    /// First-seen executions, by broker.
    executions: HashSet<(BrokerId, ExecutionId)>,
    filled: HashMap<OrderId, Quantity>,
    position: i128,
    exposed_position: i128,
    sent: HashSet<OrderId>,
    /// States by replay of the journal, with the sequence of each order's intent.
    replayed: HashMap<OrderId, (OrderState, u64)>,
    records_seen: usize,
    last_told: HashMap<OrderId, (OrderStatus, Quantity)>,
    durable: u64,
    next: u64,
}

fn input(report: &ExecutionReport) -> Option<OrderInput> {
    use OrderInput as I;
    use ReportKind as K;
    Some(match report.kind {
        K::Sent => return None,
        K::NotSent | K::Rejected => I::Rejected,
        K::Accepted => I::Accepted,
        K::Fill => I::Fill {
            quantity: report.last_quantity,
            price: report.last_price,
            cumulative: report.cumulative_quantity,
        },
        K::Canceled => I::Canceled,
        K::Expired => I::Expired,
        K::CancelRejected => I::CancelRejected,
        K::Replaced => I::Replaced {
            quantity: report.quantity,
        },
        K::ReplaceRejected => I::ReplaceRejected,
        K::InDoubt => I::InDoubt,
        K::Status => I::Found {
            quantity: report.quantity,
            cumulative: report.cumulative_quantity,
        },
        K::NotFound => I::Absent,
    })
}

impl Twin {
    /// What a restart would make of the journal.
    fn replay(&mut self, rig: &Rig) {
        let records = rig.records();
        for (index, record) in records.iter().enumerate().skip(self.records_seen) {
            match record {
                Record::Intent(approved) => {
                    let state = OrderState::new(approved.request.order.quantity);
                    let id = approved.request.order_id;
                    let before = self.replayed.insert(id, (state, index as u64 + 1));
                    assert!(before.is_none(), "an id is taken once");
                }
                Record::CancelIntent(request) => self.apply(request.order_id, |state| {
                    let taken = state.apply(OrderInput::CancelRequested);
                    assert!(taken.is_ok(), "only a legal cancel leaves");
                }),
                Record::ReplaceIntent(replace) => self.apply(replace.order_id, |state| {
                    let quantity = replace.quantity;
                    let taken = state.apply(OrderInput::ReplaceRequested { quantity });
                    assert!(taken.is_ok(), "only a legal replace leaves");
                }),
                Record::Execution(report) => {
                    // The fill of an order that the table forgot is nobody's.
                    let known = rig.path.orders().get(report.order_id).is_some();
                    if let Some(input) = input(report).filter(|_| known) {
                        self.apply(report.order_id, |state| {
                            let _ = state.apply(input);
                        });
                    }
                }
                _ => {}
            }
        }
        self.records_seen = records.len();
    }

    fn apply(&mut self, id: OrderId, change: impl FnOnce(&mut OrderState)) {
        if let Some((state, _)) = self.replayed.get_mut(&id) {
            change(state);
        }
    }

    fn hear_exposure(&mut self, exposures: Vec<Exposure>) {
        for exposure in exposures {
            match exposure {
                Exposure::Fill {
                    order_id,
                    done,
                    quantity,
                    ..
                } => {
                    self.exposed_position += i128::from(quantity.units());
                    if let Some(held) = self.reservations.get_mut(&order_id) {
                        held.filled = held.filled.checked_add(quantity).expect("small");
                    }
                    if done {
                        self.release(order_id);
                    }
                }
                Exposure::Closed { order_id } => self.release(order_id),
                Exposure::ReplaceDone { order_id, accepted } => {
                    if let Some(held) = self.reservations.get_mut(&order_id) {
                        let pending = held.pending.take().expect("one outcome a replace");
                        if accepted {
                            held.quantity = pending;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn release(&mut self, id: OrderId) {
        assert!(
            self.reservations.remove(&id).is_some(),
            "{id} is released twice"
        );
        *self.released.entry(id).or_default() += 1;
    }

    fn hear_commands(&mut self, rig: &mut Rig) {
        for broker in [A, B] {
            for command in rig.commands(broker) {
                if let BrokerCommand::New(new) = command {
                    assert!(self.sent.insert(new.order_id), "sent twice");
                    let (_, sequence) = self.replayed[&new.order_id];
                    let waits = new.flags.contains(OrderFlags::DURABLE);
                    assert!(!waits || sequence <= self.durable, "not on disk yet");
                }
            }
        }
    }

    fn hear_port(&mut self, rig: &mut Rig) {
        for report in rig.told(0) {
            self.last_told
                .insert(report.order_id, (report.status, report.filled));
        }
    }

    fn listen(&mut self, rig: &mut Rig) {
        rig.run();
        self.replay(rig);
        self.hear_commands(rig);
        let exposures = rig.exposures();
        self.hear_exposure(exposures);
        rig.events();
    }

    fn check(&self, rig: &Rig) {
        assert_eq!(
            self.position, self.exposed_position,
            "every share reaches RISK once"
        );
        let mut working = 0;
        for (&id, (state, _)) in &self.replayed {
            let over = state.status().is_terminal();
            let Some(entry) = rig.path.orders().get(id) else {
                assert!(over, "a working order is never forgotten");
                continue;
            };
            assert_eq!(entry.state, *state, "{id}: table and journal agree");
            let filled = self.filled.get(&id).copied().unwrap_or_default();
            assert_eq!(state.filled(), filled, "{id}: every execution counts once");
            working += usize::from(!over);
            let released = self.released.get(&id).copied().unwrap_or(0);
            match self.reservations.get(&id) {
                Some(held) => {
                    assert!(!over && released == 0, "{id}: held while it works");
                    assert_eq!(held.exposed(), state.exposed_quantity(), "{id}");
                }
                None => assert_eq!(released, 1, "{id}: released once"),
            }
        }
        assert_eq!(rig.path.orders().working(), working);
    }
}

/// An order that was approved once, or one that never was.
fn pick(twin: &Twin, order: u8) -> OrderId {
    let number = u64::from(order) % (twin.next + 1);
    id(if number == 0 { 1_000_000 } else { number })
}

fn broker_of(id: OrderId) -> BrokerId {
    BrokerId((id.sequence() % 2) as u8)
}

fn fresh(id: OrderId, a: u8) -> ApprovedOrder {
    let mut order = approved(id);
    order.broker = broker_of(id);
    order.request.strategy = StrategyId(1 + a % 3);
    if a >= 128 {
        order.request.order.flags = OrderFlags::DURABLE;
    }
    order
}

fn random_report(twin: &Twin, id: OrderId, a: u8, b: u8) -> ExecutionReport {
    let kind = ReportKind::from_u8(a % 13).expect("a kind");
    let mut said = report(kind, id);
    said.broker = broker_of(id);
    match kind {
        ReportKind::Fill => {
            said = fill(id, u128::from(b) + 1, 1 + i64::from(b % 90), 0);
            said.broker = broker_of(id);
        }
        ReportKind::Replaced | ReportKind::Status => {
            let state = twin.replayed.get(&id).map(|(state, _)| *state);
            let state = state.unwrap_or(OrderState::new(shares(100)));
            let pending = state.pending_quantity();
            said.quantity = if b.is_multiple_of(2) && pending.is_positive() {
                pending
            } else {
                state.quantity()
            };
            said.order_type = limit(50 + i64::from(b % 2));
        }
        _ => {}
    }
    said
}

fn step(rig: &mut Rig, twin: &mut Twin, (action, order, a, b): Step) {
    match action % 16 {
        0..=3 => {
            twin.next += 1;
            let order = fresh(id(twin.next), a);
            reserve(twin, &order);
            rig.decisions
                .push(RiskDecision::Approved(order))
                .expect("room");
        }
        4 => {
            // An id that the table still knows comes again.
            let id = pick(twin, order);
            if rig.path.orders().get(id).is_some() {
                let again = fresh(id, a);
                reserve(twin, &again);
                rig.decisions
                    .push(RiskDecision::Approved(again))
                    .expect("room");
            }
        }
        5 => {
            let request = CancelRequest {
                order_id: pick(twin, order),
                requested_at: rig.now,
            };
            rig.decisions
                .push(RiskDecision::Cancel(request))
                .expect("room");
        }
        6 => ask_replace(rig, twin, order, a, b),
        7 => {
            let scopes = [
                Scope::Firm,
                Scope::Broker(BrokerId(a % 2)),
                Scope::Strategy(StrategyId(1 + a % 3)),
            ];
            rig.decisions
                .push(RiskDecision::CancelAll(CancelAllRequest {
                    scope: scopes[usize::from(b) % 3],
                    instrument: (a >= 200).then_some(IBM),
                    requested_at: rig.now,
                }))
                .expect("room");
        }
        8 => {
            let (broker, up) = (BrokerId(a % 2), b >= 64);
            rig.reports[broker.index()]
                .push(BrokerReport::Link { broker, up })
                .expect("room");
        }
        9 => {
            twin.durable = twin.durable.max(twin.records_seen as u64);
            rig.set_durable(twin.durable);
        }
        10 => {
            rig.now = rig.now.plus(u64::from(a) * 10_000_000);
            twin.hear_port(rig);
        }
        _ => say(rig, twin, order, a, b),
    }
}

/// A broker says something of an order.
fn say(rig: &mut Rig, twin: &mut Twin, order: u8, a: u8, b: u8) {
    let id = pick(twin, order);
    let said = random_report(twin, id, a, b);
    let first =
        said.kind == ReportKind::Fill && twin.executions.insert((said.broker, said.execution_id));
    if first {
        let quantity = said.last_quantity;
        twin.position += i128::from(quantity.units());
        let filled = twin.filled.entry(id).or_default();
        *filled = filled.checked_add(quantity).expect("small");
    }
    rig.reports[said.broker.index()]
        .push(BrokerReport::Execution(said))
        .expect("room");
}

/// RISK asks for other terms: one replace at a time, of orders that it holds exposure for.
fn ask_replace(rig: &mut Rig, twin: &mut Twin, order: u8, a: u8, b: u8) {
    let id = pick(twin, order);
    let Some(held) = twin.reservations.get_mut(&id) else {
        return;
    };
    if held.pending.is_none() {
        let quantity = 20 + i64::from(a);
        held.pending = Some(shares(quantity));
        let replace = order_rig::replace(id, quantity, 50 + i64::from(b % 3));
        rig.decisions.push(replace).expect("room");
    }
}

/// RISK reserves; it has one entry for an id.
fn reserve(twin: &mut Twin, order: &ApprovedOrder) {
    let id = order.request.order_id;
    if let Entry::Vacant(place) = twin.reservations.entry(id) {
        place.insert(Reservation {
            quantity: order.request.order.quantity,
            pending: None,
            filled: Quantity::ZERO,
        });
        twin.released.remove(&id);
    }
}

fn walk(steps: &[Step], capacity: usize) {
    let mut rig = Rig::planned(Plan {
        capacity,
        port_ring: 8,
        work_per_cycle: 3,
        ..Plan::default()
    });
    let mut twin = Twin::default();
    for &one in steps {
        step(&mut rig, &mut twin, one);
        twin.listen(&mut rig);
        twin.check(&rig);
    }
    // The port catches up, however far behind it was.
    for _ in 0..2 * capacity {
        twin.hear_port(&mut rig);
        rig.run();
    }
    assert!(!rig.health.is_lagged(PortId(0)));
    for (id, (state, _)) in &twin.replayed {
        if !state.status().is_terminal() {
            let told = twin.last_told.get(id);
            assert_eq!(told, Some(&(state.status(), state.filled())), "{id}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn table_journal_exposure_and_port_agree_after_every_step(
        steps in prop::collection::vec(any::<Step>(), 1..250),
        capacity in 3usize..24,
    ) {
        walk(&steps, capacity);
    }
}
