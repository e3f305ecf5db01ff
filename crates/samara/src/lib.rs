//! The command line's parts. The libraries below it do the work; see ARCHITECTURE.md.

use std::io::ErrorKind;

pub mod cli;
pub mod figures;
mod progress;
pub mod run;
pub mod show;
pub mod study;

/// Why a command failed, and the exit code that says so.
pub struct Failure {
    /// 2 for bad use, 130 for an interrupt, 1 for all else.
    pub code: u8,
    /// What happened and what to do.
    pub error: anyhow::Error,
}

impl Failure {
    /// Bad use: what was typed cannot be.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 2,
            error: error.into(),
        }
    }

    /// Whether all that went wrong is that the reader of our output went away.
    pub fn is_broken_pipe(&self) -> bool {
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

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl From<evolve::Error> for Failure {
    fn from(error: evolve::Error) -> Self {
        match error {
            evolve::Error::Setting { .. } => Self::usage(error),
            other => anyhow::Error::from(other).into(),
        }
    }
}

/// How a command ends.
pub type Done = Result<(), Failure>;

/// Prints a line to standard output; a reader that went away is an error to pass up.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write;
        writeln!(std::io::stdout().lock(), $($arg)*)
    }};
}
pub(crate) use say;
