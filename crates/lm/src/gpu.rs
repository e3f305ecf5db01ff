//! The decoder on tensors of Burn, for GPUs; with the feature `flex` on the processor too, where [`crate::cpu`] is
//! faster.
//!
//! Keys and values of all sequences lie in one pool, a row per token; a cache is the list of its rows. So a step takes
//! as many operations for a large batch as for a small one: linear layers over all tokens at once, attention over the
//! rows each sequence sees, padded to the longest. Unlike on the processor, the last bits of a sequence's logits may
//! depend on the sequences beside it, since the device's kernels differ by size.

use std::path::Path;

use burn::Tensor;
use burn::tensor::activation::{silu, softmax};
use burn::tensor::{Device, Int, TensorData};

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::engine::{Engine, Feed};
use crate::error::Error;
use crate::llama::Llama;
use crate::tensor::{Weight, joined};
use parts::{Rope, UNSEEN, heads_norm, ints, rms_norm};
pub use pool::Cache;
use pool::Pool;

pub(crate) mod parts;
mod pool;

/// A model in the memory of a device, with 32-bit weights.
pub struct Decoder {
    config: Config,
    device: Device,
    rope: Rope,
    embedding: Tensor<2>,
    layers: Vec<Layer>,
    norm: Tensor<2>,
    head: Tensor<2>,
    pool: Pool,
}

/// Matrices are `[in, out]`, vectors `[1, size]`.
struct Layer {
    attention_norm: Tensor<2>,
    /// Queries, keys and values in one matrix.
    qkv: Tensor<2>,
    qkv_bias: Option<Tensor<2>>,
    /// Of queries and of keys.
    head_norms: Option<[Tensor<2>; 2]>,
    output: Tensor<2>,
    mlp_norm: Tensor<2>,
    /// Gate and up in one matrix.
    gate_up: Tensor<2>,
    down: Tensor<2>,
}

/// Where the tokens of a step lie: `n` of them in a row, for attention as `[sequences, longest]`.
struct Batch {
    sequences: usize,
    /// Most new tokens of a sequence.
    longest: usize,
    /// Most tokens that a sequence sees.
    context: usize,
    positions: Tensor<1, Int>,
    /// Where the new tokens' keys and values go.
    written: Tensor<1, Int>,
    /// For every place in `[sequences, longest]` the token, and the way back.
    padded: Tensor<1, Int>,
    flat: Tensor<1, Int>,
    /// The rows that each sequence sees, `[sequences, context]`.
    seen: Tensor<1, Int>,
    /// 0 where a token sees another, else [`UNSEEN`]: `[sequences, 1, 1, longest, context]`.
    mask: Tensor<5>,
}

impl Batch {
    /// After the feeds' caches got rows for the new tokens.
    fn new(feeds: &[Feed<'_, Cache>], hidden: usize, device: &Device) -> Self {
        let shared = |feed: &Feed<'_, Cache>| feed.shared.map_or(0, |(_, seen)| seen);
        let length = |feed: &Feed<'_, Cache>| shared(feed) + feed.own.rows.len();
        let longest = feeds.iter().map(|f| f.positions(hidden)).max().unwrap_or(0);
        let context = feeds.iter().map(length).max().unwrap_or(0);
        let (mut positions, mut written) = (Vec::new(), Vec::new());
        let (mut padded, mut flat, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        let mut mask = vec![UNSEEN; feeds.len() * longest * context];
        for (sequence, feed) in feeds.iter().enumerate() {
            let (count, end) = (feed.positions(hidden), length(feed));
            let start = positions.len();
            positions.extend(end - count..end);
            let own = feed.own.rows.iter().map(|row| *row as usize);
            written.extend(own.clone().skip(feed.own.rows.len() - count));
            padded.extend((0..longest).map(|token| start + token.min(count - 1)));
            flat.extend(sequence * longest..sequence * longest + count);
            if let Some((cache, shared)) = feed.shared {
                seen.extend(cache.rows[..shared].iter().map(|row| *row as usize));
            }
            seen.extend(own);
            // Any row does where it is hidden.
            seen.resize((sequence + 1) * context, 0);
            for token in 0..longest {
                let row = &mut mask[(sequence * longest + token) * context..][..context];
                row[..end - count + token.min(count - 1) + 1].fill(0.0);
            }
        }
        let mask = TensorData::new(mask, [feeds.len(), 1, 1, longest, context]);
        Self {
            sequences: feeds.len(),
            longest,
            context,
            positions: ints(positions, device),
            written: ints(written, device),
            padded: ints(padded, device),
            flat: ints(flat, device),
            seen: ints(seen, device),
            mask: Tensor::from_data(mask, device),
        }
    }
}

impl Decoder {
    /// Reads a model's weights into the memory of a device.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn load(checkpoint: &Checkpoint, device: crate::Device) -> Result<Self, Error> {
        Self::read_from(
            &checkpoint.config,
            &checkpoint.weights()?,
            device,
            checkpoint.path(),
        )
    }

    /// Takes weights from wherever they lie into the memory of a device other than [`crate::Device::Cpu`], which
    /// [`crate::cpu`] computes on.
    ///
    /// # Errors
    /// `Error::Device` for a device that this build or the machine lacks, `Error::Tensor` for weights of another
    /// configuration, `Error::Numbers` for weights that are infinite or no numbers.
    pub fn new<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        device: crate::Device,
    ) -> Result<Self, Error> {
        Self::read_from(config, weights, device, Path::new("the weights"))
    }

