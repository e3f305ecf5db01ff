//! Stage 2 (Lehman et al. 2022, section 6, figures 12, 13 and 15, appendix H): models of the domain, by their loss, by the map that their samples fill, by what they make of the
//! first half of programs never seen, and by what they know of programs.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use ::invent::judge::{Judge, fitness};
use ::invent::probe;
use anyhow::{Context, anyhow};
use domains::walkers::{self, SEEDS, TARGETS, Walkers};
use evolve::domain::Case;
use evolve::store::Store;
use serde_json::{Value, json};

use super::{Work, evaluations, many, samara};
use crate::cli::Stage2Args;
use crate::figures::stage2::{Page, Row, page, probed};
use crate::figures::{Labels, Series, curves};
use crate::settings::{defaults, of_walkers};
use crate::stats::{Stats, ratio};
use crate::study::write;
use crate::train::base;
use crate::{Done, Failure, say};

/// Children of the run that shows how fast gp is, at most.
const PROBED: u64 = 512;
/// Programs of each kind that a model is probed with, at most.
const PROBES: u64 = 256;
/// Tokens of a program, about.
pub(super) const WRITTEN: u64 = 350;

struct Stage<'a> {
    args: &'a Stage2Args,
    evaluations: u64,
    models: Vec<Model>,
    work: Work,
}

/// A model to be trained.
struct Model {
    /// Its name in the folder and in the tables.
    name: String,
    /// What `samara train domain` is told.
    words: Vec<String>,
    shape: lm::Config,
}

/// Those of the sizes, then the bases, each before one of its shape that begins anew.
fn models(args: &Stage2Args) -> Result<Vec<Model>, Failure> {
    let mut all = Vec::new();
    for size in &args.sizes {
        all.push(Model {
            name: size.clone(),
            words: vec!["--preset".to_owned(), size.clone()],
            shape: sized(size)?,
        });
    }
    for name in args.bases.iter().filter(|name| !name.is_empty()) {
        let shape = base(name)?.config;
        let plain = name.replace(['/', '\\', ':'], "-");
        let words = vec!["--base".to_owned(), name.clone()];
        all.push(Model {
            name: plain.clone(),
            words: words.clone(),
            shape: shape.clone(),
        });
        all.push(Model {
            name: format!("{plain}-anew"),
            words: [words, vec!["--from-scratch".to_owned()]].concat(),
            shape,
        });
    }
    Ok(all)
}

pub(super) fn sized(size: &str) -> anyhow::Result<lm::Config> {
    lm::Config::preset(size).context("a size that the command line knows")
}

/// Makes the runs, the dataset, the models and their samples that are not there yet, and the page of them.
pub fn stage2(args: &Stage2Args) -> Done {
    let evaluations = evaluations(args.scale)?;
    if !(0.0..=100.0).contains(&args.quality) {
        let why = anyhow!("--quality {}: give a number of 0 to 100", args.quality);
        return Err(Failure::usage(why));
    }
    for run in &args.from {
        Store::open(run).map_err(Failure::usage)?;
    }
    let own = json!({
        "evaluations": evaluations, "runs": args.runs, "from": args.from, "quality": args.quality, "tokens": args.tokens, "samples": args.samples,
    });
    let parts = ["runs", "models", "samples", "targets", "figures"];
    let runs = match args.from.len() as u64 {
        0 => SEEDS.len() as u64 * args.runs,
        _ => 0,
    };
    let models = models(args)?;
    // Of each model a training, its samples, and the targets; the dataset and what is drawn of it; the model that is probed and its probes.
    let steps = runs + 4 + models.len() as u64 * (2 + TARGETS.len() as u64);
    let mut stage = Stage {
        args,
        evaluations,
        models,
        work: Work::begin(&args.output, "stage2", &parts, &own, steps)?,
    };
    say!(
        "{}, {} of {} tokens at most, {} programs each to write {} times: about {:.0} minutes; what is there is not made again",
        many(
            runs,
            &format!("run of {evaluations} evaluations"),
            &format!("runs of {evaluations} evaluations")
        ),
        many(stage.models.len() as u64 + 1, "training", "trainings"),
        args.tokens,
        args.samples,
        stage.models.len() * (1 + TARGETS.len()),
        (stage.seconds(runs)? / 60.0).ceil()
    )?;
    stage.dataset()?;
    for at in 0..stage.models.len() {
        stage.train(at)?;
        stage.sample(at)?;
        stage.complete(at)?;
    }
    stage.probe()?;
    stage.work.meter.finish();
    stage.tell()
}

