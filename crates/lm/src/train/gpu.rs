//! The trainer on tensors of Burn, for GPUs; with the feature `flex` on the processor too, where [`super::cpu`] is faster.
//!
//! Gradients are Burn's. All is computed in f32, whatever [`Options::bf16`] says. Trees are taken side by side, padded to
//! the longest; unlike on the processor, the last bits of scores and gradients may depend on which trees those are.

use std::path::Path;

use burn::Tensor as Held;
use burn::tensor::{Device, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::tree::check;
use super::{Climbed, Learns, Options, Scores, Step, Tree, lora};
use crate::config::Config;
use crate::error::{Error, Fault};
use crate::gpu::parts;
use crate::llama::Llama;
use crate::tensor::{Tensor, Weight};
use batch::{Batch, places};
use learned::{Learned, norm, upload};
use model::{Model, Outputs, Part};

mod batch;
mod learned;
mod model;
mod state;

/// Places that trees take side by side, padding included; a larger tree is taken alone. What is kept for the way back grows
/// with it.
const PLACES: usize = 4096;

/// A model that learns in the memory of a device.
pub struct Trainer {
    model: Model,
    learned: Vec<Learned>,
    options: Options,
    updates: u32,
    device: Device,
    name: crate::Device,
}

impl Trainer {
    /// Takes a model's weights into the memory of a device other than [`crate::Device::Cpu`].
    ///
    /// # Errors
    /// As [`crate::gpu::Decoder::new`]; `Error::Training` for options that cannot be.
    pub fn new<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        device: crate::Device,
        options: Options,
    ) -> Result<Self, Error> {
        let (name, device) = (device, parts::open(device)?);
        let weights = weights.checked(config, Path::new("the weights"))?;
        let mut adapters = match &options.learns {
            Learns::All => None,
            Learns::Lora(lora) => {
                lora.check()?;
                Some((*lora, ChaCha8Rng::seed_from_u64(lora.seed)))
            }
        };
        let mut learned = Vec::new();
        let parts = weights.try_map(|name, weight| {
            let (shape, values) = (weight.shape().to_vec(), weight.values()?.into_owned());
            let Some((lora, rng)) = &mut adapters else {
                let decays = shape.len() == 2;
                let one = Learned::new(name, &shape, values, &device);
                learned.push(Learned { decays, ..one });
                return Ok(Part::Learned(learned.len() - 1));
            };
            let fixed = upload(&shape, values, &device);
            if !lora::changes(name) {
                return Ok(Part::Fixed(fixed));
            }
            let at = learned.len();
            let [a, b] = lora::names(name);
            let (rank, outputs, inputs) = (lora.rank, shape[0], shape[1]);
            let first = lora.draw(inputs, rng);
            learned.push(Learned::new(&a, &[rank, inputs], first, &device));
            let zeros = vec![0.0; outputs * rank];
            learned.push(Learned::new(&b, &[outputs, rank], zeros, &device));
            Ok::<_, Error>(Part::Changed(fixed, at))
        })?;
        let value = options.values.then(|| {
            let hidden = config.hidden_size;
            let weight = Learned::new(VALUE_WEIGHT, &[1, hidden], vec![0.0; hidden], &device);
            learned.push(weight);
            learned.push(Learned::new(VALUE_BIAS, &[1], vec![0.0], &device));
            learned.len() - 2
        });
        Ok(Self {
            model: Model::new(
                config,
                parts,
                adapters.map_or(1.0, |(lora, _)| lora.scale()),
                value,
                &device,
            ),
            learned,
            options,
            updates: 0,
            device,
            name,
        })
    }

    /// The objective's gradient as gathered since the last update, by the names of [`state`](super::Trainer::state)'s trained
    /// tensors; 0 where nothing was.
    ///
    /// # Errors
    /// It cannot be read from the device.
    pub fn gradients(&self) -> Result<Vec<(String, Tensor)>, Error> {
        let named = self.learned.iter().map(|one| {
            let gradient = one.gradient.clone();
            let gradient = gradient.unwrap_or_else(|| one.value.zeros_like());
            Ok((one.name.clone(), fetched(&one.shape, gradient)?))
        });
        named.collect()
    }

    /// Numbers of successive trees that are taken side by side.
    fn groups(&self, trees: &[Tree]) -> Result<Vec<std::ops::Range<usize>>, Error> {
        let config = &self.model.config;
        let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
        let mut longest = 0;
        for (number, tree) in trees.iter().enumerate() {
            check(number, tree, config)?;
            longest = longest.max(places(tree, config));
            match groups.last_mut() {
                Some(group) if (group.len() + 1) * longest <= PLACES => group.end += 1,
                _ => {
                    longest = places(tree, config);
                    groups.push(number..number + 1);
                }
            }
        }
        Ok(groups)
    }

    /// The vectors of all prefixes, one below the other.
    fn prefix(&self, trees: &[Tree]) -> Option<Held<2>> {
        let all: Vec<f32> = trees.iter().flat_map(|tree| tree.prefix.clone()).collect();
        let hidden = self.model.config.hidden_size;
        let data = TensorData::new(all.clone(), [all.len() / hidden, hidden]);
        (!all.is_empty()).then(|| Held::from_data(data, &self.device))
    }

    /// Adds the gradient of one group; `first` is the number of its first tree.
    fn gather(
        &mut self,
        first: usize,
        trees: &[Tree],
        weigh: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<Vec<Climbed>, Error> {
        let batch = Batch::new(trees, &self.model.config, &self.device);
        let values = self.learned.iter().map(|one| one.value.clone());
        let leaves: Vec<Held<2>> = values
            .map(|value| value.autodiff().require_grad())
            .collect();
        let prefix = self.prefix(trees);
        let prefix = prefix.map(|vectors| vectors.autodiff().require_grad());
        let outputs = self.model.forward(&leaves, &batch, prefix.clone());
        let scores = scores(&outputs, &batch.chosen)?;
        let mut weights = Scores::default();
        for (at, scores) in scores.iter().enumerate() {
            let given = weigh(first + at, scores);
            let wanted = [scores.log_probs.len(), scores.values.len()];
            let found = [given.log_probs.len(), given.values.len()];
            if found != wanted {
                return Err(Error::Training(Fault::new(
                    Path::new("the trainer"),
                    format!("the weights of tree {}", first + at),
                    "are not as many as its scores",
                    "give one for each chosen token, and one for each value",
                )));
            }
            weights.log_probs.extend(given.log_probs);
            weights.values.extend(given.values);
        }
        let mut vectors = vec![0.0; trees.iter().map(|tree| tree.prefix.len()).sum()];
        if !weights.log_probs.is_empty() {
            let column = |weights: Vec<f32>| upload(&[weights.len(), 1], weights, &self.device);
            let mut objective = (outputs.log_probs * column(weights.log_probs)).sum();
            if let Some(values) = outputs.values {
                objective = objective + (values * column(weights.values)).sum();
            }
            let mut gradients = objective.backward();
            for (one, leaf) in self.learned.iter_mut().zip(&leaves) {
                if let Some(gradient) = leaf.grad_remove(&mut gradients) {
                    one.gather(gradient);
                }
            }
            let prefix = prefix.and_then(|leaf| leaf.grad_remove(&mut gradients));
            if let Some(gradient) = prefix {
                vectors = read(gradient)?;
            }
        }
        let mut vectors = vectors.into_iter();
        let climbed = scores.into_iter().zip(trees).map(|(scores, tree)| Climbed {
            scores,
            prefix: vectors.by_ref().take(tree.prefix.len()).collect(),
        });
        Ok(climbed.collect())
    }
}

/// The value head's tensors, `[1, hidden_size]` and `[1]`.
const VALUE_WEIGHT: &str = "value_head.weight";
const VALUE_BIAS: &str = "value_head.bias";

/// Brings a tensor's values to the host.
///
/// # Errors
/// `Error::Training` where the device could not compute them.
fn read<const D: usize>(tensor: Held<D>) -> Result<Vec<f32>, Error> {
    tensor.try_into_vec_as::<f32>().map_err(|error| {
        let mend = "give shorter texts, or choose another device";
        let problem = format!("failed: {error}");
        Error::Training(Fault::new(
            Path::new("the device"),
            "its work",
            problem,
            mend,
        ))
    })
}

/// The same, with its shape in files.
fn fetched(shape: &[usize], tensor: Held<2>) -> Result<Tensor, Error> {
    Ok(Tensor {
        shape: shape.to_vec(),
        data: read(tensor)?,
    })
}

/// A model that has left the numbers.
fn no_numbers(field: &str) -> Error {
    Error::Numbers(Fault::new(
        Path::new("training"),
        field,
        "are infinite or no numbers",
        "go back to a checkpoint and take a lower learning rate",
    ))
}

/// Brings what a batch gave to the host, tree by tree.
fn scores(outputs: &Outputs, chosen: &[usize]) -> Result<Vec<Scores>, Error> {
    if chosen.iter().all(|count| *count == 0) {
        return Ok(vec![Scores::default(); chosen.len()]);
    }
    let finite = |tensor: &Held<2>, field| {
        let values = read(tensor.clone().without_autodiff())?;
        let all = values.iter().all(|value| value.is_finite());
        all.then_some(values).ok_or_else(|| no_numbers(field))
    };
    let log_probs = finite(&outputs.log_probs, "log-probabilities")?;
    let values = outputs.values.as_ref();
    let values = values.map(|values| finite(values, "values")).transpose()?;
    let (mut log_probs, mut values) = (log_probs.into_iter(), values.map(Vec::into_iter));
    let scores = chosen.iter().map(|count| Scores {
        log_probs: log_probs.by_ref().take(*count).collect(),
        values: values
            .as_mut()
            .map_or_else(Vec::new, |values| values.take(*count).collect()),
    });
    Ok(scores.collect())
}

impl super::Trainer for Trainer {
    fn config(&self) -> &Config {
        &self.model.config
    }

    fn score(&mut self, trees: &[Tree]) -> Result<Vec<Scores>, Error> {
        let values = self.learned.iter().map(|one| one.value.clone());
        let learned: Vec<Held<2>> = values.collect();
        let mut all = Vec::new();
        for group in self.groups(trees)? {
            let trees = &trees[group];
            let batch = Batch::new(trees, &self.model.config, &self.device);
            let outputs = self.model.forward(&learned, &batch, self.prefix(trees));
            all.extend(scores(&outputs, &batch.chosen)?);
        }
        Ok(all)
    }

    fn gradient(
        &mut self,
        trees: &[Tree],
        weigh: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<Vec<Climbed>, Error> {
        let mut all = Vec::new();
        for group in self.groups(trees)? {
            all.extend(self.gather(group.start, &trees[group], weigh)?);
        }
        Ok(all)
    }

    fn update(&mut self, step: Step) -> Result<f32, Error> {
        let norm = norm(&self.learned)?;
        if !norm.is_finite() {
            return Err(no_numbers("gradients"));
        }
        let scale = if norm > step.clip {
            step.clip / norm
        } else {
            1.0
        };
        self.updates += 1;
        for one in &mut self.learned {
            one.climb(scale, step, self.options.adam, self.updates);
        }
        Ok(norm)
    }

    fn weights(&self) -> Result<Llama<Tensor>, Error> {
        let (model, learned) = (&self.model, &self.learned);
        let mut shapes = Llama::shapes(&model.config).into_iter();
        (model.parts.as_ref()).try_map(|_, part| {
            let (_, shape) = shapes.next().unwrap_or_default();
            let tensor = match part {
                Part::Learned(at) => learned[*at].value.clone(),
                Part::Fixed(tensor) => tensor.clone(),
                Part::Changed(tensor, at) => {
                    let [a, b] = [at, &(at + 1)].map(|at| learned[*at].value.clone());
                    tensor.clone() + b.matmul(a) * model.scale
                }
            };
            fetched(&shape, tensor)
        })
    }

    fn adapter(&self) -> Vec<(String, Tensor)> {
        self.low_rank()
    }

    fn parameters(&self) -> u64 {
        let sizes = self.learned.iter().map(|one| &one.shape);
        sizes
            .map(|shape| shape.iter().map(|n| *n as u64).product::<u64>())
            .sum()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.all_state()
    }

    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), Error> {
        self.take_state(state)
    }

    fn arithmetic(&self) -> String {
        self.name.to_string()
    }
}
