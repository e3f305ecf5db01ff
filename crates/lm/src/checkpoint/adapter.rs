//! Low-rank changes of a model's weights in PEFT's files: `adapter_config.json`, which names the model that they change,
//! and `adapter_model.safetensors` beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};
use sha2::{Digest, Sha256};

use super::names::{ADAPTER, ADAPTER_CONFIG};
use crate::bytes::Bytes;
use crate::config::Config;
use crate::error::{Error, FETCH_AGAIN, Fault};
use crate::llama::Llama;
use crate::safetensors::Files;
use crate::sha256;
use crate::tensor::Tensor;
use settings::Settings;

mod base;
mod save;
mod settings;

pub use save::save_adapter;

/// A low-rank change of a model (LoRA, Hu et al. 2021): `scale * B A` is added to some of its matrices.
pub struct Adapter {
    folder: PathBuf,
    base: PathBuf,
    files: Files,
    /// By the names of the weights that change.
    changes: BTreeMap<String, Change>,
}

/// Of one weight.
struct Change {
    /// The tensors' names in the file.
    a: String,
    b: String,
    rank: usize,
    scale: f32,
}

/// Adapters of adapters, at most.
const MOST: usize = 8;

impl Adapter {
    /// Opens a folder with an adapter, and with those that its base is made of, which stand before it; at least one.
    ///
    /// # Errors
    /// As [`Self::open`], and `Error::Unsupported` where there is no end of them.
    pub(super) fn chain(folder: &Path) -> Result<Vec<Self>, Error> {
        let mut chain = vec![Self::open(folder)?];
        while let base = chain[chain.len() - 1].base.clone()
            && base.join(ADAPTER_CONFIG).exists()
        {
            if chain.len() == MOST {
                let problem = "names adapters without an end";
                let mend = "write there the path of a whole model";
                let config = base.join(ADAPTER_CONFIG);
                let fault = Fault::new(&config, "base_model_name_or_path", problem, mend);
                return Err(Error::Unsupported(fault));
            }
            chain.push(Self::open(&base)?);
        }
        chain.reverse();
        Ok(chain)
    }

    /// Opens a folder with an adapter, and finds the model that it changes.
    ///
    /// # Errors
    /// Whatever is missing or damaged, `Error::Unsupported` for changes of other kinds.
    fn open(folder: &Path) -> Result<Self, Error> {
        let settings = Settings::read(&folder.join(ADAPTER_CONFIG))?;
        let path = folder.join(ADAPTER);
        if !path.exists() {
            let mend = match folder.join("adapter_model.bin").exists() {
                true => {
                    "write the adapter again as safetensors; adapter_model.bin is not read here"
                }
                false => "put it beside adapter_config.json",
            };
            let fault = Fault::new(&path, "the file", "does not exist", mend);
            return Err(Error::Missing(fault));
        }
        let files = Files::new(&path, Bytes::map(&path)?)?;
        let changes = changes(&files, &settings, &path)?;
        Ok(Self {
            base: base::find(folder, &settings.base)?,
            folder: folder.to_owned(),
            files,
            changes,
        })
    }

    /// Whether everything in it changes a matrix of such a model.
    ///
    /// # Errors
    /// `Error::Unsupported` for what changes something else, `Error::Tensor` for another shape.
    pub(super) fn check(&self, config: &Config) -> Result<(), Error> {
        let path = self.folder.join(ADAPTER);
        let shapes: BTreeMap<_, _> = Llama::shapes(config).into_iter().collect();
        for (name, change) in &self.changes {
            let matrix = shapes.get(name).filter(|shape| shape.len() == 2);
            let Some(&[rows, columns]) = matrix.map(Vec::as_slice) else {
                let problem = match name.as_str() {
                    // The embedding would change with it.
                    "lm_head.weight" => "changes a head that is the base's embedding too",
                    _ => "changes nothing that the base has",
                };
                let mend = "train the seven linear layers, or give the base that it was made for";
                let fault = Fault::new(&path, &change.a, problem, mend);
                return Err(Error::Unsupported(fault));
            };
            for (part, right) in [
                (&change.a, [change.rank, columns]),
                (&change.b, [rows, change.rank]),
            ] {
                let shape = self.files.check(part)?.unwrap_or_default();
                if shape != right {
                    let problem = format!("is of shape {shape:?}, not {right:?}");
                    let mend = "give the base that the adapter was made for";
                    let field = format!("tensor {part}");
                    return Err(Error::Tensor(Fault::new(&path, field, problem, mend)));
                }
            }
        }
        Ok(())
    }

    /// Adds the change of a weight to it, term by term in the order of the ranks, as a trainer does.
    pub(super) fn add(&self, name: &str, weight: &mut Tensor) -> Result<(), Error> {
        let Some(change) = self.changes.get(name) else {
            return Ok(());
        };
        let read = |part: &str| {
            let missing = || Error::damaged(&self.weights_path(), part, "is missing");
            self.files.tensor(part)?.ok_or_else(missing)
        };
        let (a, b) = (read(&change.a)?, read(&change.b)?);
        let columns = weight.shape[1];
        let rows = weight.data.par_chunks_exact_mut(columns);
        rows.zip(b.data.par_chunks_exact(change.rank))
            .for_each(|(row, b)| {
                for (a, b) in a.data.chunks_exact(columns).zip(b) {
                    let factor = change.scale * b;
                    row.iter_mut().zip(a).for_each(|(x, a)| *x += factor * a);
                }
            });
        Ok(())
    }

