//! The decoder on the processor: our own kernels, because decoding many short edits of one program spends its
//! time in small batches, where a general tensor library is slowest.
//!
//! Every number of a row is computed in one fixed order that knows nothing of the rows beside it, of tiles, of threads
//! or of the machine's vectors: what a model writes does not depend on how it was batched or where.

mod attention;
mod cache;
mod columns;
mod decoder;
mod float;
mod int8;
mod linear;
mod math;
mod memory;
mod pool;
mod shape;
pub(crate) mod vectors;

pub use cache::Cache;
pub use decoder::Decoder;
pub use linear::Precision;
pub(crate) use math::{Rope, add, exp, finite, gate, max, norm_heads, rms_norm, sum, total, weigh};
pub(crate) use pool::{Pool, room};
#[cfg(test)]
pub(crate) use vectors::test::with_each as with_each_vectors;
pub(crate) use vectors::{Vectors, fast, vectors};
