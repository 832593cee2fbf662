//! Frames: the server's headers read strictly, the client's written with a mask.
//!
//! Runs on: any thread.
//! Owns: the octets of a header that is not complete yet.
//! Never: looks at a payload it reads, or makes a mask.

use super::error::WebSocketRule;

/// The longest payload of a control frame (RFC 6455, section 5.5).
pub const CONTROL_BYTES: usize = 125;
/// The longest header of a server's frame: two octets and a length of eight.
const HEADER_BYTES: usize = 10;
/// The longest header of a client's frame: the same and a mask.
pub(super) const MASKED_HEADER_BYTES: usize = HEADER_BYTES + 4;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASK: u8 = 0x80;

/// What a frame is (section 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Opcode {
    /// More of a message.
    Continuation = 0x0,
    /// The beginning of a message of UTF-8.
    Text = 0x1,
    /// The beginning of a message of octets.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping, or says "still here".
    Pong = 0xA,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Whether frames of this kind may stand between those of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// What a header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Whether the message ends with this frame.
    pub fin: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// Octets of payload, below 2^63.
    pub length: u64,
    /// Octets of the header, 2 to 10.
    pub header_bytes: u8,
}

/// A header that breaks a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameError {
    /// Which rule.
    pub rule: WebSocketRule,
    /// The octet of the header, from 0, that breaks it.
    pub index: u8,
}

/// Reads the header that `bytes` begin with; `None` when there is more of it to come.
///
/// # Errors
/// The rule that the header breaks, as soon as the octet that breaks it is there.
pub fn decode_header(bytes: &[u8]) -> Result<Option<FrameHeader>, FrameError> {
    let error = |rule, index| Err(FrameError { rule, index });
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let fin = first & FIN != 0;
    if first & RESERVED != 0 {
        return error(WebSocketRule::ReservedBits, 0);
    }
    let Some(opcode) = Opcode::from_bits(first & 0x0F) else {
        return error(WebSocketRule::ReservedOpcode, 0);
    };
    if opcode.is_control() && !fin {
        return error(WebSocketRule::ControlFragmented, 0);
    }
    let Some(&second) = bytes.get(1) else {
        return Ok(None);
    };
    if second & MASK != 0 {
        return error(WebSocketRule::MaskedFrame, 1);
    }
    if opcode.is_control() && second as usize > CONTROL_BYTES {
        return error(WebSocketRule::ControlTooLong, 1);
    }
    if opcode == Opcode::Close && second == 1 {
        return error(WebSocketRule::CloseLength, 1);
    }
    let (length, header_bytes) = match second {
        126 => match decode_length_16(&bytes[2..])? {
            None => return Ok(None),
            Some(length) => (length, 4),
        },
        127 => match decode_length_64(&bytes[2..])? {
            None => return Ok(None),
            Some(length) => (length, 10),
        },
        length => (u64::from(length), 2),
    };
    Ok(Some(FrameHeader {
        fin,
        opcode,
        length,
        header_bytes,
    }))
}

fn decode_length_16(bytes: &[u8]) -> Result<Option<u64>, FrameError> {
    let Some(octets) = bytes.first_chunk() else {
        return Ok(None);
    };
    let length = u16::from_be_bytes(*octets);
    if length < 126 {
        return Err(FrameError {
            rule: WebSocketRule::NonMinimalLength,
            index: 3,
        });
    }
    Ok(Some(u64::from(length)))
}

fn decode_length_64(bytes: &[u8]) -> Result<Option<u64>, FrameError> {
    if bytes.first().is_some_and(|&octet| octet & 0x80 != 0) {
        return Err(FrameError {
            rule: WebSocketRule::NegativeLength,
            index: 2,
        });
    }
    // Six zeros: two octets would do, whatever they are.
    if bytes.first_chunk() == Some(&[0; 6]) {
        return Err(FrameError {
            rule: WebSocketRule::NonMinimalLength,
            index: 7,
        });
    }
    Ok(bytes
        .first_chunk()
        .map(|octets| u64::from_be_bytes(*octets)))
}

