//! `samara plot`, `report` and `export`: whole runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use domains::walkers;
use evolve::export::unwritable;
use evolve::store::{Generation, IterationMetrics, Noted, SETTINGS, Store};
use learn::record::Writer;
use mutate::Shares;
use mutate::diff::Frame;
use mutate::settings::section;

use crate::cli::{ExportArgs, PlotArgs, ReportArgs};
use crate::figures::report::{
    Ancestor, Card, FailureRow, GenerationRow, Individual, OperatorRow, RoundRow,
};
use crate::figures::{self, Axis, Cell, Labels, Report, Series, curves, map_slices};
use crate::settings::of_stored;
use crate::show::{Walk, of_run};
use crate::stats::{Stats, duration, ratio};
use crate::terminal::shown;
use crate::{Done, Failure, sample, say};

/// Writes all children of a run as Parquet and JSON lines.
pub fn export(args: &ExportArgs) -> Done {
    let store = Store::open(&args.run)?;
    let folder = args
        .output
        .clone()
        .unwrap_or_else(|| args.run.join("export"));
    if args.lessons {
        return lessons(&store, &folder, args.rejected);
    }
    let bar = indicatif::ProgressBar::new(store.len()?);
    let files = evolve::export::export(&store, &folder, &mut |n| bar.set_position(n));
    bar.finish_and_clear();
    for file in files? {
        say!("{}", file.display())?;
    }
    Ok(())
}

/// Writes a run's changes as Parquet and JSON lines, in the words of the diff operator.
fn lessons(store: &Store, folder: &Path, rejected: bool) -> Done {
    let (table, _) = of_stored(store.settings());
    let frame = Frame::new(&section(&table, "diff")?, &section(&table, "brief")?);
    let mut writer = Writer::create(folder, "lessons", frame, store.settings().rng, Vec::new())
        .map_err(unwritable)?;
    let bar = indicatif::ProgressBar::new(store.len()?);
    let read = store.each_lesson(u64::MAX, !rejected, |lesson| {
        bar.set_position(lesson.id);
        writer.push(lesson).map(drop).map_err(unwritable)
    });
    bar.finish_and_clear();
    read?;
    let written = writer.close().map_err(unwritable)?;
    for file in &written.files {
        say!("{}", file.display())?;
    }
    say!("{} lessons; left out: {}", written.lessons, written.left)?;
    Ok(())
}

/// Draws runs' curves over each other, and the first one's map.
pub fn plot(args: &PlotArgs) -> Done {
    let stores = args
        .runs
        .iter()
        .map(|run| Store::open(run))
        .collect::<Result<Vec<_>, _>>()?;
    let folder = args
        .output
        .clone()
        .unwrap_or_else(|| args.runs[0].join(FIGURES));
    for file in draw(&stores, &folder).context(ELSEWHERE)? {
        say!("{}", file.display())?;
    }
    Ok(())
}

/// Writes a run's report.
pub fn report(args: &ReportArgs) -> Done {
    let store = Store::open(&args.run)?;
    let path = args.output.clone().unwrap_or_else(|| args.run.join(REPORT));
    write(&path, page(&store)?.as_bytes()).context(ELSEWHERE)?;
    say!("{}", path.display())?;
    Ok(())
}

/// Draws everything about a run into its folder; returns the paths.
///
/// # Errors
/// The run cannot be read or the folder cannot be written.
pub fn pictures(store: &Store) -> anyhow::Result<Vec<PathBuf>> {
    let folder = store.folder().join(FIGURES);
    let mut files = draw(std::slice::from_ref(store), &folder)?;
    if let Some(best) = store.best()? {
        let path = folder.join("best.gif");
        let walk = Walk::of(store, &best)?;
        write(&path, &walk.picture("gif", 1)?)?;
        files.push(path);
    }
    let path = store.folder().join(REPORT);
    write(&path, page(store)?.as_bytes())?;
    files.push(path);
    Ok(files)
}

/// Refuses a folder that holds something, or is a file.
///
/// # Errors
/// It does.
pub fn check_new(folder: &Path) -> Result<(), Failure> {
    let taken = std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    match taken || folder.is_file() {
        true => Err(Failure::usage(anyhow!(
            "{}: is there already; choose a new folder with -o, or remove it",
            folder.display()
        ))),
        false => Ok(()),
    }
}

/// Gives what is whole its place, and says its files.
///
/// # Errors
/// The place cannot be written.
pub fn put(part: &Path, folder: &Path, files: &[&str]) -> Done {
    let moved = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::remove_dir(folder))
        .and_then(|()| std::fs::rename(part, folder));
    moved.with_context(|| {
        format!(
            "{}: cannot be written; all of it lies in {}",
            folder.display(),
            part.display()
        )
    })?;
    for name in files {
        say!("{}", folder.join(name).display())?;
    }
    Ok(())
}

/// What to do about a run's folder that may not be written.
const ELSEWHERE: &str =
    "no figures; where the folder may not be written, name another place with -o";
