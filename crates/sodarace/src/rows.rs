//! Numbers of several walkers side by side, one walker a lane.
//!
//! Nothing here or in the solver mixes lanes, but for asking whether all are
//! done.

use std::ops::{Index, IndexMut};

use fearless_simd::{f32x16, prelude::*};

/// Walkers that are stepped together: one AVX-512 register, two AVX2 ones, four
/// of SSE2 or NEON.
pub(crate) const LANES: usize = 16;

/// A [`Row`] in registers.
pub(crate) type Vector<S> = f32x16<S>;

/// One number of each lane.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Row<T = f32>(pub [T; LANES]);

impl Row {
    pub const ZERO: Row = Row([0.0; LANES]);

    #[inline(always)]
    pub fn load<S: Simd>(&self, simd: S) -> Vector<S> {
        f32x16::load_array_ref(simd, &self.0)
    }

    #[inline(always)]
    pub fn store<S: Simd>(&mut self, vector: Vector<S>) {
        vector.store_array(&mut self.0);
    }
}

impl<T> Index<usize> for Row<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, lane: usize) -> &T {
        &self.0[lane]
    }
}

impl<T> IndexMut<usize> for Row<T> {
    #[inline(always)]
    fn index_mut(&mut self, lane: usize) -> &mut T {
        &mut self.0[lane]
    }
}

/// A two-dimensional vector of each lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub x: Row,
    pub y: Row,
}

impl Pair {
    pub const ZERO: Pair = Pair {
        x: Row::ZERO,
        y: Row::ZERO,
    };

    #[inline(always)]
    pub fn load<S: Simd>(&self, simd: S) -> [Vector<S>; 2] {
        [self.x.load(simd), self.y.load(simd)]
    }

    #[inline(always)]
    pub fn store<S: Simd>(&mut self, [x, y]: [Vector<S>; 2]) {
        self.x.store(x);
        self.y.store(y);
    }
}

/// Which mass, for each lane: how the walkers' topologies are kept.
pub(crate) trait Topology: Copy {
    /// The same mass for all lanes.
    fn all(mass: u16) -> Self;
    /// Sets a lane's mass.
    fn set(&mut self, lane: usize, mass: u16);
    /// Loads the vectors of the masses.
    fn gather<S: Simd>(&self, simd: S, of: &[Pair]) -> [Vector<S>; 2];
    /// Stores the vectors of the masses.
    fn scatter<S: Simd>(&self, to: &mut [Pair], vectors: [Vector<S>; 2]);
}

/// All lanes have one topology: fast.
#[derive(Clone, Copy)]
pub(crate) struct Same(u16);

/// Each lane has its own topology.
#[derive(Clone, Copy)]
pub(crate) struct Own(Row<u16>);

impl Topology for Same {
    fn all(mass: u16) -> Self {
        Same(mass)
    }

    fn set(&mut self, _lane: usize, mass: u16) {
        self.0 = mass;
    }

    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, of: &[Pair]) -> [Vector<S>; 2] {
        of[usize::from(self.0)].load(simd)
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, to: &mut [Pair], vectors: [Vector<S>; 2]) {
        to[usize::from(self.0)].store(vectors);
    }
}

impl Topology for Own {
    fn all(mass: u16) -> Self {
        Own(Row([mass; LANES]))
    }

    fn set(&mut self, lane: usize, mass: u16) {
        self.0[lane] = mass;
    }

    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, of: &[Pair]) -> [Vector<S>; 2] {
        let mut pair = Pair::ZERO;
        for lane in 0..LANES {
            let mass = &of[usize::from(self.0[lane])];
            pair.x[lane] = mass.x[lane];
            pair.y[lane] = mass.y[lane];
        }
        pair.load(simd)
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, to: &mut [Pair], [x, y]: [Vector<S>; 2]) {
        for lane in 0..LANES {
            let mass = &mut to[usize::from(self.0[lane])];
            mass.x[lane] = x[lane];
            mass.y[lane] = y[lane];
        }
    }
}
