//! An order as its author states it.
//!
//! Runs on: any thread.
//! Owns: sides, types with their prices, time in force, flags, and the checks that need nothing but the order.
//! Never: knows a broker's dialect.

use super::{InstrumentId, Price, Quantity, Ratio};

/// Buy or sell. A sell beyond the position is a short sale.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Side {
    /// Adds to the position.
    Buy = 0,
    /// Takes from the position.
    Sell = 1,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// `quantity` with the sign that it gives a position.
    #[must_use]
    pub const fn signed(self, quantity: Quantity) -> Quantity {
        match self {
            Self::Buy => quantity,
            Self::Sell => quantity.negated(),
        }
    }

    /// `buy` or `sell`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// How far a trailing stop stays behind the best price since it was placed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TrailingOffset {
    /// An amount of money an item.
    Amount(Price),
    /// A fraction of the best price.
    Percent(Ratio),
}

/// The type of an order with the prices that this type has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OrderType {
    /// At the best price there is.
    Market,
    /// At this price or better.
    Limit {
        /// The worst price.
        limit: Price,
    },
    /// A market order once the market touches the stop price.
    Stop {
        /// The trigger.
        stop: Price,
    },
    /// A limit order once the market touches the stop price.
    StopLimit {
        /// The trigger.
        stop: Price,
        /// The worst price.
        limit: Price,
    },
    /// A stop order whose trigger follows the market.
    TrailingStop {
        /// The distance.
        offset: TrailingOffset,
    },
}

/// The name of an [`OrderType`] without its prices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum OrderTypeName {
    /// `market`
    Market = 0,
    /// `limit`
    Limit = 1,
    /// `stop`
    Stop = 2,
    /// `stop_limit`
    StopLimit = 3,
    /// `trailing_stop`
    TrailingStop = 4,
}

impl OrderTypeName {
    /// The name as configuration, reports and Alpaca write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Limit => "limit",
            Self::Stop => "stop",
            Self::StopLimit => "stop_limit",
            Self::TrailingStop => "trailing_stop",
        }
    }
}

impl OrderType {
    /// The name.
    #[must_use]
    pub const fn name(self) -> OrderTypeName {
        match self {
            Self::Market => OrderTypeName::Market,
            Self::Limit { .. } => OrderTypeName::Limit,
            Self::Stop { .. } => OrderTypeName::Stop,
            Self::StopLimit { .. } => OrderTypeName::StopLimit,
            Self::TrailingStop { .. } => OrderTypeName::TrailingStop,
        }
    }

    /// The limit price, where there is one.
    #[must_use]
    pub const fn limit_price(self) -> Option<Price> {
        match self {
            Self::Limit { limit } | Self::StopLimit { limit, .. } => Some(limit),
            _ => None,
        }
    }

    /// The stop price, where there is one.
    #[must_use]
    pub const fn stop_price(self) -> Option<Price> {
        match self {
            Self::Stop { stop } | Self::StopLimit { stop, .. } => Some(stop),
            _ => None,
        }
    }

    /// The trailing distance, where there is one.
    #[must_use]
    pub const fn trailing_offset(self) -> Option<TrailingOffset> {
        match self {
            Self::TrailingStop { offset } => Some(offset),
            _ => None,
        }
    }
}

/// How long an order stays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until the session's end.
    Day = 0,
    /// Until canceled.
    Gtc = 1,
    /// Fills what it can at once; the rest is canceled.
    Ioc = 2,
    /// Fills whole at once or not at all.
    Fok = 3,
    /// Takes part in the opening only.
    Opg = 4,
    /// Takes part in the close only.
    Cls = 5,
}

impl TimeInForce {
    /// The name as configuration, reports and Alpaca write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Gtc => "gtc",
            Self::Ioc => "ioc",
            Self::Fok => "fok",
            Self::Opg => "opg",
            Self::Cls => "cls",
        }
    }
}

