//! What the machine's products could do if nothing else were to be done.

use std::time::Instant;

/// Floating-point operations a second of products in registers, on so many threads: bf16 with sums in f32, or f32. None where the
/// machine has no instruction for it.
pub fn flops(bf16: bool, threads: usize) -> Option<f64> {
    let loops: fn(usize) -> Option<u64> = if bf16 { bf16_loop } else { f32_loop };
    const TURNS: usize = 20_000_000;
    loops(1)?;
    let began = Instant::now();
    let done: Option<u64> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(|| loops(TURNS))).collect();
        all.into_iter().map(|one| one.join().ok()?).sum()
    });
    Some(done? as f64 / began.elapsed().as_secs_f64())
}

/// Independent sums, so that none waits for itself.
#[cfg(target_arch = "x86_64")]
const SUMS: usize = 16;

/// The operations done.
#[cfg(target_arch = "x86_64")]
fn bf16_loop(turns: usize) -> Option<u64> {
    use std::arch::x86_64::{__m512, __m512bh, _mm512_dpbf16_ps, _mm512_setzero_ps};

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn turn(turns: usize) -> [__m512; SUMS] {
        // SAFETY: all bits 0 are bf16 numbers.
        let zero: __m512bh = unsafe { std::mem::zeroed() };
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for _ in 0..turns {
            let one = std::hint::black_box(zero);
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, one, one);
            }
        }
        sums
    }

    if !(is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")) {
        return None;
    }
    // SAFETY: the machine has the instruction.
    std::hint::black_box(unsafe { turn(turns) });
    // 32 products and sums each.
    Some((turns * SUMS * 64) as u64)
}

/// As `bf16_loop`, in f32.
#[cfg(target_arch = "x86_64")]
fn f32_loop(turns: usize) -> Option<u64> {
    use std::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_setzero_ps};

    #[target_feature(enable = "avx2,fma")]
    fn turn(turns: usize) -> [__m256; SUMS] {
        let mut sums = [_mm256_setzero_ps(); SUMS];
        for _ in 0..turns {
            let one = std::hint::black_box(_mm256_setzero_ps());
            for sum in &mut sums[..12] {
                *sum = _mm256_fmadd_ps(one, one, *sum);
            }
        }
        sums
    }

    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        return None;
    }
    // SAFETY: the machine has the instruction.
    std::hint::black_box(unsafe { turn(turns) });
    Some((turns * 12 * 16) as u64)
}

#[cfg(not(target_arch = "x86_64"))]
fn bf16_loop(_: usize) -> Option<u64> {
    None
}

#[cfg(not(target_arch = "x86_64"))]
fn f32_loop(_: usize) -> Option<u64> {
    None
}
