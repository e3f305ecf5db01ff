//! Products of f32 matrices. Every element is one chain of fused multiply-adds over k, so tiles do not show.

use super::vectors::{Vectors, vectors};

/// Columns of a panel; the width of every matrix on the right is a multiple of it.
pub const PANEL: usize = 16;

/// A view of a row-major matrix's rows: where they begin in `data`, and how far apart.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The matrix, from its first element.
    pub data: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
}

/// A view of a matrix in panels of 16 columns.
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    /// The matrix, from its first element.
    pub data: &'a [f32],
    /// From one row of a panel to the next.
    pub row: usize,
    /// From one panel to the next.
    pub panel: usize,
}

/// `c (+)= a b`: `a` is m x k, `b` k x n in `panels` panels, `c` m x n with rows `stride` apart.
/// What `c` holds is added to if `add`, else overwritten.
pub fn product(
    a: Rows<'_>,
    b: Panels<'_>,
    c: &mut [f32],
    stride: usize,
    (m, k, panels): (usize, usize, usize),
    add: bool,
) {
    let all = Product { a, b, k, add };
    match vectors() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the machine has what the function is compiled for.
        Vectors::Avx512 => unsafe { all.avx512(c, stride, m, panels) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Vectors::Avx2 => unsafe { all.avx2(c, stride, m, panels) },
        _ => all.plain(c, stride, m, panels),
    }
}

/// What all tiles of a product share.
#[derive(Clone, Copy)]
struct Product<'a> {
    a: Rows<'a>,
    b: Panels<'a>,
    k: usize,
    add: bool,
}

/// Computes `m` rows of `$panels`, `$width` panels and as many rows as given at a time.
macro_rules! tiles {
    ($self:ident . $tile:ident [$($r:literal)* ; $most:literal], $width:literal, $c:ident, $stride:ident, $m:ident, $panels:expr) => {
        for panel in $panels.step_by($width) {
            let mut row = 0;
            while row < $m {
                let c = &mut $c[row * $stride + panel * PANEL..];
                row += match $m - row {
                    $($r => { $self.$tile::<$r, $width>(row, panel, c, $stride); $r })*
                    _ => { $self.$tile::<$most, $width>(row, panel, c, $stride); $most }
                };
            }
        }
    };
}