impl Stage<'_> {
    /// About how long it takes: by a short run of gp, and by a reading of each size.
    fn seconds(&self, runs: u64) -> Result<f64, Failure> {
        let mut seconds = 0.0;
        if runs > 0 {
            let run = self.work.path(&["runs", "probe"]);
            let evaluations = PROBED.min(self.evaluations);
            let command = ["--seed", "radial", "--operator", "gp"];
            self.work.evolve(&run, &command, evaluations)?;
            let stats = Stats::of(&Store::open(Path::new(&run))?)?;
            let each = ratio(stats.seconds, stats.evaluations as f64);
            seconds += each * (runs * self.evaluations) as f64;
        }
        // What is probed is as large as the last size.
        let probed = self.args.sizes.last().map(|size| sized(size)).transpose()?;
        for shape in self.models.iter().map(|model| &model.shape).chain(&probed) {
            let each = per_token(shape)?;
            let written = self.args.samples * WRITTEN * (1 + TARGETS.len() as u64);
            // An update takes three readings; writing is about as much work as reading.
            seconds += each * (3 * self.args.tokens + written) as f64;
        }
        Ok(seconds)
    }

    fn dataset(&mut self) -> Done {
        let args = self.args;
        let runs = self.work.runs(&args.from, args.runs, self.evaluations)?;
        self.work.step("dataset")?;
        let data = self.work.path(&["data"]);
        self.work.dataset(&data, &runs, self.args.quality)?;
        self.work.step("programs of the dataset")?;
        self.put(&data, &["samples", "dataset"], None)
    }

    /// Has a model, or a dataset, fill a map.
    fn put(&self, model: &str, run: &[&str], prompt: Option<&str>) -> Done {
        let run = self.work.path(run);
        let mut count = self.args.samples;
        // A small dataset is drawn whole.
        if prompt.is_none() && crate::dataset::is_one(Path::new(model)) {
            count = count.min(different(Path::new(model))?);
        }
        let more = prompt.map(|prompt| ["--prompt", prompt]);
        let more = more.as_ref().map_or(&[][..], |more| &more[..]);
        self.work.sample(model, &run, count, more)
    }

    fn train(&mut self, at: usize) -> Done {
        let Model { name, words, .. } = &self.models[at];
        self.work.step(&format!("training of {name}"))?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.learn(&self.work.path(&["models", name]), &words)
    }

    fn learn(&self, model: &str, words: &[&str]) -> Done {
        let data = self.work.path(&["data"]);
        self.work.domain(&data, model, self.args.tokens, words)
    }

    fn sample(&mut self, at: usize) -> Done {
        let name = &self.models[at].name;
        self.work.step(&format!("samples of {name}"))?;
        self.put(&self.work.path(&["models", name]), &["samples", name], None)
    }

    /// The first half of each target, completed.
    fn complete(&mut self, at: usize) -> Done {
        let name = &self.models[at].name;
        for (target, program) in TARGETS {
            self.work.step(&format!("{target} completed by {name}"))?;
            let prompt = self.work.path(&["targets", &format!("{target}.py")]);
            write(Path::new(&prompt), half(program).as_bytes())?;
            let run = format!("{name}-{target}");
            self.put(
                &self.work.path(&["models", name]),
                &["samples", &run],
                Some(&prompt),
            )?;
        }
        Ok(())
    }

    /// A model of the last size that reads comments on its programs, and what it knows of them.
    fn probe(&mut self) -> Done {
        let Some(size) = self.args.sizes.last() else {
            return Ok(());
        };
        self.work
            .step(&format!("training of {size} with comments"))?;
        let model = self.work.path(&["models", &format!("{size}-probes")]);
        self.learn(&model, &["--preset", size, "--probes"])?;
        self.work.step("probes")?;
        let rows = self.work.path(&["samples", "probes.json"]);
        if read(&rows).is_ok_and(|there| there["rows"].is_array()) {
            return Ok(());
        }
        let (data, count) = (
            self.work.path(&["data"]),
            self.args.samples.clamp(3, PROBES).to_string(),
        );
        let own = ["bench", "probes", &model, &data, "-n", &count, "-o", &rows];
        samara(&own, &self.work.log)
    }

    /// Draws the figures, and writes what they show as numbers.
    fn tell(&self) -> Done {
        let originals = originals()?;
        let mut rows = vec![Row {
            name: "dataset".to_owned(),
            ..self.row("dataset")?
        }];
        let mut series = Vec::new();
        for Model { name, .. } in &self.models {
            let card = read(&self.work.path(&["models", name, "card.json"]))?;
            let mut row = Row {
                name: name.clone(),
                parameters: card["parameters"].as_u64(),
                loss: card["held_out_loss"]["after"].as_f64(),
                seconds: card["seconds"].as_f64(),
                ..self.row(name)?
            };
            for (target, original) in &originals {
                let run = self.work.path(&["samples", &format!("{name}-{target}")]);
                let best = Stats::of(&Store::open(Path::new(&run))?)?.max_fitness;
                row.completed
                    .push(((*target).to_owned(), 100.0 * ratio(best, *original)));
            }
            rows.push(row);
            series.push(Series {
                name: name.clone(),
                points: losses(&self.work.path(&[
                    "models",
                    &format!("{name}.metrics"),
                    "metrics.jsonl",
                ]))?,
            });
        }
        let labels = Labels {
            title: "Loss of a token of programs held out".to_owned(),
            x: "tokens read".to_owned(),
            y: "nats".to_owned(),
            log_y: true,
        };
        let chart = curves(&series, &labels);
        write(&self.args.output.join("figures/loss.svg"), chart.as_bytes())?;
        let dataset = read(&self.work.path(&["data", "dataset.json"]))?;
        let probes = read(&self.work.path(&["samples", "probes.json"]))?;
        let probes: Vec<probe::Row> = serde_json::from_value(probes["rows"].clone())
            .context("samples/probes.json: is damaged")?;
        let numbers = json!({ "dataset": dataset["programs"], "samples": self.args.samples, "rows": rows, "originals": originals, "probes": probes });
        let html = page(&Page {
            samples: self.args.samples,
            learned: dataset["programs"]["learned"].as_u64().unwrap_or_default(),
            rows: rows.clone(),
            probes: probes.clone(),
            charts: vec![chart],
        });
        let lines = rows.iter().map(Row::line);
        let lines = lines.chain(probes.iter().map(probed));
        self.work.tell("stage2", &numbers, &html, lines)
    }

    /// What a run of samples came to.
    fn row(&self, run: &str) -> Result<Row, Failure> {
        let path = PathBuf::from(self.work.path(&["samples", run]));
        let stats = Stats::of(&Store::open(&path)?)?;
        let share = |n: u64| 100.0 * ratio(n as f64, stats.counts.proposed as f64);
        Ok(Row {
            programs: stats.counts.proposed,
            niches: stats.niches_percent,
            qd_score: stats.qd_score,
            best: stats.max_fitness,
            valid: share(stats.counts.valid),
            runnable: share(stats.counts.runnable),
            ..Row::default()
        })
    }
}

