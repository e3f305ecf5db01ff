//! The backward pass, layer by layer from the last, block by block as forwards. What products with weights need is computed again
//! from what the tape kept; gradients of weights are summed over all rows at once.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, Plain};
use super::forward::numbers;
use super::head::gradient_of;
use super::linear::add_outer;
use super::model::{Linear, Model};
use super::number::Number;
use super::plan::{Plan, Start};
use super::product::{Left, Results, Right, interleave};
use super::row::{add_rows, gate_back, norm_back, scale};
use super::tape::Scratch;
use crate::cpu::room;
use crate::train::Scores;

/// Columns of a sum over rows that a task takes.
const COLUMNS: usize = 64;

impl<E: Number + Plain> Linear<E> {
    /// Adds to `dx` (or writes) the gradient of `x` from that of `y`, whose rows are `stride` apart. Where there is an
    /// adapter, its middle and that one's gradient go to `kept`, interleaved, from the first row of `range` on.
    #[allow(clippy::too_many_arguments, reason = "both sides of one product")]
    fn apply_back(
        &self,
        range: &Range<usize>,
        x: &[E],
        (dy, stride): (&[E], usize),
        (dx, add): (&mut [f32], bool),
        kept: &[Buffer<E>; 2],
        (middle, narrow): (&mut Vec<f32>, &mut Vec<E>),
    ) {
        let rows = range.len();
        let inputs = self.packed.inputs;
        let mut results = Results::new(dx, inputs);
        self.packed.apply_back(rows, dy, stride, &mut results, add);
        let Some(adapter) = &self.adapter else {
            return;
        };
        let rank = adapter.packed_a.outputs;
        let of = range.start * rank..range.end * rank;
        // SAFETY: no other task has these rows.
        let [kept_middle, kept_change] =
            kept.each_ref().map(|kept| unsafe { kept.part(of.clone()) });
        let forward = adapter.middle(rows, x, middle, narrow);
        interleave(forward, rank, rank, rows, kept_middle);
        let change = room(middle, rows * rank);
        let mut back = Results::new(change, rank);
        adapter
            .packed_b
            .apply_back(rows, dy, stride, &mut back, false);
        scale(change, adapter.scale);
        let narrow = numbers(narrow, rows * rank);
        E::narrow(change, narrow);
        interleave(narrow, rank, rank, rows, kept_change);
        adapter
            .packed_a
            .apply_back(rows, narrow, rank, &mut results, true);
    }
}

/// Where a linear layer's inputs and changes stand in [`super::tape::Work`], and the column of the latter.
struct Place {
    input: usize,
    change: usize,
    column: usize,
}

impl<E: Number + Plain> Model<E> {
    /// Adds the gradients of all that learns; the rows' own are in the tape's `dx` afterwards.
    pub fn backward(&mut self, plan: &Plan, weights: &[Scores]) {
        self.predict_back(plan, weights);
        let rows = plan.len();
        let width = self.shape.width();
        let empty = |(_, row): &(usize, &Start)| **row == Start::Empty;
        for index in (0..self.layers.len()).rev() {
            self.blocks(rows, |range, scratch| {
                self.leave_back(index, range, scratch)
            });
            let attention = self.attention(index, plan);
            let work = &self.tape.work;
            attention.backward(&work.attended, &work.dqkv, &self.attention);
            for (row, _) in plan.rows.iter().enumerate().filter(empty) {
                // SAFETY: no task is at work.
                unsafe { work.dqkv.part(row * width..(row + 1) * width) }.fill(0.0);
            }
            self.blocks(rows, |range, scratch| {
                self.enter_back(index, range, plan, scratch)
            });
            self.gather(index, rows);
        }
        if self.learns_all() {
            self.gather_embedding(plan);
        }
    }

