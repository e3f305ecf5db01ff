//! `samara evolve` and `samara resume`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use evolve::operator::{Active, Weights};
use evolve::search::{self, Progress};
use evolve::store::Store;
use evolve::walkers::{self, Walkers};

use crate::cli::{EvolveArgs, ResumeArgs};
use crate::progress::{Display, tokens_per_second};
use crate::{Done, Failure, interrupts, say, study};

/// Starts a new run.
pub fn evolve(args: &EvolveArgs) -> Done {
    let settings = args.settings().map_err(Failure::usage)?;
    let program = walkers::program(&settings.seed).map_err(Failure::usage)?;
    let terrain = walkers::terrain(&settings.sodarace.terrain).map_err(Failure::usage)?;
    // A model that cannot be loaded or an endpoint that is down leaves no run behind.
    let operators = Weights::build(&settings).map_err(Failure::usage)?;
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => free_folder(&settings.seed),
    };
    let store = Store::create(&folder, &settings, &terrain)?;
    drive(store, operators, &program)
}

/// Goes on with a run.
pub fn resume(args: &ResumeArgs) -> Done {
    let mut store = Store::resume(&args.run)?;
    let mut settings = store.settings().clone();
    settings.evaluations = args.evaluations.unwrap_or(settings.evaluations);
    settings.threads = args.threads.unwrap_or(settings.threads);
    settings.check().map_err(Failure::usage)?;
    if let Some(wanted) = args.evaluations {
        let there = store.len()?.saturating_sub(1);
        if wanted < there {
            return Err(Failure::usage(anyhow!(
                "--evaluations {wanted}: the run has {there} already; give a larger number"
            )));
        }
        store.set_evaluations(wanted)?;
    }
    if let Some(threads) = args.threads {
        store.set_threads(threads);
    }
    // A run that died before its seed was evaluated still needs it.
    let program = match store.child(0)? {
        Some(seed) => seed.program,
        None => walkers::program(&store.settings().seed)?,
    };
    let operators = Weights::build(store.settings())?;
    drive(store, operators, &program)
}

fn drive(mut store: Store, operators: Vec<Active>, program: &str) -> Done {
    let folder = store.folder().to_owned();
    let domain = Walkers::new(store.settings(), store.terrain().clone());
    let niches = store
        .settings()
        .axes()
        .iter()
        .map(|a| u64::from(a.bins))
        .product();
    let mut display = Display::new(store.settings().evaluations, niches);
    let human = std::io::stdout().is_terminal();
    if human {
        let settings = store.settings();
        say!(
            "evolving {} on {} into {}",
            settings.seed,
            settings.sodarace.terrain,
            folder.display()
        )?;
    }
    let stop = interrupts()?;
    let result = search::run_with(operators, &mut store, &domain, program, &stop, &mut |p| {
        display.update(p);
    });
    display.finish();
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
    let files = match store.settings().pictures {
        true => study::pictures(&store)?,
        false => Vec::new(),
    };
    if human {
        summary(&progress, niches, &files)?;
    } else {
        let mut line = display.line("done", &progress);
        line["run"] = folder.display().to_string().into();
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
