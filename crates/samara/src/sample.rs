//! `samara sample`: programs that a model writes, or of a dataset, in a fresh map.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use ::invent::author::{self, Author};
use ::invent::dataset;
use ::invent::inventor::{self, Commission, Inventor};
use anyhow::{Context, anyhow};
use domains::walkers::{self, Walkers};
use evolve::domain::Domain;
use evolve::search::collect::{self, Source};
use evolve::settings::Settings;
use evolve::store::{DATABASE, Provenance, Store};
use lm::Checkpoint;
use mutate::settings::section;
use mutate::{MadeWith, Proposal, model};
use sodarace::Terrain;
use toml::{Table, Value};

use crate::cli::SampleArgs;
use crate::progress::Display;
use crate::settings::{of_walkers, set};
use crate::train::base;
use crate::train::inventor::context;
use crate::{Done, Failure, interrupts, log, run, say};

/// The section of a run's settings that says how its programs were written.
pub const SECTION: &str = "sample";
/// Programs of an iteration.
const BATCH: i64 = 256;

/// Writes the programs.
pub fn sample(args: &SampleArgs) -> Done {
    let beginning = match &args.prompt {
        None => String::new(),
        Some(path) => prompt(path)?,
    };
    let table = table(args)?;
    let walkers = of_walkers(&table).map_err(Failure::usage)?;
    pyrun::caged(walkers.python.cage).map_err(Failure::usage)?;
    let terrain = walkers::terrain(&walkers.sodarace.terrain).map_err(Failure::usage)?;
    let mut made_with = MadeWith::new();
    let mut source = source(args, &table, &terrain, &beginning, &mut made_with)?;
    let domain = Walkers::new(&walkers);
    let condition = walkers::condition(&terrain);
    let mut store = open(args, table, &domain, &condition, &made_with)?;
    log::write_to(&args.output);
    let mut display = Display::new(store.settings().evaluations, store.niches());
    if std::io::stdout().is_terminal() {
        say!(
            "{} programs of {} on {} into {}",
            args.count,
            args.model,
            terrain.name,
            args.output.display()
        )?;
    }
    let stop = interrupts()?;
    let made = collect::run(
        source.as_mut(),
        &mut store,
        &domain,
        &beginning,
        &stop,
        &mut |p| {
            display.update(p);
        },
    );
    display.finish();
    let progress = made?;
    if progress.evaluations < progress.target {
        return Err(Failure {
            code: 130,
            error: anyhow!(
                "interrupted after {} of {} programs, which are kept; the same command goes on",
                progress.evaluations,
                progress.target
            ),
        });
    }
    run::finish(&store, &progress)
}

fn prompt(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("{}: cannot be read; give a Python file", path.display()))
        .map_err(Failure::usage)?;
    let text = edit::source::decode(&bytes)
        .map_err(|e| anyhow!("{}: {e}", path.display()))
        .map_err(Failure::usage)?;
    Ok(edit::source::canonical(&text).into_owned())
}

/// The settings of the run.
fn table(args: &SampleArgs) -> Result<Table, Failure> {
    let mut table = args.common.settings().map_err(Failure::usage)?;
    set(&mut table, "seed", args.model.clone());
    set(&mut table, "evaluations", args.count as i64);
    set(&mut table, "rng", args.rng as i64);
    set(&mut table, "search.replicas", 1);
    set(&mut table, "search.batch", BATCH);
    if let Some(terrain) = &args.terrain {
        set(&mut table, "sodarace.terrain", terrain.clone());
    }
    if let Some(seconds) = args.seconds {
        set(&mut table, "sodarace.seconds", seconds);
    }
    if let Some(threads) = args.threads {
        set(&mut table, "threads", threads as i64);
    }
    if let Some(device) = &args.device {
        set(&mut table, "model.device", device.clone());
    }
    let prompt = args.prompt.as_ref().map(|path| path.display().to_string());
    let own = toml::toml! {
        temperature = (args.temperature)
        min_p = (args.min_p)
        max_tokens = (args.max_tokens as i64)
        constrained = (!args.free)
    };
    table.insert(SECTION.to_owned(), Value::Table(own));
    if let Some(prompt) = prompt {
        set(&mut table, "sample.prompt", prompt);
    }
    Ok(table)
}

fn source(
    args: &SampleArgs,
    table: &Table,
    terrain: &Terrain,
    beginning: &str,
    made_with: &mut MadeWith,
) -> Result<Box<dyn Source>, Failure> {
    if crate::dataset::is_one(Path::new(&args.model)) {
        return drawn(args);
    }
    let model: model::Settings = section(table, "model")?;
    let checkpoint: Checkpoint = base(&args.model)?;
    made_with.extend(model.made_with()?);
    made_with.insert("model".to_owned(), checkpoint.sha256());
    let settings = author::Settings {
        temperature: args.temperature,
        min_p: args.min_p,
        max_tokens: args.max_tokens,
        constrained: !args.free,
        seed: args.rng,
    };
    if inventor::about(&checkpoint).is_some() {
        let inventor = Inventor::open(checkpoint.path(), &model, settings, beginning)?;
        return Ok(Box::new(Commission::new(
            inventor,
            context(terrain)?,
            args.rng,
        )?));
    }
    let author = Author::open(checkpoint, &model, settings, beginning)?;
    Ok(Box::new(author))
}

