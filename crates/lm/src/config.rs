//! The shape of a decoder of the Llama family, stored as Hugging Face's `config.json`.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, Fault};

/// The shape of a decoder: RMSNorm, rotary positions (rotate-half), grouped-query attention, SwiGLU.
///
/// Llama as in arXiv:2302.13971; with `attention_bias` Qwen2 as in arXiv:2407.10671.
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
    /// Longest sequence the model was made for, in tokens.
    pub max_position_embeddings: usize,
    /// Whether the embedding is the output head too.
    pub tie_word_embeddings: bool,
    /// Whether the query, key and value projections have biases (Qwen2).
    pub attention_bias: bool,
    /// The token a text begins with, if any.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a text.
    pub eos_token_ids: Vec<u32>,
}

/// Largest value any size of a configuration may have; far above any model, far below an overflow.
const MOST: usize = 1 << 24;

impl Config {
    /// The sizes of table 3 of "Evolution through Large Models" (arXiv:2206.08896) at a vocabulary of 8,192 and a
    /// context of 2,048 tokens: "0.1m", "85m", "300m" and "680m".
    ///
    /// The paper's models have two-matrix feed-forward layers of four times the width; SwiGLU has three matrices, so
    /// that 8/3 of the width (rounded up to a multiple of 32) gives the same number of parameters. `None` for any
    /// other name.
    pub fn preset(name: &str) -> Option<Self> {
        let (layers, hidden, heads) = match name {
            "0.1m" => (2, 64, 4),
            "85m" => (12, 768, 12),
            "300m" => (24, 1024, 16),
            "680m" => (24, 1536, 16),
            _ => return None,
        };
        Some(Self {
            vocab_size: 8192,
            hidden_size: hidden,
            intermediate_size: (hidden * 8).div_ceil(3).next_multiple_of(32),
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: heads,
            head_dim: hidden / heads,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            max_position_embeddings: 2048,
            tie_word_embeddings: true,
            attention_bias: false,
            bos_token_id: None,
            eos_token_ids: vec![0],
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

    /// The text of a `config.json` that other programs read too.
    pub fn to_json(&self) -> String {
        let (kind, class) = if self.attention_bias {
            ("qwen2", "Qwen2ForCausalLM")
        } else {
            ("llama", "LlamaForCausalLM")
        };
        let eos = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            many => json!(many),
        };
        let value = json!({
            "architectures": [class],
            "model_type": kind,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "max_position_embeddings": self.max_position_embeddings,
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": self.attention_bias,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": eos,
            "torch_dtype": "float32",
        });
        format!("{value:#}\n")
    }

    /// Reads a `config.json`.
    ///
    /// # Errors
    /// `Error::Damaged` for what is not such a file, `Error::Unsupported` for another architecture, `Error::Config`
    /// for numbers that cannot be.
    pub fn from_json(file: &Path, text: &str) -> Result<Self, Error> {
        let value: Map<String, Value> = serde_json::from_str(text).map_err(|e| {
            Error::damaged(file, "config.json", format!("is not a JSON object: {e}"))
        })?;
        let fields = Fields {
            file,
            value: &value,
        };
        fields.supported()?;
        let hidden_size = fields.size("hidden_size", None)?;
        let heads = fields.size("num_attention_heads", None)?;
        let rope = value
            .get("rope_parameters")
            .and_then(|r| r.get("rope_theta"));
        let config = Self {
            vocab_size: fields.size("vocab_size", None)?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size", None)?,
            num_hidden_layers: fields.size("num_hidden_layers", None)?,
            num_attention_heads: heads,
            num_key_value_heads: fields.size("num_key_value_heads", Some(heads))?,
            head_dim: fields.size(
                "head_dim",
                Some(hidden_size.checked_div(heads).unwrap_or(0)),
            )?,
            rms_norm_eps: fields.number("rms_norm_eps", 1e-6)?,
            rope_theta: match rope {
                Some(theta) => fields.as_number("rope_parameters.rope_theta", theta)?,
                None => fields.number("rope_theta", 10_000.0)?,
            },
            max_position_embeddings: fields.size("max_position_embeddings", Some(2048))?,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?,
            attention_bias: fields.flag("attention_bias")? || fields.kind() == Some("qwen2"),
            bos_token_id: fields.tokens("bos_token_id")?.first().copied(),
            eos_token_ids: fields.tokens("eos_token_id")?,
        };
        config.check_in(file)?;
        Ok(config)
    }
}

/// The fields of a `config.json`.
struct Fields<'a> {
    file: &'a Path,
    value: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn get(&self, field: &str) -> Option<&Value> {
        self.value.get(field).filter(|v| !v.is_null())
    }

    fn kind(&self) -> Option<&str> {
        self.get("model_type").and_then(Value::as_str)
    }

    /// Refuses what would be computed wrongly.
    fn supported(&self) -> Result<(), Error> {
        let refuse = |field: &str, problem: String, mend: &str| {
            Err(Error::Unsupported(Fault::new(
                self.file, field, problem, mend,
            )))
        };
        let other = "choose a Llama or Qwen2 model";
        match self.kind() {
            Some("llama" | "qwen2") => {}
            Some(kind) => {
                return refuse("model_type", format!("{kind:?} is not known here"), other);
            }
            None => return refuse("model_type", "is missing".to_owned(), other),
        }
        if let Some(act) = self
            .get("hidden_act")
            .filter(|a| a.as_str() != Some("silu"))
        {
            return refuse(
                "hidden_act",
                format!("{act} is not known here"),
                "choose a model with \"silu\"",
            );
        }
        for field in ["mlp_bias", "use_sliding_window"] {
            if self.get(field) == Some(&Value::Bool(true)) {
                return refuse(
                    field,
                    "true is not known here".to_owned(),
                    "choose a model without it",
                );
            }
        }
        // It would mean a bias of the output too; Qwen2 has none there.
        if self.kind() == Some("llama") && self.get("attention_bias") == Some(&Value::Bool(true)) {
            return refuse(
                "attention_bias",
                "true is not known here for Llama".to_owned(),
                "choose a model without it",
            );
        }
        for field in ["rope_scaling", "rope_parameters"] {
            let scaling = self.get(field);
            let kind = scaling.and_then(|s| s.get("rope_type").or_else(|| s.get("type")));
            if let Some(kind) = kind.filter(|k| k.as_str() != Some("default")) {
                let problem = format!("rotary scaling {kind} is not known here");
                return refuse(field, problem, "choose a model without it");
            }
        }
        let factor = self.get("partial_rotary_factor").and_then(Value::as_f64);
        if factor.is_some_and(|f| f != 1.0) {
            let problem = "partial rotary positions are not known here".to_owned();
            return refuse(
                "partial_rotary_factor",
                problem,
                "choose a model without it",
            );
        }
        Ok(())
    }

    fn wrong<T>(&self, field: &str, must: &str) -> Result<T, Error> {
        let problem = match self.get(field) {
            Some(value) => format!("is {value}"),
            None => "is missing".to_owned(),
        };
        let mend = format!("it must be {must}");
        Err(Error::Config(Fault::new(self.file, field, problem, mend)))
    }

    fn size(&self, field: &str, default: Option<usize>) -> Result<usize, Error> {
        match (self.get(field), default) {
            (None, Some(default)) => Ok(default),
            (value, _) => match value
                .and_then(Value::as_u64)
                .and_then(|n| usize::try_from(n).ok())
            {
                Some(n) => Ok(n),
                None => self.wrong(field, "a whole number above 0"),
            },
        }
    }

    fn as_number(&self, field: &str, value: &Value) -> Result<f64, Error> {
        value
            .as_f64()
            .map_or_else(|| self.wrong(field, "a number"), Ok)
    }

    fn number(&self, field: &str, default: f64) -> Result<f64, Error> {
        self.get(field)
            .map_or(Ok(default), |value| self.as_number(field, value))
    }

    fn flag(&self, field: &str) -> Result<bool, Error> {
        match self.get(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => self.wrong(field, "true or false"),
        }
    }

    /// One token number, or a list of them.
    fn tokens(&self, field: &str) -> Result<Vec<u32>, Error> {
        let list = match self.get(field) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        list.iter()
            .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
            .collect::<Option<_>>()
            .map_or_else(
                || self.wrong(field, "a token's number, or a list of them"),
                Ok,
            )
    }
}

impl serde::Serialize for Config {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<Value>(&self.to_json())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Config {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(Path::new("config.json"), &value.to_string())
            .map_err(serde::de::Error::custom)
    }
}
