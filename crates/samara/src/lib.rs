//! The command line. The libraries below it do the work; see ARCHITECTURE.md.

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use cli::{Cli, Command};
use terminal::complain;
pub(crate) use terminal::say;

mod bench;
mod cli;
mod corpus;
mod dataset;
pub mod figures;
mod invent;
mod log;
mod meter;
mod model;
mod progress;
pub mod reasons;
mod reproduce;
mod run;
mod sample;
pub mod settings;
mod show;
mod sql;
mod stats;
mod study;
pub mod terminal;
mod train;

/// Does what the command line says. As a worker (see `pyrun`) it never returns.
pub fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == pyrun::WORKER_ARG)
    {
        pyrun::worker_main();
    }
    let cli = match Cli::of(std::env::args_os()) {
        Ok(cli) => cli,
        Err(told) => return usage(&told),
    };
    log::start(cli.verbose);
    let done = match cli.command {
        None => run::evolve(&cli.evolve),
        Some(Command::Evolve(args)) => run::evolve(&args),
        Some(Command::Resume(args)) => run::resume(&args),
        Some(Command::Config) => show::config(),
        Some(Command::Walker(args)) => show::walker(&args),
        Some(Command::Simulate(args)) => show::simulate(&args),
        Some(Command::Render(args)) => show::render(&args),
        Some(Command::Stats(args)) => stats::stats(&args),
        Some(Command::Plot(args)) => study::plot(&args),
        Some(Command::Report(args)) => study::report(&args),
        Some(Command::Export(args)) => study::export(&args),
        Some(Command::Sql(args)) => sql::sql(&args),
        Some(Command::Bench(what)) => bench::bench(&what),
        Some(Command::Model(what)) => model::model(&what),
        Some(Command::Train(what)) => train::train(&what),
        Some(Command::Corpus(args)) => corpus::corpus(&args),
        Some(Command::Dataset(args)) => dataset::dataset(&args),
        Some(Command::Invent(args)) => invent::invent(&args),
        Some(Command::Sample(args)) => sample::sample(&args),
        Some(Command::Reproduce(what)) => reproduce::reproduce(&what),
    };
    end(done)
}

/// Says why a command failed, and gives the exit code that says so.
fn end(done: Done) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(Failure { code, error }) => {
            complain(&format!("samara: {error:#}"));
            ExitCode::from(code)
        }
    }
}

/// Prints what was asked for instead of a command (the help, the version), or what is wrong with what was typed.
fn usage(told: &clap::Error) -> ExitCode {
    if told.use_stderr() {
        complain(told.render().to_string().trim_end());
        return ExitCode::from(2);
    }
    end(told.print().map_err(Failure::from))
}

/// The exit code for a standard output that takes nothing: EX_IOERR of sysexits.h.
const UNWRITABLE: u8 = 74;

/// Why a command failed, and the exit code that says so.
struct Failure {
    /// 2 for bad use, 74 for a standard output that takes nothing, 130 for an interrupt, 1 for all else.
    code: u8,
    /// What happened and what to do.
    error: anyhow::Error,
}

impl Failure {
    /// Bad use: what was typed cannot be.
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 2,
            error: error.into(),
        }
    }

    /// Whether all that went wrong is that the reader of our output went away.
    fn is_broken_pipe(&self) -> bool {
        self.error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: 1, error }
    }
}

/// Of standard output: whoever works with files says which.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self {
            code: UNWRITABLE,
            error: anyhow::Error::from(error).context("standard output cannot be written"),
        }
    }
}

impl From<evolve::Error> for Failure {
    fn from(error: evolve::Error) -> Self {
        match error {
            evolve::Error::Mutate(error) => error.into(),
            other => anyhow::Error::from(other).into(),
        }
    }
}

impl From<mutate::Error> for Failure {
    fn from(error: mutate::Error) -> Self {
        match error {
            mutate::Error::Setting { .. } | mutate::Error::Model(_) => Self::usage(error),
            other @ (mutate::Error::Operator { .. } | mutate::Error::Learning(_)) => {
                anyhow::Error::from(other).into()
            }
        }
    }
}

impl From<::bench::Error> for Failure {
    fn from(error: ::bench::Error) -> Self {
        match error {
            ::bench::Error::Mutate(error) => error.into(),
            other => anyhow::Error::from(other).into(),
        }
    }
}

impl From<::invent::Error> for Failure {
    fn from(error: ::invent::Error) -> Self {
        match error {
            ::invent::Error::Run(error) => error.into(),
            ::invent::Error::Model(error) => Self::usage(error),
            other => Self::usage(other),
        }
    }
}

/// How a command ends.
type Done = Result<(), Failure>;

/// A flag that the first interrupt sets; the second ends the process.
fn interrupts() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("cannot watch for interrupts")?;
    Ok(stop)
}
