//! Simulating walkers: how far they come, and how they move.

use fearless_simd::{Level, dispatch, prelude::*};
use thiserror::Error;

use crate::course::Course;
use crate::lanes::Lanes;
use crate::rig::Rig;
use crate::rows::{LANES, Own, Same, Topology};
use crate::terrain::Terrain;
use crate::walker::Walker;

/// The solver lost the walker: a failure, not a fitness.
///
/// Box2D's limits on impulses and on the way of a mass in one step (2 world
/// units) leave a simulation that breaks down two signs: positions that are not
/// finite, and masses farther apart than all springs end to end, each swung out
/// and stretched to twice its length. Either ends in this.
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
    if rig.stuck {
        let frames = vec![rig.masses; 1 + (steps / every) as usize];
        return Ok(Trajectory { every, frames });
    }
    let mut run = Run::<Same>::new(&[&rig], &course);
    let mut frames = vec![run.frame(&rig)];
    for _ in 0..steps / every {
        run.advance(every);
        frames.push(run.frame(&rig));
    }
    run.advance(steps % every);
    run.exploded(0)
        .map_or(Ok(Trajectory { every, frames }), Err)
}

impl Course {
    /// As [`simulate`], on a terrain already prepared.
    ///
    /// # Errors
    /// [`Exploded`] for a walker whose simulation broke down.
    pub fn simulate(&self, walkers: &[&Walker], steps: u32) -> Vec<Result<f64, Exploded>> {
        let rigs: Vec<Rig> = walkers.iter().map(|w| self.rig(w)).collect();
        self.walk(&rigs.iter().collect::<Vec<_>>(), steps)
    }

    /// As [`simulate`], of walkers already set down on this course.
    ///
    /// # Errors
    /// [`Exploded`] for a walker whose simulation broke down.
    pub fn walk(&self, rigs: &[&Rig], steps: u32) -> Vec<Result<f64, Exploded>> {
        let mut results = vec![Ok(0.0); rigs.len()];
        // A walker that is stuck does not move; no need to watch it.
        let free = (0..rigs.len()).filter(|i| !rigs[*i].stuck).collect();
        for batch in batches(rigs, free) {
            let some: Vec<&Rig> = batch.iter().map(|i| rigs[*i]).collect();
            let same = some.iter().all(|rig| rig.same_topology(some[0]));
            let distances = if same {
                Run::<Same>::distances(&some, self, steps)
            } else {
                Run::<Own>::distances(&some, self, steps)
            };
            for (index, distance) in batch.into_iter().zip(distances) {
                results[index] = distance;
            }
        }
        results
    }
}

/// Sorts walkers into batches of at most [`LANES`] that are stepped together, so that all of them take the least time:
/// walkers of one topology, or walkers of like size.
fn batches(rigs: &[&Rig], mut indices: Vec<usize>) -> Vec<Vec<usize>> {
    /// How much longer a step takes where the topologies differ.
    const MIXED: usize = 4;
    /// A step takes as long as so many springs of one topology, and its springs.
    const STEP: usize = 16;
    let size = |i: &usize| rigs[*i].springs.len();
    indices.sort_by(|a, b| {
        let key = |i: &usize| (size(i), rigs[*i].masses.len());
        key(a)
            .cmp(&key(b))
            .then_with(|| rigs[*a].topology().cmp(rigs[*b].topology()))
    });
    // The least time for the first so many walkers, and how many of them make up the last batch.
    let mut best = vec![(0, 0)];
    for end in 1..=indices.len() {
        let last = indices[end - 1];
        let mut same = true;
        let least = (1..=LANES.min(end)).map(|count| {
            same &= rigs[indices[end - count]].same_topology(rigs[last]);
            let pace = if same { 1 } else { MIXED };
            (best[end - count].0 + STEP + pace * size(&last), count)
        });
        best.push(least.min().unwrap_or((0, 0)));
    }
    let mut batches = Vec::new();
    while !indices.is_empty() {
        let (_, count) = best[indices.len()];
        batches.push(indices.split_off(indices.len() - count));
    }
    batches
}

/// A run of a batch of walkers.
struct Run<'a, T: Topology> {
    lanes: Lanes<'a, T>,
    level: Level,
    step: u32,
    exploded: [Option<Exploded>; LANES],
}

impl<'a, T: Topology> Run<'a, T> {
    fn new(rigs: &[&Rig], course: &'a Course) -> Self {
        Run {
            lanes: Lanes::new(rigs, course),
            level: Level::new(),
            step: 0,
            exploded: [None; LANES],
        }
    }

    /// Steps with the widest vectors that the machine has.
    fn advance(&mut self, steps: u32) {
        let level = self.level;
        dispatch!(level, simd => self.advance_with(simd, steps));
    }

    #[inline(always)]
    fn advance_with<S: Simd>(&mut self, simd: S, steps: u32) {
        for _ in 0..steps {
            self.lanes.step(simd);
            self.step += 1;
            let intact = self.lanes.intact(simd);
            for lane in 0..LANES {
                if intact >> lane & 1 == 0 && self.exploded[lane].is_none() {
                    self.exploded[lane] = Some(Exploded { step: self.step });
                }
            }
        }
    }

    /// How the walker of a lane failed.
    fn exploded(&self, lane: usize) -> Option<Exploded> {
        self.exploded[lane]
    }

    /// Where the joints of the first walker are.
    fn frame(&self, rig: &Rig) -> Vec<[f32; 2]> {
        (0..rig.masses.len())
            .map(|mass| self.lanes.position(mass, 0))
            .collect()
    }

