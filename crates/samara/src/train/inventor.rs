//! `samara train inventor`: a model of the domain that learns to invent for a terrain.

use std::io::IsTerminal;
use std::time::Instant;

use ::invent::dataset::{self, Entry};
use ::invent::inventor::{self, About, Progress, School, Settings, TASK, Trained};
use ::invent::ppo;
use ::invent::ten::{Context, HEIGHT, Kind};
use anyhow::anyhow;
use domains::walkers::{self, Walkers};
use lm::Checkpoint;
use lm::snapshot::Snapshot;
use lm::train::metrics::Metrics;
use mutate::settings::section;
use serde_json::{Value, json};
use sodarace::Terrain;

use super::{base, beside, check_output, resources};
use crate::cli::TrainInventorArgs;
use crate::meter::Meter;
use crate::settings::{of_walkers, set};
use crate::terminal::complain;
use crate::{Done, Failure, interrupts, say};

pub fn inventor(args: &TrainInventorArgs) -> Done {
    let began = Instant::now();
    let settings = settings(args)?;
    let mut table = args.common.settings().map_err(Failure::usage)?;
    if let Some(seconds) = args.seconds {
        set(&mut table, "sodarace.seconds", seconds);
    }
    let walkers = of_walkers(&table).map_err(Failure::usage)?;
    pyrun::caged(walkers.python.cage).map_err(Failure::usage)?;
    let contexts = contexts(&args.terrains)?;
    let base = base(&args.model)?;
    let room = base.config.max_position_embeddings;
    if settings.vectors + 2 > room {
        return Err(Failure::usage(anyhow!(
            "--vectors {}: the model reads {room} tokens",
            settings.vectors
        )));
    }
    check_output(&args.output, Some((&args.model, &base)))?;
    let mut pairs: Vec<Entry> = Vec::new();
    if let Some(path) = &args.pairs {
        dataset::each(path, &[], &mut |entry| {
            pairs.push(entry);
            Ok(())
        })?;
    }
    let stop = interrupts()?;
    let domain = Walkers::new(&walkers);
    let school = School {
        settings,
        contexts,
        base: &base,
        model: section(&table, "model")?,
        domain: &domain,
        threads: args.threads.unwrap_or_default(),
    };
    resources::memory(school.bytes(), "choose a smaller model").map_err(Failure::usage)?;
    resources::disk(school.disk(), &args.output).map_err(Failure::usage)?;
    let keep = beside(&args.output, "training");
    let mut metrics = Metrics::open(&beside(&args.output, "metrics")).map_err(Failure::usage)?;
    let mut display = Display::begin(args, &school, keep.join("about.json").exists())?;
    let mut unwritten = None;
    let mut last = None;
    let trained = school.train(&pairs, Some(&keep), &stop, &mut |progress| {
        let written = metrics.write_scalars(u64::from(progress.iteration), &scalars(progress));
        unwritten = written.err().or(unwritten.take());
        display.update(progress);
        last = Some(progress.clone());
    });
    display.meter.finish();
    // A full disk, say, costs the curves and not the training.
    if let Some(error) = unwritten {
        complain(&format!("{error}"));
    }
    let trained = trained?;
    if !trained.is_done {
        return Err(Failure {
            code: 130,
            error: anyhow!(
                "interrupted after {} of {} iterations, which are kept in {}; the same command goes on there",
                trained.iterations,
                args.iterations,
                keep.display()
            ),
        });
    }
    let card = card(
        args,
        &school,
        &trained,
        last.as_ref(),
        began.elapsed().as_secs_f64(),
    );
    let weights = trained.weights.into_iter();
    let tensors = weights.map(|(name, tensor)| (name, tensor.shape, tensor.data));
    lm::save(&args.output, &base.config, &base.tokenizer, tensors)?;
    inventor::save_ten(&args.output, &trained.ten)?;
    let text = serde_json::to_string_pretty(&card).expect("plain data") + "\n";
    lm::write_card(&args.output, &told(args, &card), &text)?;
    Snapshot::remove(&keep)?;
    if std::io::stdout().is_terminal() {
        say!(
            "written   {0} in {1:.0} s; use it with: samara invent {0} --terrain {2}",
            args.output.display(),
            began.elapsed().as_secs_f64(),
            args.terrains[0]
        )?;
    } else {
        let mut value = card;
        value["event"] = "done".into();
        value["model"] = args.output.display().to_string().into();
        say!("{value}")?;
    }
    Ok(())
}