    /// As `new`, with the file that the errors name.
    pub(crate) fn read_from<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        device: crate::Device,
        file: &Path,
    ) -> Result<Self, Error> {
        let device = parts::open(device)?;
        Self::upload(config, &weights.checked(config, file)?, device)
    }

    fn upload<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        device: Device,
    ) -> Result<Self, Error> {
        // Several stacked, each `[out, in]`.
        let stacked = |weights: &[&W]| {
            let inputs = weights[0].shape().get(1).copied().unwrap_or(1);
            let all = joined(weights)?;
            let outputs = all.len() / inputs;
            let data = TensorData::new(all, [outputs, inputs]);
            Ok::<_, Error>(Tensor::<2>::from_data(data, &device))
        };
        let transposed = |weights: &[&W]| Ok::<_, Error>(stacked(weights)?.transpose());
        let layers = weights.layers.iter().map(|layer| {
            let qkv = [&layer.query, &layer.key, &layer.value];
            let biases = qkv.map(|projection| projection.bias.as_ref());
            Ok(Layer {
                attention_norm: transposed(&[&layer.attention_norm])?,
                qkv: transposed(&qkv.map(|projection| &projection.weight))?,
                qkv_bias: match biases {
                    [Some(q), Some(k), Some(v)] => Some(transposed(&[q, k, v])?),
                    _ => None,
                },
                head_norms: match [&layer.query_norm, &layer.key_norm] {
                    [Some(query), Some(key)] => Some([transposed(&[query])?, transposed(&[key])?]),
                    _ => None,
                },
                output: transposed(&[&layer.output])?,
                mlp_norm: transposed(&[&layer.mlp_norm])?,
                gate_up: transposed(&[&layer.gate, &layer.up])?,
                down: transposed(&[&layer.down])?,
            })
        });
        let embedding = stacked(&[&weights.embedding])?;
        let head = match &weights.head {
            None => embedding.clone().transpose(),
            Some(head) => transposed(&[head])?,
        };
        Ok(Self {
            rope: Rope::new(config, &device),
            embedding,
            layers: layers.collect::<Result<_, Error>>()?,
            norm: transposed(&[&weights.norm])?,
            head,
            pool: Pool::new(config, &device),
            config: config.clone(),
            device,
        })
    }

    /// The rows that feeds read: vectors as they are, tokens as the embedding has them.
    fn embedded(&self, parts: &[(&[f32], &[u32])]) -> Tensor<2> {
        let tokens = |tokens: Vec<u32>| {
            let tokens = tokens.into_iter().map(|token| token as usize).collect();
            self.embedding.clone().select(0, ints(tokens, &self.device))
        };
        if parts.iter().all(|(vectors, _)| vectors.is_empty()) {
            return tokens(parts.iter().flat_map(|(_, own)| *own).copied().collect());
        }
        let hidden = self.config.hidden_size;
        let mut all = Vec::new();
        for (vectors, own) in parts {
            if !vectors.is_empty() {
                let data = TensorData::new(vectors.to_vec(), [vectors.len() / hidden, hidden]);
                all.push(Tensor::from_data(data, &self.device));
            }
            if !own.is_empty() {
                all.push(tokens(own.to_vec()));
            }
        }
        Tensor::cat(all, 0)
    }

    fn normed(&self, x: &Tensor<2>, weight: &Tensor<2>) -> Tensor<2> {
        rms_norm(x.clone(), weight.clone(), self.config.rms_norm_eps)
    }

    fn heads_normed(&self, x: Tensor<2>, weight: &Tensor<2>) -> Tensor<2> {
        heads_norm(x, weight.clone(), self.config.rms_norm_eps)
    }

    /// Grouped-query attention of a layer, for a row of all query heads per token.
    fn attended(&self, layer: usize, batch: &Batch, queries: Tensor<2>) -> Tensor<2> {
        let Config {
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim: dim,
            ..
        } = self.config;
        let (group, n) = (heads / kv_heads, batch.sequences);
        let queries = queries
            .select(0, batch.padded.clone())
            .reshape([n, batch.longest, kv_heads, group, dim])
            .permute([0, 2, 3, 1, 4])
            .reshape([n, kv_heads, group * batch.longest, dim]);
        let rows = |held: &Tensor<2>| {
            held.clone()
                .select(0, batch.seen.clone())
                .reshape([n, batch.context, kv_heads, dim])
                .swap_dims(1, 2)
        };
        let (keys, values) = &self.pool.layers[layer];
        let scores = queries.matmul(rows(keys).swap_dims(2, 3)) / (dim as f32).sqrt();
        let scores = scores.reshape([n, kv_heads, group, batch.longest, batch.context]);
        let weights = softmax(scores + batch.mask.clone(), 4);
        weights
            .reshape([n, kv_heads, group * batch.longest, batch.context])
            .matmul(rows(values))
            .reshape([n, kv_heads, group, batch.longest, dim])
            .permute([0, 3, 1, 2, 4])
            .reshape([n * batch.longest, heads * dim])
            .select(0, batch.flat.clone())
    }
}

