//! Every record comes back from its bytes, and no bytes make the reader panic.
//!
//! Runs on: the test runner.
//! Owns: a record of every kind from any random words.
//! Never: is part of a build.

use proptest::prelude::*;

use super::codec::{CodecError, VERSION, decode, encode};
use super::record::{Name, Record};
use super::wire::MAX_PAYLOAD;
use crate::types::*;

/// Kinds of record that [`record`] makes.
pub(super) const KINDS: u64 = 18;

fn pick<T: Copy>(all: &[T], word: u64) -> T {
    all[(word % all.len() as u64) as usize]
}

fn order_type(word: u64, first: i64, second: i64) -> OrderType {
    let (stop, limit) = (Price::from_units(first), Price::from_units(second));
    match word % 6 {
        0 => OrderType::Market,
        1 => OrderType::Limit { limit },
        2 => OrderType::Stop { stop },
        3 => OrderType::StopLimit { stop, limit },
        4 => OrderType::TrailingStop {
            offset: TrailingOffset::Amount(stop),
        },
        _ => OrderType::TrailingStop {
            offset: TrailingOffset::Percent(Ratio::from_units(first)),
        },
    }
}

fn request(w: &[u64]) -> OrderRequest {
    OrderRequest {
        order_id: OrderId::from_raw(w[0]),
        strategy: StrategyId(w[1] as u8),
        preferred_broker: (w[1] & 256 != 0).then_some(BrokerId((w[1] >> 9) as u8)),
        order: Order {
            instrument: InstrumentId(w[2] as u32),
            quantity: Quantity::from_units(w[3] as i64),
            order_type: order_type(w[4], w[5] as i64, w[6] as i64),
            side: pick(&[Side::Buy, Side::Sell], w[7]),
            time_in_force: pick(
                &[
                    TimeInForce::Day,
                    TimeInForce::Gtc,
                    TimeInForce::Ioc,
                    TimeInForce::Fok,
                    TimeInForce::Opg,
                    TimeInForce::Cls,
                ],
                w[7] >> 1,
            ),
            flags: OrderFlags((w[7] >> 40) as u8 & 15),
        },
        submitted_at: Nanos(w[8]),
        decision_price: Price::from_units(w[9] as i64),
        signal_stamp: w[10],
    }
}

fn refusal(w: &[u64]) -> Refusal {
    Refusal {
        code: pick(RefusalCode::ALL, w[0]),
        observed: w[1] as i64,
        limit: w[2] as i64,
    }
}

fn money(w: &[u64]) -> Money {
    Money::from_units((i128::from(w[0] as i64) << 64) | i128::from(w[1]))
}

/// Of a report's two optional parts, bits of a word leave out either.
fn execution(w: &[u64]) -> ExecutionReport {
    let mut w = w.to_vec();
    let parts = w[2] >> 8;
    if parts & 1 != 0 {
        w[5..11].fill(0);
    }
    if parts & 2 != 0 {
        w[12..16].fill(0);
    }
    ExecutionReport {
        order_id: OrderId::from_raw(w[0]),
        broker: BrokerId(w[1] as u8),
        kind: ReportKind::from_u8((w[2] % 13) as u8).expect("a kind"),
        side: pick(&[Side::Buy, Side::Sell], w[3]),
        liquidity: Liquidity::from_u8((w[3] >> 8) as u8 % 3),
        reason: BrokerReject::from_u8((w[3] >> 16) as u8 % 13),
        instrument: InstrumentId(w[4] as u32),
        execution_id: ExecutionId((u128::from(w[5]) << 64) | u128::from(w[6])),
        fee: money(&w[7..]),
        last_quantity: Quantity::from_units(w[9] as i64),
        last_price: Price::from_units(w[10] as i64),
        cumulative_quantity: Quantity::from_units(w[11] as i64),
        quantity: Quantity::from_units(w[12] as i64),
        order_type: order_type(w[13], w[14] as i64, w[15] as i64),
        broker_time: Nanos(w[16]),
        received_stamp: w[17],
        encode_offset: w[18] as u32,
        wire_offset: w[19] as u32,
    }
}

fn risk(kind: u64, w: &[u64]) -> RiskRecord {
    let at = Nanos(w[0]);
    match kind {
        0 => RiskRecord::TradingState {
            scope: match w[1] % 3 {
                0 => Scope::Firm,
                1 => Scope::Broker(BrokerId((w[1] >> 8) as u8)),
                _ => Scope::Strategy(StrategyId((w[1] >> 8) as u8)),
            },
            state: pick(
                &[
                    TradingState::Active,
                    TradingState::Reducing,
                    TradingState::Halted,
                ],
                w[2],
            ),
            cause: (w[3] & 1 != 0).then_some(pick(RefusalCode::ALL, w[3] >> 1)),
            observed: w[4] as i64,
            limit: w[5] as i64,
            at,
        },
        1 => RiskRecord::LatchesReset { at },
        2 => RiskRecord::StartOfDay {
            date: w[1] as u32,
            equity: money(&w[2..]),
            at,
        },
        _ => RiskRecord::HighWaterMark {
            equity: money(&w[1..]),
            at,
        },
    }
}

