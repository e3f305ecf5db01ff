//! The tensors of a model of the Llama family: the one place that knows their names and shapes.

use std::convert::Infallible;
use std::path::Path;

use crate::config::Config;
use crate::error::{Error, Fault};
use crate::tensor::{Finite, Weight};

/// Something for every tensor of a model: weights, gradients, shapes, names.
#[derive(Debug, Clone, PartialEq)]
pub struct Llama<T> {
    /// A row per token, `[vocab_size, hidden_size]`.
    pub embedding: T,
    /// From the first to the last.
    pub layers: Vec<Layer<T>>,
    /// Of the last layer's output, `[hidden_size]`.
    pub norm: T,
    /// Makes the logits, `[vocab_size, hidden_size]`; where there is none, the embedding does.
    pub head: Option<T>,
}

/// A layer of a [`Llama`].
#[derive(Debug, Clone, PartialEq)]
pub struct Layer<T> {
    /// Before attention, `[hidden_size]`.
    pub attention_norm: T,
    /// `[num_attention_heads * head_dim, hidden_size]`.
    pub query: Projection<T>,
    /// `[num_key_value_heads * head_dim, hidden_size]`.
    pub key: Projection<T>,
    /// `[num_key_value_heads * head_dim, hidden_size]`.
    pub value: Projection<T>,
    /// `[hidden_size, num_attention_heads * head_dim]`.
    pub output: T,
    /// In Qwen3, of each query head before it is turned, `[head_dim]`.
    pub query_norm: Option<T>,
    /// In Qwen3, of each key head before it is turned, `[head_dim]`.
    pub key_norm: Option<T>,
    /// Before the feed-forward part, `[hidden_size]`.
    pub mlp_norm: T,
    /// `[intermediate_size, hidden_size]`.
    pub gate: T,
    /// `[intermediate_size, hidden_size]`.
    pub up: T,
    /// `[hidden_size, intermediate_size]`.
    pub down: T,
}

/// A matrix, and in Qwen2 a bias of as many values as it has rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection<T> {
    /// `[out, in]`.
    pub weight: T,
    /// `[out]`.
    pub bias: Option<T>,
}

impl Llama<Vec<usize>> {
    /// The shape of every tensor.
    pub fn shapes(config: &Config) -> Self {
        let hidden = config.hidden_size;
        let inner = config.intermediate_size;
        let queries = config.num_attention_heads * config.head_dim;
        let keys = config.num_key_value_heads * config.head_dim;
        let projection = |out: usize| Projection {
            weight: vec![out, hidden],
            bias: config.attention_bias.then(|| vec![out]),
        };
        let head_norm = || config.qk_norm.then(|| vec![config.head_dim]);
        let layer = Layer {
            attention_norm: vec![hidden],
            query: projection(queries),
            key: projection(keys),
            value: projection(keys),
            output: vec![hidden, queries],
            query_norm: head_norm(),
            key_norm: head_norm(),
            mlp_norm: vec![hidden],
            gate: vec![inner, hidden],
            up: vec![inner, hidden],
            down: vec![hidden, inner],
        };
        Self {
            embedding: vec![config.vocab_size, hidden],
            layers: vec![layer; config.num_hidden_layers],
            norm: vec![hidden],
            head: (!config.tie_word_embeddings).then(|| vec![config.vocab_size, hidden]),
        }
    }
}

impl<T> Llama<T> {
    /// Makes something else of everything, which comes with its tensor's name in Hugging Face's files, such as
    /// "model.layers.0.self_attn.q_proj.weight".
    ///
    /// # Errors
    /// The first of `f`.
    pub fn try_map<U, E>(self, mut f: impl FnMut(&str, T) -> Result<U, E>) -> Result<Llama<U>, E> {
        let embedding = f("model.embed_tokens.weight", self.embedding)?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.into_iter().enumerate() {
            layers.push(layer.try_map(|part, t| f(&format!("model.layers.{index}.{part}"), t))?);
        }
        Ok(Llama {
            embedding,
            layers,
            norm: f("model.norm.weight", self.norm)?,
            head: self.head.map(|t| f("lm_head.weight", t)).transpose()?,
        })
    }

