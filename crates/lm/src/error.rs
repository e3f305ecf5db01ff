//! What can go wrong with a model's files.

use std::path::{Path, PathBuf};

/// Why a model cannot be read, written, fetched or run. Every message names the file, the field and the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{}: cannot be {action}: {cause}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a participle: "read", "written".
        action: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// There is no such file.
    #[error("{0}")]
    Missing(Fault),
    /// The file is cut short, garbled, or not of its kind.
    #[error("{0}")]
    Damaged(Fault),
    /// The file is sound, but of an architecture, quantisation or tokenizer that is not known here.
    #[error("{0}")]
    Unsupported(Fault),
    /// A tensor is missing, or of another shape than the configuration says.
    #[error("{0}")]
    Tensor(Fault),
    /// The tokenizer lacks tokens that generation needs.
    #[error("{0}")]
    Tokenizer(Fault),
    /// Weights, or what is computed with them, are no finite numbers.
    #[error("{0}")]
    Numbers(Fault),
    /// A number of the configuration cannot be.
    #[error("{0}")]
    Config(Fault),
    /// There is no such device, the build does not compute on it, or the machine lacks it.
    #[error("device {device}: {problem}; {mend}")]
    Device {
        /// The device's name.
        device: String,
        /// What is wrong.
        problem: &'static str,
        /// What to do.
        mend: String,
    },
    /// Threads could not be started.
    #[error("{threads} threads cannot be started: {cause}; give fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        cause: rayon::ThreadPoolBuildError,
    },
    /// A model could not be fetched.
    #[error("{0}")]
    Pull(Fault),
    /// What a model is to learn from, or its state, does not go with it; or there is not the memory for it.
    #[error("{0}")]
    Training(Fault),
}

/// Where something is wrong, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, or the address.
    pub file: String,
    /// The field, tensor or part of it.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub mend: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {}: {}; {}",
            self.file, self.field, self.problem, self.mend
        )
    }
}

impl Fault {
    /// A fault in a file.
    pub fn new(
        file: &Path,
        field: impl Into<String>,
        problem: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            file: file.display().to_string(),
            field: field.into(),
            problem: problem.into(),
            mend: mend.into(),
        }
    }
}

/// The mend for a file that is not whole.
pub(crate) const FETCH_AGAIN: &str = "delete it, then fetch or write it again";

impl Error {
    /// The same, of a file that was not known where it arose.
    pub(crate) fn of(mut self, file: &Path) -> Self {
        if let Self::Numbers(fault) | Self::Tokenizer(fault) = &mut self {
            fault.file = file.display().to_string();
        }
        self
    }

    pub(crate) fn io(path: &Path, action: &'static str, cause: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            cause,
        }
    }

    pub(crate) fn damaged(
        file: &Path,
        field: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Damaged(Fault::new(file, field, problem, FETCH_AGAIN))
    }
}
