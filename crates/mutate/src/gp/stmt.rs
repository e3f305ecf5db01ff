//! Mutations of statements: whole logical lines are repeated, deleted, swapped or carried elsewhere,
//! indented as their new block is.

use std::collections::HashMap;

use rand::Rng;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::Kind;
use super::edit::{Edit, Edits};
use super::expr::Mutator;
use super::outline::Statement;
use crate::draw::{below, chance, pick};

/// The share of mutations kept that are likely to break the program: a deleted `return`, a
/// variable read before it is set.
const RISK: f64 = 0.1;

/// The lines a statement has to itself.
#[derive(Clone, Copy, Debug)]
struct Lines<'a> {
    /// First byte of the first line.
    start: usize,
    indent: &'a str,
    /// End of the last line, a comment included, before the line break.
    end: usize,
    /// First byte after the line break.
    next: usize,
}

impl<'a> Mutator<'_, 'a> {
    /// The weights of duplicate, delete, swap and transplant for a statement.
    pub(super) fn statement_weights(&self, s: &Statement<'a>) -> [f64; 4] {
        let w = &self.settings.weights;
        if s.fixed() {
            return [0.0; 4];
        }
        let delete = if matches!(s.stmt, Stmt::Pass(_)) {
            0.0
        } else {
            w.delete
        };
        if self.full {
            return [0.0, delete, 0.0, 0.0];
        }
        if s.jumps() || s.defines() || matches!(s.stmt, Stmt::Pass(_)) {
            return [0.0, delete, if s.defines() { w.swap } else { 0.0 }, 0.0];
        }
        [w.duplicate, delete, w.swap, w.transplant]
    }

    /// Mutates statement `i` by `kind`.
    pub(super) fn mutate_statement(
        &self,
        i: usize,
        kind: Kind,
        rng: &mut dyn Rng,
    ) -> Option<Vec<Edit>> {
        match kind {
            Kind::Duplicate => self.duplicate(i, rng),
            Kind::Delete => self.delete(i, rng),
            Kind::Swap => self.swap(i, rng),
            Kind::Transplant => self.transplant(i, rng),
            _ => None,
        }
    }

    fn statement(&self, i: usize) -> &Statement<'a> {
        &self.outline().statements[i]
    }

    /// The lines of a statement, if it shares them with nothing but a comment.
    fn lines(&self, s: &Statement<'a>) -> Option<Lines<'a>> {
        let source = self.source();
        let start = source[..s.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = &source[start..s.start];
        let blank = |text: &str| text.chars().all(|c| c == ' ' || c == '\t');
        let joined = source[..start]
            .trim_end_matches(['\n', '\r'])
            .ends_with('\\');
        let next = source[s.end..]
            .find('\n')
            .map_or(source.len(), |at| s.end + at + 1);
        let rest = source[s.end..next].trim_end_matches(['\n', '\r']);
        let end = s.end + rest.len();
        let comment = rest.trim_start_matches([' ', '\t']);
        let alone = blank(indent) && !joined && (comment.is_empty() || comment.starts_with('#'));
        alone.then_some(Lines {
            start,
            indent,
            end,
            next,
        })
    }

    fn line_break(&self) -> &'static str {
        if self.source().contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// The names a run of statements binds in its own scope.
    fn bound(&self, first: &Statement<'a>, last: &Statement<'a>) -> Vec<&'a str> {
        let bindings = &self.outline().scopes[first.scope].bindings;
        bindings
            .iter()
            .filter(|b| (first.start..=last.end).contains(&b.at))
            .map(|b| b.name)
            .collect()
    }

    /// Whether one of `names` is read in the given nodes.
    fn reads(&self, nodes: std::ops::Range<usize>, names: &[&str]) -> bool {
        self.outline().nodes[nodes]
            .iter()
            .any(|n| matches!(n.expr, Expr::Name(name) if names.contains(&name.id.as_str())))
    }

    /// Whether taking a statement away leaves a name read elsewhere unbound.
    fn is_needed(&self, s: &Statement<'a>) -> bool {
        let bindings = &self.outline().scopes[s.scope].bindings;
        let mut only = self.bound(s, s);
        only.retain(|name| {
            let mut others = bindings.iter().filter(|b| b.name == *name);
            others.all(|b| (s.start..=s.end).contains(&b.at))
        });
        !only.is_empty()
            && (self.reads(0..s.nodes.start, &only)
                || self.reads(s.nodes.end..self.outline().nodes.len(), &only))
    }

    /// Repeats a statement, or a short run of them, with changes in the copy. What the copy
    /// assigns mostly gets new names, so that a copy adds a part rather than replacing one.
    fn duplicate(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let first = self.statement(i);
        let block = &self.outline().blocks[first.block];
        let mut run = 1;
        while run < 4 && chance(rng, 0.3) {
            let Some(next) = block.get(first.index + run) else {
                break;
            };
            let next = self.statement(*next);
            if self.statement_weights(next)[0] == 0.0 || self.lines(next).is_none() {
                break;
            }
            run += 1;
        }
        let last = self.statement(block[first.index + run - 1]);
        let mut edits = Edits::default();
        if chance(rng, 0.6) {
            self.rename(first, last, &mut edits);
        }
        self.perturb(first.nodes.start..last.nodes.end, &mut edits, rng);
        let copy = edits.apply(self.source(), first.start..last.end);
        match (self.lines(first), self.lines(last)) {
            (Some(lines), Some(tail)) => {
                let text = format!("{}{}{copy}", self.line_break(), lines.indent);
                Some(vec![Edit::new(tail.end..tail.end, text)])
            }
            _ if run == 1 && first.simple() => {
                Some(vec![Edit::new(first.end..first.end, format!("; {copy}"))])
            }
            _ => None,
        }
    }

    /// Gives new names to what the statements of a run assign, in all of the run.
    fn rename(&self, first: &Statement<'a>, last: &Statement<'a>, edits: &mut Edits) {
        let block = &self.outline().blocks[first.block];
        let mut names: HashMap<&str, String> = HashMap::new();
        for i in &block[first.index..=last.index] {
            let Stmt::Assign(assign) = self.statement(*i).stmt else {
                continue;
            };
            let [Expr::Name(target)] = &*assign.targets else {
                continue;
            };
            let old = target.id.as_str();
            let new = &**names.entry(old).or_insert_with(|| self.fresh(old));
            let start = target.start().to_usize();
            edits.add(vec![Edit::new(start..target.end().to_usize(), new)]);
            for node in &self.outline().nodes[first.nodes.start..last.nodes.end] {
                let later = node.start > start;
                if later && matches!(node.expr, Expr::Name(n) if n.id.as_str() == old) {
                    edits.add(vec![Edit::new(node.start..node.end, new)]);
                }
            }
        }
    }

    /// A name that neither the program holds nor another copy in this child: the old one with the next free number.
    fn fresh(&self, name: &str) -> String {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let stem = if stem.is_empty() { name } else { stem };
        let mut given = self.given.borrow_mut();
        let free = |new: &String| !self.source().contains(new.as_str()) && !given.contains(new);
        let new = (2..).map(|n| format!("{stem}{n}")).find(free);
        let new = new.unwrap_or_else(|| name.to_owned());
        given.push(new.clone());
        new
    }

    fn delete(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let s = self.statement(i);
        let vital = s.defines() || matches!(s.stmt, Stmt::Return(_));
        let risky = self.settings.typed && (vital || self.is_needed(s));
        if risky && !chance(rng, RISK) {
            return None;
        }
        let alone = self.outline().blocks[s.block].len() == 1;
        match self.lines(s) {
            Some(lines) if !alone => Some(vec![Edit::new(lines.start..lines.next, "")]),
            None if !s.simple() => None,
            _ => Some(vec![Edit::new(s.start..s.end, "pass")]),
        }
    }

    /// The position in a block from which on statements may be put: after its imports,
    /// declarations and docstring.
    fn first_free(&self, block: usize) -> usize {
        let block = &self.outline().blocks[block];
        let last = block.iter().rposition(|i| self.statement(*i).fixed());
        last.map_or(0, |at| at + 1)
    }

    fn swap(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let s = self.statement(i);
        let block = &self.outline().blocks[s.block];
        let free = self.first_free(s.block);
        let others: Vec<_> = block[free..]
            .iter()
            .map(|j| self.statement(*j))
            .filter(|o| o.index != s.index && !o.jumps())
            .filter(|o| o.index.abs_diff(s.index) == 1 || chance(rng, 0.3))
            .collect();
        let other = pick(rng, &others)?;
        if s.index < free {
            return None;
        }
        let (a, b) = if s.index < other.index {
            (s, *other)
        } else {
            (*other, s)
        };
        let (first, second) = (
            &self.source()[a.start..a.end],
            &self.source()[b.start..b.end],
        );
        let lines = self.lines(a).is_some() && self.lines(b).is_some();
        if first == second || !(lines || a.simple() && b.simple()) {
            return None;
        }
        let between = block[a.index..b.index]
            .iter()
            .map(|j| self.statement(*j))
            .any(|x| self.reads(b.nodes.clone(), &self.bound(x, x)));
        if self.settings.typed && between && !chance(rng, RISK) {
            return None;
        }
        Some(vec![
            Edit::new(a.start..a.end, second),
            Edit::new(b.start..b.end, first),
        ])
    }

    /// Moves or copies a statement to another place where all it reads is visible.
    fn transplant(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let s = self.statement(i);
        let lines = self.lines(s)?;
        let outline = self.outline();
        for _ in 0..8 {
            let target = self.statement(below(rng, outline.statements.len()));
            let inside = (s.start..s.end).contains(&target.start);
            let beside =
                target.block == s.block && (target.index == s.index || target.index == s.index + 1);
            if inside || beside || target.index < self.first_free(target.block) {
                continue;
            }
            let Some(place) = self.lines(target) else {
                continue;
            };
            if !self.may_live(s, target) {
                continue;
            }
            let around = target.start <= s.start && s.end <= target.end;
            let after = target.index + 1 == outline.blocks[target.block].len()
                && !target.jumps()
                && !around
                && chance(rng, 0.5);
            let mut edits = Edits::default();
            let moves = chance(rng, 0.5) && outline.blocks[s.block].len() > 1 && !self.is_needed(s);
            if !moves {
                self.perturb(s.nodes.clone(), &mut edits, rng);
            }
            self.reindent(s, lines.indent, place.indent, &mut edits);
            let text = edits.apply(self.source(), s.start..s.end);
            let (indent, end) = (place.indent, self.line_break());
            let mut edits = vec![if after {
                Edit::new(place.end..place.end, format!("{end}{indent}{text}"))
            } else {
                Edit::new(place.start..place.start, format!("{indent}{text}{end}"))
            }];
            if moves {
                edits.push(Edit::new(lines.start..lines.next, ""));
            }
            return Some(edits);
        }
        None
    }

    /// Whether `s` may stand before `target`: what it reads is visible there, and its jumps have
    /// the function and the loop they need.
    fn may_live(&self, s: &Statement<'a>, target: &Statement<'a>) -> bool {
        let outline = self.outline();
        let inner = outline.statements.iter();
        let inner: Vec<_> = inner
            .filter(|t| t.start >= s.start && t.end <= s.end)
            .collect();
        let leaves_loop = inner
            .iter()
            .any(|t| matches!(t.stmt, Stmt::Break(_) | Stmt::Continue(_)));
        let bound_here =
            |e: &Expr| matches!(e, Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Await(_));
        let tied = inner.iter().any(|t| {
            matches!(t.stmt, Stmt::Return(_))
                || matches!(t.stmt, Stmt::For(f) if f.is_async)
                || matches!(t.stmt, Stmt::With(w) if w.is_async)
        }) || outline.nodes[s.nodes.clone()]
            .iter()
            .any(|n| bound_here(n.expr));
        (target.scope == s.scope || !tied && s.simple())
            && (target.in_loop || !leaves_loop)
            && self.readable(s, target)
    }

    fn readable(&self, s: &Statement<'a>, target: &Statement<'a>) -> bool {
        let own = self.bound(s, s);
        self.outline().nodes[s.nodes.clone()].iter().all(|n| {
            matches!(n.expr, Expr::Name(name) if own.contains(&name.id.as_str()))
                || self.names.portable(
                    std::slice::from_ref(n),
                    (s.start, s.end),
                    target.scope,
                    target.start,
                )
        })
    }

    /// Changes the indentation of the later lines of a statement, but not inside strings.
    fn reindent(&self, s: &Statement<'a>, old: &str, new: &str, edits: &mut Edits) {
        let text = &self.source()[s.start..s.end];
        if old == new || !text.contains('\n') {
            return;
        }
        let range = TextRange::new(
            TextSize::try_from(s.start).unwrap_or_default(),
            TextSize::try_from(s.end).unwrap_or_default(),
        );
        let strings = self.tokens.in_range(range).iter().filter(|t| {
            matches!(
                t.kind(),
                TokenKind::String | TokenKind::FStringMiddle | TokenKind::TStringMiddle
            )
        });
        let strings: Vec<_> = strings
            .map(|t| t.start().to_usize()..t.end().to_usize())
            .collect();
        for (at, _) in text.match_indices('\n') {
            let line = s.start + at + 1;
            let in_string = strings.iter().any(|r| r.start < line && line < r.end);
            if !in_string && self.source()[line..s.end].starts_with(old) {
                edits.add(vec![Edit::new(line..line + old.len(), new)]);
            }
        }
    }
}
