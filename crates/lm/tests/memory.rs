//! Models in memory: the same as in files, to the bit; and weights that are swapped while a model writes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use lm::cpu::{Decoder, Precision};
use lm::engine::{Engine, Feed};
use lm::{
    Checkpoint, Config, Device, Error, Free, Generator, Limits, Llama, Sampling, Task, Tensor,
    Weight, Writer, save,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const LIMITS: Limits = Limits {
    batch: 3,
    memory: 1 << 30,
};

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&tiny(name)).unwrap()
}

fn weights(checkpoint: &Checkpoint) -> Llama<Tensor> {
    let stored = checkpoint.weights().unwrap();
    stored.map(|name, _| checkpoint.tensor(name).unwrap())
}

/// The same model with its weights in memory.
fn in_memory(checkpoint: Checkpoint) -> Checkpoint {
    let weights = weights(&checkpoint);
    Checkpoint::new(checkpoint.config, checkpoint.tokenizer, weights).unwrap()
}

/// The same model with other weights.
fn other() -> Checkpoint {
    let checkpoint = open("llama");
    let weights = weights(&checkpoint).map(|name, mut tensor| {
        if name.ends_with("gate_proj.weight") {
            tensor.data.reverse();
        }
        tensor
    });
    Checkpoint::new(checkpoint.config, checkpoint.tokenizer, weights).unwrap()
}

fn logits(engine: &mut impl Engine) -> Vec<Vec<f32>> {
    let mut own = engine.cache();
    engine.forward(&mut [Feed {
        vectors: &[],
        tokens: &[5, 300, 7, 411, 20],
        shared: None,
        own: &mut own,
        logits: 5,
    }])
}

#[test]
fn weights_in_memory_are_those_of_the_files() {
    for name in ["llama", "qwen2", "llama-q8_0.gguf", "qwen2-q8_0.gguf"] {
        let (file, memory) = (open(name), in_memory(open(name)));
        assert_eq!(file.config, memory.config);
        assert_eq!(file.names().len(), memory.names().len());
        assert_eq!(memory.summary().parameters, file.summary().parameters);
        assert_eq!(memory.summary().format, "memory");
        for (name, weight) in memory.weights().unwrap() {
            assert_eq!(memory.tensor(&name).unwrap(), file.tensor(&name).unwrap());
            assert_eq!(*weight.values().unwrap(), *file.tensor(&name).unwrap().data);
        }
        for precision in [Precision::F32, Precision::Int8] {
            let right = logits(&mut Decoder::load(&file, precision).unwrap());
            let got = logits(&mut Decoder::load(&memory, precision).unwrap());
            assert_eq!(got, right);
            let mut own = Decoder::new(&file.config, &weights(&file), precision).unwrap();
            assert_eq!(logits(&mut own), right);
        }
    }
}

#[test]
fn whole_files_in_memory_are_models_too() {
    for name in ["llama-q8_0.gguf", "qwen2-q8_0.gguf"] {
        let bytes = std::fs::read(tiny(name)).unwrap();
        let model = Checkpoint::from_gguf("the built-in model", bytes.clone()).unwrap();
        let file = open(name);
        assert_eq!(model.config, file.config);
        assert_eq!(model.sha256(), file.sha256());
        assert_eq!(weights(&model), weights(&file));
        let error = Checkpoint::from_gguf("the built-in model", bytes[..9000].to_vec());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("the built-in model"), "{error}");
    }
    let text = |name: &str| std::fs::read_to_string(tiny(name)).unwrap();
    let (config, tokenizer) = (text("qwen2/config.json"), text("qwen2/tokenizer.json"));
    let bytes: &'static [u8] = include_bytes!("tiny/qwen2/model.safetensors");
    let model = Checkpoint::from_safetensors("built-in", &config, &tokenizer, bytes).unwrap();
    let file = open("qwen2");
    assert_eq!(model.config, file.config);
    assert_eq!(model.sha256(), file.sha256());
    assert_eq!(weights(&model), weights(&file));
    let error = Checkpoint::from_safetensors("built-in", &config, &tokenizer, &bytes[..9000]);
    assert!(matches!(error.unwrap_err(), Error::Damaged(_)));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let parts = || {
        let model = open("llama");
        let weights = weights(&model);
        (model.config, model.tokenizer, weights)
    };
    let (config, tokenizer, weights) = parts();
    let fewer = weights.into_iter().skip(1);
    let error = Checkpoint::new(config, tokenizer, fewer).unwrap_err();
    assert!(matches!(&error, Error::Tensor(_)), "{error}");
    assert!(error.to_string().contains("embed_tokens"), "{error}");
    for spoil in [
        |tensor: &mut Tensor| tensor.data.truncate(5),
        |tensor: &mut Tensor| tensor.shape.reverse(),
    ] {
        let (config, tokenizer, mut weights) = parts();
        spoil(&mut weights.layers[1].down);
        let error = Checkpoint::new(config, tokenizer, weights).unwrap_err();
        assert!(error.to_string().contains("1.mlp.down_proj"), "{error}");
    }
    let (config, tokenizer, weights) = parts();
    let wide = Config {
        hidden_size: 0,
        ..config
    };
    let error = Checkpoint::new(wide, tokenizer, weights).unwrap_err();
    assert!(matches!(error, Error::Config(_)));
}

