//! A walker: the phenotype that a program makes and the physics moves.

use serde::{Deserialize, Serialize};

/// A walker that has passed the creator's rules: connected, joints at least
/// the minimum distance apart, no muscle twice, everything finite.
///
/// Its joints and muscles stand in the order in which the program added them,
/// which is part of the physics (the solver visits them in that order).
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
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
