//! What a decoder offers, wherever it computes.

use crate::config::Config;

/// What one sequence brings to a step: tokens to read, after what its caches hold.
pub struct Feed<'a, C> {
    /// Vectors that are read before the tokens, in place of embeddings: rows of [`Config::hidden_size`] values; mostly none.
    pub vectors: &'a [f32],
    /// The tokens; at least one, unless there are vectors.
    pub tokens: &'a [u32],
    /// A beginning shared with others, and how many of its tokens this sequence sees.
    pub shared: Option<(&'a C, usize)>,
    /// The sequence's own part, which the tokens are added to.
    pub own: &'a mut C,
    /// For how many of the last tokens logits are wanted.
    pub logits: usize,
}

impl<C> Feed<'_, C> {
    /// Positions that it reads, for a model of this width.
    pub fn positions(&self, hidden_size: usize) -> usize {
        self.vectors.len() / hidden_size + self.tokens.len()
    }
}

/// A decoder with its weights.
///
/// What it computes for a sequence does not depend on the sequences beside it in a batch; on other devices than the
/// processor the last bits may.
pub trait Engine: Send {
    /// Keys and values of tokens already read.
    type Cache: Send + Sync;

    /// The model's configuration.
    fn config(&self) -> &Config;

    /// Bytes of the weights in memory.
    fn bytes(&self) -> usize;

    /// An empty cache.
    fn cache(&self) -> Self::Cache;

    /// A cache of its own with the first `tokens` tokens of another; `None` where the device cannot copy one.
    fn start_of(&self, cache: &Self::Cache, tokens: usize) -> Option<Self::Cache> {
        let _ = (cache, tokens);
        None
    }

    /// Forgets all of a cache but its first `tokens` tokens.
    fn cut(&self, cache: &mut Self::Cache, tokens: usize);

    /// Bytes of a cache for so many tokens.
    fn cache_bytes(&self, tokens: usize) -> usize {
        let config = self.config();
        8 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * tokens
    }

    /// Reads every feed's tokens; the logits asked for, a row each of [`Config::vocab_size`] values, in order.
    fn forward(&mut self, feeds: &mut [Feed<'_, Self::Cache>]) -> Vec<Vec<f32>>;
}
