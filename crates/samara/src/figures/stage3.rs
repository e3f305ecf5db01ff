//! The page of Stage 3: dataset, model of the domain and inventors by terrain, the paper's numbers beside.

use maud::{PreEscaped, html};
use serde::Serialize;

use super::report::whole;

/// Stage 3, told for people.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Programs of each on each terrain.
    pub samples: u64,
    /// Iterations of an inventor's training.
    pub iterations: u32,
    /// Programs of an iteration.
    pub iteration_samples: u64,
    /// What came of them.
    pub rows: Vec<Row>,
    /// Walkers written for tunnels.
    pub heights: Vec<Height>,
    /// Charts as SVG.
    pub charts: Vec<String>,
}

/// What an inventor writes for a tunnel; heights and distances in world units.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Height {
    /// The tunnel's height.
    pub tunnel: f64,
    /// Whether it has learned this tunnel.
    pub is_learned: bool,
    /// The mean height of the walkers that it learned for it first.
    pub taught: Option<f64>,
    /// Walkers written.
    pub walkers: u64,
    /// Their mean height.
    pub height: f64,
    /// The mean height of the tenth of them that walks farthest.
    pub of_best: f64,
    /// Their mean distance.
    pub distance: f64,
}

impl Height {
    fn cells(&self) -> [String; 7] {
        [
            format!("{}", self.tunnel),
            if self.is_learned {
                "learned"
            } else {
                "between"
            }
            .to_owned(),
            self.taught
                .map_or_else(|| "\u{2013}".to_owned(), |x| format!("{x:.0}")),
            self.walkers.to_string(),
            format!("{:.0}", self.height),
            format!("{:.0}", self.of_best),
            format!("{:.1}", self.distance),
        ]
    }

    /// The row as one of a table in Markdown.
    pub fn line(&self) -> String {
        format!("| {} |", self.cells().join(" | "))
    }
}

/// Who writes, and how far its walkers walk on each terrain of a set.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The set of terrains.
    pub set: String,
    /// The dataset's quality, %.
    pub quality: f64,
    /// "dataset", "domain", "codes" or "vision".
    pub stage: String,
    /// "best" or "mean" of the programs.
    pub what: String,
    /// Distances by terrain, one for each training.
    pub distances: Vec<(String, Vec<f64>)>,
    /// The paper's mean over the set, in its own units of distance.
    pub paper: Option<f64>,
}

impl Row {
    /// The mean over trainings of a terrain, and half of how far they lie apart.
    fn mean(each: &[f64]) -> (f64, f64) {
        let mean = each.iter().sum::<f64>() / (each.len() as f64).max(1.0);
        let (low, high) = each
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(*x), high.max(*x))
            });
        (
            mean,
            if each.len() > 1 {
                (high - low) / 2.0
            } else {
                0.0
            },
        )
    }

    fn cells(&self) -> Vec<String> {
        let cells = self
            .distances
            .iter()
            .map(|(_, each)| match Self::mean(each) {
                (mean, 0.0) => format!("{mean:.0}"),
                (mean, apart) => format!("{mean:.0} \u{b1} {apart:.0}"),
            });
        let all: Vec<f64> = self
            .distances
            .iter()
            .map(|(_, each)| Self::mean(each).0)
            .collect();
        let mean = Self::mean(&all).0;
        cells.chain([format!("{mean:.0}")]).collect()
    }

    /// The row as one of a table in Markdown.
    pub fn line(&self) -> String {
        let paper = self.paper.map_or(String::new(), |x| format!("{x:.0}"));
        format!(
            "| {} | {} | {} | {} | {} | {paper} |",
            self.set,
            self.quality,
            self.stage,
            self.what,
            self.cells().join(" | ")
        )
    }
}

/// Writes the page.
pub fn page(page: &Page) -> String {
    let mut sets: Vec<&str> = page.rows.iter().map(|row| &*row.set).collect();
    sets.dedup();
    let body = html! {
        header {
            h1 { "Stage 3: models that invent for the terrain they are shown" }
            p.faint {
                (page.samples) " programs of each on each terrain; inventors after " (page.iterations) " iterations of " (page.iteration_samples)
                " programs. World units. After Lehman et al. 2022, figures 18 and 19."
            }
        }
        @for set in sets {
            section {
                h2 { "The " (set) " set" }
                table {
                    thead { tr {
                        th { "Quality" } th { "Programs of" } th { "" }
                        @if let Some(row) = page.rows.iter().find(|row| row.set == set) { @for (terrain, _) in &row.distances { th { (terrain) } } }
                        th { "Mean" } th { "Paper: mean" }
                    } }
                    tbody {
                        @for row in page.rows.iter().filter(|row| row.set == set) {
                            tr {
                                td { (row.quality) " %" } td { (row.stage) } td { (row.what) }
                                @for cell in row.cells() { td { (cell) } }
                                td { (row.paper.map_or("\u{2013}".to_owned(), |x| format!("{x:.0}"))) }
                            }
                        }
                    }
                }
            }
        }
        @if !page.heights.is_empty() {
            section {
                h2 { "Tunnels of many heights" }
                table {
                    thead { tr { th { "Tunnel" } th { "" } th { "Height taught" } th { "Walkers" } th { "Their height" } th { "Of the best tenth" } th { "Their distance" } } }
                    tbody { @for row in &page.heights { tr { @for cell in row.cells() { td { (cell) } } } } }
                }
                p.faint { "An inventor by vision learned the best of the dataset in some tunnels, then by reward; it is asked for those between, too. Appendix I; the paper's did not scale its walkers with the tunnel." }
            }
        }
        section { h2 { "While they learned" } div.charts { @for chart in &page.charts { figure { (PreEscaped(chart)) } } } }
    };
    whole("Stage 3", &body)
}
