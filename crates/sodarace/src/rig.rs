//! A walker compiled for the solver: world units, single precision, and its
//! springs in the order in which Box2D solves them.

use std::f64::consts::TAU;
use std::hash::{Hash, Hasher};

use crate::Course;
use crate::creator::MAX_JOINTS;
use crate::terrain::Terrain;
use crate::walker::{Drive, Walker};
use crate::{MASS_RADIUS, WORLD_PER_PROGRAM_UNIT};

/// Largest swing of a muscle as a share of its length.
const SWING: f64 = 0.3;

/// A walker set down on a course: all that the simulation reads of it.
///
/// Rigs are equal when they are the same to the bit, and equal rigs walk alike. Walkers that differ may have equal
/// rigs: a phase counts without its whole turns, and so does a place along x without where the walker's middle is.
#[derive(Clone, Debug)]
pub struct Rig {
    /// Where the masses start.
    pub(crate) masses: Vec<[f32; 2]>,
    /// In solver order.
    pub(crate) springs: Vec<Spring>,
    /// Whether a mass starts within rock (or there is none).
    pub(crate) stuck: bool,
}

impl PartialEq for Rig {
    fn eq(&self, other: &Rig) -> bool {
        self.bits().eq(other.bits())
    }
}

impl Eq for Rig {}

impl Hash for Rig {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().for_each(|bits| state.write_u64(bits));
    }
}

impl Course {
    /// Sets a walker down where the course starts.
    ///
    /// # Panics
    /// For a walker put together by hand that breaks the creator's rules.
    pub fn rig(&self, walker: &Walker) -> Rig {
        Rig::new(walker, &self.terrain)
    }
}

/// A spring whose rest length at time t is
/// `length + cosine * cos(3 t) - sine * sin(3 t)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spring {
    /// Where the solver found it: springs of one mass follow one another.
    pub a: u8,
    /// Its other end.
    pub b: u8,
    pub soft: bool,
    pub length: f64,
    pub cosine: f64,
    pub sine: f64,
}

impl Rig {
    /// # Panics
    /// For a walker put together by hand that breaks the creator's rules: more
    /// than [`MAX_JOINTS`] joints, or muscles on joints that do not exist.
    pub(crate) fn new(walker: &Walker, terrain: &Terrain) -> Rig {
        let joints = walker.joints.len();
        assert!(
            joints <= MAX_JOINTS,
            "{joints} joints; make walkers with Walker::create"
        );
        let [[left, bottom], [right, _]] = walker.bounds();
        let centre = (left + right) / 2.0;
        let place = |p: &[f64; 2]| {
            [
                (p[0] - centre) * WORLD_PER_PROGRAM_UNIT,
                (p[1] - bottom) * WORLD_PER_PROGRAM_UNIT + MASS_RADIUS + terrain.lift(),
            ]
        };
        let positions: Vec<_> = walker.joints.iter().map(place).collect();
        let masses: Vec<_> = positions.iter().map(|p| p.map(|c| c as f32)).collect();
        let springs = solver_order(walker).into_iter().map(|(index, mass)| {
            let muscle = walker.muscles[index];
            // Which end is the first changes signs and nothing else.
            let other = usize::from(muscle.a) + usize::from(muscle.b) - mass;
            let (a, b) = (masses[mass], masses[other]);
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = f64::from((dx * dx + dy * dy).sqrt());
            let (soft, swing, phase) = match muscle.drive {
                Drive::Rigid => (false, 0.0, 0.0),
                // Whole turns change nothing, and would drown the cosine.
                Drive::Active { amplitude, phase } => {
                    (true, SWING * amplitude * length, TAU * (phase % 1.0))
                }
            };
            Spring {
                a: mass as u8,
                b: other as u8,
                soft,
                length,
                cosine: swing * libm::cos(phase),
                sine: swing * libm::sin(phase),
            }
        });
        Rig {
            springs: springs.collect(),
            stuck: positions.is_empty() || positions.iter().any(|p| terrain.is_solid(*p)),
            masses,
        }
    }

    /// The farthest that two masses of a whole walker can be apart: all springs
    /// end to end, each swung out and then stretched to twice that.
    pub(crate) fn reach(&self) -> f32 {
        let lengths: f64 = self.springs.iter().map(|s| s.length).sum();
        (2.0 * (1.0 + SWING) * lengths) as f32
    }

    /// What is tied to what, and how: (a, b, soft) of each spring.
    pub(crate) fn topology(&self) -> impl Iterator<Item = (u8, u8, bool)> {
        self.springs.iter().map(|s| (s.a, s.b, s.soft))
    }

    /// Whether two rigs differ in numbers only.
    pub(crate) fn same_topology(&self, other: &Rig) -> bool {
        self.masses.len() == other.masses.len() && self.topology().eq(other.topology())
    }

    /// Bytes that it takes, about.
    pub fn size(&self) -> usize {
        size_of::<Rig>() + size_of_val(&*self.masses) + size_of_val(&*self.springs)
    }

    /// The whole of it, so that no two rigs have the same.
    fn bits(&self) -> impl Iterator<Item = u64> {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let counts = pair(self.masses.len() as u32, self.stuck.into());
        let masses = self
            .masses
            .iter()
            .map(move |[x, y]| pair(x.to_bits(), y.to_bits()));
        let springs = self.springs.iter().flat_map(|s| {
            let ends = u64::from_ne_bytes([s.a, s.b, s.soft.into(), 0, 0, 0, 0, 0]);
            [
                ends,
                s.length.to_bits(),
                s.cosine.to_bits(),
                s.sine.to_bits(),
            ]
        });
        std::iter::once(counts).chain(masses).chain(springs)
    }
}

/// Box2D finds a walker's springs by a depth-first search from its newest
/// mass, at each mass newest spring first: each with the mass where it finds it.
fn solver_order(walker: &Walker) -> Vec<(usize, usize)> {
    let mut at_mass = vec![Vec::new(); walker.joints.len()];
    for (index, m) in walker.muscles.iter().enumerate().rev() {
        at_mass[usize::from(m.a)].push((index, m.b));
        at_mass[usize::from(m.b)].push((index, m.a));
    }
    let mut order = Vec::with_capacity(walker.muscles.len());
    let mut taken = vec![false; walker.muscles.len()];
    let mut seen = vec![false; walker.joints.len()];
    for seed in (0..walker.joints.len()).rev() {
        let mut stack = Vec::new();
        if !seen[seed] {
            seen[seed] = true;
            stack.push(seed);
        }
        while let Some(mass) = stack.pop() {
            for &(index, other) in &at_mass[mass] {
                if !taken[index] {
                    taken[index] = true;
                    order.push((index, mass));
                    let other = usize::from(other);
                    if !seen[other] {
                        seen[other] = true;
                        stack.push(other);
                    }
                }
            }
        }
    }
    order
}
