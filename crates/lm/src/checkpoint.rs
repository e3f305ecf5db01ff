//! A model's files: configuration, tokenizer and weights, opened lazily and written whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::error::{Error, Fault};
use crate::gguf::Gguf;
use crate::safetensors::Files;
use crate::tokenizer::{self, Tokenizer};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const GENERATION: &str = "generation_config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Rows first; a matrix is `[out, in]`.
    pub shape: Vec<usize>,
    /// As many as the product of the shape.
    pub data: Vec<f32>,
}

/// A tensor as stored.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) bytes: u64,
}

/// A model's files, memory-mapped; weights are read one tensor at a time.
pub struct Checkpoint {
    /// The model's shape.
    pub config: Config,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    path: PathBuf,
    source: Source,
}

enum Source {
    Gguf(Gguf),
    Safetensors(Files),
}

/// What a checkpoint is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// "GGUF" or "safetensors".
    pub format: &'static str,
    /// Trained parameters.
    pub parameters: u64,
    /// Bytes of all tensors as stored.
    pub bytes: u64,
    /// For each kind of tensor, such as "F32" or "Q4_K": how many there are, and their bytes.
    pub kinds: BTreeMap<String, (usize, u64)>,
}

impl Checkpoint {
    /// Opens a `.gguf` file, a `.safetensors` file with `config.json` and `tokenizer.json` beside it, or a folder with
    /// those (the weights may be in shards).
    ///
    /// Afterwards every tensor of the configuration is known to be there, of the right shape and of a known kind.
    ///
    /// # Errors
    /// Whatever is missing, damaged or not known; no weights are read before that is found out.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            let mend = "give a .gguf file, a .safetensors file or a folder with a model";
            return Err(Error::Missing(Fault::new(
                path,
                "the file",
                "does not exist",
                mend,
            )));
        }
        let path = if path.is_dir() {
            weights_in(path)?
        } else {
            path.to_owned()
        };
        let checkpoint = match path.extension().and_then(|e| e.to_str()) {
            Some("gguf") => {
                let gguf = Gguf::open(&path)?;
                let config = gguf.config()?;
                let tokenizer = gguf.tokenizer()?;
                Self {
                    config,
                    tokenizer,
                    path,
                    source: Source::Gguf(gguf),
                }
            }
            Some("safetensors" | "json") => {
                let config = config_beside(&path)?;
                let tokenizer = Tokenizer::open(&beside(&path, TOKENIZER)?)?;
                let sharded = path.extension().is_some_and(|e| e == "json");
                let files = if sharded {
                    Files::open_index(&path)?
                } else {
                    Files::open(&path)?
                };
                Self {
                    config,
                    tokenizer,
                    path,
                    source: Source::Safetensors(files),
                }
            }
            _ => {
                let mend = "give a .gguf file, a .safetensors file or a folder with a model";
                return Err(Error::Unsupported(Fault::new(
                    &path,
                    "the file's ending",
                    "is not known here",
                    mend,
                )));
            }
        };
        checkpoint.checked()
    }

    fn checked(mut self) -> Result<Self, Error> {
        if self.config.eos_token_ids.is_empty() {
            self.config.eos_token_ids.extend(self.tokenizer.eos());
        }
        let Config {
            vocab_size,
            eos_token_ids,
            ..
        } = &self.config;
        tokenizer::matches(&self.path, &self.tokenizer, *vocab_size, eos_token_ids)?;
        for (name, shape) in self.config.tensors() {
            let found = match &self.source {
                Source::Gguf(gguf) => gguf.shape(&name),
                Source::Safetensors(files) => files.check(&name)?,
            };
            if found != Some(&shape) {
                let problem = match found {
                    Some(found) => format!("is of shape {found:?}, not {shape:?}"),
                    None => "is missing".to_owned(),
                };
                return Err(self.fault(&name, problem));
            }
        }
        Ok(self)
    }

    fn fault(&self, tensor: &str, problem: String) -> Error {
        let mend = "give weights and a configuration that go together";
        Error::Tensor(Fault::new(
            &self.path,
            format!("tensor {tensor}"),
            problem,
            mend,
        ))
    }

    /// A tensor by its Hugging Face name ("model.layers.0.self_attn.q_proj.weight"), as f32 and in Hugging Face's
    /// order of rows, whatever the file's own.
    ///
    /// # Errors
    /// `Error::Tensor` for a name that is not there.
    pub fn tensor(&self, name: &str) -> Result<Tensor, Error> {
        let tensor = match &self.source {
            Source::Gguf(gguf) => gguf.tensor(name, &self.config),
            Source::Safetensors(files) => files.tensor(name)?,
        };
        tensor.ok_or_else(|| self.fault(name, "is missing".to_owned()))
    }

    /// Names of all tensors in the files.
    pub fn names(&self) -> Vec<String> {
        self.entries().into_iter().map(|entry| entry.name).collect()
    }

    /// The file with the weights, or their index.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the files are made of.
    pub fn summary(&self) -> Summary {
        let mut kinds = BTreeMap::new();
        let mut bytes = 0;
        for entry in self.entries() {
            let (count, sum) = kinds.entry(entry.kind).or_insert((0, 0));
            *count += 1;
            *sum += entry.bytes;
            bytes += entry.bytes;
        }
        let format = match self.source {
            Source::Gguf(_) => "GGUF",
            Source::Safetensors(_) => "safetensors",
        };
        Summary {
            format,
            parameters: self.config.parameters(),
            bytes,
            kinds,
        }
    }

    fn entries(&self) -> Vec<Entry> {
        match &self.source {
            Source::Gguf(gguf) => gguf.entries().collect(),
            Source::Safetensors(files) => files.entries().collect(),
        }
    }
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint {} {:?}", self.path.display(), self.config)
    }
}

