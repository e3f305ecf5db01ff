//! Stage 2 (Lehman et al. 2022, section 6, figures 12, 13 and 15): models of the domain, by their loss, by the map that their samples fill, and by what they make of the
//! first half of programs never seen.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use ::invent::judge::{Judge, fitness};
use anyhow::{Context, anyhow};
use domains::walkers::{self, SEEDS, TARGETS, Walkers};
use evolve::domain::Case;
use evolve::store::Store;
use serde_json::{Value, json};

use super::{CONFIG, Work, evaluations, many, samara};
use crate::cli::Stage2Args;
use crate::figures::stage2::{Page, Row, page};
use crate::figures::{Labels, Series, curves};
use crate::settings::{defaults, of_walkers};
use crate::stats::{Stats, ratio};
use crate::study::write;
use crate::{Done, Failure, say};

/// Children of the run that shows how fast gp is, at most.
const PROBED: u64 = 512;
/// Tokens of a program, about.
pub(super) const WRITTEN: u64 = 350;

struct Stage<'a> {
    args: &'a Stage2Args,
    evaluations: u64,
    work: Work,
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
    // Of each size a training, its samples, and the targets; the dataset and what is drawn of it.
    let steps = runs + 2 + args.sizes.len() as u64 * (2 + TARGETS.len() as u64);
    let mut stage = Stage {
        args,
        evaluations,
        work: Work::begin(&args.output, "stage2", &parts, &own, steps)?,
    };
    say!(
        "{}, {} of {} tokens at most, {} programs each to write {} times: about {:.0} minutes; what is there is not made again",
        many(
            runs,
            &format!("run of {evaluations} evaluations"),
            &format!("runs of {evaluations} evaluations")
        ),
        many(args.sizes.len() as u64, "training", "trainings"),
        args.tokens,
        args.samples,
        args.sizes.len() * (1 + TARGETS.len()),
        (stage.seconds(runs)? / 60.0).ceil()
    )?;
    stage.dataset()?;
    for size in &args.sizes {
        stage.train(size)?;
        stage.sample(size)?;
        stage.complete(size)?;
    }
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
        for size in &self.args.sizes {
            let each = per_token(size)?;
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
        let (data, quality) = (self.work.path(&["data"]), self.args.quality.to_string());
        if !Path::new(&data).join("dataset.json").exists() {
            let own = ["dataset", "-o", &data, "--quality", &quality];
            let runs = runs.iter().map(String::as_str);
            let command: Vec<&str> = own.into_iter().chain(runs).collect();
            samara(&command, &self.work.log)?;
        }
        self.work.step("programs of the dataset")?;
        self.put(&data, &["samples", "dataset"], None)
    }

    /// Has a model, or a dataset, fill a map.
    fn put(&self, model: &str, run: &[&str], prompt: Option<&str>) -> Done {
        let (run, config) = (self.work.path(run), self.work.path(&[CONFIG]));
        let mut count = self.args.samples;
        // A small dataset is drawn whole.
        if prompt.is_none() && crate::dataset::is_one(Path::new(model)) {
            count = count.min(different(Path::new(model))?);
        }
        let count = count.to_string();
        let mut command = vec![
            "sample", model, "-o", &run, "-n", &count, "--config", &config,
        ];
        if let Some(prompt) = prompt {
            command.extend(["--prompt", prompt]);
        }
        samara(&command, &self.work.log)
    }

    fn train(&mut self, size: &str) -> Done {
        self.work.step(&format!("training of {size}"))?;
        let (data, model) = (self.work.path(&["data"]), self.work.path(&["models", size]));
        if Path::new(&model).join("card.json").exists() {
            return Ok(());
        }
        let tokens = self.args.tokens.to_string();
        let own = ["train", "domain", &data, "-o", &model, "--preset", size];
        let more = ["--tokens", &tokens, "--trial", "0"];
        samara(&[&own[..], &more].concat(), &self.work.log)
    }

    fn sample(&mut self, size: &str) -> Done {
        self.work.step(&format!("samples of {size}"))?;
        self.put(&self.work.path(&["models", size]), &["samples", size], None)
    }

    /// The first half of each target, completed.
    fn complete(&mut self, size: &str) -> Done {
        for (target, program) in TARGETS {
            self.work.step(&format!("{target} completed by {size}"))?;
            let prompt = self.work.path(&["targets", &format!("{target}.py")]);
            write(Path::new(&prompt), half(program).as_bytes())?;
            let run = format!("{size}-{target}");
            self.put(
                &self.work.path(&["models", size]),
                &["samples", &run],
                Some(&prompt),
            )?;
        }
        Ok(())
    }

    /// Draws the figures, and writes what they show as numbers.
    fn tell(&self) -> Done {
        let originals = originals()?;
        let mut rows = vec![Row {
            name: "dataset".to_owned(),
            ..self.row("dataset")?
        }];
        let mut series = Vec::new();
        for size in &self.args.sizes {
            let card = read(&self.work.path(&["models", size, "card.json"]))?;
            let mut row = Row {
                name: size.clone(),
                parameters: card["parameters"].as_u64(),
                loss: card["held_out_loss"]["after"].as_f64(),
                seconds: card["seconds"].as_f64(),
                ..self.row(size)?
            };
            for (target, original) in &originals {
                let run = self.work.path(&["samples", &format!("{size}-{target}")]);
                let best = Stats::of(&Store::open(Path::new(&run))?)?.max_fitness;
                row.completed
                    .push(((*target).to_owned(), 100.0 * ratio(best, *original)));
            }
            rows.push(row);
            series.push(Series {
                name: size.clone(),
                points: losses(&self.work.path(&[
                    "models",
                    &format!("{size}.metrics"),
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
        let numbers = json!({ "dataset": dataset["programs"], "samples": self.args.samples, "rows": rows, "originals": originals });
        let html = page(&Page {
            samples: self.args.samples,
            learned: dataset["programs"]["learned"].as_u64().unwrap_or_default(),
            rows: rows.clone(),
            charts: vec![chart],
        });
        let lines = rows.iter().map(Row::line);
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
pub(super) fn per_token(size: &str) -> Result<f64, Failure> {
    let config = lm::Config::preset(size).context("a size that the command line knows")?;
    let weights = lm::train::init(&config, 0)?;
    let options = lm::train::Options {
        bf16: true,
        ..lm::train::Options::default()
    };
    let mut trainer = lm::train::cpu::Trainer::new(&config, &weights, options)?;
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
    ::invent::dataset::each(path, &mut |entry| {
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
