//! The forward pass: every block of rows through what stands between two attentions.

use std::ops::Range;

use rayon::prelude::*;

use super::attention::Attention;
use super::buffer::Plain;
use super::model::{Layer, Linear, Model};
use super::number::Number;
use super::plan::{Plan, Start};
use super::product::Results;
use super::row::scale;
use super::tape::Scratch;
use crate::cpu::{add, gate, norm_heads, rms_norm, room};
use crate::llama::Layer as Tensors;
use crate::train::Tree;

/// The first `len`, whatever they are.
pub fn numbers<E: Number>(buffer: &mut Vec<E>, len: usize) -> &mut [E] {
    if buffer.len() < len {
        buffer.resize(len, E::default());
    }
    &mut buffer[..len]
}

impl<E: Number + Plain> Linear<E> {
    /// `y = x W^T` with the low-rank change; `y` has so many columns.
    pub fn apply(
        &self,
        rows: usize,
        x: &[E],
        y: &mut [f32],
        (middle, narrow): (&mut Vec<f32>, &mut Vec<E>),
    ) {
        let outputs = self.packed.outputs;
        let mut results = Results::new(y, outputs);
        self.packed
            .apply(rows, x, self.packed.inputs, &mut results, false);
        if let Some(adapter) = &self.adapter {
            let middle = adapter.middle(rows, x, middle, narrow);
            let rank = adapter.packed_a.outputs;
            adapter
                .packed_b
                .apply(rows, middle, rank, &mut results, true);
        }
    }
}

impl<E: Number + Plain> super::model::Adapter<E> {
    /// `scale x A^T`.
    pub fn middle<'a>(
        &self,
        rows: usize,
        x: &[E],
        middle: &mut Vec<f32>,
        narrow: &'a mut Vec<E>,
    ) -> &'a [E] {
        let rank = self.packed_a.outputs;
        let middle = room(middle, rows * rank);
        let mut results = Results::new(middle, rank);
        self.packed_a
            .apply(rows, x, self.packed_a.inputs, &mut results, false);
        scale(middle, self.scale);
        let narrow = numbers(narrow, rows * rank);
        E::narrow(middle, narrow);
        narrow
    }
}

impl<E: Number + Plain> Model<E> {
    /// Rows that go through a layer together, while the caches hold them: an even number.
    pub fn block(&self) -> usize {
        match self.config.intermediate_size > 1024 {
            true => 48,
            false => 96,
        }
    }

    /// Runs for every block of rows, side by side.
    pub fn blocks(&self, rows: usize, body: impl Fn(Range<usize>, &mut Scratch<E>) + Sync) {
        let block = self.block();
        (0..rows.div_ceil(block))
            .into_par_iter()
            .with_max_len(1)
            .for_each(|index| {
                let range = index * block..((index + 1) * block).min(rows);
                self.scratch.with(|scratch| body(range, scratch));
            });
    }

    /// The norm of each row.
    pub fn normed(&self, x: &[f32], weight: usize, out: &mut [f32]) {
        let (hidden, weight) = (self.config.hidden_size, self.value(weight));
        for (x, out) in x.chunks_exact(hidden).zip(out.chunks_exact_mut(hidden)) {
            rms_norm(x, weight, self.epsilon(), out);
        }
    }

    /// Runs all layers; what they gave is on the tape.
    pub fn forward(&mut self, plan: &Plan, trees: &[Tree]) {
        let rows = plan.len();
        let rank = self
            .layers
            .first()
            .and_then(|layer| layer.query.adapter.as_ref());
        let rank = rank.map_or(0, |adapter| adapter.packed_a.outputs);
        self.tape.reach(rows, &self.config, self.shape, rank);
        self.rope.reach(plan.reach());
        self.embed(plan, trees);
        for index in 0..=self.layers.len() {
            self.blocks(rows, |range, scratch| {
                if let Some(before) = index.checked_sub(1) {
                    self.leave(before, range.clone(), scratch);
                }
                if index < self.layers.len() {
                    self.enter(index, range, plan, scratch);
                }
            });
            if index < self.layers.len() {
                self.attention(index, plan).forward(&self.attention);
            }
        }
    }

    /// A layer's attention.
    pub fn attention<'a>(&'a self, index: usize, plan: &'a Plan) -> Attention<'a, E> {
        let kept = &self.tape.layers[index];
        Attention {
            shape: self.shape,
            trees: &plan.trees,
            qkv: &kept.qkv,
            attended: &kept.attended,
            sums: &kept.sums,
        }
    }

    /// The first layer's rows.
    fn embed(&mut self, plan: &Plan, trees: &[Tree]) {
        let hidden = self.config.hidden_size;
        let queries = self.shape.queries();
        let embedding = &self.parameters[self.names.embedding].values;
        let first = match self.tape.layers.first_mut() {
            Some(layer) => &mut layer.x,
            None => &mut self.tape.last,
        };
        let out = first.all_mut().chunks_exact_mut(hidden);
        for (out, row) in out.zip(&plan.rows) {
            match *row {
                Start::Token(token) => {
                    out.copy_from_slice(&embedding[token as usize * hidden..][..hidden]);
                }
                Start::Prefix { tree, vector } => {
                    let prefix = &trees[tree as usize].prefix;
                    out.copy_from_slice(&prefix[vector as usize * hidden..][..hidden]);
                }
                Start::Empty => out.fill(0.0),
            }
        }
        let empty = |(_, row): &(usize, &Start)| **row == Start::Empty;
        for (row, _) in plan.rows.iter().enumerate().filter(empty) {
            for layer in &mut self.tape.layers {
                let attended = layer.attended.all_mut();
                attended[row * queries..][..queries].fill(E::default());
            }
        }
    }

