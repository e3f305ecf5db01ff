//! The page of Stage 1: niches, QD score and fitness by operator and seed, the paper's beside.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;
use serde_json::Value;

use super::report::whole;

/// Stage 1, told for people.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The model that is tuned.
    pub base: String,
    /// Evaluations of each run.
    pub evaluations: u64,
    /// Runs of each operator from each seed.
    pub runs: u64,
    /// What came of them.
    pub rows: Vec<Row>,
    /// The trials of the tuned operators, as in their cards.
    pub trials: Vec<(String, Value)>,
    /// Charts as SVG.
    pub charts: Vec<String>,
}

/// The runs of one operator from one seed; means.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The seed.
    pub seed: String,
    /// The operator.
    pub operator: String,
    /// Niches filled, %.
    pub niches: f64,
    /// QD score.
    pub qd_score: f64,
    /// Maximum fitness.
    pub best: f64,
    /// Children that apply, %.
    pub valid: f64,
    /// Children that run, %.
    pub runnable: f64,
    /// Children that the map took, %.
    pub accepted: f64,
    /// Seconds of a run.
    pub seconds: f64,
    /// The paper's niches (%), QD score (thousands) and maximum fitness, after 1,024,000 evaluations and in its own units of distance.
    pub paper: Option<[f64; 3]>,
}

impl Row {
    /// The row as one of a table in Markdown.
    pub fn line(&self) -> String {
        let paper = self.paper.map_or_else(
            || " | |".to_owned(),
            |[niches, qd, best]| format!("{niches} | {qd}k | {best}"),
        );
        format!(
            "| {} | {} | {:.1} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {paper} |",
            self.seed,
            self.operator,
            self.niches,
            self.qd_score,
            self.best,
            self.valid,
            self.runnable,
            self.accepted,
            self.seconds
        )
    }
}

/// Writes the page.
pub fn page(page: &Page) -> String {
    let body = html! {
        header {
            h1 { "Stage 1: an operator tuned on what evolution accepted" }
            p.faint {
                "The model " (page.base) ", " (page.evaluations) " evaluations a run, " (page.runs) " runs each; means. After Lehman et al. 2022, figures 8 to 11."
            }
        }
        section { h2 { "Course of the runs" } div.charts { @for chart in &page.charts { figure { (PreEscaped(chart)) } } } }
        section { h2 { "After " (page.evaluations) " evaluations" } (rows(&page.rows)) }
        section {
            h2 { "The tuned operators on programs held out" }
            table {
                thead { tr { th { "Operator" } th { "" } th { "Valid" } th { "Runnable" } th { "Accepted" } } }
                tbody {
                    @for (name, trial) in &page.trials {
                        @for way in ["held", "free"] {
                            tr {
                                td { (name) } td { (if way == "held" { "held to the guide" } else { "free" }) }
                                @for share in ["valid", "runnable", "accepted"] { td { (percent(&trial[way], share)) } }
                            }
                        }
                    }
                }
            }
            p.faint { "The paper's pretrained and tuned operators, free: see its figure 11." }
        }
    };
    whole("Stage 1", &body)
}

fn percent(trial: &Value, share: &str) -> String {
    let number = |name: &str| trial[name].as_f64();
    match (number(share), number("children")) {
        (Some(part), Some(whole)) if whole > 0.0 => format!("{:.1} %", 100.0 * part / whole),
        _ => "\u{2013}".to_owned(),
    }
}

fn rows(rows: &[Row]) -> Markup {
    html! {
        table {
            thead { tr {
                th { "Seed" } th { "Operator" } th { "Niches" } th { "QD score" } th { "Best" } th { "Valid" } th { "Runnable" } th { "Accepted" } th { "Seconds" }
                th { "Paper: niches" } th { "QD score" } th { "Best" }
            } }
            tbody {
                @for row in rows {
                    tr {
                        td { (row.seed) } td { (row.operator) } td { (format!("{:.1} %", row.niches)) } td { (format!("{:.0}", row.qd_score)) } td { (format!("{:.1}", row.best)) }
                        @for share in [row.valid, row.runnable, row.accepted] { td { (format!("{share:.1} %")) } }
                        td { (format!("{:.0}", row.seconds)) }
                        @if let Some([niches, qd, best]) = row.paper {
                            td { (niches) " %" } td { (qd) " k" } td { (best) }
                        } @else {
                            td { "\u{2013}" } td { "\u{2013}" } td { "\u{2013}" }
                        }
                    }
                }
            }
        }
    }
}
