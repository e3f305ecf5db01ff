//! Keys and values of all sequences, a row per token.

use std::sync::{Arc, Mutex, PoisonError};

use burn::Tensor;
use burn::tensor::{Device, IndexingUpdateOp, Int};

use crate::config::Config;

/// Rows that the pool has at first.
const ROWS: usize = 1024;

/// Keys and values by layer, `[rows, kv_heads * head_dim]`.
pub(super) struct Pool {
    pub(super) layers: Vec<(Tensor<2>, Tensor<2>)>,
    rows: usize,
    pub(super) free: Arc<Mutex<Vec<u32>>>,
}

/// The rows of the pool that hold a sequence's keys and values, in order; they are free again when it is dropped.
pub struct Cache {
    pub(super) rows: Vec<u32>,
    pub(super) free: Arc<Mutex<Vec<u32>>>,
}

impl Cache {
    /// Forgets all but the first `tokens` tokens.
    pub(super) fn cut(&mut self, tokens: usize) {
        let tokens = tokens.min(self.rows.len());
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.rows.drain(tokens..).rev());
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.append(&mut self.rows);
    }
}

impl Pool {
    pub(super) fn new(config: &Config, device: &Device) -> Self {
        let width = config.num_key_value_heads * config.head_dim;
        let layer = |_| {
            let zeros = || Tensor::zeros([ROWS, width], device);
            (zeros(), zeros())
        };
        Self {
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            rows: ROWS,
            free: Arc::new(Mutex::new((0..ROWS as u32).rev().collect())),
        }
    }

    /// Adds `count` rows to a cache.
    pub(super) fn extend(&mut self, cache: &mut Cache, count: usize) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < count {
            let more = (count - free.len()).max(self.rows / 2);
            for (keys, values) in &mut self.layers {
                for half in [keys, values] {
                    let zeros = Tensor::zeros([more, half.dims()[1]], &half.device());
                    half.inplace(|held| Tensor::cat(vec![held, zeros], 0));
                }
            }
            free.extend((self.rows as u32..(self.rows + more) as u32).rev());
            self.rows += more;
        }
        let start = free.len() - count;
        cache.rows.extend(free.drain(start..).rev());
    }

    /// Writes a layer's keys and values of new tokens.
    pub(super) fn write(
        &mut self,
        layer: usize,
        rows: &Tensor<1, Int>,
        keys: Tensor<2>,
        values: Tensor<2>,
    ) {
        let assign = |held: Tensor<2>, new| {
            held.select_assign(0, rows.clone(), new, IndexingUpdateOp::Assign)
        };
        let layer = &mut self.layers[layer];
        layer.0.inplace(|held| assign(held, keys));
        layer.1.inplace(|held| assign(held, values));
    }
}
