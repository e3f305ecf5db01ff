//! Model files as strangers bring them: with tensors that are not used, tokenizers of another size, templates, shards,
//! scaled rotary positions, numbers that are none.

use std::fs;
use std::path::{Path, PathBuf};

use gguf::File;
use lm::cpu::Precision;
use lm::{Checkpoint, Device, End, Error, Free, Limits, Sampling, Task, Writer};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

mod configurations;
mod gguf;
mod rope;
mod shards;
mod tensors;
mod tokenizers;

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

/// A file that may be changed, and where it is written.
struct Changed {
    folder: tempfile::TempDir,
    file: File,
}

impl Changed {
    fn new(name: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            file: File::read(&tiny(name)),
        }
    }

    fn open(&self) -> Result<Checkpoint, Error> {
        let path = self.folder.path().join("x.gguf");
        self.file.write(&path);
        Checkpoint::open(&path)
    }
}

/// A copy of a tiny model's folder.
fn copy(name: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(tiny(name).join(file), to.path().join(file)).unwrap();
    }
    to
}

/// Changes a JSON file in place.
fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

/// The error, which must name each of the words.
fn refused<T>(opened: Result<T, Error>, words: &[&str]) -> Error {
    let error = opened.err().expect("it was taken");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
    error
}

fn writer(checkpoint: Checkpoint, precision: Precision) -> Result<Writer, Error> {
    writer_on(checkpoint, Device::Cpu, precision)
}

fn writer_on(
    checkpoint: Checkpoint,
    device: Device,
    precision: Precision,
) -> Result<Writer, Error> {
    let limits = Limits {
        batch: 8,
        memory: 1 << 20,
    };
    Writer::load(checkpoint, device, precision, limits, 1)
}

/// Every way to compute that this build has.
fn ways() -> impl Iterator<Item = (Device, Precision)> {
    let others = Device::built().skip(1);
    [(Device::Cpu, Precision::Int8)].into_iter().chain(
        others
            .chain([Device::Cpu])
            .map(|device| (device, Precision::F32)),
    )
}

/// Writes a few texts after a prompt.
fn write(writer: &mut Writer, prompt: &[u32], temperature: f32) -> Result<Vec<String>, Error> {
    let task = |seed| Task {
        prefix: std::sync::Arc::default(),
        beginning: prompt.into(),
        seen: prompt.len(),
        lead: Vec::new(),
        guide: Free,
        most: 20,
        rng: ChaCha8Rng::seed_from_u64(seed),
    };
    let sampling = Sampling {
        temperature,
        min_p: 0.0,
    };
    let written = writer.write((0..8).map(task).collect(), sampling, &|| false)?;
    for written in &written {
        assert!(matches!(written.end, End::Done | End::Length));
    }
    let texts = written
        .into_iter()
        .map(|w| String::from_utf8_lossy(&w.text).into_owned());
    Ok(texts.collect())
}
