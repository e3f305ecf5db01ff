//! Sodarace: walkers of point masses and springs, the walker creator's rules,
//! terrains, the physics, and pictures of all of it.
//!
//! This crate knows nothing of evolution or of Python. Lengths are either
//! *program units* (what a program's `add_joint(x, y)` speaks) or *world units*
//! (what the physics and the terrains speak); one program unit is
//! [`WORLD_PER_PROGRAM_UNIT`] world units.

mod builtin;
mod collision;
mod contacts;
mod course;
pub mod creator;
mod json;
mod lanes;
mod physics;
pub mod render;
mod rig;
mod rows;
pub mod sim;
pub mod terrain;
mod verdict;
pub mod walker;

pub use course::Course;
pub use creator::{Blueprint, Ignored, RawMuscle, Rejected};
pub use rig::Rig;
pub use sim::{Exploded, Trajectory, simulate, trajectory};
pub use terrain::{Start, Terrain, TerrainError};
pub use walker::{Behaviour, Drive, Muscle, Walker};

/// World units in one program unit.
pub const WORLD_PER_PROGRAM_UNIT: f64 = 6.8;
/// Simulation steps in one second.
pub const STEPS_PER_SECOND: u32 = 60;
/// Radius of a mass, in world units.
pub const MASS_RADIUS: f64 = 1.948;
