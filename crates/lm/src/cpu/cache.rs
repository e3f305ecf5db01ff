//! The keys and values of a sequence of tokens, so that each is computed once.

use super::float::TILE;

/// Keys and values of all layers for one sequence, or for the part of one that follows a shared beginning.
#[derive(Clone)]
pub struct Cache {
    layers: Vec<Layer>,
    heads: usize,
    head_dim: usize,
    len: usize,
    capacity: usize,
}

#[derive(Clone, Default)]
struct Layer {
    /// By head and dimension, tokens side by side, so that a product runs over many tokens at once.
    keys: Vec<f32>,
    /// By head and token, dimensions side by side.
    values: Vec<f32>,
}

impl Cache {
    /// An empty one for so many layers and key-value heads.
    pub(super) fn new(layers: usize, heads: usize, head_dim: usize) -> Self {
        Self {
            layers: vec![Layer::default(); layers],
            heads,
            head_dim,
            len: 0,
            capacity: 0,
        }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        2 * 4 * self.layers.len() * self.heads * self.head_dim * self.capacity
    }

    /// A copy of the first `tokens` tokens.
    pub(super) fn start(&self, tokens: usize) -> Self {
        let mut start = Self::new(self.layers.len(), self.heads, self.head_dim);
        start.reserve(tokens);
        let (from, to, dim) = (self.capacity, start.capacity, self.head_dim);
        for (new, old) in start.layers.iter_mut().zip(&self.layers) {
            let rows = new
                .keys
                .chunks_exact_mut(to)
                .zip(old.keys.chunks_exact(from));
            for (new, old) in rows {
                new[..tokens].copy_from_slice(&old[..tokens]);
            }
            let heads = new.values.chunks_exact_mut(to * dim);
            for (new, old) in heads.zip(old.values.chunks_exact(from * dim)) {
                new[..tokens * dim].copy_from_slice(&old[..tokens * dim]);
            }
        }
        start.len = tokens;
        start
    }

    /// Makes room for `more` tokens.
    pub(super) fn reserve(&mut self, more: usize) {
        let needed = self.len + more;
        if needed <= self.capacity {
            return;
        }
        let capacity = needed.max(self.capacity * 3 / 2).next_multiple_of(TILE);
        for layer in &mut self.layers {
            let mut keys = vec![0.0; self.heads * self.head_dim * capacity];
            let mut values = vec![0.0; self.heads * capacity * self.head_dim];
            if self.len > 0 {
                let rows = layer.keys.chunks_exact(self.capacity);
                for (new, old) in keys.chunks_exact_mut(capacity).zip(rows) {
                    new[..self.len].copy_from_slice(&old[..self.len]);
                }
                let held = self.len * self.head_dim;
                let heads = layer.values.chunks_exact(self.capacity * self.head_dim);
                for (new, old) in values.chunks_exact_mut(capacity * self.head_dim).zip(heads) {
                    new[..held].copy_from_slice(&old[..held]);
                }
            }
            *layer = Layer { keys, values };
        }
        self.capacity = capacity;
    }

    /// Writes one head's key and value of the token `offset` places after the end.
    pub(super) fn write(
        &mut self,
        layer: usize,
        head: usize,
        offset: usize,
        key: &[f32],
        value: &[f32],
    ) {
        let (capacity, dim) = (self.capacity, self.head_dim);
        let token = self.len + offset;
        let layer = &mut self.layers[layer];
        let keys = &mut layer.keys[head * dim * capacity..][..dim * capacity];
        for (row, key) in keys.chunks_exact_mut(capacity).zip(key) {
            row[token] = *key;
        }
        layer.values[(head * capacity + token) * dim..][..dim].copy_from_slice(value);
    }

    /// Counts tokens written in all layers as held.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }

    /// Keys of a head: a row per dimension, this far apart.
    pub(super) fn keys(&self, layer: usize, head: usize) -> (&[f32], usize) {
        let size = self.head_dim * self.capacity;
        (
            &self.layers[layer].keys[head * size..][..size],
            self.capacity,
        )
    }

    /// Values of a head: a row per token.
    pub(super) fn values(&self, layer: usize, head: usize) -> &[f32] {
        let size = self.head_dim * self.capacity;
        &self.layers[layer].values[head * size..][..size]
    }
}
