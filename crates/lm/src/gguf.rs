//! GGUF files (versions 2 and 3): metadata, and tensors memory-mapped and read one at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::checkpoint::{Entry, Tensor};
use crate::error::{Error, FETCH_AGAIN, Fault};
use crate::safetensors::map;
use quant::Kind;
use read::{Cursor, Value};

mod model;
mod quant;
mod read;
mod vocab;

/// An open file.
pub(crate) struct Gguf {
    path: PathBuf,
    mapped: Mmap,
    metadata: BTreeMap<String, Value>,
    /// By the file's own names.
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor lies.
struct Place {
    kind: Kind,
    /// Row-major, the longest stride first (files store it the other way round).
    shape: Vec<usize>,
    begin: usize,
    bytes: usize,
}

impl Gguf {
    /// Reads the header; every tensor lies within the file afterwards.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mapped = map(path)?;
        let mut cursor = Cursor {
            file: path,
            bytes: &mapped,
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
            if end.is_none_or(|end| end > mapped.len()) {
                let problem = format!("lies beyond the end of the file, at {} bytes", mapped.len());
                let name = format!("tensor {name}");
                return Err(Error::Damaged(Fault::new(path, name, problem, FETCH_AGAIN)));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            mapped,
            metadata,
            tensors,
        })
    }

    /// A tensor by the file's own name.
    fn read(&self, name: &str) -> Option<Tensor> {
        let place = self.tensors.get(name)?;
        let bytes = self.mapped.get(place.begin..place.begin + place.bytes)?;
        Some(Tensor {
            shape: place.shape.clone(),
            data: place.kind.dequantise(bytes),
        })
    }

    /// All tensors, by Hugging Face's names where there is one.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.tensors.iter().map(|(name, place)| Entry {
            name: model::hugging_face_name(name).unwrap_or_else(|| name.clone()),
            kind: format!("{:?}", place.kind),
            bytes: place.bytes as u64,
        })
    }

    fn fault(&self, field: &str, problem: impl Into<String>, mend: &str) -> Fault {
        Fault::new(&self.path, field, problem, mend)
    }

    fn text(&self, field: &str) -> Option<&str> {
        match self.metadata.get(field)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn texts(&self, field: &str) -> Option<&[String]> {
        match self.metadata.get(field)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    fn int(&self, field: &str) -> Option<i64> {
        match self.metadata.get(field)? {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    fn flag(&self, field: &str) -> Option<bool> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the `gguf` package, bit by bit; see `tests/golden/quants.py`.
    #[test]
    fn values_of_every_kind() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let expected = std::fs::read(golden.join("quants.f32")).unwrap();
        let gguf = Gguf::open(&golden.join("quants.gguf")).unwrap();
        assert_eq!(gguf.tensors.len(), Kind::names().split(", ").count());
        let mut found = Vec::new();
        for (name, place) in &gguf.tensors {
            assert_eq!(*name, format!("{:?}", place.kind));
            let tensor = gguf.read(name).unwrap();
            assert_eq!(tensor.shape[0], 3);
            assert_eq!(tensor.data.len(), tensor.shape.iter().product::<usize>());
            let start = found.len();
            found.extend(tensor.data.iter().flat_map(|x| x.to_le_bytes()));
            assert!(found[start..] == expected[start..found.len()], "{name}");
        }
        assert_eq!(found.len(), expected.len());
    }
}
