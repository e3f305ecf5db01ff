//! Numbers of several walkers side by side.
//!
//! Loops over the lanes of a [`Row`] are what the compiler turns into vector
//! instructions; nothing here or in the solver mixes lanes.

use std::ops::{Index, IndexMut};

/// One number of each of `N` lanes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Row<const N: usize, T = f32>(pub [T; N]);

impl<const N: usize, T> Index<usize> for Row<N, T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, lane: usize) -> &T {
        &self.0[lane]
    }
}

impl<const N: usize, T> IndexMut<usize> for Row<N, T> {
    #[inline(always)]
    fn index_mut(&mut self, lane: usize) -> &mut T {
        &mut self.0[lane]
    }
}

/// How walkers that are stepped together keep what belongs to their topology:
/// which masses a spring ties and whether it is soft.
pub(crate) trait Sharing<const N: usize> {
    /// A value for each lane.
    type Of<T: Copy>: PerLane<T, N>;
}

/// All lanes have one topology: each value is kept once.
pub(crate) struct Same;
/// Every lane has its own topology.
pub(crate) struct Own;

impl<const N: usize> Sharing<N> for Same {
    type Of<T: Copy> = One<T>;
}

impl<const N: usize> Sharing<N> for Own {
    type Of<T: Copy> = Row<N, T>;
}

/// The value of all lanes.
#[derive(Clone, Copy)]
pub(crate) struct One<T>(T);

/// A value for each lane, kept once or `N` times.
pub(crate) trait PerLane<T, const N: usize>: Copy {
    /// The value for all lanes.
    fn all(value: T) -> Self;
    /// Sets a lane's value (and, where it is kept once, that of all).
    fn set(&mut self, lane: usize, value: T);
    /// A lane's value.
    fn get(&self, lane: usize) -> T;
    /// The value that all lanes are known to have.
    fn shared(&self) -> Option<T>;
}

impl<T: Copy, const N: usize> PerLane<T, N> for One<T> {
    #[inline(always)]
    fn all(value: T) -> Self {
        One(value)
    }

    #[inline(always)]
    fn set(&mut self, _lane: usize, value: T) {
        self.0 = value;
    }

    #[inline(always)]
    fn get(&self, _lane: usize) -> T {
        self.0
    }

    #[inline(always)]
    fn shared(&self) -> Option<T> {
        Some(self.0)
    }
}

impl<T: Copy, const N: usize> PerLane<T, N> for Row<N, T> {
    #[inline(always)]
    fn all(value: T) -> Self {
        Row([value; N])
    }

    #[inline(always)]
    fn set(&mut self, lane: usize, value: T) {
        self.0[lane] = value;
    }

    #[inline(always)]
    fn get(&self, lane: usize) -> T {
        self.0[lane]
    }

    #[inline(always)]
    fn shared(&self) -> Option<T> {
        None
    }
}

/// A vector of every mass of every lane.
#[derive(Clone)]
pub(crate) struct Vectors<const N: usize> {
    /// By mass.
    pub x: Vec<Row<N>>,
    /// By mass.
    pub y: Vec<Row<N>>,
}

impl<const N: usize> Vectors<N> {
    pub fn zeros(masses: usize) -> Self {
        Vectors {
            x: vec![Row([0.0; N]); masses],
            y: vec![Row([0.0; N]); masses],
        }
    }

    /// The vectors of a mass.
    #[inline(always)]
    pub fn of_mut(&mut self, mass: usize) -> (&mut Row<N>, &mut Row<N>) {
        (&mut self.x[mass], &mut self.y[mass])
    }

    /// The vectors of one mass a lane.
    #[inline(always)]
    pub fn gather(&self, mass: &impl PerLane<u32, N>) -> (Row<N>, Row<N>) {
        if let Some(mass) = mass.shared() {
            return (self.x[mass as usize], self.y[mass as usize]);
        }
        let (mut x, mut y) = (Row([0.0; N]), Row([0.0; N]));
        for lane in 0..N {
            let mass = mass.get(lane) as usize;
            x[lane] = self.x[mass][lane];
            y[lane] = self.y[mass][lane];
        }
        (x, y)
    }

    /// Stores the vectors of one mass a lane.
    #[inline(always)]
    pub fn scatter(&mut self, mass: &impl PerLane<u32, N>, x: &Row<N>, y: &Row<N>) {
        if let Some(mass) = mass.shared() {
            self.x[mass as usize] = *x;
            self.y[mass as usize] = *y;
            return;
        }
        for lane in 0..N {
            let mass = mass.get(lane) as usize;
            self.x[mass][lane] = x[lane];
            self.y[mass][lane] = y[lane];
        }
    }
}
