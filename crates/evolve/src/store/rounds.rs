//! Rounds of learning.
//!
//! Their table is there in runs in which an operator learned.

use mutate::Learned;
use rusqlite::params;
use serde::Serialize;

use super::file::damaged;
use super::{Store, now};
use crate::Error;

/// A round of learning, and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noted {
    /// The operator that learned.
    pub operator: String,
    /// Counted from 1; also the generation of the weights it made.
    pub round: u32,
    /// It learned from children with an id below this.
    pub bound: u64,
    /// Seconds it took, the trial included; the last sitting's where it was interrupted.
    pub seconds: f64,
    /// What it came to.
    #[serde(flatten)]
    pub learned: Learned,
}

/// What became of the children that one generation of an operator's weights wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "plain columns")]
pub struct Generation {
    pub operator: String,
    /// 0 as loaded.
    pub weights: u32,
    pub proposed: u64,
    pub valid: u64,
    pub runnable: u64,
    pub accepted: u64,
}

impl Store {
    /// Notes what a round of learning came to.
    ///
    /// # Errors
    /// The disk is full, or the database cannot be written.
    pub fn note_round(
        &mut self,
        operator: &str,
        round: u32,
        bound: u64,
        seconds: f64,
        learned: &Learned,
    ) -> Result<(), Error> {
        let report = serde_json::to_string(learned).expect("plain data");
        let note = || {
            self.db.execute_batch(
                "CREATE TABLE IF NOT EXISTS round (
                   operator TEXT NOT NULL, round INTEGER NOT NULL, bound INTEGER NOT NULL, at REAL NOT NULL,
                   seconds REAL NOT NULL, kept INTEGER NOT NULL, report TEXT NOT NULL,
                   PRIMARY KEY (operator, round)) WITHOUT ROWID",
            )?;
            self.db.execute(
                "INSERT OR REPLACE INTO round (operator, round, bound, at, seconds, kept, report)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    operator,
                    round,
                    bound as i64,
                    now(),
                    seconds,
                    learned.kept,
                    report
                ],
            )
        };
        note().map(drop).map_err(|e| self.error(e))
    }

    /// The rounds of learning, by operator and number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn rounds(&self) -> Result<Vec<Noted>, Error> {
        let there = self.list(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'round'",
            [],
            |_| Ok(()),
        )?;
        if there.is_empty() {
            return Ok(Vec::new());
        }
        self.list(
            "SELECT operator, round, bound, seconds, report FROM round ORDER BY operator, round",
            [],
            |row| {
                let (round, report): (u32, String) = (row.get(1)?, row.get(4)?);
                Ok(Noted {
                    operator: row.get(0)?,
                    round,
                    bound: row.get::<_, i64>(2)? as u64,
                    seconds: row.get(3)?,
                    learned: serde_json::from_str(&report)
                        .map_err(|e| damaged(format!("round {round}: {e}")))?,
                })
            },
        )
    }

    /// The children that models of our own wrote, by operator and generation of the weights.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn generations(&self) -> Result<Vec<Generation>, Error> {
        self.list(
            "SELECT operator, weights, count(*), sum(status != 'invalid'), sum(status IN ('unscored', 'scored')),
               sum(accepted) FROM child WHERE weights IS NOT NULL GROUP BY operator, weights ORDER BY operator, weights",
            [],
            |row| {
                let n = |i: usize| row.get::<_, i64>(i).map(|n| n as u64);
                Ok(Generation {
                    operator: row.get(0)?,
                    weights: row.get(1)?,
                    proposed: n(2)?,
                    valid: n(3)?,
                    runnable: n(4)?,
                    accepted: n(5)?,
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{child, store};
    use super::*;

    #[test]
    fn rounds_and_generations_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut store = store(&path);
        assert!(store.rounds().unwrap().is_empty());
        let kept = Learned {
            kept: true,
            why: "better".to_owned(),
            lessons: 7,
            loss: Some(0.1 + 0.2),
            ..Learned::default()
        };
        store
            .note_round("learned", 2, 9, 0.5, &Learned::default())
            .unwrap();
        store.note_round("learned", 1, 5, 1.5, &kept).unwrap();
        let mut children = [child(0), child(1), child(2)];
        children[1].weights = Some(1);
        children[2].weights = Some(1);
        store.append(&children, &[]).unwrap();
        let store = Store::open(&path).unwrap();
        let rounds = store.rounds().unwrap();
        let first = Noted {
            operator: "learned".to_owned(),
            round: 1,
            bound: 5,
            seconds: 1.5,
            learned: kept,
        };
        assert_eq!((rounds.len(), &rounds[0]), (2, &first));
        let generations = store.generations().unwrap();
        assert_eq!(generations.len(), 1);
        assert_eq!((generations[0].weights, generations[0].proposed), (1, 2));
    }
}
