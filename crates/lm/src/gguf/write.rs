//! Models written as GGUF files, version 3: matrices as Q8_0 (blocks of 32 whole numbers with a scale), all else as F32.

use std::collections::HashMap;
use std::path::Path;

use half::f16;
use serde_json::Value as Json;

use super::model::{beside, gguf_name, moved};
use super::quant::Kind;
use super::vocab::{CONTROL, PLAIN, UNUSED, USER_DEFINED};
use super::words::Words;
use crate::config::{Config, RopeScaling};
use crate::error::{Error, Fault};
use crate::llama::Llama;
use crate::tensor::Weight;
use crate::tokenizer::Tokenizer;

/// Where a card stands in a file of ours.
pub(super) const CARD: &str = "samara.card";
/// Where tensors begin.
const ALIGNMENT: usize = 32;

/// The bytes of a model's file. `card` is a text that goes with it, such as a `card.json`.
///
/// llama.cpp reads it as "llama"; of models with biases or normed heads, with scaled rotary positions, with a tokenizer that splits words
/// in a way without a name, or with a width that is not made of whole blocks there is none.
///
/// # Errors
/// `Error::Unsupported` for those, the weights' own.
pub(crate) fn to_gguf<W: Weight>(
    config: &Config,
    tokenizer: &Tokenizer,
    weights: Llama<W>,
    card: Option<&str>,
) -> Result<Vec<u8>, Error> {
    if config.attention_bias || config.qk_norm || config.rope_scaling != RopeScaling::None {
        return refuse("config.json", "is not a plain Llama's");
    }
    let mut header = Header::default();
    header.text("general.architecture", "llama");
    header.number("general.file_type", 7);
    header.number("general.quantization_version", 2);
    let sizes = [
        ("vocab_size", config.vocab_size),
        ("context_length", config.max_position_embeddings),
        ("embedding_length", config.hidden_size),
        ("feed_forward_length", config.intermediate_size),
        ("block_count", config.num_hidden_layers),
        ("attention.head_count", config.num_attention_heads),
        ("attention.head_count_kv", config.num_key_value_heads),
        ("attention.key_length", config.head_dim),
        ("attention.value_length", config.head_dim),
        ("rope.dimension_count", config.head_dim),
    ];
    for (key, size) in sizes {
        header.number(&format!("llama.{key}"), size as u32);
    }
    header.float(
        "llama.attention.layer_norm_rms_epsilon",
        config.rms_norm_eps,
    );
    header.float("llama.rope.freq_base", config.rope_theta);
    header.tokenizer(config, tokenizer)?;
    if let Some(card) = card {
        header.text(CARD, card);
    }

    let (mut places, mut data, mut count) = (Vec::new(), Vec::new(), 0u64);
    weights.try_map(|name, weight| {
        let heads = match () {
            () if name.ends_with("q_proj.weight") => Some(config.num_attention_heads),
            () if name.ends_with("k_proj.weight") => Some(config.num_key_value_heads),
            () => None,
        };
        let (shape, values) = (weight.shape().to_vec(), weight.values()?);
        let values = match heads {
            Some(heads) => moved(&values, shape[0], heads, beside).into(),
            None => values,
        };
        let kind = if shape.len() > 1 {
            Kind::Q8_0
        } else {
            Kind::F32
        };
        let width = *shape.last().unwrap_or(&0);
        if kind == Kind::Q8_0 && width % BLOCK != 0 {
            return refuse(
                name,
                &format!("has rows of {width}, not of whole blocks of {BLOCK}"),
            );
        }
        let ours = gguf_name(name).expect("a tensor of a Llama");
        put_text(&mut places, &ours);
        places.extend((shape.len() as u32).to_le_bytes());
        shape
            .iter()
            .rev()
            .for_each(|n| places.extend((*n as u64).to_le_bytes()));
        places.extend(kind.number().to_le_bytes());
        places.extend((data.len() as u64).to_le_bytes());
        match kind {
            Kind::Q8_0 => values
                .chunks(BLOCK)
                .for_each(|block| quantise(block, &mut data)),
            _ => values.iter().for_each(|x| data.extend(x.to_le_bytes())),
        }
        data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
        count += 1;
        Ok(())
    })?;

    let mut file = b"GGUF".to_vec();
    file.extend(3u32.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(header.fields.to_le_bytes());
    file.extend(header.bytes);
    file.extend(places);
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    file.extend(data);
    Ok(file)
}

fn refuse<T>(field: &str, problem: &str) -> Result<T, Error> {
    let mend = "keep it as a folder with model.safetensors";
    let fault = Fault::new(Path::new("the model as GGUF"), field, problem, mend);
    Err(Error::Unsupported(fault))
}

/// Metadata.
#[derive(Default)]
struct Header {
    fields: u64,
    bytes: Vec<u8>,
}

impl Header {
    fn field(&mut self, key: &str, kind: u32) {
        self.fields += 1;
        put_text(&mut self.bytes, key);
        self.bytes.extend(kind.to_le_bytes());
    }

    fn number(&mut self, key: &str, value: u32) {
        self.field(key, 4);
        self.bytes.extend(value.to_le_bytes());
    }

    fn float(&mut self, key: &str, value: f64) {
        self.field(key, 6);
        self.bytes.extend((value as f32).to_le_bytes());
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.field(key, 7);
        self.bytes.push(u8::from(value));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.field(key, 8);
        put_text(&mut self.bytes, value);
    }

    fn list(&mut self, key: &str, kind: u32, count: usize) {
        self.field(key, 9);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend((count as u64).to_le_bytes());
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        self.list(key, 8, values.len());
        values
            .iter()
            .for_each(|value| put_text(&mut self.bytes, value));
    }

    /// A byte-level tokenizer, from what its `tokenizer.json` would say.
    fn tokenizer(&mut self, config: &Config, tokenizer: &Tokenizer) -> Result<(), Error> {
        let json: Json = serde_json::from_str(&tokenizer.to_json()).unwrap_or_default();
        let Some(pre) = Words::name_of(&json["pre_tokenizer"]) else {
            return refuse(
                "tokenizer.json",
                "splits words in a way that GGUF has no name for",
            );
        };
        let pieces = |pair: &Json| -> Option<String> {
            match pair {
                Json::String(pair) => Some(pair.clone()),
                pair => Some(format!("{} {}", pair[0].as_str()?, pair[1].as_str()?)),
            }
        };
        let merges = json["model"]["merges"].as_array();
        let merges = merges.and_then(|all| all.iter().map(pieces).collect::<Option<Vec<_>>>());
        let vocabulary = json["model"]["vocab"].as_object();
        let (Some(merges), Some(vocabulary)) = (merges, vocabulary) else {
            return refuse("tokenizer.json", "is no byte-pair encoding");
        };
        let plain = vocabulary
            .iter()
            .map(|(token, id)| (id, token.as_str(), PLAIN));
        let added = json["added_tokens"].as_array().into_iter().flatten();
        let added = added.filter_map(|token| {
            let special = token["special"].as_bool() == Some(true);
            let kind = if special { CONTROL } else { USER_DEFINED };
            Some((&token["id"], token["content"].as_str()?, kind))
        });
        let known = plain.chain(added);
        let known = known.filter_map(|(id, token, kind)| Some((id.as_u64()?, (token, kind))));
        let known: HashMap<u64, (&str, i64)> = known.collect();
        // Rows without a token have a name that no text has.
        let tokens = (0..config.vocab_size as u64).map(|id| match known.get(&id) {
            Some((token, kind)) => ((*token).to_owned(), *kind),
            None => (format!("[PAD{id}]"), UNUSED),
        });
        let (tokens, kinds): (Vec<_>, Vec<_>) = tokens.unzip();
        self.text("tokenizer.ggml.model", "gpt2");
        self.text("tokenizer.ggml.pre", pre);
        self.texts("tokenizer.ggml.tokens", &tokens);
        self.list("tokenizer.ggml.token_type", 5, kinds.len());
        kinds
            .iter()
            .for_each(|kind| self.bytes.extend((*kind as i32).to_le_bytes()));
        self.texts("tokenizer.ggml.merges", &merges);
        for (key, id) in [
            ("bos", config.bos_token_id),
            ("eos", config.eos_token_ids.first().copied()),
        ] {
            if let Some(id) = id {
                self.number(&format!("tokenizer.ggml.{key}_token_id"), id);
            }
        }
        self.flag(
            "tokenizer.ggml.add_bos_token",
            !tokenizer.start().is_empty(),
        );
        Ok(())
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Values in a block of Q8_0.
const BLOCK: usize = 32;

/// A block of Q8_0 as ggml's reference makes it: the largest value becomes 127.
fn quantise(block: &[f32], bytes: &mut Vec<u8>) {
    let largest = block.iter().fold(0f32, |most, x| most.max(x.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    bytes.extend(f16::from_f32(scale).to_le_bytes());
    bytes.extend(block.iter().map(|x| (x * inverse).round() as i8 as u8));
}
