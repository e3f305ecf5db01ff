//! Operators that agree for some operands alone: checks and calls of `guard.py` take their place.

use ruff_python_ast::{Expr, ExprBinOp, Number, Operator, StmtAugAssign, UnaryOp};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::shape::{is_sequence, number};
use super::{At, Checked, EXACT, Walk, known};
use crate::Failure;

impl<'a> Walk<'a> {
    pub(super) fn aug_assign(&mut self, s: &'a StmtAugAssign, at: At) -> Checked {
        self.target(&s.target, at)?;
        let function = match s.op {
            Operator::Add | Operator::Sub | Operator::Mod => return self.expr(&s.value, at),
            Operator::BitAnd | Operator::BitOr | Operator::BitXor | Operator::RShift
                if !self.facts.numpy =>
            {
                return self.expr(&s.value, at);
            }
            Operator::Mult => "_pyrun_mul",
            Operator::Div => "_pyrun_div",
            Operator::FloorDiv => "_pyrun_floordiv",
            Operator::Pow => self.power(),
            _ => return Err(Failure::unsupported("an operator of this kind")),
        };
        let Expr::Name(target) = &*s.target else {
            return Err(Failure::unsupported("an operator of this kind on a part"));
        };
        let token = format!("{}=", s.op.as_str());
        let op = self.token(s.target.end(), &token)?;
        self.needs(function);
        self.replace(op, &format!("= {function}({}, ", target.id));
        self.expr(&s.value, at)?;
        self.insert(s.range().end(), ")");
        Ok(())
    }

    pub(super) fn binary(&mut self, b: &'a ExprBinOp, at: At) -> Checked {
        let text = |e: &Expr| e.is_string_literal_expr() || e.is_f_string_expr();
        let float = self.is_float(&b.left) || self.is_float(&b.right);
        let numbers = number(&b.left).is_some() && number(&b.right).is_some();
        match b.op {
            Operator::Add | Operator::Sub => self.both(b, at),
            Operator::Mod if !text(&b.left) => self.both(b, at),
            Operator::BitAnd | Operator::BitOr | Operator::BitXor | Operator::RShift
                if !self.facts.numpy =>
            {
                self.both(b, at)
            }
            Operator::Mult if is_sequence(&b.left) || is_sequence(&b.right) => {
                if self.facts.numpy {
                    return Err(Failure::unsupported("a sequence times a number"));
                }
                self.both(b, at)
            }
            Operator::Mult | Operator::Div if float => self.both(b, at),
            Operator::Mult if numbers => self.both(b, at),
            Operator::Mult if at.assigns => {
                self.insert(b.start(), &format!("(_pyrun_t if -{EXACT} < (_pyrun_t := "));
                self.both(b, at)?;
                self.insert(b.end(), &format!(") < {EXACT} else _pyrun_gap())"));
                Ok(())
            }
            Operator::Mult => self.replaced(b, "_pyrun_mul", at),
            Operator::Div => match number(&b.right) {
                Some(n) if n > 0 && at.assigns => {
                    let most = EXACT / n;
                    self.insert(b.start(), &format!("(_pyrun_t if -{most} < (_pyrun_t := "));
                    self.both(b, at)?;
                    self.insert(b.end(), &format!(") < {most} else _pyrun_gap())"));
                    Ok(())
                }
                _ => self.replaced(b, "_pyrun_div", at),
            },
            Operator::FloorDiv => self.replaced(b, "_pyrun_floordiv", at),
            Operator::Pow => match number(&b.right) {
                Some(_) if self.is_float(&b.left) => self.replaced(b, "_pyrun_cpow", at),
                // whole numbers are the common case; of a float there is no `&`
                Some(n @ 2..=8) if self.whole => {
                    self.out.supposes = true;
                    self.insert(b.start(), "((");
                    self.expr(&b.left, at)?;
                    let op = self.token(b.left.end(), "**")?;
                    let rest = TextRange::new(op.start(), b.end());
                    self.replace(rest, &format!(" & -1) ** {n})"));
                    Ok(())
                }
                Some(n @ 2..=8) if at.assigns => {
                    // a power of a float is the C library's, whose last bit may differ from the product's
                    self.insert(b.start(), &format!("(_pyrun_t ** {n} if (_pyrun_t := "));
                    self.expr(&b.left, at)?;
                    let op = self.token(b.left.end(), "**")?;
                    let rest = TextRange::new(op.start(), b.end());
                    let most = (EXACT as f64).powf(1.0 / n as f64) as i64 - 1;
                    let text = format!(
                        ") in _pyrun_small else _pyrun_cpow(_pyrun_t, {n}) if type(_pyrun_t) is float \
                         else _pyrun_t ** {n} if type(_pyrun_t) is int and -{most} < _pyrun_t < {most} \
                         else _pyrun_gap())"
                    );
                    self.replace(rest, &text);
                    Ok(())
                }
                _ => self.replaced(b, self.power(), at),
            },
            _ => Err(Failure::unsupported(format!(
                "the operator {}",
                b.op.as_str()
            ))),
        }
    }