impl Product<'_> {
    fn plain(self, c: &mut [f32], stride: usize, m: usize, panels: usize) {
        tiles!(self.tile[1 2 3 4 5; 6], 1, c, stride, m, 0..panels);
    }

    /// The sums of 6 rows of 16 columns fill 12 of 16 registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2(self, c: &mut [f32], stride: usize, m: usize, panels: usize) {
        tiles!(self.tile[1 2 3 4 5; 6], 1, c, stride, m, 0..panels);
    }

    /// The sums of 6 rows of 64 columns fill 24 of 32 registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn avx512(self, c: &mut [f32], stride: usize, m: usize, panels: usize) {
        let (fours, twos) = (panels / 4 * 4, panels / 2 * 2);
        tiles!(self.tile512[1 2 3 4 5; 6], 4, c, stride, m, 0..fours);
        tiles!(self.tile512[1 2 3 4 5; 6], 2, c, stride, m, fours..twos);
        tiles!(self.tile512[1 2 3 4 5; 6], 1, c, stride, m, twos..panels);
    }

    /// The rows and columns of `a` and `b` that a tile takes.
    #[inline(always)]
    fn sides<const R: usize, const P: usize>(
        &self,
        row: usize,
        panel: usize,
    ) -> ([&[f32]; R], [&[f32]; P]) {
        let Self { a, b, k, .. } = *self;
        (
            std::array::from_fn(|r| &a.data[(row + r) * a.stride..][..k]),
            std::array::from_fn(|p| &b.data[(panel + p) * b.panel..][..(k - 1) * b.row + PANEL]),
        )
    }

    /// `R` rows of `P` panels.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "indices of registers")]
    fn tile<const R: usize, const P: usize>(
        self,
        row: usize,
        panel: usize,
        c: &mut [f32],
        stride: usize,
    ) {
        let (left, right) = self.sides::<R, 1>(row, panel);
        let mut sums = [[0.0f32; PANEL]; R];
        if self.add {
            for (r, sums) in sums.iter_mut().enumerate() {
                sums.copy_from_slice(&c[r * stride..][..PANEL]);
            }
        }
        for i in 0..self.k {
            let right: &[f32; PANEL] = right[0][i * self.b.row..]
                .first_chunk()
                .expect("whole panels");
            for r in 0..R {
                let x = left[r][i];
                for lane in 0..PANEL {
                    sums[r][lane] = x.mul_add(right[lane], sums[r][lane]);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            c[r * stride..][..PANEL].copy_from_slice(sums);
        }
    }

    /// As [`Product::tile`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    #[allow(clippy::needless_range_loop, reason = "indices of registers")]
    fn tile512<const R: usize, const P: usize>(
        self,
        row: usize,
        panel: usize,
        c: &mut [f32],
        stride: usize,
    ) {
        use std::arch::x86_64::*;
        let (left, right) = self.sides::<R, P>(row, panel);
        let mut sums = [[_mm512_setzero_ps(); P]; R];
        if self.add {
            for r in 0..R {
                for (sum, c) in sums[r].iter_mut().zip(c[r * stride..].as_chunks().0) {
                    *sum = load(c);
                }
            }
        }
        for i in 0..self.k {
            // SAFETY: each of the left has k values; each of the right a panel's row for the last of k.
            unsafe {
                let right: [__m512; P] =
                    std::array::from_fn(|p| _mm512_loadu_ps(right[p].as_ptr().add(i * self.b.row)));
                for r in 0..R {
                    let x = _mm512_set1_ps(*left[r].get_unchecked(i));
                    for p in 0..P {
                        sums[r][p] = _mm512_fmadd_ps(x, right[p], sums[r][p]);
                    }
                }
            }
        }
        for r in 0..R {
            for (sum, c) in sums[r]
                .iter()
                .zip(c[r * stride..].as_chunks_mut::<PANEL>().0)
            {
                // SAFETY: there is room for sixteen.
                unsafe { _mm512_storeu_ps(c.as_mut_ptr(), *sum) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn load(values: &[f32; PANEL]) -> std::arch::x86_64::__m512 {
    // SAFETY: these are sixteen.
    unsafe { std::arch::x86_64::_mm512_loadu_ps(values.as_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::test::with_each;
    use super::*;

    #[test]
    fn products_are_right_and_depend_on_no_tile_and_no_vectors() {
        let value = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 100.0;
        for (m, k, panels) in [(17, 23, 3), (1, 1, 1), (6, 64, 4), (9, 5, 7), (2, 130, 10)] {
            let n = panels * PANEL;
            let a: Vec<f32> = (0..m * k).map(value).collect();
            let b: Vec<f32> = (0..k * n).map(|i| value(i + 31)).collect();
            let product = |row: usize, rows: usize, c: &mut [f32], add| {
                let a = Rows {
                    data: &a[row * k..],
                    stride: k,
                };
                let b = Panels {
                    data: &b,
                    row: n,
                    panel: PANEL,
                };
                product(a, b, c, n, (rows, k, panels), add);
            };
            let all = with_each(|| {
                let mut c = vec![1.0; m * n];
                product(0, m, &mut c, false);
                for row in 0..m {
                    let mut alone = vec![0.0; n];
                    product(row, 1, &mut alone, false);
                    assert_eq!(alone, c[row * n..][..n]);
                }
                let mut twice = c.clone();
                product(0, m, &mut twice, true);
                assert!(
                    c.iter()
                        .zip(&twice)
                        .all(|(c, twice)| (twice - 2.0 * c).abs() < 1e-2)
                );
                (c, twice)
            });
            for (i, c) in all[0].1.0.iter().enumerate() {
                let terms =
                    (0..k).map(|j| f64::from(a[i / n * k + j]) * f64::from(b[j * n + i % n]));
                assert!((f64::from(*c) - terms.sum::<f64>()).abs() < 1e-2);
            }
            for (kind, c) in &all {
                assert!(*c == all[0].1, "{m} {k} {panels} {kind:?}");
            }
        }
    }
}
