//! One walk over the syntax tree: the expression nodes, statements, blocks and scopes of a program.
//!
//! Left out, and so never mutated: decorators, annotations, class arguments, `del` targets,
//! patterns, names being assigned, and what stands inside f-strings.

use ruff_python_ast::{self as ast, Expr, Operator, OperatorPrecedence, Stmt};
use ruff_text_size::Ranged;

use super::scope::{Binding, Scope, ScopeKind, Source};

/// An expression node with what its place asks of a replacement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub(super) expr: &'a Expr,
    /// The augmented assignment whose target this is; then only its operator may change.
    pub(super) augmented: Option<&'a ast::StmtAugAssign>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Nodes below this one are those from the next index up to here.
    pub(super) subtree: usize,
    pub(super) scope: usize,
    pub(super) slot: Slot<'a>,
}

/// The place of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    /// What binds less tightly needs parentheses here.
    pub(super) min: OperatorPrecedence,
    pub(super) sink: Sink<'a>,
    /// The right operand of a division.
    pub(super) divisor: bool,
    /// The base of an attribute, subscript or call.
    pub(super) primary: bool,
    /// The function of a call.
    pub(super) callee: Option<&'a ast::ExprCall>,
}

/// Where the value of a node goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sink<'a> {
    Free,
    /// An index or the argument of `range`: a whole number is needed.
    Whole,
    /// Assigned to a name of the node's scope.
    Name(&'a str),
    /// Positional argument of a named function.
    Argument(&'a str, usize),
}

impl<'a> Slot<'a> {
    pub(super) const fn new(min: OperatorPrecedence) -> Self {
        Self {
            min,
            sink: Sink::Free,
            divisor: false,
            primary: false,
            callee: None,
        }
    }

    pub(super) const fn into(min: OperatorPrecedence, sink: Sink<'a>) -> Self {
        Self {
            sink,
            ..Self::new(min)
        }
    }

    /// The base of an attribute, subscript or call.
    pub(super) const fn base() -> Self {
        Self {
            primary: true,
            ..Self::new(OperatorPrecedence::CallAttribute)
        }
    }
}

/// Anything that needs no parentheses of its own: the lowest precedence that may stand in an
/// argument, an element or the right side of an assignment.
pub(super) const OPEN: OperatorPrecedence = OperatorPrecedence::Lambda;

/// A statement and its place.
#[derive(Clone, Debug)]
pub(super) struct Statement<'a> {
    pub(super) stmt: &'a Stmt,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) block: usize,
    /// Position in the block.
    pub(super) index: usize,
    pub(super) scope: usize,
    /// Whether it stands in a loop of its own function.
    pub(super) in_loop: bool,
    /// The nodes inside, by index.
    pub(super) nodes: std::ops::Range<usize>,
}

impl Statement<'_> {
    /// Imports, declarations and docstrings stay where they are and as they are.
    pub(super) fn fixed(&self) -> bool {
        match self.stmt {
            Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Global(_) | Stmt::Nonlocal(_) => true,
            Stmt::Delete(_) | Stmt::TypeAlias(_) | Stmt::IpyEscapeCommand(_) => true,
            Stmt::Expr(e) => matches!(*e.value, Expr::StringLiteral(_)),
            _ => false,
        }
    }

    /// Nothing after it in its block is reached.
    pub(super) fn jumps(&self) -> bool {
        matches!(
            self.stmt,
            Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_)
        )
    }

    /// It defines a function or class.
    pub(super) fn defines(&self) -> bool {
        matches!(self.stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_))
    }

    /// It fits on one line with others.
    pub(super) fn simple(&self) -> bool {
        !self.defines()
            && !matches!(
                self.stmt,
                Stmt::If(_)
                    | Stmt::For(_)
                    | Stmt::While(_)
                    | Stmt::With(_)
                    | Stmt::Try(_)
                    | Stmt::Match(_)
            )
    }
}

