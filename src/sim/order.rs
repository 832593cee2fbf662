//! One order as the exchange keeps it, and the lists that orders end or change by together.
//!
//! Runs on: whatever agent drives the exchange.
//! Owns: terms, what has filled, where the order waits, and its membership in one list.
//! Never: allocates after construction.

use super::tree::NONE;
use crate::types::{
    InstrumentId, OrderFlags, OrderId, OrderType, Price, Quantity, Side, SlotIndex, TimeInForce,
};

/// Where an order waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Place {
    /// Nowhere: it is done, or on its way between two places.
    #[default]
    Nowhere,
    /// In the book, marketable at every tradable quote since it came.
    Aggressive,
    /// In the book, behind the queue displayed when it came.
    Resting,
    /// Behind its stop price.
    Stop,
    /// Behind the best price so far.
    Trailing,
    /// For the opening.
    Opening,
    /// For the close.
    Closing,
    /// For the next open: regular hours are over.
    Parked,
}

/// How an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Standing {
    /// It works.
    #[default]
    Working,
    /// All of it traded.
    Filled,
    /// Canceled.
    Canceled,
    /// Its time ran out.
    Expired,
}

/// What orders end or change by together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Group {
    /// Good for regular hours.
    #[default]
    Day,
    /// Good for extended hours.
    DayExtended,
    /// Good until canceled, in regular hours.
    Gtc,
    /// Good until canceled, in extended hours too.
    GtcExtended,
    /// For the opening.
    Opening,
    /// For the close.
    Closing,
    /// Waiting for the next open.
    Parked,
    /// Restored after its end: to be closed at once.
    Overdue,
}

impl Group {
    const COUNT: usize = 8;

    /// The list of an order with these properties.
    pub(super) const fn of(time_in_force: TimeInForce, flags: OrderFlags) -> Self {
        let extended = flags.contains(OrderFlags::EXTENDED_HOURS);
        match (time_in_force, extended) {
            (TimeInForce::Opg, _) => Self::Opening,
            (TimeInForce::Cls, _) => Self::Closing,
            (TimeInForce::Gtc, false) => Self::Gtc,
            (TimeInForce::Gtc, true) => Self::GtcExtended,
            (_, false) => Self::Day,
            (_, true) => Self::DayExtended,
        }
    }
}

/// One order.
#[derive(Clone, Copy, Debug)]
pub(super) struct SimOrder {
    pub(super) id: OrderId,
    pub(super) slot: Option<SlotIndex>,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) time_in_force: TimeInForce,
    pub(super) place: Place,
    pub(super) standing: Standing,
    pub(super) group: Group,
    /// A stop that the market has touched: it is a market or limit order now.
    pub(super) triggered: bool,
    pub(super) order_type: OrderType,
    pub(super) quantity: Quantity,
    pub(super) filled: Quantity,
    /// What its open part is reserved at.
    pub(super) reserved: Price,
    /// Resting: fills once trades at its price have taken this much in all.
    pub(super) queue_end: i64,
    /// Parked trailing stop: its best price so far.
    pub(super) mark: i64,
}

impl Default for SimOrder {
    fn default() -> Self {
        Self {
            id: OrderId::default(),
            slot: None,
            instrument: InstrumentId(0),
            side: Side::Buy,
            time_in_force: TimeInForce::Day,
            place: Place::Nowhere,
            standing: Standing::Working,
            group: Group::Day,
            triggered: false,
            order_type: OrderType::Market,
            quantity: Quantity::ZERO,
            filled: Quantity::ZERO,
            reserved: Price::ZERO,
            queue_end: 0,
            mark: super::trail::NO_MARK,
        }
    }
}

impl SimOrder {
    /// What is left to fill.
    #[inline]
    pub(super) const fn leaves(&self) -> Quantity {
        self.quantity.saturating_sub_to_zero(self.filled)
    }

    /// Whether a stop still waits for its price.
    #[inline]
    pub(super) const fn is_dormant(&self) -> bool {
        !self.triggered
            && matches!(
                self.order_type,
                OrderType::Stop { .. }
                    | OrderType::StopLimit { .. }
                    | OrderType::TrailingStop { .. }
            )
    }

    /// The ladder key of its limit: the smallest is the first to trade. Without a limit it comes before every other.
    #[inline]
    pub(super) fn limit_key(&self) -> i64 {
        match (self.order_type.limit_price(), self.side) {
            (None, _) => i64::MIN,
            (Some(limit), Side::Buy) => -limit.units(),
            (Some(limit), Side::Sell) => limit.units(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Links {
    previous: u32,
    next: u32,
}

/// First-in first-out lists of orders, one a [`Group`].
#[derive(Debug)]
pub(super) struct Groups {
    ends: [Links; Group::COUNT],
    links: Box<[Links]>,
}

impl Groups {
    /// For orders `0..orders`; every page is touched here.
    pub(super) fn new(orders: usize) -> Self {
        let none = Links {
            previous: NONE,
            next: NONE,
        };
        Self {
            ends: [none; Group::COUNT],
            links: vec![none; orders].into_boxed_slice(),
        }
    }

    /// The first order of a list. (An end's `next` is the list's head, its `previous` the tail.)
    #[inline]
    pub(super) fn first(&self, group: Group) -> Option<u32> {
        let head = self.ends[group as usize].next;
        (head != NONE).then_some(head)
    }

    /// Puts an order at the end of a list.
    pub(super) fn push(&mut self, group: Group, order: u32) {
        let ends = &mut self.ends[group as usize];
        let previous = ends.previous;
        ends.previous = order;
        if previous == NONE {
            ends.next = order;
        } else {
            self.links[previous as usize].next = order;
        }
        self.links[order as usize] = Links {
            previous,
            next: NONE,
        };
    }

    /// Takes an order out of its list.
    pub(super) fn remove(&mut self, group: Group, order: u32) {
        let Links { previous, next } = self.links[order as usize];
        if previous == NONE {
            self.ends[group as usize].next = next;
        } else {
            self.links[previous as usize].next = next;
        }
        if next == NONE {
            self.ends[group as usize].previous = previous;
        } else {
            self.links[next as usize].previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order_through_removals_at_both_ends_and_between() {
        let mut groups = Groups::new(5);
        for order in 0..5 {
            groups.push(Group::Day, order);
        }
        for order in [2, 0, 4] {
            groups.remove(Group::Day, order);
        }
        groups.push(Group::Gtc, 4);
        groups.push(Group::Day, 0);
        let mut seen = Vec::new();
        while let Some(order) = groups.first(Group::Day) {
            groups.remove(Group::Day, order);
            seen.push(order);
        }
        assert_eq!(seen, [1, 3, 0]);
        assert_eq!(groups.first(Group::Gtc), Some(4));
    }
}
