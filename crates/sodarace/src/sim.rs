//! Simulating walkers: how far they come, and how they move.

use thiserror::Error;

use crate::course::Course;
use crate::lanes::Lanes;
use crate::rig::Rig;
use crate::rows::{Own, Same, Sharing};
use crate::terrain::Terrain;
use crate::walker::Walker;

/// Walkers that are stepped side by side.
const LANES: usize = 16;

/// The solver lost the walker: a failure, not a fitness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the simulation exploded at step {step}")]
pub struct Exploded {
    /// The step, counted from 1, after which it was noticed.
    pub step: u32,
}

/// Where all joints were, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Steps between two frames.
    pub every: u32,
    /// The joints' positions in world units, in the walker's order; frame 0 is
    /// the start.
    pub frames: Vec<Vec<[f32; 2]>>,
}

impl Trajectory {
    /// Centre of mass (mean of the joints) in a frame, world units.
    ///
    /// # Panics
    /// If there is no such frame.
    pub fn com(&self, frame: usize) -> [f64; 2] {
        centre(self.frames[frame].iter().copied())
    }
}

/// Simulates walkers, each alone on the terrain, and returns how far the centre
/// of mass of each has moved along x, in world units.
///
/// A walker's result depends on the walker, the terrain and the steps only: not
/// on the others, their number or order, nor on thread, build or machine. A
/// walker that does not fit where it starts (a mass would be within rock) does
/// not move.
///
/// # Errors
/// [`Exploded`] for a walker whose simulation broke down.
pub fn simulate(walkers: &[&Walker], terrain: &Terrain, steps: u32) -> Vec<Result<f64, Exploded>> {
    Course::new(terrain).simulate(walkers, steps)
}

/// Simulates one walker and keeps its positions at the start and then after
/// every `every` steps (at least 1).
///
/// # Errors
/// [`Exploded`] if the simulation broke down.
pub fn trajectory(
    walker: &Walker,
    terrain: &Terrain,
    steps: u32,
    every: u32,
) -> Result<Trajectory, Exploded> {
    let every = every.max(1);
    let course = Course::new(terrain);
    let rig = Rig::new(walker, terrain);
    let mut lanes = Lanes::<1, Same>::new(&[&rig], &course);
    let frame = |lanes: &Lanes<1, Same>| -> Vec<[f32; 2]> {
        (0..rig.masses.len())
            .map(|m| lanes.position(m, 0))
            .collect()
    };
    let mut frames = vec![frame(&lanes)];
    for step in 1..=steps {
        if !rig.stuck {
            lanes.step();
            if lanes.finite() != [true] {
                return Err(Exploded { step });
            }
        }
        if step % every == 0 {
            frames.push(frame(&lanes));
        }
    }
    Ok(Trajectory { every, frames })
}

impl Course {
    /// As [`simulate`], on a terrain already prepared.
    ///
    /// # Errors
    /// [`Exploded`] for a walker whose simulation broke down.
    pub fn simulate(&self, walkers: &[&Walker], steps: u32) -> Vec<Result<f64, Exploded>> {
        let rigs: Vec<Rig> = walkers.iter().map(|w| Rig::new(w, &self.terrain)).collect();
        let mut results = Vec::with_capacity(rigs.len());
        for some in rigs.chunks(LANES) {
            let last = some.len() - 1;
            let lanes = std::array::from_fn(|lane| &some[lane.min(last)]);
            let same = some.iter().all(|r| r.same_topology(&some[0]));
            let run = if same {
                dispatch::<LANES, Same>
            } else {
                dispatch::<LANES, Own>
            };
            results.extend_from_slice(&run(&lanes, self, steps)[..some.len()]);
        }
        results
    }
}

/// [`run`] compiled for the widest vectors that this machine has. The bits are
/// the same for all: no product and sum are ever fused.
fn dispatch<const N: usize, S: Sharing<N>>(
    rigs: &[&Rig; N],
    course: &Course,
    steps: u32,
) -> [Result<f64, Exploded>; N] {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<const N: usize, S: Sharing<N>>(
            rigs: &[&Rig; N],
            course: &Course,
            steps: u32,
        ) -> [Result<f64, Exploded>; N] {
            run::<N, S>(rigs, course, steps)
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has what the function is compiled for.
            return unsafe { avx2::<N, S>(rigs, course, steps) };
        }
    }
    run::<N, S>(rigs, course, steps)
}

/// Runs `N` walkers side by side.
#[inline(always)]
fn run<const N: usize, S: Sharing<N>>(
    rigs: &[&Rig; N],
    course: &Course,
    steps: u32,
) -> [Result<f64, Exploded>; N] {
    let mut lanes = Lanes::<N, S>::new(rigs, course);
    let mut exploded = [None; N];
    for step in 1..=steps {
        lanes.step();
        let finite = lanes.finite();
        if finite != [true; N] {
            for lane in 0..N {
                if !finite[lane] && exploded[lane].is_none() {
                    exploded[lane] = Some(Exploded { step });
                }
            }
        }
    }
    std::array::from_fn(|lane| {
        let rig = rigs[lane];
        if rig.stuck {
            return Ok(0.0);
        }
        if let Some(exploded) = exploded[lane] {
            return Err(exploded);
        }
        let end = centre((0..rig.masses.len()).map(|mass| lanes.position(mass, lane)));
        let start = centre(rig.masses.iter().copied());
        Ok((end[0] - start[0]).abs())
    })
}

/// The mean of positions.
fn centre(positions: impl ExactSizeIterator<Item = [f32; 2]>) -> [f64; 2] {
    let count = positions.len() as f64;
    let sum = positions.fold([0.0, 0.0], |[x, y], p| {
        [x + f64::from(p[0]), y + f64::from(p[1])]
    });
    sum.map(|s| s / count)
}
