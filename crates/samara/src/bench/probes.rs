//! `samara bench probes`: what a model of the domain knows of its programs.

use std::sync::atomic::Ordering;

use ::invent::probe::{self, Row, Settings};
use ::invent::{author, dataset};
use anyhow::anyhow;
use domains::walkers::{self, Walkers};
use evolve::domain::Domain;
use mutate::model;
use mutate::settings::section;
use serde_json::{Value, json};

use crate::cli::ProbesArgs;
use crate::meter::Meter;
use crate::settings::of_walkers;
use crate::train::base;
use crate::{Done, Failure, interrupts, say};

pub fn probes(args: &ProbesArgs) -> Done {
    let table = args.measuring.common.settings().map_err(Failure::usage)?;
    let walkers = of_walkers(&table).map_err(Failure::usage)?;
    pyrun::caged(walkers.python.cage).map_err(Failure::usage)?;
    let mut model: model::Settings = section(&table, "model").map_err(Failure::usage)?;
    if let Some(device) = &args.measuring.device {
        model.device.clone_from(device);
    }
    let checkpoint = base(&args.model)?;
    let Some(own) = probe::about(&checkpoint) else {
        return Err(Failure::usage(anyhow!(
            "{}: it has read no comments on its programs; train one with `samara train domain --probes`",
            args.model
        )));
    };
    let domain = Walkers::new(&walkers);
    let terrain = walkers::terrain(&walkers.sodarace.terrain).map_err(Failure::usage)?;
    let condition = walkers::condition(&terrain);
    let axes: Vec<String> = domain.axes().into_iter().map(|axis| axis.name).collect();
    let mut entries = Vec::new();
    dataset::each(&args.dataset, &axes, &mut |entry| {
        entries.push(entry);
        Ok(())
    })?;
    if let Some(output) = &args.measuring.output {
        super::keep(output, &Value::Null)?; // before what may take minutes
    }
    let settings = Settings {
        count: args.count,
        writing: author::Settings {
            temperature: args.temperature,
            min_p: 0.0,
            max_tokens: 0,
            constrained: !args.free,
            seed: args.measuring.rng,
        },
        model,
        threads: 0,
    };
    let stop = interrupts()?;
    let mut meter = Meter::new(
        None,
        "{bar:30.green} {percent:>3}%  {elapsed_precise}, {eta} left",
    );
    let rows = probe::examine(
        checkpoint.path(),
        &own,
        &entries,
        (&domain, &condition),
        &settings,
        &stop,
        &mut |done, of| {
            if let Some(bar) = meter.bar() {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            } else if meter.wants_line(false) {
                let _ = say!("{}", json!({"event": "progress", "done": done, "of": of}));
            }
        },
    )?;
    meter.finish();
    if stop.load(Ordering::Relaxed) {
        return Err(super::interrupted());
    }
    let result = json!({
        "event": "done",
        "model": args.model,
        "probe": own,
        "temperature": args.temperature,
        "constrained": !args.free,
        "rng": args.measuring.rng,
        "rows": rows,
    });
    if let Some(output) = &args.measuring.output {
        super::keep(output, &result)?;
    }
    match args.measuring.json {
        true => say!("{result}")?,
        false => show(&rows)?,
    }
    Ok(())
}

fn show(rows: &[Row]) -> std::io::Result<()> {
    say!(
        "{:<10}{:<10}{:>9}{:>8}{:>10}{:>10}{:>10}",
        "property",
        "values",
        "programs",
        "walk",
        "wished",
        "told",
        "known"
    )?;
    let rho = |rho: Option<f64>| rho.map_or_else(|| "-".to_owned(), |rho| format!("{rho:.2}"));
    for row in rows {
        say!(
            "{:<10}{:<10}{:>9}{:>8}{:>10}{:>10}{:>10}",
            row.property,
            if row.within { "read" } else { "beyond" },
            row.asked,
            row.scored,
            rho(row.wished),
            row.foretold,
            rho(row.known)
        )?;
    }
    say!(
        "wished: Spearman's correlation of what was wished in front and what came; known: of what was told behind and what is"
    )
}
