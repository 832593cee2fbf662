//! Why an order was refused by this engine, or rejected by a broker.
//!
//! Runs on: any thread.
//! Owns: the stable codes, each with the two numbers that were compared.
//! Never: changes the number of a code; new ones are added.

use std::fmt;

use super::{Money, Price, Quantity};

/// The unit of a refusal's two numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalUnit {
    /// No numbers.
    None,
    /// Shares, 10^-9.
    Quantity,
    /// Price, 10^-9.
    Price,
    /// Money, 10^-6.
    Money,
    /// A count.
    Count,
    /// Nanoseconds.
    Duration,
}

macro_rules! refusal_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $unit:ident, $text:literal;)*) => {
        /// A stable refusal code: hundreds are the control's number in the risk documentation, below 100 the engine.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum RefusalCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl RefusalCode {
            /// Every code, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in reports.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The unit of the two numbers.
            #[must_use]
            pub const fn unit(self) -> RefusalUnit {
                match self { $(Self::$name => RefusalUnit::$unit,)* }
            }

            /// The cause in words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

refusal_codes! {
    /// A ring or table on the way is full; nothing was sent.
    Busy = 1, Count, "the engine is busy: a queue on the way is full";
    /// The engine is stopping.
    ShuttingDown = 2, None, "the engine is shutting down";
    /// The kill word stops this scope.
    Killed = 3, None, "the kill switch is set";
    /// The scope is halted: cancels only.
    Halted = 4, None, "trading is halted";
    /// The scope is reduce-only and this order does not provably reduce.
    Reducing = 5, Quantity, "only reducing orders are taken";
    /// The order asked to be reduce-only and does not provably reduce.
    NotReducing = 6, Quantity, "a reduce-only order must not exceed what is left to close";
    /// Every broker that could take it is down.
    BrokerDown = 10, None, "no broker that may take this order is up";
    /// The preferred broker is not configured.
    UnknownBroker = 11, None, "the preferred broker is not configured";
    /// The instrument is not in the table.
    UnknownInstrument = 12, None, "the instrument is not known";
    /// No order of that id.
    UnknownOrder = 20, None, "no such order";
    /// The order is done.
    OrderDone = 21, None, "the order is done";
    /// A cancel or replace of it is under way.
    ChangePending = 22, None, "a change of this order is under way";
    /// The new total does not exceed what has filled.
    ReplaceBelowFilled = 23, Quantity, "the new quantity does not exceed what has filled";
    /// The order table is full of working orders.
    OrderTableFull = 24, Count, "the order table is full";
    /// Control 1.
    MaxOrderQuantity = 100, Quantity, "order quantity is above the limit";
    /// Control 2.
    MaxOrderNotional = 200, Money, "order notional is above the limit";
    /// Control 3: too far from the reference.
    PriceCollar = 300, Price, "price is outside the collar";
    /// Control 3: no mid, last or close to compare with.
    NoReferencePrice = 301, None, "there is no reference price";
    /// Control 4.
    MaxPosition = 400, Quantity, "worst-case position is above the limit";
    /// Control 6.
    BuyingPower = 600, Money, "buying power does not cover the order";
    /// Control 6: the account is not known yet.
    NoAccount = 601, None, "the account is not known";
    /// Control 7, latched.
    DailyLoss = 700, Money, "the daily loss limit was reached";
    /// Control 7 and 8: a held position has no price yet.
    EquityUnknown = 701, None, "equity is not known: a held position has no price";
    /// Control 8, latched.
    Drawdown = 800, Money, "the drawdown limit was reached";
    /// Control 10.
    OrderRate = 1000, Count, "too many orders in the window";
    /// Control 13: the same order a moment ago.
    DuplicateOrder = 1300, Duration, "the same order was sent a moment ago";
    /// Control 13: this id was seen before.
    DuplicateOrderId = 1301, None, "the order id was used before";
    /// Control 13: too many orders in the window to be sure.
    DuplicateCheckFull = 1302, Count, "too many orders in the window to check for duplicates";
    /// Control 16: too old.
    StaleQuote = 1600, Duration, "the quote is stale";
    /// Control 16: bid equals ask.
    LockedQuote = 1601, Price, "the quote is locked";
    /// Control 16: bid above ask.
    CrossedQuote = 1602, Price, "the quote is crossed";
    /// Control 16: a side or the whole is missing.
    MissingQuote = 1603, None, "there is no two-sided quote";
    /// Control 17.
    SessionClosed = 1700, None, "the session does not take this order now";
    /// Control 18.
    NotAllowed = 1800, None, "the symbol is not on the allowed list";
    /// Control 18: close-only.
    Restricted = 1801, None, "the symbol is restricted to closing";
    /// Control 19.
    ShortNotAllowed = 1900, Quantity, "the order could open a short position, which is not allowed";
    /// Control 20.
    MaxOpenOrders = 2000, Count, "too many open orders";
    /// Control 34: numbers that do not fit.
    Arithmetic = 3400, None, "the order's numbers are out of range";
    /// Control 34: a shape that no market takes; the first number is the `OrderShapeError`.
    InvalidOrder = 3401, Count, "the order is not valid";
}

impl RefusalCode {
    /// From the stored number.
    #[must_use]
    pub fn from_u16(code: u16) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|known| *known as u16 == code)
    }
}

