//! The trainer on the processor: a forward and a backward pass of our own over trees, side by side.
//!
//! Products are of bf16 numbers where the machine multiplies them (AVX512-BF16) and of f32 elsewhere; sums, norms, the softmax, the
//! loss and the weights themselves are f32. Every sum has one order, which knows nothing of threads, of blocks or of the
//! trees beside a tree: the same trees in the same order give the same bits, however they are spread over calls and threads.

use std::collections::BTreeMap;
use std::path::Path;

use half::bf16;

use super::{Climbed, Learns, Options, Scores, Step, Tree};
use crate::config::Config;
use crate::error::{Error, Fault};
use crate::llama::Llama;
use crate::tensor::{Tensor, Weight};
use buffer::Plain;
use model::Model;
use number::{Number, has_bf16};
use plan::Plan;

mod attention;
mod backward;
mod buffer;
mod forward;
mod head;
mod linear;
mod model;
mod number;
mod parameter;
mod plan;
mod product;
mod row;
mod tape;

/// Rows that are on their way at a time: trees beyond it wait for the next pass, which changes no bit.
const PASS: usize = 2048;

/// A model that learns on the processor, with the threads of the rayon pool that calls it.
pub struct Trainer(Arithmetic);

enum Arithmetic {
    Bf16(Box<Model<bf16>>),
    F32(Box<Model<f32>>),
}

/// Runs the same with whichever numbers there are.
macro_rules! any {
    ($trainer:expr, $model:ident => $result:expr) => {
        match $trainer {
            Arithmetic::Bf16($model) => $result,
            Arithmetic::F32($model) => $result,
        }
    };
}

impl Trainer {
    /// Takes a model's weights.
    ///
    /// # Errors
    /// `Error::Unsupported` for widths that the kernels cannot do (they take multiples of 16), `Error::Tensor` for weights
    /// of another configuration, `Error::Numbers` for weights that are infinite or no numbers, `Error::Training` for options out of
    /// their range.
    pub fn new<W: Weight>(
        config: &Config,
        weights: &Llama<W>,
        options: Options,
    ) -> Result<Self, Error> {
        Ok(Self(match options.bf16 && has_bf16() {
            true => Arithmetic::Bf16(Box::new(Model::new(config, weights, options)?)),
            false => Arithmetic::F32(Box::new(Model::new(config, weights, options)?)),
        }))
    }

    /// Bytes that training needs at most, with batches of so many tokens: weights, gradients, Adam's means, and what the
    /// tokens on their way keep.
    pub fn bytes(config: &Config, options: &Options, tokens: usize) -> u64 {
        let rows = tokens.min(PASS + config.max_position_embeddings);
        match options.bf16 && has_bf16() {
            true => model::bytes::<bf16>(config, options, rows),
            false => model::bytes::<f32>(config, options, rows),
        }
    }

    /// What is gathered since the last update, by the tensors' names; an adapter's by PEFT's.
    pub fn gradients(&self) -> Vec<(String, Tensor)> {
        any!(&self.0, model => model.gradients())
    }
}

impl super::Trainer for Trainer {
    fn config(&self) -> &Config {
        any!(&self.0, model => &model.config)
    }

    fn score(&mut self, trees: &[Tree]) -> Result<Vec<Scores>, Error> {
        any!(&mut self.0, model => model.score(trees))
    }

    fn gradient(
        &mut self,
        trees: &[Tree],
        weigh: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<Vec<Climbed>, Error> {
        any!(&mut self.0, model => model.gradient(trees, weigh))
    }

    fn update(&mut self, step: Step) -> Result<f32, Error> {
        any!(&mut self.0, model => model.update(step))
    }

    fn weights(&self) -> Result<Llama<Tensor>, Error> {
        Ok(any!(&self.0, model => model.weights()))
    }

    fn adapter(&self) -> Vec<(String, Tensor)> {
        any!(&self.0, model => model.adapter())
    }

    fn parameters(&self) -> u64 {
        any!(&self.0, model => model.trained())
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        any!(&self.0, model => model.state())
    }

    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), Error> {
        any!(&mut self.0, model => model.restore(state))
    }

    fn arithmetic(&self) -> String {
        arithmetic(matches!(self.0, Arithmetic::Bf16(_))).to_owned()
    }
}

/// What a trainer with or without [`Options::bf16`] computes with on this machine, as [`super::Trainer::arithmetic`] says it.
pub fn arithmetic(bf16: bool) -> &'static str {
    match bf16 && has_bf16() {
        true => "cpu bf16",
        false => "cpu f32",
    }
}

