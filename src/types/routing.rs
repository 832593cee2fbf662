//! Which broker an order goes to.
//!
//! Runs on: RISK (chooses before it reserves) and ORDER (checks the choice once more), each with its own copy.
//! Owns: the rule: preferred broker, else the symbol's, else the default; never one that is down.
//! Never: sends an order elsewhere after it was approved: a broker that went down since is a refusal.

use super::{BrokerId, InstrumentId};

/// Why no broker could be chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteError {
    /// The preferred broker is not one of this engine's.
    UnknownBroker(BrokerId),
    /// Every candidate is down.
    AllDown,
}

/// The routing rule's data: fixed at start but for the links.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    by_instrument: Vec<Option<BrokerId>>,
    default: BrokerId,
    brokers: u8,
    up: u32,
}

impl RoutingTable {
    /// Brokers `0..brokers`, all down until [`set_link`](Self::set_link) says otherwise. `by_instrument` may be
    /// shorter than the instrument table.
    ///
    /// # Panics
    /// When a named broker is not below `brokers`, or `brokers` is 0 or above 16.
    #[must_use]
    pub fn new(brokers: u8, default: BrokerId, by_instrument: Vec<Option<BrokerId>>) -> Self {
        assert!(
            brokers >= 1 && usize::from(brokers) <= BrokerId::MAX_COUNT,
            "1 to 16 brokers"
        );
        assert!(
            default.0 < brokers,
            "the default broker is one of the engine's"
        );
        assert!(
            by_instrument
                .iter()
                .flatten()
                .all(|broker| broker.0 < brokers),
            "every symbol's broker is one of the engine's"
        );
        Self {
            by_instrument,
            default,
            brokers,
            up: 0,
        }
    }

    /// Records that a broker's link came up or went down.
    pub fn set_link(&mut self, broker: BrokerId, up: bool) {
        if broker.0 < self.brokers {
            let bit = 1 << broker.0;
            if up {
                self.up |= bit;
            } else {
                self.up &= !bit;
            }
        }
    }

    /// Whether orders may go there.
    #[must_use]
    pub const fn is_up(&self, broker: BrokerId) -> bool {
        broker.0 < self.brokers && self.up & (1 << broker.0) != 0
    }

    /// Chooses.
    ///
    /// # Errors
    /// [`RouteError`] when there is none to choose.
    pub fn route(
        &self,
        preferred: Option<BrokerId>,
        instrument: InstrumentId,
    ) -> Result<BrokerId, RouteError> {
        if let Some(broker) = preferred {
            if broker.0 >= self.brokers {
                return Err(RouteError::UnknownBroker(broker));
            }
            if self.is_up(broker) {
                return Ok(broker);
            }
        }
        if let Some(&Some(broker)) = self.by_instrument.get(instrument.index())
            && self.is_up(broker)
        {
            return Ok(broker);
        }
        if self.is_up(self.default) {
            Ok(self.default)
        } else {
            Err(RouteError::AllDown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferred_then_symbol_then_default_and_never_a_broker_that_is_down() {
        let (a, b, c) = (BrokerId(0), BrokerId(1), BrokerId(2));
        let mut table = RoutingTable::new(3, a, vec![Some(b)]);
        let ibm = InstrumentId(0);
        assert_eq!(table.route(None, ibm), Err(RouteError::AllDown));
        for broker in [a, b, c] {
            table.set_link(broker, true);
        }
        assert_eq!(table.route(Some(c), ibm), Ok(c));
        assert_eq!(table.route(None, ibm), Ok(b));
        assert_eq!(table.route(None, InstrumentId(9)), Ok(a));
        table.set_link(c, false);
        assert_eq!(table.route(Some(c), ibm), Ok(b));
        table.set_link(b, false);
        assert_eq!(table.route(Some(c), ibm), Ok(a));
        assert_eq!(
            table.route(Some(BrokerId(7)), ibm),
            Err(RouteError::UnknownBroker(BrokerId(7)))
        );
    }
}
