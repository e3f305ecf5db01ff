//! What the creator's rules make of a blueprint: what they ignored, or why they
//! rejected it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::creator::{MAX_EXTENT, MIN_JOINTS, MIN_MUSCLES};

/// How often each rule took something away or changed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ignored {
    /// Joints nearer than [`MIN_JOINT_DISTANCE`](crate::creator::MIN_JOINT_DISTANCE) to an earlier one.
    pub joints_merged: u32,
    /// Joints past [`MAX_JOINTS`](crate::creator::MAX_JOINTS).
    pub joints_past_limit: u32,
    /// Muscles from a joint to itself.
    pub muscles_self: u32,
    /// Second muscles between the same two joints.
    pub muscles_duplicate: u32,
    /// Muscles past [`MAX_DEGREE`](crate::creator::MAX_DEGREE) on one of their joints.
    pub muscles_past_degree: u32,
    /// Muscles past [`MAX_MUSCLES`](crate::creator::MAX_MUSCLES).
    pub muscles_past_limit: u32,
    /// Joints outside the largest connected piece.
    pub joints_loose: u32,
    /// Muscles outside the largest connected piece.
    pub muscles_loose: u32,
    /// Amplitudes outside [-1, 1] (of muscles that stayed).
    pub amplitudes_clamped: u32,
}

impl Ignored {
    /// Every rule's name and count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("joints_merged", self.joints_merged),
            ("joints_past_limit", self.joints_past_limit),
            ("muscles_self", self.muscles_self),
            ("muscles_duplicate", self.muscles_duplicate),
            ("muscles_past_degree", self.muscles_past_degree),
            ("muscles_past_limit", self.muscles_past_limit),
            ("joints_loose", self.joints_loose),
            ("muscles_loose", self.muscles_loose),
            ("amplitudes_clamped", self.amplitudes_clamped),
        ]
        .into_iter()
    }
}

/// The counts that are not zero, as `name count, name count`; `none` if all are.
impl std::fmt::Display for Ignored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts: Vec<_> = self
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        f.write_str(if counts.is_empty() { "none" } else { "" })?;
        f.write_str(&counts.join(", "))
    }
}

/// Why what a program built is no walker.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Rejected {
    /// A joint's coordinate is infinite or not a number.
    #[error("joints[{joint}] is not finite; every coordinate must be a finite number")]
    NotFiniteJoint {
        /// Handle of the joint.
        joint: usize,
    },
    /// A muscle's amplitude or phase is infinite or not a number.
    #[error("muscles[{muscle}] has a {field} that is not finite; give it a finite number")]
    NotFiniteMuscle {
        /// Index of the `add_muscle` call.
        muscle: usize,
        /// `amplitude` or `phase`.
        field: &'static str,
    },
    /// A muscle names a joint that was never added.
    #[error("muscles[{muscle}] names joint {joint}, but there are only {joints} joints")]
    UnknownJoint {
        /// Index of the `add_muscle` call.
        muscle: usize,
        /// The handle it names.
        joint: usize,
        /// Number of `add_joint` calls.
        joints: usize,
    },
    /// The largest connected piece has fewer than [`MIN_JOINTS`] joints.
    #[error("the largest connected piece has {found} joints; a walker needs at least {MIN_JOINTS}")]
    TooFewJoints {
        /// Joints of that piece.
        found: usize,
    },
    /// The largest connected piece has fewer than [`MIN_MUSCLES`] muscles.
    #[error(
        "the largest connected piece has {found} muscles; a walker needs at least {MIN_MUSCLES}"
    )]
    TooFewMuscles {
        /// Muscles of that piece.
        found: usize,
    },
    /// The walker is wider or higher than [`MAX_EXTENT`].
    #[error("the walker is {extent} program units wide or high; at most {MAX_EXTENT} are allowed")]
    TooLarge {
        /// The larger of width and height, program units.
        extent: f64,
    },
}

impl Rejected {
    /// All codes that [`Rejected::reason`] gives.
    pub const REASONS: &[&str] = &[
        "not-finite",
        "unknown-joint",
        "too-few-joints",
        "too-few-muscles",
        "too-large",
    ];

    /// A short name of the reason, for counting.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejected::NotFiniteJoint { .. } | Rejected::NotFiniteMuscle { .. } => "not-finite",
            Rejected::UnknownJoint { .. } => "unknown-joint",
            Rejected::TooFewJoints { .. } => "too-few-joints",
            Rejected::TooFewMuscles { .. } => "too-few-muscles",
            Rejected::TooLarge { .. } => "too-large",
        }
    }
}
