//! `samara evolve` and `samara resume`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use domains::walkers::{self, Walkers};
use evolve::domain::Domain;
use evolve::search::{self, Progress};
use evolve::settings::Settings;
use evolve::store::{Provenance, Store};
use mutate::{Active, MadeWith};

use crate::cli::{EvolveArgs, ResumeArgs};
use crate::progress::{Display, tokens_per_second};
use crate::settings::{self, Checked};
use crate::{Done, Failure, interrupts, log, sample, say, study};

/// Starts a new run.
pub fn evolve(args: &EvolveArgs) -> Done {
    let table = args.settings().map_err(Failure::usage)?;
    let checked = Checked::new(&table).map_err(Failure::usage)?;
    let settings = &checked.run;
    pyrun::caged(checked.walkers.python.cage).map_err(Failure::usage)?;
    let program = walkers::program(&settings.seed).map_err(Failure::usage)?;
    let terrain = walkers::terrain(&checked.walkers.sodarace.terrain).map_err(Failure::usage)?;
    // A model that cannot be loaded or an endpoint that is down leaves no run behind.
    let (operators, made_with) = checked.make().map_err(Failure::usage)?;
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => free_folder(&settings.seed),
    };
    let domain = Walkers::new(&checked.walkers);
    let condition = walkers::condition(&terrain);
    let mut store = Store::create(&folder, settings, &domain.axes(), &condition)?;
    store.note_provenance(&provenance(made_with, &domain))?;
    drive(store, operators, &domain, &program)
}

/// Goes on with a run.
pub fn resume(args: &ResumeArgs) -> Done {
    let mut store = Store::resume(&args.run)?;
    sample::refuse_to_breed(&store)?;
    let there = store.len()?.saturating_sub(1);
    let mut own = store.settings().clone();
    if let Some(wanted) = args.evaluations {
        if wanted < there {
            return Err(Failure::usage(anyhow!(
                "--evaluations {wanted}: the run has {there} already; give a larger number"
            )));
        }
        own.evaluations = wanted;
    }
    let typed = Settings {
        threads: args.threads.unwrap_or(own.threads),
        ..own.clone()
    };
    typed.check().map_err(Failure::usage)?;
    // Nothing is left to do: neither its model nor its endpoint needs to be there.
    if store.len()? > own.evaluations {
        return finish(&store, &search::finished(&store)?);
    }
    args.models.apply(&mut own.sections);
    let (mut table, unknown) = settings::of_stored(&own);
    if let Some(threads) = args.threads {
        settings::set(&mut table, "threads", threads as i64);
    }
    args.cage.apply(&mut table);
    let checked = Checked::new(&table).map_err(Failure::usage)?;
    pyrun::caged(checked.walkers.python.cage).map_err(Failure::usage)?;
    let domain = Walkers::new(&checked.walkers);
    let (operators, made_with) = checked.make().map_err(Failure::usage)?;
    let provenance = provenance(made_with, &domain);
    let mut differences = differences(&store, &provenance)?;
    differences.extend(unknown.iter().map(|name| {
        format!("the setting {name}, which this samara does not know as it stands there")
    }));
    if !differences.is_empty() && !args.force {
        return Err(Failure::usage(anyhow!(
            "{}: the rest of the run would be made otherwise than its beginning ({}); \
             make it the same again, or go on all the same with --force",
            args.run.display(),
            differences.join("; ")
        )));
    }
    for difference in differences {
        ::log::warn!("the run goes on with a difference: {difference}");
    }
    store.set_settings(own)?;
    store.set_threads(checked.run.threads);
    store.note_provenance(&provenance)?;
    // A run that died before its seed was evaluated still needs it.
    let program = match store.child(0)? {
        Some(seed) => seed.program,
        None => walkers::program(&store.settings().seed)?,
    };
    drive(store, operators, &domain, &program)
}

