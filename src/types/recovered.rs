//! The engine's state as a journal holds it: what a restart begins from.
//!
//! Runs on: start-up; read by the builders of RISK, ORDER, the paper broker and the cold side.
//! Owns: the shape of recovered state, in this run's ids.
//! Never: is used after start.

use super::position::Position;
use super::{
    ApprovedOrder, BrokerId, InstrumentId, Money, OrderId, OrderState, OrderType, PortId,
    RefusalCode, Scope, StageStamps, StrategyId, TradingState,
};

/// A working order found in the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveredOrder {
    /// As approved; prices are those of the last accepted replace.
    pub approved: ApprovedOrder,
    /// Status and quantities at the last record.
    pub state: OrderState,
    /// Type and prices that the broker last acknowledged.
    pub order_type: OrderType,
    /// Stages passed.
    pub stamps: StageStamps,
}

impl RecoveredOrder {
    /// Its id.
    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        self.approved.request.order_id
    }
}

/// One broker's recovered cash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveredAccount {
    /// Where.
    pub broker: BrokerId,
    /// Cash after the last fill.
    pub cash: Money,
}

/// One recovered position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveredPosition {
    /// Where.
    pub broker: BrokerId,
    /// What.
    pub instrument: InstrumentId,
    /// Quantity, cost, realised profit and fees.
    pub position: Position,
}

/// One strategy's share of a recovered position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveredShare {
    /// Whose.
    pub strategy: StrategyId,
    /// What; over all brokers.
    pub instrument: InstrumentId,
    /// Quantity, cost, realised profit and fees of its own fills.
    pub position: Position,
}

/// A trading state that was not ACTIVE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveredTradingState {
    /// What.
    pub scope: Scope,
    /// Its state.
    pub state: TradingState,
    /// The latched control that set it, if it was one.
    pub cause: Option<RefusalCode>,
}

/// Everything. The default is a first start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecoveredState {
    /// Working orders, by id.
    pub orders: Vec<RecoveredOrder>,
    /// Cash of each broker that had an account on record.
    pub accounts: Vec<RecoveredAccount>,
    /// Positions, flat ones with a history included.
    pub positions: Vec<RecoveredPosition>,
    /// Each strategy's share of the positions.
    pub shares: Vec<RecoveredShare>,
    /// Trading states other than ACTIVE.
    pub trading_states: Vec<RecoveredTradingState>,
    /// Trading date and equity of the last start-of-day record.
    pub start_of_day: Option<(u32, Money)>,
    /// The highest equity on record.
    pub high_water_mark: Option<Money>,
    /// The highest sequence that each port of the current epoch has used (empty: a new epoch has used none).
    pub used_sequences: Vec<(PortId, u64)>,
    /// The last journal sequence.
    pub last_sequence: u64,
    /// Ids of the executions of working orders, so that a replayed report is not counted twice.
    pub execution_ids: Vec<super::ExecutionId>,
}
