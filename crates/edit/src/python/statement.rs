//! Statements: the bottom frame's states.

use super::parser::{
    Call, Frame, INLINE, Level, PENDING, Parser, St, Step, Tail, ctx, flag, prop, took_if,
};
use super::token::Tok;

impl Parser {
    pub(super) fn statement(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        let name = tok.is_name();
        match frame.st {
            St::Line => self.line(tok),
            St::AfterSemi if tok == Tok::Newline => self.end_simple(tok),
            St::AfterSemi => self.simple(tok),
            St::LineEnd => self.end_simple(tok),
            St::Suite if tok == Tok::Newline => {
                let n = self.blocks.len();
                self.blocks[n - 1].indent = PENDING;
                self.goto(St::Line)
            }
            St::Suite if self.block().ctx & ctx::MATCH != 0 => Step::Dead,
            St::Suite => self.simple(tok),
            St::Decorator if tok == Tok::Newline => self.goto(St::Line),
            St::Header | St::DefReturns if tok == Tok::Colon => self.open_block(),

            St::Expr => match tok {
                Tok::Eq if ret & prop::TARGET != 0 => self.goto(St::Rhs),
                Tok::Aug if ret & (prop::SINGLE | prop::NEW) == prop::SINGLE => {
                    self.goto(St::LastRhs)
                }
                Tok::Colon if ret & prop::SINGLE != 0 => {
                    self.goto_expression(St::Annotation, Level::Expression, 0)
                }
                _ if ret & prop::NEW == 0 => self.end_simple(tok),
                _ => Step::Dead,
            },
            St::Rhs | St::LastRhs if tok == Tok::Yield => self.yields(),
            St::Rhs => {
                self.goto_tuple(St::RhsEnd, Level::Expression, 0);
                Step::Again
            }
            St::LastRhs => {
                self.goto_tuple(St::LineEnd, Level::Expression, 0);
                Step::Again
            }
            St::RhsEnd if tok == Tok::Eq && ret & prop::TARGET != 0 => self.goto(St::Rhs),
            St::Annotation if tok == Tok::Eq => self.goto(St::LastRhs),
            St::RhsEnd | St::Annotation => self.end_simple(tok),

            St::DefName if name => self.goto(St::DefOpen),
            St::DefOpen if tok == Tok::LPar => {
                self.goto(St::DefArrow);
                self.push_parameters();
                Step::Took
            }
            St::DefArrow if tok == Tok::Arrow => {
                self.goto_expression(St::DefReturns, Level::Expression, 0)
            }
            St::ClassName if name => self.goto(St::ClassArgs),
            St::ClassArgs if tok == Tok::LPar => {
                self.goto(St::Header);
                self.push_call(Call::ANY, flag::OF_CLASS);
                Step::Took
            }
            St::DefArrow | St::ClassArgs | St::ExceptAs | St::CaseGuard if tok == Tok::Colon => {
                self.open_block()
            }
            St::ForIn if tok == Tok::In && ret & prop::TARGET != 0 => {
                self.goto_tuple(St::Header, Level::Expression, 0)
            }
            St::AsyncStart => match tok {
                Tok::Def => self.define(ctx::FUNCTION | ctx::ASYNC),
                Tok::For | Tok::With
                    if self.block().ctx & ctx::ASYNC != 0
                        && self.block().tail != Tail::Decorated =>
                {
                    self.compound(tok)
                }
                _ => Step::Dead,
            },
            St::WithStart
            | St::WithItem
            | St::WithTarget
            | St::WithParenFirst
            | St::WithParenNext
            | St::WithParenItem
            | St::WithParenTarget => self.with(tok, frame, ret),
            St::ExceptStart => self.except(tok),
            St::ExceptAs if tok == Tok::As => self.goto(St::ExceptName),
            St::ExceptName if name => self.goto(St::Header),
            St::CaseGuard if tok == Tok::If => self.goto_expression(St::Header, Level::Named, 0),

            St::GlobalName if name => self.goto(St::GlobalAfter),
            St::GlobalAfter if tok == Tok::Comma => self.goto(St::GlobalName),
            St::GlobalAfter => self.end_simple(tok),
            St::DelAfter if ret & prop::DEL != 0 => self.end_simple(tok),
            St::AssertAfter if tok == Tok::Comma => {
                self.goto_expression(St::LineEnd, Level::Expression, 0)
            }
            St::AssertAfter => self.end_simple(tok),
            St::RaiseStart if tok.starts_expression() => {
                self.goto_expression(St::RaiseAfter, Level::Expression, 0);
                Step::Again
            }
            St::RaiseAfter if tok == Tok::From => {
                self.goto_expression(St::LineEnd, Level::Expression, 0)
            }
            St::ReturnStart if tok.starts_expression() || tok == Tok::Star => {
                self.goto_tuple(St::LineEnd, Level::Expression, 0);
                Step::Again
            }
            St::RaiseStart | St::RaiseAfter | St::ReturnStart => self.end_simple(tok),
            st if st as u8 >= St::ImportName as u8 && st as u8 <= St::FromParenNamed as u8 => {
                self.import(tok, st)
            }
            _ => Step::Dead,
        }
    }

