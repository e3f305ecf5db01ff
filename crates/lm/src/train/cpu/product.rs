//! Products of matrices from tiles, and the layouts that tiles read.
//!
//! Every result is summed up in the order of its groups, whatever the tiles around it: what a row gives does not depend on
//! the rows beside it, and a sum that is continued by a second call is the sum of one.

use super::number::{Number, PANEL, PANELS, ROWS, SLAB, Tile};

/// The left operand: group `g` of row `r` begins at `r * row + g * group`.
#[derive(Clone, Copy)]
pub struct Left<'a, E> {
    pub data: &'a [E],
    pub row: usize,
    pub group: usize,
}

impl<'a, E: Number> Left<'a, E> {
    /// Of rows `stride` apart, summed along the rows.
    pub fn rows(data: &'a [E], stride: usize) -> Self {
        Self {
            data,
            row: stride,
            group: E::GROUP,
        }
    }

    /// Of interleaved rows of so many columns, summed over the rows: the transpose.
    pub fn columns(data: &'a [E], width: usize) -> Self {
        Self {
            data,
            row: E::GROUP,
            group: width * E::GROUP,
        }
    }
}

/// The right operand: slab `s` (of [`SLAB`] columns) of group `g` begins at `s * slab + g * group`.
#[derive(Clone, Copy)]
pub struct Right<'a, E> {
    pub data: &'a [E],
    pub slab: usize,
    pub group: usize,
}

impl<'a, E: Number> Right<'a, E> {
    /// Interleaved rows of so many columns, summed over the rows.
    pub fn rows(data: &'a [E], width: usize) -> Self {
        Self {
            data,
            slab: SLAB * E::GROUP,
            group: width * E::GROUP,
        }
    }

    /// Packed slabs, each of `groups` groups.
    pub fn slabs(data: &'a [E], groups: usize) -> Self {
        Self {
            data,
            slab: groups * SLAB * E::GROUP,
            group: SLAB * E::GROUP,
        }
    }
}

/// Where results go: row by row, `row` apart.
pub struct Results<'a> {
    data: *mut f32,
    len: usize,
    row: usize,
    _borrow: std::marker::PhantomData<&'a mut [f32]>,
}

impl<'a> Results<'a> {
    /// Over rows `row` apart.
    pub fn new(data: &'a mut [f32], row: usize) -> Self {
        Self {
            data: data.as_mut_ptr(),
            len: data.len(),
            row,
            _borrow: std::marker::PhantomData,
        }
    }

    /// Over memory that others write to elsewhere.
    ///
    /// # Safety
    /// `len` values from `data` on are there while this lives, and nobody else touches those columns of them that products
    /// are written to.
    pub unsafe fn shared(data: *mut f32, len: usize, row: usize) -> Self {
        Self {
            data,
            len,
            row,
            _borrow: std::marker::PhantomData,
        }
    }
}

/// `c = a b` or, with `add`, `c += a b`, for so many rows, columns (a multiple of [`PANEL`]) and groups.
pub fn multiply<E: Number>(
    (rows, columns, groups): (usize, usize, usize),
    a: Left<'_, E>,
    b: Right<'_, E>,
    c: &mut Results<'_>,
    add: bool,
) {
    if rows == 0 || columns == 0 || (groups == 0 && add) {
        return;
    }
    assert!(columns.is_multiple_of(PANEL) && c.row >= columns);
    assert!((rows - 1) * c.row + columns <= c.len);
    if groups > 0 {
        let last = groups - 1;
        assert!((rows - 1) * a.row + last * a.group + E::GROUP <= a.data.len());
        let wide = (columns - 1) % SLAB + 1;
        let slabs = (columns - 1) / SLAB;
        assert!(slabs * b.slab + last * b.group + wide * E::GROUP <= b.data.len());
    }
    for column in (0..columns).step_by(SLAB) {
        let panels = ((columns - column) / PANEL).min(PANELS);
        let mut row = 0;
        while row < rows {
            let count = (rows - row).min(ROWS);
            // SAFETY: all of it lies within the operands, as just checked.
            unsafe {
                let tile = Tile {
                    groups,
                    a: a.data.as_ptr().add(row * a.row),
                    a_row: a.row,
                    a_group: a.group,
                    b: b.data.as_ptr().add(column / SLAB * b.slab),
                    b_group: b.group,
                    c: c.data.add(row * c.row + column),
                    c_row: c.row,
                    add,
                };
                E::tile(count, panels, tile);
            }
            row += count;
        }
    }
}

/// Interleaves rows: group by group of [`Number::GROUP`] rows, of each column its numbers side by side. Rows that miss at
/// the end are 0.
pub fn interleave<E: Number>(rows: &[E], stride: usize, width: usize, count: usize, out: &mut [E]) {
    if E::GROUP == 1 {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            match row < count {
                true => out.copy_from_slice(&rows[row * stride..][..width]),
                false => out.fill(E::default()),
            }
        }
        return;
    }
    debug_assert_eq!(E::GROUP, 2);
    for (pair, out) in out.chunks_exact_mut(2 * width).enumerate() {
        let first = 2 * pair;
        let row = |row: usize| &rows[row * stride..][..width];
        if first + 1 < count {
            zip(row(first), row(first + 1), out);
        } else if first < count {
            for (out, a) in out.as_chunks_mut::<2>().0.iter_mut().zip(row(first)) {
                *out = [*a, E::default()];
            }
        } else {
            out.fill(E::default());
        }
    }
}

