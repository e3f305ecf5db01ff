//! The keys and values of a sequence of tokens, so that each is computed once.

use super::float::{PANEL, Panels};

/// Keys and values of all layers for one sequence, or for the part of one that follows a shared beginning.
#[derive(Clone)]
pub struct Cache {
    layers: Vec<Layer>,
    heads: usize,
    head_dim: usize,
    len: usize,
}

#[derive(Clone, Default)]
struct Layer {
    /// By 16 tokens, head and dimension, tokens side by side, so that a product runs over many tokens at once.
    keys: Vec<f32>,
    /// By token and head, dimensions side by side.
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
        let values = |layer: &Layer| layer.keys.capacity() + layer.values.capacity();
        4 * self.layers.iter().map(values).sum::<usize>()
    }

    /// Values of one token.
    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// A copy of the first `tokens` tokens.
    pub(super) fn start(&self, tokens: usize) -> Self {
        let width = self.width();
        let layers = self.layers.iter().map(|layer| Layer {
            keys: layer.keys[..tokens.next_multiple_of(PANEL) * width].to_vec(),
            values: layer.values[..tokens * width].to_vec(),
        });
        Self {
            layers: layers.collect(),
            len: tokens,
            ..*self
        }
    }

    /// Forgets all but the first `tokens` tokens.
    pub(super) fn cut(&mut self, tokens: usize) {
        let width = self.width();
        for layer in &mut self.layers {
            layer.keys.truncate(tokens.next_multiple_of(PANEL) * width);
            layer.values.truncate(tokens * width);
        }
        self.len = self.len.min(tokens);
    }

    /// Writes the keys and values, of all heads, of the token `offset` places after the end, those before it written.
    pub(super) fn write(&mut self, layer: usize, offset: usize, keys: &[f32], values: &[f32]) {
        let (token, width) = (self.len + offset, self.width());
        let layer = &mut self.layers[layer];
        layer.values.truncate(token * width);
        layer.values.extend_from_slice(values);
        let panel = token / PANEL * PANEL * width;
        if layer.keys.len() == panel {
            layer.keys.resize(panel + PANEL * width, 0.0);
        }
        let places = layer.keys[panel + token % PANEL..].iter_mut();
        for (place, key) in places.step_by(PANEL).zip(keys) {
            *place = *key;
        }
    }

    /// Counts tokens written in all layers as held.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }

    /// Keys of a head: a row per dimension, 16 tokens to a panel.
    pub(super) fn keys(&self, layer: usize, head: usize) -> Panels<'_> {
        Panels {
            data: &self.layers[layer].keys[head * self.head_dim * PANEL..],
            row: PANEL,
            panel: self.width() * PANEL,
        }
    }

    /// Values of a head: a row per token.
    pub(super) fn values(&self, layer: usize, head: usize) -> Panels<'_> {
        Panels {
            data: &self.layers[layer].values[head * self.head_dim..],
            row: self.width(),
            panel: PANEL,
        }
    }
}