/// The file in a folder that has the weights.
fn weights_in(folder: &Path) -> Result<PathBuf, Error> {
    for name in [WEIGHTS, INDEX] {
        let path = folder.join(name);
        if path.exists() {
            return Ok(path);
        }
    }
    let listing = fs::read_dir(folder).map_err(|e| Error::io(folder, "read", e))?;
    let mut found: Vec<PathBuf> = listing
        .flatten()
        .map(|entry| entry.path())
        .filter(|p| p.extension().is_some_and(|e| e == "gguf"))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => {
            let mend = format!("it must have {WEIGHTS}, {INDEX} or a .gguf file");
            Err(Error::Missing(Fault::new(
                folder,
                "the folder",
                "has no weights",
                mend,
            )))
        }
        (Some(_), false) => {
            let mend = "give the path of one of them";
            Err(Error::Missing(Fault::new(
                folder,
                "the folder",
                "has several .gguf files",
                mend,
            )))
        }
    }
}

/// A file in the same folder.
fn beside(path: &Path, name: &str) -> Result<PathBuf, Error> {
    let file = path.with_file_name(name);
    if file.exists() {
        return Ok(file);
    }
    let mend = format!("put the model's {name} beside {}", path.display());
    Err(Error::Missing(Fault::new(
        &file,
        "the file",
        "does not exist",
        mend,
    )))
}

fn config_beside(weights: &Path) -> Result<Config, Error> {
    let read = |file: &Path| fs::read_to_string(file).map_err(|e| Error::io(file, "read", e));
    let file = beside(weights, CONFIG)?;
    let mut config = Config::from_json(&file, &read(&file)?)?;
    // Chat models name further ends of a text here only.
    if let Ok(file) = beside(weights, GENERATION) {
        let value: Value = serde_json::from_str(&read(&file)?)
            .map_err(|e| Error::damaged(&file, "the file", format!("is not JSON: {e}")))?;
        let ends = match value.get("eos_token_id") {
            Some(Value::Array(ends)) => ends.as_slice(),
            Some(end) => std::slice::from_ref(end),
            None => &[],
        };
        for end in ends
            .iter()
            .filter_map(Value::as_u64)
            .filter_map(|end| u32::try_from(end).ok())
        {
            if !config.eos_token_ids.contains(&end) {
                config.eos_token_ids.push(end);
            }
        }
    }
    Ok(config)
}

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
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut places = BTreeMap::new();
    let mut end = 0u64;
    for (name, shape) in config.tensors() {
        let begin = end;
        end += 4 * shape.iter().product::<usize>() as u64;
        header.insert(
            name.clone(),
            json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}),
        );
        places.insert(name, (begin, shape));
    }
    let mut header = Value::Object(header).to_string();
    header.extend(std::iter::repeat_n(
        ' ',
        header.len().next_multiple_of(8) - header.len(),
    ));
    let start = 8 + header.len() as u64;
    let io = |e| Error::io(path, "written", e);
    file.write_all(&(header.len() as u64).to_le_bytes())
        .map_err(io)?;
    file.write_all(header.as_bytes()).map_err(io)?;
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
        for chunk in data.chunks(1 << 16) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_le_bytes()).collect();
            file.write_all(&bytes).map_err(io)?;
        }
    }
    match places.keys().next() {
        Some(name) => fault(name, "was not given"),
        None => Ok(()),
    }
}
