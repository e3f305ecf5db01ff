//! A change that an operator can learn from.

use serde::{Deserialize, Serialize};

/// A change of a program and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// The run it comes from, or the file; told apart from others, it means nothing else.
    pub source: String,
    /// The child's number in its run, or its place in its file.
    pub id: u64,
    /// The operator that made it.
    pub operator: String,
    /// What the operator was told: a commit message, an instruction.
    pub told: Option<String>,
    /// The file's name, where it is another than the domain's, which then has no say in what may be written.
    #[serde(default)]
    pub file: Option<String>,
    /// The program before.
    pub parent: String,
    /// The program after.
    pub child: String,
    /// Whether the map took it.
    pub accepted: bool,
    /// The child's niche, where it was scored.
    pub niche: Option<u32>,
    /// The child's fitness, where it was scored.
    pub fitness: Option<f64>,
    /// The parent's fitness, where it was scored.
    pub parent_fitness: Option<f64>,
}

impl AsRef<Self> for Lesson {
    fn as_ref(&self) -> &Self {
        self
    }
}
