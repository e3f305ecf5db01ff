//! Tokenizers of another size than their model, and what templates put around a text.

use std::fs;
use std::path::Path;

use lm::cpu::Precision;
use lm::{Checkpoint, Error, Tokenizer};
use serde_json::{Value, json};

use crate::{Changed, copy, edit, refused, tiny, write, writer};

#[test]
fn a_tokenizer_with_more_tokens_than_the_model_has_rows() {
    let folder = copy("llama");
    let token = |id: u32, content: &str, special: bool| {
        json!({
            "id": id, "content": content, "special": special,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    };
    edit(&folder.path().join("tokenizer.json"), |value| {
        let added = value["added_tokens"].as_array_mut().unwrap();
        added.push(token(512, "<pad>", true));
        added.push(token(513, "<|eot_id|>", true));
        added.push(token(514, "<extra>", false));
    });
    let model = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(
        (model.tokenizer.vocab_size(), model.config.vocab_size),
        (515, 512)
    );
    // What ends a text but cannot be drawn does not count.
    assert_eq!(model.config.eos_token_ids, [0, 2]);
    let prompt = model.tokenizer.encode("def f(x):\n <pad>");
    let strange = model.tokenizer.encode("def <extra>(x)");
    assert!(strange.contains(&514) && !prompt.contains(&512));
    let path = model.path().display().to_string();
    let mut writer = writer(model, Precision::Int8).unwrap();
    write(&mut writer, &prompt, 100.0).unwrap();
    let words = ["the token 514", "\"<extra>\"", "512 rows", path.as_str()];
    let error = refused(write(&mut writer, &strange, 1.0), &words);
    assert!(matches!(error, Error::Tokenizer(_)));
    // It writes on afterwards.
    write(&mut writer, &prompt, 1.0).unwrap();
}

#[test]
fn a_tokenizer_with_fewer_tokens_than_the_model_has_rows() {
    let folder = copy("llama");
    let mut last = String::new();
    edit(&folder.path().join("tokenizer.json"), |value| {
        let merge = value["model"]["merges"]
            .as_array_mut()
            .unwrap()
            .pop()
            .unwrap();
        last = merge
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part.as_str().unwrap())
            .collect();
        let vocabulary = value["model"]["vocab"].as_object_mut().unwrap();
        assert_eq!(vocabulary.remove(&last), Some(json!(511)));
    });
    let model = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(
        (model.tokenizer.vocab_size(), model.config.vocab_size),
        (511, 512)
    );
    let prompt = model.tokenizer.encode(&last);
    write(&mut writer(model, Precision::F32).unwrap(), &prompt, 100.0).unwrap();
}

/// A template's parts, by their names; "A" is the text.
fn template(parts: &[&str]) -> Value {
    let part = |name: &&str| match *name {
        "A" => json!({"Sequence": {"id": "A", "type_id": 0}}),
        name => json!({"SpecialToken": {"id": name, "type_id": 0}}),
    };
    let special = |name: &str, id: u32| json!({"id": name, "ids": [id], "tokens": [name]});
    json!({
        "type": "TemplateProcessing",
        "single": parts.iter().map(part).collect::<Vec<_>>(),
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            "<|endoftext|>": special("<|endoftext|>", 0),
            "<|im_start|>": special("<|im_start|>", 1),
            "<|im_end|>": special("<|im_end|>", 2),
        },
    })
}

#[test]
fn what_a_template_puts_after_a_text_is_not_put_before_it() {
    let (start, end) = ("<|im_start|>", "<|im_end|>");
    let around = |kind: &str| {
        json!({
            "type": kind, "cls": [start, 1], "sep": [end, 2], "trim_offsets": true, "add_prefix_space": false,
        })
    };
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true});
    let cases = [
        (json!(null), vec![]),
        (bytes.clone(), vec![]),
        (template(&["A"]), vec![]),
        (template(&["A", end]), vec![]),
        (template(&[start, "A"]), vec![1]),
        (template(&[start, "A", end]), vec![1]),
        (
            template(&["<|endoftext|>", start, "A", end, end]),
            vec![0, 1],
        ),
        (template(&[end, "A"]), vec![2]),
        (around("RobertaProcessing"), vec![1]),
        (around("BertProcessing"), vec![1]),
        (
            json!({"type": "Sequence", "processors": [bytes, template(&["A", end])]}),
            vec![],
        ),
        (
            json!({"type": "Sequence", "processors": [template(&[start, "A", end])]}),
            vec![1],
        ),
    ];
    let text = fs::read_to_string(tiny("llama/tokenizer.json")).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    for (processor, right) in cases {
        value["post_processor"] = processor;
        let tokenizer = Tokenizer::from_json(Path::new("t"), &value.to_string()).unwrap();
        assert_eq!(tokenizer.start(), right, "{}", value["post_processor"]);
        let plain = tokenizer.encode("x = 1\n");
        assert!(plain.iter().all(|id| *id > 2));
    }
}

#[test]
fn what_a_gguf_adds_after_a_text_is_not_put_before_it() {
    for (bos, add_bos, add_eos, right) in [
        (None, None, Some(true), vec![]),
        (Some(1), None, Some(true), vec![]),
        (Some(1), Some(false), Some(true), vec![]),
        (Some(1), Some(true), Some(true), vec![1]),
        (Some(1), Some(true), None, vec![1]),
    ] {
        let mut changed = Changed::new("llama-q8_0.gguf");
        if let Some(id) = bos {
            changed.file.set_int("tokenizer.ggml.bos_token_id", id);
        }
        for (field, flag) in [("bos", add_bos), ("eos", add_eos)] {
            if let Some(flag) = flag {
                changed
                    .file
                    .set_flag(&format!("tokenizer.ggml.add_{field}_token"), flag);
            }
        }
        let model = changed.open().unwrap();
        assert_eq!(
            model.tokenizer.start(),
            right,
            "{bos:?} {add_bos:?} {add_eos:?}"
        );
    }
}

#[test]
fn special_tokens_of_a_gguf_that_are_none() {
    let mut changed = Changed::new("llama-q8_0.gguf");
    let right = changed.open().unwrap().config;
    for name in ["bos", "eos", "eot", "eom"] {
        changed
            .file
            .set_int(&format!("tokenizer.ggml.{name}_token_id"), u32::MAX);
    }
    let model = changed.open().unwrap();
    assert_eq!(model.config, right);
    assert!(model.tokenizer.start().is_empty());
    changed.file.set_flag("tokenizer.ggml.add_bos_token", true);
    let words = ["x.gguf", "tokenizer.ggml.add_bos_token", "names no token"];
    assert!(matches!(refused(changed.open(), &words), Error::Damaged(_)));
}
