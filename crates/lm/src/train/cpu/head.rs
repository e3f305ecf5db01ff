//! From the last layer to log-probabilities, forwards and backwards. Logits are never kept: the backward pass computes them again,
//! for the rows that predict chosen tokens alone.

use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, Plain};
use super::linear::add_outer;
use super::model::Model;
use super::number::{Number, SLAB};
use super::plan::Plan;
use super::product::{Left, Results, Right, interleave, multiply};
use super::row::{add_scaled, dot, norm_back, probabilities, top_and_sum};
use crate::cpu::room;
use crate::train::Scores;

/// Rows whose logits are in memory at a time; an even number.
pub const ROWS: usize = 192;
/// Tokens of the vocabulary that a task computes logits of, whole slabs.
const CHUNK: usize = 8 * SLAB;

/// Memory of the head, and what its forward pass leaves for the backward one.
pub struct Head<E> {
    /// The normed rows that predict, `[rows, hidden]`.
    x: Buffer<E>,
    floats: Buffer<f32>,
    /// Of each the logarithm of the sum of the logits' powers.
    sums: Vec<f32>,
    /// The logits' gradients of a block, row by row and interleaved, `[ROWS, vocabulary]`, and the rows interleaved.
    changes: Buffer<E>,
    pairs: Buffer<E>,
    x_pairs: Buffer<E>,
}

impl<E: Number + Plain> Default for Head<E> {
    fn default() -> Self {
        Self {
            x: Buffer::new(0),
            floats: Buffer::new(0),
            sums: Vec::new(),
            changes: Buffer::new(0),
            pairs: Buffer::new(0),
            x_pairs: Buffer::new(0),
        }
    }
}

impl<E: Number + Plain> Model<E> {
    /// Chunks of the vocabulary.
    fn chunks(&self) -> impl IndexedParallelIterator<Item = Range<usize>> + use<E> {
        let vocabulary = self.config.vocab_size;
        (0..vocabulary.div_ceil(CHUNK))
            .into_par_iter()
            .map(move |chunk| chunk * CHUNK..((chunk + 1) * CHUNK).min(vocabulary))
    }

    /// The logits of some rows for some tokens, `[rows, CHUNK]`.
    fn logits(&self, x: &[E], chunk: &Range<usize>, out: &mut [f32]) {
        let rows = x.len() / self.config.hidden_size;
        let mut results = Results::new(out, CHUNK);
        self.head
            .apply_part(rows, x, (chunk.start, chunk.len()), &mut results);
    }

    /// The scores of all chosen tokens, by tree.
    pub fn predict(&mut self, plan: &Plan) -> Vec<Scores> {
        let mut predicted = std::mem::take(&mut self.tape.head);
        let (len, hidden) = (plan.predicting.len(), self.config.hidden_size);
        predicted.x.reach(len * hidden);
        predicted.floats.reach(len * hidden);
        let scores = self.predict_with(plan, &mut predicted);
        self.tape.head = predicted;
        scores
    }

    fn predict_with(&self, plan: &Plan, predicted: &mut Head<E>) -> Vec<Scores> {
        let hidden = self.config.hidden_size;
        let count = plan.predicting.len();
        plan.predicting
            .par_iter()
            .enumerate()
            .for_each(|(at, row)| {
                let of = at * hidden..(at + 1) * hidden;
                // SAFETY: no other task has this row.
                let (x, floats) =
                    unsafe { (predicted.x.part(of.clone()), predicted.floats.part(of)) };
                let from = &self.tape.last.all()[*row as usize * hidden..][..hidden];
                self.normed(from, self.names.norm, floats);
                E::narrow(floats, x);
            });
        // For each row its targets' logits, and for each chunk its largest logit and the sum of the powers.
        let mut wanted: Vec<(u32, u32)> = (plan.targets.iter().flatten())
            .map(|target| (target.at, target.token))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut known = vec![0.0f32; wanted.len()];
        let mut sums = Vec::with_capacity(count);
        for rows in blocks(count) {
            let x = &predicted.x.all()[rows.start * hidden..rows.end * hidden];
            let here = range_of(&wanted, &rows);
            let parts: Vec<_> = self
                .chunks()
                .map(|chunk| {
                    self.scratch.with(|scratch| {
                        let logits = room(&mut scratch.floats[0], rows.len() * CHUNK);
                        self.logits(x, &chunk, logits);
                        let each = logits.chunks_exact(CHUNK);
                        let tops: Vec<_> =
                            each.map(|row| top_and_sum(&row[..chunk.len()])).collect();
                        let found: Vec<_> = here
                            .clone()
                            .filter(|at| chunk.contains(&(wanted[*at].1 as usize)))
                            .map(|at| {
                                let (row, token) = wanted[at];
                                let row = row as usize - rows.start;
                                (at, logits[row * CHUNK + token as usize - chunk.start])
                            })
                            .collect();
                        (tops, found)
                    })
                })
                .collect();
            for row in 0..rows.len() {
                let tops = parts.iter().map(|(tops, _)| tops[row]);
                let top = tops
                    .clone()
                    .map(|(top, _)| top)
                    .fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = tops.map(|(part, sum)| sum * libm::expf(part - top)).sum();
                sums.push(top + libm::logf(sum));
            }
            for (at, logit) in parts.into_iter().flat_map(|(_, found)| found) {
                known[at] = logit;
            }
        }
        let log_prob = |at: u32, token: u32| {
            let place = wanted
                .binary_search(&(at, token))
                .expect("it was asked for");
            known[place] - sums[at as usize]
        };
        let value = |at: u32| {
            let id = self.values?;
            let x = &predicted.floats.all()[at as usize * hidden..][..hidden];
            Some(dot(x, self.value(id)) + self.value(id + 1)[0])
        };
        let scores = plan.targets.iter().map(|targets| Scores {
            log_probs: targets.iter().map(|t| log_prob(t.at, t.token)).collect(),
            values: targets.iter().filter_map(|t| value(t.at)).collect(),
        });
        let scores = scores.collect();
        predicted.sums = sums;
        scores
    }

