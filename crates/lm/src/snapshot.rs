//! A learner's state in a folder: `about.json`, and tensors by name in files of their own. A folder is written whole, or not at all.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bytes::Bytes;
use crate::error::{Error, Fault};
use crate::safetensors::Files;
use crate::sha256;
use crate::tensor::Tensor;
use crate::whole;

const ABOUT: &str = "about.json";
const ENDING: &str = ".safetensors";

/// Tensors by name.
pub type Tensors = Vec<(String, Tensor)>;

/// What stands in a folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Whatever else is known, as JSON.
    pub about: Value,
    /// Files by name, without their ending, and their tensors.
    pub files: Vec<(String, Tensors)>,
}

impl Snapshot {
    /// Writes it in place of what is there.
    ///
    /// # Errors
    /// `Error::Unsupported` for a folder with other files, which would be lost; `Error::Io`.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        refuse_strangers(folder)?;
        let folder = whole::place(folder)?;
        whole::replace(&folder, |part| {
            let mut sums = serde_json::Map::new();
            for (name, tensors) in &self.files {
                let path = part.join(format!("{name}{ENDING}"));
                whole::write_tensors(&path, tensors)?;
                sums.insert(name.clone(), sha256::of(&Bytes::map(&path)?).into());
            }
            let about = serde_json::json!({"about": self.about, "files": sums});
            let text = serde_json::to_string_pretty(&about).unwrap_or_default();
            whole::write_text(&part.join(ABOUT), &text)
        })
    }

    /// Reads what stands in a folder; nothing where it does not exist or is empty.
    ///
    /// # Errors
    /// `Error::Damaged` for files that are not as they were written.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        whole::recover(folder);
        refuse_strangers(folder)?;
        let path = folder.join(ABOUT);
        if whole::stranger(folder, |_| false)?.is_none() {
            return Ok(None);
        }
        let damaged = |path: &Path, problem: String| {
            let mend = "remove the folder to begin again, or give another";
            Error::Damaged(Fault::new(path, "the file", problem, mend))
        };
        let text = fs::read_to_string(&path)
            .map_err(|e| damaged(&path, format!("cannot be read ({e})")))?;
        let mut about: Value =
            serde_json::from_str(&text).map_err(|e| damaged(&path, format!("is no JSON ({e})")))?;
        let sums = about["files"].take();
        let Some(sums) = sums.as_object() else {
            return Err(damaged(&path, "names no files".to_owned()));
        };
        let mut files = Vec::new();
        for (name, sum) in sums {
            let path = folder.join(format!("{name}{ENDING}"));
            let bytes = path.exists().then(|| Bytes::map(&path)).transpose()?;
            let Some(bytes) = bytes.filter(|bytes| sum.as_str() == Some(&sha256::of(bytes))) else {
                return Err(damaged(&path, "is not as it was written".to_owned()));
            };
            files.push((name.clone(), tensors(&path, bytes)?));
        }
        Ok(Some(Self {
            about: about["about"].take(),
            files,
        }))
    }

    /// The tensors of a file; none where there is no such file.
    pub fn take(&mut self, name: &str) -> Tensors {
        let file = self.files.iter_mut().find(|(own, _)| own == name);
        file.map(|(_, tensors)| std::mem::take(tensors))
            .unwrap_or_default()
    }

    /// Removes a folder, where it is one.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn remove(folder: &Path) -> Result<(), Error> {
        refuse_strangers(folder)?;
        whole::removed(folder)
    }
}

/// All tensors of a safetensors file.
///
/// # Errors
/// `Error::Damaged` for a file that is none, `Error::Io`.
pub fn read_tensors(path: &Path) -> Result<Tensors, Error> {
    tensors(path, Bytes::map(path)?)
}

fn tensors(path: &Path, bytes: Bytes) -> Result<Tensors, Error> {
    let files = Files::new(path, bytes)?;
    let mut all = Vec::new();
    for entry in files.entries() {
        if let Some(tensor) = files.tensor(&entry.name)? {
            all.push((entry.name, tensor));
        }
    }
    Ok(all)
}

/// Writes tensors as a safetensors file (F32) that takes its name when it is whole.
///
/// # Errors
/// `Error::Io`.
pub fn write_tensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Error> {
    let part = path.with_extension("part");
    whole::write_tensors(&part, tensors)?;
    fs::rename(&part, path).map_err(|e| Error::io(path, "written", e))
}

fn refuse_strangers(folder: &Path) -> Result<(), Error> {
    let is_known = |name: &str| name == ABOUT || name.ends_with(ENDING);
    let Some(name) = whole::stranger(folder, is_known)? else {
        return Ok(());
    };
    let problem = "is no file of a learner's state, and would be lost";
    let mend = "give a folder that is new or empty";
    Err(Error::Unsupported(Fault::new(folder, name, problem, mend)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn some() -> Snapshot {
        let tensor = Tensor {
            shape: vec![2, 1],
            data: vec![1.5, -2.0],
        };
        Snapshot {
            about: json!({"iteration": 3}),
            files: vec![
                ("a".to_owned(), vec![("x".to_owned(), tensor.clone())]),
                ("b".to_owned(), vec![("y.z".to_owned(), tensor)]),
            ],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(Snapshot::read(&path).unwrap(), None);
        some().write(&path).unwrap();
        let mut read = Snapshot::read(&path).unwrap().unwrap();
        assert_eq!(read, some());
        assert_eq!(read.take("a"), some().files[0].1);
        assert!(read.take("c").is_empty());
        let other = Snapshot {
            about: json!(4),
            files: Vec::new(),
        };
        other.write(&path).unwrap();
        assert_eq!(Snapshot::read(&path).unwrap(), Some(other));
        Snapshot::remove(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn damage_and_strangers_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        some().write(&path).unwrap();
        let file = path.join("a.safetensors");
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        let error = Snapshot::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("a.safetensors") && error.contains("as it was written"),
            "{error}"
        );
        fs::write(path.join("mine.txt"), "x").unwrap();
        for error in [
            some().write(&path).unwrap_err(),
            Snapshot::remove(&path).unwrap_err(),
        ] {
            assert!(error.to_string().contains("mine.txt"), "{error}");
        }
    }
}
