//! Fixed little-endian bytes of the domain's words, one field after the other.
//!
//! Runs on: ORDER (writing), any thread (reading).
//! Owns: the two cursors and the bytes of types that several records share.
//! Never: depends on Rust's layout, panics on bytes read, allocates.

use super::codec::CodecError;
use super::record::Name;
use crate::types::{
    AccountKind, BrokerReject, Liquidity, Money, Nanos, OrderType, Price, Quantity, Ratio,
    RefusalCode, Scope, Side, StrategyId, TimeInForce, TradingState, TrailingOffset,
};
use crate::types::{BrokerId, OrderFlags, Symbol};

/// The longest payload, in bytes.
pub const MAX_PAYLOAD: usize = 128;

/// Writes fields; every record fits by construction, which a test of each kind shows.
pub(super) struct Put<'a> {
    bytes: &'a mut [u8; MAX_PAYLOAD],
    at: usize,
}

macro_rules! put_integers {
    ($($name:ident: $type:ty,)*) => {
        $(#[inline(always)]
        pub(super) fn $name(&mut self, value: $type) {
            self.raw(value.to_le_bytes());
        })*
    };
}

impl<'a> Put<'a> {
    #[inline(always)]
    pub(super) fn new(bytes: &'a mut [u8; MAX_PAYLOAD]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline(always)]
    pub(super) fn raw<const N: usize>(&mut self, field: [u8; N]) {
        // A store of known size: `copy_from_slice` would be a call for each field.
        match self.bytes[self.at..].first_chunk_mut::<N>() {
            Some(place) => *place = field,
            None => unreachable!("the longest payload has room for every field"),
        }
        self.at += N;
    }

    put_integers! { u32: u32, u64: u64, i64: i64, i128: i128, u128: u128, }

    #[inline(always)]
    pub(super) fn price(&mut self, price: Price) {
        self.i64(price.units());
    }

    #[inline(always)]
    pub(super) fn quantity(&mut self, quantity: Quantity) {
        self.i64(quantity.units());
    }

    #[inline(always)]
    pub(super) fn money(&mut self, money: Money) {
        self.i128(money.units());
    }

    #[inline(always)]
    pub(super) fn time(&mut self, time: Nanos) {
        self.u64(time.0);
    }

    /// The two prices of an order type; its tag goes elsewhere.
    #[inline(always)]
    pub(super) fn prices(&mut self, order_type: OrderType) {
        let (first, second) = match order_type {
            OrderType::Market => (0, 0),
            OrderType::Limit { limit } => (limit.units(), 0),
            OrderType::Stop { stop } => (stop.units(), 0),
            OrderType::StopLimit { stop, limit } => (stop.units(), limit.units()),
            OrderType::TrailingStop { offset } => match offset {
                TrailingOffset::Amount(amount) => (amount.units(), 0),
                TrailingOffset::Percent(ratio) => (ratio.units(), 0),
            },
        };
        self.i64(first);
        self.i64(second);
    }

    pub(super) fn name(&mut self, name: Name) {
        let mut bytes = [0; 24];
        let text = name.as_str().as_bytes();
        bytes[0] = text.len() as u8;
        bytes[1..=text.len()].copy_from_slice(text);
        self.raw(bytes);
    }

    pub(super) fn symbol(&mut self, symbol: Symbol) {
        let mut bytes = [0; 16];
        let text = symbol.as_str().as_bytes();
        bytes[0] = text.len() as u8;
        bytes[1..=text.len()].copy_from_slice(text);
        self.raw(bytes);
    }

    /// Bytes written.
    #[inline(always)]
    pub(super) const fn length(&self) -> usize {
        self.at
    }
}

/// The number of an order type, trailing stops told apart by their unit.
#[inline(always)]
pub(super) const fn type_tag(order_type: OrderType) -> u8 {
    match order_type {
        OrderType::Market => 0,
        OrderType::Limit { .. } => 1,
        OrderType::Stop { .. } => 2,
        OrderType::StopLimit { .. } => 3,
        OrderType::TrailingStop {
            offset: TrailingOffset::Amount(_),
        } => 4,
        OrderType::TrailingStop {
            offset: TrailingOffset::Percent(_),
        } => 5,
    }
}

/// A scope as two bytes.
pub(super) const fn scope_bytes(scope: Scope) -> [u8; 2] {
    match scope {
        Scope::Firm => [0, 0],
        Scope::Broker(broker) => [1, broker.0],
        Scope::Strategy(strategy) => [2, strategy.0],
    }
}

/// Reads fields.
pub(super) struct Get<'a> {
    bytes: &'a [u8],
    at: usize,
    kind: u16,
}

macro_rules! get_integers {
    ($($name:ident: $type:ty,)*) => {
        $(pub(super) fn $name(&mut self) -> Result<$type, CodecError> {
            self.raw().map(<$type>::from_le_bytes)
        })*
    };
}

