//! The files of a run: schema, lock, and what their errors mean.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qd::Axis;
use rusqlite::{Connection, ErrorCode};

use super::{DATABASE, SETTINGS};
use crate::Error;

pub(super) const SALVAGE: &str = "what is readable can be saved with `sqlite3 run.sqlite .recover`";
pub(super) const NOT_A_RUN: &str = "give the folder of a run, as `samara evolve` names it";

/// "smra", in the database's header: this file is ours.
pub(super) const APPLICATION: i32 = 0x736d_7261;
/// The format written. Older ones are read as they are, and brought up to it when the run is resumed.
pub(super) const VERSION: i32 = 3;

/// Columns that a version added: version, table, column, type, and its value in older rows.
const ADDED: [(i32, &str, &str, &str, &str); 11] = [
    (2, "child", "partner", "INTEGER", "NULL"),
    (2, "child", "prompt_tokens", "INTEGER NOT NULL", "0"),
    (2, "child", "tokens", "INTEGER NOT NULL", "0"),
    (2, "child", "propose_seconds", "REAL NOT NULL", "0"),
    (2, "child", "dollars", "REAL NOT NULL", "0"),
    (2, "stretch", "proposing", "REAL NOT NULL", "0"),
    (3, "child", "weights", "INTEGER", "NULL"),
    (3, "stretch", "lost_requests", "INTEGER NOT NULL", "0"),
    (3, "stretch", "lost_prompt_tokens", "INTEGER NOT NULL", "0"),
    (3, "stretch", "lost_dollars", "REAL NOT NULL", "0"),
    (3, "run", "axes", "TEXT NOT NULL", "'[]'"),
];

fn added(version: i32, table: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    ADDED
        .iter()
        .filter(move |added| added.0 > version && added.1 == table)
        .map(|(_, _, column, kind, old)| (*column, *kind, *old))
}

/// Adds to a database of an older version what [`VERSION`] has more; the texts are moved by `Store::migrate`.
pub(super) fn migration(version: i32) -> String {
    let mut sql = String::new();
    for table in ["run", "child", "stretch"] {
        for (column, kind, old) in added(version, table) {
            sql += &format!("ALTER TABLE {table} ADD COLUMN {column} {kind} DEFAULT {old};\n");
        }
    }
    // What older versions had otherwise.
    sql += "DROP VIEW IF EXISTS children;
DROP VIEW IF EXISTS map;
CREATE VIEW map AS SELECT * FROM child WHERE id IN
  (SELECT max(id) FROM child WHERE accepted GROUP BY niche);
CREATE TABLE texts (
  first INTEGER PRIMARY KEY, children INTEGER NOT NULL, program BLOB, message BLOB, told BLOB, artifact BLOB);
CREATE TABLE kept (
  id INTEGER PRIMARY KEY, program TEXT, reason TEXT, message TEXT, crossed INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL, propose_seconds REAL NOT NULL, dollars REAL NOT NULL,
  told TEXT, weights INTEGER);
CREATE TABLE provenance (
  since INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (since, name)) WITHOUT ROWID;
INSERT INTO provenance SELECT 0, 'samara', samara FROM run;";
    sql
}

/// Lets this connection read a database of an older version as if it had the columns of [`VERSION`], without writing to
/// it: temporary views stand before its tables.
pub(super) fn disguise(version: i32) -> String {
    ["child", "stretch"]
        .map(|table| {
            let columns: String = added(version, table)
                .map(|(column, _, old)| format!(", {old} AS {column}"))
                .collect();
            format!("CREATE TEMP VIEW {table} AS SELECT *{columns} FROM main.{table};\n")
        })
        .concat()
        + "CREATE TEMP VIEW provenance AS SELECT 0 AS since, 'samara' AS name, samara AS value FROM run;
CREATE TEMP VIEW kept AS SELECT 0 AS id WHERE 0;"
}

/// What all versions have; [`migration`] from version 1 completes it.
pub(super) fn schema(axes: &[Axis]) -> String {
    let measures: String = axes
        .iter()
        .map(|axis| format!(",\n  {} REAL", column(axis)))
        .collect();
    format!(
        "CREATE TABLE run (settings TEXT NOT NULL, terrain TEXT NOT NULL, samara TEXT NOT NULL);
CREATE TABLE child (
  id INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, replica INTEGER NOT NULL, operator TEXT NOT NULL,
  parent INTEGER, status TEXT NOT NULL, reason TEXT, fitness REAL, niche INTEGER, accepted INTEGER NOT NULL,
  length INTEGER NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL{measures});
CREATE TABLE iteration (
  iteration INTEGER PRIMARY KEY, evaluations INTEGER NOT NULL, proposed INTEGER NOT NULL, valid INTEGER NOT NULL,
  runnable INTEGER NOT NULL, accepted INTEGER NOT NULL, niches INTEGER NOT NULL, qd_score REAL NOT NULL,
  max_fitness REAL NOT NULL);
CREATE TABLE stretch (
  began REAL PRIMARY KEY, children INTEGER NOT NULL, seconds REAL NOT NULL, threads INTEGER NOT NULL,
  busy REAL NOT NULL);
CREATE INDEX accepted_by_niche ON child (niche, id) WHERE accepted;"
    )
}

/// An axis's column of the table `child`, quoted.
pub(super) fn column(axis: &Axis) -> String {
    format!("\"{}\"", axis.name.replace('"', ""))
}

/// Commits reach the operating system at once, so that they outlive this process;
/// they reach the disk soon after, in order.
pub(super) fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -65_536)?;
    db.busy_timeout(Duration::from_secs(10))
}

/// What the database holds cannot be.
pub(super) fn damaged(why: impl Into<String>) -> rusqlite::Error {
    rusqlite::types::FromSqlError::Other(format!("damaged: {}", why.into()).into()).into()
}

pub(super) fn existing(folder: &Path) -> Result<PathBuf, Error> {
    let path = folder.join(DATABASE);
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(Error::file(path, "there is no such file", NOT_A_RUN)),
        Err(e) => Err(Error::file(path, e, NOT_A_RUN)),
    }
}

/// How long a lock is waited for: the system takes that of a killed process back when its last write has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lock is on the settings' copy, since SQLite has its own locks on the database.
pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(SETTINGS);
    let file = File::options()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|e| Error::file(&path, e, "make the folder writable"))?;
    let begun = Instant::now();
    let mut locked = file.try_lock();
    while matches!(locked, Err(TryLockError::WouldBlock)) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
        locked = file.try_lock();
    }
    match locked {
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

/// Whether a database could not be read for want of the right to write beside it.
pub(super) fn is_for_writers(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

pub(super) fn uri_path(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}
