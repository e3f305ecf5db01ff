//! Stage 3 (Lehman et al. 2022, section 7, figures 18 and 19, appendix I): on each terrain the best of the dataset, the best of the model of the domain, and what inventors write that
//! learned to invent for it; and whether one that learned tunnels of some heights invents for the heights between.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, anyhow};
use domains::walkers::{self, SEEDS};
use evolve::store::Store;
use serde_json::{Value, json};

use super::{Work, evaluations, many, samara};
use crate::cli::Stage3Args;
use crate::figures::stage3::{Height, Page, Row, page};
use crate::figures::{Labels, Series, curves};
use crate::stats::{Stats, ratio};
use crate::study::write;
use crate::{Done, Failure, say};

mod tunnels;

/// A set of terrains in the paper.
struct Set {
    name: &'static str,
    terrains: [&'static str; 3],
    /// Its averages over the set at 50 and 80 %, for the dataset, the model of the domain, codes and vision.
    paper: [[f64; 2]; 4],
}

const SETS: [Set; 2] = [
    Set {
        name: "tunnel",
        terrains: ["left-wall", "right-wall", "tunnel:60"],
        paper: [
            [1985.0, 2490.0],
            [1375.0, 1525.0],
            [2130.0, 2340.0],
            [1910.0, 2125.0],
        ],
    },
    Set {
        name: "bumpy",
        terrains: ["left-wall", "right-wall", "bumpy"],
        paper: [
            [1610.0, 2040.0],
            [970.0, 1060.0],
            [1970.0, 1980.0],
            [1690.0, 2040.0],
        ],
    },
];

struct Stage<'a> {
    args: &'a Stage3Args,
    work: Work,
}

/// Makes what is not there yet, and the page of it.
pub fn stage3(args: &Stage3Args) -> Done {
    let evaluations = evaluations(args.scale)?;
    if let Some(odd) = args.quality.iter().find(|q| !(0.0..=100.0).contains(*q)) {
        return Err(Failure::usage(anyhow!(
            "--quality {odd}: give numbers of 0 to 100"
        )));
    }
    for run in &args.from {
        Store::open(run).map_err(Failure::usage)?;
    }
    let own = json!({
        "evaluations": evaluations, "runs": args.runs, "from": args.from, "size": args.size, "tokens": args.tokens, "samples": args.samples, "iterations": args.iterations,
        "iteration_samples": args.iteration_samples,
    });
    let runs = match args.from.len() as u64 {
        0 => SEEDS.len() as u64 * args.runs,
        _ => 0,
    };
    let (qualities, terrains) = (args.quality.len() as u64, terrains(args).len() as u64);
    let inventors = (args.sets.len() * args.ten.len()) as u64 * args.seeds;
    let tunnels = tunnels::tunnels(args);
    let learned = tunnels.iter().filter(|tunnel| tunnel.is_learned).count() as u64;
    let between = match learned {
        0 => 0,
        _ => learned + 2 + tunnels.len() as u64,
    };
    let steps = runs + qualities * (2 + 2 * terrains + 4 * inventors) + between;
    let parts = ["runs", "models", "samples", "figures"];
    let mut stage = Stage {
        args,
        work: Work::begin(&args.output, "stage3", &parts, &own, steps)?,
    };
    let each = super::stage2::per_token(&super::stage2::sized(&args.size)?)?;
    // Of an iteration three readings and, of policy and value model, a reading with its way back, which is three; and the writing, as much as two.
    let read = 11 * u64::from(args.iterations) * args.iteration_samples as u64;
    let all = qualities * inventors + u64::from(learned > 0);
    let samples = args.samples * (terrains * qualities * (1 + inventors) + tunnels.len() as u64);
    let written = super::stage2::WRITTEN * (all * read + samples);
    let seconds = each * (qualities * 3 * args.tokens + written) as f64;
    say!(
        "{}, {} and {} of {} iterations: about {:.0} minutes beside the runs; what is there is not \
         made again",
        many(
            runs,
            &format!("run of {evaluations} evaluations"),
            &format!("runs of {evaluations} evaluations")
        ),
        many(qualities, "model of the domain", "models of the domain"),
        many(all, "inventor", "inventors"),
        args.iterations,
        (seconds / 60.0).ceil()
    )?;
    let runs = stage.work.runs(&args.from, args.runs, evaluations)?;
    for quality in args.quality.clone() {
        stage.domain(quality, &runs)?;
        for set in args.sets.clone() {
            for ten in args.ten.clone() {
                for seed in 0..args.seeds {
                    stage.inventor(quality, &set, &ten, seed)?;
                }
            }
        }
    }
    if learned > 0 {
        stage.between(&tunnels)?;
    }
    stage.work.meter.finish();
    stage.tell()
}

