//! A linear layer: its weights packed for both directions, with a low-rank change where that is what learns.

use rayon::prelude::*;

use super::buffer::{Buffer, Plain};
use super::number::{Number, SLAB};
use super::product::{Left, Results, Right, multiply, pack_transposed, transposed_len};

/// A matrix `[out, in]`, packed for products with it and with its transpose.
pub struct Packed<E> {
    pub outputs: usize,
    pub inputs: usize,
    /// For `x W^T`: slabs of outputs.
    forward: Buffer<E>,
    /// For `y W`: slabs of inputs.
    backward: Buffer<E>,
}

impl<E: Number + Plain> Packed<E> {
    /// Room for a matrix; both sides are filled up to whole slabs with 0.
    pub fn new(outputs: usize, inputs: usize) -> Self {
        let groups = outputs.next_multiple_of(E::GROUP);
        Self {
            outputs,
            inputs,
            forward: Buffer::new(transposed_len(outputs, inputs)),
            backward: Buffer::new(transposed_len(inputs, groups)),
        }
    }

    /// Takes a matrix's values, of rows `stride` apart.
    pub fn pack(&mut self, values: &[f32], stride: usize) {
        let (outputs, inputs) = (self.outputs, self.inputs);
        let slab = SLAB * inputs;
        let forward = self.forward.all_mut().par_chunks_mut(slab);
        forward.enumerate().for_each(|(index, out)| {
            let first = index * SLAB;
            let count = SLAB.min(outputs - first);
            let mut rows = vec![E::default(); count * inputs];
            for (row, out) in rows.chunks_exact_mut(inputs).enumerate() {
                E::narrow(&values[(first + row) * stride..][..inputs], out);
            }
            pack_transposed(&rows, inputs, inputs, count, out);
        });
        // Here the groups are of successive outputs, as columns stand.
        let groups = outputs.div_ceil(E::GROUP);
        let slab = groups * SLAB * E::GROUP;
        let backward = self.backward.all_mut().par_chunks_mut(slab);
        backward.enumerate().for_each(|(index, out)| {
            let first = index * SLAB;
            let width = SLAB.min(inputs - first);
            let mut row = [E::default(); SLAB];
            for (group, out) in out.chunks_exact_mut(SLAB * E::GROUP).enumerate() {
                for part in 0..E::GROUP {
                    let output = group * E::GROUP + part;
                    row.fill(E::default());
                    if output < outputs {
                        let values = &values[output * stride + first..][..width];
                        E::narrow(values, &mut row[..width]);
                    }
                    for (column, number) in row.iter().enumerate() {
                        out[column * E::GROUP + part] = *number;
                    }
                }
            }
        });
    }

    /// `y = x W^T`, or added; rows of `x` and `y` so far apart. Only whole panels of outputs are written.
    pub fn apply(&self, rows: usize, x: &[E], stride: usize, y: &mut Results<'_>, add: bool) {
        let groups = self.inputs / E::GROUP;
        let right = Right::slabs(self.forward.all(), groups);
        let shape = (
            rows,
            self.outputs.next_multiple_of(super::number::PANEL),
            groups,
        );
        multiply(shape, Left::rows(x, stride), right, y, add);
    }

    /// Some of the outputs alone, whole slabs from `first` on.
    pub fn apply_part(
        &self,
        rows: usize,
        x: &[E],
        (first, count): (usize, usize),
        y: &mut Results<'_>,
    ) {
        let groups = self.inputs / E::GROUP;
        let slabs = &self.forward.all()[first * self.inputs..];
        let shape = (rows, count.next_multiple_of(super::number::PANEL), groups);
        multiply(
            shape,
            Left::rows(x, self.inputs),
            Right::slabs(slabs, groups),
            y,
            false,
        );
    }

    /// The slab of inputs of that number, for `y W`.
    pub fn backward_slab(&self, slab: usize) -> &[E] {
        let len = self.outputs.next_multiple_of(E::GROUP) * SLAB;
        &self.backward.all()[slab * len..][..len]
    }

    /// `x = y W`, or added; rows of `y` so far apart.
    pub fn apply_back(&self, rows: usize, y: &[E], stride: usize, x: &mut Results<'_>, add: bool) {
        let groups = self.outputs.div_ceil(E::GROUP);
        let right = Right::slabs(self.backward.all(), groups);
        multiply(
            (rows, self.inputs, groups),
            Left::rows(y, stride),
            right,
            x,
            add,
        );
    }
}

/// The gradient of a matrix: adds `dy^T x` over all rows, both interleaved, to the values, of rows `stride` apart. `dy`
/// begins at the first output.
pub fn add_outer<E: Number>(
    (outputs, inputs, rows): (usize, usize, usize),
    dy: Left<'_, E>,
    x: Right<'_, E>,
    gradient: &mut [f32],
    stride: usize,
) {
    /// Outputs of a task, and groups that are read before the next outputs are.
    const OUTPUTS: usize = 48;
    const GROUPS: usize = 256;
    let groups = rows / E::GROUP;
    let parts = gradient.par_chunks_mut(OUTPUTS * stride).with_max_len(1);
    parts.enumerate().for_each(|(index, gradient)| {
        let first = index * OUTPUTS;
        if first >= outputs {
            return;
        }
        let count = OUTPUTS.min(outputs - first);
        for column in (0..inputs).step_by(SLAB) {
            let width = SLAB.min(inputs - column);
            for from in (0..groups).step_by(GROUPS) {
                let left = Left {
                    data: &dy.data[from * dy.group + first * dy.row..],
                    ..dy
                };
                let right = Right {
                    data: &x.data[from * x.group + column / SLAB * x.slab..],
                    ..x
                };
                let shape = (count, width, GROUPS.min(groups - from));
                let mut results = Results::new(&mut gradient[column..], stride);
                multiply(shape, left, right, &mut results, true);
            }
        }
    });
}
