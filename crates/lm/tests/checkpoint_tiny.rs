//! The tiny models of `tests/tiny`, written by other programs: what is read must be what they wrote.

use std::fs;
use std::path::{Path, PathBuf};

use lm::{Checkpoint, Config, RopeScaling, save};

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&tiny(name)).unwrap()
}

#[test]
fn configurations() {
    let llama = Config {
        vocab_size: 512,
        hidden_size: 64,
        intermediate_size: 96,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 16,
        rms_norm_eps: 1e-5,
        rope_theta: 1e4,
        rope_scaling: RopeScaling::None,
        max_position_embeddings: 256,
        tie_word_embeddings: true,
        attention_bias: false,
        qk_norm: false,
        bos_token_id: None,
        // What the file says, and what is known by its name to end a text too.
        eos_token_ids: vec![0, 2],
    };
    let qwen2 = Config {
        rms_norm_eps: 1e-6,
        rope_theta: 1e6,
        tie_word_embeddings: false,
        attention_bias: true,
        ..llama.clone()
    };
    let llama3 = Config {
        rope_scaling: RopeScaling::Llama3 {
            factor: 4.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 64,
        },
        ..llama.clone()
    };
    let qwen3 = Config {
        head_dim: 32,
        rms_norm_eps: 1e-6,
        rope_theta: 1e6,
        qk_norm: true,
        ..llama.clone()
    };
    for (name, expected) in [
        ("llama3", llama3),
        ("qwen3", qwen3.clone()),
        ("qwen3-q8_0.gguf", qwen3),
        ("llama", llama.clone()),
        ("llama/model.safetensors", llama.clone()),
        ("llama-bf16.gguf", llama.clone()),
        ("llama-q8_0.gguf", llama),
        ("qwen2", qwen2.clone()),
        ("qwen2-q8_0.gguf", qwen2),
    ] {
        let config = open(name).config;
        assert_eq!(config, expected, "{name}");
        assert_eq!(
            serde_json::from_str::<Config>(&config.to_json()).unwrap(),
            config,
            "{name}"
        );
    }
    assert_eq!(open("llama").config.parameters(), 94_528);
}

/// A GGUF file has the factors that follow from what a `config.json` says.
#[test]
fn rope_factors_of_gguf_are_the_scaling_of_safetensors() {
    let (plain, gguf) = (open("llama3").config, open("llama3-q8_0.gguf").config);
    assert!(matches!(&gguf.rope_scaling, RopeScaling::Factors(factors) if factors.len() == 8));
    for (a, b) in plain.rope_frequencies().iter().zip(gguf.rope_frequencies()) {
        assert!((a - b).abs() < 1e-6 * a, "{a} {b}");
    }
    assert_ne!(
        plain.rope_frequencies(),
        open("llama").config.rope_frequencies()
    );
    assert_eq!(
        serde_json::from_str::<Config>(&gguf.to_json()).unwrap(),
        gguf
    );
}

/// BF16 has the very numbers; rows of queries and keys lie elsewhere in the file.
#[test]
fn gguf_has_the_weights_of_safetensors() {
    let (plain, gguf) = (open("llama"), open("llama-bf16.gguf"));
    for (name, shape) in plain.config.tensors() {
        let tensor = plain.tensor(&name).unwrap();
        assert_eq!(tensor.shape, shape, "{name}");
        assert_eq!(tensor, gguf.tensor(&name).unwrap(), "{name}");
    }
    let (mut a, mut b) = (plain.names(), gguf.names());
    a.sort();
    b.sort();
    assert_eq!(a, b);
}

/// Eight bits keep each value within half a step of its block, a little more as the step is an f16.
#[test]
fn quantised_weights_are_close() {
    for plain in ["llama", "qwen2", "llama3", "qwen3"] {
        let quantised = &format!("{plain}-q8_0.gguf");
        let (plain, quantised) = (open(plain), open(quantised));
        for (name, _) in plain.config.tensors() {
            let (a, b) = (
                plain.tensor(&name).unwrap(),
                quantised.tensor(&name).unwrap(),
            );
            assert_eq!(a.shape, b.shape, "{name}");
            for (a, b) in a.data.chunks(32).zip(b.data.chunks(32)) {
                let largest = a.iter().fold(0f32, |m, x| m.max(x.abs()));
                for (a, b) in a.iter().zip(b) {
                    assert!(
                        (a - b).abs() <= largest * 0.57 / 127.0,
                        "{name}: {a} became {b}"
                    );
                }
            }
        }
    }
}

