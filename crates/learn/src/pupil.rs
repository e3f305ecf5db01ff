//! The operator *learned*: diffs by a model that learns from the run it works in.
//!
//! Every round trains from the base, or from scratch, on all lessons so far (SOAR, Pourcel et al. 2025), and is kept only if
//! the children that its weights write for parents held out are no worse than those of the weights before.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use lm::{Checkpoint, Config};
use mutate::diff::Trained;
use mutate::settings::{range, section};
use mutate::{
    Brief, Error, Learned, Learner, MadeWith, Operator, Request, Round, Tray, diff, model,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::trial;
use record::{Files, Record};
use study::{Chosen, Study};

mod record;
mod study;

/// Parents for which a trial's children are written, at most.
const TRIED: usize = 16;

/// The operator's name in the store.
pub const NAME: &str = "learned";

/// The section `[learned]` as users see it, with its comments and all defaults.
pub const SETTINGS: &str = include_str!("pupil.toml");

/// The section `[learned]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in pupil.toml")]
pub struct Settings {
    pub weight: f64,
    pub base: String,
    pub preset: String,
    pub vocabulary: usize,
    pub epochs: u32,
    pub tokens: u64,
    pub rate: f32,
    pub per_niche: usize,
    pub rejected: f32,
    pub trial: usize,
}

impl Settings {
    /// Reads the section.
    ///
    /// # Errors
    /// Names the setting that is missing, unknown, of another kind or out of its range.
    pub fn read(settings: &Table) -> Result<Self, Error> {
        let own: Self = section(settings, NAME)?;
        own.check()?;
        Ok(own)
    }

    fn check(&self) -> Result<(), Error> {
        if self.base.is_empty() && self.preset.is_empty() {
            return Err(Error::setting(
                "learned.base",
                "is empty, and learned.preset too",
                "name a model to begin from, or a size to begin from scratch",
            ));
        }
        if !self.preset.is_empty() && Config::preset(&self.preset).is_none() {
            return Err(Error::setting(
                "learned.preset",
                format!("there is no size {:?}", self.preset),
                format!("choose from: {}", Config::PRESETS.join(", ")),
            ));
        }
        let bounds = [
            ("weight", self.weight, 1e-9, 1e9),
            ("vocabulary", self.vocabulary as f64, 257.0, 65_536.0),
            ("epochs", self.epochs.into(), 1.0, 1000.0),
            ("tokens", self.tokens as f64, 0.0, 1e12),
            ("rate", self.rate.into(), 0.0, 1.0),
            ("per_niche", self.per_niche as f64, 2.0, 1e6),
            ("rejected", self.rejected.into(), 0.0, 1.0),
            ("trial", self.trial as f64, 8.0, 100_000.0),
        ];
        bounds
            .into_iter()
            .try_for_each(|(field, value, low, high)| {
                range(&format!("{NAME}.{field}"), value, low, high)
            })
    }
}

/// What the operator is made of, but for its weights.
struct Made {
    own: Settings,
    model: model::Settings,
    diff: diff::Settings,
    brief: Brief,
    /// The model that every round begins from; none where it begins from scratch.
    base: Option<Checkpoint>,
    /// What is trained: the base's sum, or the size.
    origin: String,
}

/// The operator, before its first round without weights.
pub struct Pupil {
    made: Made,
    /// The generation that writes.
    writes: Option<diff::Diff>,
}

impl Pupil {
    /// Reads the sections `[learned]`, `[diff]`, `[model]` and `[brief]`, and opens the base.
    ///
    /// # Errors
    /// A setting that cannot be; a base that cannot be read.
    pub fn read(settings: &Table) -> Result<Self, Error> {
        let own = Settings::read(settings)?;
        let model: model::Settings = section(settings, "model")?;
        model.check()?;
        // As lessons are learned: once, and wherever the model would.
        let diff = diff::Settings {
            trained: Trained::Yes,
            crossover: 0.0,
            ..section(settings, "diff")?
        };
        let base = match own.preset.is_empty() {
            true => {
                let path = lm::pull::find(&own.base).map_err(unlearned)?;
                Some(Checkpoint::open(&path).map_err(unlearned)?)
            }
            false => None,
        };
        let origin = match &base {
            Some(base) => base.sha256(),
            None => format!("{} of {}", own.preset, own.vocabulary),
        };
        Ok(Self {
            made: Made {
                brief: section(settings, "brief")?,
                own,
                model,
                diff,
                base,
                origin,
            },
            writes: None,
        })
    }

    /// The weight at which a replica draws it.
    pub fn weight(&self) -> f64 {
        self.made.own.weight
    }

    /// With what it learns and writes.
    ///
    /// # Errors
    /// The device is not there.
    pub fn made_with(&self) -> Result<MadeWith, Error> {
        let mut made_with = self.made.model.made_with()?;
        if self.made.base.is_some() {
            made_with.insert("base".to_owned(), self.made.origin.clone());
        }
        let arithmetic = lm::train::cpu::arithmetic(true);
        made_with.insert("training".to_owned(), arithmetic.to_owned());
        Ok(made_with)
    }
}

impl Made {
    /// A generation ready to write.
    fn load(&self, folder: &Path, generation: u32) -> Result<diff::Diff, Error> {
        diff::Diff::open(folder, &self.model, &self.diff, &self.brief, generation)
    }
}

impl Operator for Pupil {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        match &mut self.writes {
            Some(diff) => diff.propose(requests, tray, stop),
            None => Err(Error::Learning(
                "the operator that learns was asked before it had learned anything".to_owned(),
            )),
        }
    }

    fn learner(&mut self) -> Option<&mut dyn Learner> {
        Some(self)
    }
}

