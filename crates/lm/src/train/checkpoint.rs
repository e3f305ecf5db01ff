//! A training's state in a folder: `training.json`, `state.safetensors` and, where a held-out loss was measured,
//! `best.safetensors`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::supervised::{Data, Example, Place, Settings};
use super::{Trainer, Tree};
use crate::bytes::Bytes;
use crate::error::{Error, Fault};
use crate::safetensors::Files;
use crate::sha256;
use crate::tensor::Tensor;
use crate::whole;

const ABOUT: &str = "training.json";
const STATE: &str = "state.safetensors";
const BEST: &str = "best.safetensors";

/// Of the files; a higher one is another version's.
const FORMAT: u32 = 1;

/// Where a training keeps its state, and how often.
#[derive(Clone, Debug)]
pub struct Keep {
    /// A folder of its own, which is replaced whole each time.
    pub folder: PathBuf,
    /// Time between two checkpoints; one is written at the end too.
    pub every: Duration,
    /// What the model is that it began from: its files' sum, or its seed.
    pub model: String,
}

/// A training's state.
pub(super) struct Saved {
    pub place: Place,
    /// The trainer's.
    pub state: Vec<(String, Tensor)>,
    /// The weights of the smallest held-out loss.
    pub best: Option<Vec<(String, Tensor)>>,
}

/// `training.json`.
#[derive(Serialize, Deserialize)]
struct About {
    format: u32,
    /// Of what the training is made: see [`identity`].
    identity: String,
    place: Place,
    /// The SHA-256 of the tensors' files by name.
    files: Vec<(String, String)>,
}

/// What a training is a function of, as lines `name: sum`: settings, data, model, arithmetic.
pub(super) fn identity(
    trainer: &dyn Trainer,
    data: Data<'_>,
    settings: &Settings,
    model: &str,
) -> String {
    // What does not change the result.
    let settings = Settings {
        side_by_side: 0,
        ..settings.clone()
    };
    let settings = serde_json::to_string(&settings).unwrap_or_default();
    let mut shapes: Vec<String> = trainer.state().iter().map(shape).collect();
    shapes.sort_unstable();
    let config = trainer.config().to_json();
    [
        ("settings", settings),
        ("data", sum(data)),
        (
            "model",
            sha256::of(format!("{model}\n{config}{shapes:?}").as_bytes()),
        ),
        ("arithmetic", trainer.arithmetic()),
    ]
    .map(|(name, value)| format!("{name}: {value}\n"))
    .concat()
}

fn shape((name, tensor): &(String, Tensor)) -> String {
    format!("{name}{:?}", tensor.shape)
}

/// The SHA-256 of examples.
fn sum(data: Data<'_>) -> String {
    let mut sum = Sha256::new();
    for (examples, part) in [(data.examples, "examples"), (data.held_out, "held out")] {
        sum.update(format!("{part} {}\n", examples.len()));
        for Example { tree, weights } in examples {
            add(&mut sum, tree);
            weights.iter().for_each(|x| sum.update(x.to_le_bytes()));
        }
    }
    sha256::hex(&sum.finalize())
}

fn add(sum: &mut Sha256, tree: &Tree) {
    sum.update(format!(
        "tree {} {}\n",
        tree.prefix.len(),
        tree.branches.len()
    ));
    tree.prefix.iter().for_each(|x| sum.update(x.to_le_bytes()));
    let seen = tree.branches.iter().map(|branch| branch.seen);
    for (text, seen) in tree.texts().zip([0].into_iter().chain(seen)) {
        sum.update(format!("text {} {seen}\n", text.tokens.len()));
        for (token, chosen) in text.tokens.iter().zip(&text.chosen) {
            sum.update(token.to_le_bytes());
            sum.update([u8::from(*chosen)]);
        }
    }
}

impl Keep {
    /// Writes a state whole.
    pub(super) fn write(&self, identity: &str, saved: &Saved) -> Result<(), Error> {
        let folder = whole::place(&self.folder)?;
        self.refuse_strangers()?;
        whole::replace(&folder, |part| {
            let mut files = Vec::new();
            let best = saved.best.as_ref().map(|best| (BEST, best));
            for (name, tensors) in [(STATE, &saved.state)].into_iter().chain(best) {
                let path = part.join(name);
                whole::write_tensors(&path, tensors)?;
                files.push((name.to_owned(), sum_of(&path)?));
            }
            let about = About {
                format: FORMAT,
                identity: identity.to_owned(),
                place: saved.place.clone(),
                files,
            };
            let text = serde_json::to_string_pretty(&about).unwrap_or_default();
            whole::write_text(&part.join(ABOUT), &text)
        })
    }

