//! Frames that wait to be written.
//!
//! Runs on: any thread.
//! Owns: their octets, in order, and how many may wait.
//! Never: takes more than the limit and a few control frames; drops a frame that it took.

use super::frame::{CONTROL_BYTES, MASKED_HEADER_BYTES, Opcode, encode_frame, encoded_bytes};

/// Room made at once, when the limit is not below it.
const FIRST_BYTES: usize = 64 << 10;

/// A queue of encoded frames.
pub(super) struct Output {
    bytes: Vec<u8>,
    written: usize,
    limit: usize,
}

impl Output {
    pub(super) fn new(limit: usize) -> Self {
        let room = limit.min(FIRST_BYTES) + CONTROL_BYTES + MASKED_HEADER_BYTES;
        Self {
            bytes: Vec::with_capacity(room),
            written: 0,
            limit,
        }
    }

    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Whether a frame of this payload fits below the limit.
    pub(super) const fn has_room(&self, payload: usize) -> bool {
        self.len().saturating_add(encoded_bytes(payload)) <= self.limit
    }

    /// Whether pings are still answered one by one.
    pub(super) const fn is_half_full(&self) -> bool {
        self.len() > self.limit / 2
    }

    pub(super) fn push(&mut self, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
        encode_frame(opcode, true, payload, mask, &mut self.bytes);
    }

    /// Forgets the first `count` octets that wait. The rest moves to the front once it is no longer than what was
    /// written: a move costs no more than the writing before it, and the buffer stays below twice what waits.
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(
            count <= self.len(),
            "invariant: only what waits was written"
        );
        self.written += count.min(self.len());
        let rest = self.len();
        if rest <= self.written {
            self.bytes.copy_within(self.written.., 0);
            self.bytes.truncate(rest);
            self.written = 0;
        }
    }

    /// Octets of memory held.
    pub(super) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_consumed_in_pieces_is_what_was_pushed() {
        let mut output = Output::new(1_000);
        let mut written = vec![];
        let mut expected = vec![];
        for round in 0..1_000u32 {
            let payload = round.to_be_bytes().repeat(round as usize % 20);
            if output.has_room(payload.len()) {
                let mask = round.to_le_bytes();
                output.push(Opcode::Binary, &payload, mask);
                encode_frame(Opcode::Binary, true, &payload, mask, &mut expected);
            }
            assert!(output.len() <= 1_000);
            let count = output.len().min(round as usize % 61);
            written.extend_from_slice(&output.waiting()[..count]);
            output.consume(count);
        }
        written.extend_from_slice(output.waiting());
        output.consume(output.len());
        assert_eq!(written, expected);
        assert_eq!((output.len(), output.bytes.len()), (0, 0));
        assert!(output.capacity() <= 4_000);
    }

    #[test]
    fn room_is_counted_to_the_octet() {
        let mut output = Output::new(100);
        assert!(output.has_room(94));
        assert!(!output.has_room(95));
        assert!(!output.has_room(isize::MAX as usize));
        output.push(Opcode::Text, &[0; 44], [0; 4]);
        assert!(!output.is_half_full());
        output.push(Opcode::Text, &[0; 1], [0; 4]);
        assert!(output.is_half_full());
        assert!(output.has_room(37));
        assert!(!output.has_room(38));
    }
}
