//! Proximal policy optimisation (Schulman et al. 2017) of a model that writes programs for a context, in one file: each detail stands where
//! it is done, with its source.
//!
//! An episode is a program: its tokens are the actions, what stands before a token the state. The reward is the program's, at its last token, less at every
//! token a penalty for leaving the reference model (Ziegler et al. 2019; Lehman et al. 2022, section 3.3). Policy and value are
//! two models, each with its own network that makes vectors of contexts (section 3.3).

use std::collections::BTreeMap;

use edit::hash;
use lm::Error;
use lm::train::{Scores, Step, Text, Trainer, Tree};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::ten::{Context, Passed, Ten};

/// The numbers of the algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Readings of an iteration's episodes.
    pub epochs: u32,
    /// Updates of a reading.
    pub minibatches: usize,
    /// The policy's highest learning rate; it falls to 0 in a straight line over the iterations (Huang et al. 2022, detail 4).
    pub rate: f32,
    /// The value model's.
    pub value_rate: f32,
    /// The networks' that make vectors, which begin from nothing.
    pub ten_rate: f32,
    /// Discount; 1, since an episode is short and its reward comes at its end.
    pub gamma: f32,
    /// Of generalised advantage estimation (Schulman et al. 2016).
    pub lambda: f32,
    /// How far the ratio of new and old probability counts.
    pub clip: f32,
    /// How far a new value counts from the old one.
    pub value_clip: f32,
    /// The penalty for a nat that the policy finds a token likelier than the reference does.
    pub kl: f32,
    /// The seed of every draw.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: 1,
            minibatches: 8,
            rate: 2e-4,
            value_rate: 1e-3,
            ten_rate: 1e-3,
            gamma: 1.0,
            lambda: 0.95,
            clip: 0.2,
            value_clip: 0.2,
            kl: 0.05,
            seed: 0,
        }
    }
}

/// The largest norm of a gradient; one for each model and each network.
const NORM: f32 = 1.0;

/// A program that was written for a context, and what it earned.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Which context, by its place.
    pub context: usize,
    /// What stood before it.
    pub start: Vec<u32>,
    /// The tokens drawn, with the one that ended it where one did.
    pub tokens: Vec<u32>,
    /// What it earned at its end.
    pub reward: f32,
}

impl Episode {
    /// As a trainer reads it: every drawn token counts.
    fn tree(&self, prefix: &[f32]) -> Tree {
        let tokens: Vec<u32> = self.start.iter().chain(&self.tokens).copied().collect();
        let text = Text {
            chosen: (0..tokens.len()).map(|at| at >= self.start.len()).collect(),
            tokens,
        };
        Tree {
            prefix: prefix.to_vec(),
            ..Tree::sequence(text)
        }
    }
}

/// A model that learns, and the network that makes its prefix.
pub struct Learner<'a> {
    /// The model.
    pub model: &'a mut dyn Trainer,
    /// The network.
    pub ten: &'a mut Ten,
}

impl Learner<'_> {
    /// The vectors of all contexts.
    fn prefixes(&self, contexts: &[Context]) -> Result<Vec<(Vec<f32>, Passed)>, Error> {
        contexts
            .iter()
            .map(|context| self.ten.forward(context))
            .collect()
    }

    fn score(&mut self, episodes: &[Episode], contexts: &[Context]) -> Result<Vec<Scores>, Error> {
        let prefixes = self.prefixes(contexts)?;
        scored(self.model, episodes, |context| &prefixes[context].0)
    }

    /// One update along the gradient that `weigh` gives of these episodes, to the model and to its network.
    pub(crate) fn climb(
        &mut self,
        episodes: &[&Episode],
        contexts: &[Context],
        rates: [f32; 2],
        weigh: &mut dyn FnMut(usize, &Scores) -> Scores,
    ) -> Result<f32, Error> {
        let prefixes = self.prefixes(contexts)?;
        let trees: Vec<Tree> = episodes
            .iter()
            .map(|episode| episode.tree(&prefixes[episode.context].0))
            .collect();
        let climbed = self.model.gradient(&trees, weigh)?;
        // In the order of episodes, so that the sum has one order.
        let mut sums: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        for (episode, climbed) in episodes.iter().zip(climbed) {
            let zeros = || vec![0.0; climbed.prefix.len()];
            let sum = sums.entry(episode.context).or_insert_with(zeros);
            sum.iter_mut()
                .zip(&climbed.prefix)
                .for_each(|(sum, g)| *sum += g);
        }
        for (context, sum) in sums {
            self.ten.backward(&prefixes[context].1, &sum);
        }
        let step = |rate| Step {
            rate,
            decay: 0.0,
            clip: NORM,
        };
        self.ten.update(step(rates[1]));
        self.model.update(step(rates[0]))
    }
}

