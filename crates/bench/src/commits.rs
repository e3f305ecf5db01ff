//! Changes that people made, asked of a model again: how likely it finds them, and how near to them it writes.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use edit::diff::Diff;
use edit::hash;
use edit::source::{canonical, is_same};
use learn::Left;
use learn::course::tokenizer_of;
use learn::text::{self, Texts};
use lm::Checkpoint;
use lm::train::{Options, cpu};
use mutate::diff::{self, Frame};
use mutate::{Brief, Lesson, model, syntax};
use serde::Serialize;

use crate::Error;

/// Lessons that a model answers at a time.
const AT_ONCE: usize = 16;

/// What is asked of models: changes, each of another program.
#[derive(Clone, Debug)]
pub struct Exam {
    /// The changes, in an order drawn by chance.
    pub lessons: Vec<Lesson>,
    /// What was left out.
    pub left: Left,
}

impl Exam {
    /// Draws so many changes at most, of different programs; the same lessons and seed give the same exam. Left out is what a diff held to the guide
    /// cannot say, and what one of the models cannot read or is not let write.
    ///
    /// # Errors
    /// A model without an end of text.
    pub fn draw(
        lessons: Vec<Lesson>,
        most: usize,
        seed: u64,
        frame: &Frame,
        models: &[Checkpoint],
    ) -> Result<Self, Error> {
        let mut left = Left::default();
        // Of a program one change, the least by its number.
        let number =
            |lesson: &Lesson| hash::both(seed, hash::of([&*lesson.parent, &*lesson.child]));
        let mut of_parent: BTreeMap<String, (u64, Lesson)> = BTreeMap::new();
        for lesson in lessons {
            let number = number(&lesson);
            match of_parent.get_mut(&lesson.parent) {
                Some((least, kept)) if number < *least => (*least, *kept) = (number, lesson),
                Some(_) => left.add(learn::Why::Crowded),
                None => {
                    of_parent.insert(lesson.parent.clone(), (number, lesson));
                }
            }
        }
        let mut drawn: Vec<(u64, Lesson)> = of_parent.into_values().collect();
        drawn.sort_by_key(|(number, _)| *number);
        let readers = models.iter().map(|model| texts(model, frame, seed));
        let readers = readers.collect::<Result<Vec<_>, _>>()?;
        let mut lessons = Vec::new();
        for (_, lesson) in drawn {
            if lessons.len() == most {
                left.add(learn::Why::Enough);
                continue;
            }
            match readers
                .iter()
                .try_for_each(|texts| texts.tokens(&lesson).map(drop))
            {
                Ok(()) => lessons.push(lesson),
                Err(why) => left.add(why),
            }
        }
        Ok(Self { lessons, left })
    }
}

fn texts(model: &Checkpoint, frame: &Frame, seed: u64) -> Result<Texts, Error> {
    let tokenizer = tokenizer_of(model).map_err(failed)?;
    let settings = text::Settings {
        program_weight: 0.0,
        free_weight: 0.0,
        seed,
    };
    Texts::new(frame.clone(), tokenizer, &model.config, settings).map_err(failed)
}

fn failed(error: lm::Error) -> Error {
    mutate::Error::Model(error.to_string()).into()
}

/// The loss of the changes: of a token that the guide leaves a choice about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Loss {
    /// Mean of minus the logarithm of the probability, in nats; as many tokens stand for more text where a vocabulary is larger.
    pub token: f64,
    /// The same summed over a change, mean over changes.
    pub change: f64,
    /// Tokens measured.
    pub tokens: u64,
}

/// Measures the loss of a model.
///
/// # Errors
/// Weights that cannot be read, or that compute what is no number.
pub fn loss(
    model: &Checkpoint,
    frame: &Frame,
    exam: &Exam,
    seed: u64,
    observe: &mut dyn FnMut(usize),
) -> Result<Loss, Error> {
    let texts = texts(model, frame, seed)?;
    let weights = model.weights().map_err(failed)?;
    let mut trainer =
        cpu::Trainer::new(&model.config, &weights, Options::still()).map_err(failed)?;
    drop(weights);
    let (mut sum, mut tokens) = (0.0, 0);
    for (at, lesson) in exam.lessons.iter().enumerate() {
        let Some((taught, _)) = texts.tree(&[lesson], &mut Left::default()) else {
            continue;
        };
        let scores = lm::train::Trainer::score(&mut trainer, &[taught.tree]).map_err(failed)?;
        for log_prob in scores.iter().flat_map(|scores| &scores.log_probs) {
            sum -= f64::from(*log_prob);
            tokens += 1;
        }
        observe(at + 1);
    }
    Ok(Loss {
        token: sum / (tokens as f64).max(1.0),
        change: sum / (exam.lessons.len() as f64).max(1.0),
        tokens,
    })
}