fn zip<E: Number>(a: &[E], b: &[E], out: &mut [E]) {
    for ((out, a), b) in out.as_chunks_mut::<2>().0.iter_mut().zip(a).zip(b) {
        *out = [*a, *b];
    }
}

/// Packs rows as columns of the right operand, summed along the rows: slabs of [`SLAB`] rows. Rows that miss in the last
/// slab are 0.
pub fn pack_transposed<E: Number>(
    rows: &[E],
    stride: usize,
    width: usize,
    count: usize,
    out: &mut [E],
) {
    let groups = width / E::GROUP;
    for (slab, out) in out.chunks_exact_mut(groups * SLAB * E::GROUP).enumerate() {
        for column in 0..SLAB {
            let row = slab * SLAB + column;
            let places = out.chunks_exact_mut(SLAB * E::GROUP);
            if row < count {
                let row = rows[row * stride..][..width].chunks_exact(E::GROUP);
                for (place, group) in places.zip(row) {
                    place[column * E::GROUP..][..E::GROUP].copy_from_slice(group);
                }
            } else {
                for place in places {
                    place[column * E::GROUP..][..E::GROUP].fill(E::default());
                }
            }
        }
    }
}

/// Numbers that [`pack_transposed`] fills for so many rows.
pub fn transposed_len(count: usize, width: usize) -> usize {
    count.next_multiple_of(SLAB) * width
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;
    use crate::train::cpu::number::has_bf16;

    fn value(i: usize) -> f32 {
        ((i * 7919 + 13) % 257) as f32 / 128.0 - 1.0
    }

    fn agrees<E: Number>(tolerance: f32) {
        for (m, n, k) in [
            (1, 16, 2),
            (6, 64, 8),
            (7, 80, 34),
            (13, 112, 64),
            (50, 128, 30),
        ] {
            let a: Vec<f32> = (0..m * k).map(value).collect();
            let b: Vec<f32> = (0..n * k).map(|i| value(i + 5)).collect();
            let narrow = |values: &[f32]| {
                let mut out = vec![E::default(); values.len()];
                E::narrow(values, &mut out);
                out
            };
            let (ea, eb) = (narrow(&a), narrow(&b));
            let right =
                |i: usize, j: usize| -> f32 { (0..k).map(|g| a[i * k + g] * b[j * k + g]).sum() };
            let check = |c: &[f32], factor: f32| {
                for i in 0..m {
                    for j in 0..n {
                        let (got, right) = (c[i * n + j], factor * right(i, j));
                        assert!(
                            (got - right).abs() < tolerance,
                            "{m} {n} {k}: {got} {right}"
                        );
                    }
                }
            };
            // Rows by rows.
            let mut packed = vec![E::default(); transposed_len(n, k)];
            pack_transposed(&eb, k, k, n, &mut packed);
            let groups = k / E::GROUP;
            let mut c = vec![9.0; m * n];
            let whole = (m, n, groups);
            let (left, slabs) = (Left::rows(&ea, k), Right::slabs(&packed, groups));
            multiply(whole, left, slabs, &mut Results::new(&mut c, n), false);
            check(&c, 1.0);
            let once = c.clone();
            multiply(whole, left, slabs, &mut Results::new(&mut c, n), true);
            check(&c, 2.0);
            // The same of columns, from interleaved rows.
            let transpose = |x: &[E], rows: usize| -> Vec<E> {
                (0..k * rows)
                    .map(|i| x[(i % rows) * k + i / rows])
                    .collect()
            };
            let mut ia = vec![E::default(); k * m];
            interleave(&transpose(&ea, m), m, m, k, &mut ia);
            let mut ib = vec![E::default(); k * n];
            interleave(&transpose(&eb, n), n, n, k, &mut ib);
            let (left, rows) = (Left::columns(&ia, m), Right::rows(&ib, n));
            multiply(whole, left, rows, &mut Results::new(&mut c, n), false);
            assert_eq!(c, once);
            // In two halves.
            let half = groups / 2;
            multiply(
                (m, n, half),
                left,
                rows,
                &mut Results::new(&mut c, n),
                false,
            );
            let later = Left {
                data: &ia[half * left.group..],
                ..left
            };
            let rest = (m, n, groups - half);
            let below = Right {
                data: &ib[half * rows.group..],
                ..rows
            };
            multiply(rest, later, below, &mut Results::new(&mut c, n), true);
            assert_eq!(c, once);
        }
    }

    #[test]
    fn products_agree_with_plain_sums() {
        agrees::<f32>(1e-4);
        if has_bf16() {
            agrees::<bf16>(0.1);
        }
    }

    #[test]
    fn f32_products_are_the_same_with_all_vectors() {
        let product = || {
            let a: Vec<f32> = (0..7 * 40).map(value).collect();
            let b: Vec<f32> = (0..40 * 80).map(value).collect();
            let mut c = vec![0.0; 7 * 80];
            let (left, right) = (Left::rows(&a, 40), Right::rows(&b, 80));
            multiply(
                (7, 80, 40),
                left,
                right,
                &mut Results::new(&mut c, 80),
                false,
            );
            c
        };
        let all = crate::cpu::with_each_vectors(product);
        assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].1));
    }
}
