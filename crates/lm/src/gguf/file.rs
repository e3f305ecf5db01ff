//! A GGUF file (version 2 or 3): its metadata, and its tensors read one at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::quant::Kind;
use super::read::{Cursor, Value};
use crate::bytes::Bytes;
use crate::error::{Error, FETCH_AGAIN, Fault};
use crate::tensor::Tensor;

/// An open file.
pub(crate) struct Gguf {
    pub(super) path: PathBuf,
    bytes: Bytes,
    pub(super) metadata: BTreeMap<String, Value>,
    /// By the file's own names.
    pub(super) tensors: BTreeMap<String, Place>,
}

/// Where a tensor lies.
pub(super) struct Place {
    pub(super) kind: Kind,
    /// Row-major, the longest stride first (files store it the other way round).
    pub(super) shape: Vec<usize>,
    begin: usize,
    pub(super) bytes: usize,
}

impl Gguf {
    /// Reads the header; every tensor lies within the file afterwards.
    pub(crate) fn new(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        let mut cursor = Cursor {
            file: path,
            bytes: &bytes,
            at: 0,
            field: "the first 4 bytes".to_owned(),
        };
        let magic = cursor.u32()?;
        if magic != u32::from_le_bytes(*b"GGUF") {
            return Err(Error::Damaged(Fault::new(
                path,
                "the first 4 bytes",
                "are not those of a GGUF file",
                "give a .gguf file, a .safetensors file or a folder with a model",
            )));
        }
        "version".clone_into(&mut cursor.field);
        let version = cursor.u32()?;
        if !(2..=3).contains(&version) {
            let problem = format!("{version} (of this byte order) is not known here");
            let mend = "convert the model to GGUF version 3, little-endian";
            return Err(Error::Unsupported(Fault::new(
                path, "version", problem, mend,
            )));
        }
        "the number of tensors".clone_into(&mut cursor.field);
        let count = cursor.count(1)?;
        "the number of metadata fields".clone_into(&mut cursor.field);
        let fields = cursor.count(1)?;
        let mut metadata = BTreeMap::new();
        for i in 0..fields {
            cursor.field = format!("metadata field {i}");
            let key = cursor.text()?;
            cursor.field.clone_from(&key);
            metadata.insert(key, cursor.value()?);
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(&Value::Int(n @ 1..=0x10_0000)) if n.count_ones() == 1 => n as usize,
            Some(_) => {
                return Err(Error::damaged(
                    path,
                    "general.alignment",
                    "is not a power of two up to 2^20",
                ));
            }
        };
        let mut tensors = BTreeMap::new();
        for i in 0..count {
            cursor.field = format!("the description of tensor {i}");
            let name = cursor.text()?;
            cursor.field = format!("tensor {name}");
            let place = Place::read(&mut cursor)?;
            tensors.insert(name, place);
        }
        let start = cursor.at.next_multiple_of(alignment);
        for (name, place) in &mut tensors {
            let end = start.checked_add(place.begin).and_then(|begin| {
                place.begin = begin;
                begin.checked_add(place.bytes)
            });
            if end.is_none_or(|end| end > bytes.len()) {
                let problem = format!("lies beyond the end of the file, at {} bytes", bytes.len());
                let name = format!("tensor {name}");
                return Err(Error::Damaged(Fault::new(path, name, problem, FETCH_AGAIN)));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
            metadata,
            tensors,
        })
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A tensor by the file's own name.
    pub(super) fn read(&self, name: &str) -> Option<Tensor> {
        let place = self.tensors.get(name)?;
        let bytes = self.bytes.get(place.begin..place.begin + place.bytes)?;
        Some(Tensor {
            shape: place.shape.clone(),
            data: place.kind.dequantise(bytes),
        })
    }

    pub(super) fn fault(&self, field: &str, problem: impl Into<String>, mend: &str) -> Fault {
        Fault::new(&self.path, field, problem, mend)
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        match self.metadata.get(field)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn texts(&self, field: &str) -> Option<&[String]> {
        match self.metadata.get(field)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    pub(super) fn int(&self, field: &str) -> Option<i64> {
        match self.metadata.get(field)? {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    pub(super) fn flag(&self, field: &str) -> Option<bool> {
        match self.metadata.get(field)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl Place {
    /// Reads a tensor's description; `begin` still counts from the start of the data.
    fn read(cursor: &mut Cursor) -> Result<Self, Error> {
        let dimensions = cursor.u32()?;
        if !(1..=4).contains(&dimensions) {
            return cursor.damaged(&format!("has {dimensions} dimensions, not 1 to 4"));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            match usize::try_from(cursor.u64()?) {
                Ok(n) => shape.insert(0, n),
                Err(_) => return cursor.damaged("has a dimension that is too long"),
            }
        }
        let number = cursor.u32()?;
        let Some(kind) = Kind::of(number) else {
            return Err(Error::Unsupported(Fault::new(
                cursor.file,
                &cursor.field,
                format!("the quantisation number {number} is not known here"),
                format!("choose a file of the kinds {}", Kind::names()),
            )));
        };
        let Ok(begin) = usize::try_from(cursor.u64()?) else {
            return cursor.damaged("lies beyond the end of the file");
        };
        let (values, size) = kind.block();
        let total = shape
            .iter()
            .try_fold(1usize, |product, &n| product.checked_mul(n));
        let bytes = total.and_then(|n| (n / values).checked_mul(size));
        let Some(bytes) = bytes.filter(|&b| b <= cursor.bytes.len()) else {
            return cursor.damaged(&format!("of shape {shape:?} is larger than the file"));
        };
        if !shape.last().is_some_and(|row| row.is_multiple_of(values)) {
            return cursor.damaged(&format!(
                "of shape {shape:?} is not made of whole blocks of {values}"
            ));
        }
        Ok(Self {
            kind,
            shape,
            begin,
            bytes,
        })
    }
}
