//! A weight matrix and its product with rows of activations, spread over threads by output channels where it is large.

use rayon::prelude::*;

use super::columns::Columns;
use super::float::{Panels, Rows, product};
use super::int8::{Activations, PANEL, Weights};
use super::memory::{Memory, Piece};

/// How the weights of the linear layers are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: exact, four times as large, half as fast.
    F32,
    /// 8 bits in blocks of 32 with a scale each, as GGUF's Q8_0; activations are rounded alike.
    Int8,
}

/// Multiplications that a task has at least.
const GRAIN: usize = 1 << 21;
/// Rows that take as long as the weights take to come from memory.
const FEW: usize = 8;

/// Panels of floats computed together.
const STRIP: usize = 4;

/// A matrix of `outputs` x `inputs`.
pub struct Linear {
    outputs: usize,
    inputs: usize,
    form: Form,
}

enum Form {
    /// Panels of 16 outputs, within them input by input.
    Float(Piece<f32>),
    Int8(Weights),
}

impl Linear {
    /// Packs row-major weights, one row per output.
    pub fn new(weights: &[f32], outputs: usize, precision: Precision, memory: &Memory) -> Self {
        let inputs = weights.len() / outputs;
        let form = match precision {
            Precision::Int8 => Form::Int8(Weights::new(weights, outputs, inputs, memory)),
            Precision::F32 => {
                let mut packed = vec![0.0; outputs.div_ceil(PANEL) * PANEL * inputs];
                for (output, row) in weights.chunks_exact(inputs).enumerate() {
                    let panel = &mut packed[output / PANEL * PANEL * inputs..];
                    for (slot, weight) in panel[output % PANEL..].iter_mut().step_by(PANEL).zip(row)
                    {
                        *slot = *weight;
                    }
                }
                Form::Float(memory.keep(&packed))
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
    pub fn row(&self, output: usize, out: &mut [f32]) {
        match &self.form {
            Form::Float(packed) => {
                let panel = &packed[output / PANEL * PANEL * self.inputs..];
                let values = panel[output % PANEL..].iter().step_by(PANEL);
                for (out, value) in out.iter_mut().zip(values) {
                    *out = *value;
                }
            }
            Form::Int8(weights) => weights.row(output, out),
        }
    }

    /// `x w^T` for rows of `inputs` values; each of the rows `out` gets all its [`Linear::width`] values.
    pub fn apply(&self, x: &[f32], rounded: &mut Activations, columns: &mut Columns<'_>) {
        // Nobody else writes there meanwhile; the chunks below have panels of their own.
        let columns = &*columns;
        let rows = columns.rows();
        assert_eq!(x.len(), rows * self.inputs);
        if rows == 0 {
            return;
        }
        let panels = self.width() / PANEL;
        let share = GRAIN.div_ceil(self.inputs * PANEL * rows.max(FEW)).max(2);
        let chunks = (0..panels.div_ceil(share)).into_par_iter();
        let chunk = |index: usize| index * share..((index + 1) * share).min(panels);
        match &self.form {
            Form::Int8(weights) => {
                rounded.fill(x, self.inputs);
                chunks.for_each(|index| {
                    // SAFETY: the columns are borrowed for writing here alone, and no panel is in two chunks.
                    unsafe { weights.product(rounded, chunk(index), columns) }
                });
            }
            Form::Float(packed) => chunks.for_each_init(
                || vec![0.0; rows * STRIP * PANEL],
                |tile, index| {
                    for first in chunk(index).step_by(STRIP) {
                        let panels = STRIP.min(chunk(index).end - first);
                        let x = Rows {
                            data: x,
                            stride: self.inputs,
                        };
                        let weights = Panels {
                            data: &packed[first * PANEL * self.inputs..],
                            row: PANEL,
                            panel: PANEL * self.inputs,
                        };
                        let size = (rows, self.inputs, panels);
                        product(x, weights, tile, STRIP * PANEL, size, false);
                        for (row, values) in tile.chunks_exact(STRIP * PANEL).enumerate() {
                            let values = &values[..panels * PANEL];
                            // SAFETY: the columns are borrowed for writing here alone, and no panel is in two chunks.
                            unsafe { columns.put(row, first * PANEL, values) };
                        }
                    }
                },
            ),
        }
    }
}
