//! `samara train`: models that learn from runs.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use domains::walkers::{self, Walkers};
use evolve::domain::Domain;
use evolve::search::court::Court;
use learn::course::Course;
use learn::operator::{self, Settings, Split};
use learn::select::{self, Selected, Selection};
use learn::{Left, trial};
use lm::Checkpoint;
use lm::train::Trainer;
use lm::train::checkpoint::Keep;
use lm::train::metrics::Metrics;
use lm::train::supervised::{Ended, Trained};
use mutate::diff::{Diff, Frame};
use mutate::settings::section;
use mutate::{Brief, Lesson, Shares, diff, model};
use toml::Table;

use crate::cli::{Train, TrainOperatorArgs};
use crate::settings::{of_walkers, set};
use crate::terminal::complain;
use crate::{Done, Failure, interrupts};
use card::Card;
use display::Display;
use source::Source;

mod card;
mod display;
mod domain;
pub(crate) mod inventor;
mod resources;
pub(crate) mod source;

/// Time between two checkpoints.
const EVERY: Duration = Duration::from_secs(60);
/// Parents for which a trial's children are written, at most.
const TRIED: usize = 16;

/// Does what a `samara train` command says.
pub fn train(what: &Train) -> Done {
    match what {
        Train::Operator(args) => operator(args),
        Train::Domain(args) => domain::domain(args),
        Train::Inventor(args) => inventor::inventor(args),
    }
}

fn operator(args: &TrainOperatorArgs) -> Done {
    let began = Instant::now();
    if !(0.0..=1.0).contains(&args.rejected) {
        let why = anyhow!("--rejected {}: give a number of 0 to 1", args.rejected);
        return Err(Failure::usage(why));
    }
    if !(0.0..=1.0).contains(&args.free) {
        let why = anyhow!("--free {}: give a number of 0 to 1", args.free);
        return Err(Failure::usage(why));
    }
    let sources = Source::all(&args.sources).map_err(Failure::usage)?;
    let table = source::settings(&sources, &args.common)?;
    let setting = Setting::read(&table).map_err(Failure::usage)?;
    pyrun::caged(setting.walkers.python.cage).map_err(Failure::usage)?;
    let base = match args.preset {
        Some(_) => None,
        None => Some(base(&args.base)?),
    };
    check_output(&args.output, base.as_ref().map(|base| (&*args.base, base)))?;
    let stop = interrupts()?;

    let Selected { lessons, mut left } = selected(args, &sources, setting.diff.max_lines)?;
    if lessons.is_empty() {
        return Err(Failure::usage(nothing(&left)));
    }
    let split = Split::new(lessons, args.rng);
    let settings = Settings {
        preset: args.preset.clone().unwrap_or_default(),
        vocabulary: args.vocabulary,
        rank: if args.lora { args.rank } else { 0 },
        epochs: args.epochs,
        tokens: args.tokens,
        rate: args.rate.unwrap_or_default(),
        rejected: args.rejected,
        free: args.free,
        seed: args.rng,
    };
    let frame = Frame::new(&setting.diff, &setting.brief);
    let weights = source::weights(&sources);
    let weigh = |lesson: &Lesson| weights.get(&lesson.source).copied().unwrap_or(1.0);
    let base = base.as_ref();
    let course = operator::course(base, &frame, &split, &weigh, &settings)?;
    left += &course.left;
    if course.texts == 0 {
        return Err(Failure::usage(nothing(&left)));
    }
    course.training.check().map_err(Failure::usage)?;
    resources::check(&course, &args.output).map_err(Failure::usage)?;

    let mut trainer = course.trainer()?;
    let seconds = course.seconds(&mut trainer)?;
    let base_sum = base.map(Checkpoint::sha256);
    let keep = Keep {
        folder: beside(&args.output, "training"),
        every: EVERY,
        model: base_sum
            .clone()
            .unwrap_or_else(|| "from scratch".to_owned()),
    };
    let display = Display::begin(
        "lessons",
        &course,
        split.held_out.len(),
        &left,
        &trainer,
        seconds,
        keep.exists(),
    )?;
    let metrics = Metrics::open(&beside(&args.output, "metrics")).map_err(Failure::usage)?;
    let trained = learn(&course, &mut trainer, &keep, &stop, metrics, display)?;
    course.save(&trainer, &args.output, &args.base)?;

    let trial = match args.trial {
        0 => None,
        _ if split.parents(1).is_empty() => None,
        children => Some(try_out(args, &setting, &split, children, &stop)?),
    };
    let card = Card {
        args,
        sources: &sources,
        settings: &settings,
        course: &course,
        left: &left,
        trained: &trained,
        arithmetic: trainer.arithmetic(),
        base: base_sum,
        parameters: trainer.parameters(),
        seconds: began.elapsed().as_secs_f64(),
        trial,
    };
    card.write(&args.output)?;
    keep.remove()?;
    Ok(card.say()?)
}

/// Under what the operator works, and its children are tried.
struct Setting {
    diff: diff::Settings,
    brief: Brief,
    model: model::Settings,
    walkers: walkers::Settings,
}

