//! Frames as a server makes and reads them (RFC 6455, section 5), and not by the client's own code.
//!
//! Runs on: tests.
//! Owns: the octets of a server's frames, and what a client's frames hold.
//! Never: makes a frame that it was not told to make, however wrong that is.

/// A frame of the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub is_final: bool,
    pub opcode: u8,
    pub mask: [u8; 4],
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a close frame.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk()?;
        (self.opcode == 8).then(|| u16::from_be_bytes(*code))
    }
}

/// A server's frame, its length in as few octets as it needs.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![first];
    match payload.len() {
        length @ 0..126 => octets.push(length as u8),
        length @ 126..0x1_0000 => {
            octets.push(126);
            octets.extend((length as u16).to_be_bytes());
        }
        length => {
            octets.push(127);
            octets.extend((length as u64).to_be_bytes());
        }
    }
    octets.extend(payload);
    octets
}

pub fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

pub fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason].concat())
}

/// A client's frames; whatever is not one is an error.
pub fn read(mut octets: &[u8]) -> Result<Vec<Frame>, String> {
    let mut frames = Vec::new();
    while !octets.is_empty() {
        let (frame, length) = read_one(octets).ok_or("a frame that is cut off")??;
        frames.push(frame);
        octets = &octets[length..];
    }
    Ok(frames)
}

fn read_one(octets: &[u8]) -> Option<Result<(Frame, usize), String>> {
    let (&[first, second], rest) = octets.split_first_chunk()?;
    if first & 0x70 != 0 || second & 0x80 == 0 {
        return Some(Err(format!(
            "reserved bits or no mask: {first:02x} {second:02x}"
        )));
    }
    let (length, minimum, rest) = match second & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*length)), 126, rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length), 0x1_0000, rest)
        }
        length => (u64::from(length), 0, rest),
    };
    if length < minimum || length >> 63 != 0 {
        return Some(Err(format!("a length of {length} in too many octets")));
    }
    let (mask, rest) = rest.split_first_chunk::<4>()?;
    let payload = rest.get(..usize::try_from(length).ok()?)?;
    let payload = payload.iter().zip(mask.iter().cycle());
    let frame = Frame {
        is_final: first & 0x80 != 0,
        opcode: first & 0x0f,
        mask: *mask,
        payload: payload.map(|(octet, mask)| octet ^ mask).collect(),
    };
    if frame.opcode >= 8 && (!frame.is_final || frame.payload.len() > 125) {
        return Some(Err(
            "a control frame that is long or in fragments".to_owned()
        ));
    }
    let whole = octets.len() - rest.len() + frame.payload.len();
    Some(Ok((frame, whole)))
}
