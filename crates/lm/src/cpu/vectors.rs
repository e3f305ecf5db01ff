//! Which vectors the machine has, and functions compiled for each kind.

/// Kinds of vectors that kernels are compiled for; each machine that has one has those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vectors {
    /// Whatever the compiler's target has.
    Plain,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
}

/// The widest vectors of this machine.
pub fn vectors() -> Vectors {
    #[cfg(test)]
    let most = test::most();
    #[cfg(not(test))]
    let most = Vectors::Avx512;
    most.min(detected())
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vectors {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx2") && has!("fma")) {
        Vectors::Plain
    } else if has!("avx512f")
        && has!("avx512bw")
        && has!("avx512dq")
        && has!("avx512vl")
        && has!("avx512vnni")
    {
        Vectors::Avx512
    } else {
        Vectors::Avx2
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Vectors {
    Vectors::Plain
}

/// Compiles `body` for each kind of vectors and runs it with the machine's widest. The arithmetic is the same
/// (`mul_add` is one rounding everywhere), so the result is too.
macro_rules! fast {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::cpu::vectors::{Vectors, vectors};
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) $(-> $result)? {
                    plain($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $type),*) $(-> $result)? {
                    plain($($arg),*)
                }
                // SAFETY: the machine has what the functions are compiled for.
                match vectors() {
                    Vectors::Avx512 => return unsafe { avx512($($arg),*) },
                    Vectors::Avx2 => return unsafe { avx2($($arg),*) },
                    Vectors::Plain => {}
                }
            }
            plain($($arg),*)
        }
    };
}
pub(crate) use fast;

/// Tests run kernels with narrower vectors than the machine's.
#[cfg(test)]
pub mod test {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Vectors;

    const ALL: [Vectors; 3] = [Vectors::Plain, Vectors::Avx2, Vectors::Avx512];
    static MOST: AtomicU8 = AtomicU8::new(2);

    pub fn most() -> Vectors {
        ALL[usize::from(MOST.load(Ordering::Relaxed))]
    }

    /// What `body` makes with each kind of vectors that this machine has, the plain first. (Tests beside it may get
    /// narrower vectors than they could have; their results are the same.)
    pub fn with_each<T>(mut body: impl FnMut() -> T) -> Vec<(Vectors, T)> {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let widest = super::detected();
        let results = ALL.iter().filter(|kind| **kind <= widest);
        let results = results
            .map(|kind| {
                MOST.store(*kind as u8, Ordering::Relaxed);
                (*kind, body())
            })
            .collect();
        MOST.store(Vectors::Avx512 as u8, Ordering::Relaxed);
        results
    }
}