    /// What comes after a layer's attention, backwards.
    fn leave_back(&self, index: usize, range: Range<usize>, scratch: &mut Scratch<E>) {
        let (layer, kept, work) = (
            &self.layers[index],
            &self.tape.layers[index],
            &self.tape.work,
        );
        let names = &self.names.layers[index];
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let queries = self.shape.queries();
        let rows = range.len();
        let of = |width: usize| range.start * width..range.end * width;
        let Scratch {
            floats: [gates, ups, change, normed, middle, out],
            numbers: [narrow, wide, x, small],
        } = scratch;
        // SAFETY: no other task has these rows.
        let (dx, norms, attended_change, stream, attended) = unsafe {
            (
                work.dx.part(of(hidden)),
                work.norms[1].part(of(hidden)),
                work.attended.part(of(queries)),
                &*kept.middle.part(of(hidden)),
                &*kept.attended.part(of(queries)),
            )
        };
        // SAFETY: as above.
        let put = |rows_of: &[E], width: usize, to: &Buffer<E>| unsafe {
            interleave(rows_of, width, width, rows, to.part(of(width)));
        };
        let gates = room(gates, rows * inner);
        let ups = room(ups, rows * inner);
        // SAFETY: as above.
        unsafe {
            E::widen(kept.gate.part(of(inner)), gates);
            E::widen(kept.up.part(of(inner)), ups);
        }
        // Through the last matrix, whose input is needed where its adapter learns.
        let dy = numbers(narrow, rows * hidden);
        E::narrow(dx, dy);
        put(dy, hidden, &work.changes[4]);
        let change = room(change, rows * inner);
        let x = numbers(x, rows * inner.max(hidden));
        let between = &mut x[..rows * inner];
        if layer.down.adapter.is_some() {
            crate::cpu::gate(gates, ups, change);
            E::narrow(change, between);
        }
        layer.down.apply_back(
            &range,
            between,
            (dy, hidden),
            (change, false),
            &work.adapters[6],
            (middle, small),
        );
        gate_back(gates, ups, change);
        E::narrow(change, between);
        put(between, inner, &work.inputs[3]);
        // Through gate and up.
        let normed = room(normed, rows * hidden);
        self.normed(stream, names.mlp_norm, normed);
        let x = &mut x[..rows * hidden];
        E::narrow(normed, x);
        put(x, hidden, &work.inputs[2]);
        let back = normed;
        for (at, (linear, values)) in [(&layer.gate, &*gates), (&layer.up, &*ups)]
            .into_iter()
            .enumerate()
        {
            let dy = numbers(wide, rows * inner);
            E::narrow(values, dy);
            put(dy, inner, &work.changes[2 + at]);
            linear.apply_back(
                &range,
                x,
                (dy, inner),
                (back, at > 0),
                &work.adapters[4 + at],
                (middle, small),
            );
        }
        self.norm_rows_back(stream, names.mlp_norm, back, dx);
        norms.copy_from_slice(back);
        // Through the output of attention.
        E::narrow(dx, dy);
        put(dy, hidden, &work.changes[1]);
        put(attended, queries, &work.inputs[1]);
        let change = room(out, rows * queries);
        layer.output.apply_back(
            &range,
            attended,
            (dy, hidden),
            (change, false),
            &work.adapters[3],
            (middle, small),
        );
        E::narrow(change, attended_change);
    }