#[test]
fn summaries() {
    let summary = open("llama-q8_0.gguf").summary();
    assert_eq!(summary.format, "GGUF");
    assert_eq!(summary.parameters, 94_528);
    assert_eq!(summary.kinds["F32"], (5, 5 * 64 * 4));
    assert_eq!(summary.kinds["Q8_0"], (15, (94_528 - 5 * 64) / 32 * 34));
    let summary = open("qwen2").summary();
    assert_eq!(
        (summary.format, summary.bytes),
        ("safetensors", 2 * summary.parameters)
    );
}

#[test]
fn tokenizers_agree() {
    let golden: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(tiny("tokens.json")).unwrap()).unwrap();
    let text = golden["text"].as_str().unwrap();
    let ids: Vec<u32> = serde_json::from_value(golden["ids"].clone()).unwrap();
    for name in ["llama", "llama-bf16.gguf", "qwen2-q8_0.gguf"] {
        let tokenizer = open(name).tokenizer;
        assert_eq!(tokenizer.encode(text), ids, "{name}");
        assert_eq!(tokenizer.decode(&ids), text, "{name}");
        assert_eq!(tokenizer.vocab_size(), 512);
        assert_eq!(tokenizer.special("<|im_end|>"), Some(2));
        assert_eq!(tokenizer.ends(), [0, 2]);
        assert_eq!(tokenizer.bytes(2), b"");
    }
}

#[test]
fn special_tokens_are_found_only_on_request() {
    let tokenizer = open("llama").tokenizer;
    let text = "<|im_start|>a\n<|im_end|>";
    let plain = tokenizer.encode(text);
    assert!(plain.iter().all(|&id| id > 2), "{plain:?}");
    assert_eq!(tokenizer.decode(&plain), text);
    let special = tokenizer.encode_special(text);
    assert_eq!((special[0], *special.last().unwrap()), (1, 2));
    assert_eq!(special[1..special.len() - 1], tokenizer.encode("a\n"));
    assert_eq!(tokenizer.decode(&special), "a\n");
    assert_eq!(tokenizer.encode_special(""), [] as [u32; 0]);
}

#[test]
fn every_byte_has_a_token() {
    let tokenizer = open("llama").tokenizer;
    let mut seen = std::collections::BTreeSet::new();
    for id in 0..512 {
        if let [byte] = tokenizer.bytes(id) {
            assert!(seen.insert(*byte));
        }
    }
    assert_eq!(seen.len(), 256);
    let text = "é\t日本\u{1F600}\r\n\0";
    assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
}

#[test]
fn a_saved_model_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/model");
    for name in ["qwen2-q8_0.gguf", "llama3-q8_0.gguf", "qwen3", "llama"] {
        let model = open(name);
        let tensors = || {
            let mut names = model.config.tensors();
            names.reverse();
            names.into_iter().map(|(name, shape)| {
                let data = model.tensor(&name).unwrap().data;
                (name, shape, data)
            })
        };
        save(&out, &model.config, &model.tokenizer, tensors()).unwrap();
        let again = Checkpoint::open(&out).unwrap();
        assert_eq!(again.config, model.config);
        for (name, _) in model.config.tensors() {
            assert_eq!(again.tensor(&name).unwrap(), model.tensor(&name).unwrap());
        }
        let text = "def f(x):\n    return x + 12\n";
        assert_eq!(again.tokenizer.encode(text), model.tokenizer.encode(text));
        let mut files: Vec<_> = std::fs::read_dir(&out)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        files.sort();
        assert_eq!(
            files,
            ["config.json", "model.safetensors", "tokenizer.json"]
        );

        // What does not go together leaves the files that are there alone.
        let before = std::fs::read(out.join("model.safetensors")).unwrap();
        let error = save(&out, &model.config, &model.tokenizer, tensors().skip(1)).unwrap_err();
        assert!(matches!(error, lm::Error::Tensor(_)), "{error}");
        let wrong = tensors().map(|(name, mut shape, data)| {
            shape.reverse();
            (name, shape, data)
        });
        let error = save(&out, &model.config, &model.tokenizer, wrong).unwrap_err();
        assert!(matches!(error, lm::Error::Tensor(_)), "{error}");
        assert_eq!(
            std::fs::read(out.join("model.safetensors")).unwrap(),
            before
        );
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 3);
    }
}

fn tensors(model: &Checkpoint) -> impl Iterator<Item = (String, Vec<usize>, Vec<f32>)> {
    model.config.tensors().into_iter().map(|(name, shape)| {
        let data = model.tensor(&name).unwrap().data;
        (name, shape, data)
    })
}

