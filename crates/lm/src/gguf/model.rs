//! A GGUF file as a model of the Llama family: configuration, names, the order of rows.

use super::file::Gguf;
use super::read::Value;
use super::write::CARD;
use crate::config::{Config, RopeScaling};
use crate::error::Error;
use crate::tensor::{Entry, Tensor};

/// GGUF's names for the parts of a layer, and Hugging Face's.
const PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// What every rotary frequency is divided by.
const ROPE_FACTORS: &str = "rope_freqs.weight";

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
pub(super) fn gguf_name(name: &str) -> Option<String> {
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
        // Files write a number that is no token's where there is none.
        let token = |name: &&str| self.token(name).filter(|&id| (id as usize) < vocab_size);
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
            rope_scaling: self.rope_scaling(arch)?,
            max_position_embeddings: self.size(&key("context_length"), Some(2048))?,
            tie_word_embeddings: !self.tensors.contains_key("output.weight"),
            attention_bias: self.tensors.contains_key("blk.0.attn_q.bias"),
            qk_norm: arch == "qwen3",
            bos_token_id: token(&"bos"),
            eos_token_ids: Vec::new(),
        };
        config.add_ends(["eos", "eot", "eom"].iter().filter_map(token));
        config.check_in(&self.path)?;
        Ok(config)
    }

    /// "llama", "qwen2" or "qwen3", of a kind that is computed rightly here.
    fn architecture(&self) -> Result<&str, Error> {
        let refuse = |field: &str, problem: String| {
            let mend = "choose a plain Llama, Qwen2 or Qwen3 model";
            Err(Error::Unsupported(self.fault(field, problem, mend)))
        };
        let arch = match self.text("general.architecture") {
            Some(arch @ ("llama" | "qwen2" | "qwen3")) => arch,
            Some(other) => {
                return refuse(
                    "general.architecture",
                    format!("{other:?} is not known here"),
                );
            }
            None => return refuse("general.architecture", "is missing".to_owned()),
        };
        let experts = format!("{arch}.expert_count");
        if self.int(&experts).is_some_and(|n| n > 0) {
            return refuse(
                &experts,
                "mixtures of experts are not known here".to_owned(),
            );
        }
        let causal = format!("{arch}.attention.causal");
        if self.flag(&causal) == Some(false) {
            return refuse(&causal, "false is not known here".to_owned());
        }
        Ok(arch)
    }

    /// How the rotary frequencies are changed: for all by a factor, for each by the factors of a tensor, or by both.
    fn rope_scaling(&self, arch: &str) -> Result<RopeScaling, Error> {
        let refuse = |field: &str, problem: String| {
            let mend = "choose a model without it, or with \"linear\"";
            Err(Error::Unsupported(self.fault(field, problem, mend)))
        };
        let key = |field: &str| format!("{arch}.rope.{field}");
        let number = |field: &str| self.number(&key(field), Some(1.0));
        // 0 and, in older files, the other name's factor stand for none.
        let factor = [number("scaling.factor")?, number("scale_linear")?];
        let factor = factor.into_iter().find(|f| *f != 0.0 && *f != 1.0);
        let attention = number("scaling.attn_factor")?;
        if attention != 1.0 && attention != 0.0 {
            let problem = format!("{attention} is not known here");
            return refuse(&key("scaling.attn_factor"), problem);
        }
        match self.text(&key("scaling.type")) {
            None | Some("none" | "linear") => {}
            // Without a factor it changes nothing.
            Some("yarn") if factor.is_none() => {}
            Some(kind) => {
                let problem = format!("rotary scaling {kind:?} is not known here");
                return refuse(&key("scaling.type"), problem);
            }
        }
        let factor = factor.filter(|_| self.text(&key("scaling.type")) != Some("none"));
        let Some(factors) = self.read(ROPE_FACTORS)? else {
            return Ok(factor.map_or(RopeScaling::None, RopeScaling::Linear));
        };
        let linear = factor.unwrap_or(1.0) as f32;
        let factors = factors.data.iter().map(|f| f * linear);
        Ok(RopeScaling::Factors(factors.collect()))
    }

    /// A tensor that is none of the configuration's, and no harm to leave out.
    pub(crate) fn stray(&self, used: impl Fn(&str) -> bool) -> Option<&str> {
        let known = |name: &str| {
            name == ROPE_FACTORS
                // Frequencies that follow from the configuration, in older files.
                || name.ends_with(".attn_rot_embd.weight")
                || hugging_face_name(name).is_some_and(|name| used(&name))
        };
        let mut names = self.tensors.keys().map(String::as_str);
        names.find(|name| !known(name))
    }

    /// The card that was written with the model.
    pub(crate) fn card(&self) -> Option<&str> {
        self.text(CARD)
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
    pub(crate) fn tensor(&self, name: &str, config: &Config) -> Result<Option<Tensor>, Error> {
        let Some(ours) = gguf_name(name) else {
            return Ok(None);
        };
        let Some(mut tensor) = self.read(&ours)? else {
            return Ok(None);
        };
        // Llama's rotary pairs lie side by side in this format, half a head apart in Hugging Face's.
        let heads = match ours.rsplit('.').nth(1) {
            Some("attn_q") => config.num_attention_heads,
            Some("attn_k") => config.num_key_value_heads,
            _ => return Ok(Some(tensor)),
        };
        let is_llama = self.text("general.architecture") == Some("llama");
        if is_llama && tensor.shape[0] == heads * config.head_dim {
            tensor.data = moved(&tensor.data, tensor.shape[0], heads, apart);
        }
        Ok(Some(tensor))
    }
}

/// Moves the rows of each head: `from` says where the row that comes to a place stood, both counted within the head of so many rows.
pub(super) fn moved(
    values: &[f32],
    rows: usize,
    heads: usize,
    from: impl Fn(usize, usize) -> usize,
) -> Vec<f32> {
    let (width, head) = (values.len() / rows.max(1), rows / heads);
    let mut moved = Vec::with_capacity(values.len());
    for row in 0..rows {
        let from = (row / head * head + from(row % head, head)) * width;
        moved.extend_from_slice(&values[from..from + width]);
    }
    moved
}

/// Row 2j + k goes to k · (half a head) + j: from this format's order to Hugging Face's.
fn apart(row: usize, head: usize) -> usize {
    let half = head / 2;
    row % half * 2 + row / half
}

/// The way back.
pub(super) fn beside(row: usize, head: usize) -> usize {
    row % 2 * (head / 2) + row / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_of_a_model_has_a_name_here() {
        for qk_norm in [false, true] {
            let config = Config {
                attention_bias: !qk_norm,
                qk_norm,
                tie_word_embeddings: false,
                ..Config::preset("0.1m").unwrap()
            };
            for (name, _) in config.tensors() {
                let ours = gguf_name(&name).unwrap();
                assert_eq!(hugging_face_name(&ours).unwrap(), name);
            }
        }
    }
}