    /// What comes before a layer's attention, backwards.
    fn enter_back(&self, index: usize, range: Range<usize>, plan: &Plan, scratch: &mut Scratch<E>) {
        let (layer, kept, work) = (
            &self.layers[index],
            &self.tape.layers[index],
            &self.tape.work,
        );
        let names = &self.names.layers[index];
        let (hidden, width) = (self.config.hidden_size, self.shape.width());
        let (queries, keys) = (self.shape.queries(), self.shape.keys());
        let rows = range.len();
        let of = |width: usize| range.start * width..range.end * width;
        let Scratch {
            floats: [normed, middle, ..],
            numbers: [narrow, x, small, _],
        } = scratch;
        // SAFETY: no other task has these rows.
        let (dx, dqkv, norms, from) = unsafe {
            (
                work.dx.part(of(hidden)),
                work.dqkv.part(of(width)),
                work.norms[0].part(of(hidden)),
                &*kept.x.part(of(hidden)),
            )
        };
        for (row, position) in dqkv
            .chunks_exact_mut(width)
            .zip(&plan.positions[range.clone()])
        {
            self.rope
                .turn_back(&mut row[..queries + keys], *position as usize);
        }
        if let Some(norms) = self.head_norms(index) {
            // SAFETY: no other task has these rows.
            let raw = unsafe { kept.raw.part(of(width)) };
            self.head_norms_back(norms, raw, dqkv);
        }
        let dy = numbers(narrow, rows * width);
        E::narrow(dqkv, dy);
        // SAFETY: no other task has these rows.
        unsafe {
            interleave(dy, width, width, rows, work.changes[0].part(of(width)));
        }
        let normed = room(normed, rows * hidden);
        self.normed(from, names.attention_norm, normed);
        let x = numbers(x, rows * hidden);
        E::narrow(normed, x);
        // SAFETY: no other task has these rows.
        unsafe {
            interleave(x, hidden, hidden, rows, work.inputs[0].part(of(hidden)));
        }
        let mut column = 0;
        for (at, linear) in [&layer.query, &layer.key, &layer.value]
            .into_iter()
            .enumerate()
        {
            linear.apply_back(
                &range,
                x,
                (&dy[column..], width),
                (normed, at > 0),
                &work.adapters[at],
                (middle, small),
            );
            column += linear.packed.outputs;
        }
        self.norm_rows_back(from, names.attention_norm, normed, dx);
        norms.copy_from_slice(normed);
    }

