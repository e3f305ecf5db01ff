//! Products with weights and activations of 8 bits, in blocks of 32 with a scale each. The sums within a block are
//! exact integers; the blocks are added up in order, so the result is the same on every machine and in every tile.

use std::ops::Range;

use super::columns::Columns;
use super::memory::{Memory, Piece};
use super::vectors::{Vectors, fast, vectors};

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

/// Rows of activations.
#[derive(Default)]
pub struct Activations {
    /// None is -128.
    data: Vec<i8>,
    scales: Vec<f32>,
    /// Of each block the sum of its values, times -128: what is too much where 128 was added to the weights.
    excess: Vec<i32>,
    blocks: usize,
}

/// Rounds a block to 8 bits and returns its scale: NaN for a block in which something is no number, so that it shows.
#[inline(always)]
fn quantise(block: &[f32; BLOCK], out: &mut [i8; BLOCK]) -> f32 {
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
        *out = super::math::round(x * inverse);
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
            _mm512_set1_ps(super::math::ROUND),
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
mod tests {
    use super::super::vectors::test::with_each;
    use super::*;

    fn value(i: usize) -> f32 {
        ((i * 7919 % 2003) as f32 - 1001.0) / 137.0
    }

    fn activations(x: &[f32], inputs: usize) -> Activations {
        let mut activations = Activations::default();
        activations.fill(x, inputs);
        activations
    }

    fn product(weights: &Weights, x: &Activations, panels: usize) -> Vec<f32> {
        let width = panels * PANEL;
        let mut data = vec![f32::NAN; x.data.len() / (x.blocks * BLOCK) * width];
        let out = Columns::new(data.chunks_exact_mut(width), width);
        // SAFETY: nobody else has the columns.
        unsafe { weights.product(x, 0..panels, &out) };
        data
    }

    #[test]
    fn the_product_is_near_and_the_same_in_every_tile_and_kernel() {
        for (rows, outputs, inputs) in [
            (9, 40, 96),
            (1, 16, 32),
            (5, 7, 50),
            (1, 33, 1),
            (2, 64, 31),
            (3, 80, 33),
            (7, 32, 576),
            (4, 1, 64),
        ] {
            let w: Vec<f32> = (0..outputs * inputs).map(value).collect();
            let x: Vec<f32> = (0..rows * inputs).map(|i| value(i + 77)).collect();
            let panels = outputs.div_ceil(PANEL);
            let all = with_each(|| {
                let weights = Weights::new(&w, outputs, inputs, &Memory::default());
                let all = product(&weights, &activations(&x, inputs), panels);
                for (x, all) in x.chunks(inputs).zip(all.chunks(panels * PANEL)) {
                    assert_eq!(product(&weights, &activations(x, inputs), panels), all);
                }
                all
            });
            for (kind, other) in &all {
                assert!(*other == all[0].1, "{rows} {outputs} {inputs} {kind:?}");
            }
            let all = &all[0].1;
            for row in 0..rows {
                let x = &x[row * inputs..][..inputs];
                for output in 0..outputs {
                    let w = &w[output * inputs..][..inputs];
                    let right: f32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                    let size: f32 = x.iter().zip(w).map(|(x, w)| (x * w).abs()).sum();
                    assert!((all[row * panels * PANEL + output] - right).abs() < 0.01 * size);
                }
            }
        }
    }

    /// The largest sums there can be, of either sign, with scales from none to huge.
    #[test]
    fn extremes_do_not_overflow_and_the_kernels_agree() {
        let (outputs, inputs, rows) = (3 * PANEL, 256, TILE + 1);
        let sign = |i: usize, n: usize| if i.is_multiple_of(n) { -1.0 } else { 1.0 };
        for (w_every, x_every) in [(3, 5), (1, 1), (1, usize::MAX), (usize::MAX, usize::MAX)] {
            for (w_size, x_size) in [(1.0, 9.0), (1e-30, 1e30), (0.0, 1.0), (1e20, 1e25)] {
                let w: Vec<f32> = (0..outputs * inputs)
                    .map(|i| w_size * sign(i + 1, w_every))
                    .collect();
                let x: Vec<f32> = (0..rows * inputs)
                    .map(|i| x_size * sign(i + 1, x_every))
                    .collect();
                let all = with_each(|| {
                    let weights = Weights::new(&w, outputs, inputs, &Memory::default());
                    product(&weights, &activations(&x, inputs), outputs / PANEL)
                });
                let right: f64 = (w.iter().zip(&x).take(inputs))
                    .map(|(w, x)| f64::from(*w) * f64::from(*x))
                    .sum();
                let got = all[0].1[0];
                let off = (f64::from(got) - right).abs();
                assert!(
                    off <= 1e-3 * right.abs() || got.is_infinite(),
                    "{got} {right}"
                );
                let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                for (kind, other) in &all {
                    assert!(
                        bits(other) == bits(&all[0].1),
                        "{w_every} {x_every} {kind:?}"
                    );
                }
            }
        }
    }

    /// Values and scales as no rounding may have made them, since each is in range.
    #[test]
    fn the_kernels_agree_on_any_values() {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as i32
        };
        for (rows, panels, blocks) in [(4, 2, 1), (3, 1, 7), (2, 2, 3), (1, 2, 18), (1, 1, 2)] {
            let mut values =
                |count| -> Vec<i8> { (0..count).map(|_| (next() % 255 - 127) as i8).collect() };
            let data = values(panels * blocks * BLOCK_BYTES);
            let x = values(rows * blocks * BLOCK);
            let mut scales =
                |count| -> Vec<f32> { (0..count).map(|_| next() as f32 * 1e-9).collect() };
            let memory = Memory::default();
            let weights = Weights {
                data: memory.keep(&data),
                scales: memory.keep(&scales(panels * blocks * PANEL)),
                blocks,
            };
            let sum = |block: &[i8]| block.iter().map(|x| i32::from(*x)).sum::<i32>();
            let x = Activations {
                excess: x.chunks_exact(BLOCK).map(|x| -128 * sum(x)).collect(),
                data: x,
                scales: scales(rows * blocks),
                blocks,
            };
            let all = with_each(|| product(&weights, &x, panels));
            for (kind, other) in &all {
                assert!(*other == all[0].1, "{rows} {panels} {blocks} {kind:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_shows_in_the_product() {
        let weights = Weights::new(&[1.0; 16 * 70], 16, 70, &Memory::default());
        for at in [0, 15, 31, 40, 63, 69] {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut x = vec![0.5; 2 * 70];
                x[at] = bad;
                for (kind, sums) in with_each(|| product(&weights, &activations(&x, 70), 1)) {
                    let (first, second) = sums.split_at(16);
                    assert!(
                        first.iter().all(|x| !x.is_finite()),
                        "{bad} at {at}, {kind:?}"
                    );
                    assert!(second.iter().all(|x| x.is_finite()));
                }
            }
        }
    }
}
