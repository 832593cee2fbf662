//! Classes of octets that the grammar of HTTP names.
//!
//! Runs on: any thread.
//! Owns: the table of token characters and the ranges of visible ones.
//! Never: decides what an octet outside its class means.

/// The marks among token characters (RFC 9110, section 5.6.2); letters and digits are the others.
const TOKEN_MARKS: &[u8] = b"!#$%&'*+-.^_`|~";

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    let mut mark = 0;
    while mark < TOKEN_MARKS.len() {
        table[TOKEN_MARKS[mark] as usize] = true;
        mark += 1;
    }
    table
};

/// `tchar`: what names of fields and chunk extensions are made of.
pub(in crate::net) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// `VCHAR`: visible ASCII, the space not among them.
pub(in crate::net) const fn is_visible(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
}

/// What a received field's value may have in it (RFC 9110, section 5.5): visible characters, `obs-text`, space, tab.
pub(in crate::net) const fn is_field_value(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=0x7e | 0x80..)
}

/// What a host, literal addresses in brackets and a port included, is written with (RFC 3986, section 3.2.2).
pub(in crate::net) const fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
        || matches!(byte, b':' | b'[' | b']')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

/// What a target may have: anything else would end the request line, or begin a fragment.
pub(in crate::net) const fn is_target(byte: u8) -> bool {
    is_visible(byte) && byte != b'#'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_the_octets_of_its_grammar() {
        let of = |class: fn(u8) -> bool| -> Vec<u8> { (0..=255).filter(|&b| class(b)).collect() };
        assert_eq!(of(is_token).len(), 26 + 26 + 10 + 15);
        for byte in b"\"(),/:;<=>?@[\\]{} \t\r\n\0\x7f\x80" {
            assert!(!is_token(*byte), "{byte}");
        }
        assert_eq!(of(is_visible), (0x21..=0x7e).collect::<Vec<u8>>());
        assert_eq!(of(is_field_value).len(), 256 - 32 + 1 - 1);
        for byte in b"\r\n\0\x7f" {
            assert!(!is_field_value(*byte), "{byte}");
        }
    }
}
