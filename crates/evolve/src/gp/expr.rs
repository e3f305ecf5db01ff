//! Mutations of expression nodes. Each returns the edits that make it, or `None` where it does not
//! apply.

use std::ops::Range;

use rand::Rng;
use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::{self as ast, CmpOp, Expr, Number, Operator, OperatorPrecedence, UnaryOp};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::Kind;
use super::constant::{Constant, Demand};
use super::draw::{below, chance, pick, weighted};
use super::edit::{Edit, Edits};
use super::outline::{
    Node, OPEN, Outline, called, is_signed_literal, operand_precedence, precedence,
};
use super::scope::{Base, Names, Type};
use super::settings::Settings;

/// Functions of one argument, or of as many as one likes, that may stand for each other.
const LIKE: [&[&str]; 5] = [
    &["sin", "cos", "tanh"],
    &["floor", "ceil"],
    &["min", "max"],
    &["abs", "float"],
    &["any", "all"],
];

/// Copies longer than this many bytes are not grafted.
const GRAFT_LIMIT: usize = 96;

/// One parent, ready to be mutated.
pub(super) struct Mutator<'m, 'a> {
    pub(super) settings: &'m Settings,
    pub(super) names: Names<'m, 'a>,
    pub(super) tokens: &'a Tokens,
    /// The numbers of the program and the extra ones, each once.
    pub(super) constants: Vec<Constant>,
    /// The program is as large as it may get.
    pub(super) full: bool,
}

pub(super) const NODE_KINDS: [Kind; 8] = [
    Kind::Constant,
    Kind::Name,
    Kind::Operator,
    Kind::Argument,
    Kind::Shrink,
    Kind::Graft,
    Kind::Wrap,
    Kind::Terminal,
];

/// The number an expression is, sign included.
pub(super) fn constant(expr: &Expr) -> Option<Constant> {
    match expr {
        Expr::NumberLiteral(n) => match &n.value {
            Number::Int(i) => i.as_i64().map(Constant::Int),
            Number::Float(f) => Some(Constant::Float(*f)),
            Number::Complex { .. } => None,
        },
        Expr::UnaryOp(e) if is_signed_literal(e) => match constant(&e.operand)? {
            Constant::Int(i) => Some(Constant::Int(i.checked_neg()?)),
            Constant::Float(f) => Some(Constant::Float(-f)),
        },
        _ => None,
    }
}

impl<'m, 'a> Mutator<'m, 'a> {
    pub(super) fn outline(&self) -> &'m Outline<'a> {
        self.names.outline
    }

