//! A decoder of the Llama family: RMSNorm, rotary positions, grouped-query attention, SwiGLU (Touvron et al. 2023).

use std::path::Path;

use rayon::prelude::*;

use super::attention::{self, Span, attend};
use super::cache::Cache;
use super::columns::Columns;
use super::float::{PANEL, Rows};
use super::int8::Activations;
use super::linear::{Linear, Precision};
use super::math::{Rope, add, gate, norm_heads, rms_norm};
use super::memory::Memory;
use super::pool::{Pool, room};
use super::shape::Shape;
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::engine::{Engine, Feed};
use crate::error::{Error, Fault};
use crate::llama::Llama;
use crate::tensor::{Finite, Weight, joined};

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
    scratch: Pool<Scratch>,
    attention_scratch: Pool<attention::Scratch>,
}

/// Memory of a block of rows.
#[derive(Default)]
struct Scratch {
    rounded: Activations,
    normed: Vec<f32>,
    change: Vec<f32>,
    gate_up: Vec<f32>,
    middle: Vec<f32>,
}

struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values in one matrix.
    qkv: Linear,
    qkv_bias: Option<Vec<f32>>,
    /// Of queries and of keys.
    head_norms: Option<[Vec<f32>; 2]>,
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
    /// As [`Self::new`].
    pub fn load(checkpoint: &Checkpoint, precision: Precision) -> Result<Self, Error> {
        fits(&checkpoint.config, checkpoint.path())?;
        Self::read_from(
            &checkpoint.config,
            &checkpoint.weights()?,
            precision,
            checkpoint.path(),
        )
    }

    /// Takes weights from wherever they lie.
    ///
    /// # Errors
    /// `Error::Unsupported` for widths that the kernels cannot do, `Error::Tensor` for weights of another
    /// configuration, `Error::Numbers` for weights that are infinite or no numbers.
    pub fn new<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        precision: Precision,
    ) -> Result<Self, Error> {
        Self::read_from(config, weights, precision, Path::new("the weights"))
    }

    /// As `new`, with the file that the errors name.
    pub(crate) fn read_from<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        precision: Precision,
        file: &Path,
    ) -> Result<Self, Error> {
        fits(config, file)?;
        let weights = &weights.checked(config, file)?;
        let memory = Memory::default();
        let vector = |weight: &Finite<'_, W>| Ok::<_, Error>(weight.values()?.into_owned());
        let matrix = |weight: &Finite<'_, W>| {
            let outputs = weight.shape()[0];
            Ok::<_, Error>(Linear::new(&weight.values()?, outputs, precision, &memory))
        };
        let stacked = |weights: &[&Finite<'_, W>]| {
            let outputs = weights.iter().map(|weight| weight.shape()[0]).sum();
            Ok::<_, Error>(Linear::new(&joined(weights)?, outputs, precision, &memory))
        };
        let layers = weights.layers.iter().map(|layer| {
            let qkv = [&layer.query, &layer.key, &layer.value];
            let biases = qkv.map(|projection| projection.bias.as_ref());
            Ok(Layer {
                attention_norm: vector(&layer.attention_norm)?,
                qkv: stacked(&qkv.map(|projection| &projection.weight))?,
                qkv_bias: match biases {
                    [Some(q), Some(k), Some(v)] => Some(joined(&[q, k, v])?),
                    _ => None,
                },
                head_norms: match [&layer.query_norm, &layer.key_norm] {
                    [Some(query), Some(key)] => Some([vector(query)?, vector(key)?]),
                    _ => None,
                },
                output: matrix(&layer.output)?,
                mlp_norm: vector(&layer.mlp_norm)?,
                gate_up: stacked(&[&layer.gate, &layer.up])?,
                down: matrix(&layer.down)?,
            })
        });
        let head_dim = config.head_dim;
        Ok(Self {
            shape: Shape {
                heads: config.num_attention_heads,
                kv_heads: config.num_key_value_heads,
                head_dim,
                scale: 1.0 / (head_dim as f32).sqrt(),
            },
            rope: Rope::new(config.rope_frequencies()),
            embedding: matrix(&weights.embedding)?,
            layers: layers.collect::<Result<_, Error>>()?,
            norm: vector(&weights.norm)?,
            head: weights.head.as_ref().map(matrix).transpose()?,
            config: config.clone(),
            scratch: Pool::default(),
            attention_scratch: Pool::default(),
        })
    }
}