/// The scores of episodes under a model.
fn scored<'a>(
    model: &mut dyn Trainer,
    episodes: &[Episode],
    prefix: impl Fn(usize) -> &'a [f32],
) -> Result<Vec<Scores>, Error> {
    let mut all = Vec::with_capacity(episodes.len());
    for part in episodes.chunks(64) {
        let trees: Vec<Tree> = part.iter().map(|e| e.tree(prefix(e.context))).collect();
        all.extend(model.score(&trees)?);
    }
    Ok(all)
}

/// What an iteration came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Mean reward, without the penalty.
    pub reward: f64,
    /// Nats by which the policy leaves the reference, of an episode.
    pub kl: f64,
    /// Nats of a token: how undecided the policy is.
    pub entropy: f64,
    /// Share of tokens whose ratio was clipped.
    pub clipped: f64,
    /// Largest distance of a ratio from 1 in the first minibatch, where it must be 1.
    pub first_ratio: f64,
    /// Mean square error of the values.
    pub value_error: f64,
    /// Share of the returns' variance that the values explain.
    pub explained: f64,
    /// Length of the policy's gradients, mean.
    pub norm: f64,
}

/// One iteration: advantages of the episodes, then the updates. With `warm_up` the value model alone learns.
///
/// # Errors
/// Whatever the trainers say.
pub fn iterate(
    settings: &Settings,
    policy: &mut Learner<'_>,
    value: &mut Learner<'_>,
    reference: &mut dyn Trainer,
    contexts: &[Context],
    episodes: &[Episode],
    place: Place,
) -> Result<Report, Error> {
    // The probabilities under which the tokens count as drawn are the trainer's own, whatever numbers the sampler had.
    let old = policy.score(episodes, contexts)?;
    let values = value.score(episodes, contexts)?;
    // The reference reads no prefix: it is the model before it was asked for anything.
    let known = scored(reference, episodes, |_| &[])?;
    // A value model that knows nothing yet is not held back.
    let settings = &Settings {
        value_clip: if place.warm_up {
            f32::INFINITY
        } else {
            settings.value_clip
        },
        ..settings.clone()
    };
    let all: Vec<Estimate> = (0..episodes.len())
        .map(|at| {
            let rewards = rewards(settings, &old[at], &known[at], episodes[at].reward);
            estimate(settings, &rewards, &values[at].values)
        })
        .collect();
    let mut report = measure(episodes, &old, &known, &all, &values);
    let advantages = whitened(all.iter().map(|estimate| &estimate.advantages));
    let left = 1.0 - place.iteration as f32 / place.iterations.max(1) as f32;
    let (mut clipped, mut tokens, mut norms) = (0, 0, Vec::new());
    for epoch in 0..settings.epochs {
        let order = order(episodes.len(), settings.seed, place.iteration, epoch);
        let size = episodes.len().div_ceil(settings.minibatches).max(1);
        for (number, minibatch) in order.chunks(size).enumerate() {
            let some: Vec<&Episode> = minibatch.iter().map(|at| &episodes[*at]).collect();
            // Sums over the minibatch by its tokens, so that long programs do not count less by the token.
            let count: usize = some.iter().map(|episode| episode.tokens.len()).sum();
            let scale = 1.0 / (count as f32).max(1.0);
            let rates = [settings.value_rate * left, settings.ten_rate * left];
            value.climb(&some, contexts, rates, &mut |at, scores| {
                let at = minibatch[at];
                value_weights(
                    settings,
                    scale,
                    &scores.values,
                    &values[at].values,
                    &all[at].returns,
                )
            })?;
            if place.warm_up {
                continue;
            }
            let mut first = 0.0_f64;
            let rates = [settings.rate * left, settings.ten_rate * left];
            let norm = policy.climb(&some, contexts, rates, &mut |at, scores| {
                let at = minibatch[at];
                let own = policy_weights(
                    settings,
                    scale,
                    &scores.log_probs,
                    &old[at].log_probs,
                    &advantages[at],
                );
                clipped += own.clipped;
                tokens += scores.log_probs.len();
                first = first.max(own.farthest);
                Scores {
                    log_probs: own.weights,
                    values: Vec::new(),
                }
            })?;
            norms.push(f64::from(norm));
            if epoch == 0 && number == 0 {
                report.first_ratio = first;
            }
        }
    }
    report.clipped = clipped as f64 / (tokens as f64).max(1.0);
    report.norm = norms.iter().sum::<f64>() / (norms.len() as f64).max(1.0);
    Ok(report)
}

