//! What happens to single rows, forwards and backwards.

use crate::cpu::{exp, fast, sum};

fast! {
    /// RMSNorm backwards: adds to `dx` the gradient of `y = x / sqrt(mean(x^2) + epsilon) * weight` from `dy`, and leaves
    /// in `dy` the gradient of the weight.
    pub fn norm_back(x: &[f32], weight: &[f32], epsilon: f32, dy: &mut [f32], dx: &mut [f32]) {
        let mean = sum(x, |v| v * v) / x.len() as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        let mut dots = [0.0f32; 16];
        let lanes = dy.chunks(16).zip(x.chunks(16)).zip(weight.chunks(16));
        for ((dy, x), weight) in lanes {
            for (((dot, dy), x), weight) in dots.iter_mut().zip(dy).zip(x).zip(weight) {
                *dot += dy * x * weight;
            }
        }
        let mut dot = 0.0;
        for lane in dots {
            dot += lane;
        }
        let back = dot * scale * scale * scale / x.len() as f32;
        for (((dx, dy), x), weight) in dx.iter_mut().zip(dy).zip(x).zip(weight) {
            *dx += *dy * weight * scale - x * back;
            *dy = *dy * x * scale;
        }
    }
}

fast! {
    /// SwiGLU's middle forwards, and backwards in place: `gate` and `up` become their gradients, `change`, the middle's
    /// gradient, becomes the middle.
    pub fn gate_back(gate: &mut [f32], up: &mut [f32], change: &mut [f32]) {
        for ((gate, up), change) in gate.iter_mut().zip(up).zip(change) {
            let (g, u, d) = (*gate, *up, *change);
            let share = 1.0 / (1.0 + exp(-g));
            let silu = g * share;
            *change = silu * u;
            *up = d * silu;
            *gate = d * u * share * (1.0 + g * (1.0 - share));
        }
    }
}

fast! {
    /// `sum += row` for each of the rows, in order: columns from `from` on.
    pub fn add_rows(rows: &[f32], stride: usize, from: usize, total: &mut [f32]) {
        for row in rows.chunks_exact(stride) {
            for (total, value) in total.iter_mut().zip(&row[from..]) {
                *total += value;
            }
        }
    }
}

fast! {
    /// `x *= factor`.
    pub fn scale(x: &mut [f32], factor: f32) {
        for x in x {
            *x *= factor;
        }
    }
}

fast! {
    /// `x += factor * y`.
    pub fn add_scaled(x: &mut [f32], y: &[f32], factor: f32) {
        for (x, y) in x.iter_mut().zip(y) {
            *x += factor * y;
        }
    }
}

fast! {
    /// The dot product.
    pub fn dot(x: &[f32], y: &[f32]) -> f32 {
        let mut lanes = [0.0f32; 16];
        for (x, y) in x.chunks(16).zip(y.chunks(16)) {
            for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
                *lane += x * y;
            }
        }
        let mut total = 0.0;
        for lane in lanes {
            total += lane;
        }
        total
    }
}

fast! {
    /// The largest of a row, and the sum of `e^(x - largest)`.
    pub fn top_and_sum(x: &[f32]) -> (f32, f32) {
        let top = crate::cpu::max(x);
        (top, sum(x, |v| exp(v - top)))
    }
}

fast! {
    /// Logits become `factor` times their probabilities, of which `total` is the logarithm of the sum.
    pub fn probabilities(x: &mut [f32], total: f32, factor: f32) {
        for x in x {
            *x = factor * exp(*x - total);
        }
    }
}
