//! What we write.

use lm::Error;
use lm::train::{Learns, Options, Scores, Step, Text, Trainer as _, Tree, cpu::Trainer};

use super::*;

const OURS: Lora = Lora {
    rank: 4,
    alpha: 6.5,
    seed: 0,
};

fn ours(folder: &Path) {
    save_adapter(folder, "../../tiny/llama", &OURS, &tensors("all")).unwrap();
}

#[test]
#[ignore = "writes tests/adapter/ours, which golden.py then reads"]
fn write_ours() {
    ours(&here("adapter/ours"));
}

/// `ours/`, which PEFT has read, is what we write.
#[test]
fn peft_has_read_what_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("a/b");
    ours(&new);
    let mut files = Vec::new();
    for entry in fs::read_dir(&new).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let golden = fs::read(here("adapter/ours").join(&name)).unwrap();
        assert!(fs::read(new.join(&name)).unwrap() == golden, "{name}");
        files.push(name);
    }
    files.sort();
    assert_eq!(files, ["adapter_config.json", "adapter_model.safetensors"]);
}

/// What a trainer learnt is what is read back, to the bit.
#[test]
fn learnt_and_read_back() {
    let lora = Lora {
        rank: 3,
        alpha: 7.0,
        seed: 5,
    };
    for base in ["llama", "qwen3-q8_0.gguf"] {
        let base = here("tiny").join(base);
        let checkpoint = Checkpoint::open(&base).unwrap();
        let options = Options {
            learns: Learns::Lora(lora),
            ..Options::default()
        };
        let weights = checkpoint.weights().unwrap();
        let mut trainer = Trainer::new(&checkpoint.config, &weights, options).unwrap();
        let mut text = Text::target((5..40).collect());
        text.chosen[0] = false;
        for _ in 0..2 {
            let trees = [Tree::sequence(text.clone())];
            let weigh = &mut |_, scores: &Scores| Scores {
                log_probs: vec![1.0; scores.log_probs.len()],
                values: Vec::new(),
            };
            trainer.gradient(&trees, weigh).unwrap();
            let (rate, decay, clip) = (1e-2, 0.0, 1.0);
            trainer.update(Step { rate, decay, clip }).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        // As a caller has it, who knows the checkpoint.
        let named = checkpoint.path().to_str().unwrap();
        save_adapter(folder.path(), named, &lora, &trainer.adapter()).unwrap();
        let model = Checkpoint::open(folder.path()).unwrap();
        let base = base.canonicalize().unwrap();
        assert_eq!(model.adapters()[0].base(), base);
        assert_eq!(model.adapters()[0].parameters(), trainer.parameters());
        for (name, tensor) in trainer.weights().unwrap() {
            assert!(model.tensor(&name).unwrap() == tensor, "{name}");
        }
    }
}

#[test]
fn how_a_base_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (given, named) in [
        ("hf:org/name", "org/name"),
        ("org/name", "org/name"),
        ("hf:org/name:q.gguf", "hf:org/name:q.gguf"),
        ("smollm2-135m", "smollm2-135m"),
    ] {
        save_adapter(folder.path(), given, &OURS, &tensors("all")).unwrap();
        edit(folder.path(), |config| {
            assert_eq!(config["base_model_name_or_path"], named);
        });
    }
}

#[test]
fn what_would_be_lost_stays() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    fs::create_dir(&base).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(here("tiny/llama").join(file), base.join(file)).unwrap();
    }
    for named in [base.clone(), base.join("model.safetensors")] {
        let saved = save_adapter(&base, named.to_str().unwrap(), &OURS, &tensors("all"));
        let error = saved.unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
        assert!(error.to_string().contains("would be lost"), "{error}");
    }
    assert_eq!(fs::read_dir(&base).unwrap().count(), 3);
    let notes = folder.path().join("notes");
    fs::create_dir(&notes).unwrap();
    fs::write(notes.join("notes.txt"), "x").unwrap();
    let error = save_adapter(&notes, "base", &OURS, &tensors("all")).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
    // One of ours is replaced, cards and all.
    let out = folder.path().join("out");
    ours(&out);
    lm::write_card(&out, "# It", "{}").unwrap();
    ours(&out);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn tensors_that_are_no_change_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let one = |name: &str, shape: [usize; 2]| {
        let data = vec![0.0; shape.iter().product()];
        let shape = shape.to_vec();
        vec![(name.to_owned(), Tensor { shape, data })]
    };
    for (tensors, word) in [
        (Vec::new(), "nothing changes"),
        (one("model.norm.weight", [4, 4]), "model.norm.weight"),
        (one("x.lora_A.weight", [3, 4]), "is not of rank 4"),
        (one("x.lora_B.weight", [4, 3]), "is not of rank 4"),
    ] {
        let error = save_adapter(&out, "base", &OURS, &tensors).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(!out.exists());
}
