//! `samara reproduce`: the paper's results, made again by one command each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};
use domains::walkers::SEEDS;
use evolve::store::{DATABASE, Store};
use serde_json::{Value, json};

use crate::cli::Reproduce;
use crate::meter::Meter;
use crate::study::write;
use crate::terminal::shown;
use crate::{Done, Failure, say};

mod stage1;
mod stage2;
mod stage3;

/// Does what a `samara reproduce` command says.
pub fn reproduce(what: &Reproduce) -> Done {
    match what {
        Reproduce::Stage1(args) => stage1::stage1(args),
        Reproduce::Stage2(args) => stage2::stage2(args),
        Reproduce::Stage3(args) => stage3::stage3(args),
    }
}

/// The folder that a result is made in, and how far it is.
struct Work {
    folder: PathBuf,
    log: PathBuf,
    steps: u64,
    done: u64,
    meter: Meter,
}

impl Work {
    /// Begins in a folder, or goes on there: it notes what it is made with, or sees that it was begun with the same.
    fn begin(
        folder: &Path,
        name: &str,
        parts: &[&str],
        own: &Value,
        steps: u64,
    ) -> Result<Self, Failure> {
        for part in parts {
            let path = folder.join(part);
            std::fs::create_dir_all(&path).with_context(|| {
                format!(
                    "{}: cannot be made; choose a writable folder with -o",
                    path.display()
                )
            })?;
        }
        let path = folder.join("settings.json");
        match std::fs::read_to_string(&path) {
            Ok(text) if serde_json::from_str::<Value>(&text).ok().as_ref() == Some(own) => {}
            Ok(text) => {
                return Err(Failure::usage(anyhow!(
                    "{}: this was begun with {}; give the same, or another folder with -o",
                    path.display(),
                    text.trim()
                )));
            }
            Err(_) => write(&path, own.to_string().as_bytes())?,
        }
        // Pictures of every run would take longer than some runs.
        write(&folder.join(CONFIG), b"pictures = false\n")?;
        Ok(Self {
            folder: folder.to_owned(),
            log: folder.join(format!("{name}.log")),
            steps,
            done: 0,
            meter: Meter::new(
                Some(steps),
                "{bar:30.green} {pos}/{len}  {elapsed_precise}, {msg}",
            ),
        })
    }

    /// A path in the folder, in words.
    fn path(&self, parts: &[&str]) -> String {
        let path = parts
            .iter()
            .fold(self.folder.clone(), |path, part| path.join(part));
        path.display().to_string()
    }

    /// Says what comes next.
    fn step(&mut self, what: &str) -> Done {
        self.done += 1;
        if let Some(bar) = self.meter.bar() {
            bar.set_position(self.done - 1);
            bar.set_message(what.to_owned());
        } else if self.meter.wants_line(true) {
            let line =
                json!({ "event": "step", "step": self.done, "of": self.steps, "what": what });
            say!("{line}")?;
        }
        Ok(())
    }

    /// Makes a run of so many evaluations by a command of `samara evolve`, or goes on with it.
    fn evolve(&self, run: &str, command: &[&str], evaluations: u64) -> Done {
        let (path, target) = (Path::new(run), evaluations.to_string());
        if path.join(DATABASE).exists() {
            if Store::open(path)?.len()? > evaluations {
                return Ok(());
            }
            return samara(&["resume", run, "--evaluations", &target], &self.log);
        }
        // A folder without a run is what a kill at the very beginning leaves.
        let _ = std::fs::remove_dir_all(path);
        let config = self.path(&[CONFIG]);
        let own = [
            "evolve",
            "--config",
            &config,
            "--out",
            run,
            "--evaluations",
            &target,
        ];
        samara(&[&own[..], command].concat(), &self.log)
    }
}

impl Work {
    /// Writes the page and its numbers, and says the rows of its table.
    fn tell(
        &self,
        name: &str,
        numbers: &Value,
        html: &str,
        rows: impl Iterator<Item = String>,
    ) -> Done {
        let numbers = serde_json::to_string_pretty(numbers).expect("plain data") + "\n";
        for (ending, text) in [("json", numbers), ("html", shown(html))] {
            let path = self.folder.join(format!("{name}.{ending}"));
            write(&path, text.as_bytes())?;
            say!("{}", path.display())?;
        }
        for row in rows {
            say!("{row}")?;
        }
        Ok(())
    }

