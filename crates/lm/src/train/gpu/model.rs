//! The forward pass, as tensors that remember how they came about.

use burn::Tensor;
use burn::tensor::activation::{log_softmax, silu, softmax};
use burn::tensor::{Device, Int};

use super::batch::Batch;
use crate::config::Config;
use crate::gpu::parts::{Rope, Turn, heads_norm, rms_norm};
use crate::llama::{Layer, Llama, Projection};

/// A tensor of the model: matrices are `[out, in]`, vectors `[1, size]`.
pub enum Part {
    /// One that learns, by its number.
    Learned(usize),
    /// One that stays as it is.
    Fixed(Tensor<2>),
    /// One that stays, and changes by the product of two that learn: A by its number, B the next.
    Changed(Tensor<2>, usize),
}

/// A model's structure, apart from what of it learns.
pub struct Model {
    pub config: Config,
    pub parts: Llama<Part>,
    /// What low-rank changes are multiplied by.
    pub scale: f32,
    /// The number of the value head's weights, `[1, hidden]`; its bias is the next.
    pub value: Option<usize>,
    rope: Rope,
}

/// What a batch gives: `[chosen, 1]` each.
pub struct Outputs {
    pub log_probs: Tensor<2>,
    pub values: Option<Tensor<2>>,
}

/// A pass over a batch, with the tensors that learn as they are now.
struct Pass<'a> {
    model: &'a Model,
    learned: &'a [Tensor<2>],
    batch: &'a Batch,
    turn: Turn,
}

impl Model {
    pub fn new(
        config: &Config,
        parts: Llama<Part>,
        scale: f32,
        value: Option<usize>,
        device: &Device,
    ) -> Self {
        Self {
            rope: Rope::new(config, device),
            config: config.clone(),
            parts,
            scale,
            value,
        }
    }

    /// Log-probabilities and values of a batch's chosen tokens; `prefix` has the vectors of all its prefixes, `[n, hidden]`.
    pub fn forward(
        &self,
        learned: &[Tensor<2>],
        batch: &Batch,
        prefix: Option<Tensor<2>>,
    ) -> Outputs {
        let pass = Pass {
            model: self,
            learned,
            batch,
            turn: self.rope.at(&batch.positions),
        };
        let embedding = pass.tensor(&self.parts.embedding);
        let mut x = embedding.clone().select(0, batch.tokens.clone());
        if let (Some(rows), Some(prefix)) = (&batch.rows, prefix) {
            x = Tensor::cat(vec![x, prefix], 0).select(0, rows.clone());
        }
        for layer in &self.parts.layers {
            x = pass.layer(layer, x);
        }
        let last = x.select(0, batch.predicting.clone());
        let last = pass.normed(last, &self.parts.norm);
        let head = match &self.parts.head {
            Some(head) => pass.tensor(head),
            None => embedding,
        };
        let logits = last.clone().matmul(head.transpose());
        Outputs {
            log_probs: picked(log_softmax(logits, 1), &batch.targets),
            values: self.value.map(|at| {
                let weight = learned[at].clone().transpose();
                last.matmul(weight) + learned[at + 1].clone()
            }),
        }
    }
}

/// Of each row the number in one column, `[rows, 1]`.
fn picked(rows: Tensor<2>, columns: &Tensor<2, Int>) -> Tensor<2> {
    rows.gather(1, columns.clone())
}

impl Pass<'_> {
    /// A tensor that has no low-rank change.
    fn tensor(&self, part: &Part) -> Tensor<2> {
        match part {
            Part::Learned(at) => self.learned[*at].clone(),
            Part::Fixed(tensor) | Part::Changed(tensor, _) => tensor.clone(),
        }
    }

    /// `x W^T`.
    fn linear(&self, x: &Tensor<2>, part: &Part) -> Tensor<2> {
        let y = x.clone().matmul(self.tensor(part).transpose());
        let Part::Changed(_, at) = part else {
            return y;
        };
        let [a, b] = [at, &(at + 1)].map(|at| self.learned[*at].clone().transpose());
        y + x.clone().matmul(a).matmul(b) * self.model.scale
    }

    fn projected(&self, x: &Tensor<2>, projection: &Projection<Part>) -> Tensor<2> {
        let y = self.linear(x, &projection.weight);
        match &projection.bias {
            Some(bias) => y + self.tensor(bias),
            None => y,
        }
    }

    fn normed(&self, x: Tensor<2>, weight: &Part) -> Tensor<2> {
        rms_norm(x, self.tensor(weight), self.model.config.rms_norm_eps)
    }

    /// Heads normed where the model does so, then turned.
    fn turned(&self, x: Tensor<2>, norm: &Option<Part>) -> Tensor<2> {
        let epsilon = self.model.config.rms_norm_eps;
        self.turn.of(match norm {
            Some(weight) => heads_norm(x, self.tensor(weight), epsilon),
            None => x,
        })
    }

    fn layer(&self, layer: &Layer<Part>, x: Tensor<2>) -> Tensor<2> {
        let normed = self.normed(x.clone(), &layer.attention_norm);
        let queries = self.turned(self.projected(&normed, &layer.query), &layer.query_norm);
        let keys = self.turned(self.projected(&normed, &layer.key), &layer.key_norm);
        let values = self.projected(&normed, &layer.value);
        let attended = self.attended(queries, keys, values);
        let x = x + self.linear(&attended, &layer.output);
        let normed = self.normed(x.clone(), &layer.mlp_norm);
        let gate = silu(self.linear(&normed, &layer.gate));
        let inner = gate * self.linear(&normed, &layer.up);
        x + self.linear(&inner, &layer.down)
    }

    /// Grouped-query attention, for a row of all query heads per place.
    fn attended(&self, queries: Tensor<2>, keys: Tensor<2>, values: Tensor<2>) -> Tensor<2> {
        let Config {
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim: dim,
            ..
        } = self.model.config;
        let Batch { trees, longest, .. } = *self.batch;
        let group = heads / kv_heads;
        let rows = |x: Tensor<2>| x.reshape([trees, longest, kv_heads, dim]).swap_dims(1, 2);
        let queries = queries
            .reshape([trees, longest, kv_heads, group, dim])
            .permute([0, 2, 3, 1, 4])
            .reshape([trees, kv_heads, group * longest, dim]);
        let scores = queries.matmul(rows(keys).swap_dims(2, 3)) / (dim as f32).sqrt();
        let scores = scores.reshape([trees, kv_heads, group, longest, longest]);
        let weights = softmax(scores + self.batch.mask.clone(), 4);
        weights
            .reshape([trees, kv_heads, group * longest, longest])
            .matmul(rows(values))
            .reshape([trees, kv_heads, group, longest, dim])
            .permute([0, 3, 1, 2, 4])
            .reshape([trees * longest, heads * dim])
    }
}
