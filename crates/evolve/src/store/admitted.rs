//! The programs that a run's map ever took, for those who learn to write such.

use super::Store;
use super::read::measures;
use super::texts::Kind;
use crate::Error;

/// A program that the map took.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// The child's number.
    pub id: u64,
    /// Its niche.
    pub niche: u32,
    /// Its fitness.
    pub fitness: f64,
    /// One number per axis.
    pub measures: Vec<f64>,
    /// The program.
    pub program: String,
}

impl Store {
    /// Calls `each` with every program that the map took, in order, or with the champions alone: with those of which `wanted` says so of
    /// their niche and fitness. Every block of texts is unpacked once at most.
    ///
    /// # Errors
    /// The database cannot be read, or `each` fails.
    pub fn each_admitted<E: From<Error>>(
        &self,
        champions: bool,
        mut wanted: impl FnMut(u32, f64) -> bool,
        mut each: impl FnMut(Admitted) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |e| E::from(self.error(e));
        let which = match champions {
            true => "id IN (SELECT max(id) FROM child WHERE accepted GROUP BY niche)",
            false => "accepted",
        };
        let sql = format!("SELECT * FROM child WHERE {which} ORDER BY id");
        let mut statement = self.db.prepare_cached(&sql).map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let read = || {
                Ok(Admitted {
                    id: row.get::<_, i64>("id")? as u64,
                    niche: row.get("niche")?,
                    fitness: row.get("fitness")?,
                    measures: measures(row, &self.axes)?.unwrap_or_default(),
                    program: String::new(),
                })
            };
            let mut admitted: Admitted = read().map_err(fail)?;
            if !wanted(admitted.niche, admitted.fitness) {
                continue;
            }
            admitted.program = self
                .text(admitted.id, Kind::Program)
                .map_err(fail)?
                .unwrap_or_default();
            each(admitted)?;
        }
        Ok(())
    }
}
