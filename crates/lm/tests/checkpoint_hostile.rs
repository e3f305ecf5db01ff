//! Files that are missing, cut short, garbled or of the wrong kind: an error that says so, never a panic, never memory
//! by a length that a file claims.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use lm::{Checkpoint, Error, Tokenizer};

/// Notes the largest allocation.
struct Watch;
static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static WATCH: Watch = Watch;

/// No honest reading of a tiny model needs more at once.
const MOST: usize = 8 << 20;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A copy of the tiny Llama's folder that may be spoilt.
fn copy() -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(tests().join("tiny/llama").join(name), to.path().join(name)).unwrap();
    }
    to
}

/// Opens and reads all there is; returns the error's text.
fn read_all(path: &Path) -> Result<(), String> {
    let model = Checkpoint::open(path).map_err(|e| e.to_string())?;
    for name in model.names() {
        let _ = model.tensor(&name);
    }
    model
        .tokenizer
        .encode_special("def f(x):\n    return 12 <|im_end|> é");
    Ok(())
}

/// Spoils a file in many ways; `n` of each.
fn spoil(file: &Path, open: &Path, n: usize) {
    let whole = fs::read(file).unwrap();
    read_all(open).unwrap();
    let step = (whole.len() / n).max(1);
    // Without its line's end a text is still whole.
    let least = whole.trim_ascii_end().len().max(whole.len() - 1);
    for length in (0..least).step_by(step).chain(0..n.min(64)) {
        fs::write(file, &whole[..length]).unwrap();
        let error = read_all(open).expect_err("a file cut short was taken");
        assert!(error.contains("; ") || error.contains(": "), "{error}");
    }
    // Most of what can go wrong is in the header: half of the flips go there.
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for i in 0..n {
        let range = if i % 2 == 0 {
            whole.len()
        } else {
            whole.len().min(2000)
        };
        let mut bytes = whole.clone();
        let at = random() % range;
        match i % 3 {
            0 => bytes[at] ^= 1 << (random() % 8),
            1 => bytes[at] = 0xff,
            _ => bytes[at..].iter_mut().take(8).for_each(|b| *b = 0xff),
        }
        fs::write(file, &bytes).unwrap();
        let _ = read_all(open);
    }
    fs::write(file, &whole).unwrap();
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest <= MOST, "{} bytes were allocated at once", largest);
}

#[test]
fn spoilt_gguf() {
    for name in ["llama-q8_0.gguf", "qwen2-q8_0.gguf"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::copy(tests().join("tiny").join(name), &file).unwrap();
        spoil(&file, &file, 200);
    }
}

#[test]
fn spoilt_sentence_piece() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.gguf");
    let whole = fs::read(tests().join("golden/words-llama.gguf")).unwrap();
    for at in (0..whole.len()).step_by(31) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x81;
        fs::write(&file, &bytes).unwrap();
        if let Ok(tokenizer) = Tokenizer::open(&file) {
            tokenizer.encode_special("def f(x):\n    return é</s>");
        }
    }
}

#[test]
fn spoilt_folder() {
    let folder = copy();
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        spoil(&folder.path().join(name), folder.path(), 120);
    }
}

/// The error of opening, which must name each of the words.
fn refused(path: &Path, words: &[&str]) -> Error {
    let error = Checkpoint::open(path).unwrap_err();
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
    error
}

#[test]
fn missing_files() {
    let folder = copy();
    let at = folder.path();
    assert!(matches!(
        refused(&at.join("no.gguf"), &["no.gguf", "does not exist"]),
        Error::Missing(_)
    ));
    fs::remove_file(at.join("tokenizer.json")).unwrap();
    assert!(matches!(
        refused(at, &["tokenizer.json", "put the model's"]),
        Error::Missing(_)
    ));
    fs::remove_file(at.join("config.json")).unwrap();
    assert!(matches!(
        refused(&at.join("model.safetensors"), &["config.json"]),
        Error::Missing(_)
    ));
    fs::remove_file(at.join("model.safetensors")).unwrap();
    assert!(matches!(
        refused(at, &["has no weights", "model.safetensors"]),
        Error::Missing(_)
    ));
    fs::write(at.join("model.bin"), "x").unwrap();
    assert!(matches!(
        refused(&at.join("model.bin"), &["ending", ".gguf"]),
        Error::Unsupported(_)
    ));
}

#[test]
fn wrong_magic_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.gguf");
    let whole = fs::read(tests().join("tiny/llama-q8_0.gguf")).unwrap();
    fs::write(&file, [b"GGML", &whole[4..]].concat()).unwrap();
    assert!(matches!(
        refused(&file, &["x.gguf", "first 4 bytes"]),
        Error::Damaged(_)
    ));
    fs::write(&file, [b"GGUF\x01\0\0\0", &whole[8..]].concat()).unwrap();
    assert!(matches!(
        refused(&file, &["version", "1", "convert"]),
        Error::Unsupported(_)
    ));
}

