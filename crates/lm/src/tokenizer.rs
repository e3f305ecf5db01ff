//! Text to tokens and back.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Fault};

pub mod train;

/// A byte-pair tokenizer that can write any text.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The same without the space that SentencePiece puts before a text, where it does.
    within: Option<Box<tokenizers::Tokenizer>>,
    start: Vec<u32>,
    /// By token.
    bytes: Vec<Box<[u8]>>,
    special: BTreeMap<String, u32>,
}

/// Largest token number taken; above any vocabulary.
const MOST: u32 = 1 << 22;

/// Whether a tokenizer must be able to write a byte: all of UTF-8 but for control characters and unassigned planes.
fn needed(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b' '..=b'~' | 0x80..=0xbf | 0xc2..=0xf0)
}

/// Names of tokens that end a text.
const ENDS: [&str; 6] = [
    "<|endoftext|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "</s>",
];

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`; `file` is for messages.
    ///
    /// # Errors
    /// `Error::Damaged` for what is no such file, `Error::Unsupported` for a tokenizer that does not go back to bytes,
    /// `Error::Tokenizer` where a byte that programs and Unicode text are written with has no token.
    pub fn from_json(file: &Path, text: &str) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(text)
            .map_err(|e| Error::damaged(file, "the file", format!("is not JSON: {e}")))?;
        let spelling = Spelling::of(&value).ok_or_else(|| {
            let problem = "is neither byte-level nor with byte fallback";
            let mend = "choose a model whose tokenizer can write any text";
            Error::Unsupported(Fault::new(file, "decoder", problem, mend))
        })?;
        plain(&value).map_err(|field| {
            let mend = "choose a model with a plain byte-pair tokenizer";
            Error::Unsupported(Fault::new(file, field, "is not known here", mend))
        })?;
        let read = |text: &str| -> Result<tokenizers::Tokenizer, Error> {
            let mut inner: tokenizers::Tokenizer = text.parse().map_err(|e| {
                Error::damaged(file, "the file", format!("is not a tokenizer: {e}"))
            })?;
            // Tokens that a text may name only through `encode_special`.
            inner.set_encode_special_tokens(true);
            inner.with_padding(None);
            inner
                .with_truncation(None)
                .map_err(|e| Error::damaged(file, "truncation", e.to_string()))?;
            Ok(inner)
        };
        let inner = read(text)?;
        let mut bare = value;
        let mut prefixed = false;
        for part in ["normalizer", "pre_tokenizer"] {
            if let Some(part) = bare.get_mut(part) {
                prefixed |= without_prefix(part);
            }
        }
        let within = match prefixed {
            true => Some(Box::new(read(&bare.to_string())?)),
            false => None,
        };
        let start = start(&inner);
        let vocabulary = inner.get_vocab(true);
        let length = vocabulary
            .values()
            .max()
            .map_or(0, |&id| id.saturating_add(1));
        if length > MOST {
            return Err(Error::damaged(
                file,
                "vocab",
                format!("has the token number {}", length - 1),
            ));
        }
        let mut bytes = vec![Box::default(); length as usize];
        for (token, &id) in &vocabulary {
            bytes[id as usize] = spelling.bytes(token);
        }
        let mut special = BTreeMap::new();
        for (id, token) in inner.get_added_tokens_decoder() {
            if token.special {
                bytes[id as usize] = Box::default();
                special.insert(token.content, id);
            } else {
                bytes[id as usize] = token.content.into_bytes().into();
            }
        }
        let mut has = [false; 256];
        for token in &bytes {
            if let [byte] = **token {
                has[usize::from(byte)] = true;
            }
        }
        if let Some(byte) = (0..=255u8).find(|&b| needed(b) && !has[usize::from(b)]) {
            let problem = format!("has no token for the byte 0x{byte:02x}");
            let mend = "choose a tokenizer that can write any text";
            return Err(Error::Tokenizer(Fault::new(file, "vocab", problem, mend)));
        }
        Ok(Self {
            inner,
            within,
            start,
            bytes,
            special,
        })
    }

    /// The tokens of a text. None is added before or after, and what looks like a special token is text.
    ///
    /// A control character may have no token (SmolLM2 lacks six of them); it is left out.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        ids(&self.inner, text)
    }

    /// The tokens of a text that goes on another: their bytes are the text's, no space before it.
    pub fn encode_within(&self, text: &str) -> Vec<u32> {
        ids(self.within.as_deref().unwrap_or(&self.inner), text)
    }

    /// The tokens that the model was trained to see before a text: mostly one or none. What it was trained to see after
    /// a text, such as an end, is none of them, since a text here goes on.
    pub fn start(&self) -> &[u32] {
        &self.start
    }

    /// As `encode`, but special tokens in the text, such as `<|im_start|>`, become their one token.
    pub fn encode_special(&self, text: &str) -> Vec<u32> {
        let (mut ids, mut rest) = (Vec::new(), text);
        loop {
            // The leftmost; of two at one place the longer.
            let next = self
                .special
                .iter()
                .filter_map(|(name, &id)| rest.find(name.as_str()).map(|at| (at, name.len(), id)))
                .min_by_key(|&(at, length, _)| (at, std::cmp::Reverse(length)));
            let Some((at, length, id)) = next else {
                break;
            };
            if at > 0 {
                ids.extend(self.encode(&rest[..at]));
            }
            ids.push(id);
            rest = &rest[at + length..];
        }
        if !rest.is_empty() {
            ids.extend(self.encode(rest));
        }
        ids
    }

    /// The text of tokens; special ones give none, and bytes that are not UTF-8 become U+FFFD.
    ///
    /// A SentencePiece tokenizer puts a space before a text in `encode`; it stays here.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A token's bytes; none for special and for unknown ones.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], |bytes| bytes)
    }

    /// Largest token number plus one.
    pub fn vocab_size(&self) -> usize {
        self.bytes.len()
    }

    /// The number of a special token.
    pub fn special(&self, text: &str) -> Option<u32> {
        self.special.get(text).copied()
    }

    /// All special tokens.
    pub fn specials(&self) -> impl Iterator<Item = (&str, u32)> {
        self.special.iter().map(|(name, &id)| (name.as_str(), id))
    }

    /// The tokens that end a text by their names, whatever a configuration says: `<|endoftext|>`, `<|im_end|>`,
    /// `<|eot_id|>`, `<|end_of_text|>`, `<|end|>` and `</s>`, those there are, by number.
    ///
    /// As in llama.cpp, any token of such a name is one: files exist that do not mark it as special.
    pub fn ends(&self) -> Vec<u32> {
        let mut ends: Vec<u32> = ENDS
            .iter()
            .filter_map(|name| self.inner.token_to_id(name))
            .collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// The text of a `tokenizer.json`.
    pub fn to_json(&self) -> String {
        self.inner.to_string(false).unwrap_or_default()
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokenizer of {} tokens", self.vocab_size())
    }
}

fn ids(tokenizer: &tokenizers::Tokenizer, text: &str) -> Vec<u32> {
    // Encoding fails only without an unknown token, which a vocabulary of all bytes never needs.
    tokenizer
        .encode_fast(text, false)
        .map(|e| e.get_ids().to_vec())
        .unwrap_or_default()
}

/// What a tokenizer's template puts before a text.
fn start(tokenizer: &tokenizers::Tokenizer) -> Vec<u32> {
    let Ok(encoded) = tokenizer.encode("x", true) else {
        return Vec::new();
    };
    let tokens = encoded
        .get_ids()
        .iter()
        .zip(encoded.get_special_tokens_mask());
    let before = tokens.take_while(|(_, special)| **special != 0);
    let before: Vec<u32> = before.map(|(id, _)| *id).collect();
    // A template without a place for the text has no beginning either.
    match before.len() == encoded.len() {
        true => Vec::new(),
        false => before,
    }
}

/// Names the field that makes a tokenizer one whose tokens are more than parts of the text.
fn plain(tokenizer: &Value) -> Result<(), &'static str> {
    let model = tokenizer.get("model").unwrap_or(&Value::Null);
    let idle = |field: &str| match model.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(number) => number.as_f64() == Some(0.0),
    };
    let fields = ["dropout", "continuing_subword_prefix", "end_of_word_suffix"];
    match fields.into_iter().find(|field| !idle(field)) {
        Some(field) => Err(field),
        None => Ok(()),
    }
}

/// Takes the space before a text from a normalizer or pre-tokenizer; whether there was one.
fn without_prefix(part: &mut Value) -> bool {
    let prefixes = |part: &Value| {
        part.get("add_prefix_space") == Some(&Value::Bool(true))
            || part.get("prepend_scheme").is_some_and(|s| s != "never")
    };
    match part.get("type").and_then(Value::as_str) {
        Some("Prepend") => {
            *part = json!({"type": "Sequence", "normalizers": []});
            true
        }
        Some(kind @ ("Metaspace" | "ByteLevel")) => {
            let named_scheme = kind == "Metaspace";
            let prefixed = prefixes(part);
            part["add_prefix_space"] = json!(false);
            if named_scheme {
                part["prepend_scheme"] = json!("never");
            }
            prefixed
        }
        _ => {
            let mut prefixed = false;
            for key in ["normalizers", "pretokenizers"] {
                if let Some(Value::Array(parts)) = part.get_mut(key) {
                    for part in parts {
                        prefixed |= without_prefix(part);
                    }
                }
            }
            prefixed
        }
    }
}

/// How a vocabulary writes bytes as text.
enum Spelling {
    /// GPT-2's: each byte is a visible character.
    ByteLevel(HashMap<char, u8>),
    /// SentencePiece's: UTF-8 with "▁" for a space, and `<0x0A>` for a single byte.
    Fallback,
}

impl Spelling {
    fn of(tokenizer: &Value) -> Option<Self> {
        let byte_level = |part: &str| {
            let text = tokenizer
                .get(part)
                .map(Value::to_string)
                .unwrap_or_default();
            text.contains(r#""type":"ByteLevel""#)
        };
        if byte_level("decoder") || byte_level("pre_tokenizer") {
            let map = Self::characters().into_iter().zip(0..=255);
            return Some(Self::ByteLevel(map.collect()));
        }
        let fallback = tokenizer.get("model").and_then(|m| m.get("byte_fallback"));
        (fallback == Some(&Value::Bool(true))).then_some(Self::Fallback)
    }

    /// The character of each byte, as GPT-2 writes it: bytes that Latin-1 shows stand for themselves, the others for the
    /// characters from U+0100 on, in order.
    fn characters() -> Vec<char> {
        let shown = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
        let mut hidden = '\u{100}'..;
        let mut character = |b: u8| match shown(b) {
            true => char::from(b),
            false => hidden.next().unwrap_or_default(),
        };
        (0..=255).map(&mut character).collect()
    }

    fn bytes(&self, token: &str) -> Box<[u8]> {
        match self {
            Self::ByteLevel(map) => token
                .chars()
                .map(|c| map.get(&c).copied())
                .collect::<Option<_>>()
                .unwrap_or_else(|| token.as_bytes().into()),
            Self::Fallback => {
                let hex = token
                    .strip_prefix("<0x")
                    .and_then(|t| t.strip_suffix('>'))
                    .filter(|t| t.len() == 2);
                match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    Some(byte) => Box::new([byte]),
                    None => token.replace('▁', " ").into_bytes().into(),
                }
            }
        }
    }
}

/// Refuses tokens that end a text where there are none, or none of a tokenizer's.
pub(crate) fn check_ends(file: &Path, tokenizer: &Tokenizer, ends: &[u32]) -> Result<(), Error> {
    let fault = |problem, mend| {
        let field = "eos_token_id";
        Err(Error::Tokenizer(Fault::new(file, field, problem, mend)))
    };
    if ends.is_empty() {
        let mend = "name the token that ends a text as eos_token_id in config.json (tokenizer.ggml.eos_token_id)";
        return fault("is missing".to_owned(), mend);
    }
    match ends
        .iter()
        .find(|&&id| id as usize >= tokenizer.vocab_size())
    {
        Some(id) => fault(format!("{id} is no token"), "name a token of the tokenizer"),
        None => Ok(()),
    }
}
