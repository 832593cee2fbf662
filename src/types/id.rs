//! Identities: instruments, brokers, strategies, ports, orders, executions, and the client order id on the wire.
//!
//! Runs on: any thread.
//! Owns: the layout of [`OrderId`] and the text of [`ClientOrderId`].
//! Never: reuses an id: the boot epoch is fsynced before the first order and sequences only grow.

use std::fmt;
use std::str::FromStr;

/// Row of the instrument table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct InstrumentId(pub u32);

impl InstrumentId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A configured broker instance, by its place among the enabled ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BrokerId(pub u8);

impl BrokerId {
    /// The most broker instances in one engine.
    pub const MAX_COUNT: usize = 16;

    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A trading strategy. 0 is external: not ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct StrategyId(pub u8);

impl StrategyId {
    /// Orders and positions that no strategy of this engine made.
    pub const EXTERNAL: Self = Self(0);
    /// Orders submitted through the engine's own handle.
    pub const ENGINE: Self = Self(1);
    /// The most strategies in one engine (the width of the kill word).
    pub const MAX_COUNT: usize = 46;

    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A pair of rings through which orders come and reports go back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PortId(pub u8);

impl PortId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Number of a start of the engine on one state directory; 20 bits, at least 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BootEpoch(u32);

impl BootEpoch {
    /// The first start.
    pub const FIRST: Self = Self(1);
    /// The last that fits.
    pub const MAX: u32 = (1 << 20) - 1;

    /// Checked: 1 to [`Self::MAX`].
    #[must_use]
    pub const fn new(epoch: u32) -> Option<Self> {
        if epoch >= 1 && epoch <= Self::MAX {
            Some(Self(epoch))
        } else {
            None
        }
    }

    /// The next start's; `None` after the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// An order's identity for life: boot epoch (20 bits), port (8 bits), sequence (36 bits). Never 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct OrderId(u64);

impl OrderId {
    /// Bits of the sequence.
    pub const SEQUENCE_BITS: u32 = 36;
    /// The largest sequence.
    pub const MAX_SEQUENCE: u64 = (1 << Self::SEQUENCE_BITS) - 1;

    /// Composes an id; `None` when `sequence` is 0 or too large.
    #[must_use]
    pub const fn new(epoch: BootEpoch, port: PortId, sequence: u64) -> Option<Self> {
        if sequence == 0 || sequence > Self::MAX_SEQUENCE {
            return None;
        }
        Some(Self(
            ((epoch.0 as u64) << 44) | ((port.0 as u64) << 36) | sequence,
        ))
    }

    /// From the integer form.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The integer form.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The start that minted it (0 for an id that this engine did not mint).
    #[must_use]
    pub const fn epoch(self) -> u32 {
        (self.0 >> 44) as u32
    }

    /// The port that minted it.
    #[must_use]
    pub const fn port(self) -> PortId {
        PortId((self.0 >> 36) as u8)
    }

    /// Its number at that port.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.0 & Self::MAX_SEQUENCE
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrderId({self})")
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{}-{}-{}",
            self.epoch(),
            self.port().0,
            self.sequence()
        ))
    }
}

/// Why a text is no [`OrderId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an order id: expected epoch-port-sequence, as 1-2-345")]
pub struct OrderIdError;

impl FromStr for OrderId {
    type Err = OrderIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(OrderIdError);
        let (epoch, port, sequence) = (part()?, part()?, part()?);
        let epoch = epoch
            .parse()
            .ok()
            .and_then(BootEpoch::new)
            .ok_or(OrderIdError)?;
        let port = PortId(port.parse().map_err(|_| OrderIdError)?);
        let sequence = sequence.parse().map_err(|_| OrderIdError)?;
        Self::new(epoch, port, sequence).ok_or(OrderIdError)
    }
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const PREFIX: [u8; 4] = *b"SHRK";
/// The largest prime below 2^10: every single changed character and every swap of neighbours changes the check.
const CHECK_MODULUS: u32 = 1021;

/// The identity on the wire: prefix (4), the id in base32 (13), check (2), all of `[A-Z2-7]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId([u8; ClientOrderId::LENGTH]);

/// Why a text is no client order id of this engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientOrderIdError {
    /// Not 19 characters.
    #[error("client order id has {0} characters, 19 expected")]
    Length(usize),
    /// Another program's order.
    #[error("client order id does not begin with SHRK")]
    Prefix,
    /// A character outside `[A-Z2-7]`.
    #[error("client order id has a bad character at position {0}")]
    Character(usize),
    /// The check characters do not fit the rest.
    #[error("client order id fails its check: damaged or made by hand")]
    Check,
    /// The number is no order id: an epoch or a sequence of 0, or more than 64 bits.
    #[error("client order id holds no valid order id")]
    Value,
}

