//! What a journal holds, in the domain's words.
//!
//! Runs on: any thread.
//! Owns: the list of records; `codec` gives each its bytes.
//! Never: holds a secret.

use crate::types::{
    AccountSnapshot, ApprovedOrder, ApprovedReplace, BootEpoch, BrokerId, CancelRequest,
    ExecutionReport, InstrumentId, OrderId, Refusal, RefusedOrder, RiskRecord, StrategyId, Symbol,
};

/// A name in a record: at most 23 bytes of UTF-8, the rest cut off at a character.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    length: u8,
    bytes: [u8; 23],
}

impl Name {
    /// Of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut length = text.len().min(23);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        let mut bytes = [0; 23];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self {
            length: length as u8,
            bytes,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length as usize]).unwrap_or_default()
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// One record. Ids of instruments, brokers and strategies are those of the boot that wrote it: each boot writes
/// its tables first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Record {
    /// A boot begins; everything after it belongs to this epoch.
    Boot {
        /// Its number.
        epoch: BootEpoch,
        /// The configuration's seed.
        seed: u64,
    },
    /// A row of the instrument table.
    Instrument {
        /// Row.
        id: InstrumentId,
        /// Ticker.
        symbol: Symbol,
    },
    /// A broker instance.
    Broker {
        /// Number.
        id: BrokerId,
        /// Name in the configuration.
        name: Name,
    },
    /// A strategy.
    Strategy {
        /// Number.
        id: StrategyId,
        /// Name in the configuration.
        name: Name,
    },
    /// An approved order, about to leave.
    Intent(ApprovedOrder),
    /// A refused order.
    Refused(RefusedOrder),
    /// A cancel, about to leave.
    CancelIntent(CancelRequest),
    /// A cancel that this engine refused.
    CancelRefused {
        /// Which order.
        order_id: OrderId,
        /// Why not.
        refusal: Refusal,
    },
    /// A replace, about to leave.
    ReplaceIntent(ApprovedReplace),
    /// A replace that this engine refused.
    ReplaceRefused {
        /// Which order.
        order_id: OrderId,
        /// Why not.
        refusal: Refusal,
    },
    /// What a broker said of an order.
    Execution(ExecutionReport),
    /// A broker's link.
    Link {
        /// Which broker.
        broker: BrokerId,
        /// Whether orders may go there.
        up: bool,
    },
    /// A broker's account: cash is set to it.
    Account(AccountSnapshot),
    /// A fact of RISK's.
    Risk(RiskRecord),
    /// The boot ended in order; everything before is on disk.
    Shutdown,
}
