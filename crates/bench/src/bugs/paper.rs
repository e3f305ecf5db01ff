//! What the paper reports, to stand beside our own measurements.

use serde::Serialize;

/// An operator of the paper and its share of successes on a task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Published {
    /// The task, as in [`super::TASKS`].
    pub task: &'static str,
    /// The operator, in the paper's words.
    pub operator: &'static str,
    /// Successes of one mutation, in per cent, for 1, 2, 3 ... bugs.
    pub success_percent: &'static [f64],
    /// Whether the numbers are read off a chart or a sentence ("about"), not from a table.
    pub approximate: bool,
}

/// Lehman et al. 2022, figures 1, 2, 20 and 21. Of the two prompted models only the level and the value at five bugs
/// are taken, and nothing on the quadratic task.
pub const PUBLISHED: [Published; 6] = [
    Published {
        task: "parity",
        operator: "diff model, 300M",
        success_percent: &[9.0, 15.0, 12.0, 29.0, 0.75],
        approximate: false,
    },
    Published {
        task: "parity",
        operator: "genetic programming",
        success_percent: &[0.45, 0.065, 0.016, 0.004, 0.0],
        approximate: false,
    },
    Published {
        task: "parity",
        operator: "Codex, davinci, prompted",
        success_percent: &[45.0, 45.0, 45.0, 45.0, 40.0],
        approximate: true,
    },
    Published {
        task: "parity",
        operator: "Codex, edit mode",
        success_percent: &[78.0, 78.0, 78.0, 78.0, 24.0],
        approximate: true,
    },
    Published {
        task: "quadratic",
        operator: "diff model, 300M",
        success_percent: &[8.0, 11.0],
        approximate: false,
    },
    Published {
        task: "quadratic",
        operator: "genetic programming",
        success_percent: &[0.9, 0.05],
        approximate: false,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::Task;

    #[test]
    fn every_line_has_a_number_for_every_bug() {
        for line in &PUBLISHED {
            let task = Task::by_name(line.task).unwrap();
            assert_eq!(line.success_percent.len(), task.bugs(), "{line:?}");
        }
    }
}