/// The outline of one program.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    pub(super) source: &'a str,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) statements: Vec<Statement<'a>>,
    /// Blocks of statements, by their indices.
    pub(super) blocks: Vec<Vec<usize>>,
    pub(super) scopes: Vec<Scope<'a>>,
    pub(super) calls: Vec<(&'a ast::ExprCall, usize)>,
    /// Names seen as operands of arithmetic, with the scope of the use.
    pub(super) numeric: Vec<(usize, &'a str)>,
    /// Names seen where a whole number is needed, with the scope of the use.
    pub(super) whole: Vec<(usize, &'a str)>,
    /// Names passed on as positional arguments: scope, name, function, position.
    pub(super) passed: Vec<(usize, &'a str, &'a str, usize)>,
    /// Whether the walk is in a loop of the function it is in.
    pub(super) in_loop: bool,
}

impl<'a> Outline<'a> {
    pub(super) fn new(source: &'a str, body: &'a [Stmt]) -> Self {
        let mut outline = Self {
            source,
            ..Self::default()
        };
        outline
            .scopes
            .push(Scope::new(ScopeKind::Module, None, 0, source.len()));
        outline.block(body, 0);
        outline
    }

    pub(super) fn enter(&mut self, kind: ScopeKind, parent: usize, node: &impl Ranged) -> usize {
        let (start, end) = (node.start().to_usize(), node.end().to_usize());
        self.scopes.push(Scope::new(kind, Some(parent), start, end));
        self.scopes.len() - 1
    }

    pub(super) fn bind(&mut self, scope: usize, name: &'a str, at: usize, source: Source<'a>) {
        let scope = &mut self.scopes[scope];
        if !scope.outer.contains(&name) {
            scope.bindings.push(Binding { name, at, source });
        }
    }

    /// `name[..] = item` and `name.append(item)` tell what a list or dictionary holds.
    pub(super) fn refine(&mut self, scope: usize, name: &'a str, item: &'a Expr) {
        self.scopes[scope].items.push((name, item));
    }

    pub(super) fn outer(&mut self, scope: usize, names: &'a [ast::Identifier]) {
        let outer = &mut self.scopes[scope].outer;
        outer.extend(names.iter().map(ast::Identifier::as_str));
    }

    pub(super) fn push(&mut self, expr: &'a Expr, slot: Slot<'a>, scope: usize) -> &mut Node<'a> {
        let (start, end) = (expr.start().to_usize(), expr.end().to_usize());
        let mut slot = slot;
        if self.parenthesised(start, end) {
            slot.min = OPEN;
        }
        let at = self.nodes.len();
        self.nodes.push(Node {
            expr,
            augmented: None,
            start,
            end,
            subtree: at + 1,
            scope,
            slot,
        });
        &mut self.nodes[at]
    }

    /// Whether brackets stand right around the bytes from `start` to `end`.
    pub(super) fn parenthesised(&self, start: usize, end: usize) -> bool {
        self.source[..start].trim_end().ends_with('(')
            && self.source[end..].trim_start().starts_with(')')
    }
}

/// The least precedences that may stand left and right of a binary operator.
pub(super) fn operand_precedence(op: Operator) -> (OperatorPrecedence, OperatorPrecedence) {
    use OperatorPrecedence as P;
    let own = P::from(op);
    match own {
        P::Exponent => (P::Await, P::PosNegBitNot),
        P::BitOr => (own, P::BitXor),
        P::BitXor => (own, P::BitAnd),
        P::BitAnd => (own, P::LeftRightShift),
        P::LeftRightShift => (own, P::AddSub),
        P::AddSub => (own, P::MulDivRemain),
        _ => (own, P::PosNegBitNot),
    }
}

/// The name of the function or method that is called.
pub(super) fn called(call: &ast::ExprCall) -> Option<&str> {
    match &*call.func {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(a) => Some(a.attr.as_str()),
        _ => None,
    }
}

/// `-` and a number literal.
pub(super) fn is_signed_literal(e: &ast::ExprUnaryOp) -> bool {
    e.op == ast::UnaryOp::USub && matches!(*e.operand, Expr::NumberLiteral(_))
}

/// The precedence of an expression's text as it stands, without brackets around it.
pub(super) fn precedence(expr: &Expr) -> OperatorPrecedence {
    match expr {
        Expr::Tuple(t) if !t.parenthesized => OperatorPrecedence::None,
        Expr::Generator(g) if !g.parenthesized => OperatorPrecedence::None,
        _ => OperatorPrecedence::from_expr(expr),
    }
}
