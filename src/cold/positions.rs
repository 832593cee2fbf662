//! The life cycle of positions: opened, increased, reduced, flipped, closed.
//!
//! Runs on: COLD, and whoever replays a journal.
//! Owns: every position by broker and instrument, and each strategy's share of it.
//! Never: changes one of the two without the other: a fill is booked in both or in neither.

use std::collections::BTreeMap;

use crate::types::{
    BrokerId, Fill, InstrumentId, Money, Nanos, OrderId, Position, PositionChange, RecoveredState,
    Side, StrategyId,
};

/// A fill with all that a position needs to know of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionFill {
    /// Where.
    pub broker: BrokerId,
    /// What.
    pub instrument: InstrumentId,
    /// Whose; [`StrategyId::EXTERNAL`] for an order that is not this engine's.
    pub strategy: StrategyId,
    /// Of which order; [`OrderId::default`] when that is not known.
    pub order_id: OrderId,
    /// Buy or sell.
    pub side: Side,
    /// How much, at what price, for what fee.
    pub fill: Fill,
    /// When, by the engine's clock.
    pub at: Nanos,
}

/// What a fill did to a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PositionEvent {
    /// The fill that did it.
    pub cause: PositionFill,
    /// What it did.
    pub change: PositionChange,
    /// The position at that broker after it.
    pub position: Position,
    /// Profit that this fill realised, fees not counted.
    pub realized: Money,
}

/// A fill whose numbers do not fit the position's: nothing was booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fill overflows the position of instrument {} at broker {}", instrument.0, broker.0)]
pub struct PositionOverflow {
    /// Where.
    pub broker: BrokerId,
    /// What.
    pub instrument: InstrumentId,
}

/// A position and its story.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeldPosition {
    /// Quantity, exact cost, this session's realised profit and fees.
    pub position: Position,
    /// When it last left flat or changed sides in this session; `None` when flat or carried in.
    pub opened_at: Option<Nanos>,
    /// When its last fill came, 0 before the first of this session.
    pub changed_at: Nanos,
    /// Fills of this session.
    pub fills: u64,
}

/// Every position. Realised profit and fees are this session's: positions that a restart carries in
/// keep their cost and begin with neither.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PositionManager {
    positions: BTreeMap<(BrokerId, InstrumentId), HeldPosition>,
    by_strategy: BTreeMap<(StrategyId, BrokerId, InstrumentId), Position>,
    held: Vec<InstrumentId>,
}

impl PositionManager {
    /// Positions that are carried in. The journal does not say whose they were, so no strategy of
    /// this session owns them: they stand under [`StrategyId::EXTERNAL`], and the shares still add
    /// up to the whole.
    #[must_use]
    pub fn new(recovered: &RecoveredState) -> Self {
        let mut manager = Self::default();
        for carried in &recovered.positions {
            let position = Position {
                quantity: carried.position.quantity,
                cost: carried.position.cost,
                ..Position::default()
            };
            let (broker, instrument) = (carried.broker, carried.instrument);
            let held = HeldPosition {
                position,
                ..HeldPosition::default()
            };
            manager.positions.insert((broker, instrument), held);
            let share = (StrategyId::EXTERNAL, broker, instrument);
            manager.by_strategy.insert(share, position);
            manager.note_held(instrument);
        }
        manager
    }

    /// Books a fill.
    ///
    /// # Errors
    /// [`PositionOverflow`] when a sum does not fit; nothing was changed then.
    pub fn apply(&mut self, cause: &PositionFill) -> Result<PositionEvent, PositionOverflow> {
        let key = (cause.broker, cause.instrument);
        let share_key = (cause.strategy, cause.broker, cause.instrument);
        let mut held = self.positions.get(&key).copied().unwrap_or_default();
        let mut share = self
            .by_strategy
            .get(&share_key)
            .copied()
            .unwrap_or_default();
        let before = held.position.realized;
        let change = booked(&mut held.position, cause)?;
        booked(&mut share, cause)?;
        held.fills += 1;
        held.changed_at = cause.at;
        match change {
            PositionChange::Opened | PositionChange::Flipped => held.opened_at = Some(cause.at),
            PositionChange::Closed => held.opened_at = None,
            PositionChange::Increased | PositionChange::Reduced => {}
        }
        self.positions.insert(key, held);
        self.by_strategy.insert(share_key, share);
        if matches!(change, PositionChange::Opened | PositionChange::Closed) {
            self.note_held(cause.instrument);
        }
        Ok(PositionEvent {
            cause: *cause,
            change,
            position: held.position,
            realized: held.position.realized - before,
        })
    }

    /// Keeps the sorted list of instruments that anything is held of.
    fn note_held(&mut self, instrument: InstrumentId) {
        let any = (0..=u8::MAX)
            .take(BrokerId::MAX_COUNT)
            .any(|broker| !self.get(BrokerId(broker), instrument).quantity.is_zero());
        match (self.held.binary_search(&instrument), any) {
            (Err(place), true) => self.held.insert(place, instrument),
            (Ok(place), false) => {
                self.held.remove(place);
            }
            _ => {}
        }
    }

