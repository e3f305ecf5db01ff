//! `samara train domain`: a model of the programs that maps took.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use ::invent::author::{self, Author};
use ::invent::dataset::{self, Entry};
use ::invent::domain::{Settings, TASK, course};
use ::invent::probe::Probe;
use anyhow::anyhow;
use domains::walkers::{self, Walkers};
use evolve::domain::Domain;
use evolve::search::collect::Source;
use evolve::search::court::Court;
use learn::course::Course;
use learn::trial::told;
use lm::Checkpoint;
use lm::train::Trainer;
use lm::train::checkpoint::Keep;
use lm::train::metrics::Metrics;
use lm::train::supervised::Trained;
use mutate::settings::section;
use mutate::{Judge, Shares};
use serde_json::{Value, json};
use toml::Table;

use super::display::Display;
use super::{EVERY, base, beside, card, check_output, learn, resources};
use crate::cli::TrainDomainArgs;
use crate::settings::of_walkers;
use crate::{Done, Failure, interrupts, say};

/// A trained model of a domain, and all that its card says.
struct Made<'a> {
    args: &'a TrainDomainArgs,
    settings: &'a Settings,
    course: &'a Course<'a>,
    trained: &'a Trained,
    arithmetic: String,
    base: Option<String>,
    parameters: u64,
    seconds: f64,
    trial: Option<Trial>,
    probe: Option<Probe>,
}

/// Programs that the model writes, once held to Python and once free.
struct Trial {
    held: Shares,
    free: Shares,
    /// Of those held, how many stand in the dataset as they are.
    known: u64,
}

pub fn domain(args: &TrainDomainArgs) -> Done {
    let began = Instant::now();
    let table = args.common.settings().map_err(Failure::usage)?;
    let walkers = of_walkers(&table).map_err(Failure::usage)?;
    pyrun::caged(walkers.python.cage).map_err(Failure::usage)?;
    let base = args.base.as_ref().map(|name| base(name)).transpose()?;
    let named = args.base.as_deref().zip(base.as_ref());
    check_output(&args.output, named)?;
    let stop = interrupts()?;

    let axes: Vec<String> = match args.probes {
        true => Walkers::new(&walkers)
            .axes()
            .into_iter()
            .map(|axis| axis.name)
            .collect(),
        false => Vec::new(),
    };
    let mut programs: Vec<Entry> = Vec::new();
    dataset::each(&args.dataset, &axes, &mut |entry| {
        programs.push(entry);
        Ok(())
    })?;
    let probe = args.probes.then(|| Probe::of(&axes, &programs));
    if let Some(probe) = &probe {
        programs = probe.read(&programs);
    }
    let settings = Settings {
        preset: args.preset.clone(),
        vocabulary: args.vocabulary,
        from_scratch: args.from_scratch,
        rank: if args.lora { args.rank } else { 0 },
        epochs: args.epochs,
        tokens: args.tokens,
        rate: args.rate.unwrap_or_default(),
        seed: args.rng,
    };
    let course = course(base.as_ref(), &programs, &settings)?;
    if course.texts == 0 {
        return Err(Failure::usage(anyhow!(
            "{}: there is no program to learn from (left out: {}); give a dataset as `samara dataset` writes it",
            args.dataset.display(),
            course.left
        )));
    }
    course.training.check().map_err(Failure::usage)?;
    resources::check(&course, &args.output).map_err(Failure::usage)?;

    let mut trainer = course.trainer()?;
    let seconds = course.seconds(&mut trainer)?;
    let base_sum = base.as_ref().map(Checkpoint::sha256);
    let keep = Keep {
        folder: beside(&args.output, "training"),
        every: EVERY,
        model: match (&base_sum, args.from_scratch) {
            (Some(sum), false) => sum.clone(),
            _ => "from scratch".to_owned(),
        },
    };
    let held_out = programs.iter().filter(|entry| entry.held_out).count();
    let display = Display::begin(
        "programs",
        &course,
        held_out,
        &course.left,
        &trainer,
        seconds,
        keep.exists(),
    )?;
    let metrics = Metrics::open(&beside(&args.output, "metrics")).map_err(Failure::usage)?;
    let trained = learn(&course, &mut trainer, &keep, &stop, metrics, display)?;
    let name = args.base.as_deref().unwrap_or_default();
    course.save(&trainer, &args.output, name)?;

    let known: HashSet<u64> = programs.iter().map(|e| hash(&e.program)).collect();
    drop(programs);
    let trial = match args.trial {
        0 => None,
        count => Some(try_out(args, &table, count, &known, &stop)?),
    };
    let made = Made {
        args,
        settings: &settings,
        course: &course,
        trained: &trained,
        arithmetic: trainer.arithmetic(),
        base: base_sum,
        parameters: trainer.parameters(),
        seconds: began.elapsed().as_secs_f64(),
        trial,
        probe,
    };
    made.write(&args.output)?;
    keep.remove()?;
    Ok(made.say()?)
}

fn hash(program: &str) -> u64 {
    edit::hash::of([program])
}

