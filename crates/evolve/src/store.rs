//! The run store: one folder a run, holding every child that was ever proposed.
//!
//! `run.sqlite` is the truth, `settings.toml` a copy of its settings for people. Children are written
//! strictly in order of their id, a few at a time, each time in one transaction; so the store is always the
//! beginning of the run it belongs to, and what was written survives the death of the process.
//!
//! The narrow table `child` can be counted and sorted over a million rows in a moment, with any SQLite; the texts
//! stand compressed in `texts` (`texts.rs`). [`Store::query`] answers questions in SQL about both.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use qd::Axis;
use rusqlite::{Connection, OpenFlags, params};

use crate::Error;
use crate::settings::Settings;
use file::{
    APPLICATION, NOT_A_RUN, SALVAGE, VERSION, column, damaged, database_error, disguise, existing,
    is_for_writers, lock, migration, prepare, schema, uri_path,
};
use texts::{Cache, Tail, unzip};

mod admitted;
mod child;
mod file;
mod kept;
mod lessons;
mod provenance;
mod read;
mod rounds;
mod sql;
#[cfg(test)]
mod tests;
mod texts;

pub use admitted::Admitted;
pub use child::{Child, IterationMetrics, Spent, Status, Stretch, Tally};
pub use provenance::Provenance;
pub use rounds::{Generation, Noted};
/// A value in SQL.
pub use rusqlite::types::Value as SqlValue;

/// The database's file name in the run's folder.
pub const DATABASE: &str = "run.sqlite";
/// The copy of the settings.
pub const SETTINGS: &str = "settings.toml";

/// The folder of the weights that learn in the run.
pub const WEIGHTS: &str = "weights";

/// An open run.
pub struct Store {
    folder: PathBuf,
    db: Connection,
    axes: Vec<Axis>,
    settings: Settings,
    condition: String,
    /// The format of the file.
    version: i32,
    /// The last block of texts, once children were appended.
    tail: Option<Tail>,
    cache: Arc<Mutex<Cache>>,
    /// Held while this process may write.
    _lock: Option<File>,
}

impl Store {
    /// Makes a new run in a folder that does not exist yet, or is empty: with the axes of its map and the condition under
    /// which its programs are tried ([`crate::domain::Case`]).
    ///
    /// # Errors
    /// The folder holds something, or cannot be written.
    pub fn create(
        folder: &Path,
        settings: &Settings,
        axes: &[Axis],
        condition: &str,
    ) -> Result<Self, Error> {
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
        let axes_json = serde_json::to_string(axes).expect("plain data");
        let db = (|| {
            let mut db = Connection::open(&path)?;
            prepare(&db)?;
            let transaction = db.transaction()?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.execute_batch(&schema(axes))?;
            transaction.execute(
                "INSERT INTO run (settings, terrain, samara) VALUES (?, ?, ?)",
                params![text, condition, env!("CARGO_PKG_VERSION")],
            )?;
            transaction.execute_batch(&migration(1))?;
            transaction.execute("UPDATE run SET axes = ?", [axes_json])?;
            transaction.commit()?;
            Ok(db)
        })()
        .map_err(|e| database_error(&path, e))?;
        Ok(Self {
            folder: folder.to_owned(),
            db,
            axes: axes.to_vec(),
            settings: settings.clone(),
            condition: condition.to_owned(),
            version: VERSION,
            tail: None,
            cache: Arc::default(),
            _lock: Some(lock),
        })
    }

    /// Opens a run to go on with it. One of an older format is brought up to date.
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
        if store.version < VERSION {
            store.migrate().map_err(|e| store.error(e))?;
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
        let store = Self::load(folder, &path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        if store.version < VERSION {
            store
                .db
                .execute_batch(&disguise(store.version))
                .map_err(|e| store.error(e))?;
        }
        Ok(store)
    }

    /// Brings the file up to [`VERSION`], all or nothing: adds what newer formats have, and compresses the texts.
    fn migrate(&mut self) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        transaction.execute_batch(&migration(self.version))?;
        let mut tail = Tail::load(&transaction)?;
        {
            let mut sources = transaction
                .prepare("SELECT id, program, message, artifact FROM source ORDER BY id")?;
            let mut rows = sources.query([])?;
            while let Some(row) = rows.next()? {
                let id = row.get::<_, i64>(0)? as u64;
                if id != tail.next() {
                    return Err(damaged(format!("child {} is missing", tail.next())));
                }
                let artifact = row.get_ref(3)?.as_blob_or_null()?;
                let artifact = artifact.map(unzip).transpose().map_err(damaged)?;
                let texts = [
                    row.get_ref(1)?.as_str_or_null()?,
                    row.get_ref(2)?.as_str_or_null()?,
                    None,
                    artifact.as_deref(),
                ];
                tail.push(&transaction, texts)?;
            }
        }
        tail.write(&transaction)?;
        transaction.execute_batch("DROP TABLE source")?;
        let axes = serde_json::to_string(&self.axes).expect("plain data");
        transaction.execute("UPDATE run SET axes = ?", [axes])?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        self.version = VERSION;
        Ok(())
    }

