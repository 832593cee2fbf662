//! Masks for frames that are sent when nobody asks.
//!
//! Runs on: any thread.
//! Owns: a block of random octets, each used once.
//! Never: makes randomness, uses a mask twice, or shows one.

use std::fmt;

/// Octets of a block.
pub const MASK_BLOCK_BYTES: usize = 256;
/// Masks of a block.
const MASKS: usize = MASK_BLOCK_BYTES / 4;

/// A block of octets from a cryptographically strong source, handed out as masks of four octets each (RFC 6455,
/// section 5.3: a mask must not be predictable). The caller refills it.
pub struct Masks {
    block: [u8; MASK_BLOCK_BYTES],
    left: usize,
}

impl Masks {
    /// No masks yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            block: [0; MASK_BLOCK_BYTES],
            left: 0,
        }
    }

    /// Replaces the block; what was left of the old one is forgotten.
    pub fn refill(&mut self, block: &[u8; MASK_BLOCK_BYTES]) {
        self.block = *block;
        self.left = MASKS;
    }

    /// The next mask; `None` when the block is used up.
    pub fn take(&mut self) -> Option<[u8; 4]> {
        let (masks, _) = self.block.as_chunks::<4>();
        let mask = *masks.get(MASKS.checked_sub(self.left)?)?;
        self.left -= 1;
        Some(mask)
    }

    /// Masks that are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Whether half the block or more is used: time to refill.
    #[must_use]
    pub const fn is_low(&self) -> bool {
        self.left <= MASKS / 2
    }
}

impl Default for Masks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masks").field("left", &self.left).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mask_of_a_block_is_used_once_and_in_order() {
        let mut masks = Masks::new();
        assert!(masks.is_low());
        assert_eq!(masks.take(), None);
        let block = std::array::from_fn(|index| index as u8);
        masks.refill(&block);
        for index in 0..64u8 {
            assert_eq!(masks.is_low(), index >= 32);
            let first = index * 4;
            assert_eq!(masks.take(), Some([first, first + 1, first + 2, first + 3]));
        }
        assert_eq!(masks.take(), None);
        assert_eq!(masks.left(), 0);
        assert_eq!(format!("{masks:?}"), "Masks { left: 0 }");
    }
}