    pub(super) fn source(&self) -> &'a str {
        self.outline().source
    }

    /// The weights of [`NODE_KINDS`] for a node; all 0 if it is no node to mutate.
    pub(super) fn node_weights(&self, node: &Node<'a>) -> [f64; 8] {
        let w = &self.settings.weights;
        let grow = if self.full { 0.0 } else { 1.0 };
        let (graft, wrap) = (w.graft * grow, w.wrap * grow);
        if node.augmented.is_some() {
            return [0.0, 0.0, w.operator, 0.0, 0.0, 0.0, 0.0, 0.0];
        }
        if node.slot.callee.is_some() {
            return [0.0, w.name, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        }
        if constant(node.expr).is_some() {
            return [w.constant, 0.0, 0.0, 0.0, 0.0, graft, wrap, w.terminal];
        }
        match node.expr {
            Expr::BooleanLiteral(_) => [w.constant, 0.0, 0.0, 0.0, 0.0, graft, 0.0, 0.0],
            Expr::Name(_) => [0.0, w.name, 0.0, 0.0, 0.0, graft, wrap, w.terminal],
            Expr::BinOp(_)
            | Expr::BoolOp(_)
            | Expr::UnaryOp(_)
            | Expr::Compare(_)
            | Expr::If(_) => [0.0, 0.0, w.operator, 0.0, w.shrink, graft, wrap, 0.0],
            Expr::Call(_) | Expr::List(_) => {
                [0.0, 0.0, 0.0, w.argument, w.shrink, graft, wrap, 0.0]
            }
            Expr::Subscript(_) | Expr::Attribute(_) | Expr::Lambda(_) | Expr::Tuple(_) => {
                [0.0, 0.0, 0.0, 0.0, w.shrink, graft, wrap, 0.0]
            }
            _ => [0.0; 8],
        }
    }

    /// Mutates node `i` by `kind`.
    pub(super) fn mutate_node(&self, i: usize, kind: Kind, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        match kind {
            Kind::Constant => self.constant(i, rng),
            Kind::Name => self.name(i, rng),
            Kind::Operator => self.operator(i, rng),
            Kind::Argument => self.argument(i, rng),
            Kind::Shrink => self.shrink(i, rng),
            Kind::Graft => self.graft(i, rng),
            Kind::Wrap => self.wrap(i, rng),
            Kind::Terminal => self.terminal(i, rng),
            Kind::Duplicate | Kind::Delete | Kind::Swap | Kind::Transplant => None,
        }
    }

    fn node(&self, i: usize) -> &'m Node<'a> {
        &self.outline().nodes[i]
    }

    fn slice(&self, node: &Node<'_>) -> &'a str {
        &self.source()[node.start..node.end]
    }

    fn type_of(&self, node: &Node<'a>) -> Type<'a> {
        self.names.type_of(node.expr, node.scope)
    }

    /// Whether what is of kind `new` may stand where `node`, of kind `old`, stands.
    fn fits(&self, new: Type<'a>, old: Type<'a>, node: &Node<'a>) -> bool {
        !self.settings.typed || new.fits(old, self.names.needs_whole(node))
    }

    /// The whole-number need of a place counts only where kinds do.
    fn whole(&self, node: &Node<'a>) -> bool {
        self.settings.typed && self.names.needs_whole(node)
    }

    /// Puts `text`, of the given precedence, in the place of `node`.
    fn place(&self, node: &Node<'_>, text: &str, precedence: OperatorPrecedence) -> Vec<Edit> {
        let number = text.starts_with(|c: char| c.is_ascii_digit());
        let broken = text.contains('\n') && precedence < OperatorPrecedence::CallAttribute;
        let bare = precedence >= node.slot.min
            && !(node.slot.primary && number)
            && (!broken || self.outline().parenthesised(node.start, node.end));
        let text = if bare {
            text.to_owned()
        } else {
            format!("({text})")
        };
        vec![Edit::new(node.start..node.end, text)]
    }

    fn place_constant(&self, node: &Node<'_>, new: Constant) -> Vec<Edit> {
        let negative = new.value().is_sign_negative() && new != Constant::Int(0);
        let precedence = if negative {
            OperatorPrecedence::PosNegBitNot
        } else {
            OperatorPrecedence::Atomic
        };
        self.place(node, &new.text(), precedence)
    }

    /// The text of an expression, in brackets if it binds less tightly than `min`.
    fn text(&self, expr: &Expr, min: OperatorPrecedence) -> String {
        let text = &self.source()[expr.range()];
        if precedence(expr) < min {
            format!("({text})")
        } else {
            text.to_owned()
        }
    }

    fn constant(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if let Expr::BooleanLiteral(b) = node.expr {
            let flipped = if b.value { "False" } else { "True" };
            return Some(self.place(node, flipped, OperatorPrecedence::Atomic));
        }
        let demand = Demand {
            whole: self.whole(node),
            nonzero: node.slot.divisor,
            max: self.settings.max_magnitude,
        };
        let new = constant(node.expr)?.mutate(&self.constants, demand, rng)?;
        Some(self.place_constant(node, new))
    }

    fn name(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if let Some(call) = node.slot.callee {
            return self.function(node, call, rng);
        }
        let Expr::Name(name) = node.expr else {
            return None;
        };
        let name = name.id.as_str();
        if self.risky_divisor(node, rng) {
            return None;
        }
        let old = self.type_of(node);
        let home = self.names.resolve(node.scope, name);
        let mut candidates: Vec<&str> = Vec::new();
        for (scope, other) in self.names.visible(node.scope, node.start) {
            if other == name {
                continue;
            }
            let new = self.names.type_of_name(scope, other);
            // Two names of unknown kind, say two parameters, may well hold the same.
            let unknown = scope != 0 && home == Some(scope) && !new.is_known() && new == old;
            if unknown || self.fits(new, old, node) && self.same_arity(scope, other, home, name) {
                candidates.push(other);
            }
        }
        let extra = self.settings.extra_names.iter().map(String::as_str);
        candidates.extend(extra.filter(|n| *n != name));
        let new = pick(rng, &candidates)?;
        Some(self.place(node, new, OperatorPrecedence::Atomic))
    }

    /// Two functions must take as many arguments to stand for each other; other values always may.
    fn same_arity(&self, scope: usize, name: &str, old: Option<usize>, old_name: &str) -> bool {
        let Some(old) = old else { return true };
        let new = self.names.signature_of(scope, name);
        let old = self.names.signature_of(old, old_name);
        match (new, old) {
            (Some(new), Some(old)) => new.takes(old.required()),
            _ => true,
        }
    }

    fn function(
        &self,
        node: &Node<'a>,
        call: &ast::ExprCall,
        rng: &mut dyn Rng,
    ) -> Option<Vec<Edit>> {
        let arguments = &call.arguments;
        let (name, at) = match node.expr {
            Expr::Name(name) => (name.id.as_str(), name.range),
            Expr::Attribute(a) => (a.attr.as_str(), a.attr.range),
            _ => return None,
        };
        let mut candidates: Vec<&str> = Vec::new();
        let like = LIKE.iter().find(|group| group.contains(&name));
        let bound = match node.expr {
            Expr::Name(_) => self.names.resolve(node.scope, name),
            _ => None,
        };
        if bound.is_none() {
            candidates.extend(
                like.into_iter()
                    .flat_map(|g| g.iter())
                    .filter(|n| **n != name),
            );
        } else if arguments.keywords.is_empty() && !arguments.args.iter().any(Expr::is_starred_expr)
        {
            let old = self.names.type_of_name(bound?, name);
            for (scope, other) in self.names.visible(node.scope, node.start) {
                let fits = other != name
                    && self.names.type_of_name(scope, other) == old
                    && self
                        .names
                        .signature_of(scope, other)
                        .is_some_and(|s| s.takes(arguments.args.len()));
                if fits {
                    candidates.push(other);
                }
            }
        }
        let new = pick(rng, &candidates)?;
        Some(vec![Edit::new(
            at.start().to_usize()..at.end().to_usize(),
            *new,
        )])
    }

    /// The bytes of the operator between two operands.
    fn operator_between(&self, left: &Expr, right: &Expr) -> Option<Range<usize>> {
        self.operator_in(left.end(), right.start())
    }

    fn operator_in(&self, from: TextSize, to: TextSize) -> Option<Range<usize>> {
        let tokens = self.tokens.in_range(TextRange::new(from, to));
        let mut tokens = tokens.iter().filter(|t| {
            !t.kind().is_trivia() && !matches!(t.kind(), TokenKind::Lpar | TokenKind::Rpar)
        });
        let first = tokens.next()?;
        let last = tokens.next_back().unwrap_or(first);
        Some(first.start().to_usize()..last.end().to_usize())
    }

    fn operator(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if let Some(assign) = node.augmented {
            let at = self.operator_in(assign.target.end(), assign.value.start())?;
            let new = self.binary(assign.op, &assign.value, node, rng)?;
            return Some(vec![Edit::new(at, format!("{}=", new.as_str()))]);
        }
        match node.expr {
            Expr::BinOp(e) => {
                let at = self.operator_between(&e.left, &e.right)?;
                let new = self.binary(e.op, &e.right, node, rng)?;
                let mut edits = vec![Edit::new(at, new.as_str())];
                let (left, right) = operand_precedence(new);
                self.bracket(&e.left, left, &mut edits);
                self.bracket(&e.right, right, &mut edits);
                if OperatorPrecedence::from(new) < node.slot.min {
                    bracket(node.start..node.end, &mut edits);
                }
                Some(edits)
            }
            Expr::Compare(e) => {
                let k = below(rng, e.ops.len());
                let left = if k == 0 {
                    &*e.left
                } else {
                    &e.comparators[k - 1]
                };
                let at = self.operator_between(left, &e.comparators[k])?;
                Some(vec![Edit::new(at, comparison(e.ops[k], rng)?.as_str())])
            }
            Expr::BoolOp(e) => {
                let (new, own, inner) = match e.op {
                    ast::BoolOp::And => ("or", OperatorPrecedence::Or, OperatorPrecedence::And),
                    ast::BoolOp::Or => ("and", OperatorPrecedence::And, OperatorPrecedence::Not),
                };
                let mut edits = Vec::new();
                for pair in e.values.windows(2) {
                    edits.push(Edit::new(self.operator_between(&pair[0], &pair[1])?, new));
                }
                for value in &e.values {
                    self.bracket(value, inner, &mut edits);
                }
                if own < node.slot.min {
                    bracket(node.start..node.end, &mut edits);
                }
                Some(edits)
            }
            Expr::UnaryOp(e) => {
                let new = match e.op {
                    UnaryOp::USub => "+",
                    UnaryOp::UAdd | UnaryOp::Invert => "-",
                    UnaryOp::Not => return None,
                };
                Some(vec![Edit::new(node.start..node.start + 1, new)])
            }
            Expr::If(e) => {
                let body = self.text(&e.orelse, OperatorPrecedence::Or);
                let orelse = self.text(&e.body, OperatorPrecedence::IfElse);
                let range = |e: &Expr| e.start().to_usize()..e.end().to_usize();
                Some(vec![
                    Edit::new(range(&e.body), body),
                    Edit::new(range(&e.orelse), orelse),
                ])
            }
            _ => None,
        }
    }

    /// Another binary operator, drawn by the weights of the settings.
    fn binary(
        &self,
        old: Operator,
        right: &Expr,
        node: &Node<'a>,
        rng: &mut dyn Rng,
    ) -> Option<Operator> {
        let (operators, weights): (Vec<_>, Vec<_>) = OPERATORS
            .into_iter()
            .filter(|op| *op != old)
            .filter_map(|op| {
                let given = self.settings.binary_operators.get(op.as_str()).copied();
                // Bits stay bits: these become each other even if no setting introduces them.
                let weight = match (is_bitwise(old), is_bitwise(op)) {
                    (true, true) => given.unwrap_or(1.0),
                    (true, false) if self.settings.typed => 0.0,
                    _ => given?,
                };
                let divides = matches!(op, Operator::Div | Operator::FloorDiv | Operator::Mod);
                let risky = self.settings.typed && divides && constant(right).is_none();
                Some((op, if risky { 0.3 * weight } else { weight }))
            })
            .filter(|(op, _)| !self.settings.typed || self.sane(*op, right, node))
            .unzip();
        if self.settings.typed && self.joins_lists_or_text(node) {
            return None;
        }
        weighted(rng, &weights).map(|i| operators[i])
    }

    /// Most new divisors are refused: what stands elsewhere may well be 0.
    fn risky_divisor(&self, node: &Node<'a>, rng: &mut dyn Rng) -> bool {
        self.settings.typed && node.slot.divisor && !chance(rng, 0.2)
    }

    /// No division by a literal 0, no fraction for an index, no power beyond the fourth.
    fn sane(&self, op: Operator, right: &Expr, node: &Node<'a>) -> bool {
        let right = constant(right).map(Constant::value);
        match op {
            Operator::Div if self.names.needs_whole(node) => false,
            Operator::Div | Operator::Mod | Operator::FloorDiv => right != Some(0.0),
            Operator::Pow => right.is_some_and(|r| (0.0..=4.0).contains(&r)),
            _ => true,
        }
    }

    fn joins_lists_or_text(&self, node: &Node<'a>) -> bool {
        let of = self.type_of(node);
        node.augmented.is_none() && !of.is_number()
    }

    /// Brackets around an operand that would bind less tightly than `min`.
    fn bracket(&self, expr: &Expr, min: OperatorPrecedence, edits: &mut Vec<Edit>) {
        let range = expr.start().to_usize()..expr.end().to_usize();
        if precedence(expr) < min && !self.outline().parenthesised(range.start, range.end) {
            bracket(range, edits);
        }
    }

    fn argument(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        match node.expr {
            Expr::List(list) => {
                let items: Vec<&Expr> = list.elts.iter().collect();
                self.elements(i, node.start..node.end, &items, rng)
            }
            Expr::Call(call) => self.arguments(node, call, rng),
            _ => None,
        }
    }

    /// Swaps, drops or repeats (changed) elements of a list.
    fn elements(
        &self,
        i: usize,
        range: Range<usize>,
        items: &[&Expr],
        rng: &mut dyn Rng,
    ) -> Option<Vec<Edit>> {
        let mut texts: Vec<String> = items.iter().map(|e| self.text(e, OPEN)).collect();
        let k = (!items.is_empty()).then(|| below(rng, items.len()))?;
        let many = if items.len() > 1 { 1.0 } else { 0.0 };
        let grow = if self.full { 0.0 } else { 1.0 };
        match weighted(rng, &[0.5 * many, 0.4 * many, grow])? {
            0 => {
                let other = (k + 1 + below(rng, items.len() - 1)) % items.len();
                texts.swap(k, other);
            }
            1 => {
                texts.remove(k);
            }
            _ => {
                let mut child = i + 1;
                for _ in 0..k {
                    child = self.node(child).subtree;
                }
                let nodes = child..self.node(child).subtree;
                let mut edits = Edits::default();
                self.perturb(nodes, &mut edits, rng);
                let copy = items[k].start().to_usize()..items[k].end().to_usize();
                let copy = edits.apply(self.source(), copy);
                texts.insert(k + 1, copy);
            }
        }
        let refs: Vec<_> = items.iter().map(|e| e.range()).collect();
        Some(vec![self.rebuild(range, &refs, &texts)])
    }

    /// Writes a bracketed list anew with `texts`, keeping the layout of the old elements.
    fn rebuild(&self, range: Range<usize>, old: &[TextRange], texts: &[String]) -> Edit {
        let source = self.source();
        let blank = |text: &'a str, comma: bool| {
            let plain = text.chars().all(|c| c.is_whitespace() || comma && c == ',');
            if plain { Some(text) } else { None }
        };
        let inner = range.start + 1..range.end - 1;
        let (mut open, mut between, mut close) = ("", ", ", "");
        if let (Some(first), Some(last)) = (old.first(), old.last()) {
            open = blank(&source[inner.start..first.start().to_usize()], false).unwrap_or("");
            close = blank(&source[last.end().to_usize()..inner.end], true).unwrap_or("");
            if let [a, b, ..] = old {
                let gap = &source[a.end().to_usize()..b.start().to_usize()];
                between = blank(gap, true).unwrap_or(", ");
            }
        }
        if texts.is_empty() {
            close = "";
        }
        Edit::new(inner, format!("{open}{}{close}", texts.join(between)))
    }

    /// Swaps two arguments, drops one that has a default, or adds one.
    fn arguments(
        &self,
        node: &Node<'a>,
        call: &'a ast::ExprCall,
        rng: &mut dyn Rng,
    ) -> Option<Vec<Edit>> {
        let args = &call.arguments.args;
        let keywords = &call.arguments.keywords;
        let unpacks = args.iter().any(Expr::is_starred_expr)
            || keywords.iter().any(|k| k.arg.is_none())
            || args.iter().any(|e| matches!(e, Expr::Generator(_)));
        if unpacks {
            return None;
        }
        let mut texts: Vec<String> = args.iter().map(|e| self.text(e, OPEN)).collect();
        texts.extend(keywords.iter().map(|k| self.source()[k.range()].to_owned()));
        let signature = self.names.signature(&call.func, node.scope);
        let pairs = self.swappable(node, call);
        let dropped = signature.as_ref().filter(|s| {
            !keywords.is_empty() || args.len() > s.required() && args.len() <= s.parameters.len()
        });
        let given = |name: &str| keywords.iter().any(|k| k.arg.as_deref() == Some(name));
        let added = signature.iter().flat_map(|s| {
            let rest = s.parameters.iter().enumerate().skip(args.len());
            rest.filter(|(_, p)| p.default.is_some() && !given(&p.name))
        });
        let added: Vec<_> = if self.full {
            Vec::new()
        } else {
            added.collect()
        };
        let yes = |b: bool, weight: f64| if b { weight } else { 0.0 };
        let choices = [
            yes(!pairs.is_empty(), 1.0),
            yes(dropped.is_some(), 1.0),
            yes(!added.is_empty(), 2.0),
        ];
        match weighted(rng, &choices)? {
            0 => {
                let (a, b) = *pick(rng, &pairs)?;
                texts.swap(a, b);
            }
            1 if keywords.is_empty() => {
                texts.pop();
            }
            1 => {
                let k = below(rng, keywords.len());
                let name = keywords[k].arg.as_deref()?;
                let known = dropped?.parameters.iter().find(|p| p.name == name);
                known?.default.as_ref()?;
                texts.remove(args.len() + k);
            }
            _ => {
                // The next by position while there are no keywords, any by keyword after.
                let (at, parameter) = if chance(rng, 0.5) {
                    added[0]
                } else {
                    *pick(rng, &added)?
                };
                let value = self.vary(parameter.default.as_deref()?, parameter.whole, rng);
                if at == args.len() && keywords.is_empty() {
                    texts.push(value);
                } else {
                    texts.push(format!("{}={value}", parameter.name));
                }
            }
        }
        let mut old: Vec<_> = args.iter().map(Ranged::range).collect();
        old.extend(keywords.iter().map(Ranged::range));
        let range = call.arguments.range();
        let range = range.start().to_usize()..range.end().to_usize();
        Some(vec![self.rebuild(range, &old, &texts)])
    }

    /// The pairs of positional arguments that may change places.
    fn swappable(&self, node: &Node<'a>, call: &'a ast::ExprCall) -> Vec<(usize, usize)> {
        let args = &call.arguments.args;
        let whole = |i| called(call).is_some_and(|f| self.names.takes_whole(node.scope, f, i));
        let kinds: Vec<_> = args
            .iter()
            .map(|e| self.names.type_of(e, node.scope))
            .collect();
        let mut pairs = Vec::new();
        for b in 1..args.len() {
            for a in 0..b {
                let alike = !self.settings.typed
                    || kinds[a].fits(kinds[b], whole(b)) && kinds[b].fits(kinds[a], whole(a));
                if alike && self.source()[args[a].range()] != self.source()[args[b].range()] {
                    pairs.push((a, b));
                }
            }
        }
        pairs
    }

    /// A value near a parameter's default.
    fn vary(&self, default: &str, whole: bool, rng: &mut dyn Rng) -> String {
        let parsed = ruff_python_parser::parse_expression(default);
        match parsed.as_ref().map(|p| p.expr()) {
            Ok(Expr::BooleanLiteral(b)) => if b.value { "False" } else { "True" }.to_owned(),
            Ok(expr) => {
                let demand = Demand {
                    whole,
                    nonzero: false,
                    max: self.settings.max_magnitude,
                };
                let new = constant(expr).and_then(|c| c.mutate(&self.constants, demand, rng));
                new.map_or_else(|| default.to_owned(), Constant::text)
            }
            Err(_) => default.to_owned(),
        }
    }

    fn shrink(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        let old = self.type_of(node);
        let parts = &self.outline().nodes[i + 1..node.subtree];
        let parts: Vec<_> = parts
            .iter()
            .filter(|part| {
                part.scope == node.scope
                    && is_value(part)
                    && self.fits(self.type_of(part), old, node)
            })
            .collect();
        let part = pick(rng, &parts)?;
        Some(self.place(node, self.slice(part), precedence(part.expr)))
    }

    fn graft(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        let old = self.type_of(node);
        if self.settings.typed && !old.is_known() {
            return None;
        }
        if self.risky_divisor(node, rng) {
            return None;
        }
        let nodes = &self.outline().nodes;
        for _ in 0..12 {
            let d = below(rng, nodes.len());
            let donor = &nodes[d];
            let fits = is_value(donor)
                && donor.end - donor.start <= GRAFT_LIMIT
                && self.slice(donor) != self.slice(node)
                && self.fits(self.type_of(donor), old, node)
                && self.names.portable(
                    &nodes[d..donor.subtree],
                    (donor.start, donor.end),
                    node.scope,
                    node.start,
                );
            if fits {
                return Some(self.place(node, self.slice(donor), precedence(donor.expr)));
            }
        }
        None
    }

    fn wrap(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if !is_value(node) || !self.type_of(node).is_number() {
            return None;
        }
        let small: Vec<_> = self
            .constants
            .iter()
            .filter(|c| c.value() > 0.0 && c.value() <= 10.0)
            .filter(|c| !self.whole(node) || matches!(c, Constant::Int(_)))
            .copied()
            .collect();
        let other = match pick(rng, &small) {
            Some(c) if chance(rng, 0.5) => *c,
            _ if self.whole(node) || chance(rng, 0.5) => Constant::Int(1 + below(rng, 3) as i64),
            _ => Constant::Float(0.5),
        };
        let op = [Operator::Add, Operator::Sub, Operator::Mult][below(rng, 3)];
        let (left, _) = operand_precedence(op);
        let inner = self.text(node.expr, left);
        let text = format!("{inner} {} {}", op.as_str(), other.text());
        Some(self.place(node, &text, OperatorPrecedence::from(op)))
    }

    /// Replaces a name or number by any other terminal, names and numbers alike.
    fn terminal(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        let old = self.slice(node);
        let whole = self.whole(node);
        let mut names: Vec<&str> = self
            .names
            .visible(node.scope, node.start)
            .into_iter()
            .filter(|(scope, name)| {
                let new = self.names.type_of_name(*scope, name);
                let variable = !matches!(new.base, Base::Function | Base::Module);
                variable && self.fits(new, self.type_of(node), node)
            })
            .map(|(_, name)| name)
            .collect();
        let extra = self.settings.extra_names.iter().map(String::as_str);
        let fresh: Vec<_> = extra.filter(|n| !names.contains(n)).collect();
        names.extend(fresh);
        names.retain(|n| *n != old);
        let numbers: Vec<_> = self
            .constants
            .iter()
            .filter(|c| Some(**c) != constant(node.expr))
            .filter(|c| !whole || matches!(c, Constant::Int(_)))
            .filter(|_| !self.settings.typed || self.type_of(node).is_number())
            .collect();
        let all = names.len() + numbers.len();
        let k = (all > 0).then(|| below(rng, all))?;
        Some(match names.get(k) {
            Some(name) => self.place(node, name, OperatorPrecedence::Atomic),
            None => self.place_constant(node, *numbers[k - names.len()]),
        })
    }

    /// Mutates constants, truth values and names of a copy, whatever the weights: each with the
    /// copy rate, and one of them if that draws none.
    pub(super) fn perturb(&self, nodes: Range<usize>, edits: &mut Edits, rng: &mut dyn Rng) {
        let kind = |node: &Node<'a>| match node.expr {
            _ if node.augmented.is_some() || node.slot.callee.is_some() => None,
            Expr::BooleanLiteral(_) => Some(Kind::Constant),
            Expr::Name(_) => Some(Kind::Name),
            _ => constant(node.expr).map(|_| Kind::Constant),
        };
        let leaves = nodes.filter_map(|i| Some((i, kind(self.node(i))?)));
        let leaves: Vec<_> = leaves.collect();
        for (i, kind) in &leaves {
            if chance(rng, self.settings.copy_rate)
                && let Some(edit) = self.mutate_node(*i, *kind, rng)
            {
                edits.add(edit);
            }
        }
        if leaves.is_empty() {
            return;
        }
        let first = below(rng, leaves.len());
        for (i, kind) in leaves[first..].iter().chain(&leaves[..first]) {
            if !edits.is_empty() {
                break;
            }
            if let Some(edit) = self.mutate_node(*i, *kind, rng) {
                edits.add(edit);
            }
        }
    }
}

