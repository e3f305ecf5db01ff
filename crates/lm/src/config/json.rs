//! A configuration as Hugging Face's `config.json`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Config, RopeScaling};
use crate::error::{Error, Fault};

impl Config {
    /// The text of a `config.json` that other programs read too.
    pub fn to_json(&self) -> String {
        let (kind, class) = match (self.qk_norm, self.attention_bias) {
            (true, _) => ("qwen3", "Qwen3ForCausalLM"),
            (_, true) => ("qwen2", "Qwen2ForCausalLM"),
            _ => ("llama", "LlamaForCausalLM"),
        };
        let eos = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            many => json!(many),
        };
        let mut value = json!({
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
        if let Some(scaling) = self.rope_scaling.to_json(self.max_position_embeddings) {
            value["rope_scaling"] = scaling;
        }
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
        let theta = value
            .get("rope_parameters")
            .and_then(|r| r.get("rope_theta"));
        let qk_norm = fields.kind() == Some("qwen3");
        let head_dim = match qk_norm {
            true => 128,
            false => hidden_size.checked_div(heads).unwrap_or(0),
        };
        let config = Self {
            vocab_size: fields.size("vocab_size", None)?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size", None)?,
            num_hidden_layers: fields.size("num_hidden_layers", None)?,
            num_attention_heads: heads,
            num_key_value_heads: fields.size("num_key_value_heads", Some(heads))?,
            head_dim: fields.size("head_dim", Some(head_dim))?,
            rms_norm_eps: fields.number("rms_norm_eps", 1e-6)?,
            rope_theta: match theta {
                Some(theta) => fields.as_number("rope_parameters.rope_theta", theta)?,
                None => fields.number("rope_theta", 10_000.0)?,
            },
            rope_scaling: fields.rope_scaling()?,
            max_position_embeddings: fields.size("max_position_embeddings", Some(2048))?,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?,
            attention_bias: fields.flag("attention_bias")? || fields.kind() == Some("qwen2"),
            qk_norm,
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
        let other = "choose a Llama, Qwen2 or Qwen3 model";
        match self.kind() {
            Some("llama" | "qwen2" | "qwen3") => {}
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
        if self.kind() != Some("qwen2") && self.get("attention_bias") == Some(&Value::Bool(true)) {
            return refuse(
                "attention_bias",
                "true is not known here but for Qwen2".to_owned(),
                "choose a model without it",
            );
        }
        let full = |kind: &Value| kind.as_str() == Some("full_attention");
        let kinds = self.get("layer_types").and_then(Value::as_array);
        if let Some(kind) = kinds.and_then(|kinds| kinds.iter().find(|kind| !full(kind))) {
            return refuse(
                "layer_types",
                format!("{kind} is not known here"),
                "choose a model with full attention",
            );
        }
        if self.get("quantization_config").is_some() {
            return refuse(
                "quantization_config",
                "quantised weights are not known here in safetensors".to_owned(),
                "choose the model in F32, F16 or BF16, or as a GGUF file",
            );
        }
        let rope = self.get("rope_parameters");
        for holder in [Some(self.value), rope.and_then(Value::as_object)] {
            let factor = holder.and_then(|h| h.get("partial_rotary_factor"));
            if factor.and_then(Value::as_f64).is_some_and(|f| f != 1.0) {
                return refuse(
                    "partial_rotary_factor",
                    "partial rotary positions are not known here".to_owned(),
                    "choose a model without it",
                );
            }
        }
        Ok(())
    }

    /// `rope_scaling`, or `rope_parameters` as newer files have it; where both say something, they must say the same.
    fn rope_scaling(&self) -> Result<RopeScaling, Error> {
        let older = self.rope_scaling_in("rope_scaling")?;
        let newer = self.rope_scaling_in("rope_parameters")?;
        match (older, newer) {
            (RopeScaling::None, scaling) | (scaling, RopeScaling::None) => Ok(scaling),
            (older, newer) if older == newer => Ok(older),
            _ => self.wrong("rope_scaling", "what rope_parameters says"),
        }
    }

    fn rope_scaling_in(&self, name: &str) -> Result<RopeScaling, Error> {
        let Some(value) = self.get(name) else {
            return Ok(RopeScaling::None);
        };
        let refuse = |problem: String| {
            let mend = "choose a model without it, or with \"linear\" or \"llama3\"";
            Err(Error::Unsupported(Fault::new(
                self.file, name, problem, mend,
            )))
        };
        let Some(scaling) = value.as_object() else {
            return self.wrong(name, "an object or null");
        };
        if scaling.values().any(Value::is_object) {
            return refuse("a scaling for each kind of layers is not known here".to_owned());
        }
        let get = |field: &str| scaling.get(field).filter(|v| !v.is_null());
        let number = |field: &str| match get(field).and_then(Value::as_f64) {
            Some(x) => Ok(x),
            None => self.wrong(&format!("{name}.{field}"), "a number"),
        };
        let kind = get("rope_type").or_else(|| get("type"));
        let kind = match (kind.map(Value::as_str), get("factor")) {
            (Some(Some(kind)), _) => kind,
            (None, None) => "default",
            _ => return refuse("names no kind as its rope_type".to_owned()),
        };
        // Whatever the kind, a factor of 1 changes nothing; a scaling of attention beside it would.
        let idle = get("factor").and_then(Value::as_f64) == Some(1.0)
            && ["attention_factor", "mscale", "mscale_all_dim"]
                .into_iter()
                .all(|field| get(field).is_none_or(|x| x.as_f64() == Some(1.0)));
        match kind {
            "default" => Ok(RopeScaling::None),
            "linear" | "llama3" | "dynamic" | "yarn" if idle => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear(number("factor")?)),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: number("factor")?,
                low_freq_factor: number("low_freq_factor")?,
                high_freq_factor: number("high_freq_factor")?,
                original_max_position_embeddings: number("original_max_position_embeddings")?
                    as usize,
            }),
            "longrope"
                if get("short_factor") == get("long_factor")
                    && get("attention_factor").and_then(Value::as_f64) == Some(1.0) =>
            {
                let factors = get("short_factor").and_then(Value::as_array);
                let factors = factors.and_then(|factors| {
                    let factors = factors.iter().map(|f| Some(f.as_f64()? as f32));
                    factors.collect::<Option<_>>()
                });
                match factors {
                    Some(factors) => Ok(RopeScaling::Factors(factors)),
                    None => self.wrong(&format!("{name}.short_factor"), "a list of numbers"),
                }
            }
            kind => refuse(format!("rotary scaling {kind:?} is not known here")),
        }
    }

    fn wrong<T>(&self, field: &str, must: &str) -> Result<T, Error> {
        let mut parts = field.split('.');
        let whole = parts.next().and_then(|part| self.get(part));
        let problem = match parts
            .try_fold(whole, |value, part| Some(value?.get(part)))
            .flatten()
        {
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