    /// The state of the training of that identity; none where the folder does not exist or is empty.
    pub(super) fn read(&self, identity: &str) -> Result<Option<Saved>, Error> {
        whole::recover(&self.folder);
        let folder = &self.folder;
        self.refuse_strangers()?;
        if whole::stranger(folder, |_| false)?.is_none() {
            return Ok(None);
        }
        let path = folder.join(ABOUT);
        let mend = "remove the folder to begin again, or give another";
        let damaged = |path: &Path, field: &str, problem: String| {
            Error::Damaged(Fault::new(path, field, problem, mend))
        };
        let text = fs::read_to_string(&path)
            .map_err(|e| damaged(&path, "the file", format!("cannot be read ({e})")))?;
        let about: About = serde_json::from_str(&text)
            .map_err(|e| damaged(&path, "the file", format!("is no training's ({e})")))?;
        if about.format != FORMAT {
            let problem = format!("is {}, not {FORMAT}", about.format);
            let mend = "use the version that wrote it, or remove the folder to begin again";
            return Err(Error::Training(Fault::new(&path, "format", problem, mend)));
        }
        let mut lines = about.identity.lines().zip(identity.lines());
        if let Some((old, new)) = lines.find(|(old, new)| old != new) {
            return Err(other(&path, old, new));
        }
        let mut tensors = Vec::new();
        for (name, sum) in &about.files {
            let path = folder.join(name);
            if ![STATE, BEST].contains(&name.as_str()) || !path.exists() {
                return Err(damaged(&path, "the file", "is missing".to_owned()));
            }
            // An empty one cannot even be mapped.
            if !sum_of(&path).is_ok_and(|there| there == *sum) {
                return Err(damaged(
                    &path,
                    "the file",
                    "is not as it was written".to_owned(),
                ));
            }
            let files = Files::new(&path, Bytes::map(&path)?)?;
            let mut all = Vec::new();
            for entry in files.entries() {
                if let Some(tensor) = files.tensor(&entry.name)? {
                    all.push((entry.name, tensor));
                }
            }
            tensors.push(all);
        }
        let mut tensors = tensors.into_iter();
        let Some(state) = tensors.next() else {
            return Err(damaged(&path, "files", "names none".to_owned()));
        };
        Ok(Some(Saved {
            place: about.place,
            state,
            best: tensors.next(),
        }))
    }

    /// Whether a training is there to go on with, of whatever kind.
    pub fn exists(&self) -> bool {
        whole::recover(&self.folder);
        self.folder.join(ABOUT).exists()
    }

    /// Removes the training's folder, once it is done and what it made is saved.
    ///
    /// # Errors
    /// `Error::Training` for a folder with other files, `Error::Io`.
    pub fn remove(&self) -> Result<(), Error> {
        self.refuse_strangers()?;
        whole::removed(&self.folder)
    }

    /// Refuses a folder with files that are no training's, which would be lost.
    fn refuse_strangers(&self) -> Result<(), Error> {
        let is_known = |name: &str| [ABOUT, STATE, BEST].contains(&name);
        let Some(name) = whole::stranger(&self.folder, is_known)? else {
            return Ok(());
        };
        let problem = "is no file of a training, and would be lost";
        let mend = "give a folder that is new, empty or a training's";
        Err(Error::Training(Fault::new(
            &self.folder,
            name,
            problem,
            mend,
        )))
    }
}

fn sum_of(path: &Path) -> Result<String, Error> {
    Ok(sha256::of(&Bytes::map(path)?))
}

/// A checkpoint of another training.
fn other(path: &Path, old: &str, new: &str) -> Error {
    let (field, old) = old.split_once(": ").unwrap_or((old, ""));
    let new = new.split_once(": ").map_or(new, |(_, new)| new);
    let (problem, mend) = match field {
        "arithmetic" => (
            format!("was {old}, is {new} here, and the rest would be computed otherwise"),
            "go on where it was begun",
        ),
        "settings" => (format!("were {old}, are {new}"), "give the same settings"),
        _ => (
            "is not the same as the checkpoint was begun with".to_owned(),
            "give the same",
        ),
    };
    let mend = format!("{mend}, or remove the folder to begin again");
    Error::Training(Fault::new(path, field, problem, mend))
}
