//! `samara dataset`: the programs that maps took.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::invent::dataset::{Entry, NAME, Settings, Source, Tally, Writer, gather};
use anyhow::{Context, anyhow};
use domains::walkers;
use evolve::store::Store;
use serde_json::json;

use crate::cli::DatasetArgs;
use crate::figures::dataset::{Page, page};
use crate::figures::report::{Card, Individual};
use crate::meter::Meter;
use crate::show::Walk;
use crate::study::{check_new, put, write};
use crate::terminal::shown;
use crate::train::beside;
use crate::{Done, Failure, say};

/// Walkers shown on the page.
const SHOWN: usize = 12;
/// Bytes of a program, in steps.
const STEP: usize = 500;

/// What the page says of the programs, gathered while they pass.
#[derive(Default)]
struct About {
    seeds: BTreeMap<String, u64>,
    terrains: BTreeMap<String, u64>,
    niches: BTreeMap<(String, u32), u64>,
    lengths: BTreeMap<usize, u64>,
    best: f64,
    /// Those with the smallest hashes: a sample that is the same for the same programs. By hash the run's place, and the child.
    shown: BTreeMap<u64, (String, u64)>,
}

impl About {
    fn add(&mut self, entry: &Entry) {
        *self.seeds.entry(entry.seed.clone()).or_default() += 1;
        *self.terrains.entry(entry.terrain.clone()).or_default() += 1;
        let niche = (entry.terrain.clone(), entry.niche);
        *self.niches.entry(niche).or_default() += 1;
        *self.lengths.entry(entry.program.len() / STEP).or_default() += 1;
        self.best = self.best.max(entry.fitness);
        let hash = edit::hash::of([&*entry.program]);
        self.shown.insert(hash, (entry.run.clone(), entry.child));
        if self.shown.len() > SHOWN {
            self.shown.pop_last();
        }
    }
}

/// Reads the runs and writes `programs.parquet`, `programs.jsonl`, `dataset.json` and `dataset.html` into a new folder.
pub fn dataset(args: &DatasetArgs) -> Done {
    if !(0.0..=100.0).contains(&args.quality) {
        return Err(Failure::usage(anyhow!(
            "--quality {}: give a number of 0 to 100",
            args.quality
        )));
    }
    let sources = sources(&args.runs)?;
    check_new(&args.output)?;
    let part = beside(&args.output, "part");
    let _ = std::fs::remove_dir_all(&part);
    let settings = Settings {
        quality: args.quality,
        final_map: args.final_map,
    };
    let axes: Vec<String> = sources[0]
        .store
        .axes()
        .iter()
        .map(|a| a.name.clone())
        .collect();
    let mut writer = Writer::create(&part, &axes).map_err(::invent::Error::Table)?;
    let mut about = About::default();
    let mut meter = Meter::new(None, "{spinner} {msg}");
    let mut kept = 0_u64;
    let tally = gather(&sources, settings, &mut |entry| {
        about.add(&entry);
        kept += 1;
        if let Some(bar) = meter.bar() {
            bar.set_message(format!("{}: {kept} programs", shown(&entry.run)));
            bar.tick();
        } else if meter.wants_line(false) {
            let _ = say!(
                "{}",
                json!({"event": "read", "run": entry.run, "programs": kept})
            );
        }
        writer.push(entry).map_err(::invent::Error::Table)
    });
    meter.finish();
    let tally = tally?;
    writer.close().map_err(::invent::Error::Table)?;
    if kept == 0 {
        let _ = std::fs::remove_dir_all(&part);
        return Err(Failure::usage(anyhow!(
            "no program is good enough: the maps of these runs took {}, all below {} % of the best of their niche; give a smaller --quality, or other runs",
            tally.admitted,
            args.quality
        )));
    }
    let described = describe(args, &sources, &tally);
    let html = shown(&page(&whole(&sources, &axes, &tally, &about)?));
    for (name, text) in [("dataset.json", described + "\n"), ("dataset.html", html)] {
        write(&part.join(name), text.as_bytes())?;
    }
    let [table, lines] = ["parquet", "jsonl"].map(|ending| format!("{NAME}.{ending}"));
    let files = [&*table, &*lines, "dataset.json", "dataset.html"];
    put(&part, &args.output, &files)?;
    say!(
        "{} programs to learn from and {} held out, of {} that the maps took ({} below {} % of their niche's best, {} there already)",
        tally.learned,
        tally.held_out,
        tally.admitted,
        tally.below,
        args.quality,
        tally.duplicates
    )?;
    Ok(())
}