/// Reads headers that may arrive in pieces.
#[derive(Clone, Copy, Default, Debug)]
pub struct FrameDecoder {
    bytes: [u8; HEADER_BYTES],
    length: u8,
}

impl FrameDecoder {
    /// At the beginning of a header.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; HEADER_BYTES],
            length: 0,
        }
    }

    /// Takes octets up to the end of a header; tells how many, and what the header says once it is complete. What
    /// follows it is payload: the caller feeds again behind that.
    ///
    /// # Errors
    /// As [`decode_header`]; the decoder is of no use then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<FrameHeader>), FrameError> {
        if self.length == 0
            && let Some(header) = decode_header(bytes)?
        {
            return Ok((usize::from(header.header_bytes), Some(header)));
        }
        for (taken, &octet) in (1..).zip(bytes) {
            // A header of ten octets is complete, so there is room for another one.
            self.bytes[usize::from(self.length)] = octet;
            self.length += 1;
            let known = &self.bytes[..usize::from(self.length)];
            if let Some(header) = decode_header(known)? {
                self.length = 0;
                return Ok((taken, Some(header)));
            }
        }
        Ok((bytes.len(), None))
    }
}

/// Octets that [`encode_frame`] writes for a payload.
#[must_use]
pub const fn encoded_bytes(payload: usize) -> usize {
    payload
        + match payload {
            0..=125 => 6,
            126..=0xFFFF => 8,
            _ => MASKED_HEADER_BYTES,
        }
}

