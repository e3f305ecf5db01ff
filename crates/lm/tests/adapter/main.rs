//! Adapters in PEFT's files: PEFT's own, and ours as PEFT reads them (`golden.py`).

use std::fs;
use std::path::{Path, PathBuf};

use lm::cpu::{Decoder, Precision};
use lm::engine::{Engine, Feed};
use lm::train::Lora;
use lm::{Checkpoint, Tensor, save_adapter};
use safetensors::SafeTensors;
use serde_json::Value;

mod refused;
mod written;

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// A copy of a golden adapter that names its base by the whole path.
fn copy(name: &str, base: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(here("adapter").join(name).join(file), to.path().join(file)).unwrap();
    }
    edit(to.path(), |config| {
        config["base_model_name_or_path"] = here("tiny").join(base).to_str().unwrap().into();
    });
    to
}

/// Changes an adapter's configuration in place.
fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let file = folder.join("adapter_config.json");
    let mut value: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

/// The tensors of an adapter in f32.
fn tensors(name: &str) -> Vec<(String, Tensor)> {
    let bytes = fs::read(here("adapter").join(name).join("adapter_model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = file
        .iter()
        .map(|(name, tensor)| {
            let (values, rest) = tensor.data().as_chunks::<4>();
            assert!(rest.is_empty());
            let data = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
            let shape = tensor.shape().to_vec();
            (name.to_owned(), Tensor { shape, data })
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// The largest difference between our logits and PEFT's.
fn off(name: &str) -> f32 {
    let checkpoint = Checkpoint::open(&here("adapter").join(name)).unwrap();
    let mut decoder = Decoder::load(&checkpoint, Precision::F32).unwrap();
    let json: Value =
        serde_json::from_str(&fs::read_to_string(here("tiny/tokens.json")).unwrap()).unwrap();
    let ids: Vec<u32> = serde_json::from_value(json["ids"].clone()).unwrap();
    let mut own = decoder.cache();
    let logits = decoder.forward(&mut [Feed {
        vectors: &[],
        tokens: &ids[..12],
        shared: None,
        own: &mut own,
        logits: 12,
    }]);
    let bytes = fs::read(here("adapter").join(name).join("logits.f32")).unwrap();
    let (values, _) = bytes.as_chunks::<4>();
    let right = values.iter().map(|v| f32::from_le_bytes(*v));
    let got: Vec<f32> = logits.into_iter().flatten().collect();
    assert_eq!((got.len(), right.len()), (12 * 512, 12 * 512));
    let off = got
        .iter()
        .zip(right)
        .map(|(got, right)| (got - right).abs());
    off.fold(0.0, f32::max)
}

#[test]
fn logits_are_peft_s() {
    for name in ["all", "some", "ours"] {
        let off = off(name);
        assert!(off < 1e-4, "{name}: {off}");
    }
}

#[test]
fn what_is_known_of_an_adapter() {
    let model = Checkpoint::open(&here("adapter/some")).unwrap();
    let [adapter] = model.adapters() else {
        panic!("{:?}", model.adapters().len())
    };
    assert_eq!((adapter.rank(), adapter.matrices()), (4, 5));
    let numbers = 2 * 2 * (64 + 64) + 2 * 4 * (64 + 96) + 4 * (64 + 512);
    assert_eq!(adapter.parameters(), numbers);
    assert!(adapter.base().ends_with("tiny/qwen2"));
    assert!(
        model
            .path()
            .ends_with("adapter/some/adapter_model.safetensors")
    );
    assert_eq!(model.summary().format, "safetensors");
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let same = Checkpoint::open(&here("adapter/some").join(file)).unwrap();
        assert_eq!(same.sha256(), model.sha256());
    }
    assert!(
        Checkpoint::open(&here("tiny/llama"))
            .unwrap()
            .adapters()
            .is_empty()
    );
}

/// Names with the adapter's in them, or without the prefix, mean the same; a base in GGUF gives the same numbers.
#[test]
fn others_names_and_bases() {
    let right = Checkpoint::open(&here("adapter/all")).unwrap();
    let gguf = copy("all", "llama-bf16.gguf");
    let named = copy("all", "llama");
    let bare = copy("all", "llama");
    let renamed = |folder: &Path, new: &dyn Fn(&str) -> String| {
        let file = folder.join("adapter_model.safetensors");
        let bytes = fs::read(&file).unwrap();
        let old = SafeTensors::deserialize(&bytes).unwrap();
        let all = old.iter().map(|(name, tensor)| (new(name), tensor));
        fs::write(&file, safetensors::serialize(all, None).unwrap()).unwrap();
    };
    renamed(named.path(), &|name| {
        name.replace(".weight", ".default.weight")
    });
    renamed(bare.path(), &|name| name.replace("base_model.model.", ""));
    for folder in [&gguf, &named, &bare] {
        let model = Checkpoint::open(folder.path()).unwrap();
        for (name, _) in right.config.tensors() {
            assert_eq!(
                model.tensor(&name).unwrap(),
                right.tensor(&name).unwrap(),
                "{name}"
            );
        }
        assert_ne!(model.sha256(), right.sha256());
    }
}

/// A model's identity is its base's and the change's, wherever they lie.
#[test]
fn sums() {
    let all = Checkpoint::open(&here("adapter/all")).unwrap().sha256();
    let sum = |folder: &tempfile::TempDir| Checkpoint::open(folder.path()).unwrap().sha256();
    let moved = copy("all", "llama");
    assert_eq!(sum(&moved), all);
    edit(moved.path(), |config| config["lora_alpha"] = 9.into());
    assert_ne!(sum(&moved), all);
    assert_ne!(sum(&copy("all", "llama3")), all);
    assert_ne!(Checkpoint::open(&here("tiny/llama")).unwrap().sha256(), all);
}

/// An adapter of an adapter's model adds to it.
#[test]
fn adapters_of_adapters() {
    let first = copy("all", "llama");
    let second = copy("all", "llama");
    edit(second.path(), |config| {
        config["base_model_name_or_path"] = first.path().to_str().unwrap().into();
    });
    let [base, once, twice] = [&here("tiny/llama"), first.path(), second.path()]
        .map(|path| Checkpoint::open(path).unwrap());
    assert_eq!(twice.adapters().len(), 2);
    assert_eq!(twice.adapters()[0].path(), first.path());
    assert_ne!(twice.sha256(), once.sha256());
    let name = "model.layers.1.mlp.down_proj.weight";
    let [base, once, twice] = [base, once, twice].map(|model| model.tensor(name).unwrap().data);
    for ((base, once), twice) in base.iter().zip(once).zip(twice) {
        assert!((twice - (2.0 * once - base)).abs() < 1e-5);
    }
}

/// The cards of an adapter are its own.
#[test]
fn cards() {
    let folder = copy("all", "llama");
    assert!(Checkpoint::open(folder.path()).unwrap().card().is_none());
    lm::write_card(folder.path(), "# It", "{\"for\": \"lines\"}").unwrap();
    let card = Checkpoint::open(folder.path()).unwrap().card().unwrap();
    assert_eq!(card["for"], "lines");
}
