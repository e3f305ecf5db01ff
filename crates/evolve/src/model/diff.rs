//! Writing unified diffs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::guide::{DiffGuide, DiffOptions, Guide};
use lm::{End, Sampling, Task, Written};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::settings;
use super::writer::{Writer, deal, failure, refused, rules, weighted};
use crate::operator::{Operator, Proposal, Request};
use crate::{Error, Reason};

/// The paper's operator (Lehman et al. 2022, section 2): the model reads the file's name, its contents and a commit
/// message, and writes a unified diff.
pub struct Diff {
    settings: settings::Diff,
    writer: Arc<Writer>,
}

/// What the model reads before the commit message; with a second program where two are crossed.
pub fn contents(file_name: &str, program: &str, partner: Option<&str>) -> String {
    let partner = partner.map_or_else(String::new, |partner| {
        format!("# Another version of {file_name}:\n\n{partner}\n\n")
    });
    format!("{partner}# File {file_name}:\n\n{program}\n\n# Commit message:")
}

/// What stands between the contents and the diff.
pub fn message(message: &str) -> String {
    format!(" {message}\n\n# Diff:\n\n")
}

/// A diff held to what applies, or any text.
enum Writing {
    Held(Box<DiffGuide>),
    Free(Vec<u8>),
}

impl Guide for Writing {
    fn admits(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Held(guide) => guide.admits(bytes),
            Self::Free(_) => true,
        }
    }

    fn advance(&mut self, bytes: &[u8]) {
        match self {
            Self::Held(guide) => guide.advance(bytes),
            Self::Free(text) => text.extend_from_slice(bytes),
        }
    }

    fn forced(&self) -> Vec<u8> {
        match self {
            Self::Held(guide) => guide.forced(),
            Self::Free(_) => Vec::new(),
        }
    }

    fn may_end(&self) -> bool {
        match self {
            Self::Held(guide) => guide.may_end(),
            Self::Free(_) => true,
        }
    }

    fn must_end(&self) -> bool {
        match self {
            Self::Held(guide) => guide.must_end(),
            Self::Free(_) => false,
        }
    }
}

impl Diff {
    /// An operator that writes with `writer`.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(settings: settings::Diff, writer: Arc<Writer>) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings, writer })
    }

    /// The tasks of a request, and whether they cross two programs.
    fn tasks(&self, request: &mut Request<'_>) -> (bool, Vec<Result<Task<Writing>, Reason>>) {
        let Request {
            parent,
            partner,
            count,
            rng,
        } = request;
        let settings = &self.settings;
        let crosses = settings.crossover > 0.0 && rng.random::<f64>() < settings.crossover;
        let partner = partner.filter(|_| crosses);
        let text = contents(&settings.file_name, parent, partner);
        let beginning = match self.writer.read(&text, settings.max_tokens) {
            Ok(beginning) => beginning,
            Err(reason) => return (false, refused(reason, *count)),
        };
        let names = match partner {
            Some(partner) => format!("{parent}\n{partner}"),
            None => (*parent).to_owned(),
        };
        let options = DiffOptions {
            rules: rules(&names, settings.known_names, settings.comments),
            ..DiffOptions::default()
        };
        let tasks = (0..*count)
            .map(|_| {
                let mut rng = ChaCha8Rng::seed_from_u64(rng.random());
                let drawn = weighted(
                    settings.messages.iter().map(|message| message.weight),
                    &mut rng,
                );
                let guide = match settings.constrained {
                    true => Writing::Held(Box::new(DiffGuide::new(
                        &settings.file_name,
                        parent,
                        options.clone(),
                    ))),
                    false => Writing::Free(Vec::new()),
                };
                let lead = message(&settings.messages[drawn].message);
                Ok(beginning.task(beginning.len(), &lead, guide, settings.max_tokens, rng))
            })
            .collect();
        (partner.is_some(), tasks)
    }
}

/// The program that a diff makes of its parent.
fn changed(parent: &str, written: &Written<Writing>) -> Result<String, Reason> {
    match &written.guide {
        Writing::Held(guide) => match guide.result().or_else(|| guide.closed()) {
            Some((_, program)) => Ok(program),
            None => Err(failure(written)),
        },
        Writing::Free(text) => {
            if written.end != End::Done {
                return Err(failure(written));
            }
            let text = String::from_utf8_lossy(text);
            let diff = edit::diff::Diff::parse(&text)
                .map_err(|e| Reason::new("not-a-diff", e.to_string()))?;
            let applied = diff
                .apply(parent)
                .map_err(|e| Reason::new("does-not-apply", e.to_string()))?;
            match applied == parent {
                true => Err(failure(written)),
                false => Ok(applied),
            }
        }
    }
}

impl Operator for Diff {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        stop: &AtomicBool,
    ) -> Result<Vec<Vec<Proposal>>, Error> {
        let mut tasks = Vec::new();
        let mut owners = Vec::new();
        for request in requests.iter_mut() {
            let (crossed, own) = self.tasks(request);
            owners.extend(own.iter().map(|_| (request.parent, crossed)));
            tasks.extend(own);
        }
        let sampling = Sampling {
            temperature: self.settings.temperature as f32,
            min_p: self.settings.min_p as f32,
        };
        let written = self.writer.write(tasks, sampling, stop, |index, written| {
            let (parent, crossed) = owners[index];
            Proposal {
                crossed,
                ..changed(parent, &written).into()
            }
        });
        Ok(deal(requests, written))
    }
}