/// Has the trained model write programs, for an empty map.
fn try_out(
    args: &TrainDomainArgs,
    table: &Table,
    count: usize,
    known: &HashSet<u64>,
    stop: &AtomicBool,
) -> Result<Trial, Failure> {
    let walkers = of_walkers(table).map_err(Failure::usage)?;
    let domain = Walkers::new(&walkers);
    let terrain = walkers::terrain(&walkers.sodarace.terrain)?;
    let condition = walkers::condition(&terrain);
    let model = section(table, "model")?;
    let shares = |constrained| {
        let settings = author::Settings {
            temperature: 1.0,
            min_p: 0.0,
            max_tokens: 0,
            constrained,
            seed: args.rng,
        };
        let checkpoint = Checkpoint::open(&args.output)?;
        let mut author = Author::open(checkpoint, &model, settings, "")?;
        let written = author.programs(1, count, stop)?;
        let programs: Vec<&str> = written
            .iter()
            .filter_map(|proposal| proposal.program.as_deref().ok())
            .collect();
        let mut court = Court::new(&domain as &dyn Domain, &condition)?;
        let verdicts = court.judge(&programs, stop)?;
        if stop.load(Relaxed) {
            return Err(Failure {
                code: 130,
                error: anyhow!(
                    "interrupted in the trial; the model is whole in {}, without a card",
                    args.output.display()
                ),
            });
        }
        let count = |n: usize| n as u64;
        let shares = Shares {
            children: count(written.len()),
            valid: count(programs.len()),
            runnable: count(verdicts.iter().filter(|verdict| verdict.runnable).count()),
            accepted: count(verdicts.iter().filter(|verdict| verdict.accepted).count()),
            unique: count(programs.iter().collect::<HashSet<_>>().len()),
        };
        let there = programs.iter().filter(|text| known.contains(&hash(text)));
        Ok((shares, count(there.count())))
    };
    let (held, known) = shares(true)?;
    let (free, _) = shares(false)?;
    Ok(Trial { held, free, known })
}

impl Made<'_> {
    fn value(&self) -> Value {
        let Self { args, course, .. } = self;
        let place = &self.trained.place;
        json!({
            "task": TASK,
            "samara": env!("CARGO_PKG_VERSION"),
            "dataset": args.dataset,
            "programs": course.texts,
            "left_out": course.left.to_string(),
            "base": self.base.as_ref().map(|sum| json!({"name": args.base, "sha256": sum, "from_scratch": args.from_scratch})),
            "settings": self.settings,
            "training": course.training,
            "arithmetic": self.arithmetic,
            "parameters": course.config.parameters(),
            "trained": self.parameters,
            "tokens": place.tokens,
            "updates": place.updates,
            "ended": self.trained.ended,
            "held_out_loss": {"before": place.first, "after": place.best},
            "seconds": self.seconds,
            "probe": self.probe,
            "trial": self.trial.as_ref().map(|trial| json!({
                "held": trial.held, "free": trial.free, "known": trial.known,
            })),
        })
    }

    fn write(&self, folder: &Path) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(&self.value()).expect("plain data") + "\n";
        lm::write_card(folder, &self.text(), &json)?;
        Ok(())
    }

    /// The card for people.
    fn text(&self) -> String {
        let Self { args, course, .. } = self;
        let place = &self.trained.place;
        let loss = |loss: Option<f64>| loss.map_or_else(|| "-".to_owned(), |x| format!("{x:.3}"));
        let from = match (&args.base, args.from_scratch) {
            (Some(base), false) => format!("`{base}`"),
            (Some(base), true) => format!("scratch, in the shape of `{base}`"),
            (None, _) => format!("scratch, size {}", args.preset),
        };
        let trial = self.trial.as_ref().map_or_else(String::new, |trial| {
            let rows = [("held to Python", trial.held), ("free", trial.free)];
            format!(
                "\n## Trial\n\nPrograms written into an empty map; {} of those held to Python stand in the dataset as they are.\n\n{}",
                trial.known,
                card::table("programs", rows)
            )
        });
        let probe = self.probe.as_ref().map_or_else(String::new, |probe| {
            format!(
                "It read each program with a comment in front and with one behind that tells its {}; `samara bench probes` asks what it knows of them.\n\n",
                probe.names.join(", ")
            )
        });
        format!(
            "# A model of a domain\n\n\
             Trained by samara {} from {from}. It writes Python programs that make walkers:\n\n\
             ```\nsamara sample {} -o RUN\n```\n\n{probe}\
             ## Data\n\n{} programs of `{}`; left out: {}.\n\n\
             ## Training\n\n\
             {} tokens in {} updates, highest rate {}, seed {}; {}. Loss of a token of programs held out: {} before, {} after.\n\
             {trial}",
            env!("CARGO_PKG_VERSION"),
            args.output.display(),
            course.texts,
            args.dataset.display(),
            course.left,
            place.tokens,
            place.updates,
            course.training.rate,
            self.settings.seed,
            self.arithmetic,
            loss(place.first),
            loss(place.best),
        )
    }

    /// Prints what came of it.
    fn say(&self) -> std::io::Result<()> {
        let folder = self.args.output.display();
        if !std::io::stdout().is_terminal() {
            let mut value = self.value();
            value["event"] = "done".into();
            value["model"] = folder.to_string().into();
            return say!("{value}");
        }
        let place = &self.trained.place;
        if let (Some(before), Some(after)) = (place.first, place.best) {
            say!(
                "loss      {before:.3} before, {after:.3} after, of a token of programs held out"
            )?;
        }
        if let Some(trial) = &self.trial {
            say!(
                "held      {}; {} stand in the dataset",
                told(trial.held),
                trial.known
            )?;
            say!("free      {}", told(trial.free))?;
        }
        say!(
            "written   {folder} in {:.0} s; use it with: samara sample {folder} -o RUN",
            self.seconds
        )
    }
}
