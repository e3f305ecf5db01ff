//! Products with weights and activations of 8 bits, in blocks of 32 with a scale each. The sums within a block are
//! exact integers; the blocks are added up in order, so the result is the same on every machine and in every tile.

use std::ops::Range;

use super::columns::Columns;

/// Values that share a scale.
pub const BLOCK: usize = 32;
/// Output channels that lie together.
pub const PANEL: usize = 16;
/// Inputs that lie together: one lane of a vector of 32-bit sums.
const QUAD: usize = 4;
/// Rows computed together.
const TILE: usize = 4;
const BLOCK_BYTES: usize = BLOCK * PANEL;

/// A weight matrix of `outputs` x `inputs`, in panels of 16 outputs, blocks of 32 inputs, quads of 4 inputs.
pub struct Weights {
    data: Vec<i8>,
    scales: Vec<f32>,
    blocks: usize,
}

/// Rows of activations.
pub struct Activations {
    data: Vec<i8>,
    scales: Vec<f32>,
    blocks: usize,
}

/// Rounds a block to 8 bits and returns its scale.
#[inline(always)]
fn quantise(block: &[f32; BLOCK], out: &mut [i8; BLOCK]) -> f32 {
    let mut top = 0.0f32;
    for x in block {
        let x = x.abs();
        top = if x > top { x } else { top };
    }
    let inverse = if top > 0.0 { 127.0 / top } else { 0.0 };
    for (out, x) in out.iter_mut().zip(block) {
        *out = super::math::round(x * inverse);
    }
    top / 127.0
}

impl Weights {
    /// Packs row-major `weights`; both sides are filled up with zeros to whole panels and blocks.
    pub fn new(weights: &[f32], outputs: usize, inputs: usize) -> Self {
        let (panels, blocks) = (outputs.div_ceil(PANEL), inputs.div_ceil(BLOCK));
        let mut data = vec![0; panels * blocks * BLOCK_BYTES];
        let mut scales = vec![0.0; panels * blocks * PANEL];
        for (output, row) in weights.chunks_exact(inputs).enumerate() {
            let (panel, channel) = (output / PANEL, output % PANEL);
            for (index, part) in row.chunks(BLOCK).enumerate() {
                let mut block = [0.0; BLOCK];
                block[..part.len()].copy_from_slice(part);
                let mut rounded = [0; BLOCK];
                let place = panel * blocks + index;
                scales[place * PANEL + channel] = quantise(&block, &mut rounded);
                for (quad, values) in rounded.chunks_exact(QUAD).enumerate() {
                    let start = place * BLOCK_BYTES + (quad * PANEL + channel) * QUAD;
                    data[start..start + QUAD].copy_from_slice(values);
                }
            }
        }
        Self {
            data,
            scales,
            blocks,
        }
    }

    /// One output's weights, as they are after rounding.
    pub fn row(&self, output: usize, inputs: usize) -> Vec<f32> {
        let (panel, channel) = (output / PANEL, output % PANEL);
        (0..inputs)
            .map(|input| {
                let place = panel * self.blocks + input / BLOCK;
                let quad = input % BLOCK / QUAD;
                let value =
                    self.data[place * BLOCK_BYTES + (quad * PANEL + channel) * QUAD + input % QUAD];
                f32::from(value) * self.scales[place * PANEL + channel]
            })
            .collect()
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.data.len() + 4 * self.scales.len()
    }

    /// Computes some panels of `x w^T`, for `rows` rows.
    pub fn product(&self, x: &Activations, rows: usize, panels: Range<usize>, out: &Columns<'_>) {
        assert_eq!(x.blocks, self.blocks);
        let wide = wide();
        for panel in panels {
            let weights =
                &self.data[panel * self.blocks * BLOCK_BYTES..][..self.blocks * BLOCK_BYTES];
            let scales = &self.scales[panel * self.blocks * PANEL..][..self.blocks * PANEL];
            for row in (0..rows).step_by(TILE) {
                let count = TILE.min(rows - row);
                let mut sums = [[0.0; PANEL]; TILE];
                let tile = Tile {
                    weights,
                    weight_scales: scales,
                    rows: std::array::from_fn(|r| {
                        let row = row + r.min(count - 1);
                        (
                            &x.data[row * x.blocks * BLOCK..][..x.blocks * BLOCK],
                            &x.scales[row * x.blocks..][..x.blocks],
                        )
                    }),
                };
                if wide {
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: `wide` says that the machine has AVX2 and FMA.
                    unsafe {
                        if count == 1 {
                            tile.avx2::<1>(&mut sums)
                        } else {
                            tile.avx2::<TILE>(&mut sums)
                        }
                    }
                } else {
                    tile.plain(count, &mut sums);
                }
                for (r, sums) in sums.iter().take(count).enumerate() {
                    out.put(row + r, panel * PANEL, sums);
                }
            }
        }
    }
}

