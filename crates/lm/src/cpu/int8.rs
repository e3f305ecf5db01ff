//! Products with weights and activations of 8 bits, in blocks of 32 with a scale each. The sums within a block are
//! exact integers; the blocks are added up in order, so the result is the same on every machine and in every tile.

use std::ops::Range;

use super::columns::Columns;
use super::memory::{Memory, Piece};
use super::vectors::{Vectors, vectors};
pub use activations::Activations;
use activations::quantise;

mod activations;

/// Values that share a scale.
pub const BLOCK: usize = 32;
/// Output channels that lie together.
pub const PANEL: usize = 16;
/// Inputs that lie together: one lane of a vector of 32-bit sums.
const QUAD: usize = 4;
/// Rows computed together.
const TILE: usize = 4;
/// Panels computed together.
const PAIR: usize = 2;
const BLOCK_BYTES: usize = BLOCK * PANEL;
/// Bytes that come from memory together.
const LINE: usize = 64;

/// A weight matrix of `outputs` x `inputs`, in panels of 16 outputs, blocks of 32 inputs, quads of 4 inputs. No value
/// is -128.
pub struct Weights {
    data: Piece<i8>,
    scales: Piece<f32>,
    blocks: usize,
}

impl Weights {
    /// Packs row-major `weights`; both sides are filled up with zeros to whole panels and blocks.
    pub fn new(weights: &[f32], outputs: usize, inputs: usize, memory: &Memory) -> Self {
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
                    for (place, value) in data[start..].iter_mut().zip(values) {
                        *place = (*value).max(-127); // what is no number may round to anything
                    }
                }
            }
        }
        Self {
            data: memory.keep(&data),
            scales: memory.keep(&scales),
            blocks,
        }
    }

    /// One output's weights, as they are after rounding.
    pub fn row(&self, output: usize, out: &mut [f32]) {
        let (panel, channel) = (output / PANEL, output % PANEL);
        for (index, out) in out.chunks_mut(BLOCK).enumerate() {
            let place = panel * self.blocks + index;
            let block = &self.data[place * BLOCK_BYTES..][..BLOCK_BYTES];
            let scale = self.scales[place * PANEL + channel];
            let quads = block.chunks_exact(PANEL * QUAD);
            for (out, quads) in out.chunks_mut(QUAD).zip(quads) {
                for (out, value) in out.iter_mut().zip(&quads[channel * QUAD..]) {
                    *out = f32::from(*value) * scale;
                }
            }
        }
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.data.len() + 4 * self.scales.len()
    }

    /// Computes some panels of `x w^T`, for all rows of `x`.
    ///
    /// # Safety
    /// No other thread writes these panels of `out` meanwhile.
    pub unsafe fn product(&self, x: &Activations, panels: Range<usize>, out: &Columns<'_>) {
        assert_eq!(x.blocks, self.blocks);
        let kind = vectors();
        let tiles = out.rows().div_ceil(TILE);
        let mut panel = panels.start;
        while panel < panels.end {
            let count = PAIR.min(panels.end - panel);
            let next = (panel + count) * self.blocks * BLOCK_BYTES;
            let ahead = (count * self.blocks * BLOCK_BYTES).div_ceil(tiles);
            for tile in 0..tiles {
                let row = tile * TILE;
                let tile = Tile {
                    // Past the end of all weights it is of no use, and no harm.
                    next: self.data.as_ptr().wrapping_add(next + tile * ahead),
                    ahead: ahead.div_ceil(self.blocks),
                    ..Tile::new(self, panel, count, x, row, TILE.min(out.rows() - row))
                };
                let places = std::array::from_fn(|r| {
                    out.place(row + r.min(tile.rows - 1), panel * PANEL, count * PANEL)
                });
                // SAFETY: the vectors are the machine's; the places have room and are this call's alone, as the caller
                // promises.
                unsafe { tile.compute(kind, places) };
            }
            panel += count;
        }
    }
}

/// Some rows of some successive panels.
struct Tile<'a> {
    /// Of each panel in turn.
    weights: &'a [i8],
    weight_scales: &'a [f32],
    panels: usize,
    /// Of each row in turn.
    x: &'a [i8],
    x_scales: &'a [f32],
    excess: &'a [i32],
    rows: usize,
    blocks: usize,
    /// What is to be fetched from memory meanwhile, and how many bytes for each block.
    next: *const i8,
    ahead: usize,
}

