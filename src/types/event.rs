//! Messages that flow out of ORDER: to RISK, to the order's own port, and to the cold side.
//!
//! Runs on: any thread; `Copy`, at most 192 bytes.
//! Owns: what happened to an order, after it was journaled and applied.
//! Never: says something that is not yet on record.

use super::{
    AccountSnapshot, BrokerId, BrokerReject, ExecutionId, InstrumentId, Liquidity, Money, Nanos,
    OrderId, OrderStatus, OrderType, Price, Quantity, Refusal, RiskRecord, Side, StageStamps,
    StrategyId,
};

/// What ORDER tells RISK of exposure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exposure {
    /// A fill: the position moved. `order_id` may be unknown to RISK: the position moves all the same.
    Fill {
        /// Which order.
        order_id: OrderId,
        /// Where.
        broker: BrokerId,
        /// What.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// Whether the order is done with it.
        done: bool,
        /// How much.
        quantity: Quantity,
        /// At what price.
        price: Price,
        /// Fee, positive when paid.
        fee: Money,
    },
    /// The order is done without a further fill: its remainder is released.
    Closed {
        /// Which order.
        order_id: OrderId,
    },
    /// The outcome of a replace: the new terms hold, or the old ones.
    ReplaceDone {
        /// Which order.
        order_id: OrderId,
        /// Whether the new terms hold.
        accepted: bool,
    },
    /// A broker's link came up or went down.
    Link {
        /// Which broker.
        broker: BrokerId,
        /// Whether orders may go there.
        up: bool,
    },
    /// A broker's account.
    Account(AccountSnapshot),
    /// A record of RISK's with this number of records written is on disk.
    Durable {
        /// Journal sequence that is on disk.
        sequence: u64,
    },
}

const _: () = assert!(
    size_of::<Exposure>() <= 128,
    "exposure takes two cache lines"
);

/// One fill, as an event carries it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// The broker's id.
    pub execution_id: ExecutionId,
    /// Fee, positive when paid.
    pub fee: Money,
    /// How much.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// Came for an order that was already done, or beyond its quantity: position moved, alarm raised (control 24).
    pub unexpected: bool,
}

/// What happened to an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderEvent {
    /// Passed RISK, is journaled and on its way to `broker`.
    Submitted,
    /// Refused by this engine: nothing was sent.
    Refused(Refusal),
    /// Handed to the broker's connection. Not told where the broker's answer was at hand at once: the
    /// answer brings the stamps.
    Sent,
    /// Did not leave: nothing reached the broker.
    NotSent(BrokerReject),
    /// The broker works it.
    Accepted,
    /// Some of it traded.
    Filled(Fill),
    /// A cancel is on its way.
    CancelPending,
    /// A cancel was refused by this engine.
    CancelRefused(Refusal),
    /// The broker did not cancel.
    CancelRejected(BrokerReject),
    /// Canceled.
    Canceled,
    /// Its time ran out.
    Expired,
    /// Rejected by the broker.
    Rejected(BrokerReject),
    /// A replace is on its way.
    ReplacePending,
    /// A replace was refused by this engine.
    ReplaceRefused(Refusal),
    /// The broker kept the old terms.
    ReplaceRejected(BrokerReject),
    /// The new terms hold.
    Replaced(OrderType),
    /// The outcome is unknown: it counts in full until it is known.
    InDoubt,
    /// Found at the broker after doubt, or after a restart: it works.
    Restored,
    /// Looked up and definitely not there: it never executed.
    Absent,
}

/// An order after something happened to it: sent to its port and to the cold side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderReport {
    /// Which order.
    pub order_id: OrderId,
    /// What.
    pub instrument: InstrumentId,
    /// Where; `None` when it was refused before it was routed.
    pub broker: Option<BrokerId>,
    /// Whose.
    pub strategy: StrategyId,
    /// Buy or sell.
    pub side: Side,
    /// Its state now.
    pub status: OrderStatus,
    /// What happened.
    pub event: OrderEvent,
    /// When, by the engine's clock.
    pub at: Nanos,
    /// Its total quantity now.
    pub quantity: Quantity,
    /// Filled so far.
    pub filled: Quantity,
    /// Sum of price times quantity of its fills.
    pub value: Money,
    /// Stages passed so far.
    pub stamps: StageStamps,
    /// Stage clock when the broker's report was at hand, 0 for events of this engine's own.
    pub received_stamp: u64,
}

impl OrderReport {
    /// Still to fill, 0 when the order is done.
    #[must_use]
    pub fn leaves_quantity(&self) -> Quantity {
        if self.status.is_terminal() {
            Quantity::ZERO
        } else {
            self.quantity.saturating_sub_to_zero(self.filled)
        }
    }

    /// Average price of its fills, rounded half-even to 10^-9; `None` before the first.
    #[must_use]
    pub fn average_price(&self) -> Option<Price> {
        self.value.per_unit(self.filled)
    }
}

/// What a hot agent tells the cold side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Something happened to an order.
    Order(OrderReport),
    /// Something happened to trading states, latches or baselines.
    Risk(RiskRecord),
    /// A broker's link came up or went down.
    Link {
        /// Which broker.
        broker: BrokerId,
        /// Whether orders may go there.
        up: bool,
        /// When.
        at: Nanos,
    },
    /// A broker's account.
    Account(AccountSnapshot),
    /// A report for an order that this engine does not know moved a position.
    ForeignFill {
        /// Where.
        broker: BrokerId,
        /// What.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// The fill.
        fill: Fill,
        /// When.
        at: Nanos,
    },
    /// A report that does not fit its order's life cycle: kept out of the order, counted, to be looked into.
    Anomaly {
        /// Which order.
        order_id: OrderId,
        /// Its state.
        status: OrderStatus,
        /// What was said of it, by number of the report's kind.
        report: u8,
        /// When.
        at: Nanos,
    },
}

const _: () = assert!(
    size_of::<OrderReport>() <= 192,
    "reports take three cache lines"
);
const _: () = assert!(
    size_of::<Event>() <= 208,
    "events take about three cache lines"
);
