//! Rewriting drawn lines in place.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::guide::{LineGuide, LineOptions, Rules};
use lm::{End, Task};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::settings;
use super::writer::{Beginning, Writer, children, deal, failure, rules, sampling, weighted};
use crate::operator::{Operator, Proposal, Request};
use crate::{Error, Reason};

/// Rewrites one to a few successive lines in place, from a drawn place within the first of them. The model reads the
/// program, and then the program again up to that place; it sees what stood there and writes what stands there now,
/// which begins with another token.
///
/// All children of a parent, whatever their lines, go on from places in the same text, which is read once.
pub struct Line {
    settings: settings::Line,
    writer: Arc<Writer>,
}

const ORIGINAL: &str = "# The original program:\n\n";
const CHANGED: &str = "\n\n# The same program after a small change:\n\n";

/// Bytes of a new line.
pub(super) const MAX_LINE: usize = 120;

/// Blank lines, comments, docstrings and imports do nothing that could be done otherwise.
pub(super) fn is_worth_changing(line: &str) -> bool {
    let line = line.trim_start();
    let idle = ["#", "\"\"\"", "'''", "import ", "from "];
    !line.is_empty() && !idle.iter().any(|start| line.starts_with(start))
}

impl Line {
    /// An operator that writes with `writer`.
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(settings: settings::Line, writer: Arc<Writer>) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings, writer })
    }

    fn plan(&self, parent: &str) -> Result<Plan, Reason> {
        let settings = &self.settings;
        let text = [ORIGINAL, parent, CHANGED, parent].concat();
        let beginning = self.writer.read(&text, settings.max_tokens)?;
        let (free, rules) = match settings.constrained {
            true => (
                Rules::default(),
                rules(parent, settings.known_names, settings.comments),
            ),
            false => (Rules::any(), Rules::any()),
        };
        let options = LineOptions {
            rules,
            max_line: MAX_LINE,
            ..LineOptions::default()
        };
        let lines: Vec<&str> = parent.split_inclusive('\n').collect();
        let places = settings.lines.iter().map(|several| {
            let mut places = LineGuide::places(parent, several.count, &free);
            places.retain(|first| is_worth_changing(lines[*first]));
            places
        });
        Ok(Plan {
            beginning,
            options,
            places: places.collect(),
        })
    }

    fn task(
        &self,
        parent: &str,
        plan: &Plan,
        mut rng: ChaCha8Rng,
    ) -> Result<Task<LineGuide>, Reason> {
        let settings = &self.settings;
        let weights = settings.lines.iter().zip(&plan.places);
        let weights = weights.map(|(lines, places)| match places.is_empty() {
            true => 0.0,
            false => lines.weight,
        });
        if weights.clone().all(|weight| weight == 0.0) {
            return Err(Reason::new("no-place", "no line can be rewritten"));
        }
        let drawn = weighted(weights, &mut rng);
        let places = &plan.places[drawn];
        let first = places[rng.random_range(0..places.len())];
        let mut lines = parent.split_inclusive('\n');
        let before: usize = lines.by_ref().take(first).map(str::len).sum();
        let options = LineOptions {
            keep: self
                .writer
                .place_within(lines.next().unwrap_or_default(), &mut rng),
            ..plan.options.clone()
        };
        let guide = LineGuide::new(parent, first, settings.lines[drawn].count, options)
            .map_err(|e| Reason::new("no-place", e.to_string()))?;
        let place = plan.beginning.len() - parent.len() + before;
        let most = settings.max_tokens;
        Ok(plan.beginning.task(place, "", guide, most, rng))
    }
}

/// What the children of a parent have in common.
struct Plan {
    beginning: Beginning,
    options: LineOptions,
    /// Where lines can be rewritten, for each number of lines.
    places: Vec<Vec<usize>>,
}

impl Operator for Line {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        stop: &AtomicBool,
    ) -> Result<Vec<Vec<Proposal>>, Error> {
        let plans: Vec<_> = requests
            .iter()
            .map(|request| self.plan(request.parent))
            .collect();
        let (streams, owners) = children(requests);
        let proposals = self.writer.write(
            streams,
            self.settings.tries,
            sampling(self.settings.temperature, self.settings.min_p),
            stop,
            |child, rng| {
                let owner = owners[child];
                let plan = plans[owner].as_ref().map_err(Reason::clone)?;
                self.task(requests[owner].parent, plan, rng)
            },
            |_, written| {
                let program = match written.end {
                    End::Done => written.guide.result(),
                    End::Length | End::Stuck => written.guide.closed(),
                    End::Stopped => None,
                };
                program.ok_or_else(|| failure(&written))
            },
        );
        Ok(deal(requests, proposals))
    }
}
