//! The report of a run: one HTML page that needs nothing else.
//!
//! No script, no request to anywhere: style and pictures are inline, and a
//! content security policy in the page says so to the browser. Programs and
//! their texts are untrusted; `maud` escapes all that is not a picture of ours.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::diff;
use super::ticks::text;
pub use learning::{GenerationRow, RoundRow};

mod learning;

/// A run, told for people.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The page's heading.
    pub title: String,
    /// One line below it: what kind of run, when, with which version.
    pub subtitle: String,
    /// The command that makes the run again; empty for none.
    pub command: String,
    /// Numbers to see at first glance.
    pub cards: Vec<Card>,
    /// Settings as (name, value), in their order.
    pub settings: Vec<(String, String)>,
    /// What each operator proposed and what became of it.
    pub operators: Vec<OperatorRow>,
    /// Reasons why children failed.
    pub failures: Vec<FailureRow>,
    /// The rounds of learning.
    pub rounds: Vec<RoundRow>,
    /// What became of the children of each generation of a model's weights, where one learned.
    pub generations: Vec<GenerationRow>,
    /// Charts as SVG, from [`curves`](super::curves()).
    pub charts: Vec<String>,
    /// The map as SVG, from [`map_slices`](super::map_slices()).
    pub map: Option<String>,
    /// The best individuals, best first.
    pub best: Vec<Individual>,
}

/// A number with its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Card {
    /// What it is.
    pub label: String,
    /// The number, formatted.
    pub value: String,
    /// A remark below it, such as the unit or a comparison; may be empty.
    pub note: String,
}

/// The counts of one operator (Lehman et al. 2022, section 5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperatorRow {
    /// Its name.
    pub name: String,
    /// Children proposed.
    pub proposed: u64,
    /// Of these, changes that apply.
    pub valid: u64,
    /// Of these, programs that run and yield an artifact.
    pub runnable: u64,
    /// Of these, children that the map took.
    pub accepted: u64,
    /// Seconds of proposing for one child, formatted.
    pub seconds_per_child: String,
    /// Seconds of proposing for one accepted child, formatted; empty for none.
    pub seconds_per_accepted: String,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub tokens: u64,
    /// Tokens written in a second of proposing.
    pub tokens_per_second: f64,
    /// Price of the proposals.
    pub dollars: f64,
}

/// How often children of an operator failed for a reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FailureRow {
    /// The operator's name.
    pub operator: String,
    /// The reason's code.
    pub reason: String,
    /// Children that failed so.
    pub count: u64,
    /// Children that the operator proposed.
    pub proposed: u64,
}

/// One of the best individuals.
#[derive(Clone, Debug, Default)]
pub struct Individual {
    /// Its number in the run.
    pub id: u64,
    /// Its fitness.
    pub fitness: f64,
    /// Measures by name.
    pub measures: Vec<(String, f64)>,
    /// An animation or still as SVG; empty for none.
    pub picture: String,
    /// Its program.
    pub source: String,
    /// From the seed to the individual itself, in this order.
    pub lineage: Vec<Ancestor>,
}

/// One step of a lineage.
#[derive(Clone, Debug, Default)]
pub struct Ancestor {
    /// Its number in the run.
    pub id: u64,
    /// The operator that made it.
    pub operator: String,
    /// The number of its second parent, where one had a part in it.
    pub partner: Option<u64>,
    /// What the operator was told, such as a commit message; may be empty.
    pub message: String,
    /// Its fitness, where it has one.
    pub fitness: Option<f64>,
    /// Its program.
    pub source: String,
}

/// Writes the page.
pub fn report(report: &Report) -> String {
    let body = html! {
        (header(report))
        @if !report.charts.is_empty() {
            section { h2 { "Course of the run" } div.charts { @for chart in &report.charts { figure { (picture(chart)) } } } }
        }
        @if let Some(map) = &report.map {
            section { h2 { "Map" } figure.map { (picture(map)) } }
        }
        @if !report.best.is_empty() {
            section { h2 { "Best programs" } div.gallery { @for one in &report.best { (individual(one)) } } }
        }
        section.tables {
            @if !report.operators.is_empty() { (operators(&report.operators)) }
            @if !report.failures.is_empty() { (failures(&report.failures)) }
        }
        @if !report.rounds.is_empty() {
            section.tables { (learning::rounds(&report.rounds)) (learning::generations(&report.generations)) }
        }
        @if !report.settings.is_empty() {
            section {
                details {
                    summary { h2 { "Settings" } }
                    dl.settings { @for (name, value) in &report.settings { dt { (name) } dd { (value) } } }
                }
            }
        }
    };
    whole(&report.title, &body)
}

/// A page that needs nothing else: no script, no request to anywhere; a content security policy says so to the browser.
pub(super) fn whole(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(include_str!("report.css"))) }
            }
            body { (body) }
        }
    }
    .into_string()
}

/// A picture of our own making, the only text that is not escaped.
fn picture(svg: &str) -> PreEscaped<&str> {
    PreEscaped(svg)
}