/// Replaces bytes in the tiny GGUF file.
fn edited(from: &[u8], to: &[u8]) -> (tempfile::TempDir, PathBuf) {
    assert_eq!(from.len(), to.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.gguf");
    let mut bytes = fs::read(tests().join("tiny/llama-q8_0.gguf")).unwrap();
    let at = bytes
        .windows(from.len())
        .position(|w| w == from)
        .expect("the bytes are there");
    bytes[at..at + to.len()].copy_from_slice(to);
    fs::write(&file, bytes).unwrap();
    (folder, file)
}

#[test]
fn unknown_kinds() {
    // After the name: number of dimensions, the dimension, the quantisation.
    let norm = |kind: u8| {
        [
            b"output_norm.weight\x01\0\0\0\x40\0\0\0\0\0\0\0".as_slice(),
            &[kind, 0, 0, 0],
        ]
        .concat()
    };
    let (_folder, file) = edited(&norm(0), &norm(16));
    let error = refused(
        &file,
        &[
            "output_norm.weight",
            "quantisation number 16 (IQ2_XXS)",
            "Q4_K",
        ],
    );
    assert!(matches!(error, Error::Unsupported(_)));

    let arch = |name: &[u8]| [b"general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0", name].concat();
    let (_folder, file) = edited(&arch(b"llama"), &arch(b"gemma"));
    assert!(matches!(
        refused(&file, &["general.architecture", "gemma"]),
        Error::Unsupported(_)
    ));

    let (_folder, file) = edited(b"smollm", b"smallm");
    assert!(matches!(
        refused(&file, &["tokenizer.ggml.pre", "smallm"]),
        Error::Unsupported(_)
    ));
}

#[test]
fn tensors_that_do_not_fit() {
    let (_folder, file) = edited(b"blk.1.ffn_up", b"blk.9.ffn_up");
    let error = refused(&file, &["model.layers.1.mlp.up_proj.weight", "is missing"]);
    assert!(matches!(error, Error::Tensor(_)));

    let folder = copy();
    let config = folder.path().join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("\"intermediate_size\": 96", "\"intermediate_size\": 97"),
    )
    .unwrap();
    let error = refused(
        folder.path(),
        &["layers.0.mlp.gate_proj", "[96, 64]", "[97, 64]"],
    );
    assert!(matches!(error, Error::Tensor(_)));
}

#[test]
fn tokenizers_that_cannot_write() {
    let folder = copy();
    let file = folder.path().join("tokenizer.json");
    let text = fs::read_to_string(&file).unwrap();
    // Ċ is the newline, ¡ a byte of many characters.
    for (from, to, word) in [
        ("\"Ċ\":", "\"ĊĊĊĊ\":", "0x0a"),
        ("\"¡\":", "\"¡¡¡¡\":", "0xa1"),
    ] {
        assert!(text.contains(from));
        fs::write(&file, text.replace(from, to)).unwrap();
        let error = Tokenizer::open(&file).unwrap_err();
        assert!(
            error.to_string().contains(word) || error.to_string().contains("not a tokenizer"),
            "{error}"
        );
    }
    fs::write(&file, text.replace("ByteLevel", "Metaspace")).unwrap();
    assert!(Tokenizer::open(&file).is_err());

    // Nothing that ends a text.
    let config = folder.path().join("config.json");
    let plain = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        plain.replace("\"eos_token_id\": 0", "\"eos_token_id\": null"),
    )
    .unwrap();
    fs::write(
        &file,
        text.replace("<|endoftext|>", "<|one|>")
            .replace("<|im_end|>", "<|two|>"),
    )
    .unwrap();
    let error = refused(
        folder.path(),
        &["eos_token_id", "is missing", "config.json"],
    );
    assert!(matches!(error, Error::Tokenizer(_)));
}

#[test]
fn shards() {
    let folder = copy();
    let at = folder.path();
    fs::rename(at.join("model.safetensors"), at.join("one.safetensors")).unwrap();
    let index = at.join("model.safetensors.index.json");
    fs::write(
        &index,
        r#"{"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}"#,
    )
    .unwrap();
    let model = Checkpoint::open(at).unwrap();
    assert_eq!(model.tensor("model.norm.weight").unwrap().shape, [64]);
    for (text, word) in [
        ("{}", "weight_map"),
        ("[", "JSON"),
        (
            r#"{"weight_map": {"a": "../one.safetensors"}}"#,
            "not a file beside it",
        ),
        (
            r#"{"weight_map": {"a": "two.safetensors"}}"#,
            "two.safetensors",
        ),
        (r#"{"weight_map": {}}"#, "is missing"),
    ] {
        fs::write(&index, text).unwrap();
        refused(at, &[word]);
    }
}