    /// The start of a line.
    fn line(&mut self, tok: Tok) -> Step {
        let block = self.block();
        let inherited = block.ctx;
        if block.ctx & ctx::MATCH != 0 {
            if tok != Tok::Case {
                return Step::Dead;
            }
            self.top_mut().flags = u16::from(inherited & !ctx::MATCH);
            self.goto(St::CaseGuard);
            self.push_patterns();
            return Step::Took;
        }
        self.top_mut().flags = u16::from(inherited);
        let handlers = matches!(
            block.tail,
            Tail::Except | Tail::ExceptStar | Tail::ExceptAll
        );
        let (tail, st) = match (tok, block.tail) {
            (Tok::Elif, Tail::If) => {
                return self.goto_expression(St::Header, Level::Named, 0);
            }
            (Tok::Else, Tail::If | Tail::Loop) => (Tail::Free, St::Header),
            (Tok::Else, _) if handlers => (Tail::TryElse, St::Header),
            (Tok::Except, Tail::Try | Tail::Except | Tail::ExceptStar) => {
                (block.tail, St::ExceptStart)
            }
            (Tok::Finally, Tail::Try | Tail::TryElse) => (Tail::Free, St::Header),
            (Tok::Finally, _) if handlers => (Tail::Free, St::Header),
            (_, Tail::Try) => return Step::Dead,
            (Tok::At | Tok::Def | Tok::Class | Tok::Async, _) => return self.compound(tok),
            (_, Tail::Decorated) => return Step::Dead,
            _ => {
                self.set_tail(Tail::Free);
                return self.compound(tok);
            }
        };
        self.set_tail(tail);
        self.goto(st)
    }

    /// A header; or else a simple statement.
    fn compound(&mut self, tok: Tok) -> Step {
        let looping = u16::from(ctx::LOOP);
        match tok {
            Tok::If => {
                self.set_tail(Tail::If);
                self.goto_expression(St::Header, Level::Named, 0)
            }
            Tok::While => {
                self.set_tail(Tail::Loop);
                self.top_mut().flags |= looping;
                self.goto_expression(St::Header, Level::Named, 0)
            }
            Tok::For => {
                self.set_tail(Tail::Loop);
                self.top_mut().flags |= looping;
                self.goto_tuple(St::ForIn, Level::Target, flag::NEW_OK)
            }
            Tok::Try => {
                self.set_tail(Tail::Try);
                self.goto(St::Header)
            }
            Tok::With => self.goto(St::WithStart),
            Tok::Match => {
                self.top_mut().flags |= u16::from(ctx::MATCH);
                self.goto_tuple(St::Header, Level::Named, 0)
            }
            Tok::Def => self.define(ctx::FUNCTION),
            Tok::Class => {
                self.set_tail(Tail::Free);
                self.top_mut().flags = u16::from(ctx::INNER);
                self.goto(St::ClassName)
            }
            Tok::At => {
                self.set_tail(Tail::Decorated);
                self.goto_expression(St::Decorator, Level::Named, 0)
            }
            Tok::Async => {
                if self.block().tail != Tail::Decorated {
                    self.set_tail(Tail::Free);
                }
                self.goto(St::AsyncStart)
            }
            _ => self.simple(tok),
        }
    }

    fn define(&mut self, ctx: u8) -> Step {
        self.set_tail(Tail::Free);
        self.top_mut().flags = u16::from(ctx | ctx::INNER);
        self.goto(St::DefName)
    }

    fn simple(&mut self, tok: Tok) -> Step {
        let ctx = self.block().ctx;
        match tok {
            Tok::Pass => self.goto(St::LineEnd),
            Tok::Break | Tok::Continue if ctx & ctx::LOOP != 0 => self.goto(St::LineEnd),
            Tok::Return if ctx & (ctx::FUNCTION | ctx::NO_RETURN) == ctx::FUNCTION => {
                self.goto(St::ReturnStart)
            }
            Tok::Yield => self.yields(),
            Tok::Raise => self.goto(St::RaiseStart),
            Tok::Assert => self.goto_expression(St::AssertAfter, Level::Expression, 0),
            Tok::Global => self.goto(St::GlobalName),
            Tok::Nonlocal if ctx & ctx::INNER != 0 => self.goto(St::GlobalName),
            Tok::Del => self.goto_tuple(St::DelAfter, Level::Target, flag::DELETING),
            Tok::Import => self.goto(St::ImportName),
            Tok::From => {
                self.top_mut().flags &= !DOTS;
                self.goto(St::FromDots)
            }
            _ if tok.starts_expression() || tok == Tok::Star => {
                self.goto_tuple(St::Expr, Level::Expression, flag::NEW_OK);
                Step::Again
            }
            _ => Step::Dead,
        }
    }

    /// `yield` as the last thing of a statement.
    fn yields(&mut self) -> Step {
        if !self.may_yield() {
            return Step::Dead;
        }
        self.goto(St::LineEnd);
        self.push(St::YieldStart, Level::Named, 0);
        Step::Took
    }

