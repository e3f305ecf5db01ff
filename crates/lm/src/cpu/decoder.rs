//! A decoder of the Llama family: RMSNorm, rotary positions, grouped-query attention, SwiGLU (Touvron et al. 2023).

use std::path::Path;

use super::attention::{Span, attend};
use super::cache::Cache;
use super::float::TILE;
use super::linear::{Linear, Precision};
use super::math::{Rope, add, gate, rms_norm};
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::engine::{Engine, Feed};
use crate::error::{Error, Fault};

/// The sizes that attention needs.
pub struct Shape {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Of the scores, before the softmax.
    pub scale: f32,
}

/// A model ready to decode.
pub struct Decoder {
    config: Config,
    shape: Shape,
    rope: Rope,
    /// Embeds tokens; where tied, it also makes the logits.
    embedding: Linear,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    head: Option<Linear>,
}

struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values in one matrix.
    qkv: Linear,
    qkv_bias: Option<Vec<f32>>,
    output: Linear,
    mlp_norm: Vec<f32>,
    /// Gate and up in one matrix.
    gate_up: Linear,
    down: Linear,
}

impl Decoder {
    /// Reads a model's weights.
    ///
    /// # Errors
    /// A tensor is missing or has another shape than the configuration says.
    pub fn load(checkpoint: &Checkpoint, precision: Precision) -> Result<Self, Error> {
        let tensor = |name: &str, shape: &[usize]| {
            let tensor = checkpoint.tensor(name)?;
            debug_assert_eq!(tensor.shape, shape);
            Ok(tensor.data)
        };
        let config = checkpoint.config.clone();
        Self::build(config, checkpoint.path(), precision, &tensor)
    }

    /// A model of the weights that `tensor` gives for each name and shape of [`Config::tensors`].
    ///
    /// # Errors
    /// The configuration has widths that are not supported.
    pub fn with_weights(
        config: Config,
        precision: Precision,
        tensor: impl Fn(&str, &[usize]) -> Vec<f32>,
    ) -> Result<Self, Error> {
        let tensor = |name: &str, shape: &[usize]| Ok(tensor(name, shape));
        Self::build(config, Path::new("config.json"), precision, &tensor)
    }

    fn build(
        config: Config,
        file: &Path,
        precision: Precision,
        tensor: &dyn Fn(&str, &[usize]) -> Result<Vec<f32>, Error>,
    ) -> Result<Self, Error> {
        let Config {
            hidden_size,
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim,
            ..
        } = config;
        // Rows of results are filled up to whole tiles, which must not show in these.
        for (field, size) in [("head_dim", head_dim), ("hidden_size", hidden_size)] {
            if !size.is_multiple_of(TILE) {
                return Err(Error::Unsupported(Fault::new(
                    file,
                    field,
                    format!("is {size}"),
                    format!("choose a model where it is a multiple of {TILE}"),
                )));
            }
        }
        let linear = |name: &str, outputs: usize, inputs: usize| {
            Ok::<_, Error>(Linear::new(
                &tensor(name, &[outputs, inputs])?,
                outputs,
                precision,
            ))
        };
        let stacked = |names: &[(String, usize)], inputs: usize| {
            let mut all = Vec::new();
            for (name, outputs) in names {
                all.extend(tensor(name, &[*outputs, inputs])?);
            }
            let outputs = names.iter().map(|(_, outputs)| outputs).sum();
            Ok::<_, Error>(Linear::new(&all, outputs, precision))
        };
        let inner = config.intermediate_size;
        let layers = (0..config.num_hidden_layers)
            .map(|index| {
                let name = |part: &str| format!("model.layers.{index}.{part}");
                let projections = [("q", heads), ("k", kv_heads), ("v", kv_heads)];
                let part = |kind: &'static str| {
                    projections
                        .map(|(p, n)| (name(&format!("self_attn.{p}_proj.{kind}")), n * head_dim))
                };
                let qkv_bias = if config.attention_bias {
                    let mut bias = Vec::new();
                    for (name, size) in part("bias") {
                        bias.extend(tensor(&name, &[size])?);
                    }
                    Some(bias)
                } else {
                    None
                };
                let gate_up =
                    ["gate", "up"].map(|p| (name(&format!("mlp.{p}_proj.weight")), inner));
                Ok(Layer {
                    attention_norm: tensor(&name("input_layernorm.weight"), &[hidden_size])?,
                    qkv: stacked(&part("weight"), hidden_size)?,
                    qkv_bias,
                    output: linear(
                        &name("self_attn.o_proj.weight"),
                        hidden_size,
                        heads * head_dim,
                    )?,
                    mlp_norm: tensor(&name("post_attention_layernorm.weight"), &[hidden_size])?,
                    gate_up: stacked(&gate_up, hidden_size)?,
                    down: linear(&name("mlp.down_proj.weight"), hidden_size, inner)?,
                })
            })
            .collect::<Result<_, Error>>()?;
        let vocabulary = config.vocab_size;
        Ok(Self {
            shape: Shape {
                heads,
                kv_heads,
                head_dim,
                scale: 1.0 / (head_dim as f32).sqrt(),
            },
            rope: Rope::new(head_dim, config.rope_theta),
            embedding: linear("model.embed_tokens.weight", vocabulary, hidden_size)?,
            layers,
            norm: tensor("model.norm.weight", &[hidden_size])?,
            head: match config.tie_word_embeddings {
                true => None,
                false => Some(linear("lm_head.weight", vocabulary, hidden_size)?),
            },
            config,
        })
    }
}

