//! Stage 1 (Lehman et al. 2022, section 5, figures 8 to 11): a tuned operator against its base, beside gp and beside an operator tuned on gp's changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use evolve::store::Store;
use mutate::Lesson;
use serde_json::{Value, json};

use super::{Work, evaluations, many, samara};
use crate::cli::Stage1Args;
use crate::figures::stage1::{Page, Row, page};
use crate::figures::{Labels, Series, curves};
use crate::stats::{Stats, ratio};
use crate::study::write;
use crate::train::base;
use crate::{Done, Failure, say};

/// The seeds, and what the paper's figures 8 to 10 say of each: niches filled (%), QD score (thousands) and maximum fitness, of the pretrained and
/// the fine-tuned operator.
const SEEDS: [(&str, [[f64; 2]; 3]); 4] = [
    ("square", [[42.0, 62.0], [375.0, 655.0], [1390.0, 1450.0]]),
    ("radial", [[93.0, 97.0], [675.0, 1075.0], [1225.0, 1420.0]]),
    (
        "cppn-fixed",
        [[97.0, 98.0], [455.0, 785.0], [970.0, 1180.0]],
    ),
    (
        "cppn-mutable",
        [[97.0, 98.0], [605.0, 920.0], [1270.0, 1330.0]],
    ),
];

/// Children of the run that shows how fast an operator is, at most.
const PROBED: u64 = 256;
/// Points of a curve.
const POINTS: usize = 200;

/// Who changes the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Gp,
    Base,
    Tuned,
    /// Tuned on as many changes made by gp.
    TunedOnGp,
}

impl Operator {
    const ALL: [Self; 4] = [Self::Gp, Self::Base, Self::Tuned, Self::TunedOnGp];

    /// Its name in folders.
    fn name(self) -> &'static str {
        match self {
            Self::Gp => "gp",
            Self::Base => "base",
            Self::Tuned => "tuned",
            Self::TunedOnGp => "tuned-on-gp",
        }
    }
}

struct Stage<'a> {
    args: &'a Stage1Args,
    evaluations: u64,
    work: Work,
}

/// Makes all runs and both operators that are not there yet, and the page of them.
pub fn stage1(args: &Stage1Args) -> Done {
    let evaluations = evaluations(args.scale)?;
    // A base that is none leaves nothing behind.
    base(&args.base)?;
    let own = json!({ "base": args.base, "lora": args.lora, "evaluations": evaluations, "runs": args.runs, "tokens": args.tokens });
    let parts = ["runs", "models", "lessons", "figures"];
    let mut stage = Stage {
        args,
        evaluations,
        work: Work::begin(&args.output, "stage1", &parts, &own, steps(args))?,
    };
    stage.foretell()?;
    for operator in [Operator::Gp, Operator::Base] {
        stage.evolve(operator)?;
    }
    stage.lessons()?;
    for operator in [Operator::Tuned, Operator::TunedOnGp] {
        stage.train(operator)?;
    }
    for operator in [Operator::Tuned, Operator::TunedOnGp] {
        stage.evolve(operator)?;
    }
    stage.work.meter.finish();
    stage.tell()
}

/// All runs, the lessons, and two trainings.
fn steps(args: &Stage1Args) -> u64 {
    (SEEDS.len() * Operator::ALL.len()) as u64 * args.runs + 3
}