    fn end_simple(&mut self, tok: Tok) -> Step {
        match tok {
            Tok::Semi => self.goto(St::AfterSemi),
            Tok::Newline => {
                if self.block().indent == INLINE {
                    self.blocks.pop();
                }
                self.goto(St::Line)
            }
            _ => Step::Dead,
        }
    }

    fn except(&mut self, tok: Tok) -> Step {
        let tail = self.block().tail;
        match tok {
            Tok::Star if tail != Tail::Except => {
                self.set_tail(Tail::ExceptStar);
                let flags = &mut self.top_mut().flags;
                *flags = *flags & !u16::from(ctx::LOOP) | u16::from(ctx::NO_RETURN);
                self.goto_expression(St::ExceptAs, Level::Expression, 0)
            }
            _ if tail == Tail::ExceptStar => Step::Dead,
            Tok::Colon => {
                self.set_tail(Tail::ExceptAll);
                self.open_block()
            }
            _ => {
                self.set_tail(Tail::Except);
                self.goto_expression(St::ExceptAs, Level::Expression, 0);
                Step::Again
            }
        }
    }

    fn with(&mut self, tok: Tok, frame: Frame, ret: u16) -> Step {
        let target = ret & prop::TARGET != 0;
        match (frame.st, tok) {
            (St::WithStart, Tok::LParWith) => {
                self.goto(St::Header);
                self.push(St::WithParenFirst, Level::Named, 0);
                Step::Took
            }
            (St::WithStart, _) => {
                self.goto_expression(St::WithItem, Level::Expression, 0);
                Step::Again
            }
            (St::WithItem, Tok::As) => {
                self.goto_expression(St::WithTarget, Level::Target, flag::NEW_OK)
            }
            (St::WithParenItem, Tok::As) => {
                self.goto_expression(St::WithParenTarget, Level::Target, flag::NEW_OK)
            }
            (St::WithTarget | St::WithParenTarget, _) if !target => Step::Dead,
            (St::WithItem | St::WithTarget, Tok::Comma) => {
                self.goto_expression(St::WithItem, Level::Expression, 0)
            }
            (St::WithItem | St::WithTarget, Tok::Colon) => self.open_block(),
            (St::WithParenItem | St::WithParenTarget, Tok::Comma) => self.goto(St::WithParenNext),
            (St::WithParenItem | St::WithParenTarget | St::WithParenNext, Tok::RPar) => {
                self.pop();
                Step::Took
            }
            (St::WithParenFirst | St::WithParenNext, _) => {
                self.goto_expression(St::WithParenItem, Level::Expression, 0);
                Step::Again
            }
            _ => Step::Dead,
        }
    }

    fn import(&mut self, tok: Tok, st: St) -> Step {
        let name = tok.is_name();
        let import = matches!(tok, Tok::Name | Tok::ModuleName);
        match (st, tok) {
            (St::ImportName, _) if import => self.goto(St::ImportAfter),
            (St::ImportAfter, Tok::Dot) => self.goto(St::ImportName),
            (St::ImportAfter, Tok::As) => self.goto(St::ImportAs),
            (St::ImportAs, _) if name => self.goto(St::ImportNamed),
            (St::ImportAfter | St::ImportNamed, Tok::Comma) => self.goto(St::ImportName),
            (St::ImportAfter | St::ImportNamed, _) => self.end_simple(tok),

            (St::FromDots, Tok::Dot) => {
                self.top_mut().flags |= DOTS;
                Step::Took
            }
            (St::FromDots | St::FromName, _) if import => self.goto(St::FromPath),
            (St::FromDots, Tok::Import) if self.top().flags & DOTS != 0 => self.goto(St::FromNames),
            (St::FromPath, Tok::Dot) => self.goto(St::FromName),
            (St::FromPath, Tok::Import) => self.goto(St::FromNames),
            (St::FromNames, Tok::Star) => {
                self.top_mut().st = St::LineEnd;
                took_if(self.block().ctx & ctx::INNER == 0)
            }
            (St::FromNames, Tok::LPar) => self.goto(St::FromParenFirst),
            (St::FromNames | St::FromNext, _) if import => self.goto(St::FromAfter),
            (St::FromAfter, Tok::As) => self.goto(St::FromAs),
            (St::FromAs, _) if name => self.goto(St::FromNamed),
            (St::FromAfter | St::FromNamed, Tok::Comma) => self.goto(St::FromNext),
            (St::FromAfter | St::FromNamed, _) => self.end_simple(tok),
            (St::FromParenFirst | St::FromParenNext, _) if import => self.goto(St::FromParenAfter),
            (St::FromParenAfter, Tok::As) => self.goto(St::FromParenAs),
            (St::FromParenAs, _) if name => self.goto(St::FromParenNamed),
            (St::FromParenAfter | St::FromParenNamed, Tok::Comma) => self.goto(St::FromParenNext),
            (St::FromParenAfter | St::FromParenNamed | St::FromParenNext, Tok::RPar) => {
                self.goto(St::LineEnd)
            }
            _ => Step::Dead,
        }
    }
}

/// `from` saw a dot, so it needs no name.
const DOTS: u16 = 1 << 15;
