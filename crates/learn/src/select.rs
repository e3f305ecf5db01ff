//! Which lessons are learned.
//!
//! As SOAR (Pourcel et al. 2025) has it: so many a niche at most, half of them the best, half different from each other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use edit::diff::{Diff, Tag};
use edit::hash;
use edit::source::is_same;
use mutate::Lesson;
use serde::{Deserialize, Serialize};

use crate::left::{Left, Why};

/// Lessons of no niche that are chosen of one source, at most: what fits in memory.
pub const UNPLACED: usize = 100_000;

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether children that were scored, but that the map did not take, are lessons too.
    pub rejected: bool,
    /// Lines removed, and lines added, at most.
    pub max_lines: usize,
    /// Lessons of one niche of one source at most, and as many rejected ones. What is taken without a niche, such as commits, is not held to it: of these
    /// at most [`UNPLACED`] of a source, different from each other.
    pub per_niche: usize,
    /// What the best are best in.
    pub best: Best,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rejected: false,
            max_lines: 8,
            per_niche: 50,
            best: Best::Fitness,
        }
    }
}

/// What makes a lesson good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Best {
    /// The child's fitness.
    Fitness,
    /// By how much it is fitter than its parent.
    Gain,
}

/// The lessons chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selected {
    /// In the order in which they came.
    pub lessons: Vec<Lesson>,
    /// What was left out.
    pub left: Left,
}

/// Chooses among lessons; the same ones in the same order with the same seed give the same choice.
///
/// # Errors
/// The first that the iterator gives.
pub fn select<E>(
    lessons: impl IntoIterator<Item = Result<Lesson, E>>,
    settings: Settings,
    seed: u64,
) -> Result<Selected, E> {
    let mut selection = Selection::new(settings, seed);
    for lesson in lessons {
        selection.push(lesson?);
    }
    Ok(selection.done())
}

/// A choice while lessons come: holds no more than twice the lessons that may be chosen, and hashes of the others.
pub struct Selection {
    settings: Settings,
    seed: u64,
    /// Hashes of changes that came.
    seen: HashSet<u64>,
    /// By source, niche, and whether the map took them.
    bins: BTreeMap<(u64, Option<u32>, bool), Bin>,
    come: u64,
    left: Left,
}

/// The candidates of a niche, by keys of which the smallest are kept.
#[derive(Default)]
struct Bin {
    /// By quality, the best first.
    best: BTreeMap<(u64, u64), Arc<Lesson>>,
    /// By how many came before of the same parent and the same edit, then by chance.
    diverse: BTreeMap<(u64, u64, u64), Arc<Lesson>>,
    parents: HashMap<u64, u64>,
    edits: HashMap<u64, u64>,
    size: u64,
}