#[test]
fn a_model_s_sum_is_what_sha256sum_says() {
    let run = |command: &str, folder: &Path| {
        let mut shell = Command::new("sh");
        let output = shell.arg("-c").arg(command).current_dir(folder).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        text.split(' ').next().unwrap().to_owned()
    };
    if run("echo | sha256sum", Path::new(".")).is_empty() {
        eprintln!("skipped: this machine has no sha256sum");
        return;
    }
    let all = "sha256sum * | cut -d' ' -f1 | sha256sum";
    let gguf = run("sha256sum qwen2-q8_0.gguf", &tiny(""));
    assert_eq!(open("qwen2-q8_0.gguf").sha256(), gguf);
    let at = tempfile::tempdir().unwrap();
    let at = at.path();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(tiny("llama").join(name), at.join(name)).unwrap();
    }
    let sum = || Checkpoint::open(at).unwrap().sha256();
    let plain = sum();
    assert_eq!(plain, run(all, at));
    assert_eq!(plain, open("llama/model.safetensors").sha256());
    std::fs::write(at.join("generation_config.json"), "{\"eos_token_id\": 2}").unwrap();
    assert_eq!(sum(), run(all, at));
    assert_ne!(sum(), plain);
    std::fs::rename(at.join("model.safetensors"), at.join("one.safetensors")).unwrap();
    let index = r#"{"weight_map": {"a": "one.safetensors"}}"#;
    std::fs::write(at.join("model.safetensors.index.json"), index).unwrap();
    assert_eq!(sum(), run(all, at));
}

#[test]
fn a_model_in_memory_has_the_sum_of_the_folder_it_is_saved_to() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["llama", "qwen2-q8_0.gguf"] {
        let model = in_memory(open(name));
        let tensors = weights(&model)
            .into_iter()
            .map(|(name, tensor)| (name, tensor.shape, tensor.data));
        save(folder.path(), &model.config, &model.tokenizer, tensors).unwrap();
        let saved = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(weights(&saved), weights(&model));
        assert_eq!(saved.sha256(), model.sha256());
    }
    assert_ne!(other().sha256(), in_memory(open("llama")).sha256());
}

/// Ten tasks with two beginnings.
fn tasks(tokenizer: &lm::Tokenizer) -> Vec<Task<Free>> {
    let texts = ["def f(x):\n    return x + 12\n", "a = wc.add_joint(0, 0)\n"];
    let beginnings = texts.map(|text| Arc::<[u32]>::from(tokenizer.encode(text)));
    let task = |seed: usize| Task {
        prefix: Arc::default(),
        beginning: beginnings[seed % 2].clone(),
        seen: beginnings[seed % 2].len() - seed / 2,
        lead: Vec::new(),
        guide: Free,
        most: 30,
        rng: ChaCha8Rng::seed_from_u64(seed as u64),
    };
    (0..10).map(task).collect()
}

const LIKELY: Sampling = Sampling {
    temperature: 1.0,
    min_p: 0.0,
};