fn wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Activations {
    /// Rounds rows of `inputs` values each.
    pub fn new(x: &[f32], inputs: usize) -> Self {
        let blocks = inputs.div_ceil(BLOCK);
        let rows = x.len() / inputs;
        let mut data = vec![0; rows * blocks * BLOCK];
        let mut scales = vec![0.0; rows * blocks];
        if inputs.is_multiple_of(BLOCK) {
            round(x, &mut data, &mut scales);
        } else {
            let mut padded = vec![0.0; blocks * BLOCK];
            for (row, x) in x.chunks_exact(inputs).enumerate() {
                padded[..inputs].copy_from_slice(x);
                let data = &mut data[row * blocks * BLOCK..][..blocks * BLOCK];
                round(&padded, data, &mut scales[row * blocks..][..blocks]);
            }
        }
        Self {
            data,
            scales,
            blocks,
        }
    }
}

super::fast! {
    fn round(x: &[f32], data: &mut [i8], scales: &mut [f32]) {
        let blocks = x.as_chunks::<BLOCK>().0;
        for ((x, out), scale) in blocks.iter().zip(data.as_chunks_mut::<BLOCK>().0).zip(scales) {
            *scale = quantise(x, out);
        }
    }
}

struct Tile<'a> {
    weights: &'a [i8],
    weight_scales: &'a [f32],
    /// Values and scales of each row.
    rows: [(&'a [i8], &'a [f32]); TILE],
}

