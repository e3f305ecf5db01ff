//! The page of a dataset: what is in it, and some of its walkers.

use maud::html;

use super::report::{Card, Individual, bars, cards, individual, whole};

/// A dataset, told for people.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Numbers to see at first glance.
    pub cards: Vec<Card>,
    /// Programs kept.
    pub programs: u64,
    /// Programs by run's seed.
    pub seeds: Vec<(String, u64)>,
    /// Programs by terrain.
    pub terrains: Vec<(String, u64)>,
    /// Niches by how many programs are in them.
    pub niches: Vec<(String, u64)>,
    /// Programs by their length in bytes.
    pub lengths: Vec<(String, u64)>,
    /// What was left out of what the maps took.
    pub left: Vec<(String, u64)>,
    /// Programs that the maps took.
    pub admitted: u64,
    /// A sample.
    pub shown: Vec<Individual>,
}

/// Writes the page: no script, no request to anywhere, and all texts of others escaped.
pub fn page(page: &Page) -> String {
    let filled: u64 = page.niches.iter().map(|(_, count)| count).sum();
    let body = html! {
        header {
            h1 { "Programs that maps took" }
            p.faint { "For models to learn from" }
            (cards(&page.cards))
        }
        section.tables {
            div {
                (bars("Seeds", "Seed", &page.seeds, page.programs))
                (bars("Terrains", "Terrain", &page.terrains, page.programs))
                (bars("Left out", "Reason", &page.left, page.admitted))
            }
            div {
                (bars("Bytes of a program", "Bytes", &page.lengths, page.programs))
                (bars("Programs of a niche", "Programs", &page.niches, filled))
            }
        }
        section {
            h2 { "Some of them" }
            div.gallery { @for one in &page.shown { (individual(one)) } }
        }
    };
    whole("Programs that maps took", &body)
}
