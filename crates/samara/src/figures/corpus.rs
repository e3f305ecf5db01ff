//! The page of a corpus: what is in it, what was left out, and a sample to read.

use maud::{Markup, html};

use super::diff;
use super::report::{bars, changed, share, whole};

/// A corpus, told for people.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Commits read.
    pub commits: u64,
    /// Changes kept.
    pub changes: u64,
    /// Why commits were left out, with their counts.
    pub left: Vec<(String, u64)>,
    /// Lines removed and added, with how many changes do so.
    pub lines: Vec<(String, u64)>,
    /// Words at subjects' beginnings, the most frequent first.
    pub verbs: Vec<(String, u64)>,
    /// Where the changes come from.
    pub sources: Vec<Source>,
    /// A sample.
    pub shown: Vec<Change>,
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its licence.
    pub licence: String,
    /// Commits read.
    pub commits: u64,
    /// Changes kept.
    pub changes: u64,
}

/// A change to read.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What it was to do.
    pub subject: String,
    /// The file's path.
    pub file: String,
    /// The repository's name.
    pub repository: String,
    /// The commit's hash, perhaps cut.
    pub commit: String,
    /// The licence.
    pub licence: String,
    /// The part of the file before.
    pub before: String,
    /// The part of the file after.
    pub after: String,
}

/// Writes the page: no script, no request to anywhere, and all texts of others escaped.
pub fn page(page: &Page) -> String {
    let card = |label: &str, value: String, note: &str| {
        html! {
            div.card { div.label { (label) } div.value { (value) } div.note { (note) } }
        }
    };
    let body = html! {
        header {
            h1 { "Changes out of git histories" }
            p.faint { "Single-file changes of Python, for models to learn from" }
            div.cards {
                (card("changes", page.changes.to_string(), &format!("{} of the commits", share(page.changes, page.commits))))
                (card("commits", page.commits.to_string(), "read"))
                (card("repositories", page.sources.len().to_string(), "under licences that allow it"))
            }
        }
        section.tables {
            (bars("Left out", "Reason", &page.left, page.commits))
            div {
                (bars("Lines removed and added", "Lines", &page.lines, page.changes))
                (bars("What subjects begin with", "Word", &page.verbs, page.changes))
            }
        }
        section {
            h2 { "Repositories" }
            table {
                thead { tr { th { "Repository" } th { "Licence" } th { "Commits" } th { "Changes" } } }
                tbody {
                    @for source in &page.sources {
                        tr {
                            td { (source.name) } td { (source.licence) } td { (source.commits) }
                            td { (source.changes) span.share { (share(source.changes, source.commits)) } }
                        }
                    }
                }
            }
        }
        section {
            h2 { "A sample" }
            div.gallery { @for change in &page.shown { (sample(change)) } }
        }
    };
    whole("Changes out of git histories", &body)
}

fn sample(change: &Change) -> Markup {
    html! {
        article {
            div.about { b { (change.subject) } span.measures { span { (change.file) } } }
            pre.diff { @for line in diff::lines(&change.before, &change.after) { (changed(&line)) } }
            div.about { span.faint { (change.repository) " " (change.commit) ", " (change.licence) } }
        }
    }
}
