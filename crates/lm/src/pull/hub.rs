//! Models on a hub that serves files as Hugging Face's does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Progress;
use super::download::{Client, fault, io};
use super::http::is_loopback;
use crate::error::Error;
use crate::gguf::Shard;
use crate::safetensors::{plain, shards};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Holds the version that the files of an unfinished folder are of.
const VERSION: &str = ".version";

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

/// One version of a model on a hub.
struct Version {
    /// The commit; `main` where the hub does not tell.
    commit: String,
    /// SHA-256 of its large files, in hexadecimal.
    sums: BTreeMap<String, String>,
}

/// What a hub tells of a model.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: String,
}

impl Version {
    /// The newest of a model; a server without the hub's interface still serves its files.
    fn newest(client: &Client, endpoint: &str, model: &Model) -> Result<Self, Error> {
        let url = format!(
            "{endpoint}/api/models/{}/{}?blobs=true",
            model.org, model.name
        );
        let text = match client.text(&url, "application/json") {
            Ok((text, _)) => text,
            Err(Error::Missing(_)) => {
                return Ok(Self {
                    commit: "main".to_owned(),
                    sums: BTreeMap::new(),
                });
            }
            Err(e) => return Err(e),
        };
        let listing: Listing = serde_json::from_str(&text)
            .ok()
            .filter(|Listing { sha, .. }| {
                !sha.is_empty() && sha.chars().all(|c| c.is_ascii_hexdigit())
            })
            .ok_or_else(|| {
                let problem = "is not what a hub answers";
                Error::Pull(fault(
                    &url,
                    "the list of files",
                    problem,
                    "check HF_ENDPOINT",
                ))
            })?;
        let sums = listing.siblings.into_iter();
        Ok(Self {
            commit: listing.sha,
            sums: sums
                .filter_map(|file| Some((file.rfilename, file.lfs?.sha256)))
                .collect(),
        })
    }

    /// Throws away what a folder has of another version.
    fn claim(&self, folder: &Path) -> Result<(), Error> {
        let note = folder.join(VERSION);
        if fs::read_to_string(&note).is_ok_and(|noted| noted == self.commit) {
            return Ok(());
        }
        for file in fs::read_dir(folder)
            .map_err(|e| io(folder, "read", e))?
            .flatten()
        {
            let path = file.path();
            let ours = |kind: &str| path.extension().is_some_and(|e| e == kind);
            if ours("safetensors") || ours("json") {
                fs::remove_file(&path).map_err(|e| io(&path, "removed", e))?;
            }
        }
        fs::write(&note, &self.commit).map_err(|e| io(&note, "written", e))
    }
}

/// Fetches the newest version of a model into a folder and returns the path to open.
///
/// All files are of one version, and the large ones are checked against the sums that the hub tells.
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
    if token.is_some() {
        protected(endpoint)?;
    }
    let client = Client::new(token);
    let endpoint = endpoint.trim_end_matches('/');
    let version = Version::newest(&client, endpoint, model)?;
    let base = format!(
        "{endpoint}/{}/{}/resolve/{}",
        model.org, model.name, version.commit
    );
    let mut get = |name: &str, path: &Path| {
        let sum = version.sums.get(name).map(String::as_str);
        client.file(&format!("{base}/{name}"), path, sum, progress)
    };
    if let Some(file) = model.file {
        // The one that was asked for comes last: it says that all are there.
        for shard in Shard::all(file).iter().filter(|shard| *shard != file) {
            let path = folder.join(shard);
            if !path.exists() {
                get(shard, &path)?;
            }
        }
        let path = folder.join(file);
        get(file, &path)?;
        return Ok(path);
    }
    version.claim(folder)?;
    for name in ["config.json", "tokenizer.json"] {
        get(name, &folder.join(name))?;
    }
    // Not every model has it.
    let ends = "generation_config.json";
    optional(get(ends, &folder.join(ends)))?;
    // The weights come last: they say that all is there.
    if !optional(get(WEIGHTS, &folder.join(WEIGHTS)))? {
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
    }
    let _ = fs::remove_file(folder.join(VERSION));
    Ok(folder.to_owned())
}

/// A token crosses the network over https only.
fn protected(endpoint: &str) -> Result<(), Error> {
    let url = url::Url::parse(endpoint).ok();
    let safe =
        url.is_some_and(|url| url.scheme() == "https" || url.host_str().is_some_and(is_loopback));
    if safe {
        return Ok(());
    }
    let problem = "would cross the network unprotected";
    let mend = "give HF_ENDPOINT an https address, or unset HF_TOKEN to ask without it";
    Err(Error::Pull(fault(endpoint, "HF_TOKEN", problem, mend)))
}

/// Whether a file was there.
fn optional(got: Result<(), Error>) -> Result<bool, Error> {
    match got {
        Ok(()) => Ok(true),
        Err(Error::Missing(_)) => Ok(false),
        Err(e) => Err(e),
    }
}
