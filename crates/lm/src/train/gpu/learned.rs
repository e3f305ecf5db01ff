//! Tensors that learn: their gradients, Adam's means, and one step of it.

use burn::Tensor;
use burn::tensor::{Device, TensorData};

use super::read;
use crate::train::{Adam, Step};

/// A tensor that learns.
pub struct Learned {
    pub name: String,
    /// As in the model's files; on the device a vector is `[1, size]`.
    pub shape: Vec<usize>,
    /// Whether it is a matrix of the model, which decays.
    pub decays: bool,
    pub value: Tensor<2>,
    /// What was gathered since the last update.
    pub gradient: Option<Tensor<2>>,
    /// Adam's mean of the gradient.
    pub mean: Tensor<2>,
    /// Adam's mean of the gradient's square.
    pub square: Tensor<2>,
}

/// A tensor on the device.
pub fn upload(shape: &[usize], values: Vec<f32>, device: &Device) -> Tensor<2> {
    let width = shape.last().copied().unwrap_or(1);
    let data = TensorData::new(values, [shape.iter().product::<usize>() / width, width]);
    Tensor::from_data(data, device)
}

impl Learned {
    pub fn new(name: &str, shape: &[usize], values: Vec<f32>, device: &Device) -> Self {
        let value = upload(shape, values, device);
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            decays: false,
            mean: value.zeros_like(),
            square: value.zeros_like(),
            gradient: None,
            value,
        }
    }

    /// Adds to the gradient.
    pub fn gather(&mut self, gradient: Tensor<2>) {
        self.gradient = Some(match self.gradient.take() {
            Some(gathered) => gathered + gradient,
            None => gradient,
        });
    }

    /// A step of AdamW (Loshchilov and Hutter 2019) up the gradient times `scale`; `updates` counts with this one.
    pub fn climb(&mut self, scale: f32, step: Step, adam: Adam, updates: u32) {
        let gradient = match self.gradient.take() {
            Some(gradient) => gradient * scale,
            None => self.value.zeros_like(),
        };
        let Adam {
            beta1,
            beta2,
            epsilon,
        } = adam;
        // Means begin as 0: what that takes from them is given back.
        let missing = |beta: f32| 1.0 - libm::pow(beta.into(), updates.into());
        let [missing1, missing2] = [missing(beta1), missing(beta2)];
        self.mean
            .inplace(|mean| mean * beta1 + gradient.clone() * (1.0 - beta1));
        self.square
            .inplace(|square| square * beta2 + gradient.square() * (1.0 - beta2));
        let root = (self.square.clone() / missing2).sqrt() + epsilon;
        let change = self.mean.clone() / root * (f64::from(step.rate) / missing1);
        let decay = if self.decays { step.decay } else { 0.0 };
        self.value
            .inplace(|value| value * (1.0 - step.rate * decay) + change);
    }
}

/// The global norm of what is gathered.
///
/// # Errors
/// As [`read`].
pub fn norm(learned: &[Learned]) -> Result<f32, crate::Error> {
    let gathered = learned.iter().filter_map(|one| one.gradient.clone());
    let squares: Vec<Tensor<1>> = gathered.map(|one| one.square().sum()).collect();
    if squares.is_empty() {
        return Ok(0.0);
    }
    let squares = read(Tensor::cat(squares, 0))?;
    let sum: f64 = squares.into_iter().map(f64::from).sum();
    Ok(sum.sqrt() as f32)
}
