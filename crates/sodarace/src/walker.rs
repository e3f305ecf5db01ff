//! A walker: the phenotype that a program makes and the physics moves.

use serde::{Deserialize, Serialize};

use crate::json;

/// A walker that has passed the creator's rules: connected, joints at least
/// the minimum distance apart, no muscle twice, everything finite.
///
/// Its joints and muscles stand in the order in which the program added them,
/// which is part of the physics (the solver visits them in that order).
///
/// As JSON it takes the form of the walker creator's `get_walker()`:
/// `{"joints": [[x, y], ..], "muscles": [[i, j, {"type": "distance"}], [i, j,
/// {"type": "muscle", "amplitude": a, "phase": p}], ..]}`. Reading it applies
/// the creator's rules, so a file is never trusted.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "json::Form", try_from = "json::Form")]
pub struct Walker {
    /// Joint positions (x, y) at rest, in program units, y upwards.
    pub joints: Vec<[f64; 2]>,
    /// Springs between joints.
    pub muscles: Vec<Muscle>,
}

/// A spring between two joints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Muscle {
    /// Index of one joint.
    pub a: u16,
    /// Index of the other joint.
    pub b: u16,
    /// Whether and how its rest length changes.
    pub drive: Drive,
}

/// What the rest length of a muscle does over time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Drive {
    /// It stays.
    Rigid,
    /// It swings: L + 0.3 L * amplitude * cos(3 t + 2 pi * phase).
    Active {
        /// In [-1, 1], as a share of the largest swing (0.3 of the length).
        amplitude: f64,
        /// In turns.
        phase: f64,
    },
}

/// Where a walker lies in behaviour space (after Lehman et al. 2022, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// Height of the resting walker, program units.
    pub height: f64,
    /// Width of the resting walker, program units.
    pub width: f64,
    /// Number of joints plus half of the summed spring lengths in program units.
    pub mass: f64,
}

impl Walker {
    /// Height, width and mass of the walker at rest.
    pub fn behaviour(&self) -> Behaviour {
        let [[left, bottom], [right, top]] = self.bounds();
        let lengths: f64 = self.muscles.iter().map(|m| self.rest_length(m)).sum();
        Behaviour {
            height: top - bottom,
            width: right - left,
            mass: self.joints.len() as f64 + 0.5 * lengths,
        }
    }

    /// Lower left and upper right corner of the joints at rest, program units;
    /// zeros if there are no joints.
    pub fn bounds(&self) -> [[f64; 2]; 2] {
        let Some(first) = self.joints.first() else {
            return [[0.0; 2]; 2];
        };
        self.joints.iter().fold([*first; 2], |[lo, hi], p| {
            [
                [lo[0].min(p[0]), lo[1].min(p[1])],
                [hi[0].max(p[0]), hi[1].max(p[1])],
            ]
        })
    }

    /// Length of a muscle at rest, program units.
    fn rest_length(&self, muscle: &Muscle) -> f64 {
        let (a, b) = (
            self.joints[usize::from(muscle.a)],
            self.joints[usize::from(muscle.b)],
        );
        libm::hypot(b[0] - a[0], b[1] - a[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviour_of_a_triangle() {
        let muscle = |a, b| Muscle {
            a,
            b,
            drive: Drive::Rigid,
        };
        let walker = Walker {
            joints: vec![[-1.0, 2.0], [2.0, 2.0], [-1.0, 6.0]],
            muscles: vec![muscle(0, 1), muscle(1, 2), muscle(2, 0)],
        };
        let b = walker.behaviour();
        assert_eq!((b.width, b.height, b.mass), (3.0, 4.0, 3.0 + 6.0));
    }
}