impl Engine for Decoder {
    type Cache = Cache;

    fn config(&self) -> &Config {
        &self.config
    }

    fn bytes(&self) -> usize {
        4 * self.config.parameters() as usize
    }

    fn cache(&self) -> Cache {
        Cache {
            rows: Vec::new(),
            free: self.pool.free.clone(),
        }
    }

    fn cut(&self, cache: &mut Cache, tokens: usize) {
        cache.cut(tokens);
    }

    fn forward(&mut self, feeds: &mut [Feed<'_, Cache>]) -> Vec<Vec<f32>> {
        let hidden = self.config.hidden_size;
        let (mut parts, mut rows, mut wanted) = (Vec::new(), 0, Vec::new());
        for feed in feeds.iter_mut() {
            self.pool.extend(feed.own, feed.positions(hidden));
            rows += feed.positions(hidden);
            wanted.extend(rows - feed.logits..rows);
            parts.push((feed.vectors, feed.tokens));
        }
        let batch = Batch::new(feeds, hidden, &self.device);
        let heads = self.config.num_attention_heads * self.config.head_dim;
        let keys = self.config.num_key_value_heads * self.config.head_dim;
        let inner = self.config.intermediate_size;
        let turn = self.rope.at(&batch.positions);
        let mut x = self.embedded(&parts);
        for index in 0..self.layers.len() {
            let layer = &self.layers[index];
            let mut qkv = self
                .normed(&x, &layer.attention_norm)
                .matmul(layer.qkv.clone());
            if let Some(bias) = &layer.qkv_bias {
                qkv = qkv + bias.clone();
            }
            let mut turned = qkv.clone().narrow(1, 0, heads + keys);
            if let Some([query, key]) = &layer.head_norms {
                let queries = self.heads_normed(turned.clone().narrow(1, 0, heads), query);
                let keys = self.heads_normed(turned.narrow(1, heads, keys), key);
                turned = Tensor::cat(vec![queries, keys], 1);
            }
            let turned = turn.of(turned);
            let values = qkv.narrow(1, heads + keys, keys);
            let new = turned.clone().narrow(1, heads, keys);
            self.pool.write(index, &batch.written, new, values);
            let attended = self.attended(index, &batch, turned.narrow(1, 0, heads));
            let layer = &self.layers[index];
            x = x + attended.matmul(layer.output.clone());
            let middle = self
                .normed(&x, &layer.mlp_norm)
                .matmul(layer.gate_up.clone());
            let (gate, up) = (
                middle.clone().narrow(1, 0, inner),
                middle.narrow(1, inner, inner),
            );
            x = x + (silu(gate) * up).matmul(layer.down.clone());
        }
        if wanted.is_empty() {
            return Vec::new();
        }
        let last = x.select(0, ints(wanted, &self.device));
        let logits = self.normed(&last, &self.norm).matmul(self.head.clone());
        let logits = logits.into_data_as::<f32>();
        let rows = logits.as_slice::<f32>().expect("just made of this kind");
        rows.chunks_exact(self.config.vocab_size)
            .map(<[f32]>::to_vec)
            .collect()
    }
}
