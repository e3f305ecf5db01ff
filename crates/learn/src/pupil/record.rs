//! What a round leaves in the run's folder: `weights/N`, a model's folder, and `weights/N.json`, which says what it came of.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lm::Checkpoint;
use mutate::{Error, Learned};
use serde::{Deserialize, Serialize};

use super::unlearned;

/// What a round came of, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Of lessons, settings, seed and base: of what the round is a function.
    pub fingerprint: String,
    /// The SHA-256 of the model's file; empty where there was nothing to learn.
    pub model: String,
    /// Whether the trial was held.
    pub decided: bool,
    /// What it came to.
    #[serde(flatten)]
    pub learned: Learned,
}

/// Where the files of a round are.
pub(super) struct Files {
    /// The model's folder.
    pub model: PathBuf,
    /// The state of a training that is not at its end.
    pub training: PathBuf,
    /// Its losses, as TensorBoard reads them and as JSON lines.
    pub metrics: PathBuf,
    record: PathBuf,
}

impl Files {
    /// Those of a round in the folder of all.
    pub fn new(folder: &Path, number: u32) -> Self {
        Self {
            model: folder.join(number.to_string()),
            training: folder.join(format!("{number}.training")),
            metrics: folder.join(format!("{number}.metrics")),
            record: folder.join(format!("{number}.json")),
        }
    }

    /// The record of the round, if its model is there as well or not needed.
    ///
    /// # Errors
    /// A record that cannot be read, one of another round or run, a model that is not the one that was written.
    pub fn read(&self, fingerprint: &str) -> Result<Option<Record>, Error> {
        let text = match fs::read_to_string(&self.record) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.fault(&self.record, &e.to_string())),
        };
        let record: Record = serde_json::from_str(&text)
            .map_err(|e| self.fault(&self.record, &format!("is damaged: {e}")))?;
        if record.fingerprint != fingerprint {
            let why = "is of another run, or of other settings or lessons than this run's round";
            return Err(self.fault(&self.record, why));
        }
        let needs_model = !record.model.is_empty() && (record.learned.kept || !record.decided);
        if !needs_model {
            return Ok(Some(record));
        }
        if !self.model.exists() {
            return Ok(None);
        }
        let there = Checkpoint::open(&self.model)
            .map_err(|e| self.fault(&self.model, &format!("cannot be used: {e}")))?;
        match there.sha256() == record.model {
            true => Ok(Some(record)),
            false => Err(self.fault(&self.model, "is not the model that the round wrote")),
        }
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, record: &Record) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(record).expect("plain data");
        let part = self.record.with_extension("json.part");
        fs::write(&part, text + "\n")
            .and_then(|()| fs::rename(&part, &self.record))
            .map_err(|e| unwritable(&self.record, &e))
    }

    /// Makes the folder of all rounds.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn make_folder(&self) -> Result<(), Error> {
        let folder = self.record.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|e| unwritable(folder, &e))
    }

    /// Removes a training's state, which its end makes useless.
    pub fn forget_training(&self) {
        let _ = fs::remove_dir_all(&self.training);
    }

    /// Removes a model that was not kept.
    pub fn forget_model(&self) {
        let _ = fs::remove_dir_all(&self.model);
    }

    fn fault(&self, path: &Path, why: &str) -> Error {
        Error::Learning(format!(
            "{} {why}; move it and {} away: `samara resume` learns the round again",
            path.display(),
            match path == self.record {
                true => self.model.display(),
                false => self.record.display(),
            }
        ))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::Learning(format!(
        "{}: {error}; make the folder writable or make room, then go on with `samara resume`",
        path.display()
    ))
}

impl Record {
    /// The record of a model just written.
    ///
    /// # Errors
    /// It cannot be read back.
    pub fn of(fingerprint: &str, files: &Files, learned: Learned) -> Result<Self, Error> {
        let model = Checkpoint::open(&files.model).map_err(unlearned)?.sha256();
        Ok(Self {
            fingerprint: fingerprint.to_owned(),
            model,
            decided: false,
            learned,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_not_the_rounds_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path(), 3);
        assert_eq!(files.read("a").unwrap(), None);
        let record = Record {
            fingerprint: "a".to_owned(),
            model: String::new(),
            decided: true,
            learned: Learned {
                loss: Some(0.1 + 0.2),
                ..Learned::default()
            },
        };
        files.write(&record).unwrap();
        assert_eq!(files.read("a").unwrap(), Some(record));
        let error = files.read("b").unwrap_err().to_string();
        assert!(
            error.contains("3.json") && error.contains("another run"),
            "{error}"
        );
        fs::write(folder.path().join("3.json"), "{").unwrap();
        let error = files.read("a").unwrap_err().to_string();
        assert!(
            error.contains("3.json") && error.contains("damaged"),
            "{error}"
        );
    }

    #[test]
    fn a_model_that_is_half_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path(), 1);
        let record = Record {
            fingerprint: "a".to_owned(),
            model: "sum".to_owned(),
            decided: false,
            learned: Learned::default(),
        };
        files.write(&record).unwrap();
        assert_eq!(files.read("a").unwrap(), None, "the model is made again");
        fs::create_dir(&files.model).unwrap();
        fs::write(files.model.join("config.json"), "{}").unwrap();
        let error = files.read("a").unwrap_err().to_string();
        assert!(
            error.contains("cannot be used") && error.contains("samara resume"),
            "{error}"
        );
    }
}
