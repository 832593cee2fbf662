//! Messages that flow down the order path: port to RISK, RISK to ORDER, ORDER to a gateway.
//!
//! Runs on: any thread; every message is `Copy` and at most 128 bytes.
//! Owns: the shape of requests, decisions and broker commands.
//! Never: carries text or a pointer.

use super::{
    BrokerId, ClientOrderId, InstrumentId, Money, Nanos, Order, OrderFlags, OrderId, OrderType,
    OrderTypeName, Price, Quantity, Refusal, RefusalCode, Side, StageStamps, StrategyId,
    TimeInForce, TradingState, TrailingOffset,
};

/// What a scope covers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Everything.
    Firm,
    /// One broker.
    Broker(BrokerId),
    /// One strategy.
    Strategy(StrategyId),
}

/// A new order on its way to RISK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRequest {
    /// Minted by the port.
    pub order_id: OrderId,
    /// Who wants it.
    pub strategy: StrategyId,
    /// Where it should go, if that matters.
    pub preferred_broker: Option<BrokerId>,
    /// What is wanted.
    pub order: Order,
    /// When, by the engine's clock.
    pub submitted_at: Nanos,
    /// The mid price at that moment, 0 when there was none: what slippage is measured against.
    pub decision_price: Price,
    /// Stage clock at that moment.
    pub signal_stamp: u64,
}

/// A cancel on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelRequest {
    /// Which order.
    pub order_id: OrderId,
    /// When, by the engine's clock.
    pub requested_at: Nanos,
}

/// A change of a working order; absent fields stay as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplaceRequest {
    /// Which order.
    pub order_id: OrderId,
    /// The new total, what has filled included.
    pub quantity: Option<Quantity>,
    /// The new limit price.
    pub limit: Option<Price>,
    /// The new stop price.
    pub stop: Option<Price>,
    /// The new trailing distance.
    pub trail: Option<TrailingOffset>,
    /// When, by the engine's clock.
    pub requested_at: Nanos,
}

impl ReplaceRequest {
    /// `order_type` with the changed prices; `None` when a price is given that this type does not have.
    #[must_use]
    pub fn applied_to(&self, order_type: OrderType) -> Option<OrderType> {
        let changed = match order_type {
            OrderType::Market => OrderType::Market,
            OrderType::Limit { limit } => OrderType::Limit {
                limit: self.limit.unwrap_or(limit),
            },
            OrderType::Stop { stop } => OrderType::Stop {
                stop: self.stop.unwrap_or(stop),
            },
            OrderType::StopLimit { stop, limit } => OrderType::StopLimit {
                stop: self.stop.unwrap_or(stop),
                limit: self.limit.unwrap_or(limit),
            },
            OrderType::TrailingStop { offset } => OrderType::TrailingStop {
                offset: self.trail.unwrap_or(offset),
            },
        };
        let fits = (self.limit.is_none() || changed.limit_price().is_some())
            && (self.stop.is_none() || changed.stop_price().is_some())
            && (self.trail.is_none() || changed.trailing_offset().is_some());
        fits.then_some(changed)
    }
}

/// Cancels every working order in a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelAllRequest {
    /// Whose or where.
    pub scope: Scope,
    /// Only this instrument, if given.
    pub instrument: Option<InstrumentId>,
    /// When, by the engine's clock.
    pub requested_at: Nanos,
}

/// An operator's word to RISK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlRequest {
    /// Sets a scope's trading state. Loosening a state that a latched control set is refused until the latch is reset.
    SetTradingState {
        /// What.
        scope: Scope,
        /// To which state.
        state: TradingState,
        /// When.
        requested_at: Nanos,
    },
    /// Lifts the latches of controls 7 and 8 and takes the present equity as the new baselines.
    ResetLatches {
        /// When.
        requested_at: Nanos,
    },
}

/// What a port sends to RISK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortCommand {
    /// A new order.
    New(OrderRequest),
    /// A cancel.
    Cancel(CancelRequest),
    /// A replace.
    Replace(ReplaceRequest),
    /// Cancel everything in a scope.
    CancelAll(CancelAllRequest),
    /// An operator's word; taken from the engine's own port only.
    Control(ControlRequest),
}

/// An order that passed every check; its exposure is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApprovedOrder {
    /// As asked.
    pub request: OrderRequest,
    /// The limit price of the marketable limit order that a market order is sent as (control 3).
    pub collar: Option<Price>,
    /// The price that exposure is reserved at.
    pub risk_price: Price,
    /// Offset of the decision from the request's stamp.
    pub risk_offset: u32,
    /// Where it goes.
    pub broker: BrokerId,
}

impl ApprovedOrder {
    /// The type on the wire: a collared market order is a limit order there.
    #[must_use]
    pub fn wire_type(&self) -> OrderType {
        match self.collar {
            Some(limit) => OrderType::Limit { limit },
            None => self.request.order.order_type,
        }
    }
}

