//! One order as Alpaca knows it.
//!
//! Runs on: whoever owns the core.
//! Owns: the order's fields, its status, and its JSON.
//! Never: decides what happens to the order.

use serde_json::{Value, json};

use super::json::{instant, maybe, maybe_instant, text, uuid};
use crate::types::{
    InstrumentId, Money, Nanos, OrderId, OrderType, Price, Quantity, Side, TimeInForce,
    TrailingOffset,
};

/// Where an order stands, in Alpaca's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Sent on, not yet acknowledged.
    PendingNew,
    /// Taken, waiting for the market to open.
    Accepted,
    /// Working.
    New,
    /// A leg that waits.
    Held,
    /// Some of it traded.
    PartiallyFilled,
    /// A cancel was asked for and hangs.
    PendingCancel,
    /// Done.
    Filled,
    /// Canceled.
    Canceled,
    /// Its time ran out.
    Expired,
    /// Another order took its place.
    Replaced,
    /// Not taken.
    Rejected,
}

impl Status {
    /// Alpaca's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingNew => "pending_new",
            Self::Accepted => "accepted",
            Self::New => "new",
            Self::Held => "held",
            Self::PartiallyFilled => "partially_filled",
            Self::PendingCancel => "pending_cancel",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Rejected => "rejected",
        }
    }

    /// Whether it may still trade.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::PendingNew
                | Self::Accepted
                | Self::New
                | Self::Held
                | Self::PartiallyFilled
                | Self::PendingCancel
        )
    }
}

/// What kind of group an order belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Class {
    /// None.
    #[default]
    Simple,
    /// Entry, take-profit, stop-loss.
    Bracket,
    /// Take-profit and stop-loss: one cancels the other.
    Oco,
    /// Entry and one of the two.
    Oto,
}

impl Class {
    /// Alpaca's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Bracket => "bracket",
            Self::Oco => "oco",
            Self::Oto => "oto",
        }
    }
}

/// What an order is in its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Stands alone, or opens the position.
    #[default]
    Entry,
    /// Closes with a profit.
    TakeProfit,
    /// Closes with a loss.
    StopLoss,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id.
    pub id: u128,
    /// The client's id.
    pub client_order_id: String,
    /// When it came.
    pub created_at: Nanos,
    /// When it last changed.
    pub updated_at: Nanos,
    /// When its last share traded.
    pub filled_at: Option<Nanos>,
    /// When its time ran out.
    pub expired_at: Option<Nanos>,
    /// When its time will run out.
    pub expires_at: Option<Nanos>,
    /// When it was canceled.
    pub canceled_at: Option<Nanos>,
    /// When it was rejected.
    pub failed_at: Option<Nanos>,
    /// When another order took its place.
    pub replaced_at: Option<Nanos>,
    /// Which.
    pub replaced_by: Option<u128>,
    /// Whose place it took.
    pub replaces: Option<u128>,
    /// What.
    pub instrument: InstrumentId,
    /// The amount of money, of an order by amount.
    pub notional: Option<Money>,
    /// How much: what has filled included.
    pub quantity: Quantity,
    /// What has filled.
    pub filled: Quantity,
    /// What that cost.
    pub value: Money,
    /// Its group's kind.
    pub class: Class,
    /// What it is in the group.
    pub role: Role,
    /// Type and prices.
    pub order_type: OrderType,
    /// Buy or sell.
    pub side: Side,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// Whether it trades outside regular hours.
    pub extended_hours: bool,
    /// Where it stands.
    pub status: Status,
    /// The best price so far, of a trailing stop.
    pub high_water_mark: Option<Price>,
    /// Opens or closes.
    pub intent: &'static str,
    /// Rows of its legs.
    pub legs: Vec<usize>,
    /// Row of the order whose leg it is.
    pub parent: Option<usize>,
    /// Its name at the exchange, once it is there.
    pub exchange_id: Option<OrderId>,
    /// What the chain had filled when this order entered the exchange.
    pub entered_filled: Quantity,
    /// Until when look-ups do not find it (an injected fault).
    pub hidden_until: Option<Nanos>,
}

impl Record {
    /// Mean price of what has filled.
    #[must_use]
    pub fn average_price(&self) -> Option<Price> {
        self.value.per_unit(self.filled)
    }

    /// What is left to fill.
    #[must_use]
    pub const fn leaves(&self) -> Quantity {
        self.quantity.saturating_sub_to_zero(self.filled)
    }

    /// The trigger as it stands now: that of a trailing stop follows the market.
    #[must_use]
    pub fn stop_price(&self) -> Option<Price> {
        let OrderType::TrailingStop { offset } = self.order_type else {
            return self.order_type.stop_price();
        };
        let mark = self.high_water_mark?;
        match (offset, self.side) {
            (TrailingOffset::Amount(amount), Side::Sell) => mark.checked_sub(amount),
            (TrailingOffset::Amount(amount), Side::Buy) => mark.checked_add(amount),
            (TrailingOffset::Percent(ratio), Side::Sell) => mark.lowered_by(ratio),
            (TrailingOffset::Percent(ratio), Side::Buy) => mark.raised_by(ratio),
        }
    }

    /// The order as JSON, its legs given.
    #[must_use]
    pub fn to_json(&self, symbol: &str, asset_id: u128, legs: Value) -> Value {
        let (trail_price, trail_percent) = match self.order_type.trailing_offset() {
            Some(TrailingOffset::Amount(amount)) => (text(amount), Value::Null),
            Some(TrailingOffset::Percent(ratio)) => {
                let percent = Price::from_units(ratio.units().saturating_mul(100));
                (Value::Null, text(percent))
            }
            None => (Value::Null, Value::Null),
        };
        let kind = self.order_type.name().as_str();
        let quantity = match self.notional {
            Some(_) => Value::Null,
            None => text(self.quantity),
        };
        json!({
            "id": uuid(self.id),
            "client_order_id": self.client_order_id,
            "created_at": instant(self.created_at),
            "updated_at": instant(self.updated_at),
            "submitted_at": instant(self.created_at),
            "filled_at": maybe_instant(self.filled_at),
            "expired_at": maybe_instant(self.expired_at),
            "expires_at": maybe_instant(self.expires_at),
            "canceled_at": maybe_instant(self.canceled_at),
            "failed_at": maybe_instant(self.failed_at),
            "replaced_at": maybe_instant(self.replaced_at),
            "replaced_by": self.replaced_by.map(uuid),
            "replaces": self.replaces.map(uuid),
            "asset_id": uuid(asset_id),
            "symbol": symbol,
            "asset_class": "us_equity",
            "notional": maybe(self.notional),
            "qty": quantity,
            "filled_qty": text(self.filled),
            "filled_avg_price": maybe(self.average_price()),
            "order_class": self.class.as_str(),
            "order_type": kind,
            "type": kind,
            "side": self.side.as_str(),
            "position_intent": self.intent,
            "time_in_force": self.time_in_force.as_str(),
            "limit_price": maybe(self.order_type.limit_price()),
            "stop_price": maybe(self.stop_price()),
            "status": self.status.as_str(),
            "extended_hours": self.extended_hours,
            "legs": legs,
            "trail_percent": trail_percent,
            "trail_price": trail_price,
            "hwm": maybe(self.high_water_mark),
            "subtag": null_value(),
            "source": null_value(),
        })
    }
}

const fn null_value() -> Value {
    Value::Null
}
