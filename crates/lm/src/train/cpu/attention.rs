//! Causal attention over trees, forwards and backwards.
//!
//! Queries come in blocks of rows; a block's scores are computed whole, for the keys that it sees and no others, so what a
//! mask would hide costs nothing. Backwards the weights are computed again from the scores' sums (Dao et al. 2022 have the
//! same recomputation).

use rayon::prelude::*;

use super::buffer::{Buffer, Plain};
use super::number::{Number, PANEL, SLAB};
use super::plan::{Layout, Segment};
use super::product::{Left, Results, Right, interleave, multiply, pack_transposed, transposed_len};
use crate::cpu::{Pool, exp, fast};

/// Queries of a block.
const QUERIES: usize = 48;

/// Heads and their widths.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub heads: usize,
    pub kv_heads: usize,
    pub dim: usize,
}

impl Shape {
    /// Values of all queries of a row.
    pub fn queries(&self) -> usize {
        self.heads * self.dim
    }

    /// Values of all keys of a row, and of all values.
    pub fn keys(&self) -> usize {
        self.kv_heads * self.dim
    }

    /// Values of a row of queries, keys and values.
    pub fn width(&self) -> usize {
        self.queries() + 2 * self.keys()
    }

    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }
}

/// What a layer's attention works on.
pub struct Attention<'a, E> {
    pub shape: Shape,
    pub trees: &'a [Layout],
    /// Queries, keys and values, turned: `[rows, width]`.
    pub qkv: &'a Buffer<E>,
    /// What comes out: `[rows, queries]`.
    pub attended: &'a Buffer<E>,
    /// Of each row and head the logarithm of the sum of the scores' powers: `[rows, heads]`.
    pub sums: &'a Buffer<f32>,
}

/// Memory of a task.
#[derive(Default)]
pub struct Scratch<E> {
    /// Keys and values of a tree, as the right operand over their width and over the rows.
    keys: [Vec<E>; 2],
    values: [Vec<E>; 2],
    scores: Vec<f32>,
    changes: Vec<f32>,
    out: Vec<f32>,
    numbers: [Vec<E>; 5],
    /// Gradients of keys and of values.
    gradients: [Vec<f32>; 2],
}

/// The first `len`, whatever they are.
fn room<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}

/// Where each segment's keys begin among a tree's, each at a whole slab; and the end of all.
fn places(layout: &Layout) -> (Vec<usize>, usize) {
    let mut end = 0;
    let places = layout.segments.iter().map(|segment| {
        let start = end;
        end = (end + segment.len).next_multiple_of(SLAB);
        start
    });
    let places = places.collect();
    (places, end)
}

/// A block of queries of one head: rows of a segment, and the keys that they see.
struct Block {
    /// Rows, counted from the batch's first.
    first: usize,
    rows: usize,
    /// Keys of the trunk, and the columns that they take.
    trunk: usize,
    trunk_columns: usize,
    /// Where the segment's own keys begin among the tree's, how many of them the first row sees, and the columns that all
    /// take; for the trunk that is all there is.
    own: usize,
    seen: usize,
    own_columns: usize,
}

impl Block {
    fn columns(&self) -> usize {
        self.trunk_columns + self.own_columns
    }

    /// Columns that a row sees: of the trunk, and from the beginning of its own.
    fn visible(&self, row: usize) -> (usize, usize) {
        (self.trunk, self.seen + row)
    }
}

fn blocks(layout: &Layout, places: &[usize]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (Segment { first, len, seen }, own) in layout.segments.iter().zip(places) {
        for from in (0..*len).step_by(QUERIES) {
            let rows = QUERIES.min(len - from);
            blocks.push(Block {
                first: layout.first + first + from,
                rows,
                trunk: *seen,
                trunk_columns: seen.next_multiple_of(PANEL),
                own: *own,
                seen: from + 1,
                own_columns: (from + rows).next_multiple_of(PANEL),
            });
        }
    }
    blocks
}