impl Learner for Pupil {
    fn learn(&mut self, mut round: Round<'_>, stop: &AtomicBool) -> Result<Option<Learned>, Error> {
        let made = &self.made;
        let files = Files::new(round.folder, round.number);
        let seed: u64 = round.rng.random();
        (round.tell)("choosing lessons");
        let Some(chosen) = Chosen::of(made, &round, seed, stop)? else {
            return Ok(None);
        };
        let mut record = match files.read(&chosen.fingerprint)? {
            Some(record) => record,
            None => {
                let study = Study {
                    made,
                    seed,
                    files: &files,
                    tell: round.tell,
                };
                match study.train(&chosen, stop)? {
                    Some(record) => record,
                    None => return Ok(None),
                }
            }
        };
        // What was decided stays, whatever a trial would say now.
        let decided = match round.was_kept {
            true => Some(Learned {
                kept: true,
                ..record.learned.clone()
            }),
            false => record.decided.then(|| record.learned.clone()),
        };
        if let Some(learned) = decided {
            if learned.kept {
                self.writes = Some(made.load(&files.model, round.number)?);
            }
            return Ok(Some(learned));
        }
        if record.learned.lessons > 0 {
            (round.tell)("on trial");
            let mut new = made.load(&files.model, round.number)?;
            let (number, old) = (made.own.trial, self.writes.as_mut());
            let parents = chosen.split.parents(TRIED);
            let trial = trial::compare(
                old,
                &mut new,
                &parents,
                number,
                seed,
                &mut *round.judge,
                stop,
            )?;
            let Some(trial) = trial else {
                return Ok(None);
            };
            record.learned = Learned {
                kept: trial.why.is_none(),
                why: trial.why.unwrap_or_else(|| trial::told(trial.after)),
                before: trial.before,
                after: Some(trial.after),
                ..record.learned
            };
            if record.learned.kept {
                self.writes = Some(new);
            }
        }
        record.decided = true;
        files.write(&record)?;
        if !record.learned.kept {
            files.forget_model();
        }
        Ok(Some(record.learned))
    }
}

/// What keeps a model from learning.
fn unlearned(error: lm::Error) -> Error {
    Error::Learning(error.to_string())
}

/// As [`Record`], of nothing to learn from.
fn nothing(fingerprint: &str, why: String) -> Record {
    Record {
        fingerprint: fingerprint.to_owned(),
        model: String::new(),
        decided: false,
        learned: Learned {
            why,
            ..Learned::default()
        },
    }
}