    fn power(&self) -> &'static str {
        match self.facts.numpy {
            true => "_pyrun_pow_numpy",
            false => "_pyrun_pow",
        }
    }

    fn both(&mut self, b: &'a ExprBinOp, at: At) -> Checked {
        self.expr(&b.left, at)?;
        self.expr(&b.right, at)
    }

    /// `left op right` becomes `function(left, right)`.
    fn replaced(&mut self, b: &'a ExprBinOp, function: &str, at: At) -> Checked {
        self.needs(function);
        self.insert(b.start(), &format!("{function}("));
        self.expr(&b.left, at)?;
        let op = self.token(b.left.end(), b.op.as_str())?;
        self.replace(op, ",");
        self.expr(&b.right, at)?;
        self.insert(b.end(), ")");
        Ok(())
    }

    /// Where the operator `text` stands: after `from`, white space, closing brackets and comments.
    pub(super) fn token(&self, from: TextSize, text: &str) -> Result<TextRange, Failure> {
        let mut at = usize::from(from);
        let bytes = self.source.as_bytes();
        while let Some(byte) = bytes.get(at) {
            if self.source[at..].starts_with(text) {
                let start = TextSize::new(at as u32);
                return Ok(TextRange::at(start, TextSize::of(text)));
            }
            match byte {
                b'#' => {
                    at += self.source[at..]
                        .find('\n')
                        .unwrap_or(self.source.len() - at)
                }
                b')' | b' ' | b'\t' | b'\n' | b'\r' | b'\\' | b'\x0c' => at += 1,
                _ => break,
            }
        }
        Err(Failure::unsupported("an operator written so"))
    }

    /// Whether the value is a float wherever the expression has one.
    pub(super) fn is_float(&self, e: &Expr) -> bool {
        match e {
            Expr::NumberLiteral(n) => matches!(n.value, Number::Float(_)),
            Expr::UnaryOp(u) => u.op != UnaryOp::Not && self.is_float(&u.operand),
            Expr::BinOp(b) => match b.op {
                Operator::Add | Operator::Sub | Operator::Mult | Operator::Div => {
                    self.is_float(&b.left) || self.is_float(&b.right)
                }
                _ => false,
            },
            Expr::Attribute(a) => {
                self.is_math(&a.value) && known::CONSTANTS.contains(&a.attr.as_str())
            }
            Expr::Call(c) => match &*c.func {
                Expr::Name(n) => n.id.as_str() == "float" && !self.facts.bound.contains("float"),
                Expr::Attribute(a) => {
                    self.is_math(&a.value) && known::OF_FLOATS.contains(&a.attr.as_str())
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn is_math(&self, e: &Expr) -> bool {
        matches!(e, Expr::Name(n) if self.facts.modules.get(n.id.as_str()) == Some(&"math"))
    }
}
