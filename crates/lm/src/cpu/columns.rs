//! Rows written by several threads, each its own columns.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Rows of equal width whose columns are dealt out to threads.
pub struct Columns<'a> {
    rows: Vec<*mut f32>,
    width: usize,
    _borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: what is shared is only written, through `put` and `place`, whose callers answer for disjoint places.
unsafe impl Sync for Columns<'_> {}

impl<'a> Columns<'a> {
    /// Over rows of `width` values.
    pub fn new(rows: impl Iterator<Item = &'a mut [f32]>, width: usize) -> Self {
        Self::over(rows.map(|row| (row.as_mut_ptr(), row.len())), width)
    }

    /// Over rows of `width` values that hold none so far.
    pub fn new_empty(rows: impl Iterator<Item = &'a mut [MaybeUninit<f32>]>, width: usize) -> Self {
        Self::over(rows.map(|row| (row.as_mut_ptr().cast(), row.len())), width)
    }

    fn over(rows: impl Iterator<Item = (*mut f32, usize)>, width: usize) -> Self {
        let rows = rows.map(|(start, len)| {
            assert_eq!(len, width);
            start
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

    /// The place of `count` values of a row, to be written only; while one thread writes there, no other may.
    #[inline(always)]
    pub fn place(&self, row: usize, column: usize, count: usize) -> *mut f32 {
        assert!(column <= self.width && count <= self.width - column);
        // SAFETY: in bounds as just checked.
        unsafe { self.rows[row].add(column) }
    }

    /// Writes part of a row.
    ///
    /// # Safety
    /// No other thread writes the same place meanwhile.
    pub unsafe fn put(&self, row: usize, column: usize, values: &[f32]) {
        let place = self.place(row, column, values.len());
        // SAFETY: there is room for the values, which lie elsewhere, as rows are borrowed for writing; the place is the
        // calling thread's alone, as the caller promises.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), place, values.len()) }
    }
}
