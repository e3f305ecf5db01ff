//! Expressions: operands and operators in turn. Precedence does not matter to what is valid, levels do.

use super::parser::{Frame, Level, Parser, St, Step, ctx, flag, prop};
use super::token::Tok;

/// What a name, an attribute or an item may serve as.
const PLACE: u16 = prop::SINGLE | prop::TARGET | prop::DEL;

impl Parser {
    pub(super) fn expression(&mut self, tok: Tok, frame: Frame, ret: &mut u16) -> Step {
        match frame.st {
            St::Start | St::AfterNot | St::AfterOperator | St::AfterAwait | St::AfterIs => {
                self.operand(tok, frame)
            }
            St::After => self.after_operand(tok, frame, ret),
            St::NotIn if tok == Tok::In => self.goto(St::AfterOperator),
            St::Attribute if matches!(tok, Tok::Name | Tok::DebugName) => self.atom(PLACE),
            St::Ternary if tok == Tok::Else => {
                self.pop();
                self.goto(St::Start)
            }
            St::LambdaBody | St::YieldEnd => {
                self.pop();
                *ret = 0;
                Step::Again
            }
            St::YieldStart => match tok {
                Tok::From if self.block().ctx & ctx::ASYNC == 0 => {
                    self.goto_expression(St::YieldEnd, Level::Expression, 0)
                }
                _ if tok.starts_expression() || tok == Tok::Star => {
                    self.goto_tuple(St::YieldEnd, Level::Expression, 0);
                    Step::Again
                }
                _ => {
                    self.goto(St::YieldEnd);
                    Step::Again
                }
            },
            _ => Step::Dead,
        }
    }

    /// An operand is complete; what it may serve as.
    pub(super) fn atom(&mut self, props: u16) -> Step {
        let top = self.top_mut();
        top.st = St::After;
        top.flags = top.flags & !prop::ALL | props;
        Step::Took
    }

    /// An operand that a bracket starts, which will say what the whole may serve as.
    fn bracketed(&mut self, st: St, flags: u16) -> Step {
        self.atom(0);
        self.push(st, Level::Named, flags);
        Step::Took
    }

    /// Closes a bracket that is an operand or trails one.
    pub(super) fn close(&mut self, props: u16) -> Step {
        self.pop();
        if self.top().st == St::After {
            self.atom(props)
        } else {
            Step::Took
        }
    }

    /// An operator was read, so the whole is no target.
    fn operator(&mut self, next: St) -> Step {
        self.top_mut().flags |= flag::COMPOSITE;
        self.goto(next)
    }

    fn operand(&mut self, tok: Tok, frame: Frame) -> Step {
        let arithmetic = frame.level != Level::Target && frame.st != St::AfterAwait;
        let new_ok = if frame.flags & flag::COMPOSITE == 0 {
            frame.flags & flag::NEW_OK
        } else {
            0
        };
        match tok {
            Tok::Name => self.atom(PLACE | prop::NAME),
            Tok::NewName if new_ok != 0 => {
                self.atom(prop::NAME | prop::SINGLE | prop::TARGET | prop::NEW)
            }
            Tok::DebugName | Tok::Number | Tok::Ellipsis | Tok::None | Tok::True | Tok::False => {
                self.atom(0)
            }
            Tok::Str | Tok::FStr => self.atom(prop::STR),
            Tok::Bytes => self.atom(prop::BYTES),
            Tok::LPar => {
                self.bracketed(St::SeqOpen, new_ok | flag::FIRST | prop::TARGET | prop::DEL)
            }
            Tok::LSqb => self.bracketed(
                St::SeqOpen,
                new_ok | flag::EAGER | flag::FIRST | prop::TARGET | prop::DEL,
            ),
            Tok::LBrace => self.bracketed(St::BraceOpen, 0),
            Tok::Plus | Tok::Minus | Tok::Tilde if arithmetic => self.operator(St::AfterOperator),
            Tok::Not if frame.st == St::AfterIs => self.goto(St::AfterOperator),
            Tok::Not
                if frame.level <= Level::Or && matches!(frame.st, St::Start | St::AfterNot) =>
            {
                self.operator(St::AfterNot)
            }
            Tok::Await if arithmetic && self.may_await() => self.operator(St::AfterAwait),
            Tok::Lambda if frame.st == St::Start && frame.level <= Level::Expression => {
                self.operator(St::After);
                self.atom(0);
                self.push_lambda();
                Step::Took
            }
            _ => Step::Dead,
        }
    }

