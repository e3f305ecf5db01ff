//! Supervised learning: the mean log-probability of the tokens of examples climbs. All of it is in this file.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Keep, Saved};
use super::{Scores, Step, Trainer, Tree};
use crate::error::{Error, Fault};
use crate::tensor::Tensor;

/// A tree, and how much each of its chosen tokens counts.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Example {
    /// What is read.
    pub tree: Tree,
    /// A number of 0 or more for each chosen token, in the tree's order.
    pub weights: Vec<f32>,
}

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine wave (Loshchilov and Hutter 2017).
    Cosine,
    /// A straight line.
    Linear,
}

/// How it is trained. The numbers by default are those for a compact model from scratch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How often every example is read, unless `tokens` says otherwise.
    pub epochs: u32,
    /// Tokens to read in all, those that do not count included; it may end within an epoch.
    pub tokens: Option<u64>,
    /// Tokens of an update at least: whole trees are taken until there are so many.
    pub batch_tokens: usize,
    /// Tokens computed side by side at least; changes memory and speed, not the result.
    pub side_by_side: usize,
    /// The highest learning rate.
    pub rate: f32,
    /// Updates over which the rate rises to it; at most a tenth of the training.
    pub warm_up: u32,
    /// How it falls.
    pub schedule: Schedule,
    /// The share of the highest rate that is left at the end, 0 to 1.
    pub floor: f32,
    /// As in [`Step`].
    pub decay: f32,
    /// As in [`Step`].
    pub clip: f32,
    /// How often the held-out loss is measured, at even distances, the end included.
    pub measures: u32,
    /// After how many measures without a smaller loss it ends early; 0 for never.
    pub patience: u32,
    /// The seed of the examples' order.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: 3,
            tokens: None,
            batch_tokens: 1024,
            side_by_side: 2048,
            rate: 1.2e-3,
            warm_up: 100,
            schedule: Schedule::Cosine,
            floor: 0.05,
            decay: 0.1,
            clip: 1.0,
            measures: 10,
            patience: 3,
            seed: 0,
        }
    }
}

impl Settings {
    /// Whether the numbers can be.
    ///
    /// # Errors
    /// `Error::Training`, naming the first that cannot.
    pub fn check(&self) -> Result<(), Error> {
        let rate = self.rate > 0.0 && self.rate <= 1.0;
        let all = [
            ("epochs", self.epochs > 0, "1 or more"),
            ("tokens", self.tokens != Some(0), "1 or more"),
            ("batch_tokens", self.batch_tokens > 0, "1 or more"),
            ("side_by_side", self.side_by_side > 0, "1 or more"),
            ("rate", rate, "above 0 and at most 1"),
            ("floor", (0.0..=1.0).contains(&self.floor), "0 to 1"),
            ("decay", (0.0..=10.0).contains(&self.decay), "0 to 10"),
            ("clip", self.clip > 0.0, "above 0"),
            ("measures", self.measures > 0, "1 or more"),
        ];
        match all.iter().find(|(_, good, _)| !good) {
            Some((field, _, must)) => Err(fault(field, "is out of range", format!("give {must}"))),
            None => Ok(()),
        }
    }

    /// The learning rate of an update (the first is 0) of about so many, when a share of the training is done.
    fn rate(&self, update: u64, updates: u64, share: f64) -> f32 {
        let warm_up = u64::from(self.warm_up).min(updates / 10).max(1);
        let rise = ((update + 1) as f64 / warm_up as f64).min(1.0);
        let floor = f64::from(self.floor);
        let fall = match self.schedule {
            Schedule::Cosine => 0.5 + 0.5 * libm::cos(std::f64::consts::PI * share.min(1.0)),
            Schedule::Linear => 1.0 - share.min(1.0),
        };
        // Never 0, which would be no step.
        let rate = f64::from(self.rate) * rise * (floor + (1.0 - floor) * fall);
        (rate as f32).max(f32::MIN_POSITIVE)
    }
}

/// Where a training stands; all of it but the weights that a resumed one needs.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Updates made.
    pub updates: u64,
    /// Examples read in all; the order of an epoch follows from the seed and its number.
    pub examples: u64,
    /// Tokens read in all.
    pub tokens: u64,
    /// Measures of the held-out loss made.
    pub measures: u32,
    /// Of them, since the smallest loss.
    pub since_best: u32,
    /// The smallest held-out loss.
    pub best: Option<f64>,
    /// The held-out loss before the first update.
    pub first: Option<f64>,
    /// Seconds spent; the one part that no two trainings share.
    pub seconds: f64,
}

