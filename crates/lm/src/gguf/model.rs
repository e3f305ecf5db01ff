//! A GGUF file as a model of the Llama family: configuration, names, the order of rows.

use super::file::Gguf;
use super::read::Value;
use crate::config::Config;
use crate::error::Error;
use crate::tensor::{Entry, Tensor};

/// GGUF's names for the parts of a layer, and Hugging Face's.
const PARTS: [(&str, &str); 9] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// And for what is no layer.
const WHOLE: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// "blk.0.attn_q.weight" becomes "model.layers.0.self_attn.q_proj.weight"; `None` for other names.
fn hugging_face_name(name: &str) -> Option<String> {
    if let Some((_, theirs)) = WHOLE.iter().find(|w| w.0 == name) {
        return Some((*theirs).to_owned());
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (_, theirs) = PARTS.iter().find(|p| p.0 == part)?;
    Some(format!("model.layers.{layer}.{theirs}.{kind}"))
}

/// The other way.
fn gguf_name(name: &str) -> Option<String> {
    if let Some((ours, _)) = WHOLE.iter().find(|w| w.1 == name) {
        return Some((*ours).to_owned());
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (ours, _) = PARTS.iter().find(|p| p.1 == part)?;
    Some(format!("blk.{layer}.{ours}.{kind}"))
}

impl Gguf {
    /// The model's configuration.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        let arch = self.architecture()?;
        let key = |field: &str| format!("{arch}.{field}");
        let hidden_size = self.size(&key("embedding_length"), None)?;
        let heads = self.size(&key("attention.head_count"), None)?;
        let head_dim = self.size(
            &key("attention.key_length"),
            Some(hidden_size.checked_div(heads).unwrap_or(0)),
        )?;
        for field in ["rope.dimension_count", "attention.value_length"] {
            let field = key(field);
            let size = self.size(&field, Some(head_dim))?;
            if size != head_dim {
                let problem = format!("{size} is not the width of a head, {head_dim}");
                return Err(Error::Unsupported(self.fault(
                    &field,
                    problem,
                    "choose another model",
                )));
            }
        }
        let embedding = self.tensors.get("token_embd.weight").map(|t| t.shape[0]);
        let Some(vocab_size) = embedding else {
            let fault = self.fault(
                "tensor token_embd.weight",
                "is missing",
                "choose a whole model",
            );
            return Err(Error::Tensor(fault));
        };
        let mut config = Config {
            vocab_size,
            hidden_size,
            intermediate_size: self.size(&key("feed_forward_length"), None)?,
            num_hidden_layers: self.size(&key("block_count"), None)?,
            num_attention_heads: heads,
            num_key_value_heads: self.size(&key("attention.head_count_kv"), Some(heads))?,
            head_dim,
            rms_norm_eps: self.number(&key("attention.layer_norm_rms_epsilon"), None)?,
            rope_theta: self.number(&key("rope.freq_base"), Some(10_000.0))?,
            max_position_embeddings: self.size(&key("context_length"), Some(2048))?,
            tie_word_embeddings: !self.tensors.contains_key("output.weight"),
            attention_bias: self.tensors.contains_key("blk.0.attn_q.bias"),
            bos_token_id: self.token("bos"),
            eos_token_ids: Vec::new(),
        };
        config.add_ends(
            ["eos", "eot", "eom"]
                .iter()
                .filter_map(|name| self.token(name)),
        );
        config.check_in(&self.path)?;
        Ok(config)
    }

    /// "llama" or "qwen2", of a kind that is computed rightly here.
    fn architecture(&self) -> Result<&str, Error> {
        let refuse = |field: &str, problem: String| {
            let mend = "choose a plain Llama or Qwen2 model";
            Err(Error::Unsupported(self.fault(field, problem, mend)))
        };
        let arch = match self.text("general.architecture") {
            Some(arch @ ("llama" | "qwen2")) => arch,
            Some(other) => {
                return refuse(
                    "general.architecture",
                    format!("{other:?} is not known here"),
                );
            }
            None => return refuse("general.architecture", "is missing".to_owned()),
        };
        let scaling = format!("{arch}.rope.scaling.type");
        if let Some(kind) = self.text(&scaling).filter(|k| *k != "none") {
            return refuse(
                &scaling,
                format!("rotary scaling {kind:?} is not known here"),
            );
        }
        for field in ["rope.scaling.factor", "rope.scale_linear"] {
            let field = format!("{arch}.{field}");
            let factor = match self.metadata.get(&field) {
                Some(Value::Float(factor)) => *factor,
                _ => 1.0,
            };
            if !(factor == 0.0 || factor == 1.0) {
                return refuse(
                    &field,
                    format!("{factor}: rotary scaling is not known here"),
                );
            }
        }
        let experts = format!("{arch}.expert_count");
        if self.int(&experts).is_some_and(|n| n > 0) {
            return refuse(
                &experts,
                "mixtures of experts are not known here".to_owned(),
            );
        }
        for part in [
            "rope_freqs.weight",
            "blk.0.attn_output.bias",
            "blk.0.attn_q_norm.weight",
        ] {
            if self.tensors.contains_key(part) {
                return refuse(
                    &format!("tensor {part}"),
                    "is of a variant that is not known here".to_owned(),
                );
            }
        }
        Ok(arch)
    }

    /// A special token's number.
    pub(super) fn token(&self, name: &str) -> Option<u32> {
        u32::try_from(self.int(&format!("tokenizer.ggml.{name}_token_id"))?).ok()
    }

    fn size(&self, field: &str, default: Option<usize>) -> Result<usize, Error> {
        let size = match self.metadata.get(field) {
            None => default,
            Some(Value::Int(n)) => usize::try_from(*n).ok(),
            Some(_) => None,
        };
        size.ok_or_else(|| Error::damaged(&self.path, field, "is missing, or not a whole number"))
    }

    fn number(&self, field: &str, default: Option<f64>) -> Result<f64, Error> {
        let number = match self.metadata.get(field) {
            None => default,
            // An f32 such as 1e-5 means the decimal number, as other files write it.
            Some(Value::Float(x)) => (*x as f32).to_string().parse().ok(),
            Some(_) => None,
        };
        number.ok_or_else(|| Error::damaged(&self.path, field, "is missing, or not a number"))
    }

    /// All tensors, by Hugging Face's names where there is one.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.tensors.iter().map(|(name, place)| Entry {
            name: hugging_face_name(name).unwrap_or_else(|| name.clone()),
            kind: format!("{:?}", place.kind),
            bytes: place.bytes as u64,
        })
    }

    /// The shape of a tensor in Hugging Face's names, if there is one.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors
            .get(&gguf_name(name)?)
            .map(|place| place.shape.as_slice())
    }

    /// A tensor in Hugging Face's name and order of rows.
    pub(crate) fn tensor(&self, name: &str, config: &Config) -> Option<Tensor> {
        let ours = gguf_name(name)?;
        let tensor = self.read(&ours)?;
        // Llama's rotary pairs lie side by side in this format, half a head apart in Hugging Face's.
        let heads = match ours.rsplit('.').nth(1) {
            Some("attn_q") => config.num_attention_heads,
            Some("attn_k") => config.num_key_value_heads,
            _ => return Some(tensor),
        };
        let is_llama = self.text("general.architecture") == Some("llama");
        if is_llama && tensor.shape[0] == heads * config.head_dim {
            Some(apart(tensor, heads))
        } else {
            Some(tensor)
        }
    }
}

/// Moves the rows of each head: row 2j + k goes to k · (half a head) + j.
fn apart(tensor: Tensor, heads: usize) -> Tensor {
    let rows = tensor.shape[0];
    let (width, head) = (tensor.data.len() / rows.max(1), rows / heads);
    let mut data = Vec::with_capacity(tensor.data.len());
    for row in 0..rows {
        let (h, within) = (row / head, row % head);
        let (k, j) = (within / (head / 2), within % (head / 2));
        let from = (h * head + 2 * j + k) * width;
        data.extend_from_slice(&tensor.data[from..from + width]);
    }
    Tensor {
        shape: tensor.shape,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_of_a_model_has_a_name_here() {
        let config = Config {
            attention_bias: true,
            tie_word_embeddings: false,
            ..Config::preset("0.1m").unwrap()
        };
        for (name, _) in config.tensors() {
            let ours = gguf_name(&name).unwrap();
            assert_eq!(hugging_face_name(&ours).unwrap(), name);
        }
    }
}
