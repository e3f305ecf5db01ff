//! A model ready to write, wherever it computes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edit::guide::Guide;

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::cpu::{self, Precision};
use crate::device::Device;
use crate::draw::Sampling;
use crate::engine::Engine;
use crate::error::Error;
use crate::generate::{Generator, Limits, Task, Written};
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::llama::Llama;
use crate::tensor::Weight;
use crate::tokenizer::Tokenizer;

/// A model that writes on a device, with threads of its own.
pub struct Writer {
    generator: AnyGenerator,
    /// The model's, for messages.
    path: PathBuf,
    device: Device,
    precision: Precision,
    threads: rayon::ThreadPool,
}

enum AnyGenerator {
    Cpu(Box<Generator<cpu::Decoder>>),
    #[cfg(feature = "gpu")]
    Gpu(Box<Generator<gpu::Decoder>>),
}

/// Runs the same on whichever generator there is.
macro_rules! any {
    ($writer:expr, $generator:ident => $result:expr) => {
        match $writer {
            AnyGenerator::Cpu($generator) => $result,
            #[cfg(feature = "gpu")]
            AnyGenerator::Gpu($generator) => $result,
        }
    };
}

impl Writer {
    /// Reads a model's weights into a device's memory. `precision` counts on the cpu only; other devices hold 32-bit
    /// weights. `threads` is how many compute (on the cpu) and choose tokens, 0 for one a core.
    ///
    /// # Errors
    /// `Error::Device` if the build or the machine lacks the device, `Error::Threads`, `Error::Tensor`, or
    /// `Error::Unsupported` for a width that the device's kernels cannot do.
    pub fn load(
        checkpoint: Checkpoint,
        device: Device,
        precision: Precision,
        limits: Limits,
        threads: usize,
    ) -> Result<Self, Error> {
        device.check()?;
        let path = checkpoint.path().to_owned();
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("model {index}"))
            .build()
            .map_err(|cause| Error::Threads { threads, cause })?;
        let generator = match device {
            #[cfg(feature = "gpu")]
            device if device != Device::Cpu => {
                let decoder = gpu::Decoder::load(&checkpoint, device)?;
                let tokenizer = Arc::new(checkpoint.tokenizer);
                AnyGenerator::Gpu(Box::new(Generator::new(decoder, tokenizer, limits)))
            }
            _ => {
                let decoder = threads.install(|| cpu::Decoder::load(&checkpoint, precision))?;
                let tokenizer = Arc::new(checkpoint.tokenizer);
                AnyGenerator::Cpu(Box::new(Generator::new(decoder, tokenizer, limits)))
            }
        };
        Ok(Self {
            generator,
            path,
            device,
            precision,
            threads,
        })
    }

    /// Takes another checkpoint's weights, of the same configuration, to the same device at the same precision. The
    /// tokenizer and the limits stay; beginnings are read again. See [`Generator::swap`].
    ///
    /// # Errors
    /// `Error::Config` for another configuration, and as [`Self::load`]; the old weights stay then.
    pub fn swap(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let path = checkpoint.path();
        self.swap_for(&checkpoint.config, &checkpoint.weights()?, path)?;
        self.path = path.to_owned();
        Ok(())
    }

    /// As [`Self::swap`], with weights from wherever they lie, of the configuration in use.
    ///
    /// # Errors
    /// `Error::Tensor` for weights of another configuration; the old ones stay then.
    pub fn swap_weights<W: Weight + Sync>(&mut self, weights: &Llama<W>) -> Result<(), Error> {
        let path = Path::new("the new weights");
        self.swap_for(&self.config().clone(), weights, path)?;
        self.path = path.to_owned();
        Ok(())
    }

    fn swap_for<W: Weight + Sync>(
        &mut self,
        config: &Config,
        weights: &Llama<W>,
        path: &Path,
    ) -> Result<(), Error> {
        match &mut self.generator {
            AnyGenerator::Cpu(generator) => {
                let load = || cpu::Decoder::read_from(config, weights, self.precision, path);
                generator.swap(self.threads.install(load)?)
            }
            #[cfg(feature = "gpu")]
            AnyGenerator::Gpu(generator) => {
                generator.swap(gpu::Decoder::read_from(config, weights, self.device, path)?)
            }
        }
    }

    /// Writes all texts, as [`Generator::write`]. A thread of another pool that waits here may take up other work of
    /// that pool meanwhile.
    ///
    /// # Errors
    /// As [`Generator::write_each`].
    pub fn write<G: Guide>(
        &mut self,
        tasks: Vec<Task<G>>,
        sampling: Sampling,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Written<G>>, Error> {
        let generator = &mut self.generator;
        self.threads
            .install(|| any!(generator, generator => generator.write(tasks, sampling, stopped)))
            .map_err(|error| error.of(&self.path))
    }

    /// Writes all texts and hands each to `done` as soon as it ends, as [`Generator::write_each`].
    ///
    /// # Errors
    /// As [`Generator::write_each`].
    pub fn write_each<G: Guide>(
        &mut self,
        tasks: Vec<Task<G>>,
        sampling: Sampling,
        stopped: &(dyn Fn() -> bool + Sync),
        done: &mut (dyn FnMut(usize, Written<G>) -> Option<Task<G>> + Send),
    ) -> Result<(), Error> {
        let generator = &mut self.generator;
        self.threads
            .install(
                || any!(generator, generator => generator.write_each(tasks, sampling, stopped, done)),
            )
            .map_err(|error| error.of(&self.path))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        any!(&self.generator, generator => generator.tokenizer())
    }

    /// The model's configuration.
    pub fn config(&self) -> &Config {
        any!(&self.generator, generator => generator.engine().config())
    }

    /// Tokens that the model can read and write in one text.
    pub fn context(&self) -> usize {
        self.config().max_position_embeddings
    }

    /// Bytes of the weights in the device's memory.
    pub fn bytes(&self) -> usize {
        any!(&self.generator, generator => generator.engine().bytes())
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.device
    }
}