    /// As [`Self::try_map`], where nothing fails.
    pub fn map<U>(self, mut f: impl FnMut(&str, T) -> U) -> Llama<U> {
        let Ok(mapped) = self.try_map(|name, t| Ok::<U, Infallible>(f(name, t)));
        mapped
    }
}

impl<T> Layer<T> {
    fn try_map<U, E>(self, mut f: impl FnMut(&str, T) -> Result<U, E>) -> Result<Layer<U>, E> {
        Ok(Layer {
            attention_norm: f("input_layernorm.weight", self.attention_norm)?,
            query: self.query.try_map("self_attn.q_proj", &mut f)?,
            key: self.key.try_map("self_attn.k_proj", &mut f)?,
            value: self.value.try_map("self_attn.v_proj", &mut f)?,
            output: f("self_attn.o_proj.weight", self.output)?,
            query_norm: (self.query_norm)
                .map(|t| f("self_attn.q_norm.weight", t))
                .transpose()?,
            key_norm: (self.key_norm)
                .map(|t| f("self_attn.k_norm.weight", t))
                .transpose()?,
            mlp_norm: f("post_attention_layernorm.weight", self.mlp_norm)?,
            gate: f("mlp.gate_proj.weight", self.gate)?,
            up: f("mlp.up_proj.weight", self.up)?,
            down: f("mlp.down_proj.weight", self.down)?,
        })
    }
}

impl<T> Projection<T> {
    fn try_map<U, E>(
        self,
        name: &str,
        mut f: impl FnMut(&str, T) -> Result<U, E>,
    ) -> Result<Projection<U>, E> {
        Ok(Projection {
            weight: f(&format!("{name}.weight"), self.weight)?,
            bias: self
                .bias
                .map(|t| f(&format!("{name}.bias"), t))
                .transpose()?,
        })
    }
}

/// Views of everything.
macro_rules! view {
    ($view:ident $(, $mut:tt)?) => {
        impl<T> Llama<T> {
            /// Borrows everything.
            pub fn $view(&$($mut)? self) -> Llama<&$($mut)? T> {
                let layers = (&$($mut)? self.layers).into_iter();
                Llama {
                    embedding: &$($mut)? self.embedding,
                    layers: layers.map(|layer| layer.$view()).collect(),
                    norm: &$($mut)? self.norm,
                    head: self.head.$view(),
                }
            }
        }

        impl<T> Layer<T> {
            fn $view(&$($mut)? self) -> Layer<&$($mut)? T> {
                Layer {
                    attention_norm: &$($mut)? self.attention_norm,
                    query: self.query.$view(),
                    key: self.key.$view(),
                    value: self.value.$view(),
                    output: &$($mut)? self.output,
                    query_norm: self.query_norm.$view(),
                    key_norm: self.key_norm.$view(),
                    mlp_norm: &$($mut)? self.mlp_norm,
                    gate: &$($mut)? self.gate,
                    up: &$($mut)? self.up,
                    down: &$($mut)? self.down,
                }
            }
        }

        impl<T> Projection<T> {
            fn $view(&$($mut)? self) -> Projection<&$($mut)? T> {
                Projection {
                    weight: &$($mut)? self.weight,
                    bias: self.bias.$view(),
                }
            }
        }
    };
}
view!(as_ref);
view!(as_mut, mut);

/// With the names, in the order of the computation.
impl<T> IntoIterator for Llama<T> {
    type Item = (String, T);
    type IntoIter = std::vec::IntoIter<(String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        let mut all = Vec::new();
        self.map(|name, t| all.push((name.to_owned(), t)));
        all.into_iter()
    }
}

impl<W: Weight> Llama<W> {
    /// Whether these are the tensors of a configuration.
    ///
    /// # Errors
    /// `Error::Tensor`, naming the first that is missing, of another shape, or none of the configuration's.
    pub fn check(&self, config: &Config) -> Result<(), Error> {
        self.check_in(config, Path::new("the weights"))
    }

