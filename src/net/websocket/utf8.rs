//! UTF-8 checked as it arrives.
//!
//! Runs on: any thread.
//! Owns: what is known of a character that is not complete yet.
//! Never: keeps octets, or waits for more where what is there cannot become valid.

/// An incremental check of UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing over U+10FFFF.
///
/// Between pieces it keeps how many octets the open character lacks and what the next of them may be, so that the
/// first octet that cannot stand where it stands is refused when it is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Utf8Validator {
    needed: u8,
    lower: u8,
    upper: u8,
}

impl Utf8Validator {
    /// At the beginning of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            needed: 0,
            lower: 0x80,
            upper: 0xBF,
        }
    }

    /// Takes the next octets.
    ///
    /// # Errors
    /// The index in `bytes` of the first octet that makes the text invalid. The check is of no use then until it is
    /// made anew.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while self.needed > 0 {
            match bytes.get(at) {
                None => return Ok(()),
                Some(&octet) if self.step(octet) => at += 1,
                Some(_) => return Err(at),
            }
        }
        let rest = &bytes[at..];
        let whole = rest.len() - open_tail(rest);
        if simdutf8::basic::from_utf8(&rest[..whole]).is_ok() {
            return self.scan(bytes, at + whole);
        }
        // The fast check says only that there is an offence. The slow one finds the octet.
        let sound = match std::str::from_utf8(rest) {
            Ok(_) => rest.len(),
            Err(error) => error.valid_up_to(),
        };
        self.scan(bytes, at + sound)
    }

    /// Takes `bytes[from..]` octet by octet.
    fn scan(&mut self, bytes: &[u8], from: usize) -> Result<(), usize> {
        for (index, &octet) in bytes.iter().enumerate().skip(from) {
            if !self.step(octet) {
                return Err(index);
            }
        }
        Ok(())
    }

    /// Takes one octet; says whether it may stand here.
    const fn step(&mut self, octet: u8) -> bool {
        if self.needed > 0 {
            if octet < self.lower || octet > self.upper {
                return false;
            }
            self.needed -= 1;
            (self.lower, self.upper) = (0x80, 0xBF);
            return true;
        }
        (self.needed, self.lower, self.upper) = match octet {
            0x00..=0x7F => (0, 0x80, 0xBF),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xED => (2, 0x80, 0x9F),
            0xE1..=0xEF => (2, 0x80, 0xBF),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F),
            _ => return false,
        };
        true
    }

    /// Whether the text may end here: no character is open.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.needed == 0
    }
}

impl Default for Utf8Validator {
    fn default() -> Self {
        Self::new()
    }
}

/// Octets at the end that begin a character and lack some of it, 0 to 3.
fn open_tail(bytes: &[u8]) -> usize {
    for (back, &octet) in (1..).zip(bytes.iter().rev().take(3)) {
        let width = match octet {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        return if width > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a whole check says: fine, open at the end, or wrong at an octet.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Verdict {
        Valid,
        Open,
        Wrong(usize),
    }

    fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
        let mut check = Utf8Validator::new();
        let mut before = 0;
        for piece in pieces {
            if let Err(index) = check.feed(piece) {
                return Verdict::Wrong(before + index);
            }
            before += piece.len();
        }
        if check.is_complete() {
            Verdict::Valid
        } else {
            Verdict::Open
        }
    }

    /// The same by the standard library: the first prefix that no ending can make valid ends with the offender.
    fn by_std(bytes: &[u8]) -> Verdict {
        let is_hopeless = |prefix: &[u8]| match std::str::from_utf8(prefix) {
            Ok(_) => false,
            Err(error) => error.error_len().is_some(),
        };
        if let Some(index) = (0..bytes.len()).find(|&index| is_hopeless(&bytes[..=index])) {
            return Verdict::Wrong(index);
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => Verdict::Valid,
            Err(_) => Verdict::Open,
        }
    }

    fn agrees_at_every_split(bytes: &[u8]) {
        let expected = by_std(bytes);
        for split in 0..=bytes.len() {
            let (a, b) = bytes.split_at(split);
            assert_eq!(in_pieces([a, b]), expected, "{bytes:x?} at {split}");
        }
        assert_eq!(in_pieces(bytes.chunks(1)), expected, "{bytes:x?}");
    }

    /// Every octet where a class of RFC 3629 begins or ends.
    const EDGES: [u8; 29] = [
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
        0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFB, 0xFE, 0xFF,
    ];

    #[test]
    fn every_sequence_of_two_octets_is_judged_as_the_standard_library_does() {
        for a in 0..=255 {
            agrees_at_every_split(&[a]);
            for b in 0..=255 {
                agrees_at_every_split(&[a, b]);
            }
        }
    }

    #[test]
    fn every_sequence_of_edges_is_judged_as_the_standard_library_does() {
        for a in EDGES {
            for b in EDGES {
                for c in EDGES {
                    agrees_at_every_split(&[a, b, c]);
                    for d in EDGES {
                        agrees_at_every_split(&[a, b, c, d]);
                    }
                }
            }
        }
    }

    #[test]
    fn long_text_is_judged_at_the_octet_wherever_the_offence_lies() {
        let text = "aé€😀".repeat(20).into_bytes();
        assert_eq!(in_pieces([&text[..]]), Verdict::Valid);
        for at in 0..text.len() {
            for octet in [0x41, 0x80, 0xC0, 0xED, 0xFF] {
                let mut bad = text.clone();
                bad[at] = octet;
                let expected = by_std(&bad);
                for split in [0, at, at + 1, bad.len()] {
                    let (a, b) = bad.split_at(split);
                    assert_eq!(in_pieces([a, b]), expected, "{octet:x} at {at}");
                }
            }
        }
    }

    #[test]
    fn hopeless_octets_are_refused_before_the_character_is_complete() {
        for (bytes, index) in [
            (&b"\xE0\x80"[..], 1),
            (b"\xED\xA0", 1),
            (b"\xF0\x8F", 1),
            (b"\xF4\x90", 1),
            (b"\xC0", 0),
            (b"\xF5", 0),
            (b"\xE2\x82\x41", 2),
        ] {
            assert_eq!(in_pieces([bytes]), Verdict::Wrong(index), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn random_octets_in_random_pieces_are_judged_as_the_standard_library_does(
            text in any::<String>(),
            noise in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..3),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut bytes = text.repeat(3).into_bytes();
            for (place, octet) in noise {
                if !bytes.is_empty() {
                    let at = place.index(bytes.len());
                    bytes[at] = octet;
                }
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(in_pieces(pieces), by_std(&bytes));
        }
    }
}
