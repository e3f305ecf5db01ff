//! `adapter_config.json`, as far as it says what is computed.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::object;
use crate::error::{Error, Fault};

/// What of it counts. Which layers change, and by what rank, the tensors themselves say.
pub(super) struct Settings {
    path: PathBuf,
    /// The base as it is named.
    pub(super) base: String,
    rank: usize,
    /// Whether some layers have other ranks.
    ranks: bool,
    alpha: f64,
    /// Alphas of some layers, by the ends of their names.
    alphas: Vec<(String, f64)>,
    /// Whether the scale is alpha by the root of the rank (Kalajdzievski 2023).
    rooted: bool,
}

/// What changes a model otherwise than by `scale * B A`, and how it is called.
const OTHERS: [(&str, &str); 14] = [
    ("use_dora", "DoRA"),
    ("lora_bias", "biases of its own"),
    ("modules_to_save", "whole modules beside it"),
    ("trainable_token_indices", "tokens' rows"),
    ("target_parameters", "parameters of no module"),
    ("layer_replication", "layers that stand several times"),
    ("use_qalora", "QALoRA"),
    ("use_bdlora", "block-diagonal matrices"),
    ("alora_invocation_tokens", "aLoRA"),
    ("arrow_config", "Arrow"),
    ("kasa_config", "KaSA"),
    ("velora_config", "VeLoRA"),
    ("monteclora_config", "MonteCLoRA"),
    ("megatron_config", "Megatron's layers"),
];

/// Ways to begin that leave the base as it is; the others put a part of it into A and B.
const BEGINNINGS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

impl Settings {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let json = object(path)?;
        let is = |field: &str, value: &str| {
            let text = json.get(field).and_then(Value::as_str);
            text.is_some_and(|text| text.eq_ignore_ascii_case(value))
        };
        let given = |field: &str| json.get(field).filter(|value| !nothing(value));
        if !is("peft_type", "LORA") {
            let kind = json.get("peft_type").cloned().unwrap_or_default();
            let problem = format!("is {kind}, and only LORA is known here");
            return Err(unsupported(path, "peft_type", problem));
        }
        for (field, what) in OTHERS {
            if given(field).is_some() {
                let problem = format!("is given: an adapter with {what} is not known here");
                return Err(unsupported(path, field, problem));
            }
        }
        if given("bias").is_some() && !is("bias", "none") {
            let problem = "is not \"none\": biases that learn are not known here".to_owned();
            return Err(unsupported(path, "bias", problem));
        }
        let begins = given("init_lora_weights").and_then(Value::as_str);
        if let Some(begins) = begins.filter(|way| !BEGINNINGS.contains(way)) {
            let problem = format!("is {begins:?}, which changes the base itself");
            return Err(unsupported(path, "init_lora_weights", problem));
        }
        let rank = json.get("r").and_then(Value::as_u64);
        let rank = rank.and_then(|rank| usize::try_from(rank).ok());
        let base = json.get("base_model_name_or_path").and_then(Value::as_str);
        let base = base.filter(|base| !base.is_empty()).ok_or_else(|| {
            let mend = "write there the path of the model that it changes, or ORG/NAME";
            let fault = Fault::new(path, "base_model_name_or_path", "is missing", mend);
            Error::Missing(fault)
        })?;
        Ok(Self {
            base: base.to_owned(),
            rank: (rank.filter(|rank| *rank > 0))
                .ok_or_else(|| damaged(path, "r", "is missing, or no number of 1 or more"))?,
            ranks: given("rank_pattern").is_some(),
            alpha: number(json.get("lora_alpha"), path, "lora_alpha")?,
            alphas: pattern(&json, path)?,
            rooted: given("use_rslora").is_some(),
            path: path.to_owned(),
        })
    }

    /// The scale of a module's change of some rank.
    ///
    /// # Errors
    /// `Error::Tensor` for a rank that is none of the configuration's, `Error::Unsupported` where several alphas are for the module.
    pub(super) fn scale(&self, module: &str, rank: usize) -> Result<f32, Error> {
        if rank != self.rank && !self.ranks {
            let problem = format!("is {}, and {module} has rank {rank}", self.rank);
            let mend = "give a configuration and tensors that go together";
            return Err(Error::Tensor(Fault::new(&self.path, "r", problem, mend)));
        }
        let mut fitting = self.alphas.iter().filter(|(key, _)| ends(module, key));
        let alpha = fitting.next().map_or(self.alpha, |(_, alpha)| *alpha);
        // The first in the file's order would count, which is not kept here.
        if fitting.any(|(_, other)| *other != alpha) {
            let problem = format!("has several values for {module}");
            return Err(unsupported(&self.path, "alpha_pattern", problem));
        }
        let rank = rank as f64;
        Ok((alpha / if self.rooted { rank.sqrt() } else { rank }) as f32)
    }
}

/// Whether PEFT's pattern is for a module: `^` stands for the name's beginning, else it is a name's last parts.
fn ends(module: &str, key: &str) -> bool {
    match key.strip_prefix('^') {
        Some(whole) => module == whole,
        None => {
            (module.strip_suffix(key)).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
    }
}

fn pattern(json: &Map<String, Value>, path: &Path) -> Result<Vec<(String, f64)>, Error> {
    const FIELD: &str = "alpha_pattern";
    let map = match json.get(FIELD) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(damaged(path, FIELD, "is no object")),
    };
    let mut alphas = Vec::new();
    for (key, alpha) in map {
        let name = key.strip_prefix('^').unwrap_or(key);
        if !name
            .chars()
            .all(|c| c.is_alphanumeric() || "._-".contains(c))
        {
            let problem = format!("has {key:?}, and regular expressions are not known here");
            return Err(unsupported(path, FIELD, problem));
        }
        alphas.push((key.clone(), number(Some(alpha), path, FIELD)?));
    }
    Ok(alphas)
}

fn number(value: Option<&Value>, path: &Path, field: &str) -> Result<f64, Error> {
    let number = value.and_then(Value::as_f64).filter(|x| x.is_finite());
    number.ok_or_else(|| damaged(path, field, "is missing, or no number"))
}

/// Whether a value says that there is nothing of the kind.
fn nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn damaged(path: &Path, field: &str, problem: &str) -> Error {
    let mend = "write there what the adapter was trained with, or fetch it again";
    Error::Damaged(Fault::new(path, field, problem, mend))
}

fn unsupported(path: &Path, field: &str, problem: String) -> Error {
    let mend = "merge it into the model where it was trained, and give that";
    Error::Unsupported(Fault::new(path, field, problem, mend))
}
