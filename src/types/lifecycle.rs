//! The order life cycle as one checked state machine.
//!
//! Runs on: ORDER, ports, the cold side and recovery: one machine for all.
//! Owns: which input is legal in which status, and how fills add up in whatever order they arrive.
//! Never: loses a fill: a fill moves the filled quantity in every status, even a terminal one.

use super::{Money, Price, Quantity};

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum OrderStatus {
    /// On its way; not acknowledged.
    #[default]
    PendingNew = 0,
    /// Works at the broker.
    New = 1,
    /// Works, and some of it traded.
    PartiallyFilled = 2,
    /// All of it traded.
    Filled = 3,
    /// A cancel is on its way.
    PendingCancel = 4,
    /// Canceled.
    Canceled = 5,
    /// A replace is on its way.
    PendingReplace = 6,
    /// Works on replaced terms; nothing traded yet.
    Replaced = 7,
    /// The broker did not take it, or this engine refused it.
    Rejected = 8,
    /// Its time ran out.
    Expired = 9,
    /// The outcome of what was sent is unknown.
    InDoubt = 10,
    /// Looked up and definitely not at the broker.
    Absent = 11,
    /// Waits for a person's approval.
    Held = 12,
}

impl OrderStatus {
    /// Whether nothing more is expected.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Filled | Self::Canceled | Self::Rejected | Self::Expired | Self::Absent
        )
    }

    /// The name in reports, as Alpaca writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingNew => "pending_new",
            Self::New => "new",
            Self::PartiallyFilled => "partially_filled",
            Self::Filled => "filled",
            Self::PendingCancel => "pending_cancel",
            Self::Canceled => "canceled",
            Self::PendingReplace => "pending_replace",
            Self::Replaced => "replaced",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::InDoubt => "in_doubt",
            Self::Absent => "absent",
            Self::Held => "held",
        }
    }

    /// Every status.
    pub const ALL: [Self; 13] = [
        Self::PendingNew,
        Self::New,
        Self::PartiallyFilled,
        Self::Filled,
        Self::PendingCancel,
        Self::Canceled,
        Self::PendingReplace,
        Self::Replaced,
        Self::Rejected,
        Self::Expired,
        Self::InDoubt,
        Self::Absent,
        Self::Held,
    ];
}

/// What can happen to an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderInput {
    /// RISK holds it for approval.
    Held,
    /// It was approved after being held.
    Released,
    /// The broker works it.
    Accepted,
    /// Some of it traded. The caller has dropped repeated execution ids.
    Fill {
        /// How much.
        quantity: Quantity,
        /// At what price.
        price: Price,
        /// The broker's own count, 0 when it gives none.
        cumulative: Quantity,
    },
    /// A cancel leaves.
    CancelRequested,
    /// The broker does not cancel.
    CancelRejected,
    /// The broker canceled.
    Canceled,
    /// Its time ran out.
    Expired,
    /// The broker does not take it; or it provably never left.
    Rejected,
    /// A replace with this new total leaves.
    ReplaceRequested {
        /// The new total, what has filled included.
        quantity: Quantity,
    },
    /// The broker works the new terms; the total is the broker's.
    Replaced {
        /// The new total, what has filled included.
        quantity: Quantity,
    },
    /// The broker keeps the old terms.
    ReplaceRejected,
    /// Nobody knows whether what was sent arrived.
    InDoubt,
    /// Found at the broker: it works, with this total and this much filled.
    Found {
        /// The total.
        quantity: Quantity,
        /// Filled, by the broker's count.
        cumulative: Quantity,
    },
    /// Definitely not at the broker.
    Absent,
}

/// An input that the status does not allow. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {} cannot take {input:?}", status.as_str())]
pub struct LifecycleError {
    /// The status.
    pub status: OrderStatus,
    /// The input.
    pub input: OrderInput,
}

/// What an input did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Applied {
    /// Status or quantities changed.
    pub changed: bool,
    /// It contradicts what was known: a fill of a finished order or beyond its quantity, an absent order that
    /// appeared. Positions move all the same; control 24 raises the alarm.
    pub unexpected: bool,
}

