//! A weight matrix and its product with rows of activations, spread over threads by output channels.

use rayon::prelude::*;

use super::columns::Columns;
use super::float::{Rows, TILE, product};
use super::int8::{Activations, PANEL, Weights};

/// How the weights of the linear layers are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: exact, four times as large, half as fast.
    F32,
    /// 8 bits in blocks of 32 with a scale each, as GGUF's Q8_0; activations are rounded alike.
    Int8,
}

/// A matrix of `outputs` x `inputs`.
pub struct Linear {
    outputs: usize,
    inputs: usize,
    form: Form,
}

enum Form {
    /// Panels of 16 outputs, within them input by input.
    Float(Vec<f32>),
    Int8(Weights),
}

impl Linear {
    /// Packs row-major weights, one row per output.
    pub fn new(weights: &[f32], outputs: usize, precision: Precision) -> Self {
        let inputs = weights.len() / outputs;
        let form = match precision {
            Precision::Int8 => Form::Int8(Weights::new(weights, outputs, inputs)),
            Precision::F32 => {
                let mut packed = vec![0.0; outputs.div_ceil(TILE) * TILE * inputs];
                for (output, row) in weights.chunks_exact(inputs).enumerate() {
                    let panel = &mut packed[output / TILE * TILE * inputs..];
                    for (slot, weight) in panel[output % TILE..].iter_mut().step_by(TILE).zip(row) {
                        *slot = *weight;
                    }
                }
                Form::Float(packed)
            }
        };
        Self {
            outputs,
            inputs,
            form,
        }
    }

    /// Width of a row of results: the outputs, filled up to whole panels.
    pub fn width(&self) -> usize {
        self.outputs.div_ceil(PANEL) * PANEL
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        match &self.form {
            Form::Float(panels) => 4 * panels.len(),
            Form::Int8(weights) => weights.bytes(),
        }
    }

    /// One output's weights: the embedding of a token, where the matrix is tied.
    pub fn row(&self, output: usize) -> Vec<f32> {
        match &self.form {
            Form::Float(packed) => {
                let panel = &packed[output / TILE * TILE * self.inputs..];
                panel[output % TILE..]
                    .iter()
                    .step_by(TILE)
                    .take(self.inputs)
                    .copied()
                    .collect()
            }
            Form::Int8(weights) => weights.row(output, self.inputs),
        }
    }

    /// `x w^T` for rows of `inputs` values; rows of [`Linear::width`] values.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let mut out = vec![0.0; rows * self.width()];
        let panels = self.width() / PANEL;
        let share = panels.div_ceil(4 * rayon::current_num_threads());
        let columns = Columns::new(&mut out, self.width());
        let chunks = (0..panels.div_ceil(share)).into_par_iter();
        let chunk = |index: usize| index * share..((index + 1) * share).min(panels);
        match &self.form {
            Form::Int8(weights) => {
                let x = Activations::new(x, self.inputs);
                chunks.for_each(|index| weights.product(&x, rows, chunk(index), &columns));
            }
            Form::Float(packed) => chunks.for_each(|index| {
                let mut tile = vec![0.0; rows * TILE];
                for panel in chunk(index) {
                    let weights = &packed[panel * TILE * self.inputs..];
                    let x = Rows {
                        data: x,
                        stride: self.inputs,
                    };
                    let weights = Rows {
                        data: weights,
                        stride: TILE,
                    };
                    product(
                        x,
                        weights,
                        &mut tile,
                        TILE,
                        (rows, self.inputs, TILE),
                        false,
                    );
                    for (row, values) in tile.chunks_exact(TILE).enumerate() {
                        columns.put(row, panel * TILE, values);
                    }
                }
            }),
        }
        out
    }
}
