//! The run store: one folder a run, holding every child that was ever proposed.
//!
//! `run.sqlite` is the truth, `settings.toml` a copy of its settings for people. Children are written
//! strictly in order of their id, a few at a time, each time in one transaction; so the store is always the
//! beginning of the run it belongs to, and what was written survives the death of the process. Everything
//! but the columns `seconds` and `at`, and the table `session`, is a function of the settings alone.
//!
//! The narrow table `child` can be counted and sorted over a million rows in a moment; the texts stand in
//! `source`; the views `children` (both joined) and `map` (the champion of every niche) are for people.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use qd::{Axis, Metrics};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use sodarace::Terrain;

use crate::settings::Settings;
use crate::{Error, Reason};

/// The database's file name in the run's folder.
pub const DATABASE: &str = "run.sqlite";
/// The copy of the settings.
pub const SETTINGS: &str = "settings.toml";

/// "smra", in the database's header: this file is ours.
const APPLICATION: i32 = 0x736d_7261;
const VERSION: i32 = 1;

/// How far a child came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The operator's change does not apply: no program.
    Invalid,
    /// *Valid*, but the program does not run or yields no artifact.
    Unrunnable,
    /// *Runnable*, but its artifact cannot be scored.
    Unscored,
    /// Runnable, with behaviour and fitness.
    Scored,
}

impl Status {
    const ALL: [(Self, &str); 4] = [
        (Self::Invalid, "invalid"),
        (Self::Unrunnable, "unrunnable"),
        (Self::Unscored, "unscored"),
        (Self::Scored, "scored"),
    ];

    /// As written in the store.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// A child and all that is known of it. The seed is child 0, of iteration 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Child {
    /// Counted from 0 in the order of proposal.
    pub id: u64,
    /// The iteration that proposed it.
    pub iteration: u64,
    /// The replica in that iteration.
    pub replica: u32,
    /// Name of the operator, "seed" for child 0.
    pub operator: String,
    /// The child it was made from; none for the seed.
    pub parent: Option<u64>,
    /// How far it came.
    pub status: Status,
    /// Why it came no further.
    pub reason: Option<Reason>,
    /// One number per axis, empty where not scored.
    pub measures: Vec<f64>,
    /// Its fitness, where scored.
    pub fitness: Option<f64>,
    /// Its niche, where scored.
    pub niche: Option<u32>,
    /// Whether the map took it.
    pub accepted: bool,
    /// Seconds of evaluation.
    pub seconds: f64,
    /// When it was written, in seconds since 1970.
    pub at: f64,
    /// The program; empty where invalid.
    pub program: String,
    /// Unified diff from the parent's program.
    pub diff: String,
    /// The artifact (for Sodarace the walker) as JSON.
    pub artifact: Option<String>,
}

/// The state of the map after an iteration, and what the iteration did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the field's usual measures")]
pub struct IterationMetrics {
    pub iteration: u64,
    /// Children proposed so far, this iteration included.
    pub evaluations: u64,
    pub proposed: u64,
    pub valid: u64,
    pub runnable: u64,
    pub accepted: u64,
    pub niches: u64,
    pub qd_score: f64,
    pub max_fitness: f64,
}

/// How often something happened under an operator; `status` and `reason` as in the store.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "plain columns")]
pub struct Tally {
    pub operator: String,
    pub status: Status,
    pub reason: Option<String>,
    pub accepted: bool,
    pub count: u64,
}

/// One stretch of work on a run: from a start or resume to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "plain columns")]
pub struct Stretch {
    /// Children written.
    pub children: u64,
    pub seconds: f64,
    pub threads: u32,
    /// Share of the evaluation threads' time spent evaluating.
    pub busy: f64,
}

/// An open run.
pub struct Store {
    folder: PathBuf,
    db: Connection,
    axes: Vec<Axis>,
    settings: Settings,
    terrain: Terrain,
    /// Held while this process may write.
    _lock: Option<File>,
}

