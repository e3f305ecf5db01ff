//! Proposals that are here before their turn.
//!
//! The answers of an endpoint come in any order and are paid for, while the children of a store are the beginning of a
//! run, strictly in order. What came early waits here, where the death of the process does not lose it.

use rusqlite::params;

use super::Store;
use super::read::cost;
use crate::Error;
use mutate::{Proposal, Reason};

impl Store {
    /// Keeps proposals, each with the id that its child will have, until [`Store::append`] takes that child; all or none.
    /// One that is kept already is replaced; one whose child is in the store is ignored.
    ///
    /// # Errors
    /// The disk is full, or the database cannot be written.
    pub fn keep(&mut self, proposals: &[(u64, Proposal)]) -> Result<(), Error> {
        self.try_keep(proposals).map_err(|e| self.error(e))
    }

    fn try_keep(&mut self, proposals: &[(u64, Proposal)]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        {
            let mut row = transaction.prepare_cached(
                "INSERT OR REPLACE INTO kept (id, program, reason, message, crossed, prompt_tokens, tokens,
                   propose_seconds, dollars, told, weights)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
                 WHERE ?1 > (SELECT coalesce(max(id), -1) FROM child)",
            )?;
            for (id, proposal) in proposals {
                let reason = proposal.program.as_ref().err();
                row.execute(params![
                    *id as i64,
                    proposal.program.as_ref().ok(),
                    reason.map(|reason| &reason.code),
                    reason.map(|reason| &reason.message),
                    proposal.crossed,
                    proposal.cost.prompt_tokens,
                    proposal.cost.tokens,
                    proposal.cost.seconds,
                    proposal.cost.dollars,
                    proposal.told,
                    proposal.weights,
                ])?;
            }
        }
        transaction.commit()
    }

    /// The proposals that wait for their turn, by the ids that their children will have.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn kept(&self) -> Result<Vec<(u64, Proposal)>, Error> {
        self.list("SELECT * FROM kept ORDER BY id", [], |row| {
            let program = match row.get("program")? {
                Some(program) => Ok(program),
                None => Err(Reason {
                    code: row.get("reason")?,
                    message: row.get("message")?,
                }),
            };
            let proposal = Proposal {
                program,
                crossed: row.get("crossed")?,
                cost: cost(row)?,
                told: row.get("told")?,
                weights: row.get("weights")?,
            };
            Ok((row.get::<_, i64>("id")? as u64, proposal))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{child, store};
    use super::*;
    use mutate::Cost;

    #[test]
    fn what_came_early_waits_for_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let cost = Cost {
            prompt_tokens: u32::MAX,
            tokens: 3,
            seconds: 0.1 + 0.2,
            dollars: 1.0 / 3.0,
        };
        let good = Proposal {
            program: Ok("x = '\0'\r\n".to_owned()),
            crossed: true,
            cost,
            told: Some(String::new()),
            weights: Some(7),
        };
        let failed = Proposal {
            program: Err(Reason {
                code: "answer-refused".to_owned(),
                message: "it would not".to_owned(),
            }),
            crossed: false,
            told: Some("Make it faster".to_owned()),
            weights: None,
            ..good.clone()
        };
        let plain = Proposal::from(Ok(String::new()));
        let early = [(2, good.clone()), (1, failed.clone()), (5, plain.clone())];
        let mut store = store(&path);
        store.append(&[child(0)], &[]).unwrap();
        store.keep(&early).unwrap();
        store
            .keep(&[(2, good.clone()), (0, plain.clone())])
            .unwrap();
        drop(store);

        let mut store = Store::resume(&path).unwrap();
        let waiting = [(1, failed), (2, good), (5, plain)];
        assert_eq!(store.kept().unwrap(), waiting);
        store.append(&[child(1)], &[]).unwrap();
        assert_eq!(store.kept().unwrap(), waiting[1..]);
        store.append(&[child(2), child(3)], &[]).unwrap();
        assert_eq!(Store::open(&path).unwrap().kept().unwrap(), waiting[2..]);
    }
}