    /// The sum of what it changes: of its tensors' file, and of every change's name and scale.
    pub(super) fn sha256(&self) -> String {
        let mut sum = Sha256::new();
        for (_, bytes) in self.files.files() {
            sum.update(sha256::of(bytes));
        }
        for (name, change) in &self.changes {
            sum.update(format!("\n{name} {:?}", change.scale));
        }
        sha256::hex(&sum.finalize())
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Its file of tensors.
    pub(super) fn weights_path(&self) -> PathBuf {
        self.folder.join(ADAPTER)
    }

    /// The model that it changes, as `Checkpoint::open` took it.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The largest rank of its changes.
    pub fn rank(&self) -> usize {
        let ranks = self.changes.values().map(|change| change.rank);
        ranks.max().unwrap_or_default()
    }

    /// How many matrices it changes.
    pub fn matrices(&self) -> usize {
        self.changes.len()
    }

    /// Numbers in it.
    pub fn parameters(&self) -> u64 {
        let parts = self.changes.values().flat_map(|c| [&c.a, &c.b]);
        let shapes = parts.filter_map(|name| self.files.check(name).ok().flatten());
        shapes
            .map(|shape| shape.iter().product::<usize>() as u64)
            .sum()
    }
}

/// Pairs the tensors of a file, all of which must be halves of a change.
fn changes(
    files: &Files,
    settings: &Settings,
    path: &Path,
) -> Result<BTreeMap<String, Change>, Error> {
    let mut halves: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for entry in files.entries() {
        let Some((module, half)) = taken_apart(&entry.name) else {
            let problem = "is no low-rank change of a linear layer (lora_A, lora_B)";
            let mend = "merge it into the model where it was trained, and give that";
            let fault = Fault::new(path, format!("tensor {}", entry.name), problem, mend);
            return Err(Error::Unsupported(fault));
        };
        let place = &mut halves.entry(module.to_owned()).or_default()[half];
        if let Some(other) = place.replace(entry.name.clone()) {
            let problem = format!("changes the same as {other}");
            let mend = "give a file with one adapter";
            let fault = Fault::new(path, format!("tensor {}", entry.name), problem, mend);
            return Err(Error::Unsupported(fault));
        }
    }
    if halves.is_empty() {
        return Err(Error::damaged(path, "the file", "has no tensors"));
    }
    let mut changes = BTreeMap::new();
    for (module, halves) in halves {
        let [Some(a), Some(b)] = halves else {
            let field = format!("lora_A and lora_B of {module}");
            return Err(Error::damaged(path, field, "are not both there"));
        };
        let rank = match files.check(&a)? {
            Some(&[rank, _]) if rank > 0 => rank,
            shape => {
                let problem = format!("is of shape {:?}, no matrix", shape.unwrap_or_default());
                return Err(Error::damaged(path, format!("tensor {a}"), problem));
            }
        };
        let scale = settings.scale(&module, rank)?;
        let change = Change { a, b, rank, scale };
        changes.insert(format!("{module}.weight"), change);
    }
    Ok(changes)
}

/// The module of a tensor such as `base_model.model.MODULE.lora_A.weight`, or `MODULE.lora_A.default.weight`, and whether it is
/// A (0) or B (1).
fn taken_apart(name: &str) -> Option<(&str, usize)> {
    let inner = name.strip_prefix("base_model.model.").unwrap_or(name);
    let halves = [".lora_A.", ".lora_B."].into_iter().enumerate();
    halves
        .filter_map(|(half, mark)| {
            let (module, rest) = inner.split_once(mark)?;
            let adapter = rest.strip_suffix("weight")?.trim_end_matches('.');
            (!adapter.contains('.')).then_some((module, half))
        })
        .next()
}

/// A JSON file's object.
fn object(path: &Path) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::io(path, "read", e))?;
    serde_json::from_str(&text).map_err(|e| {
        let problem = format!("is no JSON object ({e})");
        Error::Damaged(Fault::new(path, "the file", problem, FETCH_AGAIN))
    })
}

#[cfg(test)]
mod tests {
    use super::taken_apart;

    #[test]
    fn names_of_halves() {
        let module = "model.layers.0.mlp.up_proj";
        for (name, half) in [
            (
                "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight",
                0,
            ),
            (
                "base_model.model.model.layers.0.mlp.up_proj.lora_B.default.weight",
                1,
            ),
            ("model.layers.0.mlp.up_proj.lora_B.weight", 1),
        ] {
            assert_eq!(taken_apart(name), Some((module, half)), "{name}");
        }
        for name in [
            "base_model.model.model.embed_tokens.lora_embedding_A",
            "base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector",
            "base_model.model.model.layers.0.mlp.up_proj.lora_B.bias",
            "base_model.model.model.layers.0.mlp.up_proj.lora_A.a.b.weight",
            "base_model.model.lm_head.weight",
        ] {
            assert_eq!(taken_apart(name), None, "{name}");
        }
    }
}
