//! Why a program gave no value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a program gave no value. Lines are counted from 1 in the program's own text; 0 where none is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Failure {
    /// The text is no Python program.
    Syntax {
        /// Where.
        line: u32,
        /// What the parser says.
        message: String,
    },
    /// No function that the entry rule accepts.
    NoEntry,
    /// The program raised an exception and did not catch it.
    Exception {
        /// The exception's class, such as `ValueError`.
        kind: String,
        /// Its text, cut at 200 characters.
        message: String,
        /// Where it was raised.
        line: u32,
    },
    /// The CPU time (or, on a stalled machine, the wall-clock backstop) is used up.
    Time,
    /// The memory is used up.
    Memory,
    /// Calls or expressions nested too deeply.
    Recursion,
    /// The result is larger than the limit.
    OutputTooLarge,
    /// The program reached for files, processes, the network or a module that programs may not import.
    Forbidden {
        /// For what.
        what: String,
    },
    /// The tier does not know a feature that the program uses; [`crate::Tier::Auto`] asks the second tier then.
    Unsupported {
        /// Which feature.
        feature: String,
    },
    /// The program ended, but what it returned is no plain data.
    BadResult {
        /// What is wrong with it.
        why: String,
    },
    /// The second tier is needed and there is no usable CPython.
    NoPython {
        /// What to do about it.
        mend: String,
    },
    /// The process that ran the program died, or broke the protocol, for none of the reasons above.
    Crashed {
        /// How.
        how: String,
    },
}

impl Failure {
    /// All codes that [`Failure::reason`] gives.
    pub const REASONS: &[&str] = &[
        "syntax",
        "no-entry",
        "exception",
        "time",
        "memory",
        "recursion",
        "output-too-large",
        "forbidden",
        "unsupported",
        "bad-result",
        "no-python",
        "crashed",
    ];

    /// A short stable code for statistics.
    pub fn reason(&self) -> &'static str {
        match self {
            Failure::Syntax { .. } => "syntax",
            Failure::NoEntry => "no-entry",
            Failure::Exception { .. } => "exception",
            Failure::Time => "time",
            Failure::Memory => "memory",
            Failure::Recursion => "recursion",
            Failure::OutputTooLarge => "output-too-large",
            Failure::Forbidden { .. } => "forbidden",
            Failure::Unsupported { .. } => "unsupported",
            Failure::BadResult { .. } => "bad-result",
            Failure::NoPython { .. } => "no-python",
            Failure::Crashed { .. } => "crashed",
        }
    }

    /// The failure with its texts cut at 200 characters each: what a program wrote may say anything.
    pub(crate) fn bounded(mut self) -> Failure {
        let texts = match &mut self {
            Failure::Syntax { message, .. } => vec![message],
            Failure::Exception { kind, message, .. } => vec![kind, message],
            Failure::Forbidden { what } => vec![what],
            Failure::Unsupported { feature } => vec![feature],
            Failure::BadResult { why } => vec![why],
            Failure::NoPython { mend } => vec![mend],
            Failure::Crashed { how } => vec![how],
            Failure::NoEntry
            | Failure::Time
            | Failure::Memory
            | Failure::Recursion
            | Failure::OutputTooLarge => vec![],
        };
        for text in texts {
            if text.chars().count() > 201 {
                *text = shorten(text);
            }
        }
        self
    }

    pub(crate) fn unsupported(feature: impl Into<String>) -> Failure {
        Failure::Unsupported {
            feature: feature.into(),
        }
    }

    pub(crate) fn bad_result(why: impl Into<String>) -> Failure {
        Failure::BadResult { why: why.into() }
    }

    pub(crate) fn crashed(how: impl Into<String>) -> Failure {
        Failure::Crashed { how: how.into() }
    }

    pub(crate) fn too_deep() -> Failure {
        Failure::bad_result("nested too deeply")
    }

    pub(crate) fn not_finite() -> Failure {
        Failure::bad_result("a float that is not finite")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Syntax { line, message } => write!(f, "line {line}: {message}"),
            Failure::NoEntry => write!(f, "the program defines no function to call"),
            Failure::Exception {
                kind,
                message,
                line,
            } => write!(f, "line {line}: {kind}: {message}"),
            Failure::Time => write!(f, "the program ran out of CPU time"),
            Failure::Memory => write!(f, "the program ran out of memory"),
            Failure::Recursion => write!(f, "the program nests calls or expressions too deeply"),
            Failure::OutputTooLarge => write!(f, "the result is larger than the limit"),
            Failure::Forbidden { what } => write!(f, "forbidden: {what}"),
            Failure::Unsupported { feature } => {
                write!(f, "this interpreter does not know {feature}")
            }
            Failure::BadResult { why } => write!(f, "the result is no plain data: {why}"),
            Failure::NoPython { mend } => write!(f, "CPython is needed: {mend}"),
            Failure::Crashed { how } => write!(f, "the interpreter died: {how}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Cuts a message at 200 characters.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
