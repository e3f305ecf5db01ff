//! Rows written by several threads, each its own columns.

use std::marker::PhantomData;

/// Rows of equal width whose columns are dealt out to threads.
pub struct Columns<'a> {
    rows: Vec<*mut f32>,
    width: usize,
    _borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: what is shared is only written, and `put` is asked for by its callers' agreement on disjoint places.
unsafe impl Sync for Columns<'_> {}

impl<'a> Columns<'a> {
    /// Over rows of `width` values.
    pub fn new(rows: impl Iterator<Item = &'a mut [f32]>, width: usize) -> Self {
        let rows = rows.map(|row| {
            assert_eq!(row.len(), width);
            row.as_mut_ptr()
        });
        Self {
            rows: rows.collect(),
            width,
            _borrow: PhantomData,
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Writes part of a row. No two threads may write the same place.
    #[inline(always)]
    pub fn put(&self, row: usize, column: usize, values: &[f32]) {
        assert!(column + values.len() <= self.width);
        // SAFETY: in bounds as just checked; the place is the calling thread's alone.
        unsafe {
            std::ptr::copy_nonoverlapping(values.as_ptr(), self.rows[row].add(column), values.len())
        }
    }
}