/// Rows of results are filled up to whole tiles, which must not show in these.
fn fits(config: &Config, file: &Path) -> Result<(), Error> {
    for (field, size) in [
        ("head_dim", config.head_dim),
        ("hidden_size", config.hidden_size),
    ] {
        if !size.is_multiple_of(PANEL) {
            return Err(Error::Unsupported(Fault::new(
                file,
                field,
                format!("is {size}"),
                format!("choose a model where it is a multiple of {PANEL}"),
            )));
        }
    }
    Ok(())
}

/// Rows that are worth a thread of their own, which then reads all weights, where caches hold them, and where not.
const PART: [usize; 2] = [16, 64];
/// Bytes that a processor's caches hold.
const CACHED: usize = 16 << 20;
/// Rows that go through the matrices of a layer one after another, while the caches hold them.
const BLOCK: usize = 32;

/// The position of the first that a feed reads.
fn start(feed: &Feed<'_, Cache>) -> usize {
    feed.shared.map_or(0, |(_, seen)| seen) + feed.own.len()
}

/// Cuts feeds into parts of about so many tokens.
fn split<'a, 'b>(
    mut feeds: &'a mut [Feed<'b, Cache>],
    tokens: usize,
    hidden_size: usize,
) -> Vec<&'a mut [Feed<'b, Cache>]> {
    let mut parts = Vec::new();
    while !feeds.is_empty() {
        let mut held = 0;
        let count = feeds.iter().take_while(|feed| {
            held += feed.positions(hidden_size);
            held <= tokens
        });
        let count = count.count().max(1);
        let (part, rest) = feeds.split_at_mut(count);
        parts.push(part);
        feeds = rest;
    }
    parts
}