impl Tile<'_> {
    fn plain(&self, count: usize, sums: &mut [[f32; PANEL]; TILE]) {
        for ((x, x_scales), sums) in self.rows.iter().take(count).zip(sums) {
            let blocks = self
                .weights
                .chunks_exact(BLOCK_BYTES)
                .zip(x.chunks_exact(BLOCK));
            for (index, (weights, x)) in blocks.enumerate() {
                let mut exact = [0i32; PANEL];
                for (weights, x) in weights.chunks_exact(PANEL * QUAD).zip(x.chunks_exact(QUAD)) {
                    for (exact, weights) in exact.iter_mut().zip(weights.chunks_exact(QUAD)) {
                        for (w, x) in weights.iter().zip(x) {
                            *exact += i32::from(*w) * i32::from(*x);
                        }
                    }
                }
                let scales = &self.weight_scales[index * PANEL..][..PANEL];
                for ((sum, exact), scale) in sums.iter_mut().zip(exact).zip(scales) {
                    *sum = (exact as f32).mul_add(x_scales[index] * scale, *sum);
                }
            }
        }
    }

    /// As [`Tile::plain`], for the first `R` rows.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    #[allow(clippy::needless_range_loop, reason = "indices of registers")]
    fn avx2<const R: usize>(&self, sums: &mut [[f32; PANEL]; TILE]) {
        use std::arch::x86_64::*;
        let ones = _mm256_set1_epi16(1);
        let blocks = self.weights.len() / BLOCK_BYTES;
        debug_assert!(
            self.rows
                .iter()
                .all(|(x, scales)| x.len() == blocks * BLOCK && scales.len() == blocks)
        );
        debug_assert_eq!(self.weight_scales.len(), blocks * PANEL);
        let mut totals = [[_mm256_setzero_ps(); 2]; R];
        for block in 0..blocks {
            let mut exact = [[_mm256_setzero_si256(); 2]; R];
            // SAFETY: all slices hold `blocks` blocks, and every offset lies within block `block`.
            unsafe {
                let weights = self.weights.as_ptr().add(block * BLOCK_BYTES);
                for quad in 0..BLOCK / QUAD {
                    let at = weights.add(quad * PANEL * QUAD).cast::<__m256i>();
                    let w = [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))];
                    // |w| times x with w's sign: the one side unsigned, as the instruction wants it; the sum of
                    // two products is at most 2 * 127 * 127, which 16 bits hold.
                    let size = [_mm256_abs_epi8(w[0]), _mm256_abs_epi8(w[1])];
                    for r in 0..R {
                        let x = self.rows[r].0.as_ptr().add(block * BLOCK + quad * QUAD);
                        let x = _mm256_set1_epi32(x.cast::<i32>().read_unaligned());
                        for j in 0..2 {
                            let pairs = _mm256_maddubs_epi16(size[j], _mm256_sign_epi8(x, w[j]));
                            exact[r][j] =
                                _mm256_add_epi32(exact[r][j], _mm256_madd_epi16(pairs, ones));
                        }
                    }
                }
                let scales = self.weight_scales.as_ptr().add(block * PANEL);
                let scales = [_mm256_loadu_ps(scales), _mm256_loadu_ps(scales.add(8))];
                for r in 0..R {
                    let x_scale = _mm256_set1_ps(*self.rows[r].1.as_ptr().add(block));
                    for j in 0..2 {
                        let scale = _mm256_mul_ps(x_scale, scales[j]);
                        totals[r][j] =
                            _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact[r][j]), scale, totals[r][j]);
                    }
                }
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            // SAFETY: a panel is two vectors.
            unsafe {
                _mm256_storeu_ps(sums.as_mut_ptr(), totals[0]);
                _mm256_storeu_ps(sums.as_mut_ptr().add(8), totals[1]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(i: usize) -> f32 {
        ((i * 7919 % 2003) as f32 - 1001.0) / 137.0
    }

    #[test]
    fn the_product_is_near_and_the_same_in_every_tile_and_kernel() {
        for (rows, outputs, inputs) in [(9, 40, 96), (1, 16, 32), (5, 7, 50)] {
            let w: Vec<f32> = (0..outputs * inputs).map(value).collect();
            let x: Vec<f32> = (0..rows * inputs).map(|i| value(i + 77)).collect();
            let weights = Weights::new(&w, outputs, inputs);
            let panels = outputs.div_ceil(PANEL);
            let run = |x: &[f32]| {
                let count = x.len() / inputs;
                let mut data = vec![0.0; count * panels * PANEL];
                let out = Columns::new(&mut data, panels * PANEL);
                weights.product(&Activations::new(x, inputs), count, 0..panels, &out);
                data
            };
            let all = run(&x);
            for row in 0..rows {
                let x = &x[row * inputs..][..inputs];
                assert_eq!(run(x), all[row * panels * PANEL..][..panels * PANEL]);
                for output in 0..outputs {
                    let w = &w[output * inputs..][..inputs];
                    let right: f32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                    let size: f32 = x.iter().zip(w).map(|(x, w)| (x * w).abs()).sum();
                    assert!((all[row * panels * PANEL + output] - right).abs() < 0.01 * size);
                }
            }
        }
    }

    #[test]
    fn extremes_do_not_overflow_and_both_kernels_agree() {
        let inputs = 256;
        let w: Vec<f32> = (0..PANEL * inputs)
            .map(|i| if i % 3 == 0 { -1.0 } else { 1.0 })
            .collect();
        let x: Vec<f32> = (0..TILE * inputs)
            .map(|i| if i % 5 == 0 { -9.0 } else { 9.0 })
            .collect();
        let (weights, x) = (
            Weights::new(&w, PANEL, inputs),
            Activations::new(&x, inputs),
        );
        let tile = Tile {
            weights: &weights.data,
            weight_scales: &weights.scales,
            rows: std::array::from_fn(|r| {
                (
                    &x.data[r * inputs..][..inputs],
                    &x.scales[r * inputs / BLOCK..][..inputs / BLOCK],
                )
            }),
        };
        let mut plain = [[0.0; PANEL]; TILE];
        tile.plain(TILE, &mut plain);
        #[cfg(target_arch = "x86_64")]
        if wide() {
            let mut vector = [[0.0; PANEL]; TILE];
            // SAFETY: the machine has AVX2 and FMA.
            unsafe { tile.avx2::<TILE>(&mut vector) };
            assert_eq!(plain, vector);
        }
        let right: f32 = (0..inputs)
            .map(|i| {
                if (i % 3 == 0) == (i % 5 == 0) {
                    9.0
                } else {
                    -9.0
                }
            })
            .sum();
        assert!((plain[0][0] - right).abs() < 1.0, "{} {right}", plain[0][0]);
    }
}