fn settings(args: &TrainInventorArgs) -> Result<Settings, Failure> {
    let rates = [
        ("--rate", args.rate, 0.0, 1.0),
        ("--value-rate", args.value_rate, 0.0, 1.0),
        ("--ten-rate", args.ten_rate, 0.0, 1.0),
        ("--kl", args.kl, 0.0, 100.0),
        ("--failure", args.failure, -1e6, 1e6),
        ("--unit", args.unit as f32, 1e-6, 1e6),
    ];
    if let Some((name, value, low, high)) = rates
        .into_iter()
        .find(|(_, value, low, high)| !(*low..=*high).contains(value))
    {
        let why = anyhow!("{name} {value}: give a number of {low} to {high}");
        return Err(Failure::usage(why));
    }
    Ok(Settings {
        ten: match &*args.ten {
            "vision" => Kind::Vision,
            _ => Kind::Codes,
        },
        vectors: args.vectors,
        samples: args.samples,
        iterations: args.iterations,
        warm_up: args.warm_up,
        max_tokens: args.max_tokens,
        unit: args.unit,
        failure: args.failure,
        pairs: args.pairs.as_ref().map_or(0, |_| args.pairs_per_terrain),
        ppo: ppo::Settings {
            epochs: args.epochs,
            minibatches: args.minibatches,
            rate: args.rate,
            value_rate: args.value_rate,
            ten_rate: args.ten_rate,
            kl: args.kl,
            seed: args.rng,
            ..ppo::Settings::default()
        },
        ..Settings::default()
    })
}

/// The terrains of these names, as an inventor is shown them.
fn contexts(names: &[String]) -> Result<Vec<Context>, Failure> {
    let mut contexts: Vec<Context> = Vec::new();
    for name in names {
        let context = context(&walkers::terrain(name).map_err(Failure::usage)?)?;
        if contexts.iter().any(|other| other.name == context.name) {
            let why = anyhow!(
                "--terrains: {} is given twice; give each once",
                context.name
            );
            return Err(Failure::usage(why));
        }
        contexts.push(context);
    }
    Ok(contexts)
}

/// A terrain as an inventor is shown it.
pub fn context(terrain: &Terrain) -> anyhow::Result<Context> {
    Ok(Context {
        name: terrain.name.clone(),
        condition: walkers::condition(terrain),
        picture: sodarace::render::solid(terrain, HEIGHT as u32)?,
    })
}

/// What is written of an iteration, by name.
fn scalars(progress: &Progress) -> Vec<(&str, f64)> {
    let report = &progress.report;
    let [writing, trying, learning] = progress.seconds;
    let mut all = vec![
        ("reward", report.reward),
        ("kl", report.kl),
        ("entropy", report.entropy),
        ("clipped", report.clipped),
        ("first_ratio", report.first_ratio),
        ("value/error", report.value_error),
        ("value/explained", report.explained),
        ("norm", report.norm),
        ("unique", progress.unique),
        ("tokens", progress.tokens),
        ("seconds/writing", writing),
        ("seconds/trying", trying),
        ("seconds/learning", learning),
    ];
    for earned in &progress.contexts {
        all.push((&earned.name, earned.mean));
    }
    let scored: u64 = progress.contexts.iter().map(|c| c.scored).sum();
    let programs: u64 = progress.contexts.iter().map(|c| c.programs).sum();
    all.push(("scored", scored as f64 / (programs as f64).max(1.0)));
    all
}

/// How a training is shown: a bar on a terminal, lines of JSON elsewhere.
struct Display {
    meter: Meter,
}