impl Stage<'_> {
    fn run(&self, operator: Operator, seed: &str, run: u64) -> PathBuf {
        self.args
            .output
            .join("runs")
            .join(format!("{}-{seed}-{run}", operator.name()))
    }

    /// Says how long it will take, by a short run of each kind of operator.
    fn foretell(&self) -> Done {
        let mut seconds = 0.0;
        for (operator, runs) in [(Operator::Gp, 1), (Operator::Base, 3)] {
            let run = self
                .args
                .output
                .join("runs")
                .join(format!("probe-{}", operator.name()));
            self.finish(&run, operator, "square", 0, PROBED.min(self.evaluations))?;
            let stats = Stats::of(&Store::open(&run)?)?;
            seconds += ratio(stats.seconds, stats.evaluations as f64)
                * (self.evaluations * 4 * self.args.runs * runs) as f64;
        }
        say!(
            "{} evaluations each, {} of {} operators on {} seeds: about {} and two trainings of {} tokens; what is there is not made again",
            self.evaluations,
            many(self.args.runs, "run", "runs"),
            Operator::ALL.len(),
            SEEDS.len(),
            many((seconds / 60.0).ceil() as u64, "minute", "minutes"),
            self.args.tokens
        )?;
        Ok(())
    }

    /// Makes a run, or goes on with it.
    fn finish(
        &self,
        run: &Path,
        operator: Operator,
        seed: &str,
        rng: u64,
        evaluations: u64,
    ) -> Done {
        let (rng, model) = (rng.to_string(), self.model(operator));
        let mut command = vec!["--seed", seed, "--rng", &rng];
        match operator {
            Operator::Gp => command.extend(["--operator", "gp"]),
            _ => command.extend(["--operator", "diff", "--model", &model]),
        }
        self.work
            .evolve(&run.display().to_string(), &command, evaluations)
    }

    fn model(&self, operator: Operator) -> String {
        match operator {
            Operator::Gp | Operator::Base => self.args.base.clone(),
            tuned => self
                .args
                .output
                .join("models")
                .join(tuned.name())
                .display()
                .to_string(),
        }
    }

    fn evolve(&mut self, operator: Operator) -> Done {
        for (seed, _) in SEEDS {
            for run in 0..self.args.runs {
                self.work
                    .step(&format!("{} from {seed}, run {}", operator.name(), run + 1))?;
                self.finish(
                    &self.run(operator, seed, run),
                    operator,
                    seed,
                    run,
                    self.evaluations,
                )?;
            }
        }
        Ok(())
    }

    /// Writes the accepted changes of the base and of gp, as many of one as of the other: what both teach is told apart by who made it alone.
    fn lessons(&mut self) -> Done {
        self.work.step("lessons")?;
        let mut all = Vec::new();
        for operator in [Operator::Base, Operator::Gp] {
            let mut lessons: BTreeMap<u64, Lesson> = BTreeMap::new();
            for (seed, _) in SEEDS {
                for run in 0..self.args.runs {
                    let source = format!("{seed}-{run}");
                    Store::open(&self.run(operator, seed, run))?.each_lesson(
                        u64::MAX,
                        true,
                        |lesson| {
                            let chance =
                                edit::hash::of([&*source, &*lesson.parent, &*lesson.child]);
                            lessons.insert(
                                chance,
                                Lesson {
                                    source: source.clone(),
                                    ..lesson
                                },
                            );
                            Ok(())
                        },
                    )?;
                }
            }
            all.push((operator, lessons));
        }
        let most = all
            .iter()
            .map(|(_, lessons)| lessons.len())
            .min()
            .unwrap_or(0);
        if most == 0 {
            return Err(anyhow!("no map took a change of the base, so that it has nothing to learn from; give a larger --scale, or another --base").into());
        }
        for (operator, lessons) in all {
            let path = self
                .args
                .output
                .join("lessons")
                .join(format!("{}.jsonl", operator.name()));
            let mut text = String::new();
            for lesson in lessons.values().take(most) {
                text += &serde_json::to_string(lesson).expect("plain data");
                text.push('\n');
            }
            write(&path, text.as_bytes())?;
        }
        Ok(())
    }

    fn train(&mut self, operator: Operator) -> Done {
        self.work
            .step(&format!("training of {}", operator.name()))?;
        let model = self.args.output.join("models").join(operator.name());
        if model.join("card.json").exists() {
            return Ok(());
        }
        let teacher = if operator == Operator::Tuned {
            Operator::Base
        } else {
            Operator::Gp
        };
        let lessons = self
            .args
            .output
            .join("lessons")
            .join(format!("{}.jsonl", teacher.name()));
        let (lessons, model) = (lessons.display().to_string(), model.display().to_string());
        let tokens = self.args.tokens.to_string();
        let mut command = vec!["train", "operator", &*lessons, "-o", &model];
        command.extend(["--base", &*self.args.base, "--tokens", &tokens]);
        // The lessons are counted: none is left out for its niche, and none that was not taken fills up.
        command.extend(["--per-niche", "1000000", "--rejected", "0"]);
        command.extend(["--free", "1", "--trial", "256"]);
        if self.args.lora {
            command.push("--lora");
        }
        samara(&command, &self.work.log)
    }

    /// Draws the figures, and writes what they show as numbers.
    fn tell(&self) -> Done {
        let mut rows = Vec::new();
        let mut charts = Vec::new();
        for (seed, paper) in SEEDS {
            let mut all = Vec::new();
            for operator in Operator::ALL {
                let stores =
                    (0..self.args.runs).map(|run| Store::open(&self.run(operator, seed, run)));
                let stores = stores.collect::<Result<Vec<_>, _>>()?;
                rows.push(row(seed, operator, &stores, paper)?);
                all.push((operator, stores));
            }
            charts.extend(self.draw(seed, &all)?);
        }
        let mut trials = Vec::new();
        for operator in [Operator::Tuned, Operator::TunedOnGp] {
            let path = PathBuf::from(self.model(operator)).join("card.json");
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{}: cannot be read", path.display()))?;
            let card: Value = serde_json::from_str(&text)
                .with_context(|| format!("{}: is no card", path.display()))?;
            trials.push((operator.name().to_owned(), card["trial"].clone()));
        }
        let html = page(&Page {
            base: self.args.base.clone(),
            evaluations: self.evaluations,
            runs: self.args.runs,
            rows: rows.clone(),
            trials: trials.clone(),
            charts,
        });
        let numbers = json!({ "base": self.args.base, "evaluations": self.evaluations, "runs": self.args.runs, "rows": rows, "trials": trials });
        let lines = rows.iter().map(Row::line);
        self.work.tell("stage1", &numbers, &html, lines)
    }

    /// The curves of one seed: niches, QD score and best fitness, means of the runs.
    fn draw(&self, seed: &str, all: &[(Operator, Vec<Store>)]) -> Result<Vec<String>, Failure> {
        let charts = [
            ("niches", "%"),
            ("QD score", "world units"),
            ("maximum fitness", "world units"),
        ];
        let mut drawn = Vec::new();
        for (which, (name, unit)) in charts.into_iter().enumerate() {
            let mut series = Vec::new();
            for (operator, stores) in all {
                let curves = stores
                    .iter()
                    .map(Store::iterations)
                    .collect::<Result<Vec<_>, _>>()?;
                let length = curves.iter().map(Vec::len).min().unwrap_or(0);
                let step = length.div_ceil(POINTS).max(1);
                let at = |i: usize| {
                    let sum: f64 = curves
                        .iter()
                        .zip(stores)
                        .map(|(curve, store)| {
                            let m = &curve[i];
                            [
                                100.0 * m.niches as f64 / store.niches() as f64,
                                m.qd_score,
                                m.max_fitness,
                            ][which]
                        })
                        .sum();
                    (curves[0][i].evaluations as f64, sum / curves.len() as f64)
                };
                let points = (0..length)
                    .filter(|i| i % step == 0 || i + 1 == length)
                    .map(at)
                    .collect();
                series.push(Series {
                    name: operator.name().to_owned(),
                    points,
                });
            }
            let svg = curves(
                &series,
                &Labels {
                    title: format!("{seed}: {name}"),
                    x: "evaluations".to_owned(),
                    y: unit.to_owned(),
                    log_y: false,
                },
            );
            let path = self
                .args
                .output
                .join("figures")
                .join(format!("{seed}-{}.svg", name.replace(' ', "-")));
            write(&path, svg.as_bytes())?;
            drawn.push(svg);
        }
        Ok(drawn)
    }
}

