//! Tensors of `.safetensors` files, memory-mapped; a sharded model is several of them with an index.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorInfo};
use serde_json::Value;

use crate::bytes::Bytes;
use crate::error::{Error, FETCH_AGAIN, Fault};
use crate::tensor::{Entry, Tensor};

/// One or more files of tensors.
pub(crate) struct Files {
    files: Vec<(PathBuf, Bytes)>,
    /// Name to file and place within it.
    tensors: BTreeMap<String, Place>,
}

struct Place {
    file: usize,
    begin: usize,
    end: usize,
    shape: Vec<usize>,
    dtype: Dtype,
}

impl Files {
    /// One file.
    pub(crate) fn new(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        let mut files = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        files.add(path, bytes)?;
        Ok(files)
    }

    /// All shards that `model.safetensors.index.json` names.
    pub(crate) fn open_index(index: &Path) -> Result<Self, Error> {
        let mut files = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        for shard in shards(index)? {
            let path = index.with_file_name(shard);
            let bytes = Bytes::map(&path)?;
            files.add(&path, bytes)?;
        }
        Ok(files)
    }

    fn add(&mut self, path: &Path, bytes: Bytes) -> Result<(), Error> {
        let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| {
            Error::damaged(
                path,
                "the header",
                format!("is not of a whole safetensors file ({e})"),
            )
        })?;
        let start = 8 + header;
        for (name, info) in metadata.tensors() {
            let TensorInfo {
                dtype,
                shape,
                data_offsets: (begin, end),
            } = info;
            let place = Place {
                file: self.files.len(),
                begin: start + begin,
                end: start + end,
                shape: shape.clone(),
                dtype: *dtype,
            };
            self.tensors.insert(name, place);
        }
        self.files.push((path.to_owned(), bytes));
        Ok(())
    }

    /// The files' paths and bytes.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.files
            .iter()
            .map(|(path, bytes)| (path.as_path(), &**bytes))
    }

    /// All tensors, by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.tensors.iter().map(|(name, place)| Entry {
            name: name.clone(),
            kind: format!("{:?}", place.dtype),
            bytes: (place.end - place.begin) as u64,
        })
    }

    /// Whether there is such a tensor of a kind that can be read.
    pub(crate) fn check(&self, name: &str) -> Result<Option<&[usize]>, Error> {
        let Some(place) = self.tensors.get(name) else {
            return Ok(None);
        };
        if !matches!(place.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(Error::Unsupported(Fault::new(
                &self.files[place.file].0,
                name,
                format!("tensors of the kind {:?} are not known here", place.dtype),
                "store them as F32, F16 or BF16",
            )));
        }
        Ok(Some(&place.shape))
    }

    /// A tensor's values.
    pub(crate) fn tensor(&self, name: &str) -> Result<Option<Tensor>, Error> {
        let Some(shape) = self.check(name)? else {
            return Ok(None);
        };
        let place = &self.tensors[name];
        let (path, file) = &self.files[place.file];
        let Some(bytes) = file.get(place.begin..place.end) else {
            return Err(Error::damaged(
                path,
                name,
                "lies beyond the end of the file",
            ));
        };
        let shape = shape.to_vec();
        let data = match place.dtype {
            Dtype::F16 => pairs(bytes)
                .map(|b| half::f16::from_le_bytes(b).to_f32())
                .collect(),
            Dtype::BF16 => pairs(bytes)
                .map(|b| half::bf16::from_le_bytes(b).to_f32())
                .collect(),
            _ => bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&b| f32::from_le_bytes(b))
                .collect(),
        };
        Ok(Some(Tensor { shape, data }))
    }
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = [u8; 2]> {
    bytes.as_chunks::<2>().0.iter().copied()
}

/// The files that an index names, each once, in order.
///
/// # Errors
/// `Error::Damaged` for what is no index, or names files elsewhere than beside it.
pub(crate) fn shards(index: &Path) -> Result<Vec<String>, Error> {
    let text = std::fs::read_to_string(index).map_err(|e| Error::io(index, "read", e))?;
    let bad = |problem: &str| Error::Damaged(Fault::new(index, "weight_map", problem, FETCH_AGAIN));
    let value: Value = serde_json::from_str(&text).map_err(|_| bad("is not JSON"))?;
    let map = value
        .get("weight_map")
        .and_then(Value::as_object)
        .ok_or_else(|| bad("is missing"))?;
    let mut names: Vec<String> = map
        .values()
        .map(|v| v.as_str().filter(|n| plain(n)).map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| bad("names something that is not a file beside it"))?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether a name is that of a file in the same folder.
pub(crate) fn plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}
