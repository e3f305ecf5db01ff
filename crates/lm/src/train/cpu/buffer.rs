//! Memory that many tasks write to, each its own part.

use std::cell::UnsafeCell;
use std::ops::Range;

use memmap2::MmapMut;

/// Numbers in large pages where the machine has them; tasks borrow parts of them.
pub struct Buffer<T> {
    map: UnsafeCell<Option<MmapMut>>,
    len: usize,
    _kind: std::marker::PhantomData<T>,
}

// SAFETY: parts are borrowed through `part` alone, whose callers answer for it.
unsafe impl<T: Send + Sync> Sync for Buffer<T> {}
// SAFETY: it owns its memory.
unsafe impl<T: Send> Send for Buffer<T> {}

/// Numbers for which zeroed memory is 0.
pub trait Plain: Copy + Send + Sync {}
impl Plain for f32 {}
impl Plain for half::bf16 {}

impl<T: Plain> Buffer<T> {
    /// None yet.
    pub fn empty() -> Self {
        Self {
            map: UnsafeCell::new(None),
            len: 0,
            _kind: std::marker::PhantomData,
        }
    }

    /// So many zeros.
    pub fn new(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let map = (bytes > 0).then(|| {
            let map = MmapMut::map_anon(bytes).expect("the memory was asked for before");
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            map
        });
        Self {
            map: UnsafeCell::new(map),
            len,
            _kind: std::marker::PhantomData,
        }
    }

    /// At least so many, whatever they are.
    pub fn reach(&mut self, len: usize) {
        if self.len < len {
            *self = Self::empty();
            *self = Self::new(len);
        }
    }

    fn start(&self) -> *mut T {
        // SAFETY: the map itself is changed through `&mut self` only.
        match unsafe { &*self.map.get() } {
            Some(map) => map.as_ptr().cast_mut().cast(),
            None => std::ptr::NonNull::dangling().as_ptr(),
        }
    }

    /// All of them.
    pub fn all(&self) -> &[T] {
        // SAFETY: so many are there; see `part`.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    /// All of them, to change.
    pub fn all_mut(&mut self) -> &mut [T] {
        // SAFETY: so many are there, borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len) }
    }

    /// A part of them, to change.
    ///
    /// # Safety
    /// While it is borrowed nobody else reads or writes it.
    #[allow(clippy::mut_from_ref, reason = "that is the contract")]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: in bounds, and the caller's alone.
        unsafe { std::slice::from_raw_parts_mut(self.start().add(range.start), range.len()) }
    }

    /// Where the first stands, for results that are written column by column.
    pub fn pointer(&self) -> *mut T {
        self.start()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.len
    }
}