    fn load(folder: &Path, path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        let fail = |e| database_error(path, e);
        let (db, application) = open(path, flags).map_err(fail)?;
        let version: i32 = db
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(fail)?;
        if application != APPLICATION {
            return Err(Error::file(path, "not a run of samara", NOT_A_RUN));
        }
        if !(1..=VERSION).contains(&version) {
            return Err(Error::file(
                path,
                format!("a run of format {version}; this samara knows formats up to {VERSION}"),
                "use the samara that made it, or a newer one",
            ));
        }
        db.busy_timeout(std::time::Duration::from_secs(10))
            .map_err(fail)?;
        let (settings, condition): (String, String) = db
            .query_row("SELECT settings, terrain FROM run", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(fail)?;
        let unknown = |why: String| {
            let why = format!("this samara does not understand the run's settings: {why}");
            Error::file(path, why, "use the samara that made it, or a newer one")
        };
        let settings = Settings::stored(&settings).map_err(unknown)?;
        let axes = match version {
            VERSION => axes(&db).map_err(fail)?,
            _ => older_axes(&db, &settings).map_err(fail)?,
        };
        Ok(Self {
            folder: folder.to_owned(),
            db,
            axes,
            settings,
            condition,
            version,
            tail: None,
            cache: Arc::default(),
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

    /// The axes of the map.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Niches of the map, filled or not.
    pub fn niches(&self) -> u64 {
        self.axes.iter().map(|axis| u64::from(axis.bins)).product()
    }

    /// Under what the programs of the run are tried, as the domain has it.
    pub fn condition(&self) -> &str {
        &self.condition
    }

    /// Replaces the run's settings: to go on longer or to end earlier, with another endpoint or device. What they say
    /// of the children that are there is the caller's to answer for.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_settings(&mut self, settings: Settings) -> Result<(), Error> {
        if settings == self.settings {
            return Ok(());
        }
        let text = settings.to_toml();
        self.db
            .execute("UPDATE run SET settings = ?", [&text])
            .map_err(|e| self.error(e))?;
        self.settings = settings;
        let path = self.folder.join(SETTINGS);
        std::fs::write(&path, text).map_err(|e| Error::file(path, e, "make the folder writable"))
    }

    /// Sets the number of evaluation threads for this process.
    pub fn set_threads(&mut self, threads: usize) {
        self.settings.threads = threads;
    }

    /// Appends the next children and the metrics of iterations they complete, all or nothing. What was kept for these
    /// children ([`Store::keep`]) goes.
    ///
    /// # Errors
    /// The disk is full, the database cannot be written, or a child is not the next one.
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
        let measures: String = self
            .axes
            .iter()
            .map(|axis| format!(", {}", column(axis)))
            .collect();
        let marks = ", ?".repeat(self.axes.len());
        let transaction = self.db.transaction()?;
        // Where this fails, what is at hand of the last block may be ahead of the file: it is read again.
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => Tail::load(&transaction)?,
        };
        {
            let mut child_row = transaction.prepare_cached(&format!(
                "INSERT INTO child (id, iteration, replica, operator, parent, partner, status, reason, fitness, niche,
                   accepted, length, seconds, at, prompt_tokens, tokens, propose_seconds, dollars, weights{measures})
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?{marks})",
            ))?;
            for child in children {
                if child.id != tail.next() {
                    let (id, next) = (child.id, tail.next());
                    return Err(damaged(format!(
                        "texts of {next} children, then child {id}"
                    )));
                }
                let reason = child.reason.as_ref();
                let head = params![
                    child.id as i64,
                    child.iteration as i64,
                    child.replica,
                    child.operator,
                    child.parent.map(|id| id as i64),
                    child.partner.map(|id| id as i64),
                    child.status.name(),
                    reason.map(|r| &r.code),
                    child.fitness,
                    child.niche,
                    child.accepted,
                    child.program.len() as i64,
                    child.seconds,
                    child.at,
                    child.cost.prompt_tokens,
                    child.cost.tokens,
                    child.cost.seconds,
                    child.cost.dollars,
                    child.weights,
                ];
                for (i, value) in head.iter().enumerate() {
                    child_row.raw_bind_parameter(i + 1, value)?;
                }
                for i in 0..self.axes.len() {
                    child_row.raw_bind_parameter(head.len() + i + 1, child.measures.get(i))?;
                }
                child_row.raw_execute()?;
                let texts = [
                    Some(child.program.as_str()),
                    reason.map(|reason| reason.message.as_str()),
                    child.told.as_deref(),
                    child.artifact.as_deref(),
                ];
                tail.push(&transaction, texts)?;
            }
            if !children.is_empty() {
                tail.write(&transaction)?;
                transaction
                    .prepare_cached("DELETE FROM kept WHERE id < ?")?
                    .execute([tail.next() as i64])?;
            }
            let mut metrics_row = transaction.prepare_cached(
                "INSERT OR REPLACE INTO iteration (iteration, evaluations, proposed, valid, runnable, accepted, niches,
                   qd_score, max_fitness) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        transaction.commit()?;
        self.tail = Some(tail);
        Ok(())
    }

