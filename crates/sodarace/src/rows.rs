//! Numbers of several walkers side by side, one walker a lane.
//!
//! Nothing here or in the solver mixes lanes, but for asking whether all are
//! done.

use std::ops::{Index, IndexMut};

use fearless_simd::{f32x16, mask32x16, prelude::*, u64x8};

/// Walkers that are stepped together: one AVX-512 register, two AVX2 ones, four
/// of SSE2 or NEON.
pub(crate) const LANES: usize = 16;

/// A [`Row`] in registers.
pub(crate) type Vector<S> = f32x16<S>;

/// A truth value of each lane.
pub(crate) type Mask<S> = mask32x16<S>;

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

/// A two-dimensional vector of each lane in the order that suits a topology.
pub(crate) trait Mass: Copy {
    const ZERO: Self;
    fn load<S: Simd>(&self, simd: S) -> [Vector<S>; 2];
    fn store<S: Simd>(&mut self, vector: [Vector<S>; 2]);
    /// A lane's vector.
    fn get(&self, lane: usize) -> [f32; 2];
    /// Sets a lane's vector.
    fn set(&mut self, lane: usize, vector: [f32; 2]);
}

impl Mass for Pair {
    const ZERO: Self = Pair::ZERO;

    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [Vector<S>; 2] {
        self.load(simd)
    }

    #[inline(always)]
    fn store<S: Simd>(&mut self, vector: [Vector<S>; 2]) {
        self.store(vector);
    }

    #[inline(always)]
    fn get(&self, lane: usize) -> [f32; 2] {
        [self.x[lane], self.y[lane]]
    }

    #[inline(always)]
    fn set(&mut self, lane: usize, vector: [f32; 2]) {
        [self.x[lane], self.y[lane]] = vector;
    }
}

/// Each lane's x and y in one word, so that a lane is gathered in one go.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Words([u64; LANES]);

impl Words {
    #[inline(always)]
    fn split<S: Simd>(simd: S, words: &[u64; LANES]) -> [Vector<S>; 2] {
        let (low, high) = words.split_at(LANES / 2);
        let low: Vector<S> = u64x8::from_slice(simd, low).bitcast();
        let high: Vector<S> = u64x8::from_slice(simd, high).bitcast();
        let (x, y) = low.deinterleave(high);
        [x, y]
    }

    #[inline(always)]
    fn join<S: Simd>([x, y]: [Vector<S>; 2]) -> [u64; LANES] {
        let (low, high) = x.interleave(y);
        let (low, high): (u64x8<S>, u64x8<S>) = (low.bitcast(), high.bitcast());
        let mut words = [0; LANES];
        low.store_slice(&mut words[..LANES / 2]);
        high.store_slice(&mut words[LANES / 2..]);
        words
    }
}

impl Mass for Words {
    const ZERO: Self = Words([0; LANES]);

    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [Vector<S>; 2] {
        Words::split(simd, &self.0)
    }

    #[inline(always)]
    fn store<S: Simd>(&mut self, vector: [Vector<S>; 2]) {
        self.0 = Words::join(vector);
    }

    #[inline(always)]
    fn get(&self, lane: usize) -> [f32; 2] {
        let [a, b, c, d, e, f, g, h] = self.0[lane].to_ne_bytes();
        [
            f32::from_ne_bytes([a, b, c, d]),
            f32::from_ne_bytes([e, f, g, h]),
        ]
    }

    #[inline(always)]
    fn set(&mut self, lane: usize, [x, y]: [f32; 2]) {
        let ([a, b, c, d], [e, f, g, h]) = (x.to_ne_bytes(), y.to_ne_bytes());
        self.0[lane] = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    }
}

/// A vector of every mass of every lane: as many as an index can name, so that
/// none needs to be checked.
pub(crate) struct Masses<M>(Box<[M; 256]>);

impl<M: Mass> Masses<M> {
    pub fn zeros() -> Self {
        let zeros = vec![M::ZERO; 256].into_boxed_slice();
        // Cannot fail: the length is right.
        Masses(zeros.try_into().unwrap_or_else(|_| unreachable!()))
    }

    /// The first `count`.
    #[inline(always)]
    pub fn first(&self, count: usize) -> &[M] {
        &self.0[..count]
    }

    /// The first `count`.
    #[inline(always)]
    pub fn first_mut(&mut self, count: usize) -> &mut [M] {
        &mut self.0[..count]
    }
}

/// Which mass, for each lane: how the walkers' topologies are kept.
pub(crate) trait Topology: Copy {
    /// A vector of each lane.
    type Mass: Mass;
    /// Whether springs of a mass that follow one another do so in every lane.
    const TOGETHER: bool;
    /// The same mass for all lanes.
    fn all(mass: u8) -> Self;
    /// Sets a lane's mass.
    fn set(&mut self, lane: usize, mass: u8);
    /// Loads the vectors of the masses.
    fn gather<S: Simd>(&self, simd: S, of: &Masses<Self::Mass>) -> [Vector<S>; 2];
    /// Stores the vectors of the masses.
    fn scatter<S: Simd>(&self, to: &mut Masses<Self::Mass>, vectors: [Vector<S>; 2]);
}

/// All lanes have one topology: fast.
#[derive(Clone, Copy)]
pub(crate) struct Same(u8);

/// Each lane has its own topology.
#[derive(Clone, Copy)]
pub(crate) struct Own([u8; LANES]);

impl Topology for Same {
    type Mass = Pair;
    const TOGETHER: bool = true;

    fn all(mass: u8) -> Self {
        Same(mass)
    }

    fn set(&mut self, _lane: usize, mass: u8) {
        self.0 = mass;
    }

    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, of: &Masses<Pair>) -> [Vector<S>; 2] {
        of.0[usize::from(self.0)].load(simd)
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, to: &mut Masses<Pair>, vectors: [Vector<S>; 2]) {
        to.0[usize::from(self.0)].store(vectors);
    }
}

impl Topology for Own {
    type Mass = Words;
    const TOGETHER: bool = false;

    fn all(mass: u8) -> Self {
        Own([mass; LANES])
    }

    fn set(&mut self, lane: usize, mass: u8) {
        self.0[lane] = mass;
    }

    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, of: &Masses<Words>) -> [Vector<S>; 2] {
        // A loop: closures are not compiled for the vectors at hand.
        let mut words = [0; LANES];
        for (lane, word) in words.iter_mut().enumerate() {
            *word = of.0[usize::from(self.0[lane])].0[lane];
        }
        Words::split(simd, &words)
    }

    #[inline(always)]
    fn scatter<S: Simd>(&self, to: &mut Masses<Words>, vectors: [Vector<S>; 2]) {
        let words = Words::join(vectors);
        for (lane, word) in words.into_iter().enumerate() {
            to.0[usize::from(self.0[lane])].0[lane] = word;
        }
    }
}
