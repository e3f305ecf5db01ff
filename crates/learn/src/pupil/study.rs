//! One round's training: which lessons, which weights.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use edit::hash;
use lm::train::checkpoint::Keep;
use lm::train::metrics::Metrics;
use lm::train::supervised::Ended;
use mutate::diff::Frame;
use mutate::{Error, Learned, Round};

use super::record::{Files, Record};
use super::{Made, nothing, unlearned};
use crate::course::is_compact;
use crate::left::Left;
use crate::operator::{Settings, Split, course};
use crate::select::{self, Selection};

/// Time between two checkpoints of a training.
const EVERY: Duration = Duration::from_secs(60);

/// The lessons of a round.
pub(super) struct Chosen {
    pub split: Split,
    left: Left,
    /// Of what the round is a function.
    pub fingerprint: String,
}

impl Chosen {
    /// Chooses; `None` once `stop` is set.
    pub fn of(
        made: &Made,
        round: &Round<'_>,
        seed: u64,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Error> {
        let settings = select::Settings {
            max_lines: made.diff.max_lines,
            per_niche: made.own.per_niche,
            rejected: made.own.rejected > 0.0,
            ..select::Settings::default()
        };
        let mut selection = Selection::new(settings, seed);
        round.lessons.each(!settings.rejected, &mut |lesson| {
            selection.push(lesson);
            !stop.load(Relaxed)
        })?;
        if stop.load(Relaxed) {
            return Ok(None);
        }
        let select::Selected { lessons, left } = selection.done();
        let texts = lessons.iter().flat_map(|lesson| {
            let told = lesson.told.as_deref().unwrap_or("");
            let accepted = if lesson.accepted { "accepted" } else { "" };
            [&*lesson.parent, &*lesson.child, told, accepted]
        });
        let lessons_sum = hash::of(texts);
        let settings = serde_json::to_string(&(&made.own, &made.diff)).expect("plain data");
        let rest = [&*made.origin, &*settings, env!("CARGO_PKG_VERSION")];
        let rest = hash::both(seed, hash::of(rest));
        Ok(Some(Self {
            fingerprint: format!("{lessons_sum:016x}{rest:016x}"),
            split: Split::new(lessons, seed),
            left,
        }))
    }
}

/// What a round's training is made of.
pub(super) struct Study<'a> {
    pub made: &'a Made,
    pub seed: u64,
    pub files: &'a Files,
    pub tell: &'a (dyn Fn(&str) + Sync),
}

impl Study<'_> {
    /// Trains, and writes the model and its record; `None` once `stop` is set: what was done until then is kept in the
    /// folder.
    pub fn train(&self, chosen: &Chosen, stop: &AtomicBool) -> Result<Option<Record>, Error> {
        let Self { made, files, .. } = self;
        files.make_folder()?;
        let frame = Frame::new(&made.diff, &made.brief);
        let settings = self.settings();
        let course = course(
            made.base.as_ref(),
            &frame,
            &chosen.split,
            &|_| 1.0,
            &settings,
        )
        .map_err(unlearned)?;
        let mut left = chosen.left.clone();
        left += &course.left;
        let lessons = course.texts;
        if lessons == 0 {
            let why = format!("no lessons; left out: {left}");
            return Ok(Some(nothing(&chosen.fingerprint, why)));
        }
        log::info!("{lessons} lessons; left out: {left}");
        let mut trainer = course.trainer().map_err(unlearned)?;
        let keep = Keep {
            folder: files.training.clone(),
            every: EVERY,
            model: format!("{} {}", made.origin, self.seed),
        };
        let mut metrics = Metrics::open(&files.metrics).map_err(unlearned)?;
        let mut unwritten = None;
        let trained = course.train(&mut trainer, Some(&keep), stop, &mut |p| {
            unwritten = metrics.write(p).err().or(unwritten.take());
            let share = 100.0 * p.place.tokens as f64 / p.total.max(1) as f64;
            (self.tell)(&format!(
                "{:.0} % of {lessons} lessons, loss {:.2}, {:.0} tokens/s, {:.0} s left",
                share.min(100.0),
                p.held_out.or(p.place.best).unwrap_or(p.loss),
                p.tokens_per_second,
                p.seconds_left
            ));
        });
        if let Some(error) = unwritten {
            log::warn!("{error}");
        }
        let trained = trained.map_err(unlearned)?;
        if trained.ended == Ended::Stopped {
            return Ok(None);
        }
        course
            .save(&trainer, &files.model, &made.own.base)
            .map_err(unlearned)?;
        let learned = Learned {
            lessons,
            tokens: trained.place.tokens,
            loss: trained.place.best.or(trained.loss),
            ..Learned::default()
        };
        let record = Record::of(&chosen.fingerprint, files, learned)?;
        files.write(&record)?;
        files.forget_training();
        Ok(Some(record))
    }

    fn settings(&self) -> Settings {
        let own = &self.made.own;
        let base = self.made.base.as_ref();
        let is_compact = base.is_some_and(|base| is_compact(&base.config));
        let rank = if is_compact { 0 } else { 16 };
        Settings {
            preset: own.preset.clone(),
            vocabulary: own.vocabulary,
            rank,
            epochs: own.epochs,
            tokens: own.tokens,
            rate: own.rate,
            rejected: own.rejected,
            free: 0.0,
            seed: self.seed,
        }
    }
}