/// The terrains of the sets asked for, each once.
fn terrains(args: &Stage3Args) -> Vec<&'static str> {
    let sets = SETS
        .iter()
        .filter(|set| args.sets.iter().any(|own| own == set.name));
    let mut all: Vec<&str> = sets.flat_map(|set| set.terrains).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn set(name: &str) -> [&'static str; 3] {
    let found = SETS.iter().find(|set| set.name == name);
    found.unwrap_or(&SETS[0]).terrains
}

/// A terrain's name as part of a file's.
fn plain(terrain: &str) -> String {
    terrain.replace(':', "-")
}

impl Stage<'_> {
    fn data(&self, quality: f64) -> String {
        self.work.path(&[&format!("data-{quality}")])
    }

    fn model(&self, quality: f64) -> String {
        self.work.path(&["models", &format!("domain-{quality}")])
    }

    fn invented(&self, quality: f64, set: &str, ten: &str, seed: u64) -> String {
        format!("{set}-{ten}-{quality}-{seed}")
    }

    /// The dataset, the model of the domain, and the best of both on each terrain.
    fn domain(&mut self, quality: f64, runs: &[String]) -> Done {
        let (data, model) = (self.data(quality), self.model(quality));
        self.work.step(&format!("dataset of {quality} %"))?;
        self.work.dataset(&data, runs, quality)?;
        self.work
            .step(&format!("model of the domain, {quality} %"))?;
        let words = ["--preset", &*self.args.size];
        self.work.domain(&data, &model, self.args.tokens, &words)?;
        let most = super::stage2::different(Path::new(&data))?;
        for terrain in terrains(self.args) {
            for (name, source, most) in [("dataset", &data, most), ("domain", &model, u64::MAX)] {
                self.work
                    .step(&format!("{name} of {quality} % on {terrain}"))?;
                let run = self.sampled(name, quality, terrain);
                let count = self.args.samples.min(most);
                self.work
                    .sample(source, &run, count, &["--terrain", terrain])?;
            }
        }
        Ok(())
    }

    fn sampled(&self, name: &str, quality: f64, terrain: &str) -> String {
        self.work
            .path(&["samples", &format!("{name}-{quality}-{}", plain(terrain))])
    }

    /// Trains an inventor.
    fn invents(&self, quality: f64, model: &str, terrains: &str, seed: u64, more: &[&str]) -> Done {
        let (iterations, samples, seed) = (
            self.args.iterations.to_string(),
            self.args.iteration_samples.to_string(),
            seed.to_string(),
        );
        let base = self.model(quality);
        let own = [
            "train",
            "inventor",
            &base,
            "-o",
            model,
            "--terrains",
            terrains,
        ];
        let size = [
            "--iterations",
            &iterations,
            "--samples",
            &samples,
            "--rng",
            &seed,
        ];
        samara(&[&own[..], &size, more].concat(), &self.work.log)
    }

    /// An inventor, and what it writes for each of its terrains.
    fn inventor(&mut self, quality: f64, name: &str, ten: &str, seed: u64) -> Done {
        let id = self.invented(quality, name, ten, seed);
        let model = self.work.path(&["models", &id]);
        self.work.step(&format!("inventor {id}"))?;
        if !Path::new(&model).join("card.json").exists() {
            self.invents(quality, &model, &set(name).join(","), seed, &["--ten", ten])?;
        }
        for terrain in set(name) {
            self.work.step(&format!("{id} on {terrain}"))?;
            let run = self.written(&id, terrain);
            // As it wrote while it learned.
            self.work.sample(
                &model,
                &run,
                self.args.samples,
                &["--terrain", terrain, "--free"],
            )?;
        }
        Ok(())
    }

    fn written(&self, id: &str, terrain: &str) -> String {
        self.work
            .path(&["samples", &format!("{id}-{}", plain(terrain))])
    }

    /// Draws the figures, and writes what they show as numbers.
    fn tell(&self) -> Done {
        let mut rows: Vec<Row> = Vec::new();
        let mut charts = Vec::new();
        for Set {
            name,
            terrains,
            paper,
        } in SETS
        {
            if !self.args.sets.iter().any(|set| set == name) {
                continue;
            }
            for quality in &self.args.quality {
                let of_paper = |which: usize| match quality {
                    50.0 => Some(paper[which][0]),
                    80.0 => Some(paper[which][1]),
                    _ => None,
                };
                for (which, (stage, what)) in [("dataset", "best"), ("domain", "best")]
                    .into_iter()
                    .enumerate()
                {
                    let mut row = Row {
                        set: name.to_owned(),
                        quality: *quality,
                        stage: stage.to_owned(),
                        what: what.to_owned(),
                        paper: of_paper(which),
                        ..Row::default()
                    };
                    for terrain in terrains {
                        let run = self.sampled(stage, *quality, terrain);
                        let stats = Stats::of(&Store::open(Path::new(&run))?)?;
                        row.distances
                            .push((terrain.to_owned(), vec![stats.max_fitness]));
                    }
                    rows.push(row);
                }
                for (which, ten) in ["codes", "vision"].into_iter().enumerate() {
                    if !self.args.ten.iter().any(|own| own == ten) {
                        continue;
                    }
                    for what in ["mean", "best"] {
                        let mut row = Row {
                            set: name.to_owned(),
                            quality: *quality,
                            stage: ten.to_owned(),
                            what: what.to_owned(),
                            paper: of_paper(2 + which).filter(|_| what == "mean"),
                            ..Row::default()
                        };
                        for terrain in terrains {
                            let mut each = Vec::new();
                            for seed in 0..self.args.seeds {
                                let id = self.invented(*quality, name, ten, seed);
                                let run = Store::open(Path::new(&self.written(&id, terrain)))?;
                                let stats = Stats::of(&run)?;
                                each.push(match what {
                                    "best" => stats.max_fitness,
                                    _ => mean(&run, stats.counts.proposed)?,
                                });
                            }
                            row.distances.push((terrain.to_owned(), each));
                        }
                        rows.push(row);
                    }
                    for seed in 0..self.args.seeds {
                        charts.push(self.chart(*quality, name, ten, seed)?);
                    }
                }
            }
        }
        let heights = self.heights()?;
        if !heights.is_empty() {
            charts.push(self.heights_chart(&heights)?);
        }
        let numbers = json!({ "samples": self.args.samples, "rows": rows, "heights": heights });
        let html = page(&Page {
            samples: self.args.samples,
            iterations: self.args.iterations,
            iteration_samples: self.args.iteration_samples as u64,
            rows: rows.clone(),
            heights: heights.clone(),
            charts,
        });
        let lines = rows.iter().map(Row::line);
        let lines = lines.chain(heights.iter().map(Height::line));
        self.work.tell("stage3", &numbers, &html, lines)
    }

    /// The mean distance on each terrain, by iteration.
    fn chart(&self, quality: f64, name: &str, ten: &str, seed: u64) -> Result<String, Failure> {
        let id = self.invented(quality, name, ten, seed);
        let path = self
            .work
            .path(&["models", &format!("{id}.metrics"), "metrics.jsonl"]);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{path}: cannot be read"))?;
        let mut points: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for line in text.lines() {
            let line: Value =
                serde_json::from_str(line).with_context(|| format!("{path}: is damaged"))?;
            for terrain in set(name) {
                let own = walkers::terrain(terrain)?.name;
                if let (Some(at), Some(mean)) = (line["update"].as_f64(), line[&own].as_f64()) {
                    points.entry(own).or_default().push((at, mean));
                }
            }
        }
        let series: Vec<Series> = points
            .into_iter()
            .map(|(name, points)| Series { name, points })
            .collect();
        let svg = curves(
            &series,
            &Labels {
                title: format!("{name} set, {ten}, {quality} %: mean distance"),
                x: "iteration".to_owned(),
                y: "world units".to_owned(),
                log_y: false,
            },
        );
        write(
            &self.args.output.join("figures").join(format!("{id}.svg")),
            svg.as_bytes(),
        )?;
        Ok(svg)
    }
}

/// The mean distance of so many programs; those that walk nowhere count as 0.
fn mean(store: &Store, programs: u64) -> Result<f64, Failure> {
    let mut sum = 0.0;
    store.each_child(1, u64::MAX, |child| {
        sum += child.fitness.unwrap_or_default();
        Ok(())
    })?;
    Ok(ratio(sum, programs as f64))
}
