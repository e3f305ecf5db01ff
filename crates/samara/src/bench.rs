//! `samara bench`: operators measured against what is published.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use ::bench::bugs::{self, PAPER_GP, PUBLISHED, Plan, Published, TASKS, Tally, Task};
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::{Bench, BugsArgs};
use crate::figures::bugs::{Family, Line, Panel, Point};
use crate::settings::of_walkers;
use crate::{Done, Failure, figures, interrupts, say};

mod commits;
mod probes;

/// Does what was asked for.
pub fn bench(what: &Bench) -> Done {
    match what {
        Bench::Bugs(args) => bugs(args),
        Bench::Commits(args) => commits::commits(args),
        Bench::Probes(args) => probes::probes(args),
    }
}

fn bugs(args: &BugsArgs) -> Done {
    let plan = plan(args)?;
    // Before the measurement, which may take hours.
    std::fs::create_dir_all(&args.output).with_context(|| {
        format!(
            "{}: cannot be made a folder; give another with --output",
            args.output.display()
        )
    })?;
    let stop = interrupts()?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5))
        .with_style(
            ProgressStyle::with_template("{bar:30.green} {percent:>3}%  {elapsed_precise}, {msg}")
                .expect("a valid template"),
        );
    let began = Instant::now();
    let mut tallies = Vec::new();
    let measured = bugs::run(&plan, &stop, &mut tallies, &mut |p| {
        let rate = p.done as f64 / began.elapsed().as_secs_f64().max(1e-3);
        bar.set_length(p.target);
        bar.set_position(p.done);
        bar.set_message(format!(
            "{:.0}/s  {} with {} bug{}, {}",
            rate,
            p.task,
            p.bugs,
            if p.bugs == 1 { "" } else { "s" },
            p.operator
        ));
    });
    bar.finish_and_clear();
    if tallies.is_empty() {
        measured?;
        return Err(interrupted());
    }
    let result = json!({
        "rng": plan.rng,
        "message": bugs::MESSAGE,
        "results": tallies,
        "paper": published(&plan.tasks),
    });
    let files = write(&args.output, &plan.tasks, &tallies, &result)?;
    if args.json {
        say!("{result}")?;
    } else {
        for task in &plan.tasks {
            table(task, &tallies)?;
        }
        for file in files {
            say!("{}", file.display())?;
        }
    }
    measured?; // what was complete before is written and shown
    if stop.load(Ordering::Relaxed) {
        return Err(interrupted());
    }
    Ok(())
}

fn interrupted() -> Failure {
    Failure {
        code: 130,
        error: anyhow!("interrupted; what is complete is shown, the rest is lost"),
    }
}

/// What the command line asks for, as far as it can be checked at once.
fn plan(args: &BugsArgs) -> Result<Plan, Failure> {
    let mut settings = args.common.settings().map_err(Failure::usage)?;
    args.models.apply(&mut settings);
    let run = evolve::settings::Settings::read(settings.clone()).map_err(Failure::usage)?;
    let python = of_walkers(&settings).map_err(Failure::usage)?.python;
    let mut tasks: Vec<&Task> = TASKS.iter().collect();
    if !args.tasks.is_empty() {
        tasks.retain(|task| args.tasks.iter().any(|name| name == task.name));
    }
    Ok(Plan {
        tasks,
        operators: args.operators.clone(),
        trials: args.trials,
        settings,
        python,
        threads: args.threads.unwrap_or(run.threads),
        rng: args.rng.unwrap_or(run.rng),
    })
}

/// The paper's numbers on these tasks.
fn published(tasks: &[&Task]) -> Vec<&'static Published> {
    PUBLISHED
        .iter()
        .filter(|line| tasks.iter().any(|task| task.name == line.task))
        .collect()
}

/// Writes the numbers and the chart.
fn write(
    folder: &Path,
    tasks: &[&Task],
    tallies: &[Tally],
    result: &Value,
) -> anyhow::Result<Vec<PathBuf>> {
    let svg = figures::bugs::bugs(&panels(tasks, tallies));
    let mut files = Vec::new();
    for (name, bytes) in [
        ("bugs.json", format!("{result:#}\n").into_bytes()),
        ("bugs.png", sodarace::render::png(&svg, 2.0)?),
        ("bugs.svg", svg.into_bytes()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| {
            format!(
                "{}: cannot be written; give another folder with --output",
                path.display()
            )
        })?;
        files.push(path);
    }
    Ok(files)
}

/// The chart's parts: the paper's lines below ours.
fn panels(tasks: &[&Task], tallies: &[Tally]) -> Vec<Panel> {
    let panel = |task: &&Task| {
        let mut lines: Vec<Line> = published(&[task]).into_iter().map(quoted).collect();
        lines.extend(rows(task, tallies).into_iter().map(|(operator, row)| Line {
            name: operator.to_owned(),
            family: family(operator),
            quoted: false,
            points: row.iter().map(|tally| point(tally)).collect(),
        }));
        let title = match task.name {
            "parity" => "4-Parity",
            "quadratic" => "Quadratic",
            other => other,
        };
        Panel {
            title: title.to_owned(),
            bugs: task.bugs(),
            lines,
        }
    };
    tasks.iter().map(panel).collect()
}

fn point(tally: &Tally) -> Point {
    Point {
        share: tally.share.success_percent,
        low: tally.share.low_percent,
        high: tally.share.high_percent,
    }
}