/// Which iteration this is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Counted from 0.
    pub iteration: u32,
    /// How many there are.
    pub iterations: u32,
    /// Whether the value model alone learns.
    pub warm_up: bool,
}

/// The reward of each token: the penalty (k1, log ratio of policy and reference; its mean is the divergence), and at the last what the program earned.
fn rewards(settings: &Settings, old: &Scores, known: &Scores, reward: f32) -> Vec<f32> {
    let each = old.log_probs.iter().zip(&known.log_probs);
    let mut rewards: Vec<f32> = each
        .map(|(own, known)| -settings.kl * (own - known))
        .collect();
    if let Some(last) = rewards.last_mut() {
        *last += reward;
    }
    rewards
}

struct Estimate {
    advantages: Vec<f32>,
    /// Advantage and old value: what the value is to become.
    returns: Vec<f32>,
}

/// Generalised advantage estimation (Schulman et al. 2016, equation 16), from the end; after the last token nothing is to come.
fn estimate(settings: &Settings, rewards: &[f32], values: &[f32]) -> Estimate {
    let mut advantages = vec![0.0; rewards.len()];
    let (mut after, mut next) = (0.0, 0.0);
    for at in (0..rewards.len()).rev() {
        let delta = rewards[at] + settings.gamma * next - values[at];
        after = delta + settings.gamma * settings.lambda * after;
        advantages[at] = after;
        next = values[at];
    }
    let returns = advantages.iter().zip(values).map(|(a, v)| a + v);
    Estimate {
        returns: returns.collect(),
        advantages,
    }
}

/// Advantages with mean 0 and deviation 1 over all tokens (Huang et al. 2022, detail 7: here over the whole batch, so that minibatches do not differ);
/// of one token, or where all are the same, they are 0.
fn whitened<'a>(all: impl Iterator<Item = &'a Vec<f32>> + Clone) -> Vec<Vec<f32>> {
    let values = || all.clone().flatten().map(|x| f64::from(*x));
    let count = (values().count() as f64).max(1.0);
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let deviation = variance.sqrt() + 1e-8;
    let white = |x: &f32| ((f64::from(*x) - mean) / deviation) as f32;
    all.map(|own| own.iter().map(white).collect()).collect()
}

struct Weights {
    weights: Vec<f32>,
    clipped: usize,
    /// The farthest that a ratio was from 1.
    farthest: f64,
}

/// The slope of the clipped objective min(r A, clip(r) A) at each token's log-probability: r A, or 0 where the clipped part is the smaller
/// (Schulman et al. 2017, equation 7).
fn policy_weights(
    settings: &Settings,
    scale: f32,
    new: &[f32],
    old: &[f32],
    advantages: &[f32],
) -> Weights {
    let (mut clipped, mut farthest) = (0, 0.0_f64);
    let weights = new
        .iter()
        .zip(old)
        .zip(advantages)
        .map(|((new, old), advantage)| {
            // A token that has become a thousand times likelier says enough.
            let ratio = libm::expf((new - old).clamp(-7.0, 7.0));
            farthest = farthest.max(f64::from((ratio - 1.0).abs()));
            let outside = match *advantage >= 0.0 {
                true => ratio > 1.0 + settings.clip,
                false => ratio < 1.0 - settings.clip,
            };
            clipped += usize::from(outside);
            if outside {
                0.0
            } else {
                scale * ratio * advantage
            }
        });
    let weights = weights.collect();
    Weights {
        weights,
        clipped,
        farthest,
    }
}

/// The slope of minus half the larger of the two square errors, of the value and of the clipped value (Huang et al. 2022, detail 9).
fn value_weights(
    settings: &Settings,
    scale: f32,
    new: &[f32],
    old: &[f32],
    returns: &[f32],
) -> Scores {
    let values = new.iter().zip(old).zip(returns).map(|((new, old), goal)| {
        let near = new.clamp(old - settings.value_clip, old + settings.value_clip);
        let (free, held) = (new - goal, near - goal);
        // Where the clipped error is the larger and the value is outside, it does not move with the value.
        match held * held > free * free && near != *new {
            true => 0.0,
            false => -scale * free,
        }
    });
    Scores {
        values: values.collect(),
        log_probs: vec![0.0; new.len()],
    }
}

/// The order of a reading's episodes (Fisher and Yates).
pub(crate) fn order(count: usize, seed: u64, iteration: u32, epoch: u32) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(hash::both(seed, u64::from(iteration)));
    rng.set_stream(u64::from(epoch) + 1);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, rng.random_range(0..=last as u64) as usize);
    }
    order
}

