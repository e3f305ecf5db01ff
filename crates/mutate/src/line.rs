//! Rewriting drawn lines in place.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edit::guide::{LineGuide, LineOptions, Rules};
use edit::source::canonical;
use lm::{End, Task, Written};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{Ranged, TextRange};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::brief::Brief;
use crate::diff;
use crate::draw::weighted;
use crate::kind::{Kind, Recipe, Workshop};
use crate::model::WithModel;
use crate::operator::{Operator, Request, Tray};
use crate::reason::{NO_PLACE, Reason};
use crate::settings::{drawable, range};
use crate::writer::{Beginning, Draws, Writer, Writing, children, failure, rules};

/// Lines rewritten in place by a language model of our own.
pub static KIND: Kind = Kind {
    name: "line",
    about: "Lines rewritten in place by the language model inside",
    weight: 0.0,
    settings: include_str!("line.toml"),
    read: |settings| Ok(Box::new(WithModel::<Settings>::read(settings, KIND.name)?)),
};

/// The section `[line]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in line.toml")]
pub struct Settings {
    pub lines: Vec<Count>,
    pub temperature: f64,
    pub min_p: f64,
    pub max_tokens: usize,
    pub tries: usize,
    pub constrained: bool,
    pub known_names: bool,
    pub comments: bool,
}

/// How many lines are rewritten, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in line.toml")]
pub struct Count {
    pub count: usize,
    pub weight: f64,
}

/// Rewrites one to a few successive lines in place, from a drawn place within the first of them. The model reads the
/// program, and then the program again up to that place; it sees what stood there and writes what stands there now,
/// which begins with another token.
///
/// All children of a parent, whatever their lines, go on from places in the same text, which is read once.
pub struct Line {
    settings: Settings,
    host: String,
    writer: Arc<Writer>,
}

const ORIGINAL: &str = "# The original program:\n\n";
const CHANGED: &str = "\n\n# The same program after a small change:\n\n";

/// Bytes of a new line.
const MAX_LINE: usize = 120;

/// Bytes of a new line at most: some more than the program's longest line has.
pub(crate) fn max_line(program: &str) -> usize {
    let longest = program.lines().map(str::len).max();
    MAX_LINE.max(longest.unwrap_or_default() + 20)
}

/// Which lines are worth changing: blank lines, comments, docstrings and imports do nothing that could be done otherwise.
pub(super) fn worth_changing(program: &str) -> Vec<bool> {
    let idle = ["#", "\"\"\"", "'''", "import ", "from "];
    let lines: Vec<&str> = program.split_inclusive('\n').collect();
    let mut worth: Vec<bool> = lines
        .iter()
        .map(|line| line.trim_start())
        .map(|line| !line.is_empty() && !idle.iter().any(|start| line.starts_with(start)))
        .collect();
    // Those that reach over several lines, or begin otherwise.
    let mut starts = Vec::with_capacity(lines.len());
    let mut at = 0;
    for line in &lines {
        starts.push(at);
        at += line.len();
    }
    let mut ranges = Idle(Vec::new());
    let parsed = parse_unchecked(program, ParseOptions::from(Mode::Module));
    if let Mod::Module(module) = parsed.syntax() {
        ranges.visit_body(&module.body);
    }
    for range in ranges.0 {
        let [first, last] = [range.start(), range.end()].map(|at| {
            starts
                .partition_point(|start| *start <= at.to_usize())
                .max(1)
                - 1
        });
        let ends = starts.get(last + 1).map_or(program.len(), |next| *next);
        // A statement may follow on the last line.
        let rest = program[range.end().to_usize()..ends].trim();
        let last = match rest.is_empty() || rest.starts_with('#') {
            true => last + 1,
            false => last,
        };
        // Or one stand before it, on the first.
        let before = &program[starts.get(first).copied().unwrap_or(0)..range.start().to_usize()];
        let first = first + usize::from(!before.trim().is_empty());
        if let Some(idle) = worth.get_mut(first.min(last)..last) {
            idle.fill(false);
        }
    }
    worth
}

/// Where docstrings (and other strings that are statements) and imports stand.
struct Idle(Vec<TextRange>);

impl<'a> Visitor<'a> for Idle {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.0.push(stmt.range()),
            Stmt::Expr(x) if x.value.is_string_literal_expr() => self.0.push(stmt.range()),
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

impl Settings {
    fn draws(&self) -> Draws {
        Draws {
            temperature: self.temperature,
            min_p: self.min_p,
            max_tokens: self.max_tokens,
            tries: self.tries,
        }
    }