/// Seconds in which a model of this size reads a token, among many.
pub(super) fn per_token(config: &lm::Config) -> Result<f64, Failure> {
    let weights = lm::train::init(config, 0)?;
    let options = lm::train::Options {
        bf16: true,
        ..lm::train::Options::default()
    };
    let mut trainer = lm::train::cpu::Trainer::new(config, &weights, options)?;
    let text = |at: u32| {
        let mut text = lm::train::Text::target((0..256).map(|n| (n * 7 + at) % 256).collect());
        text.chosen[0] = false;
        lm::train::Tree::sequence(text)
    };
    let trees: Vec<_> = (0..8).map(text).collect();
    // The first time memory is fetched.
    lm::train::Trainer::score(&mut trainer, &trees)?;
    let began = std::time::Instant::now();
    lm::train::Trainer::score(&mut trainer, &trees)?;
    Ok(began.elapsed().as_secs_f64() / (8 * 256) as f64)
}

/// The first half of a program's lines.
fn half(program: &str) -> String {
    let lines: Vec<&str> = program.split_inclusive('\n').collect();
    lines[..lines.len() / 2].concat()
}

/// Different programs of a dataset.
pub(super) fn different(path: &Path) -> Result<u64, Failure> {
    let mut all = std::collections::HashSet::new();
    ::invent::dataset::each(path, &[], &mut |entry| {
        all.insert(edit::hash::of([&*entry.program]));
        Ok(())
    })?;
    Ok(all.len() as u64)
}

/// How far the targets themselves walk.
fn originals() -> Result<Vec<(&'static str, f64)>, Failure> {
    let settings = of_walkers(&defaults())?;
    let terrain = walkers::terrain(&settings.sodarace.terrain)?;
    let condition = walkers::condition(&terrain);
    let cases: Vec<Case<'_>> = TARGETS
        .iter()
        .map(|(_, program)| Case {
            program,
            condition: &condition,
        })
        .collect();
    let stop = AtomicBool::new(false);
    let tried = Judge::new(&Walkers::new(&settings), 1)?.judge(&cases, &stop)?;
    let each = TARGETS.iter().zip(tried.iter().flatten());
    let each = each.map(|((name, _), evaluation)| {
        let walked = fitness(evaluation).with_context(|| format!("{name}: does not walk"))?;
        Ok((*name, walked))
    });
    Ok(each.collect::<anyhow::Result<_>>()?)
}

fn read(path: &str) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{path}: cannot be read"))?;
    serde_json::from_str(&text).with_context(|| format!("{path}: is no JSON"))
}

/// The held-out loss by the tokens read.
fn losses(path: &str) -> anyhow::Result<Vec<(f64, f64)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{path}: cannot be read"))?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let points =
        lines.filter_map(|line| Some((line["tokens"].as_f64()?, line["held_out_loss"].as_f64()?)));
    Ok(points.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_the_targets_go_on() {
        for (name, program) in TARGETS {
            let half = half(program);
            assert!(program.starts_with(&half) && half.ends_with('\n'), "{name}");
            assert!(
                2 * half.lines().count() <= program.lines().count(),
                "{name}"
            );
        }
    }
}
