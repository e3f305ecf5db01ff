//! Models on a hub that serves files as Hugging Face's does.

use std::fs;
use std::path::{Path, PathBuf};

use super::Progress;
use super::download::{Client, io};
use crate::error::Error;
use crate::safetensors::{plain, shards};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A model on a hub: a GGUF file, or the folder with its safetensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model<'a> {
    /// Who publishes it.
    pub org: &'a str,
    /// Its name there.
    pub name: &'a str,
    /// The one file wanted.
    pub file: Option<&'a str>,
}

impl<'a> Model<'a> {
    /// Reads `hf:ORG/NAME` or `hf:ORG/NAME:FILE.gguf`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("hf:")?;
        let (repository, file) = match rest.split_once(':') {
            Some((repository, file)) => (repository, Some(file)),
            None => (rest, None),
        };
        let (org, name) = repository.split_once('/')?;
        // Folders hold both names with "--" between them.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let good = |part: &str| plain(part) && part.chars().all(allowed) && !part.contains("--");
        let sound = file.is_none_or(|file| good(file) && file.ends_with(".gguf"));
        (good(org) && good(name) && sound).then_some(Self { org, name, file })
    }

    /// Name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("hf--{}--{}", self.org, self.name)
    }
}

/// The name of the model in such a folder.
pub(super) fn name_of(folder: &str) -> Option<String> {
    let (org, name) = folder.strip_prefix("hf--")?.split_once("--")?;
    Some(format!("hf:{org}/{name}"))
}

/// The hub's address: `$HF_ENDPOINT`, else Hugging Face.
pub fn endpoint() -> String {
    let set = std::env::var("HF_ENDPOINT")
        .ok()
        .filter(|url| !url.is_empty());
    set.unwrap_or_else(|| "https://huggingface.co".to_owned())
}

/// Fetches a model into a folder and returns the path to open.
///
/// # Errors
/// `Error::Missing` for what the hub does not have, `Error::Pull` for what it does not give, `Error::Io`.
pub fn fetch(
    model: &Model,
    endpoint: &str,
    token: Option<&str>,
    folder: &Path,
    progress: &mut Progress,
) -> Result<PathBuf, Error> {
    let client = Client::new(token);
    let base = format!(
        "{}/{}/{}/resolve/main",
        endpoint.trim_end_matches('/'),
        model.org,
        model.name
    );
    let mut get =
        |name: &str, path: &Path| client.file(&format!("{base}/{name}"), path, None, progress);
    if let Some(file) = model.file {
        let path = folder.join(file);
        get(file, &path)?;
        return Ok(path);
    }
    for name in ["config.json", "tokenizer.json"] {
        get(name, &folder.join(name))?;
    }
    // Not every model has it.
    let ends = "generation_config.json";
    optional(get(ends, &folder.join(ends)))?;
    // The weights come last: they say that all is there.
    if optional(get(WEIGHTS, &folder.join(WEIGHTS)))? {
        return Ok(folder.to_owned());
    }
    let hidden = folder.join(format!(".{INDEX}"));
    get(INDEX, &hidden)?;
    for shard in shards(&hidden)? {
        let path = folder.join(&shard);
        if !path.exists() {
            get(&shard, &path)?;
        }
    }
    let index = folder.join(INDEX);
    fs::rename(&hidden, &index).map_err(|e| io(&index, "written", e))?;
    Ok(folder.to_owned())
}

/// Whether a file was there.
fn optional(got: Result<(), Error>) -> Result<bool, Error> {
    match got {
        Ok(()) => Ok(true),
        Err(Error::Missing(_)) => Ok(false),
        Err(e) => Err(e),
    }
}
