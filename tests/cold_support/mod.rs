//! A made-up session: journal records, and the events that ORDER would tell of them.
//!
//! Runs on: tests.
//! Owns: short ways to write a record.
//! Never: decides what is right; the tests do.

#![allow(dead_code)]

use shrike::cold::{FillRow, Ledger, Marks};
use shrike::journal::Record;
use shrike::types::{
    AccountKind, AccountSnapshot, ApprovedOrder, ApprovedReplace, BootEpoch, BrokerId,
    BrokerReject, CancelRequest, Event, ExecutionId, ExecutionReport, Fill, InstrumentId,
    InstrumentTable, Liquidity, Money, Nanos, Order, OrderEvent, OrderId, OrderRequest,
    OrderStatus, OrderType, PortId, Price, Quantity, Ratio, RecoveredState, Refusal, RefusalCode,
    RefusedOrder, ReportKind, Side, StrategyId,
};

pub const START_NS: u64 = 1_381_152_600_000_000_000;

pub fn id(sequence: u64) -> OrderId {
    OrderId::new(BootEpoch::FIRST, PortId(0), sequence).expect("a sequence")
}

pub fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

pub fn shares(whole: i64) -> Quantity {
    Quantity::from_whole(whole).expect("a quantity")
}

pub fn table() -> InstrumentTable {
    let mut table = InstrumentTable::new();
    for symbol in ["IBM", "SPY", "BRK.B"] {
        table.add(symbol.parse().expect("a symbol"));
    }
    table
}

pub fn request(sequence: u64, order: Order, decision: Price) -> OrderRequest {
    OrderRequest {
        order_id: id(sequence),
        strategy: StrategyId(2),
        preferred_broker: None,
        order,
        submitted_at: Nanos(START_NS + sequence),
        decision_price: decision,
        signal_stamp: 1_000,
    }
}

pub fn intent(request: OrderRequest, broker: u8) -> Record {
    Record::Intent(ApprovedOrder {
        request,
        collar: None,
        risk_price: Price::ZERO,
        risk_offset: 100,
        broker: BrokerId(broker),
    })
}

pub fn refused(request: OrderRequest, code: RefusalCode) -> Record {
    Record::Refused(RefusedOrder::new(request, Refusal::plain(code)))
}

pub fn report(kind: ReportKind, sequence: u64, broker: u8) -> ExecutionReport {
    let (instrument, side) = (InstrumentId(0), Side::Buy);
    ExecutionReport {
        received_stamp: 9_000,
        ..ExecutionReport::new(kind, id(sequence), BrokerId(broker), instrument, side)
    }
}

pub fn said(kind: ReportKind, sequence: u64) -> Record {
    Record::Execution(report(kind, sequence, 0))
}

pub fn sent(sequence: u64) -> Record {
    Record::Execution(ExecutionReport {
        encode_offset: 400,
        wire_offset: 3_400,
        ..report(ReportKind::Sent, sequence, 0)
    })
}

pub fn rejected(sequence: u64, reason: BrokerReject) -> Record {
    Record::Execution(ExecutionReport {
        reason,
        ..report(ReportKind::Rejected, sequence, 0)
    })
}

pub fn replaced(sequence: u64, quantity: Quantity, order_type: OrderType) -> Record {
    Record::Execution(ExecutionReport {
        quantity,
        order_type,
        ..report(ReportKind::Replaced, sequence, 0)
    })
}

pub fn replace_intent(sequence: u64, quantity: Quantity, order_type: OrderType) -> Record {
    Record::ReplaceIntent(ApprovedReplace {
        order_id: id(sequence),
        quantity,
        order_type,
        risk_price: Price::ZERO,
        requested_at: Nanos(START_NS),
    })
}

pub fn cancel_intent(sequence: u64) -> Record {
    Record::CancelIntent(CancelRequest {
        order_id: id(sequence),
        requested_at: Nanos(START_NS),
    })
}

/// A fill of order `sequence` (0: nobody's), with execution id `execution`.
pub fn fill(
    sequence: u64,
    execution: u128,
    side: Side,
    instrument: u32,
    quantity: Quantity,
    at: Price,
) -> Record {
    let order_id = if sequence == 0 {
        OrderId::default()
    } else {
        id(sequence)
    };
    let base = ExecutionReport::new(
        ReportKind::Fill,
        order_id,
        BrokerId(0),
        InstrumentId(instrument),
        side,
    );
    Record::Execution(ExecutionReport {
        execution_id: ExecutionId(execution),
        last_quantity: quantity,
        last_price: at,
        fee: Money::from_units(350_000_000_000_000_000),
        liquidity: Liquidity::Taker,
        broker_time: Nanos(START_NS + 500),
        received_stamp: 9_000,
        ..base
    })
}

pub fn account(broker: u8, cash: i64, at: u64) -> Record {
    Record::Account(AccountSnapshot {
        broker: BrokerId(broker),
        kind: AccountKind::Margin,
        cash: Money::from_whole(cash),
        multiplier: Ratio::from_units(2_000_000_000),
        at: Nanos(at),
    })
}