    /// The objective's gradient with respect to the last layer's rows, in the tape's `dx`; adds those of the head, of the
    /// last norm and of the value head.
    pub fn predict_back(&mut self, plan: &Plan, weights: &[Scores]) {
        let mut predicted = std::mem::take(&mut self.tape.head);
        self.predict_back_with(plan, weights, &mut predicted);
        self.tape.head = predicted;
    }

    fn predict_back_with(&mut self, plan: &Plan, weights: &[Scores], predicted: &mut Head<E>) {
        let hidden = self.config.hidden_size;
        let count = plan.predicting.len();
        let mut targets: Vec<(u32, u32, f32)> = Vec::new();
        let mut values = vec![0.0f32; count];
        for (targets_of, weights) in plan.targets.iter().zip(weights) {
            for (at, target) in targets_of.iter().enumerate() {
                targets.push((target.at, target.token, weights.log_probs[at]));
                if self.values.is_some() {
                    values[target.at as usize] += weights.values[at];
                }
            }
        }
        targets.sort_by_key(|(at, token, _)| (*at, *token));
        let keys: Vec<(u32, u32)> = targets.iter().map(|(at, token, _)| (*at, *token)).collect();
        let mut gradients = vec![0.0f32; count * hidden];
        let vocabulary = self.config.vocab_size.next_multiple_of(E::GROUP);
        let learns = self.learns_all();
        let most = ROWS.min(count);
        predicted.changes.reach(most * vocabulary);
        if learns {
            predicted.pairs.reach(most * vocabulary);
            predicted.x_pairs.reach(most * hidden);
        }
        let Head {
            changes,
            pairs,
            x_pairs,
            ..
        } = &*predicted;
        for rows in blocks(count) {
            let x = &predicted.x.all()[rows.start * hidden..rows.end * hidden];
            let here = range_of(&keys, &rows);
            let totals = row_totals(&targets[here.clone()], &rows);
            self.chunks().for_each(|chunk| {
                self.scratch.with(|scratch| {
                    let logits = room(&mut scratch.floats[0], rows.len() * CHUNK);
                    self.logits(x, &chunk, logits);
                    for (row, logits) in logits.chunks_exact_mut(CHUNK).enumerate() {
                        let sum = predicted.sums[rows.start + row];
                        probabilities(&mut logits[..chunk.len()], sum, -totals[row]);
                    }
                    for (at, token, weight) in &targets[here.clone()] {
                        if chunk.contains(&(*token as usize)) {
                            let row = *at as usize - rows.start;
                            logits[row * CHUNK + *token as usize - chunk.start] += weight;
                        }
                    }
                    for (row, logits) in logits.chunks_exact(CHUNK).enumerate() {
                        let at = row * vocabulary + chunk.start;
                        // SAFETY: no other task has these columns.
                        let out = unsafe { changes.part(at..at + chunk.len()) };
                        E::narrow(&logits[..chunk.len()], out);
                    }
                });
            });
            // What comes back to the rows, slab by slab of their width.
            let groups = vocabulary / E::GROUP;
            let out = &mut gradients[rows.start * hidden..rows.end * hidden];
            let (start, len) = (out.as_mut_ptr() as usize, out.len());
            (0..hidden.div_ceil(SLAB)).into_par_iter().for_each(|slab| {
                let column = slab * SLAB;
                let width = SLAB.min(hidden - column);
                // SAFETY: no other task has these columns.
                let mut results = unsafe {
                    let start = (start as *mut f32).add(column);
                    Results::shared(start, len - column, hidden)
                };
                let right = self.head.backward_slab(slab);
                let left = Left::rows(changes.all(), vocabulary);
                let shape = (rows.len(), width, groups);
                multiply(
                    shape,
                    left,
                    Right::slabs(right, groups),
                    &mut results,
                    false,
                );
            });
            if learns {
                let even = rows.len().next_multiple_of(E::GROUP);
                pairs_of(changes.all(), vocabulary, rows.len(), pairs);
                pairs_of(x, hidden, rows.len(), x_pairs);
                let gradient = match self.names.head {
                    Some(id) => gradient_of(&mut self.parameters, id),
                    None => Some(&mut self.tied[..]),
                };
                if let Some(gradient) = gradient {
                    let left = Left::columns(pairs.all(), vocabulary);
                    let right = Right::rows(x_pairs.all(), hidden);
                    let shape = (self.config.vocab_size, hidden, even);
                    add_outer(shape, left, right, gradient, hidden);
                }
            }
        }
        if let Some(id) = self.values {
            let value = self.value(id).to_vec();
            for (at, weight) in values
                .iter()
                .enumerate()
                .filter(|(_, weight)| **weight != 0.0)
            {
                add_scaled(&mut gradients[at * hidden..][..hidden], &value, *weight);
                let x = &predicted.floats.all()[at * hidden..][..hidden];
                for (id, x) in [(id, x), (id + 1, &[1.0][..])] {
                    if let Some(total) = gradient_of(&mut self.parameters, id) {
                        add_scaled(total, x, *weight);
                    }
                }
            }
        }
        let norm = self.names.norm;
        let epsilon = self.epsilon();
        let dx = &mut self.tape.work.dx.all_mut()[..plan.len() * hidden];
        dx.fill(0.0);
        let mut before = None;
        for (at, row) in plan.predicting.iter().enumerate() {
            // A row that stands twice only fills up.
            if before == Some(*row) {
                gradients[at * hidden..][..hidden].fill(0.0);
                continue;
            }
            before = Some(*row);
            let of = *row as usize * hidden;
            let x = &self.tape.last.all()[of..of + hidden];
            let gradient = &mut gradients[at * hidden..][..hidden];
            let weight = &self.parameters[norm].values;
            norm_back(x, weight, epsilon, gradient, &mut dx[of..of + hidden]);
        }
        if let Some(total) = gradient_of(&mut self.parameters, norm) {
            super::row::add_rows(&gradients, hidden, 0, total);
        }
    }
}

