//! A model: configuration, tokenizer and weights, opened lazily from files or from memory, and written whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::builtin;
use crate::bytes::Bytes;
use crate::config::Config;
use crate::error::{Error, Fault};
use crate::gguf::{self, Gguf};
use crate::llama::{self, Llama};
use crate::safetensors::Files;
use crate::sha256;
use crate::tensor::{Entry, Tensor, Weight};
use crate::tokenizer::{self, Tokenizer};
use crate::whole;
pub use adapter::{Adapter, save_adapter};
use folder::{Texts, beside, config_beside, name, weights_in, whole_of};
use names::{ADAPTER, ADAPTER_CONFIG, CONFIG, TOKENIZER, WEIGHTS};
pub use save::{check_folder, save, write_card};

mod adapter;
mod folder;
mod names;
mod save;

/// A model's files, mapped or in memory; weights are read one tensor at a time.
pub struct Checkpoint {
    /// The model's shape.
    pub config: Config,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    path: PathBuf,
    source: Source,
    /// What is added to the source's weights, one after the other.
    adapters: Vec<Adapter>,
    /// The SHA-256 of each file read but those with weights, by its name.
    sums: BTreeMap<String, String>,
}

enum Source {
    Gguf(Gguf),
    Safetensors(Files),
    Memory(BTreeMap<String, Tensor>),
}

/// A tensor of a checkpoint, not yet read.
pub struct Stored<'a> {
    checkpoint: &'a Checkpoint,
    name: String,
    shape: &'a [usize],
}

impl Weight for Stored<'_> {
    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn values(&self) -> Result<Cow<'_, [f32]>, Error> {
        match &self.checkpoint.source {
            Source::Memory(tensors) if tensors.contains_key(&self.name) => {
                tensors[&self.name].values()
            }
            _ => Ok(Cow::Owned(self.checkpoint.tensor(&self.name)?.data)),
        }
    }
}

/// What a checkpoint is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// "GGUF", "safetensors" or "memory".
    pub format: &'static str,
    /// Trained parameters.
    pub parameters: u64,
    /// Bytes of all tensors as stored.
    pub bytes: u64,
    /// For each kind of tensor, such as "F32" or "Q4_K": how many there are, and their bytes.
    pub kinds: BTreeMap<String, (usize, u64)>,
}