const CHANGED: Applied = Applied {
    changed: true,
    unexpected: false,
};
const NO_CHANGE: Applied = Applied {
    changed: false,
    unexpected: false,
};
const UNEXPECTED: Applied = Applied {
    changed: true,
    unexpected: true,
};

/// Status and quantities of one order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OrderState {
    status: OrderStatus,
    accepted: bool,
    replaced: bool,
    quantity: Quantity,
    pending_quantity: Quantity,
    filled: Quantity,
    cumulative: Quantity,
    value: Money,
}

impl OrderState {
    /// A fresh order of `quantity`: [`OrderStatus::PendingNew`].
    #[must_use]
    pub const fn new(quantity: Quantity) -> Self {
        Self {
            status: OrderStatus::PendingNew,
            accepted: false,
            replaced: false,
            quantity,
            pending_quantity: Quantity::ZERO,
            filled: Quantity::ZERO,
            cumulative: Quantity::ZERO,
            value: Money::ZERO,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> OrderStatus {
        self.status
    }

    /// Total quantity that the broker works or will work.
    #[must_use]
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// The total of a replace that is on its way, else 0.
    #[must_use]
    pub const fn pending_quantity(&self) -> Quantity {
        self.pending_quantity
    }

    /// Sum of the fills.
    #[must_use]
    pub const fn filled(&self) -> Quantity {
        self.filled
    }

    /// Sum of price times quantity of the fills.
    #[must_use]
    pub const fn value(&self) -> Money {
        self.value
    }

    /// Fills that the broker counted and this engine has not seen yet.
    #[must_use]
    pub const fn missing(&self) -> Quantity {
        self.cumulative.saturating_sub_to_zero(self.filled)
    }

    /// Still to fill, 0 when done.
    #[must_use]
    pub const fn leaves_quantity(&self) -> Quantity {
        if self.status.is_terminal() {
            Quantity::ZERO
        } else {
            self.quantity.saturating_sub_to_zero(self.filled)
        }
    }

    /// What may still trade in the worst case: the larger of the old and a pending new total.
    #[must_use]
    pub fn exposed_quantity(&self) -> Quantity {
        if self.status.is_terminal() {
            Quantity::ZERO
        } else {
            self.quantity
                .max(self.pending_quantity)
                .saturating_sub_to_zero(self.filled)
        }
    }

    /// Whether the broker has acknowledged it, by word or by deed.
    #[must_use]
    pub const fn is_acknowledged(&self) -> bool {
        self.accepted
    }

    /// Takes an input.
    ///
    /// # Errors
    /// [`LifecycleError`] when the status does not allow it; nothing is changed then.
    pub fn apply(&mut self, input: OrderInput) -> Result<Applied, LifecycleError> {
        let illegal = LifecycleError {
            status: self.status,
            input,
        };
        match input {
            OrderInput::Fill {
                quantity,
                price,
                cumulative,
            } => self.fill(quantity, price, cumulative),
            OrderInput::Found {
                quantity,
                cumulative,
            } => self.found(quantity, cumulative),
            OrderInput::Accepted => self.accept(self.status),
            OrderInput::Replaced { quantity } => self.replace(self.status, quantity),
            _ => self.step(input),
        }
        .ok_or(illegal)
    }

    /// An input that moves the status and at most the pending total.
    fn step(&mut self, input: OrderInput) -> Option<Applied> {
        let before = (self.status, self.pending_quantity);
        let changing = matches!(
            self.status,
            OrderStatus::PendingReplace | OrderStatus::PendingCancel
        );
        if changing && input == OrderInput::ReplaceRejected {
            self.pending_quantity = Quantity::ZERO;
        }
        let next = self.next(input)?;
        if let OrderInput::ReplaceRequested { quantity } = input {
            self.pending_quantity = quantity;
        }
        self.move_to(next);
        let changed = (self.status, self.pending_quantity) != before;
        Some(if changed { CHANGED } else { NO_CHANGE })
    }

    /// The status after an input, the present one where the input says nothing new; `None` where it is illegal.
    fn next(&self, input: OrderInput) -> Option<OrderStatus> {
        use OrderStatus as S;
        let over = self.status.is_terminal();
        let unfilled = self.filled.is_zero();
        Some(match (input, self.status) {
            (OrderInput::Held, S::PendingNew) if !self.accepted => S::Held,
            (OrderInput::Released, S::Held) => S::PendingNew,
            (
                OrderInput::CancelRequested,
                S::PendingNew | S::New | S::PartiallyFilled | S::Replaced | S::PendingReplace,
            ) => S::PendingCancel,
            // The doubt stays: a cancel of an order in doubt is sent, and the look-up decides.
            (OrderInput::CancelRequested, S::InDoubt) => S::InDoubt,
            (OrderInput::CancelRejected, S::PendingCancel) => self.working(),
            (OrderInput::ReplaceRejected, S::PendingReplace) => self.working(),
            (OrderInput::ReplaceRejected, S::PendingCancel) => S::PendingCancel,
            (OrderInput::CancelRejected | OrderInput::ReplaceRejected, status)
                if over || status == S::InDoubt =>
            {
                status
            }
            (OrderInput::Canceled, _) if !over => S::Canceled,
            (OrderInput::Expired, status) if !over && status != S::Held => S::Expired,
            (OrderInput::Canceled | OrderInput::Expired, S::Canceled | S::Expired) => self.status,
            (OrderInput::Rejected, S::PendingNew | S::Held | S::InDoubt | S::New) if unfilled => {
                S::Rejected
            }
            (OrderInput::Rejected, S::PendingCancel | S::PendingReplace)
                if unfilled && !self.accepted =>
            {
                S::Rejected
            }
            (OrderInput::Rejected, S::Rejected) => S::Rejected,
            (
                OrderInput::ReplaceRequested { quantity },
                S::New | S::PartiallyFilled | S::Replaced,
            ) if quantity > self.filled => S::PendingReplace,
            (OrderInput::InDoubt, status) if !over && status != S::Held => S::InDoubt,
            (OrderInput::Absent, S::InDoubt) if unfilled && !self.accepted => S::Absent,
            _ => return None,
        })
    }

    fn move_to(&mut self, next: OrderStatus) {
        self.status = next;
        if next.is_terminal() {
            self.pending_quantity = Quantity::ZERO;
        }
    }

    /// The status of an order that works and has nothing pending.
    fn working(&self) -> OrderStatus {
        if self.filled.is_positive() {
            // A total that filled while a larger one was pending is done once the old terms hold.
            if self.filled >= self.quantity && self.pending_quantity.is_zero() {
                OrderStatus::Filled
            } else {
                OrderStatus::PartiallyFilled
            }
        } else if self.replaced {
            OrderStatus::Replaced
        } else if self.accepted {
            OrderStatus::New
        } else {
            OrderStatus::PendingNew
        }
    }

    fn accept(&mut self, status: OrderStatus) -> Option<Applied> {
        match status {
            OrderStatus::PendingNew | OrderStatus::InDoubt => {
                self.accepted = true;
                self.status = self.working();
                Some(CHANGED)
            }
            // The tombstone answers: the order is there after all.
            OrderStatus::Absent => {
                self.accepted = true;
                self.status = OrderStatus::New;
                Some(UNEXPECTED)
            }
            // A late or repeated acknowledgement says nothing new.
            OrderStatus::Held | OrderStatus::Rejected => None,
            _ => {
                let first = !self.accepted;
                self.accepted = true;
                Some(Applied {
                    changed: first,
                    unexpected: false,
                })
            }
        }
    }

    fn replace(&mut self, status: OrderStatus, quantity: Quantity) -> Option<Applied> {
        if !quantity.is_positive() || status == OrderStatus::Held {
            return None;
        }
        if status.is_terminal() {
            // The replace overtook the end: the terms no longer matter.
            return Some(NO_CHANGE);
        }
        self.accepted = true;
        self.replaced = true;
        self.quantity = quantity;
        self.pending_quantity = Quantity::ZERO;
        let next = if self.filled >= quantity {
            OrderStatus::Filled
        } else if status == OrderStatus::PendingCancel {
            OrderStatus::PendingCancel
        } else {
            self.working()
        };
        self.move_to(next);
        Some(CHANGED)
    }

    /// Adds a fill, whatever the status. Only numbers that no order has are refused.
    fn fill(&mut self, quantity: Quantity, price: Price, cumulative: Quantity) -> Option<Applied> {
        if !quantity.is_positive() || !price.is_positive() {
            return None;
        }
        let filled = self.filled.checked_add(quantity)?;
        let value = self.value.checked_add(price.notional(quantity))?;
        let was = self.status;
        self.filled = filled;
        self.value = value;
        // A count that goes backwards belongs to a fill that was overtaken.
        self.cumulative = self.cumulative.max(cumulative);
        self.accepted = true;
        let total = self.quantity.max(self.pending_quantity);
        let next = match was {
            _ if filled >= total => OrderStatus::Filled,
            OrderStatus::Absent | OrderStatus::Held => self.working(),
            status if status.is_terminal() => status,
            OrderStatus::PendingCancel | OrderStatus::PendingReplace => was,
            _ => self.working(),
        };
        self.move_to(next);
        let finished = was.is_terminal() || was == OrderStatus::Held;
        Some(if finished || filled > total {
            UNEXPECTED
        } else {
            CHANGED
        })
    }

    fn found(&mut self, quantity: Quantity, cumulative: Quantity) -> Option<Applied> {
        if !quantity.is_positive() || self.status == OrderStatus::Held {
            return None;
        }
        self.cumulative = self.cumulative.max(cumulative);
        match self.status {
            OrderStatus::Absent => {
                self.quantity = quantity;
                let _ = self.accept(OrderStatus::Absent);
                Some(UNEXPECTED)
            }
            status if status.is_terminal() => Some(NO_CHANGE),
            _ => {
                self.accepted = true;
                self.replaced |= quantity != self.quantity;
                self.quantity = quantity;
                self.pending_quantity = Quantity::ZERO;
                self.status = self.working();
                Some(CHANGED)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(n: i64) -> Quantity {
        Quantity::from_whole(n).expect("small")
    }

    fn fill(n: i64, cumulative: i64) -> OrderInput {
        OrderInput::Fill {
            quantity: shares(n),
            price: Price::from_whole(10).expect("small"),
            cumulative: shares(cumulative),
        }
    }

    fn order(inputs: &[OrderInput]) -> OrderState {
        let mut state = OrderState::new(shares(100));
        for &input in inputs {
            state.apply(input).unwrap_or_else(|error| panic!("{error}"));
        }
        state
    }

    #[test]
    fn a_fill_before_the_acknowledgement_counts_and_the_late_one_changes_nothing() {
        let mut state = order(&[fill(40, 40)]);
        assert_eq!(state.status(), OrderStatus::PartiallyFilled);
        assert_eq!(state.apply(OrderInput::Accepted), Ok(NO_CHANGE));
        state.apply(fill(60, 100)).expect("rest");
        assert_eq!(state.status(), OrderStatus::Filled);
        assert_eq!(state.apply(OrderInput::Accepted), Ok(NO_CHANGE));
    }

    #[test]
    fn a_fill_after_the_cancel_moves_the_position_and_raises_the_alarm() {
        let mut state = order(&[OrderInput::Accepted, OrderInput::Canceled]);
        assert_eq!(state.apply(fill(30, 30)), Ok(UNEXPECTED));
        assert_eq!(
            (state.status(), state.filled()),
            (OrderStatus::Canceled, shares(30))
        );
        assert_eq!(state.leaves_quantity(), Quantity::ZERO);
    }

    #[test]
    fn partial_fills_in_the_wrong_order_add_up_and_show_the_gap_between() {
        let mut state = order(&[OrderInput::Accepted, fill(20, 60)]);
        assert_eq!((state.filled(), state.missing()), (shares(20), shares(40)));
        state.apply(fill(40, 40)).expect("the overtaken one");
        assert_eq!(
            (state.filled(), state.missing()),
            (shares(60), Quantity::ZERO)
        );
    }

    #[test]
    fn an_overfill_is_taken_in_full_and_is_unexpected() {
        let mut state = order(&[OrderInput::Accepted, fill(90, 90)]);
        assert_eq!(state.apply(fill(20, 110)), Ok(UNEXPECTED));
        assert_eq!(
            (state.status(), state.filled()),
            (OrderStatus::Filled, shares(110))
        );
    }

    #[test]
    fn a_pending_replace_exposes_the_larger_total_until_its_outcome() {
        let mut state = order(&[
            OrderInput::Accepted,
            fill(30, 30),
            OrderInput::ReplaceRequested {
                quantity: shares(150),
            },
        ]);
        assert_eq!(state.exposed_quantity(), shares(120));
        state.apply(OrderInput::ReplaceRejected).expect("pending");
        assert_eq!(
            (state.status(), state.exposed_quantity()),
            (OrderStatus::PartiallyFilled, shares(70))
        );
        let below = OrderInput::ReplaceRequested {
            quantity: shares(30),
        };
        assert!(
            state.apply(below).is_err(),
            "a total that has filled already is no replace"
        );
        state
            .apply(OrderInput::ReplaceRequested {
                quantity: shares(50),
            })
            .expect("smaller");
        assert_eq!(state.exposed_quantity(), shares(70));
        state.apply(fill(40, 70)).expect("fills while pending");
        state
            .apply(OrderInput::Replaced {
                quantity: shares(50),
            })
            .expect("pending");
        assert_eq!(state.status(), OrderStatus::Filled);
    }

    #[test]
    fn a_total_that_filled_while_a_larger_one_was_pending_is_done_when_that_is_refused() {
        let pending = [
            OrderInput::Accepted,
            OrderInput::ReplaceRequested {
                quantity: shares(150),
            },
            fill(100, 100),
        ];
        let mut state = order(&pending);
        assert_eq!(state.status(), OrderStatus::PendingReplace);
        state.apply(OrderInput::ReplaceRejected).expect("pending");
        assert_eq!(state.status(), OrderStatus::Filled);

        let mut doubtful = order(&pending);
        doubtful.apply(OrderInput::InDoubt).expect("working");
        let found = OrderInput::Found {
            quantity: shares(100),
            cumulative: shares(100),
        };
        doubtful.apply(found).expect("in doubt");
        assert_eq!(doubtful.status(), OrderStatus::Filled);
    }

    #[test]
    fn doubt_ends_by_evidence_only() {
        let mut state = order(&[OrderInput::InDoubt, OrderInput::CancelRequested]);
        assert_eq!(state.status(), OrderStatus::InDoubt);
        assert_eq!(state.exposed_quantity(), shares(100));
        state.apply(OrderInput::Absent).expect("looked up");
        assert_eq!(state.status(), OrderStatus::Absent);
        assert_eq!(state.apply(OrderInput::Accepted), Ok(UNEXPECTED));
        assert_eq!(state.status(), OrderStatus::New);
        let mut known = order(&[OrderInput::Accepted, OrderInput::InDoubt]);
        assert!(
            known.apply(OrderInput::Absent).is_err(),
            "an acknowledged order was there"
        );
    }

    #[test]
    fn what_is_over_takes_no_further_wish() {
        for end in [
            OrderInput::Canceled,
            OrderInput::Expired,
            OrderInput::Rejected,
            fill(100, 0),
        ] {
            let state = order(&[end]);
            for input in [
                OrderInput::CancelRequested,
                OrderInput::ReplaceRequested {
                    quantity: shares(200),
                },
                OrderInput::InDoubt,
                OrderInput::Held,
                OrderInput::Released,
                OrderInput::Absent,
            ] {
                let mut after = state;
                let error = after.apply(input).expect_err("over");
                assert_eq!((error.status, error.input), (state.status(), input));
                assert_eq!(after, state, "an illegal input changes nothing");
            }
        }
    }

    #[test]
    fn a_rejected_cancel_or_replace_gives_back_the_status_before() {
        let mut state = order(&[OrderInput::Accepted, OrderInput::CancelRequested]);
        state.apply(OrderInput::CancelRejected).expect("pending");
        assert_eq!(state.status(), OrderStatus::New);
        let mut done = order(&[
            OrderInput::Accepted,
            OrderInput::CancelRequested,
            fill(100, 100),
        ]);
        assert_eq!(done.status(), OrderStatus::Filled);
        assert_eq!(done.apply(OrderInput::CancelRejected), Ok(NO_CHANGE));
    }
}