impl Selection {
    /// An empty choice.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            seed,
            seen: HashSet::new(),
            bins: BTreeMap::new(),
            come: 0,
            left: Left::default(),
        }
    }

    /// Takes a lesson, or counts why not.
    pub fn push(&mut self, lesson: Lesson) {
        if let Err(why) = self.take(lesson) {
            self.left.add(why);
        }
    }

    fn take(&mut self, lesson: Lesson) -> Result<(), Why> {
        if !(lesson.accepted || self.settings.rejected && lesson.fitness.is_some()) {
            return Err(Why::Rejected);
        }
        if is_same(&lesson.parent, &lesson.child) {
            return Err(Why::Unchanged);
        }
        let change = hash::of([&*lesson.parent, &*lesson.child]);
        if self.seen.contains(&change) {
            return Err(Why::Duplicate);
        }
        let edit = edit(&lesson, self.settings.max_lines)?;
        self.seen.insert(change);
        let parent = hash::of([&*lesson.parent]);
        let goodness = match self.settings.best {
            Best::Fitness => lesson.fitness,
            Best::Gain => Option::zip(lesson.fitness, lesson.parent_fitness).map(|(a, b)| a - b),
        };
        let (best, diverse) = self.places(lesson.niche, lesson.accepted);
        let bin = (hash::of([&*lesson.source]), lesson.niche, lesson.accepted);
        let bin = self.bins.entry(bin).or_default();
        let before = count(&mut bin.parents, parent) + count(&mut bin.edits, edit);
        let chance = hash::both(self.seed, change);
        let lesson = Arc::new(lesson);
        bin.size += 1;
        bin.best
            .insert((last_to_first(goodness), self.come), lesson.clone());
        bin.diverse.insert((before, chance, self.come), lesson);
        self.come += 1;
        if bin.best.len() > best {
            bin.best.pop_last();
        }
        if bin.diverse.len() > diverse {
            bin.diverse.pop_last();
        }
        Ok(())
    }

    /// How many places a bin has: for the best, and in all.
    fn places(&self, niche: Option<u32>, accepted: bool) -> (usize, usize) {
        match niche {
            None if accepted => (0, UNPLACED),
            _ => (self.settings.per_niche.div_ceil(2), self.settings.per_niche),
        }
    }

    /// The choice among those that came: of each niche the best half of its places, then the most different ones.
    pub fn done(mut self) -> Selected {
        let mut chosen: BTreeMap<u64, Arc<Lesson>> = BTreeMap::new();
        for ((_, niche, accepted), bin) in std::mem::take(&mut self.bins) {
            let (_, most) = self.places(niche, accepted);
            let best = bin
                .best
                .into_iter()
                .map(|((_, come), lesson)| (come, lesson));
            let mut of_bin: BTreeMap<u64, Arc<Lesson>> = best.collect();
            for ((_, _, come), lesson) in bin.diverse {
                if of_bin.len() < most {
                    of_bin.insert(come, lesson);
                }
            }
            for _ in of_bin.len() as u64..bin.size {
                self.left.add(Why::Crowded);
            }
            chosen.append(&mut of_bin);
        }
        Selected {
            lessons: chosen.into_values().map(Arc::unwrap_or_clone).collect(),
            left: self.left,
        }
    }
}

/// Counts one more, and says how many there were.
fn count(counts: &mut HashMap<u64, u64>, key: u64) -> u64 {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count - 1
}

/// A key by which the greatest comes first; what has no number last.
fn last_to_first(goodness: Option<f64>) -> u64 {
    let Some(bits) = goodness.filter(|x| !x.is_nan()).map(f64::to_bits) else {
        return u64::MAX;
    };
    // Bits of negative numbers grow the other way.
    match bits >> 63 {
        0 => !(bits | 1 << 63),
        _ => bits,
    }
}

/// A hash of the lines that a lesson removes and adds.
fn edit(lesson: &Lesson, most: usize) -> Result<u64, Why> {
    let diff = Diff::between(&lesson.parent, &lesson.child, 0);
    let lines = || diff.hunks.iter().flat_map(|hunk| &hunk.lines);
    for tag in [Tag::Removed, Tag::Added] {
        if lines().filter(|line| line.tag == tag).count() > most {
            return Err(Why::Lines);
        }
    }
    let sign = |tag| if tag == Tag::Removed { "-" } else { "+" };
    Ok(hash::of(
        lines().flat_map(|line| [sign(line.tag), line.text.trim()]),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(at: u32, niche: Option<u32>, accepted: bool) -> Lesson {
        Lesson {
            source: "one".to_owned(),
            id: at.into(),
            operator: "gp".to_owned(),
            told: None,
            file: None,
            parent: "x = 0\n".to_owned(),
            child: format!("x = {}\n", at + 1),
            accepted,
            niche,
            fitness: niche.map(|_| f64::from(at)),
            parent_fitness: None,
        }
    }

    #[test]
    fn only_what_has_a_niche_is_held_to_its_places() {
        let settings = Settings {
            per_niche: 4,
            rejected: true,
            ..Settings::default()
        };
        let chosen = |niche, accepted| {
            let all = (0..20).map(|at| Ok::<_, ()>(lesson(at, niche, accepted)));
            let lessons = select(all, settings, 0).unwrap().lessons;
            lessons.iter().map(|l| l.id).collect::<Vec<u64>>()
        };
        let placed = chosen(Some(3), true);
        assert!(
            placed.len() == 4 && placed.ends_with(&[18, 19]),
            "{placed:?}"
        );
        assert_eq!(chosen(Some(3), false).len(), 4);
        assert_eq!(chosen(None, true), (0..20).collect::<Vec<u64>>());
    }
}