/// Appends a client's frame to `out`: the length in as few octets as it needs, the payload under `mask`.
///
/// That a control frame is whole and at most [`CONTROL_BYTES`] long is the caller's to see to.
pub fn encode_frame(opcode: Opcode, fin: bool, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.reserve(encoded_bytes(payload.len()));
    let first = opcode as u8 | if fin { FIN } else { 0 };
    let length = payload.len();
    match length {
        0..=125 => out.extend_from_slice(&[first, MASK | length as u8]),
        126..=0xFFFF => {
            let octets = (length as u16).to_be_bytes();
            out.extend_from_slice(&[first, MASK | 126, octets[0], octets[1]]);
        }
        _ => {
            out.extend_from_slice(&[first, MASK | 127]);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let begin = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[begin..], mask);
}

/// XORs octet i with octet i modulo 4 of the mask (section 5.3). Applied twice, it undoes itself.
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    // Words of eight in a plain loop: the compiler makes vectors of them.
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (octet, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *octet ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fin: bool, opcode: Opcode, length: u64, header_bytes: u8) -> FrameHeader {
        FrameHeader {
            fin,
            opcode,
            length,
            header_bytes,
        }
    }

    #[test]
    fn headers_are_read_whole_and_in_single_octets() {
        for (bytes, expected) in [
            (&[0x81, 0][..], header(true, Opcode::Text, 0, 2)),
            (&[0x02, 125], header(false, Opcode::Binary, 125, 2)),
            (
                &[0x80, 126, 0, 126],
                header(true, Opcode::Continuation, 126, 4),
            ),
            (
                &[0x82, 126, 255, 255],
                header(true, Opcode::Binary, 65_535, 4),
            ),
            (
                &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0],
                header(true, Opcode::Binary, 65_536, 10),
            ),
            (
                &[0x82, 127, 0x7F, 255, 255, 255, 255, 255, 255, 255],
                header(true, Opcode::Binary, u64::MAX >> 1, 10),
            ),
            (&[0x88, 2], header(true, Opcode::Close, 2, 2)),
            (&[0x89, 125], header(true, Opcode::Ping, 125, 2)),
            (&[0x8A, 0], header(true, Opcode::Pong, 0, 2)),
        ] {
            let mut followed = bytes.to_vec();
            followed.extend_from_slice(&[0xFF; 12]);
            let whole = FrameDecoder::new().feed(&followed);
            assert_eq!(whole, Ok((bytes.len(), Some(expected))), "{bytes:x?}");
            for split in 1..bytes.len() {
                let mut decoder = FrameDecoder::new();
                assert_eq!(decoder.feed(&followed[..split]), Ok((split, None)));
                let rest = decoder.feed(&followed[split..]);
                assert_eq!(rest, Ok((bytes.len() - split, Some(expected))));
                assert_eq!(decoder.length, 0);
            }
        }
    }

    #[test]
    fn refusals_come_with_the_octet_that_earns_them() {
        use WebSocketRule as Rule;
        for (bytes, rule) in [
            (&[0xC1][..], Rule::ReservedBits),
            (&[0xA1], Rule::ReservedBits),
            (&[0x91], Rule::ReservedBits),
            (&[0x83], Rule::ReservedOpcode),
            (&[0x87], Rule::ReservedOpcode),
            (&[0x8B], Rule::ReservedOpcode),
            (&[0x8F], Rule::ReservedOpcode),
            (&[0x09], Rule::ControlFragmented),
            (&[0x08], Rule::ControlFragmented),
            (&[0x0A], Rule::ControlFragmented),
            (&[0x81, 0x80], Rule::MaskedFrame),
            (&[0x81, 0xFF], Rule::MaskedFrame),
            (&[0x89, 126], Rule::ControlTooLong),
            (&[0x8A, 127], Rule::ControlTooLong),
            (&[0x88, 126], Rule::ControlTooLong),
            (&[0x88, 1], Rule::CloseLength),
            (&[0x81, 126, 0, 125], Rule::NonMinimalLength),
            (&[0x81, 126, 0, 0], Rule::NonMinimalLength),
            (&[0x81, 127, 0, 0, 0, 0, 0, 0], Rule::NonMinimalLength),
            (&[0x81, 127, 0x80], Rule::NegativeLength),
        ] {
            let index = bytes.len() as u8 - 1;
            let error = Err(FrameError { rule, index });
            let mut followed = bytes.to_vec();
            followed.extend_from_slice(&[0xFF; 12]);
            assert_eq!(FrameDecoder::new().feed(bytes), error, "{bytes:x?}");
            assert_eq!(FrameDecoder::new().feed(&followed), error, "{bytes:x?}");
            let mut decoder = FrameDecoder::new();
            for octet in &bytes[..bytes.len() - 1] {
                assert_eq!(decoder.feed(&[*octet]), Ok((1, None)), "{bytes:x?}");
            }
            assert_eq!(decoder.feed(&bytes[bytes.len() - 1..]), error);
        }
    }

    #[test]
    fn the_masked_hello_of_the_rfc_is_written_octet_for_octet() {
        let mut out = vec![];
        let mask = [0x37, 0xFA, 0x21, 0x3D];
        encode_frame(Opcode::Text, true, b"Hello", mask, &mut out);
        let expected = [
            0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn masks_and_lengths_are_right_for_every_length() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for length in (0..300).chain([65_535, 65_536, 65_537]) {
            let payload: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut out = vec![0xAA; 3];
            encode_frame(Opcode::Binary, false, &payload, mask, &mut out);
            assert_eq!(out.len() - 3, encoded_bytes(length));
            assert_eq!((out[3], out[4] & MASK), (0x02, MASK));
            out[4] &= !MASK;
            let (taken, read) = FrameDecoder::new().feed(&out[3..]).expect("minimal");
            let read = read.expect("complete");
            assert_eq!((read.fin, read.length), (false, length as u64));
            let rest = &out[3 + taken..];
            assert_eq!(rest[..4], mask);
            for (index, (&sent, &plain)) in rest[4..].iter().zip(&payload).enumerate() {
                assert_eq!(sent ^ mask[index % 4], plain);
            }
        }
    }
}
