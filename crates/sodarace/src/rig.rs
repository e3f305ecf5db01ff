//! A walker compiled for the solver: world units, single precision, and its
//! springs in the order in which Box2D solves them.

use std::f64::consts::TAU;

use crate::creator::MAX_JOINTS;
use crate::terrain::Terrain;
use crate::walker::{Drive, Walker};
use crate::{MASS_RADIUS, WORLD_PER_PROGRAM_UNIT};

/// Largest swing of a muscle as a share of its length.
const SWING: f64 = 0.3;

/// A walker set down on a terrain.
#[derive(Clone, Debug)]
pub(crate) struct Rig {
    /// Where the masses start.
    pub masses: Vec<[f32; 2]>,
    /// In solver order.
    pub springs: Vec<Spring>,
    /// Whether a mass starts within rock (or there is none).
    pub stuck: bool,
}

/// A spring whose rest length at time t is
/// `length + cosine * cos(3 t) - sine * sin(3 t)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spring {
    pub a: u8,
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
    pub fn new(walker: &Walker, terrain: &Terrain) -> Rig {
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
        let springs = solver_order(walker).into_iter().map(|index| {
            let muscle = walker.muscles[index];
            let (a, b) = (masses[usize::from(muscle.a)], masses[usize::from(muscle.b)]);
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
                a: muscle.a as u8,
                b: muscle.b as u8,
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
    pub fn reach(&self) -> f32 {
        let lengths: f64 = self.springs.iter().map(|s| s.length).sum();
        (2.0 * (1.0 + SWING) * lengths) as f32
    }

    /// What is tied to what, and how: (a, b, soft) of each spring.
    pub fn topology(&self) -> impl Iterator<Item = (u8, u8, bool)> {
        self.springs.iter().map(|s| (s.a, s.b, s.soft))
    }

    /// Whether two rigs differ in numbers only.
    pub fn same_topology(&self, other: &Rig) -> bool {
        self.masses.len() == other.masses.len() && self.topology().eq(other.topology())
    }
}

/// Box2D finds a walker's springs by a depth-first search from its newest
/// mass, at each mass newest spring first.
fn solver_order(walker: &Walker) -> Vec<usize> {
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
                    order.push(index);
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