/// What children are made with from now on.
fn provenance(operators: MadeWith, domain: &dyn Domain) -> Provenance {
    let mut all = operators;
    all.extend(domain.made_with());
    all.insert("samara".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Provenance(all)
}

/// What of this differs from what the run was made with last, in words. What a run did not note is not compared.
fn differences(store: &Store, now: &Provenance) -> Result<Vec<String>, Failure> {
    let last = store.provenances()?.pop();
    let last = last.map(|(_, last)| last.0).unwrap_or_default();
    let differs = |(name, old): (&String, &String)| {
        let new = now.0.get(name).map_or("none", String::as_str);
        (new != old).then(|| format!("{name} was {old}, is {new}"))
    };
    Ok(last.iter().filter_map(differs).collect())
}

fn drive(mut store: Store, operators: Vec<Active>, domain: &Walkers, program: &str) -> Done {
    let folder = store.folder().to_owned();
    log::write_to(&folder);
    let made_with = store.provenances()?.pop().unwrap_or_default().1;
    ::log::info!(
        "{} from {}: {} of {} evaluations are there; operators: {}; made with {:?}",
        folder.display(),
        store.settings().seed,
        store.len()?.saturating_sub(1),
        store.settings().evaluations,
        operators
            .iter()
            .map(|active| format!("{} {}", active.name, active.weight))
            .collect::<Vec<_>>()
            .join(", "),
        made_with.0
    );
    let mut display = Display::new(store.settings().evaluations, store.niches());
    if std::io::stdout().is_terminal() {
        let terrain = walkers::terrain_of(store.condition())?;
        say!(
            "evolving {} on {} into {}",
            store.settings().seed,
            terrain.name,
            folder.display()
        )?;
    }
    let stop = interrupts()?;
    let result = search::run(operators, &mut store, domain, program, &stop, &mut |p| {
        display.update(p);
    });
    display.finish();
    if let Err(error) = &result {
        // For the file; standard error is told by the command's end.
        ::log::info!("the run ended: {error}");
    }
    let progress = result?;
    if progress.evaluations < progress.target {
        return Err(Failure {
            code: 130,
            error: anyhow!(
                "interrupted after {} of {} evaluations, which are kept; go on with `samara resume {}`",
                progress.evaluations,
                progress.target,
                folder.display()
            ),
        });
    }
    finish(&store, &progress)
}

/// Draws the pictures of a run that is complete, and tells what came of it.
pub fn finish(store: &Store, progress: &Progress) -> Done {
    let files = match store.settings().pictures {
        true => study::pictures(store)?,
        false => Vec::new(),
    };
    let niches = store.niches();
    if std::io::stdout().is_terminal() {
        summary(progress, niches, &files)?;
    } else {
        let mut line = Display::new(progress.target, niches).line("done", progress);
        line["run"] = store.folder().display().to_string().into();
        line["files"] = files.iter().map(|f| f.display().to_string()).collect();
        say!("{line}")?;
    }
    Ok(())
}

fn summary(progress: &Progress, niches: u64, files: &[PathBuf]) -> std::io::Result<()> {
    let m = &progress.metrics;
    let seconds = progress.elapsed.as_secs_f64();
    say!(
        "{} evaluations in {seconds:.1} s ({:.0}/s, evaluation threads {:.0}% busy, operators {:.0}%)",
        progress.fresh,
        progress.fresh as f64 / seconds,
        100.0 * progress.busy,
        100.0 * progress.proposing,
    )?;
    if progress.tokens > 0 {
        say!(
            "tokens    {} ({:.0}/s)",
            progress.tokens,
            tokens_per_second(progress)
        )?;
    }
    say!(
        "niches    {} of {niches} ({:.1}%)",
        m.niches,
        100.0 * m.niches as f64 / niches as f64
    )?;
    say!("QD score  {:.0}", m.qd_score)?;
    say!("best      {:.1} world units", m.max_fitness)?;
    for file in files {
        say!("          {}", file.display())?;
    }
    Ok(())
}

/// runs/SEED-N for the first N that is free.
fn free_folder(seed: &str) -> PathBuf {
    let stem = Path::new(seed).file_stem().unwrap_or("run".as_ref());
    let stem = stem.to_string_lossy();
    (1..)
        .map(|n| Path::new("runs").join(format!("{stem}-{n}")))
        .find(|folder| !folder.exists())
        .expect("numbers do not end")
}