impl<E: Number + Plain> Attention<'_, E> {
    /// For every tree and every head of keys, in turn or side by side.
    fn each(&self, body: impl Fn(&Layout, usize) + Sync) {
        let heads = self.shape.kv_heads;
        let tasks: Vec<_> = (self.trees.iter())
            .flat_map(|layout| (0..heads).map(move |head| (layout, head)))
            .collect();
        tasks
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(layout, head)| body(layout, head));
    }

    /// Packs a tree's columns from `column` on: over the head's width, and over the rows.
    fn pack(
        &self,
        layout: &Layout,
        (places, end): (&[usize], usize),
        column: usize,
        over: Option<&mut Vec<E>>,
        rows: Option<&mut Vec<E>>,
    ) {
        let (dim, stride) = (self.shape.dim, self.shape.width());
        let data =
            |segment: &Segment| &self.qkv.all()[(layout.first + segment.first) * stride + column..];
        let each = || layout.segments.iter().zip(places);
        if let Some(over) = over {
            let over = room(over, transposed_len(end, dim));
            for (segment, place) in each() {
                let out = &mut over[place * dim..][..transposed_len(segment.len, dim)];
                pack_transposed(data(segment), stride, dim, segment.len, out);
            }
        }
        if let Some(rows) = rows {
            let rows = room(rows, end * dim);
            for (segment, place) in each() {
                let padded = segment.len.next_multiple_of(SLAB);
                let out = &mut rows[place * dim..][..padded * dim];
                interleave(data(segment), stride, dim, segment.len, out);
            }
        }
    }

    /// `left x (its keys or values)^T` for a block: scores, or their changes.
    fn across(&self, block: &Block, left: &[E], stride: usize, over: &[E], out: &mut [f32]) {
        let dim = self.shape.dim;
        let groups = dim / E::GROUP;
        let (columns, left) = (block.columns(), Left::rows(left, stride));
        let own = Right::slabs(&over[block.own * dim..], groups);
        let mut results = Results::new(&mut out[block.trunk_columns..], columns);
        multiply(
            (block.rows, block.own_columns, groups),
            left,
            own,
            &mut results,
            false,
        );
        if block.trunk_columns > 0 {
            let trunk = Right::slabs(over, groups);
            let mut results = Results::new(out, columns);
            multiply(
                (block.rows, block.trunk_columns, groups),
                left,
                trunk,
                &mut results,
                false,
            );
        }
    }

    /// `weights x keys or values` for a block.
    fn along(&self, block: &Block, weights: &[E], rows: &[E], out: &mut Results<'_>) {
        let dim = self.shape.dim;
        let columns = block.columns();
        let left = Left::rows(weights, columns);
        let trunk = Right::rows(rows, dim);
        let groups = block.trunk_columns / E::GROUP;
        multiply((block.rows, dim, groups), left, trunk, out, false);
        let own = Left::rows(&weights[block.trunk_columns..], columns);
        let right = Right::rows(&rows[block.own * dim..], dim);
        let groups = block.own_columns / E::GROUP;
        multiply(
            (block.rows, dim, groups),
            own,
            right,
            out,
            block.trunk_columns > 0,
        );
    }

    /// Adds `weights^T x (queries or changes)` of a block to the rows of its keys. Both are interleaved.
    fn gather(&self, block: &Block, weights: &[E], right: &[E], gradient: &mut [f32]) {
        let dim = self.shape.dim;
        let columns = block.columns();
        let groups = block.rows.div_ceil(E::GROUP);
        let right = Right::rows(right, dim);
        if block.trunk_columns > 0 {
            let left = Left::columns(weights, columns);
            let shape = (block.trunk_columns, dim, groups);
            multiply(shape, left, right, &mut Results::new(gradient, dim), true);
        }
        let left = Left::columns(&weights[block.trunk_columns * E::GROUP..], columns);
        let shape = (block.own_columns, dim, groups);
        let own = &mut gradient[block.own * dim..];
        multiply(shape, left, right, &mut Results::new(own, dim), true);
    }

    /// Computes [`Attention::attended`] and [`Attention::sums`]. Rows of no text are left as they are.
    pub fn forward(&self, pool: &Pool<Scratch<E>>) {
        let shape = self.shape;
        self.each(|layout, kv_head| {
            pool.with(|scratch| self.forward_one(shape, layout, kv_head, scratch))
        });
    }

    fn forward_one(&self, shape: Shape, layout: &Layout, kv_head: usize, scratch: &mut Scratch<E>) {
        let (dim, stride, width) = (shape.dim, shape.width(), shape.queries());
        let Scratch {
            keys: [keys, _],
            values: [_, values],
            scores,
            out,
            numbers: [weights, ..],
            ..
        } = scratch;
        let (places, end) = places(layout);
        let key_column = shape.queries() + kv_head * dim;
        let value_column = key_column + shape.keys();
        self.pack(layout, (&places, end), key_column, Some(keys), None);
        self.pack(layout, (&places, end), value_column, None, Some(values));
        let group = shape.heads / shape.kv_heads;
        for block in blocks(layout, &places) {
            let columns = block.columns();
            for head in kv_head * group..(kv_head + 1) * group {
                let queries = &self.qkv.all()[block.first * stride + head * dim..];
                let scores = room(scores, block.rows * columns);
                self.across(&block, queries, stride, keys, scores);
                let weights = room(weights, block.rows * columns);
                for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
                    let (trunk, own) = block.visible(row);
                    let sum = weigh(scores, block.trunk_columns, trunk, own, shape.scale());
                    // SAFETY: no other task has this row and head.
                    let place = unsafe {
                        let at = (block.first + row) * shape.heads + head;
                        &mut self.sums.part(at..at + 1)[0]
                    };
                    *place = sum;
                    E::narrow(scores, &mut weights[row * columns..][..columns]);
                }
                let out = room(out, block.rows * dim);
                self.along(&block, weights, values, &mut Results::new(out, dim));
                for (row, out) in out.chunks_exact(dim).enumerate() {
                    let at = (block.first + row) * width + head * dim;
                    // SAFETY: no other task has this row and head.
                    E::narrow(out, unsafe { self.attended.part(at..at + dim) });
                }
            }
        }
    }

    /// Computes the gradients of queries, keys and values, `[rows, width]`, from that of what came out, `[rows, queries]`.
    /// Rows of no text are left as they are.
    pub fn backward(&self, change: &Buffer<E>, gradient: &Buffer<f32>, pool: &Pool<Scratch<E>>) {
        self.each(|layout, kv_head| {
            pool.with(|scratch| self.backward_one(change, gradient, layout, kv_head, scratch));
        });
    }

    fn backward_one(
        &self,
        change: &Buffer<E>,
        gradient: &Buffer<f32>,
        layout: &Layout,
        kv_head: usize,
        scratch: &mut Scratch<E>,
    ) {
        let shape = self.shape;
        let (dim, stride, width) = (shape.dim, shape.width(), shape.queries());
        let Scratch {
            keys: [keys, key_rows],
            values: [values, _],
            scores,
            changes,
            numbers:
                [
                    weights,
                    weight_pairs,
                    change_pairs,
                    queries_pairs,
                    out_pairs,
                ],
            gradients: [key_gradient, value_gradient],
            ..
        } = scratch;
        let (places, end) = places(layout);
        let key_column = shape.queries() + kv_head * dim;
        let value_column = key_column + shape.keys();
        self.pack(
            layout,
            (&places, end),
            key_column,
            Some(keys),
            Some(key_rows),
        );
        self.pack(layout, (&places, end), value_column, Some(values), None);
        let key_gradient = room(key_gradient, end * dim);
        let value_gradient = room(value_gradient, end * dim);
        key_gradient.fill(0.0);
        value_gradient.fill(0.0);
        let group = shape.heads / shape.kv_heads;
        for block in blocks(layout, &places) {
            let (rows, columns) = (block.rows, block.columns());
            let even = rows.next_multiple_of(E::GROUP);
            for head in kv_head * group..(kv_head + 1) * group {
                let queries = &self.qkv.all()[block.first * stride + head * dim..];
                let out_changes = &change.all()[block.first * width + head * dim..];
                let scores = room(scores, rows * columns);
                self.across(&block, queries, stride, keys, scores);
                let changes = room(changes, rows * columns);
                self.across(&block, out_changes, width, values, changes);
                let weights = room(weights, rows * columns);
                for row in 0..rows {
                    let (trunk, own) = block.visible(row);
                    let at = (block.first + row) * width + head * dim;
                    let dot = dot(
                        &change.all()[at..at + dim],
                        &self.attended.all()[at..at + dim],
                    );
                    let sum = self.sums.all()[(block.first + row) * shape.heads + head];
                    let range = row * columns..(row + 1) * columns;
                    let (scores, changes) = (&mut scores[range.clone()], &mut changes[range]);
                    let seen = (block.trunk_columns, trunk, own);
                    unweigh(scores, changes, seen, (sum, dot), shape.scale());
                }
                // Weights first, for the gradient of the values.
                E::narrow(scores, weights);
                let weight_pairs = room(weight_pairs, even * columns);
                interleave(weights, columns, columns, rows, weight_pairs);
                let out_pairs = room(out_pairs, even * dim);
                interleave(out_changes, width, dim, rows, out_pairs);
                self.gather(&block, weight_pairs, out_pairs, value_gradient);
                // Then the scores' changes.
                E::narrow(changes, weights);
                let change_pairs = room(change_pairs, even * columns);
                interleave(weights, columns, columns, rows, change_pairs);
                let queries_pairs = room(queries_pairs, even * dim);
                interleave(queries, stride, dim, rows, queries_pairs);
                self.gather(&block, change_pairs, queries_pairs, key_gradient);
                let first = block.first * stride + head * dim;
                // SAFETY: no other task has these rows and this head.
                let mut results = unsafe {
                    let len = gradient.len() - first;
                    Results::shared(gradient.pointer().add(first), len, stride)
                };
                self.along(&block, weights, key_rows, &mut results);
            }
        }
        for (segment, place) in layout.segments.iter().zip(&places) {
            for row in 0..segment.len {
                let at = (layout.first + segment.first + row) * stride;
                let from = (place + row) * dim..(place + row + 1) * dim;
                for (column, own) in [
                    (key_column, &*key_gradient),
                    (value_column, &*value_gradient),
                ] {
                    // SAFETY: no other task has this row and head.
                    let out = unsafe { gradient.part(at + column..at + column + dim) };
                    out.copy_from_slice(&own[from.clone()]);
                }
            }
        }
    }
}

