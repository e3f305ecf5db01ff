//! Which model an adapter changes.

use std::path::{Path, PathBuf};

use super::ADAPTER_CONFIG;
use crate::builtin;
use crate::error::{Error, Fault};
use crate::pull;
use crate::safetensors::plain;

/// The path of the base that is named so: a path, absolute, from the adapter's folder or from the working directory; else what
/// was pulled by that name, which may be a model hub's, `ORG/NAME`.
///
/// # Errors
/// `Error::Missing` where it is not at hand, with the way to have it.
pub(super) fn find(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    find_in(folder, name, pull::cache_folder)
}

fn find_in(
    folder: &Path,
    name: &str,
    cache: impl Fn() -> Result<PathBuf, Error>,
) -> Result<PathBuf, Error> {
    // An absolute path stays so when joined.
    for path in [folder.join(name), PathBuf::from(name)] {
        if path.exists() {
            return Ok(path);
        }
    }
    if builtin::of(name).is_some() {
        return Ok(PathBuf::from(name));
    }
    let missing = |mend: String| {
        let file = folder.join(ADAPTER_CONFIG);
        let problem = format!("names {name}, which is not at hand");
        let fault = Fault::new(&file, "base_model_name_or_path", problem, mend);
        Error::Missing(fault)
    };
    let on_hub = matches!(name.split_once('/'), Some((org, name)) if plain(org) && plain(name));
    let pulled = match on_hub {
        true => format!("hf:{name}"),
        false => name.to_owned(),
    };
    pull::resolve(&pulled, &cache()?).map_err(|_| {
        missing(match is_known(&pulled) || pulled.starts_with("hf:") {
            true => format!("fetch it with `samara model pull {pulled}`, or write there its path"),
            false => "write there the path of the model that it changes".to_owned(),
        })
    })
}

fn is_known(name: &str) -> bool {
    builtin::of(name).is_some() || pull::KNOWN.iter().any(|known| known.name == name)
}

/// How a base is written into an adapter's files: a model on disk by the whole path of its folder or `.gguf` file, one of a model
/// hub as `ORG/NAME`, others by their name.
pub(super) fn written(base: &str) -> String {
    if let Some(on_hub) = base.strip_prefix("hf:") {
        let whole = !on_hub.contains(':');
        return if whole { on_hub } else { base }.to_owned();
    }
    // A known name goes before a folder of that name, as where a model is opened.
    let Some(path) = (!is_known(base))
        .then(|| Path::new(base).canonicalize().ok())
        .flatten()
    else {
        return base.to_owned();
    };
    let in_folder = path.is_file() && path.extension().is_none_or(|ending| ending != "gguf");
    let whole = match path.parent() {
        Some(folder) if in_folder => folder,
        _ => &path,
    };
    whole.to_str().unwrap_or(base).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder beside the adapter's goes before the cache, which knows what was pulled by a hub's name or its own.
    #[test]
    fn where_a_base_is_found() {
        let work = tempfile::tempdir().unwrap();
        let (folder, cache) = (work.path().join("adapter"), work.path().join("cache"));
        let cached = cache.join("models/hf--org--name");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&cached).unwrap();
        let find = |name: &str| find_in(&folder, name, || Ok(cache.clone()));
        let error = find("org/name").unwrap_err().to_string();
        assert!(error.contains("samara model pull hf:org/name"), "{error}");
        for file in ["model.safetensors", "q.gguf"] {
            std::fs::write(cached.join(file), "").unwrap();
        }
        assert_eq!(find("org/name").unwrap(), cached);
        assert_eq!(find("hf:org/name").unwrap(), cached);
        assert_eq!(find("hf:org/name:q.gguf").unwrap(), cached.join("q.gguf"));
        assert_eq!(find("../cache").unwrap(), folder.join("../cache"));
        assert_eq!(find(cache.to_str().unwrap()).unwrap(), cache);
        let error = find("smollm2-135m").unwrap_err().to_string();
        assert!(error.contains("samara model pull smollm2-135m"), "{error}");
        std::fs::create_dir_all(folder.join("org/name")).unwrap();
        assert_eq!(find("org/name").unwrap(), folder.join("org/name"));
    }
}
