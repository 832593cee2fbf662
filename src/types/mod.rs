//! The domain's words: prices, quantities, identities, orders, and the messages that agents exchange.
//!
//! Runs on: any thread; every type is plain data, `Copy` wherever a ring carries it.
//! Owns: the meaning and the units of each word, and the order life cycle as one checked state machine.
//! Never: reads a clock, allocates in a message, touches a file, a ring or a socket.

pub mod account;
pub mod command;
pub mod decimal;
pub mod event;
pub mod id;
pub mod instrument;
pub mod kill;
pub mod lifecycle;
pub mod market;
pub mod mode;
pub mod money;
pub mod order;
pub mod position;
pub mod price;
pub mod quantity;
pub mod recovered;
pub mod reject;
pub mod report;
pub mod routing;
pub mod session;
pub mod signal;
pub mod slab;
pub mod time;
mod touched;

pub use account::{AccountKind, AccountSnapshot, AccountStatement};
pub use command::{
    ApprovedOrder, ApprovedReplace, BrokerCommand, CancelAllRequest, CancelRequest, ControlRequest,
    NewOrderCommand, OrderRequest, PortCommand, RefusedOrder, ReplaceCommand, ReplaceRequest,
    RiskDecision, RiskRecord, Scope,
};
pub use decimal::{DecimalError, Fixed};
pub use event::{Event, Exposure, Fill, OrderEvent, OrderReport};
pub use id::{
    BootEpoch, BrokerId, ClientOrderId, ClientOrderIdError, ExecutionId, InstrumentId, OrderId,
    PortId, StrategyId,
};
pub use instrument::{Instrument, InstrumentTable, Symbol, SymbolError};
pub use kill::{CommandClass, KillScope, KillWord};
pub use lifecycle::{Applied, LifecycleError, OrderInput, OrderState, OrderStatus};
pub use market::{BookSide, MarketUpdate, Quote, QuoteCondition, QuoteUpdate, TradeUpdate};
pub use mode::{ExecutionMode, TradingMode, TradingState};
pub use money::Money;
pub use order::{
    Order, OrderFlags, OrderShapeError, OrderType, OrderTypeName, Side, TimeInForce, TrailingOffset,
};
pub use position::{Position, PositionChange};
pub use price::{Price, Ratio};
pub use quantity::Quantity;
pub use recovered::{
    RecoveredAccount, RecoveredOrder, RecoveredPosition, RecoveredShare, RecoveredState,
    RecoveredTradingState,
};
pub use reject::{BrokerReject, Refusal, RefusalCode, RefusalUnit};
pub use report::{BrokerReport, ExecutionReport, Liquidity, ReportKind};
pub use routing::{RouteError, RoutingTable};
pub use session::{SessionPhase, SessionSchedule, SessionWindow};
pub use signal::{Signal, Sizing};
pub use slab::{OrderSlab, SlabFull, SlotIndex};
pub use time::{Nanos, StageStamps};
pub use touched::{prefetch, touched};
