//! A run's changes, for those who learn from them.

use std::collections::HashMap;

use mutate::Lesson;

use super::Store;
use super::texts::Kind;
use crate::Error;

/// Bytes of parents' programs kept until their last child.
const AT_HAND: usize = 256 << 20;

/// Children that have a program and a parent.
const CHANGES: &str = "FROM child JOIN child old ON old.id = child.parent
    WHERE child.id < ?1 AND child.status <> 'invalid' AND child.accepted >= ?2";

impl Store {
    /// Calls `each` with the change that made each child of an id below `bound`, in order: those that the map took, or all
    /// that have a program. Every block of texts is unpacked once.
    ///
    /// # Errors
    /// The database cannot be read, or `each` fails.
    pub fn each_lesson(
        &self,
        bound: u64,
        accepted_only: bool,
        mut each: impl FnMut(Lesson) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let fail = |e| self.error(e);
        let which = (bound.min(i64::MAX as u64) as i64, accepted_only);
        // By parent: the last child that needs it.
        let mut last: HashMap<u64, u64> = HashMap::new();
        let sql = format!("SELECT child.parent, max(child.id) {CHANGES} GROUP BY child.parent");
        let pairs = self.list(&sql, which, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        last.extend(
            pairs
                .into_iter()
                .map(|(parent, id)| (parent as u64, id as u64)),
        );
        let mut parents: Vec<u64> = last.keys().copied().collect();
        parents.sort_unstable();
        let mut parents = parents.into_iter().peekable();
        let (mut held, mut bytes) = (HashMap::<u64, String>::new(), 0);
        let sql = format!(
            "SELECT child.id, child.parent, child.operator, child.accepted, child.niche, child.fitness,
               old.fitness {CHANGES} ORDER BY child.id"
        );
        let source = self.folder().display().to_string();
        let mut statement = self.db.prepare_cached(&sql).map_err(fail)?;
        let mut rows = statement.query(which).map_err(fail)?;
        let program = |id| {
            let text = self.text(id, Kind::Program).map_err(fail)?;
            Ok::<_, Error>(text.unwrap_or_default())
        };
        while let Some(row) = rows.next().map_err(fail)? {
            let read = || {
                Ok(Lesson {
                    source: source.clone(),
                    id: row.get::<_, i64>(0)? as u64,
                    operator: row.get(2)?,
                    told: None,
                    file: None,
                    parent: String::new(),
                    child: String::new(),
                    accepted: row.get(3)?,
                    niche: row.get(4)?,
                    fitness: row.get(5)?,
                    parent_fitness: row.get(6)?,
                })
            };
            let mut lesson: Lesson = read().map_err(fail)?;
            let parent = row.get::<_, i64>(1).map_err(fail)? as u64;
            // Texts are read in the order of ids, so that a block is unpacked for all that it holds.
            while let Some(id) = parents.next_if(|id| *id < lesson.id) {
                let text = program(id)?;
                if bytes + text.len() <= AT_HAND {
                    bytes += text.len();
                    held.insert(id, text);
                }
            }
            let done = last.get(&parent) == Some(&lesson.id);
            lesson.parent = match done {
                true => held.remove(&parent).inspect(|text| bytes -= text.len()),
                false => held.get(&parent).cloned(),
            }
            .map_or_else(|| program(parent), Ok)?;
            lesson.child = program(lesson.id)?;
            lesson.told = self.text(lesson.id, Kind::Told).map_err(fail)?;
            each(lesson)?;
        }
        Ok(())
    }
}
