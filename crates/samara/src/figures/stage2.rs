//! The page of Stage 2: models of the domain by size, the paper's numbers beside.

use invent::probe;
use maud::{PreEscaped, html};
use serde::Serialize;

use super::report::whole;

/// Stage 2, told for people.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Programs that each wrote.
    pub samples: u64,
    /// Programs learned from.
    pub learned: u64,
    /// The dataset, then the models.
    pub rows: Vec<Row>,
    /// What a model knows of its programs.
    pub probes: Vec<probe::Row>,
    /// Charts as SVG.
    pub charts: Vec<String>,
}

/// A model of the domain, or the dataset itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Numbers of the model.
    pub parameters: Option<u64>,
    /// The least loss of a token of programs held out, nats.
    pub loss: Option<f64>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// Programs put into a map.
    pub programs: u64,
    /// Niches filled by them, %.
    pub niches: f64,
    /// Their QD score.
    pub qd_score: f64,
    /// Their best fitness.
    pub best: f64,
    /// Programs that are whole, %.
    pub valid: f64,
    /// Programs that make a walker, %.
    pub runnable: f64,
    /// Targets completed from their first half: the best of as many, in % of the original's fitness.
    pub completed: Vec<(String, f64)>,
}

impl Row {
    /// What the paper has for a model of this size, or the dataset: niches that 1,024 samples fill, %.
    fn paper(&self) -> &'static str {
        match &*self.name {
            "dataset" => "40",
            "0.1m" => "11",
            "85m" | "300m" | "680m" => "31 to 39",
            _ => "",
        }
    }

    /// The row as one of a table in Markdown.
    pub fn line(&self) -> String {
        let number =
            |x: Option<f64>, digits: usize| x.map_or(String::new(), |x| format!("{x:.digits$}"));
        let completed: String = self
            .completed
            .iter()
            .map(|(_, percent)| format!(" {percent:.0} |"))
            .collect();
        format!(
            "| {} | {} | {} | {:.1} | {} | {:.0} | {:.0} | {:.1} | {:.1} |{}",
            self.name,
            number(self.loss, 3),
            number(self.seconds, 0),
            self.niches,
            self.paper(),
            self.qd_score,
            self.best,
            self.valid,
            self.runnable,
            if completed.is_empty() {
                " | | |".to_owned()
            } else {
                completed
            }
        )
    }
}

/// A probe as a row of a table in Markdown.
pub fn probed(row: &probe::Row) -> String {
    format!("| {} |", cells(row).join(" | "))
}

fn cells(row: &probe::Row) -> [String; 6] {
    let rho =
        |rho: Option<f64>| rho.map_or_else(|| "\u{2013}".to_owned(), |rho| format!("{rho:.2}"));
    let values = if row.within { "read" } else { "beyond" };
    [
        row.property.clone(),
        values.to_owned(),
        format!("{} of {}", row.scored, row.asked),
        rho(row.wished),
        format!("{} of {}", row.foretold, row.asked),
        rho(row.known),
    ]
}

/// Writes the page.
pub fn page(page: &Page) -> String {
    let targets: Vec<&str> = page
        .rows
        .iter()
        .flat_map(|row| row.completed.iter().map(|(name, _)| &**name))
        .collect();
    let targets = &targets[..page.rows.last().map_or(0, |row| row.completed.len())];
    let dash = "\u{2013}";
    let body = html! {
        header {
            h1 { "Stage 2: models of what evolution found" }
            p.faint {
                (page.learned) " programs to learn from, " (page.samples) " samples of each. After Lehman et al. 2022, figures 12, 13 and 15."
            }
        }
        section { h2 { "While they learned" } div.charts { @for chart in &page.charts { figure { (PreEscaped(chart)) } } } }
        section {
            h2 { (page.samples) " programs in a fresh map, and programs completed" }
            table {
                thead { tr {
                    th { "Model" } th { "Loss" } th { "Seconds" } th { "Niches" } th { "Paper: niches" } th { "QD score" } th { "Best" } th { "Valid" } th { "Runnable" }
                    @for target in targets { th { (target) } }
                } }
                tbody {
                    @for row in &page.rows {
                        tr {
                            td { (row.name) }
                            td { (row.loss.map_or(dash.to_owned(), |x| format!("{x:.3}"))) }
                            td { (row.seconds.map_or(dash.to_owned(), |x| format!("{x:.0}"))) }
                            td { (format!("{:.1} %", row.niches)) } td { (if row.paper().is_empty() { dash.to_owned() } else { format!("{} %", row.paper()) }) }
                            td { (format!("{:.0}", row.qd_score)) } td { (format!("{:.0}", row.best)) }
                            td { (format!("{:.1} %", row.valid)) } td { (format!("{:.1} %", row.runnable)) }
                            @for target in targets {
                                td { (row.completed.iter().find(|(name, _)| name == target).map_or(dash.to_owned(), |(_, x)| format!("{x:.0} %"))) }
                            }
                        }
                    }
                }
            }
            p.faint { "A model \u{201c}anew\u{201d} has the shape and the tokenizer of the one before it, and began from weights drawn by chance. Targets: the best of as many completions of their first half, in per cent of the distance of the original; in the paper up to 51 %. The paper's least loss is 0.08." }
        }
        section {
            h2 { "Probes: what a model knows of its programs" }
            table {
                thead { tr { th { "Property" } th { "Values" } th { "Walkers written to a wish" } th { "Wish and walker" } th { "Programs told of" } th { "Told and true" } } }
                tbody { @for row in &page.probes { tr { @for cell in cells(row) { td { (cell) } } } } }
            }
            p.faint { "Spearman's correlation. The wish stands in a comment in front of a program, what is told in one behind it. \u{201c}Read\u{201d}: programs held out whose properties are within the nine tenths with the smallest values, which were read; \u{201c}beyond\u{201d}: programs above these by this property. Appendix H." }
        }
    };
    whole("Stage 2", &body)
}