impl ClientOrderId {
    /// Characters.
    pub const LENGTH: usize = 19;

    /// Whether a broker's text begins like an id of this engine.
    #[must_use]
    pub fn has_prefix(text: &[u8]) -> bool {
        text.starts_with(&PREFIX)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Reads an echo from a broker.
    ///
    /// # Errors
    /// [`ClientOrderIdError`], which tells a foreign id from a damaged one.
    pub fn parse(text: &[u8]) -> Result<Self, ClientOrderIdError> {
        let bytes: [u8; Self::LENGTH] = text
            .try_into()
            .map_err(|_| ClientOrderIdError::Length(text.len()))?;
        if !Self::has_prefix(&bytes) {
            return Err(ClientOrderIdError::Prefix);
        }
        let mut value: u128 = 0;
        for (position, &byte) in bytes.iter().enumerate().skip(4) {
            let digit = digit(byte).ok_or(ClientOrderIdError::Character(position))?;
            if position < 17 {
                value = (value << 5) | u128::from(digit);
            }
        }
        if bytes[17..] != check(&bytes) {
            return Err(ClientOrderIdError::Check);
        }
        let raw = u64::try_from(value).map_err(|_| ClientOrderIdError::Value)?;
        let id = OrderId::from_raw(raw);
        if id.epoch() == 0 || id.sequence() == 0 {
            return Err(ClientOrderIdError::Value);
        }
        Ok(Self(bytes))
    }

    /// The order that this text names.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        let value = self.0[4..17].iter().fold(0u64, |value, &byte| {
            (value << 5) | u64::from(digit(byte).unwrap_or(0))
        });
        OrderId::from_raw(value)
    }
}

impl From<OrderId> for ClientOrderId {
    fn from(id: OrderId) -> Self {
        let mut bytes = [0u8; Self::LENGTH];
        bytes[..4].copy_from_slice(&PREFIX);
        let mut rest = id.raw();
        for byte in bytes[4..17].iter_mut().rev() {
            *byte = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        let check = check(&bytes);
        bytes[17..].copy_from_slice(&check);
        Self(bytes)
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// Two characters: the digits weighted by their place, modulo a prime.
fn check(bytes: &[u8; ClientOrderId::LENGTH]) -> [u8; 2] {
    let sum: u32 = bytes[..17]
        .iter()
        .zip(1u32..)
        .map(|(&byte, weight)| weight * (u32::from(digit(byte).unwrap_or(0)) + 1))
        .sum();
    let sum = sum % CHECK_MODULUS;
    [ALPHABET[(sum >> 5) as usize], ALPHABET[(sum & 31) as usize]]
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientOrderId({})", self.as_str())
    }
}

impl FromStr for ClientOrderId {
    type Err = ClientOrderIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

/// A broker's execution id as a 128-bit hash; the simulator counts. 0 means none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ExecutionId(pub u128);

impl ExecutionId {
    /// No execution.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:032x}", self.0))
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecutionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(epoch: u32, port: u8, sequence: u64) -> OrderId {
        OrderId::new(
            BootEpoch::new(epoch).expect("epoch"),
            PortId(port),
            sequence,
        )
        .expect("id")
    }

    #[test]
    fn client_order_id_comes_back_as_the_order_id() {
        for order in [
            id(1, 0, 1),
            id(BootEpoch::MAX, 255, OrderId::MAX_SEQUENCE),
            id(7, 3, 42),
        ] {
            let text = ClientOrderId::from(order);
            assert_eq!(text.as_str().len(), 19);
            assert!(text.as_str().bytes().all(|b| digit(b).is_some()), "{text}");
            let parsed = ClientOrderId::parse(text.as_bytes()).expect("own id");
            assert_eq!(parsed.order_id(), order);
            assert_eq!(order.to_string().parse(), Ok(order));
        }
    }

    #[test]
    fn one_wrong_or_two_swapped_characters_are_noticed() {
        let good = *ClientOrderId::from(id(9, 4, 123_456_789)).as_bytes();
        for position in 4..19 {
            for &letter in ALPHABET {
                let mut bad = good;
                bad[position] = letter;
                assert_eq!(ClientOrderId::parse(&bad).is_ok(), bad == good);
            }
            if position < 18 {
                let mut bad = good;
                bad.swap(position, position + 1);
                assert_eq!(ClientOrderId::parse(&bad).is_ok(), bad == good);
            }
        }
        assert_eq!(
            ClientOrderId::parse(b"x"),
            Err(ClientOrderIdError::Length(1))
        );
        assert_eq!(
            ClientOrderId::parse(b"ABCDAAAAAAAAAAAAAAA"),
            Err(ClientOrderIdError::Prefix)
        );
    }
}