    /// Runs of gp from each seed on flat ground, or those that are given in their place.
    fn runs(
        &mut self,
        from: &[PathBuf],
        runs: u64,
        evaluations: u64,
    ) -> Result<Vec<String>, Failure> {
        if !from.is_empty() {
            return Ok(from.iter().map(|run| run.display().to_string()).collect());
        }
        let mut all = Vec::new();
        for (seed, _) in SEEDS {
            for run in 0..runs {
                let rng = run.to_string();
                let path = self.path(&["runs", &format!("{seed}-{run}")]);
                self.step(&format!("gp from {seed}, run {}", run + 1))?;
                let command = ["--seed", seed, "--rng", &rng, "--operator", "gp"];
                self.evolve(&path, &command, evaluations)?;
                all.push(path);
            }
        }
        Ok(all)
    }

    /// Gathers the programs of runs, unless they are there.
    fn dataset(&self, data: &str, runs: &[String], quality: f64) -> Done {
        if Path::new(data).join("dataset.json").exists() {
            return Ok(());
        }
        let quality = quality.to_string();
        let own = ["dataset", "-o", data, "--quality", &quality];
        let runs = runs.iter().map(String::as_str);
        let command: Vec<&str> = own.into_iter().chain(runs).collect();
        samara(&command, &self.log)
    }

    /// Trains a model of the domain, unless it is there.
    fn domain(&self, data: &str, model: &str, tokens: u64, words: &[&str]) -> Done {
        if Path::new(model).join("card.json").exists() {
            return Ok(());
        }
        let tokens = tokens.to_string();
        let own = ["train", "domain", data, "-o", model];
        let more = ["--tokens", &tokens, "--trial", "0"];
        samara(&[&own[..], words, &more].concat(), &self.log)
    }

    /// Has a model, or a dataset, fill a map.
    fn sample(&self, source: &str, run: &str, count: u64, more: &[&str]) -> Done {
        let (count, config) = (count.to_string(), self.path(&[CONFIG]));
        let own = [
            "sample", source, "-o", run, "-n", &count, "--config", &config,
        ];
        samara(&[&own[..], more].concat(), &self.log)
    }
}

/// Evaluations of a run at a scale of the paper's.
fn evaluations(scale: f64) -> Result<u64, Failure> {
    match scale > 0.0 && scale <= 10.0 {
        true => Ok(((PAPER * scale).round() as u64).max(64)),
        false => Err(Failure::usage(anyhow!(
            "--scale {scale}: give a number above 0, such as 0.01; 1 is the paper's"
        ))),
    }
}

/// A number of things, in words.
fn many(n: u64, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// Evaluations of a run in the paper.
const PAPER: f64 = 1_024_000.0;

/// The configuration of the runs.
const CONFIG: &str = "runs.toml";

/// Runs a command of this samara to its end; what it prints goes to a file, what it complains about to standard error.
///
/// # Errors
/// It failed, or was interrupted.
fn samara(args: &[&str], log: &Path) -> Done {
    let own = std::env::current_exe().context("samara does not find itself")?;
    let cannot = || format!("{}: cannot be written", log.display());
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(cannot)?;
    let mut command = Command::new(own);
    with_us(&mut command);
    let running = command.args(args).stdin(Stdio::null()).stdout(log).spawn();
    let ended = running
        .and_then(|mut child| child.wait())
        .context("samara cannot be started")?;
    match ended.code() {
        Some(0) => Ok(()),
        code => Err(Failure {
            code: if code == Some(130) { 130 } else { 1 },
            error: anyhow!(
                "`samara {}` did not come to its end; the same command goes on there",
                args.join(" ")
            ),
        }),
    }
}

/// Has a process end when this one does, even by a kill, where the system can: else it would hold the run that the next one is to go on with.
#[cfg(target_os = "linux")]
fn with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let own = rustix::process::getpid();
    let end = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // Ended already: no signal will come.
        match rustix::process::getppid() == Some(own) {
            true => Ok(()),
            false => Err(std::io::ErrorKind::Interrupted.into()),
        }
    };
    // SAFETY: between fork and exec it makes two system calls, and takes no memory.
    unsafe { command.pre_exec(end) };
}

#[cfg(not(target_os = "linux"))]
fn with_us(_: &mut Command) {}