/// Programs of a dataset, in an order drawn by chance.
struct Drawn(Vec<String>);

impl Source for Drawn {
    fn name(&self) -> &'static str {
        "dataset"
    }

    fn programs(
        &mut self,
        first: u64,
        count: usize,
        _: &AtomicBool,
    ) -> Result<Vec<Proposal>, mutate::Error> {
        let all = self.0.iter().skip(first as usize - 1).take(count);
        Ok(all.map(|program| Ok(program.clone()).into()).collect())
    }
}

fn drawn(args: &SampleArgs) -> Result<Box<dyn Source>, Failure> {
    if args.prompt.is_some() {
        let why = anyhow!("--prompt: programs of a dataset begin as they do; give a model");
        return Err(Failure::usage(why));
    }
    let mut drawn: Vec<(u64, String)> = Vec::new();
    dataset::each(Path::new(&args.model), &[], &mut |entry| {
        let hash = edit::hash::both(args.rng, edit::hash::of([&*entry.program]));
        drawn.push((hash, entry.program));
        Ok(())
    })?;
    drawn.sort_unstable();
    drawn.dedup();
    if (drawn.len() as u64) < args.count {
        return Err(Failure::usage(anyhow!(
            "-n {}: {} has {} different programs; give a smaller number",
            args.count,
            args.model,
            drawn.len()
        )));
    }
    let drawn = drawn.into_iter().take(args.count as usize);
    Ok(Box::new(Drawn(drawn.map(|(_, program)| program).collect())))
}

/// Begins the run, or takes up one that the same command began.
fn open(
    args: &SampleArgs,
    table: Table,
    domain: &Walkers,
    condition: &str,
    made_with: &MadeWith,
) -> Result<Store, Failure> {
    let settings = Settings::read(table).map_err(Failure::usage)?;
    settings.check().map_err(Failure::usage)?;
    let mut provenance = made_with.clone();
    provenance.extend(domain.made_with());
    provenance.insert("samara".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let provenance = Provenance(provenance);
    if !args.output.join(DATABASE).exists() {
        let mut store = Store::create(&args.output, &settings, &domain.axes(), condition)?;
        store.note_provenance(&provenance)?;
        return Ok(store);
    }
    let mut store = Store::resume(&args.output)?;
    let unlike = |what: &str| {
        Failure::usage(anyhow!(
            "{}: there is a run with {what}; give what it was begun with, or another folder with -o",
            args.output.display()
        ))
    };
    let old = store.settings();
    if !is_one(&store) {
        return Err(unlike("programs that were bred"));
    }
    let same = Settings {
        threads: settings.threads,
        evaluations: settings.evaluations,
        ..old.clone()
    };
    if same != settings || store.condition() != condition {
        return Err(unlike("other settings"));
    }
    if store
        .provenances()?
        .pop()
        .is_some_and(|(_, last)| last != provenance)
    {
        return Err(unlike("another model, or another Python"));
    }
    if store.len()? > args.count + 1 {
        return Err(unlike(&format!("{} programs", store.len()? - 1)));
    }
    store.set_settings(settings)?;
    Ok(store)
}

/// Whether a run's programs were not bred.
pub fn is_one(store: &Store) -> bool {
    store.settings().sections.contains_key(SECTION)
}

/// The command that makes such a run again.
pub fn command(store: &Store) -> String {
    let settings = store.settings();
    let own = settings.sections.get(SECTION);
    let get = |name: &str| own.and_then(|own| own.get(name));
    let mut command = format!(
        "samara sample {} -n {} -o RUN --rng {}",
        settings.seed, settings.evaluations, settings.rng
    );
    for (name, option) in [
        ("temperature", "--temperature"),
        ("min_p", "--min-p"),
        ("max_tokens", "--max-tokens"),
        ("prompt", "--prompt"),
    ] {
        let value = get(name).map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        });
        if let Some(value) = value.filter(|value| !["0", "0.0"].contains(&&**value)) {
            command += &format!(" {option} {value}");
        }
    }
    if get("constrained").and_then(Value::as_bool) == Some(false) {
        command += " --free";
    }
    command
}

/// Refuses to breed on what was not bred.
pub fn refuse_to_breed(store: &Store) -> Result<(), Failure> {
    match is_one(store) {
        false => Ok(()),
        true => Err(Failure::usage(anyhow!(
            "{}: its programs were not bred; go on with the `samara sample` that began it",
            store.folder().display()
        ))),
    }
}
