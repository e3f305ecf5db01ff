//! What a model of a domain knows of its programs (Lehman et al. 2022, appendix H): a comment in front of a program says which measures and fitness it is to have, one
//! behind it says which it has.
//!
//! A model reads each program twice, once with either comment. Programs beyond the nine tenths with the smallest value of each property are not read, so that wishes and
//! programs from there ask for what was never seen.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::hash;
use evolve::domain::{Case, Domain, Evaluation, Outcome};
use lm::Checkpoint;
use mutate::model;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::author::{self, Author, streams};
use crate::dataset::Entry;
use crate::judge::Judge;

/// The name of the last property.
pub const FITNESS: &str = "fitness";

/// The share of programs that are within, by one property.
const WITHIN: f64 = 0.9;
/// Tokens of a foretelling at most.
const FORETOLD: usize = 64;

/// What comments say: the properties of programs, and how far they went in what was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The axes of the map, and `fitness`.
    pub names: Vec<String>,
    /// The largest value of each that was read.
    pub most: Vec<f64>,
}

impl Probe {
    /// That of programs with measures on these axes: nine in ten of those that are not held out are within, by each property alone.
    pub fn of(axes: &[String], entries: &[Entry]) -> Self {
        let names: Vec<String> = axes.iter().cloned().chain([FITNESS.to_owned()]).collect();
        let most = |at: usize| {
            let learned = entries.iter().filter(|entry| !entry.held_out);
            let mut values: Vec<f64> = learned.map(|entry| properties(entry)[at]).collect();
            values.sort_by(f64::total_cmp);
            let last = (WITHIN * values.len() as f64).ceil() as usize;
            values
                .get(last.saturating_sub(1))
                .copied()
                .unwrap_or_default()
        };
        Self {
            most: (0..names.len()).map(most).collect(),
            names,
        }
    }

    /// Programs as they are read: those that are within by all properties, each with a comment in front, and with one behind.
    pub fn read(&self, entries: &[Entry]) -> Vec<Entry> {
        let within = entries.iter().filter(|entry| self.is_within(entry));
        let both = |entry: &Entry| {
            let comment = self.comment(&properties(entry));
            let program = &entry.program;
            [comment.clone() + program, program.clone() + &comment].map(|program| Entry {
                program,
                ..entry.clone()
            })
        };
        within.flat_map(both).collect()
    }

    fn is_within(&self, entry: &Entry) -> bool {
        let mut both = properties(entry).into_iter().zip(&self.most);
        both.all(|(value, most)| value <= *most)
    }

    /// A line such as `# height 12.0, width 4.5, mass 9.0, fitness 103.2`.
    fn comment(&self, values: &[f64]) -> String {
        let each = self.names.iter().zip(values);
        let each: Vec<String> = each
            .map(|(name, value)| format!("{name} {value:.1}"))
            .collect();
        format!("# {}\n", each.join(", "))
    }

    /// What a text says in its last line, if that is such a comment.
    fn told(&self, text: &str) -> Option<Vec<f64>> {
        let last = text.trim_end().lines().last()?;
        let mut parts = last.strip_prefix("# ")?.split(", ");
        let read = |name: &String| {
            let part = parts.next()?.strip_prefix(&**name)?;
            part.trim().parse().ok().filter(|x: &f64| x.is_finite())
        };
        self.names.iter().map(read).collect()
    }
}

/// What the comments that a model has read say, by its card; `None` for one that has read none.
pub fn about(checkpoint: &Checkpoint) -> Option<Probe> {
    serde_json::from_value(checkpoint.card()?.get("probe")?.clone()).ok()
}

fn properties(entry: &Entry) -> Vec<f64> {
    let measures = entry.measures.iter().copied();
    measures.chain([entry.fitness]).collect()
}

/// How a model is probed.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Programs of each kind at most: within, and beyond by each property.
    pub count: usize,
    /// How programs are written to a wish. What is foretold is the likeliest.
    pub writing: author::Settings,
    /// Where the model computes.
    pub model: model::Settings,
    /// Threads that try programs; 0: one per core.
    pub threads: usize,
}

