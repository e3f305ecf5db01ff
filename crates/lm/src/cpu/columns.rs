//! One matrix written by several threads, each its own columns.

use std::marker::PhantomData;

/// A row-major matrix whose columns are dealt out to threads.
pub struct Columns<'a> {
    data: *mut f32,
    len: usize,
    stride: usize,
    _borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: what is shared is only written, and `put` is asked for by its callers' agreement on disjoint places.
unsafe impl Sync for Columns<'_> {}

impl<'a> Columns<'a> {
    /// Over a matrix with rows `stride` apart.
    pub fn new(data: &'a mut [f32], stride: usize) -> Self {
        Self {
            data: data.as_mut_ptr(),
            len: data.len(),
            stride,
            _borrow: PhantomData,
        }
    }

    /// Writes part of a row. No two threads may write the same place.
    pub fn put(&self, row: usize, column: usize, values: &[f32]) {
        let start = row * self.stride + column;
        assert!(column + values.len() <= self.stride && start + values.len() <= self.len);
        // SAFETY: in bounds as just checked; the place is the calling thread's alone.
        unsafe {
            std::ptr::copy_nonoverlapping(values.as_ptr(), self.data.add(start), values.len())
        }
    }
}