    /// After `check_in`, the same weights, which are found out when they are read if they are no finite numbers.
    pub(crate) fn checked<'a>(
        &'a self,
        config: &Config,
        file: &'a Path,
    ) -> Result<Llama<Finite<'a, W>>, Error> {
        self.check_in(config, file)?;
        Ok(self.as_ref().map(|name, weight| Finite {
            weight,
            name: name.to_owned(),
            file,
        }))
    }

    /// As `check`, with the file that the errors name.
    pub(crate) fn check_in(&self, config: &Config, file: &Path) -> Result<(), Error> {
        let mut found = self.as_ref().into_iter();
        for (name, shape) in Llama::shapes(config) {
            match found.next() {
                Some((other, weight)) if other == name => {
                    if weight.shape() != shape {
                        let problem = format!("is of shape {:?}, not {shape:?}", weight.shape());
                        return Err(fault(file, &name, problem));
                    }
                }
                _ => return Err(fault(file, &name, "is missing".to_owned())),
            }
        }
        match found.next() {
            Some((name, _)) => Err(fault(file, &name, "is none of the model's".to_owned())),
            None => Ok(()),
        }
    }
}

/// A tensor that does not go with a configuration.
pub(crate) fn fault(file: &Path, tensor: &str, problem: String) -> Error {
    let mend = "give weights and a configuration that go together";
    Error::Tensor(Fault::new(file, format!("tensor {tensor}"), problem, mend))
}

impl Config {
    /// Number of trained parameters; a tied embedding counts once.
    pub fn parameters(&self) -> u64 {
        Llama::shapes(self)
            .into_iter()
            .map(|(_, shape)| shape.iter().map(|&n| n as u64).product::<u64>())
            .sum()
    }

    /// Name and shape of every tensor of the model, in Hugging Face's names; matrices are `[out, in]`.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        Llama::shapes(self).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(attention_bias: bool, tie_word_embeddings: bool) -> Config {
        Config {
            attention_bias,
            tie_word_embeddings,
            num_key_value_heads: 2,
            ..Config::preset("0.1m").unwrap()
        }
    }

    #[test]
    fn names_are_hugging_face_s() {
        let names: Vec<String> = (config(true, false).tensors().into_iter())
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names.len(), 3 + 2 * 12);
        assert_eq!(
            names[..6],
            [
                "model.embed_tokens.weight",
                "model.layers.0.input_layernorm.weight",
                "model.layers.0.self_attn.q_proj.weight",
                "model.layers.0.self_attn.q_proj.bias",
                "model.layers.0.self_attn.k_proj.weight",
                "model.layers.0.self_attn.k_proj.bias",
            ]
        );
        assert_eq!(names[25..], ["model.norm.weight", "lm_head.weight"]);
        assert_eq!(config(false, true).tensors().len(), 2 + 2 * 9);
    }

    #[test]
    fn every_tensor_is_seen_once() {
        let config = config(true, false);
        let mut count = 0;
        let mut numbers = Llama::shapes(&config).map(|_, _| {
            count += 1;
            count
        });
        for (_, number) in numbers.as_mut() {
            *number *= 10;
        }
        let all: Vec<usize> = numbers.into_iter().map(|(_, number)| number).collect();
        assert_eq!(all, (1..=27).map(|n| 10 * n).collect::<Vec<_>>());
        let refused = Llama::shapes(&config).try_map(|name, _| match name {
            "model.layers.1.mlp.up_proj.weight" => Err(name.to_owned()),
            _ => Ok(()),
        });
        assert_eq!(refused.unwrap_err(), "model.layers.1.mlp.up_proj.weight");
    }

    #[test]
    fn weights_of_another_configuration_are_refused() {
        let weights = |config: &Config| {
            Llama::shapes(config).map(|_, shape| crate::Tensor {
                data: vec![0.0; shape.iter().product()],
                shape,
            })
        };
        let plain = config(false, true);
        weights(&plain).check(&plain).unwrap();
        for (other, words) in [
            (config(true, true), "q_proj.bias: is missing"),
            (config(false, false), "lm_head.weight: is missing"),
            (
                Config {
                    num_key_value_heads: 4,
                    ..plain.clone()
                },
                "k_proj.weight: is of shape [32, 64], not [64, 64]",
            ),
        ] {
            let error = weights(&plain).check(&other).unwrap_err();
            assert!(matches!(error, Error::Tensor(_)));
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = weights(&config(false, false)).check(&plain).unwrap_err();
        assert!(error.to_string().contains("is none"), "{error}");
    }
}
