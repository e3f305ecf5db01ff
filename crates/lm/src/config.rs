//! The shape of a decoder of the Llama family, stored as Hugging Face's `config.json`.

use std::path::Path;

use crate::error::{Error, Fault};
pub use rope::RopeScaling;

mod json;
mod rope;

/// The shape of a decoder: RMSNorm, rotary positions (rotate-half), grouped-query attention, SwiGLU.
///
/// Llama as in arXiv:2302.13971; with `attention_bias` Qwen2 as in arXiv:2407.10671, with `qk_norm` Qwen3 as in
/// arXiv:2505.09388.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward layers.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads in a layer.
    pub num_attention_heads: usize,
    /// Key and value heads in a layer; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How they are changed for a longer context.
    pub rope_scaling: RopeScaling,
    /// Longest sequence the model was made for, in tokens.
    pub max_position_embeddings: usize,
    /// Whether the embedding is the output head too.
    pub tie_word_embeddings: bool,
    /// Whether the query, key and value projections have biases (Qwen2).
    pub attention_bias: bool,
    /// Whether each query and key head is normed before it is turned (Qwen3); excludes `attention_bias`.
    pub qk_norm: bool,
    /// The token a text begins with, if any.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a text.
    pub eos_token_ids: Vec<u32>,
}

/// Largest value any size of a configuration may have; far above any model, far below an overflow.
const MOST: usize = 1 << 24;

impl Config {
    /// The names that [`Config::preset`] knows.
    pub const PRESETS: [&str; 8] = ["0.1m", "1m", "3m", "6m", "25m", "85m", "300m", "680m"];

    /// The sizes of table 3 of "Evolution through Large Models" (arXiv:2206.08896) at a vocabulary of 8,192 and a
    /// context of 2,048 tokens: "0.1m", "85m", "300m" and "680m"; and compact models, whose query heads share keys and
    /// values: "1m", "3m" and "6m" at a vocabulary of 2,048, "25m".
    ///
    /// The paper's models have two-matrix feed-forward layers of four times the width; SwiGLU has three matrices, so
    /// that 8/3 of the width (rounded up to a multiple of 32) gives the same number of parameters. `None` for any
    /// other name.
    pub fn preset(name: &str) -> Option<Self> {
        let (layers, hidden, heads, kv, vocab) = match name {
            "0.1m" => (2, 64, 4, 4, 8192),
            "1m" => (4, 128, 4, 2, 2048),
            "3m" => (6, 192, 6, 2, 2048),
            "6m" => (8, 256, 4, 2, 2048),
            "25m" => (14, 384, 6, 2, 8192),
            "85m" => (12, 768, 12, 12, 8192),
            "300m" => (24, 1024, 16, 16, 8192),
            "680m" => (24, 1536, 16, 16, 8192),
            _ => return None,
        };
        Some(Self {
            vocab_size: vocab,
            hidden_size: hidden,
            intermediate_size: (hidden * 8).div_ceil(3).next_multiple_of(32),
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: kv,
            head_dim: hidden / heads,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            max_position_embeddings: 2048,
            tie_word_embeddings: true,
            attention_bias: false,
            qk_norm: false,
            bos_token_id: None,
            eos_token_ids: vec![0],
        })
    }

    /// The token that ends a text, for a model that is to learn where to end.
    ///
    /// # Errors
    /// `Error::Tokenizer` where there is none.
    pub fn end(&self) -> Result<u32, Error> {
        self.eos_token_ids.first().copied().ok_or_else(|| {
            Error::Tokenizer(Fault::new(
                Path::new("the model"),
                "eos_token_id",
                "is missing, so that no end can be learned",
                "name the token that ends a text in config.json",
            ))
        })
    }

    /// Adds tokens that end a text, those that are not yet there.
    pub(crate) fn add_ends(&mut self, ids: impl IntoIterator<Item = u32>) {
        for id in ids {
            if !self.eos_token_ids.contains(&id) {
                self.eos_token_ids.push(id);
            }
        }
    }

    /// Whether the sizes can be a model.
    ///
    /// # Errors
    /// `Error::Config`, naming the field and what it must be.
    pub fn check(&self) -> Result<(), Error> {
        self.check_in(Path::new("config.json"))
    }

    /// As `check`, with the file that the errors name.
    pub(crate) fn check_in(&self, file: &Path) -> Result<(), Error> {
        let fault = |field: &str, value: &dyn std::fmt::Display, must: String| {
            let mend = format!("it must be {must}");
            Err(Error::Config(Fault::new(
                file,
                field,
                format!("is {value}"),
                mend,
            )))
        };
        for (field, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            let most = if field == "num_hidden_layers" {
                1024
            } else {
                MOST
            };
            if !(1..=most).contains(&value) {
                return fault(field, &value, format!("1 to {most}"));
            }
        }
        let (heads, kv) = (self.num_attention_heads, self.num_key_value_heads);
        if heads % kv != 0 {
            return fault(
                "num_key_value_heads",
                &kv,
                format!("a divisor of num_attention_heads, {heads}"),
            );
        }
        if !self.head_dim.is_multiple_of(2) {
            return fault("head_dim", &self.head_dim, "even".to_owned());
        }
        if heads * self.head_dim > MOST {
            return fault(
                "head_dim",
                &self.head_dim,
                format!("at most {}", MOST / heads),
            );
        }
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0) {
            return fault(
                "rms_norm_eps",
                &self.rms_norm_eps,
                "above 0 and below 1".to_owned(),
            );
        }
        if !(self.rope_theta > 1.0 && self.rope_theta.is_finite()) {
            return fault("rope_theta", &self.rope_theta, "above 1".to_owned());
        }
        if let Some((field, value, must)) = self.rope_scaling.fault(self.head_dim) {
            return fault(&format!("rope_scaling: {field}"), &value, must);
        }
        if self.qk_norm && self.attention_bias {
            return fault(
                "attention_bias",
                &true,
                "false where heads are normed".to_owned(),
            );
        }
        if let Some(&id) = self
            .eos_token_ids
            .iter()
            .chain(&self.bos_token_id)
            .find(|&&id| id as usize >= self.vocab_size)
        {
            return fault(
                "eos_token_id or bos_token_id",
                &id,
                format!("below vocab_size, {}", self.vocab_size),
            );
        }
        Ok(())
    }
}
