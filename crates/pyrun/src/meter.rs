//! The allocator of a worker process, with a meter that a worker sets running while a result is copied out of the first
//! tier.
//!
//! The interpreter hands out a result only as a whole copy, in which what was shared is there as often as it was
//! referred to: a list that took the program a few bytes may fill all memory, and whether time or memory ends first
//! is the machine's. Counting what the copy asks for ends it at the same place everywhere. An allocator may not
//! unwind, so the process ends, with a status of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Exit status of a worker whose program returned more than may be copied out of the interpreter.
pub(crate) const OUTPUT_EXIT: i32 = 72;

/// Bytes that may still be asked for; `usize::MAX` when the meter does not run.
static LEFT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Does `work`, which may ask for `budget` bytes in all (what it gives back does not count again). Past that the
/// process ends with [`OUTPUT_EXIT`]. For a process where one thread works: the others would be charged too.
pub(crate) fn within<T>(budget: usize, work: impl FnOnce() -> T) -> T {
    LEFT.store(budget, Relaxed);
    let done = work();
    LEFT.store(usize::MAX, Relaxed);
    done
}

/// The system's allocator, metered. The binary that serves as a worker declares it:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: pyrun::Metered = pyrun::Metered;
/// ```
pub struct Metered;

/// Whether this process has the metered allocator.
pub(crate) fn is_installed() -> bool {
    const PROBE: usize = 1 << 10;
    LEFT.store(2 * PROBE, Relaxed);
    let probe = std::hint::black_box(Vec::<u8>::with_capacity(PROBE));
    let left = LEFT.swap(usize::MAX, Relaxed);
    drop(probe);
    left <= PROBE
}

fn charge(size: usize) {
    let left = LEFT.load(Relaxed);
    if left != usize::MAX {
        match left.checked_sub(size) {
            Some(left) => LEFT.store(left, Relaxed),
            // SAFETY: no pointers; it runs nothing of this process.
            None => unsafe { libc::_exit(OUTPUT_EXIT) },
        }
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        charge(size.saturating_sub(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}