fn header(report: &Report) -> Markup {
    html! {
        header {
            h1 { (report.title) }
            p.faint { (report.subtitle) }
            @if !report.command.is_empty() { pre.command { code { (report.command) } } }
            (cards(&report.cards))
        }
    }
}

pub(super) fn cards(cards: &[Card]) -> Markup {
    html! {
        div.cards {
            @for card in cards {
                div.card {
                    div.label { (card.label) }
                    div.value { (card.value) }
                    @if !card.note.is_empty() { div.note { (card.note) } }
                }
            }
        }
    }
}

pub(super) fn individual(one: &Individual) -> Markup {
    html! {
        article {
            (picture(&one.picture))
            div.about {
                strong { (text(one.fitness)) }
                span.faint { " fitness" }
                span.measures { @for (name, value) in &one.measures { span { (name) " " b { (text(*value)) } } } }
                span.faint.id { "#" (one.id) }
            }
            details {
                summary { "Program" }
                pre { code { (one.source) } }
            }
            @if !one.lineage.is_empty() {
                details {
                    summary { "Lineage (" (one.lineage.len() - 1) @if one.lineage.len() == 2 { " change)" } @else { " changes)" } }
                    (lineage(&one.lineage))
                }
            }
        }
    }
}

fn lineage(line: &[Ancestor]) -> Markup {
    html! {
        ol.lineage {
            @for (i, ancestor) in line.iter().enumerate() {
                li {
                    div.step {
                        span.faint { "#" (ancestor.id) } " "
                        strong { (ancestor.operator) }
                        @if let Some(partner) = ancestor.partner { span.faint { " crossed with #" (partner) } }
                        @if let Some(fitness) = ancestor.fitness { span.fitness { (text(fitness)) } }
                    }
                    @if !ancestor.message.is_empty() { div.faint { (ancestor.message) } }
                    @if i > 0 {
                        pre.diff { @for line in diff::lines(&line[i - 1].source, &ancestor.source) { (changed(&line)) } }
                    }
                }
            }
        }
    }
}

/// Counts with bars as long as they are large.
pub(super) fn bars(title: &str, name: &str, rows: &[(String, u64)], whole: u64) -> Markup {
    let most = rows
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    html! {
        div {
            h2 { (title) }
            table {
                thead { tr { th { (name) } th { "Count" } th { } } }
                tbody {
                    @for (name, count) in rows {
                        tr {
                            td { (name) }
                            td { (count) span.share { (share(*count, whole)) } }
                            td.bar { div style={ "width:" (100 * count / most) "%" } { } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn changed(line: &diff::Line) -> Markup {
    let class = match line.sign {
        '+' => "added",
        '-' => "removed",
        '@' => "skipped",
        _ => "same",
    };
    let sign = if line.sign == '@' { ' ' } else { line.sign };
    html! { span class=(class) { (sign) (line.text) "\n" } }
}

/// `part` of `whole`, as "12.3 %".
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "\u{2013}".into();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

fn operators(rows: &[OperatorRow]) -> Markup {
    let priced = rows.iter().any(|row| row.dollars > 0.0);
    html! {
        div {
            h2 { "Operators" }
            table {
                thead { tr { th { "Operator" } th { "Proposed" } th { "Valid" } th { "Runnable" } th { "Accepted" } } }
                tbody {
                    @for row in rows {
                        tr {
                            td { (row.name) }
                            td { (row.proposed) }
                            @for part in [row.valid, row.runnable, row.accepted] {
                                td { (part) span.share { (share(part, row.proposed)) } }
                            }
                        }
                    }
                }
            }
        }
        div {
            h2 { "Cost of proposing" }
            table {
                thead { tr {
                    th { "Operator" } th { "Time a child" } th { "An accepted one" } th { "Tokens in" } th { "Tokens out" } th { "Tokens/s" }
                    @if priced { th { "Dollars" } }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            td { (row.name) }
                            td { (row.seconds_per_child) }
                            td { @if row.seconds_per_accepted.is_empty() { "\u{2013}" } @else { (row.seconds_per_accepted) } }
                            td { (row.prompt_tokens) }
                            td { (row.tokens) }
                            td { (text(row.tokens_per_second)) }
                            @if priced { td { (format!("{:.4}", row.dollars)) } }
                        }
                    }
                }
            }
        }
    }
}

fn failures(rows: &[FailureRow]) -> Markup {
    let most = rows.iter().map(|r| r.count).max().unwrap_or(0).max(1);
    html! {
        div {
            h2 { "Failures" }
            table {
                thead { tr { th { "Reason" } th { "Operator" } th { "Children" } th { } } }
                tbody {
                    @for row in rows {
                        tr {
                            td title=[crate::reasons::sentence(&row.reason)] { (row.reason) }
                            td { (row.operator) }
                            td { (row.count) span.share { (share(row.count, row.proposed)) } }
                            td.bar { div style={ "width:" (100 * row.count / most) "%" } { } }
                        }
                    }
                }
            }
        }
    }
}
