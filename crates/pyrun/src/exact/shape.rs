//! What a piece of a program looks like.

use ruff_python_ast::{Expr, Number, Stmt, UnaryOp};

use super::Checked;
use crate::Failure;

pub(super) fn number(e: &Expr) -> Option<i64> {
    match e {
        Expr::NumberLiteral(n) => match &n.value {
            Number::Int(i) => i.as_i64(),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn is_sequence(e: &Expr) -> bool {
    e.is_list_expr()
        || e.is_tuple_expr()
        || e.is_string_literal_expr()
        || e.is_list_comp_expr()
        || e.is_f_string_expr()
}

pub(super) fn is_truth(e: &Expr) -> bool {
    e.is_compare_expr()
        || e.is_bool_op_expr()
        || matches!(e, Expr::UnaryOp(u) if u.op == UnaryOp::Not)
}

/// Whether a class may bind this value: neither a scope of its own nor a name.
pub(super) fn is_simple(e: &Expr) -> bool {
    match e {
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        Expr::UnaryOp(u) => is_simple(&u.operand),
        Expr::List(l) => l.elts.iter().all(is_simple),
        Expr::Tuple(t) => t.elts.iter().all(is_simple),
        _ => false,
    }
}

pub(super) fn is_join(e: &Expr) -> bool {
    matches!(e, Expr::Attribute(a) if a.attr.as_str() == "join" && a.value.is_string_literal_expr())
}

pub(super) fn is_decimal(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    !text.is_empty() && text.len() < 16 && text.chars().all(plain)
}

/// Names that are compared by their letters alone, and that neither CPython nor `guard.py` treats as its own.
pub(super) fn name_is_plain(name: &str) -> Checked {
    if name.is_ascii() && !name.starts_with("__") {
        return Ok(());
    }
    Err(Failure::unsupported(format!("the name {name}")))
}

pub(super) fn kind(stmt: &Stmt) -> &'static str {
    match stmt {
        Stmt::With(_) => "with",
        Stmt::Match(_) => "match",
        Stmt::Delete(_) => "del",
        Stmt::Raise(_) => "raise from",
        Stmt::For(_) => "async for",
        _ => "other",
    }
}

/// How deep brackets nest at most; what stands in texts and comments counts too.
pub(super) fn brackets(source: &str) -> usize {
    let (mut depth, mut most) = (0usize, 0);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                most = most.max(depth);
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}
