//! MessagePack for the market-data stream: JSON values to bytes and back.
//!
//! Runs on: any thread.
//! Owns: the subset of MessagePack that JSON needs, and the timestamp extension.
//! Never: recurses deeper than [`MAX_DEPTH`], or trusts a length.
//!
//! Source: <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use serde_json::{Map, Number, Value};

use super::json::parse_instant;

/// Deepest nesting that is read.
pub const MAX_DEPTH: usize = 16;

/// Appends `value`; the string in a field named `t` that is an instant becomes a timestamp extension.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(flag) => out.push(0xc2 + u8::from(*flag)),
        Value::Number(number) => encode_number(number, out),
        Value::String(text) => encode_text(text, out),
        Value::Array(items) => {
            head(items.len(), 0x90, 0xdc, out);
            for item in items {
                encode(item, out);
            }
        }
        Value::Object(fields) => {
            head(fields.len(), 0x80, 0xde, out);
            for (name, value) in fields {
                encode_text(name, out);
                match value
                    .as_str()
                    .filter(|_| name == "t")
                    .and_then(parse_instant)
                {
                    Some(at) => encode_instant(at.0, out),
                    None => encode(value, out),
                }
            }
        }
    }
}

fn head(length: usize, small: u8, large: u8, out: &mut Vec<u8>) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < 16 => out.push(small | length),
        (_, Ok(length)) => {
            out.push(large);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(large + 1);
            out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    let length = text.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < 32 => out.push(0xa0 | length),
        (Ok(length), _) => out.extend([0xd9, length]),
        (_, Ok(length)) => {
            out.push(0xda);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    out.extend(text.as_bytes());
}

fn encode_number(number: &Number, out: &mut Vec<u8>) {
    if let Some(value) = number.as_u64() {
        if value < 128 {
            out.push(value as u8);
        } else {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
    } else if let Some(value) = number.as_i64() {
        out.push(0xd3);
        out.extend(value.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend(number.as_f64().unwrap_or_default().to_be_bytes());
    }
}

/// Timestamp 64: 30 bits of nanoseconds, 34 of seconds.
fn encode_instant(nanos: u64, out: &mut Vec<u8>) {
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    out.extend([0xd7, 0xff]);
    out.extend(((rest << 34) | (seconds & ((1 << 34) - 1))).to_be_bytes());
}

/// Reads one value from the whole of `bytes`; `None` when it is none.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(0)?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    fn unsigned(&mut self, count: usize) -> Option<u64> {
        let bytes = self.take(count)?;
        Some(
            bytes
                .iter()
                .fold(0, |value, byte| (value << 8) | u64::from(*byte)),
        )
    }

    fn length(&mut self, count: usize) -> Option<usize> {
        usize::try_from(self.unsigned(count)?).ok()
    }

    fn text(&mut self, length: usize) -> Option<Value> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        Some(Value::String(text.to_owned()))
    }

    fn array(&mut self, length: usize, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Some(Value::Array(items))
    }

    fn object(&mut self, length: usize, depth: usize) -> Option<Value> {
        let mut fields = Map::new();
        for _ in 0..length {
            let Value::String(name) = self.value(depth + 1)? else {
                return None;
            };
            fields.insert(name, self.value(depth + 1)?);
        }
        Some(Value::Object(fields))
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        let tag = *self.take(1)?.first()?;
        let size = |from: u8| 1usize << (tag - from);
        Some(match tag {
            0x00..=0x7f => Value::from(tag),
            0x80..=0x8f => self.object(usize::from(tag & 0x0f), depth)?,
            0x90..=0x9f => self.array(usize::from(tag & 0x0f), depth)?,
            0xa0..=0xbf => self.text(usize::from(tag & 0x1f))?,
            0xc0 => Value::Null,
            0xc2 | 0xc3 => Value::Bool(tag == 0xc3),
            0xca => Value::from(f32::from_be_bytes(self.take(4)?.try_into().ok()?)),
            0xcb => Value::from(f64::from_be_bytes(self.take(8)?.try_into().ok()?)),
            0xcc..=0xcf => Value::from(self.unsigned(size(0xcc))?),
            0xd0..=0xd3 => {
                let bits = 64 - 8 * size(0xd0) as u32;
                let raw = self.unsigned(size(0xd0))?;
                Value::from(((raw << bits) as i64) >> bits)
            }
            0xd9..=0xdb => {
                let length = self.length(size(0xd9))?;
                self.text(length)?
            }
            0xdc | 0xdd => {
                let length = self.length(2 * size(0xdc))?;
                self.array(length, depth)?
            }
            0xde | 0xdf => {
                let length = self.length(2 * size(0xde))?;
                self.object(length, depth)?
            }
            0xe0..=0xff => Value::from(tag as i8),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back() {
        let long = "x".repeat(300);
        let many: Vec<u32> = (0..40).collect();
        let value = json!({"a": [1, -5, 1_000_000, 187.5, null, true], "s": long, "m": many});
        let mut bytes = Vec::new();
        encode(&value, &mut bytes);
        assert_eq!(decode(&bytes), Some(value));
    }

    #[test]
    fn an_instant_becomes_the_timestamp_extension() {
        let mut bytes = Vec::new();
        encode(&json!({"t": "1970-01-01T00:00:01.000000002Z"}), &mut bytes);
        let expected = [0x81, 0xa1, b't', 0xd7, 0xff, 0, 0, 0, 8, 0, 0, 0, 1];
        assert_eq!(bytes, expected);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }
    }
}
