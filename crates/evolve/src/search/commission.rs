//! Commissioning: which parents an iteration changes, and who is asked to.

use mutate::draw::weighted;
use qd::Archive;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Search;
use super::evaluate::Genome;
use super::propose::{Share, Task};
use crate::settings::Settings;

/// The parents of an iteration, drawn and not handed out yet.
pub(super) struct Draft {
    pub iteration: u64,
    /// Of each replica the parent, a partner, and the stream that draws the operator.
    replicas: Vec<(Genome, Option<Genome>, ChaCha8Rng)>,
}

impl Search<'_> {
    /// Draws parents for every replica of an iteration, from the map as it is.
    pub(super) fn draw(&self, iteration: u64) -> Draft {
        let Settings { search, rng, .. } = self.settings;
        let resident = |draw: &mut ChaCha8Rng| {
            let (_, elite) = self.archive.ask(draw).expect("the seed lives there");
            elite.genotype.clone()
        };
        let replica = |replica| {
            let mut draw = stream(*rng, iteration, replica, 0);
            let parent = resident(&mut draw);
            let partner = resident(&mut stream(*rng, iteration, replica, 2));
            let partner = Some(partner).filter(|genome| genome.id != parent.id);
            (parent, partner, draw)
        };
        Draft {
            iteration,
            replicas: (0..search.replicas).map(replica).collect(),
        }
    }

    /// Hands an iteration to the operators: always the whole of it, so that a run taken up again or made longer asks what
    /// the whole run would have asked.
    pub(super) fn commission(&mut self, draft: Draft) {
        let Settings { search, rng, .. } = self.settings;
        let batch = u64::from(search.batch);
        let iteration = draft.iteration;
        let weights = self.weights(iteration);
        let mut shares: Vec<Vec<Share>> = self.operators.iter().map(|_| Vec::new()).collect();
        for (replica, (parent, partner, mut draw)) in (0..).zip(draft.replicas) {
            let first = self.first_of(iteration) + u64::from(replica) * batch;
            let chosen = weighted(&mut draw, &weights).expect("one has a weight above 0");
            let mut share = Share {
                iteration,
                replica,
                first,
                wanted: Vec::new(),
                parent,
                partner,
                rng: stream(*rng, iteration, replica, 1),
            };
            for id in first..first + batch {
                let open = id >= self.stored && id <= self.settings.evaluations;
                let kept = self.kept.remove(&id).filter(|_| open);
                share.wanted.push(open && kept.is_none());
                if let Some(proposal) = kept {
                    let name = self.operators[chosen].name;
                    let _ = self.jobs.send(share.unborn(id, name, proposal));
                }
            }
            shares[chosen].push(share);
        }
        for (line, shares) in self.operators.iter().zip(shares) {
            if shares.iter().any(|share| share.wanted.contains(&true)) {
                // An operator that has failed has said so.
                let _ = line.tasks.send(Task::Propose(shares));
            }
        }
    }
}

/// The random stream of one replica in one iteration, for one purpose: 0 the parent and the operator, 1 what the operator
/// draws, 2 the partner; 3 that of a round of learning, by its number.
pub(super) fn stream(run: u64, iteration: u64, replica: u32, purpose: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (slot, part) in key
        .chunks_exact_mut(8)
        .zip([run, iteration, replica.into(), purpose])
    {
        slot.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
