//! The decoder on the processor: our own kernels, because decoding many short edits of one program spends its
//! time in small batches, where a general tensor library is slowest.
//!
//! Every number of a row is computed in one fixed order that knows nothing of the rows beside it, of tiles or of
//! threads: what a model writes does not depend on how it was batched.

mod attention;
mod cache;
mod columns;
mod decoder;
mod float;
mod int8;
mod linear;
mod math;

pub use cache::Cache;
pub use decoder::Decoder;
pub use linear::Precision;
pub(crate) use math::{total, weigh};

/// Runs `body` compiled for AVX2 and FMA where the machine has them. The arithmetic is the same (`mul_add` is one
/// rounding everywhere), so the result is too.
macro_rules! fast {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $type),*) $(-> $result)? {
                    plain($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the machine has what the function is compiled for.
                    return unsafe { wide($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}
pub(crate) use fast;
