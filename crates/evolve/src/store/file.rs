//! The files of a run: schema, lock, and what their errors mean.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use qd::Axis;
use rusqlite::{Connection, ErrorCode};

use super::{DATABASE, SETTINGS};
use crate::Error;

pub(super) const SALVAGE: &str = "what is readable can be saved with `sqlite3 run.sqlite .recover`";
pub(super) const NOT_A_RUN: &str = "give the folder of a run, as `samara evolve` names it";

/// "smra", in the database's header: this file is ours.
pub(super) const APPLICATION: i32 = 0x736d_7261;
/// The format written. Older ones are read as they are, and brought up to it when the run is resumed.
pub(super) const VERSION: i32 = 2;

/// What version 2 added to version 1: table, column, type, and its value in older rows.
const ADDED: [(&str, &str, &str, &str); 6] = [
    ("child", "partner", "INTEGER", "NULL"),
    ("child", "prompt_tokens", "INTEGER NOT NULL", "0"),
    ("child", "tokens", "INTEGER NOT NULL", "0"),
    ("child", "propose_seconds", "REAL NOT NULL", "0"),
    ("child", "dollars", "REAL NOT NULL", "0"),
    ("stretch", "proposing", "REAL NOT NULL", "0"),
];

/// Turns a database of version 1 into one of [`VERSION`].
pub(super) fn migration() -> String {
    ADDED
        .iter()
        .map(|(table, column, kind, old)| {
            format!("ALTER TABLE {table} ADD COLUMN {column} {kind} DEFAULT {old};\n")
        })
        .collect()
}

/// Lets this connection read a database of version 1 as if it were migrated, without writing to it: temporary views
/// stand before its tables.
pub(super) fn disguise() -> String {
    ["child", "stretch"]
        .map(|table| {
            let columns: String = ADDED
                .iter()
                .filter(|added| added.0 == table)
                .map(|(_, column, _, old)| format!(", {old} AS {column}"))
                .collect();
            format!("CREATE TEMP VIEW {table} AS SELECT *{columns} FROM main.{table};\n")
        })
        .concat()
}

/// The schema of version 1, which [`migration`] completes.
pub(super) fn schema(axes: &[Axis]) -> String {
    let measures: String = axes
        .iter()
        .map(|axis| format!(",\n  \"{}\" REAL", axis.name.replace('"', "")))
        .collect();
    format!(
        "CREATE TABLE run (settings TEXT NOT NULL, terrain TEXT NOT NULL, samara TEXT NOT NULL);
CREATE TABLE child (
  id INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, replica INTEGER NOT NULL, operator TEXT NOT NULL,
  parent INTEGER, status TEXT NOT NULL, reason TEXT, fitness REAL, niche INTEGER, accepted INTEGER NOT NULL,
  length INTEGER NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL{measures});
CREATE TABLE source (
  id INTEGER PRIMARY KEY, program TEXT NOT NULL, diff TEXT NOT NULL, message TEXT, artifact BLOB);
CREATE TABLE iteration (
  iteration INTEGER PRIMARY KEY, evaluations INTEGER NOT NULL, proposed INTEGER NOT NULL, valid INTEGER NOT NULL,
  runnable INTEGER NOT NULL, accepted INTEGER NOT NULL, niches INTEGER NOT NULL, qd_score REAL NOT NULL,
  max_fitness REAL NOT NULL);
CREATE TABLE stretch (
  began REAL PRIMARY KEY, children INTEGER NOT NULL, seconds REAL NOT NULL, threads INTEGER NOT NULL,
  busy REAL NOT NULL);
CREATE INDEX accepted_by_niche ON child (niche, id) WHERE accepted;
CREATE VIEW children AS SELECT * FROM child JOIN source USING (id);
CREATE VIEW map AS SELECT * FROM children WHERE id IN
  (SELECT max(id) FROM child WHERE accepted GROUP BY niche);"
    )
}

/// Commits reach the operating system at once, so that they outlive this process;
/// they reach the disk soon after, in order.
pub(super) fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -65_536)?;
    db.busy_timeout(std::time::Duration::from_secs(10))
}

pub(super) fn existing(folder: &Path) -> Result<PathBuf, Error> {
    let path = folder.join(DATABASE);
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(Error::file(path, "there is no such file", NOT_A_RUN)),
        Err(e) => Err(Error::file(path, e, NOT_A_RUN)),
    }
}

/// The lock is on the settings' copy, since SQLite has its own locks on the database.
pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(SETTINGS);
    let file = File::options()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|e| Error::file(&path, e, "make the folder writable"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::file(
            folder,
            "another samara is at work on this run",
            "wait for it to end, or end it",
        )),
        Err(TryLockError::Error(e)) => Err(Error::file(path, e, "use a file system with locks")),
    }
}

pub(super) fn database_error(path: &Path, cause: rusqlite::Error) -> Error {
    let mend = match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            "nothing written so far is lost: free some space, then `samara resume` the run"
        }
        Some(ErrorCode::NotADatabase) => NOT_A_RUN,
        Some(ErrorCode::DatabaseCorrupt) => SALVAGE,
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "make the folder and its files writable"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "nothing written so far is lost: see to the disk (full or failing?), then `samara resume` the run"
        }
        _ => {
            "if it persists, the file may be damaged: `sqlite3 run.sqlite .recover` saves what is readable"
        }
    };
    Error::Database {
        path: path.to_owned(),
        cause,
        mend,
    }
}

pub(super) fn uri_path(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}