impl Store {
    /// Makes a new run in a folder that does not exist yet, or is empty.
    ///
    /// # Errors
    /// The folder holds something, or cannot be written.
    pub fn create(folder: &Path, settings: &Settings, terrain: &Terrain) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::file(folder, e, "choose another folder with --out"))?;
        let mut entries = std::fs::read_dir(folder)
            .map_err(|e| Error::file(folder, e, "choose another folder with --out"))?;
        if entries.next().is_some() {
            let mend = if folder.join(DATABASE).exists() {
                format!(
                    "continue it with `samara resume {}`, or choose another with --out",
                    folder.display()
                )
            } else {
                "choose an empty or a new one with --out".to_owned()
            };
            return Err(Error::file(folder, "the folder is not empty", mend));
        }
        let text = settings.to_toml();
        std::fs::write(folder.join(SETTINGS), &text).map_err(|e| {
            Error::file(folder.join(SETTINGS), e, "choose another folder with --out")
        })?;
        let lock = lock(folder)?;
        let path = folder.join(DATABASE);
        let axes = settings.axes().to_vec();
        let terrain_json = serde_json::to_string(terrain).expect("plain data");
        let db = (|| {
            let mut db = Connection::open(&path)?;
            prepare(&db)?;
            let transaction = db.transaction()?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.execute_batch(&schema(&axes))?;
            transaction.execute(
                "INSERT INTO run (settings, terrain, samara) VALUES (?, ?, ?)",
                params![text, terrain_json, env!("CARGO_PKG_VERSION")],
            )?;
            transaction.commit()?;
            Ok(db)
        })()
        .map_err(|e| database_error(&path, e))?;
        Ok(Self {
            folder: folder.to_owned(),
            db,
            axes,
            settings: settings.clone(),
            terrain: terrain.clone(),
            _lock: Some(lock),
        })
    }

    /// Opens a run to go on with it.
    ///
    /// # Errors
    /// No run there, another process writes it, or its file is damaged or foreign.
    pub fn resume(folder: &Path) -> Result<Self, Error> {
        let path = existing(folder)?;
        let lock = lock(folder)?;
        let mut store = Self::load(folder, &path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        prepare(&store.db).map_err(|e| store.error(e))?;
        let verdict: String = store
            .db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|e| store.error(e))?;
        if verdict != "ok" {
            return Err(Error::file(path, format!("damaged: {verdict}"), SALVAGE));
        }
        store._lock = Some(lock);
        Ok(store)
    }

    /// Opens a run to look at it; another process may be writing it.
    ///
    /// # Errors
    /// No run there, or its file is damaged or foreign.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = existing(folder)?;
        Self::load(folder, &path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn load(folder: &Path, path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        let fail = |e| database_error(path, e);
        let mut db = Connection::open_with_flags(path, flags).map_err(fail)?;
        let ours = |db: &Connection| db.pragma_query_value(None, "application_id", |r| r.get(0));
        let application: i32 = match ours(&db) {
            // A finished run in a folder that may not be written: nobody else writes it either.
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
                let uri = format!("file:{}?immutable=1", uri_path(path));
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                db = Connection::open_with_flags(uri, flags).map_err(fail)?;
                ours(&db).map_err(fail)?
            }
            answer => answer.map_err(fail)?,
        };
        let version: i32 = db
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(fail)?;
        if application != APPLICATION {
            return Err(Error::file(path, "not a run of samara", NOT_A_RUN));
        }
        if version != VERSION {
            return Err(Error::file(
                path,
                format!("a run of format {version}; this samara knows format {VERSION}"),
                "use the samara that made it",
            ));
        }
        db.busy_timeout(std::time::Duration::from_secs(10))
            .map_err(fail)?;
        let (settings, terrain): (String, String) = db
            .query_row("SELECT settings, terrain FROM run", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(fail)?;
        let damaged = |why: String| Error::file(path, format!("damaged: {why}"), SALVAGE);
        let settings = Settings::parse(&settings).map_err(damaged)?;
        let terrain = serde_json::from_str(&terrain).map_err(|e| damaged(e.to_string()))?;
        Ok(Self {
            folder: folder.to_owned(),
            db,
            axes: settings.axes().to_vec(),
            settings,
            terrain,
            _lock: None,
        })
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The settings as resolved when the run began.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The terrain, as data.
    pub fn terrain(&self) -> &Terrain {
        &self.terrain
    }

    /// Sets how many evaluations the run is to have, to go on longer or to end earlier.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_evaluations(&mut self, evaluations: u64) -> Result<(), Error> {
        self.settings.evaluations = evaluations;
        let text = self.settings.to_toml();
        self.db
            .execute("UPDATE run SET settings = ?", [&text])
            .map_err(|e| self.error(e))?;
        let path = self.folder.join(SETTINGS);
        std::fs::write(&path, text).map_err(|e| Error::file(path, e, "make the folder writable"))
    }

    /// Sets the number of evaluation threads for this process.
    pub fn set_threads(&mut self, threads: usize) {
        self.settings.threads = threads;
    }

    /// Appends children and the metrics of iterations they complete, all or nothing.
    ///
    /// # Errors
    /// The disk is full, or the database cannot be written.
    pub fn append(
        &mut self,
        children: &[Child],
        iterations: &[IterationMetrics],
    ) -> Result<(), Error> {
        self.try_append(children, iterations)
            .map_err(|e| self.error(e))
    }

    fn try_append(
        &mut self,
        children: &[Child],
        iterations: &[IterationMetrics],
    ) -> rusqlite::Result<()> {
        let axes = self.axes.len();
        let marks = vec!["?"; 13 + axes].join(", ");
        let transaction = self.db.transaction()?;
        {
            let mut child_row =
                transaction.prepare_cached(&format!("INSERT INTO child VALUES ({marks})"))?;
            let mut source_row =
                transaction.prepare_cached("INSERT INTO source VALUES (?, ?, ?, ?, ?)")?;
            for child in children {
                let reason = child.reason.as_ref();
                let head = params![
                    child.id as i64,
                    child.iteration as i64,
                    child.replica,
                    child.operator,
                    child.parent.map(|id| id as i64),
                    child.status.name(),
                    reason.map(|r| &r.code),
                    child.fitness,
                    child.niche,
                    child.accepted,
                    child.program.len() as i64,
                    child.seconds,
                    child.at,
                ];
                for (i, value) in head.iter().enumerate() {
                    child_row.raw_bind_parameter(i + 1, value)?;
                }
                for i in 0..axes {
                    child_row.raw_bind_parameter(head.len() + i + 1, child.measures.get(i))?;
                }
                child_row.raw_execute()?;
                source_row.execute(params![
                    child.id as i64,
                    child.program,
                    child.diff,
                    reason.map(|r| &r.message),
                    child.artifact.as_deref().map(pack),
                ])?;
            }
            let mut metrics_row = transaction.prepare_cached(
                "INSERT OR REPLACE INTO iteration VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            for m in iterations {
                metrics_row.execute(params![
                    m.iteration as i64,
                    m.evaluations as i64,
                    m.proposed as i64,
                    m.valid as i64,
                    m.runnable as i64,
                    m.accepted as i64,
                    m.niches as i64,
                    m.qd_score,
                    m.max_fitness,
                ])?;
            }
        }
        transaction.commit()
    }

    /// Notes a stretch of work; one call per start or resume, updated as it goes on.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_stretch(&mut self, began: f64, stretch: &Stretch) -> Result<(), Error> {
        self.db
            .execute(
                "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
                params![
                    began,
                    stretch.children as i64,
                    stretch.seconds,
                    stretch.threads,
                    stretch.busy
                ],
            )
            .map(drop)
            .map_err(|e| self.error(e))
    }

    /// All stretches of work, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn stretches(&self) -> Result<Vec<Stretch>, Error> {
        self.list("SELECT * FROM session ORDER BY began", [], |row| {
            Ok(Stretch {
                children: row.get::<_, i64>(1)? as u64,
                seconds: row.get(2)?,
                threads: row.get(3)?,
                busy: row.get(4)?,
            })
        })
    }

    /// Number of children in the store, the seed included.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn len(&self) -> Result<u64, Error> {
        self.db
            .query_row("SELECT coalesce(max(id) + 1, 0) FROM child", [], |row| {
                row.get::<_, i64>(0)
            })
            .map(|n| n as u64)
            .map_err(|e| self.error(e))
    }

    /// Whether there is no child at all.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.len().map(|n| n == 0)
    }

    /// One child.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn child(&self, id: u64) -> Result<Option<Child>, Error> {
        self.db
            .query_row(
                "SELECT * FROM child JOIN source USING (id) WHERE id = ?",
                [id as i64],
                |row| self.read(row),
            )
            .optional()
            .map_err(|e| self.error(e))
    }

    /// The fittest child; of equals the oldest.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn best(&self) -> Result<Option<Child>, Error> {
        Ok(self.fittest(1)?.pop())
    }

    /// The fittest champions of the map, the best first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn fittest(&self, most: usize) -> Result<Vec<Child>, Error> {
        self.list(
            "SELECT * FROM child JOIN source USING (id) WHERE id IN
               (SELECT max(id) FROM child WHERE accepted GROUP BY niche) ORDER BY fitness DESC, id LIMIT ?",
            [most as i64],
            |row| self.read(row),
        )
    }

    /// The child and its ancestors, the youngest first, `most` at most.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn lineage(&self, id: u64, most: usize) -> Result<Vec<Child>, Error> {
        let mut line: Vec<Child> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next.filter(|_| line.len() < most) {
            let Some(child) = self.child(id)? else { break };
            // Parents are older than their children; in a damaged store they may not be.
            next = child.parent.filter(|parent| *parent < id);
            line.push(child);
        }
        Ok(line)
    }

    /// The champion of every niche as of the children with an id below `before`, by niche.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn champions(&self, before: u64) -> Result<Vec<Child>, Error> {
        self.list(
            "SELECT * FROM child JOIN source USING (id) WHERE id IN
               (SELECT max(id) FROM child WHERE accepted AND id < ? GROUP BY niche) ORDER BY niche",
            [before.min(i64::MAX as u64) as i64],
            |row| self.read(row),
        )
    }

    /// Calls `each` with every child of an id from `from` to before `to`, in order.
    ///
    /// # Errors
    /// The database cannot be read, or `each` fails.
    pub fn each_child(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(Child) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT * FROM child JOIN source USING (id) WHERE id >= ? AND id < ? ORDER BY id",
            )
            .map_err(|e| self.error(e))?;
        let mut rows = statement
            .query([from as i64, to.min(i64::MAX as u64) as i64])
            .map_err(|e| self.error(e))?;
        while let Some(row) = rows.next().map_err(|e| self.error(e))? {
            each(self.read(row).map_err(|e| self.error(e))?)?;
        }
        Ok(())
    }

    /// The metrics of every iteration, in order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn iterations(&self) -> Result<Vec<IterationMetrics>, Error> {
        self.list("SELECT * FROM iteration ORDER BY iteration", [], |row| {
            let n = |i| row.get::<_, i64>(i).map(|n| n as u64);
            Ok(IterationMetrics {
                iteration: n(0)?,
                evaluations: n(1)?,
                proposed: n(2)?,
                valid: n(3)?,
                runnable: n(4)?,
                accepted: n(5)?,
                niches: n(6)?,
                qd_score: row.get(7)?,
                max_fitness: row.get(8)?,
            })
        })
    }

    /// What became of the children (without the seed), per operator, status, reason and acceptance.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tallies(&self) -> Result<Vec<Tally>, Error> {
        self.list(
            "SELECT operator, status, reason, accepted, count(*) FROM child WHERE id > 0
             GROUP BY operator, status, reason, accepted ORDER BY operator, count(*) DESC, reason",
            [],
            |row| {
                Ok(Tally {
                    operator: row.get(0)?,
                    status: status(row, 1)?,
                    reason: row.get(2)?,
                    accepted: row.get(3)?,
                    count: row.get::<_, i64>(4)? as u64,
                })
            },
        )
    }

    /// The champions' niches and fitness, by niche.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn map(&self) -> Result<Vec<(u32, f64)>, Error> {
        self.list(
            "SELECT niche, fitness FROM child WHERE id IN
               (SELECT max(id) FROM child WHERE accepted GROUP BY niche) ORDER BY niche",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// Niches filled, QD score and maximum fitness of the map as it is now.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn metrics(&self) -> Result<Metrics, Error> {
        let niches = self.axes.iter().map(|axis| axis.bins as usize).product();
        Ok(Metrics::of(
            niches,
            self.map()?.into_iter().map(|(_, fitness)| fitness),
        ))
    }

    fn list<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(parameters, read)?.collect())
            .map_err(|e| self.error(e))
    }

    fn read(&self, row: &Row<'_>) -> rusqlite::Result<Child> {
        let code: Option<String> = row.get("reason")?;
        let message: Option<String> = row.get("message")?;
        let measures: Option<Vec<f64>> = self
            .axes
            .iter()
            .map(|axis| row.get(axis.name.as_str()))
            .collect::<Result<_, _>>()?;
        Ok(Child {
            id: row.get::<_, i64>("id")? as u64,
            iteration: row.get::<_, i64>("iteration")? as u64,
            replica: row.get("replica")?,
            operator: row.get("operator")?,
            parent: row.get::<_, Option<i64>>("parent")?.map(|id| id as u64),
            status: status(row, "status")?,
            reason: code.map(|code| Reason::new(code, message.unwrap_or_default())),
            measures: measures.unwrap_or_default(),
            fitness: row.get("fitness")?,
            niche: row.get("niche")?,
            accepted: row.get("accepted")?,
            seconds: row.get("seconds")?,
            at: row.get("at")?,
            program: row.get("program")?,
            diff: row.get("diff")?,
            artifact: row
                .get::<_, Option<Vec<u8>>>("artifact")?
                .map(|bytes| unpack(&bytes))
                .transpose()?,
        })
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        database_error(&self.folder.join(DATABASE), source)
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}

