//! A GGUF file (version 2 or 3): its metadata, and its tensors read one at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::quant::Kind;
use super::read::{Cursor, Value};
use crate::bytes::Bytes;
use crate::error::{Error, FETCH_AGAIN, Fault};
use crate::tensor::Tensor;

/// An open model: one file, or several shards of one.
pub(crate) struct Gguf {
    /// The first file.
    pub(super) path: PathBuf,
    files: Vec<(PathBuf, Bytes)>,
    /// The first file's.
    pub(super) metadata: BTreeMap<String, Value>,
    /// By the file's own names.
    pub(super) tensors: BTreeMap<String, Place>,
}

/// Where a tensor lies.
pub(super) struct Place {
    pub(super) kind: Kind,
    /// Row-major, the longest stride first (files store it the other way round).
    pub(super) shape: Vec<usize>,
    file: usize,
    begin: usize,
    pub(super) bytes: usize,
}

impl Gguf {
    /// Maps a file, and where it is a shard all others of its model, which lie beside it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let gguf = Self::header(path, Bytes::map(path)?)?;
        let Some(count) = gguf.int("split.count").filter(|n| *n > 1) else {
            return Ok(gguf);
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(shard) = name.and_then(Shard::of).filter(|s| s.count as i64 == count) else {
            let problem = format!("is {count}, which the file's name does not say");
            let mend = format!("name the files NAME-00001-of-{count:05}.gguf and so on");
            return Err(Error::Missing(gguf.fault("split.count", problem, &mend)));
        };
        drop(gguf);
        let mut whole: Option<Self> = None;
        for number in 1..=shard.count {
            let path = path.with_file_name(shard.name(number));
            if !path.exists() {
                let problem = format!("does not exist; the model is in {count} files");
                let mend = "put it beside the others";
                return Err(Error::Missing(Fault::new(&path, "the file", problem, mend)));
            }
            let part = Self::header(&path, Bytes::map(&path)?)?;
            for (field, right) in [("split.count", count), ("split.no", number as i64 - 1)] {
                if part.int(field) != Some(right) {
                    let problem = format!("is not {right}, as the file's name says");
                    return Err(Error::damaged(&path, field, problem));
                }
            }
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => whole.add(part)?,
            }
        }
        let whole = whole.expect("a shard at least");
        let told = whole.int("split.tensors.count");
        if told.is_some_and(|told| told != whole.tensors.len() as i64) {
            let problem = format!("does not say {}, as all files have", whole.tensors.len());
            return Err(Error::damaged(path, "split.tensors.count", problem));
        }
        Ok(whole)
    }

    /// Reads a file that is a whole model.
    pub(crate) fn new(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        let gguf = Self::header(path, bytes)?;
        if gguf.int("split.count").is_some_and(|n| n > 1) {
            let problem = "says that this is one of several files of a model";
            let mend = "open the first of them by its path";
            return Err(Error::Unsupported(gguf.fault("split.count", problem, mend)));
        }
        Ok(gguf)
    }

    /// Adds another shard's tensors.
    fn add(&mut self, part: Self) -> Result<(), Error> {
        for (name, place) in part.tensors {
            let file = self.files.len();
            if self
                .tensors
                .insert(name.clone(), Place { file, ..place })
                .is_some()
            {
                let field = format!("tensor {name}");
                return Err(Error::damaged(&part.path, field, "is in another file too"));
            }
        }
        self.files.extend(part.files);
        Ok(())
    }

    /// Reads a file's header; every tensor lies within the file afterwards.
    fn header(path: &Path, bytes: Bytes) -> Result<Self, Error> {
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
            if metadata.insert(key, cursor.value()?).is_some() {
                return cursor.damaged("is there twice");
            }
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
            if tensors.insert(name, place).is_some() {
                return cursor.damaged("is there twice");
            }
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
            files: vec![(path.to_owned(), bytes)],
            metadata,
            tensors,
        })
    }

    /// The first file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The files' paths and bytes.
    pub(crate) fn files(&self) -> impl ExactSizeIterator<Item = (&Path, &[u8])> {
        (self.files.iter()).map(|(path, bytes)| (path.as_path(), &**bytes))
    }

    /// A tensor by the file's own name.
    pub(super) fn read(&self, name: &str) -> Result<Option<Tensor>, Error> {
        let Some(place) = self.tensors.get(name) else {
            return Ok(None);
        };
        let (path, bytes) = &self.files[place.file];
        // It lies within the file, as the header was checked to say.
        let bytes = &bytes.whole(path)?[place.begin..place.begin + place.bytes];
        Ok(Some(Tensor {
            shape: place.shape.clone(),
            data: place.kind.dequantise(bytes),
        }))
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
                match Kind::foreign(number) {
                    Some(name) => {
                        format!("the quantisation number {number} ({name}) is not known here")
                    }
                    None => format!("the quantisation number {number} is not known here"),
                },
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
            file: 0,
            begin,
            bytes,
        })
    }
}

/// What a file's name says of a shard: "NAME-00002-of-00003.gguf".
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shard {
    stem: String,
    count: usize,
}

impl Shard {
    /// `None` for the name of no shard.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let five = |text: &str| -> Option<usize> {
            let digits = text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok())?
        };
        let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let (number, count) = (five(number)?, five(count)?);
        let stem = stem.to_owned();
        (1..=count)
            .contains(&number)
            .then_some(Self { stem, count })
    }

    /// The names of all files of a model that this file is one of.
    pub(crate) fn all(file: &str) -> Vec<String> {
        match Shard::of(file) {
            Some(shard) => (1..=shard.count).map(|number| shard.name(number)).collect(),
            None => vec![file.to_owned()],
        }
    }

    /// The name of a shard's file, from 1.
    fn name(&self, number: usize) -> String {
        let Self { stem, count } = self;
        format!("{stem}-{number:05}-of-{count:05}.gguf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_shards() {
        let shard = Shard::of("a-of-b-00002-of-00013.gguf").unwrap();
        assert_eq!(shard.name(1), "a-of-b-00001-of-00013.gguf");
        assert_eq!(Shard::all("a.gguf"), ["a.gguf"]);
        assert_eq!(Shard::all("a-00002-of-00002.gguf").len(), 2);
        for name in [
            "a.gguf",
            "a-2-of-3.gguf",
            "a-00004-of-00003.gguf",
            "a-00000-of-00003.gguf",
            "a-00002-of-00003.txt",
            "00002-of-00003.gguf",
        ] {
            assert_eq!(Shard::of(name), None, "{name}");
        }
    }
}
