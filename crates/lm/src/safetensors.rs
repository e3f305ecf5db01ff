//! Tensors of `.safetensors` files, memory-mapped; a sharded model is several of them with an index.

use std::collections::{BTreeMap, BTreeSet};
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
        files.add(path, bytes, |_| true)?;
        Ok(files)
    }

    /// All shards that `model.safetensors.index.json` names. Of a tensor that is in several files, that one counts which
    /// the index names for it.
    pub(crate) fn open_index(index: &Path) -> Result<Self, Error> {
        let mut files = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        let map = weight_map(index)?;
        for shard in each_once(&map) {
            let path = index.with_file_name(shard);
            if !path.exists() {
                let problem = format!("does not exist; {} names it", index.display());
                let mend = "put it beside the others";
                return Err(Error::Missing(Fault::new(&path, "the file", problem, mend)));
            }
            let bytes = Bytes::map(&path)?;
            files.add(&path, bytes, |name| {
                map.get(name).is_none_or(|named| named == shard)
            })?;
        }
        Ok(files)
    }

    fn add(
        &mut self,
        path: &Path,
        bytes: Bytes,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| {
            Error::damaged(
                path,
                "the header",
                format!("is not of a whole safetensors file ({e})"),
            )
        })?;
        let start = 8 + header;
        for (name, info) in metadata.tensors() {
            if !wanted(&name) {
                continue;
            }
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
            if let Some(other) = self.tensors.get(&name) {
                // The same again is no harm.
                let held = self.files[other.file].1.get(other.begin..other.end);
                if held.is_none() || held != bytes.get(place.begin..place.end) {
                    let field = format!("tensor {name}");
                    return Err(Error::damaged(
                        path,
                        field,
                        "is another one in another file",
                    ));
                }
                continue;
            }
            self.tensors.insert(name, place);
        }
        self.files.push((path.to_owned(), bytes));
        Ok(())
    }

    /// A tensor that is none of the configuration's, and no harm to leave out.
    pub(crate) fn stray(&self, used: impl Fn(&str) -> bool) -> Option<&str> {
        // What follows from the configuration, but once was stored; and a head that is said to be the embedding.
        let harmless = [".inv_freq", ".cos_cached", ".sin_cached", ".masked_bias"];
        let known = |name: &str| {
            used(name) || name == "lm_head.weight" || harmless.iter().any(|end| name.ends_with(end))
        };
        let mut names = self.tensors.keys().map(String::as_str);
        names.find(|name| !known(name))
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
        let Some(bytes) = file.whole(path)?.get(place.begin..place.end) else {
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

/// The file of each tensor, as an index has it.
///
/// # Errors
/// `Error::Damaged` for what is no index, or names files elsewhere than beside it.
fn weight_map(index: &Path) -> Result<BTreeMap<String, String>, Error> {
    let text = std::fs::read_to_string(index).map_err(|e| Error::io(index, "read", e))?;
    let bad = |problem: &str| Error::Damaged(Fault::new(index, "weight_map", problem, FETCH_AGAIN));
    let value: Value = serde_json::from_str(&text).map_err(|_| bad("is not JSON"))?;
    let map = value
        .get("weight_map")
        .and_then(Value::as_object)
        .ok_or_else(|| bad("is missing"))?;
    map.iter()
        .map(|(tensor, file)| {
            let file = file.as_str().filter(|name| plain(name))?;
            Some((tensor.clone(), file.to_owned()))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| bad("names something that is not a file beside it"))
}

/// The files that an index names, each once, in order.
///
/// # Errors
/// As [`weight_map`].
pub(crate) fn shards(index: &Path) -> Result<Vec<String>, Error> {
    Ok(each_once(&weight_map(index)?)
        .into_iter()
        .cloned()
        .collect())
}

fn each_once(map: &BTreeMap<String, String>) -> BTreeSet<&String> {
    map.values().collect()
}

/// Whether a name is that of a file in the same folder.
pub(crate) fn plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}