fn quoted(line: &Published) -> Line {
    let point = |share: &f64| Point {
        share: *share,
        low: *share,
        high: *share,
    };
    Line {
        name: line.operator.to_owned(),
        family: family(line.operator),
        quoted: true,
        points: line.success_percent.iter().map(point).collect(),
    }
}

/// Which of our operators and the paper's are of a kind.
fn family(operator: &str) -> Family {
    match operator {
        PAPER_GP | "genetic programming" => Family::NodeReplacement,
        "gp" => Family::Gp,
        "diff" | "diff model, 300M" => Family::Diff,
        "prompt" | "Codex, davinci, prompted" => Family::Prompt,
        "Codex, edit mode" => Family::Edit,
        _ => Family::Other,
    }
}

/// The tallies of a task by operator, in the order measured.
fn rows<'a>(task: &Task, tallies: &'a [Tally]) -> Vec<(&'a str, Vec<&'a Tally>)> {
    let mut rows: Vec<(&str, Vec<&Tally>)> = Vec::new();
    for tally in tallies.iter().filter(|tally| tally.task == task.name) {
        match rows.iter_mut().find(|(name, _)| *name == tally.operator) {
            Some((_, row)) => row.push(tally),
            None => rows.push((&tally.operator, vec![tally])),
        }
    }
    rows
}

/// Prints a task's numbers, a line an operator and a column a number of bugs.
fn table(task: &Task, tallies: &[Tally]) -> std::io::Result<()> {
    let rows = rows(task, tallies);
    let heading = |what: &str| {
        let numbers: String = (1..=task.bugs())
            .map(|bugs| match bugs {
                1 => format!("{:>28}", "1 bug"),
                n => format!("{:>28}", format!("{n} bugs")),
            })
            .collect();
        format!(
            "{:<34}{:>9}{numbers}",
            format!("{}: {what}", task.name),
            "trials"
        )
    };
    let line = |name: &str, trials: Option<u64>, cells: Vec<String>| {
        let trials = trials.map_or(String::new(), |n| n.to_string());
        let cells: String = cells.iter().map(|cell| format!("{cell:>28}")).collect();
        format!("{name:<34}{trials:>9}{cells}")
    };
    say!("{}", heading("success, %"))?;
    for (operator, row) in &rows {
        let cells = row.iter().map(|t| {
            format!(
                "{} ({} to {})",
                percent(t.share.success_percent),
                percent(t.share.low_percent),
                percent(t.share.high_percent)
            )
        });
        say!(
            "{}",
            line(operator, row.first().map(|t| t.trials), cells.collect())
        )?;
    }
    for paper in published(&[task]) {
        let about = if paper.approximate { "about " } else { "" };
        let cells = paper.success_percent.iter();
        let cells = cells.map(|share| format!("{about}{}", percent(*share)));
        say!(
            "{}",
            line(
                &format!("  paper: {}", paper.operator),
                None,
                cells.collect()
            )
        )?;
    }
    say!("{}", heading("valid, runnable, %"))?;
    for (operator, row) in &rows {
        let cells = row.iter().map(|t| {
            let share = |n: u64| 100.0 * n as f64 / (t.trials as f64).max(1.0);
            format!("{:.1}, {:.1}", share(t.valid), share(t.runnable))
        });
        say!(
            "{}",
            line(operator, row.first().map(|t| t.trials), cells.collect())
        )?;
        let sum = |part: fn(&Tally) -> f64| row.iter().map(|t| part(t)).sum::<f64>();
        let tokens = sum(|t| t.cost.tokens as f64);
        if tokens > 0.0 {
            say!(
                "  {:.0} tokens read, {tokens:.0} written, {:.1} s, ${:.2}",
                sum(|t| t.cost.prompt_tokens as f64),
                sum(|t| t.cost.seconds),
                sum(|t| t.cost.dollars)
            )?;
        }
    }
    say!("")
}

/// A share with two significant digits: 45, 9, 0.45, 0.065, 0.0041.
fn percent(share: f64) -> String {
    match share {
        s if s <= 0.0 => "0".to_owned(),
        s if s >= 10.0 => format!("{s:.1}"),
        s if s >= 1.0 => format!("{s:.2}"),
        s => {
            let digits = (1.0 - s.log10().floor()).min(8.0) as usize;
            let text = format!("{s:.digits$}");
            text.trim_end_matches('0').to_owned()
        }
    }
}

/// Writes what was measured into a file of its own.
fn keep(path: &Path, result: &Value) -> anyhow::Result<()> {
    std::fs::write(path, format!("{result:#}\n")).with_context(|| {
        format!(
            "{}: cannot be written; give another file with --output",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_well() {
        for (share, text) in [
            (0.0, "0"),
            (45.0, "45.0"),
            (9.0, "9.00"),
            (0.75, "0.75"),
            (0.45, "0.45"),
            (0.065, "0.065"),
            (0.9, "0.9"),
            (0.003_84, "0.0038"),
            (0.000_2, "0.0002"),
            (100.0, "100.0"),
        ] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn the_papers_lines_and_ours_of_a_kind_share_a_hue() {
        assert_eq!(family(PAPER_GP), family("genetic programming"));
        for line in &PUBLISHED {
            assert_ne!(family(line.operator), Family::Other, "{}", line.operator);
        }
    }
}
