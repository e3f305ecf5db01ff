//! Trained tensors and the step that changes them.

use std::path::Path;

use rayon::prelude::*;

use crate::error::{Error, Fault};
use crate::tensor::Tensor;
use crate::train::{Adam, Step};

/// Values that a task updates, or sums up, at a time.
const PART: usize = 1 << 14;

/// A tensor of the model, and what learning needs where it learns.
pub struct Parameter {
    pub name: String,
    /// Rows first; a vector has one row.
    pub shape: Vec<usize>,
    /// Values from row to row: the columns, or more.
    pub stride: usize,
    pub values: Vec<f32>,
    /// None where it does not learn.
    pub learning: Option<Learning>,
    /// Whether weight decay shrinks it.
    pub decays: bool,
}

/// What an update needs of a tensor, laid out as its values are.
pub struct Learning {
    /// Of the objective, since the last update.
    pub gradient: Vec<f32>,
    /// Adam's means of the gradient and of its square.
    pub mean: Vec<f32>,
    pub square: Vec<f32>,
}

impl Parameter {
    /// A tensor whose rows stand `stride` apart.
    pub fn new(name: String, tensor: &Tensor, stride: usize, learns: bool) -> Self {
        let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
        let rows = tensor.data.len() / columns;
        let mut values = vec![0.0; rows * stride];
        for (to, from) in values
            .chunks_exact_mut(stride)
            .zip(tensor.data.chunks_exact(columns))
        {
            to[..columns].copy_from_slice(from);
        }
        let zeros = || vec![0.0; rows * stride];
        Self {
            name,
            shape: tensor.shape.clone(),
            stride,
            learning: learns.then(|| Learning {
                gradient: zeros(),
                mean: zeros(),
                square: zeros(),
            }),
            values,
            decays: false,
        }
    }

    /// Gives it more rows, of 0, that are none of the tensor's.
    pub fn pad_rows(&mut self, rows: usize) {
        let len = rows * self.stride;
        self.values.resize(len, 0.0);
        if let Some(learning) = &mut self.learning {
            for values in [
                &mut learning.gradient,
                &mut learning.mean,
                &mut learning.square,
            ] {
                values.resize(len, 0.0);
            }
        }
    }

    fn rows(&self) -> usize {
        self.shape.iter().product::<usize>() / self.columns()
    }

    fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1).max(1)
    }

    /// Values laid out as these are, as a tensor.
    pub fn tensor(&self, values: &[f32]) -> Tensor {
        let columns = self.columns();
        let rows = values.chunks_exact(self.stride).take(self.rows());
        Tensor {
            shape: self.shape.clone(),
            data: rows.flat_map(|row| &row[..columns]).copied().collect(),
        }
    }

    /// Takes a tensor's values back into a layout like this.
    pub fn lay(&self, tensor: &Tensor, values: &mut [f32]) {
        let columns = self.columns();
        let rows = values.chunks_exact_mut(self.stride);
        for (to, from) in rows.zip(tensor.data.chunks_exact(columns)) {
            to[..columns].copy_from_slice(from);
        }
    }
}

/// The global norm of the gathered gradient.
fn norm(parameters: &[Parameter]) -> f64 {
    let learning = parameters.iter().filter_map(|p| p.learning.as_ref());
    let squares = learning.map(|learning| {
        let parts = learning.gradient.par_chunks(PART).map(|part| {
            let parts = part.chunks(64).map(squares);
            parts.map(f64::from).sum::<f64>()
        });
        // In order, whoever computed them.
        parts.collect::<Vec<_>>().into_iter().sum::<f64>()
    });
    squares.sum::<f64>().sqrt()
}

crate::cpu::fast! {
    fn squares(x: &[f32]) -> f32 {
        crate::cpu::sum(x, |v| v * v)
    }
}

/// One step of AdamW (Loshchilov and Hutter 2019) up the gradient, the `count`-th counted from 1. Returns the gradient's norm.
///
/// # Errors
/// `Error::Numbers` for a gradient that is no number; it is dropped then, and nothing else is changed.
pub fn update(
    parameters: &mut [Parameter],
    adam: Adam,
    step: Step,
    count: u64,
) -> Result<f32, Error> {
    let norm = norm(parameters);
    if !norm.is_finite() {
        for parameter in parameters {
            if let Some(learning) = &mut parameter.learning {
                learning.gradient.fill(0.0);
            }
        }
        return Err(Error::Numbers(Fault::new(
            Path::new("the model"),
            "the gradient",
            "is infinite or no number",
            "lower the learning rate, or begin again from weights that are finite",
        )));
    }
    let factor = match norm > f64::from(step.clip) {
        true => (f64::from(step.clip) / norm) as f32,
        false => 1.0,
    };
    let power = |beta: f32| 1.0 - libm::pow(f64::from(beta), count as f64);
    let climb = Climb {
        factor,
        adam,
        shrink: 1.0 - step.rate * step.decay,
        size: (f64::from(step.rate) / power(adam.beta1)) as f32,
        root: power(adam.beta2).sqrt() as f32,
    };
    for parameter in parameters {
        let Some(learning) = &mut parameter.learning else {
            continue;
        };
        let climb = match parameter.decays {
            true => climb,
            false => Climb {
                shrink: 1.0,
                ..climb
            },
        };
        (parameter.values.par_chunks_mut(PART))
            .zip(learning.gradient.par_chunks_mut(PART))
            .zip(learning.mean.par_chunks_mut(PART))
            .zip(learning.square.par_chunks_mut(PART))
            .for_each(|(((values, gradient), mean), square)| {
                climbed(values, gradient, mean, square, climb);
            });
    }
    Ok(norm as f32)
}

/// The numbers of a step.
#[derive(Clone, Copy)]
struct Climb {
    /// What the gradient is scaled by, so that it is not longer than it may be.
    factor: f32,
    adam: Adam,
    shrink: f32,
    size: f32,
    root: f32,
}

crate::cpu::fast! {
    fn climbed(
        values: &mut [f32],
        gradient: &mut [f32],
        mean: &mut [f32],
        square: &mut [f32],
        climb: Climb,
    ) {
        let Climb { factor, adam, shrink, size, root } = climb;
        let all = values.iter_mut().zip(gradient).zip(mean).zip(square);
        for (((value, gradient), mean), square) in all {
            let g = *gradient * factor;
            *gradient = 0.0;
            *mean = adam.beta1 * *mean + (1.0 - adam.beta1) * g;
            *square = adam.beta2 * *square + (1.0 - adam.beta2) * g * g;
            *value = *value * shrink + size * *mean / (square.sqrt() / root + adam.epsilon);
        }
    }
}