/// Something that does not go with the model.
fn fault(field: impl Into<String>, problem: impl Into<String>, mend: &str) -> Error {
    Error::Training(Fault::new(Path::new("the trainer"), field, problem, mend))
}

/// What Adam's means are called.
const KINDS: [&str; 2] = ["adam.mean", "adam.square"];
const UPDATES: &str = "adam.updates";

impl<E: Number + Plain> Model<E> {
    /// Trees that go through the model together: as many as rows have room, at least one.
    fn passes<'a>(&self, trees: &'a [Tree]) -> Vec<(usize, &'a [Tree])> {
        let mut passes = Vec::new();
        let mut from = 0;
        while from < trees.len() {
            let mut rows = 0;
            let fitting = trees[from..].iter().take_while(|tree| {
                rows += tree.len() + tree.prefix.len() / self.config.hidden_size;
                rows <= PASS
            });
            let count = fitting.count().max(1);
            passes.push((from, &trees[from..from + count]));
            from += count;
        }
        passes
    }

    fn score(&mut self, trees: &[Tree]) -> Result<Vec<Scores>, Error> {
        let mut all = Vec::with_capacity(trees.len());
        for (from, trees) in self.passes(trees) {
            let plan = Plan::new(trees, from, &self.config)?;
            self.forward(&plan, trees);
            all.extend(finite(self.predict(&plan), from)?);
        }
        Ok(all)
    }

    fn gradient(
        &mut self,
        trees: &[Tree],
        weigh: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<Vec<Climbed>, Error> {
        // Nothing is added where one cannot be.
        Plan::new(trees, 0, &self.config)?;
        let mut all = Vec::with_capacity(trees.len());
        for (from, trees) in self.passes(trees) {
            let plan = Plan::new(trees, from, &self.config)?;
            self.forward(&plan, trees);
            let scores = finite(self.predict(&plan), from)?;
            let weights: Vec<Scores> = scores
                .iter()
                .enumerate()
                .map(|(at, scores)| weigh(from + at, scores))
                .collect();
            for (at, (weights, scores)) in weights.iter().zip(&scores).enumerate() {
                let lens = |scores: &Scores| (scores.log_probs.len(), scores.values.len());
                if lens(weights) != lens(scores) {
                    return Err(fault(
                        format!("the weights of tree {}", from + at),
                        "are not as many as its scores",
                        "give one for each chosen token, and one for each value",
                    ));
                }
            }
            self.backward(&plan, &weights);
            let hidden = self.config.hidden_size;
            let dx = self.tape.work.dx.all();
            for ((scores, tree), layout) in scores.into_iter().zip(trees).zip(&plan.trees) {
                let start = layout.first * hidden;
                all.push(Climbed {
                    scores,
                    prefix: dx[start..start + tree.prefix.len()].to_vec(),
                });
            }
        }
        Ok(all)
    }

    /// Both parts of a tied embedding's gradient, in one place.
    fn joined(&self, id: usize, gradient: &[f32]) -> Option<Vec<f32>> {
        (id == self.names.embedding && !self.tied.is_empty()).then(|| {
            let mut sum = gradient.to_vec();
            crate::cpu::add(&mut sum, &self.tied);
            sum
        })
    }

    fn gradients(&self) -> Vec<(String, Tensor)> {
        let named = self
            .parameters
            .iter()
            .enumerate()
            .filter_map(|(id, parameter)| {
                let gradient = &parameter.learning.as_ref()?.gradient;
                let joined = self.joined(id, gradient);
                let values = joined.as_ref().unwrap_or(gradient);
                Some((parameter.name.clone(), parameter.tensor(values)))
            });
        named.collect()
    }

    fn update(&mut self, step: Step) -> Result<f32, Error> {
        let embedding = self.names.embedding;
        if let Some(learning) = &mut self.parameters[embedding].learning {
            crate::cpu::add(&mut learning.gradient, &self.tied);
            self.tied.fill(0.0);
        }
        let adam = self.options.adam;
        let norm = parameter::update(&mut self.parameters, adam, step, self.updates + 1)?;
        self.updates += 1;
        self.pack(false);
        Ok(norm)
    }

    fn weights(&self) -> Llama<Tensor> {
        let mut tensors: Vec<Option<Tensor>> = (self.parameters.iter())
            .map(|parameter| Some(parameter.tensor(&parameter.values)))
            .collect();
        for layer in &self.layers {
            for linear in layer.linears() {
                if let (Some(adapter), Some(tensor)) =
                    (&linear.adapter, &mut tensors[linear.weight])
                {
                    let [a, b] = [adapter.a, adapter.b].map(|id| &self.parameters[id]);
                    let inputs = linear.packed.inputs;
                    for (row, b) in tensor
                        .data
                        .chunks_exact_mut(inputs)
                        .zip(b.values.chunks_exact(b.stride))
                    {
                        for (a, b) in a.values.chunks_exact(inputs).zip(b) {
                            row::add_scaled(row, a, adapter.scale * b);
                        }
                    }
                }
            }
        }
        let names = self.names.as_ref();
        names.map(|_, id| tensors[*id].take().expect("each stands once"))
    }

    fn adapter(&self) -> Vec<(String, Tensor)> {
        if self.options.learns == Learns::All {
            return Vec::new();
        }
        let learning = self.parameters.iter().filter(|p| p.name.contains(".lora_"));
        learning
            .map(|parameter| (parameter.name.clone(), parameter.tensor(&parameter.values)))
            .collect()
    }

    fn trained(&self) -> u64 {
        let learning = self.parameters.iter().filter(|p| p.learning.is_some());
        learning
            .map(|parameter| parameter.shape.iter().product::<usize>() as u64)
            .sum()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::new();
        for parameter in &self.parameters {
            let Some(learning) = &parameter.learning else {
                continue;
            };
            let name = &parameter.name;
            state.push((name.clone(), parameter.tensor(&parameter.values)));
            for (kind, values) in KINDS.into_iter().zip([&learning.mean, &learning.square]) {
                state.push((format!("{kind}.{name}"), parameter.tensor(values)));
            }
        }
        // Whole numbers are exact up to 2^24.
        let updates = Tensor {
            shape: vec![1],
            data: vec![self.updates as f32],
        };
        state.push((UPDATES.to_owned(), updates));
        state
    }

    fn restore(&mut self, state: Vec<(String, Tensor)>) -> Result<(), Error> {
        const MEND: &str = "give the state of a training of this model with these options";
        let mut given = BTreeMap::new();
        for (name, tensor) in state {
            if given.contains_key(&name) {
                return Err(fault(
                    format!("{name} of the state"),
                    "is there twice",
                    MEND,
                ));
            }
            given.insert(name, tensor);
        }
        let mut state = given;
        let mut take = |name: &str, shape: &[usize]| {
            let tensor = state
                .remove(name)
                .ok_or_else(|| fault(format!("{name} of the state"), "is missing", MEND))?;
            if tensor.shape != shape || tensor.data.len() != shape.iter().product::<usize>() {
                let problem = format!("is of shape {:?}, not {shape:?}", tensor.shape);
                return Err(fault(format!("{name} of the state"), problem, MEND));
            }
            Ok(tensor)
        };
        let mut all = Vec::new();
        for parameter in self.parameters.iter().filter(|p| p.learning.is_some()) {
            let mut of = |name: &str| take(name, &parameter.shape);
            let name = &parameter.name;
            all.push([
                of(name)?,
                of(&format!("{}.{name}", KINDS[0]))?,
                of(&format!("{}.{name}", KINDS[1]))?,
            ]);
        }
        let updates = take(UPDATES, &[1])?;
        if let Some(name) = state.keys().next() {
            return Err(fault(
                format!("{name} of the state"),
                "is none of this model's",
                MEND,
            ));
        }
        let learning = self.parameters.iter_mut().filter(|p| p.learning.is_some());
        for (parameter, [values, mean, square]) in learning.zip(all) {
            let mut own = std::mem::take(&mut parameter.values);
            parameter.lay(&values, &mut own);
            parameter.values = own;
            let mut learning = parameter.learning.take().expect("it learns");
            parameter.lay(&mean, &mut learning.mean);
            parameter.lay(&square, &mut learning.square);
            learning.gradient.fill(0.0);
            parameter.learning = Some(learning);
        }
        self.tied.fill(0.0);
        self.updates = updates.data[0] as u64;
        self.pack(false);
        Ok(())
    }
}

/// Refuses scores that are no numbers.
fn finite(scores: Vec<Scores>, from: usize) -> Result<Vec<Scores>, Error> {
    let odd = scores.iter().position(|scores| {
        let all = scores.log_probs.iter().chain(&scores.values);
        !all.into_iter().all(|x| x.is_finite())
    });
    let Some(odd) = odd else {
        return Ok(scores);
    };
    Err(Error::Numbers(Fault::new(
        Path::new("the model"),
        format!("the log-probabilities of tree {}", from + odd),
        "are infinite or no numbers",
        "lower the learning rate, or begin again from weights that are finite",
    )))
}