impl<'a> Tile<'a> {
    fn new(
        weights: &'a Weights,
        panel: usize,
        panels: usize,
        x: &'a Activations,
        row: usize,
        rows: usize,
    ) -> Self {
        let blocks = weights.blocks;
        let (place, count) = (panel * blocks, panels * blocks);
        Self {
            weights: &weights.data[place * BLOCK_BYTES..][..count * BLOCK_BYTES],
            weight_scales: &weights.scales[place * PANEL..][..count * PANEL],
            panels,
            x: &x.data[row * blocks * BLOCK..][..rows * blocks * BLOCK],
            x_scales: &x.scales[row * blocks..][..rows * blocks],
            excess: &x.excess[row * blocks..][..rows * blocks],
            rows,
            blocks,
            next: weights.data.as_ptr(),
            ahead: 0,
        }
    }

    /// Computes the tile.
    ///
    /// # Safety
    /// The machine has such vectors; each row of `out` has room for the tile's panels and is nobody else's.
    unsafe fn compute(&self, kind: Vectors, out: [*mut f32; TILE]) {
        // SAFETY: as the caller promises; the tile has so many rows and panels.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            match (kind, self.rows, self.panels) {
                (Vectors::Avx512, 1, 1) => return self.avx512::<1, 1>(out),
                (Vectors::Avx512, 1, PAIR) => return self.avx512::<1, PAIR>(out),
                (Vectors::Avx512, 2, 1) => return self.avx512::<2, 1>(out),
                (Vectors::Avx512, 2, PAIR) => return self.avx512::<2, PAIR>(out),
                (Vectors::Avx512, 3, 1) => return self.avx512::<3, 1>(out),
                (Vectors::Avx512, 3, PAIR) => return self.avx512::<3, PAIR>(out),
                (Vectors::Avx512, TILE, 1) => return self.avx512::<TILE, 1>(out),
                (Vectors::Avx512, TILE, PAIR) => return self.avx512::<TILE, PAIR>(out),
                (Vectors::Avx2, 1, _) => return self.avx2::<1>(out),
                (Vectors::Avx2, 2, _) => return self.avx2::<2>(out),
                (Vectors::Avx2, 3, _) => return self.avx2::<3>(out),
                (Vectors::Avx2, TILE, _) => return self.avx2::<TILE>(out),
                _ => {}
            }
            let _ = kind;
            self.plain(out);
        }
    }

    /// # Safety
    /// Each row of `out` has room for the tile's panels and is nobody else's.
    unsafe fn plain(&self, out: [*mut f32; TILE]) {
        for (row, out) in out.into_iter().enumerate().take(self.rows) {
            for panel in 0..self.panels {
                let mut sums = [0.0; PANEL];
                for block in 0..self.blocks {
                    let place = panel * self.blocks + block;
                    let weights = &self.weights[place * BLOCK_BYTES..][..BLOCK_BYTES];
                    let scales = &self.weight_scales[place * PANEL..][..PANEL];
                    let place = row * self.blocks + block;
                    let x = &self.x[place * BLOCK..][..BLOCK];
                    let x_scale = self.x_scales[place];
                    let mut exact = [0i32; PANEL];
                    for (weights, x) in weights.chunks_exact(PANEL * QUAD).zip(x.chunks_exact(QUAD))
                    {
                        for (exact, weights) in exact.iter_mut().zip(weights.chunks_exact(QUAD)) {
                            for (w, x) in weights.iter().zip(x) {
                                *exact += i32::from(*w) * i32::from(*x);
                            }
                        }
                    }
                    for ((sum, exact), scale) in sums.iter_mut().zip(exact).zip(scales) {
                        *sum = (exact as f32).mul_add(x_scale * scale, *sum);
                    }
                }
                // SAFETY: the place has room for the panel, as the caller promises.
                unsafe {
                    out.add(panel * PANEL)
                        .cast::<[f32; PANEL]>()
                        .write_unaligned(sums)
                };
            }
        }
    }

    /// As [`Tile::plain`], for the first `R` rows.
    ///
    /// # Safety
    /// As for [`Tile::plain`]; the tile has `R` rows.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    #[allow(clippy::needless_range_loop, reason = "indices of registers")]
    unsafe fn avx2<const R: usize>(&self, out: [*mut f32; TILE]) {
        use std::arch::x86_64::*;
        let ones = _mm256_set1_epi16(1);
        for panel in 0..self.panels {
            let mut totals = [[_mm256_setzero_ps(); 2]; R];
            for block in 0..self.blocks {
                let mut exact = [[_mm256_setzero_si256(); 2]; R];
                let place = panel * self.blocks + block;
                // SAFETY: the slices hold `blocks` blocks of every panel and row.
                unsafe {
                    let weights = self.weights.as_ptr().add(place * BLOCK_BYTES);
                    for quad in 0..BLOCK / QUAD {
                        let at = weights.add(quad * PANEL * QUAD).cast::<__m256i>();
                        let w = [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))];
                        // |w| times x with w's sign: the one side unsigned, as the instruction wants it; the sum of
                        // two products is at most 2 * 127 * 127, which 16 bits hold.
                        let size = [_mm256_abs_epi8(w[0]), _mm256_abs_epi8(w[1])];
                        for r in 0..R {
                            let x = _mm256_set1_epi32(self.quad(r, block, quad));
                            for j in 0..2 {
                                let pairs =
                                    _mm256_maddubs_epi16(size[j], _mm256_sign_epi8(x, w[j]));
                                exact[r][j] =
                                    _mm256_add_epi32(exact[r][j], _mm256_madd_epi16(pairs, ones));
                            }
                        }
                    }
                    let scales = self.weight_scales.as_ptr().add(place * PANEL);
                    let scales = [_mm256_loadu_ps(scales), _mm256_loadu_ps(scales.add(8))];
                    for r in 0..R {
                        let x_scale = *self.x_scales.get_unchecked(r * self.blocks + block);
                        let x_scale = _mm256_set1_ps(x_scale);
                        for j in 0..2 {
                            let scale = _mm256_mul_ps(x_scale, scales[j]);
                            totals[r][j] = _mm256_fmadd_ps(
                                _mm256_cvtepi32_ps(exact[r][j]),
                                scale,
                                totals[r][j],
                            );
                        }
                    }
                }
            }
            for (out, totals) in out.into_iter().zip(totals) {
                for (j, totals) in totals.into_iter().enumerate() {
                    // SAFETY: the place has room for the panel.
                    unsafe { _mm256_storeu_ps(out.add(panel * PANEL + 8 * j), totals) };
                }
            }
        }
    }

    /// As [`Tile::plain`], for the first `R` rows and `P` panels.
    ///
    /// # Safety
    /// As for [`Tile::plain`]; the tile has `R` rows and `P` panels.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[allow(clippy::needless_range_loop, reason = "indices of registers")]
    unsafe fn avx512<const R: usize, const P: usize>(&self, out: [*mut f32; TILE]) {
        use std::arch::x86_64::*;
        // The instruction wants one side unsigned: w + 128, which makes the sums too large by 128 times that of x.
        let more = _mm512_set1_epi8(-128);
        let mut totals = [[_mm512_setzero_ps(); P]; R];
        for block in 0..self.blocks {
            for line in (block * self.ahead..(block + 1) * self.ahead).step_by(LINE) {
                _mm_prefetch::<_MM_HINT_T0>(self.next.wrapping_add(line));
            }
            // SAFETY: the slices hold `blocks` blocks of every panel and row.
            unsafe {
                let mut exact: [[__m512i; P]; R] = std::array::from_fn(|r| {
                    [_mm512_set1_epi32(*self.excess.get_unchecked(r * self.blocks + block)); P]
                });
                for quad in 0..BLOCK / QUAD {
                    let w: [__m512i; P] = std::array::from_fn(|p| {
                        let place = (p * self.blocks + block) * BLOCK_BYTES + quad * PANEL * QUAD;
                        let w = _mm512_loadu_si512(self.weights.as_ptr().add(place).cast());
                        _mm512_xor_si512(w, more)
                    });
                    for r in 0..R {
                        let x = _mm512_set1_epi32(self.quad(r, block, quad));
                        for p in 0..P {
                            exact[r][p] = _mm512_dpbusd_epi32(exact[r][p], w[p], x);
                        }
                    }
                }
                for p in 0..P {
                    let scales = (p * self.blocks + block) * PANEL;
                    let scales = _mm512_loadu_ps(self.weight_scales.as_ptr().add(scales));
                    for r in 0..R {
                        let x_scale = *self.x_scales.get_unchecked(r * self.blocks + block);
                        let scale = _mm512_mul_ps(_mm512_set1_ps(x_scale), scales);
                        totals[r][p] =
                            _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact[r][p]), scale, totals[r][p]);
                    }
                }
            }
        }
        for (out, totals) in out.into_iter().zip(totals) {
            for (p, totals) in totals.into_iter().enumerate() {
                // SAFETY: the place has room for the panels.
                unsafe { _mm512_storeu_ps(out.add(p * PANEL), totals) };
            }
        }
    }

    /// Four values of a row.
    ///
    /// # Safety
    /// The tile has such a row, block and quad.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn quad(&self, row: usize, block: usize, quad: usize) -> i32 {
        let place = (row * self.blocks + block) * BLOCK + quad * QUAD;
        // SAFETY: as the caller promises.
        unsafe { self.x.as_ptr().add(place).cast::<i32>().read_unaligned() }
    }
}

#[cfg(test)]
mod tests;
