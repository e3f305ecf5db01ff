//! The bytes of a GGUF file's header, read with every length checked against what is left.

use std::path::Path;

use crate::error::Error;

/// A metadata value; numbers of all widths are one kind each.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

/// A place in the header.
pub(crate) struct Cursor<'a> {
    pub(crate) file: &'a Path,
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
    /// What is being read, for messages.
    pub(crate) field: String,
}

impl<'a> Cursor<'a> {
    pub(crate) fn damaged<T>(&self, problem: &str) -> Result<T, Error> {
        Err(Error::damaged(self.file, &self.field, problem))
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let Some(bytes) = self
            .at
            .checked_add(n)
            .and_then(|end| self.bytes.get(self.at..end))
        else {
            return self.damaged("runs beyond the end of the file");
        };
        self.at += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things of at least `size` bytes each, which must fit into what is left.
    pub(crate) fn count(&mut self, size: usize) -> Result<usize, Error> {
        let count = self.u64()?;
        let most = (self.bytes.len() - self.at) / size;
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => self.damaged(&format!(
                "says {count} things follow, more than the file can hold"
            )),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, Error> {
        let length = self.count(1)?;
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.damaged("is not UTF-8"),
        }
    }

    /// A value with its type before it.
    pub(crate) fn value(&mut self) -> Result<Value, Error> {
        match self.u32()? {
            9 => self.list(),
            kind => self.scalar(kind),
        }
    }

    fn scalar(&mut self, kind: u32) -> Result<Value, Error> {
        Ok(match kind {
            0 => Value::Int(i64::from(self.array::<1>()?[0])),
            1 => Value::Int(i64::from(i8::from_le_bytes(self.array()?))),
            2 => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            3 => Value::Int(i64::from(i16::from_le_bytes(self.array()?))),
            4 => Value::Int(i64::from(self.u32()?)),
            5 => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.array()?))),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            // No count or identifier needs the 64th bit.
            10 => Value::Int(i64::try_from(self.u64()?).unwrap_or(i64::MAX)),
            11 => Value::Int(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return self.damaged(&format!("has the unknown type {other}")),
        })
    }

    fn list(&mut self) -> Result<Value, Error> {
        let kind = self.u32()?;
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            other => return self.damaged(&format!("is a list of the unknown type {other}")),
        };
        let count = self.count(size)?;
        let (mut ints, mut floats, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            match self.scalar(kind)? {
                Value::Int(n) => ints.push(n),
                Value::Bool(b) => ints.push(i64::from(b)),
                Value::Float(x) => floats.push(x),
                Value::Text(text) => texts.push(text),
                Value::Ints(_) | Value::Floats(_) | Value::Texts(_) => {}
            }
        }
        Ok(match kind {
            6 | 12 => Value::Floats(floats),
            8 => Value::Texts(texts),
            _ => Value::Ints(ints),
        })
    }
}