const OPERATORS: [Operator; 13] = [
    Operator::Add,
    Operator::Sub,
    Operator::Mult,
    Operator::Div,
    Operator::FloorDiv,
    Operator::Mod,
    Operator::Pow,
    Operator::MatMult,
    Operator::BitAnd,
    Operator::BitOr,
    Operator::BitXor,
    Operator::LShift,
    Operator::RShift,
];

fn is_bitwise(op: Operator) -> bool {
    use Operator::{BitAnd, BitOr, BitXor, LShift, RShift};
    matches!(op, BitAnd | BitOr | BitXor | LShift | RShift)
}

/// Brackets around a range of the source.
fn bracket(range: Range<usize>, edits: &mut Vec<Edit>) {
    edits.push(Edit::new(range.start..range.start, "("));
    edits.push(Edit::new(range.end..range.end, ")"));
}

/// Another comparison of the same group: order and equality, membership, identity.
fn comparison(old: CmpOp, rng: &mut dyn Rng) -> Option<CmpOp> {
    use CmpOp::{Eq, Gt, GtE, Lt, LtE, NotEq};
    Some(match old {
        CmpOp::In => CmpOp::NotIn,
        CmpOp::NotIn => CmpOp::In,
        CmpOp::Is => CmpOp::IsNot,
        CmpOp::IsNot => CmpOp::Is,
        _ => {
            let others = [Lt, LtE, Gt, GtE, Eq, NotEq];
            let others: Vec<_> = others.into_iter().filter(|op| *op != old).collect();
            *pick(rng, &others)?
        }
    })
}

/// Whether a node is a value that could stand elsewhere: no function being called, no unpacking,
/// no slice, nothing bound to its place.
fn is_value(node: &Node<'_>) -> bool {
    node.augmented.is_none()
        && node.slot.callee.is_none()
        && !matches!(
            node.expr,
            Expr::Starred(_)
                | Expr::Slice(_)
                | Expr::Yield(_)
                | Expr::YieldFrom(_)
                | Expr::Await(_)
                | Expr::Named(_)
                | Expr::FString(_)
                | Expr::TString(_)
                | Expr::IpyEscapeCommand(_)
        )
}