/// What an observer is told after each update.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Where it stands.
    pub place: Place,
    /// Tokens to read in all.
    pub total: u64,
    /// Which reading of the examples this is, from 0.
    pub epoch: u64,
    /// The batch's loss before the update: the weighted mean of the chosen tokens' negative log-probabilities.
    pub loss: f64,
    /// The learning rate.
    pub rate: f32,
    /// The gradient's norm before clipping.
    pub norm: f32,
    /// The held-out loss, where it was measured after this update.
    pub held_out: Option<f64>,
    /// Tokens a second since this training was started or resumed.
    pub tokens_per_second: f64,
    /// About how many seconds are left.
    pub seconds_left: f64,
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// All is read.
    Done,
    /// The held-out loss did not fall any more.
    Early,
    /// It was stopped from outside; where it keeps checkpoints, it may go on.
    Stopped,
}

/// What came of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Why it ended.
    pub ended: Ended,
    /// Where.
    pub place: Place,
    /// The last batch's loss.
    pub loss: Option<f64>,
}

/// What is learned from, and what the loss is measured on beside it.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// Read in an order drawn for each epoch.
    pub examples: &'a [Example],
    /// Never learned from; may be empty.
    pub held_out: &'a [Example],
}

/// Trains until the end, and leaves the trainer with the weights of the smallest held-out loss, or, without held-out
/// examples, the last. A training whose checkpoint is in `keep`'s folder goes on there, and comes to the same bits as one that was
/// never stopped.
///
/// The objective of an update is the mean of its chosen tokens' log-probabilities, by their weights.
///
/// # Errors
/// `Error::Training` for settings and examples that cannot be, and for a checkpoint of another training; `Error::Damaged` for one
/// that is not whole; whatever the trainer says.
pub fn train(
    trainer: &mut dyn Trainer,
    data: Data<'_>,
    settings: &Settings,
    keep: Option<&Keep>,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&Progress),
) -> Result<Trained, Error> {
    settings.check()?;
    let examples = data.examples;
    check(examples, "example")?;
    check(data.held_out, "held-out example")?;
    let epoch_tokens: u64 = examples.iter().map(|x| x.tree.len() as u64).sum();
    if epoch_tokens == 0 {
        return Err(fault("the examples", "are none", "give at least one"));
    }
    let total = (settings.tokens).unwrap_or(u64::from(settings.epochs) * epoch_tokens);
    let updates = total.div_ceil(settings.batch_tokens as u64);

    let mut place = Place::default();
    let mut best: Option<Vec<(String, Tensor)>> = None;
    let identity = match keep {
        Some(keep) => checkpoint::identity(&*trainer, data, settings, &keep.model),
        None => String::new(),
    };
    if let Some(saved) = keep.map(|keep| keep.read(&identity)).transpose()?.flatten() {
        trainer.restore(saved.state)?;
        (place, best) = (saved.place, saved.best);
    }
    if place.updates == 0 && place.first.is_none() {
        place.first = measure(trainer, data.held_out, settings, stop)?;
    }

    let (began, spent, read) = (Instant::now(), place.seconds, place.tokens);
    let mut saved_at = Instant::now();
    let mut order = Order::new(examples.len(), settings.seed);
    let mut loss = None;
    let ended = loop {
        let ends_early = settings.patience > 0 && place.since_best >= settings.patience;
        let ended = match place.tokens >= total {
            true => Some(Ended::Done),
            false if ends_early => Some(Ended::Early),
            false => stop.load(Relaxed).then_some(Ended::Stopped),
        };
        let due = keep.is_some_and(|keep| saved_at.elapsed() >= keep.every);
        if let Some(keep) = keep.filter(|_| due || ended.is_some()) {
            let saved = Saved {
                place: place.clone(),
                state: trainer.state(),
                best: best.clone(),
            };
            keep.write(&identity, &saved)?;
            saved_at = Instant::now();
        }
        if let Some(ended) = ended {
            break ended;
        }

        // The batch: whole trees, on into the next epoch.
        let epoch = place.examples / examples.len() as u64;
        let mut batch: Vec<&Example> = Vec::new();
        let (mut tokens, mut next) = (0, place.examples);
        while tokens < settings.batch_tokens && place.tokens + (tokens as u64) < total {
            batch.push(&examples[order.at(next)]);
            tokens += batch[batch.len() - 1].tree.len();
            next += 1;
        }
        let Some(batch_loss) = gather(trainer, &batch, settings, stop)? else {
            // What is gathered is given up; the state is as after the last update.
            continue;
        };
        let step = Step {
            rate: settings.rate(place.updates, updates, place.tokens as f64 / total as f64),
            decay: settings.decay,
            clip: settings.clip,
        };
        let norm = trainer.update(step)?;
        place.updates += 1;
        place.examples = next;
        place.tokens += tokens as u64;
        loss = Some(batch_loss);

        // Measures stand at even distances of tokens.
        let due = (u128::from(place.tokens.min(total)) * u128::from(settings.measures)
            / u128::from(total)) as u32;
        let mut held_out = None;
        if due > place.measures {
            held_out = measure(trainer, data.held_out, settings, &AtomicBool::new(false))?;
            place.measures = due;
        }
        if let Some(loss) = held_out {
            if place.best.is_none_or(|best| loss < best) {
                place.best = Some(loss);
                place.since_best = 0;
                best = Some(trained(trainer.state()));
            } else {
                place.since_best += 1;
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        place.seconds = spent + seconds;
        let speed = (place.tokens - read) as f64 / seconds.max(1e-9);
        observe(&Progress {
            total,
            epoch,
            loss: batch_loss,
            rate: step.rate,
            norm,
            held_out,
            tokens_per_second: speed,
            seconds_left: total.saturating_sub(place.tokens) as f64 / speed,
            place: place.clone(),
        });
    };
    if let Some(best) = best.filter(|_| ended != Ended::Stopped) {
        let adam = trainer
            .state()
            .into_iter()
            .filter(|(name, _)| is_adams(name));
        let state = best.into_iter().chain(adam).collect();
        trainer.restore(state)?;
    }
    Ok(Trained { ended, place, loss })
}

/// Adds a batch's gradient, several trees at once; its loss, or nothing where it was stopped.
fn gather(
    trainer: &mut dyn Trainer,
    batch: &[&Example],
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Option<f64>, Error> {
    let all: f64 = batch.iter().map(|example| weight(example)).sum();
    let scale = match all > 0.0 {
        true => 1.0 / all,
        // Nothing counts: no gradient.
        false => 0.0,
    };
    let mut sum = 0.0;
    for part in parts(batch, settings.side_by_side) {
        if stop.load(Relaxed) {
            return Ok(None);
        }
        let trees: Vec<Tree> = part.iter().map(|example| example.tree.clone()).collect();
        trainer.gradient(&trees, &mut |number, scores| {
            sum += objective(part[number], scores);
            Scores {
                log_probs: (part[number].weights.iter())
                    .map(|weight| (f64::from(*weight) * scale) as f32)
                    .collect(),
                values: vec![0.0; scores.values.len()],
            }
        })?;
    }
    Ok(Some(-sum * scale))
}

/// The loss over examples: the weighted mean of negative log-probabilities; none where nothing counts, or it was stopped.
pub fn measure(
    trainer: &mut dyn Trainer,
    examples: &[Example],
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Option<f64>, Error> {
    let examples: Vec<&Example> = examples.iter().collect();
    let all: f64 = examples.iter().map(|example| weight(example)).sum();
    let mut sum = 0.0;
    for part in parts(&examples, settings.side_by_side) {
        if stop.load(Relaxed) {
            return Ok(None);
        }
        let trees: Vec<Tree> = part.iter().map(|example| example.tree.clone()).collect();
        let scores = trainer.score(&trees)?;
        let each = part.iter().zip(&scores);
        sum += each
            .map(|(example, scores)| objective(example, scores))
            .sum::<f64>();
    }
    Ok((all > 0.0).then(|| -sum / all))
}

/// Runs of examples with so many tokens.
fn parts<'a, 'b>(
    examples: &'b [&'a Example],
    tokens: usize,
) -> impl Iterator<Item = &'b [&'a Example]> {
    let mut rest = examples;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let full = rest.iter().position(|example| {
            sum += example.tree.len();
            sum >= tokens
        });
        let (part, others) = rest.split_at(full.map_or(rest.len(), |at| at + 1));
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

fn weight(example: &Example) -> f64 {
    example
        .weights
        .iter()
        .map(|weight| f64::from(*weight))
        .sum()
}

/// Weights times log-probabilities; a weight of 0 passes over one that is minus infinity.
fn objective(example: &Example, scores: &Scores) -> f64 {
    let each = example.weights.iter().zip(&scores.log_probs);
    each.filter(|(weight, _)| **weight > 0.0)
        .map(|(weight, log_prob)| f64::from(*weight) * f64::from(*log_prob))
        .sum()
}

/// Which example comes when.
struct Order {
    seed: u64,
    epoch: Option<u64>,
    drawn: Vec<usize>,
}

impl Order {
    fn new(examples: usize, seed: u64) -> Self {
        Self {
            seed,
            epoch: None,
            drawn: (0..examples).collect(),
        }
    }

    /// The example at a place, counted over all epochs. Each epoch has an order of its own (Fisher and Yates).
    fn at(&mut self, place: u64) -> usize {
        let length = self.drawn.len() as u64;
        let epoch = place / length;
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(epoch);
            self.drawn = (0..self.drawn.len()).collect();
            for last in (1..self.drawn.len()).rev() {
                let other = rng.random_range(0..=last as u64) as usize;
                self.drawn.swap(last, other);
            }
        }
        self.drawn[(place % length) as usize]
    }
}

fn is_adams(name: &str) -> bool {
    name.starts_with("adam.")
}

/// Of a state what is a model's.
fn trained(state: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    let weights = state.into_iter().filter(|(name, _)| !is_adams(name));
    weights.collect()
}

fn check(examples: &[Example], what: &str) -> Result<(), Error> {
    for (number, example) in examples.iter().enumerate() {
        let (chosen, weights) = (example.tree.chosen(), &example.weights);
        let what = format!("{what} {number}");
        if chosen != weights.len() {
            let problem = format!("has {} weights for {chosen} chosen tokens", weights.len());
            return Err(fault(&what, &problem, "give one for each"));
        }
        if let Some(weight) = weights.iter().find(|x| !(x.is_finite() && **x >= 0.0)) {
            let problem = format!("has the weight {weight}");
            return Err(fault(&what, &problem, "give numbers of 0 or more"));
        }
        if example.tree.is_empty() {
            return Err(fault(&what, "has no token", "leave it out"));
        }
    }
    Ok(())
}

fn fault(field: &str, problem: &str, mend: impl Into<String>) -> Error {
    let file = std::path::Path::new("the training");
    Error::Training(Fault::new(file, field, problem, mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_to_its_floor() {
        let settings = Settings {
            rate: 1.0,
            warm_up: 4,
            floor: 0.1,
            ..Settings::default()
        };
        let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(settings.rate(0, 1000, 0.0), 0.25);
        near(settings.rate(3, 1000, 0.0), 1.0);
        near(settings.rate(500, 1000, 0.5), 0.55);
        near(settings.rate(999, 1000, 1.0), 0.1);
        // A short training warms up over its first tenth.
        near(settings.rate(0, 20, 0.0), 0.5);
        near(settings.rate(0, 1, 0.0), 1.0);
        let linear = Settings {
            schedule: Schedule::Linear,
            floor: 0.0,
            ..settings
        };
        near(linear.rate(500, 1000, 0.75), 0.25);
        assert!(linear.rate(999, 1000, 1.0) > 0.0);
    }

    #[test]
    fn every_epoch_reads_all_in_an_order_of_its_own() {
        let mut order = Order::new(20, 3);
        let epochs: Vec<Vec<usize>> = (0..3)
            .map(|epoch| (0..20).map(|i| order.at(20 * epoch + i)).collect())
            .collect();
        for epoch in &epochs {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
        let again: Vec<usize> = (20..40).map(|i| Order::new(20, 3).at(i)).collect();
        assert_eq!(again, epochs[1]);
    }

    #[test]
    fn parts_are_whole_and_cover_all() {
        let examples: Vec<Example> = [3, 4, 1, 9, 2]
            .iter()
            .map(|n| Example {
                tree: Tree::sequence(super::super::Text::context(vec![0; *n])),
                weights: Vec::new(),
            })
            .collect();
        let all: Vec<&Example> = examples.iter().collect();
        let lengths = |tokens| parts(&all, tokens).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(5), [2, 2, 1]);
        assert_eq!(lengths(1), [1; 5]);
        assert_eq!(lengths(100), [5]);
    }
}
