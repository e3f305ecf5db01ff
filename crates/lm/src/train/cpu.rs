//! The trainer on the processor.

use super::{Climbed, Options, Scores, Step, Tree};
use crate::config::Config;
use crate::error::Error;
use crate::llama::Llama;
use crate::tensor::{Tensor, Weight};

/// A model that learns on the processor.
pub struct Trainer {
    config: Config,
}

impl Trainer {
    /// Takes a model's weights.
    ///
    /// # Errors
    /// As [`crate::cpu::Decoder::new`].
    pub fn new<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        options: Options,
    ) -> Result<Self, Error> {
        weights.check(config)?;
        let _ = options;
        Ok(Self {
            config: config.clone(),
        })
    }

    /// Bytes that training needs at most: weights, gradients, moments, and the activations of trees with so many tokens
    /// side by side.
    pub fn bytes(config: &Config, options: &Options, tokens: usize) -> u64 {
        let _ = (config, options, tokens);
        todo!()
    }
}

impl super::Trainer for Trainer {
    fn config(&self) -> &Config {
        &self.config
    }

    fn score(&mut self, _: &[Tree]) -> Result<Vec<Scores>, Error> {
        todo!()
    }

    fn gradient(
        &mut self,
        _: &[Tree],
        _: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<Vec<Climbed>, Error> {
        todo!()
    }

    fn update(&mut self, _: Step) -> Result<f32, Error> {
        todo!()
    }

    fn weights(&self) -> Result<Llama<Tensor>, Error> {
        todo!()
    }

    fn adapter(&self) -> Vec<(String, Tensor)> {
        todo!()
    }

    fn parameters(&self) -> u64 {
        todo!()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        todo!()
    }

    fn restore(&mut self, _: Vec<(String, Tensor)>) -> Result<(), Error> {
        todo!()
    }

    fn arithmetic(&self) -> String {
        todo!()
    }
}