    /// Runs walkers and measures how far they came.
    fn distances(rigs: &[&Rig], course: &'a Course, steps: u32) -> Vec<Result<f64, Exploded>> {
        let mut run = Self::new(rigs, course);
        run.advance(steps);
        let distance = |(lane, rig): (usize, &&Rig)| {
            let end = (0..rig.masses.len()).map(|mass| run.lanes.position(mass, lane));
            let (start, end) = (centre(rig.masses.iter().copied()), centre(end));
            run.exploded(lane)
                .map_or(Ok((end[0] - start[0]).abs()), Err)
        };
        rigs.iter().enumerate().map(distance).collect()
    }
}

/// The mean of positions.
fn centre(positions: impl ExactSizeIterator<Item = [f32; 2]>) -> [f64; 2] {
    let count = positions.len() as f64;
    let sum = positions.fold([0.0, 0.0], |[x, y], p| {
        [x + f64::from(p[0]), y + f64::from(p[1])]
    });
    sum.map(|s| s / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blueprint, Drive, RawMuscle};

    /// A box with two diagonals that swing.
    fn walker() -> Walker {
        let tie = |a, b, drive| RawMuscle { a, b, drive };
        let active = |phase| Drive::Active {
            amplitude: 0.8,
            phase,
        };
        let blueprint = Blueprint {
            joints: vec![[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.5]],
            muscles: vec![
                tie(0, 1, Drive::Rigid),
                tie(1, 2, active(0.5)),
                tie(2, 3, Drive::Rigid),
                tie(3, 0, active(0.1)),
                tie(0, 2, active(0.2)),
            ],
        };
        Walker::create(&blueprint).expect("a walker").0
    }

    /// Walks with vectors of the given level; the bits of all positions.
    fn walk<T: Topology>(level: Level, terrain: &str) -> Vec<[u32; 2]> {
        let course = Course::new(&Terrain::by_name(terrain).expect("built in"));
        let rig = Rig::new(&walker(), &course.terrain);
        let mut run = Run::<T>::new(&[&rig], &course);
        run.level = level;
        run.advance(600);
        run.frame(&rig)
            .into_iter()
            .map(|p| p.map(f32::to_bits))
            .collect()
    }

    #[test]
    fn wide_and_narrow_vectors_give_the_same_bits() {
        for terrain in ["flat", "bumpy"] {
            let narrow = walk::<Same>(Level::baseline(), terrain);
            assert_eq!(walk::<Same>(Level::new(), terrain), narrow);
            assert_eq!(walk::<Own>(Level::baseline(), terrain), narrow);
            assert_eq!(walk::<Own>(Level::new(), terrain), narrow);
        }
    }

    #[test]
    fn what_breaks_down_is_a_failure() {
        let course = Course::new(&Terrain::by_name("flat").expect("built in"));
        let rig = Rig::new(&walker(), &course.terrain);
        for bad in [f32::NAN, f32::INFINITY, 1e4] {
            let mut thrown = rig.clone();
            thrown.masses[2][1] = bad;
            let results = Run::<Same>::distances(&[&rig, &thrown, &rig], &course, 9);
            assert_eq!(results[1], Err(Exploded { step: 1 }), "{bad}");
            assert!(results[0].is_ok() && results[0] == results[2]);
        }
    }

    #[test]
    fn equal_rigs_are_the_same_to_the_bit() {
        let course = Course::new(&Terrain::by_name("bumpy").expect("built in"));
        let (mut turned, mut other) = (walker(), walker());
        for muscle in &mut turned.muscles {
            if let Drive::Active { phase, .. } = &mut muscle.drive {
                let turns = *phase + 4.0;
                *phase = if turns % 1.0 == *phase { turns } else { *phase };
            }
        }
        assert_ne!(turned, walker());
        other.joints[2][1] += 1e-6;
        let [rig, turned, other] = [&walker(), &turned, &other].map(|w| course.rig(w));
        assert!(rig == turned && rig != other);
        let walks = course.walk(&[&rig, &turned, &other], 600);
        assert_eq!(walks[0], walks[1]);
        assert_ne!(walks[0], walks[2]);
    }

    #[test]
    fn batches_hold_every_walker_once() {
        let terrain = Terrain::by_name("flat").expect("built in");
        let plain = Rig::new(&walker(), &terrain);
        let mut rigs = vec![plain.clone(); 45];
        for (i, rig) in rigs.iter_mut().enumerate().skip(21) {
            rig.springs.truncate(3 + i % 3); // never walked, only sorted
        }
        let rigs: Vec<&Rig> = rigs.iter().collect();
        let batches = batches(&rigs, (0..45).collect());
        assert!(batches.iter().all(|b| (1..=LANES).contains(&b.len())));
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert_eq!(all, Vec::from_iter(0..45));
    }

    #[test]
    fn nothing_to_do_is_fine() {
        let terrain = Terrain::by_name("flat").expect("built in");
        assert_eq!(simulate(&[], &terrain, 600), []);
        assert_eq!(simulate(&[&walker()], &terrain, 0), [Ok(0.0)]);
        assert_eq!(simulate(&[&Walker::default()], &terrain, 9), [Ok(0.0)]);
        let still = trajectory(&walker(), &terrain, 0, 0).expect("no step");
        assert_eq!((still.every, still.frames.len()), (1, 1));
    }
}
