//! A lesson as the model sees it: text, tokens, and which of them it learns.
//!
//! It is the diff operator's own prompt ([`Frame`]) and what the operator's guide would have had the model write, token by
//! token: what is trained is what is asked.

use std::collections::HashMap;
use std::sync::Arc;

use edit::guide::{DiffGuide, Unwritten};
use edit::hash;
use edit::source::canonical;
use lm::train::{Branch, Text, Tree};
use lm::{Config, Tokenizer, follow};
use mutate::Lesson;
use mutate::diff::Frame;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::left::{Left, Why};

/// A lesson in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What the model reads before it answers: the program, the commit message, the beginning of the answer's frame.
    pub prompt: String,
    /// Its answer: the short diff.
    pub completion: String,
}

/// The commit message of a lesson: what its operator was told, or one drawn as the operator would have drawn it, the same
/// for the same parent, child and seed.
pub fn message<'a>(frame: &'a Frame, lesson: &'a Lesson, seed: u64) -> &'a str {
    match lesson
        .told
        .as_deref()
        .filter(|told| !told.trim().is_empty())
    {
        Some(told) => told,
        None => {
            let texts = hash::of([&*lesson.parent, &*lesson.child]);
            frame.draw(&mut ChaCha8Rng::seed_from_u64(hash::both(seed, texts)))
        }
    }
}

/// A lesson in words.
///
/// # Errors
/// The operator's guide does not let the change be written.
pub fn words(frame: &Frame, lesson: &Lesson, seed: u64) -> Result<Words, Unwritten> {
    let parent = canonical(&lesson.parent);
    let frame = &*frame.of(lesson);
    let guide = frame.guide(&parent, frame.options(&parent, None));
    let completion = guide.short(&canonical(&lesson.child))?;
    let lead = Frame::lead(message(frame, lesson, seed));
    Ok(Words {
        prompt: frame.contents(&parent, None) + &lead,
        completion,
    })
}

/// How lessons are made into trees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The weight of a program's tokens beside the weight 1 of a diff's, at least 0; some of it helps a model from scratch
    /// (0.15), with 0 programs are not learned.
    pub program_weight: f32,
    /// The weight of a diff's tokens that the guide leaves no choice about, and of its end, at least 0: a model that is to write without a guide learns
    /// these too.
    pub free_weight: f32,
    /// Chooses the messages of lessons that were told nothing.
    pub seed: u64,
}

/// Lessons of one parent, ready for a trainer.
#[derive(Clone, Debug, PartialEq)]
pub struct Taught {
    /// The program up to the commit message as the trunk, a branch for each lesson.
    pub tree: Tree,
    /// A weight for each chosen token of the tree, in its order.
    pub weights: Vec<f32>,
}

/// Makes trees of lessons, for one model.
#[derive(Clone)]
pub struct Texts {
    frame: Frame,
    tokenizer: Arc<Tokenizer>,
    settings: Settings,
    /// The token that ends a text.
    end: u32,
    /// Tokens that the model has rows for.
    rows: usize,
    /// Tokens that it reads.
    context: usize,
}

impl Texts {
    /// For a model with this tokenizer and configuration, asked as `frame` has it.
    ///
    /// # Errors
    /// `lm::Error::Tokenizer` for a model without a token that ends a text.
    pub fn new(
        frame: Frame,
        tokenizer: Arc<Tokenizer>,
        config: &Config,
        settings: Settings,
    ) -> Result<Self, lm::Error> {
        let end = config.end()?;
        Ok(Self {
            frame,
            tokenizer,
            settings,
            end,
            rows: config.vocab_size,
            context: config.max_position_embeddings,
        })
    }

    /// The same where only what the guide leaves a choice about is learned.
    #[must_use]
    pub fn of_choices(&self) -> Self {
        let mut other = self.clone();
        other.settings.free_weight = 0.0;
        other
    }

    /// How many tokens a lesson takes by itself: its program, its message, its diff and the end.
    ///
    /// # Errors
    /// Why it would be left out.
    pub fn tokens(&self, lesson: &Lesson) -> Result<usize, Why> {
        let parent = Parent::new(self, lesson);
        Ok(parent.trunk.len() + parent.branch(self, lesson)?.0.tokens.len())
    }

