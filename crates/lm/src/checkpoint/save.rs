//! A model written to a folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::names::{CONFIG, GENERATION, TOKENIZER, WEIGHTS};
use crate::config::Config;
use crate::error::{Error, Fault};
use crate::llama::Llama;
use crate::tokenizer::{self, Tokenizer};

/// Writes a model as `model.safetensors` (F32), `config.json` and `tokenizer.json` into a folder, which is made where
/// it does not exist.
///
/// The tensors must be those of the configuration, in any order; they are written as they come, so that only one need
/// be in memory. Files that were there are replaced only when all new ones are complete.
///
/// # Errors
/// `Error::Config`, `Error::Tokenizer` or `Error::Tensor` for parts that do not go together, `Error::Io`.
pub fn save(
    folder: &Path,
    config: &Config,
    tokenizer: &Tokenizer,
    tensors: impl Iterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> Result<(), Error> {
    config.check()?;
    tokenizer::matches(folder, tokenizer, config.vocab_size, &config.eos_token_ids)?;
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, "made", e))?;
    let part = |name: &str| folder.join(format!(".{name}.part"));
    write(&part(WEIGHTS), |file| {
        write_tensors(&part(WEIGHTS), file, config, tensors)
    })?;
    for (name, text) in [(CONFIG, config.to_json()), (TOKENIZER, tokenizer.to_json())] {
        let path = part(name);
        write(&path, |file| {
            file.write_all(text.as_bytes())
                .map_err(|e| Error::io(&path, "written", e))
        })?;
    }
    for name in [WEIGHTS, CONFIG, TOKENIZER] {
        let to = folder.join(name);
        fs::rename(part(name), &to).map_err(|e| Error::io(&to, "written", e))?;
    }
    // Another model's, whose ends of a text it would add.
    match fs::remove_file(folder.join(GENERATION)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io(&folder.join(GENERATION), "removed", e));
        }
        _ => {}
    }
    Ok(())
}

/// Writes a file through to the disk, or leaves none.
fn write(path: &Path, fill: impl FnOnce(&mut File) -> Result<(), Error>) -> Result<(), Error> {
    let mut file = File::create(path).map_err(|e| Error::io(path, "written", e))?;
    let done =
        fill(&mut file).and_then(|()| file.sync_all().map_err(|e| Error::io(path, "written", e)));
    if done.is_err() {
        let _ = fs::remove_file(path);
    }
    done
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
