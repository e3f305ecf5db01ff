//! Plain data returned by a program, and the bounded wire form in which it leaves a cage.
//!
//! The wire form is one tag byte and a payload, little-endian: `N` none, `T` true, `F` false, `i` i64, `d` f64,
//! `s` length and UTF-8, `l` list, `t` tuple, `m` dict (u32 counts, then the items). [`Value::decode`] trusts nothing:
//! the process that wrote the bytes had run an untrusted program.

use serde::{Deserialize, Serialize};

use crate::Failure;

/// Containers may be nested this deep in a result.
pub(crate) const MAX_DEPTH: usize = 64;

/// A program's result: plain data only.
///
/// What Python can return beyond this (a subclass of `int`, a function, a set, a cyclic list, an integer outside i64,
/// a float that is not finite) ends as [`Failure::BadResult`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// A finite float.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dict, in insertion order.
    Dict(Vec<(Value, Value)>),
}

impl Value {
    /// The number as a float, if this is an int, a float or a bool.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(x) => Some(*x),
            Value::Bool(b) => Some(f64::from(u8::from(*b))),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The items, if this is a list or a tuple.
    pub fn as_slice(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The value under a text key, if this is a dict that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Dict(pairs) => pairs
                .iter()
                .find(|(k, _)| k.as_str() == Some(key))
                .map(|(_, v)| v),
            _ => None,
        }
    }

    /// Reads the wire form.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Value, Failure> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(0)?;
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err(malformed("bytes after the end"))
        }
    }
}

fn malformed(what: &str) -> Failure {
    Failure::BadResult {
        why: format!("malformed answer: {what}"),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Failure> {
        let (head, rest) = self
            .rest
            .split_at_checked(n)
            .ok_or_else(|| malformed("cut short"))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("take returns what was asked for"))
    }

    /// A count of items, each at least `width` bytes, so a forged count cannot reserve memory.
    fn count(&mut self, width: usize) -> Result<usize, Failure> {
        let n = u32::from_le_bytes(self.array()?) as usize;
        if n.saturating_mul(width) > self.rest.len() {
            Err(malformed("count too large"))
        } else {
            Ok(n)
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Value>, Failure> {
        (0..self.count(1)?).map(|_| self.value(depth + 1)).collect()
    }

    fn value(&mut self, depth: usize) -> Result<Value, Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::too_deep());
        }
        Ok(match self.take(1)?[0] {
            b'N' => Value::None,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' => Value::Int(i64::from_le_bytes(self.array()?)),
            b'd' => {
                let x = f64::from_le_bytes(self.array()?);
                if !x.is_finite() {
                    return Err(Failure::not_finite());
                }
                Value::Float(x)
            }
            b's' => {
                let n = self.count(1)?;
                Value::Str(
                    String::from_utf8(self.take(n)?.to_vec())
                        .map_err(|_| malformed("not UTF-8"))?,
                )
            }
            b'l' => Value::List(self.items(depth)?),
            b't' => Value::Tuple(self.items(depth)?),
            b'm' => Value::Dict(
                (0..self.count(2)?)
                    .map(|_| Ok((self.value(depth + 1)?, self.value(depth + 1)?)))
                    .collect::<Result<_, Failure>>()?,
            ),
            tag => return Err(malformed(&format!("unknown tag {tag}"))),
        })
    }
}

/// Writes the wire form, refusing to grow past `limit` bytes.
pub(crate) struct Writer {
    /// The bytes so far.
    pub(crate) bytes: Vec<u8>,
    limit: usize,
}

impl Writer {
    /// `start` stands before the value and does not count.
    pub(crate) fn new(start: &[u8], limit: usize) -> Writer {
        Writer {
            bytes: start.to_vec(),
            limit: limit.saturating_add(start.len()),
        }
    }

    /// Appends a tag and its payload.
    pub(crate) fn put(&mut self, tag: u8, payload: &[u8]) -> Result<(), Failure> {
        if self.bytes.len() + 1 + payload.len() > self.limit {
            return Err(Failure::OutputTooLarge);
        }
        self.bytes.push(tag);
        self.bytes.extend_from_slice(payload);
        Ok(())
    }

    /// Appends a tag and a count.
    pub(crate) fn put_count(&mut self, tag: u8, count: usize) -> Result<(), Failure> {
        let count = u32::try_from(count).map_err(|_| Failure::OutputTooLarge)?;
        self.put(tag, &count.to_le_bytes())
    }

    /// Appends a string.
    pub(crate) fn put_str(&mut self, text: &str) -> Result<(), Failure> {
        if self.bytes.len() + text.len() > self.limit {
            return Err(Failure::OutputTooLarge);
        }
        self.put_count(b's', text.len())?;
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(value: &Value, out: &mut Writer) -> Result<(), Failure> {
        match value {
            Value::None => out.put(b'N', &[]),
            Value::Bool(b) => out.put(if *b { b'T' } else { b'F' }, &[]),
            Value::Int(i) => out.put(b'i', &i.to_le_bytes()),
            Value::Float(x) => out.put(b'd', &x.to_le_bytes()),
            Value::Str(s) => out.put_str(s),
            Value::List(v) => out
                .put_count(b'l', v.len())
                .and_then(|()| v.iter().try_for_each(|x| encode(x, out))),
            Value::Tuple(v) => out
                .put_count(b't', v.len())
                .and_then(|()| v.iter().try_for_each(|x| encode(x, out))),
            Value::Dict(v) => out.put_count(b'm', v.len()).and_then(|()| {
                v.iter()
                    .try_for_each(|(k, x)| encode(k, out).and_then(|()| encode(x, out)))
            }),
        }
    }

    fn sample() -> Value {
        Value::Dict(vec![
            (
                Value::Str("ä".into()),
                Value::List(vec![Value::Int(-3), Value::Float(0.5), Value::None]),
            ),
            (Value::Bool(true), Value::Tuple(vec![Value::Bool(false)])),
        ])
    }

    #[test]
    fn wire_form_round_trips() {
        let mut out = Writer::new(&[], 1000);
        encode(&sample(), &mut out).unwrap();
        assert_eq!(Value::decode(&out.bytes).unwrap(), sample());
        let mut small = Writer::new(&[], out.bytes.len() - 1);
        assert_eq!(encode(&sample(), &mut small), Err(Failure::OutputTooLarge));
    }

    #[test]
    fn forged_answers_are_refused() {
        let mut out = Writer::new(&[], 1000);
        encode(&sample(), &mut out).unwrap();
        for end in 0..out.bytes.len() {
            assert!(Value::decode(&out.bytes[..end]).is_err());
        }
        let deep: Vec<u8> = [b'l', 1, 0, 0, 0].repeat(100_000);
        assert_eq!(Value::decode(&deep), Err(Failure::too_deep()));
        assert!(Value::decode(b"l\xff\xff\xff\xff").is_err());
        assert!(Value::decode(b"s\x01\0\0\0\xff").is_err());
        assert!(Value::decode(b"NN").is_err());
        assert!(Value::decode(b"x").is_err());
        let mut nan = vec![b'd'];
        nan.extend_from_slice(&f64::NAN.to_le_bytes());
        assert_eq!(Value::decode(&nan), Err(Failure::not_finite()));
    }
}
