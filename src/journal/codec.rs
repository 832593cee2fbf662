//! The bytes of each record: a type number, a version, and fields in a fixed order.
//!
//! Runs on: ORDER (writing), any thread (reading).
//! Owns: the numbers of record types. A number or a version, once released, keeps its meaning.
//! Never: panics on bytes read; what it does not know is a typed error.

use super::record::Record;
use super::wire::{Get, MAX_PAYLOAD, Put, scope_bytes, type_tag};
use crate::types::{
    AccountSnapshot, ApprovedOrder, ApprovedReplace, BootEpoch, BrokerId, CancelRequest,
    ExecutionId, ExecutionReport, InstrumentId, Order, OrderId, OrderRequest, OrderType, Ratio,
    Refusal, RefusedOrder, ReportKind, RiskRecord, StrategyId,
};

/// Version of every record type of this build.
pub const VERSION: u16 = 2;

const BOOT: u16 = 1;
const INSTRUMENT: u16 = 2;
const BROKER: u16 = 3;
const STRATEGY: u16 = 4;
const INTENT: u16 = 10;
const REFUSED: u16 = 11;
const CANCEL_INTENT: u16 = 12;
const CANCEL_REFUSED: u16 = 13;
const REPLACE_INTENT: u16 = 14;
const REPLACE_REFUSED: u16 = 15;
const EXECUTION: u16 = 20;
const LINK: u16 = 21;
const ACCOUNT: u16 = 22;
const TRADING_STATE: u16 = 30;
const LATCHES_RESET: u16 = 31;
const START_OF_DAY: u16 = 32;
const HIGH_WATER_MARK: u16 = 33;
const SHUTDOWN: u16 = 40;

/// Why a payload is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// A record type of a later build.
    #[error("unknown record type {0}")]
    Kind(u16),
    /// A later version of a known type.
    #[error("record type {kind} has version {version}; this build reads version {VERSION}")]
    Version {
        /// The type.
        kind: u16,
        /// Its version.
        version: u16,
    },
    /// Frame flags of a later build.
    #[error("unknown frame flags {0:#x}")]
    Flags(u32),
    /// Too few or too many bytes.
    #[error("record type {kind} cannot have {length} bytes")]
    Length {
        /// The type.
        kind: u16,
        /// Bytes of the payload.
        length: usize,
    },
    /// A field with a value that has no meaning.
    #[error("record type {kind}: {value} is no {field}")]
    Value {
        /// The type.
        kind: u16,
        /// The field.
        field: &'static str,
        /// What was found.
        value: u64,
    },
}

/// Writes a record's payload; returns its type number and its length in bytes.
#[inline]
pub fn encode(record: &Record, bytes: &mut [u8; MAX_PAYLOAD]) -> (u16, usize) {
    let mut put = Put::new(bytes);
    let kind = match record {
        Record::Intent(approved) => intent(&mut put, approved),
        Record::Execution(report) => execution(&mut put, report),
        Record::Refused(refused) => {
            request(&mut put, &refused.request, BrokerId(0), false);
            put.u32(refused.request.order.instrument.0);
            put.u32(u32::from(refused.code as u16));
            put.i64(refused.observed);
            put.i64(refused.limit);
            REFUSED
        }
        Record::CancelIntent(cancel) => {
            put.u64(cancel.order_id.raw());
            put.time(cancel.requested_at);
            CANCEL_INTENT
        }
        Record::CancelRefused { order_id, refusal } => {
            refused_change(&mut put, *order_id, refusal);
            CANCEL_REFUSED
        }
        Record::ReplaceIntent(replace) => {
            put.u64(replace.order_id.raw());
            put.u64(u64::from(type_tag(replace.order_type)));
            put.quantity(replace.quantity);
            put.prices(replace.order_type);
            put.price(replace.risk_price);
            put.time(replace.requested_at);
            REPLACE_INTENT
        }
        Record::ReplaceRefused { order_id, refusal } => {
            refused_change(&mut put, *order_id, refusal);
            REPLACE_REFUSED
        }
        Record::Risk(risk) => encode_risk(&mut put, risk),
        _ => encode_table(&mut put, record),
    };
    (kind, put.length())
}

/// The rare ones: tables, links, accounts, beginning and end.
fn encode_table(put: &mut Put<'_>, record: &Record) -> u16 {
    match record {
        Record::Boot { epoch, seed } => {
            put.u64(u64::from(epoch.get()));
            put.u64(*seed);
            BOOT
        }
        Record::Instrument { id, symbol } => {
            put.u64(u64::from(id.0));
            put.symbol(*symbol);
            INSTRUMENT
        }
        Record::Broker { id, name } => {
            put.u64(u64::from(id.0));
            put.name(*name);
            BROKER
        }
        Record::Strategy { id, name } => {
            put.u64(u64::from(id.0));
            put.name(*name);
            STRATEGY
        }
        Record::Link { broker, up } => {
            put.raw([broker.0, u8::from(*up), 0, 0, 0, 0, 0, 0]);
            LINK
        }
        Record::Account(account) => {
            put.raw([account.broker.0, account.kind as u8, 0, 0, 0, 0, 0, 0]);
            put.money(account.cash);
            put.i64(account.multiplier.units());
            put.time(account.at);
            ACCOUNT
        }
        _ => SHUTDOWN,
    }
}