    /// The position at a broker, flat when there never was one.
    #[must_use]
    pub fn get(&self, broker: BrokerId, instrument: InstrumentId) -> Position {
        self.positions
            .get(&(broker, instrument))
            .map_or_else(Position::default, |held| held.position)
    }

    /// Every position that there ever was in this session, by broker and instrument.
    pub fn all(&self) -> impl Iterator<Item = (BrokerId, InstrumentId, &HeldPosition)> {
        self.positions
            .iter()
            .map(|(&(broker, instrument), held)| (broker, instrument, held))
    }

    /// Every strategy's share, by strategy, broker and instrument.
    pub fn shares(&self) -> impl Iterator<Item = (StrategyId, BrokerId, InstrumentId, &Position)> {
        self.by_strategy
            .iter()
            .map(|(&(strategy, broker, instrument), share)| (strategy, broker, instrument, share))
    }

    /// Instruments that are held at any broker, ascending.
    #[must_use]
    pub fn held_instruments(&self) -> &[InstrumentId] {
        &self.held
    }

    /// Positions that are not flat.
    #[must_use]
    pub fn active(&self) -> usize {
        self.positions
            .values()
            .filter(|held| !held.position.quantity.is_zero())
            .count()
    }
}

fn booked(
    position: &mut Position,
    cause: &PositionFill,
) -> Result<PositionChange, PositionOverflow> {
    let fill = &cause.fill;
    position
        .apply(cause.side, fill.quantity, fill.price, fill.fee)
        .ok_or(PositionOverflow {
            broker: cause.broker,
            instrument: cause.instrument,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ExecutionId, Liquidity, Price, Quantity, RecoveredPosition};

    fn fill(strategy: u8, side: Side, shares: i64, price: i64) -> PositionFill {
        PositionFill {
            broker: BrokerId(0),
            instrument: InstrumentId(3),
            strategy: StrategyId(strategy),
            order_id: OrderId::default(),
            side,
            fill: Fill {
                execution_id: ExecutionId::NONE,
                fee: Money::ZERO,
                quantity: Quantity::from_whole(shares).expect("small"),
                price: Price::from_whole(price).expect("small"),
                liquidity: Liquidity::Taker,
                unexpected: false,
            },
            at: Nanos(7),
        }
    }

    #[test]
    fn a_position_lives_from_opened_to_closed_and_says_each_step() {
        let mut manager = PositionManager::default();
        let steps = [
            (Side::Buy, 10, 5, PositionChange::Opened, 0),
            (Side::Buy, 10, 7, PositionChange::Increased, 0),
            (Side::Sell, 5, 8, PositionChange::Reduced, 10),
            (Side::Sell, 25, 9, PositionChange::Flipped, 45),
            (Side::Buy, 10, 10, PositionChange::Closed, -10),
        ];
        for (side, shares, price, change, realized) in steps {
            let event = manager
                .apply(&fill(1, side, shares, price))
                .expect("it fits");
            assert_eq!(event.change, change);
            assert_eq!(event.realized, Money::from_whole(realized));
            let open = !event.position.quantity.is_zero();
            assert_eq!(manager.held_instruments().len(), usize::from(open));
            assert_eq!(manager.active(), usize::from(open));
        }
    }

    #[test]
    fn shares_of_strategies_add_up_to_the_position() {
        let recovered = RecoveredState {
            positions: vec![RecoveredPosition {
                broker: BrokerId(0),
                instrument: InstrumentId(3),
                position: Position {
                    quantity: Quantity::from_whole(4).expect("4"),
                    cost: Money::from_whole(8),
                    realized: Money::from_whole(99),
                    fees: Money::from_whole(1),
                },
            }],
            ..RecoveredState::default()
        };
        let mut manager = PositionManager::new(&recovered);
        manager.apply(&fill(1, Side::Buy, 6, 3)).expect("fits");
        manager.apply(&fill(2, Side::Sell, 2, 3)).expect("fits");
        let whole = manager.get(BrokerId(0), InstrumentId(3));
        let sum: i64 = manager
            .shares()
            .map(|(_, _, _, share)| share.quantity.units())
            .sum();
        assert_eq!(whole.quantity.units(), sum);
        assert_eq!(whole.quantity, Quantity::from_whole(8).expect("8"));
        assert_eq!(whole.realized, Money::from_units(800_000_000_000_000_000));
    }

    #[test]
    fn a_fill_that_does_not_fit_changes_nothing() {
        let mut manager = PositionManager::default();
        let mut huge = fill(1, Side::Buy, 1, 1);
        huge.fill.quantity = Quantity::MAX;
        manager.apply(&huge).expect("the first fits");
        let before = manager.clone();
        assert!(manager.apply(&huge).is_err());
        assert_eq!(manager, before);
    }
}
