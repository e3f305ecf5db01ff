//! Adapters that are not read, with what the error says.

use lm::Error;
use serde_json::json;

use super::*;

fn refused(folder: &Path, words: &[&str]) -> Error {
    let error = Checkpoint::open(folder).expect_err("it was taken");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
    error
}

#[test]
fn changes_of_other_kinds() {
    for (field, value) in [
        ("peft_type", json!("IA3")),
        ("peft_type", json!(null)),
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("lora_bias", json!(true)),
        ("modules_to_save", json!(["lm_head"])),
        ("trainable_token_indices", json!([1, 2])),
        ("target_parameters", json!(["mlp.experts"])),
        ("layer_replication", json!([[0, 2]])),
        ("init_lora_weights", json!("pissa_niter_4")),
        ("alpha_pattern", json!({"layers.[01].*": 3})),
        ("alpha_pattern", json!({"q_proj": 3, "self_attn.q_proj": 4})),
    ] {
        let folder = copy("all", "llama");
        edit(folder.path(), |config| config[field] = value);
        let error = refused(folder.path(), &["adapter_config.json", field]);
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
    }
    // What says that there is nothing of the kind is no harm.
    let folder = copy("all", "llama");
    edit(folder.path(), |config| {
        for field in ["modules_to_save", "trainable_token_indices"] {
            config[field] = json!([]);
        }
        config["init_lora_weights"] = json!("gaussian");
        config["something_new"] = json!(7);
        for field in ["rank_pattern", "alpha_pattern", "use_rslora", "bias"] {
            config.as_object_mut().unwrap().remove(field);
        }
    });
    Checkpoint::open(folder.path()).unwrap();
}

#[test]
fn configurations_that_are_none() {
    for (field, value, word) in [
        ("r", json!(0), "1 or more"),
        ("r", json!("four"), "1 or more"),
        ("r", json!(8), "has rank 4"),
        ("lora_alpha", json!(null), "no number"),
        ("alpha_pattern", json!([1]), "no object"),
        ("alpha_pattern", json!({"q_proj": "x"}), "no number"),
        ("base_model_name_or_path", json!(null), "is missing"),
        ("base_model_name_or_path", json!(""), "is missing"),
    ] {
        let folder = copy("all", "llama");
        edit(folder.path(), |config| config[field] = value);
        refused(folder.path(), &["adapter_config.json", field, word]);
    }
    for text in ["", "[]", "{", "\u{0}"] {
        let folder = copy("all", "llama");
        fs::write(folder.path().join("adapter_config.json"), text).unwrap();
        refused(folder.path(), &["adapter_config.json"]);
    }
}

#[test]
fn tensors_that_do_not_go_with_it() {
    let one = |names: &[(&str, [usize; 2])]| {
        let folder = copy("all", "llama");
        let data = vec![0u8; 4 * 64 * 512];
        let all = names.iter().map(|(name, shape)| {
            let bytes = &data[..4 * shape[0] * shape[1]];
            let kind = safetensors::Dtype::F32;
            let view = safetensors::tensor::TensorView::new(kind, shape.to_vec(), bytes);
            (name.to_owned(), view.unwrap())
        });
        let file = folder.path().join("adapter_model.safetensors");
        fs::write(file, safetensors::serialize(all, None).unwrap()).unwrap();
        folder
    };
    let q = "model.layers.0.self_attn.q_proj";
    let [a, b] = ["A", "B"].map(|half| format!("base_model.model.{q}.lora_{half}.weight"));
    let named = format!("base_model.model.{q}.lora_A.default.weight");
    let magnitude = format!("base_model.model.{q}.lora_magnitude_vector");
    let far = a.replace("layers.0", "layers.2");
    let far_b = b.replace("layers.0", "layers.2");
    let (half, other) = ([4, 64], [64, 4]);
    for (tensors, words) in [
        (vec![], "has no tensors"),
        (vec![(&*a, half)], "are not both there"),
        (
            vec![(&*a, half), (&*b, other), (&*named, half)],
            "one adapter",
        ),
        (
            vec![(&*a, half), (&*b, other), (&*magnitude, [1, 64])],
            "magnitude",
        ),
        (
            vec![(&*far, half), (&*far_b, other)],
            "nothing that the base has",
        ),
        (vec![(&*a, [4, 32]), (&*b, other)], "[4, 32], not [4, 64]"),
        (vec![(&*a, half), (&*b, [64, 3])], "[64, 3], not [64, 4]"),
        (vec![(&*a, [0, 64]), (&*b, [64, 0])], "no matrix"),
        (
            vec![
                ("lm_head.lora_A.weight", half),
                ("lm_head.lora_B.weight", [512, 4]),
            ],
            "embedding too",
        ),
    ] {
        let folder = one(&tensors);
        refused(folder.path(), &["adapter_model.safetensors", words]);
    }
    let folder = copy("all", "llama");
    let file = folder.path().join("adapter_model.safetensors");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    refused(folder.path(), &["adapter_model.safetensors", "header"]);
    fs::remove_file(&file).unwrap();
    refused(folder.path(), &["does not exist", "put it beside"]);
    fs::write(folder.path().join("adapter_model.bin"), "x").unwrap();
    refused(folder.path(), &["does not exist", "as safetensors"]);
}

#[test]
fn bases_that_are_not_at_hand() {
    let folder = copy("all", "llama");
    for (base, mend) in [
        ("/no/such/model", "write there the path"),
        ("nobody/nothing", "samara model pull hf:nobody/nothing"),
        ("hf:nobody/nothing", "samara model pull hf:nobody/nothing"),
        ("../gone", "write there the path"),
    ] {
        edit(folder.path(), |config| {
            config["base_model_name_or_path"] = base.into()
        });
        let words = ["adapter_config.json", "base_model_name_or_path", base, mend];
        let error = refused(folder.path(), &words);
        assert!(matches!(error, Error::Missing(_)), "{error}");
    }
    // Its own base.
    edit(folder.path(), |config| {
        config["base_model_name_or_path"] = ".".into()
    });
    refused(folder.path(), &["without an end"]);
    // Of another shape.
    edit(folder.path(), |config| {
        config["base_model_name_or_path"] = here("tiny/qwen3").to_str().unwrap().into();
    });
    refused(folder.path(), &["made for", "is of shape"]);
}

/// Whatever byte is another one, it is an adapter or an error.
#[test]
fn bytes_that_are_others() {
    for (file, most) in [
        ("adapter_config.json", 1200),
        ("adapter_model.safetensors", 4000),
    ] {
        let folder = copy("all", "llama");
        let path = folder.path().join(file);
        let bytes = fs::read(&path).unwrap();
        for (at, new) in (0..most.min(bytes.len()))
            .step_by(17)
            .zip([0, b'"', b'9', 0xff].iter().cycle())
        {
            let mut changed = bytes.clone();
            changed[at] = *new;
            fs::write(&path, &changed).unwrap();
            if let Ok(model) = Checkpoint::open(folder.path()) {
                let _ = model.weights().unwrap();
                let _ = model.tensor("model.layers.1.mlp.down_proj.weight");
            }
        }
    }
}