impl Setting {
    fn read(table: &Table) -> Result<Self, evolve::Error> {
        let mut table = table.clone();
        set(&mut table, "diff.trained", "yes");
        set(&mut table, "diff.crossover", 0.0);
        Ok(Self {
            diff: section(&table, "diff")?,
            brief: section(&table, "brief")?,
            model: section(&table, "model")?,
            walkers: of_walkers(&table)?,
        })
    }
}

/// The model of this name, to begin from.
pub(crate) fn base(name: &str) -> Result<Checkpoint, Failure> {
    Checkpoint::open(&lm::pull::find(name)?).map_err(Failure::usage)
}

/// Whether a model may be written there: a folder that is new or a saved model's, and not the one that holds the base, a model of this name.
fn check_output(output: &Path, base: Option<(&str, &Checkpoint)>) -> Done {
    if output.is_file() {
        let why = anyhow!(
            "-o {}: is a file; give a folder, new or a saved model's",
            output.display()
        );
        return Err(Failure::usage(why));
    }
    lm::check_folder(output).map_err(Failure::usage)?;
    if let Some((_, base)) = base
        .filter(|(name, _)| lm::builtin::of(name).is_none())
        .filter(|(_, base)| holds(output, base.path()))
    {
        let why = anyhow!(
            "-o {}: there lies the base, {}, which would be lost; give another folder",
            output.display(),
            base.path().display()
        );
        return Err(Failure::usage(why));
    }
    Ok(())
}

/// Whether a file lies in a folder.
fn holds(folder: &Path, file: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    let file = whole(file);
    whole(folder).is_some_and(|folder| file.is_some_and(|file| file.starts_with(folder)))
}

/// The lessons of all sources.
fn selected(
    args: &TrainOperatorArgs,
    sources: &[Source],
    max_lines: usize,
) -> Result<Selected, Failure> {
    let settings = select::Settings {
        max_lines,
        per_niche: args.per_niche,
        rejected: args.rejected > 0.0,
        ..select::Settings::default()
    };
    let mut selection = Selection::new(settings, args.rng);
    for source in sources {
        source.each(settings.rejected, &mut |lesson| selection.push(lesson))?;
    }
    Ok(selection.done())
}

/// Why nothing can be learned.
fn nothing(left: &Left) -> anyhow::Error {
    anyhow!(
        "there are no lessons in these sources (left out: {left}); give runs whose maps took changes, such as a minute of \
         `samara evolve --operator gp`"
    )
}

/// A folder beside what is written: `training` for the state of one that is not at its end, `metrics` for its losses, `part` for what is not whole.
pub(crate) fn beside(output: &Path, what: &str) -> PathBuf {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{name}.{what}"))
}

fn learn(
    course: &Course<'_>,
    trainer: &mut lm::train::cpu::Trainer,
    keep: &Keep,
    stop: &AtomicBool,
    mut metrics: Metrics,
    mut display: Display,
) -> Result<Trained, Failure> {
    let mut unwritten = None;
    let trained = course.train(trainer, Some(keep), stop, &mut |p| {
        unwritten = metrics.write(p).err().or(unwritten.take());
        display.update(p);
    });
    display.finish();
    // A full disk, say, costs the curves and not the training.
    if let Some(error) = unwritten {
        complain(&format!("{error}"));
    }
    let trained = trained.map_err(Failure::usage)?;
    if trained.ended == Ended::Stopped {
        return Err(Failure {
            code: 130,
            error: anyhow!(
                "interrupted after {} of {} tokens, which are kept in {}; the same command goes on there",
                trained.place.tokens,
                course.tokens(),
                keep.folder.display()
            ),
        });
    }
    Ok(trained)
}

/// Shares of a trial: held to what applies, and free.
struct Trial {
    parents: usize,
    held: Shares,
    free: Shares,
}

/// Has the trained operator write children of parents that it did not learn from. The map that would take them holds these
/// parents alone.
fn try_out(
    args: &TrainOperatorArgs,
    setting: &Setting,
    split: &Split,
    children: usize,
    stop: &AtomicBool,
) -> Result<Trial, Failure> {
    let domain = Walkers::new(&setting.walkers);
    let terrain = walkers::terrain(&setting.walkers.sodarace.terrain)?;
    let parents = split.parents(TRIED);
    let mut court = Court::new(&domain as &dyn Domain, &walkers::condition(&terrain))?;
    court.admit(&parents)?;
    let mut shares = |constrained| {
        let settings = diff::Settings {
            constrained,
            ..setting.diff.clone()
        };
        let mut operator = Diff::open(&args.output, &setting.model, &settings, &setting.brief, 0)?;
        let court = &mut court;
        trial::of(&mut operator, &parents, children, args.rng, court, stop)
    };
    let (held, free) = (shares(true)?, shares(false)?);
    match (held, free) {
        (Some(held), Some(free)) => Ok(Trial {
            parents: parents.len(),
            held,
            free,
        }),
        _ => Err(Failure {
            code: 130,
            error: anyhow!(
                "interrupted in the trial; the model is whole in {}, without a card",
                args.output.display()
            ),
        }),
    }
}