/// Records numbered from 1, a microsecond apart.
pub fn journal(records: &[Record]) -> Vec<(u64, Nanos, Record)> {
    let times = (1u64..).map(|n| (n, Nanos(START_NS + n * 1_000)));
    times
        .zip(records)
        .map(|((sequence, time), record)| (sequence, time, *record))
        .collect()
}

/// ORDER as far as the cold side sees it: the event of each record.
pub struct Narrator(Ledger);

impl Narrator {
    pub fn new(recovered: &RecoveredState) -> Self {
        Self(Ledger::new(recovered, Marks::default()))
    }

    pub fn tell(&mut self, sequence: u64, at: Nanos, record: &Record) -> Option<Event> {
        let anomalies = self.0.irregularities().anomalies;
        let outcome = self.0.apply(sequence, at, record);
        match record {
            Record::Account(snapshot) => return Some(Event::Account(*snapshot)),
            Record::Risk(record) => return Some(Event::Risk(*record)),
            Record::Link { broker, up } => {
                let (broker, up) = (*broker, *up);
                return Some(Event::Link { broker, up, at });
            }
            Record::Refused(refused) => {
                let mut alone = Ledger::default();
                alone.apply(1, at, record);
                let order = &alone.orders()[&refused.request.order_id];
                return Some(Event::Order(order.report()));
            }
            _ => {}
        }
        if let Some(row) = outcome.fill.filter(|row| row.foreign) {
            return Some(foreign(&row));
        }
        if let Some(order) = outcome.order {
            return Some(Event::Order(self.0.orders()[&order].report()));
        }
        (self.0.irregularities().anomalies > anomalies).then_some(Event::Anomaly {
            order_id: id(1),
            status: OrderStatus::New,
            report: 0,
            at,
        })
    }
}

fn foreign(row: &FillRow) -> Event {
    Event::ForeignFill {
        broker: row.broker,
        instrument: row.instrument,
        side: row.side,
        fill: Fill {
            execution_id: row.execution_id,
            fee: row.fee,
            quantity: row.quantity,
            price: row.price,
            liquidity: row.liquidity,
            unexpected: true,
        },
        at: row.journaled_at,
    }
}

/// One step of a made-up session: what, which order, and two numbers.
pub type Step = (u8, u64, i64, i64);

/// Records of a session in which anything may follow anything: repeated executions, fills of
/// refused, finished and unknown orders, acknowledgements that come twice.
pub fn wild_session(steps: &[Step]) -> Vec<Record> {
    let mut records = vec![account(0, 1_000_000, 1)];
    let mut next = 1u64;
    let mut execution = 0u128;
    for &(what, which, a, b) in steps {
        let order = which % next.max(2);
        let quantity = Quantity::from_units(a.abs() + 1);
        let at = Price::from_units(b.abs() + 1);
        let side = if a % 2 == 0 { Side::Buy } else { Side::Sell };
        let instrument = (which % 3) as u32;
        match what {
            0..=3 => {
                let order = Order::limit(InstrumentId(instrument), side, quantity, at);
                let request = request(next, order, Price::from_units(b.abs()));
                next += 1;
                records.push(intent(request, 0));
                records.push(sent(next - 1));
            }
            4 => {
                let order = Order::market(InstrumentId(instrument), side, quantity);
                let repeated = a % 5 == 0 && order.quantity.is_positive();
                let sequence = if repeated { which % next.max(2) } else { next };
                next += u64::from(!repeated);
                let request = request(sequence.max(1), order, Price::ZERO);
                records.push(refused(request, RefusalCode::PriceCollar));
            }
            5..=9 => {
                // One in eight comes again.
                execution += u128::from(b % 8 != 0);
                let execution = execution.max(1);
                records.push(fill(order, execution, side, instrument, quantity, at));
            }
            10 => records.push(said(ReportKind::Accepted, order.max(1))),
            11 => records.push(said(ReportKind::Canceled, order.max(1))),
            12 => records.push(said(ReportKind::Expired, order.max(1))),
            13 => records.push(rejected(order.max(1), BrokerReject::MarketClosed)),
            14 => records.push(cancel_intent(order.max(1))),
            15 => {
                let limit = OrderType::Limit { limit: at };
                records.push(replace_intent(order.max(1), quantity, limit));
                records.push(replaced(order.max(1), quantity, limit));
            }
            16 => {
                records.push(said(ReportKind::InDoubt, order.max(1)));
                if a % 2 == 0 {
                    records.push(said(ReportKind::NotFound, order.max(1)));
                }
            }
            17 => records.push(said(ReportKind::NotSent, order.max(1))),
            18 => records.push(account(0, b % 1_000_000, records.len() as u64)),
            _ => records.push(Record::Link {
                broker: BrokerId(0),
                up: a % 2 == 0,
            }),
        }
    }
    records
}

/// Whether an event is a fill.
pub fn is_fill(event: &OrderEvent) -> bool {
    matches!(event, OrderEvent::Filled(_))
}
