//! The numbers that products are made of: bf16 in pairs where the machine multiplies them, else f32.

use half::bf16;

/// A number of a product's operands. Sums are f32.
pub trait Number: Copy + Default + Send + Sync + 'static {
    /// Numbers side by side that the kernel multiplies in one step.
    const GROUP: usize;

    /// Rounds values; as many as there are places.
    fn narrow(values: &[f32], places: &mut [Self]);

    /// The values of numbers; as many as there are places.
    fn widen(numbers: &[Self], places: &mut [f32]);

    /// As [`Tile::run`], for up to [`ROWS`] rows and [`PANELS`] panels.
    ///
    /// # Safety
    /// The operands and the results lie within memory that the pointers may reach, and this machine has what the kernel is
    /// compiled for.
    unsafe fn tile(rows: usize, panels: usize, tile: Tile<Self>);
}

/// Columns that a vector holds.
pub const PANEL: usize = 16;
/// Rows of a tile at most.
pub const ROWS: usize = 6;
/// Panels of a tile at most.
pub const PANELS: usize = 4;
/// Columns of a tile at most; matrices on the right are packed in slabs of so many.
pub const SLAB: usize = PANEL * PANELS;

/// A small product: `c = a b`, or `c += a b`.
#[derive(Clone, Copy)]
pub struct Tile<E> {
    /// Groups that are summed up.
    pub groups: usize,
    /// The first group of the first row on the left, and from row to row, from group to group.
    pub a: *const E,
    pub a_row: usize,
    pub a_group: usize,
    /// The first group of the first panel on the right, and from group to group; panels lie side by side.
    pub b: *const E,
    pub b_group: usize,
    /// The first result, and from row to row.
    pub c: *mut f32,
    pub c_row: usize,
    /// Whether the results are added to what is there.
    pub add: bool,
}

/// Calls `$kernel::<M, P>` for the numbers of rows and panels at hand.
macro_rules! dispatch {
    ($kernel:ident, $rows:expr, $panels:expr, $tile:expr) => {
        dispatch!(@rows $kernel, $rows, $panels, $tile, 1 2 3 4 5 6)
    };
    (@rows $kernel:ident, $rows:expr, $panels:expr, $tile:expr, $($m:literal)*) => {
        match ($rows, $panels) {
            $(($m, 1) => unsafe { $kernel::<$m, 1>($tile) },
            ($m, 2) => unsafe { $kernel::<$m, 2>($tile) },
            ($m, 3) => unsafe { $kernel::<$m, 3>($tile) },
            ($m, 4) => unsafe { $kernel::<$m, 4>($tile) },)*
            _ => unreachable!("tiles are of at most {ROWS} rows and {PANELS} panels"),
        }
    };
}

#[cfg(target_arch = "x86_64")]
impl Number for bf16 {
    const GROUP: usize = 2;

    fn narrow(values: &[f32], places: &mut [Self]) {
        assert_eq!(values.len(), places.len());
        // SAFETY: bf16 is chosen only where the machine has it.
        unsafe { x86::narrow(values, places) }
    }

    fn widen(numbers: &[Self], places: &mut [f32]) {
        widen(numbers, places);
    }

    #[inline]
    unsafe fn tile(rows: usize, panels: usize, tile: Tile<Self>) {
        use x86::bf16_tile;
        dispatch!(bf16_tile, rows, panels, tile);
    }
}

crate::cpu::fast! {
    fn widen(numbers: &[bf16], places: &mut [f32]) {
        assert_eq!(numbers.len(), places.len());
        for (place, number) in places.iter_mut().zip(numbers) {
            *place = f32::from_bits(u32::from(number.to_bits()) << 16);
        }
    }
}

impl Number for f32 {
    const GROUP: usize = 1;

    fn narrow(values: &[f32], places: &mut [Self]) {
        places.copy_from_slice(values);
    }

    fn widen(numbers: &[Self], places: &mut [f32]) {
        places.copy_from_slice(numbers);
    }

    #[inline]
    unsafe fn tile(rows: usize, panels: usize, tile: Tile<Self>) {
        #[cfg(target_arch = "x86_64")]
        {
            use crate::cpu::{Vectors, vectors};
            use x86::{f32_tile, f32_tile_512};
            match vectors() {
                Vectors::Avx512 => return dispatch!(f32_tile_512, rows, panels, tile),
                // Sixteen registers hold one panel's sums.
                Vectors::Avx2 => {
                    for panel in 0..panels {
                        // SAFETY: within the tile.
                        let one = unsafe { tile.panel(panel) };
                        dispatch!(f32_tile, rows, 1, one);
                    }
                    return;
                }
                Vectors::Plain => {}
            }
        }
        dispatch!(plain_tile, rows, panels, tile);
    }
}

impl Tile<f32> {
    #[cfg(target_arch = "x86_64")]
    unsafe fn panel(self, panel: usize) -> Self {
        // SAFETY: the caller has so many panels.
        unsafe {
            Self {
                b: self.b.add(panel * PANEL),
                c: self.c.add(panel * PANEL),
                ..self
            }
        }
    }
}

