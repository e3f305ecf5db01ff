//! Where the files of a model lie.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::names::{CONFIG, GENERATION, INDEX, WEIGHTS};
use crate::config::Config;
use crate::error::{Error, Fault};
use crate::gguf::Shard;
use crate::safetensors::shards;
use crate::sha256;

/// Files read as text, of which the sums are kept.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) sums: BTreeMap<String, String>,
}

impl Texts {
    pub(super) fn read(&mut self, file: &Path) -> Result<String, Error> {
        let text = fs::read_to_string(file).map_err(|e| Error::io(file, "read", e))?;
        self.note(&name(file), &text);
        Ok(text)
    }

    pub(super) fn note(&mut self, name: &str, text: &str) {
        self.sums
            .insert(name.to_owned(), sha256::of(text.as_bytes()));
    }
}

/// A file's name without its folder.
pub(super) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The file in a folder that has the weights.
pub(super) fn weights_in(folder: &Path) -> Result<PathBuf, Error> {
    for name in [WEIGHTS, INDEX] {
        let path = folder.join(name);
        if path.exists() {
            return Ok(path);
        }
    }
    let listing = fs::read_dir(folder).map_err(|e| Error::io(folder, "read", e))?;
    let mut found: Vec<PathBuf> = listing
        .flatten()
        .map(|entry| entry.path())
        .filter(|p| p.extension().is_some_and(|e| e == "gguf"))
        .collect();
    // Shards of one model count once.
    found.sort();
    found.dedup_by_key(|path| match Shard::of(&name(path)) {
        Some(shard) => Ok(shard),
        None => Err(path.clone()),
    });
    let mend = format!("it must have {WEIGHTS}, {INDEX} or a .gguf file");
    let (problem, mend) = match (found.pop(), found.is_empty()) {
        (Some(one), true) => return Ok(one),
        (None, _) => ("has no weights", mend.as_str()),
        (Some(_), false) => ("has several .gguf files", "give the path of one of them"),
    };
    Err(Error::Missing(Fault::new(
        folder,
        "the folder",
        problem,
        mend,
    )))
}

/// Of a shard that an index beside it names, the index; else the file itself.
pub(super) fn whole_of(path: &Path) -> PathBuf {
    let index = path.with_file_name(INDEX);
    match shards(&index) {
        Ok(shards) if shards.contains(&name(path)) => index,
        _ => path.to_owned(),
    }
}

/// A file in the same folder.
pub(super) fn beside(path: &Path, name: &str) -> Result<PathBuf, Error> {
    let file = path.with_file_name(name);
    if file.exists() {
        return Ok(file);
    }
    let mend = format!("put the model's {name} beside {}", path.display());
    Err(Error::Missing(Fault::new(
        &file,
        "the file",
        "does not exist",
        mend,
    )))
}

pub(super) fn config_beside(weights: &Path, texts: &mut Texts) -> Result<Config, Error> {
    let file = beside(weights, CONFIG)?;
    let mut config = Config::from_json(&file, &texts.read(&file)?)?;
    // Chat models name further ends of a text here only.
    if let Ok(file) = beside(weights, GENERATION) {
        let value: Value = serde_json::from_str(&texts.read(&file)?)
            .map_err(|e| Error::damaged(&file, "the file", format!("is not JSON: {e}")))?;
        let ends = match value.get("eos_token_id") {
            Some(Value::Array(ends)) => ends.as_slice(),
            Some(end) => std::slice::from_ref(end),
            None => &[],
        };
        let ids = ends.iter().filter_map(Value::as_u64);
        config.add_ends(ids.filter_map(|end| u32::try_from(end).ok()));
    }
    Ok(config)
}
