//! Low-rank adapters (Hu et al. 2021), in PEFT's files.

/// Of which shape low-rank changes are: `W + alpha / rank * B A` for every linear layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lora {
    /// Rows of A and columns of B.
    pub rank: usize,
    /// The scale's numerator.
    pub alpha: f32,
    /// The seed of A's first values, which are uniform within `1 / sqrt(inputs)`; B begins as 0.
    pub seed: u64,
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            seed: 0,
        }
    }
}

impl Lora {
    /// What the product is scaled by.
    pub fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }
}