const SALVAGE: &str = "what is readable can be saved with `sqlite3 run.sqlite .recover`";
const NOT_A_RUN: &str = "give the folder of a run, as `samara evolve` names it";

fn schema(axes: &[Axis]) -> String {
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
CREATE TABLE session (
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
fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -65_536)?;
    db.busy_timeout(std::time::Duration::from_secs(10))
}

fn existing(folder: &Path) -> Result<PathBuf, Error> {
    let path = folder.join(DATABASE);
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(Error::file(path, "there is no such file", NOT_A_RUN)),
        Err(e) => Err(Error::file(path, e, NOT_A_RUN)),
    }
}

/// The lock is on the settings' copy, since SQLite has its own locks on the database.
fn lock(folder: &Path) -> Result<File, Error> {
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

fn database_error(path: &Path, source: rusqlite::Error) -> Error {
    let mend = match source.sqlite_error_code() {
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
        source,
        mend,
    }
}

fn uri_path(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn status(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<Status> {
    let name: String = row.get(column)?;
    Status::ALL
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(status, _)| *status)
        .ok_or_else(|| damaged(format!("unknown status {name:?}")))
}

fn damaged(why: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, why.into())
}

/// An artifact, as JSON, is long and repetitive.
fn pack(json: &str) -> Vec<u8> {
    zstd::bulk::compress(json.as_bytes(), 1).expect("memory suffices")
}

fn unpack(bytes: &[u8]) -> rusqlite::Result<String> {
    let bytes = zstd::stream::decode_all(bytes).map_err(|e| damaged(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| damaged(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(id: u64) -> Child {
        Child {
            id,
            iteration: id.div_ceil(10),
            replica: 0,
            operator: if id == 0 { "seed" } else { "gp" }.to_owned(),
            parent: id.checked_sub(1),
            status: Status::Scored,
            reason: None,
            measures: vec![1.5, 0.1 + 0.2, 3.0],
            fitness: Some(1.0 / 3.0 + id as f64),
            niche: Some((id % 7) as u32),
            accepted: id.is_multiple_of(3),
            seconds: 0.5,
            at: 12.25,
            program: format!("x = {id}\n").repeat(50),
            diff: "-a\n+b\n".to_owned(),
            artifact: Some("{\"joints\": []}".to_owned()),
        }
    }

    fn store(folder: &Path) -> Store {
        let terrain = Terrain::by_name("flat").unwrap();
        Store::create(folder, &Settings::default(), &terrain).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut written: Vec<Child> = (0..30).map(child).collect();
        written[4].status = Status::Unrunnable;
        written[4].reason = Some(Reason::new("exception", "line 3: it broke"));
        written[4].measures.clear();
        written[4].fitness = None;
        written[4].niche = None;
        written[4].artifact = None;
        store(&path).append(&written, &[]).unwrap();

        let store = Store::open(&path).unwrap();
        let mut read = Vec::new();
        store
            .each_child(0, u64::MAX, |child| {
                read.push(child);
                Ok(())
            })
            .unwrap();
        assert_eq!(read, written);
        assert_eq!(store.len().unwrap(), 30);
        assert_eq!(store.settings(), &Settings::default());
        let ids = |children: Vec<Child>| children.iter().map(|c| c.id).collect::<Vec<_>>();
        // Of each niche the last accepted: ids 21, 15, 9, 24, 18, 12, 27 for niches 0, 1, 2, 3, 4, 5, 6.
        assert_eq!(
            ids(store.champions(u64::MAX).unwrap()),
            [21, 15, 9, 24, 18, 12, 27]
        );
        assert_eq!(ids(store.champions(10).unwrap()), [0, 9, 3, 6]);
        assert_eq!(ids(store.lineage(3, 9).unwrap()), [3, 2, 1, 0]);
        assert_eq!(ids(store.fittest(2).unwrap()), [27, 24]);
    }

    #[test]
    fn a_full_disk_loses_nothing_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut full = store(&path);
        let pages: i64 = full
            .db
            .pragma_query_value(None, "page_count", |r| r.get(0))
            .unwrap();
        full.db
            .pragma_update(None, "max_page_count", pages + 40)
            .unwrap();
        let mut written = 0;
        let error = loop {
            let some: Vec<Child> = (written..written + 16).map(child).collect();
            match full.append(&some, &[]) {
                Ok(()) => written += 16,
                Err(error) => break error.to_string(),
            }
        };
        assert!(written > 0);
        assert!(
            error.contains("full") && error.contains("samara resume"),
            "{error}"
        );
        drop(full);

        let mut roomy = Store::resume(&path).unwrap();
        assert_eq!(roomy.len().unwrap(), written);
        roomy.append(&[child(written)], &[]).unwrap();
        assert_eq!(roomy.child(written - 1).unwrap(), Some(child(written - 1)));
        assert_eq!(roomy.len().unwrap(), written + 1);
    }
}
