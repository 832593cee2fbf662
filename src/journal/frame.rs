//! Frames: a record's bytes with length, checksum, sequence and time, each chained to the last.
//!
//! Runs on: ORDER (sealing), any thread (checking).
//! Owns: the layout of a frame.
//! Never: takes a frame for good that does not follow the one before.
//!
//! ```text
//! 0 length u32 | 4 crc32c u32 | 8 type u16 | 10 version u16 | 12 flags u32
//! 16 sequence u64 | 24 time u64 | 32 payload
//! ```
//!
//! All little-endian. `length` counts header and payload; zeros pad the frame to eight bytes. The
//! checksum begins from the checksum of the frame before, mixed with `length`, and covers
//! everything from `type` to the end of the padding. `length` is stored last, so that a reader sees
//! a whole frame or none.

use super::error::Damage;
use super::wire::MAX_PAYLOAD;
use crate::types::Nanos;

/// Bytes before the payload.
pub const HEADER: usize = 32;
/// The longest frame that this build writes, in bytes.
pub const MAX_FRAME: usize = HEADER + MAX_PAYLOAD;
/// The longest frame that any build may write, in bytes: a larger length is damage.
pub const LENGTH_LIMIT: usize = 4096;

const _: () = assert!(MAX_FRAME.is_multiple_of(8) && MAX_FRAME <= LENGTH_LIMIT);

/// A frame that fits the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Its checksum: where the next one's begins.
    pub crc: u32,
    /// Type of the record.
    pub kind: u16,
    /// Version of the type.
    pub version: u16,
    /// Reserved, 0.
    pub flags: u32,
    /// Its number.
    pub sequence: u64,
    /// When it was appended.
    pub time: Nanos,
    /// The record's bytes.
    pub payload: &'a [u8],
    /// Bytes that it takes, padding included.
    pub size: usize,
}

/// What a place holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check<'a> {
    /// The next frame.
    Good(Frame<'a>),
    /// A length of zero: nothing was written here.
    Empty,
    /// Fewer bytes than the frame has.
    Short,
    /// Something else.
    Bad(Damage),
}

/// `length` with its padding.
#[inline]
#[must_use]
pub const fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// Completes the frame whose payload of `payload` bytes stands at [`HEADER`]; returns its size and
/// its checksum.
#[inline]
pub fn seal(
    frame: &mut [u8; MAX_FRAME],
    (kind, version): (u16, u16),
    payload: usize,
    (sequence, time): (u64, Nanos),
    previous_crc: u32,
) -> (usize, u32) {
    let length = HEADER + payload;
    let size = padded(length);
    if size > length {
        frame[length..size].fill(0);
    }
    let types = u64::from(kind) | u64::from(version) << 16;
    put(frame, 8, types);
    put(frame, 16, sequence);
    put(frame, 24, time.0);
    let crc = checksum(previous_crc, length as u32, &frame[8..size]);
    put(frame, 0, u64::from(length as u32) | u64::from(crc) << 32);
    (size, crc)
}

#[inline(always)]
fn put(frame: &mut [u8; MAX_FRAME], at: usize, word: u64) {
    match frame[at..].first_chunk_mut() {
        Some(place) => *place = word.to_le_bytes(),
        None => unreachable!("a header's word lies in the frame"),
    }
}

/// Mixing the length into the seed covers it without a second pass over four bytes.
#[inline]
fn checksum(previous_crc: u32, length: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(previous_crc ^ length, bytes)
}

/// What stands at the beginning of `bytes`, after a frame with `previous_crc`, where `expected` is
/// the next sequence.
#[must_use]
pub fn check(bytes: &[u8], previous_crc: u32, expected: u64) -> Check<'_> {
    let Some(length) = word(bytes, 0) else {
        return Check::Short;
    };
    if length == 0 {
        return Check::Empty;
    }
    if !(HEADER..=LENGTH_LIMIT).contains(&(length as usize)) {
        return Check::Bad(Damage::Length(length));
    }
    let size = padded(length as usize);
    let (Some(frame), Some(crc)) = (bytes.get(..size), word(bytes, 4)) else {
        return Check::Short;
    };
    if checksum(previous_crc, length, &frame[8..]) != crc {
        return Check::Bad(Damage::Checksum);
    }
    let sequence = long(frame, 16);
    if sequence != expected {
        return Check::Bad(Damage::Sequence {
            expected,
            found: sequence,
        });
    }
    let types = long(frame, 8);
    Check::Good(Frame {
        crc,
        kind: types as u16,
        version: (types >> 16) as u16,
        flags: (types >> 32) as u32,
        sequence,
        time: Nanos(long(frame, 24)),
        payload: &frame[HEADER..length as usize],
        size,
    })
}