/// What is written, with how much of the beginnings was read for it.
fn write(writer: &mut Writer) -> Vec<(Vec<u8>, usize)> {
    let tasks = tasks(writer.tokenizer());
    let written = writer.write(tasks, LIKELY, &|| false).unwrap();
    written.into_iter().map(|w| (w.text, w.read)).collect()
}

fn writer(checkpoint: Checkpoint, device: Device, precision: Precision) -> Writer {
    Writer::load(checkpoint, device, precision, LIMITS, 2).unwrap()
}

#[test]
fn after_a_swap_it_writes_what_a_new_one_writes() {
    for device in Device::built() {
        for precision in [Precision::Int8, Precision::F32] {
            let new = |checkpoint| writer(checkpoint, device, precision);
            let right = write(&mut new(open("llama")));
            let changed = write(&mut new(other()));
            assert_ne!(right, changed);
            let mut writer = new(open("llama"));
            assert_eq!(write(&mut writer), right);
            writer.swap(&other()).unwrap();
            assert_eq!(write(&mut writer), changed);
            writer.swap_weights(&weights(&open("llama"))).unwrap();
            assert_eq!(write(&mut writer), right);
            assert_eq!(writer.device(), device);

            // What is refused changes nothing.
            let error = writer.swap(&open("qwen2")).unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error}");
            let error = writer.swap_weights(&weights(&open("qwen2"))).unwrap_err();
            assert!(matches!(error, Error::Tensor(_)), "{error}");
            let again: Vec<_> = write(&mut writer).into_iter().map(|(t, _)| t).collect();
            let texts: Vec<_> = right.into_iter().map(|(text, _)| text).collect();
            assert_eq!(again, texts);
        }
    }
}

#[test]
fn a_writer_writes_what_its_generator_writes() {
    let model = open("qwen2");
    let decoder = Decoder::load(&model, Precision::Int8).unwrap();
    let mut generator = Generator::new(decoder, Arc::new(model.tokenizer), LIMITS);
    let tasks = tasks(generator.tokenizer());
    let right: Vec<_> = generator
        .write(tasks, LIKELY, &|| false)
        .unwrap()
        .into_iter()
        .map(|w| (w.text, w.read))
        .collect();
    let mut writer = writer(open("qwen2"), Device::Cpu, Precision::Int8);
    assert_eq!(write(&mut writer), right);
    assert_eq!(writer.context(), 256);
    assert_eq!(writer.config(), generator.engine().config());
    assert_eq!(writer.bytes(), generator.engine().bytes());
}

#[test]
fn devices_that_the_build_lacks_are_refused() {
    for device in Device::ALL {
        if device.check().is_ok() {
            continue;
        }
        let error = Writer::load(open("llama"), device, Precision::Int8, LIMITS, 1);
        let error = error.err().unwrap();
        assert!(matches!(error, Error::Device { .. }));
        let text = error.to_string();
        assert!(text.contains(&format!("--features {device}")), "{text}");
    }
}

/// Both kinds of files name ends in their own fields; what is known by its name ends a text in either.
#[test]
fn ends_are_what_the_files_say_and_what_is_known_by_name() {
    for name in ["llama", "llama-bf16.gguf", "qwen2", "qwen2-q8_0.gguf"] {
        assert_eq!(open(name).config.eos_token_ids, [0, 2], "{name}");
    }
    let text = |name: &str| std::fs::read_to_string(tiny("llama").join(name)).unwrap();
    let bytes: &'static [u8] = include_bytes!("tiny/llama/model.safetensors");
    let ends = |config: &str, tokenizer: &str| {
        let model = Checkpoint::from_safetensors("m", config, tokenizer, bytes);
        model.unwrap().config.eos_token_ids
    };
    let (config, tokenizer) = (text("config.json"), text("tokenizer.json"));
    assert!(config.contains("\"eos_token_id\": 0"));
    let saying =
        |ends: &str| config.replace("\"eos_token_id\": 0", &format!("\"eos_token_id\": {ends}"));
    assert_eq!(ends(&saying("null"), &tokenizer), [0, 2]);
    assert_eq!(ends(&saying("[7, 2]"), &tokenizer), [7, 2, 0]);
    let renamed = tokenizer.replace("<|im_end|>", "<|over|>");
    assert_eq!(ends(&saying("7"), &renamed), [7, 0]);
}