impl<'a> Get<'a> {
    pub(super) const fn new(kind: u16, bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, kind }
    }

    pub(super) fn raw<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let field = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.first_chunk::<N>())
            .ok_or(CodecError::Length {
                kind: self.kind,
                length: self.bytes.len(),
            })?;
        self.at += N;
        Ok(*field)
    }

    get_integers! { u32: u32, u64: u64, i64: i64, i128: i128, u128: u128, }

    /// That every byte was read.
    pub(super) const fn end(&self) -> Result<(), CodecError> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(CodecError::Length {
                kind: self.kind,
                length: self.bytes.len(),
            })
        }
    }

    pub(super) const fn bad(&self, field: &'static str, value: u64) -> CodecError {
        CodecError::Value {
            kind: self.kind,
            field,
            value,
        }
    }

    pub(super) fn price(&mut self) -> Result<Price, CodecError> {
        self.i64().map(Price::from_units)
    }

    pub(super) fn quantity(&mut self) -> Result<Quantity, CodecError> {
        self.i64().map(Quantity::from_units)
    }

    pub(super) fn money(&mut self) -> Result<Money, CodecError> {
        self.i128().map(Money::from_units)
    }

    pub(super) fn time(&mut self) -> Result<Nanos, CodecError> {
        self.u64().map(Nanos)
    }

    pub(super) fn prices(&mut self, tag: u8) -> Result<OrderType, CodecError> {
        let (first, second) = (self.i64()?, self.i64()?);
        let price = Price::from_units;
        Ok(match tag {
            0 => OrderType::Market,
            1 => OrderType::Limit {
                limit: price(first),
            },
            2 => OrderType::Stop { stop: price(first) },
            3 => OrderType::StopLimit {
                stop: price(first),
                limit: price(second),
            },
            4 => OrderType::TrailingStop {
                offset: TrailingOffset::Amount(price(first)),
            },
            5 => OrderType::TrailingStop {
                offset: TrailingOffset::Percent(Ratio::from_units(first)),
            },
            _ => return Err(self.bad("order type", u64::from(tag))),
        })
    }

    pub(super) fn name(&mut self) -> Result<Name, CodecError> {
        let bytes: [u8; 24] = self.raw()?;
        let length = usize::from(bytes[0]);
        bytes
            .get(1..=length)
            .and_then(|text| std::str::from_utf8(text).ok())
            .map(Name::new)
            .ok_or(self.bad("name", length as u64))
    }

    pub(super) fn symbol(&mut self) -> Result<Symbol, CodecError> {
        let bytes: [u8; 16] = self.raw()?;
        let length = usize::from(bytes[0]);
        bytes
            .get(1..=length)
            .and_then(|text| std::str::from_utf8(text).ok())
            .and_then(|text| text.parse().ok())
            .ok_or(self.bad("symbol", length as u64))
    }

    pub(super) fn side(&self, value: u8) -> Result<Side, CodecError> {
        match value {
            0 => Ok(Side::Buy),
            1 => Ok(Side::Sell),
            _ => Err(self.bad("side", u64::from(value))),
        }
    }

    pub(super) fn time_in_force(&self, value: u8) -> Result<TimeInForce, CodecError> {
        Ok(match value {
            0 => TimeInForce::Day,
            1 => TimeInForce::Gtc,
            2 => TimeInForce::Ioc,
            3 => TimeInForce::Fok,
            4 => TimeInForce::Opg,
            5 => TimeInForce::Cls,
            _ => return Err(self.bad("time in force", u64::from(value))),
        })
    }

    pub(super) fn flags(&self, value: u8) -> Result<OrderFlags, CodecError> {
        OrderFlags::from_bits(value).ok_or(self.bad("order flags", u64::from(value)))
    }

    pub(super) fn liquidity(&self, value: u8) -> Result<Liquidity, CodecError> {
        let liquidity = Liquidity::from_u8(value);
        if liquidity as u8 == value {
            Ok(liquidity)
        } else {
            Err(self.bad("liquidity", u64::from(value)))
        }
    }

    pub(super) fn reason(&self, value: u8) -> Result<BrokerReject, CodecError> {
        let reason = BrokerReject::from_u8(value);
        if reason as u8 == value {
            Ok(reason)
        } else {
            Err(self.bad("broker reason", u64::from(value)))
        }
    }

    pub(super) fn boolean(&self, value: u8) -> Result<bool, CodecError> {
        match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.bad("flag", u64::from(value))),
        }
    }

    pub(super) fn refusal_code(&self, value: u16) -> Result<RefusalCode, CodecError> {
        RefusalCode::from_u16(value).ok_or(self.bad("refusal code", u64::from(value)))
    }

    pub(super) fn trading_state(&self, value: u8) -> Result<TradingState, CodecError> {
        TradingState::from_u8(value).ok_or(self.bad("trading state", u64::from(value)))
    }

    pub(super) fn account_kind(&self, value: u8) -> Result<AccountKind, CodecError> {
        match value {
            0 => Ok(AccountKind::Cash),
            1 => Ok(AccountKind::Margin),
            _ => Err(self.bad("account kind", u64::from(value))),
        }
    }

    pub(super) fn scope(&self, [kind, id]: [u8; 2]) -> Result<Scope, CodecError> {
        match (kind, id) {
            (0, 0) => Ok(Scope::Firm),
            (1, id) => Ok(Scope::Broker(BrokerId(id))),
            (2, id) => Ok(Scope::Strategy(StrategyId(id))),
            _ => Err(self.bad("scope", u64::from(kind) << 8 | u64::from(id))),
        }
    }
}
