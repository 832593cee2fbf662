//! Messages that flow back from a broker: gateway to ORDER.
//!
//! Runs on: any thread; `Copy`, at most 192 bytes.
//! Owns: what a broker can say of an order, in broker-neutral words.
//! Never: carries the broker's text (that goes to the journal by a byte ring).

use super::{
    AccountSnapshot, BrokerId, BrokerReject, ExecutionId, InstrumentId, Money, Nanos, OrderId,
    OrderType, Price, Quantity, Side,
};

/// Whether a fill took or gave liquidity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Liquidity {
    /// Not said.
    #[default]
    Unknown = 0,
    /// Rested in the book.
    Maker = 1,
    /// Traded against the displayed quote.
    Taker = 2,
}

impl Liquidity {
    /// `maker`, `taker` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Maker => "maker",
            Self::Taker => "taker",
        }
    }

    /// From the stored number.
    #[must_use]
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Maker,
            2 => Self::Taker,
            _ => Self::Unknown,
        }
    }
}

/// What an execution report says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum ReportKind {
    /// Every byte of the request was handed over; the outcome is open. Where the broker's answer is
    /// at hand as soon as the write returns, that answer says so by its offsets instead.
    Sent = 0,
    /// Provably not one whole request left: as if it had never been tried. `reason` says why.
    NotSent = 1,
    /// The broker works the order.
    Accepted = 2,
    /// Some of it traded.
    Fill = 3,
    /// Canceled: by request, or by the broker (an immediate order's rest).
    Canceled = 4,
    /// Its time ran out.
    Expired = 5,
    /// The broker does not take it. `reason` says why.
    Rejected = 6,
    /// The broker does not cancel it.
    CancelRejected = 7,
    /// The broker works the new terms: `quantity` and `order_type`.
    Replaced = 8,
    /// The broker keeps the old terms.
    ReplaceRejected = 9,
    /// The outcome of a request is unknown: its exposure stays.
    InDoubt = 10,
    /// Answer to a look-up: it works, on the terms and with the cumulative quantity given.
    Status = 11,
    /// Answer to a look-up: definitely not there.
    NotFound = 12,
}

impl ReportKind {
    /// From the stored number.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Sent,
            1 => Self::NotSent,
            2 => Self::Accepted,
            3 => Self::Fill,
            4 => Self::Canceled,
            5 => Self::Expired,
            6 => Self::Rejected,
            7 => Self::CancelRejected,
            8 => Self::Replaced,
            9 => Self::ReplaceRejected,
            10 => Self::InDoubt,
            11 => Self::Status,
            12 => Self::NotFound,
            _ => return None,
        })
    }
}

/// What a broker says of one order. Fields that a kind does not use are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExecutionReport {
    /// Which order; [`OrderId::default`] (0) for one that is not this engine's.
    pub order_id: OrderId,
    /// Which broker.
    pub broker: BrokerId,
    /// What is said.
    pub kind: ReportKind,
    /// Buy or sell.
    pub side: Side,
    /// Maker or taker, of a fill.
    pub liquidity: Liquidity,
    /// Why, of a rejection.
    pub reason: BrokerReject,
    /// What.
    pub instrument: InstrumentId,
    /// The broker's id of a fill.
    pub execution_id: ExecutionId,
    /// Fee of a fill, positive when paid.
    pub fee: Money,
    /// Quantity of a fill.
    pub last_quantity: Quantity,
    /// Price of a fill.
    pub last_price: Price,
    /// Filled so far by the broker's count, 0 when not said.
    pub cumulative_quantity: Quantity,
    /// Total quantity, of `Replaced` and `Status`.
    pub quantity: Quantity,
    /// Terms, of `Replaced` and `Status`.
    pub order_type: OrderType,
    /// When, by the broker's clock.
    pub broker_time: Nanos,
    /// Stage clock when the report was at hand.
    pub received_stamp: u64,
    /// Offset of "bytes ready" from the order's stamp, of the first report after the write; else 0.
    pub encode_offset: u32,
    /// Offset of "write returned" from the order's stamp, of the first report after the write; else 0.
    pub wire_offset: u32,
}

impl ExecutionReport {
    /// A report of `kind` with every other field at zero.
    #[must_use]
    pub const fn new(
        kind: ReportKind,
        order_id: OrderId,
        broker: BrokerId,
        instrument: InstrumentId,
        side: Side,
    ) -> Self {
        Self {
            order_id,
            broker,
            kind,
            side,
            liquidity: Liquidity::Unknown,
            reason: BrokerReject::None,
            instrument,
            execution_id: ExecutionId::NONE,
            fee: Money::ZERO,
            last_quantity: Quantity::ZERO,
            last_price: Price::ZERO,
            cumulative_quantity: Quantity::ZERO,
            quantity: Quantity::ZERO,
            order_type: OrderType::Market,
            broker_time: Nanos::ZERO,
            received_stamp: 0,
            encode_offset: 0,
            wire_offset: 0,
        }
    }

    /// Whether it is the first one after the order's bytes left.
    #[must_use]
    pub const fn tells_sent(&self) -> bool {
        match self.kind {
            ReportKind::Sent => true,
            ReportKind::NotSent => false,
            _ => self.wire_offset > 0,
        }
    }
}

/// What a gateway tells ORDER.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokerReport {
    /// Of one order.
    Execution(ExecutionReport),
    /// The link to the broker came up (reconciled, open for orders) or went down.
    Link {
        /// Which broker.
        broker: BrokerId,
        /// Whether orders may go there.
        up: bool,
    },
    /// The account at the broker.
    Account(AccountSnapshot),
}

const _: () = assert!(
    size_of::<BrokerReport>() <= 192,
    "reports take three cache lines"
);
