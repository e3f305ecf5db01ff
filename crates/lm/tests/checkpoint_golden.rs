//! Values and tokens by the format's own programs; see the scripts in `tests/golden`.

use std::path::{Path, PathBuf};

use lm::{Checkpoint, Tokenizer, pull};
use serde::Deserialize;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

#[derive(Deserialize)]
struct Text {
    text: String,
    plain: Vec<u32>,
    special: Option<Vec<u32>>,
}

/// Compares with llama.cpp on every text.
fn compare(tokenizer: &Tokenizer, name: &str) {
    let texts: Vec<Text> =
        serde_json::from_str(&std::fs::read_to_string(golden(name)).unwrap()).unwrap();
    assert!(texts.len() >= 50);
    for Text {
        text,
        plain,
        special,
    } in texts
    {
        assert_eq!(tokenizer.encode(&text), plain, "{name}: {text:?}");
        assert_eq!(
            &tokenizer.encode_special(&text),
            special.as_ref().unwrap_or(&plain),
            "{name}: {text:?}"
        );
        let back = tokenizer.decode(&plain);
        assert_eq!(back.trim_start(), text.trim_start(), "{name}");
    }
}

#[test]
fn splits_texts_like_llama_cpp() {
    for kind in [
        "gpt-2",
        "smollm",
        "qwen2",
        "llama-bpe",
        "tekken",
        "deepseek-llm",
        "deepseek-coder",
        "deepseek-v3",
        "default",
        "llama", // SentencePiece
    ] {
        let tokenizer = Tokenizer::open(&golden(&format!("words-{kind}.gguf"))).unwrap();
        compare(&tokenizer, &format!("words-{kind}.json"));
    }
}

#[test]
fn a_text_that_goes_on_gets_no_space_and_a_text_its_start() {
    for (file, start) in [
        ("words-smollm.gguf", None),
        ("words-qwen2.gguf", None),
        ("words-llama-bpe.gguf", None), // it names none
        ("words-llama.gguf", Some("<s>")),
    ] {
        let tokenizer = Tokenizer::open(&golden(file)).unwrap();
        for text in ["x = 1\n    return x", " a", "é\n", "\t(b)"] {
            let ids = tokenizer.encode_within(text);
            assert_eq!(tokenizer.decode(&ids), text, "{file}");
        }
        let named: Vec<u32> = start
            .map(|name| tokenizer.special(name).unwrap())
            .into_iter()
            .collect();
        assert_eq!(tokenizer.start(), named, "{file}");
        let written = Tokenizer::from_json(&golden(file), &tokenizer.to_json()).unwrap();
        assert_eq!(written.start(), named, "{file}, written and read");
    }
}

/// `SAMARA_MODEL=SmolLM2-135M-Instruct.Q4_1.gguf cargo test -p lm -- --ignored`; without the variable it is looked for
/// where `samara model pull smollm2-135m` puts it.
#[test]
#[ignore = "needs SmolLM2, 93 MB"]
fn smollm2() {
    let path = std::env::var_os("SAMARA_MODEL").map_or_else(
        || pull::resolve("smollm2-135m", &pull::cache_folder().unwrap()).unwrap(),
        PathBuf::from,
    );
    let model = Checkpoint::open(&path).unwrap();
    assert_eq!(model.config.parameters(), 134_515_008);
    assert_eq!(model.config.eos_token_ids, [2, 0]);
    compare(&model.tokenizer, "smollm2.json");
    for (name, shape) in model.config.tensors() {
        let tensor = model.tensor(&name).unwrap();
        assert_eq!(tensor.data.len(), shape.iter().product::<usize>(), "{name}");
        assert!(tensor.data.iter().all(|x| x.is_finite()), "{name}");
    }
}
