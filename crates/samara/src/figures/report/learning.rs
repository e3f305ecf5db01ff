//! The report's tables of what a run learned.

use maud::{Markup, html};

use super::share;

/// A round of learning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundRow {
    /// Its number, also that of the weights it made.
    pub round: u32,
    /// Evaluations before it.
    pub evaluations: u64,
    /// Lessons learned from.
    pub lessons: u64,
    /// Tokens read.
    pub tokens: u64,
    /// Seconds it took, formatted.
    pub seconds: String,
    /// Mean loss of a token on lessons held out.
    pub loss: Option<f64>,
    /// Counts of the trial's children of the weights before: all, valid, runnable, accepted, unique.
    pub before: Option<[u64; 5]>,
    /// The same of the new weights.
    pub after: Option<[u64; 5]>,
    /// Whether the new weights were kept.
    pub kept: bool,
    /// Why, in words.
    pub why: String,
}

/// The children of one generation of weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationRow {
    /// The operator.
    pub operator: String,
    /// The generation.
    pub weights: u32,
    /// Children proposed.
    pub proposed: u64,
    /// Of these, changes that apply.
    pub valid: u64,
    /// Of these, programs that run and yield an artifact.
    pub runnable: u64,
    /// Of these, children that the map took.
    pub accepted: u64,
}

pub(super) fn rounds(rows: &[RoundRow]) -> Markup {
    let trial = |counts: &Option<[u64; 5]>| match counts {
        Some([all, valid, runnable, accepted, unique]) => [valid, runnable, accepted, unique]
            .map(|part| share(*part, *all))
            .join(" / "),
        None => "\u{2013}".into(),
    };
    html! {
        div {
            h2 { "Learning" }
            table {
                thead { tr {
                    th { "Round" } th { "Evaluations" } th { "Lessons" } th { "Tokens" } th { "Time" } th { "Loss" }
                    th { "Old weights: valid / runnable / accepted / unique" } th { "New weights" } th { "Kept" }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            td { (row.round) }
                            td { (row.evaluations) }
                            td { (row.lessons) }
                            td { (row.tokens) }
                            td { (row.seconds) }
                            td { @match row.loss { Some(loss) => { (format!("{loss:.3}")) }, None => { "\u{2013}" } } }
                            td { (trial(&row.before)) }
                            td { (trial(&row.after)) }
                            td title=(row.why) { @if row.kept { "yes" } @else { "no" } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn generations(rows: &[GenerationRow]) -> Markup {
    html! {
        div {
            h2 { "Generations of weights" }
            table {
                thead { tr { th { "Operator" } th { "Generation" } th { "Proposed" } th { "Valid" } th { "Runnable" } th { "Accepted" } } }
                tbody {
                    @for row in rows {
                        tr {
                            td { (row.operator) }
                            td { (row.weights) }
                            td { (row.proposed) }
                            @for part in [row.valid, row.runnable, row.accepted] {
                                td { (part) span.share { (share(part, row.proposed)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