impl Display {
    fn begin(
        args: &TrainInventorArgs,
        school: &School<'_>,
        goes_on: bool,
    ) -> std::io::Result<Self> {
        let names: Vec<&str> = school.contexts.iter().map(|c| &*c.name).collect();
        if std::io::stdout().is_terminal() {
            say!("terrains  {}", names.join(", "))?;
            say!(
                "model     {} ({:.1} million numbers), which sees by {}",
                args.model,
                school.base.config.parameters() as f64 / 1e6,
                args.ten
            )?;
            if goes_on {
                say!("goes on where it was interrupted")?;
            }
        } else {
            say!(
                "{}",
                json!({
                    "event": "begin", "terrains": names, "parameters": school.base.config.parameters(), "samples": args.samples,
                    "iterations": args.iterations, "goes_on": goes_on,
                })
            )?;
        }
        let template = "{bar:30.green} {pos}/{len}  {elapsed_precise}, {msg}";
        let meter = Meter::new(Some(u64::from(args.iterations)), template);
        if let Some(bar) = meter.bar() {
            bar.set_message("learns to write behind what it is shown");
        }
        Ok(Self { meter })
    }

    fn update(&mut self, progress: &Progress) {
        let means: Vec<String> = progress
            .contexts
            .iter()
            .map(|earned| {
                format!(
                    "{} {:.0} (best {:.0})",
                    earned.name, earned.mean, earned.best
                )
            })
            .collect();
        if let Some(bar) = self.meter.bar() {
            let each = progress.spent / f64::from(progress.iteration.max(1));
            let left = f64::from(progress.iterations - progress.iteration) * each;
            bar.set_position(u64::from(progress.iteration));
            bar.set_message(format!(
                "{left:.0} s left  {}  KL {:.2}  unique {:.0} %",
                means.join("  "),
                progress.report.kl,
                100.0 * progress.unique
            ));
        } else if self.meter.wants_line(true) {
            let mut line = json!(progress);
            line["event"] = "progress".into();
            let _ = say!("{line}");
        }
    }
}

fn card(
    args: &TrainInventorArgs,
    school: &School<'_>,
    trained: &Trained,
    last: Option<&Progress>,
    seconds: f64,
) -> Value {
    json!({
        "task": TASK,
        "samara": env!("CARGO_PKG_VERSION"),
        "base": {"name": args.model, "sha256": Checkpoint::sha256(school.base)},
        "inventor": About {
            ten: trained.ten.kind(),
            vectors: trained.ten.vectors(),
            contexts: school.contexts.iter().map(|c| c.name.clone()).collect(),
        },
        "settings": school.settings,
        "parameters": school.base.config.parameters(),
        "iterations": trained.iterations,
        "last": last,
        "seconds": last.map_or(seconds, |last| last.spent),
    })
}

/// The card for people.
fn told(args: &TrainInventorArgs, card: &Value) -> String {
    let rows: String = (card["last"]["contexts"].as_array().into_iter().flatten())
        .map(|c| {
            let number = |name: &str| c[name].as_f64().unwrap_or_default();
            format!(
                "| {} | {:.0} | {:.1} | {:.1} |\n",
                c["name"].as_str().unwrap_or_default(),
                100.0 * number("scored") / number("programs").max(1.0),
                number("mean"),
                number("best")
            )
        })
        .collect();
    format!(
        "# An inventor\n\n\
         Trained by samara {} from `{}` by reinforcement learning. It writes Python programs that make walkers for the terrain that it is shown:\n\n\
         ```\nsamara invent {} --terrain {}\n```\n\n\
         ## Training\n\n\
         {} iterations of {} programs; {} seconds. It sees terrains by {}. Programs of the last iteration, in per cent and world units:\n\n\
         | terrain | scored | mean | best |\n| --- | ---: | ---: | ---: |\n{rows}",
        env!("CARGO_PKG_VERSION"),
        args.model,
        args.output.display(),
        args.terrains[0],
        card["iterations"],
        args.samples,
        card["seconds"].as_f64().unwrap_or_default().round(),
        args.ten,
    )
}