/// Yes-or-no properties of an order, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OrderFlags(pub u8);

impl OrderFlags {
    /// May trade outside regular hours (limit orders only).
    pub const EXTENDED_HOURS: Self = Self(1);
    /// Must shrink the position and can never turn it around.
    pub const REDUCE_ONLY: Self = Self(2);
    /// Passes the duplicate check on purpose.
    pub const ALLOW_DUPLICATE: Self = Self(4);
    /// Waits until its intent is on disk.
    pub const DURABLE: Self = Self(8);
    const ALL: u8 = 15;

    /// From bits; `None` when an unknown one is set.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::ALL == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An order as its author states it: what, how much, at what price, for how long.
///
/// ```
/// use shrike::types::{InstrumentId, Order, Side, TimeInForce};
/// let order = Order::limit(InstrumentId(0), Side::Buy, "100".parse()?, "187.25".parse()?)
///     .time_in_force(TimeInForce::Gtc)
///     .reduce_only();
/// assert!(order.validate().is_ok());
/// # Ok::<(), shrike::types::DecimalError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Order {
    /// What.
    pub instrument: InstrumentId,
    /// How much: the total, filled part included.
    pub quantity: Quantity,
    /// At what price.
    pub order_type: OrderType,
    /// Buy or sell.
    pub side: Side,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// Properties.
    pub flags: OrderFlags,
}

/// What is wrong with an order, seen without the market or the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[repr(u8)]
pub enum OrderShapeError {
    /// Quantity of zero or below.
    #[error("quantity must be above zero")]
    Quantity = 1,
    /// A limit, stop or trailing price of zero or below.
    #[error("prices must be above zero")]
    Price = 2,
    /// A trailing offset of zero or below, or of 100 % and more.
    #[error("trailing offset must be above zero and below the price")]
    Trail = 3,
    /// Immediate and auction orders are market or limit orders.
    #[error("ioc, fok, opg and cls take market and limit orders only")]
    TypeForTimeInForce = 4,
    /// Extended hours take limit orders with day or gtc only (as Alpaca and IB do).
    #[error("extended hours take limit orders, day or gtc, only")]
    ExtendedHours = 5,
    /// A price that is no multiple of the instrument's tick.
    #[error("price is no multiple of the tick")]
    Tick = 6,
    /// A quantity that is no multiple of the instrument's lot.
    #[error("quantity is no multiple of the lot")]
    Lot = 7,
    /// A replace that changes a price which this type does not have.
    #[error("the order's type does not have the price to be replaced")]
    ReplacePrice = 8,
}

impl Order {
    /// An order of any type, good for the day.
    #[must_use]
    pub const fn new(
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        order_type: OrderType,
    ) -> Self {
        Self {
            instrument,
            quantity,
            order_type,
            side,
            time_in_force: TimeInForce::Day,
            flags: OrderFlags(0),
        }
    }

    /// A market order for the day.
    #[must_use]
    pub const fn market(instrument: InstrumentId, side: Side, quantity: Quantity) -> Self {
        Self::new(instrument, side, quantity, OrderType::Market)
    }

    /// A limit order for the day.
    #[must_use]
    pub const fn limit(
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        limit: Price,
    ) -> Self {
        Self::new(instrument, side, quantity, OrderType::Limit { limit })
    }

    /// A stop order for the day.
    #[must_use]
    pub const fn stop(
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        stop: Price,
    ) -> Self {
        Self::new(instrument, side, quantity, OrderType::Stop { stop })
    }

    /// A stop-limit order for the day.
    #[must_use]
    pub const fn stop_limit(
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        stop: Price,
        limit: Price,
    ) -> Self {
        Self::new(
            instrument,
            side,
            quantity,
            OrderType::StopLimit { stop, limit },
        )
    }

    /// A trailing stop order for the day.
    #[must_use]
    pub const fn trailing_stop(
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        offset: TrailingOffset,
    ) -> Self {
        Self::new(
            instrument,
            side,
            quantity,
            OrderType::TrailingStop { offset },
        )
    }

