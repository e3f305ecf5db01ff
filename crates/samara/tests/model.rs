//! `samara model` through the real binary.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::SAMARA;
use serde_json::Value;

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../lm/tests/tiny")
        .join(name)
}

fn model(cache: &Path, args: &[&str]) -> Output {
    Command::new(SAMARA)
        .arg("model")
        .args(args)
        .env("SAMARA_CACHE", cache)
        .output()
        .expect("samara starts")
}

fn ok(cache: &Path, args: &[&str]) -> String {
    let output = model(cache, args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn fails(cache: &Path, args: &[&str], code: i32, words: &[&str]) {
    let output = model(cache, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} did not say {word:?}: {said}");
    }
}

#[test]
fn models_are_listed_and_described() {
    let cache = tempfile::tempdir().unwrap();
    let c = cache.path();
    assert!(ok(c, &["list"]).contains("samara model pull smollm2-135m"));
    let folder = c.join("models/hf--org--tiny");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(tiny("llama-q8_0.gguf"), folder.join("q.gguf")).unwrap();

    let listed: Value = serde_json::from_str(&ok(c, &["list", "--json"])).unwrap();
    assert_eq!(listed["models"][0]["name"], "hf:org/tiny:q.gguf");
    assert_eq!(listed["available"][0]["name"], "smollm2-135m");
    assert!(ok(c, &["list"]).contains("hf:org/tiny:q.gguf"));

    let info: Value =
        serde_json::from_str(&ok(c, &["info", "hf:org/tiny:q.gguf", "--json"])).unwrap();
    assert_eq!(info["parameters"], 94_528);
    assert_eq!(info["config"]["hidden_size"], 64);
    assert_eq!(info["tensors"]["Q8_0"]["tensors"], 15);
    let text = ok(c, &["info", tiny("qwen2").to_str().unwrap()]);
    assert!(
        text.contains("safetensors") && text.contains("BF16: 27 tensors"),
        "{text}"
    );

    // An adapter says what it is of.
    let adapter = tiny("../adapter/some");
    let text = ok(c, &["info", adapter.to_str().unwrap()]);
    assert!(
        text.contains("adapter     LoRA of rank 4 on 5 matrices") && text.contains("tiny/qwen2"),
        "{text}"
    );
    let info = ok(c, &["info", adapter.to_str().unwrap(), "--json"]);
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["adapters"][0]["path"], adapter.to_str().unwrap());
    assert_eq!(info["adapters"][0]["rank"], 4);
    assert_eq!(info["format"], "safetensors");

    // What is there is not fetched again.
    let line: Value = serde_json::from_str(&ok(c, &["pull", "hf:org/tiny:q.gguf"])).unwrap();
    assert_eq!(line["event"], "done");
    assert_eq!(line["path"], folder.join("q.gguf").to_str().unwrap());
}

#[test]
fn models_that_are_not_there() {
    let cache = tempfile::tempdir().unwrap();
    let c = cache.path();
    fails(
        c,
        &["info", "smollm2-135m"],
        2,
        &["smollm2-135m", "samara model pull smollm2-135m"],
    );
    fails(
        c,
        &["info", "no/such.gguf"],
        2,
        &["no/such.gguf", "hf:ORG/NAME"],
    );
    fails(
        c,
        &["pull", "gpt-5"],
        2,
        &["gpt-5", "smollm2-135m", "hf:ORG/NAME"],
    );
    std::fs::write(c.join("x.gguf"), "GGUF").unwrap();
    fails(
        c,
        &["info", c.join("x.gguf").to_str().unwrap()],
        1,
        &["x.gguf", "fetch or write it again"],
    );
}

/// On a machine without a network, a cache or a home.
#[test]
fn the_model_in_the_box_needs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bare = |args: &[&str]| {
        let done = Command::new(SAMARA)
            .args(args)
            .current_dir(folder.path())
            .env_remove("HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("SAMARA_CACHE")
            .output()
            .expect("samara starts");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{args:?}: {said}");
        String::from_utf8(done.stdout).unwrap()
    };
    let info: Value = serde_json::from_str(&bare(&["model", "info", "compact", "--json"])).unwrap();
    assert_eq!(info["format"], "GGUF");
    assert!(info["bytes"].as_u64().unwrap() < 8 << 20);
    let run = [
        "evolve",
        "--operator",
        "diff",
        "--evaluations",
        "128",
        "--out",
        "run",
    ];
    bare(&run);
    let stats: Value = serde_json::from_str(&bare(&["stats", "run", "--json"])).unwrap();
    let share = |kind: &str| stats[kind].as_f64().unwrap() / 128.0;
    assert!(share("valid") > 0.9 && share("runnable") > 0.4, "{stats}");

    // Written to a file it is the same model.
    bare(&["model", "export", "compact", "-o", "file.gguf"]);
    let file: Value =
        serde_json::from_str(&bare(&["model", "info", "file.gguf", "--json"])).unwrap();
    assert_eq!(
        (&file["config"], &file["bytes"]),
        (&info["config"], &info["bytes"])
    );
    common::fails(
        folder.path(),
        &["model", "export", "compact", "-o", "file.bin"],
        2,
        &["file.bin", ".gguf"],
    );
    common::fails(
        folder.path(),
        &["model", "export", "compact", "-o", "no/file.gguf"],
        1,
        &["-o no/file.gguf", "a folder that is there"],
    );
    common::fails(
        folder.path(),
        &[
            "evolve",
            "--operator",
            "line",
            "--evaluations",
            "8",
            "--out",
            "lines",
        ],
        2,
        &["compact", "smollm2-135m", "operator diff"],
    );
}