/// What a model's answers came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Answers {
    /// Changes asked for.
    pub asked: u64,
    /// Answers that apply and make a program that parses.
    pub valid: u64,
    /// Answers that make the person's program, but for what editors change unasked.
    pub exact: u64,
    /// How like the person's changed lines the answer's are: 1 less the edits between them (Levenshtein) as a part of the longer one; mean over all asked, 0
    /// for an answer that is not valid. 0 to 1.
    pub similarity: f64,
    /// Tokens written.
    pub tokens: u64,
    /// Seconds of writing.
    pub seconds: f64,
}

/// How a model answers.
pub struct Setting<'a> {
    /// Of the operator: held to the guide or free, temperature.
    pub diff: &'a diff::Settings,
    /// How the model is run.
    pub model: &'a model::Settings,
    /// What the operator knows of the domain that its own files are of.
    pub brief: &'a Brief,
    /// The seed of every draw.
    pub seed: u64,
}

/// Has a model answer, once a change. `None` once `stop` is set.
///
/// # Errors
/// A setting that cannot be, a model that cannot be loaded or go on.
pub fn answers(
    model: &Checkpoint,
    exam: &Exam,
    setting: &Setting<'_>,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(usize),
) -> Result<Option<Answers>, Error> {
    let Setting { diff, brief, .. } = setting;
    let mut operator = diff::Diff::open(model.path(), setting.model, diff, brief, 0)?;
    let mut all = Answers::default();
    let began = Instant::now();
    for (part, lessons) in exam.lessons.chunks(AT_ONCE).enumerate() {
        let seed = hash::both(setting.seed, part as u64);
        let lessons: Vec<&Lesson> = lessons.iter().collect();
        let answers = mutate::roomy(|| operator.answer(&lessons, seed, stop))?;
        for (lesson, answer) in lessons.iter().zip(answers) {
            let Some(answer) = answer else {
                return Ok(None);
            };
            all.asked += 1;
            all.tokens += u64::from(answer.cost.tokens);
            if let Ok(program) = &answer.program {
                all.add(lesson, program);
            }
        }
        observe(all.asked as usize);
    }
    all.similarity /= (all.asked as f64).max(1.0);
    all.seconds = began.elapsed().as_secs_f64();
    Ok(Some(all))
}

impl Answers {
    fn add(&mut self, lesson: &Lesson, program: &str) {
        if syntax::with(program, |_| ()).is_err() {
            return;
        }
        let (parent, child) = (canonical(&lesson.parent), canonical(&lesson.child));
        self.valid += 1;
        self.exact += u64::from(is_same(program, &child));
        self.similarity += similarity(&changed(&parent, program), &changed(&parent, &child));
    }
}

/// The lines that go and come from one text to another, with their signs.
fn changed(old: &str, new: &str) -> String {
    let diff = Diff::between(old, new, 0);
    let lines = diff.hunks.iter().flat_map(|hunk| &hunk.lines);
    lines
        .map(|line| format!("{}{}\n", line.tag.sign(), line.text.trim_end()))
        .collect()
}

/// 1 less the edits from one text to another as a part of the longer one's characters.
fn similarity(a: &str, b: &str) -> f64 {
    strsim::normalized_levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(parent: &str, child: &str) -> Lesson {
        Lesson {
            source: "test".to_owned(),
            id: 0,
            operator: "people".to_owned(),
            told: None,
            file: Some("a.py".to_owned()),
            parent: parent.to_owned(),
            child: child.to_owned(),
            accepted: true,
            niche: None,
            fitness: None,
            parent_fitness: None,
        }
    }

    #[test]
    fn answers_by_hand() {
        let lesson = lesson("a = 1\nb = 2\n", "a = 1\nb = 3\n");
        let of = |program: &str| {
            let mut answers = Answers::default();
            answers.add(&lesson, program);
            (answers.valid, answers.exact, answers.similarity)
        };
        assert_eq!(of("a = 1\nb = 3\n"), (1, 1, 1.0));
        assert_eq!(
            of("a = 1\nb = 3"),
            (1, 1, 1.0),
            "but for what editors change"
        );
        // "-b = 2\n+b = 3\n" beside "-b = 2\n+b = 4\n": one of fourteen characters.
        let (valid, exact, like) = of("a = 1\nb = 4\n");
        assert_eq!((valid, exact), (1, 0));
        assert!((like - 13.0 / 14.0).abs() < 1e-12, "{like}");
        assert_eq!(of("a = 1\nb = (\n"), (0, 0, 0.0), "is no program");
    }
}
