//! Questions in SQL.
//!
//! A connection of ours has the views `children` and `map` with the texts in plain, by functions that unpack them.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;

use super::file::{VERSION, damaged};
use super::texts::{Cache, Column, Kind, unzip};
use super::{SqlValue, Store};
use crate::Error;

impl Store {
    /// Answers a question in SQL about the run: calls `each` with the columns' names and with every row. Returns the
    /// columns' names.
    ///
    /// # Errors
    /// A query that is none, or that is not one that only reads; a database that cannot be read; what `each` says.
    pub fn query<E: From<Error>>(
        &self,
        sql: &str,
        mut each: impl FnMut(&[String], Vec<SqlValue>) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let wrong = |why: String| {
            let mend = "docs/store.md describes the tables, the views and their columns";
            Error::setting("query", why, mend)
        };
        self.register().map_err(|e| self.error(e))?;
        let mut statement = self.db.prepare(sql).map_err(|e| wrong(e.to_string()))?;
        if !statement.readonly() {
            return Err(wrong("it would change the run".to_owned()).into());
        }
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).map_err(|e| wrong(e.to_string()))?;
        while let Some(row) = rows.next().map_err(|e| self.error(e))? {
            let cells: rusqlite::Result<Vec<Value>> =
                (0..names.len()).map(|i| row.get(i)).collect();
            each(&names, cells.map_err(|e| self.error(e))?)?;
        }
        Ok(names)
    }

    /// The functions and the views of this connection.
    fn register(&self) -> rusqlite::Result<()> {
        functions(&self.db, &self.cache)?;
        self.db.execute_batch(views(self.version))
    }
}

fn functions(db: &Connection, cache: &Arc<Mutex<Cache>>) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    let cache = cache.clone();
    // text_of(kind, child's id, block's first child, its number of children, its frame of that kind)
    db.create_scalar_function("text_of", 5, flags, move |call| {
        let name: String = call.get(0)?;
        let kind = Kind::named(&name).ok_or_else(|| damaged(format!("no text {name:?}")))?;
        let (id, first) = (call.get::<i64>(1)? as u64, call.get::<i64>(2)? as u64);
        let children: u32 = call.get(3)?;
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.get(id, kind).is_none() {
            let packed = call.get_raw(4).as_blob_or_null()?;
            let column = Column::unpack(packed, children as usize).map_err(damaged)?;
            cache.keep(first, kind, Arc::new(column));
        }
        let found = cache.get(id, kind);
        Ok(found.and_then(|(column, place)| column.get(place).map(str::to_owned)))
    })?;
    db.create_scalar_function("unified_diff", 2, flags, |call: &mut Context<'_>| {
        let text = |i| -> rusqlite::Result<String> {
            Ok(call.get::<Option<String>>(i)?.unwrap_or_default())
        };
        Ok(edit::diff::unified(&text(0)?, &text(1)?))
    })?;
    db.create_scalar_function("unzip", 1, flags, |call: &mut Context<'_>| {
        let packed = call.get_raw(0).as_blob_or_null()?;
        packed.map(unzip).transpose().map_err(damaged)
    })
}

fn views(version: i32) -> &'static str {
    match version {
        VERSION => {
            "CREATE TEMP VIEW IF NOT EXISTS children AS SELECT child.*,
  text_of('program', child.id, own.first, own.children, own.program) AS program,
  CASE WHEN child.parent IS NULL OR child.status = 'invalid' THEN '' ELSE unified_diff(
    text_of('program', child.parent, old.first, old.children, old.program),
    text_of('program', child.id, own.first, own.children, own.program)) END AS diff,
  text_of('message', child.id, own.first, own.children, own.message) AS message,
  text_of('told', child.id, own.first, own.children, own.told) AS told,
  text_of('artifact', child.id, own.first, own.children, own.artifact) AS artifact
FROM child
JOIN texts own ON own.first = (SELECT max(first) FROM texts WHERE first <= child.id)
LEFT JOIN texts old ON old.first = (SELECT max(first) FROM texts WHERE first <= child.parent);
CREATE TEMP VIEW IF NOT EXISTS map AS SELECT * FROM children WHERE id IN
  (SELECT max(id) FROM child WHERE accepted GROUP BY niche);"
        }
        _ => {
            "CREATE TEMP VIEW IF NOT EXISTS children AS SELECT child.*, own.program,
  CASE WHEN child.parent IS NULL OR child.status = 'invalid' THEN ''
    ELSE unified_diff(old.program, own.program) END AS diff,
  own.message, NULL AS told, unzip(own.artifact) AS artifact
FROM child JOIN source own ON own.id = child.id LEFT JOIN source old ON old.id = child.parent;
CREATE TEMP VIEW IF NOT EXISTS map AS SELECT * FROM children WHERE id IN
  (SELECT max(id) FROM child WHERE accepted GROUP BY niche);"
        }
    }
}
