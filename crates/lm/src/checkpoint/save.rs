//! A model written to a folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::names::{CARDS, CONFIG, FILES, TOKENIZER, WEIGHTS};
use crate::config::Config;
use crate::error::{Error, Fault};
use crate::llama::Llama;
use crate::tokenizer::{self, Tokenizer};
use crate::whole;

/// Writes a model as `model.safetensors` (F32), `config.json` and `tokenizer.json` into a folder of its own.
///
/// The tensors must be those of the configuration, in any order; they are written as they come, so that only one need
/// be in memory. All is written to a folder `.NAME.part` beside it, which is then renamed: whatever happens, the folder
/// never has files of two models. One that is there is replaced whole. (It is `.NAME.old` for the moment until the new one
/// has its name, and stays so if the machine stops just then.)
///
/// # Errors
/// `Error::Config`, `Error::Tokenizer` or `Error::Tensor` for parts that do not go together, `Error::Unsupported` for a
/// folder with other files than a model's, which would be lost, `Error::Io`. What was there is as it was.
pub fn save(
    folder: &Path,
    config: &Config,
    tokenizer: &Tokenizer,
    tensors: impl Iterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> Result<(), Error> {
    config.check()?;
    tokenizer::check_ends(folder, tokenizer, &config.eos_token_ids)?;
    refuse_strangers(folder)?;
    let folder = whole::place(folder)?;
    whole::replace(&folder, |part| fill(part, config, tokenizer, tensors))
}

/// Whether a model can be saved in a folder: before the hours that making it takes.
///
/// # Errors
/// `Error::Unsupported` for a folder with other files than a model's, `Error::Io` for one that may not be written.
pub fn check_folder(folder: &Path) -> Result<(), Error> {
    refuse_strangers(folder)?;
    let folder = whole::place(folder)?;
    whole::replaceable(&folder)
}

/// Writes a card into a saved model's folder: `README.md` for people, `card.json` for programs.
///
/// # Errors
/// `Error::Io`.
pub fn write_card(folder: &Path, text: &str, json: &str) -> Result<(), Error> {
    for (name, text) in CARDS.into_iter().zip([text, json]) {
        whole::write_bytes(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

/// Refuses a folder with files that are no model's.
pub(crate) fn refuse_strangers(folder: &Path) -> Result<(), Error> {
    let is_known = |name: &str| {
        FILES.contains(&name) || name.ends_with(".safetensors") || name.ends_with(".part")
    };
    let Some(name) = whole::stranger(folder, is_known)? else {
        return Ok(());
    };
    let problem = "is none of the files of a model, and would be lost";
    let mend = "give a folder that is new, empty or a saved model's";
    Err(Error::Unsupported(Fault::new(folder, name, problem, mend)))
}

/// Writes all files into an empty folder.
fn fill(
    folder: &Path,
    config: &Config,
    tokenizer: &Tokenizer,
    tensors: impl Iterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> Result<(), Error> {
    let weights = folder.join(WEIGHTS);
    whole::write(&weights, |file| {
        write_tensors(&weights, file, config, tensors)
    })?;
    whole::write_text(&folder.join(CONFIG), &config.to_json())?;
    whole::write_text(&folder.join(TOKENIZER), &tokenizer.to_json())
}

fn write_tensors(
    path: &Path,
    file: &mut File,
    config: &Config,
    tensors: impl Iterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> Result<(), Error> {
    let fault = |name: &str, problem: &str| {
        let mend = "give exactly the tensors of the configuration";
        Err(Error::Tensor(Fault::new(
            path,
            format!("tensor {name}"),
            problem,
            mend,
        )))
    };
    let (header, places) = whole::layout(Llama::shapes(config));
    let places = places.into_iter();
    let mut places: BTreeMap<_, _> = places
        .map(|(name, at, shape)| (name, (at, shape)))
        .collect();
    let start = header.len() as u64;
    let io = |e| Error::io(path, "written", e);
    file.write_all(&header).map_err(io)?;
    for (name, shape, data) in tensors {
        let Some((begin, expected)) = places.remove(&name) else {
            return fault(&name, "is none of the model's, or comes twice");
        };
        if shape != expected || data.len() != shape.iter().product::<usize>() {
            return fault(
                &name,
                &format!(
                    "has {} values of shape {shape:?}, not {expected:?}",
                    data.len()
                ),
            );
        }
        whole::write_at(file, path, start + begin, &data)?;
    }
    match places.keys().next() {
        Some(name) => fault(name, "was not given"),
        None => Ok(()),
    }
}