    /// Notes a stretch of work; one call per start or resume, updated as it goes on.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_stretch(&mut self, began: f64, stretch: &Stretch) -> Result<(), Error> {
        self.db
            .execute(
                "INSERT OR REPLACE INTO stretch (began, children, seconds, threads, busy, proposing, lost_requests,
                   lost_prompt_tokens, lost_dollars) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    began,
                    stretch.children as i64,
                    stretch.seconds,
                    stretch.threads,
                    stretch.busy,
                    stretch.proposing,
                    stretch.lost.requests as i64,
                    stretch.lost.prompt_tokens as i64,
                    stretch.lost.dollars,
                ],
            )
            .map(drop)
            .map_err(|e| self.error(e))
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        database_error(&self.folder.join(DATABASE), source)
    }
}

/// Opens a run's database and reads whose it is.
fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<(Connection, i32)> {
    let ours = |db: Connection| {
        let ours = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok((db, ours))
    };
    let cannot = match Connection::open_with_flags(path, flags).and_then(ours) {
        // SQLite keeps an index of its log beside the database, which a reader who may not write there cannot make.
        Err(e) if flags == OpenFlags::SQLITE_OPEN_READ_ONLY && is_for_writers(&e) => e,
        answer => return answer,
    };
    // Nobody else writes there either, so that no locks are needed and the index may stand in memory.
    let uri = |what| format!("file:{}?{what}", uri_path(path));
    let flags = flags | OpenFlags::SQLITE_OPEN_URI;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        let db = Connection::open_with_flags(uri("vfs=unix-none"), flags)?;
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        return ours(db).map_err(|_| cannot);
    }
    ours(Connection::open_with_flags(uri("immutable=1"), flags)?)
}

fn axes(db: &Connection) -> rusqlite::Result<Vec<Axis>> {
    let text: String = db.query_row("SELECT axes FROM run", [], |row| row.get(0))?;
    serde_json::from_str(&text).map_err(|e| damaged(format!("axes: {e}")))
}

/// The axes of a run whose file does not hold them: the last columns of the table `child` that are named in the
/// settings' section `[map]`.
fn older_axes(db: &Connection, settings: &Settings) -> rusqlite::Result<Vec<Axis>> {
    #[derive(serde::Deserialize)]
    struct Range {
        low: f64,
        high: f64,
        bins: u32,
    }
    let map = settings.sections.get("map").and_then(toml::Value::as_table);
    let mut columns = db.prepare("SELECT name FROM pragma_table_info('child') ORDER BY cid")?;
    let names = columns.query_map([], |row| row.get::<_, String>(0))?;
    let mut axes = Vec::new();
    for name in names {
        let name = name?;
        let Some(range) = map.and_then(|map| map.get(&name)) else {
            continue;
        };
        let range: Range = range
            .clone()
            .try_into()
            .map_err(|e| damaged(format!("map.{name}: {e}")))?;
        axes.push(Axis {
            name,
            low: range.low,
            high: range.high,
            bins: range.bins,
        });
    }
    Ok(axes)
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}
