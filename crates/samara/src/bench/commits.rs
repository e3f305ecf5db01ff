//! `samara bench commits`: models asked for changes that people made.

use std::sync::atomic::Ordering;

use ::bench::commits::{self, Answers, Exam, Loss, Setting};
use anyhow::anyhow;
use mutate::diff::{self, Frame, Trained};
use mutate::settings::section;
use mutate::{Brief, model};
use serde_json::{Value, json};

use crate::cli::CommitsArgs;
use crate::meter::Meter;
use crate::train::{base, source::Source};
use crate::{Done, Failure, interrupts, say};

/// A model with what it came to.
struct Measured {
    name: String,
    loss: Loss,
    held: Answers,
    free: Answers,
}

pub fn commits(args: &CommitsArgs) -> Done {
    let table = args.measuring.common.settings().map_err(Failure::usage)?;
    let read = |e: mutate::Error| Failure::usage(e);
    let mut model: model::Settings = section(&table, "model").map_err(read)?;
    if let Some(device) = &args.measuring.device {
        model.device.clone_from(device);
    }
    let brief: Brief = section(&table, "brief").map_err(read)?;
    // Asked once, and left to find the place, whether or not the model was trained for it.
    let diff = diff::Settings {
        trained: Trained::Yes,
        crossover: 0.0,
        temperature: args.temperature,
        ..section(&table, "diff").map_err(read)?
    };
    let sources = Source::all(&args.sources).map_err(Failure::usage)?;
    if let Some(output) = &args.measuring.output {
        super::keep(output, &Value::Null)?; // before what may take hours
    }
    let models = args.models.iter().map(|name| base(name));
    let models = models.collect::<Result<Vec<_>, _>>()?;
    let stop = interrupts()?;
    let mut lessons = Vec::new();
    for source in &sources {
        source.each(false, &mut |lesson| lessons.push(lesson))?;
    }
    let frame = Frame::new(&diff, &brief);
    let exam = Exam::draw(lessons, args.count, args.measuring.rng, &frame, &models)?;
    if exam.lessons.is_empty() {
        return Err(Failure::usage(anyhow!(
            "no change of these files can be asked for (left out: {}); give commits as `samara corpus` gathers them",
            exam.left
        )));
    }
    let number = exam.lessons.len();
    let mut meter = Meter::new(
        Some((3 * number * models.len()) as u64),
        "{bar:30.green} {percent:>3}%  {elapsed_precise}, {eta} left, {msg}",
    );
    let mut all = Vec::new();
    for (at, (checkpoint, name)) in models.iter().zip(&args.models).enumerate() {
        let mut show = |part: usize, what: &str, done: usize| {
            let position = ((3 * at + part) * number + done) as u64;
            if let Some(bar) = meter.bar() {
                bar.set_position(position);
                bar.set_message(format!("{name}: {what}"));
            } else if meter.wants_line(false) {
                let _ = say!(
                    "{}",
                    json!({"event": "progress", "model": name, "what": what, "done": position, "of": 3 * number * models.len()})
                );
            }
        };
        let loss = commits::loss(checkpoint, &frame, &exam, args.measuring.rng, &mut |n| {
            show(0, "loss", n)
        })?;
        let mut answers = |part, what, constrained| {
            let diff = diff::Settings {
                constrained,
                ..diff.clone()
            };
            let setting = Setting {
                diff: &diff,
                model: &model,
                brief: &brief,
                seed: args.measuring.rng,
            };
            let observe = &mut |n| show(part, what, n);
            commits::answers(checkpoint, &exam, &setting, &stop, observe)
        };
        let held = answers(1, "held to the guide", true)?;
        let free = answers(2, "free", false)?;
        let (Some(held), Some(free)) = (held, free) else {
            break;
        };
        all.push(Measured {
            name: name.clone(),
            loss,
            held,
            free,
        });
    }
    meter.finish();
    let result = json!({
        "event": "done",
        "changes": number,
        "left_out": exam.left.to_string(),
        "temperature": args.temperature,
        "rng": args.measuring.rng,
        "models": all.iter().zip(&models).map(|(measured, model)| json!({
            "model": measured.name,
            "sha256": model.sha256(),
            "loss": measured.loss,
            "held": measured.held,
            "free": measured.free,
        })).collect::<Vec<_>>(),
    });
    if let Some(output) = &args.measuring.output {
        super::keep(output, &result)?;
    }
    match args.measuring.json {
        true => say!("{result}")?,
        false => table_of(number, &all)?,
    }
    match stop.load(Ordering::Relaxed) {
        true => Err(super::interrupted()),
        false => Ok(()),
    }
}

fn table_of(changes: usize, all: &[Measured]) -> std::io::Result<()> {
    say!("{changes} changes, each of another program")?;
    say!(
        "{:<28}{:>12}{:>14}  {:<18}{:>8}{:>8}{:>12}",
        "model",
        "loss a token",
        "loss a change",
        "",
        "valid",
        "exact",
        "similarity"
    )?;
    for Measured {
        name,
        loss,
        held,
        free,
    } in all
    {
        for (way, answers) in [("held to the guide", held), ("free", free)] {
            let percent = |n: u64| 100.0 * n as f64 / (answers.asked as f64).max(1.0);
            let of_model = match way == "free" {
                true => format!("{:<54}", ""),
                false => format!("{name:<28}{:>12.3}{:>14.2}", loss.token, loss.change),
            };
            say!(
                "{of_model}  {way:<18}{:>6.1} %{:>6.1} %{:>12.3}",
                percent(answers.valid),
                percent(answers.exact),
                answers.similarity
            )?;
        }
    }
    Ok(())
}
