//! Writing unified diffs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::guide::{DiffGuide, DiffOptions, Guide, Rules};
use lm::{End, Task, Written};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::line::{MAX_LINE, is_worth_changing};
use super::settings;
use super::writer::{Beginning, Writer, children, deal, failure, rules, sampling, weighted};
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

/// A line drawn among those worth changing.
fn place(program: &str, rng: &mut ChaCha8Rng) -> Option<usize> {
    let lines = program.lines().enumerate();
    let places: Vec<usize> = lines
        .filter(|(_, line)| is_worth_changing(line))
        .map(|(index, _)| index)
        .collect();
    (!places.is_empty()).then(|| places[rng.random_range(0..places.len())])
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

    fn plan(&self, request: &mut Request<'_>) -> Plan {
        let settings = &self.settings;
        let parent = request.parent;
        let crosses = settings.crossover > 0.0 && request.rng.random::<f64>() < settings.crossover;
        let partner = request.partner.filter(|_| crosses);
        let text = contents(&settings.file_name, parent, partner);
        let names = match partner {
            Some(partner) => format!("{parent}\n{partner}"),
            None => parent.to_owned(),
        };
        let most = settings.max_lines.min(parent.lines().count());
        Plan {
            crossed: partner.is_some(),
            beginning: self.writer.read(&text, settings.max_tokens),
            options: DiffOptions {
                rules: match settings.constrained {
                    true => rules(&names, settings.known_names, settings.comments),
                    false => Rules::any(),
                },
                max_added: most,
                max_removed: most,
                max_line: MAX_LINE,
                ..DiffOptions::default()
            },
        }
    }

    fn task(
        &self,
        parent: &str,
        plan: &Plan,
        mut rng: ChaCha8Rng,
    ) -> Result<Task<Writing>, Reason> {
        let settings = &self.settings;
        let beginning = plan.beginning.as_ref().map_err(Reason::clone)?;
        let drawn = weighted(
            settings.messages.iter().map(|message| message.weight),
            &mut rng,
        );
        let guide = match settings.constrained {
            true => {
                let options = DiffOptions {
                    first: settings
                        .draw_place
                        .then(|| place(parent, &mut rng))
                        .flatten(),
                    ..plan.options.clone()
                };
                let guide = DiffGuide::new(&settings.file_name, parent, options);
                Writing::Held(Box::new(guide))
            }
            false => Writing::Free(Vec::new()),
        };
        let lead = message(&settings.messages[drawn].message);
        let most = settings.max_tokens;
        Ok(beginning.task(beginning.len(), &lead, guide, most, rng))
    }
}

/// What the children of a parent have in common.
struct Plan {
    /// Whether they are shown a second program.
    crossed: bool,
    beginning: Result<Beginning, Reason>,
    options: DiffOptions,
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
                .map_err(|e| Reason::new("edit-does-not-apply", e.to_string()))?;
            let applied = diff
                .apply(parent)
                .map_err(|e| Reason::new("edit-does-not-apply", e.to_string()))?;
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
        let plans: Vec<_> = requests
            .iter_mut()
            .map(|request| self.plan(request))
            .collect();
        let (streams, owners) = children(requests);
        let mut proposals = self.writer.write(
            streams,
            self.settings.tries,
            sampling(self.settings.temperature, self.settings.min_p),
            stop,
            |child, rng| {
                let owner = owners[child];
                self.task(requests[owner].parent, &plans[owner], rng)
            },
            |child, written| changed(requests[owners[child]].parent, &written),
        );
        for (proposal, owner) in proposals.iter_mut().zip(owners) {
            proposal.crossed = plans[owner].crossed;
        }
        Ok(deal(requests, proposals))
    }
}