/// A refused order with its refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefusedOrder {
    /// As asked.
    pub request: OrderRequest,
    /// Why not.
    pub code: RefusalCode,
    /// What was found.
    pub observed: i64,
    /// What it was compared with.
    pub limit: i64,
}

impl RefusedOrder {
    /// A refusal of `request`.
    #[must_use]
    pub const fn new(request: OrderRequest, refusal: Refusal) -> Self {
        Self {
            request,
            code: refusal.code,
            observed: refusal.observed,
            limit: refusal.limit,
        }
    }

    /// The refusal.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        Refusal {
            code: self.code,
            observed: self.observed,
            limit: self.limit,
        }
    }
}

/// A replace that passed; the larger of old and new exposure is reserved until its outcome is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApprovedReplace {
    /// Which order.
    pub order_id: OrderId,
    /// The new total.
    pub quantity: Quantity,
    /// The new type and prices on the wire, complete.
    pub order_type: OrderType,
    /// The price that exposure is reserved at if the broker accepts.
    pub risk_price: Price,
    /// When it was asked for.
    pub requested_at: Nanos,
}

/// What RISK tells ORDER, in one order of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RiskDecision {
    /// Send it.
    Approved(ApprovedOrder),
    /// Record and report the refusal.
    Refused(RefusedOrder),
    /// Cancel it.
    Cancel(CancelRequest),
    /// Record and report that the cancel was refused.
    CancelRefused {
        /// Which order.
        order_id: OrderId,
        /// Why not.
        refusal: Refusal,
    },
    /// Replace it.
    Replace(ApprovedReplace),
    /// Record and report that the replace was refused.
    ReplaceRefused {
        /// Which order.
        order_id: OrderId,
        /// Why not.
        refusal: Refusal,
    },
    /// Cancel everything in a scope.
    CancelAll(CancelAllRequest),
    /// A fact of RISK's own for the journal.
    Record(RiskRecord),
}

/// Facts of RISK's own: journaled by ORDER's pen, restored at restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RiskRecord {
    /// A scope's trading state changed. `cause` is the control, or `None` for an operator.
    TradingState {
        /// What.
        scope: Scope,
        /// To which state.
        state: TradingState,
        /// The latched control that did it.
        cause: Option<RefusalCode>,
        /// What was found (10^-6 of money).
        observed: i64,
        /// The limit (10^-6 of money).
        limit: i64,
        /// When.
        at: Nanos,
    },
    /// Latches were lifted.
    LatchesReset {
        /// When.
        at: Nanos,
    },
    /// Equity at the start of a trading date, over all brokers.
    StartOfDay {
        /// 20131007.
        date: u32,
        /// The baseline of control 7.
        equity: Money,
        /// When.
        at: Nanos,
    },
    /// The highest equity so far rose.
    HighWaterMark {
        /// The baseline of control 8.
        equity: Money,
        /// When.
        at: Nanos,
    },
}

/// A new order for a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewOrderCommand {
    /// Whose echo will be looked for.
    pub order_id: OrderId,
    /// What.
    pub instrument: InstrumentId,
    /// Who, for the kill word.
    pub strategy: StrategyId,
    /// Buy or sell.
    pub side: Side,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// Properties.
    pub flags: OrderFlags,
    /// The type that its author asked for.
    pub asked_type: OrderTypeName,
    /// The type on the wire.
    pub order_type: OrderType,
    /// How much.
    pub quantity: Quantity,
    /// Stages passed so far.
    pub stamps: StageStamps,
}

impl NewOrderCommand {
    /// The identity on the wire.
    #[must_use]
    pub fn client_order_id(&self) -> ClientOrderId {
        self.order_id.into()
    }
}

/// A replace for a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplaceCommand {
    /// Which order.
    pub order_id: OrderId,
    /// Who, for the kill word.
    pub strategy: StrategyId,
    /// The new total.
    pub quantity: Quantity,
    /// The new type and prices, complete.
    pub order_type: OrderType,
}

/// What ORDER tells a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokerCommand {
    /// Send it.
    New(NewOrderCommand),
    /// Cancel it.
    Cancel {
        /// Which order.
        order_id: OrderId,
    },
    /// Replace it.
    Replace(ReplaceCommand),
    /// Look it up by client order id and report `Status` or `NotFound`.
    Query {
        /// Which order.
        order_id: OrderId,
    },
}

const _: () = assert!(
    size_of::<PortCommand>() <= 128,
    "commands take two cache lines"
);
const _: () = assert!(
    size_of::<RiskDecision>() <= 128,
    "commands take two cache lines"
);
const _: () = assert!(
    size_of::<BrokerCommand>() <= 128,
    "commands take two cache lines"
);