impl Decoder {
    /// Reads feeds, as [`Engine::forward`] does.
    fn read(&self, feeds: &mut [Feed<'_, Cache>]) -> Vec<Vec<f32>> {
        let (dim, qkv_width) = (self.config.hidden_size, self.qkv_width());
        let (q_width, kv_width) = (self.shape.q_width(), self.shape.kv_width());
        let positions: Vec<usize> = feeds
            .iter()
            .flat_map(|feed| start(feed)..start(feed) + feed.positions(dim))
            .collect();
        let rows = positions.len();
        let mut x = vec![0.0; rows * dim];
        let mut read = x.chunks_exact_mut(dim);
        for feed in feeds.iter() {
            for (vector, x) in feed.vectors.chunks_exact(dim).zip(read.by_ref()) {
                x.copy_from_slice(vector);
            }
            for (token, x) in feed.tokens.iter().zip(read.by_ref()) {
                self.embedding.row(*token as usize, x);
            }
        }
        let mut qkv = vec![0.0; rows * qkv_width];
        let mut attended = vec![0.0; rows * q_width];
        let block = rows.div_ceil(rows.div_ceil(BLOCK));
        for index in 0..=self.layers.len() {
            let rows = (x.par_chunks_mut(block * dim))
                .zip(qkv.par_chunks_mut(block * qkv_width))
                .zip(attended.par_chunks(block * q_width))
                .zip(positions.par_chunks(block));
            rows.for_each(|(((x, qkv), attended), positions)| {
                self.scratch.with(|scratch| {
                    if let Some(before) = index.checked_sub(1) {
                        self.leave(&self.layers[before], attended, x, scratch);
                    }
                    if let Some(layer) = self.layers.get(index) {
                        self.enter(layer, x, positions, qkv, scratch);
                    }
                });
            });
            if index == self.layers.len() {
                break;
            }
            let new = qkv.chunks_exact(qkv_width);
            let mut new = new.map(|row| row[q_width..q_width + 2 * kv_width].split_at(kv_width));
            for feed in feeds.iter_mut() {
                for (offset, (keys, values)) in new.by_ref().take(feed.positions(dim)).enumerate() {
                    feed.own.write(index, offset, keys, values);
                }
            }
            let mut first = 0;
            let spans: Vec<Span<'_>> = feeds
                .iter()
                .map(|feed| {
                    let tokens = feed.positions(dim);
                    first += tokens;
                    Span {
                        first: first - tokens,
                        tokens,
                        shared: feed.shared,
                        own: feed.own,
                    }
                })
                .collect();
            let queries = Rows {
                data: &qkv,
                stride: qkv_width,
            };
            let pool = &self.attention_scratch;
            attend(&self.shape, index, &spans, queries, pool, &mut attended);
        }

        let mut wanted = Vec::new();
        let mut end = 0;
        for feed in feeds.iter_mut() {
            end += feed.positions(dim);
            feed.own.advance(feed.positions(dim));
            wanted.extend_from_slice(&x[(end - feed.logits) * dim..end * dim]);
        }
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        let width = head.width();
        let mut logits: Vec<Vec<f32>> = (0..wanted.len() / dim)
            .map(|_| Vec::with_capacity(width))
            .collect();
        self.scratch.with(|scratch| {
            let normed = room(&mut scratch.normed, wanted.len());
            self.norm(&wanted, &self.norm, normed);
            let rows = logits.iter_mut().map(Vec::spare_capacity_mut);
            let rows = rows.map(|row| &mut row[..width]);
            let mut rows = Columns::new_empty(rows, width);
            head.apply(normed, &mut scratch.rounded, &mut rows);
        });
        for logits in &mut logits {
            // SAFETY: all `width` values were written, which are no fewer.
            unsafe { logits.set_len(self.config.vocab_size) };
        }
        logits
    }

    fn norm(&self, x: &[f32], weight: &[f32], out: &mut [f32]) {
        let (dim, epsilon) = (self.config.hidden_size, self.config.rms_norm_eps as f32);
        for (x, out) in x.chunks_exact(dim).zip(out.chunks_exact_mut(dim)) {
            rms_norm(x, weight, epsilon, out);
        }
    }

    fn qkv_width(&self) -> usize {
        self.shape.q_width() + 2 * self.shape.kv_width()
    }

    /// What comes before a layer's attention: queries, keys and values of some rows, turned at their positions.
    fn enter(
        &self,
        layer: &Layer,
        x: &[f32],
        positions: &[usize],
        qkv: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let Scratch {
            rounded, normed, ..
        } = scratch;
        let normed = room(normed, x.len());
        self.norm(x, &layer.attention_norm, normed);
        let width = self.qkv_width();
        layer.qkv.apply(
            normed,
            rounded,
            &mut Columns::new(qkv.chunks_exact_mut(width), width),
        );
        let turned = self.shape.q_width() + self.shape.kv_width();
        for (row, position) in qkv.chunks_exact_mut(width).zip(positions) {
            if let Some(bias) = &layer.qkv_bias {
                add(row, bias);
            }
            let row = &mut row[..turned];
            if let Some([query, key]) = &layer.head_norms {
                let epsilon = self.config.rms_norm_eps as f32;
                let (queries, keys) = row.split_at_mut(self.shape.q_width());
                norm_heads(queries, query, epsilon);
                norm_heads(keys, key, epsilon);
            }
            self.rope.turn(row, *position);
        }
    }

    /// What comes after a layer's attention, for some rows.
    fn leave(&self, layer: &Layer, attended: &[f32], x: &mut [f32], scratch: &mut Scratch) {
        let (dim, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let rows = x.len() / dim;
        let Scratch {
            rounded,
            normed,
            change,
            gate_up,
            middle,
        } = scratch;
        let change = room(change, x.len());
        layer.output.apply(
            attended,
            rounded,
            &mut Columns::new(change.chunks_exact_mut(dim), dim),
        );
        add(x, change);
        let normed = room(normed, x.len());
        self.norm(x, &layer.mlp_norm, normed);
        let width = layer.gate_up.width();
        let gate_up = room(gate_up, rows * width);
        layer.gate_up.apply(
            normed,
            rounded,
            &mut Columns::new(gate_up.chunks_exact_mut(width), width),
        );
        let middle = room(middle, rows * inner);
        for (row, middle) in gate_up
            .chunks_exact(width)
            .zip(middle.chunks_exact_mut(inner))
        {
            gate(&row[..inner], &row[inner..2 * inner], middle);
        }
        layer.down.apply(
            middle,
            rounded,
            &mut Columns::new(change.chunks_exact_mut(dim), dim),
        );
        add(x, change);
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

    fn cut(&self, cache: &mut Cache, tokens: usize) {
        cache.cut(tokens);
    }

    fn start_of(&self, cache: &Cache, tokens: usize) -> Option<Cache> {
        Some(cache.start(tokens))
    }

    fn forward(&mut self, feeds: &mut [Feed<'_, Cache>]) -> Vec<Vec<f32>> {
        let dim = self.config.hidden_size;
        let tokens: usize = feeds.iter().map(|feed| feed.positions(dim)).sum();
        let end = |feed: &Feed<'_, Cache>| start(feed) + feed.positions(dim);
        self.rope.reach(feeds.iter().map(end).max().unwrap_or(0));
        let part = PART[usize::from(self.bytes() > CACHED)];
        let parts = (tokens / part).clamp(1, rayon::current_num_threads());
        let parts = split(feeds, tokens.div_ceil(parts), dim).into_par_iter();
        let logits: Vec<_> = parts.map(|feeds| self.read(feeds)).collect();
        logits.concat()
    }
}

#[cfg(test)]
mod tests;