/// The gathered gradient of a parameter that learns.
pub fn gradient_of(
    parameters: &mut [super::parameter::Parameter],
    id: usize,
) -> Option<&mut [f32]> {
    let learning = parameters[id].learning.as_mut()?;
    Some(&mut learning.gradient)
}

/// Interleaves rows that stand whole, side by side.
fn pairs_of<E: Number + Plain>(rows: &[E], width: usize, count: usize, out: &Buffer<E>) {
    /// Rows of a task.
    const PART: usize = 16;
    (0..count.div_ceil(PART)).into_par_iter().for_each(|part| {
        let first = part * PART;
        let own = PART.min(count - first);
        let even = own.next_multiple_of(E::GROUP);
        // SAFETY: no other task has these rows.
        let out = unsafe { out.part(first * width..(first + even) * width) };
        interleave(&rows[first * width..], width, width, own, out);
    });
}

/// Blocks of rows.
fn blocks(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(ROWS)
        .map(move |first| first..(first + ROWS).min(count))
}

/// Which of the places belong to some rows; they are sorted.
fn range_of(keys: &[(u32, u32)], rows: &Range<usize>) -> Range<usize> {
    let place = |row: usize| keys.partition_point(|(at, _)| (*at as usize) < row);
    place(rows.start)..place(rows.end)
}

/// The sum of the weights of each row's targets.
fn row_totals(targets: &[(u32, u32, f32)], rows: &Range<usize>) -> Vec<f32> {
    let mut totals = vec![0.0; rows.len()];
    for (at, _, weight) in targets {
        totals[*at as usize - rows.start] += weight;
    }
    totals
}