const FIGURES: &str = "figures";
const REPORT: &str = "report.html";
/// Walkers shown in a report, and generations of each.
const GALLERY: usize = 6;
const GENERATIONS: usize = 400;
/// Points drawn of a curve.
const POINTS: usize = 600;

/// What a curve shows of an iteration, given how many niches there are.
type Value<'a> = &'a dyn Fn(&IterationMetrics, u64) -> f64;

/// Curves and map as SVG and PNG.
fn draw(stores: &[Store], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut figures = charts(stores)?;
    figures.push(("map", map(&stores[0])?));
    for (name, svg) in figures {
        for (ending, bytes) in [
            ("svg", svg.as_bytes()),
            ("png", &sodarace::render::png(&svg, 2.0)?),
        ] {
            let path = folder.join(format!("{name}.{ending}"));
            write(&path, bytes)?;
            files.push(path);
        }
    }
    Ok(files)
}

fn charts(stores: &[Store]) -> anyhow::Result<Vec<(&'static str, String)>> {
    let runs = stores
        .iter()
        .map(|store| Ok((name(store), store.iterations()?, store.niches())))
        .collect::<Result<Vec<_>, evolve::Error>>()?;
    let chart = |title: &str, y: &str, values: &[(&str, Value<'_>)]| {
        let mut series = Vec::new();
        for (run, iterations, niches) in &runs {
            for (what, value) in values {
                let name = match (runs.len(), values.len()) {
                    (1, 1) => String::new(),
                    (1, _) => (*what).to_owned(),
                    (_, 1) => run.clone(),
                    _ => format!("{run} {what}"),
                };
                let step = iterations.len().div_ceil(POINTS).max(1);
                let last = iterations.len().saturating_sub(1);
                let points = iterations
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| i % step == 0 || *i == last)
                    .map(|(_, m)| (m.iteration as f64, value(m, *niches)))
                    .collect();
                series.push(Series { name, points });
            }
        }
        let labels = Labels {
            title: title.to_owned(),
            x: "iteration".to_owned(),
            y: y.to_owned(),
            log_y: false,
        };
        curves(&series, &labels)
    };
    let share = |n: u64, m: &IterationMetrics| 100.0 * ratio(n as f64, m.proposed as f64);
    Ok(vec![
        (
            "niches",
            chart(
                "Niches filled",
                "%",
                &[("niches", &|m, niches| {
                    100.0 * m.niches as f64 / niches as f64
                })],
            ),
        ),
        (
            "qd-score",
            chart(
                "QD score",
                "world units",
                &[("QD score", &|m, _| m.qd_score)],
            ),
        ),
        (
            "best",
            chart(
                "Maximum fitness",
                "world units",
                &[("best", &|m, _| m.max_fitness)],
            ),
        ),
        (
            "shares",
            chart(
                "What became of the children",
                "% of an iteration's",
                &[
                    ("valid", &|m, _| share(m.valid, m)),
                    ("runnable", &|m, _| share(m.runnable, m)),
                    ("accepted", &|m, _| share(m.accepted, m)),
                ],
            ),
        ),
    ])
}

fn map(store: &Store) -> anyhow::Result<String> {
    let axes = store.axes();
    let grid = qd::GridArchive::<()>::new(axes.to_vec())?;
    let cells: Vec<Cell> = store
        .map()?
        .into_iter()
        .filter_map(|(niche, fitness)| {
            let niche = grid.bins_of(niche as usize)?.try_into().ok()?;
            Some(Cell { niche, fitness })
        })
        .collect();
    let axes: Vec<Axis> = axes
        .iter()
        .map(|axis| Axis {
            name: axis.name.clone(),
            range: (axis.low, axis.high),
            bins: axis.bins,
        })
        .collect();
    let Ok(axes) = axes.try_into() else {
        anyhow::bail!("only a map of three axes can be drawn");
    };
    Ok(map_slices(
        &axes,
        &cells,
        "Champions of the map: distance walked, world units",
    ))
}