    fn after_operand(&mut self, tok: Tok, frame: Frame, ret: &mut u16) -> Step {
        let level = frame.level;
        if frame.flags & prop::NEW == 0 {
            match tok {
                Tok::Dot => return self.goto(St::Attribute),
                Tok::LPar => {
                    self.atom(0);
                    self.push_call(self.callee, 0);
                    return Step::Took;
                }
                Tok::LSqb => return self.bracketed(St::SubOpen, 0),
                Tok::Str | Tok::FStr if frame.flags & prop::STR != 0 => return Step::Took,
                Tok::FieldStart => {
                    self.push(St::SeqOpen, Level::Named, flag::FIELD | flag::FIRST);
                    return Step::Took;
                }
                Tok::Bytes if frame.flags & prop::BYTES != 0 => return Step::Took,
                Tok::Plus
                | Tok::Minus
                | Tok::Star
                | Tok::DoubleStar
                | Tok::Slash
                | Tok::At
                | Tok::Arith
                | Tok::Bar
                    if level <= Level::BitOr =>
                {
                    return self.operator(St::AfterOperator);
                }
                Tok::Compare | Tok::In if level <= Level::Or => {
                    return self.operator(St::AfterOperator);
                }
                Tok::Is if level <= Level::Or => return self.operator(St::AfterIs),
                Tok::Not if level <= Level::Or => return self.operator(St::NotIn),
                Tok::And | Tok::Or if level <= Level::Or => return self.operator(St::AfterNot),
                Tok::If if level <= Level::Field => {
                    self.operator(St::After);
                    self.push(St::Ternary, Level::Named, 0);
                    self.push_expression(Level::Or, 0);
                    return Step::Took;
                }
                Tok::ColonEq
                    if level == Level::Named
                        && frame.flags & prop::NAME != 0
                        && frame.flags & flag::COMPOSITE == 0 =>
                {
                    if self.in_iterable() {
                        return Step::Dead;
                    }
                    self.top_mut().level = Level::Expression;
                    self.top_mut().flags |= prop::WALRUS;
                    return self.operator(St::Start);
                }
                _ => {}
            }
        }
        let kept = if frame.flags & flag::COMPOSITE != 0 {
            prop::WALRUS
        } else {
            prop::ALL
        };
        *ret = frame.flags & kept;
        self.pop();
        Step::Again
    }

    /// In an `async` function, and not in the body of a lambda; or in a generator expression, past its first iterable.
    pub(super) fn may_await(&self) -> bool {
        let generator = |f: &Frame| {
            matches!(f.st, St::CompTail | St::CompIn) && f.flags & (flag::EAGER | flag::FIRST) == 0
        };
        self.block().ctx & ctx::ASYNC != 0 && self.stack.iter().all(|f| f.st != St::LambdaBody)
            || self.stack.iter().any(generator)
    }

    /// In an iterable of a comprehension, where CPython allows no `:=` outside lambdas.
    fn in_iterable(&self) -> bool {
        let scope = self
            .stack
            .iter()
            .rev()
            .take_while(|f| f.st != St::LambdaBody);
        scope
            .into_iter()
            .any(|f| f.st == St::CompTail && f.flags & flag::ITERABLE != 0)
    }

    /// In a function or in the body of a lambda.
    pub(super) fn may_yield(&self) -> bool {
        self.block().ctx & ctx::FUNCTION != 0 || self.stack.iter().any(|f| f.st == St::LambdaBody)
    }
}
