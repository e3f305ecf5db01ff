//! What a forward pass leaves for the backward one, and the memory that both work in.

use super::attention::Shape;
use super::buffer::{Buffer, Plain};
use super::head::Head;
use super::number::Number;
use crate::config::Config;

/// Memory of a batch, kept from one to the next.
pub struct Tape<E> {
    /// Rows that there is room for.
    rows: usize,
    pub layers: Vec<Kept<E>>,
    /// What comes out of the last layer, `[rows, hidden]`.
    pub last: Buffer<f32>,
    pub work: Work<E>,
    pub head: Head<E>,
}

/// Of a layer; each `[rows, ...]`.
pub struct Kept<E> {
    /// What comes in.
    pub x: Buffer<f32>,
    /// Queries and keys before their heads are normed (Qwen3 only), then values.
    pub raw: Buffer<f32>,
    /// Turned.
    pub qkv: Buffer<E>,
    pub attended: Buffer<E>,
    /// Of the attention's powers, by head.
    pub sums: Buffer<f32>,
    /// After attention.
    pub middle: Buffer<f32>,
    pub gate: Buffer<E>,
    pub up: Buffer<E>,
}

/// Of the layer at hand in the backward pass; numbers are interleaved but for `attended`.
pub struct Work<E> {
    /// Gradient of the residual stream.
    pub dx: Buffer<f32>,
    /// Gradients of the layer's two norms, by row.
    pub norms: [Buffer<f32>; 2],
    /// Gradient of what attention gave, row by row.
    pub attended: Buffer<E>,
    /// Gradient of queries, keys and values.
    pub dqkv: Buffer<f32>,
    /// What went into the four products of a layer: queries to values, output, gate and up, down.
    pub inputs: [Buffer<E>; 4],
    /// Gradients of what came out of them: queries to values together, output, gate, up, down.
    pub changes: [Buffer<E>; 5],
    /// For each of the seven linear layers the adapter's middle and its gradient, where there is one.
    pub adapters: [[Buffer<E>; 2]; 7],
}

impl<E: Number + Plain> Default for Tape<E> {
    fn default() -> Self {
        Self {
            rows: 0,
            layers: Vec::new(),
            last: Buffer::empty(),
            head: Head::default(),
            work: Work {
                dx: Buffer::empty(),
                norms: [Buffer::empty(), Buffer::empty()],
                attended: Buffer::empty(),
                dqkv: Buffer::empty(),
                inputs: std::array::from_fn(|_| Buffer::empty()),
                changes: std::array::from_fn(|_| Buffer::empty()),
                adapters: std::array::from_fn(|_| [Buffer::empty(), Buffer::empty()]),
            },
        }
    }
}

impl<E: Number + Plain> Tape<E> {
    /// Makes room for so many rows; `learns` where gradients will be asked for, `rank` of adapters, 0 for none.
    pub fn reach(&mut self, rows: usize, config: &Config, shape: Shape, rank: usize) {
        if self.rows >= rows && !self.layers.is_empty() {
            return;
        }
        let rows = rows.max(self.rows);
        *self = Self::default();
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (width, queries) = (shape.width(), shape.queries());
        let raw = if config.qk_norm { width } else { 0 };
        let numbers = |width: usize| Buffer::<E>::new(rows * width);
        let floats = |width: usize| Buffer::<f32>::new(rows * width);
        self.layers = (0..config.num_hidden_layers)
            .map(|_| Kept {
                x: floats(hidden),
                raw: floats(raw),
                qkv: numbers(width),
                attended: numbers(queries),
                sums: floats(shape.heads),
                middle: floats(hidden),
                gate: numbers(inner),
                up: numbers(inner),
            })
            .collect();
        self.last = floats(hidden);
        self.work = Work {
            dx: floats(hidden),
            norms: [floats(hidden), floats(hidden)],
            attended: numbers(queries),
            dqkv: floats(width),
            inputs: [hidden, queries, hidden, inner].map(numbers),
            changes: [width, hidden, inner, inner, hidden].map(numbers),
            adapters: std::array::from_fn(|_| [numbers(rank), numbers(rank)]),
        };
        self.rows = rows;
    }
}

/// Memory of a block of rows.
pub struct Scratch<E> {
    pub floats: [Vec<f32>; 6],
    pub numbers: [Vec<E>; 4],
}

impl<E> Default for Scratch<E> {
    fn default() -> Self {
        Self {
            floats: std::array::from_fn(|_| Vec::new()),
            numbers: std::array::from_fn(|_| Vec::new()),
        }
    }
}
