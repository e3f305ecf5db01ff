//! What `golden.py` wrote, and trainers that begin where it began.

use std::collections::BTreeMap;
use std::fs;

use lm::Checkpoint;
use lm::train::cpu::Trainer;
use lm::train::{Branch, Learns, Lora, Options, Scores, Text, Trainer as _, Tree};
use serde_json::Value;

use crate::here;

/// What learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Full,
    Lora,
}

impl Way {
    /// As the golden files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lora => "lora",
        }
    }

    pub fn learns(self) -> Learns {
        match self {
            Self::Full => Learns::All,
            Self::Lora => Learns::Lora(Lora {
                rank: 4,
                alpha: 8.0,
                seed: 1,
            }),
        }
    }
}

/// A model, what of it learns, and whether its gradients are those with a value head.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub model: &'static str,
    pub way: Way,
    pub values: bool,
}

const fn case(model: &'static str, way: Way, values: bool) -> Case {
    Case { model, way, values }
}

pub const CASES: [Case; 8] = [
    case("llama", Way::Full, false),
    case("llama", Way::Lora, true),
    case("llama3", Way::Full, true),
    case("llama3", Way::Lora, false),
    case("qwen2", Way::Full, false),
    case("qwen2", Way::Lora, true),
    case("qwen3", Way::Full, true),
    case("qwen3", Way::Lora, false),
];

impl Case {
    /// The same without a value head.
    pub fn plain(self) -> Self {
        Self {
            values: false,
            ..self
        }
    }

    pub fn options(self, bf16: bool) -> Options {
        Options {
            learns: self.way.learns(),
            values: self.values,
            bf16,
            ..Options::default()
        }
    }

    /// A trainer as it comes: adapters drawn, the value head 0.
    pub fn fresh(self, bf16: bool) -> Trainer {
        let checkpoint = Checkpoint::open(&here("tiny").join(self.model)).unwrap();
        let weights = checkpoint.weights().unwrap();
        Trainer::new(&checkpoint.config, &weights, self.options(bf16)).unwrap()
    }

    /// A trainer with PyTorch's adapters and value head.
    pub fn trainer(self, bf16: bool) -> Trainer {
        let golden = Golden::read(self.model);
        let mut trainer = self.fresh(bf16);
        let mut state = trainer.state();
        for (name, tensor) in &mut state {
            let begins = golden.0.get(&format!("lora.start.{name}"));
            if let Some(begins) = begins.or(golden.0.get(&*name)) {
                assert_eq!(tensor.data.len(), begins.len(), "{name}");
                tensor.data.clone_from(begins);
            }
        }
        trainer.restore(state).unwrap();
        trainer
    }

    /// Trees, and weights for what is chosen of them.
    pub fn lessons(self) -> (Vec<Tree>, Vec<Scores>) {
        let (trees, mut weights): (Vec<_>, Vec<_>) = trees().into_iter().unzip();
        if !self.values {
            weights.iter_mut().for_each(|w| w.values.clear());
        }
        (trees, weights)
    }
}

/// The tensors of a golden file, by name.
pub struct Golden(pub BTreeMap<String, Vec<f32>>);

impl Golden {
    pub fn read(model: &str) -> Self {
        let bytes = fs::read(here("train").join(model).with_extension("safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let floats = |bytes: &[u8]| {
            let (values, rest) = bytes.as_chunks::<4>();
            assert!(rest.is_empty());
            values.iter().map(|v| f32::from_le_bytes(*v)).collect()
        };
        let tensors = file.iter();
        Self(
            tensors
                .map(|(name, tensor)| (name.to_owned(), floats(tensor.data())))
                .collect(),
        )
    }

    pub fn get(&self, way: Way, name: &str) -> &[f32] {
        let name = format!("{}.{name}", way.name());
        self.0
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is missing"))
    }
}

fn trees() -> Vec<(Tree, Scores)> {
    let text = fs::read_to_string(here("train/trees.json")).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    all.iter().map(tree).collect()
}

fn tree(json: &Value) -> (Tree, Scores) {
    let floats = |name: &str| serde_json::from_value(json[name].clone()).unwrap();
    let text = |json: &Value| Text {
        tokens: serde_json::from_value(json["tokens"].clone()).unwrap(),
        chosen: serde_json::from_value(json["chosen"].clone()).unwrap(),
    };
    let branches = json["branches"].as_array().unwrap().iter();
    let tree = Tree {
        prefix: floats("prefix"),
        trunk: text(&json["trunk"]),
        branches: branches
            .map(|json| Branch {
                seen: json["seen"].as_u64().unwrap() as usize,
                text: text(json),
            })
            .collect(),
    };
    let weights = Scores {
        log_probs: floats("log_prob_weights"),
        values: floats("value_weights"),
    };
    (tree, weights)
}

/// All log-probabilities, one after the other.
pub fn log_probs(scores: &[Scores]) -> Vec<f32> {
    scores.iter().flat_map(|s| &s.log_probs).copied().collect()
}

/// All values, one after the other.
pub fn values(scores: &[Scores]) -> Vec<f32> {
    scores.iter().flat_map(|s| &s.values).copied().collect()
}
