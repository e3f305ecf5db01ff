//! Products of f32 matrices. Every element is one chain of fused multiply-adds over k, so tiles do not show.

use super::fast;

/// Columns of a tile; the width of every matrix on the right is a multiple of it.
pub const TILE: usize = 16;

/// A view of a row-major matrix's rows: where they begin in `data`, and how far apart.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The matrix, from its first element.
    pub data: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
}

/// `c (+)= a b`: `a` is m x k, `b` k x n with n a multiple of [`TILE`], `c` m x n.
/// What `c` holds is added to if `add`, else overwritten.
pub fn product(
    a: Rows<'_>,
    b: Rows<'_>,
    c: &mut [f32],
    c_stride: usize,
    (m, k, n): (usize, usize, usize),
    add: bool,
) {
    debug_assert_eq!(n % TILE, 0);
    for column in (0..n).step_by(TILE) {
        let b = Rows {
            data: &b.data[column..],
            stride: b.stride,
        };
        let mut row = 0;
        while row < m {
            let a = Rows {
                data: &a.data[row * a.stride..],
                stride: a.stride,
            };
            let c = &mut c[row * c_stride + column..];
            let rows = (m - row).min(6);
            match rows {
                6 => six(a, b, c, c_stride, k, add),
                5 => five(a, b, c, c_stride, k, add),
                4 => four(a, b, c, c_stride, k, add),
                3 => three(a, b, c, c_stride, k, add),
                2 => two(a, b, c, c_stride, k, add),
                _ => one(a, b, c, c_stride, k, add),
            }
            row += rows;
        }
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "indices of registers")]
fn tile<const R: usize>(
    a: Rows<'_>,
    b: Rows<'_>,
    c: &mut [f32],
    c_stride: usize,
    k: usize,
    add: bool,
) {
    let mut sums = [[0.0f32; TILE]; R];
    if add {
        for (row, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&c[row * c_stride..][..TILE]);
        }
    }
    let left: [&[f32]; R] = std::array::from_fn(|row| &a.data[row * a.stride..][..k]);
    for i in 0..k {
        let right: &[f32; TILE] = b.data[i * b.stride..].first_chunk().expect("n columns");
        for row in 0..R {
            let x = left[row][i];
            for lane in 0..TILE {
                sums[row][lane] = x.mul_add(right[lane], sums[row][lane]);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        c[row * c_stride..][..TILE].copy_from_slice(sums);
    }
}

macro_rules! sizes {
    ($($name:ident $rows:literal),*) => {$(
        fast! {
            fn $name(a: Rows<'_>, b: Rows<'_>, c: &mut [f32], c_stride: usize, k: usize, add: bool) {
                tile::<$rows>(a, b, c, c_stride, k, add);
            }
        }
    )*};
}
sizes!(one 1, two 2, three 3, four 4, five 5, six 6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_right_and_do_not_depend_on_the_tile() {
        let value = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 100.0;
        let (m, k, n) = (17, 23, 48);
        let a: Vec<f32> = (0..m * k).map(value).collect();
        let b: Vec<f32> = (0..k * n).map(|i| value(i + 31)).collect();
        let rows = |data, stride| Rows { data, stride };
        let mut c = vec![1.0; m * n];
        product(rows(&a, k), rows(&b, n), &mut c, n, (m, k, n), false);
        for row in 0..m {
            for column in 0..n {
                let right: f64 = (0..k)
                    .map(|i| f64::from(a[row * k + i]) * f64::from(b[i * n + column]))
                    .sum();
                assert!((f64::from(c[row * n + column]) - right).abs() < 1e-3);
            }
            let mut alone = vec![0.0; n];
            product(
                rows(&a[row * k..], k),
                rows(&b, n),
                &mut alone,
                n,
                (1, k, n),
                false,
            );
            assert_eq!(alone, c[row * n..][..n]);
        }
        let before = c.clone();
        product(rows(&a, k), rows(&b, n), &mut c, n, (m, k, n), true);
        assert!(
            c.iter()
                .zip(before)
                .all(|(c, b)| (c - 2.0 * b).abs() < 1e-3)
        );
    }
}
