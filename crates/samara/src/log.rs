//! The log: what happens in a run, for who reads about it afterwards. It goes to `run.log` in the run's folder, and to
//! standard error as far as it was asked for.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use env_filter::{Builder, Filter};
use log::{LevelFilter, Log, Metadata, Record};

use crate::terminal::shown;

/// The log's file name in the run's folder.
pub const FILE: &str = "run.log";

/// What libraries of others say is left out unless something is wrong.
const USUAL: &str =
    "warn,samara=info,evolve=info,mutate=info,domains=info,bench=info,lm=info,pyrun=info";

struct Logger {
    /// What standard error is told.
    told: Filter,
    /// What the file is told.
    kept: Filter,
    file: Mutex<Option<File>>,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Starts the log: standard error is told warnings, with `verbose` 1 what happens in general and with more in detail, or
/// what SAMARA_LOG says.
pub fn start(verbose: u8) {
    let wanted = std::env::var("SAMARA_LOG").ok();
    let parse = |text: &str| Builder::new().parse(text).build();
    let told = match (&wanted, verbose) {
        (Some(wanted), 0) => parse(wanted),
        (_, 0) => parse("warn"),
        (_, 1) => parse(USUAL),
        _ => parse(&USUAL.replace("info", "debug")),
    };
    let kept = match &wanted {
        Some(wanted) => parse(&format!("{USUAL},{wanted}")),
        None => parse(USUAL),
    };
    let most = told.filter().max(kept.filter()).max(LevelFilter::Info);
    let logger = LOGGER.get_or_init(|| Logger {
        told,
        kept,
        file: Mutex::new(None),
    });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(most);
    }
}

/// Writes the log into a run's folder from now on, after what is there. A folder that takes no file is a warning: the
/// run itself will tell.
pub fn write_to(folder: &Path) {
    let Some(logger) = LOGGER.get() else { return };
    let path = folder.join(FILE);
    match File::options().append(true).create(true).open(&path) {
        Ok(file) => {
            *logger.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        }
        Err(e) => log::warn!("{}: {e}; the run goes on without a log", path.display()),
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.told.enabled(metadata) || self.kept.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let line = || {
            format!(
                "{} {:5} {}: {}\n",
                humantime::format_rfc3339_seconds(SystemTime::now()),
                record.level(),
                record.target(),
                shown(&record.args().to_string()).replace('\n', "\n    ")
            )
        };
        if self.kept.matches(record) {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = file.as_mut() {
                // One write a line: lines stay whole. A full disk ends the run by way of its store.
                let _ = file.write_all(line().as_bytes());
            }
        }
        if self.told.matches(record) {
            let _ = std::io::stderr().write_all(line().as_bytes());
        }
    }

    fn flush(&self) {}
}