/// A refusal: the code and the two numbers compared, in the code's [unit](RefusalCode::unit).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// What was found.
    pub observed: i64,
    /// What it was compared with.
    pub limit: i64,
}

impl Refusal {
    /// A refusal that compares nothing.
    #[must_use]
    pub const fn plain(code: RefusalCode) -> Self {
        Self {
            code,
            observed: 0,
            limit: 0,
        }
    }

    /// With two counts or durations.
    #[must_use]
    pub const fn counts(code: RefusalCode, observed: u64, limit: u64) -> Self {
        const fn clamp(value: u64) -> i64 {
            if value > i64::MAX as u64 {
                i64::MAX
            } else {
                value as i64
            }
        }
        Self {
            code,
            observed: clamp(observed),
            limit: clamp(limit),
        }
    }

    /// With two quantities.
    #[must_use]
    pub const fn quantities(code: RefusalCode, observed: Quantity, limit: Quantity) -> Self {
        Self {
            code,
            observed: observed.units(),
            limit: limit.units(),
        }
    }

    /// With two prices.
    #[must_use]
    pub const fn prices(code: RefusalCode, observed: Price, limit: Price) -> Self {
        Self {
            code,
            observed: observed.units(),
            limit: limit.units(),
        }
    }

    /// With two amounts of money, kept to 10^-6 (saturating at 9.2 million million).
    #[must_use]
    pub fn amounts(code: RefusalCode, observed: Money, limit: Money) -> Self {
        let micros = |money: Money| {
            let micros = money.units() / 1_000_000_000_000;
            micros.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
        };
        Self {
            code,
            observed: micros(observed),
            limit: micros(limit),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.code.text())?;
        let (observed, limit) = (self.observed, self.limit);
        match self.code.unit() {
            RefusalUnit::None => Ok(()),
            RefusalUnit::Quantity => {
                let (a, b) = (Quantity::from_units(observed), Quantity::from_units(limit));
                write!(f, " ({a} against {b})")
            }
            RefusalUnit::Price => {
                let (a, b) = (Price::from_units(observed), Price::from_units(limit));
                write!(f, " ({a} against {b})")
            }
            RefusalUnit::Money => {
                let exact = |micros: i64| Money::from_units(i128::from(micros) * 1_000_000_000_000);
                write!(f, " ({} against {})", exact(observed), exact(limit))
            }
            RefusalUnit::Count => write!(f, " ({observed} against {limit})"),
            RefusalUnit::Duration => write!(f, " ({observed} ns against {limit} ns)"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A broker's reason to reject an order, a cancel or a replace, as far as it matters to the engine. The broker's own
/// text stays with the gateway and the journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
#[repr(u8)]
pub enum BrokerReject {
    /// None.
    #[default]
    None = 0,
    /// Not enough buying power or cash.
    InsufficientBuyingPower = 1,
    /// The account or the symbol cannot be sold short.
    ShortNotAllowed = 2,
    /// The broker does not trade it.
    UnknownSymbol = 3,
    /// Outside the hours for this order.
    MarketClosed = 4,
    /// The broker does not take this shape of order.
    InvalidOrder = 5,
    /// The client order id exists already.
    DuplicateClientOrderId = 6,
    /// The order to be changed is done.
    TooLateToChange = 7,
    /// The order to be changed is not known.
    UnknownOrder = 8,
    /// Too many requests.
    RateLimited = 9,
    /// The broker's own tables are full.
    TooManyOrders = 10,
    /// The kill word was set when the bytes were about to leave.
    Killed = 11,
    /// Something else.
    Other = 12,
}

impl BrokerReject {
    /// From the stored number.
    #[must_use]
    pub const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::None,
            1 => Self::InsufficientBuyingPower,
            2 => Self::ShortNotAllowed,
            3 => Self::UnknownSymbol,
            4 => Self::MarketClosed,
            5 => Self::InvalidOrder,
            6 => Self::DuplicateClientOrderId,
            7 => Self::TooLateToChange,
            8 => Self::UnknownOrder,
            9 => Self::RateLimited,
            10 => Self::TooManyOrders,
            11 => Self::Killed,
            _ => Self::Other,
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::InsufficientBuyingPower => "insufficient buying power",
            Self::ShortNotAllowed => "short sale not allowed",
            Self::UnknownSymbol => "unknown symbol",
            Self::MarketClosed => "market closed",
            Self::InvalidOrder => "invalid order",
            Self::DuplicateClientOrderId => "client order id must be unique",
            Self::TooLateToChange => "order is done",
            Self::UnknownOrder => "order not found",
            Self::RateLimited => "too many requests",
            Self::TooManyOrders => "too many open orders",
            Self::Killed => "kill switch set",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ascending_and_come_back_from_their_numbers() {
        assert!(
            RefusalCode::ALL
                .windows(2)
                .all(|pair| (pair[0] as u16) < (pair[1] as u16))
        );
        for &code in RefusalCode::ALL {
            assert_eq!(RefusalCode::from_u16(code as u16), Some(code));
        }
    }

    #[test]
    fn a_refusal_says_both_numbers_in_their_unit() {
        let refusal = Refusal::amounts(
            RefusalCode::MaxOrderNotional,
            Money::from_whole(5_001),
            Money::from_whole(5_000),
        );
        let text = refusal.to_string();
        assert_eq!(
            text,
            "MaxOrderNotional: order notional is above the limit (5001 against 5000)"
        );
    }
}