    /// Rows through a norm backwards; `dy` becomes the gradient of the norm's weight, by row.
    fn norm_rows_back(&self, x: &[f32], weight: usize, dy: &mut [f32], dx: &mut [f32]) {
        let hidden = self.config.hidden_size;
        let weight = self.value(weight);
        let rows = x.chunks_exact(hidden).zip(dy.chunks_exact_mut(hidden));
        for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(hidden)) {
            norm_back(x, weight, self.epsilon(), dy, dx);
        }
    }

    /// Through the norms of heads backwards, in place; `raw` becomes the gradients of their weights, by head.
    fn head_norms_back(&self, norms: [usize; 2], raw: &mut [f32], dqkv: &mut [f32]) {
        let (width, dim) = (self.shape.width(), self.shape.dim);
        let mut dx = vec![0.0; dim];
        for (raw, row) in raw
            .chunks_exact_mut(width)
            .zip(dqkv.chunks_exact_mut(width))
        {
            let heads = self.shape.heads + self.shape.kv_heads;
            let each = raw.chunks_exact_mut(dim).zip(row.chunks_exact_mut(dim));
            for (head, (raw, dy)) in each.take(heads).enumerate() {
                let norm = norms[usize::from(head >= self.shape.heads)];
                dx.fill(0.0);
                norm_back(raw, self.value(norm), self.epsilon(), dy, &mut dx);
                raw.copy_from_slice(dy);
                dy.copy_from_slice(&dx);
            }
        }
    }

    /// Adds the gradients of a layer's parameters.
    fn gather(&mut self, index: usize, rows: usize) {
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let (queries, keys, width) = (self.shape.queries(), self.shape.keys(), self.shape.width());
        let inputs = [hidden, queries, hidden, inner];
        let changes = [width, hidden, inner, inner, hidden];
        let layer = &self.layers[index];
        let place = |input, change, column| Place {
            input,
            change,
            column,
        };
        let linears = [
            (&layer.query, place(0, 0, 0)),
            (&layer.key, place(0, 0, queries)),
            (&layer.value, place(0, 0, queries + keys)),
            (&layer.output, place(1, 1, 0)),
            (&layer.gate, place(2, 2, 0)),
            (&layer.up, place(2, 3, 0)),
            (&layer.down, place(3, 4, 0)),
        ];
        let work = &self.tape.work;
        for (at, (linear, place)) in linears.into_iter().enumerate() {
            let dy = Left::columns(work.changes[place.change].all(), changes[place.change]);
            let dy = Left {
                data: &dy.data[place.column * E::GROUP..],
                ..dy
            };
            let x = Right::rows(work.inputs[place.input].all(), inputs[place.input]);
            let (outputs, inputs) = (linear.packed.outputs, linear.packed.inputs);
            if let Some(gradient) = gradient_of(&mut self.parameters, linear.weight) {
                add_outer((outputs, inputs, rows), dy, x, gradient, inputs);
            }
            let Some(adapter) = &linear.adapter else {
                continue;
            };
            let rank = adapter.packed_a.outputs;
            let [middle, change] = &work.adapters[at];
            if let Some(gradient) = gradient_of(&mut self.parameters, adapter.b) {
                let x = Right::rows(middle.all(), rank);
                add_outer((outputs, rank, rows), dy, x, gradient, rank);
            }
            if let Some(gradient) = gradient_of(&mut self.parameters, adapter.a) {
                let dy = Left::columns(change.all(), rank);
                add_outer((rank, inputs, rows), dy, x, gradient, inputs);
            }
        }
        if !self.learns_all() {
            return;
        }
        let names = &self.names.layers[index];
        for (at, id) in [names.attention_norm, names.mlp_norm]
            .into_iter()
            .enumerate()
        {
            let values = &work.norms[at].all()[..rows * hidden];
            add_columns(values, hidden, 0, gradient_of(&mut self.parameters, id));
        }
        let dqkv = &work.dqkv.all()[..rows * width];
        let biases = [names.query.bias, names.key.bias, names.value.bias];
        for (id, from) in biases.into_iter().zip([0, queries, queries + keys]) {
            if let Some(id) = id {
                add_columns(dqkv, width, from, gradient_of(&mut self.parameters, id));
            }
        }
        if let Some(norms) = self.head_norms(index) {
            let (dim, raw) = (
                self.shape.dim,
                &self.tape.layers[index].raw.all()[..rows * width],
            );
            let heads = [
                0..self.shape.heads,
                self.shape.heads..self.shape.heads + self.shape.kv_heads,
            ];
            for (id, heads) in norms.into_iter().zip(heads) {
                let Some(total) = gradient_of(&mut self.parameters, id) else {
                    continue;
                };
                for row in raw.chunks_exact(width) {
                    add_rows(&row[heads.start * dim..heads.end * dim], dim, 0, total);
                }
            }
        }
    }

    /// Adds the gradient of the rows that begin as embeddings, in their order.
    fn gather_embedding(&mut self, plan: &Plan) {
        let hidden = self.config.hidden_size;
        let dx = &self.tape.work.dx;
        let embedding = self.names.embedding;
        let Some(gradient) = gradient_of(&mut self.parameters, embedding) else {
            return;
        };
        for (at, row) in plan.rows.iter().enumerate() {
            if let Start::Token(token) = row {
                let total = &mut gradient[*token as usize * hidden..][..hidden];
                add_rows(&dx.all()[at * hidden..(at + 1) * hidden], hidden, 0, total);
            }
        }
    }
}

/// Adds columns of rows, from `from` on, in the rows' order.
fn add_columns(rows: &[f32], stride: usize, from: usize, total: Option<&mut [f32]>) {
    let Some(total) = total else {
        return;
    };
    let parts = total.par_chunks_mut(COLUMNS).enumerate();
    parts.for_each(|(part, total)| add_rows(rows, stride, from + part * COLUMNS, total));
}