/// What the runs of one operator from one seed came to, in the mean.
fn row(
    seed: &str,
    operator: Operator,
    stores: &[Store],
    paper: [[f64; 2]; 3],
) -> Result<Row, Failure> {
    let stats = stores
        .iter()
        .map(Stats::of)
        .collect::<Result<Vec<_>, _>>()?;
    let mean = |of: &dyn Fn(&Stats) -> f64| ratio(stats.iter().map(of).sum(), stats.len() as f64);
    let share =
        |of: fn(&Stats) -> u64| mean(&|s| 100.0 * ratio(of(s) as f64, s.counts.proposed as f64));
    let of_paper = match operator {
        Operator::Base => Some(0),
        Operator::Tuned => Some(1),
        Operator::Gp | Operator::TunedOnGp => None,
    };
    Ok(Row {
        seed: seed.to_owned(),
        operator: operator.name().to_owned(),
        niches: mean(&|s| s.niches_percent),
        qd_score: mean(&|s| s.qd_score),
        best: mean(&|s| s.max_fitness),
        valid: share(|s| s.counts.valid),
        runnable: share(|s| s.counts.runnable),
        accepted: share(|s| s.counts.accepted),
        seconds: mean(&|s| s.seconds),
        paper: of_paper.map(|which| paper.map(|pair| pair[which])),
    })
}