fn page(store: &Store) -> anyhow::Result<String> {
    let stats = Stats::of(store)?;
    let settings = store.settings();
    let card = |label: &str, value: String, note: String| Card {
        label: label.to_owned(),
        value,
        note,
    };
    let operators = stats.operators.iter().map(|(name, counts)| OperatorRow {
        name: name.clone(),
        proposed: counts.proposed,
        valid: counts.valid,
        runnable: counts.runnable,
        accepted: counts.accepted,
        seconds_per_child: duration(counts.seconds_per_child),
        seconds_per_accepted: counts
            .seconds_per_accepted
            .map(duration)
            .unwrap_or_default(),
        prompt_tokens: counts.spent.prompt_tokens,
        tokens: counts.spent.tokens,
        tokens_per_second: counts.tokens_per_second,
        dollars: counts.spent.dollars,
    });
    let failures = stats.operators.iter().flat_map(|(name, counts)| {
        counts
            .failures()
            .into_iter()
            .map(|(reason, count)| FailureRow {
                operator: name.clone(),
                reason: reason.to_owned(),
                count,
                proposed: counts.proposed,
            })
    });
    let names: Vec<String> = store.axes().iter().map(|axis| axis.name.clone()).collect();
    let seconds = of_run(store)?.sodarace.seconds;
    let mut best = Vec::new();
    for child in store.fittest(GALLERY)? {
        let walk = Walk::of(store, &child)?;
        let mut lineage = store.lineage(child.id, GENERATIONS)?;
        lineage.reverse();
        best.push(Individual {
            id: child.id,
            fitness: child.fitness.unwrap_or_default(),
            measures: names.iter().cloned().zip(child.measures.clone()).collect(),
            picture: String::from_utf8(walk.picture("svg", 1)?)?,
            source: child.program,
            lineage: lineage
                .into_iter()
                .map(|ancestor| Ancestor {
                    id: ancestor.id,
                    operator: ancestor.operator,
                    partner: ancestor.partner,
                    message: ancestor.told.unwrap_or_default(),
                    fitness: ancestor.fitness,
                    source: ancestor.program,
                })
                .collect(),
        });
    }
    let own = std::slice::from_ref(store);
    let sampled = sample::is_one(store);
    // Programs may hold what a page would obey or not take.
    Ok(shown(&figures::report(&Report {
        title: format!(
            "{} on {}",
            name(store),
            walkers::terrain_of(store.condition())?.name
        ),
        subtitle: match sampled {
            true => format!(
                "Programs of {}, samara {}",
                settings.seed,
                env!("CARGO_PKG_VERSION")
            ),
            false => format!(
                "MAP-Elites from the seed program {}, samara {}",
                settings.seed,
                env!("CARGO_PKG_VERSION")
            ),
        },
        command: match sampled {
            true => sample::command(store),
            false => format!(
                "samara evolve --config {}",
                store.folder().join(SETTINGS).display()
            ),
        },
        cards: vec![
            card(
                "evaluations",
                stats.evaluations.to_string(),
                format!("{:.0} a second", stats.evaluations_per_second),
            ),
            card(
                "niches filled",
                format!("{:.1}%", stats.niches_percent),
                format!("{} niches", stats.niches),
            ),
            card(
                "QD score",
                format!("{:.0}", stats.qd_score),
                "sum of the champions' distances".to_owned(),
            ),
            card(
                "best",
                format!("{:.1}", stats.max_fitness),
                format!("world units in {seconds} s"),
            ),
        ],
        settings: flat(&settings.to_toml()),
        operators: operators.collect(),
        failures: failures.collect(),
        rounds: stats.rounds.iter().map(round).collect(),
        generations: stats.generations.iter().map(generation).collect(),
        charts: charts(own)?.into_iter().map(|(_, svg)| svg).collect(),
        map: Some(map(store)?),
        best,
    })))
}

fn round(noted: &Noted) -> RoundRow {
    let learned = &noted.learned;
    let counts = |shares: Shares| {
        let [valid, runnable, accepted, unique] = shares.counts();
        [shares.children, valid, runnable, accepted, unique]
    };
    RoundRow {
        round: noted.round,
        evaluations: noted.bound.saturating_sub(1),
        lessons: learned.lessons,
        tokens: learned.tokens,
        seconds: duration(noted.seconds),
        loss: learned.loss,
        before: learned.before.map(counts),
        after: learned.after.map(counts),
        kept: learned.kept,
        why: learned.why.clone(),
    }
}

fn generation(generation: &Generation) -> GenerationRow {
    GenerationRow {
        operator: generation.operator.clone(),
        weights: generation.weights,
        proposed: generation.proposed,
        valid: generation.valid,
        runnable: generation.runnable,
        accepted: generation.accepted,
    }
}

/// The settings as lines of name and value.
fn flat(toml: &str) -> Vec<(String, String)> {
    fn add(name: &str, value: &toml::Value, lines: &mut Vec<(String, String)>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let dot = if name.is_empty() { "" } else { "." };
                    add(&format!("{name}{dot}{key}"), value, lines);
                }
            }
            value => lines.push((name.to_owned(), value.to_string())),
        }
    }
    let mut lines = Vec::new();
    if let Ok(table) = toml.parse::<toml::Table>() {
        add("", &toml::Value::Table(table), &mut lines);
    }
    lines
}

/// The run's folder, without the way to it.
fn name(store: &Store) -> String {
    let name = store
        .folder()
        .canonicalize()
        .unwrap_or_else(|_| store.folder().to_owned());
    name.file_name()
        .map_or_else(|| "run".to_owned(), |n| shown(&n.to_string_lossy()))
}

/// Writes a file, and the folders that it lies in.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("{}: cannot be written", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    std::fs::write(path, bytes).with_context(cannot)
}