/// The dot product of two rows.
fn dot<E: Number>(a: &[E], b: &[E]) -> f32 {
    /// Values of a row at once.
    const PART: usize = 64;
    let (mut x, mut y) = ([0.0; PART], [0.0; PART]);
    let mut total = 0.0;
    for (a, b) in a.chunks(PART).zip(b.chunks(PART)) {
        let (x, y) = (&mut x[..a.len()], &mut y[..b.len()]);
        E::widen(a, x);
        E::widen(b, y);
        total += multiplied(x, y);
    }
    total
}

fast! {
    fn multiplied(x: &mut [f32], y: &[f32]) -> f32 {
        for (x, y) in x.iter_mut().zip(y) {
            *x *= y;
        }
        crate::cpu::sum(x, |v| v)
    }
}

fast! {
    /// Turns scores into weights: those of the first `trunk` columns, and of the first `own` from column `from` on; all
    /// others become 0. Returns the logarithm of the sum of `e^(scale * score)`.
    fn weigh(scores: &mut [f32], from: usize, trunk: usize, own: usize, scale: f32) -> f32 {
        let (first, second) = scores.split_at_mut(from);
        let (first, hidden) = first.split_at_mut(trunk);
        hidden.fill(0.0);
        let (second, hidden) = second.split_at_mut(own);
        hidden.fill(0.0);
        let mut top = f32::NEG_INFINITY;
        for part in [&*first, &*second] {
            top = top.max(crate::cpu::max(part));
        }
        for part in [&mut *first, &mut *second] {
            for x in part.iter_mut() {
                *x = exp((*x - top) * scale);
            }
        }
        let sum = crate::cpu::sum(first, |v| v) + crate::cpu::sum(second, |v| v);
        let inverse = 1.0 / sum;
        for part in [first, second] {
            for x in part {
                *x *= inverse;
            }
        }
        top * scale + libm::logf(sum)
    }
}

fast! {
    /// Turns scores into weights by the logarithm of their sum, and changes of weights into changes of scores:
    /// `change = weight * (change - dot) * scale`.
    fn unweigh(
        scores: &mut [f32],
        changes: &mut [f32],
        seen: (usize, usize, usize),
        known: (f32, f32),
        scale: f32,
    ) {
        let (from, trunk, own) = seen;
        let (sum, dot) = known;
        let (first, second) = scores.split_at_mut(from);
        let (first, hidden) = first.split_at_mut(trunk);
        hidden.fill(0.0);
        let (second, hidden) = second.split_at_mut(own);
        hidden.fill(0.0);
        let (first_changes, second_changes) = changes.split_at_mut(from);
        let (first_changes, hidden) = first_changes.split_at_mut(trunk);
        hidden.fill(0.0);
        let (second_changes, hidden) = second_changes.split_at_mut(own);
        hidden.fill(0.0);
        for (scores, changes) in [(first, first_changes), (second, second_changes)] {
            for (score, change) in scores.iter_mut().zip(changes) {
                let weight = exp(score.mul_add(scale, -sum));
                *score = weight;
                *change = weight * (*change - dot) * scale;
            }
        }
    }
}