/// Whether valid frames stand behind a bad one at the beginning of `bytes`: then bytes were lost
/// that had been on record, and this is no torn end.
///
/// A frame counts as valid when its checksum follows from the bad frame's, as stored or as
/// computed, or when the frame behind it follows from it.
#[must_use]
pub fn valid_frame_behind(bytes: &[u8], previous_crc: u32, expected: u64) -> bool {
    let stored = word(bytes, 4).unwrap_or_default();
    let computed = word(bytes, 0)
        .filter(|length| (HEADER..=LENGTH_LIMIT).contains(&(*length as usize)))
        .and_then(|length| {
            let frame = bytes.get(8..padded(length as usize))?;
            Some(checksum(previous_crc, length, frame))
        })
        .unwrap_or(stored);
    (8..bytes.len().saturating_sub(HEADER - 1))
        .step_by(8)
        .any(|at| {
            let rest = &bytes[at..];
            let (Some(length), Some(crc)) = (word(rest, 0), word(rest, 4)) else {
                return false;
            };
            let size = padded(length as usize);
            if !(HEADER..=LENGTH_LIMIT).contains(&(length as usize)) || size > rest.len() {
                return false;
            }
            let sequence = long(rest, 16);
            let most = expected.saturating_add((at / HEADER) as u64 + 1);
            if sequence < expected || sequence > most {
                return false;
            }
            let follows = |seed| matches!(check(rest, seed, sequence), Check::Good(_));
            follows(stored)
                || follows(computed)
                || matches!(
                    check(&rest[size..], crc, sequence.saturating_add(1)),
                    Check::Good(_)
                )
        })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

/// Eight bytes of a frame whose length was checked.
fn long(frame: &[u8], at: usize) -> u64 {
    frame
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(payload: &[u8], sequence: u64, previous: u32) -> (Vec<u8>, u32) {
        let mut frame = [0xAA; MAX_FRAME];
        frame[HEADER..HEADER + payload.len()].copy_from_slice(payload);
        let at = (sequence, Nanos(77));
        let (size, crc) = seal(&mut frame, (10, 1), payload.len(), at, previous);
        (frame[..size].to_vec(), crc)
    }

    #[test]
    fn a_frame_is_good_only_behind_its_own_predecessor() {
        let (first, crc) = sealed(b"hello", 1, 0);
        let (second, _) = sealed(b"", 2, crc);
        assert_eq!((first.len(), second.len()), (40, 32));
        let Check::Good(frame) = check(&first, 0, 1) else {
            panic!("a good frame")
        };
        assert_eq!((frame.payload, frame.size), (&b"hello"[..], 40));
        assert_eq!((frame.kind, frame.version, frame.flags), (10, 1, 0));
        assert_eq!((frame.sequence, frame.time), (1, Nanos(77)));
        assert!(matches!(check(&second, frame.crc, 2), Check::Good(_)));
        assert_eq!(check(&second, 0, 2), Check::Bad(Damage::Checksum));
        assert!(matches!(
            check(&second, crc, 3),
            Check::Bad(Damage::Sequence { .. })
        ));
        assert_eq!(check(&[0; 64], crc, 2), Check::Empty);
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let (good, _) = sealed(b"hello", 1, 9);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(check(&bad, 9, 1), Check::Good(_)), "bit {bit}");
        }
        for length in 0..good.len() {
            assert_eq!(check(&good[..length], 9, 1), Check::Short, "{length} bytes");
        }
    }

    #[test]
    fn one_valid_frame_behind_a_bad_one_is_found_whichever_bit_is_bad() {
        let (first, crc) = sealed(b"hello", 1, 9);
        let (second, _) = sealed(b"world, again", 2, crc);
        for bit in 0..first.len() * 8 {
            let mut bytes = first.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !valid_frame_behind(&bytes, 9, 1),
                "bit {bit}, nothing behind"
            );
            bytes.extend_from_slice(&second);
            assert!(valid_frame_behind(&bytes, 9, 1), "bit {bit}");
        }
    }
}