/// The runs with their names and terrains. Two terrains of one name are told apart by a number.
fn sources(runs: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources: Vec<Source> = Vec::new();
    let mut terrains: Vec<(String, String)> = Vec::new();
    for (at, path) in runs.iter().enumerate() {
        if runs[..at].contains(path) {
            return Err(Failure::usage(anyhow!(
                "{}: is given twice; give each run once",
                path.display()
            )));
        }
        let store = Store::open(path).map_err(Failure::usage)?;
        let condition = store.condition().to_owned();
        let known = terrains.iter().find(|(known, _)| *known == condition);
        let terrain = match known {
            Some((_, name)) => name.clone(),
            None => {
                let plain = walkers::terrain_of(&condition)?.name;
                let taken = |name: &String| terrains.iter().any(|(_, other)| other == name);
                let name = std::iter::once(plain.clone())
                    .chain((2..).map(|n| format!("{plain} {n}")))
                    .find(|name| !taken(name))
                    .expect("numbers do not end");
                terrains.push((condition, name.clone()));
                name
            }
        };
        sources.push(Source {
            name: path.display().to_string(),
            terrain,
            store,
        });
    }
    Ok(sources)
}

/// What the dataset was made of, as JSON.
fn describe(args: &DatasetArgs, sources: &[Source], tally: &Tally) -> String {
    let runs: Vec<_> = sources
        .iter()
        .map(|source| {
            let settings = source.store.settings();
            json!({ "run": source.name, "terrain": source.terrain, "seed": settings.seed, "rng": settings.rng, "evaluations": settings.evaluations })
        })
        .collect();
    let all = json!({
        "samara": env!("CARGO_PKG_VERSION"), "quality": args.quality, "final_map": args.final_map,
        "programs": tally, "runs": runs,
    });
    serde_json::to_string_pretty(&all).expect("plain data")
}

fn whole(
    sources: &[Source],
    axes: &[String],
    tally: &Tally,
    about: &About,
) -> anyhow::Result<Page> {
    let kept = tally.learned + tally.held_out;
    let card = |label: &str, value: String, note: String| Card {
        label: label.to_owned(),
        value,
        note,
    };
    let mut crowds: BTreeMap<u32, u64> = BTreeMap::new();
    for count in about.niches.values() {
        // 1, 2, 3 to 4, 5 to 8, ...
        *crowds
            .entry((count - 1).checked_ilog2().map_or(0, |n| n + 1))
            .or_default() += 1;
    }
    let crowd = |(power, niches): (u32, u64)| {
        let (low, high) = (1_u64 << power >> 1, 1_u64 << power);
        let name = match power {
            0 | 1 => high.to_string(),
            _ => format!("{} to {high}", low + 1),
        };
        (name, niches)
    };
    let length = |(step, programs): (&usize, &u64)| {
        (
            format!("{} to {}", step * STEP, (step + 1) * STEP),
            *programs,
        )
    };
    let list =
        |counts: &BTreeMap<String, u64>| counts.iter().map(|(k, v)| (k.clone(), *v)).collect();
    let shown = about.shown.values().map(|(run, child)| {
        let source = sources.iter().find(|source| source.name == *run);
        one(source.context("a run of the dataset")?, *child, axes)
    });
    Ok(Page {
        cards: vec![
            card(
                "programs",
                kept.to_string(),
                format!("{} held out", tally.held_out),
            ),
            card(
                "niches",
                about.niches.len().to_string(),
                "with a program, terrain by terrain".to_owned(),
            ),
            card(
                "best",
                format!("{:.0}", about.best),
                "world units".to_owned(),
            ),
            card(
                "runs",
                sources.len().to_string(),
                format!("maps took {}", tally.admitted),
            ),
        ],
        programs: kept,
        seeds: list(&about.seeds),
        terrains: list(&about.terrains),
        niches: crowds.into_iter().map(crowd).collect(),
        lengths: about.lengths.iter().map(length).collect(),
        left: vec![
            ("not good enough for its niche".to_owned(), tally.below),
            ("there already".to_owned(), tally.duplicates),
        ],
        admitted: tally.admitted,
        shown: shown.collect::<anyhow::Result<_>>()?,
    })
}

/// A program of the sample, with its walker in motion.
fn one(source: &Source, child: u64, axes: &[String]) -> anyhow::Result<Individual> {
    let child = source
        .store
        .child(child)?
        .context("a child of the dataset")?;
    let walk = Walk::of(&source.store, &child)?;
    Ok(Individual {
        id: child.id,
        fitness: child.fitness.unwrap_or_default(),
        measures: axes.iter().cloned().zip(child.measures.clone()).collect(),
        picture: String::from_utf8(walk.picture("svg", 1)?)?,
        source: child.program,
        lineage: Vec::new(),
    })
}

/// Whether a path is a dataset's folder.
pub fn is_one(path: &Path) -> bool {
    path.join(format!("{NAME}.parquet")).exists()
}
