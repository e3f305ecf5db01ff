//! Memory for weights in large pages, where the machine has them: products stream through all weights, and with small
//! pages wait for their places to be looked up (a sixth of the time of a model of 135 million weights).

use std::alloc::{Layout, handle_alloc_error};
use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

use memmap2::MmapMut;

/// Bytes mapped at a time, if no piece is larger.
const CHUNK: usize = 32 << 20;
/// Pieces begin at multiples of it.
const ALIGN: usize = 64;

/// Keeps values side by side in large chunks of memory.
#[derive(Default)]
pub struct Memory(RefCell<Option<Chunk>>);

struct Chunk {
    map: Arc<MmapMut>,
    start: *mut u8,
    len: usize,
    used: usize,
}

/// Values kept, for as long as this lives.
pub struct Piece<T> {
    start: *const T,
    len: usize,
    _map: Arc<MmapMut>,
}

// SAFETY: nobody writes to a piece.
unsafe impl<T: Sync> Send for Piece<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Piece<T> {}

impl Memory {
    /// Copies values into a piece of their own.
    pub fn keep<T: Copy>(&self, values: &[T]) -> Piece<T> {
        const { assert!(align_of::<T>() <= ALIGN) };
        let bytes = size_of_val(values);
        let mut chunk = self.0.borrow_mut();
        let room = |chunk: &Chunk| chunk.len - chunk.used >= bytes;
        if !chunk.as_ref().is_some_and(room) {
            *chunk = Some(Chunk::new(bytes.max(CHUNK)));
        }
        let chunk = chunk.as_mut().expect("just made");
        // SAFETY: there is room, and no other piece reaches to here; a map begins at a page.
        let start = unsafe {
            let start = chunk.start.add(chunk.used).cast::<T>();
            std::ptr::copy_nonoverlapping(values.as_ptr(), start, values.len());
            start
        };
        chunk.used = (chunk.used + bytes).next_multiple_of(ALIGN).min(chunk.len);
        Piece {
            start,
            len: values.len(),
            _map: chunk.map.clone(),
        }
    }
}

impl Chunk {
    fn new(len: usize) -> Self {
        let layout = || Layout::from_size_align(len, ALIGN).expect("less than all memory");
        let mut map = MmapMut::map_anon(len).unwrap_or_else(|_| handle_alloc_error(layout()));
        // Without large pages it is slower, no more.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Self {
            start: map.as_mut_ptr(),
            map: Arc::new(map),
            len,
            used: 0,
        }
    }
}

impl<T> Deref for Piece<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many values were written there, which the map holds.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_their_values_beyond_the_memory() {
        let memory = Memory::default();
        let small: Vec<Piece<f32>> = (0..100).map(|i| memory.keep(&vec![i as f32; i])).collect();
        let large = memory.keep(&vec![7i8; CHUNK + 1]);
        let last = memory.keep(&[1u8, 2, 3]);
        drop(memory);
        for (i, piece) in small.iter().enumerate() {
            assert_eq!(**piece, vec![i as f32; i]);
        }
        assert!(large.len() == CHUNK + 1 && large.iter().all(|x| *x == 7));
        assert_eq!(*last, [1, 2, 3]);
    }
}