impl Engine for Decoder {
    type Cache = Cache;

    fn config(&self) -> &Config {
        &self.config
    }

    fn bytes(&self) -> usize {
        let layers = self.layers.iter().map(|layer| {
            layer.qkv.bytes() + layer.output.bytes() + layer.gate_up.bytes() + layer.down.bytes()
        });
        layers.sum::<usize>() + self.embedding.bytes() + self.head.as_ref().map_or(0, Linear::bytes)
    }

    fn cache(&self) -> Cache {
        Cache::new(self.layers.len(), self.shape.kv_heads, self.shape.head_dim)
    }

    fn start_of(&self, cache: &Cache, tokens: usize) -> Option<Cache> {
        Some(cache.start(tokens))
    }

    fn forward(&mut self, feeds: &mut [Feed<'_, Cache>]) -> Vec<Vec<f32>> {
        let Shape {
            heads,
            kv_heads,
            head_dim,
            ..
        } = self.shape;
        let (dim, epsilon) = (self.config.hidden_size, self.config.rms_norm_eps as f32);
        let norm = |x: &[f32], weight: &[f32]| {
            let mut out = vec![0.0; x.len()];
            for (out, x) in out.chunks_exact_mut(dim).zip(x.chunks_exact(dim)) {
                rms_norm(x, weight, epsilon, out);
            }
            out
        };
        let mut x = Vec::new();
        for feed in feeds.iter_mut() {
            feed.own.reserve(feed.tokens.len());
            let before = feed.shared.map_or(0, |(_, seen)| seen) + feed.own.len();
            self.rope.reach(before + feed.tokens.len());
            for token in feed.tokens {
                x.extend(self.embedding.row(*token as usize));
            }
        }
        let (q_width, kv_width) = (heads * head_dim, kv_heads * head_dim);
        let inner = self.config.intermediate_size;
        for (index, layer) in self.layers.iter().enumerate() {
            let mut qkv = layer.qkv.apply(&norm(&x, &layer.attention_norm));
            let width = layer.qkv.width();
            let mut rows = qkv.chunks_exact_mut(width);
            for feed in feeds.iter_mut() {
                let start = feed.shared.map_or(0, |(_, seen)| seen) + feed.own.len();
                for offset in 0..feed.tokens.len() {
                    let row = rows.next().expect("a row per token");
                    if let Some(bias) = &layer.qkv_bias {
                        add(&mut row[..bias.len()], bias);
                    }
                    let (turned, values) = row.split_at_mut(q_width + kv_width);
                    for head in turned.chunks_exact_mut(head_dim) {
                        self.rope.turn(head, start + offset);
                    }
                    let keys = turned[q_width..].chunks_exact(head_dim);
                    for (head, (key, value)) in keys.zip(values.chunks_exact(head_dim)).enumerate()
                    {
                        feed.own.write(index, head, offset, key, value);
                    }
                }
            }
            let mut first = 0;
            let spans: Vec<Span<'_>> = feeds
                .iter()
                .map(|feed| {
                    let tokens = feed.tokens.len();
                    first += tokens;
                    Span {
                        first: first - tokens,
                        tokens,
                        shared: feed.shared,
                        own: feed.own,
                    }
                })
                .collect();
            let attended = attend(&self.shape, index, &spans, &qkv, width);
            add(&mut x, &layer.output.apply(&attended));
            let mut gate_up = layer.gate_up.apply(&norm(&x, &layer.mlp_norm));
            let mut middle = Vec::with_capacity(gate_up.len() / 2);
            for row in gate_up.chunks_exact_mut(layer.gate_up.width()) {
                let (gated, up) = row.split_at_mut(inner);
                gate(gated, &up[..inner]);
                middle.extend_from_slice(gated);
            }
            add(&mut x, &layer.down.apply(&middle));
        }

        let mut wanted = Vec::new();
        let mut end = 0;
        for feed in feeds.iter_mut() {
            end += feed.tokens.len();
            feed.own.advance(feed.tokens.len());
            wanted.extend_from_slice(&x[(end - feed.logits) * dim..end * dim]);
        }
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        head.apply(&norm(&wanted, &self.norm))
            .chunks_exact(head.width())
            .map(|row| row[..self.config.vocab_size].to_vec())
            .collect()
    }
}