    /// What comes before a layer's attention.
    fn enter(&self, index: usize, range: Range<usize>, plan: &Plan, scratch: &mut Scratch<E>) {
        let (layer, kept): (&Layer<E>, _) = (&self.layers[index], &self.tape.layers[index]);
        let names: &Tensors<usize> = &self.names.layers[index];
        let (hidden, rows) = (self.config.hidden_size, range.len());
        let Scratch {
            floats: [normed, part, whole, middle, ..],
            numbers: [x, narrow, ..],
        } = scratch;
        // SAFETY: no other task has these rows.
        let from = unsafe { kept.x.part(range.start * hidden..range.end * hidden) };
        let normed = room(normed, rows * hidden);
        self.normed(from, names.attention_norm, normed);
        let x = numbers(x, rows * hidden);
        E::narrow(normed, x);
        let width = self.shape.width();
        let whole = room(whole, rows * width);
        let linears = [
            (&layer.query, names.query.bias),
            (&layer.key, names.key.bias),
            (&layer.value, names.value.bias),
        ];
        let mut column = 0;
        for (linear, bias) in linears {
            let outputs = linear.packed.outputs;
            let part = room(part, rows * outputs);
            linear.apply(rows, x, part, (middle, narrow));
            for (whole, part) in whole
                .chunks_exact_mut(width)
                .zip(part.chunks_exact(outputs))
            {
                let whole = &mut whole[column..column + outputs];
                whole.copy_from_slice(part);
                if let Some(bias) = bias {
                    add(whole, self.value(bias));
                }
            }
            column += outputs;
        }
        if let Some([query, key]) = self.head_norms(index) {
            // SAFETY: no other task has these rows.
            let raw = unsafe { kept.raw.part(range.start * width..range.end * width) };
            raw.copy_from_slice(whole);
            for row in whole.chunks_exact_mut(width) {
                let (queries, rest) = row.split_at_mut(self.shape.queries());
                norm_heads(queries, self.value(query), self.epsilon());
                norm_heads(
                    &mut rest[..self.shape.keys()],
                    self.value(key),
                    self.epsilon(),
                );
            }
        }
        let turned = self.shape.queries() + self.shape.keys();
        for (row, position) in whole
            .chunks_exact_mut(width)
            .zip(&plan.positions[range.clone()])
        {
            self.rope.turn(&mut row[..turned], *position as usize);
        }
        // SAFETY: no other task has these rows.
        E::narrow(whole, unsafe {
            kept.qkv.part(range.start * width..range.end * width)
        });
    }

    /// The norms of query and key heads, where there are such.
    pub fn head_norms(&self, index: usize) -> Option<[usize; 2]> {
        let names = &self.names.layers[index];
        Some([names.query_norm?, names.key_norm?])
    }

    /// What comes after a layer's attention.
    fn leave(&self, index: usize, range: Range<usize>, scratch: &mut Scratch<E>) {
        let (layer, kept) = (&self.layers[index], &self.tape.layers[index]);
        let names = &self.names.layers[index];
        let (hidden, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let queries = self.shape.queries();
        let rows = range.len();
        let Scratch {
            floats: [normed, gates, ups, middle, ..],
            numbers: [x, narrow, between, ..],
        } = scratch;
        let of = |width: usize| range.start * width..range.end * width;
        let next = match self.tape.layers.get(index + 1) {
            Some(next) => &next.x,
            None => &self.tape.last,
        };
        // SAFETY: no other task has these rows.
        let (attended, from, stream, out, gate_out, up_out) = unsafe {
            (
                kept.attended.part(of(queries)),
                kept.x.part(of(hidden)),
                kept.middle.part(of(hidden)),
                next.part(of(hidden)),
                kept.gate.part(of(inner)),
                kept.up.part(of(inner)),
            )
        };
        layer.output.apply(rows, attended, stream, (middle, narrow));
        add(stream, from);
        let normed = room(normed, rows * hidden);
        self.normed(stream, names.mlp_norm, normed);
        let x = numbers(x, rows * hidden);
        E::narrow(normed, x);
        let gates = room(gates, rows * inner);
        let ups = room(ups, rows * inner);
        layer.gate.apply(rows, x, gates, (middle, narrow));
        layer.up.apply(rows, x, ups, (middle, narrow));
        E::narrow(gates, gate_out);
        E::narrow(ups, up_out);
        // From what is kept, so that the backward pass sees the same.
        E::widen(gate_out, gates);
        E::widen(up_out, ups);
        let between = self::between(gates, ups, between);
        layer.down.apply(rows, between, out, (middle, narrow));
        add(out, stream);
    }
}

/// SwiGLU's middle.
fn between<'a, E: Number>(gates: &mut [f32], ups: &[f32], out: &'a mut Vec<E>) -> &'a [E] {
    let out = numbers(out, gates.len());
    let mut part = [0.0; 1024];
    for ((gates, ups), out) in gates
        .chunks(1024)
        .zip(ups.chunks(1024))
        .zip(out.chunks_mut(1024))
    {
        let part = &mut part[..gates.len()];
        gate(gates, ups, part);
        E::narrow(part, out);
    }
    out
}
