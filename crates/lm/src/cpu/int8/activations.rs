//! Activations, and weights, rounded to 8 bits.

use super::super::vectors::{Vectors, fast, vectors};
use super::BLOCK;

/// Rows of activations.
#[derive(Default)]
pub struct Activations {
    /// None is -128.
    pub(super) data: Vec<i8>,
    pub(super) scales: Vec<f32>,
    /// Of each block the sum of its values, times -128: what is too much where 128 was added to the weights.
    pub(super) excess: Vec<i32>,
    pub(super) blocks: usize,
}

/// Rounds a block to 8 bits and returns its scale: NaN for a block in which something is no number, so that it shows.
#[inline(always)]
pub(super) fn quantise(block: &[f32; BLOCK], out: &mut [i8; BLOCK]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut tops = [0.0f32; 8];
    for part in block.as_chunks::<8>().0 {
        for (top, x) in tops.iter_mut().zip(part) {
            *top = larger(x.abs(), *top);
        }
    }
    let mut top = tops.into_iter().fold(0.0, larger);
    if block.iter().fold(false, |found, x| found | x.is_nan()) {
        top = f32::NAN;
    }
    let inverse = if top > 0.0 { 127.0 / top } else { 0.0 };
    for (out, x) in out.iter_mut().zip(block) {
        *out = super::super::math::round(x * inverse);
    }
    top / 127.0
}

/// As [`quantise`]; returns the sum of the rounded values too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn quantise512(block: &[f32; BLOCK], out: &mut [i8; BLOCK]) -> (f32, i32) {
    use std::arch::x86_64::*;
    // SAFETY: a block is two vectors of floats.
    let x = unsafe {
        [
            _mm512_loadu_ps(block.as_ptr()),
            _mm512_loadu_ps(block.as_ptr().add(BLOCK / 2)),
        ]
    };
    // Of a number and none (NaN), the instruction takes its second operand.
    let tops = _mm512_max_ps(_mm512_abs_ps(x[0]), _mm512_setzero_ps());
    let tops = _mm512_max_ps(_mm512_abs_ps(x[1]), tops);
    let tops = _mm256_max_ps(
        _mm512_extractf32x8_ps(tops, 1),
        _mm512_castps512_ps256(tops),
    );
    let tops = _mm_max_ps(_mm256_extractf128_ps(tops, 1), _mm256_castps256_ps128(tops));
    let tops = _mm_max_ps(_mm_movehl_ps(tops, tops), tops);
    let mut top = _mm_cvtss_f32(_mm_max_ss(_mm_movehdup_ps(tops), tops));
    if _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x[0], x[1]) != 0 {
        top = f32::NAN;
    }
    let inverse = _mm512_set1_ps(if top > 0.0 { 127.0 / top } else { 0.0 });
    let rounded = x.map(|x| {
        let x = _mm512_add_ps(
            _mm512_mul_ps(x, inverse),
            _mm512_set1_ps(super::super::math::ROUND),
        );
        _mm512_cvtepi32_epi8(_mm512_castps_si512(x))
    });
    let rounded = _mm256_set_m128i(rounded[1], rounded[0]);
    // SAFETY: a block is one vector of bytes.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), rounded) };
    // The instruction sums unsigned bytes: each 128 more.
    let bytes = _mm256_xor_si256(rounded, _mm256_set1_epi8(-128));
    let sums = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
    let sums = _mm_add_epi64(
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256(sums, 1),
    );
    let sum = _mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 2);
    (top / 127.0, sum - 128 * BLOCK as i32)
}

impl Activations {
    /// Rounds rows of `inputs` values each, in place of what was held.
    pub fn fill(&mut self, x: &[f32], inputs: usize) {
        let blocks = inputs.div_ceil(BLOCK);
        let rows = x.len() / inputs;
        self.blocks = blocks;
        self.data.resize(rows * blocks * BLOCK, 0);
        self.scales.resize(rows * blocks, 0.0);
        self.excess.resize(rows * blocks, 0);
        for (row, x) in x.chunks_exact(inputs).enumerate() {
            let row = Row {
                data: &mut self.data[row * blocks * BLOCK..][..blocks * BLOCK],
                scales: &mut self.scales[row * blocks..][..blocks],
                excess: &mut self.excess[row * blocks..][..blocks],
            };
            round(x, row);
        }
    }
}

/// Rounds a row, filled up with zeros to whole blocks.
fn round(x: &[f32], row: Row<'_>) {
    #[cfg(target_arch = "x86_64")]
    if vectors() == Vectors::Avx512 {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { round512(x, row) };
    }
    round_plain(x, row);
}

/// A row of [`Activations`].
struct Row<'a> {
    data: &'a mut [i8],
    scales: &'a mut [f32],
    excess: &'a mut [i32],
}

impl Row<'_> {
    /// Fills the row with what `quantise` makes of every block, its scale and its sum.
    #[inline(always)]
    fn fill(self, x: &[f32], quantise: impl Fn(&[f32; BLOCK], &mut [i8; BLOCK]) -> (f32, i32)) {
        let (whole, rest) = x.as_chunks();
        let mut last = [0.0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let blocks = whole.iter().chain([&last]);
        let results = self.scales.iter_mut().zip(self.excess);
        for ((x, out), (scale, excess)) in blocks.zip(self.data.as_chunks_mut().0).zip(results) {
            let (size, sum) = quantise(x, out);
            (*scale, *excess) = (size, -128 * sum);
        }
    }
}

fast! {
    fn round_plain(x: &[f32], row: Row<'_>) {
        row.fill(x, |x, out| {
            let scale = quantise(x, out);
            (scale, out.iter().map(|x| i32::from(*x)).sum())
        });
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn round512(x: &[f32], row: Row<'_>) {
    row.fill(x, |x, out| quantise512(x, out));
}