unsafe fn plain_tile<const M: usize, const P: usize>(tile: Tile<f32>) {
    // SAFETY: within the operands, as the caller promises.
    unsafe {
        for row in 0..M {
            for column in 0..P * PANEL {
                let c = tile.c.add(row * tile.c_row + column);
                let mut sum = if tile.add { *c } else { 0.0 };
                for group in 0..tile.groups {
                    let a = *tile.a.add(row * tile.a_row + group * tile.a_group);
                    let b = *tile.b.add(group * tile.b_group + column);
                    sum = a.mul_add(b, sum);
                }
                *c = sum;
            }
        }
    }
}

/// Whether this machine multiplies pairs of bf16.
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return crate::cpu::vectors() == crate::cpu::Vectors::Avx512
        && std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use half::bf16;

    use super::{PANEL, Tile};

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub unsafe fn narrow(values: &[f32], places: &mut [bf16]) {
        let (from, to) = (values.as_ptr(), places.as_mut_ptr());
        let mut at = 0;
        // SAFETY: the mask leaves out what lies beyond the end.
        unsafe {
            while at < values.len() {
                let left = values.len() - at;
                let mask = if left >= 16 { !0 } else { (1u16 << left) - 1 };
                let rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from.add(at)));
                _mm256_mask_storeu_epi16(
                    to.add(at).cast(),
                    mask,
                    transmute::<__m256bh, __m256i>(rounded),
                );
                at += 16;
            }
        }
    }

    /// The body of a kernel on vectors of sixteen sums.
    macro_rules! tile_512 {
        ($M:ident, $P:ident, $tile:ident, $right:ty, $load:expr, $left:expr, $multiply:expr) => {{
            let Tile {
                groups,
                a,
                a_row,
                a_group,
                b,
                b_group,
                c,
                c_row,
                add,
            } = $tile;
            let mut sums = [[_mm512_setzero_ps(); $P]; $M];
            // SAFETY: within the operands, as the caller promises.
            unsafe {
                if add {
                    for (row, sums) in sums.iter_mut().enumerate() {
                        for (panel, sum) in sums.iter_mut().enumerate() {
                            *sum = _mm512_loadu_ps(c.add(row * c_row + panel * PANEL));
                        }
                    }
                }
                for group in 0..groups {
                    let b = b.add(group * b_group);
                    let mut right: [$right; $P] = [$load(b, 0); $P];
                    for (panel, right) in right.iter_mut().enumerate() {
                        *right = $load(b, panel);
                    }
                    let a = a.add(group * a_group);
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let left = $left(a.add(row * a_row));
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = $multiply(*sum, left, right);
                        }
                    }
                }
                for (row, sums) in sums.iter().enumerate() {
                    for (panel, sum) in sums.iter().enumerate() {
                        _mm512_storeu_ps(c.add(row * c_row + panel * PANEL), *sum);
                    }
                }
            }
        }};
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn bf16_tile<const M: usize, const P: usize>(tile: Tile<bf16>) {
        tile_512!(
            M,
            P,
            tile,
            __m512bh,
            |b: *const bf16, panel: usize| transmute::<__m512i, __m512bh>(_mm512_loadu_si512(
                b.add(2 * PANEL * panel).cast()
            )),
            |a: *const bf16| transmute::<__m512i, __m512bh>(_mm512_set1_epi32(
                a.cast::<i32>().read_unaligned()
            )),
            |sum, left, right| _mm512_dpbf16_ps(sum, left, right)
        );
    }

    #[target_feature(enable = "avx512f")]
    pub unsafe fn f32_tile_512<const M: usize, const P: usize>(tile: Tile<f32>) {
        tile_512!(
            M,
            P,
            tile,
            __m512,
            |b: *const f32, panel: usize| _mm512_loadu_ps(b.add(PANEL * panel)),
            |a: *const f32| _mm512_set1_ps(*a),
            |sum, left, right| _mm512_fmadd_ps(left, right, sum)
        );
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn f32_tile<const M: usize, const P: usize>(tile: Tile<f32>) {
        let mut sums = [[_mm256_setzero_ps(); 2]; M];
        // SAFETY: within the operands, as the caller promises.
        unsafe {
            if tile.add {
                for (row, sums) in sums.iter_mut().enumerate() {
                    for (half, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm256_loadu_ps(tile.c.add(row * tile.c_row + half * 8));
                    }
                }
            }
            for group in 0..tile.groups {
                let b = tile.b.add(group * tile.b_group);
                let right = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8))];
                let a = tile.a.add(group * tile.a_group);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let left = _mm256_set1_ps(*a.add(row * tile.a_row));
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum = _mm256_fmadd_ps(left, right, *sum);
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                for (half, sum) in sums.iter().enumerate() {
                    _mm256_storeu_ps(tile.c.add(row * tile.c_row + half * 8), *sum);
                }
            }
        }
    }
}
