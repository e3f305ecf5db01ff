//! Training: next-token models whose objective is a weight on the log-probability of chosen tokens.
//!
//! A [`Trainer`] knows three verbs: [`score`](Trainer::score), [`gradient`](Trainer::gradient) and
//! [`update`](Trainer::update). An algorithm above it says which tokens count and how much: supervised learning weighs
//! each target token with 1, policy gradients with a clipped advantage. [`cpu::Trainer`] computes on the processor, with the feature `gpu` `gpu::Trainer` on
//! graphics cards; [`open`] chooses.
//!
//! Texts come as [`Tree`]s, in the shape in which [`generate`](crate::generate) writes them: many branches continue one trunk,
//! which is read once.

use crate::config::Config;
use crate::device::Device;
use crate::error::Error;
use crate::llama::Llama;
use crate::tensor::{Tensor, Weight};
pub use init::{init, init_copying};
pub use lora::Lora;
pub use tree::{Branch, Scores, Text, Tree};

pub mod checkpoint;
pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
mod init;
pub mod lora;
pub mod metrics;
pub mod supervised;
mod tree;

/// What one update does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The learning rate, above 0.
    pub rate: f32,
    /// Decoupled weight decay of matrices (Loshchilov and Hutter 2019); norms, biases and adapters have none.
    pub decay: f32,
    /// The gradient's largest global norm; a longer one is scaled down to it. Infinity leaves every one as it is.
    pub clip: f32,
}

/// Adam's own numbers (Kingma and Ba 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Of the mean of the gradient.
    pub beta1: f32,
    /// Of the mean of its square.
    pub beta2: f32,
    /// Added to the root of the latter.
    pub epsilon: f32,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
        }
    }
}

/// What of a model learns.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Learns {
    /// All of it.
    #[default]
    All,
    /// Low-rank changes of its linear layers (Hu et al. 2021).
    Lora(Lora),
}

/// How a trainer is made.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Options {
    /// What learns.
    pub learns: Learns,
    /// Adam's numbers.
    pub adam: Adam,
    /// Whether the model has a value head: one more output at each position, which begins as 0.
    pub values: bool,
    /// Whether products are of bf16 numbers where the machine can (AVX512-BF16), with sums in f32; else all is f32.
    pub bf16: bool,
}

impl Options {
    /// Those of a model that only reads: what learns least needs least memory.
    pub fn still() -> Self {
        let least = Lora {
            rank: 1,
            alpha: 1.0,
            seed: 0,
        };
        Self {
            learns: Learns::Lora(least),
            bf16: true,
            ..Self::default()
        }
    }
}

/// What a tree gave.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Climbed {
    /// As [`Trainer::score`] gives them, before the update.
    pub scores: Scores,
    /// The objective's gradient with respect to the tree's prefix, as many values as that has.
    pub prefix: Vec<f32>,
}

/// A model that learns, wherever it computes.
pub trait Trainer: Send {
    /// The model's configuration.
    fn config(&self) -> &Config;

    /// The log-probabilities of the chosen tokens, and values where there is a value head; one [`Scores`] a tree.
    ///
    /// # Errors
    /// `Error::Training` for a tree that cannot be (an unknown token, more positions than the model reads, a first token that
    /// nothing predicts chosen), `Error::Numbers` where the model computes what is no number.
    fn score(&mut self, trees: &[Tree]) -> Result<Vec<Scores>, Error>;

    /// Adds the gradient of an objective to what is gathered since the last update. The objective is the sum over all
    /// chosen tokens of weight x log-probability, plus weight x value; `weigh` is told each tree's number and scores and
    /// gives its weights in the same shape (no values where there is no head).
    ///
    /// The order of trees counts, how they are spread over calls does not: the gathered gradient is the same to the bit (on the
    /// processor; on a GPU the last bits may differ).
    ///
    /// # Errors
    /// As [`Trainer::score`].
    fn gradient(
        &mut self,
        trees: &[Tree],
        weigh: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<Vec<Climbed>, Error>;

    /// Climbs: one step of AdamW along the gathered gradient, which is empty afterwards. Returns the gradient's global norm
    /// before it was clipped.
    ///
    /// # Errors
    /// `Error::Numbers` for a gradient that is no number; it is dropped then, and the weights stay as they were.
    fn update(&mut self, step: Step) -> Result<f32, Error>;

    /// The weights as they are now, low-rank changes added in.
    ///
    /// # Errors
    /// They cannot be read from where they lie.
    fn weights(&self) -> Result<Llama<Tensor>, Error>;

    /// The low-rank changes, by PEFT's names (`base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`); none where all
    /// learns.
    fn adapter(&self) -> Vec<(String, Tensor)>;

    /// Trained numbers.
    fn parameters(&self) -> u64;

    /// Everything that an update changes, by name: trained weights, Adam's means, the count of updates.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Takes a state back; whatever follows is the same to the bit as if nothing had come between.
    ///
    /// # Errors
    /// `Error::Training` for one of another model or other options.
    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), Error>;

    /// What it computes with, as far as that changes results: "cpu bf16", "cpu f32", "flex".
    fn arithmetic(&self) -> String;
}

/// Takes a model's weights to where it will learn.
///
/// # Errors
/// `Error::Device` for a device that the build or the machine lacks, else as [`cpu::Trainer::new`].
pub fn open<W: Weight>(
    device: Device,
    config: &Config,
    weights: &Llama<W>,
    options: Options,
) -> Result<Box<dyn Trainer>, Error> {
    device.check()?;
    #[cfg(feature = "gpu")]
    if device != Device::Cpu {
        let trainer = gpu::Trainer::new(config, weights, device, options)?;
        return Ok(Box::new(trainer));
    }
    Ok(Box::new(cpu::Trainer::new(config, weights, options)?))
}