/// An order as asked: its identity, the small fields in one word, its numbers.
#[inline(always)]
fn request(put: &mut Put<'_>, request: &OrderRequest, broker: BrokerId, collared: bool) {
    let order = &request.order;
    let preferred = request.preferred_broker.unwrap_or_default();
    let present = u8::from(request.preferred_broker.is_some()) | u8::from(collared) << 1;
    put.u64(request.order_id.raw());
    put.raw([
        request.strategy.0,
        preferred.0,
        broker.0,
        order.side as u8,
        order.time_in_force as u8,
        order.flags.0,
        type_tag(order.order_type),
        present,
    ]);
    put.quantity(order.quantity);
    put.prices(order.order_type);
    put.time(request.submitted_at);
    put.price(request.decision_price);
    put.u64(request.signal_stamp);
}

#[inline(always)]
fn intent(put: &mut Put<'_>, approved: &ApprovedOrder) -> u16 {
    let collared = approved.collar.is_some();
    request(put, &approved.request, approved.broker, collared);
    put.u32(approved.request.order.instrument.0);
    put.u32(approved.risk_offset);
    put.price(approved.collar.unwrap_or_default());
    put.price(approved.risk_price);
    INTENT
}

fn refused_change(put: &mut Put<'_>, order_id: OrderId, refusal: &Refusal) {
    put.u64(order_id.raw());
    put.u64(u64::from(refusal.code as u16));
    put.i64(refusal.observed);
    put.i64(refusal.limit);
}

/// The record has the report's fill, of any field that is not zero.
const HAS_FILL: u8 = 1;
/// The record has the report's terms.
const HAS_TERMS: u8 = 2;

/// Most reports say little: what a kind does not use takes no room, so that the journal's memory and the disk
/// carry less.
#[inline(always)]
fn execution(put: &mut Put<'_>, report: &ExecutionReport) -> u16 {
    let fill = report.execution_id.0 != 0
        || report.fee.units() != 0
        || report.last_quantity.units() | report.last_price.units() != 0;
    let terms = report.quantity.units() != 0 || report.order_type != OrderType::Market;
    let parts = if fill { HAS_FILL } else { 0 } | if terms { HAS_TERMS } else { 0 };
    put.u64(report.order_id.raw());
    put.raw([
        report.broker.0,
        report.kind as u8,
        report.side as u8,
        report.liquidity as u8,
        report.reason as u8,
        type_tag(report.order_type),
        parts,
        0,
    ]);
    put.quantity(report.cumulative_quantity);
    put.time(report.broker_time);
    put.u64(report.received_stamp);
    put.u32(report.instrument.0);
    put.u32(report.encode_offset);
    put.u32(report.wire_offset);
    put.u32(0);
    if fill {
        put.u128(report.execution_id.0);
        put.money(report.fee);
        put.quantity(report.last_quantity);
        put.price(report.last_price);
    }
    if terms {
        put.quantity(report.quantity);
        put.prices(report.order_type);
    }
    EXECUTION
}

fn encode_risk(put: &mut Put<'_>, risk: &RiskRecord) -> u16 {
    match risk {
        RiskRecord::TradingState {
            scope,
            state,
            cause,
            observed,
            limit,
            at,
        } => {
            let [kind, id] = scope_bytes(*scope);
            // No code is 0.
            let [low, high] = cause.map_or(0, |code| code as u16).to_le_bytes();
            put.raw([kind, id, *state as u8, 0, low, high, 0, 0]);
            put.i64(*observed);
            put.i64(*limit);
            put.time(*at);
            TRADING_STATE
        }
        RiskRecord::LatchesReset { at } => {
            put.time(*at);
            LATCHES_RESET
        }
        RiskRecord::StartOfDay { date, equity, at } => {
            put.u64(u64::from(*date));
            put.money(*equity);
            put.time(*at);
            START_OF_DAY
        }
        RiskRecord::HighWaterMark { equity, at } => {
            put.money(*equity);
            put.time(*at);
            HIGH_WATER_MARK
        }
    }
}