fn measure(
    episodes: &[Episode],
    old: &[Scores],
    known: &[Scores],
    all: &[Estimate],
    values: &[Scores],
) -> Report {
    let mean = |numbers: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
        sum / f64::max(count, 1.0)
    };
    let kls = old.iter().zip(known).map(|(own, known)| {
        let each = own.log_probs.iter().zip(&known.log_probs);
        each.map(|(own, known)| f64::from(own - known)).sum::<f64>()
    });
    let returns = || all.iter().flat_map(|e| &e.returns).map(|x| f64::from(*x));
    let errors = all.iter().zip(values).flat_map(|(estimate, scores)| {
        let each = estimate.returns.iter().zip(&scores.values);
        each.map(|(goal, value)| f64::from(goal - value).powi(2))
    });
    let middle = mean(&mut returns());
    let variance = mean(&mut returns().map(|x| (x - middle).powi(2)));
    let value_error = mean(&mut errors.collect::<Vec<_>>().into_iter());
    Report {
        reward: mean(&mut episodes.iter().map(|episode| f64::from(episode.reward))),
        kl: mean(&mut kls.collect::<Vec<_>>().into_iter()),
        entropy: mean(
            &mut old
                .iter()
                .flat_map(|own| &own.log_probs)
                .map(|x| -f64::from(*x)),
        ),
        value_error,
        explained: if variance > 0.0 {
            1.0 - value_error / variance
        } else {
            0.0
        },
        ..Report::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    /// Three tokens by hand: the penalty at each, the reward at the last, then from the end.
    #[test]
    fn advantages_by_hand() {
        let settings = Settings {
            kl: 0.5,
            gamma: 1.0,
            lambda: 0.5,
            ..Settings::default()
        };
        let scores = |log_probs: &[f32], values: &[f32]| Scores {
            log_probs: log_probs.to_vec(),
            values: values.to_vec(),
        };
        let old = scores(&[-1.0, -2.0, -0.5], &[]);
        let known = scores(&[-1.0, -1.0, -1.5], &[]);
        let rewards = rewards(&settings, &old, &known, 3.0);
        near(&rewards, &[0.0, 0.5, 2.5]);
        let estimate = estimate(&settings, &rewards, &[1.0, 2.0, 0.5]);
        // Deltas: 0 + 2 - 1 = 1, 0.5 + 0.5 - 2 = -1, 2.5 - 0.5 = 2.
        near(&estimate.advantages, &[1.0, 0.0, 2.0]);
        near(&estimate.returns, &[2.0, 2.0, 2.5]);
    }

    #[test]
    fn whitening_counts_tokens_and_takes_one() {
        let all = whitened([vec![1.0, 2.0], vec![3.0]].iter());
        let root = 1.5_f32.sqrt();
        near(&all[0], &[-root, 0.0]);
        near(&all[1], &[root]);
        near(&whitened([vec![5.0]].iter())[0], &[0.0]);
        assert!(whitened([vec![]].iter())[0].is_empty());
    }

    #[test]
    fn the_objective_stops_where_it_is_clipped() {
        let settings = Settings::default();
        let old = [0.0_f32; 5];
        let new: Vec<f32> = [1.0_f32, 1.3, 0.7, 1.3, 0.7]
            .iter()
            .map(|r| r.ln())
            .collect();
        let own = policy_weights(&settings, 0.5, &new, &old, &[2.0, 2.0, 2.0, -2.0, -2.0]);
        near(&own.weights, &[1.0, 0.0, 0.7, -1.3, 0.0]);
        assert_eq!(own.clipped, 2);
        assert!((own.farthest - 0.3).abs() < 1e-6);
        let far = policy_weights(&settings, 1.0, &[90.0], &[0.0], &[-1.0]);
        assert!(far.weights[0].is_finite());
    }

    #[test]
    fn values_move_no_farther_than_they_may() {
        let settings = Settings::default();
        let slopes =
            |new: f32, goal: f32| value_weights(&settings, 1.0, &[new], &[0.0], &[goal]).values[0];
        near(&[slopes(0.1, 1.0)], &[0.9]);
        // Outside and past the goal: it comes back.
        near(&[slopes(0.5, 0.3)], &[-0.2]);
        // Outside on the way to the goal: it stays.
        near(&[slopes(0.5, 1.0)], &[0.0]);
        near(&[slopes(-0.5, 1.0)], &[1.5]);
    }

    #[test]
    fn every_reading_has_an_order_of_its_own() {
        let one = order(20, 5, 3, 0);
        assert_eq!(one, order(20, 5, 3, 0));
        assert!(one != order(20, 5, 3, 1) && one != order(20, 5, 4, 0));
        let mut sorted = one;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }
}
