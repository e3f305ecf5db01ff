//! Elementwise functions and row reductions, in fixed order.

use super::vectors::fast;

/// Added to a float of less than 2^22, rounds it to the nearest whole number, of two the even one, which then stands in the
/// last bits. (`round_ties_even` is a call where a function is compiled for plain x86-64.)
pub const ROUND: f32 = 12_582_912.0;

/// The nearest whole number, for values that 8 bits hold.
#[inline(always)]
pub fn round(x: f32) -> i8 {
    (x + ROUND).to_bits() as i8
}

/// e^x to about 2 units in the last place, for x <= 88; below -87 it is 0.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, the first with few bits, so that n * HIGH is exact.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = clamped * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = n.mul_add(-LOW, n.mul_add(-HIGH, clamped));
    // Taylor's polynomial; |r| <= ln(2) / 2.
    let mut p = 1.0 / 5040.0;
    for c in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = r.mul_add(p, c);
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { p * power }
}

/// Lanes of a reduction: enough for two vectors of eight.
const LANES: usize = 16;

/// Adds up what `f` makes of every element, in lanes, the rest last.
#[inline(always)]
pub fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f(*value);
        }
    }
    let mut total = 0.0;
    for lane in lanes {
        total += lane;
    }
    for value in rest {
        total += f(*value);
    }
    total
}

#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    let mut top = f32::NEG_INFINITY;
    for value in lanes.iter().chain(rest) {
        top = if *value > top { *value } else { top };
    }
    top
}

fast! {
    /// RMSNorm (Zhang and Sennrich 2019): `out = x / sqrt(mean(x^2) + epsilon) * weight`.
    pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        let mean = sum(x, |v| v * v) / x.len() as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x * scale * weight;
        }
    }
}

fast! {
    /// RMSNorm of each head by itself, heads side by side.
    pub fn norm_heads(heads: &mut [f32], weight: &[f32], epsilon: f32) {
        for head in heads.chunks_exact_mut(weight.len()) {
            let mean = sum(head, |v| v * v) / head.len() as f32;
            let scale = 1.0 / (mean + epsilon).sqrt();
            for (x, weight) in head.iter_mut().zip(weight) {
                *x = *x * scale * weight;
            }
        }
    }
}

fast! {
    /// Whether all are finite numbers.
    pub fn finite(x: &[f32]) -> bool {
        // What is not gives NaN, which no sum loses.
        sum(x, |v| v * 0.0) == 0.0
    }
}

fast! {
    /// SwiGLU's middle: `out = silu(gate) * up`.
    pub fn gate(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = *gate / (1.0 + exp(-*gate)) * up;
        }
    }
}

fast! {
    /// `x += y`.
    pub fn add(x: &mut [f32], y: &[f32]) {
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    }
}

fast! {
    /// `x = e^(scale * (x - max))` over both parts as one row, divided by their common sum.
    pub fn softmax(first: &mut [f32], second: &mut [f32], scale: f32) {
        let top = max(first).max(max(second));
        for part in [&mut *first, &mut *second] {
            for x in part {
                *x = exp((*x - top) * scale);
            }
        }
        let inverse = 1.0 / (sum(first, |v| v) + sum(second, |v| v));
        for part in [first, second] {
            for x in part {
                *x *= inverse;
            }
        }
    }
}

fast! {
    /// Turns logits into weights: `e^((x - max) / temperature)`, the largest 1.
    pub fn weigh(x: &mut [f32], temperature: f32) {
        let top = max(x);
        let inverse = 1.0 / temperature;
        for x in x.iter_mut() {
            *x = exp((*x - top) * inverse);
        }
    }
}

fast! {
    /// The sum of a row, in the order of every other sum here.
    pub fn total(x: &[f32]) -> f32 {
        sum(x, |v| v)
    }
}

/// Rotary position embedding (Su et al. 2021), the halves of a head as pairs.
pub struct Rope {
    /// Of each pair, by position.
    frequencies: Vec<f64>,
    /// For every position so far the cosines of all pairs, then their sines.
    table: Vec<f32>,
}

impl Rope {
    /// With the angle by which each pair turns from one position to the next.
    pub fn new(frequencies: Vec<f64>) -> Self {
        Self {
            frequencies,
            table: Vec::new(),
        }
    }

    /// Makes the table reach over so many positions.
    pub fn reach(&mut self, positions: usize) {
        for position in self.table.len() / (2 * self.frequencies.len())..positions {
            for f in [libm::cos, libm::sin] {
                let angles = self.frequencies.iter().map(|f| position as f64 * f);
                self.table.extend(angles.map(|angle| f(angle) as f32));
            }
        }
    }

    /// Turns heads, side by side, at their position.
    pub fn turn(&self, heads: &mut [f32], position: usize) {
        let (cosines, sines) = self.at(position);
        turn(heads, cosines, sines);
    }

    /// Turns them back.
    pub fn turn_back(&self, heads: &mut [f32], position: usize) {
        let (cosines, sines) = self.at(position);
        turn_back(heads, cosines, sines);
    }

    fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let half = self.frequencies.len();
        let table = &self.table[position * 2 * half..][..2 * half];
        table.split_at(half)
    }
}

fast! {
    fn turn(heads: &mut [f32], cosines: &[f32], sines: &[f32]) {
        let half = cosines.len();
        for head in heads.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}

fast! {
    fn turn_back(heads: &mut [f32], cosines: &[f32], sines: &[f32]) {
        let half = cosines.len();
        for head in heads.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
                (*a, *b) = (*a * cos + *b * sin, *b * cos - *a * sin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even() {
        for i in -1_270..1_270 {
            let x = i as f32 * 0.1;
            assert_eq!(f32::from(round(x)), x.round_ties_even(), "{x}");
        }
        for (x, right) in [
            (0.5, 0),
            (1.5, 2),
            (-0.5, 0),
            (-2.5, -2),
            (126.5, 126),
            (-127.0, -127),
        ] {
            assert_eq!(round(x), right);
        }
    }

    #[test]
    fn what_is_no_finite_number_is_found_wherever_it_stands() {
        for len in [1, 16, 17, 63] {
            let mut x: Vec<f32> = (0..len).map(|i| i as f32 * -1e36).collect();
            assert!(finite(&x));
            for at in 0..len {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let was = std::mem::replace(&mut x[at], bad);
                    assert!(!finite(&x), "{len} {at} {bad}");
                    x[at] = was;
                }
            }
        }
        assert!(finite(&[f32::MAX, f32::MIN, 1e-45, -0.0]));
    }

    #[test]
    fn exp_is_exact_to_two_units() {
        for i in -8_600..8_800 {
            let x = i as f32 * 0.01;
            let right = libm::exp(f64::from(x));
            let error = (f64::from(exp(x)) - right).abs() / right;
            assert!(error < 2.5e-7, "{x}: {error}");
        }
        assert_eq!(exp(-100.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn softmax_of_two_parts_is_that_of_the_whole() {
        let row: Vec<f32> = (0..37).map(|i| libm::sin(f64::from(i)) as f32).collect();
        let (mut first, mut second) = (row[..20].to_vec(), row[20..].to_vec());
        softmax(&mut first, &mut second, 0.5);
        let weights: Vec<f64> = row.iter().map(|x| libm::exp(f64::from(x * 0.5))).collect();
        let sum: f64 = weights.iter().sum();
        for (got, weight) in first.iter().chain(&second).zip(weights) {
            assert!((f64::from(*got) - weight / sum).abs() < 1e-6);
        }
        let mut alone = row.clone();
        softmax(&mut alone, &mut [], 0.5);
        assert!((alone.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
