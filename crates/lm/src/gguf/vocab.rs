//! The tokenizer in a GGUF file's metadata, as the text of a `tokenizer.json`.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::file::Gguf;
use super::read::Value;
use super::words::Words;
use crate::error::Error;
use crate::tokenizer::Tokenizer;

/// Kinds of tokens, as `tokenizer.ggml.token_type` numbers them.
pub(super) const PLAIN: i64 = 1;
const UNKNOWN: i64 = 2;
pub(super) const CONTROL: i64 = 3;
pub(super) const USER_DEFINED: i64 = 4;
pub(super) const UNUSED: i64 = 5;

/// Bytes of a token that others may merge to; no vocabulary has longer ones but by mistake.
const LONGEST: usize = 512;

impl Gguf {
    /// The tokenizer.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer, Error> {
        let field = "tokenizer.ggml.model";
        let refuse =
            |problem: String, mend: &str| Err(Error::Unsupported(self.fault(field, problem, mend)));
        let mut json = match self.text(field) {
            Some("gpt2") => self.byte_level()?,
            Some("llama") => self.sentence_piece()?,
            Some(other) => {
                return refuse(
                    format!("{other:?} is not known here"),
                    "choose a model with \"gpt2\" or \"llama\"",
                );
            }
            None => return refuse("is missing".to_owned(), "choose a file with a tokenizer"),
        };
        json["version"] = json!("1.0");
        json["added_tokens"] = self.added()?;
        let field = "tokenizer.ggml.add_bos_token";
        let (told, start) = (self.flag(field), self.start()?);
        if told == Some(true) && start.is_none() {
            let problem = "is true, but tokenizer.ggml.bos_token_id names no token";
            return Err(Error::damaged(&self.path, field, problem));
        }
        if let Some((id, token)) = start.filter(|_| told.unwrap_or(self.starts())) {
            json["post_processor"] = json!({
                "type": "TemplateProcessing",
                "single": [
                    {"SpecialToken": {"id": token, "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                ],
                "pair": [
                    {"SpecialToken": {"id": token, "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                    {"Sequence": {"id": "B", "type_id": 1}},
                ],
                "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
            });
        }
        let name = self.path.display().to_string();
        Tokenizer::from_json(
            Path::new(&format!("{name}: tokenizer.ggml")),
            &json.to_string(),
        )
    }

    /// Whether a text begins with a token of its own where the file does not say, as llama.cpp has it.
    fn starts(&self) -> bool {
        let words = self.text("tokenizer.ggml.pre").and_then(Words::of);
        self.text("tokenizer.ggml.model") == Some("llama")
            || words.is_some_and(|words| words.starts)
    }

    /// The token that a text begins with, if one is named.
    fn start(&self) -> Result<Option<(u32, &str)>, Error> {
        let tokens = self.tokens()?;
        let usual = (self.text("tokenizer.ggml.model") == Some("llama")).then_some(1);
        Ok(self
            .token("bos")
            .filter(|&id| (id as usize) < tokens.len())
            .or(usual)
            .and_then(|id| Some((id, tokens.get(id as usize)?.as_str()))))
    }

    fn tokens(&self) -> Result<&[String], Error> {
        let field = "tokenizer.ggml.tokens";
        self.texts(field)
            .ok_or_else(|| Error::damaged(&self.path, field, "is missing, or not a list of texts"))
    }

    /// Kind of each token; empty where the file does not say.
    fn kinds(&self) -> Result<&[i64], Error> {
        let field = "tokenizer.ggml.token_type";
        match self.metadata.get(field) {
            None => Ok(&[]),
            Some(Value::Ints(kinds)) if kinds.len() == self.tokens()?.len() => Ok(kinds),
            Some(_) => Err(Error::damaged(
                &self.path,
                field,
                "is not one whole number for each token",
            )),
        }
    }

    fn vocabulary(&self) -> Result<Map<String, Json>, Error> {
        let tokens = self.tokens()?;
        let vocabulary: Map<_, _> = tokens
            .iter()
            .zip(0..)
            .map(|(t, id)| (t.clone(), json!(id)))
            .collect();
        if vocabulary.len() != tokens.len() {
            return Err(Error::damaged(
                &self.path,
                "tokenizer.ggml.tokens",
                "has the same token twice",
            ));
        }
        Ok(vocabulary)
    }

    /// Tokens that are found in a text before it is split into words.
    fn added(&self) -> Result<Json, Error> {
        let kinds = self.kinds()?.iter();
        let added =
            self.tokens()?
                .iter()
                .zip(kinds)
                .enumerate()
                .filter_map(|(id, (token, &kind))| {
                    let special = matches!(kind, CONTROL | UNKNOWN);
                    (special || kind == USER_DEFINED).then(|| {
                json!({
                    "id": id, "content": token, "special": special,
                    "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                })
            })
                });
        Ok(added.collect())
    }

    /// Byte-pair encoding of bytes written as characters, GPT-2's way.
    fn byte_level(&self) -> Result<Json, Error> {
        let field = "tokenizer.ggml.pre";
        let Some(words) = self.text(field).and_then(Words::of) else {
            let problem = match self.text(field) {
                Some(name) => format!("{name:?} is not known here"),
                None => "is missing".to_owned(),
            };
            let mend = format!("choose a model with one of {}", Words::names());
            return Err(Error::Unsupported(self.fault(field, problem, &mend)));
        };
        let field = "tokenizer.ggml.merges";
        let merges = self
            .texts(field)
            .unwrap_or_default()
            .iter()
            // A part may be a space itself only in broken files.
            .map(|merge| merge.split_once(' ').map(|(a, b)| json!([a, b])))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::damaged(&self.path, field, "has a merge without a space"))?;
        let mut model = model(self.vocabulary()?, merges);
        model["ignore_merges"] = json!(words.ignores_merges);
        Ok(json!({
            // Qwen2 has NFC here; like llama.cpp we keep a text as it is.
            "normalizer": null,
            "pre_tokenizer": words.pre_tokenizer(),
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": model,
        }))
    }

    /// SentencePiece's byte-pair encoding: pieces with scores, from which the merges follow.
    fn sentence_piece(&self) -> Result<Json, Error> {
        let tokens = self.tokens()?;
        let field = "tokenizer.ggml.scores";
        let scores = match self.metadata.get(field) {
            Some(Value::Floats(scores)) if scores.len() == tokens.len() => scores,
            _ => {
                return Err(Error::damaged(
                    &self.path,
                    field,
                    "is missing, or not one number for each token",
                ));
            }
        };
        let ids: HashMap<&str, usize> = tokens.iter().map(String::as_str).zip(0..).collect();
        let mut merges = Vec::new();
        for (token, &score) in tokens
            .iter()
            .zip(scores)
            .filter(|(t, _)| t.len() <= LONGEST)
        {
            for (at, _) in token.char_indices().skip(1) {
                let (a, b) = token.split_at(at);
                if let (Some(&left), Some(&right)) = (ids.get(a), ids.get(b)) {
                    merges.push((score, left, right));
                }
            }
        }
        merges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let merges = merges
            .iter()
            .map(|&(_, a, b)| json!([tokens[a], tokens[b]]))
            .collect();
        let mut model = model(self.vocabulary()?, merges);
        model["byte_fallback"] = json!(true);
        model["fuse_unk"] = json!(true);
        let unknown = self.kinds()?.iter().position(|&kind| kind == UNKNOWN);
        model["unk_token"] = json!(unknown.map(|id| &tokens[id]));
        let mut normalizers =
            vec![json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})];
        if self.flag("tokenizer.ggml.add_space_prefix") != Some(false) {
            normalizers.insert(0, json!({"type": "Prepend", "prepend": "▁"}));
        }
        Ok(json!({
            "normalizer": {"type": "Sequence", "normalizers": normalizers},
            "pre_tokenizer": null,
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ]},
            "model": model,
        }))
    }
}

fn model(vocabulary: Map<String, Json>, merges: Vec<Json>) -> Json {
    json!({
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": vocabulary, "merges": merges,
    })
}
