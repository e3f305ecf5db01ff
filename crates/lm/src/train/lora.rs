//! Low-rank adapters (Hu et al. 2021), in PEFT's files.

use std::path::Path;

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
}

/// Largest rank taken.
const MOST: usize = 4096;

impl Lora {
    /// Checks the ranges.
    ///
    /// # Errors
    /// `Error::Training`, naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |field, is: String, mend: String| {
            let file = Path::new("the adapter");
            Err(Error::Training(Fault::new(file, field, is, mend)))
        };
        if !(1..=MOST).contains(&self.rank) {
            return refuse(
                "rank",
                format!("is {}", self.rank),
                format!("give 1 to {MOST}"),
            );
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return refuse(
                "alpha",
                format!("is {}", self.alpha),
                "give a number above 0".to_owned(),
            );
        }
        Ok(())
    }

    /// Numbers that learn.
    pub fn parameters(&self, config: &Config) -> u64 {
        let shapes = Llama::shapes(config).into_iter();
        let linear = shapes.filter(|(name, shape)| shape.len() == 2 && name.contains("layers."));
        linear
            .map(|(_, shape)| (self.rank * (shape[0] + shape[1])) as u64)
            .sum()
    }
}

/// PEFT's names of the two matrices that change a weight: A, then B.
pub fn names(weight: &str) -> [String; 2] {
    let module = weight.strip_suffix(".weight").unwrap_or(weight);
    ["A", "B"].map(|part| format!("base_model.model.{module}.lora_{part}.weight"))
}