    fn check(&self) -> Result<(), Error> {
        drawable("line.lines", self.lines.iter().map(|lines| lines.weight))?;
        for lines in &self.lines {
            range("line.lines.count", lines.count as f64, 1.0, 16.0)?;
        }
        self.draws().check(KIND.name)
    }
}

impl Recipe for WithModel<Settings> {
    fn check(&self, _: &Brief) -> Result<(), Error> {
        self.own.check()?;
        self.model.check()
    }

    fn make(&self, workshop: &mut Workshop<'_>) -> Result<Box<dyn Operator>, Error> {
        let writer = workshop.writer(&self.model)?;
        if writer.task() == Some(diff::TASK) {
            let path = &self.model.path;
            return Err(Error::setting(
                "model.path",
                format!(
                    "{path:?} was trained to write diffs, and the operator line asks for lines"
                ),
                "give another model, such as --model smollm2-135m, or use the operator diff",
            ));
        }
        Ok(Box::new(Line {
            settings: self.own.clone(),
            host: workshop.brief.host(),
            writer,
        }))
    }
}

impl Line {
    fn plan(&self, parent: &str) -> Result<Plan, Reason> {
        let settings = &self.settings;
        let text = [ORIGINAL, parent, CHANGED, parent].concat();
        let beginning = self.writer.read(&text, settings.max_tokens)?;
        let (free, rules) = match settings.constrained {
            true => (
                Rules::default(),
                rules(parent, &self.host, settings.known_names, settings.comments),
            ),
            false => (Rules::any(), Rules::any()),
        };
        let options = LineOptions {
            rules,
            max_line: max_line(parent),
            ..LineOptions::default()
        };
        let worth = worth_changing(parent);
        let places = settings.lines.iter().map(|several| {
            let mut places = LineGuide::places(parent, several.count, &free);
            places.retain(|first| worth[*first]);
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
        let weights: Vec<f64> = weights.collect();
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(Reason::new(&NO_PLACE, "no line can be rewritten"));
        }
        let drawn = weighted(&mut rng, &weights).unwrap_or_default();
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
            .map_err(|e| Reason::new(&NO_PLACE, e.to_string()))?;
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

/// The children of one call.
struct Call<'a> {
    line: &'a Line,
    parents: Vec<Cow<'a, str>>,
    plans: Vec<Result<Plan, Reason>>,
}

impl Writing for Call<'_> {
    type Guide = LineGuide;

    fn task(
        &self,
        request: usize,
        rng: ChaCha8Rng,
    ) -> Result<(Task<LineGuide>, Option<String>), Reason> {
        let plan = self.plans[request].as_ref().map_err(Reason::clone)?;
        Ok((self.line.task(&self.parents[request], plan, rng)?, None))
    }

    fn finish(&self, _: usize, written: Written<LineGuide>) -> Result<String, Reason> {
        let program = match written.end {
            End::Done => written.guide.result(),
            End::Length | End::Stuck => written.guide.closed(),
            End::Stopped => None,
        };
        program.ok_or_else(|| failure(&written))
    }

    fn crossed(&self, _: usize) -> bool {
        false
    }
}

impl Operator for Line {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let children = children(requests);
        let parents: Vec<_> = requests.iter().map(|x| canonical(x.parent)).collect();
        let call = Call {
            plans: parents.iter().map(|parent| self.plan(parent)).collect(),
            line: self,
            parents,
        };
        let draws = self.settings.draws();
        self.writer.write(children, &call, &draws, tray, stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_nothing_is_not_worth_changing() {
        let program = "\"\"\"Doc.\n\nx = 1\n\"\"\"\nfrom a import (\n    b,\n    c,\n)\n\n\ndef f(x):\n    '''Of f.\n\n    y = 2\n    '''\n    # why\n    z = \"\"\"\n    text\n    \"\"\"\n    class A:\n        r\"\"\"Of A.\n        More.\"\"\"\n        \"\"\"x\n        y\"\"\"; w = 1\n    return x\n";
        let worth = worth_changing(program);
        let lines: Vec<&str> = program
            .lines()
            .zip(worth)
            .filter(|(_, worth)| *worth)
            .map(|(line, _)| line.trim())
            .collect();
        assert_eq!(
            lines,
            [
                "def f(x):",
                "z = \"\"\"",
                "text",
                "class A:",
                "y\"\"\"; w = 1",
                "return x"
            ]
        );
        assert_eq!(worth_changing("x = (\n1\n"), [true, true]);
    }
}