/// The record of a kind that these words make.
pub(super) fn record(kind: u64, w: &[u64]) -> Record {
    let name = |word: u64| Name::new(&format!("ü{word:x}-{word:o}")[..3 + (word % 20) as usize]);
    match kind % KINDS {
        0 => Record::Boot {
            epoch: BootEpoch::new(w[0] as u32 % BootEpoch::MAX + 1).expect("in range"),
            seed: w[1],
        },
        1 => Record::Instrument {
            id: InstrumentId(w[0] as u32),
            symbol: format!("{:X}", w[1] >> 8).parse().expect("a symbol"),
        },
        2 => Record::Broker {
            id: BrokerId(w[0] as u8),
            name: name(w[1]),
        },
        3 => Record::Strategy {
            id: StrategyId(w[0] as u8),
            name: name(w[1]),
        },
        4 => Record::Intent(ApprovedOrder {
            request: request(w),
            collar: (w[11] & 1 != 0).then_some(Price::from_units(w[12] as i64)),
            risk_price: Price::from_units(w[13] as i64),
            risk_offset: w[14] as u32,
            broker: BrokerId(w[15] as u8),
        }),
        5 => Record::Refused(RefusedOrder::new(request(w), refusal(&w[11..]))),
        6 => Record::CancelIntent(CancelRequest {
            order_id: OrderId::from_raw(w[0]),
            requested_at: Nanos(w[1]),
        }),
        7 => Record::CancelRefused {
            order_id: OrderId::from_raw(w[0]),
            refusal: refusal(&w[1..]),
        },
        8 => Record::ReplaceIntent(ApprovedReplace {
            order_id: OrderId::from_raw(w[0]),
            quantity: Quantity::from_units(w[1] as i64),
            order_type: order_type(w[2], w[3] as i64, w[4] as i64),
            risk_price: Price::from_units(w[5] as i64),
            requested_at: Nanos(w[6]),
        }),
        9 => Record::ReplaceRefused {
            order_id: OrderId::from_raw(w[0]),
            refusal: refusal(&w[1..]),
        },
        10 => Record::Execution(execution(w)),
        11 => Record::Link {
            broker: BrokerId(w[0] as u8),
            up: w[1] & 1 != 0,
        },
        12 => Record::Account(AccountSnapshot {
            broker: BrokerId(w[0] as u8),
            kind: pick(&[AccountKind::Cash, AccountKind::Margin], w[1]),
            cash: money(&w[2..]),
            multiplier: Ratio::from_units(w[4] as i64),
            at: Nanos(w[5]),
        }),
        13 => Record::Shutdown,
        kind => Record::Risk(risk(kind - 14, w)),
    }
}

proptest! {
    #[test]
    fn every_record_comes_back_from_its_bytes(
        kind in 0..KINDS,
        w in any::<[u64; 20]>(),
        dirt in any::<u8>(),
    ) {
        let record = record(kind, &w);
        let mut bytes = [dirt; MAX_PAYLOAD];
        let (number, length) = encode(&record, &mut bytes);
        prop_assert_eq!(decode(number, VERSION, &bytes[..length]), Ok(record));
        // Neither a byte less nor one more.
        if length > 0 {
            let short = decode(number, VERSION, &bytes[..length - 1]);
            prop_assert_eq!(short, Err(CodecError::Length { kind: number, length: length - 1 }));
        }
        let mut long = bytes[..length].to_vec();
        long.push(0);
        prop_assert!(decode(number, VERSION, &long).is_err());
        let version = VERSION + 1;
        let unknown = CodecError::Version { kind: number, version };
        prop_assert_eq!(decode(number, version, &bytes[..length]), Err(unknown));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        kind in 0u16..48,
        bytes in prop::collection::vec(any::<u8>(), 0..160),
    ) {
        if let Ok(record) = decode(kind, VERSION, &bytes) {
            let mut again = [0; MAX_PAYLOAD];
            let (number, length) = encode(&record, &mut again);
            prop_assert_eq!(decode(number, VERSION, &again[..length]), Ok(record));
        }
    }
}

#[test]
fn an_unknown_type_and_an_unknown_value_are_named() {
    assert_eq!(decode(999, VERSION, &[]), Err(CodecError::Kind(999)));
    let mut w = [7; 20];
    w[7] = 0;
    let mut bytes = [0; MAX_PAYLOAD];
    let (number, length) = encode(&record(4, &w), &mut bytes);
    bytes[8 + 3] = 9;
    assert_eq!(
        decode(number, VERSION, &bytes[..length]),
        Err(CodecError::Value {
            kind: number,
            field: "side",
            value: 9
        })
    );
}

#[test]
fn the_bytes_of_an_intent_are_what_they_were() {
    let w: Vec<u64> = (1..=20).collect();
    let mut bytes = [0; MAX_PAYLOAD];
    let (number, length) = encode(&record(4, &w), &mut bytes);
    assert_eq!((number, length), (10, 88));
    assert_eq!(bytes[..8], 1u64.to_le_bytes(), "order id");
    assert_eq!(
        bytes[8..16],
        [2, 0, 16, 0, 4, 0, 5, 0],
        "the small fields and the type's number"
    );
    assert_eq!(bytes[16..24], 4i64.to_le_bytes(), "quantity");
    assert_eq!(bytes[64..68], 3u32.to_le_bytes(), "instrument");
    let (_, execution) = encode(&record(10, &w), &mut bytes);
    assert_eq!(execution, MAX_PAYLOAD, "the longest record");
}