/// How well a property is kept to, or known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which one.
    pub property: String,
    /// Whether its values are within what was read.
    pub within: bool,
    /// Programs asked for.
    pub asked: usize,
    /// Of these, programs that were scored.
    pub scored: usize,
    /// Spearman's correlation between what was wished and what came of it; none of fewer than three programs, or where one side is all alike.
    pub wished: Option<f64>,
    /// Programs of which something was foretold.
    pub foretold: usize,
    /// Spearman's correlation between what was foretold and what is.
    pub known: Option<f64>,
}

/// Asks a model for programs by the properties of programs that it has not read, and for the properties of these programs: for each property those within what it
/// read and those beyond.
///
/// # Errors
/// A model that cannot be loaded, or a domain that cannot be started.
pub fn examine(
    folder: &Path,
    probe: &Probe,
    entries: &[Entry],
    domain: (&dyn Domain, &str),
    settings: &Settings,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Row>, Error> {
    let seed = settings.writing.seed;
    let mut unique: BTreeMap<u64, &Entry> = BTreeMap::new();
    for entry in entries {
        unique
            .entry(hash::both(seed, hash::of([&*entry.program])))
            .or_insert(entry);
    }
    let all: Vec<&Entry> = unique.into_values().collect();
    let first = |wanted: &dyn Fn(&Entry) -> bool| -> Vec<&Entry> {
        let wanted = all.iter().filter(|entry| wanted(entry));
        wanted.copied().take(settings.count).collect()
    };
    let mut groups = vec![first(&|entry| entry.held_out && probe.is_within(entry))];
    for at in 0..probe.names.len() {
        groups.push(first(&|entry| properties(entry)[at] > probe.most[at]));
    }
    let mut writer = Author::open(
        Checkpoint::open(folder)?,
        &settings.model,
        settings.writing.clone(),
        "",
    )?;
    let likeliest = author::Settings {
        temperature: 0.0,
        min_p: 0.0,
        max_tokens: FORETOLD,
        constrained: false,
        seed,
    };
    let mut teller = Author::open(Checkpoint::open(folder)?, &settings.model, likeliest, "")?;
    let mut judge = Judge::new(domain.0, settings.threads)?;
    let of = 2 * groups.iter().map(Vec::len).sum::<usize>();
    let mut done = 0;
    let mut rows = Vec::new();
    for (group, entries) in groups.iter().enumerate() {
        let wishes: Vec<String> = entries
            .iter()
            .map(|entry| probe.comment(&properties(entry)))
            .collect();
        let written = on(&mut writer, &wishes, seed, group, stop)?;
        let cases: Vec<Case<'_>> = written
            .iter()
            .flatten()
            .map(|program| Case {
                program,
                condition: domain.1,
            })
            .collect();
        let mut tried = judge.judge(&cases, stop)?.into_iter();
        let came: Vec<Option<Vec<f64>>> = written
            .iter()
            .map(|program| program.as_ref().and_then(|_| scored(tried.next()??)))
            .collect();
        done += entries.len();
        observe(done, of);
        let begun: Vec<String> = entries
            .iter()
            .map(|entry| format!("{}# {} ", entry.program, probe.names[0]))
            .collect();
        let told: Vec<Option<Vec<f64>>> = on(&mut teller, &begun, seed, group, stop)?
            .into_iter()
            .map(|text| probe.told(&text?))
            .collect();
        done += entries.len();
        observe(done, of);
        let of_group = match group {
            0 => 0..probe.names.len(),
            beyond => beyond - 1..beyond,
        };
        for at in of_group {
            let pairs = |found: &[Option<Vec<f64>>]| -> Vec<(f64, f64)> {
                let both = entries.iter().zip(found);
                both.filter_map(|(entry, found)| Some((properties(entry)[at], found.as_ref()?[at])))
                    .collect()
            };
            let (wished, known) = (pairs(&came), pairs(&told));
            rows.push(Row {
                property: probe.names[at].clone(),
                within: group == 0,
                asked: entries.len(),
                scored: wished.len(),
                wished: spearman(&wished),
                foretold: known.len(),
                known: spearman(&known),
            });
        }
    }
    Ok(rows)
}

/// What is written on from each text; none where it is too long for the model, or nothing came of it.
fn on(
    author: &mut Author,
    texts: &[String],
    seed: u64,
    group: usize,
    stop: &AtomicBool,
) -> Result<Vec<Option<String>>, Error> {
    let begun: Vec<_> = texts
        .iter()
        .map(|text| author.beginning(text).ok())
        .collect();
    let rngs = streams(hash::both(seed, group as u64), 0, texts.len());
    let tasks = begun.iter().cloned().zip(rngs);
    let tasks = tasks.filter_map(|(begun, rng)| Some((begun?, Arc::default(), rng)));
    let mut written = author.write_on(tasks, stop)?.into_iter();
    let piece = |begun: &Option<_>| {
        begun.as_ref()?;
        written.next()??.program.ok()
    };
    Ok(begun.iter().map(piece).collect())
}

fn scored(evaluation: Evaluation) -> Option<Vec<f64>> {
    match evaluation.outcome {
        Outcome::Scored { measures, fitness } => {
            Some(measures.into_iter().chain([fitness]).collect())
        }
        _ => None,
    }
}

/// Spearman's rank correlation, -1 to 1; equal values share the mean of their ranks. `None` of fewer than three pairs, or where one side is all alike.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 3 {
        return None;
    }
    let x = ranks(pairs.iter().map(|pair| pair.0));
    let y = ranks(pairs.iter().map(|pair| pair.1));
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| -> f64 {
        let both = a.iter().zip(b);
        both.map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let rho = sum(&x, &y) / (sum(&x, &x) * sum(&y, &y)).sqrt();
    rho.is_finite().then_some(rho)
}

fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        for at in tied {
            ranks[*at] = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        }
        before += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(program: &str, height: f64, fitness: f64) -> Entry {
        Entry {
            program: program.to_owned(),
            measures: vec![height],
            fitness,
            ..Entry::default()
        }
    }

    #[test]
    fn correlations_are_those_of_the_books() {
        // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]): 0.8207826816681233.
        let pairs = [(1.0, 5.0), (2.0, 6.0), (3.0, 7.0), (4.0, 8.0), (5.0, 7.0)];
        assert!((spearman(&pairs).unwrap() - 0.820_782_681_668_123_3).abs() < 1e-12);
        let falls: Vec<(f64, f64)> = (0..9)
            .map(|n| (f64::from(n), -f64::from(n).powi(3)))
            .collect();
        assert!((spearman(&falls).unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(spearman(&[(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]), None);
        assert_eq!(spearman(&pairs[..2]), None);
    }

    #[test]
    fn comments_say_what_is_read_from_them() {
        let mut entries: Vec<Entry> = (1..=10)
            .map(|n| {
                entry(
                    &format!("x = {n}\n"),
                    f64::from(n),
                    10.0 * f64::from(n % 10),
                )
            })
            .collect();
        // What is held out sets no bound.
        entries.push(Entry {
            held_out: true,
            ..entry("x = 99\n", 5.04, 1000.0)
        });
        let probe = Probe::of(&["height".to_owned()], &entries);
        assert_eq!(probe.names, ["height", "fitness"]);
        assert_eq!(probe.most, [9.0, 80.0]);
        // Beyond are 10 by its height, 9 by its fitness, and what is held out by its fitness.
        let read = probe.read(&entries);
        assert_eq!(read.len(), 2 * 8);
        assert_eq!(read[0].program, "# height 1.0, fitness 10.0\nx = 1\n");
        assert_eq!(read[1].program, "x = 1\n# height 1.0, fitness 10.0\n");
        assert_eq!(probe.told(&read[1].program), Some(vec![1.0, 10.0]));
        for text in [
            "",
            "x = 1\n",
            "# height 1.0\n",
            "# width 1.0, fitness 2\n",
            "# height a, fitness 2\n",
        ] {
            assert_eq!(probe.told(text), None, "{text}");
        }
    }
}
