//! Low-rank adapters (Hu et al. 2021), in PEFT's files.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::Config;
use crate::error::{Error, Fault};
use crate::llama::Llama;

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

    /// A of every linear layer before it learned, `[rank, inputs]`, in the order of the computation.
    ///
    /// # Errors
    /// `Error::Training` for numbers that cannot be.
    pub(super) fn first(&self, config: &Config) -> Result<Vec<(String, Vec<f32>)>, Error> {
        let refuse = |field: &str, problem: String, mend: &str| {
            let fault = Fault::new(Path::new("the adapter"), field, problem, mend);
            Err(Error::Training(fault))
        };
        if self.rank == 0 {
            return refuse("rank", "is 0".to_owned(), "it must be at least 1");
        }
        if !self.alpha.is_finite() {
            let problem = format!("is {}", self.alpha);
            return refuse("alpha", problem, "it must be a finite number");
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let linear = Llama::shapes(config).into_iter();
        let linear = linear.filter(|(name, _)| is_linear(name));
        let first = linear.map(|(name, shape)| {
            let bound = 1.0 / (shape[1] as f32).sqrt();
            let count = self.rank * shape[1];
            let values = (0..count).map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound);
            (name, values.collect())
        });
        Ok(first.collect())
    }
}

/// Whether a tensor is the matrix of a linear layer.
pub(super) fn is_linear(name: &str) -> bool {
    name.ends_with("_proj.weight")
}

/// PEFT's names of a linear layer's A and B.
pub(super) fn names(weight: &str) -> [String; 2] {
    let module = weight.strip_suffix(".weight").unwrap_or(weight);
    ["A", "B"].map(|part| format!("base_model.model.{module}.lora_{part}.weight"))
}
