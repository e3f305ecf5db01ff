//! Runs one untrusted Python program under limits and returns a [`Value`] or a typed [`Failure`].
//!
//! Two tiers behind one interface: an interpreter written in Rust (`monty`) in a caged worker process of this same
//! binary, and CPython in a cage for what the first tier does not know. The caller says what programs may import by
//! handing over a [`HostModule`]; nothing here knows what the programs are for.
//!
//! A [`Runner`] belongs to one thread and owns at most one process per tier. The binary that uses this crate calls
//! [`worker_main`] first of all when its first argument is [`WORKER_ARG`], and has [`Metered`] for its allocator.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod cage;
mod exact;
mod failure;
#[cfg(target_os = "linux")]
mod filter;
mod first_tier;
mod guard;
mod meter;
mod modules;
mod process;
mod program;
mod python;
mod runner;
mod second_tier;
pub mod settings;
mod text;
mod trust;
mod value;
mod wire;
mod worker;

pub use failure::Failure;
pub use meter::Metered;
pub use python::versions;
pub use runner::{Runner, caged};
pub use value::Value;
pub use worker::worker_main;

/// The first argument of a worker process.
pub const WORKER_ARG: &str = "__pyrun-worker";

/// What programs may use: Python source that runs before the program in both tiers, so that one definition serves
/// both. It keeps to the Python that both know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostModule {
    /// The source. Its globals are the program's to use without importing.
    pub prelude: String,
    /// Modules that programs may import, and the prelude's name for each: a class whose attributes are the module's.
    /// A real module of that name is preferred by the second tier if CPython has it (numpy).
    pub modules: Vec<(String, String)>,
    /// Which function to call.
    pub entry: EntryRule,
}

/// Which function of a program is called, without arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryRule {
    /// This name wins wherever it is bound at module level.
    pub exact: String,
    /// Else the last module-level function whose name begins with one of these and that needs no argument.
    pub prefixes: Vec<String>,
}

/// What one program may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// CPU time. The wall clock has a backstop of a hundred times this and a minute.
    pub cpu: Duration,
    /// Address space beyond what the interpreter takes to start, in bytes.
    pub memory_bytes: u64,
    /// Depth of calls.
    pub recursion: u32,
    /// Size of the result in its wire form (9 bytes a number), in bytes.
    pub output_bytes: usize,
}

impl Default for Limits {
    /// 1 s, 256 MiB, 1,000 calls deep, 4 MiB of result.
    fn default() -> Self {
        Limits {
            cpu: Duration::from_secs(1),
            memory_bytes: 256 << 20,
            recursion: 1000,
            output_bytes: 4 << 20,
        }
    }
}

/// Which interpreter runs a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The interpreter in Rust: fast, knows a part of Python.
    Monty,
    /// CPython.
    CPython,
    /// The first, and the second where the first ends in [`Failure::Unsupported`].
    #[default]
    Auto,
}

impl std::str::FromStr for Tier {
    type Err = String;

    fn from_str(text: &str) -> Result<Tier, String> {
        match text {
            "monty" => Ok(Tier::Monty),
            "cpython" => Ok(Tier::CPython),
            "auto" => Ok(Tier::Auto),
            _ => Err(format!("no tier `{text}`: use monty, cpython or auto")),
        }
    }
}

/// How programs run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which interpreter.
    pub tier: Tier,
    /// What each program may use.
    pub limits: Limits,
    /// What each program finds ready.
    pub host: HostModule,
    /// The command that starts a worker: a process that calls [`worker_main`].
    pub worker: Vec<OsString>,
    /// The CPython to use; `None` looks for `python3` on the PATH.
    pub python: Option<PathBuf>,
    /// Whether programs run in a whole cage or not at all. Without this, what the system has of a cage is closed and the
    /// rest is done without: for programs that can be trusted, or a machine that can be thrown away.
    pub cage: bool,
}

impl Config {
    /// Default limits, [`Tier::Auto`], and this executable with [`WORKER_ARG`] as the worker.
    pub fn new(host: HostModule) -> Config {
        let exe = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
        Config {
            tier: Tier::Auto,
            limits: Limits::default(),
            host,
            worker: vec![exe.into(), WORKER_ARG.into()],
            python: None,
            cage: true,
        }
    }
}

/// Why no [`Runner`] could be made, or why it had to give up: never a fault of a program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The worker command cannot be started.
    #[error("cannot start the worker `{command}`: {cause}")]
    Start {
        /// The command.
        command: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The worker command is empty.
    #[error("Config::worker is empty: name the command that starts a worker")]
    NoWorker,
    /// Programs would not be caged.
    #[error(
        "{missing}, so nothing would cage the programs: one that means harm could read, change and delete \
         whatever you can, and send it away. Run samara on Linux with seccomp, or, where whatever writes the \
         programs can be trusted or the machine can be thrown away, with --no-cage (cage = false in [python])"
    )]
    NoCage {
        /// What the system lacks.
        missing: String,
    },
    /// The prelude does not run.
    #[error("HostModule::prelude does not run: {0}")]
    Prelude(Failure),
}
