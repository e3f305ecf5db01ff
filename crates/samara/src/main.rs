//! The command line.

use std::process::ExitCode;

use clap::Parser;
use samara::cli::{Cli, Command};
use samara::{Failure, run, show, study};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == pyrun::WORKER_ARG) {
        pyrun::worker_main();
    }
    let cli = Cli::parse();
    let done = match cli.command {
        None => run::evolve(&cli.evolve),
        Some(Command::Evolve(args)) => run::evolve(&args),
        Some(Command::Resume(args)) => run::resume(&args),
        Some(Command::Config) => show::config(),
        Some(Command::Walker(args)) => show::walker(&args),
        Some(Command::Simulate(args)) => show::simulate(&args),
        Some(Command::Render(args)) => show::render(&args),
        Some(Command::Stats(args)) => study::stats(&args),
        Some(Command::Plot(args)) => study::plot(&args),
        Some(Command::Report(args)) => study::report(&args),
        Some(Command::Export(args)) => study::export(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(Failure { code, error }) => {
            eprintln!("samara: {error:#}");
            ExitCode::from(code)
        }
    }
}
