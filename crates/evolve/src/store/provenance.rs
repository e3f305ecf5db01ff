//! What a run is made with, beside its settings.

use std::collections::BTreeMap;

use mutate::MadeWith;
use rusqlite::{Connection, params};
use serde::Serialize;

use super::Store;
use crate::Error;

/// What children are made with that the settings do not name, by name: `samara` its version, `model` the SHA-256 of the
/// model's file, `device`, `precision`, the versions of `python` and `numpy`; names that do not apply are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Provenance(pub MadeWith);

impl Store {
    /// Notes what the children from now on are made with; nothing where it is what was noted last.
    ///
    /// # Errors
    /// The disk is full, or the database cannot be written.
    pub fn note_provenance(&mut self, provenance: &Provenance) -> Result<(), Error> {
        let since = self.len()?;
        let earlier = self.provenances()?;
        // What was noted at this child already made none.
        let last = earlier.iter().rfind(|(before, _)| *before < since);
        let known = last.is_some_and(|(_, last)| last == provenance);
        let note = |db: &mut Connection| {
            let transaction = db.transaction()?;
            transaction.execute("DELETE FROM provenance WHERE since = ?", [since as i64])?;
            for (name, value) in provenance.0.iter().filter(|_| !known) {
                transaction.execute(
                    "INSERT INTO provenance (since, name, value) VALUES (?, ?, ?)",
                    params![since as i64, name, value],
                )?;
            }
            transaction.commit()
        };
        note(&mut self.db).map_err(|e| self.error(e))
    }

    /// What the run was made with, in order, each with the id of the first child it holds for. Of a run that noted
    /// nothing, samara's version.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn provenances(&self) -> Result<Vec<(u64, Provenance)>, Error> {
        let rows = self.list(
            "SELECT since, name, value FROM provenance ORDER BY since",
            [],
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?)),
        )?;
        let mut provenances: BTreeMap<u64, Provenance> = BTreeMap::new();
        for (since, name, value) in rows {
            provenances.entry(since).or_default().0.insert(name, value);
        }
        Ok(provenances.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{child, store};
    use super::*;

    fn made_with(pairs: &[(&str, &str)]) -> Provenance {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Provenance(pairs.iter().map(owned).collect())
    }

    #[test]
    fn a_run_says_what_it_was_made_with() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(&folder.path().join("run"));
        let version = made_with(&[("samara", env!("CARGO_PKG_VERSION"))]);
        assert_eq!(store.provenances().unwrap(), [(0, version)]);

        let cpu = made_with(&[("device", "cpu"), ("samara", "9")]);
        let gpu = made_with(&[("device", "cuda"), ("samara", "9")]);
        store.note_provenance(&cpu).unwrap();
        assert_eq!(store.provenances().unwrap(), [(0, cpu.clone())]);
        store.append(&[child(0), child(1)], &[]).unwrap();
        store.note_provenance(&cpu).unwrap();
        assert_eq!(store.provenances().unwrap(), [(0, cpu.clone())]);
        store.note_provenance(&gpu).unwrap();
        assert_eq!(
            store.provenances().unwrap(),
            [(0, cpu.clone()), (2, gpu.clone())]
        );
        store.note_provenance(&cpu).unwrap();
        assert_eq!(store.provenances().unwrap(), [(0, cpu.clone())]);
        store.note_provenance(&gpu).unwrap();
        store.append(&[child(2)], &[]).unwrap();
        store.note_provenance(&cpu).unwrap();
        assert_eq!(
            store.provenances().unwrap(),
            [(0, cpu.clone()), (2, gpu), (3, cpu)]
        );
    }
}