/// Reads a record.
///
/// # Errors
/// [`CodecError`] for a type, version, length or value that this build does not know.
pub fn decode(kind: u16, version: u16, payload: &[u8]) -> Result<Record, CodecError> {
    let mut get = Get::new(kind, payload);
    let read: fn(&mut Get<'_>) -> Result<Record, CodecError> = match kind {
        INTENT => decode_intent,
        EXECUTION => decode_execution,
        REFUSED => decode_refused,
        CANCEL_INTENT | CANCEL_REFUSED | REPLACE_INTENT | REPLACE_REFUSED => {
            return decode_change(kind, version, &mut get);
        }
        TRADING_STATE | LATCHES_RESET | START_OF_DAY | HIGH_WATER_MARK => {
            return finish(version, kind, &mut get, |get| {
                decode_risk(kind, get).map(Record::Risk)
            });
        }
        BOOT | INSTRUMENT | BROKER | STRATEGY | LINK | ACCOUNT | SHUTDOWN => {
            return finish(version, kind, &mut get, |get| decode_table(kind, get));
        }
        _ => return Err(CodecError::Kind(kind)),
    };
    finish(version, kind, &mut get, read)
}

/// Checks the version, reads, and checks that nothing is left.
fn finish(
    version: u16,
    kind: u16,
    get: &mut Get<'_>,
    read: impl FnOnce(&mut Get<'_>) -> Result<Record, CodecError>,
) -> Result<Record, CodecError> {
    if version != VERSION {
        return Err(CodecError::Version { kind, version });
    }
    let record = read(get)?;
    get.end()?;
    Ok(record)
}

fn decode_change(kind: u16, version: u16, get: &mut Get<'_>) -> Result<Record, CodecError> {
    finish(version, kind, get, |get| {
        let order_id = OrderId::from_raw(get.u64()?);
        Ok(match kind {
            CANCEL_INTENT => Record::CancelIntent(CancelRequest {
                order_id,
                requested_at: get.time()?,
            }),
            REPLACE_INTENT => {
                let tag = small(get, "order type")?;
                Record::ReplaceIntent(ApprovedReplace {
                    order_id,
                    quantity: get.quantity()?,
                    order_type: get.prices(tag)?,
                    risk_price: get.price()?,
                    requested_at: get.time()?,
                })
            }
            _ => {
                let code = small(get, "refusal code")?;
                let refusal = Refusal {
                    code: get.refusal_code(code)?,
                    observed: get.i64()?,
                    limit: get.i64()?,
                };
                if kind == CANCEL_REFUSED {
                    Record::CancelRefused { order_id, refusal }
                } else {
                    Record::ReplaceRefused { order_id, refusal }
                }
            }
        })
    })
}

/// A number kept in eight bytes that fits fewer.
fn small<T: TryFrom<u64>>(get: &mut Get<'_>, field: &'static str) -> Result<T, CodecError> {
    let value = get.u64()?;
    T::try_from(value).map_err(|_| get.bad(field, value))
}

/// Bytes of a word that no field uses must be zero: a later build may give them a meaning.
fn unused(get: &Get<'_>, bytes: &[u8]) -> Result<(), CodecError> {
    match bytes.iter().find(|&&byte| byte != 0) {
        None => Ok(()),
        Some(&byte) => Err(get.bad("unused byte", u64::from(byte))),
    }
}

fn decode_table(kind: u16, get: &mut Get<'_>) -> Result<Record, CodecError> {
    Ok(match kind {
        BOOT => {
            let epoch: u32 = small(get, "boot epoch")?;
            Record::Boot {
                epoch: BootEpoch::new(epoch).ok_or(get.bad("boot epoch", u64::from(epoch)))?,
                seed: get.u64()?,
            }
        }
        INSTRUMENT => Record::Instrument {
            id: InstrumentId(small(get, "instrument id")?),
            symbol: get.symbol()?,
        },
        BROKER => Record::Broker {
            id: BrokerId(small(get, "broker id")?),
            name: get.name()?,
        },
        STRATEGY => Record::Strategy {
            id: StrategyId(small(get, "strategy id")?),
            name: get.name()?,
        },
        LINK => {
            let [broker, up, rest @ ..]: [u8; 8] = get.raw()?;
            unused(get, &rest)?;
            Record::Link {
                broker: BrokerId(broker),
                up: get.boolean(up)?,
            }
        }
        ACCOUNT => {
            let [broker, account_kind, rest @ ..]: [u8; 8] = get.raw()?;
            unused(get, &rest)?;
            Record::Account(AccountSnapshot {
                broker: BrokerId(broker),
                kind: get.account_kind(account_kind)?,
                cash: get.money()?,
                multiplier: Ratio::from_units(get.i64()?),
                at: get.time()?,
            })
        }
        _ => Record::Shutdown,
    })
}

/// What [`request`] and [`intent`] pack besides the request.
struct Packed {
    request: OrderRequest,
    broker: BrokerId,
    collared: bool,
    extra: u32,
}

fn decode_request(get: &mut Get<'_>) -> Result<Packed, CodecError> {
    let order_id = OrderId::from_raw(get.u64()?);
    let [
        strategy,
        preferred,
        broker,
        side,
        time_in_force,
        flags,
        tag,
        present,
    ]: [u8; 8] = get.raw()?;
    if present > 3 {
        return Err(get.bad("set of optional fields", u64::from(present)));
    }
    let quantity = get.quantity()?;
    let order_type = get.prices(tag)?;
    let submitted_at = get.time()?;
    let decision_price = get.price()?;
    let signal_stamp = get.u64()?;
    let instrument = InstrumentId(get.u32()?);
    Ok(Packed {
        request: OrderRequest {
            order_id,
            strategy: StrategyId(strategy),
            preferred_broker: (present & 1 != 0).then_some(BrokerId(preferred)),
            order: Order {
                instrument,
                quantity,
                order_type,
                side: get.side(side)?,
                time_in_force: get.time_in_force(time_in_force)?,
                flags: get.flags(flags)?,
            },
            submitted_at,
            decision_price,
            signal_stamp,
        },
        broker: BrokerId(broker),
        collared: present & 2 != 0,
        extra: get.u32()?,
    })
}

fn decode_intent(get: &mut Get<'_>) -> Result<Record, CodecError> {
    let packed = decode_request(get)?;
    let collar = get.price()?;
    Ok(Record::Intent(ApprovedOrder {
        request: packed.request,
        collar: packed.collared.then_some(collar),
        risk_price: get.price()?,
        risk_offset: packed.extra,
        broker: packed.broker,
    }))
}

fn decode_refused(get: &mut Get<'_>) -> Result<Record, CodecError> {
    let packed = decode_request(get)?;
    let code = u16::try_from(packed.extra)
        .map_err(|_| get.bad("refusal code", u64::from(packed.extra)))?;
    Ok(Record::Refused(RefusedOrder {
        request: packed.request,
        code: get.refusal_code(code)?,
        observed: get.i64()?,
        limit: get.i64()?,
    }))
}

fn decode_execution(get: &mut Get<'_>) -> Result<Record, CodecError> {
    let order_id = OrderId::from_raw(get.u64()?);
    let [broker, kind, side, liquidity, reason, tag, parts, spare]: [u8; 8] = get.raw()?;
    unused(get, &[spare])?;
    if parts > HAS_FILL | HAS_TERMS {
        return Err(get.bad("set of parts", u64::from(parts)));
    }
    let kind = ReportKind::from_u8(kind).ok_or(get.bad("report kind", u64::from(kind)))?;
    let instrument = InstrumentId::default();
    let side = get.side(side)?;
    let mut report = ExecutionReport {
        liquidity: get.liquidity(liquidity)?,
        reason: get.reason(reason)?,
        cumulative_quantity: get.quantity()?,
        broker_time: get.time()?,
        received_stamp: get.u64()?,
        instrument: InstrumentId(get.u32()?),
        encode_offset: get.u32()?,
        wire_offset: get.u32()?,
        ..ExecutionReport::new(kind, order_id, BrokerId(broker), instrument, side)
    };
    let spare = get.u32()?;
    unused(get, &spare.to_le_bytes())?;
    if parts & HAS_FILL != 0 {
        report.execution_id = ExecutionId(get.u128()?);
        report.fee = get.money()?;
        report.last_quantity = get.quantity()?;
        report.last_price = get.price()?;
    }
    if parts & HAS_TERMS != 0 {
        report.quantity = get.quantity()?;
        report.order_type = get.prices(tag)?;
    } else if tag != type_tag(OrderType::Market) {
        return Err(get.bad("order type without its terms", u64::from(tag)));
    }
    Ok(Record::Execution(report))
}

fn decode_risk(kind: u16, get: &mut Get<'_>) -> Result<RiskRecord, CodecError> {
    Ok(match kind {
        TRADING_STATE => {
            let [scope, id, state, spare, low, high, rest @ ..]: [u8; 8] = get.raw()?;
            unused(get, &[spare])?;
            unused(get, &rest)?;
            let code = u16::from_le_bytes([low, high]);
            RiskRecord::TradingState {
                scope: get.scope([scope, id])?,
                state: get.trading_state(state)?,
                cause: match code {
                    0 => None,
                    code => Some(get.refusal_code(code)?),
                },
                observed: get.i64()?,
                limit: get.i64()?,
                at: get.time()?,
            }
        }
        LATCHES_RESET => RiskRecord::LatchesReset { at: get.time()? },
        START_OF_DAY => RiskRecord::StartOfDay {
            date: small(get, "date")?,
            equity: get.money()?,
            at: get.time()?,
        },
        _ => RiskRecord::HighWaterMark {
            equity: get.money()?,
            at: get.time()?,
        },
    })
}
