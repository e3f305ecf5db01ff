//! Reading a run.

use std::sync::{Arc, PoisonError};

use qd::{Axis, Metrics};
use rusqlite::{OptionalExtension, Row};

use super::file::{VERSION, damaged};
use super::texts::{Column, KINDS, Kind, unzip};
use super::{Child, IterationMetrics, Spent, Status, Store, Stretch, Tally};
use crate::Error;
use mutate::{Cost, Lost, Reason};

impl Store {
    /// All stretches of work, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn stretches(&self) -> Result<Vec<Stretch>, Error> {
        self.list("SELECT * FROM stretch ORDER BY began", [], |row| {
            Ok(Stretch {
                children: row.get::<_, i64>("children")? as u64,
                seconds: row.get("seconds")?,
                threads: row.get("threads")?,
                busy: row.get("busy")?,
                proposing: row.get("proposing")?,
                lost: Lost {
                    requests: row.get::<_, i64>("lost_requests")? as u64,
                    prompt_tokens: row.get::<_, i64>("lost_prompt_tokens")? as u64,
                    dollars: row.get("lost_dollars")?,
                },
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
            .query_row("SELECT * FROM child WHERE id = ?", [id as i64], |row| {
                self.read(row)
            })
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
            "SELECT * FROM child WHERE id IN
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
            "SELECT * FROM child WHERE id IN
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
            .prepare_cached("SELECT * FROM child WHERE id >= ? AND id < ? ORDER BY id")
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
            let n = |name| row.get::<_, i64>(name).map(|n| n as u64);
            Ok(IterationMetrics {
                iteration: n("iteration")?,
                evaluations: n("evaluations")?,
                proposed: n("proposed")?,
                valid: n("valid")?,
                runnable: n("runnable")?,
                accepted: n("accepted")?,
                niches: n("niches")?,
                qd_score: row.get("qd_score")?,
                max_fitness: row.get("max_fitness")?,
            })
        })
    }

    /// What became of the children (without the seed) and what they took, per operator, status, reason and acceptance.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tallies(&self) -> Result<Vec<Tally>, Error> {
        self.list(
            "SELECT operator, status, reason, accepted, count(*), sum(prompt_tokens), sum(tokens),
               sum(propose_seconds), sum(dollars) FROM child WHERE id > 0
             GROUP BY operator, status, reason, accepted ORDER BY operator, count(*) DESC, reason",
            [],
            |row| {
                Ok(Tally {
                    operator: row.get(0)?,
                    status: status(row, 1)?,
                    reason: row.get(2)?,
                    accepted: row.get(3)?,
                    count: row.get::<_, i64>(4)? as u64,
                    spent: Spent {
                        prompt_tokens: row.get::<_, i64>(5)? as u64,
                        tokens: row.get::<_, i64>(6)? as u64,
                        propose_seconds: row.get(7)?,
                        dollars: row.get(8)?,
                    },
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

    /// The unified diff to a child's program from its parent's, with three lines of context and no header; empty for the
    /// seed and for what is invalid.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn diff(&self, child: &Child) -> Result<String, Error> {
        match child.parent {
            Some(parent) if child.status != Status::Invalid => self
                .text(parent, Kind::Program)
                .map(|old| edit::diff::unified(&old.unwrap_or_default(), &child.program))
                .map_err(|e| self.error(e)),
            _ => Ok(String::new()),
        }
    }

    /// One of a child's texts.
    pub(super) fn text(&self, id: u64, kind: Kind) -> rusqlite::Result<Option<String>> {
        if self.version < VERSION {
            return self.old_text(id, kind);
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match cache.get(id, kind) {
            None => {
                let sql = format!(
                    "SELECT first, children, {} FROM texts WHERE first <= ? ORDER BY first DESC LIMIT 1",
                    KINDS[kind as usize]
                );
                let read = |row: &Row<'_>| {
                    let packed = row.get_ref(2)?.as_blob_or_null()?;
                    let column = Column::unpack(packed, row.get::<_, u32>(1)? as usize);
                    Ok((row.get::<_, i64>(0)? as u64, column.map_err(damaged)?))
                };
                let mut statement = self.db.prepare_cached(&sql)?;
                if let Some((first, column)) = statement.query_row([id as i64], read).optional()? {
                    cache.keep(first, kind, Arc::new(column));
                }
                cache.get(id, kind)
            }
            found => found,
        };
        let (column, place) =
            found.ok_or_else(|| damaged(format!("the texts of child {id} are missing")))?;
        Ok(column.get(place).map(str::to_owned))
    }

    /// As [`Store::text`], from a database of an older version.
    fn old_text(&self, id: u64, kind: Kind) -> rusqlite::Result<Option<String>> {
        if kind == Kind::Told {
            return Ok(None);
        }
        let sql = format!("SELECT {} FROM source WHERE id = ?", KINDS[kind as usize]);
        let mut statement = self.db.prepare_cached(&sql)?;
        statement
            .query_row([id as i64], |row| match kind {
                Kind::Artifact => {
                    let packed = row.get_ref(0)?.as_blob_or_null()?;
                    packed.map(unzip).transpose().map_err(damaged)
                }
                _ => row.get(0),
            })
            .optional()?
            .ok_or_else(|| damaged(format!("the texts of child {id} are missing")))
    }

    pub(super) fn list<T>(
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
        let id = row.get::<_, i64>("id")? as u64;
        let code: Option<String> = row.get("reason")?;
        let reason = match code {
            Some(code) => {
                let message = self.text(id, Kind::Message)?;
                Some(Reason {
                    code,
                    message: message.unwrap_or_default(),
                })
            }
            None => None,
        };
        Ok(Child {
            id,
            iteration: row.get::<_, i64>("iteration")? as u64,
            replica: row.get("replica")?,
            operator: row.get("operator")?,
            parent: row.get::<_, Option<i64>>("parent")?.map(|id| id as u64),
            partner: row.get::<_, Option<i64>>("partner")?.map(|id| id as u64),
            status: status(row, "status")?,
            reason,
            measures: measures(row, &self.axes)?.unwrap_or_default(),
            fitness: row.get("fitness")?,
            niche: row.get("niche")?,
            accepted: row.get("accepted")?,
            seconds: row.get("seconds")?,
            at: row.get("at")?,
            cost: cost(row)?,
            told: self.text(id, Kind::Told)?,
            weights: row.get("weights")?,
            program: self.text(id, Kind::Program)?.unwrap_or_default(),
            artifact: self.text(id, Kind::Artifact)?,
        })
    }
}

/// A row's numbers on the axes; none where it has no score.
pub(super) fn measures(row: &Row<'_>, axes: &[Axis]) -> rusqlite::Result<Option<Vec<f64>>> {
    axes.iter()
        .map(|axis| row.get(axis.name.as_str()))
        .collect()
}

/// What proposing a row's child took.
pub(super) fn cost(row: &Row<'_>) -> rusqlite::Result<Cost> {
    Ok(Cost {
        prompt_tokens: row.get("prompt_tokens")?,
        tokens: row.get("tokens")?,
        seconds: row.get("propose_seconds")?,
        dollars: row.get("dollars")?,
    })
}

fn status(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<Status> {
    let name: String = row.get(column)?;
    Status::ALL
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(status, _)| *status)
        .ok_or_else(|| damaged(format!("unknown status {name:?}")))
}