    /// With another time in force.
    #[must_use]
    pub const fn time_in_force(mut self, time_in_force: TimeInForce) -> Self {
        self.time_in_force = time_in_force;
        self
    }

    /// May trade outside regular hours.
    #[must_use]
    pub const fn extended_hours(self) -> Self {
        self.flagged(OrderFlags::EXTENDED_HOURS)
    }

    /// Must shrink the position.
    #[must_use]
    pub const fn reduce_only(self) -> Self {
        self.flagged(OrderFlags::REDUCE_ONLY)
    }

    /// Is meant even if it looks like one just sent.
    #[must_use]
    pub const fn allow_duplicate(self) -> Self {
        self.flagged(OrderFlags::ALLOW_DUPLICATE)
    }

    /// Leaves only after its intent is on disk.
    #[must_use]
    pub const fn durable(self) -> Self {
        self.flagged(OrderFlags::DURABLE)
    }

    const fn flagged(mut self, flag: OrderFlags) -> Self {
        self.flags = self.flags.with(flag);
        self
    }

    /// Checks what needs neither market nor account.
    ///
    /// # Errors
    /// The first [`OrderShapeError`].
    pub const fn validate(&self) -> Result<(), OrderShapeError> {
        if !self.quantity.is_positive() {
            return Err(OrderShapeError::Quantity);
        }
        let prices = match self.order_type {
            OrderType::Market => true,
            OrderType::Limit { limit } => limit.is_positive(),
            OrderType::Stop { stop } => stop.is_positive(),
            OrderType::StopLimit { stop, limit } => stop.is_positive() && limit.is_positive(),
            OrderType::TrailingStop { offset } => {
                let good = match offset {
                    TrailingOffset::Amount(amount) => amount.is_positive(),
                    TrailingOffset::Percent(ratio) => {
                        ratio.is_positive() && ratio.units() < Ratio::ONE.units()
                    }
                };
                if !good {
                    return Err(OrderShapeError::Trail);
                }
                true
            }
        };
        if !prices {
            return Err(OrderShapeError::Price);
        }
        let plain = matches!(self.order_type, OrderType::Market | OrderType::Limit { .. });
        if !plain && !matches!(self.time_in_force, TimeInForce::Day | TimeInForce::Gtc) {
            return Err(OrderShapeError::TypeForTimeInForce);
        }
        if self.flags.contains(OrderFlags::EXTENDED_HOURS)
            && !(matches!(self.order_type, OrderType::Limit { .. })
                && matches!(self.time_in_force, TimeInForce::Day | TimeInForce::Gtc))
        {
            return Err(OrderShapeError::ExtendedHours);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_no_market_takes_are_refused() {
        let one = Quantity::from_units(1);
        let price = Price::from_units(1);
        let id = InstrumentId(0);
        assert_eq!(
            Order::market(id, Side::Buy, Quantity::ZERO).validate(),
            Err(OrderShapeError::Quantity)
        );
        assert_eq!(
            Order::limit(id, Side::Buy, one, Price::ZERO).validate(),
            Err(OrderShapeError::Price)
        );
        assert_eq!(
            Order::stop(id, Side::Buy, one, price)
                .time_in_force(TimeInForce::Ioc)
                .validate(),
            Err(OrderShapeError::TypeForTimeInForce)
        );
        assert_eq!(
            Order::market(id, Side::Buy, one)
                .extended_hours()
                .validate(),
            Err(OrderShapeError::ExtendedHours)
        );
        let trail = TrailingOffset::Percent(Ratio::ONE);
        assert_eq!(
            Order::trailing_stop(id, Side::Sell, one, trail).validate(),
            Err(OrderShapeError::Trail)
        );
        assert_eq!(
            Order::limit(id, Side::Sell, one, price)
                .extended_hours()
                .validate(),
            Ok(())
        );
    }
}
