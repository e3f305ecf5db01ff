//! Terrains are data: polylines of ground and ceiling, and where a walker starts.

use serde::{Deserialize, Serialize};

/// A terrain in world units, y upwards, x from left to right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terrain {
    /// Short name, as given on the command line.
    pub name: String,
    /// The ground's corners; its solid side is the right-hand side of the way
    /// (below, for a line that runs from left to right).
    pub ground: Vec<[f64; 2]>,
    /// The ceiling's corners, empty for open sky.
    #[serde(default)]
    pub ceiling: Vec<[f64; 2]>,
    /// The height at which a walker is set down.
    #[serde(default)]
    pub start: Start,
}

/// Where a walker starts; always centred on x = 0.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub enum Start {
    /// The lowest mass touches y = 0.
    #[default]
    OnGround,
    /// The lowest mass is this far above y = 0.
    Above(f64),
}