    /// The tree of lessons that have the same parent and file, and which of them are its branches, in order; the others are counted in
    /// `left`. `None` where none remains.
    pub fn tree<'a>(
        &self,
        lessons: &[&'a Lesson],
        left: &mut Left,
    ) -> Option<(Taught, Vec<&'a Lesson>)> {
        let parent = Parent::new(self, lessons.first()?);
        let (mut branches, mut taken) = (Vec::new(), Vec::new());
        let mut of_branches = Vec::new();
        for lesson in lessons {
            match parent.branch(self, lesson) {
                Ok((text, weights)) => {
                    taken.push(*lesson);
                    of_branches.extend(weights);
                    branches.push(Branch {
                        seen: parent.trunk.len(),
                        text,
                    });
                }
                Err(why) => left.add(why),
            }
        }
        if branches.is_empty() {
            return None;
        }
        // Nothing predicts the first token, and nobody writes those before a text.
        let given = self.tokenizer.start().len().max(1);
        let learns = self.settings.program_weight > 0.0;
        let trunk = Text {
            chosen: (0..parent.trunk.len())
                .map(|at| learns && at >= given)
                .collect(),
            tokens: parent.trunk,
        };
        let of_program = trunk.chosen.iter().filter(|chosen| **chosen).count();
        let tree = Tree {
            trunk,
            branches,
            ..Tree::default()
        };
        let mut weights = vec![self.settings.program_weight; of_program];
        weights.extend(of_branches);
        Some((Taught { tree, weights }, taken))
    }
}

/// A program that lessons change.
struct Parent {
    trunk: Vec<u32>,
    guide: DiffGuide,
}

impl Parent {
    fn new(texts: &Texts, lesson: &Lesson) -> Self {
        let (frame, program) = (texts.frame.of(lesson), &*canonical(&lesson.parent));
        Self {
            trunk: frame.beginning(&texts.tokenizer, program),
            guide: frame.guide(program, frame.options(program, None)),
        }
    }

    /// What the model would have written for a lesson, and a weight for each chosen token.
    fn branch(&self, texts: &Texts, lesson: &Lesson) -> Result<(Text, Vec<f32>), Why> {
        let frame = &texts.frame;
        let diff = self.guide.short(&canonical(&lesson.child))?;
        let message = message(frame, lesson, texts.settings.seed);
        let lead = match lesson.accepted {
            true => Frame::lead(message),
            false => Frame::lead_of_rejected(message),
        };
        let guide = self.guide.clone();
        let followed = follow(
            guide,
            &texts.tokenizer,
            lead.as_bytes(),
            diff.as_bytes(),
            texts.end,
        );
        let followed = followed.ok_or(Why::Tokens)?;
        let mut all = self.trunk.iter().chain(&followed.text.tokens);
        if all.any(|token| *token as usize >= texts.rows) {
            return Err(Why::Tokens);
        }
        if followed.steps > frame.settings().max_tokens {
            return Err(Why::Unfinished);
        }
        if self.trunk.len() + followed.text.tokens.len() > texts.context {
            return Err(Why::TooLong);
        }
        let (mut text, free) = (followed.text, texts.settings.free_weight);
        let led = text.tokens.len() - followed.steps;
        if free > 0.0 && text.tokens.last() != Some(&texts.end) {
            text.tokens.push(texts.end);
            text.chosen.push(false);
        }
        let own = text.chosen.iter_mut().skip(led);
        let weights = own.filter_map(|chosen| match *chosen {
            true => Some(1.0),
            false => {
                *chosen = free > 0.0;
                chosen.then_some(free)
            }
        });
        let weights = weights.collect();
        Ok((text, weights))
    }
}

/// Lessons by their parent and its file, the parents in the order in which they first come.
pub fn by_parent(lessons: &[Lesson]) -> Vec<Vec<&Lesson>> {
    let mut places: HashMap<(&str, Option<&str>), usize> = HashMap::new();
    let mut groups: Vec<Vec<&Lesson>> = Vec::new();
    for lesson in lessons {
        let parent = (&*lesson.parent, lesson.file.as_deref());
        let place = *places.entry(parent).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(lesson),
            None => groups.push(vec![lesson]),
        }
    }
    groups
}