/// All files of a folder, with their contents.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.display().to_string(),
                fs::read(path).unwrap_or_default(),
            )
        })
        .collect();
    all.sort();
    all
}

/// What stands in the way of one file must not leave the new ones of others beside it.
#[test]
fn a_save_is_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    let (old, new) = (open("llama"), open("qwen2"));
    for (file, junk) in [
        ("config.json", false),
        ("tokenizer.json", false),
        ("notes.txt", true),
    ] {
        save(&out, &old.config, &old.tokenizer, tensors(&old)).unwrap();
        let _ = fs::remove_file(out.join(file));
        fs::create_dir(out.join(file)).unwrap();
        let before = contents(&out);
        let saved = save(&out, &new.config, &new.tokenizer, tensors(&new));
        if junk {
            let error = saved.unwrap_err().to_string();
            assert!(
                error.contains(file) && error.contains("would be lost"),
                "{error}"
            );
            assert!(contents(&out) == before);
            fs::remove_dir_all(&out).unwrap();
        } else {
            saved.unwrap();
            assert_eq!(Checkpoint::open(&out).unwrap().config, new.config);
        }
    }
    // What a save that was cut off has left goes with the next, and nothing is left beside the folder.
    fs::create_dir(folder.path().join(".model.part")).unwrap();
    fs::write(folder.path().join(".model.part/old"), "x").unwrap();
    fs::create_dir(folder.path().join(".model.old")).unwrap();
    save(&out, &new.config, &new.tokenizer, tensors(&new)).unwrap();
    assert_eq!(contents(&out).len(), 3);
    assert_eq!(contents(folder.path()).len(), 1);
}

#[test]
fn presets_have_the_sizes_their_names_say() {
    for (name, low, high) in [
        ("0.1m", 90_000, 110_000),
        ("3m", 2_200_000, 2_600_000),
        ("85m", 84e6 as u64, 86e6 as u64),
        ("300m", 295_000_000, 310_000_000),
        ("680m", 670_000_000, 690_000_000),
    ] {
        let config = Config::preset(name).unwrap();
        config.check().unwrap();
        let body = config.parameters() - (config.vocab_size * config.hidden_size) as u64;
        assert!((low..high).contains(&body), "{name}: {body}");
    }
    assert!(Config::preset("86m").is_none());
}

/// Beside the file that llama.cpp's converter made of the same model.
#[test]
fn a_model_written_as_gguf_is_as_llama_cpp_writes_it() {
    let model = open("llama");
    let ours = Checkpoint::from_gguf("ours", model.to_gguf().unwrap()).unwrap();
    let theirs = open("llama-q8_0.gguf");
    assert_eq!(ours.config, theirs.config);
    assert_eq!(ours.summary(), theirs.summary());
    assert_eq!(ours.names(), theirs.names());
    for (name, _) in lm::llama::Llama::shapes(&ours.config).into_iter() {
        let (ours, theirs) = (ours.tensor(&name).unwrap(), theirs.tensor(&name).unwrap());
        assert!(ours == theirs, "{name}");
    }
    let text = "def f(x):\n\treturn x + 1234  # ünïcode <|endoftext|>";
    assert_eq!(ours.tokenizer.encode(text), theirs.tokenizer.encode(text));
    assert_eq!(
        ours.tokenizer.encode_special(text),
        theirs.tokenizer.encode_special(text)
    );
    assert_eq!(ours.tokenizer.ends(), model.tokenizer.ends());
    // Written again nothing changes: 8 bits stay what they are.
    assert_eq!(ours.to_gguf().unwrap(), model.to_gguf().unwrap());
    for other in ["qwen2", "qwen3", "llama3"] {
        let error = open(other).to_gguf().unwrap_err().to_string();
        assert!(error.contains("model.safetensors"), "{error}");
    }
}

#[test]
fn a_card_goes_with_a_gguf_file() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    let source = open("llama");
    let weights = lm::llama::Llama::shapes(&source.config);
    let tensors = weights.into_iter().map(|(name, shape)| {
        let data = source.tensor(&name).unwrap().data;
        (name, shape, data)
    });
    save(&model, &source.config, &source.tokenizer, tensors).unwrap();
    lm::checkpoint::write_card(&model, "# a model", "{\"task\": \"diff\"}").unwrap();
    let file = folder.path().join("one.gguf");
    fs::write(&file, "what was there").unwrap();
    Checkpoint::open(&model).unwrap().save_gguf(&file).unwrap();
    let card = Checkpoint::open(&file).unwrap().card().unwrap();
    assert_eq!(card["task"], "diff");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let nowhere = folder.path().join("none/one.gguf");
    let error = source.save_gguf(&nowhere).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}
