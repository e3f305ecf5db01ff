//! A model written to a folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::names::{CONFIG, GENERATION, INDEX, TOKENIZER, WEIGHTS};
use crate::config::Config;
use crate::error::{Error, Fault};
use crate::llama::Llama;
use crate::tokenizer::{self, Tokenizer};

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
    let folder = &place(folder)?;
    let beside = |ending: &str| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        folder.with_file_name(format!(".{name}.{ending}"))
    };
    let (part, old) = (beside("part"), beside("old"));
    // Of a save that was cut off.
    removed(&part)?;
    fs::create_dir(&part).map_err(|e| Error::io(&part, "made", e))?;
    let done = fill(&part, config, tokenizer, tensors).and_then(|()| exchange(&part, folder, &old));
    if done.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    done
}

/// The folder with its whole path, so that it has a name and a parent, which is made where it does not exist.
fn place(folder: &Path) -> Result<PathBuf, Error> {
    let made = |e| Error::io(folder, "made", e);
    if !folder.exists() {
        let parent = folder.parent().filter(|p| !p.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(made)?;
        let name = folder.file_name().unwrap_or_default();
        return Ok(parent.canonicalize().map_err(made)?.join(name));
    }
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, "read", e))? {
        let name = entry.map_err(|e| Error::io(folder, "read", e))?.file_name();
        let name = name.to_string_lossy();
        let models = [CONFIG, GENERATION, TOKENIZER, INDEX].contains(&&*name);
        if !(models || name.ends_with(".safetensors") || name.ends_with(".part")) {
            let problem = "is none of the files of a model, and would be lost";
            let mend = "give a folder that is new, empty or a saved model's";
            return Err(Error::Unsupported(Fault::new(folder, name, problem, mend)));
        }
    }
    folder.canonicalize().map_err(made)
}

/// Writes all files into an empty folder.
fn fill(
    folder: &Path,
    config: &Config,
    tokenizer: &Tokenizer,
    tensors: impl Iterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> Result<(), Error> {
    let weights = folder.join(WEIGHTS);
    write(&weights, |file| {
        write_tensors(&weights, file, config, tensors)
    })?;
    for (name, text) in [(CONFIG, config.to_json()), (TOKENIZER, tokenizer.to_json())] {
        let path = folder.join(name);
        write(&path, |file| {
            file.write_all(text.as_bytes())
                .map_err(|e| Error::io(&path, "written", e))
        })?;
    }
    Ok(())
}

/// Gives a new folder the name of one that may be there.
fn exchange(new: &Path, folder: &Path, old: &Path) -> Result<(), Error> {
    let failed = |e| Error::io(folder, "replaced", e);
    if folder.exists() {
        removed(old)?;
        fs::rename(folder, old).map_err(failed)?;
    }
    if let Err(error) = fs::rename(new, folder) {
        let _ = fs::rename(old, folder);
        return Err(failed(error));
    }
    removed(old)
}

/// Removes a folder if it is there.
fn removed(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io(folder, "removed", e)),
        _ => Ok(()),
    }
}

/// Writes a file through to the disk.
fn write(path: &Path, fill: impl FnOnce(&mut File) -> Result<(), Error>) -> Result<(), Error> {
    let mut file = File::create(path).map_err(|e| Error::io(path, "written", e))?;
    fill(&mut file)?;
    file.sync_all().map_err(|e| Error::io(path, "written", e))
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
    let (header, mut places) = layout(config);
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
        file.seek(SeekFrom::Start(start + begin)).map_err(io)?;
        for bytes in pieces(&data) {
            file.write_all(&bytes).map_err(io)?;
        }
    }
    match places.keys().next() {
        Some(name) => fault(name, "was not given"),
        None => Ok(()),
    }
}

/// Where each tensor's values begin after the head, and its shape.
type Places = BTreeMap<String, (u64, Vec<usize>)>;

/// The head of a file with a configuration's tensors (F32, in the order of [`Llama`]), and their places after it.
pub(super) fn layout(config: &Config) -> (Vec<u8>, Places) {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut places = BTreeMap::new();
    let mut end = 0u64;
    for (name, shape) in Llama::shapes(config) {
        let begin = end;
        end += 4 * shape.iter().product::<usize>() as u64;
        header.insert(
            name.clone(),
            json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}),
        );
        places.insert(name, (begin, shape));
    }
    let text = Value::Object(header).to_string();
    let length = text.len().next_multiple_of(8);
    let mut head = (length as u64).to_le_bytes().to_vec();
    head.extend(text.as_bytes());
    head.resize(8 + length, b' ');
    (head, places)
}

/// Values as a file has them, piece by piece.
pub(super) fn pieces(data: &[f32]) -> impl Iterator<Item = Vec<u8>> {
    data.chunks(1 << 16)
        .map(|chunk| chunk.iter().flat_map(|x| x.to_le_bytes()).collect())
}