impl Checkpoint {
    /// Opens a model that is [built in](crate::builtin) by its name, a `.gguf` file, a `.safetensors` file with `config.json` and `tokenizer.json` beside it, or a folder with
    /// those. The weights may be in shards, of which any stands for all.
    ///
    /// A folder with `adapter_config.json` is a low-rank change in PEFT's files (LoRA). The model that it names is opened, and
    /// every weight is read with the change added to it, in f32. The name is a path, absolute, from that folder or from the
    /// working directory, or of a model in the cache: `hf:ORG/NAME` or `ORG/NAME`. That model may be an adapter's folder itself.
    ///
    /// Afterwards every tensor of the configuration is known to be there, of the right shape and of a known kind.
    ///
    /// # Errors
    /// Whatever is missing, damaged or not known; no weights are read before that is found out.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let is_adapters = path.ends_with(ADAPTER) || path.ends_with(ADAPTER_CONFIG);
        let folder = match path.parent() {
            Some(folder) if is_adapters => folder,
            _ => path,
        };
        match folder.join(ADAPTER_CONFIG).exists() {
            true => Self::changed(folder),
            false => Self::plain(path),
        }
    }

    /// Opens an adapter's base with what is added to it.
    fn changed(folder: &Path) -> Result<Self, Error> {
        let adapters = Adapter::chain(folder)?;
        let mut model = Self::plain(adapters[0].base())?;
        for adapter in &adapters {
            adapter.check(&model.config)?;
            model.path = adapter.weights_path();
        }
        model.adapters = adapters;
        Ok(model)
    }

    fn plain(path: &Path) -> Result<Self, Error> {
        if let Some(model) = builtin::at(path) {
            return Self::from_gguf(model.name, model.bytes);
        }
        if !path.exists() {
            let mend = "give a .gguf file, a .safetensors file or a folder with a model";
            return Err(Error::Missing(Fault::new(
                path,
                "the file",
                "does not exist",
                mend,
            )));
        }
        let path = match path.is_dir() {
            true => weights_in(path)?,
            false => whole_of(path),
        };
        match path.extension().and_then(|e| e.to_str()) {
            Some("gguf") => Self::gguf(Gguf::open(&path)?),
            Some("safetensors" | "json") => {
                let mut texts = Texts::default();
                let config = config_beside(&path, &mut texts)?;
                let file = beside(&path, TOKENIZER)?;
                let tokenizer = Tokenizer::from_json(&file, &texts.read(&file)?)?;
                let sharded = path.extension().is_some_and(|e| e == "json");
                let files = if sharded {
                    texts.read(&path)?;
                    Files::open_index(&path)?
                } else {
                    Files::new(&path, Bytes::map(&path)?)?
                };
                Self {
                    config,
                    tokenizer,
                    path,
                    source: Source::Safetensors(files),
                    adapters: Vec::new(),
                    sums: texts.sums,
                }
                .checked()
            }
            _ => {
                let mend = "give a .gguf file, a .safetensors file or a folder with a model";
                Err(Error::Unsupported(Fault::new(
                    &path,
                    "the file's ending",
                    "is not known here",
                    mend,
                )))
            }
        }
    }

    /// The card of a model that was trained here: what it was trained for and on. It stands in the GGUF file that [`Self::to_gguf`] makes, or
    /// as `card.json` beside the model. None where there is none, or no object in it.
    pub fn card(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let within = match &self.source {
            Source::Gguf(gguf) => gguf.card().map(str::to_owned),
            _ => None,
        };
        let beside = || fs::read_to_string(self.path.parent()?.join(names::CARDS[1])).ok();
        serde_json::from_str(&within.or_else(beside)?).ok()
    }

    /// The model as one GGUF file, its matrices in 8 bits (Q8_0) and its card within; llama.cpp and others read it.
    ///
    /// # Errors
    /// `Error::Unsupported` for a model that is no plain Llama, whose tokenizer splits words in a way that GGUF has no name for, or whose
    /// widths are not multiples of 32; the weights' own.
    pub fn to_gguf(&self) -> Result<Vec<u8>, Error> {
        let card = self
            .card()
            .map(|card| serde_json::Value::from(card).to_string());
        gguf::to_gguf(
            &self.config,
            &self.tokenizer,
            self.weights()?,
            card.as_deref(),
        )
    }

    /// Writes [`Self::to_gguf`] to a file; one that is there is replaced whole.
    ///
    /// # Errors
    /// As that, and `Error::Io`.
    pub fn save_gguf(&self, path: &Path) -> Result<(), Error> {
        whole::write_bytes(path, &self.to_gguf()?)
    }

    fn gguf(gguf: Gguf) -> Result<Self, Error> {
        Self {
            config: gguf.config()?,
            tokenizer: gguf.tokenizer()?,
            path: gguf.path().to_owned(),
            source: Source::Gguf(gguf),
            adapters: Vec::new(),
            sums: BTreeMap::new(),
        }
        .checked()
    }

    /// Reads a whole GGUF file in memory, such as `include_bytes!` gives; `name` stands for its path in messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_gguf(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, Error> {
        Self::gguf(Gguf::new(Path::new(name), Bytes::Memory(bytes.into()))?)
    }

    /// Reads the whole files `config.json`, `tokenizer.json` and `model.safetensors` in memory; `name` stands for
    /// their folder in messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_safetensors(
        name: &str,
        config: &str,
        tokenizer: &str,
        weights: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, Error> {
        let file = |file: &str| Path::new(name).join(file);
        let mut texts = Texts::default();
        texts.note(CONFIG, config);
        texts.note(TOKENIZER, tokenizer);
        Self {
            config: Config::from_json(&file(CONFIG), config)?,
            tokenizer: Tokenizer::from_json(&file(TOKENIZER), tokenizer)?,
            path: file(WEIGHTS),
            source: Source::Safetensors(Files::new(&file(WEIGHTS), Bytes::Memory(weights.into()))?),
            adapters: Vec::new(),
            sums: texts.sums,
        }
        .checked()
    }

    /// A model whose weights are in memory, such as a trainer's; the tensors by their Hugging Face names, as a
    /// [`Llama`] of them gives them.
    ///
    /// # Errors
    /// `Error::Config`, `Error::Tokenizer` or `Error::Tensor` for parts that do not go together.
    pub fn new(
        config: Config,
        tokenizer: Tokenizer,
        weights: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<Self, Error> {
        config.check()?;
        let path = PathBuf::from("the model in memory");
        let tensors: BTreeMap<_, _> = weights.into_iter().collect();
        for (name, Tensor { shape, data }) in &tensors {
            if shape.iter().product::<usize>() != data.len() {
                let problem = format!("of shape {shape:?} has {} values", data.len());
                return Err(llama::fault(&path, name, problem));
            }
        }
        Self {
            config,
            tokenizer,
            path,
            source: Source::Memory(tensors),
            adapters: Vec::new(),
            sums: BTreeMap::new(),
        }
        .checked()
    }

    fn checked(mut self) -> Result<Self, Error> {
        self.config.add_ends(self.tokenizer.ends());
        // A tokenizer may have more tokens than the model has rows; those are never drawn.
        let rows = self.config.vocab_size;
        self.config.eos_token_ids.retain(|&id| (id as usize) < rows);
        tokenizer::check_ends(&self.path, &self.tokenizer, &self.config.eos_token_ids)?;
        self.weights()?;
        self.nothing_else()?;
        Ok(self)
    }

    /// Refuses tensors that the decoder does not use: the model would be another with them.
    fn nothing_else(&self) -> Result<(), Error> {
        let all = Llama::shapes(&self.config).into_iter();
        let used: HashSet<String> = all.map(|(name, _)| name).collect();
        let used = |name: &str| used.contains(name);
        let stray = match &self.source {
            Source::Gguf(gguf) => gguf.stray(used),
            Source::Safetensors(files) => files.stray(used),
            Source::Memory(tensors) => tensors.keys().map(String::as_str).find(|name| !used(name)),
        };
        let Some(name) = stray else {
            return Ok(());
        };
        Err(Error::Unsupported(Fault::new(
            &self.path,
            format!("tensor {name}"),
            "is none that is computed with here, and the model is another without it",
            "choose a plain Llama, Qwen2 or Qwen3 model",
        )))
    }

    /// All weights, to be read one by one.
    ///
    /// # Errors
    /// `Error::Tensor` for one that is missing or of another shape than the configuration says, `Error::Unsupported`
    /// for one of a kind that is not known.
    pub fn weights(&self) -> Result<Llama<Stored<'_>>, Error> {
        let weights = Llama::shapes(&self.config).try_map(|name, _| {
            let shape = match &self.source {
                Source::Gguf(gguf) => gguf.shape(name),
                Source::Safetensors(files) => files.check(name)?,
                Source::Memory(tensors) => tensors.get(name).map(|t| t.shape.as_slice()),
            };
            Ok(Stored {
                checkpoint: self,
                name: name.to_owned(),
                shape: shape.ok_or_else(|| self.missing(name))?,
            })
        })?;
        weights.check_in(&self.config, &self.path)?;
        Ok(weights)
    }

    fn missing(&self, tensor: &str) -> Error {
        llama::fault(&self.path, tensor, "is missing".to_owned())
    }

    /// A tensor by its Hugging Face name ("model.layers.0.self_attn.q_proj.weight"), as f32 and in Hugging Face's
    /// order of rows, whatever the file's own, and with an adapter's change added.
    ///
    /// # Errors
    /// `Error::Tensor` for a name that is not there.
    pub fn tensor(&self, name: &str) -> Result<Tensor, Error> {
        let tensor = match &self.source {
            Source::Gguf(gguf) => gguf.tensor(name, &self.config)?,
            Source::Safetensors(files) => files.tensor(name)?,
            Source::Memory(tensors) => tensors.get(name).cloned(),
        };
        let mut tensor = tensor.ok_or_else(|| self.missing(name))?;
        for adapter in &self.adapters {
            adapter.add(name, &mut tensor)?;
        }
        Ok(tensor)
    }

    /// Low-rank changes that are added to the weights, in their order; none for a whole model.
    pub fn adapters(&self) -> &[Adapter] {
        &self.adapters
    }

    /// Names of all tensors in the files, of an adapter's base.
    pub fn names(&self) -> Vec<String> {
        self.entries().into_iter().map(|entry| entry.name).collect()
    }

    /// The model's identity: of one GGUF file its SHA-256 in hexadecimal. A model of several files has their sums, each
    /// followed by a line's end, in the order of the files' names (`sha256sum FILE... | cut -d' ' -f1 | sha256sum`):
    /// `config.json`, `tokenizer.json`, the files with weights, and `generation_config.json` and the index of shards
    /// where there are such; of a split GGUF model its shards. A model in memory has the sum of the folder that [`save`] would write.
    /// An adapter has the sum of its base's and of its change.
    pub fn sha256(&self) -> String {
        (self.adapters.iter()).fold(self.source_sha256(), |base, adapter| {
            sha256::of(format!("{base}\n{}\n", adapter.sha256()).as_bytes())
        })
    }

    fn source_sha256(&self) -> String {
        let mut sums = self.sums.clone();
        let mut add = |(path, bytes): (&Path, &[u8])| {
            sums.insert(name(path), sha256::of(bytes));
        };
        match &self.source {
            Source::Gguf(gguf) => {
                let mut files = gguf.files();
                if files.len() == 1 {
                    return files
                        .next()
                        .map(|(_, bytes)| sha256::of(bytes))
                        .unwrap_or_default();
                }
                files.for_each(add);
            }
            Source::Safetensors(files) => files.files().for_each(&mut add),
            Source::Memory(tensors) => {
                let mut sum = Sha256::new_with_prefix(whole::layout(Llama::shapes(&self.config)).0);
                for (name, _) in Llama::shapes(&self.config) {
                    // What the configuration was changed to since may be missing.
                    let data = tensors.get(&name).map_or(&[][..], |tensor| &tensor.data);
                    for piece in whole::pieces(data) {
                        sum.update(piece);
                    }
                }
                sums.insert(WEIGHTS.to_owned(), sha256::hex(&sum.finalize()));
                for (name, text) in [
                    (CONFIG, self.config.to_json()),
                    (TOKENIZER, self.tokenizer.to_json()),
                ] {
                    sums.insert(name.to_owned(), sha256::of(text.as_bytes()));
                }
            }
        }
        let all: String = sums.values().map(|sum| format!("{sum}\n")).collect();
        sha256::of(all.as_bytes())
    }

    /// The file with the weights, or their index; an adapter's, not its base's.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the files are made of, an adapter's base's.
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
            Source::Memory(_) => "memory",
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
            Source::Memory(tensors) => (tensors.iter())
                .map(|(name, tensor)| Entry {
                    name: name.clone(),
                    kind: "F32".to_owned(),
                    bytes: 4 * tensor.data.len() as u64,
                })
                .collect(),
        }
    }
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint {} {:?}", self.path.display(), self.config)
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, or the tokenizer of a `.gguf` file.
    ///
    /// # Errors
    /// As `from_json`, and `Error::Io`.
    pub fn open(file: &Path) -> Result<Self, Error> {
        if file.extension().is_some_and(|e| e == "gguf") {
            return Gguf::open(file)?.tokenizer();
        }
        let text = fs::read_to_string(file).map_err(|e| Error::io(file, "read", e))?;
        Self::from_json(file, &text)
    }
}
