//! Memory that tasks use one after another.

use std::sync::{Mutex, PoisonError};

/// Working memory: as many pieces as there were tasks at one time.
#[derive(Default)]
pub struct Pool<T>(Mutex<Vec<T>>);

impl<T: Default> Pool<T> {
    /// Runs `body` with a piece of its own, which holds whatever its last user left.
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = lock().pop();
        let mut piece = piece.unwrap_or_default();
        let result = body(&mut piece);
        lock().push(piece);
        result
    }
}

/// The first `len` values, whatever they are.
pub fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
