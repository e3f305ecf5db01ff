//! `samara invent`: a walker for a terrain.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;

use ::invent::author;
use ::invent::inventor::Inventor;
use ::invent::judge::{Judge, fitness};
use anyhow::{Context, anyhow};
use domains::walkers::{self, Walkers};
use evolve::domain::{Case, Evaluation, Outcome};
use lm::pull::find;
use mutate::settings::section;
use serde_json::json;
use sodarace::Walker;

use crate::cli::InventArgs;
use crate::settings::{of_walkers, set};
use crate::show::Walk;
use crate::terminal::shown;
use crate::train::inventor::context;
use crate::{Done, Failure, interrupts, say};

/// Writes programs, lets them walk, and prints the best.
pub fn invent(args: &InventArgs) -> Done {
    let kind = match &args.output {
        None => None,
        Some(path) => match path.extension().and_then(|e| e.to_str()) {
            Some(kind @ ("gif" | "svg" | "png")) => Some((path, kind.to_owned())),
            _ => {
                return Err(Failure::usage(anyhow!(
                    "{}: end the name in .gif, .svg or .png",
                    path.display()
                )));
            }
        },
    };
    let mut table = args.common.settings().map_err(Failure::usage)?;
    if let Some(seconds) = args.seconds {
        set(&mut table, "sodarace.seconds", seconds);
    }
    let walkers = of_walkers(&table).map_err(Failure::usage)?;
    pyrun::caged(walkers.python.cage).map_err(Failure::usage)?;
    let terrain = walkers::terrain(&args.terrain).map_err(Failure::usage)?;
    let shown_terrain = context(&terrain)?;
    let settings = author::Settings {
        temperature: args.temperature,
        min_p: 0.0,
        max_tokens: args.max_tokens,
        constrained: !args.free,
        seed: args.rng,
    };
    let model = section(&table, "model")?;
    let path = find(&args.model.display().to_string())?;
    let mut inventor = Inventor::open(&path, &model, settings, "")?;
    let stop = interrupts()?;
    let written = inventor.write(&shown_terrain, args.rng, 0, args.count, &stop)?;
    let programs: Vec<&str> = written
        .iter()
        .flatten()
        .filter_map(|piece| piece.program.as_deref().ok())
        .collect();
    let cases: Vec<Case<'_>> = programs
        .iter()
        .map(|program| Case {
            program,
            condition: &shown_terrain.condition,
        })
        .collect();
    let domain = Walkers::new(&walkers);
    let tried = Judge::new(&domain, 0)?.judge(&cases, &stop)?;
    if stop.load(Ordering::Relaxed) {
        return Err(Failure {
            code: 130,
            error: anyhow!("interrupted"),
        });
    }
    let scored: Vec<(f64, &str, &Evaluation)> = programs
        .iter()
        .zip(tried.iter().flatten())
        .filter_map(|(program, evaluation)| Some((fitness(evaluation)?, *program, evaluation)))
        .collect();
    // Of equals the shorter, and then the first.
    let best = scored.iter().min_by(|a, b| {
        let shorter = a.1.len().cmp(&b.1.len());
        b.0.total_cmp(&a.0).then(shorter)
    });
    let Some((distance, program, evaluation)) = best else {
        return Err(anyhow!(
            "none of {} programs made a walker; ask for more with -n, or train the inventor longer",
            args.count
        )
        .into());
    };
    let mean = scored.iter().map(|(distance, ..)| distance).sum::<f64>() / args.count as f64;
    let artifact = evaluation.artifact.as_deref().context("a walker")?;
    let walker: Walker = serde_json::from_str(artifact).context("a walker of our own")?;
    let picture = kind.map(|(path, kind)| {
        let walk = Walk {
            walker: walker.clone(),
            terrain: terrain.clone(),
            steps: walkers.steps(),
        };
        std::fs::write(path, walk.picture(&kind, 6)?)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok::<_, anyhow::Error>(path)
    });
    let picture = picture.transpose()?;
    let measures = match &evaluation.outcome {
        Outcome::Scored { measures, .. } => measures.clone(),
        _ => Vec::new(),
    };
    if args.json {
        let names = walkers.axes().map(|axis| axis.name);
        let line = json!({
            "terrain": terrain.name, "distance": distance, "program": program, "walker": walker,
            "measures": names.into_iter().zip(measures).collect::<std::collections::BTreeMap<_, _>>(),
            "programs": args.count, "valid": programs.len(), "scored": scored.len(), "mean": mean,
            "picture": picture.map(|path| path.display().to_string()),
        });
        return Ok(say!("{line}")?);
    }
    if std::io::stdout().is_terminal() {
        say!(
            "{distance:.1} world units in {} s on {}: the best of {} programs, of which {} make walkers, {mean:.1} in the mean",
            walkers.sodarace.seconds,
            terrain.name,
            args.count,
            scored.len()
        )?;
        if let Some(path) = picture {
            say!("drawn in {}", path.display())?;
        }
        say!("")?;
    }
    Ok(say!("{}", shown(program).trim_end())?)
}
